"""The grammar that the simulated instruments speak."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vbsense.instruments.twin.scpi import Choice, Device, Number, ScpiError, Switch, compile_header, parse_number

PATTERN = "[:SOURce]:LIST:FREQuency[:CW]"


def device() -> Device:
    instrument = Device("maker,model,1,1", nullcontext())
    instrument.setting("frequency", "[:SOURce]:FREQuency[:CW]", Number(9e3, 6e9, "Hz", 1e9))
    instrument.setting("mode", "[:SOURce]:FREQuency:MODE", Choice(("CW", "LIST", "SWEep")))
    instrument.setting("power", "[:SOURce]:POWer", Number(-145, 30, "dBm", -30))
    instrument.setting("output", ":OUTPut[:STATe]", Switch())
    return instrument


@st.composite
def headers(draw):
    """A header that the pattern allows."""
    words = [("SOUR", "CE", True), ("LIST", "", False), ("FREQ", "UENCY", False), ("CW", "", True)]
    text = ""
    for short, rest, optional in words:
        if not optional or draw(st.booleans()):
            word = short + (rest if draw(st.booleans()) else "")
            text += ":" + "".join(c.upper() if draw(st.booleans()) else c.lower() for c in word)
    return text


@given(headers())
def test_every_legal_form_of_a_header_is_understood(header):
    assert compile_header(PATTERN).fullmatch(header)


@given(headers(), st.data())
def test_a_header_that_is_neither_short_nor_long_is_refused(header, data):
    cut = header.upper().replace("FREQUENCY", "FREQ").replace("FREQ", data.draw(st.sampled_from(["FRE", "FREQU"])))
    assert not compile_header(PATTERN).fullmatch(cut)


@given(
    st.floats(-1e4, 1e4, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-9),
    st.sampled_from([("Hz", "kHz", 1e3), ("Hz", "MHz", 1e6), ("Hz", "GHZ", 1e9), ("A", "mA", 1e-3), ("A", "uA", 1e-6)]),
    st.sampled_from(["", " "]),
)
def test_units_scale(value, unit, space):
    base, suffix, factor = unit
    assert parse_number(f"{value!r}{space}{suffix}", base) == pytest.approx(value * factor, rel=1e-12)


@given(st.text(max_size=30))
def test_any_text_ends_in_a_reply_or_in_the_queue_and_never_in_an_exception(text):
    instrument = device()
    instrument.execute(text)
    assert instrument.execute("*IDN?") == "maker,model,1,1"


@given(st.floats(9e3, 6e9))
def test_what_was_set_is_what_is_read(value):
    instrument = device()
    instrument.execute(f"SOUR:FREQ {value:.12g}")
    assert float(instrument.execute("FREQUENCY:CW?")) == pytest.approx(value, rel=1e-11)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("NONSENSE 1", -113),
        ("FREQU 1e9", -113),
        ("FREQ 7e9", -222),
        ("FREQ 3 V", -131),
        ("FREQ abc", -104),
        ("FREQ", -109),
        ("FREQ 1e9,2e9", -108),
        ("FREQ:MODE WRONG", -224),
        ("POW 31 dBm", -222),
        ("POW 1e999", -222),
    ],
)
def test_errors_have_the_codes_of_the_standard(message, code):
    instrument = device()
    before = dict(instrument.values)
    assert instrument.execute(message) is None
    assert instrument.execute("SYST:ERR?").startswith(f"{code},")
    assert instrument.execute("SYST:ERR?") == '0,"No error"'
    assert instrument.values == before


def test_compound_messages_continue_at_the_level_of_the_last_header():
    instrument = device()
    assert instrument.execute("SOUR:FREQ:MODE LIST;CW 2 GHz;*OPC?;MODE?;:OUTP ON;:OUTP?") == "1;LIST;1"
    assert instrument.values["frequency"] == 2e9
    instrument.execute("FREQ:MODE CW;OUTP OFF")
    assert instrument.execute("SYST:ERR?").startswith("-113")
    assert instrument.values["output"] is True


def test_a_full_queue_says_so():
    instrument = device()
    for _ in range(50):
        instrument.execute("NONSENSE")
    errors = instrument.execute("SYST:ERR:ALL?")
    assert errors.count("-113") == 19
    assert errors.endswith('-350,"Queue overflow"')


def test_minimum_and_maximum_can_be_asked_for_and_set():
    instrument = device()
    assert instrument.execute("FREQ? MAX") == "6000000000"
    instrument.execute("POW MIN")
    assert instrument.values["power"] == -145
    with pytest.raises(ScpiError):
        Number(0, 1).read("2")
