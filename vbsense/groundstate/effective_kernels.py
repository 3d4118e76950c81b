"""Kernels of the Hamiltonian model: a few effective lines whose places and weights follow the field.

``kernel(x, p, out, jacobian)`` as in `vbsense._shapes`. The parameters are offset, D, Bz, fwhm, contrast_lower,
contrast_upper; behind them lie the constants (see `vbsense.groundstate.effective`): the number of lines of a branch,
the intervals of the field and their size below and above the change of steps, the nodes of the width, then for every
node of the field the places of all lines (lower branch first), their slopes, the weights and their slopes, and what
turns true parameters into effective ones: for every width the differences of field, D and width and their slopes along
the width, then the slopes of all these along the field.

Where E is a parameter, a seventh, there are three such tables behind E of the middle one and their distance. What a
fit needs of them at one E, near one field, is put together into one table first.

Lorentzians are added three at a time, for one division, and Gaussians two at a time. Four sums serve all derivatives,
for LLVM gives up on loops that store to more arrays than that.
"""

from __future__ import annotations

import math

import numpy as np
from numba import boolean, float32, float64, int64, types, void

from vbsense._jit import kernel

# The polynomial in place of exp is the same as that of the simple shapes. If that file changes, so must the cache:
# delete the __pycache__ folders.
from vbsense._shapes import SIGNATURES, exp_negative

__all__ = [
    "HEAD",
    "PARAMETERS",
    "hamiltonian_E_gaussian",
    "hamiltonian_E_lorentzian",
    "hamiltonian_gaussian",
    "hamiltonian_lorentzian",
]

PARAMETERS, HEAD = 6, 8  # numbers before the constants; numbers of these before the table
_NEAR = 7  # nodes of the field on either side that effective fields can lie in
_REALS = (float32, float64)
_RATE = -4.0 * math.log(2.0)


@kernel([types.UniTuple(int64, 2)(r[::1], r) for r in _REALS])
def _interval(p, field):
    """Where the table of the interval begins, and its number."""
    lines, low, fine = int(p[6]), int(p[7]), p[8]
    high, coarse = int(p[9]), p[10]
    knee = int(p[7]) * p[8]
    k = int(field / fine) if field < knee else low + int((field - knee) / coarse)
    k = min(max(k, 0), low + high - 1)
    return PARAMETERS + HEAD + k * (8 * lines + 12 * int(p[11])), k


@kernel([types.UniTuple(r, 8)(r[::1], r, int64) for r in _REALS])
def _inside(p, field, k):
    """Values of the cubic polynomials of Hermite for the far node and both slopes; the same for derivatives."""
    one, two, three = p.dtype.type(1), p.dtype.type(2), p.dtype.type(3)
    low = int(p[7])
    step = p[8] if k < low else p[10]
    begin = k * p[8] if k < low else low * p[8] + (k - low) * p[10]
    t = (field - begin) / step
    rest = t - one
    slopes = two * three * t * (one - t) / step, (three * t - one) * rest, t * (three * t - two)
    return (t * t * (three - two * t), t * rest * rest * step, t * t * rest * step, *slopes, step, t)


@kernel([types.UniTuple(r, 2)(r[::1], int64, int64, int64, types.UniTuple(r, 8)) for r in _REALS])
def _read(p, at, further, next_node, basis):
    """A number of the table between two nodes, and its slope; slopes lie `further` behind values."""
    far = at + next_node
    rise, near, end = p[far] - p[at], p[at + further], p[far + further]
    return (
        p[at] + basis[0] * rise + basis[1] * near + basis[2] * end,
        basis[3] * rise + basis[4] * near + basis[5] * end,
    )


@kernel([types.UniTuple(r, 3)(r[::1], int64, int64, int64, types.UniTuple(r, 8), types.UniTuple(r, 6)) for r in _REALS])
def _difference(p, at, widths, next_node, basis, along):
    """One of the differences at its place between two widths, and its slopes along the field and the width."""
    further = 6 * widths
    a, da = _read(p, at, further, next_node, basis)
    b, db = _read(p, at + 6, further, next_node, basis)
    s, ds = _read(p, at + 3, further, next_node, basis)
    t, dt = _read(p, at + 9, further, next_node, basis)
    return (
        a + along[0] * (b - a) + along[1] * s + along[2] * t,
        da + along[0] * (db - da) + along[1] * ds + along[2] * dt,
        along[3] * (b - a) + along[4] * s + along[5] * t,
    )


