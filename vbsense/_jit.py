"""The one way in which this package compiles numba kernels.

Explicit signatures compile (or load from the cache) when the module is imported, so kernels are
imported inside the functions that use them. ``parallel=True`` is not offered: threads live outside
the kernels, where the caller can count them.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache as once
from typing import Any
from uuid import uuid4

# Reassociation lets LLVM turn float sums into vector code. Never plain ``fastmath=True``: it also
# promises that there are no NaN, and bad pixels are NaN.
SAFE_FAST = frozenset({"reassoc", "contract", "nsz"})

_warned = False


def kernel(signature: Any, *, cache: bool = True, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a kernel with an explicit signature, without the GIL and with a cache on disk.

    Parameters
    ----------
    signature : numba signature or str, or a list of them
        Types of the arguments and of the result.
    cache : bool
        Keep the compiled code on disk; False for functions that are not in a file.
    **options
        Further options of ``numba.njit``; ``fastmath`` defaults to the reassociating subset.

    Returns
    -------
    callable
        A decorator.

    Examples
    --------
    >>> @kernel("float64(float64[::1])", cache=False)
    ... def total(values):
    ...     result = 0.0
    ...     for k in range(values.size):
    ...         result += values[k]
    ...     return result
    >>> import numpy as np
    >>> total(np.ones(3))
    3.0
    """
    from numba import njit

    settings: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": set(SAFE_FAST)} | options

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if function.__closure__:
            _name_apart(function, cache)
        if not cache:
            return njit(signature, **settings)(function)
        try:
            dispatcher = njit(cache=True, **settings)(function)
        except RuntimeError as error:  # numba: "cannot cache function ...: no locator available"
            _warn_once(error)
            return njit(signature, **settings)(function)
        _keep_apart(dispatcher)
        for one in signature if isinstance(signature, list) else [signature]:
            dispatcher.compile(one)
        dispatcher.disable_compile()
        return dispatcher

    return decorate


def _name_apart(function: Any, cache: bool) -> None:
    """Name a function after what it closes over.

    numba's symbols are made of the name, the types and a number that starts at 1 in every process. Two functions of one
    maker, compiled by two processes and taken from the cache by a third, would have the same symbol, and compiled code
    that is handed both as arguments would call one of them for both.
    """
    told = repr([cell.cell_contents for cell in function.__closure__]) if cache else uuid4().hex
    function.__qualname__ += "_" + hashlib.sha256(told.encode()).hexdigest()[:16]


def _keep_apart(dispatcher: Any) -> None:
    """Give a dispatcher the cache below in place of numba's; a numba whose insides have moved keeps its own."""
    own = getattr(dispatcher, "_cache", None)
    file, needed = getattr(own, "_cache_file", None), ("_cache_path", "_index_name", "_source_stamp")
    if own is not None and file is not None and all(hasattr(file, name) for name in needed):
        base = file._index_name.removesuffix(".nbi")
        own._cache_file = _cache_file()(file._cache_path, base, file._source_stamp)


@once
def _cache_file() -> Any:
    """A cache on disk that several processes may write at once.

    numba numbers the files of one function 1, 2, ... and writes its index first. Two processes that start together
    with different kernels of one maker can then find each other's code under their own key, and one that reads
    between index and code gets what an older source left under that number: wrong results, without an error. Here a
    file is named after its key and its source, and written before the index tells of it.
    """
    from numba.core.caching import IndexDataCacheFile

    class CacheFile(IndexDataCacheFile):
        def save(self, key: Any, data: Any) -> None:
            digest = hashlib.sha256(repr((key, self._source_stamp)).encode()).hexdigest()[:16]
            name = f"{self._index_name.removesuffix('.nbi')}.{digest}.nbc"
            self._save_data(name, data)
            self._save_index(self._load_index() | {key: name})

    return CacheFile


def _warn_once(error: Exception) -> None:
    global _warned
    if not _warned:
        warnings.warn(
            f"compiled code cannot be cached ({error}); every process compiles anew. "
            "Set NUMBA_CACHE_DIR to a folder that can be written.",
            RuntimeWarning,
            stacklevel=4,
        )
        _warned = True
