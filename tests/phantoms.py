"""Currents with a known truth, for tests of everything that turns a field into a current.

A window of 100 x 100 pixels of 100 nm, a current of 1 mA, noise of 2 uT. All phantoms but the eddy leave the window, as
leads do: they end 1 mm away. Traces are 1 nm thick about z = 0, have mitred corners, and edges on the edges of pixels,
so that their area averages are exact:

- ``ribbon``: along +y through the middle, 1.2 um wide;
- ``u``: 1.1 um wide, legs 4 um apart, in from below at the left, across 2 um above the middle, out below at the right;
- ``meander``: 0.6 um wide, four legs 1.4 um apart and 6 um long, in and out below;
- ``smooth``: a straight current at 25 degrees to y, whose density is a squared cosine 4 um wide (nowhere flat);
- ``eddy``: circles about the middle, from a stream function that is a Gaussian with a sigma of 1.2 um.

The fields are closed forms (bars, wedges, narrow ribbons, loops), averaged over every pixel by 4 x 4 Gauss points:
nothing of a discretised inversion is in them. A Hann filter at its best cut-off, with the border values continued
outside, errs by 0.13 (ribbon), 0.135 (u), 0.15 (meander) at 100 nm, and by 0.29 (u) and 0.36 (meander) at 500 nm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import xarray as xr

import vbsense as vb
from vbsense.currents import Conductor, Sum, path

PIXEL, SIDE = 100e-9, 100
CURRENT, NOISE = 1e-3, 2e-6
MIDDLE = (SIDE - 1) / 2 * PIXEL  # of the window, seen from the centre of pixel (0, 0)
FAR = 1e-3
ANGLE, BREADTH = np.radians(25), 4e-6  # of the smooth phantom
SIGMA = 1.2e-6  # of the eddy


@dataclass(frozen=True, eq=False)
class Phantom:
    """A conductor in the plane z = 0 and the area average of its current density on the pixels.

    Attributes
    ----------
    name : str
    conductor : Conductor
        Current `CURRENT`.
    J : ndarray, (2, y, x)
        Jx and Jy (A/m).
    """

    name: str
    conductor: Conductor
    J: np.ndarray

    def field(self, standoff: float) -> np.ndarray:
        """Bx, By and Bz (3, y, x) T without noise, averaged over every pixel."""
        return _field(self.name, float(standoff))

    def map(self, standoff: float, *, seed: int = 0, offset: float = 0.0, noise: float = NOISE) -> xr.Dataset:
        """A map of Bz with noise, its error, and a uniform field on top."""
        clean = self.field(standoff)[2]
        B = clean + offset + np.random.default_rng(seed).normal(0, noise, clean.shape)
        return vb.make_map(B, pixel_size=PIXEL, error=np.full(B.shape, noise))

    def error(self, J: np.ndarray) -> float:
        """Relative L2 error of a current density (2, y, x) over the window."""
        return float(np.linalg.norm(J - self.J) / np.linalg.norm(self.J))


@cache
def phantom(name: str) -> Phantom:
    """One of ribbon, u, meander, smooth, eddy."""
    if name == "smooth":
        return Phantom(name, _smooth(), _smooth_density())
    if name == "eddy":
        return Phantom(name, _eddy(), _eddy_density())
    width, corners = TRACES[name]
    vertices = [(x, y, 0.0) for x, y in corners]
    return Phantom(name, path(vertices, width, 1e-9, CURRENT), trace_density(np.array(corners), width))


def _meander_corners(pitch: float, legs: int, half: float) -> list[tuple[float, float]]:
    corners = []
    for k in range(legs):
        x = MIDDLE + pitch * (k - (legs - 1) / 2)
        low = -FAR if k in (0, legs - 1) else MIDDLE - half
        corners += [(x, low), (x, MIDDLE + half)][:: 1 if k % 2 == 0 else -1]
    return corners


_LEFT, _RIGHT, _TOP = MIDDLE - 1.95e-6, MIDDLE + 2.05e-6, MIDDLE + 2.05e-6
TRACES = {
    "ribbon": (1.2e-6, [(MIDDLE, -FAR), (MIDDLE, FAR)]),
    "u": (1.1e-6, [(_LEFT, -FAR), (_LEFT, _TOP), (_RIGHT, _TOP), (_RIGHT, -FAR)]),
    "meander": (0.6e-6, _meander_corners(1.4e-6, 4, 3e-6)),
}


def trace_density(corners: np.ndarray, width: float) -> np.ndarray:
    """Area average (2, y, x) of a mitred trace along x and y: 10 x 10 points a pixel, half of those on a mitre."""
    fine = (np.arange(10 * SIDE) + 0.5) / 10 * PIXEL - PIXEL / 2
    X, Y = np.meshgrid(fine, fine)
    steps = np.diff(corners, axis=0)
    lengths = np.hypot(*steps.T)
    along = steps / lengths[:, None]
    turns = [0.0, *(a[0] * b[1] - a[1] * b[0] for a, b in pairwise(along)), 0.0]
    J = np.zeros((2, *X.shape))
    for k, ((x0, y0), t) in enumerate(zip(corners[:-1], along, strict=True)):
        ahead, left = (X - x0) * t[0] + (Y - y0) * t[1], (Y - y0) * t[0] - (X - x0) * t[1]
        inside = np.abs(left) < width / 2
        before, after = ahead - turns[k] * left, lengths[k] - turns[k + 1] * left - ahead
        part = inside * np.heaviside(np.round(before, 12), 0.5) * np.heaviside(np.round(after, 12), 0.5)
        J += t[:, None, None] * part * CURRENT / width
    return J.reshape(2, SIDE, 10, SIDE, 10).mean(axis=(2, 4))


def _across(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to the right of the axis of the smooth phantom."""
    return (x - MIDDLE) * np.cos(ANGLE) - (y - MIDDLE) * np.sin(ANGLE)


