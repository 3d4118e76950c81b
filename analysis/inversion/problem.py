"""A map as whitened numbers, and the current below it as a stream function on a domain larger than the map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.constants import mu_0

from vbsense.analysis.inversion.operator import CurrentOperator
from vbsense.analysis.inversion.places import Sites
from vbsense.analysis.inversion.repeated import waves

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """Measured field, noise, and the operator that explains it.

    Everything is in units of `noise` for fields, of `density` for currents in A/m, and of the cell for lengths.

    Parameters
    ----------
    operator : CurrentOperator
        With a repeated boundary.
    values : ndarray, (component, place)
        Measured field (T); what is not measured is not finite.
    errors : ndarray, (component, place)
        One sigma (T).
    correlation : ndarray, (place, place), optional
        Of the noise between places.
    """

    operator: CurrentOperator
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    correlation: NDArray[np.float64] | None = None

    @cached_property
    def good(self) -> NDArray[np.bool_]:
        """Which values are measured, (component, place)."""
        with np.errstate(invalid="ignore"):
            return np.isfinite(self.values) & np.isfinite(self.errors) & (self.errors > 0)

    @property
    def count(self) -> int:
        """Number of measured values."""
        return int(self.good.sum())

    @cached_property
    def noise(self) -> float:
        """Median error (T)."""
        return float(np.median(self.errors[self.good]))

    @property
    def density(self) -> float:
        """Current density whose field, close to it, is as large as the noise (A/m)."""
        return 2 * self.noise / mu_0

    @property
    def unit(self) -> float:
        """Of the stream function (A)."""
        return float(self.density * np.sqrt(np.prod(self.operator.cell)))

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """`noise` over the error of every value; 0 where there is none."""
        return np.where(self.good, self.noise / np.where(self.good, self.errors, 1.0), 0.0)

    @cached_property
    def factor(self) -> list[NDArray[np.float64]] | None:
        """Cholesky factor of the correlation of the good places, for every component; the others stand alone."""
        if self.correlation is None:
            return None
        factors = [np.eye(self.good.shape[1]) for _ in self.good]
        for L, own in zip(factors, self.good, strict=True):
            L[np.ix_(own, own)] = np.linalg.cholesky(self.correlation[np.ix_(own, own)])
        return factors

    @cached_property
    def data(self) -> NDArray[np.float64]:
        """Whitened values, (size,), zero where nothing is measured."""
        return self.whiten(np.where(self.good, self.values, 0.0) / self.noise)

    def whiten(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """From (..., component, place) in units of the noise to (..., size) of unit variance."""
        scaled = self._solve(values * self.weight, transposed=False)
        return scaled.reshape(*values.shape[:-2], -1)

    def unwhiten(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The adjoint of `whiten`."""
        split = values.reshape(*values.shape[:-1], *self.good.shape)
        return self._solve(split, transposed=True) * self.weight

    def _solve(self, values: NDArray[np.float64], *, transposed: bool) -> NDArray[np.float64]:
        if self.factor is None:
            return values
        from scipy.linalg import solve_triangular

        out = np.empty_like(values)
        for c, L in enumerate(self.factor):
            flat = values[..., c, :].reshape(-1, len(L)).T
            solved = solve_triangular(L, flat, lower=True, trans=1 if transposed else 0)
            out[..., c, :] = solved.T.reshape(values[..., c, :].shape)
        return out

    def gather(self, field: NDArray[np.float64]) -> NDArray[np.float64]:
        """From (..., component, ny, nx) on the domain to (..., size), whitened."""
        return self.whiten(self.operator.places.take(field))

    def scatter(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The adjoint of `gather`."""
        return self.operator.places.put(self.unwhiten(values), self.operator.shape)

    def gram(self) -> NDArray[np.float64]:
        """``gather(scatter(.))`` as a matrix (size, size), of sites."""
        from scipy.linalg import block_diag

        assert isinstance(self.operator.places, Sites)
        matrix = self.operator.places.matrix
        overlap = (matrix @ matrix.T).toarray()
        blocks = [own[:, None] * overlap * own for own in self.weight]
        whole = block_diag(*blocks)
        if self.factor is None:
            return np.asarray(whole)
        return self.whiten_rows(self.whiten_rows(whole).T)

    def whiten_rows(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Correlations taken out of the columns of a matrix (size, n) whose rows are in units of their errors."""
        split = matrix.T.reshape(-1, *self.good.shape)
        return np.ascontiguousarray(self._solve(split, transposed=False).reshape(matrix.shape[1], -1).T)

    @cached_property
    def offsets(self) -> NDArray[np.float64]:
        """Orthonormal columns (size, n): a uniform field of each measured component, whitened."""
        columns = [self.whiten(np.eye(len(self.good))[c][:, None] * np.ones_like(self.weight)) for c in self._measured]
        return np.linalg.qr(np.stack(columns, axis=1))[0]

    @property
    def _measured(self) -> list[int]:
        return [c for c, own in enumerate(self.good) if own.any()]

    def clear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the uniform fields out of whitened values (..., size)."""
        return values - (values @ self.offsets) @ self.offsets.T

    def draw(self, rng: np.random.Generator, sets: int) -> NDArray[np.float64]:
        """Noise, whitened: (sets, size) independent numbers of unit variance where something is measured."""
        return rng.standard_normal((sets, self.good.size)) * self.good.ravel()

    @cached_property
    def differences(self) -> NDArray[np.complex128]:
        """Symbols (2, ny, nx // 2 + 1) that turn g into Jx and Jy, in these units."""
        ky, kx = waves(self.operator.shape, self.operator.cell)
        up, right = np.exp(1j * ky * self.operator.cell[0]), np.exp(1j * kx * self.operator.cell[1])
        hy, hx = self.sides
        return np.stack([(up - 1) * (1 + right) / (2 * hy), -(right - 1) * (1 + up) / (2 * hx)])

    @property
    def sides(self) -> tuple[float, float]:
        """Of a cell along y and x; their product is 1."""
        hy, hx = self.operator.cell
        return float(np.sqrt(hy / hx)), float(np.sqrt(hx / hy))

    @cached_property
    def transfer(self) -> NDArray[np.complex128]:
        """Symbols (component, ny, nx // 2 + 1) that turn g into the field, in these units; 0 at k = 0."""
        fields = self.operator._transfer * (self.density / self.noise)
        out = np.einsum("cjyx,jyx->cyx", fields, self.differences)
        out[:, 0, 0] = 0.0
        return np.ascontiguousarray(out)

    @cached_property
    def adjoint_transfer(self) -> NDArray[np.complex128]:
        """The conjugate of `transfer`."""
        return np.conj(self.transfer)

    @cached_property
    def strength(self) -> NDArray[np.float64]:
        """Squares of `transfer`, summed over the components."""
        return np.asarray((np.abs(self.transfer) ** 2).sum(axis=0))

    @cached_property
    def roughness(self) -> NDArray[np.float64]:
        """What a wave of g adds to the sum over cells of ``|grad J|^2``, (ny, nx // 2 + 1)."""
        ky, kx = waves(self.operator.shape, self.operator.cell)
        y, x = 2 - 2 * np.cos(ky * self.operator.cell[0]), 2 - 2 * np.cos(kx * self.operator.cell[1])
        a, b, c = self.second
        return np.asarray((a * x) ** 2 + (b * y) ** 2 + c**2 * x * y)

    @cached_property
    def stiffness(self) -> NDArray[np.float64]:
        """`roughness`, but 1 at k = 0, where g is arbitrary."""
        stiffness = self.roughness.copy()
        stiffness[0, 0] = 1.0
        return stiffness

    @property
    def second(self) -> NDArray[np.float64]:
        """Factors of the second differences of g along x, along y, and mixed (which counts twice)."""
        hy, hx = self.sides
        return np.array([1 / hx**2, 1 / hy**2, np.sqrt(2.0)])

    def density_of(self, spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
        """J (..., 2, ny, nx) A/m on the domain, from the transform of g."""
        from scipy.fft import irfft2

        J = irfft2(spectrum[..., None, :, :] * self.differences, s=self.operator.shape)
        return np.asarray(J * self.density)
