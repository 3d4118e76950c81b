"""Options of the fit of a cube: names that exist, values that can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense._names import choices
from vbsense._numbers import number

__all__ = ["Options", "mentioned", "read_options"]

_ALONE = "offset", "Bz"  # every site has its own


@dataclass(frozen=True)
class Options:
    """What all sites share, what is fixed, and what is believed of the others before: mean and standard deviation."""

    shared: tuple[str, ...]
    fixed: Mapping[str, float]
    priors: Mapping[str, tuple[float, float]]


def mentioned(shared: Any, fixed: Any, priors: Any) -> set[str]:
    """All names that the user gave."""
    for what, value in (("fixed", fixed), ("priors", priors)):
        if not isinstance(value, Mapping | None):
            raise TypeError(f"{what} is a {type(value).__name__}; give a mapping of names to numbers")
    if not isinstance(shared, Iterable | None):
        raise TypeError(f"shared is {shared!r}; give a list of names")
    return {*_names(shared), *(fixed or ()), *(priors or ())}


def _names(shared: Any) -> tuple[str, ...]:
    return (shared,) if isinstance(shared, str) else tuple(shared or ())


def read_options(
    names: tuple[str, ...], units: tuple[str, ...], shared: Any, fixed: Any, priors: Any,
    bounds: Mapping[str, tuple[float, float]],
) -> Options:  # fmt: skip
    """Check the options against the parameters of the light.

    Parameters
    ----------
    names, units : tuple of str
        Of the parameters.
    shared : str, sequence of str or None
        None for D and the widths.
    fixed, priors : mapping or None
    bounds : mapping
        Of the parameters: nothing is fixed outside.
    """
    fixed, priors = dict(fixed or {}), dict(priors or {})
    common = _names(shared) if shared is not None else [n for n in names if n == "D" or n.startswith("fwhm")]
    for what, given in (("shared", common), ("fixed", fixed), ("priors", priors)):
        for name in given:
            if name not in names:
                raise ValueError(f"{what}: the light has no parameter {name!r}; {choices(name, names)}")
    if alone := [n for n in _ALONE if n in common]:
        raise ValueError(f"shared: every site has its own {alone[0]!r}; leave it out")
    if "Bz" in fixed:
        raise ValueError("fixed: 'Bz' is what a cube is fitted for; leave it out")
    if both := [n for n in priors if n in fixed]:
        raise ValueError(f"priors: {both[0]!r} is fixed; give one of them")
    unit = dict(zip(names, units, strict=True))
    held = {n: number(f"fixed {n!r}", v, unit[n]) for n, v in fixed.items()}
    for name, value in held.items():
        low, high = bounds.get(name, (-np.inf, np.inf))
        if not low <= value <= high:
            raise ValueError(f"fixed: {name!r} is {value:.6g} {unit[name]}; allowed are {low:.6g} to {high:.6g}")
    told = {n: _pair(n, pair, unit[n]) for n, pair in priors.items()}
    return Options(tuple(n for n in common if n not in held), held, told)


def _pair(name: str, pair: Any, unit: str) -> tuple[float, float]:
    if np.shape(pair) != (2,):
        raise ValueError(f"priors of {name!r} are {pair!r}; give (mean, sigma)")
    return number(f"prior of {name!r}", pair[0], unit), number(f"sigma of {name!r}", pair[1], unit, positive=True)
