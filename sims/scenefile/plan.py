"""Scenes and their measurements from TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vbsense.layout import check_frequency
from vbsense.sims.scenefile.build import build_scene, check_tables
from vbsense.sims.scenefile.context import naming
from vbsense.sims.scenefile.key import read_table
from vbsense.sims.scenefile.keys import TABLES

__all__ = ["Measurement", "ScenePlan", "load_scene", "rebuild", "scene_from_text"]


@dataclass(frozen=True, eq=False)
class Measurement:
    """What is measured of a scene, in the words of `simulate_sweep`.

    Parameters
    ----------
    frequency : ndarray, (nf,)
        Ascending (Hz).
    exposure : float
        Of one frame (s).
    power : float
        Microwave power at the source (dBm).
    averages : int
        Frames averaged into each point.
    currents : (float, float) or None
        +I and -I (A); None for one sweep at the conductor's own current.
    reference : bool
        Expose every point with the drive off as well.
    order : {"palindrome", "up"}
        Of the frequencies in time on a rig; `simulate_sweep` always goes up.
    seed : int
        Of the camera's noise.

    Examples
    --------
    >>> grid = np.linspace(2.97e9, 3.97e9, 3)
    >>> Measurement(grid, exposure=1.0, power=15.0, averages=4, currents=(1e-3, -1e-3)).order
    'palindrome'
    """

    frequency: np.ndarray
    exposure: float
    power: float
    averages: int = 1
    currents: tuple[float, float] | None = None
    reference: bool = False
    order: str = "palindrome"
    seed: int = 0


@dataclass(frozen=True, eq=False)
class ScenePlan:
    """A scene and what is measured of it, as a scene file says.

    Parameters
    ----------
    scene : ArrayScene or LayerScene
    measurement : Measurement
    title : str
        For people.

    Examples
    --------
    >>> from vbsense import sims
    >>> plan = ScenePlan(sims.gold_wire_nanoarray(), Measurement(np.array([3.2e9]), exposure=0.1, power=15.0))
    >>> plan.scene.shape
    (80, 80)
    """

    scene: Any
    measurement: Measurement
    title: str = ""


def load_scene(path: str | Path, *, overrides: Mapping[str, Any] | None = None) -> ScenePlan:
    """Read a scene file.

    Parameters
    ----------
    path : path-like
        A TOML file; `vbsense.sims.scenefile.reference` lists its keys.
    overrides : mapping, optional
        Values in place of those of the file, by table and key: ``{"microscope.shape": [64, 64]}``.

    Returns
    -------
    ScenePlan
        With ``.scene`` and ``.measurement``. The scene has a recipe, so that the simulated rig can build it anew.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If something in it is wrong; the message names file, table, key, value and remedy.

    Examples
    --------
    >>> from vbsense import sims
    >>> plan = sims.load_scene("station.toml")                       # doctest: +SKIP
    >>> sweep = sims.simulate_sweep(plan.scene, plan.measurement.frequency, exposure=0.1)  # doctest: +SKIP
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give the name of a scene file")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give a scene file, for example {path / 'scene.toml'}")
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error.reason}); a scene file is a TOML text") from error
    try:
        return scene_from_text(text, folder=path.parent, overrides=overrides)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def scene_from_text(text: str, *, folder: str | Path = ".", overrides: Mapping[str, Any] | None = None) -> ScenePlan:
    """The plan of the text of a scene file.

    Parameters
    ----------
    text : str
        TOML.
    folder : path-like
        Where files that the text names are looked for.
    overrides
        As for `load_scene`.

    Examples
    --------
    >>> scene_from_text("[sensor]")
    Traceback (most recent call last):
    ...
    ValueError: the table [conductor] is missing; `vbsense simulate --keys` shows what it may hold
    """
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        twice = "overwrite" in str(error) or "twice" in str(error)
        hint = "a key or table stands here a second time" if twice else "texts with units need quotes"
        raise ValueError(f"this is not TOML: {error}; {hint}") from error
    folder, changes = Path(folder).absolute(), dict(overrides or {})
    for name, value in changes.items():
        _override(given, name, value)
    check_tables(given)
    # The text itself, not the name of the file: the file may have changed when somebody builds the scene anew.
    recipe = f"{__name__}:rebuild", {"text": text, "folder": str(folder), "overrides": changes}
    scene = build_scene(given, folder, recipe)
    title = read_table("scene", given.get("scene", {}), TABLES["scene"])["title"]
    return ScenePlan(scene, _measurement(given.get("measurement", {}), scene.conductor.current), title)


def rebuild(text: str, folder: str, overrides: Mapping[str, Any]) -> Any:
    """The scene of a recipe."""
    return scene_from_text(text, folder=folder, overrides=overrides).scene


def _override(given: dict[str, Any], name: str, value: Any) -> None:
    """Set ``table.key``, or ``conductor.0.key`` of the first of several conductors."""
    *tables, key = name.split(".")
    if not tables:
        raise ValueError(f"override {name!r} names no table; write for example microscope.shape")
    place: Any = given
    for table in tables:
        try:
            place = place[int(table)] if isinstance(place, list) else place.setdefault(table, {})
        except (ValueError, IndexError):
            raise ValueError(f"override {name!r}: there are {len(place)} of these; name one by its number") from None
    if not isinstance(place, dict):
        raise ValueError(f"override {name!r}: {'.'.join(tables)} is no table")
    place[key] = value


def _measurement(given: Any, nominal: float) -> Measurement:
    v = read_table("measurement", given, TABLES["measurement"])
    with naming("measurement"):
        frequency = _grid(v, given)
        current = abs(nominal) if v["current"] is None else v["current"]
        if v["current"] is not None and not v["polarities"]:
            raise ValueError(
                "current is given, but polarities = false measures at the current of the conductor: give it there"
            )
    return Measurement(
        frequency, v["exposure"], v["power"], v["averages"], (current, -current) if v["polarities"] else None,
        v["reference"], v["order"], v["seed"],
    )  # fmt: skip


def _grid(v: dict[str, Any], given: Mapping[str, Any]) -> np.ndarray:
    if v["frequencies"] is None:
        if v["points"] > 1 and not v["first"] < v["last"]:
            raise ValueError(f"first is {v['first']:.6g} and last {v['last']:.6g} Hz; first must be below last")
        return np.linspace(v["first"], v["last"], v["points"])
    both = [name for name in ("first", "last", "points") if name in given]
    if both:
        raise ValueError(f"frequencies and {both[0]} are both given; give the list, or first, last and points")
    return check_frequency(v["frequencies"])
