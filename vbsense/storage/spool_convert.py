"""From the frames of a spool to one sweep in one HDF5 file.

The file is written, read back and verified under another name, so that whatever happens there is
either the spool or a verified file. HDF5 is imported only when there is something to convert.
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

from vbsense.storage.spool_average import to_sweep
from vbsense.storage.spool_record import Contents, scan, spool_path

__all__ = ["finalise", "recover"]


def finalise(run: str | Path, out: str | Path, *, overwrite: bool = False, remove: bool = False) -> Path:
    """Turn the spool of a run that was closed into one HDF5 file.

    Parameters
    ----------
    run : str or Path
        Folder of the run.
    out : str or Path
        The file to write; it appears under this name only when it was verified.
    overwrite : bool, default False
        Replace an existing file.
    remove : bool, default False
        Remove the spool afterwards.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    FileNotFoundError
        If `run` holds no spool.
    FileExistsError
        If `out` exists and `overwrite` is False.
    ValueError
        If the run was not closed or records are damaged; `recover` takes what is there.
    """
    _refuse_existing(out, overwrite)
    contents = scan(run)
    if contents.damage:
        raise ValueError(f"{spool_path(run)}: {'; '.join(contents.damage[:3])}; use recover to keep the rest")
    if contents.ending is None:
        raise ValueError(f"{spool_path(run)} has no end: it is being written or was cut off; close it, or use recover")
    path = _save(contents, run, out, overwrite)
    if remove:
        spool_path(run).unlink()
        with contextlib.suppress(OSError):  # other files of the run stay
            Path(run).rmdir()
    return path


def recover(run: str | Path, out: str | Path, *, overwrite: bool = False) -> Path:
    """Turn what there is of a run into one HDF5 file; the spool stays.

    Parameters
    ----------
    run : str or Path
        Folder of a run that was cut off, or whose spool is damaged.
    out, overwrite
        As in `finalise`.

    Returns
    -------
    Path
        `out`; its attribute ``complete`` is 0 unless nothing was missing.

    Warns
    -----
    RuntimeWarning
        For each damaged stretch, naming the records.

    Raises
    ------
    FileNotFoundError, FileExistsError
        As `finalise`.
    ValueError
        If the header of the spool is gone, or there is no frame.
    """
    _refuse_existing(out, overwrite)
    contents = scan(run)
    for line in contents.damage:
        warnings.warn(f"{spool_path(run)}: {line}; the rest is kept", RuntimeWarning, stacklevel=2)
    return _save(contents, run, out, overwrite)


def _refuse_existing(out: str | Path, overwrite: bool) -> None:
    from vbsense.files import refuse_existing

    refuse_existing(Path(out), overwrite=overwrite)


def _save(contents: Contents, run: str | Path, out: str | Path, overwrite: bool) -> Path:
    from vbsense.files import save

    try:
        sweep = to_sweep(contents)
    except ValueError as error:
        raise ValueError(f"{spool_path(run)}: {error}") from None
    return save(sweep, out, overwrite=overwrite)
