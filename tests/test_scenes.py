"""Scenes: blocks are pieces of the picture, light follows the exact spectra, drift and noise follow their laws."""

import copy
import pickle
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

import vbsense as vb
from vbsense import sims
from vbsense.optics import AiryPSF, GaussianPSF, spot_images
from vbsense.sims.light import saturation
from vbsense.sims.scenes.layerlight import _by_fourier
from vbsense.sims.scenes.memory import Memory
from vbsense.sims.scenes.outline import coverage
from vbsense.sims.scenes.spectra import lagrange, width_nodes

F = np.linspace(3.0e9, 3.94e9, 12)
STATE = {"power": 21.0, "current": 1e-3}
BIAS = (0.0, 0.0, 10e-3)
WIRE = vb.Bar((1.2e-6, -50e-6, -50e-9), (1.2e-6, 50e-6, -50e-9), width=1e-6, thickness=100e-9, current=1e-3)


def spots(rows=3, columns=4, **changes):
    """A small array on the wire of the preset, without scatter unless it is asked for."""
    plain = {"brightness_scatter": 0.0, "contrast_scatter": 0.0, "recipe": None}
    return replace(sims.gold_wire_nanoarray(rows=rows, columns=columns), **(plain | changes))


def flake(layer=None, **changes):
    """A layer on a wire: more pixels than are diagonalised one by one."""
    numbers = {"standoff": 100e-9, "bias": BIAS, "shape": (14, 22), "pixel_size": 120e-9, "psf_fwhm": 300e-9}
    numbers |= {"linewidth": 60e6, "saturation_power": 15.0}
    layer = layer or sims.Layer(rate=1e5, contrast=0.2, thickness=50e-9, margin=0.3e-6)
    return sims.LayerScene(**({"conductor": WIRE, "layer": layer} | numbers | changes))


def rich_spots():
    """Everything at once that does not move."""
    center = (1.5e-6, 1.5e-6)
    return spots(
        laser=sims.GaussianBeam(center, 3e-6),
        vignetting=sims.Vignetting(center, 4e-6),
        microwave=sims.MicrowaveGradient(center, (1e5, -5e4)),
        film=sims.Layer(rate=2e3, contrast=0.1, thickness=40e-9, margin=0.3e-6),
        emitters=300.0,
        psf_fwhm=None,
        psf=GaussianPSF(440e-9),
    )


def rich_flake():
    center = (1.5e-6, 0.8e-6)
    layer = sims.Layer(1e5, 0.2, 50e-9, [(0, 0), (2.4e-6, 0.2e-6), (1.5e-6, 1.6e-6)], 500.0, 0.05, 2, 0.3e-6)
    return flake(
        layer, laser=sims.GaussianBeam(center, 3e-6), vignetting=sims.Vignetting(center, 4e-6), background=100.0
    )


# --- blocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [spots, rich_spots, flake, rich_flake], ids=lambda f: f.__name__)
def test_a_block_is_a_piece_of_the_picture(make):
    scene = make()
    frequency = [F[3], None, F[4]]
    scene.prepare(frequency, **STATE)
    rows, columns = slice(3, 12), slice(5, 18)
    block = scene.block_rates(frequency, rows, columns, **STATE)
    assert block.shape == (3, 9, 13)
    for k, f in enumerate(frequency):
        assert block[k] == pytest.approx(scene.rate(f, **STATE)[rows, columns], rel=1e-12)
    assert (block[1] >= block[0]).all()


@pytest.mark.parametrize("make", [spots, rich_spots, flake, rich_flake], ids=lambda f: f.__name__)
def test_every_frame_has_its_own_laser_and_shift(make):
    scene = make()
    shift = np.array([[0.0, 0.0], [30e-9, -20e-9], [-95e-9, 140e-9]])
    laser = np.array([1.0, 0.5, 2.0])
    frequency = [F[3], F[3], None]
    block = scene.block_rates(frequency, slice(2, 12), slice(None), laser=laser, shift=shift, **STATE)
    for k, f in enumerate(frequency):
        whole = scene.rate(f, laser=laser[k], shift=tuple(shift[k]), **STATE)
        # Between tabulated images of a spot: 1e-7 of the peak.
        assert block[k] == pytest.approx(whole[2:12], abs=3e-7 * whole.max())
    same = scene.block_rates(frequency, slice(2, 12), slice(None), shift=np.tile(shift[1], (3, 1)), **STATE)
    assert (same == scene.block_rates(frequency, slice(2, 12), slice(None), shift=shift[1], **STATE)).all()


