"""The image of one spot: point-spread function, footprint and pixel area folded into one.

Two ways. Gaussian by Gaussian, and Gaussian by an unturned square, factorise into x and y and have closed forms. All
else is folded once by Fourier transforms on a grid finer than a pixel, with the exact transforms of footprint and
pixel, and looked up by Lagrange polynomials through 6 x 6 points. A window of whole pixels around the spot comes
out: fraction of the light on each pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.optics.psf import GaussianPSF
from vbsense.optics.spots import FWHM, reach, transfer

if TYPE_CHECKING:
    from vbsense.optics.array import SensorArray

__all__ = ["Separable", "Tabulated", "stamp"]

POINTS_PER_DETAIL = 20
LARGEST_TABLE = 4096
STENCIL = np.arange(-2, 4)


def stamp(array: SensorArray, psf: Any, pixel: float) -> Separable | Tabulated:
    """The window of one spot, by the exact way where there is one."""
    if isinstance(psf, GaussianPSF):
        if array.spot_shape == "gaussian":
            return Separable(pixel, float(np.hypot(psf.sigma, array.spot_size / FWHM)), 0.0)
        quarters = array.rotation / (np.pi / 2)
        if array.spot_shape == "square" and abs(quarters - round(quarters)) < 1e-12:
            return Separable(pixel, psf.sigma, array.spot_size)
    parameters = getattr(type(psf), "__dataclass_params__", None)
    tabulate = _kept if parameters is not None and parameters.frozen else _tabulate
    return tabulate(psf, array.spot_shape, array.spot_size, array.rotation, pixel)


@dataclass(frozen=True)
class Separable:
    """Gaussian of `sigma`, box of `side` (0: none) and pixel: an integral along each axis (all in m)."""

    pixel: float
    sigma: float
    side: float

    @property
    def half(self) -> int:
        """Pixels from the middle to the rim of the window."""
        return 1 + int((6.5 * self.sigma + self.side / 2) / self.pixel)

    @property
    def peak(self) -> float:
        """Largest fraction of the light on one pixel."""
        return float(self._profile(np.zeros(1))[0] ** 2)

    def block(self, x: float, y: float, across: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Light on pixels ``up`` x ``across`` (whole numbers) of a spot at (x, y) m from pixel (0, 0)."""
        return self._profile(up * self.pixel - y)[:, None] * self._profile(across * self.pixel - x)

    def _profile(self, offset: np.ndarray) -> np.ndarray:
        """Light on pixels at these distances from the spot, along one axis."""
        from scipy.special import ndtr

        # The profile is even: on the left, the tail is not a difference of numbers near 1.
        offset, s = -np.abs(offset), self.sigma
        if not self.side:
            return ndtr((offset + self.pixel / 2) / s) - ndtr((offset - self.pixel / 2) / s)
        wide, narrow = (self.pixel + self.side) / 2, (self.pixel - self.side) / 2
        edges = offset + np.array([wide, narrow, -narrow, -wide])[:, None]
        # Twice the integral of a Gaussian; two boxes are its second difference.
        twice = edges * ndtr(edges / s) + s / np.sqrt(2 * np.pi) * np.exp(-0.5 * (edges / s) ** 2)
        return (twice[0] - twice[1] - twice[2] + twice[3]) / self.side


@dataclass(frozen=True, eq=False)
class Tabulated:
    """Light on a pixel against its place relative to the spot, on a grid of ``pixel / fine``."""

    pixel: float
    fine: int
    half: int
    values: np.ndarray  # (n, n), the spot in the middle

    @property
    def peak(self) -> float:
        """Largest fraction of the light on one pixel."""
        return float(self.values.max())

    def block(self, x: float, y: float, across: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Light on pixels ``up`` x ``across`` (whole numbers) of a spot at (x, y) m from pixel (0, 0)."""
        start_y, weight_y = self._stencil(y, up)
        start_x, weight_x = self._stencil(x, across)
        rows, columns = self.fine * up.size, self.fine * across.size
        lines = np.zeros((up.size, self.values.shape[1]))
        for k, w in zip(start_y, weight_y, strict=True):
            lines += w * self.values[k : k + rows : self.fine]
        light = np.zeros((up.size, across.size))
        for k, w in zip(start_x, weight_x, strict=True):
            light += w * lines[:, k : k + columns : self.fine]
        return light

    def _stencil(self, place: float, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Grid points about the first pixel, and their Lagrange weights; the same hold for all other pixels."""
        exact = -place / self.pixel * self.fine
        whole = int(np.floor(exact))
        t = exact - whole
        weights = [np.prod([(t - j) / (i - j) for j in STENCIL if j != i]) for i in STENCIL]
        return len(self.values) // 2 + int(pixels[0]) * self.fine + whole + STENCIL, np.array(weights)


@lru_cache(maxsize=16)
def _kept(psf: Any, shape: str, size: float, rotation: float, pixel: float) -> Tabulated:
    """`_tabulate` for functions that never change."""
    return _tabulate(psf, shape, size, rotation, pixel)


def _tabulate(psf: Any, shape: str, size: float, rotation: float, pixel: float) -> Tabulated:
    fine = int(np.ceil(POINTS_PER_DETAIL * pixel / getattr(psf, "detail", psf.fwhm)))
    half = 1 + int((psf.radius + reach(shape, size)) / pixel)
    n = half * fine + fine + 4  # the farthest stencil of a spot that is up to one pixel off
    if 2 * n + 1 > LARGEST_TABLE:
        raise ValueError(
            f"the image of one spot spans {2 * half + 1} pixels in steps of 1/{fine} pixel, more than the "
            f"{LARGEST_TABLE} points of a table: pixel_size is {pixel:.4g} m, spot_size {size:.4g} m, radius and fwhm "
            f"of the point-spread function {psf.radius:.4g} and {psf.fwhm:.4g} m; check their units"
        )
    values = _fold(psf, shape, size, rotation, pixel, pixel / fine, n)
    values.setflags(write=False)
    return Tabulated(pixel, fine, half, values)


def _fold(psf: Any, shape: str, size: float, rotation: float, pixel: float, step: float, n: int) -> np.ndarray:
    """Light on a pixel at all grid points up to n steps away, ``(2 n + 1, 2 n + 1)``."""
    from scipy import fft

    length = fft.next_fast_len(2 * n + 1, real=True)
    place = fft.fftfreq(length, 1 / length) * step
    light = fft.rfft2(psf(place, place[:, None])) * step**2
    total = float(light[0, 0].real)
    if not abs(total - 1) < 0.02:
        raise ValueError(f"the integral of psf over the plane is {total:.4g}; it must be 1 (density in 1/m^2)")
    kx, ky = 2 * np.pi * fft.rfftfreq(length, step), 2 * np.pi * fft.fftfreq(length, step)[:, None]
    c, s = np.cos(rotation), np.sin(rotation)
    light *= transfer(shape, size, c * kx + s * ky, c * ky - s * kx)
    light *= transfer("square", pixel, kx, ky) * (pixel**2 / step**2 / total)
    folded = fft.irfft2(light, (length, length))
    around = np.arange(-n, n + 1)
    return folded[np.ix_(around, around)].copy()
