"""Averages over spots: charts, rules and their stated errors, against closed forms and adaptive integrals."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import constants
from scipy.integrate import quad
from scipy.special import iv, jv

import vbsense as vb
from vbsense.optics import SensorArray
from vbsense.optics.cubature import adaptive_means
from vbsense.optics.spots import SHAPES, chart, product_rule, transfer

BAR = vb.Bar((0, -1, -50e-9), (0, 1, -50e-9), width=1e-6, thickness=100e-9, current=1e-3)
EDGE = 0.5e-6
SIZE = 100e-9


# --- shapes -----------------------------------------------------------------------------------------------------------


def moments(shape, size):
    """<x^2>, <x^4>, <x^2 y^2> of unit light."""
    if shape == "square":
        return size**2 / 12, size**4 / 80, size**4 / 144
    if shape == "disc":
        a = size / 2
        return a**2 / 4, a**4 / 8, a**4 / 24
    s = size / np.sqrt(8 * np.log(2))
    return s**2, 3 * s**4, s**4


@pytest.mark.parametrize("shape", SHAPES)
def test_moments_of_the_product_rule(shape):
    points, weights = product_rule(shape, 3.0, 5)
    x, y = points.T
    got = [weights @ v for v in (x**2, x**4, x**2 * y**2, y**4, x, x * y, x**3 * y)]
    second, fourth, mixed = moments(shape, 3.0)
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    assert got == pytest.approx([second, fourth, mixed, fourth, 0, 0, 0], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_moments_of_the_chart(shape):
    u, w = np.polynomial.legendre.leggauss(400)
    points = np.stack(np.meshgrid(u, u), -1)
    offsets, density = chart(shape, 3.0, points)
    light = np.outer(w, w) / 4 * density
    x, y = offsets[..., 0], offsets[..., 1]
    second, fourth, mixed = moments(shape, 3.0)
    got = [(light * v).sum() for v in (1, x**2, y**2, x**4, x**2 * y**2, x * y)]
    assert got == pytest.approx([1, second, second, fourth, mixed, 0], rel=2e-5, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(shape=st.sampled_from(SHAPES), kx=st.floats(-3, 3), ky=st.floats(-3, 3))
@example(shape="disc", kx=0.0, ky=2e-313)
def test_the_transfer_is_the_average_of_plane_waves(shape, kx, ky):
    points, weights = product_rule(shape, 2.0, 40)
    wave = weights @ np.exp(-1j * points @ [kx, ky])
    assert transfer(shape, 2.0, np.array(kx), np.array(ky)) == pytest.approx(wave.real, abs=1e-10)
    assert abs(wave.imag) < 1e-12


# --- cubature ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(k=st.tuples(*[st.floats(-6, 6)] * 3), dims=st.sampled_from([2, 3]), digits=st.floats(3, 7))
@example(k=(2.3828, -3.5336, 5.4273), dims=3, digits=4.0)  # the two rules agree by accident: 7 % off
@example(k=(2.0, 2.0, 3.0), dims=3, digits=3.0)
def test_the_error_of_exponentials_is_below_its_estimate(k, dims, digits):
    k = np.array(k[:dims])
    exact = np.prod([np.sinh(v) / v if v else 1.0 for v in k])
    got, error, allowed = adaptive_means(
        lambda cube, u: np.exp(u @ k)[..., None] * [1.0, -2.0, 2.0], 1, dims, tolerance=10**-digits
    )
    assert np.linalg.norm(got[0] - exact * np.array([1, -2, 2])) <= error[0] + 1e-13 * exact
    assert error[0] <= allowed <= 10**-digits * 3 * exact * 1.2


@pytest.mark.parametrize("dims", [2, 3])
def test_polynomials_of_the_seventh_degree_need_no_halving(dims):
    powers = [p for p in np.ndindex(*[8] * dims) if sum(p) <= 7]
    calls = []

    def all_powers(cube, u):
        calls.append(u.shape)
        return np.stack([np.prod(u**p, axis=-1) for p in powers], axis=-1)

    got, _, _ = adaptive_means(all_powers, 1, dims, tolerance=0.99)
    exact = [np.prod([0 if n % 2 else 1 / (n + 1) for n in p]) for p in powers]
    assert got[0] == pytest.approx(exact, abs=1e-14)
    assert len(calls) == 1


def test_a_jump_across_the_cube_is_found():
    got, error, allowed = adaptive_means(
        lambda cube, u: np.where(u[..., :1] > 0.3, [1.0, 2.0, 0.0], 0.0), 1, 2, tolerance=1e-5
    )
    assert np.linalg.norm(got[0] - 0.35 * np.array([1.0, 2.0, 0.0])) <= error[0] <= allowed


def test_a_field_that_is_not_a_number_stays_so_and_the_others_are_done():
    spots = SensorArray.from_sites([0.0, 1e-6], [0.0, 0.0])
    got = spots.average(lambda p: np.where(p[..., :1] > 0.5e-6, np.nan, p), standoff=20e-9)
    assert np.isnan(got[1]).all()
    assert got[0] == pytest.approx([0, 0, 20e-9], abs=1e-15)


# --- fields with a closed form ----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    rotation=st.floats(-1.6, 1.6),
    decay=st.floats(20e-9, 1e-6),
    azimuth=st.floats(0, 6.3),
    thickness=st.sampled_from([0.0, 10e-9, 40e-9]),
)
def test_the_average_of_a_decaying_wave(shape, rotation, decay, azimuth, thickness):
    """Field of a sinusoidal current sheet: its average is the footprint's transform times that of the layer."""
    k = 1 / decay
    direction = np.array([np.cos(azimuth), np.sin(azimuth)])

    def field(p):
        phase, fall = k * (p[..., :2] @ direction), np.exp(-k * p[..., 2])
        return np.stack([*(direction[:, None] * (fall * np.sin(phase)).reshape(1, -1)), (fall * np.cos(phase)).ravel()])

    def shaped(p):
        return field(p).reshape(3, *p.shape[:-1]).transpose(*range(1, p.ndim), 0)

    array = SensorArray(250e-9, (2, 3), (0.1e-6, 0), rotation, SIZE, thickness, spot_shape=shape)
    standoff = thickness / 2 + 5e-9
    got = array.average_with_error(shaped, standoff=standoff)
    turned = [azimuth - rotation] * 2
    footprint = {
        "square": lambda: (
            np.sinc(k * SIZE * np.cos(turned[0]) / 2 / np.pi) * np.sinc(k * SIZE * np.sin(turned[0]) / 2 / np.pi)
        ),
        "disc": lambda: 2 * jv(1, k * SIZE / 2) / (k * SIZE / 2),
        "gaussian": lambda: np.exp(-((k * SIZE) ** 2) / (16 * np.log(2))),
    }[shape]()
    half = k * thickness / 2
    layer = np.sinh(half) / half if half else 1.0
    exact = shaped(np.column_stack([array.x, array.y, np.full(6, standoff)])) * footprint * layer
    off = np.linalg.norm(got.field - exact, axis=1)
    assert (off <= got.error + 1e-13).all()
    assert off.max() <= 1e-6 * np.exp(-k * 5e-9)


