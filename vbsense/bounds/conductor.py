"""The smallest errors of a conductor's parameters that field sensors allow.

Works with everything that has ``field(points)`` and ``current``. Four parameters every conductor has: ``current``;
``position``, a shift across it; ``standoff``, a shift of the sensors away from it (up); ``offset``, a constant added to
the field. Others are numbers among its own fields, such as the ``width`` of a bar or the ``radius`` of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from vbsense._names import choices

__all__ = ["ConductorBound", "conductor_bound", "conductor_jacobian"]

Field = Callable[[np.ndarray], np.ndarray]
_EVERY = ("current", "position", "standoff", "offset")


@dataclass(frozen=True, eq=False)
class ConductorBound:
    """Result of `conductor_bound`.

    Attributes
    ----------
    errors : mapping of str to float
        One sigma of each free parameter, in SI units (A, m, T); infinite where the sensors leave it open.
    covariance : ndarray, (parameter, parameter)
        In the order of `errors`; NaN where a parameter is left open.
    """

    errors: Mapping[str, float]
    covariance: np.ndarray


def conductor_bound(
    conductor: Any,
    sensors: Any,
    *,
    error: Any,
    free: Sequence[str] = ("current", "position", "width", "standoff", "offset"),
    across: Any = None,
    length: float = 100e-9,
    component: int = 2,
) -> ConductorBound:
    """Cramer-Rao bound on the parameters of a conductor.

    Parameters
    ----------
    conductor : object
        With ``field(points)`` in T and ``current`` in A.
    sensors : array_like, (site, 3), or callable
        Points (m); or a function that takes a field (a function of points) to what the sensors measure of it,
        (site, 3) T: ``lambda field: array.average(field, standoff=35e-9)`` for a `SensorArray`.
    error : array_like
        One sigma of every sensor (T): one number, (site,), or their covariance (site, site) in T^2. Or a function that
        takes rows (k, site) to their products with the inverse of the covariance, as `unmixing_precision` gives it.
    free : sequence of str
        Some of current, position, standoff, offset, and the conductor's own numbers (width, thickness, radius ...).
    across : array_like, (3,), optional
        Direction of `position`; by default current x normal of a straight conductor, else x.
    length : float
        Of the scale on which the field changes (m), such as the stand-off: derivatives are taken over a hundredth.
    component : int
        Of the field that is measured: 0, 1 or 2.

    Returns
    -------
    ConductorBound

    Examples
    --------
    A row of sensors 200 nm apart over 10 um, 100 nm above a ribbon of 1 um with 1 mA; the sensor next to its middle is
    32 nm away. The errors depend on that: 3.8-4.6 nm for the position, 9.6-13 nm for the width.

    >>> import vbsense as vb
    >>> ribbon = vb.Ribbon((0, -1, 0), (0, 1, 0), width=1e-6, current=1e-3)
    >>> x = np.arange(-25, 25) * 200e-9 + 32e-9
    >>> points = np.column_stack([x, 0 * x, 0 * x + 100e-9])
    >>> bound = conductor_bound(ribbon, points, error=10e-6)
    >>> {name: round(float(v) * 1e9, 1) for name, v in bound.errors.items() if name in ("position", "standoff")}
    {'position': 4.0, 'standoff': 8.2}
    """
    from vbsense.bounds.information import variance_of

    free = _check_free(conductor, free)
    jacobian = conductor_jacobian(conductor, sensors, free, across=across, length=length, component=component)
    if jacobian.shape[1] < len(free):
        raise ValueError(f"{jacobian.shape[1]} sensors do not determine {', '.join(free)}: free fewer")
    F = _weighted(jacobian, error)
    variances = variance_of(F, np.eye(len(free)))
    scale = np.sqrt(np.where(np.diag(F) > 0, np.diag(F), 1.0))
    covariance = np.full_like(F, np.nan)
    if np.isfinite(variances).all():
        covariance = np.linalg.inv(F / np.outer(scale, scale)) / np.outer(scale, scale)
    return ConductorBound(dict(zip(free, np.sqrt(variances).tolist(), strict=True)), covariance)


def conductor_jacobian(
    conductor: Any,
    sensors: Any,
    free: Sequence[str],
    *,
    across: Any = None,
    length: float = 100e-9,
    component: int = 2,
) -> np.ndarray:
    """Derivatives of what the sensors measure by the parameters of a conductor.

    Parameters
    ----------
    conductor, sensors, free, across, length, component
        As in `conductor_bound`.

    Returns
    -------
    ndarray, (parameter, site)
        T per A, m or T.

    Notes
    -----
    Differences of fourth order over 1/100 and 1/50 of the length, or of the number itself: truncation and
    rounding stay below 1e-7. The field is linear in current and offset, whose derivatives are exact.

    Examples
    --------
    >>> import vbsense as vb
    >>> wire = vb.Polyline([(0, -1, 0), (0, 1, 0)], current=1e-3)
    >>> slopes = conductor_jacobian(wire, [[1e-6, 0, 0]], ("current", "position"), length=1e-6)
    >>> slopes.round(3).tolist()                              # -mu0 / 2 pi x and -mu0 I / 2 pi x^2
    [[-0.2], [-200.0]]
    """
    if not (np.isfinite(length) and length > 0):
        raise ValueError(f"length is {length!r}; it must be a positive length in metres")
    if component not in (0, 1, 2):
        raise ValueError(f"component is {component!r}; it must be 0, 1 or 2 for x, y or z")
    measure = _measure(sensors)
    moves = {"position": -_across(conductor, across), "standoff": np.array([0.0, 0.0, 1.0])}

    def at(name: str, step: float) -> np.ndarray:
        if name in moves:
            return measure(lambda p: conductor.field(p + step * moves[name]))[:, component]
        return measure(replace(conductor, **{name: getattr(conductor, name) + step}).field)[:, component]

    plain = measure(conductor.field)[:, component]
    rows = []
    for name in _check_free(conductor, free):
        if name in ("current", "offset"):
            rows.append(plain / conductor.current if name == "current" else np.ones(plain.size))
            continue
        step = (length if name in moves else abs(getattr(conductor, name))) / 100
        near, far = (at(name, k * step) - at(name, -k * step) for k in (1, 2))
        rows.append((8 * near - far) / (12 * step))
    return np.array(rows)


def _measure(sensors: Any) -> Callable[[Field], np.ndarray]:
    if callable(sensors):
        return lambda field: np.asarray(sensors(field), dtype=float)
    points = np.asarray(sensors, dtype=float)
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ValueError(f"sensors have shape {points.shape}; give finite points (site, 3) in m, or a function")
    return lambda field: field(points)


def _across(conductor: Any, across: Any) -> np.ndarray:
    if across is None and all(hasattr(conductor, name) for name in ("start", "end", "normal")):
        across = np.cross(np.subtract(conductor.end, conductor.start), conductor.normal)
    vector = np.array([1.0, 0.0, 0.0]) if across is None else np.asarray(across, dtype=float)
    if vector.shape != (3,) or not (np.isfinite(vector).all() and vector.any()):
        raise ValueError(f"across is {across!r}; give a direction of three numbers, for example (1, 0, 0)")
    return vector / np.linalg.norm(vector)


def _own_numbers(conductor: Any) -> tuple[str, ...]:
    """Fields of the conductor that are one number other than zero, its current aside."""
    if not is_dataclass(conductor):
        return ()
    names = [f.name for f in fields(conductor) if f.name != "current"]
    return tuple(n for n in names if isinstance(getattr(conductor, n), float) and getattr(conductor, n) != 0)


def _check_free(conductor: Any, free: Sequence[str]) -> tuple[str, ...]:
    free = (free,) if isinstance(free, str) else tuple(free)
    known = (*_EVERY, *_own_numbers(conductor))
    for name in free:
        if name not in known:
            raise ValueError(f"free: a {type(conductor).__name__} has no {name!r}; {choices(name, known)}")
    if not free or len(set(free)) < len(free):
        raise ValueError(f"free is {free!r}; name at least one parameter, each once")
    if not (np.isfinite(conductor.current) and conductor.current != 0):
        raise ValueError(f"the current of the conductor is {conductor.current!r} A; without one there is no field")
    return free


def _weighted(jacobian: np.ndarray, error: Any) -> np.ndarray:
    """Fisher information, from one error, one for each sensor, or their covariance."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    if callable(error):
        product = np.asarray(error(jacobian), dtype=float)
        if product.shape != jacobian.shape or not np.isfinite(product).all():
            raise ValueError(
                f"error gave products of shape {product.shape} for rows {jacobian.shape}; they must be alike"
            )
        return product @ jacobian.T
    error, n = np.asarray(error, dtype=float), jacobian.shape[1]
    if error.shape not in ((), (n,), (n, n)) or not np.isfinite(error).all():
        raise ValueError(
            f"error has shape {error.shape}; give one number, ({n},) in T, or a covariance ({n}, {n}) in T^2"
        )
    if error.ndim < 2:
        if not (error > 0).all():
            raise ValueError("error must be positive, in T")
        return (jacobian / error**2) @ jacobian.T
    scale = np.sqrt(np.diag(error))
    try:
        factor = cho_factor(error / np.outer(scale, scale))
    except LinAlgError:
        raise ValueError("the covariance of the sensors is not positive definite") from None
    whitened = jacobian / scale
    return whitened @ cho_solve(factor, whitened.T)
