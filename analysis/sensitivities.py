"""How small a field a pixel or site can see: several definitions, each with its name.

===============  ==================================================================================================
``slope``        shot noise at the steepest point of one line: what papers quote as "sensitivity"
``bound``        shot noise of the whole sweep: the Cramer-Rao bound of its points, those beside the lines included
``sweep``        the error of the fit of the whole sweep, with all noise that it knows
``measured``     the scatter of repeats, drifts included
===============  ==================================================================================================

All are a field times the square root of a time, T/sqrt(Hz).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.field import read_field
from vbsense.analysis.fitted import model_of, parameters_of
from vbsense.analysis.fitted import variance_of as variance_of_field
from vbsense.analysis.repeats import sweep_seconds
from vbsense.analysis.steepness import mean_of_lines, slope_of
from vbsense.bounds import (
    Noise,
    field_bound,
    information,
    model_jacobian,
    variance_of,
)
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.layout import require
from vbsense.lineshape import Model

__all__ = ["describe_sensitivity", "sensitivity", "sensitivity_bound"]

_NAMES = {
    "slope": "slope, shot noise at the steepest point of one line",
    "bound": "bound, shot noise of the whole sweep (Cramer-Rao)",
    "sweep": "sweep, error of the fit times sqrt(exposure time of the sweep)",
    "measured": "measured, scatter of repeats times sqrt(exposure time of one)",
}
_UNITS = "T/sqrt(Hz)"
_AVERAGED = ("polarity", "sweep")  # dimensions along which the same is measured again


def sensitivity(fit: xr.Dataset, defect: Defect = VB14N) -> xr.Dataset:
    """Sensitivity of every pixel or site: what one line allows, and what the whole sweep reached.

    Parameters
    ----------
    fit : xarray.Dataset
        Of a model with two lines or of the Hamiltonian, with `exposure` and `frames` in its attributes.
    defect : Defect
        Its E and g.

    Returns
    -------
    xarray.Dataset
        ``slope``: shot-noise limit at the steepest point, ``P fwhm / (gamma C sqrt(R))`` with the mean
        width and contrast of the two lines, R the electrons per second beside them, and no factor for
        E (Dreau et al. 2011); for other shapes, combs among them, the steepest point of the model itself, with what
        else it has at its median. For the Hamiltonian model it is the steepest point of the spectrum in Bz, E and
        the nuclei included.
        ``sweep``: the error of Bz times the square root of the exposure time of the whole sweep of one
        polarity, points beside the lines included. Both in T/sqrt(Hz), with the dimensions of the fit;
        averaged over polarity and over repeats along ``sweep``.

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
    seconds = sweep_seconds(fit)
    B, gradient, _ = read_field(fit, defect)
    error = np.where(np.isnan(B), np.nan, np.sqrt(variance_of_field(fit, gradient)))
    return _dataset(fit, slope=slope_of(fit, defect), sweep=error * np.sqrt(seconds))


def sensitivity_bound(fit: xr.Dataset, defect: Defect = VB14N, *, noise: Noise | None = None) -> xr.Dataset:
    """The best that the points of the sweep allow: the Cramer-Rao bound at the fitted parameters.

    Parameters
    ----------
    fit : xarray.Dataset
        As for `sensitivity`.
    defect : Defect
        Its E and g.
    noise : Noise, optional
        By default shot noise, with the `read_noise` and `excess_noise` of the attributes where the signal is that of
        camera pixels. The light of sites told apart from their neighbours is noisier than this.

    Returns
    -------
    xarray.Dataset
        ``bound`` (T/sqrt(Hz)), averaged as there. What is not determined is infinite. A fit that is much worse
        than this (``sweep`` of `sensitivity`) has noise besides, or holds it against a wrong model.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
    >>> fit = analysis.fit_sweep(analysis.unmix(sweep), covariance=True)
    >>> bool((sensitivity_bound(fit).bound < sensitivity(fit).sweep * 1.05).all())
    True
    """
    require(fit, "fit")
    seconds = sweep_seconds(fit)
    model = model_of(fit, defect)
    noise = _noise(fit) if noise is None else noise
    parameters = parameters_of(fit, model)
    frequency = np.asarray(fit.attrs["frequency"])
    good = np.isfinite(parameters).all(-1) & (parameters[..., model.index("offset")] > 0)
    if "Bz" not in model.parameters:
        good = good & (mean_of_lines(fit, "center") > fit["center_lower"].values)  # not where lines fell together
    error = np.full(good.shape, np.nan)
    if good.any():
        error[good] = _error_bound(model, frequency, parameters[good], defect, noise)
    return _dataset(fit, bound=error * np.sqrt(seconds))


