"""The plan of a sweep: what will be done, checked and costed before anything moves."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vbsense.instruments.limits import Limits, checked
from vbsense.layout import LayoutError, check_frequency

__all__ = ["Plan", "Point"]

ORDERS = ("palindrome", "up")
OVERHEAD = 1e-3  # s per frame: readout, trigger, storage
RECORD = 128  # bytes around a frame in the spool


class Point(NamedTuple):
    """One point of a list: 0 up or 1 down, index into the ascending frequencies, 1 drive on or 0 reference."""

    direction: int
    frequency: int
    drive: int


@dataclass(frozen=True)
class Plan:
    """What will be acquired.

    Parameters
    ----------
    frequency : tuple of float
        Ascending (Hz).
    exposure : float
        Of one frame (s).
    power : float
        At the source (dBm).
    currents : sequence of float
        Empty, one current, or +I and -I in the order in which they are taken (A).
    averages : int
        Number of sweeps.
    order : {"palindrome", "up"}
        A palindrome goes up and comes back down, which cancels linear drift and a trigger that is off
        by one point; it costs no frame.
    reference : bool
        Take every point a second time with the drive off.
    seed : int, optional
        Of a simulated rig.

    Examples
    --------
    >>> plan = Plan((3.4e9, 3.5e9, 3.6e9), exposure=0.01, power=0.0, currents=(1e-3, -1e-3), averages=5)
    >>> plan.frames, [point.frequency for point in plan.points()]
    (60, [0, 1, 2, 2, 1, 0])
    """

    frequency: tuple[float, ...]
    exposure: float
    power: float
    currents: Sequence[float] = ()
    averages: int = 1
    order: str = "palindrome"
    reference: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        try:
            values = check_frequency(np.asarray(self.frequency, dtype=float))
        except TypeError as error:
            raise ValueError(f"frequency is {self.frequency!r}; give ascending frequencies in Hz") from error
        except LayoutError as error:
            raise ValueError(str(error)) from error
        object.__setattr__(self, "frequency", tuple(values.tolist()))
        object.__setattr__(self, "currents", _currents(self.currents))
        checked("exposure", self.exposure, 1e-6, 3600.0, "s")
        checked("power", self.power, -200.0, 60.0, "dBm")
        if isinstance(self.averages, bool) or not isinstance(self.averages, (int, np.integer)) or self.averages < 1:
            raise ValueError(f"averages is {self.averages!r}; it must be a whole number from 1")
        if self.order not in ORDERS:
            raise ValueError(f"order is {self.order!r}; it is one of {', '.join(ORDERS)}")

    @property
    def polarities(self) -> list[int]:
        """Signs of the current in the order in which they are taken; empty without current."""
        return [1 if current > 0 else -1 for current in self.currents]

    @property
    def directions(self) -> list[str]:
        """Ways through the frequencies."""
        return ["up", "down"] if self.order == "palindrome" else ["up"]

    def points(self) -> list[Point]:
        """The list of one pass in the order in which it is stepped through.

        The reference comes after all points with the drive on: if the two alternated, a trigger that is
        off by one would swap them; like this it mixes up one point at the edge.
        """
        up = range(len(self.frequency))
        ways = [list(up), list(reversed(up))][: len(self.directions)]
        drives = (1, 0) if self.reference else (1,)
        return [Point(way, k, drive) for drive in drives for way, indices in enumerate(ways) for k in indices]

    @property
    def frames(self) -> int:
        """Frames of all sweeps, without the first one of each pass, which is not kept."""
        return self.averages * max(len(self.currents), 1) * len(self.points())

    @property
    def seconds(self) -> float:
        """Expected duration, ramps and programming left out (s)."""
        passes = self.averages * max(len(self.currents), 1)
        return (self.frames + passes) * (self.exposure + OVERHEAD)

    def bytes(self, shape: tuple[int, int]) -> int:
        """Expected size of the spool and of the file made from it."""
        pixels = shape[0] * shape[1]
        averaged = self.frames // self.averages * pixels * 4
        return self.frames * (2 * pixels + RECORD) + averaged + (1 << 16)

    def check(self, limits: Limits) -> None:
        """Raise ValueError if anything is beyond the limits of the rig; the message names value, limit and unit."""
        for k in (0, -1):
            checked("frequency", self.frequency[k], *limits.frequency, "Hz")
        checked("power", self.power, -200.0, limits.power, "dBm")
        for current in self.currents:
            checked("current", current, -limits.current, limits.current, "A")

    def check_disk(self, folder: Path, shape: tuple[int, int]) -> None:
        """Raise OSError if less than 1.2 times the expected bytes are free where `folder` will be."""
        existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
        free, needed = shutil.disk_usage(existing).free, math.ceil(1.2 * self.bytes(shape))
        if free < needed:
            raise OSError(
                f"{free / 1e6:.0f} MB are free in {existing}; this sweep needs {needed / 1e6:.0f} MB: "
                "make space, choose another folder or take fewer averages"
            )

    def as_dict(self) -> dict[str, Any]:
        """For the file."""
        return asdict(self) | {"frames": self.frames, "seconds": self.seconds}


def _currents(values: Sequence[float]) -> tuple[float, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"currents is {values!r}; give a list: empty, one current, or +I and -I in ampere")
    values = tuple(checked(f"currents[{k}]", value, -1e3, 1e3, "A") for k, value in enumerate(values))
    if len(values) > 2 or 0.0 in values:
        raise ValueError(f"currents is {values}; give none, one current, or +I and -I in ampere")
    if len(values) == 2 and values[0] != -values[1]:
        raise ValueError(f"currents is {values}; two currents must be +I and -I")
    return values
