"""Levenberg-Marquardt for a block of spectra: compiled, in float32 and float64, ignorant of units and xarray.

Level 1, `_evaluate`: the model at one point of parameter space, as a normal matrix. The Jacobian lies in rows
``(parameter, frequency)`` with the weighted residual as one row more, so that matrix, gradient and chi-squared
are dot products of rows. Level 2, `_eliminate`, `_substitute`, `_move`: one damped step inside the box. Level 3,
`_descend`: one spectrum. Level 4, `fit_block`: all of them.

Undamped Gauss-Newton steps are tried first; damping (Marquardt's, scaled by the diagonal) enters only after a step
that did not lower chi-squared. The last step is taken without another evaluation, as soon as what would be left
after it is far below the noise: near the end each step is shorter by the same factor, and that factor is measured.

References
----------
D. W. Marquardt, J. Soc. Indust. Appl. Math. 11, 431 (1963).
"""

from __future__ import annotations

import numpy as np
from numba import boolean, float32, float64, int64, types, uint8, void

from vbsense._jit import kernel

__all__ = ["NOT_CONVERGED", "ON_BOUND", "PAD", "TILE", "fit_block", "inform_block"]

PAD = 16  # frequencies are padded to a multiple of this: two vectors of eight float32
TILE = 4  # rows (parameters and residual) likewise

# A step is the last one if it is shorter than LAST (in sigma) and the rest after it, as estimated from the
# shrinking of the steps (of their squares by LEAST at best), is shorter than REST. A step shorter than STALL that does
# not lower chi-squared is the end: rounding is in the way. Who computes in float64 gets a shorter rest, EXACT.
LAST, REST, EXACT, LEAST, STALL = 0.3, 4e-3, 1e-3, 3e-3, 0.05

# A step is shortened that goes along the one before by more than ALONG (square of a cosine), if LONGEST or less is
# enough of it.
ALONG, SHORTEST, LONGEST = 0.3, 0.2, 0.8

# Weights that follow the model are set anew (and chi-squared may rise a little) until a step is shorter than this.
NEAR = 3.0

# How a fit ended. Not the bits of the registry of flags: a cached kernel would not notice that these change.
NOT_CONVERGED, ON_BOUND = 1, 2

REALS = (float32, float64)


def model_type(real):
    """Type of a compiled line shape, as a value that a kernel can be handed."""
    return types.FunctionType(void(real[::1], real[::1], real[::1], real[:, ::1]))


@kernel([void(r[::1], r[::1], r, r[::1]) for r in REALS])
def _set_weights(values, root, share, weight):
    """Square roots of the weights; `share` of the variance is proportional to the model (shot noise)."""
    one, least = weight.dtype.type(1), weight.dtype.type(0.05)
    for m in range(weight.size):
        weight[m] = root[m] / np.sqrt(one - share + share * max(values[m], least))


@kernel([r(r[::1], r[::1], r, r[::1]) for r in REALS])
def _tame(values, signal, tail, weight):
    """Lessen the weights of points whose residual is beyond `tail`, and return by how much that changes chi-squared.

    With these weights the gradient is that of Huber's loss: r^2 within, 2 tail |r| - tail^2 beyond. The sum of
    squares with the new weights counts tail |r| for the latter; what is missing is returned.
    """
    missing = weight.dtype.type(0)
    for m in range(weight.size):
        r = abs(signal[m] - values[m]) * weight[m]
        if r > tail:
            weight[m] *= np.sqrt(tail / r)
            missing += tail * (r - tail)
    return missing


@kernel([void(r[:, ::1], r[::1], r[::1], r[::1], int64) for r in REALS])
def _weigh(rows, values, signal, weight, n):
    """Weight the `n` rows of the Jacobian and append the weighted residual."""
    for i in range(n):
        row = rows[i]
        for m in range(weight.size):
            row[m] *= weight[m]
    row = rows[n]
    for m in range(weight.size):
        row[m] = (signal[m] - values[m]) * weight[m]


