"""The one way in which this package compiles numba kernels.

Explicit signatures compile (or load from the cache) when the module is imported, so kernels are
imported inside the functions that use them. ``parallel=True`` is not offered: threads live outside
the kernels, where the caller can count them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

# Reassociation lets LLVM turn float sums into vector code. Never plain ``fastmath=True``: it also
# promises that there are no NaN, and bad pixels are NaN.
SAFE_FAST = frozenset({"reassoc", "contract", "nsz"})

_warned = False


def kernel(signature: Any, *, cache: bool = True, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a kernel with an explicit signature, without the GIL and with a cache on disk.

    Parameters
    ----------
    signature : numba signature or str
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
        try:
            return njit(signature, cache=cache, **settings)(function)
        except RuntimeError as error:  # numba: "cannot cache function ...: no locator available"
            _warn_once(error)
            return njit(signature, **settings)(function)

    return decorate


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
