"""The field of a current: laws of magnetostatics, limits, and oracles that share no formula with the package."""

import csv
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
from field_laws import gradient, relative
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import mu_0
from scipy.spatial.transform import Rotation

from vbsense.currents import Bar, Loop, Polyline, Ribbon

I = 1e-3
LONG = ((0.0, -1.0, 0.0), (0.0, 1.0, 0.0))  # ends cost (distance / 1 m)^2 / 2: below 1e-11 at a few micrometres
SHORT = ((0.0, -4e-6, 0.0), (0.0, 4e-6, 0.0))
TABLE = list(csv.DictReader((Path(__file__).parent / "data" / "02_analytic.csv").read_text().splitlines()))
TABLE_MU0 = 4e-7 * np.pi


def rows(*cases):
    return [pytest.param(row, id=f"{row['case']}-{row['parameters']}-{row['component']}")
            for row in TABLE if row["case"] in cases]  # fmt: skip


def numbers(row):
    return {key: float(value) for key, value in re.findall(r"(\w+)=([-+.\de]+)", row["parameters"])}


# --- tables of analytic values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("infinite_wire", "finite_wire_midplane"))
def test_straight_wire_of_the_table(row):
    p = numbers(row)
    half = p.get("L", 2.0) / 2
    B = Polyline([(0, -half, 0), (0, half, 0)], p["I"]).field([0, 0, p["d"]])
    assert B[0] == pytest.approx(float(row["value_T"]) * mu_0 / TABLE_MU0, rel=1e-9)
    assert B[1] == B[2] == 0


@pytest.mark.parametrize("row", rows("rect_loop_on_axis"))
def test_rectangular_loop_of_the_table(row):
    p = numbers(row)
    x, y = p["a"] / 2, p["b"] / 2
    B = Polyline([(x, y, 0), (-x, y, 0), (-x, -y, 0), (x, -y, 0), (x, y, 0)], p["I"]).field([0, 0, p["z"]])
    assert B[2] == pytest.approx(float(row["value_T"]) * mu_0 / TABLE_MU0, rel=1e-9)
    assert np.abs(B[:2]).max() < 1e-12 * B[2]


@pytest.mark.parametrize("row", rows("infinite_ribbon"))
def test_ribbon_of_the_table(row):
    p = numbers(row)
    B = Ribbon(*LONG, p["w"], p["I"]).field([p["x"], 0, p["z"]])
    value = B["xyz".index(row["component"][1])]
    assert value == pytest.approx(float(row["value_T"]) * mu_0 / TABLE_MU0, rel=1e-9, abs=1e-30)


@pytest.mark.parametrize(
    ("x", "z", "Bx", "Bz"),  # um, um, uT, uT; infinite bar, mu0 = 4 pi 1e-7
    [
        (0.3, 0.1, 512.0591, -255.6126),
        (0.3, -0.1, -512.0591, -255.6126),  # below: Bx turns round, Bz does not
        (1.2, 0.0, 0.0, -177.3197),
        (-1.2, 0.0, 0.0, 177.3197),
        (0.0, 0.1, 549.6055, 0.0),
    ],
)
def test_bar_above_beside_and_below(x, z, Bx, Bz):
    B = Bar(*LONG, 1e-6, 100e-9, I).field([x * 1e-6, 0, z * 1e-6])
    np.testing.assert_allclose(B * 1e6, [Bx, 0, Bz], rtol=0, atol=0.51e-4)  # half of the last digit given


# --- oracles -------------------------------------------------------------------------------------------------------


def exact_ribbon(a, half, x, y, z):
    """(Bx, Bz) of a ribbon, in mu0 K / 4 pi, textbook form at the working precision of mpmath (z not 0)."""
    Bx = Bz = mpmath.mpf(0)
    for X, sx in ((x + a, 1), (x - a, -1)):
        for Y, sy in ((y + half, 1), (y - half, -1)):
            R = mpmath.sqrt(X * X + Y * Y + z * z)
            Bx += sx * sy * mpmath.atan(X * Y / (z * R))
            Bz += sx * sy * mpmath.asinh(Y / mpmath.sqrt(X * X + z * z))
    return Bx, Bz


