"""From a field map to the current density below it, in Fourier space: fast, and with errors for every pixel.

Every wave of the field is divided by what distance, layers and pixels took from it. Short waves would come back as
noise alone, so that a weight takes them out: a Hann window, or a Wiener filter.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense._names import choices
from vbsense._numbers import number
from vbsense.analysis._fourierfield import Picture, pictures_of, require_pixels
from vbsense.analysis._fourierinverse import Filter, Inversion
from vbsense.analysis._fourierlaw import Sensing
from vbsense.analysis._fourieruniform import uniform_shift
from vbsense.analysis._fourierwindow import make_window
from vbsense.currents._inputs import length, size
from vbsense.data import LayoutError
from vbsense.layout import MAP, check_layout

__all__ = ["CurrentPrior", "fourier_current"]

METHODS = ("hann", "wiener")
_KEPT = ("bias_field", "created", "current", "exposure", "frames", "pixel_size", "power", "psf_fwhm", "temperature")
_FAINT = 1e-10  # of a wave of current, which no measurement can bring back
_LOUD = 1.5  # noise seen over noise stated, from which on the errors deserve a word


@dataclass(frozen=True)
class CurrentPrior:
    """What is known of a current density before it is measured.

    Its covariance is ``density^2 exp(-r / length)``: sharp edges, and structures about as wide as `length`.

    Parameters
    ----------
    density : float
        Root mean square of the current density over the map (A/m).
    length : float
        Where the correlation has fallen to 1/e (m).

    Examples
    --------
    >>> CurrentPrior(density=300.0, length=0.5e-6).length
    5e-07
    """

    density: float
    length: float

    def __post_init__(self) -> None:
        number("density", self.density, "A/m", positive=True)
        size("length", self.length, 0.05)


def fourier_current(
    field: xr.Dataset,
    *,
    standoff: float,
    method: str = "hann",
    cutoff: float | None = None,
    prior: CurrentPrior | None = None,
    thickness: float = 0.0,
    depth: float = 0.0,
    footprint: float | None = None,
    psf_fwhm: float = 0.0,
    padding: float = 1.0,
    offset: Any = "none",
) -> xr.Dataset:
    """Current density of a thin conductor from the field above it.

    Parameters
    ----------
    field : xarray.Dataset
        Map of B on pixels with component z, or x and y, or all: of several the best combination is taken, weighted
        with their errors. Pixels need not be square; those that are NaN, or whose error is, count as not measured.
    standoff : float
        From the top face of the conductor to the mean depth of the emitters (m).
    method : {"hann", "wiener"}
        Weight of the waves: a Hann window that ends at `cutoff`, or signal / (signal + noise).
    cutoff : float, optional
        For "hann": wavelength from which on nothing passes (m). By default the one with the least expected error,
        for the noise of the map and a signal like that which it holds (Notes).
    prior : CurrentPrior, optional
        Of the current density; by default fitted to the map.
    thickness : float
        Of the conductor, evenly filled (m).
    depth : float
        Thickness of the layer of emitters (m).
    footprint : float, optional
        Side of the square over which every pixel averages the field (m): by default the pixel itself; 0 for values
        at points.
    psf_fwhm : float
        Full width at half maximum of the point-spread function (m), for a continuous layer of emitters, where light
        of neighbours, and so their field, mixes; taken as a Gaussian. 0: not undone.
    padding : float
        How much the map is continued by its mirror image, in its own sizes. With 1, a current that crosses an edge
        goes on straight; with 0 the map repeats itself.
    offset : {"none", "median"}, mask, or mapping
        What stands in for the uniform current that Bz cannot see: nothing; J such that its median is zero, for
        conductors on less than half of the map; a mask ``(y, x)`` that is true where no current flows; or net
        currents through the map, ``{"y": 1e-3}`` in A.

    Returns
    -------
    xarray.Dataset
        A map of `J` (component x and y, A/m) and `J_err`, and `residual` (y, x), the measured Bz (or the best
        combination) less that of J (T). NaN where the field is not measured. Attributes say how: ``user_method``,
        ``user_cutoff`` or ``user_prior_density`` and ``user_prior_length``, ``user_resolution`` (half of the
        wavelength of which half passes, m), ``user_noise`` (of a pixel, T) and whether it was stated,
        ``user_offset`` (mean of Bz, taken off, T), ``user_uniform`` (how the uniform current was found) and
        ``user_uniform_current`` (what was added, A/m), ``user_expected_error`` (rms, A/m),
        ``user_net_current_err`` (error of the net current through a whole row or column by noise alone, A).

    Raises
    ------
    LayoutError
        If the map has no field on pixels, or neither z nor both x and y.
    ValueError
        If a length is senseless, the method or rule unknown, or the map was smoothed.

    Warns
    -----
    UserWarning
        If the shortest waves of the map hold far more noise than its errors say, or the map was filtered before
        (`continue_field`): `J_err` is then too small.

    Notes
    -----
    `J_err` is the noise that the filter lets through: for white noise with the errors of the map, and filled pixels
    that may err by as much as valid ones differ over the same distance. It leaves out what the filter takes away
    (``user_expected_error`` holds both, if the current is like its prior), what lies beyond the edges, and, within a
    few resolutions of an edge, that the mirror image has the same noise. The uniform current is as uncertain as the
    rule that sets it; of Bx and By it is seen, by all three components together to 3/4, because Bz takes it for one
    that turns round at the edges. Filled pixels are the solution of Laplace's equation between their neighbours.

    What the field beyond the edges does is not known: of 1 mA up one leg of a U that fills half of the map, and down
    the other, 0.95 mA are found. Methods that look beyond the edges (`current_density`) have less of this.

    Without errors the noise is taken from the map: what of its power spectrum a current below cannot make.

    The prior, a covariance ``density^2 exp(-r / length)``, is fitted to the cosine transform of the map by the most
    likely values (Whittle), together with the noise where it is unknown; no truth is needed. The automatic cut-off is
    that with the least expected mean square error for it.

    Examples
    --------
    >>> import vbsense as vb
    >>> y, x = np.mgrid[:64, :64] * 100e-9
    >>> ribbon = vb.Ribbon((3.2e-6, -1e-3, 0), (3.2e-6, 1e-3, 0), width=1e-6, current=1e-3)
    >>> Bz = ribbon.field(np.stack([x, y, np.full_like(x, 100e-9)], axis=-1))[..., 2]
    >>> Bz = Bz + np.random.default_rng(1).normal(0, 1e-6, Bz.shape)
    >>> field = vb.make_map(Bz, pixel_size=100e-9, error=np.full(Bz.shape, 1e-6))
    >>> sheet = fourier_current(field, standoff=100e-9, footprint=0, offset="median")
    >>> along = sheet.J.sel(component="y").isel(y=32)              # 1 kA/m in the ribbon, 0 beside it
    >>> (along.values[[16, 32, 48]] / 1e3).round(1) + 0.0
    array([0., 1., 0.])
    """
    require_pixels(field, what="fourier_current")
    if method not in METHODS:
        raise ValueError(f"method: unknown {method!r}; {choices(method, METHODS)}")
    if method != "hann" and cutoff is not None:
        raise ValueError("cutoff is for method='hann'; a Wiener filter takes a prior")
    if prior is not None and not isinstance(prior, CurrentPrior):
        raise TypeError(f"prior is {prior!r:.80}; give a CurrentPrior(density=..., length=...)")
    pictures = _measured(pictures_of(field))
    one = next(iter(pictures.values()))
    sensing = replace(_sensing(standoff, thickness, depth, footprint, one.steps), blur=length("psf_fwhm", psf_fwhm))
    problem = Inversion(pictures, sensing, make_window(one.values.shape, one.steps, padding))
    return _dataset(field, problem, _choose(problem, method, cutoff, prior), method, offset)


def _measured(pictures: Mapping[str, Picture]) -> Mapping[str, Picture]:
    if "z" not in pictures and not {"x", "y"} <= set(pictures):
        raise LayoutError(
            f"the map has the components {sorted(pictures)}; a current density needs z, or x and y: "
            "components_from makes z of another one"
        )
    return pictures


def _sensing(standoff: Any, thickness: Any, depth: Any, footprint: Any, steps: tuple[float, float]) -> Sensing:
    standoff = length("standoff", standoff)
    thickness, depth = length("thickness", thickness), length("depth", depth)
    if standoff < depth / 2:
        raise ValueError(
            f"standoff is {standoff:g} m; emitters {depth:g} m deep have their mean at least {depth / 2:g} m above "
            "the conductor"
        )
    if footprint is None:
        return Sensing(standoff, thickness, depth, steps)
    side = length("footprint", footprint)
    if side > 1.5 * min(steps):
        raise ValueError(
            f"footprint is {side:g} m, with pixels of {min(steps):g} m; it is the area over which one pixel averages"
        )
    return Sensing(standoff, thickness, depth, (side, side))


def _choose(problem: Inversion, method: str, cutoff: float | None, prior: CurrentPrior | None) -> Filter:
    """The filter that was asked for, with the noise that was stated or found."""
    if cutoff is not None:
        size("cutoff", cutoff, 0.05)
    found = problem.prior(problem.noise)
    if prior is not None:
        found = replace(found, density=float(prior.density), length=float(prior.length))
    if problem.noise is not None:
        _compare_noise(problem, found.noise)
    if method == "wiener":
        return problem.wiener(found)
    chosen = problem.hann(found, cutoff)
    if problem.faintest(chosen) < _FAINT:
        raise ValueError(
            f"cutoff is {cutoff!r} m: it passes waves of which only {problem.faintest(chosen):.1g} reaches the "
            "sensors; give a longer one, or None to have it found"
        )
    return chosen


def _compare_noise(problem: Inversion, stated: float) -> None:
    seen = float(np.sqrt(problem.prior(None).noise / stated))
    if seen > _LOUD:
        warnings.warn(
            f"the shortest waves of the map hold {seen:.2g} times the noise that B_err says: J_err is too small, and "
            "the filter lets too much noise through",
            UserWarning,
            stacklevel=4,
        )


def _dataset(field: xr.Dataset, problem: Inversion, chosen: Filter, method: str, offset: Any) -> xr.Dataset:
    J, residual = problem.current(chosen)
    valid = np.logical_and.reduce([picture.valid for picture in problem.pictures.values()])
    shift, how = uniform_shift(J, valid, problem.window.steps, offset)
    J = np.where(valid, J + shift[:, None, None], np.nan)
    error = np.where(valid, np.sqrt(problem.variance(chosen)), np.nan)
    dims = ("component", "y", "x")
    result = xr.Dataset(
        {
            "J": (dims, J, {"units": "A/m"}),
            "J_err": (dims, error, {"units": "A/m"}),
            "residual": (dims[1:], np.where(valid, residual, np.nan), {"units": "T"}),
        },
        coords={"component": ["x", "y"], "y": field["y"], "x": field["x"]},
    )
    kept = {name: value for name, value in field.attrs.items() if name in _KEPT or name.startswith(("user_", "truth_"))}
    result.attrs = {"schema": MAP} | kept | _story(problem, chosen, method)
    result.attrs["user_uniform"] = how
    result.attrs["user_uniform_current"] = shift
    return check_layout(result)


def _story(problem: Inversion, chosen: Filter, method: str) -> dict[str, Any]:
    """How the current was found, as attributes."""
    sensing, prior = problem.sensing, chosen.prior
    story: dict[str, Any] = {
        "user_method": method,
        "user_standoff": sensing.standoff,
        "user_thickness": sensing.thickness,
        "user_depth": sensing.depth,
        "user_psf_fwhm": sensing.blur,
        "user_prior_density": prior.density,
        "user_prior_length": prior.length,
        "user_noise": float(np.sqrt(prior.noise)),
        "user_noise_from": "B_err" if problem.noise is not None else "the spectrum of the map",
        "user_net_current_err": problem.net_current_error(chosen),
        "user_resolution": problem.resolution(chosen),
        "user_expected_error": problem.expected_error(chosen),
        "user_offset": problem.pictures["z"].mean if "z" in problem.pictures else 0.0,
    }
    return story | ({"user_cutoff": chosen.cutoff} if chosen.cutoff is not None else {})
