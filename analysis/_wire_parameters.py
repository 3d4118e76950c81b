"""What a fit of wires can free: names, start values, bounds and priors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from vbsense._names import choices
from vbsense._numbers import number
from vbsense.currents import WIDEST, Bar, Ribbon

__all__ = ["UNITS", "Parameters", "Wires", "background_names", "read_parameters", "read_wires"]

# Of one wire, of the layer of sensors above all of them, and of what is there without a current.
_OF_WIRE = {"current": "A", "position": "m", "width": "m", "thickness": "m", "rotation": "rad"}
_OF_LAYER = {"standoff": "m", "tilt_x": "1", "tilt_y": "1"}
_OF_BACKGROUND = {"offset": "T", "gradient_x": "T/m", "gradient_y": "T/m"}
UNITS = _OF_WIRE | _OF_LAYER | _OF_BACKGROUND

_THINNEST = 1e-9  # m: width and thickness of what still is a conductor
HIGHEST = 0.01  # m: of the layer, as far as averages over spots go
_STEEPEST = 0.3  # slope of the layer, and angle (rad) by which a wire may turn


@dataclass(frozen=True)
class Wires:
    """One conductor or several, with the ends of their parameters' names."""

    conductors: tuple[Bar | Ribbon, ...]
    suffixes: tuple[str, ...]
    keys: tuple[Any, ...] | None  # of a mapping

    def like_given(self, conductors: Sequence[Bar | Ribbon]) -> Any:
        """As the user gave them: one, a tuple, or a mapping."""
        if self.keys is not None:
            return dict(zip(self.keys, conductors, strict=True))
        return conductors[0] if self.suffixes == ("",) else tuple(conductors)


@dataclass(frozen=True, eq=False)
class Parameters:
    """All parameters of one problem and which of them are free."""

    start: Mapping[str, float]
    linear: frozenset[str]  # the field is proportional to them: they need no start
    free: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    prior_mean: np.ndarray  # NaN without a prior
    prior_sigma: np.ndarray

    def values(self, x: np.ndarray) -> dict[str, float]:
        """All values by name, with `x` for the free ones."""
        return {**self.start, **{name: float(v) for name, v in zip(self.free, x, strict=True)}}

    @cached_property
    def weights(self) -> np.ndarray:
        """Inverse variances of the priors, 0 where there is none."""
        return np.where(np.isfinite(self.prior_sigma), self.prior_sigma, np.inf) ** -2.0

    @cached_property
    def means(self) -> np.ndarray:
        """Means of the priors, 0 where there is none."""
        return np.where(np.isfinite(self.prior_mean), self.prior_mean, 0.0)


def read_wires(wire: Any) -> Wires:
    """A bar or ribbon, several of them, or a mapping of names to them."""
    if isinstance(wire, Bar | Ribbon):
        return Wires((wire,), ("",), None)
    if isinstance(wire, Mapping):
        keys, parts = tuple(wire), tuple(wire.values())
        suffixes = tuple(f"_{key}" for key in keys)
    elif isinstance(wire, Iterable) and not isinstance(wire, str | bytes):
        keys, parts = None, tuple(wire)
        suffixes = tuple(f"_{n + 1}" for n in range(len(parts)))
    else:
        raise TypeError(f"wire is a {type(wire).__name__}; the model is a vbsense.Bar or Ribbon, or several of them")
    if not parts:
        raise ValueError("wire is empty; give at least one vbsense.Bar or Ribbon")
    for part, suffix in zip(parts, suffixes, strict=True):
        if not isinstance(part, Bar | Ribbon):
            raise TypeError(f"wire{suffix} is a {type(part).__name__}; the model is a vbsense.Bar or Ribbon")
    return Wires(parts, suffixes, keys)


@lru_cache(maxsize=32)
def background_names(components: tuple[str, ...]) -> dict[str, tuple[int, str]]:
    """Names of the constant and the slopes of every component: (which component, which of them).

    With one component they are offset, gradient_x and gradient_y; with several offset_x, gradient_xy (of Bx along y)
    and so on.
    """
    if len(components) == 1:
        return {name: (0, name) for name in _OF_BACKGROUND}
    names = {f"offset_{c}": (k, "offset") for k, c in enumerate(components)}
    for k, c in enumerate(components):
        names |= {f"gradient_{c}{axis}": (k, f"gradient_{axis}") for axis in "xy"}
    return names


def _known(wires: Wires, components: tuple[str, ...], standoff: float) -> tuple[dict[str, float], frozenset[str]]:
    """Start of every parameter, and those in which the field is linear."""
    start: dict[str, float] = {}
    for part, end in zip(wires.conductors, wires.suffixes, strict=True):
        start |= {f"current{end}": part.current, f"position{end}": 0.0, f"width{end}": part.width}
        start |= {f"thickness{end}": part.thickness} if isinstance(part, Bar) else {}
        start[f"rotation{end}"] = 0.0
    start |= {"standoff": standoff, "tilt_x": 0.0, "tilt_y": 0.0}
    background = background_names(components)
    start |= dict.fromkeys(background, 0.0)
    return start, frozenset([*background, *(f"current{end}" for end in wires.suffixes)])


