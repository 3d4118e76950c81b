"""Four frequencies on the flanks of the two lines: fast, and what it costs in truth.

The signals ``s1 .. s4`` lie below and above the lower line, below and above the upper line. The combination
``s1 - s2 - s3 + s4`` grows with the splitting and not with the offset or, on symmetric lines, with D. It is linear in
the field only near the set point, and its scale is the contrast over the width: both must be known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.bounds.design import sweep_gain
from vbsense.bounds.field import choose_free, field_jacobian, field_variance
from vbsense.bounds.information import Noise
from vbsense.defect import VB14N, Defect
from vbsense.lineshape import Model, get_model

__all__ = ["FourPoints", "four_points"]

_SIGNS = np.array([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class FourPoints:
    """Four frequencies around a set point, and how to read them.

    Attributes
    ----------
    frequency : ndarray, (4,)
        Ascending (Hz).
    set_point : float
        Bz at which the reading is exact (T).
    level, signal, slope : float
        At the set point: mean of the four signals (electron), their combination over it, and its derivative by the
        field (1/T).
    gain : float
        Variance of the field from an even sweep with everything unknown over that of the four points, offset and D
        unknown, after the same time.
    """

    frequency: np.ndarray
    set_point: float
    level: float
    signal: float
    slope: float
    gain: float

    def read(self, light: Any) -> np.ndarray:
        """Field from four signals: linear around the set point, free of the brightness.

        Parameters
        ----------
        light : array_like, (..., 4)
            In any unit of light.

        Returns
        -------
        ndarray, (...)
            Bz (T).
        """
        light = np.asarray(light, dtype=float)
        return self.set_point + (light @ _SIGNS / light.mean(-1) - self.signal) / self.slope


def four_points(
    parameters: Any,
    *,
    detuning: float | None = None,
    model: str | Model = "gaussian",
    defect: Defect = VB14N,
    noise: Noise | None = None,
    sweep: Any = None,
) -> FourPoints:
    """Place four points on the flanks of two lines.

    Parameters
    ----------
    parameters : array_like, (p,)
        Of the lines at the set point, for example from `doublet`.
    detuning : float, optional
        Distance of the points from the line centres (Hz); by default where the flanks are steepest for their noise.
    model, defect, noise
        As in `vbsense.bounds.field_bound`.
    sweep : array_like, (n,), optional
        The even sweep that the gain compares with; by default 101 points over D +- 500 MHz.

    Returns
    -------
    FourPoints

    Raises
    ------
    ValueError
        If the lines lie below 2 E apart, or the detuning is not positive.

    Notes
    -----
    Gaussian lines of 150 MHz and 5 %, points at +-64 MHz, 5 mT: gain 3.2; a field 200 uT lower is read 1.0 uT too
    high, 200 uT higher 0.1 uT too high; 2 MHz of D cost 0.01 uT at the set point and 0.2 uT at +200 uT; a contrast
    5 % larger is a scale 5 % larger.

    Examples
    --------
    >>> from vbsense.bounds.field import doublet
    >>> lines = doublet(5e-3, fwhm=150e6, contrast=0.05, electrons=1e6)
    >>> points = four_points(lines, detuning=64e6)
    >>> round(points.gain, 1), (points.frequency / 1e6).round().tolist()
    (3.2, [3254.0, 3382.0, 3558.0, 3686.0])
    >>> light = get_model("gaussian").evaluate(points.frequency, doublet(
    ...     [4.8e-3, 5e-3, 5.2e-3], fwhm=150e6, contrast=0.05, electrons=3e5))
    >>> (points.read(light) * 1e6).round(1).tolist()                   # uT
    [4801.0, 5000.0, 5200.1]
    """
    parameters = np.asarray(parameters, dtype=float)
    model, noise = get_model(model), Noise() if noise is None else noise
    if detuning is None:
        detuning = _steepest(parameters, model, defect, noise)
    if not (np.isfinite(detuning) and detuning > 0):
        raise ValueError(f"detuning is {detuning!r}; it is a positive distance in Hz, for example 64e6")
    frequency = _around(parameters, model, detuning)
    values, jacobian = field_jacobian(frequency, parameters, model, defect)
    variance = float(field_variance(jacobian[choose_free(model, ("D", "offset"))], 4 * noise.variance(values)))
    if not np.isfinite(variance):
        raise ValueError(
            "four points do not tell the field here: the lines are 2 E apart, or the points lie beside them"
        )
    centers = [parameters[model.index(n)] for n in ("center_lower", "center_upper")]
    sweep = np.mean(centers) + np.linspace(-500e6, 500e6, 101) if sweep is None else sweep
    gain = sweep_gain(sweep, parameters, model, defect, noise, choose_free(model, None), variance)
    field = np.sqrt(((centers[1] - centers[0]) / 2) ** 2 - defect.E**2) / defect.gamma
    level, signal = values.mean(), values @ _SIGNS / values.mean()
    slope = jacobian[0] @ _SIGNS / level - signal * jacobian[0].mean() / level
    return FourPoints(frequency, float(field), float(level), float(signal), float(slope), gain)


def _around(parameters: np.ndarray, model: Model, detuning: float) -> np.ndarray:
    lower, upper = (parameters[model.index(n)] for n in ("center_lower", "center_upper"))
    return np.array([lower - detuning, lower + detuning, upper - detuning, upper + detuning])


def _steepest(parameters: np.ndarray, model: Model, defect: Defect, noise: Noise) -> float:
    """Detuning of the least error, tried in steps of a hundredth of the width of the whole dip."""
    if len(model.lines) != 2:
        raise ValueError(f"model {model.name!r} has not two lines with a width and a contrast; give a detuning")
    fwhm = parameters[model.lines[0][1]]
    reach = max(fwhm, 2 * (model.scale or 0.0))
    keep = choose_free(model, ("D", "offset"))
    tried = np.arange(0.02, 1.5, 0.01) * reach
    variance = []
    for detuning in tried:
        values, jacobian = field_jacobian(_around(parameters, model, detuning), parameters, model, defect)
        variance.append(field_variance(jacobian[keep], noise.variance(values)))
    return float(tried[int(np.argmin(variance))])
