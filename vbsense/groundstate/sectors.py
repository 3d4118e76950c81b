"""Spectra by total nuclear spin: equal nuclei around a threefold axis act almost as one.

With the mean of the rotated hyperfine tensors in place of each, the total nuclear spin J is conserved
and 81 levels fall into sectors of 21, 15, 9 and 3, of which each is solved once. What the rotated parts
do in second order, ``I(I+1) a^2 / D`` for each nucleus with a half its in-plane anisotropy, is added to D
(6 a^2/D for three 14N).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vbsense.defect import Defect
from vbsense.hamiltonian import Operators, operators_of
from vbsense.nucleus import Nucleus

__all__ = ["Plan", "plan_of", "sector_lines"]


@dataclass(frozen=True)
class Plan:
    """The sectors of a defect: an effective defect with one nucleus for each J, and how often J occurs."""

    sectors: tuple[tuple[Operators, int], ...]
    states: int


@lru_cache(maxsize=32)
def plan_of(defect: Defect) -> Plan | None:
    """Sectors of `defect`; None unless its nuclei are equal and their tensors average to an axial one about c."""
    nuclei = defect.nuclei
    if len({(n.spin, n.gamma) for n in nuclei}) != 1 or defect.D <= 0:
        return None
    A = np.array([n.A for n in nuclei])
    mean = A.mean(0)
    axial = np.diag([(mean[0, 0] + mean[1, 1]) / 2] * 2 + [mean[2, 2]])
    # Equal along c and in the trace in the plane, no mixing of the two, and an anisotropy that averages out.
    same = np.abs(A[:, 2, :] - axial[2]).max() + np.abs(np.trace(A, axis1=1, axis2=2) - np.trace(axial)).max()
    if same + np.abs(mean - axial).max() > 1e3:
        return None
    spin, gamma = nuclei[0].spin, nuclei[0].gamma
    anisotropy = ((A[:, 0, 0] - A[:, 1, 1]) / 2) ** 2 + A[:, 0, 1] ** 2
    shifted = defect.at(D=defect.D + spin * (spin + 1) * anisotropy.sum() / defect.D)
    parts = [(operators_of(shifted.at(nuclei=_one(J, gamma, axial))), n) for J, n in _multiplicities(spin, len(nuclei))]
    return Plan(tuple(parts), int(2 * spin + 1) ** len(nuclei))


def sector_lines(field: np.ndarray, plan: Plan, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and strengths (as of `lines`) of all sectors, ``(b, sticks)``, at (b, 3) T."""
    from vbsense.groundstate.eigen import stick_block

    parts = [
        (*stick_block(field, operators, drive), share * operators.m / plan.states) for operators, share in plan.sectors
    ]
    return np.concatenate([f for f, _, _ in parts], -1), np.concatenate([s * w for _, s, w in parts], -1)


def _one(J: float, gamma: float, A: np.ndarray) -> tuple[Nucleus, ...]:
    return (Nucleus(J, gamma, A),) if J else ()


def _multiplicities(spin: float, count: int) -> list[tuple[float, int]]:
    """How often each total J occurs among `count` spins: states of one m less those of the next."""
    states = np.ones(1, dtype=int)
    for _ in range(count):
        states = np.convolve(states, np.ones(int(2 * spin + 1), dtype=int))
    top = count * spin
    values = [(top - k, int(states[k] - (states[k - 1] if k else 0))) for k in range(int(top) + 1)]
    return [(J, n) for J, n in values if n and J >= 0]
