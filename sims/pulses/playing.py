"""A sequence step by step, on many copies of a spin and many swept points at once."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf
from typing import Any, TypeVar

import numpy as np

from vbsense.sims.pulses.evolution import Relaxation, evolve
from vbsense.sims.pulses.rotating import Calibration, Spins
from vbsense.sims.pulses.sequence import Pulse, Sequence, Wait

__all__ = ["Driven", "Free", "play", "steps_of"]

_S = TypeVar("_S", bound="Free")


@dataclass(frozen=True, eq=False)
class Free:
    """A wait; arrays are of one or of all swept points."""

    time: np.ndarray

    def part(self: _S, chosen: slice) -> _S:
        """Some of the swept points."""
        values = vars(self).items()
        return type(self)(**{k: v[chosen] if isinstance(v, np.ndarray) and v.size > 1 else v for k, v in values})


@dataclass(frozen=True, eq=False)
class Driven(Free):
    """A pulse that begins `start` after the first element."""

    start: np.ndarray
    frequency: np.ndarray
    phase: np.ndarray
    angle: np.ndarray
    rabi: float
    line: str


def steps_of(sequence: Sequence, set_up: Calibration) -> list[Free | Driven]:
    """The elements with their numbers as arrays."""
    steps: list[Free | Driven] = []
    clock = np.zeros(1)
    for element in sequence.elements:
        time = _array(element.duration)
        if isinstance(element, Wait):
            steps.append(Free(time))
        else:
            frequency = _frequency(element, set_up)
            phase, angle = _array(element.phase), _array(element.angle)
            steps.append(Driven(time, clock, frequency, phase, angle, element.rabi, element.line))
        clock = clock + time
    return steps


def play(
    steps: list[Free | Driven], resting: np.ndarray, spins: Spins, relaxation: Relaxation, start: np.ndarray
) -> np.ndarray:
    """Weighted populations after all steps, (s, 3); `resting` is the frame where there is no pulse."""
    n = spins.H.shape[-1]
    reference = next((step.frequency for step in steps if isinstance(step, Driven)), resting)
    rho = (np.diag(np.repeat(start, n // 3)) * 3 / n + 0j)[None, None]
    for step in steps:
        if isinstance(step, Driven):
            rho = _pulse(rho, step, reference, spins, relaxation)
        else:
            rho = evolve(rho, _seen(spins, reference), step.time, relaxation)
    levels = np.einsum("ksii->ksi", rho).real.reshape(*rho.shape[:2], 3, n // 3).sum(-1)
    return np.einsum("k,ksm->sm", spins.weights, np.broadcast_to(levels, (len(spins.weights), *levels.shape[1:])))


def _pulse(rho: np.ndarray, step: Driven, reference: np.ndarray, spins: Spins, relaxation: Relaxation) -> np.ndarray:
    """One pulse, in the frame that turns with its own frequency and phase."""
    slip = 2 * np.pi * (step.frequency - reference)
    before, after = step.phase + slip * step.start, step.phase + slip * (step.start + step.time)
    rho = _turned(rho, -before)
    if isinf(step.rabi):
        rotation = _ideal(spins.ideal[step.line], step.angle)
        rho = rotation @ rho @ rotation.conj().swapaxes(-1, -2)
    else:
        lift = spins.coupling[step.line]
        driven = (step.rabi / 2 * (lift + lift.conj().swapaxes(-1, -2)))[:, None]
        rho = evolve(rho, _seen(spins, step.frequency) + driven, step.time, relaxation)
    return _turned(rho, after)


def _ideal(flip: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """exp(-i angle/2 (flip + its adjoint)) for a flip between two sets of states, (K, s, n, n)."""
    down = flip.conj().swapaxes(-1, -2)
    both = (flip @ down + down @ flip)[:, None]
    half = angle[:, None, None] / 2
    return np.eye(flip.shape[-1]) + (np.cos(half) - 1) * both - 1j * np.sin(half) * (flip + down)[:, None]


def _seen(spins: Spins, frequency: np.ndarray) -> np.ndarray:
    """The Hamiltonian in the frame that turns m_s = +-1 with `frequency`, (K, s, n, n) Hz."""
    return spins.H[:, None] - frequency[:, None, None] * np.diag(_raised(spins.H.shape[-1]))


def _turned(rho: np.ndarray, angle: np.ndarray) -> np.ndarray:
    if not angle.any():
        return rho
    raised = _raised(rho.shape[-1])
    return rho * np.exp(-1j * angle[:, None, None] * (raised[:, None] - raised))


def _raised(n: int) -> np.ndarray:
    return np.repeat([1.0, 0.0, 1.0], n // 3)


def _frequency(pulse: Pulse, set_up: Calibration) -> np.ndarray:
    if pulse.frequency is not None:
        return _array(pulse.frequency)
    return set_up.frequency[pulse.line] + _array(pulse.detuning)


def _array(value: Any) -> np.ndarray:
    return np.atleast_1d(np.asarray(value, dtype=float))
