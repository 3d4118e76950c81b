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

    A scene may have more, which `vbsense.sims.simulate_sweep` uses where it is there:

    - ``prepare(frequency, *, power, current, temperature=None)`` is called once, before threads ask for blocks: the
      place for expensive work. `frequency` is a sequence of Hz or None.
    - ``block_rates(frequency, rows, columns, *, power, current, laser=1.0, temperature=None, shift=(0.0, 0.0))`` gives
      the electrons per second of a block, ``(nf, rows, columns)``, the same as ``rate`` gives there. `rows` and
      `columns` are slices, `laser` is one number or (nf,), `shift` (2,) or (nf, 2) m. It is called from several
      threads at once.
    - ``truth(current)`` gives what a measurement should find: name, which begins with ``truth_``, to dimensions,
      values and unit. It is attached to the sweep.
    - ``drift`` is what the set-up does by itself while time passes: ``laser(t)`` and ``shift(t)``, see
      `vbsense.sims.Drift`. It is for who runs a measurement; the other functions are told laser and shift.
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
