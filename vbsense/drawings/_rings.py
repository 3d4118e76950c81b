"""Closed rings of straight edges: what is wrong with one, what is inside of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbsense._numbers import reals

Ring = NDArray[np.float64]
_PAIRS = 2_000_000  # pairs of edges at a time: bounds the memory


def check_ring(name: str, ring: Any) -> Ring:
    """The ring without repeated corners, or what is wrong with it."""
    corners = reals(name, ring, "corners as an (n, 2) array, in m")
    if corners.ndim != 2 or corners.shape[1] != 2:
        raise ValueError(f"{name}: received shape {corners.shape}; give corners as an (n, 2) array, in m")
    if not np.isfinite(corners).all():
        bad = int(np.flatnonzero(~np.isfinite(corners).all(axis=1))[0])
        raise ValueError(f"{name}: corner {bad} is {corners[bad].tolist()}; give finite numbers, in m")
    corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    crossing = self_crossing(corners)
    if crossing is not None:
        x, y = crossing
        raise ValueError(
            f"{name} crosses itself at ({x:.6g}, {y:.6g}) m, which leaves open what is inside; "
            "split it there into outlines that do not"
        )
    extent = float(np.ptp(corners, axis=0).max()) if len(corners) else 0.0
    if len(corners) < 3 or abs(signed_area(corners)) <= 1e-9 * extent**2:
        raise ValueError(
            f"{name}: {len(corners)} different corners enclose no area; give an outline of at least three corners "
            "(a line needs a width to become a conductor)"
        )
    return corners


def signed_area(ring: Ring) -> float:
    """Area (m^2), positive for a counter-clockwise ring."""
    x, y = (ring - ring[0]).T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y))


def is_line(points: Ring) -> bool:
    """Whether all points lie on one straight line, so that not even a part of them encloses an area."""
    offsets = points - points[0]
    far = offsets[np.argmax((offsets**2).sum(axis=1))]
    return bool(np.abs(offsets @ [-far[1], far[0]]).max() <= 1e-9 * (far**2).sum())


def self_crossing(ring: Ring) -> tuple[float, float] | None:
    """Where two edges cross, if they do; edges that only touch, as in a keyhole, do not count."""
    return _crossing(ring, np.roll(ring, -1, axis=0))


def crossing_rings(rings: Sequence[Ring]) -> tuple[float, float] | None:
    """Where two edges of any of the rings cross, if they do."""
    if not rings:
        return None
    return _crossing(np.concatenate(rings), np.concatenate([np.roll(ring, -1, axis=0) for ring in rings]))


def _crossing(start: Ring, end: Ring) -> tuple[float, float] | None:
    order = np.argsort(np.minimum(start[:, 0], end[:, 0]), kind="stable")
    start, end = start[order], end[order]
    left = np.minimum(start[:, 0], end[:, 0])
    # An edge can only meet those that begin, from the left, before it ends.
    until = np.searchsorted(left, np.maximum(start[:, 0], end[:, 0]), side="right")
    counts = np.maximum(until - np.arange(len(start)) - 1, 0)
    for first, last in _portions(counts):
        one = np.repeat(np.arange(first, last), counts[first:last])
        before = np.repeat(np.cumsum(counts[first:last]) - counts[first:last], counts[first:last])
        other = one + 1 + np.arange(one.size) - before
        at = _first_crossing(start[one], end[one], start[other], end[other])
        if at is not None:
            return at
    return None


def _portions(counts: NDArray[np.int64]) -> Iterable[tuple[int, int]]:
    first, total = 0, 0
    for index, count in enumerate(counts.tolist()):
        total += count
        if total > _PAIRS:
            yield first, index + 1
            first, total = index + 1, 0
    yield first, len(counts)


def _first_crossing(a: Ring, b: Ring, c: Ring, d: Ring) -> tuple[float, float] | None:
    """Where an edge a-b properly crosses its edge c-d: each has the ends of the other on both of its sides."""
    sides = np.array([_side(a, b, c), _side(a, b, d), _side(c, d, a), _side(c, d, b)])
    crossing = np.flatnonzero((sides[0] * sides[1] < 0) & (sides[2] * sides[3] < 0))
    if not crossing.size:
        return None
    k = crossing[0]
    share = sides[2, k] / (sides[2, k] - sides[3, k])
    x, y = a[k] + share * (b[k] - a[k])
    return float(x), float(y)


def _side(a: Ring, b: Ring, p: Ring) -> NDArray[np.float64]:
    """On which side of a-b the point lies (-1, 0, 1); 0 within rounding of the line."""
    u, v = b - a, p - a
    cross = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    scale = np.linalg.norm(u, axis=1) * np.maximum(np.linalg.norm(v, axis=1), np.linalg.norm(p - b, axis=1))
    return np.where(np.abs(cross) <= 1e-9 * scale, 0.0, np.sign(cross))


def inside(rings: Sequence[Ring], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points (..., 2) lie where the rings wind around them more often to the left than to the right."""
    if points.ndim == 0 or points.shape[-1] != 2:
        raise ValueError(f"points: received shape {points.shape}; the last dimension holds x, y: shape (..., 2), in m")
    x, y = points[..., 0].ravel(), points[..., 1].ravel()
    winding = np.zeros(x.size, dtype=int)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y0 == y1:
                continue
            at = (min(y0, y1) <= y) & (y < max(y0, y1))
            right = x0 + (y[at] - y0) / (y1 - y0) * (x1 - x0) > x[at]
            winding[at] += (1 if y1 > y0 else -1) * right
    return (winding > 0).reshape(points.shape[:-1])


