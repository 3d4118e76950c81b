"""Sweeps that are larger than memory, on several machines, or not what they should be: same bits, or one clear line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import xarray as xr
from test_fit import PATHOLOGICAL

from vbsense import files
from vbsense.analysis import fit_sweep
from vbsense.analysis._bands import bands_of
from vbsense.cli import fit as fit_command
from vbsense.cli import main
from vbsense.data import LayoutError, average, make_site_sweep, make_sweep
from vbsense.flags import FATAL, FLAGS
from vbsense.groundstate.effective import hamiltonian_model
from vbsense.lineshape import Model, get_model
from vbsense.storage.direct import read_values

ROOT = Path(__file__).resolve().parent.parent
FREQUENCY = np.linspace(3.07e9, 3.87e9, 41)
SATURATED = FLAGS["saturated"].bit


def make(ny=70, nx=40, leading=(2,), seed=0, dtype=np.float32, **attributes):
    """A sweep whose pixels reach from bright to hopeless, so that many fail and are tried again."""
    rng = np.random.default_rng(seed)
    n = int(np.prod(leading, dtype=int)) * ny * nx
    contrast = 0.06 * np.repeat(rng.uniform(0, 1, (n + 8) // 9), 9)[:n]
    columns = [rng.uniform(3e4, 6e4, n), rng.uniform(3.27e9, 3.39e9, n), rng.uniform(3.55e9, 3.67e9, n),
               np.full(n, 120e6), np.full(n, 110e6), contrast, contrast]  # fmt: skip
    light = rng.poisson(get_model("gaussian").evaluate(FREQUENCY, np.stack(columns, -1))).astype(dtype)
    light.reshape(-1, FREQUENCY.size)[:: max(n // 7, 1), 3] = np.nan
    signal = np.moveaxis(light.reshape(*leading, ny, nx, -1), -1, -3)
    names = {"sweep": np.arange(9), "direction": ["up", "down"]}
    coords = {name: values[:k] for (name, values), k in zip(names.items(), leading, strict=False)}
    return make_sweep(signal, FREQUENCY, pixel_size=1e-7, coords=coords, frames=1, **attributes)


@pytest.fixture(scope="module")
def sweep():
    return make()


@pytest.fixture(scope="module")
def stored(sweep, tmp_path_factory):
    """The sweep in a file, in chunks of 32 x 32 pixels."""
    return files.save(sweep, tmp_path_factory.mktemp("large") / "sweep.h5")


@pytest.fixture(scope="module")
def fit(sweep):
    found = fit_sweep(sweep)
    assert (found.flags.values & FATAL > 0).mean() > 0.02  # some fail, which is what the bands must get right
    return found


@pytest.fixture
def small_bands(monkeypatch):
    monkeypatch.setattr("vbsense.analysis._bands.LEAST", 500)
    monkeypatch.setattr("vbsense.storage.lazy.LAZY", 1000)


def assert_same(first, second):
    """Equal to the last bit."""
    assert set(first.variables) == set(second.variables)
    for name in second.variables:
        assert first[name].values.tobytes() == second[name].values.tobytes(), name
    assert first.attrs["evaluations"] == second.attrs["evaluations"]


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_sweep_in_its_file_is_fitted_as_in_memory(stored, fit, threads):
    with files.open_lazy(stored) as lazy:
        assert len(bands_of(lazy.signal)) == 6
        assert_same(fit_sweep(lazy, threads=threads), fit)
        assert not lazy.signal.variable._in_memory


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("budget", [1, 1 << 22])
def test_threads_share_a_large_band(stored, fit, monkeypatch, budget):
    """Two bands, or only one, may be in memory at a time: then all threads read and fit pieces of it."""
    monkeypatch.setattr("vbsense.analysis._bandwise.BUDGET", budget)
    used = set()

    def solve_block(*arguments):
        used.add(threading.current_thread())
        time.sleep(0.002)
        return block(*arguments)

    from vbsense.analysis._task import solve_block as block

    monkeypatch.setattr("vbsense.analysis._task.solve_block", solve_block)
    monkeypatch.setattr("vbsense.analysis._task.BLOCK", 256)
    with files.open_lazy(stored) as lazy:
        assert_same(fit_sweep(lazy, threads=4), fit)
    assert len(used) > 1


@pytest.mark.parametrize(
    ("threads", "points", "expected"), [(1, 101, (1, 1)), (2, 101, (2, 1)), (2, 401, (1, 2)), (16, 101, (5, 4))]
)
def test_bands_at_once_are_bounded_by_memory(threads, points, expected):
    """A picture of 512 x 512 pixels in single precision: of 401 frequencies one band is 26 MB."""
    from vbsense.analysis._bands import Source
    from vbsense.analysis._bandwise import Job

    empty = np.broadcast_to(np.float32(1), (points, 512, 512))
    sweep = make_sweep(empty, np.linspace(3e9, 4e9, points), pixel_size=1e-7)
    plan = SimpleNamespace(signal=np.broadcast_to(np.float32(1), (1, points, 512**2)), error=None)
    job = Job(Source(sweep), plan, None, None, threads=threads)
    assert (job.at_once, job.inside) == expected


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("chunk", [{"y": 32}, {"y": 7, "x": 40}, {"y": 1}, {"frequency": 10}])
def test_dask_arrays_are_fitted_as_in_memory(sweep, fit, chunk):
    pytest.importorskip("dask.array")
    assert_same(fit_sweep(sweep.chunk(chunk)), fit)


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize(
    "options",
    [
        {"noise": "uniform"},
        {"loss": "huber", "noise": "poisson"},
        {"start": {"center_lower": "array"}, "mask": "array"},
        {"covariance": True, "fixed": {"contrast_upper": 0.03}},
        {"precision": "double", "bounds": {"fwhm_lower": (5e7, 3e8)}},
        {"model": "lorentzian+shared_fwhm"},
    ],
)
def test_options_reach_every_band(options):
    sweep = make(30, 20, (2,), seed=3)
    options = dict(options)
    if "mask" in options:
        shape, rng = (2, 30, 20), np.random.default_rng(1)
        places = np.where(rng.random(shape) < 0.5, np.nan, rng.uniform(3.27e9, 3.39e9, shape))
        options |= {"mask": rng.random(shape) < 0.3, "start": {"center_lower": places}}
    banded = sweep.chunk({"y": 9})
    assert_same(fit_sweep(banded, **options), fit_sweep(sweep, **options))


@pytest.mark.usefixtures("small_bands")
def test_given_errors_and_doubles_and_sites():
    sweep = make(40, 30, (), seed=4, dtype=np.float64)
    sweep["signal_err"] = np.sqrt(sweep.signal.clip(1)).assign_attrs(units="electron")
    assert_same(fit_sweep(sweep.chunk({"y": 9})), fit_sweep(sweep))
    n = np.arange(1200)
    light = sweep.signal.values.reshape(FREQUENCY.size, -1)
    sites = make_site_sweep(light, FREQUENCY, x=n % 30, y=n // 30, row=n // 30, column=n % 30, frames=1)
    assert_same(fit_sweep(sites.chunk({"site": 100})), fit_sweep(sites))


def test_precision_does_not_depend_on_where_the_data_lie():
    """More than 20 000 spectra in float64: a look at the signal decides."""
    light = np.broadcast_to(np.float64(1e4), (5, 150, 150))
    for level, precision in ((1.0, "float32"), (1e6, "float64")):
        sweep = make_sweep(light * level, FREQUENCY[:5], pixel_size=1e-7, frames=1)
        for one in (sweep, sweep.chunk({"y": 50})):
            assert fit_sweep(one, "lorentzian1").attrs["precision"] == precision


def test_the_bands_keep_to_chunks_and_to_a_size(monkeypatch, sweep):
    signal = sweep.signal.isel(sweep=0)
    edges = [(b.first, b.last) for b in bands_of(signal.chunk({"y": (17, 30, 23)}))]
    assert edges == [(0, 70)]
    monkeypatch.setattr("vbsense.analysis._bands.LEAST", 800)
    assert [(b.first, b.last) for b in bands_of(signal.chunk({"y": (17, 30, 23)}))] == [(0, 47), (47, 70)]
    monkeypatch.setattr("vbsense.analysis._bands.MOST", 10 * 40 * 41 * 4)
    bands = bands_of(sweep.signal)
    assert max(b.last - b.first for b in bands) == 10
    assert [n for b in bands for n in range(b.spectra.start, b.spectra.stop)] == list(range(2 * 2800))


@pytest.mark.usefixtures("small_bands")
def test_results_in_a_file(stored, sweep, tmp_path):
    whole = fit_sweep(sweep, covariance=True)
    with files.open_lazy(stored) as lazy, fit_sweep(lazy, covariance=True, out=tmp_path / "fit.h5") as found:
        assert_same(found, whole)
    assert os.listdir(tmp_path) == ["fit.h5"]
    read = files.load(tmp_path / "fit.h5")
    assert read.center_lower.identical(whole.center_lower)
    with pytest.raises(FileExistsError, match=r"fit\.h5 exists"):
        fit_sweep(sweep, out=tmp_path / "fit.h5")


@pytest.mark.usefixtures("small_bands")
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("model", ["gaussian", "hyperfine14", "hamiltonian"])
def test_pathological_spectra_between_good_ones(tmp_path, model, precision):
    """In bands and into a file: good neighbours lend no pathological spectrum a number, and none spoils a good one."""
    kinds, rows = len(PATHOLOGICAL), [1, 31, 32, 40]  # on both sides of the edge of a band
    rng = np.random.default_rng(3)
    clean = get_model("gaussian").evaluate(FREQUENCY, [1e5, 3.2e9, 3.74e9, 1.5e8, 1.5e8, 0.2, 0.2])
    signal = rng.poisson(np.broadcast_to(clean[:, None, None], (41, 44, kinds))).astype(float)
    good = make_sweep(signal, FREQUENCY, pixel_size=1e-7, frames=1)
    bad = good.copy(deep=True)
    for k, make_one in enumerate(PATHOLOGICAL.values()):
        bad.signal[:, rows, k] = np.broadcast_to(np.asarray(make_one(FREQUENCY))[:, None], (41, len(rows)))
    path = files.save(bad, tmp_path / "sweep.h5")
    with files.open_lazy(path) as lazy, fit_sweep(lazy, model, precision=precision, out=tmp_path / "fit.h5") as fit:
        fit.load()
    assert_same(fit, fit_sweep(bad, model, precision=precision))
    flags = fit.flags.values[rows]
    names = [name for name in fit.data_vars if f"{name}_err" in fit]
    values = np.stack([fit[name].values[rows] for name in names])
    for k, kind in enumerate(PATHOLOGICAL):
        assert (flags[:, k] > 0).all(), (kind, values[:, :, k])
        assert (((flags[:, k] & FATAL) > 0) == np.isnan(values[:, :, k]).all(0)).all(), kind
    others = np.setdiff1d(np.arange(44), rows)
    expected = fit_sweep(good, model, precision=precision)
    for name in names:
        assert fit[name].values[others].tobytes() == expected[name].values[others].tobytes()


def test_nothing_is_left_after_an_error(stored, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("stop")

    monkeypatch.setattr("vbsense.analysis._bandwise.Retry", fail)
    with files.open_lazy(stored) as lazy, pytest.raises(RuntimeError, match="stop"):
        fit_sweep(lazy, out=tmp_path / "fit.h5")
    assert os.listdir(tmp_path) == []


def test_progress_is_shown(stored, capsys):
    with files.open_lazy(stored) as lazy:
        fit_sweep(lazy.isel(sweep=[0], y=slice(0, 32)), progress=True)
    assert "100%" in capsys.readouterr().err


@pytest.mark.usefixtures("small_bands")
def test_the_command_reads_large_files_band_by_band(tmp_path, monkeypatch, capsys):
    sweep = make(40, 30, (2, 2), seed=5)
    files.save(sweep, tmp_path / "sweep.h5")
    monkeypatch.setattr(fit_command, "LARGE", 1000)
    arguments = ["fit", str(tmp_path / "sweep.h5"), "--model", "lorentzian", "--threads", "2"]
    assert main(arguments) == 0
    assert "fits without a flag" in capsys.readouterr().out
    assert main(arguments) == 2
    assert main([*arguments, "--force"]) == 0
    assert_same(files.load(tmp_path / "fit.h5"), fit_sweep(average(sweep, "direction"), "lorentzian"))
    assert sorted(os.listdir(tmp_path)) == ["fit.h5", "sweep.h5"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16])
def test_chunks_are_read_as_hdf5_reads_them(tmp_path, dtype):
    values = np.random.default_rng(0).integers(0, 60_000, (2, 7, 70, 50)).astype(dtype)
    sweep = make_sweep(values.astype(np.float32), FREQUENCY[:7], pixel_size=1e-7, coords={"sweep": [0, 1]})
    sweep["other"] = (sweep.signal.dims, values, {"units": "1"})
    files.save(sweep, tmp_path / "sweep.h5")
    monkey = pytest.MonkeyPatch()
    monkey.setattr("vbsense.storage.lazy.LAZY", 1000)
    with files.open_lazy(tmp_path / "sweep.h5") as lazy:
        monkey.undo()
        for index in (
            {}, {"sweep": 1}, {"y": slice(31, 34), "x": slice(60, None)}, {"sweep": [1], "y": slice(0, 64)},
            {"y": 69, "x": slice(10, 33)}, {"frequency": slice(2, 3), "x": slice(49, 2)}, {"x": slice(0, 50, 3)},
        ):  # fmt: skip
            part = lazy.other.isel(index).variable
            np.testing.assert_array_equal(read_values(part), sweep.other.isel(index).values)
            np.testing.assert_array_equal(read_values(part, threads=3), sweep.other.isel(index).values)
        part = lazy.other.isel(y=slice(3, 40)).variable
        assert read_values(part).shape == (2, 7, 37, 50)
        assert not part._in_memory  # nothing was kept
    np.testing.assert_array_equal(read_values(sweep.other.variable), values)


def test_a_damaged_chunk_is_no_number(tmp_path):
    """The seal of the file is trusted here, so that its chunks must tell."""
    sweep = make(70, 100, ())
    path = files.save(sweep, tmp_path / "sweep.h5")
    with h5py.File(path) as file:
        info = file["signal"].id.get_chunk_info(3)
    content = bytearray(path.read_bytes())
    content[info.byte_offset + info.size // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(LayoutError, match="its seal does not fit"):
        files.open_lazy(path)
    with files.open_lazy(path, sealed=False) as lazy, pytest.raises(OSError, match=r"signal at .* is damaged"):
        fit_sweep(lazy)


STACK = ROOT / "benchmarks" / "stack.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read with the resource module")
def test_memory_stays_small(tmp_path):
    """A stack of 0.5 GB takes no more memory on top of an empty process than bands and results do."""
    done = subprocess.run(
        [sys.executable, str(STACK), "--gigabytes", "0.5", "--points", "401", "--folder", str(tmp_path), "--json"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert result["same"]
    assert result["peak_bytes"] < 0.55 * 2**30
    assert os.listdir(tmp_path) == []


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, env={"PYTHONPATH": str(ROOT)}
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.usefixtures("small_bands")
def test_two_processes_give_the_same(stored, sweep, fit, client):
    with files.open_lazy(stored) as lazy:
        assert_same(fit_sweep(lazy, client=client), fit)
    assert_same(fit_sweep(sweep, client=client), fit)
    assert_same(fit_sweep(sweep.chunk({"y": 20}), client=client), fit)
    assert len(client.nthreads()) == 2


@pytest.mark.usefixtures("small_bands")
def test_options_travel(client):
    sweep = make(30, 20, (2,), seed=3)
    sweep["signal_err"] = np.sqrt(sweep.signal.clip(1)).assign_attrs(units="electron")
    places = np.random.default_rng(1).uniform(3.27e9, 3.39e9, (2, 30, 20))
    for options in ({"model": "hamiltonian"}, {"start": {"center_lower": places}, "covariance": True}):
        assert_same(fit_sweep(sweep, client=client, **options), fit_sweep(sweep, **options))


def test_a_saturated_limit_holds_on_a_cluster(client):
    sweep = make(20, 30, (), saturation=255, camera_offset=100.0, camera_gain=350.0)
    assert_same(fit_sweep(sweep, client=client), fit_sweep(sweep))


def test_models_that_cannot_travel_are_refused(client):
    lock = threading.Lock()
    plain = get_model("gaussian1")

    def locked(*arguments):
        with lock:
            return plain.function(*arguments)

    own = Model("locked", plain.parameters, plain.units, locked, plain.kernel, plain.positions, plain.bounds)
    with pytest.raises(ValueError, match="'locked' cannot be sent to other processes"):
        fit_sweep(make(4, 4, ()), own, client=client)


def test_other_clients_are_refused():
    with pytest.raises(TypeError, match=r"give a dask\.distributed\.Client"):
        fit_sweep(make(4, 4, ()), client="127.0.0.1:8786")


def test_saturated_pixels_are_flagged():
    sweep = make(6, 8, ())
    clean = fit_sweep(sweep)
    sweep["saturated"] = (("y", "x"), np.eye(6, 8, dtype=np.uint8), {"units": "1"})
    for one in (sweep, sweep.chunk({"y": 2})):
        found = fit_sweep(one)
        np.testing.assert_array_equal(found.flags.values & SATURATED > 0, np.eye(6, 8, dtype=bool))
        np.testing.assert_array_equal(found.flags.values & ~np.uint16(SATURATED), clean.flags.values)
        assert found.center_lower.equals(clean.center_lower)


def test_saturation_at_one_frequency_or_of_one_plane_counts():
    sweep = make(6, 8, (2,))
    counts = np.zeros((2, FREQUENCY.size, 6, 8), np.uint8)
    counts[1, 5, 2, 3] = 1
    sweep["saturated"] = (sweep.signal.dims, counts, {"units": "1"})
    flagged = fit_sweep(sweep).flags.values & SATURATED > 0
    assert np.argwhere(flagged).tolist() == [[1, 2, 3]]


def test_the_largest_count_of_the_camera_tells():
    sweep = make(6, 8, (), camera_gain=2.0, camera_offset=100.0)
    limit = float(sweep.signal.max()) / 2 + 100
    flagged = fit_sweep(sweep.assign_attrs(saturation=limit)).flags.values & SATURATED > 0
    assert flagged.sum() == 1
    assert not (fit_sweep(sweep.assign_attrs(saturation=limit + 1)).flags.values & SATURATED).any()
    del sweep.attrs["camera_gain"]
    with pytest.raises(LayoutError, match="it needs 'camera_gain'"):
        fit_sweep(sweep.assign_attrs(saturation=limit))


def test_a_fit_says_which_hamiltonian(tmp_path):
    drive = (0.0, 1.0, 0.0)
    sweep = make(2, 3, (), drive=drive)
    fit = fit_sweep(sweep, "hamiltonian")
    files.save(fit, tmp_path / "fit.h5")
    read = files.load(tmp_path / "fit.h5")
    assert (read.attrs["model"], read.attrs["defect"]) == ("hamiltonian", "VB14N")
    again = hamiltonian_model(drive=read.attrs["drive"], frequency=read.attrs["frequency"])
    assert np.array_equal(again.constants, hamiltonian_model(drive=drive, frequency=FREQUENCY).constants)
    turning = hamiltonian_model(drive=(1, 1j, 0), frequency=FREQUENCY)
    fit = fit_sweep(sweep, turning)
    files.save(fit, tmp_path / "turning.h5")
    drive = files.load(tmp_path / "turning.h5").attrs["drive"]
    assert drive.tolist() == [1, 0, 0, 0, 1, 0]
    assert_same(fit_sweep(sweep.assign_attrs(drive=drive), "hamiltonian"), fit)
    with pytest.raises(LayoutError, match="3 numbers"):
        fit_sweep(sweep.assign_attrs(drive=[1.0, 0.0]), "hamiltonian")


def frequencies(values, units="Hz"):
    return lambda s: s.assign_coords(frequency=("frequency", values, {"units": units}))


def signal(change):
    """A sweep whose signal is `change` of what it was."""
    return lambda s: s.assign(signal=change(s.signal).assign_attrs(units="electron"))


REFUSED = {
    "descending": (lambda s: s.isel(frequency=slice(None, None, -1)), "sort it, and the signal with it"),
    "shuffled": (lambda s: s.isel(frequency=np.roll(np.arange(41), 3)), "not ascending"),
    "twice": (frequencies(np.repeat(FREQUENCY, 2)[:41]), "points of the same frequency"),
    "GHz": (frequencies(FREQUENCY / 1e9), r"3.47 GHz is 3.47e9"),
    "labelled GHz": (frequencies(FREQUENCY / 1e9, "GHz"), "must be in 'Hz'"),
    "frequency NaN": (frequencies(np.where(FREQUENCY == FREQUENCY[4], np.nan, FREQUENCY)), "NaN"),
    "frequency text": (lambda s: s.assign_coords(frequency=[str(f) for f in FREQUENCY]), "real numbers in Hz"),
    "no frequency": (lambda s: s.drop_vars("frequency"), "no coordinate 'frequency'"),
    "counts": (signal(lambda v: v.fillna(0).astype(np.uint16)), "float32 or float64"),
    "complex": (signal(lambda v: v + 0j), "float32 or float64"),
    "unit of signal": (lambda s: s.assign(signal=s.signal.assign_attrs(units="count")), "'electron'"),
    "no unit": (lambda s: s.assign(signal=s.signal.assign_attrs(units=None)), "no units"),
    "swapped axes": (lambda s: s.transpose("y", "x", "frequency"), "dimensions"),
    "negative frames": (lambda s: s.assign_attrs(frames=-1), "frames"),
    "frames per pixel": (lambda s: s.assign(frames=(("y", "x"), np.ones((3, 4), int), {"units": "1"})), "frames"),
    "infinite noise": (lambda s: s.assign_attrs(read_noise=np.inf), "read_noise"),
    "excess": (lambda s: s.assign_attrs(excess_noise=0.5), "excess_noise"),
    "saturated": (lambda s: s.assign(saturated=(("z",), np.ones(3, int), {"units": "1"})), "saturated has dimensions"),
    "no sweep": (lambda s: s.assign_attrs(schema="vbsense.fit/1"), "a sweep is needed"),
    "not ours": (lambda s: s.drop_attrs(), "a sweep is needed"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_bad_sweeps_are_refused(kind):
    change, message = REFUSED[kind]
    with pytest.raises(LayoutError, match=message):
        fit_sweep(change(make(3, 4, ())))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "lorenzian"}, "did you mean 'lorentzian'"),
        ({"model": "hamilton"}, "did you mean 'hamiltonian'"),
        ({"start": {"centre_lower": 3.3e9}}, "did you mean 'center_lower'"),
        ({"fixed": {"fwhm_lowr": 1e8}}, "did you mean 'fwhm_lower'"),
        ({"bounds": {"contrast_uper": (0, 1)}}, "did you mean 'contrast_upper'"),
        ({"start": {"center_lower": 3.3}}, "outside its bounds"),
        ({"start": {"center_lower": 3.3e9}, "bounds": {"center_lower": (3.4e9, 3.5e9)}}, "outside its bounds"),
        ({"start": {"fwhm_lower": np.full((3, 4), np.nan)}}, "outside its bounds|finite"),
        ({"bounds": {"center_lower": (3.3, np.nan)}}, "must be below"),
        ({"bounds": {"fwhm_lower": ("narrow", "wide")}}, r"give \(lower, upper\)"),
        ({"fixed": dict.fromkeys(get_model("gaussian").parameters, 1.0)}, "every parameter is fixed"),
        ({"max_iterations": 0}, "at least 1"),
        ({"max_iterations": None}, "whole number"),
        ({"start": {"center_lower": "left"}}, "start value of center_lower is 'left'"),
        ({"threads": 1.5}, "whole number"),
        ({"noise": "poison"}, "poisson"),
        ({"loss": "hubber"}, "huber"),
        ({"mask": np.zeros((3, 4))}, "must be bool"),
        ({"mask": np.zeros((4, 3), bool)}, r"mask has shape \(4, 3\); the fit has \(3, 4\)"),
    ],
)
def test_bad_options_are_refused(options, message):
    for sweep in (make(3, 4, ()), make(3, 4, ()).chunk({"y": 1})):
        with pytest.raises(ValueError, match=message):
            fit_sweep(sweep, **options)


@pytest.mark.parametrize("points", [1, 3, 7])
def test_too_few_frequencies_are_flagged(points):
    fit = fit_sweep(make(3, 4, ()).isel(frequency=slice(10, 10 + points)))
    assert (fit.flags.values & FLAGS["few_points"].bit > 0).sum() >= 11  # of twelve: one is NaN besides
    assert np.isnan(fit.center_lower).all()


def test_all_nan_is_flagged():
    sweep = make(3, 4, ())
    for one in (sweep, sweep.chunk({"y": 1})):
        fit = fit_sweep(one.assign(signal=one.signal * np.nan).assign_coords(sweep.coords).pipe(with_units))
        assert (fit.flags.values == FLAGS["nan_input"].bit).all()
        assert all(np.isnan(fit[name]).all() for name in ("offset", "center_upper_err", "reduced_chi2"))


def test_the_command_says_what_to_do_if_nothing_was_fitted(tmp_path, capsys):
    sweep = make(3, 4, ())
    files.save(with_units(sweep.assign(signal=sweep.signal * np.nan)), tmp_path / "nan.h5")
    files.save(sweep.isel(frequency=slice(0, 3)), tmp_path / "few.h5")
    for name, advice in (("nan", "mend the data"), ("few", "measure more frequencies")):
        assert main(["fit", str(tmp_path / f"{name}.h5"), "--out", str(tmp_path / "fit.h5"), "--force"]) == 0
        said = capsys.readouterr().out
        assert "0 of 12 fits without a flag" in said
        assert advice in said
    assert main(["map", str(tmp_path / "fit.h5"), "--correction", "none"]) == 2
    assert "the bias is not known" in capsys.readouterr().err


def with_units(sweep):
    return sweep.assign(signal=sweep.signal.assign_attrs(units="electron"))


def test_integers_do_not_overflow():
    """A sum of uint16 wraps at 65535: frames become electrons in float32 before anything is added."""
    counts = np.full((41, 3, 4), 60_000, np.uint16)
    two = make_sweep(np.stack([counts, counts]), FREQUENCY, pixel_size=1e-7, coords={"sweep": [0, 1]}, frames=200)
    two["frames"] = (("sweep", "frequency"), np.full((2, 41), 200, np.uint8), {"units": "1"})
    mean = average(two, "sweep")
    assert (mean.signal == 60_000).all()
    assert mean.attrs["frames"] == 400


@pytest.mark.filterwarnings("ignore:.*no checksum")
def test_integers_in_a_file_are_refused(tmp_path):
    sweep = make(3, 4, ())
    sweep["signal"] = sweep.signal.fillna(0).astype(np.uint16)
    with pytest.raises(LayoutError, match="signal has dtype uint16"):
        files.save(sweep, tmp_path / "sweep.h5")
    sweep.to_netcdf(tmp_path / "sweep.h5", engine="h5netcdf")
    for read in (files.load, files.open_lazy):
        with pytest.raises(LayoutError, match="signal has dtype uint16"):
            read(tmp_path / "sweep.h5")


def test_half_precision_and_other_byte_orders_are_read():
    sweep = make(3, 4, ())
    fit = fit_sweep(sweep)
    for dtype in (">f4", ">f8"):
        other = sweep.assign(signal=sweep.signal.astype(dtype))
        for one in (other, other.chunk({"y": 1})):
            assert_same(fit_sweep(one), fit)


def test_the_example_of_several_machines_runs(client):
    """The lines of the docstring, but for the cluster that they start."""
    sweep = make(3, 4, ())
    fit = fit_sweep(sweep, model="gaussian")
    same = fit_sweep(sweep, model="gaussian", client=client)
    assert same.identical(fit)
    assert "client=client)" in (fit_sweep.__doc__ or "")


def test_a_dataset_of_dask_is_not_computed_by_the_checks(sweep):
    dask = pytest.importorskip("dask")
    pytest.importorskip("dask.array")
    seen = []

    def touch(block):
        seen.append(block.shape)
        return block

    lazy = dask.array.from_array(sweep.signal.values, chunks=(1, -1, 32, -1)).map_blocks(touch, dtype=np.float32)
    one = sweep.assign(signal=xr.Variable(sweep.signal.dims, lazy, sweep.signal.attrs)).isel(sweep=[0])
    seen.clear()  # dask asks what a block becomes
    with dask.config.set(scheduler="synchronous"):
        fit_sweep(one)
    assert sorted(seen) == [(1, 41, 6, 40), (1, 41, 32, 40), (1, 41, 32, 40)]
