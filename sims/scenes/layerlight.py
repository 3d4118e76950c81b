"""The light of a continuous layer, sample by sample, and its way through the microscope."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from vbsense.optics import SensorArray, spot_images
from vbsense.optics.spots import FWHM
from vbsense.sims.scenes.glow import Glow
from vbsense.sims.scenes.illumination import relative
from vbsense.sims.scenes.images import window_profile
from vbsense.sims.scenes.memory import Memory
from vbsense.sims.scenes.samples import Layer, brightness_of, field_of, places
from vbsense.sims.scenes.spectra import Spins

__all__ = ["LayerLight"]

_RANK = 1e-9  # products of an image that are left out, relative to the first
_LARGE = 200  # rank times taps from which the Fourier transform is faster


@dataclass(frozen=True, eq=False)
class LayerLight:
    """A layer under one microscope; its samples lie on the grid of the pixels, in ``oversampling^2`` phases.

    Parameters
    ----------
    layer : Layer
        What shines.
    x, y : ndarray
        Places of the samples (m), (phase, row, column) in one axis.
    glow : Glow
        Their light.
    shape, pixel_size
        Of the camera.
    psf : dict
        ``psf_fwhm=`` or ``psf=`` of `vbsense.optics.spot_images`.
    taps, margin : int
        Pixels that an image reaches to each side, and by which the grid is larger than the picture.
    laser, vignetting : callable, optional
        Profiles of the place (m).
    """

    layer: Layer
    x: np.ndarray
    y: np.ndarray
    glow: Glow
    shape: tuple[int, int]
    pixel_size: float
    psf: dict[str, Any]
    taps: int
    margin: int
    laser: Any = None
    vignetting: Any = None
    memory: Memory = field(default_factory=Memory, repr=False)

    @classmethod
    def of(cls, scene: Any, layer: Layer) -> LayerLight:
        """The layer of a scene, with the conductor, spin and microscope of that scene."""
        psf, pixel = scene._psf, scene.pixel_size
        radius = (scene.psf and scene.psf.radius) or 6 / FWHM * scene.psf_fwhm  # 6 sigma of a Gaussian
        taps = int(np.ceil(radius / pixel + 1.5))
        margin = taps + int(np.ceil(layer.margin / pixel))
        x, y = places(scene.shape, pixel, layer.oversampling, margin)
        size = pixel / layer.oversampling
        amplitude = None if scene.microwave is None else relative("microwave", scene.microwave, x, y)
        brightness = brightness_of(layer, x, y, size, np.random.default_rng([scene.seed, 23]))
        ny, nx = scene.shape
        inside = (np.abs(x / pixel - (nx - 1) / 2) < nx / 2) & (np.abs(y / pixel - (ny - 1) / 2) < ny / 2)
        wanted = inside | (brightness > 0)
        unit_field = field_of(scene.conductor, x, y, size, scene.standoff, layer.thickness, wanted)
        spins = Spins(np.asarray(scene.bias, dtype=float), unit_field, scene.defect, scene.drive, scene.linewidth)
        glow = Glow(brightness, np.full(x.size, layer.contrast), spins, scene.saturation_power, amplitude)
        return cls(layer, x, y, glow, scene.shape, pixel, psf, taps, margin, scene.laser, scene.vignetting)

    @property
    def _grid(self) -> tuple[int, int, int]:
        """Phases, rows and columns of the samples."""
        return self.layer.oversampling**2, self.shape[0] + 2 * self.margin, self.shape[1] + 2 * self.margin

    def _in_the_picture(self, samples: np.ndarray) -> np.ndarray:
        grid = samples.reshape(*self._grid, *samples.shape[1:])
        inner = slice(self.margin, -self.margin)
        return grid[:, inner, inner]

    @cached_property
    def unit_field_map(self) -> np.ndarray:
        """Field of one ampere at every pixel, ``(component, y, x)`` T/A."""
        return np.moveaxis(self._in_the_picture(self.glow.spins.unit_field).mean(0), -1, 0)

    @cached_property
    def brightness_map(self) -> np.ndarray:
        """Electrons per second that every pixel's piece of the layer sends out, ``(y, x)``."""
        return self._in_the_picture(self.glow.brightness).sum(0)

    def prepare(self, frequency: tuple[float | None, ...], power: float, current: float, temperature: Any) -> None:
        """Exact lines, and what the frequencies make of them."""
        self.glow.light_of(np.zeros(1, dtype=int), frequency, power, current, temperature)

    def add(
        self, frequency: tuple[float | None, ...], rows: slice, columns: slice, power: float, current: float,
        temperature: float | None, shift: np.ndarray, out: np.ndarray,
    ) -> None:  # fmt: skip
        """Add electrons per second at laser = 1 to `out` (nf, rows, columns)."""
        shift = np.broadcast_to(shift, (len(frequency), 2))
        whole = np.rint(shift / self.pixel_size).astype(int)
        image = np.zeros_like(out)
        for place in np.unique(whole, axis=0):
            frames = np.flatnonzero((whole == place).all(1))
            part = image if frames.size == len(frequency) else np.zeros((frames.size, *out.shape[1:]))
            some = tuple(frequency[k] for k in frames)
            self._add_window(some, rows, columns, (power, current, temperature), shift[frames], place, part)
            if part is not image:
                image[frames] = part
        if self.vignetting is not None:
            image *= window_profile("vignetting", self.vignetting, self.shape, self.pixel_size, rows, columns)
        out += image

    def _add_window(
        self, frequency: tuple[float | None, ...], rows: slice, columns: slice, state: tuple[Any, ...],
        shift: np.ndarray, whole: np.ndarray, out: np.ndarray,
    ) -> None:  # fmt: skip
        from vbsense.sims.scenes._blur import blur

        phases, height, width = self._grid
        first = np.array([rows.start, columns.start]) - whole[::-1] + self.margin - self.taps
        count = np.array([rows.stop - rows.start, columns.stop - columns.start]) + 2 * self.taps
        if (first < 0).any() or (first + count > [height, width]).any():
            raise ValueError(
                f"the shift of {np.abs(shift).max():.3g} m leaves the layer, which goes on for {self.layer.margin:.3g} "
                "m around the picture: give the layer a larger margin"
            )
        row, column = np.arange(first[0], first[0] + count[0]), np.arange(first[1], first[1] + count[1])
        rest = shift - whole * self.pixel_size
        for phase in range(phases):
            sites = ((phase * height + row[:, None]) * width + column).ravel()
            if not self.glow.brightness[sites].any():
                continue
            light = self.glow.light_of(sites, frequency, *state)
            if self.laser is not None:
                light *= self._lit(sites, shift)
            down, across = self._image(phase, rest)
            patch = light.reshape(row.size, column.size, -1)
            # Wide images with rings are sums of many products: the Fourier transform then takes fewer steps.
            (blur if down.shape[0] * down.shape[1] <= _LARGE else _by_fourier)(patch, down, across, out)

    def _lit(self, sites: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """Laser at the places of samples, which move under it, ``(sites, 1 or nf)``."""
        x, y = self.x[sites, None], self.y[sites, None]
        shift = shift[:1] if (shift == shift[:1]).all() else shift
        return relative("laser", self.laser, x + shift[:, 0], y + shift[:, 1])

    def _image(self, phase: int, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Image of a sample as a sum of products, each ``(rank, taps, nf)``, for every shift (nf, 2) m."""
        where, which = np.unique(rest, axis=0, return_inverse=True)
        images = [
            self.memory.get("image", (phase, x, y), partial(self._products, phase, (x, y)), limit=4096)
            for x, y in where.tolist()
        ]
        rank = max(down.shape[0] for down, _ in images)
        pad = [[np.pad(v, ((0, rank - v.shape[0]), (0, 0))) for v in pair] for pair in images]
        down, across = (np.stack([pad[k][j] for k in which.ravel()], -1) for j in (0, 1))
        return np.ascontiguousarray(down), np.ascontiguousarray(across)

    def _products(self, phase: int, shift: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
        """Singular vectors of the image of one sample, (rank, taps) each; the taps run against the image."""
        n, p = self.layer.oversampling, self.pixel_size
        offset = [((k + 0.5) / n - 0.5) * p for k in (phase % n, phase // n)]
        size = 2 * self.taps + 1
        middle = (self.taps * p + offset[0] + shift[0], self.taps * p + offset[1] + shift[1])
        sample = SensorArray(p, (1, 1), middle, spot_size=p / n)
        image = spot_images(sample, shape=(size, size), pixel_size=p, **self.psf).toarray().reshape(size, size)
        u, s, v = np.linalg.svd(image[::-1, ::-1])
        keep = s > _RANK * s[0]
        return (u[:, keep] * s[keep]).T, v[keep]


def _by_fourier(light: np.ndarray, down: np.ndarray, across: np.ndarray, out: np.ndarray) -> None:
    """The same as the kernel `blur`, for large images."""
    from scipy import fft

    n = [fft.next_fast_len(size, real=True) for size in light.shape[:2]]
    image = np.einsum("kim,kjm->mij", down[:, ::-1], across[:, ::-1])
    product = fft.rfft2(image, n) * fft.rfft2(np.ascontiguousarray(np.moveaxis(light, -1, 0)), n)
    # Where the window is not wrapped round: as many pixels as the block has.
    first = down.shape[1] - 1
    out += fft.irfft2(product, n)[:, first : first + out.shape[1], first : first + out.shape[2]]
