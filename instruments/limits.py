"""What the things on the table can bear, and the one check that every setting passes first."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Limits", "checked", "checked_list"]


@dataclass(frozen=True)
class Limits:
    """Limits of a rig: the smallest of source, amplifier, antenna and wire.

    Parameters
    ----------
    frequency : (float, float)
        Range of the microwave source (Hz).
    power : float
        Highest power at the source (dBm).
    current : float
        Highest current through the wire, either sign (A).

    Examples
    --------
    >>> Limits(frequency=(9e3, 6e9), power=20.0, current=2e-3).current
    0.002
    """

    frequency: tuple[float, float]
    power: float
    current: float


def checked(name: str, value: Any, low: float, high: float, unit: str) -> float:
    """Return `value` as a float if it is a finite real number between `low` and `high`.

    Parameters
    ----------
    name : str
        What it is, for the message.
    value : Any
        What was given.
    low, high : float
        The range, in `unit`.
    unit : str
        SI unit or dBm.

    Raises
    ------
    TypeError
        If it is not a number.
    ValueError
        If it is not finite or out of range; it is never clipped.

    Examples
    --------
    >>> checked("power", 99.0, -145, 30, "dBm")
    Traceback (most recent call last):
        ...
    ValueError: power is 99 dBm; it must be between -145 and 30 dBm
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} is {value!r}; it must be a number between {low:g} and {high:g} {unit}")
    number = float(value)
    if not math.isfinite(number) or not low <= number <= high:
        raise ValueError(f"{name} is {number:.12g} {unit}; it must be between {low:g} and {high:g} {unit}")
    return number


def checked_list(name: str, values: Any, low: float, high: float, unit: str) -> list[float]:
    """Return `values` as a list of floats if every one of them passes `checked`; the message names the entry.

    Examples
    --------
    >>> checked_list("frequency", [3e9, 7e9], 9e3, 6e9, "Hz")
    Traceback (most recent call last):
        ...
    ValueError: frequency[1] is 7000000000 Hz; it must be between 9000 and 6e+09 Hz
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is {values!r}; it must be a list of numbers in {unit}")
    entries = [checked(f"{name}[{k}]", value, low, high, unit) for k, value in enumerate(values)]
    if not entries:
        raise ValueError(f"{name} is empty; give at least one value in {unit}")
    return entries
