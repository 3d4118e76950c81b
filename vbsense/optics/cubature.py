"""Averages over many small cubes at once, each as fine as it needs to be.

The rule of Genz and Malik has 33 points in three dimensions (17 in two); it is exact to degree 7 and brings a rule
of degree 5 and the fourth differences along each axis with it. The difference of the two rules, times `SAFETY`,
is the error of a box; a box with more than its share of the error is halved along the axis of the largest fourth
difference. All boxes of all cubes go through one call of the integrand, so that numpy's overhead is paid per round.

In three dimensions the difference of the rules may vanish by accident where the integrand varies much: it did for one
in seventy exponentials, whose true error then was up to a thousand times larger. So the error is at least `DOUBT` times
the square of what two combinations of degree 3 find, over the mean length of the integrand. This is of the order of the
rule of degree 7, so that it costs nothing where the integrand is smooth, and does not vanish together with the
difference.

References
----------
A. C. Genz and A. A. Malik, J. Comput. Appl. Math. 6, 295 (1980), doi:10.1016/0771-050X(80)90039-X.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

__all__ = ["adaptive_means"]

# Near a singular edge the difference of the rules falls short of the error, by up to 2.2 where it was measured.
SAFETY = 4.0
# Exponentials and waves with up to eight e-foldings or radians across half of a box need 0.03.
DOUBT = 0.1
MOST_BOXES = 20_000  # of one cube
MOST_POINTS = 1 << 17  # in one call of the integrand


class _Rule(NamedTuple):
    points: np.ndarray  # (q, dims)
    seventh: np.ndarray  # (q,) weights of degree 7, of sum 1
    difference: np.ndarray  # (q,) those minus the weights of degree 5
    cubic: np.ndarray  # (2, q) combinations that vanish for polynomials of degree 3, as large as the difference
    fourth: np.ndarray  # (dims, q) fourth differences along each axis


class _Boxes(NamedTuple):
    """Boxes of all cubes, flat: the cube that each belongs to, its middle and half sides, mean times volume, error."""

    cube: np.ndarray
    middle: np.ndarray
    half: np.ndarray
    value: np.ndarray
    error: np.ndarray
    axis: np.ndarray

    def take(self, choice: np.ndarray) -> _Boxes:
        return _Boxes(*(column[choice] for column in self))


def adaptive_means(
    integrand: Callable[[np.ndarray, np.ndarray], np.ndarray], cubes: int, dims: int, *, tolerance: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean of a vector over the cube [-1, 1]^dims, for many cubes.

    Parameters
    ----------
    integrand : callable
        ``integrand(cube, points)`` with the number of the cube (box,) and points (box, q, dims) gives (box, q, 3).
    cubes, dims : int
        Number of cubes; 2 or 3 dimensions.
    tolerance : float
        Error allowed, as a fraction of the largest mean length of the vector over any one cube.

    Returns
    -------
    mean : ndarray, (cubes, 3)
    error : ndarray, (cubes,)
        Estimate of ``|mean - exact|``. It exceeds the allowed one where `MOST_BOXES` did not suffice.
    allowed : float
        Tolerance times the largest mean length, in the unit of the integrand.

    Examples
    --------
    >>> mean, error, allowed = adaptive_means(lambda cube, u: np.exp(3 * u), 1, 3, tolerance=1e-6)
    >>> bool((np.abs(mean - np.sinh(3) / 3) < error).all()), bool(error[0] < allowed)
    (True, True)
    """
    rule = _genz_malik(dims)
    start = (np.arange(cubes), np.zeros((cubes, dims)), np.ones((cubes, dims)))
    new, length = _evaluate(integrand, rule, *start)
    allowed = tolerance * float(length[np.isfinite(length)].max(initial=0.0))
    boxes = new.take(np.zeros(0, dtype=int))
    mean, error = np.zeros((cubes, new.value.shape[1])), np.zeros(cubes)
    while True:
        boxes = _Boxes(*map(np.concatenate, zip(boxes, new, strict=True)))
        total = np.bincount(boxes.cube, boxes.error, cubes)
        count = np.bincount(boxes.cube, minlength=cubes)
        open_ = (total > allowed) & (count < MOST_BOXES)
        done = ~open_[boxes.cube]
        np.add.at(mean, boxes.cube[done], boxes.value[done])
        np.add.at(error, boxes.cube[done], boxes.error[done])
        boxes = boxes.take(~done)
        if not boxes.cube.size:
            return mean, error, allowed
        # A cube that is still open has a box above the mean share of the allowed error, rounding (0.99) or not.
        coarse = boxes.error >= 0.99 * allowed / count[boxes.cube]
        new, _ = _evaluate(integrand, rule, *_halve(boxes.take(coarse)))
        boxes = boxes.take(~coarse)


