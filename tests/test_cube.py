"""Fields and wires straight from images of overlapping spots: true errors, nothing lost, clear refusals.

The images come from scenes: every site in the whole field of the wire, the light of all spots on noisy pixels.
"""

from dataclasses import replace

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis, sims
from vbsense.analysis._cube_data import read_cube
from vbsense.analysis._cube_lines import lines_of
from vbsense.analysis._cube_options import Options
from vbsense.analysis._cube_problem import Below, Cube, make_layout
from vbsense.analysis._wire_model import WireModel
from vbsense.analysis._wire_parameters import read_parameters, read_wires
from vbsense.analysis.correction import HyperfineCorrection
from vbsense.data import LayoutError, make_site_sweep
from vbsense.groundstate.effective import hamiltonian_model

FREQUENCY = np.linspace(2.97e9, 3.97e9, 41)
WIRE_FREE = ("position", "width", "standoff", "offset")


def crowded(side=9, current=1e-3, pitch=300e-9):
    """Spots 300 nm apart under a point-spread function of 400 nm, 100 nm above a gold wire with 1 mA, at 5 mT.

    Lines of 120 MHz, dips of 10 %.
    """
    pixel, turn = 100e-9, 0.07
    n = round((side - 1) * pitch / pixel * (np.cos(turn) + np.sin(turn))) + 20
    c = (n - 1) / 2 * pixel
    wire = vb.Bar((c + 6e-8, c - 5e-5, -5e-8), (c + 6e-8, c + 5e-5, -5e-8), width=1e-6, thickness=1e-7, current=current)
    return sims.ArrayScene(
        conductor=wire, array=vb.SensorArray(pitch, (side, side), (c, c), rotation=turn), standoff=100e-9,
        bias=(0, 0, 5e-3), shape=(n, n), pixel_size=pixel, psf_fwhm=400e-9, spot_rate=2e6, background=3e3,
        contrast=0.2, linewidth=120e6 / np.sqrt(2), saturation_power=15.0, brightness_scatter=0.1,
        contrast_scatter=0.03, camera=sims.Camera(gain=16.0, full_well=2e6),
    )  # fmt: skip


def images_of(scene, seed, **options):
    return sims.simulate_sweep(scene, FREQUENCY, exposure=1.0, power=15.0, rng=seed, **options)


def truth_of(scene, bias=5e-3):
    return scene.wire_field(scene.conductor.current)[:, 2] + bias


def covariance_of(field):
    sigma = field["B_err"].values[0]
    return field["site_correlation"].values * np.outer(sigma, sigma)


def inner(scene):
    """Sites that have neighbours on all sides."""
    last = scene.array.shape[0] - 1
    row, column = scene.array.row, scene.array.column
    return (row > 0) & (row < last) & (column > 0) & (column < last)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


SCENE = crowded(side=5)


@pytest.fixture(scope="module")
def images():
    return images_of(SCENE, 1, averages=10)


@pytest.fixture(scope="module")
def cube(images):
    return analysis.fit_cube(images, wire=SCENE.conductor, free=WIRE_FREE, standoff=130e-9)


# --- the field of the sites -------------------------------------------------------------------------------------------


def test_fields_are_right_within_their_covariance(cube, images):
    squares = []
    for seed in (1, 2, 3, 4):
        got = cube if seed == 1 else analysis.fit_cube(images_of(SCENE, seed, averages=10))
        off = got.field["B"].values[0] - truth_of(SCENE)
        squares.append(off @ np.linalg.solve(covariance_of(got.field), off))
    n = 25 * len(squares)
    assert np.sum(squares) == pytest.approx(n, abs=4 * np.sqrt(2 * n))
    assert cube.reduced_chi2 == pytest.approx(1, abs=4 * np.sqrt(2 / cube.degrees))
    assert cube.converged


