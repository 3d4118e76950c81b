"""What was asked of an inversion, checked, and the two methods that answer it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vbsense._names import choices
from vbsense._numbers import number, whole
from vbsense.analysis._currentsheet import Found
from vbsense.analysis._fourieruniform import uniform_shift
from vbsense.analysis._sheetinput import Below
from vbsense.analysis.inversion.ball import Ball, Cost
from vbsense.analysis.inversion.places import Sites, Window
from vbsense.analysis.inversion.scatter import linear_samples, repeat, smooth_variance
from vbsense.analysis.inversion.tikhonov import choose_weight, resolution, solve
from vbsense.analysis.inversion.variation import EMPTY, FREE, HALF, POSITIVE, Pace, Sharp, least_variation, pace_of

__all__ = ["Wishes", "sharpest", "smoothest"]

RULES = ("gcv", "morozov")
_SAMPLES = 16
_STARTING = 0.01  # weight of the smooth current that the sharp one begins with
_MISFIT = 1.1  # chi-squared over what was wanted, from which on the field counts as not explained


@dataclass(frozen=True, eq=False)
class Wishes:
    """The options of `current_density`, checked."""

    method: str
    rule: str | float
    mask: np.ndarray | None
    positive: str
    offset: Any
    samples: int
    rng: np.random.Generator

    @classmethod
    def check(
        cls, below: Below, method: str, rule: Any, mask: Any, positive: str, offset: Any, samples: Any, rng: Any
    ) -> Wishes:
        """Refuse what makes no sense."""
        mask = None if mask is None else _check_mask(mask, below.window.shape)
        if positive not in ("", "x", "y", "xy"):
            raise ValueError(f"positive is {positive!r}; give 'x', 'y' or 'xy', the components that are not negative")
        linear = method == "tikhonov" and mask is None and not positive
        if mask is not None and not (isinstance(offset, str) and offset == "median"):
            raise ValueError("offset: there is no current outside of the mask, which settles it; leave it out")
        if positive and isinstance(offset, str) and offset == "none":
            raise ValueError("offset: what is not negative depends on the uniform current; give a rule for it")
        if samples is None:
            samples = _SAMPLES if linear else 0
        if whole("samples", samples, 0) == 1:
            raise ValueError("samples is 1; a spread needs two, an error map some 16, or 0 for none")
        return cls(
            method,
            _check_rule(rule, linear, sites=isinstance(below.problem.operator.places, Sites)),
            mask,
            positive,
            offset,
            int(samples),
            np.random.default_rng(rng),
        )

    @property
    def restricted(self) -> bool:
        """Whether not every current may flow."""
        return self.mask is not None or bool(self.positive)


def _check_rule(rule: Any, linear: bool, *, sites: bool) -> str | float:
    if rule is None:
        return "gcv" if linear and not sites else "morozov"
    if isinstance(rule, str):
        if rule not in RULES:
            raise ValueError(f"regularisation: unknown {rule!r}; {choices(rule, RULES)}, or a number above zero")
        if rule == "gcv" and not linear:
            raise ValueError("regularisation: 'gcv' is for 'tikhonov' without restrictions; give 'morozov' or a number")
        if rule == "gcv" and sites:
            raise ValueError("regularisation: 'gcv' is for pixels; sites have errors: give 'morozov' or a number")
        return rule
    return number("regularisation", rule, "units of the noise (see the docstring)", positive=True)


def _check_mask(mask: Any, shape: tuple[int, int]) -> np.ndarray:
    values = np.asarray(mask)
    if values.dtype != bool or values.shape != shape:
        raise ValueError(
            f"mask has shape {values.shape} and type {values.dtype}; give bool of shape {shape}, true on the conductor"
        )
    if not values.any():
        raise ValueError("mask is empty: it is true where the conductor is")
    return values


def smoothest(below: Below, wishes: Wishes) -> Found:
    """The current of least roughness."""
    problem, rule = below.problem, wishes.rule
    found = choose_weight(problem, rule) if isinstance(rule, str) else solve(problem, problem.data, float(rule))
    J = problem.density_of(found.stream(problem))
    noise = variance = None
    if wishes.samples:
        noise = _cut(linear_samples(problem, found.weight, wishes.samples, wishes.rng), below.window)
        width = resolution(problem, found.weight) / np.sqrt(np.prod(problem.operator.cell))
        variance = smooth_variance(noise, float(np.clip(width, 2.0, 0.05 * max(below.window.shape) + 2.0)))
    _warn_misfit(rule, float(found.chi2), problem.count)
    return Found(_cut(J, below.window), noise, variance, float(found.chi2), found.weight,
                 resolution(problem, found.weight), _offsets(below, found.stream(problem)))  # fmt: skip


def sharpest(below: Below, wishes: Wishes) -> Found:
    """The current of least variation; or the smoothest one, if it is restricted."""
    problem = below.problem
    start = solve(problem, problem.data, _STARTING, tolerance=0.03).stream(problem)
    search = _Sharpest(below, wishes, start)
    best, J = search.run(problem.data, start)
    noise = variance = None
    if wishes.samples:
        explained = problem.data - problem.clear(problem.data - _explained(below, best.stream))
        noise = repeat(problem, explained, lambda data: search.run(data, best.stream)[1], wishes.samples, wishes.rng)
        variance = (noise**2).mean(axis=0)
    _warn_misfit(wishes.rule, best.chi2, problem.count)
    weight = float(wishes.rule) if not isinstance(wishes.rule, str) else float("nan")
    return Found(J, noise, variance, best.chi2, weight, None, _offsets(below, best.stream), best.steps)


class _Sharpest:
    """The search, set up once for the data and for all repetitions of them."""

    def __init__(self, below: Below, wishes: Wishes, start: np.ndarray) -> None:
        self.below, self.wishes = below, wishes
        self.rules, self.loose, self.pace = _rules(below, wishes), _loose(below, wishes), _pace(below, wishes, start)

    def run(self, data: np.ndarray, start: np.ndarray) -> tuple[Sharp, np.ndarray]:
        """Solution and J in the window (A/m)."""
        uniform, first = None, 0
        if self.wishes.positive and self.wishes.mask is None:
            # What is not negative depends on the uniform current: settle that by its rule, then look again.
            free = self._search(data, start, None, None)
            uniform, start, first = self._settle(free), free.stream, free.steps
        sharp = self._search(data, start, self.rules, uniform)
        J = self._density(sharp)
        if self.wishes.mask is not None:
            J = np.where(self.wishes.mask, J, 0.0)
        return replace(sharp, steps=first + sharp.steps), J

    def _search(
        self, data: np.ndarray, start: np.ndarray, rules: np.ndarray | None, uniform: np.ndarray | None
    ) -> Sharp:
        demand = _demand(self.below, self.wishes, self.pace, data)
        most = 600 if rules is None else 900
        return least_variation(
            self.below.problem, demand, self.pace, rule=rules, loose=self.loose, uniform=uniform, start=start, most=most
        )

    def _settle(self, sharp: Sharp) -> np.ndarray:
        J = self._density(sharp)
        shift, _ = uniform_shift(J, np.ones(J.shape[1:], bool), self.below.problem.operator.cell, self.wishes.offset)
        return np.asarray(shift / self.below.problem.density)

    def _density(self, sharp: Sharp) -> np.ndarray:
        problem = self.below.problem
        J = problem.density_of(sharp.stream) + problem.density * sharp.uniform[:, None, None]
        return _cut(J, self.below.window)


def _cut(J: np.ndarray, window: Window) -> np.ndarray:
    return np.asarray(J[(..., *window.cut)])


def _explained(below: Below, stream: np.ndarray) -> np.ndarray:
    """Whitened field of a stream function, without the uniform field."""
    from scipy.fft import irfft2

    field = irfft2(below.problem.transfer * stream, s=below.problem.operator.shape)
    return below.problem.gather(field)


def _offsets(below: Below, stream: np.ndarray) -> np.ndarray:
    """Uniform field (component,) that is left of the data (T)."""
    problem = below.problem
    rest = problem.data - _explained(below, stream)
    ones = [problem.whiten(np.eye(len(problem.good))[c][:, None] * np.ones_like(problem.weight))
            for c in range(len(problem.good))]  # fmt: skip
    return np.linalg.lstsq(np.stack(ones, axis=1), rest, rcond=None)[0] * problem.noise


def _pace(below: Below, wishes: Wishes, start: np.ndarray) -> Pace:
    J = _cut(below.problem.density_of(start), below.window)
    J = J - np.median(J, axis=(1, 2), keepdims=True)
    pace = pace_of(below.problem, float(np.quantile(np.hypot(*J), 0.99)))
    if not wishes.restricted:
        return pace
    # Restrictions slow the field down: hold it more tightly, and more so for squares.
    sharp = wishes.method == "tv"
    tighter = 0.3 if sharp else 0.1
    return Pace(pace.threshold if sharp else HALF, tighter * pace.coupling, tighter * pace.holding)


def _demand(below: Below, wishes: Wishes, pace: Pace, data: np.ndarray) -> Ball | Cost:
    problem = below.problem
    if isinstance(wishes.rule, str):
        return Ball(problem, data, float(problem.count - problem.offsets.shape[1]))
    # Penalties of the method: 1 / threshold for the gradients (1 where they are squared), that over coupling for the
    # field.
    length = pace.threshold if pace.threshold > 0 else 1.0
    return Cost(problem, data, float(wishes.rule), 1 / (length * pace.coupling))


def _rules(below: Below, wishes: Wishes) -> np.ndarray | None:
    if not wishes.restricted:
        return None
    rule = np.full((2, *below.problem.operator.shape), FREE, np.int8)
    inside = rule[(slice(None), *below.window.cut)]
    for k, name in enumerate("xy"):
        if name in wishes.positive:
            inside[k] = POSITIVE
    if wishes.mask is not None:
        inside[:, ~wishes.mask] = EMPTY
    return rule


def _loose(below: Below, wishes: Wishes) -> np.ndarray | None:
    """Corners at the edges of the mask, which goes on beyond the map as it is at the border."""
    if wishes.mask is None:
        return None
    (row, column), (rows, columns) = below.window.start, below.window.shape
    ny, nx = below.problem.operator.shape
    whole = np.pad(wishes.mask, ((row, ny - row - rows), (column, nx - column - columns)), mode="edge")
    around = np.stack([np.roll(whole, shift, axis=(0, 1)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))])
    return np.asarray(around.any(axis=0) & ~around.all(axis=0), dtype=np.int8)


def _warn_misfit(rule: str | float, chi2: float, count: int) -> None:
    if isinstance(rule, str) and chi2 > _MISFIT * count:
        warnings.warn(
            f"no current explains the field to within its errors (chi-squared is {chi2 / count:.3g} times the number "
            "of data): is the stand-off right, and the mask? Or are the errors too small?",
            UserWarning,
            stacklevel=5,
        )
