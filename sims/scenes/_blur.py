"""Kernel that blurs the light of a patch of samples onto the pixels of a block."""

import numpy as np

from vbsense._jit import kernel


@kernel("void(float64[:,:,::1], float64[:,:,::1], float64[:,:,::1], float64[:,:,::1])", fastmath={"contract"})
def blur(light, down, across, out):
    """Add to `out` (nf, rows, columns) the light (rows + taps - 1, columns + taps - 1, nf) through an image.

    The image of a sample is a sum of products ``down[k, i, m] * across[k, j, m]`` (rank, taps, nf), whose middle
    tap belongs to the pixel that the sample lies in.
    """
    rank, taps, nf = down.shape
    width = light.shape[1]
    columns = out.shape[2]
    strip = np.empty((width, nf))
    line = np.empty((columns, nf))
    for r in range(out.shape[1]):
        for k in range(rank):
            for c in range(width):
                for m in range(nf):
                    strip[c, m] = 0.0
                for i in range(taps):
                    for m in range(nf):
                        strip[c, m] += down[k, i, m] * light[r + i, c, m]
            for c in range(columns):
                if k == 0:
                    for m in range(nf):
                        line[c, m] = 0.0
                for j in range(taps):
                    for m in range(nf):
                        line[c, m] += across[k, j, m] * strip[c + j, m]
        for m in range(nf):
            for c in range(columns):
                out[m, r, c] += line[c, m]
