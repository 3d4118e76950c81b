"""Chi-squared of a cube against all its parameters: those of single sites, those that all share, those of wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.analysis._cube_data import CubeData
from vbsense.analysis._cube_lines import Lines
from vbsense.analysis._cube_options import Options
from vbsense.analysis._wire_model import WireModel
from vbsense.analysis._wire_parameters import Parameters

__all__ = ["Below", "Cube", "Layout", "Profile", "make_layout"]

_MOST = 10_000  # free parameters: matrices of 800 MB


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the parameters of every plane and site lie in one long vector."""

    index: np.ndarray  # (plane, site, parameter), -1 where it is fixed
    fixed: np.ndarray  # (parameter,), NaN where it is free
    low: np.ndarray
    high: np.ndarray
    prior_mean: np.ndarray  # 0 without a prior
    prior_weight: np.ndarray  # one over the variance, 0 without a prior
    labels: tuple[str, ...]  # of every entry of the vector

    @property
    def size(self) -> int:
        """Length of the vector."""
        return self.low.size

    @property
    def degrees(self) -> int:
        """Free parameters less priors."""
        return self.size - int(np.count_nonzero(self.prior_weight))

    def spread(self, x: np.ndarray) -> np.ndarray:
        """Parameters of every plane and site, ``(plane, site, parameter)``."""
        return np.where(self.index >= 0, np.append(x, np.nan)[self.index], self.fixed)


def make_layout(lines: Lines, planes: int, sites: int, options: Options, *, without: Sequence[str] = ()) -> Layout:
    """One entry for what all sites share, one of every plane and site for the rest; none for what is fixed."""
    shared, fixed, priors = options.shared, options.fixed, options.priors
    index = np.full((planes, sites, len(lines.names)), -1)
    rows: list[tuple[str, int]] = []
    for a, name in enumerate(lines.names):
        if name in fixed or name in without:
            continue
        count = 1 if name in shared else planes * sites
        index[:, :, a] = sum(n for _, n in rows) + np.arange(count).reshape((1, 1) if count == 1 else (planes, sites))
        rows.append((name, count))
    labels = tuple(name for name, count in rows for _ in range(count))
    box = np.array([lines.bounds.get(name, (-np.inf, np.inf)) for name in labels]).reshape(-1, 2)
    if len(labels) > _MOST:
        raise ValueError(
            f"{sites} sites have {len(labels)} free parameters together; at most {_MOST} are fitted at once: unmix the "
            "sweep, then select a part of the sites (of site and site2)"
        )
    told = np.array([priors.get(name, (0.0, np.inf)) for name in labels]).reshape(-1, 2)
    held = np.array([fixed.get(name, np.nan) for name in lines.names])
    return Layout(index, held, box[:, 0], box[:, 1], told[:, 0], told[:, 1] ** -2.0, labels)


@dataclass(frozen=True, eq=False)
class Below:
    """Wires that make the field of the sites."""

    geometry: WireModel
    parameters: Parameters
    sign: float  # of the field for which Bz is the size

    def field(self, w: np.ndarray, polarity: np.ndarray) -> np.ndarray:
        """Bz of every plane and site in the sense of the line shape, ``(plane, site)`` T."""
        values = self.parameters.values(w)
        return self.sign * np.stack([self.geometry.field(values, polarity=p)[0] for p in polarity])

    def slopes(self, w: np.ndarray, polarity: np.ndarray) -> np.ndarray:
        """Its derivatives, ``(plane, site, parameter)``."""
        values, free = self.parameters.values(w), self.parameters.free
        rows = [self.geometry.jacobian(values, free, polarity=p)[:, 0].T for p in polarity]
        return self.sign * np.stack(rows)


