"""Cameras: noise follows the laws of physics, fixed patterns belong to the sensor, wrong settings are refused."""

from dataclasses import replace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from vbsense import sims
from vbsense.sims.camera import EMCCD, Camera, PhotonCounter, camera_preset
from vbsense.sims.camera.pattern import normal, uniform
from vbsense.sims.camera.presets import PRESETS

BARE = Camera(gain=1.0, offset=0.0, read_noise=0.0, dark_current=0.0, full_well=1e9)


def counts_of(camera, electrons, n=1_000_000, seconds=1.0, seed=1):
    """Counts of n pixels of one place of the sensor, each exposed once."""
    rate = np.full((n, 1, 1), electrons / seconds)
    return camera.expose(rate, seconds, np.random.default_rng(seed)).ravel().astype(int)


def chance(counts, expected, first=0):
    """p-value of the numbers of `first`, `first` + 1, ..., and of the rest, with few expected ones put together."""
    n = counts.size
    expected = np.append(expected, max(1 - expected.sum(), 0)) * n
    inside = (counts >= first) & (counts < first + expected.size - 1)
    observed = np.append(np.bincount(counts[inside] - first, minlength=expected.size - 1), n - inside.sum())
    group = (np.cumsum(expected) // 25).astype(int)
    observed, expected = (np.bincount(group, values) for values in (observed, expected))
    good = expected > 0
    last = (observed[good][-1] + observed[good][-2], expected[good][-1] + expected[good][-2])
    observed, expected = np.append(observed[good][:-2], last[0]), np.append(expected[good][:-2], last[1])
    return stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), expected.size - 1)


# --- single laws ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.02, 1.0, 6.5, 9.999, 10.0, 10.4, 13.7, 33.3, 150.0, 1234.5, 40000.0])
def test_electrons_are_poisson(mean):
    counts = counts_of(BARE, mean)
    first, last = stats.poisson.ppf([1e-9, 1 - 1e-9], mean).astype(int)
    expected = stats.poisson.pmf(np.arange(first, last), mean)
    assert chance(counts, expected, first) > 1e-4
    assert counts.min() >= stats.poisson.ppf(1e-10, mean)
    assert counts.max() <= stats.poisson.isf(1e-10, mean)


@pytest.mark.parametrize("mean", [10.0, 10.9, 14.2, 57.0, 1e3, 3.3e4, 1e6])
def test_the_inequalities_behind_the_poisson_numbers_hold(mean):
    """Normal numbers are accepted, sifted and completed in the right places only if these hold for every k."""
    from vbsense.sims.camera._noise import ALWAYS_RIGHT, HAT, HAT_CENTER, HAT_START

    sigma = np.sqrt(mean)
    k = np.arange(max(0, np.floor(mean - 12 * sigma)), np.ceil(mean + 14 * sigma))
    low, high = (k - mean) / sigma, (k + 1 - mean) / sigma
    rounded = np.where(low > 0, stats.norm.sf(low) - stats.norm.sf(high), stats.norm.cdf(high) - stats.norm.cdf(low))
    poisson = stats.poisson.pmf(k, mean)
    above = k >= np.floor(mean - ALWAYS_RIGHT)
    assert (poisson >= rounded * (1 - 1e-6))[above].all()
    lost = 1 - poisson[~above] / np.maximum(rounded[~above], 1e-300)
    assert (lost <= (mean - k[~above]) ** 3 / (6 * mean**2) + 1e-6).all()
    hat = HAT / mean * np.exp(-np.maximum(abs(low - HAT_CENTER), abs(high - HAT_CENTER)))
    lack = poisson - rounded
    assert (lack <= hat)[low > HAT_START].all()
    assert (lack <= 1e-9)[low <= HAT_START].all()


