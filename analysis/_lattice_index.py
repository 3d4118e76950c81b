"""Which step is a row, which a column, and where the array begins and ends.

A lattice looks the same after a turn by a quarter (a half, if its steps differ). The convention: as near to the design
as can be, if there is one; else the steps that have the asked-for number of sites or length; else the turn from above
-45 to 45 degrees. Lengths are in pixels.
"""

from __future__ import annotations

import numpy as np

from vbsense.analysis._lattice_wanted import Wanted

__all__ = ["angles", "extent", "oriented", "placed", "seen", "swapped"]

PRESENT = 0.3  # of the usual number of bright sites in a line: with fewer, the line is not part of the array
NEAR_LENGTH = 0.05


def angles(steps: np.ndarray) -> np.ndarray:
    """(pitch, pitch_y, rotation, shear) of the steps along a row and along a column."""
    a, b = steps
    rotation = np.arctan2(a[1], a[0])
    lean = np.arctan2(b[1], b[0]) - rotation
    shear = np.pi / 2 - lean
    return np.array([np.hypot(*a), np.hypot(*b), rotation, (shear + np.pi) % (2 * np.pi) - np.pi])


def oriented(steps: np.ndarray, request: Wanted) -> np.ndarray:
    """The steps of the same lattice that the convention asks for."""
    a, b = steps
    turns = [np.array(pair) for pair in ((a, b), (b, -a), (-a, -b), (-b, a))]
    if request.design is not None:
        return _like_design(steps, request)
    if request.pitch is not None:
        fits = [abs(np.hypot(*t[0]) / request.pitch - 1) < NEAR_LENGTH for t in turns]
        if any(fits) and not all(fits):
            turns = [t for t, fit in zip(turns, fits, strict=True) if fit]
    return min(turns, key=_turn)


def _turn(steps: np.ndarray) -> tuple[float, float]:
    """How far the rows are turned; +45 degrees before -45."""
    rotation = angles(steps)[2]
    return round(abs(rotation), 9), -rotation


def _like_design(steps: np.ndarray, request: Wanted) -> np.ndarray:
    """Of all pairs of steps that span the lattice, the nearest to those of the design."""
    design = request.design
    assert design is not None
    assert request.pitch is not None
    pitch_y = request.pitch if request.pitch_y is None else request.pitch_y
    lean = design.rotation - design.shear
    aim = np.array(
        [
            [request.pitch * np.cos(design.rotation), request.pitch * np.sin(design.rotation)],
            [-pitch_y * np.sin(lean), pitch_y * np.cos(lean)],
        ]
    )
    n = np.arange(-3, 4)
    whole = np.array([(i, j) for i in n for j in n if (i, j) != (0, 0)])
    best, least = steps, np.inf
    for i in whole:
        for j in whole:
            if i[0] * j[1] - i[1] * j[0] == 1:
                pair = np.array([i, j]) @ steps
                # What the lengths and the angle between the steps say counts more than the turn of the whole.
                got, want = angles(pair), angles(aim)
                turn = (got[2] - want[2] + np.pi) % (2 * np.pi) - np.pi
                cost = (
                    (got[0] / want[0] - 1) ** 2 + (got[1] / want[1] - 1) ** 2 + (got[3] - want[3]) ** 2 + 0.01 * turn**2
                )
                if cost < least - 1e-9:
                    best, least = pair, cost
    return best


def swapped(steps: np.ndarray) -> np.ndarray:
    """Rows for columns: the turn by a quarter whose rotation is nearer to none."""
    a, b = steps
    return min((np.array([b, -a]), np.array([-b, a])), key=_turn)


def seen(x: np.ndarray, y: np.ndarray, shape: tuple[int, int], width: float) -> np.ndarray:
    """Fraction of the light of spots of this width (one sigma) that falls on the picture."""
    from scipy.special import ndtr

    parts = [ndtr((n - 0.5 - u) / width) - ndtr((-0.5 - u) / width) for u, n in ((x, shape[1]), (y, shape[0]))]
    return parts[0] * parts[1]


def extent(row: np.ndarray, column: np.ndarray, bright: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row and column of the array: what lies beyond sparse lines is dirt.

    `row`, `column` are those of all sites in the picture, `bright` says which of them shine.
    """
    bright = bright & _together(row, column, bright)
    box = [row[bright].min(), row[bright].max(), column[bright].min(), column[bright].max()]
    for _ in range(int(np.ptp(row) + np.ptp(column)) + 4):
        inside = (row >= box[0]) & (row <= box[1]) & (column >= box[2]) & (column <= box[3])
        for end, line in ((0, row), (1, row), (2, column), (3, column)):
            here = inside & (line == box[end])
            shining = np.unique(line[inside & bright], return_counts=True)[1]
            count, usual = int((here & bright).sum()), float(np.quantile(shining, 0.9))
            if count < PRESENT * usual and count < 0.5 * max(int(here.sum()), 1):
                box[end] += 1 if end in (0, 2) else -1
                break
        else:
            break
    return tuple(int(v) for v in box)  # type: ignore[return-value]


def _together(row: np.ndarray, column: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """Sites that hang together, up to single dark ones in between; groups a fifth as large as the largest count."""
    from scipy.ndimage import binary_dilation, label

    grid = np.zeros((np.ptp(row) + 3, np.ptp(column) + 3), dtype=bool)
    place = row - row.min() + 1, column - column.min() + 1
    grid[place] = bright
    group = label(binary_dilation(grid, np.ones((3, 3))), np.ones((3, 3)))[0][place]
    size = np.bincount(group[bright])
    return size[np.minimum(group, size.size - 1)] >= 0.2 * size.max()


def placed(
    row: np.ndarray, column: np.ndarray, light: np.ndarray, shape: tuple[int, int]
) -> tuple[tuple[int, int, int, int], float]:
    """The window of `shape` that holds most light, and how much less the best other one holds (usual spots)."""
    usual = float(np.median(light[light > 0])) if (light > 0).any() else 1.0
    first = np.array([row.min() - shape[0], column.min() - shape[1]])
    size = np.array([np.ptp(row), np.ptp(column)]) + 2 * np.array(shape) + 1
    grid = np.zeros(size)
    grid[row - first[0], column - first[1]] = np.clip(light, 0.0, 2 * usual)
    total = np.pad(grid, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    m, n = shape
    held = total[m:, n:] - total[:-m, n:] - total[m:, :-n] + total[:-m, :-n]
    best = np.unravel_index(held.argmax(), held.shape)
    ties = np.argwhere(held > held.max() - 1e-9 * usual)
    if len(ties) > 1:  # several windows hold the same light: that one in the middle of them
        best = tuple(ties[np.argmin(((ties - ties.mean(axis=0)) ** 2).sum(axis=1))])
    others = np.delete(held.ravel(), int(np.ravel_multi_index(best, held.shape)))
    margin = (held[tuple(best)] - others.max(initial=-np.inf)) / usual
    start = np.array(best) + first
    return (int(start[0]), int(start[0]) + m - 1, int(start[1]), int(start[1]) + n - 1), float(margin)
