"""One spectrum in depth: every model through lmfit, intervals of confidence, comparison of models."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import vbsense as vb
from vbsense import analysis
from vbsense.analysis import plot
from vbsense.data import LayoutError, make_sweep
from vbsense.lineshape import get_model

F = np.linspace(2.97e9, 3.97e9, 101)
LEVEL = 1e6


def measured(seed=1, mean=None, excess=None, **attributes):
    """One noisy exact spectrum at 10 mT, or `mean`, in a picture of one pixel."""
    mean = LEVEL * (1 - 0.1 * vb.spectrum(F, [0, 0, 10e-3], linewidth=60e6)) if mean is None else mean
    rng = np.random.default_rng(seed)
    light = rng.poisson(mean) if excess is None else mean + np.sqrt(excess * mean) * rng.normal(size=mean.shape)
    return make_sweep(light[:, None, None], F, pixel_size=1e-7, frames=1, exposure=0.1, **attributes)


@pytest.mark.parametrize(
    "model",
    ["gaussian", "lorentzian", "hyperfine14", "hyperfine15", "gaussian+shared_fwhm",
     "gaussian+baseline", "hyperfine14+shared_fwhm", "hamiltonian", "hamiltonian_gaussian"],
)  # fmt: skip
def test_lmfit_agrees_with_the_batch_fit(model):
    compare_with_batch(measured(), model)


def test_lmfit_agrees_on_parameters_that_only_some_shapes_have():
    mean = get_model("pseudo_voigt").evaluate(F, [LEVEL, 3.2e9, 3.75e9, 140e6, 150e6, 0.05, 0.06, 0.5])
    compare_with_batch(measured(mean=mean), "pseudo_voigt")  # away from the bounds of the mixing


def compare_with_batch(sweep, model):
    result, fit = analysis.fit_spectrum(sweep, model), analysis.fit_sweep(sweep, model)
    for name in result.var_names:
        error = fit[f"{name}_err"].item()
        assert result.params[name].value == pytest.approx(fit[name].item(), abs=0.02 * error), name
        assert result.params[name].stderr == pytest.approx(error, rel=0.02), name
    assert result.redchi == pytest.approx(fit.reduced_chi2.item(), rel=1e-3)
    assert all(name in result.fit_report() for name in get_model(model).parameters)


def test_intervals_of_confidence_are_those_of_the_known_noise():
    result = analysis.fit_spectrum(measured(), "lorentzian")  # a wrong model: lmfit by itself widens its intervals
    assert result.redchi > 2
    name, error = "center_lower", result.params["center_lower"].stderr
    for options, factor in (({"prob_func": analysis.known_noise}, 1.0), ({}, np.sqrt(result.redchi))):
        interval = result.conf_interval(p_names=[name], sigmas=[1], **options)[name]
        assert (interval[2][1] - interval[0][1]) / 2 == pytest.approx(factor * error, rel=0.03)


@pytest.mark.parametrize("excess", [1.0, 2.0])
def test_excess_noise_is_in_the_errors(excess):
    attributes = {} if excess == 1 else {"excess_noise": excess}
    result = analysis.fit_spectrum(measured(excess=excess, **attributes), "hamiltonian")
    assert result.redchi == pytest.approx(1, abs=4 * np.sqrt(2 / 95))
    plain = analysis.fit_spectrum(measured(excess=excess), "hamiltonian")
    assert plain.redchi == pytest.approx(excess * result.redchi, rel=1e-3)
    assert result.params["Bz"].stderr == pytest.approx(np.sqrt(excess) * plain.params["Bz"].stderr, rel=0.01)


def test_the_hamiltonian_is_made_for_the_drive_of_the_spectrum():
    drive = (1, 1, 0)
    mean = LEVEL * (1 - 0.1 * vb.spectrum(F, [0, 0, 5e-3], linewidth=60e6, drive=drive))
    right = analysis.fit_spectrum(measured(mean=mean, drive=np.array(drive, float)), "hamiltonian").params["Bz"]
    wrong = analysis.fit_spectrum(measured(mean=mean), "hamiltonian").params["Bz"]
    assert abs(right.value - 5e-3) < 4 * right.stderr + 2e-6
    assert abs(wrong.value - 5e-3) > abs(right.value - 5e-3)


# --- comparison -------------------------------------------------------------------------------------------------------


def test_the_model_that_made_the_spectrum_wins():
    for name in ("gaussian", "lorentzian", "hyperfine14"):
        width = 50e6 if name == "hyperfine14" else 140e6
        mean = get_model(name).evaluate(F, [LEVEL, 3.2e9, 3.75e9, width, width, 0.05, 0.05])
        table = analysis.compare_models(measured(mean=mean), ["gaussian", "lorentzian", "hyperfine14"])
        assert table.model.values[0] == name
        assert table.delta_aic.values[0] == table.delta_bic.values[0] == 0
        assert table.delta_aic.values[1] > 5
        assert table.reduced_chi2.values[0] == pytest.approx(1, abs=4 * np.sqrt(2 / 94))


def test_parameters_that_explain_nothing_cost_what_the_criteria_say():
    mean = get_model("gaussian").evaluate(F, [LEVEL, 3.2e9, 3.75e9, 140e6, 140e6, 0.05, 0.05])
    table = analysis.compare_models(measured(mean=mean), ["gaussian", "gaussian+baseline", "gaussian+shared_fwhm"])
    by = {m: table.sel(model=m) for m in table.model.values}
    assert [by[m].parameters.item() for m in ("gaussian+shared_fwhm", "gaussian", "gaussian+baseline")] == [6, 7, 8]
    for one, other in (("gaussian", "gaussian+baseline"), ("gaussian+shared_fwhm", "gaussian")):
        gain = by[one].chi2.item() - by[other].chi2.item()
        assert 0 <= gain < 15  # chi-squared of one degree of freedom
        assert by[other].aic.item() - by[one].aic.item() == pytest.approx(2 - gain, abs=1e-6)
        assert by[other].bic.item() - by[one].bic.item() == pytest.approx(np.log(F.size) - gain, abs=1e-6)


def test_without_known_noise_the_logarithm_counts():
    sweep = measured()
    bare = xr.DataArray(sweep.signal.values[:, 0, 0], {"frequency": F}, ("frequency",))
    bare["frequency"].attrs["units"] = "Hz"
    table = analysis.compare_models(bare, ["gaussian", "lorentzian"])
    assert table.model.values.tolist() == ["gaussian", "lorentzian"]
    aic = F.size * np.log(table.chi2 / F.size) + 2 * table.parameters
    assert table.aic.values == pytest.approx(aic.values)
    assert table.chi2.attrs["units"] == "electron^2"
    assert list(table.to_dataframe().index) == ["gaussian", "lorentzian"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: analysis.compare_models(measured(), ["gaussian"]), ValueError, "two models"),
        (lambda: analysis.compare_models(measured(), "gaussian"), ValueError, "two models"),
        (lambda: analysis.compare_models(measured(), ["gaussian", "gaussian"]), ValueError, "name of its own"),
        (lambda: analysis.compare_models(measured(), ["gaussian", "gausian"]), ValueError, "did you mean 'gaussian'"),
        (lambda: analysis.fit_spectrum(measured(), "hamiltonion"), ValueError, "did you mean 'hamiltonian'"),
        (lambda: analysis.fit_spectrum(measured(), "hamiltonian+shared_fwhm"), ValueError, "fwhm. cannot be added"),
        (lambda: analysis.fit_spectrum(measured(), "gaussian", fixed={"fwhm": 1e8}), ValueError, "fwhm"),
        (lambda: analysis.fit_spectrum(measured().isel(frequency=slice(7))), ValueError, "7 free parameters"),
        (lambda: analysis.fit_spectrum(5), TypeError, "received int"),
        (lambda: analysis.fit_spectrum(xr.Dataset()), LayoutError, "needs 'signal'"),
    ],
)
def test_refusals_say_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()


# --- names and pictures -----------------------------------------------------------------------------------------------


def test_the_hamiltonian_has_a_name():
    model = get_model("hamiltonian")
    assert "Bz" in model.parameters
    assert get_model("hamiltonian_gaussian").name == "hamiltonian_gaussian"
    assert get_model("hamiltonian") is model


def test_the_picture_holds_data_fit_and_residuals():
    result = analysis.fit_spectrum(measured(), "hamiltonian")
    top, bottom = Figure().subplots(2, sharex=True)
    plot.spectrum_fit(result, top, bottom)
    dots = [line for line in bottom.lines if len(line.get_xdata()) == F.size]
    assert dots[0].get_ydata() == pytest.approx((result.data - result.best_fit) * result.weights)
    assert (np.abs(dots[0].get_ydata()) < bottom.get_ylim()[1]).all()
    assert "GHz" in bottom.get_xlabel()
    assert "χ²" in top.get_title()


def test_the_overview_draws_any_model():
    sweep = make_sweep(measured().signal.values * np.ones((1, 2, 3)), F, pixel_size=1e-7, frames=1)
    for model in ("gaussian", "gaussian1", "hamiltonian"):
        figure = Figure(figsize=(10, 7))
        fit = analysis.fit_sweep(sweep, model, fixed={"fwhm": 150e6} if model == "gaussian1" else None)
        plot.fit_overview(fit, figure, sweep=sweep)
        assert len(figure.axes) == 6
    nothing = fit.copy(deep=True)
    for name in ("Bz", "reduced_chi2"):
        nothing[name][:] = np.nan
    plot.fit_overview(nothing, Figure(), sweep=sweep)
