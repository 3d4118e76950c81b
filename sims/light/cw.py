"""Continuous-wave ODMR spectra: depth and power broadening out of the Liouvillian."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.groundstate.comb import hyperfine_comb
from vbsense.sims.light.checks import check_frequency
from vbsense.sims.light.cycle import OpticalCycle
from vbsense.sims.light.driven import driven_cycle

__all__ = ["cw_spectrum", "nuclear_fields"]


def cw_spectrum(
    frequency: Any,
    field: Any,
    cycle: OpticalCycle,
    defect: Defect = VB14N,
    *,
    rabi: float,
    pump: float,
    dephasing: float,
    drive: Any = (1, 0, 0),
    excited: Defect | None = None,
    comb: tuple[Any, Any] | None = None,
) -> np.ndarray:
    """Light against microwave frequency; both lines are driven at once.

    Depth, power broadening and the shift of one line by the other come out of the Liouvillian of
    `vbsense.sims.light.driven.driven_cycle`; one eigendecomposition of a 4 x 4 matrix serves all frequencies.

    Parameters
    ----------
    frequency : array_like, (nf,)
        Microwave frequencies (Hz).
    field : array_like, (..., 3)
        Magnetic field in laboratory axes, by default the defect's own (T).
    cycle, defect, rabi, pump, dephasing, drive, excited
        As in `driven_cycle`.
    comb : (shifts, weights), optional
        Nuclear fields along c (T) and their probabilities, as from `nuclear_fields`, over which the
        light is averaged.

    Returns
    -------
    ndarray, (..., nf)
        Photons per second. Divide by the value far from the lines for a contrast.

    Raises
    ------
    ValueError
        As `driven_cycle`, and if the comb is not two arrays of one length with weights that sum to 1.

    Examples
    --------
    >>> from vbsense.sims.light.cycle_presets import optical_cycle
    >>> f = np.linspace(3.0e9, 4.0e9, 201)
    >>> light = cw_spectrum(f, [0, 0, 10e-3], optical_cycle("baber2022"), rabi=2e6, pump=1e6, dephasing=2e7)
    >>> round(float(f[:101][light[:101].argmin()]) / 1e9, 3)
    3.185
    """
    from vbsense.hamiltonian import check_field
    from vbsense.sims.light.mixing import excited_state

    frequency = check_frequency(frequency)
    field = check_field(field)
    shifts, weights = _check_comb(comb)
    excited = excited_state(defect) if excited is None else excited
    options: dict[str, Any] = {
        "rabi": rabi, "pump": pump, "dephasing": dephasing, "drive": drive, "excited": excited,
    }  # fmt: skip
    flat = field.reshape(-1, 3)
    out = np.zeros((len(flat), len(frequency)))
    along_c = np.asarray(defect.orientation)[:, 2]
    for row, B in zip(out, flat, strict=True):
        for shift, weight in zip(shifts, weights, strict=True):
            row += weight * driven_cycle(B + shift * along_c, cycle, defect, **options).light(frequency)
    return out.reshape(*field.shape[:-1], len(frequency))


def nuclear_fields(defect: Defect = VB14N) -> tuple[np.ndarray, np.ndarray]:
    """Fields along c that unpolarised nuclei add, to first order, and their probabilities.

    Second-order shifts and the nuclear quadrupole are left out: the comb shows what a spectrum looks
    like. `vbsense.spin.spectrum` has the positions by which a fit may be judged.

    Returns
    -------
    shifts, weights : ndarray, (groups,)
        T, ascending; probabilities that sum to 1. Seven groups for three 14N, four for three 15N.

    Examples
    --------
    >>> shifts, weights = nuclear_fields()
    >>> (shifts * 1e3).round(2).tolist(), (weights * 27).round().tolist()
    ([-4.88, -3.25, -1.63, 0.0, 1.63, 3.25, 4.88], [1.0, 3.0, 6.0, 7.0, 6.0, 3.0, 1.0])
    """
    shifts, weights = hyperfine_comb(defect)
    return shifts / defect.gamma + 0.0, weights


def _check_comb(comb: tuple[Any, Any] | None) -> tuple[np.ndarray, np.ndarray]:
    if comb is None:
        return np.zeros(1), np.ones(1)
    if len(comb) != 2:
        raise ValueError(f"comb has {len(comb)} entries; it must be (shifts in T, weights)")
    shifts, weights = (np.asarray(values, dtype=float) for values in comb)
    if shifts.ndim != 1 or shifts.shape != weights.shape or not np.isfinite(shifts).all():
        raise ValueError(f"comb has shapes {shifts.shape} and {weights.shape}; two finite arrays of one length, please")
    if not ((weights >= 0).all() and abs(weights.sum() - 1) < 1e-9):
        raise ValueError("the weights of the comb must be 0 or more and sum to 1")
    return shifts, weights
