"""Lattice and point-spread function from the picture itself: geometry and all brightnesses fitted together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense._names import choices
from vbsense.analysis._refine_problem import UNITS, Problem, value_of
from vbsense.analysis._unmix_geometry import Geometry, geometry_of
from vbsense.optics import GaussianPSF, SensorArray

__all__ = ["RefinedArray", "refine_array"]

# Names of the argument, and the parameters that each frees.
NAMES = {
    "psf_fwhm": ("psf_fwhm",),
    "center": ("x", "y"),
    "pitch": ("pitch",),
    "pitch_y": ("pitch_y",),
    "rotation": ("rotation",),
    "shear": ("shear",),
}


@dataclass(frozen=True, eq=False)
class RefinedArray:
    """Result of `refine_array`; `unmix` takes it for `sites`.

    Attributes
    ----------
    array : SensorArray
        In the coordinates of the sweep.
    psf_fwhm : float
        m.
    background : float
        Mean of the fitted background (electrons per pixel).
    values, errors : mapping of str to float
        Free parameters and their 1-sigma errors: `psf_fwhm`, `x`, `y`, `pitch`, `pitch_y` (m), `rotation`, `shear`
        (rad).
    covariance : ndarray, (parameter, parameter)
        In the order of `values`, all brightnesses and the background unknown.
    reduced_chi2 : float
        Of the mean picture; far above 1 if the model of the spots is wrong by more than the noise.
    geometry : Geometry
        What `unmix` works with.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 5), exposure=0.1, rng=1)
    >>> found = refine_array(sweep, free=("psf_fwhm",))
    >>> print(found)                                                             # doctest: +ELLIPSIS
    RefinedArray
      psf_fwhm = ...e-07 +- ... m
      reduced chi2 ...
    """

    array: SensorArray
    psf_fwhm: float
    background: float
    values: Mapping[str, float]
    errors: Mapping[str, float]
    covariance: np.ndarray
    reduced_chi2: float
    geometry: Geometry

    def __repr__(self) -> str:
        """Values with errors, a line each."""
        lines = [f"  {name} = {self.values[name]:.6g} +- {self.errors[name]:.2g} {UNITS[name]}" for name in self.values]
        return "\n".join(["RefinedArray", *lines, f"  reduced chi2 {self.reduced_chi2:.3g}"])


def refine_array(
    sweep: xr.Dataset,
    sites: Any = None,
    *,
    free: Sequence[str] = ("psf_fwhm", "center", "pitch", "rotation"),
    psf_fwhm: float | None = None,
    psf: Any = None,
    background: str = "constant",
    shifts: xr.Dataset | None = None,
) -> RefinedArray:
    """Fit geometry, width of the point-spread function, all brightnesses and the background to the mean picture.

    A width that is wrong by 2 % is an error of 4 % in the peak of a spot and of 1 % in its light; a lattice that is
    off by 10 nm one of several percent in the light of crowded sites.

    Parameters
    ----------
    sweep : xarray.Dataset
        Camera images, dimensions (..., frequency, y, x).
    sites, psf_fwhm, psf, background, shifts
        As in `unmix`: where to start, to better than about a third of the pitch and of the full width. The positions
        are those without the shifts.
    free : sequence of str
        Some of psf_fwhm, center (both x and y), pitch, pitch_y, rotation, shear. A lattice whose `pitch_y` is not set
        is stretched in both directions by `pitch`.

    Returns
    -------
    RefinedArray

    Raises
    ------
    ValueError
        For an unknown name, a parameter that the array does not have, or one that the picture does not determine.
    LayoutError
        As `unmix`.

    Notes
    -----
    Gauss-Newton steps on the geometry, in which the brightnesses are eliminated (variable projection; Golub and
    Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), without the term of second order that Kaufman leaves out). Steps that
    make the fit worse are halved. Weights as in `unmix`, those of the mean picture.

    Examples
    --------
    >>> from vbsense.optics import spot_images
    >>> from dataclasses import replace
    >>> from vbsense.data import make_sweep
    >>> truth = SensorArray(pitch=500e-9, shape=(3, 3), center=(1.5e-6, 1.5e-6))
    >>> images = spot_images(truth, shape=(31, 31), pixel_size=1e-7, psf_fwhm=440e-9)
    >>> picture = np.random.default_rng(0).poisson(images @ np.full(9, 1e6) + 50.0).reshape(1, 31, 31)
    >>> sweep = make_sweep(picture, [3e9], pixel_size=1e-7, frames=1)
    >>> found = refine_array(sweep, replace(truth, pitch=480e-9), psf_fwhm=470e-9)
    >>> round(found.psf_fwhm * 1e9), round(found.array.pitch * 1e9), bool(found.errors["pitch"] < 0.5e-9)
    (440, 500, True)
    """
    return refine_geometry(sweep, geometry_of(sweep, sites, psf_fwhm, psf), free, background, shifts)


def refine_geometry(
    sweep: xr.Dataset, start: Geometry, free: Sequence[str], background: str, shifts: xr.Dataset | None
) -> RefinedArray:
    """As `refine_array`, from what `unmix` has found out already."""
    problem = Problem(sweep, start, _parameters(start, free), background, shifts)
    problem.covariance(start, problem.state(start))  # refuses a dark picture before it is chased
    geometry, _ = problem.settle(start)
    # The first weights knew neither the geometry nor the light of each site; now both are known.
    problem.reweigh(geometry)
    geometry, state = problem.settle(geometry)
    covariance = problem.covariance(geometry, state)
    values: dict[str, Any] = {name: value_of(geometry, name) for name in problem.names}
    errors = dict(zip(problem.names, np.sqrt(np.diag(covariance)).tolist(), strict=True))
    under = problem.background.mean(axis=0) @ state.solution[problem.sites.size :]
    freedom = np.count_nonzero(problem.good) - state.solution.size - len(values)
    return RefinedArray(
        geometry.array, float(geometry.psf.fwhm), float(under.sum()), values, errors, covariance,
        float(state.chi2 * problem.count / max(freedom, 1)), geometry,
    )  # fmt: skip


def _parameters(geometry: Geometry, free: Any) -> tuple[str, ...]:
    free = (free,) if isinstance(free, str) else tuple(free)
    for name in free:
        if name not in NAMES:
            raise ValueError(f"cannot refine {name!r}; {choices(name, NAMES)}")
    if not free or len(set(free)) < len(free):
        raise ValueError(f"free is {free!r}; choose from {', '.join(NAMES)}, each once")
    array = geometry.array
    if "psf_fwhm" in free and not isinstance(geometry.psf, GaussianPSF):
        raise ValueError(f"psf_fwhm cannot be refined: the function is a {type(geometry.psf).__name__}, not a Gaussian")
    lattice = {"pitch", "pitch_y", "shear"} & set(free)
    if lattice and array.sites is not None:
        raise ValueError(f"{sorted(lattice)[0]} cannot be refined: the array is a list of sites, not a lattice")
    single = {"pitch": array.shape[1] == 1, "pitch_y": array.shape[0] == 1, "shear": array.shape[0] == 1}
    if array.pitch_y is None:
        single["pitch"] = array.x.size == 1
    single["rotation"] = array.x.size == 1
    for name in free:
        if single.get(name):
            raise ValueError(f"{name} cannot be refined: an array of shape {array.shape} does not depend on it")
    if "pitch_y" in free and array.pitch_y is None:
        raise ValueError("pitch_y cannot be refined: the lattice has one pitch; set pitch_y of the array to start from")
    return tuple(parameter for name in free for parameter in NAMES[name])
