"""Where the sensors are: a lattice or a list of spots, and the average of a field over each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence, Sized
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.optics._checks import LARGEST, check_array, check_labels, number
from vbsense.optics.averages import SpotAverage, adaptive_average, fixed_average
from vbsense.optics.lattice import columns, labels, nearest_distance, placement_errors, shortest_step, turned

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SensorArray"]


@dataclass(frozen=True)
class SensorArray:
    """A lattice of spots of emitters in a thin layer.

    Parameters
    ----------
    pitch : float
        Distance of neighbouring spots in a row (m), and in a column unless `pitch_y` says otherwise.
    shape : (int, int)
        Rows and columns.
    center : (float, float)
        Position (x, y) of the middle of the lattice (m).
    rotation : float
        Angle of the rows to the x axis (rad); the spots turn with the lattice.
    spot_size : float
        Side of a square, diameter of a disc, full width at half maximum of a Gaussian spot (m).
    thickness : float
        Thickness of the emitting layer (m), evenly filled: 30 keV helium crosses a flake of a few
        10 nm, so that its depth profile is nearly flat.
    pitch_y : float, optional
        Distance of neighbouring spots in a column (m), of a lattice that is stretched.
    shear : float
        Angle by which the columns lean towards the rows (rad): they stand at pi/2 - shear to each other.
        The spots are not sheared.
    placement_scatter : float
        Spread of the spots about the design, on each axis (m, one sigma), drawn once from `seed`. The draw
        does not depend on where the array lies, so that a drifting array keeps its errors.
    seed : int
        Of the placement.
    spot_shape : {"square", "disc", "gaussian"}
    depth_profile : "uniform" or (heights, weights)
        Emitters in planes at these heights above the lower face of the layer (m, 0 to `thickness`), for
        example the middles of the bins of a stopping calculation; the weights need no norm.
    missing : sequence of int
        Sites of the lattice, counted row by row, that do not exist.
    sites, labels
        Positions and (row, column) of a list of sites; `from_sites` fills them.

    Warns
    -----
    UserWarning
        If the spots are larger than the distance of neighbours.

    Examples
    --------
    >>> array = SensorArray(pitch=500e-9, shape=(2, 3), center=(1e-6, 1e-6))
    >>> array.x.round(8).tolist()
    [5e-07, 1e-06, 1.5e-06, 5e-07, 1e-06, 1.5e-06]

    As a helium-ion microscope writes it, and as its owner knows it:

    >>> real = SensorArray(pitch=500e-9, shape=(2, 3), spot_shape="disc", placement_scatter=5e-9, seed=1)
    >>> bool((real.x == real.design_x).any()), real.design == SensorArray(500e-9, (2, 3), spot_shape="disc")
    (False, True)
    """

    pitch: float
    shape: tuple[int, int]
    center: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    spot_size: float = 100e-9
    thickness: float = 40e-9
    pitch_y: float | None = field(default=None, kw_only=True)
    shear: float = field(default=0.0, kw_only=True)
    placement_scatter: float = field(default=0.0, kw_only=True)
    seed: int = field(default=0, kw_only=True)
    spot_shape: str = field(default="square", kw_only=True)
    depth_profile: str | tuple[tuple[float, ...], tuple[float, ...]] = field(default="uniform", kw_only=True)
    missing: tuple[int, ...] = field(default=(), kw_only=True)
    sites: tuple[tuple[float, float], ...] | None = field(default=None, kw_only=True)
    labels: tuple[tuple[int, int], ...] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_array(self)

    @classmethod
    def from_sites(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        *,
        row: Sequence[int] | None = None,
        column: Sequence[int] | None = None,
        **options: Any,
    ) -> SensorArray:
        """An array of spots at any places.

        Parameters
        ----------
        x, y : array_like, (site,)
            Positions (m) as seen from `center`, before the rotation: as they are, if neither is given.
        row, column : sequence of int, optional
            Labels of the sites; by default one row, in the given order.
        **options
            `center`, `rotation`, `spot_size`, `thickness`, `spot_shape`, `depth_profile`, `placement_scatter`
            and `seed` of the array.

        Returns
        -------
        SensorArray
            Its `pitch` is the smallest distance of two sites (the size of the spot, if there is one site only).

        Raises
        ------
        ValueError
            If two sites lie at one place, or the lists differ in length.

        Examples
        --------
        >>> ring = np.exp(2j * np.pi * np.arange(6) / 6) * 1e-6
        >>> array = SensorArray.from_sites(ring.real, ring.imag, spot_size=80e-9)
        >>> round(array.pitch, 12), array.shape
        (1e-06, (1, 6))
        """
        places = columns(("x", x), ("y", y))
        if (row is None) != (column is None):
            raise ValueError("row and column: received only one of them; give both or none")
        names = None
        if row is not None and column is not None:
            if not np.shape(row) == np.shape(column) == (len(places),):
                raise ValueError(
                    f"row and column have shapes {np.shape(row)} and {np.shape(column)}; there are {len(places)} sites"
                )
            names = check_labels(zip(np.asarray(row).tolist(), np.asarray(column).tolist(), strict=True))
        for name in ("pitch", "shape", "sites", "labels"):
            if name in options:
                raise TypeError(f"from_sites takes no {name!r}: it follows from the sites")
        single = options.get("spot_size", cls.spot_size)
        shape = (1, len(places)) if not names else tuple(int(n) + 1 for n in np.max(names, axis=0))
        pitch = nearest_distance(places) if len(places) > 1 else single
        return cls(pitch, shape, sites=tuple(map(tuple, places.tolist())), labels=names, **options)  # type: ignore[arg-type]

    @property
    def row(self) -> NDArray[np.intp]:
        """Lattice row of every site, ``(site,)``."""
        return labels(self)[0]

    @property
    def column(self) -> NDArray[np.intp]:
        """Lattice column of every site, ``(site,)``."""
        return labels(self)[1]

    @property
    def x(self) -> NDArray[np.float64]:
        """Positions along x, ``(site,)`` m."""
        return self.design_x + placement_errors(self)[0]

    @property
    def y(self) -> NDArray[np.float64]:
        """Positions along y, ``(site,)`` m."""
        return self.design_y + placement_errors(self)[1]

    @property
    def design_x(self) -> NDArray[np.float64]:
        """Positions along x without the scatter of the placement, ``(site,)`` m."""
        return self.center[0] + turned(self)[0]

    @property
    def design_y(self) -> NDArray[np.float64]:
        """Positions along y without the scatter of the placement, ``(site,)`` m."""
        return self.center[1] + turned(self)[1]

    @property
    def design(self) -> SensorArray:
        """The array as it was meant: without the scatter of the placement, and without its seed."""
        return replace(self, placement_scatter=0.0, seed=0)

    @property
    def nearest(self) -> float:
        """Distance of the nearest neighbours in the design (m); infinite for a single site."""
        if self.sites is not None:
            return self.pitch if len(self.sites) > 1 else np.inf
        return shortest_step(self)

    @property
    def mean_height(self) -> float:
        """Mean depth of the emitters, from the lower face of the layer upwards (m): the least stand-off."""
        if isinstance(self.depth_profile, str):
            return self.thickness / 2
        heights, weights = map(np.array, self.depth_profile)
        return float(heights @ weights / weights.sum())

    def average(
        self,
        field: Callable[[np.ndarray], np.ndarray],
        *,
        standoff: float,
        tolerance: float | None = None,
        order: tuple[int, int] | None = None,
        at: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> NDArray[np.float64]:
        """Field averaged over the footprint and the depth of every spot.

        Parameters
        ----------
        field : callable
            Maps points (..., 3) m to the field (..., 3) T; z = 0 is the top face of the conductor.
        standoff : float
            Height of the mean depth of the emitters (m), at least `mean_height`: there the layer lies on the
            conductor.
        tolerance : float, optional
            Error allowed, as a fraction of the largest mean \\|B\\| of a spot, by default 1e-6. Every spot gets as
            many points as it needs: 33 where the field is smooth, some thousand across the edge of a wire in contact.
        order : (int, int), optional
            Instead: Gauss points along each side of the spot and through the depth, the same for all spots. A
            smooth function of every parameter, as a fit with finite differences wants it, but nobody looks at
            the error: (8, 4) errs by less than 2e-4 of the largest field for squares of 100 nm in a layer that
            lies 5 nm above a 1 um x 100 nm bar.
        at : (array_like, array_like), optional
            x and y of spots like these at other places (m), for example some of the sites in any order.

        Returns
        -------
        ndarray, (site, 3)
            T.

        Warns
        -----
        UserWarning
            If the tolerance was not reached; `average_with_error` says by how much.

        Notes
        -----
        Why not the field at the centre of the spot: at the edge of a ribbon 1 um wide it errs by 9 % of the largest
        Bz for a spot of 100 nm at 20 to 40 nm depth, and by 17 % at 0 to 30 nm. A bar 100 nm thick smooths that to
        3 and 5 %.

        Examples
        --------
        >>> array = SensorArray(pitch=1e-6, shape=(1, 1))
        >>> got = array.average(lambda p: p * 1.0, standoff=50e-9)             # a linear field: its middle
        >>> (got.round(12) + 0.0).tolist()
        [[0.0, 0.0, 5e-08]]

        The error of the centre, relative to the largest Bz, which lies here, at the edge:

        >>> from vbsense import Ribbon
        >>> film = Ribbon((0, -1e-4, 0), (0, 1e-4, 0), width=1e-6, current=1e-3)
        >>> for standoff, thickness in ((30e-9, 20e-9), (15e-9, 30e-9)):
        ...     spot = SensorArray(1e-6, (1, 1), (0.5e-6, 0), thickness=thickness)
        ...     Bz = spot.average(film.field, standoff=standoff)[0, 2]
        ...     print(round(film.field([0.5e-6, 0, standoff])[2] / Bz - 1, 3))
        0.086
        0.172
        """
        middle = self._middles(standoff, at)
        if order is not None:
            if tolerance is not None:
                raise ValueError(
                    "tolerance and order: received both; a fixed order knows no error: leave one of them out"
                )
            return fixed_average(self, field, middle, order=order)
        return adaptive_average(self, field, middle, tolerance=1e-6 if tolerance is None else tolerance).field

    def average_with_error(
        self,
        field: Callable[[np.ndarray], np.ndarray],
        *,
        standoff: float,
        tolerance: float = 1e-6,
        at: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> SpotAverage:
        """`average` together with the estimate of its error.

        Parameters
        ----------
        field, standoff, tolerance, at
            As in `average`.

        Returns
        -------
        SpotAverage
            ``.field`` (site, 3) and ``.error`` (site,) in T: the length of the error vector. The estimate is four
            times the difference of two rules; in tests against finer quadrature it was never too small.

        Examples
        --------
        >>> spot = SensorArray(pitch=1e-6, shape=(1, 1))
        >>> got = spot.average_with_error(lambda p: np.exp(p / 50e-9), standoff=50e-9)
        >>> exact = np.array([np.sinh(1), np.sinh(1), np.sinh(0.4) / 0.4 * np.e])
        >>> bool(np.linalg.norm(got.field[0] - exact) < got.error[0] < 1e-6 * np.linalg.norm(exact))
        True
        """
        return adaptive_average(self, field, self._middles(standoff, at), tolerance=tolerance)

    def _middles(self, standoff: float, at: tuple[ArrayLike, ArrayLike] | None) -> np.ndarray:
        standoff = number("standoff", standoff, "a height in metres")
        if standoff > LARGEST:
            raise ValueError(
                f"standoff is {standoff:.6g} m, above {LARGEST:g} m; heights are in metres: write 50 nm as 50e-9"
            )
        if not (np.isfinite(standoff) and standoff >= self.mean_height * (1 - 1e-12)):
            raise ValueError(
                f"standoff is {standoff!r} m; the layer, {self.thickness:.3g} m thick, must not cut the conductor: "
                f"give at least {self.mean_height:.3g} m"
            )
        if at is not None and (not isinstance(at, Sized) or len(at) != 2):
            holds = f"holds {len(at)} lists" if isinstance(at, Sized) else f"is {at!r}"
            raise ValueError(f"at {holds}; it must be (x, y), each of one value per spot")
        x, y = (self.x, self.y) if at is None else at
        places = columns(("x", x), ("y", y))
        return np.column_stack([places, np.full(len(places), standoff)])

    def to_json(self, *, design_only: bool = False) -> str:
        """The array as JSON, for the attribute ``sensor_array`` of a sweep.

        Parameters
        ----------
        design_only : bool
            Leave out what the owner of a set-up does not know: the scatter of the placement and its seed.

        Examples
        --------
        >>> SensorArray(1e-6, (2, 2), placement_scatter=5e-9).to_json(design_only=True)
        '{"pitch": 1e-06, "shape": [2, 2], ..., "spot_size": 1e-07, "thickness": 4e-08}'
        """
        values = asdict(self.design if design_only else self)
        # What is not used is not written: the text of a plain lattice stays what it always was.
        unused = [f.name for f in fields(self) if f.kw_only and values[f.name] == f.default]
        return json.dumps({name: value for name, value in values.items() if name not in unused})

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
