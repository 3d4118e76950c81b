"""The role of a camera: what the acquisition calls, when, and what holds afterwards."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

__all__ = ["Camera", "Frame"]


class Frame(NamedTuple):
    """One exposure: counts ``(y, x)`` uint16, its number in the armed sequence, its start (s)."""

    counts: np.ndarray
    counter: int
    time: float


@runtime_checkable
class Camera(Protocol):
    """A camera that is the master of the clock: its exposure output steps the microwave source.

    The output is high during an exposure; its falling edge is the end. Once armed, the camera
    exposes its frames at its own pace and may be ahead of `read`. Settings of other instruments are
    therefore changed only while no sequence is armed.
    """

    shape: tuple[int, int]  # rows (y), columns (x)
    pixel_size: float  # m, on the sample
    gain: float  # electron per count
    offset: float  # dark level, counts
    read_noise: float  # electron
    saturation: int  # largest count

    def arm(self, frames: int, exposure: float) -> None:
        """Start a sequence of `frames` exposures of `exposure` seconds; nothing may be armed before."""

    def read(self, timeout: float) -> Frame:
        """Return the next frame of the armed sequence.

        `Frame.counter` rises by one with every exposure, so that a gap is a lost frame.

        Raises
        ------
        InstrumentTimeout
            If no frame came within `timeout` seconds. Nothing is lost then: `read` may be called again.
        """

    def stop(self) -> None:
        """End the sequence and forget its frames; no trigger comes after the return. Always allowed."""
