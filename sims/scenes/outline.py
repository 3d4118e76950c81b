"""The part of every pixel that lies inside a polygon: the edge of a flake."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_outline", "coverage", "inside"]

_FINE = 8  # points along a side of a pixel that an edge may cross


def check_outline(outline: Any) -> tuple[tuple[float, float], ...]:
    """Corners of a polygon as a tuple, or an error."""
    try:
        corners = np.asarray(outline, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"outline is {outline!r:.60}; give at least three corners (x, y) in metres") from None
    if corners.ndim != 2 or corners.shape[0] < 3 or corners.shape[1] != 2 or not np.isfinite(corners).all():
        raise ValueError(f"outline has shape {corners.shape}; give at least three finite corners (x, y) in metres")
    return tuple((float(x), float(y)) for x, y in corners)


def inside(x: np.ndarray, y: np.ndarray, outline: Any) -> np.ndarray:
    """Whether points lie inside a polygon, by counting the edges that a ray along +x crosses.

    Examples
    --------
    >>> square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    >>> inside(np.array([0.5, 1.5]), np.array([0.5, 0.5]), square).tolist()
    [True, False]
    """
    crossings = np.zeros(np.broadcast(x, y).shape, dtype=bool)
    corners = np.asarray(outline, dtype=float)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            crossings ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return crossings


def coverage(x: np.ndarray, y: np.ndarray, size: float, outline: Any) -> np.ndarray:
    """Share of squares of side `size` (m) around points (n,) that lies inside a polygon, in steps of 1/64.

    Examples
    --------
    >>> square = [(0, 0), (1, 0), (1, 1), (0, 1)]
    >>> coverage(np.array([0.5, 0.0, 3.0]), np.array([0.5, 0.5, 0.5]), 0.5, square).tolist()
    [1.0, 0.5, 0.0]
    """
    near = np.zeros(x.shape, dtype=bool)
    corners = np.asarray(outline, dtype=float)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        near |= _distance(x, y, a, b) <= size  # an edge closer than a side may cross the square
    share = inside(x, y, outline).astype(float)
    steps = ((np.arange(_FINE) + 0.5) / _FINE - 0.5) * size
    fine_x, fine_y = np.meshgrid(steps, steps)
    share[near] = inside(
        x[near, None] + fine_x.ravel(), y[near, None] + fine_y.ravel(), outline
    ).mean(-1)  # fmt: skip
    return share


def _distance(x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of points to a line segment."""
    along = b - a
    length = max(float(along @ along), 1e-300)
    t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / length, 0, 1)
    return np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
