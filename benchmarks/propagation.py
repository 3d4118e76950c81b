"""Fourier methods: seconds on large maps, and errors of currents and continued fields against conductors.

    python benchmarks/propagation.py                # everything, 2048 x 2048 pixels
    python benchmarks/propagation.py --size 1024

"cpu" are seconds of all processors together: where it is nearly the other one, somebody else had the second processor.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

PIXEL = 100e-9
# Relative errors over a window, best cut-off or strength with the truth at hand: (Hann, Fourier Tikhonov).
REFERENCE = {
    ("ribbon", 100): (0.130, 0.112),
    ("u", 100): (0.124, 0.107),
    ("u", 500): (0.292, 0.264),
    ("meander", 500): (0.358, 0.317),
}


def large_map(size: int, *, even: bool) -> Any:
    """A wide ribbon under a map of size x size pixels, with noise of 2 uT."""
    import vbsense as vb

    rng = np.random.default_rng(0)
    x = (np.arange(size) - size / 2) * PIXEL
    ribbon = vb.Ribbon((0, -1, 0), (0, 1, 0), width=20e-6, current=10e-3)
    Bz = np.tile(ribbon.field(np.stack([x, 0 * x, 0 * x + 500e-9], axis=-1))[:, 2], (size, 1))
    error = np.full(Bz.shape, 2e-6) if even else 2e-6 * rng.uniform(0.8, 1.2, Bz.shape)
    return vb.make_map(Bz + rng.normal(0, error), pixel_size=PIXEL, error=error)


def fastest(work: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Seconds, and seconds of all processors, of the fastest run."""
    best = (np.inf, np.inf)
    for _ in range(repeats):
        start, cpu = time.perf_counter(), time.process_time()
        work()
        best = min(best, (time.perf_counter() - start, time.process_time() - cpu))
    return best


def speeds(size: int, repeats: int) -> None:
    """Print how long a map takes."""
    from vbsense.analysis import components_from, continue_field, fourier_current

    even, uneven = large_map(size, even=True), large_map(size, even=False)
    tasks: dict[str, Callable[[], Any]] = {
        "hann, one error for all pixels": lambda: fourier_current(even, standoff=500e-9),
        "hann, own error of every pixel": lambda: fourier_current(uneven, standoff=500e-9),
        "wiener": lambda: fourier_current(even, standoff=500e-9, method="wiener"),
        "continue_field, 500 nm up": lambda: continue_field(even, distance=500e-9),
        "continue_field, 300 nm down": lambda: continue_field(even, distance=-300e-9),
        "components_from": lambda: components_from(even),
    }
    print(f"{size} x {size} pixels\n{'':34s}{'seconds':>9s}{'cpu':>8s}")
    for name, work in tasks.items():
        seconds, cpu = fastest(work, repeats)
        print(f"{name:34s}{seconds:9.2f}{cpu:8.2f}")


def currents() -> None:
    """Print errors of currents: found without the truth, and the best with it."""
    from phantoms import phantom

    from vbsense.analysis import fourier_current

    print(f"\nrelative error of the current\n{'':16s}{'hann':>8s}{'best':>8s}{'table':>8s}{'wiener':>8s}{'table':>8s}")
    for (name, height), table in REFERENCE.items():
        truth, standoff = phantom(name), height * 1e-9
        field = truth.map(standoff, seed=1)

        def miss(truth: Any = truth, field: Any = field, standoff: float = standoff, **options: Any) -> float:
            return float(truth.error(fourier_current(field, standoff=standoff, offset="median", **options).J.values))

        best = min(miss(cutoff=c) for c in np.geomspace(90e-9, 1.5e-6, 40).tolist())
        row = (miss(), best, table[0], miss(method="wiener"), table[1])
        print(f"{name + f', {height} nm':16s}" + "".join(f"{value:8.3f}" for value in row))


def fields() -> None:
    """Print errors of continued fields and of components, over the largest field."""
    import vbsense as vb
    from vbsense.analysis import components_from, continue_field

    y, x = np.mgrid[:100, :100] * PIXEL
    middle, far = 49.5 * PIXEL, 1e-2
    conductors = {
        "straight": vb.Ribbon((middle, -far, 0), (middle, far, 0), width=1e-6, current=1e-3),
        "slanted": vb.Ribbon((middle - far / 2, middle - far, 0), (middle + far / 2, middle + far, 0), 1e-6, 1e-3),
        "loop": vb.Loop((middle, middle, 0), 1.5e-6, current=1e-3),
    }
    print(f"\nerror over the largest field\n{'':24s}{'inside':>8s}{'edges':>8s}")
    for name, conductor in conductors.items():
        low, high = (conductor.field(np.stack([x, y, np.full_like(x, z)], axis=-1)) for z in (0.3e-6, 0.8e-6))
        field = vb.make_map(low[..., 2], pixel_size=PIXEL)
        up = continue_field(field, distance=0.5e-6).B.values[0] - high[..., 2]
        parts = np.moveaxis(components_from(field).B.values, 0, -1) - low
        for what, error, scale in (("0.5 um up", up, high), ("components", parts, low)):
            size = np.abs(error) / np.abs(scale).max()
            print(f"{name + ', ' + what:24s}{size[20:-20, 20:-20].max():8.4f}{size.max():8.4f}")


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, default=2048, help="pixels on a side (default 2048)")
    parser.add_argument("--repeats", type=int, default=3, help="of which the fastest counts (default 3)")
    options = parser.parse_args()
    speeds(options.size, options.repeats)
    currents()
    fields()


if __name__ == "__main__":
    main()
