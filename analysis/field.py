"""From fitted lines to the magnetic field."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.correction import HyperfineCorrection
from vbsense.data import LayoutError, make_map, make_site_map
from vbsense.defect import VB14N, Defect
from vbsense.flags import FLAGS
from vbsense.layout import require

__all__ = ["apparent_field", "field_map"]


def apparent_field(lower: Any, upper: Any, defect: Defect = VB14N) -> np.ndarray:
    """|Bz| from two line centres, ``sqrt(((f+ - f-)/2)^2 - E^2)/gamma``; NaN where the splitting is below 2 E.

    Exact for an electron spin in a field along c; fitted centres carry hyperfine shifts besides
    (see `hyperfine_correction`).

    Parameters
    ----------
    lower, upper : array_like
        Centres (Hz).
    defect : Defect
        Its E and g.

    Returns
    -------
    ndarray
        T.

    Examples
    --------
    >>> import vbsense as vb
    >>> float(apparent_field(*vb.transitions([0, 0, 5e-3])).round(9))
    0.005
    """
    square = ((np.asarray(upper, dtype=float) - np.asarray(lower, dtype=float)) / 2) ** 2 - defect.E**2
    return np.sqrt(np.where(square >= 0, square, np.nan)) / defect.gamma


def field_map(
    fit: xr.Dataset,
    defect: Defect = VB14N,
    *,
    bias: Any = None,
    correction: HyperfineCorrection | None = None,
) -> xr.Dataset:
    """Field along c of every pixel or site, with its error.

    Parameters
    ----------
    fit : xarray.Dataset
        Of a doublet model. With the dimension ``polarity`` the result is the field of the current at
        polarity +1, half the difference of the two, free of what both have in common.
    defect : Defect
        Its E and g.
    bias : (3,) array_like, optional
        Bias field (T), whose sign along c the field takes; by default from the attributes.
    correction : HyperfineCorrection, optional
        From `hyperfine_correction`; without it the shifts of the hyperfine structure stay in.

    Returns
    -------
    xarray.Dataset
        A map with `B` and `B_err` (T), component "z"; `flags` of the fits (either polarity); with
        polarity also `B_common`, the mean of the two; `site_correlation` where the fit has it.

    Raises
    ------
    LayoutError
        If the fit has no two lines, or other leading dimensions than polarity.
    ValueError
        If the sign of the bias along c is unknown.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
    >>> field = field_map(analysis.fit_sweep(analysis.unmix(sweep)))
    >>> field.B.dims, bool((abs(field.B - 10e-3) < 2e-3).all())
    (('component', 'site'), True)
    """
    require(fit, "fit")
    _check_doublet(fit)
    sign = _sign(fit, bias)
    B = sign * apparent_field(fit["center_lower"].values, fit["center_upper"].values, defect)
    half = (fit["center_upper"].values - fit["center_lower"].values) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(half / (defect.gamma**2 * B)) * _half_splitting_error(fit)
    flags = fit["flags"].values | np.where(np.isnan(B) & np.isfinite(half), FLAGS["below_splitting"].bit, 0)
    if correction is not None:
        error = error * np.abs(correction.slope(np.abs(B)))
        corrected = np.sign(B) * correction.apply(np.abs(B))
        flags = flags | np.where(np.isnan(corrected) & np.isfinite(B), FLAGS["outside_correction"].bit, 0)
        B = corrected
    return _combine(fit, B, error, flags)


def _check_doublet(fit: xr.Dataset) -> None:
    missing = [name for name in ("center_lower", "center_upper") if name not in fit]
    if missing:
        raise LayoutError(f"the fit has no {missing[0]!r}; a field needs a doublet model such as 'gaussian'")
    extra = [str(d) for d in fit["flags"].dims if d not in ("polarity", "y", "x", "site")]
    if extra:
        raise LayoutError(f"the fit has the dimension {extra[0]!r}; average it (vbsense.data.average) or select one")


def _sign(fit: xr.Dataset, bias: Any) -> float:
    bias = np.asarray(fit.attrs.get("bias_field", np.nan) if bias is None else bias, dtype=float)
    if bias.shape != (3,) or not np.isfinite(bias).all() or bias[2] == 0:
        raise ValueError(
            f"bias is {bias.tolist()!r}; the sign of the field needs a bias with a part along c: "
            "pass bias=(0, 0, 10e-3) in T"
        )
    return float(np.sign(bias[2]))


def _half_splitting_error(fit: xr.Dataset) -> np.ndarray:
    variance = fit["center_lower_err"].values ** 2 + fit["center_upper_err"].values ** 2
    if "covariance" in fit:
        mixed = fit["covariance"].sel(parameter="center_lower", parameter2="center_upper")
        variance = variance - 2 * mixed.transpose(*fit["flags"].dims).values
    return np.sqrt(variance) / 2


def _combine(fit: xr.Dataset, B: np.ndarray, error: np.ndarray, flags: np.ndarray) -> xr.Dataset:
    dims = fit["flags"].dims
    common = None
    if "polarity" in dims:
        axis = dims.index("polarity")
        order = np.argsort(-np.sign(fit["polarity"].values))
        if sorted(np.sign(fit["polarity"].values)) != [-1, 1]:
            raise LayoutError(f"polarity is {fit['polarity'].values.tolist()}; a pair needs +1 and -1")
        plus, minus = np.take(B, order, axis)[0], np.take(B, order, axis)[1]
        B, common = (plus - minus) / 2, (plus + minus) / 2
        error = np.sqrt((error**2).sum(axis)) / 2
        flags = np.bitwise_or.reduce(flags, axis)
    kept = {k: v for k, v in fit.attrs.items() if k in _KEPT or str(k).startswith(("user_", "truth_"))}
    if "site" in dims:
        result = make_site_map(B, sites=fit, error=error, **kept)
    else:
        result = make_map(B, pixel_size=_pixel_size(fit), error=error, **kept)
        result = result.assign_coords(y=fit["y"], x=fit["x"])  # a part of a picture keeps its place
    tail = [d for d in dims if d != "polarity"]
    result["flags"] = (tail, flags.astype(np.uint16), fit["flags"].attrs)
    if common is not None:
        result["B_common"] = (tail, common, {"units": "T"})
    if "site_correlation" in fit:
        result["site_correlation"] = fit["site_correlation"]
    return result


def _pixel_size(fit: xr.Dataset) -> float:
    for axis in ("x", "y"):
        if fit.sizes[axis] > 1:
            return float(fit[axis][1] - fit[axis][0])
    return float(fit.attrs.get("pixel_size", np.nan))


_KEPT = {
    "bias_field", "created", "current", "exposure", "frames", "power", "psf_fwhm", "seed", "sensor_array",
    "temperature",
}  # fmt: skip
