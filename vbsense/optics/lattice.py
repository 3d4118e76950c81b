"""The geometry of a sensor array: where a lattice or a list of sites lies before anything is averaged or imaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vbsense._numbers import reals

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from vbsense.optics.array import SensorArray

__all__ = ["columns", "labels", "nearest_distance", "placement_errors", "rotation_matrix", "shortest_step", "turned"]


def _vectors(array: SensorArray) -> np.ndarray:
    """From a site to its neighbours in the row and in the column, before the rotation, ``(2, 2)`` m."""
    pitch_y = array.pitch if array.pitch_y is None else array.pitch_y
    return np.array([[array.pitch, 0.0], [pitch_y * np.sin(array.shear), pitch_y * np.cos(array.shear)]])


def labels(array: SensorArray) -> np.ndarray:
    """Row and column of every site, ``(2, site)``."""
    if array.labels is not None:
        return np.array(array.labels).T
    if array.sites is not None:
        return np.array([np.zeros(len(array.sites), dtype=int), np.arange(len(array.sites))])
    return np.array(np.divmod(_present(array), array.shape[1]))


def turned(array: SensorArray) -> np.ndarray:
    """The design as seen from the centre, ``(2, site)`` m."""
    if array.sites is not None:
        return rotation_matrix(array.rotation) @ np.array(array.sites).T
    row, column = labels(array) - (np.array(array.shape) - 1)[:, None] / 2
    along, up = _vectors(array)
    return rotation_matrix(array.rotation) @ (along[:, None] * column + up[:, None] * row)


def placement_errors(array: SensorArray) -> np.ndarray:
    """From the design to the real places, ``(2, site)`` m."""
    if not array.placement_scatter:
        return np.zeros((2, 1))
    count = len(array.sites) if array.sites is not None else array.shape[0] * array.shape[1]
    draws = np.random.default_rng([array.seed, 21]).normal(0.0, array.placement_scatter, (count, 2))
    # Drawn for the missing sites as well: taking one out must not move the others.
    return (draws if array.sites is not None else draws[_present(array)]).T


def columns(*named: tuple[str, ArrayLike]) -> np.ndarray:
    """Lists of one length as the columns of an array, ``(site, n)``; ValueError if they are not."""
    values = [reals(name, v, "one position per site, in m") for name, v in named]
    if len({v.shape for v in values}) > 1 or values[0].ndim != 1 or values[0].size == 0:
        shapes = ", ".join(f"{name} {v.shape}" for (name, _), v in zip(named, values, strict=True))
        raise ValueError(f"positions have shapes {shapes}; give lists of one length, at least one site")
    places = np.column_stack(values)
    if not np.isfinite(places).all():
        bad = int(np.flatnonzero(~np.isfinite(places).all(axis=1))[0])
        raise ValueError(f"site {bad} is at {places[bad].tolist()}; give finite positions in metres")
    return places


def nearest_distance(places: np.ndarray) -> float:
    """Smallest distance of two of the places, ``(site, 2)`` m; ValueError if two are the same."""
    from scipy.spatial import cKDTree

    distance = cKDTree(places).query(places, k=2)[0]
    k = int(distance[:, 1].argmin())
    if not distance[k, 1] > 0:
        raise ValueError(f"two sites, one of them number {k}, lie at one place, {places[k].tolist()}")
    return float(distance[k, 1])


def shortest_step(array: SensorArray) -> float:
    """Smallest distance of two sites of a lattice (m), infinite for a single one; missing sites count as there."""
    along, up = _vectors(array)
    rows, columns = array.shape
    climb = np.arange(1, rows)
    # In a lattice that leans far, the nearest site of a row above is several columns back.
    back = np.clip(np.rint(climb * up[0] / along[0]), 1 - columns, columns - 1)
    across = np.hypot(climb * up[0] - back * along[0], climb * up[1]).min(initial=np.inf)
    return float(min(across, along[0])) if columns > 1 else float(across)


def rotation_matrix(angle: float) -> np.ndarray:
    """Anticlockwise rotation by an angle (rad), ``(2, 2)``."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _present(array: SensorArray) -> np.ndarray:
    return np.setdiff1d(np.arange(array.shape[0] * array.shape[1]), np.array(array.missing, dtype=int))
