"""A sensor whose electrons are multiplied before they are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vbsense.sims.camera.checks import check_fields
from vbsense.sims.camera.sensor import DARK, Sensor, expose

__all__ = ["EMCCD"]

LEAST_GAIN = 10.0  # below it the gamma law of the register is wrong


@dataclass(frozen=True, kw_only=True)
class EMCCD:
    """An electron-multiplying CCD: single electrons stand out of the read noise, at the price of twice the shot noise.

    Parameters
    ----------
    em_gain : float
        Mean electrons behind the register for one before it; at least 10. A CCD whose register is off is a `Camera`.
    sensitivity : float
        Electrons behind the register per count.
    output_noise : float
        Read noise behind the register (electron).
    register_well : float
        Electrons behind the register at which it saturates.
    pixel_well : float
        Electrons at which a pixel saturates.
    offset : float
        Dark level (counts).
    dark_current : float
        Electrons per second and pixel, before the register.
    clock_induced : float
        Spurious electrons per frame and pixel, before the register.
    hot_pixels, dead_pixels, response_spread, seed, bits
        As for `vbsense.sims.Camera`.

    Notes
    -----
    n electrons leave a register of many weak stages as a number with the density x^(n-1) e^(-x/g) / ((n-1)! g^n),
    g the gain (A. G. Basden, C. A. Haniff and C. D. Mackay, Mon. Not. R. Astron. Soc. 345, 985 (2003)). The variance
    of a signal is then twice its Poisson variance (M. S. Robbins and B. J. Hadwen, IEEE Trans. Electron Devices 50,
    1227 (2003): 2 for a gain that is not small).

    Examples
    --------
    >>> camera = EMCCD(em_gain=200.0)
    >>> camera.gain == camera.sensitivity / 200, camera.excess_noise
    (True, 2.0)
    """

    em_gain: float = 300.0
    sensitivity: float = 15.0
    output_noise: float = 60.0
    register_well: float = 800e3
    pixel_well: float = 180e3
    offset: float = 200.0
    dark_current: float = 0.001
    clock_induced: float = 0.003
    hot_pixels: float = 0.0
    dead_pixels: float = 0.0
    response_spread: float = 0.0
    seed: int = 0
    bits: int = 16

    def __post_init__(self) -> None:
        check_fields(
            self,
            positive="em_gain sensitivity register_well pixel_well",
            not_negative="output_noise offset dark_current clock_induced",
            fraction="hot_pixels dead_pixels response_spread",
        )
        if self.em_gain < LEAST_GAIN:
            raise ValueError(f"em_gain is {self.em_gain!r}; it must be at least {LEAST_GAIN:g}: without it use Camera")

    @property
    def gain(self) -> float:
        """Electrons before the register per count."""
        return self.sensitivity / self.em_gain

    @property
    def read_noise(self) -> float:
        """One sigma of a read-out as electrons before the register."""
        return self.output_noise / self.em_gain

    @property
    def read_noise_rms(self) -> float:
        """The same: all pixels share one amplifier (electron)."""
        return self.read_noise

    @property
    def full_well(self) -> float:
        """Electrons before the register at which the first of pixel and register saturates."""
        return min(self.pixel_well, self.register_well / self.em_gain)

    @property
    def maximum(self) -> int:
        """Count at which a pixel is saturated."""
        return self._sensor.maximum

    @property
    def excess_noise(self) -> float:
        """Variance of the detected signal over its Poisson variance: 2."""
        return 2.0

    @property
    def _sensor(self) -> Sensor:
        return Sensor(
            self.gain, self.offset, self.read_noise, 0.0, self.dark_current, self.full_well, self.hot_pixels,
            self.dead_pixels, self.response_spread, self.seed, self.bits, True, self.clock_induced,
        )  # fmt: skip

    def dark(self, shape: tuple[int, int], *, at: tuple[int, int] = (0, 0)) -> np.ndarray:
        """Dark electrons per second of every pixel of the block at row and column `at`, ``(y, x)``."""
        return self._sensor.patterns(shape, at)[DARK].copy()

    def expose(
        self, rate: np.ndarray, seconds: float, rng: np.random.Generator, *, at: tuple[int, int] = (0, 0)
    ) -> np.ndarray:
        """One frame, or several, ``(..., y, x)`` uint16 counts; arguments and errors as `Camera.expose`."""
        return expose(self._sensor, rate, seconds, rng, at)