def _halve(boxes: _Boxes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both halves of every box: cube, middle, half sides."""
    each = np.arange(boxes.cube.size)
    half, step = boxes.half.copy(), np.zeros_like(boxes.half)
    half[each, boxes.axis] /= 2
    step[each, boxes.axis] = half[each, boxes.axis]
    middle = np.concatenate([boxes.middle - step, boxes.middle + step])
    return np.tile(boxes.cube, 2), middle, np.tile(half, (2, 1))


def _evaluate(
    integrand: Callable[[np.ndarray, np.ndarray], np.ndarray],
    rule: _Rule,
    cube: np.ndarray,
    middle: np.ndarray,
    half: np.ndarray,
) -> tuple[_Boxes, np.ndarray]:
    """The boxes with their means and errors, and the mean length of the vector in each, ``(box,)``."""
    step = max(1, MOST_POINTS // rule.seventh.size)
    value, error, axis, length = [], [], [], []
    for k in range(0, max(cube.size, 1), step):
        part = slice(k, k + step)
        f = integrand(cube[part], middle[part, None, :] + half[part, None, :] * rule.points)
        volume = half[part].prod(axis=1)
        value.append(volume[:, None] * np.einsum("bqc,q->bc", f, rule.seventh))
        error.append(volume * _error(f, rule))
        axis.append((np.einsum("bqc,iq->bic", f, rule.fourth) ** 2).sum(axis=2).argmax(axis=1))
        length.append(np.abs(np.linalg.norm(f, axis=2) @ rule.seventh))
    boxes = _Boxes(cube, middle, half, np.concatenate(value), np.concatenate(error), np.concatenate(axis))
    return boxes, np.concatenate(length)


def _error(f: np.ndarray, rule: _Rule) -> np.ndarray:
    """Of the mean over each box, ``(box,)``, from the values (box, q, 3) at its points."""
    size = np.linalg.norm(f, axis=2).mean(axis=1)
    cubic = (np.einsum("bqc,iq->bic", f, rule.cubic) ** 2).sum(axis=(1, 2))
    doubt = DOUBT * np.divide(cubic, size, out=np.zeros_like(size), where=size != 0)
    return np.maximum(SAFETY * np.linalg.norm(np.einsum("bqc,q->bc", f, rule.difference), axis=1), doubt)


@lru_cache
def _genz_malik(n: int) -> _Rule:
    near, far, corner = np.sqrt([9 / 70, 9 / 10, 9 / 19])
    axes = np.eye(n)
    single = [sign * r * axes[i] for i in range(n) for r in (near, far) for sign in (-1, 1)]
    pairs = [
        far * (s * axes[i] + t * axes[j]) for i, j in combinations(range(n), 2) for s, t in product((-1, 1), repeat=2)
    ]
    corners = [corner * np.array(signs) for signs in product((-1, 1), repeat=n)]
    per_axis = [980 / 6561] * 2 + [(1820 - 400 * n) / 19683] * 2
    seventh = [(12824 - 9120 * n + 400 * n**2) / 19683, *per_axis * n]
    seventh += [200 / 19683] * len(pairs) + [6859 / 19683 / 2**n] * len(corners)
    per_axis = [245 / 486] * 2 + [(265 - 100 * n) / 1458] * 2
    fifth = [(729 - 950 * n + 50 * n**2) / 729, *per_axis * n] + [25 / 729] * len(pairs) + [0.0] * len(corners)
    fourth = np.zeros((n, len(seventh)))
    ratio = near**2 / far**2
    fourth[:, 0] = 2 * ratio - 2
    for i in range(n):
        fourth[i, 1 + 4 * i : 5 + 4 * i] = [1, 1, -ratio, -ratio]
    points, difference = np.array([np.zeros(n), *single, *pairs, *corners]), np.subtract(seventh, fifth)
    kind = np.array([0, *[1, 1, 2, 2] * n, *[3] * len(pairs), *[4] * len(corners)])
    alike = (kind == np.arange(5)[:, None]) / np.sqrt(np.bincount(kind))[:, None]  # unit vectors, (5, q)
    seen = np.column_stack([np.ones(len(points)), points[:, 0] ** 2, difference])
    cubic = np.linalg.norm(difference) * np.linalg.qr(alike @ seen, mode="complete")[0][:, 3:].T @ alike
    return _Rule(points, np.array(seventh), difference, cubic, fourth)
