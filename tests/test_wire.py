"""From a map back to the wire below it: recovery, true errors, and clear refusals."""

from dataclasses import replace

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis
from vbsense.data import LayoutError, make_site_map, make_site_sweep

STEPS = ("current", "standoff", "position", "width", "offset")
BAR = vb.Bar((2.06e-6, -50e-6, -50e-9), (2.06e-6, 50e-6, -50e-9), width=1e-6, thickness=100e-9, current=1e-3)
ARRAY = vb.SensorArray(220e-9, (2, 18), (2e-6, 1e-6), rotation=0.07)
STANDOFF = 60e-9
TRUTH = {"current": 1e-3, "standoff": STANDOFF, "position": 30e-9, "width": 1e-6, "offset": 5e-6}
# The start is wrong in all of them.
START = replace(BAR, start=(2.03e-6, -50e-6, -50e-9), end=(2.03e-6, 50e-6, -50e-9), width=0.8e-6, current=-2e-3)


def fine_average(bar=BAR, array=ARRAY, standoff=STANDOFF, n=24):
    """Bz over footprint and depth by the midpoint rule; shares nothing with the quadrature of the package."""
    u = (np.arange(n) + 0.5) / n - 0.5
    a, b, c = (v.ravel() for v in np.meshgrid(u * array.spot_size, u * array.spot_size, u[::3] * array.thickness))
    c = c + array.thickness / n  # the middles of thirds as many layers
    turn, tilt = np.cos(array.rotation), np.sin(array.rotation)
    x, y = array.x[:, None] + turn * a - tilt * b, array.y[:, None] + tilt * a + turn * b
    return bar.field(np.stack([x, y, standoff + c + 0 * x], -1))[..., 2].mean(1)


BZ = fine_average() + TRUTH["offset"]


def site_map(Bz=BZ, error=1e-6, array=ARRAY, correlation=None):
    n = array.x.size
    sites = make_site_sweep(
        np.ones((2, n)), [3e9, 4e9], x=array.x, y=array.y, row=array.row, column=array.column
    )  # fmt: skip
    got = make_site_map(
        Bz, sites=sites, error=None if error is None else np.broadcast_to(error, n), sensor_array=array.to_json()
    )
    if correlation is not None:
        got["site_correlation"] = (("site", "site2"), correlation, {"units": "1"})
    return got


def neighbours(array=ARRAY):
    """What unmixing of a lattice this dense would leave: neighbours are anticorrelated."""
    distance = np.hypot(array.x[:, None] - array.x, array.y[:, None] - array.y) / array.pitch
    return np.eye(array.x.size) - 0.22 * (np.abs(distance - 1) < 0.1)


# --- recovery ---------------------------------------------------------------------------------------------------------


def test_the_independent_average_is_accurate():
    assert fine_average(n=24) == pytest.approx(fine_average(n=48), abs=2e-4 * np.abs(BZ).max())


def test_all_parameters_of_a_noise_free_map_come_back():
    got = analysis.fit_wire(site_map(), wire=START, free=tuple(STEPS), standoff=90e-9)
    assert list(got.values) == list(STEPS)
    for name, tolerance in {
        "current": 1e-6, "standoff": 0.2e-9, "position": 0.1e-9, "width": 0.5e-9, "offset": 0.1e-6,
    }.items():  # fmt: skip
        assert got.values[name] == pytest.approx(TRUTH[name], abs=tolerance), name
    assert got.wire.start[0] == pytest.approx(BAR.start[0], abs=0.2e-9)
    assert got.wire.width == pytest.approx(1e-6, abs=0.5e-9)
    assert got.wire.current == pytest.approx(1e-3, rel=1e-3)
    assert got.model == pytest.approx(BZ, abs=0.1e-6)


@pytest.mark.parametrize("current", [1e-3, -1e-3])
def test_the_sign_of_the_current_comes_from_the_map(current):
    got = analysis.fit_wire(site_map(np.sign(current) * fine_average()), wire=BAR, standoff=40e-9)
    assert got.values["current"] == pytest.approx(current, rel=1e-3)
    assert got.values["standoff"] == pytest.approx(STANDOFF, abs=0.2e-9)


def test_what_is_not_free_stays():
    got = analysis.fit_wire(site_map(fine_average()), wire=BAR, free=("standoff",), standoff=100e-9)
    assert list(got.values) == ["standoff"]
    assert got.wire == BAR
    assert analysis.fit_wire(site_map(), wire=BAR, free="current").values.keys() == {"current"}


def test_order_and_choice_of_sites_do_not_matter():
    whole = site_map()
    options = {"wire": BAR, "free": ("current", "position", "offset"), "standoff": STANDOFF}
    expected = analysis.fit_wire(whole, **options).values
    mixed = whole.isel(site=np.random.default_rng(1).permutation(36))
    assert analysis.fit_wire(mixed, **options).values == pytest.approx(expected, rel=1e-6)
    some = analysis.fit_wire(whole.isel(site=slice(3, 30)), **options)
    assert some.values["current"] == pytest.approx(1e-3, rel=2e-3)
    assert some.model.size == 27


def test_bad_sites_are_left_out():
    Bz = BZ.copy()
    Bz[[4, 20]] = np.nan
    error = np.full(36, 1e-6)
    error[7] = np.nan
    Bz[7] = 1.0
    correlation = neighbours()
    got = analysis.fit_wire(
        site_map(Bz, error, correlation=correlation), wire=BAR, free=("current", "standoff", "offset")
    )
    assert got.values["current"] == pytest.approx(1e-3, rel=2e-3)
    assert got.reduced_chi2 < 0.1


