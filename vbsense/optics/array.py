"""Where the sensors are: a lattice of spots, and the average of a field over each of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

__all__ = ["SensorArray"]


@dataclass(frozen=True)
class SensorArray:
    """A square lattice of square spots of emitters in a thin layer.

    Parameters
    ----------
    pitch : float
        Distance of neighbouring spots (m).
    shape : (int, int)
        Rows and columns.
    center : (float, float)
        Position (x, y) of the middle of the lattice (m).
    rotation : float
        Angle of the rows to the x axis (rad); the spots turn with the lattice.
    spot_size : float
        Side of a spot (m).
    thickness : float
        Thickness of the emitting layer (m), evenly filled: 30 keV helium crosses a flake of a few
        10 nm, so that its depth profile is nearly flat.

    Examples
    --------
    >>> array = SensorArray(pitch=500e-9, shape=(2, 3), center=(1e-6, 1e-6))
    >>> array.x.round(8).tolist()
    [5e-07, 1e-06, 1.5e-06, 5e-07, 1e-06, 1.5e-06]
    """

    pitch: float
    shape: tuple[int, int]
    center: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    spot_size: float = 100e-9
    thickness: float = 40e-9

    def __post_init__(self) -> None:
        if not all(isinstance(n, (int, np.integer)) for n in self.shape):
            raise ValueError(f"shape is {self.shape!r}; it must be two whole numbers: (rows, columns)")
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "center", tuple(float(v) for v in self.center))
        for name in ("pitch", "spot_size"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be a positive length in metres")
        if not (np.isfinite(self.thickness) and self.thickness >= 0):
            raise ValueError(f"thickness is {self.thickness!r}; it must be a length in metres, 0 or more")
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise ValueError(f"shape is {self.shape!r}; it must be (rows, columns), each at least 1")
        if len(self.center) != 2 or not np.isfinite([*self.center, self.rotation]).all():
            raise ValueError(f"center {self.center!r} and rotation {self.rotation!r} must be finite: (x, y) m, and rad")

    @property
    def row(self) -> np.ndarray:
        """Lattice row of every site, ``(site,)``."""
        return np.repeat(np.arange(self.shape[0]), self.shape[1])

    @property
    def column(self) -> np.ndarray:
        """Lattice column of every site, ``(site,)``."""
        return np.tile(np.arange(self.shape[1]), self.shape[0])

    @property
    def x(self) -> np.ndarray:
        """Positions along x, ``(site,)`` m."""
        return self.center[0] + self._turn()[0]

    @property
    def y(self) -> np.ndarray:
        """Positions along y, ``(site,)`` m."""
        return self.center[1] + self._turn()[1]

    def _turn(self) -> np.ndarray:
        across = (self.column - (self.shape[1] - 1) / 2) * self.pitch
        along = (self.row - (self.shape[0] - 1) / 2) * self.pitch
        return _rotation(self.rotation) @ np.array([across, along])

    def average(
        self,
        field: Callable[[np.ndarray], np.ndarray],
        *,
        standoff: float,
        order: tuple[int, int] = (8, 4),
        at: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> np.ndarray:
        """Field averaged over the footprint and the depth of every spot.

        Parameters
        ----------
        field : callable
            Maps points (..., 3) m to the field (..., 3) T; z = 0 is the top face of the conductor.
        standoff : float
            Height of the middle of the emitting layer (m), at least half its thickness.
        order : (int, int)
            Gauss-Legendre points along each side of the spot and through the depth. The default errs by
            less than 2e-4 of the largest field for a layer that lies 5 nm above a 1 um x 100 nm bar.
        at : (array_like, array_like), optional
            x and y of spots like these at other places (m), for example some of the sites in any order.

        Returns
        -------
        ndarray, (site, 3)
            T.

        Examples
        --------
        >>> array = SensorArray(pitch=1e-6, shape=(1, 1))
        >>> array.average(lambda p: p * 1.0, standoff=50e-9).round(12).tolist()   # a linear field: its middle
        [[0.0, 0.0, 5e-08]]
        """
        if not standoff >= self.thickness / 2:
            raise ValueError(
                f"standoff is {standoff!r} m; the layer, {self.thickness:.3g} m thick, must not cut the conductor: "
                f"give at least {self.thickness / 2:.3g} m"
            )
        offsets, weights = self._quadrature(order)
        x, y = (self.x, self.y) if at is None else (np.asarray(v, dtype=float) for v in at)
        points = np.column_stack([x, y, np.full(x.size, standoff)])[:, None, :] + offsets
        return np.einsum("sqc,q->sc", field(points), weights)

    def _quadrature(self, order: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        side, w_side = np.polynomial.legendre.leggauss(order[0])
        depth, w_depth = np.polynomial.legendre.leggauss(order[1] if self.thickness else 1)
        a, b, c = np.meshgrid(side * self.spot_size / 2, side * self.spot_size / 2, depth * self.thickness / 2)
        weights = np.einsum("i,j,k->ijk", w_side, w_side, w_depth).ravel() / 4 / w_depth.sum()
        across, along = _rotation(self.rotation) @ np.array([a.ravel(), b.ravel()])
        return np.column_stack([across, along, c.ravel()]), weights

    def to_json(self) -> str:
        """The array as JSON, for the attribute ``sensor_array`` of a sweep."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SensorArray:
        """The array that `to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not the JSON of a sensor array.
        """
        try:
            return cls(**json.loads(text))
        except (TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"sensor_array is not the JSON of a SensorArray ({error}): {text!r:.80}") from error


def _rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
