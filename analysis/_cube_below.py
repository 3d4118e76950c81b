"""The wires below a cube: their fields in the place of those of the sites, fitted to the cube itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._cube_data import CubeData
from vbsense.analysis._cube_options import Options
from vbsense.analysis._cube_problem import Below, Cube, Profile, make_layout
from vbsense.analysis._wire_misfit import FINE, start_of_wires
from vbsense.analysis._wire_model import WireModel
from vbsense.analysis._wire_parameters import background_names, read_parameters, read_wires
from vbsense.analysis._wire_solve import Minimum, covariance_within, minimise
from vbsense.analysis.wire import WireFit, as_wire_fit, check_standoff
from vbsense.data import LayoutError
from vbsense.optics import SensorArray

__all__ = ["fit_below", "read_below"]


def read_below(
    light: xr.Dataset, data: CubeData, sign: float, wire: Any, free: Any, standoff: Any, bounds: Any, priors: Any
) -> Below:
    """Wires, spots and parameters from what the user gave."""
    if "sensor_array" not in light.attrs:
        raise LayoutError("the sweep does not say what its sites are; a wire needs the size and depth of a spot")
    array = SensorArray.from_json(light.attrs["sensor_array"])
    height = check_standoff(standoff, array)
    wires = read_wires(wire)
    parameters = read_parameters(
        wires, ("z",), free, standoff=height, lowest=array.mean_height, bounds=bounds, priors=priors
    )
    if "offset" not in parameters.free:
        raise ValueError("free: the offset is the bias field of a cube and must be free; add 'offset'")
    x, y = light["x"].values[data.kept], light["y"].values[data.kept]
    return Below(WireModel(wires, array, x, y, ("z",)), parameters, sign)


def fit_below(cube: Cube, below: Below, alone: Minimum, options: Options, map_: xr.Dataset) -> WireFit:
    """The wire, from the fields of the sites to the cube itself."""
    data = cube.data
    layout = make_layout(cube.lines, data.polarity.size, data.kept.size, options, without=("Bz",))
    w = _start_below(below, data, map_)
    fine = FINE * float(np.nanmin(map_["B_err"].values))
    below = replace(below, geometry=below.geometry.as_fine_as(fine, below.parameters.values(w)))
    both = Cube(data, cube.lines, layout, below)
    x = np.zeros(layout.size)
    there = layout.index >= 0
    x[layout.index[there]] = cube.layout.spread(alone.x)[there]
    start = np.append(x, w)
    best = minimise(both, both.normal, start, both.low, both.high, hessian=both.hessian)
    n, p = layout.size, below.parameters
    names = [*layout.labels, *p.free]
    covariance = covariance_within(best, names, below.geometry.wires.suffixes)[n:, n:]
    degrees = data.count + int(np.isfinite(p.prior_sigma).sum()) - layout.degrees - len(p.free)
    w = best.x[n:]
    only = Minimum(w, best.chi2, best.normal[n:, n:], best.held[n:], best.converged)
    return as_wire_fit(
        below.geometry, p, only, covariance, Profile.around(both, best.x, best.normal, best.held),
        reduced_chi2=best.chi2 / degrees, degrees=degrees, count=data.count,
        model=below.geometry.field(p.values(w))[0],
    )  # fmt: skip


def _start_below(below: Below, data: CubeData, map_: xr.Dataset) -> np.ndarray:
    """What a fit to the map of the sites finds; of a pair of polarities the background from their mean."""
    part = map_.isel(site=data.kept, site2=data.kept)
    if data.polarity.size == 1:
        return start_of_wires(part, below.geometry, below.parameters)
    background = background_names(("z",))
    x = start_of_wires(part, below.geometry, below.parameters, without=tuple(background))
    x[below.parameters.free.index("offset")] = float(part["B_common"].mean())
    return x
