"""The hyperfine correction: each model's own bias is gone on noise-free exact spectra, or an error says why not."""

from __future__ import annotations

import time

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis
from vbsense.analysis.correction import HyperfineCorrection
from vbsense.data import make_site_sweep

NARROW = np.linspace(2.97e9, 3.97e9, 101)  # 5 to 12 mT
WIDE = np.linspace(1.3e9, 5.6e9, 431)  # up to 60 mT
UP = (0, 0, 10e-3)
MODELS = {"gaussian": vb.VB14N, "lorentzian": vb.VB14N, "hyperfine14": vb.VB14N, "hyperfine15": vb.VB15N}
E_AXIS, OTHER_E_AXIS, BETWEEN = (1, 0, 0), (0, 1, 0), (1, 1, 0)


def exact(Bz, width, defect, frequency=NARROW, drive=E_AXIS, contrast=0.05, electrons=None, seed=0):
    """A sweep of exact spectra along c: without noise, or with shot noise."""
    field = np.stack([0 * Bz, 0 * Bz, Bz], -1)
    light = 1 - contrast * vb.spectrum(frequency, field, defect, linewidth=width, method="exact", drive=drive).T
    k = np.arange(Bz.size)
    place = {"x": k * 1e-6, "y": 0.0 * k, "row": 0 * k, "column": k, "bias_field": UP}
    if electrons is None:
        return make_site_sweep(light, frequency, error=np.full_like(light, 1e-4), **place)
    return make_site_sweep(np.random.default_rng(seed).poisson(electrons * light), frequency, frames=1, **place)


def fit_and_left(Bz, width, model, defect, *, linewidth=None, **options):
    """The table and what is left of the bias (T)."""
    fit = analysis.fit_sweep(exact(Bz, width, defect, **options), model, max_iterations=1000)
    drive = options.get("drive", E_AXIS)
    table = analysis.hyperfine_correction(fit, defect, linewidth=linewidth, drive=drive)
    return table, np.abs(analysis.field_map(fit, defect, correction=table).B.values[0] - Bz)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("E", [0.0, 59e6])
@pytest.mark.parametrize("drive", [E_AXIS, BETWEEN])
def test_around_ten_millitesla(model, E, drive):
    """The usual case, linewidth found from the fitted widths."""
    Bz, width = np.array([9.31e-3, 9.77e-3, 10.02e-3, 10.49e-3]), 57e6
    table, left = fit_and_left(Bz, width, model, MODELS[model].at(E=E), drive=drive)
    assert left.max() < 0.2e-6
    assert table.linewidth == pytest.approx(width, rel=1e-3)


# A comb of narrow lines, driven along an E axis, has several minima below these fields (mT); so has, at 4 mT, a
# Gaussian on lines of 150 MHz. Elsewhere all models follow the field down to 3 mT.
FOLLOWS = {"hyperfine14": 6.5, "hyperfine15": 5.0, "gaussian": 4.0}


def lowest_field(model, E, drive, width):
    """From where on a model reads one field as one field (T)."""
    crooked = width >= 150e6 if model == "gaussian" else width < 65e6
    return 1e-3 * (FOLLOWS.get(model, 3.0) if E > 0 and drive != BETWEEN and crooked else 3.0)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("width", [45e6, 90e6])
@pytest.mark.parametrize("drive", [E_AXIS, BETWEEN])
def test_low_fields(model, width, drive):
    lowest = lowest_field(model, 59e6, drive, width)
    Bz = np.concatenate([[lowest], np.random.default_rng(2).uniform(lowest, 11e-3, 20)])
    _, left = fit_and_left(Bz, width, model, MODELS[model], drive=drive)
    assert left.max() < 1e-6


@pytest.mark.parametrize("model", MODELS)
def test_high_fields(model):
    """One table from 6 to 60 mT, for a window that holds all these lines."""
    Bz = np.concatenate([[6e-3, 60e-3], np.random.default_rng(3).uniform(6e-3, 60e-3, 30)])
    _, left = fit_and_left(Bz, 70e6, model, MODELS[model], frequency=WIDE, drive=BETWEEN, linewidth=70e6)
    assert left.max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("E", "drive"), [(0.0, E_AXIS), (59e6, E_AXIS), (59e6, OTHER_E_AXIS), (59e6, BETWEEN)])
