"""How much of a grid a conductor covers: lines are scanned for the intervals that lie inside the rings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vbsense.drawings._rings import Ring

_TOUCHING = 1e-6  # gaps and overlaps narrower than this fraction of a pixel are rounding


@dataclass(frozen=True, eq=False)
class Grid:
    """Square pixels: corner of the first one (m), side (m), rows and columns."""

    corner: tuple[float, float]
    pixel_size: float
    shape: tuple[int, int]

    @classmethod
    def around(cls, rings: Sequence[Ring], pixel_size: float) -> Grid:
        """One empty pixel beyond the rings on every side; their left and lower ends lie on edges of pixels."""
        corners = np.concatenate(rings)
        low, extent = corners.min(axis=0), np.ptp(corners, axis=0)
        columns, rows = (int(n) + 2 for n in np.ceil(extent / pixel_size - _TOUCHING))
        return cls((float(low[0] - pixel_size), float(low[1] - pixel_size)), pixel_size, (rows, columns))

    def edges(self, axis: int) -> NDArray[np.float64]:
        """Edges of the columns (axis 0) or rows (axis 1) (m)."""
        return np.asarray(self.corner[axis] + self.pixel_size * np.arange(self.shape[1 - axis] + 1), dtype=float)

    def centres(self, axis: int) -> NDArray[np.float64]:
        """Centres of the columns (axis 0) or rows (axis 1) (m)."""
        return self.edges(axis)[:-1] + self.pixel_size / 2


@dataclass(frozen=True, eq=False)
class Intervals:
    """Stretches inside the conductor along parallel lines, in units of pixels from the corner of the grid."""

    line: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


def scan_edges(rings: Sequence[Ring], grid: Grid, along: int) -> Intervals:
    """Intervals along x (0) or y (1) on all edges of the rows or columns: where there is conductor on both sides.

    An edge of the drawing may lie on one of the grid, to rounding: so both sides are looked at.
    """
    places, step = grid.edges(1 - along), _TOUCHING * grid.pixel_size
    sides = [scan(rings, grid, along, places + sign * step) for sign in (-1, 1)]
    line, where = (np.concatenate([getattr(side, name) for side in sides for name in pair])
                   for pair in (("line", "line"), ("start", "end")))  # fmt: skip
    change = np.concatenate([sign * np.ones(side.line.size, dtype=np.int64) for side in sides for sign in (1, -1)])
    order = np.lexsort((change, where, line))
    line, where, change = line[order], where[order], change[order]
    depth = np.cumsum(change)
    start, end = (depth == 2) & (change > 0), (depth == 1) & (change < 0)
    return _joined(line[start], where[start], where[end])


def scan(rings: Sequence[Ring], grid: Grid, along: int, places: NDArray[np.float64]) -> Intervals:
    """Intervals along x (0) or y (1), on lines at the given places along the other axis (m)."""
    lines, at, steps = [], [], []
    for ring in rings:
        points = ring if along == 0 else ring[::-1, ::-1]  # swapping x and y turns a ring round
        line, where, step = _crossings(points, places)
        lines.append(line)
        at.append((where - grid.corner[along]) / grid.pixel_size)
        steps.append(step)
    line, where, step = np.concatenate(lines), np.concatenate(at), np.concatenate(steps)
    order = np.lexsort((-step, where, line))
    line, where, step = line[order], where[order], step[order]
    winding = np.cumsum(step)  # begins anew at 0 on every line: rings are closed
    _check_winding(winding, line, where, grid, along, places)
    start, end = (winding > 0) & (winding - step <= 0), (winding <= 0) & (winding - step > 0)
    return _joined(line[start], where[start], where[end])


def _crossings(ring: Ring, places: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
    """Line, place along it and sense (+1 into the conductor) of every crossing of a ring with the lines y = places."""
    a, b = ring, np.roll(ring, -1, axis=0)
    # Half open: where two edges meet on a line exactly one of them crosses it, or both do in opposite senses.
    first = np.searchsorted(places, np.minimum(a[:, 1], b[:, 1]), side="left")
    counts = np.searchsorted(places, np.maximum(a[:, 1], b[:, 1]), side="left") - first
    edge = np.repeat(np.arange(len(ring)), counts)
    line = first[edge] + np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts)
    share = (places[line] - a[edge, 1]) / (b[edge, 1] - a[edge, 1])
    return line, a[edge, 0] + share * (b[edge, 0] - a[edge, 0]), np.where(b[edge, 1] < a[edge, 1], 1, -1)


def _check_winding(winding: NDArray, line: NDArray, where: NDArray, grid: Grid, along: int, places: NDArray) -> None:
    bad = np.flatnonzero((winding[:-1] < 0) & (np.diff(where) > 1e-3) & (np.diff(line) == 0))
    if bad.size:
        point = [0.0, 0.0]
        point[along] = grid.corner[along] + float(where[bad[0]]) * grid.pixel_size
        point[1 - along] = float(places[line[bad[0]]])
        raise ValueError(
            f"near ({point[0]:.6g}, {point[1]:.6g}) m a hole lies outside of every outline, two holes overlap, or an "
            "outline runs through one of its corners twice; draw holes inside outlines and apart, and split the outline"
        )


def _joined(line: NDArray, start: NDArray, end: NDArray) -> Intervals:
    """Without the gaps of zero width between conductors that touch, and without intervals of zero length."""
    keep = end - start > _TOUCHING
    line, start, end = line[keep], start[keep], end[keep]
    apart = np.ones(line.size, dtype=bool)
    apart[1:] = (line[1:] != line[:-1]) | (start[1:] - end[:-1] > _TOUCHING)
    last = np.append(apart[1:], True)[: line.size]
    return Intervals(line[apart], start[apart], end[last])


def covered(intervals: Intervals, lines: int, cells: int) -> NDArray[np.float64]:
    """Fraction of every cell of every line that lies inside, (lines, cells)."""
    partial, whole = np.zeros((lines, cells + 1)), np.zeros((lines, cells + 1))
    for places, sign in ((intervals.start, 1.0), (intervals.end, -1.0)):
        cell = np.minimum(places.astype(np.int64), cells - 1)
        np.add.at(partial, (intervals.line, cell), sign * (cell + 1 - places))
        np.add.at(whole, (intervals.line, cell + 1), sign)
    fraction = (partial + np.cumsum(whole, axis=1))[:, :cells]
    return np.where(fraction < _TOUCHING, 0.0, np.minimum(fraction, 1.0))


def narrow_gaps(intervals: Intervals) -> NDArray[np.int64]:
    """Index of every interval that ends in the cell in which the next one on its line starts."""
    same = (intervals.line[1:] == intervals.line[:-1]) & (np.floor(intervals.start[1:]) == np.floor(intervals.end[:-1]))
    return np.flatnonzero(same)


def mask_and_borders(rings: Sequence[Ring], grid: Grid, along: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Cells whose centres lie inside, and where the border lies between neighbouring centres.

    Returns
    -------
    mask : (lines, cells)
    borders : (lines, cells + 1)
        Place of the border in pixels behind the centre of cell j - 1 on the way to that of cell j, NaN without one.
    """
    lines, cells = (grid.shape[0], grid.shape[1]) if along == 0 else (grid.shape[1], grid.shape[0])
    intervals = scan(rings, grid, along, grid.centres(1 - along))
    mask, borders = np.zeros((lines, cells + 1), dtype=np.int64), np.full((lines, cells + 1), np.nan)
    for places, step in ((intervals.start, 1), (intervals.end, -1)):
        face = np.clip(np.ceil(places - 0.5).astype(np.int64), 0, cells)  # the first centre at or behind the place
        np.add.at(mask, (intervals.line, face), step)
        borders[intervals.line, face] = places + 0.5 - face
    return np.cumsum(mask, axis=1)[:, :cells] > 0, borders
