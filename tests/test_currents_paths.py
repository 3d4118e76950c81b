"""Arcs, wedges, and circuits with mitred corners: current continuity is exact, so the laws hold everywhere."""

import numpy as np
import pytest
from field_laws import circulation, curl, divergence, relative
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import mu_0

from vbsense.currents import Bar, Loop, Placed, Sum, Wedge, arc, meander, path, turn, u_shape

I = 1e-3
W, T = 2e-6, 0.3e-6
FIVE = 1e-6 * np.array([(0, 0, 0), (20, 0, 0), (20, 10, 0), (10, 14, 0), (3, 9, 0), (0, 0, 0)])
RING = path(FIVE, W, T, I, closed=True)
J = I / (W * T)


# --- wedge ---------------------------------------------------------------------------------------------------------


def exact_wedge(across, along, half, point):
    """Field over mu0 J / 4 pi by quadrature of Biot and Savart; across the thickness the integral is elementary."""
    nodes, weights = np.polynomial.legendre.leggauss(150)
    nodes, weights = (nodes + 1) / 2, weights / 2
    x, y, z = point
    u, v = np.meshgrid(across * nodes, nodes, indexing="ij")
    side = along * (1 - u / across)
    weight = across * np.outer(weights, weights) * side
    rho2 = (x - u) ** 2 + (y - v * side) ** 2
    s, t = np.sqrt(rho2 + (z - half) ** 2), np.sqrt(rho2 + (z + half) ** 2)
    gx = (weight * (x - u) / rho2 * ((z + half) / t - (z - half) / s)).sum()
    return np.array([(weight * (1 / s - 1 / t)).sum(), 0.0, -gx])


@pytest.mark.parametrize(
    ("across", "along", "half", "point"),
    [(1, 0.7, 0.2, (0.4, 1.1, 0.5)), (1, 0.7, 0.2, (-0.5, 0.3, -0.1)), (1, 2.0, 0.05, (0.3, 0.3, 0.2)),
     (0.5, 0.1, 0.5, (0.4, -0.3, 0.1)), (1, 1, 0.2, (4.0, 3.0, -2.0)), (1, 1, 0.2, (9.0, 9.0, 2.0))],
)  # fmt: skip
def test_wedge_is_its_volume_integral(across, along, half, point):
    unit = 1e-6
    tip = Wedge((0, 0, 0), (0, along * unit, 0), (across * unit, 0, 0), 2 * half * unit, I)
    density = I / (across * 2 * half * unit**2)
    expected = mu_0 / (4 * np.pi) * density * unit * exact_wedge(across, along, half, point)
    assert relative(tip.field(unit * np.array(point)), expected) < 1e-9


@given(st.integers(0, 2**32 - 1), st.floats(-2, 2), st.floats(-3, 0), st.floats(-2, 3))
@settings(max_examples=60, deadline=None)
def test_two_wedges_make_a_bar(seed, slenderness, flatness, distance):
    """On both sides of the switch to quadrature, for slender and flat ones."""
    rng = np.random.default_rng(seed)
    across, along, thickness = 1e-6, 1e-6 * 10**slenderness, 1e-6 * 10**flatness
    direction = rng.normal(size=3)
    size = max(across, along)
    point = np.array([across, along, 0]) / 2 + 10**distance * size * direction / np.linalg.norm(direction)
    one = Wedge((0, 0, 0), (0, along, 0), (across, 0, 0), thickness, I)
    other = Wedge((across, along, 0), (0, -along, 0), (-across, 0, 0), thickness, -I)
    whole = Bar((across / 2, 0, 0), (across / 2, along, 0), across, thickness, I)
    got = one.field(point) + other.field(point)
    assert np.abs(got - whole.field(point)).max() < 1e-8 * np.linalg.norm(one.field(point))


