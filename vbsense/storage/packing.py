"""One chunk as HDF5 stores it: shuffled, deflated, with a checksum. Done here, it can be done in threads.

HDF5 packs one chunk after the other. zlib itself lets other threads work. Its run-length strategy
packs noisy images twice as fast as its level 1, and smaller; any HDF5 reads the result.
"""

from __future__ import annotations

import math
import zlib

import numpy as np

__all__ = ["PIPELINE", "fletcher32", "pack"]

# What h5py is to declare for a variable whose chunks come from `pack`.
PIPELINE = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "fletcher32": True}
_WORDS = 1024  # of 16 bits in a row; sums of a row, and of a column of a chunk, fit 32 bits


def pack(values: np.ndarray, lengths: tuple[int, ...]) -> bytes:
    """Bytes of one chunk behind HDF5's filters shuffle, deflate and fletcher32.

    Parameters
    ----------
    values : ndarray
        Numbers in little-endian order; shorter than the chunk at the edges of a variable.
    lengths : tuple of int
        Shape of a whole chunk.

    Returns
    -------
    bytes
        For ``h5py``'s ``write_direct_chunk``.

    Examples
    --------
    >>> len(pack(np.zeros((3, 5), np.float32), (4, 8))) < 4 * 4 * 8
    True
    """
    if values.shape != lengths:
        whole = np.zeros(lengths, values.dtype)
        whole[tuple(map(slice, values.shape))] = values
        values = whole
    planes = np.ascontiguousarray(values).view(np.uint8).reshape(math.prod(lengths), -1).T
    deflate = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    packed = deflate.compress(np.ascontiguousarray(planes).data) + deflate.flush()
    return packed + fletcher32(packed).to_bytes(4, "little")


def fletcher32(data: bytes) -> int:
    """Checksum of Fletcher over big-endian words of 16 bits, with a last odd byte as the high half of a word.

    Sums run modulo 65535, where HDF5 writes 65535 for 0 unless every word was 0.

    Notes
    -----
    J. G. Fletcher, IEEE Trans. Commun. 30, 247 (1982); the details are those of HDF5's filter 3.

    Examples
    --------
    >>> hex(fletcher32(b"abcde"))
    '0x4ff029c7'
    """
    words = np.zeros(-(-len(data) // (2 * _WORDS)) * _WORDS, ">u2")
    words.view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
    rows = words.astype(np.uint32).reshape(-1, _WORDS)
    # The second sum adds the first one up after each word: word k of n counts n - k times.
    whole_rows = rows.sum(axis=1, dtype=np.uint32).astype(np.uint64)
    first = int(whole_rows.sum())
    position = int(whole_rows @ np.arange(len(rows), dtype=np.uint64)) * _WORDS
    position += int(rows.sum(axis=0, dtype=np.uint32) @ np.arange(_WORDS, dtype=np.uint64))
    return _fold(first * ((len(data) + 1) // 2) - position) << 16 | _fold(first)


def _fold(total: int) -> int:
    return total % 65535 or (65535 if total else 0)