@kernel([void(r[:, ::1], int64, r[:, ::1]) for r in REALS])
def _normal_diagonal(rows, i, matrix):
    """Products of four rows from `i` on among themselves, upper triangle."""
    a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
    zero = rows.dtype.type(0)
    aa, ab, ac, ad, bb, bc, bd, cc, cd, dd = zero, zero, zero, zero, zero, zero, zero, zero, zero, zero
    for m in range(rows.shape[1]):
        aa += a[m] * a[m]
        ab += a[m] * b[m]
        ac += a[m] * c[m]
        ad += a[m] * d[m]
        bb += b[m] * b[m]
        bc += b[m] * c[m]
        bd += b[m] * d[m]
        cc += c[m] * c[m]
        cd += c[m] * d[m]
        dd += d[m] * d[m]
    matrix[i, i], matrix[i, i + 1], matrix[i, i + 2], matrix[i, i + 3] = aa, ab, ac, ad
    matrix[i + 1, i + 1], matrix[i + 1, i + 2], matrix[i + 1, i + 3] = bb, bc, bd
    matrix[i + 2, i + 2], matrix[i + 2, i + 3], matrix[i + 3, i + 3] = cc, cd, dd


@kernel([void(r[:, ::1], r[:, ::1]) for r in REALS])
def _normal(rows, matrix):
    """Products of all rows, upper triangle, in tiles of two by four that share their loads."""
    zero = rows.dtype.type(0)
    for i in range(0, rows.shape[0], 4):
        _normal_diagonal(rows, i, matrix)
        a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        for j in range(0, i, 2):
            u, v = rows[j], rows[j + 1]
            au, av, bu, bv, cu, cv, du, dv = zero, zero, zero, zero, zero, zero, zero, zero
            for m in range(rows.shape[1]):
                au += a[m] * u[m]
                av += a[m] * v[m]
                bu += b[m] * u[m]
                bv += b[m] * v[m]
                cu += c[m] * u[m]
                cv += c[m] * v[m]
                du += d[m] * u[m]
                dv += d[m] * v[m]
            matrix[j, i], matrix[j, i + 1], matrix[j, i + 2], matrix[j, i + 3] = au, bu, cu, du
            matrix[j + 1, i], matrix[j + 1, i + 1], matrix[j + 1, i + 2], matrix[j + 1, i + 3] = av, bv, cv, dv


@kernel([void(model_type(r), r[::1], r[::1], r[::1], r[::1], r[::1], r, r, r[:, ::1], r[:, ::1]) for r in REALS])
def _evaluate(model, x, signal, p, whole, root, share, tail, rows, matrix):
    """Fill the normal matrix at `p`. The last two `rows` hold values and weights; the latter follow `root`, if any.

    `whole` holds the model's constants behind room for the parameters. With a `tail`, `root` must be given.
    """
    n, last = p.size, rows.shape[0] - 2
    values, weight = rows[last], rows[last + 1]
    for i in range(n):
        whole[i] = p[i]
    model(x, whole, values, rows[:n])
    if root.size > 0:
        _set_weights(values, root, share, weight)
    missing = _tame(values, signal, tail, weight) if tail > 0 else tail
    _weigh(rows, values, signal, weight, n)
    _normal(rows[:last], matrix)
    matrix[n, n] += missing


@kernel([boolean(r[::1], r[:, ::1], r[:, ::1], boolean[::1], boolean[::1]) for r in REALS])
def _hold(p, matrix, box, fixed, held):
    """Hold fixed parameters and those on a bound that the gradient pushes against; True if any of the latter."""
    at_bound, n = False, p.size
    for i in range(n):
        gradient = matrix[i, n]
        pushed = (p[i] <= box[0, i] and gradient <= 0) or (p[i] >= box[1, i] and gradient >= 0)
        held[i] = fixed[i] or pushed
        at_bound |= pushed and not fixed[i]
    return at_bound


@kernel([void(r[:, ::1], boolean[::1]) for r in REALS])
def _take_out(factors, held):
    """Make held parameters inert: rows and columns of the unit matrix."""
    for i in range(held.size):
        if held[i]:
            factors[i, :] = 0
            factors[:i, i] = 0
            factors[i, i] = 1


