"""What can go wrong between a computer and an instrument: four typed errors, and one place that makes them.

PyVISA, its Python backend and the sockets below it report the same unplugged cable as VisaIOError,
BrokenPipeError, RuntimeError or UnicodeDecodeError, depending on the moment. Code that acts on a
fault needs to know only which of four things happened.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "ConnectionLost",
    "InstrumentError",
    "InstrumentFault",
    "InstrumentTimeout",
    "ProtocolError",
    "number",
    "parse_errors",
    "typed_errors",
]


class InstrumentFault(Exception):
    """Base of the four: whatever it was, the last command may or may not have been carried out."""


class InstrumentTimeout(InstrumentFault, TimeoutError):
    """No (complete) reply within the timeout."""


class ConnectionLost(InstrumentFault, ConnectionError):
    """The instrument closed the connection, or cannot be reached."""


class ProtocolError(InstrumentFault, ValueError):
    """A reply that cannot be what was asked for: not text, empty, not a number, cut."""


class InstrumentError(InstrumentFault, RuntimeError):
    """The instrument reports an error in its own queue.

    Parameters
    ----------
    code : int
        SCPI error number, for example -222.
    text : str
        The instrument's own words.
    command : str
        What was sent before the queue was read.

    Examples
    --------
    >>> str(InstrumentError(-222, "Data out of range", "POW 99"))
    'the instrument reports error -222, Data out of range, after POW 99'
    """

    def __init__(self, code: int, text: str, command: str) -> None:
        super().__init__(f"the instrument reports error {code}, {text}, after {command}")
        self.code, self.text, self.command = code, text, command


@contextmanager
def typed_errors(what: str) -> Iterator[None]:
    """Turn whatever the layers below raise into one of the four errors.

    Parameters
    ----------
    what : str
        Instrument and command, for the message.

    Raises
    ------
    InstrumentFault
        One of its subclasses; the original error is its cause.

    Examples
    --------
    >>> with typed_errors("source: FREQ?"):
    ...     raise BrokenPipeError("pipe")
    Traceback (most recent call last):
        ...
    vbsense.instruments.errors.ConnectionLost: source: FREQ?: connection lost (BrokenPipeError: pipe)
    """
    try:
        yield
    except InstrumentFault:
        raise
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{what}: the reply is not text: {bytes(error.object)[:40]!r}") from error
    except TimeoutError as error:
        raise InstrumentTimeout(f"{what}: no reply in time") from error
    except (OSError, EOFError) as error:
        raise ConnectionLost(f"{what}: connection lost ({type(error).__name__}: {error})") from error
    except Exception as error:
        if (typed := _from_visa(what, error)) is None:
            raise  # a programming error: not ours to rename
        raise typed from error


def _from_visa(what: str, error: Exception) -> InstrumentFault | None:
    from pyvisa.constants import StatusCode
    from pyvisa.errors import InvalidSession, VisaIOError

    if isinstance(error, VisaIOError):
        if error.error_code == StatusCode.error_timeout:
            return InstrumentTimeout(f"{what}: no reply in time")
        return ConnectionLost(f"{what}: connection lost ({error.abbreviation})")
    if isinstance(error, (RuntimeError, InvalidSession)):  # the Python backend wraps OSError like this
        return ConnectionLost(f"{what}: connection lost ({type(error).__name__}: {error})")
    return None


def number(text: str, what: str) -> float:
    """Read a finite number from a reply.

    Parameters
    ----------
    text : str
        The reply.
    what : str
        Instrument and command, for the message.

    Raises
    ------
    ProtocolError
        If the reply is anything else.

    Examples
    --------
    >>> number("+2.95E+09", "source: FREQ?")
    2950000000.0
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ProtocolError(f"{what}: expected a number; received {text[:40]!r}")
    return value


def parse_errors(reply: str, name: str) -> list[tuple[int, str]]:
    """Read an error queue: ``-222,"Data out of range",-113,"Undefined header"``.

    Parameters
    ----------
    reply : str
        Reply to ``SYST:ERR?`` or ``SYST:ERR:ALL?``.
    name : str
        Instrument, for the message.

    Returns
    -------
    list of (int, str)
        Empty if the only entry is 0, "No error".

    Raises
    ------
    ProtocolError
        If the reply has no such form.

    Examples
    --------
    >>> parse_errors('-222,"Data out of range; POW 99",-113,"Undefined header"', "source")
    [(-222, 'Data out of range; POW 99'), (-113, 'Undefined header')]
    >>> parse_errors('0,"No error"', "source")
    []
    """
    entry = r'\s*([+-]?\d+)\s*,\s*"([^"]*)"\s*'
    if not re.fullmatch(rf"{entry}([,;]{entry})*", reply):
        raise ProtocolError(f"{name}: expected an error queue; received {reply[:40]!r}")
    return [(int(code), text) for code, text in re.findall(entry, reply) if int(code) != 0]
