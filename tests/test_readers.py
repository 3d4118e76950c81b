"""Files of other programs: what is in them is read, what is missing is asked for, what is hostile is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from vbsense.analysis import fit_spectrum, fit_sweep, read_spectrum
from vbsense.data import LayoutError
from vbsense.lineshape import get_model

ROOT = Path(__file__).resolve().parent.parent
REAL = Path(os.environ.get("VBSENSE_REAL_DATA", ROOT.parent / "shared" / "data" / "real"))
FREQUENCY = np.linspace(2.85, 2.889, 40)  # GHz
LIGHT = get_model("gaussian1").evaluate(FREQUENCY * 1e9, [1000.0, 2.87e9, 5e6, 0.1])


def table(separator, *, names="", comment="", rows=None):
    rows = np.stack([FREQUENCY, LIGHT], -1) if rows is None else rows
    lines = [
        *(f"{comment}{line}" for line in names.splitlines()),
        *(separator.join(map(repr, r)) for r in rows.tolist()),
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("separator", "names", "comment"),
    [
        ("\t", "Controlled variable(GHz)\tSignal", "#"),
        (",", "frequency [GHz],counts", ""),
        ("; ", "setting: 3\n\nf (ghz); counts", "% "),
        (" ", "f(GHz) counts", "// "),
        ("   ", "f(GHz) counts", ";"),
    ],
)
def test_texts_of_all_kinds(tmp_path, separator, names, comment):
    file = tmp_path / "odmr.dat"
    file.write_text(table(separator, names=names, comment=comment), encoding="latin-1")
    sweep = read_spectrum(file, frames=1, power=15.0)
    np.testing.assert_allclose(sweep.frequency, FREQUENCY * 1e9, rtol=1e-12)
    np.testing.assert_array_equal(sweep.signal[:, 0], LIGHT)
    assert sweep.attrs["power"] == 15.0
    assert ("setting: 3" in sweep.attrs["user_header"]) == ("setting" in names)
    fit = fit_sweep(sweep, "gaussian1")
    assert float(fit.center.squeeze()) == pytest.approx(2.87e9, abs=3 * float(fit.center_err.squeeze()))


def test_the_order_of_the_file_does_not_matter(tmp_path):
    rows = np.stack([FREQUENCY, LIGHT], -1)
    order = np.random.default_rng(0).permutation(40)
    for name, some in (("up.csv", rows), ("any.csv", rows[order])):
        (tmp_path / name).write_text(table(",", rows=some))
    up, other = (read_spectrum(tmp_path / n, frequency_unit="GHz") for n in ("up.csv", "any.csv"))
    assert up.identical(other)


def test_several_columns_are_several_sites_and_errors_are_found(tmp_path):
    file = tmp_path / "two.csv"
    rows = np.stack([FREQUENCY, LIGHT, 2 * LIGHT, np.sqrt(LIGHT)], -1)
    file.write_text(table(",", names="f (GHz),left,right,Error", rows=rows))
    one = read_spectrum(file, signal="right", electrons=10.0)
    np.testing.assert_allclose(one.signal[:, 0], 20 * LIGHT)
    np.testing.assert_allclose(one.signal_err[:, 0], 10 * np.sqrt(LIGHT))
    two = read_spectrum(file, signal=["left", -2])
    assert dict(two.sizes) == {"frequency": 40, "site": 2}
    assert "signal_err" not in two  # one error for two signals would be a guess
    both = read_spectrum(file, signal=[1, 2], error=["Error", "Error"])
    np.testing.assert_array_equal(both.signal_err[:, 0], both.signal_err[:, 1])


def arrays():
    light = np.repeat(LIGHT, 12).reshape(40, 3, 4)
    return {"f": FREQUENCY * 1e9, "spectrum": LIGHT, "sites": light[:, 0], "images": light, "sigma": np.sqrt(light)}


@pytest.fixture(params=["npz", "h5"])
def archive(request, tmp_path):
    """The same arrays in an npz archive, and in groups of an HDF5 file."""
    path = tmp_path / f"odmr.{request.param}"
    if request.param == "npz":
        np.savez_compressed(path, **{f"data/{k}" if k == "sigma" else k: v for k, v in arrays().items()})
    else:
        with h5py.File(path, "w") as file:
            for name, values in arrays().items():
                file.create_dataset("data/sigma" if name == "sigma" else name, data=values, compression="gzip")
            file["text"] = "who measured"
            file["elsewhere"] = h5py.ExternalLink("/etc/other.h5", "/data")
            file["again"] = h5py.SoftLink("/f")
    return path


def test_arrays(archive):
    one = read_spectrum(archive, frequency="f", signal="spectrum", frequency_unit="Hz", frames=1)
    np.testing.assert_array_equal(one.signal[:, 0], LIGHT)
    sites = read_spectrum(archive, frequency="f", signal="sites", frequency_unit="Hz")
    assert sites.sizes["site"] == 4
    images = read_spectrum(
        archive, frequency="f", signal="images", error="data/sigma", frequency_unit="Hz", pixel_size=1e-7
    )
    assert images.signal.dims == ("frequency", "y", "x")
    assert float(images.x[1]) == 1e-7
    fit = fit_sweep(images, "gaussian1")
    assert fit.attrs["sigma"] == "signal_err"
    np.testing.assert_allclose(fit.center, 2.87e9, atol=3 * float(fit.center_err.max()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "which is the frequency"),
        ({"frequency": "f"}, "unit of the frequency 'f' is not known"),
        ({"frequency": "f", "frequency_unit": "Hz"}, "which is the signal"),
        ({"frequency": "f", "frequency_unit": "mHz", "signal": "spectrum"}, "Hz, kHz, MHz, GHz"),
        ({"frequency": "f", "frequency_unit": "GHz", "signal": "spectrom"}, "did you mean 'spectrum'"),
        ({"frequency": 0, "frequency_unit": "Hz", "signal": "spectrum"}, "unknown frequency"),
        ({"frequency": "images", "frequency_unit": "Hz", "signal": "spectrum"}, "one row of finite numbers"),
        ({"frequency": "f", "frequency_unit": "Hz", "signal": []}, "empty list"),
        ({"frequency": "f", "frequency_unit": "Hz", "signal": "images"}, "give pixel_size"),
        ({"frequency": "f", "frequency_unit": "Hz", "signal": "spectrum", "error": "images"}, "error has shape"),
        ({"frequency": "f", "frequency_unit": "Hz", "signal": "spectrum", "expsure": 1.0}, "did you mean 'exposure'"),
        ({"frequency": "f", "frequency_unit": "kHz", "signal": "spectrum", "electrons": -1.0}, "positive"),
    ],
)
def test_what_is_missing_is_asked_for(archive, options, message):
    with pytest.raises(ValueError, match=message):
        read_spectrum(archive, **options)


def test_an_attribute_of_hdf5_tells_the_unit(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["f"], file["s"] = FREQUENCY, LIGHT
        file["f"].attrs["units"] = "GHz"
    sweep = read_spectrum(tmp_path / "a.h5", frequency="f", signal="s")
    assert float(sweep.frequency[0]) == 2.85e9


BAD_TEXTS = {
    "": "no line of numbers",
    "a,b\n": "no line of numbers",
    "2.85,1\n2.86\n": "line 2 has 1 columns",
    "2.85,1\n2.86,x\n": "line 2 is '2.86,x'",
    "2.85,1\n2.85,2\n": "more than once",
    "nan,1\n2.86,2\n": "finite",
    "2.85\n2.86\n": "which is the signal",
    "2.85,1\n\x00": "is no text",
}


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_bad_texts(tmp_path, text):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(LayoutError, match=BAD_TEXTS[text]) as caught:
        read_spectrum(file, frequency_unit="GHz")
    assert str(caught.value).startswith(str(file))


def test_frequencies_in_another_unit_than_said(tmp_path):
    file = tmp_path / "odmr.csv"
    file.write_text(table(","))
    with pytest.raises(LayoutError, match="unit of the frequency"):
        read_spectrum(file)
    with pytest.raises(LayoutError, match=r"3.47 GHz is 3\.47e9"):
        read_spectrum(file, frequency_unit="Hz")


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_hostile_files_are_refused(tmp_path):
    trap = tmp_path / "sprung"
    np.savez(tmp_path / "pickle.npz", f=FREQUENCY, s=np.array([Trap(str(trap))], dtype=object))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Trap(str(trap))))
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 50)
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file["f"] = FREQUENCY
        file.create_dataset("s", (40,), "f8", external=[(str(tmp_path / "plain.npz"), 0, 320)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((40,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "outside.h5"), "f", (40,))
        file.create_virtual_dataset("s", layout)
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("s", (1 << 40,), "f8", chunks=(1 << 20,), compression="gzip")
    for name in ("pickle.npz", "plain.npz", "cut.h5", "outside.h5", "virtual.h5", "bomb.h5"):
        with pytest.raises(LayoutError, match=name):
            read_spectrum(tmp_path / name, frequency="f", signal="s", frequency_unit="GHz")
    assert not trap.exists()
    with pytest.raises(FileNotFoundError, match=r"missing\.csv does not exist"):
        read_spectrum(tmp_path / "missing.csv")
    with pytest.raises(FileNotFoundError, match="is no file"):
        read_spectrum(tmp_path)


def test_a_measured_spectrum():
    """Pulsed ODMR of a nitrogen-vacancy centre: two lines some MHz apart, and errors that are what they say."""
    found = sorted(REAL.glob("*ODMR*pulsed_measurement.dat"))
    if not found:
        pytest.skip(f"no measured file in {REAL}; set VBSENSE_REAL_DATA to the folder of one")
    sweep = read_spectrum(found[0])
    assert dict(sweep.sizes) == {"frequency": 40, "site": 1}
    assert "signal_err" in sweep
    assert "pulsed_measurement_logic" in sweep.attrs["user_header"]
    fit = fit_sweep(sweep, "gaussian").squeeze()
    assert int(fit.flags) == 0
    assert 2.866e9 < float(fit.center_lower) < 2.868e9
    assert 2.870e9 < float(fit.center_upper) < 2.872e9
    assert abs(float(fit.reduced_chi2) - 1) < 4 * np.sqrt(2 / 33)
    one = fit_spectrum(sweep, "gaussian")
    for name in ("center_lower", "center_upper", "fwhm_lower", "contrast_upper"):
        parameter = one.params[name]
        assert float(fit[name]) == pytest.approx(parameter.value, abs=0.02 * parameter.stderr)
        assert float(fit[f"{name}_err"]) == pytest.approx(parameter.stderr, rel=0.02)
