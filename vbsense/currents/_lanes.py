"""How a current spreads over the width of a strip: parallel lanes, each with its share."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._numbers import number, whole
from vbsense.currents._inputs import WIDEST, size
from vbsense.currents._outline import outline
from vbsense.currents.compose import Conductor, Sum
from vbsense.currents.paths import check_path, pieces

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

DISTRIBUTIONS = ("uniform", "edge")


def crowded(
    vertices: Any, width: float, thickness: float, current: float, normal: ArrayLike, distribution: str, lanes: int
) -> Sum:
    half = size("width", width, WIDEST) / 2
    count = 1 if known(distribution) == "uniform" else whole("lanes", lanes, 2)
    edges = -half * np.cos(np.pi * np.arange(count + 1) / count)  # of a 1 / sqrt distribution each holds the same
    shares = np.full(count, 1 / count)
    parts = share_out(vertices, edges, shares, thickness, current, normal)
    return Sum(tuple(parts), current=number("current", current, "A"))


def share_out(
    vertices: Any, edges: NDArray[np.float64], shares: NDArray[np.float64], thickness: float, current: float,
    normal: ArrayLike,
) -> list[Conductor]:  # fmt: skip
    """Parallel bars between `edges` (m, to the left of the path), with their shares of the current."""
    full = float(edges[-1] - edges[0])
    corners, up, _ = check_path(vertices, normal, full, False)
    thickness, current = size("thickness", thickness, WIDEST), number("current", current, "A")
    middle = float(edges[-1] + edges[0]) / 2
    path = outline(corners, full, up).lane(middle)
    parts: list[Conductor] = []
    for left, right, share in zip(edges[1:], edges[:-1], shares, strict=True):
        lane = path.lane((left + right) / 2 - middle)
        parts += pieces(lane, float(left - right), thickness, float(share * current), up)
    return parts


def center_lanes(a: float, b: float, c: float, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges (m) and shares of the centre conductor, by ``x = a sin(t)``."""
    t = np.linspace(-np.pi / 2, np.pi / 2, count + 1)
    weight = _integrals(t, lambda t: 1 / np.sqrt((b**2 - (a * np.sin(t)) ** 2) * (c**2 - (a * np.sin(t)) ** 2)))
    return a * np.sin(t), weight / weight.sum()


def ground_lanes(a: float, b: float, c: float, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same of the ground at b < x < c, by ``x^2 = b^2 cos(t)^2 + c^2 sin(t)^2``."""
    t = np.linspace(0, np.pi / 2, count + 1)

    def squared(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return (b * np.cos(t)) ** 2 + (c * np.sin(t)) ** 2

    weight = _integrals(t, lambda t: 1 / np.sqrt(squared(t) * (squared(t) - a**2)))
    return np.sqrt(squared(t)), weight / weight.sum()


def _integrals(edges: NDArray[np.float64], function: Callable[..., Any]) -> NDArray[np.float64]:
    nodes, weights = np.polynomial.legendre.leggauss(16)
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    return half * (function(middle[:, None] + half[:, None] * nodes) @ weights)


def known(distribution: str) -> str:
    if distribution not in DISTRIBUTIONS:
        near = get_close_matches(str(distribution), DISTRIBUTIONS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"distribution is {distribution!r}; choose from {', '.join(map(repr, DISTRIBUTIONS))}{hint}")
    return distribution
