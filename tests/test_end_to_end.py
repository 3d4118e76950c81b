"""From the truth through rig, drivers, spool, file and fit back to the current: statistics over seeds."""

from __future__ import annotations

import json

import numpy as np
import pytest

import vbsense as vb
from vbsense import instruments, sims
from vbsense.cli import demo, main
from vbsense.cli.pipeline import analyse, pulls, report

FREQUENCY = np.linspace(*demo.GRID)


def simulate(seed: int, averages: int = 8):
    """The sweep of the demo without instruments (up and down in one average)."""
    scene = sims.gold_wire_nanoarray(current=demo.CURRENT, seed=seed)
    sweep = sims.simulate_sweep(
        scene, FREQUENCY, exposure=demo.EXPOSURE, power=demo.POWER, averages=averages,
        currents=(demo.CURRENT, -demo.CURRENT), rng=[seed, 1],
    )  # fmt: skip
    return scene, sweep


def acquire(seed: int, run, averages: int = 2):
    """The sweep of the demo through the drivers."""
    scene = sims.gold_wire_nanoarray(current=demo.CURRENT, seed=seed)
    with instruments.simulated_rig(scene, seed=seed) as rig:
        sweep = instruments.odmr_sweep(
            rig, FREQUENCY, run=run, exposure=demo.EXPOSURE, power=demo.POWER, currents=(demo.CURRENT, -demo.CURRENT),
            averages=averages, order="palindrome", progress=False,
        )  # fmt: skip
    return scene, sweep


def test_the_current_comes_back_through_the_rig(tmp_path):
    deviations, all_pulls = [], []
    for seed in range(3):
        scene, sweep = acquire(seed, tmp_path / str(seed))
        vb.save(sweep, tmp_path / f"{seed}.h5")
        result = analyse(vb.load(tmp_path / f"{seed}.h5"), scene.conductor)
        summary = report(result, scene, demo.CURRENT, 0)
        for name in ("current", "standoff"):
            entry = summary[name]
            deviations.append((entry["value"] - entry["truth"]) / entry["error"])
            assert entry["error"] < 0.1 * entry["truth"]
        all_pulls.append(pulls(result, scene, demo.CURRENT))
        assert summary["sites_flagged"] == 0
    assert np.abs(deviations).max() < 4
    assert np.square(deviations).sum() < 25  # 6 degrees of freedom: exceeded once in 3000
    values = np.concatenate(all_pulls)
    assert abs(values.mean()) < 4 / np.sqrt(values.size)
    assert abs(values.std() - 1) < 4 / np.sqrt(2 * values.size)


def test_half_the_current_reads_half(tmp_path):
    """The answer follows the wire, not the nominal value that the analysis starts from."""
    scene = sims.gold_wire_nanoarray(current=demo.CURRENT)
    sweep = sims.simulate_sweep(scene, FREQUENCY, exposure=1.0, averages=4, currents=(0.5e-3, -0.5e-3), rng=3)
    result = analyse(sweep, scene.conductor)
    assert abs(result.wire.values["current"] - 0.5e-3) < 4 * result.wire.errors["current"]
    assert result.wire.errors["current"] < 0.02e-3


def test_another_stand_off_is_read_as_such():
    scene = sims.gold_wire_nanoarray(standoff=80e-9)
    sweep = sims.simulate_sweep(scene, FREQUENCY, exposure=1.0, averages=4, currents=(1e-3, -1e-3), rng=4)
    wire = analyse(sweep, scene.conductor).wire
    assert abs(wire.values["standoff"] - 80e-9) < 4 * wire.errors["standoff"]
    assert wire.errors["standoff"] < 5e-9


def test_the_preset_has_the_sensitivity_of_the_paper():
    scene, sweep = simulate(0, averages=4)
    assert report(analyse(sweep, scene.conductor), scene, demo.CURRENT, 0)["sensitivity_slope"] == pytest.approx(
        73.6e-6, rel=0.05
    )


def test_demo_writes_what_it_promises(tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--seed", "5"]) == 0
    text = capsys.readouterr().out
    assert "arXiv:2301.12645" in text
    assert "current (mA)" in text
    summary = json.loads((out / "report.json").read_text())
    for key in ("current", "standoff"):
        assert set(summary[key]) == {"value", "error", "truth"}
    for key in ("sensitivity_slope", "sensitivity_sweep", "pull_mean", "pull_std", "sites", "frames", "versions"):
        assert summary[key]
    assert summary["seconds"]["total"] > summary["seconds"]["acquire"] > 0
    assert summary["frames"] == 2 * 2 * 81 * demo.SWEEPS
    assert {path.name for path in out.iterdir()} == set(demo.RESULTS)
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")
    assert vb.load(out / "sweep.h5").signal.dims == ("polarity", "direction", "frequency", "y", "x")
    assert main(["demo", "--out", str(out)]) == 2
    assert "--force" in capsys.readouterr().err
    assert vb.load(out / "fit.h5").attrs["model"] == "gaussian"


@pytest.mark.slow
def test_twenty_seeds_through_the_rig(tmp_path):
    """Current and stand-off within 3 sigma for 19 of 20; the current within 1 %; pulls of 4 500 sites."""
    off, relative, all_pulls = [], [], []
    for seed in range(20):
        scene, sweep = acquire(seed, tmp_path / str(seed), averages=demo.SWEEPS)
        result = analyse(sweep, scene.conductor)
        wire, truth = result.wire, {"current": demo.CURRENT, "standoff": scene.standoff}
        off.append(any(abs(wire.values[name] - truth[name]) > 3 * wire.errors[name] for name in truth))
        relative.append(abs(wire.values["current"] / demo.CURRENT - 1))
        all_pulls.append(pulls(result, scene, demo.CURRENT))
    values = np.concatenate(all_pulls)
    assert values.size >= 2000
    assert sum(off) <= 1
    assert max(relative) <= 0.01
    assert abs(values.mean()) < 0.1
    assert 0.9 < values.std() < 1.1
