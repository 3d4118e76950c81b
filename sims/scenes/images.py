"""The images of spots on a camera, vignetting and laser taken in, as a matrix that a block can read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vbsense.optics import SensorArray, spot_images
from vbsense.optics.spots import FWHM
from vbsense.optics.spots import reach as reach_of
from vbsense.sims.scenes.illumination import relative
from vbsense.sims.scenes.memory import Memory

__all__ = ["SpotImages", "window_profile"]


@dataclass(frozen=True, eq=False)
class SpotImages:
    """Where the light of every spot falls.

    Parameters
    ----------
    array : SensorArray
        The spots.
    shape, pixel_size
        Of the camera (rows, columns; m).
    psf : dict
        ``psf_fwhm=`` or ``psf=`` of `vbsense.optics.spot_images`.
    laser, vignetting : callable, optional
        Profiles of the place (m), see `vbsense.sims.scenes.illumination`.
    """

    array: SensorArray
    shape: tuple[int, int]
    pixel_size: float
    psf: dict[str, Any]
    laser: Any = None
    vignetting: Any = None
    memory: Memory = field(default_factory=Memory, repr=False)

    def add(self, light: np.ndarray, rows: slice, columns: slice, shift: np.ndarray, out: np.ndarray) -> None:
        """Add the picture of `light` (n, nf) to `out` (nf, rows, columns); `shift` is (2,) or (nf, 2) m."""
        if shift.ndim == 2 and (shift == shift[:1]).all():
            shift = shift[0]
        if shift.ndim == 1:
            self._gather(self.matrix(tuple(shift.tolist())), light, rows, columns, self.shape[1], out)
            return
        moved = np.zeros_like(out)
        self._gather_moving(light, rows, columns, shift, moved)
        if self.vignetting is not None:
            moved *= window_profile("vignetting", self.vignetting, self.shape, self.pixel_size, rows, columns)
        out += moved

    def _gather_moving(
        self, light: np.ndarray, rows: slice, columns: slice, shift: np.ndarray, out: np.ndarray
    ) -> None:
        from vbsense.sims.scenes._moving import gather_moving

        near = self._near(rows, columns, np.abs(shift).max())
        x, y, here = self.array.x[near], self.array.y[near], light[near]
        if self.laser is not None:
            here = here * relative("laser", self.laser, x[:, None] + shift[:, 0], y[:, None] + shift[:, 1])
        p = self.pixel_size
        table, steps = self.memory.get("stamps", None, self._stamps, limit=1)
        gather_moving(x / p, y / p, shift / p, here, table, steps, rows.start, columns.start, out)

    def _stamps(self) -> tuple[np.ndarray, int]:
        """Images of one spot at places within a pixel, ``(y, x, rows, columns)``, and the steps in a pixel."""
        p, radius = self.pixel_size, self._radius
        half = int(np.ceil(radius / p + 1))
        # Cubic interpolation in steps of 1/70 of the width errs by 1e-7 of the peak.
        steps = int(np.clip(2 * np.ceil(35 * p / self._fwhm), 4, 24))
        places = (np.arange(steps + 4) - steps / 2 - 1) / steps + half
        size = 2 * half + 1
        one = replace(self.array, shape=(1, 1), sites=None, labels=None, missing=(), placement_scatter=0.0)
        table = np.empty((places.size, places.size, size, size))
        for a, y in enumerate(places):
            for b, x in enumerate(places):
                spot = replace(one, center=(x * p, y * p))
                image = spot_images(spot, shape=(size, size), pixel_size=p, **self.psf)
                table[a, b] = image.toarray().reshape(size, size)
        return table, steps

    @property
    def _fwhm(self) -> float:
        psf = self.psf.get("psf")
        return float(psf.fwhm if psf else self.psf["psf_fwhm"])

    @property
    def _radius(self) -> float:
        """Distance beyond which a spot is dark (m): functions say where they end, a Gaussian ends within 7 sigma."""
        psf = self.psf.get("psf")
        reach = (psf and psf.radius) or 7 / FWHM * self._fwhm
        return float(reach + reach_of(self.array.spot_shape, self.array.spot_size))

    def _near(self, rows: slice, columns: slice, shift: float) -> np.ndarray:
        """Sites whose light may reach a block, by number."""
        reach = self._radius + shift
        near = np.ones(self.array.x.size, dtype=bool)
        for place, part in ((self.array.x, columns), (self.array.y, rows)):
            near &= place > (part.start - 0.5) * self.pixel_size - reach
            near &= place < (part.stop - 0.5) * self.pixel_size + reach
        return np.flatnonzero(near)

    def matrix(self, shift: tuple[float, float]) -> Any:
        """Electrons in each pixel of one electron from each spot, CSR (pixel, site)."""
        return self.memory.get("images", shift, lambda: self._make(shift), limit=4)

    def _make(self, shift: tuple[float, float]) -> Any:
        from scipy.sparse import diags_array

        images = self.plain(shift)
        if self.laser is not None:
            lit = relative("laser", self.laser, self.array.x + shift[0], self.array.y + shift[1])
            images = images @ diags_array(lit)
        if self.vignetting is not None:
            images = (
                diags_array(window_profile("vignetting", self.vignetting, self.shape, self.pixel_size).ravel()) @ images
            )
        return _narrow(images)

    def plain(self, shift: tuple[float, float]) -> Any:
        """The same in even light and without vignetting."""
        return self.memory.get("plain", shift, lambda: self._make_plain(shift), limit=1)

    def _make_plain(self, shift: tuple[float, float]) -> Any:
        moved = replace(self.array, center=(self.array.center[0] + shift[0], self.array.center[1] + shift[1]))
        return _narrow(spot_images(moved, shape=self.shape, pixel_size=self.pixel_size, **self.psf))

    @staticmethod
    def _gather(images: Any, light: np.ndarray, rows: slice, columns: slice, across: int, out: np.ndarray) -> None:
        from vbsense.sims.scenes._gather import gather

        gather(images.indptr, images.indices, images.data, light, rows.start, columns.start, across, out)


def _narrow(images: Any) -> Any:
    """As CSR with the integers that the kernel takes."""
    images = images.tocsr()
    images.indptr, images.indices = images.indptr.astype(np.int32), images.indices.astype(np.int32)
    return images


def window_profile(
    name: str, profile: Any, shape: tuple[int, int], pixel_size: float, rows: slice | None = None,
    columns: slice | None = None,
) -> np.ndarray:  # fmt: skip
    """A profile at the pixels of a camera, or of a block of it, ``(rows, columns)``."""
    rows, columns = rows or slice(0, shape[0]), columns or slice(0, shape[1])
    y, x = np.arange(rows.start, rows.stop) * pixel_size, np.arange(columns.start, columns.stop) * pixel_size
    return relative(name, profile, *np.meshgrid(x, y))
