"""From a stream function in a plane to the field above it, and the adjoint: one operator for pixels and for spots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._names import choices
from vbsense.analysis.inversion.cells import offset_fields
from vbsense.analysis.inversion.footprint import Sensing
from vbsense.analysis.inversion.places import Sites, Window
from vbsense.analysis.inversion.repeated import folded_transfer
from vbsense.currents._inputs import WIDEST, size

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CurrentOperator"]

BOUNDARIES = ("open", "repeated")


@dataclass(frozen=True, eq=False)
class CurrentOperator:
    """Stream function on the corners of cells to the field that a map or an array measures.

    ``Jx = dg/dy`` and ``Jy = -dg/dx``, even within a cell: differences of the corners. A current that is described so
    ends nowhere inside the domain, its net current between two corners is the difference of g there, and a straight
    trace whose edges lie on edges of cells is exact.

    Parameters
    ----------
    shape : (int, int)
        Cells of the domain along y and x. It may reach beyond what is measured.
    cell : (float, float)
        Sides of a cell along y and x (m); they may differ.
    sensing : Sensing
        Stand-off, layers, and the area over which a sensor averages.
    at : Window or Sites, optional
        Where the field is measured; by default above every cell.
    components : str
        Some of "x", "y", "z", in this order.
    boundary : {"open", "repeated"}
        "open": beyond the domain there is no current. What crosses its border, as a lead does where g is not level
        along it, begins or ends there, as a `vbsense.Ribbon` with an end. "repeated": the domain repeats itself
        without end, its net currents are zero (uniform currents, which have no Bz, are left out).

    Notes
    -----
    Both are convolutions with the field of an evenly filled cell. "open" takes it from the closed form, averaged by
    quadrature, and wraps nothing around; "repeated" from the product of factors in Fourier space, folded back onto the
    waves of the grid. The latter is what can be inverted wave by wave.

    Sites between the cells are read by polynomials of the seventh degree: with cells of half a stand-off or less they
    err by less than 1e-3.

    Examples
    --------
    >>> step = np.full((41, 31), 1e-3)                 # 1 mA along +y between columns 10 and 20 of 100 nm
    >>> step[:, 10:21] = np.linspace(1e-3, 0, 11)
    >>> step[:, 21:] = 0.0
    >>> above = CurrentOperator((40, 30), (100e-9, 100e-9), Sensing(100e-9), components="xz")
    >>> B = above.forward(step)
    >>> B.shape, (B[:, 20, 15] * 1e6).round(1)         # uT, as of a ribbon 4 um long
    ((2, 40, 30), array([546.2, -37.4]))
    >>> L = above.aslinearoperator()
    >>> L.shape, bool(np.allclose(L.matvec(step.ravel()), B.ravel()))
    ((2400, 1271), True)
    """

    shape: tuple[int, int]
    cell: tuple[float, float]
    sensing: Sensing
    at: Window | Sites | None = None
    components: str = "z"
    boundary: str = "open"

    def __post_init__(self) -> None:
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise ValueError(f"shape is {self.shape!r}; give rows and columns of the domain, whole numbers above zero")
        for side in self.cell:
            size("cell", side, WIDEST)
        if self.boundary not in BOUNDARIES:
            raise ValueError(f"boundary: unknown {self.boundary!r}; {choices(self.boundary, BOUNDARIES)}")
        if not self.components or self.components not in ("x", "y", "z", "xy", "xz", "yz", "xyz"):
            raise ValueError(f"components is {self.components!r}; give some of 'x', 'y', 'z' in this order")
        if isinstance(self.at, Window):
            last = [first + count for first, count in zip(self.at.start, self.at.shape, strict=True)]
            if min(*self.at.start, *self.at.shape) < 0 or last[0] > self.shape[0] or last[1] > self.shape[1]:
                raise ValueError(f"the window {self.at} reaches beyond the domain of {self.shape} cells")

    @property
    def places(self) -> Window | Sites:
        """Where the field is measured."""
        return Window((0, 0), self.shape) if self.at is None else self.at

    @property
    def stream_shape(self) -> tuple[int, int]:
        """Corners that hold g: one more than cells along each axis, or as many where the domain repeats itself."""
        more = 1 if self.boundary == "open" else 0
        return self.shape[0] + more, self.shape[1] + more

    @property
    def field_shape(self) -> tuple[int, ...]:
        """Of what `forward` returns: (component, y, x) or (component, site)."""
        at = self.places
        return (len(self.components), *(at.shape if isinstance(at, Window) else (at.size,)))

    def current(self, stream: NDArray[np.float64]) -> NDArray[np.float64]:
        """Jx and Jy (2, ny, nx) A/m in the cells, from g (A) at the corners."""
        low, high = (stream[:, :-1], stream[:, 1:]) if self.boundary == "open" else (stream, np.roll(stream, -1, 1))
        below, above = _rows(low + high, self.boundary)
        left, right = _rows(low, self.boundary), _rows(high, self.boundary)
        across = (left[0] + left[1]) - (right[0] + right[1])
        return np.stack([(above - below) / (2 * self.cell[0]), across / (2 * self.cell[1])])

    def current_adjoint(self, J: NDArray[np.float64]) -> NDArray[np.float64]:
        """The adjoint of `current`."""
        Jx, Jy = J[0] / (2 * self.cell[0]), J[1] / (2 * self.cell[1])
        if self.boundary == "repeated":
            left, right = -Jx + Jy, -Jx - Jy
            upper = Jx + Jy, Jx - Jy
            return left + np.roll(right, 1, 1) + np.roll(upper[0], 1, 0) + np.roll(np.roll(upper[1], 1, 0), 1, 1)
        out = np.zeros(self.stream_shape)
        out[:-1, :-1] += -Jx + Jy
        out[:-1, 1:] += -Jx - Jy
        out[1:, :-1] += Jx + Jy
        out[1:, 1:] += Jx - Jy
        return out

    def forward(self, stream: NDArray[np.float64]) -> NDArray[np.float64]:
        """Field (T), of `field_shape`, of the stream function (A), of `stream_shape`."""
        from scipy.fft import irfft2, rfft2

        stream = self._checked(stream, self.stream_shape, "stream")
        J = rfft2(self.current(stream), s=self._period)
        B = irfft2(np.einsum("cjyx,jyx->cyx", self._transfer, J), s=self._period)
        return self.places.take(B[:, : self.shape[0], : self.shape[1]]).reshape(self.field_shape)

    def adjoint(self, field: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a field says about the stream function: ``vdot(B, forward(g)) == vdot(adjoint(B), g)`` for all."""
        from scipy.fft import irfft2, rfft2

        values = self._checked(field, self.field_shape, "field").reshape(len(self.components), -1)
        B = rfft2(self.places.put(values, self.shape), s=self._period)
        J = irfft2(np.einsum("cjyx,cyx->jyx", np.conj(self._transfer), B), s=self._period)
        return self.current_adjoint(J[:, : self.shape[0], : self.shape[1]])

    def aslinearoperator(self) -> Any:
        """The same as a `scipy.sparse.linalg.LinearOperator` between flat arrays."""
        from scipy.sparse.linalg import LinearOperator

        columns, rows = int(np.prod(self.stream_shape)), int(np.prod(self.field_shape))
        return LinearOperator(
            (rows, columns), dtype=float,
            matvec=lambda g: self.forward(np.reshape(g, self.stream_shape)).ravel(),
            rmatvec=lambda B: self.adjoint(np.reshape(B, self.field_shape)).ravel(),
        )  # fmt: skip

    @cached_property
    def _period(self) -> tuple[int, int]:
        if self.boundary == "repeated":
            return self.shape
        from scipy.fft import next_fast_len

        rows, columns = (int(next_fast_len(2 * n - 1, real=True)) for n in self.shape)
        return rows, columns

    @cached_property
    def _transfer(self) -> NDArray[np.complex128]:
        """(component, 2, ...): from the transform of (Jx, Jy) to that of the field."""
        if self.boundary == "repeated":
            return folded_transfer(self.shape, self.cell, self.sensing, self.components)
        from scipy.fft import rfft2

        fields = offset_fields(self.shape, self.cell, self.sensing)[["xyz".index(c) for c in self.components]]
        whole = np.zeros((*fields.shape[:2], *self._period))
        whole[..., : fields.shape[2], : fields.shape[3]] = fields
        back = 1 - self.shape[0], 1 - self.shape[1]
        return np.asarray(rfft2(np.roll(whole, back, axis=(2, 3))))

    def _checked(self, values: Any, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
        array = np.asarray(values, dtype=float)
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}; this operator needs {shape}")
        return array


def _rows(values: NDArray[np.float64], boundary: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values at the lower and at the upper edge of the cells."""
    if boundary == "open":
        return values[:-1], values[1:]
    return values, np.roll(values, -1, 0)
