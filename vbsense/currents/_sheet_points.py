"""The field of a sheet at points: distant blocks and near pixels put together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.constants import mu_0

from vbsense.currents._sheet_pixel import pixel_field
from vbsense.currents._sheet_tree import NEAR, NODES, OPENING, Tree, far_field

CHUNK = 20_000  # points at a time: bounds the memory for the lists of near pixels


def field_at(tree: Tree, thickness: float, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Field (n, 3) T at points (n, 3) m from the corner of pixel (0, 0) and the middle of the layer."""
    out = np.empty((len(points), 3))
    for first in range(0, len(points), CHUNK):
        part = slice(first, first + CHUNK)
        out[part] = _chunk(tree, thickness, np.ascontiguousarray(points[part]))
    return out


def _chunk(tree: Tree, thickness: float, points: NDArray[np.float64]) -> NDArray[np.float64]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    places = np.array(np.meshgrid((nodes + 1) / 2, (nodes + 1) / 2)).reshape(2, -1)
    out, counts = np.empty((len(points), 3)), np.empty(len(points), dtype=np.int64)
    near = np.empty((len(points), NEAR), dtype=np.int64)
    stack = np.empty((4 * tree.rows.size, 3), dtype=np.int64)
    far_field(
        points, tree.density, tree.weights, tree.filled, tree.first, tree.rows, tree.columns, tree.pixel_size,
        thickness / 2, OPENING, places, np.outer(weights, weights).ravel() / 4, stack,
        np.empty((2, NODES**2)), np.empty(3), out, near, counts,
    )  # fmt: skip
    out *= mu_0 / (4 * np.pi)
    which, place = np.nonzero(np.arange(NEAR) < counts[:, None])
    row, column = np.divmod(near[which, place], tree.columns[0])
    centres = np.column_stack([(column + 0.5) * tree.pixel_size, (row + 0.5) * tree.pixel_size, 0.0 * row])
    Jx, Jy = tree.density[:, row, column]
    _add_near(out, which, points[which] - centres, Jx, Jy, tree.pixel_size, thickness)
    return out


def _add_near(
    out: NDArray[np.float64],
    which: NDArray[np.int64],
    offsets: NDArray[np.float64],
    Jx: NDArray[np.float64],
    Jy: NDArray[np.float64],
    pixel_size: float,
    thickness: float,
) -> None:
    """Add the pixels one by one: those with a current along y, then those along x after a quarter turn."""
    for density, swap, tangential, sign in ((Jy, [0, 1, 2], 0, 1.0), (Jx, [1, 0, 2], 1, -1.0)):
        used = np.flatnonzero(density)
        Bt, Bz = sign * density[used] * pixel_field(offsets[used][:, swap], pixel_size, thickness)
        out[:, tangential] += np.bincount(which[used], Bt, len(out))
        out[:, 2] += np.bincount(which[used], Bz, len(out))
