"""Nuclear spins as data: tensors in the defect frame, the published sets, and rings of nitrogens.

The frame of a defect has z along the c axis of hBN and x along the bond to its first nitrogen.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, sin
from numbers import Real
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["GRACHEVA_2023", "ISOTOPES", "IVADY_2020", "Nucleus", "TensorSet", "nitrogens"]


@dataclass(frozen=True)
class Nucleus:
    """A nuclear spin coupled to the electron.

    Parameters
    ----------
    spin : float
        Spin quantum number, a multiple of one half.
    gamma : float
        Gyromagnetic ratio over 2 pi, with its sign (Hz/T).
    A : array_like, (3, 3)
        Hyperfine tensor in the defect frame, symmetric (Hz).
    Q : array_like, (3, 3), optional
        Quadrupole tensor in ``I.Q.I``, defect frame, symmetric (Hz); zero by default.

    Raises
    ------
    ValueError
        If the spin is not a multiple of one half, or a tensor is not a finite symmetric 3 x 3 array.

    Examples
    --------
    >>> Nucleus(0.5, -4.316e6, np.diag([-122e6, -64e6, -64e6])).dimension
    2
    """

    spin: float
    gamma: float
    A: ArrayLike
    Q: ArrayLike = ((0.0,) * 3,) * 3

    def __post_init__(self) -> None:
        if not (is_number(self.spin) and self.spin > 0 and float(2 * self.spin).is_integer()):
            raise ValueError(f"nuclear spin is {self.spin!r}; it must be a positive multiple of 1/2")
        if not is_number(self.gamma):
            raise ValueError(f"gamma is {self.gamma!r}; it must be a finite gyromagnetic ratio in Hz/T")
        for name in ("A", "Q"):
            object.__setattr__(self, name, tensor_of(name, getattr(self, name), "Hz"))
        if self.spin == 0.5 and np.any(self.Q):
            raise ValueError("a spin 1/2 has no quadrupole moment; leave Q out")

    @property
    def dimension(self) -> int:
        """Number of its states."""
        return int(2 * self.spin + 1)


# Spin and gyromagnetic ratio over 2 pi (Hz/T). The ratios are widely quoted, not checked against one
# paper (unverified). Boron belongs to the second shell: give its tensors to `Nucleus` yourself.
ISOTOPES: dict[str, tuple[float, float]] = {
    "14N": (1.0, 3.077e6),
    "15N": (0.5, -4.316e6),
    "10B": (3.0, 4.575e6),
    "11B": (1.5, 13.660e6),
}
# Hyperfine of 15N over that of 14N: the ratio of their gyromagnetic ratios.
RATIO_15 = -1.4027


@dataclass(frozen=True)
class TensorSet:
    """Principal values of a 14N next to the vacancy, along (bond, tangential, c).

    Parameters
    ----------
    A, Q : (float, float, float)
        Hyperfine and quadrupole values (Hz).
    source : str
        Where they come from, and what is not verified.
    """

    A: tuple[float, float, float]
    Q: tuple[float, float, float]
    source: str


# Q = Cq/4 [3 Iz^2 - I^2 + eta (Ix^2 - Iy^2)], Cq = 1.96 MHz, eta = -0.070. The abstract does not say
# how the axes lie: Z along the bond, X tangential is our reading.
_CQ, _ETA = 1.96e6, -0.070
_Q = (_CQ / 2, _CQ / 4 * (-1 + _ETA), _CQ / 4 * (-1 - _ETA))

GRACHEVA_2023 = TensorSet(
    A=(87e6, 45.5e6, 45.5e6),
    Q=_Q,
    source="hyperfine and quadrupole: arXiv:2302.08831 (measured; axes of Q: our reading)",
)
IVADY_2020 = TensorSet(
    A=(90.0e6, 46.9e6, 48.2e6),
    Q=_Q,
    source="hyperfine: Ivady et al. 2020, density functional theory, widely quoted, unverified; "
    "quadrupole: arXiv:2302.08831 (axes: our reading)",
)


def nitrogens(*isotopes: str, tensors: TensorSet = GRACHEVA_2023) -> tuple[Nucleus, ...]:
    """The three nitrogens around the vacancy, bonds at 0, 120 and 240 degrees.

    Parameters
    ----------
    *isotopes : str
        "14N" or "15N" for each of the three.
    tensors : TensorSet
        Values of a 14N; a 15N has them times -1.4027 and no quadrupole moment.

    Returns
    -------
    tuple of Nucleus

    Raises
    ------
    ValueError
        If there are not three, or one is neither "14N" nor "15N".

    Examples
    --------
    >>> [nucleus.dimension for nucleus in nitrogens("14N", "14N", "15N")]
    [3, 3, 2]
    """
    if len(isotopes) != 3 or not set(isotopes) <= {"14N", "15N"}:
        raise ValueError(f"isotopes are {isotopes!r}; give three, each '14N' or '15N'")
    angles = np.deg2rad([0.0, 120.0, 240.0])
    return tuple(_nitrogen(isotope, tensors, angle) for isotope, angle in zip(isotopes, angles, strict=True))


def _nitrogen(isotope: str, tensors: TensorSet, angle: float) -> Nucleus:
    spin, gamma = ISOTOPES[isotope]
    if isotope == "15N":
        return Nucleus(spin, gamma, about_c([RATIO_15 * a for a in tensors.A], angle))
    return Nucleus(spin, gamma, about_c(tensors.A, angle), about_c(tensors.Q, angle))


def about_c(principal: Any, angle: float) -> np.ndarray:
    """Tensor with values along (bond, tangential, c), its bond at `angle` (rad) to the x axis."""
    R = np.array([[cos(angle), -sin(angle), 0], [sin(angle), cos(angle), 0], [0, 0, 1]])
    return R @ np.diag(principal) @ R.T


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is a finite real number (a bool or a string is none)."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def tensor_of(name: str, values: Any, unit: str) -> tuple[tuple[float, ...], ...]:
    """`values` as a tuple of rows, or an error unless they are a real, finite, symmetric 3 x 3 tensor."""
    if np.iscomplexobj(values):
        raise ValueError(f"{name} is complex; give a real 3 x 3 tensor in {unit}")
    tensor = np.asarray(values, dtype=float)
    if tensor.shape != (3, 3) or not np.isfinite(tensor).all():
        raise ValueError(f"{name} has shape {tensor.shape}; it must be a finite 3 x 3 tensor in {unit}")
    if not np.allclose(tensor, tensor.T, rtol=1e-9, atol=1e-12 * np.abs(tensor).max()):
        raise ValueError(f"{name} is not symmetric; give (T + T.T) / 2 or check the axes")
    return tuple(tuple(float(v) for v in row) for row in (tensor + tensor.T) / 2)
