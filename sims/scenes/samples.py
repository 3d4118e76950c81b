"""A continuous layer cut into samples: their places, their light, their fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.sims.scenes.checks import check_fraction, check_lengths, check_not_negative, check_positive
from vbsense.sims.scenes.glow import unit_field_of
from vbsense.sims.scenes.outline import check_outline, coverage

__all__ = ["Layer", "brightness_of", "check_height", "field_of", "places"]

_AGREE = 1e-4  # of the largest field: what two and three points along a side may differ by


@dataclass(frozen=True)
class Layer:
    """A continuous layer of emitters.

    Parameters
    ----------
    rate : float
        Electrons per second and pixel well inside, at laser = 1 with the drive off.
    contrast : float
        Depth of one bare line at unlimited drive; the hyperfine lines share it out.
    thickness : float
        Of the layer (m), evenly filled.
    outline : (n, 2) array_like, optional
        Corners of the flake (m); everywhere by default.
    emitters : float, optional
        Mean number of emitters in the area of a pixel; every pixel then has a Poisson number of them.
    brightness_scatter : float
        Spread from pixel to pixel (relative, one sigma).
    oversampling : int
        Pieces along each side of a pixel that have a field and a spectrum of their own.
    margin : float
        How far the layer goes on beyond the picture, besides what the point-spread function reaches (m): as far as
        the sample may drift.

    Examples
    --------
    >>> Layer(rate=1e5, contrast=0.2, thickness=50e-9, outline=[(0, 0), (1e-5, 0), (0, 1e-5)]).outline[1]
    (1e-05, 0.0)
    """

    rate: float
    contrast: float
    thickness: float
    outline: Any = None
    emitters: float | None = None
    brightness_scatter: float = 0.0
    oversampling: int = 1
    margin: float = 1e-6

    def __post_init__(self) -> None:
        check_positive(self, "rate", *(["emitters"] if self.emitters is not None else []))
        check_fraction(self, "contrast")
        check_lengths(self, "thickness", "margin", zero=True)
        check_not_negative(self, "brightness_scatter", "a relative spread")
        if isinstance(self.oversampling, bool) or self.oversampling not in range(1, 17):
            raise ValueError(f"oversampling is {self.oversampling!r}; it must be a whole number from 1 to 16")
        if self.outline is not None:
            object.__setattr__(self, "outline", check_outline(self.outline))


def check_height(standoff: float, thickness: float) -> None:
    """The layer lies above z = 0, or an error (m)."""
    if standoff < thickness / 2 * (1 - 1e-12):
        raise ValueError(
            f"standoff is {standoff!r} m; the layer, {thickness:.3g} m thick, must not cut the conductor: "
            f"give at least {thickness / 2:.3g} m"
        )


def places(shape: tuple[int, int], pixel: float, oversampling: int, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of all samples (m): phases of a pixel, then rows, then columns, in one axis."""
    offset = ((np.arange(oversampling) + 0.5) / oversampling - 0.5) * pixel
    y, x = ((np.arange(n + 2 * margin) - margin) * pixel for n in shape)
    grid = np.meshgrid(offset, offset, y, x, indexing="ij")
    return (grid[1] + grid[3]).ravel(), (grid[0] + grid[2]).ravel()


def brightness_of(layer: Layer, x: np.ndarray, y: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Electrons per second of every sample at laser = 1, drive off, ``(n,)``."""
    pieces = layer.oversampling**2
    share = np.ones(x.size) if layer.outline is None else coverage(x, y, size, layer.outline)
    scatter = np.exp(rng.normal(0, layer.brightness_scatter, x.size))
    if layer.emitters is not None:
        share = rng.poisson(layer.emitters / pieces * share) / (layer.emitters / pieces)
    return layer.rate / pieces * share * scatter


def field_of(
    conductor: Any, x: np.ndarray, y: np.ndarray, size: float, standoff: float, thickness: float, wanted: np.ndarray
) -> np.ndarray:
    """Field of one ampere averaged over squares of side `size` and the depth of the layer, ``(n, 3)`` T/A.

    Samples that are not `wanted` get the mean field of the others: nobody sees them.
    """
    check_height(standoff, thickness)
    box = (size, standoff, thickness)
    side, depth = _orders(*box)
    out = np.empty((x.size, 3))
    x, y = x[wanted], y[wanted]
    if side <= 3:
        some = _average(conductor, x, y, box, side, depth)
    else:
        # Far from the conductor few points do: where three agree with two along each side, three are enough.
        coarse, some = (_average(conductor, x, y, box, n, min(depth, 2)) for n in (2, 3))
        error = np.abs(some - coarse).max(1)
        rough = error > _AGREE * np.abs(some).max()
        some[rough] = _average(conductor, x[rough], y[rough], box, side, depth)
    out[wanted] = some
    out[~wanted] = some.mean(0)
    return out


def _average(
    conductor: Any, x: np.ndarray, y: np.ndarray, box: tuple[float, float, float], side: int, depth: int
) -> np.ndarray:
    offsets, weights = _rule(box[0], box[2], side, depth)

    def average(piece: slice) -> np.ndarray:
        middle = np.column_stack([x[piece], y[piece], np.full(x[piece].size, box[1])])
        return np.einsum("sqc,q->sc", conductor.field(middle[:, None] + offsets), weights)

    return unit_field_of(average, conductor.current, x.size)


def _orders(size: float, standoff: float, thickness: float) -> tuple[int, int]:
    """Gauss-Legendre points along a side and through the depth, for a field that is singular on the conductor.

    Along a side the nearest singularity lies above the path in the complex plane, at the height over the half
    side; through the depth it lies ahead, on the face of the conductor. Errors fall as rho^(-2n).
    """
    h = (standoff - thickness / 4) / (size / 2)
    side = int(np.clip(np.ceil(np.log(3e3) / (2 * np.log(h + np.hypot(h, 1)))), 2, 12))
    if not thickness:
        return side, 1
    h = max(standoff / (thickness / 2), 1.05)
    return side, int(np.clip(np.ceil(np.log(3e3) / (2 * np.log(h + np.sqrt(h * h - 1)))), 2, 8))


def _rule(size: float, thickness: float, side: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of a box about its middle (n, 3) m, and weights (n,) that add up to 1."""
    u, wu = np.polynomial.legendre.leggauss(side)
    v, wv = np.polynomial.legendre.leggauss(depth)
    a, b, c = np.meshgrid(u * size / 2, u * size / 2, v * thickness / 2, indexing="ij")
    weights = np.einsum("i,j,k->ijk", wu, wu, wv).ravel()
    return np.column_stack([a.ravel(), b.ravel(), c.ravel()]), weights / weights.sum()
