"""D and the temperature, |B| and Bz of tilted fields: exact spectra in, truth out, and errors against scatter."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import vbsense as vb
from vbsense import analysis
from vbsense.analysis.correction import HyperfineCorrection
from vbsense.data import LayoutError, make_fit, make_site_sweep
from vbsense.flags import FLAGS
from vbsense.spin import branch_centroids

F = np.linspace(2.87e9, 4.07e9, 121)
NAMES = ("center_lower", "center_upper")


def exact(fields, defect=vb.VB14N, width=60e6, **attributes):
    """Noise-free exact spectra of fields (n, 3)."""
    depth = vb.spectrum(F, np.atleast_2d(fields), defect, linewidth=width, method="exact")
    n = np.arange(len(depth))
    light = (1 - 0.03 * depth).T
    return make_site_sweep(
        light, F, x=n * 1.0, y=n * 0.0, row=n * 0, column=n, error=np.full(light.shape, 1e-6), **attributes
    )


def along_c(*Bz):
    return np.stack([np.zeros(len(Bz)), np.zeros(len(Bz)), Bz], -1)


def noisy_fit(lower, upper, covariance, n, seed, leading=None, **attributes):
    """A fit whose lines scatter as `covariance` (2, 2) says."""
    leading = leading or {}
    shape = (*(len(v) for v in leading.values()), n)
    noise = np.random.default_rng(seed).multivariate_normal([0, 0], covariance, shape)
    k = np.arange(n)
    sweep = make_site_sweep(
        np.ones((*shape[:-1], F.size, n)), F, x=k * 1.0, y=k * 0.0, row=k * 0, column=k, coords=leading, **attributes
    )
    values = {"center_lower": lower + noise[..., 0], "center_upper": upper + noise[..., 1]}
    errors = {name: np.full(shape, np.sqrt(covariance[i][i])) for i, name in enumerate(NAMES)}
    return make_fit(
        values, errors, sweep, flags=np.zeros(shape), reduced_chi2=np.ones(shape), units=dict.fromkeys(NAMES, "Hz"),
        covariance=np.broadcast_to(covariance, (*shape, 2, 2)), model="gaussian",
    )  # fmt: skip


# --- temperature ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["gaussian", "lorentzian", "hyperfine14"])
def test_the_corrected_temperature_is_the_true_one(model):
    warm = vb.VB14N.at(temperature=305.0)
    fit = analysis.fit_sweep(exact(along_c(8e-3, 9e-3, 10e-3, 12e-3), warm, bias_field=(0, 0, 1e-2)), model)
    got = analysis.temperature_map(fit, correction=analysis.hyperfine_correction(fit))
    assert got.sensor_temperature.values == pytest.approx(305.0, abs=0.15)
    assert got.D.values == pytest.approx(warm.D, abs=0.1e6)
    # The nuclei alone move the middle by megahertz, and by more the higher the field.
    shift = (fit.center_lower + fit.center_upper).values / 2 - warm.D
    assert shift.max() > 4e6
    assert (np.diff(shift) > 0.5e6).all()


def test_without_a_table_the_shift_is_that_of_the_centres_of_gravity():
    fit = analysis.fit_sweep(exact(along_c(10e-3, 12e-3), bias_field=(0, 0, 1e-2)))
    assert analysis.temperature_map(fit).sensor_temperature.values == pytest.approx(295.0, abs=1.5)


def test_the_hamiltonian_model_holds_the_temperature():
    warm = vb.VB14N.at(temperature=290.0)
    fit = analysis.fit_sweep(exact(along_c(9e-3, 10e-3), warm), "hamiltonian", covariance=True)
    got = analysis.temperature_map(fit)
    assert got.sensor_temperature.values == pytest.approx(290.0, abs=0.5)
    assert got.D_err.values == pytest.approx(fit.D_err.values)
    table = analysis.hyperfine_correction(
        analysis.fit_sweep(exact(along_c(9e-3, 10e-3), bias_field=(0, 0, 1))), linewidth=60e6
    )
    with pytest.raises(LayoutError, match="holds D already"):
        analysis.temperature_map(fit, correction=table)


def test_the_part_of_the_bias_across_c_is_taken_off():
    bias = np.array([2e-3, 1e-3, 10e-3])  # moves the mean of the lines by 1.7 MHz: 2.7 K
    fit = analysis.fit_sweep(exact(bias, bias_field=bias))
    table = analysis.hyperfine_correction(fit, linewidth=60e6)
    right = analysis.temperature_map(fit, correction=table).sensor_temperature.item()
    wrong = analysis.temperature_map(fit, bias=(0, 0, 1e-2), correction=table).sensor_temperature.item()
    assert right == pytest.approx(295.0, abs=0.02)
    assert abs(wrong - 295) > 1


@pytest.mark.parametrize("correlation", [0.0, 0.7, -0.7])
def test_the_error_of_the_temperature_is_its_scatter(correlation):
    n, sigma = 3000, 0.4e6
    lower, upper = branch_centroids([0, 0, 10e-3])
    covariance = sigma**2 * np.array([[1, correlation], [correlation, 1]])
    got = analysis.temperature_map(noisy_fit(lower, upper, covariance, n, 5, bias_field=(0, 0, 1e-2)))
    for value, error, truth in (
        (got.D, got.D_err, 3.47e9),
        (got.sensor_temperature, got.sensor_temperature_err, 295.0),
    ):
        pull = ((value - truth) / error).values
        assert abs(pull.mean()) < 4 / np.sqrt(n)
        assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * n))


def test_a_pair_of_polarity_gives_the_mean_temperature():
    n, covariance = 2000, 0.16e12 * np.eye(2)
    lower, upper = branch_centroids([0, 0, 10e-3])
    fit = noisy_fit(lower, upper, covariance, n, 6, {"polarity": [1, -1]}, bias_field=(0, 0, 1e-2))
    got = analysis.temperature_map(fit)
    assert got.sensor_temperature.dims == ("site",)
    pull = ((got.sensor_temperature - 295) / got.sensor_temperature_err).values
    assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * n))


def test_what_is_said_of_the_slope():
    fit = noisy_fit(*branch_centroids([0, 0, 10e-3]), np.eye(2), 3, 1, bias_field=(0, 0, 1e-2))
    assert "unverified" in analysis.temperature_map(fit).sensor_temperature.attrs["comment"]
    with pytest.raises(ValueError, match="dD_dT"):
        analysis.temperature_map(fit, vb.VB14N.at(dD_dT=0.0))
    with pytest.raises(ValueError, match="bias is"):
        analysis.temperature_map(fit, bias=1e-2)
    with pytest.raises(LayoutError, match="center_lower"):
        analysis.temperature_map(fit.drop_vars(["center_lower", "center_lower_err"]))


# --- any direction ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [(3e-3, 0, 8e-3), (0, 3e-3, 8e-3), (2e-3, 2e-3, 12e-3), (3e-3, 3e-3, 5e-3)])
def test_a_tilted_field_is_read_exactly(field):
    fit = analysis.fit_sweep(exact(field, bias_field=field))
    table = analysis.hyperfine_correction(fit, linewidth=60e6)
    azimuth = np.arctan2(field[1], field[0])
    got = analysis.vector_map(fit, azimuth=azimuth, correction=table)
    assert got.magnitude.item() == pytest.approx(np.linalg.norm(field), abs=20e-9)
    assert got.B.item() == pytest.approx(field[2], abs=20e-9)
    assert got.azimuth_error.item() == 0
    free = analysis.vector_map(fit, correction=table)
    assert free.magnitude.item() == pytest.approx(got.magnitude.item(), abs=1e-12)
    assert abs(free.B.item() - field[2]) <= free.azimuth_error.item() * 1.01
    assert 1e-6 < free.azimuth_error.item() < 50e-6


@pytest.mark.parametrize("correlation", [0.0, 0.8])
@pytest.mark.parametrize("azimuth", [None, np.pi / 4])
def test_errors_of_size_and_part_are_their_scatter(correlation, azimuth):
    n, sigma, field = 3000, 0.05e6, np.array([4e-3, 4e-3, 6e-3])
    electron = vb.VB14N.at(nuclei=())
    covariance = sigma**2 * np.array([[1, correlation], [correlation, 1]])
    fit = noisy_fit(*vb.transitions(field, electron), covariance, n, 8, bias_field=field)
    got = analysis.vector_map(fit, electron, azimuth=azimuth)
    truth = field[2] if azimuth else vb.field_from_lines(*vb.transitions(field, electron), electron)[1]
    for value, error, true in (
        (got.magnitude, got.magnitude_err, np.linalg.norm(field)),
        (got.B[0], got.B_err[0], truth),
    ):
        pull = ((value - true) / error).values
        assert abs(pull.mean()) < 4.5 / np.sqrt(n)
        assert pull.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * n))


def test_lines_that_no_field_gives_are_flagged():
    lower, upper = branch_centroids([0, 0, 10e-3])
    fit = noisy_fit(lower - 20e6, upper - 20e6, np.eye(2), 3, 9, bias_field=(0, 0, 1e-2))
    got = analysis.vector_map(fit)
    assert np.isnan(got.B.values).all()
    assert np.isnan(got.azimuth_error.values).all()
    assert (got.flags.values == FLAGS["no_field"].bit).all()
    pair = noisy_fit(lower, upper, np.eye(2), 3, 9, {"polarity": [1, -1]}, bias_field=(0, 0, 1e-2))
    with pytest.raises(LayoutError, match="polarity"):
        analysis.vector_map(pair)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-60e-3, 60e-3), min_size=3, max_size=3), st.floats(1e6, 100e6))
def test_the_lines_of_any_field_are_possible(field, E):
    lines = vb.transitions(field, vb.VB14N.at(E=E))
    fit = noisy_fit(*lines, 1e-6 * np.eye(2), 2, 9, bias_field=(0, 0, 1e-2))
    assert (analysis.field_map(fit, vb.VB14N.at(E=E)).flags.values & FLAGS["no_field"].bit == 0).all()


@pytest.mark.parametrize("half", [30e6, 70e6, 280e6])
@pytest.mark.parametrize("known", [1e4, 30e6])
def test_lines_that_no_field_moves_there_are_flagged(half, known):
    bit = FLAGS["no_field"].bit
    highest = 3 * half + 3 * vb.VB14N.E
    for middle, far in ((-60e6, True), (-30e6, False), (highest + 20e6, False), (highest + 60e6, True)):
        fit = noisy_fit(vb.VB14N.D + middle - half, vb.VB14N.D + middle + half, [[known**2, 0], [0, known**2]], 1, 3,
                        bias_field=(0, 0, 1e-2))  # fmt: skip
        fit["center_lower"][:], fit["center_upper"][:] = (vb.VB14N.D + middle + s * half for s in (-1, 1))
        # What noise may have moved there is not flagged.
        assert ((analysis.field_map(fit).flags.values & bit > 0) == (far and known < 1e6)).all()


def test_lines_too_close_or_too_far_up_tell_no_temperature():
    lower, upper = branch_centroids([0, 0, 10e-3])
    fit = noisy_fit(lower, upper, np.eye(2), 4, 9, bias_field=(0, 0, 1e-2))
    fit["center_lower"][1], fit["center_upper"][1] = 3.44e9, 3.50e9  # a splitting of E
    fit["center_lower"][2] += 300e6  # minus 180 K
    fit["center_upper"][2] += 300e6
    got = analysis.temperature_map(fit)
    assert (got.flags.values & FLAGS["no_field"].bit > 0).tolist() == [False, True, True, False]
    assert np.isnan(got.sensor_temperature.values).tolist() == [False, True, False, False]
    assert got.sensor_temperature.values[2] < 0


def test_a_map_of_temperatures_is_saved(tmp_path):
    lower, upper = branch_centroids([0, 0, 10e-3])
    fit = noisy_fit(lower, upper, 1e8 * np.eye(2), 3, 9, {"sweep": [0, 1]}, bias_field=(0, 0, 1e-2))
    got = analysis.temperature_map(fit)
    back = vb.load(vb.save(got, tmp_path / "warm.h5"))
    xr.testing.assert_identical(back.drop_attrs(deep=False), got.drop_attrs(deep=False))
    with pytest.raises(LayoutError, match="a map of 'B' or 'J' is needed; this one holds D, "):
        analysis.fit_wire(back.isel(sweep=0), wire=vb.Bar((0, 0, 0), (0, 1e-6, 0), 1e-6, 1e-7, 1e-3), standoff=1e-7)
    del got["sensor_temperature"].attrs["units"]
    with pytest.raises(LayoutError, match="sensor_temperature"):
        vb.save(got, tmp_path / "bad.h5")


def test_a_correction_of_another_model_is_refused():
    fit = analysis.fit_sweep(exact(along_c(9e-3, 10e-3), bias_field=(0, 0, 1e-2)), "lorentzian")
    table = HyperfineCorrection((9e-3, 10e-3), (9e-3, 10e-3), 60e6, "gaussian")
    with pytest.raises(ValueError, match="'gaussian', the fit of 'lorentzian'"):
        analysis.temperature_map(fit, correction=table)
