"""The noise of the sites' light in the pictures of a camera, after unmixing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.bounds import Noise, lattice_amplification, unmixing_covariance, unmixing_precision
from vbsense.bounds.unmixing import alone
from vbsense.optics import spot_images
from vbsense.sims.forecasts.plan import Plan

__all__ = ["Unmixed", "full_pixels", "pixel_noise", "price_of_crowding", "unmixed_noise"]

# Up to here the noise of all sites is computed together; of larger arrays the middle stands for all.
_ALL_SITES = 900
_PATCH = 15  # rows and columns of it
_VISIBLE = 0.01  # of the light of a spot in the picture: with less it is not seen
_BLIND = 0.05  # share of the time
_RATIOS = np.linspace(0.45, 1.6, 24)  # of the curve of amplification against pitch


@dataclass(frozen=True, eq=False)
class Unmixed:
    """Noise of the light of all sites in one exposure; NaN for those outside the picture."""

    seen: np.ndarray  # (site,) bool
    sigma: np.ndarray  # (site,) electron
    amplification: np.ndarray  # (site,)
    precision: Any  # see `vbsense.bounds.unmixing_precision`


def unmixed_noise(scene: Any, plan: Plan, current: float) -> Unmixed:
    """Of the picture in the middle of the sweep, as unmixing weights it."""
    rate = scene.rate(float(np.median(plan.frequency)), power=plan.power, current=current)
    pixels = pixel_noise(scene, rate.ravel(), plan.exposure)
    images = _images(scene)
    seen = np.asarray(images.sum(axis=0)).ravel() > _VISIBLE
    if not seen.any():
        raise ValueError("no spot lies in the picture: change the center of the array, or the shape of the camera")
    patch, known = _middle(scene.array, seen), alone(images, pixels)
    found = np.sqrt(np.diag(unmixing_covariance(images[:, patch], pixels)) * known[patch])
    amplification = np.full(seen.size, np.nan)
    amplification[seen] = found if patch.size == seen.sum() else np.median(found)
    sigma = amplification / np.sqrt(np.where(seen, known, 1.0))
    return Unmixed(seen, sigma, amplification, unmixing_precision(images, pixels))


def pixel_noise(scene: Any, rate: np.ndarray, exposure: float) -> np.ndarray:
    """Variance of every pixel in one exposure (electron^2), for `rate` electrons per second of light.

    Where a dead time swallows counts, it is that of the light which these counts stand for.
    """
    camera = scene.camera
    read_noise = float(getattr(camera, "read_noise_rms", getattr(camera, "read_noise", 0.0)))
    step = float(np.max(getattr(camera, "gain", 0.0)))  # of the converter, in electrons
    noise = Noise(read_noise=np.hypot(read_noise, step / np.sqrt(12)), excess=getattr(camera, "excess_noise", 1.0))
    every = rate + _dark(scene)
    electrons = every * exposure + float(getattr(camera, "clock_induced", 0.0))
    # Variance r T / (1 + r t)^3 of the counts, over the square of their slope against r T, 1 / (1 + r t)^2.
    return noise.variance(np.maximum(electrons, 1.0)) * (1 + every * float(getattr(camera, "dead_time", 0.0)))


def _dark(scene: Any) -> float:
    """Dark electrons per second of a typical pixel: hot ones are few."""
    dark = getattr(scene.camera, "dark", None)
    return float(np.median(dark(scene.shape))) if callable(dark) else 0.0


def _images(scene: Any) -> Any:
    if callable(own := getattr(scene, "spot_images", None)):
        return own()
    psf = getattr(scene, "psf", None)
    kind: dict[str, Any] = {"psf_fwhm": scene.psf_fwhm} if psf is None else {"psf": psf}
    return spot_images(scene.array, shape=scene.shape, pixel_size=scene.pixel_size, **kind)


def _middle(array: Any, seen: np.ndarray) -> np.ndarray:
    """All sites that are seen, or of many those next to their middle."""
    sites = np.flatnonzero(seen)
    if sites.size <= _ALL_SITES:
        return sites
    x, y = array.x[sites], array.y[sites]
    distance = np.maximum(np.abs(x - np.median(x)), np.abs(y - np.median(y)))
    return sites[np.sort(np.argsort(distance)[: _PATCH**2])]


def price_of_crowding(scene: Any) -> tuple[float, float, np.ndarray]:
    """Pitch, width of the point-spread function, and amplification against their ratio."""
    psf = getattr(scene, "psf", None)
    width = float(getattr(psf, "fwhm", None) or scene.psf_fwhm)
    spot = scene.array.spot_size
    curve = [
        lattice_amplification(r * width, width if psf is None else psf, spot_size=min(spot, r * width)) for r in _RATIOS
    ]
    return float(scene.array.pitch), width, np.array([_RATIOS, curve])


def full_pixels(scene: Any, plan: Any) -> list[str]:
    """What to say if the camera saturates; `plan` has an exposure (s) and a power (dBm)."""
    camera = scene.camera
    brightest = float(scene.rate(None, power=plan.power, current=0.0).max()) * plan.exposure
    room = (float(np.max(camera.maximum)) - float(np.max(camera.offset))) * float(np.max(camera.gain))
    blind = (brightest / plan.exposure + _dark(scene)) * float(getattr(camera, "dead_time", 0.0))
    if blind > _BLIND:
        lost = 100 * blind / (1 + blind)
        return [f"the dead time swallows {lost:.0f} % of the counts of the brightest pixel: a fit sees shallower lines"]
    if brightest <= room:
        return []
    return [f"the brightest pixel gets {brightest:.3g} electrons and saturates at {room:.3g}: expose for less than "
            f"{plan.exposure * room / brightest:.2g} s"]  # fmt: skip
