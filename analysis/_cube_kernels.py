"""Sums of many lines of one shape, with what the derivatives of a spectrum need."""

import numpy as np

from vbsense._jit import kernel

_LEAST = 1e-11  # height of a point of a comb, next to 1 for a bare line, that adds nothing
_SIGNATURE = (
    "void(float64[::1], float64[::1], float64[:,:,::1], float64[::1], float64[::1], boolean, float64[:,::1], "
    "float64[:,:,::1])"
)


@kernel("void(float64[::1], float64, float64, boolean, float64[:,::1])")
def line_of(frequency, place, fwhm, gaussian, work):
    """One line of height 1, and its derivatives by place and width, into the rows of `work`."""
    inverse = 1.0 / fwhm
    rate = 4.0 * np.log(2.0)
    for m in range(frequency.size):
        u = (frequency[m] - place) * inverse
        if gaussian:
            line = np.exp(-rate * u * u)
            slope = 2.0 * rate * u * line * inverse
        else:
            line = 1.0 / (1.0 + 4.0 * u * u)
            slope = 8.0 * u * line * line * inverse
        work[0, m] = line
        work[1, m] = slope
        work[2, m] = slope * u


@kernel(_SIGNATURE)
def sums(frequency, place, heights, shift, fwhm, gaussian, work, out):
    """Spectra of combs, one for each row of heights of each site.

    Heights (site, row, point), the first two those of the branches; out (site, row + 4, m), after the rows the
    derivatives of the two branches by their place, then by their width - or (site, row, m) without these.
    """
    rows = heights.shape[1]
    slopes = out.shape[1] > rows
    for s in range(heights.shape[0]):
        for r in range(out.shape[1]):
            for m in range(frequency.size):
                out[s, r, m] = 0.0
        for k in range(place.size):
            largest = 0.0
            for r in range(rows):
                largest = max(largest, abs(heights[s, r, k]))
            if largest < _LEAST:
                continue
            line_of(frequency, place[k] + shift[s], fwhm[s], gaussian, work)
            for r in range(rows):
                h = heights[s, r, k]
                if abs(h) > _LEAST:
                    for m in range(frequency.size):
                        out[s, r, m] += h * work[0, m]
            if slopes:
                for r in range(2):
                    h = heights[s, r, k]
                    if abs(h) > _LEAST:
                        for m in range(frequency.size):
                            out[s, rows + r, m] += h * work[1, m]
                            out[s, rows + 2 + r, m] += h * work[2, m]
