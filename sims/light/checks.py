"""Refusals that the modules about light share: each says what came, what is allowed, and in which unit."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_frequency", "check_populations", "check_pump", "check_rate", "check_times"]


def check_pump(pump: Any) -> float:
    """`pump` as one rate in 1/s, or an error."""
    if np.ndim(pump) != 0:
        raise ValueError(f"pump has shape {np.shape(pump)}; one pump rate at a time here, in 1/s")
    return float(check_rate("pump", pump))


def check_rate(name: str, value: Any, *, infinite: bool = False) -> np.ndarray:
    """`value` as an array of rates in 1/s that are not negative, or an error that names it."""
    if np.iscomplexobj(value):
        raise ValueError(f"{name} is complex; give a real rate in 1/s")
    array = np.asarray(value, dtype=float)
    if np.isnan(array).any() or (array < 0).any() or (np.isinf(array).any() and not infinite):
        raise ValueError(f"{name} is {value!r}; rates must be finite, 0 or more, in 1/s (1 per microsecond is 1e6)")
    return array


def check_populations(populations: Any, sizes: tuple[int, ...]) -> np.ndarray:
    """`populations` as an array whose last axis has one of `sizes` and sums to 1, or an error."""
    if np.iscomplexobj(populations):
        raise ValueError("populations are complex; give the real diagonal of the density matrix")
    array = np.asarray(populations, dtype=float)
    if array.ndim == 0 or array.shape[-1] not in sizes:
        raise ValueError(
            f"populations have shape {array.shape}; the last axis must have {' or '.join(map(str, sizes))} entries "
            "(3: m_s = +1, 0, -1 of the ground state)"
        )
    # Density matrices out of a solver carry rounding, not more.
    if not (array >= -1e-6).all() or not (np.abs(array.sum(-1) - 1) <= 1e-6).all():
        raise ValueError("populations must be finite, not negative, and sum to 1")
    return array


def check_times(name: str, value: Any) -> np.ndarray:
    """`value` as an array of times in s that are not negative, or an error that names it."""
    array = np.asarray(value, dtype=float)
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"{name} is {value!r}; it must be finite and 0 or more, in seconds")
    if array.size and array.max() > 10:
        raise ValueError(f"{name} reaches {array.max():.6g} s; times are in seconds (300 ns is 300e-9)")
    return array


def check_frequency(frequency: Any) -> np.ndarray:
    """`frequency` as a one-dimensional array in Hz, or an error."""
    if np.iscomplexobj(frequency):
        raise ValueError("frequency is complex; give real frequencies in Hz")
    frequency = np.atleast_1d(np.asarray(frequency, dtype=float))
    if frequency.ndim != 1 or not np.isfinite(frequency).all():
        raise ValueError(f"frequency has shape {frequency.shape}; it must be one-dimensional and finite, in Hz")
    if frequency.size and np.abs(frequency).max() < 1e6:
        raise ValueError(f"frequency reaches {np.abs(frequency).max():.6g}; it is in Hz (3.47 GHz is 3.47e9)")
    return frequency
