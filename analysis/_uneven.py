"""Errors where one step to the side the spectrum tells more, or less: there the normal matrix at one point is no guide.

Lines of a width of the order of the hyperfine spacing melt together. Narrower ones show teeth, which tell their width
and depth well; wider ones do not. A fit that by chance ends with teeth claims small errors, and those are what is
furthest off. So where contrasts are not known well, the normal matrix is looked at on the vaguer side as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from vbsense.analysis._lm import inform_block
from vbsense.analysis._plan import Plan
from vbsense.flags import FATAL
from vbsense.groundstate.effective import SCALE, HamiltonianModel

__all__ = ["widen_uneven"]

VAGUE = {"lorentzian": 0.07, "gaussian": 0.05}  # sigma over contrast from which the sides are looked at
# Sides are as far away as so many sigma; where sigma is larger there by AGAIN (square), once more with that one.
# Simulated, Gaussians of 50 to 70 MHz in 14N: 1 sigma then holds 66 to 77 %, 2 sigma 91 to 95 %, in place of 62 and 87.
ASIDE, AGAIN, ROUNDS = 1.25, 1.6, 2
EVEN = 1.25  # square of sigma there over that here up to which nothing is done
NEAREST = 0.5  # part of the width that the narrower side has at least
# Width over the distance of the lines: below it wider lines tell less, above it narrower ones tell less of contrasts.
MELTED = 1.27


def widen_uneven(plan: Plan, spectra: Any, result: Any, attempt: Callable[..., Any]) -> None:
    """Widen the errors of width and contrasts of the Hamiltonian model to what they are `ASIDE` sigma to the side.

    Parameters
    ----------
    plan : Plan
        With the model and its kernel.
    spectra, result : Spectra, Result
        Of a block, scaled; variances and covariances of `result` are changed.
    attempt : callable
        ``attempt(plan, spectra, templates, start)`` fits, for covariances that are not there yet.
    """
    if not isinstance(plan.model, HamiltonianModel):
        return
    width = plan.model.index("fwhm")
    places = [i for i in (width, *plan.contrasts) if not plan.options.fixed[i]]
    if width not in places or len(places) < 2:
        return
    free = ~plan.options.fixed
    with np.errstate(invalid="ignore", divide="ignore"):
        vague = (result.variance[:, places[1:]] > (VAGUE[plan.model.shape] * result.p[:, places[1:]]) ** 2).any(1)
    index = np.flatnonzero(vague & (result.flags & FATAL == 0) & (result.variance[:, free] > 0).all(1))
    if index.size == 0:
        return
    if plan.model.shape == "gaussian":
        own = result.covariance[index]
    else:  # few are that vague: covariances of all would take longer
        own = attempt(replace(plan, covariance=True), spectra.take(index), None, result.p[index]).covariance
    factor = _factors(plan, spectra, result, index, places, own[:, places[0]])
    result.variance[index] *= factor
    if len(result.covariance):
        result.covariance[index] *= np.sqrt(factor[:, :, None] * factor[:, None, :])


def _factors(
    plan: Plan, spectra: Any, result: Any, index: np.ndarray, places: list[int], along: np.ndarray
) -> np.ndarray:
    """By how much variances are larger to the side ``(n, parameter)``; all else follows the width `along`."""
    assert isinstance(plan.model, HamiltonianModel)
    width, p = places[0], result.p[index]
    here = result.variance[index][:, places] / spectra.noise[index, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        along = np.nan_to_num(along / along[:, width, None])
    sigma = np.sqrt(result.variance[index, width])
    side = np.where(p[:, width] < MELTED * plan.model.spacing / SCALE, 1.0, -1.0)
    factor, some, size = np.ones((index.size, p.shape[1])), np.arange(index.size), sigma
    for _ in range(ROUNDS):
        step = side[some] * np.minimum(ASIDE * size, NEAREST * p[some, width])
        there = _informed(plan, spectra, index[some], p[some] + step[:, None] * along[some])
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = there[:, places] / here[some]
        factor[some[:, None], places] = np.fmax(factor[some[:, None], places], ratio / EVEN)
        more = ratio[:, 0] > AGAIN
        some, size = some[more], sigma[some[more]] * np.sqrt(ratio[more, 0])
        if some.size == 0:
            break
    return factor


def _informed(plan: Plan, spectra: Any, index: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Variances ``(n, parameter)``, over the noise, at the points `p` inside the bounds."""
    box = spectra.box[index]
    p = np.clip(p, box[:, 0], box[:, 1]).astype(plan.dtype)
    variance = np.zeros(p.shape, plan.dtype)
    inform_block(
        plan.kernel, plan.constants, plan.x, spectra.rows[index], spectra.roots, spectra.root_of[index],
        spectra.share[index], spectra.noise[index].astype(plan.dtype), plan.dtype(plan.tail), plan.options.fixed, p,
        variance,
    )  # fmt: skip
    return variance
