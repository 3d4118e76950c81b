"""What is fixed on a sensor: a number for every pixel that depends on the seed and on where the pixel lies.

A block cut out of the sensor has the pattern of the whole, whatever the blocks are.
"""

from __future__ import annotations

import numpy as np

__all__ = ["normal", "uniform"]

_ROW, _COLUMN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1342543DE82EF95)  # odd, bits well mixed


def uniform(seed: int, kind: int, shape: tuple[int, int], at: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Numbers between 0 and 1, both excluded.

    Parameters
    ----------
    seed : int
        Which sensor.
    kind : int
        Which of its patterns; they are independent.
    shape : (int, int)
        Rows and columns of the block.
    at : (int, int)
        Row and column of its first pixel on the sensor.

    Returns
    -------
    ndarray, (y, x)

    Notes
    -----
    The mixing function is the finaliser of SplitMix64 (G. L. Steele, D. Lea and C. H. Flood, OOPSLA 2014, p. 453).

    Examples
    --------
    >>> whole = uniform(3, 0, (40, 50))
    >>> bool((uniform(3, 0, (10, 20), at=(7, 9)) == whole[7:17, 9:29]).all())
    True
    """
    key = np.random.SeedSequence([seed, kind]).generate_state(1, np.uint64)
    rows = np.arange(at[0], at[0] + shape[0], dtype=np.uint64)[:, None]
    columns = np.arange(at[1], at[1] + shape[1], dtype=np.uint64)
    mixed = _mix(_mix(key + rows * _ROW) + columns * _COLUMN)
    return ((mixed >> np.uint64(12)) + 0.5) * 2.0**-52


def normal(seed: int, kind: int, shape: tuple[int, int], at: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Standard normal numbers; arguments as for `uniform`."""
    from scipy.special import ndtri

    return ndtri(uniform(seed, kind, shape, at))


def _mix(words: np.ndarray) -> np.ndarray:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
