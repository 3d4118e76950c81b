"""What carries a current: a polyline of filaments, a flat ribbon, a rectangular bar.

Metres, amperes and teslas, right-handed: a current along +y gives Bx > 0 above it (z > 0). Each conductor is a value
(frozen, comparable, hashable); a longer circuit is a sum of fields.

>>> import numpy as np
>>> wire = Bar(start=(0, -50e-6, 0), end=(0, 50e-6, 0), width=1e-6, thickness=100e-9, current=1e-3)
>>> (wire.field([0, 0, 100e-9]) * 1e6).round(1)                # uT, 50 nm above the upper face
array([549.6,   0. ,   0. ])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Polyline:
    """A current through straight filaments from vertex to vertex.

    Parameters
    ----------
    vertices : (n, 3) array_like
        Corners of the wire (m), in the direction of the current. Repeat the first at the end to close a loop.
    current : float
        Current (A).

    Examples
    --------
    >>> corners = [(1e-5, 1e-5, 0), (-1e-5, 1e-5, 0), (-1e-5, -1e-5, 0), (1e-5, -1e-5, 0)]
    >>> square = Polyline([*corners, corners[0]], current=1e-3)
    >>> (square.field([0, 0, 0]) * 1e6).round(3)               # uT: 2 sqrt(2) mu0 I / (pi side)
    array([ 0.   ,  0.   , 56.569])
    """

    vertices: tuple[tuple[float, float, float], ...]
    current: float

    def __post_init__(self) -> None:
        corners = np.asarray(self.vertices, dtype=float)
        if corners.ndim != 2 or corners.shape[0] < 2 or corners.shape[1] != 3:
            raise ValueError(f"vertices: received shape {corners.shape}; give at least two corners, shape (n, 3), in m")
        if not np.isfinite(corners).all():
            bad = int(np.flatnonzero(~np.isfinite(corners).all(axis=1))[0])
            raise ValueError(f"vertices: corner {bad} is {corners[bad].tolist()}; give finite numbers, in m")
        same = np.flatnonzero((corners[1:] == corners[:-1]).all(axis=1))
        if same.size:
            raise ValueError(f"vertices: corners {same[0]} and {same[0] + 1} are both {corners[same[0]].tolist()}; "
                             "leave one of them out")  # fmt: skip
        object.__setattr__(self, "vertices", tuple(map(tuple, corners.tolist())))
        object.__setattr__(self, "current", _number("current", self.current, "A"))

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Magnetic field.

        Parameters
        ----------
        points : (..., 3) array_like
            Where (m). A point with a coordinate that is not finite gets NaN.

        Returns
        -------
        (..., 3) ndarray
            Field (T). On a filament itself, where it diverges, that filament counts as zero.

        Notes
        -----
        The formula and its accuracy are in ``vbsense.magnetics``.

        Examples
        --------
        >>> Polyline([(0, -1, 0), (0, 1, 0)], current=1e-3).field([[0, 0, 1e-6], [1e-6, 0, 0]]).round(7)
        array([[ 0.0002,  0.    ,  0.    ],
               [ 0.    ,  0.    , -0.0002]])
        """
        from vbsense.magnetics import segments

        flat, shape = _flatten(points)
        out = np.empty((3, len(flat)))
        segments(np.array(self.vertices).T.copy(), _scale(self.current), flat.T.copy(), out)
        return out.T.reshape(shape)


