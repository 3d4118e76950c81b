"""Current densities from Fourier space, against conductors that know nothing of Fourier space."""

import warnings

import numpy as np
import pytest
from phantoms import CURRENT, NOISE, PIXEL, phantom
from scipy.constants import mu_0

import vbsense as vb
from vbsense.analysis import CurrentPrior, fourier_current
from vbsense.data import LayoutError


def grid(shape, z, dy=PIXEL, dx=PIXEL):
    y, x = np.meshgrid(np.arange(shape[0]) * dy, np.arange(shape[1]) * dx, indexing="ij")
    return np.stack([x, y, np.full_like(x, z)], axis=-1)


def as_map(B, *, noise=None, dy=PIXEL, dx=PIXEL, component="z", seed=0):
    error = None if noise is None else np.full(B.shape, noise)
    B = B if noise is None else B + np.random.default_rng(seed).normal(0, noise, B.shape)
    field = vb.make_map(B, pixel_size=dx, error=error, component=component)
    return field.assign_coords(y=("y", np.arange(B.shape[0]) * dy, {"units": "m"}))


def vector_map(B, noise, *, components="xyz", seed=0):
    """A map of several components, (y, x, 3) T."""
    parts = [as_map(B[..., "xyz".index(c)], noise=noise, component=c, seed=[seed, k]) for k, c in enumerate(components)]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.combine_first(part)
    return joined.assign_attrs(parts[0].attrs)


@pytest.mark.parametrize(
    ("name", "standoff", "method", "table"),
    [
        ("u", 100e-9, "hann", 0.124), ("u", 500e-9, "hann", 0.292), ("meander", 500e-9, "hann", 0.358),
        ("u", 100e-9, "wiener", 0.107), ("u", 500e-9, "wiener", 0.264), ("meander", 500e-9, "wiener", 0.317),
    ],
)  # fmt: skip
def test_error_over_the_window_without_knowing_the_truth(name, standoff, method, table):
    """The table holds the best that any cut-off reaches, knowing the truth."""
    truth = phantom(name)
    found = fourier_current(truth.map(standoff, seed=1, offset=1e-4), standoff=standoff, method=method)
    assert truth.error(found.J.values) < table + 0.02


@pytest.mark.parametrize("method", ["hann", "wiener"])
def test_the_median_stands_in_for_the_uniform_current(method):
    truth = phantom("ribbon")
    field = truth.map(100e-9, seed=2)
    left, fixed = (fourier_current(field, standoff=100e-9, method=method, offset=o) for o in ("none", "median"))
    assert truth.error(fixed.J.values) < 0.95 * truth.error(left.J.values)
    assert truth.error(fixed.J.values) < {"hann": 0.15, "wiener": 0.132}[method]
    assert "median" in fixed.attrs["user_uniform"]
    shift = fixed.J.values - left.J.values
    assert shift == pytest.approx(fixed.attrs["user_uniform_current"][:, None, None] + 0 * shift)


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("standoff", [100e-9, 500e-9])
def test_the_cutoff_found_is_as_good_as_the_best(standoff, stated):
    truth = phantom("meander")
    field = truth.map(standoff, seed=3)
    field = field if stated else field.drop_vars("B_err")
    found = fourier_current(field, standoff=standoff)
    tried = [fourier_current(field, standoff=standoff, cutoff=c) for c in np.geomspace(90e-9, 1.5e-6, 20)]
    assert truth.error(found.J.values) < 1.05 * min(truth.error(one.J.values) for one in tried)
    assert found.attrs["user_noise"] == pytest.approx(NOISE, rel=0.2)
    assert ("B_err" in found.attrs["user_noise_from"]) == stated


@pytest.mark.parametrize("rows", [60, 61])
@pytest.mark.parametrize("columns", [75, 72])
@pytest.mark.parametrize("padding", [0.5, 1.0])
def test_currents_lie_where_they_flow_and_have_their_sign(rows, columns, padding):
    """A half bin in k would move or turn them; so would rows and columns mixed up."""
    x0, y0, z, far = 2.73e-6, 3.31e-6, 150e-9, 1e-3
    wires = {
        "y": vb.Ribbon((x0, -far, 0), (x0, far, 0), width=0.5e-6, current=2e-3),
        "x": vb.Ribbon((far, y0, 0), (-far, y0, 0), width=0.5e-6, current=2e-3),  # along -x
    }
    for along, place, sign in (("y", x0, 1), ("x", y0, -1)):
        Bz = wires[along].field(grid((rows, columns), z))[..., 2]
        found = fourier_current(as_map(Bz), standoff=z, footprint=0, cutoff=0.25e-6, padding=padding, offset="median")
        J = found.J.sel(component=along).mean(along)
        across = J["x" if along == "y" else "y"].values
        near = np.abs(across - place) < 0.5e-6
        current = J.values[near]
        assert (across[near] * current).sum() / current.sum() == pytest.approx(place, abs=0.04 * PIXEL)
        assert current.sum() * PIXEL == pytest.approx(sign * 2e-3, rel=0.03)
        other = found.J.sel(component="x" if along == "y" else "y").values
        assert np.abs(other).max() < 0.02 * np.abs(J.values).max()


