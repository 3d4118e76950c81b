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
_RATIOS = np.linspace(0.45, 1.6, 24)  # of the curve of amplification against pitch


@dataclass(frozen=True, eq=False)
class Unmixed:
    """Noise of the light of all sites in one exposure."""

    sigma: np.ndarray  # (site,) electron
    amplification: np.ndarray  # (site,)
    precision: Any  # see `vbsense.bounds.unmixing_precision`


def unmixed_noise(scene: Any, plan: Plan, current: float) -> Unmixed:
    """Of the picture in the middle of the sweep, as unmixing weights it."""
    rate = scene.rate(float(np.median(plan.frequency)), power=plan.power, current=current)
    pixels = pixel_noise(scene, rate.ravel(), plan.exposure)
    images = _images(scene)
    known, patch = alone(images, pixels), _middle(scene.array)
    amplification = np.sqrt(np.diag(unmixing_covariance(images[:, patch], pixels)) * known[patch])
    if patch.size < known.size:
        amplification = np.full(known.size, np.median(amplification))
    return Unmixed(amplification / np.sqrt(known), amplification, unmixing_precision(images, pixels))


def pixel_noise(scene: Any, rate: np.ndarray, exposure: float) -> np.ndarray:
    """Variance of every pixel in one exposure (electron^2), for `rate` electrons per second of light."""
    camera = scene.camera
    read_noise = float(getattr(camera, "read_noise_rms", getattr(camera, "read_noise", 0.0)))
    noise = Noise(read_noise=read_noise, excess=float(getattr(camera, "excess_noise", 1.0)))
    return noise.variance(np.maximum((rate + _dark(scene)) * exposure, 1.0))


def _dark(scene: Any) -> float:
    """Dark electrons per second of a typical pixel: hot ones are few."""
    dark = getattr(scene.camera, "dark", None)
    return float(np.median(dark(scene.shape))) if callable(dark) else 0.0


def _images(scene: Any) -> Any:
    psf = getattr(scene, "psf", None)
    kind: dict[str, Any] = {"psf_fwhm": scene.psf_fwhm} if psf is None else {"psf": psf}
    return spot_images(scene.array, shape=scene.shape, pixel_size=scene.pixel_size, **kind)


def _middle(array: Any) -> np.ndarray:
    """All sites, or of a large array those next to its middle."""
    if array.x.size <= _ALL_SITES:
        return np.arange(array.x.size)
    distance = np.maximum(np.abs(array.x - np.median(array.x)), np.abs(array.y - np.median(array.y)))
    return np.sort(np.argsort(distance)[: _PATCH**2])


def price_of_crowding(scene: Any) -> tuple[float, float, np.ndarray]:
    """Pitch, width of the point-spread function, and amplification against their ratio."""
    psf = getattr(scene, "psf", None)
    width = float(getattr(psf, "fwhm", None) or scene.psf_fwhm)
    spot = scene.array.spot_size
    curve = [
        lattice_amplification(r * width, width if psf is None else psf, spot_size=min(spot, r * width)) for r in _RATIOS
    ]
    return float(scene.array.pitch), width, np.array([_RATIOS, curve])


def full_pixels(scene: Any, plan: Plan) -> list[str]:
    camera = scene.camera
    brightest = float(scene.rate(None, power=plan.power, current=0.0).max()) * plan.exposure
    room = (float(np.max(camera.maximum)) - float(np.max(camera.offset))) * float(np.max(camera.gain))
    if brightest <= room:
        return []
    return [f"the brightest pixel gets {brightest:.3g} electrons and saturates at {room:.3g}: expose for less than "
            f"{plan.exposure * room / brightest:.2g} s"]  # fmt: skip
