"""Compiled loop of the lattice fit: how much the windows of neighbouring spots overlap. Import it late."""

from __future__ import annotations

from vbsense._jit import kernel

__all__ = ["overlaps"]


@kernel("void(float64[:, ::1], int64[::1], int64[::1], int64, int32[::1], int32[::1], float64[::1])")
def overlaps(data, row, column, side, first, second, out):
    """Inner products of pairs of square windows, each given by its first row and column and its values."""
    for k in range(first.size):
        i, j = first[k], second[k]
        down, right = row[j] - row[i], column[j] - column[i]  # where the window of j begins in that of i
        total = 0.0
        for r in range(max(0, down), min(side, side + down)):
            here, there = r * side, (r - down) * side - right
            for c in range(max(0, right), min(side, side + right)):
                total += data[i, here + c] * data[j, there + c]
        out[k] = total
