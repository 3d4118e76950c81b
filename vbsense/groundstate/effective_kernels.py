"""Kernels of the Hamiltonian model: a few effective lines whose places and weights follow the field.

``kernel(x, p, out, jacobian)`` as in `vbsense._shapes`. The parameters are offset, D, Bz, fwhm, contrast_lower,
contrast_upper; behind them lie the constants (see `vbsense.groundstate.effective`): the number of lines of a branch,
the intervals and their size below and above the change of steps, and for every node of the field the places of all
lines (lower branch first), their slopes, the weights and their slopes.

The lines are added in pairs, of which an odd number has an empty one. Four sums serve all derivatives, for LLVM gives
up on loops that store to more arrays than that.
"""

from __future__ import annotations

import math

from numba import boolean, float32, float64, int64, types, void

from vbsense._jit import kernel

# The polynomial in place of exp is the same as that of the simple shapes. If that file changes, so must the cache:
# delete the __pycache__ folders.
from vbsense._shapes import SIGNATURES, exp_negative

__all__ = ["HEAD", "PARAMETERS", "hamiltonian_gaussian", "hamiltonian_lorentzian"]

PARAMETERS, HEAD = 6, 5  # numbers before the constants; numbers of these before the table
_REALS = (float32, float64)
_RATE = -4.0 * math.log(2.0)


@kernel([types.UniTuple(int64, 2)(r[::1]) for r in _REALS])
def _interval(p):
    """Where the table of the interval begins, and its number."""
    lines, low, fine = int(p[6]), int(p[7]), p[8]
    high, coarse = int(p[9]), p[10]
    field, knee = p[2], int(p[7]) * p[8]
    k = int(field / fine) if field < knee else low + int((field - knee) / coarse)
    k = min(max(k, 0), low + high - 1)
    return PARAMETERS + HEAD + k * 8 * lines, k


@kernel([types.UniTuple(r, 4)(r[::1], int64, int64) for r in _REALS])
def _inside(p, start, k):
    """Values of the four cubic polynomials of Hermite, for nodes and slopes."""
    real = p.dtype.type
    low = int(p[7])
    step = p[8] if k < low else p[10]
    begin = k * p[8] if k < low else low * p[8] + (k - low) * p[10]
    t = (p[2] - begin) / step
    return t * t * (real(3) - real(2) * t), t * (t - real(1)) * (t - real(1)) * step, t * t * (t - real(1)) * step, step


@kernel([types.UniTuple(r, 4)(r[::1]) for r in _REALS])
def _slopes_inside(p):
    """Their derivatives by the field; the last number is not used."""
    real = p.dtype.type
    _, k = _interval(p)
    low = int(p[7])
    step = p[8] if k < low else p[10]
    begin = k * p[8] if k < low else low * p[8] + (k - low) * p[10]
    t = (p[2] - begin) / step
    return (
        real(6) * t * (real(1) - t) / step,
        (real(3) * t - real(1)) * (t - real(1)),
        t * (real(3) * t - real(2)),
        step,
    )


@kernel([r(r[::1], int64, int64, types.UniTuple(r, 4)) for r in _REALS])
def _read(p, at, row, basis):
    """A number of the table between its two nodes; `row` numbers lie between a value and its slope."""
    far = at + 4 * row
    return p[at] + basis[0] * (p[far] - p[at]) + basis[1] * p[at + row] + basis[2] * p[far + row]


@kernel([r(r[::1], int64, int64, types.UniTuple(r, 4)) for r in _REALS])
def _read_slope(p, at, row, basis):
    far = at + 4 * row
    return basis[0] * (p[far] - p[at]) + basis[1] * p[at + row] + basis[2] * p[far + row]


@kernel([void(r[::1], *(r,) * 10, r[::1], r[::1], r[::1], r[::1]) for r in _REALS])
def _add_lorentzians(
    x, square, contrast, place, weight, shift, change, place2, weight2, shift2, change2, total, squares, moment, field
):  # fmt: skip
    """Add two lines r = 1 / (square + u^2): sums of r, r^2, u r^2, and what the field does to both lines."""
    one, two = x.dtype.type(1), x.dtype.type(2)
    first, second = contrast * weight, contrast * weight2
    shift, shift2 = two * shift, two * shift2
    change, change2 = contrast * change, contrast * change2
    for m in range(x.size):
        u, v = x[m] - place, x[m] - place2
        a, b = square + u * u, square + v * v
        both = one / (a * b)  # one division for two lines
        a, b = b * both, a * both
        total[m] += weight * a + weight2 * b
        c, d = first * a * a, second * b * b
        squares[m] += c + d
        u, v = u * c, v * d
        moment[m] += u + v
        field[m] += change * a + change2 * b + shift * u + shift2 * v


