"""Light of single spots out of overlapping images: unbiased, with true errors and correlations, or refused."""

import numpy as np
import pytest
from test_optics import convolved

import vbsense as vb
from vbsense import analysis
from vbsense.data import LayoutError

F = np.array([3.2e9, 3.3e9, 3.4e9])
DIP = np.array([1.0, 0.9, 0.97])
SHAPE, PIXEL, FWHM = (26, 29), 1e-7, 440e-9
ARRAY = vb.SensorArray(400e-9, (4, 5), (1.4e-6, 1.25e-6), rotation=0.07)
LIGHT = 4e3 * np.exp(np.random.default_rng(3).normal(0, 0.2, 20))
BACKGROUND = 60.0


def pictures(light=LIGHT, background=BACKGROUND):
    """Mean electrons per exposure, from a numerical convolution; (frequency, y, x)."""
    spots = convolved(ARRAY, SHAPE, PIXEL, FWHM)
    return np.array([np.einsum("k,kyx->yx", light * d, spots) for d in DIP]) + background


def sweep(signal, **changes):
    attributes = {"frames": 1, "read_noise": 5.0, "sensor_array": ARRAY.to_json(), "psf_fwhm": FWHM, "exposure": 0.1}
    return vb.make_sweep(signal, F, pixel_size=PIXEL, **(attributes | changes))


@pytest.fixture(scope="module")
def repeats():
    """The same measurement 600 times, 4 frames each."""
    rng, n, frames = np.random.default_rng(1), 600, 4
    mean = pictures()
    signal = rng.poisson(np.broadcast_to(frames * mean, (n, *mean.shape))) / frames
    signal = signal + rng.normal(0, 5.0 / np.sqrt(frames), signal.shape)
    return analysis.unmix(sweep(signal, frames=frames, coords={"sweep": range(n)}))


def test_noise_free_light_comes_back():
    got = analysis.unmix(sweep(pictures()))
    assert got.signal.values == pytest.approx(DIP[:, None] * LIGHT, rel=2e-3)
    assert got.signal.dims == ("frequency", "site")
    assert got.x.values == pytest.approx(ARRAY.x)
    assert got.column.values.tolist() == ARRAY.column.tolist()


def test_light_is_unbiased_and_its_errors_are_true(repeats):
    pull = ((repeats.signal - DIP[:, None] * LIGHT) / repeats.signal_err).values
    n = len(pull)
    assert np.abs(pull.mean(0)).max() < 4.5 / np.sqrt(n) + 0.05  # 0.05: the spot's footprint as a Gaussian
    assert pull.std(0) == pytest.approx(1, abs=4.5 / np.sqrt(2 * n))
    assert pull.std() == pytest.approx(1, abs=0.03)


def test_site_correlation_is_that_of_repeated_measurements(repeats):
    light = repeats.signal.values
    centred = (light - light.mean(0)) / light.std(0)
    empirical = np.einsum("nfs,nft->st", centred, centred) / (light.shape[0] * len(F))
    given = repeats.site_correlation.values
    assert np.diag(given) == pytest.approx(1)
    assert given == pytest.approx(given.T)
    assert np.abs(given - empirical).max() < 5 / np.sqrt(light.shape[0] * len(F)) + 0.01
    assert given.min() < -0.25  # what one neighbour gets too much, the other lacks


def test_more_frames_make_smaller_errors():
    one, nine = (analysis.unmix(sweep(pictures(), frames=n)).signal_err.values for n in (1, 9))
    assert one == pytest.approx(3 * nine)


