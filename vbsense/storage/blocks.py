"""How a variable is cut into blocks: the chunks of its file, the steps of its checksum, the units of a simulation.

All frequencies of a few pixels lie together, so that a fit of a few pixels reads a few chunks. Images without
frequencies would be cut into crumbs that way: there a chunk is a row of blocks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

__all__ = ["blocks", "chunks", "pieces"]

MAX_CHUNK, USUAL = 1 << 24, 1 << 20  # bytes
_LENGTH = {"y": 32, "x": 32, "site": 1024}
_WHOLE = {"frequency", "component", "parameter", "parameter2"}


def chunks(dims: tuple[str, ...], shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Lengths of a chunk: all frequencies, 32 rows, 32 columns, and 1 of each leading dimension.

    Without frequencies it has as many columns as make 1 MiB. What does not lie on pixels or sites, such as the truth
    of a simulation, is cut into pieces of up to 1 MiB.

    Parameters
    ----------
    dims : tuple of str
        Names of the dimensions.
    shape : tuple of int
        Their lengths.
    itemsize : int
        Bytes of one value.

    Returns
    -------
    tuple of int
        One length for each dimension; halved in space until a chunk has at most 16 MiB.

    Examples
    --------
    >>> chunks(("polarity", "frequency", "y", "x"), (2, 101, 512, 20), 4)
    (1, 101, 32, 20)
    >>> chunks(("component", "y", "x"), (1, 512, 512), 8)
    (1, 32, 512)
    """
    lengths = _steps(dims, shape, itemsize)
    if "frequency" in dims or "x" not in dims:
        return lengths
    k = dims.index("x")
    if lengths[k + 1 :] != shape[k + 1 :]:  # chunks must hold blocks that follow each other
        return lengths
    times = max(USUAL // (math.prod(lengths) * itemsize), 1)
    return (*lengths[:k], min(times * lengths[k], shape[k]), *lengths[k + 1 :])


def _steps(dims: tuple[str, ...], shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Lengths of a block."""
    limit = MAX_CHUNK
    if len(dims) == 1:
        lengths = [min(shape[0], MAX_CHUNK // itemsize)]
    elif _LENGTH.keys().isdisjoint(dims):
        lengths, limit = list(shape), USUAL
    else:
        lengths = [n if dim in _WHOLE else min(n, _LENGTH.get(dim, 1)) for dim, n in zip(dims, shape, strict=True)]
    while math.prod(lengths) * itemsize > limit and max(lengths) > 1:
        space = [k for k, dim in enumerate(dims) if dim in _LENGTH and lengths[k] > 1] or range(len(dims))
        longest = max(space, key=lambda k: lengths[k])
        lengths[longest] = (lengths[longest] + 1) // 2
    return tuple(lengths)


def blocks(dims: tuple[str, ...], shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[slice, ...]]:
    """Indices of the blocks of a variable, the last dimension fastest; none if it is empty.

    Parameters
    ----------
    dims, shape, itemsize
        As for `chunks`.

    Yields
    ------
    tuple of slice
        One slice for each dimension; those at the far edges are shorter.

    Examples
    --------
    >>> for rows, columns in blocks(("y", "x"), (20, 40), 4):
    ...     print(rows.start, rows.stop, columns.start, columns.stop)
    0 20 0 32
    0 20 32 40
    """
    yield from _cut(shape, _steps(dims, shape, itemsize) if dims else ())


def pieces(dims: tuple[str, ...], shape: tuple[int, ...], itemsize: int) -> Iterator[tuple[slice, ...]]:
    """Indices of the chunks of a variable, as `blocks` gives those of the blocks: the blocks of one follow each other.

    Parameters
    ----------
    dims, shape, itemsize
        As for `chunks`.

    Yields
    ------
    tuple of slice
        As for `blocks`.
    """
    yield from _cut(shape, chunks(dims, shape, itemsize) if dims else ())


def _cut(shape: tuple[int, ...], lengths: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    if math.prod(shape) == 0:
        return
    axes = [
        [slice(first, min(first + length, n)) for first in range(0, n, length)]
        for n, length in zip(shape, lengths, strict=True)
    ]
    yield from itertools.product(*axes)
