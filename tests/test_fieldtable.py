"""The field table against exact spectra; its file; its range."""

import warnings

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import vbsense as vb
from vbsense.groundstate import tablecache
from vbsense.groundstate._fieldtable import look_up
from vbsense.groundstate.fieldtable import FieldTable
from vbsense.groundstate.tablenodes import spline_of

F = np.linspace(2.97e9, 3.97e9, 101)
FEW = np.linspace(3.0e9, 4.0e9, 33)


def fields(n, Bz, transverse, seed=3):
    rng = np.random.default_rng(seed)
    angle, r = rng.uniform(0, 2 * np.pi, n), transverse * np.sqrt(rng.uniform(0, 1, n))
    return np.stack([r * np.cos(angle), r * np.sin(angle), rng.uniform(*Bz, n)], -1)


def small(defect=vb.VB15N, **options):
    """A table that takes milliseconds."""
    options = {"linewidth": 60e6, "Bz": (7.5e-3, 8.5e-3), "transverse": 1e-3, "cache": False} | options
    return FieldTable(FEW, defect, **options)


def exact(table, field):
    return vb.spectrum(
        table.frequency, field, table.defect, linewidth=table.linewidth, drive=table.drive, method="exact"
    )


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VBSENSE_CACHE_DIR", str(tmp_path / "cache"))
    tablecache._warned.clear()
    return tmp_path / "cache" / "vbsense"


@pytest.mark.parametrize("drive", [(1, 0, 0), (0, 1, 0)])
def test_a_map_is_exact_to_two_thousandths_of_the_peak(drive):
    table = FieldTable(F, linewidth=40e6, drive=drive, cache=False)
    field = fields(150, (3e-3, 10e-3), 5e-3)
    expected = exact(table, field)
    assert (np.abs(table(field) - expected).max(1) / expected.max(1)).max() < 2e-3
    assert table.error < 2e-3
    assert table.nbytes < 1e6


@pytest.mark.slow
@pytest.mark.parametrize("defect", [vb.VB14N, vb.VB15N], ids=lambda d: d.name)
@pytest.mark.parametrize("drive", [(1, 1, 0), (1, 0, 1), (1, 1j, 0)])
def test_a_map_is_exact_for_other_drives(defect, drive):
    table = FieldTable(F, defect, linewidth=40e6, drive=drive, cache=False)
    field = fields(800, (3e-3, 10e-3), 5e-3)
    expected = exact(table, field)
    assert (np.abs(table(field) - expected).max(1) / expected.max(1)).max() < 2e-3


@pytest.mark.parametrize(
    ("drive", "defect"),
    [
        ((1, 0, 0), vb.VB15N),
        ((0, 0, 1), vb.VB15N),
        ((1, 1j, 0), vb.VB15N),
        ((1, 0.5, 1), vb.VB15N),
        ((1, 0, 0), vb.VB15N.at(E_angle=0.3)),
        ((1, 0, 0), vb.VB15N.at(g=[[2.0, 0, 0.01], [0, 2.0, 0], [0.01, 0, 1.99]])),
    ],
)
def test_tables_of_any_drive_and_defect(drive, defect):
    table = small(defect, drive=drive)
    field = fields(40, (7.5e-3, 8.5e-3), 1e-3)
    assert np.abs(table(field) - exact(table, field)).max() < 2e-3 * exact(table, field).max()


def test_a_tilted_crystal_in_the_laboratory():
    tilt = Rotation.from_euler("zyx", [20, 35, -10], degrees=True)
    table = small(vb.VB15N.at(orientation=tilt), drive=tilt.apply([1.0, 0, 0]))
    field = fields(20, (7.5e-3, 8.5e-3), 1e-3)
    assert table(tilt.apply(field)) == pytest.approx(small()(field), abs=1e-5)


def test_a_reversed_field_reads_the_same_but_for_a_circular_drive():
    field = fields(20, (7.5e-3, 8.5e-3), 1e-3)
    table = small(drive=(1, 0.5, 1))
    assert (table(-field) == table(field)).all()
    circular = small(drive=(1, 1j, 0))
    with pytest.raises(ValueError, match="along c"):
        circular(-field)


def test_threads_and_shapes_do_not_matter():
    table = small()
    field = fields(9000, (7.5e-3, 8.5e-3), 1e-3)
    one = table(field, threads=1)
    assert (table(field, threads=3) == one).all()
    assert (table(field.reshape(90, 100, 3)).reshape(9000, -1) == one).all()
    assert table(field[5]).shape == (33,)
    assert table(np.empty((0, 3))).shape == (0, 33)


def test_the_ends_of_the_range_belong_to_it():
    table = small()
    ends = np.array([[0, 0, 7.5e-3], [0, 0, 8.5e-3], [1e-3, 0, 8.5e-3], [0, -1e-3, 7.5e-3]])
    assert np.abs(table(ends) - exact(table, ends)).max() < 2e-3


