"""How many emitters a spot has, and what strain does to each."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from vbsense.sims.scenes.checks import check_not_negative, check_number, check_positive

__all__ = ["Spots", "Strain", "mean_emitters"]

VACANCIES_PER_ION = 12.5  # in a flake of 50 nm: makes 2 500 emitters in (100 nm)^2 of 1e19 ions/m^2; unverified
CREATION_YIELD = 0.002  # of the vacancies that helium makes, arXiv:2501.18481


def mean_emitters(
    dose: float, area: float, *, vacancies_per_ion: float = VACANCIES_PER_ION, creation_yield: float = CREATION_YIELD
) -> float:
    """Mean number of V_B^- that an ion dose makes in an area.

    Parameters
    ----------
    dose : float
        Ions per square metre.
    area : float
        Of a spot (m^2).
    vacancies_per_ion : float
        Boron vacancies that an ion leaves in the flake; depends on ion, energy and thickness. The default is
        chosen for 2 500 emitters in (100 nm)^2 at 1e19 /m^2, unverified.
    creation_yield : float
        Share of the vacancies that become V_B^-: 0.2 % for helium (arXiv:2501.18481).

    Returns
    -------
    float

    Examples
    --------
    >>> round(mean_emitters(1e19, (100e-9) ** 2))
    2500
    """
    values = {"dose": dose, "area": area, "vacancies_per_ion": vacancies_per_ion, "creation_yield": creation_yield}
    for name, value in values.items():
        check_positive(SimpleNamespace(**{name: value}), name)
    if creation_yield > 1:
        raise ValueError(f"creation_yield is {creation_yield!r}; it is a fraction from 0 to 1")
    return float(dose * area * vacancies_per_ion * creation_yield)


@dataclass(frozen=True)
class Strain:
    """Splittings E that differ from spot to spot, as local charges make them (arXiv:2304.00492 for the origin).

    Parameters
    ----------
    E : float
        Mean in-plane splitting (Hz); in place of that of the defect.
    spread : float
        One sigma from spot to spot (Hz).
    angle : float, optional
        First axis of E (rad) of all spots; by default every spot has its own at random.

    Examples
    --------
    >>> E, angle = Strain(E=59e6, spread=5e6).draw(1000, np.random.default_rng(1))
    >>> round(E.mean() / 1e6), bool(angle.min() >= 0 and angle.max() < np.pi)
    (59, True)
    """

    E: float
    spread: float = 0.0
    angle: float | None = None

    def __post_init__(self) -> None:
        check_not_negative(self, "E", "a splitting in Hz")
        check_not_negative(self, "spread", "a splitting in Hz")
        if self.angle is not None:
            check_number(self, "angle", "rad, or None for random ones")
        for name in ("E", "spread"):
            if 0 < getattr(self, name) < 1e3:
                raise ValueError(f"{name} is {getattr(self, name)!r} Hz; values are in Hz (59 MHz is 59e6)")

    def draw(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """E (Hz) and its axis (rad) of n spots; the sign of E is that of its axis, so that E is never negative."""
        E = np.abs(rng.normal(self.E, self.spread, n))
        angle = rng.uniform(0, np.pi, n)
        return E, angle if self.angle is None else np.full(n, float(self.angle))


@dataclass(frozen=True, eq=False)
class Spots:
    """What differs from spot to spot: brightness (electrons/s), contrast, emitters, E (Hz) and its axis (rad)."""

    brightness: np.ndarray
    contrast: np.ndarray
    emitters: np.ndarray | None
    E: np.ndarray | None
    E_angle: np.ndarray | None

    @classmethod
    def draw(cls, scene: Any) -> Spots:
        """The spots of an `ArrayScene`; each property has a generator of its own, so that one changes no other."""
        n = scene.array.x.size
        rng = np.random.default_rng([scene.seed, 20])
        brightness = scene.spot_rate * np.exp(rng.normal(0, scene.brightness_scatter, n))
        contrast = scene.contrast * np.exp(rng.normal(0, scene.contrast_scatter, n))
        emitters = E = angle = None
        if scene.emitters is not None:
            emitters = np.random.default_rng([scene.seed, 21]).poisson(scene.emitters, n)
            brightness = brightness * emitters / scene.emitters
        if scene.strain is not None:
            E, angle = scene.strain.draw(n, np.random.default_rng([scene.seed, 22]))
        return cls(brightness, contrast, emitters, E, angle)
