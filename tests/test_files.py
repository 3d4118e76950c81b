"""One HDF5 file: round trips, damage, strangers' files. Laws first, refusals after."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vbsense.data import LayoutError, make_map, make_site_sweep, make_sweep
from vbsense.files import load, open_lazy, save, save_computed, summary
from vbsense.storage import durable
from vbsense.storage.blocks import blocks, chunks, pieces
from vbsense.storage.packing import PIPELINE, pack
from vbsense.storage.seal import SEAL_BYTES, add_seal

resource = pytest.importorskip("resource")  # limits of a process; not on Windows

COORDS: dict[str, Any] = {"polarity": [1, -1], "direction": ["up", "down"]}


def a_sweep(**attributes: Any) -> xr.Dataset:
    rng = np.random.default_rng(1)
    signal = rng.normal(1e4, 100, (2, 2, 5, 7, 6)).astype(np.float32)
    signal[0, 1, 2] = np.nan
    frequency = np.linspace(3.2e9, 3.7e9, 5)
    return make_sweep(signal, frequency, pixel_size=1e-7, exposure=0.1, frames=3, coords=COORDS, **attributes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save(a_sweep(), tmp_path / "sweep.h5")


def same(a: xr.Dataset, b: xr.Dataset) -> bool:
    """Identical, types and order of variables included; what save adds does not count."""
    added = {"software", "created"}
    a, b = (
        d.assign_attrs().drop_attrs(deep=False).assign_attrs({k: d.attrs[k] for k in d.attrs if k not in added})
        for d in (a, b)
    )
    return a.identical(b) and all(a[n].dtype == b[n].dtype for n in a.variables)


# ------------------------------------------------------------------ round trips


def test_a_sweep_comes_back_identical(path: Path) -> None:
    assert same(load(path), a_sweep())


def test_a_map_and_a_site_sweep_come_back_identical(tmp_path: Path) -> None:
    n = np.arange(6)
    sites = make_site_sweep(
        np.ones((11, 6)), np.linspace(3e9, 4e9, 11), x=n * 1e-7, y=n * 0.0, row=n, column=n * 0, error=np.ones((11, 6))
    )
    for k, dataset in enumerate((sites, make_map(np.eye(4), pixel_size=1e-7, error=np.ones((4, 4)), component="x"))):
        assert same(load(save(dataset, tmp_path / f"{k}.h5")), dataset)


def test_flags_booleans_and_scalars_come_back_with_their_types(tmp_path: Path) -> None:
    dataset = a_sweep().assign(mask=(("y", "x"), np.eye(7, 6) > 0), hot=(("y", "x"), np.eye(7, 6, dtype=np.uint8)))
    dataset["hot"].attrs |= {"units": "1", "flag_masks": np.array([1, 2], np.uint16)}
    dataset = dataset.assign_coords(time=((), 3.5, {"units": "s"}))
    back = load(save(dataset, tmp_path / "a.h5"))
    assert same(back, dataset)
    assert back["mask"].dtype == bool
    assert back["hot"].attrs["flag_masks"].dtype == np.uint16


def test_texts_come_back_whatever_their_number(tmp_path: Path) -> None:
    dataset = a_sweep().assign(
        one=((), "häßlich", {"units": "1"}), some=(("n",), np.array(["a", "", "ccc"]), {"units": "1"}),
        none=(("m",), np.array([], dtype=str), {"units": "1"}),
    )  # fmt: skip
    back = load(save(dataset, tmp_path / "a.h5"))
    assert back["one"].item() == "häßlich"
    assert back["some"].values.tolist() == ["a", "", "ccc"]
    assert back["none"].shape == (0,)
    assert summary(tmp_path / "a.h5", verify=True)["sha256_ok"]


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda v: np.repeat(v, 2, axis=2)[:, :, ::2], lambda v: v[:, ::-1].copy()[:, ::-1],
     lambda v: np.ascontiguousarray(v.T).T, lambda v: v.astype(">f4")],
    ids=["fortran", "strided", "reversed", "transposed", "big-endian"],
)  # fmt: skip
def test_the_checksum_does_not_depend_on_the_layout_in_memory(tmp_path: Path, change) -> None:
    plain = a_sweep()
    moved = plain.assign(signal=plain.signal.copy(data=change(plain.signal.values)))
    one, other = (save(d, tmp_path / f"{k}.h5") for k, d in enumerate((plain, moved)))
    assert summary(one)["sha256"] == summary(other)["sha256"]
    assert load(other).equals(load(one))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
arrays = hnp.arrays(st.sampled_from(["f8", "f4", "i8", "u2"]), st.integers(0, 4), elements={"allow_nan": False})
values = st.one_of(texts, numbers, arrays)
signals = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=40),
    elements={"allow_nan": True},
    fill=st.just(1.5),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(signal=signals, attributes=st.dictionaries(st.sampled_from(["user_a", "user_b", "plan"]), values))
def test_any_signal_and_attributes_come_back(tmp_path: Path, signal: np.ndarray, attributes: dict) -> None:
    sweep = make_sweep(signal, 1e9 + np.arange(len(signal)) * 1e6, pixel_size=1e-7, **attributes)
    back = load(save(sweep, tmp_path / "any.h5", overwrite=True))
    assert back["signal"].values.tobytes() == signal.tobytes()
    for name, value in attributes.items():
        assert type(back.attrs[name]) is type(value)
        assert np.array_equal(back.attrs[name], value)
        assert np.asarray(back.attrs[name]).dtype.kind == np.asarray(value).dtype.kind


def test_xarray_reads_the_same(path: Path) -> None:
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        xr.testing.assert_equal(opened.load(), a_sweep())
        assert opened["signal"].attrs["units"] == "electron"


def test_h5py_finds_scales_units_and_chunks(path: Path) -> None:
    with h5py.File(path) as h5:
        signal = h5["signal"]
        assert [next(iter(dim.keys())) for dim in signal.dims] == ["polarity", "direction", "frequency", "y", "x"]
        assert signal.chunks == (1, 1, 5, 7, 6)
        assert (signal.compression, signal.compression_opts, signal.shuffle, signal.fletcher32) == (
            "gzip",
            1,
            True,
            True,
        )
        assert h5["frequency"].attrs["units"] == "Hz"
        assert len(h5.attrs["sha256"]) == 64


@pytest.mark.parametrize(
    ("dims", "shape", "expected"),
    [
        (("frequency", "y", "x"), (101, 512, 512), (101, 32, 32)),
        (("sweep", "frequency", "y", "x"), (9, 101, 512, 20), (1, 101, 32, 20)),
        (("frequency", "site"), (101, 60), (101, 60)),
        (("frequency", "y", "x"), (50_000, 512, 512), (50_000, 8, 8)),
        (("truth_site", "truth_component"), (1600, 3), (1600, 3)),
        (("truth_y", "truth_x"), (2048, 2048), (512, 512)),
        (("component", "y", "x"), (3, 512, 512), (3, 32, 512)),
        (("component", "sweep", "y", "x"), (1, 9, 512, 20_000), (1, 1, 32, 8192)),
        (("y", "x", "parameter", "parameter2"), (512, 512, 7, 7), (32, 160, 7, 7)),
        (("y", "x", "depth"), (512, 512, 7), (32, 32, 1)),
        (("component", "site"), (1, 5000), (1, 1024)),
        ((), (), ()),
    ],
)
def test_chunks_hold_all_frequencies(dims: tuple, shape: tuple, expected: tuple) -> None:
    assert chunks(dims, shape, 4) == expected


@given(
    st.permutations(["component", "sweep", "y", "x", "parameter"]),
    st.lists(st.integers(1, 90), min_size=5, max_size=5),
    st.integers(2, 5),
)
def test_blocks_follow_each_other_within_chunks_and_from_chunk_to_chunk(dims: list, shape: list, count: int) -> None:
    """So the checksum, which goes from block to block, may be taken chunk by chunk."""
    names, lengths = tuple(dims[-count:]), tuple(shape[-count:])
    lengths = tuple(min(n, 3) if name not in ("x", "y") else n for name, n in zip(names, lengths, strict=True))
    seen = []
    for piece in pieces(names, lengths, 8):
        for inner in blocks(names, tuple(part.stop - part.start for part in piece), 8):
            seen.append(tuple(p.start + i.start for p, i in zip(piece, inner, strict=True)))
    assert seen == [tuple(part.start for part in index) for index in blocks(names, lengths, 8)]


def test_files_cut_into_small_chunks_are_still_read(tmp_path: Path) -> None:
    """As those of version 0.1 were: what is checked does not depend on how a file is cut."""
    rng = np.random.default_rng(3)
    field = make_map(rng.normal(size=(70, 300)), pixel_size=1e-7)
    path = save(field, tmp_path / "map.h5")
    old = tmp_path / "old.h5"
    with h5py.File(path) as new, h5py.File(old, "w") as h5:
        for name in new:
            new.copy(name, h5)
        del h5["B"]
        h5.create_dataset("B", data=new["B"][()], chunks=(1, 32, 32), compression="gzip", shuffle=True)
        h5["B"].attrs["units"] = "T"
        for axis, name in enumerate(("component", "y", "x")):
            h5["B"].dims[axis].attach_scale(h5[name])
        h5.attrs.update(new.attrs)
        assert new["B"].chunks == (1, 32, 300)
    assert load(old).B.identical(load(path).B)


def test_the_checksum_depends_on_the_data_alone(tmp_path: Path) -> None:
    files = [save(a_sweep(seed=k), tmp_path / f"{k}.h5") for k in (1, 2)]
    assert summary(files[0])["sha256"] == summary(files[1])["sha256"]
    other = a_sweep()
    other["signal"][0, 0, 0, 0, 0] += 1
    assert summary(save(other, tmp_path / "other.h5"))["sha256"] != summary(files[0])["sha256"]


chunk_shapes = hnp.array_shapes(min_dims=1, max_dims=4, max_side=9)


@settings(max_examples=100, deadline=None)
@given(st.data(), chunk_shapes, st.sampled_from(["f8", "f4", "i8", "u2", "i1"]))
def test_hdf5_reads_what_is_packed_here(data: st.DataObject, lengths: tuple, dtype: str) -> None:
    """Its filters check the sum and undo the rest; at the edges a chunk is filled up."""
    shape = tuple(data.draw(st.integers(1, n)) for n in lengths)
    values = data.draw(hnp.arrays(dtype, shape, elements={"allow_nan": False} if dtype[0] == "f" else None))
    with h5py.File("packed", "w", driver="core", backing_store=False) as h5:
        variable = h5.create_dataset("v", shape, dtype, chunks=lengths, maxshape=(None,) * len(shape), **PIPELINE)
        packed = pack(values, lengths)
        variable.id.write_direct_chunk((0,) * len(shape), packed)
        assert (variable[...] == values).all()
        assert variable.id.get_storage_size() == len(packed)


@pytest.mark.parametrize("size", [1, 2, 1000, 300_001, 1 << 20])
def test_hdf5_accepts_the_sum_of_chunks_of_any_size(size: int) -> None:
    values = np.random.default_rng(size).integers(0, 256, size).astype(np.uint8)
    for data in (values, values * 0, values | 255):
        with h5py.File("packed", "w", driver="core", backing_store=False) as h5:
            variable = h5.create_dataset("v", (size,), np.uint8, chunks=(size,), **PIPELINE)
            variable.id.write_direct_chunk((0,), pack(data, (size,)))
            assert (variable[...] == data).all()
            spoiled = bytearray(pack(data, (size,)))
            spoiled[-1] ^= 1
            variable.id.write_direct_chunk((0,), bytes(spoiled))
            with pytest.raises(OSError):
                variable[...]


def test_a_file_is_written_from_values_that_are_made_on_the_way(tmp_path: Path) -> None:
    sweep = a_sweep()
    empty = sweep.assign(
        signal=(sweep.signal.dims, np.broadcast_to(np.float32(0), sweep.signal.shape), {"units": "electron"})
    )
    asked: list[tuple] = []

    def values(index: tuple) -> np.ndarray:
        asked.append(index)
        return sweep.signal.values[index]

    path = save_computed(empty, tmp_path / "a.h5", {"signal": values}, threads=2)
    assert same(load(path), sweep)
    assert len(asked) == 4
    assert summary(path)["sha256"] == summary(save(sweep, tmp_path / "b.h5"))["sha256"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sygnal": None}, "'sygnal'; the dataset has .*signal"),
        ({"signal": lambda index: np.zeros((1, 1, 5, 7, 6))}, "gave float64"),
        ({"signal": lambda index: np.zeros((5, 7, 6), np.float32)}, r"gave float32 \(5, 7, 6\)"),
    ],
)
def test_values_that_do_not_fit_are_refused(tmp_path: Path, values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        save_computed(a_sweep(), tmp_path / "a.h5", values)
    assert os.listdir(tmp_path) == []


def test_small_and_large_variables_open_lazily_as_they_load(tmp_path: Path) -> None:
    n = np.random.default_rng(0)
    sweep = make_sweep(n.random((2, 5, 300, 200)), 3e9 + np.arange(5) * 1e6, pixel_size=1e-7, coords={"sweep": [0, 1]})
    mask = (("y", "x"), n.random((300, 200)) > 0.5)
    path = save(sweep.assign(mask=mask, note=("sweep", np.array(["a", "b"]))), tmp_path / "a.h5")
    with open_lazy(path) as opened:
        assert not opened.signal.variable._in_memory
        assert same(opened, load(path))
    for damaged in (path.stat().st_size // 2, path.stat().st_size - 10_000):
        other = tmp_path / "other.h5"
        other.write_bytes(path.read_bytes())
        flip(other, damaged)
        with pytest.raises(LayoutError, match="damaged"):
            open_lazy(other)


def test_a_loaded_dataset_can_be_changed_and_saved_again(path: Path) -> None:
    changed = load(path)
    changed["signal"] = changed["signal"] * 2
    changed["signal"].attrs["units"] = "electron"
    assert load(save(changed, path, overwrite=True)).equals(changed)


def test_summary_says_what_is_there(path: Path) -> None:
    said = summary(path)
    assert said["schema"] == "vbsense.sweep/1"
    assert said["sizes"] == dict(a_sweep().sizes)
    assert said["units"]["signal"] == "electron"
    assert said["attributes"]["software"].startswith("vbsense ")
    assert said["sha256_ok"] is None
    assert summary(path, verify=True)["sha256_ok"] is True


def test_summary_reports_a_damaged_chunk(path: Path) -> None:
    with h5py.File(path) as h5:
        place = h5["signal"].id.get_chunk_info(1).byte_offset
    flip(path, place + 50)
    assert summary(path)["sha256_ok"] is None
    assert summary(path, verify=True)["sha256_ok"] is False


# ------------------------------------------------------------------ writing


def test_an_existing_file_is_kept_unless_asked(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save(a_sweep(seed=2), path)
    assert path.read_bytes() == before
    assert load(save(a_sweep(seed=2), path, overwrite=True)).attrs["seed"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_attrs(), "schema"),
        (lambda d: d.assign_attrs(plan={"a": 1}), "JSON text"),
        (lambda d: d.assign_attrs(user_x=None), "user_x"),
        (lambda d: d.assign_attrs(user_x=np.eye(2)), "user_x"),
        (lambda d: d.assign_attrs(user_x=1 << 70), "user_x"),
        (lambda d: d.assign_attrs(user_x="a\0b"), "NUL"),
        (lambda d: d.assign_attrs(user_x="\ud800"), "user_x"),
        (lambda d: d.assign_attrs(user_x=["a", "b\0"]), "attribute 'user_x' of the dataset holds a NUL"),
        (lambda d: d.assign(c=("y", np.array(["a\0b"] * 7))), "variable 'c' holds a NUL"),
        (lambda d: d.assign(c=("y", np.array(["\ud800"] * 7))), "variable 'c' holds a NUL character or half"),
        (lambda d: d.assign(c=("y", np.ones(7, complex))), "complex"),
        (lambda d: d.assign({"a/b": ("y", np.ones(7), {"units": "1"})}), "a/b"),
        (lambda d: d.assign(c=("y", np.ones(7), {"units": "1", "scale_factor": 2.0})), "scale_factor"),
        (lambda d: d.assign(c=("y", np.array([None] * 7))), "not text"),
    ],
)
def test_what_no_file_can_hold_is_refused(tmp_path: Path, change, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        save(change(a_sweep()), tmp_path / "a.h5")
    assert os.listdir(tmp_path) == []


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="ndarray is no dataset; build one with make_sweep"):
        save(np.ones((3, 4, 5)), tmp_path / "a.h5")  # type: ignore[arg-type]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="create it first"):
        save(a_sweep(), tmp_path / "no" / "a.h5")
    with pytest.raises(IsADirectoryError, match="folder"):
        save(a_sweep(), tmp_path)


def test_what_is_read_back_wrongly_gets_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = save(a_sweep(seed=1), tmp_path / "a.h5")

    def spoil(file: Path) -> None:
        with h5py.File(file, "r+") as h5:
            h5["signal"][0, 0, 0, 0, 0] += 1
        add_seal(file)

    monkeypatch.setattr("vbsense.files.add_seal", spoil)
    with pytest.raises(OSError, match="read back"):
        save(a_sweep(seed=2), old, overwrite=True)
    assert os.listdir(tmp_path) == ["a.h5"]
    assert load(old).attrs["seed"] == 1


def test_the_name_is_given_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def killed(source: Path, target: Path) -> None:
        seen.append(same(load(source), a_sweep()) and not target.exists())
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save(a_sweep(), tmp_path / "a.h5")
    assert seen == [True]
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    """In a process of its own: HDF5 that sees a full disk crashes the interpreter at exit."""
    old = save(a_sweep(seed=1), tmp_path / "a.h5")
    code = f"""
        import resource, numpy as np
        from vbsense.data import make_sweep
        from vbsense.files import save
        noise = np.random.default_rng(0).random((5, 300, 300))
        sweep = make_sweep(noise, np.linspace(3e9, 4e9, 5), pixel_size=1e-7)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            save(sweep, {str(old)!r}, overwrite=True)
        except OSError as error:
            print("OSError", error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=Path(durable.__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    assert "free space" in done.stdout
    assert os.listdir(tmp_path) == ["a.h5"]
    assert load(old).attrs["seed"] == 1


def test_a_leftover_of_a_killed_save_is_removed_when_it_is_old(path: Path) -> None:
    old, new = (path.with_name(f".sweep.h5.{k}.tmp") for k in ("00000000", "11111111"))
    for leftover in (old, new):
        leftover.write_bytes(b"half")
    os.utime(old, (1, 1))
    save(a_sweep(), path, overwrite=True)
    assert not old.exists()
    assert new.exists()


# ------------------------------------------------------------------ platforms


def test_a_folder_is_synced_where_that_is_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    save(a_sweep(), tmp_path / "a.h5")
    assert tmp_path.stat().st_ino in synced


def test_platforms_without_folder_sync_writev_and_fdatasync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("O_DIRECTORY", "writev", "fdatasync"):
        monkeypatch.delattr(os, name, raising=False)
    assert same(load(save(a_sweep(), tmp_path / "a.h5")), a_sweep())


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "writev", raising=False)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:777])))
    assert same(load(save(a_sweep(), tmp_path / "a.h5")), a_sweep())


