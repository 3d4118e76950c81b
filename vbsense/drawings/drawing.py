"""What a conductor looks like from above."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._numbers import reals
from vbsense.drawings._rings import check_ring, signed_area

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Drawing"]

LARGEST_EXTENT = 0.5  # m; what is larger was meant in um or mm


@dataclass(frozen=True, eq=False)
class Drawing:
    """Outlines and holes of flat conductors, all in one layer.

    The conductor is the union of the outlines less the holes; outlines may overlap or touch.

    Parameters
    ----------
    polygons : sequence of (n, 2) array_like
        Outlines (m), in either sense, closed by themselves. Kept as read-only arrays, counter-clockwise.
    holes : sequence of (n, 2) array_like
        Holes (m), each inside an outline; an outline that lies over a hole fills it. Kept clockwise.
    labels : mapping of str to (float, float)
        Named places (m), which `solve_current` can take for contacts.

    Raises
    ------
    ValueError
        If there is no outline, or one crosses itself, has no area, or is made of numbers that are not finite.

    Examples
    --------
    >>> frame = Drawing([[(0, 0), (4e-6, 0), (4e-6, 4e-6), (0, 4e-6)]], [[(1e-6, 1e-6), (3e-6, 1e-6), (2e-6, 3e-6)]])
    >>> frame.bounds
    (0.0, 0.0, 4e-06, 4e-06)
    >>> frame.contains([(0.5e-6, 0.5e-6), (2e-6, 2e-6)]).tolist()
    [True, False]
    """

    polygons: Sequence[ArrayLike]
    holes: Sequence[ArrayLike] = ()
    labels: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, sense in (("polygons", 1), ("holes", -1)):
            rings = [check_ring(f"{name}[{k}]", ring) for k, ring in enumerate(_several(name, getattr(self, name)))]
            object.__setattr__(self, name, tuple(_turned(ring, sense) for ring in rings))
        if not self.polygons:
            raise ValueError("polygons: received none; give at least one outline, an (n, 2) array in m")
        if not isinstance(self.labels, Mapping):
            raise ValueError(f"labels: received {self.labels!r:.80}; give a mapping of names to (x, y), in m")
        labels = {str(name): _place(name, place) for name, place in self.labels.items()}
        object.__setattr__(self, "labels", labels)
        left, low, right, high = self.bounds
        if max(right - left, high - low) > LARGEST_EXTENT:
            raise ValueError(
                f"the drawing is {right - left:g} by {high - low:g} m large, above the {LARGEST_EXTENT:g} m that are "
                "sensible here; give all numbers in metres: 1 um is 1e-6"
            )

    @property
    def rings(self) -> tuple[NDArray[np.float64], ...]:
        """All outlines and holes; the conductor lies to the left of every edge."""
        return (*self.polygons, *self.holes)  # type: ignore[arg-type]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest x and y, largest x and y (m)."""
        corners = np.concatenate(self.polygons)
        return (*map(float, corners.min(axis=0)), *map(float, corners.max(axis=0)))  # type: ignore[return-value]

    @property
    def width(self) -> float:
        """Typical width of the traces (m): twice the area by the length of all edges."""
        area = sum(signed_area(ring) for ring in self.rings)
        length = sum(float(np.linalg.norm(np.roll(r, -1, axis=0) - r, axis=1).sum()) for r in self.rings)
        return 2 * area / length

    def contains(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Whether points (..., 2) m lie on the conductor."""
        from vbsense.drawings._rings import inside

        return inside(self.rings, reals("points", points, "x and y, in m"))

    def place(self, label: str) -> tuple[float, float]:
        """Where a label stands (m).

        Raises
        ------
        ValueError
            If there is no such label; names the nearest one.
        """
        if label in self.labels:
            return self.labels[label]
        if not self.labels:
            raise ValueError(f"label {label!r}: the drawing has no labels; give the contact as a polygon, in m")
        folded = {name.casefold(): name for name in self.labels}
        near = folded[difflib.get_close_matches(label.casefold(), folded, n=1, cutoff=0.0)[0]]
        known = ", ".join(map(repr, sorted(self.labels)))
        raise ValueError(f"label {label!r} is not in the drawing, which has {known} (nearest: {near!r})")


def _several(name: str, value: Any) -> list[Any]:
    """A list of rings, or ValueError for what is none or the corners of a single ring."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name}: received {value!r}; give a list of (n, 2) arrays, in m")
    rings = list(value)
    if rings and not isinstance(rings[0], str) and any(map(np.isscalar, rings[0])):
        raise ValueError(f"{name}: received a single outline; give a list of them, each an (n, 2) array in m")
    return rings


def _turned(ring: NDArray[np.float64], sense: int) -> NDArray[np.float64]:
    turned = np.array(ring if signed_area(ring) * sense > 0 else ring[::-1])
    turned.setflags(write=False)
    return turned


def _place(name: Any, value: Any) -> tuple[float, float]:
    place = reals(f"label {name!r}", value, "x and y, in m")
    if place.shape != (2,) or not np.isfinite(place).all():
        raise ValueError(f"label {name!r}: received {value!r}; give x and y, in m")
    return float(place[0]), float(place[1])
