"""Kernels that draw the noise: one 64-bit generator, and normal, Poisson and gamma numbers from it.

All kernels of the chain are in this file. They use no fast mathematics, so that the same seed gives the
same counts whatever the compiler does with a loop.

Sources: the generator is SFC64 of C. Doty-Humphrey (PractRand, 2010), as in numpy; normal numbers by the
ziggurat of G. Marsaglia and W. W. Tsang, J. Stat. Softw. 5, 8 (2000), with the precautions of J. A. Doornik
(2005); gamma numbers by G. Marsaglia and W. W. Tsang, ACM Trans. Math. Softw. 26, 363 (2000); Poisson numbers
by the plan of J. H. Ahrens and U. Dieter, ACM Trans. Math. Softw. 8, 163 (1982), with the probabilities that it
compares computed directly.
"""

from __future__ import annotations

import math

import numpy as np
from numba.types import Array, boolean, float64, int64, uint16, uint64

from vbsense._jit import kernel

__all__ = ["count_photons", "expose_pixels"]

EXACT = {"fastmath": False}
GIVEN = Array(float64, 1, "C", readonly=True)  # takes arrays that may be written as well
PIECE = 1024  # pixels whose random words are drawn at once
LARGEST = 1e12  # mean; far above it, rounding would show in the probabilities that are compared
_TINY = 2.0**-53
_ONE, _ELEVEN, _THREE, _SHIFT, _REST = (np.uint64(k) for k in (1, 11, 3, 24, 40))


# --- normal numbers: 256 strips of equal area under exp(-x^2 / 2) -----------------------------------------------------

_EDGE = 3.6541528853610088  # where the tail begins
_STRIP = _EDGE * math.exp(-(_EDGE**2) / 2) + math.sqrt(math.pi / 2) * math.erfc(_EDGE / math.sqrt(2))


def _strips() -> np.ndarray:
    """Right edges, widest strip first; the first one holds the tail, the last edge is 0."""
    x = [_STRIP / math.exp(-(_EDGE**2) / 2), _EDGE]
    while len(x) < 256:
        x.append(math.sqrt(-2 * math.log(math.exp(-(x[-1] ** 2) / 2) + _STRIP / x[-1])))
    return np.array([*x, 0.0])


_X = _strips()
_HEIGHT = np.exp(-(_X**2) / 2)
_SCALE = _X[:-1] * 2.0**-52
_INSIDE = np.floor(_X[1:] / _X[:-1] * 2.0**52).astype(np.int64)


@kernel("uint64(uint64[::1])", **EXACT)
def _next(state):
    word = state[0] + state[1] + state[3]
    state[3] += _ONE
    state[0] = state[1] ^ (state[1] >> _ELEVEN)
    state[1] = state[2] + (state[2] << _THREE)
    state[2] = ((state[2] << _SHIFT) | (state[2] >> _REST)) + word
    return word


@kernel("void(uint64[::1], uint64[::1], int64)", **EXACT)
def _fill(state, words, number):
    # The same as _next, with the state in registers.
    a, b, c, counter = state[0], state[1], state[2], state[3]
    for k in range(number):
        word = a + b + counter
        counter += _ONE
        a = b ^ (b >> _ELEVEN)
        b = c + (c << _THREE)
        c = ((c << _SHIFT) | (c >> _REST)) + word
        words[k] = word
    state[0], state[1], state[2], state[3] = a, b, c, counter


@kernel("float64(uint64)", **EXACT)
def _uniform(word):
    return np.float64(word >> _ELEVEN) * _TINY


@kernel("float64(uint64[::1])", **EXACT)
def _exponential(state):
    return -math.log(1.0 - _uniform(_next(state)))


@kernel("float64(uint64, uint64[::1])", **EXACT)
def _normal(word, state):
    while True:
        strip = word & np.uint64(255)
        steps = np.int64(word) >> 11  # signed, 53 bits: none of those that chose the strip
        x = steps * _SCALE[strip]
        if abs(steps) < _INSIDE[strip]:
            return x
        if strip == np.uint64(0):
            while True:
                beyond = _exponential(state) / _EDGE
                if 2.0 * _exponential(state) > beyond * beyond:
                    return _EDGE + beyond if x > 0 else -_EDGE - beyond
        low, high = _HEIGHT[strip], _HEIGHT[strip + _ONE]
        if low + _uniform(_next(state)) * (high - low) < math.exp(-0.5 * x * x):
            return x
        word = _next(state)


