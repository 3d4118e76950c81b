"""The layouts: what is built keeps its promises, and every broken dataset is refused by the name of what is wrong."""

import numpy as np
import pytest
import xarray as xr

import vbsense as vb
from vbsense.data import LayoutError, average, check, frames, make_fit, make_site_map, make_site_sweep
from vbsense.flags import FATAL, FLAGS, attributes, describe
from vbsense.layout import require

F = np.linspace(3.2e9, 3.7e9, 6)
BARE = {"polarity": [1, -1], "direction": ["up", "down"]}


def sweep(**changes):
    signal = np.arange(6 * 4 * 5, dtype=float).reshape(6, 4, 5) + 1000
    return vb.make_sweep(**({"signal": signal, "frequency": F, "pixel_size": 1e-7, "exposure": 0.1} | changes))


def site_sweep(**changes):
    n = np.arange(7)
    arguments = {"signal": np.ones((6, 7)), "frequency": F, "x": n * 1e-6, "y": n * 0.0, "row": n * 0, "column": n}
    return make_site_sweep(**(arguments | changes))


def fit():
    one = np.ones((4, 5))
    names = ("center_lower", "center_upper")
    values = {"center_lower": one * 3.3e9, "center_upper": one * 3.6e9}
    return make_fit(
        values, {n: one * 1e5 for n in names}, sweep(), flags=one * 0, reduced_chi2=one,
        units=dict.fromkeys(names, "Hz"), covariance=np.ones((4, 5, 2, 2)), model="gaussian",
    )  # fmt: skip


def field():
    return vb.make_map(np.ones((4, 5)) * 1e-3, pixel_size=1e-7, error=np.ones((4, 5)) * 1e-6)


# --- what is built ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", [sweep(), sweep(reference=np.ones((6, 4, 5))), site_sweep(), fit(), field()])
def test_everything_numeric_carries_its_unit(dataset):
    for name, variable in dataset.variables.items():
        if variable.dtype.kind in "fiu":
            assert variable.attrs["units"], name
    assert check(dataset) is dataset


def test_a_sweep_keeps_values_order_and_attributes():
    signal = np.random.default_rng(1).random((2, 2, 6, 4, 5))
    got = sweep(signal=signal, coords=BARE, bias_field=(0, 0, 10e-3), frames=3, user_note="by hand")
    assert got.signal.dims == ("polarity", "direction", "frequency", "y", "x")
    assert (got.signal.values == signal).all()
    assert got.polarity.values.tolist() == [1, -1]
    assert got.x.values == pytest.approx(np.arange(5) * 1e-7)
    assert got.y.values == pytest.approx(np.arange(4) * 1e-7)
    assert got.attrs["schema"] == "vbsense.sweep/1"
    assert got.attrs["user_note"] == "by hand"


def test_whole_numbers_become_float32_and_doubles_stay():
    assert sweep(signal=np.ones((6, 4, 5), dtype=np.uint16)).signal.dtype == np.float32
    assert sweep(signal=np.ones((6, 4, 5))).signal.dtype == np.float64


def test_a_fit_keeps_frequencies_and_coordinates():
    got = fit()
    assert got.attrs["frequency"] == pytest.approx(F)
    assert got.attrs["schema"] == "vbsense.fit/1"
    assert got.attrs["exposure"] == 0.1
    assert got.x.values == pytest.approx(np.arange(5) * 1e-7)
    assert got.flags.dtype == np.uint16
    assert got.flags.attrs["flag_meanings"].split() == list(FLAGS)


def test_a_site_map_takes_the_sites_of_the_sweep():
    sites = site_sweep()
    got = make_site_map(np.arange(7) * 1e-3, sites=sites.isel(site=[3, 1, 2, 0, 4, 5, 6]))
    assert got.B.dims == ("component", "site")
    assert got.column.values.tolist() == [3, 1, 2, 0, 4, 5, 6]
    assert got.x.values == pytest.approx(np.array([3, 1, 2, 0, 4, 5, 6]) * 1e-6)


