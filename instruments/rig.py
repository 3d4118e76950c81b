"""A rig: the instruments of one experiment, what they may do, and the guard that stands behind them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol

from vbsense.instruments.camera.role import Camera
from vbsense.instruments.guard import Guard, Output
from vbsense.instruments.limits import Limits

__all__ = ["CurrentSource", "MicrowaveSource", "Rig"]


class MicrowaveSource(Protocol):
    """A source whose list is stepped by the camera; `RohdeSchwarzSMx` is one."""

    power_range: tuple[float, float]  # dBm

    def checked_list(self, frequencies: Any, power: Any) -> Any:
        """Raise if an entry is out of range; sends nothing."""

    def program_list(self, frequencies: Any, power: Any) -> None:
        """Load a list (Hz, dBm); the output stays as it is."""

    def arm(self) -> None:
        """Output on, list at its start: the next trigger takes the first point."""

    def reset_list(self) -> None:
        """List back at its start, output on."""

    def off(self) -> None:
        """Output off, read back."""

    def check_errors(self, command: str) -> None:
        """Raise what the instrument complains about."""


class CurrentSource(Protocol):
    """A current source that ramps; `GS200Current` is one."""

    def start(self) -> None:
        """Output on at 0 A."""

    def ramp(self, target: float) -> None:
        """Go to a current (A) and read it back."""

    def zero(self) -> None:
        """0 A and output off, read back."""

    def check_errors(self, command: str) -> None:
        """Raise what the instrument complains about."""


class Rig:
    """Instruments that belong together; a context manager that leaves everything off and closed.

    Parameters
    ----------
    source : MicrowaveSource
        For example a `RohdeSchwarzSMx`.
    current : CurrentSource
        For example a `GS200Current`.
    camera : Camera
        The master of the clock.
    limits : Limits
        What may be set.
    attributes : mapping, optional
        What the station knows and every sweep should carry: bias field, sensor array, ...
    wait : callable
        Waits for a number of seconds.
    seed : int, optional
        Of a simulated rig.
    on_close : callable, optional
        Called last.

    Examples
    --------
    >>> with Rig(source, current, camera, limits=limits) as rig:  # doctest: +SKIP
    ...     sweep = odmr_sweep(rig, frequency, run="run-1", exposure=0.1, power=10.0, currents=(1e-3, -1e-3))

    Notes
    -----
    The guard process runs from here to `close`: whatever ends this Python, the outputs go off.
    """

    def __init__(
        self,
        source: Any,
        current: Any,
        camera: Camera,
        *,
        limits: Limits,
        attributes: Mapping[str, Any] | None = None,
        wait: Callable[[float], Any] = time.sleep,
        seed: int | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.source: MicrowaveSource = source
        self.current: CurrentSource = current
        self.camera, self.limits, self.wait, self.seed = camera, limits, wait, seed
        self.attributes = dict(attributes or {})
        self._on_close, self._closed = on_close, False
        self.guard = Guard([Output.of(source), Output.of(current)])

    def all_off(self) -> None:
        """Camera stopped, microwave off, 0 A; every one is tried, whatever the others do.

        Raises
        ------
        ExceptionGroup
            Of everything that could not be switched off.
        """
        troubles = []
        for switch in (self.source.off, self.current.zero, self.camera.stop):
            try:
                switch()
            except Exception as error:
                troubles.append(error)
        if troubles:
            raise ExceptionGroup("not everything could be switched off; look at the instruments", troubles)

    def snapshot(self) -> dict[str, Any]:
        """Settings of all instruments, asked for now."""
        instruments = {"source": self.source, "current": self.current, "camera": self.camera}
        return {
            name: device.snapshot(update=True) for name, device in instruments.items() if hasattr(device, "snapshot")
        }

    def close(self) -> None:
        """Switch off, send the guard home, close the instruments; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self.all_off()
        except BaseException:
            self.guard.abandon()  # it tries on its own connections
            raise
        else:
            self.guard.release()
        finally:
            self._close_instruments()

    def _close_instruments(self) -> None:
        try:
            for instrument in (self.source, self.current, self.camera):
                if hasattr(instrument, "close"):
                    instrument.close()
        finally:
            if self._on_close is not None:
                self._on_close()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close()
        except Exception as failure:
            if error is None:
                raise
            error.add_note(f"closing the rig failed as well: {failure}")
