"""The command line: the way through, and one clear line with exit code 2 for everything that is wrong."""

from __future__ import annotations

import subprocess
import sys

import h5py
import numpy as np
import pytest

import vbsense as vb
from vbsense import sims
from vbsense.cli import build_parser, main
from vbsense.cli.options import quantity

SMALL = ["--exposure", "1s", "--averages", "2", "--frequencies", "2.97GHz", "3.97GHz", "41"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a sweep, made by the command."""
    path = tmp_path_factory.mktemp("cli")
    assert main(["simulate", "gold_wire_nanoarray", str(path / "sweep.h5"), *SMALL]) == 0
    return path


def test_from_sweep_to_map(folder, capsys):
    assert main(["fit", str(folder / "sweep.h5"), "--force"]) == 0
    assert "of 450 fits without a flag" in capsys.readouterr().out
    assert main(["map", str(folder / "fit.h5"), "--plot", str(folder / "map.png"), "--force"]) == 0
    assert "Bz from -" in capsys.readouterr().out
    assert (folder / "map.png").read_bytes().startswith(b"\x89PNG")
    field = vb.load(folder / "field.h5")
    truth = sims.gold_wire_nanoarray().wire_field(1e-3)[:, 2]
    pull = (field.B.values[0] - truth) / field.B_err.values[0]
    assert abs(np.nanmean(pull)) < 5 / np.sqrt(225)
    assert 0.8 < np.nanstd(pull) < 1.2


def test_info_says_what_is_in_the_file(folder, capsys):
    assert main(["info", str(folder / "sweep.h5"), "--verify"]) == 0
    text = capsys.readouterr().out
    for word in ("vbsense.sweep/1", "frequency", "electron", "exposure"):
        assert word in text


def wrong_inputs(folder):
    """Arguments, and a word that the message must hold."""
    text = folder / "notes.txt"
    text.write_text("not a file of ours")
    other = folder / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.arange(3)
    sweep = str(folder / "sweep.h5")
    out = str(folder / "new.h5")
    return [
        (["fit", str(folder / "missing.h5"), "--out", out], "missing.h5"),
        (["fit", str(text), "--out", out], "notes.txt"),
        (["info", str(other)], "other.h5"),
        (["map", sweep, "--out", out], "fit is needed"),
        (["fit", sweep, "--out", sweep], "--force"),
        (["fit", sweep, "--out", str(folder), "--force"], "is a folder"),
        (["fit", sweep, "--out", out, "--model", "gausian"], "gaussian"),
        (["simulate", "gold_wire", out], "gold_wire_nanoarray"),
        (["simulate", "gold_wire_nanoarray", sweep], "--force"),
        (["simulate", "gold_wire_nanoarray", str(folder / "no" / "x.h5")], "does not exist"),
        (["simulate", "gold_wire_nanoarray", out, "--frequencies", "4GHz", "3GHz", "9"], "ascending"),
        (["simulate", "gold_wire_nanoarray", out, "--frequencies", "3", "4", "9"], "no unit"),
        (["simulate", "gold_wire_nanoarray", out, "--frequencies", "3GHz", "4GHz", "many"], "whole number"),
        (["simulate", "gold_wire_nanoarray", out, "--exposure=-1s"], "exposure"),
        (["simulate", "gold_wire_nanoarray", out, "--averages", "0"], "averages"),
        (["acquire", "--simulated", "gold_wire_nanoarray", out, "--power", "60dBm"], "dBm"),
        (["acquire", "--simulated", "gold_wire_nanoarray", out, "--current", "3A"], "A"),
        (["acquire", "--simulated", "gold_wire_nanoarray", out, "--frequencies", "2GHz", "90GHz", "9"], "Hz"),
        (["recover", str(folder / "nothing")], "nothing"),
        (["recover", str(folder)], str(folder)),
        (["demo", "--out", str(folder)], "--force"),
    ]


def test_wrong_input_gets_one_line_and_exit_code_2(folder, capsys):
    for arguments, word in wrong_inputs(folder):
        assert main(arguments) == 2, arguments
        message = capsys.readouterr().err.strip()
        assert word in message, (arguments, message)
        assert message.startswith("vbsense: error: "), (arguments, message)
        assert "\n" not in message, (arguments, message)
    assert not (folder / "new.h5").exists()


@pytest.mark.parametrize(
    ("option", "word"),
    [("--exposure=0.5", "no unit"), ("--exposure=0.5Hz", "must be in s"), ("--power=1mdBm", "must be in dBm"),
     ("--current=much", "not a number"), ("--frequences", "unrecognized"), ("--averages=2.5", "no whole number"),
     ("--seed=-1", "0 or more")],
)  # fmt: skip
def test_wrong_options_are_refused_by_the_parser(option, word, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "gold_wire_nanoarray", "x.h5", option])
    assert stop.value.code == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("2.97GHz", "Hz", 2.97e9), ("500 ms", "s", 0.5), ("-3dBm", "dBm", -3.0), ("1e-3A", "A", 1e-3), ("2µs", "s", 2e-6)],
)
def test_quantities(text, unit, value):
    assert quantity(unit)(text) == pytest.approx(value, rel=1e-15)


def test_a_bug_is_not_dressed_up_as_bad_input(monkeypatch):
    from vbsense.cli import info

    def broken(args):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(info, "run", broken)
    with pytest.raises(ZeroDivisionError):
        main(["info", "x.h5"])


def test_every_command_explains_itself(capsys):
    for name in ("demo", "simulate", "acquire", "fit", "map", "info", "recover"):
        with pytest.raises(SystemExit) as stop:
            build_parser().parse_args([name, "--help"])
        assert stop.value.code == 0
        assert len(capsys.readouterr().out) > 200


def test_module_and_command_are_the_same(tmp_path):
    done = subprocess.run([sys.executable, "-m", "vbsense", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"vbsense {vb.__version__}"


def test_output_into_a_closed_pipe_is_quiet(folder):
    command = f"{sys.executable} -m vbsense info {folder / 'sweep.h5'} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
