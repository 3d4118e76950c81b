"""A model from a plain Python function, without a kernel of ones own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vbsense.lineshapes.check import verify
from vbsense.lineshapes.model import Model

__all__ = ["model_from_function"]


def model_from_function(
    function: Callable[..., float],
    units: Mapping[str, str],
    *,
    name: str | None = None,
    positions: Sequence[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    scale: float | None = None,
    guess: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Model:
    """Make a model from a function of numbers.

    Parameters
    ----------
    function : callable
        ``function(frequency, *parameters)`` of numbers (not arrays), with arithmetic, ``if``, and functions of `math`
        or numpy. It is compiled with numba.
    units : mapping of str to str
        "electron", "Hz", "1" or "1/Hz" for each parameter of the function.
    name : str, optional
        Of the model; that of the function by default.
    positions, bounds, guess
        As in `Model`.
    scale : float, optional
        A function with a frequency of its own (a spacing in Hz, say) needs it: any typical frequency in Hz.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If the units do not name the parameters, if numba cannot compile the function, or if its values do not scale
        as units and positions say.

    Notes
    -----
    The derivatives are central differences, in float64 whatever the precision of the fit, and good to about 1e-8 of
    the largest (1e-5 for lines as narrow as a 400th of the sweep): more than a fit needs. Each costs two calls of the
    function for each frequency, which numba seldom turns into vectors: 300 ns per frequency for two Gaussians with 7
    parameters, where "gaussian" takes 1 ns (float32) or 4. A whole fit takes about nine times as long: 12 000 spectra
    a second on one core. Every process compiles it anew, in two to three seconds.

    Examples
    --------
    >>> import math
    >>> def drooping(frequency, offset, center, fwhm, contrast):
    ...     return offset * (1 - contrast / math.cosh((frequency - center) / fwhm * 2.633915793849634))
    >>> model = model_from_function(drooping, {"offset": "electron", "center": "Hz", "fwhm": "Hz", "contrast": "1"},
    ...                             positions=["center"], bounds={"contrast": (0, 1)})
    >>> model.evaluate([3.4e9, 3.45e9], [1000.0, 3.4e9, 1e8, 0.1]).round(6).tolist()
    [900.0, 950.0]
    """
    function = getattr(function, "py_func", function)
    names = _parameters(function, units)
    called = name or function.__name__
    limits = dict(bounds or {})
    scalar, fill = _compiled(function, called, len(names))

    def evaluate(frequency: Any, *parameters: Any) -> Any:
        columns = np.broadcast_arrays(frequency, *parameters)
        table = np.stack([np.asarray(c, dtype=float).ravel() for c in columns[1:]], -1)
        out = np.empty(columns[0].size)
        fill(np.ascontiguousarray(columns[0], dtype=float).ravel(), table, out)
        return out.reshape(columns[0].shape)[()]

    model = Model(called, names, tuple(units[n] for n in names), evaluate, None, tuple(positions), limits, scale, guess)
    lower, upper = _limits(model)
    from vbsense.lineshapes._differences import differences

    object.__setattr__(model, "kernel", differences(scalar, model.units, lower, upper, float(scale or 1.0)))
    return verify(model)


def _parameters(function: Callable[..., Any], units: Mapping[str, str]) -> tuple[str, ...]:
    every = inspect.signature(function).parameters
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(every) < 2 or any(p.kind not in plain for p in every.values()):
        raise ValueError(f"{function.__name__} must take the frequency, then each parameter by its name")
    names = tuple(every)[1:]
    if set(names) != set(units):
        raise ValueError(f"units of {', '.join(names)} are needed; received those of {', '.join(units)}")
    return names


def _compiled(function: Callable[..., Any], name: str, n: int) -> tuple[Any, Any]:
    from numba.core.errors import NumbaError

    from vbsense.lineshapes._differences import compile_function

    try:
        return compile_function(function, n)
    except NumbaError as error:
        raise ValueError(
            f"the function of model {name!r} cannot be compiled; it may use numbers, if, and functions of math and "
            f"numpy. Numba says: {str(error).strip()[:300]}"
        ) from error


def _limits(model: Model) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Bounds that hold in every unit of frequency and signal: of pure numbers, and zero."""
    box = [model.bounds.get(name, (-np.inf, np.inf)) for name in model.parameters]
    free = [unit != "1" for unit in model.units]
    moved = [name in model.positions for name in model.parameters]
    lower = [-np.inf if f and (low != 0 or m) else low for (low, _), f, m in zip(box, free, moved, strict=True)]
    upper = [np.inf if f and (high != 0 or m) else high for (_, high), f, m in zip(box, free, moved, strict=True)]
    return tuple(map(float, lower)), tuple(map(float, upper))
