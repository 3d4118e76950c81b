"""Where the lines of electron and nuclei are expected, against those of the bare electron."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.correction import HyperfineCorrection
from vbsense.analysis.fitted import drive_of
from vbsense.data import LayoutError, make_site_sweep
from vbsense.defect import Defect

__all__ = ["ExpectedLines", "expected_lines", "transverse_bias"]

_NODES = 33
_CONTRAST, _ERROR, _ITERATIONS = 0.05, 1e-4, 1000  # of the noise-free spectra, which depend on none of them


@dataclass(frozen=True)
class ExpectedLines:
    """Lines that are expected in fields with one transverse part and any part along c.

    Attributes
    ----------
    half : ndarray, (n,)
        Ascending halves of the splitting (Hz).
    lower, upper : ndarray, (n,)
        Centres (Hz).
    electron : ndarray, (n, 2)
        Lines of the bare electron in the same fields (Hz).
    """

    half: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    electron: np.ndarray

    def interpolate(self, values: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`values` (n,) at measured halves of the splitting, and their slope; NaN outside the table."""
        from scipy.interpolate import CubicSpline

        spline = CubicSpline(self.half, values, extrapolate=False)
        return spline(half), spline(half, 1)


def transverse_bias(fit: xr.Dataset, bias: Any) -> np.ndarray:
    """Parts of the bias across c (T), ``(2,)``: of the argument, of the attributes, else zero."""
    bias = fit.attrs.get("bias_field", (0.0, 0.0, 0.0)) if bias is None else bias
    vector = np.asarray(bias, dtype=float)
    if vector.shape != (3,) or not np.isfinite(vector).all():
        raise ValueError(f"bias is {vector.tolist()!r}; give three finite components in T")
    return vector[:2]


def expected_lines(
    fit: xr.Dataset, defect: Defect, *, bias: Any = None, correction: HyperfineCorrection | None = None
) -> ExpectedLines:
    """Tabulate the lines over the splittings of a fit.

    Parameters
    ----------
    fit : xarray.Dataset
        Of two lines.
    defect : Defect
        With its nuclei.
    bias : (3,) array_like, optional
        Its part across c is that of all fields.
    correction : HyperfineCorrection, optional
        With it the lines are those that the model of the fit finds in exact spectra of its linewidth; without it the
        centres of gravity of the two branches.

    Returns
    -------
    ExpectedLines

    Raises
    ------
    LayoutError
        If the fit has no two lines, or none was found.
    """
    from vbsense.analysis.field import apparent_field
    from vbsense.spin import transitions

    missing = [name for name in ("center_lower", "center_upper") if name not in fit]
    if missing:
        raise LayoutError(f"the fit has no {missing[0]!r}; this needs a model of two lines, such as 'gaussian'")
    read = apparent_field(fit["center_lower"].values, fit["center_upper"].values, defect)
    if not np.isfinite(read).any():
        raise LayoutError("the fit holds no pixel with two lines further apart than 2 E")
    low, high = np.nanmin(read), np.nanmax(read)
    along = np.linspace(max(0.9 * low - 0.6e-3, 0.3e-3), 1.05 * high + 0.3e-3, _NODES)
    field = np.column_stack([np.broadcast_to(transverse_bias(fit, bias), (_NODES, 2)), along])
    lower, upper = _finder(fit, defect, correction)(field)
    half = (upper - lower) / 2
    # Below some field a model may no longer follow it: what is left is the branch that ends at the highest.
    bad = np.flatnonzero(~(np.diff(half) > 0))
    first = int(bad[-1]) + 1 if bad.size else 0
    if _NODES - first < 4:
        raise LayoutError("the lines do not follow the field here; use a bias near 10 mT along c")
    return ExpectedLines(half[first:], lower[first:], upper[first:], transitions(field, defect)[first:])


def _finder(
    fit: xr.Dataset, defect: Defect, correction: HyperfineCorrection | None
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    drive = drive_of(fit)
    if correction is None:
        from vbsense.spin import branch_centroids

        return lambda field: branch_centroids(field, defect, drive=drive)
    if correction.model != fit.attrs.get("model", "gaussian"):
        raise ValueError(f"the correction is one of {correction.model!r}, the fit of {fit.attrs.get('model')!r}")

    def refit(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from vbsense.analysis.fit import fit_sweep
        from vbsense.spin import spectrum

        frequency, n = np.asarray(fit.attrs["frequency"]), np.arange(len(field))
        depth = spectrum(frequency, field, defect, linewidth=correction.linewidth, method="exact", drive=drive)
        light = 1 - _CONTRAST * depth.T
        sites = make_site_sweep(light, frequency, x=n * 1.0, y=n * 0.0, row=n * 0, column=n,
                                error=np.full_like(light, _ERROR))  # fmt: skip
        again = fit_sweep(sites, correction.model, precision="double", threads=1, max_iterations=_ITERATIONS)
        return again["center_lower"].values, again["center_upper"].values

    return refit
