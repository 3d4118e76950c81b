"""The simulated current source: a Yokogawa GS200, as far as QCoDeS's driver asks."""

from __future__ import annotations

from typing import Any

from vbsense.instruments.twin.scpi import Choice, Device, Number, ScpiError, Switch
from vbsense.instruments.twin.world import World

__all__ = ["SimulatedGS200"]

RANGES = {"CURR": (1e-3, 10e-3, 100e-3, 200e-3), "VOLT": (10e-3, 100e-3, 1.0, 10.0, 30.0)}  # A, V
OVERRANGE = 1.2  # a range reaches 20 % beyond its name


class SimulatedGS200(Device):
    """Voltage and current source; the wire of the scene has 50 ohm if somebody applies a voltage.

    Parameters
    ----------
    world : World
        Where its current flows.
    """

    def __init__(self, world: World) -> None:
        super().__init__("YOKOGAWA,GS210,91S000001,2.02", world.lock)
        self.world = world
        self.setting("function", "[:SOURce]:FUNCtion", Choice(("VOLTage", "CURRent")))
        self.setting("range", "[:SOURce]:RANGe", Number(0.0, 30.0, "", 10.0))
        self.setting("level", "[:SOURce]:LEVel[:FIXed]", Number(-36.0, 36.0, "A", 0.0))
        self.setting("output", ":OUTPut[:STATe]", Switch())
        self.setting("voltage_limit", "[:SOURce]:PROTection:VOLTage", Number(1, 30, "V", 30))
        self.setting("current_limit", "[:SOURce]:PROTection:CURRent", Number(1e-3, 0.2, "A", 0.2))
        self.setting("four_wire", ":SENSe:REMote", Switch())
        self.setting("guard", ":SENSe:GUARd", Switch())
        self.setting("bnc_out", ":ROUTe:BNCOut", Choice(("TRIGger", "OUTPut", "READy")))
        self.setting("bnc_in", ":ROUTe:BNCIn", Choice(("TRIGger", "OUTPut")))
        self.setting("interval", ":PROGram:INTerval", Number(0.1, 3600, "s", 1.0))
        self.setting("slope", ":PROGram:SLOPe", Number(0.0, 3600, "s", 1.0))
        self.setting("repeat", ":PROGram:REPeat", Switch())
        self.setting("count", ":PROGram:COUNt", Number(1, 10000, "", 1))
        self.action("[:SOURce]:LEVel:AUTO", self._auto)
        self.action(":PROGram:LOAD?", lambda _: '""')
        self.action(":SYSTem:LFRequency?", lambda _: "50")
        self.action(":STATus:EVENt?", lambda _: "0")
        self.action(":STATus:CONDition?", lambda _: "0")
        self.action("*RST", lambda _: self._preset())

    def _preset(self) -> None:
        self.change("output", False)
        self.values.update(function="VOLT", range=10.0, level=0.0)

    def _auto(self, parameters: list[str]) -> None:
        level = Number(-36.0, 36.0, "A").read(parameters[0] if parameters else "")
        fitting = [value for value in RANGES[self.values["function"]] if abs(level) <= value * OVERRANGE]
        if not fitting:
            raise ScpiError(-222, f"{level:g}")
        self.values["range"] = fitting[0]
        self.change("level", level)

    def change(self, name: str, value: Any) -> None:
        """Take a setting if the range and the output allow it."""
        if name == "function" and value != self.values["function"]:
            if self.values["output"]:
                raise ScpiError(-221, "output is on")
            self.values.update(range=RANGES[value][0], level=0.0)
        if name == "range" and value not in RANGES[self.values["function"]]:
            raise ScpiError(-222, f"range {value:g}")
        if name == "level" and abs(value) > self.values["range"] * OVERRANGE:
            raise ScpiError(-222, f"{value:g} in range {self.values['range']:g}")
        changed = self.values[name] != value
        super().change(name, value)
        if changed and name in ("level", "output"):
            what = f"level {value:.9g}" if name == "level" else f"output {'on' if value else 'off'}"
            self.world.event("current", what, current=self.current())

    def current(self) -> float:
        """What flows now (A)."""
        if not self.values["output"]:
            return 0.0
        level = float(self.values["level"])
        return level if self.values["function"] == "CURR" else max(min(level / 50.0, 0.2), -0.2)
