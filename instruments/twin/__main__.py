"""The simulated rig in a process of its own.

Reads one JSON line from stdin (``{"recipe": [...], ...}``, the rest as `Twin` takes it), prints its
ports as one JSON line, and serves until stdin closes. If stdin ends without the line ``done``, whoever
started it has died, and the rig stays a few seconds so that a guard can still switch everything off.
"""

from __future__ import annotations

import json
import os
import sys
import time

from vbsense.instruments.process import ignore_interrupts

LINGER = 3.0  # s


def main() -> None:
    """Serve; the errors of building the scene go to who started it, as ``{"error": ...}``."""
    ignore_interrupts()
    settings = json.loads(sys.stdin.readline())
    try:
        from vbsense.instruments.twin.serve import Twin, build_scene

        recipe = settings.pop("recipe")
        twin = Twin(build_scene((recipe[0], recipe[1])), **settings)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        raise SystemExit(1) from error
    print(json.dumps(twin.ports), flush=True)
    if sys.stdin.read().strip() != "done":
        time.sleep(LINGER)
    os._exit(0)  # exposures in flight are nobody's any more


if __name__ == "__main__":
    main()
