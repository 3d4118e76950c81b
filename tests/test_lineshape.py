"""Line shapes: the compiled kernels are the formulas, their rows the derivatives, in both precisions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from vbsense.lineshape import MODELS, Model, get_model, verify

X = np.linspace(-1, 1, 112)
POINTS = {
    7: [
        [1.0, -0.35, 0.3, 0.3, 0.25, 0.05, 0.04],
        [2e4, -0.1, 0.1, 0.5, 0.4, 0.2, 0.1],
        [1.0, -1, 1, 0.02, 2, 0.9, 0.5],
    ],
    4: [[1.0, 0.1, 0.3, 0.05], [3e5, -0.9, 0.02, 0.5]],
}


def run_kernel(model, p, dtype):
    out, jacobian = np.zeros(X.size, dtype), np.zeros((len(p), X.size), dtype)
    model.compiled()(X.astype(dtype), np.asarray(p, dtype), out, jacobian)
    return out, jacobian


@pytest.mark.parametrize("name", MODELS)
def test_kernel_is_the_formula(name):
    """To rounding, at the very numbers that the kernel is given."""
    model = get_model(name)
    for p in POINTS[len(model.parameters)]:
        for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 5e-7)):
            exact = model.evaluate(X.astype(dtype).astype(float), np.asarray(p, dtype).astype(float))
            out, _ = run_kernel(model, p, dtype)
            assert np.abs(out / p[0] - exact / p[0]).max() < tolerance


@pytest.mark.parametrize("name", MODELS)
def test_jacobian_against_complex_steps(name):
    """df/dp = Im f(p + ih) / h has no cancellation: exact to rounding."""
    model = get_model(name)
    for p in POINTS[len(model.parameters)]:
        for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 3e-6)):
            _, jacobian = run_kernel(model, p, dtype)
            for i in range(len(p)):
                shifted = np.asarray(p, dtype).astype(complex)
                shifted[i] += 1e-30j
                exact = model.function(X.astype(dtype).astype(float), *shifted).imag / 1e-30
                assert np.abs(jacobian[i] - exact).max() <= tolerance * np.abs(exact).max(), model.parameters[i]


@pytest.mark.parametrize("name", MODELS)
def test_depth_and_full_width_at_half_maximum(name):
    single = get_model(name.rstrip("1") + "1")
    depth = 1 - single.evaluate([3.4e9, 3.35e9, 3.45e9], [1.0, 3.4e9, 1e8, 0.08])
    np.testing.assert_allclose(depth, [0.08, 0.04, 0.04], rtol=1e-12)


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
