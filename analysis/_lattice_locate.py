"""From a guess to the best lattice: its extent, dark sites, stray spots, bad pixels, background, in turn.

Lengths are in pixels.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from vbsense.analysis._lattice_fit import Fitted, Model, Problem, places
from vbsense.analysis._lattice_glance import LEAST_SEEN, glance, in_view, steps_of
from vbsense.analysis._lattice_index import angles, extent, oriented, placed, seen, swapped
from vbsense.analysis._lattice_light import Light
from vbsense.analysis._lattice_seek import Candidate, reduced
from vbsense.analysis._lattice_spots import Footprint, footprint_of
from vbsense.analysis._lattice_strays import disturbed, lasting, outliers
from vbsense.analysis._lattice_wanted import Wanted

__all__ = ["Located", "every_second", "locate"]

DARK = 0.2  # of the light of its neighbours: with less, a site is called missing
TOUCHING = 0.02  # of its light: with less, a site is not in the model
LEAST_SIGMAS = 4.0  # of a site that counts for the extent of the array
ROUNDS = 8
MOST_STRAYS = 200
MOST_BESIDE = 10  # bright sites beside an array of the given shape
SIGNIFICANT = 16.0  # chi-squared that a curved or sloping background must gain


@dataclass(frozen=True)
class Located:
    """A fitted lattice: what find_array makes its result of."""

    fitted: Fitted
    problem: Problem
    rows: int
    columns: int
    row: np.ndarray  # of every site of the model, 0 = first row of the array
    column: np.ndarray
    inside: np.ndarray  # sites of the array that are in view
    dark: np.ndarray  # of those, the ones without light
    margin: float  # light, in usual spots, that the next-best place of a given shape lacks


@dataclass(frozen=True)
class _Box:
    """Rows and columns that belong to the array, counted from any site."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.last_row - self.first_row + 1, self.last_column - self.first_column + 1

    @property
    def middle(self) -> np.ndarray:
        """Row and column of the centre."""
        return np.array([self.first_row + self.last_row, self.first_column + self.last_column]) / 2

    def holds(self, row: np.ndarray, column: np.ndarray, ring: int = 0) -> np.ndarray:
        up = (row >= self.first_row - ring) & (row <= self.last_row + ring)
        return up & (column >= self.first_column - ring) & (column <= self.last_column + ring)


def locate(light: Light, request: Wanted, start: Candidate, sigma: float) -> Located:
    """The best lattice near the guess."""
    steps = oriented(start.steps, request)
    geometry = np.append(angles(steps), [*start.origin, sigma])
    row, column, bright = glance(light, geometry, request)
    box, margin = _boxed(row, column, bright, request)
    if request.shape is not None and request.design is None and _lies_across(row, column, bright, request):
        geometry[:4] = angles(swapped(steps))
        row, column, bright = glance(light, geometry, request)
        box, margin = _boxed(row, column, bright, request)
    for _ in range(ROUNDS):
        problem, model, labels = _posed(light, request, geometry, box)
        fitted = problem.fit(problem.brightness(model), precision=0.5, errors=False)
        geometry = _anchored(fitted.model.geometry, box)
        shine = np.where(_shining(problem, fitted, labels), fitted.model.light, 0.0)
        new, margin = _boxed(*labels, shine, request)
        if new == box:
            break
        box = new
    stray = np.zeros((0, 3))
    for _ in range(ROUNDS):
        problem, model, labels = _posed(light, request, geometry, box, ring=False)
        fitted = _cleaned(problem, problem.brightness(replace(model, stray=stray)), labels, request)
        # A stray spot beside the array made its neighbours look bright until it was known.
        shine = np.where(_shining(problem, fitted, labels), fitted.model.light, 0.0)
        smaller, _ = _boxed(*labels, shine, request)
        if smaller == box or request.shape is not None:
            break
        geometry, box, stray = _anchored(fitted.model.geometry, box), smaller, fitted.model.stray
        light = replace(light, good=problem.good)
    fitted = problem.fit(fitted.model, precision=0.05)
    return _described(problem, fitted, labels, box, margin)