@kernel([types.UniTuple(types.UniTuple(r, 3), 3)(r[::1]) for r in _REALS])
def _differences(p):
    """Effective minus true field, D and width: each with its slopes by the true field and width."""
    zero, one, two, three = p.dtype.type(0), p.dtype.type(1), p.dtype.type(2), p.dtype.type(3)
    start, k = _interval(p, p[2])
    basis = _inside(p, p[2], k)
    widths, node = int(p[11]), 8 * int(p[6]) + 12 * int(p[11])
    place = np.log(p[3] / p[12]) * p[13]
    inner = place > zero and place < p[11] - one
    place = min(max(place, zero), p[11] - one)
    j = min(int(place), widths - 2)
    t = place - p.dtype.type(j)
    rest = t - one
    per = p[13] / p[3] if inner else zero
    along = (
        t * t * (three - two * t), t * rest * rest, t * t * rest,
        per * two * three * t * (one - t), per * (three * t - one) * rest, per * t * (three * t - two),
    )  # fmt: skip
    at = start + 8 * int(p[6]) + 6 * j
    return (
        _difference(p, at, widths, node, basis, along),
        _difference(p, at + 1, widths, node, basis, along),
        _difference(p, at + 2, widths, node, basis, along),
    )


def _lines(n):
    """Signatures of kernels that add `n` lines, each (place, weight, their derivatives by the field)."""
    return [void(r[::1], r, r, *(types.UniTuple(r, 4),) * n, r[::1], r[::1], r[::1], r[::1]) for r in _REALS]


@kernel(_lines(3))
def _add_three_lorentzians(x, square, contrast, first, second, third, total, squares, moment, field):
    """Add lines r = 1 / (square + u^2): sums of r, r^2, u r^2, and what the field does to the lines."""
    one, two = x.dtype.type(1), x.dtype.type(2)
    (p1, w1, s1, c1), (p2, w2, s2, c2), (p3, w3, s3, c3) = first, second, third
    h1, h2, h3 = contrast * w1, contrast * w2, contrast * w3
    s1, s2, s3 = two * s1, two * s2, two * s3
    c1, c2, c3 = contrast * c1, contrast * c2, contrast * c3
    for m in range(x.size):
        u1, u2, u3 = x[m] - p1, x[m] - p2, x[m] - p3
        a1, a2, a3 = square + u1 * u1, square + u2 * u2, square + u3 * u3
        both = a1 * a2
        inverse = one / (both * a3)  # one division for three lines
        rest = a3 * inverse
        r1, r2, r3 = a2 * rest, a1 * rest, both * inverse
        total[m] += w1 * r1 + w2 * r2 + w3 * r3
        q1, q2, q3 = h1 * r1 * r1, h2 * r2 * r2, h3 * r3 * r3
        squares[m] += q1 + q2 + q3
        u1, u2, u3 = u1 * q1, u2 * q2, u3 * q3
        moment[m] += u1 + u2 + u3
        field[m] += c1 * r1 + c2 * r2 + c3 * r3 + s1 * u1 + s2 * u2 + s3 * u3


@kernel(_lines(1))
def _add_lorentzian(x, square, contrast, line, total, squares, moment, field):
    """Add one line, as above."""
    one, two = x.dtype.type(1), x.dtype.type(2)
    place, weight, shift, change = line
    height, shift, change = contrast * weight, two * shift, contrast * change
    for m in range(x.size):
        u = x[m] - place
        r = one / (square + u * u)
        total[m] += weight * r
        q = height * r * r
        squares[m] += q
        u *= q
        moment[m] += u
        field[m] += change * r + shift * u


