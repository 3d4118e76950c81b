"""Straight filaments: the fast kernel where it is easy, the careful one where it is not, and the seam between them."""

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from field_laws import circulation, relative
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import mu_0

from vbsense.currents import Polyline
from vbsense.magnetics_filaments import BLOCK

I = 1e-3


def exact_segment(start, end, point):
    """Field (T) of a filament with current I at 50 digits, Jackson's form."""
    with mpmath.workdps(50):
        start, end, point = (mpmath.matrix([mpmath.mpf(float(v)) for v in p]) for p in (start, end, point))
        length, e = mpmath.norm(end - start), point - start
        t = (end - start) / length
        across = [t[1] * e[2] - t[2] * e[1], t[2] * e[0] - t[0] * e[2], t[0] * e[1] - t[1] * e[0]]
        u, rho2 = sum(t[k] * e[k] for k in range(3)), sum(c * c for c in across)
        v = u - length
        factor = (u / mpmath.sqrt(rho2 + u * u) - v / mpmath.sqrt(rho2 + v * v)) / rho2
        return np.array([float(mpmath.mpf(mu_0) * I / (4 * mpmath.pi) * factor * c) for c in across])


@pytest.mark.parametrize(
    ("along", "distance", "tolerance"),  # from the end, along the wire and across it, in lengths
    [(-0.5, 1e-3, 1e-12), (-0.5, 1.0, 3e-15), (-0.3, 1e6, 3e-15), (-0.7, 1e6, 3e-15), (-1e-6, 1e-6, 1e-13),
     (1e-6, 1e-8, 1e-12), (0.5, 1e-3, 1e-12), (1e3, 10.0, 1e-13), (1e4, 1e6, 1e-14), (-1 - 1e-6, 1e-8, 1e-12)],
)  # fmt: skip
def test_filament_keeps_its_digits(along, distance, tolerance):
    rng = np.random.default_rng(4)
    for _ in range(10):
        start, end, side = rng.normal(size=(3, 3))
        side = np.cross(end - start, side)
        point = end + along * (end - start) + distance * side / np.linalg.norm(side) * np.linalg.norm(end - start)
        assert relative(Polyline([start, end], I).field(point), exact_segment(start, end, point)) < tolerance


def exact_polyline(vertices, point):
    return sum(exact_segment(a, b, point) for a, b in pairwise(vertices))


@given(
    st.integers(0, 2**32 - 1),
    st.floats(-9, 6),
    st.floats(-9, 4),
    st.sampled_from([-1.0, -0.5, -1e-6, 0.0, 1e-6, 0.5, 1.0]),
)
@settings(max_examples=150, deadline=None)
def test_polylines_keep_their_digits(seed, scale, distance, along):
    """From 1e-9 lengths beside one of the segments to 1e4 lengths away, in wires of 1 nm to 1 m."""
    rng = np.random.default_rng(seed)
    vertices = 10**scale * 1e-6 * rng.normal(size=(5, 3))
    k = rng.integers(4)
    step = vertices[k + 1] - vertices[k]
    side = np.cross(step, rng.normal(size=3))
    off = 10**distance * np.linalg.norm(step) * side / np.linalg.norm(side)
    point = vertices[k + 1] + along * step + off
    exact = exact_polyline(vertices, point)
    largest = max(np.linalg.norm(exact_segment(a, b, point)) for a, b in pairwise(vertices))
    assert np.abs(Polyline(vertices, I).field(point) - exact).max() < 1e-12 * largest


@pytest.mark.parametrize("ratio", [0.9, 0.99999, 1.00001, 1.1])
def test_no_step_where_the_careful_kernel_takes_over(ratio):
    """It does at a thousandth of the distance from the end."""
    rng = np.random.default_rng(6)
    for along in (-0.8, -0.5, -0.1, 0.3, 20.0):
        start, end, side = rng.normal(size=(3, 3))
        step, side = end - start, np.cross(end - start, side)
        off = ratio * 1e-3 * abs(along) * np.linalg.norm(step) * side / np.linalg.norm(side)
        point = end + along * step + off
        assert relative(Polyline([start, end], I).field(point), exact_segment(start, end, point)) < 5e-12


