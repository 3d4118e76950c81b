"""What a simple line shape reads wrong on the real, hyperfine-split spectrum, and how to take it off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError, make_site_sweep
from vbsense.defect import VB14N, Defect
from vbsense.layout import require

__all__ = ["HyperfineCorrection", "hyperfine_correction"]

# Contrast of the noise-free spectra: any small number; the bias does not depend on it.
_CONTRAST = 0.05
_WIDTHS = np.geomspace(15e6, 200e6, 14)
_QUANTILES = tuple((k + 0.5) / 9 for k in range(9))  # of the fields, at which fitted widths are compared
_ROUNDS = 6
_LOWEST = 0.5e-3  # T: below, the splitting says next to nothing about the field


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

    The model, the frequencies and the range of fields are those of `fit`; field along c.

    Parameters
    ----------
    fit : xarray.Dataset
        Of a doublet model.
    defect : Defect
        With its nuclei.
    linewidth : float, optional
        Full width at half maximum of one hyperfine line (Hz). By default the one whose exact spectrum
        gives the median fitted width.
    drive : (3,) array_like, optional
        Direction of the microwave field; by default from the attributes, else along the first E axis.
    points : int
        Fields in the table.

    Returns
    -------
    HyperfineCorrection

    Raises
    ------
    ValueError
        If no pixel was fitted, or the model does not follow the field (too low a bias).
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
    _check_parameters(fit, ("center", "fwhm") if linewidth is None else ("center",))
    read = apparent_field(fit["center_lower"].values, fit["center_upper"].values, defect)
    read = read[np.isfinite(read)]
    if read.size == 0:
        raise ValueError("the fit holds no pixel with two lines: there is nothing to correct")
    drive = fit.attrs.get("drive", (1.0, 0.0, 0.0)) if drive is None else drive
    again = _Refit(np.asarray(fit.attrs["frequency"]), str(fit.attrs.get("model", "gaussian")), defect, drive)
    margin = 0.3e-3 + 0.1 * np.ptp(read)
    low, high = read.min() - margin, read.max() + margin
    typical = wanted = np.quantile(read, _QUANTILES)
    # The fields that were read are not the true ones: the table moves until it holds them all, and the
    # width of a line, which is matched at the true field, with it.
    for _ in range(_ROUNDS):
        width = again.matching_width(typical, _median_width(fit)) if linewidth is None else float(linewidth)
        table = again.table(np.linspace(max(low, _LOWEST), high, points), width)
        below, above = table.apparent[0] - read.min(), read.max() - table.apparent[-1]
        before, typical = typical, np.interp(wanted, table.apparent, table.true)
        if below <= 0 and above <= 0 and np.abs(typical - before).max() < 1e-6:
            break
        low, high = low - max(below, 0) - margin * (below > 0), high + max(above, 0) + margin * (above > 0)
    if below > 0 or above > 0:
        raise ValueError(
            f"no field from {table.true[0]:.3g} to {table.true[-1]:.3g} T reads as {read.min():.3g} to "
            f"{read.max():.3g} T: use a bias near 10 mT along c, or check defect, drive and linewidth"
        )
    return table


def _check_parameters(fit: xr.Dataset, names: tuple[str, ...]) -> None:
    missing = [f"{name}_{line}" for name in names for line in ("lower", "upper") if f"{name}_{line}" not in fit]
    if missing:
        raise LayoutError(
            f"the fit has no {missing[0]!r}; the correction needs a doublet model such as 'gaussian', or the linewidth"
        )


@dataclass(frozen=True)
class _Refit:
    """Exact spectra on the user's frequencies, through the user's model."""

    frequency: np.ndarray
    model: str
    defect: Defect
    drive: Any

    def __call__(self, field: np.ndarray, linewidth: np.ndarray) -> xr.Dataset:
        from vbsense.analysis.fit import fit_sweep
        from vbsense.spin import spectrum

        vectors = np.stack([np.zeros_like(field), np.zeros_like(field), field], -1)
        rows = [
            spectrum(self.frequency, v, self.defect, linewidth=w, method="exact", drive=self.drive)
            for v, w in zip(vectors, linewidth, strict=True)
        ]
        light = 1 - _CONTRAST * np.array(rows).T
        n = np.arange(field.size)
        sites = make_site_sweep(
            light, self.frequency, x=n * 1.0, y=n * 0.0, row=n * 0, column=n, error=np.full_like(light, 1e-6)
        )
        return fit_sweep(sites, self.model, precision="double", threads=1)

    def table(self, true: np.ndarray, linewidth: float) -> HyperfineCorrection:
        from vbsense.analysis.field import apparent_field

        lines = self(true, np.full(true.size, linewidth))
        apparent = apparent_field(lines["center_lower"].values, lines["center_upper"].values, self.defect)
        if not (np.diff(apparent) > 0).all():
            raise ValueError(
                f"the model {self.model!r} does not follow the field between {true[0]:.3g} and {true[-1]:.3g} T: "
                "use a bias near 10 mT along c, or pass the linewidth"
            )
        return HyperfineCorrection(tuple(true.tolist()), tuple(apparent.tolist()), linewidth, self.model)

    def matching_width(self, fields: np.ndarray, wanted: float) -> float:
        """Width of one hyperfine line for which the median fitted width at these fields is `wanted` (Hz)."""
        from scipy.interpolate import PchipInterpolator

        every = self(np.repeat(fields, _WIDTHS.size), np.tile(_WIDTHS, fields.size))
        by_field = _widths(every).reshape(fields.size, _WIDTHS.size)
        found = np.isfinite(by_field).any(axis=0)
        fitted, widths = np.nanmedian(by_field[:, found], axis=0), _WIDTHS[found]
        order = np.argsort(fitted)
        if order.size < 2:
            raise ValueError(
                f"the model {self.model!r} finds no lines in exact spectra near {np.median(fields):.3g} T: "
                "pass the linewidth"
            )
        fitted, widths = fitted[order], widths[order]
        return float(PchipInterpolator(fitted, widths)(np.clip(wanted, fitted[0], fitted[-1])))


def _widths(fit: xr.Dataset) -> np.ndarray:
    return (fit["fwhm_lower"].values + fit["fwhm_upper"].values) / 2


def _median_width(fit: xr.Dataset) -> float:
    return float(np.nanmedian(_widths(fit)))
