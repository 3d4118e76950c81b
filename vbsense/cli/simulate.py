"""``vbsense simulate``: a scene through the camera, without instruments."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vbsense.cli.options import picture, plain_warnings, refuse_existing
from vbsense.cli.scenes import add_scene_options, plan_of

_WHOLE = 1 << 20  # pixels of a picture that is looked at before the sweep

DESCRIPTION = """\
Expose a scene at every frequency and write the sweep, block by block.
SCENE is a scene file (TOML), or the name of a preset: gold_wire_nanoarray. The options below win over
the [measurement] of a scene file; their defaults are those of a preset. `--keys` prints what a scene
file may hold; examples lie in examples/scenes."""


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "simulate", help="make a synthetic sweep", description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("scene", metavar="SCENE", help="a scene file, or gold_wire_nanoarray")
    parser.add_argument("out", metavar="OUT.h5", help="file to write")
    parser.add_argument("--force", action="store_true", help="replace OUT.h5")
    parser.add_argument("--keys", action=_ShowKeys, help="print all keys of a scene file and exit")
    parser.add_argument("--plot", metavar="PICTURE.png", help="draw light, true field and a spectrum")
    add_scene_options(parser)
    parser.set_defaults(run=run)


class _ShowKeys(argparse.Action):
    """Like --help: prints and exits, whatever else is given."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from vbsense.sims.scenefile import reference

        print(reference(), end="")
        parser.exit()


def run(args: argparse.Namespace) -> int:
    """Simulate and save."""
    from vbsense import sims

    out = refuse_existing(args.out, args.force)
    plot = picture(args.plot, "--plot", args.force)
    with plain_warnings():
        scene, _, measured = plan_of(args.scene, args)
        del measured["order"]
        _warn_of_full_pixels(scene, measured)
        start = time.perf_counter()
        sweep = sims.simulate_sweep(
            scene, rng=measured.pop("seed"), **measured, path=out, overwrite=args.force, progress=True
        )
    sizes = ", ".join(f"{n} {d}" for d, n in sweep["signal"].sizes.items())
    megabytes = out.stat().st_size / 1e6
    print(f"{out}: {sizes}; {megabytes:.1f} MB in {time.perf_counter() - start:.1f} s")
    if plot is not None:
        _draw(scene, sweep, plot)
    sweep.close()
    return 0


def _warn_of_full_pixels(scene: Any, measured: dict[str, Any]) -> None:
    """Hours of a saturated camera are better known before; of huge pictures only the sweep tells."""
    from vbsense.sims.forecasts.unmixed import full_pixels

    plan = SimpleNamespace(exposure=measured["exposure"], power=measured["power"])
    if scene.shape[0] * scene.shape[1] <= _WHOLE and plan.exposure > 0:
        for note in full_pixels(scene, plan):
            warnings.warn(note, UserWarning, stacklevel=2)


def _draw(scene: Any, sweep: Any, picture: Path) -> None:
    from matplotlib.figure import Figure

    from vbsense.sims.sceneplot import overview

    figure = Figure(figsize=(15, 4.2), layout="constrained")
    overview(scene, sweep, figure)
    figure.savefig(picture, dpi=110)
    print(f"{picture}: light, true field, a spectrum")
