"""What a line shape is: names, units, bounds, a formula and a compiled kernel with derivatives."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vbsense._names import choices

__all__ = ["UNITS", "Model", "unknown"]

UNITS = ("electron", "Hz", "1", "1/Hz", "T")


@dataclass(frozen=True)
class Model:
    """A line shape that can be fitted.

    Parameters
    ----------
    name : str
        What users call it.
    parameters : tuple of str
        Names, in the order of the kernel.
    units : tuple of str
        "electron", "Hz", "1", "1/Hz" or "T" for each parameter. The fit works on signals divided by their level, on
        frequencies mapped to [-1, 1] and on fields in mT, and scales the parameters by their units.
    function : callable
        ``function(frequency, *parameters)`` in numpy, for users, plots and lmfit.
    kernel : compiled function, str, or object with load()
        ``kernel(x, p, out, jacobian)``, compiled for `vbsense._shapes.SIGNATURES`; it fills the values ``(m,)``
        and their derivatives ``(parameter, m)``. A string "module:name" is imported on first use; ``load()`` is
        called then.
    positions : tuple of str
        The parameters in Hz that are places on the frequency axis (centers), not distances (widths).
    bounds : mapping of str to (float, float)
        Lower and upper bounds; what is missing is unbounded. Fits of sweeps keep unbounded positions inside the
        sweep and unbounded distances between half a step and twice the span.
    scale : float, optional
        The frequency (Hz) that is 1 in the kernel. A shape with a frequency of its own, such as the spacing of a
        comb, needs it; without it the kernel must hold in any unit.
    guess : callable, optional
        ``guess(frequency, signal)`` with signals ``(n, m)`` returns start values ``(n, parameters)``, in electrons
        and Hz. Without it the lines are found by matched filter: see `lines`.
    constants : ndarray, (k,), optional
        Numbers that the kernel finds in ``p`` behind the parameters: it is handed ``p`` of length
        ``len(parameters) + k``; the Jacobian keeps ``len(parameters)`` rows. The function does not see them.
    """

    name: str
    parameters: tuple[str, ...]
    units: tuple[str, ...]
    function: Callable[..., Any]
    kernel: Any
    positions: tuple[str, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    scale: float | None = None
    guess: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    constants: np.ndarray | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if len(self.units) != len(self.parameters):
            raise ValueError(f"model {self.name!r}: {len(self.parameters)} parameters but {len(self.units)} units")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError(f"model {self.name!r}: a parameter is named twice in {', '.join(self.parameters)}")
        for unit in self.units:
            if unit not in UNITS:
                raise ValueError(f"model {self.name!r}: unit {unit!r} is not one of {', '.join(UNITS)}")
        for name in self.positions:
            if self.units[self.index(name)] != "Hz":
                raise ValueError(f"model {self.name!r}: {name} is a place on the frequency axis, so its unit is Hz")
        for name, pair in self.bounds.items():
            self.index(name)
            if np.shape(pair) != (2,) or not pair[0] < pair[1]:
                raise ValueError(f"model {self.name!r}: bounds of {name} are {pair!r}; give (lower, upper)")
        if self.scale is not None and not 0 < self.scale < np.inf:
            raise ValueError(f"model {self.name!r}: scale is {self.scale!r}; it must be a positive frequency in Hz")
        if self.constants is not None:
            object.__setattr__(self, "constants", _checked_constants(self.name, self.constants))

    def index(self, parameter: str) -> int:
        """Place of `parameter` in the order of the kernel; an unknown name raises ValueError."""
        if parameter not in self.parameters:
            raise ValueError(unknown("parameter", parameter, self.parameters, f" of model {self.name!r}"))
        return self.parameters.index(parameter)

    def evaluate(self, frequency: Any, parameters: Any) -> np.ndarray:
        """Evaluate the model.

        Parameters
        ----------
        frequency : array_like, (m,)
            In Hz.
        parameters : array_like, (..., parameter)
            In the order of ``model.parameters``.

        Returns
        -------
        ndarray, (..., m)
            Signal in electrons.

        Examples
        --------
        >>> from vbsense.lineshape import get_model
        >>> get_model("lorentzian1").evaluate([3.4e9, 3.45e9], [1000.0, 3.4e9, 1e8, 0.1]).tolist()
        [900.0, 950.0]
        """
        columns = np.moveaxis(np.asarray(parameters, dtype=float), -1, 0)
        if len(columns) != len(self.parameters):
            raise ValueError(
                f"model {self.name!r} has the {len(self.parameters)} parameters {', '.join(self.parameters)}; "
                f"received {len(columns)}"
            )
        return np.asarray(self.function(np.asarray(frequency, dtype=float), *(c[..., None] for c in columns)))

    def compiled(self, unit: float | None = None) -> Any:
        """Return the compiled kernel; the first call in a process loads it from the cache, or compiles it.

        Parameters
        ----------
        unit : float, optional
            The frequency (Hz) that is 1 in what the kernel will be given. If the model has a `scale`, only that will
            do; else ValueError.
        """
        if self.scale is not None and unit != self.scale:
            raise ValueError(
                f"the kernel of {self.name!r} takes frequencies of which one unit is {self.scale:.4g} Hz; received "
                f"{unit!r}: scale them by model.scale and call compiled(model.scale)"
            )
        if hasattr(self.kernel, "load"):
            return self.kernel.load()
        if not isinstance(self.kernel, str):
            return self.kernel
        module, name = self.kernel.split(":")
        return getattr(importlib.import_module(module), name)

    @property
    def lines(self) -> tuple[tuple[int, int, int], ...]:
        """Places of (center, fwhm, contrast) of each line, told by their names; empty if the names tell nothing.

        Two lines may share one ``fwhm``.
        """
        widths = "fwhm" if "fwhm" in self.parameters else "fwhm_{}"
        for names in (
            [("center", "fwhm", "contrast")],
            [(f"center_{side}", widths.format(side), f"contrast_{side}") for side in ("lower", "upper")],
        ):
            if {"offset", *(name for line in names for name in line)} <= set(self.parameters):
                return tuple((self.index(c), self.index(w), self.index(a)) for c, w, a in names)
        return ()

    @property
    def twins(self) -> tuple[tuple[int, int], ...]:
        """Places of all parameters that come as ``_lower`` and ``_upper``: what changes places with the lines."""
        lower = [name for name in self.parameters if name.endswith("_lower")]
        upper = [name.removesuffix("_lower") + "_upper" for name in lower]
        return tuple(
            (self.index(one), self.index(other))
            for one, other in zip(lower, upper, strict=True)
            if other in self.parameters
        )

    @property
    def middle(self) -> np.ndarray:
        """Middle of the bounds of each parameter ``(parameter,)``, 0 where these are open: where extra ones start."""
        box = np.array([self.bounds.get(name, (-np.inf, np.inf)) for name in self.parameters], dtype=float)
        closed = np.isfinite(box).all(axis=1)
        return np.where(closed, np.where(closed[:, None], box, 0).mean(axis=1), 0.0)


def _checked_constants(name: str, constants: Any) -> np.ndarray:
    values = np.array(constants, dtype=float)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"model {name!r}: constants are finite numbers (k,); received {constants!r:.80}")
    values.flags.writeable = False
    return values


def unknown(kind: str, name: object, known: tuple[str, ...], whose: str = "") -> str:
    """Sentence about an unknown name, with the nearest known one."""
    return f"unknown {kind} {name!r}{whose}; {choices(name, known, cutoff=0.5)}"