@pytest.mark.parametrize("mean", [10.0, 33.3, 1e3, 1e6, 1e9, 1e12])
def test_the_probabilities_that_are_compared(mean):
    from vbsense.sims.camera._noise import _normal_probability, _poisson_probability

    sigma = float(np.sqrt(mean))
    with mpmath.workdps(50):
        for t in (-3.0, -1.3, -0.2, 0.4, 1.8, 5.0):
            k = max(0.0, float(np.floor(mean + t * sigma)))
            exact = mpmath.exp(k * mpmath.log(mean) - mean - mpmath.loggamma(mpmath.mpf(k) + 1))
            assert _poisson_probability(k, mean) == pytest.approx(float(exact), rel=1e-9)
            ends = [mpmath.ncdf((mpmath.mpf(k) + j - mean) / mpmath.sqrt(mean)) for j in (0, 1)]
            assert _normal_probability(k, mean, sigma) == pytest.approx(float(ends[1] - ends[0]), rel=1e-8)


def test_read_noise_is_normal_into_the_tails():
    camera = Camera(gain=1 / 3000, offset=32768, read_noise=1.0, dark_current=0.0, full_well=100.0)
    z = (counts_of(camera, 0, n=4_000_000) - camera.offset) * camera.gain
    assert stats.kstest(z + np.random.default_rng(0).uniform(-0.5, 0.5, z.size) * camera.gain, "norm").pvalue > 1e-4
    for edge in (2.5, 3.3, 3.7, 4.2):  # the last two lie in the tail of the ziggurat
        expected = z.size * stats.norm.sf(edge)
        for side in (z, -z):
            assert (side > edge).sum() == pytest.approx(expected, abs=4.5 * np.sqrt(expected))


def test_the_strips_of_the_ziggurat_have_the_same_area():
    from vbsense.sims.camera._noise import _X

    right, height = _X[:-1], np.exp(-(_X**2) / 2)
    area = right * np.diff(height)
    area[0] = right[1] * height[1] + np.sqrt(np.pi / 2) * special.erfc(right[1] / np.sqrt(2))
    assert area == pytest.approx(np.full(256, area[0]), rel=1e-9)


@pytest.mark.parametrize("electrons", [0.4, 3.0, 60.0])
def test_multiplied_electrons_are_gamma_distributed(electrons):
    camera = EMCCD(em_gain=500.0, sensitivity=2.0, output_noise=0.0, offset=0.0, dark_current=0.0, clock_induced=0.0)
    counts = counts_of(camera, electrons)
    edges = (np.arange(0, 40 + 500 * electrons) + 0.5) * camera.gain
    n = np.arange(1, 40 + 3 * int(electrons))[:, None]
    weights = stats.poisson.pmf(n, electrons)
    below = np.exp(-electrons) + (weights * special.gammainc(n, edges)).sum(0)
    assert chance(counts, np.diff(below, prepend=0)) > 1e-4


@pytest.mark.parametrize(
    ("light", "dead_time"), [(0.3, 0.1), (4.0, 0.02), (4.0, 0.3), (90.0, 1e-3), (90.0, 0.02), (3000.0, 1e-4)]
)
def test_a_dead_time_gives_the_renewal_law(light, dead_time):
    """In one second n or more counts fit if n waiting times and n - 1 dead times do."""
    counter = PhotonCounter(dark_rate=0.0, dead_time=dead_time, after_pulsing=0.0)
    counts = counts_of(counter, light, n=400_000)
    n = np.arange(1, int(light) + 200)
    left = 1 - (n - 1) * dead_time
    at_least = np.append(1.0, np.where(left > 0, special.gammainc(n, light * np.maximum(left, 0)), 0))
    assert chance(counts, -np.diff(at_least, append=0)) > 1e-4


def test_false_counts_are_geometric():
    counter = PhotonCounter(dark_rate=0.0, dead_time=0.0, after_pulsing=0.3)
    counts = counts_of(counter, 2.0)
    # Total of a Poisson number of pulses, each with its followers: by the recursion of Panjer.
    size = 0.7 * 0.3 ** np.arange(60)  # of 1, 2, ... pulses
    p = [np.exp(-2.0)]
    for k in range(1, 60):
        p.append(sum(2.0 * j / k * size[j - 1] * p[k - j] for j in range(1, k + 1)))
    assert chance(counts, np.array(p)) > 1e-4


# --- photon transfer of the typical cameras ---------------------------------------------------------------------------

