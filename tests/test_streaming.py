"""Sweeps in blocks: the same in memory and in a file, on any number of threads; nothing half-done is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vbsense as vb
from vbsense import files, sims
from vbsense.sims import blockwise, framewise
from vbsense.sims.camera import Camera, camera_preset
from vbsense.storage import durable
from vbsense.storage.blocks import blocks, chunks
from vbsense.storage.ordered import in_order

resource = pytest.importorskip("resource")  # limits of a process; not on Windows

F = np.linspace(3.2e9, 3.7e9, 7)
ROOT = Path(durable.__file__).parents[2]


@dataclass(frozen=True)
class Stripes:
    """A dip that moves along x and follows the current, on light that grows along y; written out, nothing computed."""

    shape: tuple[int, int] = (40, 70)
    camera: Any = field(default_factory=lambda: Camera(gain=0.7, read_noise=3.0))
    pixel_size: float = 1e-7
    recipe: Any = None
    light: float = 3e4
    calls: list[Any] = field(default_factory=list, compare=False)

    @property
    def attributes(self) -> dict[str, Any]:
        return {"user_note": "stripes"}

    def prepare(self, frequency, *, power, current, temperature=None) -> None:
        self.calls.append(("prepare", threading.current_thread().name, tuple(frequency), current))

    def block_rates(
        self, frequency, rows, columns, *, power, current, laser=1.0, temperature=None, shift=(0.0, 0.0)
    ) -> np.ndarray:
        y = np.arange(self.shape[0])[rows][:, None] + 1
        x = np.arange(self.shape[1])[columns] * self.pixel_size
        shift = np.broadcast_to(shift, (len(frequency), 2))
        out = []
        for f, (along, _) in zip(frequency, shift, strict=True):
            center = 3.3e9 + (x - along) * 3e13 + current * 2e10
            dip = 0 * x if f is None else 0.3 / (1 + ((f - center) / 50e6) ** 2)
            out.append(self.light * np.sqrt(y) * (1 - dip))
        return np.array(out) * np.broadcast_to(laser, len(frequency))[:, None, None]

    def rate(self, frequency, **state) -> np.ndarray:
        return self.block_rates([frequency], slice(None), slice(None), **state)[0]

    def expose(self, rate, seconds, rng) -> np.ndarray:
        return self.camera.expose(rate, seconds, rng)

    def truth(self, current) -> dict[str, Any]:
        return {"truth_center": (("truth_x",), 3.3e9 + np.arange(self.shape[1]) * 3e6 + current * 2e10, "Hz")}


class Whole:
    """The least that a scene must have: no blocks, noise of its own."""

    shape, pixel_size, recipe = (5, 6), 1e-7, None
    camera = SimpleNamespace(gain=2.0, offset=10.0, read_noise=0.0, maximum=60000)

    def __init__(self) -> None:
        self.asked: list[Any] = []

    @property
    def attributes(self) -> dict[str, Any]:
        return {}

    def rate(self, frequency, *, power, current, laser=1.0, temperature=None, shift=(0.0, 0.0)) -> np.ndarray:
        self.asked.append((frequency, current, laser, shift))
        return np.full(self.shape, 1e4 if frequency is None else frequency / 1e6) * laser

    def expose(self, rate, seconds, rng) -> np.ndarray:
        return np.rint(rate * seconds / 2 + 10 + rng.integers(0, 3, self.shape)).astype(np.uint16)


def simulate(scene: Any, frequency: Any = F, **arguments: Any) -> xr.Dataset:
    return sims.simulate_sweep(scene, frequency, **({"exposure": 0.05, "rng": 1} | arguments))


def same_images(one: xr.Dataset, other: xr.Dataset) -> bool:
    names = [name for name in ("signal", "reference") if name in one]
    return all(one[n].values.tobytes() == other[n].values.tobytes() for n in names) and one.sizes == other.sizes


# --- one result -------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
    st.integers(1, 3),
    st.integers(1, 5),
)
def test_memory_and_file_hold_the_same_bytes_on_any_number_of_threads(
    tmp_path: Path, shape: Any, nf: int, pair: bool, reference: bool, averages: int, threads: int
) -> None:
    scene = Stripes(shape)
    measured = {"averages": averages, "reference": reference, "currents": (1e-3, -1e-3) if pair else None}
    memory = simulate(scene, F[:nf], **measured, threads=1)
    with simulate(scene, F[:nf], **measured, threads=threads, path=tmp_path / "a.h5", overwrite=True) as stored:
        assert same_images(memory, stored)
        assert list(stored.data_vars) == list(memory.data_vars)
        assert stored.drop_attrs(deep=False).identical(memory.drop_attrs(deep=False))
        added = {"created"}
        assert set(stored.attrs) - added == set(memory.attrs) - added
    assert same_images(memory, files.load(tmp_path / "a.h5"))


@pytest.mark.parametrize("scene", [sims.gold_wire_nanoarray(rows=3, columns=4), Whole()])
def test_all_scenes_can_be_streamed(scene: Any, tmp_path: Path) -> None:
    memory = simulate(scene, reference=True)
    with simulate(scene, reference=True, path=tmp_path / "a.h5") as stored:
        assert same_images(memory, stored)


def test_a_checksum_does_not_tell_how_a_file_was_made(tmp_path: Path) -> None:
    streamed, saved = tmp_path / "streamed.h5", tmp_path / "saved.h5"
    simulate(Stripes(), path=streamed, threads=2).close()
    files.save(simulate(Stripes()), saved)
    found = [files.summary(path, verify=True) for path in (streamed, saved)]
    assert found[0]["sha256"] == found[1]["sha256"]
    assert [f["sha256_ok"] for f in found] == [True, True]


def test_seeds_as_in_spec_7() -> None:
    scene = Stripes((4, 5))
    one = simulate(scene, rng=3)
    for same in (3, np.random.default_rng(3), np.random.SeedSequence(3), [3]):
        assert same_images(one, simulate(scene, rng=same))
    rng = np.random.default_rng(3)
    assert same_images(one, simulate(scene, rng=rng))
    for other in (4, rng, None, [3, 1]):
        assert not same_images(one, simulate(scene, rng=other))


def test_frequencies_in_several_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    frequency = np.linspace(3e9, 4e9, 23)
    monkeypatch.setattr(blockwise, "STEP", 10)
    scene = Stripes((6, 5), Camera(read_noise=0.0, dark_current=0.0, gain=1.0), light=1e7)
    sweep = simulate(scene, frequency)
    clean = np.array([scene.rate(f, power=15.0, current=0.0) for f in frequency]) * 0.05
    pull = (sweep.signal.values - np.minimum(clean, 65435)) / np.sqrt(clean)
    assert abs(pull).max() < 6
    assert [len(call[2]) for call in scene.calls] == [10, 10, 3]


# --- the right noise --------------------------------------------------------------------------------------------------


def test_mean_and_variance_are_those_of_light_and_camera() -> None:
    scene, averages = Stripes((70, 66), Camera(gain=0.7, read_noise=30.0, dark_current=500.0)), 3
    sweep = simulate(scene, averages=averages, currents=(1e-3, -1e-3), reference=True)
    for name in ("signal", "reference"):
        for polarity, current in enumerate((1e-3, -1e-3)):
            points = F if name == "signal" else [None] * F.size
            light = np.array([scene.rate(f, power=15.0, current=current) for f in points]) * 0.05 + 25
            pull = (sweep[name].values[polarity] - light) / np.sqrt((light + 900 + 0.7**2 / 12) / averages)
            assert abs(pull.mean()) < 4.5 / np.sqrt(pull.size)
            assert pull.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * pull.size))


def test_no_two_parts_share_their_noise() -> None:
    scene = Stripes((64, 64), Camera(dark_current=0.0), light=0.0)
    sweep = simulate(scene, currents=(1e-3, -1e-3), reference=True)
    parts = [
        sweep[name].values[p, :, y : y + 32, x : x + 32].ravel()
        for name in ("signal", "reference") for p in (0, 1) for y in (0, 32) for x in (0, 32)
    ]  # fmt: skip
    correlation = np.corrcoef([*parts, simulate(scene, rng=2).signal.values[:, :32, :32].ravel()])
    assert abs(correlation - np.eye(len(correlation))).max() < 5 / np.sqrt(parts[0].size)


def test_blocks_see_their_piece_of_the_sensor() -> None:
    camera = Camera(response_spread=0.2, read_noise=0.0, seed=9, full_well=1e9, gain=10.0)
    scene = Stripes((50, 70), camera, light=1e6)
    frame = camera.expose(np.full((30, 50, 70), 2e6), 0.05, np.random.default_rng(5)).mean(0) * 10.0
    sweep = simulate(scene, averages=30, reference=True)
    flat = sweep.reference.mean("frequency").values / np.sqrt(np.arange(50)[:, None] + 1)
    assert np.corrcoef(flat.ravel(), frame.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("name", ["emccd", "apd", "scmos"])
def test_a_sweep_says_what_its_camera_does(name: str) -> None:
    camera = camera_preset(name)
    sweep = simulate(Stripes((8, 9), camera, light=1e3))
    excess = {"emccd": 2.0, "apd": 1.005 / 0.995, "scmos": 1.0}[name]
    assert sweep.attrs.get("excess_noise", 1.0) == pytest.approx(excess)
    assert sweep.attrs.get("dead_time") == (40e-9 if name == "apd" else None)
    assert sweep.attrs["camera_gain"] == camera.gain
    if name == "scmos":
        assert sweep.attrs["read_noise"] == pytest.approx(camera.read_noise * np.exp(0.36))


# --- scenes -----------------------------------------------------------------------------------------------------------


def test_a_scene_prepares_before_its_blocks_are_asked_for() -> None:
    scene = Stripes()
    simulate(scene, currents=(1e-3, -1e-3), reference=True, threads=3)
    assert {call[1] for call in scene.calls} == {threading.main_thread().name}
    assert {call[2:] for call in scene.calls} == {
        (f, current) for f in (tuple(F.tolist()), (None,)) for current in (1e-3, -1e-3)
    }


def test_the_truth_comes_from_the_scene(tmp_path: Path) -> None:
    sweep = simulate(Stripes(), currents=(2e-3, -2e-3))
    assert sweep.truth_center.dims == ("truth_x",)
    assert sweep.truth_center.attrs["units"] == "Hz"
    assert sweep.truth_center.values[0] == 3.34e9
    with simulate(Stripes(), path=tmp_path / "a.h5") as stored:
        assert stored.truth_center.values[0] == 3.3e9


def test_whole_pictures_are_computed_once() -> None:
    scene = Whole()
    sweep = simulate(scene, averages=50, reference=True, currents=(1e-3, -1e-3), exposure=0.1)
    assert [a[:2] for a in scene.asked] == [
        *((f, c) for c in (1e-3, -1e-3) for f in F), (None, 1e-3), (None, -1e-3)
    ]  # fmt: skip
    assert sweep.signal.mean(("polarity", "y", "x")).values == pytest.approx(F / 1e7 + 2, abs=1.5)
    assert sweep.reference.values.mean() == pytest.approx(1002, abs=1.5)


def test_a_sweep_that_would_have_to_be_built_whole_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framewise, "LIMIT", 4 * 30 * F.size - 1)
    with pytest.raises(ValueError, match=r"Whole has no block_rates .* fewer pixels or frequencies"):
        simulate(Whole())
    simulate(Stripes((30, 30)))


# --- drift ------------------------------------------------------------------------------------------------------------


class Fade:
    """The laser fades and the stage creeps; the times are kept."""

    def __init__(self) -> None:
        self.t: Any = None

    def laser(self, t: np.ndarray) -> np.ndarray:
        self.t = t
        return np.exp(-t / 10)

    def shift(self, t: np.ndarray) -> np.ndarray:
        return np.stack([t * 1e-7, 0 * t], -1)


def test_a_point_drifts_with_the_time_at_which_it_begins() -> None:
    scene, fade = Stripes((10, 12), Camera(read_noise=0.0, dark_current=0.0, gain=0.5), light=2e5), Fade()
    sweep = simulate(scene, averages=4, currents=(1e-3, -1e-3), reference=True, drift=fade)
    assert fade.t == pytest.approx(np.arange(4 * F.size) * 0.2)
    for p, current in enumerate((1e-3, -1e-3)):
        for k, f in enumerate(F):
            for d, name in enumerate(("signal", "reference")):
                t = ((p * F.size + k) * 2 + d) * 0.2
                state = {"laser": np.exp(-t / 10), "shift": (t * 1e-7, 0.0)}
                light = scene.rate(f if d == 0 else None, power=15.0, current=current, **state) * 0.05
                pull = (sweep[name].values[p, k] - light) / np.sqrt(light / 4)
                assert abs(pull.mean()) < 5 / np.sqrt(pull.size)


def test_whole_pictures_drift_too() -> None:
    scene, fade = Whole(), Fade()
    simulate(scene, drift=fade)
    assert [a[0] for a in scene.asked] == F.tolist()
    assert [a[2] for a in scene.asked] == pytest.approx(np.exp(-np.arange(F.size) * 0.05 / 10))
    assert scene.asked[2][3] == pytest.approx((1e-8, 0.0))


def test_the_drift_of_this_package_will_do() -> None:
    scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    drift = sims.Drift(laser_slope=-0.5, stage=(2e-7, 0.0))
    sweep = simulate(scene, drift=drift, exposure=0.1)
    assert sweep.signal[6].sum() / sweep.signal[0].sum() == pytest.approx(0.7, abs=0.05)
    assert same_images(sweep, simulate(replace(scene, drift=drift), exposure=0.1))


# --- files ------------------------------------------------------------------------------------------------------------


def test_the_file_is_an_ordinary_one(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    memory = simulate(Stripes(), reference=True)
    simulate(Stripes(), reference=True, path=path).close()
    with h5py.File(path) as h5:
        signal = h5["signal"]
        assert signal.chunks == (7, 32, 32)
        assert (signal.compression, signal.shuffle, signal.fletcher32) == ("gzip", True, True)
        assert (signal[...] == memory.signal.values).all()
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        xr.testing.assert_equal(opened.load(), memory)


def test_images_stay_in_the_file_until_asked_for(tmp_path: Path) -> None:
    frequency, path = np.linspace(3e9, 4e9, 101), tmp_path / "a.h5"
    sweep = simulate(Stripes((64, 96)), frequency, path=path)
    assert not sweep.signal.variable._in_memory
    assert not sweep.isel(y=slice(3), x=4).signal.variable._in_memory
    whole = files.load(path)
    assert (sweep.signal[:, 40:50, 90].values == whole.signal[:, 40:50, 90].values).all()
    assert vb.data.check(sweep) is sweep
    assert not sweep.signal.variable._in_memory
    assert sweep.identical(whole)
    sweep.close()


def test_an_open_sweep_blocks_neither_removal_nor_replacement(tmp_path: Path) -> None:
    frequency, path = np.linspace(3e9, 4e9, 101), tmp_path / "a.h5"
    old = simulate(Stripes((64, 96)), frequency, path=path)
    new = simulate(Stripes((64, 96)), frequency, rng=2, path=path, overwrite=True)
    path.unlink()
    assert old.signal.values.tobytes() == simulate(Stripes((64, 96)), frequency).signal.values.tobytes()
    assert new.signal.values.tobytes() == simulate(Stripes((64, 96)), frequency, rng=2).signal.values.tobytes()
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else None
    old.close()
    new.close()
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before - 2


def test_nothing_is_left_of_a_sweep_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5"
    simulate(Stripes(), path=path).close()
    before, honest = path.read_bytes(), Stripes.block_rates

    def spoiled(self, frequency, rows, columns, **state):
        if columns.start == 64:
            raise RuntimeError("the light went out")
        return honest(self, frequency, rows, columns, **state)

    monkeypatch.setattr(Stripes, "block_rates", spoiled)
    for threads in (1, 3):
        with pytest.raises(RuntimeError, match="the light went out"):
            simulate(Stripes(), path=path, overwrite=True, threads=threads)
        with pytest.raises(RuntimeError, match="the light went out"):
            simulate(Stripes(), threads=threads)
    assert os.listdir(tmp_path) == ["a.h5"]
    assert path.read_bytes() == before


SLOW = """
    import signal, sys, time, numpy as np
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in what runs in the background
    sys.path.insert(0, {tests!r})
    from test_streaming import Stripes, simulate
    class Slow(Stripes):
        def block_rates(self, *given, **state):
            print("block", flush=True)
            time.sleep({pause})
            return super().block_rates(*given, **state)
    simulate(Slow((320, 320)), np.linspace(3e9, 4e9, 101), path={path!r}, overwrite=True)
