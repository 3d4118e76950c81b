"""The layouts: what a sweep, a fit and a map look like. Only this module knows them.

A sweep has dimensions ``(..., frequency, y, x)``, or ``(..., frequency, site)`` for a sensor array after extraction; a
fit has those without ``frequency``; a map has ``(component, ..., y, x)`` or ``(component, ..., site)``, one of
temperatures ``(..., y, x)`` or ``(..., site)``. Every variable and coordinate carries ``attrs["units"]``, all SI, with
``electron`` for camera signals. Row 0 is the smallest y.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from vbsense.averaging import average, frames
from vbsense.flags import attributes as flag_attributes
from vbsense.layout import ATTRIBUTES, FIT, MAP, SWEEP, UNITS, LayoutError, check_frequency
from vbsense.layout import check_layout as check
from vbsense.scene import Scene

__all__ = [
    "LayoutError",
    "Scene",
    "average",
    "check",
    "frames",
    "make_fit",
    "make_map",
    "make_site_map",
    "make_site_sweep",
    "make_sweep",
]


def make_sweep(
    signal: Any,
    frequency: Any,
    *,
    pixel_size: float,
    reference: Any = None,
    coords: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Build a sweep of camera images.

    Parameters
    ----------
    signal : array_like, (..., frequency, y, x)
        Mean electrons per exposure, dark level subtracted.
    frequency : array_like, (n,)
        Microwave frequencies, ascending (Hz).
    pixel_size : float
        Pixel size on the sample (m).
    reference : array_like, optional
        The same with the drive off.
    coords : mapping, optional
        Leading dimensions in order, for example ``{"polarity": [1, -1], "direction": ["up", "down"]}``.
    **attributes
        See `ATTRIBUTES`; own ones start with ``user_``.

    Returns
    -------
    xarray.Dataset
        With schema ``vbsense.sweep/1``.

    Raises
    ------
    LayoutError
        If shapes, frequencies or attributes do not fit; the message names the value and the remedy.

    Examples
    --------
    >>> import numpy as np
    >>> sweep = make_sweep(np.ones((11, 4, 5)), np.linspace(3.2e9, 3.7e9, 11), pixel_size=1e-7, exposure=0.1)
    >>> sweep.signal.dims, sweep.x.attrs["units"]
    (('frequency', 'y', 'x'), 'm')
    """
    leading = dict(coords or {})
    dims = (*leading, "frequency", "y", "x")
    signal = _as_signal("signal", signal, dims)
    _check_pixel_size(pixel_size)
    axes = {"y": np.arange(signal.shape[-2]) * pixel_size, "x": np.arange(signal.shape[-1]) * pixel_size}
    data = {"signal": (dims, signal, {"units": "electron"})}
    if reference is not None:
        data["reference"] = (dims, _as_signal("reference", reference, dims), {"units": "electron"})
    return check(
        _build(SWEEP, data, leading | {"frequency": frequency} | axes, attributes | {"pixel_size": pixel_size})
    )


