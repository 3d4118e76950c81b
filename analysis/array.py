"""From camera images to sensor sites: joint least squares over all spots of a known lattice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from vbsense._names import choices
from vbsense.analysis._unmix_geometry import Geometry, geometry_of
from vbsense.analysis._unmix_job import Job
from vbsense.analysis.smoothprior import SmoothPrior
from vbsense.data import make_site_sweep

__all__ = ["unmix"]

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
    job = Job.of(sweep, geometry, background, shifts, prior)
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


def _dataset(sweep: xr.Dataset, job: Job, light: np.ndarray, error: np.ndarray) -> xr.Dataset:
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
        user_condition_number=job.solver(job.most).condition(),
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
