"""The mitred end of a bar: what is between a square end and a slanting one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vbsense._numbers import number
from vbsense.currents._inputs import WIDEST, flatten, into, scale, size, vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Wedge"]


@dataclass(frozen=True)
class Wedge:
    """A current spread evenly over a right triangular prism, along one of its legs.

    A bar whose end is not square but slants is a bar and a wedge. The current enters through the face of the leg
    `across` and leaves through the slanting face, where the next piece takes it over.

    Parameters
    ----------
    corner : (3,) array_like
        Corner of the right angle (m), halfway through the thickness.
    along : (3,) array_like
        Leg from that corner (m), of any direction at right angles to `across`; the current is parallel to it.
    across : (3,) array_like
        The other leg from that corner (m).
    thickness : float
        Thickness (m), along the direction of across x along, half of it on either side of the corner.
    current : float
        Current (A) through the face of `across`, positive in the direction of `along`.

    Examples
    --------
    >>> tip = Wedge(corner=(0, 0, 0), along=(0, 1e-6, 0), across=(1e-6, 0, 0), thickness=0.1e-6, current=1e-3)
    >>> (tip.field([0.2e-6, 0.2e-6, 0.1e-6]) * 1e6).round(1)               # uT
    array([437.2,   0. , 100.4])
    """

    corner: tuple[float, float, float]
    along: tuple[float, float, float]
    across: tuple[float, float, float]
    thickness: float
    current: float

    def __post_init__(self) -> None:
        for name in ("corner", "along", "across"):
            object.__setattr__(self, name, vector(name, getattr(self, name), ", in m"))
        for name in ("along", "across"):
            size(f"length of {name}", np.linalg.norm(getattr(self, name)), WIDEST)
        cosine = np.dot(self.along, self.across) / np.linalg.norm(self.along) / np.linalg.norm(self.across)
        if abs(cosine) > 1e-9:
            raise ValueError(f"along and across make an angle of cosine {cosine:.3g}; they are at right angles")
        object.__setattr__(self, "thickness", size("thickness", self.thickness, WIDEST))
        object.__setattr__(self, "current", number("current", self.current, "A"))

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Magnetic field.

        Parameters
        ----------
        points : (..., 3) array_like
            Where (m), inside as well. A point with a coordinate that is not finite gets NaN.

        Returns
        -------
        (..., 3) ndarray
            Field (T), finite everywhere. Of a wedge alone it has a curl outside, because its current ends at its
            faces: only the sum over a circuit is a field that exists.

        Notes
        -----
        The formula and its accuracy are in ``vbsense.magnetics_wedge``.

        Examples
        --------
        >>> tip = Wedge(corner=(0, 0, 0), along=(0, 1e-6, 0), across=(1e-6, 0, 0), thickness=0.1e-6, current=1e-3)
        >>> tip.field(np.zeros((4, 5, 3))).shape
        (4, 5, 3)
        """
        from vbsense.magnetics_wedge import wedge

        flat, shape = flatten(points)
        across, along = np.linalg.norm(self.across), np.linalg.norm(self.along)
        x, y = np.array(self.across) / across, np.array(self.along) / along
        axes = np.array([x, y, np.cross(x, y)])
        density = scale(self.current) / (across * self.thickness)
        rules = (*np.polynomial.legendre.leggauss(6), *np.polynomial.legendre.leggauss(6))
        local = np.empty((2, len(flat)))
        wedge(across, along, self.thickness / 2, density, into(axes, flat - self.corner), *rules, local)
        return (local.T @ axes[[0, 2]]).reshape(shape)

    def scaled(self, factor: float) -> Wedge:
        """Return the same with the current multiplied.

        Parameters
        ----------
        factor : float
            May be negative: the current turns round.

        Returns
        -------
        Wedge

        Examples
        --------
        >>> tip = Wedge(corner=(0, 0, 0), along=(0, 1e-6, 0), across=(1e-6, 0, 0), thickness=1e-7, current=1e-3)
        >>> tip.scaled(2).current
        0.002
        """
        return replace(self, current=self.current * number("factor", factor, "1"))