def test_layers_count_the_right_way():
    """A thick bar under thick emitters, averaged by quadrature, holds the current of a thin ribbon under a point."""
    thickness, depth, gap, shape = 300e-9, 300e-9, 60e-9, (64, 64)
    middle, mean = 31.5 * PIXEL, gap + depth / 2
    ends = ((middle, -1, -thickness / 2), (middle, 1, -thickness / 2))
    bar = vb.Bar(*ends, width=1e-6, thickness=thickness, current=1e-3)
    thin = vb.Ribbon((middle, -1, 0), (middle, 1, 0), width=1e-6, current=1e-3).field(grid(shape, mean))[..., 2]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    heights = gap + depth / 2 * (1 + nodes)
    Bz = sum(w / 2 * bar.field(grid(shape, z))[..., 2] for z, w in zip(heights.tolist(), weights, strict=True))
    options = {"standoff": mean, "footprint": 0, "cutoff": 0.35e-6}
    expected = fourier_current(as_map(thin), **options).J.values[1]

    def miss(**layers):
        found = fourier_current(as_map(Bz), **options, **layers).J.values[1]
        return np.linalg.norm(found - expected) / np.linalg.norm(expected)

    right = miss(thickness=thickness, depth=depth)
    assert right < 0.012
    assert miss(thickness=thickness) > 3 * right
    assert miss(depth=depth) > 20 * right


def test_averages_over_the_pixel_are_undone():
    truth = phantom("u")
    averaged = as_map(truth.field(200e-9)[2])
    points = as_map(truth.conductor.field(grid((100, 100), 200e-9))[..., 2])
    options = {"standoff": 200e-9, "cutoff": 0.3e-6}
    expected = fourier_current(points, footprint=0, **options).J.values
    pixels, left = (fourier_current(averaged, footprint=side, **options).J.values for side in (None, 0.0))
    assert np.linalg.norm(pixels - expected) < 0.002 * np.linalg.norm(expected)
    assert np.linalg.norm(left - expected) > 0.005 * np.linalg.norm(expected)


def test_pixels_need_not_be_square():
    dy, dx, shape = 70e-9, 120e-9, (140, 82)
    truth = vb.Ribbon((4.9e-6, -1e-3, 0), (4.9e-6, 1e-3, 0), width=1e-6, current=1e-3)
    Bz = truth.field(grid(shape, 150e-9, dy, dx))[..., 2]
    found = fourier_current(as_map(Bz, noise=0.2e-6, dy=dy, dx=dx), standoff=150e-9, footprint=0, offset="median")
    row = found.J.sel(component="y").isel(y=70)
    assert float(row.sum()) * dx == pytest.approx(1e-3, rel=0.03)
    assert float((row * row.x).sum() / row.sum()) == pytest.approx(4.9e-6, abs=0.1e-6)
    column = found.J.sel(component="x").isel(x=40)
    assert abs(float(column.mean())) < 20


def test_a_field_off_by_a_constant_gives_the_same_current():
    truth = phantom("u")
    one, other = (fourier_current(truth.map(200e-9, seed=4, offset=o), standoff=200e-9) for o in (0.0, 5e-3))
    assert other.J.values == pytest.approx(one.J.values, abs=1e-6)
    assert other.attrs["user_offset"] - one.attrs["user_offset"] == pytest.approx(5e-3, rel=1e-9)


def test_errors_are_those_of_repeated_noise():
    rng = np.random.default_rng(5)
    error = 1e-6 * (1 + np.linspace(0, 1.5, 44)) * np.ones((40, 1))
    options = {"standoff": 150e-9, "cutoff": 0.4e-6}
    field = vb.make_map(np.zeros(error.shape), pixel_size=PIXEL, error=error)
    said = fourier_current(field, **options).J_err.values

    def noisy():
        return fourier_current(vb.make_map(rng.normal(0, error), pixel_size=PIXEL), **options).J.values

    ratio = (np.std([noisy() for _ in range(150)], axis=0) / said)[:, 10:30, 10:34]
    assert ratio.mean() == pytest.approx(1, abs=0.025)
    assert 0.75 < ratio.min() < ratio.max() < 1.3


