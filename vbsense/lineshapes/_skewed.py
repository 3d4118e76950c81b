"""Compiled skewed lines, Gaussians of stretched detuning: values and analytic derivatives, in float32 and float64.

With d the detuning over the width, b the skew, K = sinh(b) / b and y = 2 sinh(b) d the line is exp(-ln2 w^2) with
w = ln(1 + y) / b = 2 K d (1 - y h). For b -> 0 this and its derivatives lose no digits, because all are written with
h(y) = (y - ln(1 + y)) / y^2, which is 1/2 at 0:

    dw/dd = 2 K / (1 + y),    dw/db = 2 d (b C / (1 + y) + 2 K^2 d (h - 1 / (1 + y))),    C = (cosh b - K) / b^2.

`exp_negative`, `sum_single` and `sum_double` come from `vbsense._shapes`: see there what to do after an edit.
"""

from __future__ import annotations

import math

import numpy as np
from numba import float32, float64, types, void
from numba.extending import overload

from vbsense._jit import SAFE_FAST, kernel
from vbsense._shapes import SIGNATURES, exp_negative, sum_double, sum_single

__all__ = ["remainder", "skewed", "skewed1"]

_LOG2 = math.log(2.0)
_REALS = (float32, float64)
# ln(m) = 2 z + 2 z^3 P(z^2) with z = (m - 1) / (m + 1): 1/3, 1/5, 1/7 ... For m between 2^-1/2 and 2^1/2 the first
# neglected terms, times z^3, are 1e-9 and 1e-18.
_ODD = tuple(1.0 / (2 * k + 3) for k in range(10))
_ODD32 = tuple(np.float32(c) for c in _ODD[:4])


def remainder(y):
    """Return ``(y - ln(1 + y)) / y^2`` for y > -1; relative errors below 2e-6 in float32 and 1e-14 in float64."""
    return (y - math.log1p(y)) / y**2


@overload(remainder, jit_options={"fastmath": set(SAFE_FAST), "error_model": "numpy"})
def _remainder(y):
    if y == float32:
        return _remainder_single
    return _remainder_double if isinstance(y, types.Float) else None


def _remainder_single(y):
    one, two = np.float32(1), np.float32(2)
    v = one + y
    bits = np.float32(v).view(np.int32)
    k = np.int32(np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23))  # v = 2^k m, m from 2^-1/2
    m = np.int32(bits - np.int32(k << np.int32(23))).view(np.float32)
    near = k == np.int32(0)
    a = y if near else m - one
    ratio = one / (two + a)
    z = a * ratio
    u = z * z
    s = _ODD32[3]
    s = s * u + _ODD32[2]
    s = s * u + _ODD32[1]
    s = s * u + _ODD32[0]
    close = ratio - two * a * s * ratio * ratio * ratio
    far = y if not near else one
    return close if near else (far - np.float32(k) * np.float32(_LOG2) - two * z * (one + u * s)) / (far * far)


def _remainder_double(y):
    v = 1.0 + y
    bits = np.float64(v).view(np.int64)
    k = (bits - 0x3FE6A09E667F3BCD) >> 52
    m = np.int64(bits - (k << 52)).view(np.float64)
    near = k == 0
    a = y if near else m - 1.0
    ratio = 1.0 / (2.0 + a)
    z = a * ratio
    u = z * z
    s = _ODD[9]
    s = s * u + _ODD[8]
    s = s * u + _ODD[7]
    s = s * u + _ODD[6]
    s = s * u + _ODD[5]
    s = s * u + _ODD[4]
    s = s * u + _ODD[3]
    s = s * u + _ODD[2]
    s = s * u + _ODD[1]
    s = s * u + _ODD[0]
    close = ratio - 2.0 * a * s * ratio * ratio * ratio
    far = y if not near else 1.0
    return close if near else (far - k * _LOG2 - 2.0 * z * (1.0 + u * s)) / (far * far)


@kernel("UniTuple(float64, 3)(float64)")
def _scalars(b):
    """sinh(b), sinh(b) / b and (cosh b - sinh(b) / b) / b^2."""
    if abs(b) < 0.1:
        q = b * b
        over = 1 + q / 6 * (1 + q / 20 * (1 + q / 42))
        return b * over, over, 1 / 3 + q / 30 + q * q / 840 + q * q * q / 45360
    over = math.sinh(b) / b
    return math.sinh(b), over, (math.cosh(b) - over) / (b * b)


@kernel([void(r[::1], r, r, r, r, r, r[::1], r[::1], r[::1], r[::1]) for r in _REALS])
def _skewed_line(x, offset, center, fwhm, contrast, skew, by_center, by_fwhm, by_contrast, by_skew):
    real = x.dtype.type
    sinh, over, rest = _scalars(float64(skew))
    one, per_fwhm, twice, K, bC = real(1), real(1) / fwhm, real(2 * sinh), real(over), skew * real(rest)
    rate, least = real(-_LOG2), real(1e-6 - 1)
    depth = real(4 * _LOG2) * offset * contrast
    tilt, stretch, twice_K = -depth * K * per_fwhm, real(2) * K * K, real(2) * K
    for m in range(x.size):
        d = (x[m] - center) * per_fwhm
        y = max(twice * d, least)
        h, per_v = remainder(y), one / (one + y)
        w = twice_K * d * (one - y * h)
        line = exp_negative(rate * w * w)
        line = line if y > least else real(0)
        by_contrast[m] = -offset * line
        line *= w
        slope = tilt * line * per_v
        by_center[m] = slope
        by_fwhm[m] = slope * d
        by_skew[m] = depth * line * d * (bC * per_v + stretch * d * (h - per_v))


@kernel(SIGNATURES)
def skewed1(x, p, out, jacobian):
    """One dip: offset, center, fwhm, contrast, skew."""
    _skewed_line(x, p[0], p[1], p[2], p[3], p[4], jacobian[1], jacobian[2], jacobian[3], jacobian[4])
    sum_single(p[0], p[3], jacobian[3], jacobian[0], out)


@kernel(SIGNATURES)
def skewed(x, p, out, jacobian):
    """Two dips: offset, then center, fwhm, contrast and skew, each of the lower and the upper line."""
    _skewed_line(x, p[0], p[1], p[3], p[5], p[7], jacobian[1], jacobian[3], jacobian[5], jacobian[7])
    _skewed_line(x, p[0], p[2], p[4], p[6], p[8], jacobian[2], jacobian[4], jacobian[6], jacobian[8])
    sum_double(p[0], p[5], p[6], jacobian[5], jacobian[6], jacobian[0], out)