def test_what_the_sites_share_comes_back(cube):
    assert cube.shared["D"] == pytest.approx(3.47e9, abs=4 * cube.shared_errors["D"] + 0.1e6)
    assert cube.shared["fwhm"] == pytest.approx(120e6, abs=4 * cube.shared_errors["fwhm"] + 0.5e6)
    assert set(cube.shared) == {"D", "fwhm"}
    assert np.ptp(cube.fit["D"].values) == 0
    assert (cube.fit.attrs["model"], cube.fit.attrs["user_lines"]) == ("hamiltonian", "exact")
    assert np.ptp(cube.fit["contrast_lower"].values) > 0


def test_sharing_tells_more_than_fits_of_single_sites(cube, images):
    alone = analysis.field_map(analysis.fit_sweep(analysis.unmix(images), "hamiltonian"))
    assert np.median(cube.field["B_err"]) < 0.75 * np.median(alone["B_err"])
    without = analysis.fit_cube(images, shared=())
    assert np.median(without.field["B_err"]) == pytest.approx(np.median(alone["B_err"]), rel=0.15)


def test_a_sweep_that_is_unmixed_already_gives_the_same(cube, images):
    again = analysis.fit_cube(analysis.unmix(images))
    np.testing.assert_allclose(again.field["B"], cube.field["B"], rtol=0, atol=1e-12)


def test_the_result_is_a_fit_and_a_map_that_others_take(cube):
    read = analysis.field_map(cube.fit)
    np.testing.assert_allclose(read["B"], cube.field["B"])
    np.testing.assert_allclose(read["B_err"], cube.field["B_err"])
    assert "25 sites" in cube.summary()
    assert "wire: 1025 values" in cube.summary()


def test_two_lines_with_their_correction_read_the_same_field():
    # At 10 mT, where a table exists for two Gaussians.
    scene = replace(crowded(side=3), bias=(0, 0, 10e-3))
    images = images_of(scene, 3, averages=100)
    fit = analysis.fit_sweep(analysis.unmix(images), "gaussian")
    table = analysis.hyperfine_correction(fit)
    got = analysis.fit_cube(images, model="gaussian", correction=table)
    assert set(got.shared) == {"D", "fwhm_lower", "fwhm_upper"}
    off = got.field["B"].values[0] - truth_of(scene, 10e-3)
    assert rms(off) < 1.3 * rms(got.field["B_err"]) + 5e-6
    raw = analysis.fit_cube(images, model="gaussian")
    assert abs(np.mean(raw.field["B"].values[0] - truth_of(scene, 10e-3))) > 10e-6


def test_a_pair_of_currents_gives_the_field_of_the_current():
    scene = crowded(side=4)
    images = images_of(scene, 5, averages=10, currents=(1e-3, -1e-3))
    got = analysis.fit_cube(images, wire=scene.conductor, free=("standoff", "offset"), standoff=130e-9)
    off = got.field["B"].values[0] - scene.wire_field(1e-3)[:, 2]
    square = off @ np.linalg.solve(covariance_of(got.field), off)
    assert square == pytest.approx(16, abs=5 * np.sqrt(32))
    assert np.abs(got.field["B_common"] - 5e-3).max() < 5 * got.field["B_common_err"].max()
    assert got.wire.values["standoff"] == pytest.approx(100e-9, abs=4 * got.wire.errors["standoff"])
    assert got.wire.values["offset"] == pytest.approx(5e-3, abs=4 * got.wire.errors["offset"] + 2e-6)
    backwards = analysis.fit_cube(images.isel(polarity=[1, 0]))
    np.testing.assert_allclose(backwards.field["B"], got.field["B"], rtol=0, atol=1e-9)


def test_the_sign_of_the_bias_is_that_of_the_field():
    scene = replace(crowded(side=2), bias=(0, 0, -5e-3))
    got = analysis.fit_cube(images_of(scene, 6, averages=10))
    assert (np.abs(got.field["B"].values[0] - truth_of(scene, -5e-3)) < 5 * got.field["B_err"].values[0]).all()


