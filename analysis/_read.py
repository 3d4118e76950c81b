"""A sweep, taken apart into the arrays of a fit: planes of spectra, frames, start values, mask, precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError, frames

__all__ = ["broadcast_start", "choose_precision", "frames_of", "planes_of", "read_mask", "result_shape"]

MANY = 20_000  # fits from which float32 is worth its rounding
QUIET = 1e-4  # relative noise of a point below which float64 is worth its time


def result_shape(sweep: xr.Dataset) -> tuple[int, ...]:
    """Shape of the fit: that of the sweep without ``frequency``."""
    return tuple(n for dim, n in zip(sweep["signal"].dims, sweep["signal"].shape, strict=True) if dim != "frequency")


def planes_of(signal: xr.DataArray) -> np.ndarray:
    """Shape (..., frequency, y, x) or (..., frequency, site) to (plane, frequency, pixel); a view if possible."""
    axis = signal.dims.index("frequency")
    values = np.ascontiguousarray(signal.values)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float64)
    leading = int(np.prod(values.shape[:axis], dtype=int))
    return values.reshape(leading, values.shape[axis], -1)


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


def choose_precision(precision: str, signal: np.ndarray, count: np.ndarray, known: bool) -> Any:
    """Type of the fit, as `fit_sweep` documents it."""
    if precision in ("single", "double"):
        return np.float32 if precision == "single" else np.float64
    if precision != "auto":
        raise ValueError(f"precision is {precision!r}; it is 'auto', 'single' or 'double'")
    if signal.shape[0] * signal.shape[2] < MANY:
        return np.float64
    if signal.dtype == np.float32:
        return np.float32
    sample = signal[:: max(len(signal) // 8, 1), :, :: max(signal.shape[2] // 512, 1)]
    level = np.median(sample[np.isfinite(sample)]) if np.isfinite(sample).any() else 0.0
    loud = known and level > 0 and 1 / np.sqrt(level * max(count.max(), 1)) > QUIET
    return np.float32 if loud else np.float64


def broadcast_start(start: Mapping[str, Any] | None, shape: tuple[int, ...]) -> dict[str, Any]:
    """Start values as numbers or as arrays of the shape of the fit."""
    values = {}
    for name, value in (start or {}).items():
        array = np.asarray(value, dtype=float)
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
