"""A stack of images that is larger than memory, fitted from its file: peak memory, and time against reading alone.

Reading is measured twice, each time with the check of the seal and in a process of its own: as HDF5 reads, in one
thread, which is what any program that opens the file waits for; and as the fit reads, in as many threads. The first
tells what a fit costs somebody who has the file read anyhow, the second how much of the fit is computing.

    python benchmarks/stack.py                                     # 4 GB of 401 frequencies, results in memory
    python benchmarks/stack.py --points 101 --out                  # four times as many spectra, results in a file
    python benchmarks/stack.py --gigabytes 0.5 --folder /scratch   # less, elsewhere

The file is removed in the end. Peak memory is that of a fresh process that only fits.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SIDE, CHECKED = 512, 64  # pixels of an image on a side; rows that are compared with a fit in memory


def write(path: Path, gigabytes: float, points: int) -> Any:
    """A stack of `gigabytes` (1e9 bytes) in float32 with shot noise, made block by block."""
    from vbsense.data import make_sweep
    from vbsense.files import save_computed
    from vbsense.lineshape import get_model

    frequency = np.linspace(3.07e9, 3.87e9, points)
    images = max(round(gigabytes * 1e9 / (4 * points * SIDE**2)), 1)
    clean = get_model("gaussian").evaluate(frequency, [160e3, 3.33e9, 3.61e9, 120e6, 120e6, 0.05, 0.05])
    empty = np.broadcast_to(np.float32(0), (images, points, SIDE, SIDE))
    sweep = make_sweep(empty, frequency, pixel_size=1e-7, frames=1, coords={"sweep": np.arange(images)})

    def block(index: tuple[slice, ...]) -> np.ndarray:
        shape = [part.stop - part.start for part in index]
        rng = np.random.default_rng([part.start for part in index])
        light = clean[index[1], None, None]
        return np.rint(light + np.sqrt(light) * rng.standard_normal(shape, np.float32)).astype(np.float32)

    save_computed(sweep, path, {"signal": block})
    return sweep.signal.nbytes


def read(path: Path, threads: int) -> dict[str, float]:
    """Seconds, of the clock and of all processors, to read the stack, rows of chunks at a time; 0 threads: by HDF5."""
    from vbsense.files import open_lazy
    from vbsense.storage.direct import read_values

    start, cpu = time.perf_counter(), time.process_time()
    with open_lazy(path) as sweep:
        for image in range(sweep.sizes["sweep"]):
            for row in range(0, SIDE, 32):
                part = sweep.signal.isel(sweep=image, y=slice(row, row + 32)).variable
                np.asarray(part.values) if threads == 0 else read_values(part, threads=threads)
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def fit(path: Path, out: Path | None, threads: int) -> dict[str, float]:
    """Seconds and peak memory (bytes) of a fit of the stack, in this process."""
    import resource

    from vbsense.analysis import fit_sweep
    from vbsense.files import open_lazy

    start, cpu = time.perf_counter(), time.process_time()
    with open_lazy(path) as sweep:
        found = fit_sweep(sweep, out=out, threads=threads)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    same = _is_same(path, found)
    return {"seconds": seconds, "cpu": cpu, "peak_bytes": peak, "spectra": found.flags.size, "same": same}


def _is_same(path: Path, found: Any) -> bool:
    """Whether rows of the last image are, to the last bit, those of a fit in memory."""
    from vbsense.analysis import fit_sweep
    from vbsense.files import open_lazy

    with open_lazy(path, sealed=False) as sweep:
        part = fit_sweep(sweep.isel(sweep=[-1], y=slice(0, CHECKED)).load(), precision="single")
    rows = {"sweep": [-1], "y": slice(0, CHECKED - 1)}  # the last row has neighbours that were cut off
    names = [name for name in part.data_vars if name != "covariance"]
    return all(part[n].isel(rows).values.tobytes() == found[n].isel(rows).values.tobytes() for n in names)


def in_a_process(*arguments: str) -> dict[str, float]:
    """What this script prints with `arguments`, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Make the stack, measure, remove it, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=4.0, help="of the signal in float32 (default 4)")
    parser.add_argument("--points", type=int, default=401, help="frequencies (default 401)")
    parser.add_argument("--out", action="store_true", help="results in a file as well")
    parser.add_argument("--folder", help="where the files are (default: that of temporary files)")
    parser.add_argument("--threads", type=int, help="default: one for each processor")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--only", nargs=2, metavar=("STEP", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    from vbsense.storage.ordered import thread_count

    threads = thread_count(options.threads)
    if options.only:
        step, path = options.only[0], Path(options.only[1])
        out = path.with_name("fit.h5") if options.out else None
        print(json.dumps(fit(path, out, threads) if step == "fit" else read(path, threads if step == "direct" else 0)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "stack.h5"
        size = write(path, options.gigabytes, options.points)
        more = ["--threads", str(threads), *(["--out"] if options.out else [])]
        plain, direct, result = (in_a_process("--only", step, str(path), *more) for step in ("read", "direct", "fit"))
        result |= {"bytes": size, "file_bytes": path.stat().st_size, "threads": threads}
        result |= {"hdf5": plain["seconds"], "direct": direct["seconds"], "direct_cpu": direct["cpu"]}
    if options.json:
        print(json.dumps(result))
        return
    print(f"{size / 1e9:.2f} GB in float32 ({result['file_bytes'] / 1e9:.2f} GB packed), {result['spectra']} spectra")
    print(f"peak memory {result['peak_bytes'] / 2**30:.2f} GiB; equal to a fit in memory: {result['same']}")
    print(f"reading and fitting {result['seconds']:.1f} s in {threads} threads ({result['cpu']:.1f} s of processors)")
    for name, what in (("hdf5", "by HDF5"), ("direct", f"as the fit does, in {threads} threads")):
        print(f"reading {what}: {result[name]:.1f} s; with the fit {result['seconds'] / result[name]:.2f} times that")
    print(f"in seconds of processors: {result['cpu'] / result['direct_cpu']:.2f} times reading")


if __name__ == "__main__":
    main()
