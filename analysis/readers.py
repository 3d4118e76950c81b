"""Spectra that other programs wrote: columns of text, npz archives and HDF5 files become a sweep.

Nothing in such a file is trusted: no pickle is opened, no link followed, and a unit is either written there or asked
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._columns import Columns, read_arrays, read_hdf5, read_text
from vbsense.data import LayoutError, make_site_sweep, make_sweep
from vbsense.lineshapes.model import unknown

__all__ = ["read_spectrum"]

READERS = {".npz": read_arrays, ".h5": read_hdf5, ".hdf5": read_hdf5, ".hdf": read_hdf5, ".nc": read_hdf5}
UNITS = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}
_ERRORS = ("error", "err", "sigma", "std", "uncertainty")


def read_spectrum(
    path: str | Path,
    *,
    frequency: str | int | None = None,
    signal: str | int | Sequence[str | int] | None = None,
    error: str | int | Sequence[str | int] | None = None,
    frequency_unit: str | None = None,
    electrons: float = 1.0,
    pixel_size: float | None = None,
    **attributes: Any,
) -> xr.Dataset:
    """Read a measured spectrum, several of them, or a stack of images, from the file of another program.

    Parameters
    ----------
    path : str or Path
        Text with columns (tabs, commas, semicolons or blanks; lines that begin with #, %, ; or // are comments, and
        the last line before the numbers may name the columns), ``.npz``, or HDF5 (``.h5``, ``.hdf5``, ``.nc``).
    frequency, signal, error : str or int, optional
        Columns of a text by name or by number from 0; variables of the other files by name ("group/variable"). In a
        text the first column is the frequency, the second the signal, and one that is called "Error", "err", "std",
        "sigma" or "uncertainty" the error. Several columns are several sites. Arrays are (frequency,),
        (frequency, site) or (frequency, y, x); `error` is one sigma.
    frequency_unit : str, optional
        "Hz", "kHz", "MHz" or "GHz"; needed unless the name says it, as "f (GHz)" or "f [GHz]", or the variable of an
        HDF5 file has the attribute ``units``.
    electrons : float
        Electrons that one unit of the signal and its error stand for. Leave it at 1 for a signal that was normalised,
        and give its error: then the noise is known all the same.
    pixel_size : float, optional
        On the sample (m); needed for images.
    **attributes
        Of the sweep, see `vbsense.data`: ``frames=1`` if the signal counts electrons.

    Returns
    -------
    xarray.Dataset
        A sweep with ascending frequencies, of sites (all at the origin) or images. The header of a text is in
        ``attrs["user_header"]``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    LayoutError, ValueError
        If something is missing, unknown or does not fit; the message names it, and what there is.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "odmr.csv"
    ...     written = file.write_text("f (GHz), counts\\n2.87, 1000\\n2.86, 990\\n2.88, 995\\n")
    ...     sweep = read_spectrum(file, frames=1)
    >>> sweep.frequency.values.tolist(), sweep.signal.values[:, 0].tolist()
    ([2860000000.0, 2870000000.0, 2880000000.0], [990.0, 1000.0, 995.0])
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist or is no file; check the name and the folder")
    if not (isinstance(electrons, Real) and np.isfinite(float(electrons)) and electrons > 0):
        raise ValueError(f"electrons is {electrons!r}; it must be positive: electrons per unit of the signal")
    try:
        found = READERS.get(path.suffix.lower(), read_text)(path)
        axis = _axis(found, frequency, frequency_unit)
        light = _values(found, _signals(found, signal, frequency), "signal", axis) * electrons
        names = error if error is not None else _errors(found, light)
        sigma = None if names is None else _values(found, names, "error", axis) * electrons
    except LayoutError as problem:
        raise LayoutError(f"{path}: {problem}") from None
    order = np.argsort(axis, kind="stable")
    if found.header:
        attributes = {"user_header": found.header} | attributes
    return _sweep(axis[order], light[order], None if sigma is None else sigma[order], pixel_size, attributes)


