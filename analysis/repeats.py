"""Repeated measurements: how the error falls with averaging, and where drift stops it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.correction import HyperfineCorrection
from vbsense.analysis.field import field_map
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.layout import check_layout, require
from vbsense.nucleus import is_number

__all__ = ["allan_deviation", "repeat_sensitivity", "stack_sweeps", "sweep_seconds"]


def allan_deviation(
    values: xr.DataArray, *, interval: float, dim: str = "sweep", averages: Sequence[int] | None = None
) -> xr.Dataset:
    """Overlapping Allan deviation of repeated values.

    Parameters
    ----------
    values : xarray.DataArray
        Any unit, with the dimension `dim`: the means over repeats that follow each other without gaps.
    interval : float
        Time from one repeat to the next (s).
    dim : str
        Along which the repeats lie.
    averages : sequence of int, optional
        Numbers of repeats that are averaged; by default 1, 2, 4, ... up to half of them.

    Returns
    -------
    xarray.Dataset
        `deviation` and `deviation_err` in the unit of the values, with the dimension ``tau`` (s) in the place of
        `dim`. White noise falls as the root of tau, a steady drift of b per second rises as ``b tau / sqrt(2)``.
        A pixel that is NaN in one repeat is NaN.

    Raises
    ------
    LayoutError
        If there is no such dimension, or fewer than 3 repeats along it.

    Notes
    -----
    ``sigma^2(n) = mean_j [mean(y[j+n : j+2n]) - mean(y[j : j+n])]^2 / 2`` over all j (W. J. Riley, Handbook of
    Frequency Stability Analysis, NIST SP 1065, 2008). Its error is ``sigma / sqrt(2 edf)``, with the equivalent
    degrees of freedom of white noise (same source, widely quoted).

    Examples
    --------
    >>> noise = xr.DataArray(np.random.default_rng(0).normal(size=4096), dims="sweep")
    >>> allan = allan_deviation(noise, interval=2.0)
    >>> allan.tau.values[:3].tolist(), allan.deviation.values[[0, 2, 4]].round(2).tolist()
    ([2.0, 4.0, 8.0], [1.0, 0.5, 0.25])
    """
    if not isinstance(values, xr.DataArray):
        raise TypeError(f"the Allan deviation needs an xarray.DataArray, such as field.B; received {type(values)}")
    if dim not in values.dims:
        raise LayoutError(
            f"there is no dimension {dim!r} but {values.dims}; say along which the repeats lie, with dim="
        )
    if not (is_number(interval) and interval > 0):
        raise ValueError(f"interval is {interval!r}; it is the time from one repeat to the next, in s")
    count = values.sizes[dim]
    if count < 3:
        raise LayoutError(f"{count} repeats tell no Allan deviation; it needs 3 or more")
    numbers = _checked(averages, count)
    ordered = values.transpose(dim, ...)
    sums = np.concatenate([np.zeros((1, *ordered.shape[1:])), np.cumsum(_centred(ordered.values), axis=0)])
    deviation = np.stack([_deviation(sums, n) for n in numbers])
    factors = np.array([1 / np.sqrt(2 * _freedom(count, n)) for n in numbers])
    dims = ("tau", *ordered.dims[1:])
    error = deviation * factors.reshape(-1, *(1,) * (deviation.ndim - 1))
    units = {"units": str(values.attrs.get("units", "1"))}
    coords = {n: c for n, c in values.coords.items() if dim not in c.dims and n != dim}
    tau = np.array(numbers) * float(interval)
    return xr.Dataset(
        {"deviation": (dims, deviation, units), "deviation_err": (dims, error, units)},
        coords=coords | {"tau": ("tau", tau, {"units": "s"})},
    )


def _checked(averages: Sequence[int] | None, count: int) -> list[int]:
    if averages is None:
        return [2**k for k in range(int(np.log2(count / 2)) + 1)]
    numbers = list(averages)
    for n in numbers:
        if not is_number(n) or int(n) != n or not 1 <= n <= count // 2:
            raise ValueError(f"averages holds {n!r}; {count} repeats allow whole numbers from 1 to {count // 2}")
    if not numbers:
        raise ValueError("averages is empty; give at least one number of repeats")
    return sorted({int(n) for n in numbers})


def _centred(values: np.ndarray) -> np.ndarray:
    """Values about their mean: sums of many large values would lose digits."""
    return values.astype(float) - values.astype(float).mean(axis=0)


def _deviation(sums: np.ndarray, n: int) -> np.ndarray:
    second = sums[2 * n :] - 2 * sums[n:-n] + sums[: -2 * n]
    return np.sqrt((second**2).mean(axis=0) / 2) / n


def _freedom(count: int, n: int) -> float:
    """Equivalent degrees of freedom for white noise."""
    phases = count + 1
    freedom = (3 * (phases - 1) / (2 * n) - 2 * (phases - 2) / phases) * 4 * n**2 / (4 * n**2 + 5)
    return max(freedom, 1.0)


def stack_sweeps(sweeps: Sequence[xr.Dataset], *, dim: str = "sweep", values: Any = None) -> xr.Dataset:
    """Put sweeps of one kind behind each other, along a leading dimension.

    Parameters
    ----------
    sweeps : sequence of xarray.Dataset
        With the same frequencies, pixels or sites, exposure and frames.
    dim : str
        Name of the new dimension.
    values : array_like, optional
        Its coordinate, for example temperatures (K); by default 0, 1, 2, ...

    Returns
    -------
    xarray.Dataset
        A sweep; what does not depend on the frequency is that of the first.

    Raises
    ------
    LayoutError
        If the sweeps differ in their axes, exposure or frames.

    Examples
    --------
    >>> from vbsense.data import make_sweep
    >>> one = make_sweep(np.ones((3, 2, 2)), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7)
    >>> stack_sweeps([one, one, one]).signal.sizes["sweep"]
    3
    """
    sweeps = [require(sweep, "sweep") for sweep in sweeps]
    if not sweeps:
        raise ValueError("there are no sweeps to stack; give one or more")
    first = sweeps[0]
    if dim in first["signal"].dims:
        raise LayoutError(f"the sweeps have a dimension {dim!r} already; give another name, with dim=")
    for sweep in sweeps[1:]:
        for name in ("exposure", "frames"):
            if sweep.attrs.get(name) != first.attrs.get(name):
                raise LayoutError(f"{name} is {first.attrs.get(name)} in one sweep, {sweep.attrs.get(name)} in another")
    axis = xr.DataArray(np.arange(len(sweeps)) if values is None else np.asarray(values), dims=dim, name=dim)
    if axis.ndim != 1 or axis.size != len(sweeps):
        raise ValueError(f"values has shape {axis.shape}; there are {len(sweeps)} sweeps")
    axis.attrs["units"] = {"temperature": "K"}.get(dim, "1")
    growing = [str(name) for name, variable in first.data_vars.items() if "frequency" in variable.dims]
    try:
        return check_layout(xr.concat(sweeps, axis, data_vars=growing, coords="minimal", compat="override",
                                      join="exact", combine_attrs="override"))  # fmt: skip
    except (ValueError, KeyError) as error:
        if isinstance(error, LayoutError):
            raise
        raise LayoutError(f"the sweeps do not have the same axes: {str(error).splitlines()[0]}") from error


def sweep_seconds(fit: xr.Dataset) -> float:
    """Exposure time of one whole sweep of one polarity (s): exposure, frames and frequencies of a fit."""
    for name in ("exposure", "frames"):
        if name not in fit.attrs:
            raise LayoutError(f"the fit has no attribute {name!r}; sensitivity needs the light per second: set it")
        if not (is_number(fit.attrs[name]) and fit.attrs[name] > 0):
            raise LayoutError(f"attribute {name!r} of the fit is {fit.attrs[name]!r}; it must be positive")
    return float(fit.attrs["exposure"]) * float(fit.attrs["frames"]) * np.asarray(fit.attrs["frequency"]).size


def repeat_sensitivity(
    fit: xr.Dataset,
    defect: Defect = VB14N,
    *,
    dim: str = "sweep",
    bias: Any = (0, 0, 1),
    correction: HyperfineCorrection | None = None,
) -> xr.Dataset:
    """Scatter of the field over repeats times the root of the time of one: sensitivity as measured, drifts included.

    Parameters
    ----------
    fit : xarray.Dataset
        With the dimension `dim`, and `exposure` and `frames` in its attributes. With ``polarity`` the field is that
        of the current, and the time that of both.
    defect, bias, correction
        As in `field_map`.
    dim : str
        Along which the repeats lie.

    Returns
    -------
    xarray.Dataset
        `measured` and `measured_err` (T/sqrt(Hz)). A pixel that failed in one repeat is NaN.

    Raises
    ------
    LayoutError
        If there are no repeats, or exposure or frames are unknown.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> light = [sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, rng=k) for k in range(6)]
    >>> fits = analysis.fit_sweep(stack_sweeps([analysis.unmix(sweep) for sweep in light]))
    >>> bool(20e-6 < repeat_sensitivity(fits).measured.median() < 400e-6)
    True
    """
    seconds = sweep_seconds(fit) * (2 if "polarity" in fit["flags"].dims else 1)
    if dim not in fit["flags"].dims or fit.sizes[dim] < 2:
        raise LayoutError(f"the fit has dimensions {fit['flags'].dims}; repeats along {dim!r}, two or more, are needed")
    B = field_map(fit, defect, bias=bias, correction=correction)["B"].isel(component=0, drop=True)
    measured = B.std(dim, ddof=1, skipna=False) * np.sqrt(seconds)
    measured.attrs = {"units": "T/sqrt(Hz)", "long_name": "scatter of repeats times sqrt(exposure time of one)"}
    error = (measured / np.sqrt(2 * (fit.sizes[dim] - 1))).assign_attrs(units="T/sqrt(Hz)")
    return xr.Dataset({"measured": measured, "measured_err": error})