def _expanded(name: str, wires: Wires, components: tuple[str, ...], known: Iterable[str], where: str) -> list[str]:
    """The parameters that a name stands for: "current" for those of all wires, "offset" for all components."""
    known = list(known)
    if name in known:
        return [name]
    several = [f"{name}{end}" for end in wires.suffixes if f"{name}{end}" in known]
    several += [own for own, (_, kind) in background_names(components).items() if kind == name]
    if not several:
        raise ValueError(f"{where}: there is no parameter {name!r}; {choices(name, known)}")
    return several


@lru_cache(maxsize=256)
def base_of(name: str) -> str:
    """The name without the wire or the component."""
    return max((base for base in UNITS if name.startswith(base)), key=len, default="gradient_x")


def _natural(name: str, lowest: float) -> tuple[float, float]:
    """Bounds that hold whatever the user says."""
    base = base_of(name)
    if base in ("width", "thickness"):
        return _THINNEST, WIDEST
    if base in ("tilt_x", "tilt_y", "rotation"):
        return -_STEEPEST, _STEEPEST
    return (lowest, HIGHEST) if base == "standoff" else (-np.inf, np.inf)


def read_parameters(
    wires: Wires, components: tuple[str, ...], free: Any, *, standoff: float, lowest: float, bounds: Any, priors: Any
) -> Parameters:
    """Check the options of a fit.

    Parameters
    ----------
    wires : Wires
        With start values.
    components : sequence of str
        Of the field: some of x, y, z.
    free : str or sequence of str
        Which are fitted.
    standoff, lowest : float
        Start, and least possible value (m).
    bounds, priors : mapping or None
        (lower, upper), and (mean, sigma), by name.
    """
    start, linear = _known(wires, components, standoff)
    if not isinstance(free, Iterable):
        raise TypeError(f"free is {free!r}; give a name or a list of names")
    names = (free,) if isinstance(free, str) else tuple(free)
    chosen = [own for name in names for own in _expanded(str(name), wires, components, start, "free")]
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"free is {free!r}; choose from {', '.join(start)}, each once")
    box = np.array([_natural(name, lowest) for name in chosen])
    for name, low, high in _pairs(bounds, "bounds", wires, components, start, chosen):
        if not low < high:
            raise ValueError(f"bounds of {name!r} are ({low:g}, {high:g}); give (lower, upper) with lower < upper")
        k = chosen.index(name)
        if name not in linear and not low <= start[name] <= high:
            raise ValueError(
                f"bounds of {name!r} are ({low:g}, {high:g}) and exclude its start, {start[name]:g}: change them, or "
                f"the {'option standoff' if name == 'standoff' else 'wire'}"
            )
        box[k] = max(box[k, 0], low), min(box[k, 1], high)
        if not box[k, 0] < box[k, 1]:
            raise ValueError(f"bounds of {name!r} are ({low:g}, {high:g}); possible are {_natural(name, lowest)}")
    believed = np.full((len(chosen), 2), np.nan)
    for name, mean, sigma in _pairs(priors, "priors", wires, components, start, chosen):
        if not (np.isfinite(mean) and np.isfinite(sigma) and sigma > 0):
            raise ValueError(f"prior of {name!r} is ({mean:g}, {sigma:g}); give (mean, sigma) with sigma > 0")
        believed[chosen.index(name)] = mean, sigma
    return Parameters(start, linear, tuple(chosen), box[:, 0], box[:, 1], believed[:, 0], believed[:, 1])


def _pairs(
    given: Any, what: str, wires: Wires, components: tuple[str, ...], known: Iterable[str], free: Sequence[str]
) -> list[tuple[str, float, float]]:
    """(name, first, second) of every entry of bounds or priors."""
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise TypeError(f"{what} is a {type(given).__name__}; give a mapping of names to pairs of numbers")
    rows = []
    for name, pair in given.items():
        if np.shape(pair) != (2,):
            raise ValueError(f"{what} of {name!r} are {pair!r}; give two numbers in SI units")
        for own in _expanded(str(name), wires, components, known, what):
            if own not in free:
                raise ValueError(f"{what}: {own!r} is not free; free are {', '.join(free)}")
            unit = UNITS[base_of(own)]
            first, second = (v if np.isinf(v) else number(f"{what} of {own!r}", v, unit) for v in _floats(pair, own))
            rows.append((own, float(first), float(second)))
    return rows


def _floats(pair: Any, name: str) -> list[float]:
    try:
        values = [float(v) for v in pair]
    except (TypeError, ValueError):
        raise ValueError(f"{name!r} has {pair!r}; give two numbers in SI units") from None
    if np.isnan(values).any():
        raise ValueError(f"{name!r} has {pair!r}; give two numbers in SI units, not NaN")
    return values