def _axis(found: Columns, name: str | int | None, unit: str | None) -> np.ndarray:
    """Frequencies (Hz) in the order of the file."""
    name = _known(found, 0 if name is None and found.ordered else name, "frequency")
    unit = unit or found.units.get(name)
    if unit is None:
        raise LayoutError(f"the unit of the frequency {name!r} is not known; give frequency_unit, for example 'GHz'")
    if unit not in UNITS:
        raise LayoutError(f"frequency_unit is {unit!r}; it is {', '.join(UNITS)}")
    values = np.asarray(found.values[name])
    if values.ndim != 1 or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise LayoutError(f"the frequency {name!r} has shape {values.shape}; it must be one row of finite numbers")
    axis = values.astype(float) * UNITS[unit]
    numbers, count = np.unique(axis, return_counts=True)
    if (count > 1).any():
        raise LayoutError(f"frequency {numbers[count > 1][0]:.9g} Hz occurs more than once; average such points first")
    return axis


def _signals(found: Columns, name: Any, frequency: Any) -> Any:
    if name is not None:
        return name
    if not found.ordered or frequency not in (None, 0) or len(found.values) < 2:
        raise LayoutError(f"which is the signal? Give signal, one of {', '.join(found.values)}")
    return 1


def _errors(found: Columns, light: np.ndarray) -> str | None:
    """The column that is called an error, if the signal is one column."""
    named = [name for name in found.values if name.lower().strip("_ ").partition("(")[0].strip() in _ERRORS]
    return named[0] if found.ordered and light.ndim == 1 and len(named) == 1 else None


def _values(found: Columns, names: Any, what: str, axis: np.ndarray) -> np.ndarray:
    """Values (frequency, ...) of one variable, or of several columns side by side."""
    several = isinstance(names, (list, tuple))
    chosen = [_known(found, name, what) for name in (names if several else [names])]
    if not chosen:
        raise LayoutError(f"{what} is an empty list; give one of {', '.join(found.values)}")
    columns = [np.asarray(found.values[name]) for name in chosen]
    for name, values in zip(chosen, columns, strict=True):
        if values.dtype.kind not in "fiu":
            raise LayoutError(f"{what} {name!r} has dtype {values.dtype}; it must hold real numbers")
        if values.shape[:1] != axis.shape or values.ndim > (1 if several else 3):
            raise LayoutError(f"{what} {name!r} has shape {values.shape}; the frequency has {axis.size} points")
    return np.stack(columns, -1).astype(float) if several else columns[0].astype(float)


def _known(found: Columns, name: Any, what: str) -> str:
    names = tuple(found.values)
    if isinstance(name, (int, np.integer)) and not isinstance(name, bool) and found.ordered:
        if not -len(names) <= name < len(names):
            raise LayoutError(f"{what} is column {name}; there are {len(names)}, from 0: {', '.join(names)}")
        return names[name]
    if name is None:
        raise LayoutError(f"which is the {what}? Give {what}, one of {', '.join(names)}")
    if name not in names:
        raise LayoutError(unknown(what, name, names))
    return str(name)


def _sweep(axis: Any, light: np.ndarray, sigma: Any, pixel_size: Any, attributes: dict[str, Any]) -> xr.Dataset:
    if sigma is not None and sigma.shape != light.shape:
        raise LayoutError(f"error has shape {sigma.shape}; signal has {light.shape}")
    if light.ndim == 3:
        if pixel_size is None:
            raise LayoutError(f"the signal is images {light.shape[1:]}; give pixel_size, on the sample, in metres")
        sweep = make_sweep(light, axis, pixel_size=pixel_size, **attributes)
        if sigma is not None:
            sweep["signal_err"] = (sweep["signal"].dims, sigma, {"units": "electron"})
        return sweep
    light = light.reshape(axis.size, -1)
    sigma = None if sigma is None else sigma.reshape(axis.size, -1)
    number = np.arange(light.shape[1])
    if pixel_size is not None:
        attributes = attributes | {"pixel_size": pixel_size}
    return make_site_sweep(
        light, axis, x=number * 0.0, y=number * 0.0, row=number * 0, column=number, error=sigma, **attributes
    )
