"""Fields of currents: interactions a second on one core, side by side with magpylib.

    python benchmarks/magnetics.py

An interaction is one source at one point. Times are the best of several runs; the ratios are of the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

import vbsense as vb
from vbsense.currents import Wedge, path

SEGMENTS, POINTS = 1000, 10_000


def best(call: Callable[[], object], runs: int = 5) -> float:
    """Shortest of some runs (s), after one to warm up."""
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def row(name: str, seconds: float, interactions: int, note: str = "") -> None:
    """One line of the table."""
    print(f"{name:<58}{interactions / seconds / 1e6:>12.2f} M/s   {note}")


def chunks(field: Callable[[np.ndarray], np.ndarray], points: np.ndarray, size: int) -> np.ndarray:
    """The field a block of points at a time."""
    return np.concatenate([field(points[k : k + size]) for k in range(0, len(points), size)])


def polyline(points: np.ndarray, vertices: np.ndarray) -> None:
    """One wire of many segments, here and there, and how well both agree."""
    import magpylib

    ours, theirs = vb.Polyline(vertices, 1.0), magpylib.current.Polyline(vertices=vertices, current=1.0)
    mine = best(lambda: ours.field(points))
    row(f"Polyline.field, {SEGMENTS} segments x {POINTS} points", mine, SEGMENTS * POINTS, "(wanted: 300)")
    fastest = np.inf
    for size in (10, 100, 1000):  # its arrays hold every pair: the fastest block is taken, not the largest
        part = points[: 10 * size][:2000]
        seconds = best(lambda p=part, s=size: chunks(theirs.getB, p, s), runs=2) * POINTS / len(part)
        fastest = min(fastest, seconds)
    row("magpylib Polyline, fastest block of points", fastest, SEGMENTS * POINTS)
    B, other = ours.field(points[:100]), theirs.getB(points[:100])
    error = (np.linalg.norm(B - other, axis=1) / np.linalg.norm(B, axis=1)).max()
    print(f"{'ratio':<58}{fastest / mine:>12.0f}       (wanted: 100; they differ by {error:.1e})")


def others(points: np.ndarray) -> None:
    """One source at many points."""
    import magpylib

    near, count = points * 3e-6, len(points)
    ends = (0, -1e-5, 0), (0, 1e-5, 0)
    film, wire = vb.Ribbon(*ends, 1e-6, 1.0), vb.Bar(*ends, 1e-6, 1e-7, 1.0)
    row("Ribbon.field, within a few widths", best(lambda: film.field(near)), count)
    row("Ribbon.field, a thousand widths away", best(lambda: film.field(points * 1e-3)), count)
    row("Bar.field, within a few widths", best(lambda: wire.field(near)), count)
    row("Bar.field, a thousand widths away", best(lambda: wire.field(points * 1e-3)), count)
    tip = Wedge((0, 0, 0), (0, 1e-6, 0), (1e-6, 0, 0), 1e-7, 1.0)
    row("Wedge.field, within a few widths", best(lambda: tip.field(near)), count)
    corners = 1e-6 * np.array([(0, 0, 0), (9, 0, 0), (9, 9, 0), (0, 9, 0), (0, 0, 0)])
    ring = path(corners, 1e-6, 1e-7, 1.0, closed=True)
    row(f"path of four sides ({len(ring.parts)} parts)", best(lambda: ring.field(near)), count * len(ring.parts))
    ours, theirs = vb.Loop((0, 0, 0), 1e-6, 1.0), magpylib.current.Circle(diameter=2e-6, current=1.0)
    mine, other = best(lambda: ours.field(near)), best(lambda: theirs.getB(near))
    row("Loop.field", mine, count)
    row("magpylib Circle", other, count, f"ratio {other / mine:.1f}")
    triangles = magpylib.current.TriangleSheet(
        vertices=[(-5e-7, -1e-5, 0), (5e-7, -1e-5, 0), (5e-7, 1e-5, 0), (-5e-7, 1e-5, 0)],
        faces=[(0, 1, 2), (0, 2, 3)], current_densities=2 * [(0, 1e6, 0)],
    )  # fmt: skip
    other, mine = best(lambda: triangles.getB(near)), best(lambda: film.field(near))
    row("magpylib TriangleSheet, the same ribbon", other, count, f"ratio {other / mine:.1f}")


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    points, vertices = rng.normal(size=(POINTS, 3)), rng.normal(size=(SEGMENTS + 1, 3))
    with threadpool_limits(1):
        polyline(points, vertices)
        others(rng.normal(size=(100_000, 3)))


if __name__ == "__main__":
    main()
