"""The door behind the stage: time, faults and truth of a running world, as JSON lines. No instrument has it."""

from __future__ import annotations

import json
from typing import Any

from vbsense.instruments.twin.faults import Faults
from vbsense.instruments.twin.world import World

__all__ = ["Control"]


class Control:
    """Answers ``{"wait": seconds}``, ``{"fault": {...}}`` and ``{"state": true}``."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world, self.faults = world, faults

    def execute(self, message: str) -> str:
        """Carry out one request and return its answer."""
        try:
            return json.dumps(self._answer(json.loads(message)))
        except (ValueError, TypeError, KeyError) as error:
            return json.dumps({"error": f"{type(error).__name__}: {error}"})

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "wait" in request:
            return {"time": self.world.advance(float(request["wait"]))}
        if "fault" in request:
            self.faults.add(**request["fault"])
        return self._state()

    def _state(self) -> dict[str, Any]:
        world = self.world
        with world.lock:
            drive = world.source.drive() if world.source else None
            return {
                "time": world.time,
                "frequency": drive.frequency if drive else None,
                "power": drive.power if drive else None,
                "current": world.supply.current() if world.supply else 0.0,
                "faults": self.faults.as_list(),
            }
