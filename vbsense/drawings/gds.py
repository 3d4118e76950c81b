"""Conductors from GDSII and OASIS layouts."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import numpy as np

from vbsense.drawings._extra import existing, need, tolerance_of
from vbsense.drawings._rings import Ring
from vbsense.drawings._tracks import united
from vbsense.drawings.drawing import Drawing

__all__ = ["read_gds"]


def read_gds(
    path: str | Path, *, layer: int | tuple[int, int], cell: str | None = None, tolerance: float = 1e-9
) -> Drawing:
    """One layer of a GDSII or OASIS layout.

    Parameters
    ----------
    path : str or Path
        File; read as OASIS if its name ends in ``.oas``.
    layer : int or (int, int)
        Layer, or layer and data type.
    cell : str, optional
        Cell to read, with all that it refers to; by default the only one at the top.
    tolerance : float, default 1 nm
        Largest distance of curved paths from their chords (m).

    Returns
    -------
    Drawing
        Polygons and paths in metres; the labels are the texts of this layer, of any text type.

    Raises
    ------
    ImportError
        Without gdstk.
    ValueError
        If the file is no layout, the cell is not there or not the only one, the layer is empty, a path has no width,
        or an outline crosses itself.

    Examples
    --------
    >>> import gdstk
    >>> library = gdstk.Library(unit=1e-6, precision=1e-9)
    >>> _ = library.new_cell("chip").add(gdstk.rectangle((0, 0), (10, 2), layer=3), gdstk.Label("in", (0, 1), layer=3))
    >>> _ = library.write_gds("chip.gds")
    >>> strip = read_gds("chip.gds", layer=3)
    >>> np.round(strip.bounds, 9).tolist(), strip.labels
    ([0.0, 0.0, 1e-05, 2e-06], {'in': (0.0, 1e-06)})
    """
    gdstk, file, tolerance = need("gdstk"), existing(path), tolerance_of(tolerance)
    number, kind = _layer(layer)
    library = _library(gdstk, file, tolerance)
    chosen = _cell(library, cell)
    polygons = [p for p in chosen.get_polygons(include_paths=False) if _on(p.layer, p.datatype, number, kind)]
    rings: list[Ring] = [np.array(polygon.points) for polygon in polygons]
    for path_ in chosen.get_paths():
        on = [k for k, tag in enumerate(zip(path_.layers, path_.datatypes, strict=True)) if _on(*tag, number, kind)]
        if on and not (np.atleast_2d(path_.widths())[:, on] > 0).all():
            raise ValueError(f"layer {layer} of cell {chosen.name!r} holds a path without width; give it one, or draw "
                             "its outline")  # fmt: skip
        if on:
            rings += united([path_]) if len(on) == len(path_.layers) else _some(path_, number, kind)
    if not rings:
        raise ValueError(f"layer {layer} of cell {chosen.name!r} is empty; {_layers(chosen)}")
    labels = [(t.text, t.origin) for t in chosen.get_labels() if t.layer == number]
    return Drawing([library.unit * ring for ring in rings], labels=named_places(labels, library.unit))


def named_places(texts: list[tuple[str, Any]], unit: float) -> dict[str, tuple[float, float]]:
    """Labels in metres; one name must not stand at two places."""
    labels: dict[str, tuple[float, float]] = {}
    for text, (x, y, *_) in texts:
        place = float(x * unit), float(y * unit)
        if labels.setdefault(text.strip(), place) != place:
            raise ValueError(f"label {text.strip()!r} stands at {labels[text.strip()]} and at {place} m; rename one")
    return labels


def _layer(layer: Any) -> tuple[int, int | None]:
    numbers = np.atleast_1d(np.asarray(layer))
    if numbers.dtype.kind not in "iu" or numbers.shape not in ((1,), (2,)):
        raise ValueError(f"layer: received {layer!r}; give its number, or (number, data type)")
    return int(numbers[0]), int(numbers[1]) if numbers.size == 2 else None


def _on(layer: int, datatype: int, number: int, kind: int | None) -> bool:
    return layer == number and kind in (None, datatype)


def _library(gdstk: Any, file: Path, tolerance: float) -> Any:
    try:
        if file.suffix.lower() == ".oas":
            return gdstk.read_oas(str(file))
        unit, _ = gdstk.gds_units(str(file))
        return gdstk.read_gds(str(file), tolerance=tolerance / unit)
    except (OSError, RuntimeError, ValueError, ZeroDivisionError) as error:
        raise ValueError(f"path: {str(file)!r} can not be read as a layout ({error})") from error


def _cell(library: Any, name: str | None) -> Any:
    cells = {cell.name: cell for cell in library.cells}
    if not cells:
        raise ValueError("path: the layout holds no cell")
    top = [cell.name for cell in library.top_level()]
    if name is None and len(top) == 1:
        return cells[top[0]]
    if name is None:
        raise ValueError(f"cell: the layout has {len(top)} cells at the top, {', '.join(map(repr, top))}; choose one")
    if name not in cells:
        near = difflib.get_close_matches(name, cells, n=1, cutoff=0.0)[0]
        raise ValueError(f"cell: there is no {name!r} (nearest: {near!r}); the top cells are {', '.join(top)}")
    return cells[name]


def _layers(cell: Any) -> str:
    tags = {(p.layer, p.datatype) for p in cell.get_polygons()}
    found = ", ".join(f"{layer} (data type {kind})" for layer, kind in sorted(tags))
    return f"the layers with conductors are {found}" if tags else "the cell has no polygons at all"


def _some(path: Any, number: int, kind: int | None) -> list[Ring]:
    """Of a path with several parallel elements those on the layer."""
    return [np.array(p.points) for p in path.to_polygons() if _on(p.layer, p.datatype, number, kind)]
