"""Sensitivity formulas against worked cases, and bounds against the Fisher information summed point by point."""

import numpy as np
import pytest

import vbsense as vb
from vbsense.bounds import SLOPE_FACTOR, line_position_error, slope_sensitivity


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
