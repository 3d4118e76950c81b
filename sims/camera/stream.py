"""The step from a numpy generator to the state that the kernels carry."""

from __future__ import annotations

import numpy as np

__all__ = ["kernel_state"]


def kernel_state(rng: np.random.Generator) -> np.ndarray:
    """State of the kernels' generator, seeded with 192 bits drawn from `rng`, ``(4,)`` uint64.

    Each call draws anew, so that one frame after the other has noise of its own.

    Examples
    --------
    >>> first, second = np.random.default_rng(1), np.random.default_rng(1)
    >>> bool((kernel_state(first) == kernel_state(second)).all())
    True
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}; give a generator such as numpy.random.default_rng(1)")
    from vbsense.sims.camera._noise import _fill

    state = np.append(rng.integers(0, 2**64, 3, dtype=np.uint64), np.uint64(1))
    _fill(state, np.empty(12, np.uint64), 12)  # SFC64 mixes its seed in twelve rounds
    return state
