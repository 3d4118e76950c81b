"""Spectra of many sites through few diagonalisations: exact lines at nodes around the fields of the sites.

The sites of a scene lie close together in the space of fields: a bias of millitesla, and what a current adds.
Between the nodes the spectrum is read as `vbsense.FieldTable` does it - a cubic B-spline along c times a
polynomial across c, fitted at every frequency by itself. In place of spectra the lines are kept, so that
any frequency and any width can be asked for, in any order and with the same result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vbsense.defect import Defect
from vbsense.groundstate._inputs import unit_drive
from vbsense.groundstate.eigen import stick_block
from vbsense.groundstate.tablenodes import powers_of, spline_of, transverse_nodes
from vbsense.hamiltonian import operators_of, to_defect
from vbsense.sims.scenes.threads import in_pieces

__all__ = ["FieldNodes", "sticks"]

_STEP, _LARGEST_STEP = 0.2e-3, 0.5e-3  # T between knots for lines of 40 MHz, and at most; as in FieldTable
_SMALLEST = 1e-6  # T: range of a table whose fields are all the same
_PAD = 64  # numbers per frequency axis, see `vbsense.groundstate._fieldtable`
_MOST = 2500  # nodes beyond which every site by itself is hardly slower, and the lines take 130 MB


def sticks(field: np.ndarray, defect: Defect, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lines and strengths at (n, 3) T in the defect frame, ``(n, pairs)``, on all cores."""
    operators = operators_of(defect)
    lower, _ = operators.pairs
    position, strength = np.empty((2, len(field), lower.size))

    def work(piece: slice) -> None:
        position[piece], strength[piece] = stick_block(field[piece], operators, drive)

    in_pieces(work, len(field), size=8)
    return position, strength


def sums(frequency: np.ndarray, position: np.ndarray, strength: np.ndarray, fwhm: float | np.ndarray) -> np.ndarray:
    """Sums of Lorentzians of unit height times strength, ``(n, nf)``; `fwhm` is one width or (n,) Hz."""
    from vbsense.groundstate._broaden import lorentzians

    out = np.empty((len(position), frequency.size))
    widths = np.broadcast_to(np.asarray(fwhm, dtype=float), (len(position),))

    def work(piece: slice) -> None:
        if (widths[piece] == widths[piece.start]).all():
            lorentzians(frequency, position[piece], strength[piece], float(widths[piece.start]), out[piece])
            return
        for k in range(piece.start, piece.stop):
            one = slice(k, k + 1)
            lorentzians(frequency, position[one], strength[one], float(widths[k]), out[one])

    in_pieces(work, len(position), size=64 if frequency.size < 16 else 16)
    return out


@dataclass(frozen=True, eq=False)
class FieldNodes:
    """Exact lines at nodes that surround a cloud of fields; make it with `around`.

    Parameters
    ----------
    along : (float, float)
        Range along c (T).
    center, radius
        Of the disc across c (T).
    defect, drive
        Spin, and direction of the microwave field in the laboratory.
    position, strength : ndarray, (knots, nodes across, pairs)
        The lines.
    """

    along: tuple[float, float]
    center: tuple[float, float]
    radius: float
    defect: Defect
    drive: tuple[complex, ...]
    intervals: int
    position: np.ndarray
    strength: np.ndarray

    @classmethod
    def around(cls, field: np.ndarray, defect: Defect, drive: tuple, *, linewidth: float) -> FieldNodes | None:
        """Nodes around laboratory fields (n, 3) T for lines of at least `linewidth`; None if they are too many."""
        local = _folded(field, defect, drive)
        if local is None:
            return None
        low, high = local[:, 2].min(), local[:, 2].max()
        middle, half = (low + high) / 2, max((high - low) / 2 * (1 + 1e-9), _SMALLEST)
        center = (local[:, :2].min(0) + local[:, :2].max(0)) / 2
        radius = np.hypot(*(local[:, :2] - center).T).max()
        if np.hypot(*center) < radius:  # a disc about c has half the nodes: half a turn changes nothing
            center, radius = np.zeros(2), np.hypot(*local[:, :2].T).max()
        radius = max(radius * (1 + 1e-9), _SMALLEST)
        step = min(_STEP * max(linewidth / 40e6, 0.25), _LARGEST_STEP)
        intervals = max(int(np.ceil(2 * half / step - 1e-9)), 1)
        even = _is_even(defect, drive) and not center.any()
        along, across = spline_of((middle - half, middle + half), intervals)[0], transverse_nodes(radius, even=even)
        if len(along) * len(across) > _MOST:
            return None
        nodes = np.empty((len(along), len(across), 3))
        nodes[..., :2], nodes[..., 2] = across + center, along[:, None]
        position, strength = sticks(nodes.reshape(-1, 3), defect, unit_drive(drive, defect))
        return cls(
            (middle - half, middle + half), tuple(center), radius, defect, tuple(drive), intervals,
            position, strength,
        )  # fmt: skip

    def _powers(self) -> np.ndarray:
        return powers_of(_is_even(self.defect, self.drive) and not any(self.center))

    def coefficients(self, frequency: np.ndarray, fwhm: float) -> np.ndarray:
        """Of all frequencies at one width, ``(knot, monomial, nf or more)`` float32, for `read`."""
        powers, (_, to_spline) = self._powers(), spline_of(self.along, self.intervals)
        even = bool((powers.sum(1) % 2 == 0).all())
        x, y = transverse_nodes(self.radius, even=even).T * 1e3
        design = np.stack([x**i * y**j for i, j in powers], -1)
        values = sums(frequency, self.position, self.strength, fwhm).reshape(len(to_spline), len(design), -1)
        fitted = np.einsum("qn,knf->kqf", np.linalg.pinv(design), values, optimize=True)
        table = np.tensordot(to_spline, fitted, axes=1)
        return np.pad(table, ((0, 0), (0, 0), (0, -frequency.size % _PAD))).astype(np.float32)

    def read(self, field: np.ndarray, table: np.ndarray, nf: int) -> np.ndarray:
        """Spectra at laboratory fields (n, 3) T inside the range, ``(n, nf)`` float32."""
        from vbsense.groundstate._fieldtable import look_up

        local = _folded(field, self.defect, self.drive)
        assert local is not None
        local[:, :2] -= self.center
        out = np.empty((len(local), nf), np.float32)
        step = (self.along[1] - self.along[0]) / self.intervals
        look_up(local, self.along[0], step, table, self._powers(), out)
        return out


def _folded(field: np.ndarray, defect: Defect, drive: tuple) -> np.ndarray | None:
    """Fields in the defect frame and in the half space along +c; None if they cannot be brought there."""
    local = np.ascontiguousarray(to_defect(field, defect))
    below = local[:, 2] < 0
    if below.any():
        if np.iscomplex(drive).any():
            return None  # reversing a field exchanges the two circular drives
        local = np.where(below[:, None], -local, local)
    return local


def _is_even(defect: Defect, drive: tuple) -> bool:
    """Whether half a turn about c changes no spectrum."""
    from vbsense.groundstate.fieldtable import _is_even as even

    return even(defect, unit_drive(drive, defect))
