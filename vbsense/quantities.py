"""Quantities that people write with their unit: ``"35 nm"``, ``"3.47 GHz"``, ``"15 dBm"``.

Inside vbsense everything is in SI units; this is the one place that reads others.
"""

from __future__ import annotations

import math
import re
from numbers import Real
from typing import Any

__all__ = ["EXAMPLES", "parse_quantity", "to_si"]

_PREFIX = {
    "": 1.0, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6,
    "G": 1e9,
}  # fmt: skip
_NO_PREFIX = ("dBm", "rad", "1", "electron", "count", "1/s", "1/m", "1/m^2")
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\s\d]\S*)?\s*")

# Other ways to write a unit, each with its size in SI.
_ALSO = {
    "1": {"%": 1e-2},
    "rad": {"deg": math.pi / 180, "°": math.pi / 180, "mrad": 1e-3},
    "s": {"min": 60.0, "h": 3600.0},
    "1/s": {"1/min": 1 / 60, "1/h": 1 / 3600, "%/s": 1e-2, "%/min": 1e-2 / 60, "%/h": 1e-2 / 3600},
    "m/s": {f"{p}m/{t}": f / s for p, f in _PREFIX.items() for t, s in (("min", 60.0), ("h", 3600.0))},
    "1/m": {"1/mm": 1e3, "1/um": 1e6, "%/um": 1e4, "%/mm": 10.0},
    "1/m^2": {"1/cm^2": 1e4, "1/nm^2": 1e18, "ions/m^2": 1.0, "ions/cm^2": 1e4},
    "electron/s": {"cps": 1.0, "kcps": 1e3, "Mcps": 1e6, "Gcps": 1e9, "1/s": 1.0},
}

EXAMPLES = {
    "Hz": "2.97GHz", "s": "500ms", "A": "1mA", "dBm": "15dBm", "m": "35nm", "T": "10mT", "K": "295K", "rad": "4deg",
    "1": "5%", "m/s": "0.1nm/s", "m/s^0.5": "1nm/s^0.5", "1/s": "0.1%/h", "1/m": "1%/um", "1/m^2": "1e15/cm^2",
    "electron/s": "1.7Mcps", "electron": "5electron", "Hz/K": "-620kHz/K", "A/m": "1A/m",
}  # fmt: skip


def parse_quantity(text: str, unit: str) -> float:
    """A number with a unit, and perhaps a prefix, as its SI value.

    Parameters
    ----------
    text : str
        For example "2.97GHz", "500 ms", "5 %".
    unit : str
        What is measured, as its SI unit: "Hz", "s", "A", "m", "T", "K", "rad", "1", "dBm" and so on.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the text is not a finite number with that unit; the message has an example.

    Examples
    --------
    >>> parse_quantity("2.97GHz", "Hz"), parse_quantity("35 nm", "m"), parse_quantity("90 deg", "rad") / math.pi
    (2970000000.0, 3.5e-08, 0.5)
    >>> parse_quantity("3 s", "Hz")
    Traceback (most recent call last):
    ...
    ValueError: '3 s' has the unit 's'; it must be in Hz, for example 2.97GHz
    """
    example = EXAMPLES.get(unit, f"1{unit}")
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a number with a unit; write for example {example}")
    number, given = match.groups()
    if not given:
        if unit == "1":
            return _finite(float(number), text)
        raise ValueError(f"{text!r} has no unit; write for example {example}")
    scale = _scale(given.replace("**", "^").replace("²", "^2"), unit)
    if scale is None:
        raise ValueError(f"{text!r} has the unit {given!r}; it must be in {unit}, for example {example}")
    # As text a decimal point moves exactly, where a product would be rounded: 35 nm is 3.5e-08.
    power = round(math.log10(scale)) if scale > 0 else 0
    if scale == float(f"1e{power}") and "e" not in number.lower():
        return _finite(float(f"{number}e{power}"), text)
    return _finite(float(number) * scale, text)


def _scale(given: str, unit: str) -> float | None:
    """SI size of the unit `given`, None if it does not measure the same."""
    also = _ALSO.get(unit, {})
    if given in also:
        return also[given]
    if given.startswith("/") and "1" + given in also | {unit: 1.0}:  # "1e15 /cm^2"
        return (also | {unit: 1.0})["1" + given]
    if not given.endswith(unit):
        return None
    prefix = given[: -len(unit)]
    return _PREFIX.get(prefix) if not prefix or unit not in _NO_PREFIX else None


def to_si(value: Any, unit: str) -> float:
    """A number, which is in SI units already, or a text with its unit, as a finite number.

    Parameters
    ----------
    value : float or str
        For example 3.5e-8 or "35 nm".
    unit : str
        As for `parse_quantity`.

    Examples
    --------
    >>> to_si(3.5e-8, "m") == to_si("35 nm", "m")
    True
    """
    if isinstance(value, str):
        return parse_quantity(value, unit)
    if isinstance(value, bool) or not isinstance(value, Real):
        example = EXAMPLES.get(unit, f"1{unit}")
        raise ValueError(f'{value!r} is no quantity; give a number in {unit}, or a text such as "{example}"')
    return _finite(float(value), str(value))


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return value
