"""The light of a site by the exact Hamiltonian: every line of electron and nuclei, as a spline in the field.

Other models put one effective line in the place of many, and what they read wrong is some 10 uT at most. That is
little for a site. But sites whose spots overlap are told in combinations: the smooth ones to some 1e-4 of the light,
those that change sign from site to site a hundred times worse. What a line shape lacks in the former then comes
out in the latter, far beyond their errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._cube_lines import LARGEST_E_SHIFT, LEAST_FIELD, Lines
from vbsense.analysis._cube_sticks import Comb, combs_of
from vbsense.defect import Defect
from vbsense.groundstate._inputs import unit_drive
from vbsense.groundstate.effective import HamiltonianModel
from vbsense.hamiltonian import check_field, to_defect

__all__ = ["EXACT", "ExactSpectra", "exact_lines"]

EXACT = {"exact": "hamiltonian", "exact_gaussian": "hamiltonian_gaussian"}  # and the models of their first fits

_NARROWEST = 5e6  # Hz: of a line
_ROOM = 2.5  # tables are made for lines that are narrower by this factor than the first that are asked for
_STEP, _GRID = 1 / 187e9, 1 / 11  # of the field (T) and of the combs (Hz), over that width (Hz)
_PAD = 6  # steps of the field that the table goes beyond what is asked for: a spline errs near its ends
_E_STEP = LARGEST_E_SHIFT / 2  # Hz
_UNITS = ("electron", "Hz", "T", "Hz", "1", "1")


@dataclass(eq=False)
class ExactSpectra:
    """Spectra against field, width and E; tables are made, and made anew, for what is asked for.

    Parameters
    ----------
    defects : tuple of Defect
        One, or some whose E are 4 MHz apart, ascending, between which a polynomial goes.
    drive : tuple of complex
        In the defect frame.
    across : (float, float)
        Field across c in the defect frame (T).
    sign : float
        Of the field along c.
    gaussian : bool
        In place of Lorentzian lines.

    Notes
    -----
    Splines of fifth degree over fields `step` apart, combs of points `grid` apart: 1e-5 of the peak for the narrowest
    lines, 1e-6 for those that the table was made for. The polynomial in E errs by 1e-5 at 5 mT and 3e-5 at 2 mT
    (57 MHz lines).
    """

    defects: tuple[Defect, ...]
    drive: tuple[complex, ...]
    across: tuple[float, float]
    sign: float
    gaussian: bool = False
    step: float = field(default=0.0, init=False)
    grid: float = field(default=0.0, init=False)
    _range: tuple[int, int] = field(default=(0, -1), init=False)
    _place: np.ndarray = field(default_factory=lambda: np.zeros(0), init=False, repr=False)
    _splines: list[Any] = field(default_factory=list, init=False, repr=False)

    def branches(
        self, frequency: np.ndarray, Bz: np.ndarray, D: np.ndarray, fwhm: np.ndarray, E: np.ndarray, *, slopes: bool
    ) -> dict[str, np.ndarray]:
        """Spectra of the lower and the upper branch, ``(site, 2, frequency)``.

        Returns
        -------
        dict
            "value" and, with slopes, "Bz", "D", "fwhm" and of three defects "E": the derivatives by these.
        """
        from vbsense.analysis._cube_kernels import sums

        self._make_for(float(Bz.min()), float(Bz.max()), float(fwhm.min()))
        names = ["value", *(["Bz", *(["E"] if len(self.defects) > 1 else [])] if slopes else [])]
        heights = np.ascontiguousarray(np.concatenate([self._heights(Bz, E, name) for name in names], axis=1))
        rows = heights.shape[1]
        out = np.empty((Bz.size, rows + (4 if slopes else 0), frequency.size))
        shift = D - self.defects[0].D
        axis, width = np.require(frequency, float, ["C", "W"]), np.require(fwhm, float, ["C", "W"])
        sums(axis, self._place, heights, shift, width, self.gaussian, np.empty((3, axis.size)), out)
        parts = np.split(out, out.shape[1] // 2, axis=1)
        return dict(zip([*names, *(["D", "fwhm"] if slopes else [])], parts, strict=True))

    def _heights(self, Bz: np.ndarray, E: np.ndarray, name: str) -> np.ndarray:
        """Heights of the combs ``(site, 2, point)``, or their derivatives by Bz or E."""
        own = [spline(Bz / self.step, 1 if name == "Bz" else 0) for spline in self._splines]
        if name == "Bz":
            own = [h / self.step for h in own]
        if len(own) == 1:
            return np.asarray(own[0])
        weights = _between((E - self.defects[0].E) / _E_STEP, len(own), slope=name == "E")
        weights = weights / _E_STEP if name == "E" else weights
        return np.asarray(sum(w[:, None, None] * h for w, h in zip(weights.T, own, strict=True)))

    def _make_for(self, low: float, high: float, narrowest: float) -> None:
        """Tables that hold these fields (T) and widths (Hz)."""
        fine = max(narrowest / _ROOM, _NARROWEST / _ROOM)
        changed = not self.step or narrowest < self.step / _STEP
        if changed:
            # Powers of two: fits of other data find the same fields in the memory.
            self.step, self.grid = (2.0 ** (np.floor(2 * np.log2(fine * part)) / 2) for part in (_STEP, _GRID))
            self._range = (0, -1)
        first, last = int(np.floor(low / self.step)), int(np.ceil(high / self.step))
        old = self._range
        if changed or first - 1 < old[0] + _PAD // 2 or last + 1 > old[1] - _PAD // 2:
            least, most = (first, last) if old[1] < old[0] else (min(first, old[0]), max(last, old[1]))
            self._range = least - _PAD, most + _PAD
            self._make()

    def _make(self) -> None:
        from scipy.interpolate import make_interp_spline

        numbers = np.arange(self._range[0], self._range[1] + 1)
        combs = [combs_of(numbers, self.step, self.grid, d, self.drive, self.across, self.sign) for d in self.defects]
        first = min(start for own in combs for start, _ in own)
        size = max(start + heights.shape[1] for own in combs for start, heights in own) - first
        self._place = self.defects[0].D + self.grid * (first + np.arange(size))
        self._splines = [make_interp_spline(numbers, _table(own, first, size), k=5) for own in combs]


def _between(t: np.ndarray, count: int, *, slope: bool) -> np.ndarray:
    """Weights of values at 0, 1, 2 ... in those at t (n,), ``(n, count)``, or the derivatives of these weights."""
    from numpy.polynomial import Polynomial

    columns = []
    for k in range(count):
        others = [i for i in range(count) if i != k]
        one = Polynomial.fromroots(others) / float(np.prod([k - i for i in others]))
        columns.append((one.deriv() if slope else one)(t))
    return np.stack(columns, -1)


def _table(combs: list[Comb], first: int, size: int) -> np.ndarray:
    """Combs on one grid, ``(field, 2, point)``."""
    table = np.zeros((len(combs), 2, size))
    for row, (start, heights) in zip(table, combs, strict=True):
        row[:, start - first : start - first + heights.shape[1]] = heights
    return table


def exact_lines(
    model: HamiltonianModel, defect: Defect, drive: Any, bias: np.ndarray, sign: float, *, free_E: bool
) -> Lines:
    """The light by all exact lines, with the parameters of the Hamiltonian model.

    D away from that of the defect moves all lines by the difference, which is exact but for the second order of the
    hyperfine structure (2.5 kHz for 1 MHz).

    Parameters
    ----------
    model : HamiltonianModel
        Of the first fits; its shape is that of the lines.
    defect : Defect
    drive : array_like, (3,)
        In the laboratory frame.
    bias : ndarray, (3,)
        Field without the current (T), of which the part across c is taken.
    sign : float
        Of the field along c.
    free_E : bool
        E is a parameter too, within `LARGEST_E_SHIFT` of the defect's.
    """
    E = float(defect.E)
    defects = tuple(defect.at(E=E + k * _E_STEP) for k in range(-2, 3)) if free_E else (defect,)
    local = to_defect(check_field(bias), defect)
    spectra = ExactSpectra(
        defects, tuple(unit_drive(drive, defect).tolist()), (float(local[0]), float(local[1])), sign,
        model.shape == "gaussian",
    )  # fmt: skip
    names = (*model.parameters, *(["E"] if free_E else []))
    shape = _Shape(spectra, names, E)
    label = next(name for name, first in EXACT.items() if first == model.name)
    bounds = dict(model.bounds) | {"Bz": (LEAST_FIELD, model.largest), "fwhm": (_NARROWEST, np.inf)}

    def start_of(fit: xr.Dataset) -> dict[str, np.ndarray]:
        start = {name: fit[name].values for name in model.parameters}
        return start | ({"E": np.full(fit["Bz"].shape, E)} if free_E else {})

    return Lines(
        model, names, (*_UNITS, *(["Hz"] if free_E else [])), shape.light,
        bounds | {"E": (max(E - LARGEST_E_SHIFT, 0.0), E + LARGEST_E_SHIFT)}, start_of, shape.slopes, label,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Shape:
    """Light (site, frequency) of parameters (site, parameter) in the order offset, D, Bz, fwhm, contrasts, E."""

    spectra: ExactSpectra
    names: tuple[str, ...]
    E: float

    def _branches(self, frequency: np.ndarray, p: np.ndarray, *, slopes: bool) -> dict[str, np.ndarray]:
        E = p[:, 6] if len(self.names) > 6 else np.full(len(p), self.E)
        return self.spectra.branches(frequency, p[:, 2], p[:, 1], p[:, 3], E, slopes=slopes)

    def light(self, frequency: np.ndarray, p: np.ndarray) -> np.ndarray:
        own = self._branches(frequency, p, slopes=False)["value"]
        return np.asarray(p[:, :1] * (1 - np.einsum("sb,sbf->sf", p[:, 4:6], own)))

    def slopes(self, frequency: np.ndarray, p: np.ndarray) -> np.ndarray:
        own = self._branches(frequency, p, slopes=True)
        out = np.empty((len(p), frequency.size, len(self.names)))
        out[:, :, 0] = 1 - np.einsum("sb,sbf->sf", p[:, 4:6], own["value"])
        for name in ("D", "Bz", "fwhm", "E")[: len(self.names) - 3]:
            out[:, :, self.names.index(name)] = -p[:, :1] * np.einsum("sb,sbf->sf", p[:, 4:6], own[name])
        out[:, :, 4:6] = -p[:, :1, None] * own["value"].swapaxes(1, 2)
        return out
