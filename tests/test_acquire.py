"""The acquisition: what it refuses, what it takes again, what it keeps."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from rig_scene import SmallScene

from vbsense.data import average
from vbsense.instruments import ConnectionLost, InstrumentError, SweepRejected, odmr_sweep, simulated_rig
from vbsense.instruments.acquire.checks import SATURATED
from vbsense.spool import read

FREQUENCY = np.linspace(3.1e9, 3.7e9, 21)
GOOD = {"exposure": 0.01, "power": 0.0, "progress": False}


@pytest.fixture
def quick(monkeypatch):
    """Make the file in this process: another one costs a second."""
    from vbsense.files import load
    from vbsense.instruments.acquire import engine
    from vbsense.spool import finalise

    monkeypatch.setattr(engine, "finalise", lambda run: load(finalise(run, run / "sweep.h5")))


@pytest.fixture
def rig(tmp_path):
    with simulated_rig(SmallScene(), timeout=0.3, log=tmp_path / "log.jsonl") as instruments:
        yield instruments


def commits(run) -> list[tuple[int, bool]]:
    """Sweeps in the order in which they were judged."""
    _, records = read(run)
    return [(record.key.sweep, record.content["accepted"]) for record in records if record.kind == "commit"]


def events(tmp_path) -> list[dict]:
    """What happened on the rig."""
    return [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]


REFUSED = [
    ("frequency", [3.2e9, 3.1e9], "not ascending"),
    ("frequency", [3.1e9, 3.1e9], "not ascending"),
    ("frequency", [3.1e9, math.nan], "NaN"),
    ("frequency", [3.1e9, math.inf], "infinite"),
    ("frequency", [], "empty"),
    ("frequency", 3.1e9, "frequency"),
    ("frequency", [3.1, 3.2], "Hz"),
    ("frequency", ["a", "b"], "could not convert"),
    ("frequency", None, "frequency"),
    ("frequency", [3.1e9, 6.1e9], "6100000000 Hz; it must be between 9000 and 6e.09 Hz"),
    ("power", 20.1, "20.1 dBm; it must be between .* and 20 dBm"),
    ("power", -150.0, "-150 dBm"),
    ("power", math.nan, "nan dBm"),
    ("power", None, "dBm"),
    ("power", "10 dBm", "dBm"),
    ("currents", (0.021,), "0.021 A; it must be between -0.02 and 0.02 A"),
    ("currents", (1e-3, -2e-3), "must be .I and -I"),
    ("currents", (1e-3, 1e-3), "must be .I and -I"),
    ("currents", (0.0,), "currents"),
    ("currents", (math.inf,), "A"),
    ("currents", ("1 mA",), "A"),
    ("currents", 1e-3, "currents"),
    ("exposure", 0.0, "exposure is 0 s"),
    ("exposure", -1.0, "exposure is -1 s"),
    ("exposure", math.nan, "exposure is nan s"),
    ("exposure", None, "exposure"),
    ("averages", 0, "averages is 0"),
    ("averages", 1.5, "averages is 1.5"),
    ("averages", True, "averages"),
    ("order", "random", "palindrome, up"),
    ("attributes", {"temprature": 300.0}, "unknown attribute 'temprature'"),
]


def test_impossible_plans_are_refused_before_a_byte_is_sent(rig, tmp_path, monkeypatch):
    def not_allowed(*_):
        raise AssertionError("something was sent")

    for device in (rig.source, rig.current, rig.camera):
        monkeypatch.setattr(device, "write_raw", not_allowed)
        monkeypatch.setattr(device, "ask_raw", not_allowed)
    for name, value, words in REFUSED:
        options = {"frequency": FREQUENCY, **GOOD, name: value}
        with pytest.raises((ValueError, TypeError), match=words):
            odmr_sweep(rig, options.pop("frequency"), run=tmp_path / "run", **options)
        assert not (tmp_path / "run").exists()
    monkeypatch.undo()


def test_a_folder_that_holds_a_run_is_refused(rig, tmp_path, quick):
    odmr_sweep(rig, FREQUENCY, run=tmp_path / "run", **GOOD)
    before = len(events(tmp_path))
    with pytest.raises(FileExistsError, match="folder of its own"):
        odmr_sweep(rig, FREQUENCY, run=tmp_path / "run", **GOOD)
    assert len(events(tmp_path)) == before


def test_too_little_space_is_refused(rig, tmp_path, monkeypatch):
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
    with pytest.raises(OSError, match="MB are free"):
        odmr_sweep(rig, FREQUENCY, run=tmp_path / "run", **GOOD)


def test_a_sweep_carries_what_is_known(rig, tmp_path):
    sweep = odmr_sweep(
        rig, FREQUENCY, run=tmp_path / "run", currents=(1e-3, -1e-3), attributes={"temperature": 295.0}, **GOOD
    )
    assert sweep.attrs["temperature"] == 295.0
    assert list(sweep.attrs["bias_field"]) == [0.0, 0.0, 0.01]
    assert sweep.attrs["camera_gain"] == 0.5
    assert json.loads(sweep.attrs["plan"])["averages"] == 1
    assert "frequency" in json.loads(sweep.attrs["snapshot"])["source"]["parameters"]
    assert (tmp_path / "run" / "sweep.h5").is_file()
    assert average(average(sweep, "direction"), "polarity").signal.dims == ("frequency", "y", "x")


def test_sweeps_follow_up_and_down_and_both_signs(rig, tmp_path, quick):
    odmr_sweep(rig, FREQUENCY, run=tmp_path / "run", currents=(-1e-3, 1e-3), averages=2, **GOOD)
    _, records = read(tmp_path / "run")
    keys = [record.key for record in records if record.kind == "frame"]
    way = [*range(21), *reversed(range(21))]
    assert [key.frequency for key in keys] == way * 4
    assert [key.direction for key in keys] == ([0] * 21 + [1] * 21) * 4
    assert [key.polarity for key in keys] == ([-1] * 42 + [1] * 42) * 2
    assert [key.sweep for key in keys] == [0] * 84 + [1] * 84


@pytest.mark.parametrize("kind", ["dropped", "doubled"])
@pytest.mark.parametrize("frame", ["0", "1", "17", "42"])
def test_a_lost_or_doubled_frame_is_found_and_its_sweep_taken_again(rig, tmp_path, kind, frame, monkeypatch, quick):
    from vbsense.instruments.acquire import engine

    monkeypatch.setattr(engine, "PATIENCE", 0.3)
    rig.world.fault(instrument="camera", kind=kind, command=frame)
    sweep = odmr_sweep(rig, FREQUENCY, run=tmp_path / "run", averages=2, **GOOD)
    assert sweep.attrs["frames"] == 2
    if (kind, frame) == ("doubled", "42"):  # nobody asks for a frame after the last one
        assert commits(tmp_path / "run") == [(0, True), (1, True)]
    else:
        assert commits(tmp_path / "run") == [(0, False), (0, True), (1, True)]


FAULTS = [
    ("source", "disconnect", "LIST:RES"),
    ("source", "lost", "LIST:LEAR"),
    ("source", "error", "LIST:RES"),
    ("source", "garbage", "SYST:ERR"),
    ("current", "disconnect", ":SOUR:LEV "),
    ("current", "error", ":SOUR:LEV "),
    ("camera", "disconnect", "FETC"),
]


def test_faults_in_a_sweep_are_survived(rig, tmp_path, monkeypatch, quick):
    monkeypatch.setattr("vbsense.instruments.microwave.rs_smx.LEARN_TIMEOUT", 0.3)
    for instrument, kind, command in FAULTS:
        run = tmp_path / f"{instrument}-{kind}"
        rig.world.fault(instrument=instrument, kind=kind, command=command)
        sweep = odmr_sweep(rig, FREQUENCY, run=run, currents=(1e-3, -1e-3), **GOOD)
        assert sweep.attrs["complete"] == 1, (instrument, kind)
        assert rig.world.state()["faults"] == []
        assert commits(run)[-1] == (0, True)


def test_a_fault_that_stays_ends_in_a_safe_stop(rig, tmp_path):
    rig.world.fault(instrument="source", kind="error", command="LIST:RES", count=100)
    with pytest.raises(SweepRejected, match=r"sweep 0 failed 4 times.*-300") as caught:
        odmr_sweep(rig, FREQUENCY, run=tmp_path / "run", currents=(1e-3,), **GOOD)
    assert "vbsense recover" in "".join(caught.value.__notes__)
    state = rig.world.state()
    assert (state["frequency"], state["current"]) == (None, 0.0)


def test_an_exception_switches_everything_off(rig, tmp_path, monkeypatch):
    from vbsense.instruments.acquire import engine

    def full(*_, **__):
        assert rig.world.state()["current"] != 0
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine.Spool, "append", full)
    with pytest.raises(OSError, match="No space left"):
        odmr_sweep(rig, FREQUENCY, run=tmp_path / "run", currents=(1e-3,), **GOOD)
    state = rig.world.state()
    assert (state["frequency"], state["current"]) == (None, 0.0)


def test_a_rig_that_was_interrupted_can_be_used_again(rig, tmp_path, monkeypatch, quick):
    from vbsense.instruments.acquire import engine

    append, calls = engine.Spool.append, []

    def interrupted(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return append(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(engine.Spool, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            odmr_sweep(rig, FREQUENCY, run=tmp_path / "first", currents=(1e-3,), **GOOD)
    assert rig.world.state()["current"] == 0
    assert len(read(tmp_path / "first")[1]) == 10  # nine frames and the end
    rig.camera.arm(1000, 0.01)  # somebody forgot to stop this
    assert odmr_sweep(rig, FREQUENCY, run=tmp_path / "second", currents=(1e-3,), **GOOD).attrs["complete"] == 1
    assert commits(tmp_path / "second") == [(0, True)]


def test_saturated_frames_are_marked(tmp_path, quick):
    with simulated_rig(SmallScene(rate_scale=2.75)) as rig:
        odmr_sweep(rig, FREQUENCY, run=tmp_path / "run", **GOOD | {"exposure": 0.005})
    _, records = read(tmp_path / "run")
    frames = [record for record in records if record.kind == "frame"]
    assert all(record.flags == (SATURATED if record.frame.max() == 65535 else 0) for record in frames)
    assert {record.flags for record in frames} == {0, SATURATED}


def test_what_cannot_be_switched_off_is_said(rig, monkeypatch):
    monkeypatch.setattr(rig.source, "off", lambda: (_ for _ in ()).throw(ConnectionLost("cable")))
    rig.current.start()
    rig.current.ramp(1e-3)
    with pytest.raises(ExceptionGroup, match="could be switched off"):
        rig.all_off()
    assert rig.world.state()["current"] == 0
    monkeypatch.undo()


def test_error_of_the_instrument_has_code_and_text():
    error = InstrumentError(-222, "Data out of range", "POW 99")
    assert (error.code, error.text, error.command) == (-222, "Data out of range", "POW 99")
