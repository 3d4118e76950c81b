"""What is known of a lattice beforehand: checked once, in the units of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense._names import choices
from vbsense.analysis._lattice_light import Light
from vbsense.analysis._lattice_spots import FWHM
from vbsense.optics import SensorArray

__all__ = ["TIES", "Wanted", "wanted"]

# Which changes of (pitch, pitch_y, rotation, shear, x, y, sigma) a kind of lattice allows.
TIES = {
    "oblique": np.eye(7),
    "rectangular": np.eye(7)[:, [0, 1, 2, 4, 5, 6]],
    "square": np.column_stack([np.eye(7)[0] + np.eye(7)[1], np.eye(7)[:, [2, 4, 5, 6]]]),
}
BACKGROUNDS = {"auto": None, "constant": 0, "plane": 1, "quadratic": 2}
SHORTEST, LONGEST = 1.2, 0.9  # pixels, and of the picture


@dataclass(frozen=True)
class Wanted:
    """The request; lengths in pixels."""

    pitch: float | None
    pitch_y: float | None
    shape: tuple[int, int] | None
    design: SensorArray | None
    spot: SensorArray  # whose size, shape and depth the result takes over
    sigma: float | None
    kind: str
    degree: int | None

    @property
    def tie(self) -> np.ndarray:
        """Allowed changes of the geometry, one per column."""
        kind = "square" if self.shape is not None and 1 in self.shape else self.kind
        tie = TIES[kind]
        return tie if self.sigma is None else tie[:, ~tie[6].astype(bool)]


def wanted(
    light: Light, attrs: dict[Any, Any], *, pitch: Any, shape: Any, design: Any, spot_size: Any, psf_fwhm: Any,
    lattice: str, background: str,
) -> Wanted:  # fmt: skip
    """The request in pixels, or a refusal that names the value."""
    if design is not None and not isinstance(design, SensorArray):
        raise TypeError(f"design is a {type(design).__name__}; give a SensorArray (or pitch and shape)")
    if design is not None and design.sites is not None:
        raise ValueError("design is a list of sites, not a lattice: its pitch and rotation cannot be fitted")
    if design is not None and (pitch is not None or shape is not None):
        raise ValueError("design says the pitch and the shape; leave out pitch and shape beside it")
    for name, value, names in (("lattice", lattice, list(TIES)), ("background", background, list(BACKGROUNDS))):
        if value not in names:
            raise ValueError(f"{name} is {value!r}; {choices(value, names)}")
    # SensorArray and GaussianPSF know what a pitch, a shape, a size or a width may be.
    checked = SensorArray(1e-6 if pitch is None else pitch, (1, 1) if shape is None else shape, spot_size=1e-10)
    spot = _spot(attrs, design, spot_size)
    known = design if design is not None else checked
    has_pitch, has_shape = design is not None or pitch is not None, design is not None or shape is not None
    request = Wanted(
        known.pitch / light.pixel if has_pitch else None,
        known.pitch_y / light.pixel if known.pitch_y is not None else None,
        known.shape if has_shape else None, design, spot, _sigma(light, psf_fwhm), lattice, BACKGROUNDS[background],
    )  # fmt: skip
    _check_size(light, request)
    return request


def _spot(attrs: dict[Any, Any], design: SensorArray | None, size: Any) -> SensorArray:
    """An array with the spots that are known, from the design or from the attributes of the sweep."""
    if design is None and "sensor_array" in attrs:
        design = SensorArray.from_json(attrs["sensor_array"])
    if design is None:
        return SensorArray(1e-2, (1, 1), spot_size=100e-9 if size is None else size)
    return SensorArray(
        1e-2, (1, 1), spot_size=design.spot_size if size is None else size, thickness=design.thickness,
        spot_shape=design.spot_shape, depth_profile=design.depth_profile,
    )  # fmt: skip


def _sigma(light: Light, psf_fwhm: Any) -> float | None:
    from vbsense.optics import GaussianPSF

    return None if psf_fwhm is None else GaussianPSF(psf_fwhm).fwhm / light.pixel / FWHM


def _check_size(light: Light, request: Wanted) -> None:
    ny, nx = light.good.shape
    field = f"{nx} x {ny} pixels of {light.pixel * 1e9:.4g} nm"
    if request.pitch is not None and not SHORTEST < request.pitch < LONGEST * max(ny, nx):
        raise ValueError(
            f"pitch is {request.pitch * light.pixel:.4g} m, {request.pitch:.3g} pixels; the picture has {field}: "
            "it must be longer than a pixel and shorter than the picture, in metres (400 nm is 400e-9)"
        )
    if request.shape == (1, 1):
        raise ValueError("shape is (1, 1): fewer spots than parameters; a single spot has neither pitch nor rotation")
    size = request.spot.spot_size / light.pixel
    if size > max(ny, nx):
        raise ValueError(f"spot_size is {request.spot.spot_size:.4g} m, larger than the picture ({field})")
    if request.sigma is not None and not 0.2 < request.sigma * FWHM < max(ny, nx):
        raise ValueError(
            f"psf_fwhm is {request.sigma * FWHM * light.pixel:.4g} m, {request.sigma * FWHM:.3g} pixels; the picture "
            f"has {field}; lengths are in metres"
        )
