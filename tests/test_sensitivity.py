"""Both sensitivities against what they claim: shot noise at the slope, and the spread of repeated sweeps."""

import numpy as np
import pytest
import xarray as xr

import vbsense as vb
from vbsense import analysis
from vbsense.data import LayoutError, make_site_sweep
from vbsense.lineshape import get_model

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


def test_shapes_without_a_formula_take_the_slope_of_the_model_itself():
    rng = np.random.default_rng(9)
    sites = gaussian_sites(12, rng)
    both = {m: analysis.fit_sweep(sites, m) for m in ("gaussian", "lorentzian", "hyperfine14")}
    eta = {model: float(analysis.sensitivity(fit).slope.median()) for model, fit in both.items()}
    P = 4 / (3 * np.sqrt(3))
    width = float(((both["lorentzian"].fwhm_lower + both["lorentzian"].fwhm_upper) / 2).median())
    depth = float(((both["lorentzian"].contrast_lower + both["lorentzian"].contrast_upper) / 2).median())
    assert eta["lorentzian"] == pytest.approx(P * width / (vb.VB14N.gamma * depth * np.sqrt(RATE)), rel=0.02)
    fine = np.linspace(3e9, 3.9e9, 9001)
    for model in ("hyperfine14", "lorentzian"):
        p = [float(both[model][f"{name}_lower"].median()) for name in ("center", "fwhm", "contrast")]
        p[2] = 0.5 * (p[2] + float(both[model].contrast_upper.median()))
        light = get_model({"lorentzian": "lorentzian1", "hyperfine14": "hyperfine14_1"}[model]).evaluate(fine, [1, *p])
        steepest = np.abs(np.gradient(light, fine)).max()
        assert eta[model] == pytest.approx(1 / (steepest * vb.VB14N.gamma * np.sqrt(RATE)), rel=0.02)


MODELS = ("gaussian+shared_fwhm", "gaussian+baseline", "pseudo_voigt", "skewed")


@pytest.mark.parametrize("model", MODELS)
def test_models_with_fewer_or_more_parameters_have_sensitivities(model):
    fit = analysis.fit_sweep(gaussian_sites(60, np.random.default_rng(10)), model, covariance=True)
    P = np.sqrt(np.e / (8 * np.log(2)))
    formula = P * FWHM / (vb.VB14N.gamma * CONTRAST * np.sqrt(RATE))
    eta = analysis.sensitivity(fit)
    assert float(eta.slope.median()) == pytest.approx(formula, rel=0.05)
    assert float(analysis.sensitivity_bound(fit).bound.median()) == pytest.approx(float(eta.sweep.median()), rel=0.02)


def test_extra_parameters_count_as_fitted(fit):
    """A narrow pseudo-Voigt line is steeper, the more Lorentzian it is: the median of the fit decides."""
    from vbsense.analysis.steepness import with_medians
    from vbsense.bounds import steepest_slope

    model = get_model("pseudo_voigt")
    fake = xr.Dataset({"mixing": ("site", [1.0, 1.0, 0.2])})
    lorentzian = steepest_slope(with_medians(fake, model), 100e6)
    assert lorentzian == pytest.approx(steepest_slope("lorentzian", 100e6), rel=1e-4)
    assert lorentzian < steepest_slope(model, 100e6) < steepest_slope("gaussian", 100e6)


# --- the bound --------------------------------------------------------------------------------------------------------


def test_the_bound_is_reached_by_the_fit_and_by_the_scatter(fit):
    bound = float(analysis.sensitivity_bound(fit).bound.median())
    assert float(analysis.sensitivity(fit).sweep.median()) == pytest.approx(bound, rel=0.01)
    seconds = EXPOSURE * FRAMES * F.size
    assert float(analysis.field_map(fit).B.std(ddof=1)) * np.sqrt(seconds) == pytest.approx(bound, rel=4 / np.sqrt(800))


def test_the_bound_is_that_of_the_bounds_module(fit):
    from vbsense.bounds import Noise, field_bound

    one = fit.isel(site=3)
    p = [one[name].item() for name in get_model("gaussian").parameters]
    expected = field_bound(F, p, noise=Noise(frames=FRAMES)) * np.sqrt(EXPOSURE * FRAMES * F.size)
    assert analysis.sensitivity_bound(fit).bound.values[3] == pytest.approx(expected, rel=1e-9)
    loud = analysis.sensitivity_bound(fit, noise=Noise(frames=FRAMES, excess=2.0)).bound.values[3]
    assert loud == pytest.approx(np.sqrt(2) * expected, rel=1e-9)


@pytest.mark.parametrize("model", ["hamiltonian", "hamiltonian_gaussian"])
def test_the_hamiltonian_model_has_sensitivities_too(model):
    n = 100
    mean = RATE * EXPOSURE * (1 - 0.1 * vb.spectrum(F, [0, 0, 9e-3], linewidth=60e6))
    light = np.random.default_rng(3).poisson(mean[:, None] * FRAMES, (F.size, n)) / FRAMES
    k = np.arange(n)
    sweep = make_site_sweep(
        light, F, x=k * 1.0, y=k * 0.0, row=k * 0, column=k, exposure=EXPOSURE, frames=FRAMES, bias_field=(0, 0, 1e-2)
    )
    fit = analysis.fit_sweep(sweep, model, covariance=True)
    eta, bound = analysis.sensitivity(fit), analysis.sensitivity_bound(fit)
    assert float(bound.bound.median()) == pytest.approx(float(eta.sweep.median()), rel=0.02)
    assert 10e-6 < float(eta.slope.median()) < float(eta.sweep.median())


def test_a_failed_pixel_has_no_bound(fit):
    broken = fit.isel(site=[0, 1]).copy(deep=True)
    broken["offset"][0] = np.nan
    got = analysis.sensitivity_bound(broken).bound.values
    assert np.isnan(got).tolist() == [True, False]


def test_summaries_say_which_is_which(fit):
    text = analysis.describe_sensitivity(analysis.sensitivity(fit), analysis.sensitivity_bound(fit)).splitlines()
    assert [line.split(",")[0] for line in text] == ["slope", "sweep", "bound"]
    assert all("uT/sqrt(Hz)" in line for line in text)
    with pytest.raises(LayoutError, match="no sensitivity"):
        analysis.describe_sensitivity(fit)
    with pytest.raises(LayoutError, match="fwhm_lower"):
        analysis.sensitivity(fit.drop_vars(["fwhm_lower", "fwhm_lower_err"]))


def test_the_model_of_a_fit_is_that_of_its_own_defect():
    from vbsense.analysis.fitted import model_of

    named = xr.Dataset(attrs={"model": "hamiltonian", "frequency": F, "defect": "VB15N"})
    assert model_of(named).defect == model_of(named, vb.VB14N).defect == vb.VB15N
    own = vb.VB14N.at(name="own")
    assert model_of(named.assign_attrs(defect="own"), own).defect == own
    with pytest.raises(ValueError, match="the defect 'own'"):
        model_of(named.assign_attrs(defect="own"))
