"""Conductors from SVG drawings."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vbsense.drawings._extra import existing, need, tolerance_of, unit_of
from vbsense.drawings._rings import Ring, check_ring, crossing_rings, is_line, signed_area, wound
from vbsense.drawings._tracks import track
from vbsense.drawings.drawing import Drawing
from vbsense.drawings.gds import named_places

__all__ = ["read_svg"]

# CSS: one inch is 96 px, 72 pt, 6 pc
_PHYSICAL = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "q": 0.25e-3, "in": 25.4e-3, "pt": 25.4e-3 / 72, "pc": 25.4e-3 / 6}
_LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
_JOINS = {"miter": "natural", "round": "round", "bevel": "bevel"}
_ENDS = {"butt": "flush", "round": "round", "square": "extended"}


def read_svg(
    path: str | Path, *, layer: str | None = None, unit: float | None = None, tolerance: float = 1e-9
) -> Drawing:
    """The painted shapes of an SVG drawing.

    What is filled is conductor, whatever its colour (white as well), by its fill rule, and so is every stroke over its
    width. The y axis, which points down in SVG, is turned up: the lower left corner of the view box is the origin.

    Parameters
    ----------
    path : str or Path
        File.
    layer : str, optional
        Id or Inkscape label of a group; by default the whole drawing.
    unit : float, optional
        Metres of one user unit; by default from the width of the page, if that is given in mm, cm, in, pt or the like.
    tolerance : float, default 1 nm
        Largest distance of curves from their chords (m).

    Returns
    -------
    Drawing
        In metres; the labels are the texts.

    Raises
    ------
    ImportError
        Without svgelements (or gdstk, for strokes).
    ValueError
        If the file is no SVG, its unit is not known, nothing is painted, outlines cross themselves or each other, one
        SVG is nested in another, or the page stretches x and y differently.

    Warns
    -----
    UserWarning
        If a shape is clipped or masked: it is read as a whole.

    Examples
    --------
    >>> from pathlib import Path
    >>> page = '<svg xmlns="http://www.w3.org/2000/svg" width="20mm" height="10mm" viewBox="0 0 20 10">'
    >>> _ = Path("chip.svg").write_text(page + '<rect x="5" y="1" width="10" height="2"/></svg>')
    >>> np.round(read_svg("chip.svg").bounds, 9).tolist()      # 1 mm below the top of the page is 9 mm above its foot
    [0.005, 0.007, 0.015, 0.009]
    """
    elements, file = need("svgelements"), existing(path)
    try:
        page = elements.SVG.parse(str(file), reify=False)
    except Exception as error:  # whatever the parser of XML raises
        raise ValueError(f"path: {str(file)!r} can not be read as SVG ({error})") from error
    view = elements.Matrix(page.viewbox_transform or "")
    if abs(abs(view.a) - abs(view.d)) > 1e-6 * abs(view.a):
        raise ValueError(f"the page of {str(file)!r} stretches x by {view.a:.6g} and y by {view.d:.6g}; make its width "
                         "and height fit the viewBox")  # fmt: skip
    scale = unit_of(unit) or _unit(page, view)
    if scale is None:
        raise ValueError(f"unit: the page of {str(file)!r} has no width in mm, in or the like; give the metres of one "
                         "unit of the drawing, for example unit=1e-6")  # fmt: skip
    to_metres = _to_metres(page, ~view, scale)
    outlines: list[Ring] = []
    holes: list[Ring] = []
    texts = []
    for element in _shapes(elements, _group(elements, page, layer)):
        if isinstance(element, elements.Text):
            if element.text and element.text.strip():
                at = element.transform.point_in_matrix_space((element.x, element.y))
                texts.append((element.text, to_metres(np.array([[at.x, at.y]]))[0]))
            continue
        filled, empty = _painted(elements, element, to_metres, scale, view, tolerance_of(tolerance))
        outlines += filled
        holes += empty
    if not outlines:
        where = f"group {layer!r}" if layer else f"{str(file)!r}"
        raise ValueError(f"{where} paints nothing; give shapes a fill, or a stroke with a width")
    return Drawing(outlines, holes, named_places(texts, 1.0))


def _unit(page: Any, view: Any) -> float | None:
    """Metres of a user unit, from the size of the page."""
    given = page.values["attributes"].get("width", "")
    size = re.fullmatch(r"\s*([-+.\deE]+?)\s*([a-zA-Z]+)\s*", str(given))
    if not size or size[2].lower() not in _PHYSICAL:
        return None
    pixels = float(page.width)  # what the parser makes of the width, at 96 to the inch or nearly so
    return float(size[1]) * _PHYSICAL[size[2].lower()] / pixels * abs(view.a)


def _to_metres(page: Any, from_page: Any, scale: float) -> Any:
    height = page.viewbox.height + page.viewbox.y if page.viewbox is not None and page.viewbox.height else page.height
    left = page.viewbox.x if page.viewbox is not None and page.viewbox.x else 0.0
    a, b, c, d, e, f = (getattr(from_page, name) for name in "abcdef")

    def convert(points: Ring) -> Ring:
        x, y = points.T
        return scale * np.column_stack([a * x + c * y + e - left, height - (b * x + d * y + f)])

    return convert


def _group(elements: Any, page: Any, layer: str | None) -> Any:
    if layer is None:
        return page
    names = {}
    for group in page.select(lambda element: isinstance(element, elements.Group)):
        own = group.values.get("attributes", {})
        names.update({name: group for name in (own.get("id"), own.get(_LABEL)) if name})
    if layer not in names:
        raise ValueError(f"layer {layer!r} is not in the drawing; its groups are "
                         f"{', '.join(map(repr, sorted(names))) or 'without names: leave layer out'}")  # fmt: skip
    return names[layer]


def _shapes(elements: Any, group: Any) -> Iterator[Any]:
    """Shapes and texts in the order of the drawing."""
    for element in group:
        attributes = element.values.get("attributes", {})
        if isinstance(element, elements.SVG) or attributes.get("tag") == "svg":
            raise ValueError("the drawing has an <svg> inside its <svg>; unite them in the drawing")
        if any(attributes.get(name, "none") != "none" for name in ("clip-path", "mask")):
            warnings.warn(
                f"a {attributes.get('tag', 'shape')} is clipped or masked, which is not read: all of it is taken",
                UserWarning,
                stacklevel=2,
            )
        if isinstance(element, (elements.Group, elements.Use)):
            yield from _shapes(elements, element)
        elif isinstance(element, (elements.Shape, elements.Text)):
            if element.values.get("visibility") not in ("hidden", "collapse"):
                yield element
        elif not isinstance(group, elements.Use) and attributes.get("tag") == "symbol":
            # The parser puts the shapes of a symbol beside it, as if they were drawn.
            raise ValueError("the drawing has a <symbol> outside <defs>; move it into <defs>, or unlink its clones")


def _paints(colour: Any) -> bool:
    return colour is not None and colour.value is not None and colour.opacity != 0


def _painted(
    elements: Any, element: Any, to_metres: Any, scale: float, view: Any, tolerance: float
) -> tuple[list[Ring], list[Ring]]:
    """Outlines and holes of one element: its fill, and its stroke."""
    shape = elements.Path(element)
    shape.reify()
    lines = [(to_metres(_flatten(elements, part, tolerance / scale * abs(view.a))), _is_closed(elements, part))
             for part in map(elements.Path, shape.as_subpaths())]  # fmt: skip
    lines = [(line, closed) for line, closed in lines if len(line) > 1]
    outlines: list[Ring] = []
    holes: list[Ring] = []
    width = _stroke_width(element, scale, view)
    if _paints(element.fill):
        areas = [line for line, _ in lines if not is_line(line)]
        if not areas and not width:
            raise ValueError(f"a {type(element).__name__} encloses no area and has no stroke; give it a stroke width")
        outlines, holes = _filled(areas, element.values.get("fill-rule", "nonzero"))
    for line, closed in lines if width else []:
        join = _JOINS.get(element.values.get("stroke-linejoin", "miter"), "natural")
        end = _ENDS.get(element.values.get("stroke-linecap", "butt"), "flush")
        outlines += track(line, width, closed=closed, join=join, end=end, tolerance=tolerance)
    return outlines, holes


def _stroke_width(element: Any, scale: float, view: Any) -> float:
    if not _paints(element.stroke) or not element.stroke_width:
        return 0.0
    matrix = element.transform
    stretch = np.linalg.svd([[matrix.a, matrix.c], [matrix.b, matrix.d]], compute_uv=False)
    if stretch[0] > 1.001 * stretch[1]:
        raise ValueError("a stroke is stretched unevenly by the transform of its shape; turn it into an outline")
    return float(element.stroke_width) * float(stretch[0]) / abs(view.a) * scale


def _flatten(elements: Any, path: Any, tolerance: float) -> Ring:
    points: list[Any] = []
    for segment in path:
        if isinstance(segment, (elements.Move, elements.Close)):
            points += [segment.end] if isinstance(segment, elements.Move) else []
        elif isinstance(segment, elements.Line):
            points.append(segment.end)
        else:
            points += _curve(segment, tolerance)[1:]
    return np.array([(point[0], point[1]) for point in points], dtype=float).reshape(-1, 2)


def _curve(segment: Any, tolerance: float) -> list[Any]:
    """Points along a curve, ever more until the middle of no chord is farther from it than the tolerance."""
    pieces = 8
    while True:
        points = [segment.point(t) for t in np.linspace(0, 1, 2 * pieces + 1).tolist()]
        fine = np.array([(point[0], point[1]) for point in points])
        if np.linalg.norm(fine[1::2] - (fine[:-1:2] + fine[2::2]) / 2, axis=1).max() < tolerance or pieces > 10_000:
            return points
        pieces *= 2


def _is_closed(elements: Any, path: Any) -> bool:
    return any(isinstance(segment, elements.Close) for segment in path)


def _filled(areas: list[Ring], rule: str) -> tuple[list[Ring], list[Ring]]:
    """Outlines and holes by the fill rule of SVG: what the windings of all rings around a place add up to."""
    rings = [check_ring("a shape", ring) for ring in areas]
    crossing = crossing_rings(rings)
    if crossing is not None:
        raise ValueError(f"parts of one path cross at ({crossing[0]:.6g}, {crossing[1]:.6g}) m, which leaves open what "
                         "is inside; unite them in the drawing")  # fmt: skip
    outlines: list[Ring] = []
    holes: list[Ring] = []
    for index, ring in enumerate(rings):
        around = sum(wound(other, ring) for k, other in enumerate(rings) if k != index)
        within = around + (1 if signed_area(ring) > 0 else -1)
        before, after = (around % 2, within % 2) if rule == "evenodd" else (around, within)
        if not before and after:
            outlines.append(ring)
        elif before and not after:
            holes.append(ring)
    return outlines, holes
