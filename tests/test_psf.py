"""Point-spread functions: unit integrals, known widths and dark rings, limits, and images against direct integrals."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import jn_zeros

from vbsense.optics import AiryPSF, GaussianPSF, HighNAPSF, MeasuredPSF, SensorArray, spot_images

LAMBDA = 820e-9
ROUND = [
    GaussianPSF(440e-9),
    AiryPSF(LAMBDA, 0.5),
    HighNAPSF(LAMBDA, 0.95, 1.0),
    HighNAPSF(LAMBDA, 0.95, 1.0, defocus=-1.2e-6),
    HighNAPSF(LAMBDA, 1.45, 1.518, defocus=0.3e-6, radius=5e-6),
]
GRID = np.arange(-12, 13) * 100e-9
LOPSIDED = np.exp(-0.5 * ((GRID - 40e-9) ** 2 + 2 * (GRID[:, None] + 70e-9) ** 2) / 190e-9**2)


def inside(psf, radius):
    """Light within a circle, by a composite rule in polar coordinates."""
    u, w = np.polynomial.legendre.leggauss(8)
    edges = np.linspace(0, radius, 600)
    r = (edges[:-1, None] + edges[1:, None]) / 2 + np.diff(edges)[:, None] / 2 * u
    return float((2 * np.pi * r * psf(r * 0.6, r * 0.8) * np.diff(edges)[:, None] / 2 * w).sum())


# --- each -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("psf", ROUND)
def test_the_integral_is_one_and_ends_at_the_radius(psf):
    assert inside(psf, psf.radius) == pytest.approx(1, abs=1e-7)
    assert psf(psf.radius * 1.0001, 0.0) == 0
    assert 0 < psf.cut < 0.05


@pytest.mark.parametrize("psf", ROUND)
def test_the_width_is_where_the_density_is_half_of_the_largest(psf):
    r = np.linspace(0, psf.radius, 20_001)
    half = psf(r, 0 * r).max() / 2
    assert float(psf(0.0, psf.fwhm / 2)) == pytest.approx(half, rel=1e-4)
    beyond = r > psf.fwhm / 2 * 1.001
    assert (psf(r[beyond], 0.0) < half).all()


@settings(max_examples=60, deadline=None)
@given(psf=st.sampled_from(ROUND), x=st.floats(-3e-6, 3e-6), y=st.floats(-3e-6, 3e-6), angle=st.floats(0, 6.3))
def test_round_functions_depend_on_the_distance_only(psf, x, y, angle):
    turned = (x + 1j * y) * np.exp(1j * angle)
    peak = float(psf(0, 0))
    assert float(psf(x, y)) == pytest.approx(float(psf(turned.real, turned.imag)), abs=1e-9 * peak)
    assert float(psf(x, y)) == float(psf(-x, y)) == float(psf(y, x)) >= 0


@pytest.mark.parametrize("psf", [*ROUND, MeasuredPSF(LOPSIDED, 100e-9)])
def test_equal_functions_are_equal_and_frozen(psf):
    arguments = {name: getattr(psf, name) for name in psf.__dataclass_fields__}
    assert type(psf)(**arguments) == psf
    assert hash(type(psf)(**arguments)) == hash(psf)
    with pytest.raises(AttributeError):
        psf.anything = 1.0


# --- diffraction ------------------------------------------------------------------------------------------------------


def test_known_numbers_of_the_airy_pattern():
    psf = AiryPSF(LAMBDA, 0.5)
    unit = LAMBDA / 0.5
    assert psf.fwhm == pytest.approx(0.5145 * unit, rel=1e-4)
    assert 2 * brentq(lambda r: psf(r, 0) - psf(0, 0) / 2, 0, 0.5 * unit) == pytest.approx(psf.fwhm, rel=1e-8)
    for zero in jn_zeros(1, 9):
        assert psf(zero / (2 * np.pi) * unit, 0) < 1e-24 * psf(0, 0)
    assert inside(psf, 0.60983 * unit) * (1 - psf.cut) == pytest.approx(0.8378, abs=1e-4)  # Born and Wolf, table 8.2
    assert inside(psf, 1.11653 * unit) * (1 - psf.cut) == pytest.approx(0.9099, abs=1e-4)
    assert psf(0, 0) * (1 - psf.cut) == pytest.approx(np.pi / unit**2, rel=1e-9)


@pytest.mark.parametrize("n", [1.0, 1.33, 1.518])
def test_at_low_aperture_the_debye_integral_is_the_airy_pattern(n):
    r = np.linspace(0, 40e-6, 400)
    errors = []
    for aperture in (0.1, 0.05):
        airy, debye = AiryPSF(LAMBDA, aperture), HighNAPSF(LAMBDA, aperture, n)
        errors.append(np.abs(airy(r, 0) - debye(r, 0)).max() / airy(0, 0))
        assert debye.cut == pytest.approx(airy.cut, rel=0.02)
    assert errors[1] < 1e-3
    assert errors[1] < errors[0] / 3  # as NA^2
    assert HighNAPSF(LAMBDA, 0.05, n).fwhm == pytest.approx(AiryPSF(LAMBDA, 0.05).fwhm, rel=1e-3)


@pytest.mark.parametrize(("aperture", "n", "z"), [(0.95, 1.0, 0.0), (0.95, 1.0, 0.8e-6), (1.3, 1.518, -0.5e-6)])
def test_the_debye_integral_by_adaptive_quadrature(aperture, n, z):
    psf = HighNAPSF(LAMBDA, aperture, n, defocus=z)
    k, alpha = 2 * np.pi * n / LAMBDA, np.arcsin(aperture / n)

    def amplitude(x):  # a spherical cap of plane waves, summed over both angles
        def ring(t, part):
            angle = np.arange(64) * np.pi / 32
            wave = np.exp(1j * k * (x * np.sin(t) * np.cos(angle) + z * np.cos(t))).mean()
            return part(wave) * np.sqrt(np.cos(t)) * np.sin(t)

        return complex(*(quad(ring, 0, alpha, args=(part,), epsrel=1e-10)[0] for part in (np.real, np.imag)))

    middle = abs(amplitude(0.0)) ** 2
    for x in (0.13e-6, 0.37e-6, 1.1e-6):
        got = float(psf(0, x) / psf(0, 0))
        assert got == pytest.approx(abs(amplitude(x)) ** 2 / middle, abs=1e-7)


def test_out_of_focus_the_light_spreads_and_none_is_lost():
    apertures = [HighNAPSF(LAMBDA, 0.8, 1.0, defocus=z, radius=40e-6) for z in (0, 0.5e-6, 1e-6, 2e-6)]
    assert all(0 < psf.cut < 0.008 for psf in apertures)  # rings beyond 40 um
    within = [inside(psf, 0.5e-6) for psf in apertures]
    assert (np.diff(within) < 0).all()
    widths = [psf.fwhm for psf in apertures]
    assert (np.diff(widths) > 0).all()
    assert HighNAPSF(LAMBDA, 0.8, 1.0, defocus=-1e-6)(0.3e-6, 0.2e-6) == pytest.approx(
        float(HighNAPSF(LAMBDA, 0.8, 1.0, defocus=1e-6)(0.3e-6, 0.2e-6)), rel=1e-9
    )


def test_far_out_of_focus_the_light_follows_the_rays():
    """Rays at angle t cross at |z| tan(t); an aplanatic objective sends light in proportion to solid angle."""
    psf, alpha = HighNAPSF(LAMBDA, 0.8, 1.0, defocus=2e-5), np.arcsin(0.8)
    for t in (0.3, 0.5, 0.65):
        rays = (1 - np.cos(t)) / (1 - np.cos(alpha))
        assert inside(psf, 2e-5 * np.tan(t)) * (1 - psf.cut) == pytest.approx(rays, rel=0.03)
    assert inside(psf, 1.05 * 2e-5 * np.tan(alpha)) > 0.97


def test_on_the_axis_of_a_low_aperture_the_light_follows_the_squared_sinc():
    aperture = 0.2
    focus = HighNAPSF(LAMBDA, aperture, 1.0)
    for u in (1.0, 3.0, 6.0):  # k z NA^2 / n
        off = HighNAPSF(LAMBDA, aperture, 1.0, defocus=u / (2 * np.pi / LAMBDA * aperture**2))
        ratio = off(0, 0) * (1 - off.cut) / (focus(0, 0) * (1 - focus.cut))
        assert ratio == pytest.approx((np.sin(u / 4) / (u / 4)) ** 2, abs=0.01)


def test_the_middle_of_an_airy_pattern_is_a_gaussian():
    airy = AiryPSF(LAMBDA, 0.5)
    sigma = np.sqrt(2) * LAMBDA / (2 * np.pi * 0.5)
    gauss = GaussianPSF(sigma * np.sqrt(8 * np.log(2)))
    r = np.array([0.05, 0.1, 0.2]) * sigma
    off = airy(r, 0) / airy(0, 0) / (gauss(r, 0) / gauss(0, 0)) - 1
    assert (np.abs(off) < 0.1 * (r / sigma) ** 4).all()


# --- measured ---------------------------------------------------------------------------------------------------------


def test_a_measured_function_goes_through_its_pixels():
    psf = MeasuredPSF(123.0 * LOPSIDED, 100e-9)
    row, column = (float((np.arange(25) * LOPSIDED.sum(axis=a)).sum() / LOPSIDED.sum()) for a in (1, 0))
    x, y = (np.arange(25) - column) * 100e-9, (np.arange(25)[:, None] - row) * 100e-9
    got = psf(x[1:-1], y[1:-1])
    assert got == pytest.approx(LOPSIDED[1:-1, 1:-1] / (LOPSIDED.sum() * 1e-14), rel=1e-4)


def test_a_measured_function_has_a_unit_integral_and_its_centroid_in_the_origin():
    psf = MeasuredPSF(LOPSIDED, 100e-9)
    fine = np.arange(-1500e-9, 1500e-9, 10e-9)
    light = psf(fine, fine[:, None]) * 1e-16
    assert light.sum() == pytest.approx(1, abs=1e-4)
    assert [(light * fine).sum(), (light * fine[:, None]).sum()] == pytest.approx([0, 0], abs=0.3e-9)
    assert psf(psf.radius * 1.01, 0.0) == 0


@pytest.mark.parametrize("psf", [GaussianPSF(440e-9), HighNAPSF(LAMBDA, 0.8, 1.0)])
def test_round_trip_through_a_measurement(psf):
    grid = np.arange(-50, 51) * 50e-9
    back = MeasuredPSF(psf(grid, grid[:, None]), 50e-9)
    r = np.linspace(0, 2e-6, 100)
    scale = inside(psf, 2.5e-6)  # the square holds a little more than this circle
    assert back(r, 0.3 * r) * scale == pytest.approx(psf(r, 0.3 * r), abs=0.02 * float(psf(0, 0)))
    assert back.fwhm == pytest.approx(psf.fwhm, rel=5e-3)


def test_noise_may_be_negative_and_a_bright_rim_is_warned_of():
    noise = np.random.default_rng(3).normal(0, 0.01, LOPSIDED.shape)
    assert MeasuredPSF(LOPSIDED + noise, 100e-9).fwhm == pytest.approx(MeasuredPSF(LOPSIDED, 100e-9).fwhm, rel=0.1)
    with pytest.warns(UserWarning, match="rim of image has 1"):
        MeasuredPSF(LOPSIDED + 0.2, 100e-9)


# --- images -----------------------------------------------------------------------------------------------------------


def direct(array, psf, shape, pixel, n=20):
    """Footprint and pixel by quadrature; (ny, nx) of a single spot."""
    u, w = np.polynomial.legendre.leggauss(n)
    a, b = (v.ravel() for v in np.meshgrid(u, u))
    light = np.outer(w, w).ravel() / 4
    if array.spot_shape == "disc":
        angle, radius = (np.arange(40) + 0.5) * np.pi / 20, np.sqrt((u + 1) / 2)
        a, b = (v.ravel() for v in (np.cos(angle)[:, None] * radius, np.sin(angle)[:, None] * radius))
        light = np.repeat(w[None] / 2 / 40, 40, axis=0).ravel()
    c, s = np.cos(array.rotation), np.sin(array.rotation)
    x = array.x[0] + (c * a - s * b) * array.spot_size / 2
    y = array.y[0] + (s * a + c * b) * array.spot_size / 2
    v, g = np.polynomial.legendre.leggauss(12)
    image = np.zeros(shape)
    for row, column in np.ndindex(shape):
        px, py = (column + v / 2) * pixel, (row + v[:, None] / 2) * pixel
        values = psf(px - x[:, None, None], py - y[:, None, None])
        image[row, column] = np.einsum("qyx,q,y,x", values, light, g / 2, g / 2) * pixel**2
    return image


@pytest.mark.parametrize("spot_shape", ["square", "disc"])
@pytest.mark.parametrize(
    "psf",
    [
        GaussianPSF(440e-9),
        AiryPSF(LAMBDA, 0.95),
        HighNAPSF(LAMBDA, 0.95, 1.0, 0.4e-6),
        HighNAPSF(LAMBDA, 1.3, 1.518, 2e-6),
        MeasuredPSF(LOPSIDED, 100e-9),
    ],
)
def test_images_against_a_direct_integral(psf, spot_shape):
    shape, pixel = (4, 5), 130e-9
    array = SensorArray(1e-6, (1, 1), (0.31e-6, 0.17e-6), 0.4, spot_size=220e-9, spot_shape=spot_shape)
    got = spot_images(array, shape=shape, pixel_size=pixel, psf=psf).toarray().reshape(shape)
    expected = direct(array, psf, shape, pixel)
    assert np.abs(got - expected).max() < 2e-6 * expected.max()


def test_images_with_a_measured_function_lie_where_their_spots_are():
    shape, pixel = (40, 44), 110e-9
    array = SensorArray(1.3e-6, (1, 2), (2.4e-6, 2.1e-6))
    psf = MeasuredPSF(LOPSIDED, 100e-9)
    images = spot_images(array, shape=shape, pixel_size=pixel, psf=psf).toarray().T.reshape(2, *shape)
    assert images.sum((1, 2)) == pytest.approx(1, abs=1e-6)
    assert np.einsum("kyx,x->k", images, np.arange(44) * pixel) == pytest.approx(array.x, abs=0.3e-9)
    assert np.einsum("kyx,y->k", images, np.arange(40) * pixel) == pytest.approx(array.y, abs=0.3e-9)
    spread = np.einsum("kyx,y->k", images, (np.arange(40) * pixel - array.y[0]) ** 2)
    expected = 190e-9**2 / 2 + (pixel**2 + array.spot_size**2) / 12
    assert spread == pytest.approx(expected, rel=1e-3)  # the lopsided y, not x


@pytest.mark.parametrize("psf", [GaussianPSF(440e-9), AiryPSF(LAMBDA, 0.95)])
@pytest.mark.parametrize("rotation", [0.0, 0.3])
def test_a_part_of_the_camera_sees_the_same(psf, rotation):
    shape, pixel = (60, 70), 100e-9
    array = SensorArray(800e-9, (4, 5), (3.3e-6, 2.9e-6), rotation)
    whole = spot_images(array, shape=shape, pixel_size=pixel, psf=psf).toarray().reshape(*shape, 20)
    for rows, columns in ((slice(10, 25), slice(30, 31)), (slice(-5, None), None), (None, slice(0, 8))):
        part = spot_images(array, shape=shape, pixel_size=pixel, psf=psf, rows=rows, columns=columns)
        expected = whole[rows or slice(None), columns or slice(None)]
        assert (part.toarray() == expected.reshape(-1, 20)).all()


@settings(max_examples=25, deadline=None)
@given(
    rotation=st.sampled_from([0.0, np.pi / 2, 0.7]),
    spot_shape=st.sampled_from(["square", "disc", "gaussian"]),
    size=st.floats(1e-9, 400e-9),
    x=st.floats(4.9e-6, 5.1e-6),
    pixel=st.floats(40e-9, 130e-9),  # coarser pixels move the centroid by aliasing
)
def test_light_place_and_width_of_every_image(rotation, spot_shape, size, x, pixel):
    psf = GaussianPSF(440e-9)
    n = int(10e-6 / pixel)
    array = SensorArray(1e-6, (1, 1), (x, 5.03e-6), rotation, spot_size=size, spot_shape=spot_shape)
    image = spot_images(array, shape=(n, n), pixel_size=pixel, psf=psf).toarray().reshape(n, n)
    places = np.arange(n) * pixel
    assert image.min() >= 0
    assert image.sum() == pytest.approx(1, abs=1e-6)
    assert [image.sum(0) @ places, image.sum(1) @ places] == pytest.approx([x, 5.03e-6], abs=1e-11)
    own = {"square": size**2 / 12, "disc": size**2 / 16, "gaussian": size**2 / (8 * np.log(2))}[spot_shape]
    # Second moments add; a sampled Gaussian has the pixel's own share of 1/12 on top.
    assert image.sum(0) @ (places - x) ** 2 == pytest.approx(psf.sigma**2 + own + pixel**2 / 12, rel=2e-4)


def test_a_table_turns_into_the_closed_form():
    """A square turned by nearly nothing and a tiny disc: the table must meet the exact ways."""
    options = {"shape": (50, 50), "pixel_size": 100e-9, "psf_fwhm": 440e-9}
    plain = spot_images(SensorArray(1e-6, (2, 2), (2.5e-6, 2.5e-6)), **options).toarray()
    turned = spot_images(SensorArray(1e-6, (2, 2), (2.5e-6, 2.5e-6), 1e-10), **options).toarray()
    assert np.abs(plain - turned).max() < 1e-6 * plain.max()
    tiny = {"spot_size": 1e-9}
    disc = spot_images(SensorArray(1e-6, (2, 2), (2.5e-6, 2.5e-6), spot_shape="disc", **tiny), **options).toarray()
    square = spot_images(SensorArray(1e-6, (2, 2), (2.5e-6, 2.5e-6), **tiny), **options).toarray()
    assert np.abs(disc - square).max() < 1e-6 * square.max()


class Lorentz:
    """Somebody's own function."""

    fwhm, radius = 300e-9, 4e-6

    def __init__(self, scale=1.0):
        self.scale = scale

    def __call__(self, x, y):
        a, r = self.fwhm / 2 / np.sqrt(2 ** (2 / 3) - 1), np.hypot(x, y)
        norm = 2 * np.pi * a**2 * (1 - 1 / np.sqrt(1 + (self.radius / a) ** 2))
        return self.scale * np.where(r <= self.radius, (1 + (r / a) ** 2) ** -1.5, 0) / norm