@pytest.mark.parametrize(("ratio", "amplification"), [(1.0, 1.15), (0.75, 1.92), (0.6, 5.3)])
def test_noise_amplification_of_a_large_lattice(ratio, amplification):
    pitch, n = 300e-9, 19
    pixel, spot = pitch / 4, 10e-9
    fwhm = np.sqrt((pitch / ratio) ** 2 - 8 * np.log(2) * (pixel**2 + spot**2) / 12)  # whole image: the given ratio
    size = int(4 * n + 40 / ratio)
    array = vb.SensorArray(pitch, (n, n), ((size - 1) / 2 * pixel,) * 2, spot_size=spot)
    even = vb.make_sweep(np.full((1, size, size), 1e6), F[:1], pixel_size=pixel)
    got = analysis.unmix(even, array, psf_fwhm=fwhm)
    # A spot in the middle against one alone whose light falls on pixels of variance 1e6.
    middle = (n * n) // 2
    image = vb.optics.spot_images(array, shape=(size, size), pixel_size=pixel, psf_fwhm=fwhm)[:, [middle]]
    ratio_of_errors = got.signal_err.values[0, middle] / 1e3 * np.sqrt((image**2).sum())
    assert ratio_of_errors == pytest.approx(amplification, rel=0.02)
    # An infinite lattice: the overlaps of neighbours as a Fourier series, which factors into rows and columns.
    k, m = np.arange(512) * 2 * np.pi / 512, np.arange(-40, 41)
    series = np.exp(-2 * np.log(2) * (m * ratio) ** 2) @ np.cos(np.outer(m, k))
    assert ratio_of_errors == pytest.approx(np.mean(1 / series), rel=0.02)
    # The attribute is the median: the sites on the rim have fewer neighbours.
    assert 0.9 * amplification < got.attrs["user_noise_amplification"] <= 1.01 * amplification


def test_part_of_a_picture_gives_the_same_light():
    whole = sweep(pictures())
    part = whole.isel(x=slice(1, None), y=slice(1, -1))
    got = analysis.unmix(part)
    assert got.signal.values == pytest.approx(analysis.unmix(whole).signal.values, rel=2e-3)
    assert got.x.values == pytest.approx(ARRAY.x)


def test_nan_pixels_are_left_out_and_missing_images_stay_missing():
    signal = pictures()
    rng = np.random.default_rng(5)
    signal[:, rng.random(SHAPE) < 0.1] = np.nan
    signal[1, 8, 9] = np.nan
    got = analysis.unmix(sweep(signal))
    assert got.signal.values == pytest.approx(DIP[:, None] * LIGHT, rel=5e-3)
    assert (got.signal_err.values > 0.999 * analysis.unmix(sweep(pictures())).signal_err.values).all()
    signal[2] = np.nan
    got = analysis.unmix(sweep(signal))
    assert np.isnan(got.signal.values[2]).all()
    assert got.signal.values[:2] == pytest.approx(DIP[:2, None] * LIGHT, rel=5e-3)


def test_sites_under_nan_pixels_are_nan_and_the_others_are_right():
    signal = pictures()
    signal[:, :, :10] = np.nan
    got = analysis.unmix(sweep(signal))
    lost = np.isnan(got.signal.values).any(0)
    assert (lost == np.isnan(got.signal_err.values).all(0)).all()
    assert lost[ARRAY.column == 0].all()
    assert not lost[ARRAY.column >= 2].any()
    far = ARRAY.column >= 3
    assert got.signal.values[:, far] == pytest.approx((DIP[:, None] * LIGHT)[:, far], rel=0.03)


def test_leading_dimensions_keep_their_order_and_coordinates():
    signal = np.stack([pictures(), pictures(2 * LIGHT)])
    got = analysis.unmix(sweep(signal, coords={"polarity": [1, -1]}, user_note="kept"))
    assert got.signal.dims == ("polarity", "frequency", "site")
    assert got.polarity.values.tolist() == [1, -1]
    assert got.signal.values[1] == pytest.approx(2 * got.signal.values[0], rel=1e-2)
    assert got.attrs["user_note"] == "kept"
    assert vb.data.check(got) is got


def test_fit_and_field_keep_the_correlation():
    f = np.linspace(3.0e9, 4.0e9, 41)
    images = vb.optics.spot_images(ARRAY, shape=SHAPE, pixel_size=PIXEL, psf_fwhm=FWHM)
    light = 1e6 * (1 - 0.05 * vb.spectrum(f, [0, 0, 10e-3], linewidth=60e6))[:, None] * np.ones(20)
    whole = vb.make_sweep(
        (images @ light.T).T.reshape(41, *SHAPE), f, pixel_size=PIXEL, frames=1, sensor_array=ARRAY.to_json(),
        psf_fwhm=FWHM, bias_field=(0, 0, 10e-3),
    )  # fmt: skip
    sites = analysis.unmix(whole)
    field = analysis.field_map(analysis.fit_sweep(sites))
    assert (field.site_correlation.values == sites.site_correlation.values).all()


