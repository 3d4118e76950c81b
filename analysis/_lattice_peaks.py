"""Where a picture repeats: its Fourier transform with the blur taken out, and the vectors at which it is bright.

A lattice of spots is bright at all sums of two reciprocal vectors. The blur of the microscope dims those that are far
out, by a factor that does not depend on where the spots lie; taken out, all of them are equally bright, up to where
the noise begins. Lengths are in pixels, reciprocal vectors in cycles per pixel, as (x, y).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Spectrum", "flattened", "spectrum_of"]

NOISE = 5.0  # amplitudes below this many sigma of the noise are not looked at
FOLD = 2  # zero padding


@dataclass(frozen=True)
class Spectrum:
    """Amplitudes of the picture, the blur taken out, and the brightest vectors."""

    picture: np.ndarray  # windowed, without its background
    grid: np.ndarray  # amplitudes on the grid of the transform, largest of 3 x 3, kx >= 0
    rows: int  # of that grid, both ways
    columns: int
    noise: float  # one sigma of an amplitude
    sigma: float  # of the blur
    peaks: np.ndarray  # (peak, 2), sharpened, one of each pair
    strength: np.ndarray  # (peak,), blur taken out
    significance: np.ndarray  # (peak,), in sigma of the noise

    @property
    def resolution(self) -> float:
        """Width of a peak (cycles per pixel)."""
        return 1.0 / max(self.picture.shape)

    def at(self, vectors: np.ndarray) -> np.ndarray:
        """Complex amplitudes at any vectors, ``(k, 2)`` -> ``(k,)``, with the blur."""
        ny, nx = self.picture.shape
        right = np.exp(-2j * np.pi * np.outer(np.arange(nx), vectors[:, 0]))
        left = np.exp(-2j * np.pi * np.outer(vectors[:, 1], np.arange(ny)))
        return np.einsum("ky,yk->k", left, self.picture @ right)

    def blur(self, vectors: np.ndarray) -> np.ndarray:
        """What the blur leaves of the amplitudes."""
        return np.exp(-2 * np.pi**2 * self.sigma**2 * (vectors**2).sum(axis=1))

    def sharper(self, factor: float) -> Spectrum:
        """The same with a wider blur taken out."""
        wider = replace(self, sigma=self.sigma * factor)
        return replace(wider, strength=self.strength * self.blur(self.peaks) / wider.blur(self.peaks))

    def strengths(self, vectors: np.ndarray) -> np.ndarray:
        """Amplitudes with the blur taken out, from the grid; NaN where the noise would hide the strongest."""
        k = np.where(vectors[:, :1] < 0, -vectors, vectors)
        row = np.rint(k[:, 1] * self.rows).astype(int) % self.rows
        column = np.minimum(np.rint(k[:, 0] * self.columns).astype(int), self.grid.shape[1] - 1)
        blur = np.maximum(self.blur(vectors), 1e-300)
        hidden = (np.abs(vectors).max(axis=1) > 0.5) | (blur * self.strength.max(initial=0) < NOISE * self.noise)
        return np.where(hidden, np.nan, self.grid[row, column] / blur)


def flattened(picture: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The picture with bad pixels filled, single bright pixels cut, and slow changes taken away."""
    from scipy.ndimage import gaussian_filter, rank_filter

    weight = gaussian_filter(good.astype(float), 2.0)
    near = gaussian_filter(np.where(good, picture, 0.0), 2.0) / np.maximum(weight, 1e-6)
    filled = np.where(good, picture, near)
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    base = np.median(filled)
    around = rank_filter(filled, -2, footprint=ring, mode="nearest")  # its second-brightest neighbour: pairs occur
    scatter = 1.4826 * np.median(np.abs(filled - base)) + 1e-30
    # A pixel that stands far out of all its neighbours is no spot: spots are wider than a pixel.
    alone = filled - base > 2.5 * np.maximum(around - base, 0) + 5 * scatter
    filled = np.where(alone, around, filled)
    return filled - _slow(filled)


def _slow(picture: np.ndarray) -> np.ndarray:
    """The best polynomial of third degree."""
    legendre = np.polynomial.legendre.legvander
    up, across = (legendre(np.linspace(-1, 1, n), 3) for n in picture.shape)
    # On even grids the products of Legendre polynomials are nearly orthogonal: normal equations lose no digits.
    orders = [(j, i) for i in range(4) for j in range(4 - i)]
    rows = [j for j, _ in orders]
    columns = [i for _, i in orders]
    normal = (up.T @ up)[np.ix_(rows, rows)] * (across.T @ across)[np.ix_(columns, columns)]
    coefficients = np.zeros((4, 4))
    coefficients[rows, columns] = np.linalg.solve(normal, (up.T @ picture @ across)[rows, columns])
    return up @ coefficients @ across.T


