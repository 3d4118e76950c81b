"""Weights and losses: Poisson's likelihood at few counts, bad points, excess noise, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from vbsense.analysis import fit_sweep
from vbsense.data import LayoutError, make_sweep
from vbsense.flags import FATAL
from vbsense.lineshape import get_model

FREQUENCY = np.linspace(3.07e9, 3.87e9, 101)
ONE = np.array([20.0, 3.47e9, 300e6, 0.7])  # 20 counts a point: offset, center, fwhm, contrast
PLACE = {"center": 3.47e9, "fwhm": 300e6}


def counts(n, parameters=ONE, seed=0):
    clean = get_model("gaussian1").evaluate(FREQUENCY, parameters)
    return np.random.default_rng(seed).poisson(np.broadcast_to(clean[:, None, None], (101, 1, n))).astype(float)


def sweep_of(signal, **attributes):
    return make_sweep(signal, FREQUENCY, pixel_size=1e-7, **({"frames": 1} | attributes))


def test_poisson_is_unbiased_at_twenty_counts():
    """Means of 40 000 fits: 2 % of sigma. Weights from the counts themselves are off by two sigma."""
    n = 40_000
    signal = counts(n)
    fit = fit_sweep(sweep_of(signal), "gaussian1", noise="poisson", fixed=PLACE)
    assert not (fit.flags.values & FATAL).any()
    for name, truth in (("offset", 20.0), ("contrast", 0.7)):
        values = fit[name].values.ravel()
        off = (values.mean() - truth) / values.std()
        assert abs(off) < 0.02
        assert np.mean(np.abs(values - truth) < fit[name + "_err"].values.ravel()) == pytest.approx(0.6827, abs=0.015)
    few = sweep_of(signal[:, :, :2000])
    few["signal_err"] = few.signal.copy(data=np.sqrt(np.maximum(few.signal.values, 1)))
    few["signal_err"].attrs["units"] = "electron"
    classical = fit_sweep(few, "gaussian1", fixed=PLACE)
    assert (classical.offset.values.mean() - 20.0) / classical.offset.values.std() < -1
    again = fit_sweep(few, "gaussian1", noise="poisson", fixed=PLACE)  # does not look at signal_err
    assert (
        again.offset.values.tobytes()
        == fit_sweep(sweep_of(signal[:, :, :2000]), "gaussian1", noise="poisson", fixed=PLACE).offset.values.tobytes()
    )


def test_poisson_is_the_maximum_of_the_likelihood():
    """The score, written down independently, vanishes where the fit ends."""
    signal = counts(200, [200.0, 3.45e9, 180e6, 0.4])
    fit = fit_sweep(sweep_of(signal), "gaussian1", noise="poisson")
    model = get_model("gaussian1")
    p = np.stack([fit[n].values[0] for n in model.parameters], -1)
    errors = np.stack([fit[n + "_err"].values[0] for n in model.parameters], -1)
    mean = model.evaluate(FREQUENCY, p)
    for i in range(4):
        step = np.where(np.arange(4) == i, errors * 1e-3, 0)
        slope = (model.evaluate(FREQUENCY, p + step) - model.evaluate(FREQUENCY, p - step)) / 2e-3  # a sigma
        score = ((signal[:, 0].T / mean - 1) * slope).sum(-1)
        assert np.abs(score).max() < 0.02


def test_poisson_and_weights_agree_on_many_counts():
    signal = counts(100, [1e5, 3.45e9, 150e6, 0.1])
    a, b = (fit_sweep(sweep_of(signal), "gaussian1", noise=k) for k in ("auto", "poisson"))
    for name in ("offset", "center", "fwhm", "contrast"):
        np.testing.assert_allclose((a[name] - b[name]) / a[name + "_err"], 0, atol=0.02)


def test_huber_bears_bad_points():
    """Three points in a hundred, twenty sigma high: least squares follow them, Huber's loss does not."""
    rng = np.random.default_rng(4)
    truth = np.array([1e5, 3.45e9, 150e6, 0.1])
    clean = counts(400, truth)
    signal = clean.copy()
    for k in range(400):
        signal[rng.choice(101, 3, replace=False), 0, k] += 20 * np.sqrt(1e5)
    for options in ({"frames": 1}, {"frames": None}):
        sweep = sweep_of(signal, **{k: v for k, v in options.items() if v})
        if options["frames"] is None:
            del sweep.attrs["frames"]
        squares, huber = (fit_sweep(sweep, "gaussian1", loss=k) for k in ("squares", "huber"))
        assert not huber.flags.values.any() & 1
        spread = {f: float(np.nanstd(fit.center)) for f, fit in (("squares", squares), ("huber", huber))}
        pull = (huber.center.values - truth[1]) / huber.center_err.values
        assert spread["huber"] < 0.5 * spread["squares"]
        assert np.nanstd(pull) < 1.3


