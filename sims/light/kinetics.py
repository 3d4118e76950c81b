"""Linear rate equations between levels: stationary state and evolution in time.

``rates[i, j]`` is the rate from level i to level j (1/s); entries on the diagonal do nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["Propagator", "generator", "stationary", "stationary_joined"]

# Largest relative error of V diag(w) V^-1 against the matrix for which the eigenvectors are trusted.
_TRUSTED = 1e-10


def generator(rates: np.ndarray) -> np.ndarray:
    """The matrix M of ``dp/dt = M p``, ``(..., n, n)`` 1/s: its columns sum to zero.

    Examples
    --------
    >>> generator(np.array([[0.0, 2.0], [3.0, 0.0]])).tolist()
    [[-2.0, 3.0], [2.0, -3.0]]
    """
    M = np.array(np.swapaxes(rates, -1, -2), dtype=float)
    diagonal = np.arange(M.shape[-1])
    M[..., diagonal, diagonal] = 0.0
    M[..., diagonal, diagonal] = -M.sum(-2)
    return M


def stationary(rates: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
    """Populations that no longer change.

    Elimination without subtractions (Grassmann, Taksar, Heyman, Oper. Res. 33, 1107 (1985)): every
    population keeps its relative accuracy, also those of 1e-12 in the excited state under weak light.

    Parameters
    ----------
    rates : ndarray, (..., n, n)
        Rates from row to column (1/s), not negative.
    names : sequence of str
        Of the levels, for the message.

    Returns
    -------
    ndarray, (..., n)
        Populations that sum to 1.

    Raises
    ------
    ValueError
        If a level is not left towards those before it: the end then depends on the start.

    Examples
    --------
    >>> stationary(np.array([[0.0, 1.0], [3.0, 0.0]])).tolist()
    [0.75, 0.25]
    """
    R = np.array(rates, dtype=float)
    n = R.shape[-1]
    for k in range(n - 1, 0, -1):
        out = R[..., k, :k].sum(-1)
        if not (out > 0).all():
            level = names[k] if names else f"number {k}"
            raise ValueError(
                f"there is no unique stationary state: level {level} is not left towards the levels before it; "
                "give a finite T1 or a pump above 0"
            )
        R[..., :k, k] /= out[..., None]
        R[..., :k, :k] += R[..., :k, k, None] * R[..., None, k, :k]
    p = np.zeros(R.shape[:-1])
    p[..., 0] = 1.0
    for k in range(1, n):
        p[..., k] = (p[..., :k] * R[..., :k, k]).sum(-1)
    return p / p.sum(-1, keepdims=True)


def stationary_joined(rates: np.ndarray, joined: list[int], names: Sequence[str]) -> np.ndarray:
    """As `stationary`, where the levels `joined` exchange without limit: they act as one, equally filled.

    Examples
    --------
    >>> ring = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [2.0, 0.0, 0.0]])
    >>> stationary_joined(ring, [0, 1], "abc").round(3).tolist()
    [0.4, 0.4, 0.2]
    """
    kept = [k for k in range(rates.shape[-1]) if k not in joined[1:]]
    spread = np.zeros((len(kept), rates.shape[-1]))
    spread[np.arange(len(kept)), kept] = 1.0
    spread[kept.index(joined[0]), joined] = 1 / len(joined)
    merged = spread @ rates @ (spread > 0).T
    return stationary(merged, [names[k] for k in kept]) @ spread


class Propagator:
    """exp(M t) and its integral over time, from one eigendecomposition.

    A matrix whose eigenvectors do not span (two rates in a row that are equal, say) goes through
    `scipy.linalg.expm` instead.

    Parameters
    ----------
    M : ndarray, (n, n)
        As from `generator` (1/s).

    Examples
    --------
    >>> decay = Propagator(generator(np.array([[0.0, 1.0], [0.0, 0.0]])))
    >>> decay.at(np.array([0.0, np.log(2)]))[1].round(12).tolist()
    [[0.5, 0.0], [0.5, 1.0]]
    """

    def __init__(self, M: np.ndarray) -> None:
        self.M = M
        self.values, vectors = np.linalg.eig(M)
        # Populations are conserved: one value is zero, and what rounding leaves of it would grow with time.
        self.values[np.abs(self.values).argmin()] = 0.0
        self.vectors, self.inverse = vectors, None
        try:
            inverse = np.linalg.inv(vectors)
        except np.linalg.LinAlgError:
            return
        # Relative to the size of the factors: their rounding is what grows when two eigenvectors close up.
        error = np.abs((vectors * self.values) @ inverse - M).max()
        if error <= _TRUSTED * np.abs(M).max() and np.linalg.cond(vectors) < 1e6:
            self.inverse = inverse

    def at(self, times: np.ndarray) -> np.ndarray:
        """exp(M t) at `times` (nt,) s, ``(nt, n, n)``."""
        if self.inverse is None:
            from scipy.linalg import expm

            return _conserved(expm(self.M * times[:, None, None]))
        return _conserved(self._assemble(np.exp(np.multiply.outer(times, self.values))))

    def integral(self, time: float) -> np.ndarray:
        """Integral of exp(M t) from 0 to `time` (s), ``(n, n)`` s."""
        if time == 0:
            return np.zeros_like(self.M)
        if self.inverse is None:
            from scipy.linalg import expm

            # The upper right block of exp [[M, 1], [0, 0]] t is the integral (Van Loan, 1978).
            n = len(self.M)
            block = np.zeros((2 * n, 2 * n))
            block[:n, :n], block[:n, n:] = self.M, np.eye(n)
            return time * _conserved(expm(block * time)[:n, n:])
        still = self.values == 0
        safe = np.where(still, 1.0, self.values)
        return time * _conserved(self._assemble(np.where(still, time, np.expm1(safe * time) / safe)))

    def _assemble(self, factors: np.ndarray) -> np.ndarray:
        assert self.inverse is not None
        return ((self.vectors * factors[..., None, :]) @ self.inverse).real


def _conserved(matrix: np.ndarray) -> np.ndarray:
    """`matrix` with columns that sum to 1, as those of exp(M t) do but for rounding."""
    return matrix / matrix.sum(-2, keepdims=True)
