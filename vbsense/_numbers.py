"""What a number may be: one or many, finite or not, never text that only looks like one."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["number", "reals", "whole"]


def reals(name: str, value: Any, what: str) -> NDArray[np.float64]:
    """The value as an array of floats, not copied if it is one; text and complex numbers are refused."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biufO":
            raise TypeError
        return np.asarray(array, dtype=float)
    except (TypeError, ValueError):  # numpy's own words name neither the argument nor the remedy
        raise ValueError(f"{name}: received {reprlib.repr(value)}; give real numbers: {what}") from None


def whole(name: str, value: Any, least: int) -> int:
    """A whole number, or ValueError."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} is {value!r}; it is a whole number, at least {least}")
    return int(value)


def number(name: str, value: Any, unit: str, *, positive: bool = False) -> float:
    """One finite number, or ValueError."""
    try:
        number = np.asarray(np.nan if isinstance(value, (str, bytes, bool, np.bool_)) else value, dtype=float)
    except (TypeError, ValueError):
        number = np.array(np.nan)
    if number.ndim or not np.isfinite(number) or (positive and number <= 0):
        kind = "one finite number above zero" if positive else "one finite number"
        raise ValueError(f"{name}: received {value!r}; give {kind}, in {unit}")
    return float(number)
