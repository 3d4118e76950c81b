"""The magnetic field of straight conductors of finite width: closed forms that keep their digits.

Two shapes, each exact for a finite length: a flat ribbon with a uniform sheet current, a rectangular bar with a
uniform current density. Filaments, circular loops and the mitred ends of bars have files of their own beside this
one. The kernels check nothing and allocate nothing; ``vbsense.currents`` checks, turns points into the frame of the
conductor and names the result.

Frame of ribbon and bar: the origin in the middle, current along +y, width along x, thickness along z.
The vector potential has one component, ``A``, which is even in x, y and z, so the kernels compute one octant
and put the signs back: ``Bx = -dA/dz``, ``Bz = dA/dx``, ``By = 0``.

How digits are kept. The textbook form is a sum over corners of terms far larger than the result: for a wire of
1 um it has lost half of its digits at a distance of 1 mm, and for a film much thinner than it is wide also close to it.
Here each difference between two corners is taken inside the function, by three identities
(r and s belong to u and v, with r^2 - u^2 = s^2 - v^2):

    ln((u + r) / (v + s)) = asinh((u s - v r) / (r^2 - u^2))
    u s - v r = (r^2 - u^2) (u^2 - v^2) / (u s + v r)           without cancellation where u and v have one sign
    r - s = (u^2 - v^2) / (r + s)

Farther from the centre line than ``FAR`` half-widths the cross-section is summed by Gauss-Legendre quadrature
over filaments, which is exact to rounding there and faster.

Measured against 60-digit arithmetic, thickness / width from 1e-6 to 1, length / width from 1 to 1e6, distances from
1e-9 half-widths to 1 m, error relative to ``|B|`` of ribbon and bar: below 1e-13 inside, beside, on faces, edges and
corners; below 2e-11 just beyond the switch to the far form, where the quadrature is poorest (4e-11 for length / width
of 0.01). Beyond an end, f < 1 half-widths from the extension of the axis, where the field vanishes: below 3e-13 / f.

References
----------
The integrals are those of the gravity of a prism: D. Nagy, Geophysics 31, 362 (1966), doi:10.1190/1.1439779, with the
limits at faces, edges and corners of D. Nagy, G. Papp, J. Benedek, J. Geodesy 74, 552 (2000),
doi:10.1007/s001900000116.
"""

from __future__ import annotations

import math

from vbsense._jit import kernel

FAR = 8.0  # in units of the larger half-side

# The identities above already group every sum; reassociation could only undo that.
_EXACT = {"fastmath": False}


@kernel("float64(float64)", **_EXACT)
def _sign(value):
    """-1, 0 or 1: in a plane of symmetry the odd component is zero, not rounding dust."""
    return 1.0 if value > 0.0 else (-1.0 if value < 0.0 else 0.0)


@kernel("float64(float64, float64, float64, float64, float64, float64)", **_EXACT)
def _log_ratio(u, v, difference, r, s, rho2):
    """``ln((u + r) / (v + s))``; u > 0, u >= v, ``difference = u^2 - v^2``, ``rho2 = r^2 - u^2 = s^2 - v^2``."""
    if v >= 0.0:
        return math.asinh(difference / (u * s + v * r))
    return math.asinh((u * s - v * r) / rho2)


@kernel("float64(float64, float64, float64, float64, float64, float64, float64)", **_EXACT)
def _angle(u, v, difference, r, s, p, q):
    """``atan(p u / (|q| r)) - atan(p v / (|q| s))`` for u > 0, u >= v, with r^2 - u^2 = s^2 - v^2 = p^2 + q^2.

    Each angle lies within +-pi/2 and their difference, for p > 0, within 0..pi: here (and not for each angle
    alone) ``atan2`` takes the right branch.
    """
    # Where u and v have one sign, the difference of products is taken by the second identity of this module.
    across = (p * p + q * q) * difference / (u * s + v * r) if v > 0.0 else u * s - v * r
    angle = math.atan2(abs(p * q) * across, q * q * r * s + p * p * u * v)
    return angle if p > 0.0 else -angle


@kernel("float64(float64, float64, float64)", **_EXACT)
def _filament(rho2, y, half):
    """Integral of 1/R^3 along a filament (1/m^2): ``|B| = scale * rho * result``."""
    y = abs(y)
    u, v = y + half, y - half
    r, s = math.sqrt(rho2 + u * u), math.sqrt(rho2 + v * v)
    if v > 0.0:  # beyond the end: finite on the axis
        return 4.0 * half * y / ((u * s + v * r) * r * s)
    return (u / r - v / s) / rho2


