"""Reads the chunks of a file past HDF5, which unpacks one after the other: here every thread unpacks its own.

What comes out is the same, and every chunk is compared with its checksum. Whatever is not exactly as `packing` packs
it is left to HDF5.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import zlib
from typing import Any

import h5py
import numpy as np
import xarray as xr

from vbsense.storage.ordered import in_order
from vbsense.storage.packing import fletcher32

__all__ = ["read_values"]

_FILTERS = [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32]


def read_values(variable: xr.Variable, *, threads: int = 1) -> np.ndarray:
    """Values of a variable, or of a part of one, that may still lie in its file.

    Parameters
    ----------
    variable : xarray.Variable
        In memory, made of dask arrays, or of `vbsense.files.open_lazy`, whose chunks are then unpacked in this thread,
        beside those of other threads.
    threads : int, default 1
        How many unpack chunks of a file, if more than this one.

    Returns
    -------
    ndarray
        As ``variable.values``; nothing is kept.

    Raises
    ------
    OSError
        If a chunk is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from vbsense.data import make_sweep
    >>> from vbsense.files import open_lazy, save
    >>> light = np.arange(3 * 400 * 300, dtype=np.float32).reshape(3, 400, 300)
    >>> sweep = make_sweep(light, [3.0e9, 3.4e9, 3.8e9], pixel_size=1e-7)
    >>> with tempfile.TemporaryDirectory() as folder, open_lazy(save(sweep, folder + "/sweep.h5")) as opened:
    ...     part = opened.signal.isel(frequency=2, y=slice(30, 100)).variable
    ...     bool((read_values(part) == light[2, 30:100]).all())
    True
    """
    found = _in_file(variable)
    values = None if found is None else read_chunks(*found, threads=threads)
    return np.asarray(variable.values) if values is None else values


def _in_file(variable: xr.Variable) -> tuple[Any, Any, tuple[Any, ...]] | None:
    """The variable of the file, its lock, and the index, if xarray keeps them as it used to; else None."""
    wrapped, key = getattr(variable, "_data", None), None
    while wrapped is not None and not hasattr(wrapped, "get_array"):
        key = getattr(getattr(wrapped, "key", None), "tuple", key)
        wrapped = getattr(wrapped, "array", None)
    lock = getattr(getattr(wrapped, "datastore", None), "lock", None)
    if wrapped is None or lock is None or key is None:
        return None
    with lock:
        stored = getattr(wrapped.get_array(needs_lock=False), "_h5ds", None)
    return None if stored is None or not _is_plain(stored, key) else (stored, lock, key)


def _is_plain(stored: Any, key: tuple[Any, ...]) -> bool:
    """Whether chunks are packed as ours are, and the index is made of numbers and slices in steps of 1."""
    if not isinstance(stored, h5py.Dataset) or stored.chunks is None or len(key) != stored.ndim:
        return False
    plan = stored.id.get_create_plist()
    packed = [plan.get_filter(k)[0] for k in range(plan.get_nfilters())] == _FILTERS
    plain = stored.dtype.kind in "fiu" and stored.dtype.isnative and stored.size > 0
    return (
        plain
        and packed
        and all(isinstance(k, (int, np.integer)) or (isinstance(k, slice) and k.step in (None, 1)) for k in key)
    )


def read_chunks(stored: Any, lock: Any, key: tuple[Any, ...], *, threads: int = 1) -> np.ndarray | None:
    """Values at `key`; None if a chunk is not there or is packed otherwise."""
    ranges = [slice(int(k), int(k) + 1) if not isinstance(k, slice) else slice(*k.indices(n))
              for k, n in zip(key, stored.shape, strict=True)]  # fmt: skip
    shape = [max(r.stop - r.start, 0) for r in ranges]
    out = np.empty(shape, stored.dtype)
    axes = [range(r.start // n * n, r.stop if r.stop > r.start else r.start, n)
            for r, n in zip(ranges, stored.chunks, strict=True)]  # fmt: skip

    def read(start: tuple[int, ...]) -> bool:
        packed = _packed(stored, lock, start)
        if packed is None:
            return False
        there, here = [], []
        for r, first, n in zip(ranges, start, stored.chunks, strict=True):
            low, high = max(r.start, first), min(r.stop, first + n)
            there.append(slice(low - first, high - first))
            here.append(slice(low - r.start, high - r.start))
        out[tuple(here)] = _unpack(packed, stored, start)[tuple(there)]
        return True

    with contextlib.closing(in_order(read, itertools.product(*axes), threads=threads)) as done:
        if not all(done):
            return None
    return out[tuple(slice(None) if isinstance(k, slice) else 0 for k in key)]


def _packed(stored: Any, lock: Any, start: tuple[int, ...]) -> bytes | None:
    """A chunk as it lies in the file; None if HDF5 should read it."""
    try:
        with lock:
            mask, packed = stored.id.read_direct_chunk(start)
    except (OSError, RuntimeError, ValueError):
        return None  # HDF5 knows what it means
    return None if mask else packed


def _unpack(packed: bytes, stored: Any, start: tuple[int, ...]) -> np.ndarray:
    """One chunk behind fletcher32, deflate and shuffle: the inverse of `vbsense.storage.packing.pack`."""
    dtype, count = stored.dtype, math.prod(stored.chunks)
    body = packed[:-4]
    try:
        sound = fletcher32(body) == int.from_bytes(packed[-4:], "little")
        inflate = zlib.decompressobj()
        raw = inflate.decompress(body, count * dtype.itemsize) if sound else b""
    except zlib.error:
        raw = b""
    if len(raw) != count * dtype.itemsize:
        raise OSError(f"the chunk of {stored.name} at {start} is damaged; restore a copy of the file")
    planes = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, count)
    values = np.empty((count, dtype.itemsize), np.uint8)
    for k, plane in enumerate(planes):  # three times as fast as a transposed copy
        values[:, k] = plane
    return values.view(dtype).reshape(stored.chunks)
