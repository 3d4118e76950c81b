"""From a field map to the current density below it: the smoothest one, the sharpest one, or one filter of waves."""

from __future__ import annotations

from typing import Any

import xarray as xr

from vbsense._names import choices
from vbsense.analysis._currentsheet import Found, make_sheet
from vbsense.analysis._sheetinput import Below, read_map
from vbsense.analysis._sheetmethods import Wishes, sharpest, smoothest
from vbsense.analysis.inversion.footprint import check_standoff
from vbsense.optics import SensorArray

__all__ = ["current_density"]

METHODS = ("hann", "tikhonov", "tv", "wiener")


def current_density(
    field: xr.Dataset,
    *,
    standoff: float,
    method: str = "tikhonov",
    regularisation: str | float | None = None,
    thickness: float = 0.0,
    depth: float | None = None,
    footprint: float | None = None,
    mask: Any = None,
    positive: str = "",
    offset: Any = "median",
    margin: float | None = None,
    cell: float | None = None,
    array: SensorArray | None = None,
    samples: int | None = None,
    rng: Any = 0,
    **options: Any,
) -> xr.Dataset:
    """Current density of a thin conductor from the field above it.

    Parameters
    ----------
    field : xarray.Dataset
        Map of B on pixels, which need not be square, or on sensor sites, with component z, or x and y, or all. Values
        that are not finite count as not measured, and so do those whose errors are not above zero; the current below
        them follows from their neighbours. Without `B_err` the noise of pixels is taken from their second differences.
        Of sites, `site_correlation` is used.
    standoff : float
        From the top face of the conductor to the mean depth of the emitters (m).
    method : {"tikhonov", "tv", "hann", "wiener"}
        "tikhonov": the smoothest current, least ``|grad J|^2``; linear. "tv": least total variation ``|grad J|``, for
        conductors of even density with sharp edges. "hann", "wiener": filters of the waves of the window, see
        `fourier_current`.
    regularisation : {"morozov", "gcv"} or float, optional
        How much a rough current costs. "morozov": as much as makes chi-squared the number of data. "gcv" (tikhonov on
        pixels): generalised cross-validation, which trusts no errors. Or a number: the factor of the sum over cells
        of ``|h grad J / J1|^2`` beside chi-squared (tikhonov), of ``|h grad J / J1|`` beside half of it (tv); h is the
        side of a cell, J1 = 2 sigma / mu0, sigma the median error. By default "gcv" for tikhonov on pixels, else
        "morozov".
    thickness : float
        Of the conductor, evenly filled (m).
    depth : float, optional
        Thickness of the layer of emitters (m); by default that of the array, for pixels 0.
    footprint : float, optional
        Side of the square over which a pixel averages the field (m): by default the pixel itself; 0 for points.
    mask : array_like of bool, (y, x), optional
        Where a conductor is. There is no current elsewhere in the map, and what Bz cannot see is settled; J may jump at
        its edges at no cost. Beyond the map it is continued from the border.
    positive : {"", "x", "y", "xy"}
        Components of J that are not negative within the map.
    offset : {"median", "none"}, mask, or mapping
        What stands in for the uniform current that Bz cannot see: J such that its median is zero, for conductors on
        less than half of the map; nothing; a mask (y, x) that is true where no current flows; or net currents through
        the map, ``{"y": 1e-3}`` in A. Not with `mask` or `positive`.
    margin : float, optional
        Width of the frame around the map in which currents flow freely (m): by default half of the map, and at least
        four stand-offs.
    cell : float, optional
        For sites: side of a cell of the result (m), by default about half of a stand-off.
    array : SensorArray, optional
        For sites: size, shape and rotation of the spots; by default from the attributes of the map.
    samples : int, optional
        Repetitions with new noise, from which `J_err` follows: by default 16 where the method is linear (all solved at
        once), else 0, which gives no `J_err`. Each costs as much as the result.
    rng : int or numpy.random.Generator
        For the samples.
    **options
        Of `fourier_current`: cutoff, prior, padding.

    Returns
    -------
    xarray.Dataset
        A map of `J` (component x and y, A/m), `J_err`, `J_samples` (sample, component, y, x), deviations of the
        repetitions from which `net_current` has its errors, and `mask` if one was given. Attributes say how it was
        found (`describe_current` puts them in words): ``user_method``, ``user_standoff``, ``user_regularisation``,
        ``user_weight``, ``user_chi2`` (over the number of data), ``user_resolution`` (tikhonov: half of the wavelength
        of which half comes through, m), ``user_noise``, ``user_noise_from``, ``user_offset`` (uniform field, fitted and
        taken off, T), ``user_uniform`` and ``user_uniform_current`` (what was added for the uniform current, A/m).

    Raises
    ------
    LayoutError
        If the map has no field, or neither z nor both x and y, or sites without errors or of unknown size.
    ValueError
        If a length is senseless, the stand-off unknown, a name unknown, a mask empty or of another shape, the
        regularisation negative, or fewer than 16 values are measured.

    Warns
    -----
    UserWarning
        If no current explains the field to within its errors: the stand-off or the mask is wrong, or the errors are
        too small.

    Notes
    -----
    J is the curl of a stream function on a domain larger than the map, so that charge is conserved and currents may
    cross the border; the field is fitted only where it was measured, with a free uniform field on top. In the domain,
    which repeats itself, currents outside of the map close the circuit.

    `J_err` is how much noise moves the result. It does not hold what the regularisation takes away (edges are as wide
    as ``user_resolution``), nor the uniform current, which is as right as the rule that set it; within a resolution of
    the border the current is uncertain by what may flow outside.

    Relative error in L2, for 1 mA in traces of 0.6 to 1.2 um, 100 nm pixels, 2 uT of noise, 100 / 500 nm of stand-off:
    tikhonov 0.12 / 0.24 (a straight one), 0.11 / 0.26 (a U), 0.09 / 0.32 (a meander); tv 0.06 / 0.05, 0.09 / 0.10,
    0.05 / 0.12; tv with a mask 0.01 / 0.01, 0.02 / 0.05, 0.02 / 0.06. A current of smoothly varying density comes out
    no better with tv; if it crosses the border at an angle, better with tikhonov.

    Examples
    --------
    >>> import numpy as np
    >>> import vbsense as vb
    >>> y, x = np.mgrid[:40, :40] * 100e-9
    >>> ribbon = vb.Ribbon((1.95e-6, -1e-3, 0), (1.95e-6, 1e-3, 0), width=1e-6, current=1e-3)
    >>> Bz = ribbon.field(np.stack([x, y, np.full_like(x, 100e-9)], axis=-1))[..., 2]
    >>> Bz = Bz + np.random.default_rng(1).normal(0, 2e-6, Bz.shape)
    >>> field = vb.make_map(Bz, pixel_size=100e-9, error=np.full(Bz.shape, 2e-6))
    >>> sheet = current_density(field, standoff=100e-9, method="tv", footprint=0)
    >>> along = sheet.J.sel(component="y").isel(y=20)              # 1 kA/m in the ribbon, 0 beside it
    >>> (along.values[[5, 19, 35]] / 1e3).round(1) + 0.0
    array([0., 1., 0.])
    """
    if method not in METHODS:
        raise ValueError(f"method: unknown {method!r}; {choices(method, METHODS)}")
    check_standoff(standoff)
    if method in ("hann", "wiener"):
        given = {"regularisation": regularisation, "mask": mask, "positive": positive or None, "margin": margin,
                 "cell": cell, "array": array, "samples": samples}  # fmt: skip
        return _filtered(field, standoff, method, thickness, depth, footprint, offset, given, options)
    if options:
        name = next(iter(options))
        raise TypeError(f"current_density got an unexpected argument {name!r} for method={method!r}")
    below = read_map(
        field, standoff=standoff, thickness=thickness, depth=depth, footprint=footprint, margin=margin, cell=cell,
        array=array,
    )  # fmt: skip
    wishes = Wishes.check(below, method, regularisation, mask, positive, offset, samples, rng)
    found = _invert(below, wishes)
    return make_sheet(field, below, wishes, found)


def _invert(below: Below, wishes: Wishes) -> Found:
    if wishes.method == "tikhonov" and wishes.mask is None and not wishes.positive:
        return smoothest(below, wishes)
    return sharpest(below, wishes)


def _filtered(
    field: xr.Dataset, standoff: float, method: str, thickness: float, depth: Any, footprint: Any, offset: Any,
    given: dict[str, Any], options: dict[str, Any],
) -> xr.Dataset:  # fmt: skip
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} is for 'tikhonov' and 'tv'; method is {method!r}")
    from vbsense.analysis.fouriercurrent import fourier_current

    return fourier_current(
        field, standoff=standoff, method=method, thickness=thickness, depth=depth or 0.0, footprint=footprint,
        offset=offset, **options,
    )  # fmt: skip
