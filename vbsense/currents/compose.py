"""Conductors made of conductors: a sum, and a copy moved as a rigid body."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from vbsense._numbers import number, reals
from vbsense.currents._inputs import flatten, vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Conductor", "Placed", "Sum", "turn"]

_UNTURNED = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@runtime_checkable
class Conductor(Protocol):
    """Whatever carries a current: the shapes of this package, their sums, and what others write.

    ``field`` may be called with any number of points, from several threads, and changes nothing.
    """

    @property
    def current(self) -> float:
        """Nominal current (A)."""

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Field (T), shape (..., 3), at points (m), shape (..., 3)."""

    def scaled(self, factor: float) -> Conductor:
        """Return the same with every current multiplied."""


def _check(name: str, conductor: object) -> None:
    if not isinstance(conductor, Conductor):
        raise TypeError(
            f"{name} is a {type(conductor).__name__}; give a conductor: something with current, field(points) and "
            "scaled(factor)"
        )


@dataclass(frozen=True)
class Sum:
    """Several conductors as one: their fields add.

    Parameters
    ----------
    parts : sequence of Conductor
        At least one.
    current : float, optional
        Nominal current (A), by default that of the first part. It is a name for the size of the whole: of three
        bars in series it is the current of each, of two bars in parallel the current of both together.

    Examples
    --------
    >>> from vbsense.currents import Loop
    >>> pair = Sum([Loop((0, 0, -0.05), 0.1, current=1.0), Loop((0, 0, 0.05), 0.1, current=1.0)])    # Helmholtz
    >>> (pair.field([[0, 0, 0], [0, 0, 0.01]]) * 1e6).round(3)               # uT
    array([[0.   , 0.   , 8.992],
           [0.   , 0.   , 8.991]])
    """

    parts: tuple[Conductor, ...]
    current: float = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, Iterable | Conductor):
            raise TypeError(f"parts is {reprlib.repr(self.parts)}; give a list of conductors")
        parts = (self.parts,) if isinstance(self.parts, Conductor) else tuple(self.parts)
        if not parts:
            raise ValueError("parts is empty; a sum has at least one conductor")
        for k, part in enumerate(parts):
            _check(f"parts[{k}]", part)
        current = parts[0].current if self.current is None else self.current
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "current", number("current", current, "A"))

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Magnetic field: the sum over the parts.

        Parameters
        ----------
        points : (..., 3) array_like
            Where (m).

        Returns
        -------
        (..., 3) ndarray
            Field (T).

        Examples
        --------
        >>> from vbsense.currents import Polyline
        >>> there, back = Polyline([(0, -1, 0), (0, 1, 0)], 1.0), Polyline([(0, 1, 0), (0, -1, 0)], 1.0)
        >>> Sum([there, back]).field([1e-6, 0, 0])
        array([0., 0., 0.])
        """
        flat, shape = flatten(points)
        total = np.zeros(flat.shape)
        for part in self.parts:
            total += part.field(flat)
        return total.reshape(shape)

    def scaled(self, factor: float) -> Sum:
        """Return the same with every current multiplied.

        Parameters
        ----------
        factor : float
            May be negative: the currents turn round.

        Returns
        -------
        Sum

        Examples
        --------
        >>> from vbsense.currents import Loop
        >>> half = Sum([Loop((0, 0, 0), 0.1, current=1.0), Loop((0, 0, 1), 0.1, current=3.0)]).scaled(0.5)
        >>> half.current, [part.current for part in half.parts]
        (0.5, [0.5, 1.5])
        """
        factor = number("factor", factor, "1")
        return Sum(tuple(part.scaled(factor) for part in self.parts), current=self.current * factor)


@dataclass(frozen=True)
class Placed:
    """A conductor turned about the origin and then shifted, as a rigid body.

    Parameters
    ----------
    conductor : Conductor
        What is placed.
    translation : (3,) array_like
        Shift (m), after the rotation.
    rotation : (3, 3) array_like
        Rotation matrix: a point r of the conductor comes to rotation @ r + translation. `turn` makes one.

    Examples
    --------
    >>> from vbsense.currents import Loop
    >>> flat = Loop((0, 0, 0), 10e-6, current=1e-3)
    >>> upright = Placed(flat, translation=(1e-3, 0, 0), rotation=turn(np.pi / 2, axis=(0, 1, 0)))
    >>> (upright.field([1e-3, 0, 0]) * 1e6).round(3)               # uT: z became x
    array([62.832,  0.   ,  0.   ])
    """

    conductor: Conductor
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[tuple[float, float, float], ...] = _UNTURNED

    def __post_init__(self) -> None:
        _check("conductor", self.conductor)
        object.__setattr__(self, "translation", vector("translation", self.translation, ", in m"))
        matrix = reals("rotation", self.rotation, "a matrix of shape (3, 3)")
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
            raise ValueError(
                f"rotation: received shape {matrix.shape}; give a finite matrix of shape (3, 3), such as turn(angle)"
            )
        error = float(np.abs(matrix @ matrix.T - np.eye(3)).max())
        if error > 1e-9:
            raise ValueError(f"rotation: its rows differ from orthonormal by {error:.2g}; use turn(angle, axis=...)")
        if np.linalg.det(matrix) < 0:
            raise ValueError("rotation: the matrix mirrors (determinant -1); a rigid body can only be turned")
        object.__setattr__(self, "rotation", tuple(map(tuple, matrix.tolist())))

    @property
    def current(self) -> float:
        """Nominal current (A)."""
        return self.conductor.current

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Magnetic field: that of the conductor in its own frame, turned.

        Parameters
        ----------
        points : (..., 3) array_like
            Where (m).

        Returns
        -------
        (..., 3) ndarray
            Field (T).

        Examples
        --------
        >>> from vbsense.currents import Polyline
        >>> wire = Polyline([(0, -1, 0), (0, 1, 0)], current=1e-3)
        >>> Placed(wire, translation=(5e-6, 0, 0)).field([5e-6, 0, 1e-6]).round(7)
        array([0.0002, 0.    , 0.    ])
        """
        flat, shape = flatten(points)
        matrix = np.array(self.rotation)
        with np.errstate(invalid="ignore"):  # an infinite coordinate becomes NaN
            own = (flat - self.translation) @ matrix
        return (self.conductor.field(own) @ matrix.T).reshape(shape)

    def scaled(self, factor: float) -> Placed:
        """Return the same with every current multiplied.

        Parameters
        ----------
        factor : float
            May be negative: the currents turn round.

        Returns
        -------
        Placed

        Examples
        --------
        >>> from vbsense.currents import Loop
        >>> Placed(Loop((0, 0, 0), 0.1, current=1.0), translation=(0, 0, 1)).scaled(3).current
        3.0
        """
        return replace(self, conductor=self.conductor.scaled(factor))


def turn(angle: float, *, axis: ArrayLike = (0.0, 0.0, 1.0)) -> NDArray[np.float64]:
    """Rotation matrix, right-handed about an axis.

    Parameters
    ----------
    angle : float
        Angle (rad), within two turns.
    axis : (3,) array_like
        Direction of any length.

    Returns
    -------
    (3, 3) ndarray

    Notes
    -----
    Rodrigues' formula.

    Examples
    --------
    >>> (turn(np.pi / 2) @ [1, 0, 0]).round(12)                    # x to y
    array([0., 1., 0.])
    """
    angle, direction = number("angle", angle, "rad"), np.array(vector("axis", axis, ""))
    if abs(angle) > 4 * np.pi:
        raise ValueError(f"angle is {angle:g} rad, more than two turns; convert degrees: np.radians({angle:g})")
    norm = np.linalg.norm(direction)
    if norm == 0:
        raise ValueError("axis is zero; give the direction of the axis")
    x, y, z = direction / norm
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
