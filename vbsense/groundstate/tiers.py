"""ODMR spectra, exact and faster, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from vbsense.defect import BOHR_MAGNETON, VB14N, Defect
from vbsense.groundstate._blocks import in_blocks
from vbsense.groundstate._inputs import frequency_axis, nuclear_weights, unit_drive, width
from vbsense.groundstate.broaden import broaden
from vbsense.groundstate.comb import comb_lines, comb_of
from vbsense.groundstate.eigen import stick_block
from vbsense.groundstate.sectors import plan_of, sector_lines
from vbsense.hamiltonian import check_field, electron_only, operators_of, to_defect

__all__ = ["METHODS", "choose_method", "spectrum"]

METHODS = ("auto", "exact", "sectors", "comb", "electron")
# Where the sectors stay below 1 % of the peak, found by comparing some 10^4 random fields, drives, widths and
# defects with exact spectra (tests/test_tiers.py repeats a part). All are ratios of frequencies.
_SECOND_ORDER = 0.011  # what the mean tensor leaves out along c, over the width
_TILT, _TILT_NEAR_ZERO = 0.021, 0.0084  # what a transverse field leaves out, over the width
_LARGEST_FIELD = 0.25  # of D: 31 mT
_TRANSVERSE = 0.085  # of D: 10 mT
_ALONG_C = 0.9  # share of the drive along c beyond which the weak spectrum is all second order
# Nuclei do not matter where all their couplings together are this small a part of the width and of D.
_WEAK_TO_WIDTH, _WEAK_TO_D = 0.02, 0.01


def choose_method(field: Any, defect: Defect = VB14N, linewidth: float = 60e6, *, drive: Any = (1, 0, 0)) -> np.ndarray:
    """What ``method="auto"`` takes: the fastest whose error is below 1 % of the peak of the exact spectrum.

    "sectors" needs equal nuclei around c, a linewidth of about 40 MHz or more, at most 31 mT, a drive that
    is not along c, and a transverse field below about 5 mT (2 mT where the field along c is below 5 mT).
    "electron" needs a defect without nuclei, or with nuclei that hardly couple. "comb" is never taken: its
    strengths err by about 1 % even for the widest lines. Everything else is "exact".

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        With its nuclei.
    linewidth : float
        Full width at half maximum of every line (Hz).
    drive : array_like, (3,)
        Direction of the microwave field in laboratory axes.

    Returns
    -------
    ndarray of str, (...)
        For one field a single string.

    Examples
    --------
    >>> choose_method([[0, 0, 10e-3], [9e-3, 0, 3e-3]], VB14N, 60e6).tolist()
    ['sectors', 'exact']
    """
    flat, d = to_defect(check_field(field), defect), unit_drive(drive, defect)
    return _choose(flat, defect, width(linewidth), d)[()]


def _choose(field: np.ndarray, defect: Defect, linewidth: float, drive: np.ndarray) -> np.ndarray:
    shape = field.shape[:-1]
    couplings = [(np.asarray(n.A), n.spin * (n.spin + 1) / 3) for n in defect.nuclei]
    total = np.sqrt(sum(float(np.sum(A**2)) * s for A, s in couplings))
    in_plane = abs(drive[2]) ** 2 <= _ALONG_C
    weak = total <= min(_WEAK_TO_WIDTH * linewidth, _WEAK_TO_D * abs(defect.D))
    if total == 0 or (weak and in_plane):
        return np.full(shape, "electron")
    if not in_plane or plan_of(defect) is None:
        return np.full(shape, "exact")
    return np.where(_sectors_hold(field, defect, linewidth), "sectors", "exact")


def _zeeman(field: np.ndarray, defect: Defect) -> tuple[np.ndarray, np.ndarray]:
    """Zeeman frequencies along and across c (Hz)."""
    g = defect.g * np.eye(3) if isinstance(defect.g, float) else np.asarray(defect.g)
    b = np.abs(BOHR_MAGNETON * field @ g)
    return b[..., 2], np.hypot(b[..., 0], b[..., 1])


def _near_c(field: np.ndarray, defect: Defect) -> np.ndarray:
    along, across = _zeeman(field, defect)
    return (across <= _TRANSVERSE * defect.D) & (np.hypot(along, across) <= _LARGEST_FIELD * defect.D)


def _sectors_hold(field: np.ndarray, defect: Defect, linewidth: float) -> np.ndarray:
    along, across = _zeeman(field, defect)
    A, spin = np.array([n.A for n in defect.nuclei]), defect.nuclei[0].spin
    plane = abs(A[:, 0, 0] + A[:, 1, 1]).max() / 2
    unit = np.hypot((A[:, 0, 0] - A[:, 1, 1]) / 2, A[:, 0, 1]).max() / (defect.D * linewidth)
    far = along >= max(3.2 * np.abs(A[:, 2, 2]).max(), 1.5 * abs(defect.E))
    left_out = plane * unit * (spin * (spin + 1) + 0.2) / 2.2
    tilt = across * unit <= np.where(far, _TILT, _TILT_NEAR_ZERO)
    return tilt & (left_out <= _SECOND_ORDER) & _near_c(field, defect)


def spectrum(
    frequency: Any,
    field: Any,
    defect: Defect = VB14N,
    *,
    linewidth: float,
    method: str = "auto",
    drive: Any = (1, 0, 0),
    populations: Any = None,
) -> np.ndarray:
    """ODMR spectrum: the sum of all lines, each a Lorentzian of unit height times its strength.

    Parameters
    ----------
    frequency : array_like, (nf,)
        Microwave frequencies (Hz); a regular ascending grid is the fastest.
    field : array_like, (..., 3)
        Magnetic field in laboratory axes (T).
    defect : Defect
        With its nuclei.
    linewidth : float
        Full width at half maximum of every line (Hz).
    method : {"auto", "exact", "sectors", "comb", "electron"}
        "exact" diagonalises electron and nuclei together; "sectors" joins equal nuclei to a total spin (0.3-0.9 %
        of the peak from 40 MHz on, near the c axis); "comb" treats them as static fields along c (7-8 % at
        40 MHz); "electron" leaves them out. "auto" takes for each field what `choose_method` says.
    drive : array_like, (3,)
        Direction of the microwave field (see `lines`).
    populations : sequence of array_like, optional
        Of the nuclear states (see `lines`); other than unpolarised ones need "exact", which "auto" then takes.

    Returns
    -------
    ndarray, (..., nf)
        Depth of the dip in units of the depth of one bare line: light = 1 - contrast x spectrum.

    Examples
    --------
    >>> f = np.linspace(3.0e9, 4.0e9, 101)
    >>> s = spectrum(f, [0, 0, 10e-3], linewidth=60e6)
    >>> bool(3.6e9 < f[50:][s[50:].argmax()] < 3.85e9)
    True
    """
    frequency, linewidth = frequency_axis(frequency), width(linewidth)
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; known are {', '.join(METHODS)}")
    field, d = to_defect(check_field(field), defect), unit_drive(drive, defect)
    flat = field.reshape(-1, 3)
    if populations is not None:
        if method not in ("auto", "exact"):
            raise ValueError(f"populations need method 'exact' (or 'auto'); received {method!r}")
        lines_of = partial(
            stick_block, operators=operators_of(defect), drive=d, weights=nuclear_weights(populations, defect)
        )
        return _spectra(frequency, flat, linewidth, operators_of(defect).n, lines_of).reshape(*field.shape[:-1], -1)
    chosen = _choose(flat, defect, linewidth, d) if method == "auto" else np.full(len(flat), method)
    out = np.empty((len(flat), frequency.size))
    for name in np.unique(chosen):
        states = defect.dimension if name == "exact" else 1
        out[chosen == name] = _spectra(
            frequency, flat[chosen == name], linewidth, states, _lines_by(str(name), defect, d)
        )
    return out.reshape(*field.shape[:-1], frequency.size)


Sticks = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def _lines_by(method: str, defect: Defect, drive: np.ndarray) -> Sticks:
    """The function from fields (b, 3) to lines and strengths (b, sticks) of one method."""
    if method == "sectors":
        plan = plan_of(defect)
        if plan is None:
            raise ValueError(
                f"method 'sectors' needs equal nuclei whose tensors average to an axial one; {defect.name!r} has none "
                "such: use 'exact' or 'auto'"
            )
        return partial(sector_lines, plan=plan, drive=drive)
    if method == "comb":
        return partial(comb_lines, comb=comb_of(defect), drive=drive)
    return partial(
        stick_block, operators=operators_of(defect if method == "exact" else electron_only(defect)), drive=drive
    )


def _spectra(frequency: np.ndarray, field: np.ndarray, linewidth: float, states: int, lines_of: Sticks) -> np.ndarray:
    (out,) = in_blocks(field, states, lambda block: (broaden(frequency, *lines_of(block), linewidth),))
    return out
