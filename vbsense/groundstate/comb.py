"""Spectra from the electron alone: bare, or with the nuclei as a comb of static fields.

Each nuclear product state with projections m_k along c acts on the electron as a field
``sum_k A_zz m_k / gamma`` along c; in second order its in-plane hyperfine coupling raises D by
``3 p/(2 D) [I(I+1) - m^2]`` and lessens A_zz by ``p/(2 D)``, with p the mean square of that coupling
(from <0|S|+-1> and the energies D of the virtual states).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vbsense.defect import Defect
from vbsense.hamiltonian import Operators, electron_only, operators_of

__all__ = ["Comb", "comb_lines", "comb_of", "electron_lines", "hyperfine_comb"]


def hyperfine_comb(defect: Defect) -> tuple[np.ndarray, np.ndarray]:
    """Shifts of a line by the nuclei at first order: A_zz m of every nucleus, convolved.

    Parameters
    ----------
    defect : Defect
        With its nuclei, unpolarised, of any kinds.

    Returns
    -------
    shift, weight : ndarray, (k,)
        Hz ascending, and probabilities.

    Examples
    --------
    >>> from vbsense.defect import VB14N
    >>> shift, weight = hyperfine_comb(VB14N)
    >>> (weight * 27).round(9).tolist()
    [1.0, 3.0, 6.0, 7.0, 6.0, 3.0, 1.0]
    """
    shift: np.ndarray = np.zeros(1)
    weight: np.ndarray = np.ones(1)
    for nucleus in defect.nuclei:
        m = nucleus.spin - np.arange(nucleus.dimension)
        shift = (shift[:, None] + np.asarray(nucleus.A)[2, 2] * m).ravel()
        weight = np.repeat(weight, m.size) / m.size
        # Equal nuclei meet again at the same shift; 1 Hz is far below what any line resolves.
        shift, place = np.unique(np.round(shift), return_inverse=True)
        weight = np.bincount(place.ravel(), weight).astype(float)
    return shift, weight


@dataclass(frozen=True)
class Comb:
    """Groups of nuclear states: by how much they split (Hz), raise D (Hz), and their share."""

    splitting: np.ndarray
    lift: np.ndarray
    share: np.ndarray
    electron: Operators


@lru_cache(maxsize=32)
def comb_of(defect: Defect) -> Comb:
    """Groups of the nuclear states of `defect` whose shifts agree to 0.1 MHz."""
    splitting, lift = np.zeros(1), np.zeros(1)
    for nucleus in defect.nuclei:
        m = nucleus.spin - np.arange(nucleus.dimension)
        A = np.asarray(nucleus.A)
        plane = (A[0, 0] ** 2 + A[1, 1] ** 2 + 2 * A[0, 1] ** 2) / 2
        away = m * (A[2, 2] - plane / (2 * defect.D))
        up = 1.5 * plane / defect.D * (nucleus.spin * (nucleus.spin + 1) - m**2)
        splitting, lift = np.add.outer(splitting, away).ravel(), np.add.outer(lift, up).ravel()
    _, group = np.unique(np.round(splitting / 1e5), return_inverse=True)
    count = np.bincount(group)
    splitting, lift = (np.bincount(group, values) / count for values in (splitting, lift))
    return Comb(splitting, lift, count / count.sum(), operators_of(electron_only(defect)))


def electron_lines(field: np.ndarray, operators: Operators, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and strengths of the bare electron, ``(b, 3)``, at (b, 3) T in the defect frame."""
    from vbsense.groundstate.eigen import stick_block

    return stick_block(field, operators, drive)


def comb_lines(field: np.ndarray, comb: Comb, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and strengths of every group, ``(b, 3 groups)``, at (b, 3) T in the defect frame."""
    from vbsense.groundstate.eigen import pairs_of

    H = comb.electron.electron + np.tensordot(field, comb.electron.electron_slopes, axes=(-1, 0))
    along_c = comb.splitting[:, None, None] * comb.electron.S[2] + comb.lift[:, None, None] * comb.electron.by_D
    frequency, strength = pairs_of((H[:, None] + along_c).reshape(-1, 3, 3), comb.electron, drive)
    strength = strength.reshape(len(field), -1, 3) * comb.share[:, None]
    return frequency.reshape(len(field), -1), strength.reshape(len(field), -1)
