"""How every conductor is called: shapes, bad points, values that are equal and frozen, factors, refusals."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vbsense import currents
from vbsense.currents import Bar, Conductor, CurrentSheet, Loop, Placed, Polyline, Ribbon, Sum, Wedge

I = 1e-3
LONG = ((0.0, -1.0, 0.0), (0.0, 1.0, 0.0))
SIMPLE = [
    Polyline([(0, -1, 0), (0, 1, 0), (1, 1, 0)], I),
    Ribbon(*LONG, 1e-6, I),
    Bar(*LONG, 1e-6, 1e-7, I),
    Wedge((0, 0, 0), (0, 1e-6, 0), (2e-6, 0, 0), 1e-7, I),
    Loop((0, 0, 1e-6), 1e-5, I, (1, 2, 3)),
]
SHEET = CurrentSheet([[1.0, 2.0], [3.0, 4.0]], [[0.0, -5.0], [6.0, 7.0]], 2e-6, 1e-6, thickness=1e-7)
ALL = [
    *SIMPLE,
    SHEET,
    Placed(Sum([Placed(SHEET, (1e-6, 0, 0)), SIMPLE[4]], current=2.0), (0, 1e-6, 0), currents.turn(-0.4)),
    Sum([*SIMPLE, Sum(SIMPLE)]),
    Placed(SIMPLE[2], (1e-6, 2e-6, 0), currents.turn(0.3, axis=(1, 1, 0))),
    currents.arc((0, 0, 0), 1e-5, 0.0, 1.0, I, deviation=1e-8),
    currents.path([(0, 0, 0), (1e-5, 0, 0), (1e-5, 1e-5, 0)], 1e-6, 1e-7, I),
    currents.u_shape(1e-6, 1e-7, I, separation=4e-6, length=1e-5),
    currents.meander(1e-6, 1e-7, I, pitch=4e-6, length=1e-5, legs=3),
    currents.strip(*LONG, 1e-5, 1e-7, I, distribution="edge", lanes=4),
    currents.omega(1e-5, 1e-6, 1e-7, I, opening=4e-6, lead_length=1e-5, sides=12),
    currents.coplanar(*LONG, 1e-7, I, center_width=1e-5, gap=1e-5, ground_width=1e-4),
]


def name(conductor):
    return type(conductor).__name__


@pytest.mark.parametrize("conductor", ALL, ids=name)
def test_bad_points_stay_alone(conductor):
    points = 1e-5 * np.random.default_rng(0).normal(size=(3, 4, 3))
    good = conductor.field(points)
    points[1, 2, 0] = points[0, 1, 1] = points[2, 3, 2] = np.nan
    points[2, 0, 1] = np.inf
    B = conductor.field(points)
    bad = np.zeros((3, 4), dtype=bool)
    bad[1, 2] = bad[0, 1] = bad[2, 3] = bad[2, 0] = True
    assert np.isnan(B[bad]).all()
    np.testing.assert_array_equal(B[~bad], good[~bad])
    assert conductor.field(np.empty((0, 3))).shape == (0, 3)
    for wrong in (1.0, [1.0, 2.0], np.zeros((3, 2))):
        with pytest.raises(ValueError, match="points: received shape"):
            conductor.field(wrong)
    for wrong in ("here", [["1", "2", "3"]], [[1, 2, 3], [4, 5]], [[1j, 0, 0]]):
        with pytest.raises(ValueError, match=r"points: received .*; give real numbers: coordinates in m"):
            conductor.field(wrong)


@pytest.mark.parametrize("conductor", ALL, ids=name)
def test_any_array_of_points_will_do(conductor):
    """Lists, single precision, read-only, every other row, Fortran order: the field of the same numbers, writable."""
    points = 1e-5 * np.random.default_rng(1).normal(size=(8, 3))
    B = conductor.field(points)
    single, locked = points.astype(np.float32), points.copy()
    locked.setflags(write=False)
    np.testing.assert_array_equal(conductor.field(points.tolist()), B)
    np.testing.assert_array_equal(conductor.field(locked), B)
    np.testing.assert_array_equal(conductor.field(np.asfortranarray(points)), B)
    np.testing.assert_allclose(conductor.field(points[::-2]), B[::-2], rtol=1e-9)
    np.testing.assert_array_equal(conductor.field(single), conductor.field(single.astype(float)))
    assert conductor.field(single).dtype == float
    assert conductor.field(points[0]).shape == (3,)
    assert conductor.field(np.zeros((2, 0, 3))).shape == (2, 0, 3)
    B[0] = 0.0


@pytest.mark.parametrize("conductor", ALL, ids=name)
def test_conductors_are_values(conductor):
    assert dataclasses.replace(conductor) == conductor
    assert len({conductor, dataclasses.replace(conductor), conductor.scaled(2)}) == 2
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        conductor.current = 1.0


@pytest.mark.parametrize("conductor", ALL, ids=name)
def test_every_conductor_can_be_scaled(conductor):
    assert isinstance(conductor, Conductor)
    points = 1e-5 * np.random.default_rng(0).normal(size=(6, 3))
    B = conductor.field(points)
    for factor in (2.0, -0.25, 0.0):
        other = conductor.scaled(factor)
        assert type(other) is type(conductor)
        assert other.current == factor * conductor.current
        np.testing.assert_allclose(other.field(points), factor * B, rtol=1e-12, atol=1e-15 * np.abs(B).max())
    for wrong in (np.nan, np.inf, "2", [1, 2], None):
        with pytest.raises(ValueError, match="factor: received"):
            conductor.scaled(wrong)


@pytest.mark.parametrize("conductor", ALL, ids=name)
def test_far_away_and_on_its_own_corners_the_field_is_finite(conductor):
    corners = [(0, 0, 0), (1e-5, 0, 0), (0, 0, 5e-8), (5e-7, 0, 5e-8), (1e3, -2e3, 5e2), (2e-6, 0, 5e-8), (0, 1e-6, 0)]
    assert np.isfinite(conductor.field(corners)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Polyline([(0, 0, 0)], I), r"vertices: received shape \(1, 3\)"),
        (lambda: Polyline(np.zeros((3, 2)), I), r"vertices: received shape \(3, 2\)"),
        (lambda: Polyline([(0, 0, 0), (0, np.nan, 0)], I), r"corner 1 is \[0.0, nan, 0.0\]; give finite"),
        (lambda: Polyline([(0, 0, 0), (1, 0, 0), (1, 0, 0)], I), "corners 1 and 2 are both .* leave one"),
        (lambda: Polyline([(0, 0, 0), (1, 1)], I), "vertices: received .*; give real numbers: corners of shape"),
        (lambda: Polyline([("a", 0, 0), (1, 1, 1)], I), "vertices: received .*; give real numbers"),
        (lambda: Bar("here", (0, 1, 0), 1e-6, 1e-7, I), "start: received 'here'; give real numbers: x, y, z, in m"),
        (lambda: Polyline(LONG, True), "current: received True"),
        (lambda: Polyline(LONG, np.inf), "current: received inf; give one finite number, in A"),
        (lambda: Ribbon(*LONG, [1e-6, 2e-6], I), "width: received .* one finite number above zero, in m"),
        (lambda: Ribbon(*LONG, 0.0, I), "width: received 0.0; give one finite number above zero, in m"),
        (lambda: Ribbon((0, 0), (1, 1), 1e-6, I), r"start: received \[0.0, 0.0\]; give three finite numbers"),
        (lambda: Bar(*LONG, 1e-6, -1e-9, I), "thickness: received -1e-09"),
        (lambda: Bar(*LONG, 1e-6, 0, I), "thickness: received 0; give one finite number above zero, in m"),
        (lambda: Bar(*LONG, 1, 1e-7, I), r"width is 1 m, .* did you mean 1e-06 \(1 um\)"),
        (lambda: Bar(*LONG, 1e-6, 100.0, I), r"thickness is 100 m, .* did you mean 0.0001 \(100 um\)"),
        (lambda: Ribbon(*LONG, 0.051, I), "width is 0.051 m, above the 0.05 m"),
        (lambda: Bar(*LONG, "1 um", 1e-7, I), "width: received '1 um'; give one finite number"),
        (lambda: Wedge((0, 0, 0), (0, 1e-6, 0), (1e-6, 1e-6, 0), 1e-7, I), "along and across make an angle"),
        (lambda: Wedge((0, 0, 0), (0, 0, 0), (1e-6, 0, 0), 1e-7, I), "length of along: received .* above zero"),
        (lambda: Bar(*LONG, 1e-6, 1e-7, np.nan), "current: received nan"),
        (lambda: Bar((1, 2, 3), (1, 2, 3), 1e-6, 1e-7, I), r"start and end are both \(1.0, 2.0, 3.0\); give two ends"),
        (lambda: Bar((0, 0, 0), (0, 0, 1), 1e-6, 1e-7, I), r"normal: received \(0.*parallel to the axis \(0.*across"),
        (lambda: Bar(*LONG, 1e-6, 1e-7, I, normal=(0, 0, 0)), "normal: received .* zero or parallel"),
    ],
)
def test_refusals_name_the_value_and_the_remedy(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_describing_a_wire_loads_no_compiler():
    code = "import sys, vbsense.currents as c; c.Bar((0, 0, 0), (0, 1, 0), 1e-6, 1e-7, 1); print(*sys.modules)"
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    loaded = done.stdout.split()
    assert "vbsense.currents" in loaded
    assert "numba" not in loaded
    assert "scipy" not in loaded
