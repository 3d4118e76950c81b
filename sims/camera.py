"""Noise of a camera, written once: simulated sweeps and the simulated rig both use it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Camera"]


@dataclass(frozen=True)
class Camera:
    """A scientific camera: shot noise, dark current, hot pixels, read noise, full well, quantisation.

    Parameters
    ----------
    gain : float
        Electrons per count.
    offset : float
        Dark level (counts).
    read_noise : float
        One sigma of a read-out (electron).
    dark_current : float
        Electrons per second and pixel.
    full_well : float
        Electrons at which a pixel saturates.
    hot_pixels : float
        Fraction of pixels whose dark current is a thousand times higher.
    seed : int
        Which pixels those are.

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

    def __post_init__(self) -> None:
        for name in ("gain", "full_well"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be a positive number")
        for name in ("offset", "read_noise", "dark_current"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be a number, 0 or more")
        if not 0 <= self.hot_pixels <= 1:
            raise ValueError(f"hot_pixels is {self.hot_pixels!r}; it is a fraction from 0 to 1")

    @property
    def maximum(self) -> int:
        """Count at which a pixel is saturated."""
        return int(min(self.offset + self.full_well / self.gain, 65535))

    def dark(self, shape: tuple[int, int]) -> np.ndarray:
        """Dark electrons per second of every pixel, ``(y, x)``."""
        dark = np.full(shape, self.dark_current)
        if self.hot_pixels:
            dark[np.random.default_rng(self.seed).random(shape) < self.hot_pixels] *= 1000
        return dark

    def expose(self, rate: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
        """One frame.

        Parameters
        ----------
        rate : ndarray, (y, x)
            Electrons per second from the light.
        seconds : float
            Exposure time (s).
        rng : numpy.random.Generator
            Source of the noise.

        Returns
        -------
        ndarray of uint16, (y, x)
            Counts.
        """
        electrons = rng.poisson((rate + self.dark(rate.shape)) * seconds)
        # The noise comes first: a full pixel reads exactly `maximum`, so that it can be told.
        counts = np.minimum(electrons + rng.normal(0, self.read_noise, rate.shape), self.full_well) / self.gain
        return np.clip(np.rint(counts + self.offset), 0, self.maximum).astype(np.uint16)
