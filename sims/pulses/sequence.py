"""Pulse sequences as values: a tuple of pulses and waits.

Every number of a sequence may be swept: a sequence of n values in one place (or in several, all of the
same length) stands for n measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi
from typing import Any, TypeAlias

import numpy as np

__all__ = ["LINES", "Pulse", "Sequence", "Wait"]

LINES = ("lower", "upper")

Swept: TypeAlias = float | tuple[float, ...]


@dataclass(frozen=True)
class Pulse:
    """A rectangular microwave pulse.

    Parameters
    ----------
    angle : float or sequence of float
        Rotation that it gives on resonance (rad), not negative; its duration is ``angle / (2 pi rabi)``.
    rabi : float
        Rabi frequency (Hz): on the line's centre, and with nothing else in reach, the population of
        m_s = 0 is ``cos^2(pi rabi t)``. Infinite: an ideal pulse without duration that rotates m_s = 0
        and the upper level of its line and leaves everything else alone.
    phase : float or sequence of float
        Phase of the microwave (rad).
    line : {"lower", "upper"}
        Electron line that it drives.
    detuning : float or sequence of float
        Microwave frequency minus the line's (Hz).
    frequency : float or sequence of float, optional
        Microwave frequency itself (Hz), in place of the detuning.

    Raises
    ------
    ValueError
        For values that are negative, not finite, or too small to be in Hz.

    Examples
    --------
    >>> Pulse(pi, rabi=10e6).duration
    5e-08
    >>> Pulse(pi / 2).duration
    0.0
    """

    angle: Any
    rabi: float = inf
    phase: Any = 0.0
    line: str = "lower"
    detuning: Any = 0.0
    frequency: Any = None

    def __post_init__(self) -> None:
        for name in ("angle", "phase", "detuning", "frequency"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, swept(name, getattr(self, name)))
        object.__setattr__(self, "rabi", rabi_of(self.rabi))
        if np.min(self.angle) < 0:
            raise ValueError(f"angle is {np.min(self.angle):.6g} rad; it must not be negative: turn the phase by pi")
        if self.line not in LINES:
            raise ValueError(f"line is {self.line!r}; known are {', '.join(LINES)}")
        if self.frequency is None:
            return
        if np.any(self.detuning):
            raise ValueError("give either the detuning or the frequency of a pulse")
        if np.min(self.frequency) < 1e6:
            raise ValueError(f"frequency is {np.min(self.frequency):.6g}; it is in Hz (3.47 GHz is 3.47e9)")

    @classmethod
    def lasting(cls, duration: Any, rabi: float, **options: Any) -> Pulse:
        """A pulse of a given duration.

        Parameters
        ----------
        duration : float or sequence of float
            Time that it is on (s).
        rabi : float
            Finite Rabi frequency (Hz).
        **options
            As for `Pulse`.

        Returns
        -------
        Pulse

        Examples
        --------
        >>> round(Pulse.lasting(25e-9, rabi=10e6).angle / pi, 12)
        0.5
        """
        if not np.isfinite(rabi_of(rabi)):
            raise ValueError("rabi is infinite; a pulse that lasts has a finite Rabi frequency")
        times = times_of("duration", duration)
        return cls(tuple(2 * pi * rabi * t for t in times) if isinstance(times, tuple) else 2 * pi * rabi * times, rabi,
                   **options)  # fmt: skip

    @property
    def duration(self) -> Swept:
        """Time that it is on (s), swept where the angle is; 0 for an ideal pulse."""
        rate = 2 * pi * self.rabi
        return tuple(a / rate for a in self.angle) if isinstance(self.angle, tuple) else self.angle / rate


@dataclass(frozen=True)
class Wait:
    """Free evolution.

    Parameters
    ----------
    duration : float or sequence of float
        Seconds, not negative.

    Examples
    --------
    >>> Wait([0, 1e-7]).duration
    (0.0, 1e-07)
    """

    duration: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "duration", times_of("duration", self.duration))


@dataclass(frozen=True)
class Sequence:
    """Pulses and waits in their order.

    Parameters
    ----------
    elements : sequence of Pulse and Wait
        What happens between the light that prepares and the light that reads.
    sweep : sequence of float
        The swept quantity, for axes and results; the numbers in the elements are what counts.
    unit : str
        Its unit.
    name : str
        For titles.

    Raises
    ------
    ValueError
        If sweeps of different lengths meet.

    Examples
    --------
    >>> len(Sequence((Pulse(pi / 2), Wait([0, 1e-7, 2e-7]), Pulse(pi / 2))))
    3
    """

    elements: tuple[Pulse | Wait, ...]
    sweep: tuple[float, ...] = ()
    unit: str = "s"
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(self.elements))
        for element in self.elements:
            if not isinstance(element, Pulse | Wait):
                raise TypeError(f"an element is {element!r:.60}; a sequence holds Pulse and Wait objects")
        lengths = {len(v) for v in self._values() if isinstance(v, tuple)}
        if len(lengths) > 1:
            raise ValueError(f"sweeps of {sorted(lengths)} values meet in one sequence; they must have one length")
        n = lengths.pop() if lengths else 1
        sweep = tuple(np.atleast_1d(swept("sweep", self.sweep)).tolist()) if len(self.sweep) else tuple(range(n))
        if len(sweep) != n:
            raise ValueError(f"sweep has {len(sweep)} values; the elements have {n}")
        object.__setattr__(self, "sweep", sweep)

    def __len__(self) -> int:
        return len(self.sweep)

    @property
    def lines(self) -> tuple[str, ...]:
        """Lines that its pulses drive."""
        return tuple(line for line in LINES if any(isinstance(e, Pulse) and e.line == line for e in self.elements))

    def _values(self) -> list[Any]:
        return [value for element in self.elements for value in vars(element).values()]


def swept(name: str, value: Any) -> Swept:
    """A number or a tuple of them, finite and real, or an error that says what is wrong."""
    if np.iscomplexobj(value):
        raise ValueError(f"{name} is complex; give real numbers")
    values = np.asarray(value, dtype=float)
    if values.ndim > 1 or values.size == 0:
        raise ValueError(f"{name} has shape {values.shape}; it must be a number or a one-dimensional sweep")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinite values: {value!r:.60}")
    return tuple(values.tolist()) if values.ndim else float(values)


def times_of(name: str, value: Any) -> Swept:
    """The same for times (s)."""
    times = swept(name, value)
    if np.min(times) < 0:
        raise ValueError(f"{name} is {np.min(times):.6g} s; a time must not be negative")
    if np.max(times) > 1:
        raise ValueError(f"{name} reaches {np.max(times):.6g}; times are in seconds (100 ns is 100e-9)")
    return times


def rabi_of(value: Any) -> float:
    """A positive Rabi frequency (Hz)."""
    rate = float(value)
    if not rate > 0:
        raise ValueError(f"rabi is {value!r}; it must be a positive frequency in Hz, or infinite for ideal pulses")
    if rate < 1e3:
        raise ValueError(f"rabi is {rate:.6g}; it is in Hz: did you mean {rate * 1e6:.3g} (MHz given)?")
    return rate
