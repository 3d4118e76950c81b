"""The field of straight wires at the sensors, averaged over spot and depth, and its derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from vbsense.analysis._wire_parameters import Wires, background_names, base_of
from vbsense.currents import Bar, Ribbon, turn
from vbsense.optics import SensorArray

__all__ = ["WireModel"]

_ORDERS = (2, 1), (2, 2), (3, 2), (4, 2), (6, 3)  # Gauss points along the side of a spot and through the depth
_FRACTION = 2e-3  # of the stand-off: step of a central difference, which errs by the square of this over 6
_SHAPING = "position", "width", "thickness", "rotation", "standoff", "tilt_x", "tilt_y"
_SHORTEST = 10e-9  # m: the field changes over the thickness of the wire or the size of a spot at least


@dataclass(frozen=True, eq=False)
class WireModel:
    """Field of `wires` at spots of `array` that lie at x and y.

    Parameters
    ----------
    wires : Wires
        As given by the user.
    array : SensorArray
        Size, shape and depth of a spot.
    x, y : ndarray, (site,)
        Places (m).
    components : tuple of str
        Of the field: some of x, y, z.
    order : (int, int)
        Gauss points of the average.
    """

    wires: Wires
    array: SensorArray
    x: np.ndarray
    y: np.ndarray
    components: tuple[str, ...]
    order: tuple[int, int] = _ORDERS[-1]
    _last: dict[tuple[float, ...], np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def as_fine_as(self, tolerance: float, values: Mapping[str, float]) -> WireModel:
        """The same with the fewest points that change the field at `values` by less than the tolerance (T)."""
        fine = replace(self, order=_ORDERS[-1]).field(values)
        for order in _ORDERS[:-1]:
            fewer = replace(self, order=order)
            if np.abs(fewer.field(values) - fine).max() < tolerance:
                return fewer
        return replace(self, order=_ORDERS[-1])

    @cached_property
    def centre(self) -> np.ndarray:
        """Middle of the sites (m): wires turn about the point next to it, the layer tilts about it."""
        return np.array([(self.x.min() + self.x.max()) / 2, (self.y.min() + self.y.max()) / 2])

    @cached_property
    def reach(self) -> float:
        """Distance of the furthest site from the middle (m)."""
        away = np.hypot(self.x - self.centre[0], self.y - self.centre[1]).max()
        return float(max(away, self.array.spot_size))

    @cached_property
    def top(self) -> float:
        """Height of the highest top face as it was given (m): stand-offs count from it."""
        return max(_pivot(w, self.centre)[2] + _half_height(w) for w in self.wires.conductors)

    def conductor(self, k: int, values: Mapping[str, float], current: float | None = None) -> Bar | Ribbon:
        """Wire `k` in the place and of the size of `values`; its top face keeps its height."""
        wire, end = self.wires.conductors[k], self.wires.suffixes[k]
        sizes: dict[str, Any] = {
            name: values[f"{name}{end}"] for name in ("width", "thickness") if f"{name}{end}" in values
        }
        changed = replace(wire, **sizes, current=values[f"current{end}"] if current is None else current)
        across = _across(wire)
        pivot = _pivot(wire, self.centre)
        matrix = turn(values[f"rotation{end}"])
        move = values[f"position{end}"] * across + [0.0, 0.0, _half_height(wire) - _half_height(changed)]
        first, last = (pivot + move + matrix @ (np.array(p) - pivot) for p in (wire.start, wire.end))
        return replace(changed, start=tuple(first), end=tuple(last), normal=tuple(matrix @ wire.normal))

    def unit_fields(self, values: Mapping[str, float]) -> np.ndarray:
        """Field of one ampere in each wire, ``(wire, component, site)`` T/A; not to be written to."""
        # Fits and samplers ask for one place again and again, with other currents or for its derivatives.
        key = tuple(values[name] for name in values if base_of(name) in _SHAPING)
        kept = self._last.get(key)
        if kept is None:
            kept = self._averages(values)
            self._last.clear()
            self._last[key] = kept
        return kept

    def _averages(self, values: Mapping[str, float], *, only: int | None = None, lift: float = 0.0) -> np.ndarray:
        """The same, or of one wire alone; `lift` raises the sensors (m)."""
        top, (x0, y0) = self.top + lift, self.centre
        tilt = values["tilt_x"], values["tilt_y"]
        which = range(len(self.wires.conductors)) if only is None else [only]
        axes = ["xyz".index(c) for c in self.components]
        order = self.order if self.array.thickness else (self.order[0], 1)
        rows = []
        for k in which:
            bar = self.conductor(k, values, 1.0)

            def lifted(p: np.ndarray, bar: Bar | Ribbon = bar) -> np.ndarray:
                height = top + tilt[0] * (p[..., 0] - x0) + tilt[1] * (p[..., 1] - y0)
                return bar.field(np.stack([p[..., 0], p[..., 1], p[..., 2] + height], axis=-1))

            got = self.array.average(lifted, standoff=values["standoff"], order=order, at=(self.x, self.y))
            rows.append(got[:, axes].T)
        return np.array(rows)

    def currents(self, values: Mapping[str, float]) -> np.ndarray:
        """Current of every wire, ``(wire,)`` A."""
        return np.array([values[f"current{end}"] for end in self.wires.suffixes])

    def field(self, values: Mapping[str, float], *, polarity: float = 1.0) -> np.ndarray:
        """Field at the sites, ``(component, site)`` T; `polarity` multiplies the currents."""
        own = np.einsum("w,wcs->cs", polarity * self.currents(values), self.unit_fields(values))
        for name, (k, kind) in background_names(self.components).items():
            if values[name]:
                own[k] += values[name] * self._slope(kind)
        return own

    def _slope(self, kind: str) -> np.ndarray:
        if kind == "offset":
            return np.ones(self.x.size)
        return self.x - self.centre[0] if kind == "gradient_x" else self.y - self.centre[1]

    def jacobian(self, values: Mapping[str, float], free: Sequence[str], *, polarity: float = 1.0) -> np.ndarray:
        """Derivatives by the free parameters, ``(parameter, component, site)``.

        Those by currents and by the background are exact; the others are central differences over a small part of the
        stand-off, which err by some 1e-6 of themselves.
        """
        background = background_names(self.components)
        units = None
        rows = np.zeros((len(free), len(self.components), self.x.size))
        for row, name in zip(rows, free, strict=True):
            if name in background:
                k, kind = background[name]
                row[k] = self._slope(kind)
            elif base_of(name) == "current":
                units = self.unit_fields(values) if units is None else units
                row[:] = polarity * units[self.wires.suffixes.index(name.removeprefix("current"))]
            else:
                row[:] = polarity * self._difference(values, name)
        return rows

    def _difference(self, values: Mapping[str, float], name: str) -> np.ndarray:
        base, step = base_of(name), _FRACTION * max(values["standoff"], _SHORTEST)
        if base in ("tilt_x", "tilt_y", "rotation"):
            step /= self.reach
        elif base in ("width", "thickness"):
            step = min(step, values[name] / 4)
        if base == "standoff":  # the layer may lie on the wire: the sensors are raised and lowered around it
            high, low = (self._averages(values, lift=s) for s in (step, -step))
            return np.einsum("w,wcs->cs", self.currents(values), high - low) / (2 * step)
        only = None if base in ("tilt_x", "tilt_y") else self.wires.suffixes.index(name.removeprefix(base))
        ends = [self._averages({**values, name: values[name] + s}, only=only) for s in (step, -step)]
        current = self.currents(values) if only is None else self.currents(values)[[only]]
        return np.einsum("w,wcs->cs", current, ends[0] - ends[1]) / (2 * step)


def _across(wire: Bar | Ribbon) -> np.ndarray:
    across = np.cross(np.subtract(wire.end, wire.start), wire.normal)
    return across / np.linalg.norm(across)


def _pivot(wire: Bar | Ribbon, centre: np.ndarray) -> np.ndarray:
    """Point of the axis next to the middle of the sites, seen from above."""
    start, along = np.array(wire.start), np.subtract(wire.end, wire.start)
    flat = along[:2] @ along[:2]
    return start if flat == 0 else start + along * ((centre - start[:2]) @ along[:2] / flat)


def _half_height(wire: Bar | Ribbon) -> float:
    """Half of the height of the cross-section (m)."""
    across, along = _across(wire), np.subtract(wire.end, wire.start)
    normal = np.cross(along / np.linalg.norm(along), across)
    return abs(across[2]) * wire.width / 2 + abs(normal[2]) * getattr(wire, "thickness", 0.0) / 2
