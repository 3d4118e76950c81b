"""Wires: a line-based TCP server on the loopback for each instrument, several clients at a time."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from typing import Any, Protocol

from vbsense.instruments.twin.faults import Fault, Faults

__all__ = ["Server"]

LONGEST_LINE = 1 << 20  # bytes


class Executes(Protocol):
    """What can be put behind a wire."""

    def execute(self, message: str) -> str | bytes | None:
        """Carry out a message and return its reply, if there is one."""


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        server: Any = self.server
        try:
            while line := self.rfile.readline(LONGEST_LINE):
                if not line.endswith(b"\n"):
                    return  # cut off in the middle of a message: never carry out a part of one
                self._message(server, line.decode("latin-1").strip())
        except OSError:
            return

    def _message(self, server: Any, message: str) -> None:
        fault = server.faults.take(server.name, message)
        if fault is not None and fault.kind == "disconnect":
            raise ConnectionAbortedError("fault plan")
        reply = server.device.execute(message)
        if fault is not None and fault.kind == "error":
            server.device.report(-300, "fault plan")
        if reply is not None:
            data = reply if isinstance(reply, bytes) else reply.encode("ascii")
            self.wfile.write(spoilt(data + b"\n", fault))


def spoilt(data: bytes, fault: Fault | None) -> bytes:
    """Reply as the wire delivers it under a fault."""
    match fault.kind if fault else "":
        case "late":
            time.sleep(fault.seconds)  # type: ignore[union-attr]
            return data
        case "lost":
            return b""
        case "empty":
            return b"\n"
        case "garbage":
            return b"\xff\xfe\x80\x81\n"
        case "unterminated":
            return data[:-1]
        case "flood":
            return data * 50
    return data


class Server(socketserver.ThreadingTCPServer):
    """Serve one device on a free port of the loopback, in threads of this process.

    Parameters
    ----------
    name : str
        Name of the instrument, as the fault plan has it.
    device : Executes
        What carries out the messages.
    faults : Faults
        What goes wrong on this wire.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, name: str, device: Executes, faults: Faults) -> None:
        self.name, self.device, self.faults = name, device, faults
        self._clients: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        """TCP port."""
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a client, so that `close` can hang up."""
        self._clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a client."""
        self._clients.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is no error of the rig."""

    def close(self) -> None:
        """Hang up on all clients and free the port."""
        self.shutdown()
        for client in list(self._clients):
            client.close()
        self.server_close()
