"""Where the spots of a sweep lie and how wide they are: what was given, or what the sweep knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense._numbers import number
from vbsense.analysis._unmix_design import Design, background_columns
from vbsense.data import LayoutError
from vbsense.layout import require
from vbsense.optics import GaussianPSF, SensorArray, spot_images

__all__ = ["Geometry", "geometry_of"]


@dataclass(frozen=True)
class Geometry:
    """A lattice, a point-spread function and the pixels that see them.

    Attributes
    ----------
    array : SensorArray
        In the coordinates of the sweep.
    psf : PointSpread
    pixel : float
        m.
    shape : (int, int)
    origin : (float, float)
        x and y of the first pixel (m): a cropped sweep does not start at 0.
    """

    array: SensorArray
    psf: Any
    pixel: float
    shape: tuple[int, int]
    origin: tuple[float, float]

    def images(self, shift: Any = (0.0, 0.0)) -> Any:
        """Images of all spots, moved by a shift along y and x (m); ``(pixel, site)``."""
        x, y = self.array.center
        seen = replace(self.array, center=(x - self.origin[0] + shift[1], y - self.origin[1] + shift[0]))
        return spot_images(seen, shape=self.shape, pixel_size=self.pixel, psf=self.psf)

    def design(self, background: str, shift: Any = (0.0, 0.0)) -> Design:
        """Spots that must lie inside the picture, and background."""
        images = self.images(shift)
        check_inside(images)
        return Design(images, background_columns(background, self.shape), self.shape[1])


def geometry_of(sweep: xr.Dataset, sites: Any, psf_fwhm: float | None, psf: Any) -> Geometry:
    """Lattice and point-spread function as given, else from the attributes; pixels from the coordinates.

    Parameters
    ----------
    sweep : xarray.Dataset
    sites : SensorArray, or object with `array` and `psf_fwhm`, optional
    psf_fwhm : float, optional
    psf : PointSpread, optional
    """
    require(sweep, "sweep")
    if "y" not in sweep["signal"].dims:
        raise LayoutError(f"signal has dimensions {sweep['signal'].dims}; unmixing needs images (frequency, y, x)")
    array, found_width = _array(sweep, sites)
    shape = (sweep.sizes["y"], sweep.sizes["x"])
    origin = (float(sweep["x"].values[0]), float(sweep["y"].values[0]))
    if psf_fwhm is None:
        psf_fwhm = found_width if psf is None else None
    elif psf is not None:
        raise ValueError("psf and psf_fwhm are both given; give one of them")
    if psf is None:
        psf = GaussianPSF(_width(sweep, psf_fwhm))
    return Geometry(array, psf, _pixel_size(sweep), shape, origin)


def _array(sweep: xr.Dataset, sites: Any) -> tuple[SensorArray, float | None]:
    if sites is None:
        if "sensor_array" not in sweep.attrs:
            raise LayoutError("the sweep does not say where its sensors are; pass sites=SensorArray(...)")
        return SensorArray.from_json(sweep.attrs["sensor_array"]), None
    if isinstance(sites, SensorArray):
        return sites, None
    array = getattr(sites, "array", None)
    if not isinstance(array, SensorArray):
        raise TypeError(f"sites is a {type(sites).__name__}; give a SensorArray, or what find_array returns")
    return array, getattr(sites, "psf_fwhm", None)


def _width(sweep: xr.Dataset, width: Any) -> float:
    if width is None:
        width = sweep.attrs.get("psf_fwhm")
    if width is None:
        raise LayoutError(
            "the sweep has no attribute 'psf_fwhm'; pass the width of the point-spread function in metres"
        )
    return number("psf_fwhm", width, "m, the width of the point-spread function", positive=True)


def _pixel_size(sweep: xr.Dataset) -> float:
    steps = np.concatenate([np.diff(sweep["x"].values), np.diff(sweep["y"].values)])
    if steps.size == 0:
        raise LayoutError("the sweep has a single pixel; unmixing needs images")
    if not np.allclose(steps, steps[0], rtol=1e-3):
        raise LayoutError("the coordinates x and y are not evenly spaced; unmixing needs square pixels without gaps")
    return float(steps.mean())


def check_inside(images: Any) -> None:
    """ValueError if half of the light of a site misses the picture."""
    seen = np.asarray(images.sum(axis=0)).ravel()
    outside = np.flatnonzero(seen < 0.5)
    if outside.size:
        raise ValueError(
            f"{outside.size} sites, the first is number {outside[0]}, lie outside the image: "
            "check pitch, rotation and centre of the lattice (metres, from the centre of pixel (0, 0))"
        )