# --- paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point",  # um: at corners inside and outside of the conductor, across the cut, above, beside, far
    [(20.3, -0.2, 0.05), (20.3, 0.5, 0.05), (19.5, 0.2, -0.1), (10, 14, 0.02), (19.8, 0.3, 0.5), (21.5, -1.2, 0),
     (18, 2, 0.1), (10, 14, 0.4), (5, 3, 1), (5, 3, -40)],
)  # fmt: skip
def test_curl_is_the_current_density_everywhere(point):
    """Also in the corners and beside them: pieces with square ends fail here by as much as mu0 J."""
    where = 1e-6 * np.array(point)
    density = np.zeros(3)
    if abs(where[2]) < T / 2:  # inside: along the segment on whose side of the cut the point lies
        density[:] = {(20.3, -0.2): (0, 1, 0), (20.3, 0.5): (0, 1, 0), (19.5, 0.2): (1, 0, 0),
                      (10, 14): (0, 0, 0)}.get(point[:2], (0, 0, 0))  # fmt: skip
    if point[:2] == (10, 14) and point[2] == 0.02:
        where += [1e-7, 0, 0]
        density[:] = np.array([-10, 4, 0]) / np.hypot(10, 4)
    assert np.abs(curl(RING, where, 4e-9) - mu_0 * J * density).max() < 1e-7 * mu_0 * J
    assert abs(divergence(RING, where, 4e-9)) < 1e-7


@pytest.mark.parametrize("radius", [0.3e-6, 0.9e-6, 3e-6])
def test_ampere_around_a_mitred_corner(radius):
    through = circulation(RING, (20e-6, 5e-6, 0), 3e-6, (0, 1, 0))
    assert through == pytest.approx(mu_0 * I, rel=1e-11)
    past = circulation(RING, (20e-6 + W / 2 + 1.1 * radius, -W / 2, 0), radius, (0, 1, 0))
    assert past == pytest.approx(0, abs=1e-9 * mu_0 * I)


def test_closed_path_is_a_dipole_far_away():
    """The current runs in parallel lanes. Moved inwards by s, a polygon of area A and perimeter P with exterior angles
    t has the area A - P s + s^2 sum(tan(t / 2)); the mean over the width gives the magnetic moment.
    """
    r = 1e-1 * np.array([0.48, -0.6, 0.64])
    unit = r / np.linalg.norm(r)
    x, y = FIVE[:, 0], FIVE[:, 1]
    area = 0.5 * (x[:-1] * y[1:] - x[1:] * y[:-1]).sum()
    heading = np.arctan2(np.diff(y), np.diff(x))
    turns = (np.roll(heading, -1) - heading) % (2 * np.pi)
    m = np.array([0, 0, I * (area + W**2 / 12 * np.tan(turns / 2).sum())])
    dipole = mu_0 / (4 * np.pi) * (3 * unit * (unit @ m) - m) / np.linalg.norm(r) ** 3
    both = (RING.field(r) - RING.field(-r) * -1) / 2  # the quadrupole cancels
    assert relative(both, dipole) < 1e-6


def test_straight_path_is_a_bar():
    points = 1e-5 * np.random.default_rng(0).normal(size=(30, 3))
    ends = (0, -1e-5, 0), (3e-6, 1e-5, 0)
    through = [ends[0], (1.5e-6, 0, 0), ends[1]]
    assert relative(path(through, W, T, I).field(points), Bar(*ends, W, T, I).field(points)) < 1e-10


def test_narrow_path_is_a_polyline():
    """The difference falls as the square of the width."""
    from vbsense.currents import Polyline

    points = 1e-6 * np.array([(17, 3, 2), (22, -2, 1), (5, 5, -3)])
    line = Polyline(FIVE, I).field(points)
    errors = [relative(path(FIVE, w, w, I, closed=True).field(points), line) for w in (0.2e-6, 0.1e-6)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)


def test_a_path_turns_with_its_normal():
    matrix = turn(0.8, axis=(1, -2, 0.5))
    tilted = path(FIVE @ matrix.T + [0, 0, 1e-6], W, T, I, normal=matrix[:, 2], closed=True)
    points = 1e-5 * np.random.default_rng(0).normal(size=(20, 3))
    # FIVE is closed exactly; turned, it is closed because the same numbers are turned.
    assert relative(tilted.field(points), Placed(RING, (0, 0, 1e-6), matrix).field(points)) < 1e-8


