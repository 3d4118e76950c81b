"""Models made from other models: parameters that two lines share, and light that drifts along the sweep."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vbsense.lineshapes.model import Model

__all__ = ["shared", "tied", "with_baseline"]

_SHAPES, _COMBS, _MIXED = "vbsense._shapes", "vbsense.lineshapes._combs", "vbsense.lineshapes._mixed"
# Two lines of one width have kernels of their own, for these need no memory; combs with their places and weights.
_ONE_WIDTH: dict[str, tuple[str, tuple[float, ...] | None]] = {
    f"{_SHAPES}:lorentzian": (f"{_SHAPES}:lorentzian_shared", None),
    f"{_SHAPES}:gaussian": (f"{_SHAPES}:gaussian_shared", None),
    f"{_MIXED}:pseudo_voigt": (f"{_MIXED}:pseudo_voigt_shared", None),
    f"{_COMBS}:comb": (f"{_COMBS}:comb_shared", None),
    f"{_COMBS}:hyperfine14": (f"{_COMBS}:comb_shared", (0.0, 0.0, 1.0, 2.0, 3.0, 3.5, 6.0, 3.0, 1.0)),
    f"{_COMBS}:hyperfine15": (f"{_COMBS}:comb_shared", (0.0, 0.5, 1.5, 3.0, 1.0)),
}


def shared(model: str | Model, *words: str) -> Model:
    """Give the lower and the upper line one parameter in common.

    Parameters
    ----------
    model : str or Model
        One with the parameters ``<word>_lower`` and ``<word>_upper``.
    *words : str
        ``"fwhm"``, or what else the two lines have.

    Returns
    -------
    Model
        With the parameter ``<word>`` in the place of the two, within the bounds of both. Its name is that of the
        model with "+shared_<word>", which `get_model` and the fits understand as well.

    Raises
    ------
    ValueError
        If the lines have no such parameter; the message shows the nearest.

    Notes
    -----
    The named models that share ``fwhm`` have kernels of their own. Others call the model's kernel and add rows of its
    Jacobian, which costs 1.2 ns per frequency. Lines that share their contrast or center cannot be found by matched
    filter: such a fit needs a `guess` or start values.

    Examples
    --------
    >>> shared("gaussian", "fwhm").parameters
    ('offset', 'center_lower', 'center_upper', 'fwhm', 'contrast_lower', 'contrast_upper')
    """
    model = _model(model)
    if not words:
        raise ValueError('shared() needs what the lines have in common, for example shared("gaussian", "fwhm")')
    for word in words:
        model.index(f"{word}_lower")
        pair = (f"{word}_lower", f"{word}_upper")
        one = tied(model, {word: pair}, name=f"{model.name}+shared_{word}")
        if word == "fwhm" and model.kernel in _ONE_WIDTH:
            kernel, constants = _ONE_WIDTH[model.kernel]
            one = replace(one, kernel=kernel, constants=model.constants if constants is None else np.array(constants))
        model = one
    return model


def tied(model: str | Model, groups: Mapping[str, Sequence[str]], *, name: str | None = None) -> Model:
    """Make one parameter of several.

    Parameters
    ----------
    model : str or Model
        Any.
    groups : mapping of str to sequence of str
        The name of each new parameter, and those of the model that it replaces. They have one unit.
    name : str, optional
        Of the new model.

    Returns
    -------
    Model
        Each new parameter stands where the first of its group stood.

    Raises
    ------
    ValueError
        For an unknown parameter, one in two groups, or a group of several units.

    Examples
    --------
    >>> tied("lorentzian", {"depth": ["contrast_lower", "contrast_upper"]}).parameters[-1]
    'depth'
    """
    model = _model(model)
    if not groups:
        raise ValueError("tied() needs at least one group of parameters")
    into = _replacements(model, groups)
    names = list(dict.fromkeys(into))
    at = tuple(names.index(new) for new in into)
    first = [at.index(k) for k in range(len(names))]
    bounds = {new: _common(model, [old for old, n in zip(model.parameters, into, strict=True) if n == new])
              for new in names}  # fmt: skip

    def function(frequency: Any, *parameters: Any) -> Any:
        return model.function(frequency, *(parameters[k] for k in at))

    def guess(frequency: np.ndarray, signal: np.ndarray) -> np.ndarray:
        full = np.asarray(model.guess(frequency, signal))  # type: ignore[misc]
        return np.stack([full[:, [i for i, k in enumerate(at) if k == new]].mean(1) for new in range(len(names))], -1)

    return replace(
        model,
        name=name or "+".join([model.name, *(f"tied_{new}" for new in groups)]),
        parameters=tuple(names),
        units=tuple(model.units[i] for i in first),
        function=function,
        kernel=_Made("tied", model.kernel, at),
        positions=tuple(new for new, i in zip(names, first, strict=True) if model.parameters[i] in model.positions),
        bounds={new: pair for new, pair in bounds.items() if pair != (-np.inf, np.inf)},
        guess=None if model.guess is None else guess,
    )


def with_baseline(model: str | Model) -> Model:
    """Let the light rise or fall along the sweep.

    Parameters
    ----------
    model : str or Model
        One with at least one position.

    Returns
    -------
    Model
        ``model * (1 + slope * (frequency - middle))``, where ``middle`` is the mean of its positions and ``slope``
        (1/Hz) a parameter more, behind the others: ``offset`` is the level at the middle. Its name is that of the
        model with "+baseline", which `get_model` and the fits understand as well.

    Raises
    ------
    ValueError
        If the model has no position or a parameter ``slope`` already.

    Examples
    --------
    >>> drifting = with_baseline("lorentzian1")
    >>> drifting.evaluate([2.4e9, 3.4e9, 4.4e9], [1000.0, 3.4e9, 1e6, 0.1, 1e-10]).round(2).tolist()
    [900.0, 900.0, 1100.0]
    """
    from vbsense.lineshape import get_model

    model = get_model(model)
    if not model.positions or "slope" in model.parameters:
        why = "has a slope already" if model.positions else "has no positions, so that there is no middle"
        raise ValueError(f"model {model.name!r} {why}; no baseline can be added")
    n, places = len(model.parameters), tuple(model.index(name) for name in model.positions)

    def function(frequency: Any, *parameters: Any) -> Any:
        middle = sum(parameters[k] for k in places) / len(places)
        return model.function(frequency, *parameters[:-1]) * (1 + parameters[-1] * (frequency - middle))

    def guess(frequency: np.ndarray, signal: np.ndarray) -> np.ndarray:
        found = np.asarray(model.guess(frequency, signal))  # type: ignore[misc]
        return np.concatenate([found, np.zeros((len(found), 1))], 1)

    return replace(
        model,
        name=f"{model.name}+baseline",
        parameters=(*model.parameters, "slope"),
        units=(*model.units, "1/Hz"),
        function=function,
        kernel=_Made("tilted", model.kernel, n, places),
        guess=None if model.guess is None else guess,
    )


class _Made:
    """A kernel made from another on first use."""

    def __init__(self, maker: str, base: Any, *settings: Any) -> None:
        self.maker, self.base, self.settings = maker, base, settings
        self.made: Any = None

    def load(self) -> Any:
        """Compile it, or take it from the cache on disk."""
        if self.made is None:
            from vbsense.lineshapes import _composed

            base = self.base.load() if isinstance(self.base, _Made) else self.base
            if not isinstance(base, str) and not hasattr(base, "nopython_signatures"):
                raise ValueError(
                    f"{base!r:.80} is not compiled; a model of models needs a kernel by vbsense._jit.kernel"
                )
            stamp = _stamp(base) if isinstance(base, str) else 0
            self.made = getattr(_composed, self.maker)(base, stamp, *self.settings)
        return self.made


def _stamp(kernel: str) -> int:
    """Checksum of the source of a kernel and of what the kernels of this package have in common."""
    stamp = 0
    for module in (kernel.partition(":")[0], _SHAPES):
        spec = importlib.util.find_spec(module)
        if spec is not None and spec.origin and Path(spec.origin).is_file():
            stamp = zlib.crc32(Path(spec.origin).read_bytes(), stamp)
    return stamp


def _model(model: str | Model) -> Model:
    from vbsense.lineshape import get_model

    model = get_model(model)
    if type(model) is not Model:  # its fit finds the parameters by their places
        raise ValueError(f"nothing can be added to the model {model.name!r}, nor parameters of it be shared")
    return model


def _replacements(model: Model, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the new name of each parameter."""
    into: dict[str, str] = {}
    for new, olds in groups.items():
        if isinstance(olds, str) or len(olds) < 2:
            raise ValueError(f"{new!r} shall replace {olds!r}; give a sequence of two or more parameters")
        units = {model.units[model.index(old)] for old in olds}
        if len(units) > 1 or len({old in model.positions for old in olds}) > 1:
            raise ValueError(f"{new!r} cannot replace {', '.join(olds)}: these are not of one kind")
        for old in olds:
            if old in into:
                raise ValueError(f"{old!r} is in two groups, {into[old]!r} and {new!r}")
            into[old] = new
    for new in groups:
        if new in model.parameters and new not in groups[new]:
            raise ValueError(f"model {model.name!r} has a parameter {new!r} already; choose another name")
    return [into.get(old, old) for old in model.parameters]


def _common(model: Model, names: Sequence[str]) -> tuple[float, float]:
    every = [model.bounds.get(name, (-np.inf, np.inf)) for name in names]
    return max(lower for lower, _ in every), min(upper for _, upper in every)
