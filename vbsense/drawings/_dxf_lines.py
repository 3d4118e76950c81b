"""The lines that DXF entities stand for, curves as chords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbsense.drawings._extra import need


def line_of(entity: Any, tolerance: float) -> tuple[NDArray[np.float64], bool]:
    """Points (n, 2) in units of the drawing, and whether the line is closed."""
    kind = entity.dxftype()
    if kind == "LWPOLYLINE":
        return _polyline(entity.get_points("xyb"), entity, tolerance)
    if kind == "POLYLINE" and entity.is_2d_polyline:
        corners = [(*vertex.dxf.location.vec2, vertex.dxf.get("bulge", 0.0)) for vertex in entity.vertices]
        return _polyline(corners, entity, tolerance)
    if kind in ("CIRCLE", "ARC", "ELLIPSE", "SPLINE"):
        points = _flat(entity.flattening(tolerance))
        return points, kind == "CIRCLE" or bool(np.allclose(points[0], points[-1], atol=tolerance))
    path = need("ezdxf.path").make_path(entity)
    return _flat(path.flattening(tolerance)), bool(path.is_closed)


def hatch_lines(entity: Any, tolerance: float) -> list[NDArray[np.float64]]:
    """Borders of a hatch; arcs among borders made of edges are approximated to 3e-4 of their radius."""
    path, lines = need("ezdxf.path"), []
    for border in entity.paths:
        if hasattr(border, "vertices"):
            lines.append(_bulged(border.vertices, entity, True, tolerance))
        else:
            elevation = entity.dxf.elevation.z
            lines.append(_flat(path.from_hatch_edge_path(border, entity.ocs(), elevation).flattening(tolerance)))
    return lines


def _polyline(
    corners: Sequence[tuple[float, float, float]], entity: Any, tolerance: float
) -> tuple[NDArray[np.float64], bool]:
    """Points of a polyline, and whether it is closed: many programs repeat the first point and leave the flag alone."""
    line = _bulged(corners, entity, entity.is_closed, tolerance)
    meets = len(line) > 3 and bool(np.allclose(line[0], line[-1], rtol=0, atol=tolerance))
    return line[:-1] if meets else line, bool(entity.is_closed) or meets


def _flat(points: Any) -> NDArray[np.float64]:
    return np.array([(point.x, point.y) for point in points])


def _bulged(
    points: Sequence[tuple[float, float, float]], entity: Any, closed: bool, tolerance: float
) -> NDArray[np.float64]:
    """A polyline whose segments may be arcs: bulge = tan(angle / 4), positive to the left."""
    corners = np.array([(x, y) for x, y, *_ in points], dtype=float)
    bulges = [float(bulge[0]) if bulge else 0.0 for _, _, *bulge in points]
    after = np.roll(corners, -1, axis=0)
    pieces = [_arc(a, b, bulge, tolerance) for a, b, bulge in zip(corners, after, bulges, strict=True)]
    if not closed:
        pieces[-1] = corners[-1:]
    return _flat(entity.ocs().points_to_wcs((x, y, 0.0) for x, y in np.concatenate(pieces).tolist()))


def _arc(a: NDArray[np.float64], b: NDArray[np.float64], bulge: float, tolerance: float) -> NDArray[np.float64]:
    """Points of an arc from `a` on, without `b`."""
    chord = float(np.hypot(*(b - a)))
    if bulge == 0 or chord == 0:
        return a[None]
    angle = 4 * np.arctan(bulge)
    radius = chord / (2 * abs(np.sin(angle / 2)))
    step = 2 * np.arccos(max(1 - tolerance / radius, 0.0))
    turn = angle * np.arange(max(1, int(np.ceil(abs(angle) / step)))) / max(1, int(np.ceil(abs(angle) / step)))
    left = np.array([a[1] - b[1], b[0] - a[0]]) / chord  # of the way from a to b
    centre = (a + b) / 2 + left * chord / (2 * np.tan(angle / 2))
    c, s, (x, y) = np.cos(turn), np.sin(turn), a - centre
    return centre + np.column_stack([c * x - s * y, s * x + c * y])
