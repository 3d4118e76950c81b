"""What conductors check, and the frame in which their kernels work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._numbers import number, reals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

WIDEST = 0.05  # m: a strip or a film beyond this was meant in another unit. Lengths are free: a long wire is 1 m
LARGEST = 1.0  # m: the same for the radius of a loop, and for a distance; coils are larger than strips


def scale(current: float) -> float:
    """``mu0 I / 4 pi`` (T m)."""
    from scipy.constants import mu_0

    return float(mu_0 * current / (4 * np.pi))


def frame(start: Any, end: Any, normal: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Rows: directions of width, current and thickness; then the centre (m) and half of the length (m)."""
    first, last = np.array(start), np.array(end)
    length = float(np.linalg.norm(last - first))
    along = (last - first) / length
    across = np.array(normal) - np.dot(normal, along) * along
    across /= np.linalg.norm(across)
    return np.array([np.cross(along, across), along, across]), (first + last) / 2, length / 2


def into(frame: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates (3, n) in the frame of the conductor."""
    with np.errstate(invalid="ignore"):  # an infinite coordinate becomes NaN, which the kernels pass on
        return np.ascontiguousarray((offsets @ frame.T).T)


def flatten(points: ArrayLike) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    where = reals("points", points, "coordinates in m")
    if where.ndim == 0 or where.shape[-1] != 3:
        raise ValueError(
            f"points: received shape {where.shape}; the last dimension holds x, y, z: shape (..., 3), in m"
        )
    return where.reshape(-1, 3), where.shape


def check_axis(conductor: Any) -> None:
    """Turn start, end and normal into tuples, or say what is wrong with them."""
    for name, unit in (("start", ", in m"), ("end", ", in m"), ("normal", "")):
        object.__setattr__(conductor, name, vector(name, getattr(conductor, name), unit))
    along = np.subtract(conductor.end, conductor.start)
    if not along.any():
        raise ValueError(f"start and end are both {conductor.start}; give two ends of the centre line, in m")
    normal = np.array(conductor.normal)
    if np.linalg.norm(np.cross(along, normal)) <= 1e-6 * np.linalg.norm(along) * np.linalg.norm(normal):
        raise ValueError(
            f"normal: received {conductor.normal}, which is zero or parallel to the axis {tuple(along.tolist())}; "
            "give a direction across the conductor"
        )


def size(name: str, value: Any, largest: float) -> float:
    """A length (m) above zero and not so large that it was meant in another unit."""
    return _sensible(name, number(name, value, "m", positive=True), largest)


def length(name: str, value: Any) -> float:
    """A length (m) of zero or more."""
    metres = number(name, value, "m")
    if metres < 0:
        raise ValueError(f"{name}: received {value!r}; give a length of zero or more, in m")
    return _sensible(name, metres, WIDEST)


def distance(name: str, value: Any) -> float:
    """A distance (m) of either sign."""
    return _sensible(name, number(name, value, "m"), LARGEST)


def _sensible(name: str, metres: float, largest: float) -> float:
    if abs(metres) > largest:
        raise ValueError(
            f"{name} is {metres:g} m, above the {largest:g} m that are sensible here; "
            f"did you mean {metres * 1e-6:g} ({metres:g} um) or {metres * 1e-9:g} ({metres:g} nm)?"
        )
    return metres


def vector(name: str, value: Any, unit: str) -> tuple[float, float, float]:
    array = reals(name, value, f"x, y, z{unit}")
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(f"{name}: received {array.tolist()}; give three finite numbers x, y, z{unit}")
    return tuple(array.tolist())
