"""The engine: it carries out a plan, frame by frame onto the disk, and leaves everything off.

The camera is the master of the clock: the end of each exposure steps the list of the source. The list
of a pass is the whole palindrome, loaded once; a pass is one such list at one polarity; a sweep is one
pass for each polarity. A pass that fails its checks is taken again with its sweep.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vbsense.instruments.acquire.checks import FrameCheck, Rejected
from vbsense.instruments.acquire.finish import finalise, header, known_attributes, refuse_used
from vbsense.instruments.acquire.plan import Plan
from vbsense.instruments.camera.role import Frame
from vbsense.instruments.errors import InstrumentFault, InstrumentTimeout
from vbsense.instruments.interrupts import Interrupts
from vbsense.instruments.rig import Rig
from vbsense.spool import Key, Spool

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SweepRejected", "odmr_sweep"]

ATTEMPTS = 4  # of one sweep
PATIENCE = 2.0  # s that a frame may be late
SLICE = 0.2  # s: while it waits for a frame, the engine looks this often whether the guard lives
NO_DRIVE = -120.0  # dBm, a reference point; or what the source can go down to


class SweepRejected(RuntimeError):
    """One sweep failed its checks several times in a row; the sweeps before it are in the spool."""


def odmr_sweep(
    rig: Rig,
    frequency: Any,
    *,
    run: str | Path,
    exposure: float,
    power: float,
    currents: Sequence[float] = (),
    averages: int = 1,
    order: str = "palindrome",
    reference: bool = False,
    progress: bool = True,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Acquire an ODMR sweep; every frame is on the disk before the next one is asked for.

    Parameters
    ----------
    rig : Rig
        For example from `simulated_rig`.
    frequency : array_like, (n,)
        Ascending (Hz).
    run : path-like
        New folder for the spool and the file ``sweep.h5``.
    exposure : float
        Of one frame (s).
    power : float
        At the source (dBm).
    currents : sequence of float
        Empty, one current, or +I and -I (A).
    averages : int
        Number of sweeps.
    order : {"palindrome", "up"}
        See `Plan`.
    reference : bool
        Take every point a second time with the drive off.
    progress : bool
        Show a progress bar.
    attributes : mapping, optional
        Added to those of the rig.

    Returns
    -------
    xarray.Dataset
        A sweep, see `vbsense.data.make_sweep`, with dimensions ``polarity`` and ``direction`` where there are several.

    Raises
    ------
    ValueError, TypeError, FileExistsError, OSError
        If the plan is impossible on this rig or on this disk; no byte was sent to an instrument then.
    SweepRejected, InstrumentFault, GuardLost
        If the acquisition had to stop. Microwave and current are off, and what was measured is kept.

    Examples
    --------
    >>> with simulated_rig(scene) as rig:  # doctest: +SKIP
    ...     sweep = odmr_sweep(rig, frequency, run="run1", exposure=0.01, power=0.0, currents=(1e-3, -1e-3))
    """
    run = Path(run)
    values = tuple(frequency) if hasattr(frequency, "__iter__") else frequency
    plan = Plan(values, exposure, power, currents, averages, order, reference, seed=rig.seed)
    plan.check(rig.limits)
    rig.source.checked_list(*_list(plan, rig))
    plan.check_disk(run, rig.camera.shape)
    refuse_used(run)
    known = known_attributes(rig.attributes | dict(attributes or {}))
    _acquire(rig, plan, run, progress=progress, attributes=known)
    return finalise(run)


def _list(plan: Plan, rig: Rig) -> tuple[list[float], float | list[float]]:
    """Frequencies (Hz) and power or powers (dBm) of one pass, as the source gets them."""
    points = plan.points()
    frequencies = [plan.frequency[point.frequency] for point in points]
    dark = max(NO_DRIVE, rig.source.power_range[0])
    return frequencies, [plan.power if point.drive else dark for point in points] if plan.reference else plan.power


