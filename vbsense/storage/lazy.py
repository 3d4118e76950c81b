"""A dataset whose images stay in its file."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from vbsense.data import check
from vbsense.storage.reading import opened
from vbsense.storage.stored import Stored, decode

__all__ = ["open_lazy"]

LAZY = 1 << 20  # bytes above which a variable stays in its file


def open_lazy(path: str | Path, *, sealed: bool = True) -> xr.Dataset:
    """Open a dataset whose large variables stay in the file until their values are asked for.

    ``dataset.signal.isel(y=slice(0, 64))`` reads the chunks that it needs. The file stays open until
    ``dataset.close()``, the end of a ``with`` block, or until nothing refers to the dataset. On Linux it can be
    removed or replaced meanwhile: what is open goes on reading the old one.

    Parameters
    ----------
    path : str or Path
        A file that `save` wrote.
    sealed : bool, default True
        Compare the seal of the file first, which reads it once but keeps nothing; False trusts it. The checksum of
        the data, which a file keeps when another program edits it, is compared by ``summary(path, verify=True)``.

    Returns
    -------
    xarray.Dataset
        The same as `load` gives.

    Raises
    ------
    FileNotFoundError, LayoutError
        As `load`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from vbsense.data import make_sweep
    >>> from vbsense.files import save
    >>> sweep = make_sweep(np.ones((3, 400, 500)), [3.0e9, 3.4e9, 3.8e9], pixel_size=1e-7)
    >>> with tempfile.TemporaryDirectory() as folder, open_lazy(save(sweep, folder + "/sweep.h5")) as opened:
    ...     float(opened.signal[:, 30, 40].mean())
    1.0
    """
    path = Path(path)
    with opened(path, sealed=sealed) as (variables, attributes):
        attributes.pop("sha256", None)
        file = xr.open_dataset(path, engine="h5netcdf", decode_cf=False)
        try:
            lazy = {name: file.variables[name] for name, v in variables.items() if _stays_in_file(name, v)}
            dataset = check(decode(variables, attributes, lazy))
        except BaseException:
            file.close()
            raise
    dataset.set_close(file.close)
    return dataset


def _stays_in_file(name: str, variable: Stored) -> bool:
    values = variable.values
    plain = values.dtype.kind in "fiu" and "dtype" not in variable.attrs
    return plain and variable.dims != (name,) and values.size * values.dtype.itemsize > LAZY
