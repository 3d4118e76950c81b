"""Fits a sweep band by band, with as much in memory as a few bands take, and the same bits as all at once.

Bands are read and fitted, then failed pixels are tried again from their neighbours, some of which lie in the bands
above and below; so a band is done when the next one has been fitted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.analysis._bands import Band, Source, bands_of
from vbsense.analysis._plan import Plan
from vbsense.analysis._results import Results, Scratch, joined
from vbsense.analysis._retry import Retry
from vbsense.analysis._saturated import Saturation
from vbsense.analysis._task import Task
from vbsense.flags import FATAL, FLAGS
from vbsense.storage.ordered import in_order

__all__ = ["Job", "Solved", "fit_bands"]

BUDGET = 1 << 28  # bytes of all bands that are in memory at a time


@dataclass
class Solved:
    """A band that has been fitted, with its data if they are still here."""

    band: Band
    results: Results
    signal: np.ndarray | None = None
    error: np.ndarray | None = None


class Job:
    """One sweep that is fitted in bands.

    Parameters
    ----------
    source : Source
        Of the data.
    plan : Plan
        Of the whole fit; its signal only has a shape.
    masked : ndarray of bool, (spectra,)
        What is left out.
    saturation : Saturation
        Which pixels to flag.
    threads : int, default 1
        How many work on it; on one band together, where two of them would take too much memory.
    """

    def __init__(
        self, source: Source, plan: Plan, masked: np.ndarray, saturation: Saturation, *, threads: int = 1
    ) -> None:
        self.source, self.task, self.masked, self.saturation = source, Task(plan), masked, saturation
        self.bands = bands_of(source.sweep["signal"])
        largest = max(band.last - band.first for band in self.bands) * self.bands[0].width
        size = largest * plan.signal.shape[1] * plan.signal.dtype.itemsize * (1 if plan.error is None else 2)
        self.at_once = max(min(threads, BUDGET // (8 * size), len(self.bands)), 1)
        self.inside = -(-threads // self.at_once)

    def solve(self, band: Band) -> Solved:
        """Read and fit a band."""
        signal, error = self.read(band)
        results = self.task.solve(band.plane, signal, error, *self.said(band.spectra), threads=self.inside)
        return Solved(band, results, signal, error)

    def read(self, band: Band) -> tuple[np.ndarray, np.ndarray | None]:
        """Signal and error of a band."""
        given = self.task.plan.error is not None
        error = self.source.read(band, "signal_err", threads=self.inside) if given else None
        return self.source.read(band, "signal", threads=self.inside), error

    def said(self, spectra: slice) -> tuple[dict[int, Any], np.ndarray]:
        """Start values and mask of some spectra, as the caller gave them."""
        start = {i: v for i, v in self.task.plan.options.start.items() if v.ndim}
        return {i: v.ravel()[spectra] for i, v in start.items()}, self.masked[spectra]

    def finish(self, window: list[Solved]) -> tuple[int, Results]:
        """Try failed pixels of the second of three bands again, and flag saturated ones."""
        this = window[1]
        results = this.results
        if (results.flags & FATAL).any():
            results = self._retry(*window)
        if self.saturation.needs_signal and this.signal is None:
            this.signal, this.error = self.read(this.band)
        mask = self.saturation.of(this.band.plane, this.band.first, this.band.last, this.signal)
        if mask is not None:
            results = results.part(0, results.flags.size)
            results.flags[mask] |= FLAGS["saturated"].bit
        return this.band.spectra.start, results

    def _retry(self, before: Solved | None, this: Solved, after: Solved | None) -> Results:
        near = [s for s in (before, this, after) if s is not None]
        for solved in near:
            if solved.signal is None:
                solved.signal, solved.error = self.read(solved.band)
        edges = [_edge(s, this) for s in near]
        results = joined([s.results.part(e.start, e.stop) for s, e in zip(near, edges, strict=True)])
        first, last = (edges[0].stop - edges[0].start if before else 0, results.flags.size)
        last -= edges[-1].stop - edges[-1].start if after else 0
        outside = np.r_[0:first, last : results.flags.size]
        # Failed ones of the bands beside are left to their own turn.
        results.flags[outside] |= np.where(results.flags[outside] & FATAL, FLAGS["masked"].bit, 0).astype(np.uint16)
        number = this.band.spectra.start - first
        signal, error = (_stacked([getattr(s, name) for s in near], edges) for name in ("signal", "error"))
        plan = self.task.of(this.band.plane, signal, error, self.said(slice(number, number + results.flags.size))[0])
        sweep = self.source.shaped(this.band.first - bool(before), this.band.last + bool(after))
        again = Retry(plan, results, sweep)
        for _ in in_order(again.work, again.parts, threads=self.inside):
            pass
        results = results.part(first, last)
        results.order_lines(plan.model, plan.options)
        return results


def _edge(solved: Solved, this: Solved) -> slice:
    """The pixels of a band that `this` needs: all of its own, one row of those beside."""
    total, width = solved.results.flags.size, solved.band.width
    if solved is this:
        return slice(0, total)
    return slice(total - width, total) if solved.band.first < this.band.first else slice(0, width)


def _stacked(parts: list[np.ndarray | None], edges: list[slice]) -> Any:
    """Data (frequency, pixel) of several bands side by side; None if there are none."""
    cut = [p.reshape(len(p), -1)[:, e] for p, e in zip(parts, edges, strict=True) if p is not None]
    return np.concatenate(cut, axis=1) if cut else None


def fit_bands(job: Job, out: Results | Scratch, *, client: Any = None, progress: bool = False) -> None:
    """Fit all bands of `job` into `out`, in its threads or on the workers of `client`."""
    if client is not None:
        from vbsense.analysis._cluster import solve_on

        solved: Any = solve_on(client, job)
    else:
        solved = in_order(job.solve, job.bands, threads=job.at_once)
    with contextlib.closing(solved), contextlib.closing(_finished(job, solved)) as done:
        for first, results in _shown(done, len(job.bands), progress):
            out.join(first, results)


def _finished(job: Job, solved: Iterable[Solved]) -> Any:
    return in_order(job.finish, _windows(solved), threads=job.at_once)


def _windows(solved: Iterable[Solved]) -> Iterator[list[Any]]:
    """Each band between those above and below; None where there is none."""
    before = this = None
    for after in solved:
        if this is not None:
            yield [before, this, after if after.band.beside(this.band) else None]
        before = this if this is not None and after.band.beside(this.band) else None
        this = after
    yield [before, this, None]


def _shown(done: Any, total: int, progress: bool) -> Any:
    if not progress:
        return done
    from tqdm import tqdm

    return tqdm(done, total=total, desc="fit", unit="band")
