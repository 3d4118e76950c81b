"""Drawings: what is read, what flows in them, and what is refused."""

import importlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vbsense as vb
from vbsense.drawings import Drawing, read_drawing, read_dxf, read_gds, read_svg, solve_current, solve_potential

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


def test_islands_carry_nothing():
    island = [(3 * UM, 3 * UM), (5 * UM, 3 * UM), (5 * UM, 5 * UM), (3 * UM, 5 * UM)]
    found = solve_potential(Drawing([STRIP, island], labels=strip().labels), contacts=ENDS, current=1.0)
    above = found.sheet.y > 2.5 * UM
    assert above.sum() > 5
    assert not found.sheet.Jx[above].any()
    assert not found.sheet.Jy[above].any()
    assert np.nanmax(found.potential[~above]) > 4


# --- reading -------------------------------------------------------------------------------------------------------


def area(drawing):
    """Of outlines that do not overlap, less the holes (m^2)."""
    total = 0.0
    for ring in drawing.rings:
        x, y = ring.T
        total += 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(np.roll(x, -1), y))
    return total


@pytest.fixture
def gdstk():
    return pytest.importorskip("gdstk", reason='GDS needs gdstk: pip install "vbsense[layout]"')


@pytest.fixture
def ezdxf():
    return pytest.importorskip("ezdxf", reason='DXF needs ezdxf: pip install "vbsense[layout]"')


@pytest.fixture
def svg(tmp_path):
    pytest.importorskip("svgelements", reason='SVG needs svgelements: pip install "vbsense[layout]"')

    def write(body, head='width="10mm" height="20mm" viewBox="0 0 100 200"'):
        file = tmp_path / "a.svg"
        spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'
        file.write_text(f"<svg {spaces} {head}>{body}</svg>")
        return file

    return write


@pytest.mark.parametrize(("unit", "ending"), [(1e-6, ".gds"), (1e-9, ".gds"), (1e-6, ".oas")])
def test_gds(gdstk, tmp_path, unit, ending):
    library = gdstk.Library(unit=unit, precision=unit / 1000)
    pad, top = library.new_cell("PAD"), library.new_cell("TOP")
    pad.add(gdstk.rectangle((0, 0), (4, 4), layer=2), gdstk.rectangle((0, 0), (1, 1), layer=9))
    top.add(gdstk.Reference(pad, (10, 20), rotation=np.pi / 2, magnification=2))
    frame = gdstk.boolean(gdstk.rectangle((0, 0), (10, 10)), gdstk.ellipse((5, 5), 3, tolerance=1e-4), "not", layer=2)
    top.add(*frame, gdstk.Label("in", (1.5, 2), layer=2, texttype=4), gdstk.Label("other", (0, 0), layer=9))
    top.add(gdstk.FlexPath([(20, 0), (30, 0), (30, 10)], 2, layer=3, simple_path=True))
    file = tmp_path / f"a{ending}"
    library.write_gds(str(file)) if ending == ".gds" else library.write_oas(str(file))
    drawing = read_drawing(file, layer=2)
    assert area(drawing) / unit**2 == pytest.approx(100 - 9 * np.pi + 64, rel=1e-4)
    np.testing.assert_allclose(np.array(drawing.bounds) / unit, (0, 0, 10, 28), atol=1e-6)
    assert list(drawing.labels) == ["in"]
    np.testing.assert_allclose(np.array(drawing.labels["in"]) / unit, (1.5, 2))
    assert drawing.contains(np.array([(5, 5), (5, 1), (4, 24)]) * unit).tolist() == [False, True, True]
    assert area(read_gds(file, layer=(3, 0))) / unit**2 == pytest.approx(2 * (10 + 11 + 0), rel=0.05)
    assert area(read_gds(file, layer=2, cell="PAD")) / unit**2 == pytest.approx(16)


def test_gds_path_that_crosses_itself_is_its_union(gdstk, tmp_path):
    library = gdstk.Library()
    library.new_cell("A").add(gdstk.FlexPath([(0, 0), (10, 0), (10, 5), (5, 5), (5, -5)], 1, layer=1, simple_path=True))
    library.write_gds(tmp_path / "a.gds")
    drawing = read_gds(tmp_path / "a.gds", layer=1)
    assert drawing.contains([(5e-6, 0), (2e-6, 0), (5e-6, -4e-6)]).all()
    assert not drawing.contains([7.5e-6, 2.5e-6])


