"""A sweep in bands of rows, for data that are larger than memory: where they lie, and how one is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["Band", "Source", "bands_of", "in_memory"]

LEAST = 8192  # spectra of a band: then reading and bookkeeping cost little beside the fit
MOST = 1 << 25  # bytes of a band: several are in memory at a time
CHUNK = 32  # rows that a file keeps together, where it does not say


@dataclass(frozen=True)
class Band:
    """Rows `first` to `last` of one plane (image), or all of its sites, which count as one row."""

    plane: int
    first: int
    last: int
    width: int  # pixels of a row
    rows: int  # of the plane

    @property
    def spectra(self) -> slice:
        """Numbers of its spectra, counted over planes and pixels."""
        start = self.plane * self.rows * self.width
        return slice(start + self.first * self.width, start + self.last * self.width)

    def beside(self, other: Band) -> bool:
        """Whether `other` is the band below or above."""
        return self.plane == other.plane and (self.last == other.first or other.last == self.first)


class Source:
    """Reads bands of a sweep.

    Parameters
    ----------
    sweep : xarray.Dataset
        In memory, in a file, or made of dask arrays.
    """

    def __init__(self, sweep: xr.Dataset) -> None:
        self.sweep = sweep
        signal = sweep["signal"]
        self._dims = tuple(map(str, signal.dims))
        self._leading = self._dims[: self._dims.index("frequency")]
        self._sizes = tuple(sweep.sizes[dim] for dim in self._leading)

    def lazy(self, band: Band, name: str) -> xr.DataArray:
        """The band of a variable with the dimensions of `signal`, not read yet: (frequency, y, x)."""
        place = np.unravel_index(band.plane, self._sizes) if self._sizes else ()
        index: dict[str, Any] = dict(zip(self._leading, map(int, place), strict=True))
        if "y" in self._dims:
            index["y"] = slice(band.first, band.last)
        return self.sweep[name].isel(index)

    def read(self, band: Band, name: str, *, threads: int = 1) -> np.ndarray:
        """The band of a variable, (frequency, ...), unpacked in `threads` threads."""
        from vbsense.storage.direct import read_values

        return read_values(self.lazy(band, name).variable, threads=threads)

    def shaped(self, first: int, last: int) -> xr.Dataset:
        """The sweep cut to rows `first` to `last`; its values are not read."""
        return self.sweep.isel(y=slice(first, last)) if "y" in self._dims else self.sweep


def in_memory(variable: xr.DataArray) -> bool:
    """Whether the values are an array of numbers already, not in a file and not waiting for dask."""
    return variable.chunks is None and bool(getattr(variable.variable, "_in_memory", True))


def bands_of(signal: xr.DataArray) -> list[Band]:
    """Bands of all planes of a sweep, in the order of their spectra.

    Parameters
    ----------
    signal : xarray.DataArray
        (..., frequency, y, x) or (..., frequency, site).

    Returns
    -------
    list of Band
        With edges on those of the chunks of a file or of dask arrays, unless a band would be larger than `MOST`.
    """
    sites = "site" in signal.dims
    rows, width = (1, signal.sizes["site"]) if sites else (signal.sizes["y"], signal.sizes["x"])
    planes = int(np.prod(signal.shape[: signal.dims.index("frequency")], dtype=int))
    row_bytes = width * signal.sizes["frequency"] * signal.dtype.itemsize
    edges = list(_edges([1] if sites else _chunk_rows(signal), rows, -(-LEAST // width), max(MOST // row_bytes, 1)))
    return [
        Band(plane, first, last, width, rows)
        for plane in range(planes)
        for first, last in zip([0, *edges], edges, strict=False)
    ]


def _chunk_rows(signal: xr.DataArray) -> list[int]:
    """Rows of each chunk, one after the other."""
    rows, axis = signal.sizes["y"], signal.dims.index("y")
    if signal.chunks is not None:
        return [int(n) for n in signal.chunks[axis]]
    stored = signal.encoding.get("chunksizes")
    length = stored[axis] if stored is not None and len(stored) == signal.ndim else CHUNK
    return [min(length, rows - k) for k in range(0, rows, length)]


def _edges(chunks: list[int], rows: int, least: int, most: int) -> Iterator[int]:
    """Last rows of the bands: whole chunks of `least` rows or more together, cut where they exceed `most`."""
    start = 0
    for end in np.cumsum(chunks).tolist():
        if end - start >= min(least, most) or end == rows:
            while end - start > most:
                start += most
                yield start
            start = end
            yield end
