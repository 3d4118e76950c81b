"""Seconds from camera images to sites, beside two plain ways to solve the same equations.

    python benchmarks/unmix.py                    # 10 x 10 to 40 x 40 spots, 101 frequencies, 512 x 512 pixels
    python benchmarks/unmix.py --sites 10 20 --ratio 0.75

"lsqr" is scipy.sparse.linalg.lsqr on the sparse images, "dense" numpy's lstsq on the full ones: both with weights, a
background and columns of unit length, without errors and covariance, timed for one frequency and multiplied by their
number (dense: up to 100 sites, since it needs pixels x sites numbers). "cpu" are seconds of all processors
together: on a machine that is busy only those mean something. The shares are of the cpu time.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PIXEL, POINTS = 25e-9, 101
SHARES = {
    "images": ("spot_images",),
    "normal": ("normal",),
    "right": ("right_sides",),
    "solve": ("solve", "__init__"),
    "covariance": ("correlation",),
}


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result, wall and cpu seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measurement(sites: int, ratio: float, size: int) -> Any:
    """A sweep of a square array that fills the picture, and the images of its spots."""
    import vbsense as vb

    pitch = (size - 32) * PIXEL / sites
    array = vb.SensorArray(pitch, (sites, sites), ((size - 1) / 2 * PIXEL,) * 2, spot_size=50e-9)
    images = vb.optics.spot_images(array, shape=(size, size), pixel_size=PIXEL, psf_fwhm=pitch / ratio)
    rng, frequency = np.random.default_rng(0), np.linspace(3e9, 4e9, POINTS)
    light = 1e5 * (1 - 0.05 * np.exp(-(((frequency - 3.4e9) / 6e7) ** 2)))[:, None] * rng.uniform(0.7, 1.3, sites**2)
    signal = np.empty((POINTS, size, size), np.float32)
    for k in range(POINTS):
        signal[k] = rng.poisson((images @ light[k]).reshape(size, size) + 50)
    sweep = vb.make_sweep(
        signal, frequency, pixel_size=PIXEL, frames=1, psf_fwhm=pitch / ratio, sensor_array=array.to_json()
    )
    return sweep, images, light


def plain(sweep: Any, images: Any, dense: bool) -> float:
    """Cpu seconds of one frequency."""
    from scipy.sparse import csr_array, diags_array, hstack
    from scipy.sparse.linalg import lsqr

    picture = sweep.signal.values[0].ravel().astype(float)
    root = 1 / np.sqrt(np.maximum(picture, 50.0))
    system = csr_array(diags_array(root) @ hstack([images, np.ones((picture.size, 1))]))
    system = csr_array(system @ diags_array(1 / np.sqrt(np.asarray(system.power(2).sum(axis=0)).ravel())))
    if not dense:
        return timed(lambda: lsqr(system, root * picture, atol=1e-8, btol=1e-8, iter_lim=2000))[2]
    full = system.toarray()
    return timed(lambda: np.linalg.lstsq(full, root * picture, rcond=None))[2]


def shares(sweep: Any) -> dict[str, float]:
    """Parts of the time of `unmix` by function."""
    from vbsense import analysis

    profile = cProfile.Profile(time.process_time)
    profile.runcall(analysis.unmix, sweep)
    stats = pstats.Stats(profile)
    found = {}
    for label, names in SHARES.items():
        rows = [r[3] for (file, _, name), r in stats.stats.items() if name in names and _counts(label, file)]  # type: ignore[attr-defined]
        found[label] = max(rows, default=0.0) if label != "solve" else sum(rows)
    total = stats.total_tt  # type: ignore[attr-defined]
    return {label: seconds / total for label, seconds in found.items()}


def _counts(label: str, file: str) -> bool:
    own = {"images": "images.py", "normal": "_unmix_design.py", "right": "_unmix_noise.py", "solve": "_unmix_solve.py"}
    return file.endswith(own.get(label, "array.py"))


def main() -> None:
    """Print the table."""
    from vbsense import analysis

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, nargs="+", default=[10, 20, 30, 40])
    parser.add_argument("--ratio", type=float, default=1.0, help="pitch over width of the point-spread function")
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    analysis.unmix(measurement(4, 1.0, 64)[0])  # compiled code is loaded
    print(f"{POINTS} frequencies, {options.size} x {options.size} pixels, pitch / FWHM {options.ratio:g}")
    print("  spots  unmix wall    cpu    lsqr   ratio   dense   ratio  chi2/n  amplification   shares of the cpu time")
    for n in options.sites:
        sweep, images, light = measurement(n, options.ratio, options.size)
        got, wall, cpu = timed(lambda s=sweep: analysis.unmix(s))
        pull = ((got.signal.values - light) / got.signal_err.values).T
        chi2 = (np.linalg.solve(np.linalg.cholesky(got.site_correlation.values), pull) ** 2).mean()
        lsqr = POINTS * plain(sweep, images, False)
        few = n * n <= 100
        dense = POINTS * plain(sweep, images, True) if few else np.nan
        parts = ", ".join(f"{name} {100 * part:.0f} %" for name, part in shares(sweep).items())
        print(
            f"{n:3d} x {n:<3d} {wall:9.2f} {cpu:7.2f} {lsqr:7.1f} {lsqr / cpu:7.0f} {dense:7.1f} {dense / cpu:7.0f}"
            f" {chi2:7.3f} {got.attrs['user_noise_amplification']:14.2f}   {parts}",
            flush=True,
        )


if __name__ == "__main__":
    main()
