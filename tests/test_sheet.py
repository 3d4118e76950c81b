"""A sheet of pixels: against closed forms, against a sum over pixels, against another package, and laws."""

import dataclasses
import pickle

import magpylib
import numpy as np
import pytest
from field_laws import divergence
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.constants import mu_0
from scipy.integrate import quad

import vbsense as vb

P = 100e-9


def worst(got, expected):
    """Largest error relative to the largest field."""
    return float(np.abs(got - expected).max() / np.linalg.norm(expected, axis=-1).max())


def over(sheet, height, margin=0):
    """Points of the grid of the sheet, (ny, nx, 3)."""
    steps = [np.arange(-margin, n + margin) for n in sheet.shape]
    X, Y = np.meshgrid(sheet.origin[0] + P * steps[1], sheet.origin[1] + P * steps[0])
    return np.stack([X, Y, np.full(X.shape, sheet.z + height)], axis=-1)


def noisy(shape=(13, 9), thickness=0.0, seed=0):
    """A sheet that no symmetry helps."""
    rng = np.random.default_rng(seed)
    return vb.CurrentSheet(rng.normal(size=shape), rng.normal(size=shape), P, 30e-9, origin=(1e-6, -2e-6),
                           thickness=thickness)  # fmt: skip


def pixel_by_pixel(sheet, points):
    """Every pixel as two conductors of its own."""
    total = np.zeros(points.shape)
    for (row, column), Jx in np.ndenumerate(sheet.Jx):
        middle = np.array([sheet.x[column], sheet.y[row], sheet.z])
        for J, along in ((Jx, [1, 0, 0]), (sheet.Jy[row, column], [0, 1, 0])):
            half = np.array(along) * P / 2
            shape = (P, sheet.thickness) if sheet.thickness else (P,)
            kind = vb.Bar if sheet.thickness else vb.Ribbon
            total += kind(middle - half, middle + half, *shape, J * P).field(points)
    return total


# --- closed forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thickness", [0.0, 60e-9, 400e-9])
@pytest.mark.parametrize("along", ["x", "y"])
@pytest.mark.parametrize("gap", [1e-9, 50e-9, 1e-6])
@pytest.mark.parametrize("side", [1, -1])
def test_a_trace_of_pixels_is_the_ribbon_or_bar(thickness, along, gap, side):
    J = np.zeros((60, 24))
    J[5:55, 8:18] = 1e3  # 1 um wide, 5 um long, 1 mA
    start, end = np.array([12.5 * P, 4.5 * P, 0]), np.array([12.5 * P, 54.5 * P, 0])
    if along == "x":
        J, start, end = J.T, start[[1, 0, 2]], end[[1, 0, 2]]
    sheet = vb.CurrentSheet(*((J, 0 * J) if along == "x" else (0 * J, J)), P, thickness=thickness)
    exact = vb.Bar(start, end, 1e-6, thickness, 1e-3) if thickness else vb.Ribbon(start, end, 1e-6, 1e-3)
    height = side * (thickness / 2 + gap)
    expected = exact.field(over(sheet, height, margin=7))
    assert worst(sheet.field_on_grid(height, margin=7), expected) < 1e-9  # the sums of FFT and of 500 pixels
    assert worst(sheet.field(over(sheet, height, margin=7)), expected) < 1e-6


def test_inside_a_thick_trace():
    J = np.zeros((50, 10))
    J[:, 2:8] = 1e3
    sheet = vb.CurrentSheet(0 * J, J, P, thickness=300e-9)
    bar = vb.Bar((4.5 * P, -P / 2, 0), (4.5 * P, 49.5 * P, 0), 6 * P, 300e-9, 600e-6)
    for height in (0.0, 100e-9, -150e-9):
        assert worst(sheet.field_on_grid(height), bar.field(over(sheet, height))) < 1e-9


def test_emitters_of_some_depth_see_the_mean():
    sheet = noisy(thickness=100e-9)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    for depth, height in ((30e-9, 80e-9), (250e-9, 190e-9)):  # thinner and thicker than the conductor
        mean = sum(w / 2 * sheet.field_on_grid(height + depth / 2 * u) for u, w in zip(nodes, weights, strict=True))
        assert worst(sheet.field_on_grid(height, depth=depth), mean) < 1e-6


