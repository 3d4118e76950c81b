"""Look for another answer: weak spectra are fitted from a second start, and flagged where it does nearly as well.

A doublet in noise has more than one minimum. Which of two is the deeper is decided by the noise if they are less than
`CLOSE` apart in chi-squared; the errors of either know nothing of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vbsense.analysis._plan import Plan
from vbsense.flags import FATAL, FLAGS

__all__ = ["WEAK", "flag_rivals"]

WEAK = 800.0  # drop of chi-squared by the lines from which there are no rivals: dips six times the noise of a point
CLOSE = 16.0  # in chi-squared
UNEQUAL, NARROWER = 2.5, 25.0  # sigma between the widths of two lines, and what unequal ones must gain
APART = 2.0  # sigma between the positions of two answers


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
        _try_equal_widths(plan, some, result, index, attempt)


def _try_equal_widths(plan: Plan, spectra: Any, result: Any, index: np.ndarray, attempt: Callable[..., Any]) -> None:
    """Flag a line as narrow as a spike of the noise, if one as wide as the other line does nearly as well."""
    first, second = (width for _, width, _ in plan.lines)
    start = result.p[index]
    wide = np.maximum(start[:, first], start[:, second])
    for width in (first, second):
        narrow = start[:, width] < wide
        spectra.box[narrow, :, width] = wide[narrow, None]
        start[narrow, width] = wide[narrow]
    other = attempt(plan, spectra, None, start)
    gap = (other.chi2 - result.chi2[index]) * np.maximum(spectra.count - plan.free, 1)
    variance = result.variance[index][:, [first, second]]
    apart = (np.abs(other.p - result.p[index])[:, [first, second]] > UNEQUAL * np.sqrt(variance)).any(1)
    close = (other.flags & FATAL == 0) & (gap < NARROWER)
    result.flags[index[close & apart]] |= FLAGS["ambiguous"].bit


def _starts(plan: Plan, p: np.ndarray) -> Iterator[tuple[Any, np.ndarray | None]]:
    """Other templates; for combs also the answers moved by one of their lines."""
    for templates in plan.templates[1:]:
        yield templates, None
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
