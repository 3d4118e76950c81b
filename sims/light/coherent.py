"""Steady light in a field, with the coherent evolution of the spin in both triplets.

The excited state lives for less than a nanosecond, too short for its spin to turn fully where two of
its levels cross: rates between mixed states (`vbsense.sims.light.mixing`) make that dip up to a fifth of
the light too deep. Here the spin Hamiltonians act on density matrices and the rates of the cycle are Lindblad
jumps between the pure spin states.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vbsense.defect import Defect
from vbsense.hamiltonian import hamiltonian
from vbsense.sims.light.cycle import OpticalCycle

__all__ = ["coherent_light"]


def coherent_light(
    ground_field: np.ndarray,
    excited_field: np.ndarray,
    cycle: OpticalCycle,
    states: tuple[Defect, Defect],
    pump: float,
) -> np.ndarray:
    """Photons per second in the steady state.

    The unknowns are the two 3 x 3 density matrices and the populations of the other levels: excitation,
    emission and intersystem crossing do not carry coherences from one to the other. The equations are
    real and linear in the two fields.

    Parameters
    ----------
    ground_field, excited_field : ndarray, (..., 3)
        Magnetic field that each triplet feels, nuclei included, in laboratory axes (T).
    cycle : OpticalCycle
        Its rates hold between pure spin states.
    states : (Defect, Defect)
        Ground and excited triplet; their nuclei are left out.
    pump : float
        Pump rate (1/s).

    Returns
    -------
    ndarray, (...)

    Examples
    --------
    >>> from vbsense.defect import VB14N
    >>> from vbsense.sims.light.cycle_presets import optical_cycle
    >>> from vbsense.sims.light.mixing import excited_state
    >>> cycle, B = optical_cycle("baber2022"), np.array([0.0, 0.0, 10e-3])
    >>> light = coherent_light(B, B, cycle, (VB14N, excited_state()), 1e6)
    >>> float((light / cycle.light(1e6)).round(9))             # along c and without nuclei nothing mixes
    1.0
    """
    rates = cycle.rate_matrix(pump)
    scale = rates.max()
    constant, place, level = _jumps(rates, cycle)
    slopes = []
    for k, state in enumerate(states):
        fixed, linear = _turning(state)
        block = slice(9 * k, 9 * k + 9)
        constant[block, block] += fixed
        slopes.append(np.zeros((3, *constant.shape)))
        slopes[-1][:, block, block] = linear
    # One equation of the populations follows from the others: their sum takes its place.
    row = place[0]
    constant, slopes = constant / scale, [slope / scale for slope in slopes]
    constant[row] = 0.0
    constant[row, place] = 1.0
    for slope in slopes:
        slope[:, row] = 0.0
    L = constant + np.tensordot(ground_field, slopes[0], 1) + np.tensordot(excited_field, slopes[1], 1)
    right = np.zeros((*L.shape[:-1], 1))
    right[..., row, 0] = 1.0
    return np.linalg.solve(L, right)[..., place, 0] @ cycle.emission[level]


def _jumps(rates: np.ndarray, cycle: OpticalCycle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equations of the jumps alone, (m, m); places of the populations in them and their levels."""
    triplets = [cycle.ground_index, cycle.excited_index]
    others = np.delete(np.arange(len(rates)), np.concatenate(triplets))
    m = 18 + len(others)
    L = np.zeros((m, m))
    for k, index in enumerate(triplets):
        out = rates.sum(1)[index]
        for j, (a, b) in enumerate(_PAIRS):
            for part in (9 * k + 3 + 2 * j, 9 * k + 4 + 2 * j):
                L[part, part] = -(out[a] + out[b]) / 2
    place = np.r_[0:3, 9:12, 18:m]
    level = np.concatenate([*triplets, others])
    flow = rates[np.ix_(level, level)].T
    L[np.ix_(place, place)] += flow - np.diag(flow.sum(0))
    return L, place, level


def _turning(state: Defect) -> tuple[np.ndarray, np.ndarray]:
    """Equations of the spin Hamiltonian at zero field, (9, 9), and their slopes, (3, 9, 9) per tesla."""
    H = hamiltonian(np.concatenate([np.zeros((1, 3)), np.eye(3)]), replace(state, nuclei=()))
    L = np.array([_commutator(h) for h in H])
    return L[0], L[1:] - L[0]


def _commutator(H: np.ndarray) -> np.ndarray:
    one = np.eye(3)
    return (_FROM @ (-2j * np.pi * (np.kron(H, one) - np.kron(one, H.T))) @ _TO).real


_PAIRS = ((0, 1), (0, 2), (1, 2))


def _real_basis() -> np.ndarray:
    """Columns: a Hermitian 3 x 3 matrix, row by row, from 3 populations and real and imaginary parts of 3 pairs."""
    T = np.zeros((9, 9), dtype=complex)
    T[[0, 4, 8], [0, 1, 2]] = 1.0
    for j, (a, b) in enumerate(_PAIRS):
        T[[3 * a + b, 3 * b + a], 3 + 2 * j] = 1.0
        T[[3 * a + b, 3 * b + a], 4 + 2 * j] = 1j, -1j
    return T


_TO = _real_basis()
_FROM = np.linalg.inv(_TO)
