"""Light of a spin defect against laser, microwave and field, and how the dips grow with power."""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.sims.light.checks import check_pump, check_rate
from vbsense.sims.light.cycle import OpticalCycle

__all__ = ["contrast", "field_light", "microwave_rate", "pump_rate", "saturation"]

# Fields times nuclear configurations in one go: each takes a few real matrices of 19 x 19.
_BLOCK = 5000
METHODS = ("coherent", "rates")


def saturation(power: float, saturation_power: float) -> tuple[float, float]:
    """Contrast and width of a line under continuous drive.

    The steady state of a driven two-level line: with ``s`` the power over the saturation power, the
    contrast follows ``s / (1 + s)`` and the width ``sqrt(1 + s)`` (Dreau et al., Phys. Rev. B 84,
    195204 (2011), for an optical pumping rate that stays as it is).

    Parameters
    ----------
    power, saturation_power : float
        Microwave power, and the power at which the contrast is half its limit (dBm).

    Returns
    -------
    contrast, width : float
        Contrast as a fraction of its limit; width as a multiple of the width without drive.

    Examples
    --------
    >>> saturation(25.0, 25.0)[0], round(saturation(25.0, 25.0)[1], 4)
    (0.5, 1.4142)
    """
    s = 10 ** ((power - saturation_power) / 10)
    return s / (1 + s), float(np.sqrt(1 + s))


def pump_rate(power: Any, *, cross_section: float, fwhm: float, wavelength: float = 532e-9) -> np.ndarray:
    """Pump rate in the middle of a Gaussian laser spot: absorption cross-section times photon flux.

    Parameters
    ----------
    power : array_like, (...)
        Laser power on the sample (W).
    cross_section : float
        For absorption at this wavelength (m^2). None is given here: that of V_B^- is not known to us.
    fwhm : float
        Full width at half maximum of the intensity (m).
    wavelength : float
        Of the laser (m).

    Returns
    -------
    ndarray, (...)
        1/s.

    Examples
    --------
    >>> float(pump_rate(1e-3, cross_section=1e-21, fwhm=1e-6).round(-3))
    2364000.0
    """
    from scipy.constants import c, h

    for name, value in (("cross_section", cross_section), ("fwhm", fwhm), ("wavelength", wavelength)):
        if not (np.isfinite(value) and 0 < value < 1e-2):
            raise ValueError(f"{name} is {value!r}; it must be positive and in SI units (1 um is 1e-6, 1 nm is 1e-9)")
    power = np.asarray(power, dtype=float)
    if not (np.isfinite(power) & (power >= 0)).all():
        raise ValueError(f"power is {power!r}; it must be finite and 0 or more, in watts")
    flux = 4 * np.log(2) / np.pi * power / fwhm**2 / (h * c / wavelength)
    return cross_section * flux


def microwave_rate(rabi: Any, *, decoherence: float, detuning: Any = 0.0) -> np.ndarray:
    """Rate at which a continuous drive exchanges the two levels of a line.

    ``W = (Omega^2 / 2) G / (G^2 + Delta^2)``, angular frequencies: the coherence eliminated from the
    Bloch equations, exact in the steady state of one line.

    Parameters
    ----------
    rabi : array_like, (...)
        Rabi frequency (Hz, turns per second); it grows with the square root of the microwave power.
    decoherence : float
        Rate G at which the coherence of the line decays, everything included (1/s).
    detuning : array_like, (...)
        Microwave minus line (Hz).

    Returns
    -------
    ndarray, (...)
        1/s.

    Examples
    --------
    >>> float(microwave_rate(1e6, decoherence=2e7).round())
    986960.0
    """
    if not (np.isfinite(decoherence) and decoherence > 0):
        raise ValueError(f"decoherence is {decoherence!r}; it must be a positive rate in 1/s (1/T2*)")
    rabi, detuning = np.asarray(rabi, dtype=float), np.asarray(detuning, dtype=float)
    if not (np.isfinite(rabi) & (rabi >= 0)).all() or not np.isfinite(detuning).all():
        raise ValueError("rabi and detuning must be finite, rabi 0 or more, in Hz")
    return (2 * np.pi * rabi) ** 2 / 2 * decoherence / (decoherence**2 + (2 * np.pi * detuning) ** 2)


def contrast(cycle: OpticalCycle, *, pump: Any, lines: int = 1, drive: float = np.inf) -> np.ndarray:
    """Fraction of the light that a resonant microwave takes away.

    Parameters
    ----------
    cycle : OpticalCycle
        The defect.
    pump : array_like, (...)
        Pump rate (1/s), above 0.
    lines : {1, 2}
        Lines driven at once: m_s = 0 to +1, or to both.
    drive : float
        Exchange rate of each (1/s), as from `microwave_rate`; infinite (saturated) by default.

    Returns
    -------
    ndarray, (...)
        Positive for a dip.

    Examples
    --------
    >>> from vbsense.sims.light.cycle_presets import optical_cycle
    >>> float(contrast(optical_cycle("baber2022"), pump=1e6).round(4))
    0.1162
    """
    if lines not in (1, 2):
        raise ValueError(f"lines is {lines!r}; one line or two can be driven")
    if not (check_rate("pump", pump) > 0).all():
        raise ValueError(f"pump is {pump!r}; without light there is no contrast: give a rate above 0, in 1/s")
    driven = cycle.light(pump, drive=(drive, drive if lines == 2 else 0.0))
    return 1 - driven / cycle.light(pump)


