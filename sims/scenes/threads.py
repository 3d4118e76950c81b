"""Pieces of an array on all cores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from vbsense.storage.ordered import thread_count

__all__ = ["in_pieces"]


def in_pieces(work: Callable[[slice], None], n: int, *, size: int) -> None:
    """Call `work` with slices that together cover ``range(n)``, each at most `size` long, on all cores.

    Examples
    --------
    >>> seen = []
    >>> in_pieces(lambda piece: seen.append(piece.stop - piece.start), 10, size=4)
    >>> sorted(seen)
    [2, 4, 4]
    """
    from vbsense.groundstate._blocks import one_blas_thread

    pieces = [slice(k, min(k + size, n)) for k in range(0, n, size)]
    cores = thread_count(None)
    if len(pieces) < 2 or cores < 2:
        for piece in pieces:
            work(piece)
        return
    # BLAS is held back here, not only inside: threads that leave such a block in another order than they
    # entered it would leave BLAS on one thread for good.
    with one_blas_thread(), ThreadPoolExecutor(cores) as pool:
        list(pool.map(work, pieces))
