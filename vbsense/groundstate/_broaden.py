"""Kernels that turn sticks into a spectrum: a direct sum, and a histogram for a convolution."""

from vbsense._jit import kernel


@kernel("void(float64[::1], float64[:,::1], float64[:,::1], float64, float64[:,::1])")
def lorentzians(frequency, position, strength, fwhm, out):
    """Sum of Lorentzians of height `strength` at `position` (Hz), one row of `out` for each row of sticks."""
    inverse = 2.0 / fwhm
    for row in range(position.shape[0]):
        for m in range(frequency.size):
            out[row, m] = 0.0
        total = 0.0
        for k in range(position.shape[1]):
            total += abs(strength[row, k])
        # Most pairs are forbidden; what all of them together could add is below 1e-9 of the spectrum.
        threshold = 1e-9 * total / position.shape[1]
        for k in range(position.shape[1]):
            if abs(strength[row, k]) > threshold:
                for m in range(frequency.size):
                    d = (frequency[m] - position[row, k]) * inverse
                    out[row, m] += strength[row, k] / (1.0 + d * d)


@kernel("float64(float64, float64, float64[:,::1], float64[:,::1], float64, float64)")
def tails(low, high, position, strength, fwhm, margin):
    """Most that the sticks further than `margin` outside low..high add there, as a share of all heights."""
    worst = 0.0
    for row in range(position.shape[0]):
        total = 0.0
        tail = 0.0
        for k in range(position.shape[1]):
            s = abs(strength[row, k])
            total += s
            away = max(low - position[row, k], position[row, k] - high)
            if away > margin:
                d = 2.0 * away / fwhm
                tail += s / (1.0 + d * d)
        if tail > worst * total:
            worst = tail / total
    return worst


@kernel("void(float64[:,::1], float64[:,::1], float64, float64, float64[:,::1])")
def deposit(position, strength, start, step, bins):
    """Sticks into bins from `start` (Hz), `step` apart; those outside are left out.

    A stick is shared among the four nearest bins by the weights of cubic interpolation, so the
    convolved spectrum is exact but for the error of interpolating the line shape: 9 (step/fwhm)^4.
    """
    last = bins.shape[1] - 3
    inverse = 1.0 / step
    for row in range(position.shape[0]):
        for k in range(bins.shape[1]):
            bins[row, k] = 0.0
        for k in range(position.shape[1]):
            place = (position[row, k] - start) * inverse
            if 1.0 <= place < last:
                s = strength[row, k]
                j = int(place)
                t = place - j
                bins[row, j - 1] -= s * t * (t - 1.0) * (t - 2.0) / 6.0
                bins[row, j] += s * (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0
                bins[row, j + 1] -= s * (t + 1.0) * t * (t - 2.0) / 2.0
                bins[row, j + 2] += s * (t + 1.0) * t * (t - 1.0) / 6.0
