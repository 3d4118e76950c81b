"""The circular loop: a table, elliptic integrals at 60 digits, quadrature, other conductors, magpylib."""

import csv
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
from field_laws import circulation, curl, divergence, relative
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import mu_0

from vbsense.currents import Loop, Polyline

I = 1e-3
R = 10e-6
TABLE = [
    row
    for row in csv.DictReader((Path(__file__).parent / "data" / "02_analytic.csv").read_text().splitlines())
    if row["case"].startswith("circular_loop")
]
TABLE_MU0 = 4e-7 * np.pi


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['parameters']}-{row['component']}")
def test_loop_of_the_table(row):
    p = {key: float(value) for key, value in re.findall(r"(\w+)=([-+.\de]+)", row["parameters"])}
    where = re.search(r"p=\((.*)\)", row["parameters"])
    point = [float(v) for v in where[1].split(",")] if where else [0, 0, p["z"]]
    B = Loop((0, 0, 0), p["R"], p["I"]).field(point)
    expected = float(row["value_T"]) * mu_0 / TABLE_MU0
    assert B["xyz".index(row["component"][1])] == pytest.approx(expected, rel=1e-9, abs=1e-12 * np.linalg.norm(B))


def exact_loop(loop, point):
    """Smythe's form at 60 digits, from the doubles that the package received."""
    with mpmath.workdps(60):
        normal, center = (mpmath.matrix([mpmath.mpf(v) for v in each]) for each in (loop.normal, loop.center))
        normal = normal / mpmath.norm(normal)
        e = mpmath.matrix([mpmath.mpf(float(v)) for v in point]) - center
        a, z = mpmath.mpf(loop.radius), sum(normal[k] * e[k] for k in range(3))
        w = e - z * normal
        rho = mpmath.norm(w)
        unit = mpmath.mpf(mu_0) * mpmath.mpf(loop.current) / (2 * mpmath.pi)
        if rho == 0:
            return np.array([float(v) for v in mpmath.pi * unit * a**2 / (a**2 + z**2) ** mpmath.mpf(1.5) * normal])
        near, far = (a - rho) ** 2 + z**2, (a + rho) ** 2 + z**2
        K, E = mpmath.ellipk(1 - near / far), mpmath.ellipe(1 - near / far)
        axial = unit / mpmath.sqrt(far) * (K + (a**2 - rho**2 - z**2) / near * E)
        radial = unit * z / (rho * mpmath.sqrt(far)) * (-K + (a**2 + rho**2 + z**2) / near * E)
        return np.array([float(v) for v in radial * w / rho + axial * normal])


TILTED = Loop((3e-6, -7e-6, 2e-5), R, I, normal=(0.3, -2.0, 0.7))
FLAT = Loop((0, 0, 0), R, I)


def around(loop, rng):
    """Unit vectors: the axis, a random one across it, and a random one."""
    axis = np.array(loop.normal) / np.linalg.norm(loop.normal)
    across = np.cross(axis, rng.normal(size=3))
    free = rng.normal(size=3)
    return axis, across / np.linalg.norm(across), free / np.linalg.norm(free)


@pytest.mark.parametrize("loop", [FLAT, TILTED], ids=["flat", "tilted"])
@pytest.mark.parametrize("distance", [1e-9, 1e-6, 1e-3, 0.0299, 0.0301, 0.3, 1 - 1e-9])
def test_loop_keeps_its_digits_near_the_wire_and_near_the_axis(loop, distance):
    """The point is where its rounded coordinates are, also 1e-9 radii from the wire."""
    rng = np.random.default_rng(3)
    for _ in range(12):
        axis, across, _ = around(loop, rng)
        angle = rng.uniform(0, 2 * np.pi)
        near_wire = across * (1 + distance * np.cos(angle)) + axis * distance * np.sin(angle)
        near_axis = across * distance + axis * rng.normal()
        for offset in (near_wire, near_axis):
            point = np.array(loop.center) + R * offset
            assert relative(loop.field(point), exact_loop(loop, point)) < 1e-12


@pytest.mark.parametrize("loop", [FLAT, TILTED], ids=["flat", "tilted"])
@pytest.mark.parametrize("distance", [2.0, 30.0, 1e4, 1e6])
def test_loop_keeps_its_digits_far_away(loop, distance):
    rng = np.random.default_rng(4)
    for _ in range(12):
        axis, across, free = around(loop, rng)
        for direction in (free, across, across + 1e-3 * axis, axis + 1e-5 * across):
            point = np.array(loop.center) + distance * R * direction
            assert relative(loop.field(point), exact_loop(loop, point)) < 1e-13


@given(st.integers(0, 2**32 - 1), st.floats(-9, 0), st.floats(-9, 6))
@settings(max_examples=150, deadline=None)
def test_loop_of_any_size_and_place(seed, size, distance):
    rng = np.random.default_rng(seed)
    loop = Loop(10**size * rng.normal(size=3), 10**size, I, rng.normal(size=3))
    _, across, free = around(loop, rng)
    point = np.array(loop.center) + loop.radius * (rng.choice([0, 1]) * across + 10**distance * free)
    assert relative(loop.field(point), exact_loop(loop, point)) < 1e-9


