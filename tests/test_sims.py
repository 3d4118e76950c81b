"""Simulated sweeps: the same seed gives the same bytes, noise is that of the camera, light follows the spectrum."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import curve_fit

import vbsense as vb
from vbsense import sims
from vbsense.sims.light import saturation

F = np.linspace(3.0e9, 4.0e9, 11)


def small(**changes):
    """A few spots on a wire, with numbers of its own: what the preset is tuned to does not matter here."""
    numbers = {"spot_rate": 1e6, "contrast": 0.2, "saturation_power": 25.0, "camera": sims.Camera()} | changes
    return replace(sims.gold_wire_nanoarray(rows=2, columns=3), **numbers)


def simulate(scene, frequency=F, **arguments):
    return sims.simulate_sweep(scene, frequency, **({"exposure": 0.05, "power": 25.0, "rng": 1} | arguments))


def noiseless(scene, frequency, **arguments):
    return scene.rate(frequency, **({"power": 25.0, "current": 1e-3} | arguments))


# --- reproducible -----------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes():
    currents = (1e-3, -1e-3)
    one, two, other = (simulate(small(), averages=2, currents=currents, rng=seed) for seed in (3, 3, 4))
    assert one.signal.values.tobytes() == two.signal.values.tobytes()
    assert one.signal.values.tobytes() != other.signal.values.tobytes()
    again = simulate(small(), averages=2, currents=currents, rng=np.random.default_rng(3))
    assert one.equals(again)
    assert (one.attrs["seed"], "seed" in again.attrs) == (3, False)


def test_asking_changes_nothing():
    scene = small()
    before = noiseless(scene, 3.2e9)
    scene.site_rate(None, power=25, current=1e-3)[:] = 0
    scene.rate(None, power=0, current=0, laser=2.0, temperature=300.0, shift=(1e-7, 0))
    scene.attributes["bias_field"][:] = 0
    assert (noiseless(scene, 3.2e9) == before).all()
    assert scene.attributes["bias_field"].tolist() == [0, 0, 10e-3]


def test_a_recipe_makes_the_same_scene():
    scene = sims.gold_wire_nanoarray(rows=2, columns=3, pitch=500e-9, seed=5, bias=(0, 0, 8e-3))
    where, arguments = json.loads(json.dumps(scene.recipe))
    assert where == "vbsense.sims.presets:gold_wire_nanoarray"
    again = sims.gold_wire_nanoarray(**arguments)
    assert (noiseless(scene, 3.2e9) == noiseless(again, 3.2e9)).all()
    assert isinstance(scene, vb.Scene)


# --- camera -----------------------------------------------------------------------------------------------------------


def frames(camera, electrons, n=40000, seed=1):
    return camera.expose(np.full((n, 1), float(electrons)), 1.0, np.random.default_rng(seed)).astype(float)


@pytest.mark.parametrize(
    "camera", [sims.Camera(), sims.Camera(gain=0.5, read_noise=2.0, offset=300.0, dark_current=40.0)]
)
@pytest.mark.parametrize("electrons", [0, 30, 2000, 20000])
def test_mean_and_variance_follow_the_photon_transfer_curve(camera, electrons):
    counts = frames(camera, electrons)
    light = electrons + camera.dark_current
    variance = (light + camera.read_noise**2) / camera.gain**2 + 1 / 12
    n = counts.size
    assert counts.mean() == pytest.approx(camera.offset + light / camera.gain, abs=4.5 * np.sqrt(variance / n))
    assert counts.var() == pytest.approx(variance, rel=4.5 * np.sqrt(2 / n))


def test_gain_and_read_noise_come_back_from_the_photon_transfer_curve():
    camera = sims.Camera(gain=3.0, read_noise=12.0, dark_current=0.0)
    counts = [frames(camera, e, seed=k) for k, e in enumerate((0, 300, 1000, 3000, 10000))]
    mean, variance = np.array([[c.mean() - camera.offset, c.var() - 1 / 12] for c in counts]).T
    (gain, read), _ = curve_fit(lambda m, g, r: m / g + (r / g) ** 2, mean, variance, (1, 1), sigma=variance)
    assert gain == pytest.approx(3.0, rel=0.03)
    assert read == pytest.approx(12.0, rel=0.05)


def test_a_full_pixel_reads_the_maximum_in_every_frame():
    for camera in (sims.Camera(), sims.Camera(full_well=1e6), sims.Camera(gain=0.37, full_well=1e4)):
        counts = frames(camera, 10 * camera.full_well + 1e5, n=1000)
        assert (counts == camera.maximum).all()
        assert camera.maximum <= 65535
        assert (frames(camera, 0.3 * min(camera.full_well, 65535 * camera.gain), n=1000) < camera.maximum).all()


def test_read_noise_below_the_offset_is_not_cut_off():
    counts = frames(sims.Camera(offset=100.0, read_noise=10.0, dark_current=0.0), 0)
    assert counts.min() < 85
    assert counts.mean() == pytest.approx(100, abs=0.15)


def test_hot_pixels_stay_where_they_are():
    camera = sims.Camera(hot_pixels=0.1, seed=3)
    dark = camera.dark((50, 60))
    assert (dark == camera.dark((50, 60))).all()
    assert np.mean(dark > 100) == pytest.approx(0.1, abs=0.02)
    assert not (dark == sims.Camera(hot_pixels=0.1, seed=4).dark((50, 60))).all()


# --- light ------------------------------------------------------------------------------------------------------------


def test_the_light_of_a_spot_follows_the_spectrum_at_its_averaged_field():
    scene = small(brightness_scatter=0.0, contrast_scatter=0.0)
    power = 21.0
    share = 10**-0.4 / (1 + 10**-0.4)
    width = scene.linewidth * np.sqrt(1 + 10**-0.4)
    average = scene.array.average(scene.conductor.field, standoff=scene.standoff, order=(24, 12))
    assert scene.wire_field(1e-3) == pytest.approx(average, abs=1e-4 * np.abs(average).max())
    assert np.ptp(average[:, 2]) > 200e-6  # the spots see different fields
    expected = scene.spot_rate * (1 - scene.contrast * share * vb.spectrum(F, scene.bias + average, linewidth=width))
    got = np.array([scene.site_rate(f, power=power, current=1e-3) for f in F]).T
    assert got == pytest.approx(expected, rel=2e-4)
    assert got.min() < 0.98 * scene.spot_rate


def test_a_picture_is_the_spots_through_the_microscope_and_the_background():
    scene = small()
    images = vb.optics.spot_images(scene.array, shape=scene.shape, pixel_size=scene.pixel_size, psf_fwhm=scene.psf_fwhm)
    for f in (None, 3.2e9):
        spots = scene.site_rate(f, power=25.0, current=1e-3)
        expected = (images @ spots).reshape(scene.shape) + scene.background
        assert noiseless(scene, f) == pytest.approx(expected)


def test_current_moves_the_lines_and_reverses_with_its_sign():
    scene = small(contrast_scatter=0.0)
    assert scene.wire_field(2e-3) == pytest.approx(2 * scene.wire_field(1e-3))
    assert scene.wire_field(-1e-3) == pytest.approx(-scene.wire_field(1e-3))
    off = scene.site_rate(3.25e9, power=25, current=0.0) / scene.site_rate(None, power=25, current=0.0)
    on = scene.site_rate(3.25e9, power=25, current=1e-3) / scene.site_rate(None, power=25, current=1e-3)
    assert np.ptp(off) < 1e-12
    assert np.ptp(on) > 0.005
    assert (off < 0.99).all()


def test_the_wire_lies_where_the_picture_says():
    # Current along +y: Bz points down on the side of larger x.
    scene = sims.gold_wire_nanoarray()
    Bz = scene.wire_field(1e-3)[:, 2]
    right = scene.array.x > scene.conductor.start[0] + 0.6e-6
    left = scene.array.x < scene.conductor.start[0] - 0.6e-6
    assert (Bz[right] < 0).all()
    assert (Bz[left] > 0).all()


def test_laser_scales_all_light_and_the_drive_off_is_brightest():
    scene = small()
    assert noiseless(scene, 3.2e9, laser=0.5) == pytest.approx(0.5 * noiseless(scene, 3.2e9))
    assert (noiseless(scene, None) >= noiseless(scene, 3.2e9)).all()


def test_power_deepens_and_broadens():
    for power, share, width in ((25.0, 0.5, np.sqrt(2)), (15.0, 1 / 11, np.sqrt(1.1)), (45.0, 100 / 101, np.sqrt(101))):
        assert saturation(power, 25.0) == pytest.approx((share, width))
    scene = small()
    dip = [1 - scene.site_rate(3.19e9, power=p, current=0) / scene.site_rate(None, power=p, current=0) for p in (5, 25)]
    assert (dip[1] > 10 * dip[0]).all()


def test_temperature_shifts_the_spectrum():
    scene = small(contrast_scatter=0.0)
    warm = scene.defect.temperature + 10
    shift = scene.defect.dD_dT * 10
    rate = {"power": 25.0, "current": 0.0}
    assert scene.site_rate(3.2e9 + shift, temperature=warm, **rate) == pytest.approx(
        scene.site_rate(3.2e9, **rate), rel=1e-4
    )
    assert scene.site_rate(3.2e9, temperature=scene.defect.temperature, **rate) == pytest.approx(
        scene.site_rate(3.2e9, **rate)
    )


def test_shift_moves_the_picture():
    scene = small(background=0.0)
    here, there = noiseless(scene, None), noiseless(scene, None, shift=(scene.pixel_size, -2 * scene.pixel_size))
    assert there[:-2, 1:] == pytest.approx(here[2:, :-1], rel=1e-6, abs=1e-3)


# --- sweeps -----------------------------------------------------------------------------------------------------------


def test_the_mean_of_a_sweep_is_rate_times_exposure():
    scene = small(camera=sims.Camera(dark_current=0.0))
    sweep = simulate(scene, F[:2], averages=400)
    expected = np.array([noiseless(scene, f) for f in F[:2]]) * 0.05
    sigma = np.sqrt((expected + 25 + 4 / 12) / 400)
    pull = (sweep.signal.values - expected) / sigma
    assert abs(pull.mean()) < 4.5 / np.sqrt(pull.size)
    assert pull.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * pull.size))


def test_a_sweep_says_how_it_was_made():
    scene = small()
    sweep = simulate(scene, averages=3, power=20.0)
    assert sweep.signal.dims == ("frequency", "y", "x")
    attributes = sweep.attrs
    assert (attributes["exposure"], attributes["frames"], attributes["power"]) == (0.05, 3, 20.0)
    assert attributes["bias_field"].tolist() == [0, 0, 10e-3]
    assert vb.SensorArray.from_json(attributes["sensor_array"]) == scene.array
    assert attributes["psf_fwhm"] == scene.psf_fwhm
    assert attributes["current"] == 1e-3
    assert attributes["camera_gain"] == scene.camera.gain
    assert sweep.truth_wire_field.values == pytest.approx(scene.wire_field(1e-3))
    assert vb.data.check(sweep) is sweep


def test_currents_make_two_polarities():
    scene = small(camera=sims.Camera(read_noise=0.0))
    sweep = simulate(scene, averages=4, currents=(2e-3, -2e-3))
    assert sweep.signal.dims == ("polarity", "frequency", "y", "x")
    assert sweep.polarity.values.tolist() == [1, -1]
    for k, current in enumerate((2e-3, -2e-3)):
        expected = np.array([noiseless(scene, f, current=current) for f in F]) * 0.05
        wrong = np.array([noiseless(scene, f, current=-current) for f in F]) * 0.05
        got = sweep.signal.values[k]
        assert ((got - expected) ** 2).sum() < ((got - wrong) ** 2).sum()
    assert sweep.truth_wire_field.values == pytest.approx(scene.wire_field(2e-3))


def test_truth_has_the_sign_of_the_scenes_own_current():
    scene = sims.gold_wire_nanoarray(rows=2, columns=3, current=-1e-3)
    sweep = simulate(scene, F[:2])
    assert sweep.truth_wire_field.values == pytest.approx(scene.wire_field(-1e-3))
    assert sweep.attrs["current"] == 1e-3


def test_reference_is_the_light_without_drive():
    sweep = simulate(small(), averages=20, reference=True)
    assert sweep.reference.dims == sweep.signal.dims
    light = sweep.reference.values.sum((1, 2))
    assert np.ptp(light) / light.mean() < 0.005
    assert sweep.signal.values.sum((1, 2)).min() < 0.98 * light.mean()
    pair = simulate(small(), F[:2], reference=True, currents=(1e-3, -1e-3))
    assert pair.reference.dims == ("polarity", "frequency", "y", "x")


def test_spots_beside_the_picture_are_noticed():
    scene = small()
    with pytest.warns(UserWarning, match="no spot lies in the picture of .* change the center"):
        away = replace(scene, array=replace(scene.array, center=(1e-3, 0.0)))
    assert noiseless(away, 3.2e9) == pytest.approx(np.full(away.shape, away.background))


def test_spots_at_the_border_are_cut_where_the_picture_ends():
    """A camera that sees more sees the same there; for pictures that stand still and for those that drift."""
    scene = small(brightness_scatter=0.0, contrast_scatter=0.0)
    pixel, n = scene.pixel_size, 12
    rows, columns = slice(n, n + scene.shape[0]), slice(n, n + scene.shape[1])
    cut = replace(scene, array=replace(scene.array, center=(0.0, 3e-7)))
    wire = scene.conductor
    start, end = (tuple(np.add(point, (n * pixel, n * pixel, 0))) for point in (wire.start, wire.end))
    wide = replace(
        cut, shape=tuple(m + 2 * n for m in scene.shape), conductor=replace(wire, start=start, end=end),
        array=replace(scene.array, center=(n * pixel, 3e-7 + n * pixel)),
    )  # fmt: skip
    for shift in ((0.0, 0.0), np.array([[0, 0], [33e-9, -71e-9]])):
        state = {"power": 25.0, "current": 1e-3, "shift": shift}
        seen = wide.block_rates([3.19e9, None], rows, columns, **state)
        assert cut.block_rates([3.19e9, None], slice(None), slice(None), **state) == pytest.approx(seen, rel=1e-9)


@pytest.mark.parametrize("options", [{}, {"currents": (1e-3, -1e-3), "averages": 3, "reference": True}])
def test_one_pixel_and_one_frequency_are_enough(options):
    sweep = simulate(small(shape=(1, 1), array=replace(small().array, center=(0.0, 0.0))), F[:1], **options)
    assert sweep.signal.shape[-3:] == (1, 1, 1)
    assert np.isfinite(sweep.signal.values).all()


class OtherScene:
    """The least that a scene must have."""

    shape, pixel_size, camera, recipe = (4, 5), 1e-7, sims.Camera(), None

    @property
    def attributes(self):
        return {"user_note": "flat"}

    def rate(self, frequency, *, power, current, laser=1.0, temperature=None, shift=(0.0, 0.0)):
        return np.full(self.shape, 1e5)

    def expose(self, rate, seconds, rng):
        return self.camera.expose(rate, seconds, rng)


def test_any_scene_will_do():
    assert isinstance(OtherScene(), vb.Scene)
    sweep = simulate(OtherScene(), exposure=0.1)
    assert sweep.signal.mean() == pytest.approx(1e4, rel=0.01)
    assert "truth_wire_field" not in sweep


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sims.simulate_sweep(small(), F / 1e9, exposure=0.1), "Hz"),
        (lambda: sims.simulate_sweep(small(), F[::-1], exposure=0.1), "ascending"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0), "exposure"),
        (lambda: sims.simulate_sweep(small(), F, exposure=np.nan), "exposure"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0.1, averages=0), "averages"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0.1, averages=1.5), "averages"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0.1, averages=np.nan), "averages"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0.1, power=np.nan), "power"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0.1, currents=1e-3), "currents"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0.1, currents=(1e-3, 1e-3)), "currents"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0.1, currents=(-1e-3, 1e-3)), "currents"),
        (lambda: sims.simulate_sweep(small(), F, exposure=0.1, currents=(1e-3, -1e-3, 0)), "currents"),
        (lambda: sims.gold_wire_nanoarray(current=0.0), "current"),
        (lambda: small(spot_rate=-1.0), "spot_rate"),
        (lambda: small(linewidth=np.nan), "linewidth"),
        (lambda: small(contrast=20.0), "contrast"),
        (lambda: small(contrast=1.0), "contrast is 1.0; it must be a fraction, 0 or more and below 1"),
        (lambda: small(linewidth=45.0), "45 MHz is 45e6"),
        (lambda: small(bias=(0, 0, 10)), "10 mT is 10e-3"),
        (lambda: small(standoff=35.0), "lengths are in metres"),
        (lambda: small(pixel_size=0.1), "lengths are in metres"),
        (lambda: small(standoff="35 nm"), "standoff is '35 nm'"),
        (lambda: small(seed=1.5), "seed is 1.5; it must be a whole number"),
        (lambda: small(seed=-1), "seed is -1"),
        (lambda: small(array=None), "array is None; give a SensorArray"),
        (lambda: small(conductor=None), r"conductor is None; it must be an object that has field"),
        (lambda: small(camera=None), r"camera is None; it must be an object that has expose"),
        (lambda: small(defect="VB14N"), "defect is 'VB14N'; give a Defect"),
        (lambda: small(array=replace(small().array, shape=(1001, 1000))), "has 1001000 sites; at most 1000000"),
        (lambda: noiseless(small(), 3.2), "3.47 GHz is 3.47e9"),
        (lambda: noiseless(small(), "3.2 GHz"), "give numbers in Hz"),
        (lambda: noiseless(small(), 3.2e9, power=np.nan), "power is nan"),
        (lambda: noiseless(small(), 3.2e9, power=1e5), "from -300 to 100"),
        (lambda: noiseless(small(), 3.2e9, current=np.nan), "current is nan"),
        (lambda: noiseless(small(), 3.2e9, current="1 mA"), "current is '1 mA'"),
        (lambda: noiseless(small(), 3.2e9, temperature="300"), "temperature is '300'; it must be a finite number in K"),
        (lambda: noiseless(small(), 3.2e9, laser=np.inf), "values from inf to inf"),
        (lambda: noiseless(small(laser=lambda x, y: x - 1), 3.2e9), "laser gives -1 at"),
        (lambda: noiseless(small(vignetting=lambda x, y: np.nan * x), 3.2e9), "vignetting gives nan at"),
        (lambda: noiseless(small(microwave=lambda x, y: -1.0), 3.2e9), "microwave gives -1 at"),
        (lambda: noiseless(small(microwave=lambda x, y: np.ones(4)), 3.2e9), "microwave gives shape"),
        (lambda: small(background=-1.0), "background"),
        (lambda: noiseless(small(standoff=10e-9), 3.2e9), "standoff"),
        (lambda: noiseless(small(), 3.2e9, temperature=4.0), "60 K"),
        (lambda: sims.Camera(gain=0), "gain"),
        (lambda: sims.Camera(full_well=-1), "full_well"),
        (lambda: sims.Camera(read_noise=np.nan), "read_noise"),
        (lambda: sims.Camera(hot_pixels=3), "hot_pixels"),
        (lambda: sims.preset("gold_wire_nanoaray"), "gold_wire_nanoarray"),
        (lambda: sims.preset("cat"), "known are gold_wire_nanoarray"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()
