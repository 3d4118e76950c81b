"""How a magnetic field mixes the levels of an optical cycle.

Every rate between pure spin states is shared out over the mixed ones with the squares of their
overlaps, ``k_ij = sum |<i|m>|^2 k_mn |<j|n>|^2`` (Tetienne et al., New J. Phys. 14, 103033 (2012)).
Coherences between the mixed states are left out: where two levels come closer than their width,
the mixing is overestimated (`vbsense.sims.light.coherent` keeps them).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect, Nucleus
from vbsense.hamiltonian import hamiltonian
from vbsense.sims.light.cycle import OpticalCycle

__all__ = ["electron_states", "excited_state", "mixing_weights", "nuclear_spread"]

_GAMMA_14 = 3.077e6  # Hz/T; the A below is that of 14N


def excited_state(defect: Defect = VB14N, *, D: float = 2.09e9, E: float = 0.0, A: float = 90e6) -> Defect:
    """The excited triplet that belongs to a ground state, with the same nuclei.

    Parameters
    ----------
    defect : Defect
        Its g, its orientation and the kinds of its nuclei are used.
    D : float
        Zero-field splitting (Hz): |D| = 2.09 GHz, Baber et al., arXiv:2111.11770, abstract.
    E : float
        In-plane splitting (Hz): unknown here, 0 by default.
    A : float
        Hyperfine coupling to each 14N (Hz), scaled for other nuclei with their moments: about 90 MHz
        is quoted, its tensor is not; isotropic, unverified.

    Returns
    -------
    Defect

    Examples
    --------
    >>> state = excited_state()
    >>> round(state.D / state.gamma * 1e3, 1)                  # mT: the anticrossing
    74.7
    """
    nuclei = tuple(Nucleus(n.spin, n.gamma, np.eye(3) * A * n.gamma / _GAMMA_14) for n in defect.nuclei)
    source = "D: arXiv:2111.11770; E, A: unverified, settable"
    return replace(defect, name=f"{defect.name} excited", D=D, E=E, nuclei=nuclei, dD_dT=0.0, source=source)


def nuclear_spread(defect: Defect = VB14N) -> np.ndarray:
    """Root mean square of the field of unpolarised nuclei along x, y, z of the defect, ``(3,)`` T.

    ``gamma^2 <B_a^2> = sum_k sum_b A_ab^2 I (I + 1)/3``, the hyperfine coupling as a field that stands
    still (Merkulov, Efros, Rosen, Phys. Rev. B 65, 205309 (2002)).

    Examples
    --------
    >>> (nuclear_spread() * 1e3).round(2).tolist()             # mT
    [3.51, 3.51, 2.3]
    """
    square = np.zeros(3)
    for nucleus in defect.nuclei:
        square += (np.asarray(nucleus.A) ** 2).sum(1) * nucleus.spin * (nucleus.spin + 1) / 3
    return np.sqrt(square) / defect.gamma


def electron_states(field: Any, defect: Defect = VB14N) -> tuple[np.ndarray, np.ndarray]:
    """Levels of the electron spin alone.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes, by default the defect's own (T).
    defect : Defect
        Its nuclei are left out.

    Returns
    -------
    energy : ndarray, (..., 3)
        Ascending (Hz).
    vectors : ndarray of complex, (..., 3, 3)
        Columns in the basis m_s = +1, 0, -1.

    Examples
    --------
    >>> electron_states([0, 0, 10e-3])[0].argmin()
    np.int64(0)
    """
    return np.linalg.eigh(hamiltonian(field, replace(defect, nuclei=())))


def mixing_weights(cycle: OpticalCycle, ground: np.ndarray, excited: np.ndarray) -> np.ndarray:
    """Share of each pure level in each mixed level.

    Parameters
    ----------
    cycle : OpticalCycle
        With n levels.
    ground, excited : ndarray of complex, (..., 3, 3)
        Eigenvectors of the two triplets in columns, basis m_s = +1, 0, -1.

    Returns
    -------
    ndarray, (..., n, n)
        ``P[i, m] = |<i|m>|^2``: rates R become ``P R P^T``, and the emission e becomes ``P e``.

    Examples
    --------
    >>> from vbsense.sims.light.cycle_presets import optical_cycle
    >>> pure = np.eye(3)
    >>> bool((mixing_weights(optical_cycle("baber2022"), pure, pure) == np.eye(7)).all())
    True
    """
    n = len(cycle.levels)
    P = np.broadcast_to(np.eye(n), (*ground.shape[:-2], n, n)).copy()
    for index, vectors in ((cycle.ground_index, ground), (cycle.excited_index, excited)):
        P[..., index[:, None], index[None, :]] = np.abs(np.swapaxes(vectors, -1, -2)) ** 2
    return P