def _error_bound(model: Model, frequency: np.ndarray, parameters: np.ndarray, defect: Defect, noise: Noise) -> Any:
    """Cramer-Rao bound on Bz (T) of parameters (n, p)."""
    if "Bz" not in model.parameters:
        return field_bound(frequency, parameters, model=model, defect=defect, noise=noise)
    values, jacobian = model_jacobian(model, frequency, parameters)
    wanted = np.eye(len(model.parameters))[model.index("Bz")]
    return np.sqrt(variance_of(information(jacobian, noise.variance(values)), wanted))


def describe_sensitivity(*results: xr.Dataset) -> str:
    """One line for each definition, with its median and the range of nine in ten pixels.

    Parameters
    ----------
    *results : xarray.Dataset
        Of `sensitivity`, `sensitivity_bound` and `repeat_sensitivity`.

    Returns
    -------
    str

    Raises
    ------
    LayoutError
        If there is no sensitivity in them.

    Examples
    --------
    >>> eta = xr.Dataset({"slope": ("site", [70e-6, 74e-6, 80e-6], {"units": "T/sqrt(Hz)"})})
    >>> describe_sensitivity(eta)
    'slope, shot noise at the steepest point of one line: 74 uT/sqrt(Hz) (median of 3; 5-95 %: 70.4 to 79.4)'
    """
    lines = []
    for result in results:
        for name in (n for n in _NAMES if n in result):
            values = result[name].values[np.isfinite(result[name].values)] * 1e6
            if values.size == 0:
                lines.append(f"{_NAMES[name]}: no pixel has one")
                continue
            low, middle, high = np.percentile(values, (5, 50, 95))
            lines.append(
                f"{_NAMES[name]}: {middle:.3g} uT/sqrt(Hz) (median of {values.size}; 5-95 %: {low:.3g} to {high:.3g})"
            )
    if not lines:
        raise LayoutError(f"none of {', '.join(_NAMES)} is in the dataset; it is no sensitivity")
    return "\n".join(lines)


def _dataset(fit: xr.Dataset, **values: np.ndarray) -> xr.Dataset:
    """Sensitivities in the place of the fit, averaged over what repeats."""
    dims = tuple(map(str, fit["flags"].dims))
    repeated = [d for d in dims if d in _AVERAGED]
    left = tuple(d for d in dims if d not in _AVERAGED)
    coords = {name: c for name, c in fit.coords.items() if set(c.dims) <= set(left) and name not in _AVERAGED}
    data = {
        name: (
            left,
            xr.Variable(dims, v).mean(repeated, skipna=True).values,
            {"units": _UNITS, "long_name": _NAMES[name]},
        )
        for name, v in values.items()
    }
    return xr.Dataset(data, coords=coords)


def _noise(fit: xr.Dataset) -> Noise:
    pixels = "site" not in fit["flags"].dims
    return Noise(
        frames=float(fit.attrs["frames"]),
        read_noise=float(fit.attrs.get("read_noise", 0.0)) if pixels else 0.0,
        excess=float(fit.attrs.get("excess_noise", 1.0)),
    )
