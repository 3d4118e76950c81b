"""The sites of a scene as a forecast needs them: their light, their lines, and the bound that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.bounds import field_jacobian, nearest_parameters, slope_sensitivity, steepest_slope
from vbsense.bounds.field import field_variance
from vbsense.defect import Defect
from vbsense.lineshape import get_model
from vbsense.sims.forecasts.plan import Plan
from vbsense.sims.forecasts.unmixed import Unmixed, full_pixels, pixel_noise, unmixed_noise

__all__ = ["Seen", "see_sites"]

# Sites whose spectra are followed; of more, some are drawn.
_MOST = 1200


@dataclass(frozen=True, eq=False)
class Seen:
    """What the camera sees of the sites: see `vbsense.sims.forecasts.Forecast`."""

    x: np.ndarray
    y: np.ndarray
    electrons: np.ndarray  # (site, frequency)
    parameters: np.ndarray
    error: np.ndarray
    alone: np.ndarray
    slope: np.ndarray
    amplification: np.ndarray | None
    unmixed: Unmixed | None
    per_electron: np.ndarray  # of all sites: error of Bz over the error of its light in one exposure (T/electron)
    notes: list[str]


def see_sites(scene: Any, plan: Plan) -> Seen:
    """Light, noise and lines of every site, and the bound that follows."""
    current = plan.current(scene)
    is_array = all(hasattr(scene, name) for name in ("array", "site_rate"))
    light = plan.exposure * (_site_light if is_array else _pixel_light)(scene, plan, current)
    unmixed = unmixed_noise(scene, plan, current) if is_array else None
    index, followed = _followed(light.shape[0], unmixed)
    electrons = light[index]
    parameters = nearest_parameters(plan.frequency, electrons, model=plan.model)
    notes = _lost(parameters, plan) + full_pixels(scene, plan) + followed
    if np.isnan(parameters).all():
        raise ValueError(f"there is nothing to forecast: {notes[0]}; widen the sweep, or change bias, drive or model")
    if unmixed is None:
        sigma = np.sqrt(pixel_noise(scene, electrons.mean(1) / plan.exposure, plan.exposure))
        rows, columns = np.divmod(index, scene.shape[1])
        x, y = columns * scene.pixel_size, rows * scene.pixel_size
    else:
        sigma, x, y = unmixed.sigma[index], scene.array.x[index], scene.array.y[index]
    defect = plan.defect(scene)
    # The noise is that of the mean picture, scaled to the light at each frequency.
    per_electron = _bound(plan, parameters, defect, 1 / electrons.mean(1))
    error = per_electron * sigma
    if not np.isfinite(error).any():
        raise ValueError(f"no site has a bound: {'; '.join(notes) or 'the lines are 2 E apart, where Bz is zero'}")
    return Seen(
        x=x, y=y, electrons=electrons, parameters=parameters, error=error,
        alone=_bound(plan, parameters, defect, np.ones(index.size)), slope=_slope(plan, parameters, defect),
        amplification=None if unmixed is None else unmixed.amplification[index], unmixed=unmixed,
        per_electron=_everywhere(per_electron, index, light.mean(1)), notes=notes,
    )  # fmt: skip


def _followed(n: int, unmixed: Unmixed | None) -> tuple[np.ndarray, list[str]]:
    """Sites or pixels that stand for all, and what is to be said of the others."""
    seen = np.arange(n) if unmixed is None else np.flatnonzero(unmixed.seen)
    notes = [f"{n - seen.size} of {n} sites lie outside the picture and are left out"] if seen.size < n else []
    if seen.size > _MOST:
        notes.append(f"{_MOST} of {seen.size} {'pixels' if unmixed is None else 'sites'} are followed, drawn evenly")
    # Drawn, not every second or third: these would be columns of the lattice.
    return seen[np.sort(np.random.default_rng(0).permutation(seen.size)[:_MOST])], notes


def _everywhere(per_electron: np.ndarray, index: np.ndarray, light: np.ndarray) -> np.ndarray:
    """From the sites that are followed to all: a spectrum is told by its light relative to its mean."""
    relative = per_electron * light[index]
    out = np.median(relative[np.isfinite(relative)]) / light
    out[index] = per_electron
    return out


def _site_light(scene: Any, plan: Plan, current: float) -> np.ndarray:
    """Electrons per second, (site, frequency)."""
    light = np.column_stack([scene.site_rate(f, power=plan.power, current=current) for f in plan.frequency.tolist()])
    for name in ("laser", "vignetting"):  # relative, where the scene has them as functions of x and y
        local = getattr(scene, name, None)
        if local is not None:
            light = light * np.asarray(local(scene.array.x, scene.array.y), dtype=float)[:, None]
    return light


def _pixel_light(scene: Any, plan: Plan, current: float) -> np.ndarray:
    rates = [scene.rate(f, power=plan.power, current=current) for f in plan.frequency.tolist()]
    return np.array(rates).reshape(len(rates), -1).T


def _bound(plan: Plan, parameters: np.ndarray, defect: Defect, noise: np.ndarray) -> np.ndarray:
    """Bound on Bz after the whole measurement, for a variance of ``noise * light`` in one exposure; (site,) T."""
    out, good = np.full(len(parameters), np.inf), np.isfinite(parameters).all(axis=1)
    values, jacobian = field_jacobian(plan.frequency, parameters[good], plan.model, defect)
    frames = plan.averages * plan.polarities  # subtracting two polarities and halving averages them
    out[good] = np.sqrt(field_variance(jacobian, values * noise[good, None] / frames))
    return out


def _slope(plan: Plan, parameters: np.ndarray, defect: Defect) -> np.ndarray:
    """As `vbsense.analysis.sensitivity` defines it: mean width and contrast of the two lines."""
    lines = get_model(plan.model).lines
    fwhm = parameters[:, [k for _, k, _ in lines]].mean(1)
    contrast = parameters[:, [k for _, _, k in lines]].mean(1)
    rate = parameters[:, get_model(plan.model).index("offset")] / plan.exposure
    if plan.model in ("gaussian", "lorentzian"):
        return slope_sensitivity(fwhm, contrast, rate, plan.model, defect)
    steepest = np.array([steepest_slope(plan.model, w) if np.isfinite(w) else np.nan for w in fwhm])
    return 1 / (steepest * defect.gamma * contrast * np.sqrt(rate))


def _lost(parameters: np.ndarray, plan: Plan) -> list[str]:
    good = np.isfinite(parameters).all(axis=1)
    if good.all():
        return []
    span = f"{plan.frequency[0] / 1e9:.4g} to {plan.frequency[-1] / 1e9:.4g} GHz"
    return [f"{int((~good).sum())} of {good.size} sites show no two dips of the shape {plan.model!r} from {span}"]
