"""Formulas of the line shapes in numpy: what users, plots and lmfit evaluate. They take complex parameters.

A shape is a function of the detuning and of the parameters of one line behind its center and contrast. All but
`emg` are 1 in the middle and have the full width ``fwhm`` at half maximum (of a comb: each of its lines).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["comb", "double", "emg", "gaussian", "lorentzian", "pseudo_voigt", "single", "skewed"]

Shape = Callable[..., Any]
PER_FWHM = float(np.sqrt(8 * np.log(2)))  # a Gaussian of width fwhm has the standard deviation fwhm / PER_FWHM


def lorentzian(detuning: Any, fwhm: Any) -> Any:
    """Return ``1 / (1 + 4 d^2)`` with d = detuning / fwhm.

    >>> lorentzian(0.5, 1.0)
    0.5
    """
    d = detuning / fwhm
    return 1 / (1 + 4 * d * d)


def gaussian(detuning: Any, fwhm: Any) -> Any:
    """Return ``exp(-4 ln2 d^2)`` with d = detuning / fwhm.

    >>> round(float(gaussian(0.5, 1.0)), 12)
    0.5
    """
    d = detuning / fwhm
    return np.exp(-4 * np.log(2) * d * d)


def pseudo_voigt(detuning: Any, fwhm: Any, mixing: Any) -> Any:
    """Return ``mixing`` parts of a Lorentzian and ``1 - mixing`` of a Gaussian, both of width `fwhm`.

    Within 1.2 % of the height it follows the convolution of the two (Wertheim et al., Rev. Sci. Instrum. 45,
    1369, 1974, who introduced it); its full width at half maximum is `fwhm` for every mixing.

    >>> round(float(pseudo_voigt(0.5, 1.0, 0.3)), 12)
    0.5
    """
    broad = gaussian(detuning, fwhm)
    return broad + mixing * (lorentzian(detuning, fwhm) - broad)


def skewed(detuning: Any, fwhm: Any, skew: Any) -> Any:
    """Return ``exp(-ln2 (ln(1 + 2 sinh(b) d) / b)^2)`` with d = detuning / fwhm and b = `skew`; 0 where there is no ln.

    A Gaussian of stretched detuning (Fraser and Suzuki, Anal. Chem. 41, 37, 1969), scaled so that its full width at
    half maximum is `fwhm` for every skew. The half-width above the middle is exp(b) times the one below.

    >>> round(float(skewed((np.exp(0.4) - 1) / (2 * np.sinh(0.4)), 1.0, 0.4)), 12)
    0.5
    """
    detuning, fwhm, skew = np.broadcast_arrays(detuning, fwhm, skew)
    flat = np.abs(skew) < 1e-7  # the first order in b is exact there
    b, d = np.where(flat, 1e-7, skew), detuning / fwhm
    y = 2 * np.sinh(b) * d
    inside = np.real(y) > -1 + 1e-6
    stretched = np.log1p(np.where(inside, y, 0)) / b
    line = np.where(inside, np.exp(-np.log(2) * stretched**2), 0)
    bell = np.exp(-4 * np.log(2) * d * d) * (1 + 8 * np.log(2) * skew * d**3)
    return np.where(flat, bell, line)[()]


def emg(detuning: Any, fwhm: Any, skew: Any) -> Any:
    """Return a Gaussian convolved with a one-sided exponential, of the area of a Gaussian of height 1.

    Parameters
    ----------
    detuning : float or array_like
        Distance from the **centroid** of the line (Hz).
    fwhm : float or array_like
        ``sqrt(8 ln2)`` times the standard deviation of the whole line (Hz).
    skew : float or array_like
        Third standardised moment, between -2 (an exponential) and 2; positive: the tail is above the centroid.

    Returns
    -------
    float or ndarray

    Notes
    -----
    With the standard deviation as the unit, t = (skew / 2)^(1/3) is the decay length of the exponential and
    s^2 = 1 - t^2 the variance of the Gaussian, so that all three moments are those of the whole line:
    ``exp(-d^2 / 2) R(s / t - d) / t`` with d = (u + t) / s and the Mills ratio R(z) = sqrt(pi / 2) erfcx(z / sqrt 2).
    The derivative by ``skew`` is regular at 0, where that by t vanishes. But the fourth cumulant 6 t^4 has a cusp: of
    lines without skew some 5 % of the fits do not converge. There `skewed` is the better model. A skew below 1e-9 is
    0 here: t would lose its digits.

    Examples
    --------
    >>> round(float(emg(0.0, 1.0, 0.0)), 6), bool(emg(1.0, 1.0, 0.5) > emg(-1.0, 1.0, 0.5))
    (1.0, True)
    """
    from scipy.special import erfcx

    detuning, fwhm, skew = np.broadcast_arrays(detuning, fwhm, skew)
    side = np.where(np.real(skew) < 0, -1.0, 1.0)
    u, half = side * detuning / fwhm * PER_FWHM, side * skew / 2
    flat = np.abs(half) < 1e-9
    t = np.where(flat, 0.1, half) ** (1 / 3)
    s = np.sqrt(1 - t * t)
    d = (u + t) / s
    z = s / t - d
    behind = np.exp(-d * d / 2) * _mills(erfcx, np.where(np.real(z) > 0, z, -z))
    tail = np.sqrt(2 * np.pi) * np.exp(np.where(np.real(z) > 0, 0, s / t * (s / t - 2 * d) / 2))
    line = np.where(np.real(z) > 0, behind, tail - behind) / t
    third = u * (u * u - 3)
    return np.where(flat, np.exp(-u * u / 2) * (1 + half / 3 * third), line)[()]


def _mills(erfcx: Any, z: Any) -> Any:
    return np.sqrt(np.pi / 2) * erfcx(z / np.sqrt(2))


def comb(places: Sequence[float], weights: Sequence[float], where: float = 0.0) -> Shape:
    """Return a shape: Lorentzians at `places` (Hz) above and below the middle, over their sum at one place.

    Parameters
    ----------
    places, weights : sequence of float
        Distances of pairs of lines from the middle, and the weight of either. A line in the middle is a pair of
        halves.
    where : float
        Distance from the middle (Hz) at which the shape is 1.

    Examples
    --------
    >>> shape = comb([0.0, 10.0], [0.5, 1.0])  # three lines alike
    >>> round(shape(10.0, 1e-3) / shape(0.0, 1e-3), 6)
    1.0
    """
    pairs = list(zip(places, weights, strict=True))

    def lines(detuning: Any, fwhm: Any) -> Any:
        return sum(
            weight * (lorentzian(detuning - place, fwhm) + lorentzian(detuning + place, fwhm))
            for place, weight in pairs
        )

    def shape(detuning: Any, fwhm: Any) -> Any:
        return lines(detuning, fwhm) / lines(where, fwhm)

    return shape


def single(shape: Shape) -> Callable[..., Any]:
    """One dip: frequency, offset, center, fwhm, contrast, then what else the shape takes.

    >>> single(lorentzian)(3.4e9, 1000.0, 3.4e9, 1e8, 0.1)
    900.0
    """

    def function(frequency: Any, offset: Any, center: Any, fwhm: Any, contrast: Any, *more: Any) -> Any:
        return offset * (1 - contrast * shape(frequency - center, fwhm, *more))

    return function


def double(shape: Shape, *, common: bool = False) -> Callable[..., Any]:
    """Two dips: frequency, offset, then center, fwhm, contrast and more, each of the lower and the upper.

    What is more may be `common` to both: one parameter in place of two.

    >>> double(lorentzian)(3.4e9, 1000.0, 3.4e9, 3.6e9, 1e8, 1e8, 0.1, 0.0)
    900.0
    """

    def function(
        frequency: Any, offset: Any, center_lower: Any, center_upper: Any, fwhm_lower: Any, fwhm_upper: Any,
        contrast_lower: Any, contrast_upper: Any, *more: Any,
    ) -> Any:  # fmt: skip
        first, second = (more, more) if common else (more[0::2], more[1::2])
        lower = contrast_lower * shape(frequency - center_lower, fwhm_lower, *first)
        upper = contrast_upper * shape(frequency - center_upper, fwhm_upper, *second)
        return offset * (1 - lower - upper)

    return function
