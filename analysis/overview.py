"""A whole fit on one page."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.fitplots import DATA, MODEL, TRUTH, value_map
from vbsense.analysis.fitted import model_of, parameters_of
from vbsense.flags import FLAGS

__all__ = ["fit_overview"]


def fit_overview(fit: xr.Dataset, figure: Any, *, sweep: xr.Dataset | None = None) -> None:
    """A whole fit at a glance: the most important parameter on the map, spectra, reduced chi-squared, flags.

    Parameters
    ----------
    fit : xarray.Dataset
        Of any model; the first of each leading dimension is drawn.
    figure : matplotlib.figure.Figure
        Filled; 10 x 7 inches are a good size.
    sweep : xarray.Dataset, optional
        What was fitted: then the spectra of the median and of the worst reduced chi-squared are drawn.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> light = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
    >>> sites = analysis.unmix(light)
    >>> figure = Figure(figsize=(10, 7), layout="constrained")
    >>> fit_overview(analysis.fit_sweep(sites), figure, sweep=sites)
    >>> len(figure.axes)                                                 # four and two colour bars
    6
    """
    leading = {d: 0 for d in fit["flags"].dims if d not in ("y", "x", "site")}
    one = fit.isel(leading)
    panels = figure.subplots(2, 2)
    parameter, label = _main(one)
    value_map(parameter, panels[0, 0], label=label)
    panels[0, 0].set_title(
        f"{fit.attrs.get('model', 'fit')}: {int((fit['flags'] == 0).sum())} of {fit['flags'].size} good"
    )
    value_map(one["reduced_chi2"], panels[0, 1], label="reduced χ²")
    if sweep is None:
        _chi2_histogram(fit, panels[1, 0])
    else:
        _two_spectra(one, sweep.isel({d: k for d, k in leading.items() if d in sweep.dims}), panels[1, 0])
    _flags(fit, panels[1, 1])


def _main(fit: xr.Dataset) -> tuple[xr.DataArray, str]:
    """The parameter that says most, and its label."""
    if "Bz" in fit:
        return fit["Bz"], "Bz"
    if "center_upper" in fit and "center_lower" in fit:
        return (fit["center_upper"] - fit["center_lower"]).assign_attrs(units="Hz"), "splitting"
    first = next(str(n) for n in fit.data_vars if f"{n}_err" in fit and n != "offset")
    return fit[first], first


def _chi2_histogram(fit: xr.Dataset, ax: Any) -> None:
    values = fit["reduced_chi2"].values[np.isfinite(fit["reduced_chi2"].values)]
    if values.size:
        ax.hist(np.clip(values, None, np.percentile(values, 99)), bins=40, color=DATA, alpha=0.8)
    ax.axvline(1, color=MODEL, linewidth=1)
    ax.set(xlabel="Reduced χ²", ylabel="Spectra")


def _two_spectra(fit: xr.Dataset, sweep: xr.Dataset, ax: Any) -> None:
    """Spectra of median and worst reduced chi-squared; the worst below the other."""
    model = model_of(fit)
    chi2 = fit["reduced_chi2"].values.ravel()
    order = np.argsort(np.where(np.isfinite(chi2), chi2, -np.inf))
    order = order[np.isfinite(chi2[order])]
    ax.set(xlabel="Frequency (GHz)", ylabel="Light / off resonance")
    if order.size == 0:
        ax.set_title("No spectrum was fitted")
        return
    frequency = sweep["frequency"].values
    fine = np.linspace(frequency[0], frequency[-1], 401)
    signal = sweep["signal"].transpose("frequency", *fit["flags"].dims).values.reshape(frequency.size, -1)
    parameters = parameters_of(fit, model).reshape(-1, len(model.parameters))
    step = 0.0
    for k, color, word in ((order[order.size // 2], DATA, "median"), (order[-1], TRUTH, "worst")):
        level = parameters[k, model.index("offset")]
        curve = model.evaluate(fine, parameters[k]) / level
        ax.plot(frequency / 1e9, signal[:, k] / level - step, ".", color=color, markersize=3)
        ax.plot(fine / 1e9, curve - step, color=MODEL, linewidth=1)
        ax.plot([], [], ".", color=color, label=f"{word} χ² {chi2[k]:.2f}" + (" (shifted)" if step else ""))
        step = 1.2 * float(np.ptp(signal[:, k]) / level)
    ax.legend(frameon=False, fontsize="small")
    ax.set_title("Spectra and fits")


def _flags(fit: xr.Dataset, ax: Any) -> None:
    counts = {f.name.replace("_", " "): int(((fit["flags"].values & f.bit) > 0).sum()) for f in FLAGS.values()}
    counts = {"none": int((fit["flags"].values == 0).sum())} | {name: n for name, n in counts.items() if n}
    colors = [TRUTH if name == "none" else MODEL for name in counts]
    bars = ax.barh(list(counts), list(counts.values()), 0.6, color=colors)
    ax.bar_label(bars, padding=3)
    ax.set(ylim=(max(len(counts), 4) - 0.5, -0.5))  # the first on top, and one alone not as tall as the panel
    ax.set(xlabel="Spectra", title="Flags", xlim=(0, 1.15 * fit["flags"].size))
