"""The spool: what was appended survives kills, cuts, flipped bytes and full disks; the sweep made of it is right."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbsense.data import LayoutError
from vbsense.files import load, summary
from vbsense.spool import Key, Spool, finalise, main, read, recover
from vbsense.storage.spool_record import HEAD_BYTES, MAGIC, scan, spool_path

ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills and limits need fork")


def header(points: int = 3, shape: tuple[int, int] = (2, 3), **changes: Any) -> dict[str, Any]:
    return {
        "frequency": np.linspace(3.4e9, 3.5e9, points).tolist(),
        "polarities": [],
        "directions": ["up"],
        "sweeps": 1,
        "shape": list(shape),
        "pixel_size": 1e-7,
        "exposure": 0.01,
        "power": 10.0,
        "current": None,
        "camera_gain": 0.53,
        "camera_offset": 100,
        "read_noise": 1.6,
        "saturation": 65535,
        "order": "palindrome",
        "created": "2026-01-02T03:04:05+00:00",
        "seed": 7,
        "reference": False,
        "attributes": {"bias_field": [0.0, 0.0, 0.01], "sensor_array": {"pitch": 1e-6}},
        "snapshot": {"source": {"power": 10}},
        "plan": {"averages": 2},
    } | changes


def frame(number: int, shape: tuple[int, int] = (2, 3)) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 60000, shape).astype(np.uint16)


def fill(run: Path, keys: list[Key], *, complete: bool | None = True, **changes: Any) -> list[np.ndarray]:
    """A spool with one frame for each key; `complete` None leaves it without an end, as a crash does."""
    frames = [frame(k) for k in range(len(keys))]
    spool = Spool(run, header(**changes), durable=False)
    for k, key in enumerate(keys):
        spool.append(frames[k], key, time=k / 10, counter=k)
    if complete is None:
        spool._release()
    else:
        spool.close(complete)
    return frames


def up(points: int = 3, sweep: int = 0) -> list[Key]:
    return [Key(sweep, 0, 0, k) for k in range(points)]


def frames_of(run: Path) -> dict[int, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return {record.sequence: record.frame for record in read(run)[1] if record.kind == "frame"}


def electrons(*frames: np.ndarray) -> np.ndarray:
    return ((np.mean([f.astype(float) for f in frames], axis=0) - 100) * 0.53).astype(np.float32)


# ------------------------------------------------------------------ writing and reading


keys = st.builds(
    Key, st.integers(0, 2**31 - 1), st.sampled_from([-1, 0, 1]), st.integers(0, 0), st.integers(0, 2), st.integers(0, 1)
)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(keys, st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**32 - 1)),
        max_size=5,
    ),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_everything_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list, shape: tuple) -> None:
    run = tmp_path_factory.mktemp("run")
    with Spool(run, header(shape=shape), durable=False) as spool:
        numbers = [
            spool.append(frame(k, shape), key, time=t, counter=c, flags=f) for k, (key, t, c, f) in enumerate(rows)
        ]
    found, records = read(run)
    assert found == header(shape=shape) | {"shape": list(shape)}
    assert [r.sequence for r in records[:-1]] == numbers
    assert [(r.key, r.time, r.counter, r.flags) for r in records[:-1]] == rows
    assert all(np.array_equal(r.frame, frame(k, shape)) for k, r in enumerate(records[:-1]))
    assert records[-1].content == {"complete": True}


def test_a_growing_spool_can_be_read(tmp_path: Path) -> None:
    with Spool(tmp_path, header()) as spool:
        for k in range(3):
            assert len(read(tmp_path)[1]) == k
            spool.append(frame(k), Key(0, 0, 0, k), time=0.0, counter=k)
    assert [r.kind for r in read(tmp_path)[1]] == ["frame"] * 3 + ["end"]


def test_frames_of_any_memory_layout_are_written_alike(tmp_path: Path) -> None:
    wide = frame(0, (4, 6))
    with Spool(tmp_path, header(), durable=False) as spool:
        for view in (wide[::2, ::2], np.asfortranarray(wide[::2, ::2]), wide[::2, ::2].astype(">u2")):
            spool.append(view.astype(np.uint16, copy=False), Key(0, 0, 0, 0), time=0.0, counter=0)
    assert all(np.array_equal(f, wide[::2, ::2]) for f in frames_of(tmp_path).values())


def test_a_second_spool_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, up())
    before = spool_path(tmp_path).read_bytes()
    with pytest.raises(FileExistsError, match="another folder"):
        Spool(tmp_path, header())
    assert spool_path(tmp_path).read_bytes() == before


@pytest.mark.parametrize(
    ("picture", "key", "error", "message"),
    [
        (np.zeros((2, 3)), Key(0, 0, 0, 0), TypeError, "uint16"),
        (np.zeros((3, 2), np.uint16), Key(0, 0, 0, 0), ValueError, r"\(3, 2\)"),
        (np.zeros((1, 2, 3), np.uint16), Key(0, 0, 0, 0), ValueError, "shape"),
        (frame(0), Key(0, 0, 0, 3), ValueError, "frequency is 3.* 0 to 2"),
        (frame(0), Key(0, 0, 0, -1), ValueError, "frequency"),
        (frame(0), Key(0, 2, 0, 0), ValueError, "polarity"),
        (frame(0), Key(0, 0, 1, 0), ValueError, "direction"),
        (frame(0), Key(-1, 0, 0, 0), ValueError, "sweep"),
        (frame(0), Key(0, 0, 0, 0, 2), ValueError, "drive"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_written(
    tmp_path: Path, picture: np.ndarray, key: Key, error: type[Exception], message: str
) -> None:
    with Spool(tmp_path, header()) as spool:
        before = spool_path(tmp_path).stat().st_size
        with pytest.raises(error, match=message):
            spool.append(picture, key, time=0.0, counter=0)
        assert spool_path(tmp_path).stat().st_size == before


def test_numbers_out_of_range_and_bad_headers_are_refused(tmp_path: Path) -> None:
    with Spool(tmp_path / "a", header()) as spool, pytest.raises(ValueError, match="flags"):
        spool.append(frame(0), Key(0, 0, 0, 0), time=0.0, counter=0, flags=1 << 32)
    with pytest.raises(TypeError, match=r"JSON-able.*tolist"):
        Spool(tmp_path / "b", header(power=np.ones(2)))
    assert not (tmp_path / "b").exists()


def test_an_exception_closes_the_spool_as_incomplete(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Spool(tmp_path, header()) as spool:  # noqa: PT012
        spool.append(frame(0), Key(0, 0, 0, 0), time=0.0, counter=0)
        raise KeyboardInterrupt
    assert read(tmp_path)[1][-1].content == {"complete": False}
    with pytest.raises(ValueError, match="closed"):
        spool.append(frame(0), Key(0, 0, 0, 0), time=0.0, counter=0)
    spool.close(True)  # does nothing
    assert len(read(tmp_path)[1]) == 2


def test_every_append_is_synced_and_only_when_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("vbsense.storage.durable.sync_file", synced.append)
    for durable in (True, False):
        with Spool(tmp_path / str(durable), header(), durable=durable) as spool:
            synced.clear()
            for k in range(3):
                spool.append(frame(k), Key(0, 0, 0, k), time=0.0, counter=k)
            assert len(synced) == (3 if durable else 0)
        assert synced  # the end always is


def test_platforms_without_writev_and_fdatasync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("O_DIRECTORY", "writev", "fdatasync"):
        monkeypatch.delattr(os, name, raising=False)
    frames = fill(tmp_path, up())
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(tmp_path).values(), frames, strict=True))


def test_the_process_of_the_instruments_imports_no_hdf5() -> None:
    code = "import sys, vbsense.spool; print([m for m in ('h5py', 'h5netcdf', 'xarray', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------ disks that fail


def _writev(monkeypatch: pytest.MonkeyPatch, some: Callable[[int, bytes], int]) -> None:
    monkeypatch.setattr(os, "writev", lambda fd, buffers: some(fd, b"".join(buffers)), raising=False)


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    _writev(monkeypatch, lambda fd, data: os.write(fd, data[: rng.integers(1, 40)]))
    frames = fill(tmp_path, up())
    contents = scan(tmp_path)
    assert contents.damage == []
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(tmp_path).values(), frames, strict=True))


@pytest.mark.parametrize("torn", [0, 1, 40, HEAD_BYTES + 5])
def test_a_full_disk_costs_only_the_frame_that_did_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: int
) -> None:
    with Spool(tmp_path, header()) as spool:
        spool.append(frame(0), Key(0, 0, 0, 0), time=0.0, counter=0)
        before = spool_path(tmp_path).read_bytes()
        pieces = [torn] if torn else []

        def full(descriptor: int, data: bytes) -> int:
            if pieces:
                return os.write(descriptor, data[: pieces.pop()])
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            _writev(patch, full)
            with pytest.raises(OSError, match=r"cannot write record 3 .*No space.*free space") as caught:
                spool.append(frame(1), Key(0, 0, 0, 1), time=0.0, counter=1)
        assert caught.value.errno == errno.ENOSPC
        assert spool_path(tmp_path).read_bytes() == before
        assert spool.append(frame(1), Key(0, 0, 0, 1), time=0.0, counter=1) == 3  # there is space again
    assert scan(tmp_path).damage == []
    assert np.array_equal(frames_of(tmp_path)[3], frame(1))


def test_ctrl_c_in_the_middle_of_a_write_leaves_no_torn_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int, data: bytes) -> int:
        os.write(descriptor, data[:50])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Spool(tmp_path, header()) as spool:  # noqa: PT012
        spool.append(frame(0), Key(0, 0, 0, 0), time=0.0, counter=0)
        with monkeypatch.context() as patch:
            _writev(patch, interrupted)
            spool.append(frame(1), Key(0, 0, 0, 1), time=0.0, counter=1)
    contents = scan(tmp_path)
    assert (contents.damage, contents.torn) == ([], 0)
    assert [r.kind for r in contents.records] == ["frame", "end"]
    assert contents.records[1].offset == contents.records[0].end


def test_a_disk_that_is_full_at_the_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        _writev(patch, full)
        with pytest.raises(OSError, match="No space"):
            Spool(tmp_path, header())
    assert os.listdir(tmp_path) == []
    fill(tmp_path, up())


def test_an_error_of_the_disk_does_not_hide_the_first_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ZeroDivisionError) as caught, Spool(tmp_path, header()):  # noqa: PT012
        _writev(monkeypatch, full)
        raise ZeroDivisionError
    assert "could not be closed" in caught.value.__notes__[0]


@posix
@pytest.mark.parametrize("limit", [5_000, 5_001, 7_777])
def test_a_limit_of_the_operating_system_keeps_all_frames(tmp_path: Path, limit: int) -> None:
    import resource

    def work(write: Callable[[int], Any]) -> None:
        with Spool(tmp_path, header(shape=(10, 10))) as spool:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            for k in range(100):
                spool.append(frame(k, (10, 10)), Key(0, 0, 0, 0), time=0.0, counter=k)
                write(k)

    acknowledged, status = child(work)
    assert os.WEXITSTATUS(status) == 1  # OSError, not a signal
    assert 5 < len(acknowledged) < 100
    found = list(frames_of(tmp_path).values())
    assert len(found) == len(acknowledged)
    assert all(np.array_equal(f, frame(k, (10, 10))) for k, f in enumerate(found))
    assert scan(tmp_path).damage == []


# ------------------------------------------------------------------ kills


def child(work: Callable[[Callable[[int], Any]], None], kill_after: float | None = None) -> tuple[list[int], int]:
    """Run `work` in a process, kill -9 it some time after its first word; its words and its status."""
    ours, theirs = os.pipe()
    process = os.fork()
    if process == 0:
        status = 1
        with contextlib.suppress(BaseException):
            os.close(ours)
            work(lambda number: os.write(theirs, number.to_bytes(4, "little")))
            status = 0
        os._exit(status)
    os.close(theirs)
    try:
        words = os.read(ours, 4)
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(process, signal.SIGKILL)
        while data := os.read(ours, 4096):
            words += data
    finally:
        os.close(ours)
        status = os.waitpid(process, 0)[1]
    return [int.from_bytes(words[k : k + 4], "little") for k in range(0, len(words) // 4 * 4, 4)], status


def kill_writers(folder: Path, number: int, seed: int) -> int:
    """Kill writers at random moments; how many were killed in the middle of a record."""
    rng, torn, shape = np.random.default_rng(seed), 0, (256, 256)
    pictures = [frame(k, shape) for k in range(8)]

    for kill in range(number):
        run = folder / f"run{kill}"

        def work(write: Callable[[int], Any], run: Path = run) -> None:
            spool = Spool(run, header(shape=shape))
            for k in range(100_000):
                write(spool.append(pictures[k % 8], Key(k // 3, 0, 0, k % 3), time=0.0, counter=k))

        acknowledged, status = child(work, kill_after=rng.uniform(0, 0.04))
        assert os.WTERMSIG(status) == signal.SIGKILL
        contents = scan(run)
        assert contents.damage == []
        assert len(acknowledged) <= len(contents.records) <= len(acknowledged) + 1
        for k, record in enumerate(contents.records):
            assert (record.sequence, record.counter) == (k + 2, k)
            assert np.array_equal(record.frame, pictures[k % 8])
        torn += contents.torn > 0
        spool_path(run).unlink()
    return torn


@posix
def test_no_frame_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    kill_writers(tmp_path, 15, seed=0)


@posix
@pytest.mark.slow
def test_no_frame_is_lost_in_200_kills(tmp_path: Path) -> None:
    kill_writers(tmp_path, 200, seed=1)


def kill_finalise(folder: Path, number: int, seed: int) -> tuple[int, int]:
    """Kill conversions at random moments; how often there was no file, and how often a verified one."""
    rng = np.random.default_rng(seed)
    run, shape = folder / "run", (120, 120)
    with Spool(run, header(points=20, shape=shape), durable=False) as spool:
        for k in range(20):
            spool.append(frame(k, shape), Key(0, 0, 0, k), time=0.0, counter=k)
    start = time.perf_counter()
    expected = summary(finalise(run, folder / "expected.h5"))["sha256"]
    duration = time.perf_counter() - start
    out, counts = folder / "out.h5", [0, 0]

    def work(write: Callable[[int], Any]) -> None:
        write(1)
        finalise(run, out, remove=False)
        time.sleep(60)

    for _ in range(number):
        child(work, kill_after=rng.uniform(0, 1.5 * duration))
        if out.exists():
            load(out)
            assert summary(out)["sha256"] == expected
        counts[out.exists()] += 1
        assert summary(finalise(run, out, overwrite=True))["sha256"] == expected
        out.unlink()
    return counts[0], counts[1]


@posix
def test_a_killed_conversion_leaves_the_spool_or_a_verified_file(tmp_path: Path) -> None:
    assert sum(kill_finalise(tmp_path, 12, seed=0)) == 12


@posix
@pytest.mark.slow
def test_100_killed_conversions(tmp_path: Path) -> None:
    assert min(kill_finalise(tmp_path, 100, seed=1)) > 0


# ------------------------------------------------------------------ damage


def test_a_spool_cut_at_any_byte_keeps_all_whole_records(tmp_path: Path) -> None:
    frames = fill(tmp_path, up())
    contents, whole = scan(tmp_path), spool_path(tmp_path).read_bytes()
    ends = [record.end for record in contents.records]
    first = contents.records[0].offset  # behind both headers
    for cut in range(len(whole)):
        spool_path(tmp_path).write_bytes(whole[:cut])
        if cut < first // 2:
            with pytest.raises(ValueError, match="header"):
                scan(tmp_path)
            continue
        found = scan(tmp_path)
        assert found.damage == []
        assert len(found.records) == sum(end <= cut for end in ends)
        assert all(np.array_equal(r.frame, f) for r, f in zip(found.records, frames, strict=False) if r.kind == "frame")
        assert (found.torn == 0) == (cut in {first // 2, first, *ends})


def test_any_flipped_byte_names_its_record_and_keeps_the_rest(tmp_path: Path) -> None:
    keys = up()
    keys[1] = Key(0, 0, 0, 1, 0)
    fill(tmp_path, keys)
    sound, whole = scan(tmp_path), spool_path(tmp_path).read_bytes()
    limits = [sound.records[0].offset // 2, *(record.offset for record in sound.records), len(whole)]
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << (place % 8)
        spool_path(tmp_path).write_bytes(data)
        number = sum(place >= limit for limit in limits)  # of the record that holds this byte
        found = scan(tmp_path)
        assert found.header == sound.header
        assert [r for r in sound.records if r.sequence != number] == found.records
        assert any(f"record {number} " in line for line in found.damage), (place, found.damage)
        assert found.torn == 0


def test_lost_bytes_and_foreign_bytes_cost_one_record(tmp_path: Path) -> None:
    fill(tmp_path, up(9), points=9)
    sound, whole = scan(tmp_path), spool_path(tmp_path).read_bytes()
    middle = sound.records[4]
    for changed in (
        whole[: middle.offset + 70] + whole[middle.offset + 75 :],
        whole[: middle.offset + 30] + whole[middle.offset + 75 :],
        whole[: middle.offset + 70] + MAGIC * 3 + whole[middle.offset + 72 :],
        whole[: middle.offset] + os.urandom(5000) + whole[middle.end :],
    ):
        spool_path(tmp_path).write_bytes(changed)
        found = scan(tmp_path)
        assert [r.sequence for r in found.records] == [2, 3, 4, 5, 7, 8, 9, 10, 11]
        assert [r.counter for r in found.records] == [0, 1, 2, 3, 5, 6, 7, 8, 0]
        assert any("record 6 " in line for line in found.damage)


def test_a_repeated_record_counts_once(tmp_path: Path) -> None:
    fill(tmp_path, up())
    sound, whole = scan(tmp_path), spool_path(tmp_path).read_bytes()
    second = sound.records[1]
    spool_path(tmp_path).write_bytes(whole[: second.end] + whole[second.offset : second.end] + whole[second.end :])
    found = scan(tmp_path)
    assert [r.sequence for r in found.records] == [2, 3, 4, 5]
    assert "second time" in found.damage[0]


def test_a_frame_that_holds_the_magic_is_a_frame(tmp_path: Path) -> None:
    picture = np.frombuffer(MAGIC * 9, np.uint16).reshape(6, 6)
    with Spool(tmp_path, header(shape=(6, 6)), durable=False) as spool:
        for k in range(3):
            spool.append(picture, Key(0, 0, 0, k), time=0.0, counter=k)
    whole = bytearray(spool_path(tmp_path).read_bytes())
    whole[scan(tmp_path).records[1].offset + 3] ^= 1  # the head: now the reader searches in the payload
    spool_path(tmp_path).write_bytes(whole)
    found = scan(tmp_path)
    assert [r.sequence for r in found.records] == [2, 4, 5]
    assert all(np.array_equal(r.frame, picture) for r in found.records[:2])


def test_random_damage_is_named_and_never_read_as_a_frame(tmp_path: Path) -> None:
    frames = fill(tmp_path, up(12), points=12)
    whole, rng = spool_path(tmp_path).read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(scan_start(whole), len(whole), rng.integers(1, 6)):
            data[place] ^= int(rng.integers(1, 256))
        spool_path(tmp_path).write_bytes(data)
        found = scan(tmp_path)
        assert found.damage or bytes(data) == whole
        assert all(np.array_equal(r.frame, frames[r.sequence - 2]) for r in found.records if r.kind == "frame")


def scan_start(whole: bytes) -> int:
    """Offset of the second copy of the header."""
    return whole.find(MAGIC, 1)


def test_other_files_are_no_spool(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="folder of a run"):
        read(tmp_path)
    for content in (b"", b"hello", bytes(10_000)):
        spool_path(tmp_path).write_bytes(content)
        with pytest.raises(ValueError, match="no readable header"):
            read(tmp_path)


# ------------------------------------------------------------------ from frames to a sweep


def test_a_palindrome_with_two_polarities_and_references(tmp_path: Path) -> None:
    keys = [
        Key(s, p, d, f, drive)
        for s in range(2)
        for p in (1, -1)
        for d in range(2)
        for f in ([0, 1, 2], [2, 1, 0])[d]
        for drive in (1, 0)
    ]
    frames = fill(tmp_path / "run", keys, polarities=[1, -1], directions=["up", "down"], current=1e-3, reference=True)
    sweep = load(finalise(tmp_path / "run", tmp_path / "out.h5"))
    assert sweep["signal"].dims == ("polarity", "direction", "frequency", "y", "x")
    assert sweep["signal"].dtype == np.float32
    assert list(sweep["polarity"].values) == [1, -1]
    assert list(sweep["direction"].values) == ["up", "down"]
    for drive, name in ((1, "signal"), (0, "reference")):
        for p, d, f in np.ndindex(2, 2, 3):
            mine = [x for x, k in zip(frames, keys, strict=True) if k[1:] == ((1, -1)[p], d, f, drive)]
            np.testing.assert_allclose(sweep[name].values[p, d, f], electrons(*mine), rtol=1e-6)
    assert (sweep.attrs["frames"], sweep.attrs["complete"], sweep.attrs["current"]) == (2, 1, 1e-3)
    assert "frames" not in sweep
    assert sweep.attrs["created"] == header()["created"]
    assert sweep.attrs["sensor_array"] == '{"pitch": 1e-06}'
    assert np.array_equal(sweep.attrs["bias_field"], [0, 0, 0.01])


def test_dimensions_that_there_are_not_are_left_out(tmp_path: Path) -> None:
    fill(tmp_path / "run", up())
    sweep = load(finalise(tmp_path / "run", tmp_path / "out.h5"))
    assert sweep["signal"].dims == ("frequency", "y", "x")
    assert set(sweep.data_vars) == {"signal"}


def test_rejected_sweeps_are_left_out_and_may_be_taken_again(tmp_path: Path) -> None:
    with Spool(tmp_path / "run", header(points=1)) as spool:
        for k, (sweep, verdict) in enumerate([(0, True), (1, False), (1, True), (2, False)]):
            spool.append(frame(k), Key(sweep, 0, 0, 0), time=0.0, counter=k)
            spool.commit_sweep(sweep, verdict, "drift of 3 pixels")
    result = load(finalise(tmp_path / "run", tmp_path / "out.h5"))
    np.testing.assert_allclose(result["signal"].values[0], electrons(frame(0), frame(2)), rtol=1e-6)
    assert result.attrs["frames"] == 2
    lines = result.attrs["history"].splitlines()
    assert lines == [f"sweep {k} left out: drift of 3 pixels" for k in (1, 2)]


def test_missing_points_are_nan_and_counted(tmp_path: Path) -> None:
    fill(tmp_path / "run", [Key(0, 0, 0, 0), Key(0, 0, 0, 2), Key(1, 0, 0, 0)], complete=False)
    sweep = load(finalise(tmp_path / "run", tmp_path / "out.h5"))
    assert np.isnan(sweep["signal"].values[1]).all()
    assert np.isfinite(sweep["signal"].values[[0, 2]]).all()
    assert sweep["frames"].values.tolist() == [2, 0, 1]
    assert sweep["frames"].attrs["units"] == "1"
    assert (sweep.attrs["frames"], sweep.attrs["complete"]) == (2, 0)


def test_saturated_frames_are_counted_for_each_pixel(tmp_path: Path) -> None:
    picture = np.full((2, 3), 1000, np.uint16)
    with Spool(tmp_path / "run", header(points=1, saturation=4095), durable=False) as spool:
        for k in range(300):
            picture[0, 0], picture[1, 2] = 4095, 4095 if k < 2 else 4094
            spool.append(picture, Key(k, 0, 0, 0), time=0.0, counter=k)
    sweep = load(finalise(tmp_path / "run", tmp_path / "out.h5"))
    assert sweep["saturated"].values.tolist() == [[255, 0, 0], [0, 0, 2]]
    assert sweep["saturated"].dtype == np.uint8


def test_sums_are_exact_and_the_order_of_frames_does_not_matter(tmp_path: Path) -> None:
    keys = [Key(s, 0, 0, f) for s in range(50) for f in range(3)]
    sums = []
    for k, order in enumerate((keys, keys[::-1])):
        with Spool(tmp_path / f"run{k}", header(), durable=False) as spool:
            for key in order:
                spool.append(frame(3 * key.sweep + key.frequency), key, time=0.0, counter=0)
        sums += [summary(finalise(tmp_path / f"run{k}", tmp_path / f"{k}{i}.h5"))["sha256"] for i in range(2)]
    assert len(set(sums)) == 1


def test_a_run_that_was_cut_off_is_recovered_and_not_finalised(tmp_path: Path) -> None:
    frames = fill(tmp_path / "run", up(), complete=None)
    with open(spool_path(tmp_path / "run"), "ab") as file:
        file.write(MAGIC + b"half a rec")
    with pytest.raises(ValueError, match="use recover"):
        finalise(tmp_path / "run", tmp_path / "out.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sweep = load(recover(tmp_path / "run", tmp_path / "out.h5"))
    np.testing.assert_allclose(sweep["signal"].values, [electrons(f) for f in frames], rtol=1e-6)
    assert sweep.attrs["complete"] == 0


def test_damaged_records_are_named_and_the_rest_recovered(tmp_path: Path) -> None:
    frames = fill(tmp_path / "run", up())
    data = bytearray(spool_path(tmp_path / "run").read_bytes())
    data[scan(tmp_path / "run").records[1].offset + HEAD_BYTES] ^= 1
    spool_path(tmp_path / "run").write_bytes(data)
    with pytest.raises(ValueError, match=r"record 3 .*use recover"):
        finalise(tmp_path / "run", tmp_path / "out.h5")
    with pytest.warns(RuntimeWarning, match=r"record 3 \(frame, sweep 0, .*frequency 1, drive 1\) is damaged"):
        sweep = load(recover(tmp_path / "run", tmp_path / "out.h5"))
    assert np.isnan(sweep["signal"].values[1]).all()
    np.testing.assert_allclose(sweep["signal"].values[2], electrons(frames[2]), rtol=1e-6)
    assert sweep.attrs["complete"] == 0
    assert "record 3" in sweep.attrs["history"]


def test_the_spool_is_removed_only_behind_a_verified_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, out = tmp_path / "run", tmp_path / "out.h5"
    fill(run, up())
    with monkeypatch.context() as patch:
        patch.setattr("vbsense.files.add_seal", lambda path: path.write_bytes(path.read_bytes()[:3000]))
        with pytest.raises(OSError, match="read back"):
            finalise(run, out, remove=True)
    assert spool_path(run).exists()
    assert not out.exists()
    finalise(run, out)
    assert spool_path(run).exists()
    with pytest.raises(FileExistsError, match="overwrite"):
        finalise(run, out, remove=True)
    finalise(run, out, overwrite=True, remove=True)
    assert not run.exists()
    assert load(out).attrs["complete"] == 1


def test_headers_and_keys_that_do_not_fit_are_explained(tmp_path: Path) -> None:
    fill(tmp_path / "a", up(), camera_gain=None)
    with pytest.raises(ValueError, match="no camera_gain"):
        finalise(tmp_path / "a", tmp_path / "a.h5")
    fill(tmp_path / "b", [])
    with pytest.raises(ValueError, match="no frame"):
        finalise(tmp_path / "b", tmp_path / "b.h5")
    fill(tmp_path / "c", up(), attributes={"bais_field": [0, 0, 0]})
    with pytest.raises(ValueError, match="bias_field"):
        finalise(tmp_path / "c", tmp_path / "c.h5")
    fill(tmp_path / "d", up(), attributes={"user_x": {"a": 1}})
    with pytest.raises(LayoutError, match="user_x"):
        finalise(tmp_path / "d", tmp_path / "d.h5")


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = str(tmp_path / "run"), str(tmp_path / "out.h5")
    fill(tmp_path / "run", up(), complete=None)
    assert main(["finalise", run, out]) == 1
    assert "use recover" in capsys.readouterr().err
    assert main(["recover", run, out]) == 0
    assert capsys.readouterr().out.strip() == out
    assert main(["recover", run, out]) == 1
    assert "overwrite" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["recover", run, out, "--remove"])


def test_the_command_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    fill(tmp_path / "run", up())
    command = [
        sys.executable,
        "-m",
        "vbsense.spool",
        "finalise",
        str(tmp_path / "run"),
        str(tmp_path / "out.h5"),
        "--remove",
    ]
    subprocess.run(command, check=True, cwd=ROOT, timeout=60)
    assert not (tmp_path / "run").exists()
    assert load(tmp_path / "out.h5").attrs["complete"] == 1
