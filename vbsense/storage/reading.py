"""Opens a file that may be damaged or a stranger's: what is wrong with it becomes one line that names it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np

from vbsense.data import LayoutError
from vbsense.storage.seal import seal_fits
from vbsense.storage.stored import Stored, read_attributes
from vbsense.storage.untrusted import check_structure

__all__ = ["opened"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"


@contextlib.contextmanager
def opened(path: Path, *, sealed: bool = True) -> Iterator[tuple[dict[str, Stored], dict[str, Any]]]:
    """Variables (not yet read) and attributes of a file that is fit to be read; every error is one line."""
    _check_beginning(path)
    try:
        if sealed and not seal_fits(path):
            raise LayoutError("it is damaged (its seal does not fit); restore a copy, or convert its spool again")
        with h5py.File(path, "r", locking="best-effort") as h5:
            _check_schema(h5)
            check_structure(h5)
            yield _variables(h5), read_attributes(h5.attrs)
    except LayoutError as error:
        raise LayoutError(f"{path}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # HDF5 answers damage with OSError, KeyError, RuntimeError, ValueError and others
        line = str(error).partition("\n")[0]
        raise LayoutError(f"{path} is damaged ({line}); restore a copy, or convert its spool again") from None


def _check_beginning(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; check the name and the folder")
    if not path.is_file():
        raise LayoutError(f"{path} is not a regular file; give the name of an HDF5 file")
    with open(path, "rb") as file:
        beginning = file.read(len(SIGNATURE))
    if not beginning:
        raise LayoutError(f"{path} is empty; restore a copy, or convert its spool again")
    if beginning != SIGNATURE:
        raise LayoutError(f"{path} is not an HDF5 file (it begins with {beginning!r}); give a file written by vbsense")


def _check_schema(h5: h5py.File) -> None:
    schema = h5.attrs.get("schema")
    if not isinstance(schema, str) or not schema.startswith("vbsense."):
        raise LayoutError(f"its schema is {schema!r}: HDF5, but not a file of vbsense; build a dataset with make_sweep")


def _variables(h5: h5py.File) -> dict[str, Stored]:
    with h5netcdf.File(h5, "r") as file:
        dims = {name: variable.dimensions for name, variable in file.variables.items()}
    return {name: Stored(dims[name], _values(h5[name]), read_attributes(h5[name].attrs)) for name in dims}


def _values(variable: h5py.Dataset) -> Any:
    """The variable itself, read later; text is short and read at once."""
    if h5py.check_string_dtype(variable.dtype) is None:
        return variable
    return np.asarray(variable.asstr()[()], dtype=object)
