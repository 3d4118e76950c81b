"""Speed and honesty of the batched fit beside other programs, in one table from one run.

Speeds depend on the machine and on who else uses it: columns with a slash are ratios to a bare Levenberg-Marquardt
loop on as many threads, measured between the rows of this table. That loop is a yardstick, not a model: two
Lorentzians, start values given, no bounds, errors, flags or weights.

    python benchmarks/fit.py                           # 64 x 64 and 512 x 512 pixels
    python benchmarks/fit.py --size 64 128 256 512
    python benchmarks/fit.py --yardstick other.py      # a script with measure(threads) -> (fits per second, error)
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import itertools
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from vbsense.analysis import fit_spectrum, fit_sweep
from vbsense.data import make_sweep
from vbsense.groundstate.effective import hamiltonian_model
from vbsense.lineshape import HAMILTONIAN, get_model

FREQUENCY = np.linspace(3.07e9, 3.87e9, 101)
CONTRAST, RATIO = 0.05, 20  # contrast over the relative noise of a point
TRUTH = np.array([(RATIO / CONTRAST) ** 2, 3.33e9, 3.61e9, 120e6, 120e6, CONTRAST, CONTRAST])

MODELS = ("lorentzian", "gaussian", "hyperfine14", "hamiltonian", "hamiltonian_gaussian")
FIELD_TRUTH = np.array([TRUTH[0], 3.47e9, 8e-3, 60e6, 2.4 * CONTRAST, 2.4 * CONTRAST])  # branches as deep as lines
COMB_TRUTH = TRUTH * np.array([1, 1, 1, 0.4, 0.4, 1, 1])  # of a comb: the width of one line


def model_and_truth(name: str) -> tuple[Any, np.ndarray]:
    """The model of that name, and the parameters of all spectra."""
    if name in HAMILTONIAN:
        return hamiltonian_model(shape=HAMILTONIAN[name], frequency=FREQUENCY), FIELD_TRUTH
    return get_model(name), COMB_TRUTH if name.startswith("hyperfine") else TRUTH


def simulate(name: str, size: int) -> Any:
    """A sweep of ``size x size`` spectra in float32 with shot noise, all with the same truth."""
    model, truth = model_and_truth(name)
    clean = model.evaluate(FREQUENCY, truth).astype(np.float32)[:, None, None]
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((FREQUENCY.size, size, size), np.float32) * np.sqrt(clean) + clean
    return make_sweep(signal, FREQUENCY, pixel_size=1e-7, frames=1)


def cramer_rao(name: str) -> np.ndarray:
    """Smallest possible error of each parameter for shot noise."""
    model, truth = model_and_truth(name)
    steps = np.diag(np.abs(truth) * 1e-6)
    rows = [(model.evaluate(FREQUENCY, truth + d) - model.evaluate(FREQUENCY, truth - d)) / 2e-6 for d in steps]
    weighted = np.array(rows) / np.sqrt(model.evaluate(FREQUENCY, truth))
    return np.abs(truth) * np.sqrt(np.diag(np.linalg.inv(weighted @ weighted.T)))


def best_time(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of the fastest of several runs, after one that compiles."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def bare_loop(threads: int = 1, spectra: int = 20_000) -> float:
    """Fits per second of the yardstick."""
    fit, signal, f, start = bare_loop_parts(spectra)

    def run() -> None:
        p = start.copy()
        edges = np.linspace(0, spectra, threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(fit, f, signal[a:b], p[a:b]) for a, b in itertools.pairwise(edges)]:
                done.result()

    return spectra / best_time(run, 5)


@functools.cache
def bare_loop_parts(spectra: int) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """The compiled loop, signals, frequencies and start values."""
    from numba import njit

    fast: dict[str, Any] = {"fastmath": {"reassoc", "contract", "nsz", "arcp"}, "error_model": "numpy", "nogil": True}
    f32 = np.float32

    @njit(**fast)
    def rows(f, y, p, out):
        a, b = f32(1) / p[2], f32(1) / p[5]
        for m in range(f.size):
            d, e = (f[m] - p[1]) * a, (f[m] - p[4]) * b
            k, l = f32(1) / (f32(1) + d * d), f32(1) / (f32(1) + e * e)
            s, t = f32(-2) * p[3] * k * k * d * a, f32(-2) * p[6] * l * l * e * b
            out[0, m], out[1, m], out[2, m], out[3, m] = f32(1), s, s * d, -k
            out[4, m], out[5, m], out[6, m], out[7, m] = t, t * e, -l, y[m] - (p[0] - p[3] * k - p[6] * l)

    @njit(**fast)
    def normal(out, matrix):
        for i in range(8):
            for j in range(i + 1):
                total = f32(0)
                for m in range(out.shape[1]):
                    total += out[i, m] * out[j, m]
                matrix[i, j] = total

    @njit(**fast)
    def solve(matrix, damping, low, step):
        for j in range(7):
            pivot = matrix[j, j] * (f32(1) + damping)
            for k in range(j):
                pivot -= low[j, k] * low[j, k]
            if not pivot > f32(1e-12):
                return False
            low[j, j] = f32(1) / np.sqrt(pivot)
            for i in range(j + 1, 7):
                total = matrix[i, j]
                for k in range(j):
                    total -= low[i, k] * low[j, k]
                low[i, j] = total * low[j, j]
        for i in range(7):
            total = matrix[7, i]
            for k in range(i):
                total -= low[i, k] * step[k]
            step[i] = total * low[i, i]
        for i in range(6, -1, -1):
            total = step[i]
            for k in range(i + 1, 7):
                total -= low[k, i] * step[k]
            step[i] = total * low[i, i]
        return True

    @njit(**fast)
    def fit(f, signal, p):
        out, low = np.zeros((8, 128), np.float32), np.zeros((7, 7), np.float32)
        here, there = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
        step, trial = np.zeros(7, np.float32), np.zeros(7, np.float32)
        for n in range(len(signal)):
            rows(f, signal[n], p[n], out)
            normal(out, here)
            damping = f32(1e-3)
            for _ in range(20):
                if not solve(here, damping, low, step):
                    damping *= f32(10)
                    continue
                for k in range(7):
                    trial[k] = p[n, k] + step[k]
                rows(f, signal[n], trial, out)
                normal(out, there)
                if there[7, 7] <= here[7, 7]:
                    done = here[7, 7] - there[7, 7] < f32(1e-4) * here[7, 7]
                    here[:], p[n] = there, trial
                    damping *= f32(0.1)
                    if done:
                        break
                else:
                    damping *= f32(10)

    f, rng = np.linspace(-1, 1, 101, dtype=np.float32), np.random.default_rng(0)
    low = np.array([1, -0.5, 0.1, 0.05, 0.2, 0.1, 0.05])
    truth = rng.uniform(low, np.array([1, -0.2, 0.2, 0.1, 0.5, 0.2, 0.1]), (spectra, 7))
    lines = [truth[:, k + 2, None] / (1 + ((f - truth[:, k, None]) / truth[:, k + 1, None]) ** 2) for k in (1, 4)]
    signal = (truth[:, :1] - lines[0] - lines[1] + rng.normal(0, 0.004, (spectra, 101))).astype(np.float32)
    start = np.tile(np.array([1, -0.35, 0.15, 0.07, 0.35, 0.15, 0.07], np.float32), (spectra, 1))
    return fit, signal, f, start


def external(path: str) -> Callable[[int], float]:
    """``measure(threads)`` of a script as a function that returns fits per second."""
    spec = importlib.util.spec_from_file_location("yardstick", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"cannot load {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda threads: float(module.measure(threads)[0])


def speed(name: str, sweep: Any, threads: int) -> float:
    """Fits per second."""
    repeats = 5 if sweep.signal.size < 1e7 else 2
    seconds = best_time(lambda: fit_sweep(sweep, name, threads=threads, precision="single"), repeats)
    return sweep.sizes["y"] * sweep.sizes["x"] / seconds


def honesty(name: str, sweep: Any) -> tuple[float, float]:
    """Error over Cramer-Rao bound, and share within one sigma, of the parameters that are furthest off."""
    fit = fit_sweep(sweep, name, precision="single")
    model, truth = model_and_truth(name)
    values = np.stack([fit[n].values.ravel() for n in model.parameters], -1)
    pulls = (values - truth) / np.stack([fit[f"{n}_err"].values.ravel() for n in model.parameters], -1)
    good = np.isfinite(pulls).all(1)
    cover = (np.abs(pulls[good]) < 1).mean(0)
    ratio = values[good].std(0) / cramer_rao(name)
    return float(ratio[np.argmax(np.abs(ratio - 1))]), float(cover[np.argmax(np.abs(cover - 0.6827))])


def scipy_and_lmfit(name: str) -> list[tuple[str, float | str]]:
    """Fits per second of scipy and lmfit on a few spectra; scipy is given start values."""
    from scipy.optimize import curve_fit

    model, sweep = get_model(name), simulate(name, 5)
    spectra = sweep.signal.values.reshape(FREQUENCY.size, -1).T.astype(float)
    kernel, start = model.compiled(), near_truth()

    def jacobian(x: np.ndarray, *p: float) -> np.ndarray:
        out, rows = np.empty(x.size), np.empty((7, x.size))
        kernel(x, np.array(p), out, rows)
        return rows.T

    def fit(jac: Any) -> None:
        for y in spectra:
            curve_fit(model.function, FREQUENCY, y, p0=start, sigma=np.sqrt(y), jac=jac, method="lm")

    def fit_lmfit() -> None:
        for k in range(5):
            fit_spectrum(sweep.isel(y=k, x=k), name)

    return [
        ("scipy curve_fit", 25 / best_time(lambda: fit(None), 1)),
        ("scipy curve_fit, with Jacobian", 25 / best_time(lambda: fit(jacobian), 1)),
        ("lmfit (fit_spectrum)", 5 / best_time(fit_lmfit, 1)),
    ]


def near_truth() -> np.ndarray:
    """Start values for programs that look for none."""
    start = TRUTH * 1.02
    start[1:3] = TRUTH[1:3] + 5e6
    return start


def hyperspy_fits(name: str, size: int = 10) -> list[tuple[str, float | str]]:
    """Fits per second of hyperspy's multifit from given start values, or why there are none."""
    label = "hyperspy multifit (unweighted)"
    try:
        import hyperspy.api as hs
        from hyperspy.components1d import Expression
    except ImportError as error:
        return [(label, f"left out: {error}")]
    hs.preferences.General.show_progressbar = False
    light = np.moveaxis(simulate(name, size).signal.values.astype(float), 0, -1)
    text = "offset * (1 - a1 / (1 + 4 * ((x - c1) / w1)**2) - a2 / (1 + 4 * ((x - c2) / w2)**2))"
    first = dict(zip(("offset", "c1", "c2", "w1", "w2", "a1", "a2"), near_truth(), strict=True))

    def fit() -> None:
        signal = hs.signals.Signal1D(light)
        signal.axes_manager.signal_axes[0].offset = FREQUENCY[0] / 1e9
        signal.axes_manager.signal_axes[0].scale = (FREQUENCY[1] - FREQUENCY[0]) / 1e9
        model = signal.create_model()
        scaled = {key: value / 1e9 if key[0] in "cw" else value for key, value in first.items()}
        model.append(Expression(text, "doublet", autodoc=False, **scaled))
        model.multifit(optimizer="lm", iterpath="serpentine", show_progressbar=False)

    return [(label, size**2 / best_time(fit, 1))]


