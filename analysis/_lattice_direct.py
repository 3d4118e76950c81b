"""Lattices of a few spots that are seen one by one: their places, and the steps that lead from one to the next.

A transform of few spots has broad peaks; the spots themselves say more. Lengths are in pixels, places are (x, y).
"""

from __future__ import annotations

import numpy as np

from vbsense.analysis._lattice_seek import Candidate, distinct, reduced

__all__ = ["bright_spots", "lattices_through"]

NEAR = 0.2  # of a step: so near to its site is a spot that belongs to it
NEIGHBOURS = 8


def bright_spots(picture: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Places of the maxima of a flattened picture that are clearly spots, ``(spot, 2)``, the brightest first.

    The fourth brightest of few, the upper quarter of many sets the scale: stray spots must not.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter

    smooth = gaussian_filter(picture, 1.0, mode="nearest") - gaussian_filter(picture, 4.0, mode="nearest")
    top = (smooth == maximum_filter(smooth, size=5)) & (smooth > 6 * np.sqrt(np.median(variance) / (4 * np.pi)))
    row, column = np.nonzero(top)
    if row.size == 0:
        return np.zeros((0, 2))
    height = smooth[row, column]
    order = np.argsort(-height)
    order = order[height[order] > 0.25 * height[order[min(max(3, len(order) // 4), len(order) - 1)]]]
    return np.array([_summit(smooth, row[k], column[k]) for k in order])


def _summit(smooth: np.ndarray, row: int, column: int) -> tuple[float, float]:
    """Top of the parabolas through a maximum."""
    place = []
    for profile, middle in ((smooth[row], column), (smooth[:, column], row)):
        if 0 < middle < len(profile) - 1:
            left, top, right = profile[middle - 1 : middle + 2]
            bend = left - 2 * top + right
            place.append(middle + (0.5 * (left - right) / bend if bend < 0 else 0.0))
        else:
            place.append(float(middle))
    return place[0], place[1]


def lattices_through(spots: np.ndarray) -> list[Candidate]:
    """Lattices, the best first; the score is the part of the spots, and of the sites between them, that they match."""
    if len(spots) < 2:
        return []
    line = _line(spots)
    if line is not None:
        return [line]
    steps = _steps(spots)
    found = []
    for i in range(len(steps)):
        for j in range(i + 1, len(steps)):
            a, b = steps[i], steps[j]
            if abs(a[0] * b[1] - a[1] * b[0]) > 0.3 * np.hypot(*a) * np.hypot(*b):
                candidate = _matched(spots, reduced(np.array([a, b])))
                if candidate is not None:
                    found.append(candidate)
    return distinct(found)


def _steps(spots: np.ndarray, most: int = 12) -> list[np.ndarray]:
    """Typical steps to a near neighbour, the most frequent first."""
    from scipy.spatial import cKDTree

    _, index = cKDTree(spots).query(spots, k=min(NEIGHBOURS + 1, len(spots)))
    step = (spots[index[:, 1:]] - spots[:, None, :]).reshape(-1, 2)
    step = np.where((step[:, :1] < 0) | ((step[:, :1] == 0) & (step[:, 1:] < 0)), -step, step)
    groups: list[list[np.ndarray]] = []
    for one in step[np.argsort(np.hypot(step[:, 0], step[:, 1]))]:
        for group in groups:
            off = np.hypot(*(one - group[0]))
            if min(off, np.hypot(*(one + group[0]))) < 0.15 * np.hypot(*one):
                group.append(one if off < np.hypot(*one) else -one)
                break
        else:
            groups.append([one])
    groups.sort(key=lambda g: -len(g))
    return [np.median(g, axis=0) for g in groups[:most]]


def _matched(spots: np.ndarray, steps: np.ndarray) -> Candidate | None:
    """The steps and the origin that fit most of the spots best."""
    origin = spots[np.argmin(np.hypot(*(spots - spots.mean(axis=0)).T))]
    for _ in range(4):
        where = (spots - origin) @ np.linalg.inv(steps)
        whole = np.rint(where)
        near = np.hypot(*(where - whole).T) < NEAR
        if near.sum() < 3 or np.linalg.matrix_rank(whole[near] - whole[near][0]) < 2:
            return None
        terms = np.column_stack([np.ones(near.sum()), whole[near]])
        solution = np.linalg.lstsq(terms, spots[near], rcond=None)[0]
        origin, steps = solution[0], solution[1:]
    if abs(np.linalg.det(steps)) < 1.0:
        return None
    span = np.ptp(whole[near], axis=0) + 1
    filled = len(np.unique(whole[near], axis=0)) / span.prod()
    return Candidate(origin, reduced(steps), float(near.mean() * min(1.0, filled / 0.6)))


def _line(spots: np.ndarray) -> Candidate | None:
    """A single row, with a step across it that is as long: nobody can see that one."""
    centre = spots.mean(axis=0)
    _, spread, axes = np.linalg.svd(spots - centre, full_matrices=False)
    along = np.sort((spots - centre) @ axes[0])
    step = float(np.median(np.diff(along)))
    if spread[-1] > 0.15 * step * np.sqrt(len(spots)):
        return None
    for _ in range(4):
        whole = np.rint((along - along[0]) / step)
        step, start = np.polyfit(whole, along, 1)
    near = np.abs((along - start) / step - whole) < NEAR
    a = axes[0] * step
    filled = len(spots) / (np.ptp(whole) + 1)
    return Candidate(
        centre + axes[0] * start, np.array([a, [-a[1], a[0]]]), float(near.mean() * min(1.0, filled / 0.6))
    )
