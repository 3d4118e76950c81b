"""The exact lines of a cube: against other ways to the same spectra, and errors that are true for narrow lines."""

from dataclasses import replace

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis, sims
from vbsense.analysis._cube_data import read_cube
from vbsense.analysis._cube_exact import ExactSpectra, exact_lines
from vbsense.analysis._cube_options import Options
from vbsense.analysis._cube_problem import Cube, make_layout
from vbsense.analysis._wire_solve import minimise
from vbsense.analysis.correction import HyperfineCorrection
from vbsense.data import LayoutError
from vbsense.groundstate.effective import hamiltonian_model

FREQUENCY = np.linspace(2.97e9, 3.97e9, 41)
X = (1.0, 0.0, 0.0)
CIRCULAR = (1.0, 1.0j, 0.0)


def crowded(side=9, linewidth=120e6, bias=(0, 0, 5e-3)):
    """As in the tests of the cube, with lines of the given width under drive."""
    pixel, turn, pitch = 100e-9, 0.07, 300e-9
    n = round((side - 1) * pitch / pixel * (np.cos(turn) + np.sin(turn))) + 20
    c = (n - 1) / 2 * pixel
    wire = vb.Bar((c + 6e-8, c - 5e-5, -5e-8), (c + 6e-8, c + 5e-5, -5e-8), width=1e-6, thickness=1e-7, current=1e-3)
    return sims.ArrayScene(
        conductor=wire, array=vb.SensorArray(pitch, (side, side), (c, c), rotation=turn), standoff=100e-9, bias=bias,
        shape=(n, n), pixel_size=pixel, psf_fwhm=400e-9, spot_rate=2e6, background=3e3, contrast=0.2,
        linewidth=linewidth / np.sqrt(2), saturation_power=15.0, brightness_scatter=0.1, contrast_scatter=0.03,
        camera=sims.Camera(gain=16.0, full_well=2e6),
    )  # fmt: skip


def images_of(scene, seed, **options):
    return sims.simulate_sweep(scene, FREQUENCY, exposure=1.0, power=15.0, rng=seed, **options)


def off_by(scene, field, current=1e-3):
    """Field less truth, and its covariance."""
    sigma = field["B_err"].values[0]
    truth = scene.wire_field(current)[:, 2] + scene.bias[2]
    return field["B"].values[0] - truth, field["site_correlation"].values * np.outer(sigma, sigma)


def lines_at(bias=(0, 0, 5e-3), defect=vb.VB14N, drive=X, shape="lorentzian", free_E=False):
    model = hamiltonian_model(defect, drive, shape, frequency=FREQUENCY)
    return exact_lines(model, defect, drive, np.array(bias), float(np.sign(bias[2])), free_E=free_E)


def parameters(Bz, *, fwhm=57e6, D=vb.VB14N.D, contrast=0.1, E=None):
    n = np.size(Bz)
    columns = [np.ones(n), np.full(n, D), Bz, np.full(n, fwhm), np.full(n, contrast), np.full(n, contrast)]
    return np.column_stack([*columns, *([] if E is None else [np.full(n, E)])])


def exact_light(Bz, defect=vb.VB14N, *, across=(0.0, 0.0), fwhm=57e6, drive=X):
    field = np.column_stack([np.broadcast_to(across, (Bz.size, 2)), Bz])
    return 1 - 0.1 * vb.spectrum(FREQUENCY, field, defect, linewidth=fwhm, method="exact", drive=drive)


# --- the spectra ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("defect", [vb.VB14N, vb.VB15N, vb.VB14N.at(E=0.0)], ids=["14N", "15N", "no E"])
@pytest.mark.parametrize("fwhm", [25e6, 57e6, 120e6])
def test_light_is_that_of_the_exact_spectrum(defect, fwhm):
    Bz = np.linspace(3.1e-3, 6.2e-3, 23)
    got = lines_at(defect=defect).light_of(FREQUENCY, parameters(Bz, fwhm=fwhm))
    exact = exact_light(Bz, defect, fwhm=fwhm)
    np.testing.assert_allclose(got, exact, atol=2e-5 * (1 - exact.min()))