def exact_bar(a, half, b, x, y, z):
    """(Bx, Bz) of a bar, in mu0 J / 4 pi, textbook sum over corners (no coordinate on a face)."""
    Bx = Bz = mpmath.mpf(0)
    for X, sx in ((x + a, 1), (x - a, -1)):
        for Y, sy in ((y + half, 1), (y - half, -1)):
            for Z, sz in ((z + b, 1), (z - b, -1)):
                R = mpmath.sqrt(X * X + Y * Y + Z * Z)
                log_x, log_y, log_z = mpmath.log(X + R), mpmath.log(Y + R), mpmath.log(Z + R)
                Bx -= sx * sy * sz * (X * log_y + Y * log_x - Z * mpmath.atan(X * Y / (Z * R)))
                Bz += sx * sy * sz * (Z * log_y + Y * log_z - X * mpmath.atan(Y * Z / (X * R)))
    return Bx, Bz


def exact_field(shape, points, a, half, b=None):
    """Field (T) at 60 digits, from the doubles that the package received."""
    with mpmath.workdps(60):
        sides = [mpmath.mpf(side) for side in (a, half, b) if side is not None]
        area = 4 * sides[0] * sides[2] if b is not None else 2 * sides[0]
        unit = mpmath.mpf(mu_0) * mpmath.mpf(I) / (4 * mpmath.pi * area)
        fields = [[unit * v for v in shape(*sides, *map(mpmath.mpf, map(float, p)))] for p in points]
    return np.array([[float(Bx), 0.0, float(Bz)] for Bx, Bz in fields])


def scattered(a, half, b):
    """Points just inside, just outside, near edges and corners, along the axis, on both sides of the switch, to 1 m."""
    rng = np.random.default_rng(5)
    near = np.array([0.3, 1 - 1e-3, 1 - 1e-9, 1 + 1e-9, 1 + 1e-3, 1.2, 3])
    blocks = [rng.choice([-1, 1], (60, 3)) * rng.choice(near, (60, 3)) * [a, half, b]]
    away = rng.normal(size=(60, 3))
    away *= (10 ** rng.uniform(-3, np.log10(1 / a), 60) * a / np.linalg.norm(away, axis=1))[:, None]
    blocks.append(away + rng.uniform(-1, 1, (60, 3)) * [a, half, b])
    angle = rng.uniform(0, 2 * np.pi, 40)
    distance = 8 * a * np.resize([1 - 1e-6, 1 + 1e-6, 0.7, 1.5], 40)
    blocks.append(np.stack([distance * np.cos(angle), rng.uniform(-1, 1, 40) * half, distance * np.sin(angle)], axis=1))
    beyond = half + a * 10 ** rng.uniform(-3, 3, 20)
    blocks.append(np.stack([np.full(20, 0.1 * a), beyond, rng.uniform(-0.1, 0.1, 20) * b], axis=1))
    points = np.concatenate(blocks)
    return points[np.hypot(points[:, 0], points[:, 2]) > 1e-2 * a]  # nearer, the field itself vanishes


@pytest.mark.parametrize("half_length", [0.5e-8, 4e-6, 1e-3, 1.0])
@pytest.mark.parametrize("thickness", [1e-12, 1e-9, 100e-9, 1e-6])
def test_bar_keeps_its_digits_everywhere(thickness, half_length):
    ends = (0, -half_length, 0), (0, half_length, 0)
    points = scattered(0.5e-6, half_length, thickness / 2)
    exact = exact_field(exact_bar, points, 0.5e-6, half_length, thickness / 2)
    assert relative(Bar(*ends, 1e-6, thickness, I).field(points), exact) < 1e-10


@pytest.mark.parametrize("half_length", [0.5e-8, 4e-6, 1e-3, 1.0])
def test_ribbon_keeps_its_digits_everywhere(half_length):
    ends = (0, -half_length, 0), (0, half_length, 0)
    points = scattered(0.5e-6, half_length, 0.5e-6)
    exact = exact_field(exact_ribbon, points, 0.5e-6, half_length)
    assert relative(Ribbon(*ends, 1e-6, I).field(points), exact) < 1e-10


