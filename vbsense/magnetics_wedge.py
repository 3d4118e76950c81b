"""The magnetic field of a right triangular prism with a uniform current density: the mitred end of a bar.

A uniform current density J in a body gives ``B = mu0 / 4 pi J x g`` with ``g`` the integral of R / R^3 over the body
(R from the element to the point): its gravity. By Gauss' theorem g is the sum over the faces of their normal times
the integral of 1/R, which has a closed form for polygons: for each edge a logarithm and two angles.

Frame: the right angle of the triangle at the origin, one leg along +x, the other along +y (the current), thickness
along z.

The difference of faces loses digits where the body is thin and far. From two thicknesses away it is a pile of flat
triangles, whose field has a closed form as well (logarithms along the edges and the solid angle), summed by
Gauss-Legendre quadrature through the thickness; from ``FAR`` sizes away a quadrature over the body serves.

Measured against quadrature of high order from 1.2 sizes away, relative to its own ``|B|``, one leg from 0.01 to 100 of
the other: below 1e-11 for a thickness from 1e-3 to 1 of the leg across, 5e-10 for 10 of it. Nearer, against 40-digit
arithmetic, relative to ``|B|`` of the bar that a wedge completes: below 2e-10.

References
----------
D. R. Wilton et al., IEEE Trans. Antennas Propag. 32, 276 (1984), doi:10.1109/TAP.1984.1143304, equation 5.
"""

from __future__ import annotations

import math

from vbsense._jit import kernel

FAR = 5.0  # in units of the largest distance between corners
THIN = 4.0  # in units of half the thickness: farther from the body than that it is a pile of sheets

_EXACT = {"fastmath": False}


@kernel("UniTuple(float64, 2)(float64, float64, float64, float64)", **_EXACT)
def _sides(p, start, end, d2):
    """Integral of 1/R along an edge, and the part of the solid angle between it and the foot of the point.

    p : distance of the edge from the foot, positive where the foot lies inside; start, end : along the edge, from
    the foot; d2 : squared height above the face.
    """
    away2 = p * p + d2
    r, s = math.sqrt(away2 + end * end), math.sqrt(away2 + start * start)
    if start >= 0.0:
        log = math.log((end + r) / (start + s))
    elif end <= 0.0:
        log = math.log((s - start) / (r - end))
    else:
        log = math.log((end + r) * (s - start) / away2)
    d = math.sqrt(d2)
    return log, math.atan(p * end / (away2 + d * r)) - math.atan(p * start / (away2 + d * s))


@kernel("float64(float64, float64, float64, float64)", **_EXACT)
def _edge(p, start, end, d2):
    """What one edge gives to the integral of 1/R over a face (m); arguments as of `_sides`."""
    if p == 0.0:
        return 0.0
    log, angle = _sides(p, start, end, d2)
    return p * log - math.sqrt(d2) * angle


@kernel("float64(float64, float64, float64, float64, float64)", **_EXACT)
def _rectangle(u, v, length, half, d2):
    """Integral of 1/R over 0 < u' < length, -half < v' < half, seen from (u, v) at the height d (m)."""
    low, high = -half - v, half - v
    return (
        _edge(length - u, low, high, d2)
        + _edge(u, low, high, d2)
        + _edge(high, -u, length - u, d2)
        + _edge(-low, -u, length - u, d2)
    )


@kernel("float64(float64, float64, float64, float64, float64, float64, float64)", **_EXACT)
def _triangle(x, y, across, along, slant, offset, d2):
    """Integral of 1/R over the triangle (m); `offset` as in `_near`."""
    up = ((x - across) * -across + y * along) / slant  # along the long side, from its end at y = 0
    return _edge(y, -x, across - x, d2) + _edge(x, -y, along - y, d2) + _edge(-offset, -up, slant - up, d2)


@kernel("UniTuple(float64, 2)(float64, float64, float64, float64, float64, float64)", **_EXACT)
def _near(x, y, z, across, along, half):
    """(g_x, g_z) in m from the faces."""
    slant = math.hypot(across, along)
    offset = ((x - across) * along + y * across) / slant  # distance from the plane of the long side, positive outside
    up = ((x - across) * -across + y * along) / slant
    leg = _rectangle(y, z, along, half, x * x)
    gx = along / slant * _rectangle(up, z, slant, half, offset * offset) - leg
    top = _triangle(x, y, across, along, slant, offset, (z - half) ** 2)
    return gx, top - _triangle(x, y, across, along, slant, offset, (z + half) ** 2)