def test_a_depth_profile_is_a_sum_over_planes():
    heights, weights = np.array([2e-9, 10e-9, 25e-9]), np.array([1.0, 3.0, 2.0])
    array = SensorArray(1e-6, (1, 2), thickness=30e-9, depth_profile=(heights, weights))
    mean = heights @ weights / 6
    assert array.mean_height == pytest.approx(mean, rel=1e-14)
    got = array.average(BAR.field, standoff=mean + 5e-9)
    planes = [SensorArray(1e-6, (1, 2), thickness=0.0).average(BAR.field, standoff=5e-9 + h) for h in heights]
    assert got == pytest.approx(np.einsum("k,ksc->sc", weights / 6, planes), abs=2e-6 * np.abs(got).max())
    fixed = array.average(BAR.field, standoff=mean + 5e-9, order=(40, 1))
    assert fixed == pytest.approx(got, abs=1e-4 * np.abs(got).max())


def test_many_even_planes_are_an_even_layer():
    n = 400
    planes = ((np.arange(n) + 0.5) / n * 40e-9, np.ones(n))
    profile = SensorArray(1e-6, (1, 1), (EDGE, 0), depth_profile=planes)
    even = SensorArray(1e-6, (1, 1), (EDGE, 0))
    assert profile.average(BAR.field, standoff=30e-9) == pytest.approx(
        even.average(BAR.field, standoff=30e-9), rel=1e-5
    )


# --- above a bar, against an adaptive integral ------------------------------------------------------------------------


def infinite_bar(x, z):
    """Bx and Bz of an endless bar, one point at a time (the textbook sum over its corners)."""
    density = 1e-3 / (1e-6 * 100e-9)
    sums = [0.0, 0.0]
    for sx in (-1, 1):
        for sz in (-1, 1):
            X, Z = x + sx * 0.5e-6, z + 50e-9 + sz * 50e-9
            if X and Z:
                log = np.log(X * X + Z * Z) / 2
                sums[0] += sx * sz * (X * log + Z * np.arctan(X / Z))
                sums[1] -= sx * sz * (Z * log + X * np.arctan(Z / X))
    return np.array(sums) * constants.mu_0 * density / (2 * np.pi)


