"""How many frames stand behind a point, and averages that respect it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from vbsense.layout import LayoutError, check_layout, require

__all__ = ["average", "frames", "with_frames"]


def average(dataset: xr.Dataset, dim: str) -> xr.Dataset:
    """Average a sweep over a leading dimension, weighting by frames and keeping their total.

    Parameters
    ----------
    dataset : xarray.Dataset
        A sweep with dimension `dim`.
    dim : str
        For example ``"direction"``: up and down of a palindrome, whose mean cancels a trigger that
        is off by one point and linear drift.

    Returns
    -------
    xarray.Dataset
        The sweep without `dim`; points without any frame are NaN, and so are pixels that are NaN in
        one of the averaged points.

    Examples
    --------
    >>> from vbsense.data import make_sweep
    >>> up_down = make_sweep(np.ones((2, 5, 3, 3)), np.linspace(3e9, 4e9, 5), pixel_size=1e-7, frames=4,
    ...                      coords={"direction": ["up", "down"]})
    >>> int(average(up_down, "direction").attrs["frames"])
    8
    """
    require(dataset, "sweep")
    known = [d for d in dataset["signal"].dims if d not in ("frequency", "y", "x", "site")]
    if dim not in known:
        raise LayoutError(f"cannot average over {dim!r}; this sweep has the leading dimensions {known or 'none'}")
    count = frames(dataset)
    weight = count.where(count > 0).fillna(0)
    result = dataset.drop_vars([name for name in ("frames", "signal_err") if name in dataset]).isel({dim: 0}, drop=True)
    for name in ("signal", "reference"):
        if name in dataset:
            # Only points without frames are left out; a NaN that was measured must not count as zero.
            total = (dataset[name].where(weight > 0, 0) * weight).sum(dim, skipna=False)
            result[name] = (total / weight.sum(dim)).transpose(*result[name].dims).assign_attrs(dataset[name].attrs)
    if "signal_err" in dataset:
        error = dataset["signal_err"].where(weight > 0, 0)
        variance = ((error * weight) ** 2).sum(dim, skipna=False) / weight.sum(dim) ** 2
        result["signal_err"] = (variance**0.5).transpose(*result.signal.dims).assign_attrs(units="electron")
    return check_layout(with_frames(result, count.sum(dim)))


def frames(dataset: xr.Dataset) -> xr.DataArray:
    """Frames averaged into each point: the variable ``frames`` where they differ, else the attribute."""
    if "frames" in dataset:
        return dataset["frames"]
    leading = [dim for dim in dataset["signal"].dims if dim not in ("y", "x", "site")]
    shape = [dataset.sizes[dim] for dim in leading]
    return xr.DataArray(np.full(shape, int(dataset.attrs.get("frames", 1))), dims=leading)


def with_frames(dataset: xr.Dataset, count: xr.DataArray) -> xr.Dataset:
    """Write the frames of each point into `dataset`: one attribute, and a variable where they differ."""
    dataset.attrs["frames"] = int(count.max())
    if int(count.min()) != int(count.max()):
        dims = [dim for dim in dataset["signal"].dims if dim in count.dims]
        dataset["frames"] = count.transpose(*dims).assign_attrs(units="1").drop_vars(list(count.coords))
    return dataset
