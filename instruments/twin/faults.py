"""The fault plan: what goes wrong on the wires, on which command, how often."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Fault", "Faults"]

KINDS = ("late", "lost", "disconnect", "garbage", "empty", "unterminated", "flood", "error", "dropped", "doubled")


@dataclass
class Fault:
    """One thing that goes wrong.

    Parameters
    ----------
    instrument : {"source", "current", "camera"}
        Where.
    kind : str
        ``late`` (reply after `seconds`), ``lost`` (no reply), ``disconnect``, ``garbage``, ``empty``,
        ``unterminated``, ``flood``, ``error`` (an entry in the error queue); of the camera ``dropped``
        and ``doubled`` frames.
    command : str
        Beginning of the message that it happens on; empty for any. The number of the frame for the camera's own two.
    count : int
        How often.
    seconds : float
        Delay of ``late`` (s).
    """

    instrument: str
    kind: str
    command: str = ""
    count: int = 1
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault kind is {self.kind!r}; it is one of {', '.join(KINDS)}")


class Faults:
    """The faults that are still to come; safe to use from several threads."""

    def __init__(self, faults: list[dict[str, Any]] | None = None) -> None:
        self._lock = threading.Lock()
        self._open = [Fault(**entry) for entry in faults or []]

    def add(self, **entry: Any) -> None:
        """Plan one more."""
        with self._lock:
            self._open.append(Fault(**entry))

    def take(self, instrument: str, message: str) -> Fault | None:
        """Next fault for this message of this instrument, counted down."""
        with self._lock:
            for fault in self._open:
                if fault.instrument == instrument and message.upper().startswith(fault.command.upper()):
                    if fault.kind not in ("dropped", "doubled"):
                        return self._count_down(fault)
        return None

    def take_frame(self, kind: str, k: int) -> bool:
        """Whether frame `k` of the sequence meets this fate."""
        with self._lock:
            for fault in self._open:
                if fault.instrument == "camera" and fault.kind == kind and fault.command in ("", str(k)):
                    self._count_down(fault)
                    return True
        return False

    def _count_down(self, fault: Fault) -> Fault:
        fault.count -= 1
        if fault.count <= 0:
            self._open.remove(fault)
        return fault

    def as_list(self) -> list[dict[str, Any]]:
        """What is still to come."""
        with self._lock:
            return [asdict(fault) for fault in self._open]
