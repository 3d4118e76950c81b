"""Many small matrices at once: in blocks that fit the cache, on one thread of BLAS."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

# Matrices of a block of fields fit into the second-level cache (1 MB of complex numbers), and a block is not so
# small that the calls around it cost more than the work: 10 fields of 81 levels, 64 of 24.
_NUMBERS, _FEWEST, _MOST = 65_536, 4, 64


def in_blocks(
    field: np.ndarray, states: int, one_block: Callable[[np.ndarray], tuple[np.ndarray, ...]]
) -> tuple[np.ndarray, ...]:
    """`one_block` of pieces of the fields (..., 3), each result put together again as (..., its own shape).

    `states` is the size of the matrices in use.
    """
    flat = field.reshape(-1, 3)
    size = min(max(_NUMBERS // states**2, _FEWEST), _MOST)
    with one_blas_thread():
        parts = [one_block(flat[k : k + size]) for k in range(0, max(len(flat), 1), size)]
    joined = (np.concatenate(part) if len(parts) > 1 else part[0] for part in zip(*parts, strict=True))
    return tuple(part.reshape((*field.shape[:-1], *part.shape[1:])) for part in joined)


def one_blas_thread() -> Any:
    """Two BLAS threads on batches of 81 x 81 matrices are many times slower than one on a busy machine."""
    return _controller().limit(limits=1, user_api="blas")


@lru_cache(maxsize=1)
def _controller() -> Any:
    # Looking for the libraries takes longer than a diagonalisation: once is enough, numpy's is loaded by now.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