@pytest.mark.parametrize(
    ("bias", "drive"),
    [((1e-3, -0.7e-3, 5e-3), X), ((1e-3, 2e-3, -5e-3), (0.6, 0.8, 0.0)), ((0, 0, 5e-3), CIRCULAR),
     ((1.5e-3, 0, -5e-3), CIRCULAR)],
)  # fmt: skip
def test_bias_across_its_sign_and_the_drive_count(bias, drive):
    Bz = np.linspace(4.5e-3, 5.5e-3, 9)
    got = lines_at(bias, drive=drive).light_of(FREQUENCY, parameters(Bz))
    exact = exact_light(np.sign(bias[2]) * Bz, across=bias[:2], drive=drive)
    np.testing.assert_allclose(got, exact, atol=1e-5)
    if bias[:2] != (0, 0):
        assert np.abs(exact - exact_light(np.sign(bias[2]) * Bz, drive=drive)).max() > 1e-4


@pytest.mark.parametrize(("low", "high"), [(1e-6, 2e-3), (20e-3, 21e-3), (55e-3, 55.4e-3)])
def test_weak_and_strong_fields(low, high):
    Bz = np.linspace(low, high, 9)
    branches = vb.transitions([0, 0, high])
    frequency = np.concatenate([f + np.linspace(-0.25e9, 0.25e9, 25) for f in branches])
    got = lines_at().light_of(frequency, parameters(Bz))
    exact = 1 - 0.1 * vb.spectrum(frequency, Bz[:, None] * [0, 0, 1.0], linewidth=57e6, method="exact")
    np.testing.assert_allclose(got, exact, atol=1e-6)


def test_branches_are_the_halves_of_the_spectrum():
    Bz = np.linspace(15e-3, 16e-3, 5)  # the branches lie apart
    o = np.ones(5)
    for sign in (1.0, -1.0):
        for defect in (vb.VB14N, vb.VB14N.at(E=0.0)):
            spectra = ExactSpectra((defect,), X, (0.0, 0.0), sign)
            got = spectra.branches(FREQUENCY, Bz, defect.D * o, 57e6 * o, defect.E * o, slopes=False)["value"]
            below = FREQUENCY < 3.2e9
            assert (got[:, 0][:, below] > 20 * got[:, 1][:, below]).all()
            assert (got[:, 1][:, FREQUENCY > 3.75e9] > 20 * got[:, 0][:, FREQUENCY > 3.75e9]).all()


def test_gaussian_lines_are_summed_one_by_one():
    Bz = np.array([4.6e-3, 5.3e-3])
    got = lines_at(shape="gaussian").light_of(FREQUENCY, parameters(Bz))
    place, strength = vb.spin.lines(Bz[:, None] * [0, 0, 1.0])
    u = (FREQUENCY[None, :, None] - place[:, None]) / 57e6
    exact = 1 - 0.1 * (np.exp2(-4 * u**2) * strength[:, None]).sum(-1)
    np.testing.assert_allclose(got, exact, atol=1e-6)


def test_shifted_D_is_that_of_another_temperature():
    Bz = np.linspace(4.6e-3, 5.4e-3, 5)
    got = lines_at().light_of(FREQUENCY, parameters(Bz, D=vb.VB14N.D - 5e6))
    exact = exact_light(Bz, vb.VB14N.at(D=vb.VB14N.D - 5e6))
    np.testing.assert_allclose(got, exact, atol=2e-5)


@pytest.mark.parametrize("change", [-7.3e6, 1.7e6, 6e6])
def test_E_may_differ_from_that_of_the_defect(change):
    Bz, E = np.linspace(2e-3, 5.4e-3, 12), vb.VB14N.E + change
    got = lines_at(free_E=True).light_of(FREQUENCY, parameters(Bz, E=E))
    exact = exact_light(Bz, vb.VB14N.at(E=E))
    np.testing.assert_allclose(got, exact, atol=4e-5 * (1 - exact.min()))


