"""Rohde & Schwarz SMx (SMB100A/B, SMBV100A/B, SMW200A, SMA): one LIST tree, one driver.

Commands after the operating manual of the SMB100A; verified against the manual and a simulator,
not yet against hardware.

| what | command |
|---|---|
| frequency, power, output | ``FREQ`` (Hz), ``POW`` (dBm), ``OUTP`` |
| list | ``LIST:SEL``, ``LIST:FREQ``, ``LIST:POW``, ``LIST:MODE STEP``, ``LIST:TRIG:SOUR EXT``, ``LIST:LEAR`` |
| trigger | ``INP:TRIG:SLOP``: the edge that takes one step |
| run | ``OUTP ON``, ``FREQ:MODE LIST``, ``LIST:RES`` |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qcodes.validators import Enum, Numbers

from vbsense.instruments.errors import InstrumentError, ProtocolError, number, parse_errors
from vbsense.instruments.limits import checked, checked_list
from vbsense.instruments.transport import ReliableVisa

__all__ = ["RohdeSchwarzSMx"]

LEARN_TIMEOUT = 30.0  # s: the instrument computes its settings for every point


class RohdeSchwarzSMx(ReliableVisa):
    """Microwave source with a list that is stepped by a trigger input.

    Connecting and closing change no output.

    Parameters
    ----------
    name : str
        Name of the instrument, unique in the process.
    address : str
        VISA address.
    frequency_range : (float, float)
        What the instrument and its options can do (Hz).
    power_range : (float, float)
        Lowest and highest power that may ever be set, for CW and for every list entry (dBm):
        ``POW:LIM`` of the instrument does not guard lists.
    list_name : str
        File of the list on the instrument.
    **kwargs
        Passed on to `ReliableVisa`.

    Examples
    --------
    >>> source = RohdeSchwarzSMx("source", "TCPIP::192.168.0.5::hislip0::INSTR",
    ...                          power_range=(-100, 10))  # doctest: +SKIP
    >>> source.program_list([3.4e9, 3.5e9], 0.0)  # doctest: +SKIP
    """

    off_commands = ("OUTP OFF",)
    off_checks = (("OUTP?", 0.0),)

    def __init__(
        self,
        name: str,
        address: str,
        *,
        frequency_range: tuple[float, float] = (9e3, 6e9),
        power_range: tuple[float, float] = (-145.0, 30.0),
        list_name: str = "/var/user/vbsense",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, address, **kwargs)
        self.frequency_range, self.power_range, self.list_name = frequency_range, power_range, list_name
        self._declare("frequency", "FREQ", vals=Numbers(*frequency_range), get_parser=float, unit="Hz")
        self._declare("power", "POW", vals=Numbers(*power_range), get_parser=float, unit="dBm")
        self._declare("output", "OUTP", val_mapping={"on": "1", "off": "0"})
        self._declare("frequency_mode", "FREQ:MODE", vals=Enum("CW", "SWE", "LIST"))
        self._declare("list_mode", "LIST:MODE", vals=Enum("AUTO", "STEP"))
        self._declare("list_trigger", "LIST:TRIG:SOUR", vals=Enum("AUTO", "IMM", "SING", "BUS", "EXT"))
        self._declare("trigger_slope", "INP:TRIG:SLOP", vals=Enum("POS", "NEG"))
        self.connect_message()

    def _declare(self, name: str, command: str, **options: Any) -> None:
        """One row of the command table: set, query, unit, what is allowed."""
        self.add_parameter(name, get_cmd=f"{command}?", set_cmd=f"{command} {{}}", **options)

    def program_list(self, frequencies: Sequence[float], power: float | Sequence[float], *, slope: str = "NEG") -> None:
        """Load a list that an external trigger steps through; the output stays as it is.

        Parameters
        ----------
        frequencies : sequence of float
            In the order in which they are stepped through (Hz).
        power : float or sequence of float
            For all points or for each (dBm).
        slope : {"NEG", "POS"}
            Edge that steps: ``NEG`` is the end of an exposure of a camera whose output is high while it exposes.

        Raises
        ------
        ValueError, TypeError
            If any entry is out of range; nothing was sent then.
        ProtocolError, InstrumentError
            If the instrument did not take the list.
        """
        points, powers = self.checked_list(frequencies, power)
        self.trigger_slope.validate(slope)
        self.write("*CLS")
        self.frequency_mode("CW")  # a list that is running cannot be edited
        self.write(f"LIST:SEL '{self.list_name}'")
        self.write("LIST:FREQ " + ",".join(f"{value:.12g}" for value in points))
        self.write("LIST:POW " + ",".join(f"{value:.12g}" for value in powers))
        self.list_mode("STEP")
        self.list_trigger("EXT")
        self.trigger_slope(slope)
        self._learn(len(points), len(powers))

    def checked_list(
        self, frequencies: Sequence[float], power: float | Sequence[float]
    ) -> tuple[list[float], list[float]]:
        """Return the entries as the instrument will get them if every one of them is in range."""
        points = checked_list("frequency", frequencies, *self.frequency_range, "Hz")
        if isinstance(power, Iterable) and not isinstance(power, (str, bytes)):
            powers = checked_list("power", power, *self.power_range, "dBm")
        else:
            powers = [checked("power", power, *self.power_range, "dBm")]
        if len(powers) not in (1, len(points)):
            raise ValueError(f"{len(powers)} powers for {len(points)} frequencies; give one, or one for each")
        return points, powers[:1] if len(set(powers)) == 1 else powers  # one value stands for all points

    def _learn(self, points: int, powers: int) -> None:
        with self.patience(LEARN_TIMEOUT):
            self.ask("LIST:LEAR;*OPC?")
        for command, expected in (("LIST:FREQ:POIN?", points), ("LIST:POW:POIN?", powers)):
            received = number(self.ask(command), f"{self.name}: {command}")
            if received != expected:
                raise ProtocolError(f"{self.name}: {command} says {received:g} points; {expected} were sent")
        self.check_errors("programming the list")

    def arm(self) -> None:
        """Switch the output on in list mode; the first trigger takes the first point."""
        self.output("on")
        self.frequency_mode("LIST")
        self.reset_list()

    def reset_list(self) -> None:
        """Go back to the start of the list; returns when the next trigger counts."""
        self.ask("LIST:RES;*OPC?")

    def off(self) -> None:
        """Switch the output off and read back that it is."""
        self.write("OUTP OFF")
        if number(self.ask("OUTP?"), f"{self.name}: OUTP?") != 0:
            raise ProtocolError(f"{self.name}: the output is still on after OUTP OFF; switch it off by hand")

    def check_errors(self, command: str) -> None:
        """Empty the error queue and raise its first entry.

        Parameters
        ----------
        command : str
            What was done before, for the message.

        Raises
        ------
        InstrumentError
            With code and text of the instrument.
        """
        errors = parse_errors(self.ask("SYST:ERR:ALL?"), self.name)
        if errors:
            raise InstrumentError(*errors[0], command)