HEAD = f"{'':32s}{'1 thread':>10s}{'/':>7s}{'2 threads':>11s}{'/':>7s}{'error / bound':>15s}{'in 1 sigma':>12s}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, nargs="+", default=[64, 512], help="pixels on a side (default 64 512)")
    parser.add_argument("--models", nargs="+", default=MODELS, help=f"default {' '.join(MODELS)}")
    parser.add_argument("--yardstick", help="another yardstick: a script with measure(threads)")
    options = parser.parse_args()
    measure = external(options.yardstick) if options.yardstick else bare_loop
    print(f"fits a second, {FREQUENCY.size} points, contrast / noise = {RATIO}, float32\n{HEAD}")
    unit = {threads: measure(threads) for threads in (1, 2)}
    print(f"{'yardstick':32s}{unit[1]:10.0f}{1:7.2f}{unit[2]:11.0f}{1:7.2f}")
    for size, name in itertools.product(options.size, options.models):
        sweep = simulate(name, size)
        cells = ""
        for threads in (1, 2):
            rate, after = speed(name, sweep, threads), measure(threads)  # the machine may have changed its pace
            cells += f"{rate:{9 + threads}.0f}{rate / max(unit[threads], after):7.2f}"
            unit[threads] = after
        ratio, cover = honesty(name, sweep)
        print(f"{f'{name}, {size} x {size}':32s}{cells}{ratio:15.3f}{cover:12.3f}", flush=True)
    for label, found in [*scipy_and_lmfit("lorentzian"), *hyperspy_fits("lorentzian")]:
        print(f"{label:32s}{found}" if isinstance(found, str) else f"{label:32s}{found:10.0f}{found / unit[1]:9.5f}")


if __name__ == "__main__":
    main()
