"""Writes the HDF5 file itself, block by block, with chunks that hold all frequencies of a few pixels.

Blocks are made, hashed and packed in threads; HDF5 only appends them. A disk that runs full inside HDF5
ends in a crash of the interpreter at exit. So HDF5 writes through a file object that never fails towards
it, and the error is raised when HDF5 has let go of the file. For the same reason HDF5 works in a thread
of its own: Python raises Ctrl-C in the main thread only, never inside HDF5.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np

from vbsense.storage import durable
from vbsense.storage.blocks import chunks
from vbsense.storage.ordered import in_order, thread_count
from vbsense.storage.packing import PIPELINE, pack
from vbsense.storage.stored import Stored, block_digest, digest, indices

__all__ = ["write"]


def write(
    path: Path,
    variables: Mapping[str, Stored],
    attributes: Mapping[str, Any],
    *,
    threads: int | None = None,
    progress: bool = False,
) -> str:
    """Write variables and attributes to the new file `path`, and sync it.

    Parameters
    ----------
    path : Path
        Must not exist.
    variables : mapping of str to Stored
        What is `Computed` is computed on the way, each block once.
    attributes : mapping
        Of the file; ``sha256`` is added.
    threads : int, optional
        How many make and pack blocks; by default as many as there are processors. The file does not depend on it.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    str
        The checksum ``sha256`` of the variables, see `digest`.

    Raises
    ------
    OSError
        If the disk is full or fails; the file is then incomplete.
    """
    stop = threading.Event()
    work = _Writing(path, variables, attributes, thread_count(threads), progress, stop)
    with ThreadPoolExecutor(1) as own_thread:
        future = own_thread.submit(work.run)
        try:
            while not future.done():
                wait([future], timeout=0.2)  # Windows does not interrupt a longer wait
            return future.result()
        except BaseException:
            stop.set()  # at Ctrl-C the file is closed in good order before this function is left
            raise


class _Writing:
    """One file that is being written."""

    def __init__(
        self,
        path: Path,
        variables: Mapping[str, Stored],
        attributes: Mapping[str, Any],
        threads: int,
        progress: bool,
        stop: threading.Event,
    ) -> None:
        self.path, self.variables, self.attributes = path, variables, attributes
        self.threads, self.progress, self.stop = threads, progress, stop

    def run(self) -> str:
        """Write it all; raises what went wrong after HDF5 has closed the file."""
        with _SteadyFile(self.path, "x+") as file:
            bounds = ("v110", "v110")  # readable by HDF5 1.10, which other programs still use
            with h5py.File(file, "w", libver=bounds, track_order=True) as h5:
                with h5netcdf.File(h5, "w") as nc:
                    self._declare(h5, nc)
                sha256 = self._fill(h5, file)
                h5.attrs.update(dict(self.attributes) | {"sha256": sha256})
            self._check(file)
            durable.sync_file(file.fileno())
        return sha256

    def _declare(self, h5: h5py.File, nc: Any) -> None:
        for v in self.variables.values():
            nc.dimensions.update({d: n for d, n in zip(v.dims, v.values.shape, strict=True) if d not in nc.dimensions})
        for name, v in self.variables.items():
            nc.create_variable(name, v.dims, **_options(v))
            # h5py keeps numbers and arrays of one number apart, h5netcdf does not.
            h5[name].attrs.update(v.attrs)

    def _fill(self, h5: h5py.File, file: _SteadyFile) -> str:
        digests = dict.fromkeys(self.variables, b"")
        for name, v in self.variables.items():
            steps, variable = indices(v), h5[name]  # looked up once: h5py takes a tenth of a millisecond for it
            threads = min(self.threads, len(steps) or 1)
            with contextlib.closing(in_order(_prepare(v), steps, threads=threads)) as work:
                for start, block, found in self._shown(name, work, len(steps)):
                    if isinstance(block, bytes):
                        variable.id.write_direct_chunk(start, block)
                    else:
                        variable[...] = block
                    digests[name] += found
                    self._check(file)
        return digest(self.variables, digests)

    def _shown(self, name: str, work: Iterator[Any], steps: int) -> Iterable[Any]:
        """The same with a progress bar for each variable that has more than one block, if one was asked for."""
        if not self.progress or steps < 2:
            return work
        from tqdm import tqdm

        return tqdm(work, total=steps, desc=name, unit="block")

    def _check(self, file: _SteadyFile) -> None:
        if self.stop.is_set():
            raise InterruptedError("writing was stopped")
        if file.failure is not None:
            message = f"{self.path.parent}: {file.failure.strerror}; free space there or choose another folder"
            raise OSError(file.failure.errno, message) from None


def _prepare(variable: Stored) -> Any:
    """What turns an index into (start, packed bytes or plain values, digest)."""
    dims, values, lengths = variable.dims, variable.values, _chunks(variable)

    def prepare(index: tuple[slice, ...]) -> tuple[tuple[int, ...], Any, bytes]:
        block = np.asarray(values[index])
        packed = block if lengths is None else pack(block, lengths)
        return tuple(part.start for part in index), packed, block_digest(dims, block)

    return prepare


def _chunks(variable: Stored) -> tuple[int, ...] | None:
    values = variable.values
    if values.dtype.kind == "O" or not variable.dims or 0 in values.shape:
        return None
    return chunks(variable.dims, tuple(values.shape), values.dtype.itemsize)


def _options(variable: Stored) -> dict[str, Any]:
    if variable.values.dtype.kind == "O":
        return {"dtype": h5py.string_dtype()}
    lengths = _chunks(variable)
    return {"dtype": variable.values.dtype} | ({} if lengths is None else {"chunks": lengths} | PIPELINE)


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