def test_any_class_with_width_radius_and_a_call_will_do():
    array = SensorArray(1e-6, (1, 1), (5e-6, 5e-6))
    images = spot_images(array, shape=(101, 101), pixel_size=100e-9, psf=Lorentz())
    assert images.sum() == pytest.approx(1, abs=1e-6)
    narrow, wide = Lorentz(), Lorentz()
    wide.fwhm = 600e-9
    images = [spot_images(array, shape=(101, 101), pixel_size=100e-9, psf=psf).max() for psf in (narrow, wide)]
    narrow.fwhm = 600e-9  # the same object, changed: no image of before may be taken for it
    images.append(spot_images(array, shape=(101, 101), pixel_size=100e-9, psf=narrow).max())
    assert images[2] == images[1] < images[0] / 2
    with pytest.raises(ValueError, match="integral of psf"):
        spot_images(array, shape=(101, 101), pixel_size=100e-9, psf=Lorentz(2.0))


@dataclasses.dataclass
class Cone:
    """One that can not be hashed."""

    fwhm: float = 300e-9
    radius: float | None = 300e-9

    def __call__(self, x, y):
        return 3 / (np.pi * 300e-9**2) * np.maximum(1 - np.hypot(x, y) / 300e-9, 0)


def test_a_function_that_can_not_be_hashed_will_do():
    images = spot_images(SensorArray(1e-6, (1, 1), (1e-6, 1e-6)), shape=(21, 21), pixel_size=100e-9, psf=Cone())
    assert images.sum() == pytest.approx(1, abs=1e-6)


