"""Kernel that turns sticks into a spectrum."""

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
            total += strength[row, k]
        # Most pairs are forbidden; what all of them together could add is below 1e-9 of the spectrum.
        threshold = 1e-9 * total / position.shape[1]
        for k in range(position.shape[1]):
            if strength[row, k] > threshold:
                for m in range(frequency.size):
                    d = (frequency[m] - position[row, k]) * inverse
                    out[row, m] += strength[row, k] / (1.0 + d * d)
