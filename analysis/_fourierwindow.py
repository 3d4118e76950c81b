"""A picture for Fourier methods: continued beyond its edges, transformed, filtered, cut out again.

A transform repeats its picture without end. So that opposite edges do not meet, the picture is continued by its mirror
image: a current that crosses an edge goes on straight, and no edge has a step. With `padding` = 1 the mirrored picture
closes by itself; with less, the mirror images of both sides fade into each other.

Sign: ``exp(+i (kx x + ky y))``, rows = y, as in `vbsense.transfer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vbsense._numbers import number

__all__ = ["Array", "Transfer", "Waves", "Window", "make_window"]

Array: TypeAlias = NDArray[np.float64]

_WORKERS = 2
MOST_PADDING = 8.0


@dataclass(frozen=True)
class Waves:
    """Wave vectors of a picture in the order of ``rfft2`` (rad/m).

    `odd_x` and `odd_y` are for factors that are odd in a component: zero on the highest wave of an even number of
    pixels, whose sign a picture cannot tell.
    """

    kx: Array  # (1, m // 2 + 1)
    ky: Array  # (n, 1)
    odd_x: Array
    odd_y: Array
    k: Array  # (n, m // 2 + 1)

    @classmethod
    def of(cls, shape: tuple[int, int], steps: tuple[float, float]) -> Waves:
        """Of a picture of this shape whose pixels need not be square (m)."""
        kx = 2 * np.pi * np.asarray(np.fft.rfftfreq(shape[1], steps[1]), dtype=float)[None, :]
        ky = 2 * np.pi * np.asarray(np.fft.fftfreq(shape[0], steps[0]), dtype=float)[:, None]
        return cls(kx, ky, _odd(kx, shape[1]), _odd(ky, shape[0]), np.hypot(kx, ky))

    def first_columns(self, count: int) -> Waves:
        """Those with the smallest kx."""
        return Waves(self.kx[:, :count], self.ky, self.odd_x[:, :count], self.odd_y, self.k[:, :count])

    @property
    def per_k(self) -> Array:
        """1 / k, and 0 at k = 0."""
        return np.divide(1.0, self.k, out=np.zeros(self.k.shape), where=self.k > 0)


Transfer: TypeAlias = Callable[[Waves], NDArray]


@dataclass(frozen=True)
class Window:
    """Size of a picture, of its pixels, and of what is added to it; (y, x) throughout."""

    shape: tuple[int, int]
    steps: tuple[float, float]  # m
    gap: tuple[int, int]  # pixels added on one side; the picture is periodic, so that this is both sides

    @property
    def extended(self) -> tuple[int, int]:
        """Shape of what is transformed."""
        return self.shape[0] + self.gap[0], self.shape[1] + self.gap[1]

    def waves(self) -> Waves:
        """Of what is transformed."""
        return Waves.of(self.extended, self.steps)

    def transform(self, values: Array, flip: int | None = None) -> NDArray[np.complex128]:
        """Transform of the picture with its continuation, as ``rfft2`` would make it.

        Along the axis `flip` (0 = y, 1 = x) the mirror image has the other sign: so does Bx in a mirror across x where
        Bz keeps its sign.
        """
        from scipy.fft import fft, rfft

        # Rows first: the rows of the continuation are copies, which need no transform of their own.
        rows = rfft(_continue(values, 1, self.gap[1], flip), axis=1, workers=_WORKERS)
        return fft(_continue(rows, 0, self.gap[0], flip), axis=0, workers=_WORKERS, overwrite_x=True)

    def back(self, spectrum: NDArray) -> Array:
        """Picture of a transform, without the continuation; columns that it lacks are zero, and it is used up."""
        from scipy.fft import ifft, irfft

        rows = ifft(spectrum, axis=0, workers=_WORKERS, overwrite_x=True)[: self.shape[0]]
        image = irfft(rows, n=self.extended[1], axis=1, workers=_WORKERS)
        return np.ascontiguousarray(image[:, : self.shape[1]])


def make_window(shape: tuple[int, int], steps: tuple[float, float], padding: float) -> Window:
    """A window whose transform is fast.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    steps : (float, float)
        Pixel size along y and x (m).
    padding : float
        What is added, in sizes of the picture: 0 nothing, 1 the mirror image.

    Raises
    ------
    ValueError
        If the padding is negative or above 8.
    """
    from scipy.fft import next_fast_len

    padding = number("padding", padding, "sizes of the map")
    if not 0 <= padding <= MOST_PADDING:
        raise ValueError(
            f"padding is {padding:g}; it is what is added to the map in its own sizes, from 0 to {MOST_PADDING:g}: "
            "1 adds the mirror image"
        )
    rows, columns = shape
    if padding == 0:
        return Window((rows, columns), steps, (0, 0))
    full = [next_fast_len(n + int(np.ceil(n * padding)), real=True) for n in shape]
    return Window((rows, columns), steps, (full[0] - rows, full[1] - columns))


def _odd(component: Array, pixels: int) -> Array:
    if pixels % 2:
        return component
    cleared = component.copy()
    cleared.ravel()[pixels // 2] = 0.0
    return cleared


def _continue(values: NDArray, axis: int, gap: int, flip: int | None) -> NDArray:
    """Along one axis: the mirror image of the end, fading into that of the beginning."""
    if gap == 0:
        return values
    n, step = values.shape[axis], np.arange(gap)
    after, before = _mirror(n + step, n), _mirror(step - gap, n)
    values = np.moveaxis(values, axis, 0)
    added = values[after]
    differ = np.flatnonzero(after != before)
    if differ.size:
        fade = 0.5 + 0.5 * np.cos(np.pi * (step[differ, None] + 0.5) / gap)
        added[differ] = fade * added[differ] + (1 - fade) * values[before[differ]]
    return np.moveaxis(np.concatenate([values, -added if flip == axis else added]), 0, axis)


def _mirror(index: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Pixels of an endless row of mirror images."""
    index = np.mod(index, 2 * n)
    return np.where(index < n, index, 2 * n - 1 - index)