@kernel(_lines(2))
def _add_two_gaussians(x, rate, contrast, one, two, total, squares, moment, field):
    """Add lines e = exp(rate u^2): sums of e, u^2 e, u e, and what the field does to the lines."""
    minus = x.dtype.type(-2) * rate
    (p1, w1, s1, c1), (p2, w2, s2, c2) = one, two
    h1, h2, s1, s2 = contrast * w1, contrast * w2, minus * s1, minus * s2
    c1, c2 = contrast * c1, contrast * c2
    for m in range(x.size):
        u, v = x[m] - p1, x[m] - p2
        a, b = exp_negative(rate * u * u), exp_negative(rate * v * v)
        total[m] += w1 * a + w2 * b
        c, d = h1 * u * a, h2 * v * b
        squares[m] += u * c + v * d
        moment[m] += c + d
        field[m] += c1 * a + c2 * b + s1 * c + s2 * d


@kernel(_lines(1))
def _add_gaussian(x, rate, contrast, line, total, squares, moment, field):
    """Add one line, as above."""
    place, weight, shift, change = line
    height, shift, change = contrast * weight, x.dtype.type(-2) * rate * shift, contrast * change
    for m in range(x.size):
        u = x[m] - place
        a = exp_negative(rate * u * u)
        total[m] += weight * a
        c = height * u * a
        squares[m] += u * c
        moment[m] += c
        field[m] += change * a + shift * c


@kernel([types.UniTuple(r, 4)(r[::1], r, int64, int64, int64, types.UniTuple(r, 8)) for r in _REALS])
def _line(p, D, at, row, node, basis):
    """Place, weight and their derivatives by the field of the line whose place lies `at` in the table."""
    place, shift = _read(p, at, row, node, basis)
    weight, change = _read(p, at + 2 * row, row, node, basis)
    return D + place, weight, shift, change


@kernel([void(boolean, r[::1], r[::1], r, r, int64, r, r[::1], r[::1], r[::1], r[::1]) for r in _REALS])
def _add_branch(gaussian, x, p, D, bias, side, width, total, squares, moment, field):
    """Add the lines of the lower (0) or upper (1) branch; `width` is what the shape of a line takes."""
    lines, contrast = int(p[6]), p[4 + side]
    row, node = 2 * lines, 8 * lines + 12 * int(p[11])
    start, k = _interval(p, bias)
    basis = _inside(p, bias, k)
    total[:] = x.dtype.type(0)
    at, end = start + side * lines, start + (side + 1) * lines
    while at < end:
        one = _line(p, D, at, row, node, basis)
        if gaussian and end - at >= 2:
            two = _line(p, D, at + 1, row, node, basis)
            _add_two_gaussians(x, width, contrast, one, two, total, squares, moment, field)
            at += 2
        elif gaussian:
            _add_gaussian(x, width, contrast, one, total, squares, moment, field)
            at += 1
        elif end - at >= 3:
            two, three = _line(p, D, at + 1, row, node, basis), _line(p, D, at + 2, row, node, basis)
            _add_three_lorentzians(x, width, contrast, one, two, three, total, squares, moment, field)
            at += 3
        else:
            _add_lorentzian(x, width, contrast, one, total, squares, moment, field)
            at += 1


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


@kernel([void(types.UniTuple(types.UniTuple(r, 3), 3), r[::1], r[::1], r[::1]) for r in _REALS])
def _by_true(differences, by_D, by_field, by_fwhm):
    """Turn derivatives by effective field and width into those by the true ones."""
    (_, bb, bw), (_, db, dw), (_, wb, ww) = differences
    bb += by_D.dtype.type(1)
    ww += by_D.dtype.type(1)
    for m in range(by_D.size):
        d, b, w = by_D[m], by_field[m], by_fwhm[m]
        by_field[m] = bb * b + db * d + wb * w
        by_fwhm[m] = bw * b + dw * d + ww * w


@kernel(SIGNATURES)
def hamiltonian_lorentzian(x, p, out, jacobian):
    """Lorentzians; a line of weight 1 is 1 at its middle."""
    real = x.dtype.type
    differences = _differences(p)
    offset, fwhm, D, bias = p[0], p[3] + differences[2][0], p[1] + differences[1][0], p[2] + differences[0][0]
    square = fwhm * fwhm / real(4)
    by_D, by_field, by_fwhm = jacobian[1], jacobian[2], jacobian[3]
    by_D[:], by_field[:], by_fwhm[:] = real(0), real(0), real(0)
    for side in range(2):
        _add_branch(False, x, p, D, bias, side, square, jacobian[4 + side], by_fwhm, by_D, by_field)
    _finish(offset, square, real(2) * square, jacobian[4], jacobian[5], by_D)
    _values(offset, p[4], p[5], jacobian[4], jacobian[5], jacobian[0], out)
    scale = -offset * square
    narrow, wide = real(2) / fwhm, offset * square * fwhm / real(2)
    for m in range(x.size):
        by_field[m] *= scale
        by_fwhm[m] = narrow * (out[m] - offset) + wide * by_fwhm[m]
    _by_true(differences, by_D, by_field, by_fwhm)


