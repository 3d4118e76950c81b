"""Outputs go off however the acquisition ends, and what was measured stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from rig_scene import SmallScene

from vbsense.instruments import odmr_sweep, simulated_rig
from vbsense.instruments.guard import GuardLost, Output, switch_off
from vbsense.instruments.interrupts import Interrupts
from vbsense.instruments.process import detached, environment
from vbsense.spool import read, recover

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

FREQUENCY = np.linspace(3.1e9, 3.7e9, 41)
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from rig_scene import small_scene
from vbsense.instruments import odmr_sweep, simulated_rig
folder = Path(sys.argv[1])
with simulated_rig(small_scene(), log=folder / "log.jsonl") as rig:
    odmr_sweep(rig, np.linspace(3.1e9, 3.7e9, 41), run=folder / "run", exposure=0.002, power=0.0,
               currents=(1e-3, -1e-3), averages=10_000, progress=False)
"""


def start(folder: Path) -> subprocess.Popen:
    """An acquisition that is in the middle of its sweeps."""
    folder.mkdir(exist_ok=True)
    with open(folder / "stderr", "w") as stderr:
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], env=environment(), stderr=stderr)
    spool, deadline = folder / "run" / "frames.spool", time.monotonic() + 30
    while not spool.exists() or spool.stat().st_size < 100 * 1600:
        assert process.poll() is None, (folder / "stderr").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def off_after(folder: Path, moment: float, *, patience: float = 3.0) -> float:
    """Seconds from `moment` until microwave and current were off for good, as the world saw it."""
    end = time.monotonic() + patience
    while True:
        lines = (folder / "log.jsonl").read_text().splitlines(keepends=True)
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        last = {name: [e for e in events if e["instrument"] == name and e["what"][:5] in ("outpu", "level")][-1]
                for name in ("source", "current")}  # fmt: skip
        if last["source"]["what"] == "output off" and last["current"]["current"] == 0.0:
            return max(event["wall"] for event in last.values()) - moment
        assert time.monotonic() < end, last
        time.sleep(0.02)


def stop(process: subprocess.Popen, *signals: int) -> float:
    """Send signals one after the other; returns when the first was sent (s since 1970)."""
    moment = time.time()
    for number in signals:
        process.send_signal(number)
        time.sleep(0.003)
    return moment


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT,), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGKILL,)],
    ids=["ctrl-c", "ctrl-c twice", "sigterm", "sighup", "kill -9"],
)
def test_outputs_are_off_within_a_second(tmp_path, signals):
    process = start(tmp_path)
    moment = stop(process, *signals)
    assert process.wait(timeout=10) != 0
    assert off_after(tmp_path, moment) < 1.0
    if signal.SIGKILL not in signals:
        assert f"vbsense recover {tmp_path / 'run'}" in (tmp_path / "stderr").read_text()
    _check_recovery(tmp_path)


def _check_recovery(folder: Path) -> None:
    """The spool of a run that was cut off is readable and becomes a file."""
    header, records = read(folder / "run")
    frames = [record for record in records if record.kind == "frame"]
    assert len(frames) > 50
    assert [record.sequence for record in records] == list(range(2, len(records) + 2))
    from vbsense.files import load

    sweep = load(recover(folder / "run", folder / "out.h5"))
    assert sweep.attrs["complete"] == 0
    light = sweep.signal.mean(("y", "x")).values
    assert np.nanmin(light) > 0.9 * np.nanmax(light)
    assert header["frequency"] == FREQUENCY.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_outputs_are_off_fifty_times(tmp_path, number):
    rng = np.random.default_rng(number)
    delays = []
    for k in range(50):
        process = start(tmp_path / str(k))
        time.sleep(rng.uniform(0, 0.2))
        moment = stop(process, number)
        process.wait(timeout=10)
        delays.append(off_after(tmp_path / str(k), moment))
        _check_recovery(tmp_path / str(k))
    print(f"off after {np.median(delays) * 1e3:.0f} ms (median), {max(delays) * 1e3:.0f} ms (worst)")
    assert max(delays) < 1.0


