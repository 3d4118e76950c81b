"""Compiled combs of Lorentzians: values and analytic derivatives, in float32 and float64.

Frequencies are in units of a length of the comb (`Model.scale`), in which the places of its lines are given:
distances of pairs of lines from the middle, and the weight of either. A line in the middle is a pair of halves.
`comb`, `comb1` and `comb_shared` find in `p` behind the parameters (`Model.constants`) where the contrast is the depth,
then the places, then the weights.

`add_row`, `sum_single` and `sum_double` come from `vbsense._shapes`: see there what to do after an edit.
"""

from __future__ import annotations

from numba import float32, float64, types, void

from vbsense._jit import kernel
from vbsense._shapes import SIGNATURES, add_row, sum_double, sum_single

__all__ = ["comb", "comb1", "comb_shared", "hyperfine14", "hyperfine15"]

_PLACES14, _WEIGHTS14 = (0.0, 1.0, 2.0, 3.0), (3.5, 6.0, 3.0, 1.0)  # 1:3:6:7:6:3:1
_PLACES15, _WEIGHTS15 = (0.5, 1.5), (3.0, 1.0)  # 1:3:3:1
_MIDDLE = 0.0
_REALS = (float32, float64)


@kernel([void(r[::1], r, r, r, r, r[::1], r[::1], r[::1]) for r in _REALS])
def _add_pair(x, center, square, place, weight, moment, squares, total):
    """Add the lines r = 1 / (square + u^2), u counted from either, to the sums of u r^2, of r^2 and of r."""
    one = x.dtype.type(1)
    for m in range(x.size):
        left, right = x[m] - center + place, x[m] - center - place
        p, q = square + left * left, square + right * right
        both = one / (p * q)  # one division for two lines
        p, q = q * both, p * both
        total[m] += weight * (p + q)
        squares[m] += weight * (p * p + q * q)
        moment[m] += weight * (left * p * p + right * q * q)


@kernel([void(r, r, r, r, r[::1], r[::1], r[::1]) for r in _REALS])
def _scale_sums(by_moment, by_squares, by_total, height, moment, squares, total):
    """Turn the three sums into derivatives with respect to center, fwhm and contrast."""
    for m in range(total.size):
        moment[m] *= by_moment
        squares[m] = by_squares * squares[m] + by_total * total[m]
        total[m] *= height


@kernel(
    [
        void(r[::1], r, r, r, r, r, pairs, pairs, r[::1], r[::1], r[::1])
        for r in _REALS
        for pairs in (types.UniTuple(float64, 2), types.UniTuple(float64, 4), r[::1])
    ]
)
def _comb_line(x, offset, center, fwhm, contrast, where, places, weights, by_center, by_fwhm, by_contrast):
    """Lorentzians of width `fwhm`, divided by their sum `where` the contrast is the depth."""
    real = x.dtype.type
    zero, one, two = real(0), real(1), real(2)
    square = fwhm * fwhm / real(4)
    height, fall = zero, zero
    by_center[:], by_fwhm[:], by_contrast[:] = zero, zero, zero
    for k in range(len(places)):
        place, weight = real(places[k]), real(weights[k])
        left, right = where + place, where - place
        left, right = square + left * left, square + right * right
        both = one / (left * right)
        left, right = left * both, right * both
        height += weight * (left + right)
        fall += weight * (left * left + right * right)
        _add_pair(x, center, square, place, weight, by_center, by_fwhm, by_contrast)
    depth = offset * contrast / height
    bend = depth * fwhm / two
    _scale_sums(-two * depth, bend, -bend * fall / height, -offset / height, by_center, by_fwhm, by_contrast)


@kernel(SIGNATURES)
def hyperfine14(x, p, out, jacobian):
    """Two combs of seven Lorentzians: the parameters of `lorentzian`, `x` in units of the spacing."""
    _comb_line(x, p[0], p[1], p[3], p[5], _MIDDLE, _PLACES14, _WEIGHTS14, jacobian[1], jacobian[3], jacobian[5])
    _comb_line(x, p[0], p[2], p[4], p[6], _MIDDLE, _PLACES14, _WEIGHTS14, jacobian[2], jacobian[4], jacobian[6])
    sum_double(p[0], p[5], p[6], jacobian[5], jacobian[6], jacobian[0], out)


@kernel(SIGNATURES)
def hyperfine15(x, p, out, jacobian):
    """Two combs of four Lorentzians: the parameters of `lorentzian`, `x` in units of the spacing."""
    _comb_line(x, p[0], p[1], p[3], p[5], _MIDDLE, _PLACES15, _WEIGHTS15, jacobian[1], jacobian[3], jacobian[5])
    _comb_line(x, p[0], p[2], p[4], p[6], _MIDDLE, _PLACES15, _WEIGHTS15, jacobian[2], jacobian[4], jacobian[6])
    sum_double(p[0], p[5], p[6], jacobian[5], jacobian[6], jacobian[0], out)


@kernel(SIGNATURES)
def comb1(x, p, out, jacobian):
    """One comb: offset, center, fwhm, contrast; then the constants."""
    k = (p.size - 5) // 2
    where, places, weights = p[4], p[5 : 5 + k], p[5 + k :]
    _comb_line(x, p[0], p[1], p[2], p[3], where, places, weights, jacobian[1], jacobian[2], jacobian[3])
    sum_single(p[0], p[3], jacobian[3], jacobian[0], out)


@kernel(SIGNATURES)
def comb(x, p, out, jacobian):
    """Two combs: offset, then center, fwhm and contrast, each of the lower and the upper; then the constants."""
    k = (p.size - 8) // 2
    where, places, weights = p[7], p[8 : 8 + k], p[8 + k :]
    _comb_line(x, p[0], p[1], p[3], p[5], where, places, weights, jacobian[1], jacobian[3], jacobian[5])
    _comb_line(x, p[0], p[2], p[4], p[6], where, places, weights, jacobian[2], jacobian[4], jacobian[6])
    sum_double(p[0], p[5], p[6], jacobian[5], jacobian[6], jacobian[0], out)


@kernel(SIGNATURES)
def comb_shared(x, p, out, jacobian):
    """Two combs of one width: offset, two centers, fwhm, two contrasts; then the constants."""
    k = (p.size - 7) // 2
    where, places, weights = p[6], p[7 : 7 + k], p[7 + k :]
    _comb_line(x, p[0], p[1], p[3], p[4], where, places, weights, jacobian[1], jacobian[3], jacobian[4])
    _comb_line(x, p[0], p[2], p[3], p[5], where, places, weights, jacobian[2], jacobian[0], jacobian[5])
    add_row(jacobian[3], jacobian[0])
    sum_double(p[0], p[4], p[5], jacobian[4], jacobian[5], jacobian[0], out)
