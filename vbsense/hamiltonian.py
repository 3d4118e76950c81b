"""The spin Hamiltonian as matrices.

H/h = D (Sz^2 - 2/3) + E [cos 2a (Sx^2 - Sy^2) + sin 2a (Sx Sy + Sy Sx)] + (muB/h) B.g.S
      + sum_k [S.A_k.I_k + I_k.Q_k.I_k - gamma_k B.I_k]

in the frame of the defect, with m_s counted along the field and a the angle of E. An electric field and
strain change D, E and a (see `vbsense.Defect`).
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from vbsense.defect import BOHR_MAGNETON, VB14N, Defect

__all__ = ["Operators", "assemble", "check_field", "electron_only", "hamiltonian", "operators_of", "to_defect"]


class Operators:
    """H/h of electron and nuclei, apart and together, at zero field, and its slopes in D, E and the field.

    Attributes
    ----------
    electron, electron_slopes : ndarray, (3, 3) and (3, 3, 3)
        The bare electron at zero field (Hz) and its derivative by Bx, By, Bz in the defect frame (Hz/T).
    nuclear, nuclear_slopes : ndarray, (m, m) and (3, m, m)
        The bare nuclei likewise.
    hyperfine : ndarray, (3, m, m)
        What multiplies Sx, Sy, Sz (Hz).
    """

    def __init__(self, defect: Defect) -> None:
        S = np.array(spin_matrices(1.0))
        c, s = np.cos(2 * defect.E_angle), np.sin(2 * defect.E_angle)
        self.by_D = S[2] @ S[2] - 2 / 3 * np.eye(3)
        self.by_E = c * (S[0] @ S[0] - S[1] @ S[1]) + s * (S[0] @ S[1] + S[1] @ S[0])
        self.electron = defect.D * self.by_D + defect.E * self.by_E
        g = defect.g * np.eye(3) if isinstance(defect.g, float) else np.asarray(defect.g)
        self.electron_slopes = BOHR_MAGNETON * np.tensordot(g, S, axes=1)
        self.S = S
        self._add_nuclei(defect)

    def _add_nuclei(self, defect: Defect) -> None:
        sizes = [nucleus.dimension for nucleus in defect.nuclei]
        self.m = m = int(np.prod(sizes, dtype=int))
        self.n = 3 * m
        self.nuclear = np.zeros((m, m), dtype=complex)
        self.nuclear_slopes = np.zeros((3, m, m), dtype=complex)
        self.hyperfine = np.zeros((3, m, m), dtype=complex)
        for k, nucleus in enumerate(defect.nuclei):
            I = np.array([_embed(i, k, sizes) for i in spin_matrices(nucleus.spin)])
            A, Q = np.asarray(nucleus.A), np.asarray(nucleus.Q)
            self.nuclear += np.einsum("ab,aij,bjk->ik", Q, I, I, optimize=True)
            self.nuclear_slopes -= nucleus.gamma * I
            self.hyperfine += np.tensordot(A, I, axes=1)

    @cached_property
    def zero(self) -> np.ndarray:
        """H/h at zero field, ``(n, n)`` Hz."""
        together = self.with_nuclei(self.electron) + np.kron(np.eye(3), self.nuclear)
        return together + sum(np.kron(s, a) for s, a in zip(self.S, self.hyperfine, strict=True))

    @cached_property
    def slopes(self) -> np.ndarray:
        """Derivative of H/h by the field in the defect frame, ``(3, n, n)`` Hz/T."""
        parts = zip(self.electron_slopes, self.nuclear_slopes, strict=True)
        return np.array([self.with_nuclei(e) + np.kron(np.eye(3), n) for e, n in parts])

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper level of every line."""
        lower, upper = np.triu_indices(self.n, 1)
        return lower, upper

    def with_nuclei(self, electron: np.ndarray) -> np.ndarray:
        """An operator (3, 3) of the electron in the space of all, ``(n, n)``."""
        return np.kron(electron, np.eye(self.m))


@lru_cache(maxsize=32)
def operators_of(defect: Defect) -> Operators:
    """Operators of `defect`, built once."""
    return Operators(defect)


def electron_only(defect: Defect) -> Defect:
    """The same electron spin without nuclei."""
    return defect.at(nuclei=())


def hamiltonian(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """H/h in the product basis (m_s = +1, 0, -1 first, then each nucleus from its highest m down).

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes, which are the defect's own by default (T).
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
    return assemble(to_defect(check_field(field), defect), operators_of(defect))


def assemble(field: np.ndarray, operators: Operators) -> np.ndarray:
    """H/h at fields (..., 3) T in the defect frame, ``(..., n, n)`` Hz."""
    return operators.zero + np.tensordot(field, operators.slopes, axes=(-1, 0))


def to_defect(vectors: np.ndarray, defect: Defect) -> np.ndarray:
    """Laboratory vectors (..., 3) in the frame of the defect."""
    return vectors @ np.asarray(defect.orientation)


def spin_matrices(s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sx, Sy, Sz of a spin `s`, highest m first."""
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
