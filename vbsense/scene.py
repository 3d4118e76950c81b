"""What a scene is: the one thing that simulations and the simulated rig are handed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

__all__ = ["Scene"]


@runtime_checkable
class Scene(Protocol):
    """What a camera looks at, camera included; it is handed to simulations and to the simulated rig.

    ``rate`` may be called with any arguments in any order and must not change the scene;
    ``expose`` draws the noise of one frame from the generator that it is given.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (y) and columns (x)."""

    @property
    def pixel_size(self) -> float:
        """On the sample (m)."""

    @property
    def camera(self) -> Any:
        """With gain (electron/count), offset (count), read_noise (electron) and maximum (count)."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What a station file would say: bias_field, drive, sensor_array, ... (see `vbsense.layout.ATTRIBUTES`)."""

    @property
    def recipe(self) -> tuple[str, dict[str, Any]] | None:
        """Factory as "module:name" and its JSON arguments, to build the scene anew elsewhere; None if it has none."""

    def rate(
        self,
        frequency: float | None,
        *,
        power: float,
        current: float,
        laser: float = 1.0,
        temperature: float | None = None,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> np.ndarray:
        """Electrons per second of every pixel, ``(y, x)``; `frequency` None means that the drive is off."""

    def expose(self, rate: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
        """One frame as the camera gives it, ``(y, x)`` uint16 counts."""