def test_the_expected_error_is_near_the_true_one():
    truth = phantom("u")
    found = fourier_current(truth.map(500e-9, seed=6), standoff=500e-9, method="wiener")
    rms = np.sqrt((truth.J**2).sum(axis=0).mean())
    assert found.attrs["user_expected_error"] / rms == pytest.approx(truth.error(found.J.values), rel=0.2)


def test_more_components_are_better_than_one():
    truth = phantom("u")
    B = np.moveaxis(truth.field(300e-9), 0, -1)
    noise = 10e-6
    scores = {}
    for components in ("z", "xy", "xyz"):
        maps = [vector_map(B, noise, components=components, seed=s) for s in range(4)]
        found = [fourier_current(one, standoff=300e-9, method="wiener") for one in maps]
        scores[components] = np.mean([truth.error(one.J.values) for one in found])
        errors = np.mean([one.J_err.values.mean() for one in found])
        assert errors > 0
    assert scores["xyz"] < 0.97 * min(scores["z"], scores["xy"])


def test_a_bad_component_counts_little():
    truth = phantom("u")
    B = np.moveaxis(truth.field(300e-9), 0, -1)
    field = vector_map(B, 2e-6)
    rng = np.random.default_rng(3)
    spoilt = field.copy(deep=True)
    spoilt.B.values[:2] += rng.normal(0, 200e-6, (2, 100, 100))
    spoilt.B_err.values[:2] = 200e-6
    only_z = fourier_current(field.sel(component=["z"]), standoff=300e-9, method="wiener")
    found = fourier_current(spoilt, standoff=300e-9, method="wiener")
    assert truth.error(found.J.values) < 1.05 * truth.error(only_z.J.values)


def test_a_uniform_sheet_is_seen_by_bx_and_by():
    B = np.zeros((30, 30, 3)) + mu_0 / 2 * np.array([200.0, -300.0, 0.0])  # Jy = 200, Jx = 300 A/m
    found = fourier_current(vector_map(B, 1e-9, components="xy"), standoff=100e-9).J.values
    assert found[:, 10:20, 10:20].mean(axis=(1, 2)) == pytest.approx([300, 200], rel=0.1)


@pytest.mark.parametrize("offset", ["mask", "current"])
def test_the_uniform_current_can_be_told(offset):
    truth = phantom("ribbon")
    field = truth.map(200e-9, seed=7)
    away = np.hypot(*truth.J) == 0
    told = {"mask": away, "current": {"y": CURRENT, "x": 0.0}}[offset]
    found = fourier_current(field, standoff=200e-9, method="wiener", offset=told)
    if offset == "mask":
        assert found.J.values[:, away].mean(axis=1) == pytest.approx([0, 0], abs=1e-9)
        assert truth.error(found.J.values) < 0.2
    else:
        assert float(found.J.sel(component="y").sum("x").mean()) * PIXEL == pytest.approx(CURRENT)
        assert float(found.J.sel(component="x").sum("y").mean()) * PIXEL == pytest.approx(0, abs=1e-12)


def test_holes_stay_holes_and_spread_no_further():
    truth = phantom("u")
    whole = truth.map(200e-9, seed=8)
    field = whole.copy(deep=True)
    field.B.values[0, 60:63, 40:43] = np.nan
    field.B.values[0, 10, 80] = np.nan
    field.B_err.values[0, 90, 5] = np.nan
    before, after = (fourier_current(one, standoff=200e-9, cutoff=0.3e-6) for one in (whole, field))
    bad = ~np.isfinite(field.B.values[0]) | ~np.isfinite(field.B_err.values[0])
    assert all(np.array_equal(np.isnan(part), bad) for part in after.J.values)
    assert np.array_equal(np.isnan(after.residual.values), bad)
    assert after.J_err.values[1][61, 44] > 2 * before.J_err.values[1][61, 44]
    far = after.J.values[:, 20:50, 20:60] - before.J.values[:, 20:50, 20:60]
    assert np.abs(far).max() < 0.02 * np.abs(truth.J).max()
    wrong = np.abs(after.J.values - before.J.values) / after.J_err.values
    assert np.nanmax(wrong) < 3


def test_half_a_flake_is_enough():
    """Beyond the edge of the flake nothing is known; within it the current is found."""
    truth = phantom("ribbon")
    field = truth.map(100e-9, seed=9)
    x = field.x.values / PIXEL
    field.B.values[0][:, x > 75] = np.nan
    found = fourier_current(field, standoff=100e-9, offset="median")
    assert np.isnan(found.J.values[1][:, x > 75]).all()
    known = found.J.values[1][:, x <= 70]
    assert known.sum(axis=1).mean() * PIXEL == pytest.approx(CURRENT, rel=0.05)


