"""A field map as a picture for Fourier methods: values without holes, their variance, and where they are measured."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

from vbsense.analysis._fourierfill import fill_holes, variance_of_filled
from vbsense.analysis._fourierwindow import Array
from vbsense.data import LayoutError
from vbsense.layout import require

__all__ = ["Picture", "pictures_of", "pixel_steps", "require_pixels"]


@dataclass(frozen=True)
class Picture:
    """One component of a field on pixels."""

    component: str
    values: Array  # (y, x) T, without holes and without its mean
    mean: float  # T, taken off
    variance: Array | None  # (y, x) T^2 of noise, 0 in holes; None where the map has no errors
    doubt: Array  # (y, x) T, by how much filled values may err; 0 elsewhere
    valid: np.ndarray  # (y, x) bool
    steps: tuple[float, float]  # m, along y and x

    @property
    def noise(self) -> float | None:
        """Mean variance of the valid pixels (T^2), None if unknown."""
        return None if self.variance is None else float(self.variance[self.valid].mean())

    def variance_or(self, noise: float) -> Array:
        """Variance of every pixel (T^2), `noise` where the map has no errors."""
        return np.where(self.valid, noise, 0.0) if self.variance is None else self.variance


def require_pixels(field: xr.Dataset, *, what: str) -> xr.Dataset:
    """Check that `field` is a map of B on even pixels, which was not smoothed; `what` needs it."""
    require(field, "map")
    if "B" not in field:
        raise LayoutError(f"the map has no field 'B'; {what} needs one, from field_map or make_map")
    if "site" in field["B"].dims:
        raise LayoutError(
            f"the map lies on sites; {what} works on pixels: for sites fit a conductor (fit_wire), or a current "
            "density with method='tikhonov'"
        )
    if "user_smoothing" in field.attrs:
        raise ValueError(
            f"the map was smoothed, so that neighbours share their noise; give the map as it was before: {what} "
            "smooths as much as the noise asks for"
        )
    pixel_steps(field)
    if "error_correlation" in field and "B_err" in field:
        warnings.warn(
            f"the map is itself the result of a filter, so that neighbours share their noise; {what} takes it for "
            "independent, and its errors are wrong: start from the measured map, or drop B_err",
            UserWarning,
            stacklevel=3,
        )
    return field


def pixel_steps(field: xr.Dataset) -> tuple[float, float]:
    """Size of a pixel along y and x (m)."""
    given = field.attrs.get("pixel_size")
    found: dict[str, float] = {}
    for axis in ("y", "x"):
        steps = np.diff(field[axis].values)
        if steps.size and not np.allclose(steps, steps[0], rtol=1e-3):
            raise LayoutError(f"the coordinate {axis!r} is not evenly spaced; Fourier methods need pixels without gaps")
        if steps.size:
            found[axis] = float(steps.mean())
    if len(found) < 2:
        raise LayoutError(f"the map has {field.sizes['y']} x {field.sizes['x']} pixels; it needs two rows and columns")
    if given is not None and not 1e-3 < found["x"] / float(given) < 1e3:
        raise LayoutError(
            f"the coordinate x has steps of {found['x']:.3g} m and attrs['pixel_size'] is {given!r} m; correct one"
        )
    return found["y"], found["x"]


def pictures_of(field: xr.Dataset) -> dict[str, Picture]:
    """The components of a checked map, in the order x, y, z."""
    steps = pixel_steps(field)
    return {c: _picture(field, c, steps) for c in sorted(field["component"].values.tolist())}


def _picture(field: xr.Dataset, component: str, steps: tuple[float, float]) -> Picture:
    values = field["B"].sel(component=component).values.astype(float)
    valid, square = np.isfinite(values), None
    if "B_err" in field:
        error = field["B_err"].sel(component=component).values.astype(float)
        if (error < 0).any():
            raise LayoutError("B_err has negative values; an error is zero or more")
        if np.isfinite(error).any():
            valid &= np.isfinite(error)  # a value without an error was not measured
            square = error**2
    if not valid.any():
        raise ValueError(f"component {component!r} of the map has no valid pixel")
    if square is not None:
        square = np.where(valid, square, 0.0)
    holes = np.where(valid, values, np.nan)
    filled, doubt = fill_holes(holes, steps), np.sqrt(variance_of_filled(holes, steps))
    mean = float(filled.mean())
    return Picture(component, filled - mean, mean, square, doubt, valid, steps)
