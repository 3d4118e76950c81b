"""From a centre line with a width to outlines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbsense.drawings._extra import need
from vbsense.drawings._rings import Ring

_NM = 1e-9  # gdstk rounds to a thousandth of its unit


def track(
    line: NDArray[np.float64],
    width: float,
    *,
    closed: bool = False,
    join: str = "natural",
    end: str = "flush",
    tolerance: float = 1e-9,
) -> list[Ring]:
    """Outlines of a trace of constant width along a line (n, 2) m; a hole is joined to its outline by a slit."""
    gdstk = need("gdstk")
    points = line[np.append(True, (np.diff(line, axis=0) != 0).any(axis=1))] / _NM
    if closed and (points[0] == points[-1]).all():
        points = points[:-1]
    style = {"joins": join, "ends": "flush" if closed else end, "tolerance": tolerance / _NM}
    paths = [gdstk.FlexPath([*points, *points[:1]] if closed else points, width / _NM, **style)]
    if closed:  # the corner at which the line begins and ends
        around = [(points[-1] + points[0]) / 2, points[0], (points[0] + points[1]) / 2]
        paths.append(gdstk.FlexPath(around, width / _NM, **style))
    return [ring * _NM for ring in united(paths)]


def united(paths: list[Any]) -> list[Ring]:
    """Outlines of gdstk paths, none of which crosses itself."""
    gdstk = need("gdstk")
    polygons = [polygon for path in paths for polygon in path.to_polygons()]
    return [np.array(polygon.points) for polygon in gdstk.boolean(polygons, [], "or", precision=1e-4)]
