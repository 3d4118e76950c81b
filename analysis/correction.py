"""What a simple line shape reads wrong on the real, hyperfine-split spectrum, and how to take it off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._curve import JUMP, also_below, best_branch, refined
from vbsense.analysis._refit import Refit, mean_widths
from vbsense.analysis.fitted import drive_of
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.layout import require

__all__ = ["HyperfineCorrection", "hyperfine_correction"]

_WIDTHS = np.geomspace(15e6, 200e6, 9)
_PIXELS, _FIELDS = 2000, 100  # at most that many tell the linewidth
_ROUNDS = 8
_LOWEST, _LOW = 0.5e-3, 8e-3  # T: below the second all fields from the first on are looked at, for models fold there
_STRAY = 0.01  # part of the pixels that may lie outside the table


@dataclass(frozen=True)
class HyperfineCorrection:
    """A table of the field that a model reads against the true one.

    Attributes
    ----------
    true, apparent : tuple of float
        Ascending |Bz| (T).
    linewidth : float
        Width of one hyperfine line that the table was made for (Hz).
    model : str
        The model that was fitted.
    width_effect : float
        Largest error (T) of a corrected field of the fit if `linewidth` is wrong by 10 %; NaN if not known.

    Examples
    --------
    >>> table = HyperfineCorrection((9e-3, 10e-3, 11e-3), (9.1e-3, 10.1e-3, 11.1e-3), 60e6, "gaussian")
    >>> round(float(table.apply(10.4e-3)) * 1e3, 6)
    10.3
    """

    true: tuple[float, ...]
    apparent: tuple[float, ...]
    linewidth: float
    model: str
    width_effect: float = np.nan

    def apply(self, field: Any) -> np.ndarray:
        """True |Bz| (T) for the apparent ones; NaN outside the table."""
        return self._spline()(np.asarray(field, dtype=float))

    def slope(self, field: Any) -> np.ndarray:
        """Derivative of the true with respect to the apparent |Bz|."""
        return self._spline()(np.asarray(field, dtype=float), 1)

    def _spline(self) -> Any:
        from scipy.interpolate import CubicSpline

        return CubicSpline(self.apparent, self.true, extrapolate=False)


def hyperfine_correction(
    fit: xr.Dataset,
    defect: Defect = VB14N,
    *,
    linewidth: float | None = None,
    drive: Any = None,
    points: int = 17,
) -> HyperfineCorrection:
    """Tabulate the bias of a fit by fitting the same model to exact, noise-free spectra.

    The model, the frequencies and the range of fields are those of `fit`; field along c. The steps of the table
    are halved until it interpolates to 0.3 uT.

    Parameters
    ----------
    fit : xarray.Dataset
        Of a doublet model such as "gaussian", "lorentzian", "hyperfine14" or "gaussian+shared_fwhm", by its name.
    defect : Defect
        With its nuclei.
    linewidth : float, optional
        Full width at half maximum of one hyperfine line (Hz). By default the one whose exact spectra give the
        fitted widths; `HyperfineCorrection.width_effect` says what an error of 10 % would do.
    drive : (3,) array_like, optional
        Direction of the microwave field, complex where it turns; by default from the attributes, else along x.
    points : int
        Smallest number of fields in the table.

    Returns
    -------
    HyperfineCorrection
        Up to 1 % of the pixels may lie outside it, where a model does not follow the field.

    Raises
    ------
    ValueError
        If no pixel was fitted, or the model does not follow the field: at a low bias two fields may give the same
        lines. How low depends on the model, on E and on the drive; a bias near 10 mT serves them all.
    LayoutError
        If the fit is not that of a doublet.

    Examples
    --------
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
    >>> table = hyperfine_correction(analysis.fit_sweep(analysis.unmix(sweep)))
    >>> bool(abs(table.apply(10e-3) - 10e-3) < 50e-6)
    True
    """
    from vbsense.analysis.field import apparent_field

    require(fit, "fit")
    if "Bz" in fit:
        raise LayoutError("a fit of the Hamiltonian model holds the field already: its 'Bz' needs no correction")
    _check_parameters(fit, ("center", "fwhm") if linewidth is None else ("center",))
    read = apparent_field(fit["center_lower"].values, fit["center_upper"].values, defect).ravel()
    found = np.isfinite(read)
    if not found.any():
        raise ValueError("the fit holds no pixel with two lines: there is nothing to correct")
    drive = drive_of(fit) if drive is None else drive
    again = Refit(np.asarray(fit.attrs["frequency"]), str(fit.attrs.get("model", "gaussian")), defect, drive)
    if linewidth is not None:
        table = _tabulate(again, read[found], float(linewidth), points)
    else:
        table = _find_width(again, read[found], mean_widths(fit).ravel()[found], points)
    return replace(table, width_effect=_width_effect(again, table, read[found]))


def _check_parameters(fit: xr.Dataset, names: tuple[str, ...]) -> None:
    own = [name for name in names if not (name == "fwhm" and name in fit)]  # both lines may share it
    missing = [f"{name}_{line}" for name in own for line in ("lower", "upper") if f"{name}_{line}" not in fit]
    if missing:
        raise LayoutError(
            f"the fit has no {missing[0]!r}; the correction needs a doublet model such as 'gaussian', or the linewidth"
        )


def _find_width(again: Refit, read: np.ndarray, widths: np.ndarray, points: int) -> HyperfineCorrection:
    """The table for the linewidth that explains the fitted widths."""
    some = np.argsort(read)[:: -(-read.size // _PIXELS)]
    width = _first_width(again, read[some], widths[some], points)
    for _ in range(_ROUNDS):
        table = _tabulate(again, read, width, points, ripples=False)
        fields = np.array(table.true[:: -(-len(table.true) // _FIELDS)])
        before, width = width, _better_width(again, fields, read[some], widths[some], width)
        if abs(width - before) < 1e-5 * width:
            break
    return _tabulate(again, read, width, points)


def _first_width(again: Refit, read: np.ndarray, widths: np.ndarray, points: int) -> float:
    """Linewidth between a few of them at which the expected widths are the fitted ones, in the median."""
    fields = _first_fields(again, read, np.inf, points)
    ratio = np.log([_expected(again, fields, width, read) / widths for width in _WIDTHS])
    found = np.isfinite(ratio).any(axis=1)
    if found.sum() < 2:
        raise ValueError(
            f"the model {again.model!r} finds no lines in exact spectra near {np.median(read):.3g} T, or does not "
            "follow the field there: use a bias near 10 mT along c, or pass the linewidth"
        )
    distance = np.maximum.accumulate(np.nanmedian(ratio[found], axis=1))
    return float(np.exp(np.interp(0.0, distance, np.log(_WIDTHS[found]))))


def _better_width(again: Refit, fields: np.ndarray, read: np.ndarray, widths: np.ndarray, width: float) -> float:
    """One step of least squares, without outliers, to the linewidth whose expected widths are the fitted ones."""
    low, here, high = (_expected(again, fields, factor * width, read) for factor in (0.99, 1.0, 1.01))
    slope, miss = (high - low) / (0.02 * width), widths - here
    off = np.abs(miss - np.nanmedian(miss))
    good = np.isfinite(slope) & (off <= 5 * np.nanmedian(off))
    square = (slope[good] ** 2).sum()
    step = float((slope[good] * miss[good]).sum() / square) if square > 0 else 0.0
    return float(np.clip(width + np.clip(step, -width / 4, width / 4), _WIDTHS[0], _WIDTHS[-1]))


def _expected(again: Refit, fields: np.ndarray, width: float, read: np.ndarray) -> np.ndarray:
    """Fitted width (Hz) that goes with each apparent field if the linewidth is `width`; NaN where there is none."""
    from scipy.interpolate import CubicSpline

    apparent, widths = again(fields, width)
    branch = best_branch(apparent, np.zeros(fields.size - 1, bool), read)
    if branch.stop - branch.start < 2:
        return np.full(read.size, np.nan)
    return CubicSpline(apparent[branch], widths[branch], extrapolate=False)(read)


def _tabulate(
    again: Refit, read: np.ndarray, width: float, points: int, *, ripples: bool = True
) -> HyperfineCorrection:
    """The table of one linewidth, as fine as it must be where the pixels are."""
    curve = refined(again, width, read, _first_fields(again, read, width if ripples else np.inf, points))
    branch = best_branch(curve.apparent, curve.torn, read)
    true, apparent = curve.true[branch], curve.apparent[branch]
    outside = (read < apparent[0]) | (read > apparent[-1])
    twice = ~outside & also_below(curve, branch.start, read)
    if true.size < 4 or np.mean(outside | twice) > _STRAY:
        raise ValueError(
            f"the model {again.model!r} does not follow the field: at a linewidth of {width / 1e6:.3g} MHz it rises "
            f"with it only from {true[0]:.3g} to {true[-1]:.3g} T, where it reads {apparent[0]:.3g} to "
            f"{apparent[-1]:.3g} T; of the pixels ({read.min():.3g} to {read.max():.3g} T) {outside.mean():.0%} lie "
            f"outside and {twice.mean():.0%} could be a lower field as well. Use a bias near 10 mT along c, another "
            "model, or check defect, drive and linewidth"
        )
    return HyperfineCorrection(tuple(true.tolist()), tuple(apparent.tolist()), width, again.model)


def _first_fields(again: Refit, read: np.ndarray, width: float, points: int) -> np.ndarray:
    """True fields (T) to start with, around what was read: one every 8 %.

    Where the frequencies sample the lines coarsely, the bias goes up and down with the place of the line between
    them, as exp(-pi width / step): then four for every step.
    """
    margin = 0.3e-3 + 0.03 * float(read.max())
    bottom, high = float(read.min()) - margin, float(read.max()) + margin
    low = _LOWEST if bottom < _LOW else bottom
    count = int(np.ceil(max(points // 2, np.log(high / low) / 0.08)))
    step = float(np.diff(again.frequency).max())
    ripples = int(np.ceil(4 * (high - low) * again.defect.gamma / step)) if width < 4 * step else 0
    return np.geomspace(low, high, count + 1) if ripples < count else np.linspace(low, high, ripples + 1)


def _width_effect(again: Refit, table: HyperfineCorrection, read: np.ndarray) -> float:
    """Largest error (T) of the corrected field among the pixels if the linewidth is wrong by 10 %."""
    true, apparent = np.array(table.true), np.array(table.apparent)
    among = np.flatnonzero((apparent >= read.min()) & (apparent <= read.max()))
    if among.size == 0:
        among = np.array([np.abs(apparent - np.median(read)).argmin()])
    true = true[among[:: -(-among.size // 16)]]
    wrong = [table.apply(again(true, factor * table.linewidth)[0]) - true for factor in (0.99, 1.01)]
    # A hundredth, times ten: where a model hardly follows the field, more would jump to another minimum.
    error = 10 * np.abs(wrong)
    error = error[error < JUMP]
    return float(error.max()) if error.size else float("nan")