@kernel("UniTuple(float64, 2)(float64, float64, float64, float64, float64)", **_EXACT)
def _ribbon_near(x, y, z, a, half):
    """(Bx, Bz) / scale of a ribbon |x| < a, |y| < half in the octant x, y, z >= 0; scale = mu0 K / 4 pi."""
    xp, xm, yp, ym = x + a, x - a, y + half, y - half
    dx, dy = 4.0 * a * x, 4.0 * half * y  # xp^2 - xm^2 and yp^2 - ym^2
    # On an edge the field grows as the logarithm of the distance: it stops 1e-12 half-widths away.
    rho_p, rho_m = xp * xp + z * z, max(xm * xm + z * z, 1e-24 * a * a)
    rpp, rpm = math.sqrt(rho_p + yp * yp), math.sqrt(rho_p + ym * ym)
    rmp, rmm = math.sqrt(rho_m + yp * yp), math.sqrt(rho_m + ym * ym)
    bz = _log_ratio(yp, ym, dy, rpp, rpm, rho_p) - _log_ratio(yp, ym, dy, rmp, rmm, rho_m)
    return _angle(xp, xm, dx, rpp, rmp, yp, z) - _angle(xp, xm, dx, rpm, rmm, ym, z), bz


@kernel("UniTuple(float64, 2)(float64, float64, float64, float64, float64, float64)", **_EXACT)
def _bar_near(x, y, z, a, half, b):
    """(Bx, Bz) / scale of a bar |x| < a, |y| < half, |z| < b in the octant x, y, z >= 0; scale = mu0 J / 4 pi."""
    zp, zm, t, dz = z + b, z - b, 2.0 * b, 4.0 * b * z  # dz = zp^2 - zm^2
    yp, ym = y + half, y - half
    bx, bz = 0.0, 0.0
    for sx in (1.0, -1.0):
        X = x + sx * a
        rho2, rho2_far = X * X + zm * zm, X * X + zp * zp
        edge = math.log1p(dz / rho2)  # infinite on the edge, and not used there
        r_yp, r_ym = math.sqrt(rho2_far + yp * yp), math.sqrt(rho2_far + ym * ym)
        bz += sx * t * _log_ratio(yp, ym, 4.0 * half * y, r_yp, r_ym, rho2_far)
        for sy in (1.0, -1.0):
            Y = y + sy * half
            sign = sx * sy
            r = math.sqrt(rho2_far + Y * Y)  # to the farther face, zp
            s = math.sqrt(rho2 + Y * Y)  # to the nearer face, zm
            step = dz / (r + s)  # r - s
            if rho2 > 0.0:  # ln((Y + r) / (Y + s)); on the edge its factors X and zm are zero
                log_y = math.log1p(step / (Y + s)) if Y >= 0.0 else edge - math.log1p(step / (s - Y))
                bx -= sign * X * log_y
                bz += sign * zm * log_y
            flat = X * Y
            if zm > 0.0:  # above: zp atan(XY / zp r) - zm atan(XY / zm s), the difference taken inside
                turn = math.atan(flat * (t * r + zm * step) / (zp * zm * r * s + flat * flat))
                bx += sign * (t * math.atan(flat / (zp * r)) - zm * turn)
            elif zm < 0.0:  # between the planes of the faces
                bx += sign * (zp * math.atan(flat / (zp * r)) - zm * math.atan(flat / (zm * s)))
            else:
                bx += sign * zp * math.atan(flat / (zp * r))
            if Y != 0.0:
                h2 = X * X + Y * Y
                if X >= 0.0:  # ln((X + r) / (X + s))
                    log_x = math.log1p(step / (X + s))
                else:
                    log_x = math.log1p(dz / (Y * Y + zm * zm)) - math.log1p(step / (s - X))
                bx -= sign * Y * log_x
                bz += sign * Y * _log_ratio(zp, zm, dz, r, s, h2)
                bz -= sign * abs(X) * _angle(zp, zm, dz, r, s, Y, X)
    return bx, bz


