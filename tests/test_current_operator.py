"""From a stream function to the field: laws, and conductors that are integrated without any grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import PIXEL, gauss_points, phantom, pixel_mean

import vbsense as vb
from vbsense.analysis import CurrentOperator, Sensing
from vbsense.analysis.inversion.places import Sites, Window

places = st.sampled_from(["all", "window", "sites"])


def make(shape, cell, at, components, boundary, seed=0):
    rng = np.random.default_rng(seed)
    where = {
        "all": None,
        "window": Window((2, 3), (shape[0] - 5, shape[1] - 4)),
        "sites": Sites(rng.uniform(3, shape[0] - 4, 9), rng.uniform(3, shape[1] - 4, 9), shape),
    }[at]
    sensing = Sensing(120e-9, thickness=50e-9, depth=40e-9, size=(cell[0], cell[1]))
    return CurrentOperator(shape, cell, sensing, where, components, boundary)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(9, 24), st.integers(9, 24), st.floats(0.5, 2.0), places, st.sampled_from(["z", "xy", "xyz"]),
    st.sampled_from(["open", "repeated"]), st.integers(0, 99),
)  # fmt: skip
def test_adjoint(ny, nx, stretch, at, components, boundary, seed):
    op = make((ny, nx), (1e-7, 1e-7 * stretch), at, components, boundary, seed)
    rng = np.random.default_rng(seed)
    g, B = rng.normal(size=op.stream_shape), rng.normal(size=op.field_shape)
    forward, back = op.forward(g), op.adjoint(B)
    assert abs(np.vdot(B, forward) - np.vdot(back, g)) < 1e-10 * np.linalg.norm(forward) * np.linalg.norm(B)
    L = op.aslinearoperator()
    assert np.array_equal(L.matvec(g.ravel()), forward.ravel())
    assert np.array_equal(L.rmatvec(B.ravel()), back.ravel())


def steps(counts, low, high, current=1e-3):
    """A stream function of one coordinate: `current` spread between two corners."""
    return current * np.clip((high - np.arange(counts)) / (high - low), 0, 1)


@pytest.mark.parametrize("standoff", [50e-9, 100e-9, 200e-9, 500e-9])
def test_ribbon_that_ends_at_the_border(standoff):
    """Edges on edges of pixels: all components to a millionth, although the current is sampled at 100 nm only."""
    n = 60
    ribbon = vb.Ribbon((2.95e-6, -0.05e-6, 0), (2.95e-6, 5.95e-6, 0), 1e-6, 1e-3)
    (X, Y), weights = gauss_points(8)
    B = ribbon.field(np.stack([X, Y, np.full_like(X, standoff)], axis=-1)[: 8 * n, : 8 * n])
    truth = np.einsum("iajbc,a,b->cij", B.reshape(n, 8, n, 8, 3), weights, weights)
    op = CurrentOperator((n, n), (PIXEL, PIXEL), Sensing(standoff, size=(PIXEL, PIXEL)), components="xyz")
    got = op.forward(np.tile(steps(n + 1, 25, 35), (n + 1, 1)))
    assert np.abs(got - truth).max() < 1e-5 * np.abs(truth).max()
    assert got[0, 30, 30] > 0  # a current along +y has Bx > 0 above it
    assert got[2, 30, 20] > 0 > got[2, 30, 40]


def frame_stream(n, low, high, width):
    """A closed frame with mitred corners: the least of the ramps from its four outer edges, in cells."""
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    ramps = np.stack([j - low, high - j, i - low, high - i]) / width
    return -1e-3 * np.clip(ramps.min(axis=0), 0, 1)


def frame_errors(standoff, fine):
    """Largest and rms error over a frame of 1.6 um, 0.4 um wide, with cells of 100 nm / fine."""
    n, side = 24 * fine, 1e-7 / fine
    first, last = (6 * fine - 0.5) * side, (18 * fine - 0.5) * side
    low, high = first + 0.2e-6, last - 0.2e-6
    corners = [(low, low, 0), (low, high, 0), (high, high, 0), (high, low, 0), (low, low, 0)]
    frame = vb.currents.path(corners, 0.4e-6, 1e-9, 1e-3, closed=True)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    line = (np.arange(n)[:, None] * side + nodes * side / 2).ravel()
    X, Y = np.meshgrid(line, line)
    B = frame.field(np.stack([X, Y, np.full_like(X, standoff)], axis=-1)).reshape(n, 4, n, 4, 3)
    truth = np.einsum("iajbc,a,b->cij", B, weights / 2, weights / 2)
    op = CurrentOperator((n, n), (side, side), Sensing(standoff, size=(side, side)), components="xyz")
    off = op.forward(frame_stream(n, 6 * fine, 18 * fine, 4 * fine)) - truth
    return np.abs(off).max() / np.abs(truth).max(), np.linalg.norm(off) / np.linalg.norm(truth)


def test_mitred_corners_converge():
    """A mitre cuts cells in two halves, which one cell cannot hold: second order in the side of a cell."""
    coarse, medium, fine = (frame_errors(200e-9, k)[1] for k in (1, 2, 4))
    assert coarse > 3.3 * medium > 3.3**2 * fine
    assert fine < 1e-3


@pytest.mark.parametrize("standoff", [50e-9, 100e-9, 300e-9, 500e-9])
def test_smooth_currents_whatever_the_pixels(standoff):
    """An eddy of filaments, 16 to 20 cells to one sigma, on cells that are not square: second order in their sides."""
    cell, shape, s = (50e-9, 40e-9), (144, 180), 0.86e-6
    middle = np.array([(shape[1] - 1) / 2 * cell[1], (shape[0] - 1) / 2 * cell[0]])
    y, x = ((np.arange(n + 1) - 0.5) * side for n, side in zip(shape, cell, strict=True))
    g = 1e-3 * np.exp(-((x - middle[0]) ** 2 + (y[:, None] - middle[1]) ** 2) / (2 * s**2))
    op = CurrentOperator(shape, cell, Sensing(standoff), components="xyz")
    rows, columns = np.arange(10, 134, 9), np.arange(10, 170, 8)
    X, Y = np.meshgrid(columns * cell[1], rows * cell[0])
    points = np.dstack([X, Y, np.full(X.shape, standoff)])
    truth, spacing = np.zeros(points.shape), standoff / 2
    for r in np.arange(spacing / 2, 5 * s, spacing):
        loop = vb.Loop((*middle.tolist(), 0), float(r), 1e-3 * r / s**2 * np.exp(-(r**2) / (2 * s**2)) * spacing)
        truth += loop.field(points)
    got = np.moveaxis(op.forward(g)[:, rows[:, None], columns], 0, -1)
    assert np.abs(got - truth).max() < 1e-3 * np.abs(truth).max()


def test_layers_and_spots():
    """Depth, thickness and a disc against the average of a closed form over all of them."""
    sensing = Sensing(150e-9, thickness=100e-9, depth=60e-9, size=(120e-9, 120e-9), shape="disc")
    n = 40
    op = CurrentOperator((n, n), (1e-7, 1e-7), sensing, components="xyz")
    got = op.forward(np.tile(steps(n + 1, 15, 25), (n + 1, 1)))
    bar = vb.Bar((1.95e-6, -0.05e-6, -50e-9), (1.95e-6, 3.95e-6, -50e-9), 1e-6, 100e-9, 1e-3)
    array = vb.SensorArray.from_sites(
        [1.9e-6, 2.4e-6, 1.0e-6], [2e-6, 1.5e-6, 1e-6], spot_size=120e-9, spot_shape="disc", thickness=60e-9
    )
    truth = array.average(bar.field, standoff=150e-9)
    seen = got[:, [20, 15, 10], [19, 24, 10]].T
    assert np.abs(seen - truth).max() < 1e-3 * np.abs(truth).max()


@pytest.mark.parametrize("shape", ["square", "gaussian"])
def test_sites_anywhere(shape):
    """Sensors between the cells, turned spots, a repeated domain: a ribbon and all its images."""
    standoff, cell, n = 100e-9, 50e-9, 160
    array = vb.SensorArray(pitch=510e-9, shape=(7, 7), center=(4e-6, 4e-6), rotation=0.3, spot_shape=shape)
    sensing = Sensing(standoff, depth=array.thickness, size=(1e-7, 1e-7), shape=shape, rotation=0.3)
    op = CurrentOperator((n, n), (cell, cell), sensing, Sites(array.y / cell, array.x / cell, (n, n)), "z", "repeated")
    g = np.tile(steps(n, 70, 90) - steps(n, 10, 30), (n, 1))
    field = np.zeros(49)
    for image in range(-60, 61):
        for low, current in ((70, 1e-3), (10, -1e-3)):
            x = (low + 9.5 + image * n) * cell
            ribbon = vb.Ribbon((x, -1, 0), (x, 1, 0), 1e-6, current)
            field += (
                array.average(ribbon.field, standoff=standoff, tolerance=1e-5)[:, 2]
                if abs(image) < 2
                else (ribbon.field(np.column_stack([array.x, array.y, np.full(49, standoff)]))[:, 2])
            )
    got = op.forward(g)[0]
    off = field - got
    assert np.ptp(off) < 2e-3 * np.ptp(field)  # a uniform field of far images is not Bz of this domain


def test_the_two_boundaries_agree_on_small_circuits():
    """A small eddy in a large domain: only its images, as far dipoles, and the mean are missing."""
    n = 96
    g = np.zeros((n + 1, n + 1))
    g[46:50, 45:52] = 1e-3
    sensing = Sensing(80e-9, thickness=20e-9, depth=30e-9, size=(1e-7, 1.2e-7))
    both = [
        CurrentOperator((n, n), (1e-7, 1.2e-7), sensing, components="xyz", boundary=b) for b in ("open", "repeated")
    ]
    one, two = both[0].forward(g), both[1].forward(g[:-1, :-1])
    assert np.abs(one - two).max() < 1e-3 * np.abs(one).max()


def test_currents_are_conserved_and_net_currents_are_differences():
    op = CurrentOperator((7, 9), (1e-7, 2e-7), Sensing(1e-7))
    g = np.random.default_rng(0).normal(size=(8, 10))
    J = op.current(g)
    sheet = vb.CurrentSheet(*CurrentOperator((7, 9), (1e-7, 1e-7), Sensing(1e-7)).current(g), 1e-7)
    assert np.abs(sheet.divergence()[1:-1, 1:-1]).max() < 1e-12 * np.abs(sheet.Jx).max() / 1e-7
    through = J[1].sum(axis=1) * 2e-7  # through a row, half-way up
    ends = (g[:-1, 0] + g[1:, 0] - g[:-1, -1] - g[1:, -1]) / 2
    assert np.allclose(through, ends)


def test_a_phantom_is_reproduced_from_its_own_truth():
    """A lead that crosses the border: the domain is the window, what is missing is the rest of the ribbon."""
    ribbon = phantom("ribbon")
    op = CurrentOperator((100, 100), (PIXEL, PIXEL), Sensing(1e-7, size=(PIXEL, PIXEL)))
    inside = op.forward(np.tile(steps(101, 44, 56), (101, 1)))[0]
    (X, Y), weights = gauss_points()
    points = np.stack([X, Y, np.full_like(X, 1e-7)], axis=-1)
    rest = sum(
        vb.Ribbon((4.95e-6, a, 0), (4.95e-6, b, 0), 1.2e-6, 1e-3).field(points)[..., 2]
        for a, b in ((-1e-3, -0.05e-6), (9.95e-6, 1e-3))
    )
    truth = ribbon.field(1e-7)[2]
    assert np.abs(inside + pixel_mean(rest, weights) - truth).max() < 1e-4 * np.abs(truth).max()


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (dict(shape=(0, 5)), "rows and columns"), (dict(cell=(1e-7, -1e-7)), "cell"),
        (dict(boundary="periodic"), "open, repeated"), (dict(components="zx"), "in this order"),
        (dict(at=Window((0, 0), (20, 4))), "beyond the domain"),
    ],
)  # fmt: skip
def test_refusals(wrong, match):
    good = dict(shape=(9, 9), cell=(1e-7, 1e-7), sensing=Sensing(1e-7))
    with pytest.raises(ValueError, match=match):
        CurrentOperator(**(good | wrong))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (dict(standoff=np.nan), "standoff"), (dict(standoff=-1e-7), "above zero"),
        (dict(standoff=1.0), "100 nm is 100e-9"),
        (dict(standoff=1e-8, depth=4e-8), "emitters"), (dict(shape="dics"), "disc"),
        (dict(thickness=-1e-9), "thickness"),
        (dict(shape="disc", size=(1e-7, 2e-7)), "two different sides"), (dict(standoff="100 nm"), "metres"),
    ],
)  # fmt: skip
def test_refusals_of_sensing(wrong, match):
    with pytest.raises(ValueError, match=match):
        Sensing(**(dict(standoff=1e-7) | wrong))


def test_wrong_shapes_are_named():
    op = CurrentOperator((5, 6), (1e-7, 1e-7), Sensing(1e-7))
    with pytest.raises(ValueError, match=r"stream has shape \(5, 6\); this operator needs \(6, 7\)"):
        op.forward(np.zeros((5, 6)))
    with pytest.raises(ValueError, match="three cells away"):
        Sites(np.array([1.0]), np.array([5.0]), (20, 20))