@pytest.mark.parametrize(
    ("layer", "cell", "message"),
    [
        (7, None, r"layer 7 of cell 'A' is empty; the layers with conductors are 1 \(data type 0\)"),
        ((1, 5), None, "is empty"),
        (1, "B", r"no 'B' \(nearest: 'A'\)"),
        ("metal", None, "give its number"),
        (4, None, "crosses itself at"),
        (5, None, "path without width"),
    ],
)
def test_gds_refusals(gdstk, tmp_path, layer, cell, message):
    library = gdstk.Library()
    bow = gdstk.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)], layer=4)
    thin = gdstk.FlexPath([(0, 0), (9, 0)], 0, layer=5, simple_path=True)
    library.new_cell("A").add(gdstk.rectangle((0, 0), (1, 1), layer=1), bow, thin)
    library.write_gds(tmp_path / "a.gds")
    with pytest.raises(ValueError, match=message):
        read_gds(tmp_path / "a.gds", layer=layer, cell=cell)


def test_gds_with_two_tops_or_twice_the_same_label(gdstk, tmp_path):
    library = gdstk.Library()
    for name in "AB":
        library.new_cell(name).add(gdstk.rectangle((0, 0), (1, 1)), gdstk.Label("x", (0, 0)), gdstk.Label("x", (1, 1)))
    library.write_gds(tmp_path / "a.gds")
    with pytest.raises(ValueError, match="2 cells at the top, 'A', 'B'; choose one"):
        read_gds(tmp_path / "a.gds", layer=0)
    with pytest.raises(ValueError, match="label 'x' stands at"):
        read_gds(tmp_path / "a.gds", layer=0, cell="A")


def test_dxf(ezdxf, tmp_path):
    pytest.importorskip("gdstk")
    document = ezdxf.new(units=4)  # mm
    space, gold = document.modelspace(), {"layer": "Gold"}
    space.add_circle((0, 0), 3, dxfattribs=gold)
    space.add_circle((0, 0), 2, dxfattribs=gold)
    space.add_lwpolyline([(10, 0, 0), (14, 0, 1), (14, 2, 0), (10, 2, 0)], "xyb", close=True, dxfattribs=gold)
    space.add_lwpolyline([(20, 0), (30, 0)], dxfattribs={"const_width": 0.5, **gold})
    block = document.blocks.new("PAD")
    block.add_lwpolyline([(0, 0), (1, 0), (1, 1), (0, 1)], close=True)
    space.add_blockref("PAD", (40, 0), dxfattribs={"xscale": 2, "yscale": 2, **gold})
    hatch = space.add_hatch(dxfattribs=gold)
    hatch.paths.add_polyline_path([(50, 0), (60, 0), (60, 10), (50, 10)], is_closed=True)
    hatch.paths.add_polyline_path([(52, 2), (58, 2), (58, 8), (52, 8)], is_closed=True)
    space.add_text("source", dxfattribs=gold).set_placement((1, 1))
    space.add_mtext("drain", dxfattribs={"insert": (2, 2), **gold})
    space.add_line((0, 0), (1, 1), dxfattribs={"layer": "frame"})
    document.saveas(tmp_path / "a.dxf")
    drawing = read_drawing(tmp_path / "a.dxf", layer="gold")
    parts = {"ring": 5 * np.pi, "half disc": 8 + np.pi / 2, "track": 5.0, "block": 4.0, "hatch": 64.0}
    assert area(drawing) / 1e-6 == pytest.approx(sum(parts.values()), rel=1e-5)
    assert drawing.labels == {"source": (1e-3, 1e-3), "drain": (2e-3, 2e-3)}
    assert drawing.contains(np.array([(0, 0), (2.5, 0), (25, 0.2), (41.5, 1.5), (55, 5)]) * 1e-3).tolist() \
        == [False, True, True, True, False]  # fmt: skip
    coarse = read_dxf(tmp_path / "a.dxf", layer="Gold", unit=0.1, tolerance=1e-3)
    assert area(coarse) == pytest.approx(area(drawing) * 1e4, rel=1e-2)
    assert max(map(len, coarse.rings)) < 100 < max(map(len, drawing.rings))


