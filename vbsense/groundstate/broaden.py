"""Sticks to spectra: by histogram and Fourier transform on regular grids, else by the direct sum."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["broaden"]

# Bins per width: 9 / 32^4 = 9e-6 of a single line is what the histogram costs at worst.
_PER_WIDTH = 32
# The histogram reaches this share of the grid's span beyond both ends: the least that leaves out tails of less
# than _TAILS of all heights together.
_MARGINS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_TAILS = 2e-6
_LARGEST = 1 << 17
# Below this many pairs of stick and frequency (per spectrum) the direct sum is the faster one.
_WORTH_IT = 60_000


def broaden(
    frequency: np.ndarray, position: np.ndarray, strength: np.ndarray, linewidth: float, *, direct: bool = False
) -> np.ndarray:
    """Sum of Lorentzians of unit height times their strengths.

    Parameters
    ----------
    frequency : ndarray, (nf,)
        Hz. On a regular ascending grid many sticks go through a histogram and a Fourier transform, whose error
        is below 1e-5 of the sum of heights.
    position, strength : ndarray, (rows, sticks)
        Lines (Hz) and their heights.
    linewidth : float
        Full width at half maximum (Hz).
    direct : bool
        Sum every line in any case: exact to rounding, slow.

    Returns
    -------
    ndarray, (rows, nf)

    Examples
    --------
    >>> f = np.linspace(3.0e9, 4.0e9, 801)
    >>> position, strength = 3.5e9 + 1e5 * np.arange(1000.0)[None], np.full((1, 1000), 1e-3)
    >>> fast, exact = (broaden(f, position, strength, 40e6, direct=d) for d in (False, True))
    >>> bool(abs(fast - exact).max() < 1e-5)
    True
    """
    from vbsense.groundstate._broaden import deposit, lorentzians

    position, strength = np.ascontiguousarray(position), np.ascontiguousarray(strength)
    worth_it = not direct and position.shape[1] * frequency.size > _WORTH_IT
    step, parts = _grid(frequency, linewidth) if worth_it else (0.0, 0)
    margin = _margin(frequency, position, strength, linewidth) if parts else None
    if margin is None:
        out = np.empty((position.shape[0], frequency.size))
        lorentzians(frequency, position, strength, linewidth, out)
        return out
    before = int(margin / step) + 3
    bins = np.empty((position.shape[0], 2 * before + parts * frequency.size))
    deposit(position, strength, float(frequency[0]) - before * step, step, bins)
    return np.ascontiguousarray(_convolve(bins, linewidth / step)[:, before : before + parts * frequency.size : parts])


def _grid(frequency: np.ndarray, linewidth: float) -> tuple[float, int]:
    """Width of a bin and bins per point of the grid; no bins where the grid is irregular."""
    if frequency.size < 2:
        return 0.0, 0
    spacing = (frequency[-1] - frequency[0]) / (frequency.size - 1)
    if spacing <= 0 or np.abs(np.diff(frequency) - spacing).max() > 1e-6 * spacing:
        return 0.0, 0
    parts = int(np.ceil(_PER_WIDTH * spacing / linewidth - 1e-9))
    if parts * frequency.size > _LARGEST:
        return 0.0, 0
    return spacing / parts, parts


def _margin(frequency: np.ndarray, position: np.ndarray, strength: np.ndarray, linewidth: float) -> float | None:
    """How far beyond the grid the histogram must reach (Hz); None if that is too far."""
    from vbsense.groundstate._broaden import tails

    low, high = float(frequency[0]), float(frequency[-1])
    for margin in _MARGINS:
        if tails(low, high, position, strength, linewidth, margin * (high - low)) < _TAILS:
            return margin * (high - low)
    return None


def _convolve(bins: np.ndarray, width: float) -> np.ndarray:
    from scipy import fft

    n = int(fft.next_fast_len(2 * bins.shape[1], real=True))
    return fft.irfft(fft.rfft(bins, n) * _shape(n, width), n, overwrite_x=True)


@lru_cache(maxsize=8)
def _shape(n: int, width: float) -> np.ndarray:
    """Transform of a Lorentzian `width` bins wide, on n bins around bin 0."""
    from scipy import fft

    k = np.arange(n)
    distance = np.minimum(k, n - k) * (2 / width)
    return fft.rfft(1 / (1 + distance**2)).real
