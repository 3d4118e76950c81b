"""Random charges around each defect, which make its E.

arXiv:2304.00492 shows (abstract) that the splitting E of V_B^- comes from the electric fields of charged
defects around, and that it follows the density of irradiation. Its charge model is taken here in the
simplest form: point charges at random, without correlation, in a uniaxial dielectric without surfaces;
only the component of the field across c counts, with one linear coefficient. Not known to us, and so
settable and unverified: density, permittivity, the coefficient as measured, and how near a charge may sit.
Strain, image charges at the faces of a flake and the field along c are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi, sqrt
from typing import Any

import numpy as np
from scipy.constants import elementary_charge, epsilon_0

from vbsense.sims.pulses.ensemble import Ensemble

__all__ = ["ChargeModel"]

GEOMETRIES = ("bulk", "plane")
# Charges that are placed one by one around each defect; those farther away add up to a Gaussian field.
_NEAR = 200
# Median field across c in units of q n^(2/3) / (4 pi eps0 eps): Holtsmark's distribution, projected.
_MEDIAN_BULK = 4.32193


@dataclass(frozen=True)
class ChargeModel:
    """Random point charges around each defect.

    Parameters
    ----------
    density : float
        Charges per volume (1/m^3), or per area (1/m^2) for a plane.
    geometry : {"bulk", "plane"}
        Charges everywhere, or in the defect's own layer.
    permittivity : (float, float)
        Relative, static, across and along c; (6.9, 3.8) for bulk hBN is widely quoted, unverified.
    coupling : float
        E per electric field across c (Hz/(V/m)); 0.35 is widely quoted, unverified.
    exclusion : float
        No charge sits nearer than this (m). Unverified: within some bond lengths a charge makes another
        defect, and the field is not linear any more.

    Raises
    ------
    ValueError
        For an unknown geometry, or numbers that are not positive.

    Examples
    --------
    >>> model = ChargeModel.producing(59e6)
    >>> E = model.sample(400, rng=1).E
    >>> bool(40e6 < np.median(E) < 70e6)
    True
    """

    density: float
    geometry: str = "bulk"
    permittivity: tuple[float, float] = (6.9, 3.8)
    coupling: float = 0.35
    exclusion: float = 0.5e-9

    def __post_init__(self) -> None:
        if self.geometry not in GEOMETRIES:
            raise ValueError(f"geometry is {self.geometry!r}; known are {', '.join(GEOMETRIES)}")
        for name, low in (("density", 0.0), ("permittivity", 0.0), ("coupling", 0.0)):
            if not np.all(np.isfinite(getattr(self, name))) or not np.min(getattr(self, name)) > low:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be positive and finite")
        if not 0 <= self.exclusion < 1e-6:
            raise ValueError(f"exclusion is {self.exclusion!r}; it must be a distance in metres, for example 0.5e-9")

    @classmethod
    def producing(cls, E: float, **options: Any) -> ChargeModel:
        """The model whose density makes a median E, as far as the exclusion does not lower it.

        Parameters
        ----------
        E : float
            Median splitting parameter (Hz).
        **options
            The other parameters of `ChargeModel`.

        Returns
        -------
        ChargeModel

        Examples
        --------
        >>> round(ChargeModel.producing(59e6, geometry="plane").density / 1e18, 2)    # per nm^2
        0.11
        """
        if not E > 1e3:
            raise ValueError(f"E is {E!r}; it must be a positive splitting in Hz (59 MHz is 59e6)")
        model = cls(1.0, **options)
        strength = E / (model.coupling * model._charge)
        if model.geometry == "plane":
            return replace(model, density=strength / (sqrt(3) * pi))
        return replace(model, density=(strength / _MEDIAN_BULK) ** 1.5 / model._squeeze)

    def sample(self, n: int, rng: Any = None) -> Ensemble:
        """Defects with charges placed at random.

        Parameters
        ----------
        n : int
            Number of defects.
        rng : None, int, array_like of int, or numpy.random.Generator
            The same seed gives the same bytes.

        Returns
        -------
        Ensemble
            Of equal weights, with E and azimuth. Without exclusion and in a plane, E follows
            ``P(E < x) = 1 - s / sqrt(s^2 + x^2)`` with s = pi density e coupling / (4 pi eps0 eps).

        Examples
        --------
        >>> model = ChargeModel.producing(59e6)
        >>> bool((model.sample(10, rng=3).E == model.sample(10, rng=3).E).all())
        True
        """
        if isinstance(n, bool) or int(n) != n or n < 1:
            raise ValueError(f"n is {n!r}; it must be a whole number of defects, at least 1")
        rng = np.random.default_rng(rng)
        field = np.array([self._electric_field(rng) for _ in range(int(n))])
        # The axes of E turn by half the angle of the field.
        azimuth = np.arctan2(field[:, 1], field[:, 0]) / 2
        return Ensemble(np.ones(int(n)), E=self.coupling * np.hypot(*field.T), azimuth=azimuth)

    @property
    def _charge(self) -> float:
        """Field times distance squared of one charge in its plane (V m)."""
        across, along = self.permittivity
        return elementary_charge / (4 * pi * epsilon_0 * sqrt(across * along))

    @property
    def _squeeze(self) -> float:
        """Stretching z by sqrt(across/along) makes the dielectric isotropic, and the density this much lower."""
        across, along = self.permittivity
        return sqrt(along / across)

    def _electric_field(self, rng: np.random.Generator) -> np.ndarray:
        """Field across c at one defect, (2,) V/m."""
        dimensions = 2 if self.geometry == "plane" else 3
        density = self.density * (1 if dimensions == 2 else self._squeeze)
        unit = pi if dimensions == 2 else 4 * pi / 3
        inner, outer = self.exclusion, (_NEAR / (unit * density) + self.exclusion**dimensions) ** (1 / dimensions)
        radius = rng.uniform(inner**dimensions, outer**dimensions, rng.poisson(_NEAR)) ** (1 / dimensions)
        direction = rng.normal(size=(radius.size, dimensions))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        near = (direction[:, :2] / radius[:, None] ** 2).sum(0)
        # Variance of one component from all charges beyond `outer`.
        far = pi * density / (2 * outer**2) if dimensions == 2 else 4 * pi * density / (3 * outer)
        return self._charge * (near + rng.normal(scale=sqrt(far), size=2))
