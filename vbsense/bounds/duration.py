"""How long it takes."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["time_for"]


def time_for(wanted: Any, error: Any, seconds: Any) -> np.ndarray:
    """Time after which an error that shot noise sets has shrunk to the wanted one: ``seconds (error / wanted)^2``.

    Parameters
    ----------
    wanted : array_like
        One sigma that is wanted, positive.
    error : array_like
        One sigma after `seconds`, in the same unit.
    seconds : array_like
        Exposure time behind `error` (s).

    Returns
    -------
    ndarray
        s, of the shape of the broadcast arguments; infinite for an infinite error. What averaging does not lower
        (drift, a wrong model) is not in it.

    Examples
    --------
    >>> round(float(time_for(1e-6, 10e-6, 60.0)))
    6000
    """
    wanted, error, seconds = (np.asarray(v, dtype=float) for v in (wanted, error, seconds))
    for name, value in (("wanted", wanted), ("seconds", seconds)):
        if not (np.isfinite(value) & (value > 0)).all():
            raise ValueError(f"{name} is {value.tolist()!r}; it must be positive and finite")
    if not (error > 0).all():
        raise ValueError(f"error is {error.tolist()!r}; it must be positive")
    return seconds * (error / wanted) ** 2
