"""Pixels without a value, filled from their neighbours so that a transform can be made, and how wrong that may be.

The filled values solve Laplace's equation: each is the mean of its four neighbours, as a rubber sheet pinned at the
valid pixels. Nothing is invented between them, and no valid pixel changes.
"""

from __future__ import annotations

import numpy as np

from vbsense.analysis._fourierwindow import Array

__all__ = ["fill_holes", "variance_of_filled"]

_DIRECT = 20_000  # unknowns up to which a factorisation is faster than an iteration
_LAGS = 48


def fill_holes(values: Array, steps: tuple[float, float]) -> Array:
    """`values` (y, x) with every pixel that is not finite filled; at least one must be finite."""
    bad = ~np.isfinite(values)
    if not bad.any():
        return values
    if bad.all():
        raise ValueError("the map has no valid pixel: there is nothing to fill it from")
    matrix, right, start = _laplace(values, bad, steps)
    result = values.copy()
    result[bad] = _solve(matrix, right, start)
    return result


def variance_of_filled(values: Array, steps: tuple[float, float]) -> Array:
    """Variance of filled values in the place of `values` (T^2); zero where a pixel is valid.

    The mean squared difference of two valid pixels as far apart as the filled one is from the nearest valid one: what
    it would err by if it were that neighbour.
    """
    from scipy.ndimage import distance_transform_edt

    bad = ~np.isfinite(values)
    if not bad.any():
        return np.zeros(values.shape)
    distance = distance_transform_edt(bad, sampling=steps)
    lengths, squares = _differences(values, steps, float(distance.max()))
    return np.where(bad, np.interp(distance, lengths, squares), 0.0)


def _laplace(values: Array, bad: np.ndarray, steps: tuple[float, float]) -> tuple:
    """Matrix and right side of the unknown pixels, and their nearest valid values to start from."""
    from scipy.ndimage import distance_transform_edt
    from scipy.sparse import coo_array

    count = int(bad.sum())
    number = np.full(values.shape, -1)
    number[bad] = np.arange(count)
    diagonal, right, entries = np.zeros(count), np.zeros(count), []
    for axis, step in enumerate(steps):
        for shift in (1, -1):
            here, there = _pairs(values.shape, axis, shift)
            ask = bad[here]
            mine, other, near = number[here][ask], number[there][ask], values[there][ask]
            diagonal[mine] += 1 / step**2
            known = other < 0
            right[mine[known]] += near[known] / step**2
            entries.append((mine[~known], other[~known], np.full(int((~known).sum()), -1 / step**2)))
    rows, columns, weights = (np.concatenate(part) for part in zip(*entries, strict=True))
    rows, columns = np.append(rows, np.arange(count)), np.append(columns, np.arange(count))
    matrix = coo_array((np.append(weights, diagonal), (rows, columns)), shape=(count, count)).tocsc()
    nearest = distance_transform_edt(bad, sampling=steps, return_distances=False, return_indices=True)
    return matrix, right, values[tuple(nearest)][bad]


def _pairs(shape: tuple[int, ...], axis: int, shift: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Two views of an array: pixels, and their neighbours on one side."""
    first, last = [slice(None)] * 2, [slice(None)] * 2
    first[axis], last[axis] = slice(0, shape[axis] - 1), slice(1, shape[axis])
    return (tuple(first), tuple(last)) if shift > 0 else (tuple(last), tuple(first))


def _solve(matrix, right: Array, start: Array) -> Array:
    from scipy.sparse.linalg import cg, spsolve

    if right.size <= _DIRECT:
        return np.atleast_1d(spsolve(matrix, right))
    scale = matrix.diagonal().max()
    solution, _ = cg(matrix / scale, right / scale, x0=start, rtol=1e-6, maxiter=4000)
    return solution


def _differences(values: Array, steps: tuple[float, float], furthest: float) -> tuple[Array, Array]:
    """Distances, and the mean squared difference of valid pixels that far apart along y or x."""
    lengths, squares = [], []
    for axis, step in enumerate(steps):
        longest = min(int(np.ceil(furthest / step)), values.shape[axis] - 1)
        for lag in np.unique(np.geomspace(1, max(longest, 1), _LAGS).astype(int)):
            if lag > longest:
                continue
            moved = np.moveaxis(values, axis, 0)
            square = (moved[lag:] - moved[:-lag]) ** 2
            if np.isfinite(square).any():
                lengths.append(lag * step)
                squares.append(float(np.nanmean(square)))
    if not lengths:
        return np.zeros(1), np.array([float(np.nanvar(values))])
    order = np.argsort(lengths, kind="stable")
    # A larger distance is never better known, whatever the scatter of the few pairs says.
    return np.array(lengths)[order], np.maximum.accumulate(np.array(squares)[order])
