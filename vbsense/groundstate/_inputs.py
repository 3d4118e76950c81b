"""Checks that the spin functions share; each raises a ValueError that says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import Defect


def real_frequencies(name: str, values: Any) -> np.ndarray:
    """Frequencies as a float array, or an error that says what is wrong; NaN passes."""
    if np.iscomplexobj(values):
        raise ValueError(f"{name} is complex; give real frequencies in Hz")
    values = np.asarray(values, dtype=float)
    largest = np.max(np.abs(values), where=np.isfinite(values), initial=0.0)
    if 0 < largest < 1e6:
        raise ValueError(f"{name} reaches {largest:.6g}; frequencies are in Hz (3.47 GHz is 3.47e9)")
    return values


def frequency_axis(values: Any) -> np.ndarray:
    """A one-dimensional, finite axis of frequencies (Hz)."""
    # Compiled kernels take contiguous arrays that may be written to: others are copied.
    axis = np.require(np.atleast_1d(real_frequencies("frequency", values)), requirements=["C", "W"])
    if axis.ndim != 1 or not np.isfinite(axis).all():
        raise ValueError(f"frequency has shape {axis.shape}; it must be one-dimensional and finite, in Hz")
    return axis


def width(linewidth: Any) -> float:
    """A positive full width at half maximum (Hz)."""
    if np.ndim(linewidth) or np.iscomplexobj(linewidth) or not (np.isfinite(linewidth) and linewidth > 0):
        raise ValueError(f"linewidth is {linewidth!r}; it must be a positive width in Hz, for example 60e6")
    if linewidth < 1e3:
        raise ValueError(f"linewidth is {linewidth!r} Hz; widths are in Hz: did you mean {linewidth * 1e6:.3g} (MHz)?")
    return float(linewidth)


def unit_drive(drive: Any, defect: Defect) -> np.ndarray:
    """Direction of the microwave field in the defect frame, complex, of length 1."""
    drive = np.asarray(drive, dtype=complex)
    norm = np.linalg.norm(drive)
    if drive.shape != (3,) or not np.isfinite(norm) or norm == 0:
        raise ValueError(f"drive is {drive.tolist()!r}; it must be a direction: three numbers that are not all zero")
    return drive / norm @ np.asarray(defect.orientation)


def nuclear_weights(populations: Any, defect: Defect) -> np.ndarray:
    """Weight of each nuclear product state, mean 1, ``(m,)``, from one array of populations per nucleus."""
    sizes = [nucleus.dimension for nucleus in defect.nuclei]
    if populations is None:
        return np.ones(int(np.prod(sizes, dtype=int)))
    given = [np.asarray(p, dtype=float) for p in populations]
    if [p.shape for p in given] != [(n,) for n in sizes]:
        raise ValueError(
            f"populations have lengths {[p.size for p in given]}; give one array per nucleus of {sizes} numbers, "
            "from the highest m down"
        )
    weights = np.ones(1)
    for p in given:
        if not (np.isfinite(p).all() and (p >= 0).all() and p.sum() > 0):
            raise ValueError(f"populations are {p.tolist()!r}; they must be 0 or more and not all zero")
        weights = np.outer(weights, p / p.sum()).ravel()
    return weights * weights.size
