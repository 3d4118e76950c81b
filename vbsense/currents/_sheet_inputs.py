"""What a sheet of current checks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbsense.currents._inputs import number

LARGEST_PIXEL = 5e-3  # m; larger numbers were meant in um or nm
SMALLEST_PIXEL = 1e-11  # m
LARGEST_LENGTH = 0.05  # m, of a layer or a spot
LARGEST_DISTANCE = 1.0  # m


def length(name: str, value: Any, *, positive: bool = False) -> float:
    """A length (m) of zero or more, or above zero."""
    metres = number(name, value, "m", positive=positive)
    if metres < 0:
        raise ValueError(f"{name}: received {value!r}; give a length of zero or more, in m")
    if metres > LARGEST_LENGTH:
        raise ValueError(
            f"{name}: received {value!r} m, above the {LARGEST_LENGTH:g} m that are sensible here; "
            f"did you mean {metres * 1e-6:g} ({metres:g} um) or {metres * 1e-9:g} ({metres:g} nm)?"
        )
    return metres


def distance(name: str, value: Any) -> float:
    """A distance (m) of either sign."""
    metres = number(name, value, "m")
    if abs(metres) > LARGEST_DISTANCE:
        raise ValueError(
            f"{name}: received {value!r} m, beyond the {LARGEST_DISTANCE:g} m that are sensible here; "
            f"did you mean {metres * 1e-6:g} ({metres:g} um) or {metres * 1e-9:g} ({metres:g} nm)?"
        )
    return metres


def density(name: str, value: Any) -> NDArray[np.float64]:
    """A copy of a current density (A/m) that cannot be written to."""
    if np.asarray(value).dtype.kind not in "fiu":
        raise ValueError(f"{name}: received {np.asarray(value).dtype} values; give real numbers, in A/m")
    array = np.array(value, dtype=float, order="C")
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name}: received shape {array.shape}; give the pixels as an array (ny, nx), in A/m")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name}: pixel ({row}, {column}) is {array[row, column]}; give finite numbers, in A/m "
                         "(0 where there is no conductor)")  # fmt: skip
    array.setflags(write=False)
    return array


def pixel(value: Any) -> float:
    """Side of a pixel (m)."""
    size = number("pixel_size", value, "m", positive=True)
    if not SMALLEST_PIXEL <= size <= LARGEST_PIXEL:
        raise ValueError(
            f"pixel_size: received {value!r} m; give the side of a pixel in metres, for example 100e-9 for 100 nm "
            f"(allowed are {SMALLEST_PIXEL:g} to {LARGEST_PIXEL:g})"
        )
    return size
