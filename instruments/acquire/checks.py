"""What a pass must look like to be accepted: no frame lost, doubled or late, and what is saturated."""

from __future__ import annotations

from vbsense.instruments.camera.role import Frame

__all__ = ["SATURATED", "FrameCheck", "Rejected"]

SATURATED = 1  # bit in the flags of a frame
TOLERANCE = 0.5  # of the interval between two frames


class Rejected(Exception):
    """This pass cannot be used; the text says why."""


class FrameCheck:
    """Looks at the frames of one pass as they come.

    Parameters
    ----------
    saturation : int
        Largest count of the camera.

    Examples
    --------
    >>> import numpy as np
    >>> check = FrameCheck(saturation=4095)
    >>> check(Frame(np.zeros((2, 2), np.uint16), 0, 0.00))
    0
    >>> check(Frame(np.zeros((2, 2), np.uint16), 2, 0.02))
    Traceback (most recent call last):
        ...
    vbsense.instruments.acquire.checks.Rejected: frame 1 is missing: frame 2 came next
    """

    def __init__(self, saturation: int) -> None:
        self._saturation, self.saturated = saturation, 0
        self._counter, self._time, self._interval = -1, 0.0, 0.0

    def __call__(self, frame: Frame) -> int:
        """Return the flags of a frame.

        Raises
        ------
        Rejected
            If it is not the frame that comes next.
        """
        last, now = self._counter, frame.counter
        if now <= last:
            raise Rejected(f"frame {now} came twice")
        if now > last + 1:
            raise Rejected(f"frame {last + 1} is missing: frame {now} came next")
        self._check_time(frame)
        self._counter = now
        is_saturated = bool(frame.counts.max() >= self._saturation)
        self.saturated += is_saturated
        return SATURATED if is_saturated else 0

    def _check_time(self, frame: Frame) -> None:
        interval, self._time = frame.time - self._time, frame.time
        if frame.counter == 1:
            self._interval = interval
        elif frame.counter > 1 and abs(interval - self._interval) > TOLERANCE * self._interval:
            raise Rejected(
                f"frame {frame.counter} came {interval:.3g} s after the last one, not {self._interval:.3g} s"
            )