def test_a_picture_does_not_depend_on_what_was_asked_before():
    asked, fresh = (spots(rows=21, columns=21) for _ in range(2))
    asked.prepare(F, power=10.0, current=2e-3)
    asked.rate(F[2], power=21.0, current=-1e-3, temperature=300.0)
    asked.rate(F[1], **STATE)
    assert (asked.rate(F[3], **STATE) == fresh.rate(F[3], **STATE)).all()


def test_threads_get_the_same_light():
    scene = rich_spots()
    expected = rich_spots().block_rates(F, slice(0, 16), slice(0, 16), **STATE)
    got = [None] * 6

    def ask(k):
        got[k] = scene.block_rates(F, slice(0, 16), slice(0, 16), **STATE)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(len(got))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((block == expected).all() for block in got)


def test_memory_makes_once_and_forgets_what_failed():
    memory, made = Memory(), []

    def make():
        made.append(1)
        return object()

    assert memory.get("a", 1, make, limit=2) is memory.get("a", 1, make, limit=2)
    with pytest.raises(ZeroDivisionError):
        memory.get("a", 2, lambda: 1 / 0, limit=2)
    assert memory.get("a", 2, lambda: "now", limit=2) == "now"
    memory.get("a", 3, make, limit=2)
    memory.get("a", 1, make, limit=2)
    assert len(made) == 3  # 1, 3, and 1 again: it had to go when 3 came


def test_scenes_can_be_copied_and_sent():
    for scene in (spots(), flake()):
        picture = scene.rate(F[3], **STATE)
        for other in (copy.deepcopy(scene), pickle.loads(pickle.dumps(scene))):
            assert other == scene
            assert (other.rate(F[3], **STATE) == picture).all()


# --- spectra ----------------------------------------------------------------------------------------------------------


def exact_sites(scene, sites, *, power=21.0, current=1e-3, defect=None):
    """Light of some spots by the spectrum of every field, written independently of the scene."""
    share, width = saturation(power, scene.saturation_power)
    field = np.asarray(scene.bias) + scene.wire_field(current)[sites]
    depth = vb.spectrum(
        F, field, defect or scene.defect, linewidth=scene.linewidth * width, method="exact", drive=scene.drive
    )
    return scene.spot_rate * (1 - scene.contrast * share * depth)


TILTED = vb.VB14N.at(orientation=vb.currents.turn(0.4, axis=(1, 2, 0)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bias": (0.2e-3, -0.1e-3, -8e-3)},  # along -c
        {"bias": (3e-3, 1e-3, 9e-3)},  # far off the axis
        {"bias": (0.0, 0.0, 0.1e-3)},  # fields of both directions
        {"defect": TILTED, "bias": (2e-3, 0.0, 9e-3)},
        {"drive": (1.0, 1j, 0.0)},
        {"defect": vb.VB15N, "drive": (0.3, 0.5, 0.8)},
    ],
    ids=lambda changes: ",".join(changes),
)
def test_many_spots_have_exact_spectra_to_a_thousandth_of_the_dip(changes):
    scene = spots(rows=21, columns=21, **changes)
    got = np.array([scene.site_rate(f, **STATE) for f in F]).T
    sites = np.arange(0, 441, 37)
    expected = exact_sites(scene, sites)
    assert np.abs(got[sites] - expected).max() <= 1e-3 * (scene.spot_rate - expected).max()


def test_few_spots_are_exact():
    scene = spots()
    got = np.array([scene.site_rate(f, **STATE) for f in F]).T
    assert got == pytest.approx(exact_sites(scene, slice(None)), rel=1e-7)


