"""From fitted lines to the magnetic field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.correction import HyperfineCorrection
from vbsense.analysis.fieldlayout import as_map, sign_along_c, split_polarity
from vbsense.analysis.fitted import variance_of
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.flags import FLAGS
from vbsense.layout import require

__all__ = ["Reading", "apparent_field", "common_mode_map", "field_map", "read_field"]

# Hz: by how much D and the hyperfine structure may move both lines, and sigma that noise may, before they are taken for
# something else. The splitting tells the field whatever D is.
_SLACK, _SIGMA = 40e6, 5.0


def apparent_field(lower: Any, upper: Any, defect: Defect = VB14N) -> np.ndarray:
    """|Bz| from two line centres, ``sqrt(((f+ - f-)/2)^2 - E^2)/gamma``; NaN where the splitting is below 2 E.

    Exact for an electron spin in a field along c; fitted centres carry hyperfine shifts besides
    (see `hyperfine_correction`).

    Parameters
    ----------
    lower, upper : array_like
        Centres (Hz).
    defect : Defect
        Its E and g.

    Returns
    -------
    ndarray
        T.

    Examples
    --------
    >>> import vbsense as vb
    >>> float(apparent_field(*vb.transitions([0, 0, 5e-3])).round(9))
    0.005
    """
    square = ((np.asarray(upper, dtype=float) - np.asarray(lower, dtype=float)) / 2) ** 2 - defect.E**2
    return np.sqrt(np.where(square >= 0, square, np.nan)) / defect.gamma


def field_map(
    fit: xr.Dataset,
    defect: Defect = VB14N,
    *,
    bias: Any = None,
    correction: HyperfineCorrection | None = None,
) -> xr.Dataset:
    """Field along c of every pixel or site, with its error.

    Parameters
    ----------
    fit : xarray.Dataset
        Of a model with two lines, whatever else it has, or of the Hamiltonian model, whose `Bz` is taken as it is.
        With the dimension ``polarity`` the result is the field of the current at polarity +1, half the difference of
        the two, free of what both have in common.
    defect : Defect
        Its E and g.
    bias : (3,) array_like, optional
        Bias field (T), whose sign along c the field takes; by default from the attributes.
    correction : HyperfineCorrection, optional
        From `hyperfine_correction`; without it the shifts of the hyperfine structure stay in two lines. A fit of the
        Hamiltonian model needs none.

    Returns
    -------
    xarray.Dataset
        A map with `B` and `B_err` (T), component "z"; `flags` of the fits (either polarity), with "no_field" where both
        lines lie so low, or so high, that no field could have moved them there; with polarity also `B_common` and
        `B_common_err`, the mean of the two (see `common_mode_map`); `site_correlation` where the fit has it. Other
        leading dimensions of the fit, such as ``sweep``, stay. Errors hold the covariance of the two lines where the
        fit was made with ``covariance=True``.

    Raises
    ------
    LayoutError
        If the fit has no two lines and no field, a correction is given for the Hamiltonian model, or a polarity has
        no partner.
    ValueError
        If the sign of the bias along c is unknown.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
    >>> field = field_map(analysis.fit_sweep(analysis.unmix(sweep)))
    >>> field.B.dims, bool((abs(field.B - 10e-3) < 2e-3).all())
    (('component', 'site'), True)
    """
    own, common = _difference_and_mean(fit, defect, bias, correction)
    result = as_map(fit, own.B, np.sqrt(own.variance), own.flags)
    if common is not None:
        dims = result["B"].dims[1:]
        result["B_common"] = (dims, common.B, {"units": "T"})
        result["B_common_err"] = (dims, np.sqrt(common.variance), {"units": "T"})
    return result


def common_mode_map(
    fit: xr.Dataset,
    defect: Defect = VB14N,
    *,
    bias: Any = None,
    correction: HyperfineCorrection | None = None,
) -> xr.Dataset:
    """What the field has in common at +I and -I: the bias, and whatever else does not follow the current.

    Parameters
    ----------
    fit : xarray.Dataset
        With the dimension ``polarity``.
    defect, bias, correction
        As in `field_map`.

    Returns
    -------
    xarray.Dataset
        A map like that of `field_map`, of half the sum of the two. Its errors are those of the difference.

    Raises
    ------
    LayoutError
        If the fit has no pair of polarities, and as `field_map`.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> pair = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1,
    ...                            currents=(1e-3, -1e-3))
    >>> common = common_mode_map(analysis.fit_sweep(analysis.unmix(pair)))
    >>> bool(abs(common.B.mean() - 10e-3) < 0.2e-3)                      # the bias is 10 mT
    True
    """
    _, common = _difference_and_mean(fit, defect, bias, correction)
    if common is None:
        raise LayoutError(f"the fit has dimensions {fit['flags'].dims}; a common mode needs 'polarity' +1 and -1")
    return as_map(fit, common.B, np.sqrt(common.variance), common.flags)


@dataclass(frozen=True)
class Reading:
    """A field with its variance and flags, all in one shape."""

    B: np.ndarray  # T
    variance: np.ndarray  # T^2
    flags: np.ndarray


def _difference_and_mean(
    fit: xr.Dataset, defect: Defect, bias: Any, correction: HyperfineCorrection | None
) -> tuple[Reading, Reading | None]:
    """Half the difference and half the sum of the two polarities; without them the field itself and nothing."""
    require(fit, "fit")
    B, gradient, flags = read_field(fit, defect, correction)
    B, variance = sign_along_c(fit, bias) * B, variance_of(fit, gradient)
    variance = np.where(np.isnan(B), np.nan, variance)
    if "polarity" not in fit["flags"].dims:
        return Reading(B, variance, flags), None
    (plus, minus), (v_plus, v_minus), bits = (split_polarity(fit, values) for values in (B, variance, flags))
    spread, either = (v_plus + v_minus) / 4, bits[0] | bits[1]
    return Reading((plus - minus) / 2, spread, either), Reading((plus + minus) / 2, spread, either)


def read_field(
    fit: xr.Dataset, defect: Defect = VB14N, correction: HyperfineCorrection | None = None
) -> tuple[np.ndarray, Mapping[str, np.ndarray], np.ndarray]:
    """|Bz| of a fit, whichever way its model tells it.

    Parameters
    ----------
    fit : xarray.Dataset
        Of two lines, or with the parameter `Bz`.
    defect : Defect
        Its E and g.
    correction : HyperfineCorrection, optional
        See `field_map`.

    Returns
    -------
    B : ndarray
        T, in the shape of the fit.
    gradient : mapping of str to ndarray
        Derivatives by the parameters of the fit.
    flags : ndarray
        Those of the fit and those of this step.
    """
    if not isinstance(defect, Defect):
        raise TypeError(f"defect is {defect!r:.80}; give a vbsense.Defect, such as vbsense.VB14N")
    flags = fit["flags"].values
    if "Bz" in fit:
        if correction is not None:
            raise LayoutError("a fit of the Hamiltonian model holds the field already: leave the correction out")
        return fit["Bz"].values, {"Bz": np.ones(flags.shape)}, flags
    missing = [name for name in ("center_lower", "center_upper") if name not in fit]
    if missing:
        raise LayoutError(
            f"the fit has no {missing[0]!r}; a field needs a doublet model such as 'gaussian', or 'hamiltonian'"
        )
    B = apparent_field(fit["center_lower"].values, fit["center_upper"].values, defect)
    half = (fit["center_upper"].values - fit["center_lower"].values) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = half / (defect.gamma**2 * B)
    flags = flags | np.where(np.isnan(B) & np.isfinite(half), FLAGS["below_splitting"].bit, 0)
    flags = flags | np.where(_is_misplaced(fit, defect), FLAGS["no_field"].bit, 0)
    if correction is not None:
        slope = slope * correction.slope(B)
        corrected = correction.apply(B)
        flags = flags | np.where(np.isnan(corrected) & np.isfinite(B), FLAGS["outside_correction"].bit, 0)
        B = corrected
    return B, {"center_lower": -slope / 2, "center_upper": slope / 2}, flags


def _is_misplaced(fit: xr.Dataset, defect: Defect) -> np.ndarray:
    """Where the lines lie beyond what any field, the nuclei and an error of D explain.

    The mean of the lines is -3/2 of the lowest level, which no field brings above -2 D/3 (its mean in the state
    ``m_s = 0``): it is at least D. Fields across c raise it most, to D + 3 h + 3 E at half a splitting of h.
    """
    lower, upper = fit["center_lower"].values, fit["center_upper"].values
    above = (lower + upper) / 2 - defect.D
    most = 1.5 * (upper - lower) + 3 * abs(defect.E)
    with np.errstate(invalid="ignore"):
        beyond = np.maximum(-above, above - most) - _SLACK
    if not (beyond > 0).any():
        return np.zeros(above.shape, bool)
    return beyond > _SIGMA * np.sqrt(variance_of(fit, {"center_lower": 0.5, "center_upper": 0.5}))
