"""Sessions that do not lie: any VISA resource, typed errors, and no reply given to the wrong query.

After a timeout the late reply still arrives, and the next query would silently get it, and every
query after that the one before. Whatever breaks off an exchange, a Ctrl-C included, therefore marks
the session as dirty, and a dirty session is closed and reopened before the next byte is sent.
Queries are repeated once; commands never, because nobody knows whether the first one arrived.
"""

from __future__ import annotations

import math
import re
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pyvisa.errors import InvalidSession, VisaIOError
from qcodes.instrument import VisaInstrument

from vbsense.instruments.errors import ConnectionLost, InstrumentFault, ProtocolError, typed_errors

__all__ = ["ReliableVisa", "open_resource"]

RETRY_TIMEOUT = 0.4  # s: a repeated query must not double the time after which an error is known


def open_resource(address: str, *, backend: str = "@py", timeout: float = 2.0, termination: str = "\n") -> Any:
    """Open a VISA resource: LAN (HiSLIP, VXI-11, socket), USB, GPIB or serial.

    Parameters
    ----------
    address : str
        For example ``"TCPIP::192.168.0.5::hislip0::INSTR"`` or ``"TCPIP::127.0.0.1::5025::SOCKET"``.
    backend : str
        VISA library as PyVISA names it; ``"@py"`` needs no vendor software.
    timeout : float
        For one reply (s).
    termination : str
        End of a message, both ways.

    Returns
    -------
    pyvisa.resources.MessageBasedResource

    Raises
    ------
    ConnectionLost
        If nothing answers at `address`.
    """
    import pyvisa

    try:
        with typed_errors(address):
            resource: Any = pyvisa.ResourceManager(backend).open_resource(address)
            _prepare_socket(resource)
    except InstrumentFault:
        raise
    except Exception as error:  # pyvisa-py raises a bare Exception for a refused connection
        raise ConnectionLost(f"{address}: cannot be opened ({type(error).__name__}: {error})") from error
    resource.timeout = timeout * 1000  # PyVISA counts in milliseconds
    resource.read_termination = resource.write_termination = termination
    return resource


def _socket(resource: Any) -> socket.socket | None:
    """Socket under a resource of pyvisa-py, None for everything else."""
    sessions = getattr(resource.visalib, "sessions", {})
    interface = getattr(sessions.get(resource.session), "interface", None)
    return interface if isinstance(interface, socket.socket) else None


def _prepare_socket(resource: Any) -> None:
    """Send small messages at once (pyvisa-py waits 44 ms otherwise) and notice a refused connection.

    A refused connection is "success" for pyvisa-py until the first byte is sent.
    """
    if (link := _socket(resource)) is None:
        return
    try:
        link.getpeername()
    except OSError:
        resource.close()
        raise
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _waiting(resource: Any) -> bytes | None:
    """What lies in the input unasked: bytes, b"" if the other end has closed, None if nothing."""
    if (link := _socket(resource)) is None:
        return None
    pending = getattr(resource.visalib.sessions[resource.session], "_pending_buffer", b"")
    if pending:
        return bytes(pending)
    readable, _, _ = select.select([link], [], [], 0)
    try:
        return link.recv(64, socket.MSG_PEEK) if readable else None
    except OSError:
        return b""


def is_pure_query(command: str) -> bool:
    """Whether a command only asks, so that it may be sent twice; reading an error removes it from its queue.

    Examples
    --------
    >>> is_pure_query("LIST:FREQ:POIN?"), is_pure_query("LIST:LEAR;*OPC?"), is_pure_query("SYST:ERR?")
    (True, False, False)
    """
    header = command.split()[0] if command.split() else ""
    return header.endswith("?") and ";" not in command and not re.match(r":?SYST[A-Z]*:ERR", header.upper())


