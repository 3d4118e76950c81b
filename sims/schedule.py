"""The points of a sweep in the order in which they are measured, and what drifts meanwhile."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Drifted", "Plan", "evaluate_drift", "times"]


@dataclass(frozen=True, eq=False)
class Plan:
    """What `vbsense.sims.simulate_sweep` was asked for, checked.

    Parameters
    ----------
    frequency : ndarray, (nf,)
        Ascending (Hz).
    exposure : float
        Of one frame (s).
    power : float
        Microwave power at the source (dBm).
    averages : int
        Frames of a point.
    currents : tuple of float
        In the conductor (A): one, or one for each polarity.
    reference : bool
        Whether every point is also measured with the drive off.
    entropy : tuple of int
        Seed of all noise; every part of the sweep has a stream of its own, spawned from it.
    seed : int or None
        What the caller gave, if it was one number.
    """

    frequency: np.ndarray
    exposure: float
    power: float
    averages: int
    currents: tuple[float, ...]
    reference: bool
    entropy: tuple[int, ...]
    seed: int | None = None

    @property
    def drives(self) -> tuple[bool, ...]:
        """Drive on, and off where there is a reference."""
        return (True, False) if self.reference else (True,)

    def stream(self, *key: int) -> np.random.Generator:
        """Source of noise of the part `key` of the sweep, the same however the work is shared out."""
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.entropy, spawn_key=key)))


@dataclass(frozen=True, eq=False)
class Drifted:
    """State of the set-up at every point: relative laser power (1) and shift of the sample in x and y (m).

    Parameters
    ----------
    laser : ndarray, (drive, polarity, nf)
        Relative to the set point.
    shift : ndarray, (drive, polarity, nf, 2)
        Of the sample under the camera (m).
    """

    laser: np.ndarray
    shift: np.ndarray


def times(plan: Plan) -> np.ndarray:
    """When each point begins (s), ``(drive, polarity, nf)``, if nothing but exposures takes time.

    One polarity after the other; in it frequencies ascend, and each is followed by its reference.

    Examples
    --------
    >>> plan = Plan(np.array([3e9, 3.5e9]), 0.1, 15.0, 10, (1e-3, -1e-3), True, (0,))
    >>> times(plan)[0].tolist(), times(plan)[1].tolist()
    ([[0.0, 2.0], [4.0, 6.0]], [[1.0, 3.0], [5.0, 7.0]])
    """
    shape = (len(plan.currents), plan.frequency.size, len(plan.drives))
    index = np.arange(np.prod(shape)).reshape(shape)
    return np.moveaxis(index, -1, 0) * (plan.exposure * plan.averages)


def evaluate_drift(drift: Any, plan: Plan) -> Drifted | None:
    """Ask `drift` for the laser power and the shift at every point; None if there is no drift.

    Raises
    ------
    TypeError
        If `drift` has not the functions ``laser`` and ``shift``.
    ValueError
        If they give something else than relative powers above 0 and shifts in metres.
    """
    if drift is None:
        return None
    if not all(callable(getattr(drift, name, None)) for name in ("laser", "shift")):
        raise TypeError(f"drift is {drift!r}; it needs functions laser(t) and shift(t) of the time in s, as sims.Drift")
    when = times(plan)
    order = np.argsort(when, axis=None)
    laser = _checked("laser", drift.laser(when.ravel()[order]), (when.size,))
    shift = _checked("shift", drift.shift(when.ravel()[order]), (when.size, 2))
    if not (laser > 0).all():
        raise ValueError(f"drift.laser reaches {laser.min():.4g}; it must stay above 0 (1 is the set point)")
    back = np.argsort(order)
    return Drifted(laser[back].reshape(when.shape), shift[back].reshape(*when.shape, 2))


def refuse_drift(function: Any, scene: Any) -> None:
    """Raise if `function` of `scene` takes no ``laser`` and ``shift``."""
    known = inspect.signature(function).parameters
    free = any(p.kind is p.VAR_KEYWORD for p in known.values())
    if missing := [name for name in ("laser", "shift") if name not in known and not free]:
        raise ValueError(
            f"drift is given, but {type(scene).__name__}.{function.__name__} takes no {' and no '.join(missing)}; "
            "leave drift out or use another scene"
        )


def _checked(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"drift.{name} gave an array {values.shape} for {shape[0]} times; it must be finite, {shape}")
    return values
