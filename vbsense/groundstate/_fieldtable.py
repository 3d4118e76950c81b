"""Kernel that reads spectra out of a field table."""

import numpy as np
from numba import float32

from vbsense._jit import kernel


@kernel("void(float64[:,::1], float64, float64, float32[:,:,::1], int64[:,::1], float32[:,::1])")
def look_up(field, start, step, table, powers, out):
    """Spectra at fields (p, 3) T into `out` (p, nf).

    `table` is (knot, monomial, nf or more): a uniform cubic B-spline in Bz, whose first interval begins at
    `start`, times Bx^i By^j (mT) with the exponents of `powers`. Its last axis is padded to a multiple of 64:
    what is left over after blocks of that size runs as scalars, six times slower.
    """
    row = np.empty(table.shape[2], np.float32)
    for p in range(field.shape[0]):
        x = field[p, 0] * 1e3
        y = field[p, 1] * 1e3
        z = field[p, 2]
        place = (z - start) / step
        k = min(max(int(place), 0), table.shape[0] - 4)
        t = place - k
        s = 1.0 - t
        b0 = s * s * s / 6.0
        b1 = (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0
        b2 = (3.0 * s * s * s - 6.0 * s * s + 4.0) / 6.0
        b3 = t * t * t / 6.0
        for m in range(row.size):
            row[m] = 0.0
        for q in range(powers.shape[0]):
            monomial = 1.0
            for _ in range(powers[q, 0]):
                monomial *= x
            for _ in range(powers[q, 1]):
                monomial *= y
            w0 = float32(b0 * monomial)
            w1 = float32(b1 * monomial)
            w2 = float32(b2 * monomial)
            w3 = float32(b3 * monomial)
            c0 = table[k, q]
            c1 = table[k + 1, q]
            c2 = table[k + 2, q]
            c3 = table[k + 3, q]
            for m in range(row.size):
                row[m] += w0 * c0[m] + w1 * c1[m] + w2 * c2[m] + w3 * c3[m]
        for m in range(out.shape[1]):
            out[p, m] = row[m]
