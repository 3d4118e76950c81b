"""Drift of a known lattice: every image fitted by all spots, moved together. Lengths are in pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vbsense.analysis._lattice_fit import Model, Problem, places
from vbsense.analysis._lattice_index import seen
from vbsense.analysis._lattice_light import Light
from vbsense.analysis._lattice_spots import Footprint, Spots, spots_at
from vbsense.analysis._lattice_strays import outliers
from vbsense.analysis._lattice_system import System

__all__ = [
    "LOST", "Moved", "Reference", "from_images", "from_mean", "inverse_of", "moved_lattice", "near_lattice",
    "reference_of", "sharpened",
]  # fmt: skip

SHIFT_ONLY = np.eye(7)[:, [4, 5]]
TOUCHING = 0.02  # of the light of a spot must fall on the picture
STEPS = 20
CLOSE = 0.02  # of the error: a step so small is the last one


@dataclass(frozen=True)
class Moved:
    """Where an image lies: x and y, their covariance, and its light against the reference."""

    shift: np.ndarray  # (2,)
    covariance: np.ndarray  # (2, 2)
    scale: float
    constant: float  # background
    chi2: float  # reduced


LOST = Moved(np.full(2, np.nan), np.full((2, 2), np.nan), np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Reference:
    """The spots with their light and the background, from the mean image."""

    problem: Problem
    model: Model
    curved: np.ndarray  # (ny, nx): the background without its constant


def reference_of(light: Light, x: np.ndarray, y: np.ndarray, sigma: float, footprint: Footprint) -> Reference:
    """Equal spots at (x, y), as bright together as the mean image: enough to see roughly where the images lie."""
    kept = seen(x, y, light.good.shape, sigma) > TOUCHING
    if not kept.any():
        raise ValueError(
            f"all {x.size} sites lie outside the images: check that sites and sweep have the same coordinates (metres)"
        )
    # With unit steps and no turn, row and column are the places themselves.
    problem = Problem(light, y[kept], x[kept], footprint, SHIFT_ONLY, 2)
    level = float(np.quantile(light.values[light.good], 0.05))
    each = max(float((light.values - level)[light.good].sum()), 1.0) / int(kept.sum())
    background = np.array([level, 0, 0, 0, 0, 0])
    geometry = np.array([1.0, 1.0, 0, 0, 0, 0, sigma])
    return _reference(problem, Model(geometry, np.full(int(kept.sum()), each), background, np.zeros((0, 3))))


def from_mean(reference: Reference, shift: np.ndarray) -> Reference:
    """With the light of every spot, fitted to the mean image near `shift`; bad pixels are left out."""
    problem = reference.problem
    start = _at(reference.model, shift)
    fitted = problem.fit(problem.brightness(start), precision=0.3, errors=False)
    for _ in range(3):
        usual = float(np.median(fitted.model.light))
        bad, stray = outliers(problem, fitted, max(usual, 1e-30))
        if not bad.any() and not len(stray):
            break
        problem.good = problem.good & ~bad
        both = np.concatenate([fitted.model.stray, stray])
        fitted = problem.fit(replace(fitted.model, stray=both), precision=0.3, errors=False)
    return _reference(problem, fitted.model)


def from_images(reference: Reference, frames: list[Light], shifts: np.ndarray) -> Reference:
    """With the light of every spot from images that lie so far apart that their mean shows no spots."""
    constant = float(reference.model.background[0])
    for _ in range(2):
        moved = [replace(LOST, shift=s, scale=1.0, constant=constant) for s in shifts]
        reference = sharpened(reference, frames, moved)
        constant = float(reference.model.background[0])
    return reference


def _reference(problem: Problem, model: Model) -> Reference:
    return Reference(problem, model, np.tensordot(model.background[1:], problem.polynomials()[1:], 1))


def sharpened(reference: Reference, frames: list[Light], moved: list[Moved]) -> Reference:
    """The light of all spots from every image in its own place: the mean image is blurred by the drift."""
    problem, model = reference.problem, reference.model
    system = System(problem, model, linear=True)
    margin, padded = problem.layout(model.geometry[6])
    weight = system.root**2
    polynomials = problem.polynomials()
    local, shared = np.zeros(len(system.scale)), np.zeros(len(polynomials))
    total = sum(frame.count for frame in frames)
    for frame, one in zip(frames, moved, strict=True):
        spots = _spots(reference, one.shift)
        light = problem.crop(spots.matrix(spots.light) @ _light(model), margin, padded)
        expected = one.scale * (light + reference.curved) + one.constant
        left = np.where(frame.good, weight * (frame.values - expected), 0.0) * frame.count / total
        local += one.scale * (spots.matrix(spots.light).T @ problem.pad(left, margin))
        shared += np.tensordot(polynomials, left, 2)
    system.redirect(local, shared)
    return _reference(problem, system.step()[0])


def _light(model: Model) -> np.ndarray:
    return np.append(model.light, model.stray[:, 2])


def _spots(reference: Reference, shift: np.ndarray) -> Spots:
    """All spots, moved."""
    problem, model = reference.problem, reference.model
    margin, padded = problem.layout(model.geometry[6])
    x, y = places(model.geometry, problem.row, problem.column)
    x = np.append(x, model.stray[:, 0]) + shift[0]
    y = np.append(y, model.stray[:, 1]) + shift[1]
    return spots_at(x, y, float(model.geometry[6]), problem.footprint, padded, margin)


def _picture(reference: Reference, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Light of all spots moved to `shift`, and its derivatives by x and y, (ny, nx) each."""
    problem = reference.problem
    margin, padded = problem.layout(reference.model.geometry[6])
    spots, light = _spots(reference, shift), _light(reference.model)
    parts = (spots.matrix(v) @ light for v in (spots.light, spots.dx, spots.dy))
    first, second, third = (problem.crop(p, margin, padded) for p in parts)
    return first, second, third