SPOTS = [("square", 70e-9), ("square", 300e-9), ("disc", 70e-9), ("disc", 300e-9), ("gaussian", 60e-9)]


def dense(shape, size, n=350):
    """Very many points of a spot by the midpoint rule, and their weights."""
    u = (np.arange(n) + 0.5) / n
    if shape == "disc":
        r, angle = np.meshgrid(u, 2 * np.pi * u)
        return size / 2 * np.stack([r * np.cos(angle), r * np.sin(angle)], axis=-1), 2 * r / n**2
    sigma = size / np.sqrt(8 * np.log(2))
    reach = 6 * sigma if shape == "gaussian" else size / 2
    x, y = np.meshgrid((2 * u - 1) * reach, (2 * u - 1) * reach)
    weights = np.exp(-(x**2 + y**2) / (2 * sigma**2)) if shape == "gaussian" else np.ones((n, n))
    return np.stack([x, y], axis=-1), weights / weights.sum()


@pytest.mark.parametrize(("shape", "size"), SPOTS)
@pytest.mark.parametrize("height", [20e-9, 80e-9])
def test_spots_see_the_mean_over_their_area(shape, size, height):
    """One pixel; spots on it, over its edge, at its corner and beside it."""
    sheet = vb.CurrentSheet([[0.0]], [[1.0]], P)
    pixel = vb.Ribbon((0, -P / 2, 0), (0, P / 2, 0), P, P)
    grid = sheet.field_on_grid(height, spot_size=size, spot_shape=shape, margin=4)
    largest = np.linalg.norm(sheet.field_on_grid(height)[0, 0])
    offsets, weights = dense(shape, size)
    for column, row in ((0, 0), (1, 0), (1, 1), (4, 2)):
        points = np.concatenate([offsets + np.array([column, row]) * P, np.full((*weights.shape, 1), height)], axis=-1)
        mean = np.einsum("ij,ijc->c", weights, pixel.field(points))
        np.testing.assert_allclose(grid[4 + row, 4 + column], mean, rtol=0, atol=1e-4 * largest)


def test_spots_of_some_depth_over_a_thick_pixel():
    thickness, depth, height, size = 100e-9, 60e-9, 90e-9, 120e-9
    pixel = vb.Bar((0, -P / 2, 0), (0, P / 2, 0), P, thickness, P)
    sheet = vb.CurrentSheet([[0.0]], [[1.0]], P, thickness=thickness)
    grid = sheet.field_on_grid(height, spot_size=size, depth=depth, margin=5)
    offsets, weights = dense("square", size, 100)
    nodes, shares = np.polynomial.legendre.leggauss(10)
    for column, row in ((0, 0), (1, 0), (1, 1), (5, 2)):
        mean = np.zeros(3)
        for node, share in zip(nodes, shares / 2, strict=True):
            z = np.full((*weights.shape, 1), height + depth / 2 * node)
            points = np.concatenate([offsets + np.array([column, row]) * P, z], axis=-1)
            mean += share * np.einsum("ij,ijc->c", weights, pixel.field(points))
        np.testing.assert_allclose(grid[5 + row, 5 + column], mean, rtol=0, atol=1e-4 * np.abs(grid).max())


def test_any_spot_far_away_is_a_point_with_its_second_moment():
    """To fourth order in size / distance the mean is the value plus moments times second derivatives."""
    sheet, height, size = noisy(), 3e-6, 400e-9
    moments = {"square": size**2 / 12, "disc": size**2 / 16, "gaussian": size**2 / (8 * np.log(2))}
    points, step = over(sheet, height), 50e-9
    shifts = step * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    bend = (sum(sheet.field(points + s) for s in shifts) - 4 * sheet.field(points)) / step**2
    for shape, moment in moments.items():
        mean = sheet.field_on_grid(height, spot_size=size, spot_shape=shape)
        assert worst(mean, sheet.field(points) + moment / 2 * bend) < 1e-3


