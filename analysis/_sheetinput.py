"""From a map to a problem: its components, errors and places, and the domain of the current below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense._numbers import number
from vbsense.analysis.inversion.footprint import Sensing
from vbsense.analysis.inversion.operator import CurrentOperator
from vbsense.analysis.inversion.places import Sites, Window
from vbsense.analysis.inversion.problem import Problem
from vbsense.currents._inputs import length
from vbsense.data import LayoutError
from vbsense.layout import require
from vbsense.optics import SensorArray

__all__ = ["FEWEST", "Below", "read_map"]

FEWEST = 16  # measured values, below which no current density is worth the name
MOST_CELLS = 4_000_000
_FINEST = 160  # cells along the longer side of an array of spots
_AROUND = 4.0  # stand-offs of free current around the measured part, at least


@dataclass(frozen=True, eq=False)
class Below:
    """A problem, and where the cells are whose current is asked for."""

    problem: Problem
    window: Window
    x: np.ndarray
    y: np.ndarray
    noise_from: str


def read_map(
    field: xr.Dataset,
    *,
    standoff: Any,
    thickness: Any,
    depth: Any,
    footprint: Any,
    margin: Any,
    cell: Any,
    array: SensorArray | None,
) -> Below:
    """Check a map and lay out the domain below it.

    Parameters
    ----------
    field : xarray.Dataset
        Map of B on pixels or sites.
    standoff, thickness, depth, footprint, margin, cell, array
        As in `vbsense.analysis.current_density`.
    """
    require(field, "map")
    if "B" not in field:
        raise LayoutError("the map has no field B; a current density is found from the field above it")
    if field["B"].ndim != (2 if "site" in field["B"].dims else 3):
        raise LayoutError(f"B has dimensions {field['B'].dims}; select one of every dimension but component and place")
    if "site" in field["B"].dims:
        return _below_sites(field, standoff, thickness, depth, footprint, margin, cell, array)
    if cell is not None or array is not None:
        raise ValueError("cell and array are for maps of sites; a map of pixels has cells as large as its pixels")
    return _below_pixels(field, standoff, thickness, depth, footprint, margin)


def _below_pixels(field: xr.Dataset, standoff: Any, thickness: Any, depth: Any, footprint: Any, margin: Any) -> Below:
    steps = _step(field, "y"), _step(field, "x")
    sides = steps if footprint is None else (length("footprint", footprint),) * 2
    if max(sides[0] / steps[0], sides[1] / steps[1]) > 1.5:
        raise ValueError(
            f"footprint is {sides[0]:g} m, with pixels of {min(steps):g} m; it is the area of one pixel, about"
        )
    depth = 0.0 if depth is None else length("depth", depth)
    sensing = Sensing(standoff, length("thickness", thickness), depth, sides)
    around = _around(margin, sensing, [n * s / 2 for n, s in zip(_sizes(field), steps, strict=True)], steps)
    window = Window((around[0], around[1]), _sizes(field))
    operator = CurrentOperator(_domain(window.shape, around), steps, sensing, window, _components(field), "repeated")
    values, errors, origin = _numbers(field, operator.components)
    return Below(Problem(operator, values, errors), window, field["x"].values, field["y"].values, origin)


def _below_sites(
    field: xr.Dataset, standoff: Any, thickness: Any, depth: Any, footprint: Any, margin: Any, cell: Any,
    array: SensorArray | None,
) -> Below:  # fmt: skip
    sensing, array = _spots(field, standoff, thickness, depth, footprint, array)
    x, y = field["x"].values.astype(float), field["y"].values.astype(float)
    extent = max(np.ptp(x), np.ptp(y))
    if cell is None:
        cell = min(max(sensing.height / 2, extent / _FINEST), array.nearest / 2 if x.size > 1 else np.inf)
    side = number("cell", cell, "m", positive=True)
    if side > sensing.height:
        raise ValueError(
            f"cells of {side:.3g} m are coarser than the {sensing.height:.3g} m between emitters and conductor; give a "
            "smaller cell"
        )
    rows, columns = (int(np.ceil(np.ptp(v) / side)) + 1 for v in (y, x))
    shape = rows, columns
    around = _around(margin, sensing, [max(extent, 4 * side) / 2] * 2, (side, side), least=4)
    total = _domain(shape, around)
    places = Sites((y - y.min()) / side + around[0], (x - x.min()) / side + around[1], total)
    operator = CurrentOperator(total, (side, side), sensing, places, _components(field), "repeated")
    if "B_err" not in field:
        raise LayoutError("the map of sites has no errors B_err; they weigh the sites, and say when to stop: give them")
    values, errors, origin = _numbers(field, operator.components)
    problem = Problem(operator, values, errors, _correlation(field))
    grid_x, grid_y = x.min() + side * np.arange(shape[1]), y.min() + side * np.arange(shape[0])
    return Below(problem, Window((around[0], around[1]), shape), grid_x, grid_y, origin)


def _spots(
    field: xr.Dataset, standoff: Any, thickness: Any, depth: Any, footprint: Any, array: SensorArray | None
) -> tuple[Sensing, SensorArray]:
    if footprint is not None:
        raise ValueError("footprint is for maps of pixels; the spots of sites are those of the array")
    if array is None:
        if "sensor_array" not in field.attrs:
            raise LayoutError("the map does not say what its sites are; pass array=SensorArray(...)")
        array = SensorArray.from_json(field.attrs["sensor_array"])
    if array.depth_profile != "uniform":
        raise ValueError("the array has a depth profile; give array= with an even layer of the same mean depth")
    deep = array.thickness if depth is None else length("depth", depth)
    size = (array.spot_size, array.spot_size)
    sensing = Sensing(standoff, length("thickness", thickness), deep, size, array.spot_shape, array.rotation)
    return sensing, array


def _sizes(field: xr.Dataset) -> tuple[int, int]:
    return field.sizes["y"], field.sizes["x"]


def _step(field: xr.Dataset, name: str) -> float:
    values = field[name].values.astype(float)
    if values.size < 2:
        raise LayoutError(f"the map has {values.size} pixel along {name}; a current density needs several")
    steps = np.diff(values)
    if not np.allclose(steps, steps.mean(), rtol=1e-3, atol=0):
        raise LayoutError(f"the coordinate {name} is not evenly spaced; pixels must lie on a grid without gaps")
    return float(steps.mean())


def _around(
    margin: Any, sensing: Sensing, half: list[float], steps: tuple[float, float], least: int = 1
) -> tuple[int, int]:
    """Cells of free current on every side of the measured part."""
    if margin is not None:
        wanted = [length("margin", margin)] * 2
    else:
        wanted = [max(part, _AROUND * sensing.height) for part in half]
    rows, columns = (max(int(np.ceil(w / s - 1e-9)), least) for w, s in zip(wanted, steps, strict=True))
    return rows, columns


def _domain(shape: tuple[int, ...], around: tuple[int, int]) -> tuple[int, int]:
    from scipy.fft import next_fast_len

    rows, columns = (int(next_fast_len(n + 2 * a, real=True)) for n, a in zip(shape, around, strict=True))
    if rows * columns > MOST_CELLS:
        raise ValueError(
            f"the domain would have {rows} x {columns} cells, above {MOST_CELLS:.0e}: bin or crop the map, or give a "
            "smaller margin (m)"
        )
    return rows, columns


def _components(field: xr.Dataset) -> str:
    present = field["component"].values.tolist()
    names = "".join(name for name in "xyz" if name in present)
    if names in ("x", "y"):
        raise LayoutError(f"the map has only the component {names!r}; a current density needs z, or x and y")
    return names


def _numbers(field: xr.Dataset, components: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Values and errors (component, place) in T, and where the errors come from."""
    values = np.stack([field["B"].sel(component=c).values.astype(float).ravel() for c in components])
    if "B_err" in field:
        errors = np.stack([field["B_err"].sel(component=c).values.astype(float).ravel() for c in components])
        origin = "B_err"
    else:
        shape = _sizes(field)
        each = [_shortest_waves(v.reshape(shape)) for v in values]
        errors = np.array(each)[:, None] * np.ones_like(values)
        origin = "the shortest waves of the map"
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if not np.isfinite(values).any():
        raise ValueError("all values of the map are NaN: nothing is measured")
    if good.sum() < FEWEST:
        raise ValueError(
            f"the map has {int(good.sum())} valid values with errors above zero; at least {FEWEST} are needed"
        )
    return values, errors, origin


def _shortest_waves(image: np.ndarray) -> float:
    """Noise from what a field above a current cannot hold: the mixed second difference along both axes."""
    bent = np.diff(np.diff(image, 2, axis=0), 2, axis=1)
    bent = bent[np.isfinite(bent)]
    if bent.size < FEWEST:
        raise ValueError("the map has no errors B_err and too few neighbouring pixels to find its noise: give B_err")
    # Squares of the nine weights 1, -2, 4 add up to 36; the median of |x| is 0.6745 sigma.
    noise = float(np.median(np.abs(bent)) / (6 * 0.6745))
    if noise == 0:
        raise ValueError("the map has no errors B_err and no noise either: give B_err, the error of every pixel")
    return noise


def _correlation(field: xr.Dataset) -> np.ndarray | None:
    if "site_correlation" not in field:
        return None
    correlation = field["site_correlation"].values.astype(float)
    if correlation.shape != (field.sizes["site"],) * 2:
        raise LayoutError(
            f"site_correlation has shape {correlation.shape} for {field.sizes['site']} sites: select both alike"
        )
    return correlation
