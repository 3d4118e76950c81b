"""How far the sample moved between images, to the limit that the photons set.

With a sensor array all its spots are moved together over each image: the likelihood of all pixels. Without one the
images are fitted by their own mean. Both give the errors with the shifts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from vbsense._names import choices
from vbsense.data import LayoutError
from vbsense.optics import GaussianPSF, SensorArray

if TYPE_CHECKING:
    from vbsense.analysis._drift_lattice import Moved, Reference
    from vbsense.analysis._lattice_light import Light

__all__ = ["register"]

BRIGHTNESS = ("common", "free")
BLURRING = 0.03  # of the width (one sigma): a drift beyond it blurs the mean image
SPREAD = 0.5  # of the width: a drift beyond it leaves no spots in the mean image
FAR_ROUNDS = 3
ROUNDS = 2  # the mean of moved images is sharper than the first mean


def register(
    sweep: Any,
    *,
    sites: Any = None,
    psf_fwhm: float | None = None,
    relative_to: str | None = None,
    brightness: str = "common",
    upsample: int = 10,
) -> xr.Dataset:
    """Shift of every image of a sweep, with its error.

    Parameters
    ----------
    sweep : xarray.Dataset or xarray.DataArray
        Images with any leading dimensions (polarity, sweep, frequency ...), as for `find_array`.
    sites : FoundArray or SensorArray, optional
        The sensor array in the images. Without it they are registered against their own mean, which needs
        scikit-image (``pip install "vbsense[register]"``) for the first guess.
    psf_fwhm : float, optional
        Full width at half maximum of the point-spread function (m); by default that of `sites`, or the attribute of
        the sweep. For `sites` only.
    relative_to : {"sites", "mean", "first"}, optional
        Where shifts count from: the given places (the default with `sites`), the mean of all shifts (the default
        without), or the first image.
    brightness : {"common", "free"}
        With sites: all spots brighten and dim together (one factor and one background for each image), or every spot
        has its own light in every image. The second is slower, and its errors are larger where spots overlap; it is
        right where the field dims neighbours by different amounts: in simulated sweeps of spots 400 nm apart, with
        dips of 10 %, the first is off by 0.1 to 0.4 nm.
    upsample : int
        Without sites: the fraction of a pixel to which the first guess looks.

    Returns
    -------
    xarray.Dataset
        `shift_x`, `shift_y` (m) with `shift_x_err`, `shift_y_err` (1 sigma), `light` (of the spots or of the image,
        against the mean of all) and `reduced_chi2`, on the leading dimensions of the images. A shift is positive
        where the sample moved towards larger coordinates. Images that are NaN, and those whose fit did not settle,
        are NaN.

    Raises
    ------
    ImportError
        Without `sites`, if scikit-image is not installed.
    ValueError
        For unknown options, or sites that are not in the images.
    LayoutError
        If the images have no coordinates, or the width of the point-spread function is not known.

    Notes
    -----
    A lattice looks the same one pitch away. Its edges and the brightness of its spots tell; where noise hides that,
    the shift nearest to the previous image counts, so drift from one image to the next must stay below half a pitch.

    The errors are the Cramer-Rao bound of shot and read noise for the model at hand. Those of several images are
    independent with "sites"; with "first" all share the error of the first image, which is included.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=4, columns=4)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 3), exposure=0.1, rng=1)
    >>> drift = register(sweep, sites=scene.array, psf_fwhm=440e-9)
    >>> bool((abs(drift.shift_x) < 5 * drift.shift_x_err).all()), bool(drift.shift_x_err.max() < 1e-9)
    (True, True)
    """
    from vbsense.analysis._lattice_light import evenly, light_of, pictures

    images = pictures(sweep, task="register")
    pixel = evenly(images)
    origins = ("mean", "first") if sites is None else ("sites", "mean", "first")
    relative_to = origins[0] if relative_to is None else relative_to
    for name, value, known in (("relative_to", relative_to, origins), ("brightness", brightness, BRIGHTNESS)):
        if value not in known:
            raise ValueError(f"{name} is {value!r}; {choices(value, known)}")
    if not isinstance(upsample, (int, np.integer)) or isinstance(upsample, bool) or upsample < 1:
        raise ValueError(f"upsample is {upsample!r}; it is a whole number, at least 1")
    if sites is None and psf_fwhm is not None:
        raise ValueError("psf_fwhm is the width of the spots of a sensor array; give sites= as well, or leave it out")
    mean = light_of(sweep, task="register")
    frames = _frames(sweep, images, mean)
    if sites is None:
        moved = _by_images(frames, int(upsample))
    else:
        moved = _by_sites(mean, frames, *_known(sweep, sites, psf_fwhm), free=brightness == "free")
    return _dataset(images, moved, pixel, relative_to)


def _frames(sweep: Any, images: xr.DataArray, mean: Light) -> list[Light | None]:
    """Every image with its noise; None for those that are missing."""
    from vbsense.analysis._lattice_light import _counts

    stack = images.values.reshape(-1, *images.shape[-2:]).astype(float)
    count = _counts(sweep, images)
    frames: list[Light | None] = []
    for image, n in zip(stack, count, strict=True):
        good = np.isfinite(image)
        one = replace(mean, values=np.where(good, image, 0.0), good=good, count=max(float(n), 1.0))
        frames.append(one if good.sum() >= 9 and n > 0 else None)
    return frames


def _known(sweep: Any, sites: Any, psf_fwhm: float | None) -> tuple[SensorArray, np.ndarray, float]:
    """The array, stray spots (k, 2) beside it, and the width of the point-spread function."""
    array = getattr(sites, "array", sites)
    if not isinstance(array, SensorArray):
        raise TypeError(f"sites is a {type(sites).__name__}; give what find_array found, or a SensorArray")
    width = psf_fwhm if psf_fwhm is not None else getattr(sites, "psf_fwhm", sweep.attrs.get("psf_fwhm"))
    if width is None:
        raise LayoutError("the width of the point-spread function is not known; give psf_fwhm= in metres")
    extra = np.array(getattr(sites, "extra", ()), dtype=float).reshape(-1, 3)[:, :2]
    return array, extra, GaussianPSF(width).fwhm


def _by_sites(
    mean: Light,
    frames: list[Light | None],
    array: SensorArray,
    extra: np.ndarray,
    width: float,
    *,
    free: bool,
) -> list[Moved | None]:
    from vbsense.analysis._drift_lattice import near_lattice, reference_of
    from vbsense.analysis._lattice_spots import FWHM, footprint_of

    places = np.concatenate([np.column_stack([array.x, array.y]), extra])
    x, y = ((places - mean.corner) / mean.pixel).T
    footprint = footprint_of(array.spot_shape, array.spot_size / mean.pixel, array.rotation)
    reference = reference_of(mean, x, y, width / mean.pixel / FWHM, footprint)
    there = [k for k, frame in enumerate(frames) if frame is not None]
    light = [frame for frame in frames if frame is not None]
    starts, near = [], np.zeros(2)
    for frame in light:
        near = near_lattice(reference, frame, near)
        starts.append(near)
    result = _moved(reference, light, np.array(starts), free=free)
    moved: list[Moved | None] = [None] * len(frames)
    for k, one in zip(there, result, strict=True):
        moved[k] = one
    return moved


def _moved(reference: Reference, light: list[Light], starts: np.ndarray, *, free: bool) -> list[Moved]:
    """Every image fitted, from shifts near the true ones; the light of the spots is sharpened where drift blurs it."""
    from vbsense.analysis._drift_lattice import from_images, from_mean, moved_lattice, sharpened

    sigma, middle = reference.model.geometry[6], starts.mean(axis=0)
    if starts.std(axis=0).max() < SPREAD * sigma:
        reference = from_mean(reference, middle)
        starts = starts - reference.model.geometry[4:6]
    else:
        reference = from_images(reference, light, starts)
    result = [moved_lattice(reference, one, start, free=free) for one, start in zip(light, starts, strict=True)]
    settled = [k for k, one in enumerate(result) if np.isfinite(one.shift).all()]
    shifts = np.array([result[k].shift for k in settled]).reshape(-1, 2)
    blurred = len(settled) > 1 and shifts.std(axis=0).max() > BLURRING * sigma
    for _ in range(0 if free or not blurred else 1 if shifts.std(axis=0).max() < SPREAD * sigma else FAR_ROUNDS):
        reference = sharpened(reference, [light[k] for k in settled], [result[k] for k in settled])
        for k in settled:
            result[k] = moved_lattice(reference, light[k], result[k].shift, free=False)
    return [replace(one, shift=one.shift + reference.model.geometry[4:6]) for one in result]


def _by_images(frames: list[Light | None], upsample: int) -> list[Moved | None]:
    """Against the mean of the images themselves, put back in place twice."""
    from vbsense.analysis._drift_images import coarse_shifts, filled, moved_image, smoothest, spline_of

    there = [k for k, frame in enumerate(frames) if frame is not None]
    light = [frame for frame in frames if frame is not None]
    if len(light) < 2:
        raise ValueError(f"{len(light)} of {len(frames)} images are valid; a drift needs two, or sites=")
    whole = np.array([filled(frame.values, frame.good) for frame in light])
    shifts = coarse_shifts(whole, upsample)
    shifts = shifts - shifts.mean(axis=0)
    margin = int(np.ceil(np.abs(shifts).max())) + 5
    if 2 * margin > 0.7 * min(whole.shape[1:]):
        raise ValueError(
            f"the images seem to move by up to {np.abs(shifts).max():.1f} pixels, and are {whole.shape[2]} x "
            f"{whole.shape[1]} pixels: too little is common to all of them"
        )
    splines = [spline_of(image, 5) for image in whole]
    weight = np.array([frame.count for frame in light])
    result: list[Moved] = []
    for _ in range(ROUNDS):
        mean = _mean_in_place(splines, shifts, weight)
        variance = light[0].variance(mean) * light[0].count / weight.sum()
        template = spline_of(smoothest(mean, variance), 5)
        result = [moved_image(template, frame, s, margin) for frame, s in zip(light, shifts, strict=True)]
        found = np.array([one.shift for one in result])
        shifts = np.where(np.isfinite(found), found, shifts)
    moved: list[Moved | None] = [None] * len(frames)
    for k, one in zip(there, result, strict=True):
        moved[k] = one
    return moved


def _mean_in_place(splines: list[np.ndarray], shifts: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of all images, moved back; what lies outside of one is mirrored."""
    from vbsense.analysis._drift_images import shifted

    margin = int(np.ceil(np.abs(shifts).max())) + 4
    total = np.zeros_like(splines[0])
    for spline, shift, w in zip(splines, shifts, weight, strict=True):
        total += w * shifted(np.pad(spline, margin, mode="reflect"), -shift, margin)
    return total / weight.sum()


