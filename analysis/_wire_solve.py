"""Least squares with bounds and priors, from normal equations; the covariance, or who cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Minimum", "covariance_of", "covariance_within", "minimise"]

_LIMIT = 200
_PATIENCE = 5  # steps from the normal matrix alone
_MOST_DAMPED = 1e10
_STEEP = 1e12  # condition of a normal matrix, its diagonal scaled to 1, that tells all parameters
_MANY = 300  # parameters
_INVOLVED = 0.2  # part of the largest weight in the direction that is not told


@dataclass(frozen=True)
class Minimum:
    """Where a sum of squares is smallest."""

    x: np.ndarray
    chi2: float
    normal: np.ndarray  # half of the second derivatives
    held: np.ndarray  # parameters on a bound
    converged: bool


def minimise(
    cost: Callable[[np.ndarray], float],
    normal: Callable[[np.ndarray], tuple[float, np.ndarray, np.ndarray]],
    x: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    hessian: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Minimum:
    """Levenberg-Marquardt; what is pushed against a bound stays there until it is pushed back.

    Where the data hardly tell some combination of the parameters, the noise bends chi-squared along it as much as the
    model does, and steps from the normal matrix alone go to and fro. After the first few, `hessian` bends with it.

    Parameters
    ----------
    cost : callable
        Sum of squares at x.
    normal : callable
        The same with half of its gradient and the normal matrix.
    x, low, high : ndarray, (n,)
        Start and bounds.
    hessian : callable, optional
        Of x and the normal matrix there: half of all second derivatives.
    """
    x = np.clip(x, low, high)
    chi2, gradient, matrix = normal(x)
    bent = matrix
    damping, converged = 1e-4, False
    for turn in range(_LIMIT):
        moves = ~(((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0)))
        enough = 1e-8 + 1e-11 * chi2
        while damping < _MOST_DAMPED:
            raw = _step(bent, gradient, moves, damping)
            expected = -float(2 * gradient @ raw + raw @ bent @ raw)
            converged = expected < enough and damping < 1e-2
            trial = np.clip(x + _within(raw, bent, gradient, moves, damping, low - x, high - x), low, high)
            better = cost(trial) <= chi2
            if better or converged:
                break
            damping = max(damping * 10, 1e-8)
        else:
            break
        if better:
            x, damping = trial, max(damping / 10, 1e-12)
            chi2, gradient, matrix = normal(x)
            bent = matrix
            if hessian is not None and turn >= _PATIENCE and not converged:
                bent = _if_convex(hessian(x, matrix), matrix)
        if converged:
            break
    return Minimum(x, chi2, matrix, (x <= low) | (x >= high), converged)


def _if_convex(hessian: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Second derivatives where all of them bend upwards, else the normal matrix."""
    scale = np.sqrt(np.diag(matrix))
    scale = np.where(scale > 0, scale, 1.0)
    try:
        np.linalg.cholesky(hessian / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        return matrix
    return hessian


def _step(matrix: np.ndarray, gradient: np.ndarray, moves: np.ndarray, damping: float) -> np.ndarray:
    """Damped Gauss-Newton step of the parameters that move."""
    step = np.zeros(gradient.size)
    own = matrix[np.ix_(moves, moves)]
    scale = np.sqrt(np.diag(own))
    scale = np.where(scale > 0, scale, 1.0)
    damped = own / np.outer(scale, scale) + damping * np.eye(scale.size)
    try:
        step[moves] = np.linalg.solve(damped, -gradient[moves] / scale) / scale
    except np.linalg.LinAlgError:
        step[moves] = np.linalg.lstsq(damped, -gradient[moves] / scale, rcond=None)[0] / scale
    return step


def _within(
    step: np.ndarray, matrix: np.ndarray, gradient: np.ndarray, moves: np.ndarray, damping: float, low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The step cut at the bounds, the other parameters following those that are cut."""
    cut = (step < low) | (step > high)
    if not cut.any():
        return step
    held = np.where(cut, np.clip(step, low, high), 0.0)
    return held + _step(matrix, gradient + matrix @ held, moves & ~cut, damping)


def covariance_of(normal: np.ndarray, names: Sequence[str], suffixes: Sequence[str] = ()) -> np.ndarray:
    """Inverse of the normal matrix; ValueError with the names of the parameters that the data leave open."""
    if not len(normal):
        return normal.copy()
    scale = np.sqrt(np.diag(normal))
    if not (np.isfinite(scale).all() and scale.all()):
        raise ValueError(f"the data do not depend on {names[int(np.argmin(scale))]!r}: leave it out of free")
    scaled = normal / np.outer(scale, scale)
    if len(scaled) > _MANY:
        # Much faster; the largest variance is at least the n-th part of the condition.
        inverse = np.linalg.inv(scaled)
        if np.diag(inverse).min() > 0 and np.diag(inverse).max() < _STEEP / len(scaled):
            return (inverse + inverse.T) / 2 / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(scaled)
    if values[0] <= values[-1] / _STEEP:
        raise ValueError(_open(vectors[:, 0], names, suffixes))
    return (vectors / values) @ vectors.T / np.outer(scale, scale)


def covariance_within(best: Minimum, names: Sequence[str], suffixes: Sequence[str]) -> np.ndarray:
    """Covariance; NaN for what lies on a bound, the others as if that were fixed."""
    free = np.flatnonzero(~best.held)
    covariance = np.full(best.normal.shape, np.nan)
    covariance[np.ix_(free, free)] = covariance_of(
        best.normal[np.ix_(free, free)], [names[k] for k in free.tolist()], suffixes
    )
    return covariance


def _open(direction: np.ndarray, names: Sequence[str], suffixes: Sequence[str]) -> str:
    """Which parameters the data do not tell, given the direction in which nothing changes."""
    large = np.abs(direction) > _INVOLVED * np.abs(direction).max()
    involved = [name for name, is_large in zip(names, large, strict=True) if is_large]
    ends = [end for end in suffixes if end and any(name.endswith(end) for name in involved)]
    if len(ends) > 1:
        which = " and ".join(end.removeprefix("_") for end in ends)
        return f"the wires {which} cannot be told apart ({', '.join(involved)}): fit one of them, or give a prior"
    return f"the data do not determine {', '.join(involved)} together: free fewer, or give a prior"