@kernel([void(r[::1], *(r,) * 10, r[::1], r[::1], r[::1], r[::1]) for r in _REALS])
def _add_gaussians(
    x, rate, contrast, place, weight, shift, change, place2, weight2, shift2, change2, total, squares, moment, field
):  # fmt: skip
    """Add two lines e = exp(rate u^2): sums of e, u^2 e, u e, and what the field does to both lines."""
    minus = x.dtype.type(-2) * rate
    first, second = contrast * weight, contrast * weight2
    shift, shift2 = minus * shift, minus * shift2
    change, change2 = contrast * change, contrast * change2
    for m in range(x.size):
        u, v = x[m] - place, x[m] - place2
        a, b = exp_negative(rate * u * u), exp_negative(rate * v * v)
        total[m] += weight * a + weight2 * b
        c, d = first * u * a, second * v * b
        squares[m] += u * c + v * d
        moment[m] += c + d
        field[m] += change * a + change2 * b + shift * c + shift2 * d


@kernel([void(boolean, r[::1], r[::1], int64, r, r[::1], r[::1], r[::1], r[::1]) for r in _REALS])
def _add_branch(gaussian, x, p, side, width, total, squares, moment, field):
    """Add the lines of the lower (0) or upper (1) branch; `width` is what the shape of a line takes."""
    zero = x.dtype.type(0)
    lines = int(p[6])
    row = 2 * lines
    start, k = _interval(p)
    basis, slopes = _inside(p, start, k), _slopes_inside(p)
    total[:] = zero
    for g in range(side * lines, (side + 1) * lines, 2):
        at, near = start + g, start + g + 2 * row
        place, shift = p[1] + _read(p, at, row, basis), _read_slope(p, at, row, slopes)
        weight, change = _read(p, near, row, basis), _read_slope(p, near, row, slopes)
        place2, shift2, weight2, change2 = place, zero, zero, zero
        if g + 1 < (side + 1) * lines:
            place2, shift2 = p[1] + _read(p, at + 1, row, basis), _read_slope(p, at + 1, row, slopes)
            weight2, change2 = _read(p, near + 1, row, basis), _read_slope(p, near + 1, row, slopes)
        if gaussian:
            _add_gaussians(
                x, width, p[4 + side], place, weight, shift, change, place2, weight2, shift2, change2,
                total, squares, moment, field,
            )  # fmt: skip
        else:
            _add_lorentzians(
                x, width, p[4 + side], place, weight, shift, change, place2, weight2, shift2, change2,
                total, squares, moment, field,
            )  # fmt: skip


@kernel([void(r, r, r, r[::1], r[::1], r[::1]) for r in _REALS])
def _finish(offset, height, moved, by_lower, by_upper, by_moment):
    """Turn sums into the derivatives by both contrasts and by D."""
    for m in range(by_lower.size):
        by_lower[m] *= -offset * height
        by_upper[m] *= -offset * height
        by_moment[m] *= -offset * moved


@kernel([void(r, r, r, r[::1], r[::1], r[::1], r[::1]) for r in _REALS])
def _values(offset, lower, upper, by_lower, by_upper, by_offset, out):
    per_offset = by_lower.dtype.type(1) / offset
    for m in range(out.size):
        dips = lower * by_lower[m] + upper * by_upper[m]
        by_offset[m] = by_lower.dtype.type(1) + per_offset * dips
        out[m] = offset + dips


@kernel(SIGNATURES)
def hamiltonian_lorentzian(x, p, out, jacobian):
    """Lorentzians; a line of weight 1 is 1 at its middle."""
    real = x.dtype.type
    offset, fwhm = p[0], p[3]
    square = fwhm * fwhm / real(4)
    by_D, by_field, by_fwhm = jacobian[1], jacobian[2], jacobian[3]
    by_D[:], by_field[:], by_fwhm[:] = real(0), real(0), real(0)
    for side in range(2):
        _add_branch(False, x, p, side, square, jacobian[4 + side], by_fwhm, by_D, by_field)
    _finish(offset, square, real(2) * square, jacobian[4], jacobian[5], by_D)
    _values(offset, p[4], p[5], jacobian[4], jacobian[5], jacobian[0], out)
    scale = -offset * square
    narrow, wide = real(2) / fwhm, offset * square * fwhm / real(2)
    for m in range(x.size):
        by_field[m] *= scale
        by_fwhm[m] = narrow * (out[m] - offset) + wide * by_fwhm[m]


@kernel(SIGNATURES)
def hamiltonian_gaussian(x, p, out, jacobian):
    """Gaussians; a line of weight 1 is 1 at its middle."""
    real = x.dtype.type
    offset, fwhm = p[0], p[3]
    rate = real(_RATE) / (fwhm * fwhm)
    by_D, by_field, by_fwhm = jacobian[1], jacobian[2], jacobian[3]
    by_D[:], by_field[:], by_fwhm[:] = real(0), real(0), real(0)
    for side in range(2):
        _add_branch(True, x, p, side, rate, jacobian[4 + side], by_fwhm, by_D, by_field)
    _finish(offset, real(1), real(-2) * rate, jacobian[4], jacobian[5], by_D)
    _values(offset, p[4], p[5], jacobian[4], jacobian[5], jacobian[0], out)
    wide = real(2) * offset * rate / fwhm
    for m in range(x.size):
        by_field[m] *= -offset
        by_fwhm[m] *= wide