def test_on_the_axis_the_field_is_along_it():
    z = R * np.array([0.0, 0.5, -3.0, 1e4])
    B = FLAT.field(np.stack([0 * z, 0 * z, z], axis=1))
    np.testing.assert_array_equal(B[:, :2], 0.0)
    np.testing.assert_allclose(B[:, 2], mu_0 * I * R**2 / 2 / (R**2 + z**2) ** 1.5, rtol=1e-14)


def test_on_the_wire_the_field_is_finite():
    points = [(R, 0, 0), (0, -R, 0), (R * (1 + 1e-15), 0, 0), (R, 0, 1e-20)]
    assert np.isfinite(FLAT.field(points)).all()
    np.testing.assert_array_equal(FLAT.field((R, 0, 0)), 0.0)


@pytest.mark.parametrize("distance", [1e2, 1e4])
def test_dipole_limit(distance):
    r = distance * R * np.array([0.48, -0.6, 0.64])
    unit, m = r / np.linalg.norm(r), np.array([0, 0, np.pi * R**2 * I])
    dipole = mu_0 / (4 * np.pi) * (3 * unit * (unit @ m) - m) / np.linalg.norm(r) ** 3
    assert relative(FLAT.field(r), dipole) < 3 / distance**2


def test_close_to_the_wire_it_is_a_straight_wire():
    d = 1e-4 * R
    B = FLAT.field([R - d, 0, 0])
    assert B[2] == pytest.approx(mu_0 * I / (2 * np.pi * d), rel=1e-3)


def test_biot_savart_by_quadrature():
    """The trapezoidal rule converges exponentially on a circle."""
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    wire = R * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    step = R * np.stack([-np.sin(angle), np.cos(angle), 0 * angle], axis=1) * 2 * np.pi / 2000
    for point in R * np.array([(0.3, 0.2, 0.4), (1.1, 0.1, -0.2), (0, 3.0, 0.0), (5, 5, 9)]):
        e = point - wire
        B = mu_0 * I / (4 * np.pi) * (np.cross(step, e) / np.linalg.norm(e, axis=1)[:, None] ** 3).sum(axis=0)
        assert relative(FLAT.field(point), B) < 1e-12


def test_many_sided_polygons_come_close_as_the_square_of_their_sides():
    points = R * np.array([(0.4, 0.1, 0.3), (1.2, -0.4, 0.1)])
    errors = []
    for sides in (200, 400):
        angle = np.linspace(0, 2 * np.pi, sides + 1)
        polygon = Polyline(R * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1), I)
        errors.append(relative(polygon.field(points), FLAT.field(points)))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.01)


def test_magpylib_agrees():
    magpylib = pytest.importorskip("magpylib")
    points = R * np.random.default_rng(1).normal(size=(50, 3))
    theirs = magpylib.current.Circle(diameter=2 * R, current=I).getB(points)
    assert relative(FLAT.field(points), theirs) < 1e-9


def test_laws():
    for point in R * np.array([(0.4, 0.1, 0.3), (0.9, 0.2, 0.05), (2, -1, 0.4)]):
        assert abs(divergence(FLAT, point, 1e-3 * R)) < 1e-9
        assert np.abs(curl(FLAT, point, 1e-3 * R)).max() < 1e-9 * np.linalg.norm(FLAT.field(point)) / (1e-2 * R)
    assert circulation(FLAT, (R, 0, 0), 0.4 * R, (0, 1, 0)) == pytest.approx(mu_0 * I, rel=1e-12)
    assert circulation(FLAT, (2 * R, 0, 0), 0.4 * R, (0, 1, 0)) == pytest.approx(0, abs=1e-12 * mu_0 * I)


def test_mirror_in_the_plane_of_the_loop():
    """B is an axial vector: in this mirror the components in the plane change sign."""
    points = R * np.random.default_rng(2).normal(size=(20, 3))
    np.testing.assert_allclose(FLAT.field(points * [1, 1, -1]), FLAT.field(points) * [-1, -1, 1], rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 0, 0), 0.0, I), "radius: received 0.0; give one finite number above zero, in m"),
        (((0, 0, 0), -1e-6, I), "radius: received -1e-06"),
        (((0, 0, 0), 10.0, I), r"radius is 10 m, .* did you mean 1e-05 \(10 um\)"),
        (((0, 0, 0), "10 um", I), "radius: received '10 um'"),
        (((0, 0), 1e-6, I), r"center: received \[0.0, 0.0\]; give three finite numbers"),
        (((0, 0, 0), 1e-6, np.inf), "current: received inf"),
        (((0, 0, 0), 1e-6, I, (0, 0, 0)), "normal: received .* not zero"),
        (((0, 0, 0), 1e-6, I, (0, np.nan, 1)), "normal: received"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        Loop(*arguments)