def test_field_of_an_array_of_sensors():
    """Spots and depth through the general average of SensorArray: the sheet behaves like the bar that it is."""
    J = np.zeros((200, 10))
    J[:] = 1e3
    sheet = vb.CurrentSheet(0 * J, J, P, -50e-9, origin=(-4.5 * P, -99.5 * P), thickness=100e-9)
    bar = vb.Bar((0, -1e-5, -50e-9), (0, 1e-5, -50e-9), 1e-6, 100e-9, 1e-3)
    array = vb.SensorArray(pitch=300e-9, shape=(3, 7), rotation=0.1)
    got, expected = (array.average(c.field, standoff=30e-9) for c in (sheet, bar))
    assert worst(got, expected) < 1e-6


# --- arbitrary points ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thickness", [0.0, 40e-9, 700e-9])
def test_blocks_of_pixels_are_the_sum_over_pixels(thickness):
    sheet = noisy((23, 17), thickness)
    rng = np.random.default_rng(1)
    corner, extent = np.array([sheet.x[0], sheet.y[0]]) - 1e-6, np.array([17, 23]) * P + 2e-6
    for height in (0.0, thickness / 3 + 1e-9, -thickness / 2 - 1e-9, thickness / 2 + 60e-9):
        points = np.column_stack([corner + extent * rng.random((40, 2)), np.full(40, sheet.z + height)])
        assert worst(sheet.field(points), pixel_by_pixel(sheet, points)) < 1e-6


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (33, 1), (2, 3), (64, 64)])
def test_sheets_of_any_shape(shape):
    sheet = noisy(shape)
    points = over(sheet, 80e-9, margin=2)
    assert worst(sheet.field(points), sheet.field_on_grid(80e-9, margin=2)) < 1e-6


