"""What a measurement of a scene will reach, before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._names import choices
from vbsense.bounds import Design, FourPoints, Noise, best_frequencies, four_points, time_for
from vbsense.layout import check_frequency
from vbsense.lineshape import get_model
from vbsense.sims.forecasts.result import TARGETS, Forecast, median_site

if TYPE_CHECKING:
    from vbsense.scene import Scene

__all__ = ["forecast"]

_CANDIDATE_STEP = 1e6  # Hz: far below the width of any line


def forecast(
    scene: Scene,
    frequency: Any,
    *,
    exposure: float,
    power: float = 15.0,
    averages: int = 1,
    currents: Any = None,
    reference: bool = False,
    model: str = "gaussian",
    target: float | Mapping[str, float] | None = None,
    name: str | None = None,
) -> Forecast:
    """Predict the errors of a measurement, and what would make it faster.

    Parameters
    ----------
    scene : Scene
        What the camera looks at. With a sensor array its sites are unmixed; else every pixel is a site.
    frequency : array_like, (n,)
        Points of the sweep, ascending (Hz).
    exposure : float
        Of one frame (s).
    power : float
        Microwave power at the source (dBm).
    averages : int
        Frames averaged into each point.
    currents : (float, float), optional
        +I and -I if both are measured and subtracted (A). By default the scene's own current, one polarity.
    reference : bool
        Every point is also exposed with the drive off: that takes as long again, and the fit makes nothing of it.
    model : str
        Line shape of the fit to come: "gaussian", "lorentzian", "hyperfine14", "hyperfine15".
    target : float or mapping of str to float, optional
        Wanted error of Bz of the median site (T); or errors of "field" (T), "current" (A), "standoff", "position" or
        "width" (m) of the conductor.
    name : str, optional
        Of the scene, for the table; by default that of its recipe.

    Returns
    -------
    Forecast
        ``print`` it for a table.

    Raises
    ------
    ValueError
        For a sweep with fewer points than the model has parameters, or that holds the lines of no site.

    Notes
    -----
    The exact spectrum of every site is computed and the line shape nearest to it found without noise; the bound is that
    of this line shape, all its parameters free, and so the error that a fit of it will report. Both polarities are
    taken to be alike. What averaging does not lower (drift, hyperfine shifts that a rigid shape ignores) is not in it.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=3, columns=3)
    >>> plan = sims.forecast(scene, np.linspace(2.97e9, 3.97e9, 101), exposure=1.0, averages=4, target=1e-6)
    >>> bool(50e-6 < np.median(plan.slope_sensitivity) < 120e-6), round(plan.optimum.gain, 1)
    (True, 2.8)
    """
    from vbsense.sims.forecasts.plan import Plan
    from vbsense.sims.forecasts.sites import see_sites
    from vbsense.sims.forecasts.unmixed import price_of_crowding
    from vbsense.sims.scenes.checks import check_power

    if missing := [name for name in ("shape", "pixel_size", "camera", "rate") if not hasattr(scene, name)]:
        raise TypeError(f"{type(scene).__name__} is no scene: it lacks {', '.join(missing)}; see vbsense.Scene")
    frequency, wanted = check_frequency(frequency), _targets(target)
    if frequency.size < len(get_model(model).parameters):
        raise ValueError(
            f"{frequency.size} frequencies for the {len(get_model(model).parameters)} parameters of {model!r}: add "
            "frequencies; sets of fewer (four points) come out of the forecast of a sweep"
        )
    plan = Plan(
        frequency, _positive("exposure", exposure, "seconds"), check_power(power), _count(averages), currents, model,
        bool(reference),
    )  # fmt: skip
    seen = see_sites(scene, plan)
    middle = median_site(seen.error)
    optimum, four, notes = _shorter(seen.parameters[middle], scene, plan)
    wire, why = _wire(scene, plan, seen)
    pitch, psf_fwhm, lattice = price_of_crowding(scene) if seen.unmixed else (np.nan, np.nan, np.empty((2, 0)))
    return Forecast(
        name=name or _name(scene), frequency=frequency, seconds=plan.seconds, polarities=plan.polarities, model=model,
        x=seen.x, y=seen.y, parameters=seen.parameters, spectrum=seen.electrons[middle],
        error=seen.error, alone=seen.alone,
        sweep_sensitivity=seen.error * np.sqrt(plan.seconds), slope_sensitivity=seen.slope,
        amplification=seen.amplification, pitch=pitch, psf_fwhm=psf_fwhm, lattice=lattice,
        optimum=optimum, four=four, wire=wire, targets=wanted, gamma=plan.defect(scene).gamma,
        times=_times(wanted, float(seen.error[middle]), wire, plan.seconds, optimum, four),
        notes=(*seen.notes, *notes, *why),
    )  # fmt: skip


def _shorter(parameters: np.ndarray, scene: Any, plan: Any) -> tuple[Design | None, FourPoints | None, list[str]]:
    """Designs for one site, and why one of them is missing."""
    grid = np.arange(plan.frequency[0], plan.frequency[-1] + _CANDIDATE_STEP / 2, _CANDIDATE_STEP)
    options = {"model": plan.model, "defect": plan.defect(scene), "noise": Noise(), "sweep": plan.frequency}
    found: list[Any] = []
    notes = []
    for name, make in (
        ("optimum set", lambda: best_frequencies(grid, parameters, **options).merged(4 * _CANDIDATE_STEP)),
        ("four points", lambda: four_points(parameters, **options)),
    ):
        try:
            found.append(make())
        except ValueError as error:
            found.append(None)
            notes.append(f"no {name}: {error}")
    return found[0], found[1], notes


def _wire(scene: Any, plan: Any, seen: Any) -> tuple[dict[str, tuple[float, float]], list[str]]:
    from vbsense.sims.forecasts.wire import wire_errors

    if not all(hasattr(scene, name) for name in ("conductor", "array", "standoff")):
        return {}, ["no errors of a conductor: they need a scene with conductor, sensor array and stand-off"]
    try:
        return wire_errors(scene, plan, seen), []
    except (ValueError, TypeError) as error:
        return {}, [f"no errors of the conductor: {error}"]


def _times(
    wanted: Mapping[str, float], error: float, wire: Mapping[str, tuple[float, float]], seconds: float,
    optimum: Design | None, four: FourPoints | None,
) -> dict[str, dict[str, float]]:  # fmt: skip
    gains = {"sweep": 1.0} | {n: d.gain for n, d in (("optimum", optimum), ("four points", four)) if d is not None}
    times = {}
    for name, goal in wanted.items():
        if name != "field" and name not in wire:
            raise ValueError(f"target {name!r}: this scene gives no such error; it gives {', '.join(['field', *wire])}")
        now = error if name == "field" else wire[name][1]
        times[name] = {key: float(time_for(goal, now, seconds)) / gain for key, gain in gains.items()}
    return times


def _targets(target: Any) -> dict[str, float]:
    if target is None:
        return {}
    wanted = dict(target) if isinstance(target, Mapping) else {"field": target}
    for name, value in wanted.items():
        if name not in TARGETS:
            raise ValueError(f"target {name!r} is unknown; {choices(name, TARGETS)}")
        _positive(f"target {name}", value, TARGETS[name])
        # A field of teslas or a length of metres is a number in the wrong unit, not a wish.
        if value > {"T": 0.1, "A": 10.0, "m": 1e-3}[TARGETS[name]]:
            raise ValueError(f"target {name} is {value:g} {TARGETS[name]}; SI units are expected, for example 1e-6")
    return wanted


def _positive(name: str, value: Any, unit: str) -> float:
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iuf" or not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} is {value!r}; it must be one positive number, in {unit}")
    return float(number)


def _count(averages: Any) -> int:
    if not isinstance(averages, int | float | np.integer | np.floating) or not (averages % 1 == 0 and averages >= 1):
        raise ValueError(f"averages is {averages!r}; it must be a whole number of frames, at least 1")
    return int(averages)


def _name(scene: Any) -> str:
    recipe = getattr(scene, "recipe", None)
    return str(recipe[0]).rsplit(":", 1)[-1] if recipe else type(scene).__name__
