"""Where a field on the cells of a domain is measured: a window of cells, or sites anywhere between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sites", "Window"]

_POINTS = 8  # of the polynomial between cells, on each axis


@dataclass(frozen=True)
class Window:
    """Cells from (row, column) on, `shape` of them.

    Examples
    --------
    >>> inner = Window((1, 1), (2, 2))
    >>> inner.take(np.arange(16.0).reshape(4, 4)).tolist()
    [5.0, 6.0, 9.0, 10.0]
    >>> inner.put(np.ones(4), (4, 4)).sum()
    np.float64(4.0)
    """

    start: tuple[int, int]
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        """Number of places."""
        return self.shape[0] * self.shape[1]

    @property
    def cut(self) -> tuple[slice, slice]:
        """Rows and columns."""
        (row, column), (rows, columns) = self.start, self.shape
        return slice(row, row + rows), slice(column, column + columns)

    def take(self, grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at the places, ``(..., place)``, from ``(..., row, column)``."""
        part = grid[(..., *self.cut)]
        return part.reshape(*part.shape[:-2], -1)

    def put(self, values: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
        """The adjoint of `take`."""
        out = np.zeros((*values.shape[:-1], *shape))
        out[(..., *self.cut)] = values.reshape(*values.shape[:-1], *self.shape)
        return out


@dataclass(frozen=True, eq=False)
class Sites:
    """Places between cells, read by polynomials through 8 x 8 of them.

    Parameters
    ----------
    row, column : ndarray, (site,)
        In cells, from the middle of cell (0, 0); at least 3 and at most n - 4, so that no polynomial leaves the domain.
    domain : (int, int)
        Its cells.
    """

    row: NDArray[np.float64]
    column: NDArray[np.float64]
    domain: tuple[int, int]

    def __post_init__(self) -> None:
        for name, values, count in zip(("y", "x"), (self.row, self.column), self.domain, strict=True):
            if count < _POINTS or values.min() < 3 - 1e-9 or values.max() > count - 4 + 1e-9:
                raise ValueError(
                    f"sites reach from cell {values.min():.1f} to {values.max():.1f} along {name}; in a domain of "
                    f"{count} cells they must keep three cells away from its ends: make the domain larger"
                )

    @property
    def size(self) -> int:
        """Number of places."""
        return int(self.row.size)

    @cached_property
    def matrix(self) -> Any:
        """Sparse, (site, cell of the domain)."""
        from scipy.sparse import csr_matrix

        rows, by_row = _lagrange(self.row, self.domain[0])
        columns, by_column = _lagrange(self.column, self.domain[1])
        index = rows[:, :, None] * self.domain[1] + columns[:, None, :]
        weight = by_row[:, :, None] * by_column[:, None, :]
        pointer = np.arange(self.size + 1) * _POINTS**2
        return csr_matrix((weight.ravel(), index.ravel(), pointer), shape=(self.size, self.domain[0] * self.domain[1]))

    def take(self, grid: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `Window.take`."""
        flat = grid.reshape(-1, grid.shape[-2] * grid.shape[-1])
        return np.asarray(self.matrix @ flat.T).T.reshape(*grid.shape[:-2], self.size)

    def put(self, values: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
        """The adjoint of `take`."""
        flat = values.reshape(-1, self.size)
        return np.asarray(self.matrix.T @ flat.T).T.reshape(*values.shape[:-1], *shape)


def _lagrange(place: NDArray[np.float64], count: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The `_POINTS` cells around every place, and the weights of the polynomial through them."""
    first = np.clip(np.floor(place).astype(int) - _POINTS // 2 + 1, 0, count - _POINTS)
    nodes = np.arange(_POINTS)
    distance = (place - first)[:, None] - nodes
    weight = np.ones_like(distance)
    for k in range(_POINTS):
        others = nodes != k
        weight[:, k] = np.prod(distance[:, others] / (k - nodes[others]), axis=1)
    return first[:, None] + nodes, weight