def make_site_sweep(
    signal: Any,
    frequency: Any,
    *,
    x: Any,
    y: Any,
    row: Any,
    column: Any,
    error: Any = None,
    coords: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Build a sweep of sensor sites.

    Parameters
    ----------
    signal : array_like, (..., frequency, site)
        Mean electrons per exposure of each site.
    frequency : array_like, (n,)
        Microwave frequencies, ascending (Hz).
    x, y : array_like, (site,)
        Positions (m).
    row, column : array_like, (site,)
        Lattice indices.
    error : array_like, (..., frequency, site), optional
        One sigma of `signal` (electron).
    coords, **attributes
        As in `make_sweep`.

    Returns
    -------
    xarray.Dataset
        With schema ``vbsense.sweep/1``.

    Examples
    --------
    >>> import numpy as np
    >>> n = np.arange(6)
    >>> sites = make_site_sweep(np.ones((11, 6)), np.linspace(3e9, 4e9, 11), x=n * 1e-7, y=0 * n, row=0 * n, column=n)
    >>> dict(sites.sizes)
    {'frequency': 11, 'site': 6}
    """
    leading = dict(coords or {})
    dims = (*leading, "frequency", "site")
    data = {"signal": (dims, _as_signal("signal", signal, dims), {"units": "electron"})}
    if error is not None:
        data["signal_err"] = (dims, _as_signal("error", error, dims), {"units": "electron"})
    sites = {
        name: ("site", np.asarray(values)) for name, values in (("x", x), ("y", y), ("row", row), ("column", column))
    }
    return check(_build(SWEEP, data, leading | {"frequency": frequency} | sites, attributes))


def make_fit(
    values: Mapping[str, np.ndarray],
    errors: Mapping[str, np.ndarray],
    sweep: xr.Dataset,
    *,
    flags: np.ndarray,
    reduced_chi2: np.ndarray,
    units: Mapping[str, str],
    covariance: np.ndarray | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Build a fit with the dimensions of `sweep` without ``frequency``.

    Parameters
    ----------
    values, errors : mapping of str to ndarray
        Parameters and their 1-sigma errors, each with the dimensions of the sweep without ``frequency``.
    sweep : xarray.Dataset
        What was fitted; its coordinates, attributes and `site_correlation` are kept, its frequencies in
        ``attrs["frequency"]``.
    flags : ndarray of uint16
        Bits of `vbsense.flags.FLAGS`.
    reduced_chi2 : ndarray
        Chi-squared per degree of freedom.
    units : mapping of str to str
        Unit of each parameter.
    covariance : ndarray, (..., parameter, parameter2), optional
        In products of the parameters' units.
    **attributes
        Added to those of the sweep, for example ``model="gaussian"``.

    Returns
    -------
    xarray.Dataset
        With schema ``vbsense.fit/1``.
    """
    dims = tuple(dim for dim in sweep["signal"].dims if dim != "frequency")
    data: dict[str, Any] = {}
    for name, value in values.items():
        data[name] = (dims, value, {"units": units[name]})
        data[f"{name}_err"] = (dims, errors[name], {"units": units[name]})
    data["reduced_chi2"] = (dims, reduced_chi2, {"units": "1"})
    data["flags"] = (dims, np.asarray(flags, dtype=np.uint16), flag_attributes())
    if "site_correlation" in sweep:
        data["site_correlation"] = sweep["site_correlation"].variable
    coords = {name: c for name, c in sweep.coords.items() if "frequency" not in c.dims}
    if covariance is not None:
        names = list(values)
        coords |= {"parameter": names, "parameter2": names}
        data["covariance"] = ((*dims, "parameter", "parameter2"), covariance, {"units": "1"})
        data["covariance"][2]["comment"] = "in products of the units of the two parameters"
    dataset = xr.Dataset(data, coords=coords)
    kept = {name: value for name, value in sweep.attrs.items() if name != "schema"}
    dataset.attrs = {"schema": FIT} | kept | {"frequency": sweep["frequency"].values.copy()} | attributes
    return check(dataset)


def make_map(
    B: Any,
    *,
    pixel_size: float,
    error: Any = None,
    component: str = "z",
    coords: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Build a map of one field component on a pixel grid.

    Parameters
    ----------
    B : array_like, (..., y, x)
        Magnetic flux density (T).
    pixel_size : float
        Pixel size on the sample (m).
    error : array_like, (..., y, x), optional
        One sigma (T).
    component : {"x", "y", "z"}
        Which component `B` holds.
    coords : mapping, optional
        Leading dimensions in order, for example ``{"sweep": range(10)}``.
    **attributes
        See `ATTRIBUTES`.

    Returns
    -------
    xarray.Dataset
        With schema ``vbsense.map/1`` and dimensions ``(component, ..., y, x)``.

    Examples
    --------
    >>> import numpy as np
    >>> make_map(np.zeros((3, 4)), pixel_size=1e-7).B.sizes["component"]
    1
    >>> make_map(np.zeros((2, 3, 4)), pixel_size=1e-7, coords={"temperature": [290.0, 300.0]}).B.dims
    ('component', 'temperature', 'y', 'x')
    """
    B, leading = _as_field("B", B), dict(coords or {})
    if B.ndim != len(leading) + 2 or B.size == 0:
        raise LayoutError(f"B has shape {B.shape}; a map needs {_named(leading, 'y', 'x')}, none of them empty")
    _check_pixel_size(pixel_size)
    axes = {"y": np.arange(B.shape[-2]) * pixel_size, "x": np.arange(B.shape[-1]) * pixel_size}
    return _make_map(B, error, component, (*leading, "y", "x"), leading | axes, attributes | {"pixel_size": pixel_size})


def make_site_map(
    B: Any,
    *,
    sites: xr.Dataset,
    error: Any = None,
    component: str = "z",
    coords: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Build a map of one field component on sensor sites.

    Parameters
    ----------
    B : array_like, (..., site)
        Magnetic flux density (T).
    sites : xarray.Dataset
        A sweep, fit or map that has the coordinates of the sites.
    error, component, coords, **attributes
        As in `make_map`.

    Returns
    -------
    xarray.Dataset
        With schema ``vbsense.map/1`` and dimensions ``(component, ..., site)``.
    """
    missing = [name for name in ("x", "y", "row", "column") if name not in sites.coords]
    if missing:
        raise LayoutError(f"sites has no coordinate {missing[0]!r}; a map of sites needs x, y, row and column")
    axes = {name: ("site", sites[name].values) for name in ("x", "y", "row", "column")}
    B, leading = _as_field("B", B), dict(coords or {})
    if B.ndim != len(leading) + 1 or B.shape[-1] != sites.sizes["site"] or B.size == 0:
        raise LayoutError(f"B has shape {B.shape}; the sites are {sites.sizes['site']}: give {_named(leading, 'site')}")
    return _make_map(B, error, component, (*leading, "site"), leading | axes, attributes)


def _named(leading: Mapping[str, Any], *tail: str) -> str:
    """Dimensions as a tuple is written."""
    return "(" + ", ".join((*leading, *tail)) + ("," if len(leading) + len(tail) == 1 else "") + ")"


def _make_map(
    B: np.ndarray, error: Any, component: str, dims: tuple[str, ...], axes: dict[str, Any], attributes: dict[str, Any]
) -> xr.Dataset:
    if component not in ("x", "y", "z"):
        raise LayoutError(f"component is {component!r}; it is one of 'x', 'y', 'z'")
    data = {"B": (("component", *dims), B[None], {"units": "T"})}
    if error is not None:
        error = _as_field("error", error)
        if error.shape != B.shape:
            raise LayoutError(f"error has shape {error.shape}; B has {B.shape}")
        data["B_err"] = (("component", *dims), error[None], {"units": "T"})
    return check(_build(MAP, data, {"component": [component]} | axes, attributes))


def _as_signal(name: str, values: Any, dims: tuple[str, ...]) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise LayoutError(f"{name} has dtype {values.dtype}; it must hold real numbers")
    if values.ndim != len(dims) or values.size == 0:
        raise LayoutError(f"{name} has shape {values.shape}; it must have the dimensions {dims}, none of them empty")
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)


def _as_field(name: str, values: Any) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise LayoutError(f"{name} has dtype {values.dtype}; it must hold real numbers in T")
    return values.astype(float)


def _check_pixel_size(pixel_size: Any) -> None:
    if not (isinstance(pixel_size, Real) and np.isfinite(float(pixel_size)) and float(pixel_size) > 0):
        raise LayoutError(
            f"pixel_size is {pixel_size!r}; give the pixel size on the sample in metres, for example 1e-7"
        )


def _build(schema: str, data: dict[str, Any], axes: dict[str, Any], attributes: dict[str, Any]) -> xr.Dataset:
    for name in attributes:
        if name not in ATTRIBUTES and not name.startswith(("user_", "truth_")):
            near = difflib.get_close_matches(name, ATTRIBUTES, n=1) or [known for known in ATTRIBUTES if name in known]
            hint = f"did you mean {near[0]!r}?" if near else "start your own names with 'user_'"
            raise LayoutError(f"unknown attribute {name!r}; {hint}")
    for name, (dims, *_) in data.items():
        if len(set(dims)) < len(dims):
            raise LayoutError(f"{name} would have the dimensions {dims}; give each leading one a name of its own")
    if schema == SWEEP:
        axes = axes | {"frequency": check_frequency(axes["frequency"])}
    try:
        dataset = xr.Dataset(data, coords=axes)
    except ValueError as error:
        raise LayoutError(f"shapes do not fit: {error}") from error
    for coordinate in dataset.coords.values():
        if str(coordinate.name) in UNITS:
            coordinate.attrs["units"] = UNITS[str(coordinate.name)]
    dataset.attrs = {"schema": schema} | {k: v for k, v in attributes.items() if v is not None}
    return dataset
