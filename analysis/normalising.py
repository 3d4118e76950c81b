"""Light divided by the reference: drifts of the laser leave, and the noise of the reference comes in."""

from __future__ import annotations

import xarray as xr

from vbsense.analysis.regions import mark_saturated
from vbsense.averaging import frames
from vbsense.data import LayoutError
from vbsense.layout import check_layout, require

__all__ = ["normalise"]


def normalise(sweep: xr.Dataset) -> xr.Dataset:
    """Divide the signal by the reference, point by point, and state the errors of the quotients.

    Parameters
    ----------
    sweep : xarray.Dataset
        With `reference`: the same exposures with the drive off.

    Returns
    -------
    xarray.Dataset
        `signal` times the mean of the reference over the frequencies divided by the reference, so that it stays in
        electrons; `signal_err` with the noise of both. `reference` is gone. Where the light is steady the fit of the
        result has errors about 1.4 times those of the signal alone: normalise what drifts.

    Raises
    ------
    LayoutError
        If there is no reference, or neither frames nor errors tell the noise.

    Notes
    -----
    One sigma is ``sqrt(var(s)/s^2 + var(r)/r^2)`` of the quotient s/r, with
    ``var = (excess_noise s + read_noise^2) / frames``, or from `signal_err`, which is taken to grow with the root of
    the light. The mean of the reference is one factor of all points: its error is not counted. Dark counts per point,
    below some hundred, make weights from noisy values; fit signal and reference by themselves then. Points where the
    reference is not positive become NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from vbsense.data import make_sweep
    >>> drift = np.linspace(1.0, 1.2, 5)[:, None, None] * np.full((5, 2, 3), 1000.0)
    >>> sweep = make_sweep(0.9 * drift, np.linspace(3e9, 4e9, 5), pixel_size=1e-7, reference=drift, frames=10)
    >>> flat = normalise(sweep)
    >>> flat.signal[:, 0, 0].values.round(6).tolist(), round(float(flat.signal_err[0, 0, 0]), 2)
    ([990.0, 990.0, 990.0, 990.0, 990.0], 14.38)
    """
    require(sweep, "sweep")
    if "reference" not in sweep:
        raise LayoutError("the sweep has no 'reference', the light with the drive off: there is nothing to divide by")
    sweep = mark_saturated(sweep)
    signal, reference = sweep["signal"].astype(float), sweep["reference"].astype(float)
    variances = _variances(sweep, signal, reference)
    reference = reference.where(reference > 0)
    level = reference.mean("frequency")
    quotient = (signal / reference * level).transpose(*signal.dims)
    slope = level / reference
    error = (slope**2 * variances[0] + (quotient / reference) ** 2 * variances[1]).transpose(*signal.dims) ** 0.5
    result = sweep.drop_vars([name for name in ("reference", "signal_err") if name in sweep])
    result["signal"] = quotient.astype(sweep["signal"].dtype).assign_attrs(sweep["signal"].attrs)
    result["signal_err"] = error.astype(sweep["signal"].dtype).assign_attrs(units="electron")
    return check_layout(result)


def _variances(sweep: xr.Dataset, signal: xr.DataArray, reference: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Of the signal and of the reference (electron^2)."""
    if "signal_err" in sweep:
        variance = sweep["signal_err"].astype(float) ** 2
        return variance, variance * reference / signal.where(signal > 0)
    if "frames" not in sweep and "frames" not in sweep.attrs:
        raise LayoutError("the sweep has neither 'frames' nor 'signal_err'; the noise of a quotient needs one of them")
    excess, read = (float(sweep.attrs.get(k, v)) for k, v in (("excess_noise", 1.0), ("read_noise", 0.0)))
    count = frames(sweep)
    count = count.where(count > 0)
    one, other = ((excess * light.clip(min=0) + read**2) / count for light in (signal, reference))
    return one, other
