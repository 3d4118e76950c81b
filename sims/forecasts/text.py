"""A forecast as a table, and numbers as people read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.lineshape import get_model

if TYPE_CHECKING:
    from vbsense.sims.forecasts.result import Forecast

__all__ = ["duration", "quantity", "table", "verdict"]

_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_UNITS = {"current": "A", "position": "m", "width": "m", "standoff": "m", "offset": "T", "field": "T"}


def quantity(value: float, unit: str, digits: int = 3) -> str:
    """A number with a prefix.

    Examples
    --------
    >>> quantity(12.34e-6, "T"), quantity(0.0, "m"), quantity(3.47e9, "Hz"), quantity(float("inf"), "T")
    ('12.3 µT', '0 m', '3.47 GHz', 'unlimited')
    """
    if not math.isfinite(value):
        return "unlimited" if value == math.inf else "unknown"
    if value == 0:
        return f"0 {unit}"
    power = min(max(3 * math.floor(math.log10(abs(value) * (1 + 0.5 * 10**-digits)) / 3), -12), 9)
    scaled = value / 10.0**power
    whole = len(str(int(abs(scaled))))
    return f"{scaled:.{max(digits - whole, 0)}f} {_PREFIXES[power]}{unit}"


def duration(seconds: float) -> str:
    """A time that is easy to read.

    Examples
    --------
    >>> [duration(t) for t in (0.0321, 45, 800, 9000, 4e5, 1e9, float("inf"))]
    ['32.1 ms', '45.0 s', '13.3 min', '2.5 h', '4.6 days', '31.7 years', 'never']
    """
    if not math.isfinite(seconds):
        return "never"
    for limit, unit, name in ((100, 1, "s"), (7200, 60, "min"), (172800, 3600, "h"), (63e6, 86400, "days")):
        if seconds < limit:
            return quantity(seconds, "s") if unit == 1 else f"{seconds / unit:.1f} {name}"
    return f"{seconds / 31557600:.1f} years"


def verdict(amplification: float) -> str:
    """What an amplification of the noise means.

    Examples
    --------
    >>> verdict(1.15), verdict(25.3)
    ('neighbours cost nearly nothing', 'too dense: 640 times the time of spots alone; wider pitch or sharper optics')
    """
    time = f"{amplification**2:.2g}" if amplification < 10 else f"{float(f'{amplification**2:.2g}'):.0f}"
    if amplification <= 1.25:
        return "neighbours cost nearly nothing"
    if amplification <= 2.0:
        return f"acceptable: {time} times the time of spots alone"
    if amplification <= 4.0:
        return f"costly: {time} times the time of spots alone; about 0.75 of the width is the practical limit"
    return f"too dense: {time} times the time of spots alone; wider pitch or sharper optics"


def table(plan: Forecast) -> str:
    """The forecast in lines of text."""
    rows = [*_measurement(plan), *_field(plan), *_sets(plan), *_crowding(plan), *_wire(plan), *_times(plan)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {text}".rstrip() for name, text in rows]
    return "\n".join([*lines, *(f"note: {note}" for note in plan.notes)])


def _measurement(plan: Forecast) -> list[tuple[str, str]]:
    model = get_model(plan.model)
    middle = plan.parameters[plan.median_site]
    lines = " and ".join(quantity(middle[k], "Hz", 4) for k, _, _ in model.lines)
    fwhm = np.mean([middle[k] for _, k, _ in model.lines])
    contrast = np.mean([middle[k] for _, _, k in model.lines])
    span = f"{quantity(plan.frequency[0], 'Hz', 4)} to {quantity(plan.frequency[-1], 'Hz', 4)}"
    sites = "sites" if plan.amplification is not None else "pixels"
    pair = ", at +I and -I" if plan.polarities == 2 else ""
    return [
        ("scene", f"{plan.name}, {plan.error.size} {sites}"),
        ("sweep", f"{plan.frequency.size} points, {span}{pair}, {duration(plan.seconds)} of exposure"),
        ("median site", f"{middle[model.index('offset')]:.3g} electrons per exposure; lines at {lines}"),
        ("", f"{quantity(fwhm, 'Hz')} wide, contrast {100 * contrast:.2g} %, as {plan.model!r} sees them"),
    ]


def _field(plan: Forecast) -> list[tuple[str, str]]:
    return [
        ("", ""),
        ("error of Bz per site", "     median       best      worst"),
        ("  after this sweep", _three(plan.error, "T")),
        ("  its own shot noise alone", _three(plan.alone, "T")),
        ("sensitivity per site", ""),
        ("  whole sweep", _three(plan.sweep_sensitivity, "T/√Hz") + "   error of Bz x √(exposure time of all points)"),
        ("  slope", _three(plan.slope_sensitivity, "T/√Hz") + "   at the steepest point of one line, no factor for E"),
    ]


def _three(values: np.ndarray, unit: str) -> str:
    known = values[np.isfinite(values)]
    if known.size == 0:
        return "unknown"
    worst = np.inf if np.isinf(values).any() else known.max()
    power, name = (1e-6, "µ") if np.median(known) < 1e-3 else (1e-3, "m")
    numbers = (np.median(known), known.min(), worst)
    return " ".join(f"{v / power:>10.3g}" if np.isfinite(v) else " unlimited" for v in numbers) + f" {name}{unit}"


def _sets(plan: Forecast) -> list[tuple[str, str]]:
    rows = [("", ""), ("frequencies for Bz", "gain in time over this sweep, median site")]
    if plan.optimum is not None:
        points = ", ".join(
            f"{f / 1e6:.0f} MHz ({100 * w:.0f} %)"
            for f, w in zip(plan.optimum.frequency, plan.optimum.weight, strict=True)
        )
        rows += [("  optimum", f"{plan.optimum.gain:.2f} x: {points}")]
    if plan.four is not None:
        points = ", ".join(f"{f / 1e6:.0f}" for f in plan.four.frequency)
        rows += [("  four points", f"{plan.four.gain:.2f} x: {points} MHz; contrast and width must be known")]
        rows += [("", _four_errors(plan))]
    return rows


def four_point_errors(plan: Forecast, excursion: float) -> tuple[float, float]:
    """Misreading of the four points at -excursion and +excursion (T) from the set point, if the lines are rigid."""
    four, model = plan.four, get_model(plan.model)
    assert four is not None
    parameters = np.repeat(plan.parameters[plan.median_site][None], 2, axis=0)
    split = (parameters[0, model.index("center_upper")] - parameters[0, model.index("center_lower")]) / 2
    # The splitting moves by its slope and curvature: exact for f+- = D +- sqrt(E^2 + (gamma B)^2).
    field = four.set_point + np.array([-excursion, excursion])
    change = np.sqrt(split**2 + plan.gamma**2 * (field**2 - four.set_point**2)) - split
    parameters[:, model.index("center_lower")] -= change
    parameters[:, model.index("center_upper")] += change
    low, high = four.read(model.evaluate(four.frequency, parameters)) - field
    return float(low), float(high)


def _four_errors(plan: Forecast) -> str:
    low, high = (v * 1e6 for v in four_point_errors(plan, 200e-6))
    return f"they misread -200 / +200 µT by {low:+.1f} / {high:+.1f} µT; 5 % of contrast are 5 % of scale"


def _crowding(plan: Forecast) -> list[tuple[str, str]]:
    if plan.amplification is None:
        return []
    value = float(np.median(plan.amplification))
    ratio = plan.pitch / plan.psf_fwhm
    endless = float(np.interp(ratio, *plan.lattice))
    return [
        ("", ""),
        ("unmixing", f"noise x {value:.2f} (worst {plan.amplification.max():.2f}, endless lattice {endless:.2f}); "
                     f"pitch {quantity(plan.pitch, 'm')} = {ratio:.2f} of the PSF width"),
        ("", verdict(value)),
    ]  # fmt: skip


def _wire(plan: Forecast) -> list[tuple[str, str]]:
    if not plan.wire:
        return []
    rows = [("", ""), ("conductor", "error after this sweep, all free together")]
    for name, (value, error) in plan.wire.items():
        if not np.isfinite(error):
            rows.append((f"  {name}", "left open: these sites do not tell it together with the others"))
            continue
        share = f" ({100 * error / abs(value):.2g} % of {quantity(value, _UNITS[name])})" if value else ""
        rows.append((f"  {name}", f"± {quantity(error, _UNITS[name])}{share}"))
    return rows


def _times(plan: Forecast) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, times in plan.times.items():
        goal = quantity(plan.targets[name], _UNITS[name])
        what = "Bz of the median site" if name == "field" else name
        each = "; ".join(f"{key} {duration(t)}" for key, t in times.items())
        rows.append((f"time to {goal}", f"{what}: {each}"))
    return [("", ""), *rows] if rows else []


def as_dict(plan: Forecast) -> dict[str, Any]:
    """The forecast for JSON: numbers in SI units, None for what is infinite or unknown."""
    simple = {name: getattr(plan, name) for name in ("name", "seconds", "polarities", "model", "pitch", "psf_fwhm")}
    arrays = ("frequency", "x", "y", "error", "alone", "sweep_sensitivity", "slope_sensitivity", "amplification")
    simple |= {name: getattr(plan, name) for name in arrays}
    names = get_model(plan.model).parameters
    simple["lines"] = {n: plan.parameters[:, k] for k, n in enumerate(names)}
    if plan.optimum is not None:
        simple["optimum"] = {n: getattr(plan.optimum, n) for n in ("frequency", "weight", "gain")}
    if plan.four is not None:
        simple["four_points"] = {n: getattr(plan.four, n) for n in ("frequency", "set_point", "slope", "gain")}
    simple["conductor"] = {n: {"value": v, "error": e} for n, (v, e) in plan.wire.items()}
    simple |= {"targets": plan.targets, "times": plan.times, "notes": list(plan.notes)}
    return _plain(simple)


def _plain(value: Any) -> Any:
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(v) for v in (value.tolist() if isinstance(value, np.ndarray) else value)]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