LEVELS = {
    "scmos": (0, 3, 30, 300, 3000, 20000),
    "ccd": (0, 10, 100, 1000, 10000, 80000),
    "emccd": (1, 10, 100, 1000, 2000),
    "apd": (0, 30, 300, 3000, 30000),
}


def theory(name, camera, light, seconds):
    """Mean and variance of the counts of a pixel, averaged over the sensor."""
    if name == "apd":
        rate = light / seconds + camera.dark_rate
        stretch, p = 1 + rate * camera.dead_time, camera.after_pulsing
        mean, variance = rate * seconds / stretch, rate * seconds / stretch**3
        return mean / (1 - p), (variance + mean * p) / (1 - p) ** 2
    alive = 1 - camera.dead_pixels
    electrons = alive * (light + camera.dark_current * seconds * (1 + 999 * camera.hot_pixels))
    if name == "emccd":
        electrons += camera.clock_induced
        gain, variance = camera.sensitivity / camera.em_gain, 2 * electrons
        variance += (camera.output_noise / camera.em_gain) ** 2
    else:
        gain, spread = camera.gain, camera.read_noise_spread
        variance = electrons + camera.read_noise**2 * np.exp(2 * spread**2)  # mean of the square of a log-normal
    return camera.offset + electrons / gain, variance / gain**2 + 1 / 12


@pytest.mark.slow
@pytest.mark.parametrize("name", LEVELS)
def test_photon_transfer_curve_within_one_per_cent(name):
    camera, seconds, side = camera_preset(name), 0.02, 700 if name == "apd" else 1500
    for k, light in enumerate(LEVELS[name]):
        pair = camera.expose(np.full((2, side, side), light / seconds), seconds, np.random.default_rng(k)).astype(float)
        mean, variance = theory(name, camera, light, seconds)
        half = (pair[1] - pair[0]) ** 2 / 2  # the fixed pattern drops out
        error = half.std() / side
        assert error < 0.01 / 4 * variance
        assert half.mean() == pytest.approx(variance, rel=0.01)
        assert pair.mean() == pytest.approx(mean, rel=0.01)
        signal = mean - camera.offset
        uncertain = 4.5 * (np.sqrt(variance / 2) + signal * getattr(camera, "response_spread", 0)) / side
        assert pair.mean() - camera.offset == pytest.approx(signal, abs=uncertain + 1e-3 * signal)


def test_attributes_turn_counts_into_electrons_and_their_true_variance():
    light = 500.0
    for name in PRESETS:
        camera = camera_preset(name, **({} if name == "apd" else {"response_spread": 0.0, "hot_pixels": 0.0}))
        signal = (counts_of(camera, light, n=300_000, seconds=0.01) - camera.offset) * camera.gain
        extra = 2.5 if name == "apd" else 0.1  # dark counts
        variance = camera.excess_noise * (light + extra) + camera.read_noise_rms**2 + camera.gain**2 / 12
        assert signal.mean() == pytest.approx(light + extra, rel=0.01)
        assert signal.var() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize("name", PRESETS)
def test_a_full_pixel_reads_the_maximum(name):
    camera = camera_preset(name, **({"dead_time": 0.0} if name == "apd" else {"dead_pixels": 0.0}))
    full = getattr(camera, "full_well", 65535.0)
    assert (counts_of(camera, 3 * full, n=2000) == camera.maximum).all()
    assert (counts_of(camera, 0.4 * full, n=2000) < camera.maximum).all()
    few = replace(camera, bits=8)
    assert few.maximum == 255
    assert (counts_of(few, 3 * full, n=100) == 255).all()


# --- fixed patterns ---------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(0, 40), st.integers(1, 20), st.integers(1, 20), st.integers(0, 5))
def test_a_block_has_the_pattern_of_the_whole(row, column, height, width, kind):
    here = np.s_[row : row + height, column : column + width]
    for draw in (uniform, normal):
        assert (draw(7, kind, (height, width), (row, column)) == draw(7, kind, (50, 60))[here]).all()


