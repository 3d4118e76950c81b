"""Where a field table takes its exact spectra, and the functions that run through them."""

from __future__ import annotations

import numpy as np

__all__ = ["powers_of", "spline_of", "transverse_nodes"]

_DEGREE = 6
_RADII = (0.35, 0.62, 0.85, 1.0)  # of the transverse range, where exact spectra are taken, besides the axis


def powers_of(even: bool) -> np.ndarray:
    """Exponents (n, 2) of Bx and By, to sixth degree; even degrees only, where half a turn changes nothing."""
    pairs = [(n - j, j) for n in range(0, _DEGREE + 1, 2 if even else 1) for j in range(n + 1)]
    return np.array(pairs, dtype=np.int64)


def spline_of(Bz: tuple[float, float], intervals: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes in Bz, and the matrix from values there to the coefficients of a uniform cubic B-spline.

    A spline of n intervals has n + 3 coefficients: the n + 1 knots and the middles of the two outer
    intervals fix them.
    """
    middles = [0.5, intervals - 0.5] if intervals > 1 else [0.25, 0.75]
    place = np.sort(np.append(np.arange(intervals + 1.0), middles))
    k = np.minimum(place.astype(int), intervals - 1)
    t = place - k
    basis = np.zeros((place.size, intervals + 3))
    s = 1 - t
    weights = (s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3)
    for j, w in enumerate(weights):
        basis[np.arange(place.size), k + j] = w / 6
    return Bz[0] + place * (Bz[1] - Bz[0]) / intervals, np.linalg.inv(basis)


def transverse_nodes(largest: float, *, even: bool) -> np.ndarray:
    """Nodes (n, 2) on circles, half of each where the other half would say the same."""
    angles = np.arange(7 if even else 14) * np.pi / 7
    circles = [
        r * largest * np.stack([np.cos(angles + k * np.pi / 14), np.sin(angles + k * np.pi / 14)], -1)
        for k, r in enumerate(_RADII)
    ]
    return np.concatenate([np.zeros((1, 2)), *circles])
