"""What a forecast found, as numbers; `print` makes a table of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.bounds import Design, FourPoints

__all__ = ["TARGETS", "Forecast", "median_site"]

# What a target can be, and its unit.
TARGETS = {"field": "T", "current": "A", "standoff": "m", "position": "m", "width": "m"}


@dataclass(frozen=True, eq=False)
class Forecast:
    """Result of `forecast`; errors are one sigma, times are exposure times.

    Attributes
    ----------
    name : str
        Of the scene.
    frequency : ndarray, (n,)
        Points of the sweep (Hz).
    seconds : float
        Exposure time of the whole measurement: all points, averages and polarities, with their references.
    polarities : int
        1, or 2 where +I and -I are measured and subtracted.
    model : str
        Line shape that the sweep will be fitted with.
    x, y : ndarray, (site,)
        Places of the sites or pixels (m).
    parameters : ndarray, (site, p)
        Of the line shape nearest to the spectrum of each site, offset in electrons per exposure; NaN where it has
        no two lines.
    spectrum : ndarray, (n,)
        Light of the site of median error at every point of the sweep (electrons per exposure).
    error : ndarray, (site,)
        Cramer-Rao bound on Bz after the whole measurement, as unmixed from the pictures of this camera (T); with two
        polarities on the field of the current. Infinite where the sweep does not determine it.
    alone : ndarray, (site,)
        The same with the shot noise of the light of that site as the only noise.
    sweep_sensitivity : ndarray, (site,)
        Error of Bz times the square root of the exposure time of the whole sweep (T/sqrt(Hz)).
    slope_sensitivity : ndarray, (site,)
        Shot-noise limit at the steepest point of one line, no factor for E (T/sqrt(Hz)).
    amplification : ndarray, (site,), or None
        Error of a site's light over that of a spot alone; None where pixels are the sites.
    pitch, psf_fwhm : float
        Of the array and its pictures (m); NaN without.
    lattice : ndarray, (2, k)
        Pitch over width of the point-spread function, and the amplification on an endless lattice.
    optimum : Design or None
        Frequencies for the least error of the site of median error, all parameters of the model unknown.
    four : FourPoints or None
        Four points on the flanks of its lines.
    wire : mapping of str to (float, float)
        Value and error after the whole measurement of the parameters of the conductor, all free together.
    targets : mapping of str to float
        Wanted errors.
    times : mapping of str to mapping of str to float
        For each target, exposure time (s) until it is met with the "sweep", the "optimum" or the "four points", as if
        every site gained as much by them as the site of median error.
    gamma : float
        Of the electron (Hz/T).
    notes : tuple of str
        What was left out, and why.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> plan = sims.forecast(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, target=1e-6)
    >>> print(str(plan).splitlines()[0])
    scene                       gold_wire_nanoarray, 4 sites
    >>> list(plan.times["field"])
    ['sweep', 'optimum', 'four points']
    """

    name: str
    frequency: np.ndarray
    seconds: float
    polarities: int
    model: str
    x: np.ndarray
    y: np.ndarray
    parameters: np.ndarray
    spectrum: np.ndarray
    error: np.ndarray
    alone: np.ndarray
    sweep_sensitivity: np.ndarray
    slope_sensitivity: np.ndarray
    amplification: np.ndarray | None
    pitch: float
    psf_fwhm: float
    lattice: np.ndarray
    optimum: Design | None
    four: FourPoints | None
    wire: Mapping[str, tuple[float, float]]
    targets: Mapping[str, float]
    times: Mapping[str, Mapping[str, float]]
    gamma: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The table that ``vbsense forecast`` prints."""
        from vbsense.sims.forecasts.text import table

        return table(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers in SI units for JSON; None for what is infinite or unknown."""
        from vbsense.sims.forecasts.text import as_dict

        return as_dict(self)

    @property
    def median_site(self) -> int:
        """The site of median error."""
        return median_site(self.error)


def median_site(error: np.ndarray) -> int:
    """Index of the site whose error is the median of the finite ones."""
    order = np.argsort(error)
    return int(order[(np.isfinite(error).sum() - 1) // 2])
