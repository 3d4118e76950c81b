"""Look for another answer: weak spectra are fitted from a second start, and flagged where it does nearly as well.

A doublet in noise has more than one minimum. Which of two is the deeper is decided by the noise if they are less than
`CLOSE` apart in chi-squared; the errors of either know nothing of the other. What a comb reads is off by half a tooth
where the noise says so: there the errors are taken from chi-squared itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vbsense.analysis._plan import Plan
from vbsense.flags import FATAL, FLAGS

__all__ = ["WEAK", "flag_rivals", "widen_combs"]

WEAK = 800.0  # drop of chi-squared by the lines from which there are no rivals: dips six times the noise of a point
CLOSE = 16.0  # in chi-squared
UNEQUAL, NARROWER = 2.5, 25.0  # sigma between the widths of two lines, and what unequal ones must gain
UNLIKE = 1.8  # ratio of the widths of two lines from which the narrow one may be a spike
NARROW, MELTED, TEETH, ELSEWHERE = (
    1.1,
    2.0,
    16.0,
    2.0,
)  # width over spacing; in chi-squared; sigma between the positions of combs
APART = 2.0  # sigma between the positions of two answers
# Chi-squared of a comb is no parabola. Drop by the lines from which it is near enough; sigma at which it is looked at;
# part of a spacing at which it must have risen by `CLOSE`, if that is HALFWAY or more sigma away.
WEAK_COMB, LOOK, HALF, HALFWAY = 1500.0, 3.0, 0.5, 4.5


def flag_rivals(plan: Plan, spectra: Any, result: Any, attempt: Callable[..., Any]) -> None:
    """Replace answers by better ones, and flag those that a rival comes close to.

    Parameters
    ----------
    plan : Plan
        With `contrasts` and places of what is compared.
    spectra, result : Spectra, Result
        Of a block, scaled; `result` is changed.
    attempt : callable
        ``attempt(plan, spectra, templates, start=None)`` fits; `start` (n, parameter) takes the place of a search.
    """
    places = [plan.model.index(n) for n in plan.model.parameters if n in ("Bz", *plan.model.positions) and n != "D"]
    if not (plan.contrasts and places):
        return
    index = np.flatnonzero((result.drop < WEAK) & (result.flags & FATAL == 0) & (spectra.flags == 0))
    if index.size == 0:
        return
    some = spectra.take(index)
    for templates, start in _starts(plan, result.p[index]):
        other = attempt(plan, some, templates, start)
        _compare(result, index, other, places, np.maximum(some.count - plan.free, 1))
    if len(plan.lines) == 2 and not plan.options.fixed[[width for _, width, _ in plan.lines]].any():
        _try_equal_widths(plan, spectra.take(index), result, index, attempt)
    if plan.teeth:
        index = index[result.drop[index] < WEAK / 2]
        _try_melted(plan, spectra.take(index), result, index, attempt)


def _try_equal_widths(plan: Plan, spectra: Any, result: Any, index: np.ndarray, attempt: Callable[..., Any]) -> None:
    """Flag a line as narrow as a spike of the noise, if one as wide as the other line does nearly as well."""
    first, second = (width for _, width, _ in plan.lines)
    start = result.p[index]
    wide, narrow = start[:, [first, second]].max(1), start[:, [first, second]].min(1)
    for width in (first, second):
        own = start[:, width] < wide
        spectra.box[own, :, width] = wide[own, None]
        start[own, width] = wide[own]
    other = attempt(plan, spectra, None, start)
    gap = (other.chi2 - result.chi2[index]) * np.maximum(spectra.count - plan.free, 1)
    variance = result.variance[index][:, [first, second]]
    apart = (np.abs(other.p - result.p[index])[:, [first, second]] > UNEQUAL * np.sqrt(variance)).any(1)
    apart &= wide > UNLIKE * narrow
    close = (other.flags & FATAL == 0) & (gap < NARROWER)
    result.flags[index[close & apart]] |= FLAGS["ambiguous"].bit


def _try_melted(plan: Plan, spectra: Any, result: Any, index: np.ndarray, attempt: Callable[..., Any]) -> None:
    """Flag a comb of narrow lines, if one whose lines melt together does nearly as well at another place.

    Narrow lines find teeth in the noise. There is no second minimum then: chi-squared rises slowly with the width.
    """
    assert plan.teeth is not None
    start, narrow = result.p[index], np.zeros(index.size, bool)
    for width, spacing in plan.teeth.widths.items():
        own = (start[:, width] < NARROW * spacing) & (spectra.box[:, 1, width] > MELTED * spacing)
        if not plan.options.fixed[width]:
            narrow |= own
            spectra.box[own, :, width], start[own, width] = MELTED * spacing, MELTED * spacing
    some = np.flatnonzero(narrow)
    if some.size == 0:
        return
    other = attempt(plan, spectra.take(some), None, start[some])
    here = index[some]
    gap = (other.chi2 - result.chi2[here]) * np.maximum(spectra.count[some] - plan.free, 1)
    places = list(plan.teeth.places)
    with np.errstate(invalid="ignore"):
        shift = np.abs(other.p - result.p[here])[:, places]
        apart = (shift > ELSEWHERE * np.sqrt(result.variance[here][:, places])).any(1)
    close = (other.flags & FATAL == 0) & (gap < TEETH)
    result.flags[here[close & apart]] |= FLAGS["ambiguous"].bit


def _starts(plan: Plan, p: np.ndarray) -> Iterator[tuple[Any, np.ndarray | None]]:
    """Other templates; for combs also the answers moved by one of their lines."""
    for rung in range(1, len(plan.templates)):
        yield plan.templates[rung], None
    if plan.model.scale and plan.lines:
        for center, _, _ in plan.lines:
            for step in (-1.0, 1.0):  # the spacing is the unit of the kernel
                moved = p.copy()
                moved[:, center] += step
                yield None, moved


def _compare(result: Any, index: np.ndarray, other: Any, places: list[int], degrees: np.ndarray) -> None:
    bit = FLAGS["ambiguous"].bit
    gap = (other.chi2 - result.chi2[index]) * degrees
    sound = (other.flags & FATAL == 0) & np.isfinite(gap)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.maximum(result.variance[index], other.variance)[:, places]
        apart = (np.abs(other.p - result.p[index])[:, places] > APART * np.sqrt(variance)).any(1)
    rival = sound & apart & (np.abs(gap) < CLOSE)
    before = result.flags[index] & bit
    better = sound & (gap < -0.1)
    result.replace(index, other, better)
    result.flags[index[better]] |= before[better]
    result.flags[index[rival]] |= bit


def widen_combs(plan: Plan, spectra: Any, result: Any, attempt: Callable[..., Any]) -> None:
    """Take the errors of the places of weak combs from how chi-squared rises there, all else free.

    Noise makes teeth of its own: next to the deepest minimum chi-squared may rise little up to the next tooth, of which
    the normal matrix knows nothing. Variances become the mean of both sides' if that is larger. Where half a spacing
    away the spectrum is described nearly as well although that is many sigma, the answer is flagged.
    """
    if plan.teeth is None:
        return
    index = np.flatnonzero((result.drop < WEAK_COMB) & (result.flags & FATAL == 0) & (spectra.flags == 0))
    if index.size == 0:
        return
    for center, spacing in plan.teeth.places.items():
        if plan.options.fixed[center]:
            continue
        variance = result.variance[index, center]
        look = LOOK * np.sqrt(variance)
        sides = [
            look**2 / np.maximum(_rise(plan, spectra, result, index, center, s * look, attempt), 1) for s in (-1, 1)
        ]
        factor = np.sqrt(np.maximum(np.mean(sides, 0) / np.where(variance > 0, variance, np.inf), 1))
        result.variance[index, center] *= factor**2
        if len(result.covariance):
            result.covariance[index, center] *= factor[:, None]
            result.covariance[index, :, center] *= factor[:, None]
        far = index[np.sqrt(result.variance[index, center]) * HALFWAY < HALF * spacing]
        far = far[result.drop[far] < WEAK / 2]
        for step in (-HALF, HALF):
            rise = _rise(plan, spectra, result, far, center, np.full(far.size, step * spacing), attempt)
            result.flags[far[rise < CLOSE]] |= FLAGS["ambiguous"].bit


def _rise(
    plan: Plan, spectra: Any, result: Any, index: np.ndarray, center: int, step: np.ndarray, attempt: Callable[..., Any]
) -> np.ndarray:
    """By how much chi-squared rises if a center is held `step` away; infinite where no fit is found."""
    if index.size == 0:
        return np.zeros(0)
    some, start = spectra.take(index), result.p[index].copy()
    start[:, center] += step
    inside = (some.box[:, 0, center] <= start[:, center]) & (start[:, center] <= some.box[:, 1, center])
    some.box[:, :, center] = start[:, center, None]
    other = attempt(plan, some, None, start)
    rise = (other.chi2 - result.chi2[index]) * np.maximum(some.count - plan.free, 1)
    return np.where(inside & (other.flags & FATAL == 0) & np.isfinite(rise), rise, np.inf)