def spectrum_of(picture: np.ndarray, variance: np.ndarray, *, sigma: float | None = None) -> Spectrum:
    """Transform of a flattened picture whose pixels have this noise."""
    from scipy import fft
    from scipy.ndimage import maximum_filter

    ny, nx = picture.shape
    window = np.outer(_taper(ny), _taper(nx))
    tapered = picture * window
    noise = float(np.sqrt((window**2 * variance).sum()))
    size = [fft.next_fast_len(FOLD * n, real=True) for n in (ny, nx)]
    amplitude = np.abs(fft.rfft2(tapered, size))
    ky, kx = fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])
    sigma = _blur_of(amplitude, np.hypot(kx, ky), noise) if sigma is None else sigma
    where = _maxima(amplitude, ky, kx, sigma, noise, 1.5 / max(ny, nx))
    top = maximum_filter(amplitude, size=(3, 3), mode=("wrap", "nearest"))
    start = Spectrum(tapered, top, size[0], size[1], noise, sigma, where, np.zeros(0), np.zeros(0))
    peaks = _single(_sharpen(start, where), 0.5 * start.resolution)
    raw = np.abs(start.at(peaks))
    return replace(start, peaks=peaks, strength=raw / start.blur(peaks), significance=raw / noise)


def _single(peaks: np.ndarray, near: float) -> np.ndarray:
    """One of those that met at one place, or at opposite ones."""
    kept: list[np.ndarray] = []
    for peak in peaks:
        if all(min(np.hypot(*(peak - other)), np.hypot(*(peak + other))) > near for other in kept):
            kept.append(peak)
    return np.array(kept).reshape(-1, 2)


def _taper(n: int) -> np.ndarray:
    """One in the middle, down to zero over a quarter at each end: edges make streaks."""
    from scipy.signal.windows import tukey

    return tukey(n + 2, 0.5)[1:-1]


def _blur_of(amplitude: np.ndarray, k: np.ndarray, noise: float) -> float:
    """Width of the blur, from the upper edge of the amplitudes against the square of k."""
    top = 0.5
    edges = np.linspace(0.0, top, 41)
    ring = np.digitize(k.ravel(), edges) - 1
    tops, middles = [], []
    for n in range(1, 40):
        values = amplitude.ravel()[ring == n]
        if values.size:
            tops.append(float(np.quantile(values, 0.98)))
            middles.append(float(edges[n : n + 2].mean()))
    height, middle = np.array(tops), np.array(middles)
    over = height > 4 * noise
    end = int(np.argmin(over)) if not over.all() else len(over)
    if end < 4:
        return 1.5
    slope = np.polyfit(middle[:end] ** 2, np.log(height[:end]), 1)[0]
    return float(np.clip(np.sqrt(max(-slope, 0.0) / (2 * np.pi**2)), 0.6, 8.0))


def _maxima(
    amplitude: np.ndarray, ky: np.ndarray, kx: np.ndarray, sigma: float, noise: float, least: float
) -> np.ndarray:
    """Vectors of the highest maxima of the amplitudes without blur, ``(peak, 2)``."""
    from scipy.ndimage import maximum_filter

    k2 = kx**2 + ky**2
    sharp = amplitude * np.exp(2 * np.pi**2 * np.minimum(sigma**2 * k2, 1.0))
    top = maximum_filter(sharp, size=(5, 5), mode=("wrap", "nearest"))
    found = (sharp == top) & (amplitude > NOISE * noise) & (k2 > least**2)
    found &= (kx > 0) | (ky > 0)  # one of each pair
    index = np.argwhere(found)
    height = amplitude[found] * np.exp(2 * np.pi**2 * sigma**2 * k2[found])
    order = np.argsort(-height)[:60]
    return np.column_stack([kx[index[order, 1]], ky[index[order, 0], 0]])


def _sharpen(spectrum: Spectrum, peaks: np.ndarray, rounds: int = 3) -> np.ndarray:
    """Every vector moved to the maximum near it, by parabolas."""
    step, peaks = 0.25 * spectrum.resolution, peaks.copy()
    offsets = np.array([(i, j) for j in (-1, 0, 1) for i in (-1, 0, 1)], dtype=float)
    for _ in range(rounds if len(peaks) else 0):
        around = (peaks[:, None, :] + step * offsets).reshape(-1, 2)
        height = (np.log(np.abs(spectrum.at(around)) + 1e-300) - np.log(spectrum.blur(around))).reshape(-1, 3, 3)
        for axis, profile in ((0, height[:, 1, :]), (1, height[:, :, 1])):
            bend = profile[:, 0] - 2 * profile[:, 1] + profile[:, 2]
            move = np.where(bend < 0, 0.5 * (profile[:, 0] - profile[:, 2]) / np.where(bend < 0, bend, 1.0), 0.0)
            peaks[:, axis] += np.clip(move, -2, 2) * step
        step *= 0.5
    return peaks
