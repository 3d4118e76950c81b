"""From lines to fields: inversion with E, signs, errors against Monte Carlo, and the hyperfine correction."""

import numpy as np
import pytest
import xarray as xr

import vbsense as vb
from vbsense import analysis
from vbsense.analysis.correction import HyperfineCorrection
from vbsense.analysis.field import apparent_field
from vbsense.data import LayoutError, make_fit, make_site_sweep, make_sweep
from vbsense.flags import FLAGS

UP = (0, 0, 10e-3)
F = np.linspace(2.97e9, 3.97e9, 101)
GAMMA, E = vb.VB14N.gamma, vb.VB14N.E


def sites(n, leading=None, signal=None, frequency=F, **attributes):
    leading = leading or {}
    shape = (*(len(v) for v in leading.values()), frequency.size, n)
    signal = np.ones(shape) if signal is None else signal
    k = np.arange(n)
    return make_site_sweep(
        signal, frequency, x=k * 1e-6, y=k * 0.0, row=k * 0, column=k, coords=leading, **attributes
    )  # fmt: skip


def fit_of(lower, upper, error=1e5, sweep=None, flags=None, covariance=None):
    """A fit with these line centres (Hz), the last dimension sites."""
    lower, upper = np.broadcast_arrays(np.asarray(lower, dtype=float), upper)
    sweep = sites(lower.shape[-1], bias_field=UP) if sweep is None else sweep
    values = {"center_lower": lower, "center_upper": upper}
    return make_fit(
        values, {name: np.full(lower.shape, error) for name in values}, sweep,
        flags=np.zeros(lower.shape) if flags is None else flags, reduced_chi2=np.ones(lower.shape),
        units=dict.fromkeys(values, "Hz"), covariance=covariance,
    )  # fmt: skip


def lines_at(Bz):
    return np.moveaxis(vb.transitions(np.stack([0 * Bz, 0 * Bz, Bz], -1)), -1, 0)


# --- inversion --------------------------------------------------------------------------------------------------------


def test_the_splitting_is_inverted_with_E():
    Bz = np.array([0.1e-3, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3])
    got = analysis.field_map(fit_of(*lines_at(Bz)))
    assert got.B.values[0] == pytest.approx(Bz, rel=1e-9)
    # Without E, 5 mT would be read as 5.43 mT.
    half = np.ptp(lines_at(np.array([5e-3])))
    assert half / 2 / GAMMA == pytest.approx(5.43e-3, rel=1e-3)


def test_the_field_has_the_sign_of_the_bias():
    fit = fit_of(*lines_at(np.array([9e-3, 11e-3])))
    assert analysis.field_map(fit, bias=(0, 0, -10e-3)).B.values[0] == pytest.approx([-9e-3, -11e-3])
    assert analysis.field_map(fit, bias=(1e-3, 0, 2e-3)).B.values[0] == pytest.approx([9e-3, 11e-3])
    fit.attrs["bias_field"] = np.array([0, 0, -1e-3])
    assert analysis.field_map(fit).B.values[0] == pytest.approx([-9e-3, -11e-3])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("order", [(1, -1), (-1, 1)])
def test_pairs_of_polarity_give_the_field_of_the_current(sign, order):
    wire = np.array([-300e-6, 0.0, 120e-6, 700e-6])
    total = np.stack([sign * 10e-3 + p * wire for p in order])
    sweep = sites(4, {"polarity": list(order)}, bias_field=(0, 0, sign * 10e-3))
    got = analysis.field_map(fit_of(*lines_at(np.abs(total)), sweep=sweep))
    assert got.B.dims == ("component", "site")
    assert got.B.values[0] == pytest.approx(wire, abs=1e-12)
    assert got.B_common.values == pytest.approx(sign * 10e-3)
    assert got.B_common.attrs["units"] == "T"


