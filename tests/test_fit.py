"""The batched fit: against lmfit and the Cramer-Rao bound, and what it does with what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from vbsense.analysis import fit_spectrum, fit_sweep
from vbsense.data import LayoutError, make_site_sweep, make_sweep
from vbsense.flags import FATAL, FLAGS, describe
from vbsense.lineshape import MODELS, SPECIAL_MODELS, Model, get_model

FREQUENCY = np.linspace(3.07e9, 3.87e9, 101)
DOUBLETS = ("gaussian", "lorentzian")


def truth(n, name="gaussian", seed=0, electrons=160_000.0):
    """Parameters (n, parameter) of two (or one) lines of about 120 MHz and 5 %, or two combs as wide."""
    rng = np.random.default_rng(seed)
    if name.endswith("1"):
        columns = [rng.uniform(3.3e9, 3.6e9, n), rng.uniform(100e6, 140e6, n), rng.uniform(0.045, 0.055, n)]
    else:
        narrow, wide = (40e6, 60e6) if name.startswith("hyperfine") else (100e6, 140e6)  # of a comb: one line
        columns = [
            rng.uniform(3.27e9, 3.39e9, n), rng.uniform(3.55e9, 3.67e9, n), rng.uniform(narrow, wide, n),
            rng.uniform(narrow, wide, n), rng.uniform(0.045, 0.055, n), rng.uniform(0.045, 0.055, n),
        ]  # fmt: skip
    return np.stack([electrons * rng.uniform(0.9, 1.1, n), *columns], -1)


def simulate(parameters, name="gaussian", shape=None, seed=1, dtype=np.float32, **attributes):
    """A sweep with Poisson noise, one spectrum for each row of `parameters`."""
    clean = get_model(name).evaluate(FREQUENCY, parameters)
    electrons = np.random.default_rng(seed).poisson(clean).astype(dtype)
    *leading, ny, nx = shape or (1, len(parameters))
    signal = np.moveaxis(electrons.reshape(*leading, ny, nx, -1), -1, -3)
    coords = {name: np.arange(n) for name, n in zip(("sweep", "polarity"), leading, strict=False)}
    return make_sweep(signal, FREQUENCY, pixel_size=1e-7, coords=coords, **({"frames": 1} | attributes))


def table(fit, suffix=""):
    """Parameters (or errors) of a fit as (n, parameter)."""
    names = get_model(fit.attrs["model"]).parameters
    return np.stack([fit[name + suffix].values.ravel() for name in names], -1)


def same(first, second):
    """Whether two fits are equal to the last bit."""
    return all(first[v].values.tobytes() == second[v].values.tobytes() for v in first.data_vars)


def cramer_rao(name, parameters):
    """Smallest possible errors for Poisson noise, by numerical derivatives of the numpy model."""
    model, rows = get_model(name), []
    for i, step in enumerate(np.abs(parameters) * 1e-6):
        shift = np.where(np.arange(len(parameters)) == i, step, 0)
        rows.append(
            (model.evaluate(FREQUENCY, parameters + shift) - model.evaluate(FREQUENCY, parameters - shift)) / (2 * step)
        )
    weighted = np.array(rows) / np.sqrt(model.evaluate(FREQUENCY, parameters))
    scale = np.sqrt((weighted**2).sum(1))
    weighted = weighted / scale[:, None]
    return np.sqrt(np.diag(np.linalg.inv(weighted @ weighted.T))) / scale


def least_squares_bias(name, parameters):
    """What least squares with many points is off by in the mean because the model is curved: M. J. Box, 1971.

    J. R. Stat. Soc. B 33, 171: -C J^T W tr(C H) / 2 with C the covariance, H the second derivatives of each point.
    """
    model, n = get_model(name), len(parameters)
    error = cramer_rao(name, parameters)

    def gradient(p):
        shifted = [np.where(np.arange(n) == i, p + 1e-30j * error[i], p) for i in range(n)]
        return np.array([model.function(FREQUENCY, *q).imag / 1e-30 for q in shifted])  # in units of the errors

    steps = np.eye(n) * error * 1e-3
    curvature = np.array([(gradient(parameters + s) - gradient(parameters - s)) / 2e-3 for s in steps])
    J, weight = gradient(parameters), 1 / model.evaluate(FREQUENCY, parameters)
    covariance = np.linalg.inv((J * weight) @ J.T)
    trace = np.einsum("ij,ijm->m", covariance, curvature)
    return -0.5 * covariance @ (J * weight) @ trace * error


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("noise", ["shot noise", "residuals", "signal_err"])
def test_agrees_with_lmfit(name, noise):
    sweep = simulate(truth(3, name), name, read_noise=30.0)
    if noise == "residuals":
        del sweep.attrs["frames"]
    elif noise == "signal_err":
        uneven = 400 * (1 + 0.5 * np.cos(np.arange(101)))
        sweep["signal_err"] = xr.full_like(sweep.signal, 1) * uneven[:, None, None].astype(np.float32)
        sweep["signal_err"].attrs["units"] = "electron"
    fit = fit_sweep(sweep, name, covariance=True)
    assert fit.attrs["sigma"] == noise
    assert not fit.flags.any()
    for k in range(3):
        one = fit_spectrum(sweep.isel(y=0, x=k), name)
        values, errors = (np.array([getattr(p, a) for p in one.params.values()]) for a in ("value", "stderr"))
        np.testing.assert_allclose((table(fit)[k] - values) / errors, 0, atol=0.01)
        np.testing.assert_allclose(table(fit, "_err")[k], errors, rtol=0.005)
        np.testing.assert_allclose(
            fit.covariance.values[0, k] / np.outer(errors, errors), one.covar / np.outer(errors, errors), atol=0.01
        )
        if noise != "residuals":
            assert fit.reduced_chi2.values[0, k] == pytest.approx(one.redchi, rel=1e-4)
    assert "center" in one.fit_report()


@pytest.mark.parametrize("name", DOUBLETS)
def test_coverage_and_cramer_rao(name):
    check_statistics(name, 4000)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_coverage_of_many(name, precision):
    check_statistics(name, 40_000, precision)


def check_statistics(name, n, precision="auto"):
    """1 and 2 sigma hold what they say within four binomial sigma; errors reach the bound; no bias but curvature's."""
    one = truth(1, name)[0]
    fit = fit_sweep(simulate(np.tile(one, (n, 1)), name), name, precision=precision)
    assert not (fit.flags.values & FATAL).any()
    pulls = (table(fit) - one) / table(fit, "_err")
    for sigmas, share in ((1, 0.6827), (2, 0.9545)):
        tolerance = 4 * np.sqrt(share * (1 - share) / n) + 0.003  # the model is not quite linear
        assert np.abs((np.abs(pulls) < sigmas).mean(0) - share).max() < tolerance
    off = (table(fit).mean(0) - one - least_squares_bias(name, one)) / cramer_rao(name, one)
    assert np.abs(off).max() < 4 / np.sqrt(n) + 0.01
    ratio = table(fit).std(0) / cramer_rao(name, one)
    assert np.abs(ratio - 1).max() < 4 / np.sqrt(2 * n) + 0.015
    np.testing.assert_allclose(np.median(table(fit, "_err"), 0), cramer_rao(name, one), rtol=0.01)
    assert float(fit.reduced_chi2.mean()) == pytest.approx(1, abs=4 * np.sqrt(2 / 94 / n) + 1e-3)