def test_every_spot_has_its_own_strain():
    scene = spots(strain=sims.Strain(E=60e6, spread=15e6))
    truth = scene.truth(1e-3)
    E, angle = truth["truth_E"][1], scene._spots.E_angle
    assert np.ptp(E) > 10e6
    got = np.array([scene.site_rate(f, **STATE) for f in F]).T
    for k in range(0, 12, 5):
        own = scene.defect.at(E=E[k], E_angle=angle[k])
        assert got[k] == pytest.approx(exact_sites(scene, [k], defect=own)[0], rel=1e-7)
    again = spots(strain=sims.Strain(E=60e6, spread=15e6), emitters=100.0).truth(1e-3)
    assert (again["truth_E"][1] == E).all()  # what is drawn besides changes nothing


@pytest.mark.parametrize("size", [4, 21])
def test_the_local_microwave_is_a_local_power(size):
    drive = sims.MicrowaveGradient((4e-6, 4e-6), (6e4, 2e4))
    scene, even = (spots(rows=size, columns=size, microwave=m) for m in (drive, None))
    light = np.array([scene.site_rate(f, **STATE) for f in F]).T
    for k in (0, 3, size * size - 1):
        amplitude = drive(scene.array.x[k], scene.array.y[k])
        expected = exact_sites(even, [k], power=21.0 + 20 * np.log10(amplitude))[0]
        assert light[k] == pytest.approx(expected, abs=1e-3 * (scene.spot_rate - expected).max())


def test_where_there_is_no_microwave_there_is_no_dip():
    scene = spots(microwave=lambda x, y: np.where(x < x.mean(), 0.0, 1.0))
    dark = scene.site_rate(3.19e9, **STATE) == scene.site_rate(None, **STATE)
    assert dark.tolist() == (scene.array.x < scene.array.x.mean()).tolist()


@settings(max_examples=30, deadline=None)
@given(st.floats(10e6, 200e6), st.floats(1.0, 8.0), st.floats(-5e8, 5e8))
def test_widths_are_interpolated_to_1e_minus_5(low, ratio, detuning):
    widths = np.geomspace(low, low * ratio, 7)
    nodes = width_nodes(low, low * ratio)
    at = 1 / (1 + (2 * detuning / nodes) ** 2)
    got = lagrange(np.log(nodes), np.log(widths)) @ at
    assert got == pytest.approx(1 / (1 + (2 * detuning / widths) ** 2), abs=2e-5)


# --- what shines ------------------------------------------------------------------------------------------------------


def test_emitters_are_poisson_and_share_the_light():
    scene = spots(rows=40, columns=40, emitters=50.0)
    truth = scene.truth(1e-3)
    n = truth["truth_emitters"][1]
    assert n.mean() == pytest.approx(50, abs=4.5 * np.sqrt(50 / n.size))
    assert n.var() == pytest.approx(50, rel=4.5 * np.sqrt(2 / n.size))
    assert truth["truth_brightness"][1] == pytest.approx(scene.spot_rate / 50 * n)
    assert not (n == replace(scene, seed=1).truth(1e-3)["truth_emitters"][1]).all()


def test_a_dose_makes_emitters_in_proportion():
    one = sims.mean_emitters(1e19, 1e-14, vacancies_per_ion=10, creation_yield=0.002)
    assert one == pytest.approx(1e5 * 10 * 0.002)
    assert sims.mean_emitters(3e19, 2e-14, vacancies_per_ion=10, creation_yield=0.002) == pytest.approx(6 * one)


def test_laser_and_vignetting_act_where_they_are():
    center = (1.4e-6, 1.2e-6)
    beam, lens = sims.GaussianBeam(center, 2e-6), sims.Vignetting(center, 3e-6)
    plain, lit, seen = (spots(background=500.0, **c) for c in ({}, {"laser": beam}, {"vignetting": lens}))
    y, x = np.meshgrid(*(np.arange(n) * plain.pixel_size for n in plain.shape), indexing="ij")
    assert seen.rate(F[3], **STATE) == pytest.approx(plain.rate(F[3], **STATE) * lens(x, y))
    images = spot_images(plain.array, shape=plain.shape, pixel_size=plain.pixel_size, psf_fwhm=plain.psf_fwhm)
    light = plain.site_rate(F[3], **STATE) * beam(plain.array.x, plain.array.y)
    expected = (images @ light).reshape(plain.shape) + 500.0 * beam(x, y)
    assert lit.rate(F[3], **STATE) == pytest.approx(expected)