def test_huber_costs_little_where_there_are_none():
    """95 % efficiency on normal noise, errors that say so, chi-squared of one."""
    signal = counts(4000, [1e5, 3.45e9, 150e6, 0.1])
    sweep = sweep_of(signal)
    squares, huber = (fit_sweep(sweep, "gaussian1", loss=k) for k in ("squares", "huber"))
    ratio = float(huber.center.std() / squares.center.std())
    assert ratio**2 == pytest.approx(1 / 0.95, abs=0.03)
    assert float(huber.center_err.mean() / squares.center_err.mean()) == pytest.approx(ratio, abs=0.02)
    assert float(huber.reduced_chi2.mean()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("read_noise", [0.0, 60.0])
def test_excess_noise(read_noise):
    """Behind an electron multiplier, a gamma law for each electron, the variance doubles; so it says in the errors."""
    rng, n = np.random.default_rng(5), 2000
    truth = np.array([4000.0, 3.45e9, 150e6, 0.3])
    electrons = counts(n, truth)
    signal = rng.gamma(np.maximum(electrons, 1e-9), 1.0) + rng.normal(0, read_noise, electrons.shape)
    plain, aware = (
        fit_sweep(sweep_of(signal, read_noise=read_noise, **more), "gaussian1") for more in ({}, {"excess_noise": 2.0})
    )
    assert float(aware.reduced_chi2.mean()) == pytest.approx(1, abs=0.01)
    assert float(plain.reduced_chi2.mean()) > 1.3
    for name, value in zip(("offset", "center", "fwhm", "contrast"), truth, strict=True):
        pull = (aware[name].values - value) / aware[name + "_err"].values
        assert np.mean(np.abs(pull) < 1) == pytest.approx(0.6827, abs=0.04)
    if not read_noise:
        np.testing.assert_allclose(aware.center_err, plain.center_err * np.sqrt(2), rtol=0.01)


def test_uniform_weights_are_those_of_unknown_noise():
    signal = counts(50, [1e5, 3.45e9, 150e6, 0.1])
    sweep = sweep_of(signal)
    uniform = fit_sweep(sweep, "gaussian1", noise="uniform")
    del sweep.attrs["frames"]
    plain = fit_sweep(sweep, "gaussian1")
    assert uniform.attrs["sigma"] == "residuals"
    for name in plain.data_vars:
        assert uniform[name].values.tobytes() == plain[name].values.tobytes()


@pytest.mark.parametrize(
    ("attributes", "options", "message"),
    [
        ({}, {"noise": "poison"}, "'auto', 'poisson', 'uniform'"),
        ({}, {"loss": "cauchy"}, "'squares' or 'huber'"),
        ({"frames": None}, {"noise": "poisson"}, "needs 'frames'"),
        ({"excess_noise": 0.5}, {}, "excess_noise"),
        ({"excess_noise": float("nan")}, {}, "excess_noise"),
        ({"read_noise": float("inf")}, {}, "read_noise"),
    ],
)
def test_refusals(attributes, options, message):
    sweep = sweep_of(counts(2)).assign_attrs({k: v for k, v in attributes.items() if v is not None})
    if attributes.get("frames", 1) is None:
        del sweep.attrs["frames"]
    with pytest.raises((ValueError, LayoutError), match=message):
        fit_sweep(sweep, "gaussian1", **options)
