"""Lines and IEEE 488.2 blocks over one TCP socket, for frames that a text protocol would slow down."""

from __future__ import annotations

import socket
import struct
import time

from vbsense.instruments.errors import ProtocolError, typed_errors

__all__ = ["FRAME_HEADER", "Link"]

FRAME_HEADER = struct.Struct("<Qd")  # number in the sequence, start of the exposure (s)


class Link:
    """A TCP connection that reads exact numbers of bytes and never loses a part of a reply.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        TCP port.
    timeout : float
        For opening and for short replies (s).
    """

    def __init__(self, host: str, port: int, timeout: float = 2.0) -> None:
        self.host, self.port, self.timeout = host, port, timeout
        self._buffer = bytearray()
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        with typed_errors(f"{self.host}:{self.port}"):
            link = socket.create_connection((self.host, self.port), self.timeout)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return link

    def reopen(self) -> None:
        """Start afresh: whatever was on its way is gone with the old connection."""
        self.close()
        self._buffer.clear()
        self._socket = self._connect()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self, line: str) -> None:
        """Send one line."""
        with typed_errors(line):
            self._socket.settimeout(self.timeout)
            self._socket.sendall(line.encode("ascii") + b"\n")

    def line(self, timeout: float) -> str:
        """Receive one line."""
        with typed_errors(f"{self.host}:{self.port}"):
            deadline = time.monotonic() + timeout
            while (end := self._buffer.find(b"\n")) < 0:
                self._fill(deadline)
            text = self._take(end + 1)[:-1]
            return text.decode("ascii")

    def block(self, timeout: float) -> bytes:
        """Receive one definite-length block: ``#``, a digit n, n digits of length, the bytes, a newline.

        After a timeout the bytes received so far stay, and the next call goes on from there.
        """
        with typed_errors(f"{self.host}:{self.port}"):
            deadline = time.monotonic() + timeout
            self._need(2, deadline)
            if self._buffer[0:1] != b"#" or not self._buffer[1:2].isdigit():
                raise ProtocolError(f"expected a block; received {bytes(self._buffer[:20])!r}")
            header = 2 + int(self._buffer[1:2])
            self._need(header, deadline)
            length = int(self._buffer[2:header])
            self._need(header + length + 1, deadline)
            return self._take(header + length + 1)[header:-1]

    def _need(self, count: int, deadline: float) -> None:
        while len(self._buffer) < count:
            self._fill(deadline)

    def _fill(self, deadline: float) -> None:
        self._socket.settimeout(max(deadline - time.monotonic(), 1e-3))
        received = self._socket.recv(1 << 20)
        if not received:
            raise ConnectionResetError("the other end closed the connection")
        self._buffer += received

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
