"""One sweep over the grid for each half of a step of `variation`: second differences, shrinking, projections."""

from __future__ import annotations

import numpy as np

from vbsense._jit import kernel


@kernel("void(float64[:, ::1], float64[::1], float64[:, :, ::1], float64[:, :, ::1], int8[:, ::1], float64, float64)")
def shrink(g, scale, u, dual, loose, threshold, relax):
    """Second differences of g into (u, dual): over-relaxed, then shorter by `threshold`, or halved if it is negative.

    `u` and `dual` are (3, ny, nx): along x, along y, mixed, each times its `scale`. Where `loose`, u may be anything.
    """
    ny, nx = g.shape
    keep = 1.0 - relax
    for i in range(ny):
        up, down = (i + 1) % ny, (i - 1) % ny
        for j in range(nx):
            right = j + 1 if j + 1 < nx else 0
            left = j - 1 if j > 0 else nx - 1
            here = g[i, j]
            a = scale[0] * (g[i, right] - 2 * here + g[i, left])
            b = scale[1] * (g[up, j] - 2 * here + g[down, j])
            c = scale[2] * (g[up, right] - g[up, j] - g[i, right] + here)
            a = relax * a + keep * u[0, i, j] + dual[0, i, j]
            b = relax * b + keep * u[1, i, j] + dual[1, i, j]
            c = relax * c + keep * u[2, i, j] + dual[2, i, j]
            length = np.sqrt(a * a + b * b + c * c)
            factor = 1.0 - threshold / length if length > threshold else 0.0
            if threshold < 0.0:
                factor = 0.5
            if loose[i, j]:
                factor = 1.0
            u[0, i, j], u[1, i, j], u[2, i, j] = factor * a, factor * b, factor * c
            rest = 1.0 - factor
            dual[0, i, j], dual[1, i, j], dual[2, i, j] = rest * a, rest * b, rest * c


@kernel("void(float64[:, :, ::1], float64[:, :, ::1], float64[::1], float64[:, :, ::1], float64[:, ::1])")
def spread(u, dual, scale, work, out):
    """The adjoint of the second differences, of u - dual."""
    _, ny, nx = u.shape
    for k in range(3):
        for i in range(ny):
            for j in range(nx):
                work[k, i, j] = scale[k] * (u[k, i, j] - dual[k, i, j])
    for i in range(ny):
        up, down = (i + 1) % ny, (i - 1) % ny
        for j in range(nx):
            right = j + 1 if j + 1 < nx else 0
            left = j - 1 if j > 0 else nx - 1
            total = work[0, i, right] - 2 * work[0, i, j] + work[0, i, left]
            total += work[1, up, j] - 2 * work[1, i, j] + work[1, down, j]
            total += work[2, down, left] - work[2, down, j] - work[2, i, left] + work[2, i, j]
            out[i, j] = total


@kernel(
    "void(float64[:, ::1], float64[::1], float64[::1], "
    "float64[:, :, ::1], float64[:, :, ::1], int8[:, :, ::1], float64)"
)
def restrict(g, scale, uniform, J, dual, rule, relax):
    """Densities of the cells into (J, dual): 0 where the rule is 0, not negative where it is 1, anything where 2.

    `uniform` (2,) flows everywhere besides what g says.
    """
    ny, nx = g.shape
    for i in range(ny):
        up = (i + 1) % ny
        for j in range(nx):
            right = (j + 1) % nx
            p, q = g[up, right] - g[i, j], g[up, j] - g[i, right]
            for k in range(2):
                value = scale[k] * (p + q) if k == 0 else scale[k] * (q - p)
                value += uniform[k]
                value = relax * value + (1.0 - relax) * J[k, i, j] + dual[k, i, j]
                free = rule[k, i, j] == 2 or (rule[k, i, j] == 1 and value > 0.0)
                J[k, i, j] = value if free else 0.0
                dual[k, i, j] = 0.0 if free else value


@kernel("void(float64[:, :, ::1], float64[:, :, ::1], float64[::1], float64, float64[:, ::1])")
def spread_densities(J, dual, scale, weight, out):
    """Add weight times the adjoint of the densities, of J - dual."""
    _, ny, nx = J.shape
    for i in range(ny):
        up = (i + 1) % ny
        for j in range(nx):
            right = (j + 1) % nx
            x = weight * scale[0] * (J[0, i, j] - dual[0, i, j])
            y = weight * scale[1] * (J[1, i, j] - dual[1, i, j])
            out[up, right] += x - y
            out[i, j] -= x - y
            out[up, j] += x + y
            out[i, right] -= x + y