def _dataset(images: xr.DataArray, moved: list[Moved | None], pixel: float, relative_to: str) -> xr.Dataset:
    """Shifts in metres, counted from where they shall count."""
    nan = np.full(2, np.nan)
    shift = np.array([nan if one is None else one.shift for one in moved]) * pixel
    error = np.array([nan if one is None else np.sqrt(np.diag(one.covariance)) for one in moved]) * pixel
    light = np.array([np.nan if one is None else one.scale for one in moved])
    valid = np.asarray(np.isfinite(shift).all(axis=1))
    if relative_to == "mean" and valid.any():
        shift = shift - shift[valid].mean(axis=0)
    if relative_to == "first":
        shift, error = shift - shift[0], np.hypot(error, error[0])
        error[0] = np.where(valid[0], 0.0, np.nan)
    dims, leading = images.dims[:-2], images.shape[:-2]
    columns: dict[str, tuple[Any, str]] = {
        "shift_x": (shift[:, 0], "m"), "shift_y": (shift[:, 1], "m"),
        "shift_x_err": (error[:, 0], "m"), "shift_y_err": (error[:, 1], "m"),
        "light": (light / light[valid].mean() if valid.any() else light, "1"),
        "reduced_chi2": (np.array([np.nan if one is None else one.chi2 for one in moved]), "1"),
    }  # fmt: skip
    data = {name: (dims, np.reshape(values, leading), {"units": unit}) for name, (values, unit) in columns.items()}
    coords = {name: images.coords[name].variable for name in images.coords if set(images[name].dims) <= set(dims)}
    return xr.Dataset(data, coords, {"relative_to": relative_to})
