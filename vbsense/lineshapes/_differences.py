"""A kernel from any compiled scalar function: its derivatives are central differences in float64."""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.np.unsafe.ndarray import to_fixed_tuple

from vbsense._jit import kernel
from vbsense._shapes import SIGNATURES

__all__ = ["compile_function", "differences"]

STEP = 6e-6  # over the size of a parameter: near the cube root of the rounding error


def compile_function(function, n):
    """Return ``function(x, *p)`` compiled as one of (x, p), and filling an array."""
    scalar = njit("float64(float64, float64[::1])", nogil=True, error_model="numpy")(_of_array(function, n))

    @njit("void(float64[::1], float64[:, ::1], float64[::1])", nogil=True)
    def fill(x, p, out):
        for m in range(x.size):
            out[m] = scalar(x[m], p[m])

    return scalar, fill


def _of_array(function, n):
    inner = njit(nogil=True, error_model="numpy")(function)

    def scalar(x, p):
        return inner(x, *to_fixed_tuple(p, n))

    return scalar


def differences(scalar, units, lower, upper, scale):
    """Return the kernel of a function of (x, p); `scale` is the frequency (Hz) of one unit of x.

    A parameter moves by a part of its size: for a frequency that is an eighth of half the span of x, lest a center
    at 0 stands still; a number without a unit is not taken smaller than 0.01. It stays between `lower` and `upper`,
    in the units of the kernel: a function may have no values beyond its bounds.
    """
    n = len(units)
    hertz, inverse = (tuple(unit == kind for unit in units) for kind in ("Hz", "1/Hz"))
    into = tuple(scale if unit == "Hz" else 1 / scale if unit == "1/Hz" else 1.0 for unit in units)

    @kernel(SIGNATURES, cache=False)
    def compiled(x, p, out, jacobian):
        q, eighth = np.empty(n, np.float64), abs(np.float64(x[x.size - 1]) - np.float64(x[0])) / 16
        for i in range(n):
            q[i] = p[i] * into[i]
        for m in range(x.size):
            out[m] = scalar(np.float64(x[m]) * scale, q)
        for i in range(n):
            here = np.float64(p[i])
            size = max(abs(here), 0.01)
            if eighth > 0 and hertz[i]:
                size = eighth
            elif eighth > 0 and inverse[i]:
                size = max(abs(here), 0.001 / eighth)
            below, above = max(here - STEP * size, lower[i]), min(here + STEP * size, upper[i])
            row, middle = jacobian[i], q[i]
            for m in range(x.size):
                q[i] = above * into[i]
                value = scalar(np.float64(x[m]) * scale, q)
                q[i] = below * into[i]
                row[m] = (value - scalar(np.float64(x[m]) * scale, q)) / (above - below)
            q[i] = middle

    return compiled