def every_second(located: Located) -> Candidate | None:
    """The lattice without every second site, if nearly all of those are dark and many of the others bright."""
    row, column = located.row[located.inside], located.column[located.inside]
    bright = ~located.dark[located.inside]
    a, b = steps_of(located.fitted.model.geometry)
    for odd, pair in ((row % 2, (a, 2 * b)), (column % 2, (2 * a, b)), ((row + column) % 2, (a + b, b - a))):
        for which in (0, 1):
            here = odd == which
            if min(here.sum(), (~here).sum()) < 4:
                continue
            if bright[here].mean() < 0.1 and bright[~here].mean() > 0.2:
                geometry = located.fitted.model.geometry
                k = int(np.flatnonzero(located.inside)[np.flatnonzero(~here)[0]])
                x, y = places(geometry, located.problem.row[k : k + 1], located.problem.column[k : k + 1])
                return Candidate(np.array([x[0], y[0]]), reduced(np.array(pair)), 1.0)
    return None


def _footprint(light: Light, request: Wanted, rotation: float) -> Footprint:
    return footprint_of(request.spot.spot_shape, request.spot.spot_size / light.pixel, rotation)


def _boxed(row: np.ndarray, column: np.ndarray, light: np.ndarray, request: Wanted) -> tuple[_Box, float]:
    if not (light > 0).any():
        raise ValueError("lattice not found: none of its sites shines above the background")
    if request.shape is None:
        return _Box(*extent(row, column, light > 0)), np.inf
    place, margin = placed(row, column, light, request.shape)
    box = _Box(*place)
    bright, beside = int((light > 0).sum()), int((light > 0)[~box.holds(row, column)].sum())
    if beside > max(MOST_BESIDE, bright // 2):
        raise ValueError(
            f"shape is {request.shape}, and {beside} of {bright} bright sites lie outside of an array of that shape; "
            "give the right (rows, columns), leave the shape out, or cut the picture with select_region"
        )
    return box, margin


def _lies_across(row: np.ndarray, column: np.ndarray, light: np.ndarray, request: Wanted) -> bool:
    """Whether an array of this shape has its columns where the steps have its rows."""
    assert request.shape is not None
    rows, columns = request.shape
    if rows == columns:
        return False

    def held(shape: tuple[int, int]) -> float:
        box = _Box(*placed(row, column, light, shape)[0])
        return float(np.minimum(light, 1.5 * np.median(light[light > 0]))[box.holds(row, column)].sum())

    return held((columns, rows)) > 1.02 * held((rows, columns))


def _posed(
    light: Light, request: Wanted, geometry: np.ndarray, box: _Box, *, ring: bool = True
) -> tuple[Problem, Model, tuple[np.ndarray, np.ndarray]]:
    """The problem of the box and the sites around it, with the geometry counted from the middle of the box."""
    row, column = in_view(geometry, light.good.shape, TOUCHING)
    kept = box.holds(row, column, 1 if ring else 0)
    # Neighbours whose centre lies outside of the picture shine into it.
    part = seen(*places(geometry, row, column), light.good.shape, geometry[6])
    kept |= box.holds(row, column, 1) & (part < LEAST_SEEN)
    row, column = row[kept], column[kept]
    start = geometry.copy()
    start[4:6] = [v[0] for v in places(geometry, *box.middle[:, None])]
    tie = request.tie if 1 not in box.shape else replace(request, shape=(1, 1)).tie
    degree = 2 if request.degree is None else request.degree
    if tie.shape[1] < request.tie.shape[1] or not tie[3].any():
        start[3] = 0.0
    if not (tie[0] - tie[1]).any():
        start[:2] = start[:2].mean() if 1 not in box.shape else start[1 if box.shape[1] == 1 else 0]
    if request.sigma is not None:
        start[6] = request.sigma
    middle = box.middle
    problem = Problem(light, row - middle[0], column - middle[1], _footprint(light, request, start[2]), tie, degree)
    powers = len(problem.powers())
    return problem, Model(start, np.zeros(row.size), np.zeros(powers), np.zeros((0, 3))), (row, column)


def _anchored(geometry: np.ndarray, box: _Box) -> np.ndarray:
    """The geometry counted from the site (0, 0) again."""
    moved = geometry.copy()
    moved[4:6] = [v[0] for v in places(geometry, *(-box.middle)[:, None])]
    return moved


def _lit(labels: tuple[np.ndarray, np.ndarray], light: np.ndarray) -> np.ndarray:
    """Sites that shine like the bright ones around them."""
    return light > DARK * _around(labels, light)


def _shining(problem: Problem, fitted: Fitted, labels: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Sites in view that are lit, and not by noise."""
    geometry, light = fitted.model.geometry, fitted.model.light
    part = seen(*places(geometry, problem.row, problem.column), problem.good.shape, geometry[6])
    certain = (part > LEAST_SEEN) & (light > LEAST_SIGMAS * fitted.light_alone)
    return certain & _lit(labels, np.where(certain, light, 0.0))


def _around(labels: tuple[np.ndarray, np.ndarray], light: np.ndarray) -> np.ndarray:
    """Median light of the bright sites up to two rows and columns away; of all bright ones where there are none."""
    row, column = labels
    grid = np.full((np.ptp(row) + 5, np.ptp(column) + 5), np.nan)
    usual = np.median(light[light > 0.3 * np.quantile(light, 0.9)])
    grid[row - row.min() + 2, column - column.min() + 2] = np.where(light > DARK * usual, light, np.nan)
    near = np.array([
        grid[row - row.min() + i, column - column.min() + j] for i in range(5) for j in range(5) if (i, j) != (2, 2)
    ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a site without bright neighbours
        middle = np.nanmedian(near, axis=0)
    return np.where(np.isnan(middle), usual, middle)


def _cleaned(problem: Problem, model: Model, labels: tuple[np.ndarray, np.ndarray], request: Wanted) -> Fitted:
    """The fit without bad pixels, with stray spots, and with no more background than is needed."""
    fitted = problem.fit(model, precision=0.3, errors=False)
    for _ in range(ROUNDS):
        usual = float(np.median(fitted.model.light[_lit(labels, fitted.model.light)]))
        bad, stray = outliers(problem, fitted, usual)
        if not bad.any() and not len(stray):
            break
        problem.good = problem.good & ~bad
        known = np.concatenate([fitted.model.stray, stray])
        if len(known) > MOST_STRAYS:
            raise ValueError(
                f"{len(known)} bright spots are not on the lattice of {len(problem.row)} sites: it is not the one that "
                "was written, or there are several; give pitch= or design="
            )
        fitted = problem.fit(replace(fitted.model, stray=known), precision=0.3, errors=False)
    kept = lasting(problem, fitted, usual)
    if not kept.all():
        fitted = problem.fit(replace(fitted.model, stray=fitted.model.stray[kept]), precision=0.3, errors=False)
    problem.loose = disturbed(problem, fitted)
    if problem.loose.size:
        bent = np.zeros((problem.loose.size, 3))
        fitted = problem.fit(replace(fitted.model, bent=bent), precision=0.3, errors=False)
    if request.degree is None:
        fitted = _least_background(problem, fitted)
    return fitted


def _least_background(problem: Problem, fitted: Fitted) -> Fitted:
    """Without the curved, then without the sloping part of the background, unless the light asks for it."""
    scale = max(1.0, fitted.chi2 / max(fitted.freedom, 1))
    for degree in (2, 1):
        part = slice(7 + degree * (degree + 1) // 2, 7 + (degree + 1) * (degree + 2) // 2)
        value = fitted.model.background[part.start - 7 : part.stop - 7]
        gain = float(value @ np.linalg.pinv(fitted.covariance[part, part], hermitian=True) @ value)
        if gain > SIGNIFICANT * scale:
            break
        problem.degree = degree - 1
        model = replace(fitted.model, background=fitted.model.background[: part.start - 7])
        fitted = problem.fit(model, precision=0.3, errors=False)
    return fitted


def _described(
    problem: Problem, fitted: Fitted, labels: tuple[np.ndarray, np.ndarray], box: _Box, margin: float
) -> Located:
    x, y = places(fitted.model.geometry, problem.row, problem.column)
    inside = box.holds(*labels) & (_on_good(problem, x, y, fitted.model.geometry[6]) > LEAST_SEEN)
    dark = inside & ~_lit(labels, fitted.model.light)
    return Located(
        fitted, problem, *box.shape, labels[0] - box.first_row, labels[1] - box.first_column, inside, dark, margin
    )


def _on_good(problem: Problem, x: np.ndarray, y: np.ndarray, sigma: float) -> np.ndarray:
    """Fraction of the light of spots that falls on good pixels."""
    from vbsense.analysis._lattice_spots import spots_at

    margin, padded = problem.layout(sigma)
    spots = spots_at(x, y, sigma, problem.footprint, padded, margin)
    good = problem.pad(problem.good.astype(float), margin)
    return (spots.light * good[spots.index]).sum(axis=1)
