"""The sequences that everybody knows, by their names."""

from __future__ import annotations

from math import inf, pi
from typing import Any

import numpy as np

from vbsense.sims.pulses.sequence import Pulse, Sequence, Wait, rabi_of, swept, times_of

__all__ = ["cpmg", "hahn_echo", "pulsed_odmr", "rabi", "ramsey", "t1", "xy8"]


def rabi(durations: Any, *, rabi: float, **options: Any) -> Sequence:
    """One pulse of growing duration.

    Parameters
    ----------
    durations : array_like, (n,)
        Seconds.
    rabi : float
        Rabi frequency (Hz).
    **options
        `line`, `detuning`, `frequency` and `phase` of the pulse.

    Returns
    -------
    Sequence

    Examples
    --------
    >>> len(rabi(np.linspace(0, 200e-9, 21), rabi=10e6))
    21
    """
    times = _axis("durations", durations)
    return Sequence((Pulse.lasting(times, rabi, **options),), times, name="Rabi")


def ramsey(times: Any, *, rabi: float = inf, phase: Any = 0.0, **options: Any) -> Sequence:
    """pi/2 - t - pi/2.

    Parameters
    ----------
    times : array_like, (n,)
        Free time between the edges of the pulses (s).
    rabi : float
        Rabi frequency (Hz); infinite: ideal pulses.
    phase : float
        Phase of the last pulse (rad).
    **options
        `line`, `detuning`, `frequency` of all pulses.

    Returns
    -------
    Sequence

    Examples
    --------
    >>> len(ramsey(np.linspace(0, 200e-9, 41), detuning=5e6).elements)
    3
    """
    times = _axis("times", times)
    first, last = Pulse(pi / 2, rabi, **options), Pulse(pi / 2, rabi, phase, **options)
    return Sequence((first, Wait(times), last), times, name="Ramsey")


def hahn_echo(times: Any, *, rabi: float = inf, phase: Any = 0.0, **options: Any) -> Sequence:
    """pi/2 - t/2 - pi - t/2 - pi/2, which undoes static detunings.

    With ideal pulses it undoes them exactly as long as they do not change the levels: in the model
    "two-level", and in "comb" for E = 0 and a field along c.

    Parameters
    ----------
    times : array_like, (n,)
        Whole free time (s).
    rabi, phase, **options
        As for `ramsey`.

    Returns
    -------
    Sequence

    Examples
    --------
    >>> hahn_echo([100e-9]).elements[1].duration
    (5e-08,)
    """
    sequence = _train(times, (0.0,), rabi, phase, options)
    return Sequence(sequence.elements, sequence.sweep, name="Hahn echo")


def cpmg(times: Any, n: int, *, rabi: float = inf, phase: Any = 0.0, **options: Any) -> Sequence:
    """pi/2 - (t/2n - pi - t/2n) n times - pi/2, the pi pulses 90 degrees out of phase with the first.

    Parameters
    ----------
    times : array_like, (m,)
        Whole free time (s).
    n : int
        Number of pi pulses.
    rabi, phase, **options
        As for `ramsey`.

    Returns
    -------
    Sequence

    Examples
    --------
    >>> len(cpmg([1e-6], 4).elements)
    11
    """
    return _train(times, (pi / 2,) * _count("n", n), rabi, phase, options)


def xy8(times: Any, n: int = 1, *, rabi: float = inf, phase: Any = 0.0, **options: Any) -> Sequence:
    """pi/2 - (x y x y y x y x) n times - pi/2 with equal distances, which forgives errors of the pi pulses.

    Parameters
    ----------
    times : array_like, (m,)
        Whole free time (s).
    n : int
        Number of blocks of eight pi pulses.
    rabi, phase, **options
        As for `ramsey`.

    Returns
    -------
    Sequence

    Examples
    --------
    >>> sum(isinstance(e, Pulse) for e in xy8([1e-6], 2).elements)
    18
    """
    x, y = 0.0, pi / 2
    return _train(times, (x, y, x, y, y, x, y, x) * _count("n", n), rabi, phase, options)


def t1(times: Any, *, flip: str | None = None, rabi: float = inf) -> Sequence:
    """Wait in the dark, after a pi pulse on the line `flip` if one is named.

    Parameters
    ----------
    times : array_like, (n,)
        Seconds.
    flip : {None, "lower", "upper"}
        Line whose pi pulse comes first.
    rabi : float
        Its Rabi frequency (Hz).

    Returns
    -------
    Sequence

    Examples
    --------
    >>> len(t1(np.linspace(0, 50e-6, 26)).elements)
    1
    """
    times = _axis("times", times)
    before = () if flip is None else (Pulse(pi, rabi, line=flip),)
    return Sequence((*before, Wait(times)), times, name="T1")


def pulsed_odmr(frequency: Any, *, rabi: float, angle: float = pi, line: str = "lower") -> Sequence:
    """One pulse at every frequency: the longer and weaker it is, the sharper the lines.

    Parameters
    ----------
    frequency : array_like, (n,)
        Microwave frequencies (Hz).
    rabi : float
        Finite Rabi frequency on the line (Hz); the width of the dip of a pi pulse is about 0.8 of it, half-width
        at half maximum 0.4 rabi.
    angle : float
        Rotation on resonance (rad).
    line : {"lower", "upper"}
        Line on which the Rabi frequency is meant; the amplitude stays the same over the sweep.

    Returns
    -------
    Sequence

    Examples
    --------
    >>> pulsed_odmr([3.1e9, 3.2e9], rabi=5e6).unit
    'Hz'
    """
    if not np.isfinite(rabi_of(rabi)):
        raise ValueError("rabi is infinite; an ideal pulse has no frequency, give a finite Rabi frequency in Hz")
    values = _axis("frequency", frequency)
    return Sequence((Pulse(angle, rabi, line=line, frequency=values),), values, unit="Hz", name="pulsed ODMR")


def _train(times: Any, phases: tuple[float, ...], rabi: float, phase: Any, options: dict[str, Any]) -> Sequence:
    times = _axis("times", times)
    half, whole = (Wait(tuple(t / (part * len(phases)) for t in times)) for part in (2, 1))
    middle = [e for p in phases for e in (whole, Pulse(pi, rabi, p, **options))][1:]
    first, last = Pulse(pi / 2, rabi, **options), Pulse(pi / 2, rabi, phase, **options)
    return Sequence((first, half, *middle, half, last), times, name=f"{len(phases)} pi pulses")


def _axis(name: str, value: Any) -> tuple[float, ...]:
    values = swept(name, value) if name == "frequency" else times_of(name, value)
    return values if isinstance(values, tuple) else (values,)


def _count(name: str, value: Any) -> int:
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, at least 1")
    return int(value)