@pytest.mark.parametrize(
    "point",  # in half-sides of the bar: face, edge, corner, end face, extension of the axis and of a face, inside, far
    [(0.3, 0.2, 1), (1, 0.2, 0.5), (1, 0.2, 1), (1, 1, 1), (0.3, 1, 0.5), (0.3, 1.5, 0), (0, 1.5, 0.2), (1, 1.5, 1),
     (0.3, 0.2, 0.5), (0.3, 0.2, -1), (-1, 0.2, -1), (0.3, 0.2, 1e4)],
)  # fmt: skip
def test_bar_is_the_integral_of_ribbons(point):
    a, half, b = 0.5e-6, 4e-6, 0.1e-6
    x, y, z = np.multiply(point, [a, half, b])
    breaks = sorted({-b, b, float(np.clip(z, -b, b))})
    with mpmath.workdps(25):
        parts = [mpmath.quad(lambda s, k=k: exact_ribbon(a, half, x, y, z - s)[k], breaks) for k in (0, 1)]
        unit = mpmath.mpf(mu_0) * I / (4 * mpmath.pi * 4 * a * b)
        expected = np.array([float(unit * parts[0]), 0.0, float(unit * parts[1])])
    got = Bar(*SHORT, 2 * a, 2 * b, I).field([x, y, z])
    assert np.abs(got - expected).max() < 1e-11 * np.linalg.norm(expected)


def test_ribbon_is_the_integral_of_filaments():
    x, y, z, a, half = 0.4e-6, 3e-6, 0.2e-6, 0.5e-6, 4e-6
    nodes, weights = np.polynomial.legendre.leggauss(60)
    lines = [Polyline([(a * t, -half, 0), (a * t, half, 0)], I * w / 2) for t, w in zip(nodes, weights, strict=True)]
    total = sum(line.field([x, y, z]) for line in lines)
    assert relative(Ribbon(*SHORT, 2 * a, I).field([x, y, z]), total) < 1e-11


def test_ribbon_and_bar_agree_with_triangles_of_magpylib():
    magpylib = pytest.importorskip("magpylib")
    a, half, b = 0.5e-3, 4e-3, 0.2e-3
    corners = [(-a, -half, 0), (a, -half, 0), (a, half, 0), (-a, half, 0)]
    sheet = magpylib.current.TriangleSheet(
        vertices=corners, faces=[(0, 1, 2), (0, 2, 3)], current_densities=2 * [(0, I / (2 * a), 0)]
    )
    points = np.array([(0.3, 1.0, 0.4), (0.9, -3.0, -0.5), (0.1, 4.5, 0.3), (-0.7, 0.2, 1.5), (0.2, 0.3, 30.0),
                       (0.3, 1.0, 1e-3), (0.3, 1.0, -1e-3), (0.1, 3.9, -0.4)]) * 1e-3  # fmt: skip
    ends = (0, -half, 0), (0, half, 0)
    assert relative(Ribbon(*ends, 2 * a, I).field(points), sheet.getB(points)) < 1e-9
    nodes, weights = np.polynomial.legendre.leggauss(20)
    points = points[[0, 1, 2, 3, 4, 7]]  # the others are inside the bar, between the layers
    layers = sum(w / 2 * sheet.getB(points - [0, 0, b * t]) for t, w in zip(nodes, weights, strict=True))
    assert relative(Bar(*ends, 2 * a, 2 * b, I).field(points), layers) < 1e-9


# --- laws ----------------------------------------------------------------------------------------------------------


INSIDE, ABOVE, BESIDE, PAST_END = (0.2e-6, 0, 0.1e-6), (0.2e-6, 0, 0.5e-6), (0.8e-6, 0, 0), (0.3e-6, 4.3e-6, 0.1e-6)


