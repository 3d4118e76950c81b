"""Unmixing with drift, large contrast, uneven background and a prior; geometry from the picture; the naive read-out."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.linalg import solve_triangular
from test_optics import convolved

import vbsense as vb
from vbsense import analysis
from vbsense.analysis import SmoothPrior
from vbsense.optics import AiryPSF, spot_images

SHAPE, PIXEL, FWHM = (40, 42), 8e-8, 440e-9
ARRAY = vb.SensorArray(380e-9, (5, 6), (1.7e-6, 1.6e-6), rotation=0.05)
SITES = 30
LIGHT = 2e4 * np.exp(np.random.default_rng(3).normal(0, 0.2, SITES))
ATTRIBUTES = {"frames": 1, "sensor_array": ARRAY.to_json(), "psf_fwhm": FWHM}


def sweep(pictures, **changes):
    """A sweep of (..., frequency, y, x)."""
    frequency = 3e9 + 1e7 * np.arange(pictures.shape[-3])
    return vb.make_sweep(pictures, frequency, pixel_size=PIXEL, **(ATTRIBUTES | changes))


def moved(y, x):
    return replace(ARRAY, center=(ARRAY.center[0] + x, ARRAY.center[1] + y))


def images_of(array):
    return spot_images(array, shape=SHAPE, pixel_size=PIXEL, psf_fwhm=FWHM)


def expected(light, array=ARRAY, ground=40.0):
    """Pictures (n, y, x) of light (n, site)."""
    return (images_of(array) @ np.atleast_2d(light).T).T.reshape(-1, *SHAPE) + ground


def chi2(got, truth):
    """Mean square of what is left, whitened with the correlation that is given; and its error."""
    pull = ((got.signal.values - truth) / got.signal_err.values).reshape(-1, got.sizes["site"])
    white = solve_triangular(np.linalg.cholesky(got.site_correlation.values), pull.T, lower=True)
    return float((white**2).mean()), np.sqrt(2 / white.size)


# --- contrast, drift, background --------------------------------------------------------------------------------------


@pytest.mark.parametrize("drift", [0.0, 60e-9])
@pytest.mark.parametrize("weights", ["mean", "each"])
def test_errors_are_true_at_large_contrast_and_with_drift(weights, drift):
    rng, n = np.random.default_rng(8), 60
    light = LIGHT * rng.uniform(0.4, 1.0, (n, SITES))
    places = drift * rng.normal(size=(n, 2))
    mean = np.concatenate([expected(row, moved(*place)) for row, place in zip(light, places, strict=True)])
    shifts = xr.Dataset({"shift_y": ("frequency", places[:, 0]), "shift_x": ("frequency", places[:, 1])})
    got = analysis.unmix(sweep(rng.poisson(mean).astype(float)), weights=weights, shifts=shifts)
    pull = ((got.signal - light) / got.signal_err).values
    assert abs(pull.mean()) < 4.5 / np.sqrt(pull.size)
    assert pull.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * pull.size))
    value, error = chi2(got, light)
    assert value == pytest.approx(1, abs=4.5 * error + 0.01)
    assert got.attrs["user_weights"] == weights


def test_weights_of_their_own_for_large_contrast_only():
    even, deep = (expected(LIGHT * np.array([1.0, depth, 1.0])[:, None]) for depth in (0.9, 0.3))
    assert analysis.unmix(sweep(even)).attrs["user_weights"] == "mean"
    assert analysis.unmix(sweep(deep)).attrs["user_weights"] == "each"


def test_faint_light_is_not_biased_by_its_own_noise():
    """Two electrons a pixel: weights from the noisy pixels would take one electron off each."""
    rng, n = np.random.default_rng(1), 60
    light = np.full(SITES, 100.0)
    signal = rng.poisson(np.broadcast_to(expected(light, ground=1.0)[0], (n, 1, *SHAPE))).astype(float)
    for weights in ("mean", "each"):
        got = [analysis.unmix(sweep(one), weights=weights).signal.values[0] for one in signal]
        error = np.std(got, axis=0) / np.sqrt(n)
        assert abs((np.mean(got, axis=0) - light).mean()) < 4.5 * np.sqrt(np.mean(error**2) / SITES) + 0.3
        assert np.abs((np.mean(got, axis=0) - light) / error).max() < 5


def test_drift_of_planes_and_of_pictures_comes_off_exactly():
    light = LIGHT * np.linspace(0.9, 1.1, 6)[:, None]
    places = np.array([[[30e-9, -20e-9]] * 3, [[0, 0], [55e-9, 0], [0, 1.3e-7]]])
    mean = np.concatenate([expected(row, moved(*p)) for row, p in zip(light, places.reshape(-1, 2), strict=True)])
    pictures = sweep(mean.reshape(2, 3, *SHAPE), coords={"polarity": [1, -1]})
    dims = ("polarity", "frequency")
    shifts = xr.Dataset({"shift_y": (dims, places[..., 0]), "shift_x": (dims, places[..., 1])})
    got = analysis.unmix(pictures, shifts=shifts)
    assert got.signal.values.reshape(6, -1) == pytest.approx(light, rel=1e-4)
    assert got.x.values == pytest.approx(ARRAY.x)
    still = analysis.unmix(pictures).signal.values.reshape(6, -1)
    assert np.abs(still / light - 1).max() > 0.1
    same = xr.Dataset({"shift_y": 30e-9, "shift_x": -20e-9})
    assert analysis.unmix(pictures.isel(polarity=[0]), shifts=same).signal.values[0] == pytest.approx(
        light[:3], rel=1e-4
    )


def test_a_picture_without_a_place_is_left_out():
    shifts = xr.Dataset({"shift_y": 0.0, "shift_x": ("frequency", [0.0, np.nan, 0.0])})
    pictures = sweep(expected(np.tile(LIGHT, (3, 1))))
    got = analysis.unmix(pictures, shifts=shifts)
    assert np.isnan(got.signal.values).all(axis=1).tolist() == [False, True, False]
    assert got.signal.values[[0, 2]] == pytest.approx(np.tile(LIGHT, (2, 1)), rel=1e-4)
    found = analysis.refine_array(pictures, shifts=shifts, free="psf_fwhm")
    assert found.psf_fwhm == pytest.approx(FWHM, rel=1e-3)


def test_sites_that_drift_off_the_picture_are_missing_there_only():
    array = replace(ARRAY, center=(1.25e-6, 1.6e-6))
    x = np.array([0.0, 0.0, 0.0, -0.9e-6])
    mean = np.concatenate([expected(LIGHT, replace(array, center=(1.25e-6 + s, 1.6e-6))) for s in x])
    got = analysis.unmix(sweep(mean), array, shifts=xr.Dataset({"shift_y": 0.0, "shift_x": ("frequency", x)}))
    lost = np.isnan(got.signal.values)
    assert not lost[:3].any()
    assert lost[3, array.column == 0].all()
    assert not lost[3, array.column >= 3].any()
    assert (np.isnan(got.signal_err.values) == lost).all()
    assert got.signal.values[:3] == pytest.approx(np.tile(LIGHT, (3, 1)), rel=1e-3)
    # What the missing sites still shed on the rim goes to their neighbours.
    assert got.signal.values[3, array.column >= 3] == pytest.approx(LIGHT[array.column >= 3], rel=0.03)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("plane", lambda u, v: 60 + 20 * u - 15 * v),
        ("smooth", lambda u, v: 60 + 20 * u * v**2 - 15 * v**3 + 9 * u),
    ],
)
def test_an_uneven_background_is_taken_off(name, shape):
    u, v = np.meshgrid(np.linspace(-1, 1, SHAPE[1]), np.linspace(-1, 1, SHAPE[0]))
    pictures = sweep(expected(np.tile(LIGHT, (2, 1)), ground=0.0) + shape(u, v))
    got = analysis.unmix(pictures, background=name)
    assert got.signal.values == pytest.approx(np.tile(LIGHT, (2, 1)), rel=1e-6)
    assert got.attrs["user_background_level"] == pytest.approx(shape(u, v).mean())
    assert np.abs(analysis.unmix(pictures).signal.values / LIGHT - 1).max() > 1e-3


# --- a prior ----------------------------------------------------------------------------------------------------------


def believed(prior, ratio, sites, level, repeats, seed):
    """Truths drawn from the prior, their noisy pictures, and a lattice."""
    rng, pitch = np.random.default_rng(seed), ratio * FWHM
    size = int(np.ceil((sites - 1) * pitch / PIXEL)) + 16
    array = vb.SensorArray(pitch, (sites, sites), ((size - 1) / 2 * PIXEL,) * 2, spot_size=50e-9)
    root = np.linalg.cholesky(prior.correlation(array.x, array.y) + 1e-10 * np.eye(sites**2))
    truth = level * (1 + prior.amplitude * rng.normal(size=(repeats, sites**2)) @ root.T)
    images = spot_images(array, shape=(size, size), pixel_size=PIXEL, psf_fwhm=FWHM)
    mean = np.maximum((images @ truth.T).T.reshape(repeats, 1, size, size) + 30.0, 0.1)
    signal = rng.poisson(4 * mean) / 4
    return truth[:, None], vb.make_sweep(
        signal, [3e9], pixel_size=PIXEL, frames=4, psf_fwhm=FWHM, sensor_array=array.to_json(),
        coords={"sweep": range(repeats)},
    )  # fmt: skip


@pytest.mark.parametrize("length", [0.0, 0.5e-6])
@pytest.mark.parametrize("mean", [None, 1e4])
def test_errors_with_a_prior_are_true_where_it_is(length, mean):
    """At half a width the light alone says little of a site; truths come from the prior, errors must fit them."""
    prior = SmoothPrior(0.15, length, mean)
    truth, pictures = believed(prior, 0.5, 9, 1e4, 120, 5)
    got = analysis.unmix(pictures, prior=prior, weights="mean")
    value, error = chi2(got, truth)
    assert value == pytest.approx(1, abs=4.5 * error + 0.02)
    pull = ((got.signal - truth) / got.signal_err).values
    assert pull.std() == pytest.approx(1, abs=0.04)
    assert "amplitude 0.15" in got.attrs["user_prior"]
    plain = analysis.unmix(pictures, weights="mean")
    assert "user_prior" not in plain.attrs
    assert np.median(plain.signal_err.values / got.signal_err.values) > 2
    rms = [float(np.sqrt(((one.signal - truth) ** 2).mean())) for one in (got, plain)]
    assert rms[0] < rms[1] / 2


def test_a_prior_serves_where_the_plain_way_refuses():
    prior = SmoothPrior(0.2, 0.4e-6)
    truth, pictures = believed(prior, 0.3, 12, 1e5, 20, 6)
    with pytest.raises(ValueError, match=r"the noise of a site would be .* prior=SmoothPrior"):
        analysis.unmix(pictures, weights="mean")
    got = analysis.unmix(pictures, prior=prior, weights="mean")
    value, error = chi2(got, truth)
    assert value == pytest.approx(1, abs=4.5 * error + 0.02)
    assert (got.signal_err.values < 0.2e5).all()


def test_a_prior_is_forgotten_where_there_is_light_enough():
    """Spots far apart, a prior that knows nothing: as without it. And the opposite: its mean."""
    bright = sweep(expected(np.tile(LIGHT, (2, 1))), frames=10**6)
    plain, vague = analysis.unmix(bright), analysis.unmix(bright, prior=SmoothPrior(3.0))
    assert vague.signal.values == pytest.approx(plain.signal.values, rel=1e-6)
    assert vague.signal_err.values == pytest.approx(plain.signal_err.values, rel=0.02)
    sure = analysis.unmix(bright, prior=SmoothPrior(1e-7, mean=5e3)).signal.values
    assert sure == pytest.approx(5e3, rel=1e-2)


def test_a_prior_goes_with_drift():
    prior = SmoothPrior(0.2, 0.5e-6)
    places = np.array([0.0, 40e-9, -70e-9])
    mean = np.concatenate([expected(LIGHT, moved(0.0, s)) for s in places])
    shifts = xr.Dataset({"shift_y": 0.0, "shift_x": ("frequency", places)})
    got = analysis.unmix(sweep(mean), prior=prior, shifts=shifts).signal.values
    still = analysis.unmix(sweep(np.repeat(mean[:1], 3, axis=0)), prior=prior).signal.values
    assert got == pytest.approx(still, rel=5e-3)  # other pixels see it, but they see the same


# --- geometry ---------------------------------------------------------------------------------------------------------

TRUTH = {"psf_fwhm": FWHM, "x": 1.7e-6, "y": 1.6e-6, "pitch": 380e-9, "rotation": 0.05}
START = replace(ARRAY, pitch=386e-9, rotation=0.04, center=(1.75e-6, 1.55e-6))


def test_the_geometry_comes_back_from_a_picture_made_otherwise():
    """A numerical convolution of the footprints, without noise."""
    picture = np.einsum("k,kyx->yx", LIGHT, convolved(ARRAY, SHAPE, PIXEL, FWHM)) + 40
    found = analysis.refine_array(sweep(picture[None]), START, psf_fwhm=415e-9)
    for name, size in (("psf_fwhm", 1e-9), ("x", 2e-10), ("y", 2e-10), ("pitch", 2e-10), ("rotation", 5e-4)):
        assert found.values[name] == pytest.approx(TRUTH[name], abs=size)
    assert found.background == pytest.approx(40, abs=1)


@pytest.mark.parametrize("repeats", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_errors_of_the_geometry_are_true(repeats):
    rng, pulls, reduced = np.random.default_rng(4), [], []
    mean = expected(LIGHT)[0]
    for _ in range(repeats):
        pictures = sweep(rng.poisson(2 * np.broadcast_to(mean, (3, *SHAPE))) / 2, frames=2)
        found = analysis.refine_array(pictures, START, psf_fwhm=425e-9)
        off = np.array([found.values[name] - TRUTH[name] for name in found.values])
        pulls.append(np.linalg.solve(np.linalg.cholesky(found.covariance), off))
        reduced.append(found.reduced_chi2)
    pulls = np.array(pulls)
    assert list(found.values) == list(TRUTH)
    assert np.abs(pulls.mean(0)).max() < 4.5 / np.sqrt(len(pulls))
    assert (pulls**2).mean() == pytest.approx(1, abs=4.5 * np.sqrt(2 / pulls.size))
    assert np.mean(reduced) == pytest.approx(1, abs=0.02)
    assert list(found.errors.values()) == pytest.approx(np.sqrt(np.diag(found.covariance)).tolist())


def test_unmixing_with_a_refined_geometry_cures_a_wrong_one():
    """Two percent of the width and ten nanometres cost percents of the light; fitted, less than its noise."""
    rng = np.random.default_rng(2)
    pictures = sweep(rng.poisson(np.broadcast_to(expected(LIGHT), (5, *SHAPE))).astype(float))
    wrong = replace(ARRAY, center=(1.71e-6, 1.6e-6))
    names = ("psf_fwhm", "center", "pitch", "rotation")
    bad = analysis.unmix(pictures, wrong, psf_fwhm=0.98 * FWHM)
    good = analysis.unmix(pictures, wrong, psf_fwhm=0.98 * FWHM, refine=names)
    also = analysis.unmix(pictures, analysis.refine_array(pictures, wrong, psf_fwhm=0.98 * FWHM, free=names))
    deviation = [np.abs((one.signal.values / LIGHT - 1).mean(axis=0)).max() for one in (bad, good)]
    assert deviation[0] > 0.04
    assert deviation[1] < 0.03
    assert also.signal.values == pytest.approx(good.signal.values)
    report = json.loads(good.attrs["user_refined"])
    assert report["psf_fwhm"][0] == pytest.approx(FWHM, abs=5 * report["psf_fwhm"][1])
    assert good.attrs["psf_fwhm"] == report["psf_fwhm"][0]
    assert vb.SensorArray.from_json(good.attrs["sensor_array"]).pitch == report["pitch"][0]


def test_stretch_shear_and_drift_are_found():
    true = replace(ARRAY, pitch_y=420e-9, shear=0.03)
    places = np.array([0.0, 30e-9, -60e-9])
    mean = [expected(LIGHT, replace(true, center=(1.7e-6, 1.6e-6 + s)))[0] for s in places]
    start = replace(true, pitch_y=412e-9, shear=0.0)
    shifts = xr.Dataset({"shift_y": ("frequency", places), "shift_x": 0.0})
    free = ("pitch_y", "shear", "center")
    found = analysis.refine_array(sweep(np.array(mean)), start, shifts=shifts, free=free)
    assert found.values["pitch_y"] == pytest.approx(420e-9, abs=1e-10)
    assert found.values["shear"] == pytest.approx(0.03, abs=3e-4)
    assert found.values["y"] == pytest.approx(1.6e-6, abs=1e-10)


# --- naive read-out ---------------------------------------------------------------------------------------------------


def test_naive_read_out_adds_pixels():
    array = vb.SensorArray(1.6e-6, (2, 2), (1.6e-6, 1.6e-6), spot_size=60e-9)
    light = np.array([[1e4, 2e4, 3e4, 4e4], [2e4, 3e4, 4e4, 5e4]])
    pictures = sweep(expected(light, array), sensor_array=array.to_json(), frames=9, read_noise=3.0)
    got = analysis.read_spots(pictures, radius=0.7e-6)
    assert got.signal.values == pytest.approx(light, rel=5e-3)  # 0.1 % beyond the radius, some from neighbours
    pixels = np.hypot(np.arange(SHAPE[1]) * PIXEL - array.x[0], (np.arange(SHAPE[0]) * PIXEL - array.y[0])[:, None])
    inside = pixels <= 0.7e-6
    total = pictures.signal.values[0][inside].sum()
    assert got.signal.values[0, 0] == pytest.approx(total - 40 * inside.sum(), rel=3e-3)
    assert got.signal_err.values[0, 0] == pytest.approx(np.sqrt(total + 9 * inside.sum()) / 3)
    raw = analysis.read_spots(pictures, radius=0.7e-6, background="none").signal.values[0, 0]
    assert raw == pytest.approx(total)
    assert analysis.read_spots(pictures, radius=0.7e-6, background=40.0).signal.values[0, 0] == pytest.approx(
        total - 40 * inside.sum()
    )
    pictures.signal.values[1, *np.argwhere(inside)[0]] = np.nan
    assert np.isnan(analysis.read_spots(pictures, radius=0.7e-6).signal.values).tolist() == [
        [False] * 4,
        [True] + [False] * 3,
    ]


def test_naive_read_out_mixes_neighbours_where_unmixing_does_not():
    light = np.zeros((1, SITES))
    light[0, 14] = 1e5
    pictures = sweep(expected(light))
    naive, unmixed = analysis.read_spots(pictures), analysis.unmix(pictures)
    assert naive.signal.values[0, 15] > 5e3
    assert abs(unmixed.signal.values[0, 15]) < 1.0


# --- refusals ---------------------------------------------------------------------------------------------------------

PICTURES = sweep(expected(np.tile(LIGHT, (3, 1))))


def shift(**variables):
    return xr.Dataset({"shift_y": 0.0, "shift_x": 0.0} | variables)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": "own"}, "weights is 'own'"),
        ({"weights": "eahc"}, "did you mean 'each'"),
        ({"background": "plain"}, "did you mean 'plane'"),
        ({"correlation": "ful"}, "did you mean 'full'"),
        ({"psf_fwhm": np.nan}, "psf_fwhm"),
        ({"psf_fwhm": "440 nm"}, "psf_fwhm"),
        ({"sites": SimpleNamespace(array=ARRAY, psf_fwhm=np.nan)}, "psf_fwhm"),
        ({"sites": replace(ARRAY, center=(9e-6, 0.0))}, "outside the image"),
        ({"refine": ("psf_fhwm",)}, "did you mean 'psf_fwhm'"),
        ({"refine": "pitsch"}, "did you mean 'pitch'"),
        ({"refine": ("pitch", "pitch")}, "each once"),
        ({"refine": ("pitch_y",)}, "set pitch_y"),
        ({"refine": ("psf_fwhm",), "psf": AiryPSF(820e-9, 0.95)}, "not a Gaussian"),
        ({"refine": ("pitch",), "sites": vb.SensorArray.from_sites([1e-6, 2e-6], [1e-6, 1e-6])}, "list of sites"),
        ({"refine": ("shear",), "sites": vb.SensorArray(4e-7, (1, 4), (1.6e-6, 1.6e-6))}, "shape"),
        ({"shifts": xr.Dataset({"shift_y": 0.0})}, "shift_x"),
        ({"shifts": shift(shift_x=("sweep", np.zeros(3)))}, "dimensions"),
        ({"shifts": shift(shift_x=("frequency", np.zeros(2)))}, "2 values along 'frequency'"),
        ({"shifts": shift(shift_x=("frequency", [np.nan] * 3))}, "NaN for all"),
        ({"shifts": shift(shift_x=("frequency", [0, np.inf, 0]))}, "further than the picture"),
        ({"shifts": shift(shift_x=("frequency", [0, 1.0, 0]))}, "in metres, not pixels"),
        ({"shifts": shift(shift_x=xr.DataArray(0.0, attrs={"units": "nm"}))}, "must be in 'm'"),
        ({"shifts": shift(shift_x=("frequency", np.zeros(3))).assign_coords(frequency=[1.0, 2, 3])}, "other values"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        analysis.unmix(PICTURES, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"shifts": [0, 1]}, "Dataset"), ({"prior": 0.2}, "SmoothPrior"), ({"sites": "lattice"}, "SensorArray")],
)
def test_wrong_types_are_refused(options, words):
    with pytest.raises(TypeError, match=words):
        analysis.unmix(PICTURES, **options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0.0,), "amplitude"), ((-1,), "amplitude"), ((np.nan,), "amplitude"), ((20.0,), "at most 10"),
     ((0.1, -1e-6), "length"), ((0.1, 1.0), "write 1 um as 1e-6"), ((0.1, np.inf), "length"),
     ((0.1, 0.0, 0.0), "mean"), (("0.1",), "amplitude")],
)  # fmt: skip
def test_priors_of_wrong_numbers_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        SmoothPrior(*arguments)


@pytest.mark.filterwarnings("ignore:the point-spread function is")
def test_what_the_picture_cannot_tell_is_refused():
    for dark in (np.full((3, *SHAPE), 40.0), np.random.default_rng(0).poisson(np.full((3, *SHAPE), 40.0))):
        with pytest.raises(ValueError, match=r"does not determine|did not settle"):
            analysis.refine_array(sweep(dark), ARRAY)
    with pytest.raises(ValueError, match="no pixel within"):
        analysis.read_spots(PICTURES, radius=1e-9)
    with pytest.raises(ValueError, match="radius"):
        analysis.read_spots(PICTURES, radius=np.nan)
    with pytest.raises(ValueError, match="background"):
        analysis.read_spots(PICTURES, background="mean")
    with pytest.raises(ValueError, match="no pictures"):
        analysis.refine_array(sweep(np.full((2, *SHAPE), np.nan)), ARRAY)
