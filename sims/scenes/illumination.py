"""What is not the same everywhere in the picture: laser, collected light, microwave.

Each is a function of the place: ``profile(x, y)`` of arrays (m) gives a relative number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.sims.scenes.checks import check_lengths, check_pair

__all__ = ["GaussianBeam", "MicrowaveAntenna", "MicrowaveGradient", "Vignetting", "relative"]


def relative(name: str, profile: Any, x: Any, y: Any) -> np.ndarray:
    """The numbers of a profile at places of any shape (m), or an error that names it.

    Examples
    --------
    >>> relative("laser", lambda x, y: 1.0 - x, np.array([0.0, 2.0]), np.zeros(2))
    Traceback (most recent call last):
    ...
    ValueError: laser gives -1 at (2, 0) m; it must be a relative number, finite and 0 or more
    """
    values = np.asarray(profile(x, y), dtype=float)
    if values.shape not in (np.shape(x), ()):
        raise ValueError(f"{name} gives shape {values.shape} for places {np.shape(x)}; it must be one number for each")
    values = np.broadcast_to(values, np.shape(x))
    bad = ~(values >= 0) | np.isinf(values)
    if bad.any():
        k = np.flatnonzero(bad)[0]
        where = f"({np.ravel(x)[k]:.4g}, {np.ravel(y)[k]:.4g}) m"
        raise ValueError(
            f"{name} gives {values.flat[k]:.4g} at {where}; it must be a relative number, finite and 0 or more"
        )
    return values


@dataclass(frozen=True)
class GaussianBeam:
    """A laser beam of Gaussian profile; it stands still while the sample drifts.

    Parameters
    ----------
    center : (float, float)
        Of the beam (m).
    fwhm : float
        Full width at half maximum of the intensity (m).

    Examples
    --------
    >>> beam = GaussianBeam(center=(10e-6, 10e-6), fwhm=20e-6)
    >>> beam(np.array([10e-6, 20e-6]), np.array([10e-6, 10e-6])).round(6).tolist()
    [1.0, 0.5]
    """

    center: tuple[float, float]
    fwhm: float

    def __post_init__(self) -> None:
        check_pair(self, "center", "metres")
        check_lengths(self, "fwhm")

    def __call__(self, x: Any, y: Any) -> np.ndarray:
        """Intensity relative to the middle of the beam."""
        distance = np.hypot(np.asarray(x) - self.center[0], np.asarray(y) - self.center[1])
        return 0.5 ** ((2 * distance / self.fwhm) ** 2)


@dataclass(frozen=True)
class Vignetting:
    """Light lost towards the edge of the picture by the law of the fourth power of the cosine.

    Parameters
    ----------
    center : (float, float)
        Optical axis (m).
    half_radius : float
        Distance from the axis at which half of the light is left (m, on the sample).

    Examples
    --------
    >>> lens = Vignetting(center=(0, 0), half_radius=50e-6)
    >>> lens(np.array([0, 50e-6]), np.zeros(2)).round(6).tolist()
    [1.0, 0.5]
    """

    center: tuple[float, float]
    half_radius: float

    def __post_init__(self) -> None:
        check_pair(self, "center", "metres")
        check_lengths(self, "half_radius")

    def __call__(self, x: Any, y: Any) -> np.ndarray:
        """Collected light relative to the axis."""
        square = (np.asarray(x) - self.center[0]) ** 2 + (np.asarray(y) - self.center[1]) ** 2
        # cos^4 of an angle whose tangent is the distance over a length; cos^2 = 1/sqrt(2) leaves half.
        return (1 + square / self.half_radius**2 * (np.sqrt(2) - 1)) ** -2


@dataclass(frozen=True)
class MicrowaveGradient:
    """A microwave amplitude that changes evenly over the picture.

    Parameters
    ----------
    center : (float, float)
        Where the amplitude is that of the source's setting (m).
    gradient : (float, float)
        Relative change per metre along x and y (1/m).

    Examples
    --------
    >>> drive = MicrowaveGradient(center=(0, 0), gradient=(1e4, 0))
    >>> drive(np.array([0, 10e-6]), np.zeros(2)).round(3).tolist()
    [1.0, 1.1]
    """

    center: tuple[float, float]
    gradient: tuple[float, float]

    def __post_init__(self) -> None:
        check_pair(self, "center", "metres")
        check_pair(self, "gradient", "1/m")

    def __call__(self, x: Any, y: Any) -> np.ndarray:
        """Amplitude relative to the centre."""
        (x0, y0), (gx, gy) = self.center, self.gradient
        amplitude = 1 + gx * (np.asarray(x) - x0) + gy * (np.asarray(y) - y0)
        if (amplitude < 0).any():
            raise ValueError(
                f"gradient is {self.gradient} 1/m, which makes the amplitude negative ({amplitude.min():.3g}) in a "
                "part of the picture; give a smaller one"
            )
        return amplitude


@dataclass(frozen=True)
class MicrowaveAntenna:
    """A microwave amplitude that follows the field of an antenna, whose wavelength is large against the picture.

    Parameters
    ----------
    antenna : object
        A conductor: with ``field(points)`` in T.
    reference : (float, float)
        Where the amplitude is that of the source's setting (m).
    height : float
        Of the sensors above z = 0 (m).
    axis : (float, float, float)
        The c axis, across which the field acts.

    Examples
    --------
    >>> from vbsense import Polyline
    >>> antenna = Polyline([(0, -1e-2, 0), (0, 1e-2, 0)], current=1.0)
    >>> drive = MicrowaveAntenna(antenna, reference=(0, 0), height=50e-6)
    >>> drive(np.array([0, 50e-6]), np.zeros(2)).round(3).tolist()      # of a wire: z / (x^2 + z^2) across c
    [1.0, 0.5]
    """

    antenna: Any
    reference: tuple[float, float]
    height: float
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)

    def __post_init__(self) -> None:
        check_pair(self, "reference", "metres")
        if not callable(getattr(self.antenna, "field", None)):
            raise ValueError(f"antenna is {self.antenna!r}; give a conductor: an object that has field(...)")
        axis = np.asarray(self.axis, dtype=float)
        if axis.shape != (3,) or not np.isfinite(axis).all() or not axis.any():
            raise ValueError(f"axis is {self.axis!r}; give the direction of c: three numbers that are not all zero")
        object.__setattr__(self, "axis", tuple((axis / np.linalg.norm(axis)).tolist()))
        if not (np.isfinite(self._across(*self.reference)) and self._across(*self.reference) > 0):
            raise ValueError(
                f"the field of the antenna across c is {self._across(*self.reference):.3g} T at the reference "
                f"{self.reference} m; choose a reference where it drives the spins"
            )

    def _across(self, x: Any, y: Any) -> np.ndarray:
        x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
        field = np.asarray(self.antenna.field(np.stack([x, y, np.full(x.shape, float(self.height))], -1)))
        return np.linalg.norm(field - (field @ np.array(self.axis))[..., None] * self.axis, axis=-1)

    def __call__(self, x: Any, y: Any) -> np.ndarray:
        """Amplitude relative to the reference."""
        return self._across(x, y) / self._across(*self.reference)
