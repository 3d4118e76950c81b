"""The size of the field and its part along c, from both lines: exact for any direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.correction import HyperfineCorrection
from vbsense.analysis.fieldlayout import as_map, sign_along_c
from vbsense.analysis.fitted import variance_of
from vbsense.analysis.shifts import expected_lines
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.flags import FLAGS
from vbsense.groundstate.inversion import field_from_lines, field_range_from_lines
from vbsense.layout import require

__all__ = ["vector_map"]

_STEP = 2e3  # Hz: for derivatives; far above rounding, far below any error of a line


def vector_map(
    fit: xr.Dataset,
    defect: Defect = VB14N,
    *,
    azimuth: Any = None,
    bias: Any = None,
    correction: HyperfineCorrection | None = None,
) -> xr.Dataset:
    """|B| and the field along c of every pixel or site, for a field of any direction.

    `field_map` takes the splitting alone, which errs by 15 uT at 5 mT if 3 mT lie across c. Here the mean of the
    lines counts as well, so that D must be right to a fraction of a megahertz: fit it at a known field.

    Parameters
    ----------
    fit : xarray.Dataset
        Of two lines. Hyperfine shifts are taken off them. Select one polarity; a pair is
        ``(vector_map(plus).B - vector_map(minus).B) / 2``.
    defect : Defect
        Its D, E, g and nuclei.
    azimuth : float, optional
        Angle of the field about c from the first E axis (rad). Without it Bz is the middle of the possible range;
        |B| does not depend on it.
    bias : (3,) array_like, optional
        Bias field (T): the sign of the part along c, and what the part across c does to the hyperfine shifts. By
        default from the attributes.
    correction : HyperfineCorrection, optional
        As in `temperature_map`. Without it some 0.5 MHz stay in the lines, which are 60 uT near 8 mT.

    Returns
    -------
    xarray.Dataset
        A map with `B` (component z) and `B_err`, `magnitude` and `magnitude_err` (T), and `azimuth_error`, half the
        range of |Bz| that all azimuths allow (T; 0 with an azimuth). NaN, with the flag "no_field", where no field
        gives such lines: with a field along c noise alone does that to half the pixels, which `field_map`
        serves better.

    Raises
    ------
    LayoutError
        If the fit has no two lines, or a polarity.
    ValueError
        If the sign of the bias along c is unknown.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
    >>> fit = analysis.fit_sweep(analysis.unmix(sweep), covariance=True)
    >>> vector = vector_map(fit, VB14N.at(D=3.46e9))                     # 10 MHz too low: read as a part across c
    >>> bool((vector.magnitude > vector.B.sel(component="z")).all())
    True
    """
    require(fit, "fit")
    if not isinstance(defect, Defect):
        raise TypeError(f"defect is {defect!r:.80}; give a vbsense.Defect, such as vbsense.VB14N")
    if "polarity" in fit["flags"].dims:
        raise LayoutError("the fit has the dimension 'polarity'; select one, with .sel(polarity=1)")
    table = expected_lines(fit, defect, bias=bias, correction=correction)
    lower, upper = fit["center_lower"].values, fit["center_upper"].values
    half = (upper - lower) / 2
    shift1, slope1 = table.interpolate(table.lower - table.electron[:, 0], half)
    shift2, slope2 = table.interpolate(table.upper - table.electron[:, 1], half)
    f1, f2 = lower - shift1, upper - shift2
    size, along = field_from_lines(f1, f2, defect, azimuth=azimuth)
    errors = []
    for by1, by2 in zip(*(_derivatives(f1, f2, k, defect, azimuth) for k in (0, 1)), strict=True):
        gradient = {
            "center_lower": by1 * (1 + slope1 / 2) + by2 * slope2 / 2,
            "center_upper": by2 * (1 - slope2 / 2) - by1 * slope1 / 2,
        }
        errors.append(np.sqrt(variance_of(fit, gradient)))
    flags = fit["flags"].values | np.where(np.isnan(half) | ~np.isnan(f1), 0, FLAGS["outside_correction"].bit)
    flags = flags | np.where(np.isnan(size) & np.isfinite(f1), FLAGS["no_field"].bit, 0)
    result = as_map(fit, sign_along_c(fit, bias) * along, errors[1], flags)
    dims = result["B"].dims[1:]
    result["magnitude"] = (dims, size, {"units": "T", "long_name": "|B|"})
    result["magnitude_err"] = (dims, errors[0], {"units": "T"})
    low, high = field_range_from_lines(f1, f2, defect)
    spread = np.where(np.isnan(size), np.nan, (high - low) / 2 if azimuth is None else 0.0)
    result["azimuth_error"] = (dims, spread, {"units": "T", "long_name": "half the range of |Bz| over all azimuths"})
    return result


def _derivatives(f1: np.ndarray, f2: np.ndarray, line: int, defect: Defect, azimuth: Any) -> tuple[Any, Any]:
    """Derivatives of |B| and |Bz| by one of the electron lines (T/Hz)."""
    step = _STEP * np.eye(2)[line]
    above = field_from_lines(f1 + step[0], f2 + step[1], defect, azimuth=azimuth)
    below = field_from_lines(f1 - step[0], f2 - step[1], defect, azimuth=azimuth)
    return (above[0] - below[0]) / (2 * _STEP), (above[1] - below[1]) / (2 * _STEP)
