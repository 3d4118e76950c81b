"""Between a dataset in memory and the plain variables that a file holds: encode, decode, digest.

A file knows numbers and text. Booleans become int8 with the attribute ``dtype = "bool"``, as xarray
does it; coordinates that are no dimension are listed in the attribute ``coordinates`` of the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError
from vbsense.storage.blocks import blocks, pieces

__all__ = ["Computed", "Stored", "block_digest", "decode", "digest", "encode", "indices", "read_attributes"]

# xarray and HDF5 give these a meaning of their own.
RESERVED = {"CLASS", "DIMENSION_LIST", "NAME", "REFERENCE_LIST", "_FillValue", "_NCProperties", "_Netcdf4Coordinates"}
RESERVED |= {"_Netcdf4Dimid", "_nc3_strict", "add_offset", "coordinates", "dtype", "missing_value", "scale_factor"}
_OURS = {"coordinates", "dtype"}


@dataclass(frozen=True)
class Stored:
    """A variable as a file holds it; `values` is an array, a variable of an open file, or `Computed`."""

    dims: tuple[str, ...]
    values: Any
    attrs: dict[str, Any]


@dataclass(frozen=True)
class Computed:
    """Values that do not exist yet: `block` makes those of one index of `indices`, in any thread and any order."""

    shape: tuple[int, ...]
    dtype: np.dtype
    block: Callable[[tuple[slice, ...]], np.ndarray]

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        values = np.asarray(self.block(index))
        shape = tuple(part.stop - part.start for part in index)
        if values.shape != shape or values.dtype != self.dtype:
            received = f"{values.dtype} {values.shape}"
            raise ValueError(f"a function of values gave {received}; at {index} it must give {self.dtype} {shape}")
        return values


def encode(dataset: xr.Dataset) -> tuple[dict[str, Stored], dict[str, Any]]:
    """Variables and attributes of `dataset` in the form in which they are stored.

    Raises
    ------
    LayoutError
        Naming the variable or attribute that no file can hold, and what to do.
    """
    variables = {str(name): _encode_variable(str(name), v) for name, v in dataset.variables.items()}
    attributes = _encode_attributes("the dataset", {k: v for k, v in dataset.attrs.items() if k != "sha256"})
    if beside := sorted(str(name) for name in dataset.coords if name not in dataset.dims):
        attributes["coordinates"] = " ".join(beside)
    return variables, attributes


def decode(
    variables: Mapping[str, Stored], attributes: Mapping[str, Any], lazy: Mapping[str, xr.Variable] | None = None
) -> xr.Dataset:
    """The dataset that `encode` took apart; values are read into memory, except for those given as `lazy`."""
    beside, lazy = str(attributes.get("coordinates", "")).split(), lazy or {}
    arrays = {name: lazy[name].copy(deep=False) if name in lazy else _decode(v) for name, v in variables.items()}
    for name, v in variables.items():
        arrays[name].attrs = _without(v.attrs, _OURS)
    dataset = xr.Dataset(arrays, attrs=_without(attributes, _OURS))
    return dataset.set_coords([name for name in beside if name in arrays])


def digest(variables: Mapping[str, Stored], known: Mapping[str, bytes] | None = None) -> str:
    """SHA-256 over names, dimensions, types, shapes and the blocks of all variables, in hexadecimal.

    Parameters
    ----------
    variables : mapping of str to Stored
        Their values are taken block by block, so that a file is verified without holding it.
    known : mapping of str to bytes, optional
        Variables whose values were seen before: `block_digest` of each of `indices`, joined in order.

    Examples
    --------
    >>> one = Stored(("x",), np.arange(3.0), {})
    >>> digest({"a": one}) == digest({"a": one}), digest({"a": one}) == digest({"b": one})
    (True, False)
    """
    total, known = hashlib.sha256(), known or {}
    for name in sorted(variables):
        v = variables[name]
        kind = "text" if v.values.dtype.kind in "OU" else v.values.dtype.newbyteorder("<").str
        total.update(repr((name, v.dims, kind, tuple(v.values.shape))).encode())
        if name in known:
            total.update(known[name])
        else:
            for index in indices(v):
                total.update(block_digest(v.dims, np.asarray(v.values[index])))
    return total.hexdigest()


def indices(variable: Stored) -> list[tuple[slice, ...]]:
    """Indices of the chunks of a variable; text is one."""
    values = variable.values
    if values.dtype.kind in "OU":
        return [(slice(None),) * len(variable.dims)]
    return list(pieces(variable.dims, tuple(values.shape), values.dtype.itemsize))


def block_digest(dims: tuple[str, ...], values: np.ndarray) -> bytes:
    """SHA-256 of every block of one chunk, of its bytes little-endian and in C order, one behind the other."""
    if values.dtype.kind in "OU":
        return hashlib.sha256(_bytes(values)).digest()
    inside = blocks(dims, values.shape, values.dtype.itemsize)
    return b"".join(hashlib.sha256(_bytes(values[index])).digest() for index in inside)


def read_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of an open file or variable: float, int and str as such, arrays as arrays."""
    return {name: _plain(attributes[name]) for name in attributes if name not in RESERVED - _OURS}


