"""The command ``vbsense``: one file for each command, heavy imports only when a command runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from vbsense import __version__
from vbsense.cli import acquire, current, demo, fit, forecast, info, map_, recover, sensitivity, simulate, spectrum

__all__ = ["build_parser", "main"]

COMMANDS = (demo, simulate, forecast, acquire, fit, map_, current, sensitivity, spectrum, info, recover)

DESCRIPTION = "Magnetic imaging with boron-vacancy spins in hBN: simulate, acquire, analyse."
EPILOG = """\
start here:
  vbsense demo                                    the whole way, about 15 seconds
  vbsense simulate gold_wire_nanoarray sweep.h5   a synthetic sweep
  vbsense forecast gold_wire_nanoarray            what it will reach, before it is made
  vbsense fit sweep.h5                            -> fit.h5
  vbsense map fit.h5                              -> field.h5
  vbsense current field.h5 --standoff 100nm       -> current.h5
  vbsense sensitivity fit.h5                      how small a field it sees, by every definition
  vbsense info field.h5                           what is in a file

Quantities carry their unit: 2.97GHz, 500ms, 15dBm, 1mA.
`vbsense COMMAND --help` explains a command. Exit codes: 0 done, 2 bad input, 130 interrupted."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="vbsense", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"vbsense {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show where an error came from")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        0 done, 2 bad input, 130 interrupted.
    """
    args = build_parser().parse_args(argv)
    try:
        code = args.run(args)
        sys.stdout.flush()
        return int(code or 0)
    except KeyboardInterrupt as error:
        print(f"vbsense: {'; '.join(['interrupted', *getattr(error, '__notes__', [])])}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe (`| head`) went away; the interpreter must not complain at exit about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if args.traceback or not _expected(error):
            raise
        print(f"vbsense: error: {'; '.join([_one_line(error), *getattr(error, '__notes__', [])])}", file=sys.stderr)
        return 2


def _expected(error: Exception) -> bool:
    """Bad input and the troubles of the outside world; anything else is a bug and shows its traceback."""
    return isinstance(error, ValueError | OSError) or type(error).__module__.startswith("vbsense.")


def _one_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.errno and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(text.split()) or type(error).__name__
