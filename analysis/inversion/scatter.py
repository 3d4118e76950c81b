"""Errors by repetition: the same inversion of noise, or of the fitted field with new noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from vbsense.analysis.inversion.tikhonov import solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vbsense.analysis.inversion.problem import Problem

__all__ = ["linear_samples", "repeat", "smooth_variance"]

_AT_ONCE = 2_000_000  # cells


def linear_samples(problem: Problem, weight: float, sets: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """What noise alone becomes, (sets, 2, ny, nx) A/m on the domain, for a linear inversion."""
    noise = problem.draw(rng, sets)
    step = max(_AT_ONCE // int(np.prod(problem.operator.shape)), 1)
    parts = []
    for first in range(0, sets, step):
        found = solve(problem, noise[first : first + step], weight, tolerance=0.05)
        parts.append(problem.density_of(found.stream(problem)))
    return np.concatenate(parts)


def repeat(
    problem: Problem,
    explained: NDArray[np.float64],
    invert: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    sets: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """A parametric bootstrap: deviations of (sets, 2, ny, nx) from their mean.

    Parameters
    ----------
    problem : Problem
    explained : ndarray, (size,)
        Whitened field of the solution.
    invert : callable
        From whitened data to a current density.
    sets : int
    rng : numpy.random.Generator
    """
    found = np.stack([invert(explained + noise) for noise in problem.draw(rng, sets)])
    return np.asarray((found - found.mean(axis=0)) * np.sqrt(sets / (sets - 1)))


def smooth_variance(samples: NDArray[np.float64], pixels: float) -> NDArray[np.float64]:
    """Mean square over samples (n, 2, y, x), smoothed over some pixels: noise that changes slowly over the map.

    A few samples know a variance at one pixel badly, its mean over a neighbourhood well.
    """
    from scipy.ndimage import gaussian_filter

    square = (samples**2).mean(axis=0)
    return np.asarray(gaussian_filter(square, (0, pixels, pixels), mode="nearest"))
