"""Pictures of fitted wires: edges and cuts lie where the wire was found."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import vbsense as vb
from vbsense import analysis
from vbsense.analysis import plot
from vbsense.data import make_site_map, make_site_sweep

ARRAY = vb.SensorArray(pitch=400e-9, shape=(5, 16), center=(3e-6, 1e-6))
TURN = 0.1


def bar(x, width=1e-6, turn=0.0, current=1e-3):
    """A wire through (x, 1 um) in a direction that is turned from y."""
    along = 40e-6 * np.array([-np.sin(turn), np.cos(turn), 0.0])
    middle = np.array([x, 1e-6, -50e-9])
    return vb.Bar(tuple(middle - along), tuple(middle + along), width=width, thickness=1e-7, current=current)


def map_of(*wires, error=1e-6):
    n = ARRAY.x.size
    sites = make_site_sweep(np.ones((2, n)), [3e9, 4e9], x=ARRAY.x, y=ARRAY.y, row=ARRAY.row, column=ARRAY.column)
    Bz = sum(ARRAY.average(w.field, standoff=100e-9)[:, 2] for w in wires)
    return make_site_map(Bz, sites=sites, error=np.full(n, error), sensor_array=ARRAY.to_json())


def drawn_edges(field, fit):
    ax = Figure().subplots()
    plot.site_map(field, ax, wire=fit)
    return [np.array(line.get_xydata()) for line in ax.lines]


def middle_x(line):
    """Where a drawn edge crosses y = 1 um."""
    (x0, y0), (x1, y1) = line
    return x0 + (1.0 - y0) * (x1 - x0) / (y1 - y0)


@pytest.mark.parametrize("turn", [0.0, TURN])
def test_edges_are_those_of_the_wire_that_was_found(turn):
    true = bar(3.2e-6, turn=turn)
    free = ("position", "rotation") if turn else ("position",)
    fit = analysis.fit_wire(map_of(true), wire=bar(2.8e-6), free=free, standoff=100e-9)
    assert abs(fit.values["position"]) > 0.3e-6  # a shift that is counted twice would show
    lines = drawn_edges(map_of(true), fit)
    assert len(lines) == 2
    half = 0.5 / np.cos(turn)
    assert sorted(middle_x(line) for line in lines) == pytest.approx([3.2 - half, 3.2 + half], abs=2e-3)
    slope = np.diff(lines[0], axis=0)[0]
    assert slope[0] / slope[1] == pytest.approx(-np.tan(turn), abs=1e-3)


def test_a_cut_counts_from_the_middle_of_the_wire_that_was_found():
    true = bar(3.2e-6)
    field = map_of(true)
    fit = analysis.fit_wire(field, wire=bar(2.8e-6), free=("position",), standoff=100e-9)
    ax = Figure().subplots()
    plot.cut(field, fit, ax, truth=field["B"].values[0])
    truth, model = (np.array(line.get_xydata()) for line in ax.lines[-2:])
    np.testing.assert_allclose(model[:, 1], truth[:, 1], atol=0.5)
    # Bz is odd about the middle of a wire: zero at distance zero.
    x, index = np.unique(truth[:, 0].round(9), return_index=True)
    assert np.interp(0.0, x, truth[index, 1]) == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("named", [False, True])
def test_several_wires_are_all_drawn(named):
    true = bar(1.5e-6), bar(4.5e-6, width=0.6e-6, current=-1e-3)
    field = map_of(*true)
    start = bar(1.3e-6), bar(4.6e-6, width=0.6e-6, current=-1e-3)
    wire = dict(zip(("left", "right"), start, strict=True)) if named else start
    fit = analysis.fit_wire(field, wire=wire, free=("position",), standoff=100e-9)
    lines = drawn_edges(field, fit)
    assert sorted(middle_x(line) for line in lines) == pytest.approx([1.0, 2.0, 4.2, 4.8], abs=2e-3)
    ax = Figure().subplots()
    plot.cut(field, fit, ax)
    u = np.array(ax.lines[-1].get_xdata())
    assert u.min() == pytest.approx((ARRAY.x.min() - 3e-6) * 1e6, abs=2e-3)  # from the middle between the two
    assert ax.get_legend().get_texts()[-1].get_text() in ("2 fitted wires", "measured")


def test_a_cut_through_a_map_of_three_components_shows_bz():
    true = bar(3.0e-6)
    B = ARRAY.average(true.field, standoff=100e-9).T
    field = xr.concat([map_of(true).assign_coords(component=[c]) for c in "zxy"], "component", data_vars="minimal")
    field["B"].values[:] = B[[2, 0, 1]]
    fit = analysis.fit_wire(field, wire=true, free=("current",), standoff=100e-9)
    ax = Figure().subplots()
    plot.cut(field, fit, ax, truth=B[2])
    truth, model = (np.array(line.get_ydata()) for line in ax.lines[-2:])
    np.testing.assert_allclose(model, truth, atol=0.1)


def test_sites_that_a_cube_left_out_have_no_model():
    true = bar(3.0e-6)
    field = map_of(true)
    fit = analysis.fit_wire(field, wire=true, free=("current",), standoff=100e-9)
    field["B"].values[0, 7] = np.nan
    ax = Figure().subplots()
    plot.cut(field, replace(fit, model=np.delete(fit.model, 7)), ax)
    assert np.isnan(ax.lines[-1].get_ydata()).sum() == 1
