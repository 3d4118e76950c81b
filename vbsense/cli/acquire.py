"""``vbsense acquire``: a sweep through the drivers, for now on the simulated rig."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from vbsense.cli.options import add_measurement, frequencies, refuse_existing


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "acquire",
        help="measure a sweep through the instrument drivers",
        description="Measure a sweep: microwave list steps on the camera's exposures, +I and -I, up and down. "
        "Every frame goes to a spool on disk first; `vbsense recover` makes a file of a run that was cut off.",
    )
    parser.add_argument(
        "--simulated", metavar="SCENE", required=True, help="on a simulated rig that looks at this preset"
    )
    parser.add_argument("out", metavar="OUT.h5", help="file to write")
    parser.add_argument("--run", dest="folder", metavar="DIR", help="folder of the spool (default: OUT.run)")
    parser.add_argument("--keep-run", action="store_true", help="keep the spool after the file is verified")
    parser.add_argument("--force", action="store_true", help="replace OUT.h5")
    add_measurement(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Acquire, then move the verified file to its place."""
    from vbsense import instruments, sims

    out = refuse_existing(args.out, args.force)
    folder = Path(args.folder) if args.folder else out.with_suffix(".run")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} holds an earlier run; save it with `vbsense recover {folder} OUT.h5`, or give another --run"
        )
    grid = frequencies(args.frequencies)
    scene = sims.preset(args.simulated, current=abs(args.current) or 1e-3)
    with instruments.simulated_rig(scene, seed=args.seed) as rig:
        sweep = instruments.odmr_sweep(
            rig, grid, run=folder, exposure=args.exposure, power=args.power, averages=args.averages,
            currents=(args.current, -args.current) if args.current else (), order="palindrome",
        )  # fmt: skip
    os.replace(folder / "sweep.h5", out)
    if not args.keep_run:
        shutil.rmtree(folder)
    print(f"{out}: {', '.join(f'{n} {d}' for d, n in sweep['signal'].sizes.items())}")
    return 0
