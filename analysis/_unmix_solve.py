"""The normal equations of all spots and a few columns under them: factor, solution, covariance, condition.

Sites that share no pixel do not touch in the normal matrix. Brought near its diagonal it is factored in blocks, each
of which knows the next only: that costs n b^2 for n sites and a band of b, where the whole matrix would cost n^3. The
columns of the background reach all sites; they are eliminated last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["BlockCholesky", "Normal", "Solver"]

_LEAST = 48  # sites of a block: smaller ones cost more calls than arithmetic


@dataclass(frozen=True)
class Normal:
    """Normal matrix of spots and background, in its parts.

    Attributes
    ----------
    spots : csr_array, (site, site)
    cross : ndarray, (site, k)
    corner : ndarray, (k, k)
    """

    spots: Any
    cross: np.ndarray
    corner: np.ndarray

    def apply(self, z: np.ndarray) -> np.ndarray:
        """Product with columns ``(site + k, m)``."""
        n = self.spots.shape[0]
        return np.vstack([self.spots @ z[:n] + self.cross @ z[n:], self.cross.T @ z[:n] + self.corner @ z[n:]])

    @property
    def diagonal(self) -> np.ndarray:
        """Of spots and background, ``(site + k,)``."""
        return np.concatenate([self.spots.diagonal(), np.diag(self.corner)])

    def scaled(self, factor: float) -> Normal:
        """All parts times a number."""
        return Normal(self.spots * factor, self.cross * factor, self.corner * factor)


class BlockCholesky:
    """Cholesky factor of a sparse positive definite matrix.

    Parameters
    ----------
    matrix : csr_array, (n, n)
        Symmetric.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> factor = BlockCholesky(csr_array(np.diag([4.0, 2.0])))
    >>> factor.solve(np.array([[1.0], [1.0]])).ravel().round(12).tolist()
    [0.25, 0.5]
    """

    def __init__(self, matrix: Any) -> None:
        self.order, band = _narrow(matrix)
        n = matrix.shape[0]
        self.edges = [*range(0, n, max(band, _LEAST)), n]
        permuted = matrix[self.order][:, self.order].tocsr()
        self.lower: list[np.ndarray] = []  # the blocks on the diagonal of the factor
        self.below: list[np.ndarray] = []  # and those under them
        for b in range(len(self.edges) - 1):
            self._add(permuted, b)

    def _add(self, matrix: Any, b: int) -> None:
        from scipy.linalg import cholesky, solve_triangular

        rows = matrix[self._part(b)]
        block = rows[:, self._part(b)].toarray()
        if b:
            beside = rows[:, self._part(b - 1)].toarray()
            self.below.append(solve_triangular(self.lower[-1], beside.T, lower=True, check_finite=False).T)
            block -= self.below[-1] @ self.below[-1].T
        self.lower.append(cholesky(block, lower=True, overwrite_a=True, check_finite=False))

    def _part(self, b: int) -> slice:
        return slice(self.edges[b], self.edges[b + 1])

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solution of ``matrix @ x = right``, ``(n, m)``."""
        from scipy.linalg import solve_triangular

        x, last = right[self.order], len(self.lower) - 1
        for b, lower in enumerate(self.lower):
            if b:
                x[self._part(b)] -= self.below[b - 1] @ x[self._part(b - 1)]
            x[self._part(b)] = solve_triangular(lower, x[self._part(b)], lower=True, check_finite=False)
        for b in range(last, -1, -1):
            if b < last:
                x[self._part(b)] -= self.below[b].T @ x[self._part(b + 1)]
            x[self._part(b)] = solve_triangular(
                self.lower[b], x[self._part(b)], lower=True, trans=1, check_finite=False
            )
        result = np.empty_like(x)
        result[self.order] = x
        return result

    def inverse(self) -> np.ndarray:
        """The whole inverse, ``(n, n)``, from the last block upwards."""
        n, last = self.edges[-1], len(self.lower) - 1
        inverse = np.empty((n, n))
        for b in range(last, -1, -1):
            own, step = self._step(b)
            if b < last:
                # What lies below follows from the column to the right.
                column = -inverse[self.edges[b + 1] :, self._part(b + 1)] @ step
                inverse[self.edges[b + 1] :, self._part(b)] = column
                inverse[self._part(b), self.edges[b + 1] :] = column.T
                own -= step.T @ column[: step.shape[0]]
            inverse[self._part(b), self._part(b)] = own
        if (np.diff(self.order) == 1).all():
            return inverse
        result = np.empty_like(inverse)
        result[np.ix_(self.order, self.order)] = inverse
        return result

    def inverse_diagonal(self) -> np.ndarray:
        """Diagonal of the inverse, ``(n,)``, without the rest of it."""
        result, last, previous = np.empty(self.edges[-1]), len(self.lower) - 1, np.empty((0, 0))
        for b in range(last, -1, -1):
            own, step = self._step(b)
            if b < last:
                own += step.T @ previous @ step
            previous = own
            result[self.order[self._part(b)]] = np.diag(own)
        return result

    def _step(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        """Inverse of block b alone, and what carries the next block over to it."""
        from scipy.linalg import solve_triangular

        root = solve_triangular(self.lower[b], np.eye(len(self.lower[b])), lower=True, check_finite=False)
        step = self.below[b] @ root if b < len(self.below) else np.empty((0, len(root)))
        return root.T @ root, step


def _narrow(matrix: Any) -> tuple[np.ndarray, int]:
    """The order in which the entries lie nearest to the diagonal, and the width of the band."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    entries = matrix.tocoo()
    given = np.arange(matrix.shape[0])
    other = reverse_cuthill_mckee(matrix, symmetric_mode=True)
    widths = []
    for order in (given, other):
        place = np.empty_like(given)
        place[order] = given
        widths.append(int(np.abs(place[entries.row] - place[entries.col]).max(initial=0)))
    return (given, widths[0]) if widths[0] <= widths[1] else (np.asarray(other), widths[1])


class Solver:
    """Solves the normal equations of spots and background.

    Parameters
    ----------
    normal : Normal

    Raises
    ------
    ValueError
        If two sites, or the background and the sites, cannot be told apart.
    """

    # A prior has another relation between the unknowns and the light; see `smoothprior`.
    ridge: Any = 0.0
    offset: Any = 0.0

    def __init__(self, normal: Normal) -> None:
        from scipy.linalg import cho_factor
        from scipy.sparse import diags_array

        self.sites = normal.spots.shape[0]
        self.scale = np.sqrt(normal.diagonal)
        self.scale[self.scale == 0] = 1.0
        inner, outer = self.scale[: self.sites], self.scale[self.sites :]
        turn = diags_array(1 / inner)
        self.scaled = Normal(
            (turn @ normal.spots @ turn).tocsr(),
            normal.cross / np.outer(inner, outer),
            normal.corner / np.outer(outer, outer),
        )
        try:
            self.factor = BlockCholesky(self.scaled.spots)
            self.across = self.factor.solve(self.scaled.cross)
            self.schur = cho_factor(self.scaled.corner - self.scaled.cross.T @ self.across) if outer.size else None
        except np.linalg.LinAlgError:
            raise ValueError(
                "two sites lie on top of each other, or the background cannot be told from the spots: check the "
                "pitch, leave the background out, or give a prior"
            ) from None

    def to_light(self, z: np.ndarray) -> np.ndarray:
        """Light and background of the unknowns, which they are."""
        return z

    def from_light(self, right: np.ndarray) -> np.ndarray:
        """Right side of the unknowns."""
        return right

    def unknowns(self, right: np.ndarray) -> np.ndarray:
        """Solve for the unknowns."""
        return self.solve(right)

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Light and background, ``(site + k, m)``, for right sides of that shape."""
        from scipy.linalg import cho_solve

        right = right / self.scale[:, None]
        x = self.factor.solve(right[: self.sites])
        if self.schur is not None:
            under = cho_solve(self.schur, right[self.sites :] - self.scaled.cross.T @ x)
            x = np.vstack([x - self.across @ under, under])
        return x / self.scale[:, None]

    def covariance(self) -> np.ndarray:
        """Covariance of the light, ``(site, site)``."""
        covariance = self.factor.inverse()
        if self.schur is not None:
            covariance += self._lifted(full=True)
        covariance /= self.scale[: self.sites]
        covariance /= self.scale[: self.sites, None]
        return covariance

    def variance(self) -> np.ndarray:
        """Its diagonal, ``(site,)``."""
        return (self.factor.inverse_diagonal() + self._lifted(full=False)) / self.scale[: self.sites] ** 2

    def _lifted(self, *, full: bool) -> np.ndarray:
        """What not knowing the background adds, in units of the error of a spot alone."""
        from scipy.linalg import cho_solve

        if self.schur is None:
            return np.zeros(self.sites)
        half = cho_solve(self.schur, self.across.T)
        return self.across @ half if full else np.einsum("sk,ks->s", self.across, half)

    def condition(self) -> float:
        """Largest over smallest singular value of the weighted images, each of unit length."""
        from scipy.sparse.linalg import LinearOperator, eigsh

        n = self.scale.size
        if n <= 64:
            values = np.linalg.eigvalsh(self.scaled.apply(np.eye(n)))
            return float(np.sqrt(values[-1] / max(values[0], np.finfo(float).tiny)))
        scale, start = self.scale[:, None], np.random.default_rng(0).standard_normal(n)
        ends = [
            eigsh(LinearOperator((n, n), matvec=product, dtype=float), 1, which="LA", v0=start, tol=1e-3)[0][0]
            for product in (
                lambda z: self.scaled.apply(z.reshape(-1, 1)).ravel(),
                lambda z: (scale * self.solve(scale * z.reshape(-1, 1))).ravel(),
            )
        ]
        return float(np.sqrt(ends[0] * ends[1]))
