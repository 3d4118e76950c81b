"""Spin: speed, size and error of every tier, side by side with QuTiP.

    python benchmarks/spin.py

Times are the best of several runs on one core unless the line says otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

import vbsense as vb
from vbsense.defect import BOHR_MAGNETON
from vbsense.groundstate.fieldtable import FieldTable

F801 = np.linspace(2.97e9, 3.97e9, 801)
F101 = np.linspace(2.97e9, 3.97e9, 101)
WIDTH = 40e6


def best(call: Callable[[], object], runs: int = 5) -> float:
    """Shortest of some runs (s), after one to warm up."""
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def fields(n: int, Bz: tuple[float, float], transverse: float) -> np.ndarray:
    """Random fields (n, 3) T in a cylinder about c."""
    rng = np.random.default_rng(1)
    angle, r = rng.uniform(0, 2 * np.pi, n), transverse * np.sqrt(rng.uniform(0, 1, n))
    return np.stack([r * np.cos(angle), r * np.sin(angle), rng.uniform(*Bz, n)], -1)


def qutip_parts() -> tuple:
    """Zero-field Hamiltonian and its slopes (Hz, Hz/T) as QuTiP operators, from the formula."""
    import qutip

    def at(operator, place):
        parts = [qutip.qeye(3)] * 4
        parts[place] = operator
        return qutip.tensor(parts)

    S = [at(s, 0) for s in qutip.jmat(1)]
    zero = 3.47e9 * (S[2] * S[2] - 2 / 3) + 59e6 * (S[0] * S[0] - S[1] * S[1])
    slopes = [2.0 * BOHR_MAGNETON * s for s in S]
    for k, nucleus in enumerate(vb.VB14N.nuclei, start=1):
        I = [at(i, k) for i in qutip.jmat(1)]
        A, Q = np.asarray(nucleus.A), np.asarray(nucleus.Q)
        zero += sum(A[a, b] * S[a] * I[b] + Q[a, b] * I[a] * I[b] for a in range(3) for b in range(3))
        slopes = [slope - nucleus.gamma * i for slope, i in zip(slopes, I, strict=True)]
    return zero, slopes, S


def qutip_spectrum(H, S, frequency: np.ndarray) -> np.ndarray:
    """Sum over all pairs of eigenvectors, written as a user of QuTiP would."""
    energy, states = H.eigenstates()
    V = np.column_stack([state.full().ravel() for state in states])
    element = np.abs(V.conj().T @ S[0].full() @ V) ** 2
    zero = 1 - np.diag(V.conj().T @ (S[2] * S[2]).full() @ V).real
    low, up = np.triu_indices(energy.size, 1)
    strength = element[up, low] * np.abs(zero[up] - zero[low]) * 6 / energy.size
    out = np.zeros(frequency.size)
    for f, s in zip(energy[up] - energy[low], strength, strict=True):
        out += s / (1 + ((frequency - f) / (WIDTH / 2)) ** 2)
    return out


def row(name: str, value: str, wanted: str = "") -> None:
    """One line of the table."""
    print(f"{name:<62}{value:>22}   {wanted}")


def error(got: np.ndarray, expected: np.ndarray) -> float:
    """Largest deviation over the peak of each spectrum."""
    return float((np.abs(got - expected).max(-1) / expected.max(-1)).max())


def tiers() -> None:
    """Milliseconds and errors of one spectrum."""
    field = fields(128, (5e-3, 30e-3), 4e-3)
    spectra = {}
    for method, wanted in (("exact", "<= 1.2"), ("sectors", "<= 0.18"), ("comb", ""), ("electron", ""), ("auto", "")):
        one = best(lambda m=method: vb.spectrum(F801, field, linewidth=WIDTH, method=m)) / len(field)  # type: ignore[misc]
        spectra[method] = vb.spectrum(F801, field, linewidth=WIDTH, method=method)
        row(f"{method}: one spectrum of 801 points, batched (ms)", f"{one * 1e3:.3f}", wanted)
    for method, wanted in (("sectors", "<= 1 where auto takes it"), ("comb", ""), ("auto", "<= 1")):
        row(f"{method}: error (% of the peak)", f"{100 * error(spectra[method], spectra['exact']):.2f}", wanted)
    irregular = np.append(F801[:-1], F801[-1] + 1e5)  # not on the grid: summed directly
    direct = vb.spectrum(irregular, field[:16], linewidth=WIDTH, method="exact")
    row(
        "histogram and FFT against the direct sum (of the peak)",
        f"{error(spectra['exact'][:16, :-1], direct[:, :-1]):.1e}",
        "<< 1e-3",
    )


def table() -> None:
    """The field table: build, size, error, a million pixels."""
    start = time.perf_counter()
    made = FieldTable(F101, linewidth=WIDTH, cache=False)
    row("field table, 3-10 mT, 5 mT across, 101 points: build (s)", f"{time.perf_counter() - start:.2f}", "<= 3")
    row("field table: size (MB)", f"{made.nbytes / 1e6:.2f}", "<= 1")
    field = fields(500, (3e-3, 10e-3), 5e-3)
    expected = vb.spectrum(F101, field, linewidth=WIDTH, method="exact")
    row("field table: error (of the peak)", f"{error(made(field), expected):.1e}", "<= 2e-3")
    million = fields(1_000_000, (3e-3, 10e-3), 5e-3)
    for threads, wanted in ((1, ""), (2, "<= 1")):
        seconds = best(lambda n=threads: made(million, threads=n), runs=3)  # type: ignore[misc]
        row(f"field table: a million pixels, {threads} thread(s) (s)", f"{seconds:.2f}", wanted)
    row(
        "field table: one pixel, one core (us)",
        f"{best(lambda: made(million[:4096], threads=1)) / 4096 * 1e6:.2f}",
        "<= 1",
    )


def against_qutip() -> None:
    """Levels and spectra side by side."""
    zero, slopes, S = qutip_parts()
    field = fields(64, (1e-3, 30e-3), 10e-3)

    def hamiltonian(b):
        return zero + sum(x * slope for x, slope in zip(b, slopes, strict=True))

    ours = best(lambda: vb.levels(field)) / len(field)
    theirs = best(lambda: [hamiltonian(b).eigenenergies() for b in field[:4]], runs=3) / 4
    build = best(qutip_parts, runs=2)
    deviation = max(np.abs(np.sort(hamiltonian(b).eigenenergies()) - vb.levels(b)).max() for b in field[:4])
    row("levels: largest deviation from QuTiP (MHz)", f"{deviation / 1e6:.1e}", "<= 1e-6")
    row("levels of one field: here, QuTiP (ms)", f"{ours * 1e3:.3f}, {theirs * 1e3:.3f}")
    row("levels: ratio, QuTiP with its operators built once", f"{theirs / ours:.1f}", "> 10 (aim)")
    row("levels: ratio, QuTiP with operators built for each field", f"{(theirs + build) / ours:.1f}")
    ours = best(lambda: vb.spectrum(F801, field, linewidth=WIDTH, method="exact")) / len(field)
    theirs = best(lambda: [qutip_spectrum(hamiltonian(b), S, F801) for b in field[:4]], runs=3) / 4
    expected = np.array([qutip_spectrum(hamiltonian(b), S, F801) for b in field[:4]])
    deviation = error(vb.spectrum(F801, field[:4], linewidth=WIDTH, method="exact"), expected)
    row("spectra: largest deviation from QuTiP (of the peak)", f"{deviation:.1e}", "<= 1e-3")
    row("spectrum of one field: here, QuTiP (ms)", f"{ours * 1e3:.3f}, {theirs * 1e3:.3f}")
    row("spectrum: ratio", f"{theirs / ours:.1f}")


def yardstick() -> None:
    """What a bare diagonalisation costs at this hour on this machine."""
    from vbsense.hamiltonian import hamiltonian

    H = hamiltonian(fields(64, (1e-3, 30e-3), 10e-3))
    row("yardstick: numpy.linalg.eigh, complex 81 x 81 (ms)", f"{best(lambda: np.linalg.eigh(H)) / 64 * 1e3:.3f}")


if __name__ == "__main__":
    print(f"{'':<62}{'measured':>22}   asked")
    with threadpool_limits(1, "blas"):
        yardstick()
        tiers()
        table()
        against_qutip()
