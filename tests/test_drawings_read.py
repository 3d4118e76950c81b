"""Files with drawings: what is read from them, in metres, and what is refused."""

import importlib
import itertools

import numpy as np
import pytest

import vbsense as vb
from vbsense.drawings import read_drawing, read_dxf, read_gds, read_svg, solve_current

UM = 1e-6


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
    coarse = read_dxf(tmp_path / "a.dxf", layer="Gold", unit=5e-3, tolerance=5e-5)
    assert area(coarse) == pytest.approx(area(drawing) * 25, rel=1e-2)
    assert max(map(len, coarse.rings)) < 100 < max(map(len, drawing.rings))


def test_dxf_of_a_mirrored_block(ezdxf, tmp_path):
    """Its texts come along: they lie in a frame of their own, which is turned over."""
    document = ezdxf.new(units=13)
    block = document.blocks.new("PAD")
    block.add_lwpolyline([(0, 0), (10, 0), (10, 2), (0, 5)], close=True)
    block.add_text("in").set_placement((1, 1))
    document.modelspace().add_blockref("PAD", (100, 0), dxfattribs={"layer": "gold", "xscale": -1})
    document.saveas(tmp_path / "a.dxf")
    drawing = read_dxf(tmp_path / "a.dxf", layer="gold")
    np.testing.assert_allclose(drawing.bounds, np.array([90, 0, 100, 5]) * UM, atol=1e-15)
    np.testing.assert_allclose(drawing.labels["in"], np.array([99, 1]) * UM, atol=1e-15)
    assert drawing.contains(drawing.labels["in"])


def test_dxf_lines_that_end_where_they_begin_are_closed(ezdxf, tmp_path):
    document = ezdxf.new(units=1)  # inch
    corners = np.array([(0, 0), (10, 0), (10, 2), (0, 2), (0, 0)]) / 100
    document.modelspace().add_lwpolyline(corners, dxfattribs={"layer": "new"})
    document.modelspace().add_polyline2d(corners, dxfattribs={"layer": "old"})
    document.saveas(tmp_path / "a.dxf")
    for layer in ("new", "old"):
        assert area(read_dxf(tmp_path / "a.dxf", layer=layer)) == pytest.approx(0.02 * 0.1 * 25.4e-3**2, rel=1e-9)


def test_dxf_trace_that_ends_where_it_begins_has_all_its_corners(ezdxf, gdstk, tmp_path):
    document = ezdxf.new(units=13)
    corners = [(0, 0), (10, 0), (10, 6), (0, 6), (0, 0)]
    document.modelspace().add_lwpolyline(corners, dxfattribs={"const_width": 2, "layer": "gold"})
    document.saveas(tmp_path / "a.dxf")
    drawing = read_dxf(tmp_path / "a.dxf", layer="gold")
    assert area(drawing) == pytest.approx((12 * 8 - 8 * 4) * UM**2, rel=1e-9)
    assert drawing.contains([-0.9 * UM, -0.9 * UM])


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
        (f'<svg x="10" y="10">{box}</svg>', {}, "an <svg> inside its <svg>"),
        (box, {"unit": np.nan}, "unit"),
        (box, {"tolerance": 0}, "tolerance"),
    ):
        with pytest.raises(ValueError, match=message):
            read_svg(svg(body), **options)


def test_svg_pages(svg):
    """The same rectangle through several units and frames; its place is counted from the foot of the view box."""
    box = '<rect x="20" y="5" width="20" height="10"/>'
    for head, scale, corner in (
        ('width="100mm" height="50mm" viewBox="0 0 100 50"', 1e-3, (20, 35)),
        ('width="100mm" height="50mm" viewBox="10 5 100 50"', 1e-3, (10, 40)),
        ('width="1in" height="0.5in" viewBox="0 0 100 50"', 25.4e-5, (20, 35)),
        ('width="100mm" height="90mm" viewBox="0 0 100 50"', 1e-3, (20, 35)),
    ):
        bounds = np.array([*corner, corner[0] + 20, corner[1] + 10]) * scale
        np.testing.assert_allclose(read_svg(svg(box, head)).bounds, bounds, rtol=1e-6)
    uneven = 'width="100mm" height="100mm" viewBox="0 0 100 50" preserveAspectRatio="none"'
    with pytest.raises(ValueError, match=r"stretches x by .* and y by"):
        read_svg(svg(box, uneven))


def test_svg_clips_are_warned_of(svg):
    clip = '<defs><clipPath id="c"><rect width="5" height="50"/></clipPath></defs>'
    with pytest.warns(UserWarning, match="clipped or masked, which is not read"):
        read_svg(svg(clip + '<g clip-path="url(#c)"><rect width="20" height="10"/></g>'))


@pytest.mark.parametrize("ending", [".gds", ".oas", ".dxf", ".svg"])
def test_files_that_are_none(tmp_path, ending):
    for module in ("gdstk", "ezdxf", "svgelements"):
        pytest.importorskip(module)
    options = {} if ending == ".svg" else {"layer": "0" if ending == ".dxf" else 0}
    if options:
        with pytest.raises(ValueError, match=f"layer: a {ending} drawing may hold several"):
            read_drawing(tmp_path / f"a{ending}")
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
