"""Defects that are not alike: each with its E, its axes and its local magnetic field.

Everything is static during one sequence (quasi-static): a sample, or quadrature nodes, with weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vbsense.defect import Defect

__all__ = ["Ensemble", "magnetic_noise"]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Defects with weights.

    Parameters
    ----------
    weights : array_like, (m,)
        Positive; normalised to a sum of 1.
    E : array_like, (m,), optional
        Splitting parameter of each (Hz), in place of the defect's own.
    azimuth : array_like, (m,), optional
        Angle of its first axis about c, from that of the defect (rad).
    field : array_like, (m, 3), optional
        Local magnetic field in the defect frame, added to the outer one (T).

    Raises
    ------
    ValueError
        For shapes that do not match, weights that are not positive, or values that are not finite.

    Examples
    --------
    >>> len(Ensemble([1, 1], E=[50e6, 70e6]) * magnetic_noise(0.1e-3, 5))
    10
    """

    weights: Any
    E: Any = None
    azimuth: Any = None
    field: Any = None

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, dtype=float)
        if weights.ndim != 1 or not weights.size or not (np.isfinite(weights).all() and weights.min() > 0):
            raise ValueError("weights must be a one-dimensional array of positive numbers")
        object.__setattr__(self, "weights", weights / weights.sum())
        for name, shape in (("E", weights.shape), ("azimuth", weights.shape), ("field", (*weights.shape, 3))):
            if (given := getattr(self, name)) is None:
                continue
            values = np.asarray(given, dtype=float)
            if values.shape != shape or not np.isfinite(values).all():
                raise ValueError(f"{name} has shape {values.shape}; it must be finite and of shape {shape}")
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.weights)

    def __mul__(self, other: Ensemble) -> Ensemble:
        """Every pair of two independent ensembles, each of which sets what the other leaves."""
        rows, columns = (index.ravel() for index in np.indices((len(self), len(other))))
        chosen: dict[str, Any] = {}
        for name in ("E", "azimuth", "field"):
            one, two = getattr(self, name), getattr(other, name)
            if one is not None and two is not None:
                raise ValueError(f"both ensembles set {name}; only one may")
            chosen[name] = one[rows] if one is not None else None if two is None else two[columns]
        return Ensemble(self.weights[rows] * other.weights[columns], **chosen)

    def members(self, field: np.ndarray, defect: Defect) -> Iterator[tuple[float, np.ndarray, Defect]]:
        """Weight, field and defect of each.

        Parameters
        ----------
        field : ndarray, (3,)
            Outer field, laboratory axes (T).
        defect : Defect
            The nominal one.

        Yields
        ------
        weight, field, defect
        """
        for k, weight in enumerate(self.weights):
            there = field if self.field is None else field + np.asarray(defect.orientation) @ self.field[k]
            E = defect.E if self.E is None else float(self.E[k])
            angle = defect.E_angle if self.azimuth is None else defect.E_angle + float(self.azimuth[k])
            yield float(weight), there, replace(defect, E=E, E_angle=angle)


def magnetic_noise(sigma: float, n: int = 21) -> Ensemble:
    """Gaussian local fields along c, as nodes of Gauss-Hermite quadrature.

    Parameters
    ----------
    sigma : float
        Standard deviation (T); the nuclei beyond those of the defect and other spins make it. Each line
        gets a full width at half maximum of 2.355 gamma sigma.
    n : int
        Number of nodes; averages of cos(2 pi gamma B t) are right while 2 pi gamma sigma t < sqrt(n), by
        which time 21 nodes have let them fall to 3e-5. Later the discrete nodes come back into step.

    Returns
    -------
    Ensemble

    Examples
    --------
    >>> noise = magnetic_noise(0.5e-3, 7)
    >>> round(float(np.sqrt(noise.weights @ noise.field[:, 2] ** 2)) * 1e3, 9)
    0.5
    """
    if not (np.isfinite(sigma) and 0 <= sigma < 1):
        raise ValueError(f"sigma is {sigma!r}; it must be a field in tesla, for example 0.5e-3")
    if isinstance(n, bool) or int(n) != n or n < 1:
        raise ValueError(f"n is {n!r}; it must be a whole number of nodes, at least 1")
    node, weight = np.polynomial.hermite_e.hermegauss(int(n))
    return Ensemble(weight, field=np.stack([0 * node, 0 * node, sigma * node], axis=1))
