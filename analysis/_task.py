"""The fit of some pixels as a value: all that it needs but the data, so that it can go to another process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vbsense.analysis._block import BLOCK, solve_block
from vbsense.analysis._plan import Plan
from vbsense.analysis._read import as_planes
from vbsense.analysis._results import Results
from vbsense.storage.ordered import in_order

__all__ = ["Task"]


class Task:
    """What the fits of all parts of a sweep have in common.

    Parameters
    ----------
    plan : Plan
        Of the whole fit; its signal and error only have a shape.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __getstate__(self) -> Plan:
        start = {i: value for i, value in self.plan.options.start.items() if value.ndim == 0}
        none = np.empty((*self.plan.signal.shape[:2], 0), self.plan.signal.dtype)
        options = replace(self.plan.options, start=start)
        return replace(self.plan, kernel=None, signal=none, error=None, options=options)

    def __setstate__(self, plan: Plan) -> None:
        self.plan = replace(plan, kernel=plan.model.compiled(plan.half))

    def of(self, plane: int, signal: np.ndarray, error: np.ndarray | None, start: dict[int, Any]) -> Plan:
        """The plan of some pixels of one plane, ``signal`` (frequency, ...)."""
        one, plan = slice(plane, plane + 1), self.plan
        return replace(
            plan, signal=as_planes(signal), error=None if error is None else as_planes(error),
            measured=plan.measured[one], count=plan.count[one], roots=plan.roots[one],
            frames=None if plan.frames is None else plan.frames[one],
            options=replace(plan.options, start=plan.options.start | start),
        )  # fmt: skip

    def solve(
        self, plane: int, signal: np.ndarray, error: np.ndarray | None, start: dict[int, Any], masked: np.ndarray,
        *, threads: int = 1,
    ) -> Results:  # fmt: skip
        """Fit some pixels of one plane.

        Parameters
        ----------
        plane : int
            Number of the image.
        signal, error : ndarray, (frequency, ...)
            Electrons; `error` may be None.
        start : dict of int to ndarray, (pixel,)
            Start values of parameters that have one for each pixel.
        masked : ndarray of bool, (pixel,)
            Pixels to leave out.
        threads : int, default 1
            How many.
        """
        plan, total = self.of(plane, signal, error, start), masked.size
        out = Results(len(plan.model.parameters), total, plan.covariance)

        def work(first: int) -> None:
            last = min(first + BLOCK, total)
            out.put(first, last, *solve_block(plan, first, last, masked[first:last]))

        for _ in in_order(work, range(0, total, BLOCK), threads=threads):
            pass
        out.order_lines(plan.model, plan.options)
        return out
