"""The guard: a process that switches everything off when the acquisition dies in a way Python never sees.

It is tied to the acquisition by a pipe. The end of the pipe without the word ``done`` means kill -9,
a crash of the interpreter, or a machine out of memory; the guard then opens its own connections,
switches the declared outputs off, and reads back that they are. It imports no QCoDeS, and PyVISA only
for resources that are not plain sockets.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vbsense.instruments.process import ignore_interrupts, start

__all__ = ["Guard", "GuardLost", "Output", "main", "switch_off"]

TIMEOUT = 0.5  # s, for one reply
ATTEMPTS = 3


class GuardLost(RuntimeError):
    """The guard process has ended: outputs must not stay on without it."""


@dataclass(frozen=True)
class Output:
    """How to switch one instrument off.

    Parameters
    ----------
    address : str
        VISA address.
    commands : tuple of str
        Sent in this order.
    checks : tuple of (str, float)
        Queries and the numbers that they must return afterwards.
    backend : str
        VISA library, for anything but a socket.
    """

    address: str
    commands: tuple[str, ...]
    checks: tuple[tuple[str, float], ...] = ()
    backend: str = "@py"

    @classmethod
    def of(cls, instrument: Any) -> Output:
        """Read from a driver that has ``off_commands`` and ``off_checks``."""
        return cls(instrument.address, tuple(instrument.off_commands), tuple(instrument.off_checks))


class Guard:
    """The guard as the acquisition sees it: started with the rig, asked now and then, told when all is off.

    Parameters
    ----------
    outputs : sequence of Output
        What to switch off.

    Examples
    --------
    >>> guard = Guard([Output("TCPIP::127.0.0.1::5025::SOCKET", ("OUTP OFF",))])  # doctest: +SKIP
    >>> guard.check(); guard.release()  # doctest: +SKIP
    """

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._process = start("vbsense.instruments.guard")
        self._say(json.dumps([asdict(output) for output in outputs]))
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise GuardLost("the guard process did not start; see its message above")

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise if the guard is gone; takes a microsecond.

        Raises
        ------
        GuardLost
            Then the outputs must go off.
        """
        if (status := self._process.poll()) is not None:
            raise GuardLost(f"the guard process has ended (status {status}); the acquisition stops, outputs off")

    def release(self) -> None:
        """Send the guard home; only after the outputs were seen off."""
        if self._process.poll() is None:
            self._say("done")
        self._end()

    def abandon(self) -> None:
        """Cut the tie: the guard switches everything off and ends. For outputs that could not be seen off."""
        self._end()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise GuardLost("the guard process has ended") from error

    def _end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass  # it has ended already
        try:
            self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class _SocketPort:
    """A plain socket with the two calls that the guard needs."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(TIMEOUT)
        self._file = self._socket.makefile("rb")

    def write(self, command: str) -> None:
        self._socket.sendall(command.encode("ascii") + b"\n")

    def query(self, command: str) -> str:
        self.write(command)
        return self._file.readline(256).decode("ascii")

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def _open(output: Output) -> Any:
    if found := re.fullmatch(r"TCPIP\d*::([^:]+)::(\d+)::SOCKET", output.address, re.IGNORECASE):
        return _SocketPort(found.group(1), int(found.group(2)))
    import pyvisa

    resource: Any = pyvisa.ResourceManager(output.backend).open_resource(output.address)
    resource.timeout = TIMEOUT * 1000
    resource.read_termination = resource.write_termination = "\n"
    return resource


def switch_off(output: Output) -> str | None:
    """Switch one instrument off through a connection of its own and read back that it is.

    Parameters
    ----------
    output : Output
        What and how.

    Returns
    -------
    str or None
        What went wrong in the last attempt; None if it is off.
    """
    trouble: str | None = "not tried"
    for _ in range(ATTEMPTS):
        try:
            port = _open(output)
            try:
                for command in output.commands:
                    port.write(command)
                wrong = [query for query, value in output.checks if abs(float(port.query(query)) - value) > 1e-9]
                trouble = f"{', '.join(wrong)} says that it is still on" if wrong else None
            finally:
                port.close()
        except Exception as error:  # whatever it is, try again and go on to the next instrument
            trouble = f"{type(error).__name__}: {error}"
        if trouble is None:
            return None
    return trouble


def main() -> int:
    """Wait for the end of stdin; returns 1 if something could not be switched off."""
    ignore_interrupts()
    outputs = [Output(**entry) for entry in json.loads(sys.stdin.readline())]
    if not all("SOCKET" in output.address.upper() for output in outputs):
        import pyvisa  # noqa: F401  (now, while there is time)
    print("ready", flush=True)
    if sys.stdin.read().strip() == "done":
        return 0
    troubles: dict[str, str | None] = {}

    def switch(output: Output) -> None:
        troubles[output.address] = switch_off(output)

    threads = [threading.Thread(target=switch, args=(output,)) for output in outputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for address, trouble in troubles.items():
        state = f"could NOT be switched off: {trouble}" if trouble else "is off"
        print(f"vbsense guard: {address} {state}", file=sys.stderr, flush=True)
    return 1 if any(troubles.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
