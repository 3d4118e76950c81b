"""What the picture itself says about signal and noise: a power spectrum, fitted without knowing the truth.

The current density is taken as random with a covariance ``J_rms^2 exp(-r / length)``: sharp edges, and structures as
wide as `length`. In two dimensions its power per mode falls as ``(1 + (k length)^2)^(-3/2)``. Both numbers, and the
noise where it is unknown, are those that make the cosine transform of the measured field most likely (Whittle).

A cosine transform is that of a picture with its mirror images: an edge makes no step, and white noise stays white.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vbsense.analysis._fourierwindow import Array

__all__ = [
    "Prior",
    "SourceSpectrum",
    "Spectrum",
    "around",
    "expected_error",
    "fit_prior",
    "fit_source",
    "hann",
    "make_spectrum",
    "misfit",
    "quietest_cutoff",
]


@dataclass(frozen=True)
class Prior:
    """Signal and noise: what a Wiener filter needs to know."""

    density: float  # rms of the current density, A/m
    length: float  # m, at which the correlation of the current has fallen to 1/e
    noise: float  # variance of one pixel, T^2

    def power(self, k: Array, area: float) -> Array:
        """Power of the current density in one mode ((A/m)^2); `area` of a pixel (m^2)."""
        return self.density**2 * 2 * np.pi * self.length**2 / area * (1 + (k * self.length) ** 2) ** -1.5


@dataclass(frozen=True)
class Spectrum:
    """Power of the modes of a picture, averaged over rings of k."""

    k: Array  # (n,) rad/m
    count: Array  # (n,) modes in each ring
    power: Array  # (n,) T^2 in a mode
    response: Array  # (n,) field of a current density of 1 A/m, squared, (T m/A)^2
    area: float  # of a pixel, m^2


def make_spectrum(values: Array, steps: tuple[float, float], response: Callable[[Array, Array], Array]) -> Spectrum:
    """Rings of the cosine transform of `values` (y, x); `response` is T per A/m for kx and ky."""
    from scipy.fft import dctn

    power = dctn(values, norm="ortho", workers=2) ** 2
    ky, kx = (np.pi * np.arange(n) / (n * step) for n, step in zip(values.shape, steps, strict=True))
    width = max(ky[1], kx[1])
    ring = np.rint(np.hypot(ky[:, None] / width, kx / width)).astype(np.int32).ravel()
    ring[0] = 0  # the mean says nothing about the current
    count = np.bincount(ring)
    total = np.bincount(ring, weights=power.ravel(), minlength=count.size)
    full = np.flatnonzero(count[1:]) + 1
    k = full * width
    by_angle = response(*around(k)) ** 2
    return Spectrum(k, count[full].astype(float), total[full] / count[full], by_angle.mean(axis=0), steps[0] * steps[1])


def around(k: Array) -> tuple[Array, Array]:
    """kx and ky (16, n) of wave vectors of these lengths, in all directions."""
    angles = np.linspace(0, np.pi, 16, endpoint=False)[:, None]
    return k * np.cos(angles), k * np.sin(angles)


def fit_prior(spectrum: Spectrum, noise: float | None) -> Prior:
    """The most likely prior; `noise` is the variance of one pixel (T^2), or None to find it."""
    from scipy.optimize import minimize

    # Below this share of the largest power neither noise nor signal can be told from rounding.
    floor = 1e-24 * float(spectrum.power.max()) + 1e-40
    known = None if noise is None else max(noise, floor)

    def prior(p: Array) -> Prior:
        return Prior(float(np.exp(p[0])), float(np.exp(p[1])), float(np.exp(p[2])) + floor if known is None else known)

    def cost(p: Array) -> float:
        return misfit(spectrum, prior(p)) if np.abs(p - start).max() < 60 else np.inf

    start = _start(spectrum, known, floor)
    best = min(
        (minimize(cost, start + [0.0, shift, 0.0][: start.size], method="Nelder-Mead", options={"maxiter": 600})
         for shift in (0.0, 1.5)),
        key=lambda found: found.fun,
    )  # fmt: skip
    return prior(best.x)


def misfit(spectrum: Spectrum, prior: Prior) -> float:
    """Minus twice the logarithm of the likelihood, but for a constant."""
    total = spectrum.response * prior.power(spectrum.k, spectrum.area) + prior.noise
    return float(spectrum.count @ (np.log(total) + spectrum.power / total))


def _start(spectrum: Spectrum, noise: float | None, floor: float) -> Array:
    """Logarithms of density, length and, where it is unknown, noise."""
    last = spectrum.k > 0.8 * spectrum.k.max()
    white = noise if noise is not None else max(float(np.median(spectrum.power[last])), floor)
    length = 3 / float(spectrum.k[0] + spectrum.k[-1] / 20)
    lit = spectrum.response > 1e-3 * spectrum.response.max()
    signal = np.maximum(spectrum.power[lit] - white, 0.1 * white) / spectrum.response[lit]
    shape = Prior(1.0, length, 0.0).power(spectrum.k[lit], spectrum.area)
    density = np.sqrt(max(float(np.median(signal / shape)), 1e-30))
    return np.log([density, length] if noise is not None else [density, length, white])


def hann(k: Array, cutoff: float) -> Array:
    """Weight of every wave: 1 at k = 0, 1/2 at half the cut-off, 0 from ``k = 2 pi / cutoff`` (m) on.

    Examples
    --------
    >>> hann(2 * np.pi / np.array([1.0, 2e-6, 1e-6, 0.5e-6]), 1e-6).round(3)
    array([1. , 0.5, 0. , 0. ])
    """
    return np.where(k * cutoff < 2 * np.pi, 0.5 + 0.5 * np.cos(np.minimum(k * cutoff / 2, np.pi)), 0.0)


def quietest_cutoff(spectrum: Spectrum, prior: Prior) -> float:
    """Cut-off wavelength (m) with the least expected mean square error of the current density."""
    noise = prior.noise / np.maximum(spectrum.response, 1e-250)
    return _least(spectrum, prior.power(spectrum.k, spectrum.area), noise)


def _least(spectrum: Spectrum, wanted: Array, noise: Array) -> float:
    cutoffs = np.geomspace(2 * np.pi / (4 * spectrum.k[-1]), 2 * np.pi / spectrum.k[0], 100)
    return float(min(cutoffs, key=lambda c: expected_error(spectrum, wanted, noise, hann(spectrum.k, c))))


def expected_error(spectrum: Spectrum, wanted: Array, noise: Array, weight: Array) -> float:
    """Sum over the modes of what a filter loses and what noise it lets through, (A/m)^2."""
    through = np.where(weight > 0, weight**2 * noise, 0.0)  # noise may be infinite where nothing passes
    return float(spectrum.count @ ((1 - weight) ** 2 * wanted + through))


@dataclass(frozen=True)
class SourceSpectrum:
    """A field explained by a current density at a distance below."""

    spectrum: Spectrum
    prior: Prior
    height: float  # m, of the measured plane above the currents

    def quietest_cutoff(self, down: float) -> float:
        """Cut-off wavelength (m) with the least expected mean square error of the field, continued down by `down`."""
        s = self.spectrum
        gain = np.exp(np.minimum(2 * s.k * down, 600.0))
        signal = s.response * self.prior.power(s.k, s.area) * gain
        return _least(s, signal, self.prior.noise * gain)


def fit_source(values: Array, steps: tuple[float, float], noise: float | None) -> SourceSpectrum:
    """The most likely distance of the currents below a picture of their field, with their prior.

    Parameters
    ----------
    values : ndarray, (y, x)
        T.
    steps : (float, float)
        Pixel size along y and x (m).
    noise : float or None
        Variance of a pixel (T^2), or None to find it.
    """
    flat = make_spectrum(values, steps, lambda kx, ky: np.ones(np.broadcast(kx, ky).shape))
    extent = min(n * step for n, step in zip(values.shape, steps, strict=True))
    heights = np.append(0.0, np.geomspace(min(steps) / 4, extent / 2, 24))
    found = []
    for height in heights.tolist():
        lower = replace(flat, response=np.exp(-2 * flat.k * height))
        prior = fit_prior(lower, noise)
        found.append((misfit(lower, prior), height, lower, prior))
    _, height, lower, prior = min(found, key=lambda each: each[0])
    return SourceSpectrum(lower, prior, height)
