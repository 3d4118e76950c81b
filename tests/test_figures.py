"""Figures of the spin: axes with units, curves where the physics puts them, and the command that draws them."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
from matplotlib.figure import Figure

import vbsense as vb
from vbsense.cli import main
from vbsense.cli.spectrum import direction, field
from vbsense.sims import light, plot

F = np.linspace(2.9e9, 4.0e9, 221)
PATH = np.linspace(0, 10e-3, 21)[:, None] * [0.0, 0.0, 1.0]


@pytest.fixture
def ax():
    return Figure().subplots()


def test_levels_are_drawn_in_gigahertz_against_millitesla(ax):
    plot.level_diagram(PATH, ax)
    assert len(ax.lines) == 81
    drawn = np.array([line.get_ydata() for line in ax.lines])
    np.testing.assert_allclose(drawn[:, 7] * 1e9, vb.levels(PATH[7]), rtol=1e-12)
    assert ax.lines[0].get_xdata()[-1] == pytest.approx(10)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("B (mT), along (0, 0, 1)", "Energy / h (GHz)")


def test_bands_are_the_third_and_two_thirds(ax):
    plot.level_diagram(PATH, ax, band="lower")
    assert len(ax.lines) == 27
    other = Figure().subplots()
    plot.level_diagram(PATH, other, vb.VB15N, band="upper")
    assert len(other.lines) == 16
    with pytest.raises(ValueError, match="'lower', 'upper'"):
        plot.level_diagram(PATH, ax, band="middle")


def test_line_positions_are_the_transitions(ax):
    plot.line_positions(PATH, ax)
    drawn = np.array([line.get_ydata() for line in ax.lines]).T * 1e9
    np.testing.assert_allclose(drawn, vb.transitions(PATH), rtol=1e-12)
    assert "GHz" in ax.get_ylabel()


def test_the_image_shows_the_spectra(ax):
    mesh = plot.spectra_image(F, PATH, ax, linewidth=60e6)
    expected = 100 * vb.spectrum(F, PATH, linewidth=60e6).T
    np.testing.assert_allclose(np.ma.getdata(mesh.get_array()), expected)
    assert "GHz" in ax.get_ylabel()
    assert any("Depth" in other.get_ylabel() for other in ax.figure.axes)  # the colour bar


def test_contrast_turns_depth_into_light(ax):
    up = plot.spectra(F, PATH[::5], ax, linewidth=60e6)
    down = plot.spectra(F, PATH[::5], Figure().subplots(), linewidth=60e6, contrast=0.04)
    assert len(up) == len(down) == 5
    for one, other in zip(up, down, strict=True):
        np.testing.assert_allclose(100 - 0.04 * one.get_ydata(), other.get_ydata())
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "0, 0, 10"


@pytest.mark.parametrize("bad", [[[0, 0, 1e-3]], [0, 0, 1e-3], np.zeros((3, 2))])
def test_a_path_has_two_fields(ax, bad):
    with pytest.raises(ValueError, match="field has shape"):
        plot.level_diagram(bad, ax)


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--levels", "--defect", "VB15N"],
        ["--linewidth", "40MHz", "--drive", "1,1,0", "--frequencies", "3GHz", "4GHz", "51"],
    ],
)
def test_the_command_draws(tmp_path, capsys, options):
    out = tmp_path / "x.png"
    assert main(["spectrum", "--field", "0,0,10", "--out", str(out), *options]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "3183.9, 3756.1 MHz" in capsys.readouterr().out


def test_pictures_are_not_replaced_unasked(tmp_path, capsys):
    out = tmp_path / "x.svg"
    command = ["spectrum", "--field", "0,0,10mT", "--out", str(out), "--frequencies", "3GHz", "4GHz", "21"]
    assert main(command) == 0
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,0,10", (0, 0, 10e-3)),
        ("0,0,10mT", (0, 0, 10e-3)),
        ("0mT, 0mT, 10mT", (0, 0, 10e-3)),
        ("-1.5,2e1,.5", (-1.5e-3, 20e-3, 0.5e-3)),
        ("0T,500uT,0.01T", (0, 500e-6, 10e-3)),
    ],
)
def test_fields(text, expected):
    assert field(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "three numbers"),
        ("10", "three numbers"),
        ("0,0", "three numbers"),
        ("0,0,0,1", "three numbers"),
        ("0,,1", "three numbers"),
        ("a,b,c", "three numbers"),
        ("0,x,10mT", "not a number with a unit"),
        ("0,0,10Hz", "three numbers"),
        ("0,0,nan", "not finite"),
        ("0,0,inf", "not finite"),
        ("0,0,1e9", "without a unit are mT"),
    ],
)
def test_nonsense_fields(text, words, tmp_path, capsys):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        field(text)
    with pytest.raises(SystemExit) as exit_:
        main(["spectrum", "--field", text, "--out", str(tmp_path / "x.png")])
    assert exit_.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--out", "x.txt"], ".png"),
        (["--out", "missing/x.png"], "missing"),
        (["--linewidth=-60MHz"], "positive"),
        (["--frequencies", "4GHz", "3GHz", "51"], "ascending"),
        (["--frequencies", "3GHz", "4GHz", "many"], "POINTS"),
        (["--field", "0,0,0", "--levels"], "no way to go"),
    ],
)
def test_other_nonsense_is_one_line(options, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = [] if "--out" in options else ["--out", "x.png"]
    assert main(["spectrum", "--field", "0,0,10", *given, *options]) == 2
    error = capsys.readouterr().err.strip()
    assert words in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_drive_has_a_direction():
    assert direction("0,1,1") == (0, 1, 1)
    with pytest.raises(argparse.ArgumentTypeError, match="no direction"):
        direction("0,0,0")


def test_help_says_millitesla(capsys):
    with pytest.raises(SystemExit):
        main(["spectrum", "--help"])
    assert "in mT" in " ".join(capsys.readouterr().out.split())


def test_a_contrast_map_shows_the_contrast(ax):
    cycle, pump, drive = light.optical_cycle("baber2022"), np.geomspace(1e4, 1e7, 5), np.geomspace(1e3, 1e7, 4)
    mesh = plot.contrast_map(cycle, pump, drive, ax, lines=2)
    shown = np.ma.getdata(mesh.get_array())
    assert shown[2, 3] == pytest.approx(100 * float(light.contrast(cycle, pump=pump[3], lines=2, drive=drive[2])))
    assert (np.diff(shown, axis=0) > 0).all()  # more microwave, more contrast
    assert "1/µs" in ax.get_xlabel()
    assert "1/µs" in ax.get_ylabel()
