"""Parts of a picture: regions of interest, masks, larger pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError
from vbsense.nucleus import is_number

__all__ = ["bin_pixels", "mask_outside", "select_region"]

_SUMMED = ("signal", "reference", "saturated")
_QUADRATIC = ("signal_err",)
_COUNTS = ("saturation", "camera_offset")  # of single pixels


def select_region(dataset: xr.Dataset, *, x: Any = None, y: Any = None) -> xr.Dataset:
    """The part of a sweep, fit or map inside a rectangle.

    Parameters
    ----------
    dataset : xarray.Dataset
        With coordinates `x` and `y` (m), of pixels or of sites.
    x, y : (low, high), optional
        Range in metres, both ends included; without it everything. An end may be None.

    Returns
    -------
    xarray.Dataset
        Its coordinates are those that it had, so that what is found in it keeps its place.

    Raises
    ------
    ValueError
        If a range is not ascending, or holds no pixel.

    Examples
    --------
    >>> from vbsense.data import make_sweep
    >>> sweep = make_sweep(np.ones((3, 8, 9)), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7)
    >>> select_region(sweep, x=(0.15e-6, 0.5e-6), y=(None, 0.2e-6)).signal.shape
    (3, 3, 4)
    """
    inside = {axis: _inside(dataset, axis, limits) for axis, limits in (("x", x), ("y", y)) if limits is not None}
    if not inside:
        return dataset
    if "site" in dataset.dims:
        keep = np.flatnonzero(np.logical_and.reduce(list(inside.values())))
        if keep.size == 0:
            raise ValueError("the region holds no site; give x and y in metres")
        both = {"site": keep} | ({"site2": keep} if "site2" in dataset.dims else {})
        return dataset.isel(both)
    return dataset.isel({axis: np.flatnonzero(values) for axis, values in inside.items()})


def mask_outside(dataset: xr.Dataset, *, x: Any = None, y: Any = None, circle: Any = None) -> xr.DataArray:
    """A mask for `fit_sweep` that leaves out what lies outside a region.

    Parameters
    ----------
    dataset : xarray.Dataset
        With coordinates `x` and `y` (m), of pixels or of sites.
    x, y : (low, high), optional
        As in `select_region`.
    circle : (x, y, radius), optional
        A disc (m), inside the rectangle if that is given as well.

    Returns
    -------
    xarray.DataArray of bool, (y, x) or (site,)
        True outside. Masks combine with ``|`` (either) and ``&`` (both).

    Raises
    ------
    ValueError
        If nothing is left inside.

    Examples
    --------
    >>> from vbsense.data import make_sweep
    >>> sweep = make_sweep(np.ones((3, 8, 9)), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7)
    >>> int((~mask_outside(sweep, circle=(0.4e-6, 0.4e-6, 0.1e-6))).sum())     # a pixel and its four neighbours
    5
    """
    places = _places(dataset)
    inside = xr.ones_like(places["x"] + places["y"], dtype=bool)
    for axis, limits in (("x", x), ("y", y)):
        if limits is not None:
            inside = inside & xr.DataArray(_inside(dataset, axis, limits), dims=places[axis].dims)
    if circle is not None:
        values = np.asarray(circle, dtype=float)
        if values.shape != (3,) or not np.isfinite(values).all() or not values[2] > 0:
            raise ValueError(f"circle is {circle!r}; give (x, y, radius) in metres")
        reach = values[2] * (1 + 1e-9)  # a pixel on the rim is inside, whatever the rounding
        inside = inside & ((places["x"] - values[0]) ** 2 + (places["y"] - values[1]) ** 2 <= reach**2)
    if not inside.any():
        raise ValueError("nothing lies inside the region; give x, y and circle in metres")
    dims = ("site",) if "site" in dataset.dims else ("y", "x")
    return (~inside).transpose(*dims).rename("mask")


def bin_pixels(sweep: xr.Dataset, n: int) -> xr.Dataset:
    """Sum squares of n x n pixels: fewer pixels, each with n^2 times the light.

    The light is summed, not averaged: the signal stays the electrons of one exposure, whose shot noise is their root,
    so that fits, bounds and sensitivities of the result are right as they are.

    Parameters
    ----------
    sweep : xarray.Dataset
        Images.
    n : int
        Side of a square. Rows and columns that fill no square are left out at the end.

    Returns
    -------
    xarray.Dataset
        `signal`, `reference` and `saturated` summed, `signal_err` added in squares, what else lies on pixels
        averaged; `read_noise` n times as large, `pixel_size` too; frames as they were. A NaN makes its square NaN.

    Raises
    ------
    LayoutError
        If the sweep has no images, or is smaller than a square.

    Examples
    --------
    >>> from vbsense.data import make_sweep
    >>> sweep = make_sweep(np.full((3, 8, 9), 100.0), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7, read_noise=2.0)
    >>> small = bin_pixels(sweep, 4)
    >>> small.signal.shape, float(small.signal[0, 0, 0]), small.attrs["read_noise"], float(small.x[0])
    ((3, 2, 2), 1600.0, 8.0, 1.5e-07)
    """
    from vbsense.layout import check_layout, require

    require(sweep, "sweep")
    if not is_number(n) or int(n) != n or n < 1:
        raise ValueError(f"n is {n!r}; it is the side of a square of pixels, a whole number from 1")
    if "y" not in sweep["signal"].dims:
        raise LayoutError(f"signal has dimensions {sweep['signal'].dims}; binning needs images (frequency, y, x)")
    if min(sweep.sizes["y"], sweep.sizes["x"]) < n:
        raise LayoutError(f"images of {sweep.sizes['y']} x {sweep.sizes['x']} pixels hold no square of {n} x {n}")
    sweep = mark_saturated(sweep)
    squares = {"y": int(n), "x": int(n)}
    binned = {}
    for name, variable in sweep.data_vars.items():
        own = {d: k for d, k in squares.items() if d in variable.dims}
        blocks = (variable**2 if name in _QUADRATIC else variable).coarsen(own, boundary="trim") if own else variable
        if name in _SUMMED:
            values = blocks.reduce(np.sum)  # unlike .sum(), keeps NaN
        elif name in _QUADRATIC:
            values = blocks.reduce(np.sum) ** 0.5
        elif own:
            values = blocks.reduce(np.mean)
        else:
            values = variable
        binned[name] = values.astype(variable.dtype) if variable.dtype.kind == "f" else values
        binned[name].attrs = dict(variable.attrs)
    result = xr.Dataset(binned, attrs=dict(sweep.attrs))
    result = result.assign_coords({c: v for c, v in sweep.coords.items() if not {"y", "x"} & set(v.dims)})
    for axis in ("y", "x"):
        result[axis].attrs = dict(sweep[axis].attrs)
    for name in ("read_noise", "pixel_size"):
        if name in result.attrs:
            result.attrs[name] = result.attrs[name] * n
    return check_layout(result)


def mark_saturated(sweep: xr.Dataset) -> xr.Dataset:
    """The same sweep with its saturated pixels counted in `saturated`, as its signal will no longer tell them.

    >>> from vbsense.data import make_sweep
    >>> sweep = make_sweep(np.full((3, 1, 2), [90.0, 110.0]), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7, saturation=100,
    ...                    camera_gain=1.0, camera_offset=0.0)
    >>> mark_saturated(sweep).saturated.values.tolist()
    [[0, 1]]
    """
    if "saturation" not in sweep.attrs:
        return sweep
    from vbsense.analysis._saturated import read_saturation

    seen = (sweep["signal"] >= read_saturation(sweep).limit).any("frequency")
    counted = (seen + sweep["saturated"]) if "saturated" in sweep else seen
    marked = sweep.assign(saturated=counted.astype(int).assign_attrs(units="1"))
    marked.attrs = {name: value for name, value in sweep.attrs.items() if name not in _COUNTS}
    return marked


def _inside(dataset: xr.Dataset, axis: str, limits: Any) -> np.ndarray:
    try:
        low, high = (end if end is None else float(end) for end in limits)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{axis} is {limits!r}; give (low, high) in metres") from error
    low, high = -np.inf if low is None else low, np.inf if high is None else high
    values = _places(dataset)[axis].values
    if not low < high:
        raise ValueError(f"{axis} is ({low:g}, {high:g}); give (low, high) in metres, ascending")
    margin = 1e-9 * (np.abs(values).max() + 1e-12)  # a pixel on the edge is inside, whatever the rounding
    inside = (values >= low - margin) & (values <= high + margin)
    if not inside.any():
        raise ValueError(
            f"{axis} = ({low:g}, {high:g}) m holds no pixel: they lie from {values.min():g} to {values.max():g} m"
        )
    return inside


def _places(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"a sweep, fit or map is an xarray.Dataset; received {type(dataset).__name__}")
    missing = [axis for axis in ("x", "y") if axis not in dataset.coords]
    if missing:
        raise LayoutError(f"the dataset has no coordinate {missing[0]!r}; a region needs x and y in metres")
    return {axis: dataset[axis].drop_vars(list(dataset[axis].coords)) for axis in ("x", "y")}