def test_errors_that_are_far_too_small_are_noticed():
    field = phantom("u").map(300e-9, seed=10)
    field["B_err"] = field["B_err"] / 5
    with pytest.warns(UserWarning, match="times the noise that B_err says"):
        fourier_current(field, standoff=300e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fourier_current(phantom("u").map(300e-9, seed=10), standoff=300e-9)


def test_a_stated_prior_is_taken():
    field = phantom("u").map(500e-9, seed=11)
    weak, strong = (
        fourier_current(field, standoff=500e-9, method="wiener", prior=CurrentPrior(density=d, length=1e-6))
        for d in (5.0, 5000.0)
    )
    assert weak.attrs["user_prior_density"] == 5.0
    assert weak.J_err.mean() < 0.5 * strong.J_err.mean()
    assert weak.attrs["user_resolution"] > 1.5 * strong.attrs["user_resolution"]


def test_a_map_without_any_current_gives_none():
    found = fourier_current(as_map(np.zeros((20, 20)), noise=1e-6), standoff=500e-9)
    assert np.abs(found.J / found.J_err).max() < 6
    nothing = fourier_current(as_map(np.zeros((20, 20))), standoff=500e-9)
    assert np.abs(nothing.J).max() == 0


def test_the_residual_is_noise_where_the_filter_lets_all_pass():
    truth = phantom("u")
    found = fourier_current(truth.map(200e-9, seed=12), standoff=200e-9, method="wiener")
    assert 0.85 * NOISE < float(found.residual.std()) < 1.1 * NOISE


def test_the_result_can_be_saved(tmp_path):
    found = fourier_current(phantom("u").map(300e-9, seed=1).assign_attrs(user_sample="A7"), standoff=300e-9)
    again = vb.load(vb.save(found, tmp_path / "current.h5"))
    assert again.J.values == pytest.approx(found.J.values)
    assert again.attrs["user_sample"] == "A7"
    assert again.J.attrs["units"] == "A/m"


GOOD = phantom("u").map(300e-9).isel(y=slice(0, 24), x=slice(0, 28))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"standoff": 300}, ValueError, "300 nm"),
        ({"standoff": -1e-7}, ValueError, "zero or more"),
        ({"standoff": np.nan}, ValueError, "finite"),
        ({"standoff": 1e-7, "depth": 3e-7}, ValueError, "at least 1.5e-07 m above"),
        ({"standoff": 1e-7, "thickness": -1e-9}, ValueError, "zero or more"),
        ({"standoff": 1e-7, "footprint": 5e-7}, ValueError, "one pixel averages"),
        ({"standoff": 1e-7, "method": "han"}, ValueError, "did you mean 'hann'"),
        ({"standoff": 1e-7, "method": "wiener", "cutoff": 1e-7}, ValueError, "takes a prior"),
        ({"standoff": 1e-7, "cutoff": 0.0}, ValueError, "above zero"),
        ({"standoff": 1e-7, "cutoff": 300.0}, ValueError, "300 nm"),
        ({"standoff": 1e-5, "cutoff": 1e-7}, ValueError, "reaches the sensors"),
        ({"standoff": 1e-7, "prior": (300.0, 1e-6)}, TypeError, "CurrentPrior"),
        ({"standoff": 1e-7, "padding": np.inf}, ValueError, "finite"),
        ({"standoff": 1e-7, "offset": "mean"}, ValueError, "There are none, median"),
        ({"standoff": 1e-7, "offset": np.ones((3, 3), bool)}, ValueError, r"shape \(24, 28\)"),
        ({"standoff": 1e-7, "offset": np.zeros((24, 28), bool)}, ValueError, "no valid pixel"),
        ({"standoff": 1e-7, "offset": np.ones((24, 28))}, ValueError, "bool"),
        ({"standoff": 1e-7, "offset": {"z": 1e-3}}, ValueError, "'x' or 'y'"),
        ({"standoff": 1e-7, "offset": {"y": np.nan}}, ValueError, "finite"),
    ],
)  # fmt: skip
def test_refusals(options, error, words):
    with pytest.raises(error, match=words):
        fourier_current(GOOD, **options)


def test_refusals_of_maps():
    with pytest.raises(LayoutError, match="needs z, or x and y"):
        fourier_current(GOOD.assign_coords(component=["x"]), standoff=1e-7)
    with pytest.raises(LayoutError, match="map is needed"):
        fourier_current(vb.make_sweep(np.ones((3, 2, 2)), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7), standoff=1e-7)
    with pytest.raises(LayoutError, match="no field 'B'"):
        fourier_current(fourier_current(GOOD, standoff=1e-7), standoff=1e-7)
    with pytest.raises(LayoutError, match="negative"):
        fourier_current(GOOD.assign(B_err=-GOOD.B_err).assign(B=GOOD.B), standoff=1e-7)
    with pytest.raises(ValueError, match="density"):
        CurrentPrior(density=0.0, length=1e-6)
