"""Sensor arrays and their images: geometry, exact averages, and a numerical convolution as the judge."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

import vbsense as vb
from vbsense.optics import SensorArray, spot_images

BAR = vb.Bar((0, -50e-6, -50e-9), (0, 50e-6, -50e-9), width=1e-6, thickness=100e-9, current=1e-3)
ONE = {"pitch": 1e-6, "shape": (1, 1)}


# --- lattice ----------------------------------------------------------------------------------------------------------


def test_rows_go_along_y_and_columns_along_x():
    array = SensorArray(pitch=2e-6, shape=(2, 3), center=(10e-6, 20e-6))
    assert array.x == pytest.approx([8e-6, 10e-6, 12e-6] * 2)
    assert array.y == pytest.approx([19e-6] * 3 + [21e-6] * 3)
    assert array.row.tolist() == [0, 0, 0, 1, 1, 1]
    assert array.column.tolist() == [0, 1, 2, 0, 1, 2]


@settings(max_examples=50, deadline=None)
@given(angle=st.floats(-7, 7), rows=st.integers(1, 6), columns=st.integers(1, 6))
def test_rotation_keeps_distances_and_turns_anticlockwise(angle, rows, columns):
    straight = SensorArray(1e-6, (rows, columns), (3e-6, -2e-6))
    turned = SensorArray(1e-6, (rows, columns), (3e-6, -2e-6), rotation=angle)
    z = (straight.x - 3e-6) + 1j * (straight.y + 2e-6)
    got = (turned.x - 3e-6) + 1j * (turned.y + 2e-6)
    assert np.abs(got - z * np.exp(1j * angle)).max() < 1e-18


@settings(max_examples=50, deadline=None)
@given(
    pitch=st.floats(2e-7, 1e-5),
    pitch_y=st.floats(2e-7, 1e-5),
    shear=st.floats(-0.6, 0.6),
    angle=st.floats(-3, 3),
    shape=st.tuples(st.integers(2, 6), st.integers(2, 6)),
)
def test_a_lattice_is_spanned_by_its_two_vectors(pitch, pitch_y, shear, angle, shape):
    array = SensorArray(pitch, shape, (3e-6, -2e-6), angle, 1e-8, pitch_y=pitch_y, shear=shear)
    z = (array.x + 1j * array.y).reshape(shape)
    across, up = z[0, 1] - z[0, 0], z[1, 0] - z[0, 0]
    assert np.diff(z, axis=1) == pytest.approx(across, abs=1e-18)
    assert np.diff(z, axis=0) == pytest.approx(up, abs=1e-18)
    assert [abs(across), abs(up)] == pytest.approx([pitch, pitch_y], rel=1e-9)
    assert np.angle(up / across) == pytest.approx(np.pi / 2 - shear, abs=1e-9)
    assert np.angle(across * np.exp(-1j * angle)) == pytest.approx(0, abs=1e-9)
    assert z.mean() == pytest.approx(3e-6 - 2e-6j, abs=1e-18)
    far = np.abs(z.ravel()[:, None] - z.ravel()) + np.where(np.eye(z.size), np.inf, 0)
    assert array.nearest == pytest.approx(far.min(), rel=1e-6)


@pytest.mark.parametrize(("pitch", "pitch_y", "shear"), [(400, 1000, 1.45), (400, 900, -1.2), (900, 250, 0.3)])
def test_the_nearest_neighbour_of_a_lattice_that_leans_far(pitch, pitch_y, shear):
    """Several columns, or rows, away from the one in the same column or row."""
    array = SensorArray(pitch * 1e-9, (4, 6), pitch_y=pitch_y * 1e-9, shear=shear)
    z = array.x + 1j * array.y
    assert array.nearest == pytest.approx(np.abs(z[:, None] - z)[~np.eye(24, dtype=bool)].min(), rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(
    pitch=st.floats(5e-7, 1e-4),
    shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    center=st.tuples(st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3)),
    rotation=st.floats(-3, 3),
    thickness=st.floats(0, 1e-7),
    new=st.fixed_dictionaries(
        {},
        optional={
            "pitch_y": st.floats(5e-7, 1e-4),
            "shear": st.floats(-0.5, 0.5),
            "placement_scatter": st.floats(0, 1e-7),
            "seed": st.integers(0, 2**32),
            "spot_shape": st.sampled_from(["square", "disc", "gaussian"]),
            "missing": st.just([0]),
        },
    ),
)
def test_json_brings_the_same_array_back(pitch, shape, center, rotation, thickness, new):
    if shape == (1, 1):
        new.pop("missing", None)
    array = SensorArray(pitch, shape, center, rotation, thickness=thickness, **new)
    back = SensorArray.from_json(array.to_json())
    assert back == array
    assert hash(back) == hash(array)
    assert (back.x == array.x).all()
    owner = SensorArray.from_json(array.to_json(design_only=True))
    assert owner == array.design
    assert (owner.x == array.design_x).all()
    assert (owner.y == array.design_y).all()


@settings(max_examples=50, deadline=None)
@given(
    places=st.lists(st.tuples(st.integers(-99, 99), st.integers(-99, 99)), min_size=1, max_size=30, unique=True),
    angle=st.floats(-3, 3),
    center=st.tuples(st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3)),
)
def test_a_list_of_sites_is_kept_moved_and_turned(places, angle, center):
    x, y = np.array(places).T * 1e-6
    array = SensorArray.from_sites(x, y)
    assert (array.x == x).all()
    assert (array.y == y).all()
    assert array.row.tolist() == [0] * len(x)
    assert array.column.tolist() == list(range(len(x)))
    moved = SensorArray.from_sites(x, y, center=center, rotation=angle)
    assert moved == replace(array, center=center, rotation=angle) == SensorArray.from_json(moved.to_json())
    expected = complex(*center) + (x + 1j * y) * np.exp(1j * angle)
    assert moved.x + 1j * moved.y == pytest.approx(expected, abs=1e-15)
    if len(x) > 1:
        z = x + 1j * y
        assert array.pitch == pytest.approx(np.abs(z[:, None] - z)[~np.eye(len(x), dtype=bool)].min(), rel=1e-12)


def test_the_list_of_a_lattice_is_that_lattice():
    lattice = SensorArray(400e-9, (3, 4), (1e-6, 2e-6), shear=0.1, missing=[5, 2])
    sites = SensorArray.from_sites(lattice.x, lattice.y, row=lattice.row, column=lattice.column)
    assert (sites.row == lattice.row).all()
    assert (sites.column == lattice.column).all()
    assert sites.shape == (3, 4)
    for standoff in (25e-9, 60e-9):
        assert sites.average(BAR.field, standoff=standoff) == pytest.approx(
            lattice.average(BAR.field, standoff=standoff), rel=1e-12, abs=1e-15
        )


def test_missing_sites_leave_the_others_where_they_are():
    full = SensorArray(400e-9, (3, 4), placement_scatter=10e-9, seed=3)
    holes = SensorArray(400e-9, (3, 4), placement_scatter=10e-9, seed=3, missing=[7, 0])
    kept = np.setdiff1d(np.arange(12), [0, 7])
    assert (holes.x == full.x[kept]).all()
    assert (holes.y == full.y[kept]).all()
    assert (holes.row == full.row[kept]).all()
    assert (holes.column == full.column[kept]).all()


def test_the_scatter_of_the_placement_is_normal_drawn_once_and_goes_along():
    sigma = 8e-9
    array = SensorArray(400e-9, (60, 60), placement_scatter=sigma, seed=5)
    offsets = np.array([array.x - array.design_x, array.y - array.design_y])
    n = offsets.shape[1]
    assert offsets.mean(axis=1) == pytest.approx([0, 0], abs=4.5 * sigma / np.sqrt(n))
    assert offsets.std(axis=1) == pytest.approx(sigma, rel=4.5 / np.sqrt(2 * n))
    assert abs(np.corrcoef(offsets)[0, 1]) < 4.5 / np.sqrt(n)
    again = replace(array, center=(3e-6, 1e-6))
    assert again.x - 3e-6 == pytest.approx(array.x, abs=1e-18)
    assert (replace(array, seed=6).x != array.x).all()
    assert array.design == SensorArray(400e-9, (60, 60))


def test_the_text_of_a_plain_lattice_is_what_it_always_was():
    text = '{"pitch": 4e-07, "shape": [3, 4], "center": [1e-06, 0.0], "rotation": 0.07, "spot_size": 1e-07, '
    text += '"thickness": 4e-08}'
    array = SensorArray(400e-9, (3, 4), (1e-6, 0.0), 0.07)
    assert array.to_json() == text
    assert SensorArray.from_json(text) == array
    assert "spot_shape" in json.loads(replace(array, spot_shape="disc").to_json())


def test_overlapping_spots_are_warned_of_with_both_numbers():
    with pytest.warns(UserWarning, match=r"spot_size is 2e-07 m, larger .* 1e-07 m"):
        SensorArray(100e-9, (2, 2), spot_size=200e-9)
    with pytest.warns(UserWarning, match=r"spot_size is 1e-07 m, larger .* 6\.5"):  # a diagonal of a sheared lattice
        SensorArray(101e-9, (2, 2), shear=0.97, pitch_y=115e-9)
    with pytest.warns(UserWarning, match="overlap"):
        SensorArray.from_sites([0, 50e-9], [0, 0])


def test_a_single_row_may_have_any_pitch_across(recwarn):
    SensorArray(200e-9, (1, 5), pitch_y=1e-9)
    SensorArray(1e-9, (1, 1))
    assert not recwarn


# --- field averages ---------------------------------------------------------------------------------------------------


def test_linear_fields_average_to_their_value_in_the_middle():
    array = SensorArray(1e-6, (2, 3), (1e-6, 2e-6), rotation=0.4, spot_size=150e-9, thickness=60e-9)
    gradient = np.array([[1.0, 2.0, -3.0], [0.5, -1.0, 4.0], [2.0, 0.0, -0.3]])
    got = array.average(lambda p: p @ gradient.T + 7.0, standoff=80e-9)
    middle = np.column_stack([array.x, array.y, np.full(6, 80e-9)])
    assert got == pytest.approx(middle @ gradient.T + 7.0, rel=1e-13)


def test_second_moments_of_footprint_and_depth_turn_with_the_lattice():
    side, depth = 200e-9, 60e-9
    for angle in (0.0, 0.3, 1.0):
        array = SensorArray(**ONE, rotation=angle, spot_size=side, thickness=depth)
        second = array.average(lambda p: p**2, standoff=100e-9)[0]
        assert second == pytest.approx([side**2 / 12, side**2 / 12, 100e-9**2 + depth**2 / 12])
        c, s = np.cos(angle), np.sin(angle)
        fourth = side**4 * ((c**4 + s**4) / 80 + 6 * c**2 * s**2 / 144)
        assert array.average(lambda p: p**4, standoff=100e-9)[0, 0] == pytest.approx(fourth)


@pytest.mark.parametrize(("gap", "thickness"), [(5e-9, 40e-9), (5e-9, 30e-9), (15e-9, 40e-9)])
def test_the_fixed_rule_errs_as_stated_and_the_centre_of_a_spot_far_more(gap, thickness):
    # Sites across the wire at a step that is no fraction of it: some straddle its edges.
    array = SensorArray(101e-9, (1, 25), rotation=0.07, thickness=thickness)
    standoff = gap + thickness / 2
    exact = array.average(BAR.field, standoff=standoff, tolerance=1e-7)  # tests/test_spots.py judges this one
    largest = np.abs(exact).max()
    assert np.abs(array.average(BAR.field, standoff=standoff, order=(8, 4)) - exact).max() < 2e-4 * largest
    centre = BAR.field(np.column_stack([array.x, array.y, np.full(25, standoff)]))
    assert np.abs(centre - exact).max() > 0.02 * largest


def test_average_at_other_places_keeps_their_order():
    array = SensorArray(400e-9, (3, 4), (1e-6, 0.0))
    all_sites = array.average(BAR.field, standoff=50e-9)
    some = [7, 2, 11]
    assert array.average(BAR.field, standoff=50e-9, at=(array.x[some], array.y[some])) == pytest.approx(all_sites[some])


def test_a_layer_without_thickness_lies_at_the_standoff():
    array = SensorArray(**ONE, thickness=0.0)
    assert array.average(lambda p: p * 1.0, standoff=7e-9)[0, 2] == pytest.approx(7e-9)


# --- images -----------------------------------------------------------------------------------------------------------


def convolved(array, shape, pixel, fwhm, n=24):
    """Gaussian, turned square and pixel convolved by quadrature over the square."""
    sigma = fwhm / np.sqrt(8 * np.log(2))
    u, w = np.polynomial.legendre.leggauss(n)
    a, b = (v.ravel() * array.spot_size / 2 for v in np.meshgrid(u, u))
    weight = np.outer(w, w).ravel() / 4
    c, s = np.cos(array.rotation), np.sin(array.rotation)
    image = np.zeros((array.x.size, *shape))
    for k, (x, y) in enumerate(zip(array.x, array.y, strict=True)):
        edges = [(np.arange(n_pixels + 1) - 0.5) * pixel for n_pixels in shape]
        along_y = np.diff(ndtr((edges[0][:, None] - (y + s * a + c * b)) / sigma), axis=0)
        along_x = np.diff(ndtr((edges[1][:, None] - (x + c * a - s * b)) / sigma), axis=0)
        image[k] = np.einsum("yq,xq,q->yx", along_y, along_x, weight)
    return image


@pytest.mark.parametrize("ratio", [0.05, 0.23, 0.5, 1.5])
@pytest.mark.parametrize(("rotation", "tolerance"), [(0.0, 2e-9), (-np.pi / 2, 2e-9), (np.pi / 4, 2e-6), (0.2, 2e-6)])
def test_images_against_a_numerical_convolution(ratio, tolerance, rotation):
    shape, pixel, fwhm = (19, 27), 130e-9, 440e-9
    array = SensorArray(0.9e-6, (1, 2), (1.71e-6, 1.24e-6), rotation, spot_size=ratio * fwhm)
    got = spot_images(array, shape=shape, pixel_size=pixel, psf_fwhm=fwhm).toarray().T.reshape(2, *shape)
    expected = convolved(array, shape, pixel, fwhm)
    assert np.abs(got - expected).max() < tolerance * expected.max()


def test_every_spot_well_inside_is_normalised_and_centred():
    array = SensorArray(700e-9, (3, 2), (2.03e-6, 2.5e-6), rotation=0.1)
    images = spot_images(array, shape=(51, 41), pixel_size=1e-7, psf_fwhm=3e-7).toarray().T.reshape(6, 51, 41)
    assert images.sum((1, 2)) == pytest.approx(1, abs=1e-6)
    assert images.min() >= 0
    assert np.einsum("kyx,x->k", images, np.arange(41) * 1e-7) == pytest.approx(array.x, abs=1e-12)
    assert np.einsum("kyx,y->k", images, np.arange(51) * 1e-7) == pytest.approx(array.y, abs=1e-12)


def test_the_image_is_sparse_and_light_outside_the_picture_is_lost():
    array = SensorArray(5e-6, (3, 3), (10e-6, 10e-6))
    images = spot_images(array, shape=(201, 201), pixel_size=1e-7, psf_fwhm=4e-7)
    assert images.nnz < 0.02 * 201 * 201 * 9
    edge = SensorArray(**ONE, center=(-0.05e-6, 1e-6))  # on the outer edge of pixel (10, 0)
    assert spot_images(edge, shape=(21, 21), pixel_size=1e-7, psf_fwhm=4e-7).sum() == pytest.approx(0.5, abs=1e-4)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SensorArray(-1e-6, (1, 1)), "pitch"),
        (lambda: SensorArray(np.nan, (1, 1)), "pitch"),
        (lambda: SensorArray(1.0, (1, 1)), "pitch is 1 m.*write 400 nm as 400e-9"),
        (lambda: SensorArray(400.0, (1, 1)), "pitch is 400 m.*write 400 nm as 400e-9"),
        (lambda: SensorArray(1e-6, (1, 1), pitch_y=0.0), "pitch_y is 0.0"),
        (lambda: SensorArray(1e-6, (0, 1)), "rows, columns"),
        (lambda: SensorArray(1e-6, (2, 2, 2)), "rows, columns"),
        (lambda: SensorArray(1e-6, 5), "rows, columns"),
        (lambda: SensorArray(1e-6, (2.5, 2)), "whole numbers"),
        (lambda: SensorArray(1e-6, (2, 2), (0, np.inf)), "center"),
        (lambda: SensorArray(1e-6, (2, 2), (0, 5.0)), "center.*write 5 um as 5e-6"),
        (lambda: SensorArray(1e-6, (2, 2), "middle"), "center is 'middle'"),
        (lambda: SensorArray(1e-6, (2, 2), rotation=np.nan), "rotation"),
        (lambda: SensorArray(1e-6, (2, 2), rotation=45), r"rotation is 45 rad.*np.radians\(45\)"),
        (lambda: SensorArray(1e-6, (2, 2), shear=np.pi / 2), "shear"),
        (lambda: SensorArray(1e-6, (2, 2), spot_size=0.0), "spot_size"),
        (lambda: SensorArray(1e-6, (2, 2), spot_size=100.0), "spot_size is 100 m"),
        (lambda: SensorArray(1e-6, (2, 2), thickness=-1e-9), "thickness is -1e-09"),
        (lambda: SensorArray(1e-6, (2, 2), thickness=40), "thickness is 40 m"),
        (lambda: SensorArray(1e-6, (2, 2), placement_scatter=-1e-9), "placement_scatter"),
        (lambda: SensorArray(1e-6, (2, 2), placement_scatter=5.0), "placement_scatter is 5 m"),
        (lambda: SensorArray(1e-6, (2, 2), seed=-1), "seed is -1"),
        (lambda: SensorArray(1e-6, (2, 2), seed=0.5), "seed is 0.5"),
        (lambda: SensorArray(1e-6, (2, 2), spot_shape="disk"), "did you mean 'disc'"),
        (lambda: SensorArray(1e-6, (2, 2), spot_shape=3), "spot_shape is 3"),
        (lambda: SensorArray(1e-6, (2, 2), missing=[4]), "missing names site 4"),
        (lambda: SensorArray(1e-6, (2, 2), missing=[-1]), "missing is -1"),
        (lambda: SensorArray(1e-6, (2, 2), missing=2), "missing is 2"),
        (lambda: SensorArray(1e-6, (2, 2), missing=range(4)), "all 4 sites"),
        (lambda: SensorArray(1e-6, (2, 2), depth_profile="even"), "depth_profile is 'even'"),
        (lambda: SensorArray(1e-6, (2, 2), depth_profile=3.0), "depth_profile is 3.0"),
        (lambda: SensorArray(1e-6, (2, 2), depth_profile=([1e-9], [1, 2])), "one length"),
        (lambda: SensorArray(1e-6, (2, 2), depth_profile=([1e-9, 50e-9], [1, 2])), "from 1e-09 to 5e-08 m"),
        (lambda: SensorArray(1e-6, (2, 2), depth_profile=([1e-9, np.nan], [1, 2])), "heights from"),
        (lambda: SensorArray(1e-6, (2, 2), depth_profile=([1e-9, 2e-9], [0, 0])), "positive sum"),
        (lambda: SensorArray(1e-6, (2, 2), depth_profile=([1e-9, 2e-9], [3, -1])), "0 or more"),
        (lambda: SensorArray(1e-6, (2, 2), labels=[(0, 0)]), "labels are given without sites"),
        (lambda: SensorArray(1e-6, (1, 1), sites=[(0, 0), (1e-6, 0)]), r"shape is \(1, 1\)"),
        (lambda: SensorArray(1e-6, (1, 2), sites=[(0, 0), (1e-6, 0)], shear=0.1), "shear is 0.1 beside a list"),
        (lambda: SensorArray(1e-6, (1, 2), sites=[0.0, 1.0]), "sites have shape"),
        (lambda: SensorArray(1e-6, (1, 2), sites="here"), "sites: received 'here'; give real numbers"),
        (lambda: SensorArray(1e-6, (1, 1), sites=[(0, 0)], labels=[(0,)]), "labels are .* one .row, column. per site"),
        (lambda: SensorArray(1e-6, (1, 1), sites=[(0, 0)], labels=3), "labels are 3"),
        (lambda: SensorArray(1e-6, (2, 2), missing=None), "missing is None"),
        (lambda: SensorArray.from_sites("ab", [0, 1e-6]), "x: received 'ab'; give real numbers"),
        (lambda: SensorArray.from_sites([0, 1e-6], [0, 0], row=[0, 1], column=["a", "b"]), "column is 'a'"),
        (lambda: SensorArray(1e-6, (1, 2), sites=[(0, 0), (0, np.nan)]), "site 1 is at"),
        (lambda: SensorArray.from_sites([0, 1e-6], [0]), "positions have shapes x .2,., y .1,."),
        (lambda: SensorArray.from_sites([], []), "at least one site"),
        (lambda: SensorArray.from_sites([0, 0], [1e-6, 1e-6]), "lie at one place"),
        (lambda: SensorArray.from_sites([0, 1.0], [0, 0]), "pitch is 1 m"),
        (lambda: SensorArray.from_sites([0, 1e-6], [0, 0], row=[0, 1]), "only one of them"),
        (lambda: SensorArray.from_sites([0, 1e-6], [0, 0], row=[0], column=[1]), "there are 2 sites"),
        (lambda: SensorArray.from_sites([0, 1e-6], [0, 0], row=[1, 1], column=[1, 1]), "name two sites"),
        (lambda: SensorArray.from_sites([0, 1e-6], [0, 0], row=[0.5, 1], column=[1, 1]), "row is 0.5"),
        (lambda: SensorArray(**ONE).average(BAR.field, standoff=10e-9), "cut the conductor"),
        (lambda: SensorArray(**ONE).average(BAR.field, standoff=np.nan), "standoff"),
        (lambda: SensorArray.from_json("[1, 2]"), "JSON"),
        (lambda: SensorArray.from_json("{"), "JSON"),
        (lambda: SensorArray.from_json('{"pitch": 1e-6, "shape": [2, 2], "color": 3}'), "color"),
        (lambda: SensorArray.from_json('{"pitch": "wide", "shape": [2, 2]}'), "JSON"),
        (lambda: SensorArray.from_json('{"pitch": 1e-6, "shape": [Infinity, 2]}'), "whole numbers"),
        (lambda: spot_images(SensorArray(**ONE), shape=(9, 9), pixel_size=0.0, psf_fwhm=1e-7), "pixel_size"),
        (lambda: spot_images(SensorArray(**ONE), shape=(9, 9), pixel_size=1e-7, psf_fwhm=np.nan), "psf_fwhm"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match="pitch is 'wide'"):
        SensorArray("wide", (1, 1))
    with pytest.raises(TypeError, match="pitch is '1e-6'; it must be a positive length in metres"):
        SensorArray("1e-6", (1, 1))
    with pytest.raises(TypeError, match="'pitch'"):
        SensorArray.from_sites([0, 1e-6], [0, 0], pitch=1e-6)
    with pytest.raises(TypeError, match="spot_sise"):
        SensorArray.from_sites([0, 1e-6], [0, 0], spot_sise=1e-7)
