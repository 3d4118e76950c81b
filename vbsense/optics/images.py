"""How the light of the sensors falls on the pixels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from vbsense.optics._checks import length
from vbsense.optics.array import SensorArray
from vbsense.optics.blur import Separable, Tabulated, stamp
from vbsense.optics.psf import GaussianPSF, PointSpread

__all__ = ["spot_images"]

# Nobody sees less than this fraction of the brightest pixel; leaving it out keeps the matrix sparse.
DARK = 1e-9
# A table may dip below zero by less than this; a measured function that really is negative is left so.
UNDERSHOOT = 1e-6


def spot_images(
    array: SensorArray,
    *,
    shape: tuple[int, int],
    pixel_size: float,
    psf_fwhm: float | None = None,
    psf: PointSpread | None = None,
    rows: slice | None = None,
    columns: slice | None = None,
) -> Any:
    """Image of every spot of unit brightness: point-spread function, footprint and pixel area taken in.

    A Gaussian point-spread function with Gaussian spots, or with squares along the pixels, is exact to
    rounding. All else - turned squares, discs, other functions - comes from a table: the error is below 2e-6 of
    the brightest pixel. Pixels with less than 1e-9 of that are left out.

    Parameters
    ----------
    array : SensorArray
        Its positions refer to the centre of pixel (0, 0).
    shape : (int, int)
        Rows and columns of the camera.
    pixel_size : float
        On the sample (m).
    psf_fwhm : float, optional
        Full width at half maximum of a Gaussian point-spread function (m).
    psf : PointSpread, optional
        Instead of the width: any other function, see `vbsense.optics.psf`.
    rows, columns : slice, optional
        Only this part of the camera: the same numbers as those rows and columns of the whole.

    Returns
    -------
    scipy.sparse.csc_array, (ny * nx, site)
        Fraction of each spot's light on each pixel; a column adds up to 1 (1e-6) for a spot well inside. ny and nx
        are those of the part.

    Raises
    ------
    ValueError
        If neither or both of `psf_fwhm` and `psf` are given, a length is not positive, or a slice is empty.

    Warns
    -----
    UserWarning
        If the point-spread function is narrower than a pixel.

    Examples
    --------
    >>> array = SensorArray(pitch=1e-6, shape=(1, 1), center=(2e-6, 2e-6))
    >>> images = spot_images(array, shape=(41, 41), pixel_size=1e-7, psf_fwhm=4e-7)
    >>> round(float(images.sum()), 6)
    1.0
    >>> from vbsense.optics import AiryPSF
    >>> part = spot_images(array, shape=(41, 41), pixel_size=1e-7, psf=AiryPSF(820e-9, 0.95), rows=slice(18, 23))
    >>> part.shape, round(float(part.sum()), 3)
    ((205, 1), 0.759)
    """
    if not isinstance(array, SensorArray):
        raise TypeError(f"array is a {type(array).__name__}; give a SensorArray")
    pixel = length("pixel_size", pixel_size)
    psf = _chosen(psf_fwhm, psf)
    if psf.fwhm < pixel:
        warnings.warn(
            f"the point-spread function is {psf.fwhm:.4g} m wide, narrower than a pixel of {pixel:.4g} m: positions "
            "within a pixel hardly show",
            UserWarning,
            stacklevel=2,
        )
    ny, nx = (_whole(n, shape) for n in (shape if np.size(shape) == 2 else (0, 0)))
    part = _span("rows", rows, ny), _span("columns", columns, nx)
    return _assemble(array.x, array.y, stamp(array, psf, pixel), part)


def _chosen(psf_fwhm: float | None, psf: PointSpread | None) -> PointSpread:
    if (psf_fwhm is None) == (psf is None):
        given = "neither" if psf is None else "both"
        raise ValueError(f"psf_fwhm and psf: received {given}; give the width of a Gaussian or another function")
    if psf is None:
        return GaussianPSF(length("psf_fwhm", psf_fwhm))
    if isinstance(psf, type) or not (callable(psf) and hasattr(psf, "fwhm") and hasattr(psf, "radius")):
        raise TypeError(f"psf is {psf!r}; it must be a point-spread function such as GaussianPSF(440e-9)")
    length("psf.fwhm", psf.fwhm)
    length("psf.radius", psf.radius)
    return psf


def _whole(n: Any, shape: Any) -> int:
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n < 1:
        raise ValueError(f"shape is {shape!r}; it must be (rows, columns) of the camera, each at least 1")
    return int(n)


def _span(name: str, part: slice | None, pixels: int) -> range:
    span = range(*part.indices(pixels)) if isinstance(part, slice) else range(pixels if part is None else 0)
    if span.step != 1 or not span:
        raise ValueError(f"{name} is {part!r}; it must be a slice of step 1 that holds some of the {pixels} {name}")
    return span


def _assemble(x: np.ndarray, y: np.ndarray, window: Separable | Tabulated, part: tuple[range, range]) -> Any:
    """The windows of all sites as one sparse matrix, cut to the part."""
    from scipy.sparse import csc_array

    across, left, width = _overlap(x, window, part[1])
    up, low, height = _overlap(y, window, part[0])
    bound = int((width * height).sum())
    pixels = len(part[0]) * len(part[1])
    data, index = np.empty(bound), np.empty(bound, dtype=np.int32 if max(pixels, bound) < 2**31 else np.int64)
    ends = np.zeros(x.size + 1, dtype=index.dtype)
    peak, n = window.peak, 0
    for site in range(x.size):
        if width[site] and height[site]:
            i = across[site] + np.arange(left[site], left[site] + width[site])
            j = up[site] + np.arange(low[site], low[site] + height[site])
            light = window.block(
                x[site] - across[site] * window.pixel, y[site] - up[site] * window.pixel, i - across[site], j - up[site]
            )
            seen = (light > DARK * peak) | (light < -UNDERSHOOT * peak)
            place = (j - part[0].start)[:, None] * len(part[1]) + (i - part[1].start)
            count = int(np.count_nonzero(seen))
            data[n : n + count], index[n : n + count] = light[seen], place[seen]
            n += count
        ends[site + 1] = n
    return csc_array((data[:n], index[:n], ends), shape=(pixels, x.size))


def _overlap(
    place: np.ndarray, window: Separable | Tabulated, span: range
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest pixel of every site; first pixel relative to it, and number, of its window within the span."""
    nearest = np.rint(place / window.pixel).astype(np.int64)
    first = np.maximum(-window.half, span.start - nearest)
    last = np.minimum(window.half, span.stop - 1 - nearest)
    return nearest, first, np.maximum(last - first + 1, 0)
