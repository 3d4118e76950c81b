"""How a variable is cut into blocks: the chunks of its file, the steps of its checksum, the units of a simulation.

All frequencies of a few pixels lie together, so that a fit of a few pixels reads a few chunks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

__all__ = ["blocks", "chunks"]

MAX_CHUNK, USUAL = 1 << 24, 1 << 20  # bytes
_LENGTH = {"y": 32, "x": 32, "site": 1024}
_WHOLE = {"frequency", "component", "parameter", "parameter2"}


def chunks(dims: tuple[str, ...], shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Lengths of a chunk: all frequencies, 32 rows, 32 columns, and 1 of each leading dimension.

    What does not lie on pixels or sites, such as the truth of a simulation, is cut into pieces of up to 1 MiB.

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
    """
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
    if math.prod(shape) == 0:
        return
    lengths = chunks(dims, shape, itemsize) if dims else ()
    axes = [
        [slice(first, min(first + length, n)) for first in range(0, n, length)]
        for n, length in zip(shape, lengths, strict=True)
    ]
    yield from itertools.product(*axes)
