"""Field to lines and back: the front door to the spin.

The bare electron is here; the rest is in `vbsense.groundstate.eigen` (electron and nuclei together),
`vbsense.groundstate.tiers` (spectra, exact and faster), `vbsense.groundstate.inversion` (from lines to the field) and
`vbsense.hamiltonian`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.groundstate._blocks import in_blocks
from vbsense.groundstate._inputs import unit_drive
from vbsense.groundstate.eigen import (
    SLOPES,
    eigenstates,
    level_slopes,
    levels,
    line_slopes,
    lines,
    pairs_of,
)
from vbsense.groundstate.inversion import field_from_lines, field_range_from_lines
from vbsense.groundstate.polarisation import nuclear_populations
from vbsense.groundstate.tiers import METHODS, choose_method, spectrum
from vbsense.hamiltonian import assemble, check_field, electron_only, operators_of, to_defect

__all__ = [
    "METHODS",
    "SLOPES",
    "branch_centroids",
    "choose_method",
    "eigenstates",
    "field_from_lines",
    "field_range_from_lines",
    "level_slopes",
    "levels",
    "line_slopes",
    "lines",
    "nuclear_populations",
    "spectrum",
    "transition_slopes",
    "transitions",
]


def transitions(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """Frequencies of the two electron lines, nuclei left out.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes, z along c by default (T).
    defect : Defect
        Its D, E and g are used.

    Returns
    -------
    ndarray, (..., 2)
        Lower and upper line (Hz): differences of the exact eigenvalues between the level with more
        than half of m_s = 0 (the lowest, where no level has) and the two others.

    Examples
    --------
    >>> electron = VB14N.at(E=50e6)
    >>> (transitions([[0, 0, 0], [0, 0, 5e-3]], electron) / 1e6).round(3).tolist()
    [[3420.0, 3520.0], [3321.375, 3618.625]]
    """
    energy, _, start, others = _electron(field, defect)
    difference = np.take_along_axis(energy, others, -1) - np.take_along_axis(energy, start, -1)
    return np.sort(np.abs(difference), axis=-1)


def transition_slopes(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """Derivatives of the two electron lines, by the theorem of Hellmann and Feynman.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        Its D, E and g are used.

    Returns
    -------
    ndarray, (..., 2, 5)
        Of the lower and the upper line by Bx, By, Bz (Hz/T), D and E (Hz/Hz).

    Examples
    --------
    >>> slopes = transition_slopes([0, 0, 10e-3])
    >>> (slopes[:, 2] / 1e9).round(2).tolist(), slopes[:, 3].round(6).tolist()
    ([-27.39, 27.39], [1.0, 1.0])
    """
    energy, _, start, others = _electron(field, defect)
    slopes = level_slopes(field, electron_only(defect)).swapaxes(-1, -2)
    difference = np.take_along_axis(energy, others, -1) - np.take_along_axis(energy, start, -1)
    change = np.take_along_axis(slopes, others[..., None], -2) - np.take_along_axis(slopes, start[..., None], -2)
    change = change * np.sign(difference)[..., None]
    return np.take_along_axis(change, np.argsort(np.abs(difference), -1)[..., None], -2)


_OTHERS = np.array([[1, 2], [0, 2], [0, 1]])


def _electron(field: Any, defect: Defect) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Energies and vectors of the electron, the level of m_s = 0 and the two others, ``(..., 1 or 2)``."""
    field = check_field(field)
    energy, vectors = np.linalg.eigh(assemble(to_defect(field, defect), operators_of(electron_only(defect))))
    zero = np.abs(vectors[..., 1, :]) ** 2
    start = np.where(zero.max(-1) > 0.5, zero.argmax(-1), 0)
    return energy, vectors, start[..., None], _OTHERS[start]


def branch_centroids(field: Any, defect: Defect = VB14N, *, drive: Any = (1, 0, 0)) -> tuple[np.ndarray, np.ndarray]:
    """Centres of gravity of the lower and the upper branch of the exact spectrum.

    A line runs from a level with more than half of m_s = 0 to one with less. Of the latter the lower half
    makes the lower branch, the upper half the upper one: m_s = -1 and +1 wherever these are good quantum
    numbers (above some 5 mT along c), and what they become as E and the nuclei mix them below. The
    forbidden lines from -1 to +1 belong to none.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        With its nuclei, unpolarised.
    drive : array_like, (3,)
        Direction of the microwave field (see `lines`).

    Returns
    -------
    lower, upper : ndarray
        Mean frequencies (Hz), every line weighted with its strength as given by `lines`.

    Examples
    --------
    >>> lower, upper = branch_centroids([0, 0, 20e-3], VB14N.at(E=0))
    >>> round(float((upper - lower) / (2 * VB14N.gamma) - 20e-3) * 1e6, 1)       # uT: second-order hyperfine
    -15.8
    """
    field, d, operators = to_defect(check_field(field), defect), unit_drive(drive, defect), operators_of(defect)

    def one_block(block: np.ndarray) -> tuple[np.ndarray, ...]:
        H = assemble(block, operators)
        _, vectors = np.linalg.eigh(H)
        zero = (np.abs(vectors[:, operators.m : 2 * operators.m]) ** 2).sum(-2) > 0.5
        rank = np.cumsum(~zero, axis=-1)
        upper_half = rank > (~zero).sum(-1, keepdims=True) / 2
        frequency, strength = pairs_of(H, operators, d)
        a, b = operators.pairs
        allowed = zero[:, a] != zero[:, b]
        upper = np.where(zero[:, a], upper_half[:, b], upper_half[:, a])
        weights = (strength * (allowed & (upper == side)) for side in (False, True))
        return tuple((frequency * w).sum(-1) / w.sum(-1) for w in weights)

    lower, upper = in_blocks(field, operators.n, one_block)
    return lower, upper
