"""The light of a site against its field: any line shape of two lines, or that of the Hamiltonian, with Bz in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.correction import HyperfineCorrection
from vbsense.analysis.field import apparent_field
from vbsense.data import LayoutError
from vbsense.defect import Defect
from vbsense.groundstate.effective import HamiltonianModel, hamiltonian_model
from vbsense.lineshape import Model

__all__ = ["LARGEST_E_SHIFT", "LEAST_FIELD", "Lines", "checked_defect", "lines_of"]

_STEPS = {"electron": 1e-4, "Hz": 2e4, "1": 1e-4, "1/Hz": 1e-13, "T": 1e-6}  # of central differences
LARGEST_E_SHIFT = 8e6  # Hz: E may differ that much from the defect's
_AROUND_E = LARGEST_E_SHIFT / 2  # the table of effective lines is a parabola through three that are so far apart
LEAST_FIELD = 1e-6  # T


@dataclass(frozen=True, eq=False)
class Lines:
    """A line shape with the field `Bz` (size, T) among its parameters.

    Parameters
    ----------
    model : Model
        That is fitted to single sites for a start.
    names, units : tuple of str
        Parameters of the light here.
    light_of : callable
        ``light_of(frequency, p)`` with p (site, parameter): light (site, frequency).
    bounds : dict of str to (float, float)
        Of the parameters.
    start_of : callable
        Parameters of the fits of single sites.
    slopes_of : callable, optional
        ``slopes_of(frequency, p)``: derivatives (site, frequency, parameter); central differences without it.
    label : str
        What the lines are called, if it is not the name of the model.
    """

    model: Model
    names: tuple[str, ...]
    units: tuple[str, ...]
    light_of: Callable[[np.ndarray, np.ndarray], np.ndarray]
    bounds: dict[str, tuple[float, float]]
    start_of: Callable[[xr.Dataset], dict[str, np.ndarray]]
    slopes_of: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    label: str = ""

    @cached_property
    def field(self) -> int:
        """Place of Bz among the parameters."""
        return self.names.index("Bz")

    def steps(self, p: np.ndarray) -> np.ndarray:
        """Steps of the differences, ``(parameter,)``."""
        level = np.abs(p[:, self.names.index("offset")]).mean()
        return np.array([_STEPS[u] * (level if u == "electron" else 1.0) for u in self.units])

    def slopes(self, frequency: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Derivatives of the light, ``(site, frequency, parameter)``."""
        if self.slopes_of is not None:
            return self.slopes_of(frequency, p)
        out = np.empty((len(p), frequency.size, len(self.names)))
        for k, h in enumerate(self.steps(p).tolist()):
            step = np.zeros(p.shape[1])
            step[k] = h
            out[:, :, k] = (self.light_of(frequency, p + step) - self.light_of(frequency, p - step)) / (2 * h)
        return out


def lines_of(
    model: Model, defect: Defect, correction: HyperfineCorrection | None, frequency: np.ndarray, *, free_E: bool
) -> Lines:
    """The light of a model against the field.

    Parameters
    ----------
    model : Model
        With Bz, or of two lines.
    defect : Defect
        Its E and g link two lines to the field.
    correction : HyperfineCorrection or None
        What two lines read wrong.
    frequency : ndarray
        Of the sweep (Hz).
    free_E : bool
        E is a parameter too.
    """
    if "Bz" in model.parameters:
        if correction is not None:
            raise LayoutError("a model with 'Bz' holds the field already: leave the correction out")
        return _of_hamiltonian(model, frequency, free_E)
    missing = [n for n in ("offset", "center_lower", "center_upper") if n not in model.parameters]
    if missing:
        raise ValueError(
            f"model {model.name!r} has no {missing[0]!r}; a cube needs two lines such as 'gaussian', or 'hamiltonian'"
        )
    return _of_two_lines(model, defect, correction, free_E)


