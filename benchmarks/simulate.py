"""Time and memory of a simulated sweep that is written to a file, and where the time goes.

Each row is a process of its own that has simulated a small sweep first, so that compiled code is loaded and
nothing is compiled. "first" is the first call with the scene, which also works out the fields and spectra of all
spots; "again" is the next one. The file is compressed, synced, sealed, read back and compared in that time.
Memory is the largest that the process ever had (`ru_maxrss`), libraries included.

    python benchmarks/simulate.py                    # 512 x 512 pixels x 101 frequencies, 40 x 40 spots
    python benchmarks/simulate.py --size 2048        # 2048 x 2048 pixels
    python benchmarks/simulate.py --camera emccd --threads 1
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

FREQUENCY = np.linspace(3.1e9, 3.8e9, 101)
PIXEL = 65e-9  # m
PARTS = ("light", "noise", "packing", "checksum", "reading back")


def big_scene(size: int, spots: int, camera: str | None) -> Any:
    """A preset's wire, spins and light, with `spots` x `spots` spots on `size` x `size` pixels."""
    from vbsense import sims
    from vbsense.optics import SensorArray

    base, middle = sims.gold_wire_nanoarray(rows=2, columns=2), (size - 1) / 2 * PIXEL
    array = SensorArray(
        size * PIXEL / (spots + 3), (spots, spots), (middle, middle), rotation=0.07, spot_size=100e-9, thickness=40e-9
    )
    chosen = base.camera if camera is None else sims.camera_preset(camera)
    return replace(base, array=array, shape=(size, size), pixel_size=PIXEL, camera=chosen, recipe=None)


def watch() -> dict[str, float]:
    """Let each part of the work add up its seconds, over all threads."""
    from vbsense import files
    from vbsense.sims.blockwise import Blockwise
    from vbsense.storage import container

    spent = dict.fromkeys(PARTS, 0.0)

    def timed(owner: Any, name: str, part: str) -> None:
        function = getattr(owner, name)

        def wrapper(*args: Any, **options: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                spent[part] += time.thread_time() - start

        setattr(owner, name, wrapper)

    timed(Blockwise, "_rates", "light")
    timed(Blockwise, "_expose", "noise")
    timed(container, "pack", "packing")
    timed(container, "block_digest", "checksum")
    timed(files, "_verify", "reading back")
    return spent


def measure(size: int, spots: int, camera: str | None, threads: int | None) -> None:
    """One row of the table, in this process."""
    import resource

    from vbsense.sims import gold_wire_nanoarray, simulate_sweep

    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        path, scene = Path(folder) / "sweep.h5", big_scene(size, spots, camera)
        options: dict[str, Any] = {"exposure": 0.02, "rng": 1, "path": path, "overwrite": True, "threads": threads}
        simulate_sweep(gold_wire_nanoarray(rows=2, columns=2), FREQUENCY, **options).close()
        ready = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        spent, row = watch(), []
        for _ in range(2):
            start, cpu = time.perf_counter(), time.process_time()
            simulate_sweep(scene, FREQUENCY, **options).close()
            row.append((time.perf_counter() - start, time.process_time() - cpu))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{size} x {size} x {FREQUENCY.size}, {spots} x {spots} spots, {scene.camera.gain} electrons/count")
        for name, (wall, cpu) in zip(("first", "again"), row, strict=True):
            print(f"  {name:10s}{wall:8.2f} s, of processors {cpu:.2f} s")
        print(f"  memory    {peak:8.0f} MB, {ready:.0f} MB before; file {path.stat().st_size / 1e6:.0f} MB")
    per_value = {part: seconds / 2 / (FREQUENCY.size * size**2) * 1e9 for part, seconds in spent.items()}
    print("  ns/value  " + ", ".join(f"{part} {ns:.1f}" for part, ns in per_value.items()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="pixels on a side")
    parser.add_argument("--spots", type=int, default=40, help="spots on a side")
    parser.add_argument("--camera", help="scmos, emccd, ccd or apd; by default that of the preset scene")
    parser.add_argument("--threads", type=int, help="by default as many as there are processors")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        measure(options.size, options.spots, options.camera, options.threads)
    else:
        subprocess.run([sys.executable, __file__, "--here", *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