@kernel("void(float64, float64, float64, float64[:, ::1], float64[::1], float64[::1], float64[:, ::1])", **_EXACT)
def ribbon(half_width, half_length, scale, points, nodes, weights, out):
    """Field of a flat ribbon with a uniform sheet current, in its own frame.

    In the sheet, where Bx jumps, Bx is the mean of both sides: zero. On an edge, where Bz diverges as a logarithm,
    the value is that at 1e-12 half-widths.

    Parameters
    ----------
    half_width, half_length : float (m)
    scale : mu0 I / 4 pi (T m)
    points : (3, n) array (m)
    nodes, weights : Gauss-Legendre rule on (-1, 1), five points; used beyond ``FAR`` half-widths
    out : (2, n) array, Bx and Bz (T), overwritten; NaN where a coordinate is NaN

    Examples
    --------
    >>> import numpy as np
    >>> out, rule = np.empty((2, 1)), np.polynomial.legendre.leggauss(5)
    >>> ribbon(0.5, 1.0, 1e-10, np.array([[0.0], [0.0], [1e-9]]), *rule, out)
    >>> out[:, 0].round(13)            # close above: mu0 K / 2 along x, with K = 1 mA/m
    array([6.283e-10, 0.000e+00])
    """
    for i in range(points.shape[1]):
        px, py, pz = points[0, i], points[1, i], points[2, i]
        x, y, z = abs(px), abs(py), abs(pz)
        beyond = max(y - half_length, 0.0)
        bx, bz = 0.0, 0.0
        if x * x + z * z + beyond * beyond < (FAR * half_width) ** 2:
            bx, bz = _ribbon_near(x, y, z, half_width, half_length)
            bx *= scale / (2.0 * half_width)
            bz *= scale / (2.0 * half_width)
        else:
            for k in range(nodes.size):
                X = x - half_width * nodes[k]
                value = 0.5 * scale * weights[k] * _filament(X * X + z * z, y, half_length)
                bx += value * z
                bz -= value * X
        out[0, i] = _sign(pz) * bx
        out[1, i] = _sign(px) * bz


@kernel(
    "void(float64, float64, float64, float64, float64[:, ::1],"
    " float64[::1], float64[::1], float64[::1], float64[::1], float64[:, ::1])",
    **_EXACT,
)
def bar(half_width, half_length, half_thickness, scale, points, x_nodes, x_weights, z_nodes, z_weights, out):
    """Field of a rectangular bar with a uniform current density, in its own frame; finite everywhere.

    Parameters
    ----------
    half_width, half_length, half_thickness : float (m); half_thickness <= half_width
    scale : mu0 I / 4 pi (T m)
    points : (3, n) array (m)
    x_nodes, x_weights, z_nodes, z_weights : Gauss-Legendre rules on (-1, 1) across width and thickness: five points,
        of which three suffice across a thickness below a quarter of the width; used beyond ``FAR`` half-widths
    out : (2, n) array, Bx and Bz (T), overwritten; NaN where a coordinate is NaN

    Examples
    --------
    >>> import numpy as np
    >>> out, rule = np.empty((2, 1)), np.polynomial.legendre.leggauss(5)
    >>> bar(0.5e-6, 1.0, 0.05e-6, 1e-10, np.array([[0.3e-6], [0.0], [0.1e-6]]), *rule, *rule, out)
    >>> (out[:, 0] * 1e6).round(3)     # uT
    array([ 512.059, -255.613])
    """
    current_density = scale / (4.0 * half_width * half_thickness)
    for i in range(points.shape[1]):
        px, py, pz = points[0, i], points[1, i], points[2, i]
        x, y, z = abs(px), abs(py), abs(pz)
        beyond = max(y - half_length, 0.0)
        bx, bz = 0.0, 0.0
        if x * x + z * z + beyond * beyond < (FAR * half_width) ** 2:
            bx, bz = _bar_near(x, y, z, half_width, half_length, half_thickness)
            bx *= current_density
            bz *= current_density
        else:
            for k in range(x_nodes.size):
                X = x - half_width * x_nodes[k]
                for m in range(z_nodes.size):
                    Z = z - half_thickness * z_nodes[m]
                    value = 0.25 * scale * x_weights[k] * z_weights[m] * _filament(X * X + Z * Z, y, half_length)
                    bx += value * Z
                    bz -= value * X
        out[0, i] = _sign(pz) * bx
        out[1, i] = _sign(px) * bz
