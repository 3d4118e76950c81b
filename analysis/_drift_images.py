"""Drift of images of any kind: every one is fitted by the denoised mean of all, moved by splines. Lengths in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.analysis._drift_lattice import LOST, Moved, inverse_of
from vbsense.analysis._lattice_light import Light

__all__ = ["coarse_shifts", "filled", "moved_image", "phase_correlation", "shifted", "smoothest", "spline_of"]

STEPS = 20
CLOSE = 0.02
RIM = 3  # pixels beyond the largest shift that a spline of fifth degree needs


def phase_correlation() -> Any:
    """scikit-image's function, or an error that says what to install."""
    try:
        from skimage.registration import phase_cross_correlation
    except ImportError:
        raise ImportError(
            "images without a lattice are registered with scikit-image, which is not installed: "
            "pip install 'vbsense[register]', or give sites= if they show a sensor array"
        ) from None
    return phase_cross_correlation


def coarse_shifts(images: np.ndarray, upsample: int) -> np.ndarray:
    """x and y of every image against the middle one, ``(image, 2)``.

    Without the usual normalisation: that one weighs frequencies with noise alone as much as those with light.
    """
    from scipy.signal.windows import tukey

    correlate = phase_correlation()
    window = np.outer(tukey(images.shape[1], 0.3), tukey(images.shape[2], 0.3))
    flat = [(image - np.median(image)) * window for image in images]
    first = flat[len(flat) // 2]
    found = [correlate(first, image, normalization=None, upsample_factor=upsample)[0] for image in flat]
    return -np.array(found)[:, ::-1]


def filled(image: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The image with its bad pixels replaced by what is around them."""
    from scipy.ndimage import gaussian_filter

    if good.all():
        return image
    weight = gaussian_filter(good.astype(float), 1.0)
    near = gaussian_filter(np.where(good, image, 0.0), 1.0) / np.maximum(weight, 1e-6)
    return np.where(good, image, np.where(weight > 1e-3, near, np.median(image[good])))


def _weights(shift: float, degree: int, derivative: int = 0) -> tuple[int, np.ndarray]:
    """First offset, and the B-spline at the offsets, for values moved by `shift` along an axis."""
    from scipy.interpolate import BSpline

    half = (degree + 1) / 2
    basis = BSpline.basis_element(np.arange(degree + 2) - half, extrapolate=False)
    first = int(np.ceil(shift - half + 1e-12))
    offsets = np.arange(first, first + degree + 1) - shift
    if derivative:
        basis = basis.derivative(derivative)
    return first, np.nan_to_num(basis(np.clip(offsets, -half, half)))


def spline_of(image: np.ndarray, degree: int) -> np.ndarray:
    """Coefficients of the interpolating spline; mirrored at the border."""
    from scipy.ndimage import spline_filter

    return np.asarray(image, dtype=float) if degree < 2 else spline_filter(image, order=degree, mode="mirror")


def shifted(
    spline: np.ndarray, shift: np.ndarray, margin: int, *, degree: int = 5, along: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """The image moved by (x, y), without `margin` pixels on each side; or its derivative of order `along` (x, y)."""
    result = spline
    for axis, n in ((0, 1), (1, 0)):
        first, weight = _weights(float(shift[n]), degree, along[n])
        size = result.shape[axis] - 2 * margin
        parts = [
            w * result.take(range(margin - m, margin - m + size), axis=axis)
            for m, w in zip(range(first, first + weight.size), weight, strict=True)
        ]
        result = np.sum(parts, axis=0)
    return result


def smoothest(image: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """The image without the frequencies at which it holds noise only (Wiener's filter, from its own spectrum)."""
    from scipy import fft
    from scipy.signal.windows import hann

    window = np.outer(hann(image.shape[0]), hann(image.shape[1]))
    power = np.abs(fft.fft2((image - image.mean()) * window)) ** 2
    noise = float((window**2 * variance).sum())
    k = np.hypot(fft.fftfreq(image.shape[0])[:, None], fft.fftfreq(image.shape[1]))
    ring = np.minimum((k * min(image.shape) / 2).astype(int), min(image.shape) // 3)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.maximum(np.bincount(ring.ravel()), 1)
    gain = np.clip(1 - noise / np.maximum(mean, 1e-300), 0.0, 1.0)
    gain[0] = 1.0
    rim = min(16, *(n - 1 for n in image.shape))
    padded = np.pad(image, rim, mode="reflect")
    q = np.hypot(fft.fftfreq(padded.shape[0])[:, None], fft.fftfreq(padded.shape[1])) * min(image.shape) / 2
    filtered = fft.ifft2(fft.fft2(padded) * np.interp(q, np.arange(gain.size) + 0.5, gain)).real
    return filtered[rim:-rim, rim:-rim]


def moved_image(template: np.ndarray, light: Light, shift: np.ndarray, margin: int) -> Moved:
    """Where one image lies against the spline `template`: shift, factor and constant, by Gauss-Newton steps."""
    inner = (slice(margin, -margin), slice(margin, -margin))
    good, values = light.good[inner], light.values[inner]
    factor, constant, start = 1.0, 0.0, shift
    for _ in range(STEPS):
        whole = shifted(template, shift, margin)
        dx, dy = (-factor * shifted(template, shift, margin, along=along) for along in ((1, 0), (0, 1)))
        expected = factor * whole + constant
        weight = (good / light.variance(expected)).ravel()
        columns = np.array([dx, dy, whole, np.ones_like(whole)]).reshape(4, -1)
        residual = (values - expected).ravel()
        inverse = inverse_of((columns * weight) @ columns.T)
        step = inverse @ (columns @ (weight * residual))
        shift = shift + step[:2]
        factor, constant = factor + step[2], constant + step[3]
        if np.abs(shift - start).max() > margin - RIM:
            break
        if (np.abs(step[:2]) < CLOSE * np.sqrt(np.diag(inverse)[:2])).all():
            chi2 = float((weight * residual**2).sum()) / max(int(good.sum()) - 4, 1)
            return Moved(shift, inverse[:2, :2], float(factor), float(constant), chi2)
    return LOST
