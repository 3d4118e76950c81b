"""Compiled lines with a tail: a Gaussian convolved with a one-sided exponential, and its analytic derivatives.

The unit of length is the standard deviation of the whole line, the origin its centroid; t = (skew / 2)^(1/3) is the
decay length, s^2 = 1 - t^2 the variance of the Gaussian, d = (u + t) / s, z = s / t - d, R the Mills ratio. With
g = exp(-d^2 / 2) / s the line is L = exp(-d^2 / 2) R(z) / t, for which g = L + t dL/du. Convolved with the exponential
once more it is q, so that L = q + t dq/du. In Fourier space one sees that dL/dskew is -1/6 of the third derivative of
q by u, which stays finite for t -> 0:

    dL/du = (g - L) / t,    q = (exp(-d^2 / 2) - z t L) s / t^2,    d3q/du3 = (dg/du - (2 g - 3 L + q) / t) / t^2.

These differences lose digits like t^-5: below t = 0.02 (a skew of 1.6e-5) they are replaced by the series of g and its
derivatives in t. At that place the errors are 8e-10 of the height in L and 1e-7 of the largest in d3q/du3, elsewhere
far smaller (1e-11 at a skew of 1e-3). Both are computed in float64 for all arrays.

`exp_negative`, `sum_single` and `sum_double` come from `vbsense._shapes`: see there what to do after an edit.
"""

from __future__ import annotations

import math

from numba import float32, float64, void

from vbsense._jit import kernel
from vbsense._shapes import SIGNATURES, exp_negative, sum_double, sum_single

__all__ = ["emg", "emg1", "mills"]

_PER_FWHM = math.sqrt(8 * math.log(2))
_ROOT = math.sqrt(2 * math.pi)
_REALS = (float32, float64)
NEARLY_GAUSSIAN = 0.02  # t
TERMS = 6

# (z + 1.5) R(z) as a polynomial in (z - 5) / (z + 5), highest power first: interpolated at 80 Chebyshev points with
# 40 digits. The relative error of R is below 5e-16 for all z >= 0.
_MILLS = (
    -8.650687249452231e-10, 4.9992779140141286e-09, 1.0862064541787426e-08, -5.7431460858848575e-08,
    -7.877716229229247e-08, 4.245839810853431e-07, 4.1629587188058153e-07, -2.9560314239566537e-06,
    -1.0218595745974913e-06, 2.110836480344468e-05, -1.6478521511342737e-05, -0.00013316585925317553,
    0.0003813093670645573, 0.000187820821787454, -0.003926124296420845, 0.013366792150601582, -0.026757580359882845,
    0.032160073338245575, -0.006199811215187734, -0.07630072755396021, 0.2232522817068801, -0.4092849203692238,
    1.2532526806495525,
)  # fmt: skip


@kernel("float64(float64)")
def mills(z):
    """Mills ratio ``sqrt(pi / 2) erfcx(z / sqrt 2)`` for z >= 0."""
    both = 1.0 / ((z + 5.0) * (z + 1.5))  # one division for two
    w = (z - 5.0) * (z + 1.5) * both
    s = _MILLS[0] * w + _MILLS[1]
    s = s * w + _MILLS[2]
    s = s * w + _MILLS[3]
    s = s * w + _MILLS[4]
    s = s * w + _MILLS[5]
    s = s * w + _MILLS[6]
    s = s * w + _MILLS[7]
    s = s * w + _MILLS[8]
    s = s * w + _MILLS[9]
    s = s * w + _MILLS[10]
    s = s * w + _MILLS[11]
    s = s * w + _MILLS[12]
    s = s * w + _MILLS[13]
    s = s * w + _MILLS[14]
    s = s * w + _MILLS[15]
    s = s * w + _MILLS[16]
    s = s * w + _MILLS[17]
    s = s * w + _MILLS[18]
    s = s * w + _MILLS[19]
    s = s * w + _MILLS[20]
    s = s * w + _MILLS[21]
    s = s * w + _MILLS[22]
    return s * (z + 5.0) * both


_METHOD = [void(r[::1], float64, float64, float64, float64, float64, float64, *(r[::1],) * 4) for r in _REALS]


