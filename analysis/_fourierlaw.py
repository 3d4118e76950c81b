"""The laws of a field above currents, wave by wave: from one component to all, from the field to the current.

Above every current the field is ``-grad phi`` with ``phi ~ exp(-k z)``: a wave b of Bz has the partners
``Bx = -i kx/k b`` and ``By = -i ky/k b``, and the stream function ``b / (mu0/2 k f)`` of a sheet below, where f holds
what distance, layers and pixels take. At k = 0 the three are independent of each other.

References
----------
B. J. Roth, N. G. Sepulveda, J. P. Wikswo, J. Appl. Phys. 65, 361 (1989), doi:10.1063/1.342549.
E. A. Lima, B. P. Weiss, J. Geophys. Res. 114, B06102 (2009), doi:10.1029/2008JB006006 (components from one).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.constants import mu_0

from vbsense.analysis._fourierwindow import Array, Waves
from vbsense.transfer_factors import footprint_factor, height_factor

__all__ = ["Sensing", "as_normal_field", "partners"]

FAINTEST = 1e-250  # responses below this are no numbers to divide by; their waves are lost long before


@dataclass(frozen=True)
class Sensing:
    """What lies between a sheet of current and the pixels (m)."""

    standoff: float  # top face of the conductor to the mean depth of the emitters
    thickness: float  # of the conductor
    depth: float  # of the layer of emitters
    footprint: tuple[float, float]  # over which a pixel averages, along y and x
    blur: float = 0.0  # full width at half maximum of the light that a pixel takes from its neighbours

    def response(self, kx: Array, ky: Array) -> Array:
        """Size of the field (T) of a wave of current of 1 A/m."""
        k, (y, x) = np.hypot(kx, ky), self.footprint
        if self.thickness or self.depth:
            middle = self.standoff + self.thickness / 2
            factor = height_factor(k, middle, thickness=self.thickness, depth=self.depth)
        else:
            factor = np.exp(-self.standoff * k)  # the same, in a third of the time
        if self.blur:
            factor = factor * footprint_factor(kx, ky, self.blur, "gaussian")
        return factor * (mu_0 / 2 * footprint_factor(kx, 0.0, x)) * footprint_factor(0.0, ky, y)

    def current(self, waves: Waves, weight: Array) -> tuple[NDArray, NDArray]:
        """Factors from Bz to Jx and Jy, filtered by `weight`: ``J = (dg/dy, -dg/dx)``; none at k = 0."""
        response = np.maximum(self.response(waves.kx, waves.ky), FAINTEST)
        inverse = np.where(weight > 0, weight, 0.0) / response * waves.per_k
        return 1j * waves.odd_y * inverse, -1j * waves.odd_x * inverse


def partners(waves: Waves) -> dict[str, NDArray]:
    """Every component of the field of a wave whose Bz is 1; at k = 0 only Bz."""
    per_k = waves.per_k
    return {"x": -1j * waves.odd_x * per_k, "y": -1j * waves.odd_y * per_k, "z": np.ones(waves.k.shape)}


def as_normal_field(waves: Waves, noise: Mapping[str, float]) -> tuple[dict[str, NDArray], Array]:
    """Factors with which measured components add up to the best Bz, and the variance of its waves.

    Parameters
    ----------
    waves : Waves
    noise : mapping of str to float
        Variance of one pixel of every measured component (T^2).

    Returns
    -------
    factors : dict of str to ndarray
        Of every component; their sum is Bz. Without a measured z they are 0 at k = 0.
    variance : ndarray
        Of one wave of the sum, where white noise of a pixel counts as itself (T^2).
    """
    response = {c: t for c, t in partners(waves).items() if c in noise}
    information = sum(np.abs(t) ** 2 / noise[c] for c, t in response.items())
    seen = information > 0
    variance = np.divide(1.0, information, out=np.zeros(seen.shape), where=seen)
    return {c: np.conj(t) / noise[c] * variance for c, t in response.items()}, variance