@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
def test_slopes_are_those_of_the_light(shape):
    lines = lines_at((0.5e-3, 0, 5e-3), shape=shape, free_E=True)
    p = parameters(np.array([4.4e-3, 5.2e-3]), fwhm=70e6, D=3.4713e9, E=60.2e6)
    p[:, 4:6] = [[0.08, 0.11], [0.12, 0.1]]
    got = lines.slopes(FREQUENCY, p)
    for k, h in enumerate((1e-4, 1e3, 1e-7, 1e3, 1e-4, 1e3)):
        step = h * (np.arange(7) == k)
        slope = (lines.light_of(FREQUENCY, p + step) - lines.light_of(FREQUENCY, p - step)) / (2 * h)
        np.testing.assert_allclose(got[:, :, k], slope, rtol=1e-5, atol=1e-6 * np.abs(slope).max())


def test_a_table_grows_with_what_is_asked_for():
    lines = lines_at()
    for Bz, fwhm in ((5e-3, 100e6), (9e-3, 100e6), (2e-3, 100e6), (5e-3, 20e6)):
        got = lines.light_of(FREQUENCY, parameters(np.array([Bz]), fwhm=fwhm))
        exact = exact_light(np.array([Bz]), fwhm=fwhm)
        np.testing.assert_allclose(got, exact, atol=2e-5 * (1 - exact.min()))


# --- the fit ----------------------------------------------------------------------------------------------------------


def clean_light(scene, images, current=1e-3):
    """Light of the sites without noise, with the errors of the images."""
    light = analysis.unmix(images)
    rates = [scene.site_rate(float(f), power=15.0, current=current) for f in FREQUENCY]
    light["signal"].values[:] = np.stack(rates)
    return light


def test_narrow_lines_need_the_exact_ones():
    scene = crowded(linewidth=57e6)
    light = clean_light(scene, images_of(scene, 0))
    exact = analysis.fit_cube(light)
    off, covariance = off_by(scene, exact.field)
    # What is left is the field of the wire across c, which no fit knows.
    assert off @ np.linalg.solve(covariance, off) < 0.02 * off.size
    assert exact.chi2 < 0.5
    off, covariance = off_by(scene, analysis.fit_cube(light, model="hamiltonian").field)
    assert off @ np.linalg.solve(covariance, off) > off.size


def test_bias_across_c_of_the_attributes_is_used():
    scene = crowded(side=3, linewidth=57e6, bias=(2e-3, 1e-3, 5e-3))
    weak = 2e-5  # A: so weak that its own field across c does not count
    light = clean_light(scene, images_of(scene, 0), weak)
    good, _ = off_by(scene, analysis.fit_cube(light).field, weak)
    bad, _ = off_by(scene, analysis.fit_cube(light, bias=(0, 0, 5e-3)).field, weak)
    assert np.abs(good).max() < 0.3e-6
    assert np.abs(bad).max() > 5e-6


def test_a_free_splitting_is_found():
    scene = replace(crowded(side=4, linewidth=57e6), defect=vb.VB14N.at(E=63e6))
    light = clean_light(scene, images_of(scene, 0, averages=10))
    got = analysis.fit_cube(light, shared=("D", "fwhm", "E"))
    assert got.shared["E"] == pytest.approx(63e6, abs=0.2e6)
    assert got.fit.attrs["model"] == "hamiltonian"


def test_gaussian_is_a_model_of_its_own():
    scene = crowded(side=3)
    light = clean_light(scene, images_of(scene, 0, averages=10))
    assert analysis.fit_cube(light, model="exact").chi2 < 0.1 * analysis.fit_cube(light, model="exact_gaussian").chi2


