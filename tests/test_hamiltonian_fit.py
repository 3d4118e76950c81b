"""The Hamiltonian model: it reads the field of exact spectra, with errors that hold, where simple shapes fold."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis
from vbsense.data import make_site_sweep, make_sweep
from vbsense.flags import FATAL, FLAGS
from vbsense.groundstate.effective import HamiltonianModel, hamiltonian_model
from vbsense.spin import lines

NARROW = np.linspace(2.97e9, 3.97e9, 101)
WIDE = np.linspace(1.3e9, 5.6e9, 431)
COARSE = np.linspace(1.3e9, 5.6e9, 287)
E_AXIS, OTHER_E_AXIS, BETWEEN = (1, 0, 0), (0, 1, 0), (1, 1, 0)
WIDTHS = (40e6, 65e6, 150e6)
LOW = np.append(np.sort(np.random.default_rng(1).uniform(2.0e-3, 4e-3, 7)), [4.71e-3, 6.33e-3, 8.05e-3, 11.46e-3])
HIGH = np.concatenate([np.random.default_rng(2).uniform(8e-3, 60e-3, 6), [60e-3]])


@cache
def diagonalised(Bz, defect, drive):
    return lines([0, 0, Bz], defect, drive=drive)


def exact(Bz, width, defect, drive, shape, frequency=NARROW, contrasts=(0.05, 0.05)):
    """Light along c: every line of the 81 levels (or 24), broadened one by one."""
    light = []
    for f, s in (diagonalised(b, defect, drive) for b in Bz.tolist()):
        seen = s > 1e-6 * s.max()
        u = (frequency[:, None] - f[seen]) / width
        line = 1 / (1 + 4 * u**2) if shape == "lorentzian" else np.exp(-4 * np.log(2) * u**2)
        light.append(1 - line @ (s[seen] * np.where(f[seen] < defect.D, *contrasts)))
    return np.stack(light, -1)


def as_sites(signal, frequency=NARROW, **attributes):
    k = np.arange(signal.shape[1])
    return make_site_sweep(signal, frequency, x=k * 1e-6, y=0.0 * k, row=0 * k, column=k, **attributes)


def bias(Bz, width, defect, drive, shape, frequency=NARROW, **options):
    light = exact(Bz, width, defect, drive, shape, frequency, **options)
    model = hamiltonian_model(defect, drive, shape, frequency=frequency)
    fit = analysis.fit_sweep(
        as_sites(light, frequency, error=np.full_like(light, 1e-4)), model, precision="double", max_iterations=300
    )
    assert not (fit.flags.values & FATAL).any()
    return np.abs(fit.Bz.values - Bz)


TYPICAL = [("lorentzian", E_AXIS), ("gaussian", BETWEEN)]


@pytest.mark.parametrize(("shape", "drive"), TYPICAL)
def test_exact_spectra_are_read_without_bias(shape, drive):
    """From 2 mT on, where E and the hyperfine structure mix."""
    check_bias(LOW, WIDTHS, vb.VB14N, drive, shape)


def check_bias(Bz, widths, defect, drive, shape, frequency=NARROW):
    for width in widths:
        assert bias(Bz, width, defect, drive, shape, frequency).max() < 1.5e-6


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
@pytest.mark.parametrize("defect", [vb.VB14N, vb.VB14N.at(E=0.0), vb.VB15N], ids=["14N", "14N, E = 0", "15N"])
@pytest.mark.parametrize("drive", [E_AXIS, OTHER_E_AXIS, BETWEEN])
def test_many_fields_are_read_without_bias(shape, defect, drive):
    Bz = np.random.default_rng(3).uniform(2.0e-3, 12e-3, 60)
    check_bias(Bz, (40e6, 47e6, 55e6, 65e6, 80e6, 100e6, 125e6, 150e6), defect, drive, shape)


@pytest.mark.parametrize("defect", [vb.VB14N.at(E=0.0), vb.VB15N], ids=["E = 0", "15N"])
def test_other_defects(defect):
    """Without E the lines of both branches cross below 3 mT."""
    check_bias(LOW, WIDTHS, defect, E_AXIS, "lorentzian")


def test_high_fields():
    """Second-order shifts are in the model: 107 uT at 80 mT, 62 uT at 60 mT for a simple line."""
    check_bias(HIGH, (40e6, 100e6), vb.VB14N, E_AXIS, "lorentzian", WIDE)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
@pytest.mark.parametrize("E", [0.0, 59e6])
@pytest.mark.parametrize("frequency", [WIDE, COARSE], ids=["10 MHz", "15 MHz"])
def test_high_fields_of_all_kinds(shape, E, frequency):
    """With steps of 15 MHz what a line of 40 MHz reads goes up and down with its place between the points."""
    Bz = np.append(HIGH, np.random.default_rng(4).uniform(8e-3, 60e-3, 20))
    check_bias(Bz, (40e6, 60e6, 150e6), vb.VB14N.at(E=E), E_AXIS, shape, frequency)


def test_width_and_splitting_are_those_of_an_exact_line():
    light = exact(LOW, 60e6, vb.VB14N, E_AXIS, "lorentzian")
    fit = analysis.fit_sweep(as_sites(light, error=np.full_like(light, 1e-4)), "hamiltonian")
    np.testing.assert_allclose(fit.fwhm, 60e6, rtol=2e-3)
    np.testing.assert_allclose(fit.D, vb.VB14N.D, atol=0.03e6)


def test_unequal_contrasts_and_another_window():
    """The table is tuned for equal contrasts; others cost little, and so does a window that is not the sweep's."""
    Bz = LOW[LOW > 4e-3]
    assert bias(Bz, 60e6, vb.VB14N, E_AXIS, "lorentzian", contrasts=(0.03, 0.06)).max() < 3e-6
    light = exact(Bz, 60e6, vb.VB14N, E_AXIS, "lorentzian")
    fit = analysis.fit_sweep(as_sites(light, error=np.full_like(light, 1e-4)), hamiltonian_model())
    assert np.abs(fit.Bz.values - Bz).max() < 8e-6


