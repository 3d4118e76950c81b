"""Fisher information: from derivatives and noise to the variance of what is wanted.

Notes
-----
For counts with mean ``s`` and variance ``v`` the information is ``sum (ds/dp_i) (ds/dp_j) / v``. That is exact for
Poisson counts and for Gaussian noise of known variance; for the mixture that a camera gives it leaves out what the
variance itself tells, a part of order 1 / s. C. R. Rao, Bull. Calcutta Math. Soc. 37, 81 (1945); S. M. Kay,
Fundamentals of Statistical Signal Processing: Estimation Theory (1993), chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.lineshape import Model, get_model

__all__ = ["Noise", "information", "model_jacobian", "undetermined", "variance_of"]

# A direction in parameter space counts as undetermined below this fraction of the best known one (parameters scaled
# to unit information), where rounding errors of the eigenvalues begin.
_NULL = 1e-11
# What part of the wanted gradient may lie in such a direction and still be rounding.
_LEAK = 1e-6


@dataclass(frozen=True)
class Noise:
    """Noise of the mean of some exposures.

    Parameters
    ----------
    frames : int
        Exposures averaged into each point.
    read_noise : float
        One sigma of one exposure (electron); where a spot covers many pixels, that of its weighted sum.
    background : float
        Electrons per exposure of light besides the signal, constant and known.
    excess : float
        Variance of the light over that of a Poisson count: 1 for a plain camera, 2 for electron multiplication.

    Examples
    --------
    >>> Noise(frames=4, read_noise=10.0).variance(300.0)
    100.0
    """

    frames: float = 1
    read_noise: float = 0.0
    background: float = 0.0
    excess: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.frames) and self.frames > 0):
            raise ValueError(f"frames is {self.frames!r}; it must be a positive number of exposures")
        for name, unit in (("read_noise", "electrons"), ("background", "electrons per exposure")):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be a number of {unit}, 0 or more")
        if not (np.isfinite(self.excess) and self.excess >= 1):
            raise ValueError(f"excess is {self.excess!r}; no camera is quieter than Poisson: it must be 1 or more")

    def variance(self, electrons: Any) -> Any:
        """Variance of the mean (electron^2) of signals of `electrons` per exposure, of any shape."""
        return (self.excess * (electrons + self.background) + self.read_noise**2) / self.frames


def model_jacobian(model: str | Model, frequency: Any, parameters: Any) -> tuple[np.ndarray, np.ndarray]:
    """Values of a line shape and their derivatives, by its compiled kernel.

    Parameters
    ----------
    model : str or Model
        See `vbsense.lineshape.get_model`.
    frequency : array_like, (m,)
        Hz.
    parameters : array_like, (..., p)
        In the order of ``model.parameters``.

    Returns
    -------
    values : ndarray, (..., m)
        Electrons.
    jacobian : ndarray, (..., p, m)
        Derivatives by each parameter in its own unit.

    Examples
    --------
    >>> values, slopes = model_jacobian("gaussian1", [3.4e9, 3.5e9], [1e6, 3.4e9, 1e8, 0.05])
    >>> values.round().tolist(), slopes[3].round().tolist()
    ([950000.0, 996875.0], [-1000000.0, -62500.0])
    """
    model, frequency = get_model(model), _frequency(frequency)
    parameters = np.asarray(parameters, dtype=float)
    if parameters.ndim == 0 or parameters.shape[-1] != len(model.parameters):
        raise ValueError(
            f"model {model.name!r} has the {len(model.parameters)} parameters {', '.join(model.parameters)}; "
            f"received shape {parameters.shape}"
        )
    origin, hertz = float(frequency.mean()), model.scale or 4e8
    shift = np.array([origin if name in model.positions else 0.0 for name in model.parameters])
    flat = parameters.reshape(-1, parameters.shape[-1])
    # The kernels work on signals near 1: electrons are counted in units of the first parameter that has them.
    level = np.abs(flat[:, model.units.index("electron")])
    if not (np.isfinite(flat).all() and level.all()):
        raise ValueError(f"parameters of {model.name!r} must be finite, and the light positive; received {parameters}")
    unit = {"electron": level, "Hz": hertz, "1": 1.0, "1/Hz": 1 / hertz, "T": 1e-3}
    scale = np.column_stack([np.broadcast_to(unit[u], level.shape) for u in model.units])
    behind = np.zeros(0) if model.constants is None else model.constants
    values = np.empty((len(flat), frequency.size))
    jacobian = np.empty((*flat.shape, frequency.size))
    kernel, x = model.compiled(model.scale), np.ascontiguousarray((frequency - origin) / hertz)
    for k, row in enumerate(np.ascontiguousarray((flat - shift) / scale)):
        kernel(x, np.concatenate([row, behind]), values[k], jacobian[k])
    values *= level[:, None]
    jacobian *= level[:, None, None] / scale[:, :, None]
    shape = parameters.shape[:-1]
    return values.reshape(*shape, -1), jacobian.reshape(*shape, flat.shape[1], -1)


def information(jacobian: Any, variance: Any) -> np.ndarray:
    """Fisher information ``sum_m J_im J_jm / v_m``.

    Parameters
    ----------
    jacobian : array_like, (..., p, m)
        Derivatives of the signals by the parameters.
    variance : array_like, (..., m)
        Of the signals; infinite where nothing is measured.

    Returns
    -------
    ndarray, (..., p, p)

    Examples
    --------
    >>> information([[1.0, 1.0]], [4.0, 4.0])            # two measurements of one number, sigma 2
    array([[0.5]])
    """
    jacobian = np.asarray(jacobian, dtype=float)
    return (jacobian / np.asarray(variance, dtype=float)[..., None, :]) @ np.swapaxes(jacobian, -1, -2)


def variance_of(information: Any, gradient: Any) -> np.ndarray:
    """Cramer-Rao bound on the variance of one function of the parameters, ``g^T F^-1 g``.

    Parameters
    ----------
    information : array_like, (..., p, p)
        Fisher information of the free parameters.
    gradient : array_like, (..., p)
        Derivatives of the function by them.

    Returns
    -------
    ndarray, (...)
        Infinite where the information does not determine the function (`undetermined` says why). A singular
        information is no harm as long as the function does not depend on what it leaves open: four frequencies
        tell a splitting although they do not tell seven parameters.

    Examples
    --------
    >>> variance_of(np.diag([4.0, 0.0]), [[1.0, 0.0], [1.0, 1.0]]).tolist()
    [0.25, inf]
    """
    F, g = np.asarray(information, dtype=float), np.asarray(gradient, dtype=float)
    scale, values, vectors = _spectrum(F)
    along = np.einsum("...p,...pk->...k", g / scale, vectors)
    null = values <= _NULL * values[..., -1:]
    size = np.linalg.norm(g / scale, axis=-1, keepdims=True)
    lost = (null & (np.abs(along) > _LEAK * size)).any(-1)
    result = np.where(null, 0.0, along**2 / np.where(null, 1.0, values)).sum(-1)
    return np.where(lost | ~np.isfinite(F).all((-1, -2)), np.inf, result)


def undetermined(information: Any, names: tuple[str, ...]) -> list[str]:
    """Parameters that the measurement leaves open, alone or in a combination.

    Parameters
    ----------
    information : array_like, (p, p)
        Fisher information.
    names : tuple of str
        Of the parameters.

    Returns
    -------
    list of str

    Examples
    --------
    >>> undetermined([[4.0, 0.0], [0.0, 0.0]], ("offset", "contrast"))
    ['contrast']
    """
    F = np.asarray(information, dtype=float)
    _, values, vectors = _spectrum(F)
    open_ = vectors[:, values <= _NULL * values[-1]]
    share = (open_**2).sum(-1)
    return [name for name, s in zip(names, share, strict=True) if s > 1e-3]


def _spectrum(F: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scale of each parameter, and eigenvalues and vectors of the information in units of it."""
    diagonal = np.diagonal(F, axis1=-2, axis2=-1)
    scale = np.sqrt(np.where((diagonal > 0) & np.isfinite(diagonal), diagonal, 1.0))
    scaled = np.nan_to_num(F / (scale[..., :, None] * scale[..., None, :]), nan=0.0, posinf=0.0, neginf=0.0)
    values, vectors = np.linalg.eigh(scaled)
    return scale, values, vectors


def _frequency(frequency: Any) -> np.ndarray:
    frequency = np.asarray(frequency, dtype=float)
    if frequency.ndim != 1 or frequency.size == 0 or not np.isfinite(frequency).all() or not (frequency > 0).all():
        raise ValueError(f"frequency has shape {frequency.shape}; give one row of positive finite values in Hz")
    return frequency