@pytest.mark.parametrize(
    ("name", "hint"), [("exposre", "exposure"), ("bias", "bias_field"), ("psf", "psf_fwhm"), ("xyzzy", "user_")]
)
def test_an_unknown_attribute_is_refused_with_the_nearest(name, hint):
    with pytest.raises(LayoutError, match=f"{name}.*{hint}"):
        sweep(**{name: 1.0})


def test_flags_are_one_bit_each_and_describe_themselves():
    bits = [flag.bit for flag in FLAGS.values()]
    assert all(b & (b - 1) == 0 for b in bits)
    assert sum(bits) == 2 ** len(bits) - 1 < 2**16
    assert attributes()["flag_masks"].tolist() == bits
    for name, flag in FLAGS.items():
        assert describe(flag.bit) == [name]
        assert flag.meaning
        assert flag.remedy
    assert describe(0) == []
    assert {"masked", "nan_input", "few_points"} <= set(describe(np.uint16(FATAL)))


# --- averages ---------------------------------------------------------------------------------------------------------


def test_average_of_equal_frames_is_the_mean_and_adds_them():
    signal = np.random.default_rng(2).random((2, 2, 6, 4, 5))
    got = average(sweep(signal=signal, reference=2 * signal, coords=BARE, frames=5), "direction")
    assert got.signal.values == pytest.approx(signal.mean(1))
    assert got.reference.values == pytest.approx(2 * signal.mean(1))
    assert got.attrs["frames"] == 10
    assert "frames" not in got.data_vars
    assert "direction" not in got.coords
    assert got.signal.attrs["units"] == "electron"


def with_frames(count, signal, **changes):
    got = sweep(signal=signal, coords={"direction": ["up", "down"]}, **changes)
    got["frames"] = (("direction", "frequency"), np.asarray(count), {"units": "1"})
    return got


def test_average_weights_with_frames():
    signal = np.stack([np.full((6, 4, 5), 10.0), np.full((6, 4, 5), 40.0)])
    got = average(with_frames([[3] * 6, [1] * 6], signal), "direction")
    assert got.signal.values == pytest.approx(17.5)
    assert got.attrs["frames"] == 4


def test_missing_frames_leave_the_other_direction_or_nan():
    signal = np.stack([np.full((6, 4, 5), 10.0), np.full((6, 4, 5), 40.0)])
    signal[0, 1] = signal[:, 2] = np.nan
    count = np.full((2, 6), 2)
    count[0, 1] = count[:, 2] = 0
    got = average(with_frames(count, signal), "direction")
    assert got.signal.values[1] == pytest.approx(40.0)
    assert np.isnan(got.signal.values[2]).all()
    assert got.signal.values[[0, 3, 4, 5]] == pytest.approx(25.0)
    assert frames(got).values.tolist() == [4, 2, 0, 4, 4, 4]
    assert check(got) is got


def test_a_pixel_that_is_nan_never_becomes_a_number():
    signal = np.full((2, 6, 4, 5), 10.0)
    signal[:, :, 1, 1] = signal[0, 2, 3, 3] = np.nan
    got = average(with_frames(np.full((2, 6), 2), signal), "direction")
    assert np.isnan(got.signal.values[:, 1, 1]).all()
    assert np.isnan(got.signal.values[2, 3, 3])
    assert np.isfinite(got.signal.values).sum() == 6 * 20 - 7


def test_errors_of_an_average_follow_the_weights():
    error = np.stack([np.full((6, 7), 3.0), np.full((6, 7), 4.0)])
    got = average(site_sweep(signal=np.ones((2, 6, 7)), error=error, coords={"direction": ["up", "down"]}), "direction")
    assert got.signal_err.values == pytest.approx(2.5)


@pytest.mark.parametrize("dim", ["frequency", "x", "sweep", "truth_site"])
def test_average_names_the_dimensions_there_are(dim):
    data = sweep(signal=np.ones((2, 6, 4, 5)), coords={"direction": ["up", "down"]})
    data["truth_wire_field"] = (("truth_site", "truth_component"), np.zeros((4, 3)), {"units": "T"})
    with pytest.raises(LayoutError, match="direction"):
        average(data, dim)


