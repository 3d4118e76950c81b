"""Overlapping spots: what reading them one by one gets wrong, and what one fit to the whole cube finds.

    python benchmarks/cube.py                  # nine seeds
    python benchmarks/cube.py --seeds 3 --photons 4e6

9 x 9 spots 300 nm apart under a point-spread function of 400 nm, 100 nm above a gold wire (1 um x 100 nm, 1 mA), at
5 mT; 41 frequencies, lines of 120 MHz, dips of 10 %. The spectra are exact (81 levels).

naive     light of the pixels nearest to a spot, spectra one by one, no covariance
joint     fit_cube: all sites with their full covariance, nothing assumed of the field
smoothed  smooth_field of that: with the belief that currents below made the field
Fields: rms error of Bz over the inner sites (uT). Stand-off (nm; the truth is 100): position, width, stand-off and
bias free, the current known; "all free": the current too. Seconds are those of the processor.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FREQUENCY = np.linspace(2.97e9, 3.97e9, 41)
BIAS = (0.0, 0.0, 5e-3)
FREE = ("position", "width", "standoff", "offset")
PITCH, PIXEL, FWHM, STANDOFF, SIDE = 300e-9, 100e-9, 400e-9, 100e-9, 9


def scene(photons: float) -> Any:
    """The crowded array."""
    import vbsense as vb
    from vbsense import sims

    turn = 0.07
    n = round((SIDE - 1) * PITCH / PIXEL * (np.cos(turn) + np.sin(turn))) + 20
    c = (n - 1) / 2 * PIXEL
    wire = vb.Bar((c + 6e-8, c - 5e-5, -5e-8), (c + 6e-8, c + 5e-5, -5e-8), width=1e-6, thickness=1e-7, current=1e-3)
    return sims.ArrayScene(
        conductor=wire, array=vb.SensorArray(PITCH, (SIDE, SIDE), (c, c), rotation=turn), standoff=STANDOFF, bias=BIAS,
        shape=(n, n), pixel_size=PIXEL, psf_fwhm=FWHM, spot_rate=photons, background=3e3, contrast=0.2,
        linewidth=120e6 / np.sqrt(2), saturation_power=15.0, brightness_scatter=0.1, contrast_scatter=0.03,
        camera=sims.Camera(gain=16.0, full_well=1e6),
    )  # fmt: skip


def naive_sites(images: xr.Dataset, seen: Any) -> xr.Dataset:
    """Light of the pixels nearest to every spot, as if it were all its own."""
    from vbsense.data import make_site_sweep

    array = seen.array
    x, y = np.meshgrid(images["x"], images["y"])
    apart = np.hypot(x.ravel()[:, None] - array.x, y.ravel()[:, None] - array.y)
    own = (apart.argmin(axis=1)[:, None] == np.arange(array.x.size)) & (apart < 0.75 * array.pitch)
    light = images["signal"].values.reshape(FREQUENCY.size, -1).astype(float) @ own
    return make_site_sweep(
        light, FREQUENCY, x=array.x, y=array.y, row=array.row, column=array.column, error=np.sqrt(light),
        sensor_array=array.to_json(), bias_field=np.array(BIAS),
    )  # fmt: skip


def one_seed(seen: Any, seed: int) -> dict[str, Any]:
    """Numbers of one row of the table, SI."""
    from vbsense import analysis, sims

    images = sims.simulate_sweep(seen, FREQUENCY, exposure=1.0, power=15.0, rng=seed)
    truth = seen.wire_field(1e-3)[:, 2] + BIAS[2]
    row, column = seen.array.row, seen.array.column
    inner = (row > 0) & (row < SIDE - 1) & (column > 0) & (column < SIDE - 1)

    def rms(field: xr.Dataset) -> float:
        return float(np.sqrt(np.mean((field["B"].values[0] - truth)[inner] ** 2)))

    wire = {"wire": seen.conductor, "standoff": 130e-9}
    before = time.process_time()
    cube = analysis.fit_cube(images, free=FREE, **wire)
    seconds = time.process_time() - before
    everything = analysis.fit_wire(cube.field, free=("current", *FREE), **wire)
    naive = analysis.field_map(analysis.fit_sweep(naive_sites(images, seen), "hamiltonian"))
    wrong = analysis.fit_wire(naive, free=FREE, **wire)
    wrong_all = analysis.fit_wire(naive, free=("current", *FREE[:1], *FREE[2:]), **wire)
    return {
        "naive": rms(naive), "joint": rms(cube.field), "smoothed": rms(analysis.smooth_field(cube.field)),
        "wires": [(f.values["standoff"], f.errors["standoff"]) for f in (wrong, wrong_all, cube.wire, everything)],
        "seconds": seconds,
    }  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=9)
    parser.add_argument("--photons", type=float, default=2e6, help="per spot and frequency")
    options = parser.parse_args()
    seen = scene(options.photons)
    print("      rms of Bz (uT)          stand-off (nm): current known       current free             seconds")
    print("seed  naive joint smoothed    naive        cube                naive        joint            of fit_cube")
    for seed in range(options.seeds):
        r = one_seed(seen, seed)
        field = f"{r['naive'] * 1e6:5.1f} {r['joint'] * 1e6:5.1f} {r['smoothed'] * 1e6:8.1f}"
        naive, free, cube, everything = (f"{v * 1e9:5.1f} +-{e * 1e9:4.1f}" for v, e in r["wires"])
        print(f"{seed:4d}  {field}    {naive}  {cube}        {free}  {everything}    {r['seconds']:6.2f}")


if __name__ == "__main__":
    main()
