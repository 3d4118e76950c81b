"""Drivers: the bytes that they send, the limits that they keep, the errors that they raise."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import numpy as np
import pytest
from rig_scene import SmallScene

from vbsense.instruments import (
    ConnectionLost,
    GS200Current,
    InstrumentError,
    InstrumentFault,
    InstrumentTimeout,
    Limits,
    ProtocolError,
    RohdeSchwarzSMx,
    SimulatedCamera,
    simulated_rig,
)
from vbsense.instruments.camera.role import Camera
from vbsense.instruments.process import environment

TIMEOUT = 0.3  # s


@pytest.fixture
def rig():
    with simulated_rig(
        SmallScene(), limits=Limits((1e9, 6e9), power=10.0, current=2e-3), timeout=TIMEOUT
    ) as instruments:
        yield instruments


@pytest.fixture
def wire(rig, monkeypatch):
    """Every message that reaches the simulated instruments, in order."""
    sent: list[str] = []
    from vbsense.instruments.twin import server

    original = server._Handler._message

    def record(self, served, message):
        if served.name in ("source", "current"):
            sent.append(message)
        original(self, served, message)

    monkeypatch.setattr(server._Handler, "_message", record)
    rig.source.ask("*IDN?")
    sent.clear()
    return sent


def test_list_is_programmed_in_the_order_that_works(rig, wire):
    rig.source.program_list([3.1e9, 3.2e9, 3.2e9, 3.1e9], 0.0)
    rig.source.arm()
    rig.source.off()
    assert wire == [
        "*CLS",
        "FREQ:MODE CW",
        "LIST:SEL '/var/user/vbsense'",
        "LIST:FREQ 3100000000,3200000000,3200000000,3100000000",
        "LIST:POW 0",
        "LIST:MODE STEP",
        "LIST:TRIG:SOUR EXT",
        "INP:TRIG:SLOP NEG",
        "LIST:LEAR;*OPC?",
        "LIST:FREQ:POIN?",
        "LIST:POW:POIN?",
        "SYST:ERR:ALL?",
        "OUTP 1",
        "FREQ:MODE LIST",
        "LIST:RES;*OPC?",
        "OUTP OFF",
        "OUTP?",
    ]


def test_current_ramps_in_steps_and_ends_at_zero(rig, wire):
    rig.current.start()
    wire.clear()
    rig.current.ramp(2.5e-4)
    levels = [message for message in wire if message.startswith(":SOUR:LEV ")]
    assert levels == [":SOUR:LEV 8.33333e-05", ":SOUR:LEV 1.66667e-04", ":SOUR:LEV 2.50000e-04"]
    rig.current.zero()
    assert wire[-4:] == [":OUTP 0", ":SOUR:LEV 0", ":SOUR:LEV?", ":OUTP?"]
    assert rig.world.state()["current"] == 0


BAD = [math.nan, math.inf, -math.inf, None, "text", "3.5 GHz", [1.0], 1 + 1j, True, b"1", {}, object()]


def test_frequencies_out_of_range_are_refused_before_a_byte_is_sent(rig, wire):
    for value in [*BAD, 0.0, -1.0, 0.99e9, 6.01e9]:
        with pytest.raises((ValueError, TypeError), match=r"frequency\[1\].*between 1e\+09 and 6e\+09 Hz"):
            rig.source.program_list([3e9, value], 0.0)
        if value is not True:
            with pytest.raises((ValueError, TypeError)):
                rig.source.frequency(value)
    assert wire == []


def test_powers_out_of_range_are_refused_before_a_byte_is_sent(rig, wire):
    for value in [*BAD, 10.01, 1e6, -145.1]:
        with pytest.raises((ValueError, TypeError), match=r"power.*between -145 and 10 dBm"):
            rig.source.program_list([3e9, 3.1e9], [0.0, value])
        if not isinstance(value, list):
            with pytest.raises((ValueError, TypeError), match="dBm"):
                rig.source.program_list([3e9, 3.1e9], value)
    assert wire == []


def test_currents_out_of_range_are_refused_before_a_byte_is_sent(rig, wire):
    for value in [*BAD, 2.001e-3, -2.001e-3, 1.0]:
        with pytest.raises((ValueError, TypeError), match=r"current.*between -0.002 and 0.002 A"):
            rig.current.ramp(value)
    assert wire == []


def test_the_ways_of_the_inherited_driver_keep_the_limit_too(rig):
    rig.current.start()
    for mode in ("JUMP", "SOFTWARE", "HARDWARE"):
        rig.current.ramp_mode(mode)
        with pytest.raises(ValueError, match=r"between -0.002 and 0.002 A"):
            rig.current.current(3e-3)
    rig.current.zero()
    with pytest.raises(ValueError, match="CURR"):
        rig.current.source_mode("VOLT")
    assert rig.world.state()["current"] == 0


def test_a_list_that_does_not_arrive_whole_is_noticed(rig):
    rig.world.fault(instrument="source", kind="error", command="LIST:FREQ ")
    with pytest.raises(InstrumentError, match=r"-300.*programming the list") as caught:
        rig.source.program_list([3e9, 3.1e9], 0.0)
    assert (caught.value.code, caught.value.command) == (-300, "programming the list")
    with pytest.raises(ValueError, match="3 powers for 2 frequencies"):
        rig.source.program_list([3e9, 3.1e9], [0.0, 1.0, 2.0])


@pytest.mark.parametrize("kind", ["late", "lost", "garbage", "empty", "unterminated", "disconnect"])
@pytest.mark.parametrize("instrument", ["source", "current"])
def test_a_query_is_repeated_once_and_then_the_error_is_typed(rig, kind, instrument):
    device, query = getattr(rig, instrument), {"source": "FREQ?", "current": ":SOUR:LEV?"}[instrument]
    right = device.ask(query)
    rig.world.fault(instrument=instrument, kind=kind, command=query, count=1, seconds=1.0)
    assert device.ask(query) == right
    rig.world.fault(instrument=instrument, kind=kind, command=query, count=2, seconds=1.0)
    start = time.monotonic()
    with pytest.raises(InstrumentFault) as caught:
        device.ask(query)
    assert time.monotonic() - start < TIMEOUT + 0.5
    assert (
        type(caught.value)
        is {
            "late": InstrumentTimeout,
            "lost": InstrumentTimeout,
            "unterminated": InstrumentTimeout,
            "garbage": ProtocolError,
            "empty": ProtocolError,
            "disconnect": ConnectionLost,
        }[kind]
    )
    assert device.ask(query) == right


def test_commands_are_never_sent_twice(rig, wire):
    rig.world.fault(instrument="source", kind="disconnect", command="POW")
    rig.source.write("POW -20")
    assert rig.source.ask("FREQ?") == "1000000000"
    rig.world.fault(instrument="source", kind="disconnect", command="LIST:LEAR")
    with pytest.raises(ConnectionLost):
        rig.source.ask("LIST:LEAR;*OPC?")
    assert wire.count("POW -20") == 1
    assert wire.count("LIST:LEAR;*OPC?") == 1


def _late_replies(rig, count: int) -> None:
    rng = np.random.default_rng(1)
    asked = {"FREQ?": "1000000000", "POW?": "-30", "OUTP?": "0", "LIST:MODE?": "AUTO"}
    for _ in range(count):
        query = str(rng.choice(list(asked)))
        if rng.random() < 0.5:
            rig.world.fault(instrument="source", kind="late", command=query, seconds=TIMEOUT * rng.uniform(0.8, 1.3))
        assert rig.source.ask(query) == asked[query]


def test_a_late_reply_is_never_given_to_another_query(rig):
    _late_replies(rig, 12)


@pytest.mark.slow
def test_a_thousand_late_replies(rig):
    _late_replies(rig, 1000)


def test_a_flood_does_not_answer_the_next_question(rig):
    rig.world.fault(instrument="source", kind="flood", command="FREQ?")
    assert rig.source.frequency() == 1e9
    assert rig.source.power() == -30


def test_an_instrument_that_comes_back_is_used_again(rig, monkeypatch):
    from vbsense.instruments import transport

    def nobody(**_):
        raise ConnectionLost("nobody there")

    rig.world.fault(instrument="source", kind="disconnect", command="FREQ?", count=1)
    with monkeypatch.context() as patch:
        patch.setattr(transport, "open_resource", nobody)
        for _ in range(3):
            with pytest.raises(ConnectionLost):
                rig.source.ask("FREQ?")
    assert rig.source.frequency() == 1e9
    assert rig.source.timeout() == pytest.approx(TIMEOUT)


def test_nothing_answers():
    with pytest.raises(ConnectionLost, match=r"TCPIP::127.0.0.1::9::SOCKET"):
        RohdeSchwarzSMx("nobody", "TCPIP::127.0.0.1::9::SOCKET")


def test_connecting_and_closing_change_no_output(rig, wire):
    rig.source.output("on")
    rig.current.start()
    rig.current.ramp(1e-3)
    before = rig.world.state()
    wire.clear()
    for driver, options, other in ((RohdeSchwarzSMx, {}, rig.source), (GS200Current, {"limit": 2e-3}, rig.current)):
        driver(f"second_{driver.__name__}", other.address, **options).close()
    assert rig.world.state() == before
    assert all(message.endswith("?") for message in wire)


def test_snapshot_has_values_and_units(rig):
    rig.source.frequency(3.3e9)
    parameters = rig.snapshot()["source"]["parameters"]
    assert parameters["frequency"]["value"] == 3.3e9
    assert parameters["frequency"]["unit"] == "Hz"
    assert rig.snapshot()["current"]["parameters"]["source_mode"]["value"] == "VOLT"


def test_queries_take_no_44_ms(rig):
    start = time.perf_counter()
    for _ in range(50):
        rig.source.write("POW -30")
        rig.source.ask("POW?")
    assert (time.perf_counter() - start) / 50 < 0.02


def test_camera_fills_its_role_and_a_timeout_loses_no_frame(rig):
    camera = rig.camera
    assert isinstance(camera, Camera)
    assert isinstance(camera, SimulatedCamera)
    camera.arm(3, 0.01)
    frames = [camera.read(1.0) for _ in range(3)]
    assert [frame.counter for frame in frames] == [0, 1, 2]
    assert frames[0].counts.shape == camera.shape
    with pytest.raises(InstrumentTimeout):
        camera.read(0.1)
    camera.stop()
    camera.arm(1, 0.01)
    assert camera.read(1.0).counter == 0
    camera.stop()


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, None, "1 s"])
def test_camera_refuses_an_impossible_exposure(rig, value):
    with pytest.raises((ValueError, TypeError), match=r"exposure.*s"):
        rig.camera.arm(1, value)


def test_importing_the_room_is_light_and_qcodes_leaves_no_file(tmp_path):
    code = (
        "import sys, vbsense.instruments as room; "
        "assert not {'qcodes', 'pyvisa', 'xarray'} & set(sys.modules); "
        "import vbsense.instruments.guard; assert not {'qcodes', 'pyvisa', 'numpy'} & set(sys.modules); "
        "room.RohdeSchwarzSMx; room.GS200Current"
    )
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment() | home, cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []
