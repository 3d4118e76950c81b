"""What is measured of a scene, as a forecast needs it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """A measurement: what `vbsense.sims.simulate_sweep` takes, and the model of the fit."""

    frequency: np.ndarray
    exposure: float
    power: float
    averages: int
    currents: Any
    model: str
    reference: bool = False

    @cached_property
    def polarities(self) -> int:
        return 1 if self.currents is None else 2

    @cached_property
    def seconds(self) -> float:
        """Exposure time of the whole measurement."""
        return self.exposure * self.averages * self.frequency.size * self.polarities * (2 if self.reference else 1)

    def current(self, scene: Any) -> float:
        if self.currents is not None:
            values = np.asarray(self.currents)
            number = values.shape == (2,) and values.dtype.kind in "fiu" and bool(np.isfinite(values).all())
            if not (number and values[0] == -values[1] and values[0] > 0):
                raise ValueError(
                    f"currents are {self.currents!r}; give +I and -I in amperes, for example (1e-3, -1e-3)"
                )
            return float(values[0])
        return float(getattr(getattr(scene, "conductor", None), "current", 0.0))

    def defect(self, scene: Any) -> Defect:
        return getattr(scene, "defect", VB14N)
