"""The Hamiltonian model: a line shape whose parameter is the field, with E and the hyperfine structure in it.

A spectrum of electron and nuclei has thousands of lines. Those whose upper states have the same total nuclear
projection lie within some 10 MHz, so that one effective line stands for each such group: seven for a branch of three
14N, four of three 15N. Their places and weights, from the exact Hamiltonian, are cubic splines in the field along c,
which holds where E and the hyperfine structure mix and no comb would do. What such lines would read wrong is
tabulated by field and width (see `vbsense.groundstate.effective_bias`), so that the parameters are the true ones.

>>> import numpy as np
>>> import vbsense as vb
>>> model = hamiltonian_model(vb.VB14N, largest=12e-3)
>>> model.parameters
('offset', 'D', 'Bz', 'fwhm', 'contrast_lower', 'contrast_upper')
>>> frequency = np.linspace(3.07e9, 3.87e9, 81)
>>> light = model.evaluate(frequency, [1.0, vb.VB14N.D, 9e-3, 60e6, 0.05, 0.05])
>>> exact = 1 - 0.05 * vb.spectrum(frequency, [0, 0, 9e-3], vb.VB14N, linewidth=60e6)
>>> bool(abs(light - exact).max() < 0.06 * (1 - exact.min()))    # the lines of a group are some 8 MHz apart
True
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.groundstate._inputs import frequency_axis, unit_drive
from vbsense.groundstate.effective_table import MILLI, SCALE, Table, formula, tables_of
from vbsense.lineshape import Model

__all__ = ["E_RANGE", "MILLI", "SCALE", "SHAPES", "HamiltonianModel", "hamiltonian_model"]

SHAPES = ("lorentzian", "gaussian")
E_RANGE = 20e6  # Hz: of "hamiltonian+E"

_LARGEST, _LIMIT = 65e-3, 0.8  # T, and the share of the level anticrossing that groups can be told up to
_KNEE, _FINE, _COARSE = 12e-3, 0.1e-3, 1e-3  # T: nodes are _FINE apart up to the knee, then _COARSE
_ALIASES = 11e6  # Hz: steps of the frequency from which lines of 40 MHz are sampled too coarsely to take no notice
_SMALL_E = 20e6  # Hz: below it levels cross so sharply that the fine nodes must be half as far apart
_FIRST = 1e-6  # T: the field of the first node: at zero the states are not defined
_RANGE_OF_D = 150e6  # Hz: 240 K, at -0.62 MHz/K
_BEYOND = 150e6  # Hz: the lines may lie that far outside the sweep
_AROUND, _STEP = 300e6, 8e6  # Hz: frequencies around the lines where none are given


@dataclass(frozen=True)
class HamiltonianModel(Model):
    """A line shape whose parameter is the field along c; made by `hamiltonian_model`.

    Parameters
    ----------
    defect : Defect
        Its D is where the parameter ``D`` starts.
    drive : tuple
        Direction of the microwave field in laboratory axes.
    shape : str
        Of every effective line.
    largest : float
        Largest field of the table (T).
    E_range : float, optional
        Where E is a parameter, how far it may be from that of `defect` (Hz).
    """

    defect: Defect = field(default=VB14N, compare=False)
    drive: tuple[complex, ...] = (1.0, 0.0, 0.0)
    shape: str = "lorentzian"
    largest: float = _LARGEST
    E_range: float | None = None

    def __post_init__(self) -> None:  # made by the function below, and nowhere else: nothing to check
        assert self.constants is not None
        self.constants.flags.writeable = False

    @property
    def _table(self) -> Table:
        return tables_of(self.constants, self.E_range is not None)[-1 if self.E_range is None else 1]

    @property
    def spacing(self) -> float:
        """Mean distance of the effective lines of the upper branch at the largest field (Hz)."""
        place = self._table.lines(np.asarray(self.largest))[0][1]
        return float(np.ptp(place) / max(place.size - 1, 1))

    def branches(self, Bz: Any, D: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Centres of gravity of the lower and the upper branch (Hz) at fields (T)."""
        place, weight = self._table.lines(np.asarray(Bz, dtype=float))
        mean = (place * weight).sum(-1) / weight.sum(-1) + (self.defect.D if D is None else D)
        return mean[..., 0], mean[..., 1]


