"""A point-spread function from the microscope itself."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._numbers import reals
from vbsense.optics._checks import length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["MeasuredPSF"]


@dataclass(frozen=True, eq=False)
class MeasuredPSF:
    """The image of a point source, for example of a small bead or of the mean of many spots.

    Parameters
    ----------
    image : array_like, (ny, nx)
        Density at the centres of the pixels, in any unit, background subtracted: at least 4 x 4. Single values
        may be negative, as noise makes them.
    pixel_size : float
        On the sample (m).

    Raises
    ------
    ValueError
        If the image has no light in total, or its centroid lies outside it: the background is wrong.

    Warns
    -----
    UserWarning
        If the rim of the image is brighter than 5 % of the peak on average: light is cut, or background left.

    Notes
    -----
    The origin is the centroid of the image. Between pixels the density is a bicubic spline through all values; the
    rectangle through the outermost pixel centres holds all light. A camera's image has its own pixel area
    already in it, which `spot_images` then counts twice.

    Examples
    --------
    >>> from vbsense.optics import GaussianPSF
    >>> x = np.arange(-8, 9) * 100e-9
    >>> bead = MeasuredPSF(7.0 * GaussianPSF(440e-9)(x, x[:, None]), 100e-9)
    >>> round(bead.fwhm * 1e9), round(float(bead(0, 0) / GaussianPSF(440e-9)(0, 0)), 3)
    (440, 1.0)
    """

    image: NDArray[np.float64]
    pixel_size: float

    def __post_init__(self) -> None:
        image = np.array(reals("image", self.image, "an array (ny, nx)"))
        object.__setattr__(self, "pixel_size", length("pixel_size", self.pixel_size))
        if image.ndim != 2 or min(image.shape) < 4:
            raise ValueError(f"image has shape {image.shape}; it must be (ny, nx), at least 4 x 4")
        if not np.isfinite(image).all():
            bad = tuple(int(n) for n in np.argwhere(~np.isfinite(image))[0])
            raise ValueError(f"image is {image[bad]} at {bad}; give finite values")
        if not image.sum() > 0:
            raise ValueError(
                f"image adds up to {image.sum():.6g}; it must hold light: too much background is subtracted"
            )
        _warn_rim(image)
        image.setflags(write=False)
        object.__setattr__(self, "image", image)
        inside = [0 <= c <= n - 1 for c, n in zip(self._centroid, image.shape, strict=True)]
        if not all(inside):
            raise ValueError(
                f"the centroid of image lies at pixel {self._centroid}, outside the {image.shape}: "
                "the background that was subtracted is wrong"
            )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, MeasuredPSF)
            and self.pixel_size == other.pixel_size
            and np.array_equal(self.image, other.image)
        )

    def __hash__(self) -> int:
        return hash((self.pixel_size, self.image.shape, self.image.tobytes()))

    @property
    def _centroid(self) -> tuple[float, float]:
        """Row and column of the centroid."""
        light = self.image / self.image.sum()
        return float(np.arange(light.shape[0]) @ light.sum(axis=1)), float(
            light.sum(axis=0) @ np.arange(light.shape[1])
        )

    @property
    def detail(self) -> float:
        """Twice the pixel (m): nothing finer is in the image."""
        return 2 * self.pixel_size

    @cached_property
    def radius(self) -> float:
        """Distance of the farthest corner from the centroid (m)."""
        far = [max(c, n - 1 - c) for c, n in zip(self._centroid, self.image.shape, strict=True)]
        return float(np.hypot(*far)) * self.pixel_size

    @cached_property
    def _spline(self) -> Any:
        """The density with its unit integral, as a function of row and column."""
        from scipy.interpolate import RectBivariateSpline

        ny, nx = self.image.shape
        spline = RectBivariateSpline(np.arange(ny), np.arange(nx), self.image)
        light = spline.integral(0, ny - 1, 0, nx - 1) * self.pixel_size**2
        return RectBivariateSpline(np.arange(ny), np.arange(nx), self.image / light)

    @cached_property
    def fwhm(self) -> float:
        """Diameter of a disc as large as the area where the density is above half its maximum (m)."""
        rows, columns = (np.linspace(0, n - 1, 20 * (n - 1) + 1) for n in self.image.shape)
        fine = self._spline(rows, columns)
        area = np.count_nonzero(fine >= 0.5 * fine.max()) * (self.pixel_size / 20) ** 2
        return float(2 * np.sqrt(area / np.pi))

    def __call__(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Density (1/m^2) at distances x, y (m), which broadcast."""
        x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        row, column = (c + v / self.pixel_size for c, v in zip(self._centroid, (y, x), strict=True))
        ny, nx = self.image.shape
        inside = (row >= 0) & (row <= ny - 1) & (column >= 0) & (column <= nx - 1)
        out = np.zeros(x.shape)
        out[inside] = self._spline.ev(row[inside], column[inside])
        return out


def _warn_rim(image: np.ndarray) -> None:
    rim = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]]).mean()
    if rim > 0.05 * image.max():
        warnings.warn(
            f"the rim of image has {rim / image.max():.1%} of the peak on average: light is cut off, "
            "or background is left",
            UserWarning,
            stacklevel=4,
        )
