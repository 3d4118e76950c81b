"""A lattice of spots found in light: true places, true errors, what is missing and too much named, or a refusal."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.spatial import cKDTree

import vbsense as vb
from vbsense import analysis, sims
from vbsense.analysis import arrayplots
from vbsense.data import LayoutError
from vbsense.optics import AiryPSF, spot_images

PIXEL, FWHM = 100e-9, 400e-9
GEOMETRY = ("pitch", "pitch_y", "rotation", "shear", "x", "y", "psf_fwhm")


def array(rows=9, columns=11, pitch=600e-9, size=90, shift=(30e-9, -20e-9), **options):
    middle = (size - 1) / 2 * PIXEL
    return vb.SensorArray(pitch, (rows, columns), (middle + shift[0], middle + shift[1]), **options)


def expected(lattice, light, size=90, background=30.0, psf=None):
    """Mean picture, from the images of the core (another route than the closed forms of the fit)."""
    options = {"psf_fwhm": FWHM} if psf is None else {"psf": psf}
    images = spot_images(lattice, shape=(size, size), pixel_size=PIXEL, **options)
    return (images @ np.broadcast_to(light, images.shape[1])).reshape(size, size) + background


def sweep(mean, rng=None, **attributes):
    picture = np.asarray(mean, dtype=float) if rng is None else rng.poisson(mean).astype(float)
    return vb.make_sweep(picture[None], [3e9], pixel_size=PIXEL, **({"frames": 1} | attributes))


def truth(lattice):
    return {
        "pitch": lattice.pitch, "pitch_y": lattice.pitch_y or lattice.pitch, "rotation": lattice.rotation,
        "shear": lattice.shear, "x": lattice.center[0], "y": lattice.center[1], "psf_fwhm": FWHM,
    }  # fmt: skip


def pulls(found, lattice):
    return np.array([(found.values[k] - v) / found.errors[k] for k, v in truth(lattice).items() if found.errors[k]])


# --- what is found ----------------------------------------------------------------------------------------------------


def test_without_noise_the_truth_comes_back():
    real = array(rotation=0.21, shear=0.03, pitch_y=650e-9, spot_size=100e-9)
    found = analysis.find_array(sweep(expected(real, 1e6)))
    for name, value in truth(real).items():
        scale = 1e-9 if name in ("pitch", "pitch_y", "x", "y", "psf_fwhm") else 1e-3
        assert found.values[name] == pytest.approx(value, abs=0.02 * scale), name
    assert found.array.shape == (9, 11)
    assert found.brightness == pytest.approx(np.full((9, 11), 1e6), rel=1e-4)
    assert (found.missing, found.outside, found.extra) == ((), (), ())
    assert np.hypot(found.array.x - real.x, found.array.y - real.y).max() < 0.05e-9


@pytest.mark.parametrize("spot", [{"spot_shape": "disc", "spot_size": 150e-9}, {"spot_shape": "gaussian"}])
def test_the_footprint_is_taken_out_of_the_width(spot):
    real = array(rotation=0.4, **spot)
    found = analysis.find_array(sweep(expected(real, 1e6)), design=real)
    assert found.psf_fwhm == pytest.approx(FWHM, rel=2e-4)
    assert found.array.spot_shape == spot["spot_shape"]


def test_errors_are_the_cramer_rao_bound():
    """Against the Fisher information of all parameters, from numerical differences of the pictures of the core."""
    rows, columns, size = 4, 5, 46
    base = dict(pitch=650e-9, pitch_y=600e-9, rotation=0.1, shear=0.05, x=2.2e-6, y=2.3e-6, psf_fwhm=FWHM)

    def picture(values, light):
        lattice = vb.SensorArray(
            values["pitch"], (rows, columns), (values["x"], values["y"]), values["rotation"], pitch_y=values["pitch_y"],
            shear=values["shear"],
        )  # fmt: skip
        images = spot_images(lattice, shape=(size, size), pixel_size=PIXEL, psf_fwhm=values["psf_fwhm"])
        return images @ light + 30.0, images.toarray()

    light = 1e4 * np.linspace(0.7, 1.3, rows * columns)
    mean, images = picture(base, light)
    columns_ = []
    for name in GEOMETRY:
        step = 1e-4 if name in ("rotation", "shear") else 1e-10
        up, down = (picture(base | {name: base[name] + s * step}, light)[0] for s in (1, -1))
        columns_.append((up - down) / (2 * step))
    jacobian = np.column_stack([*columns_, images, np.ones_like(mean)])
    scale = 1 / np.sqrt((jacobian**2 / mean[:, None]).sum(axis=0))
    scaled = jacobian * scale
    covariance = np.linalg.inv((scaled / mean[:, None]).T @ scaled) * np.outer(scale, scale)
    found = analysis.find_array(sweep(mean.reshape(size, size)), background="constant")
    bound = np.sqrt(np.diag(covariance))
    assert [found.errors[k] for k in GEOMETRY] == pytest.approx(bound[:7], rel=0.01)
    assert found.brightness_err.ravel() == pytest.approx(bound[7:-1], rel=0.01)
    assert found.errors["background"] == pytest.approx(bound[-1], rel=0.01)
    given_ = found.covariance[:7, :7] / np.outer(bound[:7], bound[:7])
    assert given_ == pytest.approx(covariance[:7, :7] / np.outer(bound[:7], bound[:7]), abs=0.02)


def test_frames_and_read_noise_make_the_errors():
    mean = expected(array(), 1e4)
    one, nine = (analysis.find_array(sweep(mean, frames=n)).errors["x"] for n in (1, 9))
    assert one == pytest.approx(3 * nine, rel=1e-2)
    assert analysis.find_array(sweep(mean, read_noise=30.0)).errors["x"] > 1.2 * one
    assert analysis.find_array(sweep(mean, excess_noise=2.0)).errors["x"] == pytest.approx(np.sqrt(2) * one, rel=1e-2)


@settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
@given(
    ratio=st.floats(1.0, 3.0), rotation=st.floats(-3.1, 3.1), shear=st.floats(-0.1, 0.1), stretch=st.floats(1.0, 1.4),
    shift=st.tuples(st.floats(-3e-7, 3e-7), st.floats(-3e-7, 3e-7)), shape=st.tuples(*[st.integers(4, 9)] * 2),
    dark=st.integers(0, 4), seed=st.integers(0, 10**6),
)  # fmt: skip
def test_any_lattice_is_found_without_a_guess(ratio, rotation, shear, stretch, shift, shape, dark, seed):
    rng = np.random.default_rng(seed)
    pitch = ratio * FWHM
    size = int(np.hypot(shape[0] * stretch, shape[1]) * pitch / PIXEL) + 16
    real = array(*shape, pitch, size, shift, rotation=rotation, shear=shear, pitch_y=stretch * pitch)
    light = 2e4 * np.clip(1 + 0.25 * rng.normal(size=shape[0] * shape[1]), 0.4, None)
    inner = [k for k in range(light.size) if 0 < k // shape[1] < shape[0] - 1 and 0 < k % shape[1] < shape[1] - 1]
    light[rng.choice(inner, min(dark, len(inner)), replace=False)] = 0.0
    data = sweep(expected(real, light, size), rng)
    found = analysis.find_array(data, design=real)
    assert np.abs(pulls(found, real)).max() < 5
    assert set(found.missing) == set(np.flatnonzero(light == 0).tolist())
    free = analysis.find_array(data)
    assert set(free.array.shape) == set(real.shape)
    assert -np.pi / 4 - 0.11 < free.values["rotation"] < np.pi / 4 + 0.11
    distance, partner = cKDTree(np.column_stack([found.array.x, found.array.y])).query(
        np.column_stack([free.array.x, free.array.y])
    )
    assert distance.max() < 0.1e-9
    assert sorted(partner) == list(range(found.array.x.size))


def test_a_simulated_measurement_gives_its_lattice_back():
    """The preset: 81 % of a width apart, dips, ten per cent of scatter, hot pixels, a camera."""
    scene = sims.gold_wire_nanoarray(rows=12, columns=10)
    data = sims.simulate_sweep(scene, np.linspace(3.1e9, 3.8e9, 9), exposure=0.1, rng=3)
    found = analysis.find_array(data)
    assert found.array.shape == (12, 10)
    for name in ("pitch", "rotation", "shear"):
        real = {"pitch": 400e-9, "rotation": 0.07, "shear": 0.0}[name]
        assert abs(found.values[name] - real) < 5 * found.errors[name] + 1e-5 * (name != "pitch"), name
    assert np.hypot(found.array.x - scene.array.x, found.array.y - scene.array.y).max() < 2e-9
    assert found.psf_fwhm == pytest.approx(440e-9, rel=0.003)
    assert found.bad_pixels < 20
    assert dict(analysis.unmix(data, found.array, psf_fwhm=found.psf_fwhm).signal.sizes)["site"] == 120


@pytest.mark.parametrize("light", [1e4, 1e6])
def test_an_airy_disc_moves_nothing_by_much(light):
    """More physics than the fit knows: the rings. The centre stays, 9 x 11 sites spread by a part in a thousand.

    The steps change by 0.2 and 0.5 nm of 600, the corners by 1.7 to 2.5 nm; the width is that of the nearest Gaussian.
    """
    psf = AiryPSF(820e-9, 0.95)
    real = array(rotation=0.15, shear=0.02)
    found = analysis.find_array(sweep(expected(real, light, psf=psf)), design=real)
    assert np.hypot(found.values["x"] - real.center[0], found.values["y"] - real.center[1]) < 0.05e-9
    assert abs(found.values["pitch"] - 600e-9) < 0.6e-9
    assert abs(found.values["pitch_y"] - 600e-9) < 0.6e-9
    assert abs(found.values["rotation"] - 0.15) < 1e-4
    assert np.hypot(found.array.x - real.x, found.array.y - real.y).max() < 3e-9
    assert found.psf_fwhm == pytest.approx(psf.fwhm, rel=0.08)
    assert any("chi-squared" in note for note in found.notes) == (light > 1e5)


@pytest.mark.parametrize("known", [{}, {"pitch": 400e-9}])
def test_what_the_optics_do_not_resolve_is_not_found(known):
    """A pitch of 400 nm is below 820 nm / (2 x 0.95): the light is an even patch, with edges."""
    real = array(9, 11, 400e-9, 70, rotation=0.15)
    picture = expected(real, 1e5, 70, psf=AiryPSF(820e-9, 0.95))
    with pytest.raises(ValueError, match=r"not resolved|lattice not found|no lattice"):
        analysis.find_array(sweep(picture, np.random.default_rng(0)), **known)


def test_dirt_dead_pixels_slopes_and_edges_do_not_break_it():
    rng = np.random.default_rng(5)
    real = array(13, 13, size=80, rotation=0.3)  # the corners are out of view
    light = 2e4 * np.clip(1 + 0.3 * rng.normal(size=169), 0.35, None)
    light[[40, 41, 90]] = 0.0
    strays = [(2.15e-6, 3.32e-6), (5.61e-6, 6.04e-6)]
    mean = expected(real, light, 80)
    for place in strays:
        mean += expected(vb.SensorArray(1e-6, (1, 1), place), 6e4, 80, 0.0)
    mean += 100 * np.linspace(0, 1, 80)[:, None] + 60 * np.linspace(-1, 1, 80) ** 2
    data = sweep(mean, rng)
    hot = rng.integers(0, 80, (6, 2))
    data["signal"].values[0, hot[:, 0], hot[:, 1]] += 8e3
    data["signal"].values[0, [7, 30, 31], [60, 8, 9]] = np.nan
    found = analysis.find_array(data, design=real)
    assert np.abs(pulls(found, real)).max() < 5
    assert set(found.missing) == {40, 41, 90}
    assert len(found.outside) > 5
    assert np.isnan(found.brightness.ravel()[list(found.outside)]).all()
    got = sorted(spot[:2] for spot in found.extra)
    assert np.array(got) == pytest.approx(np.array(sorted(strays)), abs=10e-9)
    assert found.bad_pixels >= 8
    assert {*found.missing, *found.outside} == set(found.array.missing)
    assert "background_xx" in found.values
    assert analysis.unmix(data, found.array, psf_fwhm=found.psf_fwhm).sizes["site"] == 169 - 3 - len(found.outside)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 3), (1, 2)])
def test_rows_columns_and_handfuls(shape):
    real = array(*shape, rotation=0.2)
    found = analysis.find_array(sweep(expected(real, 2e4), np.random.default_rng(2)))
    assert found.array.shape == shape
    assert np.hypot(found.array.x - real.x, found.array.y - real.y).max() < 12e-9


# --- conventions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [-44.0, 0.0, 30.0, 44.0, 46.0, 90.0, 130.0, 179.0, -100.0])
def test_rotation_lies_between_minus_and_plus_45_degrees(degrees):
    found = analysis.find_array(sweep(expected(array(8, 8, rotation=np.radians(degrees)), 3e4)))
    assert np.degrees(found.values["rotation"]) == pytest.approx((degrees + 45) % 90 - 45, abs=0.01)


def test_the_shape_the_pitch_or_the_design_decide_what_a_row_is():
    real = array(5, 9, 500e-9, rotation=1.2, pitch_y=650e-9)
    data = sweep(expected(real, 3e4))
    assert analysis.find_array(data).array.shape == (9, 5)  # rotation 1.2 - pi / 2 is nearer to none
    for known in ({"shape": (5, 9)}, {"pitch": 500e-9}, {"design": real}):
        found = analysis.find_array(data, **known)
        assert found.array.shape == (5, 9)
        assert found.values["rotation"] == pytest.approx(1.2, abs=1e-3)
        assert found.values["pitch"] == pytest.approx(500e-9, abs=0.1e-9)
    turned = vb.SensorArray(500e-9, (5, 9), rotation=1.2 - np.pi, pitch_y=650e-9)
    assert analysis.find_array(data, design=turned).values["rotation"] == pytest.approx(1.2 - np.pi, abs=1e-3)


def test_a_leaning_design_keeps_its_own_steps():
    """Its steps are not the two shortest ones of its lattice."""
    real = array(7, 8, shear=0.75, rotation=0.1, size=110)
    found = analysis.find_array(sweep(expected(real, 3e4, 110)), design=real)
    assert found.values["shear"] == pytest.approx(0.75, abs=1e-3)
    assert np.hypot(found.array.x - real.x, found.array.y - real.y).max() < 1e-9


def test_coordinates_of_a_cut_sweep_are_kept():
    real = array(6, 6, rotation=0.1)
    data = sweep(expected(real, 3e4))
    cut = analysis.select_region(data, x=(1.5e-6, 8.0e-6), y=(2.0e-6, 7.4e-6))
    found = analysis.find_array(cut)
    assert np.hypot(found.array.x - real.x, found.array.y - real.y).max() < 0.5e-9


def test_simpler_lattices_hold_what_they_say_and_know_the_rest_better():
    real = array(rotation=0.1)
    data = sweep(expected(real, 1e4), np.random.default_rng(7))
    oblique, right, square = (analysis.find_array(data, lattice=k) for k in ("oblique", "rectangular", "square"))
    assert right.values["shear"] == square.values["shear"] == square.errors["shear"] == 0
    assert square.values["pitch"] == square.values["pitch_y"]
    assert square.errors["pitch"] < right.errors["pitch"] == pytest.approx(oblique.errors["pitch"], rel=0.05)
    assert square.errors["rotation"] < right.errors["rotation"] * 1.001 < oblique.errors["rotation"]
    held = analysis.find_array(data, psf_fwhm=FWHM)
    assert (held.psf_fwhm, held.errors["psf_fwhm"]) == (FWHM, 0.0)


def test_a_bare_picture_will_do():
    data = sweep(expected(array(), 1e4))
    bare = data["signal"][0].drop_vars("frequency")
    for one in (bare, data.isel(frequency=0)):
        assert analysis.find_array(one).values["pitch"] == pytest.approx(600e-9, abs=0.1e-9)


def test_every_second_spot_dark_is_what_it_was_asked_to_be():
    """A chessboard is a lattice of its own, turned by 45 degrees, unless the pitch says that half is missing."""
    real = array(8, 8, 450e-9, rotation=0.05)
    light = np.where((real.row + real.column) % 2, 0.0, 3e4)
    data = sweep(expected(real, light))
    assert analysis.find_array(data).values["pitch"] == pytest.approx(450e-9 * np.sqrt(2), rel=1e-3)
    asked = analysis.find_array(data, pitch=450e-9)
    assert asked.values["pitch"] == pytest.approx(450e-9, rel=1e-3)
    assert len(asked.missing) == 32


# --- words and pictures -----------------------------------------------------------------------------------------------


def test_the_summary_says_what_matters():
    light = np.full(99, 2e4)
    light[[30, 50]] = 0.0
    text = str(analysis.find_array(sweep(expected(array(), light), np.random.default_rng(1))))
    assert "9 x 11 sites" in text
    assert "missing: 2, (row, column): (2, 8), (4, 6)" in text
    assert "+-" in text.splitlines()[1]
    assert "nm" in text.splitlines()[1]
    assert "extra: none" in text


def test_the_picture_marks_every_site_once():
    light = np.full(99, 2e4)
    light[30] = 0.0
    mean = expected(array(), light) + expected(vb.SensorArray(1e-6, (1, 1), (1e-6, 1.1e-6)), 4e4, background=0.0)
    data = sweep(mean, np.random.default_rng(1))
    found = analysis.find_array(data)
    ax = Figure().subplots()
    arrayplots.found_array(found, data, ax)
    marked = {c.get_label(): c.get_offsets() for c in ax.collections}
    assert set(marked) == {"bright (98)", "missing (1)", "extra (1)"}
    assert np.asarray(marked["extra (1)"])[0] == pytest.approx([1.0, 1.1], abs=0.01)
    assert ax.get_xlabel() == "x (µm)"


# --- refusals ---------------------------------------------------------------------------------------------------------

GOOD = sweep(expected(array(), 1e4))


def random_spots():
    rng = np.random.default_rng(3)
    places = rng.uniform(5e-7, 8.4e-6, (2, 60))
    return sweep(expected(vb.SensorArray.from_sites(*places, spot_size=1e-9), 2e4), rng)


@pytest.mark.parametrize("options", [{"frames": 3}, {"frames": 12}, {"frames": 61}, {"frames": 244}])
def test_a_small_crowded_patch_is_told_from_its_harmonics(options):
    """Sites closer than the width of the light: the diagonals of the lattice repeat more clearly than its steps."""
    scene = sims.gold_wire_nanoarray(rows=8, columns=8)
    frequency = np.linspace(2.97e9, 3.97e9, 3)
    averages = -(-options["frames"] // 3)
    found = analysis.find_array(sims.simulate_sweep(scene, frequency, exposure=0.5, averages=averages, rng=1))
    assert found.array.shape == (8, 8)
    assert found.values["pitch"] == pytest.approx(scene.array.pitch, abs=5 * found.errors["pitch"])
    assert found.reduced_chi2 < 2


def two_arrays():
    one, other = (vb.SensorArray(600e-9, (7, 7), (c, 6.5e-6), rotation=r) for c, r in ((3e-6, 0.0), (9.5e-6, 0.45)))
    return sweep(expected(one, 2e4, 130) + expected(other, 2e4, 130, 0.0))


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (sweep(np.full((40, 40), np.nan)), {}, "0 valid pixels of 1600"),
        (sweep(np.full((40, 40), 7.0)), {}, "the same light"),
        (sweep(np.full((60, 60), 500.0), np.random.default_rng(0)), {}, "lattice not found: 0 bright spots"),
        (random_spots(), {}, r"lattice not found: \d+ bright spots, the strongest period is .* sigma"),
        (two_arrays(), {}, r"more than one lattice explains the light: steps of .* and steps of"),
        (GOOD, {"pitch": 300.0}, "lengths are in metres: write 400 nm as 400e-9"),
        (GOOD, {"pitch": 20e-6}, "shorter than the picture"),
        (GOOD, {"pitch": 500e-9}, r"no lattice of pitch 500 nm was found; the light repeats as .* 1.20"),
        (GOOD, {"pitch": "600 nm"}, "pitch"),
        (GOOD, {"shape": (1, 1)}, "fewer spots than parameters"),
        (GOOD, {"shape": 9}, "it must be .rows, columns."),
        (GOOD, {"shape": (3, 3)}, r"bright sites lie outside of an array of that shape"),
        (GOOD, {"spot_size": 2e-6}, "ran away|not resolved"),
        (GOOD, {"psf_fwhm": 400.0}, "metres"),
        (GOOD, {"psf_fwhm": -4e-7}, "psf_fwhm|fwhm"),
        (GOOD, {"spot_size": 50e-6}, "larger than the picture"),
        (GOOD, {"lattice": "quadratic"}, "lattice is 'quadratic'"),
        (GOOD, {"background": "flat"}, "constant"),
        (GOOD, {"design": array(), "pitch": 6e-7}, "leave out pitch"),
        (GOOD, {"design": vb.SensorArray.from_sites([0, 1e-6], [0, 0])}, "list of sites"),
        (GOOD, {"design": {"pitch": 6e-7}}, "design is a dict"),
        (GOOD["signal"].values, {}, "received ndarray"),
        (GOOD.isel(x=slice(0, None, 2)), {}, "not evenly spaced"),
    ],
)  # fmt: skip
def test_refusals_say_what_was_seen(data, options, words):
    with pytest.raises((ValueError, TypeError, LayoutError), match=words):
        analysis.find_array(data, **options)


def test_unresolved_spots_are_refused():
    real = array(12, 12, 140e-9, rotation=0.1)  # a third of a width apart
    with pytest.raises(ValueError, match=r"not resolved|lattice not found"):
        analysis.find_array(sweep(expected(real, 3e4), np.random.default_rng(0)), pitch=140e-9)


def test_sites_are_no_pictures():
    x, y = np.array([[0, 1, 0, 1], [0, 0, 1, 1]])
    sites = vb.data.make_site_sweep(np.ones((1, 4)), [3e9], x=x * 1e-6, y=y * 1e-6, row=y, column=x)
    with pytest.raises(LayoutError, match="needs pictures"):
        analysis.find_array(sites)
    with pytest.raises(LayoutError, match="coordinate 'y'"):
        analysis.find_array(xr.DataArray(np.ones((9, 9)), dims=("y", "x")))


# --- statistics -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_errors_cover_the_truth_as_often_as_they_should():
    real, values, seen = array(10, 10, size=70, rotation=0.3), [], []
    light = 1e4 * np.clip(1 + 0.3 * np.random.default_rng(0).normal(size=100), 0.4, None)
    mean = expected(real, light, 70)
    for seed in range(300):
        found = analysis.find_array(sweep(mean, np.random.default_rng(seed)))
        values.append([*pulls(found, real), (found.background - 30.0) / found.errors["background"]])
        seen.append((found.brightness.ravel() - light) / found.brightness_err.ravel())
    pull, n = np.array(values), len(values)
    assert np.abs(pull.mean(axis=0)).max() < 4 / np.sqrt(n)
    assert pull.std(axis=0) == pytest.approx(np.ones(8), abs=4 / np.sqrt(2 * n))
    inside = (np.abs(pull) < 1).mean(axis=0)
    assert inside == pytest.approx(np.full(8, 0.683), abs=4 * np.sqrt(0.683 * 0.317 / n))
    assert 0.64 < (np.abs(pull) < 1).mean() < 0.72
    assert 0.64 < (np.abs(np.array(seen)) < 1).mean() < 0.72
