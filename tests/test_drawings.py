"""Drawings: what flows in them, against exact currents and laws, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbsense.drawings import Drawing, solve_current, solve_potential

UM = 1e-6
STRIP = [(0, 0), (10 * UM, 0), (10 * UM, 2 * UM), (0, 2 * UM)]
LEFT = [(0, 0), (5 * UM, 0), (5 * UM, 2 * UM), (0, 2 * UM)]
RIGHT = [(5 * UM, 0), (9 * UM, 0), (9 * UM, 2 * UM), (5 * UM, 2 * UM)]
ENDS = {"source": "a", "drain": "b"}


def strip(turn=0.0, shift=(0.0, 0.0)):
    """10 um x 2 um, with a label in the middle of each short side."""
    c, s = np.cos(turn), np.sin(turn)
    move = lambda points: np.array(points) @ [[c, s], [-s, c]] + shift  # noqa: E731
    a, b = move([(0, UM), (10 * UM, UM)])
    return Drawing([move(STRIP)], labels={"a": a, "b": b})


def ring_sector(inner, outer, angle, corners=400):
    turn = np.linspace(0, angle, corners)
    arc = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.concatenate([outer * arc, inner * arc[::-1]])


def bend(width=2 * UM, arms=4):
    far = (arms + 1) * width
    outline = [(0, 0), (far, 0), (far, width), (width, width), (width, far), (0, far)]
    return Drawing([outline], labels={"a": (width / 2, far), "b": (far, width / 2)})


def squares(drawing, contacts=ENDS, **options):
    """Resistance in units of the sheet resistance."""
    found = solve_potential(drawing, contacts=contacts, current=1.0, **options)
    return found.voltages["source"] - found.voltages["drain"]


# --- exact currents ------------------------------------------------------------------------------------------------


@given(st.floats(-3.2, 3.2), st.floats(-1e-5, 1e-5), st.floats(90e-9, 400e-9))
@settings(max_examples=25, deadline=None)
def test_straight_strips_at_any_angle_are_exact(turn, shift, pixel_size):
    drawing = strip(turn, (shift, -2 * shift))
    found = solve_potential(drawing, contacts=ENDS, current=1e-3, pixel_size=pixel_size)
    assert found.voltages["source"] - found.voltages["drain"] == pytest.approx(5e-3, rel=1e-6)
    sheet = found.sheet
    along = np.array([np.cos(turn), np.sin(turn)])
    X, Y = np.meshgrid(sheet.x, sheet.y)
    u = np.stack([X - shift, Y + 2 * shift], axis=-1)
    from_middle = np.abs(np.stack([u @ along - 5 * UM, u @ [-along[1], along[0]] - UM]))
    inside = (from_middle[0] < 4 * UM) & (from_middle[1] < UM - 1.5 * pixel_size)
    expected = 1e-3 / (2 * UM) * along
    np.testing.assert_allclose(np.stack([sheet.Jx, sheet.Jy], axis=-1)[inside] - expected, 0, atol=1e-6 * 500)


def test_ring_sector_converges_with_the_square_of_the_pixel():
    """J falls as 1/r; the labels stand at the straight ends."""
    inner, outer = 4 * UM, 6 * UM
    drawing = Drawing([ring_sector(inner, outer, np.pi / 2, 2000)], labels={"a": (5 * UM, 0), "b": (0, 5 * UM)})
    exact, errors = np.pi / 2 / np.log(outer / inner), []
    for across in (5, 10, 20, 40):
        found = solve_potential(drawing, contacts=ENDS, current=1.0, pixel_size=2 * UM / across)
        errors.append(abs(found.voltages["source"] - found.voltages["drain"] - exact) / exact)
        sheet, p = found.sheet, 2 * UM / across
        X, Y = np.meshgrid(sheet.x, sheet.y)
        r = np.hypot(X, Y)
        inside = (r > inner + 1.5 * p) & (r < outer - 1.5 * p) & (np.minimum(X, Y) > 3 * p)
        J = np.stack([-Y, X], axis=-1) / (np.log(outer / inner) * r**2)[..., None]
        got = np.stack([sheet.Jx, sheet.Jy], axis=-1)
        assert np.linalg.norm(got - J, axis=-1)[inside].max() < 1.5e-2 / across / (np.log(outer / inner) * inner)
    assert errors[1] < 4e-3  # the default: ten across
    assert np.log2(errors[0] / errors[2]) / 2 > 1.7
    assert np.log2(errors[1] / errors[3]) / 2 > 1.7


def test_radial_current_between_curved_contacts():
    """ln(b/a) / angle squares: the borders of the contacts lie between the centres of pixels."""
    a, b, angle = 2 * UM, 5 * UM, 2 * np.pi / 3
    drawing = Drawing([ring_sector(a / 2, 1.2 * b, angle, 1500)])
    contacts = {"source": ring_sector(a / 4, a, angle, 1500), "drain": ring_sector(b, 1.4 * b, angle, 1500)}
    errors = [abs(squares(drawing, contacts, pixel_size=b / n) * angle / np.log(b / a) - 1) for n in (20, 60)]
    assert errors[0] < 5e-3
    assert errors[1] < errors[0] / 4


def test_corner_square_of_a_bend():
    """0.559 squares: P. M. Hall, Thin Solid Films 1, 277 (1968). Order 4/3: the field is infinite at the corner."""
    excess = np.array([squares(bend(), pixel_size=2 * UM / n) - 8 for n in (10, 20, 40)])
    order = np.log2((excess[0] - excess[1]) / (excess[1] - excess[2]))
    assert order == pytest.approx(4 / 3, abs=0.15)
    limit = excess[2] - (excess[1] - excess[2]) / (2 ** (4 / 3) - 1)
    assert limit == pytest.approx(0.559, abs=1e-3)
    assert abs(excess[0] - 0.559) < 0.02  # the default


def test_step_in_width():
    """Excess of a step from width a to b on one side, by conformal mapping (Hall 1968), with alpha = a / b."""
    a, b, arm = 1 * UM, 2 * UM, 5 * UM
    outline = [(-arm, 0), (arm, 0), (arm, b), (0, b), (0, a), (-arm, a)]
    drawing = Drawing([outline], labels={"a": (-arm, a / 2), "b": (arm, b / 2)})
    alpha = a / b
    excess = (
        (alpha**2 + 1) / alpha * np.log((1 + alpha) / (1 - alpha)) - 2 * np.log(4 * alpha / (1 - alpha**2))
    ) / np.pi
    errors = [squares(drawing, pixel_size=a / n) - arm / a - arm / b - excess for n in (10, 40)]
    assert abs(errors[0]) < 0.02
    assert abs(errors[1]) < 0.003


def test_conformal_square_of_a_disc():
    """A simply connected plate and its dual, with contacts and free edges exchanged: resistances are inverse."""
    circle = np.deg2rad(np.arange(720) / 2)
    disc = Drawing([3 * UM * np.stack([np.cos(circle), np.sin(circle)], axis=1)])

    def contact(start, stop):  # in degrees; touches the disc from outside
        edge = np.deg2rad(np.arange(2 * start, 2 * stop + 1) / 2)
        arc = np.stack([np.cos(edge), np.sin(edge)], axis=1)
        return np.concatenate([3 * UM * arc, 4 * UM * arc[::-1]])

    p = 0.05 * UM
    R = squares(disc, {"source": contact(0, 90), "drain": contact(180, 270)}, pixel_size=p)
    assert R == pytest.approx(1.0, abs=0.02)  # its own dual
    one, other = ({"source": contact(0, w), "drain": contact(180, 180 + w)} for w in (46, 134))
    assert squares(disc, one, pixel_size=p) * squares(disc, other, pixel_size=p) == pytest.approx(1.0, abs=0.03)


# --- laws ----------------------------------------------------------------------------------------------------------


MAZE = Drawing(
    [[(0, 0), (9 * UM, 0), (9 * UM, 5 * UM), (6 * UM, 8 * UM), (0, 8 * UM)]],
    [
        [(2 * UM, 2 * UM), (4 * UM, 1.3 * UM), (5 * UM, 4 * UM)],
        [(6 * UM, 1 * UM), (8 * UM, 1 * UM), (7 * UM, 3.3 * UM)],
    ],
    labels={"a": (0, 4 * UM), "b": (9 * UM, 2 * UM)},
)
PAD = UM * np.array([(-0.5, -0.3), (0.5, -0.3), (0.5, 0.3), (-0.5, 0.3)])
FOUR = {"a": "a", "b": "b", "c": PAD + (2.5 * UM, 7.7 * UM), "d": PAD + (8 * UM, 4.3 * UM)}


def test_current_is_conserved():
    sheet = solve_current(MAZE, contacts={"source": "a", "drain": "b"}, current=1e-3, pixel_size=0.1 * UM)
    p = sheet.pixel_size
    through = sheet.Jx.sum(axis=0) * p
    between = (sheet.x > 2 * p) & (sheet.x < 9 * UM - 2 * p)
    np.testing.assert_allclose(through[between], 1e-3, rtol=1e-9)
    away = (np.arange(sheet.shape[1] + 1) > 5) & (np.arange(sheet.shape[1] + 1) < sheet.shape[1] - 5)
    assert np.abs(sheet.divergence()[:, away]).max() < 1e-9 * np.abs(sheet.Jx).max() / p
    assert sheet.divergence().sum() * p**2 == pytest.approx(0, abs=1e-12)
    assert sheet.current == 1e-3


def test_reciprocity_superposition_and_mirror():
    def voltages(**into):
        return solve_potential(MAZE, contacts=FOUR, current=into, pixel_size=0.2 * UM)

    one, other = voltages(a=1.0, b=-1.0), voltages(c=1.0, d=-1.0)
    assert one.voltages["c"] - one.voltages["d"] == pytest.approx(other.voltages["a"] - other.voltages["b"], rel=1e-9)
    both = voltages(a=1.0, b=-1.0, c=2.0, d=-2.0)
    np.testing.assert_allclose(both.sheet.Jx, one.sheet.Jx + 2 * other.sheet.Jx, atol=1e-6 * one.sheet.Jx.max())
    mirrored = Drawing([np.array(r) * (1, -1) for r in MAZE.polygons], [np.array(r) * (1, -1) for r in MAZE.holes],
                       {name: (x, -y) for name, (x, y) in MAZE.labels.items()})  # fmt: skip
    pads = {name: pad if name in "ab" else pad * (1, -1) for name, pad in FOUR.items()}
    image = solve_potential(mirrored, contacts=pads, current={"a": 1.0, "b": -1.0}, pixel_size=0.2 * UM)
    np.testing.assert_allclose(image.sheet.Jx, one.sheet.Jx[::-1], atol=1e-9 * one.sheet.Jx.max())
    np.testing.assert_allclose(image.sheet.Jy, -one.sheet.Jy[::-1], atol=1e-9 * one.sheet.Jx.max())


def test_three_contacts_share_their_currents():
    into = {"a": 3e-3, "b": -1e-3, "c": -2e-3}
    sheet = solve_current(MAZE, contacts={n: FOUR[n] for n in into}, current=into, pixel_size=0.1 * UM)
    assert sheet.Jx[:, 5].sum() * sheet.pixel_size == pytest.approx(3e-3, rel=1e-9)
    assert sheet.Jx[:, -6].sum() * sheet.pixel_size == pytest.approx(1e-3, rel=1e-9)
    assert sheet.current == pytest.approx(3e-3)


def test_hole_filled_by_an_outline_and_outlines_that_touch_or_overlap():
    left, shift, hole = np.array(LEFT), np.array([5 * UM, 0]), UM * np.array([(2, 0.5), (3, 0.5), (3, 1.5), (2, 1.5)])
    for outlines, holes in (([left, left + shift], []), ([left, 1.4 * left * (1, 1 / 1.4) + (3 * UM, 0)], []),
                            ([STRIP, hole], [hole])):  # fmt: skip
        drawing = Drawing(outlines, holes, strip().labels)
        assert squares(drawing, pixel_size=0.13 * UM) == pytest.approx(5, rel=1e-6)


def test_a_contact_goes_on_along_outlines_that_touch():
    """Layout programs cut wide traces into pieces: the label stands for the whole side of the conductor."""
    lower, upper = ([(0, k * UM), (10 * UM, k * UM), (10 * UM, (k + 1) * UM), (0, (k + 1) * UM)] for k in (0, 1))
    labels = {"a": (0, 0.3 * UM), "b": (10 * UM, 1.6 * UM)}
    assert squares(Drawing([lower, upper], labels=labels), pixel_size=0.1 * UM) == pytest.approx(5, rel=1e-6)


def test_islands_carry_nothing():
    island = [(3 * UM, 3 * UM), (5 * UM, 3 * UM), (5 * UM, 5 * UM), (3 * UM, 5 * UM)]
    found = solve_potential(Drawing([STRIP, island], labels=strip().labels), contacts=ENDS, current=1.0)
    above = found.sheet.y > 2.5 * UM
    assert above.sum() > 5
    assert not found.sheet.Jx[above].any()
    assert not found.sheet.Jy[above].any()
    assert np.nanmax(found.potential[~above]) > 4


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("polygons", "options", "message"),
    [
        ([], {}, "polygons: received none"),
        (np.array(STRIP), {}, "received a single outline; give a list of them"),
        ([[(0, 0), (1, 1)]], {}, "enclose no area"),
        ([[(0, 0), (1, 1), (2, 2)]], {}, "enclose no area"),
        ([[(0, 0), (1e-6, np.nan), (0, 1e-6)]], {}, "corner 1"),
        ([[(0, 0, 0), (1, 0, 0), (0, 1, 0)]], {}, "shape"),
        ([[(0, 0), (2, 2), (2, 0), (0, 2)]], {}, r"polygons\[0\] crosses itself at \(1, 1\)"),
        (STRIP, {}, "polygons: received a single outline"),
        (None, {}, "polygons: received None; give a list"),
        (["here"], {}, r"polygons\[0\]: received 'here'; give real numbers"),
        ([[(0, 0), (100, 0), (100, 100)]], {}, "give all numbers in metres"),
        ([np.array(STRIP) / UM], {}, "10 by 2 m large, above the 0.5 m .* 1 um is 1e-6"),
        ([STRIP], {"labels": [("a", (0, 0))]}, "labels: received .* give a mapping"),
        ([STRIP], {"labels": {"a": "left"}}, "label 'a': received 'left'"),
        ([STRIP], {"holes": [[(0, 0), (1, 1)]]}, r"holes\[0\]"),
        ([STRIP], {"labels": {"a": (0, np.inf)}}, "label 'a'"),
    ],
)
def test_refusals_of_drawings(polygons, options, message):
    with pytest.raises(ValueError, match=message):
        Drawing(polygons, **options)


BESIDE = [(0, 3 * UM), (1 * UM, 3 * UM), (1 * UM, 4 * UM), (0, 4 * UM)]
MIDDLE = [(4 * UM, 0), (6 * UM, 0), (6 * UM, 2 * UM), (4 * UM, 2 * UM)]
CRUMB = [(9.9 * UM, 0), (9.91 * UM, 0), (9.9 * UM, 0.01 * UM)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contacts": {"source": "a", "drain": "c"}}, r"label 'c' is not in the drawing, which has 'a', 'b'"),
        ({"contacts": {"source": "a"}}, "give at least two"),
        ({"contacts": "ab"}, "give at least two"),
        (
            {"contacts": {"source": "a", "drain": BESIDE}},
            "'drain' does not touch .*: it lies 1e-06 m beside",
        ),
        ({"contacts": {"source": LEFT, "drain": MIDDLE}}, "overlaps"),
        (
            {"contacts": {"source": LEFT, "drain": [(5 * UM, 0), (9 * UM, 0), (9 * UM, 2 * UM), (5 * UM, 2 * UM)]}},
            "touch",
        ),
        ({"contacts": {"source": "a", "drain": "a"}}, "overlaps"),
        ({"contacts": {"left": "a", "right": "b"}}, "from 'source' to 'drain', but the contacts are 'left', 'right'"),
        ({"current": {"source": 1.0, "drain": -0.5}}, "0.5 A in total"),
        ({"current": {"source": 1.0, "sink": -1.0}}, "'sink' is no contact"),
        ({"current": np.nan}, "current"),
        ({"current": {"source": np.inf, "drain": -np.inf}}, "current"),
        ({"pixel_size": 0.0}, "pixel_size"),
        ({"pixel_size": 1e-10}, "pixels of this drawing"),
        ({"pixel_size": 1e-4}, "wide; give a fraction"),
        ({"thickness": -1e-9}, "thickness"),
        (
            {"contacts": {"source": "a", "drain": [(9.9 * UM, 0), (9.91 * UM, 0), (9.9 * UM, 0.01 * UM)]}},
            "holds no centre",
        ),
    ],
)
def test_refusals_of_the_solver(options, message):
    with pytest.raises(ValueError, match=message):
        solve_current(strip(), **{"contacts": ENDS, "current": 1e-3, "pixel_size": 0.2 * UM, **options})


def test_two_pieces_are_not_joined():
    right = [(6 * UM, 0), (10 * UM, 0), (10 * UM, 2 * UM), (6 * UM, 2 * UM)]
    apart = Drawing([LEFT, right], labels=strip().labels)
    with pytest.raises(ValueError, match="find no way out: no conductor joins it"):
        solve_current(apart, contacts=ENDS, current=1e-3)
    whole = Drawing([LEFT, np.array(LEFT) + (5 * UM, 0)], labels={**strip().labels, "m": (5 * UM, UM)})
    with pytest.raises(ValueError, match="conductor on both sides of the edge"):
        solve_current(whole, contacts={"source": "a", "drain": "m"}, current=1e-3)


def test_a_gap_narrower_than_a_pixel_is_reported():
    gap = 0.02 * UM
    u = [(0, 0), (2 * UM + gap, 0), (2 * UM + gap, 5 * UM), (UM + gap, 5 * UM), (UM + gap, UM), (UM, UM), (UM, 5 * UM),
         (0, 5 * UM)]  # fmt: skip
    ends = {"source": PAD + (0.4 * UM, 4 * UM), "drain": PAD + (1.6 * UM + gap, 4 * UM)}
    with pytest.warns(UserWarning, match="a gap is narrower than a pixel"):
        solve_current(Drawing([u]), contacts=ends, current=1e-3, pixel_size=0.15 * UM)


def test_a_hole_outside_is_refused():
    drawing = Drawing([STRIP], [BESIDE], strip().labels)
    with pytest.raises(ValueError, match="a hole lies outside"):
        solve_current(drawing, contacts=ENDS, current=1e-3, pixel_size=0.2 * UM)


@pytest.mark.parametrize("place", [(UM, UM), (0, 0), (0.99 * UM, UM)])
def test_a_label_between_edges_is_refused(place):
    drawing = Drawing([STRIP], labels={"a": place, "b": (10 * UM, UM)})
    with pytest.raises(ValueError, match=r"'a' stands as near to the edge from .* move it to the middle of the edge"):
        solve_current(drawing, contacts=ENDS, current=1e-3)


def test_a_strip_without_labels():
    with pytest.raises(ValueError, match="the drawing has no labels"):
        solve_current(Drawing([STRIP]), contacts=ENDS, current=1e-3)
