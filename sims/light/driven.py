"""An optical cycle under continuous microwave: its Liouvillian and its steady state at any frequency."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.sims.light.checks import check_frequency, check_pump
from vbsense.sims.light.cycle import OpticalCycle

__all__ = ["DrivenCycle", "driven_cycle"]

# Spin 1 in the basis m_s = +1, 0, -1.
_SX = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / np.sqrt(2)
_SY = np.array([[0, -1j, 0], [1j, 0, -1j], [0, 1j, 0]]) / np.sqrt(2)
_SZ = np.diag([1.0, 0.0, -1.0])
# Eigenvectors closer to parallel than this are not used: two poles have met, and each frequency is solved by itself.
_WORST = 1e6


@dataclass(frozen=True, eq=False)
class DrivenCycle:
    """An optical cycle under continuous microwave, as the linear equations of its steady state.

    The state is a vector of the 9 elements of the ground-state density matrix (mixed levels, row by
    row, in the frame that turns with the microwave) and the populations of the other levels. In the
    steady state nothing else of the density matrix differs from zero: the laser is incoherent.
    ``(constant + frequency diag(slope)) x = start``, whose first equation says that populations sum
    to 1 in place of the one that follows from the others. The frequency enters through the 4 coherences
    of the two lines alone (6 where one upper level lies below m_s = 0), so that the steady state is a
    constant plus as many poles, found once from the eigenvalues of a 4 x 4 matrix.

    Parameters
    ----------
    constant : ndarray of complex, (m, m)
        Liouvillian at frequency 0, its first row replaced by the trace.
    slope : ndarray of complex, (m,)
        Its derivative with respect to the frequency, which is diagonal.
    scale : float
        Rate by which both have been divided (1/s).
    emission : ndarray, (m,)
        Photons per second for each entry of the state.
    lines : ndarray, (2,)
        Electron lines without drive (Hz).
    ground_index, other_index : ndarray
        Places among the levels of the cycle.

    Examples
    --------
    >>> from vbsense.sims.light.cycle_presets import optical_cycle
    >>> driven = driven_cycle([0, 0, 10e-3], optical_cycle("baber2022"), rabi=2e6, pump=1e6, dephasing=2e7)
    >>> (1 - driven.light(driven.lines) / driven.light([2e9])).round(3).tolist()
    [0.099, 0.104]
    """

    constant: np.ndarray
    slope: np.ndarray
    scale: float
    emission: np.ndarray
    lines: np.ndarray
    ground_index: np.ndarray
    other_index: np.ndarray

    @cached_property
    def _poles(self) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """Reference frequency, state there, and for each pole its value, vector (m, poles) and weight.

        With A the equations at the reference, d the offset, U the columns of the coherences and D their
        slopes: ``(A + d U D U^T)^-1 b = x0 - d X D V (1 + d w)^-1 V^-1 U^T x0``, ``X = A^-1 U``,
        ``U^T X D = V w V^-1`` (Woodbury and one eigendecomposition).
        """
        # Not midway between the lines: where m_s = 0 lies between the upper levels, their own coherence turns there,
        # and one value that is large by that resonance would cost the others their last digits.
        center = float(self.lines @ [0.3, 0.7])
        turning = np.flatnonzero(self.slope)
        A = self.constant.copy()
        A[turning, turning] += center * self.slope[turning]
        right = np.zeros((len(A), 1 + len(turning)), dtype=complex)
        right[0, 0] = 1.0
        right[turning, 1 + np.arange(len(turning))] = self.slope[turning]
        solved = np.linalg.solve(A, right)
        x0, XD = solved[:, 0], solved[:, 1:]
        values, V = np.linalg.eig(XD[turning])
        inverse = _inverse(V)
        if inverse is None:
            return None
        return center, x0, values, XD @ V, inverse @ x0[turning]

    def states(self, frequency: Any) -> np.ndarray:
        """State vectors (see the class), ``(nf, m)`` complex, at `frequency` (nf,) Hz."""
        frequency = check_frequency(frequency)
        if self._poles is None:
            return self.solve(frequency)
        center, x0, values, vectors, weights = self._poles
        offset = (frequency - center)[:, None]
        return x0 - (offset * weights / (1 + offset * values)) @ vectors.T

    def light(self, frequency: Any) -> np.ndarray:
        """Photons per second, ``(nf,)``, at `frequency` (nf,) Hz."""
        frequency = check_frequency(frequency)
        if self._poles is None:
            return (self.solve(frequency) @ self.emission).real
        center, x0, values, vectors, weights = self._poles
        offset = (frequency - center)[:, None]
        return (
            float((self.emission @ x0).real)
            - ((offset / (1 + offset * values)) @ (weights * (self.emission @ vectors))).real
        )

    def solve(self, frequency: Any) -> np.ndarray:
        """As `states`, each frequency by a linear system of its own: slow, and without poles."""
        frequency = check_frequency(frequency)
        A = self.constant + frequency[:, None, None] * np.diag(self.slope)
        start = np.zeros((len(frequency), len(self.slope), 1))
        start[:, 0] = 1.0
        return np.linalg.solve(A, start)[..., 0]

    def density(self, frequency: Any) -> np.ndarray:
        """Density matrices over all levels, ``(nf, n, n)``: the triplets in their mixed states (see `driven_cycle`).

        Examples
        --------
        >>> from vbsense.sims.light.cycle_presets import optical_cycle
        >>> driven = driven_cycle([0, 0, 10e-3], optical_cycle("baber2022"), rabi=2e6, pump=1e6, dephasing=2e7)
        >>> driven.density([3.5e9])[0].trace().real.round(12)
        np.float64(1.0)
        """
        states = self.states(frequency)
        n = 3 + len(self.other_index)
        rho = np.zeros((len(states), n, n), dtype=complex)
        rho[:, self.ground_index[:, None], self.ground_index] = states[:, :9].reshape(-1, 3, 3)
        rho[:, self.other_index, self.other_index] = states[:, 9:]
        return rho


def driven_cycle(
    field: Any,
    cycle: OpticalCycle,
    defect: Defect = VB14N,
    *,
    rabi: float,
    pump: float,
    dephasing: float,
    drive: Any = (1, 0, 0),
    excited: Defect | None = None,
) -> DrivenCycle:
    """Build the Liouvillian of an optical cycle in a field and under microwave.

    The ground-state levels of the electron spin are coupled by the microwave in the rotating-wave
    approximation, both lines at once; drive between the two upper levels is left out. All rates of the
    cycle are Lindblad jumps between the mixed levels (see `vbsense.sims.light.mixing`: near the anticrossing of
    the excited state they mix too much), so each line's coherence
    decays with `dephasing` + `pump` + 1/T1 and has, undriven, a full width at half maximum
    of that over pi (Hz).

    Parameters
    ----------
    field : array_like, (3,)
        Magnetic field in laboratory axes, by default the defect's own (T).
    cycle : OpticalCycle
        Its rates hold for the unmixed spin states.
    defect : Defect
        Ground state; its nuclei are left out (see `vbsense.sims.light.cw.nuclear_fields`).
    rabi : float
        Rabi frequency of a line between pure m_s = 0 and +-1 for a linear drive across c (Hz, turns per
        second); it grows with the square root of the microwave power.
    pump : float
        Pump rate of the laser (1/s).
    dephasing : float
        Rate at which the coherence of each line decays for other reasons: 1/T2* (1/s). The
        coherence between the two upper levels decays four times as fast, as under field noise.
    drive : array_like, (3,)
        Direction of the microwave field in laboratory axes, complex for circular; its length is
        normalised away, so that a circular drive couples sqrt(2) more strongly to its one line.
    excited : Defect
        The excited triplet, `excited_state(defect)` by default.

    Returns
    -------
    DrivenCycle

    Raises
    ------
    ValueError
        For shapes, NaN, negative rates, and numbers evidently not in SI units.

    Examples
    --------
    >>> from vbsense.sims.light.cycle_presets import optical_cycle
    >>> driven = driven_cycle([0, 0, 10e-3], optical_cycle("baber2022"), rabi=1e6, pump=1e6, dephasing=2e7)
    >>> driven.constant.shape                                  # not 49 x 49: see the class
    (13, 13)
    """
    from vbsense.hamiltonian import check_field, to_defect
    from vbsense.sims.light.mixing import electron_states, excited_state, mixing_weights

    field = check_field(field)
    if field.shape != (3,):
        raise ValueError(
            f"field has shape {field.shape}; one field (3,) in tesla at a time here: see vbsense.sims.cw_spectrum"
        )
    _check_drive_numbers(rabi, dephasing)
    energy, vectors = electron_states(field, defect)
    # The level that is most m_s = 0 comes second, the higher of the two others first: +1, 0, -1 where they are pure.
    zero = int(np.abs(vectors[1]).argmax())
    order = [*sorted({0, 1, 2} - {zero}, reverse=True)]
    order.insert(1, zero)
    energy, vectors = energy[order] - energy[zero], vectors[:, order]
    sign = np.sign(energy)
    upper = _coupling(vectors, to_defect(_check_drive(drive), defect), rabi, sign)
    excited = excited_state(defect) if excited is None else excited
    P = mixing_weights(cycle, vectors, electron_states(field, excited)[1])
    rates = P @ cycle.rate_matrix(check_pump(pump)) @ P.T
    return _liouvillian(energy, sign, upper, rates, P @ cycle.emission, dephasing, cycle)


def _coupling(vectors: np.ndarray, drive: np.ndarray, rabi: float, sign: np.ndarray) -> np.ndarray:
    """Microwave coupling of each level with the one that is m_s = 0, without the turning phase, (3,) Hz."""
    S = drive[0] * _SX + drive[1] * _SY + drive[2] * _SZ
    # A level above m_s = 0 absorbs with exp(-i w t), one below emits into it with exp(+i w t).
    elements = [vectors[:, k].conj() @ (S if sign[k] >= 0 else S.conj().T) @ vectors[:, 1] for k in range(3)]
    return rabi / np.sqrt(2) * np.array(elements) * [1, 0, 1]


def _liouvillian(
    energy: np.ndarray,
    sign: np.ndarray,
    coupling: np.ndarray,
    rates: np.ndarray,
    emission: np.ndarray,
    dephasing: float,
    cycle: OpticalCycle,
) -> DrivenCycle:
    H = np.diag(energy).astype(complex)
    H[:, 1] += coupling
    H[1, :] += coupling.conj()
    ground = cycle.ground_index
    others = np.delete(np.arange(len(cycle.levels)), ground)
    m = 9 + len(others)
    one = np.eye(3)
    L = np.zeros((m, m), dtype=complex)
    L[:9, :9] = -2j * np.pi * (np.kron(H, one) - np.kron(one, H.T))
    # Jumps leave a coherence with half the rates out of both levels; those from a level to itself count here.
    out = rates.sum(1)[ground] / 2
    noise = np.array([1.0, 0.0, -1.0])
    decay = out[:, None] + out + dephasing * (noise[:, None] - noise) ** 2
    np.fill_diagonal(decay, 0.0)
    L[np.arange(9), np.arange(9)] -= decay.ravel()
    place = np.r_[0, 4, 8, 9:m]
    level = np.r_[ground, others]
    jumps = rates[np.ix_(level, level)].T
    L[np.ix_(place, place)] += jumps - np.diag(jumps.sum(0))
    scale = float(np.abs(rates).max())
    slope = np.zeros(m, dtype=complex)
    slope[:9] = 2j * np.pi * (sign[:, None] - sign).ravel() / scale
    L /= scale
    # The equations of the populations add up to zero: one of them gives way to their sum.
    L[0] = 0.0
    L[0, place] = 1.0
    photons = np.zeros(m)
    photons[place] = emission[level]
    return DrivenCycle(L, slope, scale, photons, np.sort(np.abs(energy[[0, 2]])), ground, others)


def _inverse(V: np.ndarray) -> np.ndarray | None:
    try:
        inverse = np.linalg.inv(V)
    except np.linalg.LinAlgError:
        return None
    # The columns have length 1: long rows of the inverse tell that two of them are nearly parallel.
    return inverse if np.abs(inverse).max() < _WORST else None


def _check_drive(drive: Any) -> np.ndarray:
    """Unit vector of the microwave field, or an error."""
    drive = np.asarray(drive, dtype=complex)
    norm = np.linalg.norm(drive)
    if drive.shape != (3,) or not np.isfinite(norm) or norm == 0:
        raise ValueError(f"drive is {drive.tolist()!r}; it must be a direction: three numbers that are not all zero")
    return drive / norm


def _check_drive_numbers(rabi: Any, dephasing: Any) -> None:
    for name, value, hint in (
        ("rabi", rabi, "a frequency in Hz (1 MHz is 1e6)"),
        ("dephasing", dephasing, "a rate in 1/s: 1/T2* (for 50 ns 2e7)"),
    ):
        if not (np.ndim(value) == 0 and np.isreal(value) and np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is {value!r}; it must be one finite number, 0 or more: {hint}")
        if 0 < value < (1.0 if name == "rabi" else 1e3):
            raise ValueError(f"{name} is {value!r}; it must be {hint}")