def test_refusals():
    light = clean_light(crowded(side=2), images_of(crowded(side=2), 0))
    table = HyperfineCorrection((1e-3, 2e-3), (1e-3, 2e-3), 1e8, "gaussian")
    with pytest.raises(LayoutError, match="correction out"):
        analysis.fit_cube(light, correction=table)
    for options, words in (
        ({"model": "exactly"}, "unknown model 'exactly'"),
        ({"model": "exact+baseline"}, "nothing can be added"),
        ({"fixed": {"fwhm": -1e6}}, "'fwhm' is -1e.06 Hz; allowed are"),
        ({"fixed": {"E": 200e6}}, "'E' is 2e.08 Hz; allowed are"),
        ({"bias": (30, 0, 5e-3)}, "fields are in tesla"),
    ):
        with pytest.raises(ValueError, match=words):
            analysis.fit_cube(light, **options)


# --- the minimum ------------------------------------------------------------------------------------------------------


def problem():
    sites = analysis.unmix(images_of(crowded(side=3, linewidth=57e6), 2))
    lines, data = lines_at(), read_cube(sites)
    cube = Cube(data, lines, make_layout(lines, 1, data.kept.size, Options(("D", "fwhm"), {}, {})))
    typical = {"offset": 2e6, "D": 3.471e9, "Bz": 5.1e-3, "fwhm": 60e6, "contrast_lower": 0.09, "contrast_upper": 0.11}
    return cube, np.array([typical[name] for name in cube.layout.labels])


def test_hessian_is_the_slope_of_the_gradient():
    cube, x = problem()
    _, _, normal = cube.normal(x)
    hessian = cube.hessian(x, normal)
    for k in range(x.size):
        step = 1e-2 / np.sqrt(normal[k, k]) * (np.arange(x.size) == k)
        column = (cube.normal(x + step)[1] - cube.normal(x - step)[1]) / (2 * step[k])
        np.testing.assert_allclose(
            hessian[:, k], column, atol=1e-4 * np.sqrt(normal[k, k]) * np.sqrt(np.diag(normal)).max(), rtol=1e-3
        )


def test_a_bent_valley_is_followed_to_its_end():
    # Second derivatives differ by a half from the normal matrix in the direction that the data hardly tell.
    def normal(x):
        bend = 3e-5 * x[1] * (1 - 1.9 * x[0])
        r = np.array([1e3 * (x[0] + bend), 1e-3 * (x[1] - 40), 3.0 + 2e-4 * (x[1] - 40) ** 2 / 40])
        J = np.array([[1e3 * (1 - 5.7e-5 * x[1]), 3e-2 * (1 - 1.9 * x[0])], [0, 1e-3], [0, 1e-5 * (x[1] - 40)]])
        return float(r @ r), J.T @ r, J.T @ J

    def hessian(x, matrix):
        r0, r2 = 1e3 * (x[0] + 3e-5 * x[1] * (1 - 1.9 * x[0])), 3.0 + 2e-4 * (x[1] - 40) ** 2 / 40
        cross = -5.7e-2 * r0
        return matrix + np.array([[0, cross], [cross, 1e-5 * r2]])

    x, no = np.array([0.3, -50.0]), np.full(2, np.inf)
    best = minimise(lambda x: normal(x)[0], normal, x, -no, no, hessian=hessian)
    assert best.converged
    assert best.x[1] == pytest.approx(40, abs=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("width", [57e6, 85e6, 120e6])
def test_errors_of_crowded_spots_are_true(width):
    scene = crowded(linewidth=width)
    squares, pulls = [], []
    for seed in range(30):
        got = analysis.fit_cube(images_of(scene, seed))
        assert got.converged
        off, covariance = off_by(scene, got.field)
        squares.append(off @ np.linalg.solve(covariance, off) / off.size)
        pulls.append(np.sqrt(np.mean(off**2 / np.diag(covariance))))
    assert np.mean(squares) == pytest.approx(1, abs=3 * np.sqrt(2 / (81 * 30)))
    assert np.mean(pulls) == pytest.approx(1, abs=0.05)
