"""Which pixels count, with which weights, and what the noise of a picture makes of the light of a site.

The weight of a pixel is one over its variance in a *model* of the mean picture. Weights from the noisy pixels
themselves would favour those that happen to be dark: a bias of about one electron for each pixel of a spot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from vbsense.analysis._bands import Source, bands_of
from vbsense.analysis._unmix_design import Design, Spread

__all__ = ["Noise", "Survey", "mean_model", "right_sides", "survey", "variance_ratio", "weighted"]

_STEPS = 10  # of the model of the mean picture: its light need not be right site by site, only pixel by pixel
_FLOOR = 0.01  # of the brightest pixel: darker ones would rule the fit, and the faint rim of a spot is known worst


@dataclass(frozen=True)
class Noise:
    """Read noise (electrons) and excess of the shot noise of one frame."""

    read: float
    excess: float

    @classmethod
    def of(cls, sweep: xr.Dataset) -> Noise:
        """From the attributes of a sweep."""
        return cls(float(sweep.attrs.get("read_noise", 0.0)), float(sweep.attrs.get("excess_noise", 1.0)))

    def variance(self, electrons: np.ndarray) -> np.ndarray:
        """Of pixels of one frame, for weights: never below that of a hundredth of the brightest pixel."""
        peak = float(electrons.max(initial=0.0))
        return self.excess * np.maximum(electrons, _FLOOR * peak if peak > 0 else 1.0) + self.read**2


@dataclass(frozen=True)
class Survey:
    """What the first look at all pictures finds.

    Attributes
    ----------
    mean : ndarray, (pixel,)
        Mean picture, 0 at bad pixels.
    bad : ndarray of bool, (pixel,)
        Not finite in some picture that is there.
    missing : ndarray of bool, (plane, frequency)
        Pictures without any finite pixel.
    """

    mean: np.ndarray
    bad: np.ndarray
    missing: np.ndarray


def survey(sweep: xr.Dataset) -> Survey:
    """Read all pictures once, band by band."""
    signal, source = sweep["signal"], Source(sweep)
    pixels, points = sweep.sizes["y"] * sweep.sizes["x"], sweep.sizes["frequency"]
    planes = int(np.prod(signal.shape[:-3], dtype=int))
    total, lost = np.zeros(pixels), np.zeros(pixels, dtype=np.int64)
    seen = np.zeros((planes, points), dtype=np.int64)
    for band in bands_of(signal):
        block = source.read(band, "signal").reshape(points, -1)
        part = slice(band.first * band.width, band.last * band.width)
        added = block.sum(axis=0, dtype=float)
        if np.isfinite(added).all():
            seen[band.plane] += block.shape[1]
        else:
            good = np.isfinite(block)
            added = np.where(good, block, 0).sum(axis=0, dtype=float)
            lost[part] += points - np.count_nonzero(good, axis=0)
            seen[band.plane] += np.count_nonzero(good, axis=1)
        total[part] += added
    missing = seen == 0
    bad = lost > np.count_nonzero(missing)
    there = missing.size - np.count_nonzero(missing)
    return Survey(np.where(bad, 0.0, total / max(there, 1)), bad | (there == 0), missing)


def mean_model(design: Design, seen: Survey) -> np.ndarray:
    """Model of the mean picture, ``(pixel,)`` electrons, positive.

    Richardson-Lucy steps (Lucy, Astron. J. 79, 745, 1974) from even light on an even background: every step multiplies
    the light of a site with the mean of picture over model under its image.
    """
    good = (~seen.bad).astype(float)
    picture = np.maximum(seen.mean, 0.0) * good
    ground = np.ones((good.size, 1))
    norm = np.asarray(design.images.T @ good)[:, None]
    mean = float(picture.sum() / max(good.sum(), 1.0))
    if mean <= 0:
        return np.zeros(good.size)
    # Too bright a background fades slowly: it starts below the dark corners.
    under = max(float(np.percentile(picture[~seen.bad], 2)), 0.01 * mean)
    light = np.full((design.sites, 1), max(mean - under, 0.01 * mean) * good.sum() / max(float(norm.sum()), 1e-300))
    for _ in range(_STEPS):
        model = np.asarray(design.images @ light) + under * ground
        ratio = (picture / model[:, 0])[:, None]
        light *= np.asarray(design.images.T @ ratio) / np.where(norm > 0, norm, 1.0)
        under *= float(ratio.sum() / good.sum())
    return (np.asarray(design.images @ light) + under * ground)[:, 0]


def right_sides(sweep: xr.Dataset, design: Design, weight: np.ndarray) -> np.ndarray:
    """Sums of images times weighted pictures, ``(site + k, plane * frequency)``; read band by band."""
    signal, source = sweep["signal"], Source(sweep)
    points = sweep.sizes["frequency"]
    planes = int(np.prod(signal.shape[:-3], dtype=int))
    out = np.zeros((design.size, planes, points))
    for plane in range(planes):
        own = np.zeros((design.size, points))
        for band in bands_of(signal):
            if band.plane != plane:
                continue
            block = source.read(band, "signal").reshape(points, -1)
            start, stop = band.first * band.width, band.last * band.width
            design.add_right(weighted(block, weight[start:stop]), start, own)
        out[:, plane] = own
    return out.reshape(design.size, -1)


def weighted(block: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Pictures (m, pixel) times weights, as columns, ``(pixel, m)``; what is not finite counts as zero."""
    values = np.array(block.T, dtype=float, order="C")  # a copy always: a single picture is its own transpose
    if not np.isfinite(values.sum()):
        values[~np.isfinite(values)] = 0.0
    values *= weight if weight.ndim == 2 else weight[:, None]
    return values


def variance_ratio(noise: Noise, spread: Spread, own: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Variance of a site's light in each picture over that in the mean one, ``(site, m)``.

    Under the image of the site, weighted as the fit does: what its own light, its neighbours', the background and the
    read noise add.

    Parameters
    ----------
    noise : Noise
    spread : Spread
    own : ndarray, (site,)
        Information on each site beside known ones (1/electron^2).
    z : ndarray, (site + k, m)
        Light and background.
    """
    sites = own.size
    variance = noise.excess * (spread.sites @ z[:sites] + spread.background @ z[sites:])
    variance += noise.read**2 * spread.even[:, None]
    return np.maximum(variance / np.where(own > 0, own, 1.0)[:, None], 0.1)
