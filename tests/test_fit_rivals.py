"""Weak spectra: what is not flagged is where it says it is."""

from __future__ import annotations

import numpy as np
import pytest

from vbsense.analysis import fit_sweep
from vbsense.data import make_sweep
from vbsense.flags import FATAL, FLAGS
from vbsense.lineshape import get_model

FREQUENCY = np.linspace(3.07e9, 3.87e9, 101)
AMBIGUOUS = FLAGS["ambiguous"].bit


def weak(name, n, ratio, seed=1):
    """Two lines of 100 to 140 MHz (combs of lines of 40 to 60), `ratio` times as deep as the noise of a point."""
    rng, c = np.random.default_rng(seed), 0.05
    thin, wide = (40e6, 60e6) if name.startswith("hyperfine") else (100e6, 140e6)
    columns = [
        np.full(n, (ratio / c) ** 2), rng.uniform(3.27e9, 3.39e9, n), rng.uniform(3.55e9, 3.67e9, n),
        rng.uniform(thin, wide, n), rng.uniform(thin, wide, n), np.full(n, c), np.full(n, c),
    ]  # fmt: skip
    truth = np.stack(columns, -1)
    clean = get_model(name).evaluate(FREQUENCY, truth)
    signal = clean + np.sqrt(clean) * rng.standard_normal(clean.shape)
    return truth, make_sweep(signal.T[:, None, :], FREQUENCY, pixel_size=1e-7, frames=1)


def pulls(fit, truth):
    names = ("center_lower", "center_upper")
    kept = fit.flags.values.ravel() == 0
    z = np.stack(
        [(fit[n].values.ravel() - truth[:, 1 + i]) / fit[n + "_err"].values.ravel() for i, n in enumerate(names)]
    )
    return z[:, kept]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lorentzian", "gaussian"])
def test_lines_twice_as_deep_as_the_noise(name):
    """Beyond six of their own sigma: at most 0.02 % of the centers that carry no flag; near 68 % within one."""
    truth, sweep = weak(name, 150_000, 2.0)
    z = pulls(fit_sweep(sweep, name), truth)
    assert z.shape[1] > 30_000
    assert (np.abs(z) > 6).mean() <= 2e-4
    assert 0.64 < (np.abs(z) < 1).mean() < 0.70


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [2.5, 3.0, 4.0, 6.0])
@pytest.mark.parametrize("name", ["lorentzian", "gaussian"])
def test_errors_hold_between_weak_and_clear(name, ratio):
    """Every parameter; five in six and more carry no flag from three times the noise on."""
    truth, sweep = weak(name, 20_000, ratio)
    fit = fit_sweep(sweep, name)
    z = pulls(fit, truth)
    assert (np.abs(z) > 6).mean() <= 2e-4
    assert 0.65 < (np.abs(z) < 1).mean() < 0.70
    assert ratio < 3 or (fit.flags.values == 0).mean() > 0.83
    kept = fit.flags.values.ravel() == 0
    for i, parameter in enumerate(get_model(name).parameters):
        inside = np.abs(fit[parameter].values.ravel() - truth[:, i]) < fit[parameter + "_err"].values.ravel()
        assert 0.62 < inside[kept].mean() < 0.74


@pytest.mark.slow
@pytest.mark.parametrize(("name", "worst"), [("hyperfine14", 5e-3), ("hyperfine15", 2e-4)])
def test_weak_combs(name, worst):
    """Chi-squared of a comb has teeth: at three times the noise a few answers in a thousand lie on the wrong one."""
    for ratio, far in ((2.0, 2e-4), (3.0, worst), (4.0, worst / 4), (6.0, 3e-4), (10.0, 1e-4)):
        truth, sweep = weak(name, 10_000, ratio)
        z = pulls(fit_sweep(sweep, name), truth)
        assert ratio < 3 or 0.64 < (np.abs(z) < 1).mean() < 0.745
        assert (np.abs(z) > 6).sum() <= far * z.size


@pytest.mark.parametrize("name", ["lorentzian", "gaussian"])
def test_weak_lines_are_flagged_rather_than_wrong(name):
    truth, sweep = weak(name, 10_000, 2.0)
    fit = fit_sweep(sweep, name)
    assert (np.abs(pulls(fit, truth)) > 6).mean() < 1e-3
    flagged = fit.flags.values & AMBIGUOUS > 0
    assert 0.02 < flagged.mean() < 0.5
    numbers = np.isfinite(fit.center_lower.values)
    assert (numbers == (fit.flags.values & FATAL == 0)).all()  # an ambiguous answer is still a number


@pytest.mark.parametrize("name", ["lorentzian", "gaussian", "hyperfine14"])
def test_clear_lines_are_never_ambiguous(name):
    """Lines of unlike widths, 1:1.4, are not mistaken for a line and a spike."""
    _, sweep = weak(name, 2000, 12.0)
    assert not (fit_sweep(sweep, name).flags.values & AMBIGUOUS).any()


def test_combs_know_their_errors():
    """Near their deepest minimum chi-squared rises less than the normal matrix says."""
    truth, sweep = weak("hyperfine14", 2000, 4.0)
    fit = fit_sweep(sweep, "hyperfine14", covariance=True)
    assert 0.62 < (np.abs(pulls(fit, truth)) < 1).mean() < 0.74
    good = np.isfinite(fit.covariance.values).all((-1, -2))
    variance = np.diagonal(fit.covariance.values[good], axis1=-2, axis2=-1)
    errors = np.stack([fit[name + "_err"].values[good] for name in fit.parameter.values], -1)
    np.testing.assert_allclose(np.sqrt(variance), errors, rtol=1e-5)


def test_a_rival_is_found():
    """Two dips alike, and a fit of one: either may be meant."""
    clean = get_model("gaussian").evaluate(FREQUENCY, [1e4, 3.3e9, 3.6e9, 100e6, 100e6, 0.03, 0.03])
    electrons = np.random.default_rng(0).poisson(np.tile(clean[:, None, None], (1, 1, 200)))
    fit = fit_sweep(make_sweep(electrons, FREQUENCY, pixel_size=1e-7, frames=1), "gaussian1")
    assert (fit.flags.values > 0).mean() > 0.5


def test_rivals_do_not_depend_on_company():
    _, sweep = weak("gaussian", 300, 3.0)
    whole, part = fit_sweep(sweep, threads=1), fit_sweep(sweep.isel(x=slice(40, 160)), threads=2)
    for name in whole.data_vars:
        assert whole[name].values[:, 40:160].tobytes() == part[name].values.tobytes()
