"""From the layout of a file to that of the fit: one row per spectrum, divided by its level. Compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import boolean, float32, float64, int64, types, void

from vbsense._jit import kernel

__all__ = ["load_block", "scatter_of_neighbours", "scatter_without_outliers"]

_MEDIAN = 0.67448975  # median of |z| for a standard normal z
RUN = 16  # pixels that are copied together: their values at one frequency share a cache line


@kernel(
    [
        void(types.Array(s, 3, "C", readonly=True), int64, r[:, ::1])
        for s in (float32, float64)
        for r in (float32, float64)
    ]
)
def _copy(signal, first, rows):
    points, pixels = signal.shape[1], signal.shape[2]
    i = 0
    while i < rows.shape[0]:
        plane, pixel = (first + i) // pixels, (first + i) % pixels
        run = min(rows.shape[0] - i, pixels - pixel, RUN)
        for m in range(points):
            for j in range(run):
                rows[i + j, m] = signal[plane, m, pixel + j]
        i += run


@kernel([void(boolean[::1], r[::1]) for r in (float32, float64)])
def _fill(valid, row):
    """Give points that were not measured the value of a neighbour: their weight is zero, but they must be finite."""
    last = -1
    for m in range(valid.size):
        if valid[m]:
            if last < 0:
                row[:m] = row[m]
            last = m
        elif last >= 0:
            row[m] = row[last]


@kernel([void(int64, int64, boolean[:, ::1], r[:, ::1], float64[::1]) for r in (float32, float64)])
def _scale(first, pixels, measured, rows, level):
    points = measured.shape[1]
    for i in range(rows.shape[0]):
        valid, row = measured[(first + i) // pixels], rows[i]
        total, count = 0.0, 0
        for m in range(points):
            total += row[m] if valid[m] else 0.0
            count += 1 if valid[m] else 0
        mean = total / count if count > 0 else 0.0
        level[i] = mean
        if not (math.isfinite(mean) and mean > 0.0):
            row[:] = 1
            continue
        inverse = 1.0 / mean
        for m in range(points):
            row[m] = row[m] * inverse
        if count < points:
            _fill(valid, row)


@kernel([void(int64, int64, boolean[:, ::1], r[:, ::1], float64[::1]) for r in (float32, float64)])
def scatter_of_neighbours(first, pixels, measured, rows, variance):
    """Variance of a point from second differences, which lines that are sampled well hardly enter."""
    points = measured.shape[1]
    for i in range(rows.shape[0]):
        valid, row = measured[(first + i) // pixels], rows[i]
        total, count = 0.0, 0
        for m in range(1, points - 1):
            if valid[m - 1] and valid[m] and valid[m + 1]:
                bend = float(row[m - 1]) - 2.0 * float(row[m]) + float(row[m + 1])
                total += bend * bend
                count += 1
        variance[i] = total / (6.0 * count) if count > 0 else 1.0


def scatter_without_outliers(
    first: int, pixels: int, measured: np.ndarray, rows: np.ndarray, variance: np.ndarray
) -> None:
    """As `scatter_of_neighbours`, from the median of the second differences, which a few bad points do not change."""
    points = measured.shape[1]
    bends = np.abs(np.diff(rows[:, :points].astype(float), 2, axis=1))
    plane = (first + np.arange(len(rows))) // pixels
    whole = measured[:, :-2] & measured[:, 1:-1] & measured[:, 2:]
    for k in np.unique(plane):
        own, kept = plane == k, whole[k]
        variance[own] = (np.median(bends[own][:, kept], axis=1) / _MEDIAN) ** 2 / 6 if kept.any() else 1.0


def load_block(signal: np.ndarray, first: int, measured: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Copy spectra into rows, divided by their level.

    Parameters
    ----------
    signal : ndarray, (plane, frequency, pixel)
        All data (electrons).
    first : int
        Number of the first spectrum, counted over planes and pixels.
    measured : ndarray of bool, (plane, frequency)
        Where there are data.
    rows : ndarray, (n, m)
        Filled; the padding stays as it is. Spectra whose level is not a positive number become rows of ones.

    Returns
    -------
    ndarray, (n,)
        The level of each spectrum (electrons): the mean of what was measured, 0 where nothing was.
    """
    level = np.empty(len(rows))
    _copy(signal, first, rows)
    _scale(first, signal.shape[2], measured, rows, level)
    return level
