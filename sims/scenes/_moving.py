"""Kernel for spots that drift: images between tabulated ones, a different place in every frame."""

import numpy as np

from vbsense._jit import kernel


@kernel("void(float64, float64[::1])")
def cubic(t, w):
    """Weights of the values at -1, 0, 1 and 2 for the cubic through them at t."""
    w[0] = -t * (t - 1.0) * (t - 2.0) / 6.0
    w[1] = (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0
    w[2] = -(t + 1.0) * t * (t - 2.0) / 2.0
    w[3] = (t + 1.0) * t * (t - 1.0) / 6.0


@kernel(
    "void(float64[::1], float64[::1], float64[:,::1], float64[:,::1], float64[:,:,:,::1], int64, int64, int64,"
    " float64[:,:,::1])",
    fastmath={"contract"},
)
def gather_moving(x, y, shift, light, table, steps, row, column, out):
    """Add the light (site, nf) of sites at `x`, `y`, shifted by `shift` (nf, 2), all in pixels, to `out`.

    `out` is (nf, rows, columns), its first pixel at `row`, `column`. ``table[a, b]`` is the image of a spot
    ``(a - steps / 2 - 1) / steps`` above and b likewise to the right of its middle pixel; between these by cubic
    interpolation along each axis.
    """
    half = (table.shape[2] - 1) // 2
    up = np.empty(4)
    right = np.empty(4)
    for m in range(out.shape[0]):
        for s in range(x.size):
            px = x[s] + shift[m, 0]
            py = y[s] + shift[m, 1]
            i0 = int(np.rint(px))
            j0 = int(np.rint(py))
            first_i = max(column - i0, -half)
            last_i = min(column + out.shape[2] - 1 - i0, half)
            first_j = max(row - j0, -half)
            last_j = min(row + out.shape[1] - 1 - j0, half)
            if first_i > last_i or first_j > last_j:
                continue
            a = (py - j0) * steps + steps / 2
            b = (px - i0) * steps + steps / 2
            ka = min(max(int(a), 0), table.shape[0] - 4)
            kb = min(max(int(b), 0), table.shape[1] - 4)
            cubic(a - ka, up)
            cubic(b - kb, right)
            for k in range(4):
                left = table[ka + k, kb]
                middle = table[ka + k, kb + 1]
                beyond = table[ka + k, kb + 2]
                far = table[ka + k, kb + 3]
                w = light[s, m] * up[k]
                w0 = w * right[0]
                w1 = w * right[1]
                w2 = w * right[2]
                w3 = w * right[3]
                for j in range(first_j + half, last_j + half + 1):
                    line = out[m, j0 + j - half - row, i0 + first_i - column : i0 + last_i + 1 - column]
                    for i in range(line.size):
                        q = first_i + half + i
                        line[i] += w0 * left[j, q] + w1 * middle[j, q] + w2 * beyond[j, q] + w3 * far[j, q]