def test_a_map_of_pixels_keeps_its_place():
    Bz = np.full((4, 5), 10e-3) + np.arange(20).reshape(4, 5) * 1e-6
    lower, upper = lines_at(Bz)
    one = np.ones((4, 5))
    sweep = vb.make_sweep(np.ones((101, 4, 5)), F, pixel_size=1e-7, bias_field=UP)
    names = ("center_lower", "center_upper")
    fit = make_fit(
        dict(zip(names, (lower, upper), strict=True)), {n: one * 1e5 for n in names}, sweep, flags=one * 0,
        reduced_chi2=one, units=dict.fromkeys(names, "Hz"),
    )  # fmt: skip
    got = analysis.field_map(fit.isel(y=slice(1, None), x=slice(2, 4)))
    assert got.B.values[0] == pytest.approx(Bz[1:, 2:4])
    assert got.x.values == pytest.approx([2e-7, 3e-7])
    assert got.y.values == pytest.approx([1e-7, 2e-7, 3e-7])
    column = analysis.field_map(fit.isel(x=slice(2, 3)))
    assert column.B.shape == (1, 4, 1)
    assert column.attrs["pixel_size"] == pytest.approx(1e-7)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("correlation", [0.0, 0.6, -0.5])
@pytest.mark.parametrize("Bz", [2e-3, 10e-3])
def test_errors_agree_with_monte_carlo(Bz, correlation):
    sigma, n = 0.4e6, 40000
    rng = np.random.default_rng(4)
    matrix = sigma**2 * np.array([[1, correlation], [correlation, 1]])
    noise = rng.multivariate_normal([0, 0], matrix, n)
    lower, upper = lines_at(np.array([Bz]))
    spread = apparent_field(lower + noise[:, 0], upper + noise[:, 1]).std()
    fit = fit_of(lower, upper, sigma, covariance=matrix[None])
    assert analysis.field_map(fit).B_err.values.item() == pytest.approx(spread, rel=0.02)
    if correlation == 0:
        assert analysis.field_map(fit_of(lower, upper, sigma)).B_err.values.item() == pytest.approx(spread, rel=0.02)


def test_errors_of_a_pair_are_those_of_half_the_difference():
    sweep = sites(1, {"polarity": [1, -1]}, bias_field=UP)
    total = np.array([[10.5e-3], [9.5e-3]])
    got = analysis.field_map(fit_of(*lines_at(total), 3e5, sweep=sweep))
    each = [analysis.field_map(fit_of(*lines_at(b), 3e5)).B_err.values.item() for b in total]
    assert got.B_err.values.item() == pytest.approx(np.hypot(*each) / 2)


def test_errors_of_fitted_sweeps_are_true():
    # Poisson noise of one spectrum, 400 times: the scatter of the field is its error.
    n = 400
    mean = 1e5 * (1 - 0.05 * vb.spectrum(F, [0, 0, 10e-3], linewidth=60e6))
    signal = np.random.default_rng(8).poisson(np.repeat(mean[:, None], n, 1)).astype(float)
    field = analysis.field_map(analysis.fit_sweep(sites(n, signal=signal, frames=1, bias_field=UP)))
    assert field.B_err.values.mean() == pytest.approx(field.B.values.std(), rel=4.5 / np.sqrt(2 * n))


# --- flags ------------------------------------------------------------------------------------------------------------


def test_lines_closer_than_2E_are_flagged_and_nan():
    lower, upper = 3.47e9 - np.array([50e6, 59.1e6, 280e6]), 3.47e9 + np.array([50e6, 59.1e6, 280e6])
    got = analysis.field_map(fit_of(lower, upper, flags=np.array([FLAGS["saturated"].bit, 0, 0])))
    assert np.isnan(got.B.values[0]).tolist() == [True, False, False]
    assert np.isnan(got.B_err.values[0]).tolist() == [True, False, False]
    assert got.flags.values.tolist() == [FLAGS["below_splitting"].bit | FLAGS["saturated"].bit, 0, 0]


def test_a_failed_pixel_stays_nan_with_its_own_flag():
    bad = FLAGS["nan_input"].bit
    got = analysis.field_map(fit_of([np.nan, 3.2e9], [np.nan, 3.7e9], flags=np.array([bad, 0])))
    assert got.flags.values.tolist() == [bad, 0]
    assert np.isnan(got.B.values[0, 0])


def test_flags_of_either_polarity_count():
    sweep = sites(2, {"polarity": [1, -1]}, bias_field=UP)
    flags = np.array([[1, 0], [4, 0]])
    got = analysis.field_map(fit_of(*lines_at(np.full((2, 2), 10e-3)), sweep=sweep, flags=flags))
    assert got.flags.values.tolist() == [5, 0]
    assert got.flags.dims == ("site",)


# --- hyperfine correction ---------------------------------------------------------------------------------------------


