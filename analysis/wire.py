"""From a field map to the conductor below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from vbsense.currents import WIDEST, Bar
from vbsense.data import LayoutError
from vbsense.layout import require
from vbsense.optics import SensorArray

__all__ = ["WireFit", "fit_wire"]

# Parameters that can be free, with the step of the numerical derivative.
STEPS = {"current": 1e-3, "standoff": 0.2e-9, "position": 0.5e-9, "width": 0.5e-9, "offset": 1e-7}


@dataclass(frozen=True)
class WireFit:
    """Result of `fit_wire`.

    Attributes
    ----------
    values, errors : mapping of str to float
        Fitted parameters and their 1-sigma errors: `current` (A), `standoff` (m), `position` (m, shift
        across the wire), `width` (m), `offset` (T).
    covariance : ndarray, (parameter, parameter)
        In the order of `values`.
    reduced_chi2 : float
        Near 1 for a right model and right errors; NaN where the map has no errors and they were taken
        from the scatter about the model.
    wire : Bar
        The fitted conductor, in its fitted place.
    model : ndarray, (site,)
        Fitted Bz (T).
    """

    values: Mapping[str, float]
    errors: Mapping[str, float]
    covariance: np.ndarray
    reduced_chi2: float
    wire: Bar
    model: np.ndarray


def fit_wire(
    field: xr.Dataset,
    *,
    wire: Bar,
    free: Sequence[str] = ("current", "standoff"),
    standoff: float = 50e-9,
    array: SensorArray | None = None,
) -> WireFit:
    """Fit a straight bar to a map of Bz by weighted least squares.

    The model is the Biot-Savart law of the bar, averaged over every spot and the depth of the layer;
    the noise correlation between neighbouring sites is used where the map holds it.

    Parameters
    ----------
    field : xarray.Dataset
        Map with component z on sites (with the sensor array in its attributes) or pixels.
    wire : Bar
        Start, with its place relative to the centre of pixel (0, 0); z = 0 of its frame does not matter,
        the stand-off counts from its top face. A free current needs no start: the model is linear in it.
    free : sequence of str
        Some of current, standoff, position (shift across the wire), width, offset; the others stay as
        in `wire` (position and offset 0).
    standoff : float
        Top face of the wire to the mean depth of the emitters (m): start value, or fixed value.
    array : SensorArray, optional
        Size, rotation and thickness of a spot, by default from the attributes of the map; the places
        of the spots are the coordinates of the map. Without one, the pixels of a map of pixels are
        averaged over their area.

    Returns
    -------
    WireFit

    Raises
    ------
    ValueError
        For unknown parameters, fewer valid values than parameters, or a map that does not determine them.
    LayoutError
        For a map without Bz, or of sites of unknown size.

    Examples
    --------
    >>> import vbsense as vb
    >>> array = vb.SensorArray(pitch=300e-9, shape=(3, 12), center=(2e-6, 2e-6))
    >>> bar = vb.Bar((2e-6, -50e-6, -50e-9), (2e-6, 50e-6, -50e-9), width=1e-6, thickness=1e-7, current=1e-3)
    >>> Bz = array.average(bar.field, standoff=60e-9)[:, 2]
    >>> n = np.arange(36)
    >>> sites = vb.data.make_site_sweep(np.ones((3, 36)), [3e9, 3.1e9, 3.2e9], x=array.x, y=array.y,
    ...                                 row=array.row, column=array.column)
    >>> map_ = vb.data.make_site_map(Bz, sites=sites, error=np.full(36, 1e-6), sensor_array=array.to_json())
    >>> wire = fit_wire(map_, wire=bar, standoff=40e-9)
    >>> round(wire.values["current"] * 1e3, 4), round(wire.values["standoff"] * 1e9, 2)
    (1.0, 60.0)
    """
    require(field, "map")
    if "B" not in field or "z" not in field["component"].values:
        raise LayoutError("the map has no component 'z' of 'B'; a wire is fitted to Bz")
    free = (free,) if isinstance(free, str) else tuple(free)
    if not free or len(set(free)) < len(free) or not set(free) <= set(STEPS):
        raise ValueError(f"free is {free!r}; choose from {', '.join(STEPS)}, each once")
    if not isinstance(wire, Bar):
        raise TypeError(f"wire is a {type(wire).__name__}; the model is a vbsense.Bar")
    array = _array(field) if array is None else array
    if not standoff >= array.mean_height:
        raise ValueError(
            f"standoff is {standoff!r} m; it is at least the mean height of the emitters in their layer, "
            f"{array.mean_height:.3g} m"
        )
    problem = _Problem(field, wire, free, float(standoff), array)
    return problem.solve()


def _array(field: xr.Dataset) -> SensorArray:
    if "sensor_array" in field.attrs and "site" in field["B"].dims:
        return SensorArray.from_json(field.attrs["sensor_array"])
    if "site" in field["B"].dims:
        raise LayoutError("the map does not say what its sites are; pass array=SensorArray(...)")
    steps = np.concatenate([np.diff(field["x"].values), np.diff(field["y"].values)])
    if steps.size == 0:
        raise LayoutError("the map has a single pixel; its size is unknown: pass array=SensorArray(...)")
    return SensorArray(float(steps[0]), (1, 1), spot_size=float(steps[0]), thickness=0.0)


def _places(field: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every value of Bz (m), in its order."""
    if "site" in field["B"].dims:
        return field["x"].values, field["y"].values
    x, y = np.meshgrid(field["x"].values, field["y"].values)
    return x.ravel(), y.ravel()


