"""A Hamiltonian in which m_s = 0 and m_s = +-1 do not mix any more.

Its eigenvectors are grouped into the two manifolds, and the rotation of least change (des Cloizeaux) takes
the products of electron and nuclear states into them. So fields across the c axis, E, and the hyperfine
coupling act to all orders, second-order shifts included; "m_s" then names the level that goes over into it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["SZ", "adapted", "along", "decouple", "lifting"]

_ROOT = np.sqrt(0.5)
_SX = _ROOT * np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=complex)
_SY = _ROOT * np.array([[0, -1j, 0], [1j, 0, -1j], [0, 1j, 0]])
SZ = np.diag([1.0, 0.0, -1.0]) + 0j


def decouple(H: np.ndarray, operator: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H without elements between m_s = 0 and +-1, and the lifting part of an operator in the same basis."""
    block, turn = adapted(H)
    return block, lifting(turn, operator)


def adapted(H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The decoupled Hamiltonian, and the unitary whose columns are the states that its basis stands for.

    Parameters
    ----------
    H : ndarray of complex, (n, n)
        m_s = +1, 0, -1 first (Hz).

    Returns
    -------
    block, turn : ndarray of complex, (n, n)
        ``block = turn^+ H turn``, without elements between m_s = 0 and +-1.

    Raises
    ------
    ValueError
        Where the manifolds cannot be told apart.
    """
    n = H.shape[0]
    zero = np.repeat([False, True, False], n // 3)
    energy, vectors = np.linalg.eigh(H)
    weight = (np.abs(vectors[zero]) ** 2).sum(0)
    first = np.zeros(n, dtype=bool)
    first[np.argsort(weight)[-(n // 3) :]] = True
    turn, block = np.zeros_like(vectors), np.zeros_like(vectors)
    for rows, columns in ((zero, first), (~zero, ~first)):
        u, overlap, vh = np.linalg.svd(vectors[np.ix_(rows, columns)])
        if overlap.min() ** 2 < 0.6:
            raise ValueError(
                "m_s = 0 mixes with m_s = +-1 by more than 40 % at this field (an anticrossing, or a strong field "
                "across c); the rotating frame of one line does not hold there"
            )
        closest = u @ vh
        turn[:, rows] = vectors[:, columns] @ closest.conj().T
        block[np.ix_(rows, rows)] = (closest * energy[columns]) @ closest.conj().T
    return block, turn


def lifting(turn: np.ndarray, operator: np.ndarray) -> np.ndarray:
    """The part of an operator that lifts m_s = 0 to +-1, in the basis of `turn`."""
    zero = np.repeat([False, True, False], turn.shape[0] // 3)
    inside = turn.conj().T @ operator @ turn
    return np.where(np.outer(~zero, zero), inside, 0)


def along(direction: Any) -> np.ndarray:
    """S.direction, (3, 3)."""
    return direction[0] * _SX + direction[1] * _SY + direction[2] * SZ