# ------------------------------------------------------------------ damage


def flip(path: Path, place: int, mask: int = 0x10) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= mask
    path.write_bytes(data)


def refused_or_right(path: Path, truth: xr.Dataset) -> bool:
    """True if refused in one line; fails if the content is wrong."""
    try:
        found = load(path)
    except LayoutError as error:
        line = str(error)
    else:
        assert found.identical(truth)
        return False
    assert "\n" not in line
    assert str(path) in line
    return True


def damage(path: Path, number: int, seed: int) -> tuple[int, int]:
    """Cut and flip `number` times each; how often that was refused."""
    rng, truth, whole = np.random.default_rng(seed), load(path), path.read_bytes()
    cuts = flips = 0
    for _ in range(number):
        path.write_bytes(whole[: rng.integers(len(whole))])
        cuts += refused_or_right(path, truth)
        path.write_bytes(whole)
        flip(path, int(rng.integers(len(whole))), 1 << int(rng.integers(8)))
        flips += refused_or_right(path, truth)
    return cuts, flips


def test_damage_is_never_silent(path: Path) -> None:
    cuts, flips = damage(path, 100, seed=0)
    assert cuts >= 95  # a cut inside the seal leaves all data
    assert flips >= 95  # so does a flip in the name of the seal


@pytest.mark.slow
def test_damage_is_never_silent_600_times(path: Path) -> None:
    cuts, flips = damage(path, 600, seed=1)
    assert min(cuts, flips) >= 570


