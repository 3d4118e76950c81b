"""What a map says of the field: values, places, and the noise that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from vbsense.data import LayoutError
from vbsense.optics import SensorArray

__all__ = ["MapData", "read_map"]


@dataclass(frozen=True, eq=False)
class MapData:
    """Field values ``(component, site)`` with their noise."""

    components: tuple[str, ...]
    B: np.ndarray  # T
    x: np.ndarray  # (site,) m
    y: np.ndarray
    good: np.ndarray  # (component, site) bool
    error: np.ndarray  # T, 1 where it is not good
    roots: tuple[np.ndarray | None, ...]  # of every component: factor of the correlation of its good sites
    known_error: bool

    @property
    def count(self) -> int:
        """Number of good values."""
        return int(self.good.sum())

    def whiten(self, values: np.ndarray) -> np.ndarray:
        """Values ``(..., component, site)`` in units of their error and uncorrelated, ``(..., good value)``."""
        from scipy.linalg import solve_triangular

        parts = []
        for k, (good, root) in enumerate(zip(self.good, self.roots, strict=True)):
            scaled = values[..., k, good] / self.error[k, good]
            if root is not None and good.any():
                flat = scaled.reshape(-1, scaled.shape[-1])
                scaled = solve_triangular(root, flat.T, lower=True).T.reshape(scaled.shape)
            parts.append(scaled)
        return np.concatenate(parts, axis=-1)


def read_map(field: xr.Dataset) -> MapData:
    """Values of all components of B in a map; what is not a number, or has no error, is left out."""
    if "B" not in field:
        raise LayoutError("the map has no 'B'; a wire is fitted to its field")
    components = tuple(str(c) for c in field["component"].values)
    B = field["B"].values.reshape(len(components), -1).astype(float)
    # Without errors any even weight will do, but not one that makes the residuals look small already.
    even = np.full_like(B, 1e-6 * np.max(np.abs(B), initial=1e-12, where=np.isfinite(B)))
    error = field["B_err"].values.reshape(B.shape).astype(float) if "B_err" in field else even
    good = np.isfinite(B) & np.isfinite(error) & (error > 0)
    x, y = _places(field)
    roots = tuple(_root(field, own) for own in good)
    return MapData(components, B, x, y, good, np.where(good, error, 1.0), roots, "B_err" in field)


def spot_of(field: xr.Dataset) -> SensorArray:
    """What a value of the map is averaged over: a spot of its array, or its pixel."""
    if "sensor_array" in field.attrs and "site" in field["B"].dims:
        return SensorArray.from_json(field.attrs["sensor_array"])
    if "site" in field["B"].dims:
        raise LayoutError("the map does not say what its sites are; pass array=SensorArray(...)")
    steps = np.concatenate([np.diff(field["x"].values), np.diff(field["y"].values)])
    if steps.size == 0:
        raise LayoutError("the map has a single pixel; its size is unknown: pass array=SensorArray(...)")
    return SensorArray(float(steps[0]), (1, 1), spot_size=float(steps[0]), thickness=0.0)


def _places(field: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every value of a component (m), in its order."""
    if "site" in field["B"].dims:
        return field["x"].values, field["y"].values
    x, y = np.meshgrid(field["x"].values, field["y"].values)
    return x.ravel(), y.ravel()


def _root(field: xr.Dataset, good: np.ndarray) -> np.ndarray | None:
    """Factor of the noise correlation of the good sites, None where the map holds none."""
    if "site_correlation" not in field:
        return None
    correlation = field["site_correlation"].values
    if correlation.shape != (good.size, good.size):
        raise LayoutError(
            f"site_correlation has shape {correlation.shape} for {good.size} sites: select the same of 'site2'"
        )
    own = correlation[np.ix_(good, good)]
    if not np.isfinite(own).all():
        raise LayoutError("site_correlation holds NaN between sites that have values: leave these sites out")
    try:
        return np.linalg.cholesky(own)
    except np.linalg.LinAlgError:
        raise LayoutError("site_correlation is not positive definite: it is no correlation of noise") from None
