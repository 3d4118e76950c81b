"""The simulated rig: its world does what the instruments say, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from rig_scene import LINES, SHIFT, SmallScene, small_scene

from vbsense.instruments import Limits, odmr_sweep, simulated_rig
from vbsense.instruments.acquire.plan import Plan

FREQUENCY = np.linspace(3.1e9, 3.7e9, 31)  # 20 MHz steps


@pytest.fixture(autouse=True)
def _file_from_this_process(monkeypatch):
    """Another process for every file costs a second; test_acquire has a test of that."""
    from vbsense.files import load
    from vbsense.instruments.acquire import engine
    from vbsense.spool import finalise

    monkeypatch.setattr(engine, "finalise", lambda run: load(finalise(run, run / "sweep.h5")))


def means(sweep) -> np.ndarray:
    """Mean of each frame relative to the largest one of its branch."""
    light = sweep.signal.mean(("y", "x")).values
    return light / light.max(axis=-1, keepdims=True)


def position(light) -> float:
    """Centre of gravity of the lower dip, in points."""
    depth = np.clip(0.999 - light[:16], 0, None)
    return float((np.arange(16) * depth).sum() / depth.sum())


def acquire(tmp_path, *, run="run", noise=False, scene=None, sweep=None, **imperfections):
    with simulated_rig(scene or SmallScene(noise=noise), **imperfections) as rig:
        options = {"exposure": 0.01, "power": 30.0, "progress": False} | (sweep or {})
        with_limit = rig.limits.power
        options["power"] = min(options["power"], with_limit)
        return odmr_sweep(rig, FREQUENCY, run=tmp_path / run, **options)


def test_every_frame_is_the_scene_at_its_point(tmp_path):
    scene = SmallScene(noise=False)
    sweep = acquire(tmp_path, scene=scene, sweep={"currents": (2e-3, -2e-3), "power": 3.0, "averages": 2})
    assert sweep.sizes["polarity"] == 2
    assert list(sweep.direction.values) == ["up", "down"]
    for k, frequency in enumerate(FREQUENCY):
        for sign in (1, -1):
            truth = scene.rate(float(frequency), power=3.0, current=sign * 2e-3) * 0.01
            for way in ("up", "down"):
                measured = sweep.signal.sel(polarity=sign, direction=way).isel(frequency=k)
                assert np.abs(measured.values - truth).max() <= scene.camera.gain
    assert sweep.attrs["frames"] == 2
    assert sweep.attrs["current"] == 2e-3


def test_up_only_and_reference(tmp_path):
    scene = SmallScene(noise=False)
    sweep = acquire(tmp_path, scene=scene, sweep={"order": "up", "reference": True})
    assert np.abs(sweep.reference.values - scene.rate(None, power=0, current=0) * 0.01).max() <= 0.5
    assert float(sweep.signal.min() / sweep.reference.max()) < 0.7


def test_the_palindrome_cancels_a_trigger_that_is_off_by_one(tmp_path):
    right = means(acquire(tmp_path, run="right"))
    wrong = means(acquire(tmp_path, run="wrong", first_trigger="second"))
    shifts = [position(wrong[way]) - position(right[way]) for way in (0, 1)]
    assert shifts == pytest.approx([-1, 1], abs=0.02)
    assert position(wrong.mean(0)) == pytest.approx(position(right.mean(0)), abs=0.02)


def test_the_palindrome_cancels_drift(tmp_path):
    drifting = means(acquire(tmp_path, laser_drift=0.1))
    tilt = drifting[..., -1] - drifting[..., 0]
    assert tilt[0] > 0.02
    assert tilt[1] < -0.02
    mean = drifting.mean(0)
    assert abs(mean[-1] - mean[0]) < 0.002


def test_an_inverter_in_the_trigger_cable_shifts_both_ways(tmp_path):
    right = means(acquire(tmp_path, run="right"))
    wrong = means(acquire(tmp_path, run="wrong", inverted_trigger=True))
    assert position(wrong[0]) - position(right[0]) == pytest.approx(-1, abs=0.02)
    assert position(wrong.mean(0)) == pytest.approx(position(right.mean(0)), abs=0.02)


def test_settling_mixes_neighbours(tmp_path):
    right = means(acquire(tmp_path, run="right"))
    slow = means(acquire(tmp_path, run="slow", settling=0.003 + 2e-4))
    assert position(slow[0]) - position(right[0]) == pytest.approx(0.3, abs=0.03)
    assert position(slow.mean(0)) == pytest.approx(position(right.mean(0)), abs=0.02)


def test_no_microwave_no_dips():
    with simulated_rig(SmallScene(noise=False)) as rig:
        rig.source.frequency(LINES[0])
        rig.source.power(20.0)
        levels = []
        for state in ("off", "on"):
            rig.source.output(state)
            assert rig.source.output() == state
            rig.camera.arm(1, 0.01)
            levels.append(int(rig.camera.read(1.0).counts.sum()))
            rig.camera.stop()
    assert levels[1] < 0.95 * levels[0]


def test_the_current_moves_the_lines(tmp_path):
    sweep = acquire(tmp_path, sweep={"currents": (2e-3, -2e-3)})
    light = means(sweep).mean(1)
    moved = (position(light[1]) - position(light[0])) * 20e6
    assert moved == pytest.approx(2 * SHIFT * 2e-3, rel=0.05)


def test_same_seed_same_bytes_in_a_process_or_in_a_thread(tmp_path):
    options = {"sweep": {"currents": (1e-3, -1e-3)}}
    first = acquire(tmp_path, run="a", scene=small_scene(), seed=5, **options)
    again = acquire(tmp_path, run="b", scene=small_scene(), seed=5, **options)
    thread = acquire(tmp_path, run="c", scene=SmallScene(), seed=5, **options)
    other = acquire(tmp_path, run="d", scene=SmallScene(), seed=6, **options)
    assert np.array_equal(first.signal.values, again.signal.values)
    assert np.array_equal(first.signal.values, thread.signal.values)
    assert not np.array_equal(first.signal.values, other.signal.values)


def test_current_never_leaves_its_limits(tmp_path):
    """Random commands: never above the limit, no step above the ramp's, no faster than its rate, 0 A at the end."""
    rng = np.random.default_rng(3)
    log = tmp_path / "log.jsonl"
    with simulated_rig(SmallScene(), log=log, limits=Limits((1e9, 6e9), 10.0, 2e-3)) as rig:
        rig.current.start()
        for target in rng.uniform(-3e-3, 3e-3, 40):
            try:
                rig.current.ramp(float(target))
            except ValueError:
                assert abs(target) > 2e-3
        rate, step = rig.current.rate, rig.current.step
    events = [json.loads(line) for line in log.read_text().splitlines()]
    levels = [(event["time"], event["current"]) for event in events if event["instrument"] == "current"]
    times, currents = np.array(levels).T
    assert np.abs(currents).max() <= 2e-3
    assert np.abs(np.diff(currents)).max() <= step * 1.001
    assert np.all(np.abs(np.diff(currents)) <= rate * np.diff(times) + 2e-8)  # six digits on the wire
    assert currents[-1] == 0


