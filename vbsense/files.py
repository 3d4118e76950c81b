"""One HDF5 file for each dataset, which is either whole and verified or not there.

A file can be opened by ``xarray.open_dataset(path, engine="h5netcdf")`` and by plain h5py. All
frequencies of a pixel lie together, so that a fit of a few pixels reads a few chunks. The attribute
``sha256`` covers the variables, block by block, so that neither writing nor checking a file needs all
of it in memory. A seal behind the end of the HDF5 data covers the whole file, so that
damage is seen before HDF5 parses it; other programs ignore it, and drop it when they edit the file.
"""

from __future__ import annotations

import contextlib
import datetime
import glob
import os
import secrets
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import vbsense
from vbsense.data import LayoutError, check
from vbsense.storage import durable
from vbsense.storage.container import write
from vbsense.storage.lazy import open_lazy
from vbsense.storage.reading import opened
from vbsense.storage.seal import add_seal, seal_fits
from vbsense.storage.stored import Computed, Stored, decode, digest, encode

__all__ = ["load", "open_lazy", "refuse_existing", "save", "save_computed", "summary"]


def save(dataset: xr.Dataset, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a dataset to an HDF5 file, read it back and only then give it its name.

    Parameters
    ----------
    dataset : xarray.Dataset
        A sweep, fit or map. ``software`` and ``created`` are added where absent.
    path : str or Path
        Usually ending in ``.h5``; its folder must exist.
    overwrite : bool, default False
        Replace an existing file.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    LayoutError
        If the dataset does not have its layout or holds what the file cannot.
    FileExistsError
        If there is a file and `overwrite` is False.
    OSError
        If the disk is full or fails; an existing file is then untouched.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from vbsense.data import make_sweep
    >>> sweep = make_sweep(np.ones((11, 4, 5)), np.linspace(3.2e9, 3.7e9, 11), pixel_size=1e-7, exposure=0.1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(sweep, folder + "/sweep.h5")).equals(sweep)
    True
    """
    return save_computed(dataset, path, {}, overwrite=overwrite)


def save_computed(
    dataset: xr.Dataset,
    path: str | Path,
    values: Mapping[str, Callable[[tuple[slice, ...]], np.ndarray]],
    *,
    overwrite: bool = False,
    threads: int | None = None,
    progress: bool = False,
) -> Path:
    """Do as `save`, with variables whose values are made while they are written: no more than a few blocks exist.

    Parameters
    ----------
    dataset : xarray.Dataset
        As it is to be, except for the values of the variables in `values`; ``np.broadcast_to(np.float32(0), shape)``
        takes no memory.
    path, overwrite
        As in `save`.
    values : mapping of str to callable
        For each such variable a function of an index (one slice for each dimension, see
        `vbsense.storage.blocks.pieces`) that returns the values there, in the dtype of the variable. It is called
        once for each block, in any order, from several threads.
    threads : int, optional
        By default as many as there are processors; the file does not depend on it.
    progress : bool, default False
        Show a progress bar.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    LayoutError, FileExistsError, OSError
        As `save`.
    ValueError
        If `values` has a name that the dataset has not, or a function gives another shape or dtype. What a function
        raises is passed on. Nothing is left then, nor after Ctrl-C.

    Examples
    --------
    >>> import tempfile
    >>> from vbsense.data import make_sweep
    >>> empty = np.broadcast_to(np.float32(0), (3, 40, 50))
    >>> sweep = make_sweep(empty, [3.0e9, 3.4e9, 3.8e9], pixel_size=1e-7)
    >>> rows = lambda index: np.broadcast_to(np.float32(index[1].start), [part.stop - part.start for part in index])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save_computed(sweep, folder + "/sweep.h5", {"signal": rows})).signal[0, ::20, 0].values.tolist()
    [0.0, 0.0]
    """
    path = Path(path)
    refuse_existing(path, overwrite=overwrite)
    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"{type(dataset).__name__} is no dataset; build one with make_sweep, or make_map")
    variables, attributes = encode(check(dataset))
    if unknown := sorted(set(values) - set(variables)):
        raise ValueError(f"values are given for {unknown[0]!r}; the dataset has {', '.join(variables)}")
    for name, block in values.items():
        v = variables[name]
        variables[name] = replace(v, values=Computed(v.values.shape, v.values.dtype, block))
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    attributes = {"software": f"vbsense {vbsense.__version__}", "created": now} | attributes
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        sha256 = write(temporary, variables, attributes, threads=threads, progress=progress)
        add_seal(temporary)
        _verify(temporary, path, sha256)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    durable.sync_folder(path.parent)
    return path


def load(path: str | Path) -> xr.Dataset:
    """Read a dataset into memory, after checking the file, its checksum and its layout.

    Parameters
    ----------
    path : str or Path
        A file that `save` wrote. Nothing outside this file is opened, whatever it says.

    Returns
    -------
    xarray.Dataset
        A sweep, fit or map.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    LayoutError
        If it is not HDF5, not of this package, damaged, or holds what is not accepted.

    Examples
    --------
    >>> load("no-such-file.h5")
    Traceback (most recent call last):
        ...
    FileNotFoundError: no-such-file.h5 does not exist; check the name and the folder
    """
    path = Path(path)
    with opened(path) as (variables, attributes):
        # An index would take one text out of its array.
        read = {n: Stored(v.dims, np.asarray(v.values[()]), v.attrs) for n, v in variables.items()}
        expected = attributes.pop("sha256", None)
        if expected is None:
            warnings.warn(f"{path} has no checksum, so damage cannot be seen; save it anew", UserWarning, stacklevel=2)
        elif digest(read) != expected:
            raise LayoutError("its data do not fit its checksum; restore a copy, or save what another program edited")
        return check(decode(read, attributes))


def summary(path: str | Path, *, verify: bool = False) -> dict[str, Any]:
    """Say what a file holds without reading its images.

    Parameters
    ----------
    path : str or Path
        A file that `save` wrote.
    verify : bool, default False
        Read everything and compare with the checksums.

    Returns
    -------
    dict
        ``path``, ``bytes``, ``schema``, ``sizes``, ``variables`` (dims, dtype and units of each),
        ``units``, ``attributes``, ``sha256`` and ``sha256_ok`` (None unless `verify`).

    Raises
    ------
    FileNotFoundError, LayoutError
        As `load`; but a checksum that does not fit is reported, not raised.
    """
    path = Path(path)
    with opened(path, sealed=False) as (stored, attributes):
        sha256 = attributes.pop("sha256", None)
        kinds = {n: {"dims": v.dims, "dtype": str(v.values.dtype)} for n, v in stored.items()}
        return {
            "path": str(path),
            "bytes": path.stat().st_size,
            "schema": attributes["schema"],
            "sizes": {dim: n for v in stored.values() for dim, n in zip(v.dims, v.values.shape, strict=True)},
            "variables": {n: kind | {"units": stored[n].attrs.get("units")} for n, kind in kinds.items()},
            "units": {n: v.attrs["units"] for n, v in stored.items() if "units" in v.attrs},
            "attributes": attributes,
            "sha256": sha256,
            "sha256_ok": _is_sound(path, stored, sha256) if verify else None,
        }


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise if `path` cannot become a new file, before any work is done for it."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; give another name, or overwrite=True to replace it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"folder {path.parent} does not exist; create it first")


def _remove_leftovers(path: Path) -> None:
    """Remove what a killed `save` of the same file left; one that is at work is younger than an hour."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > 3600:
                leftover.unlink()


def _verify(temporary: Path, path: Path, expected: str) -> None:
    try:
        with opened(temporary) as (variables, _):
            sound = digest(variables) == expected
    except LayoutError as error:
        raise OSError(f"{path} cannot be read back ({error}); nothing was kept, use another disk") from error
    if not sound:
        raise OSError(f"{path}: what was read back differs from what was written; nothing was kept, use another disk")


def _is_sound(path: Path, variables: Mapping[str, Stored], expected: str | None) -> bool:
    try:
        return seal_fits(path) and digest(variables) == expected
    except OSError:  # HDF5 found a damaged chunk
        return False
