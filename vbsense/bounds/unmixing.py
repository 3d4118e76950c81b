"""What it costs in noise to tell crowded spots apart.

The light of all spots is fitted to the picture at once. The noise amplification of a spot is its error in that fit over
the error that it would have alone, the brightness of all others known: ``sqrt(N_ii (N^-1)_ii)``, with N the normal
matrix of the images of the spots. It depends on the pitch over the width of the point-spread function, and steeply:
1.15 at 1, 1.92 at 0.75, 5.3 at 0.6 and 25 at 0.5 for a Gaussian on an endless square lattice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["lattice_amplification", "patch_amplification", "unmixing_covariance", "unmixing_precision"]


def lattice_amplification(
    pitch: float, psf: float | Callable[[Any, Any], Any], *, radius: float | None = None, spot_size: float = 0.0
) -> float:
    """Noise amplification on an endless square lattice of equal spots, with even noise.

    Parameters
    ----------
    pitch : float
        Distance of neighbouring spots (m).
    psf : float or callable
        Full width at half maximum of a Gaussian point-spread function (m); or a function of x and y (m), such as
        those of `vbsense.optics`.
    radius : float, optional
        Beyond which the function is taken as zero (m); by default its attribute ``radius``, but at most twelve widths.
    spot_size : float
        Side of the emitting squares (m), in line with the lattice.

    Returns
    -------
    float
        1 or more; infinite where the optics do not pass what tells neighbours apart.

    Notes
    -----
    The normal matrix of a lattice is a convolution; its eigenvalues are the power spectrum of one image folded into
    the first Brillouin zone, ``n(k) = sum_G |h(k + G)|^2``, and the amplification is ``sqrt(mean(n) mean(1/n))``. The
    folding is done on a grid of at least eight points per width and a multiple of the pitch in size.

    Examples
    --------
    >>> [round(lattice_amplification(ratio, 1.0), 2) for ratio in (1.0, 0.75, 0.6)]
    [1.15, 1.92, 5.33]
    """
    density, fwhm, radius = _density(psf, radius)
    for name, value in (("pitch", pitch), ("radius", radius)):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value!r}; it must be a positive length in metres")
    if not (np.isfinite(spot_size) and 0 <= spot_size <= pitch):
        raise ValueError(f"spot_size is {spot_size!r}; it must be a length in metres from 0 to the pitch, {pitch:.3g}")
    cell = max(int(np.ceil(8 * pitch / fwhm)), 4)  # points per pitch
    cells = 2 * int(np.ceil(max(radius, 16 * fwhm) / pitch))  # 1/n(k) is peaked at the corner of the zone: a fine grid
    n = cell * cells
    if n > 4096:
        raise ValueError(f"a radius of {radius:.3g} m takes {n} points a side; give a smaller one (FWHM {fwhm:.3g} m)")
    x = (np.arange(n) - n // 2) * pitch / cell
    X, Y = np.meshgrid(x, x)
    image = np.where(np.hypot(X, Y) <= radius, density(X, Y), 0.0)
    k = np.fft.fftfreq(n, pitch / cell)
    square = np.sinc(k * spot_size)
    power = np.abs(np.fft.fft2(image) * square[:, None] * square) ** 2
    folded = power.reshape(cell, cells, cell, cells).sum((0, 2))
    if folded.min() <= 1e-12 * folded.max():
        return float("inf")
    return float(np.sqrt(folded.mean() * (1 / folded).mean()))


def _density(psf: Any, radius: float | None) -> tuple[Callable[[Any, Any], Any], float, float]:
    if callable(psf):
        reach = getattr(psf, "radius", None) if radius is None else radius
        if reach is None:
            raise ValueError(
                "radius is unknown; say beyond which distance, in metres, the point-spread function is zero"
            )
        fwhm = float(getattr(psf, "fwhm", reach / 8))
        # Rings go on for ever; unless told otherwise, twelve widths are enough.
        return psf, fwhm, float(reach if radius is not None else min(reach, 12 * fwhm))
    fwhm = float(psf)
    if not (np.isfinite(fwhm) and fwhm > 0):
        raise ValueError(f"psf is {psf!r}; give the width of a Gaussian in metres, or a function of x and y")
    return lambda x, y: np.exp(-4 * np.log(2) * (x * x + y * y) / fwhm**2), fwhm, 4 * fwhm if radius is None else radius


def unmixing_covariance(images: Any, variance: Any, *, background: bool = True) -> np.ndarray:
    """Covariance of the brightness of spots that are fitted to a picture together.

    Parameters
    ----------
    images : sparse or dense matrix, (pixel, site)
        From `vbsense.optics.spot_images`.
    variance : array_like, (pixel,)
        Of every pixel (electron^2); infinite for pixels that are not used.
    background : bool
        A constant under all pixels is fitted too.

    Returns
    -------
    ndarray, (site, site)
        Electron^2.

    Raises
    ------
    ValueError
        If two spots cannot be told apart, or one has no pixels.

    Examples
    --------
    >>> unmixing_covariance(np.eye(3), [4.0, 4.0, 4.0], background=False).diagonal().tolist()
    [4.0, 4.0, 4.0]
    """
    normal = _normal(images, variance, background)
    scale = np.sqrt(np.diag(normal))
    sites = images.shape[1]
    if not scale[:sites].all():
        raise ValueError(f"site {int(np.argmin(scale[:sites]))} has no light on the pixels")
    scale[sites:] = np.where(scale[sites:] > 0, scale[sites:], 1.0)
    inverse = _inverse(normal / np.outer(scale, scale))
    return (inverse / np.outer(scale, scale))[:sites, :sites]


def unmixing_precision(images: Any, variance: Any, *, background: bool = True) -> Callable[[np.ndarray], np.ndarray]:
    """Inverse of `unmixing_covariance` as a function, for arrays of any size.

    Parameters
    ----------
    images, variance, background
        As in `unmixing_covariance`.

    Returns
    -------
    callable
        Takes rows (k, site) to their products with the inverse covariance, (k, site).

    Notes
    -----
    The inverse covariance is the normal matrix, which is sparse, less what the background takes away, a product of two
    vectors: nothing is inverted.

    Examples
    --------
    >>> unmixing_precision(np.eye(3), [4.0, 4.0, 4.0], background=False)(np.ones((1, 3))).tolist()
    [[0.25, 0.25, 0.25]]
    """
    normal, mixed, total = _normal_parts(images, variance)

    def apply(rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows, dtype=float)
        product = np.asarray((normal @ rows.T).T)
        return product - np.outer(rows @ mixed, mixed) / total if background else product

    return apply


def patch_amplification(images: Any, variance: Any = None, *, background: bool = True) -> np.ndarray:
    """Noise amplification of every spot of a finite patch.

    Parameters
    ----------
    images : sparse or dense matrix, (pixel, site)
        From `vbsense.optics.spot_images`; of a large array a part is enough.
    variance : array_like, (pixel,), optional
        Of every pixel (electron^2); by default the same for all.
    background : bool
        A constant under all pixels is fitted too; the error of a spot alone is then that beside a known background.

    Returns
    -------
    ndarray, (site,)
        1 or more, lower at the edge of the patch.

    Examples
    --------
    >>> from vbsense.optics import SensorArray, spot_images
    >>> array = SensorArray(pitch=0.2e-6, shape=(7, 7), center=(1.2e-6, 1.2e-6), spot_size=1e-9)
    >>> images = spot_images(array, shape=(120, 120), pixel_size=20e-9, psf_fwhm=400e-9)
    >>> round(float(patch_amplification(images).reshape(7, 7)[3, 3]), 1)               # the middle of the patch
    16.9
    """
    variance = np.ones(images.shape[0]) if variance is None else variance
    covariance = unmixing_covariance(images, variance, background=background)
    return np.sqrt(np.diag(covariance) * alone(images, variance))


def alone(images: Any, variance: Any) -> np.ndarray:
    """Information on the brightness of every spot if all others are known, ``(site,)`` 1/electron^2."""
    per_pixel = 1 / np.asarray(variance, dtype=float)
    squares = images.multiply(images) if hasattr(images, "multiply") else np.asarray(images) ** 2
    return np.asarray(squares.T @ per_pixel).ravel()


def _normal_parts(images: Any, variance: Any) -> tuple[Any, np.ndarray, float]:
    """Normal matrix of the spots (sparse if the images are), its column for the background, and that of it alone."""
    variance = np.asarray(variance, dtype=float)
    if variance.shape != (images.shape[0],) or not (variance > 0).all():
        raise ValueError(
            f"variance has shape {variance.shape}; give a positive one for each of the {images.shape[0]} pixels"
        )
    per_pixel = 1 / variance
    weighted = images.multiply(per_pixel[:, None]) if hasattr(images, "multiply") else images * per_pixel[:, None]
    return images.T @ weighted, np.asarray(images.T @ per_pixel).ravel(), float(per_pixel.sum())


def _normal(images: Any, variance: Any, background: bool) -> np.ndarray:
    normal, mixed, total = _normal_parts(images, variance)
    normal = normal.toarray() if hasattr(normal, "toarray") else np.asarray(normal)
    if not background:
        return normal
    return np.block([[normal, mixed[:, None]], [mixed[None, :], np.array([[total]])]])


def _inverse(matrix: np.ndarray) -> np.ndarray:
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    try:
        return cho_solve(cho_factor(matrix), np.eye(len(matrix)))
    except LinAlgError:
        raise ValueError("some spots cannot be told apart in the picture: check the pitch and the width") from None