@kernel(
    "UniTuple(float64, 2)(float64, float64, float64, float64, float64, float64, float64[::1], float64[::1])", **_EXACT
)
def _beside(x, y, z, across, along, half, z_nodes, z_weights):
    """(g_x, g_z) in m by quadrature over triangular sheets: both faces of a thin body are not subtracted."""
    slant = math.hypot(across, along)
    offset = ((x - across) * along + y * across) / slant
    up = ((x - across) * -across + y * along) / slant
    gx, gz = 0.0, 0.0
    for n in range(z_nodes.size):
        d = z - half * z_nodes[n]
        _, bottom = _sides(y, -x, across - x, d * d)
        log, left = _sides(x, -y, along - y, d * d)
        log_slant, right = _sides(-offset, -up, slant - up, d * d)
        gx += z_weights[n] * (along / slant * log_slant - log)
        gz += z_weights[n] * math.copysign(bottom + left + right, d)
    return gx * half, gz * half


@kernel("float64(float64, float64, float64, float64, float64, float64)", **_EXACT)
def _gap(x, y, z, across, along, half):
    """Squared distance from the box around the body (m^2)."""
    beyond_x, beyond_y = max(-x, x - across, 0.0), max(-y, y - along, 0.0)
    beyond_z = max(abs(z) - half, 0.0)
    return beyond_x * beyond_x + beyond_y * beyond_y + beyond_z * beyond_z


@kernel(
    "UniTuple(float64, 2)(float64, float64, float64, float64, float64, float64,"
    " float64[::1], float64[::1], float64[::1], float64[::1])",
    **_EXACT,
)
def _far(x, y, z, across, along, half, nodes, weights, z_nodes, z_weights):
    """(g_x, g_z) in m by quadrature over the body."""
    gx, gz = 0.0, 0.0
    for k in range(nodes.size):
        u = 0.5 * (1.0 + nodes[k])
        for m in range(nodes.size):
            X = x - across * u
            Y = y - along * (1.0 - u) * 0.5 * (1.0 + nodes[m])
            weight = weights[k] * weights[m] * (1.0 - u)
            for n in range(z_nodes.size):
                Z = z - half * z_nodes[n]
                R2 = X * X + Y * Y + Z * Z
                value = weight * z_weights[n] / (R2 * math.sqrt(R2))
                gx += value * X
                gz += value * Z
    volume = 0.25 * across * along * half
    return gx * volume, gz * volume


@kernel(
    "void(float64, float64, float64, float64, float64[:, ::1],"
    " float64[::1], float64[::1], float64[::1], float64[::1], float64[:, ::1])",
    **_EXACT,
)
def wedge(across, along, half_thickness, scale, points, nodes, weights, z_nodes, z_weights, out):
    """Field of a right triangular prism with the current along one of its legs, in its own frame.

    Parameters
    ----------
    across, along : float, legs along x and y (m)
    half_thickness : float (m)
    scale : mu0 J / 4 pi (T / m), J the current density along +y
    points : (3, n) array (m)
    nodes, weights : Gauss-Legendre rule on (-1, 1) for the triangle, six points; used beyond ``FAR`` sizes
    z_nodes, z_weights : the same across the thickness; used from ``THIN`` half-thicknesses away
    out : (2, n) array, Bx and Bz (T), overwritten; NaN where a coordinate is NaN

    Examples
    --------
    Two wedges make a square bar:

    >>> import numpy as np
    >>> out, rules = np.empty((2, 2)), (*np.polynomial.legendre.leggauss(6), *np.polynomial.legendre.leggauss(6))
    >>> points = np.array([[0.3, 0.7], [0.6, 0.4], [0.9, 0.9]])            # the same place, seen from either corner
    >>> wedge(1.0, 1.0, 0.5, 1.0, points, *rules, out)
    >>> from vbsense.currents import Bar
    >>> one = Bar((0.005, 0, 0), (0.005, 0.01, 0), width=0.01, thickness=0.01, current=1e-2)
    >>> bool(np.isclose((out[0, 0] + out[0, 1]) * 1e-7, one.field([0.003, 0.006, 0.009])[0], rtol=1e-8, atol=0))
    True
    """
    size = math.sqrt(across * across + along * along + 4.0 * half_thickness * half_thickness)
    for i in range(points.shape[1]):
        x, y, z = points[0, i], points[1, i], points[2, i]
        if x * x + y * y + z * z < (FAR * size) ** 2:
            if _gap(x, y, z, across, along, half_thickness) > (THIN * half_thickness) ** 2:
                gx, gz = _beside(x, y, z, across, along, half_thickness, z_nodes, z_weights)
            else:
                gx, gz = _near(x, y, z, across, along, half_thickness)
        else:
            gx, gz = _far(x, y, z, across, along, half_thickness, nodes, weights, z_nodes, z_weights)
        out[0, i] = scale * gz
        out[1, i] = -scale * gx