def test_data_are_safe_without_a_seal(path: Path) -> None:
    """An edited file has no seal: the checksums of HDF5 and of the data must do."""
    truth = load(path)
    whole = path.read_bytes()[:-SEAL_BYTES]
    with h5py.File(path) as h5:
        chunk = h5["signal"].id.get_chunk_info(3)
    for place in range(chunk.byte_offset, chunk.byte_offset + chunk.size, 9):
        path.write_bytes(whole)
        flip(path, place)
        with pytest.raises(LayoutError, match="damaged"):
            load(path)
    path.write_bytes(whole)
    assert load(path).identical(truth)


def test_edited_data_are_refused_and_edited_attributes_are_not(path: Path) -> None:
    with h5py.File(path, "r+") as h5:
        h5.attrs["user_note"] = "looked at"
    assert load(path).attrs["user_note"] == "looked at"
    with h5py.File(path, "r+") as h5:
        h5["signal"][0, 0, 0, 0, 0] += 1
    with pytest.raises(LayoutError, match="checksum"):
        load(path)
    assert summary(path, verify=True)["sha256_ok"] is False


def test_a_file_without_checksum_is_read_with_a_warning(path: Path) -> None:
    with h5py.File(path, "r+") as h5:
        del h5.attrs["sha256"]
    with pytest.warns(UserWarning, match="no checksum"):
        assert load(path).equals(a_sweep())