@kernel([boolean(r[:, ::1], r, boolean[::1], r, r[:, ::1], r[::1]) for r in REALS])
def _eliminate(matrix, damping, held, smallest, factors, inverse):
    """Eliminate downwards in the damped matrix and its gradient column; False if it is singular.

    Fills the upper triangle of `factors` (D L^T and, in column n, the gradient times the inverse of L) and the
    inverse of D. Whole rows are updated: as vectors they cost less than their triangle.
    """
    one = inverse.dtype.type(1)
    n, side = held.size, matrix.shape[1]
    for i in range(n):
        for k in range(side):
            factors[i, k] = matrix[i, k]
        factors[i, i] *= one + damping
    _take_out(factors, held)
    for j in range(n):
        pivot = factors[j, j]
        if not pivot > smallest * matrix[j, j] and not held[j]:
            return False
        inverse[j] = one / pivot
        for i in range(j + 1, n):
            ratio = factors[j, i] * inverse[j]
            for k in range(side):
                factors[i, k] -= ratio * factors[j, k]
    return True


@kernel([r(r[:, ::1], r[::1], r[::1]) for r in REALS])
def _substitute(factors, inverse, step):
    """Fill the step; return the gain in chi-squared that it promises, which is its squared length in sigma."""
    n, gain = step.size, inverse.dtype.type(0)
    for i in range(n - 1, -1, -1):
        t = factors[i, n]
        gain += t * t * inverse[i]
        for k in range(i + 1, n):
            t -= factors[i, k] * step[k]
        step[i] = t * inverse[i]
    return gain


@kernel([boolean(r[::1], r[::1], r[:, ::1], r[::1]) for r in REALS])
def _move(p, step, box, moved):
    """Fill the point after the step, projected into the box; True if the box did not matter."""
    inside = True
    for i in range(p.size):
        q = p[i] + step[i]
        moved[i] = min(max(q, box[0, i]), box[1, i])
        inside &= moved[i] == q
    return inside


@kernel([void(r[:, ::1], r[::1], r[:, ::1]) for r in REALS])
def _invert_lower(factors, inverse, work):
    """Fill the inverse of L, unit lower triangular, of the eliminated matrix."""
    n = inverse.size
    work[:] = 0
    for j in range(n):
        work[j, j] = 1
    for j in range(n):
        for i in range(j + 1, n):
            ratio = factors[j, i] * inverse[j]
            for k in range(work.shape[1]):
                work[i, k] -= ratio * work[j, k]


@kernel([void(r[::1], boolean[::1], r[:, ::1], r[::1]) for r in REALS])
def _variances(inverse, held, work, variance):
    """Fill the diagonal of the inverse of the eliminated matrix from that of L; zero for held parameters."""
    n = inverse.size
    for i in range(n):
        variance[i] = 0
    for k in range(n):
        for i in range(n):
            variance[i] += work[k, i] * work[k, i] * inverse[k]
    for i in range(n):
        if held[i]:
            variance[i] = 0


@kernel([void(r[::1], boolean[::1], r[:, ::1], r[:, ::1]) for r in REALS])
def _covariances(inverse, held, work, covariance):
    """Fill the whole inverse; rows and columns of held parameters are zero."""
    n = inverse.size
    covariance[:] = 0
    for i in range(n):
        if not held[i]:
            for k in range(i, n):
                ratio = work[k, i] * inverse[k]
                for j in range(n):
                    covariance[i, j] += ratio * work[k, j]


@kernel([r(r[:, ::1], boolean[::1], r[::1], r, r, r, r[::1]) for r in REALS])
def _shorten(matrix, held, last, length, previous, gain, step):
    """Shorten a step that goes on along the `last` one by how much chi-squared bends there; return its length.

    `last` was `length` times a step of the gain `previous`. Undamped steps take the square of the Jacobian for the
    curvature; where the residual adds as much to it, they jump to and fro across the minimum for ever.
    """
    one, n, turn = step.dtype.type(1), step.size, step.dtype.type(0)
    for i in range(n):
        turn += last[i] * matrix[i, n] if not held[i] else step.dtype.type(0)
    square = length * length * previous
    scale = max(square / (length * previous - turn), step.dtype.type(SHORTEST))
    if not (scale < step.dtype.type(LONGEST) and turn * turn > gain * square * step.dtype.type(ALONG)):
        return one
    for i in range(n):
        step[i] *= scale
    return scale


