"""Bytes that survive a crash. The only place that asks what the operating system can do.

Linux is what is tested. Windows has no ``fdatasync``, no ``writev`` and cannot sync a folder: there
the file itself is synced with ``fsync``, buffers are written one by one and the folder is skipped.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

__all__ = ["APPEND", "sync_file", "sync_folder", "write_all"]

# Flags that create a new file for appending. Windows would translate line ends without O_BINARY.
APPEND = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def sync_file(descriptor: int) -> None:
    """Return when the bytes of an open file are on the disk (``fdatasync``, else ``fsync``)."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_folder(folder: str | Path) -> None:
    """Return when the names in `folder` are on the disk; does nothing where folders cannot be opened.

    A file that was synced but whose name was not is gone after a power failure.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems refuse to sync a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, *buffers: Any) -> None:
    """Write buffers one after the other, without copying them, and finish short writes.

    Parameters
    ----------
    descriptor : int
        Open for writing.
    *buffers : bytes-like
        C-contiguous; an array of any shape will do.

    Raises
    ------
    OSError
        As the operating system says, for example that the disk is full. Part of the bytes may be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     write_all(file.fileno(), b"magnetic ", b"field")
    ...     file.seek(0), file.read()
    (0, b'magnetic field')
    """
    left = [memoryview(buffer).cast("B") for buffer in buffers]
    while left:
        written = _write_some(descriptor, left)
        if written == 0 and len(left[0]):
            raise OSError(errno.EIO, "the operating system wrote nothing and gave no reason")
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left:
            left[0] = left[0][written:]


def _write_some(descriptor: int, buffers: list[memoryview]) -> int:
    if hasattr(os, "writev"):
        return os.writev(descriptor, buffers)
    return os.write(descriptor, buffers[0])
