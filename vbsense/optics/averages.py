"""The field that a spot feels: its average over the footprint and the depth of the emitting layer."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vbsense.optics._checks import number
from vbsense.optics.cubature import MOST_BOXES, adaptive_means
from vbsense.optics.lattice import rotation_matrix
from vbsense.optics.spots import chart, product_rule

if TYPE_CHECKING:
    from vbsense.optics.array import SensorArray

__all__ = ["SpotAverage", "adaptive_average", "fixed_average"]

Field = Callable[[np.ndarray], np.ndarray]


class SpotAverage(NamedTuple):
    """Averages over spots, with their numerical error."""

    field: np.ndarray  # (site, 3) T
    error: np.ndarray  # (site,) T, estimate of the length of the error vector


def adaptive_average(array: SensorArray, field: Field, middle: np.ndarray, *, tolerance: float) -> SpotAverage:
    """Average over spots like those of `array` at `middle`.

    Parameters
    ----------
    array : SensorArray
        Shape, size and rotation of the spots; depth profile.
    field : callable
        Maps points (..., 3) m to (..., 3) T.
    middle : ndarray, (site, 3)
        Middle of the spot at the mean depth of the emitters (m).
    tolerance : float
        Error allowed as a fraction of the largest mean |B| of a spot.
    """
    allowed = "a fraction from 1e-12 to below 1"
    if not 1e-12 <= number("tolerance", tolerance, allowed) < 1:
        raise ValueError(f"tolerance is {tolerance!r}; it must be {allowed}")
    spots = _Spots(array, field, middle)
    dims = 2 if spots.planes.size else 3
    mean, error, most = adaptive_means(spots, len(middle), dims, tolerance=tolerance)
    left = np.flatnonzero(error > most)
    if left.size:
        warnings.warn(
            f"the average over {left.size} spots, the first is number {left[0]}, has an error of up to "
            f"{error.max():.3g} T where {most:.3g} T is allowed: {MOST_BOXES} boxes did not suffice; the field "
            "jumps or diverges inside the spot, or the tolerance is too small",
            UserWarning,
            stacklevel=3,
        )
    return SpotAverage(mean, error)


def fixed_average(array: SensorArray, field: Field, middle: np.ndarray, *, order: tuple[int, int]) -> np.ndarray:
    """Average by a product rule with the same points for every spot, ``(site, 3)`` T; no error is known."""
    try:
        across_order, depth_order = (operator.index(n) for n in order)
    except (TypeError, ValueError):
        across_order = depth_order = 0
    if min(across_order, depth_order) < 1:
        raise ValueError(f"order is {order!r}; it must be two whole numbers, each at least 1: along a side, in depth")
    footprint, w_footprint = product_rule(array.spot_shape, array.spot_size, across_order)
    depth, w_depth = _depth_rule(array, depth_order)
    across = footprint @ rotation_matrix(array.rotation).T
    offsets = np.column_stack([np.repeat(across, depth.size, axis=0), np.tile(depth, len(across))])
    points = middle[:, None, :] + offsets
    return np.einsum("sqc,q->sc", _checked(field, points), np.outer(w_footprint, w_depth).ravel())


@dataclass(frozen=True)
class _Spots:
    """The integrand: field at points of the unit cube of each spot, weighted with the light there."""

    array: SensorArray
    field: Field
    middle: np.ndarray

    @property
    def planes(self) -> np.ndarray:
        """Heights of the planes above the mean depth; empty for an evenly filled layer."""
        uniform = self.array.depth_profile == "uniform" and self.array.thickness > 0
        return np.zeros(0) if uniform else _depth_rule(self.array, 1)[0]

    def __call__(self, site: np.ndarray, points: np.ndarray) -> np.ndarray:
        array = self.array
        offsets, density = chart(array.spot_shape, array.spot_size, points[..., :2])
        across = self.middle[site, None, :2] + offsets @ rotation_matrix(array.rotation).T
        height = self.middle[site, None, 2]
        if not self.planes.size:
            return self._weigh(np.dstack([across, height + points[..., 2] * array.thickness / 2]), density, site)
        _, weights = _depth_rule(array, 1)
        parts = [
            weight * self._weigh(np.dstack([across, np.broadcast_to(height + plane, density.shape)]), density, site)
            for plane, weight in zip(self.planes, weights, strict=True)
        ]
        return np.sum(parts, axis=0)

    def _weigh(self, points: np.ndarray, density: np.ndarray, site: np.ndarray) -> np.ndarray:
        field = _checked(self.field, points)
        if self.array.spot_shape == "square":
            return field
        # The even part of the field must not suffer from the quadrature of the density.
        centre = _checked(self.field, self.middle[site])[:, None, :]
        return centre + density[..., None] * (field - centre)


def _checked(field: Field, points: np.ndarray) -> np.ndarray:
    if not callable(field):
        hint = "give its .field" if hasattr(field, "field") else "give a function of points (..., 3) m"
        raise TypeError(f"field is a {type(field).__name__}; {hint}")
    values = np.asarray(field(points), dtype=float)
    if values.shape != points.shape:
        raise ValueError(f"field gave shape {values.shape} for points of shape {points.shape}; both must be (..., 3)")
    return values


def _depth_rule(array: SensorArray, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Heights above the mean depth (m) and weights of sum 1."""
    if array.depth_profile == "uniform":
        u, w = np.polynomial.legendre.leggauss(order if array.thickness else 1)
        return u * array.thickness / 2, w / 2
    heights, weights = map(np.array, array.depth_profile)
    return heights - array.mean_height, weights / weights.sum()
