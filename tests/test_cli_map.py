"""The commands `map` and `sensitivity`: what they write, print and refuse."""

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis, sims
from vbsense.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fits of a pair of polarities by two models."""
    path = tmp_path_factory.mktemp("maps")
    scene = sims.gold_wire_nanoarray(rows=3, columns=4)
    sweep = sims.simulate_sweep(
        scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1, currents=(1e-3, -1e-3)
    )
    sites = analysis.unmix(sweep)
    for name, model in (("fit", "gaussian"), ("exact", "hamiltonian")):
        vb.save(analysis.fit_sweep(sites, model, covariance=True), path / f"{name}.h5")
    return path


def test_the_correction_is_chosen_on_the_line(folder, capsys):
    fit = vb.load(folder / "fit.h5")
    own = analysis.hyperfine_correction(fit, linewidth=55e6)
    for how, table in (("none", None), ("55MHz", own), ("auto", analysis.hyperfine_correction(fit))):
        out = folder / f"{how}.h5"
        assert main(["map", str(folder / "fit.h5"), "--correction", how, "--out", str(out)]) == 0
        expected = analysis.field_map(fit, correction=table)
        assert vb.load(out).B.values == pytest.approx(expected.B.values, rel=1e-12)
        said = capsys.readouterr().out
        assert ("not corrected" in said) == (how == "none")
        assert "12 of 12 values" in said


def test_a_fit_of_the_hamiltonian_needs_no_correction(folder, capsys):
    out, picture = folder / "f.h5", folder / "f.png"
    assert main(["map", str(folder / "exact.h5"), "--out", str(out), "--plot", str(picture)]) == 0
    assert "Hamiltonian" in capsys.readouterr().out
    fit = vb.load(folder / "exact.h5")
    expected = (fit.Bz.sel(polarity=1) - fit.Bz.sel(polarity=-1)).values / 2
    assert vb.load(out).B.values[0] == pytest.approx(expected, abs=1e-12)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["map", str(folder / "exact.h5"), "--correction", "55MHz", "--out", str(folder / "g.h5")]) == 2
    assert "leave it out" in capsys.readouterr().err


def test_the_bias_on_the_line_turns_the_sign(folder, capsys):
    for bias, name in (("0,0,10", "up"), ("0,0,-10mT", "down")):
        arguments = ["map", str(folder / "fit.h5"), "--correction", "none", f"--bias={bias}"]
        assert main([*arguments, "--out", str(folder / f"{name}.h5")]) == 0
    up, down = (vb.load(folder / f"{name}.h5").B.values for name in ("up", "down"))
    assert up == pytest.approx(-down)


@pytest.mark.parametrize("how", ["45", "some", "-45MHz", "45GHz"])
def test_a_width_has_its_unit(folder, how, capsys):
    with pytest.raises(SystemExit):
        main(["map", str(folder / "fit.h5"), f"--correction={how}"])
    assert "neither auto, none nor a width" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["fit", "exact"])
def test_sensitivities_are_printed_with_their_definitions(folder, name, capsys):
    picture = folder / f"eta_{name}.png"
    assert main(["sensitivity", str(folder / f"{name}.h5"), "--plot", str(picture)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in said[:3]] == ["slope", "sweep", "bound"]
    assert all("uT/sqrt(Hz)" in line for line in said[:3])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["sensitivity", str(folder / f"{name}.h5"), "--plot", str(picture)]) == 2
    assert "--force" in capsys.readouterr().err


def test_repeats_are_measured(folder, capsys):
    scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    frequency = np.linspace(2.97e9, 3.97e9, 61)
    repeats = [analysis.unmix(sims.simulate_sweep(scene, frequency, exposure=0.5, rng=k)) for k in range(3)]
    vb.save(analysis.fit_sweep(analysis.stack_sweeps(repeats)), folder / "repeats.h5")
    assert main(["sensitivity", str(folder / "repeats.h5")]) == 0
    assert "measured, scatter of repeats" in capsys.readouterr().out


def test_a_sweep_is_no_fit(folder, capsys):
    sweep = vb.make_sweep(np.ones((3, 2, 2)), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7)
    vb.save(sweep, folder / "sweep.h5")
    for command in ("map", "sensitivity"):
        assert main([command, str(folder / "sweep.h5")]) == 2
        assert "fit is needed" in capsys.readouterr().err
