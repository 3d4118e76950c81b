"""Compiled pseudo-Voigt lines: values and analytic derivatives, in float32 and float64.

`add_row`, `exp_negative`, `sum_single` and `sum_double` come from `vbsense._shapes`: see there what to do after an
edit.
"""

from __future__ import annotations

import math

from numba import float32, float64, void

from vbsense._jit import kernel
from vbsense._shapes import SIGNATURES, add_row, exp_negative, sum_double, sum_single

__all__ = ["pseudo_voigt", "pseudo_voigt1", "pseudo_voigt_shared"]

_RATE = -4 * math.log(2)
_REALS = (float32, float64)


@kernel([void(r[::1], r, r, r, r, r, r[::1], r[::1], r[::1], r[::1]) for r in _REALS])
def _mixed_line(x, offset, center, fwhm, contrast, mixing, by_center, by_fwhm, by_contrast, by_mixing):
    real = x.dtype.type
    one, four, rate = real(1), real(4), real(_RATE)
    per_fwhm = one / fwhm
    slope = real(2) * offset * contrast * per_fwhm
    depth = -offset * contrast
    broad, sharp = (one - mixing) * rate, -four * mixing
    for m in range(x.size):
        d = (x[m] - center) * per_fwhm
        line = one / (one + four * d * d)
        bell = exp_negative(rate * d * d)
        by_mixing[m] = depth * (line - bell)
        by_contrast[m] = -offset * (bell + mixing * (line - bell))
        tilt = slope * (broad * bell + sharp * line * line) * d
        by_center[m] = tilt
        by_fwhm[m] = tilt * d


@kernel(SIGNATURES)
def pseudo_voigt1(x, p, out, jacobian):
    """One dip: offset, center, fwhm, contrast, mixing."""
    _mixed_line(x, p[0], p[1], p[2], p[3], p[4], jacobian[1], jacobian[2], jacobian[3], jacobian[4])
    sum_single(p[0], p[3], jacobian[3], jacobian[0], out)


@kernel(SIGNATURES)
def pseudo_voigt(x, p, out, jacobian):
    """Two dips: offset, then center, fwhm and contrast, each of the lower and the upper line; one mixing."""
    _mixed_line(x, p[0], p[1], p[3], p[5], p[7], jacobian[1], jacobian[3], jacobian[5], jacobian[7])
    _mixed_line(x, p[0], p[2], p[4], p[6], p[7], jacobian[2], jacobian[4], jacobian[6], jacobian[0])
    add_row(jacobian[7], jacobian[0])
    sum_double(p[0], p[5], p[6], jacobian[5], jacobian[6], jacobian[0], out)


@kernel(SIGNATURES)
def pseudo_voigt_shared(x, p, out, jacobian):
    """Two dips of one width: offset, two centers, fwhm, two contrasts, mixing."""
    _mixed_line(x, p[0], p[1], p[3], p[4], p[6], jacobian[1], jacobian[3], jacobian[4], jacobian[6])
    _mixed_line(x, p[0], p[2], p[3], p[5], p[6], jacobian[2], out, jacobian[5], jacobian[0])
    add_row(jacobian[3], out)  # values come last as well
    add_row(jacobian[6], jacobian[0])
    sum_double(p[0], p[4], p[5], jacobian[4], jacobian[5], jacobian[0], out)