def across(shape, rotation):
    """Density of the spot's light along x, and where it has kinks: the field does not depend on y."""
    if shape == "square":  # two even densities, folded
        wide, narrow = abs(np.cos(rotation)) * SIZE / 2, abs(np.sin(rotation)) * SIZE / 2
        wide, narrow = max(wide, narrow), min(wide, narrow)

        def trapezoid(x):
            top = 1 / (2 * wide)
            return top if abs(x) <= wide - narrow else top * (wide + narrow - abs(x)) / (2 * narrow)

        return trapezoid, np.array([-wide - narrow, -wide + narrow, wide - narrow, wide + narrow])
    if shape == "disc":
        a = SIZE / 2
        return lambda x: 2 / (np.pi * a**2) * np.sqrt(max(a**2 - x**2, 0.0)), np.array([-a, a])
    s = SIZE / np.sqrt(8 * np.log(2))
    return lambda x: np.exp(-0.5 * (x / s) ** 2) / (s * np.sqrt(2 * np.pi)), np.array([-7 * s, 0, 7 * s])


def integrated(shape, rotation, x0, bottom, top):
    """Bx and Bz averaged by nested adaptive integrals."""
    density, kinks = across(shape, rotation)
    edges = [e - x0 for e in (-EDGE, EDGE) if kinks[0] < e - x0 < kinks[-1]]
    points = np.unique([*kinks[1:-1], *edges])

    def line(z, component):
        options = {"points": points} if points.size else {}
        return quad(
            lambda x: density(x) * infinite_bar(x0 + x, z)[component], kinks[0], kinks[-1], epsabs=1e-13, epsrel=1e-9,
            limit=200, **options,
        )[0]  # fmt: skip

    u, w = np.polynomial.legendre.leggauss(24)
    # Depth in panels that shrink towards the conductor, where the field is singular at the edges.
    panels = np.concatenate([[bottom], bottom + (top - bottom) * 4.0 ** -np.arange(3, -1, -1)])
    total = np.zeros(2)
    for a, b in pairwise(panels):
        for v, weight in zip(u, w, strict=True):
            z = (a + b) / 2 + (b - a) / 2 * v
            total += weight * (b - a) / 2 / (top - bottom) * np.array([line(z, 0), line(z, 1)])
    return total


CASES = [
    ("square", 0.0, 0.47e-6, 5e-9), ("square", 0.0, 0.5e-6, 0.0), ("square", 0.07, 0.53e-6, 0.0),
    ("square", 0.6, -0.49e-6, 5e-9), ("square", 0.0, 0.2e-6, 0.0), ("disc", 0.0, 0.51e-6, 5e-9),
    ("gaussian", 0.0, 0.46e-6, 5e-9),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "rotation", "x0", "gap"), CASES)
def test_averages_at_the_edge_of_a_bar(shape, rotation, x0, gap):
    array = SensorArray(1e-6, (1, 1), (x0, 0.0), rotation, SIZE, 40e-9, spot_shape=shape)
    # The largest field of a row across the bar is the scale of the tolerance.
    row = np.linspace(-1e-6, 1e-6, 21)
    others = array.average_with_error(BAR.field, standoff=gap + 20e-9, at=(np.append(row, x0), np.zeros(22)))
    largest = np.linalg.norm(others.field, axis=1).max()
    expected = integrated(shape, rotation, x0, gap, gap + 40e-9)
    off = np.linalg.norm(others.field[-1, [0, 2]] - expected)
    assert off <= 1e-6 * largest
    assert off <= others.error[-1] + 1e-9 * largest
    assert others.error.max() <= 1.1e-6 * largest  # the mean |B| of a spot exceeds its mean B a little


def test_stated_errors_hold_for_many_spots_and_tolerances():
    """Against a tolerance ten thousand times smaller: squares and discs at any angle and distance from the edge."""
    rng = np.random.default_rng(4)
    for shape, gap in [("square", 0.0), ("square", 5e-9), ("disc", 1e-9)]:
        array = SensorArray(1e-6, (1, 1), (0, 0), rng.uniform(0, 0.1), SIZE, 40e-9, spot_shape=shape)
        at = (rng.uniform(0.4e-6, 0.6e-6, 14), np.zeros(14))
        exact = array.average(BAR.field, standoff=gap + 20e-9, tolerance=1e-8, at=at)
        for tolerance in (1e-3, 1e-4, 1e-5, 1e-6):
            got = array.average_with_error(BAR.field, standoff=gap + 20e-9, tolerance=tolerance, at=at)
            assert (np.linalg.norm(got.field - exact, axis=1) <= got.error).all()