def test_a_rig_that_cannot_start_says_why(monkeypatch):
    scene = small_scene()
    with pytest.raises(RuntimeError, match="no_such_factory"):
        simulated_rig(SmallScene(recipe=("rig_scene:no_such_factory", {})))
    with pytest.raises(TypeError, match="no_such_imperfection"):
        simulated_rig(scene, no_such_imperfection=1)
    with pytest.raises(ValueError, match="first_trigger"):
        simulated_rig(SmallScene(), first_trigger="third")


def test_two_rigs_in_one_process():
    with simulated_rig(SmallScene()) as one, simulated_rig(SmallScene()) as two:
        one.source.frequency(3e9)
        two.source.frequency(4e9)
        assert one.world.state()["time"] == 0
        assert (one.source.frequency(), two.source.frequency()) == (3e9, 4e9)


def test_closing_twice_is_harmless_and_leaves_no_process():
    import psutil

    rig = simulated_rig(small_scene())
    rig.close()
    rig.close()
    assert [child for child in psutil.Process().children() if "vbsense.instruments" in " ".join(child.cmdline())] == []


def test_plan_counts_and_costs(tmp_path):
    plan = Plan((3e9, 3.1e9), 0.01, 0.0, (1e-3, -1e-3), averages=3, reference=True)
    assert plan.frames == 2 * 2 * 2 * 2 * 3
    assert plan.seconds == pytest.approx((48 + 6) * 0.011)
    plan.check_disk(tmp_path / "not" / "yet", (24, 32))
    with pytest.raises(OSError, match="MB are free"):
        plan.check_disk(tmp_path, (1 << 22, 1 << 22))


def test_the_file_says_what_an_electron_multiplier_adds(tmp_path):
    """Without it, errors of fits would be too small by the square root of two."""
    from vbsense.sims import camera_preset

    scene = replace(SmallScene(), camera=camera_preset("emccd"))
    sweep = acquire(tmp_path, scene=scene)
    assert sweep.attrs["excess_noise"] == pytest.approx(2, rel=0.01)
    assert sweep.attrs["read_noise"] == pytest.approx(scene.camera.read_noise_rms)
    assert "excess_noise" not in acquire(tmp_path, run="other").attrs
