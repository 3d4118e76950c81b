"""Spots on pixels, compiled: overlaps of neighbours, sums over spots, sums over pixels.

A matrix (pixel, site) comes as its columns: `data`, `index` (pixels, ascending in each column) and `ends`.
"""

from __future__ import annotations

from numba import float64, int32, int64, void

from vbsense._jit import kernel

__all__ = ["boxes_of", "count_pairs", "expand", "overlaps", "project"]


@kernel([void(t[::1], t[::1], int64, int64[:, ::1]) for t in (int32, int64)])
def boxes_of(index, ends, width, boxes):
    """First and last row, first and last column of every image; of one without pixels a box that meets no other."""
    for s in range(boxes.shape[0]):
        boxes[s, 0], boxes[s, 1], boxes[s, 2], boxes[s, 3] = 1, -1, 1, -1
        if ends[s + 1] > ends[s]:
            boxes[s, 0], boxes[s, 1] = index[ends[s]] // width, index[ends[s + 1] - 1] // width
            boxes[s, 2], boxes[s, 3] = width, 0
            row, start = -1, 0
            for k in range(ends[s], ends[s + 1]):
                if index[k] >= start + width or row < 0:
                    row = index[k] // width
                    start = row * width
                boxes[s, 2] = min(boxes[s, 2], index[k] - start)
                boxes[s, 3] = max(boxes[s, 3], index[k] - start)


@kernel([int64(int64[:, ::1], int64, int64)])
def count_pairs(boxes, low, high):
    """Pairs i <= j, i from `low` to `high`, whose boxes (first row, last row, first column, last column) meet."""
    n = 0
    for i in range(low, high):
        for j in range(i, boxes.shape[0]):
            rows = boxes[i, 0] <= boxes[j, 1] and boxes[j, 0] <= boxes[i, 1]
            if rows and boxes[i, 2] <= boxes[j, 3] and boxes[j, 2] <= boxes[i, 3]:
                n += 1
    return n


@kernel([int64(t[::1], int64, int64, int64) for t in (int32, int64)])
def _first(index, low, high, pixel):
    """The first entry from `low` to `high` at `pixel` or behind."""
    while low < high:
        middle = (low + high) // 2
        if index[middle] < pixel:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(
    [
        void(
            float64[::1], t[::1], t[::1], float64[::1], float64[:, ::1], int64[:, ::1], int64, float64[::1],
            int64, int64, int64[::1], int64[::1], float64[::1], float64[:, ::1], float64[:, ::1],
        )
        for t in (int32, int64)
    ]
)  # fmt: skip
def overlaps(
    data, index, ends, weight, columns, boxes, width, work, start, stop, first, second, product, skewed, under
):
    """Sums over the pixels for pairs i <= j, i from `start` to `stop`.

    Of w g_i g_j; of w^2 g_i^2 g_j and of w^2 g_j^2 g_i; of w^2 g_i^2 times every column. `work` holds a zero per pixel.
    """
    n = 0
    for i in range(start, stop):
        for k in range(ends[i], ends[i + 1]):
            u = weight[index[k]] * data[k]
            work[index[k]] = u
            for c in range(columns.shape[1]):
                under[i, c] += u * u * columns[index[k], c]
        for j in range(i, boxes.shape[0]):
            rows = boxes[i, 0] <= boxes[j, 1] and boxes[j, 0] <= boxes[i, 1]
            if not (rows and boxes[i, 2] <= boxes[j, 3] and boxes[j, 2] <= boxes[i, 3]):
                continue
            low = _first(index, ends[j], ends[j + 1], boxes[i, 0] * width)
            high = _first(index, ends[j], ends[j + 1], (boxes[i, 1] + 1) * width)
            total, mine, its = 0.0, 0.0, 0.0
            for k in range(low, high):
                u, g = work[index[k]], data[k]
                ug = u * g
                total += ug
                mine += u * ug
                its += weight[index[k]] * g * ug
            first[n], second[n], product[n], skewed[n, 0], skewed[n, 1] = i, j, total, mine, its
            n += 1
        for k in range(ends[i], ends[i + 1]):
            work[index[k]] = 0.0


@kernel([void(float64[::1], t[::1], t[::1], int64, float64[:, ::1], float64[:, ::1]) for t in (int32, int64)])
def project(data, index, ends, start, values, out):
    """Add to `out` (site, m) the sums over the pixels from `start` on of image times `values` (pixel, m)."""
    for s in range(out.shape[0]):
        low = _first(index, ends[s], ends[s + 1], start)
        high = _first(index, low, ends[s + 1], start + values.shape[0])
        for k in range(low, high):
            g, p = data[k], index[k] - start
            for m in range(out.shape[1]):
                out[s, m] += g * values[p, m]


@kernel([void(float64[::1], t[::1], t[::1], int64, float64[:, ::1], float64[:, ::1]) for t in (int32, int64)])
def expand(data, index, ends, start, light, out):
    """Add to `out` (pixel, m), from pixel `start` on, the sums over the sites of image times `light` (site, m)."""
    for s in range(light.shape[0]):
        low = _first(index, ends[s], ends[s + 1], start)
        high = _first(index, low, ends[s + 1], start + out.shape[0])
        for k in range(low, high):
            g, p = data[k], index[k] - start
            for m in range(out.shape[1]):
                out[p, m] += g * light[s, m]
