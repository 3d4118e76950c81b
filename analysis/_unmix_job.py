"""One sweep on its way to the light of its sites: what is weighed, solved and refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._read import frames_of
from vbsense.analysis._unmix_design import Design, Spread
from vbsense.analysis._unmix_each import LEAST_SEEN, Pictures, unmix_each
from vbsense.analysis._unmix_geometry import Geometry
from vbsense.analysis._unmix_noise import Noise, Survey, mean_model, right_sides, survey, variance_ratio
from vbsense.analysis._unmix_shifts import read_shifts
from vbsense.analysis._unmix_solve import Normal, Solver
from vbsense.analysis.smoothprior import PriorSolver, SmoothPrior

__all__ = ["MAX_AMPLIFICATION", "Job"]

# Above this the sites are told apart by noise alone (a square lattice of half a PSF width reaches 25).
MAX_AMPLIFICATION = 100.0
# A common change of the light beyond which pictures get weights of their own.
LARGE_CONTRAST = 0.2


@dataclass
class Job:
    """One sweep on its way to sites; arrays hold the sites that good pixels see."""

    sweep: xr.Dataset
    geometry: Geometry
    background: str
    prior: SmoothPrior | None
    noise: Noise
    survey: Survey
    places: np.ndarray  # (plane, frequency, 2)
    middle: np.ndarray  # of the places, (2,)
    count: np.ndarray  # frames, (plane, frequency)
    sites: np.ndarray  # numbers of those that are seen
    design: Design
    weight: np.ndarray  # (pixel,)
    normal: Normal
    spread: Spread
    solvers: dict[float, Any]

    @classmethod
    def of(cls, sweep: xr.Dataset, geometry: Geometry, background: str, shifts: Any, prior: SmoothPrior | None) -> Job:
        """Look at all pictures once and set up the equations of the mean one."""
        noise, seen = Noise.of(sweep), survey(sweep)
        places = read_shifts(sweep, shifts, seen.missing)
        # A picture that registration did not place is as good as none.
        seen = replace(seen, missing=seen.missing | np.isnan(places).any(axis=-1))
        places = np.where(seen.missing[..., None], 0.0, places)
        there = places[~seen.missing]
        middle = there.mean(axis=0) if there.size else np.zeros(2)
        whole = geometry.design(background, middle)
        fraction = np.asarray(whole.images.T @ (~seen.bad).astype(float))
        sites = np.flatnonzero(fraction > LEAST_SEEN)
        if sites.size == 0:
            raise ValueError("no site has valid pixels: the images are NaN where the spots lie")
        design = whole.chosen(sites)
        weight = np.where(seen.bad, 0.0, 1 / noise.variance(mean_model(design, seen)))
        normal, spread = design.normal(weight)
        count = frames_of(sweep, seen.missing.shape[0])
        return cls(
            sweep, geometry, background, prior, noise, seen, places, middle, count, sites, design, weight, normal,
            spread, {},
        )  # fmt: skip

    def solve(self, weights: str) -> tuple[np.ndarray, np.ndarray, str]:
        """Light and background (size, picture), error (site, picture), and whose weights were used."""
        moved = bool(np.ptp(self.places[~self.survey.missing], axis=0).any())
        light = self._at_once()
        if weights == "auto":
            weights = "each" if self._contrast(light) > LARGE_CONTRAST else "mean"
        if weights == "each" or moved:
            light, ratio = self._one_by_one(light, own=weights == "each", moved=moved)
        else:
            ratio = variance_ratio(self.noise, self.spread, self.normal.spots.diagonal(), light)
        self._refuse_noise()
        return light, self._errors(ratio), weights

    def solver(self, count: float = 1.0) -> Any:
        """Of one mean picture; with a prior, of one with so many frames."""
        count = count if self.prior is not None and count > 0 else 1.0
        if count not in self.solvers:
            self.solvers[count] = self._make(count)
        return self.solvers[count]

    def _make(self, count: float) -> Any:
        if self.prior is None:
            return Solver(self.normal)
        array, prior = self.geometry.array, self.prior
        level = self._level() if prior.mean is None else prior.mean
        return PriorSolver(self.normal.scaled(count), prior, array.x[self.sites], array.y[self.sites], level)

    def _level(self) -> float:
        """Mean brightness of the sites in the mean picture, from a fit of equal ones."""
        together = np.zeros((self.design.size, 1 + self.design.background.shape[1]))
        together[: self.sites.size, 0] = 1.0
        together[self.sites.size :, 1:] = np.eye(self.design.background.shape[1])
        right = self.design.right((self.weight * self.survey.mean)[:, None])
        level = np.linalg.lstsq(together.T @ self.normal.apply(together), together.T @ right, rcond=None)[0][0, 0]
        if not level > 0:
            raise ValueError(
                f"the sites have a mean brightness of {level:.3g} electrons: the prior has nothing to scale"
            )
        return float(level)

    def _at_once(self) -> np.ndarray:
        """Solution with the weights of the mean picture and all spots in their mean place."""
        right = right_sides(self.sweep, self.design, self.weight)
        if self.prior is None:
            return self.solver().solve(right)
        light, counts = np.empty_like(right), self.count.ravel()
        for count in np.unique(counts):
            own = counts == count
            light[:, own] = self.solver(count).solve(right[:, own] * max(count, 1.0))
        return light

    def _contrast(self, light: np.ndarray) -> float:
        """Largest relative change of the median site between the mean picture and another."""
        there = light[: self.sites.size, ~self.survey.missing.ravel()]
        mean = there.mean(axis=1, keepdims=True)
        return float(
            np.abs(np.median(np.where(mean > 0, there / np.where(mean > 0, mean, 1.0), 1.0), axis=0) - 1).max()
        )

    def _one_by_one(self, light: np.ndarray, *, own: bool, moved: bool) -> tuple[np.ndarray, np.ndarray]:
        planes = self.survey.missing.shape
        start = light
        if moved:
            # Pictures that lie elsewhere have no light yet from which weights can be made, but the mean of them has.
            there = light[:, ~self.survey.missing.ravel()].mean(axis=1, keepdims=True)
            start = np.repeat(np.maximum(there, 0.0), light.shape[1], axis=1)
        count = np.ones(planes) if self.prior is None else np.maximum(self.count, 1.0)
        pictures = Pictures(self.survey, self.places, count, self.noise)
        light, information = unmix_each(
            self.sweep, pictures, self._design_at, self.solver(float(count.max())),
            start.reshape(-1, *planes), own_weights=own,
        )  # fmt: skip
        with np.errstate(divide="ignore"):
            ratio = self.normal.spots.diagonal()[:, None] / information.reshape(self.sites.size, -1)
        return light.reshape(light.shape[0], -1), ratio

    def _design_at(self, place: np.ndarray) -> Design:
        if (place == self.middle).all():
            return self.design
        images = self.geometry.images(place)
        return Design(images, self.design.background, self.design.width).chosen(self.sites)

    @property
    def amplification(self) -> np.ndarray:
        """Error of the mean picture over that of a spot beside known ones, ``(site,)``."""
        return np.sqrt(self._variance * self.normal.spots.diagonal() * self.most)

    @property
    def most(self) -> float:
        return float(max(self.count.max(), 1.0)) if self.prior is not None else 1.0

    @property
    def _variance(self) -> np.ndarray:
        """Of the light of one frame, or with a prior of as many as the best picture has."""
        solver = self.solver(self.most)
        if not hasattr(solver, "known_variance"):
            solver.known_variance = solver.variance()
        return np.asarray(solver.known_variance)

    def _refuse_noise(self) -> None:
        amplification = float(np.median(self.amplification))
        if amplification > MAX_AMPLIFICATION:
            raise ValueError(
                f"the noise of a site would be {amplification:.3g} times that of a spot alone "
                f"(limit {MAX_AMPLIFICATION:g}): the pitch is too small for this point-spread function; leave out "
                "sites, or give a prior=SmoothPrior(amplitude, length)"
            )

    def _errors(self, ratio: np.ndarray) -> np.ndarray:
        """One sigma of every amplitude, ``(site, picture)``."""
        counts = self.count.ravel()
        if self.prior is not None:
            result = np.empty_like(ratio)
            for count in np.unique(counts):
                result[:, counts == count] = np.sqrt(self.solver(count).variance())[:, None]
            return np.where(np.isfinite(ratio), result, np.nan)
        with np.errstate(divide="ignore"):
            error = np.sqrt(self._variance[:, None] * ratio) / np.sqrt(counts)
        return np.where(np.isfinite(ratio), error, np.nan)

    def correlation(self) -> np.ndarray:
        """Noise correlation of all sites in the mean picture, ``(site, site)``."""
        covariance = self.solver(self.most).covariance()
        sigma = np.sqrt(np.diag(covariance))
        covariance /= sigma
        covariance /= sigma[:, None]
        if len(covariance) == self.geometry.array.x.size:
            return np.asarray(covariance)
        whole = np.eye(self.geometry.array.x.size)
        whole[np.ix_(self.sites, self.sites)] = covariance
        return whole

    def placed(self, rows: np.ndarray) -> np.ndarray:
        """From sites that are seen to all, the others NaN; pictures that are missing are NaN."""
        whole = np.full((self.geometry.array.x.size, rows.shape[1]), np.nan)
        whole[self.sites] = np.where(self.survey.missing.ravel(), np.nan, rows)
        return whole