def _bytes(values: np.ndarray) -> Any:
    if values.dtype.kind in "OU":
        return b"".join(len(text).to_bytes(8, "little") + text for text in (str(v).encode() for v in values.flat))
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).data


def _without(attributes: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in names}


def _encode_variable(name: str, variable: xr.Variable) -> Stored:
    values, attrs = np.asarray(variable.values), _encode_attributes(f"variable {name!r}", variable.attrs)
    if not name or "/" in name or " " in name or name == ".":
        raise LayoutError(f"variable {name!r} cannot be stored under this name; use letters, digits and '_'")
    if values.dtype.kind == "b":
        values, attrs = values.astype(np.int8), attrs | {"dtype": "bool"}
    elif values.dtype.kind in "OU":
        if not all(isinstance(v, str) for v in values.flat):
            raise LayoutError(f"variable {name!r} holds objects that are not text; store numbers or text")
        _refuse_odd_text(f"variable {name!r}", values)
        values = values.astype(object)
    elif values.dtype.kind not in "fiu" or values.dtype.itemsize > 8 or values.dtype == np.float16:
        raise LayoutError(f"variable {name!r} has dtype {values.dtype}; convert it to float32, float64 or an integer")
    else:
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return Stored(tuple(map(str, variable.dims)), values, attrs)


def _decode(variable: Stored) -> xr.Variable:
    values = np.asarray(variable.values[()])
    if values.dtype.kind == "O":
        values = values.astype(str)
    elif variable.attrs.get("dtype") == "bool":
        values = values.astype(bool)
    return xr.Variable(variable.dims, values)


def _encode_attributes(where: str, attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _encode_attribute(where, str(name), value) for name, value in attributes.items()}


def _encode_attribute(where: str, name: str, value: Any) -> Any:
    what = f"attribute {name!r} of {where}"
    if name in RESERVED:
        raise LayoutError(f"{what} has a name that the file format keeps for itself; rename it")
    array = np.asarray(value)
    if array.dtype.kind == "U":
        _refuse_odd_text(what, np.asarray(value, dtype=object))  # numpy itself drops a NUL at the end
    if isinstance(value, str):
        return value
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    if array.dtype.kind not in "fiuU" or array.ndim > 1 or (array.dtype.itemsize > 8 and array.dtype.kind != "U"):
        raise LayoutError(f"{what} is {_short(value)}; store a number, text, a list of them, or JSON text")
    return array.astype(object) if array.dtype.kind == "U" else array[()]


def _refuse_odd_text(what: str, texts: np.ndarray) -> None:
    for text in map(str, texts.flat):
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise LayoutError(f"{what} holds a NUL character or half a surrogate pair; remove it")


def _short(value: Any) -> str:
    text = repr(value)
    return f"{text[:40]}... ({type(value).__name__})" if len(text) > 40 else f"{text} ({type(value).__name__})"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (np.float64, np.int64)):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
        return np.array([v.decode() if isinstance(v, bytes) else v for v in value.flat], dtype=str)
    return value
