"""The field of a sheet on its own grid: a convolution without wrap-around."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vbsense.currents._sheet_pixel import averaged_pixel


def convolve(
    Jx: NDArray[np.float64],
    Jy: NDArray[np.float64],
    pixel_size: float,
    height: float,
    margin: int,
    options: dict[str, Any],
) -> NDArray[np.float64]:
    """Field (ny + 2 margin, nx + 2 margin, 3) T; `options` as in `averaged_pixel`."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    ny, nx = Jx.shape
    reach = ny + margin, nx + margin  # offsets between pixel and sensor run from 1 - reach to reach - 1
    size = tuple(next_fast_len(n + r + margin, real=True) for n, r in zip((ny, nx), reach, strict=True))
    along_y = _offset_fields(reach, pixel_size, height, options)
    same = reach[0] == reach[1]
    along_x = along_y if same else _offset_fields(reach[::-1], pixel_size, height, options)
    # A current along x is one along y after a quarter turn: x and y change places, and By and Bz their signs.
    up = rfft2(_circular(along_y[0], size, 1, 1))
    of_Jy, of_Jx = rfft2(_circular(along_y[1], size, 1, -1)), rfft2(_circular(along_x[1].T, size, -1, 1))
    Fx, Fy = rfft2(Jx, s=size), rfft2(Jy, s=size)
    out = np.empty((ny + 2 * margin, nx + 2 * margin, 3))
    for component, product in enumerate((up * Fy, -up * Fx, of_Jy * Fy - of_Jx * Fx)):
        rolled = np.roll(irfft2(product, s=size), (margin, margin), axis=(0, 1))
        out[..., component] = rolled[: out.shape[0], : out.shape[1]]
    return out


def _offset_fields(
    reach: tuple[int, int], pixel_size: float, height: float, options: dict[str, Any]
) -> NDArray[np.float64]:
    """Bx and Bz, (2, rows, columns), of a current along y at offsets of 0, 1, 2 ... pixels up and to the right."""
    dy, dx = np.meshgrid(np.arange(reach[0]), np.arange(reach[1]), indexing="ij")
    offsets = pixel_size * np.column_stack([dx.ravel(), dy.ravel()]).astype(float)
    fields = averaged_pixel(offsets, height, pixel_size=pixel_size, **options).reshape(2, *reach)
    fields[1, :, 0] = 0.0  # straight above the axis of the pixel: by symmetry
    return fields


def _circular(quadrant: NDArray[np.float64], size: tuple[int, int], sign_y: int, sign_x: int) -> NDArray[np.float64]:
    """All four quadrants, negative offsets at the far end as the transform wants them."""
    rows, columns = quadrant.shape
    out = np.zeros(size)
    out[:rows, :columns] = quadrant
    if columns > 1:
        out[:rows, 1 - columns :] = sign_x * quadrant[:, :0:-1]
    if rows > 1:
        out[1 - rows :] = sign_y * out[rows - 1 : 0 : -1]
    return out
