"""From camera images to sensor sites: joint least squares over all spots of a known lattice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense._names import choices
from vbsense.analysis._read import frames_of
from vbsense.analysis._unmix_design import Design, Spread
from vbsense.analysis._unmix_each import LEAST_SEEN, Pictures, unmix_each
from vbsense.analysis._unmix_geometry import Geometry, geometry_of
from vbsense.analysis._unmix_noise import Noise, Survey, mean_model, right_sides, survey, variance_ratio
from vbsense.analysis._unmix_shifts import read_shifts
from vbsense.analysis._unmix_solve import Normal, Solver
from vbsense.analysis.smoothprior import PriorSolver, SmoothPrior
from vbsense.data import make_site_sweep

__all__ = ["unmix"]

# Above this the sites are told apart by noise alone (a square lattice of half a PSF width reaches 25).
MAX_AMPLIFICATION = 100.0
# A common change of the light beyond which pictures get weights of their own.
LARGE_CONTRAST = 0.2
# Sites of which all correlations are kept unless asked for: 128 MB.
MOST_CORRELATED = 4000


def unmix(
    sweep: xr.Dataset,
    sites: Any = None,
    *,
    psf_fwhm: float | None = None,
    psf: Any = None,
    background: str = "constant",
    shifts: xr.Dataset | None = None,
    weights: str = "auto",
    prior: SmoothPrior | None = None,
    refine: Sequence[str] = (),
    correlation: str = "auto",
) -> xr.Dataset:
    """Light of every site, told apart from its neighbours' and from the background.

    Each image is fitted by all spots (point-spread function, footprint, pixel area) and a background at once.

    Parameters
    ----------
    sweep : xarray.Dataset
        Camera images, dimensions (..., frequency, y, x); in memory, in a file (`vbsense.files.open_lazy`) or made of
        dask arrays: they are read in bands of rows, and never held all at once in double precision.
    sites : SensorArray, or what `find_array` or `refine_array` returns, optional
        The lattice in the coordinates of the sweep, and the width of the point-spread function where it is known; by
        default the attributes of the sweep.
    psf_fwhm : float, optional
        Full width at half maximum of a Gaussian point-spread function (m); by default that of `sites`, or of the
        attributes.
    psf : object, optional
        Another point-spread function, for example `vbsense.optics.AiryPSF`, in place of a Gaussian one.
    background : {"constant", "plane", "smooth", "none"}
        Light under the spots, fitted in every image: a constant, a plane, a polynomial of degree 3 or nothing.
    shifts : xarray.Dataset, optional
        Drift, as `register` finds it: `shift_y` and `shift_x` (m) over some of the leading dimensions and the
        frequency. A site at x lies at x + shift_x in that image. An image whose shift is NaN becomes NaN.
    weights : {"auto", "mean", "each"}
        The weight of a pixel is one over its variance (shot and read noise) in a *model* of the image, never in the
        noisy image itself. "mean": in a model of the mean image, the same for all images. "each": in the model that
        was fitted to that image. "auto" is "each" if the median of the sites changes by more than 20 % between the
        mean image and another one. Neither biases the light; "each" takes a few times longer.
    prior : SmoothPrior, optional
        What is believed of the brightness before; then the light is the posterior mean and its errors are those of
        the posterior, also where the images alone tell nothing. It draws the light of a site towards that of its
        neighbours: dips are mixed over the distance that the images do not resolve.
    refine : sequence of str
        Names of `refine_array`: the geometry is fitted to the mean image first, starting from `sites`.
    correlation : {"auto", "full", "none"}
        Whether to keep the noise correlation of all sites, n^2 numbers; "auto" does up to 4000 sites (128 MB).

    Returns
    -------
    xarray.Dataset
        A sweep with dimensions (..., frequency, site): `signal` and `signal_err` in electrons per
        exposure of the whole spot; `site_correlation` (site, site2), the noise correlation that
        the overlap of neighbours leaves; `noise_amplification` (site), the ratio of the error of the mean image to
        that of the spot beside known neighbours on a known background. A `reference` is not carried over. Pixels
        that are NaN in some image are left out of all; an image that is NaN as a whole stays NaN, and so does a site
        with less than a tenth of its light on other pixels.
        ``attrs["user_noise_amplification"]`` is the median of the sites, ``attrs["user_condition_number"]`` the
        ratio of the largest to the smallest singular value of the weighted images (each of unit length),
        ``attrs["user_background_level"]`` the mean background of all images (electrons per pixel);
        ``attrs["user_weights"]``, ``attrs["user_background"]`` and ``attrs["user_prior"]`` say what was used.

    Raises
    ------
    LayoutError
        If the sweep has no images, the lattice or the width of the point-spread function is unknown, or the shifts
        lie on other dimensions.
    ValueError
        If the spots lie too close to be told apart, or outside the image, or an option is unknown.

    Notes
    -----
    On a square lattice with a Gaussian point-spread function the noise is amplified 1.15 times at a pitch of one full
    width, 1.92 at 0.75, 5.3 at 0.6 and 25 at 0.5: about 0.75 is the practical limit without a prior. Geometry that is
    wrong makes light that is wrong in all images alike; `refine_array` gives its errors.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 5), exposure=0.1, rng=1)
    >>> dict(unmix(sweep).signal.sizes)
    {'frequency': 5, 'site': 4}
    """
    _check_options(weights, prior, correlation)
    geometry = geometry_of(sweep, sites, psf_fwhm, psf)
    refined: dict[str, str] = {}
    if refine:
        geometry, refined = _refined(sweep, geometry, refine, background, shifts)
    job = _Job.of(sweep, geometry, background, shifts, prior)
    light, error, used = job.solve(weights)
    result = _dataset(sweep, job, light, error)
    result.attrs |= {"user_weights": used, "user_background": background} | refined
    if prior is not None:
        result.attrs["user_prior"] = str(prior)
    if correlation == "full" or (correlation == "auto" and geometry.array.x.size <= MOST_CORRELATED):
        result["site_correlation"] = (("site", "site2"), job.correlation(), {"units": "1"})
    return result


def _check_options(weights: Any, prior: Any, correlation: Any) -> None:
    for name, value, known in (
        ("weights", weights, ("auto", "mean", "each")), ("correlation", correlation, ("auto", "full", "none")),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name} is {value!r}; {choices(value, known)}")
    if prior is not None and not isinstance(prior, SmoothPrior):
        raise TypeError(f"prior is {prior!r}; give a SmoothPrior(amplitude, length)")


def _refined(
    sweep: xr.Dataset, geometry: Geometry, names: Any, background: str, shifts: Any
) -> tuple[Geometry, dict[str, str]]:
    from vbsense.analysis.refinement import refine_geometry

    found = refine_geometry(sweep, geometry, names, background, shifts)
    report = {name: [found.values[name], found.errors[name]] for name in found.values}
    return found.geometry, {"user_refined": json.dumps(report)}


@dataclass
class _Job:
    """One sweep on its way to sites; arrays hold the sites that good pixels see."""

    sweep: xr.Dataset
    geometry: Geometry
    background: str
    prior: SmoothPrior | None
    noise: Noise
    survey: Survey
    places: np.ndarray  # (plane, frequency, 2)
    middle: np.ndarray  # of the places, (2,)
    count: np.ndarray  # frames, (plane, frequency)
    sites: np.ndarray  # numbers of those that are seen
    design: Design
    weight: np.ndarray  # (pixel,)
    normal: Normal
    spread: Spread
    solvers: dict[float, Any]

    @classmethod
    def of(cls, sweep: xr.Dataset, geometry: Geometry, background: str, shifts: Any, prior: SmoothPrior | None) -> _Job:
        """Look at all pictures once and set up the equations of the mean one."""
        noise, seen = Noise.of(sweep), survey(sweep)
        places = read_shifts(sweep, shifts, seen.missing)
        # A picture that registration did not place is as good as none.
        seen = replace(seen, missing=seen.missing | np.isnan(places).any(axis=-1))
        places = np.where(seen.missing[..., None], 0.0, places)
        there = places[~seen.missing]
        middle = there.mean(axis=0) if there.size else np.zeros(2)
        whole = geometry.design(background, middle)
        fraction = np.asarray(whole.images.T @ (~seen.bad).astype(float))
        sites = np.flatnonzero(fraction > LEAST_SEEN)
        if sites.size == 0:
            raise ValueError("no site has valid pixels: the images are NaN where the spots lie")
        design = whole.chosen(sites)
        weight = np.where(seen.bad, 0.0, 1 / noise.variance(mean_model(design, seen)))
        normal, spread = design.normal(weight)
        count = frames_of(sweep, seen.missing.shape[0])
        return cls(
            sweep, geometry, background, prior, noise, seen, places, middle, count, sites, design, weight, normal,
            spread, {},
        )  # fmt: skip

    def solve(self, weights: str) -> tuple[np.ndarray, np.ndarray, str]:
        """Light and background (size, picture), error (site, picture), and whose weights were used."""
        moved = bool(np.ptp(self.places[~self.survey.missing], axis=0).any())
        light = self._at_once()
        if weights == "auto":
            weights = "each" if self._contrast(light) > LARGE_CONTRAST else "mean"
        if weights == "each" or moved:
            light, ratio = self._one_by_one(light, own=weights == "each", moved=moved)
        else:
            ratio = variance_ratio(self.noise, self.spread, self.normal.spots.diagonal(), light)
        self._refuse_noise()
        return light, self._errors(ratio), weights

    def solver(self, count: float = 1.0) -> Any:
        """Of one mean picture; with a prior, of one with so many frames."""
        count = count if self.prior is not None and count > 0 else 1.0
        if count not in self.solvers:
            self.solvers[count] = self._make(count)
        return self.solvers[count]

    def _make(self, count: float) -> Any:
        if self.prior is None:
            return Solver(self.normal)
        array, prior = self.geometry.array, self.prior
        level = self._level() if prior.mean is None else prior.mean
        return PriorSolver(self.normal.scaled(count), prior, array.x[self.sites], array.y[self.sites], level)

    def _level(self) -> float:
        """Mean brightness of the sites in the mean picture, from a fit of equal ones."""
        together = np.zeros((self.design.size, 1 + self.design.background.shape[1]))
        together[: self.sites.size, 0] = 1.0
        together[self.sites.size :, 1:] = np.eye(self.design.background.shape[1])
        right = self.design.right((self.weight * self.survey.mean)[:, None])
        level = np.linalg.lstsq(together.T @ self.normal.apply(together), together.T @ right, rcond=None)[0][0, 0]
        if not level > 0:
            raise ValueError(
                f"the sites have a mean brightness of {level:.3g} electrons: the prior has nothing to scale"
            )
        return float(level)

    def _at_once(self) -> np.ndarray:
        """Solution with the weights of the mean picture and all spots in their mean place."""
        right = right_sides(self.sweep, self.design, self.weight)
        if self.prior is None:
            return self.solver().solve(right)
        light, counts = np.empty_like(right), self.count.ravel()
        for count in np.unique(counts):
            own = counts == count
            light[:, own] = self.solver(count).solve(right[:, own] * max(count, 1.0))
        return light

    def _contrast(self, light: np.ndarray) -> float:
        """Largest relative change of the median site between the mean picture and another."""
        there = light[: self.sites.size, ~self.survey.missing.ravel()]
        mean = there.mean(axis=1, keepdims=True)
        return float(
            np.abs(np.median(np.where(mean > 0, there / np.where(mean > 0, mean, 1.0), 1.0), axis=0) - 1).max()
        )

    def _one_by_one(self, light: np.ndarray, *, own: bool, moved: bool) -> tuple[np.ndarray, np.ndarray]:
        planes = self.survey.missing.shape
        start = light
        if moved:
            # Pictures that lie elsewhere have no light yet from which weights can be made, but the mean of them has.
            there = light[:, ~self.survey.missing.ravel()].mean(axis=1, keepdims=True)
            start = np.repeat(np.maximum(there, 0.0), light.shape[1], axis=1)
        count = np.ones(planes) if self.prior is None else np.maximum(self.count, 1.0)
        pictures = Pictures(self.survey, self.places, count, self.noise)
        light, information = unmix_each(
            self.sweep, pictures, self._design_at, self.solver(float(count.max())),
            start.reshape(-1, *planes), own_weights=own,
        )  # fmt: skip
        with np.errstate(divide="ignore"):
            ratio = self.normal.spots.diagonal()[:, None] / information.reshape(self.sites.size, -1)
        return light.reshape(light.shape[0], -1), ratio

    def _design_at(self, place: np.ndarray) -> Design:
        if (place == self.middle).all():
            return self.design
        images = self.geometry.images(place)
        return Design(images, self.design.background, self.design.width).chosen(self.sites)

    @property
    def amplification(self) -> np.ndarray:
        """Error of the mean picture over that of a spot beside known ones, ``(site,)``."""
        return np.sqrt(self._variance * self.normal.spots.diagonal() * self._most)

    @property
    def _most(self) -> float:
        return float(max(self.count.max(), 1.0)) if self.prior is not None else 1.0

    @property
    def _variance(self) -> np.ndarray:
        """Of the light of one frame, or with a prior of as many as the best picture has."""
        solver = self.solver(self._most)
        if not hasattr(solver, "known_variance"):
            solver.known_variance = solver.variance()
        return np.asarray(solver.known_variance)

    def _refuse_noise(self) -> None:
        amplification = float(np.median(self.amplification))
        if amplification > MAX_AMPLIFICATION:
            raise ValueError(
                f"the noise of a site would be {amplification:.3g} times that of a spot alone "
                f"(limit {MAX_AMPLIFICATION:g}): the pitch is too small for this point-spread function; leave out "
                "sites, or give a prior=SmoothPrior(amplitude, length)"
            )

    def _errors(self, ratio: np.ndarray) -> np.ndarray:
        """One sigma of every amplitude, ``(site, picture)``."""
        counts = self.count.ravel()
        if self.prior is not None:
            result = np.empty_like(ratio)
            for count in np.unique(counts):
                result[:, counts == count] = np.sqrt(self.solver(count).variance())[:, None]
            return np.where(np.isfinite(ratio), result, np.nan)
        with np.errstate(divide="ignore"):
            error = np.sqrt(self._variance[:, None] * ratio) / np.sqrt(counts)
        return np.where(np.isfinite(ratio), error, np.nan)

    def correlation(self) -> np.ndarray:
        """Noise correlation of all sites in the mean picture, ``(site, site)``."""
        covariance = self.solver(self._most).covariance()
        sigma = np.sqrt(np.diag(covariance))
        covariance /= sigma
        covariance /= sigma[:, None]
        if len(covariance) == self.geometry.array.x.size:
            return np.asarray(covariance)
        whole = np.eye(self.geometry.array.x.size)
        whole[np.ix_(self.sites, self.sites)] = covariance
        return whole

    def placed(self, rows: np.ndarray) -> np.ndarray:
        """From sites that are seen to all, the others NaN; pictures that are missing are NaN."""
        whole = np.full((self.geometry.array.x.size, rows.shape[1]), np.nan)
        whole[self.sites] = np.where(self.survey.missing.ravel(), np.nan, rows)
        return whole


def _dataset(sweep: xr.Dataset, job: _Job, light: np.ndarray, error: np.ndarray) -> xr.Dataset:
    array, leading = job.geometry.array, sweep["signal"].shape[:-2]
    n = job.sites.size
    signal = job.placed(np.where(np.isfinite(error), light[:n], np.nan)).T.reshape(*leading, -1)
    amplification = np.full(array.x.size, np.nan)
    amplification[job.sites] = job.amplification
    result = make_site_sweep(
        signal, sweep["frequency"].values, x=array.x, y=array.y, row=array.row, column=array.column,
        error=job.placed(error).T.reshape(*leading, -1),
        coords={str(d): sweep[d].variable for d in sweep["signal"].dims[:-3]},
        **_kept(sweep, job.geometry), user_noise_amplification=float(np.median(job.amplification)),
        user_condition_number=job.solver(job._most).condition(),
    )  # fmt: skip
    result["noise_amplification"] = ("site", amplification, {"units": "1"})
    if light.shape[0] > n:
        under = job.design.background.mean(axis=0) @ light[n:, ~job.survey.missing.ravel()]
        result.attrs["user_background_level"] = float(under.mean())
    if "frames" in sweep:
        result["frames"] = sweep["frames"]
    return result


def _kept(sweep: xr.Dataset, geometry: Geometry) -> dict[str, object]:
    dropped = {
        "schema", "sensor_array", "psf_fwhm", "user_noise_amplification", "user_condition_number", "user_weights",
        "user_background", "user_background_level", "user_prior", "user_refined",
    }  # fmt: skip
    kept = {name: value for name, value in sweep.attrs.items() if name not in dropped}
    return kept | {"sensor_array": geometry.array.to_json(), "psf_fwhm": geometry.psf.fwhm}
