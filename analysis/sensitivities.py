"""How small a field a pixel or site can see: two definitions, always given together."""

from __future__ import annotations

import numpy as np
import xarray as xr

from vbsense.analysis.field import field_map
from vbsense.bounds import SLOPE_FACTOR, slope_sensitivity
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.layout import require
from vbsense.lineshape import get_model

__all__ = ["sensitivity"]


def sensitivity(fit: xr.Dataset, defect: Defect = VB14N) -> xr.Dataset:
    """Sensitivity of every pixel or site.

    Parameters
    ----------
    fit : xarray.Dataset
        Of a doublet model, with `exposure` and `frames` in its attributes.
    defect : Defect
        Its E and g.

    Returns
    -------
    xarray.Dataset
        ``slope``: shot-noise limit at the steepest point, ``P fwhm / (gamma C sqrt(R))`` with the mean
        width and contrast of the two lines, R the electrons per second beside them, and no factor for
        E (Dreau et al. 2011); for other shapes, combs among them, the steepest point of the model itself.
        ``sweep``: the error of Bz times the square root of the exposure time of the whole sweep of one
        polarity, points beside the lines included. Both in T/sqrt(Hz), with the dimensions of the fit;
        averaged over polarity.

    Raises
    ------
    LayoutError
        If exposure or frames are unknown.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
    >>> eta = sensitivity(analysis.fit_sweep(analysis.unmix(sweep)))
    >>> bool(20e-6 < eta.slope.median() < 200e-6)
    True
    """
    require(fit, "fit")
    for name in ("exposure", "frames"):
        if name not in fit.attrs:
            raise LayoutError(f"the fit has no attribute {name!r}; sensitivity needs the light per second: set it")
    if "polarity" in fit["flags"].dims:
        each = [sensitivity(fit.isel(polarity=k, drop=True), defect) for k in range(fit.sizes["polarity"])]
        mean = xr.concat(each, "polarity").mean("polarity", keep_attrs=True)
        return mean.assign({name: mean[name].assign_attrs(each[0][name].attrs) for name in mean.data_vars})
    dims = fit["flags"].dims
    fwhm = (fit["fwhm_lower"] + fit["fwhm_upper"]).values / 2
    contrast = (fit["contrast_lower"] + fit["contrast_upper"]).values / 2
    exposure = float(fit.attrs["exposure"])
    slope = _slope(str(fit.attrs.get("model", "gaussian")), fwhm, contrast, fit["offset"].values / exposure, defect)
    seconds = exposure * float(fit.attrs["frames"]) * np.asarray(fit.attrs["frequency"]).size
    sweep = field_map(fit, defect, bias=(0, 0, 1))["B_err"].isel(component=0).values * np.sqrt(seconds)
    coords = {name: c for name, c in fit.coords.items() if set(c.dims) <= set(dims)}
    units = {"units": "T/sqrt(Hz)"}
    return xr.Dataset(
        {
            "slope": (dims, slope, units | {"long_name": "slope, shot noise, one line"}),
            "sweep": (dims, sweep, units | {"long_name": "error of Bz times sqrt(exposure time of the sweep)"}),
        },
        coords=coords,
    )


def _slope(model: str, fwhm: np.ndarray, contrast: np.ndarray, rate: np.ndarray, defect: Defect) -> np.ndarray:
    if model in SLOPE_FACTOR:
        return slope_sensitivity(fwhm, contrast, rate, model, defect)
    known = fwhm[np.isfinite(fwhm)]
    if known.size == 0:
        return np.full(fwhm.shape, np.nan)
    widths = np.geomspace(known.min(), known.max() * (1 + 1e-9), 64)
    steepest = np.array([_steepest(model, width) for width in widths])  # 1/Hz, smooth in the width
    return 1 / (np.interp(fwhm, widths, steepest) * defect.gamma * contrast * np.sqrt(rate))


def _steepest(model: str, fwhm: float) -> float:
    """Largest slope of one line of unit contrast (1/Hz)."""
    center = 3.47e9
    frequency = center + np.linspace(-4, 4, 8001) * max(fwhm, 60e6)
    one = {"offset": 1.0, "contrast_lower": 1.0, "contrast_upper": 0.0}
    p = [one.get(name, center if name.startswith("center") else fwhm) for name in get_model(model).parameters]
    return float(np.abs(np.gradient(get_model(model).evaluate(frequency, np.array(p)), frequency)).max())