def test_reversed_path_reverses_the_field():
    points = 1e-5 * np.random.default_rng(0).normal(size=(20, 3))
    back = path(FIVE[::-1], W, T, I, closed=True)
    assert relative(-back.field(points), RING.field(points)) < 1e-9


def test_mirror_plane_of_a_u():
    """Mirrored in its middle plane the U runs backwards: B turns as an axial vector, and changes sign."""
    u = u_shape(1e-6, 0.1e-6, I, separation=4e-6, length=20e-6)
    points = 1e-5 * np.random.default_rng(1).normal(size=(20, 3))
    np.testing.assert_allclose(
        u.field(points * [-1, 1, 1]), -(u.field(points) * [1, -1, -1]), rtol=1e-9, atol=1e-12 * 1e-3
    )


def test_meander_is_made_of_its_legs():
    """Over the middle of long legs the bridges are far away."""
    legs, pitch = 5, 3e-6
    snake = meander(1e-6, 0.1e-6, I, pitch=pitch, length=4e-3, legs=legs)
    places = pitch * (np.arange(legs) - 2)
    bars = Sum([Bar((x, -2e-3, 0), (x, 2e-3, 0), 1e-6, 0.1e-6, I * (-1) ** k) for k, x in enumerate(places)])
    points = np.stack([np.linspace(-8e-6, 8e-6, 17), np.zeros(17), np.full(17, 0.3e-6)], axis=1)
    assert relative(snake.field(points), bars.field(points)) < 1e-5


ZIGZAG = 1e-6 * np.array([(0, 0, 0), (10, 0, 0), (11, 1, 0), (21, 1, 0)])


