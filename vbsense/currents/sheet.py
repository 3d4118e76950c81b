"""A current density on a grid of pixels: any planar conductor, drawn, solved for or measured."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._numbers import number, reals, whole
from vbsense.currents._inputs import distance, flatten, length
from vbsense.currents._sheet_inputs import density, pixel

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from vbsense.currents._sheet_tree import Tree

__all__ = ["CurrentSheet"]


@dataclass(frozen=True, eq=False)
class CurrentSheet:
    """A sheet of square pixels, each filled with a uniform current density.

    Nothing between the pixels is interpolated, so that a straight trace along x or y whose edges lie on edges of pixels
    is represented exactly. The arrays are copied and can not be written to.

    Parameters
    ----------
    Jx, Jy : (ny, nx) array_like
        Current density (A/m), integrated over the thickness; rows = y, columns = x, row 0 = smallest y.
    pixel_size : float
        Side of a pixel (m).
    z : float, default 0
        Height of the middle of the conducting layer (m).
    origin : (float, float), default (0, 0)
        Centre (x, y) of pixel (0, 0) (m).
    thickness : float, default 0
        Of the conducting layer (m), evenly filled.
    nominal : float, optional
        What `current` says (A); by default the largest net current through a line along a row or a column.

    Raises
    ------
    ValueError
        If the shapes differ or are not 2-D, a number is not finite, a length is negative, or a pixel is larger than
        5 mm or smaller than 0.01 nm.

    Examples
    --------
    >>> Jy = np.zeros((400, 30))
    >>> Jy[:, 10:20] = 1e3                                     # a trace 1 um wide and 40 um long: 1 mA along +y
    >>> trace = CurrentSheet(0 * Jy, Jy, 100e-9)
    >>> trace.current, trace.scaled(2).current
    (0.001, 0.002)
    >>> B = trace.field_on_grid(50e-9)
    >>> B.shape, (B[200, 15] * 1e6).round(1).tolist()          # uT
    ((400, 30, 3), [588.0, 0.0, -39.7])
    """

    Jx: NDArray[np.float64]
    Jy: NDArray[np.float64]
    pixel_size: float
    z: float = 0.0
    _: KW_ONLY
    origin: tuple[float, float] = (0.0, 0.0)
    thickness: float = 0.0
    nominal: float | None = None

    def __post_init__(self) -> None:
        for name in ("Jx", "Jy"):
            object.__setattr__(self, name, density(name, getattr(self, name)))
        if self.Jx.shape != self.Jy.shape:
            raise ValueError(f"Jx has shape {self.Jx.shape} and Jy {self.Jy.shape}; give two arrays of one shape")
        object.__setattr__(self, "pixel_size", pixel(self.pixel_size))
        object.__setattr__(self, "z", distance("z", self.z))
        object.__setattr__(self, "thickness", length("thickness", self.thickness))
        origin = reals("origin", self.origin, "x and y of the centre of pixel (0, 0), in m")
        if origin.shape != (2,):
            raise ValueError(f"origin: received {self.origin!r}; give x and y of the centre of pixel (0, 0), in m")
        object.__setattr__(self, "origin", tuple(distance("origin", place) for place in origin.tolist()))
        if self.nominal is not None:
            object.__setattr__(self, "nominal", number("nominal", self.nominal, "A"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CurrentSheet) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, ({name: getattr(self, name) for name in self.__dataclass_fields__},)

    @cached_property
    def _tree(self) -> Tree:
        """Blocks of pixels for `field`; some 70 bytes for each pixel, made when first needed."""
        from vbsense.currents._sheet_tree import build

        return build(np.stack([self.Jx, self.Jy]), self.pixel_size)

    def _key(self) -> tuple[Any, ...]:
        arrays = (self.Jx.shape, self.Jx.tobytes(), self.Jy.tobytes())
        return (*arrays, self.pixel_size, self.z, self.origin, self.thickness, self.nominal)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.Jx.shape[0], self.Jx.shape[1]

    @property
    def x(self) -> NDArray[np.float64]:
        """Centres of the columns, (nx,) m."""
        return np.asarray(self.origin[0] + self.pixel_size * np.arange(self.shape[1]), dtype=float)

    @property
    def y(self) -> NDArray[np.float64]:
        """Centres of the rows, (ny,) m."""
        return np.asarray(self.origin[1] + self.pixel_size * np.arange(self.shape[0]), dtype=float)

    @property
    def current(self) -> float:
        """Nominal current (A): `nominal`, or the largest net current through a line along a row or a column.

        For one trace, however it winds, this is its current; parallel traces along one direction add up.
        """
        if self.nominal is not None:
            return float(self.nominal)
        return self.pixel_size * max(_largest_sum(self.Jy), _largest_sum(self.Jx.T))

    def scaled(self, factor: float) -> CurrentSheet:
        """The same sheet with all currents multiplied."""
        factor = number("factor", factor, "1")
        return CurrentSheet(
            factor * self.Jx, factor * self.Jy, self.pixel_size, self.z,
            origin=self.origin, thickness=self.thickness, nominal=factor * self.current,
        )  # fmt: skip

    def divergence(self) -> NDArray[np.float64]:
        """Where current begins or ends: net outflow per area, at the corners of the pixels.

        A corner stands for the square of one pixel around it, whose outflow is exact for uniformly filled pixels.
        A sheet of a closed circuit, or one between contacts apart from these, gives zeros.

        Returns
        -------
        ndarray, (ny + 1, nx + 1)
            A/m^2; [0, 0] is the corner below and to the left of pixel (0, 0). Beyond the sheet there is no current.

        Examples
        --------
        >>> Jy = np.zeros((4, 3))
        >>> Jy[:, 1] = 1.0                                     # begins in the first row, ends in the last
        >>> outflow = CurrentSheet(0 * Jy, Jy, 1e-6).divergence() * 1e-6
        >>> outflow[:, 1].tolist()
        [0.5, 0.0, 0.0, 0.0, -0.5]
        """
        Jx, Jy = np.pad(self.Jx, 1), np.pad(self.Jy, 1)
        along_x = np.diff(Jx, axis=1)[1:] + np.diff(Jx, axis=1)[:-1]
        along_y = np.diff(Jy, axis=0)[:, 1:] + np.diff(Jy, axis=0)[:, :-1]
        return (along_x + along_y) / (2 * self.pixel_size)

    def field_on_grid(
        self,
        height: float,
        *,
        spot_size: float = 0.0,
        spot_shape: str = "square",
        depth: float = 0.0,
        margin: int = 0,
    ) -> NDArray[np.float64]:
        """Magnetic field over the centres of the pixels, by fast Fourier transform.

        Parameters
        ----------
        height : float
            From the middle of the conducting layer to the middle of the emitters (m); negative below. A stand-off
            counted from the upper face is ``height - thickness / 2``.
        spot_size : float, default 0
            Extent of the area over which every sensor averages (m): side of a square, diameter of a disc, full width
            at half maximum of a Gaussian.
        spot_shape : {"square", "disc", "gaussian"}
            Its shape.
        depth : float, default 0
            Thickness of the layer of emitters (m), evenly filled.
        margin : int, default 0
            Pixels to add on every side of the sheet.

        Returns
        -------
        ndarray, (ny + 2 margin, nx + 2 margin, 3)
            Field (T).

        Raises
        ------
        ValueError
            If a length is negative, the shape of the spot unknown, or the margin not a whole number of 0 or more.

        Notes
        -----
        A linear convolution (padded with zeros: nothing wraps around) with the closed-form field of a uniformly
        filled pixel: exact to rounding for a point sensor, at any height, and for a layer of emitters or a conductor
        of any thickness if the other is thin. Averages over spots, and over conductor and emitters that both are
        thick, are sums: their error is below 2e-4 of the largest field of a pixel (discs on the surface; squares
        and Gaussians 5e-5), far less once the stand-off is a tenth of the spot.

        Examples
        --------
        >>> pixel = CurrentSheet([[0.0]], [[1.0]], 1e-6, thickness=100e-9)
        >>> pixel.field_on_grid(60e-9, spot_size=100e-9, depth=20e-9, margin=2).shape
        (5, 5, 3)
        """
        from vbsense.currents._sheet_grid import convolve
        from vbsense.optics.spots import check_shape

        options = {"spot_size": length("spot_size", spot_size), "spot_shape": check_shape(spot_shape),
                   "depth": length("depth", depth), "thickness": self.thickness}  # fmt: skip
        margin = whole("margin", margin, 0)
        return convolve(self.Jx, self.Jy, self.pixel_size, distance("height", height), margin, options)

    def field(self, points: ArrayLike) -> NDArray[np.float64]:
        """Magnetic field at arbitrary points.

        Parameters
        ----------
        points : (..., 3) array_like
            Where (m), on either side of the sheet and inside it. A point with a coordinate that is not finite gets
            NaN.

        Returns
        -------
        (..., 3) ndarray
            Field (T). In a sheet without thickness the tangential field, which jumps, is the mean of both sides; on
            an edge where the current density jumps its normal field, which diverges as a logarithm, is that a
            trillionth of a pixel away.

        Notes
        -----
        Near pixels are summed in closed form, distant ones in blocks (`vbsense.currents._sheet_tree`): measured
        against the sum over all pixels the error is below 1e-6 of the largest field at that height for the currents of
        conductors, and below 1e-5 for noise seen from five pixels away, where it cancels. A point takes some 30 us,
        nearly whatever the number of pixels; the blocks are made once for every sheet.

        Examples
        --------
        >>> sheet = CurrentSheet([[0.0]], [[1e3]], 1e-6)       # one pixel, 1 mA along +y
        >>> (sheet.field([0, 0, 1e-6]) * 1e6).round(2).tolist()         # uT
        [80.54, 0.0, 0.0]
        """
        from vbsense.currents._sheet_points import field_at

        flat, shape = flatten(points)
        out = np.full((len(flat), 3), np.nan)
        finite = np.flatnonzero(np.isfinite(flat).all(axis=1))
        corner = np.array([self.origin[0] - self.pixel_size / 2, self.origin[1] - self.pixel_size / 2, self.z])
        out[finite] = field_at(self._tree, self.thickness, flat[finite] - corner)
        return out.reshape(shape)


def _rebuild(fields: dict[str, Any]) -> CurrentSheet:
    """Unpickle through the constructor: a plain copy would lose that the arrays are read-only."""
    return CurrentSheet(**fields)


def _largest_sum(across: NDArray[np.float64]) -> float:
    """Largest sum of neighbours in a row: the range of the running sum from 0 on."""
    running = np.cumsum(np.pad(across, ((0, 0), (1, 0))), axis=1)
    return float(np.ptp(running, axis=1).max())
