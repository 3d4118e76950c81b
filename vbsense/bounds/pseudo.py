"""The line shape nearest to a spectrum without noise: what a fit of that shape would settle on."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.bounds.information import model_jacobian
from vbsense.lineshape import Model, get_model

__all__ = ["nearest_parameters"]

_STEPS = 60
_DONE = 1e-9  # relative change of the sum of squares


def nearest_parameters(frequency: Any, light: Any, *, model: str | Model = "gaussian") -> np.ndarray:
    """Fit line shapes to spectra without noise, all at once.

    Parameters
    ----------
    frequency : array_like, (m,)
        Hz.
    light : array_like, (n, m)
        Spectra in electrons, with two dips.
    model : str or Model
        One of the shapes of `vbsense.lineshape` with two lines.

    Returns
    -------
    ndarray, (n, p)
        Parameters, NaN where the search ended nowhere: no dips, or dips outside the points.

    Notes
    -----
    Levenberg-Marquardt with the scaling of J. J. Moré (1978), weights 1 / light as shot noise gives them. Such
    parameters are what maximum likelihood tends to if the model is wrong: H. White, Econometrica 50, 1 (1982).

    Examples
    --------
    >>> from vbsense.bounds.field import doublet
    >>> sweep, lines = np.linspace(2.97e9, 3.97e9, 101), doublet(8e-3, fwhm=150e6, contrast=0.05, electrons=1e6)
    >>> found = nearest_parameters(sweep, get_model("gaussian").evaluate(sweep, lines)[None])
    >>> bool(np.allclose(found, lines, rtol=1e-6))
    True
    """
    model, frequency = get_model(model), np.asarray(frequency, dtype=float)
    light = np.asarray(light, dtype=float)
    if light.ndim != 2 or light.shape[1] != frequency.size or not (np.isfinite(light) & (light > 0)).all():
        raise ValueError(f"light has shape {light.shape}; give positive spectra (n, {frequency.size}), in electrons")
    if len(model.lines) != 2:
        raise ValueError(f"model {model.name!r} has not two lines with center, fwhm and contrast")
    level = light.max(axis=1, keepdims=True)
    parameters = _minimise(model, frequency, light / level, _start(model, frequency, light / level))
    offset = model.index("offset")
    parameters[:, offset] *= level[:, 0]
    centers = parameters[:, [k for k, _, _ in model.lines]]
    depths = parameters[:, [k for _, _, k in model.lines]]
    inside = (centers > frequency.min()) & (centers < frequency.max()) & (depths > 0) & (depths < 1)
    parameters[~(inside.all(1) & (np.diff(centers, axis=1)[:, 0] > 0))] = np.nan
    return parameters


def _start(model: Model, frequency: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Each half of the dip area beside its centre of gravity makes a line."""
    top = light.max(axis=1, keepdims=True)
    dip = top - light
    area = np.maximum(np.cumsum(dip, axis=1), 1e-30)
    start = np.tile(model.middle, (len(light), 1))
    start[:, model.index("offset")] = top[:, 0]
    lower_half = area <= area[:, -1:] / 2
    for (center, fwhm, contrast), side in zip(model.lines, (lower_half, ~lower_half), strict=True):
        part = np.where(side, dip, 0.0)
        total = np.maximum(part.sum(1), 1e-30)
        mean = part @ frequency / total
        spread = np.sqrt((part * (frequency - mean[:, None]) ** 2).sum(1) / total)
        start[:, center] = mean
        # Of a comb the width is that of one line; its spread is mostly the comb's.
        start[:, fwhm] = np.maximum(1.8 * spread, 20e6) if model.scale is None else model.scale
        start[:, contrast] = np.clip(part.max(1), 1e-4, 0.9)
    return start


def _minimise(model: Model, frequency: np.ndarray, light: np.ndarray, p: np.ndarray) -> np.ndarray:
    weight = 1 / light
    values, by = model_jacobian(model, frequency, p)
    cost = (weight * (light - values) ** 2).sum(1)
    damping, p = np.full(len(p), 1e-2), p.copy()
    for _ in range(_STEPS):
        step = _step(by, weight, light - values, damping)
        trial = p + step
        widths = sorted({k for _, k, _ in model.lines})  # two lines may share one
        trial[:, widths] = np.maximum(trial[:, widths], 0.2 * p[:, widths])
        trial[:, model.index("offset")] = np.maximum(trial[:, model.index("offset")], 0.5)
        new_values, new_by = model_jacobian(model, frequency, trial)
        new_cost = (weight * (light - new_values) ** 2).sum(1)
        better = new_cost <= cost
        settled = np.abs(cost - new_cost) <= _DONE * cost + 1e-20
        p, values, by = _take(better, trial, p), _take(better, new_values, values), _take(better, new_by, by)
        cost = np.where(better, new_cost, cost)
        damping = np.clip(np.where(better, damping * 0.2, damping * 5), 1e-9, 1e9)
        if settled.all():
            break
    return p


def _step(by: np.ndarray, weight: np.ndarray, residual: np.ndarray, damping: np.ndarray) -> np.ndarray:
    normal = np.einsum("nim,nm,njm->nij", by, weight, by, optimize=True)
    right = np.einsum("nim,nm->ni", by, weight * residual)
    scale = np.sqrt(np.maximum(np.diagonal(normal, axis1=1, axis2=2), 1e-300))
    scaled = normal / (scale[:, :, None] * scale[:, None, :])
    scaled += (damping[:, None, None] + 1e-12) * np.eye(scale.shape[1])
    return np.linalg.solve(scaled, (right / scale)[..., None])[..., 0] / scale


def _take(choose: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(choose.reshape(-1, *[1] * (a.ndim - 1)), a, b)
