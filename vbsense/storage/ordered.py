"""Work in threads, results in order, and only a few of them at a time in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from numbers import Real
from typing import TypeVar

__all__ = ["in_order", "thread_count"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count(threads: int | None) -> int:
    """How many threads to use: `threads`, or for None the processors that this process may use.

    Raises
    ------
    ValueError
        If it is not a whole number from 1.
    """
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)  # not on Windows and macOS
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if not isinstance(threads, Real) or not float(threads).is_integer() or threads < 1:
        raise ValueError(f"threads is {threads!r}; give a whole number from 1, or None for all processors")
    return int(threads)


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Generator[Result, None, None]:
    """Results of `function` for each of `items`, in their order.

    Parameters
    ----------
    function : callable
        Of one item; it is called from several threads at once, or from the caller's if `threads` is 1.
    items : iterable
        Taken one by one, never more than twice the threads ahead of the results.
    threads : int
        How many.

    Yields
    ------
    object
        What `function` returned. An error in it is raised here. After it, and after ``close()``, what has not begun
        is dropped, and nothing runs any more.

    Examples
    --------
    >>> list(in_order(lambda number: number**2, range(5), threads=3))
    [0, 1, 4, 9, 16]
    """
    if threads == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads)
    ahead: deque[Future[Result]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
