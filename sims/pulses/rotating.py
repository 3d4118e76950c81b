"""The spin in the frame of the microwave: what a pulse sees.

The Hamiltonian is first brought, exactly, to the form in which m_s = 0 and m_s = +-1 do not mix (see
`vbsense.sims.pulses.decoupling`).

The microwave 2 b cos(2 pi f t + phase) drive.S is treated in the rotating-wave approximation: its part that
turns with exp(-2 pi i f t) and lifts m_s = 0 to m_s = +-1, or the reverse. Left out are the counter-rotating
part (relative error of order rabi / f, 0.3 % for 10 MHz) and what it does within a manifold, to the nuclei
directly, and beyond the anticrossing, where the lower line runs backwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vbsense.defect import Defect
from vbsense.groundstate.comb import hyperfine_comb
from vbsense.hamiltonian import hamiltonian
from vbsense.sims.pulses.decoupling import SZ, adapted, along, decouple, lifting
from vbsense.sims.pulses.sequence import LINES

__all__ = ["MODELS", "Calibration", "Spins", "calibrate", "spins_of"]

MODELS = ("two-level", "comb", "exact")


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the bench sets: line frequencies (Hz) and the drive that gives 1 Hz of Rabi frequency on each."""

    frequency: Mapping[str, float]
    drive: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Spins:
    """K copies of a spin with n levels, m_s = +1, 0, -1 first.

    Parameters
    ----------
    H : ndarray of complex, (K, n, n)
        Hamiltonian without elements between m_s = 0 and +-1 (Hz).
    coupling : mapping of line to ndarray, (K, n, n)
        Lifting part of the drive, 1 on the line.
    ideal : mapping of line to ndarray, (K, n, n)
        The same of an ideal pulse: from m_s = 0 to the upper level of the line, nothing else.
    weights : ndarray, (K,)
        They add up to 1.
    """

    H: np.ndarray
    coupling: Mapping[str, np.ndarray]
    ideal: Mapping[str, np.ndarray]
    weights: np.ndarray

    @staticmethod
    def joined(parts: Sequence[Spins]) -> Spins:
        """All copies of several."""

        def all_of(name: str) -> dict[str, np.ndarray]:
            return {line: np.concatenate([getattr(p, name)[line] for p in parts]) for line in getattr(parts[0], name)}

        H, weights = np.concatenate([p.H for p in parts]), np.concatenate([p.weights for p in parts])
        return Spins(H, all_of("coupling"), all_of("ideal"), weights)


def calibrate(field: np.ndarray, defect: Defect, drive: np.ndarray, lines: tuple[str, ...]) -> Calibration:
    """Frequencies of both electron lines, and the drive per Rabi frequency of those in `lines`.

    Parameters
    ----------
    field : ndarray, (3,)
        In laboratory axes (T).
    defect : Defect
        Its nuclei are left out.
    drive : ndarray of complex, (3,)
        Direction of the microwave field in the defect frame.
    lines : tuple of str
        Lines that are driven; they need a drive that excites them.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        If the drive leaves a line alone, or the frame does not hold at this field.
    """
    H, lift = decouple(hamiltonian(field, replace(defect, nuclei=())), along(drive))
    energy, upper = _line_states(H)
    frequency = {line: float(e - H[1, 1].real) for line, e in zip(LINES, energy, strict=True)}
    if frequency["lower"] <= 0:
        raise ValueError("the field lies beyond the level anticrossing, where the lower line runs backwards; go below")
    scaled = {}
    for line in lines:
        element = abs(upper[line].conj() @ lift[:, 1])
        if element < 1e-4:
            raise ValueError(
                f"the drive {drive.tolist()} does not excite the {line} line at this field; turn it about the c axis"
            )
        scaled[line] = drive / element
    return Calibration(frequency, scaled)


def spins_of(field: np.ndarray, defect: Defect, model: str, drive: Mapping[str, np.ndarray]) -> Spins:
    """The copies of the spin that a model averages over.

    Parameters
    ----------
    field : ndarray, (3,)
        In laboratory axes (T).
    defect : Defect
        With its nuclei, unpolarised.
    model : {"two-level", "comb", "exact"}
        "two-level": each line by itself, moved rigidly by the hyperfine comb. "comb": the electron's three
        levels in the field of frozen nuclei along c. "exact": electron and nuclei.
    drive : mapping of line to ndarray of complex, (3,)
        Drive that gives 1 Hz of Rabi frequency (see `calibrate`).

    Returns
    -------
    Spins
    """
    if model == "exact":
        return _exact(field, defect, drive)
    bare = hamiltonian(field, replace(defect, nuclei=()))
    shift, weight = hyperfine_comb(defect)
    flips = _flips(bare, drive)
    if model == "two-level":
        H = decouple(bare, SZ)[0]
        _, upper = _line_states(H)
        rigid = sum(sign * np.outer(upper[line], upper[line].conj()) for line, sign in zip(LINES, (-1, 1), strict=True))
        H = H + shift[:, None, None] * rigid
        coupling = {line: np.broadcast_to(flip, H.shape) for line, flip in flips.items()}
        for line, direction in drive.items():
            lift = decouple(bare, along(direction))[1]
            # In an ensemble the drive that was set for one defect is not that of the next.
            coupling[line] = coupling[line] * abs(upper[line].conj() @ lift[:, 1])
    else:
        H, coupling = _electron_copies(bare, shift, drive)
    ideal = {line: np.broadcast_to(flip, H.shape) for line, flip in flips.items()}
    return Spins(_from_zero(H), coupling, ideal, weight)


def _electron_copies(bare: np.ndarray, shift: np.ndarray, drive: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict]:
    each = [bare + s * SZ for s in shift]
    H = np.array([decouple(h, SZ)[0] for h in each])
    return H, {line: np.array([decouple(h, along(d))[1] for h in each]) for line, d in drive.items()}


def _exact(field: np.ndarray, defect: Defect, drive: Mapping[str, np.ndarray]) -> Spins:
    nuclear = np.eye(defect.dimension // 3)
    full = hamiltonian(field, defect)
    H, turn = adapted(full)
    coupling = {line: lifting(turn, np.kron(along(d), nuclear))[None] for line, d in drive.items()}
    flips = _flips(hamiltonian(field, replace(defect, nuclei=())), drive)
    ideal = {line: np.kron(flip, nuclear)[None] for line, flip in flips.items()}
    return Spins(_from_zero(H[None]), coupling, ideal, np.ones(1))


def _flips(bare: np.ndarray, drive: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """From m_s = 0 to the upper level of each line, with the phase that the drive gives."""
    flips = {}
    for line, direction in drive.items():
        H, lift = decouple(bare, along(direction))
        upper = _line_states(H)[1][line]
        element = upper.conj() @ lift[:, 1]
        phase = element / abs(element) if abs(element) > 1e-9 else 1.0
        flips[line] = phase * np.outer(upper, [0, 1, 0])
    return flips


def _line_states(H: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    energy, vectors = np.linalg.eigh(H[np.ix_([0, 2], [0, 2])])
    states = np.zeros((2, 3), dtype=complex)
    states[:, [0, 2]] = vectors.T
    return energy, dict(zip(LINES, states, strict=True))


def _from_zero(H: np.ndarray) -> np.ndarray:
    """Energies counted from the mean of m_s = 0, which keeps phases small."""
    n = H.shape[-1]
    mean = np.einsum("kii->ki", H)[:, n // 3 : 2 * n // 3].real.mean(-1)
    return H - mean[:, None, None] * np.eye(n)