"""


def run(code: str, **options: Any) -> Any:
    script = textwrap.dedent(code).format(tests=str(Path(__file__).parent), **options)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.parametrize("after", [1, 40])
def test_ctrl_c_leaves_no_file(tmp_path: Path, after: int) -> None:
    path = tmp_path / "a.h5"
    simulate(Stripes(), path=path).close()
    before = path.read_bytes()
    process = run(SLOW, path=str(path), pause=0.02)
    for _ in range(after):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 130, 1)
    assert "KeyboardInterrupt" in error
    assert os.listdir(tmp_path) == ["a.h5"]
    assert path.read_bytes() == before


def test_a_killed_simulation_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    process = run(SLOW, path=str(path), pause=0.02)
    for _ in range(30):
        process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    left = os.listdir(tmp_path)
    assert path.name not in left
    assert [name.startswith(".a.h5.") and name.endswith(".tmp") for name in left] == [True]
    os.utime(tmp_path / left[0], (0, 0))  # long ago: nobody is at work on it
    simulate(Stripes(), path=path).close()
    assert os.listdir(tmp_path) == ["a.h5"]


def test_a_full_disk_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    limited = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    """
    process = run(textwrap.dedent(limited) + textwrap.dedent(SLOW), path=str(tmp_path / "a.h5"), pause=0)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1, error
    assert "OSError" in error.splitlines()[-1]
    assert "free space" in error
    assert out.count("block") < 60  # of 100: it did not go on until the end
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_sweep(tmp_path: Path) -> None:
    code = """
        import resource, sys, numpy as np
        sys.path.insert(0, {tests!r})
        from test_streaming import Stripes, simulate
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        frequency = np.linspace(3e9, 4e9, 101)
        simulate(Stripes((100, 100)), frequency, path={path!r}, threads=2).close()
        before = peak()
        simulate(Stripes((512, 1024)), frequency, path={path!r}, overwrite=True, threads=2).close()
        print(before, peak())
    """
    out, error = run(code, path=str(tmp_path / "a.h5")).communicate(timeout=300)
    before, after = map(float, out.split())
    assert after - before < 60, error  # MB; the sweep has 212