def test_outputs_are_off_after_a_normal_end(tmp_path):
    with simulated_rig(SmallScene(), log=tmp_path / "log.jsonl") as rig:
        odmr_sweep(
            rig, FREQUENCY, run=tmp_path / "run", exposure=0.01, power=0.0, currents=(1e-3, -1e-3), progress=False
        )
        assert off_after(tmp_path, time.time()) < 0


def test_without_its_guard_the_acquisition_stops(tmp_path):
    with simulated_rig(SmallScene(), log=tmp_path / "log.jsonl") as rig:
        moments = []

        def kill() -> None:
            time.sleep(0.4)
            moments.append(time.time())
            os.kill(rig.guard.pid, signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(GuardLost, match="guard process has ended"):
            odmr_sweep(
                rig,
                FREQUENCY,
                run=tmp_path / "run",
                exposure=0.002,
                power=0.0,
                currents=(1e-3, -1e-3),
                averages=10_000,
                progress=False,
            )
        thread.join()
        assert off_after(tmp_path, moments[0]) < 1.0
        with pytest.raises(GuardLost):
            odmr_sweep(rig, FREQUENCY, run=tmp_path / "next", exposure=0.01, power=0.0, progress=False)


def test_the_guard_reads_back_and_says_what_it_could_not_do():
    with simulated_rig(SmallScene()) as rig:
        rig.source.output("on")
        rig.current.start()
        rig.current.ramp(1e-3)
        for instrument in (rig.source, rig.current):
            assert switch_off(Output.of(instrument)) is None
        state = rig.world.state()
        assert (state["frequency"], state["current"]) == (None, 0.0)
        rig.world.fault(instrument="source", kind="garbage", command="OUTP?", count=1)
        assert switch_off(Output.of(rig.source)) is None
        rig.world.fault(instrument="source", kind="disconnect", command="OUTP OFF", count=10)
        assert "source" not in str(switch_off(Output.of(rig.source)))
    assert "refused" in str(switch_off(Output("TCPIP::127.0.0.1::9::SOCKET", ("OUTP OFF",)))).lower()


def test_what_the_drivers_cannot_switch_off_the_guard_does(tmp_path, monkeypatch):
    rig = simulated_rig(SmallScene(), log=tmp_path / "log.jsonl")
    rig.source.output("on")
    rig.current.start()
    rig.current.ramp(1e-3)
    moment = time.time()

    def broken(_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(type(rig.source), "off", broken)
    monkeypatch.setattr(type(rig.current), "zero", broken)
    with pytest.raises(ExceptionGroup, match="could be switched off"):
        rig.close()
    assert 0 < off_after(tmp_path, moment) < 1.0


def test_a_rig_that_is_not_closed_goes_off_with_its_process(tmp_path):
    script = SCRIPT.split("with simulated")[0] + (
        "rig = simulated_rig(small_scene(), log=folder / 'log.jsonl')\n"
        "rig.source.output('on'); rig.current.start(); rig.current.ramp(1e-3)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment(), check=True)
    assert off_after(tmp_path, time.time()) < 1.0


def test_signals_wait_for_the_end_of_a_shield():
    interrupts = Interrupts()
    before = signal.getsignal(signal.SIGTERM)
    done = []

    def work() -> None:
        with interrupts:
            with interrupts.shielded():
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0.01)
                done.append("switched off")
            done.append("never reached")

    with pytest.raises(SystemExit, match="143"):
        work()
    assert done == ["switched off"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_windows_has_no_sighup_and_other_groups(monkeypatch):
    monkeypatch.delattr(signal, "SIGHUP")
    with Interrupts() as interrupts:
        assert signal.getsignal(signal.SIGTERM) == interrupts._arrived
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert detached() == {"creationflags": 512}


def test_in_another_thread_there_are_no_signals():
    states = []

    def work() -> None:
        with Interrupts():
            states.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert states == [signal.getsignal(signal.SIGTERM)]
