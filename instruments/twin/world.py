"""The world that the simulated instruments share: time, light, and the wires between them."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from vbsense.scene import Scene

__all__ = ["Drive", "World"]


class Drive(NamedTuple):
    """What a microwave source radiates: Hz or None when off, dBm, and what it was before its last step."""

    frequency: float | None
    power: float
    before: tuple[float | None, float] = (None, 0.0)
    stepped: float = -np.inf  # world time of the last step, s


class Source(Protocol):
    """A microwave source on the bench."""

    def drive(self) -> Drive:
        """What it radiates now."""

    def trigger(self, edge: str) -> None:
        """An edge, "POS" or "NEG", at its trigger input."""


class Supply(Protocol):
    """A current source on the bench."""

    def current(self) -> float:
        """What flows now (A)."""


class World:
    """Time, the scene, and the wiring; everything that the instruments do passes through here.

    Parameters
    ----------
    scene : Scene
        What the camera looks at.
    seed : int
        Of the noise. Frame k of sequence n has the same noise in every run.
    settling : float
        Time that the source needs after a step, in which it still radiates what it did before (s).
    laser_drift : float
        Relative change of the laser power per second (1/s).
    inverted_trigger : bool
        An inverter in the trigger cable: the source sees the edges the wrong way round.
    readout : float
        Dead time between two exposures (s).
    wall_clock : bool
        Let exposures take the time that they say, instead of a virtual clock.
    log : path-like, optional
        File for one JSON line per event.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        seed: int = 0,
        settling: float = 0.0,
        laser_drift: float = 0.0,
        inverted_trigger: bool = False,
        readout: float = 2e-4,
        wall_clock: bool = False,
        log: str | Path | None = None,
    ) -> None:
        self.scene, self.seed = scene, seed
        self.settling, self.laser_drift = settling, laser_drift
        self.inverted, self.readout, self.wall_clock = inverted_trigger, readout, wall_clock
        self.time = 0.0
        self.lock = threading.RLock()
        self.source: Source | None = None
        self.supply: Supply | None = None
        self._log = open(log, "a", encoding="utf-8", buffering=1) if log else None

    def event(self, instrument: str, what: str, **details: Any) -> None:
        """Write down what happened, with wall time and world time."""
        if self._log is not None:
            entry = {"wall": time.time(), "time": self.time, "instrument": instrument, "what": what} | details
            self._log.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Close the file of events."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def advance(self, seconds: float) -> float:
        """Let time pass and return it (s)."""
        with self.lock:
            self.time += seconds
            now = self.time
        if self.wall_clock:
            time.sleep(seconds)
        return now

    def expose(self, seconds: float, sequence: int, k: int) -> tuple[np.ndarray, float]:
        """Exposure `k` of a sequence: counts ``(y, x)`` and its start (s).

        The exposure output goes up, light is collected from what all instruments do at this moment,
        the output goes down. The noise is drawn after the lock is given back: somebody who wants to
        switch an output off does not wait for it.
        """
        with self.lock:
            self._edge("POS")
            start, drive = self.time, self.source.drive() if self.source else Drive(None, 0.0)
            current = self.supply.current() if self.supply else 0.0
        self.advance(seconds)
        with self.lock:
            self._edge("NEG")
        self.advance(self.readout)
        rate = self._rate(drive, current, start, seconds)
        return self.scene.expose(rate, seconds, np.random.default_rng((self.seed, sequence, k))), start

    def _edge(self, edge: str) -> None:
        if self.source is not None:
            self.source.trigger({"POS": "NEG", "NEG": "POS"}[edge] if self.inverted else edge)

    def _rate(self, drive: Drive, current: float, start: float, seconds: float) -> np.ndarray:
        """Electrons per second during an exposure, the settling of the source included."""
        laser = 1.0 + self.laser_drift * start
        rate = self.scene.rate(drive.frequency, power=drive.power, current=current, laser=laser)
        lag = min(max((drive.stepped + self.settling - start) / seconds, 0.0), 1.0)
        if lag == 0.0:
            return rate
        frequency, power = drive.before
        return (1 - lag) * rate + lag * self.scene.rate(frequency, power=power, current=current, laser=laser)
