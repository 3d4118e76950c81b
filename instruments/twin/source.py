"""The simulated microwave source: the LIST tree of an R&S SMx, with its trigger input."""

from __future__ import annotations

from typing import Any

from vbsense.instruments.twin.scpi import Choice, Device, Number, ScpiError, Switch
from vbsense.instruments.twin.world import Drive, World

__all__ = ["SimulatedSMx"]

FREQUENCY = Number(9e3, 6e9, "Hz", 1e9)
POWER = Number(-145.0, 30.0, "dBm", -30.0)
LONGEST_LIST = 10_000


class SimulatedSMx(Device):
    """Microwave source; its settings are those of a fresh instrument, output off.

    Parameters
    ----------
    world : World
        Where its radiation goes and its triggers come from.
    first_trigger : {"first", "second"}
        Point to which the first trigger after ``LIST:RES`` leads: models and firmware differ.
    """

    def __init__(self, world: World, *, first_trigger: str = "first") -> None:
        if first_trigger not in ("first", "second"):
            raise ValueError(f"first_trigger is {first_trigger!r}; it is 'first' or 'second'")
        super().__init__("Rohde&Schwarz,SMB100A,1406.6000k03/100001,3.1.19.15", world.lock)
        self.world, self._start = world, -1 if first_trigger == "first" else 0
        self._point, self._stepped, self._learnt = self._start, float("-inf"), False
        self._before: tuple[float | None, float] = (None, 0.0)
        self.frequencies: list[float] = []
        self.powers: list[float] = []
        self._declare()

    def _declare(self) -> None:
        self.setting("frequency", "[:SOURce]:FREQuency[:CW]", FREQUENCY)
        self.setting("power", "[:SOURce]:POWer[:LEVel][:IMMediate][:AMPLitude]", POWER)
        self.setting("power_limit", "[:SOURce]:POWer:LIMit[:AMPLitude]", Number(-145, 30, "dBm", 30))
        self.setting("output", ":OUTPut[:STATe]", Switch())
        self.setting("mode", "[:SOURce]:FREQuency:MODE", Choice(("CW", "FIXed", "SWEep", "LIST")))
        self.setting("list_mode", "[:SOURce]:LIST:MODE", Choice(("AUTO", "STEP")))
        trigger = Choice(("AUTO", "IMMediate", "SINGle", "BUS", "EXTernal"))
        self.setting("trigger", "[:SOURce]:LIST:TRIGger:SOURce", trigger)
        self.setting("slope", "[:SOURce]:INPut:TRIGger:SLOPe", Choice(("POSitive", "NEGative")))
        self.setting("dwell", "[:SOURce]:LIST:DWELl", Number(5e-4, 100.0, "s", 0.01))
        self.setting("display", ":SYSTem:DISPlay:UPDate", Switch(True))
        self.action("[:SOURce]:LIST:SELect", self._select)
        self.action("[:SOURce]:LIST:FREQuency", lambda p: self._load("frequencies", p, FREQUENCY))
        self.action("[:SOURce]:LIST:POWer", lambda p: self._load("powers", p, POWER))
        self.action("[:SOURce]:LIST:FREQuency:POINts?", lambda _: str(len(self.frequencies)))
        self.action("[:SOURce]:LIST:POWer:POINts?", lambda _: str(len(self.powers)))
        self.action("[:SOURce]:LIST:LEARn", self._learn)
        self.action("[:SOURce]:LIST:RESet", lambda _: self._reset())
        self.action("*RST", lambda _: self._preset())

    def _select(self, parameters: list[str]) -> None:
        if len(parameters) != 1 or parameters[0][:1] not in "'\"":
            raise ScpiError(-104, "file name in quotes")
        self.frequencies, self.powers, self._learnt = [], [], False

    def _load(self, name: str, parameters: list[str], kind: Number) -> None:
        if not 1 <= len(parameters) <= LONGEST_LIST:
            raise ScpiError(-109 if not parameters else -222, f"{len(parameters)} points")
        setattr(self, name, [kind.read(text) for text in parameters])
        self._learnt = False

    def _learn(self, _: list[str]) -> None:
        if not self.frequencies or len(self.powers) not in (1, len(self.frequencies)):
            raise ScpiError(-221, f"{len(self.frequencies)} frequencies, {len(self.powers)} powers")
        self._learnt = True
        self.world.event("source", "list", points=len(self.frequencies))

    def _reset(self) -> None:
        self._point = self._start

    def _preset(self) -> None:
        self.change("output", False)
        self.values.update(frequency=FREQUENCY.default, power=POWER.default, mode="CW")

    def change(self, name: str, value: Any) -> None:
        """Take a setting; a list that was not learnt cannot run, and POW:LIM guards the CW power only."""
        if name == "mode" and value == "LIST" and not self._learnt:
            raise ScpiError(-221, "list not learnt")
        if name == "power" and value > self.values["power_limit"]:
            raise ScpiError(-222, f"{value:g} dBm above the limit")
        changed = self.values[name] != value
        super().change(name, value)
        if name == "output" and changed:
            self.world.event("source", "output on" if value else "output off")

    def drive(self) -> Drive:
        """What it radiates now."""
        frequency, power = self._now()
        return Drive(frequency, power, self._before, self._stepped)

    def _now(self) -> tuple[float | None, float]:
        if not self.values["output"]:
            return None, self.values["power"]
        if self.values["mode"] != "LIST":
            return self.values["frequency"], self.values["power"]
        k = max(self._point, 0)
        return self.frequencies[k], self.powers[k if len(self.powers) > 1 else 0]

    def trigger(self, edge: str) -> None:
        """Step the list if this edge is the one that counts; after the last point comes the first."""
        settings = self.values
        running = settings["mode"] == "LIST" and settings["list_mode"] == "STEP" and settings["trigger"] == "EXT"
        if running and edge == settings["slope"]:
            self._before, self._stepped = self._now(), self.world.time
            self._point = (self._point + 1) % len(self.frequencies)
