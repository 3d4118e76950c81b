"""Sums and placements, and finite conductors against quadratures of their own."""

from itertools import pairwise

import numpy as np
import pytest
from field_laws import circulation, curl, divergence, relative
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import mu_0
from scipy.spatial.transform import Rotation

from vbsense.currents import Bar, Loop, Placed, Polyline, Ribbon, Sum, path, turn

I = 1e-3


# --- quadrature of the law of Biot and Savart ----------------------------------------------------------------------


def pyramids(near, far, order=200):
    """Integral of R / R^3 over a box (R from the element to the point, here the origin) between two opposite corners.

    The box is a sum with signs of eight boxes with one corner in the point, each of them three pyramids with the tip
    there: the singularity cancels against the volume element, and a product of two Gauss rules is left.
    """
    nodes, weights = np.polynomial.legendre.leggauss(order)
    nodes, weights = (nodes + 1) / 2, weights / 2
    v, w = np.meshgrid(nodes, nodes, indexing="ij")
    both = np.outer(weights, weights)
    total = np.zeros(3)
    for which in np.ndindex(2, 2, 2):
        corner = np.where(np.array(which) == 1, far, near)
        sign = 1 if sum(which) % 2 else -1
        for k in range(3):
            unit = np.empty((3, order, order))
            unit[k], unit[k - 1], unit[k - 2] = 1.0, v, w
            e = -corner[:, None, None] * unit
            total += sign * np.prod(corner) * (both * e / np.linalg.norm(e, axis=0) ** 3).sum(axis=(1, 2))
    return total


@pytest.mark.parametrize(
    ("point", "tolerance"),
    [
        ((0.1, 0.2, 0.05), 1e-9),  # inside
        ((0.45, 0.9, 0.19), 1e-9),
        ((0.3, -0.4, 0.5), 1e-9),  # above, below, beside, past the end
        ((0.3, -0.4, -0.21), 1e-9),
        ((0.9, 0.1, 0.1), 1e-9),
        ((0.2, 1.3, 0.1), 1e-9),
    ],
)
def test_bar_is_its_volume_integral(point, tolerance):
    sides, unit = np.array([0.5, 1.0, 0.2]), 1e-6
    g = pyramids(-sides - point, sides - point)
    density = I / (4 * sides[0] * sides[2] * unit**2)
    expected = mu_0 / (4 * np.pi) * density * unit * np.cross([0, 1, 0], g)
    wire = Bar((0, -unit, 0), (0, unit, 0), 1e-6, 0.4e-6, I)
    assert relative(wire.field(unit * np.array(point)), expected) < tolerance


@pytest.mark.parametrize("point", [(0.3, 0.4, 0.4), (0.3, 0.4, -0.4), (1.4, -0.3, 0.1), (0.2, 1.5, 0.0), (0, 0, 3.0)])
def test_ribbon_is_its_area_integral(point):
    """Both sides of the sheet and in its plane: a product of Gauss rules, independent of the closed form."""
    nodes, weights = np.polynomial.legendre.leggauss(300)
    x, y = np.meshgrid(0.5 * nodes, nodes, indexing="ij")
    e = np.stack([point[0] - x, point[1] - y, np.full(x.shape, point[2])], axis=-1)
    weight = 0.5 * np.outer(weights, weights)[..., None] / np.linalg.norm(e, axis=-1, keepdims=True) ** 3
    unit = 1e-6
    expected = mu_0 / (4 * np.pi) * I / unit * (np.cross([0, 1, 0], e) * weight).sum(axis=(0, 1))
    film = Ribbon((0, -unit, 0), (0, unit, 0), unit, I)
    assert relative(film.field(unit * np.array(point)), expected) < 1e-10


# --- sums ----------------------------------------------------------------------------------------------------------


def test_a_sum_adds_fields_and_keeps_shapes():
    parts = [Loop((0, 0, k), 0.1, k + 1.0) for k in range(3)]
    points = np.random.default_rng(0).normal(size=(2, 5, 3))
    np.testing.assert_allclose(Sum(parts).field(points), sum(part.field(points) for part in parts), rtol=1e-14)
    assert Sum(parts).field([0, 0, 0]).shape == (3,)
    assert Sum(parts).current == 1.0
    assert Sum(parts, current=6.0).scaled(0.5).current == 3.0
    assert Sum(iter(parts)) == Sum(parts)


def test_square_ends_break_the_circuit_and_mitred_corners_do_not():
    """Four bars between the corners overlap inside and leave a notch outside: div J is not zero there."""
    corners = 1e-5 * np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 0)])
    square = Sum([Bar(a, b, 1e-6, 0.2e-6, I) for a, b in pairwise(corners)])
    mitred = path(corners, 1e-6, 0.2e-6, I, closed=True)
    off, exact = (circulation(ring, (5e-6, 0, 0), 2e-6, (1, 0, 0)) / (mu_0 * I) - 1 for ring in (square, mitred))
    assert 1e-4 < abs(off) < 2e-3
    assert abs(exact) < 1e-11


