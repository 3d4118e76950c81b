"""Truth through rig, drivers, spool, file and fit back to the current: statistics over seeds, in one table.

python benchmarks/end_to_end.py [--seeds 20]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from vbsense import instruments, sims
from vbsense.cli import demo
from vbsense.cli.pipeline import analyse, pulls, report


def one(seed: int, folder: Path) -> tuple[dict, np.ndarray]:
    """The sweep of the demo with this seed, acquired and analysed."""
    scene = sims.gold_wire_nanoarray(current=demo.CURRENT, seed=seed)
    with instruments.simulated_rig(scene, seed=seed) as rig:
        sweep = instruments.odmr_sweep(
            rig, np.linspace(*demo.GRID), run=folder / str(seed), exposure=demo.EXPOSURE, power=demo.POWER,
            currents=(demo.CURRENT, -demo.CURRENT), averages=demo.SWEEPS, order="palindrome", progress=False,
        )  # fmt: skip
    result = analyse(sweep, scene.conductor)
    return report(result, scene, demo.CURRENT, 0), pulls(result, scene, demo.CURRENT)


def main() -> None:
    """Print deviations in sigma for every seed, then the statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds, start, rows, values = parser.parse_args().seeds, time.perf_counter(), [], []
    print(f"{'seed':>4} {'current/sigma':>14} {'stand-off/sigma':>16} {'current, %':>11} {'slope uT/rtHz':>14}")
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            r, pull = one(seed, Path(folder))
            off = [(r[k]["value"] - r[k]["truth"]) / r[k]["error"] for k in ("current", "standoff")]
            percent = 100 * (r["current"]["value"] / r["current"]["truth"] - 1)
            rows.append([*off, percent, r["sensitivity_slope"] * 1e6])
            values.append(pull)
            print(f"{seed:4d} {off[0]:14.2f} {off[1]:16.2f} {percent:11.3f} {rows[-1][3]:14.2f}")
    table, pull = np.array(rows), np.concatenate(values)
    within = int((np.abs(table[:, :2]) <= 3).all(axis=1).sum())
    print(f"within 3 sigma: {within} of {seeds}; largest error of the current: {np.abs(table[:, 2]).max():.2f} %")
    print(f"deviations: mean {table[:, :2].mean(0).round(2)}, std {table[:, :2].std(0, ddof=1).round(2)}")
    print(f"pulls of {pull.size} Bz: mean {pull.mean():+.3f}, std {pull.std(ddof=1):.3f}")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
