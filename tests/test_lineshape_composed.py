"""Models made from models or from plain functions: the same signals, derivatives by the chain rule, refusals."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from vbsense._jit import kernel
from vbsense.lineshape import Model, get_model, model_from_function, shared, tied, verify, with_baseline

X = np.linspace(-1, 1, 96)
TYPICAL = {"electron": 1.3, "Hz": 0.4, "1": 0.08, "1/Hz": 0.07}
COMPOSED = [
    "gaussian+shared_fwhm", "lorentzian+shared_fwhm", "pseudo_voigt+shared_fwhm", "hyperfine14+shared_fwhm",
    "hyperfine15+shared_fwhm", "nv14+shared_fwhm", "nv15+shared_fwhm", "skewed+shared_fwhm", "emg+shared_skew",
    "gaussian+shared_contrast", "nv14+shared_contrast", "gaussian+baseline", "lorentzian1+baseline", "nv15+baseline",
    "hyperfine14+shared_fwhm+baseline", "gaussian+shared_fwhm+shared_contrast", "gaussian+baseline+shared_fwhm",
]  # fmt: skip


def parameters(model):
    n = len(model.parameters)
    return np.array([TYPICAL[unit] for unit in model.units]) * np.linspace(0.7, 1.3, n)


def run_kernel(model, x, p, dtype):
    out, jacobian = np.zeros(x.size, dtype), np.full((len(p), x.size), np.nan, dtype)
    behind = [] if model.constants is None else model.constants
    model.compiled(model.scale)(x.astype(dtype), np.concatenate([p, behind]).astype(dtype), out, jacobian)
    return out, jacobian


def in_hertz(model):
    unit = model.scale or 1.0
    return np.array([{"Hz": unit, "1/Hz": 1 / unit}.get(kind, 1.0) for kind in model.units])


@pytest.mark.parametrize("name", COMPOSED)
def test_kernels_against_formulas_and_complex_steps(name):
    model = get_model(name)
    p, x = parameters(model), X if model.scale is None else 4 * X
    for dtype, value, slope in ((np.float64, 1e-13, 1e-11), (np.float32, 2e-6, 5e-6)):
        here, own = x.astype(dtype).astype(float) * (model.scale or 1.0), p.astype(dtype).astype(float)
        out, jacobian = run_kernel(model, x, p, dtype)
        np.testing.assert_allclose(out, model.evaluate(here, own * in_hertz(model)), rtol=value)
        for i in range(p.size):
            if name.startswith("emg"):
                continue  # there is no complex error function to this precision near its branch: see `verify`
            exact = model.function(here, *((own + 1e-30j * np.eye(p.size)[i]) * in_hertz(model))).imag / 1e-30
            assert np.abs(jacobian[i] - exact).max() < slope * np.abs(exact).max(), model.parameters[i]


@pytest.mark.parametrize("name", COMPOSED)
def test_verify_takes_them(name):
    assert verify(get_model(name)).name == name


@pytest.mark.parametrize("name", ["gaussian", "pseudo_voigt", "hyperfine14", "nv15"])
def test_kernels_of_one_width_are_the_tied_ones(name):
    """Two ways to the same derivatives: a kernel of its own, and rows of the other added."""
    own, general = shared(name, "fwhm"), tied(name, {"fwhm": ["fwhm_lower", "fwhm_upper"]})
    assert own.parameters == general.parameters
    p, x = parameters(own), X if own.scale is None else 4 * X
    first, second = (run_kernel(model, x, p, np.float64) for model in (own, general))
    np.testing.assert_allclose(first[0], second[0], rtol=1e-14)
    for row, other in zip(first[1], second[1], strict=True):
        np.testing.assert_allclose(row, other, atol=1e-14 * np.abs(other).max())


def test_a_shared_width_is_two_equal_ones():
    f, p = np.linspace(3.1e9, 3.8e9, 71), [1e5, 3.3e9, 3.6e9, 9e7, 0.05, 0.04]
    np.testing.assert_array_equal(
        shared("skewed", "fwhm").evaluate(f, [*p, 0.1, 0.2]),
        get_model("skewed").evaluate(f, [*p[:4], *p[3:], 0.1, 0.2]),
    )


def test_what_a_shared_model_keeps():
    model = shared("skewed", "fwhm", "skew")
    assert model.parameters == (
        "offset",
        "center_lower",
        "center_upper",
        "fwhm",
        "contrast_lower",
        "contrast_upper",
        "skew",
    )
    assert model.units == ("electron", "Hz", "Hz", "Hz", "1", "1", "1")
    assert model.lines == ((1, 3, 4), (2, 3, 5))
    assert model.twins == ((1, 2), (4, 5))
    assert model.bounds["skew"] == (-1.5, 1.5)
    assert model.positions == ("center_lower", "center_upper")
    assert shared("gaussian", "contrast").lines == ()  # a matched filter cannot tell such lines apart
    assert get_model("skewed").twins == ((1, 2), (3, 4), (5, 6), (7, 8))


def test_bounds_of_tied_parameters_are_those_of_all():
    base = get_model("gaussian")
    narrow = Model("n", base.parameters, base.units, base.function, base.kernel, base.positions,
                   {"fwhm_lower": (1e6, 1e9), "fwhm_upper": (1e7, 1e10)})  # fmt: skip
    assert shared(narrow, "fwhm").bounds == {"fwhm": (1e7, 1e9)}


def test_a_guess_follows():
    base = get_model("lorentzian")

    def guess(frequency, signal):
        return np.tile([1.0, 3.3e9, 3.6e9, 1e8, 2e8, 0.1, 0.2], (len(signal), 1))

    own = Model("g", base.parameters, base.units, base.function, base.kernel, base.positions, base.bounds, guess=guess)
    signal = np.ones((3, 5))
    assert shared(own, "fwhm").guess(None, signal)[2].tolist() == [1.0, 3.3e9, 3.6e9, 1.5e8, 0.1, 0.2]
    assert with_baseline(own).guess(None, signal)[0].tolist() == [1.0, 3.3e9, 3.6e9, 1e8, 2e8, 0.1, 0.2, 0.0]


def test_a_baseline_is_a_straight_line_through_the_middle():
    """Without dips; in the middle of the centers it is the offset, whatever the slope."""
    f = np.linspace(3e9, 4e9, 11)
    p = [1e5, 3.2e9, 3.6e9, 1e8, 1e8, 0.0, 0.0, 2e-10]
    signal = with_baseline("gaussian").evaluate(f, p)
    np.testing.assert_allclose(np.diff(signal), 1e5 * 2e-10 * 1e8)
    assert with_baseline("gaussian").evaluate([3.4e9], p)[0] == 1e5


def test_a_parameter_without_slope_changes_nothing():
    f, p = np.linspace(3e9, 4e9, 11), [1e5, 3.2e9, 3.6e9, 45e6, 50e6, 0.05, 0.04]
    np.testing.assert_array_equal(
        get_model("hyperfine14+baseline").evaluate(f, [*p, 0.0]), get_model("hyperfine14").evaluate(f, p)
    )


def test_names_give_the_same_model_again():
    assert get_model("gaussian+shared_fwhm") is get_model("gaussian+shared_fwhm")
    assert get_model("gaussian+shared_fwhm").name == "gaussian+shared_fwhm"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gausian+baseline", "did you mean 'gaussian'"),
        ("gaussian+baselin", "did you mean 'baseline'"),
        ("gaussian+shared_fwm", "did you mean 'fwhm_lower'"),
        ("gaussian+shared_", "unknown parameter"),
        ("gaussian1+shared_fwhm", "unknown parameter 'fwhm_lower'"),
        ("gaussian+shared_fwhm+shared_fwhm", "unknown parameter 'fwhm_lower'"),
        ("gaussian+baseline+baseline", "has a slope already"),
        ("gaussian+", "unknown addition"),
    ],
)
def test_impossible_names(name, message):
    with pytest.raises(ValueError, match=message):
        get_model(name)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({}, "at least one group"),
        ({"w": ["fwhm_lower"]}, "two or more"),
        ({"w": "fwhm_lower"}, "two or more"),
        ({"w": ["fwhm_lower", "contrast_lower"]}, "not of one kind"),
        ({"w": ["fwhm_lower", "center_lower"]}, "not of one kind"),
        ({"w": ["fwhm_lower", "fwhm_uper"]}, "did you mean 'fwhm_upper'"),
        ({"offset": ["fwhm_lower", "fwhm_upper"]}, "already"),
        ({"v": ["fwhm_lower", "fwhm_upper"], "w": ["fwhm_lower", "fwhm_upper"]}, "in two groups"),
    ],
)
def test_impossible_groups(groups, message):
    with pytest.raises(ValueError, match=message):
        tied("gaussian", groups)


def test_other_refusals():
    base = get_model("lorentzian1")
    with pytest.raises(ValueError, match="what the lines have in common"):
        shared("gaussian")
    with pytest.raises(TypeError, match="received int"):
        get_model(3)
    flat = Model("flat", ("a",), ("electron",), lambda f, a: a + 0 * f, base.kernel)
    with pytest.raises(ValueError, match="no positions"):
        with_baseline(flat)
    plain = Model("p", base.parameters, base.units, base.function, lambda *a: None, base.positions)
    with pytest.raises(ValueError, match="not compiled"):
        with_baseline(plain).compiled()
    for broken, message in (
        ({"parameters": ("a", "a"), "units": ("Hz", "Hz")}, "named twice"),
        ({"parameters": ("a",), "units": ("1",), "positions": ("a",)}, "its unit is Hz"),
        ({"parameters": ("a",), "units": ("1",), "bounds": {"a": (1, 0)}}, r"bounds of a are \(1, 0\)"),
        ({"parameters": ("a",), "units": ("1",), "bounds": {"a": (np.nan, 0)}}, "bounds of a"),
        ({"parameters": ("a",), "units": ("1",), "bounds": {"a": 3.0}}, "bounds of a are 3.0"),
        ({"parameters": ("a",), "units": ("1",), "scale": np.nan}, "scale is nan"),
        ({"parameters": ("a",), "units": ("1",), "constants": [np.inf]}, "constants are finite"),
        ({"parameters": ("a",), "units": ("1",), "constants": [[1.0]]}, "constants are finite"),
    ):
        with pytest.raises(ValueError, match=message):
            Model("m", function=base.function, kernel=base.kernel, **broken)


def test_constants_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        get_model("nv14").constants[0] = 1.0


def test_a_kernel_typed_at_a_prompt_can_be_composed():
    """It has no name that the cache could know."""

    def line(frequency, offset, center, fwhm):
        return offset * (1 - 0.1 / (1 + ((frequency - center) / fwhm) ** 2))

    def compiled(x, p, out, jacobian):
        for m in range(x.size):
            d = (x[m] - p[1]) / p[2]
            dip = 0.1 / (1 + d * d)
            out[m] = p[0] * (1 - dip)
            jacobian[0, m] = 1 - dip
            jacobian[1, m] = -20 * p[0] * dip * dip * d / p[2]
            jacobian[2, m] = jacobian[1, m] * d

    from vbsense._shapes import SIGNATURES

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fast = kernel(SIGNATURES, cache=False)(compiled)
    model = Model("own", ("offset", "center", "fwhm"), ("electron", "Hz", "Hz"), line, fast, ("center",))
    assert verify(with_baseline(verify(model))).parameters[-1] == "slope"


@pytest.mark.slow
def test_the_cache_notices_an_edited_kernel(tmp_path):
    """A model made from a kernel in a file follows the file, from one process to the next."""
    source = (
        "from vbsense._jit import kernel\nfrom vbsense._shapes import SIGNATURES\n"
        "@kernel(SIGNATURES)\ndef flat(x, p, out, jacobian):\n    for m in range(x.size):\n"
        "        out[m] = {factor} * p[0]\n        jacobian[0, m] = {factor}\n        jacobian[1, m] = 0\n"
    )
    code = (
        "import numpy as np\nfrom vbsense.lineshape import Model, with_baseline\n"
        "m = with_baseline(Model('m', ('a', 'c'), ('electron', 'Hz'), None, 'edited:flat', ('c',)))\n"
        "out = np.zeros(4); m.compiled()(np.zeros(4), np.array([1.0, 0, 0]), out, np.zeros((3, 4))); print(out[0])"
    )
    for factor in (2.0, 3.0):
        (tmp_path / "edited.py").write_text(source.format(factor=factor))
        paths = os.pathsep.join([str(tmp_path), *sys.path])
        env = os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert float(result.stdout) == factor


def bell(frequency, offset, center, fwhm, contrast):
    d = (frequency - center) / fwhm
    if abs(d) > 5:  # numbers, not arrays: this is allowed
        return offset
    return offset * (1 - contrast * math.exp(-4 * math.log(2) * d * d))


UNITS = {"offset": "electron", "center": "Hz", "fwhm": "Hz", "contrast": "1"}


@pytest.fixture(scope="module")
def own():
    return model_from_function(bell, UNITS, positions=["center"], bounds={"contrast": (0, 1)})


def test_a_function_becomes_a_model(own):
    """Values and derivatives are those of the analytic kernel, in both precisions and in other units."""
    exact = get_model("gaussian1")
    for x, p in (
        (X, [1.0, 0.1, 0.3, 0.05]),
        (X, [1.0, 0.0, 0.02, 0.0]),
        (np.linspace(3.1e9, 3.7e9, 96), [2e5, 3.4e9, 8e7, 0.3]),
    ):
        for dtype, tolerance in ((np.float64, 1e-6), (np.float32, 1e-5)):
            if dtype is np.float32 and x[0] > 1:
                continue  # Hz do not fit into float32
            (value, rows), (other, others) = (run_kernel(m, x, p, dtype) for m in (own, exact))
            np.testing.assert_allclose(value, other, rtol=tolerance)
            for row, analytic in zip(rows, others, strict=True):
                assert np.abs(row - analytic).max() <= tolerance * np.abs(analytic).max()


def test_evaluation_broadcasts_like_any_other(own):
    f, p = np.linspace(3.1e9, 3.7e9, 7), np.tile([2e5, 3.4e9, 8e7, 0.3], (2, 3, 1))
    np.testing.assert_allclose(own.evaluate(f, p), get_model("gaussian1").evaluate(f, p), rtol=1e-12)
    assert own.evaluate(f, p).shape == (2, 3, 7)


def test_differences_stay_inside_the_bounds():
    """A function may have no values beyond them: here the root of a negative number."""

    def root(frequency, offset, center, fwhm, share):
        d = (frequency - center) / fwhm
        return offset * (1 - share**1.5 / (1 + d * d))

    units = {"offset": "electron", "center": "Hz", "fwhm": "Hz", "share": "1"}
    model = model_from_function(root, units, positions=["center"], bounds={"share": (0, 1)})
    for share in (0.0, 1.0):
        out, jacobian = run_kernel(model, X, np.array([1.0, 0.1, 0.3, share]), np.float64)
        exact = -1.5 * np.sqrt(share) / (1 + ((X - 0.1) / 0.3) ** 2)
        assert np.isfinite(out).all()
        np.testing.assert_allclose(jacobian[3], exact, atol=1e-3 if share == 0 else 1e-5)


def test_a_function_with_a_frequency_of_its_own_needs_a_scale():
    def pair(frequency, offset, center, fwhm, contrast):
        left, right = (frequency - center - 1.5e6) / fwhm, (frequency - center + 1.5e6) / fwhm
        return offset * (1 - contrast / (1 + 4 * left * left) - contrast / (1 + 4 * right * right))

    with pytest.raises(ValueError, match="units and positions"):
        model_from_function(pair, UNITS, positions=["center"])
    model = model_from_function(pair, UNITS, positions=["center"], scale=2e6)
    out, _ = run_kernel(model, 5 * X, np.array([1.0, 0.5, 0.4, 0.1]), np.float64)
    np.testing.assert_allclose(out, model.evaluate(5 * X * 2e6, [1.0, 1e6, 0.8e6, 0.1]), rtol=1e-12)


@pytest.mark.parametrize(
    ("function", "units", "message"),
    [
        (bell, {"offset": "electron"}, "units of offset, center, fwhm, contrast are needed"),
        (bell, UNITS | {"fwhm": "MHz"}, "not one of electron, Hz, 1"),
        (lambda frequency: 1.0, {}, "must take the frequency"),
        (lambda frequency, *p: 1.0, {}, "must take the frequency"),
        (lambda frequency, a: str(a), {"a": "electron"}, "cannot be compiled"),
        (lambda frequency, a: open(a), {"a": "electron"}, "cannot be compiled"),
    ],
)
def test_functions_that_are_no_models(function, units, message):
    with pytest.raises(ValueError, match=message):
        model_from_function(function, units)


def test_a_center_that_is_said_to_be_a_width_is_found():
    with pytest.raises(ValueError, match="units and positions"):
        model_from_function(bell, UNITS)
