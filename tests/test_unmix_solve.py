"""The parts of unmixing against dense algebra, and what must not depend on how the pictures are stored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array, csr_array

import vbsense as vb
from vbsense import analysis
from vbsense.analysis._unmix_design import Design, background_columns
from vbsense.analysis._unmix_solve import BlockCholesky, Normal, Solver
from vbsense.bounds import lattice_amplification, patch_amplification, unmixing_covariance
from vbsense.files import open_lazy, save


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 260), band=st.integers(0, 70), shuffled=st.booleans(), seed=st.integers(0, 10**6))
def test_block_factor_is_that_of_the_whole_matrix(n, band, shuffled, seed):
    rng = np.random.default_rng(seed)
    lower = np.tril(np.triu(rng.normal(size=(n, n)), -band))
    matrix = lower @ lower.T + n * np.eye(n)
    if shuffled:
        order = rng.permutation(n)
        matrix = matrix[np.ix_(order, order)]
    factor, right = BlockCholesky(csr_array(matrix)), rng.normal(size=(n, 3))
    inverse = np.linalg.inv(matrix)
    scale = np.abs(inverse).max()
    assert np.abs(factor.solve(right) - inverse @ right).max() < 1e-11 * scale * n
    assert np.abs(factor.inverse() - inverse).max() < 1e-11 * scale
    assert np.abs(factor.inverse_diagonal() - np.diag(inverse)).max() < 1e-11 * scale


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6), sites=st.integers(1, 90), name=st.sampled_from(["none", "constant", "plane", "smooth"])
)
def test_solver_is_weighted_least_squares(seed, sites, name):
    """Against numpy's lstsq on the whole weighted system."""
    rng, shape = np.random.default_rng(seed), (18, 17)
    pixels = shape[0] * shape[1]
    images = np.zeros((pixels, sites))
    for s in range(sites):
        images[rng.choice(pixels, 25, replace=False), s] = rng.uniform(0.1, 1, 25)
    design = Design(csc_array(images), background_columns(name, shape), shape[1])
    weight = rng.uniform(0.2, 2, pixels) * (rng.random(pixels) < 0.9)
    whole = np.column_stack([images, design.background])
    normal, spread = design.normal(weight)
    assert normal.apply(np.eye(design.size)) == pytest.approx(whole.T @ (weight[:, None] * whole), abs=1e-10)
    assert spread.sites.toarray() == pytest.approx((images**2 * weight[:, None] ** 2).T @ images, abs=1e-10)
    assert spread.even == pytest.approx((images**2).T @ weight**2)
    picture, root = rng.normal(size=(pixels, 2)), np.sqrt(weight)[:, None]
    solver = Solver(normal)
    expected = np.linalg.lstsq(root * whole, root * picture, rcond=None)[0]
    assert solver.solve(design.right(weight[:, None] * picture)) == pytest.approx(expected, abs=1e-8)
    covariance = np.linalg.inv(whole.T @ (weight[:, None] * whole))[:sites, :sites]
    assert solver.covariance() == pytest.approx(covariance, abs=1e-8 * covariance.max())
    assert solver.variance() == pytest.approx(np.diag(covariance))
    values = np.linalg.svd(root * whole / np.linalg.norm(root * whole, axis=0), compute_uv=False)
    assert solver.condition() == pytest.approx(values[0] / values[-1], rel=2e-3)
    assert design.model(expected) == pytest.approx(whole @ expected)


def test_a_singular_matrix_is_refused():
    images = csc_array(np.ones((6, 2)))
    with pytest.raises(ValueError, match="on top of each other"):
        Solver(Design(images, np.zeros((6, 0)), 3).normal(np.ones(6))[0])
    assert Normal(csr_array(np.eye(2)), np.zeros((2, 0)), np.zeros((0, 0))).apply(np.ones((2, 1))).shape == (2, 1)


# --- noise amplification ----------------------------------------------------------------------------------------------


def even_picture(ratio, n, background, fwhm=440e-9):
    """One even picture of a square lattice of points, and what unmixing says of it."""
    pitch = ratio * fwhm
    pixel, spot = fwhm / 6, 5e-9
    narrow = np.sqrt(fwhm**2 - 8 * np.log(2) * (pixel**2 + spot**2) / 12)  # of the whole image: the given width
    size = int(np.ceil((n * pitch + 4 * fwhm) / pixel))
    array = vb.SensorArray(pitch, (n, n), ((size - 1) / 2 * pixel,) * 2, spot_size=spot)
    sweep = vb.make_sweep(np.full((1, size, size), 1e6), [3e9], pixel_size=pixel, psf_fwhm=narrow)
    return array, sweep, analysis.unmix(sweep, array, background=background)


