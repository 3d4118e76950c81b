"""Kernels made from other kernels: parameters that are one, a slope of the light.

Each maker closes over numbers, tuples and the *name* of a kernel only. These are part of the key of the cache on disk,
as is `stamp`, a checksum of the source of that kernel: an edit of it is noticed here. A kernel that has no name (typed
at a prompt, or made by a function) is closed over itself and compiled anew in every process, in about half a second.
"""

from __future__ import annotations

import importlib

import numpy as np
from numba import types
from numba.extending import overload

from vbsense._jit import kernel
from vbsense._shapes import SIGNATURES

__all__ = ["tied", "tilted"]


def call(base, stamp, x, p, out, jacobian):
    """Call the kernel `base`, given itself or by its name "module:name"."""
    raise NotImplementedError("only in compiled code")


@overload(call)
def _call(base, stamp, x, p, out, jacobian):
    if isinstance(base, types.StringLiteral):
        module, _, name = base.literal_value.partition(":")
        found = getattr(importlib.import_module(module), name)
        return lambda base, stamp, x, p, out, jacobian: found(x, p, out, jacobian)
    return lambda base, stamp, x, p, out, jacobian: base(x, p, out, jacobian)


def tied(base, stamp, at):
    """Parameter i of `base` is parameter ``at[i]`` of the new kernel; derivatives by the same one are added."""
    full, fewer = len(at), max(at) + 1
    first = tuple(at.index(k) == i for i, k in enumerate(at))

    @kernel(SIGNATURES, cache=isinstance(base, str))
    def compiled(x, p, out, jacobian):
        rows, constants = np.empty((full, x.size), x.dtype), p.size - fewer
        q = np.empty(full + constants, x.dtype)
        for i in range(full):
            q[i] = p[at[i]]
        for i in range(constants):
            q[full + i] = p[fewer + i]
        call(base, stamp, x, q, out, rows)
        for i in range(full):
            row, part = jacobian[at[i]], rows[i]
            if first[i]:
                for m in range(x.size):
                    row[m] = part[m]
            else:
                for m in range(x.size):
                    row[m] += part[m]

    return compiled


def tilted(base, stamp, n, places):
    """`base`, of `n` parameters, times 1 + p[n] (x - mean of the parameters `places`)."""
    count = len(places)

    @kernel(SIGNATURES, cache=isinstance(base, str))
    def compiled(x, p, out, jacobian):
        constants, real = p.size - n - 1, x.dtype.type
        q = p[:n]
        if constants > 0:
            q = np.empty(n + constants, x.dtype)
            q[:n], q[n:] = p[:n], p[n + 1 :]
        call(base, stamp, x, q, out, jacobian[:n])
        slope, center, away = p[n], real(0), jacobian[n]
        for k in range(count):
            center += p[places[k]] / real(count)
        for m in range(x.size):
            away[m] = x[m] - center
        for i in range(n):
            row = jacobian[i]
            for m in range(x.size):
                row[m] *= real(1) + slope * away[m]
        for k in range(count):
            row = jacobian[places[k]]
            for m in range(x.size):
                row[m] -= slope / real(count) * out[m]
        for m in range(x.size):
            further = away[m]
            away[m] = out[m] * further
            out[m] *= real(1) + slope * further

    return compiled
