"""Yokogawa GS200 as a current source that cannot jump: ramp, hard limit, read-back, zero on exit.

The commands are those of QCoDeS's own driver; this module only stands in front of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from qcodes.instrument_drivers.yokogawa import YokogawaGS200

from vbsense.instruments.errors import InstrumentError, ProtocolError, number, parse_errors
from vbsense.instruments.limits import checked
from vbsense.instruments.transport import ReliableVisa

__all__ = ["GS200Current"]

RANGES = (1e-3, 10e-3, 100e-3, 200e-3)  # A


class GS200Current(ReliableVisa, YokogawaGS200):
    """Current through a wire or a coil.

    Connecting and closing change no output.

    Parameters
    ----------
    name : str
        Name of the instrument, unique in the process.
    address : str
        VISA address.
    limit : float
        Highest current that the conductor bears, either sign (A).
    ramp_rate : float
        Fastest change (A/s).
    ramp_step : float
        Largest step (A).
    wait : callable
        Waits for a number of seconds; a rig with a virtual clock hands in its own.
    **kwargs
        Passed on to `ReliableVisa`.

    Examples
    --------
    >>> wire = GS200Current("wire", "TCPIP::192.168.0.6::INSTR", limit=2e-3)  # doctest: +SKIP
    >>> wire.start(); wire.ramp(1e-3); wire.zero()  # doctest: +SKIP
    """

    off_commands = (":SOUR:LEV 0", ":OUTP 0")
    off_checks = ((":SOUR:LEV?", 0.0), (":OUTP?", 0.0))

    def __init__(
        self,
        name: str,
        address: str,
        *,
        limit: float,
        ramp_rate: float = 20e-3,
        ramp_step: float = 0.1e-3,
        wait: Callable[[float], Any] = time.sleep,
        **kwargs: Any,
    ) -> None:
        self.limit = checked("limit", limit, 0, RANGES[-1], "A")
        self.rate = checked("ramp_rate", ramp_rate, 1e-9, 1e3, "A/s")
        self.step = checked("ramp_step", ramp_step, 1e-9, RANGES[-1], "A")
        self.wait = wait
        super().__init__(name, address, **kwargs)

    def start(self) -> None:
        """Switch the output on at 0 A, in the smallest range that holds the limit."""
        self.write("*CLS")
        if self.output() == "on":
            self.zero()
        if self.source_mode() != "CURR":
            self.source_mode("CURR")
        self.current_range(next(value for value in RANGES if value >= self.limit))
        self._set_output(0.0)
        self.on()
        self._expect(":OUTP?", 1.0)

    def ramp(self, target: float) -> None:
        """Go to `target` in steps no larger and no faster than the ramp allows, and read back each one.

        Parameters
        ----------
        target : float
            Current (A).

        Raises
        ------
        ValueError, TypeError
            Beyond the limit, or not a finite number; nothing was sent then.
        ProtocolError
            If the source says afterwards that it is elsewhere.
        """
        target = self._allowed(target)
        start = self.level()
        for value in _steps(start, target, self.step):
            self.wait(min(self.step, abs(target - start)) / self.rate)
            super()._set_output(value)  # unchecked: a level beyond the limit must find its way back
            self._expect(":SOUR:LEV?", value)  # before the next wait begins

    def level(self) -> float:
        """Current that the source is set to, asked for now (A)."""
        return number(self.ask(":SOUR:LEV?"), f"{self.name}: :SOUR:LEV?")

    def zero(self) -> None:
        """Ramp to 0 A, switch the output off and read back both; needs no particular state."""
        if number(self.ask(":OUTP?"), f"{self.name}: :OUTP?") != 0:
            if self.source_mode() == "CURR":
                self.ramp(0.0)
            self.write(":OUTP 0")
        self.write(":SOUR:LEV 0")
        for query, value in self.off_checks:
            self._expect(query, value)

    def check_errors(self, command: str) -> None:
        """Raise the first entry of the error queue, if there is one."""
        errors = parse_errors(self.ask(":SYST:ERR?"), self.name)
        if errors:
            raise InstrumentError(*errors[0], command)

    def _allowed(self, level: float) -> float:
        return checked("current", level, -self.limit, self.limit, "A")

    def _expect(self, query: str, value: float) -> None:
        received = number(self.ask(query), f"{self.name}: {query}")
        if not math.isclose(received, value, rel_tol=1e-4, abs_tol=1e-8):
            raise ProtocolError(f"{self.name}: {query} says {received:g}; expected {value:g}")

    # The two ways in which QCoDeS's driver changes the output, its own ramps included.

    def _set_output(self, output_level: float) -> None:
        super()._set_output(self._allowed(output_level))

    def _ramp_source(self, ramp_to: float) -> None:
        super()._ramp_source(self._allowed(ramp_to))

    def _set_source_mode(self, mode: Any) -> None:
        if mode != "CURR":
            raise ValueError(f"source mode is {mode!r}; a limit in ampere is kept only in mode 'CURR'")
        super()._set_source_mode(mode)


def _steps(start: float, target: float, step: float) -> list[float]:
    """Levels between `start` and `target`, the last one exactly `target`.

    Examples
    --------
    >>> _steps(0.0, 0.25, 0.1)[-1], len(_steps(0.0, 0.25, 0.1))
    (0.25, 3)
    """
    count = math.ceil(abs(target - start) / step - 1e-9)
    return [start + (target - start) * (k / count) for k in range(1, count)] + ([target] if count else [])
