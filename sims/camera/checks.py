"""Refusals that the cameras share."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_exposure", "check_fields", "check_place", "refuse_rate"]

_POSITIVE, _NOT_NEGATIVE, _FRACTION = "a positive number", "a number, 0 or more", "a fraction from 0 to 1"


def check_fields(camera: Any, *, positive: str = "", not_negative: str = "", fraction: str = "") -> None:
    """Raise ValueError for the first field that is not what it must be; names are separated by blanks."""
    for names, what in ((positive, _POSITIVE), (not_negative, _NOT_NEGATIVE), (fraction, _FRACTION)):
        for name in names.split():
            value = getattr(camera, name)
            if not (_is_number(value) and value >= 0) or (what is _POSITIVE and value == 0):
                raise ValueError(f"{name} is {value!r}; it must be {what}")
            if what is _FRACTION and value > 1:
                raise ValueError(f"{name} is {value!r}; it is {what}")
    for name, low, high in (("seed", 0, None), ("bits", 1, 16)):
        value = getattr(camera, name, low)
        if not (_is_number(value) and int(value) == value and value >= low and (high is None or value <= high)):
            allowed = f"from {low} to {high}" if high else f"from {low}"
            raise ValueError(f"{name} is {value!r}; it must be a whole number {allowed}")


def check_exposure(rate: Any, seconds: Any) -> np.ndarray:
    """`rate` as a contiguous array of floats ``(..., y, x)``; raises ValueError for what cannot be exposed."""
    rate = np.asarray(rate)
    if rate.dtype.kind not in "fiu" or rate.ndim < 2:
        raise ValueError(
            f"rate has dtype {rate.dtype} and shape {rate.shape}; give electrons per second as (..., y, x)"
        )
    if not (_is_number(seconds) and seconds >= 0):
        raise ValueError(f"seconds is {seconds!r}; it must be an exposure time in seconds, 0 or more")
    return np.ascontiguousarray(rate, dtype=float)


def check_place(shape: Any, at: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of a block and where it begins, as whole numbers; raises ValueError for others."""
    for name, pair in (("shape", shape), ("at", at)):
        if not (np.shape(pair) == (2,) and all(_is_number(k) and int(k) == k and k >= 0 for k in pair)):
            raise ValueError(f"{name} is {pair!r}; give two whole numbers, rows and columns of the sensor, from 0")
    return (int(shape[0]), int(shape[1])), (int(at[0]), int(at[1]))


def refuse_rate(rate: np.ndarray, place: int) -> None:
    """Raise for the rate that a kernel stopped at; -1 stands for none."""
    if place >= 0:
        index = tuple(map(int, np.unravel_index(place, rate.shape)))
        raise ValueError(
            f"rate is {rate[index]} at {index}; it must be electrons per second, 0 or more, and with the dark "
            "current give at most 1e12 in an exposure"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and bool(np.isfinite(value))
