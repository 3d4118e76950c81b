"""Line shapes: the compiled kernels are the formulas, their rows the derivatives, in both precisions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import vbsense as vb
from vbsense.analysis import fit_spectrum, fit_sweep
from vbsense.data import make_sweep
from vbsense.lineshape import MODELS, Model, get_model, verify
from vbsense.spin import lines

X = np.linspace(-1, 1, 112)
COMBS = {"hyperfine14": [1, 3, 6, 7, 6, 3, 1], "hyperfine15": [1, 3, 3, 1]}
FREQUENCY = np.linspace(3.07e9, 3.87e9, 101)
# Scaled parameters, of combs in units of their spacing.
COMB_POINTS = [
    [1.0, -3.1, 3.2, 1.0, 0.8, 0.05, 0.04],
    [2e4, -1.0, 0.6, 1.5, 2.4, 0.2, 0.1],
    [1.0, -9, 9, 0.4, 4, 0.3, 0.2],
]
POINTS = {
    7: [
        [1.0, -0.35, 0.3, 0.3, 0.25, 0.05, 0.04],
        [2e4, -0.1, 0.1, 0.5, 0.4, 0.2, 0.1],
        [1.0, -1, 1, 0.02, 2, 0.9, 0.5],
    ],
    4: [[1.0, 0.1, 0.3, 0.05], [3e5, -0.9, 0.02, 0.5]],
}


def cases(model):
    """Frequencies and parameters in the units of the kernel."""
    if model.scale is None:
        return X, POINTS[len(model.parameters)]
    return 9 * X, COMB_POINTS


def run_kernel(model, x, p, dtype):
    out, jacobian = np.zeros(x.size, dtype), np.zeros((len(p), x.size), dtype)
    model.compiled(model.scale)(x.astype(dtype), np.asarray(p, dtype), out, jacobian)
    return out, jacobian


def in_hertz(model):
    """Factor from scaled parameters to those of ``model.function``; 1 where the kernel takes any unit."""
    return np.array([model.scale if unit == "Hz" and model.scale else 1.0 for unit in model.units])


@pytest.mark.parametrize("name", MODELS)
def test_kernel_is_the_formula(name):
    """To rounding, at the very numbers that the kernel is given."""
    model = get_model(name)
    x, points = cases(model)
    for p in points:
        for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 5e-7)):
            hertz = x.astype(dtype).astype(float) * (model.scale or 1.0)
            exact = model.evaluate(hertz, np.asarray(p, dtype).astype(float) * in_hertz(model))
            out, _ = run_kernel(model, x, p, dtype)
            assert np.abs(out / p[0] - exact / p[0]).max() < tolerance


@pytest.mark.parametrize("name", MODELS)
def test_jacobian_against_complex_steps(name):
    """df/dp = Im f(p + ih) / h has no cancellation: exact to rounding."""
    model = get_model(name)
    x, points = cases(model)
    for p in points:
        for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 3e-6)):
            hertz = x.astype(dtype).astype(float) * (model.scale or 1.0)
            _, jacobian = run_kernel(model, x, p, dtype)
            for i in range(len(p)):
                shifted = np.asarray(p, dtype).astype(complex)
                shifted[i] += 1e-30j
                exact = model.function(hertz, *(shifted * in_hertz(model))).imag / 1e-30
                assert np.abs(jacobian[i] - exact).max() <= tolerance * np.abs(exact).max(), model.parameters[i]


@pytest.mark.parametrize("name", [name for name in MODELS if name not in COMBS])
def test_depth_and_full_width_at_half_maximum(name):
    single = get_model(name.rstrip("1") + "1")
    depth = 1 - single.evaluate([3.4e9, 3.35e9, 3.45e9], [1.0, 3.4e9, 1e8, 0.08])
    np.testing.assert_allclose(depth, [0.08, 0.04, 0.04], rtol=1e-12)


@pytest.mark.parametrize("name", COMBS)
def test_a_comb_has_the_lines_of_three_nuclei(name):
    """Narrow lines: as many as there are total m, as high as these are frequent; `fwhm` of one, `contrast` of all."""
    model, weights, width = get_model(name), np.array(COMBS[name]), 1e4
    places = 3.3e9 + model.scale * (np.arange(weights.size) - (weights.size - 1) / 2)

    def depth(frequency, contrast=0.05, fwhm=width):
        return 1 - model.evaluate(frequency, [1.0, 3.3e9, 3.7e9, fwhm, fwhm, contrast, 0.0])

    tops = depth(places)
    np.testing.assert_allclose(tops / tops[0], weights, rtol=1e-5)
    for side in (-width / 2, width / 2):
        np.testing.assert_allclose(depth(places + side) / tops, 0.5, rtol=1e-4)
    for fwhm in (width, 45e6, 200e6):
        assert depth(3.3e9, 0.08, fwhm) == pytest.approx(0.08)


@pytest.mark.parametrize(("name", "defect"), [("hyperfine14", vb.VB14N), ("hyperfine15", vb.VB15N)])
def test_the_spacing_is_that_of_the_exact_lines(name, defect):
    """To first order it is |A_cc|; second order moves the spread of the exact lines by less than 3 %."""
    frequency, strength = lines([0, 0, 20e-3], defect.at(E=0.0))
    model, weights = get_model(name), np.array(COMBS[name])
    places = model.scale * (np.arange(weights.size) - (weights.size - 1) / 2)
    spread = np.sqrt((weights * places**2).sum() / weights.sum())
    for low, high in ((2e9, 3.47e9), (3.47e9, 5e9)):
        part = (frequency > low) & (frequency < high)
        f, s = frequency[part], strength[part]
        middle = (f * s).sum() / s.sum()
        assert np.sqrt((s * (f - middle) ** 2).sum() / s.sum()) == pytest.approx(spread, rel=0.03)


def noisy(name, width, n, ratio=20, contrast=0.05):
    """`n` spectra of one truth, contrast over relative noise `ratio`, and its smallest possible errors."""
    model = get_model(name)
    truth = np.array([(ratio / contrast) ** 2, 3.33e9, 3.61e9, width, width, contrast, contrast])
    clean = model.evaluate(FREQUENCY, truth)
    electrons = np.random.default_rng(3).poisson(clean, (n, FREQUENCY.size)).astype(np.float32)
    sweep = make_sweep(electrons.T[:, None, :], FREQUENCY, pixel_size=1e-7, frames=1)
    rows = [np.imag(model.function(FREQUENCY, *(truth + 1e-30j * e))) / 1e-30 for e in np.eye(truth.size)]
    weighted = np.array(rows) / np.sqrt(clean)
    unit = np.sqrt((weighted**2).sum(1))
    weighted = weighted / unit[:, None]
    return sweep, truth, np.sqrt(np.diag(np.linalg.inv(weighted @ weighted.T))) / unit


def check_statistics(name, width, n, precision="auto"):
    """1 sigma holds two thirds of the truths; errors reach the Cramer-Rao bound."""
    sweep, truth, bound = noisy(name, width, n)
    fit = fit_sweep(sweep, name, precision=precision)
    assert not fit.flags.any()
    values, errors = (
        np.stack([fit[p + suffix].values.ravel() for p in get_model(name).parameters], -1) for suffix in ("", "_err")
    )
    inside = (np.abs(values - truth) < errors).mean(0)
    slack = 3 * np.sqrt(0.68 * 0.32 / n)
    assert (inside > 0.66 - slack).all()
    assert (inside < 0.70 + slack).all()
    ratio = values.std(0) / bound
    assert (ratio > 0.97 - 3 / np.sqrt(2 * n)).all()
    assert (ratio < 1.05 + 3 / np.sqrt(2 * n)).all()
    np.testing.assert_allclose(np.median(errors, 0), bound, rtol=0.02)


@pytest.mark.parametrize("name", COMBS)
@pytest.mark.parametrize("width", [45e6, 60e6])
def test_coverage_and_cramer_rao_of_combs(name, width):
    check_statistics(name, width, 4000)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMBS)
@pytest.mark.parametrize("width", [30e6, 45e6, 60e6, 80e6])
@pytest.mark.parametrize("precision", ["single", "double"])
def test_coverage_of_many_combs(name, width, precision):
    check_statistics(name, width, 40_000, precision)


@pytest.mark.parametrize("name", COMBS)
@pytest.mark.parametrize("width", [20e6, 35e6, 100e6])
def test_combs_are_found_wherever_they_lie(name, width):
    """No fit locks in to a neighbouring line of the comb."""
    rng, model, n = np.random.default_rng(9), get_model(name), 300
    split = rng.uniform(100e6, 300e6, n)
    same = np.full(n, 1.0)
    truth = np.stack(
        [160e3 * same, 3.47e9 - split, 3.47e9 + split, width * same, width * same, 0.05 * same, 0.05 * same], -1
    )
    electrons = rng.poisson(model.evaluate(FREQUENCY, truth)).astype(np.float32)
    fit = fit_sweep(make_sweep(electrons.T[:, None, :], FREQUENCY, pixel_size=1e-7, frames=1), name)
    good = fit.flags.values.ravel() == 0
    assert good.mean() > 0.99
    for k, line in enumerate(("lower", "upper")):
        pull = (fit[f"center_{line}"].values.ravel() - truth[:, 1 + k]) / fit[f"center_{line}_err"].values.ravel()
        assert np.abs(pull[good]).max() < 6


@pytest.mark.parametrize("name", COMBS)
def test_lmfit_agrees_on_combs(name):
    sweep, _, _ = noisy(name, 50e6, 2)
    fit, one = fit_sweep(sweep, name), fit_spectrum(sweep.isel(y=0, x=1), name)
    for parameter, entry in one.params.items():
        assert float(fit[parameter][0, 1]) == pytest.approx(entry.value, abs=0.01 * entry.stderr)
        assert float(fit[f"{parameter}_err"][0, 1]) == pytest.approx(entry.stderr, rel=0.005)


def test_evaluate_broadcasts():
    model = get_model("gaussian")
    p = np.tile(POINTS[7][0], (2, 3, 1))
    assert model.evaluate(X, p).shape == (2, 3, X.size)
    np.testing.assert_array_equal(model.evaluate(X, p)[1, 2], model.evaluate(X, p[0, 0]))


@pytest.mark.parametrize(
    ("name", "message"), [("gausian", "did you mean 'gaussian'"), ("xyz", "There are lorentzian, gaussian")]
)
def test_unknown_model_shows_the_nearest(name, message):
    with pytest.raises(ValueError, match=message):
        get_model(name)


def test_bad_models_are_refused():
    good = get_model("lorentzian1")
    with pytest.raises(ValueError, match="did you mean 'center'"):
        good.index("centre")
    with pytest.raises(ValueError, match="received 3"):
        good.evaluate(X, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="not one of electron, Hz, 1"):
        Model("m", ("a",), ("MHz",), good.function, good.kernel)
    with pytest.raises(ValueError, match="2 units"):
        Model("m", ("a",), ("Hz", "Hz"), good.function, good.kernel)
    with pytest.raises(ValueError, match="kernel and function disagree"):  # a center that is said to be a width
        verify(Model("m", good.parameters, good.units, good.function, good.kernel))


def test_a_comb_is_not_compiled_for_another_unit():
    """A kernel with a length of its own would be silently wrong."""
    for unit in (None, 4e8):
        with pytest.raises(ValueError, match=r"one unit is 4\.55e\+07 Hz"):
            get_model("hyperfine14").compiled(unit)


def test_verify_takes_combs():
    for name in COMBS:
        assert verify(get_model(name)) is get_model(name)


def test_verify_finds_a_wrong_derivative():
    good = get_model("lorentzian1")

    def wrong(x, p, out, jacobian):
        good.compiled()(x, p, out, jacobian)
        jacobian[2] *= 2

    with pytest.raises(ValueError, match="derivative by 'fwhm'"):
        verify(Model("wrong", good.parameters, good.units, good.function, wrong, positions=("center",)))


def test_import_is_light():
    code = (
        "import sys, vbsense.lineshape, vbsense.analysis, vbsense.analysis as a; dir(a); from vbsense.analysis import "
        "_options; print([m for m in ('numba', 'lmfit', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