def test_too_many_sites_are_refused_before_they_fill_the_memory():
    lines = lines_of(hamiltonian_model(frequency=FREQUENCY, largest=8e-3), vb.VB14N, None, FREQUENCY, free_E=False)
    with pytest.raises(ValueError, match="3000 sites have 12002 free parameters"):
        make_layout(lines, 1, 3000, Options(("D", "fwhm"), {}, {}))


def test_bad_pixels_and_missing_images_are_left_out(images):
    holes = images.copy(deep=True)
    holes["signal"].values[:, 3, 4] = np.nan
    holes["signal"].values[7] = np.nan
    holes["signal"].values[:, :15, :15] = np.nan  # the first site and some of its neighbours
    got = analysis.fit_cube(holes, wire=SCENE.conductor, free=("standoff", "offset"), standoff=100e-9)
    B = got.field["B"].values[0]
    assert np.isnan(B[0])
    assert np.isfinite(B).sum() >= 20
    off = (B - truth_of(SCENE)) / got.field["B_err"].values[0]
    assert np.nanmax(np.abs(off)) < 5
    assert int(got.fit["flags"][0]) != 0
    assert got.wire.values["standoff"] == pytest.approx(100e-9, abs=5 * got.wire.errors["standoff"])


# --- the sum of squares -----------------------------------------------------------------------------------------------


def small_problem(wire):
    sites = analysis.unmix(images_of(crowded(side=2), 2))
    data = read_cube(sites)
    model = hamiltonian_model(frequency=FREQUENCY, largest=8e-3)
    lines = lines_of(model, vb.VB14N, None, FREQUENCY, free_E=True)
    options = Options(("D", "fwhm", "E"), {}, {"E": (59e6, 1e6)})
    scene = crowded(side=2)
    below = None
    if wire:
        wires = read_wires(scene.conductor)
        p = read_parameters(wires, ("z",), ("current", "standoff", "offset"), standoff=100e-9, lowest=20e-9,
                            bounds=None, priors={"current": (1e-3, 1e-4)})  # fmt: skip
        below = Below(WireModel(wires, scene.array, sites["x"].values, sites["y"].values, ("z",)), p, 1.0)
    layout = make_layout(lines, 1, 4, options, without=("Bz",) if wire else ())
    cube = Cube(data, lines, layout, below)
    typical = {"offset": 2e6, "D": 3.471e9, "Bz": 5.1e-3, "fwhm": 115e6, "contrast_lower": 0.09,
               "contrast_upper": 0.11, "E": 58e6}  # fmt: skip
    x = np.array([typical[name] for name in layout.labels])
    if wire:
        x = np.append(x, [1.1e-3, 90e-9, 5.1e-3])
    return cube, x


@pytest.mark.parametrize("wire", [False, True])
def test_gradient_is_the_slope_of_chi_squared(wire):
    cube, x = small_problem(wire)
    chi2, gradient, matrix = cube.normal(x)
    assert chi2 == pytest.approx(cube(x), rel=1e-12)
    for k in range(x.size):
        h = 1e-4 / np.sqrt(matrix[k, k]) * np.sqrt(chi2)
        step = h * (np.arange(x.size) == k)
        slope = (cube(x + step) - cube(x - step)) / (4 * h)
        assert gradient[k] == pytest.approx(slope, rel=2e-3, abs=2e-3 * np.sqrt(matrix[k, k] * chi2)), k