def test_exposed_blocks_see_their_piece_of_the_sensor():
    at, shape = (13, 22), (16, 9)
    here = np.s_[at[0] : at[0] + shape[0], at[1] : at[1] + shape[1]]
    sensors = (
        Camera(response_spread=0.1, dead_pixels=0.05, read_noise=0.0, gain=400.0, full_well=1e9, seed=5),
        Camera(dark_current=2000.0, hot_pixels=0.2, read_noise=0.0, gain=400.0, full_well=1e9, seed=5),
        EMCCD(response_spread=0.2, em_gain=10, sensitivity=4e3, register_well=1e9, pixel_well=1e9, seed=5),
    )
    for camera, light in zip(sensors, (2e6, 0.0, 2e6), strict=True):
        whole = camera.expose(np.full((3, 40, 50), light), 1.0, np.random.default_rng(1)).astype(float)
        block = camera.expose(np.full((3, *shape), light), 1.0, np.random.default_rng(2), at=at).astype(float)
        pattern, noise = whole.mean(0).std(), np.sqrt(whole.var(0).max())
        assert pattern > 20 * noise
        assert abs(block.mean(0) - whole.mean(0)[here]).max() < 8 * noise
        assert abs(block.mean(0) - whole.mean(0)[: shape[0], : shape[1]]).max() > 50 * noise


def test_read_noise_differs_from_pixel_to_pixel_and_stays_there():
    camera = Camera(read_noise=20.0, read_noise_spread=0.6, gain=0.5, offset=3000.0, dark_current=0.0, seed=2)
    whole = camera.expose(np.zeros((3000, 30, 40)), 1.0, np.random.default_rng(1)).std(0) * camera.gain
    block = camera.expose(np.zeros((3000, 10, 8)), 1.0, np.random.default_rng(2), at=(11, 25)).std(0) * camera.gain
    assert block == pytest.approx(whole[11:21, 25:33], rel=6 / np.sqrt(3000))
    assert np.median(whole) == pytest.approx(20.0, rel=0.1)
    assert np.log(whole).std() == pytest.approx(0.6, rel=0.1)
    assert camera.read_noise_rms == pytest.approx(20 * np.exp(0.36))


def test_patterns_have_the_stated_statistics():
    n = 1000
    light, read = normal(1, 2, (n, n)), normal(1, 3, (n, n))
    assert stats.kstest(light.ravel(), "norm").pvalue > 1e-4
    products = [light * read, light[1:] * light[:-1], light[:, 1:] * light[:, :-1], light * normal(2, 2, (n, n))]
    for product in products:  # of patterns, neighbours and sensors that have nothing to do with each other
        assert abs(product.mean()) < 4.5 / n
    dark = Camera(hot_pixels=0.01, dead_pixels=0.002, dark_current=2.0).dark((n, n))
    assert (dark == 2000).mean() == pytest.approx(0.01, rel=0.05)
    assert (dark == 0).mean() == pytest.approx(0.002, rel=0.1)
    assert set(np.unique(dark)) == {0, 2, 2000}


def test_dead_pixels_see_no_light():
    camera = Camera(dead_pixels=0.3, read_noise=0.0, dark_current=0.0)
    counts = camera.expose(np.full((50, 50), 1e4), 1.0, np.random.default_rng(1))
    assert (counts == camera.offset).mean() == pytest.approx(0.3, abs=0.04)
    assert ((counts == camera.offset) | (counts > 4000)).all()


# --- calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_the_same_seed_gives_the_same_counts(name):
    camera, rate = camera_preset(name), np.random.default_rng(0).uniform(0, 1e4, (3, 20, 30))
    one, two = (camera.expose(rate, 0.1, np.random.default_rng(5)) for _ in range(2))
    assert one.dtype == np.uint16
    assert one.shape == rate.shape
    assert (one == two).all()
    rng = np.random.default_rng(5)
    first, second = camera.expose(rate, 0.1, rng), camera.expose(rate, 0.1, rng)
    assert (first == one).all()
    assert (second != one).mean() > 0.5


