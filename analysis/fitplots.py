"""Pictures of fits: one spectrum with its residuals, values on pixels and sites, scatter against time.

SI inside, scaled only here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError

__all__ = ["DATA", "MODEL", "TRUTH", "allan", "spectrum_fit", "value_map"]

# A colour-blind safe trio: data, model, truth.
DATA, MODEL, TRUTH = "#33415c", "#d1495b", "#2a9d8f"

# What is drawn of a unit: factor and label.
_SCALES = {"Hz": (1e-6, "MHz"), "T": (1e6, "µT"), "electron": (1e-3, "kilo-electrons"), "1": (1.0, ""),
           "T/sqrt(Hz)": (1e6, "µT/√Hz"), "1/Hz": (1e9, "1/GHz")}  # fmt: skip


def spectrum_fit(result: Any, ax: Any, residual_ax: Any = None) -> None:
    """One spectrum with its fit, and what the fit leaves.

    Parameters
    ----------
    result : lmfit.model.ModelResult
        As `fit_spectrum` gives it.
    ax : matplotlib.axes.Axes
        For light and fit.
    residual_ax : matplotlib.axes.Axes, optional
        For the residuals, in sigma where the noise is known, else in percent of the light.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vbsense.analysis import fit_spectrum
    >>> from vbsense.data import make_sweep
    >>> from vbsense.lineshape import get_model
    >>> f = np.linspace(3.2e9, 3.7e9, 51)
    >>> light = get_model("gaussian1").evaluate(f, [1e5, 3.47e9, 8e7, 0.05])
    >>> top, bottom = Figure().subplots(2, sharex=True)
    >>> spectrum_fit(fit_spectrum(make_sweep(light[:, None, None], f, pixel_size=1e-7, frames=9), "gaussian1"),
    ...              top, bottom)
    >>> bottom.get_ylabel()
    'Residual (σ)'
    """
    frequency, model = result.userkws["frequency"], result.model
    level = float(result.params["offset"].value) if "offset" in result.params else float(np.mean(result.data))
    sigma = None if result.weights is None else 1 / result.weights
    error = None if sigma is None else sigma / level
    ax.errorbar(frequency / 1e9, result.data / level, error, fmt=".", color=DATA, markersize=4, linewidth=0.8)
    fine = np.linspace(frequency[0], frequency[-1], 801)
    curve = model.eval(result.params, frequency=fine) / level
    ax.plot(fine / 1e9, curve, color=MODEL, label=f"{model.name.removeprefix('Model(').removesuffix(')')}")
    known = sigma is not None
    title = f"Reduced χ² {result.redchi:.2f}" if known else "Noise from the residuals"
    ax.set(ylabel="Light / off resonance", title=title)
    ax.legend(frameon=False)
    if residual_ax is None:
        ax.set_xlabel("Frequency (GHz)")
        return
    miss = result.data - result.best_fit
    scaled = miss / sigma if known else 100 * miss / level
    residual_ax.axhline(0, color=MODEL, linewidth=1)
    residual_ax.plot(frequency / 1e9, scaled, ".", color=DATA, markersize=4)
    if known:
        residual_ax.axhspan(-1, 1, color=MODEL, alpha=0.12, linewidth=0)
    reach = 1.1 * max(float(np.abs(scaled).max()), 2.5 if known else 0.0)
    residual_ax.set(
        xlabel="Frequency (GHz)",
        ylabel="Residual (σ)" if known else "Residual (%)",
        ylim=(-reach, reach) if reach else None,
    )


def value_map(values: xr.DataArray, ax: Any, *, label: str = "", diverging: bool = False) -> Any:
    """Any value of pixels or sites, in colours.

    Parameters
    ----------
    values : xarray.DataArray, (y, x) or (site,)
        For example ``fit.center_lower``, ``warm.sensor_temperature`` or ``eta.sweep``, with its units.
    ax : matplotlib.axes.Axes
        Drawn into.
    label : str
        Of the colour bar; by default the name of the values.
    diverging : bool
        Colours of both signs about zero.

    Returns
    -------
    matplotlib.collections.Collection

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> x = {"y": [0.0, 1e-6], "x": [0.0, 1e-6, 2e-6]}
    >>> values = xr.DataArray(np.ones((2, 3)), x, ("y", "x"), name="D", attrs={"units": "Hz"})
    >>> figure = Figure()
    >>> value_map(values, figure.subplots()).get_array().shape, figure.axes[1].get_ylabel()
    ((2, 3), 'D (MHz)')
    """
    if tuple(sorted(map(str, values.dims))) not in (("x", "y"), ("site",)):
        raise LayoutError(f"values have dimensions {values.dims}; a picture needs (y, x) or (site,): select the others")
    factor, unit = _SCALES.get(str(values.attrs.get("units", "1")), (1.0, str(values.attrs.get("units"))))
    shown = values * factor
    finite = shown.values[np.isfinite(shown.values)]
    low, high = np.percentile(finite, (1, 99)) if finite.size else (0.0, 1.0)
    reach = max(abs(low), abs(high)) or 1.0
    style: dict[str, Any] = (
        {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach} if diverging else {"vmin": low, "vmax": high}
    )
    if "site" in values.dims:
        drawn = ax.scatter(values["x"] * 1e6, values["y"] * 1e6, c=shown, s=30, marker="s", linewidths=0, **style)
    else:
        shown = shown.transpose("y", "x")
        drawn = ax.pcolormesh(
            shown["x"] * 1e6, shown["y"] * 1e6, shown.values, shading="nearest", rasterized=True, **style
        )
    ax.set(xlabel="x (µm)", ylabel="y (µm)", aspect="equal")
    name = label or str(values.name or "value").replace("_", " ")
    ax.figure.colorbar(drawn, ax=ax, label=f"{name} ({unit})" if unit else name)
    return drawn


def allan(deviation: xr.Dataset, ax: Any, *, label: str = "median of the pixels") -> None:
    """Allan deviation against the averaging time, with the slope of white noise.

    Parameters
    ----------
    deviation : xarray.Dataset
        Of `allan_deviation`; of many pixels the median is drawn, with the range of nine in ten.
    ax : matplotlib.axes.Axes
        Drawn into; both axes become logarithmic.
    label : str
        Of the curve.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vbsense.analysis import allan_deviation
    >>> noise = xr.DataArray(np.random.default_rng(0).normal(size=(64, 9)), dims=("sweep", "site"))
    >>> ax = Figure().subplots()
    >>> allan(allan_deviation(noise, interval=1.0), ax)
    >>> ax.get_xscale()
    'log'
    """
    factor, unit = _SCALES.get(str(deviation["deviation"].attrs.get("units", "1")), (1.0, ""))
    tau = deviation["tau"].values
    values = deviation["deviation"].transpose("tau", ...).values.reshape(tau.size, -1) * factor
    error = deviation["deviation_err"].transpose("tau", ...).values.reshape(tau.size, -1) * factor
    values, error = values[:, np.isfinite(values).all(0)], error[:, np.isfinite(values).all(0)]
    if values.shape[1] == 0:
        raise LayoutError("no pixel has an Allan deviation: each failed in one repeat at least")
    middle = np.median(values, axis=1)
    if values.shape[1] > 1:
        ax.fill_between(tau, *np.percentile(values, (5, 95), axis=1), color=DATA, alpha=0.2, linewidth=0)
        ax.plot(tau, middle, "o-", color=DATA, markersize=4, label=label)
    else:
        ax.errorbar(tau, middle, error[:, 0], fmt="o-", color=DATA, markersize=4, label=label)
    ax.plot(tau, middle[0] * np.sqrt(tau[0] / tau), "--", color=MODEL, linewidth=1, label="white noise")
    ax.set(xscale="log", yscale="log", xlabel="Averaging time (s)", title="Allan deviation")
    ax.set_ylabel(f"Allan deviation ({unit})" if unit else "Allan deviation")
    ax.legend(frameon=False)
