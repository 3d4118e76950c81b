"""The append-only record of a running acquisition: what was appended survives a crash.

The process that talks to instruments writes only this, with plain system calls; no HDF5 file is open
there. Another process turns the finished spool into one HDF5 file::

    python -m vbsense.spool finalise RUN OUT [--overwrite] [--remove]
    python -m vbsense.spool recover RUN OUT [--overwrite]

The second is for a run that was cut off. `read` may be called while the spool grows.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vbsense.storage.spool_convert import finalise, recover
from vbsense.storage.spool_record import Key, Record, scan, spool_path
from vbsense.storage.spool_writer import Spool

__all__ = ["Key", "Record", "Spool", "finalise", "main", "read", "recover"]


def read(run: str | Path) -> tuple[dict[str, Any], list[Record]]:
    """Read a spool, also while it is being written.

    Parameters
    ----------
    run : str or Path
        Folder of the run.

    Returns
    -------
    header : dict
        As it was given to `Spool`.
    records : list of Record
        Frames, commits and the end in the order of writing; ``record.frame`` reads ``(y, x)`` counts.

    Warns
    -----
    RuntimeWarning
        For each damaged stretch, naming the records. A record that is being written is left out silently.

    Raises
    ------
    FileNotFoundError
        If there is no spool.
    ValueError
        If its header is gone.
    """
    contents = scan(run)
    for line in contents.damage:
        warnings.warn(f"{spool_path(run)}: {line}; it is left out", RuntimeWarning, stacklevel=2)
    return contents.header, contents.records


def main(argv: Sequence[str] | None = None) -> int:
    """Convert a spool in a process of its own; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m vbsense.spool", description="Turn a spool into one HDF5 file.")
    parser.add_argument("action", choices=["finalise", "recover"], help="recover: for a run that was cut off")
    parser.add_argument("run", help="folder of the run")
    parser.add_argument("out", help="HDF5 file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    parser.add_argument("--remove", action="store_true", help="remove the spool once the file is verified (finalise)")
    options = parser.parse_args(argv)
    if options.remove and options.action == "recover":
        parser.error("recover keeps the spool; remove it yourself when you have looked at the file")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RuntimeWarning)
        try:
            if options.action == "recover":
                out = recover(options.run, options.out, overwrite=options.overwrite)
            else:
                out = finalise(options.run, options.out, overwrite=options.overwrite, remove=options.remove)
        except (OSError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    print(out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
