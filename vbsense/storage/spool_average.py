"""The average of the frames of a spool: one sweep, with NaN where there is no frame.

Frames are summed as integers and one point at a time, so that the result is the same on every run,
to the bit, and no more than the result itself is held in memory.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.storage.spool_record import Contents, Record

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["to_sweep"]

_NEEDED = ("frequency", "shape", "pixel_size", "camera_gain", "camera_offset")
_KEPT = ("exposure", "power", "current", "camera_gain", "camera_offset", "read_noise", "order", "created", "seed")
_JSON = ("snapshot", "plan", "sensor_array", "scene")  # attributes that are text in JSON
Point = tuple[int, ...]  # indices of (polarity, direction, frequency)


def to_sweep(contents: Contents) -> xr.Dataset:
    """Average the frames of a spool into a sweep.

    Parameters
    ----------
    contents : Contents
        What `scan` found. Frames count unless a record behind them rejects their sweep.

    Returns
    -------
    xarray.Dataset
        ``signal`` (polarity, direction, frequency, y, x) in electrons, where ``polarity`` and
        ``direction`` are left out if there is only one; NaN where there is no frame.

    Raises
    ------
    ValueError
        If the header lacks something or a key does not fit it.
    """
    from vbsense.averaging import with_frames
    from vbsense.data import make_sweep

    header = contents.header
    if missing := [name for name in _NEEDED if header.get(name) is None]:
        raise ValueError(
            f"the header has no {', '.join(missing)}; the acquisition must write it before its first frame"
        )
    coords, points = _axes(header), _points(contents)
    axes = (*coords.values(), header["frequency"])
    count = np.zeros([len(axis) for axis in axes], np.int64)
    total = _Total(header)
    signal = total.average(points[1], count)
    drive_off = points[0] or header.get("reference")
    reference = total.average(points[0], np.zeros_like(count)) if drive_off else None
    attributes = _attributes(contents, missing=int((count == 0).sum()))
    sweep = make_sweep(
        signal, header["frequency"], pixel_size=header["pixel_size"], reference=reference, coords=coords, **attributes
    )
    return _with_saturated(with_frames(sweep, _as_dataarray(count, sweep)), total.saturated)


class _Total:
    """Sums frames of one point after the other, and counts saturated ones in passing."""

    def __init__(self, header: dict[str, Any]) -> None:
        self.shape = tuple(header["shape"])
        self.offset, self.gain = float(header["camera_offset"]), float(header["camera_gain"])
        self.limit = header.get("saturation")
        self.saturated = np.zeros(self.shape, np.int64)

    def average(self, points: dict[Point, list[Record]], count: np.ndarray) -> np.ndarray:
        """Mean electrons ``(*count.shape, y, x)`` float32; fills `count` with the numbers of frames."""
        result = np.full((*count.shape, *self.shape), np.nan, np.float32)
        for point, records in points.items():
            index = self._index(point, count.shape, records[0])
            total = np.zeros(self.shape, np.uint64)  # 2^48 frames fit
            for record in records:
                self._add(total, record)
            count[index] = len(records)
            result[index] = (total / len(records) - self.offset) * self.gain
        return result

    def _add(self, total: np.ndarray, record: Record) -> None:
        if record.shape != self.shape:
            raise ValueError(f"{record} has shape {record.shape}; the header says {self.shape}")
        frame = record.frame
        total += frame
        if self.limit is not None:
            self.saturated += frame >= self.limit

    @staticmethod
    def _index(point: Point, shape: tuple[int, ...], record: Record) -> Point:
        index = point[-len(shape) :]
        if any(not 0 <= k < n for k, n in zip(index, shape, strict=True)):
            raise ValueError(f"{record} lies outside the axes of the header, {shape}; the header is another run's")
        return index


def _axes(header: dict[str, Any]) -> dict[str, list[Any]]:
    """Leading dimensions that there are: polarity if there is a current, direction if there are two."""
    axes: dict[str, list[Any]] = {}
    if header.get("polarities"):
        axes["polarity"] = [int(sign) for sign in header["polarities"]]
    if len(header.get("directions") or []) > 1:
        axes["direction"] = list(header["directions"])
    return axes


def _points(contents: Contents) -> dict[int, dict[Point, list[Record]]]:
    """Frames that count, by drive (1 on, 0 off) and then by their index in the result."""
    axes = _axes(contents.header)
    points: dict[int, dict[Point, list[Record]]] = {0: defaultdict(list), 1: defaultdict(list)}
    for record in _accepted(contents.records):
        key = record.key
        polarity = [_position(record, axes["polarity"])] if "polarity" in axes else []
        direction = [key.direction] if "direction" in axes else []
        points[min(key.drive, 1)][(*polarity, *direction, key.frequency)].append(record)
    if not (points[0] or points[1]):
        raise ValueError("the spool holds no frame that counts; there is nothing to convert")
    return points


def _position(record: Record, polarities: list[int]) -> int:
    if record.key.polarity not in polarities:
        raise ValueError(f"{record} has a polarity that the header does not name, {polarities}")
    return polarities.index(record.key.polarity)


def _accepted(records: Iterable[Record]) -> list[Record]:
    """Frames in order, without those whose sweep a later record rejects."""
    kept: list[Record] = []
    for record in records:
        if record.kind == "frame":
            kept.append(record)
        elif record.kind == "commit" and not record.content["accepted"]:
            kept = [frame for frame in kept if frame.key.sweep != record.key.sweep]
    return kept


def _attributes(contents: Contents, *, missing: int) -> dict[str, Any]:
    header, ending = contents.header, contents.ending
    whole = ending is not None and ending.content["complete"] and not contents.damage and not missing
    attributes = {name: header.get(name) for name in (*_KEPT, "snapshot", "plan")} | (header.get("attributes") or {})
    for name in _JSON:
        if attributes.get(name) is not None and not isinstance(attributes[name], str):
            attributes[name] = json.dumps(attributes[name])
    return attributes | {"complete": int(whole), "history": _history(contents)}


def _history(contents: Contents) -> str | None:
    lines = list(contents.damage)
    for record in contents.records:
        if record.kind == "commit" and not record.content["accepted"]:
            lines.append(f"sweep {record.key.sweep} left out: {record.content['reason'] or 'no reason given'}")
    return "\n".join(lines) or None


def _as_dataarray(count: np.ndarray, sweep: xr.Dataset) -> xr.DataArray:
    import xarray as xr

    return xr.DataArray(count, dims=sweep["signal"].dims[:-2])


def _with_saturated(sweep: xr.Dataset, saturated: np.ndarray) -> xr.Dataset:
    if saturated.any():
        sweep["saturated"] = (("y", "x"), np.minimum(saturated, 255).astype(np.uint8), {"units": "1"})
    return sweep