def exact(Bz, width, contrast=0.03, **arguments):
    spectra = vb.spectrum(F, np.stack([0 * Bz, 0 * Bz, Bz], -1), linewidth=width, **arguments)
    return sites(Bz.size, signal=(1 - contrast * spectra).T, error=np.full((F.size, Bz.size), 1e-6), bias_field=UP)


@pytest.mark.parametrize("model", ["gaussian", "lorentzian"])
@pytest.mark.parametrize("width", [45e6, 80e6])
def test_the_correction_takes_the_bias_of_a_simple_shape_off(model, width):
    Bz = np.array([9.31e-3, 9.77e-3, 10.02e-3, 10.49e-3, 10.83e-3])  # not those of the table
    fit = analysis.fit_sweep(exact(Bz, width), model)
    raw = analysis.field_map(fit).B.values[0] - Bz
    assert np.abs(raw).max() > 5e-6
    table = analysis.hyperfine_correction(fit)
    assert not set(Bz.round(12)) & set(np.round(table.true, 12))
    assert table.linewidth == pytest.approx(width, rel=0.02)
    assert np.abs(analysis.field_map(fit, correction=table).B.values[0] - Bz).max() < 1e-6


def test_at_low_bias_the_correction_holds_what_was_read():
    # 3 mT reads as 3.5 mT: a table around 3.5 mT would not reach it.
    Bz = np.array([2.9e-3, 3.1e-3])
    fit = analysis.fit_sweep(exact(Bz, 45e6))
    assert (analysis.field_map(fit).B.values[0] - Bz > 300e-6).all()
    table = analysis.hyperfine_correction(fit)
    assert np.abs(analysis.field_map(fit, correction=table).B.values[0] - Bz).max() < 5e-6


def test_the_correction_knows_the_drive():
    Bz, drive = np.array([9.5e-3, 10.1e-3]), (1, 1, 0)
    sweep = exact(Bz, 60e6, drive=drive)
    sweep.attrs["drive"] = np.array(drive, dtype=float)
    fit = analysis.fit_sweep(sweep)
    right = analysis.field_map(fit, correction=analysis.hyperfine_correction(fit)).B.values[0] - Bz
    wrong = analysis.field_map(fit, correction=analysis.hyperfine_correction(fit, drive=(1, 0, 0))).B.values[0] - Bz
    assert np.abs(right).max() < 1e-6
    assert np.abs(wrong).max() > 5e-6


@pytest.mark.parametrize("model", ["gaussian+shared_fwhm", "lorentzian+shared_fwhm+baseline"])
def test_lines_of_one_width_are_corrected(model):
    true = np.array([9e-3, 10e-3, 11e-3])
    fit = analysis.fit_sweep(exact(true, 55e6), model)
    table = analysis.hyperfine_correction(fit)
    assert table.linewidth == pytest.approx(55e6, rel=0.02)
    assert analysis.field_map(fit, correction=table).B.values[0] == pytest.approx(true, abs=1e-6)


def test_a_turning_drive_is_corrected_and_remembered(tmp_path):
    """Six numbers are three real parts and three imaginary ones, in the attributes of a file as well."""
    true, drive = np.array([9e-3, 10e-3]), np.array([1, 0.1j, 0])  # a circle would leave one line
    numbers = [1.0, 0.0, 0.0, 0.0, 0.1, 0.0]
    fit = analysis.fit_sweep(exact(true, 55e6, drive=drive).assign_attrs(drive=numbers))
    fit = vb.load(vb.save(fit, tmp_path / "fit.h5"))
    table = analysis.hyperfine_correction(fit, linewidth=55e6)
    assert analysis.field_map(fit, correction=table).B.values[0] == pytest.approx(true, abs=1e-6)
    along_x = analysis.hyperfine_correction(fit.assign_attrs(drive=(1.0, 0.0, 0.0)), linewidth=55e6)
    assert abs(along_x.apply(true[0]) - table.apply(true[0])) > 2e-6  # it matters
    from vbsense.analysis.fitted import model_of

    named = xr.Dataset(attrs={"model": "hamiltonian", "drive": numbers})
    assert model_of(named).drive == (1, 0.1j, 0)
    for wrong in ([1.0, 0.0], "x", [1.0, 0.0, np.nan]):
        with pytest.raises(LayoutError, match="3 real and 3 imaginary"):
            model_of(named.assign_attrs(drive=wrong))


