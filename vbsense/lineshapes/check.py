"""A check of models: their kernels against their formulas and their own derivatives."""

from __future__ import annotations

import numpy as np

from vbsense.lineshapes.model import Model

__all__ = ["verify"]

X = np.linspace(-1, 1, 64)


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

    Examples
    --------
    >>> from vbsense.lineshape import get_model
    >>> verify(get_model("gaussian")).name
    'gaussian'
    """
    p = _typical(model)
    values = _check_derivatives(model, p)
    hertz = model.scale or 4e8
    factor = {"electron": 1e4, "Hz": hertz, "1": 1.0, "1/Hz": 1 / hertz, "T": 1e-3}
    scale = np.array([factor[unit] for unit in model.units])
    shift = np.array([3.47e9 if name in model.positions else 0.0 for name in model.parameters])
    if not np.allclose(model.evaluate(3.47e9 + hertz * X, p * scale + shift), 1e4 * values, rtol=1e-6):
        raise ValueError(
            f"model {model.name!r}: kernel and function disagree, or units and positions do not describe how the "
            f"parameters scale (a signal / 1e4, frequencies shifted by 3.47 GHz and divided by {hertz:.4g} Hz)"
        )
    return model


def _typical(model: Model) -> np.ndarray:
    """One point of parameter space, scaled: all parameters differ."""
    typical = {"electron": 1.1, "Hz": 0.4, "1": 0.07, "1/Hz": 0.05, "T": 1.3}
    n = len(model.parameters)
    return np.array([typical[unit] for unit in model.units]) * np.linspace(0.9, 1.1, n)


def _check_derivatives(model: Model, p: np.ndarray) -> np.ndarray:
    """Compare the Jacobian with differences of the values; return these."""
    kernel, n = model.compiled(model.scale), p.size
    behind = np.zeros(0) if model.constants is None else model.constants
    values, jacobian, spare = np.zeros(X.size), np.zeros((n, X.size)), np.zeros((n, X.size))
    kernel(X, np.concatenate([p, behind]), values, jacobian)
    for i, name in enumerate(model.parameters):
        sides = np.zeros((2, X.size))
        for out, step in zip(sides, (-1e-6, 1e-6), strict=True):
            kernel(X, np.concatenate([np.where(np.arange(n) == i, p + step, p), behind]), out, spare)
        if not np.allclose((sides[1] - sides[0]) / 2e-6, jacobian[i], rtol=1e-5, atol=1e-7):
            raise ValueError(f"model {model.name!r}: row {i} of the Jacobian is not the derivative by {name!r}")
    return values
