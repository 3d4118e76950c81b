"""From a field map to the conductors below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from vbsense._numbers import number
from vbsense.analysis._wire_data import MapData, read_map, spot_of
from vbsense.analysis._wire_misfit import Misfit, solve
from vbsense.analysis._wire_model import WireModel
from vbsense.analysis._wire_parameters import HIGHEST, Parameters, read_parameters, read_wires
from vbsense.analysis._wire_solve import Minimum, covariance_within
from vbsense.analysis._wire_text import correlation_of, summary_of, warn_of
from vbsense.layout import require
from vbsense.optics import SensorArray

__all__ = ["WireFit", "fit_wire"]


@dataclass(frozen=True, eq=False)
class WireFit:
    """Result of `fit_wire`, and of `fit_cube` with a wire.

    Attributes
    ----------
    values, errors : mapping of str to float
        Fitted parameters and their 1-sigma errors, in SI units: see `fit_wire` for the names. A parameter that ended
        on a bound has the error NaN, and the others are those for that parameter fixed.
    covariance : ndarray, (parameter, parameter)
        In the order of `values`.
    reduced_chi2 : float
        Near 1 for a right model and right errors; NaN where the map has no errors and they were taken
        from the scatter about the model.
    wire : Bar, Ribbon, or tuple or mapping of them
        The fitted conductors, in their fitted place; in the form in which they were given.
    model : ndarray, (site,) or (component, site)
        Fitted field (T).
    chi2, degrees : float, int
        Chi-squared with priors, and values and priors less free parameters.
    count : int
        Values that were fitted.
    fixed : mapping of str to float
        All parameters that were not free.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float]
    covariance: np.ndarray
    reduced_chi2: float
    wire: Any
    model: np.ndarray
    chi2: float = np.nan
    degrees: int = 0
    count: int = 0
    fixed: Mapping[str, float] = field(default_factory=dict)
    parameters: Parameters | None = field(default=None, repr=False)
    misfit: Callable[[np.ndarray], float] | None = field(default=None, repr=False)

    @property
    def correlation(self) -> np.ndarray:
        """Correlation of the parameters, ``(parameter, parameter)``, in the order of `values`."""
        return correlation_of(self.covariance)

    def summary(self) -> str:
        """The result as text: quality, every parameter with its error, and what is hardly told apart.

        Examples
        --------
        >>> fit = WireFit({"standoff": 101.2e-9}, {"standoff": 8.13e-9}, np.array([[66e-18]]), 0.9, None, np.zeros(9),
        ...               chi2=7.2, degrees=8, count=9)
        >>> print(fit.summary())
        9 values, 1 free parameters, chi2 7.2 for 8 degrees of freedom
          standoff  101.2 ± 8.1 nm
        """
        p = self.parameters
        pairs = [] if p is None else zip(p.free, p.prior_mean.tolist(), p.prior_sigma.tolist(), strict=True)
        return summary_of(self, {name: (mean, sigma) for name, mean, sigma in pairs if np.isfinite(sigma)})