def test_dxf_refusals(ezdxf, tmp_path):
    document = ezdxf.new(units=0)
    space = document.modelspace()
    space.add_line((0, 0), (1, 1), dxfattribs={"layer": "line"})
    space.add_lwpolyline([(0, 0), (1, 0), (1, 1)], dxfattribs={"layer": "open"})
    space.add_point((0, 0), dxfattribs={"layer": "points"})
    for corner in (0, 1):
        space.add_lwpolyline(
            np.array([(0, 0), (2, 0), (2, 2), (0, 2)]) + corner, close=True, dxfattribs={"layer": "cross"}
        )
    space.add_lwpolyline([(0, 0, 1, 2), (5, 0, 2, 2)], "xyse", dxfattribs={"layer": "taper"})
    file = tmp_path / "a.dxf"
    document.saveas(file)
    with pytest.raises(ValueError, match="does not say its unit"):
        read_dxf(file, layer="line")
    for layer, message in (
        ("line", r"the LINE that starts at \(0, 0\) m is open and has no width"),
        ("open", "the LWPOLYLINE .* is open"),
        ("points", "holds a POINT, which is no conductor"),
        ("cross", "cross each other at"),
        ("taper", "between 1 and 2 units wide"),
        ("gold", "'gold' is empty; the layers with entities are 'cross', 'line'"),
    ):
        with pytest.raises(ValueError, match=message):
            read_dxf(file, layer=layer, unit=1e-3)
    with pytest.raises(ValueError, match="unit: received -1"):
        read_dxf(file, layer="line", unit=-1)


def test_svg(svg):
    pytest.importorskip("gdstk")
    body = (
        '<g inkscape:label="metal" transform="translate(10,0)"><rect x="1" y="2" width="30" height="40"/>'
        '<path d="M40,0 H50 V10 H40 Z M42,2 V8 H48 V2 Z"/>'  # turns the other way: a hole
        '<path d="M60,0 H70 V10 H60 Z M62,2 H68 V8 H62 Z" fill="red"/>'  # turns the same way: none, by nonzero
        '<path d="M60,20 h10 v10 h-10 Z m2,2 h6 v6 h-6 Z" fill-rule="evenodd"/>'
        '<circle cx="20" cy="100" r="5" fill="none" stroke="black" stroke-width="2"/>'
        '<line x1="0" y1="150" x2="40" y2="150" stroke="black" stroke-width="1"/>'
        '<text x="3" y="4">source</text></g><rect x="0" y="190" width="5" height="5"/>'
        '<rect x="0" y="170" width="5" height="5" fill="none"/>'
        '<defs><rect id="pad" width="4" height="4"/></defs><use href="#pad" x="80" y="60"/>'
    )
    file = svg(body)
    drawing = read_drawing(file, layer="metal")
    parts = [1200, 64, 100, 64, np.pi * (36 - 16), 40]
    assert area(drawing) / (1e-4) ** 2 == pytest.approx(sum(parts), rel=1e-4)
    assert area(read_svg(file)) / (1e-4) ** 2 == pytest.approx(sum(parts) + 25 + 16, rel=1e-4)
    np.testing.assert_allclose(drawing.labels["source"], (13e-4, (200 - 4) * 1e-4))
    spots = np.array([(30, 100), (30, 105), (20, 20), (55, 5), (75, 5), (75, 25)])
    places = np.column_stack([spots[:, 0], 200 - spots[:, 1]]) * 1e-4
    assert drawing.contains(places).tolist() == [False, True, True, False, True, False]
    np.testing.assert_allclose(read_svg(file, unit=1e-6).bounds, np.array(read_svg(file).bounds) / 100, rtol=1e-9)


def test_svg_refusals(svg):
    box = '<rect x="1" y="2" width="30" height="40"/>'
    with pytest.raises(ValueError, match="no width in mm"):
        read_svg(svg(box, 'width="100" height="100"'))
    assert area(read_svg(svg(box, 'width="100" height="100"'), unit=1e-6)) == pytest.approx(1200e-12)
    assert area(read_svg(svg(box, 'width="1in" height="1in"'))) == pytest.approx(1200 * (25.4e-3 / 96) ** 2, rel=1e-6)
    for body, options, message in (
        ("", {}, "paints nothing"),
        (box, {"layer": "gold"}, "'gold' is not in the drawing; its groups are without names"),
        (f'<g id="gold"/>{box}', {"layer": "gold"}, "group 'gold' paints nothing"),
        ('<polyline points="0,0 10,0"/>', {}, "encloses no area and has no stroke"),
        ('<polygon points="0,0 10,10 10,0 0,10"/>', {}, "crosses itself"),
        ('<polygon points="0,0 10,10 10,0 0,9"/>', {}, "crosses itself"),
        (f'<symbol id="s">{box}</symbol>', {}, "<symbol> outside <defs>"),
        (box, {"unit": np.nan}, "unit"),
        (box, {"tolerance": 0}, "tolerance"),
    ):
        with pytest.raises(ValueError, match=message):
            read_svg(svg(body), **options)