def test_normal_matrix_is_that_of_the_full_covariance():
    # Written out as one long vector of sites times frequencies with its whole covariance matrix.
    cube, x = small_problem(False)
    data, labels = cube.data, cube.layout.labels
    n, f = 4, FREQUENCY.size
    sigma = (1 / data.weight[0]).ravel()
    correlation = np.linalg.inv(data.precision)
    same = np.eye(f)
    whole = np.kron(correlation, same) * np.outer(sigma, sigma)
    J = np.zeros((n * f, x.size))
    for k in range(x.size):
        h = 1e-5 * x[k]
        up, down = (
            cube.lines.light_of(FREQUENCY, cube.site_parameters(x + s * h * (np.arange(x.size) == k))[0])
            for s in (1, -1)
        )
        J[:, k] = ((up - down) / (2 * h)).ravel()
    expected = J.T @ np.linalg.solve(whole, J)
    expected[labels.index("E"), labels.index("E")] += 1e6**-2
    got = cube.normal(x)[2]
    scale = np.sqrt(np.diag(expected))
    assert np.abs((got - expected) / np.outer(scale, scale)).max() < 1e-4


# --- wires ------------------------------------------------------------------------------------------------------------


def test_the_wire_comes_straight_from_the_cube(cube):
    truth = {"position": 0.0, "width": 1e-6, "standoff": 100e-9, "offset": 5e-3}
    for name, value in truth.items():
        assert cube.wire.values[name] == pytest.approx(value, abs=4 * cube.wire.errors[name] + 2e-9), name
    assert cube.wire.reduced_chi2 == pytest.approx(1, abs=4 * np.sqrt(2 / cube.wire.degrees))


def test_the_map_with_its_covariance_holds_what_the_cube_tells_of_a_wire(cube):
    again = analysis.fit_wire(cube.field, wire=SCENE.conductor, free=WIRE_FREE, standoff=130e-9)
    for name in WIRE_FREE:
        assert again.errors[name] == pytest.approx(cube.wire.errors[name], rel=0.05), name
        assert again.values[name] == pytest.approx(cube.wire.values[name], abs=0.3 * cube.wire.errors[name]), name


def test_the_full_covariance_tells_more_than_its_diagonal(cube):
    free = {"wire": SCENE.conductor, "free": WIRE_FREE, "standoff": 100e-9}
    full = analysis.fit_wire(cube.field, **free)
    diagonal = analysis.fit_wire(cube.field.drop_vars("site_correlation"), **free)
    assert full.errors["standoff"] < 0.7 * diagonal.errors["standoff"]


def test_a_free_splitting_takes_its_prior(images):
    got = analysis.fit_cube(images, shared=("D", "fwhm", "E"), priors={"E": (59e6, 1e6)})
    assert got.shared["E"] == pytest.approx(59e6, abs=4e6)
    assert got.shared_errors["E"] <= 1.001e6
    fixed = analysis.fit_cube(images, fixed={"D": 3.47e9})
    assert set(fixed.shared) == {"fwhm"}
    assert float(fixed.fit["D_err"].max()) == 0.0
    assert float(fixed.fit["D"][0]) == 3.47e9


# --- the figures of a crowded array -----------------------------------------------------------------------------------


def naive_sites(images, scene):
    """Light of the pixels nearest to every spot, as if it were all its own."""
    X, Y = np.meshgrid(images["x"], images["y"])
    apart = np.hypot(X.ravel()[:, None] - scene.array.x, Y.ravel()[:, None] - scene.array.y)
    own = (apart.argmin(axis=1)[:, None] == np.arange(scene.array.x.size)) & (apart < 0.75 * scene.array.pitch)
    light = images["signal"].values.reshape(FREQUENCY.size, -1).astype(float) @ own
    array = scene.array
    return make_site_sweep(
        light, FREQUENCY, x=array.x, y=array.y, row=array.row, column=array.column, error=np.sqrt(light),
        sensor_array=array.to_json(), bias_field=np.array([0, 0, 5e-3]),
    )  # fmt: skip