def hamiltonian_model(
    defect: Defect = VB14N,
    drive: Any = (1, 0, 0),
    shape: str = "lorentzian",
    *,
    frequency: Any = None,
    largest: float | None = None,
    E_range: float | None = None,
) -> HamiltonianModel:
    """A line shape with the parameters offset, D, Bz, fwhm, contrast_lower, contrast_upper and, if wanted, E.

    ``Bz`` is the size of the field along c (T), ``D`` the zero-field splitting (Hz), ``fwhm`` the width of one exact
    line (Hz), and a contrast the depth that its branch would have as one bare line, as in `vbsense.spectrum`.

    Parameters
    ----------
    defect : Defect
        With its nuclei, E and a scalar g.
    drive : array_like, (3,)
        Direction of the microwave field in laboratory axes, real or complex: with E it decides how deep which
        lines are at a low field.
    shape : {"lorentzian", "gaussian"}
        Of every line.
    frequency : array_like, (m,), optional
        Frequencies of the sweep (Hz), for which the table is made. Without them, what a window of other width reads
        may be some 5 uT off.
    largest : float, optional
        Largest field (T), 0.1 mT to 80 % of the level anticrossing; by default 65 mT or, with `frequency`, where the
        lines have left the sweep.
    E_range : float, optional
        How far from that of `defect` E may be (Hz), 1 to 30 MHz; it then is a seventh parameter, ``E``. Without it E
        is that of `defect`.

    Returns
    -------
    HamiltonianModel
        For `vbsense.analysis.fit_sweep`.

    Raises
    ------
    ValueError
        If an argument cannot be.

    Notes
    -----
    Field along c, nuclei unpolarised, E that of `defect`: at a low field an E that is wrong by 1 MHz changes what is
    read by E/(gamma^2 Bz), 15 uT at 5 mT. Noise-free fits of exact spectra at linewidths of 40 to 150 MHz, sampled at
    `frequency`, read 2 to 60 mT within 1.5 uT, for E = 0 and 59 MHz and the drive along and between the axes of E
    (tests/test_hamiltonian_fit.py).

    With `E_range`, a parabola through tables at three E makes E a parameter, or a number to fix. Where it is fixed at
    the right value, 2 to 12 mT are read within 1 uT at E of the defect and 4 uT within 20 MHz of it. Where it is free
    it takes up what effective lines leave out: E is then within 3.5 MHz, the field within 15 uT up to 4 mT, and within
    65 uT at 11 mT, where a spectrum hardly tells E. So fit E in a bright spectrum at a low field and give it in
    ``fixed={"E": ...}``. Fits take some five times as long.

    Examples
    --------
    >>> model = hamiltonian_model(VB14N.at(E=50e6), shape="gaussian", largest=3e-3)
    >>> lower, upper = model.branches(2e-3)
    >>> bool(100e6 < upper - lower < 250e6)
    True
    """
    if shape not in SHAPES:
        raise ValueError(f"shape is {shape!r}; it is 'lorentzian' or 'gaussian'")
    if not (isinstance(defect, Defect) and isinstance(defect.g, float) and defect.nuclei and defect.D > 0):
        raise ValueError(f"defect is {defect!r:.60}; the Hamiltonian model needs one with nuclei, D > 0 and a scalar g")
    unit_drive(drive, defect)
    direction = tuple(complex(v) if np.iscomplexobj(drive) else float(v) for v in np.asarray(drive).tolist())
    axis = None if frequency is None else frequency_axis(frequency)
    if axis is not None and (axis.size < 2 or np.diff(axis).min() <= 0):
        raise ValueError(f"frequency holds {axis.size} values; it needs two or more, ascending")
    top = _top(defect, axis) if largest is None else _checked_top(defect, largest)
    known = None if axis is None else axis.tobytes()
    return _build(defect, direction, shape, known, top, None if E_range is None else _checked_range(defect, E_range))


def _checked_range(defect: Defect, E_range: Any) -> float:
    if np.ndim(E_range) or not (np.isfinite(E_range) and 1e6 <= E_range <= 30e6):
        raise ValueError(f"E_range is {E_range!r}; it is a frequency in Hz from 1e6 to 30e6, for example 20e6")
    if abs(defect.E) - E_range < _SMALL_E:
        raise ValueError(
            f"E_range is {E_range:g} Hz and E of {defect.name} {defect.E:g} Hz; "
            f"E can be fitted where it stays above {_SMALL_E:g} Hz"
        )
    return float(E_range)


def _anticrossing(defect: Defect) -> float:
    return defect.D / defect.gamma


def _checked_top(defect: Defect, largest: Any) -> float:
    limit = _LIMIT * _anticrossing(defect)
    if np.ndim(largest) or not (np.isfinite(largest) and 1e-4 <= largest <= limit):
        raise ValueError(f"largest is {largest!r}; it is a field in T from 1e-4 to {limit:.3g}, for example 20e-3")
    return float(largest)


def _top(defect: Defect, frequency: np.ndarray | None) -> float:
    if frequency is None:
        return min(_LARGEST, _LIMIT * _anticrossing(defect))
    reach = max(frequency[-1] - defect.D, defect.D - frequency[0]) + _BEYOND
    return float(np.clip(reach / defect.gamma, 1e-3, _LIMIT * _anticrossing(defect)))


def _coarse(defect: Defect, frequency: np.ndarray | None) -> float:
    """Distance of the nodes above the knee (T).

    Where the frequencies are far apart, what a fit reads goes up and down with the place of the lines between them.
    """
    step = 0.0 if frequency is None else float(np.diff(frequency).max())
    return _COARSE if step < _ALIASES else max(step / (5 * defect.gamma), _FINE)


