"""Compiled line shapes: values and analytic derivatives, in float32 and float64.

Every kernel has the signature `SIGNATURES` and is called as ``kernel(x, p, out, jacobian)``: it fills
``out[m]`` with the model at ``x[m]`` and ``jacobian[i, m]`` with its derivative with respect to ``p[i]``.
The arrays are padded, so that loops need no tail; padding is weighted with zero by the caller.

Each line has a loop of its own: LLVM gives up vectorising a loop that stores to more than about four
arrays which it cannot prove to be distinct. Import this module late: it compiles or loads at import.

Rarer shapes lie in `vbsense.lineshapes`, so that nobody waits for what he does not use. They call functions of this
file, and the cache on disk does not notice when these change: whoever edits this file deletes the cache.
"""

from __future__ import annotations

import math

import numpy as np
from numba import float32, types
from numba.extending import overload

from vbsense._jit import SAFE_FAST, kernel

__all__ = [
    "SIGNATURES", "add_row", "exp_negative", "gaussian", "gaussian1", "gaussian_shared", "lorentzian", "lorentzian1",
    "lorentzian_shared", "sum_double", "sum_single",
]  # fmt: skip

SIGNATURES = [
    "void(float32[::1], float32[::1], float32[::1], float32[:, ::1])",
    "void(float64[::1], float64[::1], float64[::1], float64[:, ::1])",
]

_LINE = [
    "void(float32[::1], float32, float32, float32, float32, float32[::1], float32[::1], float32[::1])",
    "void(float64[::1], float64, float64, float64, float64, float64[::1], float64[::1], float64[::1])",
]

_LOG2 = math.log(2.0)
# exp(r) on |r| <= ln(2)/2, highest power first: Cephes expf (relative error 1.6e-7) and the Taylor series (2e-16).
_SINGLE = tuple(
    np.float32(c) for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5)
)
_DOUBLE = tuple(1.0 / math.factorial(k) for k in range(13, 1, -1))
_HIGH, _LOW = 0.693359375, -2.12194440e-4  # ln(2) in two parts: k * _HIGH is exact


def exp_negative(t):
    """Return exp(t) for t <= 0, and 0 below exp(-20) in float32 and exp(-40) in float64.

    Both are below the rounding error of a signal of order one. Without the cut the squares of the far tails are
    denormal numbers, which made a fit half as fast.
    """
    return np.exp(t)


@overload(exp_negative, jit_options={"fastmath": set(SAFE_FAST), "error_model": "numpy"})
def _exp_negative(t):
    """Choose a polynomial that LLVM can vectorise: the compiler has no vector form of ``exp`` itself."""
    if t == float32:
        return _exp_single
    return _exp_double if isinstance(t, types.Float) else None


def _exp_single(t):
    near = t > np.float32(-20.0)
    t = max(t, np.float32(-20.0))
    k = np.int32(t * np.float32(1.0 / _LOG2) - np.float32(0.5))  # truncation rounds a negative number to nearest
    r = t - np.float32(k) * np.float32(_HIGH) - np.float32(k) * np.float32(_LOW)
    s = _SINGLE[0]
    s = s * r + _SINGLE[1]
    s = s * r + _SINGLE[2]
    s = s * r + _SINGLE[3]
    s = s * r + _SINGLE[4]
    s = s * r + _SINGLE[5]
    power = np.int32(np.int32(k + np.int32(127)) << np.int32(23)).view(np.float32)
    return (s * r * r + r + np.float32(1.0)) * power if near else np.float32(0.0)


def _exp_double(t):
    near = t > -40.0
    t = max(t, -40.0)
    k = np.int64(t / _LOG2 - 0.5)
    r = t - k * _LOG2
    s = _DOUBLE[0]
    s = s * r + _DOUBLE[1]
    s = s * r + _DOUBLE[2]
    s = s * r + _DOUBLE[3]
    s = s * r + _DOUBLE[4]
    s = s * r + _DOUBLE[5]
    s = s * r + _DOUBLE[6]
    s = s * r + _DOUBLE[7]
    s = s * r + _DOUBLE[8]
    s = s * r + _DOUBLE[9]
    s = s * r + _DOUBLE[10]
    s = s * r + _DOUBLE[11]
    return (s * r * r + r + 1.0) * np.int64((k + 1023) << 52).view(np.float64) if near else 0.0


@kernel(_LINE)
def _lorentzian_line(x, offset, center, fwhm, contrast, by_center, by_fwhm, by_contrast):
    real = x.dtype.type
    one, four = real(1), real(4)
    per_fwhm = one / fwhm
    slope = real(-8) * offset * contrast * per_fwhm
    for m in range(x.size):
        d = (x[m] - center) * per_fwhm
        line = one / (one + four * d * d)
        tilt = slope * line * line * d
        by_center[m] = tilt
        by_fwhm[m] = tilt * d
        by_contrast[m] = -offset * line