class ReliableVisa(VisaInstrument):
    """QCoDeS VISA instrument whose `ask` and `write` keep the promises of this module.

    Put it in front of an existing driver: ``class MySource(ReliableVisa, TheirDriver)``.

    Parameters
    ----------
    name : str
        Name of the instrument, unique in the process.
    address : str
        VISA address.
    backend : str
        VISA library, see `open_resource`.
    timeout : float
        For one reply (s).
    """

    def __init__(self, name: str, address: str, *, backend: str = "@py", timeout: float = 2.0, **kwargs: Any) -> None:
        self._dirty = False
        self._reply_timeout = timeout * 1000  # ms, as PyVISA counts
        self._reopen_as: dict[str, Any] = {"address": address, "backend": backend, "timeout": timeout}
        resource = open_resource(**self._reopen_as)
        options = {"resource": resource, "timeout": timeout, "terminator": "\n", "device_clear": False}
        try:
            # A driver below may want `address` as a positional argument; QCoDeS wants it empty beside `resource`.
            super().__init__(name, None, **options, **kwargs)
        except BaseException:
            resource.close()
            raise

    def connect_message(self, idn_param: str = "IDN", begin_time: float | None = None) -> None:
        """Ask for the identity, so that a wrong address fails at once; print nothing."""
        self.ask("*IDN?")

    def write_raw(self, cmd: str) -> None:
        """Send a command once."""
        with self._exchange(cmd):
            self.visa_handle.write(cmd)

    def ask_raw(self, cmd: str) -> str:
        """Send a query and return its reply; a pure query is repeated once.

        Raises
        ------
        InstrumentTimeout, ConnectionLost, ProtocolError
            Within the timeout and half a second.
        """
        try:
            return self._ask_once(cmd)
        except InstrumentFault:
            if not is_pure_query(cmd):
                raise
        with self._reply_within(min(self._reply_timeout / 1000, RETRY_TIMEOUT)):
            return self._ask_once(cmd)

    def _ask_once(self, cmd: str) -> str:
        with self._exchange(cmd):
            self.visa_handle.write(cmd)
            reply = self.visa_handle.read()
            if not reply:
                raise ProtocolError(f"{self.name}: {cmd}: the reply is empty")
            return str(reply)

    @contextmanager
    def _exchange(self, cmd: str) -> Iterator[None]:
        what = f"{self.name}: {cmd if len(cmd) < 60 else cmd[:57] + '...'}"
        with typed_errors(what):
            if self._dirty or _waiting(self.visa_handle) is not None:
                self.reopen()
            self._dirty = True
            try:
                yield
            except Exception as error:
                if self._is_closed(error):
                    raise ConnectionLost(f"{what}: the instrument closed the connection") from error
                raise
            self._dirty = False

    def _is_closed(self, error: Exception) -> bool:
        """Tell a closed connection from a slow instrument: pyvisa-py reports both as a timeout."""
        if not isinstance(error, VisaIOError):
            return False
        try:
            return _waiting(self.visa_handle) == b""
        except InvalidSession:
            return True

    def reopen(self) -> None:
        """Close the session and open a new one, with the old reply left behind in the old session."""
        with suppress(InvalidSession):  # an attempt before this one may have got no further than closing
            if _socket(self.visa_handle) is None:
                self.visa_handle.clear()  # on GPIB or USB a device clear is what empties the instrument's output
            self.visa_handle.close()
        self._visa_handle = open_resource(**self._reopen_as)
        self.visa_handle.timeout = self._reply_timeout
        self._dirty = False

    def _set_visa_timeout(self, timeout: float | None) -> None:
        """Set the timeout (s) of this session and of those that follow it; the parameter `timeout` comes here."""
        self._reply_timeout = math.inf if timeout is None else timeout * 1000
        with suppress(InvalidSession):
            self.visa_handle.timeout = self._reply_timeout

    @contextmanager
    def _reply_within(self, seconds: float) -> Iterator[None]:
        before = self._reply_timeout / 1000
        self._set_visa_timeout(seconds)
        try:
            yield
        finally:
            self._set_visa_timeout(before)

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Allow at least `seconds` for replies inside, for commands that take their time."""
        with self._reply_within(max(self._reply_timeout / 1000, seconds)):
            yield