# --- order and blocks -------------------------------------------------------------------------------------------------


def test_results_come_in_order_and_not_too_early() -> None:
    begun: list[int] = []

    def work(k: int) -> int:
        begun.append(k)
        time.sleep(0.002 * (k % 3))
        return k

    taken = 0
    for k in in_order(work, range(40), threads=3):
        assert k == taken
        taken += 1
        assert len(begun) <= taken + 7
    assert taken == 40


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 3))
def test_blocks_cover_every_value_once(rows: int, columns: int, polarities: int) -> None:
    dims, shape = ("polarity", "frequency", "y", "x"), (polarities, 2, rows, columns)
    seen = np.zeros(shape, int)
    for index in blocks(dims, shape, 4):
        assert all(part.start % length == 0 for part, length in zip(index, chunks(dims, shape, 4), strict=True))
        seen[index] += 1
    assert (seen == 1).all()


# --- refusals ---------------------------------------------------------------------------------------------------------


class NoLaser(Stripes):
    def block_rates(self, frequency, rows, columns, *, power, current):  # type: ignore[override]
        return super().block_rates(frequency, rows, columns, power=power, current=current)


class TooSmall(Stripes):
    def block_rates(self, *given, **state):
        return super().block_rates(*given, **state)[:, 1:]


def drift(laser: Any, shift: Any = lambda t: np.zeros((t.size, 2))) -> Any:
    return SimpleNamespace(laser=laser, shift=shift)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"exposure": -1.0}, ValueError, "exposure is -1.0"),
        ({"exposure": "0.1"}, ValueError, "exposure is '0.1'"),
        ({"exposure": None}, ValueError, "exposure is None"),
        ({"averages": 0}, ValueError, "averages is 0"),
        ({"power": np.nan}, ValueError, "power is nan"),
        ({"power": None}, ValueError, "power is None"),
        ({"power": 1e5}, ValueError, "power is 100000.0; it must be a number in dBm from -300 to 100"),
        ({"frequency": F[::-1]}, ValueError, "not ascending"),
        ({"threads": 0}, ValueError, "threads is 0"),
        ({"threads": 1.5}, ValueError, "threads is 1.5"),
        ({"scene": NoLaser(), "drift": Fade()}, ValueError, "NoLaser.block_rates takes no laser and no shift"),
        ({"scene": TooSmall()}, ValueError, r"TooSmall gave \(7, 31, 32\); \(7, 32, 32\) is needed"),
        ({"scene": SimpleNamespace(shape=(3, 3), camera=1)}, TypeError, "no scene: it lacks pixel_size, attributes"),
        ({"scene": Stripes(camera=SimpleNamespace(gain=1))}, TypeError, "the camera of Stripes has no expose"),
        ({"scene": Stripes(light=np.nan)}, ValueError, "rate is .*nan"),
        ({"drift": 3.0}, TypeError, r"drift is 3.0; it needs functions laser\(t\) and shift\(t\)"),
        ({"drift": drift(lambda t: 1.0)}, ValueError, r"drift.laser gave an array \(\) for 7 times"),
        ({"drift": drift(lambda t: t)}, ValueError, "drift.laser reaches 0"),
        ({"drift": drift(np.cosh, lambda t: t)}, ValueError, r"drift.shift gave an array \(7,\)"),
        ({"rng": -1}, ValueError, "negative"),
    ],
)
def test_refusals_say_what_is_wrong(tmp_path: Path, options: Any, error: Any, words: str) -> None:
    given = {"scene": Stripes(), "path": tmp_path / "a.h5"} | options
    with pytest.raises(error, match=words):
        simulate(given.pop("scene"), **given)
    assert os.listdir(tmp_path) == []


def test_a_file_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    path, scene = tmp_path / "a.h5", Stripes()
    path.write_text("kept")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        simulate(scene, path=path)
    with pytest.raises(IsADirectoryError, match="folder"):
        simulate(scene, path=tmp_path)
    with pytest.raises(FileNotFoundError, match="create it first"):
        simulate(scene, path=tmp_path / "no" / "a.h5")
    assert not scene.calls
    assert path.read_text() == "kept"
