"""Special line shapes: kernels against formulas, derivatives against independent ones, limits, what widths mean."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq

import vbsense as vb
from vbsense.lineshape import MODELS, SPECIAL_MODELS, comb_model, get_model, verify
from vbsense.spin import lines

X = np.linspace(-1, 1, 112)
EXTRA = {
    "mixing": (0.3, 0.0, 1.0),
    "skew": (0.4, -1.1, 0.0),
    "skew_lower": (0.4, 0.0, 1.2),
    "skew_upper": (-0.7, 0.1, 0.0),
}
TAILED = ("emg", "emg1")
COMBS = [name for name, model in SPECIAL_MODELS.items() if model.constants is not None]
ONE = [name for name in SPECIAL_MODELS if name.endswith("1") and name not in TAILED]
A14, A15 = (abs(defect.nuclei[0].A[2][2]) for defect in (vb.VB14N, vb.VB15N))


def points(model):
    """Scaled frequencies and three points of parameter space: usual, large, and at the edge of the extra ones."""
    x = X if model.scale is None else 6 * X
    two = len(model.lines) == 2
    typical = {
        "offset": (1.0, 2e4, 1.0),
        "center": (-0.2, 0.1, 0.4), "center_lower": (-0.4, -0.2, -1.0), "center_upper": (0.3, 0.1, 1.0),
        "fwhm": (0.3, 0.5, 0.05), "fwhm_lower": (0.3, 0.5, 0.05), "fwhm_upper": (0.25, 0.4, 2.0),
        "contrast": (0.05, 0.2, 0.5), "contrast_lower": (0.05, 0.2, 0.5), "contrast_upper": (0.04, 0.1, 0.3),
    } | EXTRA  # fmt: skip
    if model.constants is not None:  # narrow lines of a comb are far deeper than the middle between them
        typical |= dict.fromkeys(("contrast", "contrast_lower", "contrast_upper"), (0.05, 0.04, 0.01))
    stretch = np.where([unit == "Hz" and model.scale is not None for unit in model.units], 4.0 if two else 2.0, 1.0)
    return x, [np.array([typical[name][k] for name in model.parameters]) * stretch for k in range(3)]


def run_kernel(model, x, p, dtype):
    out, jacobian = np.zeros(x.size, dtype), np.full((len(p), x.size), np.nan, dtype)
    behind = [] if model.constants is None else model.constants
    model.compiled(model.scale)(x.astype(dtype), np.concatenate([p, behind]).astype(dtype), out, jacobian)
    return out, jacobian


def in_hertz(model):
    return np.array([model.scale if unit == "Hz" and model.scale else 1.0 for unit in model.units])


@pytest.mark.parametrize("name", SPECIAL_MODELS)
def test_kernel_is_the_formula(name):
    model = get_model(name)
    x, several = points(model)
    for p in several:
        for dtype, tolerance in ((np.float64, 1e-9 if name in TAILED else 1e-13), (np.float32, 2e-6)):
            hertz = x.astype(dtype).astype(float) * (model.scale or 1.0)
            exact = model.evaluate(hertz, p.astype(dtype).astype(float) * in_hertz(model))
            out, _ = run_kernel(model, x, p, dtype)
            assert np.abs(out - exact).max() < tolerance * p[0]


@pytest.mark.parametrize("name", [name for name in SPECIAL_MODELS if name not in TAILED])
def test_jacobian_against_complex_steps(name):
    """df/dp = Im f(p + ih) / h has no cancellation: exact to rounding."""
    model = get_model(name)
    x, several = points(model)
    for p in several:
        for dtype, tolerance in ((np.float64, 2e-12), (np.float32, 5e-6)):
            hertz = x.astype(dtype).astype(float) * (model.scale or 1.0)
            _, jacobian = run_kernel(model, x, p, dtype)
            for i, parameter in enumerate(model.parameters):
                shifted = p.astype(dtype).astype(complex)
                shifted[i] += 1e-30j
                exact = model.function(hertz, *(shifted * in_hertz(model))).imag / 1e-30
                assert np.abs(jacobian[i] - exact).max() <= tolerance * np.abs(exact).max(), parameter


@pytest.mark.parametrize("name", SPECIAL_MODELS)
def test_float32_follows_float64(name):
    """The same numbers in both precisions: values to 2e-6 of the offset, derivatives to 1e-5 of the largest."""
    model = get_model(name)
    x, several = points(model)
    for p in several:
        same, p = x.astype(np.float32), p.astype(np.float32)
        single, double = (run_kernel(model, same, p.astype(float), dtype) for dtype in (np.float32, np.float64))
        constants_round = 4 if model.constants is not None else 1  # places and weights are rounded as well
        assert np.abs(single[0] - double[0]).max() < 2e-6 * p[0]
        for row, exact in zip(single[1], double[1], strict=True):
            assert np.abs(row - exact).max() <= constants_round * 5e-6 * np.abs(exact).max()


@pytest.mark.parametrize("name", SPECIAL_MODELS)
def test_verify_takes_them(name):
    assert verify(get_model(name)) is SPECIAL_MODELS[name]


@pytest.mark.parametrize("kind", ["", "1"])
@pytest.mark.parametrize(("mixing", "limit"), [(0.0, "gaussian"), (1.0, "lorentzian")])
def test_pseudo_voigt_has_its_limits(kind, mixing, limit):
    voigt, pure = get_model(f"pseudo_voigt{kind}"), get_model(limit + kind)
    p = points(pure)[1][0]
    for dtype in (np.float32, np.float64):
        mixed, exact = run_kernel(voigt, X, np.append(p, mixing), dtype), run_kernel(pure, X, p, dtype)
        np.testing.assert_allclose(mixed[0], exact[0], rtol=8 * np.finfo(dtype).eps)
        for row, other in zip(mixed[1], exact[1], strict=False):
            np.testing.assert_allclose(row, other, atol=16 * np.finfo(dtype).eps * np.abs(other).max())


@given(st.sampled_from(["pseudo_voigt1", "skewed1"]), st.floats(0, 1), st.floats(20e6, 300e6), st.floats(0.001, 1))
@settings(max_examples=60, deadline=None)
def test_full_width_at_half_maximum(name, extra, fwhm, contrast):
    """Found by bisection on the formula; `contrast` is the depth in the middle."""
    model, center = get_model(name), 3.4e9

    def over_half(frequency):
        return 1 - model.evaluate([frequency], [1.0, center, fwhm, contrast, extra])[0] - contrast / 2

    assert over_half(center) == pytest.approx(contrast / 2)
    above = brentq(over_half, center, center + 3 * fwhm, xtol=1.0)
    below = brentq(over_half, center - 3 * fwhm, center, xtol=1.0)
    assert above - below == pytest.approx(fwhm, rel=1e-6)
    if name == "skewed1":
        assert np.log((above - center) / (center - below)) == pytest.approx(extra, abs=1e-6)


@pytest.mark.parametrize("name", ["skewed", "emg"])
@pytest.mark.parametrize("skew", [0.0, 1e-12, 1e-7, 1e-5])
def test_without_skew_it_is_a_gaussian(name, skew):
    """To first order in the skew, values and all derivatives but that by the skew."""
    model, pure = get_model(name), get_model("gaussian")
    p = points(pure)[1][0]
    for dtype in (np.float32, np.float64):
        skewed, exact = run_kernel(model, X, np.append(p, [skew, -skew]), dtype), run_kernel(pure, X, p, dtype)
        np.testing.assert_allclose(skewed[0], exact[0], rtol=8 * np.finfo(dtype).eps + 0.1 * skew)
        for row, other in zip(skewed[1], exact[1], strict=False):
            # Third derivatives over first ones: a few tens in these units. The tail is t = (skew / 2)^(1/3) long.
            np.testing.assert_allclose(row, other, atol=(32 * np.finfo(dtype).eps + 5 * skew) * np.abs(other).max())


@pytest.mark.parametrize("name", ["skewed1", "emg1"])
def test_negative_skew_is_a_mirror_image(name):
    model = get_model(name)
    there, _ = run_kernel(model, X, np.array([1.0, 0.0, 0.3, 0.05, 0.6]), np.float64)
    mirrored, _ = run_kernel(model, X, np.array([1.0, 0.0, 0.3, 0.05, -0.6]), np.float64)
    np.testing.assert_allclose(mirrored, there[::-1], rtol=1e-14)


@pytest.mark.parametrize("skew", [1e-12, 1e-8, 1e-5, -1e-3, 0.05, 0.0999, 0.1001, -0.4, 1.5])
def test_skewed_lines_against_multiple_precision(skew):
    """Formula and kernel, with derivatives by differences of 50 digits; no digits are lost where the skew is small."""
    d, p = np.linspace(-2.5, 2.5, 64), np.array([1.0, 0.0, 1.0, 1.0, skew])

    def exact(d, b):
        d, b = mpmath.mpf(d), mpmath.mpf(b)
        y = 2 * mpmath.sinh(b) * d
        return mpmath.exp(-mpmath.log(2) * (mpmath.log1p(y) / b) ** 2) if y > -1 else mpmath.mpf(0)

    with mpmath.workdps(50):
        h = mpmath.mpf(10) ** -15
        value = np.array([float(exact(v, skew)) for v in d])
        by_d = np.array([float((exact(v + h, skew) - exact(v - h, skew)) / (2 * h)) for v in d])
        step = abs(skew) * h
        by_skew = np.array([float((exact(v, skew + step) - exact(v, skew - step)) / (2 * step)) for v in d])
    np.testing.assert_allclose(get_model("skewed1").evaluate(d, p), 1 - value, atol=1e-9 if abs(skew) < 1e-6 else 1e-13)
    for dtype, tolerance in ((np.float64, 1e-13), (np.float32, 2e-6)):
        out, jacobian = run_kernel(get_model("skewed1"), d, p, dtype)
        assert np.abs(1 - out - value).max() < tolerance
        for row, other in ((jacobian[1], by_d), (jacobian[2], d * by_d), (-jacobian[4], by_skew)):
            assert np.abs(row - other).max() < 5 * tolerance * np.abs(other).max()


def test_skewed_vanishes_where_its_logarithm_ends():
    """1 + 2 sinh(b) d = 0: zero beyond, and finite derivatives."""
    for skew in (0.3, 1.5, -1.5):
        for dtype in (np.float32, np.float64):
            out, jacobian = run_kernel(get_model("skewed1"), 300 * X, np.array([1.0, 0.0, 0.3, 0.05, skew]), dtype)
            assert np.isfinite(jacobian).all()
            assert (out[X * skew < -0.01] == 1).all()


def exact_emg(u, skew):
    """Gaussian convolved with an exponential, with mean 0, variance 1 and third moment `skew`, times sqrt(2 pi)."""
    u, skew = mpmath.mpf(u), mpmath.mpf(skew)
    u, skew = (-u, -skew) if skew < 0 else (u, skew)
    tau = mpmath.cbrt(skew / 2)
    sigma = mpmath.sqrt(1 - tau**2)
    rate = 1 / tau  # the usual form: of exponential rate 1 / tau, Gaussian mean -tau
    argument = (-tau + rate * sigma**2 - u) / (mpmath.sqrt(2) * sigma)
    density = rate / 2 * mpmath.exp(rate / 2 * (-2 * tau + rate * sigma**2 - 2 * u)) * mpmath.erfc(argument)
    return mpmath.sqrt(2 * mpmath.pi) * density


@pytest.mark.parametrize("skew", [1e-9, 1e-6, 1.5e-5, 1.7e-5, 1e-3, 0.05, 0.4, -0.4, 1.0, 1.5])
def test_tailed_lines_against_multiple_precision(skew):
    """50 digits in the textbook form; the derivative by the skew by differences at 1e-15 of it."""
    u, p = np.linspace(-8, 8, 64), np.array([1.0, 0.0, np.sqrt(8 * np.log(2)), 1.0, skew])
    with mpmath.workdps(50):
        step = mpmath.mpf(skew) * mpmath.mpf(10) ** -15
        exact = np.array([float(exact_emg(v, skew)) for v in u])
        sides = [[exact_emg(v, mpmath.mpf(skew) + sign * step) for v in u] for sign in (1, -1)]
        by_skew = np.array([float((a - b) / (2 * step)) for a, b in zip(*sides, strict=True)])
        by_u = np.array([float(mpmath.diff(lambda w: exact_emg(w, skew), v)) for v in u])
    for dtype, value, tilt in ((np.float64, 1e-9, 1e-7), (np.float32, 1e-6, 2e-6)):
        out, jacobian = run_kernel(get_model("emg1"), u, p, dtype)
        p32 = p.astype(dtype).astype(float)
        assert np.abs(1 - out - exact).max() < value
        assert np.abs(-jacobian[4] - by_skew).max() < tilt * np.abs(by_skew).max()
        assert np.abs(jacobian[1] * p32[2] / np.sqrt(8 * np.log(2)) - by_u).max() < 5 * value
        assert np.abs(jacobian[2] * p32[2] - u * by_u).max() < 20 * value


@pytest.mark.parametrize("skew", [0.0, 0.1, 0.8, -1.3])
def test_moments_of_tailed_lines(skew):
    """By quadrature: area of a Gaussian, `center` the mean, `fwhm` the width, `skew` the third moment."""
    center, fwhm, emg = 3.4, 0.1, get_model("emg1")
    sigma = fwhm / np.sqrt(8 * np.log(2))

    def moment(power):
        return quad(
            lambda f: (1 - emg.evaluate([f], [1.0, center, fwhm, 0.05, skew])[0]) * ((f - center) / sigma) ** power,
            center - 25 * sigma, center + 25 * sigma, limit=200, points=[center],
        )[0]  # fmt: skip

    area = moment(0)
    assert area == pytest.approx(0.05 * sigma * np.sqrt(2 * np.pi), rel=1e-6)
    np.testing.assert_allclose([moment(k) / area for k in (1, 2, 3)], [0, 1, skew], atol=1e-5)


def test_mills_ratio_is_as_good_as_it_says():
    from vbsense.lineshapes._tailed import mills

    with mpmath.workdps(40):
        for z in np.concatenate([np.linspace(0, 8, 41), np.geomspace(8, 200, 21)]):
            exact = mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(mpmath.mpf(z) ** 2 / 2) * mpmath.erfc(z / mpmath.sqrt(2))
            assert abs(float(mills(z) / exact - 1)) < 1e-15


def test_remainder_of_the_logarithm_is_as_good_as_it_says():
    from numba import njit

    from vbsense.lineshapes._skewed import remainder

    @njit
    def apply(y, out):
        for k in range(y.size):
            out[k] = remainder(y[k])

    places = [np.linspace(-0.9999, 5, 401), np.geomspace(1e-9, 1e4, 101), -np.geomspace(1e-9, 0.9, 101)]
    for dtype, tolerance in ((np.float32, 2e-6), (np.float64, 1e-14)):
        y = np.concatenate(places).astype(dtype)
        out = np.zeros_like(y)
        apply(y, out)
        with mpmath.workdps(50):
            exact = [
                float((mpmath.mpf(float(v)) - mpmath.log(1 + mpmath.mpf(float(v)))) / mpmath.mpf(float(v)) ** 2)
                for v in y
            ]
        np.testing.assert_allclose(out, exact, rtol=tolerance)


def nuclear_lines(*spins_and_spacings):
    """Places and weights of all lines of several nuclei: every combination of their m, counted."""
    places = np.zeros(1)
    for spin, spacing in spins_and_spacings:
        places = np.add.outer(places, spacing * np.arange(-spin, spin + 1)).ravel()
    place, count = np.unique(places.round(3), return_counts=True)
    return place, count


NUCLEI = {
    "hyperfine14_1": [(1, A14)] * 3,
    "hyperfine15_1": [(0.5, A15)] * 3,
    "hyperfine14_14_15": [(1, A14), (1, A14), (0.5, A15)],
    "hyperfine14_15_15": [(1, A14), (0.5, A15), (0.5, A15)],
    "nv14_1": [(1, 2.16e6)],
    "nv15_1": [(0.5, 3.03e6)],
}


@pytest.mark.parametrize("name", COMBS)
def test_a_comb_has_the_lines_of_its_nuclei(name):
    """Narrow Lorentzians at every combination of m, as deep as it is frequent, and nothing else."""
    model = get_model(name)
    one = name if name in NUCLEI else name.removesuffix("_1") if name.removesuffix("_1") in NUCLEI else f"{name}_1"
    places, counts = nuclear_lines(*NUCLEI[one])
    width, center = 1e3, 2.87e9
    p = [1.0, center, width, 1e-4] if len(model.lines) == 1 else [1.0, center, 4e9, width, width, 1e-4, 0.0]
    tops, sides = (1 - model.evaluate(center + places + shift, p) for shift in (0.0, width / 2))
    np.testing.assert_allclose(tops / tops.sum(), counts / counts.sum(), rtol=1e-5)
    np.testing.assert_allclose(sides / tops, 0.5, rtol=1e-2)
    deepest = np.argmax(counts)
    if "nv" in name:
        assert tops[deepest] == pytest.approx(1e-4)
    between = 1 - model.evaluate(center + (places[1:] + places[:-1]) / 2, p)
    assert between.max() < 1e-3 * tops.max()
    away = np.linspace(0, 5 * places.max(), 301)
    np.testing.assert_allclose(model.evaluate(center + away, p), model.evaluate(center - away, p), rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in COMBS if name.endswith("_1")])
def test_a_comb_far_wider_than_its_spacing_is_one_line(name):
    """The second moment of the comb is all that is left: relative differences fall with the square of the width."""
    model, single, center = get_model(name), get_model("lorentzian1"), 3.4e9
    for factor, tolerance in ((100, 2e-3), (1000, 2e-5)):
        width = factor * model.scale
        f = center + np.linspace(-3, 3, 61) * width
        depth, one = (1 - m.evaluate(f, [1.0, center, width, 0.05]) for m in (model, single))
        np.testing.assert_allclose(depth, one, rtol=tolerance)


@pytest.mark.parametrize("name", ["hyperfine14", "hyperfine15"])
def test_single_combs_are_halves_of_the_double_ones(name):
    one, two, f = get_model(f"{name}_1"), get_model(name), np.linspace(3e9, 4e9, 101)
    np.testing.assert_allclose(
        one.evaluate(f, [1e5, 3.4e9, 50e6, 0.06]),
        two.evaluate(f, [1e5, 3.4e9, 3.7e9, 50e6, 50e6, 0.06, 0.0]),
        rtol=1e-14,
    )


def test_the_spread_of_a_mixed_comb_is_that_of_the_exact_lines():
    """Two 14N and one 15N: to first order the second moment is that of the exact lines, within 3 %."""
    from dataclasses import replace

    mixed = replace(vb.VB14N, nuclei=(*vb.VB14N.nuclei[:2], vb.VB15N.nuclei[2]), E=0.0)
    frequency, strength = lines([0, 0, 20e-3], mixed)
    places, counts = nuclear_lines(*NUCLEI["hyperfine14_14_15"])
    spread = np.sqrt((counts * places**2).sum() / counts.sum())
    for low, high in ((2e9, 3.47e9), (3.47e9, 5e9)):
        part = (frequency > low) & (frequency < high)
        f, s = frequency[part], strength[part]
        middle = (f * s).sum() / s.sum()
        assert np.sqrt((s * (f - middle) ** 2).sum() / s.sum()) == pytest.approx(spread, rel=0.03)


def test_a_comb_of_ones_own():
    """Any places and weights; units of weight and scale do not matter."""
    places, weights = [0.0, 7e6, 11e6], [0.5, 2.0, 1.0]
    model = comb_model("mine", places, weights)
    other = comb_model("mine", places, np.multiply(weights, 7), scale=20e6)
    p = [1e4, 3.3e9, 3.5e9, 2e6, 3e6, 0.05, 0.04]
    f = np.linspace(3.25e9, 3.55e9, 501)
    np.testing.assert_allclose(model.evaluate(f, p), other.evaluate(f, p), rtol=1e-12)
    for comb in (model, other):
        scaled = np.array(p) / np.where(np.array(comb.units) == "Hz", comb.scale, 1)
        shift = np.where([name in comb.positions for name in comb.parameters], 3.4e9 / comb.scale, 0)
        out, _ = run_kernel(comb, (f - 3.4e9) / comb.scale, scaled - shift, np.float64)
        np.testing.assert_allclose(out, model.evaluate(f, p), rtol=1e-9)
        assert verify(comb) is comb


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0, 1e6], [1.0]), "as many weights as places"),
        (([-1e6], [1.0]), "not negative"),
        (([1e6], [0.0]), "positive"),
        (([np.nan], [1.0]), "finite"),
        (([0.0], [1.0]), "single line"),
        (([], []), "as many weights as places"),
    ],
)
def test_impossible_combs_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        comb_model("c", *arguments)
    with pytest.raises(ValueError, match="1 comb or 2"):
        comb_model("c", [0.0, 1e6], [1.0, 1.0], lines=3)
    for scale in (-1.0, 0.0, np.nan):
        with pytest.raises(ValueError, match="positive frequency"):
            comb_model("c", [0.0, 1e6], [1.0, 1.0], scale=scale)
    with pytest.raises(ValueError, match="contrast_at is inf"):
        comb_model("c", [0.0, 1e6], [1.0, 1.0], contrast_at=np.inf)


@pytest.mark.parametrize(("wrong", "right"), [("pseudovoigt", "pseudo_voigt"), ("skew", "skewed"), ("nv_14", "nv14")])
def test_unknown_names_show_the_nearest(wrong, right):
    with pytest.raises(ValueError, match=f"did you mean '{right}'"):
        get_model(wrong)


def test_no_name_is_used_twice():
    assert not set(MODELS) & set(SPECIAL_MODELS)
    assert all(name == model.name for name, model in (MODELS | SPECIAL_MODELS).items())