# --- placements ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_placing_is_what_a_turned_conductor_does(seed):
    rng = np.random.default_rng(seed)
    rotation, shift, points = Rotation.random(rng=rng), 1e-6 * rng.normal(size=3), 1e-6 * rng.normal(size=(7, 3))
    start, end, normal = np.array([(0, -2e-6, 0), (0, 2e-6, 0), (0, 0, 1)])
    ends = rotation.apply(start) + shift, rotation.apply(end) + shift
    for still, moved in [
        (Bar(start, end, 7e-7, 2e-7, I), Bar(*ends, 7e-7, 2e-7, I, rotation.apply(normal))),
        (Polyline([start, end], I), Polyline(ends, I)),
        (Loop(start, 1e-6, I), Loop(ends[0], 1e-6, I, rotation.apply(normal))),
    ]:
        B = moved.field(points)
        placed = Placed(still, shift, rotation.as_matrix())
        np.testing.assert_allclose(placed.field(points), B, rtol=0, atol=1e-10 * np.abs(B).max())


def test_placements_nest():
    wire, a, b = Bar((0, -1e-5, 0), (0, 1e-5, 0), 1e-6, 1e-7, I), turn(0.7, axis=(1, 2, 3)), turn(-1.9, axis=(0, 1, 1))
    points = 1e-5 * np.random.default_rng(0).normal(size=(9, 3))
    twice = Placed(Placed(wire, (1e-6, 0, 2e-6), a), (0, 3e-6, 0), b)
    once = Placed(wire, b @ [1e-6, 0, 2e-6] + [0, 3e-6, 0], b @ a)
    np.testing.assert_allclose(twice.field(points), once.field(points), rtol=1e-9, atol=1e-16)
    np.testing.assert_array_equal(Placed(wire).field(points), wire.field(points))


@given(st.floats(-10, 10), st.tuples(*3 * [st.floats(-1, 1)]).filter(lambda v: np.linalg.norm(v) > 1e-3))
@settings(max_examples=50, deadline=None)
def test_turn_agrees_with_scipy(angle, axis):
    expected = Rotation.from_rotvec(angle * np.array(axis) / np.linalg.norm(axis)).as_matrix()
    np.testing.assert_allclose(turn(angle, axis=axis), expected, atol=1e-13)


def test_a_placed_circuit_obeys_the_laws():
    ring = path(1e-5 * np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 0)]), 5e-7, 2e-7, I, closed=True)
    moved = Placed(ring, (1e-6, 2e-6, 3e-6), turn(1.0, axis=(1, 1, 1)))
    point = np.array([4e-6, 1e-6, 6e-6])
    assert abs(divergence(moved, point, 1e-8)) < 1e-8
    assert np.abs(curl(moved, point, 1e-8)).max() < 1e-7 * np.linalg.norm(moved.field(point)) / 1e-6


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Sum([]), ValueError, "parts is empty"),
        (lambda: Sum([Loop((0, 0, 0), 1e-6, 1.0), 3.0]), TypeError, r"parts\[1\] is a float; give a conductor"),
        (lambda: Sum([Loop((0, 0, 0), 1e-6, 1.0)], current=np.nan), ValueError, "current: received nan"),
        (lambda: Placed("wire"), TypeError, "conductor is a str"),
        (lambda: Placed(Loop((0, 0, 0), 1e-6, 1.0), (0, 1)), ValueError, "translation: received"),
        (lambda: Placed(Loop((0, 0, 0), 1e-6, 1.0), rotation=np.eye(2)), ValueError, r"received shape \(2, 2\)"),
        (lambda: Placed(Loop((0, 0, 0), 1e-6, 1.0), rotation=2 * np.eye(3)), ValueError, "orthonormal by 3; use turn"),
        (lambda: Placed(Loop((0, 0, 0), 1e-6, 1.0), rotation=-np.eye(3)), ValueError, "mirrors"),
        (lambda: turn(1.0, axis=(0, 0, 0)), ValueError, "axis is zero"),
        (lambda: turn(np.inf), ValueError, "angle: received inf"),
        (lambda: turn(90), ValueError, r"angle is 90 rad, more than two turns; convert degrees: np.radians\(90\)"),
        (lambda: turn(1.0, axis="z"), ValueError, "axis: received 'z'; give real numbers"),
        (lambda: Sum(None), TypeError, "parts is None; give a list of conductors"),
        (lambda: Placed(Loop((0, 0, 0), 1e-6, 1.0), rotation=0.5), ValueError, r"such as turn\(angle\)"),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=message):
        make()