def _acquire(rig: Rig, plan: Plan, run: Path, *, progress: bool, attributes: dict[str, Any]) -> None:
    interrupts = Interrupts()
    with interrupts:
        rig.guard.check()
        with Spool(run, header(rig, plan, attributes)) as spool, ExitStack() as exits:
            exits.callback(_switch_off, rig, interrupts)
            try:
                _Acquisition(rig, plan, spool, progress=progress).carry_out()
            except BaseException as error:
                advice = f"what was measured is kept; turn it into a file with: vbsense recover {run} OUT.h5"
                error.add_note(advice)
                if isinstance(error, SystemExit):  # of a signal; Python ends without showing it
                    print(f"vbsense: stopped by a signal; {advice}", file=sys.stderr)
                raise


def _switch_off(rig: Rig, interrupts: Interrupts) -> None:
    with interrupts.shielded():
        rig.all_off()


class _Acquisition:
    """One run: the only thing here with a state, because its frames come one after the other."""

    def __init__(self, rig: Rig, plan: Plan, spool: Spool, *, progress: bool) -> None:
        from tqdm.auto import tqdm

        self.rig, self.plan, self.spool = rig, plan, spool
        self.points, self.list = plan.points(), _list(plan, rig)
        self.bar = tqdm(total=plan.frames, unit="frame", disable=not progress, mininterval=0.2, dynamic_ncols=True)
        self.epoch = time.time()
        self.is_programmed = False

    def carry_out(self) -> None:
        """All sweeps."""
        with self.bar:
            for sweep in range(self.plan.averages):
                self._sweep(sweep)

    def _sweep(self, sweep: int) -> None:
        """One sweep, repeated until it passes its checks."""
        reasons = []
        for _ in range(ATTEMPTS):
            done = self.bar.n
            try:
                for current in self.plan.currents or (0.0,):
                    self._pass(sweep, current)
                self.spool.commit_sweep(sweep, True)
                return
            except (Rejected, InstrumentFault) as error:
                reasons.append(str(error))
                self.spool.commit_sweep(sweep, False, reasons[-1])
                self._start_again(done)
        why = "; ".join(dict.fromkeys(reasons))
        raise SweepRejected(f"sweep {sweep} failed {ATTEMPTS} times, the acquisition stops; reasons: {why}")

    def _start_again(self, done: int) -> None:
        """After a fault nobody knows the state of the instruments: off, and all of it once more."""
        self.is_programmed = False
        self.rig.all_off()
        self.bar.n = done
        self.bar.refresh()

    def _pass(self, sweep: int, current: float) -> None:
        """The list once, at one current."""
        self._prepare(current)
        camera, check = self.rig.camera, FrameCheck(self.rig.camera.saturation)
        camera.arm(len(self.points) + 1, self.plan.exposure)
        check(self._next_frame())  # its end takes the first point; what it saw was the end of the last list
        sign = (current > 0) - (current < 0)
        for point in self.points:
            frame = self._next_frame()
            self._store(frame, Key(sweep, sign, *point), check(frame))
        camera.stop()
        self._check_queues()

    def _prepare(self, current: float) -> None:
        """Current there, list at its start, microwave on: all before the camera starts."""
        rig = self.rig
        if not self.is_programmed:
            rig.camera.stop()  # a sequence that somebody left armed would step the list
            rig.source.program_list(*self.list)
            if self.plan.currents:
                rig.current.start()
            rig.source.arm()
            self.is_programmed = True
        if self.plan.currents:
            rig.current.ramp(current)
        rig.source.reset_list()

    def _next_frame(self) -> Frame:
        """The next frame, while the guard is watched."""
        deadline = time.monotonic() + self.plan.exposure + PATIENCE
        while True:
            self.rig.guard.check()
            try:
                return self.rig.camera.read(SLICE)
            except InstrumentTimeout as error:
                if time.monotonic() > deadline:
                    raise Rejected("a frame did not come: it was lost, or the camera stopped") from error

    def _store(self, frame: Frame, key: Key, flags: int) -> None:
        self.spool.append(frame.counts, key, time=self.epoch + frame.time, counter=frame.counter, flags=flags)
        self.bar.update()

    def _check_queues(self) -> None:
        self.rig.source.check_errors("a pass")
        self.rig.current.check_errors("a pass")
