"""Forecasts: time of each part, against the size of the array.

Run as ``python benchmarks/forecast.py``. Times are the shortest of three runs in one process, kernels loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vbsense import sims
from vbsense.bounds import best_frequencies, doublet, field_bound, lattice_amplification, spectrum_bound

SWEEP = np.linspace(2.97e9, 3.97e9, 101)
FINE = np.linspace(2.97e9, 3.97e9, 1001)


def best(function: Callable[[], Any], runs: int = 3) -> float:
    """Shortest time of some runs (s), after one to warm up."""
    function()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print the table."""
    lines = doublet(np.full(1000, 10e-3), fwhm=150e6, contrast=0.05, electrons=1e6)
    at = {"linewidth": 45e6, "contrast": 0.1, "electrons": 1e6}
    rows = {
        "bound of 1000 spectra, 101 points": lambda: field_bound(SWEEP, lines),
        "bound of one exact spectrum": lambda: spectrum_bound(SWEEP, [0, 0, 10e-3], **at),
        "optimum among 1001 frequencies": lambda: best_frequencies(FINE, lines[0]),
        "amplification of a lattice": lambda: lattice_amplification(0.6, 1.0),
    }
    for side in (5, 15, 40, 100):
        rows[f"forecast of {side} x {side} sites, scene new"] = lambda side=side: sims.forecast(
            sims.gold_wire_nanoarray(rows=side, columns=side), SWEEP, exposure=1.0, currents=(1e-3, -1e-3)
        )
    for name, function in rows.items():
        print(f"{name:<42}{1e3 * best(function):>10.1f} ms")


if __name__ == "__main__":
    main()
