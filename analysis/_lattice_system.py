"""The normal equations of one step of the lattice fit.

What belongs to one spot only - its light, and of a stray spot its place - makes a large, sparse block, which is
eliminated first; geometry, width and background remain. Lengths are in pixels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.analysis._lattice_spots import Spots

if TYPE_CHECKING:
    from vbsense.analysis._lattice_fit import Model, Problem

__all__ = ["System"]

OUTLYING = 4.0  # times the usual residual: beyond, a pixel of a rough fit counts less and less
TRUST = 0.3  # of the smoothed picture: the model may expect less, but the noise is not thought smaller


class System:
    """The normal equations of one step."""

    def __init__(self, problem: Problem, model: Model, *, linear: bool = False, weight: Any = None) -> None:
        self.problem, self.model, self.linear = problem, model, linear
        light, good = problem.light, problem.good
        sites, stray, margin, padded = problem.spots(model)
        polynomials = problem.polynomials()
        self.expected = problem.shine(sites, stray, model, margin, padded)
        self.expected += np.tensordot(model.background, polynomials, 1)
        # A first model expects nothing, a poor one too little here and there: the picture itself says how noisy it is.
        reference = problem.about if linear else np.maximum(self.expected, TRUST * problem.about)
        root = np.where(good, 1 / np.sqrt(light.variance(reference)), 0.0) if weight is None else weight
        self.plain = root
        self.residual = root * (light.values - self.expected)
        if weight is None and not linear:
            usual = max(1.0, 1.4826 * float(np.median(np.abs(self.residual[good]))))
            self.root = root / np.sqrt(1 + (self.residual / (OUTLYING * usual)) ** 2)
        else:
            self.root = root
        self.freedom = int(good.sum()) - len(model.light) - model.stray.size - model.bent.size - len(model.background)
        self.freedom -= problem.tie.shape[1]
        padded_weight = problem.pad(self.root, margin)
        self.local = self._local(sites, stray, padded_weight)
        shared = [problem.pad(self.root * p, margin) for p in polynomials]
        if not linear:
            shared = self._geometry(sites, stray, padded_weight) + shared
        self.shared = np.array(shared).T
        self._factor(problem.pad(self.root * (light.values - self.expected), margin))

    def _local(self, sites: Spots, stray: Spots, weight: np.ndarray) -> Any:
        """Columns of what belongs to one spot, of unit length: light, and of stray spots their places."""
        from scipy.sparse import csc_array

        loose, a = self.problem.loose, self.model.stray[:, 2, None]
        columns = [(sites, sites.light), (stray, stray.light)]
        columns += [(_part(sites, loose), values[loose]) for values in (sites.dx, sites.dy, sites.dsigma)]
        columns += [] if self.linear else [(stray, a * stray.dx), (stray, a * stray.dy)]
        at = np.concatenate([spots.index for spots, _ in columns])
        data = np.concatenate([values for _, values in columns]) * weight[at]
        length = np.sqrt((data**2).sum(axis=1))
        self.scale = 1 / np.where(length > 0, length, 1.0)
        data *= self.scale[:, None]
        row, column = (np.concatenate([getattr(s, name) for s, _ in columns]) for name in ("row", "column"))
        self.normal = _normal(data, row, column)
        ends = np.arange(0, at.size + 1, at.shape[1])
        return csc_array((data.ravel(), at.ravel(), ends), shape=(sites.pixels, len(at)))

    def _geometry(self, sites: Spots, stray: Spots, weight: np.ndarray) -> list[np.ndarray]:
        model, problem = self.model, self.problem
        across, up = _slopes(model.geometry, problem.row, problem.column)
        dx, dy, dsigma = (sites.matrix(v) for v in (sites.dx, sites.dy, sites.dsigma))
        moved = (dx @ (model.light * across).T + dy @ (model.light * up).T).T
        moved[6] = dsigma @ model.light + stray.matrix(stray.dsigma) @ model.stray[:, 2]
        return list((problem.tie.T @ moved) * weight)

    def _factor(self, residual: np.ndarray) -> None:
        from scipy.sparse.linalg import splu

        options = {"SymmetricMode": True}
        self.lu = splu(self.normal, permc_spec="MMD_AT_PLUS_A", options=options, diag_pivot_thresh=0.0)
        self.mixed = self.local.T @ self.shared
        self.eliminated = self.lu.solve(np.column_stack([self.mixed, self.local.T @ residual]))
        self.schur = self.shared.T @ self.shared - self.mixed.T @ self.eliminated[:, :-1]
        self.right = self.shared.T @ residual - self.mixed.T @ self.eliminated[:, -1]

    def redirect(self, local: np.ndarray, shared: np.ndarray) -> None:
        """Other right-hand sides: what each spot's light, and each shared parameter, should gain."""
        self.eliminated[:, -1] = self.lu.solve(local * self.scale)
        self.right = shared - self.mixed.T @ self.eliminated[:, -1]

    def step(self) -> tuple[Model, float]:
        """The next model, and the largest change of a shared parameter in units of its error."""
        inverse = _inverse(self.schur)
        change = inverse @ self.right
        local = (self.eliminated[:, -1] - self.eliminated[:, :-1] @ change) * self.scale
        model, problem, n = self.model, self.problem, len(self.model.light)
        free = 0 if self.linear else problem.tie.shape[1]
        geometry = (
            model.geometry + problem.tie @ change[:free] * self._bridle(change[:free]) if free else model.geometry
        )
        stray = model.stray.copy()
        k = len(stray)
        stray[:, 2] += local[n : n + k]
        loose = len(problem.loose)
        bent = model.bent + local[n + k : n + k + 3 * loose].reshape(3, loose).T
        if not self.linear and k:
            limit = model.geometry[6]
            stray[:, :2] += np.clip(local[n + k + 3 * loose :].reshape(2, k).T, -limit, limit)
        largest = float(np.abs(change / np.sqrt(np.maximum(np.diag(inverse), 1e-300))).max())
        light, background = model.light + local[:n], model.background + change[free:]
        new = replace(model, geometry=geometry, light=light, background=background, stray=stray, bent=bent)
        return new, largest

    def _bridle(self, change: np.ndarray) -> float:
        """How much of a step is taken: no spot moves by more than half its width, no width changes by half."""
        across, up = _slopes(self.model.geometry, self.problem.row, self.problem.column)
        step = self.problem.tie @ change
        sigma = self.model.geometry[6]
        moved = np.hypot(step @ across, step @ up).max() / (0.5 * sigma)
        return float(1 / max(1.0, moved, abs(step[6]) / (0.3 * sigma)))

    def covariance(self, errors: bool) -> tuple[np.ndarray, np.ndarray]:
        """Of geometry and background together, and the errors of the light of the sites."""
        tie, inverse = self.problem.tie, _inverse(self.schur)
        n, k = tie.shape[1], len(self.model.background)
        spread = np.zeros((7 + k, n + k))
        spread[:7, :n], spread[7:, n:] = tie, np.eye(k)
        shared = spread @ inverse @ spread.T
        sites = len(self.model.light)
        if not errors:
            return shared, np.full(sites, np.nan)
        unit = np.zeros((self.local.shape[1], sites))
        unit[np.arange(sites), np.arange(sites)] = 1.0
        own = np.diag(self.lu.solve(unit)[:sites])
        follow = self.eliminated[:sites, :-1]
        variance = own + np.einsum("si,ij,sj->s", follow, inverse, follow)
        return shared, np.sqrt(np.maximum(variance, 0.0)) * self.scale[:sites]