def test_frames_without_the_variable_are_those_of_the_attribute():
    assert frames(sweep(frames=7)).values.tolist() == [7] * 6
    assert frames(sweep()).values.tolist() == [1] * 6


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sweep(signal=np.ones((6, 4))), "signal has shape"),
        (lambda: sweep(signal=np.ones((0, 4, 5)), frequency=[]), "signal has shape"),
        (lambda: sweep(signal=np.ones((7, 4, 5))), "shapes do not fit.*frequency"),
        (lambda: sweep(signal=np.ones((6, 4, 5)) * 1j), "signal has dtype complex"),
        (lambda: sweep(signal=np.full((6, 4, 5), "x")), "signal has dtype"),
        (lambda: sweep(signal=np.full((6, 4, 5), None)), "signal has dtype object"),
        (lambda: sweep(frequency=F[::-1]), "not ascending"),
        (lambda: sweep(frequency=np.r_[F[:5], F[4]]), "not ascending"),
        (lambda: sweep(frequency=np.r_[F[:5], np.nan]), "frequency.*NaN"),
        (lambda: sweep(frequency=F / 1e9), "frequency.*Hz"),
        (lambda: sweep(frequency=F + 1j), "frequency has dtype"),
        (lambda: sweep(frequency=[str(f) for f in F]), "frequency has dtype"),
        (lambda: sweep(pixel_size=0), "pixel_size"),
        (lambda: sweep(pixel_size=np.nan), "pixel_size"),
        (lambda: sweep(pixel_size="100 nm"), "pixel_size"),
        (lambda: sweep(pixel_size=None), "pixel_size"),
        (lambda: sweep(exposure=-0.1), "exposure"),
        (lambda: sweep(exposure="0.1 s"), "exposure"),
        (lambda: sweep(exposure=[0.1]), "exposure"),
        (lambda: sweep(psf_fwhm=0), "psf_fwhm"),
        (lambda: sweep(frames=2.5), "frames"),
        (lambda: sweep(frames=-1), "frames"),
        (lambda: sweep(bias_field=10e-3), "bias_field"),
        (lambda: sweep(bias_field=(0, 0, np.nan)), "bias_field"),
        (lambda: sweep(reference=np.ones((4, 5))), "reference has shape"),
        (lambda: sweep(signal=np.ones((2, 6, 4, 5)), coords={"polarity": [1]}), "polarity"),
        (lambda: site_sweep(x=np.arange(6)), "site"),
        (lambda: site_sweep(x=np.full(7, np.nan)), "'x'"),
        (lambda: site_sweep(error=np.ones((7, 6))), "site"),
        (lambda: vb.make_map(np.ones(3), pixel_size=1e-7), "B has shape"),
        (lambda: vb.make_map(np.ones((3, 0)), pixel_size=1e-7), "B has shape"),
        (lambda: vb.make_map(np.ones((3, 3)) * 1j, pixel_size=1e-7), "B has dtype"),
        (lambda: vb.make_map(np.ones((3, 3)), pixel_size=-1e-7), "pixel_size"),
        (lambda: vb.make_map(np.ones((3, 3)), pixel_size=1e-7, component="c"), "component"),
        (lambda: vb.make_map(np.ones((3, 3)), pixel_size=1e-7, error=np.ones(3)), "error has shape"),
        (lambda: make_site_map(np.ones(6), sites=site_sweep()), "B has shape"),
        (lambda: make_site_map(np.ones(6), sites=sweep()), "'row'"),
    ],
)
def test_nothing_broken_is_built(call, words):
    with pytest.raises(LayoutError, match=words):
        call()


def without_units(dataset, name):
    del dataset[name].attrs["units"]
    return dataset


def with_units(dataset, name, units):
    dataset[name].attrs["units"] = units
    return dataset


