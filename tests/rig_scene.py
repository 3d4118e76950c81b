"""A small scene for the tests of the rig: two dips that the current shifts, seen by a noisy camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

LINES = (3.2e9, 3.6e9)  # Hz, without current
SHIFT = 10e9  # Hz/A, lower line down, upper line up
WIDTH = 30e6  # Hz, full width at half maximum
DEPTH = 0.1
RATE = 2e6  # electrons/s and pixel


@dataclass(frozen=True)
class SmallCamera:
    """What a camera says of itself."""

    gain: float = 0.5
    offset: float = 100.0
    read_noise: float = 1.5
    maximum: int = 65535


@dataclass(frozen=True)
class SmallScene:
    """A `vbsense.scene.Scene` with a brightness gradient; noise can be left out."""

    shape: tuple[int, int] = (24, 32)
    noise: bool = True
    rate_scale: float = 1.0
    pixel_size: float = 1e-7
    camera: SmallCamera = field(default_factory=SmallCamera)
    recipe: tuple[str, dict[str, Any]] | None = None

    @property
    def attributes(self) -> dict[str, Any]:
        """What a station file would say."""
        return {"bias_field": [0.0, 0.0, 0.01], "drive": [1.0, 0.0, 0.0]}

    def rate(self, frequency, *, power, current, laser=1.0, temperature=None, shift=(0.0, 0.0)):
        """Electrons per second."""
        light = RATE * self.rate_scale * laser * np.linspace(0.8, 1.2, self.shape[1]) * np.ones(self.shape)
        if frequency is None:
            return light
        strength = 1 / (1 + 10 ** (-power / 10))
        for line, sign in zip(LINES, (-1, 1), strict=True):
            light = light * (
                1 - DEPTH * strength / (1 + (2 * (frequency - line - sign * SHIFT * current) / WIDTH) ** 2)
            )
        return light

    def expose(self, rate, seconds, rng):
        """Counts of one frame."""
        electrons = rate * seconds
        if self.noise:
            electrons = rng.poisson(electrons) + rng.normal(0, self.camera.read_noise, rate.shape)
        counts = np.rint(electrons / self.camera.gain + self.camera.offset)
        return np.clip(counts, 0, self.camera.maximum).astype(np.uint16)


def small_scene(*, shape=(24, 32), noise=True, rate_scale=1.0) -> SmallScene:
    """Make the scene, with a recipe for a process of its own."""
    recipe = ("rig_scene:small_scene", {"shape": list(shape), "noise": noise, "rate_scale": rate_scale})
    return SmallScene(shape=tuple(shape), noise=noise, rate_scale=rate_scale, recipe=recipe)