def test_a_gentle_zigzag_shorter_than_its_width_is_allowed():
    """Its middle piece is shorter than the width, and still the pieces do not overlap."""
    assert path(ZIGZAG, 2.5e-6, T, I).current == I


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: path([(0, 0, 0), (1e-5, 0, 0), (1e-5, 1e-5, 0), (5e-6, 1e-5, 0), (5e-6, -1e-5, 0)], 1e-6, T, I),
         "segments 0 and 3 overlap at a width of 1e-06 m"),
        (lambda: path(1e-6 * np.array([(0, 0, 0), (9, 0, 0), (9, 3, 0), (0, 3, 0), (0, 0.9, 0)]), W, T, I),
         "segments 0 and 3 overlap"),
        (lambda: path(FIVE[:-1], W, T, I, closed=True), r"open by 9.48683e-06 m; .* vertex, \[0.0, 0.0, 0.0\]"),
        (lambda: path([(0, 0, 0), (1e-5, 0, 0), (0, 0, 0)], W, T, I, closed=True), "at least three corners"),
        (lambda: path([(0, 0, 0), (1e-5, 0, 0), (1e-5, 0, 0)], W, T, I), "corners 1 and 2 are both"),
        (lambda: path([(0, 0, 0), (1e-5, 0, 0), (1e-5, 1e-7, 0), (2e-5, 1e-7, 0)], W, T, I),
         "segment 1 is 1e-07 m long; its corners take 2e-06 m"),
        (lambda: path([(0, 0, 0), (1e-5, 0, 0), (0, 1e-7, 0)], W, T, I), "turns by 179 degrees at corner 1"),
        (lambda: path([(0, 0, 0), (1e-5, 0, 0), (1e-5, 1e-5, 1e-6)], W, T, I), "segment 1 leaves .* 5.71 deg"),
        (lambda: path([(0, 0, 0), (1e-5, 0, 0)], 1.0, T, I), r"width is 1 m, .* 1e-06 \(1 um\)"),
        (lambda: path([(0, 0, 0), (1e-5, 0, 0)], W, -T, I), "thickness: received -3e-07"),
        (lambda: path([(0, 0, 0), (1e-5, 0, 0)], W, T, I, normal=(0, 0, 0)), "normal is zero"),
        (lambda: path([(0, 0, 0), (1e-5, np.nan, 0)], W, T, I), "corner 1 is"),
        (lambda: meander(1e-6, T, I, pitch=0.9e-6, length=1e-5, legs=4), "segment 3 is 9e-07 m long|overlap"),
        (lambda: meander(1e-6, T, I, pitch=2e-6, length=1e-5, legs=2.0), "legs is 2.0; it is a whole number"),
        (lambda: u_shape(1e-6, T, I, separation=0.5e-6, length=1e-5), "segment 1 is 5e-07 m long"),
        (lambda: arc((0, 0, 0), 1e-5, 0.0, 7.0, I), r"spans 7 rad.*np.radians\(7\)"),
        (lambda: arc((0, 0, 0), 1e-5, 1.0, 1.0, I), "spans 0 rad"),
        (lambda: arc((0, 0, 0), 1e-5, 0.0, 1.0, I, deviation=0), "deviation: received 0"),
        (lambda: arc((0, 0, 0), 1e-5, 0.0, 1.0, I, deviation=1e-18), "too many chords"),
        (lambda: arc((0, 0, 0), 10.0, 0.0, 1.0, I), r"radius is 10 m"),
    ],
)  # fmt: skip
def test_refusals_name_the_segment(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- arcs ----------------------------------------------------------------------------------------------------------


@given(st.floats(-7, 7), st.floats(0.01, 2 * np.pi), st.booleans(), st.floats(-7, -1))
@settings(max_examples=60, deadline=None)
def test_arc_stays_within_its_deviation(first, span, backwards, log_deviation):
    R = 1e-5
    last = first - span if backwards else first + span
    piece = arc((1e-5, 0, 2e-6), R, first, last, I, deviation=R * 10**log_deviation)
    corners = np.array(piece.vertices) - [1e-5, 0, 2e-6]
    middles = (corners[1:] + corners[:-1]) / 2
    assert R - np.linalg.norm(middles, axis=1).min() <= R * 10**log_deviation * (1 + 1e-6) + 1e-15 * R
    np.testing.assert_allclose(np.linalg.norm(corners, axis=1), R, rtol=1e-12)
    np.testing.assert_allclose(corners[-1, :2], [R * np.cos(last), R * np.sin(last)], atol=1e-12 * R)


@pytest.mark.parametrize("deviation", [1e-2, 1e-3, 1e-5])
@pytest.mark.parametrize("distance", [0.02, 0.1, 0.5, 3.0])
def test_error_of_an_arc_is_below_its_bound(deviation, distance):
    """A full turn against the loop, with the bound that the docstring promises."""
    R = 1e-5
    whole = arc((0, 0, 0), R, 0.3, 0.3 + 2 * np.pi, I, deviation=deviation * R)
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 2 * np.pi, (2, 200))
    rho = R * (1 + distance * np.cos(b))
    points = np.stack([rho * np.cos(a), rho * np.sin(a), R * distance * np.sin(b)], axis=1)
    exact = Loop((0, 0, 0), R, I).field(points)
    error = np.linalg.norm(whole.field(points) - exact, axis=1)
    away = np.hypot(np.hypot(points[:, 0], points[:, 1]) - R, points[:, 2]) / R
    straight = mu_0 * I / (2 * np.pi * away * R)
    bound = deviation / (away - deviation) * straight + 4 / 3 * deviation * np.linalg.norm(exact, axis=1)
    assert (error < bound).all()
    assert error.max() > 0.1 * bound.min()  # the bound is not idle


def test_arcs_add_up_to_a_loop():
    parts = Sum([arc((0, 0, 0), 1e-5, a, a + np.pi / 2, I) for a in np.arange(4) * np.pi / 2])
    points = 1e-5 * np.array([(0, 0, 0), (0.4, 0.2, 0.3), (3, 3, 1)])
    assert relative(parts.field(points), Loop((0, 0, 0), 1e-5, I).field(points)) < 3e-6