def _part(spots: Spots, chosen: np.ndarray) -> Spots:
    """Some of the spots."""
    names = ("row", "column", "index", "light", "dx", "dy", "dsigma")
    return replace(spots, **{name: getattr(spots, name)[chosen] for name in names})


def _normal(data: np.ndarray, row: np.ndarray, column: np.ndarray) -> Any:
    """Inner products of all columns of unit length, as a sparse matrix."""
    from scipy.sparse import csc_array
    from scipy.spatial import cKDTree

    from vbsense.analysis._lattice_kernels import overlaps

    side, n = int(np.sqrt(data.shape[1])), len(data)
    pairs = cKDTree(np.column_stack([row, column])).query_pairs(side - 0.5, p=np.inf, output_type="ndarray")
    first, second = (np.ascontiguousarray(pairs[:, k], dtype=np.int32) for k in (0, 1))
    value = np.empty(first.size)
    overlaps(data, row.astype(np.int64), column.astype(np.int64), side, first, second, value)
    every = np.arange(n)
    diagonal = np.full(n, 1 + 1e-12)
    index = np.concatenate([first, second, every]), np.concatenate([second, first, every])
    return csc_array((np.concatenate([value, value, diagonal]), index), shape=(n, n))


def _inverse(normal: np.ndarray) -> np.ndarray:
    """Inverse of a small symmetric matrix, scaled first; a direction without information stays where it is."""
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    return np.linalg.pinv(normal * np.outer(scale, scale), rcond=1e-13, hermitian=True) * np.outer(scale, scale)


def _slopes(geometry: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of `places` by the geometry, ``(7, site)`` each."""
    pitch, pitch_y, rotation, shear, _, _, _ = geometry
    lean = rotation - shear
    ones, zero = np.ones_like(column, dtype=float), np.zeros_like(column, dtype=float)
    across = np.array([np.cos(rotation), np.sin(rotation)])[:, None] * column
    along = np.array([-np.sin(lean), np.cos(lean)])[:, None] * row
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned, leant = pitch * (turn @ across), pitch_y * (turn @ along)
    dx = [across[0], along[0], turned[0] + leant[0], -leant[0], ones, zero, zero]
    dy = [across[1], along[1], turned[1] + leant[1], -leant[1], zero, ones, zero]
    return np.array(dx), np.array(dy)
