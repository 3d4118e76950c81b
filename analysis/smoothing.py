"""Neighbours averaged with Gaussian weights: less noise, less resolution, and errors that say so."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.regions import mark_saturated
from vbsense.averaging import frames
from vbsense.data import LayoutError
from vbsense.layout import check_layout
from vbsense.nucleus import is_number

__all__ = ["smooth"]

_REACH = 4.0  # sigma at which the weights are cut off


def smooth(dataset: xr.Dataset, sigma: float) -> xr.Dataset:
    """Average every pixel with its neighbours, weights ``exp(-r^2 / (2 sigma^2))``.

    Parameters
    ----------
    dataset : xarray.Dataset
        A sweep of images, or a map of pixels.
    sigma : float
        Width of the weights (m).

    Returns
    -------
    xarray.Dataset
        Of a sweep: `signal` (and `reference`), and `signal_err` of the averages, from that of the sweep or from shot
        and read noise where the frames are known. Of a map: `B` or `J` with its error. What else it has is as it was.
        Pixels that are NaN stay so, and are left out of the averages of others.

        Errors of single values are right, but neighbours now share noise: their correlation at a distance r is
        ``exp(-r^2 / (4 sigma^2))``, so that the mean of many pixels has an error larger than independent ones would
        give. ``attrs["user_smoothing"]`` holds sigma.

    Raises
    ------
    LayoutError
        If the dataset has no pixels, or lies on an uneven grid.
    ValueError
        If sigma is not a positive length, larger than a hundred pictures or far below a pixel, or the dataset was
        smoothed before: its errors are no longer independent.

    Examples
    --------
    >>> from vbsense.data import make_map
    >>> noise = np.random.default_rng(0).normal(size=(40, 40)) * 1e-6
    >>> calm = smooth(make_map(noise, pixel_size=1e-7, error=np.full((40, 40), 1e-6)), 2e-7)
    >>> round(float(calm.B_err[0, 20, 20]) * 1e6, 3), bool(calm.B.std() < 0.2e-6)
    (0.141, True)
    """
    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"smoothing needs an xarray.Dataset; received {type(dataset).__name__}")
    check_layout(dataset)
    if "user_smoothing" in dataset.attrs:
        raise ValueError("the dataset is smoothed already; smooth once, by the root of the sum of the squares")
    weights = _weights(dataset, sigma)
    if "signal" in dataset:
        dataset = mark_saturated(dataset)
    result = dataset.copy()
    names = [name for name in ("signal", "reference", "B", "J") if name in dataset]
    if not names:
        raise LayoutError("smoothing is for sweeps and maps; smooth the sweep, then fit it")
    for name in names:
        error = _error(dataset, name)
        result[name], averaged = _average(dataset[name], error, weights)
        if averaged is not None and name != "reference":
            result[f"{name}_err"] = averaged.assign_attrs(units=dataset[name].attrs["units"])
    result.attrs["user_smoothing"] = float(sigma)
    return check_layout(result)


def _weights(dataset: xr.Dataset, sigma: Any) -> dict[str, np.ndarray]:
    """Weights along y and x, ``(2 k + 1,)``."""
    if not (is_number(sigma) and sigma > 0):
        raise ValueError(f"sigma is {sigma!r}; it must be a positive length in metres")
    if not {"y", "x"} <= set(dataset.dims):
        raise LayoutError(f"the dataset has dimensions {tuple(dataset.dims)}; smoothing needs pixels (y, x)")
    weights = {}
    for axis in ("y", "x"):
        steps = np.diff(dataset[axis].values)
        if steps.size == 0:
            weights[axis] = np.ones(1)
            continue
        if not np.allclose(steps, steps[0], rtol=1e-3):
            raise LayoutError(f"the coordinate {axis!r} is not evenly spaced; smoothing needs pixels without gaps")
        pixels = sigma / steps[0]
        if not 0.1 <= pixels <= 100 * dataset.sizes[axis]:
            raise ValueError(f"sigma is {sigma:g} m, {pixels:.3g} pixels of {steps[0]:g} m; is it in metres?")
        k = np.arange(-min(int(np.ceil(_REACH * pixels)), dataset.sizes[axis]), 0)
        half = np.exp(-(k**2) / (2 * pixels**2))
        weights[axis] = np.concatenate([half, [1.0], half[::-1]])
    return weights


def _error(dataset: xr.Dataset, name: str) -> xr.DataArray | None:
    """Variance of every value, where it is known."""
    if f"{name}_err" in dataset:
        return dataset[f"{name}_err"] ** 2
    if name != "signal" or not ("frames" in dataset or "frames" in dataset.attrs):
        return None
    excess, read = (float(dataset.attrs.get(k, v)) for k, v in (("excess_noise", 1.0), ("read_noise", 0.0)))
    count = frames(dataset)
    signal = dataset["signal"]
    return ((excess * signal.clip(min=0) + read**2) / count.where(count > 0)).transpose(*signal.dims)


def _average(
    values: xr.DataArray, variance: xr.DataArray | None, weights: dict[str, np.ndarray]
) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Averages, and the roots of their variances."""
    array = values.values.astype(float)
    good = np.isfinite(array)
    axes = {axis: values.dims.index(axis) for axis in weights}
    total = _sum(good.astype(float), weights, axes)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(good, _sum(np.where(good, array, 0.0), weights, axes) / total, np.nan)
        result = values.copy(data=mean.astype(values.dtype))
        if variance is None:
            return result, None
        squares = {axis: w**2 for axis, w in weights.items()}
        spread = _sum(np.where(good, variance.values, 0.0), squares, axes) / total**2
    error = np.where(good, np.sqrt(spread), np.nan)
    return result, xr.DataArray(error.astype(values.dtype), dims=values.dims)


def _sum(array: np.ndarray, weights: dict[str, np.ndarray], axes: dict[str, int]) -> np.ndarray:
    from scipy.ndimage import correlate1d

    for axis, own in weights.items():
        array = correlate1d(array, own, axis=axes[axis], mode="constant")
    return array
