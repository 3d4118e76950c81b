"""What a pixel or a spot averages over: an area, a layer of emitters, and the thickness of the conductor below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vbsense.currents._inputs import length
from vbsense.optics.spots import check_shape, product_rule, transfer
from vbsense.transfer_factors import height_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sensing"]

TALLEST = 1e-3  # m: a stand-off above this was not given in metres


@dataclass(frozen=True)
class Sensing:
    """How far a field is measured from its current, and over what it is averaged.

    Parameters
    ----------
    standoff : float
        From the top face of the conductor to the mean depth of the emitters (m).
    thickness, depth : float
        Of the conductor and of the layer of emitters, both evenly filled (m).
    size : (float, float)
        Extent of the area along y and x (m): sides of a rectangle, diameters, full widths at half maximum; 0 for a
        point.
    shape : {"square", "disc", "gaussian"}
        Of the area; a square of two different sides is a rectangle.
    rotation : float
        Of the area (rad).

    Examples
    --------
    >>> Sensing(50e-9, thickness=100e-9).height
    1e-07
    """

    standoff: float
    thickness: float = 0.0
    depth: float = 0.0
    size: tuple[float, float] = (0.0, 0.0)
    shape: str = "square"
    rotation: float = 0.0

    def __post_init__(self) -> None:
        length("thickness", self.thickness)
        length("depth", self.depth)
        check_shape(self.shape)
        check_standoff(self.standoff, self.depth)
        if self.shape != "square" and self.size[0] != self.size[1]:
            raise ValueError(f"size is {self.size!r} m; only a square can have two different sides")

    @property
    def height(self) -> float:
        """From the middle of the conductor to the mean depth of the emitters (m)."""
        return float(self.standoff + self.thickness / 2)

    def factor(self, kx: NDArray[np.float64], ky: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is left of a wave: 1 at k = 0."""
        waves = np.hypot(kx, ky)
        decay = height_factor(waves, self.height, thickness=self.thickness, depth=self.depth)
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        own_x, own_y = (kx, ky) if self.rotation == 0 else (c * kx + s * ky, c * ky - s * kx)
        if self.shape == "square":
            area = np.sinc(own_x * self.size[1] / (2 * np.pi)) * np.sinc(own_y * self.size[0] / (2 * np.pi))
        else:
            area = np.asarray(transfer(self.shape, self.size[0], own_x, own_y), dtype=float)
        return decay * area

    def points(self, order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Offsets (n, 3) from the middle of the spot to quadrature points (m), and their weights.

        Conductor and emitters are averaged over heights: z counts from the middle of the conductor.
        """
        flat, weight = product_rule(self.shape, 1.0, order if max(self.size) else 1)
        across = flat * np.array([self.size[1], self.size[0]])
        c, s = np.cos(self.rotation), np.sin(self.rotation)
        across = across @ np.array([[c, s], [-s, c]])
        up, up_weight = np.array([self.height]), np.ones(1)
        for extent in (self.thickness, self.depth):
            nodes, own = np.polynomial.legendre.leggauss(max(order, 3) if extent else 1)
            up = (up[:, None] + nodes * extent / 2).ravel()
            up_weight = np.outer(up_weight, own / 2).ravel()
        points = np.column_stack([np.repeat(across, up.size, axis=0), np.tile(up, len(across))])
        return points, np.outer(weight, up_weight).ravel()


def check_standoff(standoff: object, depth: float = 0.0) -> float:
    """A stand-off in metres, or ValueError.

    Examples
    --------
    >>> check_standoff(1.0)
    Traceback (most recent call last):
    ValueError: standoff is 1 m, above 0.001 m; give metres: 100 nm is 100e-9
    """
    if standoff is None or isinstance(standoff, (str, bool)) or np.ndim(standoff):  # type: ignore[arg-type]
        raise ValueError(f"standoff is {standoff!r}; give the height of the emitters above the conductor in metres")
    value = float(standoff)  # type: ignore[arg-type]
    if not (np.isfinite(value) and value > 0):
        raise ValueError(
            f"standoff is {value:g}; give the height of the emitters above the conductor, above zero, in metres: "
            "where it is unknown, a fit of a known wire (fit_wire) finds it"
        )
    if value > TALLEST:
        raise ValueError(f"standoff is {value:g} m, above {TALLEST:g} m; give metres: 100 nm is 100e-9")
    if value < depth / 2 * (1 - 1e-12):
        raise ValueError(
            f"standoff is {value:g} m; emitters {depth:g} m deep have their mean at least {depth / 2:g} m above "
            "the conductor"
        )
    return value
