"""Start values for a block of spectra: matched filter with templates of the model's own line, then the best pair.

Every spectrum is projected on templates at K centers, whose mean has been taken out. For two lines the drop of
chi-squared of each pair of templates follows from these K numbers and the Gram matrix of the templates, so that
all pairs cost as much as two evaluations of the model. Parabolas through the best pair and its neighbours give
the centers to a fraction of the grid. Everything is float32: a start value needs no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import float32, int32, int64, void

from vbsense._jit import kernel

__all__ = ["SIGNIFICANT", "Templates", "constants_of", "find_lines", "line_pairs", "make_templates"]

# Drop of chi-squared that noise does not reach: the best of a thousand independent pairs gets there with p = 3e-4.
SIGNIFICANT = 30.0
INDEX_BITS = np.int32(127)  # the lowest bits of a packed score hold the index of a template: at most 128 of them
SCORE_BITS = np.int32(~127)


class Templates(NamedTuple):
    """Lines of one width at all centers, and what solves for the amplitudes of each pair."""

    rows: np.ndarray  # (k, m) templates without their mean, zero in the padding
    mean: np.ndarray  # (k,)
    centers: np.ndarray  # (k,) scaled frequencies
    fwhm: float
    pairs: np.ndarray  # (3, k, k) elements of the inverse 2 x 2 Gram matrices; 0 for pairs that are not allowed
    apart: int = 0  # where the templates of the second line begin, if both have their own


def constants_of(model: Any) -> np.ndarray:
    """What the kernel of a model finds behind the parameters."""
    return np.zeros(0) if model.constants is None else np.asarray(model.constants, dtype=float)


def take_out_trend(rows: np.ndarray, x: np.ndarray, points: int) -> None:
    """Take the straight line out of the data of each row: with that of the templates gone, light may drift."""
    t = x[:points] - x[:points].mean()
    t = (t / np.sqrt(t @ t)).astype(rows.dtype)
    rows[:, :points] -= (rows[:, :points] @ t)[:, None] * t


def make_templates(model: Any, x: np.ndarray, points: int, fwhm: float, count: int) -> Templates:
    """Build templates from the compiled model itself.

    Parameters
    ----------
    model : Model
        One whose `lines` are known.
    x : ndarray, (m,)
        Scaled frequencies, padded.
    points : int
        How many of them are data.
    fwhm : float
        Width of all templates, in scaled frequency.
    count : int
        Number of centers, at most 128.
    """
    centers = x[points - 1] * (-1 + 2 * (np.arange(count) + 0.5) / count)
    rows = np.zeros((count, x.size))
    p = model.middle  # of mixing, skew, slope: where the fit starts as well
    for center, width, contrast in model.lines[::-1]:
        p[center], p[width], p[contrast] = 0.0, fwhm, 0.0
    p[model.index("offset")], p[contrast] = 1.0, 1.0
    x64, out, jacobian = x.astype(float), np.zeros(x.size), np.zeros((p.size, x.size))
    p = np.append(p, constants_of(model))
    for k in range(count):
        p[center] = centers[k]
        model.compiled(model.scale)(x64, p, out, jacobian)
        rows[k, :points] = 1 - out[:points]
    mean = rows[:, :points].mean(1)
    rows[:, :points] -= mean[:, None]
    if "slope" in model.parameters:
        take_out_trend(rows, x, points)
    gram = rows @ rows.T
    index = np.arange(count)
    # Neighbours are too alike to be told apart.
    pairs = _single_lines(gram) if len(model.lines) == 1 else line_pairs(gram, index[None, :] >= index[:, None] + 2)
    return Templates(rows.astype(np.float32), mean.astype(np.float32), centers.astype(np.float32), fwhm, pairs)


def _single_lines(gram: np.ndarray) -> np.ndarray:
    norm = np.diag(gram)
    pairs = np.zeros((3, *gram.shape), np.float32)
    pairs[0] = np.diag(np.where(norm > 1e-2 * norm.max(), 1 / np.maximum(norm, 1e-12), 0))
    return pairs


def line_pairs(gram: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """`Templates.pairs` from the products of all templates ``(k, k)`` and the pairs that make sense."""
    norm = np.diag(gram)
    product = norm[:, None] * norm[None, :]
    determinant = product - gram**2
    good = allowed & (determinant > 1e-2 * product) & (np.minimum(norm[:, None], norm[None, :]) > 1e-2 * norm.max())
    inverse = np.where(good, 1 / np.where(good, determinant, 1), 0)
    return np.stack([norm[None, :] * inverse, norm[:, None] * inverse, gram * inverse]).astype(np.float32)


@kernel(void(float32[:, ::1], float32[:, ::1], float32[:, ::1]))
def _project(signal, templates, products):
    """Dot products of every spectrum and template, in tiles of four spectra by two templates."""
    for i in range(0, signal.shape[0], 4):
        a, b, c, d = signal[i], signal[i + 1], signal[i + 2], signal[i + 3]
        for j in range(0, templates.shape[0], 2):
            u, v = templates[j], templates[j + 1]
            au, av, bu, bv = float32(0), float32(0), float32(0), float32(0)
            cu, cv, du, dv = float32(0), float32(0), float32(0), float32(0)
            for m in range(signal.shape[1]):
                au += a[m] * u[m]
                av += a[m] * v[m]
                bu += b[m] * u[m]
                bv += b[m] * v[m]
                cu += c[m] * u[m]
                cv += c[m] * v[m]
                du += d[m] * u[m]
                dv += d[m] * v[m]
            products[i, j], products[i + 1, j], products[i + 2, j], products[i + 3, j] = au, bu, cu, du
            products[i, j + 1], products[i + 1, j + 1], products[i + 2, j + 1], products[i + 3, j + 1] = av, bv, cv, dv


@kernel(int64(float32[::1], float32[:, :, ::1], int64, int32[::1]))
def _best_pair(b, pairs, apart, packed):
    """Return ``k * K + l`` of the pair of dips that lowers chi-squared most, or -1.

    The index k is packed into the lowest bits of the score, so that one maximum, which vectorises, finds both.
    Whole rows are searched, forbidden pairs with score 0: loops that start at k cost more. If both lines have
    templates of their own, those of the second begin at `apart`, which is 0 otherwise.
    """
    zero, other = float32(0), b[apart:]
    packed[:] = 0
    for k in range(apart if apart > 0 else b.size):
        p, q, r, first, index = pairs[0, k, apart:], pairs[1, k, apart:], pairs[2, k, apart:], b[k], np.int32(k)
        for l in range(other.size):
            lower = r[l] * other[l] - p[l] * first
            upper = r[l] * first - q[l] * other[l]
            score = -(lower * first + upper * other[l])
            score = score if lower > zero else zero
            score = score if upper >= zero else zero
            entry = (np.float32(score).view(np.int32) & SCORE_BITS) | index
            packed[l] = entry if entry > packed[l] else packed[l]
    top, at = INDEX_BITS, -1
    for l in range(other.size):
        if packed[l] > top:
            top, at = packed[l], l
    return -1 if at < 0 else np.int64(top & INDEX_BITS) * b.size + at + apart


@kernel(float32(float32[::1], float32[:, :, ::1], int64, int64))
def _score(b, pairs, k, l):
    """Drop of the sum of squares for the pair (k, l); 0 if it is not allowed or not there."""
    if k < 0 or l < 0 or k >= b.size or l >= b.size:
        return float32(0)
    return pairs[0, k, l] * b[k] * b[k] + pairs[1, k, l] * b[l] * b[l] - float32(2) * pairs[2, k, l] * b[k] * b[l]


@kernel(float32(float32, float32, float32))
def _vertex(left, middle, right):
    """Place of the top of a parabola through three points one apart, kept within half a step."""
    bend = left - float32(2) * middle + right
    if left <= 0 or right <= 0 or bend >= 0:
        return float32(0)
    return min(max(float32(0.5) * (left - right) / bend, float32(-0.5)), float32(0.5))


@kernel(
    void(
        float32[:, ::1], int64, float32[:, ::1], float32[:, ::1], float32[::1], float32[::1], float32[:, :, ::1],
        int64, float32[:, ::1], float32[:, ::1],
    )
)  # fmt: skip
def _find_block(signal, points, templates, products, mean, centers, pairs, apart, found, power):
    _project(signal, templates, products)
    packed = np.zeros(centers.size, np.int32)
    spacing = centers[1] - centers[0]
    for i in range(found.shape[0]):
        y, b = signal[i], products[i]
        level, total = float32(0), float32(0)
        for m in range(points):
            level += y[m]
        level /= float32(points)
        for m in range(points):
            total += (y[m] - level) * (y[m] - level)
        power[i, 0], power[i, 1] = total, float32(0)
        at = _best_pair(b, pairs, apart, packed)
        if at < 0:
            continue
        k, l = at // centers.size, at % centers.size
        middle = _score(b, pairs, k, l)
        one = 1 if k == l else 0  # a single line lies on the diagonal
        lower = pairs[2, k, l] * b[l] - pairs[0, k, l] * b[k]
        upper = pairs[2, k, l] * b[k] - pairs[1, k, l] * b[l]
        power[i, 1] = middle
        found[i, 0] = level + lower * mean[k] + upper * mean[l]
        left, right = _score(b, pairs, k - 1, l - one), _score(b, pairs, k + 1, l + one)
        found[i, 1] = centers[k] + spacing * _vertex(left, middle, right)
        found[i, 2] = centers[l] + spacing * _vertex(_score(b, pairs, k, l - 1), middle, _score(b, pairs, k, l + 1))
        found[i, 3], found[i, 4] = lower / found[i, 0], upper / found[i, 0]


def find_lines(
    signal: np.ndarray, points: int, templates: Templates, lines: Sequence[tuple[int, int, int]], offset: int,
    start: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Fill offset, centers, widths and contrasts of `start`.

    Parameters
    ----------
    signal : ndarray of float32, (n, m)
        Spectra of order one, n a multiple of 4, without NaN.
    points : int
        Number of data in each row; the rest is padding.
    templates : Templates
        Of the model.
    lines : sequence of (int, int, int)
        Columns of center, fwhm and contrast of each line in `start`.
    offset : int
        Column of the offset.
    start : ndarray, (n, parameters)
        Filled in place.

    Returns
    -------
    total, explained : ndarray, (n,)
        Sum of squares about the mean, and its drop by the lines; 0 where no dip was found.
    """
    products = np.empty((len(signal), len(templates.centers)), np.float32)
    found = np.zeros((len(signal), 5), np.float32)
    power = np.zeros((len(signal), 2), np.float32)
    _find_block(
        signal,
        points,
        templates.rows,
        products,
        templates.mean,
        templates.centers,
        templates.pairs,
        templates.apart,
        found,
        power,
    )
    start[:, offset] = found[:, 0]
    for i, (center, fwhm, contrast) in enumerate(lines):
        start[:, center], start[:, fwhm], start[:, contrast] = found[:, 1 + i], templates.fwhm, found[:, 3 + i]
    return power[:, 0].astype(float), power[:, 1].astype(float)
