"""Writes the HDF5 file itself, with chunks that hold all frequencies of a few pixels.

A disk that runs full inside HDF5 ends in a crash of the interpreter at exit. So HDF5 writes through
a file object that never fails towards it, and the error is raised when HDF5 has let go of the file.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5netcdf
import h5py

from vbsense.storage import durable
from vbsense.storage.stored import Stored

__all__ = ["chunks", "write"]

MAX_CHUNK = 1 << 24  # bytes
_LENGTH = {"y": 32, "x": 32, "site": 1024}
_WHOLE = {"frequency", "component", "parameter", "parameter2"}


def chunks(dims: tuple[str, ...], shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Lengths of a chunk: all frequencies, 32 rows, 32 columns, and 1 of each leading dimension.

    Parameters
    ----------
    dims : tuple of str
        Names of the dimensions.
    shape : tuple of int
        Their lengths.
    itemsize : int
        Bytes of one value.

    Returns
    -------
    tuple of int
        One length for each dimension; halved in space until a chunk has at most 16 MiB.

    Examples
    --------
    >>> chunks(("polarity", "frequency", "y", "x"), (2, 101, 512, 20), 4)
    (1, 101, 32, 20)
    """
    if len(dims) == 1:
        return (min(shape[0], MAX_CHUNK // itemsize),)
    lengths = [n if dim in _WHOLE else min(n, _LENGTH.get(dim, 1)) for dim, n in zip(dims, shape, strict=True)]
    while math.prod(lengths) * itemsize > MAX_CHUNK and max(lengths) > 1:
        space = [k for k, dim in enumerate(dims) if dim in _LENGTH and lengths[k] > 1] or range(len(dims))
        longest = max(space, key=lambda k: lengths[k])
        lengths[longest] = (lengths[longest] + 1) // 2
    return tuple(lengths)


def write(path: Path, variables: Mapping[str, Stored], attributes: Mapping[str, Any]) -> None:
    """Write variables and attributes to the new file `path`, and sync it.

    Raises
    ------
    OSError
        If the disk is full or fails; the file is then incomplete.
    """
    with _SteadyFile(path, "x+") as file:
        bounds = ("v110", "v110")  # readable by HDF5 1.10, which other programs still use
        with h5py.File(file, "w", libver=bounds, track_order=True) as h5, h5netcdf.File(h5, "w") as nc:
            for v in variables.values():
                nc.dimensions.update(
                    {d: n for d, n in zip(v.dims, v.values.shape, strict=True) if d not in nc.dimensions}
                )
            for name, v in variables.items():
                nc.create_variable(name, v.dims, data=v.values, **_options(v))
                # h5py keeps numbers and arrays of one number apart, h5netcdf does not.
                h5[name].attrs.update(v.attrs)
            h5.attrs.update(attributes)
        if file.failure is not None:
            message = f"{path.parent}: {file.failure.strerror}; free space there or choose another folder"
            raise OSError(file.failure.errno, message) from None
        durable.sync_file(file.fileno())


def _options(variable: Stored) -> dict[str, Any]:
    values = variable.values
    if values.dtype.kind == "O":
        return {"dtype": h5py.string_dtype()}
    if values.ndim == 0 or values.size == 0:
        return {"dtype": values.dtype}
    packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
    return {"dtype": values.dtype, "chunks": chunks(variable.dims, values.shape, values.dtype.itemsize)} | packing


class _SteadyFile(io.FileIO):
    """A file that keeps the first error for later and pretends that every write succeeded."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            if self.failure is None:
                durable.write_all(self.fileno(), data)
        except OSError as error:
            self.failure = error
        return memoryview(data).nbytes

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0
