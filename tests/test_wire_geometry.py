"""Wires of any place, turn and number under a layer of any tilt: what was put in comes back, or a clear refusal."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis
from vbsense.bounds import conductor_bound
from vbsense.data import LayoutError, make_map, make_site_map, make_site_sweep

ARRAY = vb.SensorArray(300e-9, (7, 9), (1.9e-6, 1.3e-6), rotation=0.1)
CENTRE = ((ARRAY.x.min() + ARRAY.x.max()) / 2, (ARRAY.y.min() + ARRAY.y.max()) / 2)
LEFT = vb.Bar((1.2e-6, -50e-6, -50e-9), (1.2e-6, 50e-6, -50e-9), width=0.6e-6, thickness=100e-9, current=1e-3)
RIGHT = vb.Ribbon((2.7e-6, -50e-6, 0.0), (2.7e-6, 50e-6, 0.0), width=0.5e-6, current=-0.6e-3)
STANDOFF = 70e-9


def field_of(wires, standoff=STANDOFF, tilt=(0.0, 0.0), n=12, array=ARRAY):
    """All components over footprint and depth of a tilted layer by the midpoint rule; (component, site) T."""
    u = (np.arange(n) + 0.5) / n - 0.5
    a, b, c = (v.ravel() for v in np.meshgrid(u * array.spot_size, u * array.spot_size, u * array.thickness))
    turn, lean = np.cos(array.rotation), np.sin(array.rotation)
    x, y = array.x[:, None] + turn * a - lean * b, array.y[:, None] + lean * a + turn * b
    z = standoff + c + tilt[0] * (x - CENTRE[0]) + tilt[1] * (y - CENTRE[1])
    points = np.stack([x, y, z], axis=-1)
    return np.sum([wire.field(points) for wire in wires], axis=0).mean(axis=1).T


def site_map(Bz, error=1e-6, array=ARRAY, **extra):
    n = array.x.size
    sites = make_site_sweep(np.ones((2, n)), [3e9, 4e9], x=array.x, y=array.y, row=array.row, column=array.column)
    got = make_site_map(Bz, sites=sites, error=np.full(n, error), sensor_array=array.to_json())
    return got.assign(extra)


def vector_of(B, error=1e-6):
    """A map of all components."""
    one = site_map(B[2], error)
    whole = one.drop_vars(["B", "B_err"]).drop_dims("component").assign_coords(component=["x", "y", "z"])
    whole["B"] = (("component", "site"), B, {"units": "T"})
    whole["B_err"] = (("component", "site"), np.full(B.shape, error), {"units": "T"})
    return whole


# --- what comes back --------------------------------------------------------------------------------------------------


def test_a_tilted_layer_and_a_background_with_slopes_come_back():
    B = field_of([LEFT], tilt=(8e-3, -5e-3))[2]
    B = B + 3e-6 + 2.0 * (ARRAY.x - CENTRE[0]) - 1.5 * (ARRAY.y - CENTRE[1])
    free = ("current", "standoff", "tilt_x", "tilt_y", "offset", "gradient_x", "gradient_y")
    got = analysis.fit_wire(site_map(B), wire=LEFT, free=free, standoff=100e-9)
    truth = {"current": 1e-3, "standoff": STANDOFF, "tilt_x": 8e-3, "tilt_y": -5e-3, "offset": 3e-6, "gradient_x": 2.0,
             "gradient_y": -1.5}  # fmt: skip
    for name in free:
        assert got.values[name] == pytest.approx(truth[name], abs=0.3 * got.errors[name]), name


def test_a_turned_wire_comes_back():
    angle, shift = 0.05, 80e-9
    middle = np.array([LEFT.start[0], CENTRE[1], -50e-9])
    along = np.array([-np.sin(angle), np.cos(angle), 0.0]) * 50e-6
    moved = middle + [shift, 0, 0]
    turned = replace(LEFT, start=tuple(moved - along), end=tuple(moved + along))
    got = analysis.fit_wire(
        site_map(field_of([turned])[2]), wire=LEFT, free=("current", "rotation", "position"), standoff=STANDOFF
    )
    assert got.values["rotation"] == pytest.approx(angle, abs=1e-4)
    assert got.values["position"] == pytest.approx(shift, abs=0.5e-9)
    direction = np.subtract(got.wire.end, got.wire.start)
    assert direction / np.linalg.norm(direction) == pytest.approx(along / 50e-6, abs=1e-4)


def test_a_thicker_wire_grows_downwards():
    # Two thicknesses with the same top face: the stand-off must not take part.
    thick = replace(LEFT, start=(1.2e-6, -50e-6, -150e-9), end=(1.2e-6, 50e-6, -150e-9), thickness=300e-9)
    got = analysis.fit_wire(
        site_map(field_of([thick])[2]), wire=LEFT, free=("current", "thickness", "standoff"), standoff=50e-9
    )
    assert got.values["thickness"] == pytest.approx(300e-9, abs=2e-9)
    assert got.values["standoff"] == pytest.approx(STANDOFF, abs=0.5e-9)
    assert got.wire.start[2] + got.wire.thickness / 2 == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("given", [[LEFT, RIGHT], {"there": LEFT, "back": RIGHT}])
def test_two_wires_are_told_apart(given):
    off = [replace(LEFT, current=1.0), replace(RIGHT, current=1.0, width=0.4e-6)]
    start = off if isinstance(given, list) else dict(zip(given, off, strict=True))
    one, two = ("1", "2") if isinstance(given, list) else ("there", "back")
    free = ("current", f"width_{two}", "standoff")
    got = analysis.fit_wire(site_map(field_of([LEFT, RIGHT])[2]), wire=start, free=free, standoff=90e-9)
    assert list(got.values) == [f"current_{one}", f"current_{two}", f"width_{two}", "standoff"]
    assert got.values[f"current_{one}"] == pytest.approx(1e-3, rel=1e-3)
    assert got.values[f"current_{two}"] == pytest.approx(-0.6e-3, rel=1e-3)
    assert got.values[f"width_{two}"] == pytest.approx(0.5e-6, abs=1e-9)
    assert type(got.wire) is (tuple if isinstance(given, list) else dict)
    assert got.values["standoff"] == pytest.approx(STANDOFF, abs=0.5e-9)


def test_wires_in_any_direction_and_heights():
    # Across the rows, and buried 200 nm deeper than the other: stand-offs count from the higher one.
    deep = vb.Bar((-50e-6, 1.0e-6, -250e-9), (50e-6, 1.0e-6, -250e-9), width=0.4e-6, thickness=100e-9, current=2e-3)
    B = field_of([LEFT, deep])[2]
    got = analysis.fit_wire(site_map(B), wire=[LEFT, deep], free=("current", "standoff"), standoff=50e-9)
    assert got.values == pytest.approx({"current_1": 1e-3, "current_2": 2e-3, "standoff": STANDOFF}, rel=2e-3)


def test_a_start_on_the_wrong_side_of_the_map_finds_the_wire():
    far = replace(LEFT, start=(2.9e-6, -50e-6, -50e-9), end=(2.9e-6, 50e-6, -50e-9))
    got = analysis.fit_wire(
        site_map(field_of([LEFT])[2]), wire=far, free=("current", "position", "standoff"), standoff=STANDOFF
    )
    assert got.wire.start[0] == pytest.approx(1.2e-6, abs=1e-9)


# --- components and covariance ----------------------------------------------------------------------------------------


def test_all_components_are_used():
    B = field_of([LEFT]) + np.array([[2e-6], [0], [-1e-6]])
    free = ("current", "standoff", "position", "offset")
    whole, one = (analysis.fit_wire(m, wire=LEFT, free=free, standoff=90e-9) for m in (vector_of(B), site_map(B[2])))
    assert whole.values["offset_x"] == pytest.approx(2e-6, abs=1e-7)
    assert whole.values["offset_z"] == pytest.approx(-1e-6, abs=1e-7)
    assert whole.values["standoff"] == pytest.approx(STANDOFF, abs=0.3e-9)
    assert whole.model.shape == B.shape
    assert all(whole.errors[name] < one.errors[name] for name in ("current", "standoff", "position"))


def test_bx_alone_tells_a_wire():
    field = make_map(np.zeros((3, 40)), pixel_size=100e-9, component="x", error=np.full((3, 40), 1e-6))
    x, y = np.meshgrid(field.x, field.y)
    bar = replace(LEFT, start=(2e-6, -1e-3, -50e-9), end=(2e-6, 1e-3, -50e-9))
    u = (np.arange(10) - 4.5) * 10e-9  # over the pixel
    points = np.stack([x[..., None] + u, y[..., None] + 0 * u, 0 * x[..., None] + 0 * u + 80e-9], -1)
    field["B"].values[0] = bar.field(points).mean(2)[..., 0]
    got = analysis.fit_wire(field, wire=bar, standoff=60e-9)
    assert got.values["current"] == pytest.approx(1e-3, rel=1e-3)


def test_the_jacobian_is_the_slope_of_the_field():
    from vbsense.analysis._wire_model import WireModel
    from vbsense.analysis._wire_parameters import read_parameters, read_wires

    wires = read_wires([LEFT, RIGHT])
    model = WireModel(wires, ARRAY, ARRAY.x, ARRAY.y, ("x", "z"))
    free = ("current", "position", "width", "thickness_1", "rotation", "standoff", "tilt_x", "tilt_y", "offset",
            "gradient_xy")  # fmt: skip
    p = read_parameters(wires, ("x", "z"), free, standoff=STANDOFF, lowest=20e-9, bounds=None, priors=None)
    x = np.array([p.start[name] for name in p.free])
    got = model.jacobian(p.values(x), p.free)
    for k, name in enumerate(p.free):
        h = {"c": 1e-5, "g": 1.0, "o": 1e-6, "r": 2e-4, "t": 1e-4}.get(name[0], 1e-9) if "thick" not in name else 1e-9
        up, down = (model.field(p.values(x + s * h * (np.arange(x.size) == k))) for s in (1, -1))
        slope = (up - down) / (2 * h)
        assert got[k] == pytest.approx(slope, abs=2e-3 * np.abs(slope).max() + 1e-12), name


# --- what is known beforehand -----------------------------------------------------------------------------------------


def test_a_prior_counts_as_one_more_measurement():
    B = field_of([LEFT])[2] + np.random.default_rng(1).normal(0, 2e-5, ARRAY.x.size)
    free = ("current", "standoff", "width")
    alone = analysis.fit_wire(site_map(B, 2e-5), wire=LEFT, free=free)
    sigma = alone.errors["width"]
    both = analysis.fit_wire(site_map(B, 2e-5), wire=LEFT, free=free, priors={"width": (0.6e-6, sigma)})
    assert both.errors["width"] == pytest.approx(sigma / np.sqrt(2), rel=0.1)
    assert both.values["width"] == pytest.approx((alone.values["width"] + 0.6e-6) / 2, abs=0.1 * sigma)
    assert both.degrees == alone.degrees + 1
    firm = analysis.fit_wire(site_map(B, 2e-5), wire=LEFT, free=free, priors={"width": (0.6e-6, 1e-12)})
    held = analysis.fit_wire(site_map(B, 2e-5), wire=LEFT, free=free[:2])
    assert {n: firm.values[n] for n in free[:2]} == pytest.approx(held.values, rel=1e-5)
    assert firm.errors["standoff"] == pytest.approx(held.errors["standoff"], rel=1e-3)
    assert "prior 600" in both.summary()


def test_a_bound_holds_and_says_so():
    field = site_map(field_of([LEFT])[2])
    got = analysis.fit_wire(
        field, wire=LEFT, free=("current", "standoff"), standoff=100e-9, bounds={"standoff": (90e-9, 200e-9)}
    )
    assert got.values["standoff"] == 90e-9
    assert np.isnan(got.errors["standoff"])
    held = analysis.fit_wire(field, wire=LEFT, free="current", standoff=90e-9)
    assert got.errors["current"] == pytest.approx(held.errors["current"], rel=1e-6)
    assert "on a bound" in got.summary()


def test_summary_and_correlation_name_what_is_hard_to_tell():
    got = analysis.fit_wire(site_map(field_of([LEFT])[2]), wire=LEFT, free=("current", "standoff", "width"))
    assert np.diag(got.correlation) == pytest.approx(1)
    assert "standoff  69.98 ± 0.33 nm" in got.summary()
    assert "63 values, 3 free parameters" in got.summary()
    assert got.chi2 / got.degrees == pytest.approx(got.reduced_chi2)
    assert set(got.fixed) == {"position", "thickness", "rotation", "tilt_x", "tilt_y", "offset", "gradient_x",
                              "gradient_y"}  # fmt: skip


# --- statistics -------------------------------------------------------------------------------------------------------


def row_of_sensors():
    """One row over +-5 um, 200 nm apart, 100 nm above a ribbon of 1 um; points, as the published bound has them."""
    array = vb.SensorArray(200e-9, (1, 50), (32e-9 - 100e-9, 0.0), spot_size=1e-9, thickness=0.0)
    wire = vb.Ribbon((0, -1, 0), (0, 1, 0), width=1e-6, current=1e-3)
    points = np.column_stack([array.x, array.y, np.full(50, 100e-9)])
    return array, wire, points


@pytest.mark.slow
def test_errors_reach_the_cramer_rao_bound_and_cover_the_truth():
    array, wire, points = row_of_sensors()
    free = ("position", "width", "standoff", "current", "offset")
    truth = np.array([0.0, 1e-6, 100e-9, 1e-3, 0.0])
    bound = conductor_bound(wire, points, error=10e-6, free=free)
    expected = np.array([bound.errors[name] for name in free])
    assert expected[:3] == pytest.approx([4.0e-9, 9.9e-9, 8.2e-9], rel=0.05)
    assert expected[3] == pytest.approx(1.4e-5, rel=0.05)
    Bz, rng = wire.field(points)[:, 2], np.random.default_rng(5)
    fits = []
    for _ in range(1000):
        noisy = site_map(Bz + rng.normal(0, 10e-6, 50), 10e-6, array)
        fits.append(analysis.fit_wire(noisy, wire=wire, free=free, standoff=80e-9))
    off = np.array([list(f.values.values()) for f in fits]) - truth
    told = np.array([list(f.errors.values()) for f in fits])
    assert off.std(axis=0) == pytest.approx(expected, rel=0.07)
    assert told.mean(axis=0) == pytest.approx(expected, rel=0.07)
    covered = (np.abs(off) < told).mean(axis=0)
    assert (covered > 0.64).all()
    assert (covered < 0.72).all()


# --- refusals ---------------------------------------------------------------------------------------------------------

NAMED = ("current", "standoff", "width")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"free": ("stand_off",)}, "did you mean 'standoff'"),
        ({"free": ("current_1",)}, "did you mean 'current'"),
        ({"bounds": {"widht": (0, 1)}}, "did you mean 'width'"),
        ({"bounds": {"position": (-1e-6, 1e-6)}}, "is not free"),
        ({"bounds": {"standoff": (100e-9, 200e-9)}}, "exclude its start"),
        ({"bounds": {"standoff": (90e-9, 50e-9)}}, "lower < upper"),
        ({"bounds": {"standoff": 3.0}}, "two numbers"),
        ({"bounds": {"standoff": ("a", "b")}}, "two numbers"),
        ({"bounds": {"standoff": (np.nan, 1.0)}}, "not NaN"),
        ({"bounds": {"standoff": (-1.0, 60e-9), "current": (2.0, 1.0)}}, "lower < upper"),
        ({"priors": {"width": (1e-6, 0.0)}}, "sigma > 0"),
        ({"priors": {"width": (1e-6, -1e-9)}}, "sigma > 0"),
        ({"priors": {"width": (1e-6, np.inf)}}, "sigma > 0"),
        ({"priors": {"offset": (0, 1e-6)}}, "is not free"),
        ({"standoff": -50e-9}, "at least the mean height"),
        ({"standoff": 1e-9}, "at least the mean height"),
        ({"standoff": 50}, "write 50 nm as 50e-9"),
        ({"standoff": "50 nm"}, "one finite number"),
        ({"wire": []}, "at least one"),
    ],
)
def test_refusals_say_what_is_wrong(options, words):
    with pytest.raises(ValueError, match=words):
        analysis.fit_wire(site_map(field_of([LEFT], n=3)[2]), **({"wire": LEFT, "free": NAMED} | options))


def test_fewer_sensors_than_parameters_are_refused():
    few = site_map(field_of([LEFT], n=3)[2]).isel(site=[10, 11, 12])
    with pytest.raises(ValueError, match="3 valid values for 4"):
        analysis.fit_wire(few, wire=LEFT, free=("current", "standoff", "width", "offset"))
    # What is known beforehand counts.
    got = analysis.fit_wire(few, wire=LEFT, free=NAMED, priors={"width": (0.6e-6, 20e-9)})
    assert np.isfinite(list(got.errors.values())).all()


def test_wires_in_one_place_cannot_be_told_apart():
    field = site_map(field_of([LEFT], n=3)[2])
    with pytest.raises(ValueError, match=r"wires 1 and 2 cannot be told apart \(current_1, current_2\)"):
        analysis.fit_wire(field, wire=[LEFT, LEFT], free=("current", "standoff"))
    near = replace(LEFT, start=(1.2001e-6, -50e-6, -50e-9), end=(1.2001e-6, 50e-6, -50e-9))
    with pytest.warns(UserWarning, match="hardly told apart"):
        analysis.fit_wire(field, wire=[LEFT, near], free=("current", "standoff"))


def test_other_things_than_wires_are_refused():
    field = site_map(field_of([LEFT], n=3)[2])
    for wire in (vb.Loop((0, 0, 0), 1e-6, 1e-3), "gold", 3.0):
        with pytest.raises(TypeError, match="Bar or Ribbon"):
            analysis.fit_wire(field, wire=wire)
    with pytest.raises(TypeError, match="wire_2"):
        analysis.fit_wire(field, wire=[LEFT, None])
    with pytest.raises(TypeError, match="mapping"):
        analysis.fit_wire(field, wire=LEFT, bounds=[1, 2])
    with pytest.raises(ValueError, match="no parameter 'thickness'"):
        analysis.fit_wire(field, wire=RIGHT, free=("thickness",))


def test_noise_that_is_no_correlation_is_refused():
    wrong = -np.ones((63, 63)) + 2 * np.eye(63)
    extra = {"site_correlation": (("site", "site2"), wrong, {"units": "1"})}
    with pytest.raises(LayoutError, match="positive definite"):
        analysis.fit_wire(site_map(field_of([LEFT], n=3)[2], **extra), wire=LEFT)


def test_priors_need_errors():
    field = site_map(field_of([LEFT], n=3)[2]).drop_vars("B_err")
    with pytest.raises(ValueError, match="priors need"):
        analysis.fit_wire(field, wire=LEFT, free=NAMED, priors={"width": (0.6e-6, 20e-9)})


def test_a_layer_that_cuts_the_wire_is_noticed():
    B = field_of([LEFT], standoff=22e-9, tilt=(2e-2, 0.0), n=6)[2]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        analysis.fit_wire(site_map(B), wire=LEFT, free=("standoff", "tilt_x"), standoff=25e-9)
    assert any("tilted layer" in str(w.message) for w in caught)
