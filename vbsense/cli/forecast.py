"""``vbsense forecast``: what a measurement will reach, before the microscope is switched on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vbsense.cli.options import picture, plain_warnings, quantity, refuse_existing
from vbsense.cli.scenes import add_scene_options, plan_of

# A target's unit says what is wanted, unless it is named: 1uT, current=2uA, width=5nm.
_NAMES = {"T": "field", "A": "current", "m": "standoff"}


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "forecast",
        help="what a measurement will reach, before it is made",
        description="Errors per site, better frequencies, the price of unmixing, errors of the conductor, and times.",
    )
    parser.add_argument("scene", metavar="SCENE", help="scene file (.toml), or name of a preset: gold_wire_nanoarray")
    parser.add_argument(
        "--target", action="append", default=[], type=target, metavar="E",
        help="wanted error: 1uT of Bz per site, 1uA of the current, 2nm of the stand-off, or named: width=5nm; may be "
        "repeated",
    )  # fmt: skip
    parser.add_argument("--out", metavar="X.json", help="numbers of every site, SI units")
    parser.add_argument("--plot", metavar="X.png", help="picture: .png, .pdf or .svg")
    parser.add_argument("--model", default="gaussian", help="line shape of the fit to come (default gaussian)")
    parser.add_argument("--force", action="store_true", help="replace the files")
    add_scene_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Predict, print, save."""
    from vbsense import sims

    out, plot = _table(args.out, args.force), picture(args.plot, "--plot", args.force)
    with plain_warnings():
        scene, title, measured = plan_of(args.scene, args)
        names = ("frequency", "exposure", "power", "averages", "currents", "reference")
        wanted = {name: measured[name] for name in names}
        plan = sims.forecast(scene, model=args.model, target=dict(args.target) or None, name=title, **wanted)
    print(plan)
    if out:
        out.write_text(json.dumps(plan.to_dict(), indent=1) + "\n", encoding="utf-8")
        print(f"\n{out}: numbers of {plan.error.size} sites")
    if plot:
        from vbsense.sims.forecasts.picture import figure

        figure(plan).savefig(plot, dpi=130)
        print(f"{plot}: picture")
    return 0


def target(text: str) -> tuple[str, float]:
    """A type for argparse: what is wanted, and how well.

    Examples
    --------
    >>> target("1uT"), target("width=5nm")
    (('field', 1e-06), ('width', 5e-09))
    """
    from vbsense.sims.forecasts import TARGETS

    name, equals, number = text.rpartition("=")
    unit = TARGETS.get(name, "") if equals else next((u for u in _NAMES if number.strip().endswith(u)), "")
    if not unit:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no target; write an error of field, current or stand-off with its unit (1uT, 1uA, 2nm), or "
            f"name it: {', '.join(f'{n}=1u{u}' for n, u in TARGETS.items())}"
        )
    value = quantity(unit)(number)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not positive")
    return name or _NAMES[unit], value


def _table(path: str | None, force: bool) -> Path | None:
    if path is None:
        return None
    out = refuse_existing(path, force)
    if out.suffix.lower() != ".json":
        raise ValueError(f"--out: {out.name!r} does not end in .json")
    return out
