"""Repeated measurements: the Allan deviation against its definition and its laws, and sensitivity as measured."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import vbsense as vb
from vbsense import analysis
from vbsense.analysis import plot
from vbsense.data import LayoutError, make_site_sweep

F = np.linspace(2.97e9, 3.97e9, 61)


def along(values, **attributes):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, dims=("sweep", "site")[: values.ndim], attrs=attributes)


def test_it_is_its_definition():
    y = np.random.default_rng(0).normal(size=23)
    got = analysis.allan_deviation(along(y), interval=1.5, averages=[1, 2, 5, 11])
    for n, tau, value in zip((1, 2, 5, 11), got.tau.values, got.deviation.values, strict=True):
        means = [y[j : j + n].mean() for j in range(y.size - n + 1)]
        pairs = [(means[j + n] - means[j]) ** 2 for j in range(y.size - 2 * n + 1)]
        assert value == pytest.approx(np.sqrt(np.mean(pairs) / 2), rel=1e-12)
        assert tau == 1.5 * n


def test_white_noise_falls_as_the_root_and_its_errors_are_its_scatter():
    sites, repeats = 500, 256
    noise = along(np.random.default_rng(1).normal(size=(repeats, sites)) * 2e-6, units="T")
    got = analysis.allan_deviation(noise, interval=0.5)
    assert got.deviation.dims == ("tau", "site")
    assert got.deviation.attrs["units"] == "T"
    assert got.tau.values.tolist() == [0.5 * 2**k for k in range(8)]
    for k in range(7):
        rms = float(np.sqrt((got.deviation[k] ** 2).mean()))
        assert rms == pytest.approx(2e-6 / np.sqrt(2**k), rel=0.06)
        # The error is that of one pixel; for few degrees of freedom the distribution is skewed.
        assert float(got.deviation_err[k].mean()) == pytest.approx(float(got.deviation[k].std()), rel=0.12)


def test_drift_rises_with_the_time():
    slope, interval = 3e-9, 2.0  # T/s
    y = along(5e-3 + slope * interval * np.arange(128))
    got = analysis.allan_deviation(y, interval=interval)
    assert got.deviation.values == pytest.approx(slope * got.tau.values / np.sqrt(2), rel=1e-9)


def test_a_random_walk_rises_as_the_root():
    walk = along(np.cumsum(np.random.default_rng(2).normal(size=(1024, 200)), axis=0))
    got = (analysis.allan_deviation(walk, interval=1.0).deviation ** 2).mean("site") ** 0.5
    assert float(got[6] / got[4]) == pytest.approx(2, rel=0.1)


def test_a_large_offset_costs_no_digits_and_a_failed_repeat_its_pixel():
    y = np.random.default_rng(3).normal(size=(64, 2))
    plain, lifted = (analysis.allan_deviation(along(y + c), interval=1.0).deviation.values for c in (0.0, 1e6))
    assert lifted == pytest.approx(plain, rel=1e-7)
    y[5, 1] = np.nan
    broken = analysis.allan_deviation(along(y), interval=1.0).deviation.values
    assert np.isfinite(broken[:, 0]).all()
    assert np.isnan(broken[:, 1]).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: analysis.allan_deviation(np.ones(9), interval=1.0), TypeError, "DataArray"),
        (lambda: analysis.allan_deviation(along(np.ones(9)), interval=0.0), ValueError, "interval is"),
        (lambda: analysis.allan_deviation(along(np.ones(9)), interval=1.0, dim="time"), LayoutError, "'time'"),
        (lambda: analysis.allan_deviation(along(np.ones(2)), interval=1.0), LayoutError, "2 repeats"),
        (lambda: analysis.allan_deviation(along(np.ones(9)), interval=1.0, averages=[5]), ValueError, "from 1 to 4"),
        (lambda: analysis.allan_deviation(along(np.ones(9)), interval=1.0, averages=[]), ValueError, "empty"),
        (lambda: analysis.stack_sweeps([]), ValueError, "no sweeps"),
        (lambda: analysis.stack_sweeps([repeat(0)], values=[1, 2]), ValueError, "1 sweeps"),
        (lambda: analysis.stack_sweeps([repeat(0), repeat(1, exposure=9.0)]), LayoutError, "exposure is"),
        (lambda: analysis.stack_sweeps([repeat(0), repeat(1).isel(frequency=slice(9))]), LayoutError, "same axes"),
        (lambda: analysis.repeat_sensitivity(analysis.fit_sweep(repeat(0))), LayoutError, "repeats along 'sweep'"),
    ],
)
def test_refusals_say_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words):
        call()


# --- sensitivity as measured ------------------------------------------------------------------------------------------


def repeat(seed, n=40, exposure=0.5, drift=0.0):
    """Shot noise of one spectrum, at `n` sites."""
    mean = 1e6 * exposure * (1 - 0.05 * vb.spectrum(F, [0, 0, 10e-3 + drift], linewidth=60e6))
    light = np.random.default_rng(seed).poisson(mean[:, None] * 2, (F.size, n)) / 2
    k = np.arange(n)
    return make_site_sweep(
        light, F, x=k * 1.0, y=k * 0.0, row=k * 0, column=k, exposure=exposure, frames=2, bias_field=(0, 0, 1e-2)
    )


def test_repeats_without_drift_measure_what_the_errors_say():
    fit = analysis.fit_sweep(analysis.stack_sweeps([repeat(k) for k in range(24)]), "hamiltonian")
    assert fit.flags.dims == ("sweep", "site")
    measured = analysis.repeat_sensitivity(fit)
    expected = float(analysis.sensitivity(fit).sweep.median())
    rms = float(np.sqrt((measured.measured**2).mean()))
    assert rms == pytest.approx(expected, rel=4 / np.sqrt(2 * 23 * 40))
    assert float(measured.measured_err.mean()) == pytest.approx(float(measured.measured.std()), rel=0.5)
    assert "measured" in analysis.describe_sensitivity(measured)


def test_drift_is_seen_by_repeats_and_not_by_errors():
    stack = analysis.stack_sweeps([repeat(k, drift=60e-6 * k) for k in range(12)])
    fit = analysis.fit_sweep(stack)
    assert float(analysis.repeat_sensitivity(fit).measured.median()) > 2 * float(
        analysis.sensitivity(fit).sweep.median()
    )
    field = analysis.field_map(fit)
    deviation = field.B.vb.allan_deviation(interval=61.0)
    assert deviation.deviation.dims == ("tau", "component", "site")
    ax = Figure().subplots()
    plot.allan(deviation, ax)
    assert ax.get_ylabel() == "Allan deviation (µT)"


def test_stacked_temperatures_keep_their_values():
    got = analysis.stack_sweeps([repeat(0), repeat(1)], dim="temperature", values=[290.0, 300.0])
    assert got.temperature.attrs["units"] == "K"
    assert got.signal.dims == ("temperature", "frequency", "site")
    assert analysis.temperature_map(analysis.fit_sweep(got)).sensor_temperature.dims == ("temperature", "site")
