"""From the two electron lines back to the field: exact, by the characteristic polynomial."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.groundstate._inputs import real_frequencies

__all__ = ["field_from_lines", "field_range_from_lines"]


def field_from_lines(
    f_lower: Any, f_upper: Any, defect: Defect = VB14N, *, azimuth: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Magnitude of the field and of its part along c, from the two electron lines.

    The characteristic polynomial of the spin-1 Hamiltonian gives, with b = gamma B,
    ``b^2 = (f1^2 + f2^2 - f1 f2 - D^2 - 3 E^2)/3`` and
    ``D (bz^2 - b^2/3) + E (bx^2 - by^2) = [2 D^3/9 - 2 D E^2 - (f1 + f2)(2 f1 - f2)(2 f2 - f1)/9]/3``.

    Parameters
    ----------
    f_lower, f_upper : array_like
        Electron lines (Hz), as `transitions` gives them below the level anticrossing (D / gamma along
        c, 124 mT), beyond which the lower one runs backwards; hyperfine shifts must be taken off before.
    defect : Defect
        Its D, E and g; D must be right to a fraction of a megahertz.
    azimuth : array_like, optional
        Angle of the field about c from the first E axis, which lies at `E_angle` to x (rad).

    Returns
    -------
    B, Bz : ndarray
        |B|, exact, and |Bz| (T): exact with the azimuth, else the middle of the range that all azimuths
        allow. NaN where no field gives such lines.

    Raises
    ------
    ValueError
        If the lines are complex, or too low to be in Hz.

    Examples
    --------
    >>> from vbsense.spin import transitions
    >>> f = transitions([3e-3, 0, 8e-3])
    >>> B, Bz = field_from_lines(f[0], f[1], azimuth=0.0)
    >>> round(float(B) * 1e3, 6), round(float(Bz) * 1e3, 6)
    (8.544004, 8.0)
    """
    B, low, high = _squares(f_lower, f_upper, defect, azimuth)
    return B, (np.sqrt(low) + np.sqrt(high)) / (2 * defect.gamma)


def field_range_from_lines(f_lower: Any, f_upper: Any, defect: Defect = VB14N) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest part of the field along c that the two electron lines allow, whatever its azimuth.

    `field_from_lines` gives the middle of this range; half its width is the error of not knowing the
    azimuth to the E axes.

    Parameters
    ----------
    f_lower, f_upper : array_like
        Electron lines (Hz); see `field_from_lines`.
    defect : Defect
        Its D, E and g; D must be right to a fraction of a megahertz.

    Returns
    -------
    Bz_low, Bz_high : ndarray
        |Bz| (T); NaN where no field gives such lines.

    Examples
    --------
    >>> from vbsense.spin import transitions
    >>> low, high = field_range_from_lines(*transitions([3e-3, 4e-3, 5e-3]))
    >>> round(float(high - low) / 2 * 1e6)                                # uT
    43
    """
    _, low, high = _squares(f_lower, f_upper, defect, None)
    return np.sqrt(low) / defect.gamma, np.sqrt(high) / defect.gamma


def _squares(f_lower: Any, f_upper: Any, defect: Defect, azimuth: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """|B| (T) and the ends of the range of (gamma Bz)^2 (Hz^2); NaN where no field fits."""
    f1, f2 = real_frequencies("f_lower", f_lower), real_frequencies("f_upper", f_upper)
    D, E, gamma = defect.D, defect.E, defect.gamma
    square = (f1**2 + f2**2 - f1 * f2 - D**2 - 3 * E**2) / 3
    # At zero field rounding leaves a square of either sign: 4e-15 D^2 is a field of 8 nT.
    square = np.where(np.abs(square) < 4e-15 * D**2, 0.0, square)
    X = (2 * D**3 / 9 - 2 * D * E**2 - (f1 + f2) * (2 * f1 - f2) * (2 * f2 - f1) / 9) / 3

    tolerance = 2e-15 * (np.abs(f1) + np.abs(f2)) ** 3 / abs(D)

    def along(cosine: Any) -> np.ndarray:
        return (X / D + square / 3 - E / D * cosine * square) / (1 - E / D * cosine)

    with np.errstate(invalid="ignore"):
        if azimuth is not None:
            low = high = along(np.cos(2 * np.asarray(azimuth, dtype=float)))
        else:
            # bz^2 is monotonic in the cosine; an azimuth that would make it negative is none of the field's.
            low, high = np.sort([along(1.0), along(-1.0)], axis=0)
        possible = (square >= 0) & (high > -tolerance) & (low < square + tolerance)
        B = np.sqrt(np.where(possible, square, np.nan)) / gamma
        low, high = (np.where(possible, np.clip(end, 0, square), np.nan) for end in (low, high))
    return B, low, high
