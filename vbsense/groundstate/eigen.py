"""Electron and nuclei together: levels, eigenvectors, every line with its strength, and slopes."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.groundstate._blocks import in_blocks
from vbsense.groundstate._inputs import nuclear_weights, unit_drive
from vbsense.hamiltonian import Operators, assemble, check_field, operators_of, to_defect

__all__ = ["SLOPES", "eigenstates", "level_slopes", "levels", "line_slopes", "lines"]

# What the slopes are taken by, in the order of their axis.
SLOPES = ("Bx", "By", "Bz", "D", "E")


def levels(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """Energies of electron and nuclei together.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        With its nuclei.

    Returns
    -------
    ndarray, (..., n)
        Ascending eigenvalues of H/h (Hz); n = 81 for three 14N, 24 for three 15N.

    Examples
    --------
    >>> levels([0, 0, 10e-3]).shape
    (81,)
    """
    field, operators = check_field(field), operators_of(defect)
    (energy,) = in_blocks(
        to_defect(field, defect), operators.n, lambda b: (np.linalg.eigvalsh(assemble(b, operators)),)
    )
    return energy


def eigenstates(field: Any, defect: Defect = VB14N) -> tuple[np.ndarray, np.ndarray]:
    """Energies and eigenvectors of electron and nuclei together.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        With its nuclei.

    Returns
    -------
    energy : ndarray, (..., n)
        Ascending (Hz).
    vectors : ndarray of complex, (..., n, n)
        Column k belongs to level k; rows in the product basis of `vbsense.hamiltonian.hamiltonian`.

    Examples
    --------
    >>> energy, vectors = eigenstates([0, 0, 10e-3])
    >>> bool((abs(vectors[27:54, 0]) ** 2).sum() > 0.99)             # the lowest level has m_s = 0
    True
    """
    field, operators = check_field(field), operators_of(defect)
    energy, vectors = in_blocks(
        to_defect(field, defect), operators.n, lambda b: tuple(np.linalg.eigh(assemble(b, operators)))
    )
    return energy, vectors


def lines(
    field: Any, defect: Defect = VB14N, *, drive: Any = (1, 0, 0), populations: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Every transition between two levels: its frequency and its share of the ODMR signal.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        With its nuclei.
    drive : array_like, (3,)
        Direction of the microwave field in laboratory axes; its length is normalised away. A complex one
        stands for ``Re[drive exp(-2 pi i f t)]``: (1, 1j, 0) turns about +z as the spin of +1 does and
        excites m_s = 0 -> +1 only, (1, -1j, 0) the other.
    populations : sequence of array_like, optional
        Of the states of each nucleus along c, from the highest m down (see `vbsense.groundstate.polarisation`);
        unpolarised by default. Coherence between levels is left out, so at low field nitrogens,
        whose tensors are not axial about c, keep only a part of a polarisation along c.

    Returns
    -------
    frequency, strength : ndarray, (..., n (n - 1) / 2)
        Hz, and ``|<f| S.drive |i>|^2 (p_i - p_f) sign(w_i - w_f)`` for f above i, with w the weight of
        m_s = 0, which is what is read, and p that of m_s = 0 times the nuclear populations, which is
        what the light prepares; scaled such that each of the two branches of a spin without nuclei adds
        up to 1 for a field along c, E = 0 and a linear drive perpendicular to c.

    Examples
    --------
    >>> f, s = lines([0, 0, 10e-3], VB14N.at(E=0))
    >>> round(float(s[abs(f - 3.75e9) < 0.25e9].sum()), 1)
    1.0
    """
    field, operators = check_field(field), operators_of(defect)
    d = unit_drive(drive, defect)
    weights = None if populations is None else nuclear_weights(populations, defect)

    frequency, strength = in_blocks(
        to_defect(field, defect), operators.n, lambda b: stick_block(b, operators, d, weights)
    )
    return frequency, strength


def stick_block(
    field: np.ndarray, operators: Operators, drive: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and strengths of all pairs of levels at (b, 3) T in the defect frame, ``(b, pairs)``."""
    return pairs_of(assemble(field, operators), operators, drive, weights)


def pairs_of(
    H: np.ndarray, operators: Operators, drive: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and strengths of all pairs of levels of Hamiltonians (b, n, n), ``(b, pairs)``."""
    energy, vectors = np.linalg.eigh(H)
    m, n = operators.m, operators.n
    lower, upper = operators.pairs
    parts = vectors.reshape(-1, 3, m * n)
    driven = np.tensordot(drive, operators.S, axes=1) @ parts
    element = _square(vectors.conj().swapaxes(-1, -2) @ driven.reshape(-1, n, n))
    # Indices of a flattened matrix are taken faster than pairs of indices, and come back in C order.
    element = element.reshape(len(H), -1).take(upper * n + lower, axis=1)
    zero = _square(parts[:, 1]).reshape(-1, m, n)
    read = zero.sum(-2)
    difference = read.take(lower, axis=1) - read.take(upper, axis=1)
    if weights is None:
        change = np.abs(difference)
    else:
        prepared = weights @ zero
        change = (prepared.take(lower, axis=1) - prepared.take(upper, axis=1)) * np.sign(difference)
    return energy.take(upper, axis=1) - energy.take(lower, axis=1), element * change * (2 / m)


def _square(z: np.ndarray) -> np.ndarray:
    return z.real**2 + z.imag**2


def level_slopes(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """Derivatives of the levels, by the theorem of Hellmann and Feynman: ``<k| dH |k>``.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        With its nuclei.

    Returns
    -------
    ndarray, (..., 5, n)
        By Bx, By, Bz (Hz/T), D and E (Hz/Hz). Levels that are degenerate to rounding have no derivatives.

    Examples
    --------
    >>> slopes = level_slopes([0, 0, 50e-3], VB14N.at(E=0))
    >>> round(float(slopes[2, -1] / 1e9), 1)                          # GHz/T of the highest level
    28.0
    """
    field, operators = check_field(field), operators_of(defect)
    R = np.asarray(defect.orientation)
    changes = [operators.with_nuclei(operators.by_D), operators.with_nuclei(operators.by_E)]
    changes = [*np.tensordot(R, operators.slopes, axes=1), *changes]

    def one_block(block: np.ndarray) -> tuple[np.ndarray, ...]:
        _, vectors = np.linalg.eigh(assemble(block, operators))
        return (np.stack([(vectors.conj() * (change @ vectors)).sum(-2).real for change in changes], -2),)

    (slopes,) = in_blocks(to_defect(field, defect), operators.n, one_block)
    return slopes


def line_slopes(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """Derivatives of the frequencies of `lines`, in the same order.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        With its nuclei.

    Returns
    -------
    ndarray, (..., 5, n (n - 1) / 2)
        By Bx, By, Bz (Hz/T), D and E (Hz/Hz); see `level_slopes`.

    Examples
    --------
    >>> electron = VB14N.at(nuclei=())
    >>> (line_slopes([0, 0, 50e-3], electron)[3:].round(3) + 0.0).tolist()    # by D and E: 0 -> -1, 0 -> +1, -1 -> +1
    [[1.0, 1.0, 0.0], [-0.042, 0.042, 0.084]]
    """
    slopes = level_slopes(field, defect)
    lower, upper = operators_of(defect).pairs
    return slopes[..., upper] - slopes[..., lower]
