"""Every picture with weights, and at a place, of its own: conjugate gradients, steered by the factor of the mean one.

Weights that differ by a third between pictures, or spots that lie elsewhere on the pixels, change the normal matrix
little as seen through the inverse of another: a few steps are enough, where a factor for every picture would be dear.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._bands import Source, bands_of
from vbsense.analysis._unmix_design import Design
from vbsense.analysis._unmix_noise import Noise, Survey, weighted

__all__ = ["Pictures", "unmix_each"]

LEAST_SEEN = 0.1  # a site with a smaller fraction of its light on good pixels is not measured
_BYTES = 1 << 25  # of the pictures that are worked on together
_STEPS = 200
_CLOSE = 1e-6  # squared error of the solution that is left, in units of the noise


@dataclass(frozen=True)
class Pictures:
    """What is known of the pictures before each is solved.

    Attributes
    ----------
    seen : Survey
    places : ndarray, (plane, frequency, 2)
        Shift of every picture along y and x (m).
    count : ndarray, (plane, frequency)
        Frames behind each, where a prior is weighed against them; else 1.
    noise : Noise
    """

    seen: Survey
    places: np.ndarray
    count: np.ndarray
    noise: Noise


def unmix_each(
    sweep: xr.Dataset, pictures: Pictures, design_at: Callable[[np.ndarray], Design], solver: Any, start: np.ndarray,
    *, own_weights: bool,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Solve picture by picture.

    Parameters
    ----------
    sweep : xarray.Dataset
        Images; one plane of them (all frequencies) is in memory at a time, as it is stored.
    pictures : Pictures
    design_at : callable
        From a shift (y, x) in m to a design.
    solver : Solver
        Of the mean picture.
    start : ndarray, (site + k, plane, frequency)
        Light and background of which the first weights are made.
    own_weights : bool
        Weights from the solution of each picture in place of those from `start`.

    Returns
    -------
    light : ndarray, (site + k, plane, frequency)
    information : ndarray, (site, plane, frequency)
        That a frame of each picture holds on a site beside known neighbours (1/electron^2); 0 for a site off the
        picture.
    """
    light, information = np.empty(start.shape), np.zeros((solver.sites, *start.shape[1:]))
    good = ~pictures.seen.bad
    most = max(_BYTES // (8 * good.size), 1)
    known: tuple[bytes, Any] = (b"", None)
    for plane in range(start.shape[1]):
        signal = _plane(sweep, plane)
        for place, members in _groups(pictures.places[plane]):
            if known[0] != place.tobytes():
                known = (place.tobytes(), _in_sight(design_at(place), good))
            for first in range(0, members.size, most):
                part = members[first : first + most]
                task = _Task(known[1], solver, pictures.noise, good, signal[part], pictures.count[plane, part])
                light[:, plane, part], information[:, plane, part] = task.run(start[:, plane, part], own_weights)
    return light, information


def _plane(sweep: xr.Dataset, plane: int) -> np.ndarray:
    """All pictures of a plane, ``(frequency, pixel)``, as they are stored."""
    signal, source = sweep["signal"], Source(sweep)
    parts = [source.read(b, "signal") for b in bands_of(signal) if b.plane == plane]
    joined = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    return joined.reshape(sweep.sizes["frequency"], -1)


def _groups(places: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places (y, x), each with the pictures there."""
    distinct, member = np.unique(places, axis=0, return_inverse=True)
    return [(place, np.flatnonzero(member.ravel() == k)) for k, place in enumerate(distinct)]


def _in_sight(design: Design, good: np.ndarray) -> Design:
    """Without the light of sites that hardly any good pixel sees here."""
    from scipy.sparse import diags_array

    fraction = np.asarray(design.images.T @ good.astype(float))
    if (fraction > LEAST_SEEN).all():
        return design
    kept = design.images @ diags_array((fraction > LEAST_SEEN).astype(float))
    kept = kept.tocsc()
    kept.eliminate_zeros()
    kept.sort_indices()
    return Design(kept, design.background, design.width)


@dataclass
class _Task:
    """Some pictures with one design."""

    design: Design
    solver: Any
    noise: Noise
    good: np.ndarray
    signal: np.ndarray  # (picture, pixel)
    count: np.ndarray  # (picture,)

    def run(self, start: np.ndarray, own_weights: bool) -> tuple[np.ndarray, np.ndarray]:
        """Light (site + k, picture) and information (site, picture)."""
        weight = self._weight(start)
        light = self._solve(weight)
        if own_weights:
            weight = self._weight(light)
            light = self._solve(weight)
        squares = self.design.squares
        own = np.asarray(squares @ weight)
        truth = self.noise.excess * np.maximum(self.design.model(light), 0.0) + self.noise.read**2
        spread = np.asarray(squares @ (weight**2 * truth))
        return light, np.divide(own**2, np.maximum(spread, 0.1 * own), out=np.zeros_like(own), where=own > 0)

    def _weight(self, z: np.ndarray) -> np.ndarray:
        """One over the variance of every pixel, ``(pixel, picture)``."""
        model = np.nan_to_num(self.design.model(z))
        for m in range(model.shape[1]):
            model[:, m] = 1 / self.noise.variance(model[:, m])
        model[~self.good] = 0.0
        return model

    def _apply(self, weight: np.ndarray, z: np.ndarray) -> np.ndarray:
        return self.count * self.design.right(weight * self.design.model(z))

    def _solve(self, weight: np.ndarray) -> np.ndarray:
        solver = self.solver
        right = self.count * self.design.right(weighted(self.signal, weight))
        offset = np.broadcast_to(solver.offset, (self.design.size, 1)) * np.ones(self.count.size)
        residual = solver.from_light(right - self._apply(weight, offset))
        z, step, last = np.zeros_like(residual), np.zeros_like(residual), np.ones(self.count.size)
        for _ in range(_STEPS):
            guess = solver.unknowns(residual)
            left = (residual * guess).sum(axis=0)
            if (left <= _CLOSE).all():
                return solver.to_light(z) + offset
            step = guess + np.divide(left, last, out=np.zeros_like(left), where=last > 0) * step
            product = solver.from_light(self._apply(weight, solver.to_light(step))) + solver.ridge * step
            bend = (step * product).sum(axis=0)
            length = np.divide(left, bend, out=np.zeros_like(left), where=bend > 0)
            z, residual, last = z + length * step, residual - length * product, left
        warnings.warn(
            f"{int((left > _CLOSE).sum())} pictures did not settle in {_STEPS} steps; they are left out: check "
            "the shifts, or leave out pictures that lie far from the others",
            UserWarning,
            stacklevel=2,
        )
        return np.where(left > _CLOSE, np.nan, solver.to_light(z) + offset)
