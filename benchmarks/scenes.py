"""How fast scenes give their light: python benchmarks/scenes.py"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from vbsense import sims

FREQUENCY = np.linspace(2.97e9, 3.97e9, 101)
STATE = {"power": 15.0, "current": 1e-3}
SCENES = Path(__file__).resolve().parent.parent / "examples" / "scenes"


def seconds(call, n=1):
    """Shortest of three times of `n` calls, for each call (s)."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(n):
            call()
        times.append((time.perf_counter() - start) / n)
    return min(times)


def spectra(scene):
    """Spectra of all sites from nothing, the field given."""
    field = scene._unit_field

    def run():
        fresh = replace(scene)
        fresh.__dict__["_unit_field"] = field
        fresh._glow.light(tuple(FREQUENCY), temperature=None, **STATE)

    return seconds(run)


def block(scene, **state):
    """A block of 32 x 32 pixels at all frequencies."""
    rows = slice(scene.shape[0] // 2 - 16, scene.shape[0] // 2 + 16)
    scene.block_rates(FREQUENCY, rows, rows, **STATE, **state)
    return seconds(lambda: scene.block_rates(FREQUENCY, rows, rows, **STATE, **state), 10)


def main():
    """Print a table."""
    scene = sims.gold_wire_nanoarray(rows=40, columns=40)
    drift = {"shift": np.linspace([0, 0], [100e-9, -50e-9], FREQUENCY.size)}
    strained = replace(scene, strain=sims.Strain(59e6, 5e6), recipe=None)
    driven = replace(scene, microwave=sims.MicrowaveGradient((8e-6, 8e-6), (2e4, 0)), recipe=None)
    flake = sims.LayerScene(
        scene.conductor, sims.Layer(1e5, 0.2, 50e-9), 100e-9, (0, 0, 10e-3), (256, 256), 100e-9, 440e-9, 60e6, 15.0
    )
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; 1600 sites, 101 frequencies")
    print(f"spectra of all sites               {spectra(scene):8.3f} s")
    print(f"the same, microwave uneven         {spectra(driven):8.3f} s")
    print(f"the same, every spot strained      {spectra(strained):8.3f} s")
    print(f"block of 32 x 32                   {block(scene) * 1e3:8.2f} ms")
    print(f"the same, sample drifting          {block(scene, **drift) * 1e3:8.2f} ms")
    print(f"block of a layer                   {block(flake) * 1e3:8.2f} ms")
    for path in sorted(SCENES.glob("*.toml")):
        start = time.perf_counter()
        plan = sims.load_scene(path)
        m = plan.measurement
        sims.simulate_sweep(
            plan.scene, m.frequency, exposure=m.exposure, power=m.power, averages=m.averages, currents=m.currents,
            rng=m.seed, drift=plan.scene.drift,
        )  # fmt: skip
        print(f"{path.stem:<35}{time.perf_counter() - start:8.2f} s")


if __name__ == "__main__":
    main()
