"""A sensor with read-out: shot noise, dark current, fixed patterns, read noise, full well, quantisation."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from vbsense.sims.camera.checks import check_fields
from vbsense.sims.camera.sensor import DARK, Sensor, expose

__all__ = ["Camera"]


@dataclass(frozen=True)
class Camera:
    """A scientific camera (CCD or sCMOS): electrons are counted as they are.

    Parameters
    ----------
    gain : float
        Electrons per count.
    offset : float
        Dark level (counts).
    read_noise : float
        One sigma of a read-out (electron); the median over the pixels if they differ.
    dark_current : float
        Electrons per second and pixel.
    full_well : float
        Electrons at which a pixel saturates.
    hot_pixels : float
        Fraction of pixels whose dark current is a thousand times higher.
    seed : int
        Which sensor: where its hot and dead pixels are, and how its pixels differ.
    read_noise_spread : float, keyword only
        Standard deviation of the logarithm of the read noise over the pixels (1): 0 for a CCD, whose pixels share
        one amplifier.
    response_spread : float, keyword only
        Standard deviation of the response to light over the pixels (1), whose mean is 1.
    dead_pixels : float, keyword only
        Fraction of pixels that see no light.
    bits : int, keyword only
        Of the converter: counts reach ``2**bits - 1``; at most 16.

    Examples
    --------
    >>> camera = Camera()
    >>> frame = camera.expose(np.full((4, 5), 1000.0), 1.0, np.random.default_rng(1))
    >>> frame.dtype, frame.shape
    (dtype('uint16'), (4, 5))
    """

    gain: float = 2.0
    offset: float = 100.0
    read_noise: float = 5.0
    dark_current: float = 1.0
    full_well: float = 120e3
    hot_pixels: float = 0.0
    seed: int = 0
    _: KW_ONLY
    read_noise_spread: float = 0.0
    response_spread: float = 0.0
    dead_pixels: float = 0.0
    bits: int = 16

    def __post_init__(self) -> None:
        check_fields(
            self,
            positive="gain full_well",
            not_negative="offset read_noise dark_current read_noise_spread",
            fraction="hot_pixels dead_pixels response_spread",
        )

    @property
    def maximum(self) -> int:
        """Count at which a pixel is saturated."""
        return self._sensor.maximum

    @property
    def excess_noise(self) -> float:
        """Variance of the detected signal over its Poisson variance: 1."""
        return 1.0

    @property
    def read_noise_rms(self) -> float:
        """Root mean square of the read noise over the pixels (electron): what an average spectrum has."""
        return float(self.read_noise * np.exp(self.read_noise_spread**2))

    @property
    def _sensor(self) -> Sensor:
        return Sensor(
            self.gain, self.offset, self.read_noise, self.read_noise_spread, self.dark_current, self.full_well,
            self.hot_pixels, self.dead_pixels, self.response_spread, self.seed, self.bits,
        )  # fmt: skip

    def dark(self, shape: tuple[int, int], *, at: tuple[int, int] = (0, 0)) -> np.ndarray:
        """Dark electrons per second of every pixel of the block at row and column `at`, ``(y, x)``."""
        return self._sensor.patterns(shape, at)[DARK].copy()

    def expose(
        self, rate: np.ndarray, seconds: float, rng: np.random.Generator, *, at: tuple[int, int] = (0, 0)
    ) -> np.ndarray:
        """One frame, or several.

        Parameters
        ----------
        rate : ndarray, (..., y, x)
            Electrons per second from the light; leading dimensions are frames.
        seconds : float
            Exposure time (s).
        rng : numpy.random.Generator
            Source of the noise.
        at : (int, int)
            Row and column of the first pixel on the sensor: fixed patterns belong to the sensor, not to the block.

        Returns
        -------
        ndarray of uint16, (..., y, x)
            Counts.

        Raises
        ------
        ValueError
            If a rate is negative or not finite, or an argument is not as above.
        """
        return expose(self._sensor, rate, seconds, rng, at)