@pytest.mark.parametrize("point", [INSIDE, ABOVE, BESIDE, PAST_END])
@pytest.mark.parametrize("normal", [(0, 0, 1), (1, 0, 2)])
def test_field_has_no_divergence(point, normal):
    slope = gradient(Bar(*SHORT, 1e-6, 0.4e-6, I, normal), np.array(point), 5e-9)
    assert abs(np.trace(slope)) < 1e-7 * np.abs(slope).max()


@pytest.mark.parametrize(("point", "J"), [(INSIDE, I / 0.4e-12), (ABOVE, 0), (BESIDE, 0)])
def test_curl_is_the_current_density(point, J):
    slope = gradient(Bar(*LONG, 1e-6, 0.4e-6, I), np.array(point), 5e-9)
    assert slope[0, 2] - slope[2, 0] == pytest.approx(mu_0 * J, rel=1e-8, abs=1e-8 * mu_0 * I / 0.4e-12)


@pytest.mark.parametrize(
    ("centre", "radius", "enclosed"),
    [
        ((0, 0), 2e-6, I),
        ((0.3e-6, 0.4e-6), 1.5e-6, I),
        ((0.1e-6, 0), 0.1e-6, I * np.pi * 0.01 / 0.4),
        ((2e-6, 0), 1e-6, 0),
    ],
)
def test_ampere(centre, radius, enclosed):
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    path = np.stack([centre[0] + radius * np.cos(angle), 0 * angle, centre[1] + radius * np.sin(angle)], axis=1)
    along = np.stack([np.sin(angle), 0 * angle, -np.cos(angle)], axis=1)  # right-handed about +y
    B = Bar(*LONG, 1e-6, 0.4e-6, I).field(path)
    assert (B * along).sum(axis=1).mean() * 2 * np.pi * radius == pytest.approx(
        mu_0 * enclosed, rel=1e-9, abs=1e-9 * mu_0 * I
    )


