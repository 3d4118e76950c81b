"""A forecast as a figure: every function draws into the axes that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.lineshape import get_model
from vbsense.sims.forecasts.text import duration, quantity

if TYPE_CHECKING:
    from vbsense.sims.forecasts.result import Forecast

__all__ = ["amplification_curve", "error_map", "error_over_time", "figure", "frequency_weights"]

# Colour-blind safe: the sweep, the optimum, the four points.
SWEEP, OPTIMUM, FOUR = "#33415c", "#d1495b", "#2a9d8f"


def figure(plan: Forecast) -> Any:
    """Four panels: errors on the sites, frequencies, crowding, time.

    Parameters
    ----------
    plan : Forecast
        From `vbsense.sims.forecast`.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> plan = sims.forecast(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, target=1e-6)
    >>> [ax.get_xlabel() for ax in figure(plan).axes[:4]]
    ['x (µm)', 'Frequency (GHz)', 'Pitch / width of the PSF', 'Exposure time']
    """
    from matplotlib.figure import Figure

    made = Figure(figsize=(11.5, 8.5), layout="constrained")
    axes = made.subplots(2, 2)
    error_map(plan, axes[0, 0])
    frequency_weights(plan, axes[0, 1])
    amplification_curve(plan, axes[1, 0])
    error_over_time(plan, axes[1, 1])
    return made


def error_map(plan: Forecast, ax: Any) -> None:
    """Error of Bz of every site after the whole measurement; crosses where there is none.

    Parameters
    ----------
    plan : Forecast
    ax : matplotlib.axes.Axes
        Drawn into.
    """
    known = np.isfinite(plan.error)
    apart = max(np.ptp(plan.x), np.ptp(plan.y), 1e-9) / max(np.sqrt(plan.x.size) - 1, 1)
    size = np.clip(
        (200 * apart / max(np.ptp(plan.x), np.ptp(plan.y), apart)) ** 2, 4, 400
    )  # points^2: squares side by side
    dots = ax.scatter(
        plan.x[known] * 1e6, plan.y[known] * 1e6, c=plan.error[known] * 1e6, s=size, marker="s", cmap="viridis"
    )
    ax.plot(plan.x[~known] * 1e6, plan.y[~known] * 1e6, "x", color=OPTIMUM, markersize=4)
    ax.set(xlabel="x (µm)", ylabel="y (µm)", aspect="equal", title=f"Error of Bz after {duration(plan.seconds)}")
    ax.margins(0.15)
    ax.figure.colorbar(dots, ax=ax, label="Error of Bz (µT)")


def frequency_weights(plan: Forecast, ax: Any) -> None:
    """Spectrum of the median site, and the share of the time that each frequency gets.

    Parameters
    ----------
    plan : Forecast
    ax : matplotlib.axes.Axes
        Drawn into.
    """
    model, parameters = get_model(plan.model), plan.parameters[plan.median_site]
    light = parameters[model.index("offset")]
    fine = np.linspace(plan.frequency[0], plan.frequency[-1], 800)
    ax.plot(
        fine / 1e9,
        100 * model.evaluate(fine, parameters) / light,
        color=SWEEP,
        linewidth=1,
        label=f"{model.name} nearest to it",
    )
    ax.plot(
        plan.frequency / 1e9, 100 * plan.spectrum / light, ".", color=SWEEP, markersize=4, label="light, median site"
    )
    ax.set(xlabel="Frequency (GHz)", ylabel="Light (% of that off resonance)", title="Where to spend the time")
    low, high = ax.get_ylim()
    room = high - low  # as much again for the bars below, half for the legend above
    ax.set_yticks([t for t in ax.get_yticks() if low <= t <= high], minor=False)
    ax.set_ylim(low - 0.9 * room, high + 0.45 * room)
    bars = ax.twinx()
    for name, frequency, weight, color, width in _sets(plan):
        label = f"{name}: {weight[1]:.2g} x faster"
        bars.vlines(frequency / 1e9, 0, 100 * weight[0], color=color, linewidth=width, label=label, alpha=0.85)
    bars.set(ylabel="Share of the time (%)", ylim=(0, 120), yticks=range(0, 101, 25))
    handles = [h for part in (ax, bars) for h in part.get_legend_handles_labels()[0]]
    ax.legend(handles=handles, frameon=False, loc="upper center", ncols=2, fontsize="small")


def _sets(plan: Forecast) -> list[tuple[str, np.ndarray, tuple[Any, float], str, float]]:
    sets: list[Any] = []
    if plan.four is not None:
        sets.append(("four points", plan.four.frequency, (np.full(4, 0.25), plan.four.gain), FOUR, 7))
    if plan.optimum is not None:
        sets.append(("optimum", plan.optimum.frequency, (plan.optimum.weight, plan.optimum.gain), OPTIMUM, 2))
    return sets


def amplification_curve(plan: Forecast, ax: Any) -> None:
    """Noise amplification of unmixing on an endless lattice, and this array on it.

    Parameters
    ----------
    plan : Forecast
    ax : matplotlib.axes.Axes
        Drawn into.
    """
    ax.set(xlabel="Pitch / width of the PSF", ylabel="Noise of a site / that of a spot alone")
    ax.set_title("Price of unmixing")
    if plan.amplification is None:
        ax.text(0.5, 0.5, "no sensor array: pixels are the sites", ha="center", transform=ax.transAxes)
        return
    shown = np.isfinite(plan.lattice[1])
    ax.semilogy(*plan.lattice[:, shown], color=SWEEP, label="endless square lattice")
    ratio, value = plan.pitch / plan.psf_fwhm, float(np.median(plan.amplification))
    ax.plot([ratio], [value], "o", color=OPTIMUM, label=f"this array: {value:.2f}")
    ax.axvline(0.75, color="0.6", linestyle=":", linewidth=1, label="practical limit")
    ax.legend(frameon=False)


def error_over_time(plan: Forecast, ax: Any) -> None:
    """Error of Bz of the median site against the exposure time, for the sweep and for the better sets.

    Parameters
    ----------
    plan : Forecast
    ax : matplotlib.axes.Axes
        Drawn into.
    """
    now = float(plan.error[plan.median_site])
    longest = max([plan.seconds, *(t for times in plan.times.values() for t in times.values() if np.isfinite(t))])
    seconds = np.geomspace(min(plan.seconds, 10.0) / 10, longest * 10, 60)
    sweep = now * np.sqrt(plan.seconds / seconds)
    ax.loglog(seconds, sweep * 1e6, color=SWEEP, label="this sweep")
    for name, _, weight, color, width in _sets(plan):
        style = "--" if width > 2 else "-"
        ax.loglog(seconds, sweep * 1e6 / np.sqrt(weight[1]), style, color=color, label=name)
    ax.plot([plan.seconds], [now * 1e6], "o", color=SWEEP, label=f"as planned: {quantity(now, 'T')}")
    if "field" in plan.targets:
        goal = plan.targets["field"]
        ax.axhline(goal * 1e6, color="0.6", linestyle=":", label=f"target: {quantity(goal, 'T')}")
    ticks = [t for t in (1e-2, 1, 60, 3600, 86400, 2592000, 31557600, 3155760000) if seconds[0] <= t <= seconds[-1]]
    names = {1e-2: "10 ms", 1: "1 s", 60: "1 min", 3600: "1 h", 86400: "1 day", 2592000: "1 month", 31557600: "1 year",
             3155760000: "100 years"}  # fmt: skip
    ax.set_xticks(ticks, [names[t] for t in ticks])
    ax.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    ax.set(xlabel="Exposure time", ylabel="Error of Bz (µT)", title="Error of the median site", xlim=seconds[[0, -1]])
    ax.legend(frameon=False)
