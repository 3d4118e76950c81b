"""What all blocks of one fit have in common: scaled frequencies, weights of the points, templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from vbsense.analysis._fieldstart import FieldTemplates, field_ladder, make_field_templates
from vbsense.analysis._lm import PAD
from vbsense.analysis._options import Options
from vbsense.analysis._start import Templates, constants_of, make_templates
from vbsense.groundstate.effective import MILLI, SCALE, HamiltonianModel
from vbsense.lineshape import Model

__all__ = ["Ladder", "Plan", "Teeth", "make_plan"]

# Templates: width and number. The first serve nearly all sweeps, for matched filters are not particular about
# the width; the others are tried on spectra whose fit is suspicious. Widths are in units of half the span.
LADDER = ((0.3, 24), (0.08, 64), (0.025, 128))
# The same for combs, in units of their spacing, and the least number. Centers may not be further apart than half of
# it, lest the fit locks in to the neighbouring line.
COMB_WIDTHS, COMB_TEMPLATES = (1.0, 0.4, 2.5), 48


class Ladder:
    """Templates of several widths, each made when it is asked for: most fits need the first only.

    Parameters
    ----------
    make : callable
        ``make(fwhm, count)``.
    rungs : sequence of (float, int)
        Widths and numbers of templates.
    """

    def __init__(self, make: Callable[[float, int], Templates | FieldTemplates], rungs: Sequence[tuple[float, int]]):
        self._make, self._rungs = make, tuple(rungs)
        self._made: dict[int, Templates | FieldTemplates] = {}

    def __len__(self) -> int:
        return len(self._rungs)

    def __getitem__(self, rung: int) -> Templates | FieldTemplates:
        if rung not in self._made:  # two threads may both make one: they are the same
            self._made[rung] = self._make(*self._rungs[rung])
        return self._made[rung]


@dataclass(frozen=True)
class Teeth:
    """Parameters of a comb: for each that moves it, and for each width, how much is one spacing (scaled)."""

    places: dict[int, float]
    widths: dict[int, float]


@dataclass(frozen=True)
class Plan:
    """All that the blocks of one fit have in common.

    "Scaled" frequency runs from -1 to 1 over the sweep, or is in units of `Model.scale`.
    """

    model: Model
    kernel: Any  # compiled
    constants: np.ndarray  # (k,) that the kernel finds behind its parameters, in the precision of the fit
    lines: tuple[tuple[int, int, int], ...]
    options: Options
    dtype: Any  # float32 or float64: the precision of the fit
    x: np.ndarray  # (m,) scaled frequency, padded
    points: int
    middle: float  # Hz
    half: float  # Hz that are 1 in scaled frequency
    signal: np.ndarray  # (plane, frequency, pixel) electrons
    error: np.ndarray | None  # one sigma of `signal`
    measured: np.ndarray  # (plane, frequency) bool
    count: np.ndarray  # (plane,) points measured
    roots: np.ndarray  # (plane, m) square roots of weights, largest 1
    frames: np.ndarray | None  # (plane,) at the points of weight 1; None: the noise is not known
    read_noise: float  # electrons
    excess_noise: float  # variance of the signal over its Poisson variance
    tail: float  # residual in sigma from which Huber's loss is linear; 0: squares
    follow: bool  # weights follow the model to the end
    limit: int
    covariance: bool  # wanted
    templates: Ladder
    contrasts: tuple[int, ...]  # parameters that must stand out of the noise

    @property
    def free(self) -> int:
        """Number of free parameters."""
        return int((~self.options.fixed).sum())

    @property
    def teeth(self) -> Teeth | None:
        """What moves and widens a comb, if the model is one."""
        if isinstance(self.model, HamiltonianModel):
            apart = self.model.spacing
            places = {
                self.model.index("Bz"): apart / self.model.defect.gamma / MILLI,
                self.model.index("D"): apart / SCALE,
            }
            return Teeth(places, {self.model.index("fwhm"): apart / SCALE})
        if self.model.scale and self.lines:  # the spacing is the unit of the kernel
            return Teeth({center: 1.0 for center, _, _ in self.lines}, {width: 1.0 for _, width, _ in self.lines})
        return None

    @property
    def shift(self) -> np.ndarray:
        """What is added to scaled parameters ``(parameter,)``, in SI units."""
        return np.array([self.middle if name in self.model.positions else 0.0 for name in self.model.parameters])

    def scales(self, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Factor ``(n, parameter)`` and shift ``(parameter,)`` from scaled parameters to SI units."""
        unit = {"electron": 1.0, "Hz": self.half, "1/Hz": 1 / self.half, "T": MILLI, "1": 1.0}
        factor = np.tile([unit[name] for name in self.model.units], (len(level), 1))
        factor[:, [name == "electron" for name in self.model.units]] = level[:, None]
        return factor, self.shift


