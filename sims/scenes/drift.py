"""Slow changes during a measurement: laser power and stage, as functions of time.

Noise is a sum of waves of random phase whose frequencies are spread evenly over the decades. It has a
value at every time, whoever asks for which times in which order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vbsense.sims.scenes.checks import check_not_negative, check_number, check_pair, check_seed

__all__ = ["Drift"]

_BAND = (1e-6, 1e3)  # Hz: from days to milliseconds
_PER_DECADE = 16


@dataclass(frozen=True)
class Drift:
    """Laser power and position of the sample against time.

    Parameters
    ----------
    laser_slope : float
        Relative change of the laser power per second (1/s).
    laser_noise : float
        1/f noise of the laser power: relative rms in every decade of frequency from 1 uHz to 1 kHz.
    stage : (float, float)
        Velocity of the sample under the camera in x and y (m/s).
    stage_noise : float
        Random walk of the sample: rms after one second along x and along y (m); grows as the root of time.
    seed : int
        Of the noise.

    Examples
    --------
    >>> drift = Drift(laser_slope=-1e-5, stage=(1e-9, 0))
    >>> drift.laser([0, 1000]).round(6).tolist(), drift.shift(100.0).round(9).tolist()
    ([1.0, 0.99], [1e-07, 0.0])
    """

    laser_slope: float = 0.0
    laser_noise: float = 0.0
    stage: tuple[float, float] = (0.0, 0.0)
    stage_noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_pair(self, "stage", "m/s")
        check_number(self, "laser_slope", "1/s")
        check_seed(self)
        check_not_negative(self, "laser_noise", "a relative rms per decade")
        check_not_negative(self, "stage_noise", "metres after one second")

    def laser(self, t: Any) -> np.ndarray:
        """Laser power relative to that at t = 0.

        Parameters
        ----------
        t : array_like, (...)
            Time (s).

        Returns
        -------
        ndarray, (...)

        Raises
        ------
        ValueError
            If it is not above zero at one of these times.
        """
        t = _times(t)
        power = 1 + self.laser_slope * t
        if self.laser_noise:
            power = power + self.laser_noise / np.sqrt(np.log(10)) * self._waves[0].at(t)
        if not (power > 0).all():
            raise ValueError(
                f"the laser power reaches {power.min():.3g} of its start at t = {t.flat[power.argmin()]:.4g} s; give a "
                "smaller laser_slope or laser_noise"
            )
        return power

    def shift(self, t: Any) -> np.ndarray:
        """Position of the sample under the camera relative to that at t = 0.

        Parameters
        ----------
        t : array_like, (...)
            Time (s).

        Returns
        -------
        ndarray, (..., 2)
            Along x and y (m).
        """
        t = _times(t)
        shift = t[..., None] * np.array(self.stage)
        if self.stage_noise:
            # One-sided spectral density of a random walk: d^2 / (2 pi^2 f^2).
            walk = np.stack([wave.at(t) for wave in self._waves[1:]], -1)
            shift = shift + self.stage_noise / (np.sqrt(2) * np.pi) * walk
        return shift

    @cached_property
    def _waves(self) -> tuple[_Waves, _Waves, _Waves]:
        rng = np.random.default_rng([self.seed, 24])
        return _Waves.draw(1.0, rng), _Waves.draw(2.0, rng), _Waves.draw(2.0, rng)


@dataclass(frozen=True, eq=False)
class _Waves:
    """Noise of spectral density 1/f^n, which starts at zero."""

    frequency: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray

    @classmethod
    def draw(cls, exponent: float, rng: np.random.Generator) -> _Waves:
        decades = np.log10(_BAND[1] / _BAND[0])
        edges = np.geomspace(*_BAND, round(decades * _PER_DECADE) + 1)
        frequency = edges[:-1] * (edges[1:] / edges[:-1]) ** rng.random(edges.size - 1)
        # The power of a band, at a frequency drawn in it evenly over the logarithm: f ln(ratio) S(f) on average.
        size = np.sqrt(frequency ** (1 - exponent) * np.log(edges[1] / edges[0]))
        cosine, sine = rng.normal(size=(2, frequency.size)) * size
        return cls(frequency, cosine, sine)

    def at(self, t: np.ndarray) -> np.ndarray:
        phase = 2 * np.pi * t[..., None] * self.frequency
        return ((np.cos(phase) - 1) * self.cosine + np.sin(phase) * self.sine).sum(-1)


def _times(t: Any) -> np.ndarray:
    t = np.asarray(t, dtype=float)
    if not np.isfinite(t).all():
        raise ValueError("t holds NaN or infinite times; give seconds")
    return t
