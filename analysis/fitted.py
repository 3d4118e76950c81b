"""What a fit holds: its model, the values of its parameters, and how their errors hang together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from vbsense import defect as presets
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.lineshape import HAMILTONIAN, Model, get_model, with_baseline

__all__ = ["covariance_of", "drive_of", "hamiltonian_of", "model_of", "parameters_of", "variance_of"]


def model_of(fit: xr.Dataset, defect: Defect | None = None) -> Model:
    """Return the model that a fit was made with.

    Parameters
    ----------
    fit : xarray.Dataset
        Of a model that has a name; its frequencies and its drive are those of the Hamiltonian model.
    defect : Defect, optional
        Of the Hamiltonian model, if it is no preset that the attributes of the fit name; by default VB14N.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If the name of the model or of the defect is not known: it was one of your own.

    Examples
    --------
    >>> model_of(xr.Dataset(attrs={"model": "gaussian+shared_fwhm"})).parameters[3]
    'fwhm'
    """
    name = str(fit.attrs.get("model", "gaussian"))
    if name.split("+")[0] not in HAMILTONIAN:
        return get_model(name)
    frequency = np.asarray(fit.attrs.get("frequency", 0.0))
    return hamiltonian_of(name, _defect_of(fit, VB14N if defect is None else defect), drive_of(fit), frequency)


def hamiltonian_of(name: str, defect: Defect, drive: np.ndarray, frequency: np.ndarray) -> Model:
    """The Hamiltonian model of a name such as "hamiltonian+baseline", made for these frequencies.

    Examples
    --------
    >>> hamiltonian_of("hamiltonian_gaussian", VB14N, np.array([1.0, 0, 0]), np.linspace(3e9, 4e9, 101)).shape
    'gaussian'
    """
    from vbsense.groundstate.effective import E_RANGE, hamiltonian_model

    first, *more = name.split("+")
    axis = frequency if frequency.size > 1 else None
    span = E_RANGE if "E" in more else None
    model: Model = hamiltonian_model(defect, drive, HAMILTONIAN[first], frequency=axis, E_range=span)
    for part in (part for part in more if part != "E"):
        if part != "baseline":
            raise ValueError(f"{part!r} cannot be added to the model {first!r}; only 'E' and 'baseline' can")
        model = with_baseline(model)
    return model


def _defect_of(fit: xr.Dataset, given: Defect) -> Defect:
    """The defect of a fit by its name, or the given one if that has the name or the fit has none."""
    name = fit.attrs.get("defect", given.name)
    if name == given.name:
        return given
    if name not in presets.__all__ or not isinstance(getattr(presets, str(name)), Defect):
        raise ValueError(f"the fit was made with the defect {name!r}; give it, the one given is {given.name!r}")
    return getattr(presets, str(name))


def drive_of(fit: xr.Dataset) -> np.ndarray:
    """Direction of the microwave field (3,): along x where the attributes do not say; complex where they hold six.

    Raises
    ------
    LayoutError
        If the attribute ``drive`` holds anything but 3 real numbers, or 3 real parts and 3 imaginary ones.

    Examples
    --------
    >>> drive_of(xr.Dataset(attrs={"drive": [1.0, 0, 0, 0, 1.0, 0]})).tolist()
    [(1+0j), 1j, 0j]
    """
    given = fit.attrs.get("drive", (1.0, 0.0, 0.0))
    numbers = np.asarray(given)
    if numbers.dtype.kind not in "fiuc" or numbers.shape not in ((3,), (6,)) or not np.isfinite(numbers).all():
        raise LayoutError(f"attribute 'drive' is {given!r}; it must be 3 numbers, or 3 real and 3 imaginary")
    return numbers[:3] + 1j * numbers[3:] if numbers.size == 6 else numbers


def parameters_of(fit: xr.Dataset, model: Model) -> np.ndarray:
    """Values of all parameters, ``(..., parameter)`` in the order of the model."""
    return np.stack([fit[name].values for name in model.parameters], -1)


def covariance_of(fit: xr.Dataset, first: Mapping[str, Any], second: Mapping[str, Any] | None = None) -> np.ndarray:
    """Covariance of two functions of the fitted parameters.

    Parameters
    ----------
    fit : xarray.Dataset
        With the variable ``covariance`` where it was asked for; without it the errors of the parameters count as
        independent.
    first, second : mapping of str to ndarray
        Derivatives of either function by the parameters that it depends on, in the shape of the fit or as numbers.
        Without `second` the result is the variance of the first.

    Returns
    -------
    ndarray
        In the shape of the fit, in the product of the units.

    Examples
    --------
    >>> fit = xr.Dataset({"flags": ("site", [0]), "a_err": ("site", [3.0]), "b_err": ("site", [4.0])})
    >>> covariance_of(fit, {"a": 1.0, "b": -1.0}).tolist()
    [25.0]
    >>> fit["covariance"] = (("site", "parameter", "parameter2"), [[[9.0, 6.0], [6.0, 16.0]]])
    >>> covariance_of(fit.assign_coords(parameter=["a", "b"], parameter2=["a", "b"]), {"a": 1.0, "b": -1.0}).tolist()
    [13.0]
    """
    second = first if second is None else second
    if "covariance" in fit:
        missing = sorted({*first, *second} - set(fit["covariance"]["parameter"].values.tolist()))
        if missing:
            raise LayoutError(f"the covariance of the fit has no {missing[0]!r}; drop it, or fit again with all")
    dims = fit["flags"].dims
    total = np.zeros(fit["flags"].shape)
    for one, slope in first.items():
        for other, slope2 in second.items():
            if "covariance" in fit:
                mixed = fit["covariance"].sel(parameter=one, parameter2=other).transpose(*dims).values
            elif one == other:
                mixed = fit[f"{one}_err"].values ** 2
            else:
                continue
            total = total + slope * slope2 * mixed
    return total


def variance_of(fit: xr.Dataset, gradient: Mapping[str, Any]) -> np.ndarray:
    """Variance of a function of the fitted parameters; see `covariance_of`."""
    return covariance_of(fit, gradient)
