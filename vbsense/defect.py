"""Spin defects as data: every number with its source, temperature and status.

The frame of a defect has z along the c axis of hBN and x along the bond to its first nitrogen,
which is also the first axis of the splitting E.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, sin
from numbers import Real
from typing import Any

import numpy as np
from scipy.constants import physical_constants

__all__ = ["VB14N", "VB15N", "Defect", "Nucleus"]

BOHR_MAGNETON = physical_constants["Bohr magneton in Hz/T"][0]  # CODATA, Hz/T


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
    A: tuple[tuple[float, ...], ...]
    Q: tuple[tuple[float, ...], ...] = ((0.0,) * 3,) * 3

    def __post_init__(self) -> None:
        if not (isinstance(self.spin, Real) and self.spin > 0 and float(2 * self.spin).is_integer()):
            raise ValueError(f"nuclear spin is {self.spin!r}; it must be a positive multiple of 1/2")
        if not (isinstance(self.gamma, Real) and np.isfinite(self.gamma)):
            raise ValueError(f"gamma is {self.gamma!r}; it must be a finite gyromagnetic ratio in Hz/T")
        for name in ("A", "Q"):
            object.__setattr__(self, name, _tensor(name, getattr(self, name)))
        if self.spin == 0.5 and np.any(self.Q):
            raise ValueError("a spin 1/2 has no quadrupole moment; leave Q out")

    @property
    def dimension(self) -> int:
        """Number of its states."""
        return int(2 * self.spin + 1)


@dataclass(frozen=True)
class Defect:
    """An electron spin 1 with the nuclei that it feels.

    Parameters
    ----------
    name : str
        For messages and files.
    D : float
        Zero-field splitting (Hz).
    E : float
        In-plane splitting parameter (Hz); the two lines at zero field are 2 E apart.
    g : float
        Electron g factor; the only place that holds an electron gyromagnetic ratio.
    nuclei : sequence of Nucleus
        Coupled nuclei.
    temperature : float
        Temperature at which D holds (K).
    dD_dT : float
        Slope of D near that temperature (Hz/K).
    source : str
        Where the numbers come from.

    Examples
    --------
    >>> electron_only = Defect("spin 1", D=3.48e9, E=50e6, g=2.00232)
    >>> round(electron_only.gamma / 1e9, 4)                # GHz/T
    28.025
    """

    name: str
    D: float
    E: float
    g: float
    nuclei: tuple[Nucleus, ...] = ()
    temperature: float = 295.0
    dD_dT: float = 0.0
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "nuclei", tuple(self.nuclei))
        for name in ("D", "E", "g", "temperature", "dD_dT"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and np.isfinite(float(value))):
                raise ValueError(f"{name} of {self.name!r} is {value!r}; it must be a finite number")
        if not all(isinstance(nucleus, Nucleus) for nucleus in self.nuclei):
            raise ValueError(f"nuclei of {self.name!r} must be Nucleus objects; received {self.nuclei!r:.80}")
        if 0 < abs(self.D) < 1e6:
            raise ValueError(f"D is {self.D!r} Hz; values are in Hz: did you mean {self.D * 1e9:.3g} (GHz given)?")
        if 0 < abs(self.E) < 1e3:
            raise ValueError(f"E is {self.E!r} Hz; values are in Hz: did you mean {self.E * 1e6:.3g} (MHz given)?")
        if abs(self.E) > abs(self.D):
            raise ValueError(f"E is {self.E:.3g} Hz, larger than D = {self.D:.3g} Hz; exchange them or check the units")
        if not 1.5 < self.g < 2.5:
            raise ValueError(f"g is {self.g!r}; an electron g factor near 2 is expected (gamma follows from it)")

    @property
    def gamma(self) -> float:
        """Electron gyromagnetic ratio g muB / h (Hz/T)."""
        return self.g * BOHR_MAGNETON

    @property
    def dimension(self) -> int:
        """Number of states of electron and nuclei."""
        return 3 * int(np.prod([nucleus.dimension for nucleus in self.nuclei], dtype=int))

    def at(self, *, temperature: float | None = None, **changes: float) -> Defect:
        """The same defect with other numbers.

        Parameters
        ----------
        temperature : float, optional
            New temperature (K), within 60 K of the present one; D follows linearly with `dD_dT`.
        **changes
            Other fields to replace, for example ``E=50e6``.

        Returns
        -------
        Defect

        Examples
        --------
        >>> round((VB14N.at(temperature=305).D - VB14N.D) / 1e6, 2)
        -6.2
        """
        if temperature is None:
            return replace(self, **changes)
        step = temperature - self.temperature
        if not abs(step) <= 60:
            raise ValueError(
                f"temperature is {temperature!r} K; the linear slope of D holds within 60 K of {self.temperature} K: "
                "give D itself for others"
            )
        return replace(self, **({"D": self.D + self.dD_dT * step, "temperature": float(temperature)} | changes))


def _tensor(name: str, values: Any) -> tuple[tuple[float, ...], ...]:
    if np.iscomplexobj(values):
        raise ValueError(f"{name} is complex; give a real 3 x 3 tensor in Hz")
    tensor = np.asarray(values, dtype=float)
    if tensor.shape != (3, 3) or not np.isfinite(tensor).all():
        raise ValueError(f"{name} has shape {tensor.shape}; it must be a finite 3 x 3 tensor in Hz")
    if not np.allclose(tensor, tensor.T, rtol=1e-9, atol=1e-3):
        raise ValueError(f"{name} is not symmetric; give (T + T.T) / 2 or check the axes")
    return tuple(tuple(float(v) for v in row) for row in tensor)


def _about_c(principal: Sequence[float], angle: float) -> np.ndarray:
    """Tensor with values along (bond, tangential, c), its bond at `angle` (rad) to the x axis."""
    R = np.array([[cos(angle), -sin(angle), 0], [sin(angle), cos(angle), 0], [0, 0, 1]])
    return R @ np.diag(principal) @ R.T


def _ring(spin: float, gamma: float, A: Sequence[float], Q: Sequence[float]) -> tuple[Nucleus, ...]:
    """Three equal nuclei whose bonds point at 0, 120 and 240 degrees."""
    angles = np.deg2rad([0.0, 120.0, 240.0])
    return tuple(Nucleus(spin, gamma, _about_c(A, a), _about_c(Q, a)) for a in angles)


# Hyperfine and quadrupole of 14N: Gracheva et al., arXiv:2302.08831: A axial about the in-plane bond,
# (bond, tangential, c) = (87, 45.5, 45.5) MHz; Cq = 1.96 MHz, eta = -0.070. The abstract does not say
# how the axes of Q lie: Z along the bond and X tangential is our reading.
_A14 = (87e6, 45.5e6, 45.5e6)
_CQ, _ETA = 1.96e6, -0.070
_Q14 = (_CQ / 2, _CQ / 4 * (-1 + _ETA), _CQ / 4 * (-1 - _ETA))
# Ratio of the nuclear moments per spin; gamma_n are widely quoted values, not checked against one paper.
_RATIO_15 = -1.4027
_GAMMA_14, _GAMMA_15 = 3.077e6, -4.316e6

_SOURCE = (
    "D: arXiv:2105.12029 (room temperature); E = 59 MHz, g = 2.000 and dD/dT = -0.62 MHz/K: widely quoted, unverified, "
    "settable; hyperfine and quadrupole: arXiv:2302.08831"
)

VB14N = Defect(
    "VB14N", D=3.47e9, E=59e6, g=2.000, nuclei=_ring(1, _GAMMA_14, _A14, _Q14), dD_dT=-0.62e6, source=_SOURCE
)
VB15N = Defect(
    "VB15N",
    D=3.47e9,
    E=59e6,
    g=2.000,
    nuclei=_ring(0.5, _GAMMA_15, [_RATIO_15 * a for a in _A14], (0, 0, 0)),
    dD_dT=-0.62e6,
    source=_SOURCE + ", scaled by the ratio of the nuclear moments",
)
