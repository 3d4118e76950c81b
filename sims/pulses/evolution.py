"""Density matrices in time under a constant Hamiltonian, with or without relaxation.

Relaxation is of Lindblad form, on the electron alone: jumps |m><m'| between all three m_s at the rate
1 / (3 T1) each, so that populations go to 1/3 with exp(-t / T1), and dephasing by S_z, white magnetic
noise along c, which with the jumps makes the coherence of a line decay with exp(-t / T2).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, isinf

import numpy as np

__all__ = ["Relaxation", "evolve"]

# Above so many levels the matrix of the Lindblad operator is larger than the steps that avoid it.
_LARGEST_LIOUVILLIAN = 9
_MOST_STEPS = 1 << 13
_TOLERANCE = 1e-7
_M = np.array([1.0, 0.0, -1.0])


@dataclass(frozen=True)
class Relaxation:
    """Times of the electron spin.

    Parameters
    ----------
    T1 : float
        Populations approach 1/3 with exp(-t / T1) (s); infinite: not at all.
    T2 : float
        Coherence of one line decays with exp(-t / T2), what relaxes through T1 included (s);
        not more than 1.5 T1; infinite: as far as T1 allows.

    Raises
    ------
    ValueError
        For times that are not positive, or a T2 that T1 does not allow.

    Examples
    --------
    >>> round(Relaxation(T1=16e-6, T2=100e-9).dephasing / 1e6, 3)     # per microsecond
    9.958
    """

    T1: float = inf
    T2: float = inf

    def __post_init__(self) -> None:
        for name in ("T1", "T2"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} is {value!r}; it must be a positive time in seconds, or infinite")
            if isfinite(value) and value > 1e3:
                raise ValueError(f"{name} is {value:.6g}; it is in seconds (16 us is 16e-6)")
        if isfinite(self.T2) and self.T2 > 1.5 * self.T1:
            raise ValueError(f"T2 is {self.T2:.6g} s; it cannot exceed 1.5 T1 = {1.5 * self.T1:.6g} s")

    @property
    def none(self) -> bool:
        """Whether nothing relaxes."""
        return isinf(self.T1) and isinf(self.T2)

    @property
    def dephasing(self) -> float:
        """Part of 1 / T2 that is not relaxation (1/s)."""
        return max(0.0, 1 / self.T2 - 2 / (3 * self.T1))

    @property
    def decay(self) -> np.ndarray:
        """Decay of the coherences between m_s and m_s', (3, 3), zero on the diagonal (1/s)."""
        step = _M[:, None] - _M
        return self.dephasing * step**2 + 2 / (3 * self.T1) * (step != 0)


def evolve(rho: np.ndarray, H: np.ndarray, time: np.ndarray, relaxation: Relaxation) -> np.ndarray:
    """Density matrices after some time.

    Parameters
    ----------
    rho : ndarray of complex, (K, s, n, n)
        Electron first, m_s = +1, 0, -1; s is 1 or the number of swept points.
    H : ndarray of complex, (K, s, n, n)
        Constant Hamiltonians (Hz).
    time : ndarray, (s,)
        Seconds.
    relaxation : Relaxation
        Of the electron.

    Returns
    -------
    ndarray of complex, (K, s, n, n)

    Raises
    ------
    ValueError
        If relaxation of a spin with many levels would take too many steps.
    """
    if not time.any():
        return rho
    if relaxation.none:
        return _closed(rho, H, time)
    if H.shape[-1] <= _LARGEST_LIOUVILLIAN:
        return _open(rho, H, time, relaxation)
    return _open_by_steps(rho, H, time, relaxation)


def _closed(rho: np.ndarray, H: np.ndarray, time: np.ndarray) -> np.ndarray:
    energy, vectors = np.linalg.eigh(H)
    turns = np.exp(-2j * np.pi * energy * time[:, None])
    inside = _adjoint(vectors) @ rho @ vectors
    return vectors @ (turns[..., :, None] * inside * turns[..., None, :].conj()) @ _adjoint(vectors)


def _open(rho: np.ndarray, H: np.ndarray, time: np.ndarray, relaxation: Relaxation) -> np.ndarray:
    n = H.shape[-1]
    L = _liouvillian(H, relaxation)
    before = rho.reshape(*rho.shape[:2], n * n)
    value, vectors = np.linalg.eig(L)
    inverse = _inverse(vectors)
    # Where two eigenvectors meet (critical damping) they cannot carry L; those few are exponentiated.
    wrong = np.abs((vectors * value[..., None, :]) @ inverse - L).max((-1, -2))
    sound = wrong <= 1e-9 * np.abs(L).max((-1, -2))
    inside = (inverse @ before[..., None])[..., 0]
    after = (vectors @ (np.exp(value * time[:, None]) * inside)[..., None])[..., 0]
    if not sound.all():
        after = np.where(
            np.broadcast_to(sound, after.shape[:2])[..., None], after, _exponential(before, L, time, sound)
        )
    return after.reshape(*after.shape[:2], n, n)