@pytest.mark.parametrize("E_angle", [0.3, 1.2])
def test_a_turned_frame_changes_nothing(E_angle):
    """E and the drive turned together about c, and orientation, are a matter of words for an electron and its comb."""
    from scipy.spatial.transform import Rotation

    R = Rotation.from_euler("zy", [E_angle, 0.4])
    turned = vb.VB14N.at(orientation=R)
    drive = R.apply([1.0, 0.0, 0.0])
    place, other = (hamiltonian_model(d, v, largest=3e-3) for d, v in ((vb.VB14N, E_AXIS), (turned, tuple(drive))))
    np.testing.assert_allclose(place.constants, other.constants, atol=2e-4)


def test_angle_of_E():
    Bz = LOW[(LOW > 3e-3)]
    assert bias(Bz, 60e6, vb.VB14N.at(E_angle=0.6), E_AXIS, "lorentzian").max() < 1.5e-6


@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
@pytest.mark.parametrize("fwhm", [25e6, 60e6, 149e6, 400e6])
@pytest.mark.parametrize("Bz", [0.05e-3, 1.23e-3, 7.0e-3, 12.0e-3, 12.71e-3, 19.9e-3])
def test_derivatives(shape, fwhm, Bz):
    """Against central differences in all parts of the table and at its change of steps; function and kernel agree."""
    model = hamiltonian_model(shape=shape, frequency=NARROW)
    kernel, x = model.compiled(model.scale), np.linspace(-5, 5, 64)
    p = np.concatenate([[1.1, 0.1, Bz * 1e3, fwhm / 1e8, 0.05, 0.07], model.constants])
    values, rows, out = np.zeros(64), np.zeros((6, 64)), np.zeros(64)
    kernel(x, p, values, rows)
    for i in range(6):
        step = []
        for change in (1e-6, -1e-6):
            kernel(x, np.where(np.arange(p.size) == i, p + change, p), out, np.zeros((6, 64)))
            step.append(out.copy())
        np.testing.assert_allclose(rows[i], (step[0] - step[1]) / 2e-6, atol=1e-6 * np.abs(rows[i]).max() + 1e-9)
    light = model.evaluate(vb.VB14N.D + x * 1e8, [1.1, vb.VB14N.D + 1e7, Bz, fwhm, 0.05, 0.07])
    np.testing.assert_allclose(light, values, rtol=1e-12)