def test_the_error_follows_the_slope_of_the_correction():
    table = HyperfineCorrection((8e-3, 10e-3, 12e-3), (8e-3, 11e-3, 14e-3), 60e6, "gaussian")
    fit = fit_of(*lines_at(np.array([12.5e-3, 20e-3])))
    raw, got = analysis.field_map(fit), analysis.field_map(fit, correction=table)
    assert got.B.values[0, 0] == pytest.approx(11e-3)
    assert got.B_err.values[0, 0] == pytest.approx(raw.B_err.values[0, 0] * 2 / 3)
    assert np.isnan(got.B.values[0, 1])  # outside the table
    assert got.flags.values[1] != 0
    down = analysis.field_map(fit, correction=table, bias=(0, 0, -1))
    assert down.B.values[0, 0] == pytest.approx(-11e-3)


# --- refusals ---------------------------------------------------------------------------------------------------------

TWO = fit_of(*lines_at(np.array([9e-3, 11e-3])))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: analysis.field_map(TWO.assign_attrs(bias_field=None)), "bias"),
        (lambda: analysis.field_map(TWO, bias=(5e-3, 0, 0)), "part along c"),
        (lambda: analysis.field_map(TWO, bias=10e-3), "bias"),
        (lambda: analysis.field_map(TWO, bias=(0, 0, np.nan)), "bias"),
        (lambda: analysis.field_map(TWO.drop_vars(["center_upper", "center_upper_err"])), "center_upper"),
        (lambda: analysis.hyperfine_correction(TWO.drop_vars(["center_upper", "center_upper_err"])), "center_upper"),
        (lambda: analysis.hyperfine_correction(fit_of([3.46e9], [3.48e9]), linewidth=6e7), "no pixel"),
        (lambda: analysis.hyperfine_correction(TWO), "linewidth"),
        (lambda: analysis.hyperfine_correction(TWO, vb.VB14N.at(D=4.5e9), linewidth=6e7), "does not follow"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_polarity_needs_its_partner():
    sweep = sites(2, {"polarity": [1]}, bias_field=UP)
    with pytest.raises(LayoutError, match="polarity"):
        analysis.field_map(fit_of(*lines_at(np.full((1, 2), 10e-3)), sweep=sweep))
    with pytest.raises(LayoutError, match="'polarity' \\+1 and -1"):
        analysis.common_mode_map(TWO)
    with pytest.raises(LayoutError, match="a fit is needed"):
        analysis.field_map(sites(2))


def test_fields_outside_the_table_are_named():
    table = HyperfineCorrection((9e-3, 10e-3, 11e-3), (9e-3, 10e-3, 11e-3), 60e6, "gaussian")
    lines_ = vb.transitions([[0, 0, 10e-3], [0, 0, 20e-3]])
    got = analysis.field_map(fit_of(lines_[:, 0], lines_[:, 1]), correction=table)
    assert got.flags.values.tolist() == [0, FLAGS["outside_correction"].bit]
    assert np.isnan(got.B.values[0]).tolist() == [False, True]


# --- other leading dimensions, common mode ----------------------------------------------------------------------------


def test_other_leading_dimensions_stay(tmp_path):
    temperatures = [290.0, 300.0, 310.0]
    total = 10e-3 + 1e-6 * np.arange(12).reshape(3, 2, 2)  # temperature, polarity, site
    heated = xr.DataArray(temperatures, dims="temperature", attrs={"units": "K"})
    polarity = xr.DataArray([-1, 1], dims="polarity")
    sweep = sites(2, {"temperature": heated, "polarity": polarity}, bias_field=UP)
    got = analysis.field_map(fit_of(*lines_at(total), sweep=sweep))
    assert got.B.dims == ("component", "temperature", "site")
    assert got.B.values[0] == pytest.approx((total[:, 1] - total[:, 0]) / 2, abs=1e-12)
    assert got.temperature.values.tolist() == temperatures
    assert got.flags.dims == ("temperature", "site")
    one = got.isel(temperature=1)
    assert vb.data.check(one).B_common.values == pytest.approx(total[1].mean(0))
    path = vb.save(got, tmp_path / "maps.h5")
    xr.testing.assert_identical(vb.load(path).drop_attrs(), got.drop_attrs())
    with vb.files.open_lazy(path) as opened:
        assert opened.B.isel(temperature=2).values == pytest.approx(got.B.values[:, 2], abs=0)
    from vbsense.layout import require

    assert require(got, "map", leading=True) is got
    assert require(one, "map") is one
    with pytest.raises(LayoutError, match=r"temperature as well; select one map: .isel\(temperature=0\)"):
        require(got, "map")


def test_repeated_pictures_are_maps_that_stay_in_their_file(tmp_path):
    rng = np.random.default_rng(8)
    shape = (3, 70, 900)
    total = 10e-3 + 1e-5 * rng.standard_normal(shape)
    sweep = make_sweep(
        np.broadcast_to(np.float32(1), (3, 4, 70, 900)), np.linspace(3e9, 4e9, 4), pixel_size=1e-7,
        coords={"sweep": range(3)}, bias_field=UP,
    )  # fmt: skip
    got = analysis.field_map(fit_of(*lines_at(total), sweep=sweep))
    assert got.B.dims == ("component", "sweep", "y", "x")
    with vb.files.open_lazy(vb.save(got, tmp_path / "maps.h5")) as opened:
        assert not opened.B.variable._in_memory
        part = {"sweep": 1, "y": slice(20, 50), "x": [3, 800]}
        assert opened.B.isel(part).values[0] == pytest.approx(total[1, 20:50][:, [3, 800]], abs=1e-12)


def test_difference_and_common_mode_have_true_errors():
    n, sigma = 4000, 0.5e6
    rng = np.random.default_rng(11)
    true = np.stack([np.full(n, 10.4e-3), np.full(n, 9.6e-3)])
    lower, upper = lines_at(true) + sigma * rng.normal(size=(2, 2, n))
    sweep = sites(n, {"polarity": [1, -1]}, bias_field=(0, 0, -10e-3))
    fit = fit_of(lower, upper, sigma, sweep=sweep)
    current, common = analysis.field_map(fit), analysis.common_mode_map(fit)
    for pull in (
        (current.B + 0.4e-3) / current.B_err,
        (common.B + 10e-3) / common.B_err,
        (current.B_common + 10e-3) / current.B_common_err,
    ):
        assert abs(pull.mean()) < 4 / np.sqrt(n)
        assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * n))
    assert (common.B.isel(component=0).values == current.B_common.values).all()
    assert "schema" in vb.data.check(common).attrs


