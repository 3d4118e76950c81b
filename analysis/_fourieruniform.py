"""A uniform current: the part of a current density that Bz in a window cannot see, and what may stand in for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vbsense._names import choices
from vbsense._numbers import number
from vbsense.analysis._fourierwindow import Array

__all__ = ["uniform_shift"]

RULES = ("none", "median")


def uniform_shift(J: Array, valid: np.ndarray, steps: tuple[float, float], offset: Any) -> tuple[Array, str]:
    """What to add to J everywhere, and how that was found.

    Parameters
    ----------
    J : ndarray, (2, y, x)
        A/m.
    valid : ndarray of bool, (y, x)
        Where it is measured.
    steps : (float, float)
        Pixel size along y and x (m).
    offset
        "none", "median", a mask of pixels without current, or a mapping of "x", "y" to net currents (A).

    Returns
    -------
    shift : ndarray, (2,)
        A/m.
    how : str
        In words.
    """
    if isinstance(offset, str):
        if offset not in RULES:
            raise ValueError(f"offset: unknown rule {offset!r}; {choices(offset, RULES)}, or a mask, or net currents")
        if offset == "none":
            return np.zeros(2), "left as the transform gives it"
        return -np.median(J[:, valid], axis=1), "its median is zero"
    if isinstance(offset, Mapping):
        return _from_currents(J, valid, steps, offset)
    return _from_mask(J, valid, offset)


def _from_mask(J: Array, valid: np.ndarray, offset: Any) -> tuple[Array, str]:
    mask = np.asarray(offset)
    if mask.dtype != bool or mask.shape != valid.shape:
        raise ValueError(
            f"offset: received {type(offset).__name__} of shape {mask.shape} and type {mask.dtype}; give 'none', "
            f"'median', {{'y': current}} in A, or a mask (bool) of shape {valid.shape} that is true where no current is"
        )
    if not (mask & valid).any():
        raise ValueError("offset: the mask holds no valid pixel; it is true where there is no current")
    return -J[:, mask & valid].mean(axis=1), f"its mean over {int((mask & valid).sum())} pixels is zero"


def _from_currents(
    J: Array, valid: np.ndarray, steps: tuple[float, float], given: Mapping[str, float]
) -> tuple[Array, str]:
    unknown = [name for name in given if name not in ("x", "y")]
    if unknown or not given:
        raise ValueError(f"offset: received {dict(given)!r}; give net currents along 'x' or 'y', in A")
    shift, said = np.zeros(2), []
    # A current along y crosses a row, whose length is the number of columns times their width.
    lengths = {"x": valid.shape[0] * steps[0], "y": valid.shape[1] * steps[1]}
    for name, current in given.items():
        wanted, k = number(f"offset[{name!r}]", current, "A"), "xy".index(name)
        shift[k] = wanted / lengths[name] - float(J[k][valid].mean())
        said.append(f"{wanted:.4g} A along {name}")
    return shift, f"the net current is {' and '.join(said)}"