# ------------------------------------------------------------------ strangers


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for function in (load, summary):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.h5 does not exist"):
            function(tmp_path / "nowhere.h5")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"frequency,signal\n1,2\n", "not an HDF5 file"), (b"\x89HDF\r\n\x1a\n" + b"\0" * 500, "damaged")],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    other = tmp_path / "other.h5"
    other.write_bytes(content)
    for function in (load, summary):
        with pytest.raises(LayoutError, match=message):
            function(other)


def _replace(h5: h5py.File, **options: object) -> None:
    del h5["signal"]
    h5.create_dataset("signal", **options)


def _virtual(h5: h5py.File, secret: Path) -> None:
    del h5["signal"]
    layout = h5py.VirtualLayout((5, 7, 6), "f4")
    layout[:] = h5py.VirtualSource(secret, "signal", (5, 7, 6))
    h5.create_virtual_dataset("signal", layout)


def _renamed(h5: h5py.File, link: object) -> None:
    del h5["signal"]
    h5["signal"] = link


HOSTILE = {
    "external link": (lambda h5, s: _renamed(h5, h5py.ExternalLink(str(s), "signal")), "external link"),
    "soft link": (lambda h5, s: _renamed(h5, h5py.SoftLink("/y")), "soft link"),
    "dangling link": (lambda h5, s: _renamed(h5, h5py.SoftLink("/nowhere")), "soft link"),
    "external storage": (
        lambda h5, s: _replace(h5, shape=(5, 7, 6), dtype="f4", external=[(str(s), 0, h5py.h5f.UNLIMITED)]),
        "external file",
    ),
    "virtual dataset": (_virtual, "virtual"),
    "references": (lambda h5, s: h5.create_dataset("more", data=[h5.ref], dtype=h5py.ref_dtype), "references"),
    "reference attribute": (lambda h5, s: h5["signal"].attrs.create("who", h5.ref, dtype=h5py.ref_dtype), "references"),
    "group": (lambda h5, s: h5.create_group("more"), "group"),
    "compound": (lambda h5, s: h5.create_dataset("more", data=np.zeros(3, "i4,f4")), "type"),
    "vlen": (lambda h5, s: h5.create_dataset("more", (3,), h5py.vlen_dtype(np.int32)), "type"),
    "filter": (lambda h5, s: _replace(h5, data=np.ones((5, 7, 6), "f4"), compression="lzf"), "filter"),
    "huge": (lambda h5, s: _replace(h5, shape=(1 << 20,) * 3, dtype="f4", chunks=(64,) * 3), "sizes"),
    "bomb": (lambda h5, s: _replace(h5, shape=(1 << 30,), dtype="f8", chunks=(1 << 20,)), "sizes"),
    "huge chunk": (
        lambda h5, s: _replace(h5, shape=(7,), maxshape=(None,), dtype="f8", chunks=(1 << 28,)),
        "chunks",
    ),
    "many": (lambda h5, s: [h5.create_dataset(f"v{k}", data=k) for k in range(1100)], "objects"),
    "no schema": (lambda h5, s: h5.attrs.pop("schema"), "not a file of vbsense"),
    "other schema": (lambda h5, s: h5.attrs.modify("schema", "vbsense.sweep/99"), "schema"),
    "no units": (lambda h5, s: h5["frequency"].attrs.pop("units"), "frequency.*units"),
    "wrong units": (lambda h5, s: h5["y"].attrs.modify("units", "mm"), "'y'.*'mm'"),
    "no signal": (lambda h5, s: h5.move("signal", "sygnal"), "checksum|signal"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_the_reason(path: Path, name: str) -> None:
    secret = path.with_name("secret.h5")
    with h5py.File(secret, "w") as h5:
        h5["signal"] = np.ones((5, 7, 6), "f4")
    change, reason = HOSTILE[name]
    with h5py.File(path, "r+") as h5:
        change(h5, secret)
    start, peak = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(LayoutError, match=reason) as caught:
        load(path)
    assert time.perf_counter() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000  # kB
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