def test_an_antenna_drives_as_its_field_across_c():
    antenna = vb.Polyline([(0, -1e-2, 20e-6), (0, 1e-2, 20e-6)], current=2.0)
    drive = sims.MicrowaveAntenna(antenna, reference=(10e-6, 0), height=0.0)
    x = np.array([0.0, 10e-6, 40e-6])
    field = 20e-6 / (x**2 + (20e-6) ** 2)  # of a long wire above: the part along x
    assert drive(x, 0 * x) == pytest.approx(field / field[1], rel=1e-5)


def test_a_film_shines_between_the_spots():
    film = sims.Layer(rate=1e3, contrast=0.1, thickness=40e-9, margin=0.3e-6)
    bare, filmed = spots(), spots(film=film)
    alone = sims.LayerScene(
        bare.conductor, film, bare.standoff, bare.bias, bare.shape, bare.pixel_size, bare.psf_fwhm, bare.linewidth,
        bare.saturation_power,
    )  # fmt: skip
    for f in (None, F[3]):
        together = bare.rate(f, **STATE) + alone.rate(f, **STATE)
        assert filmed.rate(f, **STATE) == pytest.approx(together, rel=1e-12)


def test_a_circular_drive_is_written_down_as_text():
    sweep = sims.simulate_sweep(spots(drive=(1.0, 1j, 0.0)), F[:2], exposure=0.1, rng=1)
    assert "drive" not in sweep.attrs
    assert "1j" in sweep.attrs["user_drive"]


def test_any_point_spread_function_will_do():
    airy = AiryPSF(820e-9, 0.9)
    scene = spots(psf=airy, psf_fwhm=None)
    assert scene.psf_fwhm == scene.attributes["psf_fwhm"] == airy.fwhm
    images = spot_images(scene.array, shape=scene.shape, pixel_size=scene.pixel_size, psf=airy)
    expected = (images @ scene.site_rate(F[3], **STATE)).reshape(scene.shape) + scene.background
    assert scene.rate(F[3], **STATE) == pytest.approx(expected)
    gauss = spots(psf=GaussianPSF(440e-9), psf_fwhm=None)
    assert gauss.rate(F[3], **STATE) == pytest.approx(spots(psf_fwhm=440e-9).rate(F[3], **STATE))


def test_the_owner_of_an_array_does_not_know_where_the_spots_really_are():
    array = replace(spots().array, placement_scatter=10e-9, seed=3)
    scene = spots(array=array)
    assert vb.SensorArray.from_json(scene.attributes["sensor_array"]) == array.design
    assert (scene.truth(1e-3)["truth_x"][1] == array.x).all()


# --- layers -----------------------------------------------------------------------------------------------------------


def far_wire(current=1e-3):
    """So far away that its field is even."""
    return vb.Bar((0, -1e-1, -1e-2), (0, 1e-1, -1e-2), width=1e-6, thickness=1e-7, current=current)


def test_an_even_layer_in_an_even_field_is_its_spectrum():
    scene = replace(flake(), conductor=far_wire())
    share, width = saturation(STATE["power"], scene.saturation_power)
    depth = vb.spectrum(F, BIAS, linewidth=scene.linewidth * width, method="exact")
    expected = 1e5 * (1 - 0.2 * share * depth)
    got = scene.block_rates(F, slice(None), slice(None), **STATE)
    assert got == pytest.approx(np.broadcast_to(expected[:, None, None], got.shape), abs=2e-3 * (1e5 - expected.min()))


