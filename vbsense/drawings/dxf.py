"""Conductors from DXF drawings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vbsense.drawings._dxf_lines import hatch_lines, line_of
from vbsense.drawings._extra import existing, need, tolerance_of, unit_of
from vbsense.drawings._rings import Ring, check_ring, crossing_rings, nested
from vbsense.drawings._tracks import track
from vbsense.drawings.drawing import Drawing
from vbsense.drawings.gds import named_places

__all__ = ["read_dxf"]

# $INSUNITS of the DXF reference: metres
UNITS = {1: 25.4e-3, 2: 0.3048, 4: 1e-3, 5: 1e-2, 6: 1.0, 8: 25.4e-9, 9: 25.4e-6, 10: 0.9144, 11: 1e-10, 12: 1e-9,
         13: 1e-6, 14: 0.1}  # fmt: skip
_OUTLINES = ("LWPOLYLINE", "POLYLINE", "CIRCLE", "ELLIPSE", "SPLINE", "LINE", "ARC", "SOLID", "TRACE")


def read_dxf(path: str | Path, *, layer: str, unit: float | None = None, tolerance: float = 1e-9) -> Drawing:
    """One layer of a DXF drawing.

    Closed outlines are filled, also those that merely end where they begin; one inside another is a hole, as in a ring
    drawn with two circles. A polyline with a width is a trace, a hatch its area. Blocks are resolved.

    Parameters
    ----------
    path : str or Path
        File.
    layer : str
        Name of the layer, in either case.
    unit : float, optional
        Metres of one unit of the drawing; by default as its header says (``$INSUNITS``).
    tolerance : float, default 1 nm
        Largest distance of curves from their chords (m). Arcs among the edges of a hatch err by 3e-4 of their radius.

    Returns
    -------
    Drawing
        In metres; the labels are the texts of this layer, at the points by which they are placed.

    Raises
    ------
    ImportError
        Without ezdxf (or gdstk, for polylines with a width).
    ValueError
        If the file is no DXF, its unit is not known, the layer is empty, a line is open and has no width, or outlines
        cross themselves or each other.

    Examples
    --------
    >>> import ezdxf
    >>> document = ezdxf.new(units=13)                         # um
    >>> outline = [(0, 0), (10, 0), (10, 2), (0, 2)]
    >>> _ = document.modelspace().add_lwpolyline(outline, close=True, dxfattribs={"layer": "gold"})
    >>> document.saveas("chip.dxf")
    >>> [round(edge, 9) for edge in read_dxf("chip.dxf", layer="gold").bounds]
    [0.0, 0.0, 1e-05, 2e-06]
    """
    ezdxf, file = need("ezdxf"), existing(path)
    try:
        document = ezdxf.readfile(file)
    except (OSError, ezdxf.DXFError, UnicodeDecodeError) as error:
        raise ValueError(f"path: {str(file)!r} can not be read as DXF ({error})") from error
    scale = unit_of(unit) or UNITS.get(document.units)
    if scale is None:
        raise ValueError(f"unit: {str(file)!r} does not say its unit; give the metres of one, for example unit=1e-6")
    everything = list(_flat(document.modelspace()))
    chosen = [entity for name, entity in everything if name.casefold() == str(layer).casefold()]
    texts = [_text(e) for e in chosen if e.dxftype() in ("TEXT", "MTEXT")]
    shapes = [e for e in chosen if e.dxftype() not in ("TEXT", "MTEXT")]
    if not shapes:
        known = ", ".join(repr(name) for name in sorted({name for name, _ in everything})) or "none"
        raise ValueError(f"layer {layer!r} is empty; the layers with entities are {known}")
    outlines, holes = _areas(shapes, scale, tolerance_of(tolerance))
    return Drawing(outlines, holes, named_places(texts, scale))


def _flat(entities: Any, inherited: str | None = None) -> Iterator[tuple[str, Any]]:
    """All entities with their layers, blocks resolved: what lies on layer 0 of a block is on that of its insertion."""
    for entity in entities:
        layer = inherited if inherited and entity.dxf.layer == "0" else entity.dxf.layer
        if entity.dxftype() != "INSERT":
            yield layer, entity
            continue
        for insert in entity.multi_insert() if entity.mcount > 1 else [entity]:
            yield from _flat(insert.virtual_entities(), layer)


def _text(entity: Any) -> tuple[str, Any]:
    """What a text says, and the point by which it is placed."""
    if entity.dxftype() == "MTEXT":
        return entity.plain_text(), entity.dxf.insert
    _, point, _ = entity.get_placement()
    return entity.dxf.text, entity.ocs().to_wcs(point)


def _areas(shapes: list[Any], scale: float, tolerance: float) -> tuple[list[Ring], list[Ring]]:
    rings: list[Ring] = []
    outlines: list[Ring] = []
    holes: list[Ring] = []
    for entity in shapes:
        kind, width = entity.dxftype(), _width(entity)
        if kind in ("HATCH", "MPOLYGON"):
            filled, empty = _split([scale * line for line in hatch_lines(entity, tolerance / scale)], f"a {kind}")
            outlines += filled
            holes += empty
            continue
        if kind not in _OUTLINES:
            raise ValueError(f"the layer holds a {kind}, which is no conductor; move it to another layer")
        line, closed = line_of(entity, tolerance / scale)
        if width:
            outlines += track(scale * line, scale * width, closed=closed, tolerance=tolerance)
        elif closed:
            rings.append(scale * line)
        else:
            raise ValueError(
                f"the {kind} that starts at ({line[0, 0] * scale:.6g}, {line[0, 1] * scale:.6g}) m is open and has no "
                "width; close it, join it to its neighbours as one polyline, or give it a width"
            )
    filled, empty = _split(rings, "outlines of this layer")
    return outlines + filled, holes + empty


def _split(rings: list[Ring], what: str) -> tuple[list[Ring], list[Ring]]:
    rings = [check_ring(what, ring) for ring in rings]
    crossing = crossing_rings(rings)
    if crossing is not None:
        raise ValueError(f"{what} cross each other at ({crossing[0]:.6g}, {crossing[1]:.6g}) m, which leaves open what "
                         "is inside; unite them in the drawing")  # fmt: skip
    return nested(rings)


def _width(entity: Any) -> float:
    """Width of a trace, 0 for an outline."""
    if entity.dxftype() == "LWPOLYLINE":
        constant = float(entity.dxf.get("const_width", 0.0))
        widths = {constant} if constant else {w for point in entity.get_points("se") for w in point}
    elif entity.dxftype() == "POLYLINE":
        default = entity.dxf.get("default_start_width", 0.0), entity.dxf.get("default_end_width", 0.0)
        widths = {vertex.dxf.get(name, value) for vertex in entity.vertices
                  for name, value in zip(("start_width", "end_width"), default, strict=True)}  # fmt: skip
    else:
        return 0.0
    if len(widths) > 1:
        raise ValueError(f"a {entity.dxftype()} is between {min(widths):g} and {max(widths):g} units wide; draw its "
                         "outline instead")  # fmt: skip
    return float(widths.pop())