@pytest.mark.parametrize("E", [45e6, 59e6, 71e6])
def test_another_E_is_a_number_to_fix(E):
    """A parabola through three E: the field is right where E is said, and far off where it is not."""
    defect = vb.VB14N.at(E=E)
    light = exact(LOW, 65e6, defect, E_AXIS, "lorentzian")
    sites = as_sites(light, error=np.full_like(light, 1e-4))
    model = hamiltonian_model(drive=E_AXIS, frequency=NARROW, E_range=20e6)
    fixed = analysis.fit_sweep(sites, model, fixed={"E": E}, max_iterations=300)
    assert np.abs(fixed.Bz.values - LOW).max() < (1e-6 if E == vb.VB14N.E else 4e-6)
    if E != vb.VB14N.E:
        assert np.abs(analysis.fit_sweep(sites, "hamiltonian").Bz.values - LOW).max() > 100e-6


def test_E_is_found_at_low_fields():
    """Truth from all levels. What effective lines leave out costs an MHz or two."""
    low = LOW[LOW < 4e-3]
    for E in (50e6, 66e6):
        light = exact(low, 65e6, vb.VB14N.at(E=E), E_AXIS, "lorentzian")
        model = hamiltonian_model(drive=E_AXIS, frequency=NARROW, E_range=20e6)
        fit = analysis.fit_sweep(as_sites(light, error=np.full_like(light, 1e-4)), model, max_iterations=300)
        assert not fit.flags.any()
        assert fit.E.attrs["units"] == "Hz"
        assert np.abs(fit.E.values - E).max() < 2e6
        assert np.abs(fit.Bz.values - low).max() < 15e-6


@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
def test_errors_hold_with_E(shape):
    """Simulated by the model itself, in float32: errors, not bias, are looked at."""
    model = hamiltonian_model(shape=shape, frequency=NARROW, E_range=20e6)
    truth = np.array([3e6, 3.472e9, 3e-3, 55e6, 0.12, 0.1, 62e6])
    electrons = np.random.default_rng(0).poisson(np.tile(model.evaluate(NARROW, truth)[:, None], (1, 1500)))
    fit = analysis.fit_sweep(as_sites(electrons, frames=1), model, precision="single")
    assert (fit.flags.values == 0).mean() > 0.95
    for name, value in zip(model.parameters, truth, strict=True):
        inside = np.abs(fit[name].values - value) < fit[name + "_err"].values
        assert inside.mean() == pytest.approx(0.683, abs=0.07), name


@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
@pytest.mark.parametrize("E", [0.40, 0.59, 0.77])
@pytest.mark.parametrize("Bz", [0.05e-3, 1.23e-3, 12.0e-3, 19.9e-3])
def test_derivatives_with_E(shape, E, Bz):
    model = hamiltonian_model(shape=shape, frequency=NARROW, E_range=20e6)
    kernel, x = model.compiled(model.scale), np.linspace(-5, 5, 64)
    p = np.concatenate([[1.1, 0.1, Bz * 1e3, 0.6, 0.05, 0.07, E], model.constants])
    values, rows, out = np.zeros(64), np.zeros((7, 64)), np.zeros(64)
    kernel(x, p, values, rows)
    for i in range(7):
        step = []
        for change in (1e-6, -1e-6):
            kernel(x, np.where(np.arange(p.size) == i, p + change, p), out, np.zeros((7, 64)))
            step.append(out.copy())
        np.testing.assert_allclose(rows[i], (step[0] - step[1]) / 2e-6, atol=1e-6 * np.abs(rows[i]).max() + 1e-9)
    light = model.evaluate(vb.VB14N.D + x * 1e8, [1.1, vb.VB14N.D + 1e7, Bz, 60e6, 0.05, 0.07, E * 1e8])
    np.testing.assert_allclose(light, values, rtol=1e-12)


def test_E_by_name():
    from vbsense.lineshape import get_model

    assert get_model("hamiltonian+E").parameters[-1] == "E"
    assert get_model("hamiltonian_gaussian+E").name == "hamiltonian_gaussian+E"
    many = get_model("hamiltonian+E").evaluate(NARROW, [[1.0, 3.47e9, 5e-3, 6e7, 0.1, 0.1, E] for E in (5e7, 6e7)])
    one = get_model("hamiltonian+E").evaluate(NARROW, [1.0, 3.47e9, 5e-3, 6e7, 0.1, 0.1, 6e7])
    np.testing.assert_array_equal(many[1], one)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