@kernel(
    [
        int64(
            model_type(r), *(r[::1],) * 3, r, r, r, boolean, r[:, ::1], boolean[::1], int64, r[::1],
            r[::1], r[:, ::1], r[:, :, ::1], boolean[::1], r[::1],
        )
        for r in REALS
    ]
)  # fmt: skip
def _descend(
    model, x, signal, root, share, noise, tail, follow, box, fixed, limit, p, whole, rows, small, held, quality
):
    """Fit one spectrum, `p` in and out; return how it ended. `quality` takes chi-squared and the evaluations.

    The factors of the last undamped normal matrix are left in ``small[2]`` and their 1/D in ``small[3, 0]``.
    """
    real = x.dtype.type
    zero, one, n = real(0), real(1), p.size
    smallest = real(16) * (np.nextafter(one, real(2)) - one)
    rest = real(REST * REST) if smallest > real(1e-10) else real(EXACT * EXACT)
    here, there, factors = small[0], small[1], small[2]
    inverse, step, moved, last, length = small[3, 0, :n], small[3, 1, :n], small[3, 2, :n], small[3, 3, :n], one
    _evaluate(model, x, signal, p, whole, root, share, tail, rows, here)
    damping, previous, count, bound, settled = zero, zero, 1, False, share == zero
    follow = follow and not settled
    while count <= limit:
        bound = _hold(p, here, box, fixed, held)
        if not _eliminate(here, damping, held, smallest, factors, inverse):
            damping = max(damping * real(10), real(0.01))
            if damping > real(1e6):
                break
            count += 1
            continue
        gain = _substitute(factors, inverse, step)
        scale = _shorten(here, held, last, length, previous, gain, step) if damping == zero and previous > zero else one
        plain = _move(p, step, box, moved) and damping == zero
        shrink = min(max(gain / previous, real(LEAST)), one) if previous > zero else one
        if plain and gain < real(LAST * LAST) * noise and gain * shrink < rest * noise:
            p[:] = moved
            quality[0], quality[1] = max(here[n, n] - gain, zero), real(count)
            return ON_BOUND if bound else 0
        old = root[:0] if settled and tail == zero else root
        _evaluate(model, x, signal, moved, whole, old, share, tail, rows, there)
        count += 1
        if plain and not follow and gain < real(STALL * STALL) * noise and not there[n, n] <= here[n, n]:
            quality[0], quality[1] = here[n, n], real(count)
            return ON_BOUND if bound else 0
        if there[n, n] <= here[n, n] * (one + smallest if settled else real(1.1)):
            p[:] = moved
            last[:], length = step, scale
            here, there = there, here
            settled = settled or (not follow and gain < real(NEAR * NEAR) * noise)
            previous = gain if plain else zero
            damping = damping * real(0.1) if damping > real(1e-3) else zero
        else:
            damping, previous = max(damping * real(10), real(0.01)), zero
    quality[0], quality[1] = here[n, n], real(count)
    return NOT_CONVERGED | (ON_BOUND if bound else 0)


