"""Maps with the belief that currents below made them: the prior is that of currents, the errors are true."""

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis
from vbsense.data import make_site_map, make_site_sweep


def covariance_of(field):
    sigma = field["B_err"].values[0]
    return field["site_correlation"].values * np.outer(sigma, sigma)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def drawn_from_the_prior(rng, distance=200e-9, size=200e-6):
    array = vb.SensorArray(300e-9, (6, 6), rotation=0.1)
    apart = np.hypot(np.subtract.outer(array.x, array.x), np.subtract.outer(array.y, array.y))
    prior = size**2 * (1 + (apart / (2 * distance)) ** 2) ** -1.5
    near = np.where(apart < 0.35e-6, -0.2, 0.0)
    np.fill_diagonal(near, 1.0)
    noise = 80e-6**2 * near
    sites = make_site_sweep(np.ones((2, 36)), [3e9, 4e9], x=array.x, y=array.y, row=array.row, column=array.column)
    B = 5e-3 + np.linalg.cholesky(prior) @ rng.normal(size=36)
    field = make_site_map(B + np.linalg.cholesky(noise) @ rng.normal(size=36), sites=sites, error=np.full(36, 80e-6))
    field["site_correlation"] = (("site", "site2"), near, {"units": "1"})
    return B, field


def test_errors_of_a_smoothed_map_are_true_where_its_prior_is():
    rng = np.random.default_rng(0)
    squares, better = [], []
    for _ in range(60):
        B, field = drawn_from_the_prior(rng)
        got = analysis.smooth_field(field, distance=200e-9, size=200e-6)
        off = got["B"].values[0] - B
        squares.append(off @ np.linalg.solve(covariance_of(got), off))
        better.append(rms(off) / rms(field["B"].values[0] - B))
    assert np.mean(squares) == pytest.approx(36, abs=4 * np.sqrt(72 / 60))
    assert np.mean(better) < 0.9


def test_the_prior_is_found_from_the_map():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(12):
        attrs = analysis.smooth_field(drawn_from_the_prior(rng)[1]).attrs
        found.append((attrs["user_prior_distance"], attrs["user_prior_size"]))
    assert np.median(found, axis=0) == pytest.approx([200e-9, 200e-6], rel=0.35)


def test_its_prior_is_the_field_of_random_sheet_currents():
    # Sheet currents drawn as white noise in a plane below, summed by the law of Biot and Savart in Fourier space.
    rng, n, step, d = np.random.default_rng(2), 256, 25e-9, 200e-9
    kx = 2 * np.pi * np.fft.fftfreq(n, step)[:, None]
    ky = 2 * np.pi * np.fft.fftfreq(n, step)[None]
    k = np.hypot(kx, ky)
    with np.errstate(divide="ignore", invalid="ignore"):
        stream = np.where(k > 0, 1 / k, 0)  # of currents that are white: |g| = |J| / k
    total = np.zeros((n, n))
    for _ in range(150):
        Bz = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, n))) * stream * k * np.exp(-k * d)).real
        total += np.fft.ifft2(np.abs(np.fft.fft2(Bz)) ** 2).real
    correlation = total[0] / total[0, 0]
    r = np.arange(40) * step
    assert correlation[:40] == pytest.approx((1 + (r / (2 * d)) ** 2) ** -1.5, abs=0.06)


def test_values_that_are_missing_stay_so():
    _, field = drawn_from_the_prior(np.random.default_rng(3))
    field["B"].values[0, 5] = np.nan
    got = analysis.smooth_field(field)
    assert np.isnan(got["B"].values[0]).sum() == 1
    assert np.isfinite(np.delete(got["B_err"].values[0], 5)).all()


def test_lengths_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="distance"):
        analysis.smooth_field(drawn_from_the_prior(np.random.default_rng(0))[1], distance=-1.0)