def test_weak_spectra_are_flagged_rather_than_wrong(shape):
    """Branches two to eight times as deep as the noise: at most one unflagged field in a thousand is beyond 6 sigma."""
    model, far, kept = hamiltonian_model(shape=shape, frequency=NARROW), 0, 0
    for ratio in (2.0, 3.0, 4.0, 6.0, 8.0):
        rng, n = np.random.default_rng(3), 3000
        columns = np.ones(n), rng.uniform(3.46e9, 3.48e9, n), rng.uniform(4e-3, 9e-3, n), rng.uniform(40e6, 60e6, n)
        truth = np.stack([*columns, np.full(n, 0.12), np.full(n, 0.12)], -1)
        clean = model.evaluate(NARROW, truth)
        electrons = (ratio / np.median(1 - clean.min(1))) ** 2
        signal = electrons * clean + np.sqrt(electrons * clean) * rng.standard_normal(clean.shape)
        fit = analysis.fit_sweep(as_sites(signal.T, frames=1), model)
        good = fit.flags.values == 0
        pull = np.abs(fit.Bz.values - truth[:, 2])[good] / fit.Bz_err.values[good]
        far, kept = far + (pull > 6).sum(), kept + good.sum()
        assert ratio < 6 or 0.53 < (pull < 1).mean() < 0.73
    assert far <= 1e-3 * kept


