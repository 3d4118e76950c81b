"""What scenes check of their numbers.

Where SI units are expected, a number that nobody means - a metre of stand-off, a field of ten tesla - is one in
another unit, and is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "POWER",
    "check_callable",
    "check_fields",
    "check_fraction",
    "check_lengths",
    "check_not_negative",
    "check_number",
    "check_pair",
    "check_positive",
    "check_power",
    "check_seed",
    "check_shape",
    "check_state",
    "check_window",
]

POWER = (-300.0, 100.0)  # dBm; what lies outside is a slip of the pen


def check_positive(thing: Any, *names: str) -> None:
    """The named numbers are finite and above zero."""
    for name in names:
        if not (_is_number(getattr(thing, name)) and getattr(thing, name) > 0):
            raise ValueError(f"{name} is {getattr(thing, name)!r}; it must be a positive number in SI units")


def check_lengths(thing: Any, *names: str, zero: bool = False) -> None:
    """The named numbers are lengths that fit under a microscope (m), perhaps zero."""
    for name in names:
        if zero:
            check_not_negative(thing, name, "a length in metres")
        else:
            check_positive(thing, name)
        if getattr(thing, name) > 1e-2:
            raise ValueError(f"{name} is {getattr(thing, name)!r} m; lengths are in metres: 400 nm is 400e-9")


def check_seed(thing: Any, name: str = "seed") -> None:
    """The named number is whole and not below zero."""
    value = getattr(thing, name)
    if not (_is_number(value) and int(value) == value and value >= 0):
        raise ValueError(f"{name} is {value!r}; it must be a whole number, 0 or more")
    object.__setattr__(thing, name, int(value))


def check_power(value: Any, name: str = "power") -> float:
    """A microwave power as a number (dBm), or an error."""
    if not (_is_number(value) and POWER[0] <= value <= POWER[1]):
        raise ValueError(f"{name} is {value!r}; it must be a number in dBm from {POWER[0]:g} to {POWER[1]:g}")
    return float(value)


def check_state(power: Any, current: Any, temperature: Any) -> tuple[float, float, float | None]:
    """Power (dBm), current (A) and temperature (K or None) as numbers, or an error."""
    power = check_power(power)
    if not _is_number(current):
        raise ValueError(f"current is {current!r}; it must be a finite number in A, 0 for none")
    if temperature is not None and not _is_number(temperature):
        raise ValueError(f"temperature is {temperature!r}; it must be a finite number in K, or None")
    return power, float(current), None if temperature is None else float(temperature)


def check_not_negative(thing: Any, name: str, unit: str) -> None:
    """The named number is finite and not below zero."""
    value = getattr(thing, name)
    if not (_is_number(value) and value >= 0):
        raise ValueError(f"{name} is {value!r}; it must be {unit}, 0 or more")


def check_number(thing: Any, name: str, unit: str) -> None:
    """The named number is finite."""
    if not _is_number(getattr(thing, name)):
        raise ValueError(f"{name} is {getattr(thing, name)!r}; it must be a finite number in {unit}")


def check_fraction(thing: Any, name: str) -> None:
    """The named number lies in 0 <= x < 1."""
    value = getattr(thing, name)
    if not (_is_number(value) and 0 <= value < 1):
        raise ValueError(f"{name} is {value!r}; it must be a fraction, 0 or more and below 1")


def check_pair(thing: Any, name: str, unit: str) -> None:
    """Turn the named two numbers into a tuple of floats."""
    try:
        values = np.asarray(getattr(thing, name), dtype=float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (2,) or not np.isfinite(values).all():
        raise ValueError(f"{name} is {getattr(thing, name)!r}; give two finite numbers, for x and y, in {unit}")
    object.__setattr__(thing, name, (float(values[0]), float(values[1])))


def check_fields(thing: Any, name: str, unit: str) -> None:
    """Turn the named three numbers into a tuple of floats (complex ones stay as they are)."""
    values = np.asarray(getattr(thing, name))
    if values.shape != (3,) or values.dtype.kind not in "fiuc" or not np.isfinite(values).all():
        raise ValueError(f"{name} is {getattr(thing, name)!r}; give three finite numbers, for x, y and z, in {unit}")
    object.__setattr__(thing, name, tuple(v if np.iscomplexobj(v) else float(v) for v in values.tolist()))


def check_shape(shape: Any) -> tuple[int, int]:
    """Rows and columns of a camera."""
    if np.shape(shape) != (2,) or not all(_is_number(n) and int(n) == n and n >= 1 for n in shape):
        raise ValueError(f"shape is {shape!r}; give rows and columns, two whole numbers above 0")
    return int(shape[0]), int(shape[1])


def check_callable(thing: Any, name: str, what: str) -> None:
    """The named part is None or can be called."""
    value = getattr(thing, name)
    if value is not None and not callable(value):
        raise ValueError(f"{name} is {value!r}; give {what}, or None")


def check_window(part: Any, size: int, name: str) -> slice:
    """A slice of rows or columns with both ends, inside the picture."""
    if not isinstance(part, slice) or part.step not in (None, 1):
        raise ValueError(f"{name} are {part!r}; give a slice without step, for example slice(0, 32)")
    start, stop = part.start or 0, size if part.stop is None else part.stop
    if not 0 <= start < stop <= size:
        raise ValueError(f"{name} are {start} to {stop}; the picture has {size}: give a part of slice(0, {size})")
    return slice(int(start), int(stop))


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float | np.integer | np.floating | np.ndarray)
        and not isinstance(value, bool)
        and (np.ndim(value) == 0 and bool(np.isfinite(value)))
    )
