"""One line: its slope sensitivity, and how well its centre can be known."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.lineshape import Model, get_model

__all__ = ["SLOPE_FACTOR", "line_position_error", "slope_sensitivity", "steepest_slope"]

# Dreau et al., Phys. Rev. B 84, 195204 (2011); Barry et al., arXiv:1903.08176: width over largest slope.
SLOPE_FACTOR = {"lorentzian": 4 / (3 * np.sqrt(3)), "gaussian": np.sqrt(np.e / (8 * np.log(2)))}
# Least-squares error of the centre of one isolated, evenly sampled line (the integral of slope squared).
_POSITION_FACTOR = {"lorentzian": np.sqrt(2 / np.pi), "gaussian": (2 * np.pi * np.log(2)) ** -0.25}


def slope_sensitivity(fwhm: Any, contrast: Any, rate: Any, shape: str = "gaussian", defect: Defect = VB14N) -> Any:
    """Shot-noise limited sensitivity at the steepest point of one line, ``P fwhm / (gamma C sqrt(R))``.

    Parameters
    ----------
    fwhm : array_like
        Full width at half maximum (Hz).
    contrast : array_like
        Depth of the line as a fraction of the light beside it.
    rate : array_like
        Detected electrons per second beside the line.
    shape : {"gaussian", "lorentzian"}
        Gives P: 0.700 or 0.770.
    defect : Defect
        Gives gamma; the splitting E is left out.

    Returns
    -------
    ndarray or float
        T/sqrt(Hz).

    Examples
    --------
    >>> round(float(slope_sensitivity(20e6, 0.30, 170e3, "lorentzian")) * 1e6, 2)      # uT/sqrt(Hz)
    4.45
    """
    fwhm, contrast, rate = (np.asarray(v, dtype=float) for v in (fwhm, contrast, rate))
    return _factor(SLOPE_FACTOR, shape) * fwhm / (defect.gamma * contrast * np.sqrt(rate))


def line_position_error(fwhm: Any, contrast: Any, electrons: Any, step: Any, shape: str = "gaussian") -> Any:
    """Cramer-Rao bound on the centre of one isolated line that is sampled every `step`.

    Parameters
    ----------
    fwhm, step : array_like
        Width and sampling step (Hz).
    contrast : array_like
        Depth as a fraction of the light beside the line, small against 1.
    electrons : array_like
        Detected electrons per point beside the line.
    shape : {"gaussian", "lorentzian"}
        Line shape.

    Returns
    -------
    ndarray or float
        One sigma (Hz).

    Examples
    --------
    >>> round(float(line_position_error(150e6, 0.05, 1e6, 10e6)) / 1e6, 3)             # MHz
    0.536
    """
    fwhm, contrast, electrons, step = (np.asarray(v, dtype=float) for v in (fwhm, contrast, electrons, step))
    return _factor(_POSITION_FACTOR, shape) * np.sqrt(step * fwhm) / (contrast * np.sqrt(electrons))


def _factor(table: dict[str, float], shape: str) -> float:
    if shape not in table:
        raise ValueError(f"shape is {shape!r}; known are {', '.join(sorted(table))}")
    return table[shape]


def steepest_slope(model: str | Model, fwhm: float) -> float:
    """Largest slope of one line of unit contrast, of any shape.

    Parameters
    ----------
    model : str or Model
        With parameters fwhm and contrast, or fwhm_lower and contrast_lower.
    fwhm : float
        Full width at half maximum (Hz); of one line of a comb.

    Returns
    -------
    float
        1/Hz; ``1 / (slope gamma contrast sqrt(rate))`` is the slope sensitivity.

    Examples
    --------
    >>> round(1 / steepest_slope("gaussian", 150e6) / 150e6, 3)
    0.7
    """
    model = get_model(model)
    if not (np.isfinite(fwhm) and fwhm > 0):
        raise ValueError(f"fwhm is {fwhm!r}; it must be a positive width in Hz")
    center = 3.47e9
    reach = 2 * max(fwhm, 2 * (model.scale or 0.0))
    frequency = center + np.linspace(-reach, reach, 8001)
    one = {"offset": 1.0, "contrast": 1.0, "contrast_lower": 1.0, "contrast_upper": 0.0}
    one |= {name: center for name in model.positions} | {n: fwhm for n in model.parameters if n.startswith("fwhm")}
    p = [one.get(name, rest) for name, rest in zip(model.parameters, model.middle, strict=True)]
    return float(np.abs(np.gradient(model.evaluate(frequency, np.array(p)), frequency)).max())