@dataclass(frozen=True, eq=False)
class Cube:
    """Chi-squared of the cube, priors included, with its derivatives; of wires if there are some `below`."""

    data: CubeData
    lines: Lines
    layout: Layout
    below: Below | None = None

    @property
    def low(self) -> np.ndarray:
        """Lower bounds of the vector."""
        return self.layout.low if self.below is None else np.append(self.layout.low, self.below.parameters.low)

    @property
    def high(self) -> np.ndarray:
        """Upper bounds of the vector."""
        return self.layout.high if self.below is None else np.append(self.layout.high, self.below.parameters.high)

    def _prior(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights, and distances from the means."""
        weight, mean = self.layout.prior_weight, self.layout.prior_mean
        if self.below is not None:
            p = self.below.parameters
            weight, mean = np.append(weight, p.weights), np.append(mean, p.means)
        return weight, x - mean

    def site_parameters(self, x: np.ndarray) -> np.ndarray:
        """Parameters of the light, ``(plane, site, parameter)``."""
        p = self.layout.spread(x[: self.layout.size])
        if self.below is not None:
            p[:, :, self.lines.field] = self.below.field(x[self.layout.size :], self.data.polarity)
        return p

    def residual(self, p: np.ndarray) -> np.ndarray:
        """Model less data in units of the errors, ``(plane, site, frequency)``."""
        light = np.stack([self.lines.light_of(self.data.frequency, plane) for plane in p])
        return (light - self.data.light) * self.data.weight

    def __call__(self, x: np.ndarray) -> float:
        r = self.residual(self.site_parameters(x))
        weight, away = self._prior(x)
        return float(np.sum(r * (self.data.precision @ r)) + weight @ away**2)

    def normal(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """With half of its gradient and its normal matrix, in which all sites meet through their correlation."""
        p = self.site_parameters(x)
        r = self.residual(p)
        u = self.data.precision @ r
        weight, away = self._prior(x)
        gradient, matrix = weight * away, np.diag(weight)
        for k, plane in enumerate(p):
            slopes = self.lines.slopes(self.data.frequency, plane) * self.data.weight[k, :, :, None]
            rows = slopes.transpose(0, 2, 1).reshape(-1, self.data.frequency.size)
            sites, size = plane.shape
            gram = (rows @ rows.T).reshape(sites, size, sites, size) * self.data.precision[:, None, :, None]
            chain = self._chain(x, k)
            gradient = gradient + chain.T @ np.einsum("sfa,sf->sa", slopes, u[k]).ravel()
            matrix = matrix + chain.T @ (chain.T @ gram.reshape(sites * size, -1)).T
        return float(np.sum(r * u) + weight @ away**2), gradient, matrix

    def hessian(self, x: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Half of the second derivatives: the normal matrix, and what the bent light of the sites adds.

        How the fields of wires bend is left out: only steps are made from this.
        """
        p = self.site_parameters(x)
        u = (self.data.precision @ self.residual(p)) * self.data.weight
        matrix = normal.copy()
        for k, plane in enumerate(p):
            chain = self._chain(x, k)
            bend = np.zeros((*plane.shape, plane.shape[1]))
            for b, h in enumerate(self.lines.steps(plane).tolist()):
                step = h * (np.arange(plane.shape[1]) == b)
                change = self.lines.slopes(self.data.frequency, plane + step)
                change -= self.lines.slopes(self.data.frequency, plane - step)
                bend[:, :, b] = np.einsum("sfa,sf->sa", change, u[k]) / (2 * h)
            matrix += chain.T @ block_diagonal((bend + bend.swapaxes(1, 2)) / 2) @ chain
        return matrix

    def _chain(self, x: np.ndarray, plane: int) -> Any:
        """Derivatives of the parameters of all sites of a plane by the vector, sparse."""
        from scipy.sparse import csr_array

        index = self.layout.index[plane].ravel()
        there = np.flatnonzero(index >= 0)
        parts = [(np.ones(there.size), there, index[there])]
        if self.below is not None:
            slopes = self.below.slopes(x[self.layout.size :], self.data.polarity[plane : plane + 1])[0]
            sites, free = slopes.shape
            row = np.repeat(np.arange(sites) * len(self.lines.names) + self.lines.field, free)
            parts.append((slopes.ravel(), row, np.tile(self.layout.size + np.arange(free), sites)))
        value, row, column = (np.concatenate(part) for part in zip(*parts, strict=True))
        return csr_array((value, (row, column)), shape=(index.size, x.size))


def block_diagonal(blocks: np.ndarray) -> Any:
    """Blocks (n, a, a) along the diagonal of a sparse matrix."""
    from scipy.sparse import bsr_array

    n, a, _ = blocks.shape
    return bsr_array((blocks, np.arange(n), np.arange(n + 1)), shape=(n * a, n * a)).tocsr()


@dataclass(frozen=True, eq=False)
class Profile:
    """Chi-squared of the wires alone: all other parameters integrated out around the best fit (Laplace).

    Exact where the light is linear in the other parameters over their errors, as it nearly is.
    """

    cube: Cube
    best: np.ndarray
    slopes: np.ndarray  # (plane, site, frequency, parameter), weighted
    inverse: np.ndarray  # of the normal matrix of the other parameters that are on no bound
    moves: np.ndarray  # which these are

    @classmethod
    def around(cls, cube: Cube, x: np.ndarray, normal: np.ndarray, held: np.ndarray) -> Profile:
        """The profile of a fit that ended at `x`."""
        p, data = cube.site_parameters(x), cube.data
        slopes = np.stack([cube.lines.slopes(data.frequency, plane) for plane in p]) * data.weight[..., None]
        moves = np.flatnonzero(~held[: cube.layout.size])
        return cls(cube, x, slopes, np.linalg.inv(normal[np.ix_(moves, moves)]), moves)

    def __call__(self, w: np.ndarray) -> float:
        n = self.cube.layout.size
        x = np.append(self.best[:n], w)
        r = self.cube.residual(self.cube.site_parameters(x))
        u = self.cube.data.precision @ r
        weight, away = self.cube._prior(x)
        site = np.einsum("ksfa,ksf->ksa", self.slopes, u).ravel()
        index = self.cube.layout.index.ravel()
        there = index >= 0
        gradient = (weight * away)[:n] + np.bincount(index[there], site[there], minlength=n)
        gradient = gradient[self.moves]
        return float(np.sum(r * u) + weight @ away**2 - gradient @ self.inverse @ gradient)
