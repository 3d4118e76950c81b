"""Point-spread functions: how the light of a point spreads over the picture.

Each is a frozen dataclass with ``fwhm`` (m), ``radius`` (m), beyond which it is cut, and a call ``psf(x, y)`` that
gives the density (1/m^2) at a distance (x, y) in the sample plane. The integral over the plane is 1: what lies
beyond the radius is cut off and the rest scaled up; ``cut`` says which fraction that was, where it is known.
``detail`` (m) is the width of the finest structure: tables of the function have 20 points on that length.
Any other class with fwhm, radius and a call will do for `vbsense.optics.spot_images`; the image of a spot is kept for
the next call if the class is a frozen dataclass, as these are, and made anew for any other, which may have changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vbsense.optics._checks import length
from vbsense.optics.diffraction import AiryPSF, HighNAPSF
from vbsense.optics.measured import MeasuredPSF

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["AiryPSF", "GaussianPSF", "HighNAPSF", "MeasuredPSF", "PointSpread"]


class PointSpread(Protocol):
    """What `spot_images` asks of a point-spread function."""

    @property
    def fwhm(self) -> float:
        """Full width at half maximum (m)."""

    @property
    def radius(self) -> float:
        """Distance beyond which the density is zero (m)."""

    def __call__(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Density (1/m^2) at distances x, y (m)."""


@dataclass(frozen=True)
class GaussianPSF:
    """A Gaussian: the usual stand-in for an in-focus microscope.

    Parameters
    ----------
    fwhm : float
        Full width at half maximum (m).

    Examples
    --------
    >>> psf = GaussianPSF(440e-9)
    >>> round(float(psf(220e-9, 0) / psf(0, 0)), 12), round(psf.radius * 1e9)
    (0.5, 1121)
    """

    fwhm: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "fwhm", length("fwhm", self.fwhm))

    @property
    def sigma(self) -> float:
        """Standard deviation along each axis (m)."""
        return float(self.fwhm / np.sqrt(8 * np.log(2)))

    @property
    def radius(self) -> float:
        """Six sigma (m)."""
        return 6 * self.sigma

    @property
    def cut(self) -> float:
        """Fraction of the light beyond the radius: 1.5e-8."""
        return float(np.exp(-18.0))

    @property
    def detail(self) -> float:
        """The full width (m)."""
        return self.fwhm

    def __call__(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Density (1/m^2) at distances x, y (m), which broadcast."""
        r = np.hypot(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        peak = 1 / (2 * np.pi * self.sigma**2 * (1 - self.cut))
        return np.where(r <= self.radius, peak * np.exp(-0.5 * (r / self.sigma) ** 2), 0.0)