def make_plan(
    model: Model, options: Options, dtype: Any, frequency: np.ndarray, frames: np.ndarray, known: bool, **data: Any
) -> Plan:
    """Scale the frequencies, weigh the points and build the templates.

    Parameters
    ----------
    model, options, dtype
        As in `Plan`.
    frequency : ndarray, (m,)
        In Hz.
    frames : ndarray, (plane, m)
        Frames averaged into each point; 0 where there are none.
    known : bool
        Whether `frames` are known, and with them the shot noise.
    **data
        The remaining fields of `Plan`.
    """
    points = frequency.size
    middle, span = (frequency[0] + frequency[-1]) / 2, max((frequency[-1] - frequency[0]) / 2, 1.0)
    half = model.scale or span
    x = np.full(PAD * -(-points // PAD), (frequency[-1] - middle) / half)
    x[:points] = (frequency - middle) / half
    ladder = Ladder(partial(make_templates, model, x, points), ())
    contrasts = tuple(contrast for _, _, contrast in model.lines)
    if isinstance(model, HamiltonianModel):
        contrasts = (model.index("contrast_lower"), model.index("contrast_upper"))
        ladder = _field_ladder(model, options, x, points, middle) if points > 1 else ladder
    elif model.lines and model.guess is None and points > 1:
        rungs = [(fwhm * (span / half), count) for fwhm, count in _ladder(model, options, span, points)]
        ladder = Ladder(partial(make_templates, model, x, points), rungs)
    measured, best = frames > 0, np.maximum(frames.max(1), 1)
    roots = np.zeros((len(frames), x.size), dtype)
    roots[:, :points] = np.sqrt(frames / best[:, None]) if known else measured
    scaled = {"x": x.astype(dtype), "points": points, "middle": middle, "half": half, "templates": ladder}
    weights = {"measured": measured, "count": measured.sum(1), "roots": roots, "frames": best if known else None}
    own = {"model": model, "kernel": model.compiled(half), "lines": model.lines, "options": options, "dtype": dtype}
    own |= {"constants": constants_of(model).astype(dtype), "contrasts": contrasts}
    return Plan(**own, **scaled, **weights, **data)


def _field_ladder(model: HamiltonianModel, options: Options, x: np.ndarray, points: int, middle: float) -> Ladder:
    """Templates of the Hamiltonian model, with D and the width that the caller may have said."""
    said = [options.start.get(model.index(name)) for name in ("D", "fwhm")]
    D, width = (None if value is None else float(np.nanmedian(value)) for value in said)
    place = ((model.defect.D if D is None else D) - middle) / SCALE
    rungs = field_ladder(model, width)
    if width and not options.fixed[model.index("fwhm")]:
        rungs += field_ladder(model, None)
    return Ladder(partial(make_field_templates, model, x, points, D=place), [(w / SCALE, n) for w, n in rungs])


def _ladder(model: Model, options: Options, half: float, points: int) -> list[tuple[float, int]]:
    """Widths, over half the span, and numbers of templates: from what the caller or the model says about the width."""
    width = model.lines[0][1]
    if width in options.start:
        known = float(np.nanmedian(options.start[width])) / half
        return [_rung(known)] if options.fixed[width] else [_rung(known), *_usual(model, half, points)]
    if options.given[width] and np.isfinite(options.upper[width]) and options.lower[width] > 0:
        return [_rung(float(np.sqrt(options.lower[width] * options.upper[width])) / half)]
    return _usual(model, half, points)


def _rung(fwhm: float) -> tuple[float, int]:
    return fwhm, int(np.clip(2 * np.ceil(3.5 / fwhm), 16, 128))


def _usual(model: Model, half: float, points: int) -> list[tuple[float, int]]:
    if model.scale:  # lines that just merge, and narrower ones
        count = min(128, max(COMB_TEMPLATES, 2 * int(np.ceil(2 * half / model.scale))))
        return [(model.scale * factor / half, count) for factor in COMB_WIDTHS]
    return [LADDER[0], *(rung for rung in LADDER[1:] if rung[0] > 3 / points)]
