"""What the residual may be: inside a ball, or anything at a price."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from vbsense.analysis.inversion.places import Sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vbsense.analysis.inversion.problem import Problem

__all__ = ["Ball", "Cost"]


@dataclass(eq=False)
class _Demand:
    problem: Problem
    data: NDArray[np.float64]

    @cached_property
    def _even(self) -> bool:
        weights = self.problem.weight[self.problem.good]
        return self._modes is None and bool(np.ptp(weights) < 1e-9 * weights.max())

    @cached_property
    def _modes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Eigenvalues and vectors of gather(scatter(.)), where it is not diagonal."""
        if not isinstance(self.problem.operator.places, Sites):
            return None
        values, vectors = np.linalg.eigh(self.problem.gram())
        return np.maximum(values, 0.0), vectors

    @cached_property
    def _stretch(self) -> NDArray[np.float64]:
        """Eigenvalues: the squared weights, where nothing mixes."""
        return (self.problem.weight**2).ravel() if self._modes is None else self._modes[0]

    def _pull(self, rest: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError

    def project(self, field: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move the field (component, ny, nx) to where it may be, in place, and return by how much it was off.

        But for a uniform field, which is free, the nearest field v with the wanted residual is
        ``field - scatter(mu (1 + mu s)^-1 rest)``, s the eigenvalues of gather(scatter(.)) and mu the multiplier.
        """
        # A uniform field is nobody's: it is fitted anew in every step.
        rest = self.problem.clear(self.problem.gather(field) - self.data)
        modes = self._modes
        pulled = self._pull(rest if modes is None else modes[1].T @ rest)
        move = self.problem.scatter(pulled if modes is None else modes[1] @ pulled)
        field -= move
        return move


@dataclass(eq=False)
class Ball(_Demand):
    """Chi-squared is at most `radius2`."""

    radius2: float

    def kept(self, chi2: float) -> bool:
        """Whether a solution is inside, but for one per cent."""
        return chi2 < 1.01 * self.radius2

    def _pull(self, rest: NDArray[np.float64]) -> NDArray[np.float64]:
        total = float(rest @ rest)
        if total <= self.radius2:
            return np.zeros_like(rest)
        if self._even:
            # All stretches are those of an even map: 1 where something is measured.
            return rest * (1 - np.sqrt(self.radius2 / total))
        mu = _multiplier(rest, self._stretch, self.radius2)
        return rest * mu / (1 + mu * self._stretch)


@dataclass(eq=False)
class Cost(_Demand):
    """Half of chi-squared over `weight` is added to the variation; `penalty` is that of the field in the method."""

    weight: float
    penalty: float

    def kept(self, chi2: float) -> bool:
        """Anything is."""
        return True

    def _pull(self, rest: NDArray[np.float64]) -> NDArray[np.float64]:
        mu = 1 / (self.weight * self.penalty)
        return rest * mu / (1 + mu * self._stretch)


def _multiplier(rest: NDArray[np.float64], stretch: NDArray[np.float64], radius2: float) -> float:
    """mu with ``sum (rest / (1 + mu stretch))^2 == radius2``, by Newton's method on its inverse root."""
    mu = 0.0
    for _ in range(50):
        short = 1 / (1 + mu * stretch)
        total = float(((rest * short) ** 2).sum())
        if total <= radius2 * (1 + 1e-9):
            break
        slope = float(((rest * short) ** 2 * stretch * short).sum())
        if slope == 0:
            break
        # d(total^-1/2)/dmu = total^-3/2 slope
        mu += (radius2**-0.5 - total**-0.5) * total**1.5 / slope
    return mu
