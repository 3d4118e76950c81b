"""A scene by name or from a file, and what is measured of it: one reading for simulate, forecast and acquire."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from vbsense.cli.options import add_measurement, frequencies

__all__ = ["add_scene_options", "plan_of"]

# What is measured of a preset, unless options say otherwise.
PRESET = {"exposure": 1.0, "power": 15.0, "averages": 4, "reference": False, "order": "palindrome", "seed": 0}
CURRENT, GRID = 1e-3, ["2.97GHz", "3.97GHz", "81"]


def add_scene_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that win over what a scene file says; their defaults are those of a preset."""
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="TABLE.KEY=VALUE",
        help="in place of the scene file's, as TOML: microscope.shape=[64,64], sensor.standoff='50 nm'",
    )  # fmt: skip
    add_measurement(parser)
    # What is not given here is left to the scene file.
    parser.set_defaults(**dict.fromkeys(("frequencies", "exposure", "power", "current", "averages", "seed")))


def plan_of(name: str, args: argparse.Namespace) -> tuple[Any, str, dict[str, Any]]:
    """Scene, title, and the measurement: of the file or the preset, then of the options.

    Parameters
    ----------
    name : str
        Path of a scene file, or name of a preset.
    args : argparse.Namespace
        With the options of `add_scene_options`.

    Returns
    -------
    scene : Scene
    title : str
    measurement : dict
        frequency, exposure, power, averages, currents, reference, order (of a rig) and seed.
    """
    scene, title, measured = _of_file(name, args.changes) if _is_file(name) else _of_preset(name, args)
    for option in ("exposure", "power", "averages", "seed"):
        if getattr(args, option, None) is not None:
            measured[option] = getattr(args, option)
    if args.frequencies is not None:
        measured["frequency"] = frequencies(args.frequencies)
    if args.current is not None:
        if args.current == 0:
            raise ValueError("--current 0A: without a current there is nothing to compare; give one, for example 1mA")
        measured["currents"] = (abs(args.current), -abs(args.current))
    return scene, title, measured


def _is_file(name: str) -> bool:
    from vbsense.sims.presets import PRESETS

    return name not in PRESETS and (Path(name).suffix != "" or Path(name).exists() or len(Path(name).parts) > 1)


def _of_file(name: str, changes: list[str]) -> tuple[Any, str, dict[str, Any]]:
    from vbsense import sims

    plan = sims.load_scene(name, overrides=_overrides(changes))
    names = ("frequency", "exposure", "power", "averages", "currents", "reference", "order", "seed")
    return plan.scene, plan.title or Path(name).name, {key: getattr(plan.measurement, key) for key in names}


def _of_preset(name: str, args: argparse.Namespace) -> tuple[Any, str, dict[str, Any]]:
    from vbsense import sims

    if args.changes:
        raise ValueError(f"--set {args.changes[0]} is for scene files; {name} is a preset")
    current = abs(args.current or CURRENT)
    scene = sims.preset(name, current=current)
    return scene, name, PRESET | {"frequency": frequencies(GRID), "currents": (current, -current)}


def _overrides(texts: list[str]) -> dict[str, Any]:
    """Overrides of ``--set table.key=value``, the value as TOML; a text may stand without quotes."""
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or "." not in name.strip("."):
            raise ValueError(f"--set {text!r}: write TABLE.KEY=VALUE, for example microscope.shape=[64,64]")
        try:
            changes[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            changes[name.strip()] = value.strip()
    return changes
