"""The current of least total variation that explains the field, by the alternating direction method of multipliers.

Minimised is the sum over cells of ``|grad J|``, all derivatives of both components together, with the residual inside
the ball ``chi-squared = number of data``: a projection, so that no weight has to be chosen. Conductors of even density
with sharp edges are what has a small variation. Every step solves one equation that is diagonal in Fourier space.

References
----------
L. I. Rudin, S. Osher, E. Fatemi, Physica D 60, 259 (1992), doi:10.1016/0167-2789(92)90242-F (total variation inside a
ball); S. Boyd et al., Found. Trends Mach. Learn. 3, 1 (2011), doi:10.1561/2200000016 (the method).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vbsense.analysis.inversion.ball import Ball, Cost

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vbsense.analysis.inversion.problem import Problem

__all__ = ["Pace", "Sharp", "least_variation", "pace_of"]

FREE, POSITIVE, EMPTY = 2, 1, 0  # what a component of the density may be in a cell
HALF = -1.0  # in place of a threshold: the square of the gradient counts, not its length
_RELAX = 1.7
_LOOK = 25  # steps between two looks at the convergence


@dataclass(frozen=True)
class Pace:
    """Penalties of the method: they decide how fast it converges, not where to.

    Attributes
    ----------
    threshold : float
        By which the gradient of J is shortened in every step; `HALF` for the smoothest current.
    coupling : float
        Penalty of the gradients over that of the field.
    holding : float
        Penalty of the densities, where these are restricted, over that of the field.
    """

    threshold: float
    coupling: float
    holding: float = 0.0


@dataclass(frozen=True, eq=False)
class Sharp:
    """A solution.

    Attributes
    ----------
    stream : ndarray, (ny, nx // 2 + 1)
        Transform of g.
    uniform : ndarray, (2,)
        Jx and Jy that flow everywhere besides.
    chi2 : float
        Of the field of the solution.
    steps : int
    change : float
        Relative change of J over the last `_LOOK` steps.
    """

    stream: NDArray[np.complex128]
    uniform: NDArray[np.float64]
    chi2: float
    steps: int
    change: float


def least_variation(
    problem: Problem,
    demand: Ball | Cost,
    pace: Pace,
    *,
    rule: NDArray[np.int8] | None = None,
    loose: NDArray[np.int8] | None = None,
    uniform: NDArray[np.float64] | None = None,
    start: NDArray[np.complex128] | None = None,
    most: int = 600,
    tolerance: float = 2e-3,
) -> Sharp:
    """Minimise the variation under a demand on the residual.

    Parameters
    ----------
    problem : Problem
    demand : Ball or Cost
        What becomes of the residual.
    pace : Pace
    rule : ndarray of int8, (2, ny, nx), optional
        For Jx and Jy in every cell of the domain: 0 (none), 1 (not negative) or 2 (free).
    loose : ndarray of int8, (ny, nx), optional
        Corners at which J may jump at no price.
    uniform : ndarray, (2,), optional
        Jx and Jy that flow everywhere besides; by default what suits the rule.
    start : ndarray, optional
        Transform of g to begin with.
    most : int
        Steps at most.
    tolerance : float
        It ends when J changes by less than this fraction in 25 steps.
    """
    return _Search(problem, demand, pace, rule, loose, uniform).run(start, most, tolerance)


def pace_of(problem: Problem, scale: float) -> Pace:
    """Penalties that converge well for currents of some density.

    Parameters
    ----------
    problem : Problem
    scale : float
        Typical density in the conductor (A/m).
    """
    far = problem.operator.sensing.height / float(np.sqrt(np.prod(problem.operator.cell)))
    coupling = float(np.clip(0.4 * np.exp(-0.7 * (far - 1.0)), 1e-6, 0.4))
    return Pace(0.03 * float(np.clip(0.6 * far, 1.0, 3.0)) * scale / problem.density, coupling, coupling)


class _Search:
    """The variables of the iteration: g, its gradients, its densities, its field, and their multipliers."""

    def __init__(
        self,
        problem: Problem,
        demand: Ball | Cost,
        pace: Pace,
        rule: NDArray[np.int8] | None,
        loose: NDArray[np.int8] | None,
        uniform: NDArray[np.float64] | None,
    ) -> None:
        shape, components = problem.operator.shape, len(problem.operator.components)
        self.problem, self.demand, self.pace, self.rule = problem, demand, pace, rule
        self.loose = np.zeros(shape, np.int8) if loose is None else loose
        self.bends, self.bends_dual = np.zeros((2, 3, *shape))
        self.densities, self.densities_dual = np.zeros((2, 2, *(shape if rule is not None else (0, 0))))
        self.field, self.field_dual = np.zeros((2, components, *shape))
        self.work, self.out = np.empty((3, *shape)), np.empty(shape)
        hy, hx = problem.sides
        self.slopes = np.array([1 / (2 * hy), 1 / (2 * hx)])
        self.uniform, self.settled = (np.zeros(2), False) if uniform is None else (uniform, True)
        self.inverse = 1 / self._denominator()

    def _denominator(self) -> NDArray[np.float64]:
        total = self.pace.coupling * self.problem.roughness + self.problem.strength
        if self.rule is not None:
            total = total + self.pace.holding * (np.abs(self.problem.differences) ** 2).sum(axis=0)
        # A wave of g that no part sees, as its mean, stays what it is: zero.
        return np.where(total > 1e-12 * total.max(), total, np.inf)

    def run(self, start: NDArray[np.complex128] | None, most: int, tolerance: float) -> Sharp:
        spectrum = np.zeros_like(self.problem.transfer[0]) if start is None else start
        self._take(spectrum, 1.0)
        before, change, step = spectrum, np.inf, 0
        for step in range(1, most + 1):
            spectrum = self._combine()
            self._take(spectrum, _RELAX)
            if step % _LOOK == 0:
                size = self._norm(spectrum)
                change = self._norm(spectrum - before) / size if size else 0.0
                before = spectrum
                if change < tolerance and self._keeps(spectrum):
                    break
        return Sharp(spectrum, self.uniform, self._chi2(spectrum), step, float(change))

    def _combine(self) -> NDArray[np.complex128]:
        """The g that fits gradients, densities and field best."""
        from scipy.fft import rfft2

        from vbsense.analysis.inversion._variation_kernels import spread, spread_densities

        spread(self.bends, self.bends_dual, self.problem.second, self.work, self.out)
        self.out *= self.pace.coupling
        if self.rule is not None:
            spread_densities(self.densities, self.densities_dual, self.slopes, self.pace.holding, self.out)
            # No field of Bz belongs to a uniform current: it is what the restrictions want it to be.
            if not self.settled:
                self.uniform = (self.densities - self.densities_dual).mean(axis=(1, 2))
        sources = rfft2(self.field - self.field_dual)
        return (rfft2(self.out) + (self.problem.adjoint_transfer * sources).sum(axis=0)) * self.inverse

    def _take(self, spectrum: NDArray[np.complex128], relax: float) -> None:
        """Gradients, densities and field of g, each moved to what it has to be."""
        from scipy.fft import irfft2

        from vbsense.analysis.inversion._variation_kernels import restrict, shrink

        stream = irfft2(spectrum, s=self.out.shape)
        shrink(stream, self.problem.second, self.bends, self.bends_dual, self.loose, self.pace.threshold, relax)
        if self.rule is not None:
            restrict(stream, self.slopes, self.uniform, self.densities, self.densities_dual, self.rule, relax)
        field = irfft2(self.problem.transfer * spectrum, s=self.out.shape)
        field *= relax
        field += (1 - relax) * self.field
        field += self.field_dual
        self.field = field
        self.field_dual = self.demand.project(field)

    def _norm(self, spectrum: NDArray[np.complex128]) -> float:
        return float(np.linalg.norm(spectrum * np.sqrt((np.abs(self.problem.differences) ** 2).sum(axis=0))))

    def _chi2(self, spectrum: NDArray[np.complex128]) -> float:
        from scipy.fft import irfft2

        field = irfft2(self.problem.transfer * spectrum, s=self.out.shape)
        rest = self.problem.clear(self.problem.data - self.problem.gather(field))
        return float(rest @ rest)

    def _keeps(self, spectrum: NDArray[np.complex128]) -> bool:
        return self.demand.kept(self._chi2(spectrum))