def fit_wire(
    field: xr.Dataset,
    *,
    wire: Any,
    free: str | Sequence[str] = ("current", "standoff"),
    standoff: float = 50e-9,
    array: SensorArray | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
) -> WireFit:
    """Fit one or several straight conductors to a map of the field by weighted least squares.

    The model is the Biot-Savart law of the conductors, averaged over every spot and the depth of the layer. All
    components of the map are used, and the noise correlation between sites where the map holds it: a field that is
    smooth over the sites is told by what the noise of neighbours has in common.

    Parameters
    ----------
    field : xarray.Dataset
        Map with one or more components on sites (with the sensor array in its attributes) or pixels. Values that are
        NaN, or have no error above 0, are left out.
    wire : Bar, Ribbon, or sequence or mapping of them
        Start, with its place relative to the centre of pixel (0, 0); z = 0 of its frame does not matter,
        the stand-off counts from its top face: of several, from the highest. A free current needs no start: the model
        is linear in it.
    free : str or sequence of str
        Parameters that are fitted, see Notes; the others stay as in `wire`, and at zero what it does not tell.
    standoff : float
        Top face of the wire to the mean depth of the emitters (m): start value, or fixed value.
    array : SensorArray, optional
        Size, rotation and thickness of a spot, by default from the attributes of the map; the places
        of the spots are the coordinates of the map. Without one, the pixels of a map of pixels are
        averaged over their area.
    bounds : mapping, optional
        ``{"standoff": (40e-9, 200e-9)}``: smallest and largest value of free parameters.
    priors : mapping, optional
        ``{"width": (1e-6, 20e-9)}``: mean and standard deviation of what is known of free parameters beforehand. It
        counts as one more measured value.

    Returns
    -------
    WireFit

    Raises
    ------
    ValueError
        For unknown parameters, fewer valid values than parameters, bounds that exclude the start, or a map that does
        not determine the parameters, such as two wires in one place: the message names them.
    LayoutError
        For a map without B, or of sites of unknown size.

    Warns
    -----
    UserWarning
        If two currents are hardly told apart, the fit did not converge, or the tilted layer cuts the top face.

    Notes
    -----
    Parameters, all in SI units:

    ==========================  ========================================================================================
    current                     of a wire (A)
    position                    its shift across, along current x normal (m)
    width, thickness            of its cross-section (m); the top face stays where it is
    rotation                    angle about z (rad), about the point of its axis next to the middle of the sites
    standoff                    top face to mean depth of the emitters in the middle of the sites (m)
    tilt_x, tilt_y              growth of the stand-off along x and y (m/m). That the axis of the sensors tilts with
                                the layer, which adds -tilt_x Bx to what they read, is left out
    offset                      field that is there without the current (T)
    gradient_x, gradient_y      its growth from the middle of the sites (T/m)
    ==========================  ========================================================================================

    Those of several wires end in _1, _2 ... or, of a mapping, in its keys: ``current_left``. Of several components,
    the last three are offset_x, gradient_xy (of Bx along y) and so on. A name without ending stands for all of them.

    The layer must not cut the wire: the stand-off is at least the mean height of the emitters in it.

    Examples
    --------
    >>> import vbsense as vb
    >>> array = vb.SensorArray(pitch=300e-9, shape=(3, 12), center=(2e-6, 2e-6))
    >>> bar = vb.Bar((2e-6, -50e-6, -50e-9), (2e-6, 50e-6, -50e-9), width=1e-6, thickness=1e-7, current=1e-3)
    >>> Bz = array.average(bar.field, standoff=60e-9)[:, 2]
    >>> n = np.arange(36)
    >>> sites = vb.data.make_site_sweep(np.ones((3, 36)), [3e9, 3.1e9, 3.2e9], x=array.x, y=array.y,
    ...                                 row=array.row, column=array.column)
    >>> map_ = vb.data.make_site_map(Bz, sites=sites, error=np.full(36, 1e-6), sensor_array=array.to_json())
    >>> wire = fit_wire(map_, wire=bar, standoff=40e-9)
    >>> round(wire.values["current"] * 1e3, 4), round(wire.values["standoff"] * 1e9, 2)
    (1.0, 60.0)
    >>> known = fit_wire(map_, wire=bar, free=("current", "standoff", "width"), priors={"width": (1e-6, 20e-9)})
    >>> round(known.values["width"] * 1e6, 3)
    1.0
    """
    require(field, "map")
    wires = read_wires(wire)
    array = spot_of(field) if array is None else array
    height = check_standoff(standoff, array)
    data = read_map(field)
    parameters = read_parameters(
        wires, data.components, free, standoff=height, lowest=array.mean_height, bounds=bounds, priors=priors
    )
    if priors and not data.known_error:
        raise ValueError("priors need a map with errors, B_err, to be weighed against")
    told = data.count + int(np.isfinite(parameters.prior_sigma).sum())
    if told <= len(parameters.free):
        raise ValueError(
            f"the map has {data.count} valid values for {len(parameters.free)} parameters; free fewer, or give priors"
        )
    model = WireModel(wires, array, data.x, data.y, data.components)
    return _finish(data, model, parameters, solve(data, model, parameters))


def check_standoff(standoff: Any, array: SensorArray) -> float:
    """The stand-off (m), if the layer lies on the wire or above it."""
    if not isinstance(array, SensorArray):
        raise TypeError(f"array is a {type(array).__name__}; give a SensorArray")
    height = number("standoff", standoff, "m")
    if not array.mean_height <= height <= HIGHEST:
        raise ValueError(
            f"standoff is {standoff!r} m; it is at least the mean height of the emitters in their layer, "
            f"{array.mean_height:.3g} m, and at most {HIGHEST:g} m: write 50 nm as 50e-9"
        )
    return height


def _finish(data: MapData, model: WireModel, parameters: Parameters, found: tuple[Misfit, Minimum]) -> WireFit:
    misfit, best = found
    told = data.count + int(np.isfinite(parameters.prior_sigma).sum())
    degrees = told - len(parameters.free)
    covariance = covariance_within(best, parameters.free, model.wires.suffixes)
    reduced = best.chi2 / degrees
    if not data.known_error:
        covariance, reduced = covariance * reduced, np.nan
    model = misfit.model
    fitted = model.field(parameters.values(best.x))
    return as_wire_fit(
        model, parameters, best, covariance, misfit, reduced_chi2=float(reduced), degrees=degrees, count=data.count,
        model=fitted[0] if len(data.components) == 1 else fitted,
    )  # fmt: skip


def as_wire_fit(
    geometry: WireModel, parameters: Parameters, best: Minimum, covariance: np.ndarray, misfit: Any, **rest: Any
) -> WireFit:
    """The result, with warnings about what is not as it should be."""
    values = parameters.values(best.x)
    fitted = {name: values[name] for name in parameters.free}
    errors = dict(zip(parameters.free, np.sqrt(np.diag(covariance)).tolist(), strict=True))
    warn_of(geometry, parameters, best, covariance, values)
    wires = [geometry.conductor(k, values) for k in range(len(geometry.wires.conductors))]
    return WireFit(
        fitted, errors, covariance, wire=geometry.wires.like_given(wires), chi2=best.chi2,
        fixed={n: v for n, v in values.items() if n not in fitted}, parameters=parameters, misfit=misfit, **rest,
    )  # fmt: skip
