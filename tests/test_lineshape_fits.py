"""Fits of the special line shapes: found without start values, 1 sigma holds two thirds, errors reach the bound."""

from __future__ import annotations

import numpy as np
import pytest

from vbsense.analysis import fit_spectrum, fit_sweep
from vbsense.data import make_sweep
from vbsense.lineshape import get_model

BROAD = np.linspace(3.07e9, 3.87e9, 101)
NARROW = np.linspace(2.84e9, 2.90e9, 201)
LEVEL = 1e6
WIDE = {"center_lower": 3.33e9, "center_upper": 3.61e9, "fwhm_lower": 120e6, "fwhm_upper": 110e6}
COMB = WIDE | {"fwhm_lower": 45e6, "fwhm_upper": 50e6}
DIAMOND = {"center_lower": 2.856e9, "center_upper": 2.884e9, "fwhm_lower": 0.8e6, "fwhm_upper": 0.9e6}
DEPTH = {"contrast_lower": 0.05, "contrast_upper": 0.04}

CASES = {
    "pseudo_voigt": (BROAD, WIDE | DEPTH | {"mixing": 0.4}),
    "pseudo_voigt1": (BROAD, {"center": 3.47e9, "fwhm": 120e6, "contrast": 0.05, "mixing": 0.6}),
    "skewed": (BROAD, WIDE | DEPTH | {"skew_lower": 0.4, "skew_upper": -0.4}),
    "skewed1": (BROAD, {"center": 3.47e9, "fwhm": 120e6, "contrast": 0.05, "skew": 0.0}),
    "emg": (BROAD, WIDE | DEPTH | {"skew_lower": 0.5, "skew_upper": -0.5}),
    "emg1": (BROAD, {"center": 3.47e9, "fwhm": 120e6, "contrast": 0.05, "skew": 0.7}),
    "hyperfine14_1": (BROAD, {"center": 3.47e9, "fwhm": 45e6, "contrast": 0.05}),
    "hyperfine15_1": (BROAD, {"center": 3.47e9, "fwhm": 50e6, "contrast": 0.05}),
    "hyperfine14_14_15": (BROAD, COMB | DEPTH),
    "hyperfine14_15_15": (BROAD, COMB | DEPTH),
    "nv14": (NARROW, DIAMOND | {"contrast_lower": 0.02, "contrast_upper": 0.015}),
    "nv15": (NARROW, DIAMOND | {"contrast_lower": 0.02, "contrast_upper": 0.015}),
    "nv14_1": (NARROW, {"center": 2.872e9, "fwhm": 0.8e6, "contrast": 0.02}),
    "nv15_1": (NARROW, {"center": 2.872e9, "fwhm": 0.8e6, "contrast": 0.02}),
    "gaussian+shared_fwhm": (BROAD, WIDE | DEPTH | {"fwhm": 115e6}),
    "hyperfine14+shared_fwhm": (BROAD, COMB | DEPTH | {"fwhm": 45e6}),
    "gaussian+baseline": (BROAD, WIDE | DEPTH | {"slope": 5e-11}),
    "lorentzian1+baseline": (BROAD, {"center": 3.4e9, "fwhm": 90e6, "contrast": 0.05, "slope": -1e-10}),
    "hyperfine14+shared_fwhm+baseline": (BROAD, COMB | DEPTH | {"fwhm": 45e6, "slope": 5e-11}),
}


def simulate(name, n, seed=0):
    """Poisson spectra of one truth, the truth, and its smallest possible errors."""
    frequency, values = CASES[name]
    model = get_model(name)
    truth = np.array([({"offset": LEVEL} | values)[parameter] for parameter in model.parameters])
    clean = model.evaluate(frequency, truth)
    electrons = np.random.default_rng(seed).poisson(np.tile(clean, (n, 1))).astype(np.float32)
    sweep = make_sweep(electrons.T[:, None, :], frequency, pixel_size=1e-7, frames=1)
    size = np.array([{"electron": LEVEL, "Hz": 1e6, "1": 1.0, "1/Hz": 1e-9}[unit] for unit in model.units]) * 1e-3
    rows = np.array(
        [(model.evaluate(frequency, truth + s) - model.evaluate(frequency, truth - s)) / 2e-3 for s in np.diag(size)]
    )
    weighted = rows / np.sqrt(clean)
    return sweep, truth, np.sqrt(np.diag(np.linalg.inv(weighted @ weighted.T))) * size / 1e-3


def table(fit, model, suffix=""):
    return np.stack([fit[name + suffix].values.ravel() for name in model.parameters], -1)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_coverage_and_cramer_rao(name, precision):
    """Tolerances are four standard deviations of a share and of a scatter, and 3 % for what is curved."""
    n, model = 600, get_model(name)
    sweep, truth, bound = simulate(name, n)
    fit = fit_sweep(sweep, name, precision=precision)
    assert (fit.flags.values == 0).mean() > 0.99
    good = fit.flags.values.ravel() == 0
    off, errors = table(fit, model)[good] - truth, table(fit, model, "_err")[good]
    inside = (np.abs(off) < errors).mean(0)
    assert np.abs(inside - 0.6827).max() < 4 * np.sqrt(0.68 * 0.32 / n) + 0.01
    np.testing.assert_allclose(off.std(0) / bound, 1, atol=4 / np.sqrt(2 * n) + 0.03)
    np.testing.assert_allclose(np.median(errors, 0) / bound, 1, atol=0.05)
    assert np.abs(off.mean(0) / bound).max() < 4 / np.sqrt(n) + 0.1


@pytest.mark.parametrize("name", CASES)
def test_lmfit_agrees(name):
    sweep, _, _ = simulate(name, 2)
    fit, one = fit_sweep(sweep, name, precision="double"), fit_spectrum(sweep.isel(y=0, x=1), name)
    for parameter, entry in one.params.items():
        assert float(fit[parameter][0, 1]) == pytest.approx(entry.value, abs=0.02 * entry.stderr)
        assert float(fit[f"{parameter}_err"][0, 1]) == pytest.approx(entry.stderr, rel=0.02)


def test_lines_change_places_with_all_that_is_theirs():
    """Started the wrong way round, the lower line is the lower one again, with its skew."""
    sweep, truth, _ = simulate("skewed", 20)
    start = {"center_lower": 3.62e9, "center_upper": 3.32e9, "skew_lower": -0.4, "skew_upper": 0.4}
    fit = fit_sweep(sweep, "skewed", start=start)
    assert (fit.center_lower < fit.center_upper).all()
    assert (fit.skew_lower > 0).all()
    assert (fit.skew_upper < 0).all()
    np.testing.assert_allclose(table(fit, get_model("skewed")).mean(0)[1:5], truth[1:5], rtol=0.02)


def test_combs_are_found_wherever_they_lie():
    """In a sweep of a hundred spacings."""
    rng, model = np.random.default_rng(5), get_model("nv14")
    frequency, n = np.linspace(2.77e9, 2.97e9, 801), 60
    split = rng.uniform(8e6, 90e6, n)
    truth = np.stack(
        [0 * split + LEVEL, 2.87e9 - split, 2.87e9 + split, *(0 * split + v for v in (8e5, 8e5, 0.03, 0.03))], -1
    )
    electrons = rng.poisson(model.evaluate(frequency, truth)).astype(np.float32)
    fit = fit_sweep(make_sweep(electrons.T[:, None, :], frequency, pixel_size=1e-7, frames=1), "nv14")
    good = fit.flags.values.ravel() == 0
    assert good.mean() > 0.95
    assert np.abs(fit.center_lower.values.ravel() - truth[:, 1])[good].max() < 1e5