# --- refusals ---------------------------------------------------------------------------------------------------------


def changed(**attributes):
    got = sweep(pictures())
    for name, value in attributes.items():
        got.attrs.pop(name)
        if value is not None:
            got.attrs[name] = value
    return got


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: analysis.unmix(changed(sensor_array=None)), "SensorArray"),
        (lambda: analysis.unmix(changed(psf_fwhm=None)), "psf_fwhm"),
        (lambda: analysis.unmix(changed(sensor_array="{}")), "JSON"),
        (lambda: analysis.unmix(changed(), psf_fwhm=-1.0), "psf_fwhm"),
        (lambda: analysis.unmix(changed(), vb.SensorArray(1e-9, (1, 2), (1.4e-6, 1.3e-6))), "apart|pitch"),
        (lambda: analysis.unmix(changed(), vb.SensorArray(1e-12, (1, 2), (1.4e-6, 1.3e-6))), "apart|pitch"),
        (lambda: analysis.unmix(changed(), vb.SensorArray(100e-9, (9, 9), (1.4e-6, 1.3e-6))), "apart|pitch"),
        (lambda: analysis.unmix(changed(), vb.SensorArray(400e-9, (4, 5))), "outside the image"),
        (lambda: analysis.unmix(sweep(np.where(np.arange(29) < 28, np.nan, pictures()))), "no site has valid pixels"),
        (lambda: analysis.unmix(analysis.unmix(changed())), "needs images"),
        (lambda: analysis.unmix(changed().isel(x=[0, 1, 2, 7, 8])), "evenly spaced"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_fit_or_nothing_is_no_sweep():
    with pytest.raises(LayoutError, match="a sweep is needed"):
        analysis.unmix(vb.make_map(np.ones((3, 3)), pixel_size=1e-7))
    with pytest.raises(TypeError, match="Dataset"):
        analysis.unmix(np.ones((3, 3, 3)))


def test_another_point_spread_function_can_be_given():
    """Read with a Gaussian of the same width, the rings of an Airy pattern put light on the wrong sites."""
    from vbsense.optics import AiryPSF, spot_images

    psf = AiryPSF(820e-9, 0.95)
    images = spot_images(ARRAY, shape=SHAPE, pixel_size=PIXEL, psf=psf)
    signal = (images @ (LIGHT * DIP[:, None]).T).T.reshape(3, *SHAPE) + BACKGROUND
    known = analysis.unmix(sweep(signal, psf_fwhm=psf.fwhm), psf=psf).signal.values
    assert known == pytest.approx(DIP[:, None] * LIGHT, rel=1e-6)
    wrong = analysis.unmix(sweep(signal, psf_fwhm=psf.fwhm)).signal.values
    assert np.abs(wrong / (DIP[:, None] * LIGHT) - 1).max() > 0.02
    with pytest.raises(ValueError, match="both given"):
        analysis.unmix(sweep(signal), psf=psf, psf_fwhm=FWHM)


def test_an_electron_multiplier_makes_larger_errors():
    """Its gamma law doubles the variance: pulls say whether the errors know."""
    rng, n = np.random.default_rng(7), 300
    electrons = rng.poisson(np.broadcast_to(pictures(), (n, 3, *SHAPE)))
    signal = np.where(electrons > 0, rng.gamma(np.maximum(electrons, 1)), 0.0)
    got = analysis.unmix(sweep(signal, read_noise=0.0, excess_noise=2.0, coords={"sweep": range(n)}))
    pull = ((got.signal - DIP[:, None] * LIGHT) / got.signal_err).values
    assert pull.std() == pytest.approx(1, abs=0.04)