def _coarse(image: np.ndarray, good: np.ndarray, problem: Problem, model: Model, near: np.ndarray) -> np.ndarray:
    """Shift to a fraction of a pixel, by cross-correlation with the spots.

    A lattice correlates almost as well one pitch away: among what noise cannot tell apart, the nearest to `near`.
    """
    from scipy import fft
    from scipy.ndimage import maximum_filter

    expected = problem.expect(replace(model, background=np.zeros_like(model.background)))
    level = np.median(image[good])
    difference = np.where(good, image - level, 0.0)
    template = expected - expected.mean()
    shape = [fft.next_fast_len(2 * n) for n in image.shape]
    product = fft.irfft2(fft.rfft2(difference, shape) * np.conj(fft.rfft2(template, shape)), shape)
    noise = np.sqrt((template**2 * problem.light.variance(np.maximum(expected + level, 0.0))).sum())
    top = (product == maximum_filter(product, size=3, mode="wrap")) & (product > product.max() - 5 * noise)
    row, column = np.nonzero(top)
    place = np.column_stack([(column + shape[1] // 2) % shape[1] - shape[1] // 2,
                             (row + shape[0] // 2) % shape[0] - shape[0] // 2])  # fmt: skip
    k = int(((place - near) ** 2).sum(axis=1).argmin())
    return place[k] + _vertex(product, int(row[k]), int(column[k]))


def _vertex(values: np.ndarray, row: int, column: int) -> np.ndarray:
    """From a maximum to the top of the parabolas through it, (x, y)."""
    ny, nx = values.shape
    across = values[row, [column - 1, column, (column + 1) % nx]]
    up = values[[row - 1, row, (row + 1) % ny], column]
    bends = [p[0] - 2 * p[1] + p[2] for p in (across, up)]
    return np.array([0.5 * (p[0] - p[2]) / b if b < 0 else 0.0 for p, b in zip((across, up), bends, strict=True)])


def near_lattice(reference: Reference, light: Light, near: np.ndarray) -> np.ndarray:
    """A first guess of the shift of one image; where a pitch more or less looks the same, the nearest to `near`."""
    model = _at(reference.model, near)
    problem = _own(reference.problem, light)
    return near + _coarse(problem.light.values, problem.light.good, problem, model, np.zeros(2))


def moved_lattice(reference: Reference, light: Light, start: np.ndarray, *, free: bool) -> Moved:
    """Where the spots lie in one image. With `free`, each spot has its own light in each image."""
    own = _own(reference.problem, light)
    if free:
        return _fit_free(own, _at(reference.model, start), reference.model)
    return _fit_common(reference, own.light, start)


def _own(problem: Problem, light: Light) -> Problem:
    """The problem of one image, with the bad pixels of the mean left out."""
    one = replace(light, good=light.good & problem.good)
    return Problem(one, problem.row, problem.column, problem.footprint, SHIFT_ONLY, problem.degree)


def _at(model: Model, shift: np.ndarray) -> Model:
    geometry = model.geometry.copy()
    geometry[4:6] += shift
    stray = model.stray.copy()
    stray[:, :2] += shift
    return replace(model, geometry=geometry, stray=stray)


def _fit_free(problem: Problem, start: Model, reference: Model) -> Moved:
    fitted = problem.fit(start, precision=CLOSE, errors=False)
    return Moved(
        fitted.model.geometry[4:6] - reference.geometry[4:6], fitted.covariance[4:6, 4:6],
        float(fitted.model.light.sum() / reference.light.sum()), float(fitted.model.background[0]),
        fitted.chi2 / max(fitted.freedom, 1),
    )  # fmt: skip


def _fit_common(reference: Reference, light: Light, shift: np.ndarray) -> Moved:
    """Shift, one factor for all spots and a constant, by Gauss-Newton steps."""
    good, values = light.good, light.values
    factor, constant = 1.0, float(reference.model.background[0])
    limit = 0.5 * reference.model.geometry[6]
    for _ in range(STEPS):
        spots, dx, dy = _picture(reference, shift)
        whole = spots + reference.curved
        expected = factor * whole + constant
        weight = good / light.variance(expected)
        columns = np.array([factor * dx, factor * dy, whole, np.ones_like(whole)]).reshape(4, -1)
        residual = (values - expected).ravel()
        normal = (columns * weight.ravel()) @ columns.T
        inverse = inverse_of(normal)
        step = inverse @ (columns @ (weight.ravel() * residual))
        bridle = min(1.0, limit / max(float(np.hypot(*step[:2])), 1e-30))
        shift, factor, constant = shift + bridle * step[:2], factor + step[2], constant + step[3]
        if (np.abs(step[:2]) < CLOSE * np.sqrt(np.diag(inverse)[:2])).all():
            break
    else:
        return LOST
    chi2 = float((weight.ravel() * residual**2).sum()) / max(int(good.sum()) - 4, 1)
    return Moved(shift, inverse[:2, :2], float(factor), float(constant), chi2)


def inverse_of(normal: np.ndarray) -> Any:
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    return np.linalg.pinv(normal * np.outer(scale, scale), hermitian=True) * np.outer(scale, scale)
