"""Microwave antennas: what thin strips do with a magnetic field, what a ring does, and the phases of two antennas."""

import numpy as np
import pytest
from field_laws import circulation, curl, relative
from scipy.constants import mu_0
from scipy.special import ellipk

import vbsense as vb
from vbsense.currents import Bar, Loop, Polyline, Sum, antenna_current, coplanar, drive_field, omega, strip

I = 0.1
LONG = (0, -1.0, 0), (0, 1.0, 0)
LINE = {"center_width": 30e-6, "gap": 20e-6, "ground_width": 150e-6}


def test_uniform_strip_is_a_bar():
    points = 1e-5 * np.random.default_rng(0).normal(size=(20, 3))
    assert relative(strip(*LONG, 5e-5, 1e-6, I).field(points), Bar(*LONG, 5e-5, 1e-6, I).field(points)) < 1e-14


def test_crowded_strip_is_the_root_of_a_complex_function():
    """Bz + i Bx is an analytic function of x + i z: -mu0 I / 2 pi s of a wire, with a root in place of s."""
    a = 25e-6
    crowded = strip(*LONG, 2 * a, 1e-9, I, distribution="edge", lanes=256)
    x, z = np.array([0.0, 10e-6, 24e-6, 40e-6, 80e-6]), np.array([3e-6, 2e-6, 4e-6, 1e-6, -30e-6])
    B = crowded.field(np.stack([x, 0 * x, z], axis=1))
    s = x + 1j * z
    root = np.sqrt(s - a) * np.sqrt(s + a)
    expected = mu_0 * I / (2 * np.pi * root)
    np.testing.assert_allclose(B[:, 0], -expected.imag, rtol=0, atol=2e-4 * np.abs(expected).max())
    np.testing.assert_allclose(B[:, 2], -expected.real, rtol=0, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("lanes", [16, 64])
def test_crowded_strip_lets_no_flux_through(lanes):
    """Just above it the field is parallel to the strip; that of an even current is not."""
    points = np.stack([np.linspace(-15e-6, 15e-6, 31), np.zeros(31), np.full(31, 8e-6)], axis=1)

    def through(distribution):
        B = strip(*LONG, 50e-6, 1e-9, I, distribution=distribution, lanes=lanes).field(points * [1, 1, 0.01])
        return np.abs(B[:, 2]).mean() / np.abs(B[:, 0]).mean()

    assert through("edge") < 0.3 * through("uniform")


@pytest.mark.parametrize("distribution", ["uniform", "edge"])
def test_far_away_only_the_current_counts(distribution):
    point = [1e-3, 0, 2e-3]
    far = strip(*LONG, 50e-6, 1e-6, I, distribution=distribution).field(point)
    assert relative(far, Polyline(LONG, I).field(point)) < 1e-3


@pytest.mark.parametrize("distribution", ["uniform", "edge"])
def test_coplanar_line_returns_its_current(distribution):
    line = coplanar(*LONG, 1e-6, I, distribution=distribution, **LINE)
    assert line.current == I
    assert sum(part.current for part in line.parts) == pytest.approx(0, abs=1e-12 * I)
    assert circulation(line, (0, 0, 0), 25e-6, (0, 1, 0)) == pytest.approx(mu_0 * I, rel=1e-10)
    assert circulation(line, (0, 0, 0), 400e-6, (0, 1, 0)) == pytest.approx(0, abs=1e-10 * mu_0 * I)
    assert circulation(line, (110e-6, 0, 0), 85e-6, (0, 1, 0)) == pytest.approx(-mu_0 * I / 2, rel=1e-10)


def test_coplanar_line_mirror():
    line = coplanar(*LONG, 1e-6, I, distribution="edge", **LINE)
    points = 5e-5 * np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(line.field(points * [-1, 1, 1]), line.field(points) * [1, -1, -1], rtol=1e-9, atol=1e-15)


def test_crowded_coplanar_line_is_the_analytic_function():
    """In the gap, against 1 / sqrt((s^2 - a^2)(s^2 - b^2)(s^2 - c^2)), normalised by an elliptic integral."""
    a, b, c = 15e-6, 35e-6, 185e-6
    line = coplanar(*LONG, 1e-9, I, distribution="edge", lanes=256, **LINE)
    x, z = np.array([20e-6, 25e-6, 30e-6, 5e-6, 100e-6, 250e-6]), np.array([0, 0, 2e-6, 10e-6, -20e-6, 30e-6])
    s = x + 1j * z
    function = 1 / (np.sqrt(s - a) * np.sqrt(s + a) * np.sqrt(s - b) * np.sqrt(s + b) * np.sqrt(s - c) * np.sqrt(s + c))
    # The integral of |function| over the centre is a complete elliptic integral.
    m = a**2 * (c**2 - b**2) / (b**2 * (c**2 - a**2))
    total = 2 * ellipk(m) / (b * np.sqrt(c**2 - a**2))
    expected = mu_0 * I / (2 * total) * function
    B = line.field(np.stack([x, 0 * x, z], axis=1))
    assert (np.abs(B[:, 2] + 1j * B[:, 0] - expected) < 1e-3 * np.abs(expected)).all()


def test_omega_is_nearly_a_ring():
    """A narrow opening far from the point, thin wire: the ring, its gap and two leads that cancel."""
    antenna = omega(100e-6, 2e-6, 1e-6, I, opening=4e-6, lead_length=2e-3, sides=200)
    ring = Loop((0, 0, 0), 100e-6, I)
    B, whole = antenna.field([0, 0, 0]), ring.field([0, 0, 0])
    assert B[2] == pytest.approx(whole[2], rel=0.02)
    assert abs(B[0]) < 1e-9 * B[2]  # the plane x = 0 is a mirror


@pytest.mark.parametrize("distribution", ["uniform", "edge"])
def test_current_of_an_omega_is_continuous(distribution):
    options = {"opening": 40e-6, "lead_length": 1e-2, "sides": 16, "distribution": distribution, "lanes": 4}
    antenna = omega(100e-6, 20e-6, 2e-6, I, **options)
    round_it = circulation(antenna, (-100e-6, 0, 0), 30e-6, (0, 1, 0))
    assert round_it == pytest.approx(-mu_0 * I, rel=1e-4)  # the open ends of the leads are 1 cm away
    point = np.array([90e-6, 31e-6, 4e-6])  # above a corner
    assert np.abs(curl(antenna, point, 2e-8)).max() < 1e-4 * mu_0 * I / (40e-12)


def test_phases_turn_the_drive():
    antennas = [strip((0, -1e-3, 0), (0, 1e-3, 0), 5e-5, 1e-6, I), strip((-1e-3, 0, 0), (1e-3, 0, 0), 5e-5, 1e-6, I)]
    point = [[0, 0, 1e-5], [3e-6, 0, 2e-5]]
    together = drive_field(antennas, point, phases=[0, np.pi / 2])
    fields = [antenna.field(point) for antenna in antennas]
    np.testing.assert_allclose(together, fields[0] + 1j * fields[1], rtol=1e-12, atol=1e-15)
    assert together.shape == (2, 3)
    np.testing.assert_array_equal(drive_field(Sum(antennas), point).imag, 0.0)
    np.testing.assert_allclose(drive_field(Sum(antennas), point), drive_field(antennas, point), rtol=1e-14)


def test_the_direction_of_the_drive_decides_which_line_is_strong():
    """Without strain the lower and upper line belong to circular drives of opposite sense."""
    from dataclasses import replace

    defect = replace(vb.VB14N, E=0.0, nuclei=())
    antennas = [strip((0, -1e-3, 0), (0, 1e-3, 0), 5e-5, 1e-6, I), strip((-1e-3, 0, 0), (1e-3, 0, 0), 5e-5, 1e-6, I)]
    frequency = vb.transitions([0, 0, 20e-3], defect)
    lines = [
        vb.spectrum(frequency, [0, 0, 20e-3], defect, linewidth=1e6, method="exact",
                    drive=drive_field(antennas, [0, 0, 1e-5], phases=[0, phase]))
        for phase in (np.pi / 2, -np.pi / 2)
    ]  # fmt: skip
    ratios = [line[0] / line[1] for line in lines]
    assert max(ratios) > 1e3
    assert min(ratios) < 1e-3


def test_antenna_current():
    """Power is voltage times current: half of the peak values of a matched line."""
    peak = antenna_current(30.0, reflection=0)
    assert 0.5 * peak**2 * 50 == pytest.approx(1.0, rel=1e-12)
    assert antenna_current(30.0) == pytest.approx(2 * peak)
    assert antenna_current(30.0, reflection=1) == 0.0
    assert antenna_current(30.0, reflection=1j) == pytest.approx(np.sqrt(2) * peak)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: strip(*LONG, 1e-5, 1e-6, I, distribution="uniforn"), "did you mean 'uniform'"),
        (lambda: strip(*LONG, 1e-5, 1e-6, I, distribution="edge", lanes=1), "lanes is 1; .* at least 2"),
        (lambda: strip(*LONG, 50.0, 1e-6, I), r"width is 50 m, .* \(50 um\)"),
        (lambda: strip(*LONG, 1e-5, 0.0, I), "thickness: received 0.0"),
        (lambda: strip((0, 0, 0), (0, 1, 1), 1e-5, 1e-6, I), "segment 0 leaves the plane"),
        (lambda: coplanar(*LONG, 1e-6, I, center_width=1e-5, gap=0, ground_width=1e-4), "gap: received 0"),
        (lambda: omega(1e-4, 2e-5, 1e-6, I, opening=1e-5, lead_length=1e-3), "opening is 1e-05 m; it lies between"),
        (lambda: omega(1e-4, 2e-5, 1e-6, I, opening=3e-4, lead_length=1e-3), "opening is 0.0003 m"),
        (lambda: omega(1e-5, 2.5e-5, 1e-6, I, opening=1e-4, lead_length=1e-3), "opening|segment"),
        (lambda: omega(1e-4, 2e-5, 1e-6, I, opening=4e-5, lead_length=1e-3, sides=4), "sides is 4"),
        (lambda: omega(1e-4, "20 um", 1e-6, I, opening=4e-5, lead_length=1e-3), "width: received '20 um'"),
        (lambda: antenna_current(4000.0), "power is 4000 dBm, above 60; 1 mW is 0 dBm"),
        (lambda: antenna_current(10.0, reflection="open"), "reflection is 'open'"),
        (lambda: drive_field(Loop((0, 0, 0), 1e-5, I), [0, 0, 0], phases="a"), "phases: received 'a'"),
        (lambda: drive_field([], [0, 0, 0]), "antennas is empty"),
        (lambda: drive_field(Loop((0, 0, 0), 1e-5, I), [0, 0, 0], phases=[0, 1]), "for 1 antennas"),
        (lambda: antenna_current(np.nan), "power: received nan"),
        (lambda: antenna_current(10.0, reflection=2), "reflection is 2; at most 1"),
        (lambda: antenna_current(10.0, impedance=0), "impedance: received 0"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_is_no_antenna_is_refused():
    with pytest.raises(TypeError, match="antennas is 3; give a conductor or a list"):
        drive_field(3, [0, 0, 0])
