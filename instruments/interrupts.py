"""Ctrl-C, SIGTERM and a closed terminal as exceptions, and a place where they wait until it is safe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Interrupts"]

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # those that this system has


class Interrupts:
    """Turn the signals that end a program into exceptions, so that its outputs are switched off first.

    Ctrl-C raises KeyboardInterrupt, the others SystemExit with the customary status. Inside
    `shielded` they wait: a second Ctrl-C cannot cut off the switching off that the first one caused.
    In a thread other than the main one there are no signals, and this does nothing.

    Examples
    --------
    >>> interrupts = Interrupts()
    >>> with interrupts, interrupts.shielded():
    ...     pass
    """

    def __init__(self) -> None:
        self._shields, self._waiting = 0, 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
            self._before = {number: signal.signal(number, self._arrived) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before = {}

    def _arrived(self, number: int, _: FrameType | None) -> None:
        if self._shields:
            self._waiting = number
        else:
            self._raise(number)

    @staticmethod
    def _raise(number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Let signals wait until the end of the block; an exception that is already on its way goes first."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
        if self._waiting and not self._shields:
            number, self._waiting = self._waiting, 0
            self._raise(number)
