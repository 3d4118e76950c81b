"""Sensor arrays and their images: geometry, exact averages, and a numerical convolution as the judge."""

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
    pitch=st.floats(1e-8, 1e-4),
    shape=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    center=st.tuples(st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3)),
    rotation=st.floats(-3, 3),
    thickness=st.floats(0, 1e-7),
)
def test_json_brings_the_same_array_back(pitch, shape, center, rotation, thickness):
    array = SensorArray(pitch, shape, center, rotation, thickness=thickness)
    assert SensorArray.from_json(array.to_json()) == array


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
def test_average_over_the_edge_of_a_bar_close_by(gap, thickness):
    # Sites across the wire at a step that is no fraction of it: some straddle its edges.
    array = SensorArray(83e-9, (1, 25), rotation=0.07, thickness=thickness)
    standoff = gap + thickness / 2
    got = array.average(BAR.field, standoff=standoff)
    u, w = np.polynomial.legendre.leggauss(40)  # on each half of the side and of the depth
    half = np.concatenate([u - 1, u + 1]) / 2
    weight = np.concatenate([w, w]) / 4
    expected = np.zeros_like(got)
    turn = np.array([[np.cos(0.07), -np.sin(0.07)], [np.sin(0.07), np.cos(0.07)]])
    for a, wa in zip(half * 50e-9, weight, strict=True):
        across, depth = np.meshgrid(half * 50e-9, half[::2] * thickness / 2, indexing="ij")
        wz = weight[::2] / weight[::2].sum()
        offset = turn @ np.array([np.full(across.size, a), across.ravel()])
        x, y = array.x[:, None] + offset[0], array.y[:, None] + offset[1]
        points = np.stack([x, y, standoff + depth.ravel() + 0 * x], -1)
        expected += wa * np.einsum("sqc,q->sc", BAR.field(points), np.outer(weight, wz).ravel())
    assert np.abs(got - expected).max() < 3e-4 * np.abs(expected).max()
    centre = BAR.field(np.column_stack([array.x, array.y, np.full(25, standoff)]))
    assert np.abs(centre - expected).max() > 0.02 * np.abs(expected).max()  # the average is not the centre's value


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


@pytest.mark.parametrize(("ratio", "tolerance"), [(0.23, 2.2e-4), (0.35, 1e-3), (0.5, 4e-3)])
@pytest.mark.parametrize("rotation", [0.0, np.pi / 4, 0.2])
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
        (lambda: SensorArray(1e-6, (0, 1)), "rows, columns"),
        (lambda: SensorArray(1e-6, (2, 2, 2)), "rows, columns"),
        (lambda: SensorArray(1e-6, (2.5, 2)), "whole numbers"),
        (lambda: SensorArray(1e-6, (2, 2), (0, np.inf)), "center"),
        (lambda: SensorArray(1e-6, (2, 2), rotation=np.nan), "rotation"),
        (lambda: SensorArray(1e-6, (2, 2), spot_size=0.0), "spot_size"),
        (lambda: SensorArray(1e-6, (2, 2), thickness=-1e-9), "thickness"),
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
