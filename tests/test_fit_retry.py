"""Failed pixels are tried again from their neighbours; what had not failed is not touched."""

from __future__ import annotations

import numpy as np
import pytest

from vbsense.analysis import fit_sweep
from vbsense.analysis._retry import Retry, nearest
from vbsense.data import make_site_sweep, make_sweep
from vbsense.flags import FATAL, FLAGS
from vbsense.lineshape import get_model

FREQUENCY = np.linspace(3.07e9, 3.87e9, 101)
ROWS, COLUMNS = 24, 30
HOPELESS = {"center_lower": 3.08e9, "center_upper": 3.85e9, "fwhm_lower": 5e6, "contrast_lower": 0.9}


def smooth_map(planes=1):
    """Truth (planes, y, x, parameter) of a smooth field under uneven light."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    split = 140e6 + 25e6 * np.sin(x / 9) * np.cos(y / 7)
    one = np.ones_like(split)
    columns = [1e5 * (1 + 0.5 * np.cos(x / 5)), 3.47e9 - split, 3.47e9 + split, 120e6 * one, 110e6 * one]
    return np.tile(np.stack([*columns, 0.05 * one, 0.04 * one], -1), (planes, 1, 1, 1))


def measured(truth, model, seed=0):
    clean = get_model(model).evaluate(FREQUENCY, truth)
    electrons = np.random.default_rng(seed).poisson(clean).astype(float)
    coords = {"sweep": range(len(truth))}
    return make_sweep(np.moveaxis(electrons, -1, 1), FREQUENCY, pixel_size=1e-7, frames=1, coords=coords)


def without_retry(sweep, model, monkeypatch, **options):
    with monkeypatch.context() as patch:
        patch.setattr(Retry, "work", lambda self, part: None)
        return fit_sweep(sweep, model, **options)


def failed(fit):
    return fit.flags.values & FATAL > 0


def same(first, second, where=...):
    return all(first[v].values[where].tobytes() == second[v].values[where].tobytes() for v in first.data_vars)


@pytest.mark.parametrize("model", ["gaussian", "lorentzian"])
def test_hopeless_start_values_of_some_pixels(model, monkeypatch):
    truth = smooth_map(2)
    bad = np.random.default_rng(1).random(truth.shape[:-1]) < 0.05
    start = {name: np.where(bad, value, np.nan) for name, value in HOPELESS.items()}
    sweep = measured(truth, model)
    before = without_retry(sweep, model, monkeypatch, start=start, covariance=True)
    fit = fit_sweep(sweep, model, start=start, covariance=True, threads=1)
    got = failed(before)
    assert 0.8 * bad.sum() < got.sum() <= bad.sum()
    assert not failed(fit).any()
    for k, name in enumerate(("center_lower", "center_upper"), start=1):
        pull = (fit[name].values - truth[..., k])[got] / fit[name + "_err"].values[got]
        assert np.abs(pull).max() < 4.5
        assert pull.std() == pytest.approx(1, abs=0.3)
    variance = np.diagonal(fit.covariance.values[got], axis1=-2, axis2=-1)
    errors = np.stack([fit[name + "_err"].values[got] for name in fit.parameter.values], -1)
    np.testing.assert_allclose(np.sqrt(variance), errors, rtol=1e-6)
    assert same(fit, before, ~got)
    assert same(fit, fit_sweep(sweep, model, start=start, covariance=True, threads=2))


def test_blocks_do_not_matter(monkeypatch):
    """The same map in blocks and parts of seven spectra."""
    from vbsense.analysis import _block, _retry

    truth = smooth_map()
    truth[..., 0] *= np.where(np.random.default_rng(2).random(truth.shape[:-1]) < 0.2, 0.01, 1)
    sweep = measured(truth, "lorentzian")
    whole = fit_sweep(sweep, "lorentzian")
    for module in (_block, _retry):
        monkeypatch.setattr(module, "BLOCK", 7)
    assert same(whole, fit_sweep(sweep, "lorentzian", threads=2))


def test_weak_pixels_in_a_bright_map(monkeypatch):
    """One dim pixel in twenty: some more are found, and those that are lie where the lines are."""
    truth = smooth_map(4)
    dim = np.random.default_rng(3).random(truth.shape[:-1]) < 0.05
    truth[..., 0] *= np.where(dim, 0.015, 1)
    sweep = measured(truth, "lorentzian")
    before, fit = without_retry(sweep, "lorentzian", monkeypatch), fit_sweep(sweep, "lorentzian")
    got = failed(before) & ~failed(fit)
    assert got.sum() >= 3
    assert not got[~dim].any()
    pull = (fit.center_lower.values - truth[..., 1])[got] / fit.center_lower_err.values[got]
    assert np.abs(pull).max() < 5
    assert same(fit, before, ~failed(before))


def test_what_shows_nothing_still_shows_nothing():
    """No light, no numbers, no microwave, in the middle of good neighbours."""
    sweep = measured(smooth_map(), "gaussian")
    rng = np.random.default_rng(4)
    flat = rng.random((ROWS, COLUMNS)) < 0.05
    sweep.signal.values[0, :, flat] = rng.poisson(1e5, (flat.sum(), 101))
    sweep.signal.values[0, :, 0, 0], sweep.signal.values[0, 3, 1, 1] = 0, np.nan
    mask = np.zeros((1, ROWS, COLUMNS), bool)
    mask[0, 5, 5] = True
    flags = fit_sweep(sweep, mask=mask).flags.values[0]
    assert flags[0, 0] == FLAGS["no_signal"].bit
    assert flags[1, 1] == FLAGS["nan_input"].bit
    assert flags[5, 5] == FLAGS["masked"].bit
    assert (flags[flat] > 0).all()


def test_sites_are_neighbours_by_their_place(monkeypatch):
    """In any order."""
    truth = smooth_map()[0].reshape(-1, 7)
    y, x = (v.ravel() for v in np.mgrid[:ROWS, :COLUMNS])
    bad = np.random.default_rng(5).random(len(truth)) < 0.05
    clean = get_model("gaussian").evaluate(FREQUENCY, truth)
    electrons = np.random.default_rng(6).poisson(clean).T.astype(float)
    order = np.random.default_rng(7).permutation(len(truth))
    start = {name: np.where(bad, value, np.nan)[order] for name, value in HOPELESS.items()}
    sites = make_site_sweep(
        electrons[:, order], FREQUENCY, x=x[order], y=y[order], row=y[order], column=x[order], frames=1
    )
    before, fit = without_retry(sites, "gaussian", monkeypatch, start=start), fit_sweep(sites, start=start)
    assert failed(before).sum() > 0.8 * bad.sum()
    assert not failed(fit).any()


def test_the_nearest():
    sweep = measured(smooth_map(), "gaussian").isel(sweep=0)
    corner, inside = nearest(sweep, np.array([0, 3 * COLUMNS + 4]))
    assert sorted(corner[corner >= 0]) == [1, COLUMNS, COLUMNS + 1]
    assert sorted(inside % COLUMNS) == [3, 3, 3, 4, 4, 5, 5, 5]
    assert sorted(inside // COLUMNS) == [2, 2, 2, 3, 3, 4, 4, 4]
    x = np.array([0.0, 1.0, 2.0, 4.0, 3.0])
    sites = make_site_sweep(
        np.ones((101, 5)), FREQUENCY, x=x, y=0 * x, row=np.zeros(5, int), column=np.arange(5), frames=1
    )
    found = nearest(sites, np.array([1]))[0]
    assert sorted(found[:4]) == [0, 2, 3, 4]
    assert (found[4:] == -1).all()
    one = sites.isel(site=[0])
    assert (nearest(one, np.array([0])) == -1).all()