@kernel("void(uint64[::1], uint64[::1], float64[::1], int64)", **EXACT)
def _normals(state, words, out, number):
    # Ninety-nine of a hundred words end here. A call costs more than that: it counts references to its arrays.
    for k in range(number):
        word = words[k]
        strip = word & np.uint64(255)
        steps = np.int64(word) >> 11
        if abs(steps) < _INSIDE[strip]:
            out[k] = steps * _SCALE[strip]
        else:
            out[k] = _normal(word, state)


# --- Poisson numbers --------------------------------------------------------------------------------------------------

# With exact probabilities, tests/test_camera.py finds that these hold for means from 10 on.
ALWAYS_RIGHT = 1.1484  # from the mean less this on, the Poisson law has more of every k than the rounded normal law
HAT, HAT_CENTER, HAT_START = 0.1069, 1.8, -0.6744  # height times the mean, centre and beginning of what covers the lack

# ln k! - (k + 1/2) ln k + k - ln(2 pi) / 2, which Stirling's series gives from 10 on.
_STIRLING = np.array(
    [0.0] + [math.lgamma(k + 1) - (k + 0.5) * math.log(k) + k - 0.5 * math.log(2 * math.pi) for k in range(1, 10)]
)


@kernel("float64(float64, float64)", **EXACT)
def _poisson_probability(k, mean):
    if k == 0.0:
        return math.exp(-mean)
    if k < 10.0:
        rest = _STIRLING[np.int64(k)]
    else:
        square = 1.0 / (k * k)
        rest = (1 / 12 - (1 / 360 - (1 / 1260 - square / 1680) * square) * square) / k
    # k ln(mean / k) + k - mean without the difference of large numbers
    deviance = k * math.log1p((mean - k) / k) - (mean - k)
    return math.exp(deviance - rest) / math.sqrt(2 * math.pi * k)


@kernel("float64(float64, float64, float64)", **EXACT)
def _normal_probability(k, mean, sigma):
    """That floor(mean + sigma z) is k, on the side where the difference is of small numbers."""
    near = (k - mean) / (sigma * math.sqrt(2.0))
    far = (k + 1.0 - mean) / (sigma * math.sqrt(2.0))
    if near > 0.0:
        return 0.5 * (math.erfc(near) - math.erfc(far))
    return 0.5 * (math.erfc(-far) - math.erfc(-near))


@kernel("float64(float64, uint64)", **EXACT)
def _few(mean, word):
    """By inversion: the smallest k whose cumulative probability exceeds a uniform number."""
    left, probability, k = _uniform(word), math.exp(-mean), 0.0
    while left >= probability and k < 200.0:  # never that far for a mean below 10, but for rounding
        left -= probability
        k += 1.0
        probability *= mean / k
    return k


@kernel("float64(float64, float64, float64, uint64[::1])", **EXACT)
def _correct(mean, k, chance, state):
    """What follows a normal number that was not accepted at once: its k and a uniform number."""
    if k >= np.floor(mean - ALWAYS_RIGHT):
        return k
    sigma = math.sqrt(mean)
    if k >= 0.0 and (1.0 - chance) * _normal_probability(k, mean, sigma) <= _poisson_probability(k, mean):
        return k
    while True:  # from what the normal law lacks, under a two-sided exponential hat
        distance = _exponential(state)
        side = 2.0 * _uniform(_next(state)) - 1.0
        t = HAT_CENTER + (distance if side > 0.0 else -distance)
        if t <= HAT_START:
            continue
        k = np.floor(mean + sigma * t)
        lack = _poisson_probability(k, mean) - _normal_probability(k, mean, sigma)
        if HAT / mean * math.exp(-distance) * abs(side) <= lack:
            return k


@kernel("float64(float64, float64, uint64, uint64[::1])", **EXACT)
def _poisson(mean, z, word, state):
    """From a normal number and a word, and more of them where these do not decide."""
    if mean < 10.0:
        return _few(mean, word)
    k = np.floor(mean + math.sqrt(mean) * z)
    chance, below = _uniform(word), mean - k
    # Where the Poisson law has more of every k than the normal law (looked at last), k is right. Below, the
    # normal law has too much, by less than this share of it, which is above 1 for negative k.
    if 6.0 * mean * mean * chance >= below * below * below:
        return k
    return _correct(mean, k, chance, state)


# --- gamma numbers ----------------------------------------------------------------------------------------------------


@kernel("float64(float64, uint64[::1])", **EXACT)
def _gamma(shape, state):
    """Sum of `shape` exponential numbers of mean 1; `shape` is at least 1."""
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = _normal(_next(state), state)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        chance = 1.0 - _uniform(_next(state))
        if chance < 1.0 - 0.0331 * x * x * x * x or math.log(chance) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return d * v