def _inverse(vectors: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.inv(vectors)
    except np.linalg.LinAlgError:
        return np.zeros_like(vectors)


def _exponential(before: np.ndarray, L: np.ndarray, time: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """The slow way, for the members of a batch that are not `sound`."""
    from scipy.linalg import expm

    shape = np.broadcast_shapes(before.shape[:2], L.shape[:2], (1, time.size))
    before, L = np.broadcast_to(before, (*shape, L.shape[-1])), np.broadcast_to(L, (*shape, *L.shape[-2:]))
    after = np.zeros_like(before)
    for k, s in zip(*np.nonzero(~np.broadcast_to(sound, shape)), strict=True):
        after[k, s] = expm(L[k, s] * time[s if time.size > 1 else 0]) @ before[k, s]
    return after


def _liouvillian(H: np.ndarray, relaxation: Relaxation) -> np.ndarray:
    """L of d rho / dt = L rho, for matrices written row by row; (..., n n, n n), 1/s."""
    n = H.shape[-1]
    one = np.eye(n)
    turning = (
        H[..., :, None, :, None] * one[:, None, :] - one[:, None, :, None] * H.swapaxes(-1, -2)[..., None, :, None, :]
    )
    L = (-2j * np.pi * turning).reshape(*H.shape[:-2], n * n, n * n)
    return L + _dissipator(n, relaxation)


def _dissipator(n: int, relaxation: Relaxation) -> np.ndarray:
    d = n // 3
    place = np.arange(n * n).reshape(3, d, 3, d)
    out = np.diag(-np.broadcast_to(relaxation.decay[:, None, :, None], (3, d, 3, d)).ravel())
    for m in range(3):
        for other in range(3):
            gain = (1 / 3 - (m == other)) / relaxation.T1
            out[place[m, :, m].ravel(), place[other, :, other].ravel()] += gain
    return out


def _open_by_steps(rho: np.ndarray, H: np.ndarray, time: np.ndarray, relaxation: Relaxation) -> np.ndarray:
    """Halves of turning around relaxing, extrapolated in the square of the step until two answers agree."""
    steps = max(8, int(np.ceil(time.max() * relaxation.decay.max() * 8)))
    coarse, best = _steps(rho, H, time, relaxation, steps), None
    while steps < _MOST_STEPS:
        steps *= 2
        fine = _steps(rho, H, time, relaxation, steps)
        previous, best = best, (4 * fine - coarse) / 3
        if previous is not None and np.abs(best - previous).max() < _TOLERANCE:
            return best
        coarse = fine
    raise ValueError(
        f"relaxation of {H.shape[-1]} levels during {time.max():.3g} s needs more than {_MOST_STEPS} steps; "
        'shorten the time, leave T1 and T2 out, or take model="comb"'
    )


def _steps(rho: np.ndarray, H: np.ndarray, time: np.ndarray, relaxation: Relaxation, steps: int) -> np.ndarray:
    step = time / steps
    energy, vectors = np.linalg.eigh(H)
    half = (vectors * np.exp(-1j * np.pi * energy * step[:, None])[..., None, :]) @ _adjoint(vectors)
    whole = half @ half
    rho = half @ rho @ _adjoint(half)
    for _ in range(steps - 1):
        rho = whole @ _relax(rho, step, relaxation) @ _adjoint(whole)
    return half @ _relax(rho, step, relaxation) @ _adjoint(half)


def _relax(rho: np.ndarray, time: np.ndarray, relaxation: Relaxation) -> np.ndarray:
    n = rho.shape[-1]
    blocks = rho.reshape(*rho.shape[:2], 3, n // 3, 3, n // 3)
    out = blocks * np.exp(-relaxation.decay * time[:, None, None])[:, :, None, :, None]
    mean = np.einsum("...mimj->...ij", blocks) / 3
    lost = -np.expm1(-time / relaxation.T1)[:, None, None]
    for m in range(3):
        same = out[..., m, :, m, :]
        same += lost * (mean - same)
    return out.reshape(*out.shape[:2], n, n)


def _adjoint(matrices: np.ndarray) -> np.ndarray:
    return matrices.conj().swapaxes(-1, -2)
