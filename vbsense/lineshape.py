"""Line shapes that can be fitted: names, units, bounds, values and derivatives of each model.

A model is a signal in electrons against frequency in Hz. Dips are fractions of the offset,

    signal = offset * (1 - contrast_lower * L((f - center_lower) / fwhm_lower) - contrast_upper * L(...)),

with L(d) = 1 / (1 + 4 d^2) (Lorentzian) or exp(-4 ln2 d^2) (Gaussian), so that L(0) = 1 and L(1/2) = 1/2.

"hyperfine14" and "hyperfine15" put a comb of Lorentzians in the place of L, one line for each total m of the three
nitrogens: 1:3:6:7:6:3:1 or 1:3:3:1, spaced by |A_cc| of the presets (45.5 and 63.8 MHz). Their ``center`` is the
middle of the comb, their ``fwhm`` the width of **one** hyperfine line, and their ``contrast`` the depth of the whole
comb at its middle. That is first order in A/D and leaves E out; `vbsense.analysis.hyperfine_correction` takes off
what this does to the field.

A new model is a function, a compiled kernel with derivatives, names and units. Here the square of a Lorentzian,
which falls off faster:

>>> import numpy as np
>>> import warnings
>>> from vbsense._jit import kernel
>>> from vbsense._shapes import SIGNATURES
>>> def squared(frequency, offset, center, fwhm, contrast):
...     return offset * (1 - contrast / (1 + ((frequency - center) / fwhm) ** 2) ** 2)
>>> def squared_kernel(x, p, out, jacobian):
...     for m in range(x.size):
...         d = (x[m] - p[1]) / p[2]
...         line = 1 / (1 + d * d)
...         out[m] = p[0] * (1 - p[3] * line**2)
...         jacobian[0, m] = 1 - p[3] * line**2
...         jacobian[1, m] = -4 * p[0] * p[3] * line**3 * d / p[2]
...         jacobian[2, m] = -4 * p[0] * p[3] * line**3 * d**2 / p[2]
...         jacobian[3, m] = -p[0] * line**2
>>> with warnings.catch_warnings():  # what is typed at a prompt cannot be cached: that is fine here
...     warnings.simplefilter("ignore")
...     compiled = kernel(SIGNATURES)(squared_kernel)
>>> model = verify(Model("squared", ("offset", "center", "fwhm", "contrast"), ("electron", "Hz", "Hz", "1"),
...                      squared, compiled, positions=("center",), bounds={"fwhm": (1e6, 1e9), "contrast": (0, 1)}))
>>> model.evaluate([3.4e9, 3.5e9], [1000.0, 3.4e9, 1e8, 0.1]).tolist()
[900.0, 975.0]

``analysis.fit_sweep(sweep, model=model)`` and ``analysis.fit_spectrum`` take it as it is. Start values are found by
matched filter, because its parameters are an offset and the center, fwhm and contrast of a line; a model with
others brings its own `guess`.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vbsense.defect import VB14N, VB15N, Defect

__all__ = ["MODELS", "Model", "get_model", "verify"]

UNITS = ("electron", "Hz", "1")
Shape = Callable[[Any, Any], Any]  # of detuning and fwhm; 1 at the centre


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
        "electron", "Hz" or "1" for each parameter. The fit works on signals divided by their level and on
        frequencies mapped to [-1, 1], and scales the parameters by their units.
    function : callable
        ``function(frequency, *parameters)`` in numpy, for users, plots and lmfit.
    kernel : compiled function or str
        ``kernel(x, p, out, jacobian)``, compiled for `vbsense._shapes.SIGNATURES`; it fills the values ``(m,)``
        and their derivatives ``(parameter, m)``. A string "module:name" is imported on first use.
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

    def __post_init__(self) -> None:
        if len(self.units) != len(self.parameters):
            raise ValueError(f"model {self.name!r}: {len(self.parameters)} parameters but {len(self.units)} units")
        for unit in self.units:
            if unit not in UNITS:
                raise ValueError(f"model {self.name!r}: unit {unit!r} is not one of {', '.join(UNITS)}")
        for name in (*self.positions, *self.bounds):
            self.index(name)

    def index(self, parameter: str) -> int:
        """Place of `parameter` in the order of the kernel; an unknown name raises ValueError."""
        if parameter not in self.parameters:
            raise ValueError(_unknown("parameter", parameter, self.parameters, f" of model {self.name!r}"))
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
        if not isinstance(self.kernel, str):
            return self.kernel
        module, name = self.kernel.split(":")
        return getattr(importlib.import_module(module), name)

    @property
    def lines(self) -> tuple[tuple[int, int, int], ...]:
        """Places of (center, fwhm, contrast) of each line, told by their names; empty if the names tell nothing."""
        for suffixes in (("",), ("_lower", "_upper")):
            names = [tuple(f"{word}{suffix}" for word in ("center", "fwhm", "contrast")) for suffix in suffixes]
            if all(name in self.parameters for line in names for name in line) and "offset" in self.parameters:
                return tuple((self.index(c), self.index(w), self.index(a)) for c, w, a in names)
        return ()


def _lorentzian(detuning: Any, fwhm: Any) -> Any:
    d = detuning / fwhm
    return 1 / (1 + 4 * d * d)


def _gaussian(detuning: Any, fwhm: Any) -> Any:
    d = detuning / fwhm
    return np.exp(-4 * np.log(2) * d * d)


def _spacing(defect: Defect) -> float:
    """Distance (Hz) of neighbouring lines, to first order: |A_cc| of its nuclei."""
    return abs(float(np.asarray(defect.nuclei[0].A)[2, 2]))


def _comb(defect: Defect) -> Shape:
    """Lorentzians at every total m of equal nuclei, as often as it occurs; 1 at the centre."""
    weights = np.ones(1)
    for nucleus in defect.nuclei:
        weights = np.convolve(weights, np.ones(nucleus.dimension))
    places = _spacing(defect) * (np.arange(weights.size) - (weights.size - 1) / 2)

    def shape(detuning: Any, fwhm: Any) -> Any:
        lines = list(zip(weights, places, strict=True))
        height = sum(w * _lorentzian(place, fwhm) for w, place in lines)
        return sum(w * _lorentzian(detuning - place, fwhm) for w, place in lines) / height

    return shape


def _single(shape: Shape) -> Callable[..., Any]:
    def function(frequency: Any, offset: Any, center: Any, fwhm: Any, contrast: Any) -> Any:
        return offset * (1 - contrast * shape(frequency - center, fwhm))

    return function


def _double(shape: Shape) -> Callable[..., Any]:
    def function(
        frequency: Any, offset: Any, center_lower: Any, center_upper: Any, fwhm_lower: Any, fwhm_upper: Any,
        contrast_lower: Any, contrast_upper: Any,
    ) -> Any:  # fmt: skip
        lower = contrast_lower * shape(frequency - center_lower, fwhm_lower)
        upper = contrast_upper * shape(frequency - center_upper, fwhm_upper)
        return offset * (1 - lower - upper)

    return function


def _dips(name: str, function: Callable[..., Any], suffixes: tuple[str, ...], scale: float | None = None) -> Model:
    triples = [(f"{word}{suffix}", unit) for word, unit in (("center", "Hz"), ("fwhm", "Hz"), ("contrast", "1"))
               for suffix in suffixes]  # fmt: skip
    names, units = zip(("offset", "electron"), *triples, strict=True)
    bounds = {n: (0.0, np.inf) for n in names if n.startswith(("offset", "fwhm"))}
    bounds |= {n: (0.0, 1.0) for n in names if n.startswith("contrast")}
    positions = tuple(n for n in names if n.startswith("center"))
    return Model(name, names, units, function, f"vbsense._shapes:{name}", positions, bounds, scale)


MODELS = {
    model.name: model
    for model in (
        _dips("lorentzian", _double(_lorentzian), ("_lower", "_upper")),
        _dips("gaussian", _double(_gaussian), ("_lower", "_upper")),
        _dips("hyperfine14", _double(_comb(VB14N)), ("_lower", "_upper"), _spacing(VB14N)),
        _dips("hyperfine15", _double(_comb(VB15N)), ("_lower", "_upper"), _spacing(VB15N)),
        _dips("lorentzian1", _single(_lorentzian), ("",)),
        _dips("gaussian1", _single(_gaussian), ("",)),
    )
}


def get_model(model: str | Model) -> Model:
    """Return a model by name; a `Model` is returned as it is.

    Parameters
    ----------
    model : str or Model
        "lorentzian", "gaussian" (two lines), "hyperfine14", "hyperfine15" (two combs), "lorentzian1", "gaussian1"
        (one line), or your own.

    Raises
    ------
    ValueError
        If there is no such model; the message shows the nearest name.

    Examples
    --------
    >>> get_model("gaussian1").parameters
    ('offset', 'center', 'fwhm', 'contrast')
    >>> get_model("gausian")
    Traceback (most recent call last):
    ValueError: unknown model 'gausian'; did you mean 'gaussian'? There are lorentzian, gaussian, hyperfine14, ...
    """
    if isinstance(model, Model):
        return model
    if model not in MODELS:
        raise ValueError(_unknown("model", model, tuple(MODELS)))
    return MODELS[model]


def _unknown(kind: str, name: object, known: tuple[str, ...], whose: str = "") -> str:
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}{whose}; {hint}There are {', '.join(known)}"


def verify(model: Model) -> Model:
    """Return `model` if its kernel agrees with its function and with its own derivatives, in scaled units too.

    Parameters
    ----------
    model : Model
        Checked at one point of parameter space, in float64.

    Raises
    ------
    ValueError
        Naming the parameter whose derivative or whose unit is wrong.
    """
    kernel, n = model.compiled(model.scale), len(model.parameters)
    x = np.linspace(-1, 1, 64)
    p = np.array([{"electron": 1.1, "Hz": 0.4, "1": 0.07}[unit] for unit in model.units]) * np.linspace(0.9, 1.1, n)
    values, jacobian, out = np.zeros(64), np.zeros((n, 64)), np.zeros(64)
    kernel(x, p, values, jacobian)
    for i, name in enumerate(model.parameters):
        slope = []
        for q in (p[i] - 1e-6, p[i] + 1e-6):
            kernel(x, np.where(np.arange(n) == i, q, p), out, np.zeros((n, 64)))
            slope.append(out.copy())
        if not np.allclose((slope[1] - slope[0]) / 2e-6, jacobian[i], rtol=1e-5, atol=1e-7):
            raise ValueError(f"model {model.name!r}: row {i} of the Jacobian is not the derivative by {name!r}")
    hertz = model.scale or 4e8
    scale = np.array([{"electron": 1e4, "Hz": hertz, "1": 1.0}[unit] for unit in model.units])
    shift = np.array([3.47e9 if name in model.positions else 0.0 for name in model.parameters])
    if not np.allclose(model.evaluate(3.47e9 + hertz * x, p * scale + shift), 1e4 * values, rtol=1e-6):
        raise ValueError(
            f"model {model.name!r}: kernel and function disagree, or units and positions do not describe how the "
            f"parameters scale (a signal / 1e4, frequencies shifted by 3.47 GHz and divided by {hertz:.4g} Hz)"
        )
    return model
