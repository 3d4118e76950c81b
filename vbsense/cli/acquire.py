"""``vbsense acquire``: a sweep through the drivers, for now on the simulated rig."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

from vbsense.cli.options import plain_warnings, refuse_existing
from vbsense.cli.scenes import add_scene_options, plan_of


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "acquire",
        help="measure a sweep through the instrument drivers",
        description="Measure a sweep: microwave list steps on the camera's exposures, +I and -I, up and down, or as "
        "the scene file says. Every frame goes to a spool on disk first; `vbsense recover` makes a file of a run that "
        "was cut off.",
    )
    parser.add_argument(
        "--simulated", metavar="SCENE", required=True, help="on a simulated rig that looks at this scene file or preset"
    )
    parser.add_argument("out", metavar="OUT.h5", help="file to write")
    parser.add_argument("--run", dest="folder", metavar="DIR", help="folder of the spool (default: OUT.run)")
    parser.add_argument("--keep-run", action="store_true", help="keep the spool after the file is verified")
    parser.add_argument("--force", action="store_true", help="replace OUT.h5")
    add_scene_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Acquire, then move the verified file to its place."""
    out = refuse_existing(args.out, args.force)
    folder = Path(args.folder) if args.folder else out.with_suffix(".run")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} holds an earlier run; save it with `vbsense recover {folder} OUT.h5`, or give another --run"
        )
    off = args.current == 0  # unlike a simulated sweep, one on the rig may leave the current off
    args.current = None if off else args.current
    with plain_warnings():
        scene, _, measured = plan_of(args.simulated, args)
        grid, pair = measured.pop("frequency"), measured.pop("currents")
        currents = () if off else pair or (scene.conductor.current,)
        sweep = measure(scene, grid, folder, out, keep_run=args.keep_run, currents=currents, **measured)
    print(f"{out}: {', '.join(f'{n} {d}' for d, n in sweep['signal'].sizes.items())}")
    return 0


def measure(
    scene: Any, frequency: Any, folder: Path, out: Path, *, seed: int, order: str = "palindrome",
    keep_run: bool = False, **plan: Any,
) -> Any:  # fmt: skip
    """One sweep of `scene` through the drivers, up and down by default; its verified file ends up as `out`.

    Parameters
    ----------
    scene : Scene
        What the simulated rig looks at.
    frequency : ndarray, (n,)
        Ascending (Hz).
    folder, out : Path
        Of the spool, and the file to write.
    seed : int
        Of the noise.
    order : {"palindrome", "up"}
        Of the frequencies in time.
    keep_run : bool
        Keep the spool.
    **plan
        As in `vbsense.instruments.odmr_sweep`.

    Returns
    -------
    xarray.Dataset
        The sweep.
    """
    from vbsense import instruments

    with instruments.simulated_rig(scene, seed=seed) as rig:
        sweep = instruments.odmr_sweep(rig, frequency, run=folder, order=order, **plan)
    os.replace(folder / "sweep.h5", out)
    # The file was read back and verified before this: only now may the spool go.
    if not keep_run:
        shutil.rmtree(folder)
    return sweep
