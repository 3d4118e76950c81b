"""A sweep, taken apart into the arrays of a fit: planes of spectra, frames, start values, mask, precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError, frames

__all__ = [
    "as_planes",
    "broadcast_start",
    "choose_precision",
    "frames_of",
    "planes_of",
    "read_mask",
    "result_shape",
    "shape_of",
]

MANY = 20_000  # fits from which float32 is worth its rounding
QUIET = 1e-4  # relative noise of a point below which float64 is worth its time


def result_shape(sweep: xr.Dataset) -> tuple[int, ...]:
    """Shape of the fit: that of the sweep without ``frequency``."""
    return tuple(n for dim, n in zip(sweep["signal"].dims, sweep["signal"].shape, strict=True) if dim != "frequency")


def planes_of(signal: xr.DataArray) -> np.ndarray:
    """Shape (..., frequency, y, x) or (..., frequency, site) to (plane, frequency, pixel); a view if possible."""
    return as_planes(signal.values, signal.dims.index("frequency"))


def as_planes(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Bring values with the frequency at `axis` into the form that the fit reads, (plane, frequency, pixel)."""
    values = np.ascontiguousarray(values, dtype=_plain(values.dtype))
    leading = int(np.prod(values.shape[:axis], dtype=int))
    return values.reshape(leading, values.shape[axis], -1)


def shape_of(signal: xr.DataArray) -> np.ndarray:
    """Do as `planes_of` without reading the values: an array that has its shape and type, and takes no memory."""
    axis = signal.dims.index("frequency")
    leading, points = int(np.prod(signal.shape[:axis], dtype=int)), signal.shape[axis]
    pixels = int(np.prod(signal.shape[axis + 1 :], dtype=int))
    return np.broadcast_to(np.zeros((), _plain(signal.dtype)), (leading, points, pixels))


def _plain(dtype: np.dtype) -> np.dtype:
    """The type in which the fit reads values of `dtype`: float32 or float64 of this machine."""
    native = dtype.newbyteorder("=")
    return native if native in (np.float32, np.float64) else np.dtype(np.float64)


def frames_of(sweep: xr.Dataset, planes: int) -> np.ndarray:
    """Frames of every point (plane, frequency); 0 where there are none."""
    count = frames(sweep)
    leading = list(sweep["signal"].dims[: sweep["signal"].dims.index("frequency") + 1])
    if not set(count.dims) <= set(leading):
        raise LayoutError(f"frames has dimensions {count.dims}; it may have {tuple(leading)}, not those of pixels")
    sizes = {dim: sweep.sizes[dim] for dim in leading}
    full = xr.DataArray(np.ones(list(sizes.values())), dims=leading) * count.drop_vars(list(count.coords))
    values = np.nan_to_num(full.transpose(*leading).values.astype(float), nan=0.0)
    if not np.isfinite(values).all() or (values < 0).any():
        raise LayoutError("frames holds infinite or negative values; it counts the frames averaged into each point")
    return values.reshape(planes, -1)


def choose_precision(precision: str, signal: xr.DataArray, count: np.ndarray, known: bool) -> Any:
    """Type of the fit, as `fit_sweep` documents it."""
    if precision in ("single", "double"):
        return np.float32 if precision == "single" else np.float64
    if precision != "auto":
        raise ValueError(f"precision is {precision!r}; it is 'auto', 'single' or 'double'")
    if signal.size // max(signal.sizes["frequency"], 1) < MANY:
        return np.float64
    if _plain(signal.dtype) == np.float32:
        return np.float32
    sample = _sample(signal)
    level = np.median(sample[np.isfinite(sample)]) if np.isfinite(sample).any() else 0.0
    loud = known and level > 0 and 1 / np.sqrt(level * max(count.max(), 1)) > QUIET
    return np.float32 if loud else np.float64


def _sample(signal: xr.DataArray) -> np.ndarray:
    """Signals across the middle of up to four images, or of some sites: little to read from a file."""
    dims = list(map(str, signal.dims))
    leading = dims[: dims.index("frequency")]
    index: dict[str, Any] = {d: slice(None, None, -(-signal.sizes[d] // 2)) if d in leading[:2] else 0 for d in leading}
    for dim, count in (("y", 1), ("site", 512)):
        if dim in dims:
            index[dim] = slice(signal.sizes[dim] // 2, signal.sizes[dim] // 2 + count)
    return np.asarray(signal.isel(index).values, dtype=float)


def broadcast_start(start: Mapping[str, Any] | None, shape: tuple[int, ...]) -> dict[str, Any]:
    """Start values as numbers or as arrays of the shape of the fit."""
    values = {}
    for name, value in (start or {}).items():
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"start value of {name} is {value!r:.60}; give a number, or one for each pixel") from error
        try:
            values[name] = array if array.ndim == 0 else np.ascontiguousarray(np.broadcast_to(array, shape))
        except ValueError as error:
            raise ValueError(f"start value of {name} has shape {array.shape}; the fit has {shape}") from error
    return values


def read_mask(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The mask, one entry for each spectrum; True where nothing is to be fitted."""
    if mask is None:
        return np.zeros(int(np.prod(shape)), bool)
    array = np.asarray(mask)
    if array.dtype != bool:
        raise ValueError(f"mask has dtype {array.dtype}; it must be bool, True where nothing is to be fitted")
    try:
        return np.broadcast_to(array, shape).ravel()
    except ValueError as error:
        raise ValueError(f"mask has shape {array.shape}; the fit has {shape}") from error