def test_a_function_narrower_than_a_pixel_is_warned_of_with_both_numbers():
    array = SensorArray(1e-6, (1, 1), (1e-6, 1e-6))
    with pytest.warns(UserWarning, match=r"8e-08 m wide, narrower than a pixel of 1e-07 m"):
        spot_images(array, shape=(21, 21), pixel_size=1e-7, psf_fwhm=80e-9)


def test_far_spots_cost_nothing_and_leave_empty_columns():
    array = SensorArray(5e-6, (1, 3), (5e-6, 1e-6))
    images = spot_images(array, shape=(21, 21), pixel_size=1e-7, psf_fwhm=4e-7)
    assert np.diff(images.indptr).tolist()[1:] == [0, 0]
    assert images.shape == (441, 3)


# --- refusals ---------------------------------------------------------------------------------------------------------

ONE = SensorArray(1e-6, (1, 1))
SEEN = {"shape": (9, 9), "pixel_size": 1e-7}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: GaussianPSF(0.0), "fwhm is 0.0"),
        (lambda: GaussianPSF(440.0), "write 400 nm as 400e-9"),
        (lambda: AiryPSF(820.0, 0.9), "wavelength is 820"),
        (lambda: AiryPSF(2e-4, 0.9), "wavelength is 0.0002"),
        (lambda: AiryPSF(LAMBDA, 0.0), "numerical_aperture is 0.0"),
        (lambda: AiryPSF(LAMBDA, np.nan), "numerical_aperture is nan"),
        (lambda: AiryPSF(LAMBDA, 0.9, radius=1e-7), "first dark ring"),
        (lambda: AiryPSF(LAMBDA, 0.9, radius=1e-3), "give a smaller one"),
        (lambda: HighNAPSF(LAMBDA, 1.0, 1.0), "below 1"),
        (lambda: HighNAPSF(LAMBDA, 0.9, 0.5), "refractive_index is 0.5"),
        (lambda: HighNAPSF(LAMBDA, 0.9, 1.0, defocus=1.0), "write 1 um as 1e-6"),
        (lambda: HighNAPSF(LAMBDA, 0.9, 1.0, defocus=np.nan), "defocus is nan"),
        (lambda: HighNAPSF(LAMBDA, 0.99999, 1.0, defocus=2e-5), "less defocus"),
        (lambda: MeasuredPSF(-LOPSIDED, 1e-7), "adds up to -"),
        (lambda: MeasuredPSF(np.ones((3, 9)), 1e-7), "at least 4 x 4"),
        (lambda: MeasuredPSF(np.full((5, 5), np.nan), 1e-7), r"image is nan at \(0, 0\)"),
        (lambda: MeasuredPSF(LOPSIDED, -1e-7), "pixel_size is -1e-07"),
        (lambda: MeasuredPSF(np.pad([[2.0, -1.99]], ((3, 3), (0, 9))), 1e-7), "centroid"),
        (lambda: MeasuredPSF("bead.tif", 1e-7), "image: received 'bead.tif'; give real numbers"),
        (lambda: MeasuredPSF(LOPSIDED * 1j, 1e-7), "image: received array.*; give real numbers"),
        (lambda: spot_images(ONE, **(SEEN | {"shape": (True, 9)}), psf_fwhm=4e-7), "shape is"),
        (lambda: spot_images(ONE, **SEEN), "received neither"),
        (lambda: spot_images(ONE, **SEEN, psf_fwhm=4e-7, psf=GaussianPSF(4e-7)), "received both"),
        (lambda: spot_images(ONE, **SEEN, psf_fwhm=4e-7, rows=slice(9, 12)), "rows is slice"),
        (lambda: spot_images(ONE, **SEEN, psf_fwhm=4e-7, rows=3), "rows is 3"),
        (lambda: spot_images(ONE, **SEEN, psf_fwhm=4e-7, columns=slice(0, 9, 2)), "step 1"),
        (lambda: spot_images(ONE, **(SEEN | {"shape": (9, 0)}), psf_fwhm=4e-7), "shape is"),
        (lambda: spot_images(ONE, **(SEEN | {"shape": 9}), psf_fwhm=4e-7), "shape is 9"),
        (lambda: spot_images(ONE, **(SEEN | {"pixel_size": 0.1}), psf_fwhm=4e-7), "pixel_size is 0.1"),
        (lambda: spot_images(ONE, **SEEN, psf_fwhm=400.0), "psf_fwhm is 400"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_what_is_no_function_or_number_is_refused():
    with pytest.raises(TypeError, match="numerical_aperture is 'high'"):
        AiryPSF(LAMBDA, "high")
    with pytest.raises(TypeError, match="refractive_index is 'oil'"):
        HighNAPSF(LAMBDA, 0.9, "oil")
    for wrong in (4e-7, GaussianPSF):
        with pytest.raises(TypeError, match=r"such as GaussianPSF\(440e-9\)"):
            spot_images(ONE, **SEEN, psf=wrong)
    with pytest.raises(TypeError, match="array is a tuple; give a SensorArray"):
        spot_images((1e-6, (1, 1)), **SEEN, psf_fwhm=4e-7)
    with pytest.raises(TypeError, match=r"psf\.radius is None"):
        spot_images(ONE, **SEEN, psf=Cone(radius=None))
    with pytest.raises(TypeError, match="fwhm is '440e-9'; it must be a positive length in metres"):
        GaussianPSF("440e-9")
    disc = SensorArray(1e-6, (1, 1), spot_shape="disc")
    with (
        pytest.warns(UserWarning, match="narrower"),
        pytest.raises(ValueError, match="check their units"),
    ):
        spot_images(disc, **SEEN, psf_fwhm=4e-11)
