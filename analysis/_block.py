"""One block of spectra from electrons to parameters in SI units: load, start, weigh, fit, look again, scale back.

Nothing here depends on the other spectra of the block, so that a result does not change with the company that a
spectrum keeps, with the number of threads, or with a dead pixel next to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vbsense.analysis._fieldstart import FieldTemplates, find_field
from vbsense.analysis._lm import NOT_CONVERGED, ON_BOUND, fit_block
from vbsense.analysis._load import load_block, scatter_of_neighbours, scatter_without_outliers
from vbsense.analysis._noise import expected_loss
from vbsense.analysis._plan import Plan
from vbsense.analysis._rivals import flag_rivals, widen_combs
from vbsense.analysis._start import SIGNIFICANT, Templates, find_lines, take_out_trend
from vbsense.analysis._uneven import widen_uneven
from vbsense.flags import FATAL, FLAGS
from vbsense.groundstate.effective import HamiltonianModel

__all__ = ["BLOCK", "Result", "Spectra", "attempt", "load", "search", "solve_block", "to_physical"]

BLOCK = 2048  # spectra; signals, starts and results of a block stay in the second-level cache

# Contrasts over their sigma that one line, and all lines in the mean of squares, must have to go without a flag.
ONE, TOGETHER = 4.0, 5.0
ONE_COMB, TOGETHER_COMB = 6.0, 7.0  # noise has teeth too
# The variance of a center goes as width over contrast squared. A contrast that is known to one part in S makes the mean
# of that larger by 3 / S^2, and the curvature of the model adds as much as makes it 4 (simulated for S of 5 to 16).
WIDENING, LEAST_SIGNIFICANCE = 4.0, 2.0
DARKEST = 1e-150  # electrons: what is darker has no noise that a number could hold

# Part of the signal, noise taken off, that a fit may leave before other templates are tried, and before a flag.
SUSPICIOUS, POOR = 0.15, 0.03


@dataclass
class Spectra:
    """A block, scaled. The first axis of each array is the spectrum."""

    rows: np.ndarray  # (n, m) signal over level, in the precision of the fit
    level: np.ndarray  # electrons
    number: np.ndarray  # of the spectrum in the sweep
    roots: np.ndarray  # (k, m)
    root_of: np.ndarray
    share: np.ndarray
    noise: np.ndarray  # variance of a point of weight 1
    count: np.ndarray  # points measured
    box: np.ndarray  # (n, 2, parameter)
    flags: np.ndarray
    factor: np.ndarray  # (n, parameter) from scaled parameters to SI units

    def take(self, index: np.ndarray) -> Spectra:
        """Keep the spectra `index`."""
        kept = {name: value if name == "roots" else value[index] for name, value in vars(self).items()}
        return Spectra(**kept)


@dataclass
class Result:
    """Fitted parameters, scaled at first."""

    p: np.ndarray  # (n, parameter)
    variance: np.ndarray  # (n, parameter)
    covariance: np.ndarray  # (n, parameter, parameter), over `Spectra.noise` while scaled; of length 0 where not needed
    chi2: np.ndarray  # reduced
    evaluations: np.ndarray
    flags: np.ndarray
    unexplained: np.ndarray  # part of the squares, noise taken off, that the model leaves; 0 if compatible with 0
    drop: np.ndarray  # of chi-squared by the lines; infinite if nobody looked

    def replace(self, index: np.ndarray, other: Result, which: np.ndarray) -> None:
        """Take the spectra `which` of `other` in place of ``index[which]``."""
        for name, values in vars(other).items():
            if len(values):
                getattr(self, name)[index[which]] = values[which]

    def take(self, index: np.ndarray) -> Result:
        """Copy the spectra `index`."""
        return Result(**{name: values[index] if len(values) else values for name, values in vars(self).items()})


def solve_block(plan: Plan, first: int, last: int, masked: np.ndarray) -> tuple[Result, np.ndarray]:
    """Fit spectra `first` to `last` (not included).

    Parameters
    ----------
    plan : Plan
        What is common to all.
    first, last : int
        Numbers counted over planes and pixels.
    masked : ndarray of bool, (last - first,)
        Spectra to leave out.

    Returns
    -------
    Result
        In SI units; NaN where a fatal flag is set.
    errors : ndarray, (n, parameter)
        One sigma.
    """
    spectra = load(plan, first, last, masked)
    result = search(plan, spectra)
    flag_rivals(plan, spectra, result, attempt)
    widen_combs(plan, spectra, result, attempt)
    widen_uneven(plan, spectra, result, attempt)
    return to_physical(plan, spectra, result)


def search(plan: Plan, spectra: Spectra) -> Result:
    """Fit from what the first templates find; from others where that fails or is suspicious. Scaled."""
    result = attempt(plan, spectra, plan.templates[0] if plan.templates else None)
    for rung in range(1, len(plan.templates)):
        index = np.flatnonzero((spectra.flags == 0) & ((result.flags != 0) | (result.unexplained > SUSPICIOUS)))
        if index.size:
            other = attempt(plan, spectra.take(index), plan.templates[rung])
            before, after = result.flags[index] & FATAL == 0, other.flags & FATAL == 0
            better = after & (~before | (other.chi2 < 0.99 * result.chi2[index]))
            result.replace(index, other, better)
    return result


def load(plan: Plan, first: int, last: int, masked: np.ndarray) -> Spectra:
    """Spectra `first` to `last`, scaled; flagged where there is nothing to fit."""
    n, m = last - first, plan.x.size
    rows, flags = np.zeros((n, m), plan.dtype), np.zeros(n, np.uint16)
    level = load_block(plan.signal, first, plan.measured, rows)
    flags[~(level > DARKEST)] = FLAGS["no_signal"].bit
    flags[~np.isfinite(level)] = FLAGS["nan_input"].bit
    level[flags != 0] = 1.0
    number = np.arange(first, last)
    plane = number // plan.signal.shape[2]
    count = plan.count[plane]
    roots, root_of, share, noise = _noise(plan, first, rows, level, plane, flags)
    flags[count <= plan.free] = FLAGS["few_points"].bit
    flags[masked] = FLAGS["masked"].bit
    factor, shift = plan.scales(level)
    box = np.empty((n, 2, factor.shape[1]), plan.dtype)
    box[:, 0], box[:, 1] = (plan.options.lower - shift) / factor, (plan.options.upper - shift) / factor
    # Below this relative noise rounding of the signal is what limits the fit.
    noise = np.maximum(noise, 256 * np.finfo(plan.dtype).eps ** 2)
    share = share.astype(plan.dtype)
    return Spectra(rows, level, number, roots, root_of, share, noise, count, box, flags, factor)


def _noise(
    plan: Plan, first: int, rows: np.ndarray, level: np.ndarray, plane: np.ndarray, flags: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Square roots of weights, which row of them, the share of shot noise, and the variance at weight 1 (relative)."""
    if plan.error is not None:
        return _given_noise(plan, first, level, plane, flags)
    if plan.frames is not None:
        shot, read = plan.excess_noise / level, (plan.read_noise / level) ** 2
        return plan.roots, plane, shot / (shot + read), (shot + read) / plan.frames[plane]
    variance = np.empty(len(rows))
    scatter = scatter_without_outliers if plan.tail else scatter_of_neighbours
    scatter(first, plan.signal.shape[2], plan.measured, rows, variance)
    return plan.roots, plane, np.zeros(len(rows)), variance


