"""From a field map to a current density: phantoms with a known truth, laws, errors that are true, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr
from phantoms import CURRENT, NOISE, PIXEL, phantom

import vbsense as vb
from vbsense import analysis
from vbsense.data import LayoutError, make_map, make_site_map, make_site_sweep

# Relative L2 errors of J that total variation must reach, from its first seed on.
FIGURES = {
    ("ribbon", 100e-9): 0.10, ("ribbon", 500e-9): 0.08, ("u", 100e-9): 0.11, ("u", 500e-9): 0.15,
    ("meander", 100e-9): 0.12, ("meander", 500e-9): 0.25,
}  # fmt: skip


class Part:
    """A phantom in a part of its window, for tests of anything but the figures."""

    def __init__(self, name, rows=(30, 90), columns=(20, 80)):
        self.phantom, self.cut = phantom(name), (slice(*rows), slice(*columns))
        self.J = self.phantom.J[(slice(None), *self.cut)]

    def field(self, standoff):
        return self.phantom.field(standoff)[(slice(None), *self.cut)]

    def map(self, standoff, **options):
        rows, columns = self.cut
        return self.phantom.map(standoff, **options).isel(y=rows, x=columns)

    def error(self, J):
        return np.linalg.norm(J - self.J) / np.linalg.norm(self.J)


def as_map(B, sigma=NOISE):
    return make_map(B, pixel_size=PIXEL, error=sigma * np.ones(B.shape))


SLOW = [("u", 100e-9), ("meander", 100e-9)]


@pytest.mark.parametrize(
    ("name", "standoff"), [pytest.param(*c, marks=pytest.mark.slow) if c in SLOW else c for c in FIGURES]
)
def test_total_variation_finds_conductors(name, standoff):
    found = analysis.current_density(phantom(name).map(standoff, seed=1, offset=30e-6), standoff=standoff, method="tv")
    assert phantom(name).error(found.J.values) < FIGURES[name, standoff]
    assert 0.97 < found.attrs["user_chi2"] < 1.03


@pytest.mark.parametrize(("name", "standoff", "most"), [("ribbon", 100e-9, 0.14), ("u", 500e-9, 0.29)])
@pytest.mark.parametrize("rule", ["morozov", "gcv"])
def test_tikhonov(name, standoff, most, rule):
    field = phantom(name).map(standoff, seed=2, offset=-50e-6)
    found = analysis.current_density(field, standoff=standoff, regularisation=rule, samples=0)
    assert phantom(name).error(found.J.values) < most
    if rule == "morozov":
        assert abs(found.attrs["user_chi2"] - 1) < 0.01


@pytest.mark.parametrize("standoff", [pytest.param(100e-9, marks=pytest.mark.slow), 500e-9])
def test_smooth_currents_are_no_worse_with_total_variation(standoff):
    """An eddy: nowhere flat, no edge."""
    eddy = phantom("eddy")
    field = eddy.map(standoff, seed=1)
    sharp, smooth, morozov = (
        eddy.error(analysis.current_density(field, standoff=standoff, samples=0, **how).J.values)
        for how in (dict(method="tv"), {}, dict(regularisation="morozov"))
    )
    assert sharp < smooth < 0.02
    assert sharp < 1.15 * morozov


@pytest.mark.parametrize("standoff", [100e-9, 500e-9])
def test_net_current_of_the_ribbon(standoff):
    """Total variation within 3 %; with the conductor that it finds as mask within 0.5 %."""
    ribbon = Part("ribbon") if standoff < 300e-9 else phantom("ribbon")
    cut = dict(start=(3e-6, 5e-6), end=(7e-6, 5e-6))
    field = ribbon.map(standoff, seed=3, offset=20e-6)
    first = analysis.current_density(field, standoff=standoff, method="tv")
    assert abs(analysis.net_current(first, **cut).value / CURRENT - 1) < 0.03
    again = analysis.current_density(field, standoff=standoff, method="tv", mask=analysis.find_conductor(first))
    assert abs(analysis.net_current(again, **cut).value / CURRENT - 1) < 0.005
    assert ribbon.error(again.J.values) < ribbon.error(first.J.values)


def test_offsets_of_the_current():
    """Bz cannot see a uniform current: every rule gives the same but for one."""
    ribbon = Part("ribbon")
    field = ribbon.map(100e-9, seed=1)
    empty = np.abs(ribbon.J).sum(axis=0) == 0
    rules = ("none", "median", empty, {"y": CURRENT, "x": 0.0})
    found = [analysis.current_density(field, standoff=100e-9, samples=0, offset=rule) for rule in rules]
    for one in found[1:]:
        off = one.J.values - found[0].J.values
        assert np.ptp(off, axis=(1, 2)).max() < 1e-9 * np.abs(found[0].J.values).max()
        assert np.allclose(off[:, 0, 0], one.attrs["user_uniform_current"] - found[0].attrs["user_uniform_current"])
    whole = dict(start=(1.95e-6, 6e-6), end=(7.95e-6, 6e-6))
    assert abs(analysis.net_current(found[3], **whole).value / CURRENT - 1) < 0.02
    assert abs(found[2].J.values[:, empty].mean(axis=1)).max() < 1e-6
    assert "median is zero" in analysis.describe_current(found[1])


def test_a_uniform_field_is_taken_off():
    m = Part("u").map(100e-9, seed=1)
    one, two = (analysis.current_density(f, standoff=100e-9, samples=0) for f in (m, m.assign(B=m.B + 1e-3)))
    assert np.allclose(one.J, two.J, atol=1e-3 * float(abs(one.J).max()))
    assert np.isclose(two.attrs["user_offset"][0] - one.attrs["user_offset"][0], 1e-3, rtol=1e-4)


def test_linearity_and_turning():
    """Twice the field with twice the noise is twice the current; a turned map is a turned current."""
    m = Part("u").map(200e-9, seed=1)
    how = dict(standoff=200e-9, regularisation=0.01, samples=0)
    J = analysis.current_density(m, **how).J.values
    double = analysis.current_density(m.assign(B=2 * m.B, B_err=2 * m.B_err), **how).J.values
    assert np.allclose(double, 2 * J, atol=1e-3 * np.abs(J).max())
    # A quarter turn to the left: x -> y, y -> -x; the new rows are the old columns.
    turned = np.rot90(m.B.values[0], -1)
    K = analysis.current_density(as_map(turned), **how).J.values
    expected = np.stack([-np.rot90(J[1], -1), np.rot90(J[0], -1)])
    assert np.allclose(K, expected, atol=2e-2 * np.abs(J).max())


@pytest.mark.parametrize("method", ["tikhonov", "tv"])
def test_missing_pixels_do_not_spread(method):
    u = Part("u", (30, 75), (20, 65))
    m = u.map(200e-9, seed=1)
    holes = m.copy(deep=True)
    bad = np.random.default_rng(0).random((45, 45)) < 0.2
    holes["B"].values[0][bad] = np.where(np.arange(bad.sum()) % 2, np.nan, np.inf)
    holes["B_err"].values[0, 30:34, 30:34] = np.nan
    one, two = (analysis.current_density(f, standoff=200e-9, method=method, samples=0) for f in (m, holes))
    assert np.isfinite(two.J).all()
    assert u.error(two.J.values) < 1.25 * u.error(one.J.values) + 0.01


@pytest.mark.parametrize("method", ["tikhonov", "tv"])
def test_noisier_pixels_count_less(method):
    """Half of the map is twenty times as noisy: the other half gains by knowing it."""
    u, rng = Part("u"), np.random.default_rng(3)
    sigma = np.where(np.arange(60)[:, None] < 30, NOISE, 20 * NOISE) * np.ones((60, 60))
    B, half = u.field(200e-9)[2] + sigma * rng.normal(size=sigma.shape), np.s_[:, :27]
    maps = as_map(B, sigma), as_map(B, np.sqrt(np.mean(sigma**2)))
    found = [analysis.current_density(m, standoff=200e-9, method=method, samples=0).J.values for m in maps]
    known, blind = (np.linalg.norm(J[half] - u.J[half]) for J in found)
    assert known < 0.9 * blind


def test_errors_of_tikhonov_are_true():
    """The scatter of J over maps with new noise, in the middle and near the border, and of a net current."""
    u = Part("u")
    how = dict(standoff=200e-9, regularisation=0.01, margin=2e-6)
    one = analysis.current_density(u.map(200e-9, seed=0), **how, samples=32)
    crop = dict(start=(2.2e-6, 4e-6), end=(4.2e-6, 4e-6))
    many = [analysis.current_density(u.map(200e-9, seed=k), **how, samples=0) for k in range(1, 17)]
    scatter = np.stack([each.J.values for each in many]).std(axis=0, ddof=1)
    for part in (np.s_[:, 15:45, 15:45], np.s_[:, :6, :]):
        ratio = np.sqrt(np.mean(scatter[part] ** 2) / np.mean(one.J_err.values[part] ** 2))
        assert 0.8 < ratio < 1.2
    spread = np.std([analysis.net_current(each, **crop).value for each in many], ddof=1)
    assert 0.5 < spread / analysis.net_current(one, **crop).error < 1.7


@pytest.mark.slow
def test_errors_of_total_variation_are_of_the_right_size():
    u = Part("u")
    one = analysis.current_density(u.map(100e-9, seed=0), standoff=100e-9, method="tv", samples=10, rng=1)
    many = [analysis.current_density(u.map(100e-9, seed=k), standoff=100e-9, method="tv") for k in range(1, 9)]
    scatter = np.stack([each.J.values for each in many]).std(axis=0, ddof=1)
    assert 0.6 < np.sqrt(np.mean(scatter**2) / np.mean(one.J_err.values**2)) < 1.6


def test_the_same_seed_gives_the_same_bytes():
    m = Part("u").map(200e-9, seed=1)
    one, two, other = (
        analysis.current_density(m, standoff=200e-9, regularisation=0.05, samples=3, rng=k) for k in (1, 1, 2)
    )
    assert one.J_err.values.tobytes() == two.J_err.values.tobytes() != other.J_err.values.tobytes()
    assert one.J.values.tobytes() == other.J.values.tobytes()


@pytest.mark.parametrize(("name", "standoff", "most"), [("ribbon", 100e-9, 0.02), ("u", 500e-9, 0.06)])
def test_known_mask(name, standoff, most):
    truth = Part(name)
    mask = np.abs(truth.J).sum(axis=0) > 0
    field = truth.map(standoff, seed=1)
    found = analysis.current_density(field, standoff=standoff, method="tv", mask=mask)
    assert truth.error(found.J.values) < most
    assert (found.J.values[:, ~mask] == 0).all()
    assert found.attrs["user_uniform"] == "no current outside of the mask"


def test_direction_that_is_known():
    ribbon = Part("ribbon")
    field = ribbon.map(500e-9, seed=1)
    free, one_way = (analysis.current_density(field, standoff=500e-9, method="tv", positive=p) for p in ("", "y"))
    assert free.J.sel(component="y").min() < -1
    assert one_way.J.sel(component="y").min() > -0.002 * float(one_way.J.max())
    assert ribbon.error(one_way.J.values) < ribbon.error(free.J.values)


def test_pixels_that_are_not_square():
    ribbon = vb.Ribbon((3e-6, -1e-3, 0), (3e-6, 1e-3, 0), 1.2e-6, CURRENT)
    y, x = np.arange(30) * 200e-9, np.arange(61) * 100e-9
    points = np.dstack([*np.meshgrid(x, y), np.full((30, 61), 150e-9)])
    B = ribbon.field(points)[..., 2] + np.random.default_rng(0).normal(0, NOISE, (30, 61))
    field = xr.Dataset(
        {
            n: (("component", "y", "x"), v[None], {"units": "T"})
            for n, v in (("B", B), ("B_err", np.full(B.shape, NOISE)))
        },
        coords={"component": ["z"], "y": ("y", y, {"units": "m"}), "x": ("x", x, {"units": "m"})},
        attrs={"schema": "vbsense.map/1"},
    )
    found = analysis.current_density(field, standoff=150e-9, method="tv", footprint=0)
    truth = np.zeros((2, 30, 61))
    truth[1] = np.where(np.abs(x - 3e-6) < 0.55e-6, 1000 / 1.2, np.where(np.abs(x - 3e-6) < 0.65e-6, 500 / 1.2, 0))
    assert np.linalg.norm(found.J.values - truth) < 0.12 * np.linalg.norm(truth)
    net = analysis.net_current(found, start=(1.5e-6, 3e-6), end=(4.5e-6, 3e-6))
    assert abs(net.value / CURRENT - 1) < 0.03


def test_all_components_see_more_than_one():
    """Three maps with as much noise, and a uniform field of their own each."""
    u = Part("u")
    B = u.field(300e-9) + np.array([1, -2, 3])[:, None, None] * 1e-5
    B = B + np.random.default_rng(1).normal(0, 10 * NOISE, B.shape)
    maps = [as_map(part, 10 * NOISE).assign_coords(component=[c]) for c, part in zip("xyz", B, strict=True)]
    whole = xr.concat(maps, "component", combine_attrs="override")
    one, three, in_plane = (
        analysis.current_density(m, standoff=300e-9, samples=0, regularisation="morozov")
        for m in (maps[2], whole, whole.sel(component=["x", "y"]))
    )
    assert u.error(three.J.values) < u.error(one.J.values) < 0.4
    assert u.error(in_plane.J.values) < 1.1 * u.error(one.J.values)
    assert np.allclose(three.attrs["user_offset"] - whole.B.mean(("y", "x")), 0, atol=1e-4)


def site_map(corr=0.0, seed=1):
    """A ribbon under a turned array of 14 x 14 spots; noise of neighbours may be correlated."""
    ribbon = vb.Ribbon((0, -1e-3, 0), (0, 1e-3, 0), 1e-6, CURRENT)
    array = vb.SensorArray(pitch=300e-9, shape=(14, 14), rotation=0.1)
    Bz = array.average(ribbon.field, standoff=150e-9, order=(4, 3))[:, 2]
    distance = np.hypot(array.x[:, None] - array.x, array.y[:, None] - array.y)
    correlation = np.exp(-distance / 400e-9) * corr + np.eye(196) * (1 - corr)
    noise = 4 * NOISE * np.linalg.cholesky(correlation) @ np.random.default_rng(seed).normal(size=196)
    sweep = make_site_sweep(
        np.ones((3, 196)), [3e9, 3.1e9, 3.2e9], x=array.x, y=array.y, row=array.row, column=array.column
    )
    field = make_site_map(Bz + noise, sites=sweep, error=np.full(196, 4 * NOISE), sensor_array=array.to_json())
    if corr:
        field["site_correlation"] = (("site", "site2"), correlation, {"units": "1"})
    return field


@pytest.mark.parametrize("method", ["tikhonov", "tv"])
@pytest.mark.parametrize("corr", [0.0, 0.9])
def test_sites(method, corr):
    found = analysis.current_density(site_map(corr), standoff=150e-9, method=method)
    assert 0.9 < found.attrs["user_chi2"] < 1.05
    x, y = found.x.values, found.y.values
    inner = np.abs(y) < 1.2e-6
    Jy = found.J.sel(component="y").values[inner]
    assert abs(Jy[:, np.abs(x) < 0.3e-6].mean() / 1e3 - 1) < 0.12
    assert abs(Jy[:, np.abs(x) > 0.9e-6].mean()) < 60
    net = analysis.net_current(found, start=(-1.2e-6, 0), end=(1.2e-6, 0))
    assert abs(net.value / CURRENT - 1) < 0.08


def test_correlated_noise_is_used():
    """The same noise, its correlation known or not: the current is better, and errors are larger where it is."""
    field = site_map(0.9)
    known, blind = (
        analysis.current_density(m, standoff=150e-9, rng=1) for m in (field, field.drop_vars("site_correlation"))
    )
    truth = np.where(np.abs(known.x.values) < 0.5e-6, 1e3, 0.0)
    part = np.abs(known.y.values) < 1.5e-6
    errors = [np.linalg.norm(s.J.values[1][part] - truth) for s in (known, blind)]
    assert errors[0] < errors[1]


def test_noise_that_is_not_given_is_found():
    m = Part("u").map(200e-9, seed=1).drop_vars("B_err")
    found = analysis.current_density(m, standoff=200e-9, method="tv")
    assert abs(found.attrs["user_noise"] / NOISE - 1) < 0.06
    assert "shortest waves" in analysis.describe_current(found)
    with pytest.raises(LayoutError, match="B_err"):
        analysis.current_density(site_map().drop_vars("B_err"), standoff=150e-9)


def test_a_wrong_standoff_is_noticed():
    field = Part("ribbon").map(100e-9, seed=1)
    with pytest.warns(UserWarning, match="stand-off right"):
        analysis.current_density(field, standoff=1e-6, regularisation="morozov", samples=0)


def test_filters_are_reached():
    found = analysis.current_density(Part("u").map(200e-9, seed=1), standoff=200e-9, method="hann")
    assert found.J.dims == ("component", "y", "x")
    assert Part("u").error(found.J.values) < 0.3


def test_results_can_be_saved(tmp_path):
    found = analysis.current_density(Part("u").map(200e-9, seed=1), standoff=200e-9, regularisation=0.05, samples=2)
    vb.save(found, tmp_path / "J.h5")
    assert np.allclose(vb.load(tmp_path / "J.h5").J, found.J)


MAP = make_map(np.random.default_rng(0).normal(0, 1e-6, (20, 24)), pixel_size=1e-7, error=np.full((20, 24), 1e-6))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (dict(standoff=np.nan), "unknown, a fit of a known wire"),
        (dict(standoff=-1e-7), "above zero"),
        (dict(standoff=None), "in metres"),
        (dict(standoff=1.0), "100 nm is 100e-9"),
        (dict(standoff="1e-7"), "in metres"),
        (dict(method="tikonov"), "did you mean 'tikhonov'"),
        (dict(method="TV"), "There are"),
        (dict(regularisation=-1.0), "above zero"),
        (dict(regularisation="gvc"), "did you mean 'gcv'"),
        (dict(method="tv", regularisation="gcv"), "without restrictions"),
        (dict(mask=np.ones((5, 5), bool)), r"bool of shape \(20, 24\)"),
        (dict(mask=np.ones((20, 24))), "bool"),
        (dict(mask=np.zeros((20, 24), bool)), "empty"),
        (dict(positive="z"), "not negative"),
        (dict(positive="y", offset="none"), "depends on the uniform current"),
        (dict(offset="mean"), "offset"),
        (dict(offset=np.zeros((20, 24), bool)), "no valid pixel"),
        (dict(mask=np.ones((20, 24), bool), offset={"y": 1.0}), "leave it out"),
        (dict(samples=1), "a spread needs two"),
        (dict(samples=-2), "at least 0"),
        (dict(depth=4e-7), "mean at least"),
        (dict(footprint=3e-7), "area of one pixel"),
        (dict(margin=-1e-6), "margin"),
        (dict(margin=1e-3), "smaller margin"),
        (dict(cell=1e-7), "for maps of sites"),
        (dict(method="hann", mask=np.ones((20, 24), bool)), "method is 'hann'"),
    ],
)
def test_refusals(wrong, match):
    with pytest.raises(ValueError, match=match):
        analysis.current_density(MAP, **(dict(standoff=1e-7) | wrong))


def test_refusals_of_maps():
    with pytest.raises(ValueError, match="all values of the map are NaN"):
        analysis.current_density(MAP.assign(B=MAP.B * np.nan), standoff=1e-7)
    few = MAP.copy(deep=True)
    few["B"].values[0, 1:] = np.nan
    few["B"].values[0, 0, 10:] = np.nan
    with pytest.raises(ValueError, match="10 valid values"):
        analysis.current_density(few, standoff=1e-7)
    with pytest.raises(LayoutError, match="no field B"):
        analysis.current_density(sheet_of(np.zeros((2, 9, 9))), standoff=1e-7)
    with pytest.raises(LayoutError, match="only the component 'x'"):
        analysis.current_density(MAP.assign_coords(component=["x"]), standoff=1e-7)
    with pytest.raises(LayoutError, match="evenly spaced"):
        analysis.current_density(MAP.isel(x=[0, 1, 2, 5, 6, 7]), standoff=1e-7)
    with pytest.raises(LayoutError, match="1 pixel along y"):
        analysis.current_density(MAP.isel(y=[0]), standoff=1e-7)
    with pytest.raises(ValueError, match="no errors B_err and no noise"):
        analysis.current_density(make_map(np.ones((9, 9)), pixel_size=1e-7), standoff=1e-7)
    with pytest.raises(TypeError, match="unexpected argument 'cutoff'"):
        analysis.current_density(MAP, standoff=1e-7, cutoff=1e-6)


def test_refusals_of_sites():
    field = site_map()
    with pytest.raises(ValueError, match="for pixels; sites"):
        analysis.current_density(field, standoff=150e-9, regularisation="gcv")
    with pytest.raises(ValueError, match="coarser"):
        analysis.current_density(field, standoff=150e-9, cell=400e-9)
    del field.attrs["sensor_array"]
    with pytest.raises(LayoutError, match="array=SensorArray"):
        analysis.current_density(field, standoff=150e-9)


def sheet_of(J, pixel=1e-7):
    return xr.Dataset(
        {"J": (("component", "y", "x"), J, {"units": "A/m"})},
        coords={"component": ["x", "y"], "y": ("y", np.arange(J.shape[1]) * pixel, {"units": "m"}),
                "x": ("x", np.arange(J.shape[2]) * pixel, {"units": "m"})},
        attrs={"schema": "vbsense.map/1"},
    )  # fmt: skip


def test_net_currents_of_any_cut():
    """Two cuts between the same conserved currents agree; a turned cut changes its sign."""
    rng = np.random.default_rng(0)
    op = analysis.CurrentOperator((12, 15), (1e-7, 1e-7), analysis.Sensing(1e-7))
    g = rng.normal(size=(13, 16))
    sheet = sheet_of(op.current(g))
    straight = analysis.net_current(sheet, start=(3e-7, 2e-7), end=(9e-7, 2e-7)).value
    back = analysis.net_current(sheet, start=(9e-7, 2e-7), end=(3e-7, 2e-7)).value
    assert np.isclose(straight, -back)
    uniform = sheet_of(np.array([3.0, 4.0])[:, None, None] * np.ones((2, 12, 15)))
    a, b = np.array([0.13e-6, 0.21e-6]), np.array([1.37e-6, 1.02e-6])
    net = analysis.net_current(uniform, start=a, end=b)
    assert np.isclose(net.value, 4.0 * (b - a)[0] - 3.0 * (b - a)[1])
    assert np.isnan(net.error)
    assert np.isclose(net.length, np.hypot(*(b - a)))
    for wrong, match in (((a, a), "no length"), ((a, (9e-6, 0)), "reaches from"), ((a, 3), "give x and y")):
        with pytest.raises(ValueError, match=match):
            analysis.net_current(uniform, start=wrong[0], end=wrong[1])
    with pytest.raises(LayoutError, match="no J"):
        analysis.net_current(MAP, start=(0, 0), end=(1e-7, 0))
    with pytest.raises(ValueError, match="between 0 and 1"):
        analysis.find_conductor(uniform, level=50)
    with pytest.raises(ValueError, match="no current"):
        analysis.find_conductor(sheet_of(np.zeros((2, 5, 5))))
    with pytest.raises(LayoutError, match="not from current_density"):
        analysis.describe_current(uniform)


def test_good_maps_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analysis.current_density(Part("u").map(100e-9, seed=1), standoff=100e-9, method="tv")
        analysis.current_density(Part("u").map(100e-9, seed=1), standoff=100e-9, samples=0)


def test_a_heavier_weight_explains_less():
    """Total variation at a price: chi-squared grows with it, the variation falls."""
    field, found = Part("u").map(200e-9, seed=1), []
    for weight in (0.1, 1.0, 10.0):
        sheet = analysis.current_density(field, standoff=200e-9, method="tv", regularisation=weight)
        rough = sum(np.abs(np.diff(sheet.J.values, axis=axis)).sum() for axis in (1, 2))
        found.append((sheet.attrs["user_chi2"], -rough))
        assert sheet.attrs["user_weight"] == weight
    assert found == sorted(found)
    assert found[0][1] < found[1][1] < found[2][1]