def test_a_map_of_pixels_is_averaged_over_its_pixels():
    pixels = vb.SensorArray(100e-9, (4, 40), (19.5e-7, 1.5e-7), spot_size=100e-9, thickness=0.0)
    Bz = fine_average(array=pixels, standoff=80e-9).reshape(4, 40)
    got = analysis.fit_wire(vb.make_map(Bz, pixel_size=1e-7, error=np.full((4, 40), 1e-6)), wire=START, standoff=50e-9,
                            free=("current", "standoff", "position", "width"))  # fmt: skip
    assert got.values["standoff"] == pytest.approx(80e-9, abs=0.3e-9)
    assert got.values["position"] == pytest.approx(30e-9, abs=0.3e-9)
    part = vb.make_map(Bz, pixel_size=1e-7).isel(x=slice(5, None))
    got = analysis.fit_wire(part, wire=BAR, standoff=80e-9)
    assert got.values["standoff"] == pytest.approx(80e-9, abs=0.3e-9)


# --- errors -----------------------------------------------------------------------------------------------------------


def pulls(n, free, correlation, given, seed=2):
    """(fit - truth) / error over `n` noisy maps; `given` is the correlation that the map tells."""
    rng = np.random.default_rng(seed)
    error = 10e-6 * np.exp(rng.normal(0, 0.2, 36))
    root = np.linalg.cholesky(correlation) * error[:, None]
    rows, chi2 = [], []
    for _ in range(n):
        field = site_map(BZ + root @ rng.normal(size=36), error, correlation=given)
        got = analysis.fit_wire(field, wire=START, free=free, standoff=80e-9)
        rows.append([(got.values[k] - TRUTH[k]) / got.errors[k] for k in free])
        chi2.append(got.reduced_chi2)
    return np.array(rows), np.array(chi2)


@pytest.mark.slow
@pytest.mark.parametrize("correlated", [False, True])
def test_errors_cover_the_truth(correlated):
    matrix = neighbours() if correlated else np.eye(36)
    pull, chi2 = pulls(100, tuple(STEPS), matrix, matrix if correlated else None)
    assert np.abs(pull.mean(0)).max() < 0.4
    assert pull.std(0) == pytest.approx(1, abs=0.25)
    assert (np.abs(pull) < 1).mean(0) == pytest.approx(0.683, abs=0.17)
    assert chi2.mean() == pytest.approx(1, abs=4.5 * np.sqrt(2 / 31 / 100))


def test_errors_of_a_few_maps_with_correlated_noise():
    pull, chi2 = pulls(40, ("current", "position", "offset", "standoff", "width"), neighbours(), neighbours())
    assert pull.std() == pytest.approx(1, abs=0.3)
    assert chi2.mean() == pytest.approx(1, abs=4.5 * np.sqrt(2 / 31 / 40))


def test_ignoring_the_correlation_gives_wrong_errors():
    # The noise of neighbours cancels in the offset, which is then known far better than it seems.
    free = ("offset", "current")
    right = analysis.fit_wire(site_map(error=1e-5, correlation=neighbours()), wire=BAR, free=free, standoff=STANDOFF)
    wrong = analysis.fit_wire(site_map(error=1e-5), wire=BAR, free=free, standoff=STANDOFF)
    assert right.errors["offset"] < 0.8 * wrong.errors["offset"]


def test_without_errors_they_come_from_the_scatter():
    noisy = BZ + np.random.default_rng(3).normal(0, 5e-6, 36)
    told = analysis.fit_wire(site_map(noisy, 5e-6), wire=BAR, standoff=STANDOFF, free=("current", "offset"))
    found = analysis.fit_wire(site_map(noisy, None), wire=BAR, standoff=STANDOFF, free=("current", "offset"))
    assert found.values == pytest.approx(told.values, rel=1e-4)
    assert np.isnan(found.reduced_chi2)
    assert found.errors["current"] == pytest.approx(told.errors["current"] * np.sqrt(told.reduced_chi2), rel=1e-4)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: analysis.fit_wire(site_map(), wire=BAR, free=("curent",)), "did you mean 'current'"),
        (lambda: analysis.fit_wire(site_map(), wire=BAR, free=()), "choose from"),
        (lambda: analysis.fit_wire(site_map(), wire=BAR, free=("current", "current")), "each once"),
        (lambda: analysis.fit_wire(site_map(), wire=BAR, standoff=10e-9), "mean height"),
        (lambda: analysis.fit_wire(site_map(), wire=BAR, standoff=np.nan), "standoff"),
        (lambda: analysis.fit_wire(site_map(np.full(36, np.nan)), wire=BAR), "valid values"),
        (lambda: analysis.fit_wire(site_map(error=0.0), wire=BAR), "valid values"),
        (lambda: analysis.fit_wire(site_map(), wire=replace(BAR, current=0.0), free=("width",)), "do not depend"),
        (lambda: analysis.fit_wire(site_map(correlation=np.eye(36)).isel(site=slice(9)), wire=BAR), "site2"),
        (lambda: analysis.fit_wire(site_map().assign_attrs(sensor_array=3), wire=BAR), "sensor_array"),
        (lambda: analysis.fit_wire(vb.make_map(np.ones((1, 1)), pixel_size=1e-7), wire=BAR), "single pixel"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_other_things_than_maps_and_bars_are_refused():
    nameless = site_map()
    del nameless.attrs["sensor_array"]
    with pytest.raises(LayoutError, match="SensorArray"):
        analysis.fit_wire(nameless, wire=BAR)
    assert analysis.fit_wire(nameless, wire=BAR, array=ARRAY).values
    with pytest.raises(TypeError, match="Bar"):
        analysis.fit_wire(site_map(), wire="gold")
    with pytest.raises(TypeError, match="Dataset"):
        analysis.fit_wire(BZ, wire=BAR)
