"""The result of an inversion as a map, with the uniform current that Bz cannot see put in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from vbsense.analysis._fourieruniform import uniform_shift
from vbsense.layout import MAP, check_layout

if TYPE_CHECKING:
    from vbsense.analysis._sheetinput import Below
    from vbsense.analysis._sheetmethods import Wishes

__all__ = ["Found", "make_sheet"]

_KEPT = ("bias_field", "created", "current", "exposure", "frames", "pixel_size", "power", "psf_fwhm", "temperature")


@dataclass(frozen=True, eq=False)
class Found:
    """What a method found, in the window.

    Attributes
    ----------
    J : ndarray, (2, y, x)
        A/m.
    noise : ndarray, (sample, 2, y, x), or None
        What noise adds.
    variance : ndarray, (2, y, x), or None
        Of `J`.
    chi2, weight : float
    resolution : float or None
        m.
    offsets : ndarray, (component,)
        Uniform field (T).
    steps : int
        Of the iteration.
    """

    J: np.ndarray
    noise: np.ndarray | None
    variance: np.ndarray | None
    chi2: float
    weight: float
    resolution: float | None
    offsets: np.ndarray
    steps: int = 0


def make_sheet(field: xr.Dataset, below: Below, wishes: Wishes, found: Found) -> xr.Dataset:
    """The map of J."""
    shift, how = _settle(below, wishes, found.J)
    dims = ("component", "y", "x")
    data: dict[str, Any] = {"J": (dims, found.J + shift[:, None, None], {"units": "A/m"})}
    if found.variance is not None and found.noise is not None:
        noise = _settled_noise(below, wishes, found.noise)
        moved = (noise - found.noise).mean(axis=(2, 3))[:, :, None, None]
        data["J_err"] = (dims, np.sqrt(found.variance + (moved**2).mean(axis=0)), {"units": "A/m"})
        data["J_samples"] = (("sample", *dims), noise.astype(np.float32), {"units": "A/m"})
    if wishes.mask is not None:
        data["mask"] = (dims[1:], wishes.mask)
    coords = {"component": ["x", "y"], "y": ("y", below.y, {"units": "m"}), "x": ("x", below.x, {"units": "m"})}
    result = xr.Dataset(data, coords=coords)
    kept = {name: value for name, value in field.attrs.items() if name in _KEPT or name.startswith(("user_", "truth_"))}
    if "site" in field.dims:
        kept.pop("pixel_size", None)
    result.attrs = {"schema": MAP} | kept | _story(below, wishes, found)
    result.attrs |= {"user_uniform": how, "user_uniform_current": shift}
    return check_layout(result)


def _settle(below: Below, wishes: Wishes, J: np.ndarray) -> tuple[np.ndarray, str]:
    if wishes.mask is not None:
        return np.zeros(2), "no current outside of the mask"
    shift, how = uniform_shift(J, np.ones(J.shape[1:], bool), below.problem.operator.cell, wishes.offset)
    if wishes.positive:
        return np.zeros(2), f"{how}, before J{' and J'.join(wishes.positive)} were kept from being negative"
    return shift, how


def _settled_noise(below: Below, wishes: Wishes, noise: np.ndarray) -> np.ndarray:
    """The same rule for every sample; net currents are known without error."""
    if wishes.restricted:
        return noise
    rule = wishes.offset
    if isinstance(rule, dict):
        rule = dict.fromkeys(rule, 0.0)
    shifts = [_settle_one(below, rule, each) for each in noise]
    return noise + np.array(shifts)[:, :, None, None]


def _settle_one(below: Below, rule: Any, J: np.ndarray) -> np.ndarray:
    return uniform_shift(J, np.ones(J.shape[1:], bool), below.problem.operator.cell, rule)[0]


def _story(below: Below, wishes: Wishes, found: Found) -> dict[str, Any]:
    problem, sensing = below.problem, below.problem.operator.sensing
    story: dict[str, Any] = {
        "user_method": wishes.method,
        "user_standoff": float(sensing.standoff),
        "user_thickness": float(sensing.thickness),
        "user_depth": float(sensing.depth),
        "user_regularisation": wishes.rule if isinstance(wishes.rule, str) else "given",
        "user_weight": found.weight,
        "user_chi2": found.chi2 / problem.count,
        "user_noise": problem.noise,
        "user_noise_from": below.noise_from,
        "user_offset": found.offsets,
        "user_components": problem.operator.components,
    }
    if found.resolution is not None:
        story["user_resolution"] = found.resolution
    return story | ({"user_steps": found.steps} if found.steps else {})