def test_the_field_of_a_pixel_is_its_average():
    scene = flake()
    steps = (np.arange(20) + 0.5) / 20 - 0.5
    dx, dy, dz = np.meshgrid(steps * 120e-9, steps * 120e-9, steps * 50e-9, indexing="ij")
    for row, column in ((3, 5), (3, 6), (10, 14)):  # over the left edge of the wire, beside it, over the right one
        points = np.stack([column * 120e-9 + dx, row * 120e-9 + dy, 100e-9 + dz], -1)
        mean = WIRE.field(points).mean((0, 1, 2))
        assert scene.field_map(1e-3)[:, row, column] == pytest.approx(mean, abs=3e-4 * 600e-6)
    assert scene.field_map(-2e-3) == pytest.approx(-2 * scene.field_map(1e-3))
    assert scene.field_map(1e-3).shape == (3, *scene.shape)


def test_the_microscope_blurs_the_light_of_a_layer():
    # Against an independent blur on a finer grid: SciPy's Gaussian filter of the light of every piece of a pixel.
    n, layer = 5, sims.Layer(1e5, 0.2, 50e-9, [(0.2e-6, 0.1e-6), (2e-6, 0.3e-6), (1e-6, 1.5e-6)], oversampling=5)
    scene = replace(flake(layer), conductor=far_wire())
    fine = (np.arange(-30 * n, (22 + 30) * n) + 0.5) / n * 120e-9 - 60e-9
    x, y = np.meshgrid(fine, fine)
    share = coverage(x.ravel(), y.ravel(), 120e-9 / n, layer.outline).reshape(x.shape)
    blurred = gaussian_filter(share, 300e-9 / 2.354820 / (120e-9 / n), truncate=7)
    pixels = blurred.reshape(82, n, 82, n).mean((1, 3))[30:44, 30:52]
    light = scene.rate(None, **STATE)
    assert light == pytest.approx(1e5 * pixels, abs=2e-3 * 1e5)


def test_wide_images_take_another_way_to_the_same_light():
    from vbsense.sims.scenes._blur import blur

    rng = np.random.default_rng(1)
    light, down, across = rng.random((20, 17, 3)), rng.normal(size=(2, 9, 3)), rng.normal(size=(2, 9, 3))
    one, two = np.zeros((3, 12, 9)), np.zeros((3, 12, 9))
    blur(light, down, across, one)
    _by_fourier(light, down, across, two)
    assert one == pytest.approx(two, abs=1e-12)
    expected = np.zeros_like(one)
    for r in range(12):
        for c in range(9):
            expected[:, r, c] = np.einsum("kim,kjm,ijm->m", down, across, light[r : r + 9, c : c + 9])
    assert one == pytest.approx(expected, abs=1e-12)


def test_a_layer_moves_with_the_sample():
    scene = flake(sims.Layer(1e5, 0.2, 50e-9, [(0.5e-6, 0.3e-6), (2e-6, 0.3e-6), (1e-6, 1.3e-6)], margin=0.5e-6))
    here, there = scene.rate(F[3], **STATE), scene.rate(F[3], shift=(120e-9, -240e-9), **STATE)
    assert there[:-2, 1:] == pytest.approx(here[2:, :-1], rel=1e-9, abs=1e-3)
    half = scene.rate(F[3], shift=(60e-9, 0), **STATE)
    assert half.sum() == pytest.approx(here.sum(), rel=1e-3)


def test_oversampling_is_a_better_average():
    scenes = [flake(sims.Layer(1e5, 0.2, 50e-9, oversampling=n, margin=0.3e-6)) for n in (1, 3)]
    maps = [scene.field_map(1e-3) for scene in scenes]
    assert maps[0] == pytest.approx(maps[1], abs=3e-4 * np.abs(maps[1]).max())
    coarse, fine = (scene.rate(F[3], **STATE) for scene in scenes)
    assert 0 < np.abs(coarse - fine).max() < 0.01 * fine.max()


def test_the_emitters_of_a_layer_are_poisson():
    layer = sims.Layer(1e5, 0.2, 50e-9, emitters=200.0, margin=0.1e-6)
    light = flake(layer, shape=(40, 40)).truth(1e-3)["truth_brightness"][1] / 1e5 * 200
    assert light == pytest.approx(np.rint(light))
    assert light.mean() == pytest.approx(200, abs=4.5 * np.sqrt(200 / light.size))
    assert light.var() == pytest.approx(200, rel=4.5 * np.sqrt(2 / light.size))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(0.3, 1.0), st.floats(0, 1)), min_size=3, max_size=7))
