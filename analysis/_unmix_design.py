"""What a picture is made of: the images of all spots, and a background of a few smooth columns."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from vbsense._names import choices
from vbsense.analysis._unmix_solve import Normal
from vbsense.storage.ordered import thread_count

__all__ = ["BACKGROUNDS", "Design", "Spread", "background_columns"]

_FEW = 200  # sites of a thread: for fewer it does not pay to start one

BACKGROUNDS = {"none": -1, "constant": 0, "plane": 1, "smooth": 3}  # highest total degree


def background_columns(name: str, shape: tuple[int, int]) -> np.ndarray:
    """Products of Legendre polynomials over the picture, ``(pixel, k)``; the first is 1.

    Parameters
    ----------
    name : str
        One of `BACKGROUNDS`.
    shape : (int, int)
        Rows and columns of the picture.
    """
    if not isinstance(name, str) or name not in BACKGROUNDS:
        raise ValueError(f"background is {name!r}; {choices(name, BACKGROUNDS)}")
    from numpy.polynomial.legendre import legvander

    degree = BACKGROUNDS[name]
    along = [legvander(np.linspace(-1, 1, n) if n > 1 else np.zeros(1), max(degree, 0)) for n in shape]
    pairs = [(i, j) for total in range(degree + 1) for i in range(total + 1) for j in [total - i]]
    # A picture of one row has no slope across it.
    pairs = [(i, j) for i, j in pairs if i < shape[0] and j < shape[1]]
    columns = [np.outer(along[0][:, i], along[1][:, j]).ravel() for i, j in pairs]
    return np.column_stack(columns) if columns else np.zeros((shape[0] * shape[1], 0))


@dataclass(frozen=True, eq=False)
class Spread:
    """Variance of the sum of w g_i times a picture, by its sources.

    Attributes
    ----------
    sites : csr_array, (site, site)
        Sums of w^2 g_i^2 g_j: for one electron of site j.
    background : ndarray, (site, k)
        For one unit of a column of the background.
    even : ndarray, (site,)
        For a variance of 1 in every pixel.
    """

    sites: Any
    background: np.ndarray
    even: np.ndarray


@dataclass(frozen=True, eq=False)
class Design:
    """Images of the spots and columns of the background.

    Attributes
    ----------
    images : csc_array, (pixel, site)
    background : ndarray, (pixel, k)
    width : int
        Pixels of a row.
    """

    images: Any
    background: np.ndarray
    width: int

    @property
    def sites(self) -> int:
        """How many."""
        return int(self.images.shape[1])

    @property
    def size(self) -> int:
        """Sites and columns of the background together."""
        return self.sites + self.background.shape[1]

    @cached_property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, pixels and ends of the columns of the images."""
        return self.images.data, self.images.indices, self.images.indptr

    def _columns(self, low: int, high: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `parts`, of some of the columns."""
        data, index, ends = self.parts
        return data, index, ends[low : high + 1]

    @cached_property
    def squares(self) -> Any:
        """Squares of the images, transposed: ``(site, pixel)``."""
        from scipy.sparse import csc_array

        return csc_array((self.images.data**2, self.images.indices, self.images.indptr), shape=self.images.shape).T

    def chosen(self, sites: np.ndarray) -> Design:
        """With some of the sites only."""
        return self if sites.size == self.sites else Design(self.images[:, sites], self.background, self.width)

    def normal(self, weight: np.ndarray) -> tuple[Normal, Spread]:
        """Normal matrix for the weights of the pixels, and what their noise makes of it."""
        from scipy.sparse import csr_array

        from vbsense.analysis._unmix_kernels import boxes_of, count_pairs, overlaps

        boxes = np.empty((self.sites, 4), np.int64)
        boxes_of(*self.parts[1:], self.width, boxes)
        columns = np.column_stack([self.background, np.ones(weight.size)])
        under = np.zeros((self.sites, columns.shape[1]))

        def part(start: int, stop: int) -> tuple[np.ndarray, ...]:
            pairs = count_pairs(boxes, start, stop)
            found = (np.empty(pairs, np.int64), np.empty(pairs, np.int64), np.empty(pairs), np.empty((pairs, 2)))
            overlaps(*self.parts, weight, columns, boxes, self.width, np.zeros(weight.size), start, stop, *found, under)
            return found

        i, j, product, skewed = map(np.concatenate, zip(*_in_threads(part, self.sites), strict=True))
        n = self.sites
        off = i != j
        place = np.concatenate([i, j[off]]), np.concatenate([j, i[off]])
        spots = csr_array((np.concatenate([product, product[off]]), place), shape=(n, n))
        sites = csr_array((np.concatenate([skewed[:, 0], skewed[off, 1]]), place), shape=(n, n))
        ground = weight[:, None] * self.background
        cross, corner = np.asarray(self.images.T @ ground), self.background.T @ ground
        return Normal(spots, cross, corner), Spread(sites, under[:, :-1], under[:, -1])

    def add_right(self, values: np.ndarray, start: int, out: np.ndarray) -> None:
        """Add the sums of images and background times weighted pictures (pixel, m), from pixel `start` on, to `out`."""
        from vbsense.analysis._unmix_kernels import project

        _in_threads(lambda low, high: project(*self._columns(low, high), start, values, out[low:high]), self.sites)
        out[self.sites :] += self.background[start : start + len(values)].T @ values

    def right(self, values: np.ndarray) -> np.ndarray:
        """Sums over whole weighted pictures (pixel, m), ``(site + k, m)``."""
        out = np.zeros((self.size, values.shape[1]))
        self.add_right(values, 0, out)
        return out

    def model(self, z: np.ndarray) -> np.ndarray:
        """Pictures of light and background ``(site + k, m)``, ``(pixel, m)``."""
        from vbsense.analysis._unmix_kernels import expand

        out = self.background @ z[self.sites :]
        expand(*self.parts, 0, np.ascontiguousarray(z[: self.sites]), out)
        return out


def _in_threads(work: Callable[[int, int], Any], sites: int) -> list[Any]:
    """Results of `work` for ranges of the sites, side by side where there are many."""
    threads = min(thread_count(None), max(sites // _FEW, 1))
    edges = np.linspace(0, sites, threads + 1).astype(int).tolist()
    ranges = list(pairwise(edges))
    if threads == 1:
        return [work(*ranges[0])]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda limits: work(*limits), ranges))
