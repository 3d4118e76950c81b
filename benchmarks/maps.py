"""Seconds that a scientist waits: from a file of camera images to a file with the field, and for the first fit of all.

    python benchmarks/maps.py                  # 512 x 512 pixels, 101 frequencies, and a start of Python
    python benchmarks/maps.py --size 256 --threads 1

Images are averages of counts (uint16), contrast / noise = 20. "cpu" are seconds of all processors together: where it
is nearly the other one, somebody else had the second processor.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FREQUENCY = np.linspace(3.07e9, 3.87e9, 101)
TRUTH = [20e3, 3.33e9, 3.61e9, 120e6, 120e6, 0.05, 0.05]

START = """
import time
start = time.perf_counter()
import numpy as np
from vbsense.data import make_sweep
from vbsense.analysis import fit_sweep
imported = time.perf_counter()
frequency = np.linspace(3.07e9, 3.87e9, 101)
light = 1e6 * (1 - 0.05 / (1 + ((frequency - 3.3e9) / 6e7) ** 2) - 0.05 / (1 + ((frequency - 3.6e9) / 6e7) ** 2))
noise = np.random.default_rng(0).normal(0, 1e3, (101, 4, 4))
sweep = make_sweep(light[:, None, None] + noise, frequency, pixel_size=1e-7, frames=1)
first = time.perf_counter()
fit_sweep(sweep)
end = time.perf_counter()
fit_sweep(sweep)
print(imported - start, end - first, time.perf_counter() - end, end - start)
"""


def camera(path: Path, size: int) -> Path:
    """A file with a sweep of whole numbers, 8 frames averaged."""
    from vbsense.data import make_sweep
    from vbsense.files import save
    from vbsense.lineshape import get_model

    clean = get_model("gaussian").evaluate(FREQUENCY, TRUTH)[:, None, None]
    noise = np.random.default_rng(0).standard_normal((FREQUENCY.size, size, size), np.float32) * (0.05 / 20)
    counts = np.rint(clean * (1 + noise)).astype(np.uint16)
    return save(make_sweep(counts, FREQUENCY, pixel_size=1e-7, frames=8, bias_field=(0, 0, 8e-3)), path)


def stages(path: Path, threads: int | None) -> dict[str, tuple[float, float]]:
    """Seconds, and seconds of all processors, of every step from file to file."""
    from vbsense import analysis, files

    spent: dict[str, tuple[float, float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start, cpu = time.perf_counter(), time.process_time()
        result = work()
        spent[name] = time.perf_counter() - start, time.process_time() - cpu
        return result

    sweep = timed("open and check the file", lambda: files.open_lazy(path))
    fit = timed("read and fit", lambda: analysis.fit_sweep(sweep, threads=threads))
    field = timed("field map", lambda: analysis.field_map(fit))
    timed("write the map", lambda: files.save(field, path.with_name("map.h5"), overwrite=True))
    spent["in all"] = tuple(np.sum(list(spent.values()), axis=0).tolist())
    return spent


def starts(repeats: int = 3) -> list[float]:
    """Fastest of several new processes: imports, first fit, second fit, imports to fit, and the whole process."""
    best = [np.inf] * 5
    for _ in range(repeats + 1):  # the first one may compile
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", START], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
        times = [*map(float, done.stdout.split()), time.perf_counter() - begin]
        best = [min(pair) for pair in zip(best, times, strict=True)]
    return best


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="pixels on a side (default 512)")
    parser.add_argument("--threads", type=int, help="default: one for each processor")
    parser.add_argument("--repeats", type=int, default=4, help="of which the fastest counts (default 4)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = camera(Path(folder) / "camera.h5", options.size)
        size = path.stat().st_size
        runs = [stages(path, options.threads) for _ in range(options.repeats + 1)][1:]
    best = min(runs, key=lambda run: run["in all"][0])
    print(f"{options.size} x {options.size} pixels, {FREQUENCY.size} frequencies, {size / 1e6:.0f} MB in the file")
    print(f"{'':26s}{'seconds':>9s}{'cpu':>8s}")
    for name, (seconds, cpu) in best.items():
        print(f"{name:26s}{seconds:9.3f}{cpu:8.3f}")
    print("\na new process, compiled code in its cache")
    names = ("imports", "first fit", "second fit", "imports to first fit", "the whole process")
    for name, seconds in zip(names, starts(), strict=True):
        print(f"{name:26s}{seconds:9.3f}")


if __name__ == "__main__":
    main()
