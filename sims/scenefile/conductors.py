"""Conductors of a scene file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vbsense._names import nearest
from vbsense.currents import Bar, Loop, Placed, Polyline, Ribbon, Sum, meander, path, turn, u_shape
from vbsense.sims.scenefile.context import naming
from vbsense.sims.scenefile.key import read_table
from vbsense.sims.scenefile.keys import CONDUCTORS

__all__ = ["BuiltConductor", "build_conductor", "kind_of"]


class BuiltConductor(NamedTuple):
    """A conductor, and the heights between which its parts lie (m)."""

    conductor: Any
    heights: tuple[tuple[float, float], ...]


def kind_of(table: str, values: Any, known: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Kind of a conductor or sensor, and the other keys."""
    if not isinstance(values, Mapping):
        raise ValueError(f"[{table}] is {values!r:.60}; it must be a table: a line [{table}] and keys below it")
    kind = values.get("kind")
    if kind not in known:
        what = "has no kind" if kind is None else f"kind = {kind!r}"
        raise ValueError(f"[{table}] {what}; {nearest(str(kind), known)}")
    return str(kind), {name: value for name, value in values.items() if name != "kind"}


def build_conductor(table: str, given: Any, middle: tuple[float, float], folder: Path) -> BuiltConductor:
    """The conductor of a table, or the sum of a list of tables, with (0, 0) at `middle` (m)."""
    if not isinstance(given, list):
        return _build(table, given, middle, folder)
    if not given:
        raise ValueError(f"[[{table}]] is empty; describe at least one conductor")
    parts = [_build(f"{table} {k + 1}", one, middle, folder) for k, one in enumerate(given)]
    if len(parts) == 1:
        return parts[0]
    return BuiltConductor(Sum(tuple(part.conductor for part in parts)), sum((part.heights for part in parts), ()))


def _build(table: str, given: Any, middle: tuple[float, float], folder: Path) -> BuiltConductor:
    kind, values = kind_of(table, given, CONDUCTORS)
    v = read_table(table, values, CONDUCTORS[kind])
    if v["current"] == 0:
        raise ValueError(f"[{table}] current is 0; give the nominal one: a measurement may switch it off")
    with naming(table):
        conductor = _KINDS[kind](v, middle, folder)
    return BuiltConductor(conductor, ((v["top"] - v.get("thickness", 0.0), v["top"]),))


def _point(place: Any, middle: tuple[float, float], z: float) -> tuple[float, float, float]:
    return place[0] + middle[0], place[1] + middle[1], z


def _half(v: dict[str, Any]) -> float:
    """Height of the middle of the conductor (m)."""
    return float(v["top"] - v["thickness"] / 2)


def _bar(v: dict[str, Any], middle: tuple[float, float], _: Path) -> Any:
    start, end = (_point(v[name], middle, _half(v)) for name in ("start", "end"))
    return Bar(start, end, v["width"], v["thickness"], v["current"])


def _ribbon(v: dict[str, Any], middle: tuple[float, float], _: Path) -> Any:
    start, end = (_point(v[name], middle, v["top"]) for name in ("start", "end"))
    return Ribbon(start, end, v["width"], v["current"])


def _filament(v: dict[str, Any], middle: tuple[float, float], _: Path) -> Any:
    return Polyline(tuple(_point(p, middle, v["top"]) for p in v["vertices"]), v["current"])


def _loop(v: dict[str, Any], middle: tuple[float, float], _: Path) -> Any:
    return Loop(_point(v["center"], middle, v["top"]), v["radius"], v["current"])


def _path(v: dict[str, Any], middle: tuple[float, float], _: Path) -> Any:
    corners = [_point(p, middle, _half(v)) for p in v["vertices"]]
    if v["closed"] and corners and corners[0] != corners[-1]:
        corners.append(corners[0])
    return path(corners, v["width"], v["thickness"], v["current"], closed=v["closed"])


def _placed(shape: Any, v: dict[str, Any], middle: tuple[float, float]) -> Any:
    rotation: Any = turn(v["rotation"])
    return Placed(shape, _point(v["center"], middle, _half(v)), rotation)


def _u_shape(v: dict[str, Any], middle: tuple[float, float], _: Path) -> Any:
    size = {name: v[name] for name in ("separation", "length")}
    return _placed(u_shape(v["width"], v["thickness"], v["current"], **size), v, middle)


def _meander(v: dict[str, Any], middle: tuple[float, float], _: Path) -> Any:
    size = {name: v[name] for name in ("pitch", "length", "legs")}
    return _placed(meander(v["width"], v["thickness"], v["current"], **size), v, middle)


def _drawing(v: dict[str, Any], middle: tuple[float, float], folder: Path) -> Any:
    from vbsense.drawings import read_drawing, solve_current

    file = folder / v["file"]
    if not file.is_file():
        raise ValueError(f'file = "{v["file"]}": {file} does not exist; paths count from where the scene file is')
    drawing = read_drawing(file, **_options(v))
    sheet = solve_current(
        drawing, contacts={"source": v["source"], "drain": v["drain"]}, current=v["current"], pixel_size=v["pixel"],
        thickness=v["thickness"], z=_half(v),
    )  # fmt: skip
    left, low, right, high = drawing.bounds
    drawn = np.array([(left + right) / 2, (low + high) / 2])
    x, y, _ = _point(v["center"], middle, 0.0)
    return Placed(sheet, translation=(x - drawn[0], y - drawn[1], 0.0))


def _options(v: dict[str, Any]) -> dict[str, Any]:
    """Options of the reader of a drawing that the file gives."""
    options = {name: v[name] for name in ("layer", "cell", "unit") if v[name] is not None}
    if Path(v["file"]).suffix.lower() not in (".svg", ".dxf") and "layer" in options:
        try:
            options["layer"] = tuple(int(n) for n in options["layer"].split("/"))
        except ValueError:
            raise ValueError(f'layer = "{options["layer"]}"; write number and data type, for example "1/0"') from None
    for name, endings in (("cell", (".svg", ".dxf")), ("unit", (".gds", ".gdsii", ".gds2", ".oas"))):
        if name in options and Path(v["file"]).suffix.lower() in endings:
            raise ValueError(f"{name} is of no use with a file that ends in {Path(v['file']).suffix}")
    return options


_KINDS = {
    "bar": _bar, "ribbon": _ribbon, "filament": _filament, "loop": _loop, "path": _path, "u_shape": _u_shape,
    "meander": _meander, "drawing": _drawing,
}  # fmt: skip