def distance(one: Ring, other: Ring) -> float:
    """Smallest distance between the corners of either ring and the edges of the other (m)."""
    return min(_to_edges(one, other), _to_edges(other, one))


def _to_edges(points: Ring, ring: Ring) -> float:
    return min(float(nearest(ring, point)[1].min()) for point in points)


def nearest(ring: Ring, point: Any) -> tuple[Ring, NDArray[np.float64]]:
    """Of every edge the place nearest to a point, (n, 2), and its distance, (n,)."""
    along = np.roll(ring, -1, axis=0) - ring
    share = np.clip(((point - ring) * along).sum(axis=1) / (along**2).sum(axis=1), 0.0, 1.0)
    places = ring + share[:, None] * along
    return places, np.linalg.norm(places - point, axis=1)


def nested(rings: Sequence[Ring]) -> tuple[list[Ring], list[Ring]]:
    """Outlines and holes by the even-odd rule: a ring inside one other is a hole, inside two an outline, and so on.

    For rings that do not cross each other; of two that are the same one is left out.
    """
    rings = [ring for index, ring in enumerate(rings) if not any(_same(ring, other) for other in rings[:index])]
    outlines: list[Ring] = []
    holes: list[Ring] = []
    for index, ring in enumerate(rings):
        around = sum(wound(other, ring) != 0 for k, other in enumerate(rings) if k != index)
        (holes if around % 2 else outlines).append(ring)
    return outlines, holes


def _same(one: Ring, other: Ring) -> bool:
    return one.shape == other.shape and {*map(tuple, one.tolist())} == {*map(tuple, other.tolist())}


def wound(outer: Ring, ring: Ring) -> int:
    """How a ring lies in another that it does not cross: 0 outside, 1 or -1 inside, by the sense of the outer one."""
    sense = 1 if signed_area(outer) > 0 else -1
    if (ring.min(axis=0) > outer.max(axis=0)).any() or (ring.max(axis=0) < outer.min(axis=0)).any():
        return 0
    # Some corners may touch the other ring; most of them, and of the middles between them, do not.
    places = np.concatenate([ring, (ring + np.roll(ring, -1, axis=0)) / 2])
    return sense * int(inside([outer[::sense]], places).mean() > 0.5)
