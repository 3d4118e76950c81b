"""Straight conductors: a polyline of filaments, a flat ribbon, a rectangular bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vbsense._numbers import number, reals
from vbsense.currents._inputs import WIDEST, check_axis, flatten, frame, into, scale, size

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Bar", "Polyline", "Ribbon"]


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
        corners = reals("vertices", self.vertices, "corners of shape (n, 3), in m")
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
        object.__setattr__(self, "current", number("current", self.current, "A"))

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
        The formula and its accuracy are in ``vbsense.magnetics_filaments``.

        Examples
        --------
        >>> Polyline([(0, -1, 0), (0, 1, 0)], current=1e-3).field([[0, 0, 1e-6], [1e-6, 0, 0]]).round(7)
        array([[ 0.0002,  0.    ,  0.    ],
               [ 0.    ,  0.    , -0.0002]])
        """
        from vbsense.magnetics_filaments import BLOCK, segments

        flat, shape = flatten(points)
        out, work = np.empty((3, len(flat))), np.empty((5, BLOCK))
        segments(np.array(self.vertices).T.copy(), scale(self.current), flat.T.copy(), work, out)
        return out.T.reshape(shape)

    def scaled(self, factor: float) -> Polyline:
        """Return the same with the current multiplied.

        Parameters
        ----------
        factor : float
            May be negative: the current turns round.

        Returns
        -------
        Polyline

        Examples
        --------
        >>> Polyline([(0, -1, 0), (0, 1, 0)], current=1e-3).scaled(-0.5).current
        -0.0005
        """
        return replace(self, current=self.current * number("factor", factor, "1"))


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
        check_axis(self)
        object.__setattr__(self, "width", size("width", self.width, WIDEST))
        object.__setattr__(self, "current", number("current", self.current, "A"))

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

        flat, shape = flatten(points)
        axes, centre, half_length = frame(self.start, self.end, self.normal)
        local = np.empty((2, len(flat)))
        rule = np.polynomial.legendre.leggauss(5)
        ribbon(self.width / 2, half_length, scale(self.current), into(axes, flat - centre), *rule, local)
        return (local.T @ axes[[0, 2]]).reshape(shape)

    def scaled(self, factor: float) -> Ribbon:
        """Return the same with the current multiplied.

        Parameters
        ----------
        factor : float
            May be negative: the current turns round.

        Returns
        -------
        Ribbon

        Examples
        --------
        >>> Ribbon((0, -1, 0), (0, 1, 0), width=1e-6, current=1e-3).scaled(-0.5).current
        -0.0005
        """
        return replace(self, current=self.current * number("factor", factor, "1"))


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
        check_axis(self)
        object.__setattr__(self, "width", size("width", self.width, WIDEST))
        object.__setattr__(self, "thickness", size("thickness", self.thickness, WIDEST))
        object.__setattr__(self, "current", number("current", self.current, "A"))

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

        flat, shape = flatten(points)
        axes, centre, half_length = frame(self.start, self.end, self.normal)
        width, thickness = self.width, self.thickness
        if thickness > width:  # the kernel takes differences across the shorter side: a quarter turn about the axis
            width, thickness = thickness, width
            axes = np.array([axes[2], axes[1], -axes[0]])
        wide = np.polynomial.legendre.leggauss(5)
        thin = wide if 4 * thickness > width else np.polynomial.legendre.leggauss(3)
        local = np.empty((2, len(flat)))
        bar(width / 2, half_length, thickness / 2, scale(self.current), into(axes, flat - centre), *wide, *thin, local)
        return (local.T @ axes[[0, 2]]).reshape(shape)

    def scaled(self, factor: float) -> Bar:
        """Return the same with the current multiplied.

        Parameters
        ----------
        factor : float
            May be negative: the current turns round.

        Returns
        -------
        Bar

        Examples
        --------
        >>> Bar((0, -1, 0), (0, 1, 0), width=1e-6, thickness=1e-7, current=1e-3).scaled(-0.5).current
        -0.0005
        """
        return replace(self, current=self.current * number("factor", factor, "1"))
