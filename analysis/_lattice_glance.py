"""A first look at a lattice: which sites are in the picture, and which of them seem bright. Lengths are in pixels."""

from __future__ import annotations

import numpy as np

from vbsense.analysis._lattice_fit import places
from vbsense.analysis._lattice_index import seen
from vbsense.analysis._lattice_light import Light
from vbsense.analysis._lattice_peaks import flattened
from vbsense.analysis._lattice_wanted import Wanted

__all__ = ["LEAST_SEEN", "glance", "in_view", "steps_of"]

LEAST_SEEN = 0.5  # of its light must fall on the picture, or a site is outside
GROUPS = 0.75  # of the variance lies between two clear groups; in one bell-shaped group it would be 0.64


def glance(light: Light, geometry: np.ndarray, request: Wanted) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column and light, roughly, of all sites in the picture; 0 for those that look dark."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    row, column = in_view(geometry, light.good.shape, LEAST_SEEN)
    x, y = places(geometry, row, column)
    flat = flattened(light.values, light.good)
    smooth = gaussian_filter(flat, 1.0, mode="nearest")
    # Against the surroundings where spots stand alone, against the darkest parts where they merge: what parts better.
    pictures = smooth - gaussian_filter(flat, 0.6 * geometry[:2].max(), mode="nearest"), smooth
    heights = [map_coordinates(p, [y, x], order=1, mode="nearest") - np.quantile(p, 0.1) for p in pictures]
    height, (between, parting) = max(((h, _parting(h)) for h in heights), key=lambda pair: pair[1][0])
    if request.shape is not None and request.shape[0] * request.shape[1] < height.size:
        usual = float(np.median(np.sort(height)[-request.shape[0] * request.shape[1] :]))
    else:
        usual = float(np.median(height[height > 0.5 * np.quantile(height, 0.95)]))
    least = parting if between > GROUPS else 0.4 * usual
    return row, column, np.where(height > least, height, 0.0)


def _parting(height: np.ndarray) -> tuple[float, float]:
    """How much of the variance lies between two groups, and the value between them (Otsu's)."""
    if height.size < 8 or not height.var() > 0:
        return 0.0, 0.0
    ordered = np.sort(height)
    n = np.arange(1, height.size)
    left = np.cumsum(ordered)[:-1] / n
    right = (ordered.sum() - left * n) / (height.size - n)
    between = n * (height.size - n) * (right - left) ** 2 / height.size**2
    k = int(between.argmax())
    return float(between[k] / height.var()), float(left[k] + right[k]) / 2


def steps_of(geometry: np.ndarray) -> np.ndarray:
    """Steps along a row and along a column."""
    zero = geometry.copy()
    zero[4:6] = 0.0
    return np.array([[v[0] for v in places(zero, *np.array(n)[:, None])] for n in ((0.0, 1.0), (1.0, 0.0))])


def in_view(geometry: np.ndarray, shape: tuple[int, int], least: float) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the sites of an endless lattice of which so much is in the picture."""
    steps = steps_of(geometry)
    ny, nx = shape
    reach = 3 * geometry[6]
    corners = np.array([(x, y) for x in (-reach, nx + reach) for y in (-reach, ny + reach)]) - geometry[4:6]
    index = corners @ np.linalg.inv(steps)
    low, high = np.floor(index.min(axis=0)).astype(int), np.ceil(index.max(axis=0)).astype(int)
    row, column = (v.ravel() for v in np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1])
    kept = seen(*places(geometry, row, column), shape, geometry[6]) > least
    return row[kept], column[kept]