@given(st.floats(1e-9, 1e3) | st.floats(-1e3, -1e-9), st.floats(1e-3, 1e3), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_field_is_linear_in_current_and_inverse_in_size(current, size, seed):
    rng = np.random.default_rng(seed)
    points, (start, end, normal) = 1e-5 * rng.normal(size=(5, 3)), 1e-5 * rng.normal(size=(3, 3))
    for one, other in [
        (Polyline([start, end, normal], 1.0), Polyline(size * np.array([start, end, normal]), current)),
        (Ribbon(start, end, 7e-6, 1.0, normal), Ribbon(size * start, size * end, size * 7e-6, current, normal)),
        (
            Bar(start, end, 7e-6, 2e-6, 1.0, normal),
            Bar(size * start, size * end, size * 7e-6, size * 2e-6, current, normal),
        ),
        (Loop(start, 1e-4, 1.0, normal), Loop(size * start, size * 1e-4, current, normal)),
    ]:
        B = one.field(points)
        np.testing.assert_allclose(other.field(size * points), B * current / size, rtol=1e-9,
                                   atol=1e-11 * np.abs(B).max() * abs(current) / size)  # fmt: skip


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_field_turns_with_the_conductor(seed):
    rng = np.random.default_rng(seed)
    turn, shift = Rotation.random(rng=rng), 1e-6 * rng.normal(size=3)
    points = 1e-6 * rng.normal(size=(8, 3))
    start, end, normal = 1e-6 * np.array([(0, -2, 0), (0, 2, 0), (0, 0, 1)])
    moved, ends = turn.apply(points) + shift, (turn.apply(start) + shift, turn.apply(end) + shift)
    wide, tall = turn.apply(normal), turn.apply([1.0, 0.5, 0.0])  # the part of a normal along the axis is ignored
    for still, turned in [
        (Polyline([start, end], I), Polyline(ends, I)),
        (Ribbon(start, end, 0.7e-6, I), Ribbon(*ends, 0.7e-6, I, wide)),
        (Bar(start, end, 0.7e-6, 0.2e-6, I), Bar(*ends, 0.7e-6, 0.2e-6, I, wide)),
        (Bar(start, end, 0.7e-6, 0.2e-6, I), Bar(*ends, 0.2e-6, 0.7e-6, I, tall)),
        (Bar(start, end, 0.7e-6, 0.2e-6, I), Bar(*ends[::-1], 0.7e-6, 0.2e-6, -I, -3 * wide)),
    ]:
        B = still.field(points)
        np.testing.assert_allclose(turned.field(moved), turn.apply(B), rtol=0, atol=1e-11 * np.abs(B).max())


GRID = np.stack(
    np.meshgrid([-3e-6, -0.2e-6, 0.3e-6, 1.1e-6, 7e-6], [0, 3e-6, 5e-6], [-1e-6, 0.05e-6, 0.13e-6, 5e-6]), axis=-1
)


@pytest.mark.parametrize(
    ("step", "width", "thickness"), [((0.25e-6, 0, 0), 0.5e-6, 0.2e-6), ((0, 0, 0.05e-6), 1e-6, 0.1e-6)]
)
def test_two_halves_make_a_bar(step, width, thickness):
    start, end = np.array(SHORT)
    halves = [Bar(start + s, end + s, width, thickness, I / 2) for s in (np.array(step), -np.array(step))]
    assert relative(sum(half.field(GRID) for half in halves), Bar(start, end, 1e-6, 0.2e-6, I).field(GRID)) < 1e-10


@pytest.mark.parametrize(
    "make",
    [lambda s, e: Bar(s, e, 1e-6, 0.2e-6, I), lambda s, e: Ribbon(s, e, 1e-6, I), lambda s, e: Polyline([s, e], I)],
)
def test_lengths_add(make):
    start, end = SHORT
    middle = (0, 1.7e-6, 0)
    assert (
        relative(make(start, middle).field(GRID) + make(middle, end).field(GRID), make(start, end).field(GRID)) < 1e-10
    )


def test_thin_bar_is_a_ribbon_and_narrow_ribbon_is_a_filament():
    """The difference falls as the square of what is made small."""
    points = np.array([(0.3e-6, 1e-6, 0.4e-6), (1.3e-6, -3e-6, -0.2e-6), (0.2e-6, 4.4e-6, 0.3e-6)])
    sheet, line = Ribbon(*SHORT, 1e-6, I).field(points), Polyline(SHORT, I).field(points)
    bars = [relative(Bar(*SHORT, 1e-6, t, I).field(points), sheet) for t in (4e-8, 2e-8, 1e-12)]
    ribbons = [relative(Ribbon(*SHORT, w, I).field(points), line) for w in (4e-8, 2e-8, 1e-13)]
    for large, small, tiny in (bars, ribbons):
        assert large / small == pytest.approx(4, rel=0.02)
        assert tiny < 1e-11


def test_bar_is_finite_and_continuous_on_its_skin():
    """On faces, edges and corners the value is the limit; textbook forms give NaN there."""
    sides = np.array([0.5e-6, 4e-6, 0.1e-6])
    skin = np.stack(np.meshgrid(*3 * [[-1.0, 0.0, 0.4, 1.0]], indexing="ij"), axis=-1).reshape(-1, 3)
    wire = Bar(*SHORT, 1e-6, 0.2e-6, I)
    B, nearby = wire.field(skin * sides), wire.field(skin * sides + 1e-16)
    assert np.isfinite(B).all()
    assert np.abs(B - nearby).max() < 1e-7 * np.abs(B).max()  # 1e-16 m further: x ln(x) of 1e-9


def test_ribbon_in_its_own_plane_and_on_its_edge():
    film = Ribbon(*SHORT, 1e-6, I)
    above, inside, below = film.field([[0.1e-6, 0, 1e-15], [0.1e-6, 0, 0], [0.1e-6, 0, -1e-15]])
    assert above[0] - below[0] == pytest.approx(mu_0 * I / 1e-6, rel=1e-6)  # the jump is mu0 K
    assert inside[0] == 0
    assert inside[2] == pytest.approx(above[2], rel=1e-6)
    edge, close = film.field([[0.5e-6, 0, 0], [0.5e-6, 0, 1e-15]])
    assert np.isfinite(edge).all()
    assert abs(close[2]) < abs(edge[2]) < 3 * abs(close[2])
