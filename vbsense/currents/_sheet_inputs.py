"""What a sheet of current checks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbsense._numbers import number, reals

LARGEST_PIXEL = 5e-3  # m; larger numbers were meant in um or nm
SMALLEST_PIXEL = 1e-11  # m


def density(name: str, value: Any) -> NDArray[np.float64]:
    """A copy of a current density (A/m) that cannot be written to."""
    if getattr(value, "dtype", np.dtype(float)).kind == "b":
        raise ValueError(f"{name}: received a mask; give the current density in every pixel, in A/m")
    array = np.array(reals(name, value, "the pixels as an array (ny, nx), in A/m"), order="C")
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
