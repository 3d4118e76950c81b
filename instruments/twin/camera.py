"""The simulated camera: sequences that it exposes at its own pace, a little ahead of who reads them."""

from __future__ import annotations

import queue
import threading
from contextlib import nullcontext

import numpy as np

from vbsense.instruments.camera.link import FRAME_HEADER
from vbsense.instruments.twin.faults import Faults
from vbsense.instruments.twin.scpi import Device, Number, ScpiError
from vbsense.instruments.twin.world import World

__all__ = ["SimulatedCameraDevice", "block"]

AHEAD = 4  # frames in the camera's memory


def block(payload: bytes) -> bytes:
    """IEEE 488.2 definite-length block.

    Examples
    --------
    >>> block(b"abc")
    b'#13abc'
    """
    length = str(len(payload)).encode()
    return b"#" + str(len(length)).encode() + length + payload


class Sequence(threading.Thread):
    """One armed sequence. Its frames depend on its number and on the instruments, never on who reads when."""

    def __init__(self, world: World, faults: Faults, number: int, frames: int, exposure: float) -> None:
        super().__init__(daemon=True)
        self.world, self.faults = world, faults
        self.number, self.frames, self.exposure = number, frames, exposure
        self.ready: queue.Queue[bytes] = queue.Queue(AHEAD)
        self.ended = threading.Event()

    def run(self) -> None:
        """Expose until the last frame, or until somebody ends it."""
        for k in range(self.frames):
            if self.ended.is_set():
                return
            counts, start = self.world.expose(self.exposure, self.number, k)
            if self.faults.take_frame("dropped", k):
                self.world.event("camera", f"frame {k} dropped")
                continue
            frame = block(FRAME_HEADER.pack(k, start) + np.ascontiguousarray(counts, "<u2").tobytes())
            for _ in range(2 if self.faults.take_frame("doubled", k) else 1):
                self._hand_over(frame)

    def _hand_over(self, frame: bytes) -> None:
        while not self.ended.is_set():
            try:
                return self.ready.put(frame, timeout=0.05)
            except queue.Full:
                continue

    def next(self) -> bytes | None:
        """Next frame, waiting for it; None once the sequence was ended by somebody."""
        while not self.ended.is_set():
            try:
                return self.ready.get(timeout=0.05)
            except queue.Empty:
                continue
        return None

    def end(self) -> None:
        """End it; no trigger comes after the return."""
        self.ended.set()
        if self.is_alive():
            self.join()


class SimulatedCameraDevice(Device):
    """Camera with an exposure output. ``FETC?`` waits for a frame, as a real one does, for ever if none comes.

    Parameters
    ----------
    world : World
        What it looks at.
    faults : Faults
        Frames to drop or to send twice.
    """

    def __init__(self, world: World, faults: Faults) -> None:
        super().__init__("vbsense,simulated camera,0,1", nullcontext())
        self.world, self.faults = world, faults
        self._sequence: Sequence | None = None
        self._armed, self._arming = 0, threading.Lock()
        scene, camera = world.scene, world.scene.camera
        self.action(":SENSe:SHAPe?", lambda _: f"{scene.shape[0]},{scene.shape[1]}")
        self.action(":SENSe:PIXel?", lambda _: repr(float(scene.pixel_size)))
        self.action(":SENSe:GAIN?", lambda _: repr(float(camera.gain)))
        self.action(":SENSe:OFFSet?", lambda _: repr(float(camera.offset)))
        self.action(":SENSe:NOISe?", lambda _: repr(float(getattr(camera, "read_noise_rms", camera.read_noise))))
        self.action(":SENSe:EXCess?", lambda _: repr(float(getattr(camera, "excess_noise", 1.0))))
        self.action(":SENSe:SATuration?", lambda _: str(int(camera.maximum)))
        self.action(":ARM", self._arm)
        self.action(":ABORt", lambda _: self._abort())

    def _arm(self, parameters: list[str]) -> None:
        if len(parameters) != 2:
            raise ScpiError(-109)
        frames = int(Number(1, 1e7).read(parameters[0]))
        exposure = Number(1e-6, 3600.0, "s").read(parameters[1])
        with self._arming:
            if self._sequence is not None and not self._sequence.ended.is_set():
                raise ScpiError(-221, "a sequence is armed")
            self._sequence = Sequence(self.world, self.faults, self._armed, frames, exposure)
            self._armed += 1
        self.world.event("camera", "armed", frames=frames, exposure=exposure)
        self._sequence.start()

    def _abort(self) -> None:
        with self._arming:
            if self._sequence is not None and not self._sequence.ended.is_set():
                self._sequence.end()
                self.world.event("camera", "stopped")

    def _fetch(self) -> bytes | None:
        return self._sequence.next() if self._sequence is not None else None

    def execute(self, message: str) -> str | bytes | None:
        """Carry out one message; a frame goes out as it is, everything else as text."""
        if message.strip().upper() in ("FETC?", ":FETC?", "FETCH?", ":FETCH?"):
            return self._fetch()
        return super().execute(message)
