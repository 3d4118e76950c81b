"""Sensitivities, bounds and designs against worked cases, independent sums and fits of noisy data."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vbsense as vb
from vbsense.bounds import (
    SLOPE_FACTOR,
    Noise,
    best_frequencies,
    conductor_bound,
    doublet,
    field_bound,
    field_jacobian,
    four_points,
    lattice_amplification,
    line_position_error,
    model_jacobian,
    nearest_parameters,
    nuisances,
    optimal_design,
    patch_amplification,
    slope_sensitivity,
    spectrum_bound,
    time_for,
    undetermined,
    unmixing_covariance,
    unmixing_precision,
)
from vbsense.bounds.conductor import conductor_jacobian
from vbsense.lineshape import MODELS, SPECIAL_MODELS, Model, get_model, verify
from vbsense.optics import spot_images


def line(f, fwhm, shape):
    return 1 / (1 + (2 * f / fwhm) ** 2) if shape == "lorentzian" else np.exp(-4 * np.log(2) * (f / fwhm) ** 2)


@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
def test_slope_factor_is_the_width_over_the_steepest_slope(shape):
    f = np.linspace(-2, 2, 400001)
    steepest = np.abs(np.gradient(line(f, 1.0, shape), f)).max()
    assert SLOPE_FACTOR[shape] == pytest.approx(1 / steepest, rel=1e-6)


@pytest.mark.parametrize(
    ("fwhm", "contrast", "rate", "shape", "expected_uT"),
    [
        (20e6, 0.30, 170e3, "lorentzian", 4.45),  # Gao et al., Nature 2025, quoted there as typically 5
        (150e6, 0.05, 1.04e6, "gaussian", 73.6),  # what the preset's light is made for
        (150e6, 0.01, 26e6, "gaussian", 73.6),
        (150e6, 0.10, 0.26e6, "gaussian", 73.6),
        (64e6 * np.sqrt(8 * np.log(2)), 0.05, 1e6, "gaussian", 75.4),
    ],
)
def test_worked_cases(fwhm, contrast, rate, shape, expected_uT):
    assert slope_sensitivity(fwhm, contrast, rate, shape) * 1e6 == pytest.approx(expected_uT, rel=2e-3)


def test_sensitivity_scales_as_light_and_g():
    one = slope_sensitivity(1e8, 0.05, 1e6)
    assert slope_sensitivity(1e8, 0.05, np.array([1e6, 4e6])) == pytest.approx([one, one / 2])
    assert slope_sensitivity(1e8, 0.05, 1e6, defect=vb.VB14N.at(g=2.1)) == pytest.approx(one * 2.0 / 2.1)


@pytest.mark.parametrize("shape", ["lorentzian", "gaussian"])
@pytest.mark.parametrize(("fwhm", "step", "phase"), [(150e6, 10e6, 0.0), (150e6, 10e6, 3.3e6), (60e6, 12e6, 0.0)])
def test_position_error_is_the_inverse_fisher_information(shape, fwhm, step, phase):
    contrast, electrons = 0.01, 3e5
    f = np.arange(-4000, 4001) * step + phase
    expected = electrons * (1 - contrast * line(f, fwhm, shape))
    h = fwhm * 1e-4
    slope = -electrons * contrast * (line(f + h, fwhm, shape) - line(f - h, fwhm, shape)) / (2 * h)
    fisher = np.sum(slope**2 / expected)  # Poisson
    got = line_position_error(fwhm, contrast, electrons, step, shape)
    assert got == pytest.approx(1 / np.sqrt(fisher), rel=contrast)


def test_other_parameters_do_not_cost_the_centre_anything():
    # The centre is odd, all else is even in f: the full bound is that of the centre alone.
    f = np.arange(-200, 201) * 10e6
    shape = line(f, 150e6, "gaussian")
    h = 1e4
    columns = np.array(
        [
            shape * 8 * np.log(2) * f / 150e6**2,
            shape,
            np.ones_like(f),
            (line(f, 150e6 + h, "gaussian") - line(f, 150e6 - h, "gaussian")) / (2 * h) * 1e8,
        ]
    )
    columns[0] *= 0.01
    information = 1e6 * columns @ columns.T
    d = np.sqrt(np.diag(information))
    bound = np.sqrt(np.linalg.inv(information / np.outer(d, d))[0, 0]) / d[0]
    assert line_position_error(150e6, 0.01, 1e6, 10e6) == pytest.approx(bound, rel=5e-3)


@pytest.mark.parametrize("function", [slope_sensitivity, line_position_error])
def test_unknown_shape_lists_the_known_ones(function):
    with pytest.raises(ValueError, match="gaussian, lorentzian"):
        function(1e8, 0.05, 1e6, *([1e7] if function is line_position_error else []), shape="voigt")


# --- the bound on the field -------------------------------------------------------------------------------------------

SWEEP = np.linspace(2.97e9, 3.97e9, 101)


def _comb47(detuning, fwhm):
    heights, places = (1, 3, 6, 7, 6, 3, 1), 47e6 * np.arange(-3, 4)
    total = sum(h * line(detuning - q, fwhm, "lorentzian") for h, q in zip(heights, places, strict=True))
    return total / sum(h * line(q, fwhm, "lorentzian") for h, q in zip(heights, places, strict=True))


def _two_combs(f, offset, lower, upper, fwhm_lower, fwhm_upper, contrast_lower, contrast_upper):
    dips = contrast_lower * _comb47(f - lower, fwhm_lower) + contrast_upper * _comb47(f - upper, fwhm_upper)
    return offset * (1 - dips)


# As "hyperfine14", whose lines are 45.5 MHz apart, but at 47 MHz: the kernel counts frequencies in spacings.
COMB47 = verify(replace(get_model("hyperfine14"), name="comb47", function=_two_combs, scale=47e6))


@pytest.mark.parametrize(
    ("model", "fwhm", "electrons", "field_mT", "expected_uT"),
    [
        ("lorentzian", 150e6, 1e6, 2, (54.1, 21.4, 10.5)),
        ("lorentzian", 150e6, 1e6, 5, (42.0, 16.6, 8.2)),
        ("lorentzian", 150e6, 1e6, 10, (39.5, 15.7, 7.7)),
        ("gaussian", 150e6, 1e5, 2, (142, 56.2, 27.7)),
        ("gaussian", 150e6, 1e5, 5, (114, 45.3, 22.3)),
        ("gaussian", 150e6, 1e5, 10, (109, 43.2, 21.3)),
        ("gaussian", 150e6, 1e6, 2, (44.9, 17.8, 8.7)),
        ("gaussian", 150e6, 1e6, 5, (36.1, 14.3, 7.1)),
        ("gaussian", 150e6, 1e6, 10, (34.4, 13.7, 6.7)),
        (COMB47, 45e6, 1e6, 2, (36.1, 14.2, 6.9)),
        (COMB47, 45e6, 1e6, 5, (27.7, 10.9, 5.4)),
        (COMB47, 45e6, 1e6, 10, (26.6, 10.5, 5.2)),
    ],
    ids=lambda v: v.name if isinstance(v, Model) else None,
)
def test_table_of_bounds(model, fwhm, electrons, field_mT, expected_uT):
    lines = doublet(field_mT * 1e-3, fwhm=fwhm, contrast=[0.02, 0.05, 0.1], electrons=electrons, model=model)
    assert field_bound(SWEEP, lines, model=model) * 1e6 == pytest.approx(expected_uT, rel=0.01)


@pytest.mark.parametrize(("field_mT", "expected_uT"), [(0.2, 152), (10, 13.7)])
def test_low_bias_is_dear(field_mT, expected_uT):
    lines = doublet(field_mT * 1e-3, fwhm=150e6, contrast=0.05, electrons=1e6)
    assert field_bound(SWEEP, lines) * 1e6 == pytest.approx(expected_uT, rel=0.01)


def test_towards_zero_field_the_bound_grows_as_one_over_it():
    lines = doublet(np.array([1e-6, 1e-5, 0.0]), fwhm=150e6, contrast=0.05, electrons=1e6)
    tiny, small, none = field_bound(SWEEP, lines)
    assert tiny == pytest.approx(10 * small, rel=1e-3)
    assert none == np.inf


def test_the_reference_of_slope_and_whole_sweep():
    """1 Mcps for 1 s, 5 %, rms 64 MHz, 81 points over 810 MHz, lines at +-120 MHz, E = 0: 75.4 and 118 uT/sqrt(Hz)."""
    fwhm, defect = 64e6 * np.sqrt(8 * np.log(2)), vb.VB14N.at(E=0)
    lines = doublet(120e6 / defect.gamma, fwhm=fwhm, contrast=0.05, electrons=1e6 / 81, defect=defect)
    sweep = defect.D + np.linspace(-405e6, 405e6, 81)
    assert slope_sensitivity(fwhm, 0.05, 1e6) * 1e6 == pytest.approx(75.4, rel=0.01)
    assert float(field_bound(sweep, lines, defect=defect)) * 1e6 == pytest.approx(118, rel=0.01)


@settings(max_examples=25, deadline=None)
@given(
    field=st.floats(1e-3, 12e-3), fwhm=st.floats(6e7, 2e8), contrast=st.floats(0.005, 0.3),
    electrons=st.floats(1e3, 1e7), read=st.floats(0, 30), frames=st.integers(1, 50),
)  # fmt: skip
def test_bound_against_an_information_matrix_of_differences(field, fwhm, contrast, electrons, read, frames):
    """Written out anew: the spectrum as a function of the field itself, differentiated numerically."""
    D, E, gamma = vb.VB14N.D, vb.VB14N.E, vb.VB14N.gamma

    def spectrum(p):
        split = np.hypot(E, gamma * p[0])
        lower = p[5] * line(SWEEP - p[1] + split, p[3], "gaussian")
        return p[2] * (1 - lower - p[6] * line(SWEEP - p[1] - split, p[4], "gaussian"))

    p = np.array([field, D, electrons, fwhm, fwhm, contrast, contrast])
    steps = np.array([1e-6, 1e4, electrons * 1e-4, fwhm * 1e-4, fwhm * 1e-4, 1e-5, 1e-5])
    J = np.array([(spectrum(p + e) - spectrum(p - e)) / 2 for e in np.diag(steps)])  # per step
    variance = (spectrum(p) + read**2) / frames
    expected = np.sqrt(np.linalg.inv((J / variance) @ J.T)[0, 0]) * steps[0]
    lines = doublet(field, fwhm=fwhm, contrast=contrast, electrons=electrons)
    noise = Noise(frames=frames, read_noise=read)
    assert float(field_bound(SWEEP, lines, noise=noise)) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.sets(st.sampled_from(nuisances("gaussian"))), st.sampled_from(nuisances("gaussian")), st.floats(5e-4, 12e-3))
def test_who_knows_more_errs_less(free, more, field):
    lines = doublet(field, fwhm=150e6, contrast=0.05, electrons=1e6)
    less = field_bound(SWEEP, lines, free=sorted(free))
    assert less <= field_bound(SWEEP, lines, free=sorted(free | {more})) * (1 + 1e-9)


def test_noise_adds_where_it_should():
    lines = doublet(10e-3, fwhm=150e6, contrast=0.05, electrons=1e4)
    plain = field_bound(SWEEP, lines)
    assert field_bound(SWEEP, lines, noise=Noise(excess=2.0)) == pytest.approx(np.sqrt(2) * plain)
    assert field_bound(SWEEP, lines, noise=Noise(frames=9)) == pytest.approx(plain / 3)
    as_much = Noise(background=1e4 * 0.97)  # about the mean light: twice the variance
    assert field_bound(SWEEP, lines, noise=as_much) == pytest.approx(np.sqrt(2) * plain, rel=0.01)
    assert field_bound(SWEEP, lines, noise=Noise(read_noise=100)) == pytest.approx(np.sqrt(2) * plain, rel=0.02)


@pytest.mark.parametrize("name", ["gaussian+baseline", "gaussian+shared_fwhm", *(MODELS | SPECIAL_MODELS)])
def test_jacobians_are_the_derivatives_of_every_line_shape(name):
    model, typical = get_model(name), {"electron": 1e5, "Hz": 1e8, "1": 0.1, "1/Hz": 1e-11, "T": 9e-3}
    p = np.array([typical[unit] for unit in model.units])
    p[[model.index(n) for n in model.positions]] += 3.1e9 + 5e8 * np.arange(len(model.positions))
    values, jacobian = model_jacobian(model, SWEEP, p)
    assert values == pytest.approx(model.evaluate(SWEEP, p), rel=1e-9)
    for k, unit in enumerate(model.units):
        step = np.eye(p.size)[k] * typical[unit] * 1e-4
        difference = (model.evaluate(SWEEP, p + step) - model.evaluate(SWEEP, p - step)) / (2 * step[k])
        assert jacobian[k] == pytest.approx(difference, abs=1e-4 * np.abs(difference).max()), model.parameters[k]


@pytest.mark.parametrize("field_mT", [2, 5, 10])
def test_exact_spectrum_without_nuclei_and_strain_is_two_lorentzians(field_mT):
    bare = vb.VB14N.at(nuclei=(), E=0.0)
    lines = doublet(field_mT * 1e-3, fwhm=150e6, contrast=0.05, electrons=1e6, defect=bare, model="lorentzian")
    rigid = float(field_bound(SWEEP, lines, model="lorentzian", defect=bare))
    exact = spectrum_bound(
        SWEEP, [0, 0, field_mT * 1e-3], linewidth=150e6, contrast=0.05, electrons=1e6, defect=bare
    )  # fmt: skip
    # Equal lines: one width and one contrast, or one each, are the same to an even function of the detuning.
    assert exact == pytest.approx(rigid, rel=1e-4)


def test_exact_spectrum_with_nuclei_by_differences_of_the_public_spectrum():
    at = {"linewidth": 60e6, "contrast": 0.2, "electrons": 1e5}

    def light(Bz, offset, contrast, width):
        return offset * (1 - contrast * vb.spectrum(SWEEP, [0, 0, Bz], linewidth=width, method="exact"))

    p, steps = np.array([4e-3, 1e5, 0.2, 60e6]), np.array([2e-5, 1e2, 1e-3, 1e6])
    J = np.array([(light(*(p + e)) - light(*(p - e))) / 2 for e in np.diag(steps)])
    expected = np.sqrt(np.linalg.inv((J / light(*p)) @ J.T)[0, 0]) * steps[0]
    got = spectrum_bound(SWEEP, [0, 0, 4e-3], free=("offset", "contrast", "linewidth"), **at)
    assert got == pytest.approx(expected, rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(
    model=st.sampled_from(["gaussian", "lorentzian", "hyperfine14"]), field=st.floats(6e-3, 11e-3),
    fwhm=st.floats(0.8, 1.3), contrast=st.floats(0.01, 0.2),
)  # fmt: skip
def test_nearest_parameters_of_a_line_shape_are_its_own(model, field, fwhm, contrast):
    width = fwhm * (45e6 if model == "hyperfine14" else 130e6)
    lines = doublet(field, fwhm=width, contrast=contrast, electrons=1e6, model=model)
    found = nearest_parameters(SWEEP, get_model(model).evaluate(SWEEP, lines)[None], model=model)[0]
    assert found == pytest.approx(lines, rel=1e-4)


@pytest.mark.parametrize("beside", [0.0, 500e6])
def test_spectra_without_two_dips_have_no_parameters(beside):
    """Flat, or with one of the lines beyond the end of the sweep."""
    lines = doublet(9e-3, fwhm=150e6, contrast=0.05, electrons=1e5)
    light = get_model("gaussian").evaluate(SWEEP + beside, lines) if beside else np.full(SWEEP.size, 1e5)
    found = nearest_parameters(SWEEP, light[None])[0]
    assert np.isnan(found).all() or field_bound(SWEEP, found) > 20 * field_bound(SWEEP, lines)


# --- designs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "fwhm", "gain"),
    [
        ("gaussian", 150e6, 3.2),
        (COMB47, 45e6, 6.3),  # resolved: the lines are as wide as they are apart
    ],
    ids=["gaussian", "comb"],
)
def test_gain_of_the_optimum(model, fwhm, gain):
    """Least variance of Bz over that of 101 even points, D +- 500 MHz, 5 mT, 5 %; all seven parameters free in both."""
    lines = doublet(5e-3, fwhm=fwhm, contrast=0.05, electrons=1e6, model=model)
    candidates = np.linspace(2.97e9, 3.97e9, 1001)
    design = best_frequencies(candidates, lines, model=model)
    # 6.35 and 3.20 on 1001 candidates as the even sweep: the ends of 101 points weigh 1 % more.
    assert design.gain == pytest.approx(gain, rel=0.01)
    assert design.frequency.size <= 7
    assert design.weight.sum() == pytest.approx(1)
    variance = _variance(design.frequency, design.weight, lines, model)
    even = _variance(candidates, np.full(1001, 1 / 1001), lines, model)
    assert even / variance == pytest.approx(design.gain, rel=1e-4)


def _variance(frequency, weight, lines, model):
    """Of the field, by a pseudo-inverse: a design may leave other parameters open."""
    values, J = field_jacobian(frequency, lines, model)
    scaled = J / np.abs(J).max(1, keepdims=True)
    F = (scaled * weight / values) @ scaled.T
    return np.linalg.pinv(F, rcond=1e-12)[0, 0] / np.abs(J[0]).max() ** 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_no_design_beats_the_optimum(seed, p):
    rng = np.random.default_rng(seed)
    a, g = rng.normal(size=(p, 30)), rng.normal(size=p)
    weight, variance = optimal_design(a, g)
    assert np.count_nonzero(weight > 1e-9) <= p
    assert g @ np.linalg.pinv((a * weight) @ a.T, rcond=1e-11) @ g == pytest.approx(variance, rel=1e-5)
    for w in rng.dirichlet(np.full(30, 0.2), size=50):
        assert g @ np.linalg.solve((a * (w + 1e-9)) @ a.T, g) >= variance * (1 - 1e-6)
    # The multiplicative algorithm, which knows nothing of linear programmes, comes down to the same.
    w = np.full(30, 1 / 30)
    for _ in range(3000):
        step = np.abs(g @ np.linalg.solve((a * w) @ a.T + 1e-12 * np.eye(p), a))
        w = w * step / (w @ step)
    assert g @ np.linalg.solve((a * w) @ a.T + 1e-12 * np.eye(p), g) == pytest.approx(variance, rel=0.02)


LINES = doublet(5e-3, fwhm=150e6, contrast=0.05, electrons=1e6)
POINTS = four_points(LINES, detuning=64e6)


def read_four(field, *, D=vb.VB14N.D, contrast=0.05, electrons=4e5):
    defect = vb.VB14N.at(D=D)
    lines = doublet(field, fwhm=150e6, contrast=contrast, electrons=electrons, defect=defect)
    return POINTS.read(get_model("gaussian").evaluate(POINTS.frequency, lines))


def test_gain_of_four_points():
    assert POINTS.gain == pytest.approx(3.2, rel=0.015)  # 3.23 against 101 even points
    assert POINTS.set_point == pytest.approx(5e-3, rel=1e-9)
    assert four_points(LINES).gain >= POINTS.gain  # the best detuning is no worse
    assert four_points(LINES).frequency == pytest.approx(POINTS.frequency, abs=2e6)


@pytest.mark.parametrize(
    ("excursion_uT", "error_uT"), [(-200, 1.0), (-100, 0.2), (0, 0.0), (100, 0.1), (200, 0.1)]
)  # fmt: skip
def test_four_points_misread_an_excursion(excursion_uT, error_uT):
    field = 5e-3 + excursion_uT * 1e-6
    assert (read_four(field) - field) * 1e6 == pytest.approx(error_uT, abs=0.05)


@pytest.mark.parametrize(("excursion_uT", "cost_uT"), [(0, 0.01), (200, 0.2)])
@pytest.mark.parametrize("drift", [2e6, -2e6])
def test_four_points_hardly_see_a_drift_of_D(excursion_uT, cost_uT, drift):
    field = 5e-3 + excursion_uT * 1e-6
    moved = read_four(field, D=vb.VB14N.D + drift) - read_four(field)
    assert abs(moved) * 1e6 == pytest.approx(cost_uT, rel=0.15)


@pytest.mark.parametrize("excursion_uT", [-200, -50, 50, 200])
def test_contrast_is_the_scale_of_four_points_and_brightness_is_not(excursion_uT):
    field = 5e-3 + excursion_uT * 1e-6
    deeper = read_four(field, contrast=0.0525) - 5e-3
    assert deeper == pytest.approx(1.05 * (read_four(field) - 5e-3), rel=0.005)
    assert read_four(field, electrons=1.0) == pytest.approx(read_four(field), rel=1e-12)


# --- unmixing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratio", "expected"), [(1, 1.15), (0.75, 1.92), (0.6, 5.3), (0.5, 25)])
def test_amplification_of_an_endless_lattice(ratio, expected):
    assert lattice_amplification(ratio * 400e-9, 400e-9) == pytest.approx(expected, rel=0.03)


def test_amplification_of_a_patch():
    """The middle of 7 x 7 spots at half a width: 17."""
    array = vb.SensorArray(pitch=200e-9, shape=(7, 7), center=(1.5e-6, 1.5e-6), spot_size=1e-9)
    images = spot_images(array, shape=(150, 150), pixel_size=20e-9, psf_fwhm=400e-9)
    middle = patch_amplification(images).reshape(7, 7)[3, 3]
    assert middle == pytest.approx(17, rel=0.03)
    assert patch_amplification(images, background=False).reshape(7, 7)[3, 3] == pytest.approx(middle, rel=0.01)


def test_a_large_patch_is_an_endless_lattice_and_pixels_cost_what_their_width_adds():
    array = vb.SensorArray(pitch=300e-9, shape=(11, 11), center=(3e-6, 3e-6), spot_size=1e-9)
    fine = spot_images(array, shape=(300, 300), pixel_size=20e-9, psf_fwhm=400e-9)
    assert patch_amplification(fine).reshape(11, 11)[5, 5] == pytest.approx(lattice_amplification(0.75, 1.0), rel=0.01)
    coarse = spot_images(array, shape=(60, 60), pixel_size=100e-9, psf_fwhm=400e-9)
    sigma = np.hypot(400e-9 / np.sqrt(8 * np.log(2)), 100e-9 / np.sqrt(12))
    wider = lattice_amplification(300e-9, sigma * np.sqrt(8 * np.log(2)))
    assert patch_amplification(coarse).reshape(11, 11)[5, 5] == pytest.approx(wider, rel=0.02)


def test_optics_with_a_cut_off_pass_nothing_of_too_fine_a_lattice():
    """An Airy pattern ends at 2 NA / wavelength: at a pitch below sqrt(2) wavelength / (4 NA) neighbours are lost."""
    from scipy.special import j1

    def airy(x, y):
        r = np.maximum(np.hypot(x, y), 1e-6) * 2 * np.pi  # lengths in units of wavelength / NA
        return (2 * j1(r) / r) ** 2

    above, below = 0.40, 0.30  # the limit is 0.354
    assert lattice_amplification(above, airy, radius=8) == pytest.approx(
        lattice_amplification(above, airy, radius=16), rel=1e-2
    )
    # Below, the longer tail only shows how much of the small number was the cut.
    assert lattice_amplification(below, airy, radius=16) > 2 * lattice_amplification(below, airy, radius=8)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.5, 2.0), st.floats(1.02, 1.5))
def test_a_wider_pitch_never_costs_more(ratio, factor):
    assert 1 <= lattice_amplification(ratio * factor, 1.0) <= lattice_amplification(ratio, 1.0) * (1 + 1e-9)


def test_unmixed_covariance_is_that_of_many_noisy_fits():
    array = vb.SensorArray(pitch=300e-9, shape=(2, 2), center=(1e-6, 1e-6))
    images = spot_images(array, shape=(21, 21), pixel_size=100e-9, psf_fwhm=400e-9)
    truth, level = np.array([4e3, 5e3, 6e3, 5e3]), 50.0
    mean = images @ truth + level
    rng = np.random.default_rng(3)
    design = np.column_stack([images.toarray(), np.ones(mean.size)]) / np.sqrt(mean)[:, None]
    noisy = (mean[:, None] + rng.normal(size=(mean.size, 4000)) * np.sqrt(mean)[:, None]) / np.sqrt(mean)[:, None]
    fitted = np.linalg.lstsq(design, noisy, rcond=None)[0][:4]
    expected = unmixing_covariance(images, mean)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.cov(fitted) / scale == pytest.approx(expected / scale, abs=0.08)


@pytest.mark.parametrize("background", [True, False])
def test_precision_is_the_inverse_of_the_covariance(background):
    array = vb.SensorArray(pitch=300e-9, shape=(4, 5), center=(1.5e-6, 1.5e-6))
    images = spot_images(array, shape=(31, 31), pixel_size=100e-9, psf_fwhm=400e-9)
    variance = 10 + images @ np.full(20, 1e3)
    covariance = unmixing_covariance(images, variance, background=background)
    assert unmixing_precision(images, variance, background=background)(covariance) == pytest.approx(
        np.eye(20), abs=1e-8
    )
    points = np.column_stack([array.x - 1.5e-6, array.y, np.full(20, 100e-9)])
    free = ("current", "standoff", "offset")
    dense = conductor_bound(RIBBON, points, error=covariance * 1e-12, free=free)
    scaled = unmixing_precision(images, variance, background=background)
    sparse = conductor_bound(RIBBON, points, error=lambda rows: scaled(rows) * 1e12, free=free)
    assert sparse.errors == pytest.approx(dense.errors)
    assert sparse.covariance == pytest.approx(dense.covariance)


# --- conductors -------------------------------------------------------------------------------------------------------

RIBBON = vb.Ribbon((0, -1, 0), (0, 1, 0), width=1e-6, current=1e-3)


def row(phase, half=5e-6):
    """Sensors 200 nm apart within +-5 um, 100 nm above the ribbon, one of them `phase` from its middle."""
    x = np.arange(-60, 61) * 200e-9 + phase
    x = x[np.abs(x) <= half * (1 + 1e-9)]
    return np.column_stack([x, 0 * x, np.full(x.size, 100e-9)])


def in_nm_and_percent(bound):
    factor = {"position": 1e9, "width": 1e9, "standoff": 1e9, "current": 1e5}
    return {name: bound.errors[name] * factor[name] for name in factor}


@pytest.mark.parametrize(
    ("phase_nm", "expected"),
    [
        (32, {"position": 4.0, "width": 9.9, "standoff": 8.2, "current": 1.4}),  # nm, and % of 1 mA
        (0, {"position": 3.8, "standoff": 9.1, "current": 1.5, "width": 9.6}),
        (100, {"position": 4.6, "standoff": 5.7, "current": 1.3, "width": 13}),
    ],
)
def test_wire_parameters(phase_nm, expected):
    """10 uT per sensor, five parameters free; the numbers are given to two digits."""
    got = in_nm_and_percent(conductor_bound(RIBBON, row(phase_nm * 1e-9), error=10e-6))
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=0.01, abs=0.05), name


def test_the_phase_of_the_lattice_matters_within_these_ranges():
    all_ = [in_nm_and_percent(conductor_bound(RIBBON, row(p), error=10e-6)) for p in np.linspace(0, 200e-9, 21)]
    ranges = {"position": (3.8, 4.6), "width": (9.6, 13), "standoff": (5.7, 9.1), "current": (1.3, 1.5)}
    for name, (low, high) in ranges.items():
        values = [one[name] for one in all_]
        assert (min(values), max(values)) == pytest.approx((low, high), rel=0.02), name


def test_the_full_covariance_of_crowded_spots_is_worth_a_factor_of_five():
    """Pitch 200, width 400 nm: stand-off to 7.7 nm with the covariance of unmixing, 41 nm with its diagonal."""
    points = row(32e-9)
    array = vb.SensorArray(pitch=200e-9, shape=(1, len(points)), center=(7e-6, 2e-6), spot_size=1e-9)
    images = spot_images(array, shape=(80, 280), pixel_size=50e-9, psf_fwhm=400e-9)
    variance = np.ones(images.shape[0])
    unmixed = unmixing_covariance(images, variance)
    spot_alone = np.sqrt(np.asarray(images.multiply(images).sum(axis=0)).ravel())
    covariance = 10e-6**2 * unmixed * np.outer(spot_alone, spot_alone)
    full = conductor_bound(RIBBON, points, error=covariance).errors["standoff"]
    diagonal = conductor_bound(RIBBON, points, error=np.sqrt(np.diag(covariance))).errors["standoff"]
    assert (full * 1e9, diagonal * 1e9) == pytest.approx((7.7, 41), rel=0.02)


def test_wire_bound_is_reached_by_least_squares():
    """300 noisy rows, fitted with a model that is written anew (an infinite ribbon)."""
    from scipy.constants import mu_0
    from scipy.optimize import least_squares

    x, d = row(32e-9)[:, 0], 100e-9

    def model(p):
        X, w, z, current, offset = x - p[0] * 1e-9, p[1] * 1e-9, p[2] * 1e-9, p[3] * 1e-3, p[4] * 1e-6
        edges = ((X + w / 2) ** 2 + z**2) / ((X - w / 2) ** 2 + z**2)
        return (-mu_0 * current / (4 * np.pi * w) * np.log(edges) + offset) / 10e-6

    truth = np.array([0, 1000, d * 1e9, 1, 0])
    assert model(truth) * 10e-6 == pytest.approx(RIBBON.field(row(32e-9))[:, 2], abs=1e-9)
    rng = np.random.default_rng(5)
    noisy = model(truth) + rng.normal(size=(300, x.size))
    fits = [least_squares(lambda p, one: model(p) - one, truth, args=(one,)).x for one in noisy]
    scatter = np.std(fits, axis=0)
    got = in_nm_and_percent(conductor_bound(RIBBON, row(32e-9), error=10e-6))
    expected = [got["position"], got["width"], got["standoff"], got["current"] / 100]
    assert scatter[:4] == pytest.approx(expected, rel=0.13)  # 300 give 4 %


def test_any_conductor_with_a_field():
    """On the axis of a loop the derivatives are known: Bz = mu0 I R^2 / (2 (R^2 + z^2)^(3/2))."""
    from scipy.constants import mu_0

    @dataclass(frozen=True)
    class OnAxis:
        radius: float = 1e-6
        current: float = 2e-3

        def field(self, points):
            z = np.asarray(points)[..., 2]
            B = mu_0 * self.current * self.radius**2 / 2 / (self.radius**2 + z**2) ** 1.5
            return np.stack([0 * B, 0 * B, B], axis=-1)

    z = np.array([0.3e-6, 1e-6, 3e-6])
    points = np.column_stack([0 * z, 0 * z, z])
    R, I = 1e-6, 2e-3
    by = {
        "current": mu_0 * R**2 / 2 / (R**2 + z**2) ** 1.5,
        "standoff": -1.5 * mu_0 * I * R**2 * z / (R**2 + z**2) ** 2.5,
        "radius": mu_0 * I * R * (2 * z**2 - R**2) / 2 / (R**2 + z**2) ** 2.5,
        "offset": np.ones(3),
    }
    got = conductor_jacobian(OnAxis(), points, tuple(by), length=0.3e-6)
    for k, (name, expected) in enumerate(by.items()):
        assert got[k] == pytest.approx(expected, rel=1e-6), name


# --- time, and refusals -----------------------------------------------------------------------------------------------


@given(st.floats(1e-9, 1e-3), st.floats(1e-9, 1e-3), st.floats(1e-3, 1e6))
def test_after_that_time_the_error_is_the_wanted_one(wanted, error, seconds):
    needed = time_for(wanted, error, seconds)
    assert error * np.sqrt(seconds / needed) == pytest.approx(wanted)


def test_a_sweep_beside_the_lines_tells_nothing():
    beside = np.linspace(1e9, 1.2e9, 50)
    assert field_bound(beside, LINES) == np.inf
    one_line = np.linspace(3.6e9, 3.9e9, 50)
    assert field_bound(one_line, LINES) > 1e3 * field_bound(SWEEP, LINES)  # D and the field cannot be told apart
    assert np.isfinite(
        field_bound(one_line, LINES, free=("offset", "contrast_upper", "fwhm_upper"))
    )  # D known: they can
    assert undetermined(np.diag([1.0, 0.0, 2.0]), ("a", "b", "c")) == ["b"]


BAR = vb.Bar((0, -1, 0), (0, 1, 0), width=1e-6, thickness=1e-7, current=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: field_bound(SWEEP[:5], LINES), "5 frequencies for 7 unknowns"),
        (lambda: field_bound(SWEEP, LINES, model="gausian"), "did you mean 'gaussian'"),
        (lambda: field_bound(SWEEP, LINES, model="gaussian1"), "needs two lines"),
        (lambda: field_bound(SWEEP, LINES[:4]), "7 parameters"),
        (lambda: field_bound(SWEEP, LINES, free=("fwhm_lowr",)), "did you mean 'fwhm_lower'"),
        (lambda: field_bound([np.nan, 3e9], LINES, free=()), "positive finite"),
        (lambda: field_bound(SWEEP, LINES * np.nan), "finite"),
        (lambda: doublet(5e-3, fwhm=150e6, contrast=-0.05, electrons=1e6), "contrast is -0.05"),
        (lambda: doublet(5e-3, fwhm=150e6, contrast=[0.05, 1.5], electrons=1e6), "contrast is 1.5"),
        (lambda: doublet(10.0, fwhm=150e6, contrast=0.05, electrons=1e6), "10 mT is 10e-3"),
        (lambda: doublet(np.inf, fwhm=150e6, contrast=0.05, electrons=1e6), "Bz in T"),
        (lambda: doublet(5e-3, fwhm=0.0, contrast=0.05, electrons=1e6), "fwhm is 0"),
        (lambda: doublet(5e-3, fwhm=1e8, contrast=0.05, electrons=1e6, others={"mixing": 0.3}), "besides: nothing"),
        (lambda: Noise(frames=0), "frames is 0"),
        (lambda: Noise(read_noise=-1), "read_noise is -1"),
        (lambda: Noise(excess=0.5), "quieter than Poisson"),
        (lambda: spectrum_bound(SWEEP, 5e-3, linewidth=6e7, contrast=0.1, electrons=1e6), "three finite components"),
        (lambda: spectrum_bound(SWEEP, [0, 0, 5e-3], linewidth=6e7, contrast=-0.1, electrons=1e6), "contrast is -0.1"),
        (lambda: spectrum_bound(SWEEP, [0, 0, 5e-3], linewidth=6e7, contrast=0.1, electrons=1e6, free=["linwidth"]),
         "did you mean 'linewidth'"),
        (lambda: best_frequencies(np.linspace(1e9, 1.1e9, 50), LINES), "cannot be told"),
        (lambda: optimal_design([[1.0, 2.0], [1.0, 2.0]], [1.0, 0.0]), "do not determine"),
        (lambda: optimal_design([[1.0, 2.0]], [0.0]), "gradient is zero"),
        (lambda: four_points(LINES, detuning=-64e6), "positive distance"),
        (lambda: lattice_amplification(0.0, 4e-7), "pitch is 0.0"),
        (lambda: lattice_amplification(4e-7, -1.0), "psf is -1.0"),
        (lambda: lattice_amplification(4e-7, lambda x, y: x), "radius is unknown"),
        (lambda: patch_amplification(np.ones((4, 2))), "cannot be told apart"),
        (lambda: patch_amplification(np.eye(3), [1.0, 0.0, 1.0]), "positive one for each of the 3 pixels"),
        (lambda: unmixing_covariance(np.eye(3)[:, [0, 1]] * [1.0, 0.0], np.ones(3)), "site 1 has no light"),
        (lambda: conductor_bound(BAR, row(0.0), error=-1e-6), "error must be positive"),
        (lambda: conductor_bound(BAR, row(0.0)[:3], error=1e-6), "3 sensors do not determine"),
        (lambda: conductor_bound(BAR, row(0.0), error=np.ones(4)), "error has shape"),
        (lambda: conductor_bound(BAR, row(0.0), error=1e-6, free=("widht",)), "did you mean 'width'"),
        (lambda: conductor_bound(BAR, row(0.0), error=1e-6, free=("width", "width")), "each once"),
        (lambda: conductor_bound(replace(BAR, current=0.0), row(0.0), error=1e-6), "without one there is no field"),
        (lambda: conductor_bound(vb.Polyline([(0, -1, 0), (0, 1, 0)], 1e-3), row(0.0), error=1e-6), "has no 'width'"),
        (lambda: time_for(0.0, 1e-6, 1.0), "wanted is 0.0"),
        (lambda: time_for(1e-6, np.nan, 1.0), "error is"),
        (lambda: nearest_parameters(SWEEP, -np.ones((1, 101))), "positive spectra"),
        (lambda: nearest_parameters(SWEEP, np.ones((1, 101)), model="lorentzian1"), "not two lines"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()
