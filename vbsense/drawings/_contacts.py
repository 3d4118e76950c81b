"""Contacts as polygons: as they are given, or the edge of the conductor at which a label stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbsense._numbers import number
from vbsense.drawings._rings import Ring, check_ring, crossing_rings, distance, inside, nearest, signed_area
from vbsense.drawings.drawing import Drawing

_OUTWARD = 2.0  # pixels by which the contact at a label reaches beyond its edge


@dataclass(frozen=True, eq=False)
class Contact:
    """A contact as counter-clockwise polygons.

    Parameters
    ----------
    area : (n, 2) ndarray
        What it adds to the conductor (m).
    reach : (n, 2) ndarray
        Pixels whose centres lie in here belong to it (m): longer than an edge by a pixel at both ends, because the
        centre of a pixel that the end of an edge cuts may lie beyond.
    """

    area: Ring
    reach: Ring


def contact_areas(drawing: Drawing, contacts: Mapping[str, Any], pixel_size: float) -> dict[str, Contact]:
    """Every contact, as it is given or beside the edge that its label stands for."""
    if not isinstance(contacts, Mapping) or len(contacts) < 2:
        raise ValueError(
            f"contacts: received {contacts!r:.80}; give at least two as a mapping of their names to a label of the "
            "drawing or to a polygon, an (n, 2) array in m"
        )
    return {name: _contact(drawing, name, contact, pixel_size) for name, contact in contacts.items()}


def currents_of(contacts: Mapping[str, Any], current: Any) -> dict[str, float]:
    """Current into the conductor at every contact (A), zero in total."""
    if not isinstance(current, Mapping):
        value = number("current", current, "A")
        if set(contacts) != {"source", "drain"}:
            raise ValueError(
                f"current: one number flows from 'source' to 'drain', but the contacts are {_names(contacts)}; "
                "give a mapping of contact to current into the conductor, in A"
            )
        return {"source": value, "drain": -value}
    unknown = set(current) - set(contacts)
    if unknown:
        raise ValueError(f"current: {_names(unknown)} is no contact; the contacts are {_names(contacts)}")
    into = {name: number(f"current[{name!r}]", current.get(name, 0.0), "A") for name in contacts}
    largest = max(abs(value) for value in into.values())
    if abs(sum(into.values())) > 1e-9 * largest:
        raise ValueError(
            f"current: received {dict(current)}, {sum(into.values()):.6g} A in total; what enters must leave: give "
            "numbers whose sum is zero"
        )
    return into


def _names(names: Any) -> str:
    return ", ".join(map(repr, sorted(map(str, names))))


def _contact(drawing: Drawing, name: str, contact: Any, pixel_size: float) -> Contact:
    if isinstance(contact, str):
        return _beyond_edge(drawing, name, contact, pixel_size)
    ring = check_ring(f"contact {name!r}", contact)
    ring = ring if signed_area(ring) > 0 else ring[::-1]
    if not _overlap(ring, drawing):
        apart = min(distance(ring, other) for other in drawing.rings)
        if apart > 1e-3 * pixel_size:
            raise ValueError(
                f"contact {name!r} does not touch the conductor: it lies {apart:.3g} m beside it; move it there, or "
                "give all numbers in metres"
            )
    return Contact(ring, ring)


def _overlap(ring: Ring, drawing: Drawing) -> bool:
    """Whether a corner of either lies inside the other, or their edges cross."""
    if inside(drawing.rings, ring).any() or crossing_rings([ring, *drawing.rings]) is not None:
        return True
    return any(inside([ring], np.asarray(other)).any() for other in drawing.polygons)


def _beyond_edge(drawing: Drawing, name: str, label: str, pixel_size: float) -> Contact:
    """A strip outside along the straight edge nearest to the label."""
    start, end = _nearest_edge(drawing, name, label)
    along = (end - start) / np.linalg.norm(end - start)
    outward = _OUTWARD * pixel_size * np.array([along[1], -along[0]])  # the conductor lies to the left
    depths = outward * np.array([0.05, 0.5, 1.0])[:, None, None]
    if inside(drawing.rings, (np.linspace(start, end, 19)[1:-1] + depths).reshape(-1, 2)).any():
        raise ValueError(
            f"contact {name!r}: there is conductor on both sides of the edge nearest to label {label!r}, from "
            f"{_text(start)} to {_text(end)} m; move the label to an outer edge, or "
            "give the contact as a polygon"
        )
    first, last = start, end
    if not inside(drawing.rings, (start - pixel_size * along / 2 + depths).reshape(-1, 2)).any():
        first = start - pixel_size * along
    if not inside(drawing.rings, (end + pixel_size * along / 2 + depths).reshape(-1, 2)).any():
        last = end + pixel_size * along
    return Contact(_strip(start, end, outward), _strip(first, last, outward))


def _nearest_edge(drawing: Drawing, name: str, label: str) -> tuple[Ring, Ring]:
    """Ends of the straight edge at which a label stands, over all outlines that touch and share it."""
    place = np.array(drawing.place(label))
    straight = [_without_flat_corners(ring) for ring in drawing.rings]
    starts = np.concatenate(straight)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in straight])
    gaps = np.concatenate([nearest(ring, place)[1] for ring in straight])
    rounding = 1e-6 * float(np.ptp(starts, axis=0).max())
    first = int(gaps.argmin())
    start, end = _prolonged(starts, ends, first, rounding)
    along = (end - start) / np.linalg.norm(end - start)
    beside = np.abs((np.array([starts, ends]) - start) @ [-along[1], along[0]]).max(axis=0) > rounding
    rivals = np.flatnonzero(beside & (gaps <= 1.05 * gaps[first] + rounding))
    if rivals.size:
        k = rivals[0]
        raise ValueError(
            f"contact {name!r}: label {label!r} stands as near to the edge from {_text(start)} to {_text(end)} m as to "
            f"that from {_text(starts[k])} to {_text(ends[k])} m; move it to the middle of the edge that is meant"
        )
    return start, end


def _prolonged(starts: Ring, ends: Ring, edge: int, rounding: float) -> tuple[Ring, Ring]:
    """The edge with those of other outlines that go on where it ends, in the same direction."""
    start, end = starts[edge], ends[edge]
    steps, along = ends - starts, (end - start) / np.linalg.norm(end - start)
    alike = (steps @ along > 0) & (np.abs(steps @ [-along[1], along[0]]) <= rounding)
    for _ in range(len(starts)):
        after = np.flatnonzero(alike & (np.abs(starts - end).max(axis=1) <= rounding))
        before = np.flatnonzero(alike & (np.abs(ends - start).max(axis=1) <= rounding))
        if not after.size and not before.size:
            break
        end = ends[after[0]] if after.size else end
        start = starts[before[0]] if before.size else start
    return start, end


def _text(point: Ring) -> str:
    return f"({point[0]:.6g}, {point[1]:.6g})"


def _strip(start: Ring, end: Ring, outward: Ring) -> Ring:
    return np.array([start, start + outward, end + outward, end])


def _without_flat_corners(ring: Ring) -> NDArray[np.float64]:
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    flat = np.abs(turn) <= 1e-9 * np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return ring[~(flat & ((before * after).sum(axis=1) > 0))]
