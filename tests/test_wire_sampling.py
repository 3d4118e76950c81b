"""Samples of a posterior: those of the fit where it is normal, the true ones where it is not."""

import sys
import warnings

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis
from vbsense.data import make_site_map, make_site_sweep

emcee = pytest.importorskip("emcee")
BAR = vb.Bar((0, -1e-3, -50e-9), (0, 1e-3, -50e-9), width=1e-6, thickness=100e-9, current=1e-3)
ARRAY = vb.SensorArray(250e-9, (1, 14), spot_size=50e-9, thickness=0.0)
BZ = ARRAY.average(BAR.field, standoff=100e-9)[:, 2] + np.random.default_rng(2).normal(0, 5e-6, 14)


def field(error=5e-6):
    n = ARRAY.x.size
    sites = make_site_sweep(np.ones((2, n)), [3e9, 4e9], x=ARRAY.x, y=ARRAY.y, row=ARRAY.row, column=ARRAY.column)
    return make_site_map(BZ, sites=sites, error=np.full(n, error), sensor_array=ARRAY.to_json())


def fitted(**options):
    return analysis.fit_wire(field(), **({"wire": BAR, "free": ("current", "offset"), "standoff": 100e-9} | options))


def chain_of(fit, *, steps=400, rng=1, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return analysis.sample_posterior(fit, steps=steps, rng=rng, **options)


def test_where_the_model_is_linear_samples_have_the_mean_and_covariance_of_the_fit():
    fit = fitted()
    chain = chain_of(fit, steps=1500)
    n = chain.attrs["effective_samples"]
    sigma = np.sqrt(np.diag(fit.covariance))
    mean = np.array(list(fit.values.values()))
    assert n > 300
    assert (chain["mean"].values - mean) / sigma == pytest.approx(0, abs=4.5 / np.sqrt(n))
    ratio = chain["covariance"].values / np.outer(sigma, sigma)
    assert ratio == pytest.approx(fit.covariance / np.outer(sigma, sigma), abs=4.5 * np.sqrt(2 / n))
    assert (chain["upper"] - chain["lower"]).values / 2 == pytest.approx(sigma, rel=6 / np.sqrt(n))
    drawn = chain["current"].values
    assert drawn.std() == pytest.approx(fit.errors["current"], rel=4.5 / np.sqrt(n))
    assert chain.attrs["converged"] == 1
    assert "independent samples" in chain.attrs["summary"]


def test_the_best_sample_is_no_better_than_the_fit():
    fit = fitted(free=("current", "standoff", "offset"))
    chain = chain_of(fit, steps=100)
    best = -0.5 * fit.chi2
    assert best - 3 < float(chain["log_posterior"].max()) <= best + 1e-6


def test_bounds_cut_the_posterior():
    fit = fitted(free="standoff", standoff=105e-9)
    edge = fit.values["standoff"] + 0.5 * fit.errors["standoff"]
    bound = fitted(free="standoff", standoff=edge + 5e-9, bounds={"standoff": (edge, 1e-6)})
    assert np.isnan(bound.errors["standoff"])  # it lies on the bound
    drawn = chain_of(bound, steps=400, walkers=8)["standoff"].values
    assert drawn.min() >= edge
    # The mean of a normal distribution cut at 0.5 sigma above its middle.
    pdf, tail = np.exp(-0.125) / np.sqrt(2 * np.pi), 0.3085375
    assert drawn.mean() == pytest.approx(
        fit.values["standoff"] + fit.errors["standoff"] * pdf / tail, abs=0.2 * fit.errors["standoff"]
    )


def test_priors_are_obeyed():
    options = {"free": ("current", "offset", "width"), "priors": {"width": (1.1e-6, 1e-9)}}
    fit = fitted(**options)
    drawn = chain_of(fit, steps=250, walkers=8)["width"]
    assert fit.values["width"] == pytest.approx(1.1e-6, abs=3e-9)  # without it, near 1 um
    assert float(drawn.mean()) == pytest.approx(fit.values["width"], abs=0.5 * fit.errors["width"])
    assert float(drawn.std()) == pytest.approx(fit.errors["width"], rel=0.3)
    assert fit.errors["width"] < 1e-9


def test_errors_unknown_are_those_of_the_scatter():
    unknown = analysis.fit_wire(field().drop_vars("B_err"), wire=BAR, free=("current", "offset"), standoff=100e-9)
    chain = chain_of(unknown, steps=800)
    assert float(chain["current"].std()) == pytest.approx(unknown.errors["current"], rel=0.3)


def test_the_same_seed_gives_the_same_bytes():
    fit = fitted()
    one, two, other = (chain_of(fit, steps=30, rng=seed) for seed in (3, 3, 4))
    assert one.identical(two)
    assert not np.array_equal(one["current"], other["current"])


def test_a_chain_that_is_too_short_says_so():
    with pytest.warns(UserWarning, match="autocorrelation times"):
        chain = analysis.sample_posterior(fitted(), steps=20, rng=1)
    assert chain.attrs["converged"] == 0
    assert float(chain["autocorrelation_time"].min()) >= 1


def test_the_cube_is_sampled_too():
    from test_cube import crowded, images_of

    scene = crowded(side=3)
    cube = analysis.fit_cube(
        images_of(scene, 1, averages=20), wire=scene.conductor, free=("position", "offset"), standoff=100e-9
    )
    assert cube.wire.misfit(np.array(list(cube.wire.values.values()))) == pytest.approx(cube.wire.chi2, rel=1e-6)
    # The profile has the curvature of the marginal covariance.
    x = np.array(list(cube.wire.values.values()))
    for k, sigma in enumerate(cube.wire.errors.values()):
        step = sigma * (np.arange(2) == k)
        rise = (cube.wire.misfit(x + step) + cube.wire.misfit(x - step)) / 2 - cube.wire.misfit(x)
        assert rise == pytest.approx(sigma**2 * np.linalg.inv(cube.wire.covariance)[k, k], rel=0.05)
    chain = chain_of(cube, steps=60, walkers=8)
    off = (chain["mean"].values - x) / np.array(list(cube.wire.errors.values()))
    assert np.abs(off).max() < 1.5


def test_refusals(monkeypatch):
    fit = fitted()
    for steps in (0, 5, 1.5, True):
        with pytest.raises(ValueError, match="steps"):
            analysis.sample_posterior(fit, steps=steps)
    with pytest.raises(ValueError, match="walkers"):
        analysis.sample_posterior(fit, walkers=3)
    with pytest.raises(TypeError, match="fit_wire"):
        analysis.sample_posterior(field())
    monkeypatch.setitem(sys.modules, "emcee", None)
    with pytest.raises(ImportError, match=r"vbsense\[sampling\]"):
        analysis.sample_posterior(fit)