def complex_signal():
    dataset = sweep()
    dataset["signal"] = dataset.signal.astype(complex)
    dataset.signal.attrs["units"] = "electron"
    return dataset


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda: xr.Dataset(), "schema"),
        (lambda: sweep().assign_attrs(schema="vbsense.sweep/9"), "schema"),
        (lambda: sweep().drop_vars("signal"), "'signal'"),
        (lambda: without_units(sweep(), "signal"), "'signal' has no units"),
        (lambda: without_units(sweep(), "frequency"), "'frequency' has no units"),
        (lambda: without_units(sweep(), "x"), "'x' has no units.*'m'"),
        (lambda: with_units(sweep(), "signal", "counts"), "signal has units 'counts'"),
        (lambda: with_units(sweep(), "frequency", "GHz"), "'frequency' has units 'GHz'"),
        (lambda: with_units(sweep(), "y", "um"), "'y' has units 'um'"),
        (lambda: with_units(sweep(reference=np.ones((6, 4, 5))), "reference", "counts"), "reference has units"),
        (lambda: with_units(site_sweep(error=np.ones((6, 7))), "signal_err", "1"), "signal_err has units"),
        (lambda: sweep().transpose("y", "x", "frequency"), "signal has dimensions"),
        (lambda: sweep().transpose("frequency", "x", "y"), "signal has dimensions"),
        (lambda: sweep().isel(y=0), "signal has dimensions"),
        (lambda: sweep().isel(frequency=0), "signal has dimensions"),
        (lambda: sweep().isel(frequency=slice(0)), "frequency"),
        (lambda: sweep().isel(frequency=slice(None, None, -1)), "frequency is not ascending"),
        (lambda: sweep().drop_vars("frequency"), "'frequency'"),
        (lambda: sweep().drop_vars("x"), "'x'"),
        (lambda: sweep().isel(y=slice(None, None, -1)), "'y' is not ascending"),
        (lambda: sweep().assign(signal=sweep().signal.astype(int).assign_attrs(units="electron")), "dtype int64"),
        (complex_signal, "signal has dtype complex"),
        (lambda: sweep().assign_attrs(exposure=-1.0), "exposure"),
        (lambda: sweep().assign_attrs(exposure=np.nan), "exposure"),
        (lambda: sweep().assign_attrs(frames="many"), "frames"),
        (lambda: sweep().assign_attrs(bias_field=[0, 0]), "bias_field"),
        (lambda: sweep().assign(reference=sweep().signal.isel(frequency=0, drop=True)), "reference has dimensions"),
        (lambda: site_sweep().drop_vars("row"), "'row'"),
        (lambda: fit().drop_vars("flags"), "'flags'"),
        (lambda: fit().drop_vars("reduced_chi2"), "'reduced_chi2'"),
        (lambda: fit().drop_vars(["center_lower_err", "center_upper_err"]), "_err"),
        (lambda: fit().assign(center_lower=fit().center_lower.T), "center_lower has dimensions"),
        (lambda: with_units(fit(), "center_lower_err", "MHz"), "center_lower_err has units 'MHz'"),
        (lambda: fit().assign(flags=fit().flags.astype(float).assign_attrs(units="1")), "flags has dtype"),
        (lambda: field().drop_vars("B"), "'B'"),
        (lambda: with_units(field(), "B", "uT"), "B has units 'uT'"),
        (lambda: with_units(field(), "B_err", "uT"), "B_err has units 'uT'"),
        (lambda: field().transpose("y", "x", "component"), "B has dimensions"),
        (lambda: field().isel(component=0), "B has dimensions"),
        (lambda: field().assign_coords(component=["c"]), "components"),
        (lambda: field().drop_vars("y"), "'y'"),
    ],
)
def test_a_broken_dataset_is_refused_by_name(broken, words):
    with pytest.raises(LayoutError, match=words):
        check(broken())


def test_a_dataset_of_another_kind_is_refused():
    with pytest.raises(LayoutError, match="a fit is needed"):
        require(sweep(), "fit")
    with pytest.raises(TypeError, match=r"xarray\.Dataset"):
        require(np.ones(3), "sweep")
