"""The field that a model reads against the true one, refined where the pixels are, and its branches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vbsense.analysis._refit import Refit

__all__ = ["JUMP", "Curve", "also_below", "best_branch", "refined"]

_TOLERANCE = 0.3e-6  # T: of the interpolation, before the last halving of the steps
_FINEST = 10e-6  # T: steps are not halved below; what still jumps there is torn
JUMP = 1e-3  # T: no linewidth that is a little wrong does this; another minimum of the fit does


@dataclass
class Curve:
    """Apparent against true field (T), and for each step whether it is to be halved or cannot be."""

    true: np.ndarray  # (n,)
    apparent: np.ndarray  # (n,)
    fresh: np.ndarray  # (n - 1,) bool: nobody has looked into it, or it was too coarse
    torn: np.ndarray  # (n - 1,) bool: it jumps, however short

    def halve(self, look: np.ndarray, middle: np.ndarray, seen: np.ndarray, coarse: np.ndarray) -> None:
        """Put points into the steps `look`; those that were `coarse` are looked at again, or are torn."""
        at = np.flatnonzero(look)
        fine = np.diff(self.true)[at] < 2 * _FINEST
        self.fresh[at], self.torn[at] = coarse & ~fine, coarse & fine
        times = np.where(look, 2, 1)
        self.fresh, self.torn = np.repeat(self.fresh, times), np.repeat(self.torn, times)
        self.true, self.apparent = np.insert(self.true, at + 1, middle), np.insert(self.apparent, at + 1, seen)


def refined(again: Refit, width: float, read: np.ndarray, true: np.ndarray) -> Curve:
    """Halve the steps around the pixels until the middle of each is where the others say, or it is torn."""
    from scipy.interpolate import CubicSpline

    n = true.size - 1
    curve = Curve(true, again(true, width)[0], np.ones(n, bool), np.zeros(n, bool))
    ends = None
    while True:
        branch = best_branch(curve.apparent, curve.torn, read)
        if (curve.true[branch][0], curve.true[branch][-1]) != ends:  # another spline near its ends
            ends = curve.true[branch][0], curve.true[branch][-1]
            curve.fresh[branch.start : branch.start + 3] = curve.fresh[max(branch.stop - 4, 0) : branch.stop - 1] = True
        x, y = curve.apparent[branch], curve.true[branch]
        look = curve.fresh & ~curve.torn & (np.diff(curve.true) > _FINEST) & _around(curve, branch, read)
        if not look.any():
            return curve
        middle = (curve.true[:-1] + curve.true[1:])[look] / 2
        seen = again(middle, width)[0]
        said = CubicSpline(x, y, extrapolate=False)(seen) if x.size > 1 else np.full(seen.size, np.nan)
        curve.halve(look, middle, seen, ~(np.abs(said - middle) < _TOLERANCE))


def best_branch(apparent: np.ndarray, torn: np.ndarray, read: np.ndarray) -> slice:
    """The stretch of rising apparent field that holds most pixels; of equals the highest."""
    rising = (np.diff(apparent) > 0) & ~torn  # NaN does not rise
    ends = np.flatnonzero(np.diff(np.concatenate([[0], rising, [0]])))
    best, most = slice(0, 1), -1.0
    for first, last in ends.reshape(-1, 2).tolist():
        held = float(((read >= apparent[first]) & (read <= apparent[last])).sum())
        if held >= most:
            best, most = slice(first, last + 1), held
    return best


def _around(curve: Curve, branch: slice, read: np.ndarray) -> np.ndarray:
    """Steps of the branch among the pixels, one more on either side, and where the branch breaks off."""
    x = curve.apparent[branch]
    inner = (x[1:] >= read.min()) & (x[:-1] <= read.max())
    wider = np.zeros(curve.true.size + 1, bool)
    for shift in (0, 1, 2):
        wider[branch.start + shift : branch.start + shift + inner.size] |= inner
    wider[branch.start] = True
    if read.max() > x[-1]:
        wider[branch.stop] = True
    return wider[1:-1]


def also_below(curve: Curve, first: int, read: np.ndarray) -> np.ndarray:
    """Pixels that could be a field below the branch, which starts at point `first`, as well."""
    true, apparent = curve.true[:first], curve.apparent[:first]
    # Next to the branch what was read turns or jumps: all up to its top is in doubt.
    near = (true > curve.true[first] / 2) & (apparent < 1.3 * curve.true[first])
    twice = read <= np.max(apparent, where=near, initial=0.0)
    for a, b in pairwise(apparent):
        if abs(b - a) < JUMP:  # not NaN
            twice |= np.abs(read - (a + b) / 2) <= abs(b - a)
    return twice