@pytest.mark.parametrize("width", [40e6, 60e6, 100e6, 150e6])
def test_every_case(model, E, drive, width):
    """Less than 1 uT is left: linewidth found up to 12 mT, given up to 60 mT, where the window must be wide."""
    defect, rng = MODELS[model].at(E=E), np.random.default_rng(4)
    lowest = lowest_field(model, E, drive, width)
    for frequency, low, top, linewidth in ((NARROW, lowest, 12e-3, None), (WIDE, 11e-3, 60e-3, width)):
        Bz = np.concatenate([[low, top], rng.uniform(low, top, 40)])
        _, left = fit_and_left(Bz, width, model, defect, frequency=frequency, drive=drive, linewidth=linewidth)
        assert left.max() < 1e-6


@pytest.mark.parametrize("model", ["gaussian", "hyperfine14"])
def test_coarse_sampling_does_not_alias(model):
    """Lines hardly wider than a step: the bias goes up and down with the place of the line between the points."""
    coarse = np.linspace(2.9e9, 4.04e9, 58)
    Bz = np.linspace(8e-3, 12e-3, 60)
    table, left = fit_and_left(Bz, 40e6, model, MODELS[model], frequency=coarse, linewidth=40e6)
    assert left.max() < 1e-6
    assert np.diff(table.true).max() < 0.2e-3


def test_what_a_wrong_linewidth_does_is_known():
    """The stated effect of 10 % is what a table for 10 % more leaves."""
    Bz = np.array([6e-3, 8e-3, 10e-3])
    fit = analysis.fit_sweep(exact(Bz, 60e6, vb.VB14N))
    table = analysis.hyperfine_correction(fit, linewidth=60e6)
    wrong = analysis.hyperfine_correction(fit, linewidth=66e6)
    left = np.abs(analysis.field_map(fit, correction=wrong).B.values[0] - Bz).max()
    assert 1e-6 < left
    assert table.width_effect == pytest.approx(left, rel=0.3)


def test_noise_leaves_the_linewidth_and_the_bias_right():
    n, truth = 400, 9.6e-3
    sweep = exact(np.full(n, truth), 60e6, vb.VB14N, electrons=1e6)
    fit = analysis.fit_sweep(sweep)
    table = analysis.hyperfine_correction(fit)
    field = analysis.field_map(fit, correction=table)
    assert table.linewidth == pytest.approx(60e6, rel=0.03)
    spread = float(field.B.std())
    assert abs(float(field.B.mean()) - truth) < 4 * spread / np.sqrt(n) + 0.03 * 10 * table.width_effect
    assert float(field.B_err.mean()) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(("model", "Bz"), [("hyperfine14", 4e-3), ("hyperfine15", 3.5e-3)])
def test_the_error_says_where_a_model_does_not_follow(model, Bz):
    """Narrow lines, drive along an E axis: several minima, and the comb locks in to another one on the way down."""
    defect = MODELS[model]
    fit = analysis.fit_sweep(exact(np.linspace(Bz, 8e-3, 9), 40e6, defect), model, max_iterations=1000)
    with pytest.raises(ValueError, match=r"does not follow the field.* rises with it only from 0\.00\d+ to"):
        analysis.hyperfine_correction(fit, defect, linewidth=40e6)


def test_below_the_merging_of_the_lines_there_is_an_error():
    """E = 0: two Gaussians that share one dip read next to nothing."""
    defect = vb.VB14N.at(E=0.0)
    fit = analysis.fit_sweep(exact(np.array([1e-3, 2e-3, 4e-3]), 100e6, defect), max_iterations=1000)
    with pytest.raises(ValueError, match="does not follow"):
        analysis.hyperfine_correction(fit, defect, linewidth=100e6)


def test_a_stray_pixel_does_not_cost_the_map():
    Bz = np.full(300, 10e-3) + np.linspace(-3e-4, 3e-4, 300)
    fit = analysis.fit_sweep(exact(Bz, 60e6, vb.VB14N), max_iterations=1000)
    fit["center_lower"].values[7] += 283e6  # reads about 3 mT
    fit["center_upper"].values[7] -= 200e6
    fit["center_lower"].values[8] = 2.9e9
    field = analysis.field_map(fit, correction=analysis.hyperfine_correction(fit, linewidth=60e6))
    good = np.arange(300) // 2 != 4
    good[[7, 8]] = False
    assert np.abs(field.B.values[0] - Bz)[good].max() < 1e-6


def test_a_small_range_is_fast():
    fit = analysis.fit_sweep(exact(np.linspace(9.5e-3, 10.5e-3, 225), 60e6, vb.VB14N))
    analysis.hyperfine_correction(fit)
    start = time.process_time()
    table = analysis.hyperfine_correction(fit)
    assert time.process_time() - start < 1.0
    assert 15 <= len(table.true) <= 60


def test_a_table_made_by_hand_has_no_width_effect():
    assert np.isnan(HyperfineCorrection((1e-3, 2e-3), (1e-3, 2e-3), 60e6, "gaussian").width_effect)
