"""A map of the field with the belief that currents made it: less noise for sites that tell little alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense._numbers import number
from vbsense.analysis._wire_data import read_map
from vbsense.data import LayoutError
from vbsense.layout import require

__all__ = ["smooth_field"]

_DISTANCES = 10e-9, 20e-6  # m: between which the distance of the currents is looked for


def smooth_field(field: xr.Dataset, *, distance: float | None = None, size: float | None = None) -> xr.Dataset:
    """Most likely field of every site if currents in a plane below made it; a regularised map.

    The noise of sites whose spots overlap is large and nearly alternates from site to site, which no field of currents
    some way below can do. With the full covariance of the map that noise goes. The price is a bias towards smooth
    fields, so that a wire is better fitted to the map itself.

    Parameters
    ----------
    field : xarray.Dataset
        Map of one component with errors; with `site_correlation` where sites share noise, as `fit_cube` gives it.
    distance : float, optional
        Of the plane of currents below the sensors (m). By default the most likely one.
    size : float, optional
        Standard deviation of the field of the currents (T). By default the most likely one.

    Returns
    -------
    xarray.Dataset
        The same map with the posterior mean for `B`, its standard deviation for `B_err` and its correlation for
        `site_correlation`. attrs: ``user_prior_distance`` (m) and ``user_prior_size`` (T), the prior that was used.
        Values that were NaN stay so.

    Raises
    ------
    LayoutError
        If the map has several components or no errors.
    ValueError
        If there are fewer than four valid values, or an option is not positive.

    Notes
    -----
    Prior: white noise for the sheet current in a plane at distance d below. The field falls off as exp(-k d) in
    Fourier space, so that the covariance of two sites r apart is ``size^2 (1 + (r / 2d)^2)^(-3/2)``. A constant under
    it, such as the bias, is free. Distance and size maximise the evidence (marginal likelihood) of the map: nothing
    is tuned by hand.

    Examples
    --------
    >>> import vbsense as vb
    >>> array = vb.SensorArray(pitch=300e-9, shape=(6, 6))
    >>> truth = array.average(vb.Ribbon((0, -1e-3, 0), (0, 1e-3, 0), 1e-6, 1e-3).field, standoff=150e-9)[:, 2]
    >>> sites = vb.data.make_site_sweep(np.ones((2, 36)), [3e9, 3.1e9], x=array.x, y=array.y,
    ...                                 row=array.row, column=array.column)
    >>> noise = np.random.default_rng(1).normal(0, 100e-6, 36)
    >>> noisy = vb.data.make_site_map(truth + noise, sites=sites, error=np.full(36, 100e-6))
    >>> got = smooth_field(noisy)
    >>> bool(np.std(got.B.values - truth) < 0.7 * noise.std())
    True
    """
    require(field, "map")
    data = read_map(field)
    if len(data.components) != 1 or not data.known_error:
        raise LayoutError("the map has several components or no B_err; smoothing needs one component with errors")
    given = {name: None if v is None else number(name, v, unit, positive=True)
             for name, v, unit in (("distance", distance, "m"), ("size", size, "T"))}  # fmt: skip
    good = data.good[0]
    if good.sum() < 4:
        raise ValueError(f"the map has {int(good.sum())} valid values; smoothing needs at least 4")
    B, error, root = data.B[0, good], data.error[0, good], data.roots[0]
    noise = (np.eye(B.size) if root is None else root @ root.T) * np.outer(error, error)
    apart = np.hypot(np.subtract.outer(data.x[good], data.x[good]), np.subtract.outer(data.y[good], data.y[good]))
    d, a = _most_likely(B, noise, apart, **given)
    mean, covariance = _posterior(B, noise, _prior(apart, d, a))
    return _as_map(field, good, mean, covariance, d, a)


def _prior(apart: np.ndarray, distance: float, size: float) -> np.ndarray:
    return size**2 * (1 + (apart / (2 * distance)) ** 2) ** -1.5


def _most_likely(
    B: np.ndarray, noise: np.ndarray, apart: np.ndarray, distance: float | None, size: float | None
) -> tuple[float, float]:
    """Distance and size of the largest evidence, those that are given kept."""
    from scipy.optimize import minimize

    low, high = np.log(_DISTANCES)
    start = [np.log(np.median(apart[apart > 0])), np.log(max(B.std(), 1e-12))]

    def both(p: np.ndarray) -> tuple[float, float]:
        it: Any = iter(p)
        d = float(np.exp(np.clip(next(it), low, high))) if distance is None else distance
        return d, float(np.exp(next(it))) if size is None else size

    free = [s for s, v in zip(start, (distance, size), strict=True) if v is None]
    if not free:
        return both(np.zeros(0))
    found = minimize(
        lambda p: _surprise(B, noise + _prior(apart, *both(p))), free, method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-3, "maxiter": 400},
    )  # fmt: skip
    return both(found.x)


def _surprise(B: np.ndarray, covariance: np.ndarray) -> float:
    """Minus the logarithm of the evidence, the constant integrated out."""
    try:
        root = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return np.inf
    w = np.linalg.solve(root, np.column_stack([B, np.ones(B.size)]))
    told = w[:, 1] @ w[:, 1]
    left = w[:, 0] - w[:, 1] * (w[:, 0] @ w[:, 1]) / told
    return float(left @ left / 2 + np.log(np.diag(root)).sum() + np.log(told) / 2)


def _posterior(B: np.ndarray, noise: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of constant plus field of the currents."""
    inverse = np.linalg.inv(noise + prior)
    ones = np.ones(B.size)
    told = ones @ inverse @ ones
    constant = (inverse @ ones) / told  # weights of the values in the constant
    gain = np.outer(ones, constant) + prior @ inverse @ (np.eye(B.size) - np.outer(ones, constant))
    # The constant is told by the data alone: the error is that of the gain on noise and on what the prior allows.
    rest = np.eye(B.size) - gain
    return gain @ B, gain @ noise @ gain.T + rest @ prior @ rest.T


def _as_map(
    field: xr.Dataset, good: np.ndarray, mean: np.ndarray, covariance: np.ndarray, d: float, a: float
) -> xr.Dataset:
    B, error = np.full(good.size, np.nan), np.full(good.size, np.nan)
    sigma = np.sqrt(np.diag(covariance))
    B[good], error[good] = mean, sigma
    result = field.copy()
    shape = field["B"].shape
    result["B"] = (field["B"].dims, B.reshape(shape), field["B"].attrs)
    result["B_err"] = (field["B"].dims, error.reshape(shape), {"units": "T"})
    if "site" in field["B"].dims:
        correlation = np.eye(good.size)
        correlation[np.ix_(good, good)] = covariance / np.outer(sigma, sigma)
        result["site_correlation"] = (("site", "site2"), correlation, {"units": "1"})
    return result.assign_attrs(user_prior_distance=d, user_prior_size=a)
