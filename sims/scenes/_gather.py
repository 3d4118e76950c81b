"""Kernel that lays the light of sites onto the pixels of a block."""

import numpy as np

from vbsense._jit import kernel

_TOGETHER = 8  # pixels whose light is written at once: whole cache lines


@kernel(
    "void(int32[::1], int32[::1], float64[::1], float64[:,::1], int64, int64, int64, float64[:,:,::1])", fastmath=set()
)
def gather(start, site, weight, light, row, column, across, out):
    """Add ``sum_s weight[p, s] light[s, f]`` to `out` (nf, rows, columns).

    `start`, `site`, `weight` are the CSR matrix (pixel, site) of a camera `across` pixels wide; the block begins at
    `row`, `column`. Without reassociation: a block and the whole picture add in the same order.
    """
    nf = light.shape[1]
    few = np.empty((_TOGETHER, nf))
    for r in range(out.shape[1]):
        for c0 in range(0, out.shape[2], _TOGETHER):
            n = min(_TOGETHER, out.shape[2] - c0)
            touched = False
            for c in range(n):
                pixel = (row + r) * across + column + c0 + c
                for m in range(nf):
                    few[c, m] = 0.0
                for k in range(start[pixel], start[pixel + 1]):
                    w = weight[k]
                    s = site[k]
                    touched = True
                    for m in range(nf):
                        few[c, m] += w * light[s, m]
            if touched:
                for m in range(nf):
                    for c in range(n):
                        out[m, r, c0 + c] += few[c, m]
