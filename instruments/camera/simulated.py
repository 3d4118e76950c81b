"""Client of the simulated camera, as a QCoDeS instrument over TCP.

| what | command |
|---|---|
| sensor | ``SENS:SHAP?`` ``SENS:PIX?`` ``SENS:GAIN?`` ``SENS:OFFS?`` ``SENS:NOIS?`` ``SENS:EXC?`` ``SENS:SAT?`` |
| sequence | ``ARM frames,seconds`` |
| next frame | ``FETC?``: a block with counter (8 bytes), start (8 bytes, s), counts (2 bytes each) |
| end | ``ABOR;*OPC?`` |
"""

from __future__ import annotations

from typing import Any

import numpy as np
from qcodes.instrument import Instrument

from vbsense.instruments.camera.link import FRAME_HEADER, Link
from vbsense.instruments.camera.role import Frame
from vbsense.instruments.errors import ProtocolError, number
from vbsense.instruments.limits import checked

__all__ = ["SimulatedCamera"]

SENSOR = {
    "pixel_size": ("SENS:PIX?", "m"),
    "gain": ("SENS:GAIN?", "electron"),
    "offset": ("SENS:OFFS?", "count"),
    "read_noise": ("SENS:NOIS?", "electron"),
    "excess_noise": ("SENS:EXC?", "1"),
    "saturation": ("SENS:SAT?", "count"),
}


class SimulatedCamera(Instrument):
    """Camera of the simulated rig; it fills the role `vbsense.instruments.camera.role.Camera`.

    Parameters
    ----------
    name : str
        Name of the instrument, unique in the process.
    host : str
        Address of the rig.
    port : int
        TCP port of its camera.
    timeout : float
        For short replies (s).

    Examples
    --------
    >>> camera = SimulatedCamera("camera", "127.0.0.1", 5027)  # doctest: +SKIP
    >>> camera.arm(1, 0.01); frame = camera.read(1.0); camera.stop()  # doctest: +SKIP
    """

    def __init__(self, name: str, host: str, port: int, *, timeout: float = 2.0) -> None:
        self._link = Link(host, port, timeout)
        self._timeout, self._asked = timeout, False
        super().__init__(name)
        rows, columns = (int(number(part, "SENS:SHAP?")) for part in self.ask("SENS:SHAP?").split(","))
        self.shape = (rows, columns)
        sensor = {key: number(self.ask(command), command) for key, (command, _) in SENSOR.items()}
        self.pixel_size, self.gain = sensor["pixel_size"], sensor["gain"]
        self.offset, self.read_noise = sensor["offset"], sensor["read_noise"]
        self.excess_noise = sensor["excess_noise"]
        self.saturation = int(sensor["saturation"])
        self.add_parameter("sensor", get_cmd=lambda: {"shape": self.shape} | sensor)
        self.add_parameter("exposure", get_cmd=None, set_cmd=None, unit="s", initial_cache_value=None)

    def arm(self, frames: int, exposure: float) -> None:
        """Start a sequence; see `Camera.arm`."""
        checked("frames", frames, 1, 10_000_000, "1")
        checked("exposure", exposure, 1e-6, 3600.0, "s")
        self.exposure.cache.set(exposure)
        self.write(f"ARM {int(frames)},{exposure:.9g}")

    def read(self, timeout: float) -> Frame:
        """Return the next frame; see `Camera.read`. A request that timed out stays on the way."""
        if not self._asked:
            self._link.send("FETC?")
            self._asked = True
        block = self._link.block(timeout)
        self._asked = False
        if len(block) != FRAME_HEADER.size + 2 * self.shape[0] * self.shape[1]:
            raise ProtocolError(f"{self.name}: a frame of {len(block)} bytes does not fit {self.shape}")
        counter, start = FRAME_HEADER.unpack_from(block)
        return Frame(np.frombuffer(block, "<u2", offset=FRAME_HEADER.size).reshape(self.shape), counter, start)

    def stop(self) -> None:
        """End the sequence; see `Camera.stop`."""
        if self._asked:
            self._link.reopen()  # the frame that was asked for must not answer a later question
            self._asked = False
        self.ask("ABOR;*OPC?")

    def write_raw(self, cmd: str) -> None:
        """Send a command."""
        self._link.send(cmd)

    def ask_raw(self, cmd: str) -> str:
        """Send a query and return its line."""
        self._link.send(cmd)
        try:
            return self._link.line(self._timeout)
        except BaseException:
            self._link.reopen()
            raise

    def get_idn(self) -> dict[str, str | None]:
        """Identity, as QCoDeS wants it."""
        return {"vendor": "vbsense", "model": "simulated camera", "serial": None, "firmware": None}

    def close(self) -> None:
        """Close the connection; the sensor sees no change."""
        self._link.close()
        super().close()

    def snapshot_base(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        """Snapshot without questions: a sequence may be running."""
        return super().snapshot_base(update=False)
