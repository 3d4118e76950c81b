"""What a sensor array may be: every field checked once, with its value in the message."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from vbsense._numbers import reals, whole
from vbsense.optics.spots import check_shape

if TYPE_CHECKING:
    from vbsense.optics.array import SensorArray

__all__ = ["check_array", "check_labels", "length", "number"]

SMALLEST, LARGEST = 1e-11, 1e-2  # of a length of an array (m): below an atom, above a chip


def check_array(array: SensorArray) -> None:
    """Check and normalise all fields of a new array; warn where its spots overlap."""
    shape = _shape(array.shape)
    thickness = length("thickness", array.thickness, zero=True)
    checked = {
        "shape": shape,
        "pitch": length("pitch", array.pitch),
        "pitch_y": None if array.pitch_y is None else length("pitch_y", array.pitch_y),
        "spot_size": length("spot_size", array.spot_size),
        "thickness": thickness,
        "placement_scatter": length("placement_scatter", array.placement_scatter, zero=True),
        "center": _center(array.center),
        "rotation": _angle("rotation", array.rotation, 4 * np.pi),
        "shear": _angle("shear", array.shear, 1.5),
        "spot_shape": check_shape(array.spot_shape),
        "seed": whole("seed", array.seed, 0),
        "depth_profile": _profile(array.depth_profile, thickness),
        "missing": _missing(array.missing, shape[0] * shape[1]),
        "sites": _sites(array.sites),
        "labels": None if array.labels is None else check_labels(array.labels),
    }
    for name, value in checked.items():
        object.__setattr__(array, name, value)  # the class is frozen
    _check_list(array)
    _warn_overlap(array)


def length(name: str, value: object, *, zero: bool = False) -> float:
    """A length in metres as a float, or ValueError; TypeError for what is no number."""
    allowed = "a length in metres, 0 or more" if zero else "a positive length in metres"
    metres = number(name, value, allowed)
    if not (np.isfinite(metres) and (metres > 0 or (zero and metres == 0))):
        raise ValueError(f"{name} is {value!r}; it must be {allowed}")
    if metres > LARGEST or (metres < SMALLEST and not zero):
        raise ValueError(
            f"{name} is {metres:.6g} m, outside {0 if zero else SMALLEST:g} to {LARGEST:g} m; "
            "lengths are in metres: write 400 nm as 400e-9"
        )
    return metres


def number(name: str, value: object, allowed: str) -> float:
    """A float, or TypeError with what is allowed; text is no number, even if it reads like one."""
    try:
        if isinstance(value, (str, bytes, bool, np.bool_)):
            raise TypeError
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; it must be {allowed}") from None


def _shape(shape: object) -> tuple[int, int]:
    try:
        numbers = tuple(shape)  # type: ignore[arg-type, var-annotated]
    except TypeError:
        numbers = (shape,)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in numbers):
        raise ValueError(f"shape is {shape!r}; it must be two whole numbers: (rows, columns)")
    if len(numbers) != 2 or min(numbers) < 1:
        raise ValueError(f"shape is {shape!r}; it must be (rows, columns), each at least 1")
    return int(numbers[0]), int(numbers[1])


def _center(center: object) -> tuple[float, float]:
    try:
        values = np.asarray(center, dtype=float)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape != (2,) or not np.isfinite(values).all():
        raise ValueError(f"center is {center!r}; it must be finite: (x, y) in m")
    if np.abs(values).max() > 1:
        raise ValueError(f"center is {center!r}, more than 1 m away; lengths are in metres: write 5 um as 5e-6")
    return float(values[0]), float(values[1])


def _angle(name: str, value: float, limit: float) -> float:
    if not isinstance(value, (int, float, np.integer, np.floating)) or not np.isfinite(value):
        raise ValueError(f"{name} is {value!r}; it must be a finite angle in rad")
    if abs(value) > limit:
        raise ValueError(
            f"{name} is {value!r} rad, outside -{limit:.4g} to {limit:.4g}; convert degrees: np.radians({value:g})"
        )
    return float(value)


def _profile(profile: object, thickness: float) -> str | tuple[tuple[float, ...], tuple[float, ...]]:
    if isinstance(profile, str):
        if profile != "uniform":
            raise ValueError(f"depth_profile is {profile!r}; it must be 'uniform' or (heights in m, weights)")
        return profile
    try:
        heights, weights = (np.asarray(values, dtype=float) for values in profile)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(f"depth_profile is {profile!r}; it must be 'uniform' or (heights in m, weights)") from None
    if heights.ndim != 1 or heights.size == 0 or heights.shape != weights.shape:
        raise ValueError(
            f"depth_profile has heights of shape {heights.shape} and weights of shape {weights.shape}; "
            "give two lists of one length"
        )
    if not ((heights >= 0) & (heights <= thickness * (1 + 1e-12))).all():
        raise ValueError(
            f"depth_profile has heights from {heights.min():.6g} to {heights.max():.6g} m; they count from the lower "
            f"face of the layer, so from 0 to its thickness, {thickness:.6g} m"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError(f"depth_profile has weights {weights.tolist()}; they must be 0 or more, with a positive sum")
    return tuple(heights.tolist()), tuple(weights.tolist())


def _missing(missing: object, sites: int) -> tuple[int, ...]:
    if isinstance(missing, str) or not isinstance(missing, Iterable):
        raise ValueError(f"missing is {missing!r}; it must be a list of sites")
    numbers = sorted({whole("missing", n, 0) for n in missing})
    if numbers and numbers[-1] >= sites:
        raise ValueError(f"missing names site {numbers[-1]}; the lattice has sites 0 to {sites - 1}")
    if len(numbers) == sites:
        raise ValueError(f"missing names all {sites} sites; at least one must remain")
    return tuple(numbers)


def _sites(sites: object) -> tuple[tuple[float, float], ...] | None:
    if sites is None:
        return None
    values = reals("sites", sites, "x and y of each site, in m")
    if values.ndim != 2 or values.shape[0] < 1 or values.shape[1] != 2:
        raise ValueError(f"sites have shape {values.shape}; they must be (site, 2): x and y of each in m")
    bad = np.flatnonzero(~(np.abs(values) <= 1).all(axis=1))
    if bad.size:
        raise ValueError(f"site {bad[0]} is at {values[bad[0]].tolist()}; give finite x and y in metres")
    return tuple((float(x), float(y)) for x, y in values)


def check_labels(labels: object) -> tuple[tuple[int, int], ...]:
    """Pairs of row and column, each pair once, or ValueError."""
    try:
        pairs = [(row, column) for row, column in labels]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(f"labels are {reprlib.repr(labels)}; they must be one (row, column) per site") from None
    numbers = tuple((whole("row", row, 0), whole("column", column, 0)) for row, column in pairs)
    if len(set(numbers)) < len(numbers):
        twice = next(pair for pair in numbers if numbers.count(pair) > 1)
        raise ValueError(f"row and column {twice} name two sites; each pair may occur once")
    return numbers


def _check_list(array: SensorArray) -> None:
    """A list of sites comes instead of a lattice, and its labels fit into the shape."""
    if array.sites is None:
        if array.labels is not None:
            raise ValueError("labels are given without sites; the sites of a lattice have their row and column")
        return
    for name, default in (("pitch_y", None), ("shear", 0.0), ("missing", ())):
        if getattr(array, name) != default:
            raise ValueError(f"{name} is {getattr(array, name)!r} beside a list of sites; it describes a lattice")
    labels = array.labels if array.labels is not None else [(0, k) for k in range(len(array.sites))]
    if len(labels) != len(array.sites):
        raise ValueError(f"{len(labels)} pairs of row and column for {len(array.sites)} sites; give one per site")
    needed = tuple(max(values) + 1 for values in zip(*labels, strict=True))
    if any(n > m for n, m in zip(needed, array.shape, strict=True)):
        raise ValueError(f"shape is {array.shape}; rows and columns of the sites reach {needed}")


def _warn_overlap(array: SensorArray) -> None:
    nearest = array.nearest
    if array.spot_size > nearest * (1 + 1e-9):
        warnings.warn(
            f"spot_size is {array.spot_size:.6g} m, larger than the distance of neighbouring spots, {nearest:.6g} m: "
            "they overlap",
            UserWarning,
            stacklevel=5,
        )
