"""The records of a spool: what one looks like on disk, and how a file of them is read.

A record is a head of 68 bytes, a payload and a checksum. The head has a checksum of its own, so that
a damaged frame can still be named and stepped over. Numbers are little-endian.

======  =========================================================================
bytes   head
======  =========================================================================
8       magic
8, 1    sequence number from 0; kind (1 header, 2 frame, 3 commit, 4 end)
1, 1    polarity; direction
1, 4    drive; sweep
4       frequency index
8, 8    time (float64, s); counter
4       flags
4, 4    rows and columns of a frame, else 0
8       length of the payload: a frame of uint16, else JSON
4       CRC-32 of the 64 bytes above
======  =========================================================================

After the payload follow 4 bytes, the CRC-32 of head and payload. The header is written twice, since
without it no frame has a meaning.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

__all__ = ["KINDS", "Contents", "Key", "Record", "encode", "scan", "spool_path"]

MAGIC = b"\x93VBSPL1\n"
HEAD = struct.Struct("<8sQBbBBiIdqIIIQ")
HEAD_BYTES = HEAD.size + 4
KINDS = ("header", "frame", "commit", "end")  # numbered from 1 on disk
BLOCK = 1 << 20


class Key(NamedTuple):
    """Which point a frame belongs to."""

    sweep: int
    polarity: int  # sign of the current: +1 or -1, 0 if there is none
    direction: int  # 0 up, 1 down
    frequency: int  # index into the ascending frequencies, whatever the direction
    drive: int = 1  # 1 microwave on, 0 reference


@dataclass(frozen=True, slots=True)
class Record:
    """One record; its payload stays on disk until it is asked for."""

    sequence: int
    kind: str
    key: Key
    time: float
    counter: int
    flags: int
    shape: tuple[int, int]
    length: int
    path: Path
    offset: int

    @property
    def frame(self) -> np.ndarray:
        """Counts, ``(y, x)`` uint16, read-only; ``(0, 0)`` if this is no frame."""
        if self.kind != "frame":
            return np.zeros((0, 0), np.uint16)
        return np.frombuffer(self._payload(), dtype="<u2").reshape(self.shape)

    @property
    def content(self) -> dict[str, Any]:
        """What a header, commit or end record says; empty for a frame."""
        return {} if self.kind == "frame" else json.loads(self._payload())

    @property
    def end(self) -> int:
        """Offset of the byte behind this record."""
        return self.offset + HEAD_BYTES + self.length + 4

    def _payload(self) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(self.offset + HEAD_BYTES)
            return file.read(self.length)

    def __str__(self) -> str:
        k = self.key
        where = f", polarity {k.polarity:+d}, direction {k.direction}, frequency {k.frequency}, drive {k.drive}"
        return f"record {self.sequence} ({self.kind}, sweep {k.sweep}{where if self.kind == 'frame' else ''})"


@dataclass(frozen=True)
class Contents:
    """What a spool holds: sound records in order, and one line for each stretch that is damaged."""

    header: dict[str, Any]
    records: list[Record]
    damage: list[str]
    torn: int  # bytes of a record that was being written

    @property
    def ending(self) -> Record | None:
        """The end record, if the run was closed."""
        return self.records[-1] if self.records and self.records[-1].kind == "end" else None


def spool_path(run: str | Path) -> Path:
    """The file in the folder `run`."""
    return Path(run) / "frames.spool"


def encode(
    sequence: int, kind: str, key: Key, payload: Any, *, time: float, counter: int = 0, flags: int = 0
) -> tuple[bytes, Any, bytes]:
    """Head, payload and checksum of a record; the payload is not copied.

    Parameters
    ----------
    payload : ndarray of uint16, (y, x), or bytes
        C-contiguous and little-endian.
    """
    shape = payload.shape if isinstance(payload, np.ndarray) else (0, 0)
    length = payload.nbytes if isinstance(payload, np.ndarray) else len(payload)
    key_fields = (key.polarity, key.direction, key.drive, key.sweep, key.frequency)
    number = KINDS.index(kind) + 1
    head = HEAD.pack(MAGIC, sequence, number, *key_fields, time, counter, flags, *shape, length)
    head += zlib.crc32(head).to_bytes(4, "little")
    return head, payload, zlib.crc32(payload, zlib.crc32(head)).to_bytes(4, "little")


def scan(run: str | Path) -> Contents:
    """Read all records of a spool, which may be growing, cut off or damaged.

    Raises
    ------
    FileNotFoundError
        If `run` holds no spool.
    ValueError
        If both copies of the header are gone.
    """
    path = spool_path(run)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; give the folder of a run")
    with open(path, "rb") as file:
        contents = _sort(file, path, os.fstat(file.fileno()).st_size)
    if not contents.header:
        raise ValueError(f"{path} has no readable header, so its frames have no meaning; restore the file from a copy")
    return contents


def _sort(file: BinaryIO, path: Path, size: int) -> Contents:
    """Sound records here, a line for each damaged stretch there."""
    header: dict[str, Any] = {}
    records: list[Record] = []
    damage: list[str] = []
    expected = 0
    for start, stop, record, sound in _walk(file, path, size):
        if not sound and stop == size and _is_torn(file, start, stop, record):
            return Contents(header, records, damage, size - start)
        if record is None:  # the next record tells by its number what is missing
            if stop == size:
                damage.append(f"the last {size - start} bytes (record {expected} and later) are damaged")
            continue
        damage += _gap(expected, record)
        if not sound:
            damage.append(f"{record} is damaged")
        elif record.kind == "header":
            header = header or record.content
        elif record.sequence >= expected:
            records.append(record)
        expected = max(expected, record.sequence + 1)
    return Contents(header, records, damage, 0)


def _gap(expected: int, found: Record) -> list[str]:
    """What is missing or too much between the record that had to come and the one that came."""
    if found.sequence == expected:
        return []
    if found.sequence < expected:
        return [f"{found} appears a second time or out of order"]
    last = found.sequence - 1
    return [f"record {expected} is damaged" if last == expected else f"records {expected} to {last} are damaged"]


def _is_torn(file: BinaryIO, start: int, stop: int, record: Record | None) -> bool:
    """Whether the last bytes are the beginning of a sound record: no damage, but a cut."""
    if record is not None:
        return record.end > stop
    file.seek(start)
    return stop - start < HEAD_BYTES and MAGIC.startswith(file.read(len(MAGIC)))


def _walk(file: BinaryIO, path: Path, size: int) -> Iterator[tuple[int, int, Record | None, bool]]:
    """Stretches of the file: start, stop, the record if its head is sound, and whether all of it is."""
    start = 0
    while start < size:
        record = _head(file, path, start)
        if record is not None and record.end <= size and _is_sound(file, record):
            yield start, record.end, record, True
            start = record.end
            continue
        stop = _next_head(file, path, start + 1, size)
        if record is not None and record.end <= size and (record.end == size or _head(file, path, record.end)):
            stop = record.end  # only the payload is damaged: do not search in it
        yield start, stop, record, False
        start = stop


def _head(file: BinaryIO, path: Path, offset: int) -> Record | None:
    file.seek(offset)
    head = file.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES or zlib.crc32(head[:-4]).to_bytes(4, "little") != head[-4:]:
        return None
    magic, sequence, number, polarity, direction, drive, sweep, frequency, *rest = HEAD.unpack(head[:-4])
    time, counter, flags, rows, columns, length = rest
    if magic != MAGIC or not 1 <= number <= len(KINDS) or (number == 2 and length != 2 * rows * columns):
        return None
    key = Key(sweep, polarity, direction, frequency, drive)
    return Record(sequence, KINDS[number - 1], key, time, counter, flags, (rows, columns), length, path, offset)


def _is_sound(file: BinaryIO, record: Record) -> bool:
    file.seek(record.offset)
    left, total = record.end - record.offset - 4, 0
    while left and (block := file.read(min(left, BLOCK))):
        total = zlib.crc32(block, total)
        left -= len(block)
    return total.to_bytes(4, "little") == file.read(4)


def _next_head(file: BinaryIO, path: Path, start: int, size: int) -> int:
    """Offset of the next sound head at or behind `start`, else `size`."""
    while start < size:
        file.seek(start)
        block = file.read(BLOCK)
        found = block.find(MAGIC)
        if found < 0:
            start += max(len(block) - len(MAGIC) + 1, 1)
        elif _head(file, path, start + found) is not None:
            return start + found
        else:
            start += found + 1
    return size
