"""Where every picture of a sweep lies: the drift that registration found, checked against the sweep."""

from __future__ import annotations

import numpy as np
import xarray as xr

from vbsense.data import LayoutError

__all__ = ["read_shifts"]

_FINEST = 1e-12  # of a shift (m): finer differences are none


def read_shifts(sweep: xr.Dataset, shifts: xr.Dataset | None, missing: np.ndarray) -> np.ndarray:
    """Shifts along y and x of every picture, ``(plane, frequency, 2)`` m.

    They are 0 for pictures that are missing, and NaN for others that registration did not place.

    Parameters
    ----------
    sweep : xarray.Dataset
    shifts : xarray.Dataset, optional
        With `shift_y` and `shift_x` over some of the leading dimensions of the sweep and its frequency.
    missing : ndarray of bool, (plane, frequency)

    Raises
    ------
    LayoutError
        For a shift that is absent, lies on other dimensions, or is not in metres.
    ValueError
        For one that is larger than the picture, or if no picture has any.
    """
    places = np.zeros((*missing.shape, 2))
    if shifts is None:
        return places
    if not isinstance(shifts, xr.Dataset):
        raise TypeError(f"shifts is a {type(shifts).__name__}; give a Dataset with shift_y and shift_x, in metres")
    for k, (name, axis) in enumerate((("shift_y", "y"), ("shift_x", "x"))):
        values = np.where(missing, 0.0, _spread(sweep, shifts, name).reshape(missing.shape))
        reach = np.ptp(sweep[axis].values)
        largest = np.nanmax(np.abs(values), initial=0.0)
        if largest > reach:
            raise ValueError(
                f"{name} reaches {largest:.3g} m, further than the picture ({reach:.3g} m): shifts are in metres, "
                "not pixels"
            )
        places[..., k] = np.round(values / _FINEST) * _FINEST
    if not missing.all() and np.isnan(places[~missing]).any(axis=-1).all():
        raise ValueError("shifts are NaN for all pictures: register them anew, or leave shifts out")
    return places


def _spread(sweep: xr.Dataset, shifts: xr.Dataset, name: str) -> np.ndarray:
    """One shift over all leading dimensions and the frequency."""
    if name not in shifts:
        raise LayoutError(f"shifts has no variable {name!r}; it needs shift_y and shift_x, in metres")
    given, dims = shifts[name], list(map(str, sweep["signal"].dims[:-2]))
    if given.attrs.get("units", "m") != "m":
        raise LayoutError(f"{name} has units {given.attrs['units']!r}; it must be in 'm': convert the values")
    if not set(given.dims) <= set(dims):
        raise LayoutError(f"{name} has dimensions {given.dims}; the pictures have {tuple(dims)}: give some of these")
    for dim in map(str, given.dims):
        if given.sizes[dim] != sweep.sizes[dim]:
            raise LayoutError(f"{name} has {given.sizes[dim]} values along {dim!r}; the sweep has {sweep.sizes[dim]}")
        if dim in given.coords and dim in sweep.coords and not np.array_equal(given[dim].values, sweep[dim].values):
            raise LayoutError(f"{name} belongs to other values of {dim!r} than the sweep: select the same")
    even = xr.DataArray(np.zeros([sweep.sizes[d] for d in dims]), dims=dims)
    return np.asarray((even + given.drop_vars(list(given.coords))).transpose(*dims).values, dtype=float)