def _cholesky(field: xr.Dataset, good: np.ndarray) -> np.ndarray | None:
    """Factor of the noise correlation of the good sites, None where the map holds none."""
    if "site_correlation" not in field:
        return None
    correlation = field["site_correlation"].values
    if correlation.shape != (good.size, good.size):
        raise LayoutError(
            f"site_correlation has shape {correlation.shape} for {good.size} sites: select the same of 'site2'"
        )
    return np.linalg.cholesky(correlation[np.ix_(good, good)])


def _inverse(normal: np.ndarray, free: tuple[str, ...]) -> np.ndarray:
    scale = np.sqrt(np.diag(normal))
    if not (np.isfinite(scale).all() and scale.all()):
        raise ValueError(f"the map does not depend on {free[int(np.argmin(scale))]!r}: leave it out of free")
    scaled = normal / np.outer(scale, scale)
    if np.linalg.cond(scaled) > 1e12:
        raise ValueError(f"the map does not determine {', '.join(free)} together: free fewer")
    return np.linalg.inv(scaled) / np.outer(scale, scale)


class _Problem:
    """Whitened residuals of one map as a function of the free parameters, each in units of its step."""

    def __init__(
        self, field: xr.Dataset, wire: Bar, free: tuple[str, ...], standoff: float, array: SensorArray
    ) -> None:
        self.wire, self.free, self.array, self.places = wire, free, array, _places(field)
        self.fixed = {
            "current": wire.current,
            "standoff": standoff,
            "position": 0.0,
            "width": wire.width,
            "offset": 0.0,
        }
        self.Bz = field["B"].sel(component="z").values.ravel()
        # Without errors any even weight will do, but not one that makes the residuals look small already.
        even = np.full_like(self.Bz, 1e-6 * np.nanmax(np.abs(self.Bz), initial=1e-12))
        error = field["B_err"].sel(component="z").values.ravel() if "B_err" in field else even
        self.good = np.isfinite(self.Bz) & np.isfinite(error) & (error > 0)
        if self.good.sum() <= len(free):
            raise ValueError(f"the map has {int(self.good.sum())} valid values for {len(free)} parameters; free fewer")
        self.error = error[self.good]
        self.cholesky = _cholesky(field, self.good)
        self.known_error = "B_err" in field

    def bar(self, values: Mapping[str, float], current: float) -> Bar:
        along = np.subtract(self.wire.end, self.wire.start)
        across = np.cross(along / np.linalg.norm(along), self.wire.normal)
        shift = values["position"] * across / np.linalg.norm(across)
        return replace(
            self.wire, start=tuple(self.wire.start + shift), end=tuple(self.wire.end + shift),
            width=values["width"], current=current,
        )  # fmt: skip

    def unit_model(self, values: Mapping[str, float]) -> np.ndarray:
        """Bz of one ampere, ``(site,)`` T/A."""
        bar = self.bar(values, 1.0)
        top = np.array([0.0, 0.0, self.wire.start[2] + self.wire.thickness / 2])
        return self.array.average(
            lambda p: bar.field(p + top), standoff=values["standoff"], order=(6, 3), at=self.places
        )[:, 2]  # fmt: skip

    def whiten(self, values: np.ndarray) -> np.ndarray:
        """Values in units of their error, made uncorrelated."""
        from scipy.linalg import solve_triangular

        scaled = values[self.good] / self.error
        return scaled if self.cholesky is None else solve_triangular(self.cholesky, scaled, lower=True)

    def values(self, p: np.ndarray) -> dict[str, float]:
        return self.fixed | {name: float(v * STEPS[name]) for name, v in zip(self.free, p, strict=True)}

    def residual(self, p: np.ndarray) -> np.ndarray:
        values = self.values(p)
        return self.whiten(values["current"] * self.unit_model(values) + values["offset"] - self.Bz)

    def start(self) -> np.ndarray:
        """The given values, with the current that fits best to them (the model is linear in it)."""
        start = dict(self.fixed)
        if "current" in self.free:
            u, b = self.whiten(self.unit_model(start)), self.whiten(self.Bz)
            start["current"] = float(u @ b / (u @ u))
        return np.array([start[name] / STEPS[name] for name in self.free])

    def solve(self) -> WireFit:
        from scipy.optimize import least_squares

        lower = {"standoff": self.array.mean_height, "width": 1e-9}
        low = np.array([lower.get(name, -np.inf) / STEPS[name] for name in self.free])
        high = np.array([(WIDEST if name == "width" else np.inf) / STEPS[name] for name in self.free])
        start = np.clip(self.start(), low + 1e-6, high)
        # One step of each parameter: far above rounding, far below its error.
        result = least_squares(
            self.residual, start, bounds=(low, high), diff_step=None, x_scale="jac", jac=self.jacobian
        )
        values = self.values(result.x)
        scale = np.array([STEPS[name] for name in self.free])
        covariance = _inverse(result.jac.T @ result.jac, self.free) * np.outer(scale, scale)
        reduced = 2 * result.cost / (self.good.sum() - len(self.free))
        if not self.known_error:
            covariance, reduced = covariance * reduced, np.nan
        fitted = {name: values[name] for name in self.free}
        errors = dict(zip(self.free, np.sqrt(np.diag(covariance)).tolist(), strict=True))
        model = values["current"] * self.unit_model(values) + values["offset"]
        return WireFit(fitted, errors, covariance, float(reduced), self.bar(values, values["current"]), model)

    def jacobian(self, p: np.ndarray) -> np.ndarray:
        here = self.residual(p)
        columns = []
        for k in range(p.size):
            step = np.zeros(p.size)
            step[k] = 1.0
            columns.append(self.residual(p + step) - here)
        return np.array(columns).T
