"""Which pixels a camera could not tell: from what the sweep says of its frames, or from the largest count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from vbsense.data import LayoutError
from vbsense.layout import check_positive

__all__ = ["Saturation", "read_saturation"]


@dataclass(frozen=True)
class Saturation:
    """Pixels that were saturated in some frame, and the signal from which one is.

    `counted` has one entry for each spectrum ``(plane, row, column)``, or is None; `limit` is in electrons,
    infinite if nobody knows.
    """

    counted: np.ndarray | None
    limit: float

    @property
    def needs_signal(self) -> bool:
        """Whether the signal tells."""
        return bool(np.isfinite(self.limit))

    def of(self, plane: int, first: int, last: int | None, signal: np.ndarray | None) -> np.ndarray | None:
        """Mask of the pixels in rows `first` to `last` (None: all) of a plane; None where nobody knows of any.

        ``signal`` (frequency, ...) is that of these rows.
        """
        mask = None if self.counted is None else self.counted[plane, first:last].ravel()
        if signal is not None and self.needs_signal:
            bright = (signal >= self.limit).any(0).ravel()
            mask = bright if mask is None else mask | bright
        return mask


def read_saturation(sweep: xr.Dataset) -> Saturation:
    """Saturation of the pixels of a sweep.

    Parameters
    ----------
    sweep : xarray.Dataset
        With a variable ``saturated``, the number of frames in which a pixel was saturated, or the attribute
        ``saturation``, the largest count, or neither.

    Returns
    -------
    Saturation

    Raises
    ------
    LayoutError
        If they cannot be.
    """
    return Saturation(_counted(sweep), _limit(sweep))


def _counted(sweep: xr.Dataset) -> np.ndarray | None:
    if "saturated" not in sweep:
        return None
    signal, counts = sweep["signal"], sweep["saturated"]
    if not set(counts.dims) <= set(signal.dims):
        raise LayoutError(f"saturated has dimensions {counts.dims}; it may have those of signal, {signal.dims}")
    found = counts > 0
    if "frequency" in found.dims:
        found = found.any("frequency")
    dims = [dim for dim in signal.dims if dim != "frequency"]
    full = found.variable.set_dims({dim: signal.sizes[dim] for dim in dims}).transpose(*dims).values
    tail = (1, full.shape[-1]) if "site" in dims else full.shape[-2:]
    return full.reshape(-1, *tail)


def _limit(sweep: xr.Dataset) -> float:
    if "saturation" not in sweep.attrs:
        return np.inf
    check_positive(sweep, "saturation", "counts")
    check_positive(sweep, "camera_gain", "electron/count")
    missing = [name for name in ("camera_gain", "camera_offset") if name not in sweep.attrs]
    if missing:
        raise LayoutError(f"attribute 'saturation' is a count; it needs {missing[0]!r} to become electrons")
    limit = float(sweep.attrs["saturation"]) - float(sweep.attrs["camera_offset"])
    return limit * float(sweep.attrs["camera_gain"]) * (1 - 1e-6)  # float32 rounds