@kernel(
    [
        void(
            model_type(r), r[::1], r[::1], r[:, ::1], r[:, ::1], int64[::1], r[::1], r[::1], r, boolean,
            r[:, :, ::1], boolean[::1], int64, boolean[::1], r[:, ::1], r[:, ::1], r[:, :, ::1], r[:, ::1], uint8[::1],
        )
        for r in REALS
    ]
)  # fmt: skip
def fit_block(
    model, constants, x, signal, roots, root_of, share, noise, tail, follow, box, fixed, limit, wanted, p, variance,
    covariance, quality, ends,
):  # fmt: skip
    """Fit spectra ``signal[i]`` with start values ``p[i]``.

    Parameters
    ----------
    model : compiled line shape
        See `vbsense.lineshape.Model`.
    constants : (k,)
        What the model finds behind its parameters.
    x : (m,)
        Frequencies, padded; the padding has finite values and weight zero.
    signal : (n, m)
        Spectra of order one.
    roots : (k, m)
        Rows of square roots of weights, largest 1, zero where there is nothing measured.
    root_of : (n,)
        Which of `roots` belongs to each spectrum.
    share : (n,)
        Part of the variance that is proportional to the model, 0 to 1; the weights follow the model
        until it is near its end.
    noise : (n,)
        Variance of a point with weight 1.
    tail : float
        Residual (in sigma) from which Huber's loss is linear; 0: squares for all.
    follow : bool
        The weights follow the model to the very end, which makes the result that of Poisson's likelihood.
    box : (n, 2, parameters)
        Lower and upper bounds.
    fixed : (parameters,)
        Parameters that stay at their start value.
    limit : int
        Most evaluations of one spectrum.
    wanted : (n,)
        Spectra to fit.
    p, variance, covariance : (n, parameters), (n, parameters), (n, parameters, parameters)
        Results. `covariance` is the inverse of the undamped normal matrix (times `noise`: in absolute units), or has
        the length 0 where nobody wants it; `variance` is its diagonal.
    quality, ends : (n, 2), (n,)
        `quality` holds chi-squared, in units in which a point of weight 1 has the variance `noise`, and the
        number of evaluations; `ends` holds `NOT_CONVERGED`, `ON_BOUND` or 0.
    """
    parameters = p.shape[1]
    side = TILE * ((parameters + TILE) // TILE)
    rows = np.zeros((side + 2, x.size), x.dtype)
    small = np.zeros((5, side, side), x.dtype)
    held = np.zeros(parameters, np.bool_)
    whole = np.zeros(parameters + constants.size, x.dtype)
    whole[parameters:] = constants
    for i in range(p.shape[0]):
        if wanted[i]:
            found = _descend(
                model, x, signal[i], roots[root_of[i]], share[i], noise[i], tail * np.sqrt(noise[i]), follow,
                box[i], fixed, limit, p[i],
                whole, rows, small, held, quality[i],
            )  # fmt: skip
            ends[i] = found
            if found & NOT_CONVERGED == 0:
                inverse, work = small[3, 0, :parameters], small[4]
                _invert_lower(small[2], inverse, work)
                _variances(inverse, held, work, variance[i])
                if covariance.shape[0] > 0:
                    _covariances(inverse, held, work, covariance[i])


@kernel(
    [
        void(
            model_type(r), r[::1], r[::1], r[:, ::1], r[:, ::1], int64[::1], r[::1], r[::1], r, boolean[::1],
            r[:, ::1], r[:, ::1],
        )
        for r in REALS
    ]
)  # fmt: skip
def inform_block(model, constants, x, signal, roots, root_of, share, noise, tail, fixed, p, variance):
    """Fill the diagonal of the inverse normal matrix of spectra ``signal[i]`` at ``p[i]``; NaN where it is singular.

    Parameters
    ----------
    model, constants, x, signal, roots, root_of, share, noise, tail, fixed, p, variance
        As of `fit_block`; `p` is left alone.
    """
    parameters = p.shape[1]
    side = TILE * ((parameters + TILE) // TILE)
    rows = np.zeros((side + 2, x.size), x.dtype)
    small = np.zeros((4, side, side), x.dtype)
    inverse = small[2, 0, :parameters]
    whole = np.zeros(parameters + constants.size, x.dtype)
    whole[parameters:] = constants
    one = x.dtype.type(1)
    smallest = x.dtype.type(16) * (np.nextafter(one, x.dtype.type(2)) - one)
    for i in range(p.shape[0]):
        far = tail * np.sqrt(noise[i])
        _evaluate(model, x, signal[i], p[i], whole, roots[root_of[i]], share[i], far, rows, small[0])
        if _eliminate(small[0], x.dtype.type(0), fixed, smallest, small[1], inverse):
            _invert_lower(small[1], inverse, small[3])
            _variances(inverse, fixed, small[3], variance[i])
        else:
            variance[i] = np.nan
