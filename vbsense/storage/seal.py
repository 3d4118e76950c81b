"""A checksum of a whole file behind its end, where HDF5 neither looks nor minds.

HDF5 knows where its data end and ignores what follows; a program that edits the file cuts it there,
so that an edited file has no seal rather than a wrong one.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from vbsense.storage import durable

__all__ = ["add_seal", "seal_fits"]

SEAL = b"\nvbsense file sha256 "  # followed by 64 digits and a line end
SEAL_BYTES = len(SEAL) + 65


def add_seal(path: Path) -> None:
    """Append the SHA-256 of everything in `path`, and sync the file."""
    with open(path, "r+b") as file:
        seal = _seal(hashlib.file_digest(file, "sha256").hexdigest())
        file.seek(0, os.SEEK_END)
        file.write(seal)
        file.flush()
        durable.sync_file(file.fileno())


def seal_fits(path: Path) -> bool:
    """Whether the seal fits what lies before it; True as well if there is none."""
    with open(path, "rb") as file:
        left = max(file.seek(0, os.SEEK_END) - SEAL_BYTES, 0)
        file.seek(left)
        seal = file.read()
        if not seal.startswith(SEAL):
            return True
        file.seek(0)
        total = hashlib.sha256()
        while left and (block := file.read(min(left, 1 << 20))):
            total.update(block)
            left -= len(block)
        return seal == _seal(total.hexdigest())


def _seal(digits: str) -> bytes:
    return SEAL + digits.encode() + b"\n"