def _given_noise(
    plan: Plan, first: int, level: np.ndarray, plane: np.ndarray, flags: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    assert plan.error is not None
    pixel = (first + np.arange(len(level))) % plan.signal.shape[2]
    sigma = plan.error[plane, :, pixel].astype(float)
    valid = plan.measured[plane]
    bad = valid & ~((sigma > 0) & np.isfinite(sigma))
    flags[bad.any(1)] |= FLAGS["nan_input"].bit
    valid = valid & ~bad
    least = np.min(sigma, axis=1, where=valid, initial=np.inf)
    least[~np.isfinite(least)] = 1.0
    roots = np.zeros((len(level), plan.x.size), plan.dtype)
    roots[:, : plan.points] = np.where(valid, least[:, None] / np.where(valid, sigma, 1), 0)
    return roots, np.arange(len(level)), np.zeros(len(level)), (least / level) ** 2


def _start(
    plan: Plan, spectra: Spectra, templates: Templates | FieldTemplates | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start values ``(n, parameter)``, scaled, flags, and the sum of squares about the mean."""
    n, factor, shift = len(spectra.rows), spectra.factor, plan.shift
    p, flags = _middle(plan, n), spectra.flags.copy()
    total = np.full(n, np.inf)
    if templates is not None:
        p, total, explained = _search(plan, _in_fours(spectra.rows), templates, p)
        scatter = (total - explained) / max(plan.points - 2 * len(plan.contrasts) - 1, 1)
        weak = explained < SIGNIFICANT * np.maximum(np.maximum(scatter, spectra.noise), 1e-13)
        flags[weak & (flags == 0)] = FLAGS["no_dip"].bit
    elif plan.model.guess is not None:
        frequency = plan.middle + plan.half * plan.x[: plan.points].astype(float)
        signal = spectra.rows[:, : plan.points] * spectra.level[:, None]
        p = (np.asarray(plan.model.guess(frequency, signal), dtype=float) - shift) / factor
    for i, value in plan.options.start.items():
        own = value if value.ndim == 0 else value.ravel()[spectra.number]
        own = (own - shift[i]) / factor[:, i]
        p[:, i] = np.where(np.isfinite(own), own, p[:, i])
    p = np.clip(p, spectra.box[:, 0], spectra.box[:, 1])
    flags[(flags == 0) & ~np.isfinite(p).all(1)] = FLAGS["not_converged"].bit
    return p.astype(plan.dtype), flags, total


def _in_fours(rows: np.ndarray) -> np.ndarray:
    """Rows in float32, their number a multiple of 4; not a copy where they are so."""
    n = len(rows)
    if n % 4 == 0:
        return rows.astype(np.float32, copy=False)
    longer = np.zeros((n + 4 - n % 4, rows.shape[1]), np.float32)
    longer[:n] = rows
    return longer


def _search(
    plan: Plan, rows: np.ndarray, templates: Templates | FieldTemplates, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start values with what a matched filter finds in place of those of `p`, and the sums of squares."""
    n = len(p)
    if "slope" in plan.model.parameters:
        rows = rows.copy()
        take_out_trend(rows, plan.x, plan.points)
    if isinstance(templates, FieldTemplates):
        found, total, explained = find_field(rows, plan.points, templates)
        p[:, : found.shape[1]] = found[:n]
        return p, total[:n], explained[:n]
    columns = [plan.model.index("offset"), *(i for line in plan.lines for i in line)]
    found = np.zeros((len(rows), p.shape[1]))
    total, explained = find_lines(rows, plan.points, templates, plan.lines, columns[0], found)
    p[:, columns] = found[:n, columns]
    return p, total[:n], explained[:n]


def _middle(plan: Plan, n: int) -> np.ndarray:
    """Start of parameters that nothing else tells: the middle of their bounds."""
    lower, upper = plan.options.lower, plan.options.upper
    open_ended = ~(np.isfinite(lower) & np.isfinite(upper))
    middle = np.where(open_ended, 0.0, (np.where(open_ended, 0, lower) + np.where(open_ended, 0, upper)) / 2)
    return np.tile(middle, (n, 1))


def attempt(
    plan: Plan, spectra: Spectra, templates: Templates | FieldTemplates | None, start: np.ndarray | None = None
) -> Result:
    """Fit, from what the templates find or from `start` (n, parameter), scaled."""
    if start is None:
        p, flags, total = _start(plan, spectra, templates)
    else:
        p, flags = np.clip(start, spectra.box[:, 0], spectra.box[:, 1]).astype(plan.dtype), spectra.flags.copy()
        total = _squares(plan, spectra)
    n, size = p.shape
    variance = np.full((n, size), np.nan, plan.dtype)
    covariance = np.full((n if _covariant(plan) else 0, size, size), np.nan, plan.dtype)
    quality = np.zeros((n, 2), plan.dtype)
    started, noise, ends = flags == 0, spectra.noise, np.zeros(n, np.uint8)
    fit_block(
        plan.kernel, plan.constants, plan.x, spectra.rows, spectra.roots, spectra.root_of, spectra.share,
        noise.astype(plan.dtype), plan.dtype(plan.tail), plan.follow, spectra.box, plan.options.fixed, plan.limit,
        started, p, variance, covariance, quality, ends,
    )  # fmt: skip
    flags[ends & ON_BOUND != 0] |= FLAGS["at_bound"].bit
    flags[ends & NOT_CONVERGED != 0] |= FLAGS["not_converged"].bit
    degrees = np.maximum(spectra.count - plan.free, 1)
    chi2 = quality[:, 0].astype(float) / noise / degrees / expected_loss(plan.tail)
    beyond = started & (chi2 > 1 + 5 * np.sqrt(2 / degrees))
    left, whole = (chi2 - 1) * degrees, np.maximum(total / noise - degrees, 1e-9)
    unexplained = np.divide(left, whole, out=np.zeros(n), where=beyond & np.isfinite(left))
    with np.errstate(invalid="ignore"):
        drop = total / noise - chi2 * degrees
    variance = variance * noise[:, None]
    failed = started & (ends & NOT_CONVERGED == 0) & ~np.isfinite(variance.sum(1) + chi2)
    flags[failed] |= FLAGS["no_covariance"].bit
    return Result(p.astype(float), variance, covariance, chi2, quality[:, 1].astype(int), flags, unexplained, drop)


def _covariant(plan: Plan) -> bool:
    """Whether covariances are needed, by the caller or for the errors of most spectra; variances alone are faster."""
    return plan.covariance or (isinstance(plan.model, HamiltonianModel) and plan.model.shape == "gaussian")


def _squares(plan: Plan, spectra: Spectra) -> np.ndarray:
    """Sum of squares about the mean, which the lines lower; infinite where nobody knows of lines."""
    if not plan.templates:
        return np.full(len(spectra.rows), np.inf)
    rows = spectra.rows
    if "slope" in plan.model.parameters:
        rows = rows.copy()
        take_out_trend(rows, plan.x, plan.points)
    return rows[:, : plan.points].var(axis=1, dtype=float) * plan.points


def to_physical(plan: Plan, spectra: Spectra, result: Result) -> tuple[Result, np.ndarray]:
    """Values in SI units with errors; flags of what is weak or poor; NaN where a flag is fatal."""
    factor = spectra.factor
    result.p = result.p * factor + plan.shift
    # Without known noise chi-squared says how large it is.
    scale = np.sqrt(result.chi2) if plan.error is None and plan.frames is None else np.ones(len(factor))
    held = (result.variance == 0) & ~plan.options.fixed  # on a bound: there is no symmetric error
    errors = np.where(held, np.nan, np.sqrt(result.variance) * factor * scale[:, None])
    significance = _significance(plan, result.p, errors)
    one, together = (ONE_COMB, TOGETHER_COMB) if plan.model.scale and plan.lines else (ONE, TOGETHER)
    weak = (significance < one).any(1) | ((significance**2).sum(1) < together**2 * significance.shape[1])
    result.flags[weak & (result.flags & FATAL == 0)] |= FLAGS["low_significance"].bit
    wider = _widening(plan, significance)
    errors *= wider
    result.flags[(result.unexplained > POOR) & (result.flags & FATAL == 0)] |= FLAGS["poor_fit"].bit
    for i in np.flatnonzero(plan.options.fixed).tolist():
        result.p[:, i] = plan.options.start[i]  # exactly what was asked for
    failed = result.flags & FATAL != 0
    result.p[failed], errors[failed], result.chi2[failed] = np.nan, np.nan, np.nan
    if plan.covariance:
        factor = factor * (scale * np.sqrt(spectra.noise))[:, None] * wider
        result.covariance = result.covariance * factor[:, :, None] * factor[:, None, :]
        lost = held | failed[:, None]
        result.covariance[lost[:, :, None] | lost[:, None, :]] = np.nan
    return result, errors


def _significance(plan: Plan, p: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Contrasts over their sigma ``(n, line)``; infinite where fixed, 0 where there is no sigma."""
    lines = list(plan.contrasts)
    known = plan.options.fixed[lines]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(known, np.inf, p[:, lines] / errors[:, lines])
    return np.where(np.isnan(found), 0.0, np.clip(found, 0.0, None))


def _widening(plan: Plan, significance: np.ndarray) -> np.ndarray:
    """Factor of the errors ``(n, parameter)``: what the information at one point leaves out for weak lines."""
    own = 1 + WIDENING / np.maximum(significance, LEAST_SIGNIFICANCE) ** 2
    factor = np.ones((len(own), len(plan.model.parameters)))
    for line, (center, _, _) in enumerate(plan.lines):
        factor[:, center] = np.sqrt(own[:, line])
    if own.shape[1] and not plan.lines:  # both lines tell one field
        for place in (plan.model.index(name) for name in ("D", "Bz")):
            factor[:, place] = np.sqrt(own.mean(1))
    return factor
