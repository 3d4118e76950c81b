"""What a lattice leaves over: single bad pixels, and spots that are not on it. Lengths are in pixels."""

from __future__ import annotations

import numpy as np

from vbsense.analysis._lattice_fit import Fitted, Problem, places
from vbsense.analysis._lattice_spots import FWHM

__all__ = ["disturbed", "lasting", "outliers"]

SIGMAS = 6.0
APART = 0.3  # full widths: a stray spot nearer to a site is taken for that site
BRIGHT = 0.15  # of the light of a usual spot
WARM = 0.05  # of the brightest pixel of a usual spot


def outliers(problem: Problem, fitted: Fitted, usual: float) -> tuple[np.ndarray, np.ndarray]:
    """Bad pixels (ny, nx), and stray spots (k, 3): x, y, light.

    A stray spot stands out more in the sum over a spot than in any pixel; a bad pixel does not. Where the model is
    not perfect, residuals are large everywhere; then only what stands out of them counts.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter

    width = float(np.sqrt(fitted.model.geometry[6] ** 2 + problem.footprint.variance + 1 / 12))
    residual, good = fitted.residual, problem.good
    noise = np.sqrt(problem.light.variance(fitted.expected))
    gain = 2 * np.sqrt(np.pi) * width  # of the sum over a spot against one pixel
    score = gain * gaussian_filter(residual, width, mode="constant")
    spread = max(1.0, 1.4826 * float(np.median(np.abs(residual[good]))))
    wide = max(1.0, 1.4826 * float(np.median(np.abs(score[good]))))
    peak = usual / (2 * np.pi * width**2)
    bad = good & (np.abs(residual) > SIGMAS * spread) & (np.abs(residual) * noise > WARM * peak)
    near = maximum_filter(np.abs(residual), size=3)
    light = score * noise * gain
    stray = (score == maximum_filter(score, size=2 * int(np.ceil(width)) + 1)) & (score > SIGMAS * wide)
    stray &= (light > BRIGHT * usual) & (score > 1.2 * near)
    row, column = np.nonzero(stray)
    found = np.column_stack([column, row, light[row, column]]).astype(float)
    found = found[_apart(problem, fitted, found[:, :2])]
    bad &= ~_close(found[:, :2], residual.shape, 3 * width)  # a stray spot first, then what it leaves
    alone = np.abs(residual) >= 0.999 * near
    return bad & alone, found


def disturbed(problem: Problem, fitted: Fitted) -> np.ndarray:
    """Sites at which much more than noise is left over, against what is left at the others: numbers.

    They are blended with something, or displaced.
    """
    sites, _, margin, _ = problem.spots(fitted.model)
    weight = sites.light * problem.pad(problem.good.astype(float), margin)[sites.index]
    total = np.maximum(weight.sum(axis=1), 1e-9)
    left = (weight * problem.pad(fitted.residual, margin)[sites.index] ** 2).sum(axis=1) / total
    spread = np.sqrt(2 * (weight**2).sum(axis=1)) / total
    return np.flatnonzero((left > max(1.0, float(np.median(left))) * (1 + SIGMAS * spread)) & (total > 0.5))


def lasting(problem: Problem, fitted: Fitted, usual: float) -> np.ndarray:
    """Stray spots that are still bright, and still apart from all sites and from brighter stray spots."""
    model = fitted.model
    sites = np.column_stack(places(model.geometry, problem.row, problem.column))[model.light > 0.2 * usual]
    kept = np.zeros(len(model.stray), dtype=bool)
    for k in np.argsort(-model.stray[:, 2]):
        known = np.concatenate([sites, model.stray[kept, :2]])
        near = np.hypot(*(known - model.stray[k, :2]).T).min(initial=np.inf)
        kept[k] = near > 0.5 * APART * FWHM * model.geometry[6] and model.stray[k, 2] > 0.5 * BRIGHT * usual
    return kept


def _apart(problem: Problem, fitted: Fitted, found: np.ndarray) -> np.ndarray:
    """Those that are not just a site, or a stray spot, that is a little elsewhere."""
    model = fitted.model
    known = np.column_stack(places(model.geometry, problem.row, problem.column))
    known = np.concatenate([known[model.light > 0], model.stray[:, :2]])
    if not len(known):
        return np.ones(len(found), dtype=bool)
    distance = np.hypot(*(found[:, None, :] - known).transpose(2, 0, 1)).min(axis=1, initial=np.inf)
    return distance > APART * FWHM * model.geometry[6]


def _close(found: np.ndarray, shape: tuple[int, int], radius: float) -> np.ndarray:
    y, x = np.indices(shape)
    close = np.zeros(shape, dtype=bool)
    for place in found:
        close |= np.hypot(x - place[0], y - place[1]) < radius
    return close