@pytest.mark.parametrize("ending", [".gds", ".oas", ".dxf", ".svg"])
def test_files_that_are_none(tmp_path, ending):
    for module in ("gdstk", "ezdxf", "svgelements"):
        pytest.importorskip(module)
    options = {} if ending == ".svg" else {"layer": "0" if ending == ".dxf" else 0}
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_drawing(tmp_path / f"a{ending}", **options)
    (tmp_path / f"a{ending}").write_bytes(b"no drawing at all")
    with pytest.raises(ValueError, match="can not be read"):
        read_drawing(tmp_path / f"a{ending}", **options)


def test_a_missing_extra_names_the_remedy(monkeypatch, tmp_path):
    (tmp_path / "a.gds").write_bytes(b"")

    def refuse(name, *args):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", refuse)
    for read in (lambda f: read_gds(f, layer=1), lambda f: read_dxf(f, layer="0"), read_svg):
        with pytest.raises(ImportError, match=r'pip install "vbsense\[layout\]"'):
            read(tmp_path / "a.gds")


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("polygons", "options", "message"),
    [
        ([], {}, "polygons: received none"),
        (np.array(STRIP), {}, "give a list of such arrays"),
        ([[(0, 0), (1, 1)]], {}, "enclose no area"),
        ([[(0, 0), (1, 1), (2, 2)]], {}, "enclose no area"),
        ([[(0, 0), (1e-6, np.nan), (0, 1e-6)]], {}, "corner 1"),
        ([[(0, 0, 0), (1, 0, 0), (0, 1, 0)]], {}, "shape"),
        ([[(0, 0), (2, 2), (2, 0), (0, 2)]], {}, r"polygons\[0\] crosses itself at \(1, 1\)"),
        ([[(0, 0), (100, 0), (100, 100)]], {}, "give all numbers in metres"),
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


def test_a_strip_without_labels():
    with pytest.raises(ValueError, match="the drawing has no labels"):
        solve_current(Drawing([STRIP]), contacts=ENDS, current=1e-3)


# --- from the layout to the field ----------------------------------------------------------------------------------


def test_from_a_layout_to_the_field(gdstk, tmp_path):
    """A U-shaped trace: over the middle of its legs, far from corners and ends, the field of three bars."""
    library = gdstk.Library(unit=1e-6, precision=1e-9)
    u = gdstk.FlexPath([(0, 20), (0, 0), (10, 0), (10, 20)], 1.0, layer=1)
    library.new_cell("U").add(u, gdstk.Label("in", (0, 20), layer=1), gdstk.Label("out", (10, 20), layer=1))
    library.write_gds(tmp_path / "u.gds")
    drawing = read_drawing(tmp_path / "u.gds", layer=1)
    sheet = solve_current(drawing, contacts={"source": "in", "drain": "out"}, current=1e-3, thickness=100e-9, z=-50e-9)
    assert sheet.current == 1e-3
    assert sheet.pixel_size == pytest.approx(0.05 * UM, rel=0.1)
    path = np.array([(0, 20, -0.05), (0, 0, -0.05), (10, 0, -0.05), (10, 20, -0.05)]) * UM
    bars = vb.Sum([vb.Bar(a, b, UM, 100e-9, 1e-3) for a, b in itertools.pairwise(path)])
    x = np.linspace(-2, 12, 57) * UM
    points = np.stack([x, np.full(57, 12 * UM), np.full(57, 0.3 * UM)], axis=-1)
    got, expected = sheet.field(points), bars.field(points)
    # The corners are not those of bars: some 0.1 um of path, 12 um away.
    assert np.abs(got - expected).max() < 2e-3 * np.abs(expected).max()
    assert got[8, 0] < 0 < got[-9, 0]  # down the left leg, up the right one
