"""The slope sensitivity of fits: a formula where the shape has one, else the steepest point of the model itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from vbsense.analysis.fitted import model_of, parameters_of
from vbsense.bounds import SLOPE_FACTOR, model_jacobian, slope_sensitivity, steepest_slope
from vbsense.data import LayoutError
from vbsense.defect import Defect
from vbsense.lineshape import Model

__all__ = ["mean_of_lines", "slope_of", "with_medians"]


def slope_of(fit: xr.Dataset, defect: Defect) -> np.ndarray:
    """Shot-noise limit at the steepest point (T/sqrt(Hz)), in the shape of the fit; see `sensitivity`."""
    model = model_of(fit, defect)
    rate = fit["offset"].values / float(fit.attrs["exposure"])
    with np.errstate(invalid="ignore", divide="ignore"):
        if "Bz" in model.parameters:
            return _steepest_in_field(fit, model) / np.sqrt(rate)
        fwhm, contrast = mean_of_lines(fit, "fwhm"), mean_of_lines(fit, "contrast")
        shape = model.name.split("+")[0]
        if shape in SLOPE_FACTOR:
            return slope_sensitivity(fwhm, contrast, rate, shape, defect)
        return 1 / (_steepest(fit, model, fwhm) * defect.gamma * contrast * np.sqrt(rate))


def mean_of_lines(fit: xr.Dataset, word: str) -> np.ndarray:
    """Mean of a parameter of the two lines, or the one that they share."""
    names = [word] if word in fit and word != "center" else [f"{word}_lower", f"{word}_upper"]
    missing = [name for name in names if name not in fit]
    if missing:
        raise LayoutError(f"the fit has no {missing[0]!r}; a sensitivity needs a model of two lines, or 'hamiltonian'")
    return np.mean([fit[name].values for name in names], axis=0)


def _steepest(fit: xr.Dataset, model: Model, fwhm: np.ndarray) -> np.ndarray:
    """Largest slope of one line of unit contrast (1/Hz), which is smooth in the width."""
    known = fwhm[np.isfinite(fwhm)]
    if known.size == 0:
        return np.full(fwhm.shape, np.nan)
    one = with_medians(fit, model)
    widths = np.geomspace(known.min(), known.max() * (1 + 1e-9), 64)
    return np.interp(fwhm, widths, [steepest_slope(one, width) for width in widths])


def with_medians(fit: xr.Dataset, model: Model) -> Model:
    """The model, with what a line has besides place, width and depth expected at its median."""
    common = ("offset", "center", "fwhm", "contrast")
    others = [n for n in model.parameters if not n.startswith(common) and model.units[model.index(n)] == "1"]
    medians = {name: float(np.nanmedian(fit[name].values)) for name in others}
    return replace(model, bounds={**model.bounds, **{n: (v - 1e-9, v + 1e-9) for n, v in medians.items()}})


def _steepest_in_field(fit: xr.Dataset, model: Model) -> np.ndarray:
    """Inverse of the largest derivative by Bz of the spectrum, over the light beside the lines (T)."""
    parameters = parameters_of(fit, model)
    good = np.isfinite(parameters).all(-1) & (parameters[..., model.index("offset")] > 0)
    result = np.full(good.shape, np.nan)
    if good.any():
        frequency = np.asarray(fit.attrs["frequency"])
        fine = np.linspace(frequency[0], frequency[-1], 401)
        _, jacobian = model_jacobian(model, fine, parameters[good])
        largest = np.abs(jacobian[:, model.index("Bz")]).max(-1)
        result[good] = parameters[good][:, model.index("offset")] / largest
    return result