def _smooth() -> Conductor:
    """200 ribbons side by side, 20 nm wide."""
    edges = np.linspace(-BREADTH / 2, BREADTH / 2, 201)
    share = np.diff(edges / BREADTH + np.sin(2 * np.pi * edges / BREADTH) / (2 * np.pi))
    along, side = np.array([np.sin(ANGLE), np.cos(ANGLE), 0]), np.array([np.cos(ANGLE), -np.sin(ANGLE), 0])
    centre = np.array([MIDDLE, MIDDLE, 0])
    parts = []
    for u, part in zip((edges[:-1] + edges[1:]) / 2, share.tolist(), strict=True):
        middle = centre + u * side
        start, end = tuple((middle - FAR * along).tolist()), tuple((middle + FAR * along).tolist())
        parts.append(vb.Ribbon(start, end, float(edges[1] - edges[0]), CURRENT * part))
    return Sum(tuple(parts), current=CURRENT)


def _smooth_density() -> np.ndarray:
    points, weights = gauss_points()
    u = _across(*points)
    density = 2 * CURRENT / BREADTH * np.cos(np.pi * np.clip(u / BREADTH, -0.5, 0.5)) ** 2
    mean = pixel_mean(density, weights)
    return np.stack([mean * np.sin(ANGLE), mean * np.cos(ANGLE)])


def _eddy() -> Conductor:
    """Loops 50 nm apart: seen from 100 nm, a continuous current but for 3e-6 of it."""
    parts = []
    for r in np.arange(25e-9, 6 * SIGMA, 50e-9).tolist():
        share = r / SIGMA**2 * np.exp(-(r**2) / (2 * SIGMA**2)) * 50e-9
        parts.append(vb.Loop((MIDDLE, MIDDLE, 0.0), r, CURRENT * float(share)))
    return Sum(tuple(parts), current=CURRENT)


def _eddy_density() -> np.ndarray:
    (X, Y), weights = gauss_points()
    x, y = X - MIDDLE, Y - MIDDLE
    around = CURRENT / SIGMA**2 * np.exp(-(x**2 + y**2) / (2 * SIGMA**2))
    return np.stack([pixel_mean(-around * y, weights), pixel_mean(around * x, weights)])


def gauss_points(order: int = 4) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """x and y, each (SIDE order, SIDE order), of the Gauss points of all pixels, and the weights of one side."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    line = (np.arange(SIDE)[:, None] * PIXEL + nodes * PIXEL / 2).ravel()
    X, Y = np.meshgrid(line, line)
    return (X, Y), weights / 2


def pixel_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over every pixel of values at `gauss_points`, ``(..., y, x)``."""
    n = weights.size
    split = values.reshape(*values.shape[:-2], SIDE, n, SIDE, n)
    return np.einsum("...iajb,a,b->...ij", split, weights, weights)


@cache
def _field(name: str, standoff: float) -> np.ndarray:
    (X, Y), weights = gauss_points()
    points = np.stack([X, Y, np.full_like(X, standoff)], axis=-1)
    field = np.moveaxis(phantom(name).conductor.field(points), -1, 0)
    mean = pixel_mean(field, weights)
    mean.setflags(write=False)
    return mean