@pytest.mark.slow
def test_crowded_spots_are_read_and_the_wire_below_is_found():
    scene, truth = crowded(), truth_of(crowded())
    seen, smooth, raw, naive = inner(scene), [], [], []
    for seed in range(9):
        images = images_of(scene, seed)
        got = analysis.fit_cube(images, wire=scene.conductor, free=WIRE_FREE, standoff=130e-9)
        assert got.wire.errors["standoff"] <= 6e-9
        assert got.wire.values["standoff"] == pytest.approx(100e-9, abs=3 * got.wire.errors["standoff"])
        smooth.append(rms((analysis.smooth_field(got.field)["B"].values[0] - truth)[seen]))
        raw.append(rms((got.field["B"].values[0] - truth)[seen]))
        read = analysis.field_map(analysis.fit_sweep(naive_sites(images, scene), "hamiltonian"))
        naive.append(rms((read["B"].values[0] - truth)[seen]))
        wrong = analysis.fit_wire(read, wire=scene.conductor, free=WIRE_FREE, standoff=100e-9)
        assert abs(wrong.values["standoff"] - 100e-9) > 3 * wrong.errors["standoff"]
    assert sum(value <= 32e-6 for value in smooth) >= 8
    assert min(naive) > 36e-6
    assert np.mean(raw) == pytest.approx(58e-6, rel=0.15)  # without a prior: the Cramer-Rao bound


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shared": ("fwmh",)}, "did you mean 'fwhm'"),
        ({"shared": ("offset",)}, "its own 'offset'"),
        ({"fixed": {"Bz": 5e-3}}, "what a cube is fitted for"),
        ({"fixed": {"D": np.nan}}, "finite"),
        ({"priors": {"D": (3.47e9, 0.0)}}, "above zero"),
        ({"priors": {"D": 3.47e9}}, "mean, sigma"),
        ({"priors": {"D": (3.47e9, 1e6)}, "fixed": {"D": 3.47e9}}, "give one of them"),
        ({"model": "gaussian1"}, "center_lower"),
        ({"model": "gausian"}, "did you mean 'gaussian'"),
        ({"psf_fwhm": -1.0}, "psf_fwhm"),
        ({"wire": SCENE.conductor, "free": ("standoff",)}, "offset is the bias"),
        ({"wire": SCENE.conductor, "free": ("stand", "offset")}, "no parameter 'stand'"),
        ({"wire": SCENE.conductor, "standoff": 1e-9}, "mean height"),
        ({"wire": SCENE.conductor, "wire_priors": {"offset": (5e-3, -1.0)}}, "sigma > 0"),
        ({"bias": (0, 0, 0)}, "bias"),
    ],
)
def test_refusals_say_what_is_wrong(images, options, words):
    with pytest.raises(ValueError, match=words):
        analysis.fit_cube(images, **options)


def test_images_without_a_lattice_or_a_width_are_refused(images):
    for name in ("sensor_array", "psf_fwhm"):
        less = images.copy()
        less.attrs = {k: v for k, v in images.attrs.items() if k != name}
        with pytest.raises(LayoutError, match=r"sites|width"):
            analysis.fit_cube(less)
    sites = analysis.unmix(images)
    with pytest.raises(ValueError, match="sites already"):
        analysis.fit_cube(sites, SCENE.array)
    with pytest.raises(LayoutError, match="signal_err"):
        analysis.fit_cube(sites.drop_vars("signal_err"))
    with pytest.raises(LayoutError, match="site2"):
        analysis.fit_cube(sites.isel(site=[0, 1]))
    with pytest.raises(LayoutError, match="polarity"):
        analysis.fit_cube(sites.expand_dims(sweep=2))
    table = HyperfineCorrection((1e-3, 2e-3), (1e-3, 2e-3), 1e8, "gaussian")
    with pytest.raises(LayoutError, match="correction out"):
        analysis.fit_cube(sites, correction=table)
    with pytest.raises(TypeError, match="Dataset"):
        analysis.fit_cube(images["signal"].values)
    with pytest.raises(TypeError, match="Defect"):
        analysis.fit_cube(images, defect="VB14N")