@kernel(_METHOD)
def _closed(x, offset, center, fwhm, depth, side, t, by_center, by_fwhm, by_contrast, by_skew):
    s = math.sqrt(1.0 - t * t)
    rate, per_s, per_t, steep = side * _PER_FWHM / fwhm, 1.0 / s, 1.0 / t, s / t
    tilt, stretch, bend = depth * rate, depth / fwhm, depth * side / 6.0
    for m in range(x.size):
        u = (x[m] - center) * rate
        d = (u + t) * per_s
        z = steep - d
        bell = exp_negative(-0.5 * d * d)
        ahead = bell * mills(abs(z))
        tail = _ROOT * exp_negative(min(0.5 * steep * (steep - 2.0 * d), 0.0)) - ahead
        line = (ahead if z > 0 else tail) * per_t
        g = bell * per_s
        slope = (g - line) * per_t
        q = (bell - z * t * line) * steep * per_t
        third = (-d * per_s * g - (2.0 * g - 3.0 * line + q) * per_t) * per_t * per_t
        by_contrast[m] = -offset * line
        by_center[m] = tilt * slope
        by_fwhm[m] = stretch * slope * u
        by_skew[m] = bend * third


@kernel(_METHOD)
def _series(x, offset, center, fwhm, depth, side, t, by_center, by_fwhm, by_contrast, by_skew):
    s = math.sqrt(1.0 - t * t)
    rate, per_s, ratio = side * _PER_FWHM / fwhm, 1.0 / s, t / s
    tilt, stretch, bend = depth * rate, depth / fwhm, depth * side / 6.0
    for m in range(x.size):
        u = (x[m] - center) * rate
        d = (u + t) * per_s
        g = exp_negative(-0.5 * d * d) * per_s
        a, b, c, e = 1.0, d, d * d - 1.0, (d * d - 3.0) * d  # Hermite polynomials k, k + 1, k + 2, k + 3
        line, slope, third, power = 0.0, 0.0, 0.0, 1.0
        for k in range(TERMS):
            line += power * a
            slope -= power * b
            third -= (k + 1.0) * power * e
            a, b, c, e = b, c, e, d * e - (k + 3.0) * c
            power *= ratio
        by_contrast[m] = -offset * g * line
        by_center[m] = tilt * g * slope * per_s
        by_fwhm[m] = stretch * g * slope * per_s * u
        by_skew[m] = bend * g * third * per_s * per_s * per_s


@kernel([void(r[::1], r, r, r, r, r, r[::1], r[::1], r[::1], r[::1]) for r in _REALS])
def _tailed_line(x, offset, center, fwhm, contrast, skew, by_center, by_fwhm, by_contrast, by_skew):
    """Choose the method once for a line; a negative skew is a mirror image."""
    side = -1.0 if skew < 0 else 1.0
    t, depth = (side * skew / 2.0) ** (1.0 / 3.0), float64(offset) * contrast
    if t < NEARLY_GAUSSIAN:
        _series(x, offset, center, fwhm, depth, side, t, by_center, by_fwhm, by_contrast, by_skew)
    else:
        _closed(x, offset, center, fwhm, depth, side, t, by_center, by_fwhm, by_contrast, by_skew)


@kernel(SIGNATURES)
def emg1(x, p, out, jacobian):
    """One dip: offset, center, fwhm, contrast, skew."""
    _tailed_line(x, p[0], p[1], p[2], p[3], p[4], jacobian[1], jacobian[2], jacobian[3], jacobian[4])
    sum_single(p[0], p[3], jacobian[3], jacobian[0], out)


@kernel(SIGNATURES)
def emg(x, p, out, jacobian):
    """Two dips: offset, then center, fwhm, contrast and skew, each of the lower and the upper line."""
    _tailed_line(x, p[0], p[1], p[3], p[5], p[7], jacobian[1], jacobian[3], jacobian[5], jacobian[7])
    _tailed_line(x, p[0], p[2], p[4], p[6], p[8], jacobian[2], jacobian[4], jacobian[6], jacobian[8])
    sum_double(p[0], p[5], p[6], jacobian[5], jacobian[6], jacobian[0], out)
