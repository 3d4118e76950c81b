"""Sweeps of scenes that know whole pictures only: frame after frame, in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from vbsense.data import Scene
from vbsense.sims.schedule import Drifted, Plan, refuse_drift

__all__ = ["LIMIT", "frames_of", "mean_electrons"]

LIMIT = 4 << 30  # bytes of a sweep that is built whole


def frames_of(scene: Scene, plan: Plan, drifted: Drifted | None, *, progress: bool) -> list[np.ndarray]:
    """Mean electrons of every point ``(polarity, nf, y, x)`` float32, with the drive on and, if asked for, off.

    Raises
    ------
    ValueError
        If they would take more than 4 GiB, or the scene cannot drift.
    """
    shape = (len(plan.currents), plan.frequency.size, *scene.shape)
    size = 4 * len(plan.drives) * int(np.prod(shape, dtype=float))
    if size > LIMIT:
        raise ValueError(
            f"the sweep takes {size / 2**30:.1f} GiB, and {type(scene).__name__} has no block_rates to compute it in "
            f"parts; at most {LIMIT / 2**30:.0f} GiB are built whole: take fewer pixels or frequencies"
        )
    if drifted is not None:
        refuse_drift(scene.rate, scene)
    from tqdm import tqdm

    found = [np.empty(shape, np.float32) for _ in plan.drives]
    with tqdm(total=len(found) * shape[0] * shape[1], unit="point", disable=not progress) as bar:
        for off, out in enumerate(found):
            for polarity, current in enumerate(plan.currents):
                for k, rate in enumerate(_rates(scene, plan, drifted, off, polarity, current)):
                    rng = plan.stream(1 - off, polarity, k)
                    expose = partial(scene.expose, rate, plan.exposure, rng)
                    out[polarity, k] = mean_electrons(expose, plan.averages, scene.camera)
                    bar.update()
    return found


def _rates(scene: Scene, plan: Plan, drifted: Drifted | None, off: int, polarity: int, current: float) -> Any:
    """Picture after picture, each computed once."""
    points = [None] * plan.frequency.size if off else plan.frequency.tolist()
    if drifted is None:
        last = None
        for k, frequency in enumerate(points):
            if k == 0 or frequency is not None:
                last = scene.rate(frequency, power=plan.power, current=current)
            yield last
        return
    for k, frequency in enumerate(points):
        laser, (x, y) = float(drifted.laser[off, polarity, k]), drifted.shift[off, polarity, k].tolist()
        yield scene.rate(frequency, power=plan.power, current=current, laser=laser, shift=(x, y))


def mean_electrons(expose: Callable[[], np.ndarray], averages: int, camera: Any) -> np.ndarray:
    """Electrons of the mean of some exposures, which `expose` makes one after the other.

    Examples
    --------
    >>> from vbsense.sims.camera import Camera
    >>> mean_electrons(lambda: np.array([100, 103], np.uint16), 3, Camera(gain=2.0, offset=100.0)).tolist()
    [0.0, 6.0]
    """
    total = expose()
    if averages > 1:
        total = total.astype(np.int64)
    for _ in range(averages - 1):
        total += expose()
    mean = total / averages
    mean -= camera.offset
    mean *= camera.gain
    return mean