def test_another_package_agrees():
    """Each pixel as two triangles with the same current density."""
    if not hasattr(magpylib.current, "TriangleSheet"):
        pytest.skip("this magpylib has no sheets of current")
    sheet = noisy((4, 3))
    corners, faces, densities = [], [], []
    for (row, column), Jx in np.ndenumerate(sheet.Jx):
        x, y, first = sheet.x[column], sheet.y[row], len(corners)
        corners += [(x + a * P / 2, y + b * P / 2, sheet.z) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
        densities += 2 * [(Jx, sheet.Jy[row, column], 0.0)]
    other = magpylib.current.TriangleSheet(vertices=corners, faces=faces, current_densities=densities)
    points = over(sheet, 40e-9).reshape(-1, 3) + (13e-9, 21e-9, 0)  # beside the lines where its formula is singular
    assert worst(sheet.field(points), other.getB(points)) < 1e-6


def test_a_point_that_is_nowhere():
    B = noisy().field([[np.nan, 0, 0], [0, np.inf, 0], [0, 0, 1e-6]])
    assert np.isnan(B[:2]).all()
    assert np.isfinite(B[2]).all()


@pytest.mark.parametrize("thickness", [0.0, 50e-9])
def test_finite_on_corners_edges_and_faces(thickness):
    sheet = noisy((3, 3), thickness)
    x, y = sheet.x[1] + np.array([-0.5, 0, 0.5]) * P, sheet.y[1] + np.array([-0.5, 0, 0.5]) * P
    points = np.stack(np.meshgrid(x, y, sheet.z + thickness * np.array([-0.5, 0, 0.5])), axis=-1)
    assert np.isfinite(sheet.field(points)).all()


# --- laws ----------------------------------------------------------------------------------------------------------


def test_jump_across_a_thin_sheet():
    """Ampere: the tangential field turns round by mu0 times the current density."""
    sheet = noisy()
    jump = sheet.field_on_grid(1e-13) - sheet.field_on_grid(-1e-13)
    np.testing.assert_allclose(jump[..., 0], mu_0 * sheet.Jy, rtol=1e-4)
    np.testing.assert_allclose(jump[..., 1], -mu_0 * sheet.Jx, rtol=1e-4)
    assert np.abs(jump[..., 2]).max() < 1e-12 * mu_0


@given(st.integers(0, 1000), st.floats(20e-9, 2e-6), st.sampled_from([0.0, 90e-9]))
@example(180, 4.294e-07, 0.0)
@example(310, 1.134e-06, 0.0)
@settings(max_examples=15, deadline=None)
def test_no_sources_and_mirror_images(seed, gap, thickness):
    sheet = noisy(seed=seed, thickness=thickness)
    height = gap + thickness / 2
    point = np.array([sheet.x[4] + 13e-9, sheet.y[6] - 37e-9, sheet.z + height])
    # Blocks are off by up to 1e-5 of the field where the noise cancels; differences over gap / 20 see that.
    assert abs(divergence(sheet, point, gap / 20)) < 1e-3
    above, below = sheet.field_on_grid(height, margin=1), sheet.field_on_grid(-height, margin=1)
    np.testing.assert_allclose(below, above * (-1, -1, 1), rtol=1e-9, atol=1e-12 * np.abs(above).max())


def test_nothing_wraps_around():
    J = np.zeros((16, 16))
    J[:, 0] = 1e3
    edge = vb.CurrentSheet(0 * J, J, P)
    wide = vb.CurrentSheet(*np.pad([0 * J, J], ((0, 0), (40, 40), (40, 40))), P)
    got, expected = edge.field_on_grid(50e-9), wide.field_on_grid(50e-9)[40:-40, 40:-40]
    assert worst(got, expected) < 1e-12
    np.testing.assert_allclose(edge.field_on_grid(50e-9, margin=40), wide.field_on_grid(50e-9), atol=1e-15)


# --- what a sheet is -----------------------------------------------------------------------------------------------


def test_nominal_current():
    J = np.zeros((30, 30))
    J[5:25, 5:10], J[5:25, 20:25] = 200.0, -200.0  # two legs of a U, 0.1 mA each
    u = vb.CurrentSheet(0 * J, J, P)
    assert u.current == pytest.approx(1e-4)
    assert u.scaled(-3).current == pytest.approx(-3e-4)
    np.testing.assert_allclose(u.scaled(-3).field([0, 0, 1e-6]), -3 * u.field([0, 0, 1e-6]))
    assert vb.CurrentSheet(0 * J, J, P, nominal=2.0).current == 2.0
    assert vb.CurrentSheet(J.T, 0 * J, P).current == pytest.approx(1e-4)


def test_divergence_is_that_of_the_pixels():
    """Net outflow of the squares between the centres of pixels, and none of a closed circuit."""
    rng = np.random.default_rng(3)
    g = np.zeros((12, 10))  # a stream function on the corners, zero at the border
    g[1:-1, 1:-1] = rng.normal(size=(10, 8))
    Jx = (np.diff(g, axis=0)[:, 1:] + np.diff(g, axis=0)[:, :-1]) / (2 * P)
    Jy = -(np.diff(g, axis=1)[1:] + np.diff(g, axis=1)[:-1]) / (2 * P)
    closed = vb.CurrentSheet(Jx, Jy, P)
    assert np.abs(closed.divergence()).max() < 1e-12 * np.abs(Jx).max() / P
    opened = noisy((5, 4))
    assert opened.divergence().shape == (6, 5)
    assert opened.divergence().sum() * P**2 == pytest.approx(0, abs=1e-12)  # what begins ends
    corner = (opened.Jx[0, 0] + opened.Jy[0, 0]) / (2 * P)  # a quarter of a pixel sends J p / 2 out on two sides
    assert opened.divergence()[0, 0] == pytest.approx(corner)


def test_a_sheet_is_a_value():
    J = np.ones((3, 4))
    sheet = vb.CurrentSheet(J, 2 * J, P, thickness=1e-8)
    same = vb.CurrentSheet(J, 2 * J, P, thickness=1e-8)
    assert sheet == same
    assert hash(sheet) == hash(same)
    assert sheet != same.scaled(2)
    J[:] = 5.0
    assert (sheet.Jx == 1).all()
    sheet.field([0, 0, 1e-7])
    for copy in (sheet, pickle.loads(pickle.dumps(sheet)), dataclasses.replace(sheet, z=0.0)):
        assert copy == same
        with pytest.raises(ValueError, match="read-only"):
            copy.Jx[0, 0] = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        sheet.z = 1.0


def test_a_sheet_is_a_conductor_among_others():
    sheet = noisy()
    both = vb.Sum([sheet, vb.Placed(sheet, translation=(0, 0, 1e-6))])
    point = np.array([1e-6, -1e-6, 3e-6])
    np.testing.assert_allclose(both.field(point), sheet.field(point) + sheet.field(point - (0, 0, 1e-6)))


ONE = np.ones((2, 3))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((ONE, ONE.T, P), {}, r"Jx has shape \(2, 3\) and Jy \(3, 2\)"),
        ((ONE[0], ONE[0], P), {}, r"Jx: received shape \(3,\)"),
        ((np.zeros((0, 3)), ONE, P), {}, "Jx: received shape"),
        ((ONE * 1j, ONE, P), {}, "Jx: received array.*; give real numbers: the pixels"),
        ((ONE, np.where(np.eye(2, 3), np.nan, 0), P), {}, r"Jy: pixel \(0, 0\) is nan"),
        ((ONE, ONE, 0.1), {}, "pixel_size: received 0.1 m; .* in metres, for example 100e-9"),
        ((ONE, ONE, 100), {}, "pixel_size"),
        ((ONE, ONE, 1e-13), {}, "pixel_size"),
        ((ONE, ONE, -P), {}, "pixel_size"),
        ((ONE, ONE, [P, P]), {}, "pixel_size"),
        (([[1, 2], [3]], ONE, P), {}, "Jx: received .*; give real numbers: the pixels"),
        ((ONE > 0, ONE, P), {}, "Jx: received a mask"),
        ((ONE, ONE, P, np.inf), {}, "z: received inf"),
        ((ONE, ONE, P, 50), {}, r"z is 50 m, .* did you mean 5e-05 \(50 um\) or 5e-08 \(50 nm\)"),
        ((ONE, ONE, P), {"origin": "ab"}, "origin: received 'ab'; give real numbers"),
        ((ONE, ONE, P), {"origin": (5, 5)}, "origin is 5 m"),
        ((ONE, ONE, P), {"thickness": -1e-9}, "thickness: received -1e-09; give a length of zero or more"),
        ((ONE, ONE, P), {"thickness": 100}, "did you mean 0.0001 .100 um. or 1e-07"),
        ((ONE, ONE, P), {"origin": (0, 0, 0)}, "origin"),
        ((ONE, ONE, P), {"nominal": np.nan}, "nominal"),
    ],
)
def test_refusals_of_the_sheet(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        vb.CurrentSheet(*arguments, **options)


@pytest.mark.parametrize(
    ("height", "options", "message"),
    [
        (np.nan, {}, "height"),
        (50, {}, "height is 50 m, .*50 nm"),
        (1e-7, {"spot_size": -1e-9}, "spot_size"),
        (1e-7, {"spot_size": np.nan}, "spot_size"),
        (1e-7, {"spot_shape": "disk"}, "'disc'"),
        (1e-7, {"depth": -1.0}, "depth"),
        (1e-7, {"margin": -1}, "margin"),
        (1e-7, {"margin": 0.5}, "margin"),
        (1e-7, {"margin": True}, "margin"),
    ],
)
def test_refusals_of_the_grid(height, options, message):
    with pytest.raises(ValueError, match=message):
        noisy().field_on_grid(height, **options)


def test_refusals_of_points():
    with pytest.raises(ValueError, match=r"points: received shape \(2,\)"):
        noisy().field([0.0, 1.0])
    with pytest.raises(ValueError, match="factor"):
        noisy().scaled(np.nan)


def test_mean_over_depth_of_a_thin_sheet_is_a_thick_one():
    """The exchange that the averages use, against quadrature through the depth."""
    sheet = vb.CurrentSheet([[0.0]], [[1.0]], P)
    got = sheet.field_on_grid(40e-9, depth=60e-9, margin=1)[1, 2, 2]
    ribbon = vb.Ribbon((0, -P / 2, 0), (0, P / 2, 0), P, P)
    mean = quad(lambda z: ribbon.field([P, 0, z])[2], 10e-9, 70e-9, epsrel=1e-10)[0] / 60e-9
    assert got == pytest.approx(mean, rel=1e-9)
