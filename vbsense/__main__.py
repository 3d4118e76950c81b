"""``python -m vbsense`` is the command ``vbsense``."""

from vbsense.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
