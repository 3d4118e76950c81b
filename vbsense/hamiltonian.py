"""The spin Hamiltonian as matrices.

H/h = D (Sz^2 - 2/3) + E (Sx^2 - Sy^2) + gamma B.S + sum_k [S.A_k.I_k + I_k.Q_k.I_k - gamma_k B.I_k]

with gamma = g muB / h for a positive g, and m_s counted along the field.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect

__all__ = ["Operators", "assemble", "check_field", "electron_only", "hamiltonian", "operators_of"]


class Operators:
    """H/h at zero field and its derivatives with respect to Bx, By, Bz, and what the light needs."""

    def __init__(self, defect: Defect) -> None:
        sizes = [3] + [nucleus.dimension for nucleus in defect.nuclei]
        S = [_embed(s, 0, sizes) for s in _spin_matrices(1.0)]
        D, E = defect.D, defect.E
        n = S[0].shape[0]
        self.spin = np.array(S)
        self.zero = D * (S[2] @ S[2] - 2 / 3 * np.eye(n)) + E * (S[0] @ S[0] - S[1] @ S[1])
        self.slopes = defect.gamma * self.spin
        for k, nucleus in enumerate(defect.nuclei, start=1):
            I = [_embed(i, k, sizes) for i in _spin_matrices(nucleus.spin)]
            for a in range(3):
                self.slopes[a] = self.slopes[a] - nucleus.gamma * I[a]
                for b in range(3):
                    self.zero = self.zero + nucleus.A[a][b] * S[a] @ I[b] + nucleus.Q[a][b] * I[a] @ I[b]
        self.ms_zero = np.repeat([False, True, False], n // 3)
        self.pairs = np.triu_indices(n, 1)


@lru_cache(maxsize=16)
def operators_of(defect: Defect) -> Operators:
    """Operators of `defect`, built once."""
    return Operators(defect)


def electron_only(defect: Defect) -> Defect:
    """The same electron spin without nuclei."""
    return Defect(defect.name, D=defect.D, E=defect.E, g=defect.g)


def hamiltonian(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """H/h in the product basis (m_s = +1, 0, -1 first, then each nucleus from its highest m down).

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in the defect frame (T).
    defect : Defect
        With its nuclei.

    Returns
    -------
    ndarray of complex, (..., n, n)
        Hermitian (Hz).

    Examples
    --------
    >>> hamiltonian([0, 0, 0], VB14N).shape
    (81, 81)
    """
    return assemble(check_field(field), operators_of(defect))


def assemble(field: np.ndarray, operators: Operators) -> np.ndarray:
    """H/h at fields (..., 3) T, ``(..., n, n)`` Hz."""
    return operators.zero + np.tensordot(field, operators.slopes, axes=(-1, 0))


def _spin_matrices(s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m = s - np.arange(int(2 * s + 1))
    raising = np.diag(np.sqrt(s * (s + 1) - m[1:] * (m[1:] + 1)), 1)
    return (raising + raising.T) / 2 + 0j, (raising - raising.T) / 2j, np.diag(m) + 0j


def _embed(operator: np.ndarray, place: int, sizes: list[int]) -> np.ndarray:
    before, after = int(np.prod(sizes[:place])), int(np.prod(sizes[place + 1 :]))
    return np.kron(np.kron(np.eye(before), operator), np.eye(after))


def check_field(field: Any) -> np.ndarray:
    """`field` as a finite float array (..., 3) in tesla, or an error that says what is wrong."""
    if np.iscomplexobj(field):
        raise ValueError("field is complex; give the three real components in tesla")
    field = np.asarray(field, dtype=float)
    if field.ndim == 0 or field.shape[-1] != 3:
        raise ValueError(f"field has shape {field.shape}; its last dimension must be the 3 components in tesla")
    if not np.isfinite(field).all():
        raise ValueError("field holds NaN or infinite values; mask them before")
    if field.size and np.abs(field).max() > 20:
        raise ValueError(f"field reaches {np.abs(field).max():.3g} T; fields are in tesla (10 mT is 10e-3)")
    return field