@pytest.mark.parametrize("name", PRESETS)
def test_any_memory_layout_of_the_rate_will_do(name):
    camera, rate = camera_preset(name), np.random.default_rng(0).uniform(0, 1e4, (20, 30)).astype(np.float32)
    expected = camera.expose(rate.astype(float), 0.1, np.random.default_rng(5))
    frozen = rate.copy()
    frozen.flags.writeable = False
    for same in (rate, np.asfortranarray(rate), np.pad(rate, 3)[3:-3, 3:-3], frozen):
        assert (camera.expose(same, 0.1, np.random.default_rng(5)) == expected).all()
    assert camera.expose(np.empty((0, 5, 5)), 0.1, np.random.default_rng(1)).shape == (0, 5, 5)


def test_presets_are_cameras_whose_fields_can_be_exchanged():
    assert sims.camera_preset("scmos", seed=4) == replace(sims.camera_preset("scmos"), seed=4)
    weak, strong = (camera_preset("emccd", em_gain=g) for g in (50.0, 500.0))
    assert weak.gain == pytest.approx(10 * strong.gain)
    assert weak.read_noise == pytest.approx(10 * strong.read_noise)
    for camera in PRESETS.values():
        assert 0 < camera.maximum <= 65535
        assert camera.dark((3, 4)).shape == (3, 4)


RNG = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Camera(gain=-1), "gain is -1; it must be a positive number"),
        (lambda: Camera(gain="2"), "gain is '2'"),
        (lambda: Camera(read_noise_spread=np.nan), "read_noise_spread is nan"),
        (lambda: Camera(response_spread=2.0), "response_spread is 2.0; it is a fraction"),
        (lambda: Camera(dead_pixels=-0.1), "dead_pixels is -0.1"),
        (lambda: Camera(bits=17), "bits is 17; it must be a whole number from 1 to 16"),
        (lambda: Camera(seed=-3), "seed is -3; it must be a whole number from 0"),
        (lambda: EMCCD(em_gain=3.0), "em_gain is 3.0; it must be at least 10"),
        (lambda: EMCCD(clock_induced=np.inf), "clock_induced is inf"),
        (lambda: EMCCD(register_well=0), "register_well is 0"),
        (lambda: PhotonCounter(dead_time=-1e-9), "dead_time is -1e-09"),
        (lambda: PhotonCounter(after_pulsing=0.9), "after_pulsing is 0.9; .* at most 0.5"),
        (lambda: camera_preset("scoms"), "no camera is called 'scoms'; did you mean 'scmos'"),
        (lambda: camera_preset("eye"), "known are apd, ccd, emccd, scmos"),
        (lambda: camera_preset("ccd", redout=1), "camera 'ccd' has no 'redout'"),
        (lambda: camera_preset("apd", dead_tim=1e-9), "did you mean 'dead_time'"),
        (lambda: Camera().expose(np.array([[1.0, np.nan]]), 1.0, RNG), r"rate is .*nan.* at \(0, 1\)"),
        (lambda: Camera().expose(np.array([[1.0], [-2.0]]), 1.0, RNG), r"rate is .*-2.* at \(1, 0\)"),
        (lambda: Camera().expose(np.array([[np.inf]]), 1.0, RNG), "rate is .*inf"),
        (lambda: Camera().expose(np.array([[2e12]]), 1.0, RNG), "at most 1e12"),
        (lambda: PhotonCounter().expose(np.array([[-1.0]]), 1.0, RNG), "rate is .*-1"),
        (lambda: PhotonCounter().expose(np.array([[np.nan]]), 1.0, RNG), "rate is .*nan"),
        (lambda: Camera().expose(np.ones(5), 1.0, RNG), r"shape \(5,\)"),
        (lambda: Camera().expose(np.ones((5, 5), complex), 1.0, RNG), "complex"),
        (lambda: Camera().expose(np.ones((5, 5)), -1.0, RNG), "seconds is -1.0"),
        (lambda: Camera().expose(np.ones((5, 5)), np.nan, RNG), "seconds is nan"),
        (lambda: Camera().expose(np.ones((5, 5)), 1.0, RNG, at=(-1, 0)), r"at is \(-1, 0\)"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_noise_needs_a_generator():
    with pytest.raises(TypeError, match="default_rng"):
        Camera().expose(np.ones((5, 5)), 1.0, 3)