def test_the_pixels_of_a_polygon_have_its_area(corners):
    angle = (np.arange(len(corners)) + 0.9 * np.array([c[1] for c in corners])) * 2 * np.pi / len(corners)
    radius = np.array([c[0] for c in corners]) * 10
    polygon = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    x, y = np.meshgrid(np.arange(-11, 12.0), np.arange(-11, 12.0))
    area = 0.5 * np.abs(np.sum(polygon[:, 0] * np.roll(polygon[:, 1], -1) - polygon[:, 1] * np.roll(polygon[:, 0], -1)))
    share = coverage(x.ravel(), y.ravel(), 1.0, polygon)
    assert share.sum() == pytest.approx(area, abs=0.02 * 62)  # along the edges, in steps of 1/64


# --- drift ------------------------------------------------------------------------------------------------------------


def test_a_random_walk_goes_with_the_root_of_time():
    times = np.array([0.0, 0.1, 1.0, 10.0, 100.0])
    steps = []
    for seed in range(300):
        place = sims.Drift(stage_noise=2e-9, seed=seed).shift(times + 50.0)
        steps.append((place[1:] - place[0]) ** 2)
    steps = np.array(steps)  # (seed, lag, axis)
    expected = (2e-9) ** 2 * times[1:]
    assert steps.mean((0, 2)) == pytest.approx(expected, rel=5 * np.sqrt(2 / steps[:, 0].size))


