"""Populations of the nuclear states: polarised, or thermal."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect

__all__ = ["nuclear_populations"]


def nuclear_populations(
    defect: Defect = VB14N,
    *,
    polarisation: Any = None,
    temperature: float | None = None,
    Bz: float = 0.0,
) -> tuple[np.ndarray, ...]:
    """Populations of the nuclear states for `vbsense.spin.lines`: polarised, or thermal.

    Parameters
    ----------
    defect : Defect
        With its nuclei.
    polarisation : float or sequence of float, optional
        <Iz>/I along c of all nuclei or of each, from -1 to 1; the states follow a spin temperature.
    temperature : float, optional
        Of the nuclei (K), in place of a polarisation: Boltzmann's law in the field `Bz` alone.
    Bz : float
        Field along c (T), for the thermal populations.

    Returns
    -------
    tuple of ndarray
        One array for each nucleus, from the highest m down, summing to 1.

    Examples
    --------
    >>> [p.round(3).tolist() for p in nuclear_populations(VB14N, polarisation=[0, 0.5, 1])]
    [[0.333, 0.333, 0.333], [0.616, 0.268, 0.116], [1.0, 0.0, 0.0]]
    """
    from scipy.constants import h, k

    if (polarisation is None) == (temperature is None):
        raise ValueError("give either a polarisation or a temperature")
    if temperature is not None:
        if not (np.isfinite(temperature) and temperature > 0 and np.isfinite(Bz)):
            raise ValueError(
                f"temperature is {temperature!r} K, Bz {Bz!r} T; a positive and a finite number are needed"
            )
        return tuple(_boltzmann(n.spin, h * n.gamma * Bz / (k * temperature)) for n in defect.nuclei)
    wanted = np.broadcast_to(np.asarray(polarisation, dtype=float), (len(defect.nuclei),))
    if not (np.abs(wanted) <= 1).all():
        raise ValueError(f"polarisation is {polarisation!r}; it must lie from -1 to 1")
    return tuple(_polarised(n.spin, float(p)) for n, p in zip(defect.nuclei, wanted, strict=True))


def _boltzmann(spin: float, exponent: float) -> np.ndarray:
    m = spin - np.arange(int(2 * spin + 1))
    p = np.exp(exponent * m - abs(exponent) * spin)
    return p / p.sum()


def _polarised(spin: float, wanted: float) -> np.ndarray:
    from scipy.optimize import brentq

    m = spin - np.arange(int(2 * spin + 1))
    if abs(wanted) > 1 - 1e-9:
        return (m == np.copysign(spin, wanted)).astype(float)
    return _boltzmann(spin, brentq(lambda x: _boltzmann(spin, x) @ m / spin - wanted, -50, 50, xtol=1e-13))
