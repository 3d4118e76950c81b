"""The models that have a name, and combs of ones own.

`MODELS` are the common ones; `SPECIAL_MODELS` need more parameters, better data or another defect, and have their
kernels in modules that are imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vbsense.defect import VB14N, VB15N, Defect
from vbsense.lineshapes import formulas
from vbsense.lineshapes.model import Model

__all__ = ["MODELS", "SPECIAL_MODELS", "comb_model", "dips"]

# Largest skew of a line: half-widths of a ratio of 4.5, or a tail with three quarters of the moment of an exponential.
STEEPEST = 1.5
# Hyperfine constants of the nitrogen-vacancy centre in diamond along its axis (Hz), signs left out: widely quoted.
NV14, NV15 = 2.16e6, 3.03e6


def spacing(defect: Defect) -> float:
    """Distance (Hz) of neighbouring lines, to first order: |A_cc| of its nuclei.

    >>> spacing(VB14N)
    45500000.0
    """
    return abs(float(np.asarray(defect.nuclei[0].A)[2, 2]))


def dips(
    name: str, function: Callable[..., Any], kernel: str, suffixes: tuple[str, ...] = ("_lower", "_upper"), *,
    more: Sequence[str] = (), more_bounds: tuple[float, float] = (0.0, 1.0), **fields: Any,
) -> Model:  # fmt: skip
    """Offset, then center, fwhm and contrast of each line, then `more` parameters without a unit.

    >>> dips("mine", formulas.single(formulas.gaussian), "vbsense._shapes:gaussian1", ("",)).parameters
    ('offset', 'center', 'fwhm', 'contrast')
    """
    triples = [(f"{word}{suffix}", unit) for word, unit in (("center", "Hz"), ("fwhm", "Hz"), ("contrast", "1"))
               for suffix in suffixes]  # fmt: skip
    names, units = zip(("offset", "electron"), *triples, *((name, "1") for name in more), strict=True)
    bounds = {n: (0.0, np.inf) for n in names if n.startswith(("offset", "fwhm"))}
    bounds |= {n: (0.0, 1.0) for n in names if n.startswith("contrast")} | dict.fromkeys(more, more_bounds)
    positions = tuple(n for n in names if n.startswith("center"))
    return Model(name, names, units, function, kernel, positions, bounds, **fields)


def comb_model(
    name: str, places: Sequence[float], weights: Sequence[float], *, lines: int = 2, scale: float | None = None,
    contrast_at: float = 0.0,
) -> Model:  # fmt: skip
    """Make a model of one or two combs of Lorentzians.

    Parameters
    ----------
    name : str
        Of the model.
    places : sequence of float
        Distances (Hz) of pairs of lines from the middle of the comb, on either side. A line in the middle is a pair
        at 0 with half its weight.
    weights : sequence of float
        Of either line of each pair; any unit.
    lines : int
        2 combs ("_lower" and "_upper"), or 1.
    scale : float, optional
        A typical distance of lines (Hz); the smallest by default. The fit looks for combs in steps of half of it.
    contrast_at : float
        Distance from the middle (Hz) at which the depth is the contrast. Where the lines are narrow and none is in
        the middle, that of the deepest line is better: in the middle next to nothing can be seen.

    Returns
    -------
    Model
        ``center``: the middle of the comb; ``fwhm``: of one Lorentzian; ``contrast``: the depth of the whole comb
        in the middle, or at `contrast_at`.

    Raises
    ------
    ValueError
        If places or weights are not finite, negative or not as many, or a scale is not positive.

    Examples
    --------
    >>> triplet = comb_model("triplet", places=[0.0, 2.16e6], weights=[0.5, 1.0], lines=1)
    >>> depth = 1 - triplet.evaluate([2.87e9, 2.87e9 + 2.16e6, 2.87e9 + 0.5e5], [1.0, 2.87e9, 1e5, 0.02])
    >>> depth.round(4).tolist()
    [0.02, 0.02, 0.01]
    """
    at, weight = (np.asarray(v, dtype=float) for v in (places, weights))
    if at.ndim != 1 or at.shape != weight.shape or not at.size:
        raise ValueError(f"a comb needs as many weights as places; received shapes {weight.shape} and {at.shape}")
    if not (np.isfinite(at) & (at >= 0)).all():
        raise ValueError(f"places of the comb {name!r} are {at.tolist()}; give finite distances, not negative")
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError(f"weights of the comb {name!r} are {weight.tolist()}; give positive numbers")
    if not np.isfinite(contrast_at):
        raise ValueError(f"contrast_at is {contrast_at!r}; give a distance from the middle in Hz")
    if lines not in (1, 2):
        raise ValueError(f"lines is {lines!r}; a model has 1 comb or 2")
    unit = float(scale if scale is not None else _smallest_distance(name, at))
    if not 0 < unit < np.inf:
        raise ValueError(f"scale of the comb {name!r} is {scale!r}; it must be a positive frequency in Hz")
    shape = formulas.comb(at.tolist(), weight.tolist(), contrast_at)
    constants = np.concatenate([[contrast_at / unit], at / unit, weight / weight.sum()])
    if lines == 1:
        one = formulas.single(shape)
        return dips(name, one, "vbsense.lineshapes._combs:comb1", ("",), scale=unit, constants=constants)
    return dips(name, formulas.double(shape), "vbsense.lineshapes._combs:comb", scale=unit, constants=constants)


def _smallest_distance(name: str, places: np.ndarray) -> float:
    every = np.unique(np.concatenate([-places, places]))
    if every.size < 2:
        raise ValueError(f"the comb {name!r} is a single line; use 'lorentzian' or 'lorentzian1'")
    return float(np.diff(every).min())


def _named(models: Sequence[Model]) -> dict[str, Model]:
    return {model.name: model for model in models}


def _hyperfine(name: str, defect: Defect, places: Sequence[float], weights: Sequence[float]) -> Model:
    shape = formulas.comb([spacing(defect) * place for place in places], weights)
    return dips(name, formulas.double(shape), f"vbsense.lineshapes._combs:{name}", scale=spacing(defect))


MODELS = _named(
    [
        dips("lorentzian", formulas.double(formulas.lorentzian), "vbsense._shapes:lorentzian"),
        dips("gaussian", formulas.double(formulas.gaussian), "vbsense._shapes:gaussian"),
        _hyperfine("hyperfine14", VB14N, (0.0, 1.0, 2.0, 3.0), (3.5, 6.0, 3.0, 1.0)),
        _hyperfine("hyperfine15", VB15N, (0.5, 1.5), (3.0, 1.0)),
        dips("lorentzian1", formulas.single(formulas.lorentzian), "vbsense._shapes:lorentzian1", ("",)),
        dips("gaussian1", formulas.single(formulas.gaussian), "vbsense._shapes:gaussian1", ("",)),
    ]
)


def _combs() -> list[Model]:
    """Single combs of like nuclei, combs of unlike ones, and those of the nitrogen-vacancy centre."""
    A, B = spacing(VB14N), spacing(VB15N)
    combs: dict[str, tuple[Sequence[float], Sequence[float], float, float]] = {
        "hyperfine14": ((0, A, 2 * A, 3 * A), (3.5, 6, 3, 1), A, 0.0),
        "hyperfine15": ((B / 2, 3 * B / 2), (3, 1), B, 0.0),
        # m14 = 0, 1, 2 with weights 3, 2, 1 and m15 = +-1/2
        "hyperfine14_14_15": ((B / 2, A - B / 2, A + B / 2, 2 * A - B / 2, 2 * A + B / 2), (3, 2, 2, 1, 1), A, 0.0),
        # m14 = 0, 1 and m15 = 0, 1 with weights 1 and 2, 1
        "hyperfine14_15_15": ((0, A, B, B - A, B + A), (1, 2, 1, 1, 1), A, 0.0),
        "nv14": ((0, NV14), (0.5, 1), NV14, 0.0),
        "nv15": ((NV15 / 2,), (1,), NV15, NV15 / 2),
    }
    made = [
        comb_model(f"{name}_1" if lines == 1 else name, at, weights, lines=lines, scale=unit, contrast_at=where)
        for lines in (1, 2)
        for name, (at, weights, unit, where) in combs.items()
    ]
    return [model for model in made if model.name not in MODELS]


_VOIGT, _SKEWED, _TAILED = (f"vbsense.lineshapes.{name}" for name in ("_mixed", "_skewed", "_tailed"))
_STEEP = (-STEEPEST, STEEPEST)

_SIDES = ("skew_lower", "skew_upper")


def _with_more() -> list[Model]:
    """Lines with a parameter more than place, width and depth."""
    voigt, skewed, emg = formulas.pseudo_voigt, formulas.skewed, formulas.emg
    double, single, one = formulas.double, formulas.single, ("",)
    return [
        dips("pseudo_voigt", double(voigt, common=True), f"{_VOIGT}:pseudo_voigt", more=("mixing",)),
        dips("pseudo_voigt1", single(voigt), f"{_VOIGT}:pseudo_voigt1", one, more=("mixing",)),
        dips("skewed", double(skewed), f"{_SKEWED}:skewed", more=_SIDES, more_bounds=_STEEP),
        dips("skewed1", single(skewed), f"{_SKEWED}:skewed1", one, more=("skew",), more_bounds=_STEEP),
        dips("emg", double(emg), f"{_TAILED}:emg", more=_SIDES, more_bounds=_STEEP),
        dips("emg1", single(emg), f"{_TAILED}:emg1", one, more=("skew",), more_bounds=_STEEP),
    ]


SPECIAL_MODELS = _named([*_with_more(), *_combs()])
