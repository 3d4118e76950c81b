"""Circuits in one plane: arcs, and bars along a path with mitred corners.

At a corner two bars are cut along the bisector of the angle between them. Each carries the current evenly and parallel
to its sides, so that what leaves one through the cut enters the other: the current is continuous everywhere and its
field is exact for this distribution. What is approximate is the distribution itself: in a real corner the current
keeps to the inner side, within about a width of the corner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vbsense._numbers import number, whole
from vbsense.currents._inputs import LARGEST, WIDEST, size, vector
from vbsense.currents._outline import Outline, outline
from vbsense.currents.compose import Conductor, Sum
from vbsense.currents.straight import Bar, Polyline
from vbsense.currents.wedge import Wedge

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["arc", "meander", "path", "u_shape"]


def arc(
    center: ArrayLike,
    radius: float,
    start_angle: float,
    end_angle: float,
    current: float,
    *,
    deviation: float | None = None,
) -> Polyline:
    """A filament along an arc in a plane of constant z, as chords.

    Parameters
    ----------
    center : (3,) array_like
        Centre of the circle (m).
    radius : float
        Radius (m).
    start_angle, end_angle : float
        Angles from the x axis, positive towards y (rad); the current runs from start to end, clockwise if the
        end is the smaller. At most one turn apart.
    current : float
        Current (A).
    deviation : float, optional
        Largest distance of a chord from the arc (m), by default 1e-6 radii (2222 chords for a full turn).

    Returns
    -------
    Polyline
        With its ends on the arc; a full turn is closed.

    Notes
    -----
    At a distance d from the arc, which is more than `deviation`, the field is off by less than
    deviation / (d - deviation) of the field of a straight wire there, ``mu0 I / 2 pi d``, plus 4/3 deviation / radius
    of the field itself, because the chords enclose a smaller area. For another plane use `Placed`; a full circle is
    exact as `Loop`.

    Examples
    --------
    >>> half = arc((0, 0, 0), 10e-6, 0.0, np.pi, current=1e-3)
    >>> float((half.field([0, 0, 0])[2] * 1e6).round(3))           # uT: half of mu0 I / 2 R
    31.416
    """
    middle, radius = vector("center", center, ", in m"), size("radius", radius, LARGEST)
    first, last = number("start_angle", start_angle, "rad"), number("end_angle", end_angle, "rad")
    if not 0 < abs(last - first) <= 2 * np.pi * (1 + 1e-12):
        raise ValueError(
            f"the arc spans {last - first:g} rad; from above 0 to one turn, 2 pi, in either direction "
            f"(convert degrees: np.radians({last - first:g}))"
        )
    deviation = 1e-6 * radius if deviation is None else number("deviation", deviation, "m", positive=True)
    if deviation < 1e-10 * radius:
        raise ValueError(f"deviation is {deviation:g} m, below 1e-10 of the radius: too many chords")
    largest = 4 * np.arcsin(np.sqrt(min(deviation / (2 * radius), 0.25)))  # sagitta = 2 R sin^2(angle / 4)
    count = int(np.ceil(abs(last - first) / largest * (1 - 1e-12)))
    angle = np.linspace(first, last, max(count, 1) + 1)
    corners = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], axis=1)
    if abs(abs(last - first) - 2 * np.pi) < 1e-12:
        corners[-1] = corners[0]
    return Polyline(tuple(map(tuple, (corners + middle).tolist())), current)


def path(
    vertices: ArrayLike,
    width: float,
    thickness: float,
    current: float,
    *,
    normal: ArrayLike = (0.0, 0.0, 1.0),
    closed: bool = False,
) -> Sum:
    """Bars along a path, mitred at its corners.

    Parameters
    ----------
    vertices : (n, 3) array_like
        Corners of the centre line (m), in one plane, in the direction of the current.
    width, thickness : float
        Of the conductor (m); the centre line runs halfway through both.
    current : float
        Current (A).
    normal : (3,) array_like, default (0, 0, 1)
        Direction of the thickness.
    closed : bool, default False
        The path is a circuit: its last vertex must be its first. An open path has square ends, where a current
        comes from nowhere: lead it so far away that this does not matter.

    Returns
    -------
    Sum
        Of bars and of the wedges between their square ends and the cuts.

    Raises
    ------
    ValueError
        For a path that leaves its plane, overlaps itself, has a segment of no length or shorter than its corners
        need, turns by more than 150 degrees, or is open where it should be closed. Segments are counted from 0.

    Examples
    --------
    >>> ell = path([(0, -1e-3, 0), (0, 0, 0), (1e-3, 0, 0)], width=2e-6, thickness=0.2e-6, current=1e-3)
    >>> [type(part).__name__ for part in ell.parts]
    ['Bar', 'Wedge', 'Wedge', 'Bar']
    >>> (ell.field([3e-6, -3e-6, 0])[2] * 1e6).round(2)            # uT, on the inner side of the corner
    np.float64(-118.27)
    """
    corners, normal, width = check_path(vertices, normal, width, closed)
    thickness, current = size("thickness", thickness, WIDEST), number("current", current, "A")
    return Sum(tuple(pieces(outline(corners, width, normal), width, thickness, current, normal)), current=current)


def check_path(
    vertices: ArrayLike, normal: ArrayLike, width: float, closed: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """Corners (n, 3), unit normal (3,) and width, or what is wrong with them."""
    corners: np.ndarray = np.array(Polyline(vertices, 0.0).vertices)  # type: ignore[arg-type]
    direction = np.array(vector("normal", normal, ""))
    if not direction.any():
        raise ValueError("normal is zero; give the direction of the thickness")
    if closed and (corners[0] != corners[-1]).any():
        gap = float(np.linalg.norm(corners[-1] - corners[0]))
        raise ValueError(
            f"the path is open by {gap:g} m; a closed one ends with its first vertex, {corners[0].tolist()}"
        )
    if closed and len(corners) < 4:
        raise ValueError(f"a closed path has at least three corners; received {len(corners) - 1}")
    return corners, direction / np.linalg.norm(direction), size("width", width, WIDEST)


def pieces(path: Outline, width: float, thickness: float, current: float, normal: np.ndarray) -> list[Conductor]:
    """Bars between the shorter sides, and the wedges that fill the corners."""
    parts: list[Conductor] = []
    up = tuple(normal.tolist())
    for k, (t, side) in enumerate(zip(path.along, path.across, strict=True)):
        before, after = width / 2 * path.slope[k], width / 2 * path.slope[k + 1]
        start, end = path.vertices[k] + abs(before) * t, path.vertices[k + 1] - abs(after) * t
        if before:  # at a turn to the left the longer side is the right one
            outer = -np.sign(before) * side
            parts.append(Wedge(start + width / 2 * outer, -2 * abs(before) * t, -width * outer, thickness, -current))
        if np.dot(end - start, t) > 1e-9 * width:
            parts.append(Bar(start, end, width, thickness, current, up))
        if after:
            outer = -np.sign(after) * side
            parts.append(Wedge(end + width / 2 * outer, 2 * abs(after) * t, -width * outer, thickness, current))
    return parts


def u_shape(
    width: float,
    thickness: float,
    current: float,
    *,
    separation: float,
    length: float,
    center: ArrayLike = (0.0, 0.0, 0.0),
) -> Sum:
    """A U: up along +y, across along +x, down along -y.

    Parameters
    ----------
    width, thickness : float
        Of the conductor (m).
    current : float
        Current (A).
    separation : float
        Distance of the centre lines of the legs (m).
    length : float
        Length of the legs (m), from their open ends to the centre line of the bridge.
    center : (3,) array_like
        Middle of the centre line of the bridge (m).

    Returns
    -------
    Sum
        As of `path`. For another direction use `Placed`.

    Examples
    --------
    >>> u = u_shape(1e-6, 0.1e-6, 1e-3, separation=4e-6, length=100e-6)
    >>> (u.field([[0, -2e-6, 0.1e-6], [0, -50e-6, 0.1e-6]])[:, 2] * 1e6).round(1)   # uT, near the bridge and far
    array([-245.8, -203.7])
    """
    x, y, z = vector("center", center, ", in m")
    half, length = (
        number("separation", separation, "m", positive=True) / 2,
        number("length", length, "m", positive=True),
    )
    corners = [(x - half, y - length, z), (x - half, y, z), (x + half, y, z), (x + half, y - length, z)]
    return path(corners, width, thickness, current)


def meander(
    width: float,
    thickness: float,
    current: float,
    *,
    pitch: float,
    length: float,
    legs: int,
    center: ArrayLike = (0.0, 0.0, 0.0),
) -> Sum:
    """Parallel legs along y, joined at alternate ends.

    Parameters
    ----------
    width, thickness : float
        Of the conductor (m).
    current : float
        Current (A); in the first leg, at the smallest x, it runs along +y.
    pitch : float
        Distance of the centre lines of neighbouring legs (m).
    length : float
        Length of the legs (m), between the centre lines of the bridges.
    legs : int
        Number of legs.
    center : (3,) array_like
        Middle of the meander (m).

    Returns
    -------
    Sum
        As of `path`. For another direction use `Placed`.

    Examples
    --------
    >>> snake = meander(1e-6, 0.1e-6, 1e-3, pitch=3e-6, length=40e-6, legs=4)
    >>> above = snake.field([[x, 0, 0.2e-6] for x in (-4.5e-6, -1.5e-6, 1.5e-6, 4.5e-6)])
    >>> np.sign(above[:, 0])                                       # legs up and down in turn
    array([ 1., -1.,  1., -1.])
    """
    x, y, z = vector("center", center, ", in m")
    pitch, length = number("pitch", pitch, "m", positive=True), number("length", length, "m", positive=True)
    legs = whole("legs", legs, 1)
    places = x + pitch * (np.arange(legs) - (legs - 1) / 2)
    ends = np.array([y - length / 2, y + length / 2])
    corners = [(place, end, z) for k, place in enumerate(places) for end in (ends if k % 2 == 0 else ends[::-1])]
    return path(corners, width, thickness, current)
