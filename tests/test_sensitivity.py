"""Both sensitivities against what they claim: shot noise at the slope, and the spread of repeated sweeps."""

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis
from vbsense.data import LayoutError, make_site_sweep

F = np.linspace(2.97e9, 3.97e9, 101)
RATE, EXPOSURE, FRAMES = 1e6, 0.5, 4
FWHM, CONTRAST = 150e6, 0.05


def gaussian_sites(n, rng, Bz=8e-3):
    """Spectra of the very shape that is fitted, with shot noise."""
    lower, upper = vb.transitions([0, 0, Bz])
    dip = sum(np.exp(-4 * np.log(2) * ((F - c) / FWHM) ** 2) for c in (lower, upper))
    mean = RATE * EXPOSURE * (1 - CONTRAST * dip)
    light = rng.poisson(mean[:, None] * FRAMES, (F.size, n)) / FRAMES
    k = np.arange(n)
    return make_site_sweep(
        light, F, x=k * 1.0, y=k * 0.0, row=k * 0, column=k, exposure=EXPOSURE, frames=FRAMES, bias_field=(0, 0, 1e-2)
    )


@pytest.fixture(scope="module")
def fit():
    return analysis.fit_sweep(gaussian_sites(400, np.random.default_rng(5)), "gaussian", covariance=True)


def test_slope_is_the_formula_for_one_line(fit):
    P = np.sqrt(np.e / (8 * np.log(2)))
    expected = P * FWHM / (vb.VB14N.gamma * CONTRAST * np.sqrt(RATE))
    assert float(analysis.sensitivity(fit).slope.median()) == pytest.approx(expected, rel=0.01)


def test_slope_is_shot_noise_at_the_steepest_point(fit):
    """Light at the steepest point, one second: the field that changes it by its own noise."""
    d = np.linspace(-FWHM, FWHM, 20001)
    light = RATE * (1 - CONTRAST * np.exp(-4 * np.log(2) * (d / FWHM) ** 2))
    smallest = np.sqrt(RATE) / np.abs(np.gradient(light, d)).max() / vb.VB14N.gamma
    assert float(analysis.sensitivity(fit).slope.median()) == pytest.approx(smallest, rel=0.01)


def test_sweep_is_the_spread_of_repeated_sweeps(fit):
    seconds = EXPOSURE * FRAMES * F.size
    spread = float(analysis.field_map(fit).B.std(ddof=1)) * np.sqrt(seconds)
    got = float(analysis.sensitivity(fit).sweep.median())
    assert got == pytest.approx(spread, rel=4 / np.sqrt(2 * 400))
    assert got > float(analysis.sensitivity(fit).slope.median())


def test_more_frames_change_neither(fit):
    rng = np.random.default_rng(6)
    more = gaussian_sites(200, rng)
    more["signal"] = more.signal * 0 + gaussian_sites(200, rng).signal.mean("site")
    more.attrs["frames"] = 16 * FRAMES
    got, before = analysis.sensitivity(analysis.fit_sweep(more, "gaussian")), analysis.sensitivity(fit)
    for name in ("slope", "sweep"):
        assert float(got[name].median()) == pytest.approx(float(before[name].median()), rel=0.05)


def test_polarities_are_averaged():
    rng = np.random.default_rng(7)
    pair = [gaussian_sites(20, rng, Bz) for Bz in (7.9e-3, 8.1e-3)]
    both = make_site_sweep(
        np.stack([p.signal.values for p in pair]), F, coords={"polarity": [1, -1]},
        **{c: pair[0][c].values for c in ("x", "y", "row", "column")}, **{k: pair[0].attrs[k] for k in
        ("exposure", "frames", "bias_field")},
    )  # fmt: skip
    got = analysis.sensitivity(analysis.fit_sweep(both, "gaussian"))
    each = [analysis.sensitivity(analysis.fit_sweep(p, "gaussian")) for p in pair]
    assert got.slope.dims == ("site",)
    assert got.slope.values == pytest.approx(np.mean([e.slope.values for e in each], axis=0))
    assert got.slope.attrs["units"] == "T/sqrt(Hz)"


@pytest.mark.parametrize("name", ["exposure", "frames"])
def test_unknown_light_per_second_is_refused(fit, name):
    without = fit.copy()
    without.attrs = {k: v for k, v in fit.attrs.items() if k != name}
    with pytest.raises(LayoutError, match=name):
        analysis.sensitivity(without)


def test_shapes_without_a_formula_take_the_slope_of_the_model_itself(fit):
    from vbsense.analysis.sensitivities import _slope, _steepest

    P = np.sqrt(np.e / (8 * np.log(2)))
    assert _steepest("gaussian", FWHM) == pytest.approx(1 / (P * FWHM), rel=1e-4)
    assert _steepest("lorentzian", 40e6) == pytest.approx(3 * np.sqrt(3) / 4 / 40e6, rel=1e-4)
    # A comb whose lines merge is as steep as its envelope, not as one of its lines.
    comb = _slope("hyperfine14", np.array([90e6, np.nan]), np.full(2, 0.05), np.full(2, 1e6), vb.VB14N)
    line = _slope("lorentzian", np.array([90e6]), np.array([0.05]), np.array([1e6]), vb.VB14N)
    assert comb[0] > 1.5 * line[0]
    assert np.isnan(comb[1])
