"""Continuous-wave spectra of the seven-level cycle: one eigendecomposition against a solve per frequency and QuTiP.

Run as ``python benchmarks/light.py``; QuTiP comes with the extra ``test``. Times are the best of several runs in
one process; QuTiP solves every tenth frequency and its time is scaled to all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from vbsense.sims.light import field_light
from vbsense.sims.light.cw import cw_spectrum, nuclear_fields
from vbsense.sims.light.cycle_presets import optical_cycle
from vbsense.sims.light.driven import DrivenCycle, driven_cycle

FREQUENCY = np.linspace(3.0e9, 4.0e9, 201)
FIELD = np.array([0.0, 0.0, 10e-3])
NUMBERS = {"rabi": 3e6, "pump": 1e6, "dephasing": 2e7}


def best(function: Callable[[], Any], runs: int) -> float:
    """Shortest time of `runs` calls (s)."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def fresh(driven: DrivenCycle) -> np.ndarray:
    """A spectrum with nothing remembered from the one before."""
    driven.__dict__.pop("_poles", None)
    return driven.light(FREQUENCY)


def qutip_light(driven: DrivenCycle, every: int) -> tuple[np.ndarray, float]:
    """Light by `qutip.steadystate` of the full 7-level Liouvillian, and seconds for each frequency."""
    import qutip

    constant, slope, emission = full_liouvillian(driven)
    dims = [[[7], [7]], [[7], [7]]]
    L0, L1 = qutip.Qobj(constant, dims=dims), qutip.Qobj(slope, dims=dims)
    measured = qutip.Qobj(np.diag(emission))
    light, start = [], time.perf_counter()
    for f in FREQUENCY[::every]:
        light.append(qutip.expect(measured, qutip.steadystate(L0 + f / 1e9 * L1)))
    return np.array(light), (time.perf_counter() - start) / len(light)


def full_liouvillian(driven: DrivenCycle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The 49 x 49 Liouvillian at frequency 0, its slope per GHz, and the emission; column-stacked, in 1/ns."""
    import qutip

    from vbsense.defect import VB14N
    from vbsense.hamiltonian import hamiltonian
    from vbsense.sims.light.mixing import electron_states, excited_state, mixing_weights

    cycle = optical_cycle("baber2022")
    energy, vectors = np.linalg.eigh(hamiltonian(FIELD, replace(VB14N, nuclei=())))
    order = [2, 0, 1]
    energy, vectors = energy[order] - energy[0], vectors[:, order]
    P = mixing_weights(cycle, vectors, electron_states(FIELD, excited_state(VB14N))[1])
    rates = P @ cycle.rate_matrix(NUMBERS["pump"]) @ P.T / 1e9
    ket = [qutip.basis(7, k) for k in range(7)]
    jumps = [np.sqrt(rates[i, j]) * ket[j] * ket[i].dag() for i in range(7) for j in range(7) if rates[i, j] > 0]
    noise = qutip.Qobj(np.diag([1.0, 0, -1, 0, 0, 0, 0])) * np.sqrt(2 * NUMBERS["dephasing"] / 1e9)
    Sx = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / np.sqrt(2)
    H = np.zeros((7, 7), dtype=complex)
    H[:3, :3] = np.diag(energy)
    for k in (0, 2):
        H[k, 1] = NUMBERS["rabi"] / np.sqrt(2) * (vectors[:, k].conj() @ Sx @ vectors[:, 1])
        H[1, k] = H[k, 1].conj()
    turning = qutip.Qobj(-2 * np.pi * np.diag([1.0, 0, 1, 0, 0, 0, 0]))
    L0 = qutip.liouvillian(qutip.Qobj(2 * np.pi * H / 1e9), [*jumps, noise])
    return L0.full(), qutip.liouvillian(turning).full(), P @ cycle.emission


def main() -> None:
    """Print the table."""
    cycle = optical_cycle("baber2022")
    build = best(lambda: driven_cycle(FIELD, cycle, **NUMBERS), 50)
    driven = driven_cycle(FIELD, cycle, **NUMBERS)
    ours, direct = best(lambda: fresh(driven), 200), best(lambda: driven.solve(FREQUENCY), 20)
    error = np.abs(driven.light(FREQUENCY) / (driven.solve(FREQUENCY) @ driven.emission).real - 1).max()
    print(f"Liouvillian built            {build * 1e3:9.3f} ms")
    print(f"201 frequencies, poles       {ours * 1e3:9.3f} ms   relative to direct solves: {error:.1e}")
    print(f"201 direct solves 13 x 13    {direct * 1e3:9.3f} ms   ratio {direct / ours:8.0f}")
    comb = best(lambda: cw_spectrum(FREQUENCY, FIELD, cycle, **NUMBERS, comb=nuclear_fields()), 10)
    print(f"with hyperfine comb, built   {comb * 1e3:9.3f} ms")
    fields = np.linspace(0, 0.15, 151)[:, None] * [0.0, 0.0, 1.0]
    print(f"151 fields x 216 nuclear     {best(lambda: field_light(fields, cycle, pump=1e6), 2) * 1e3:9.3f} ms")
    light, each = qutip_light(driven, 10)
    error = np.abs(light / driven.light(FREQUENCY)[::10] - 1).max()
    total = each * len(FREQUENCY)
    print(f"QuTiP steadystate            {total * 1e3:9.3f} ms   ratio {total / ours:8.0f}   agrees to {error:.1e}")
    print(f"  with ours built each time                 ratio {total / (ours + build):8.0f}")


if __name__ == "__main__":
    with threadpool_limits(1, "blas"):
        main()
