"""A fit of wires as text, and warnings of what is not as it should be."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from vbsense.analysis._wire_model import WireModel
from vbsense.analysis._wire_parameters import UNITS, Parameters, base_of
from vbsense.analysis._wire_solve import Minimum

__all__ = ["correlation_of", "summary_of", "warn_of", "with_prefix"]

_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_ALIKE = 0.9999  # correlation of two currents above which the map hardly tells them apart
_TOLD = 0.95  # correlations above it are named


def correlation_of(covariance: np.ndarray) -> np.ndarray:
    """Correlations; NaN where there is no variance."""
    sigma = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        return covariance / np.outer(sigma, sigma)


def with_prefix(value: float, error: float, unit: str) -> str:
    """``101.2 ± 8.1 nm``: two digits of the error."""
    size = max(abs(value), error if np.isfinite(error) else 0.0)
    factor, prefix = 1.0, ""
    if unit in ("A", "m", "T"):
        factor, prefix = next((p for p in _PREFIXES if size >= p[0]), _PREFIXES[-1])
    if not (np.isfinite(error) and error > 0):
        return f"{value / factor:.6g} {prefix}{unit}"
    digits = int(np.clip(1 - np.floor(np.log10(error / factor)), 0, 12))
    return f"{value / factor:.{digits}f} ± {error / factor:.{digits}f} {prefix}{unit}"


def summary_of(fit: Any, priors: Mapping[str, tuple[float, float]]) -> str:
    """One line on the quality, one for each parameter, then what cannot be told apart well."""
    names = list(fit.values)
    quality = f"chi2 {fit.chi2:.1f} for {fit.degrees} degrees of freedom"
    if np.isnan(fit.reduced_chi2):
        quality = "errors from the scatter about the model"
    lines = [f"{fit.count} values, {len(names)} free parameters, {quality}"]
    width = max(map(len, names))
    for name in names:
        unit, error = UNITS[base_of(name)], fit.errors[name]
        notes = [] if np.isfinite(error) else ["on a bound"]
        if name in priors:
            notes.append("prior " + with_prefix(*priors[name], unit))
        text = with_prefix(fit.values[name], error, unit) + (f"  ({'; '.join(notes)})" if notes else "")
        lines.append(f"  {name:<{width}}  {text}")
    correlation = fit.correlation
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        if abs(correlation[i, j]) > _TOLD:
            lines.append(f"  {names[i]} and {names[j]} are correlated by {correlation[i, j]:+.4f}")
    return "\n".join(lines)


def warn_of(
    model: WireModel, parameters: Parameters, best: Minimum, covariance: np.ndarray, values: Mapping[str, float]
) -> None:
    """Warn of what is not as it should be."""
    if not best.converged:
        warnings.warn("the fit of the wire did not converge: start nearer, or free fewer", UserWarning, stacklevel=5)
    correlation = correlation_of(covariance)
    currents = [k for k, name in enumerate(parameters.free) if name.startswith("current")]
    for i in currents:
        for j in currents:
            if i < j and abs(correlation[i, j]) > _ALIKE:
                one, other = parameters.free[i], parameters.free[j]
                warnings.warn(
                    f"{one} and {other} are hardly told apart: their correlation is {correlation[i, j]:+.6f}",
                    UserWarning,
                    stacklevel=5,
                )
    x0, y0 = model.centre
    lift = values["tilt_x"] * (model.x - x0) + values["tilt_y"] * (model.y - y0)
    if values["standoff"] + lift.min() < model.array.mean_height * (1 - 1e-9):
        warnings.warn("the tilted layer cuts the top face of the wire: bound tilt or stand-off", UserWarning,
                      stacklevel=5)  # fmt: skip
