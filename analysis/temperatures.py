"""From fitted lines to the zero-field splitting, and to the temperature that it tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.correction import HyperfineCorrection
from vbsense.analysis.fieldlayout import kept_attributes, map_dims, split_polarity
from vbsense.analysis.fitted import variance_of
from vbsense.analysis.shifts import expected_lines, transverse_bias
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.flags import FLAGS
from vbsense.flags import attributes as flag_attributes
from vbsense.layout import MAP, require

__all__ = ["temperature_map"]


def temperature_map(
    fit: xr.Dataset,
    defect: Defect = VB14N,
    *,
    bias: Any = None,
    correction: HyperfineCorrection | None = None,
) -> xr.Dataset:
    """Zero-field splitting and temperature of every pixel or site.

    D is the mean of the two lines less what moves both: the nuclei (for VB14N 5 MHz at 10 mT and 8 MHz at 20 mT, which
    are 8 and 13 K) and the part of the bias across c. A fit of the Hamiltonian model holds D itself.

    Parameters
    ----------
    fit : xarray.Dataset
        Of two lines or of the Hamiltonian model. With the dimension ``polarity`` the result is the mean of the pair,
        for what a current heats does not know its sign.
    defect : Defect
        Its nuclei, D and `dD_dT`. The temperature counts from that of the defect, at which its D holds: give
        ``VB14N.at(D=...)`` with the D that was measured there.
    bias : (3,) array_like, optional
        Bias field (T), for its part across c; by default from the attributes, else along c.
    correction : HyperfineCorrection, optional
        From `hyperfine_correction`: the shift is then what the model of the fit reads in exact spectra of that
        linewidth, within 0.05 MHz. Without it, it is the shift of the centres of gravity, from which a Gaussian differs
        by some 0.5 MHz near 10 mT and a Lorentzian by 1 MHz (0.8 and 1.6 K), nearly the same for all pixels.

    Returns
    -------
    xarray.Dataset
        A map with `D` and `D_err` (Hz), `sensor_temperature` and `sensor_temperature_err` (K), `flags`, in the
        dimensions of the fit without polarity. "no_field" is set where the lines are closer than any field along with
        this bias makes them, or their temperature would lie below zero. Differences from pixel to pixel are safer than
        absolute values: 1 MHz in the D of the defect is 1.6 K, and its `dD_dT`, whose error is not counted, is widely
        quoted but unverified for the presets.

    Raises
    ------
    LayoutError
        If the fit has neither two lines nor D.
    ValueError
        If the defect has no `dD_dT`.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
    >>> warm = temperature_map(analysis.fit_sweep(analysis.unmix(sweep), covariance=True))
    >>> bool((abs(warm.sensor_temperature - 295) < 5 * warm.sensor_temperature_err + 2).all())
    True
    """
    require(fit, "fit")
    if not isinstance(defect, Defect):
        raise TypeError(f"defect is {defect!r:.80}; give a vbsense.Defect, such as vbsense.VB14N")
    if not defect.dD_dT:
        raise ValueError(f"dD_dT of {defect.name!r} is 0, so D tells no temperature; give VB14N.at(dD_dT=...) in Hz/K")
    D, gradient, flags = _splitting(fit, defect, bias, correction)
    variance = np.where(np.isnan(D), np.nan, variance_of(fit, gradient))
    if "polarity" in fit["flags"].dims:
        first, second = zip(*(split_polarity(fit, values) for values in (D, variance, flags)), strict=True)
        D, variance, flags = (first[0] + second[0]) / 2, (first[1] + second[1]) / 4, first[2] | second[2]
    return _dataset(fit, defect, D, np.sqrt(variance), flags)


def _splitting(
    fit: xr.Dataset, defect: Defect, bias: Any, correction: HyperfineCorrection | None
) -> tuple[np.ndarray, Mapping[str, Any], np.ndarray]:
    """D (Hz), its derivatives by the parameters of the fit, and flags, all in the shape of the fit."""
    flags = fit["flags"].values
    if "Bz" in fit and "D" in fit:
        if correction is not None:
            raise LayoutError("a fit of the Hamiltonian model holds D already: leave the correction out")
        shift, slope = _tilt(fit["Bz"].values, defect, transverse_bias(fit, bias))
        return fit["D"].values - shift, {"D": 1.0, "Bz": -slope}, flags
    table = expected_lines(fit, defect, bias=bias, correction=correction)
    lower, upper = fit["center_lower"].values, fit["center_upper"].values
    shift, slope = table.interpolate((table.lower + table.upper) / 2 - defect.D, (upper - lower) / 2)
    D = (lower + upper) / 2 - shift
    lost = np.isnan(D) & np.isfinite(lower)
    close = lost & ((upper - lower) / 2 < _closest(defect, transverse_bias(fit, bias)))
    flags = flags | np.where(close, FLAGS["no_field"].bit, np.where(lost, FLAGS["outside_correction"].bit, 0))
    return D, {"center_lower": (1 + slope) / 2, "center_upper": (1 - slope) / 2}, flags


def _closest(defect: Defect, across: np.ndarray) -> float:
    """Least half of the splitting (Hz) that fields with the part `across` c have, near zero along c."""
    from vbsense.spin import transitions

    along = np.linspace(0, 5e-3, 51)
    lines = transitions(np.column_stack([np.broadcast_to(across, (along.size, 2)), along]), defect)
    return float(np.diff(lines, axis=-1).min() / 2)


def _tilt(Bz: np.ndarray, defect: Defect, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift of the mean of the electron lines by the part of the field across c, and its slope (Hz/T)."""
    from scipy.interpolate import CubicSpline

    from vbsense.spin import transitions

    if not across.any() or not np.isfinite(Bz).any():
        return np.zeros(Bz.shape), np.zeros(Bz.shape)
    along = np.linspace(0.98 * np.nanmin(Bz), 1.02 * np.nanmax(Bz) + 1e-6, 33)
    tilted = np.column_stack([np.broadcast_to(across, (along.size, 2)), along])
    spline = CubicSpline(along, (transitions(tilted, defect) - transitions(tilted * [0, 0, 1], defect)).mean(-1))
    return spline(Bz), spline(Bz, 1)


def _dataset(fit: xr.Dataset, defect: Defect, D: np.ndarray, error: np.ndarray, flags: np.ndarray) -> xr.Dataset:
    dims = map_dims(fit)
    slope = f"{defect.dD_dT / 1e6:g} MHz/K of {defect.name} ({defect.source or 'source not given'})"
    comment = f"{defect.temperature:g} K at D = {defect.D / 1e6:g} MHz, slope {slope}; errors of these are not counted"
    kelvin = {"units": "K", "comment": comment}
    temperature = defect.temperature + (D - defect.D) / defect.dD_dT
    with np.errstate(invalid="ignore"):
        flags = flags | np.where(temperature < 0, FLAGS["no_field"].bit, 0)
    return xr.Dataset(
        {
            "D": (dims, D, {"units": "Hz", "long_name": "zero-field splitting"}),
            "D_err": (dims, error, {"units": "Hz"}),
            "sensor_temperature": (dims, temperature, kelvin),
            "sensor_temperature_err": (dims, error / abs(defect.dD_dT), {"units": "K"}),
            "flags": (dims, flags.astype(np.uint16), flag_attributes()),
        },
        coords={name: c for name, c in fit.coords.items() if set(c.dims) <= set(dims) and name != "polarity"},
        attrs={"schema": MAP} | kept_attributes(fit),
    )
