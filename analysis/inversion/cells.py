"""The field of an evenly filled rectangular cell, averaged over a spot and the layers: closed form and quadrature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.constants import mu_0

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vbsense.analysis.inversion.footprint import Sensing

__all__ = ["cell_fields", "offset_fields"]

_NEAR = 6  # cells, stand-offs or spots: beyond, two points on every axis do
_ORDER = 6


def cell_fields(
    offsets: NDArray[np.float64], cell: tuple[float, float], height: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Field of a cell with 1 A/m along x, then along y.

    Parameters
    ----------
    offsets : ndarray, (..., 2)
        x and y of the point from the middle of the cell (m).
    cell : (float, float)
        Sides along y and x (m).
    height : ndarray, (...)
        Of the point above the cell (m), above zero.

    Returns
    -------
    ndarray, (3, 2, ...)
        Bx, By, Bz of a current along x and of one along y (T per A/m).

    Notes
    -----
    Biot-Savart integrated over the cell: with u, v from the corners to the point and r their distance,
    ``integral z / r^3 = atan(u v / (z r))`` and ``integral u / r^3 = -asinh(v / hypot(u, z))``.

    Examples
    --------
    Far above, a cell is a piece of wire, ``mu0 I l / 4 pi z^2``:

    >>> B = cell_fields(np.zeros((1, 2)), (1e-6, 1e-6), np.array([1e-4]))
    >>> float((B[0, 1, 0] / (1e-7 * 1e-6 * 1e-6 / 1e-8)).round(4))
    1.0
    """
    out = np.zeros((3, 2, *height.shape))
    for sign_x in (1, -1):
        u = offsets[..., 0] + sign_x * cell[1] / 2
        for sign_y in (1, -1):
            v, sign = offsets[..., 1] + sign_y * cell[0] / 2, sign_x * sign_y
            r = np.sqrt(u**2 + v**2 + height**2)
            along = sign * np.arctan(u * v / (height * r))
            out[0, 1] += along
            out[1, 0] -= along
            out[2, 1] += sign * np.arcsinh(v / np.hypot(u, height))
            out[2, 0] -= sign * np.arcsinh(u / np.hypot(v, height))
    return out * mu_0 / (4 * np.pi)


def offset_fields(reach: tuple[int, int], cell: tuple[float, float], sensing: Sensing) -> NDArray[np.float64]:
    """Averaged field at all offsets of whole cells.

    Parameters
    ----------
    reach : (int, int)
        Offsets run from 1 - reach to reach - 1 along y and x.
    cell : (float, float)
        Sides along y and x (m).
    sensing : Sensing

    Returns
    -------
    ndarray, (3, 2, 2 reach_y - 1, 2 reach_x - 1)
        T per A/m.
    """
    rows, columns = (np.arange(1 - n, n) for n in reach)
    dy, dx = np.meshgrid(rows * cell[0], columns * cell[1], indexing="ij")
    flat = np.column_stack([dx.ravel(), dy.ravel()])
    scale = max(*cell, *sensing.size, sensing.height)
    near = np.hypot(*flat.T) < _NEAR * scale
    out = np.empty((3, 2, len(flat)))
    for chosen, order in ((near, _ORDER), (~near, 2)):
        points, weights = sensing.points(order)
        part = np.zeros((3, 2, int(chosen.sum())))
        for point, weight in zip(points, weights.tolist(), strict=True):
            height = np.full(part.shape[2], point[2])
            part += weight * cell_fields(flat[chosen] + point[:2], cell, height)
        out[:, :, chosen] = part
    return out.reshape(3, 2, rows.size, columns.size)
