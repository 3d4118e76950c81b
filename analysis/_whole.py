"""Fits a sweep that is in memory, all of it, block by block in threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._block import BLOCK, solve_block
from vbsense.analysis._plan import Plan
from vbsense.analysis._results import Results
from vbsense.analysis._retry import Retry
from vbsense.analysis._saturated import Saturation
from vbsense.flags import FLAGS

__all__ = ["fit_whole"]


def fit_whole(
    sweep: xr.Dataset, plan: Plan, masked: np.ndarray, saturation: Saturation, *, threads: int, progress: bool
) -> Results:
    """Fit all spectra of a plan, try those that failed again, and flag saturated ones.

    Parameters
    ----------
    sweep : xarray.Dataset
        Says who is next to whom.
    plan : Plan
        With the signal of all spectra.
    masked : ndarray of bool, (spectra,)
        What is left out.
    saturation : Saturation
        Which pixels to flag.
    threads : int
        How many.
    progress : bool
        Show a progress bar.
    """
    total = masked.size
    out = Results(len(plan.model.parameters), total, plan.covariance)

    def work(first: int) -> None:
        last = min(first + BLOCK, total)
        out.put(first, last, *solve_block(plan, first, last, masked[first:last]))

    _run(work, range(0, total, BLOCK), threads, progress)
    out.order_lines(plan.model, plan.options)
    again = Retry(plan, out, sweep)
    _run(again.work, again.parts, threads, False)
    out.order_lines(plan.model, plan.options)
    planes = plan.signal.shape[0]
    for plane, flags in enumerate(out.flags.reshape(planes, -1)):
        mask = saturation.of(plane, 0, None, plan.signal[plane])
        if mask is not None:
            flags[mask] |= FLAGS["saturated"].bit
    return out


def _run(work: Callable[[int], None], firsts: range, threads: int, progress: bool) -> None:
    if threads == 1 or len(firsts) < 2:
        done: Any = map(work, firsts)
        _consume(done, len(firsts), progress)
        return
    with ThreadPoolExecutor(min(threads, len(firsts))) as pool:
        _consume(pool.map(work, firsts), len(firsts), progress)


def _consume(done: Any, total: int, progress: bool) -> None:
    if progress:
        from tqdm import tqdm

        done = tqdm(done, total=total, desc="fit", unit="block")
    for _ in done:
        pass
