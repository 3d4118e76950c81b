"""The field of a sheet at arbitrary points: near pixels one by one, distant ones in blocks.

Pixels are joined two by two along both axes into ever larger blocks. A block is replaced by ``NODES`` x ``NODES``
point currents at the Gauss-Legendre nodes of its square, weighted so that every polynomial of degree ``NODES - 1``
feels the same current (the Lagrange polynomials of the nodes are summed over the block); in a thick layer they are
vertical segments, which are summed exactly. Seen from a point farther away than ``OPENING`` sides of a block these
stand for all its pixels; a nearer block is opened, and a pixel that is too near is left to its closed form. So the
time per point grows only as the logarithm of the number of pixels, and no grid limits where the points lie.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vbsense._jit import kernel

NODES = 6
OPENING = 1.5
NEAR = 36  # a pixel is near within OPENING sides: at most 5 x 5 of them


@dataclass(frozen=True, eq=False)
class Tree:
    """Blocks of a sheet, level after level: two pixels wide, four, and so on up to the whole sheet.

    Level ``l`` has ``rows[l] * columns[l]`` blocks from index ``first[l]`` on; level 0, the pixels, has none.
    """

    density: NDArray[np.float64]  # (2, ny, nx) A/m
    weights: NDArray[np.float64]  # (blocks, 2, NODES^2) A m
    filled: NDArray[np.bool_]  # (blocks,)
    first: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    pixel_size: float


def build(density: NDArray[np.float64], pixel_size: float) -> Tree:
    """Blocks of a sheet (2, ny, nx) A/m."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    halves = np.array([_lagrange(nodes, (nodes - 1) / 2), _lagrange(nodes, (nodes + 1) / 2)])
    shares = pixel_size * (halves @ weights) / 2  # of an even pixel, in either half of a block along one axis
    level, rows, columns = density, [density.shape[1]], [density.shape[2]]
    levels: list[NDArray[np.float64]] = []
    while rows[-1] * columns[-1] > 1:
        odd = ((0, 0), (0, rows[-1] % 2), (0, columns[-1] % 2), (0, 0), (0, 0))
        level = np.pad(level, odd[: level.ndim])
        quads = level.reshape(2, level.shape[1] // 2, 2, level.shape[2] // 2, 2, *level.shape[3:])
        if levels:
            level = np.einsum("cisjtba,smb,tka->cijmk", quads, halves, halves, optimize=True)
        else:
            level = np.einsum("cisjt,sm,tk->cijmk", quads, shares, shares, optimize=True)
        levels.append(level.reshape(2, -1, NODES**2).transpose(1, 0, 2))
        rows.append(level.shape[1])
        columns.append(level.shape[2])
    joined = np.ascontiguousarray(np.concatenate([np.empty((0, 2, NODES**2)), *levels]))
    first = np.cumsum([0, 0] + [len(blocks) for blocks in levels])[: len(rows)]
    filled = np.asarray(joined.any(axis=(1, 2)))
    return Tree(density, joined, filled, first, np.array(rows), np.array(columns), pixel_size)


def _lagrange(nodes: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lagrange polynomials of the nodes, (node, x)."""
    rows = []
    for m in range(nodes.size):
        others = np.delete(nodes, m)
        rows.append(np.prod((x[:, None] - others) / (nodes[m] - others), axis=1))
    return np.array(rows)


_ADD = "void(float64, float64, float64, float64, float64, float64[:, ::1], float64[::1], float64[::1], float64[::1])"


@kernel(_ADD)
def _add_points(x, y, z, half, side, nodes, jx, jy, total):
    """Add the nodes of a block with its corner at the origin, which carry jx, jy (A m)."""
    bx, by, bz = 0.0, 0.0, 0.0
    for k in range(jx.size):  # one long loop without branches becomes vector code
        rx, ry = x - side * nodes[0, k], y - side * nodes[1, k]
        r2 = rx * rx + ry * ry + z * z
        cube = 1.0 / (r2 * math.sqrt(r2))
        bx += jy[k] * cube
        by -= jx[k] * cube
        bz += (jx[k] * ry - jy[k] * rx) * cube
    total[0] += bx * z
    total[1] += by * z
    total[2] += bz


@kernel(_ADD)
def _add_segments(x, y, z, half, side, nodes, jx, jy, total):
    """The same for vertical segments from -half to half."""
    bx, by, bz = 0.0, 0.0, 0.0
    height = abs(z)
    u, v = height + half, height - half
    if v > 0.0:  # above the upper end: finite on the axis
        for k in range(jx.size):
            rx, ry = x - side * nodes[0, k], y - side * nodes[1, k]
            rho2 = rx * rx + ry * ry
            r, s = math.sqrt(rho2 + u * u), math.sqrt(rho2 + v * v)
            up = 2.0 * z / (r * s * (r + s))
            across = 2.0 * height / ((u * s + v * r) * r * s)
            bx += jy[k] * up
            by -= jx[k] * up
            bz += (jx[k] * ry - jy[k] * rx) * across
    else:
        for k in range(jx.size):
            rx, ry = x - side * nodes[0, k], y - side * nodes[1, k]
            rho2 = rx * rx + ry * ry
            r, s = math.sqrt(rho2 + u * u), math.sqrt(rho2 + v * v)
            up = 2.0 * z / (r * s * (r + s))
            across = (u / r - v / s) / (2.0 * half * rho2)
            bx += jy[k] * up
            by -= jx[k] * up
            bz += (jx[k] * ry - jy[k] * rx) * across
    total[0] += bx
    total[1] += by
    total[2] += bz


@kernel(
    "void(float64[:, ::1], float64[:, :, ::1], float64[:, :, ::1], boolean[::1], int64[::1], int64[::1], int64[::1],"
    " float64, float64, float64, float64[:, ::1], float64[::1], int64[:, ::1], float64[:, ::1], float64[::1],"
    " float64[:, ::1], int64[:, ::1], int64[::1])"
)
def far_field(
    points, density, weights, filled, first, rows, columns,
    pixel, half, opening, nodes, shares, stack, own, total, out, near, counts,
):  # fmt: skip
    """Field of all blocks and pixels that are far, and a list of the pixels that are near.

    Parameters
    ----------
    points : (n, 3) array (m), from the corner of pixel (0, 0) and the middle of the layer; finite
    density, weights, filled, first, rows, columns : of the `Tree`
    pixel, half : side of a pixel, half of the thickness (m)
    opening : distance in sides of a block, beyond which it is far
    nodes, shares : (2, NODES^2) and (NODES^2,) arrays: the nodes of a block in units of its side, their weights
    stack, own, total : workspace, (4 levels, 3), (2, NODES^2) and (3,)
    out : (n, 3) array (T per mu0 / 4 pi), overwritten
    near, counts : (n, NEAR) and (n,) arrays: flat indices of near pixels that carry current, and how many
    """
    top = rows.size - 1
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        above = max(abs(z) - half, 0.0)
        total[0] = total[1] = total[2] = 0.0
        counts[i] = 0
        stack[0, 0], stack[0, 1], stack[0, 2] = top, 0, 0
        depth = 1
        while depth > 0:
            depth -= 1
            level, row, column = stack[depth, 0], stack[depth, 1], stack[depth, 2]
            block = first[level] + row * columns[level] + column
            if level > 0:
                if not filled[block]:
                    continue
            elif density[0, row, column] == 0.0 and density[1, row, column] == 0.0:
                continue
            side = pixel * (1 << level)
            left, low = column * side, row * side
            dx = max(max(left - x, x - left - side), 0.0)
            dy = max(max(low - y, y - low - side), 0.0)
            if dx * dx + dy * dy + above * above > (opening * side) ** 2:
                if level > 0:
                    jx, jy = weights[block, 0], weights[block, 1]
                else:
                    jx, jy = own[0], own[1]
                    for k in range(shares.size):
                        share = shares[k] * pixel * pixel
                        jx[k], jy[k] = density[0, row, column] * share, density[1, row, column] * share
                if half > 0.0:
                    _add_segments(x - left, y - low, z, half, side, nodes, jx, jy, total)
                else:
                    _add_points(x - left, y - low, z, half, side, nodes, jx, jy, total)
            elif level == 0:
                near[i, counts[i]] = row * columns[0] + column
                counts[i] += 1
            else:
                for r in range(2 * row, min(2 * row + 2, rows[level - 1])):
                    for c in range(2 * column, min(2 * column + 2, columns[level - 1])):
                        stack[depth, 0], stack[depth, 1], stack[depth, 2] = level - 1, r, c
                        depth += 1
        out[i, 0], out[i, 1], out[i, 2] = total[0], total[1], total[2]
