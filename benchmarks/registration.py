"""Drift of a sensor array at 1e4 photons per spot: ours and scikit-image's against the Cramer-Rao bound.

python benchmarks/registration.py [--frames 100] [--pitch 500] [--fwhm 440] [--background 90]

15 x 15 spots of 100 nm at 500 nm on pixels of 100 nm, a Gaussian point-spread function of 440 nm, 90 electrons of
background: the bound is 0.51 nm on each axis. The sample wanders by 20 nm (rms) from image to image. Deviations are
against the true drift after taking off their mean, in nm, rms over both axes; scikit-image compares each image with
the true picture, which has no noise. Between two noisy images its numbers are those of the last line, pairs.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PIXEL, SIDE, ROWS, PHOTONS = 100e-9, 90, 15, 1e4


def expected(shift: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    """Mean picture of the array moved by (x, y) m."""
    import vbsense as vb
    from vbsense.optics import spot_images

    middle = (SIDE - 1) / 2 * PIXEL
    array = vb.SensorArray(options.pitch * 1e-9, (ROWS, ROWS), (middle + shift[0], middle + shift[1]), rotation=0.07)
    images = spot_images(array, shape=(SIDE, SIDE), pixel_size=PIXEL, psf_fwhm=options.fwhm * 1e-9)
    return (images @ np.full(ROWS**2, PHOTONS)).reshape(SIDE, SIDE) + options.background


def bound(options: argparse.Namespace) -> float:
    """Cramer-Rao bound on a shift (m): Poisson noise, the light of all spots and the background free."""
    step = 1e-9
    pictures = [expected(np.array(s), options) for s in ((step, 0), (-step, 0), (0, step), (0, -step), (0, 0))]
    mean = pictures[4].ravel()
    slopes = [(a - b).ravel() / (2 * step) for a, b in (pictures[:2], pictures[2:4])]
    rows = np.array([*slopes, mean - options.background, np.ones_like(mean)])
    return float(np.sqrt(np.linalg.inv((rows / mean) @ rows.T)[0, 0]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100)
    for name, default in (("pitch", 500.0), ("fwhm", 440.0), ("background", 90.0)):
        parser.add_argument(f"--{name}", type=float, default=default)
    options = parser.parse_args()
    from skimage.registration import phase_cross_correlation

    import vbsense as vb
    from vbsense import analysis

    rng = np.random.default_rng(0)
    drift = rng.normal(0, 20e-9, (options.frames, 2))
    frames = np.array([rng.poisson(expected(d, options)) for d in drift], dtype=float)
    sweep = vb.make_sweep(frames, 3e9 + 1e6 * np.arange(options.frames), pixel_size=PIXEL, frames=1)
    found = analysis.find_array(sweep)
    clean = expected(np.zeros(2), options)

    def ours(**kwargs: object) -> np.ndarray:
        result = analysis.register(sweep, **kwargs)  # type: ignore[arg-type]
        return np.stack([result.shift_x.values, result.shift_y.values], axis=1)

    def pairs() -> np.ndarray:
        shift = [
            phase_cross_correlation(b, a, upsample_factor=1000, normalization=None)[0][::-1]
            for a, b in zip(frames[::2], frames[1::2], strict=True)
        ]
        between = np.zeros_like(drift)
        between[: len(shift)] = np.array(shift) * PIXEL - (drift[1::2] - drift[::2])
        return drift + np.concatenate([between[: len(shift)]] * 2)

    def theirs(**kwargs: object) -> np.ndarray:
        found = [phase_cross_correlation(f, clean, upsample_factor=1000, **kwargs)[0][::-1] for f in frames]
        return np.array(found) * PIXEL

    limit = bound(options)
    print(f"{options.frames} images, {PHOTONS:g} photons per spot; bound {limit * 1e9:.3f} nm")
    print(f"{'method':<52}{'rms nm':>8}{'/ bound':>9}{'s (cpu)':>9}")
    methods: dict[str, Callable[[], np.ndarray]] = {
        "register(sites=find_array(...))": lambda: ours(sites=found),
        "register(sites=..., brightness='free')": lambda: ours(sites=found, brightness="free"),
        "register() without a lattice": ours,
        "phase_cross_correlation(normalization=None)": lambda: theirs(normalization=None),
        "phase_cross_correlation(), default": lambda: theirs(),
        "phase_cross_correlation(normalization=None), pairs": pairs,
    }
    for name, method in methods.items():
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            error = method() - drift
        rms = float(np.sqrt(((error - error.mean(axis=0)) ** 2).mean()))
        print(f"{name:<52}{rms * 1e9:8.2f}{rms / limit:9.2f}{time.process_time() - start:9.2f}")


if __name__ == "__main__":
    main()
