"""The sum of squares of a map against the parameters of wires, and where it is smallest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from vbsense.analysis._wire_data import MapData, read_map
from vbsense.analysis._wire_model import WireModel
from vbsense.analysis._wire_parameters import Parameters
from vbsense.analysis._wire_solve import Minimum, minimise

__all__ = ["FINE", "Misfit", "solve", "start_of_wires"]

FINE = 1 / 200  # error of the average over a spot that counts as none, in units of the error of a value
_POOR = 6.0  # standard deviations of chi-squared above which other places of the wire are tried
_PLACES = 41


@dataclass(frozen=True, eq=False)
class Misfit:
    """Chi-squared of a map, priors included, against the free parameters."""

    data: MapData
    model: WireModel
    parameters: Parameters

    def __call__(self, x: np.ndarray) -> float:
        r = self.data.whiten(self.model.field(self.parameters.values(x)) - self.data.B)
        return float(r @ r + self.parameters.weights @ (x - self.parameters.means) ** 2)

    def normal(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """With half of its gradient and its normal matrix."""
        p, values = self.parameters, self.parameters.values(x)
        r = self.data.whiten(self.model.field(values) - self.data.B)
        J = self.data.whiten(self.model.jacobian(values, p.free))
        away = x - p.means
        return float(r @ r + p.weights @ away**2), J @ r + p.weights * away, J @ J.T + np.diag(p.weights)

    def start(self, shift: float = 0.0) -> np.ndarray:
        """Start values moved across by `shift` (m), with the best of those in which the field is linear."""
        p = self.parameters
        x = np.array([p.start[n] + (shift if n == "position" else 0.0) for n in p.free])
        linear = np.array([n in p.linear for n in p.free])
        x[linear] = 0.0
        x = np.clip(x, p.low, p.high)
        if linear.any():
            names = [n for n in p.free if n in p.linear]
            values = p.values(x)
            J = self.data.whiten(self.model.jacobian(values, names))
            r = self.data.whiten(self.data.B - self.model.field(values))
            rows = np.vstack([J.T, np.diag(np.sqrt(p.weights[linear]))])
            right = np.append(r, np.sqrt(p.weights[linear]) * (p.means - x)[linear])
            scale = np.linalg.norm(rows, axis=0)
            scale = np.where(scale > 0, scale, 1.0)
            x[linear] += np.linalg.lstsq(rows / scale, right, rcond=1e-9)[0] / scale
        return np.clip(x, p.low, p.high)


def solve(data: MapData, model: WireModel, parameters: Parameters) -> tuple[Misfit, Minimum]:
    """With as many points in a spot as the errors of the map ask for, at the start and at the end."""
    tolerance = FINE * float(data.error[data.good].min())
    rough = model.as_fine_as(tolerance, parameters.values(Misfit(data, model, parameters).start()))
    misfit = Misfit(data, rough, parameters)
    best = _search(misfit)
    needed = model.as_fine_as(tolerance, parameters.values(best.x))
    if np.prod(needed.order) > np.prod(rough.order):
        misfit = replace(misfit, model=needed)
        best = minimise(misfit, misfit.normal, best.x, parameters.low, parameters.high)
    return misfit, best


def _search(misfit: Misfit) -> Minimum:
    """From the start as given; if that ends badly and the place of the wire is free, from other places as well."""
    data, p = misfit.data, misfit.parameters
    best = minimise(misfit, misfit.normal, misfit.start(), p.low, p.high)
    degrees = data.count - len(p.free)
    if data.known_error and "position" in p.free and best.chi2 > degrees + _POOR * np.sqrt(2 * max(degrees, 1)):
        reach = misfit.model.reach
        other = min((misfit.start(shift) for shift in np.linspace(-reach, reach, _PLACES)), key=misfit)
        again = minimise(misfit, misfit.normal, other, p.low, p.high)
        best = again if again.chi2 < best.chi2 else best
    return best


def start_of_wires(
    field: xr.Dataset, geometry: WireModel, parameters: Parameters, without: Sequence[str] = ()
) -> np.ndarray:
    """Free parameters of a fit to a map, for a start; those `without` stay at zero."""
    data = read_map(field)
    kept = np.array([name not in without for name in parameters.free])
    names = tuple(n for n, is_kept in zip(parameters.free, kept, strict=True) if is_kept)
    some = replace(
        parameters, free=names, low=parameters.low[kept], high=parameters.high[kept],
        prior_mean=parameters.prior_mean[kept], prior_sigma=parameters.prior_sigma[kept],
    )  # fmt: skip
    x = np.zeros(kept.size)
    x[kept] = solve(data, geometry, some)[1].x
    return x
