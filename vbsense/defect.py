"""Spin defects as data: every number with its source, temperature and status.

The frame of a defect has z along the c axis of hBN and x along the bond to its first nitrogen, which
is also the first axis of the splitting E unless `E_angle` says otherwise.
"""

from __future__ import annotations

import cmath
import difflib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.constants import physical_constants

from vbsense.nucleus import GRACHEVA_2023, ISOTOPES, IVADY_2020, Nucleus, TensorSet, is_number, nitrogens, tensor_of
from vbsense.temperature import TemperatureModel, shift_of_D

__all__ = ["NV14", "NV15", "VB14N", "VB14N_DFT", "VB15N", "VB15N_DFT", "Defect", "Nucleus"]

BOHR_MAGNETON = physical_constants["Bohr magneton in Hz/T"][0]  # CODATA, Hz/T
_IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


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
    g : float or (3, 3) array_like
        Electron g factor, or symmetric g tensor in the defect frame; the only place that holds an
        electron gyromagnetic ratio.
    nuclei : sequence of Nucleus
        Coupled nuclei.
    temperature : float
        Temperature at which D holds (K).
    dD_dT : float
        Slope of D near that temperature (Hz/K).
    source : str
        Where the numbers come from.
    E_angle : float
        Angle of the first axis of E to x, about c (rad).
    orientation : (3, 3) array_like
        Rotation from the defect frame to the laboratory: its columns are the defect's x, y and c in
        laboratory axes. Fields and drives are laboratory vectors; the two frames agree by default.

    Examples
    --------
    >>> electron_only = Defect("spin 1", D=3.48e9, E=50e6, g=2.00232)
    >>> round(electron_only.gamma / 1e9, 4)                # GHz/T
    28.025
    """

    name: str
    D: float
    E: float
    g: ArrayLike
    nuclei: tuple[Nucleus, ...] = ()
    temperature: float = 295.0
    dD_dT: float = 0.0
    source: str = ""
    E_angle: float = 0.0
    orientation: ArrayLike = _IDENTITY

    def __post_init__(self) -> None:
        object.__setattr__(self, "nuclei", tuple(self.nuclei))
        for name in ("D", "E", "temperature", "dD_dT", "E_angle"):
            value = getattr(self, name)
            if not is_number(value):
                raise ValueError(f"{name} of {self.name!r} is {value!r}; it must be a finite number")
        if not all(isinstance(nucleus, Nucleus) for nucleus in self.nuclei):
            raise ValueError(f"nuclei of {self.name!r} must be Nucleus objects; received {self.nuclei!r:.80}")
        _check_splittings(self.D, self.E)
        object.__setattr__(self, "g", _checked_g(self.g))
        object.__setattr__(self, "orientation", _checked_rotation(self.orientation))

    @property
    def gamma(self) -> float:
        """Electron gyromagnetic ratio g muB / h (Hz/T); a ValueError where g is a tensor."""
        if isinstance(self.g, float):
            return self.g * BOHR_MAGNETON
        raise ValueError(f"g of {self.name!r} is a tensor, so there is no single gamma; give a scalar g for this")

    @property
    def dimension(self) -> int:
        """Number of states of electron and nuclei."""
        return 3 * int(np.prod([nucleus.dimension for nucleus in self.nuclei], dtype=int))

    def at(
        self, *, temperature: float | None = None, model: str | TemperatureModel = "linear", **changes: Any
    ) -> Defect:
        """The same defect with other numbers.

        Parameters
        ----------
        temperature : float, optional
            New temperature (K), where the model holds (linear: within 60 K of the present one).
        model : str or TemperatureModel
            How D follows (see `vbsense.temperature`); "linear" uses `dD_dT`.
        **changes
            Other fields to replace, for example ``E=50e6``.

        Returns
        -------
        Defect

        Raises
        ------
        ValueError
            If a change names no field (the message shows the nearest), or gives it an impossible value.

        Examples
        --------
        >>> round((VB14N.at(temperature=305).D - VB14N.D) / 1e6, 2)
        -6.2
        """
        for name in changes:
            if name not in self.__dataclass_fields__:
                near = difflib.get_close_matches(name, self.__dataclass_fields__, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(self.__dataclass_fields__)}"
                raise ValueError(f"a defect has no {name!r}; {hint}")
        if temperature is None:
            return replace(self, **changes)
        D = self.D + shift_of_D(model, self.dD_dT, self.temperature, temperature)
        return replace(self, **({"D": D, "temperature": float(temperature)} | changes))

    def strained(self, *, D: float = 0.0, E: float = 0.0, angle: float = 0.0) -> Defect:
        """With what a strain adds to the splittings.

        Parameters
        ----------
        D : float
            Shift of D (Hz).
        E, angle : float
            Size (Hz) and direction of the first axis to x (rad) of the in-plane part. Two in-plane
            parts add as the complex numbers ``E exp(2i angle)``; a sum below 1 kHz counts as none.

        Returns
        -------
        Defect

        Examples
        --------
        >>> VB14N.strained(E=59e6, angle=np.pi / 2).E < 1e-6          # across the first axis: cancels
        True
        """
        if not all(is_number(v) for v in (D, E, angle)):
            raise ValueError(f"strain is D={D!r}, E={E!r}, angle={angle!r}; give finite numbers in Hz, Hz, rad")
        total = self.E * cmath.exp(2j * self.E_angle) + E * cmath.exp(2j * angle)
        size, turn = cmath.polar(total)
        return replace(self, D=self.D + D, E=size if size >= 1e3 else 0.0, E_angle=turn / 2)

    def in_electric_field(self, field: ArrayLike, *, d_perp: float = 0.35) -> Defect:
        """With what an electric field adds to E: ``d_perp [Fx (Sx^2 - Sy^2) - Fy (Sx Sy + Sy Sx)]``.

        The form follows from the threefold axis and the mirror plane of the layer, which also forbid a
        linear effect of the part along c; the overall sign is a convention.

        Parameters
        ----------
        field : array_like, (3,)
            Electric field in laboratory axes (V/m).
        d_perp : float
            Coupling (Hz/(V/m)); 0.35 is widely quoted, unverified.

        Returns
        -------
        Defect

        Examples
        --------
        >>> round((VB14N.in_electric_field([1e7, 0, 0]).E - VB14N.E) / 1e6, 3)
        3.5
        """
        if np.iscomplexobj(field) or np.shape(field) != (3,) or not np.isfinite(np.asarray(field, dtype=float)).all():
            raise ValueError(f"electric field is {field!r}; give three finite components in V/m")
        if not is_number(d_perp):
            raise ValueError(f"d_perp is {d_perp!r}; it must be a finite number in Hz/(V/m)")
        x, y, _ = np.asarray(field, dtype=float) @ np.asarray(self.orientation, dtype=float)
        return self.strained(E=d_perp * float(np.hypot(x, y)), angle=-float(np.arctan2(y, x)) / 2)


def _check_splittings(D: float, E: float) -> None:
    if 0 < abs(D) < 1e6:
        raise ValueError(f"D is {D!r} Hz; values are in Hz: did you mean {D * 1e9:.3g} (GHz given)?")
    if 0 < abs(E) < 1e3:
        raise ValueError(f"E is {E!r} Hz; values are in Hz: did you mean {E * 1e6:.3g} (MHz given)?")
    if abs(E) > abs(D):
        raise ValueError(f"E is {E:.3g} Hz, larger than D = {D:.3g} Hz; exchange them or check the units")


def _checked_g(g: object) -> float | tuple[tuple[float, ...], ...]:
    if is_number(g):
        g = float(g)
        values: Any = g
    elif np.ndim(g) == 2:  # type: ignore[arg-type]
        g = tensor_of("g", g, "units of 1")
        values = np.linalg.eigvalsh(g)
    else:
        raise ValueError(f"g is {g!r}; it must be a finite number or a symmetric 3 x 3 tensor")
    if not np.all((np.asarray(values) > 1.5) & (np.asarray(values) < 2.5)):
        raise ValueError(f"g is {g!r}; an electron g factor near 2 is expected (gamma follows from it)")
    return g


def _checked_rotation(values: Any) -> tuple[tuple[float, ...], ...]:
    values = values.as_matrix() if hasattr(values, "as_matrix") else values
    if np.iscomplexobj(values):
        raise ValueError("orientation is complex; give a real 3 x 3 rotation")
    R = np.asarray(values, dtype=float)
    if R.shape != (3, 3) or not np.allclose(R @ R.T, np.eye(3), atol=1e-9) or np.linalg.det(R) < 0:
        raise ValueError(f"orientation is {values!r}; it must be a 3 x 3 rotation, columns = defect axes in the lab")
    return tuple(tuple(float(v) for v in row) for row in R)


_ELECTRON = (
    "D: arXiv:2105.12029 (room temperature); E = 59 MHz, g = 2.000 and dD/dT = -0.62 MHz/K: widely quoted, unverified, "
    "settable; "
)


def _preset(name: str, isotope: str, tensors: TensorSet) -> Defect:
    scaled = ", scaled by the ratio of the nuclear moments" if isotope == "15N" else ""
    return Defect(
        name,
        D=3.47e9,
        E=59e6,
        g=2.000,
        nuclei=nitrogens(isotope, isotope, isotope, tensors=tensors),
        dD_dT=-0.62e6,
        source=_ELECTRON + tensors.source + scaled,
    )


VB14N = _preset("VB14N", "14N", GRACHEVA_2023)
VB15N = _preset("VB15N", "15N", GRACHEVA_2023)
VB14N_DFT = _preset("VB14N_DFT", "14N", IVADY_2020)
VB15N_DFT = _preset("VB15N_DFT", "15N", IVADY_2020)


def _nv(name: str, nitrogen: Nucleus) -> Defect:
    return Defect(
        name,
        D=2.87e9,
        E=0.0,
        g=2.0028,
        nuclei=(nitrogen,),
        dD_dT=-74.2e3,
        source="nitrogen-vacancy centre in diamond, c along its axis: widely quoted, unverified, settable",
    )


# For those who measure with both: the same spin, other numbers.
NV14 = _nv("NV14", Nucleus(*ISOTOPES["14N"], np.diag([-2.7e6, -2.7e6, -2.16e6]), np.diag([1.65e6, 1.65e6, -3.3e6])))
NV15 = _nv("NV15", Nucleus(*ISOTOPES["15N"], np.diag([3.65e6, 3.65e6, 3.03e6])))