def test_only_hard_spots_get_many_points():
    count = []

    def counted(p):
        count.append(p[..., 0].size)
        return BAR.field(p)

    far = SensorArray(400e-9, (5, 5), (10e-6, 0))
    far.average(counted, standoff=35e-9)
    assert sum(count) <= 25 * 66
    count.clear()
    SensorArray(1e-6, (1, 1), (EDGE, 0)).average(counted, standoff=20e-9)
    assert sum(count) > 10 * 33


def test_a_tolerance_out_of_reach_is_said():
    def jump(p):  # on a slanted plane: no box but the tiniest is free of it
        return np.where(p.sum(axis=-1, keepdims=True) > 50.1e-9, [0, 0, 1e-3], 0.0)

    with pytest.warns(UserWarning, match="did not suffice"):
        SensorArray(1e-6, (1, 1)).average(jump, standoff=50e-9, tolerance=1e-9)


def test_the_centre_of_a_spot_errs_as_stated():
    film = vb.Ribbon((0, -1e-4, 0), (0, 1e-4, 0), width=1e-6, current=1e-3)
    x = np.linspace(0, 1e-6, 201)
    for low, high, stated in ((20e-9, 40e-9, 0.086), (0.0, 30e-9, 0.172)):
        array = SensorArray(1e-6, (1, 1), thickness=high - low)
        standoff = (low + high) / 2
        Bz = array.average(film.field, standoff=standoff, at=(x, 0 * x))[:, 2]
        centre = film.field(np.column_stack([x, 0 * x, 0 * x + standoff]))[:, 2]
        assert np.abs(centre - Bz).max() / np.abs(Bz).max() == pytest.approx(stated, abs=2e-3)


def test_the_average_of_a_gaussian_spot_in_an_exponential_field():
    """Far beyond the half width the light still counts: exp(k x) weighs the tail."""
    k = 3e7
    array = SensorArray(1e-6, (1, 1), spot_shape="gaussian", thickness=0.0)
    got = array.average(lambda p: np.exp(k * p[..., :1]) * [1.0, 0, 0], standoff=0.0)
    assert got[0, 0] == pytest.approx(np.exp((k * SIZE) ** 2 / (16 * np.log(2))), rel=1e-6)
    disc = SensorArray(1e-6, (1, 1), spot_shape="disc", thickness=0.0)
    got = disc.average(lambda p: np.exp(k * p[..., :1]) * [1.0, 0, 0], standoff=0.0)
    assert got[0, 0] == pytest.approx(2 * iv(1, k * SIZE / 2) / (k * SIZE / 2), rel=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda a: a.average(BAR.field, standoff=50e-9, tolerance=0.0), "tolerance"),
        (lambda a: a.average(BAR.field, standoff=50e-9, tolerance=np.nan), "tolerance"),
        (lambda a: a.average(BAR.field, standoff=50e-9, order=(0, 4)), r"order is \(0, 4\)"),
        (lambda a: a.average(BAR.field, standoff=50e-9, order=(2.5, 4)), "whole numbers"),
        (lambda a: a.average(BAR.field, standoff=50e-9, order=8), "order is 8"),
        (lambda a: a.average(BAR.field, standoff=50e-9, at=[[1e-6]]), "at holds 1"),
        (lambda a: a.average(BAR.field, standoff=50e-9, at=3), "at is 3"),
        (lambda a: a.average(BAR.field, standoff=50e-9, order=(2, 2), tolerance=1e-3), "received both"),
        (lambda a: a.average(BAR.field, standoff=50), "standoff is 50 m, above .* write 50 nm as 50e-9"),
        (lambda a: a.average(BAR.field, standoff=50e-9, at=(["a"], [0.0])), "x: received .*; give real numbers"),
        (lambda a: a.average(lambda p: p[..., 0], standoff=50e-9), "field gave shape"),
        (lambda a: a.average(BAR.field, standoff=np.inf), "standoff"),
        (lambda a: a.average(BAR.field, standoff=50e-9, at=([0.0, 1e-6], [0.0])), "positions have shapes"),
        (lambda a: a.average(BAR.field, standoff=50e-9, at=([0.0, np.nan], [0.0, 0.0])), "site 1"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call(SensorArray(1e-6, (1, 1)))


def test_what_is_no_field_or_height_is_refused():
    spot = SensorArray(1e-6, (1, 1))
    with pytest.raises(TypeError, match=r"field is a Bar; give its \.field"):
        spot.average(BAR, standoff=50e-9)
    with pytest.raises(TypeError, match="field is a int; give a function"):
        spot.average(3, standoff=50e-9, order=(2, 2))
    with pytest.raises(TypeError, match="standoff is '50 nm'; it must be a height in metres"):
        spot.average(BAR.field, standoff="50 nm")
