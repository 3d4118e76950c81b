"""What a stranger's HDF5 file may contain before one byte of its data is read.

HDF5 can point anywhere: to other files (external links, external storage, virtual datasets), to
code (filter plug-ins), to more memory than there is. Files of this package need none of that: plain
named variables in one group, numbers and text, three filters. Everything else is refused.
"""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np

from vbsense.data import LayoutError

__all__ = ["check_structure"]

FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
NOT_A_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"  # so say netCDF and h5netcdf
# What dimension scales are made of; HDF5 itself keeps object references there, inside the file.
_SCALES = {"DIMENSION_LIST", "REFERENCE_LIST"}

MAX_OBJECTS = 1000  # variables, or attributes of one of them
MAX_ATTRIBUTE = 1 << 24  # bytes
MAX_CHUNK = 1 << 30  # bytes
MAX_BYTES = 1 << 40  # bytes of one variable
# Deflate packs at most 1032 to 1: a variable that claims more than it can have stored is a bomb.
MAX_RATIO, SMALL = 1100, 1 << 20


def check_structure(h5: h5py.File) -> None:
    """Look at links, types, filters and sizes of an open file, without following or reading any.

    Parameters
    ----------
    h5 : h5py.File
        Open for reading.

    Raises
    ------
    LayoutError
        Naming the object and why it is refused.

    Examples
    --------
    >>> with h5py.File("x", "w", driver="core", backing_store=False) as h5:
    ...     h5["elsewhere"] = h5py.ExternalLink("/etc/other.h5", "/data")
    ...     try:
    ...         check_structure(h5)
    ...     except LayoutError as error:
    ...         print(error)
    'elsewhere' is an external link to another file; only plain variables are accepted
    """
    _check_count(len(h5), "objects")
    _check_attributes("the file", h5.attrs)
    for name in h5:
        _check_link(name, h5)
        variable = h5[name]
        if not isinstance(variable, h5py.Dataset):
            raise LayoutError(f"{name!r} is a {type(variable).__name__.lower()}; only plain variables are accepted")
        _check_attributes(repr(name), variable.attrs)
        _check_type(repr(name), variable.dtype)
        _check_storage(name, variable)


def _check_count(number: int, what: str) -> None:
    if number > MAX_OBJECTS:
        raise LayoutError(f"it holds {number} {what}; at most {MAX_OBJECTS} are accepted")


def _check_link(name: str, h5: h5py.File) -> None:
    link = h5.get(name, getlink=True)  # raises for user-defined links
    if isinstance(link, h5py.ExternalLink):
        raise LayoutError(f"{name!r} is an external link to another file; only plain variables are accepted")
    if not isinstance(link, h5py.HardLink):
        raise LayoutError(f"{name!r} is a soft link; only plain variables are accepted")


def _check_type(what: str, dtype: np.dtype) -> None:
    if h5py.check_ref_dtype(dtype) is not None:
        raise LayoutError(f"{what} holds object references; only numbers and text are accepted")
    text = h5py.check_string_dtype(dtype) is not None
    plain = dtype.kind in "fiu" and dtype.itemsize <= 8 and h5py.check_enum_dtype(dtype) is None
    if not (text or plain):
        raise LayoutError(f"{what} has the type {dtype}; only numbers of at most 8 bytes and text are accepted")


def _check_storage(name: str, variable: h5py.Dataset) -> None:
    plan = variable.id.get_create_plist()
    if plan.get_external_count():
        raise LayoutError(f"{name!r} keeps its data in an external file; data must lie in the file itself")
    if plan.get_layout() == h5py.h5d.VIRTUAL:
        raise LayoutError(f"{name!r} is a virtual dataset of other files; data must lie in the file itself")
    filters = [plan.get_filter(k)[0] for k in range(plan.get_nfilters())]
    if unknown := sorted(set(filters) - FILTERS):
        raise LayoutError(f"{name!r} needs the filter {unknown[0]}; accepted are gzip, shuffle and fletcher32")
    _check_size(name, variable)


def _check_size(name: str, variable: h5py.Dataset) -> None:
    if variable.shape is None:
        raise LayoutError(f"{name!r} has no shape; only plain variables are accepted")
    if bytes(variable.attrs.get("NAME", b"")).startswith(NOT_A_VARIABLE):
        return  # it only has a length, and readers of netCDF files never read it
    size, stored = math.prod(variable.shape) * variable.dtype.itemsize, variable.id.get_storage_size()
    if size > MAX_BYTES or size > SMALL + MAX_RATIO * stored:
        raise LayoutError(f"{name!r} claims {size:.3g} bytes and stores {stored}; such sizes are not read")
    if variable.chunks and math.prod(variable.chunks) * variable.dtype.itemsize > MAX_CHUNK:
        raise LayoutError(f"{name!r} has chunks {variable.chunks} of more than {MAX_CHUNK} bytes; they are not read")


def _check_attributes(what: str, attributes: Any) -> None:
    _check_count(len(attributes), f"attributes in {what}")
    for name in attributes:
        attribute = attributes.get_id(name)
        if name in _SCALES:
            continue
        _check_type(f"attribute {name!r} of {what}", attribute.dtype)
        if math.prod(attribute.shape) * attribute.dtype.itemsize > MAX_ATTRIBUTE:
            raise LayoutError(f"attribute {name!r} of {what} is larger than {MAX_ATTRIBUTE} bytes; it is not read")