@pytest.mark.parametrize(("ratio", "n", "expected"), [(1.0, 11, 1.15), (0.75, 15, 1.92), (0.6, 19, 5.3)])
def test_amplification_of_inner_sites_is_that_of_an_endless_lattice(ratio, n, expected):
    _, _, got = even_picture(ratio, n, "none")
    middle = got.noise_amplification.values.reshape(n, n)[n // 2, n // 2]
    assert middle == pytest.approx(expected, rel=0.03)
    assert middle == pytest.approx(lattice_amplification(ratio, 1.0), rel=0.03)
    assert got.attrs["user_noise_amplification"] == pytest.approx(np.median(got.noise_amplification.values))


@pytest.mark.slow
def test_amplification_of_half_a_width_needs_a_large_patch():
    _, _, got = even_picture(0.5, 45, "none")
    middle = got.noise_amplification.values.reshape(45, 45)[22, 22]
    assert middle == pytest.approx(25, rel=0.03)
    assert middle == pytest.approx(lattice_amplification(0.5, 1.0), rel=0.03)


def test_a_patch_of_seven_at_half_a_width():
    array, sweep, got = even_picture(0.5, 7, "constant")
    middle = got.noise_amplification.values.reshape(7, 7)[3, 3]
    assert middle == pytest.approx(17, rel=0.03)
    shape = (sweep.sizes["y"], sweep.sizes["x"])
    images = vb.optics.spot_images(
        array, shape=shape, pixel_size=sweep.attrs["pixel_size"], psf_fwhm=sweep.attrs["psf_fwhm"]
    )
    assert got.noise_amplification.values == pytest.approx(
        patch_amplification(images), rel=0.01
    )  # weights: nearly even
    covariance = unmixing_covariance(images, np.full(shape[0] * shape[1], 1e6))
    assert got.signal_err.values[0] == pytest.approx(np.sqrt(np.diag(covariance)), rel=0.01)
    sigma = np.sqrt(np.diag(covariance))
    assert got.site_correlation.values == pytest.approx(covariance / np.outer(sigma, sigma), abs=0.01)
    whole = np.column_stack([images.toarray(), np.ones(images.shape[0])])
    values = np.linalg.svd(whole / np.linalg.norm(whole, axis=0), compute_uv=False)
    assert got.attrs["user_condition_number"] == pytest.approx(values[0] / values[-1], rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "n"), [(1.0, 11), (0.75, 13), (0.6, 17), (0.5, 7)])
def test_scatter_of_noisy_pictures_is_amplified_as_said(ratio, n):
    """Standard deviation of the middle site over many pictures of even noise, against one that stands alone."""
    array, sweep, got = even_picture(ratio, n, "constant")
    rng, repeats = np.random.default_rng(4), 3000
    size = sweep.sizes["y"]
    middle, found = (n * n) // 2, []
    for _ in range(repeats // 250):
        noisy = 1e6 + rng.normal(0, 1e3, (250, 1, size, size))
        many = vb.make_sweep(noisy, [3e9], pixel_size=sweep.attrs["pixel_size"], psf_fwhm=sweep.attrs["psf_fwhm"],
                             coords={"sweep": range(250)})  # fmt: skip
        found.append(analysis.unmix(many, array, weights="mean", correlation="none").signal.values[:, 0, middle])
    image = vb.optics.spot_images(
        array, shape=(size, size), pixel_size=sweep.attrs["pixel_size"], psf_fwhm=sweep.attrs["psf_fwhm"]
    )[:, [middle]]
    alone = 1e3 / np.sqrt((image**2).sum())
    measured = np.std(np.concatenate(found)) / alone
    assert measured == pytest.approx(float(got.noise_amplification[middle]), rel=4.5 / np.sqrt(2 * repeats))


# --- how the pictures are stored --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drifting():
    """A sweep of two planes, large enough to stay in its file."""
    array = vb.SensorArray(700e-9, (6, 6), (3.1e-6, 3.0e-6))
    images = vb.optics.spot_images(array, shape=(64, 62), pixel_size=1e-7, psf_fwhm=440e-9)
    rng = np.random.default_rng(2)
    light = rng.uniform(2e3, 4e3, (2, 60, 36))
    signal = rng.poisson((images @ light.reshape(-1, 36).T).T + 20.0).reshape(2, 60, 64, 62)
    signal = signal.astype(np.float32)
    signal[1, 7], signal[:, :, 30, 31] = np.nan, np.nan
    return vb.make_sweep(
        signal, np.linspace(3e9, 4e9, 60), pixel_size=1e-7, frames=1, sensor_array=array.to_json(), psf_fwhm=440e-9,
        coords={"polarity": [1, -1]},
    )  # fmt: skip


@pytest.mark.parametrize("weights", ["mean", "each"])
def test_files_and_dask_arrays_give_the_same(tmp_path, drifting, weights):
    pytest.importorskip("dask")
    known = analysis.unmix(drifting, weights=weights)
    kept = drifting.signal.values.copy()
    with open_lazy(save(drifting, tmp_path / "sweep.h5")) as opened:
        from_file = analysis.unmix(opened, weights=weights)
    chunked = analysis.unmix(drifting.chunk({"y": 17, "frequency": 11}), weights=weights)
    for other in (from_file, chunked):
        for name in ("signal", "signal_err", "site_correlation"):
            assert np.allclose(other[name].values, known[name].values, rtol=1e-6, atol=1e-6, equal_nan=True)
    assert np.isnan(known.signal.values[1, 7]).all()
    assert np.isfinite(np.delete(known.signal.values[1], 7, axis=0)).all()
    assert np.array_equal(kept, drifting.signal.values, equal_nan=True)  # nobody writes into the data


def test_a_large_array_can_do_without_correlations(drifting):
    known, bare = analysis.unmix(drifting), analysis.unmix(drifting, correlation="none")
    assert "site_correlation" not in bare
    assert np.array_equal(known.signal_err.values, bare.signal_err.values, equal_nan=True)


def test_bad_pixels_leave_far_sites_untouched(drifting):
    """Of the background being fitted everywhere only a trace is left."""
    spoilt = drifting.copy(deep=True)
    spoilt.signal.values[:, :, :20, :20] = np.nan
    known, got = (analysis.unmix(s, background="none") for s in (drifting, spoilt))
    far = (known.row.values >= 3) | (known.column.values >= 3)
    pull = ((got.signal - known.signal) / known.signal_err).values[..., far]
    assert np.nanmax(np.abs(pull)) < 1e-2
    assert np.isnan(got.signal.values[:, :, 0]).all()
