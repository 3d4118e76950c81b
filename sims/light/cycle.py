"""The optical cycle of a spin defect as a declared table of rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vbsense.sims.light.checks import check_populations, check_pump, check_rate, check_times
from vbsense.sims.light.kinetics import Propagator, generator, stationary_joined
from vbsense.sims.light.rate import KINDS, Rate

__all__ = ["OpticalCycle", "Rate"]


@dataclass(frozen=True)
class OpticalCycle:
    """Levels and the rates between them.

    The laser is far above the zero-phonon line: it excites, and stimulates no emission. Charge
    conversion is left out unless the table has levels for it.

    Parameters
    ----------
    name : str
        For messages and files.
    levels : sequence of str
        Their names, ground levels first.
    rates : sequence of Rate
        The table.
    ground, excited : (str, str, str)
        The spin triplets, in the order m_s = +1, 0, -1.
    source : str
        What is known about the table as a whole.

    Raises
    ------
    ValueError
        If a name is doubled or unknown.

    Examples
    --------
    >>> from vbsense.sims.light.cycle_presets import optical_cycle
    >>> cycle = optical_cycle("baber2022")
    >>> cycle.steady(1e6)[:3].round(3).tolist()                # pumped into m_s = 0
    [0.205, 0.566, 0.205]
    """

    name: str
    levels: tuple[str, ...]
    rates: tuple[Rate, ...]
    ground: tuple[str, str, str] = ("g+1", "g0", "g-1")
    excited: tuple[str, str, str] = ("e+1", "e0", "e-1")
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("levels", "rates", "ground", "excited"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(set(self.levels)) != len(self.levels):
            raise ValueError(f"levels of {self.name!r} are {self.levels}; every name must occur once")
        if len(self.ground) != 3 or len(self.excited) != 3:
            raise ValueError(f"ground and excited of {self.name!r} must name three levels each: m_s = +1, 0, -1")
        named = {*self.ground, *self.excited, *(r.start for r in self.rates), *(r.end for r in self.rates)}
        if unknown := sorted(named - set(self.levels)):
            raise ValueError(f"{self.name!r} has no level {', '.join(unknown)}; it has {', '.join(self.levels)}")

    @cached_property
    def ground_index(self) -> np.ndarray:
        """Places of the ground triplet among the levels, (3,)."""
        return np.array([self.levels.index(name) for name in self.ground])

    @cached_property
    def excited_index(self) -> np.ndarray:
        """Places of the excited triplet among the levels, (3,)."""
        return np.array([self.levels.index(name) for name in self.excited])

    @cached_property
    def _tables(self) -> dict[str, np.ndarray]:
        n = len(self.levels)
        tables = {kind: np.zeros((n, n)) for kind in KINDS}
        for rate in self.rates:
            tables[rate.kind][self.levels.index(rate.start), self.levels.index(rate.end)] += rate.value
        for table in tables.values():
            table.setflags(write=False)
        return tables

    @cached_property
    def emission(self) -> np.ndarray:
        """Photons per second that each level emits, ``(n,)``."""
        return self._tables["light"].sum(1)

    def rate_matrix(self, pump: Any) -> np.ndarray:
        """Rates from row to column under a pump rate (...) in 1/s, ``(..., n, n)`` 1/s.

        Examples
        --------
        >>> from vbsense.sims.light.cycle_presets import optical_cycle
        >>> optical_cycle("baber2022").rate_matrix(1e6)[1, 4]      # from g0 to e0
        np.float64(1000000.0)
        """
        pump = check_rate("pump", pump)
        return self._tables["dark"] + self._tables["light"] + pump[..., None, None] * self._tables["pump"]

    def steady(self, pump: Any, *, drive: Any = (0.0, 0.0)) -> np.ndarray:
        """Populations under steady light and microwave.

        Parameters
        ----------
        pump : array_like, (...)
            Rate at which the laser excites (1/s).
        drive : array_like, (2,)
            Rate at which the microwave exchanges m_s = 0 with +1 and with -1 (1/s), as from
            `vbsense.sims.light.microwave_rate`; infinite for a saturated line.

        Returns
        -------
        ndarray, (..., n)
            In the order of `levels`; they sum to 1.
        """
        drive = check_rate("drive", drive, infinite=True)
        if drive.shape != (2,):
            raise ValueError(
                f"drive has shape {drive.shape}; give the two rates of m_s = 0 with +1 and with -1, in 1/s"
            )
        rates = self.rate_matrix(pump)
        plus, zero, minus = self.ground_index
        joined = [int(zero)]
        for level, rate in ((int(plus), drive[0]), (int(minus), drive[1])):
            if np.isinf(rate):
                joined.append(level)
            else:
                rates[..., zero, level] += rate
                rates[..., level, zero] += rate
        return stationary_joined(rates, sorted(joined), self.levels)

    def light(self, pump: Any, *, drive: Any = (0.0, 0.0)) -> np.ndarray:
        """Photons per second emitted in the steady state, (...); arguments as in `steady`.

        Examples
        --------
        >>> from vbsense.sims.light.cycle_presets import optical_cycle
        >>> optical_cycle("baber2022").light([1e6, 1e7]).round(1).tolist()
        [75.7, 626.8]
        """
        return self.steady(pump, drive=drive) @ self.emission

    def evolve(self, populations: Any, times: Any, *, pump: float) -> np.ndarray:
        """Populations in the course of time under constant light.

        Parameters
        ----------
        populations : array_like, (..., 3) or (..., n)
            At time 0: of the ground state (m_s = +1, 0, -1), or of all levels; they sum to 1.
        times : array_like, (nt,)
            Seconds, not negative.
        pump : float
            Pump rate (1/s); 0 for darkness.

        Returns
        -------
        ndarray, (..., nt, n)

        Examples
        --------
        >>> from vbsense.sims.light.cycle_presets import optical_cycle
        >>> p = optical_cycle("baber2022").evolve([0, 1, 0], [0, 1e-6, 1.0], pump=1e6)
        >>> p[:, 1].round(3).tolist()
        [1.0, 0.711, 0.566]
        """
        start = self._all_levels(populations)
        times = check_times("times", times)
        if times.ndim != 1:
            raise ValueError(f"times has shape {times.shape}; it must be one-dimensional, in seconds")
        return np.einsum("tij,...j->...ti", self._propagator(pump).at(times), start)

    def transient(self, populations: Any, times: Any, *, pump: float) -> np.ndarray:
        """Photons per second at times after the laser is set to `pump`, ``(..., nt)``; arguments as in `evolve`.

        Examples
        --------
        >>> from vbsense.sims.light.cycle_presets import optical_cycle
        >>> light = optical_cycle("baber2022").transient([[0, 1, 0], [1, 0, 0]], [10e-9], pump=1e6)
        >>> (light[1] / light[0]).round(2).tolist()             # m_s = +1 is darker
        [0.5]
        """
        return self.evolve(populations, times, pump=pump) @ self.emission

    def initialise(self, *, pump: float, duration: float, start: Any = None, wait: float = 0.0) -> np.ndarray:
        """Ground-state populations after a laser pulse.

        Parameters
        ----------
        pump, duration : float
            Pump rate (1/s) and length (s) of the pulse.
        start : array_like, (3,) or (n,), optional
            Populations before it; one third in each ground level by default.
        wait : float
            Darkness after the pulse in which spins relax (s). What is still above the ground state
            at its end is counted where it will fall.

        Returns
        -------
        ndarray, (3,)
            m_s = +1, 0, -1; they sum to 1.

        Examples
        --------
        >>> from vbsense.sims.light.cycle_presets import optical_cycle
        >>> optical_cycle("baber2022").initialise(pump=1e6, duration=20e-6).round(3).tolist()
        [0.21, 0.58, 0.21]
        """
        before = self._all_levels([1 / 3] * 3 if start is None else start)
        if before.ndim != 1:
            raise ValueError(f"start has shape {before.shape}; initialise takes one set of populations")
        p = self.evolve(before, [float(check_times("duration", duration))], pump=pump)[0]
        p = self.evolve(p / p.sum(), [float(check_times("wait", wait))], pump=0.0)[0]
        ground = p[self.ground_index] + np.delete(p, self.ground_index) @ self._falls
        return ground / ground.sum()

    def readout(self, populations: Any, *, pump: float, gate: float) -> np.ndarray:
        """Photons emitted from the moment the laser goes on.

        Parameters
        ----------
        populations : array_like, (..., 3)
            Of the ground state when the laser goes on: m_s = +1, 0, -1; they sum to 1.
        pump : float
            Pump rate (1/s).
        gate : float
            Length of the window, which opens with the laser (s).

        Returns
        -------
        ndarray, (...)
            Photons per defect, emitted, not detected.

        Raises
        ------
        ValueError
            If populations do not sum to 1, or a number is negative, not finite, or not in SI units.

        Examples
        --------
        >>> from vbsense.sims.light.cycle_presets import optical_cycle
        >>> bright, dark = optical_cycle("baber2022").readout([[0, 1, 0], [1, 0, 0]], pump=1e6, gate=300e-9)
        >>> round(float(dark / bright), 3)
        0.553
        """
        populations = check_populations(populations, (3,))
        gate = float(check_times("gate", gate))
        weights = (self.emission @ self._propagator(pump).integral(gate))[self.ground_index]
        return populations @ weights

    def table(self) -> str:
        """The table of rates with its sources, one line for each.

        Examples
        --------
        >>> from vbsense.sims.light.cycle_presets import optical_cycle
        >>> print(optical_cycle("baber2022").table().splitlines()[0])
        g+1 -> e+1  pump  1         spin-conserving excitation; factor on the pump rate
        """
        return "\n".join(f"{r.start} -> {r.end}  {r.kind:5s} {r.value:<9.4g} {r.source}" for r in self.rates)

    def _propagator(self, pump: float) -> Propagator:
        return Propagator(generator(self.rate_matrix(check_pump(pump))))

    def _all_levels(self, populations: Any) -> np.ndarray:
        given = check_populations(populations, (3, len(self.levels)))
        if given.shape[-1] == len(self.levels):
            return given
        full = np.zeros((*given.shape[:-1], len(self.levels)))
        full[..., self.ground_index] = given
        return full

    @cached_property
    def _falls(self) -> np.ndarray:
        """Probability that each level above falls into each ground level in darkness, ``(n - 3, 3)``."""
        above = np.delete(np.arange(len(self.levels)), self.ground_index)
        M = generator(self.rate_matrix(0.0))
        try:
            falls = np.linalg.solve(-M[np.ix_(above, above)].T, M[np.ix_(self.ground_index, above)].T)
        except np.linalg.LinAlgError:
            raise ValueError(f"{self.name!r} has a level above the ground state that is never left") from None
        return falls
