"""The magnetic field of filaments, straight and round: closed forms that keep their digits everywhere.

Straight segments joined end to end. With e the vector from the end of a segment to the point, r and s the distances
from its start and its end, D the vector from start to end and d the scalar product of the vectors from both ends to
the point,

    B = scale (D x e) (r + s) / (r s (r s + d))                          where d >= 0
    B = scale (D x e) (r + s) (r s - d) / (r s |D x e|^2)                where d < 0: the point lies beside the segment

are the same function, each without cancellation where it is used: one root and one division for each segment and
point, because s is the r of the next segment. The loop over the points of a block has no branch, so that the compiler
turns it into vector code. Only D x e loses digits, as |e| over the distance from the line of the segment. Pairs where
that is more than a thousand are left out of the fast loop and added by ``_careful``, with products of double length.

Circles. The textbook form with K(k) and E(k) loses all digits on the axis and far away, where it is a difference of
nearly equal numbers. Here both integrals come from one arithmetic-geometric mean, of which the differences are taken
by hand. With alpha and beta the shortest and the longest distance from the wire,

    a_0 = beta,  b_0 = alpha,  c_1 = 2 R rho / (alpha + beta),  c_(n+1) = c_n^2 / (4 a_(n+1)),  M = lim a_n
    K = pi beta / (2 M),    (2 - k^2) K - 2 E = K S / beta^2,    S = sum over n >= 1 of 2^n c_n^2 = rho^2 sigma

every term of S is positive, and the field becomes

    B_z   = mu0 I / (2 M alpha^2 beta^2) [R^2 (R^2 - rho^2 + z^2) + (rho^2 - R^2 + z^2) rho^2 sigma / 4]
    B_rho = mu0 I z rho / (8 M alpha^2 beta^2) [8 R^2 - (R^2 + rho^2 + z^2) sigma]

without a division by rho and with the dipole in sight: far away sigma is 2 R^2 / r^2. Close to the wire R - rho is
the difference of nearly equal numbers that were rounded before: there it comes in double length from the coordinates
as given.

Measured against 50-digit arithmetic, error relative to ``|B|`` of the filament, in any direction. Segments: below
1e-12 from 1e-9 lengths beside them to 1e4 lengths away, on the extension of the segment as well. Circles: below 3e-14
from 1e-12 radii from the wire or the axis to 1e6 radii away.

References
----------
J. D. Jackson, Classical Electrodynamics, 3rd ed. (1999), section 5.2, for the segment; W. R. Smythe, Static and Dynamic
Electricity, 3rd ed. (1968), section 7.10, for the circle with K and E; NIST Digital Library of Mathematical Functions,
section 19.8(i), for the mean; T. J. Dekker, Numer. Math. 18, 224 (1971), for products of double length.
"""

from __future__ import annotations

import math

from vbsense._jit import kernel

ON_WIRE = 1e-15  # nearer to the wire than this fraction of its length or radius, a point lies on it
BLOCK = 256  # points at a time: their rows stay in the innermost cache
DELICATE = 1e-6  # square of: distance from the line of a segment / distance from its end
CLOSE = 3e-2  # nearer to a circle than this fraction of the radius, R - rho is computed in double length

# The sums are grouped so that they keep their digits: no reassociation. The loops are vectorised without it.
_EXACT = {"fastmath": False}
_SPLIT = 134217729.0  # 2^27 + 1: halves of a double


