"""What a caller asks of a fit, checked and put in the order of the model's parameters: physical units, no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.lineshape import Model

__all__ = ["Options", "read_options", "sweep_bounds"]


@dataclass(frozen=True)
class Options:
    """Bounds, fixed and start values of every parameter."""

    lower: np.ndarray  # (parameter,) electron, Hz or 1
    upper: np.ndarray
    fixed: np.ndarray  # (parameter,) bool
    start: dict[int, Any]  # parameter -> number or array of the pixels' shape; fixed values too
    given: np.ndarray  # (parameter,) bool: the caller gave bounds


def sweep_bounds(model: Model, frequency: np.ndarray) -> dict[str, tuple[float, float]]:
    """Bounds of every parameter: the model's own; where these are open, what the sweep can tell.

    Parameters
    ----------
    model : Model
        Whose parameters.
    frequency : ndarray, (m,)
        In Hz.

    Returns
    -------
    dict of str to (float, float)
        Open positions lie inside the sweep, open distances between half a step and twice the span.
    """
    low, high = float(frequency[0]), float(frequency[-1])
    step = float(np.diff(frequency).min()) if frequency.size > 1 else 1.0
    bounds = {}
    for name, unit in zip(model.parameters, model.units, strict=True):
        lower, upper = model.bounds.get(name, (-np.inf, np.inf))
        if np.isfinite(lower) and np.isfinite(upper):
            pass
        elif name in model.positions:
            lower, upper = max(lower, low), min(upper, high)
        elif unit == "Hz":
            lower, upper = max(lower, step / 2), min(upper, 2 * max(high - low, step))
        bounds[name] = (lower, upper)
    return bounds


def read_options(
    model: Model,
    frequency: np.ndarray,
    bounds: Mapping[str, tuple[float, float]] | None,
    fixed: Mapping[str, float] | None,
    start: Mapping[str, Any] | None = None,
) -> Options:
    """Check `bounds`, `fixed` and `start` (see `vbsense.analysis.fit_sweep`); ValueError if they cannot be."""
    bounds, fixed, start = dict(bounds or {}), dict(fixed or {}), dict(start or {})
    for name in (*bounds, *fixed, *start):
        model.index(name)
    for name in fixed:
        if name in bounds or name in start:
            raise ValueError(f"{name} is fixed; it cannot have bounds or a start value as well")
    box = sweep_bounds(model, frequency) | {name: _pair(name, value) for name, value in bounds.items()}
    values: dict[int, Any] = {}
    for name, value in (start | fixed).items():
        values[model.index(name)] = number = np.asarray(value, dtype=float)
        if number.size == 0 or (name in fixed and number.ndim):
            raise ValueError(f"{name}: a fixed value is one number; received shape {number.shape}")
        if name in fixed and not np.isfinite(number):
            raise ValueError(f"{name} cannot be fixed at {value!r}; give a finite number")
        if name in start:
            _check_inside(name, number, box[name])
    is_fixed = np.array([name in fixed for name in model.parameters])
    if is_fixed.all():
        raise ValueError("every parameter is fixed; leave at least one free")
    lower, upper = (np.array([box[name][k] for name in model.parameters]) for k in (0, 1))
    given = np.array([name in bounds for name in model.parameters])
    return Options(np.where(is_fixed, -np.inf, lower), np.where(is_fixed, np.inf, upper), is_fixed, values, given)


def _pair(name: str, value: Any) -> tuple[float, float]:
    try:
        lower, upper = (float(v) for v in value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"bounds of {name} are {value!r}; give (lower, upper)") from error
    if not lower < upper:
        raise ValueError(f"bounds of {name} are ({lower:g}, {upper:g}); the lower must be below the upper")
    return lower, upper


def _check_inside(name: str, values: np.ndarray, bounds: tuple[float, float]) -> None:
    finite = values[np.isfinite(values)]
    bad = finite[(finite < bounds[0]) | (finite > bounds[1])]
    if finite.size == 0 or bad.size:
        shown = bad.flat[0] if bad.size else values.flat[0]
        raise ValueError(f"start value {shown:g} of {name} lies outside its bounds ({bounds[0]:g}, {bounds[1]:g})")