def test_laser_noise_has_the_same_power_in_every_decade():
    # Allan's variance of 1/f noise is the same at all times: 2 ln 2 times the density h at 1 Hz (D. W. Allan's and
    # J. A. Barnes's result); h = rms^2 per decade / ln 10.
    rms, dense = 1e-3, np.arange(0, 2048) / 8.0
    deviations = {1: [], 16: [], 128: []}
    for seed in range(60):
        power = sims.Drift(laser_noise=rms, seed=seed).laser(dense)
        for n, found in deviations.items():
            means = power[: len(power) // n * n].reshape(-1, n).mean(1)
            found.append(np.mean(np.diff(means) ** 2) / 2)
    h = rms**2 / np.log(10)
    for found in (deviations[16], deviations[128]):
        assert np.mean(found) == pytest.approx(2 * np.log(2) * h, rel=0.25)


def test_drift_has_a_value_at_every_time():
    drift = sims.Drift(1e-4, 1e-3, (1e-9, -2e-9), 1e-9, seed=3)
    t = np.array([5.0, 1.0, 300.0])
    assert (drift.laser(t) == [drift.laser(v) for v in t]).all()
    assert (drift.shift(t)[::-1] == drift.shift(t[::-1])).all()
    assert drift.laser(0.0) == 1.0
    assert drift.shift(0.0).tolist() == [0.0, 0.0]
    assert drift.shift(np.zeros((2, 3))).shape == (2, 3, 2)
    line = sims.Drift(laser_slope=-1e-4, stage=(1e-9, -2e-9))
    assert line.laser(t) == pytest.approx(1 - 1e-4 * t)
    assert line.shift(t) == pytest.approx(t[:, None] * [1e-9, -2e-9])


def test_a_sweep_drifts():
    scene = spots(camera=sims.Camera(dark_current=0.0, read_noise=0.0, full_well=1e9, gain=100.0))
    drift = sims.Drift(laser_slope=-1e-2, stage=(5e-9, 0.0))
    sweep = sims.simulate_sweep(scene, F, exposure=1.0, averages=4, rng=1, drift=drift)
    t = 4.0 * np.arange(F.size)  # at the start of every point; a point takes 4 s
    for k in (0, 5, 11):
        middle = [scene.rate(F[k], power=15.0, current=1e-3, laser=1 - 1e-2 * v, shift=(5e-9 * v, 0.0))
                  for v in (t[k], t[k] + 4.0)]  # fmt: skip
        low, high = (f(middle, axis=0) for f in (np.minimum.reduce, np.maximum.reduce))
        sigma = np.sqrt(high / 4 + 100**2 / 12)
        assert ((sweep.signal.values[k] > low - 5 * sigma) & (sweep.signal.values[k] < high + 5 * sigma)).all()


# --- truth ------------------------------------------------------------------------------------------------------------


def test_sweeps_carry_the_truth():
    sweep = sims.simulate_sweep(spots(emitters=100.0), F[:2], exposure=0.1, currents=(2e-3, -2e-3), rng=1)
    scene = spots(emitters=100.0)
    assert sweep.truth_wire_field.dims == ("truth_site", "truth_component")
    assert sweep.truth_wire_field.values == pytest.approx(scene.wire_field(2e-3))
    for name, units in (("x", "m"), ("brightness", "electron/s"), ("contrast", "1"), ("emitters", "1"), ("E", "Hz")):
        assert sweep[f"truth_{name}"].attrs["units"] == units
        assert sweep[f"truth_{name}"].dims == ("truth_site",)
    wide = sims.simulate_sweep(flake(), F[:2], exposure=0.1, rng=1)
    assert wide.truth_wire_field.dims == ("truth_component", "truth_y", "truth_x")
    assert wide.truth_wire_field.values == pytest.approx(flake().field_map(1e-3))
    assert vb.data.check(wide) is wide
    assert isinstance(flake(), vb.Scene)


def test_the_same_scene_serves_the_rig():
    from vbsense import instruments

    with instruments.simulated_rig(flake(shape=(8, 10)), seed=2, timeout=10.0) as rig:
        assert rig.camera.shape == (8, 10)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spots(psf=GaussianPSF(4e-7)), "psf_fwhm=None"),
        (lambda: spots(psf="airy", psf_fwhm=None), "psf is 'airy'"),
        (lambda: spots(emitters=0.0), "emitters is 0.0"),
        (lambda: spots(strain=5e6), "give a Strain"),
        (lambda: spots(laser=3.0), "laser is 3.0"),
        (lambda: flake(drift=1e-9), "drift is 1e-09"),
        (lambda: spots(drive=(0, 0, 0)), "drive is zero"),
        (lambda: spots(brightness_scatter=-0.1), "brightness_scatter"),
        (lambda: spots(bias=(0, 0)), "bias"),
        (lambda: spots(bias=(0, 0, np.nan)), "bias"),
        (lambda: spots(shape=(0, 5)), "shape"),
        (lambda: spots(saturation_power=np.inf), "saturation_power"),
        (lambda: spots().rate(np.nan, **STATE), "frequency"),
        (lambda: spots().rate(-3e9, **STATE), "frequency"),
        (lambda: spots().block_rates(F, slice(0, 500), slice(0, 5), **STATE), "rows are 0 to 500"),
        (lambda: spots().block_rates(F, slice(0, 8), slice(0, 8, 2), **STATE), "columns"),
        (lambda: spots().block_rates(F, slice(0, 8), slice(0, 8), laser=np.ones(3), **STATE), "laser has shape"),
        (lambda: spots().block_rates(F, slice(0, 8), slice(0, 8), laser=-1.0, **STATE), "0 or more"),
        (lambda: spots().block_rates(F, slice(0, 8), slice(0, 8), shift=(0, np.nan), **STATE), "shift"),
        (lambda: spots(microwave=sims.MicrowaveGradient((0, 0), (-1e9, 0))).rate(F[0], **STATE), "smaller one"),
        (lambda: sims.GaussianBeam((0, 0), -1e-6), "fwhm is -1e-06"),
        (lambda: sims.Vignetting((0, 0, 0), 1e-6), "center"),
        (lambda: sims.MicrowaveAntenna(WIRE, (0, 0), np.nan), "reference"),
        (lambda: sims.Strain(-5.0), "E is -5.0"),
        (lambda: sims.Strain(59.0), "59 MHz is 59e6"),
        (lambda: sims.Strain(59e6, angle="x"), "angle is 'x'"),
        (lambda: sims.Drift(laser_slope="1 %/h"), "laser_slope is '1 %/h'"),
        (lambda: sims.Drift(stage="1 nm/s"), "stage is '1 nm/s'; give two finite numbers"),
        (lambda: sims.Drift(seed=1.5), "seed is 1.5"),
        (lambda: sims.GaussianBeam((0, 0), 20), "lengths are in metres"),
        (lambda: sims.Layer(1e5, 0.2, 50), "thickness is 50 m; lengths are in metres"),
        (lambda: sims.Layer(1e5, 0.2, 50e-9, "all"), "outline is 'all'"),
        (lambda: sims.MicrowaveAntenna(3, (0, 0), 1e-6), "antenna is 3"),
        (lambda: sims.mean_emitters("x", 1e-14), "dose is 'x'"),
        (lambda: flake(layer=3), "layer is 3"),
        (lambda: spots(standoff=10e-9), "at least 2e-08"),
        (lambda: flake(standoff=10e-9), "at least 2.5e-08"),
        (lambda: sims.simulate_sweep(spots(), F, exposure=0.1, currents="1mA"), "currents are '1mA'"),
        (lambda: sims.simulate_sweep(spots(), F, exposure=0.1, averages=True), "averages is True"),
        (lambda: sims.mean_emitters(-1.0, 1e-14), "dose"),
        (lambda: sims.mean_emitters(1e19, 1e-14, creation_yield=2.0), "creation_yield"),
        (lambda: sims.Layer(1e5, 1.2, 50e-9), "contrast is 1.2"),
        (lambda: sims.Layer(1e5, 0.2, -50e-9), "thickness"),
        (lambda: sims.Layer(1e5, 0.2, 50e-9, [(0, 0), (1, 1)]), "outline"),
        (lambda: sims.Layer(1e5, 0.2, 50e-9, oversampling=0), "oversampling"),
        (lambda: flake(standoff=10e-9).rate(None, **STATE), "at least 2.5e-08"),
        (lambda: flake().rate(None, shift=(5e-6, 0), **STATE), "larger margin"),
        (lambda: flake(conductor=replace(WIRE, current=0.0)), "current of the conductor is 0"),
        (lambda: sims.Drift(laser_slope=-1.0).laser([0, 2.0]), "reaches -1 of its start at t = 2 s"),
        (lambda: sims.Drift(stage=(0, 0, 0)), "stage"),
        (lambda: sims.Drift(stage_noise=-1e-9), "stage_noise"),
        (lambda: sims.Drift().shift([np.nan]), "t holds NaN"),
        (lambda: vb.VB14N.at(temprature=300), "did you mean 'temperature'"),
        (lambda: vb.VB14N.at(e=50e6), "did you mean 'E'|it has"),
        (lambda: sims.preset("gold_wire_nanoarray", stand_off=1e-7), "did you mean 'standoff'"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_field_too_wild_for_one_table_is_said_to_be():
    # A filament 20 nm below a layer: a hundred millitesla within a few pixels.
    thin = vb.Polyline([(1.2e-6, -1e-5, 0), (1.2e-6, 1e-5, 0)], current=10e-3)
    scene = flake(sims.Layer(1e5, 0.2, 0.0, margin=0.3e-6), conductor=thin, standoff=20e-9, shape=(64, 64))
    with pytest.raises(ValueError, match="smaller current"):
        scene.rate(F[3], power=15.0, current=10e-3)


def test_spectra_that_err_are_announced(monkeypatch):
    from vbsense.sims.scenes import spectra

    monkeypatch.setattr(spectra, "TOLERANCE", 1e-9)
    monkeypatch.setattr(spectra, "MOST", 1000)
    with pytest.warns(RuntimeWarning, match="err by"):
        flake().rate(F[3], **STATE)


def test_where_nodes_do_not_do_every_site_is_exact(monkeypatch):
    from vbsense.sims.scenes import spectra

    monkeypatch.setattr(spectra, "TOLERANCE", 1e-9)
    scene = spots(rows=21, columns=21)
    got = scene.site_rate(F[3], **STATE)
    assert got[:5] == pytest.approx(exact_sites(scene, slice(5))[:, 3], rel=1e-7)
