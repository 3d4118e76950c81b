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
    """Two lines of 100 to 140 MHz, `ratio` times as deep as the noise of a point."""
    rng, c = np.random.default_rng(seed), 0.05
    columns = [
        np.full(n, (ratio / c) ** 2), rng.uniform(3.27e9, 3.39e9, n), rng.uniform(3.55e9, 3.67e9, n),
        rng.uniform(100e6, 140e6, n), rng.uniform(100e6, 140e6, n), np.full(n, c), np.full(n, c),
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
    truth, sweep = weak(name, 100_000, 2.0)
    z = pulls(fit_sweep(sweep, name), truth)
    assert z.shape[1] > 10_000
    assert (np.abs(z) > 6).mean() <= 2e-4
    assert 0.60 < (np.abs(z) < 1).mean() < 0.70


@pytest.mark.parametrize("name", ["lorentzian", "gaussian"])
def test_weak_lines_are_flagged_rather_than_wrong(name):
    truth, sweep = weak(name, 10_000, 2.0)
    fit = fit_sweep(sweep, name)
    assert (np.abs(pulls(fit, truth)) > 6).mean() < 1e-3
    flagged = fit.flags.values & AMBIGUOUS > 0
    assert 0.02 < flagged.mean() < 0.5
    numbers = np.isfinite(fit.center_lower.values)
    assert (numbers == (fit.flags.values & FATAL == 0)).all()  # an ambiguous answer is still a number


def test_clear_lines_are_never_ambiguous():
    for name in ("lorentzian", "gaussian"):
        _, sweep = weak(name, 2000, 20.0)
        assert not (fit_sweep(sweep, name).flags.values & AMBIGUOUS).any()


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
