"""``vbsense recover``: the spool of a run that was cut off becomes a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from vbsense.cli.options import refuse_existing


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "recover",
        help="turn the spool of an interrupted run into a file",
        description="Every frame committed before the run was cut off goes into the file; damaged ones are named.",
    )
    parser.add_argument("folder", metavar="RUN", help="run folder")
    parser.add_argument("out", metavar="OUT.h5", nargs="?", help="file to write (default: RUN/recovered.h5)")
    parser.add_argument("--force", action="store_true", help="replace OUT.h5")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Recover and say what was found."""
    import warnings

    from vbsense import files, spool

    folder = Path(args.folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run folder {folder}; give the folder of the spool")
    out = refuse_existing(args.out or folder / "recovered.h5", args.force)
    with warnings.catch_warnings(record=True) as damage:
        warnings.simplefilter("always")
        spool.recover(folder, out, overwrite=args.force)
    for warning in damage:
        print(f"vbsense: note: {warning.message}")
    sweep = files.load(out)
    state = "complete" if sweep.attrs.get("complete") else "partial"
    print(f"{out}: {state}, up to {sweep.attrs.get('frames')} frames a point")
    return 0