# --- sensors ----------------------------------------------------------------------------------------------------------


@kernel(
    int64(GIVEN, GIVEN, GIVEN, GIVEN, *6 * (float64,), boolean, uint64[::1], uint64[::1], float64[::1], uint16[::1]),
    **EXACT,
)
def expose_pixels(
    rate, response, dark, read_noise, seconds, spurious, gain, offset, full_well, maximum, multiply, state, words,
    normals, out,
):  # fmt: skip
    """Counts of frames one after the other; returns where the first impossible rate is, or -1.

    Electrons are drawn, multiplied if `multiply` (their number as the shape of a gamma law), and read.
    `words` has room for ``3 * PIECE``, `normals` for ``2 * PIECE``.
    """
    pixel = 0
    for first in range(0, rate.size, PIECE):
        number = min(PIECE, rate.size - first)
        _fill(state, words, 3 * number)
        _normals(state, words, normals, 2 * number)
        for k in range(number):
            light = rate[first + k]
            mean = (light * response[pixel] + dark[pixel]) * seconds + spurious
            if not (0.0 <= mean <= LARGEST and light >= 0.0):
                return first + k
            word = words[2 * number + k]
            # The beginning of _poisson, which nearly always is its end, without a call.
            electrons = np.floor(mean + math.sqrt(mean) * normals[k])
            below = mean - electrons
            if mean < 10.0 or 6.0 * mean * mean * _uniform(word) < below * below * below:
                electrons = _poisson(mean, normals[k], word, state)
            if multiply and electrons > 0.0:
                electrons = _gamma(electrons, state)
            # The noise comes first: a full pixel reads exactly `maximum`, so that it can be told.
            electrons = min(electrons + read_noise[pixel] * normals[number + k], full_well)
            count = np.rint(electrons / gain + offset)
            out[first + k] = np.uint16(min(max(count, 0.0), maximum))
            pixel += 1
            if pixel == response.size:
                pixel = 0
    return -1


# --- photon counters --------------------------------------------------------------------------------------------------


@kernel("float64(float64, float64, float64, float64, float64, uint64[::1])", **EXACT)
def _before(rate, limit, dead_time, number, waited, state):
    """Detections up to `limit` if `number` of them, too many, have waited `waited` in all (dead times apart).

    Halves are drawn where the end is expected: of n waits with a known sum, the sum of the first m is a beta share.
    """
    low, low_sum, high, high_sum = 0.0, 0.0, number, waited
    while high - low > 1.0:
        start, end = low_sum + low * dead_time, high_sum + high * dead_time
        middle = low + np.floor((high - low) * (limit + dead_time - start) / (end - start))
        middle = min(max(middle, low + 1.0), high - 1.0)
        one, other = _gamma(middle - low, state), _gamma(high - middle, state)
        here = low_sum + (high_sum - low_sum) * one / (one + other)
        if here + (middle - 1.0) * dead_time <= limit:
            low, low_sum = middle, here
        else:
            high, high_sum = middle, here
    return low


@kernel("float64(float64, float64, float64, uint64[::1])", **EXACT)
def _detections(rate, seconds, dead_time, state):
    """Of a detector that is blind for `dead_time` after each detection and ready at the beginning."""
    left, total = seconds, 0.0
    while left > 0.0:
        number = max(np.floor(rate * left / (1.0 + rate * dead_time)), 1.0)
        waited = _gamma(number, state) / rate
        if waited + (number - 1.0) * dead_time > left:
            return total + _before(rate, left, dead_time, number, waited, state)
        total += number
        left -= waited + number * dead_time
    return total


@kernel(int64(GIVEN, *5 * (float64,), uint64[::1], uint16[::1]), **EXACT)
def count_photons(rate, dark_rate, seconds, dead_time, after_pulsing, maximum, state, out):
    """Counts of every pixel; returns where the first impossible rate is, or -1."""
    for k in range(rate.size):
        total = rate[k] + dark_rate
        if not (rate[k] >= 0.0 and total * seconds <= LARGEST):
            return k
        if total * seconds == 0.0:
            detected = 0.0
        elif dead_time == 0.0:
            detected = _poisson(total * seconds, _normal(_next(state), state), _next(state), state)
        else:
            detected = _detections(total, seconds, dead_time, state)
        if after_pulsing > 0.0 and detected > 0.0:
            # Each pulse has a geometric number of followers: in all a Poisson number with a gamma mean.
            mean = _gamma(detected, state) * after_pulsing / (1.0 - after_pulsing)
            detected += _poisson(mean, _normal(_next(state), state), _next(state), state)
        out[k] = np.uint16(min(detected, maximum))
    return -1
