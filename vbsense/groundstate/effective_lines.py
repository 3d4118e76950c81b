"""The exact lines of electron and nuclei, put together into one effective line for each total nuclear projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vbsense.defect import Defect
from vbsense.groundstate._blocks import in_blocks
from vbsense.groundstate._inputs import unit_drive
from vbsense.hamiltonian import Operators, assemble, operators_of

__all__ = ["Groups", "grouped_lines"]

_BIN = 1e6  # Hz: lines that share a bin are joined at their centre; no line that is fitted is so narrow
_NO_SPLITTING = 3e6  # E (Hz) below which branches are told by m_s, not by energy
_SAME = 1e6  # Hz: nuclear states whose first-order shifts agree to that make one line


@dataclass(frozen=True)
class Groups:
    """Effective lines at a number of fields along c, and the exact ones that they stand for.

    The second axis of `place` and `weight` is the branch (lower, upper), the third the group, from the smallest
    first-order shift of the upper branch to the largest.
    """

    place: np.ndarray  # (b, 2, groups) Hz
    weight: np.ndarray  # (b, 2, groups) height of the line, as strengths of `vbsense.spin.lines`
    frequency: np.ndarray  # (b, pairs) Hz, all exact lines
    strength: np.ndarray  # (b, pairs)

    def sticks(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Exact lines at one field, those within a bin joined: frequencies (Hz) and strengths."""
        frequency, strength = self.frequency[number], self.strength[number]
        seen = strength > 1e-8 * strength.sum()
        frequency, strength = frequency[seen], strength[seen]
        _, place = np.unique(np.floor(frequency / _BIN), return_inverse=True)
        total = np.bincount(place, strength)
        return np.bincount(place, strength * frequency) / total, total


def grouped_lines(field: np.ndarray, defect: Defect, drive: np.ndarray) -> Groups:
    """Group the exact lines at fields along c.

    Each line from a state of m_s = 0 is shared among the groups by what its upper state holds of them: a nuclear
    first-order shift (equal for equal total m) times the lower or upper state that an electron with this shift,
    with E and the field would have. That changes smoothly where levels cross.

    Parameters
    ----------
    field : ndarray, (b,)
        Along c (T), not zero.
    defect : Defect
        With its nuclei and a scalar g.
    drive : ndarray, (3,)
        Laboratory direction of the microwave field, real or complex.
    """
    operators, d = operators_of(defect), unit_drive(drive, defect)
    shifts, group = _first_order(defect)

    def one_block(block: np.ndarray) -> tuple[np.ndarray, ...]:
        return _group_block(block, defect, operators, d, shifts, group)

    along_c = np.stack([0 * field, 0 * field, field], -1)
    return Groups(*in_blocks(along_c, operators.n, one_block))


def _first_order(defect: Defect) -> tuple[np.ndarray, np.ndarray]:
    """First-order shift of every group (Hz), and the group of every nuclear product state."""
    shift = np.zeros(1)
    for nucleus in defect.nuclei:
        m = nucleus.spin - np.arange(nucleus.dimension)
        shift = (shift[:, None] + np.asarray(nucleus.A)[2, 2] * m).ravel()
    order = np.sort(shift)
    first = order[np.append(True, np.diff(order) > _SAME)]
    group = np.searchsorted(first - _SAME / 2, shift, side="right") - 1
    return np.bincount(group, shift) / np.bincount(group), group


def _group_block(
    field: np.ndarray, defect: Defect, operators: Operators, drive: np.ndarray, shifts: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, ...]:
    energy, vectors = np.linalg.eigh(assemble(field, operators))
    m, n = operators.m, operators.n
    parts = vectors.reshape(-1, 3, m, n)
    driven = np.tensordot(drive, operators.S, axes=1) @ parts.reshape(-1, 3, m * n)
    element = _square(vectors.conj().swapaxes(-1, -2) @ driven.reshape(-1, n, n))
    zero = _square(parts[:, 1]).sum(-2)
    strength = element * np.abs(zero[:, :, None] - zero[:, None, :]) * (2 / m)
    frequency = energy[:, :, None] - energy[:, None, :]  # upper state first
    allowed = np.where((zero[:, None, :] > 0.5) & (zero[:, :, None] <= 0.5), strength, 0)
    total, moment = allowed.sum(-1)[:, None, None], (allowed * frequency).sum(-1)[:, None, None]
    share = _shares(parts, _electron_states(field[:, 2], defect, operators, shifts), group)
    weight = (share * total).sum(-1)
    place = (share * moment).sum(-1) / weight
    upper, lower = np.tril_indices(n, -1)
    return place, weight, frequency[:, upper, lower], strength[:, upper, lower]


def _electron_states(field: np.ndarray, defect: Defect, operators: Operators, shifts: np.ndarray) -> np.ndarray:
    """Lower and upper state of m_s = +1 and -1 with E, the field and each shift, ``(b, 2, groups, 2)``."""
    mixing = defect.E * operators.by_E[0, 2] if abs(defect.E) > _NO_SPLITTING else 0.0
    along = defect.gamma * field[:, None] + shifts
    half = np.arctan2(abs(mixing), along) / 2 if mixing else np.zeros_like(along)
    phase = mixing / abs(mixing) if mixing else 1.0
    upper = np.stack([np.cos(half) + 0j, np.sin(half) * np.conj(phase)], -1)
    lower = np.stack([-np.sin(half) * phase, np.cos(half) + 0j], -1)
    return np.stack([lower, upper], 1)


def _shares(parts: np.ndarray, states: np.ndarray, group: np.ndarray) -> np.ndarray:
    """How much of each level lies in each branch and group, ``(b, 2, groups, level)``."""
    share = np.empty((*states.shape[:3], parts.shape[-1]))
    for k in range(states.shape[2]):
        own = parts[:, :, group == k]
        for branch in (0, 1):
            amplitude = states[:, branch, k].conj()[..., None, None]
            share[:, branch, k] = _square(amplitude[:, 0] * own[:, 0] + amplitude[:, 1] * own[:, 2]).sum(-2)
    return share


def _square(z: np.ndarray) -> np.ndarray:
    return z.real**2 + z.imag**2