@pytest.mark.parametrize("name", DOUBLETS)
def test_numerical_error_is_far_below_the_noise(name):
    """Against a fit in float64 that starts at the result and cannot stop early."""
    sweep = simulate(truth(500, name), name)
    single, double = (fit_sweep(sweep, name, precision=p) for p in ("single", "double"))
    start = {p: double[p].values for p in get_model(name).parameters}
    exact = fit_sweep(sweep, name, precision="double", start=start)
    for fit in (single, double):
        distance = np.abs(table(fit) - table(exact)) / table(exact, "_err")
        assert np.quantile(distance, 0.99) < 0.005
        assert distance.max() < 0.02
        np.testing.assert_allclose(table(fit, "_err"), table(exact, "_err"), rtol=0.01)


def test_precision_is_chosen_by_size_and_noise():
    small = simulate(truth(4))
    assert fit_sweep(small).attrs["precision"] == "float64"
    assert fit_sweep(small, precision="single").attrs["precision"] == "float32"


def test_shape_and_order_do_not_matter():
    p = truth(24)
    flat, cube = simulate(p), simulate(p, shape=(2, 3, 2, 2))
    one, many = fit_sweep(flat), fit_sweep(cube)
    assert many.center_lower.shape == (2, 3, 2, 2)
    np.testing.assert_array_equal(table(one), table(many))
    numbers = np.arange(24)
    sites = make_site_sweep(
        flat.signal.values[:, 0], FREQUENCY, x=numbers, y=numbers, row=numbers, column=numbers, frames=1
    )
    np.testing.assert_array_equal(table(fit_sweep(sites)), table(one))
    order = np.random.default_rng(3).permutation(24)
    np.testing.assert_array_equal(table(fit_sweep(sites.isel(site=order))), table(one)[order])


