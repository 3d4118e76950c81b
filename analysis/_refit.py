"""Exact, noise-free spectra through the model of a user: what the model reads where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import make_sweep
from vbsense.defect import Defect

__all__ = ["Refit", "mean_widths"]

# Contrast and error of the noise-free spectra: the bias depends on neither. A smaller error only makes the fit go
# on for longer; this one leaves it far below a nanotesla from its end, and crooked spectra take many iterations.
_CONTRAST, _ERROR, _ITERATIONS = 0.05, 1e-4, 1000


class Refit:
    """Exact spectra on the user's frequencies, through the user's model; what was diagonalised is kept."""

    def __init__(self, frequency: np.ndarray, model: str, defect: Defect, drive: Any) -> None:
        self.frequency, self.model = np.ascontiguousarray(frequency, dtype=float), model
        self.defect, self.drive = defect, drive
        self._sticks: dict[float, tuple[np.ndarray, np.ndarray]] = {}

    def __call__(self, field: np.ndarray, linewidth: Any) -> tuple[np.ndarray, np.ndarray]:
        """Apparent |Bz| (T) and mean fitted width (Hz) for true fields along c (T) and linewidths (Hz)."""
        from vbsense.analysis.field import apparent_field
        from vbsense.analysis.fit import fit_sweep

        linewidth = np.broadcast_to(linewidth, field.shape)
        self._diagonalise(np.setdiff1d(field, list(self._sticks)))
        light = 1 - _CONTRAST * np.stack(
            [self._broaden(*self._sticks[b], w) for b, w in zip(field.tolist(), linewidth, strict=True)]
        )
        # One sweep for each: a spectrum that cannot be fitted must not be helped by its neighbours.
        alone = {"sweep": np.arange(field.size)}
        sweeps = make_sweep(light[:, :, None, None], self.frequency, pixel_size=1.0, coords=alone)
        sweeps["signal_err"] = sweeps["signal"].copy(data=np.full_like(sweeps["signal"].values, _ERROR))
        fit = fit_sweep(sweeps, self.model, precision="double", threads=1, max_iterations=_ITERATIONS)
        lower, upper = (fit[f"center_{line}"].values.ravel() for line in ("lower", "upper"))
        return apparent_field(lower, upper, self.defect), mean_widths(fit).ravel()

    def _diagonalise(self, field: np.ndarray) -> None:
        from vbsense.spin import lines

        c = np.asarray(self.defect.orientation)[:, 2]
        if field.size:
            for b, f, s in zip(field.tolist(), *lines(field[:, None] * c, self.defect, drive=self.drive), strict=True):
                # Most pairs of levels are forbidden; all that are left out together are below 1e-7 of the spectrum.
                seen = s > 1e-7 * s.sum() / s.size
                self._sticks[b] = f[seen], s[seen]

    def _broaden(self, position: np.ndarray, strength: np.ndarray, linewidth: float) -> np.ndarray:
        from vbsense.groundstate._broaden import lorentzians

        out = np.empty((1, self.frequency.size))
        lorentzians(self.frequency, position[None], strength[None], float(linewidth), out)
        return out[0]


def mean_widths(fit: xr.Dataset) -> np.ndarray:
    """Mean width of the two lines, or the one that they share (Hz)."""
    if "fwhm" in fit:
        return fit["fwhm"].values
    return (fit["fwhm_lower"].values + fit["fwhm_upper"].values) / 2