@kernel("UniTuple(float64, 2)(float64, float64)", **_EXACT)
def _two_sum(a, b):
    """Rounded sum, and what rounding took away."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@kernel("UniTuple(float64, 2)(float64, float64, float64, float64)", **_EXACT)
def _add_product(total, rest, a, b):
    """Add a * b to the double-length number total + rest."""
    product = a * b
    big = _SPLIT * a
    a_high = big - (big - a)
    big = _SPLIT * b
    b_high = big - (big - b)
    a_low, b_low = a - a_high, b - b_high
    lost = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    total, lost_here = _two_sum(total, product)
    return total, rest + (lost + lost_here)


@kernel("float64(float64, float64, float64, float64, float64, float64, float64, float64)", **_EXACT)
def _minor(a, a_rest, b, b_rest, c, c_rest, d, d_rest):
    """``a b - c d`` of numbers of double length."""
    total, rest = _add_product(0.0, a * b_rest + a_rest * b - c * d_rest - c_rest * d, a, b)
    total, rest = _add_product(total, rest, -c, d)
    return total + rest


@kernel(f"UniTuple(float64, 3)({', '.join(9 * ['float64'])})", **_EXACT)
def _careful(ax, ay, az, cx, cy, cz, x, y, z):
    """Field of one segment over `scale`, seen from its nearer end; 0 on the segment and on its extension."""
    dx, dy, dz = cx - ax, cy - ay, cz - az
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    u = ((x - ax) * dx + (y - ay) * dy + (z - az) * dz) / length
    v = ((x - cx) * dx + (y - cy) * dy + (z - cz) * dz) / length
    from_start = abs(u) < abs(v)
    u, v = (u, u - length) if from_start else (v + length, v)  # u - v is the length, even far away
    px, py, pz = (ax, ay, az) if from_start else (cx, cy, cz)
    (dx, fx), (dy, fy), (dz, fz) = _two_sum(cx, -ax), _two_sum(cy, -ay), _two_sum(cz, -az)
    (ex, gx), (ey, gy), (ez, gz) = _two_sum(x, -px), _two_sum(y, -py), _two_sum(z, -pz)
    mx = _minor(dy, fy, ez, gz, dz, fz, ey, gy) / length
    my = _minor(dz, fz, ex, gx, dx, fx, ez, gz) / length
    mz = _minor(dx, fx, ey, gy, dy, fy, ex, gx) / length
    rho2 = mx * mx + my * my + mz * mz
    beside = u * v <= 0.0
    if rho2 == 0.0 or (beside and rho2 <= (ON_WIRE * length) ** 2):
        return 0.0, 0.0, 0.0
    r, s = math.sqrt(rho2 + u * u), math.sqrt(rho2 + v * v)
    value = (u / r - v / s) / rho2 if beside else length * (u + v) / ((u * s + v * r) * r * s)
    return value * mx, value * my, value * mz


@kernel("void(float64[:, ::1], int64, float64[:, ::1], int64, int64, float64[:, ::1])", **_EXACT)
def _repair(vertices, j, points, first, count, work):
    """Add what segment `j` gives to those points of the block that the fast loop left out."""
    for i in range(count):
        if work[1, i] <= 0.0:
            bx, by, bz = _careful(
                vertices[0, j], vertices[1, j], vertices[2, j], vertices[0, j + 1], vertices[1, j + 1],
                vertices[2, j + 1], points[0, first + i], points[1, first + i], points[2, first + i],
            )  # fmt: skip
            work[2, i] += bx
            work[3, i] += by
            work[4, i] += bz


@kernel("void(float64[:, ::1], float64, float64[:, ::1], float64[:, ::1], float64[:, ::1])", **_EXACT)
def segments(vertices, scale, points, work, out):
    """Field of straight filaments from vertex to vertex.

    A point on a filament (within ``ON_WIRE`` of its length) gets nothing from it: the mean over all directions.

    Parameters
    ----------
    vertices : (3, m) array, rows x, y, z (m); no two neighbours equal
    scale : mu0 I / 4 pi (T m)
    points : (3, n) array (m)
    work : (5, BLOCK) array, overwritten
    out : (3, n) array (T), overwritten

    Examples
    --------
    >>> import numpy as np
    >>> out, work = np.empty((3, 1)), np.empty((5, BLOCK))
    >>> wire = np.array([[0.0, 0.0], [-1.0, 1.0], [0.0, 0.0]])
    >>> segments(wire, 1e-10, np.array([[0.0], [0.0], [1e-6]]), work, out)
    >>> out[:, 0]                      # 1 mA along +y, 1 um above: mu0 I / 2 pi z along +x
    array([0.0002, 0.    , 0.    ])
    """
    distance, margin, bx, by, bz = work[0], work[1], work[2], work[3], work[4]
    for first in range(0, points.shape[1], work.shape[1]):
        count = min(work.shape[1], points.shape[1] - first)
        last = first + count
        x, y, z = points[0, first:last], points[1, first:last], points[2, first:last]
        bx[:], by[:], bz[:] = 0.0, 0.0, 0.0
        for i in range(count):
            ex, ey, ez = x[i] - vertices[0, 0], y[i] - vertices[1, 0], z[i] - vertices[2, 0]
            distance[i] = math.sqrt(ex * ex + ey * ey + ez * ez)
        for j in range(vertices.shape[1] - 1):
            cx, cy, cz = vertices[0, j + 1], vertices[1, j + 1], vertices[2, j + 1]
            dx, dy, dz = cx - vertices[0, j], cy - vertices[1, j], cz - vertices[2, j]
            limit = DELICATE * (dx * dx + dy * dy + dz * dz)
            delicate = 0
            for i in range(count):
                ex, ey, ez = x[i] - cx, y[i] - cy, z[i] - cz
                s2 = ex * ex + ey * ey + ez * ez
                d = s2 + (dx * ex + dy * ey + dz * ez)
                mx, my, mz = dy * ez - dz * ey, dz * ex - dx * ez, dx * ey - dy * ex
                m2 = mx * mx + my * my + mz * mz
                r, s = distance[i], math.sqrt(s2)
                q = r * s + abs(d)
                room = m2 - limit * s2
                top = q if d < 0.0 else 1.0
                bottom = m2 if d < 0.0 else q
                value = (r + s) * top / (r * s * bottom)
                value = 0.0 if room <= 0.0 else value
                delicate += 1 if room <= 0.0 else 0
                bx[i] += value * mx
                by[i] += value * my
                bz[i] += value * mz
                distance[i], margin[i] = s, room
            if delicate > 0:
                _repair(vertices, j, points, first, count, work)
        for i in range(count):
            out[0, first + i], out[1, first + i], out[2, first + i] = scale * bx[i], scale * by[i], scale * bz[i]


@kernel("UniTuple(float64, 2)(float64[::1], float64[::1], float64, float64, float64, float64)", **_EXACT)
def _close(center, normal, radius, px, py, pz):
    """``R^2 - rho^2`` (m^2) and z (m) in double length; the normal may have any length."""
    ex, fx = _two_sum(px, -center[0])
    ey, fy = _two_sum(py, -center[1])
    ez, fz = _two_sum(pz, -center[2])
    nx, ny, nz = normal[0], normal[1], normal[2]
    total, rest = _add_product(0.0, nx * fx + ny * fy + nz * fz, nx, ex)
    total, rest = _add_product(total, rest, ny, ey)
    total, rest = _add_product(total, rest, nz, ez)
    z = (total + rest) / math.sqrt(nx * nx + ny * ny + nz * nz)
    total, rest = _add_product(0.0, -2.0 * (ex * fx + ey * fy + ez * fz), radius, radius)
    total, rest = _add_product(total, rest, -ex, ex)
    total, rest = _add_product(total, rest, -ey, ey)
    total, rest = _add_product(total, rest, -ez, ez)
    total, rest = _add_product(total, rest, z, z)
    return total + rest, z


@kernel("UniTuple(float64, 2)(float64, float64, float64, float64)", **_EXACT)
def _mean(radius, rho, alpha, beta):
    """The arithmetic-geometric mean M of the two distances (m), and sigma (1)."""
    a, b = 0.5 * (alpha + beta), math.sqrt(alpha * beta)
    gamma = radius / a
    weight, sigma = 2.0, 2.0 * gamma * gamma
    while rho * gamma > 1e-9 * a:  # the square of what is left is below rounding
        a, b = 0.5 * (a + b), math.sqrt(a * b)
        gamma *= rho * gamma / (4.0 * a)
        weight *= 2.0
        sigma += weight * gamma * gamma
    return 0.5 * (a + b), sigma


@kernel("void(float64[::1], float64[::1], float64, float64, float64[:, ::1], float64[:, ::1])", **_EXACT)
def loop(center, normal, radius, scale, points, out):
    """Field of a circular filament.

    A point on the wire (within ``ON_WIRE`` radii) gets zero: there the field has neither size nor direction.

    Parameters
    ----------
    center : (3,) array (m)
    normal : (3,) array, of any length; the current runs right-handed about it
    radius : float (m)
    scale : mu0 I / 4 pi (T m)
    points : (3, n) array (m)
    out : (3, n) array (T), overwritten

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((3, 1))
    >>> loop(np.zeros(3), np.array([0.0, 0.0, 1.0]), 1e-5, 1e-10, np.zeros((3, 1)), out)
    >>> (out[:, 0] * 1e6).round(4)     # uT; mu0 I / 2 R
    array([ 0.    ,  0.    , 62.8319])
    """
    norm = math.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2)
    nx, ny, nz = normal[0] / norm, normal[1] / norm, normal[2] / norm
    for i in range(points.shape[1]):
        px, py, pz = points[0, i], points[1, i], points[2, i]
        ex, ey, ez = px - center[0], py - center[1], pz - center[2]
        z = nx * ex + ny * ey + nz * ez
        wx, wy, wz = ex - z * nx, ey - z * ny, ez - z * nz
        rho2 = wx * wx + wy * wy + wz * wz
        rho = math.sqrt(rho2)
        difference = (radius - rho) * (radius + rho)  # R^2 - rho^2
        alpha2 = (radius - rho) ** 2 + z * z
        if alpha2 < (CLOSE * radius) ** 2:
            difference, z = _close(center, normal, radius, px, py, pz)
            alpha2 = (difference / (radius + rho)) ** 2 + z * z
        if alpha2 <= (ON_WIRE * radius) ** 2:
            out[0, i], out[1, i], out[2, i] = 0.0, 0.0, 0.0
            continue
        beta2 = (radius + rho) ** 2 + z * z
        mean, sigma = _mean(radius, rho, math.sqrt(alpha2), math.sqrt(beta2))
        common = math.pi * scale / (mean * alpha2 * beta2)
        axial = 2.0 * radius * radius * (difference + z * z) + 0.5 * (z * z - difference) * rho2 * sigma
        radial = 0.5 * z * (8.0 * radius * radius - 0.5 * (alpha2 + beta2) * sigma)
        out[0, i] = common * (axial * nx + radial * wx)
        out[1, i] = common * (axial * ny + radial * wy)
        out[2, i] = common * (axial * nz + radial * wz)
