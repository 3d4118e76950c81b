"""Drift to the limit that the photons set, with errors that are true, and images put back without making light."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

import vbsense as vb
from vbsense import analysis, sims
from vbsense.data import LayoutError
from vbsense.optics import spot_images

# 15 x 15 spots of 1e4 photons, 500 nm apart, a point-spread function of 440 nm, 90 electrons of background: for this
# the Cramer-Rao bound is 0.51 nm on each axis.
PIXEL, SIZE, ROWS, PITCH, FWHM, BACKGROUND, PHOTONS = 100e-9, 90, 15, 500e-9, 440e-9, 90.0, 1e4
MIDDLE = (SIZE - 1) / 2 * PIXEL


def lattice(shift=(0.0, 0.0), rows=ROWS, **options):
    return vb.SensorArray(PITCH, (rows, rows), (MIDDLE + shift[0], MIDDLE + shift[1]), rotation=0.07, **options)


def picture(shift, light=PHOTONS, rows=ROWS):
    images = spot_images(lattice(shift, rows), shape=(SIZE, SIZE), pixel_size=PIXEL, psf_fwhm=FWHM)
    return (images @ np.broadcast_to(light, images.shape[1])).reshape(SIZE, SIZE) + BACKGROUND


def sweep(stack, **attributes):
    frequency = 3e9 + 1e6 * np.arange(np.shape(stack)[-3])
    return vb.make_sweep(stack, frequency, pixel_size=PIXEL, **({"frames": 1} | attributes))


def bound(light=PHOTONS):
    """Cramer-Rao bound of a shift in x and y (m): Fisher information of Poisson pixels, by numerical differences."""
    step, mean = 1e-9, picture((0, 0), light).ravel()
    slopes = [(picture(s, light) - picture(tuple(-v for v in s), light)).ravel() / (2 * step) for s in
              ((step, 0), (0, step))]  # fmt: skip
    rows = np.array([*slopes, mean - BACKGROUND, np.ones_like(mean)])
    return np.sqrt(np.diag(np.linalg.inv((rows / mean) @ rows.T)))[:2]


@pytest.fixture(scope="module")
def wandering():
    """Sixty noisy images of an array that wanders by 20 nm, and the true shifts."""
    rng = np.random.default_rng(11)
    drift = rng.normal(0, 20e-9, (60, 2))
    return sweep(np.array([rng.poisson(picture(d)) for d in drift], dtype=float)), drift


def errors(result, drift, *, free=False):
    off = np.stack([result.shift_x.values, result.shift_y.values], axis=-1) - drift
    return off - np.nanmean(off, axis=0) if free else off


# --- with a lattice ---------------------------------------------------------------------------------------------------


def test_the_bound_of_this_setting_is_half_a_nanometre():
    assert bound() * 1e9 == pytest.approx([0.51, 0.51], abs=0.005)


def test_shifts_reach_the_cramer_rao_bound(wandering):
    data, drift = wandering
    result = analysis.register(data, sites=lattice(), psf_fwhm=FWHM)
    off, error = errors(result, drift), np.stack([result.shift_x_err.values, result.shift_y_err.values], axis=1)
    rms = np.sqrt((off**2).mean(axis=0))
    assert (rms < 0.7e-9).all()
    assert error.mean(axis=0) == pytest.approx(bound(), rel=0.02)
    n = len(drift)
    assert rms / bound() == pytest.approx([1, 1], abs=4 / np.sqrt(2 * n))
    assert np.abs(off.mean(axis=0)).max() < 4 * 0.51e-9 / np.sqrt(n)
    assert (np.abs(off / error) < 1).mean() == pytest.approx(0.683, abs=4 * np.sqrt(0.683 * 0.317 / (2 * n)))
    assert result.reduced_chi2.values == pytest.approx(np.ones(n), abs=0.1)


def test_a_found_array_is_as_good_as_the_true_one(wandering):
    data, drift = wandering
    found = analysis.find_array(data)
    result = analysis.register(data, sites=found, relative_to="mean")
    assert (np.sqrt((errors(result, drift, free=True) ** 2).mean(axis=0)) < 0.7e-9).all()
    assert abs(float(result.shift_x.mean())) < 1e-15


def test_free_brightness_follows_spots_that_dim_one_by_one():
    """Every second column dims to a half in the second image; taken together with the rest it looks like a shift."""
    whole = np.full(ROWS**2, 1e6)
    whole[::7] = 3e5
    dim = whole * np.where(lattice().column < 7, 0.5, 1.0)
    data = sweep(np.array([picture((0, 0), whole), picture((0, 0), dim)]))
    common, free = (analysis.register(data, sites=lattice(), psf_fwhm=FWHM, brightness=b) for b in ("common", "free"))
    assert np.abs(free.shift_x.values).max() < 0.02e-9
    assert np.ptp(common.shift_x.values) > 10 * np.ptp(free.shift_x.values)
    assert float(free.shift_x_err[0]) > float(common.shift_x_err[0])


def test_light_that_changes_as_a_whole_is_no_shift():
    stack = np.array([f * picture((0, 0)) + b for f, b in ((1.0, 0), (0.8, 30), (1.1, 5))])
    result = analysis.register(sweep(stack), sites=lattice(), psf_fwhm=FWHM)
    assert np.abs([result.shift_x, result.shift_y]).max() < 0.01e-9
    assert result.light.values == pytest.approx(np.array([1.0, 0.8, 1.1]) / 2.9 * 3, rel=1e-3)


def test_a_large_drift_is_followed_and_a_jump_over_a_pitch_seen_by_the_edges():
    drift = np.array([[0, 0], [150e-9, -90e-9], [420e-9, 300e-9], [900e-9, 650e-9]])
    rng = np.random.default_rng(4)
    data = sweep(np.array([rng.poisson(picture(d)) for d in drift], dtype=float))
    result = analysis.register(data, sites=lattice(), psf_fwhm=FWHM)
    assert np.abs(errors(result, drift)).max() < 6 * 0.51e-9


def test_leading_dimensions_missing_images_and_origins():
    rng = np.random.default_rng(5)
    drift = rng.normal(0, 20e-9, (2, 3, 2))
    stack = np.array([[rng.poisson(picture(d)) for d in row] for row in drift], dtype=float)
    stack[:, :, 40, 41] = 1e5  # a hot pixel stays where it is
    stack[:, :, 3:5, 7] = np.nan
    stack[1, 1] = np.nan
    data = sweep(stack, coords={"polarity": [1, -1]})
    result = analysis.register(data, sites=lattice(), psf_fwhm=FWHM)
    assert result.shift_x.dims == ("polarity", "frequency")
    assert result.polarity.values.tolist() == [1, -1]
    assert np.isnan(result.shift_x.values[1, 1])
    assert np.nanmax(np.abs(errors(result, drift))) < 5 * 0.52e-9
    first = analysis.register(data, sites=lattice(), psf_fwhm=FWHM, relative_to="first")
    assert float(first.shift_x[0, 0]) == float(first.shift_x_err[0, 0]) == 0
    assert first.shift_x.values == pytest.approx(result.shift_x.values - float(result.shift_x[0, 0]), nan_ok=True)
    assert float(first.shift_x_err[1, 0]) == pytest.approx(np.sqrt(2) * float(result.shift_x_err[1, 0]), rel=0.02)
    assert result.shift_x.attrs["units"] == "m"


def test_more_frames_know_more():
    mean = picture((0, 0))[None]
    one, nine = (
        float(analysis.register(sweep(mean, frames=n), sites=lattice(), psf_fwhm=FWHM).shift_x_err[0]) for n in (1, 9)
    )
    assert one == pytest.approx(3 * nine, rel=1e-3)


@pytest.mark.parametrize(("brightness", "least"), [("common", 0.6e-9), ("free", 0.25e-9)])
def test_the_drift_of_a_simulated_measurement(brightness, least):
    """Dips that differ from spot to spot, spots closer than the width, read noise: 4 and -3 nm a second."""
    scene = sims.gold_wire_nanoarray(rows=8, columns=8)
    moving = sims.Drift(stage=(4e-9, -3e-9))
    data = sims.simulate_sweep(scene, np.linspace(3.1e9, 3.8e9, 12), exposure=1.0, rng=2, drift=moving)
    result = analysis.register(data, sites=scene.array, brightness=brightness)
    for shift, slope in ((result.shift_x, 4e-9), (result.shift_y, -3e-9)):
        line = slope * np.arange(12)
        assert np.abs(shift.values - shift.values.mean() - line + line.mean()).max() < least


# --- without one ------------------------------------------------------------------------------------------------------


def test_images_of_anything_are_registered():
    """A cloud of light without any order, half a pixel and many, down to its own Cramer-Rao bound."""
    rng = np.random.default_rng(6)
    fine = gaussian_filter(rng.exponential(1.0, (440, 440)), 8.0)  # eight times finer than a pixel
    fine = 300 * (fine - fine.min()) / fine.std()
    steps = rng.integers(-12, 13, (16, 2))
    where = np.arange(40)[:, None] * 8 + np.arange(8)

    def seen(step):
        rows, columns = ((60 - s + where).ravel() for s in (step[1], step[0]))
        return fine[np.ix_(rows, columns)].reshape(40, 8, 40, 8).mean(axis=(1, 3)) + 20

    drift = steps / 8 * PIXEL
    data = sweep(np.array([rng.poisson(seen(s)) for s in steps], dtype=float))
    result = analysis.register(data)
    off = errors(result, drift, free=True)
    error = np.stack([result.shift_x_err.values, result.shift_y_err.values], axis=1)
    inner = slice(7, -7)  # what all images share
    slopes = [
        (seen(np.array(s)) - seen(-np.array(s)))[inner, inner].ravel() / (2 / 8 * PIXEL) for s in ((1, 0), (0, 1))
    ]
    mean = seen(np.zeros(2, dtype=int))[inner, inner].ravel()
    limit = np.sqrt(np.diag(np.linalg.inv((np.array(slopes) / mean) @ np.array(slopes).T)))
    assert (np.sqrt((off**2).mean(axis=0)) < 1.5 * limit).all()
    assert error.mean(axis=0) == pytest.approx(limit, rel=0.3)
    assert np.abs(off / error).max() < 5


def test_an_array_without_its_lattice_is_nearly_as_good(wandering):
    data, drift = wandering
    off = errors(analysis.register(data), drift, free=True)
    assert (np.sqrt((off**2).mean(axis=0)) < 0.75e-9).all()


def test_scikit_image_as_it_comes_is_fifty_times_worse(wandering):
    """Why the coarse step has no normalisation: noise at all frequencies counts as much as the spots."""
    correlate = pytest.importorskip("skimage.registration").phase_cross_correlation
    data, drift = wandering
    clean, off = picture((0, 0)), {}
    for normalization in ("phase", None):
        got = [
            correlate(f, clean, normalization=normalization, upsample_factor=500)[0] for f in data.signal.values[:12]
        ]
        off[normalization] = np.sqrt(((np.array(got)[:, ::-1] * PIXEL - drift[:12]) ** 2).mean())
    assert off["phase"] > 15e-9
    assert off[None] < 1e-9


def test_without_scikit_image_the_lattice_still_works(monkeypatch, wandering):
    monkeypatch.setitem(sys.modules, "skimage.registration", None)
    data = wandering[0].isel(frequency=slice(0, 2))
    assert np.isfinite(analysis.register(data, sites=lattice(), psf_fwhm=FWHM).shift_x).all()
    with pytest.raises(ImportError, match=r"pip install 'vbsense\[register\]'"):
        analysis.register(data)


# --- put back ---------------------------------------------------------------------------------------------------------


def shifts(x, y):
    return xr.Dataset({"shift_x": ("frequency", x), "shift_y": ("frequency", y)})


@pytest.mark.parametrize("order", [1, 3, 5])
def test_light_is_moved_and_not_made(order):
    spot = np.array([picture(d, rows=5) - BACKGROUND for d in ((0, 0), (130e-9, -70e-9))])
    still = analysis.align(sweep(spot), shifts([0, 130e-9], [0, -70e-9]), order=order).signal.values
    assert np.nansum(still[1]) == pytest.approx(spot[1].sum(), rel=1e-6)
    assert still[0] == pytest.approx(spot[0])
    near = np.nanmax(np.abs(still[1] - spot[0])) / spot[0].max()
    assert near < {1: 0.05, 3: 0.003, 5: 3e-4}[order]


def test_the_border_and_the_neighbours_of_a_gap_are_not_invented():
    stack = np.ones((2, 20, 20)) * 100
    stack[1, 10, 10] = np.nan
    moved = analysis.align(sweep(stack), shifts([0, 140e-9], [0, 0])).signal.values
    assert np.isfinite(moved[0]).all()
    assert np.isnan(moved[1, :, -2:]).all()  # 1.4 pixels came in from the right
    assert np.isnan(moved[1, 10, 8:10]).all()
    assert np.isfinite(moved[1, :, :8]).all()
    assert moved[1, :, :8] == pytest.approx(np.full((20, 8), 100.0))


@pytest.mark.parametrize("order", [1, 3, 5])
def test_noise_becomes_smaller_never_larger(order):
    noise = np.random.default_rng(0).normal(1000, 10, (5, 60, 60))
    x = np.array([0, 10e-9, 25e-9, 50e-9, 80e-9])
    moved = analysis.align(sweep(noise), shifts(x, x), order=order).signal.values
    spread = [np.nanstd(image[5:-5, 5:-5]) for image in moved]
    assert max(spread) < 10 * 1.03
    assert spread[3] < spread[1]


def test_drift_is_taken_out_of_a_measurement(wandering):
    """Register, put back, find: the width of the spots is that of a still array."""
    rng = np.random.default_rng(8)
    drift = rng.normal(0, 120e-9, (12, 2))
    data = sweep(np.array([rng.poisson(10 * picture(d)) for d in drift], dtype=float))
    blurred = analysis.find_array(data, pitch=PITCH)
    still = analysis.align(data, analysis.register(data, sites=blurred), order=5)
    assert blurred.psf_fwhm > 500e-9
    assert analysis.find_array(still).psf_fwhm == pytest.approx(FWHM, rel=0.01)
    assert "moved back" in still.attrs["history"]


# --- refusals ---------------------------------------------------------------------------------------------------------

ONE = sweep(picture((0, 0))[None])
FAR = vb.SensorArray(PITCH, (3, 3), (1e-3, 1e-3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: analysis.register(ONE, sites=lattice()), "give psf_fwhm= in metres"),
        (lambda: analysis.register(ONE, sites=lattice(), psf_fwhm=440.0), "metres"),
        (lambda: analysis.register(ONE, sites=FAR, psf_fwhm=FWHM), "all 9 sites lie outside"),
        (lambda: analysis.register(ONE, sites="array"), "sites is a str"),
        (lambda: analysis.register(ONE, sites=lattice(), psf_fwhm=FWHM, relative_to="last"), "relative_to is 'last'"),
        (lambda: analysis.register(ONE, relative_to="sites"), "There are mean, first"),
        (lambda: analysis.register(ONE, sites=lattice(), psf_fwhm=FWHM, brightness="fre"), "did you mean 'free'"),
        (lambda: analysis.register(ONE), "a drift needs two"),
        (lambda: analysis.register(ONE, psf_fwhm=FWHM), "give sites= as well"),
        (lambda: analysis.register(ONE, upsample=0), "upsample is 0"),
        (lambda: analysis.register(ONE.signal.values), "received ndarray"),
        (lambda: analysis.register(sweep(np.full((2, 20, 20), np.nan))), "0 valid pixels"),
        (lambda: analysis.align(ONE, shifts([0.0, 0.0], [0.0, 0.0])), "shift_x has dimensions"),
        (lambda: analysis.align(ONE, shifts([1.0], [0.0])), "shifts are in metres"),
        (lambda: analysis.align(ONE, ONE), "give what register returned"),
        (lambda: analysis.align(ONE, shifts([0.0], [0.0]), order=2), "order is 2"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises((ValueError, TypeError, LayoutError), match=words):
        call()


# --- statistics -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_errors_cover_the_truth_as_often_as_they_should():
    rng = np.random.default_rng(12)
    drift = rng.normal(0, 20e-9, (500, 2))
    data = sweep(np.array([rng.poisson(picture(d)) for d in drift], dtype=float))
    for brightness in ("common", "free"):
        result = analysis.register(data, sites=lattice(), psf_fwhm=FWHM, brightness=brightness)
        error = np.stack([result.shift_x_err.values, result.shift_y_err.values], axis=1)
        pull = errors(result, drift) / error
        assert 0.64 < (np.abs(pull) < 1).mean() < 0.72
        assert pull.std() == pytest.approx(1, abs=0.1)