# --- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    ["gaussian+shared_fwhm", "gaussian+shared_fwhm+baseline", "pseudo_voigt", "skewed", "hyperfine14+shared_fwhm"],
)
def test_any_model_of_two_lines_gives_a_field(model):
    fit = analysis.fit_sweep(exact(np.array([10e-3, 11e-3]), 60e6), model, covariance=True)
    got = analysis.field_map(fit)
    assert got.B.values[0] == pytest.approx([10e-3, 11e-3], abs=0.15e-3)
    assert (got.B_err.values > 0).all()


@pytest.mark.parametrize("model", ["hamiltonian", "hamiltonian_gaussian"])
def test_the_hamiltonian_model_gives_its_field_with_the_sign_of_the_bias(model):
    fit = analysis.fit_sweep(exact(np.array([9e-3, 10e-3]), 60e6), model, covariance=True)
    got = analysis.field_map(fit, bias=(0, 0, -1))
    assert (got.B.values[0] == -fit.Bz.values).all()
    assert got.B_err.values[0] == pytest.approx(fit.Bz_err.values, rel=1e-6)
    assert got.B.values[0] == pytest.approx([-9e-3, -10e-3], abs=40e-6)
    table = HyperfineCorrection((8e-3, 9e-3, 11e-3), (8e-3, 9e-3, 11e-3), 60e6, model)
    with pytest.raises(LayoutError, match="holds the field already"):
        analysis.field_map(fit, correction=table)


@pytest.mark.parametrize("name", ["nv14", "nv15"])
def test_the_centre_in_diamond_is_a_defect_like_others(name):
    nv = getattr(vb, name.upper())
    frequency = np.linspace(2.80e9, 2.94e9, 561)
    Bz = np.array([0.9e-3, 1.1e-3])
    depth = vb.spectrum(frequency, np.stack([0 * Bz, 0 * Bz, Bz], -1), nv, linewidth=0.8e6, method="exact")
    sweep = sites(
        2, signal=(1 - 0.03 * depth).T, frequency=frequency, bias_field=UP, error=np.full(depth.T.shape, 1e-5)
    )
    got = analysis.field_map(analysis.fit_sweep(sweep, name), nv)
    assert got.B.values[0] == pytest.approx(Bz, abs=0.3e-6)
