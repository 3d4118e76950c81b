"""What sensors with read-out have in common: three fixed patterns and one way to expose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from vbsense.sims.camera.checks import check_exposure, check_place, refuse_rate
from vbsense.sims.camera.pattern import normal, uniform
from vbsense.sims.camera.stream import kernel_state

__all__ = ["DARK", "READ_NOISE", "RESPONSE", "Sensor", "expose"]

RESPONSE, DARK, READ_NOISE = range(3)
_HOT, _DEAD, _LIGHT, _READ = range(4)  # kinds of patterns
HOT = 1000.0  # times the dark current
BLOCK = 4096  # pixels


@dataclass(frozen=True)
class Sensor:
    """All that an exposure needs, in electrons before any multiplication.

    Fields are those of `vbsense.sims.Camera`; with `multiply`, electrons go through a register whose output is
    gamma-distributed, and `spurious` ones per frame and pixel come from the clock.
    """

    gain: float
    offset: float
    read_noise: float
    read_noise_spread: float
    dark_current: float
    full_well: float
    hot_pixels: float
    dead_pixels: float
    response_spread: float
    seed: int
    bits: int
    multiply: bool = False
    spurious: float = 0.0

    @property
    def maximum(self) -> int:
        """Count at which a pixel is saturated."""
        return int(min(self.offset + self.full_well / self.gain, 2**self.bits - 1))

    def patterns(self, shape: Any, at: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Response (1), dark current (electron/s) and read noise (electron) of a block, ``(y, x)``, read only."""
        shape, at = check_place(shape, at)
        return (_of_a_block if shape[0] * shape[1] <= BLOCK else _of_a_frame)(self, shape, at)


def _patterns(sensor: Sensor, shape: tuple[int, int], at: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    response, dark, read_noise = np.ones(shape), np.full(shape, float(sensor.dark_current)), np.ones(shape)
    if sensor.response_spread:
        response = np.maximum(1 + sensor.response_spread * normal(sensor.seed, _LIGHT, shape, at), 0)
    if sensor.read_noise_spread:
        read_noise = np.exp(sensor.read_noise_spread * normal(sensor.seed, _READ, shape, at))
    if sensor.hot_pixels:
        dark[uniform(sensor.seed, _HOT, shape, at) < sensor.hot_pixels] *= HOT
    if sensor.dead_pixels:
        dead = uniform(sensor.seed, _DEAD, shape, at) < sensor.dead_pixels
        response[dead] = dark[dead] = 0
    found = response, dark, read_noise * sensor.read_noise
    for values in found:
        values.flags.writeable = False
    return found


_of_a_block = lru_cache(maxsize=64)(_patterns)  # a block is exposed many times, in several threads
_of_a_frame = lru_cache(maxsize=1)(_patterns)  # a simulated camera exposes one large shape for hours


def expose(sensor: Sensor, rate: Any, seconds: float, rng: np.random.Generator, at: Any) -> np.ndarray:
    """Counts of frames ``(..., y, x)`` uint16, see `vbsense.sims.Camera.expose`."""
    from vbsense.sims.camera._noise import PIECE, expose_pixels

    rate = check_exposure(rate, seconds)
    response, dark, read_noise = (pattern.ravel() for pattern in sensor.patterns(rate.shape[-2:], at))
    counts = np.empty(rate.shape, np.uint16)
    place = expose_pixels(
        rate.reshape(-1), response, dark, read_noise, float(seconds), sensor.spurious, sensor.gain, sensor.offset,
        sensor.full_well, float(sensor.maximum), sensor.multiply, kernel_state(rng), np.empty(3 * PIECE, np.uint64),
        np.empty(2 * PIECE), counts.reshape(-1),
    )  # fmt: skip
    refuse_rate(rate, place)
    return counts
