"""Pulse sequences: time of a run of each model, and QuTiP on the same Rabi curve.

Run ``python benchmarks/pulses.py``; it takes some ten seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vbsense import VB14N
from vbsense.groundstate.comb import hyperfine_comb
from vbsense.hamiltonian import hamiltonian
from vbsense.sims.pulses import ROOM_TEMPERATURE, run
from vbsense.sims.pulses.charges import ChargeModel
from vbsense.sims.pulses.protocols import hahn_echo, pulsed_odmr, rabi

FIELD = np.array([0.0, 0.0, 10e-3])
TIMES = np.linspace(0, 300e-9, 101)
FREQUENCY = np.linspace(3.0e9, 3.4e9, 101)


def best(action: Any, repeats: int = 3) -> float:
    """Shortest of some runs (s)."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        action()
        times.append(perf_counter() - start)
    return min(times)


def rabi_by_qutip() -> np.ndarray:
    """The comb of three 14N, one master equation in the rotating frame for each of its seven groups."""
    import qutip

    bare = VB14N.__class__("electron", D=VB14N.D, E=VB14N.E, g=VB14N.g)
    Sx, Sz = qutip.jmat(1, "x"), qutip.jmat(1, "z")
    energy, kets = np.linalg.eigh(hamiltonian(FIELD, bare))
    rate = 20e6 / 2 / abs(kets[:, 1].conj() @ Sx.full() @ kets[:, 0])
    T1, T2 = ROOM_TEMPERATURE["T1"], ROOM_TEMPERATURE["T2"]
    jumps = [np.sqrt(1 / (3 * T1)) * qutip.basis(3, a) * qutip.basis(3, b).dag() for a in range(3) for b in range(3)
             if a != b] + [np.sqrt(2 * (1 / T2 - 2 / (3 * T1))) * Sz]  # fmt: skip
    total = np.zeros(TIMES.size)
    for shift, weight in zip(*hyperfine_comb(VB14N), strict=True):
        H = qutip.Qobj(hamiltonian(FIELD, bare)) + shift * Sz - (energy[1] - energy[0]) * Sz * Sz + rate * Sx
        one = qutip.basis(3, 1) * qutip.basis(3, 1).dag()
        options = {"progress_bar": "", "atol": 1e-9, "rtol": 1e-7, "nsteps": 10**6}
        total += weight * qutip.mesolve(2 * np.pi * H, one, TIMES, jumps, e_ops=[one], options=options).expect[0].real
    return total


def main() -> None:
    """Print one line for each case."""
    curve = rabi(TIMES, rabi=20e6)
    cases = {
        "Rabi, 101 times, two-level comb": lambda: run(curve, FIELD, model="two-level"),
        "Rabi, 101 times, comb": lambda: run(curve, FIELD),
        "Rabi, 101 times, comb, T1 and T2": lambda: run(curve, FIELD, **ROOM_TEMPERATURE),
        "Rabi, 101 times, exact (81 levels)": lambda: run(curve, FIELD, model="exact"),
        "Hahn echo, 101 times, exact (81 levels)": lambda: run(hahn_echo(TIMES, rabi=30e6), FIELD, model="exact"),
        "pulsed ODMR, 101 points, exact (81 levels)": lambda: run(
            pulsed_odmr(FREQUENCY, rabi=10e6), FIELD, model="exact"
        ),
    }
    for name, action in cases.items():
        print(f"{name:45s} {1e3 * best(action):9.1f} ms")
    defects = ChargeModel.producing(59e6).sample(100, rng=1)
    many = best(lambda: run(pulsed_odmr(FREQUENCY, rabi=10e6), FIELD, ensemble=defects), 1)
    print(f"{'pulsed ODMR, 101 points, comb, 100 defects':45s} {1e3 * many:9.1f} ms")
    short = best(lambda: run(rabi([100e-9], rabi=20e6), FIELD, model="exact", **ROOM_TEMPERATURE), 1)
    print(f"{'Rabi, one 100 ns pulse, exact, T1 and T2':45s} {1e3 * short:9.1f} ms")
    ours, theirs = best(cases["Rabi, 101 times, comb, T1 and T2"]), best(rabi_by_qutip, 1)
    off = abs(rabi_by_qutip() - run(curve, FIELD, **ROOM_TEMPERATURE).signal).max()
    print(
        f"QuTiP mesolve, the same Rabi curve: {1e3 * theirs:.0f} ms, {theirs / ours:.0f} times ours, off by {off:.1g}"
    )


if __name__ == "__main__":
    main()
