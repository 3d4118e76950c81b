"""Fields at other heights and components that were not measured, against conductors, laws and statistics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vbsense as vb
from vbsense.analysis import components_from, continue_field
from vbsense.data import LayoutError

PIXEL = 100e-9


def grid(z, rows=80, columns=80, dy=PIXEL, dx=PIXEL):
    """Points (y, x, 3) whose first pixel is at the origin."""
    y, x = np.meshgrid(np.arange(rows) * dy, np.arange(columns) * dx, indexing="ij")
    return np.stack([x, y, np.full_like(x, z)], axis=-1)


def as_map(B, *, dy=PIXEL, dx=PIXEL, error=None, component="z"):
    field = vb.make_map(B, pixel_size=dx, error=error, component=component)
    return field.assign_coords(y=("y", np.arange(B.shape[0]) * dy, {"units": "m"}))


MIDDLE = 39.5 * PIXEL
CONDUCTORS = {
    "ribbon along y": vb.Ribbon((MIDDLE, -1e-2, 0), (MIDDLE, 1e-2, 0), width=1e-6, current=1e-3),
    "bar along x": vb.Bar((-1e-2, MIDDLE, -1e-7), (1e-2, MIDDLE, -1e-7), width=1e-6, thickness=2e-7, current=1e-3),
    "loop": vb.Loop((MIDDLE, MIDDLE, 0), 1e-6, current=1e-3),
}
INSIDE = (slice(20, 60), slice(20, 60))


@pytest.mark.parametrize("name", CONDUCTORS)
@pytest.mark.parametrize("up", [0.2e-6, 0.5e-6])
def test_upward_meets_the_field_of_the_conductor(name, up):
    low, high = (CONDUCTORS[name].field(grid(z)) for z in (0.3e-6, 0.3e-6 + up))
    found = continue_field(as_map(low[..., 2]), distance=up).B.values[0]
    error = np.abs(found - high[..., 2]) / np.abs(high).max()
    assert error[INSIDE].max() < 0.012
    assert error.max() < 0.06


@pytest.mark.parametrize("name", CONDUCTORS)
def test_components_meet_the_field_of_the_conductor(name):
    B = CONDUCTORS[name].field(grid(0.4e-6))
    found = components_from(as_map(B[..., 2]))
    assert found.component.values.tolist() == ["x", "y", "z"]
    error = np.abs(np.moveaxis(found.B.values, 0, -1) - B) / np.abs(B).max()
    assert error.max() < 0.07
    assert found.B.values[2] == pytest.approx(B[..., 2], abs=1e-12)


def test_a_current_along_y_has_bx_above_zero_over_it():
    Bz = CONDUCTORS["ribbon along y"].field(grid(0.2e-6))[..., 2]
    assert components_from(as_map(Bz)).B.values[0][40, 40] > 100e-6


@pytest.mark.parametrize(
    ("direction", "least"), [((1, 0, 1), 0.02), ((1, 1, 1), 0.035), ((-1, 2, 0.5), 0.08), ((0, 0, -2), 0.01)]
)
def test_any_direction_holds_the_whole_field_of_a_loop(direction, least):
    B = CONDUCTORS["loop"].field(grid(0.5e-6))
    measured = B @ (np.array(direction) / np.linalg.norm(direction))
    found = components_from(as_map(measured), direction=direction).B.values
    assert np.abs(np.moveaxis(found, 0, -1) - B).max() < least * np.abs(B).max()


def test_a_direction_in_the_plane_is_damped_where_it_is_blind():
    B = CONDUCTORS["loop"].field(grid(0.5e-6))
    found = components_from(as_map(B[..., 0], component="x")).B.values
    error = np.abs(np.moveaxis(found, 0, -1) - B).max(axis=(0, 1)) / np.abs(B).max()
    assert error[0] < 0.01
    assert error.max() < 0.2
    # Of a current along x nothing is seen by Bx, and nothing is made up.
    flat = np.random.default_rng(0).normal(0, 1e-6, (80, 1)) + np.zeros((80, 80))
    assert np.abs(components_from(as_map(flat, component="x")).B.values[1:]).max() < 1e-12


def test_pixels_need_not_be_square():
    dy, dx = 60e-9, 110e-9
    loop = vb.Loop((40 * dx, 66 * dy, 0), 0.8e-6, current=1e-3)
    low, high = (loop.field(grid(z, 133, 81, dy, dx)) for z in (0.4e-6, 0.7e-6))
    up = continue_field(as_map(low[..., 2], dy=dy, dx=dx), distance=0.3e-6).B.values[0]
    assert np.abs(up - high[..., 2]).max() < 0.01 * np.abs(high).max()
    parts = components_from(as_map(low[..., 2], dy=dy, dx=dx)).B.values
    assert np.abs(np.moveaxis(parts, 0, -1) - low).max() < 0.02 * np.abs(low).max()


def test_the_field_has_neither_sources_nor_curl():
    loop, h = CONDUCTORS["loop"], 20e-9
    field = as_map(loop.field(grid(0.6e-6))[..., 2])
    planes = [components_from(continue_field(field, distance=z)).B.values for z in (0.2e-6 - h, 0.2e-6, 0.2e-6 + h)]
    along = [np.gradient(planes[1], PIXEL, axis=axis) for axis in (2, 1)] + [(planes[2] - planes[0]) / (2 * h)]
    scale = np.abs(along[2]).max()
    divergence = along[0][0] + along[1][1] + along[2][2]
    assert np.abs(divergence[INSIDE]).max() < 0.02 * scale
    for a, b in ((0, 1), (1, 2), (2, 0)):
        assert np.abs((along[a][b] - along[b][a])[INSIDE]).max() < 0.02 * scale


@pytest.fixture
def rough():
    """A map that no current below makes: white noise on a strong mean."""
    return as_map(3e-4 + np.random.default_rng(2).normal(0, 1e-5, (48, 60)))


def test_up_and_down_again_is_the_identity_within_the_band(rough):
    there = continue_field(rough, distance=0.3e-6)
    back = continue_field(there, distance=-0.3e-6, cutoff=0.4e-6)
    band = continue_field(rough, distance=0.0, cutoff=0.4e-6)
    assert back.B.values == pytest.approx(band.B.values, rel=1e-9)
    assert not np.allclose(band.B, rough.B, rtol=1e-3)


def test_two_steps_are_one(rough):
    two = continue_field(continue_field(rough, distance=0.1e-6), distance=0.25e-6)
    assert two.B.values == pytest.approx(continue_field(rough, distance=0.35e-6).B.values, rel=1e-12)


@given(
    rows=st.integers(4, 40), columns=st.integers(4, 40), up=st.floats(0, 3e-6), padding=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_upward_keeps_the_mean_and_calms(rows, columns, up, padding, seed):
    B = 1e-3 + np.random.default_rng(seed).normal(0, 1e-4, (rows, columns))
    field = as_map(B)
    found = continue_field(field, distance=up, padding=padding).B.values[0]
    if padding == 0 or {rows, columns} <= {4, 5, 8, 10, 16, 20, 32, 40}:  # sizes whose mirror image closes by itself
        assert found.mean() == pytest.approx(B.mean(), rel=1e-9)
        assert found.std() <= B.std() * (1 + 1e-9)
    assert np.abs(found - B.mean()).max() < 1.5 * np.abs(B - B.mean()).max()


def test_the_field_beyond_the_edges_is_felt_there_alone():
    slant = vb.Ribbon((MIDDLE - 5e-3, MIDDLE - 1e-2, 0), (MIDDLE + 5e-3, MIDDLE + 1e-2, 0), width=1e-6, current=1e-3)
    low, high = (slant.field(grid(z))[..., 2] for z in (0.1e-6, 0.6e-6))
    error = np.abs(continue_field(as_map(low), distance=0.5e-6).B.values[0] - high) / np.abs(high).max()
    assert error[INSIDE].max() < 0.03
    assert error.max() > 0.2  # as the documentation says: where it crosses the edge


@pytest.mark.parametrize("way", ["up", "down", "components", "tilted"])
def test_errors_are_those_of_repeated_noise(way):
    rng, shape = np.random.default_rng(5), (40, 44)
    error = 1e-6 * (1 + np.linspace(0, 1, 44) * np.ones((40, 1)))
    tasks = {
        "up": lambda field: continue_field(field, distance=0.15e-6),
        "down": lambda field: continue_field(field, distance=-0.1e-6, cutoff=0.4e-6),
        "components": components_from,
        "tilted": lambda field: components_from(field, direction=(1, 0, 1)),
    }
    said = tasks[way](as_map(np.zeros(shape), error=error)).B_err.values
    scatter = np.std([tasks[way](as_map(rng.normal(0, error))).B.values for _ in range(250)], axis=0)
    ratio = (scatter / said)[:, 10:30, 10:34]
    assert ratio.mean() == pytest.approx(1, abs=0.02)  # some 100 independent values of 4.5 %
    assert ratio.min() > 0.8
    assert ratio.max() < 1.25


def test_the_noise_of_neighbours_is_correlated_as_said():
    rng, error = np.random.default_rng(6), np.full((40, 40), 1e-6)
    values = np.array([continue_field(as_map(rng.normal(0, error)), distance=0.2e-6).B.values[0] for _ in range(250)])
    said = continue_field(as_map(0 * error, error=error), distance=0.2e-6).error_correlation.sel(component="z")
    here = values[:, 12:28, 12:28]
    for rows, columns in ((0, 1), (1, 0), (2, 1), (0, 4), (-3, 2)):
        there = values[:, 12 + rows : 28 + rows, 12 + columns : 28 + columns]
        seen = (here * there).mean() / (here**2).mean()
        lag = said.sel(lag_y=rows * PIXEL, lag_x=columns * PIXEL, method="nearest")
        assert seen == pytest.approx(float(lag), abs=0.03)


def test_holes_stay_holes_and_spread_no_further():
    rng, error = np.random.default_rng(7), np.full((80, 80), 1e-6)
    low, high = (CONDUCTORS["ribbon along y"].field(grid(z))[..., 2] for z in (0.2e-6, 0.4e-6))
    noisy = low + rng.normal(0, error)
    holes = noisy.copy()
    holes[30:34, 32:36], holes[60, 10], holes[3, 40] = np.nan, np.nan, np.inf
    whole = continue_field(as_map(noisy, error=error), distance=0.2e-6)
    found = continue_field(as_map(holes, error=error), distance=0.2e-6)
    bad = ~np.isfinite(holes)
    assert np.array_equal(np.isnan(found.B.values[0]), bad)
    assert np.array_equal(np.isnan(found.B_err.values[0]), bad)
    near, far = (31, 36), (50, 60)
    assert found.B_err.values[0][near] > 3 * whole.B_err.values[0][near]
    assert found.B_err.values[0][far] == pytest.approx(whole.B_err.values[0][far], rel=0.2)
    assert found.B.values[0][far] == pytest.approx(high[far], abs=4 * found.B_err.values[0][far] + 2e-6)
    # Beside the holes, whose filling is uncertain, the errors cover what is wrong.
    wrong = np.abs(found.B.values[0] - whole.B.values[0])[26:38, 28:40]
    assert np.nanmax(wrong / found.B_err.values[0][26:38, 28:40]) < 3


def test_a_pixel_without_an_error_was_not_measured():
    error = np.full((30, 30), 1e-6)
    error[4, 5] = np.nan
    found = continue_field(as_map(np.ones((30, 30)) * 1e-3, error=error), distance=0.1e-6)
    assert np.argwhere(np.isnan(found.B.values[0])).tolist() == [[4, 5]]


@pytest.mark.parametrize("stated", [True, False])
def test_downward_finds_its_own_cutoff(stated):
    rng, noise = np.random.default_rng(8), 1e-6
    low, high = (CONDUCTORS["ribbon along y"].field(grid(z))[..., 2] for z in (0.2e-6, 0.6e-6))
    field = as_map(high + rng.normal(0, noise, high.shape), error=np.full(high.shape, noise) if stated else None)
    found = continue_field(field, distance=-0.4e-6)

    def miss(one):
        return np.linalg.norm(one.B.values[0][INSIDE] - low[INSIDE])

    tried = [miss(continue_field(field, distance=-0.4e-6, cutoff=c)) for c in np.geomspace(0.2e-6, 3e-6, 24)]
    assert miss(found) < 1.15 * min(tried)
    assert miss(found) < 0.35 * np.linalg.norm((high - low)[INSIDE])
    assert found.attrs["user_source_distance"] == pytest.approx(0.6e-6, rel=0.5)


def test_a_plane_below_the_currents_is_warned_of():
    Bz = CONDUCTORS["ribbon along y"].field(grid(0.3e-6))[..., 2]
    field = as_map(Bz + np.random.default_rng(9).normal(0, 1e-6, Bz.shape), error=np.full(Bz.shape, 1e-6))
    with pytest.warns(UserWarning, match="through its sources"):
        continue_field(field, distance=-1e-6)


def test_every_component_of_a_vector_map_is_continued():
    B = CONDUCTORS["loop"].field(grid(0.4e-6))
    field = components_from(as_map(B[..., 2]))
    moved = continue_field(field, distance=0.2e-6)
    expected = components_from(continue_field(as_map(B[..., 2]), distance=0.2e-6))
    assert moved.B.values[2] == pytest.approx(expected.B.values[2], abs=1e-12)
    assert np.abs(moved.B.values - expected.B.values)[(slice(None), *INSIDE)].max() < 0.02 * np.abs(B).max()


def test_the_map_can_be_saved_and_says_what_was_done(tmp_path):
    field = as_map(np.random.default_rng(1).normal(0, 1e-6, (20, 24)), error=np.full((20, 24), 1e-6))
    with pytest.warns(UserWarning, match="start from the measured map"):
        found = components_from(continue_field(field, distance=-0.05e-6, cutoff=0.5e-6))
    again = vb.load(vb.save(found, tmp_path / "map.h5"))
    assert again.B.values == pytest.approx(found.B.values)
    assert again.attrs["history"].splitlines() == [
        "continue_field: 5e-08 m down",
        "components_from: along [0.0, 0.0, 1.0]",
    ]


GOOD = as_map(np.random.default_rng(0).normal(0, 1e-6, (12, 14)))
SITES = vb.data.make_site_map(
    np.zeros(3),
    sites=vb.data.make_site_sweep(
        np.ones((3, 3)), [3e9, 3.1e9, 3.2e9], x=[0, 1e-7, 2e-7], y=[0, 0, 0], row=[0, 0, 0], column=[0, 1, 2]
    ),
)


def test_noise_that_was_filtered_before_is_warned_of():
    first = continue_field(as_map(np.zeros((20, 24)), error=np.full((20, 24), 1e-6)), distance=0.1e-6)
    with pytest.warns(UserWarning, match="start from the measured map"):
        continue_field(first, distance=0.1e-6)
    continue_field(first.drop_vars("B_err"), distance=0.1e-6)  # no errors, none that are wrong


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: continue_field(GOOD, distance=50), ValueError, "50 nm"),
        (lambda: continue_field(GOOD, distance=np.nan), ValueError, "finite"),
        (lambda: continue_field(GOOD, distance="1um"), ValueError, "finite"),
        (lambda: continue_field(GOOD, distance=1e-7, cutoff=0), ValueError, "above zero"),
        (lambda: continue_field(GOOD, distance=1e-7, cutoff=-1e-6), ValueError, "above zero"),
        (lambda: continue_field(GOOD, distance=-1e-5, cutoff=1e-7), ValueError, "give a cutoff above 2.7e-06 m"),
        (lambda: continue_field(GOOD, distance=1e-7, padding=-1), ValueError, "mirror image"),
        (lambda: continue_field(GOOD, distance=1e-7, padding=20), ValueError, "mirror image"),
        (lambda: continue_field(SITES, distance=1e-7), LayoutError, "fit_wire"),
        (lambda: continue_field(GOOD.isel(y=[0]), distance=1e-7), LayoutError, "two rows"),
        (lambda: continue_field(GOOD.isel(x=[0, 1, 5]), distance=1e-7), LayoutError, "evenly spaced"),
        (lambda: continue_field(GOOD * np.nan, distance=1e-7), ValueError, "no valid pixel"),
        (lambda: continue_field(GOOD.B, distance=1e-7), TypeError, "Dataset"),
        (lambda: continue_field(vb.analysis.smooth(GOOD, 2e-7), distance=1e-7), ValueError, "smoothed"),
        (lambda: components_from(GOOD, direction=(0, 0, 0)), ValueError, "not all zero"),
        (lambda: components_from(GOOD, direction="z"), ValueError, "x, y and z"),
        (lambda: components_from(GOOD, damping=0), ValueError, "above zero"),
        (lambda: components_from(GOOD, damping=3), ValueError, "at most 1"),
        (lambda: components_from(components_from(GOOD)), LayoutError, "select one"),
    ],
)  # fmt: skip
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call()