def field_light(
    field: Any,
    cycle: OpticalCycle,
    defect: Defect = VB14N,
    *,
    pump: float,
    excited: Defect | None = None,
    method: str = "coherent",
    points: int = 6,
) -> np.ndarray:
    """Light without microwave against the magnetic field.

    A field across c, and the nuclei, mix the spin states; where m_s = 0 meets -1 (about 74.7 mT in
    the excited and 124 mT in the ground state) the polarisation and with it the light are lost. The
    nuclei act as a field that stands still during the cycle, drawn from a Gaussian whose width
    is `vbsense.sims.light.mixing.nuclear_spread` of each triplet; nuclear polarisation is left out.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in laboratory axes, by default the defect's own (T).
    cycle : OpticalCycle
        Its rates hold for the unmixed spin states.
    defect, excited : Defect
        Ground and excited triplet, turned alike; the excited one is
        `vbsense.sims.light.mixing.excited_state` of the ground state by default.
    pump : float
        Pump rate (1/s).
    method : {"coherent", "rates"}
        "coherent" follows the spin in both triplets (`vbsense.sims.light.coherent`). "rates" shares the rates out
        over mixed states (`vbsense.sims.light.mixing`): faster, and within 1 % except at the anticrossing of the
        short-lived excited state, where it makes the dip too deep by up to a fifth of the light.
    points : int
        Points of the Gaussian quadrature per axis, best an even number: a point on the axis, where nothing
        mixes, counts too much. 6 are right to 0.3 % of the light; 1 leaves the nuclei out.

    Returns
    -------
    ndarray, (...)
        Photons per second.

    Examples
    --------
    >>> from vbsense.sims.light.cycle_presets import optical_cycle
    >>> z = np.array([20e-3, 74.7e-3, 100e-3])
    >>> light = field_light(z[:, None] * [0, 0, 1], optical_cycle("baber2022"), pump=1e6)
    >>> (light / light[0]).round(2).tolist()
    [1.0, 0.92, 0.98]
    """
    from vbsense.hamiltonian import check_field
    from vbsense.sims.light.coherent import coherent_light
    from vbsense.sims.light.mixing import excited_state, nuclear_spread

    field, pump = check_field(field), check_pump(pump)
    if isinstance(points, bool) or not (isinstance(points, int) and 1 <= points <= 40):
        raise ValueError(f"points is {points!r}; it must be a whole number from 1 to 40")
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; known are {', '.join(METHODS)}")
    excited = excited_state(defect) if excited is None else excited
    nodes, weights = _gauss(points if defect.nuclei or excited.nuclei else 1)
    # One configuration of the nuclei acts on both triplets, on each with its own coupling.
    to_lab = np.asarray(defect.orientation).T
    shifts = [(nodes * nuclear_spread(state)) @ to_lab for state in (defect, excited)]
    flat = field.reshape(-1, 3)
    step = max(1, _BLOCK // len(nodes))
    light_of = coherent_light if method == "coherent" else _mixed_light
    parts = []
    for k in range(0, len(flat), step):
        fields = flat[k : k + step, None]
        parts.append(light_of(fields + shifts[0], fields + shifts[1], cycle, (defect, excited), pump) @ weights)
    return np.concatenate(parts or [np.zeros(0)]).reshape(field.shape[:-1])


def _mixed_light(
    ground_field: np.ndarray,
    excited_field: np.ndarray,
    cycle: OpticalCycle,
    states: tuple[Defect, Defect],
    pump: float,
) -> np.ndarray:
    """As `vbsense.sims.light.coherent.coherent_light`, by rates between mixed states."""
    from vbsense.sims.light.kinetics import stationary
    from vbsense.sims.light.mixing import electron_states, mixing_weights

    P = mixing_weights(cycle, electron_states(ground_field, states[0])[1], electron_states(excited_field, states[1])[1])
    populations = stationary(P @ cycle.rate_matrix(pump) @ np.swapaxes(P, -1, -2), cycle.levels)
    return (populations * (P @ cycle.emission)).sum(-1)


def _gauss(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (m, 3) and weights (m,) of the average over three independent standard normal numbers."""
    x, w = np.polynomial.hermite_e.hermegauss(points)
    nodes = np.stack(np.meshgrid(x, x, x, indexing="ij"), -1).reshape(-1, 3)
    return nodes, np.einsum("i,j,k->ijk", w, w, w).ravel() / w.sum() ** 3
