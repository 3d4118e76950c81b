"""Try failed pixels again, from the results of their neighbours: a field is smooth where light may be weak.

Only pixels that failed are touched, and what is written there depends on the spectrum and on neighbours that did not
fail in the first place: not on threads, on blocks, or on the order of the pixels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._block import BLOCK, Result, Spectra, attempt, load, search, to_physical
from vbsense.analysis._plan import Plan
from vbsense.analysis._rivals import flag_rivals, widen_combs
from vbsense.analysis._start import SIGNIFICANT
from vbsense.analysis._uneven import widen_uneven
from vbsense.flags import FATAL, FLAGS

__all__ = ["Retry", "nearest"]

MOST = 8  # neighbours
_HOPELESS = sum(FLAGS[name].bit for name in ("masked", "no_signal", "nan_input", "few_points"))
_AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]


class Retry:
    """The failed spectra of a fit, in parts that may be worked on by several threads.

    Parameters
    ----------
    plan : Plan
        Of the fit.
    out
        Its results: `values`, `errors` (parameter, spectrum), `chi2`, `flags`, `evaluations` and `covariance` or
        None; changed where a second try is better.
    sweep : xarray.Dataset
        Says who is next to whom.
    """

    def __init__(self, plan: Plan, out: Any, sweep: xr.Dataset) -> None:
        self.plan, self.out, self.sweep = plan, out, sweep
        flags = out.flags.copy()  # not what other parts write
        self._good = flags & FATAL == 0
        pixels = plan.signal.shape[2]
        failed = (
            np.flatnonzero((flags & FATAL != 0) & (flags & _HOPELESS == 0)) if self._good.any() else np.zeros(0, int)
        )
        planes = np.split(failed, np.searchsorted(failed, pixels * np.arange(1, plan.signal.shape[0])))
        self._parts = [own[k : k + BLOCK] for own in planes for k in range(0, own.size, BLOCK)]
        self.parts = range(len(self._parts))

    def work(self, part: int) -> None:
        """Try the spectra of one part again."""
        failed, pixels = self._parts[part], self.plan.signal.shape[2]
        plane = failed[0] // pixels
        beside = nearest(self.sweep, failed % pixels)
        there = np.where(beside >= 0, beside, 0) + plane * pixels
        beside[~self._good[there]] = -1
        some = (beside >= 0).any(1)
        failed, beside = failed[some], beside[some]
        if failed.size == 0:
            return
        own = _plan_of(self.plan, plane, failed % pixels)
        starts = self._starts(own, plane, beside)
        result, errors, better = _try(own, starts)
        _put(self.out, failed[better], result, errors, better)

    def _starts(self, own: Plan, plane: int, beside: np.ndarray) -> np.ndarray:
        """Results of the neighbours ``(1 + 8, n, parameter)`` in SI units, the median first; NaN where there are none.

        Electrons are scaled by the brightness of the two.
        """
        values = self.out.values[:, beside + plane * self.plan.signal.shape[2]].transpose(2, 1, 0).copy()
        values[beside.T < 0] = np.nan
        bright = [unit == "electron" for unit in own.model.units]
        if any(bright):
            valid = self.plan.measured[plane]
            level = self.plan.signal[plane][:, beside.T][valid].mean(0, dtype=float)
            ratio = own.signal[0][valid].mean(0, dtype=float) / np.where(beside.T >= 0, level, np.nan)
            values[:, :, bright] *= ratio[:, :, None]
        return np.concatenate([np.nanmedian(values, axis=0)[None], values])


def nearest(sweep: xr.Dataset, pixels: np.ndarray) -> np.ndarray:
    """Up to eight neighbours of each of the `pixels`: those around it on the grid, or the nearest sites.

    Parameters
    ----------
    sweep : xarray.Dataset
        With dimensions (y, x) or (site,) at the end.
    pixels : ndarray of int, (n,)
        Numbers counted over these dimensions.

    Returns
    -------
    ndarray of int, (n, 8)
        Numbers; -1 where there is none.
    """
    if "site" not in sweep["signal"].dims:
        rows, columns = sweep["signal"].shape[-2:]
        y, x = (
            pixels[:, None] // columns + [dy for dy, _ in _AROUND],
            pixels[:, None] % columns + [dx for _, dx in _AROUND],
        )
        return np.where((y >= 0) & (y < rows) & (x >= 0) & (x < columns), y * columns + x, -1)
    from scipy.spatial import KDTree

    places = np.stack([sweep[c].values for c in ("x", "y")], -1).astype(float)
    found = np.full((pixels.size, MOST), -1)
    if len(places) > 1:
        _, number = KDTree(places).query(places[pixels], min(MOST + 1, len(places)))
        for i, row in enumerate(number):
            others = row[row != pixels[i]][:MOST]
            found[i, : others.size] = others
    return found


def _plan_of(plan: Plan, plane: int, pixels: np.ndarray) -> Plan:
    """The plan of some pixels of one plane."""
    one, total = slice(plane, plane + 1), plan.signal.shape[2]

    def own(values: Any) -> Any:
        return values if values.ndim == 0 else values.ravel()[pixels + plane * total]

    return replace(
        plan,
        signal=np.ascontiguousarray(plan.signal[one, :, pixels]),
        error=None if plan.error is None else np.ascontiguousarray(plan.error[one, :, pixels]),
        measured=plan.measured[one], count=plan.count[one], roots=plan.roots[one],
        frames=None if plan.frames is None else plan.frames[one],
        options=replace(plan.options, start={i: own(value) for i, value in plan.options.start.items()}),
    )  # fmt: skip


def _try(plan: Plan, starts: np.ndarray) -> tuple[Result, np.ndarray, np.ndarray]:
    """Results and errors in SI units from the best of the `starts`, and which of them are better than what was."""
    n = plan.signal.shape[2]
    spectra = load(plan, 0, n, np.zeros(n, bool))
    result = search(plan, spectra)
    least = np.where(result.flags & FLAGS["not_converged"].bit != 0, result.chi2, np.inf)
    factor, shift = plan.scales(spectra.level)
    better = np.zeros(n, bool)
    for start in starts:
        scaled = (start - shift) / factor
        index = np.flatnonzero(np.isfinite(scaled).all(1) & ~better & (spectra.flags == 0))
        if index.size:
            some = spectra.take(index)
            other = attempt(plan, some, None, scaled[index])
            sound = _is_sound(plan, some, other, least[index])
            result.replace(index, other, sound)
            better[index[sound]] = True
    index = np.flatnonzero(better)
    if index.size:
        found = result.take(index)
        some = spectra.take(index)
        flag_rivals(plan, some, found, attempt)
        widen_combs(plan, some, found, attempt)
        widen_uneven(plan, some, found, attempt)
        result.replace(index, found, np.ones(index.size, bool))
    result, errors = to_physical(plan, spectra, result)
    return result, errors, better


def _is_sound(plan: Plan, spectra: Spectra, other: Result, least: np.ndarray) -> np.ndarray:
    """Whether a fit has found lines in the noise, and nothing less deep than where the first one gave up."""
    close = other.chi2 <= least * (1 + 1 / np.maximum(spectra.count - plan.free, 1))  # a sigma or less above
    stands_out = ~(other.drop < SIGNIFICANT * np.maximum(other.chi2, 1))
    return (other.flags & FATAL == 0) & close & stands_out


def _put(out: Any, numbers: np.ndarray, result: Result, errors: np.ndarray, which: np.ndarray) -> None:
    out.values[:, numbers], out.errors[:, numbers] = result.p[which].T, errors[which].T
    out.chi2[numbers], out.flags[numbers] = result.chi2[which], result.flags[which]
    out.evaluations[numbers] = result.evaluations[which]
    if out.covariance is not None:
        out.covariance[numbers] = result.covariance[which]
