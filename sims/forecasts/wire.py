"""Errors of the conductor below the sites."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vbsense.bounds import conductor_bound
from vbsense.sims.forecasts.plan import Plan
from vbsense.sims.forecasts.sites import Seen
from vbsense.sims.scenes.threads import in_pieces

__all__ = ["wire_errors"]

_MOST = 10_000  # sites whose field is followed; of larger arrays those next to the middle


def wire_errors(scene: Any, plan: Plan, seen: Seen) -> dict[str, tuple[float, float]]:
    """Value and error of current, position, width, stand-off and offset, all free together.

    The noise of neighbours is correlated by unmixing, and a field that is smooth over them is told by what they have
    in common: the full covariance counts.
    """
    conductor = _with_current(scene.conductor, plan.current(scene))
    x, y, unmixed = scene.array.x, scene.array.y, seen.unmixed
    if unmixed is None:
        raise ValueError("the scene has no spots to unmix")
    distance = np.maximum(np.abs(x - np.median(x)), np.abs(y - np.median(y)))
    near = np.sort(np.argsort(distance, kind="stable")[:_MOST])
    near = near[np.isfinite(seen.per_electron[near]) & unmixed.seen[near]]
    places = (x[near], y[near])

    def precision(rows: np.ndarray) -> np.ndarray:
        # What is not followed tells nothing of the field: its light counts as known.
        light = np.zeros((len(rows), x.size))
        light[:, near] = rows / seen.per_electron[near]
        return unmixed.precision(light)[:, near] / seen.per_electron[near]

    free = ["current", "position", *(["width"] if _has_width(conductor) else []), "standoff", "offset"]

    def measured(field: Any) -> np.ndarray:
        out = np.empty((near.size, 3))

        def work(piece: slice) -> None:
            at = tuple(place[piece] for place in places)
            out[piece] = scene.array.average(field, standoff=scene.standoff, order=(4, 2), at=at)

        in_pieces(work, near.size, size=256)
        return out

    bound = conductor_bound(
        conductor, measured,
        error=precision, free=free, length=scene.standoff,
    )  # fmt: skip
    values = {"current": conductor.current, "position": 0.0, "standoff": scene.standoff, "offset": 0.0}
    return {n: (float(values.get(n, getattr(conductor, n, 0.0))), e) for n, e in bound.errors.items()}


def _with_current(conductor: Any, current: float) -> Any:
    if not current:
        raise ValueError("no current flows")
    if hasattr(conductor, "scaled"):
        return conductor.scaled(current / conductor.current)
    return replace(conductor, current=current)


def _has_width(conductor: Any) -> bool:
    return isinstance(getattr(conductor, "width", None), float)