def test_threads_change_nothing():
    sweep = simulate(truth(5000), shape=(50, 100))
    assert same(fit_sweep(sweep, threads=1, covariance=True), fit_sweep(sweep, threads=3, covariance=True))


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_bad_pixels_leave_the_others_alone(share):
    sweep = simulate(truth(300), shape=(15, 20))
    bad = np.random.default_rng(5).random((15, 20)) < share
    broken = sweep.copy(deep=True)
    kinds = np.array([np.nan, np.inf, 0.0, -100.0, 3e38], np.float32)
    for k, (y, x) in enumerate(np.argwhere(bad)):
        broken.signal[slice(None) if k % 5 > 1 else 7, y, x] = kinds[k % 5]
    clean, fit = fit_sweep(sweep), fit_sweep(broken)
    for name in clean.data_vars:
        assert clean[name].values[~bad].tobytes() == fit[name].values[~bad].tobytes()
    assert (fit.flags.values[bad] & FATAL).all()
    assert np.isnan(fit.center_lower.values[bad]).all()


PATHOLOGICAL = {
    "flat": lambda f: np.full(f.size, 1e5),
    "zero": np.zeros_like,
    "negative": lambda f: -1e5 - 0 * f,
    "nan": lambda f: f * np.nan,
    "one nan": lambda f: np.where(f == f[-1], np.nan, 1e5),
    "infinite": lambda f: np.where(f == f[-1], np.inf, 1e5),
    "huge": lambda f: np.full(f.size, 3e38),
    "noise": lambda f: np.random.default_rng(0).poisson(1e5, f.size),
    "spike": lambda f: np.where(f == f[f.size // 2], 1e6, 1e5),
    "outside": lambda f: 1e5 * (1 - 0.05 / (1 + ((f - 4.5e9) / 60e6) ** 2)),
    "slope": lambda f: 1e5 * f / f[0],
    "step": lambda f: np.where(f > 3.5e9, 1e5, 9e4),
    "peak": lambda f: 1e5 * (1 + 0.05 * np.exp(-(((f - 3.4e9) / 6e7) ** 2))),
    "alternating": lambda f: 1e5 * (1 + 0.5 * (-1.0) ** np.arange(f.size)),
    "tiny": lambda f: np.full(f.size, 1e-30),
    "ramp from zero": lambda f: np.linspace(0, 1e5, f.size),
    "ramp to below zero": lambda f: np.linspace(1e5, -2e5, f.size),
    "parabola": lambda f: 1e5 * (1 + ((f - 3.47e9) / 1e9) ** 2),
    "bowl": lambda f: 1e5 * (1 - 0.2 * ((f - 3.47e9) / 4e8) ** 2),
    "sine": lambda f: 1e5 * (1 + 0.05 * np.sin(2 * np.pi * (f - f[0]) / 90e6)),
    "slow sine": lambda f: 1e5 * (1 + 0.2 * np.sin((f - f[0]) / 300e6)),
    "random walk": lambda f: 1e5 + np.random.default_rng(1).normal(0, 2e3, f.size).cumsum(),
    "one hot point": lambda f: np.where(np.arange(f.size) == f.size // 3, 1e9, 1e5),
    "one dead point": lambda f: np.where(np.arange(f.size) == f.size // 3, 0, 1e5),
    "one negative point": lambda f: np.where(np.arange(f.size) == f.size // 3, -1e7, 1e5),
    "two dead points": lambda f: np.where(np.arange(f.size) % 50 == 20, 0, 1e5),
    "first point dead": lambda f: np.where(np.arange(f.size) == 0, 0, 1e5),
    "last point dead": lambda f: np.where(np.arange(f.size) == f.size - 1, 0, 1e5),
    "half dead": lambda f: np.where(np.arange(f.size) < f.size // 2, 0, 1e5),
    "zeros and ones": lambda f: np.arange(f.size) % 2 * 1.0,
    "decay": lambda f: 1e5 * np.exp(-np.arange(f.size) / 10),
    "growth": lambda f: np.exp(np.minimum(np.arange(f.size), 80.0)),
    "clipped": lambda f: np.minimum(1e5 + 3e3 * np.random.default_rng(2).standard_normal(f.size), 1e5),
    "minus infinity": lambda f: np.where(f == f[0], -np.inf, 1e5),
    "nan and infinite": lambda f: np.where(f == f[0], np.inf, np.where(f == f[-1], np.nan, 1e5)),
    "denormal": lambda f: np.full(f.size, 1e-310),
    "smallest and largest": lambda f: np.where(np.arange(f.size) % 2, 1e-30, 1e30),
    "overflow in squares": lambda f: 1e300 * (1 + 0.1 * np.random.default_rng(3).standard_normal(f.size)),
    "sum to zero": lambda f: np.where(np.arange(f.size) % 2, 1e5, -1e5) * (np.arange(f.size) < f.size // 2 * 2),
    "few counts": lambda f: np.random.default_rng(4).poisson(0.3, f.size),
    "loud noise": lambda f: 1e5 + 1e5 * np.random.default_rng(5).standard_normal(f.size),
}


def test_there_are_forty_kinds():
    assert len(PATHOLOGICAL) >= 40


@pytest.mark.parametrize("points", [1, 2, 4, 8, 101])
@pytest.mark.parametrize("name", [*MODELS, "hamiltonian", "hamiltonian_gaussian"])
def test_pathological_spectra(name, points):
    check_pathological(name, points)


@pytest.mark.parametrize("name", SPECIAL_MODELS)
def test_pathological_spectra_of_special_models(name):
    check_pathological(name, 101)


@pytest.mark.slow
@pytest.mark.parametrize("points", [1, 2, 3, 4, 8, 40])
@pytest.mark.parametrize("name", [*SPECIAL_MODELS, "gaussian+baseline", "hyperfine14+shared_fwhm"])
def test_pathological_spectra_of_few_points(name, points):
    check_pathological(name, points)


def check_pathological(name, points):
    """No exception, no hang, and never a number without a flag."""
    low, high = (2.84e9, 2.90e9) if name.startswith("nv") else (3.07e9, 3.87e9)
    frequency = np.linspace(low, high, points) if points > 1 else np.array([low])
    for precision in ("single", "double"):
        signal = np.stack([make(frequency) for make in PATHOLOGICAL.values()], -1)[:, None, :]
        for attributes in ({"frames": 1}, {}):
            sweep = make_sweep(signal.astype(float), frequency, pixel_size=1e-7, **attributes)
            fit = fit_sweep(sweep, name, precision=precision)
            for k, kind in enumerate(PATHOLOGICAL):
                flags = int(fit.flags.values[0, k])
                values = np.array([fit[n].values[0, k] for n in fit.data_vars if n + "_err" in fit])
                assert flags, (kind, points, values)
                assert bool(flags & FATAL) == bool(np.isnan(values).all()), (kind, describe(flags), values)


@pytest.mark.parametrize("name", DOUBLETS)
def test_one_dip_is_not_two_without_a_flag(name):
    fit = fit_sweep(simulate(truth(50, name + "1"), name + "1"), name)
    assert fit.flags.all()


def test_flags_say_what_is_wrong():
    frequency = FREQUENCY[:6]
    few = make_sweep(np.full((6, 1, 1), 1e5), frequency, pixel_size=1e-7, frames=1)
    assert describe(int(fit_sweep(few).flags[0, 0])) == ["few_points"]
    fit = fit_sweep(simulate(truth(4)), mask=[[True, False, False, True]])
    assert [describe(int(f)) for f in fit.flags.values.ravel()] == [["masked"], [], [], ["masked"]]
    flat = make_sweep(np.random.default_rng(0).poisson(1e5, (101, 1, 300)), FREQUENCY, pixel_size=1e-7, frames=1)
    assert ((fit_sweep(flat).flags.values & (FLAGS["no_dip"].bit | FLAGS["low_significance"].bit)) > 0).all()


def test_bounds_hold_and_are_flagged():
    sweep = simulate(truth(50))
    fit = fit_sweep(sweep, bounds={"fwhm_lower": (1e7, 90e6)})
    assert (fit.flags.values & FLAGS["at_bound"].bit).all()
    assert not (fit.flags.values & FATAL).any()
    np.testing.assert_allclose(fit.fwhm_lower, 90e6, rtol=1e-9)
    assert np.isnan(fit.fwhm_lower_err).all()
    fixed = fit_sweep(sweep, fixed={"fwhm_lower": 90e6})
    for name in ("center_lower", "contrast_lower", "center_upper"):  # the others: as if the bound were a fixed value
        np.testing.assert_allclose(fit[name + "_err"], fixed[name + "_err"], rtol=2e-3)
        assert (np.abs(fit[name] - fixed[name]) < 0.03 * fixed[name + "_err"]).all()


def test_fixed_parameters():
    p = truth(20)
    fit = fit_sweep(simulate(p), fixed={"contrast_upper": 0.05, "center_upper": 3.6e9}, covariance=True)
    assert (fit.contrast_upper == 0.05).all()
    assert (fit.center_upper == 3.6e9).all()
    assert (fit.contrast_upper_err == 0).all()
    assert (fit.covariance.sel(parameter="center_upper") == 0).all()


def test_covariance_belongs_to_the_errors():
    fit = fit_sweep(simulate(truth(10)), covariance=True)
    np.testing.assert_allclose(
        np.sqrt(np.diagonal(fit.covariance.values[0], axis1=1, axis2=2)), table(fit, "_err"), rtol=1e-6
    )
    assert list(fit.parameter.values) == list(get_model("gaussian").parameters)


def test_start_values_find_what_the_search_would_not():
    p = truth(20)
    given = fit_sweep(simulate(p), start={"center_lower": p[:, 1].reshape(1, -1), "fwhm_lower": 120e6})
    free = fit_sweep(simulate(p))
    np.testing.assert_allclose((table(given) - table(free)) / table(free, "_err"), 0, atol=0.02)


@pytest.mark.parametrize("width", [12e6, 30e6, 300e6])
def test_narrow_and_wide_lines_are_found(width):
    """Templates of another width take over where the usual ones fail."""
    p = truth(100, "lorentzian1", electrons=1e7)
    p[:, 2] = width
    fit = fit_sweep(simulate(p, "lorentzian1"), "lorentzian1")
    good = fit.flags.values.ravel() == 0
    assert good.mean() > 0.97
    assert (np.abs(table(fit) - p)[good] < 5 * table(fit, "_err")[good]).mean() > 0.99


def test_points_without_frames_have_no_weight():
    sweep = simulate(truth(10))
    part = sweep.copy(deep=True)
    part["frames"] = ("frequency", np.where(np.arange(101) % 10 == 3, 0, 1), {"units": "1"})
    part.signal[3::10] = np.nan
    fit, kept = fit_sweep(part), fit_sweep(sweep.isel(frequency=np.arange(101) % 10 != 3))
    assert not fit.flags.any()
    np.testing.assert_allclose((table(fit) - table(kept)) / table(kept, "_err"), 0, atol=0.01)
    np.testing.assert_allclose(table(fit, "_err"), table(kept, "_err"), rtol=2e-3)


def test_more_frames_smaller_errors():
    sweep = simulate(truth(10))
    four = sweep.assign_attrs(frames=4)
    np.testing.assert_allclose(table(fit_sweep(four), "_err") * 2, table(fit_sweep(sweep), "_err"), rtol=1e-3)


def test_a_model_of_ones_own():
    from vbsense._jit import kernel
    from vbsense._shapes import SIGNATURES

    def line(frequency, height, place, width):
        return height * (1 - np.exp(-(((frequency - place) / width) ** 2)) / 2)

    @kernel(SIGNATURES)
    def compiled(x, p, out, jacobian):
        for m in range(x.size):
            d = (x[m] - p[1]) / p[2]
            e = np.exp(-d * d) / 2
            out[m] = p[0] * (1 - e)
            jacobian[0, m] = 1 - e
            jacobian[1, m] = -2 * p[0] * e * d / p[2]
            jacobian[2, m] = -2 * p[0] * e * d * d / p[2]

    def guess(frequency, signal):
        place = frequency[np.argmin(signal, axis=1)]
        return np.stack([signal.max(1), place, np.full(len(signal), 1e8)], -1)

    own = Model("own", ("height", "place", "width"), ("electron", "Hz", "Hz"), line, compiled, ("place",), guess=guess)
    clean = own.evaluate(FREQUENCY, [1e5, 3.5e9, 8e7])
    electrons = np.random.default_rng(0).poisson(np.tile(clean, (20, 1)))
    sweep = make_sweep(electrons.T[:, None, :], FREQUENCY, pixel_size=1e-7, frames=1)
    fit = fit_sweep(sweep, own)
    assert not fit.flags.any()
    assert (np.abs(fit.place - 3.5e9) < 5 * fit.place_err).all()
    assert fit_spectrum(sweep.isel(y=0, x=0), own).params["place"].value == pytest.approx(
        float(fit.place[0, 0]), rel=1e-6
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "lorenzian"}, "did you mean 'lorentzian'"),
        ({"bounds": {"fwhm": (0, 1e9)}}, "did you mean 'fwhm_"),
        ({"bounds": {"fwhm_lower": (3e8, 1e6)}}, "must be below"),
        ({"bounds": {"fwhm_lower": 3e8}}, r"give \(lower, upper\)"),
        ({"fixed": {"contrast": 0.05}}, "did you mean 'contrast_"),
        ({"fixed": {"contrast_lower": np.nan}}, "finite"),
        ({"fixed": {"contrast_lower": 0.1}, "bounds": {"contrast_lower": (0, 1)}}, "is fixed"),
        ({"start": {"fwhm_lower": 1e6}, "bounds": {"fwhm_lower": (1e7, 1e9)}}, "outside its bounds"),
        ({"start": {"fwhm_lower": np.ones((5, 5))}}, "has shape"),
        ({"start": {"center_lower": 2e9}}, "outside its bounds"),
        ({"precision": "half"}, "'single' or 'double'"),
        ({"threads": 0}, "whole number"),
        ({"max_iterations": 0}, "at least 1"),
        ({"mask": np.zeros((1, 4))}, "bool"),
        ({"mask": np.zeros((3, 4), bool)}, "has shape"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        fit_sweep(simulate(truth(4)), **options)


def test_bad_sweeps_are_refused():
    sweep = simulate(truth(4))
    for broken, message in (
        (sweep.isel(frequency=slice(None, None, -1)), "not ascending"),
        (
            sweep.assign_coords(frequency=("frequency", np.repeat(FREQUENCY[::2], 2)[:101], {"units": "Hz"})),
            "ascending",
        ),
        (sweep.assign_coords(frequency=("frequency", FREQUENCY, {"units": "GHz"})), "units"),
        (sweep.transpose("y", "x", "frequency"), "dimensions"),
        (sweep.assign_attrs(read_noise=-1.0), "read_noise"),
        (sweep.assign_attrs(schema="vbsense.map/1"), "a sweep is needed"),
    ):
        with pytest.raises(LayoutError, match=message):
            fit_sweep(broken)
    with pytest.raises(TypeError, match="Dataset"):
        fit_sweep(sweep.signal.values)
    with pytest.raises(ValueError, match="4 spectra; select one"):
        fit_spectrum(sweep)
