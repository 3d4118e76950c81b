"""Sweeps in blocks of all frequencies of 32 x 32 pixels: in threads, and without ever holding a whole one.

Every block has a stream of random numbers of its own and sees its own piece of the sensor, so that the
result depends neither on the threads nor on whether it is kept in memory or written to a file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from vbsense.sims.framewise import mean_electrons
from vbsense.sims.schedule import Drifted, Plan, refuse_drift
from vbsense.storage.blocks import blocks
from vbsense.storage.ordered import in_order, thread_count

__all__ = ["Blockwise", "gather"]

STEP = 1024  # frequencies whose light is in memory at once


class Blockwise:
    """A scene that tells the light of a block, and its camera.

    Parameters
    ----------
    scene : Scene
        With ``block_rates`` and perhaps ``prepare``, as `vbsense.sims.ArrayScene` has them.
    plan : Plan
        What is measured.
    drifted : Drifted or None
        State of the set-up at every point.
    """

    def __init__(self, scene: Any, plan: Plan, drifted: Drifted | None) -> None:
        if not callable(getattr(scene.camera, "expose", None)):
            raise TypeError(f"the camera of {type(scene).__name__} has no expose(rate, seconds, rng, at=...)")
        if drifted is not None:
            refuse_drift(scene.block_rates, scene)
        self.scene, self.plan, self.drifted = scene, plan, drifted

    def prepare(self) -> None:
        """Let the scene do once what all blocks need, before threads ask for them."""
        prepare = getattr(self.scene, "prepare", None)
        if prepare is None:
            return
        for current in self.plan.currents:
            for drive in self.plan.drives:
                for part in self._parts(slice(0, self.plan.frequency.size)):
                    prepare(self._frequencies(drive, part), power=self.plan.power, current=current)

    def values(self, drive: bool) -> Callable[[tuple[slice, ...]], np.ndarray]:
        """Function of an index ``([polarity,] frequency, y, x)`` that gives the mean electrons there, float32."""

        def block(index: tuple[slice, ...]) -> np.ndarray:
            rng = self.plan.stream(int(drive), *(part.start for part in index))
            *leading, frequency, rows, columns = index
            polarity = leading[0].start if leading else 0
            shape = [part.stop - part.start for part in (frequency, rows, columns)]
            out = np.empty(shape, np.float32)
            for part in self._parts(frequency):
                rates = self._rates(drive, polarity, part, rows, columns)
                piece = slice(part.start - frequency.start, part.stop - frequency.start)
                out[piece] = self._expose(rates, rng, at=(rows.start, columns.start))
            return out.reshape([1] * len(leading) + shape)

        return block

    @staticmethod
    def _parts(frequency: slice) -> list[slice]:
        firsts = range(frequency.start, frequency.stop, STEP)
        return [slice(first, min(first + STEP, frequency.stop)) for first in firsts]

    def _frequencies(self, drive: bool, part: slice) -> list[float | None]:
        if drive:
            return self.plan.frequency[part].tolist()
        return [None] * (1 if self.drifted is None else part.stop - part.start)

    def _rates(self, drive: bool, polarity: int, part: slice, rows: slice, columns: slice) -> np.ndarray:
        """Electrons per second ``(frequencies, rows, columns)``."""
        frequency = self._frequencies(drive, part)
        state = {}
        if self.drifted is not None:
            point = (0 if drive else 1, polarity, part)
            state = {"laser": self.drifted.laser[point], "shift": self.drifted.shift[point]}
        power, current = self.plan.power, self.plan.currents[polarity]
        rates = self.scene.block_rates(frequency, rows, columns, power=power, current=current, **state)
        shape = (len(frequency), rows.stop - rows.start, columns.stop - columns.start)
        if np.shape(rates) != shape:
            raise ValueError(f"block_rates of {type(self.scene).__name__} gave {np.shape(rates)}; {shape} is needed")
        return np.broadcast_to(rates, (part.stop - part.start, *shape[1:]))

    def _expose(self, rates: np.ndarray, rng: np.random.Generator, at: tuple[int, int]) -> np.ndarray:
        camera = self.scene.camera
        expose = partial(camera.expose, rates, self.plan.exposure, rng, at=at)
        return mean_electrons(expose, self.plan.averages, camera)


def gather(
    name: str, values: Callable[[tuple[slice, ...]], np.ndarray], dims: tuple[str, ...], shape: tuple[int, ...], *,
    threads: int | None, progress: bool,
) -> np.ndarray:  # fmt: skip
    """Put the blocks of the variable `name` together in memory."""
    out = np.empty(shape, np.float32)
    steps = list(blocks(dims, shape, out.itemsize))

    def put(index: tuple[slice, ...]) -> None:
        out[index] = values(index)

    with contextlib.closing(in_order(put, steps, threads=min(thread_count(threads), len(steps)))) as work:
        for _ in _shown(work, name, len(steps)) if progress else work:
            pass
    return out


def _shown(work: Iterable[None], name: str, steps: int) -> Iterable[None]:
    from tqdm import tqdm

    return tqdm(work, total=steps, desc=name, unit="block")