def _of_hamiltonian(model: Model, frequency: np.ndarray, free_E: bool) -> Lines:
    bounds = dict(model.bounds) | {"Bz": (LEAST_FIELD, model.bounds.get("Bz", (0.0, 1.0))[1])}
    if not free_E or "E" in model.parameters:
        return Lines(model, model.parameters, model.units, model.evaluate, bounds, lambda fit: _values(fit, model))
    if not isinstance(model, HamiltonianModel):
        raise ValueError(f"model {model.name!r} has no E that could be free; take 'E' out of shared")
    E = float(model.defect.E)
    offsets = (-_AROUND_E, 0.0, _AROUND_E)
    three = [
        hamiltonian_model(
            model.defect.at(E=E + e), model.drive, model.shape, frequency=frequency, largest=model.largest
        )
        for e in offsets
    ]

    def light_of(f: np.ndarray, p: np.ndarray) -> np.ndarray:
        t = (p[:, -1:] - E) / _AROUND_E
        weights = t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2
        return sum(w * m.evaluate(f, p[:, :-1]) for w, m in zip(weights, three, strict=True))

    return Lines(
        model, (*model.parameters, "E"), (*model.units, "Hz"), light_of,
        bounds | {"E": (max(E - LARGEST_E_SHIFT, 0.0), E + LARGEST_E_SHIFT)},
        lambda fit: _values(fit, model) | {"E": np.full(fit["Bz"].shape, E)},
    )  # fmt: skip


def _values(fit: xr.Dataset, model: Model) -> dict[str, np.ndarray]:
    return {name: fit[name].values for name in model.parameters}


def _of_two_lines(model: Model, defect: Defect, correction: HyperfineCorrection | None, free_E: bool) -> Lines:
    """The centers as functions of D (their mean) and Bz."""
    lower, upper = model.index("center_lower"), model.index("center_upper")
    rest = [k for k in range(len(model.parameters)) if k not in (lower, upper)]
    names = (*(model.parameters[k] for k in rest), "D", "Bz", *(["E"] if free_E else []))
    units = (*(model.units[k] for k in rest), "Hz", "T", *(["Hz"] if free_E else []))
    apparent = _inverse(correction)

    def light_of(f: np.ndarray, p: np.ndarray) -> np.ndarray:
        own = np.empty((len(p), len(model.parameters)))
        own[:, rest] = p[:, : len(rest)]
        D, Bz = p[:, len(rest)], p[:, len(rest) + 1]
        half = np.hypot(p[:, -1] if free_E else defect.E, defect.gamma * apparent(Bz))
        own[:, lower], own[:, upper] = D - half, D + half
        return model.evaluate(f, own)

    def start_of(fit: xr.Dataset) -> dict[str, np.ndarray]:
        low, high = fit["center_lower"].values, fit["center_upper"].values
        Bz = apparent_field(low, high, defect)
        start = {model.parameters[k]: fit[model.parameters[k]].values for k in rest}
        start |= {"D": (low + high) / 2, "Bz": Bz if correction is None else correction.apply(Bz)}
        return start | ({"E": np.full(Bz.shape, defect.E)} if free_E else {})

    top = 1.0 if correction is None else correction.true[-1]
    bottom = LEAST_FIELD if correction is None else correction.true[0]
    bounds = {n: b for n, b in model.bounds.items() if n in names} | {"Bz": (bottom, top), "E": (0.0, 1e9)}
    return Lines(model, names, units, light_of, bounds, start_of)


def _inverse(correction: HyperfineCorrection | None) -> Callable[[np.ndarray], np.ndarray]:
    if correction is None:
        return lambda Bz: Bz
    from scipy.interpolate import CubicSpline

    return CubicSpline(correction.true, correction.apparent)


def checked_defect(defect: Any) -> Defect:
    """The defect, or an error."""
    if not isinstance(defect, Defect):
        raise TypeError(f"defect is {defect!r:.80}; give a vbsense.Defect, such as vbsense.VB14N")
    return defect
