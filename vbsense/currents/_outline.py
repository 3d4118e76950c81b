"""The outline of a path of constant width: mitred corners, and whether two pieces overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHARPEST = np.radians(150.0)  # turns beyond this have a corner longer than seven half-widths


@dataclass(frozen=True)
class Outline:
    """Pieces of a path in its plane, each a bar cut at both ends along the bisector of the corner.

    Attributes
    ----------
    vertices : (n, 3) ndarray
        Corners of the centre line (m); of a closed path the first is repeated at the end.
    along, across : (n - 1, 3) ndarray
        Unit vectors of each piece: direction of the current, and normal x that direction (to its left).
    slope : (n,) ndarray
        Tangent of half of the turn at each vertex, positive to the left; 0 at open ends.
    """

    vertices: Array
    along: Array
    across: Array
    slope: Array

    def lane(self, offset: float) -> Outline:
        """The path that runs in parallel, `offset` (m) to the left, with its corners on the same bisectors."""
        left, right = np.concatenate([self.across[:1], self.across]), np.concatenate([self.across, self.across[-1:]])
        closed = (self.vertices[0] == self.vertices[-1]).all()
        if closed:
            left[0], right[-1] = self.across[-1], self.across[0]
        towards = (left + right) / (1.0 + (left * right).sum(axis=1))[:, None]
        shifted = self.vertices + offset * towards
        if closed:
            shifted[-1] = shifted[0]
        return Outline(shifted, self.along, self.across, self.slope)

    def corners(self, width: float) -> Array:
        """Corners of each piece, ``(piece, 4, 3)``, in order round it."""
        h = width / 2
        start, end = self.vertices[:-1], self.vertices[1:]
        first, last = self.slope[:-1, None] * self.along, self.slope[1:, None] * self.along
        side = self.across
        return np.stack(
            [start + h * (side + first), end + h * (side - last), end - h * (side - last), start - h * (side + first)],
            axis=1,
        )


def outline(vertices: Array, width: float, normal: Array) -> Outline:
    """Check a path and give its outline; errors name the segment or the corner by its index."""
    along = np.diff(vertices, axis=0)
    length = np.linalg.norm(along, axis=1)
    along /= length[:, None]
    tilt = np.abs(along @ normal)
    if tilt.max() > 1e-9:
        k = int(tilt.argmax())
        raise ValueError(
            f"segment {k} leaves the plane of the path at {np.degrees(np.arcsin(min(tilt[k], 1.0))):.3g} degrees; "
            "all of them lie at right angles to the normal"
        )
    across = np.cross(normal, along)
    slope = np.zeros(len(vertices))
    slope[1:-1] = _slopes(along[:-1], along[1:], across[:-1], 1)
    if (vertices[0] == vertices[-1]).all():
        slope[[0, -1]] = _slopes(along[-1:], along[:1], across[-1:], 0)[0]
    # At each end the shorter side of a piece loses half a width times the slope: both must fit into it.
    room = length - width / 2 * (np.abs(slope[:-1]) + np.abs(slope[1:]))
    if room.min() < -1e-9 * width:
        k = int(room.argmin())
        raise ValueError(
            f"segment {k} is {length[k]:g} m long; its corners take {length[k] - room[k]:g} m of it at this width: "
            "make it longer or the path narrower"
        )
    found = Outline(vertices, along, across, slope)
    _refuse_overlap(found, width, normal)
    return found


def _slopes(before: Array, after: Array, left: Array, first: int) -> Array:
    cosine, sine = (before * after).sum(axis=1), (left * after).sum(axis=1)
    turn = np.arctan2(sine, cosine)
    if np.abs(turn).max(initial=0.0) > SHARPEST:
        k = int(np.abs(turn).argmax())
        raise ValueError(
            f"the path turns by {np.degrees(turn[k]):.0f} degrees at corner {k + first}; at most "
            f"{np.degrees(SHARPEST):.0f}: put a short segment between"
        )
    return np.tan(turn / 2)


def _refuse_overlap(path: Outline, width: float, normal: Array) -> None:
    """Two convex pieces are apart if a side of one separates them; neighbours share the bisector of their corner."""
    quads = path.corners(width * (1 - 1e-6))  # touching is not overlapping
    count = len(quads)
    closed = (path.vertices[0] == path.vertices[-1]).all()
    sides = np.roll(quads, -1, axis=1) - quads
    out = np.cross(sides, normal)
    out /= np.maximum(np.linalg.norm(out, axis=2, keepdims=True), 1e-300)
    for i in range(count - 2):
        others = np.arange(i + 2, count - (closed and i == 0))
        if others.size == 0:
            continue
        apart = np.zeros(others.size, dtype=bool)
        for axes in (np.broadcast_to(out[i], (others.size, 4, 3)), out[others]):
            mine, theirs = axes @ quads[i].T, axes @ quads[others].transpose(0, 2, 1)
            apart |= ((mine.max(2) <= theirs.min(2)) | (theirs.max(2) <= mine.min(2))).any(axis=1)
        if not apart.all():
            k = int(others[np.flatnonzero(~apart)[0]])
            raise ValueError(
                f"segments {i} and {k} overlap at a width of {width:g} m; a conductor may not cross itself: "
                "move them apart or make the path narrower"
            )