@pytest.mark.parametrize("intervals", [1, 2, 7])
def test_a_polynomial_is_its_own_spline(intervals):
    # Cubic in Bz, quadratic across: nothing is lost but the digits of single precision.
    nodes, matrix = spline_of((2e-3, 5e-3), intervals)
    values = np.stack([np.polyval([1, -2, 3, 4], nodes * 1e3), 0.5 + nodes * 0], -1)[..., None]  # times 1 and Bx By
    table = np.tensordot(matrix, values, axes=1).astype(np.float32)
    field = fields(50, (2e-3, 5e-3), 1e-3)
    out = np.empty((50, 1), np.float32)
    look_up(field, 2e-3, 3e-3 / intervals, table, np.array([[0, 0], [1, 1]]), out)
    x, y, z = field.T * 1e3
    assert out[:, 0] == pytest.approx(np.polyval([1, -2, 3, 4], z) + 0.5 * x * y, rel=1e-5)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ([0, 0, 7.4e-3], "7.5 to 8.5 mT"),
        ([0, 0, 9e-3], "7.5 to 8.5 mT"),
        ([1.1e-3, 0, 8e-3], "up to 1 mT"),
        ([0, 0, np.nan], "NaN"),
        ([0, 8e-3], "last dimension"),
    ],
)
def test_fields_outside_are_refused_and_the_range_is_named(field, words):
    with pytest.raises(ValueError, match=words):
        small()(field)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"Bz": (8e-3, 7e-3)}, "low < high"),
        ({"Bz": (-1e-3, 7e-3)}, "low < high"),
        ({"Bz": (3.0, 10.0)}, "tesla"),
        ({"transverse": 0.0}, "transverse"),
        ({"linewidth": -1.0}, "linewidth"),
        ({"drive": (0, 0, 0)}, "drive"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(ValueError, match=words):
        small(**options)


def test_a_table_that_cannot_be_exact_says_so():
    with pytest.warns(RuntimeWarning, match="of the peak"):
        table = small(linewidth=4e6, transverse=8e-3)
    assert table.error > 2e-3


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_second_time_comes_from_the_file(own_cache, monkeypatch):
    first = small(cache=True)
    (file,) = own_cache.iterdir()
    assert file.name.startswith("fieldtable-")
    monkeypatch.setattr("vbsense.groundstate.fieldtable._fit", lambda table: pytest.fail("made anew"))
    second = small(cache=True)
    assert (second._coefficients == first._coefficients).all()
    assert second.error == pytest.approx(first.error, rel=1e-6)
    with np.load(file, allow_pickle=False) as kept:
        assert all(kept[name].dtype != object for name in kept.files)


def test_whatever_changes_a_spectrum_changes_the_file(own_cache):
    few = vb.Defect("electron", D=3.47e9, E=59e6, g=2.0)
    small(few, cache=True)
    for n, options in enumerate(
        (
            {"linewidth": 61e6},
            {"drive": (0, 1, 0)},
            {"Bz": (7.5e-3, 8.6e-3)},
            {"transverse": 1.1e-3},
            {"defect": few.at(E=58e6)},
            {"defect": few.at(g=2.001)},
            {"defect": few.at(E_angle=0.1)},
            {"defect": few.at(nuclei=[vb.Nucleus(0.5, 1e6, np.eye(3) * 1e6)])},
        ),
        start=2,
    ):
        small(options.pop("defect", few), cache=True, **options)
        assert len(list(own_cache.iterdir())) == n
    small(few.at(name="another name", source="elsewhere", temperature=300.0), cache=True)
    assert len(list(own_cache.iterdir())) == n


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "other inputs", "flipped value", "pickle"])
def test_a_damaged_file_is_made_anew(own_cache, damage):
    first = small(cache=True)
    (file,) = own_cache.iterdir()
    with np.load(file) as kept:
        parts = {name: kept[name] for name in kept.files}
    if damage in ("cut", "noise", "empty"):
        whole = file.read_bytes()
        file.write_bytes({"cut": whole[: len(whole) // 2], "noise": b"noise" * 99, "empty": b""}[damage])
    else:
        if damage == "other inputs":
            parts["inputs"] = np.array("{}")
        elif damage == "flipped value":
            parts["values"] = parts["values"] + np.float32(0.1)
        else:
            parts["values"] = np.array([{"a": 1}], dtype=object)
        np.savez(file, **parts)
    again = small(cache=True)
    assert (again._coefficients == first._coefficients).all()
    assert (small(cache=True)._coefficients == first._coefficients).all()


def test_a_folder_that_cannot_be_written_costs_one_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("VBSENSE_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="VBSENSE_CACHE_DIR"):
        table = small(cache=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(cache=True)
    assert table([0, 0, 8e-3]).shape == (33,)


def test_no_half_written_file_is_left_when_the_disk_is_full(own_cache, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.warns(RuntimeWarning, match="No space"):
        small(cache=True)
    assert list(own_cache.iterdir()) == []


def test_without_the_cache_nothing_is_written(own_cache):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small()
    assert not own_cache.exists()


@pytest.mark.parametrize(
    ("platform", "variable"), [("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA"), ("darwin", "HOME")]
)
def test_every_system_has_its_place(platform, variable, tmp_path, monkeypatch):
    monkeypatch.delenv("VBSENSE_CACHE_DIR")
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("sys.platform", platform)
    assert tmp_path in tablecache.cache_folder().parents