@kernel(_LINE)
def _gaussian_line(x, offset, center, fwhm, contrast, by_center, by_fwhm, by_contrast):
    real = x.dtype.type
    rate = real(-4.0 * _LOG2)
    per_fwhm = real(1) / fwhm
    slope = real(2) * rate * offset * contrast * per_fwhm
    for m in range(x.size):
        d = (x[m] - center) * per_fwhm
        line = exp_negative(rate * d * d)
        tilt = slope * line * d
        by_center[m] = tilt
        by_fwhm[m] = tilt * d
        by_contrast[m] = -offset * line


@kernel(["void(float32[::1], float32[::1])", "void(float64[::1], float64[::1])"])
def add_row(row, other):
    """Add the derivatives of the second line to those of the first, by a parameter that both have.

    The second ones are kept in the row of the offset, which is filled last: no memory is needed for them.
    """
    for m in range(row.size):
        row[m] += other[m]


@kernel(
    [
        "void(float32, float32, float32[::1], float32[::1], float32[::1])",
        "void(float64, float64, float64[::1], float64[::1], float64[::1])",
    ]
)
def sum_single(offset, contrast, by_contrast, by_offset, out):
    """Fill values and derivatives by the offset from the derivatives by the contrast."""
    real = out.dtype.type
    ratio = contrast / offset
    for m in range(out.size):
        by_offset[m] = real(1) + ratio * by_contrast[m]
        out[m] = offset + contrast * by_contrast[m]


@kernel(
    [
        "void(float32, float32, float32, float32[::1], float32[::1], float32[::1], float32[::1])",
        "void(float64, float64, float64, float64[::1], float64[::1], float64[::1], float64[::1])",
    ]
)
def sum_double(offset, lower, upper, by_lower, by_upper, by_offset, out):
    """Fill values and derivatives by the offset from those by the two contrasts."""
    real = out.dtype.type
    per_offset = real(1) / offset
    for m in range(out.size):
        dips = lower * by_lower[m] + upper * by_upper[m]
        by_offset[m] = real(1) + per_offset * dips
        out[m] = offset + dips


@kernel(SIGNATURES)
def lorentzian1(x, p, out, jacobian):
    """One Lorentzian dip: offset, center, fwhm, contrast."""
    _lorentzian_line(x, p[0], p[1], p[2], p[3], jacobian[1], jacobian[2], jacobian[3])
    sum_single(p[0], p[3], jacobian[3], jacobian[0], out)


@kernel(SIGNATURES)
def gaussian1(x, p, out, jacobian):
    """One Gaussian dip: offset, center, fwhm, contrast."""
    _gaussian_line(x, p[0], p[1], p[2], p[3], jacobian[1], jacobian[2], jacobian[3])
    sum_single(p[0], p[3], jacobian[3], jacobian[0], out)


@kernel(SIGNATURES)
def lorentzian(x, p, out, jacobian):
    """Two Lorentzian dips: offset, then center, fwhm and contrast, each of the lower and the upper line."""
    _lorentzian_line(x, p[0], p[1], p[3], p[5], jacobian[1], jacobian[3], jacobian[5])
    _lorentzian_line(x, p[0], p[2], p[4], p[6], jacobian[2], jacobian[4], jacobian[6])
    sum_double(p[0], p[5], p[6], jacobian[5], jacobian[6], jacobian[0], out)


@kernel(SIGNATURES)
def gaussian(x, p, out, jacobian):
    """Two Gaussian dips: offset, then center, fwhm and contrast, each of the lower and the upper line."""
    _gaussian_line(x, p[0], p[1], p[3], p[5], jacobian[1], jacobian[3], jacobian[5])
    _gaussian_line(x, p[0], p[2], p[4], p[6], jacobian[2], jacobian[4], jacobian[6])
    sum_double(p[0], p[5], p[6], jacobian[5], jacobian[6], jacobian[0], out)


@kernel(SIGNATURES)
def lorentzian_shared(x, p, out, jacobian):
    """Two Lorentzian dips of one width: offset, two centers, fwhm, two contrasts."""
    _lorentzian_line(x, p[0], p[1], p[3], p[4], jacobian[1], jacobian[3], jacobian[4])
    _lorentzian_line(x, p[0], p[2], p[3], p[5], jacobian[2], jacobian[0], jacobian[5])
    add_row(jacobian[3], jacobian[0])
    sum_double(p[0], p[4], p[5], jacobian[4], jacobian[5], jacobian[0], out)


@kernel(SIGNATURES)
def gaussian_shared(x, p, out, jacobian):
    """Two Gaussian dips of one width: offset, two centers, fwhm, two contrasts."""
    _gaussian_line(x, p[0], p[1], p[3], p[4], jacobian[1], jacobian[3], jacobian[4])
    _gaussian_line(x, p[0], p[2], p[3], p[5], jacobian[2], jacobian[0], jacobian[5])
    add_row(jacobian[3], jacobian[0])
    sum_double(p[0], p[4], p[5], jacobian[4], jacobian[5], jacobian[0], out)
