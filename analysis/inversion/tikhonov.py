"""The smoothest current that explains the field: linear, with its weight from the noise or from cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vbsense.analysis.inversion.places import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vbsense.analysis.inversion.problem import Problem

__all__ = ["Smooth", "choose_weight", "freedom", "resolution", "solve"]

LIGHTEST, HEAVIEST = 1e-9, 1e9
_TOLERANCE, _MOST = 1e-4, 400
_GROUPS = 12  # of errors
_FULL = 0.98  # part of the pixels that are there, above which holes do not matter
_LEAST_FREE = 0.2  # of the data: with fewer left over, cross-validation is blind


@dataclass(frozen=True, eq=False)
class Smooth:
    """A solution for one weight.

    Attributes
    ----------
    weight : float
        Of the roughness against chi-squared.
    multipliers : ndarray, (..., size)
        Whitened residuals over the weight.
    """

    weight: float
    multipliers: NDArray[np.float64]

    @property
    def chi2(self) -> NDArray[np.float64]:
        """Sum of the squared residuals in units of their errors."""
        return np.asarray(self.weight**2 * (self.multipliers**2).sum(axis=-1))

    def stream(self, problem: Problem) -> NDArray[np.complex128]:
        """Transform of g."""
        return _explain(problem, self.multipliers)


def solve(
    problem: Problem,
    data: NDArray[np.float64],
    weight: float,
    start: NDArray[np.float64] | None = None,
    *,
    tolerance: float = _TOLERANCE,
) -> Smooth:
    """Minimise chi-squared plus `weight` times the roughness, the sum over cells of |grad J|^2.

    Parameters
    ----------
    problem : Problem
    data : ndarray, (..., size)
        Whitened; several sets are solved at once.
    weight : float
    start : ndarray, (..., size), optional
        Multipliers of a similar problem.
    tolerance : float
        Of the residual of the normal equations, relative to the data.

    Notes
    -----
    The solution is ``g = R^-1 K' c`` with ``(K R^-1 K' + weight) c = data``, K from g to whitened data and R the
    roughness, both diagonal in Fourier space: as many unknowns as data, and conjugate gradients with the circulant of
    the whole domain in front need some 30 steps.
    """
    target = problem.clear(data)
    c = np.zeros_like(target) if start is None else start.copy()
    precede = _circulant(problem, weight)
    rest = target - _normal(problem, c, weight)
    y = precede(rest)
    direction, product = y, _dot(rest, y)
    stop = tolerance * np.linalg.norm(target, axis=-1, keepdims=True)
    for _ in range(_MOST):
        if (np.linalg.norm(rest, axis=-1, keepdims=True) <= stop).all():
            break
        image = _normal(problem, direction, weight)
        step = product / np.maximum(_dot(direction, image), 1e-300)
        c, rest = c + step * direction, rest - step * image
        y = precede(rest)
        before, product = product, _dot(rest, y)
        direction = y + product / np.maximum(before, 1e-300) * direction
    return Smooth(weight, c)


def choose_weight(problem: Problem, rule: str) -> Smooth:
    """The weight by a rule, with its solution.

    Parameters
    ----------
    problem : Problem
    rule : {"morozov", "gcv"}
        The residuals are as large as the noise, or best predicted if each is left out in turn.
    """
    return _discrepancy(problem) if rule == "morozov" else _cross_validation(problem)


def _discrepancy(problem: Problem) -> Smooth:
    wanted = problem.count - problem.offsets.shape[1]
    best = solve(problem, problem.data, 0.1)
    low, high = np.log(LIGHTEST), np.log(HEAVIEST)
    slope, last = 0.5, best
    for _ in range(30):
        miss = float(np.log(max(float(best.chi2), 1e-300) / wanted))
        if abs(miss) < 5e-3:
            break
        here = np.log(best.weight)
        low, high = (here, high) if miss < 0 else (low, here)
        if best.weight != last.weight:
            change = float(np.log(best.chi2 / last.chi2)) / (here - np.log(last.weight))
            slope = float(np.clip(change, 0.02, 2.0))
        ahead = here - float(np.clip(miss / slope, -4.0, 4.0))
        ahead = ahead if low < ahead < high else (low + high) / 2
        if high - low < 1e-3:
            break
        start = best.multipliers * best.weight / np.exp(ahead)
        last, best = best, solve(problem, problem.data, float(np.exp(ahead)), start)
    return best


def _cross_validation(problem: Problem) -> Smooth:
    """Least ``chi2 / (trace of 1 - influence)^2``; the trace from one vector of random signs, always the same."""
    seen: dict[float, tuple[float, Smooth]] = {}

    def score(exponent: float) -> float:
        if exponent not in seen:
            near = min(seen, key=lambda e: abs(e - exponent), default=None)
            start = None if near is None else seen[near][1].multipliers * np.exp(min(near - exponent, 0.0))
            found = solve(problem, problem.data, float(np.exp(exponent)), start, tolerance=1e-3)
            free = problem.count - freedom(problem, found.weight)
            enough = free > _LEAST_FREE * problem.count
            seen[exponent] = (float(found.chi2) / free**2 if enough else np.inf), found
        return seen[exponent][0]

    found = seen[_lowest(score, np.log(0.1), np.log(10.0))][1]
    return solve(problem, problem.data, found.weight, found.multipliers)


def freedom(problem: Problem, weight: float) -> float:
    """Degrees of freedom that the solution takes: the trace of the matrix from data to their explanation.

    Of a window, as the share of the circulant: within 5 % of the exact one for 100 x 100 pixels. Where the errors
    differ, each pixel counts as in a map of its own error; where many pixels are missing, the trace is found from one
    vector of random signs, always the same one.
    """
    if problem.count < _FULL * problem.good.size:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=problem.good.size) * problem.good.ravel()
        trial = solve(problem, signs, weight, tolerance=3e-3)
        return problem.count - weight * float(problem.clear(signs) @ trial.multipliers)
    twice = np.full(problem.strength.shape[1], 2.0)
    twice[[0, -1] if problem.operator.shape[1] % 2 == 0 else [0]] = 1.0
    uneven = 1 / problem.weight[problem.good] ** 2
    groups = np.array_split(np.sort(uneven), _GROUPS if np.ptp(uneven) > 1e-6 * uneven.max() else 1)
    total = 0.0
    for group in groups:
        if group.size:
            share = problem.strength / (weight * float(group.mean()) * problem.stiffness + problem.strength)
            total += float((share @ twice).sum() / np.prod(problem.operator.shape)) * group.size
    return total


def _lowest(score: Callable[[float], float], start: float, step: float) -> float:
    """Minimum of a smooth function: walk downhill, then halve the step."""
    here = start
    while step > 0.25:
        moved = True
        while moved and np.log(LIGHTEST) < here < np.log(HEAVIEST):
            best = min((here - step, here, here + step), key=score)
            moved, here = best != here, best
        step /= 2
    return here


def resolution(problem: Problem, weight: float) -> float:
    """Half of the wavelength of which half comes through the inversion (m)."""
    from vbsense.analysis.inversion.repeated import waves

    passes = problem.strength / (problem.strength + weight * problem.roughness + 1e-300)
    k = np.hypot(*waves(problem.operator.shape, problem.operator.cell))
    through = (passes >= 0.5) & (k > 0)
    return float(np.pi / k[through].max()) if through.any() else float("inf")


def _explain(problem: Problem, c: NDArray[np.float64]) -> NDArray[np.complex128]:
    """``R^-1 K' c`` as a transform."""
    from scipy.fft import rfft2

    sources = rfft2(problem.scatter(problem.clear(c)))
    return np.asarray((problem.adjoint_transfer * sources).sum(axis=-3) / problem.stiffness)


