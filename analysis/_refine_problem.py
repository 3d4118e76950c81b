"""The mean picture of a sweep as a function of where its spots lie, all brightnesses at their best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._read import frames_of
from vbsense.analysis._unmix_design import Design, background_columns
from vbsense.analysis._unmix_each import LEAST_SEEN
from vbsense.analysis._unmix_geometry import Geometry, check_inside
from vbsense.analysis._unmix_noise import Noise, mean_model, survey
from vbsense.analysis._unmix_shifts import read_shifts
from vbsense.analysis._unmix_solve import Solver
from vbsense.optics import GaussianPSF

__all__ = ["UNITS", "Problem", "value_of"]

UNITS = {"psf_fwhm": "m", "x": "m", "y": "m", "pitch": "m", "pitch_y": "m", "rotation": "rad", "shear": "rad"}
_STEPS = 30
_DOUBT = 0.3  # of the full width: errors beyond it mean that no spots were seen
_CLOSE = 1e-3  # of an error: where the steps end
_DELTA = 0.02  # of the full width: step of the derivatives
_BIN = 0.05  # of the full width: pictures that lie nearer than this to each other are taken together


def value_of(geometry: Geometry, name: str) -> float:
    if name == "psf_fwhm":
        return float(geometry.psf.fwhm)
    if name in ("x", "y"):
        return float(geometry.array.center["xy".index(name)])
    return float(getattr(geometry.array, name))


def _moved(geometry: Geometry, names: Sequence[str], step: np.ndarray) -> Geometry:
    """The geometry with steps added to its parameters."""
    values: dict[str, Any] = {name: value_of(geometry, name) + float(s) for name, s in zip(names, step, strict=True)}
    psf = GaussianPSF(values.pop("psf_fwhm")) if "psf_fwhm" in values else geometry.psf
    x, y = geometry.array.center
    center = (values.pop("x", x), values.pop("y", y))
    return replace(geometry, psf=psf, array=replace(geometry.array, center=center, **values))


@dataclass(frozen=True, eq=False)
class State:
    """The best light for a geometry."""

    design: Design
    solver: Solver
    solution: np.ndarray  # (site + k,)
    residual: np.ndarray  # (pixel,)
    chi2: float


class Problem:
    """The mean picture as a function of the geometry."""

    def __init__(
        self, sweep: xr.Dataset, start: Geometry, names: tuple[str, ...], background: str, shifts: xr.Dataset | None
    ) -> None:
        self.names = names
        seen = survey(sweep)
        if seen.missing.all():
            raise ValueError("the sweep has no pictures: all are NaN")
        self.picture, self.good = seen.mean, ~seen.bad
        self.background = background_columns(background, start.shape)
        places = read_shifts(sweep, shifts, seen.missing)
        there = ~seen.missing & np.isfinite(places).all(axis=-1)
        self.places = _bins(places[there], _BIN * start.psf.fwhm)
        count = frames_of(sweep, seen.missing.shape[0])[there]
        # Frames of an even average of all pictures.
        self.count = count.size**2 / np.sum(1 / np.maximum(count, 1.0))
        images = self._images(start)
        check_inside(images)
        self.sites = np.flatnonzero(np.asarray(images.T @ self.good.astype(float)) > LEAST_SEEN)
        if self.sites.size == 0:
            raise ValueError("no site has valid pixels: the images are NaN where the spots lie")
        self.noise = Noise.of(sweep)
        self._weigh(mean_model(self._design(images), seen))

    def _images(self, geometry: Geometry) -> Any:
        """Images of all sites, averaged over the places of the pictures."""
        return sum(share * geometry.images(place) for place, share in self.places).tocsc()

    def _design(self, images: Any) -> Design:
        images.sort_indices()
        return Design(images, self.background, 1).chosen(self.sites)

    def _weigh(self, model: np.ndarray) -> None:
        self.weight = np.where(self.good, 1 / self.noise.variance(model), 0.0)

    def reweigh(self, geometry: Geometry) -> None:
        """Take the weights from the best model for a geometry."""
        self._weigh(self.picture - self.state(geometry).residual)

    def settle(self, geometry: Geometry) -> tuple[Geometry, State]:
        """Step until the steps are far below the errors."""
        state = self.state(geometry)
        for _ in range(_STEPS):
            step, significance = self.step(geometry, state)
            if significance < _CLOSE:
                return geometry, state
            there, found = self.advance(geometry, state, step)
            if there is geometry and significance < 0.1:
                return geometry, state  # rounding decides what is better
            geometry, state = there, found
        raise ValueError(
            f"the geometry did not settle in {_STEPS} steps; start nearer, with find_array, or free fewer parameters"
        )

    def state(self, geometry: Geometry) -> State:
        """Solve for the light."""
        design = replace(self._design(self._images(geometry)), width=geometry.shape[1])
        solver = Solver(design.normal(self.weight)[0])
        solution = solver.solve(design.right((self.weight * self.picture)[:, None]))
        residual = self.picture - design.model(solution)[:, 0]
        return State(design, solver, solution[:, 0], residual, float(self.weight @ residual**2))

    def step(self, geometry: Geometry, state: State) -> tuple[np.ndarray, float]:
        """The next step, and its length in units of the errors."""
        slopes, information = self._information(geometry, state)
        gradient = slopes.T @ (self.weight * state.residual)
        step = np.linalg.solve(information, gradient)
        return step, float(np.sqrt(max(step @ information @ step, 0.0) * self.count))

    def advance(self, geometry: Geometry, state: State, step: np.ndarray) -> tuple[Geometry, State]:
        """Go as far as it gets better."""
        step = step * self._allowed(geometry, step)
        for _ in range(12):
            try:
                there = _moved(geometry, self.names, step)
                found = self.state(there)
            except ValueError:  # a length that is none, or sites on top of each other
                found = None
            if found is not None and found.chi2 <= state.chi2:
                return there, found
            step = step / 2
        return geometry, state

    def _allowed(self, geometry: Geometry, step: np.ndarray) -> float:
        """Fraction of a step after which no site has moved more than a third of the full width."""
        reach = 0.3 * geometry.psf.fwhm
        moves = np.abs(self._moves(geometry) @ step).max(initial=0.0)
        width = abs(step[self.names.index("psf_fwhm")]) if "psf_fwhm" in self.names else 0.0
        return float(min(1.0, reach / max(moves, width, 1e-300)))

    def _moves(self, geometry: Geometry) -> np.ndarray:
        """Derivatives of the places of the sites by the parameters, ``(2, site, parameter)``."""
        columns = []
        for k, name in enumerate(self.names):
            delta = np.zeros(len(self.names))
            delta[k] = 1e-9 if UNITS[name] == "m" else 1e-6
            ends = [_moved(geometry, self.names, sign * delta).array for sign in (1, -1)]
            columns.append(np.array([ends[0].x - ends[1].x, ends[0].y - ends[1].y]) / (2 * delta[k]))
        return np.stack(columns, axis=-1)

    def _slopes(self, geometry: Geometry, state: State) -> np.ndarray:
        """Derivatives of the picture by the parameters at fixed light, ``(pixel, parameter)``."""
        light, delta = np.zeros(geometry.array.x.size), _DELTA * geometry.psf.fwhm
        light[self.sites] = state.solution[: self.sites.size]
        moves = self._moves(geometry)
        slopes = np.zeros((self.picture.size, len(self.names)))
        for axis, name in enumerate("xy"):
            ends = [self._images(_moved(geometry, (name,), np.array([s * delta]))) for s in (1, -1)]
            along = light[:, None] * moves[axis]
            slopes += (ends[0] @ along - ends[1] @ along) / (2 * delta)
        if "psf_fwhm" in self.names:
            ends = [self._images(_moved(geometry, ("psf_fwhm",), np.array([s * delta]))) for s in (1, -1)]
            slopes[:, self.names.index("psf_fwhm")] += (ends[0] @ light - ends[1] @ light) / (2 * delta)
        return slopes

    def _information(self, geometry: Geometry, state: State) -> tuple[np.ndarray, np.ndarray]:
        """Slopes, and what one frame of the mean picture says of the parameters, the light unknown."""
        slopes = self._slopes(geometry, state)
        weighted = self.weight[:, None] * slopes
        mixed = state.design.right(np.ascontiguousarray(weighted))
        alone = slopes.T @ weighted
        information = alone - mixed.T @ state.solver.solve(mixed)
        share = np.diag(information) / np.where(np.diag(alone) > 0, np.diag(alone), 1.0)
        if not (share > 1e-9).all():
            raise ValueError(f"the picture does not determine {self.names[int(np.argmin(share))]!r}: leave it fixed")
        scale = np.sqrt(np.diag(information))
        if np.linalg.cond(information / np.outer(scale, scale)) > 1e10:
            raise ValueError(f"the picture does not determine {', '.join(self.names)} together: refine fewer")
        return slopes, information

    def covariance(self, geometry: Geometry, state: State) -> np.ndarray:
        """Of the parameters, ``(parameter, parameter)``."""
        covariance = np.linalg.inv(self._information(geometry, state)[1]) / self.count
        reach = np.abs(self._moves(geometry)).max(axis=(0, 1))
        reach[[name == "psf_fwhm" for name in self.names]] = 1.0
        doubt = reach * np.sqrt(np.diag(covariance)) / geometry.psf.fwhm
        if doubt.max() > _DOUBT:
            name = self.names[int(np.argmax(doubt))]
            raise ValueError(
                f"the picture does not determine {name!r}: it would be uncertain by {doubt.max():.2g} widths of the "
                "point-spread function; give more light, or refine fewer"
            )
        return covariance


def _bins(places: np.ndarray, size: float) -> list[tuple[np.ndarray, float]]:
    """Shifts (y, x) and the share of the pictures there, neighbours taken together."""
    member = np.unique(np.rint(places / size), axis=0, return_inverse=True)[1].ravel()
    return [(places[member == k].mean(axis=0), float(np.mean(member == k))) for k in range(member.max() + 1)]