def noisy(n, shape="lorentzian", electrons=400_000, seed=0):
    """Shot noise on exact spectra from 4 to 11 mT with a D of their own and unequal contrasts."""
    rng = np.random.default_rng(seed)
    kinds = rng.uniform(4e-3, 11e-3, 12), vb.VB14N.D + rng.uniform(-5e6, 5e6, 12)
    Bz, D = (np.tile(a, -(-n // 12))[:n] for a in kinds)
    few = [
        exact(b[None], 60e6, vb.VB14N.at(D=d), E_AXIS, shape, contrasts=(0.1, 0.12))
        for b, d in zip(*kinds, strict=True)
    ]
    light = np.concatenate(few * (-(-n // 12)), 1)[:, :n]
    return Bz, D, rng.poisson(electrons * light)


@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
def test_errors_hold(shape):
    """Simulated with all levels and a D of its own in each pixel; started by the program."""
    Bz, D, electrons = noisy(150, shape)
    name = "hamiltonian" if shape == "lorentzian" else "hamiltonian_gaussian"
    fit = analysis.fit_sweep(as_sites(electrons, frames=1), name)
    assert not fit.flags.any()
    for name, truth in (("Bz", Bz), ("D", D)):
        pull = (fit[name].values - truth) / fit[name + "_err"].values
        assert np.abs(pull).max() < 4.5
        assert 0.85 < pull.std() < 1.15
    assert float(fit.reduced_chi2.mean()) == pytest.approx(1, abs=4 * np.sqrt(2 / 95 / 150))
    assert fit.Bz.attrs["units"] == "T"


def test_by_name_it_is_made_for_the_sweep():
    """The drive of the sweep counts: the wrong one reads a low field wrong."""
    Bz = np.array([3e-3, 4e-3])
    light = exact(Bz, 60e6, vb.VB14N, BETWEEN, "lorentzian")
    sweep = as_sites(light, error=np.full_like(light, 1e-4), drive=BETWEEN)
    right = analysis.fit_sweep(sweep, "hamiltonian")
    assert np.abs(right.Bz.values - Bz).max() < 2e-6
    assert right.attrs["model"] == "hamiltonian"
    wrong = analysis.fit_sweep(sweep, hamiltonian_model(drive=E_AXIS))
    assert np.abs(wrong.Bz.values - Bz).max() > 10e-6


@pytest.mark.parametrize("name", ["hamiltonian+baseline", "hamiltonian+E+baseline"])
def test_light_that_rises_along_the_sweep(name):
    """Exact spectra on a slope twice as deep as the dips: the model without one loses them, with it all are read."""
    Bz, rise = np.linspace(3e-3, 12e-3, 8), 0.2e-9
    light = exact(Bz, 60e6, vb.VB14N, E_AXIS, "lorentzian") * (1 + rise * (NARROW - vb.VB14N.D))[:, None]
    sites = as_sites(light, error=np.full_like(light, 5e-4))
    fit = analysis.fit_sweep(sites, name, fixed={"E": 59e6} if "E" in name.split("+") else None)
    assert not fit.flags.any()
    np.testing.assert_allclose(fit.Bz, Bz, atol=15e-6)
    np.testing.assert_allclose(fit.slope, rise, rtol=0.02)
    assert (analysis.fit_sweep(sites, "hamiltonian").flags.values & FATAL).any()
    one = analysis.fit_spectrum(sites.isel(site=3), name)
    assert one.best_values["Bz"] == pytest.approx(Bz[3], abs=60e-6)


def test_options_of_the_engine():
    """Bounds, fixed and start values, covariance and threads are those of every model."""
    Bz, D, electrons = noisy(20)
    sweep = as_sites(electrons, frames=1)
    fit = analysis.fit_sweep(sweep, "hamiltonian", fixed={"D": float(D[0]), "fwhm": 60e6}, covariance=True)
    assert (fit.D == D[0]).all()
    assert (fit.D_err == 0).all()
    np.testing.assert_allclose(np.sqrt(np.diagonal(fit.covariance.values, axis1=1, axis2=2))[:, 2], fit.Bz_err)
    bound = analysis.fit_sweep(sweep, "hamiltonian", bounds={"Bz": (0.0, 3.5e-3)})
    assert (bound.flags.values & FLAGS["at_bound"].bit | bound.flags.values & FATAL).all()
    given = analysis.fit_sweep(sweep, "hamiltonian", start={"Bz": Bz})
    free = analysis.fit_sweep(sweep, "hamiltonian")
    np.testing.assert_allclose((given.Bz - free.Bz) / free.Bz_err, 0, atol=0.02)


def test_hopeless_spectra_are_flagged():
    rng = np.random.default_rng(0)
    flat = rng.poisson(1e5, (101, 1, 100)).astype(float)
    fit = analysis.fit_sweep(make_sweep(flat, NARROW, pixel_size=1e-7, frames=1), "hamiltonian")
    assert (fit.flags.values > 0).all()
    half = exact(np.array([9e-3]), 60e6, vb.VB14N, E_AXIS, "lorentzian", contrasts=(0.05, 0.0))
    one = analysis.fit_sweep(as_sites(rng.poisson(1e6 * half), frames=1), "hamiltonian")
    assert one.flags.values[0] & (FLAGS["low_significance"].bit | FLAGS["at_bound"].bit)


def test_there_is_nothing_to_correct():
    light = exact(np.array([9e-3]), 60e6, vb.VB14N, E_AXIS, "lorentzian")
    fit = analysis.fit_sweep(as_sites(light, error=np.full_like(light, 1e-4)), "hamiltonian")
    with pytest.raises(ValueError, match="already"):
        analysis.hyperfine_correction(fit)


def test_the_same_call_gives_the_same_model():
    assert hamiltonian_model(largest=5e-3) is hamiltonian_model(vb.VB14N, (1.0, 0.0, 0.0), "lorentzian", largest=5e-3)
    assert isinstance(hamiltonian_model(largest=5e-3), HamiltonianModel)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": "voigt"}, "'lorentzian' or 'gaussian'"),
        ({"defect": vb.VB14N.at(nuclei=())}, "needs one with nuclei"),
        ({"defect": "VB14N"}, "needs one with nuclei"),
        ({"defect": vb.VB14N.at(g=np.diag([2.0, 2.0, 2.01]))}, "scalar g"),
        ({"drive": (0, 0, 0)}, "three numbers"),
        ({"drive": (1, 0)}, "three numbers"),
        ({"largest": 0.12}, "a field in T"),
        ({"largest": -1.0}, "a field in T"),
        ({"largest": np.nan}, "a field in T"),
        ({"E_range": 0.0}, "1e6 to 30e6"),
        ({"E_range": np.nan}, "1e6 to 30e6"),
        ({"E_range": 20}, "1e6 to 30e6"),
        ({"defect": vb.VB14N.at(E=0.0), "E_range": 20e6}, "stays above"),
        ({"frequency": [3.4e9]}, "two or more"),
        ({"frequency": [3.4e9, 3.3e9]}, "ascending"),
        ({"frequency": [3.4, 3.5]}, "in Hz"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        hamiltonian_model(**arguments)