def _normal(problem: Problem, c: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    from scipy.fft import irfft2

    field = irfft2(_explain(problem, c)[..., None, :, :] * problem.transfer, s=problem.operator.shape)
    return problem.clear(problem.gather(field)) + weight * c


def _even(problem: Problem, weight: float) -> float:
    """The weight, were all errors alike."""
    return weight * float(np.mean(1 / problem.weight[problem.good] ** 2))


def _circulant(problem: Problem, weight: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """The inverse of `_normal`, were the window as large as the domain; nothing for sites."""
    from scipy.fft import irfft2, rfft2

    places, shape = problem.operator.places, problem.operator.shape
    if not isinstance(places, Window):
        return lambda values: values
    total = 1 / (_even(problem, weight) * problem.stiffness + problem.strength)
    inverse = np.where(problem.good, 1 / np.where(problem.good, problem.weight, 1.0), 0.0)

    def apply(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sources = rfft2(places.put(values.reshape(*values.shape[:-1], *inverse.shape) * inverse, shape))
        common = (problem.adjoint_transfer * sources).sum(axis=-3) * total
        rest = irfft2(sources - problem.transfer * common[..., None, :, :], s=shape)
        return problem.clear((places.take(rest) * inverse).reshape(values.shape))

    return apply


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((a * b).sum(axis=-1, keepdims=True))