def _nodes(defect: Defect, top: float, coarse: float) -> tuple[np.ndarray, tuple[float, ...]]:
    """Fields of the nodes (T), and intervals and steps (mT) below and above the knee."""
    fine = _FINE / (2 if 0 < abs(defect.E) < _SMALL_E else 1)
    low = int(np.ceil(min(top, _KNEE) / fine - 1e-9))
    high = int(np.ceil((top - low * fine) / coarse - 1e-9)) if top > low * fine else 0
    nodes = np.append(fine * np.arange(low + 1), low * fine + coarse * np.arange(1, high + 1))
    return nodes, (low, fine / MILLI, high, coarse / MILLI)


@lru_cache(maxsize=4)
def _exact(defect: Defect, drive: tuple[complex, ...], top: float, coarse: float) -> Any:
    from vbsense.groundstate.effective_lines import grouped_lines

    return grouped_lines(np.maximum(_nodes(defect, top, coarse)[0], _FIRST), defect, np.array(drive))


@lru_cache(maxsize=16)
def _build(
    defect: Defect, drive: tuple[complex, ...], shape: str, frequency: bytes | None, top: float, E_range: float | None
) -> HamiltonianModel:
    axis = None if frequency is None else np.frombuffer(frequency).copy()  # kernels want it writable
    if E_range is None:
        constants = _constants(defect, drive, shape, axis, top)
    else:
        places = [defect.E + k * E_range for k in (-1, 0, 1)]
        rows = [_constants(defect.at(E=E), drive, shape, axis, top) for E in places]
        constants = np.concatenate([[defect.E / SCALE, E_range / SCALE], *rows])
    names: tuple[str, ...] = ("offset", "D", "Bz", "fwhm", "contrast_lower", "contrast_upper")
    bounds = {name: (0.0, 1.0) for name in names[4:]} | {"offset": (0.0, np.inf), "fwhm": (0.0, np.inf)}
    bounds |= {"D": (defect.D - _RANGE_OF_D, defect.D + _RANGE_OF_D), "Bz": (0.0, top)}
    units: tuple[str, ...] = ("electron", "Hz", "T", "Hz", "1", "1")
    kind = "hamiltonian_"
    if E_range is not None:
        names, units, kind = (*names, "E"), (*units, "Hz"), "hamiltonian_E_"
        bounds |= {"E": (defect.E - E_range, defect.E + E_range)}
    name = ("hamiltonian" if shape == "lorentzian" else "hamiltonian_gaussian") + ("" if E_range is None else "+E")
    return HamiltonianModel(
        name, names, units,
        formula(tables_of(constants, E_range is not None), shape, defect.E, E_range),
        f"vbsense.groundstate.effective_kernels:{kind}{shape}", ("D",), bounds, SCALE, None, constants,
        defect, drive, shape, top, E_range,
    )  # fmt: skip


def _constants(
    defect: Defect, drive: tuple[complex, ...], shape: str, frequency: np.ndarray | None, top: float
) -> np.ndarray:
    """Constants of the kernel: lines of a branch, intervals, steps, nodes of the width, then those of the field."""
    from scipy.interpolate import CubicSpline

    from vbsense.groundstate.effective_bias import WIDTHS, differences

    coarse = _coarse(defect, frequency)
    fields, steps = _nodes(defect, top, coarse)
    exact = _exact(defect, drive, top, coarse)
    own = differences(np.maximum(fields, _FIRST), exact, shape, _sampled(exact.place, frequency))
    own = own / np.array([1.0, SCALE, SCALE])
    along = CubicSpline(np.arange(WIDTHS.size), own, axis=1)(np.arange(WIDTHS.size), 1)
    rows = []
    lines = [(a - b).reshape(fields.size, -1) / c for a, b, c in ((exact.place, defect.D, SCALE), (exact.weight, 0, 1))]
    for values in (*lines, np.concatenate([own, along], -1).reshape(fields.size, -1)):
        spline = CubicSpline(fields / MILLI, values)
        rows += [values, spline(fields / MILLI, 1)]
    widths = WIDTHS.size, WIDTHS[0] / SCALE, 1 / np.log(WIDTHS[1] / WIDTHS[0])
    return np.concatenate([[exact.place.shape[-1], *steps, *widths], np.concatenate(rows, 1).ravel()])


def _sampled(place: np.ndarray, frequency: np.ndarray | None) -> np.ndarray:
    """Frequencies at which each of the fields is looked at ``(field, m)``, NaN where there are fewer.

    Those of the sweep; if there are none, or a branch lies outside, frequencies around the lines.
    """
    middle = place.mean(-1)
    rows: list[Any] = []
    for own, (lower, upper) in zip(place, middle, strict=True):
        seen = frequency is not None and frequency[0] < lower and upper < frequency[-1]
        rows.append(frequency if seen else _around(own))
    sampled = np.full((len(rows), max(len(row) for row in rows)), np.nan)
    for row, own in zip(sampled, rows, strict=True):
        row[: len(own)] = own
    return sampled


def _around(place: np.ndarray) -> np.ndarray:
    """Frequencies around two branches (2, groups)."""
    parts = [np.arange(row.min() - _AROUND, row.max() + _AROUND, _STEP) for row in place]
    if parts[0][-1] < parts[1][0]:
        return np.concatenate(parts)
    return np.arange(place.min() - _AROUND, place.max() + _AROUND, _STEP)