@dataclass(frozen=True)
class Ribbon:
    """A current spread evenly over the width of a flat ribbon without thickness.

    Parameters
    ----------
    start, end : (3,) array_like
        Ends of the centre line (m); the current flows from start to end.
    width : float
        Width (m), along the direction of the current x normal.
    current : float
        Total current (A).
    normal : (3,) array_like, default (0, 0, 1)
        Across the sheet, of any length; its part along the axis is ignored.

    Examples
    --------
    >>> film = Ribbon(start=(0, -1, 0), end=(0, 1, 0), width=2e-6, current=1e-3)
    >>> (film.field([0.5e-6, 0, 0.2e-6]) * 1e6).round(3)       # uT
    array([ 262.853,    0.   , -103.321])
    """

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    width: float
    current: float
    normal: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        _check_axis(self)
        object.__setattr__(self, "width", _number("width", self.width, "m", positive=True))
        object.__setattr__(self, "current", _number("current", self.current, "A"))

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Magnetic field.

        Parameters
        ----------
        points : (..., 3) array_like
            Where (m). A point with a coordinate that is not finite gets NaN.

        Returns
        -------
        (..., 3) ndarray
            Field (T). In the sheet the tangential field, which jumps, is the mean of both sides; on an edge the
            normal field, which diverges as a logarithm, is that 1e-12 half-widths away.

        Notes
        -----
        The formula and its accuracy are in ``vbsense.magnetics``.

        Examples
        --------
        >>> film = Ribbon(start=(0, -1, 0), end=(0, 1, 0), width=2e-6, current=1e-3)
        >>> film.field(np.zeros((4, 5, 3))).shape
        (4, 5, 3)
        """
        from vbsense.magnetics import ribbon

        flat, shape = _flatten(points)
        frame, centre, half_length = _frame(self.start, self.end, self.normal)
        local = np.empty((2, len(flat)))
        rule = np.polynomial.legendre.leggauss(5)
        ribbon(self.width / 2, half_length, _scale(self.current), _into(frame, flat - centre), *rule, local)
        return (local.T @ frame[[0, 2]]).reshape(shape)


@dataclass(frozen=True)
class Bar:
    """A current spread evenly over the rectangular cross-section of a straight bar.

    Parameters
    ----------
    start, end : (3,) array_like
        Ends of the centre line (m); the current flows from start to end. The upper face lies half a thickness above.
    width : float
        Width (m), along the direction of the current x normal.
    thickness : float
        Thickness (m), along the normal.
    current : float
        Total current (A).
    normal : (3,) array_like, default (0, 0, 1)
        Direction of the thickness, of any length; its part along the axis is ignored.

    Examples
    --------
    >>> wire = Bar(start=(0, -1, 0), end=(0, 1, 0), width=1e-6, thickness=100e-9, current=1e-3)
    >>> (wire.field([[0.3e-6, 0, 0.1e-6], [1.2e-6, 0, 0]]) * 1e6).round(3)      # uT
    array([[ 512.059,    0.   , -255.613],
           [   0.   ,    0.   , -177.32 ]])
    """

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    width: float
    thickness: float
    current: float
    normal: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        _check_axis(self)
        object.__setattr__(self, "width", _number("width", self.width, "m", positive=True))
        object.__setattr__(self, "thickness", _number("thickness", self.thickness, "m", positive=True))
        object.__setattr__(self, "current", _number("current", self.current, "A"))

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Magnetic field.

        Parameters
        ----------
        points : (..., 3) array_like
            Where (m), inside the bar as well. A point with a coordinate that is not finite gets NaN.

        Returns
        -------
        (..., 3) ndarray
            Field (T), finite everywhere.

        Notes
        -----
        The formula and its accuracy are in ``vbsense.magnetics``.

        Examples
        --------
        >>> wire = Bar(start=(0, -1, 0), end=(0, 1, 0), width=1e-6, thickness=1e-6, current=1e-3)
        >>> far = np.array([0, 0, 1e-3])
        >>> bool(np.isclose(wire.field(far)[0], 2e-7, rtol=1e-6))            # mu0 I / 2 pi z
        True
        """
        from vbsense.magnetics import bar

        flat, shape = _flatten(points)
        frame, centre, half_length = _frame(self.start, self.end, self.normal)
        width, thickness = self.width, self.thickness
        if thickness > width:  # the kernel takes differences across the shorter side: a quarter turn about the axis
            width, thickness = thickness, width
            frame = np.array([frame[2], frame[1], -frame[0]])
        wide = np.polynomial.legendre.leggauss(5)
        thin = wide if 4 * thickness > width else np.polynomial.legendre.leggauss(3)
        local = np.empty((2, len(flat)))
        scale = _scale(self.current)
        bar(width / 2, half_length, thickness / 2, scale, _into(frame, flat - centre), *wide, *thin, local)
        return (local.T @ frame[[0, 2]]).reshape(shape)


def _scale(current: float) -> float:
    """``mu0 I / 4 pi`` (T m)."""
    from scipy.constants import mu_0

    return float(mu_0 * current / (4 * np.pi))


def _frame(start: Any, end: Any, normal: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Rows: directions of width, current and thickness; then the centre (m) and half of the length (m)."""
    first, last = np.array(start), np.array(end)
    length = float(np.linalg.norm(last - first))
    along = (last - first) / length
    across = np.array(normal) - np.dot(normal, along) * along
    across /= np.linalg.norm(across)
    return np.array([np.cross(along, across), along, across]), (first + last) / 2, length / 2


def _into(frame: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates (3, n) in the frame of the conductor."""
    with np.errstate(invalid="ignore"):  # an infinite coordinate becomes NaN, which the kernels pass on
        return np.ascontiguousarray((offsets @ frame.T).T)


def _flatten(points: ArrayLike) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    where = np.asarray(points, dtype=float)
    if where.ndim == 0 or where.shape[-1] != 3:
        raise ValueError(
            f"points: received shape {where.shape}; the last dimension holds x, y, z: shape (..., 3), in m"
        )
    return where.reshape(-1, 3), where.shape


def _check_axis(conductor: Any) -> None:
    """Turn start, end and normal into tuples, or say what is wrong with them."""
    for name, unit in (("start", ", in m"), ("end", ", in m"), ("normal", "")):
        vector = np.asarray(getattr(conductor, name), dtype=float)
        if vector.shape != (3,) or not np.isfinite(vector).all():
            raise ValueError(f"{name}: received {vector.tolist()}; give three finite numbers x, y, z{unit}")
        object.__setattr__(conductor, name, tuple(vector.tolist()))
    along = np.subtract(conductor.end, conductor.start)
    if not along.any():
        raise ValueError(f"start and end are both {conductor.start}; give two ends of the centre line, in m")
    normal = np.array(conductor.normal)
    if np.linalg.norm(np.cross(along, normal)) <= 1e-6 * np.linalg.norm(along) * np.linalg.norm(normal):
        raise ValueError(
            f"normal: received {conductor.normal}, which is zero or parallel to the axis {tuple(along.tolist())}; "
            "give a direction across the conductor"
        )


def _number(name: str, value: Any, unit: str, *, positive: bool = False) -> float:
    number = np.asarray(value, dtype=float)
    if number.ndim or not np.isfinite(number) or (positive and number <= 0):
        kind = "one finite number above zero" if positive else "one finite number"
        raise ValueError(f"{name}: received {value!r}; give {kind}, in {unit}")
    return float(number)
