"""One run for every pulse sequence: populations of m_s, and the light that reads them.

The models and their approximations are those of `vbsense.sims.pulses.rotating`, relaxation is that of
`vbsense.sims.pulses.evolution`. Sources are continuous in phase: at time t after the start the microwave of a
pulse has the phase ``2 pi f t + phase``, so that sequences may mix frequencies and lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.hamiltonian import check_field, to_defect
from vbsense.sims.pulses.ensemble import Ensemble
from vbsense.sims.pulses.evolution import Relaxation
from vbsense.sims.pulses.playing import play, steps_of
from vbsense.sims.pulses.rotating import MODELS, Calibration, Spins, calibrate, spins_of
from vbsense.sims.pulses.sequence import Sequence

__all__ = ["ROOM_TEMPERATURE", "PulseResult", "run"]

ROOM_TEMPERATURE = {"T1": 16e-6, "T2": 75e-9}
"""Widely quoted for V_B^- in hBN (16-18 us; echo at low field 50-100 ns), unverified. The echo time of real
samples contains nuclei that the models "comb" and "exact" already carry."""

# Complex numbers of one batch of density matrices: 32 MB.
_BATCH = 1 << 21


@dataclass(frozen=True, eq=False)
class PulseResult:
    """What a sequence gives.

    Parameters
    ----------
    sweep : ndarray, (n,)
        The swept quantity, in the unit of the sequence.
    populations : ndarray, (n, 3)
        Of m_s = +1, 0, -1.
    signal : ndarray, (n,)
        Photons of the readout; without one, the population of m_s = 0.

    Examples
    --------
    >>> PulseResult(np.zeros(1), np.array([[0.0, 1.0, 0.0]]), np.ones(1)).signal
    array([1.])
    """

    sweep: np.ndarray
    populations: np.ndarray
    signal: np.ndarray


def run(
    sequence: Sequence,
    field: Any,
    defect: Defect = VB14N,
    *,
    model: str = "comb",
    drive: Any = (1, 0, 0),
    T1: float = inf,
    T2: float = inf,
    initial: Any = 1.0,
    ensemble: Ensemble | None = None,
    readout: Any = None,
    pump: float = 1e6,
    gate: float = 300e-9,
) -> PulseResult:
    """Play a sequence on a defect.

    Parameters
    ----------
    sequence : Sequence
        Pulses and waits, swept or not.
    field : array_like, (3,)
        Magnetic field (T), in laboratory axes, which are those of the defect by default.
    defect : Defect
        With its nuclei, unpolarised.
    model : {"two-level", "comb", "exact"}
        "two-level": the driven line by itself, moved rigidly by each group of the hyperfine comb.
        "comb": the three levels of the electron, the nuclei frozen: a shift A_zz m of the field along c.
        "exact": electron and nuclei; with three 14N (81 levels) relaxation takes seconds. Its lines lie
        a little higher than those of the electron alone (8.5 MHz for three 14N): second order in A.
    drive : array_like, (3,)
        Direction of the microwave field in the same axes; complex for circular polarisation, as the
        factor of exp(-2 pi i f t), so (1, 1j, 0) drives m_s = 0 to +1 alone.
    T1, T2 : float
        Relaxation and coherence time of the electron (s), see `Relaxation`; infinite: none.
        ``**ROOM_TEMPERATURE`` gives commonly quoted ones.
    initial : float or array_like, (3,)
        Population of m_s = 0, the rest in equal parts, or those of m_s = +1, 0, -1, such as the optical
        cycle prepares.
    ensemble : Ensemble, optional
        Defects to average over; line frequencies and microwave amplitude stay those of `defect`.
    readout : object, optional
        With ``readout(populations, pump=..., gate=...) -> photons``, populations (n, 3).
    pump, gate : float
        Pump rate (1/s) and length of the detection gate (s), handed to the readout.

    Returns
    -------
    PulseResult

    Raises
    ------
    ValueError
        For fields, models, populations or times that cannot be, and where the rotating frame does not hold.

    Examples
    --------
    >>> from vbsense.sims.pulses.protocols import rabi
    >>> electron = Defect("electron", D=3.47e9, E=0.0, g=2.0)
    >>> p = run(rabi([0, 50e-9, 100e-9], rabi=10e6), [0, 0, 10e-3], electron, model="two-level")
    >>> abs(p.signal.round(9)).tolist()
    [1.0, 0.0, 1.0]
    """
    field = _one_field(field)
    if model not in MODELS:
        raise ValueError(f"model is {model!r}; known are {', '.join(MODELS)}")
    if not isinstance(sequence, Sequence):
        raise TypeError(f"sequence is {sequence!r:.60}; build one, for example sims.hahn_echo(times)")
    relaxation, start = Relaxation(T1, T2), _initial(initial)
    set_up = calibrate(field, defect, to_defect(_direction(drive), defect), sequence.lines)
    steps = steps_of(sequence, set_up)
    resting = np.array([set_up.frequency["lower"]])
    populations = np.zeros((len(sequence), 3))
    with _one_blas_thread():
        for spins in _batches(field, defect, model, set_up, ensemble):
            for part in _parts(spins, len(sequence)):
                now = [step.part(part) for step in steps]
                populations[part] += play(now, resting, spins, relaxation, start)
    signal = populations[:, 1].copy() if readout is None else readout.readout(populations, pump=pump, gate=gate)
    return PulseResult(np.array(sequence.sweep), populations, np.asarray(signal, dtype=float))


def _batches(
    field: np.ndarray, defect: Defect, model: str, set_up: Calibration, ensemble: Ensemble | None
) -> Iterator[Spins]:
    """Copies to average over, as many at once as fit."""
    largest = 1 if model == "exact" else _BATCH // (16 * 81)
    waiting: list[Spins] = []
    everyone = [(1.0, field, defect)] if ensemble is None else ensemble.members(field, defect)
    for weight, there, one in everyone:
        spins = spins_of(there, one, model, set_up.drive)
        waiting.append(replace(spins, weights=spins.weights * weight))
        if sum(len(s.weights) for s in waiting) >= largest:
            yield Spins.joined(waiting)
            waiting = []
    if waiting:
        yield Spins.joined(waiting)


def _parts(spins: Spins, n: int) -> list[slice]:
    size = spins.H.shape[-1] ** 2 * (9 if spins.H.shape[-1] <= 9 else 1) * len(spins.weights)
    length = max(1, _BATCH // size)
    return [slice(k, min(k + length, n)) for k in range(0, n, length)]


def _one_field(field: Any) -> np.ndarray:
    field = check_field(field)
    if field.shape != (3,):
        raise ValueError(f"field has shape {field.shape}; a sequence is played at one field, 3 components in tesla")
    return field


def _direction(drive: Any) -> np.ndarray:
    direction = np.asarray(drive, dtype=complex)
    norm = np.linalg.norm(direction)
    if direction.shape != (3,) or not np.isfinite(norm) or norm == 0:
        raise ValueError(f"drive is {drive!r}; it must be a direction: three numbers that are not all zero")
    return direction / norm


def _initial(initial: Any) -> np.ndarray:
    values = np.asarray(initial, dtype=float)
    if values.ndim == 0:
        values = np.array([(1 - values) / 2, values, (1 - values) / 2])
    if values.shape != (3,) or not (np.isfinite(values).all() and values.min() >= 0 and abs(values.sum() - 1) < 1e-6):
        raise ValueError(
            f"initial is {initial!r}; give the population of m_s = 0, from 0 to 1, or three populations of "
            "m_s = +1, 0, -1 that add up to 1"
        )
    return values


def _one_blas_thread() -> Any:
    # Two BLAS threads on batches of small matrices are many times slower than one on a busy machine.
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")