def test_on_the_extension_of_a_segment():
    """Its own field vanishes there."""
    wire = Polyline([(0, 0, 0), (0, 1e-5, 0)], I)
    np.testing.assert_array_equal(wire.field([[0, 2e-5, 0], [0, -1e-3, 0], [0, 0.1, 0]]), 0.0)


@pytest.mark.parametrize("off", [1e-15, 1e-12, 1e-9, 1e-6, 1e-3])
def test_near_the_line_of_a_segment(off):
    """Beside it and on its extension, in any direction: where the coordinates as given say, however near."""
    rng = np.random.default_rng(8)
    for along in (-0.5, -1e-3, -1.2, 1e-3, 0.4, 1e3):
        start, end, side = rng.normal(size=(3, 3))
        step, side = end - start, np.cross(end - start, side)
        point = end + along * step + off * side / np.linalg.norm(side) * np.linalg.norm(step)
        if along < 0 and np.linalg.norm(exact_segment(start, end, point)) > 1e13 * mu_0 * I:
            continue  # on the wire
        assert relative(Polyline([start, end], I).field(point), exact_segment(start, end, point)) < 1e-12


@pytest.mark.parametrize("count", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_points_do_not_depend_on_their_neighbours(count):
    """Blocks of any length, with delicate points among them, give what each point gives alone."""
    rng = np.random.default_rng(1)
    wire = Polyline(rng.normal(size=(6, 3)), I)
    points = rng.normal(size=(count, 3))
    points[::5] = np.array(wire.vertices)[2] + 1e-5 * points[::5]  # delicate ones
    points[:1] = wire.vertices[3]
    alone = np.array([wire.field(p) for p in points])
    np.testing.assert_allclose(wire.field(points), alone, rtol=1e-12, atol=1e-25)


@pytest.mark.parametrize("distance", [1e2, 1e3, 1e4])
def test_closed_polyline_is_a_dipole_far_away(distance):
    """m = I * area; what is left is the next moment, smaller by the size over the distance (squared, by symmetry)."""
    side = 2e-6
    square = Polyline(side / 2 * np.array([(1, 1, 0), (-1, 1, 0), (-1, -1, 0), (1, -1, 0), (1, 1, 0)]), I)
    r = distance * side * np.array([0.48, -0.6, 0.64])
    unit = r / np.linalg.norm(r)
    m = np.array([0, 0, I * side**2])
    dipole = mu_0 / (4 * np.pi) * (3 * unit * (unit @ m) - m) / np.linalg.norm(r) ** 3
    assert relative(square.field(r), dipole) < 2 / distance**2 + 1e-12 * distance


def test_ampere_around_a_corner():
    """Through a side; through the corner; past the corner."""
    closed = Polyline([(0, 0, 0), (1, 0, 0), (0, 1, 0.3), (0, 0, 0)], I)
    assert circulation(closed, (0.5, 0, 0), 0.2, (1, 0, 0)) == pytest.approx(mu_0 * I, rel=1e-12)
    assert circulation(closed, (1, 0, 0), 0.2, (0.3, 0.7, 0.2)) == pytest.approx(mu_0 * I, rel=1e-12)
    assert circulation(closed, (1.1, 0, 0), 0.3, (1, 0.4, 0), count=2000) == pytest.approx(0, abs=1e-12 * mu_0 * I)


def test_polyline_agrees_with_magpylib():
    magpylib = pytest.importorskip("magpylib")
    rng = np.random.default_rng(2)
    vertices, points = rng.normal(size=(7, 3)), rng.normal(size=(50, 3))
    theirs = magpylib.current.Polyline(vertices=vertices, current=I).getB(points)
    assert relative(Polyline(vertices, I).field(points), theirs) < 1e-9


def test_on_a_filament_only_the_others_count():
    corner = Polyline([(0, -1, 0), (0, 1, 0), (2, 1, 0)], I)
    np.testing.assert_array_equal(corner.field([0, 0.5, 0]), Polyline([(0, 1, 0), (2, 1, 0)], I).field([0, 0.5, 0]))
    np.testing.assert_array_equal(corner.field([0, 3.0, 0]), Polyline([(0, 1, 0), (2, 1, 0)], I).field([0, 3.0, 0]))
    assert np.isfinite(corner.field(corner.vertices)).all()
