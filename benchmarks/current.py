"""Phantoms with a known truth, inverted by every method: relative error of J, net current, and processor time.

A 10 um window of 100 nm pixels, 1 mA, 2 uT of noise, a uniform field of 30 uT on top; every regularisation automatic.
Times are processor seconds of one inversion without error maps, the least of several.

    python benchmarks/current.py                  # errors: mean over 3 seeds
    python benchmarks/current.py --seeds 10 --repeats 5
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from phantoms import CURRENT, Phantom, phantom

from vbsense.analysis import current_density, find_conductor, net_current

NAMES, STANDOFFS, OFFSET = ("ribbon", "u", "meander", "eddy", "smooth"), (100e-9, 500e-9), 30e-6
METHODS: Mapping[str, Mapping[str, Any]] = {
    "hann": {"method": "hann", "offset": "median"},
    "wiener": {"method": "wiener", "offset": "median"},
    "tikhonov": {"samples": 0},
    "morozov": {"samples": 0, "regularisation": "morozov"},
    "tv": {"method": "tv"},
    "tv, found": {"method": "tv", "mask": "found"},
    "tv, mask": {"method": "tv", "mask": "known"},
}
CUT = {"start": (3e-6, 3.5e-6), "end": (6.95e-6, 3.5e-6)}  # through the ribbon


def invert(truth: Phantom, field: Any, standoff: float, options: Mapping[str, Any]) -> Any:
    """The current density; masks as they are named."""
    chosen = dict(options)
    kind = chosen.get("mask")
    if kind == "known":
        chosen["mask"] = np.abs(truth.J).sum(axis=0) > 0
    elif kind == "found":
        chosen["mask"] = find_conductor(current_density(field, standoff=standoff, method="tv"))
    return current_density(field, standoff=standoff, **chosen)


def measure(name: str, standoff: float, options: Mapping[str, Any], seeds: int, repeats: int) -> list[float]:
    """Mean error, largest error of the net current (%), least processor time (s)."""
    truth, errors, net, times = phantom(name), [], [], []
    for seed in range(seeds):
        field = truth.map(standoff, seed=seed, offset=OFFSET)
        for _ in range(repeats if seed == 0 else 1):
            start = time.process_time()
            sheet = invert(truth, field, standoff, options)
            times.append(time.process_time() - start)
        errors.append(truth.error(sheet.J.values))
        net.append(abs(net_current(sheet, **CUT).value / CURRENT - 1) * 100)
    return [float(np.mean(errors)), max(net), min(times)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    current_density(phantom("eddy").map(STANDOFFS[0]), standoff=STANDOFFS[0], method="tv")  # compile
    print(f"{'error of J (processor s)':24}" + "".join(f"{method:>16}" for method in METHODS))
    for name in NAMES:
        for standoff in STANDOFFS:
            rows = [
                None if "mask" in how and name in ("eddy", "smooth")
                else measure(name, standoff, how, arguments.seeds, arguments.repeats) for how in METHODS.values()
            ]  # fmt: skip
            cells = (f"{'':>16}" if row is None else f"{row[0]:8.3f} ({row[2]:5.2f})" for row in rows)
            print(f"{name:14}{standoff * 1e9:5.0f} nm  " + "".join(f"{cell:>16}" for cell in cells), flush=True)
            if name == "ribbon":
                nets = (f"{row[1]:.2f} %" for row in rows if row)
                print(f"{'  net current off':24}" + "".join(f"{cell:>16}" for cell in nets), flush=True)


if __name__ == "__main__":
    main()
