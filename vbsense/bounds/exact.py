"""The smallest error of the field that the exact spectrum of electron and nuclei allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vbsense._names import choices
from vbsense.bounds.field import field_variance
from vbsense.bounds.information import Noise
from vbsense.defect import VB14N, Defect

__all__ = ["spectrum_bound"]

# Unknown besides Bz, and the step of its numerical derivative, far below any structure of a spectrum (Hz, Hz, T).
_STEPS = {"D": 0.2e6, "E": 0.2e6, "linewidth": 0.2e6, "Bx": 5e-6, "By": 5e-6}
_LINEAR = ("offset", "contrast")


def spectrum_bound(
    frequency: Any,
    field: Any,
    *,
    linewidth: float,
    contrast: float,
    electrons: float,
    defect: Defect = VB14N,
    drive: Any = (1, 0, 0),
    noise: Noise | None = None,
    free: Sequence[str] = ("offset", "D", "linewidth", "contrast"),
) -> float:
    """Cramer-Rao bound on Bz of a fit whose model is the spin Hamiltonian.

    Parameters
    ----------
    frequency : array_like, (m,)
        Points of the sweep (Hz).
    field : array_like, (3,)
        Field in laboratory axes (T), z along c.
    linewidth : float
        Full width at half maximum of one hyperfine line (Hz).
    contrast : float
        Depth of one bare line, which its hyperfine lines share out.
    electrons : float
        Per exposure, beside the lines.
    defect, drive : Defect, (3,) array_like
        Spin, and direction of the microwave field.
    noise : Noise, optional
        By default the shot noise of one exposure.
    free : sequence of str
        What is unknown besides Bz: some of "offset", "contrast", "linewidth", "D", "E", "Bx", "By".

    Returns
    -------
    float
        One sigma (T); infinite where the spectrum does not determine Bz.

    Notes
    -----
    What a rigid line shape reaches is `field_bound`. At low bias this is lower: E and the hyperfine coupling skew the
    lines, which tells the field, where a rigid shape sees it in the splitting alone.

    Examples
    --------
    >>> sweep = np.linspace(2.97e9, 3.97e9, 101)
    >>> at = {"linewidth": 60e6, "contrast": 0.1, "electrons": 1e6, "defect": VB14N.at(nuclei=())}
    >>> round(spectrum_bound(sweep, [0, 0, 10e-3], **at) * 1e6, 2)                    # uT; electron only
    5.22
    """
    noise = Noise() if noise is None else noise
    frequency, field = np.asarray(frequency, dtype=float), np.asarray(field, dtype=float)
    free = (free,) if isinstance(free, str) else tuple(free)
    _check(field, linewidth, contrast, electrons, free)
    if frequency.size < 1 + len(free):
        raise ValueError(f"{frequency.size} frequencies for Bz and {', '.join(free)}: add frequencies or free fewer")

    def depth(shift: np.ndarray, **changes: float) -> np.ndarray:
        wide = linewidth + changes.pop("linewidth", 0.0)
        moved = defect.at(**{name: getattr(defect, name) + step for name, step in changes.items()})
        return _depth(frequency, field + shift, moved, wide, drive)

    at = depth(np.zeros(3))
    signal = electrons * (1 - contrast * at)
    rows = [_derivative(depth, "Bz")]
    for name in free:
        linear = {"offset": -signal / (electrons * contrast), "contrast": at / contrast}.get(name)
        rows.append(_derivative(depth, name) if linear is None else linear)
    jacobian = -electrons * contrast * np.array(rows)
    return float(np.sqrt(field_variance(jacobian, noise.variance(signal))))


def _derivative(depth: Callable[..., np.ndarray], name: str) -> np.ndarray:
    """Central difference by a component of the field, a splitting or the width."""
    step = _STEPS.get(name, 5e-6)
    if name in ("Bx", "By", "Bz"):
        along = step * np.eye(3)["xyz".index(name[1])]
        return (depth(along) - depth(-along)) / (2 * step)
    return (depth(np.zeros(3), **{name: step}) - depth(np.zeros(3), **{name: -step})) / (2 * step)


def _depth(frequency: np.ndarray, field: np.ndarray, defect: Defect, linewidth: float, drive: Any) -> np.ndarray:
    """Sum of the Lorentzians of all lines: without the grid of `vbsense.spectrum`, whose steps a difference shows."""
    from vbsense.groundstate._broaden import lorentzians
    from vbsense.spin import lines

    position, strength = lines(field[None], defect, drive=drive)
    out = np.empty((1, frequency.size))
    lorentzians(frequency, position, strength, linewidth, out)
    return out[0]


def _check(field: np.ndarray, linewidth: float, contrast: float, electrons: float, free: tuple[str, ...]) -> None:
    if field.shape != (3,) or not np.isfinite(field).all():
        raise ValueError(f"field is {field.tolist()}; give one field of three finite components in T")
    for name, value, unit in (("linewidth", linewidth, "Hz"), ("electrons", electrons, "electrons per exposure")):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value!r}; it must be positive, in {unit}")
    if not 0 < contrast < 1:
        raise ValueError(f"contrast is {contrast!r}; it must be a fraction above 0 and below 1")
    known = (*_LINEAR, *_STEPS)
    for name in free:
        if name not in known:
            raise ValueError(f"free: {name!r} is unknown; {choices(name, known)} (Bz is always free)")
