"""Factors in Fourier space: against quadrature, against closed forms of loops, against the convolution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.constants import mu_0
from scipy.integrate import quad
from scipy.special import j0, j1

import vbsense as vb
from vbsense import transfer

P = 100e-9


def blob(n=128, width=8.0):
    """Current around a Gaussian hill of stream function, far from the border: (2, n, n) A/m."""
    x = (np.arange(n) - n / 2 + 0.3) * P
    X, Y = np.meshgrid(x, x + 0.4 * P)
    g = 1e-3 * np.exp(-(X**2 + Y**2) / (2 * (width * P) ** 2))
    return np.array([-Y * g, X * g]) / (width * P) ** 2


# --- factors -------------------------------------------------------------------------------------------------------


def test_wave_vectors_know_their_waves():
    """Each wave of the grid has its whole transform in the bin of its own kx, ky (no shift by half a bin)."""
    shape = (6, 9)
    kx, ky = transfer.wavevectors(shape, P)
    y, x = np.meshgrid(P * np.arange(6), P * np.arange(9), indexing="ij")
    for row, column in ((0, 0), (1, 2), (5, 4), (2, 0)):
        wave = np.cos(kx[0, column] * x + ky[row, 0] * y)
        power = np.abs(np.fft.rfft2(wave)) ** 2
        allowed = np.zeros(power.shape, dtype=bool)
        allowed[row, column] = True
        if column == 0:
            allowed[-row % 6, 0] = True
        assert power[~allowed].max() < 1e-20 * power.max()


@pytest.mark.parametrize("thickness", [1e-9, 100e-9, 3e-6])
def test_layer_and_depth_are_means_of_the_decay(thickness):
    for k in (0.0, 1e3, 1e6, 3e7):
        middle = quad(lambda z, k=k: np.exp(-k * z), -thickness / 2, thickness / 2)[0] / thickness
        near = quad(lambda z, k=k: np.exp(-k * z), 0, thickness)[0] / thickness
        assert transfer.layer_factor(k, thickness) == pytest.approx(middle, rel=1e-12)
        assert transfer.depth_factor(k, thickness) == pytest.approx(near, rel=1e-12)


@given(st.floats(0, 1e12), st.floats(0, 1e-5), st.floats(0, 1e-5), st.floats(1e-12, 1e-5))
@settings(max_examples=100, deadline=None)
def test_heights_never_overflow(k, thickness, depth, gap):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        factor = transfer.height_factor(k, gap + (thickness + depth) / 2, thickness=thickness, depth=depth)
    assert 0 <= factor <= 1
    if k * (gap + (thickness + depth) / 2) < 600:  # beyond, the first of these has lost digits
        parts = transfer.layer_factor(k, thickness) * transfer.layer_factor(k, depth)
        assert factor == pytest.approx(np.exp(-k * (gap + (thickness + depth) / 2)) * parts, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("shape", ["square", "disc", "gaussian"])
def test_footprints_are_transforms_of_their_area(shape):
    size, k = 200e-9, np.array([0.0, 1e5, 1e7, 4e7])
    sigma = size / np.sqrt(8 * np.log(2))
    profile = {  # the spot projected on one axis
        "square": (lambda x: 1 / size, size / 2),
        "disc": (lambda x: 8 * np.sqrt(max(size**2 / 4 - x * x, 0)) / (np.pi * size**2), size / 2),
        "gaussian": (lambda x: np.exp(-(x**2) / (2 * sigma**2)) / np.sqrt(2 * np.pi) / sigma, 9 * sigma),
    }[shape]
    exact = [quad(lambda x, k=k: profile[0](x) * np.cos(k * x), -profile[1], profile[1])[0] for k in k]
    np.testing.assert_allclose(transfer.footprint_factor(k, 0.0, size, shape), exact, atol=1e-9)
    np.testing.assert_allclose(transfer.footprint_factor(0.0, -k, size, shape), exact, atol=1e-9)
    assert transfer.footprint_factor(k, k, 0.0, shape).tolist() == [1, 1, 1, 1]


# --- fields --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [0.3e-6, 1e-6, -1e-6])
@pytest.mark.parametrize("k", [2e5, 1e6, 3e6])
def test_stream_function_of_a_loop(height, k):
    """Bz of a circular filament, in closed form, transformed numerically; its stream function is a disc."""
    radius, current = 1e-6, 1e-3
    loop = vb.Loop((0, 0, 0), radius, current)

    def integrand(r):
        return loop.field([r, 0, height])[2] * j0(k * r) * 2 * np.pi * r

    near = quad(integrand, 0, 5 * radius, points=[radius], epsrel=1e-9, limit=400)[0]
    r = np.arange(5 * radius, 400 * radius, 0.02 * radius)  # beyond, a sum: the field falls as r^-3
    points = np.stack([r, 0 * r, 0 * r + height], axis=-1)
    far = np.trapezoid(loop.field(points)[:, 2] * j0(k * r) * 2 * np.pi * r, r)
    expected = transfer.stream_transfer(k, height) * current * np.pi * radius**2 * 2 * j1(k * radius) / (k * radius)
    assert near + far == pytest.approx(expected, rel=1e-4, abs=1e-4 * mu_0 * current * radius)


@pytest.mark.parametrize("height", [250e-9, -250e-9])
@pytest.mark.parametrize(("thickness", "depth", "spot"), [(0.0, 0.0, 0.0), (200e-9, 60e-9, 150e-9)])
def test_closed_current_against_the_convolution(height, thickness, depth, spot):
    J = blob()
    sheet = vb.CurrentSheet(*J, P, thickness=thickness)
    options = {"spot_size": spot, "spot_shape": "disc", "depth": depth}
    expected = sheet.field_on_grid(height, **options)
    operator = transfer.field_transfer((256, 256), P, height, thickness=thickness, **options)
    kx, ky = transfer.wavevectors((256, 256), P)
    operator = operator * transfer.footprint_factor(kx, ky, P)  # uniformly filled pixels
    padded = np.pad(J, ((0, 0), (64, 64), (64, 64)))
    got = np.moveaxis(transfer.apply(operator, padded)[:, 64:-64, 64:-64], 0, -1)
    # What is left is the window's own repetition: dipoles 25.6 um away.
    assert np.abs(got - expected).max() < 1e-3 * np.linalg.norm(expected, axis=-1).max()


def test_stream_function_and_current_agree():
    n, height = 64, 150e-9
    g = np.random.default_rng(0).normal(size=(n, n))
    kx, ky = transfer.wavevectors((n, n), P)
    G = np.fft.rfft2(g)
    G[n // 2], G[:, n // 2] = 0, 0  # waves without a direction
    J = np.array([np.fft.irfft2(1j * ky * G), np.fft.irfft2(-1j * kx * G)])
    Bz = np.fft.irfft2(transfer.stream_transfer(np.hypot(kx, ky), height) * G)
    B = transfer.apply(transfer.field_transfer((n, n), P, height), J)
    np.testing.assert_allclose(B[2], Bz, atol=1e-12 * np.abs(Bz).max())
    # Above a sheet the field has no curl: Bx and By follow from Bz
    F = np.fft.rfft2(Bz) / np.where(np.hypot(kx, ky) > 0, np.hypot(kx, ky), 1)
    np.testing.assert_allclose(B[0], np.fft.irfft2(-1j * kx * F), atol=1e-12 * np.abs(Bz).max())
    np.testing.assert_allclose(B[1], np.fft.irfft2(-1j * ky * F), atol=1e-12 * np.abs(Bz).max())


def test_signs():
    J = np.zeros((2, 16, 16))
    J[1] = 1.0
    for height, sign in ((1e-7, 1), (-1e-7, -1)):
        B = transfer.apply(transfer.field_transfer((16, 16), P, height), J)
        np.testing.assert_allclose(B[0], sign * mu_0 / 2)
        assert np.abs(B[1:]).max() < 1e-20
    below, above = (transfer.apply(transfer.field_transfer((128, 128), P, h), blob()) for h in (-2e-7, 2e-7))
    np.testing.assert_allclose(below, above * np.array([-1, -1, 1])[:, None, None], atol=1e-18)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_adjoint(ny, nx, seed):
    rng = np.random.default_rng(seed)
    operator = transfer.field_transfer((ny, nx), P, 0.7 * P, thickness=P / 2, spot_size=2 * P)
    J, B = rng.normal(size=(2, ny, nx)), rng.normal(size=(3, ny, nx))
    one, other = np.vdot(B, transfer.apply(operator, J)), np.vdot(transfer.apply_adjoint(operator, B), J)
    assert one == pytest.approx(other, rel=1e-9, abs=1e-12 * mu_0)
    only_z = operator[2:]
    np.testing.assert_allclose(transfer.apply(only_z, J)[0], transfer.apply(operator, J)[2], atol=1e-20)


@pytest.mark.parametrize("shape", [(8, 8), (7, 8), (8, 7), (7, 7)])
def test_a_quarter_turn_turns_the_field(shape):
    """No direction is special: also not on the highest wave of an even grid."""
    J = np.random.default_rng(1).normal(size=(2, *shape))
    B = transfer.apply(transfer.field_transfer(shape, P, P), J)
    turned_J = np.array([-np.rot90(J[1], -1), np.rot90(J[0], -1)])  # rot90 with rows = y: counter-clockwise in x, y
    turned = transfer.apply(transfer.field_transfer(shape[::-1], P, P), turned_J)
    expected = np.array([-np.rot90(B[1], -1), np.rot90(B[0], -1), np.rot90(B[2], -1)])
    np.testing.assert_allclose(turned, expected, atol=1e-12 * np.abs(B).max())


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transfer.wavevectors((0, 4), P), "shape"),
        (lambda: transfer.wavevectors((4.0, 4.0), P), "shape"),
        (lambda: transfer.wavevectors((4, 4), 0.0), "pixel_size"),
        (lambda: transfer.layer_factor(1.0, -1e-9), "thickness"),
        (lambda: transfer.depth_factor(1.0, np.nan), "depth"),
        (lambda: transfer.footprint_factor(1.0, 1.0, P, "round"), "spot_shape"),
        (lambda: transfer.height_factor(1.0, 50e-9, thickness=100e-9, depth=10e-9), "at least 5.5e-08 m"),
        (lambda: transfer.height_factor(1.0, np.inf), "height"),
        (lambda: transfer.apply(transfer.field_transfer((4, 4), P, P), np.zeros((2, 4, 6))), "do not fit"),
        (lambda: transfer.apply(transfer.field_transfer((4, 4), P, P), np.zeros((3, 4, 4))), "do not fit"),
        (lambda: transfer.apply_adjoint(np.zeros((4, 4)), np.zeros((3, 4, 4))), "do not fit"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
