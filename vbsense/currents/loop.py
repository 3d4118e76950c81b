"""A circular loop of wire."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vbsense._numbers import number
from vbsense.currents._inputs import LARGEST, flatten, scale, size, vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Loop"]


@dataclass(frozen=True)
class Loop:
    """A current round a circle.

    Parameters
    ----------
    center : (3,) array_like
        Centre of the circle (m).
    radius : float
        Radius (m), up to 1 m.
    current : float
        Current (A), right-handed about the normal.
    normal : (3,) array_like, default (0, 0, 1)
        Axis of the circle, of any length.

    Examples
    --------
    >>> coil = Loop(center=(0, 0, 0), radius=10e-6, current=1e-3)
    >>> (coil.field([[0, 0, 0], [5e-6, 0, 1e-6]]) * 1e6).round(3)          # uT; mu0 I / 2 R in the middle
    array([[ 0.   ,  0.   , 62.832],
           [ 7.717,  0.   , 75.713]])
    """

    center: tuple[float, float, float]
    radius: float
    current: float
    normal: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", vector("center", self.center, ", in m"))
        object.__setattr__(self, "radius", size("radius", self.radius, LARGEST))
        object.__setattr__(self, "current", number("current", self.current, "A"))
        object.__setattr__(self, "normal", vector("normal", self.normal, ""))
        if not any(self.normal):
            raise ValueError(f"normal: received {self.normal}; give the direction of the axis, not zero")

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Magnetic field.

        Parameters
        ----------
        points : (..., 3) array_like
            Where (m). A point with a coordinate that is not finite gets NaN.

        Returns
        -------
        (..., 3) ndarray
            Field (T). On the wire itself, where it has neither size nor direction, zero.

        Notes
        -----
        The formula and its accuracy are in ``vbsense.magnetics_filaments``.

        Examples
        --------
        >>> coil = Loop(center=(0, 0, 0), radius=10e-6, current=1e-3, normal=(1, 0, 0))
        >>> moment = 1e-3 * np.pi * coil.radius**2
        >>> bool(np.isclose(coil.field([1e-2, 0, 0])[0], 2e-7 * moment / 1e-2**3, rtol=1e-5))     # a dipole, far away
        True
        """
        from vbsense.magnetics_filaments import loop

        flat, shape = flatten(points)
        out = np.empty((3, len(flat)))
        # A power of two rounds nothing away, and the squares in the kernel cannot overflow.
        normal = np.ldexp(self.normal, -int(np.frexp(np.abs(self.normal).max())[1]))
        loop(np.array(self.center), normal, self.radius, scale(self.current), flat.T.copy(), out)
        out[:, ~np.isfinite(flat).all(axis=1)] = np.nan
        return out.T.reshape(shape)

    def scaled(self, factor: float) -> Loop:
        """Return the same with the current multiplied.

        Parameters
        ----------
        factor : float
            May be negative: the current turns round.

        Returns
        -------
        Loop

        Examples
        --------
        >>> Loop(center=(0, 0, 0), radius=10e-6, current=1e-3).scaled(2).current
        0.002
        """
        return replace(self, current=self.current * number("factor", factor, "1"))