@kernel(SIGNATURES)
def hamiltonian_gaussian(x, p, out, jacobian):
    """Gaussians; a line of weight 1 is 1 at its middle."""
    real = x.dtype.type
    differences = _differences(p)
    offset, fwhm, D, bias = p[0], p[3] + differences[2][0], p[1] + differences[1][0], p[2] + differences[0][0]
    rate = real(_RATE) / (fwhm * fwhm)
    by_D, by_field, by_fwhm = jacobian[1], jacobian[2], jacobian[3]
    by_D[:], by_field[:], by_fwhm[:] = real(0), real(0), real(0)
    for side in range(2):
        _add_branch(True, x, p, D, bias, side, rate, jacobian[4 + side], by_fwhm, by_D, by_field)
    _finish(offset, real(1), real(-2) * rate, jacobian[4], jacobian[5], by_D)
    _values(offset, p[4], p[5], jacobian[4], jacobian[5], jacobian[0], out)
    wide = real(2) * offset * rate / fwhm
    for m in range(x.size):
        by_field[m] *= -offset
        by_fwhm[m] *= wide
    _by_true(differences, by_D, by_field, by_fwhm)


@kernel([void(r[::1], r, r[::1]) for r in _REALS])
def _blend(p, E, q):
    """Fill `q` as of a model without E: the parabola through the three tables, at the nodes near the field."""
    real = p.dtype.type
    one, two = real(1), real(2)
    size, begin = q.size - PARAMETERS, PARAMETERS + 3
    t = (E - p[PARAMETERS + 1]) / p[PARAMETERS + 2]
    low, middle, high = t * (t - one) / two, one - t * t, t * (t + one) / two
    for i in range(PARAMETERS):
        q[i] = p[i]
    for i in range(HEAD):
        q[PARAMETERS + i] = p[begin + i]
    _, k = _interval(q, q[2])
    node = 8 * int(q[6]) + 12 * int(q[11])
    first = HEAD + max(k - _NEAR, 0) * node
    last = min(HEAD + (k + _NEAR + 2) * node, size)
    a, b, c = p[begin : begin + size], p[begin + size : begin + 2 * size], p[begin + 2 * size :]
    out = q[PARAMETERS:]
    for m in range(first, last):
        out[m] = low * a[m] + middle * b[m] + high * c[m]


@kernel([void(boolean, r[::1], r[::1], r[::1], r[:, ::1]) for r in _REALS])
def _with_E(gaussian, x, p, out, jacobian):
    """Six parameters as above, and E, for which the derivative is a central difference."""
    real = x.dtype.type
    one = real(1)
    step = real(4) * real((np.nextafter(one, real(2)) - one) ** (1.0 / 3.0))
    q = np.zeros(PARAMETERS + (p.size - PARAMETERS - 3) // 3, x.dtype)
    by_E, rows = jacobian[PARAMETERS], jacobian[:PARAMETERS]
    for turn in range(3):  # the last one at E itself
        E = p[PARAMETERS] + (step if turn == 1 else -step if turn == 0 else real(0))
        _blend(p, E, q)
        if gaussian:
            hamiltonian_gaussian(x, q, out, rows)
        else:
            hamiltonian_lorentzian(x, q, out, rows)
        for m in range(x.size):
            if turn == 0:
                by_E[m] = out[m]
            elif turn == 1:
                by_E[m] = (out[m] - by_E[m]) / (step + step)


@kernel(SIGNATURES)
def hamiltonian_E_lorentzian(x, p, out, jacobian):
    """Lorentzians, with E for a seventh parameter."""
    _with_E(False, x, p, out, jacobian)


@kernel(SIGNATURES)
def hamiltonian_E_gaussian(x, p, out, jacobian):
    """Gaussians, with E for a seventh parameter."""
    _with_E(True, x, p, out, jacobian)
