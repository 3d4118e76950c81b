"""From camera images to sensor sites: joint least squares over all spots of a known lattice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError, frames, make_site_sweep
from vbsense.layout import require
from vbsense.optics import GaussianPSF, SensorArray, spot_images

__all__ = ["unmix"]

# Above this the sites are told apart by noise alone (a square lattice of half a PSF width reaches 25).
MAX_AMPLIFICATION = 100.0
# A site with a smaller fraction of its light on good pixels is not measured.
LEAST_SEEN = 0.1


def unmix(
    sweep: xr.Dataset, sites: SensorArray | None = None, *, psf_fwhm: float | None = None, psf: Any = None
) -> xr.Dataset:
    """Light of every site, told apart from its neighbours' and from an even background.

    Each image is fitted by all spots (point-spread function, footprint, pixel area) and a constant
    at once, weighted with the shot and read noise of the mean image.

    Parameters
    ----------
    sweep : xarray.Dataset
        Camera images, dimensions (..., frequency, y, x).
    sites : SensorArray, optional
        The lattice; by default the one in the attributes of the sweep.
    psf_fwhm : float, optional
        Full width at half maximum of a Gaussian point-spread function (m); by default from the attributes.
    psf : object, optional
        Another point-spread function, for example `vbsense.optics.AiryPSF`, in place of a Gaussian one.

    Returns
    -------
    xarray.Dataset
        A sweep with dimensions (..., frequency, site): `signal` and `signal_err` in electrons per
        exposure of the whole spot, and `site_correlation` (site, site2), the noise correlation that
        the overlap of neighbours leaves; a `reference` is not carried over. Pixels that are NaN in some
        image are left out of all; an image that is NaN as a whole stays NaN, and so does a site with
        less than a tenth of its light on other pixels.
        ``attrs["user_noise_amplification"]`` is the median ratio of `signal_err` to that of a spot alone.

    Raises
    ------
    LayoutError
        If the sweep has no images, or the lattice or the width of the point-spread function is unknown.
    ValueError
        If the spots lie too close to be told apart.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 5), exposure=0.1, rng=1)
    >>> dict(unmix(sweep).signal.sizes)
    {'frequency': 5, 'site': 4}
    """
    require(sweep, "sweep")
    if "y" not in sweep["signal"].dims:
        raise LayoutError(f"signal has dimensions {sweep['signal'].dims}; unmixing needs images (frequency, y, x)")
    array, psf = _geometry(sweep, sites, psf_fwhm, psf)
    shape = (sweep.sizes["y"], sweep.sizes["x"])
    images = spot_images(_seen_from(sweep, array), shape=shape, pixel_size=_pixel_size(sweep), psf=psf)
    _check_inside(images)
    stack = sweep["signal"].values.reshape(-1, shape[0] * shape[1]).astype(float)
    noise = (float(sweep.attrs.get("read_noise", 0.0)), float(sweep.attrs.get("excess_noise", 1.0)))
    stack, variance = _weigh(stack, *noise)
    solution, unit_cov, amplification = _unmix_seen(images, stack, variance)
    leading = sweep["signal"].shape[:-2]
    light = solution.reshape(*leading, -1)
    error = _errors(light, unit_cov, frames(sweep))
    result = make_site_sweep(
        light, sweep["frequency"].values, x=array.x, y=array.y, row=array.row, column=array.column, error=error,
        coords={str(d): sweep[d].variable for d in sweep["signal"].dims[:-3]},
        **_kept(sweep, array, psf.fwhm), user_noise_amplification=float(amplification),
    )  # fmt: skip
    if "frames" in sweep:
        result["frames"] = sweep["frames"]
    sigma = np.sqrt(np.nan_to_num(np.diag(unit_cov), nan=1.0))
    correlation = np.nan_to_num(unit_cov, nan=1.0) / np.outer(sigma, sigma)
    result["site_correlation"] = (("site", "site2"), correlation, {"units": "1"})
    return result


def _geometry(sweep: xr.Dataset, sites: SensorArray | None, width: Any, psf: Any) -> tuple[SensorArray, Any]:
    if sites is None:
        if "sensor_array" not in sweep.attrs:
            raise LayoutError("the sweep does not say where its sensors are; pass sites=SensorArray(...)")
        sites = SensorArray.from_json(sweep.attrs["sensor_array"])
    if psf is not None:
        if width is not None:
            raise ValueError("psf and psf_fwhm are both given; give one of them")
        return sites, psf
    if width is None:
        width = sweep.attrs.get("psf_fwhm")
    if width is None:
        raise LayoutError(
            "the sweep has no attribute 'psf_fwhm'; pass the width of the point-spread function in metres"
        )
    if not (np.isfinite(width) and width > 0):
        raise ValueError(f"psf_fwhm is {width!r}; it must be a positive length in metres")
    return sites, GaussianPSF(float(width))


def _pixel_size(sweep: xr.Dataset) -> float:
    steps = np.concatenate([np.diff(sweep["x"].values), np.diff(sweep["y"].values)])
    if steps.size == 0:
        raise LayoutError("the sweep has a single pixel; unmixing needs images")
    if not np.allclose(steps, steps[0], rtol=1e-3):
        raise LayoutError("the coordinates x and y are not evenly spaced; unmixing needs square pixels without gaps")
    return float(steps.mean())


def _seen_from(sweep: xr.Dataset, array: SensorArray) -> SensorArray:
    # The coordinates say which part of the picture this is: a cropped sweep does not start at 0.
    x, y = array.center
    return replace(array, center=(x - float(sweep["x"].values[0]), y - float(sweep["y"].values[0])))


def _check_inside(images: Any) -> None:
    seen = np.asarray(images.sum(axis=0)).ravel()
    outside = np.flatnonzero(seen < 0.5)
    if outside.size:
        raise ValueError(
            f"{outside.size} sites, the first is number {outside[0]}, lie outside the image: "
            "check pitch, rotation and centre of the lattice (metres, from the centre of pixel (0, 0))"
        )


def _weigh(stack: np.ndarray, read_noise: float, excess_noise: float) -> tuple[np.ndarray, np.ndarray]:
    """The images with bad pixels at zero, and the variance of every pixel of one mean frame, infinite for those."""
    # A missing image is NaN as a whole; a pixel that is NaN in another image is left out of all.
    missing = np.isnan(stack).all(axis=1)
    measured = stack[~missing] if not missing.all() else np.zeros((1, stack.shape[1]))
    bad = ~np.isfinite(measured).all(axis=0)
    variance = excess_noise * np.maximum(np.where(bad, 0.0, measured).mean(axis=0), 1.0) + read_noise**2
    return np.where(bad & ~missing[:, None], 0.0, stack), np.where(bad, np.inf, variance)


def _unmix_seen(images: Any, stack: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """`_solve` for the sites that good pixels see; the others are NaN, uncorrelated with all."""
    fraction = np.asarray(images[np.isfinite(variance)].sum(axis=0)).ravel()
    seen = np.flatnonzero(fraction > LEAST_SEEN)
    if seen.size == 0:
        raise ValueError("no site has valid pixels: the images are NaN where the spots lie")
    light, covariance, amplification = _solve(images[:, seen], stack, variance)
    n = fraction.size
    solution, full = np.full((stack.shape[0], n), np.nan), np.diag(np.full(n, np.nan))
    solution[:, seen] = light
    full[np.ix_(seen, seen)] = covariance
    return solution, full, amplification


def _solve(images: Any, stack: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Amplitudes (image, site), covariance of one frame (site, site), median noise amplification."""
    from scipy.linalg import cho_factor, cho_solve
    from scipy.sparse import csr_array, hstack

    pixels = stack.shape[1]
    design = csr_array(hstack([images, np.full((pixels, 1), 1.0 / np.sqrt(pixels))]))
    weighted = csr_array(design.multiply(1 / variance[:, None]))
    normal = (design.T @ weighted).toarray()
    scale = np.sqrt(np.diag(normal))
    try:
        factor = cho_factor(normal / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        raise ValueError("two sites lie on top of each other: they cannot be told apart, check the pitch") from None
    inverse = cho_solve(factor, np.eye(scale.size))
    amplification = float(np.median(np.sqrt(np.diag(inverse)[:-1])))
    if amplification > MAX_AMPLIFICATION:
        raise ValueError(
            f"the noise of a site would be {amplification:.3g} times that of a spot alone "
            f"(limit {MAX_AMPLIFICATION:g}): the pitch is too small for this point-spread function"
        )
    right = (weighted.T @ stack.T) / scale[:, None]
    solution = cho_solve(factor, right, check_finite=False) / scale[:, None]
    covariance = inverse / np.outer(scale, scale)
    return solution[:-1].T, covariance[:-1, :-1], amplification


def _errors(light: np.ndarray, unit_cov: np.ndarray, count: xr.DataArray) -> np.ndarray:
    """One sigma of every amplitude: the covariance of a mean frame, scaled to its light and frames."""
    flat = light.reshape(-1, light.shape[-1])
    mean = np.nansum(flat, axis=0) / np.maximum(np.isfinite(flat).sum(axis=0), 1)
    level = np.clip(light / np.where(mean > 0, mean, np.nan), 0.1, None)
    with np.errstate(divide="ignore"):
        averaged = 1 / np.sqrt(count.values.astype(float))[..., None]
    error = np.sqrt(np.diag(unit_cov) * np.nan_to_num(level, nan=1.0)) * averaged
    return np.where(np.isnan(light), np.nan, error)


def _kept(sweep: xr.Dataset, array: SensorArray, width: float) -> dict[str, object]:
    dropped = {"schema", "sensor_array", "psf_fwhm", "user_noise_amplification"}
    kept = {name: value for name, value in sweep.attrs.items() if name not in dropped}
    return kept | {"sensor_array": array.to_json(), "psf_fwhm": width}
