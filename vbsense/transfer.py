"""From a current in a plane to the field above it, in Fourier space: one factor for each thing that blurs.

Above a sheet of current every wave of it fades as ``exp(-k d)`` with the height d, whatever its direction. A thick
conductor, a thick layer of emitters and the extent of a spot or a pixel are further factors, so that the whole
microscope is a product. The functions below take and return arrays; the current, the field and the adjoint of the map
between them (`apply_adjoint`, for an inversion) are images, transformed with ``scipy.fft.rfft2``.

The transform sees the images repeated without end. A current that leaves its window, or stands near to its border,
meets its neighbours: pad it first, or take `vbsense.CurrentSheet.field_on_grid`, which does not wrap around.

Sign: ``exp(+i (kx x + ky y))``, rows = y, columns = x; a current along +y gives Bx > 0 above it.

References
----------
B. J. Roth, N. G. Sepulveda, J. P. Wikswo, J. Appl. Phys. 65, 361 (1989), doi:10.1063/1.342549.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.currents._inputs import WIDEST, size
from vbsense.transfer_factors import depth_factor, footprint_factor, height_factor, layer_factor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "apply",
    "apply_adjoint",
    "depth_factor",
    "field_transfer",
    "footprint_factor",
    "height_factor",
    "layer_factor",
    "stream_transfer",
    "wavevectors",
]


def wavevectors(shape: tuple[int, int], pixel_size: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wave vectors of an image in the order of ``rfft2``.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    pixel_size : float
        Side of a pixel (m).

    Returns
    -------
    kx : ndarray, (1, nx // 2 + 1)
        rad/m.
    ky : ndarray, (ny, 1)
        rad/m.

    Examples
    --------
    >>> kx, ky = wavevectors((4, 6), 1e-6)
    >>> (kx[0] / (2 * np.pi * 1e6)).round(3).tolist(), (ky[:, 0] / (2 * np.pi * 1e6)).round(3).tolist()
    ([0.0, 0.167, 0.333, 0.5], [0.0, 0.25, -0.5, -0.25])
    """
    rows, columns = _shape(shape)
    size("pixel_size", pixel_size, WIDEST)
    kx = 2 * np.pi * np.asarray(np.fft.rfftfreq(columns, pixel_size), dtype=float)
    ky = 2 * np.pi * np.asarray(np.fft.fftfreq(rows, pixel_size), dtype=float)
    return kx[None, :], ky[:, None]


def field_transfer(
    shape: tuple[int, int],
    pixel_size: float,
    height: float,
    *,
    thickness: float = 0.0,
    depth: float = 0.0,
    spot_size: float = 0.0,
    spot_shape: str = "square",
) -> NDArray[np.complex128]:
    """Matrix of every wave: from the transform of (Jx, Jy) to that of (Bx, By, Bz).

    Parameters
    ----------
    shape, pixel_size
        Of the images, as in `wavevectors`.
    height, thickness, depth
        As in `height_factor`; at negative height Bx and By turn round.
    spot_size, spot_shape
        As in `footprint_factor`.

    Returns
    -------
    ndarray, (3, 2, ny, nx // 2 + 1)
        T per A/m; for `apply` and `apply_adjoint`.

    Notes
    -----
    With s = +1 above and -1 below, ``Bx = s c Jy``, ``By = -s c Jx``, ``Bz = c (kx Jy - ky Jx) i / k`` and c = mu0 / 2
    times the factors. At k = 0 a sheet without end has Bx and By but no Bz: the mean of Bz over the window is lost,
    which is what it is for a current that closes inside. On the highest wave of an even number of pixels, whose
    direction is ambiguous, the factors kx / k and ky / k count as zero.

    Examples
    --------
    >>> transfer = field_transfer((8, 8), 1e-6, 0.5e-6)
    >>> current = np.zeros((2, 8, 8))
    >>> current[1] = 1.0                                       # 1 A/m along +y everywhere: mu0 / 2 along x
    >>> (apply(transfer, current)[:, 0, 0] * 1e9).round(2)
    array([628.32,   0.  ,   0.  ])
    """
    from scipy.constants import mu_0

    kx, ky = wavevectors(shape, pixel_size)
    k = np.hypot(kx, ky)
    factor = mu_0 / 2 * height_factor(k, height, thickness=thickness, depth=depth)
    factor = factor * footprint_factor(kx, ky, spot_size, spot_shape)
    per_k = 1 / np.where(k > 0, k, 1.0)
    out = np.zeros((3, 2, *k.shape), dtype=complex)
    out[0, 1] = np.sign(height) * factor
    out[1, 0] = -np.sign(height) * factor
    out[2, 0] = -1j * factor * _odd(ky, shape[0], 0) * per_k
    out[2, 1] = 1j * factor * _odd(kx, shape[1], 1) * per_k
    return out


def stream_transfer(k: ArrayLike, height: float, *, thickness: float = 0.0, depth: float = 0.0) -> NDArray[np.float64]:
    """From the transform of a stream function (A) to that of Bz (T): ``mu0 / 2 k exp(-k d)`` times the layers.

    The stream function g holds a current that neither begins nor ends: ``Jx = dg/dy``, ``Jy = -dg/dx``.

    Parameters
    ----------
    k, height, thickness, depth
        As in `height_factor`.

    Returns
    -------
    ndarray
        Like `k`, in T/A; zero at k = 0 and real, so that it is its own adjoint.

    Examples
    --------
    >>> stream_transfer([0.0, 1e7], 100e-9).round(3)
    array([0.   , 2.311])
    """
    from scipy.constants import mu_0

    waves = np.abs(np.asarray(k, dtype=float))
    return mu_0 / 2 * waves * height_factor(waves, height, thickness=thickness, depth=depth)


def apply(transfer: ArrayLike, current: ArrayLike) -> NDArray[np.float64]:
    """Field of a current that repeats itself beyond the window.

    Parameters
    ----------
    transfer : (m, n, ny, nx // 2 + 1) array_like
        From `field_transfer`, (3, 2, ...), or a part of it.
    current : (n, ny, nx) array_like
        Jx and Jy (A/m).

    Returns
    -------
    ndarray, (m, ny, nx)
        Bx, By and Bz (T).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> transfer = field_transfer((6, 8), 1e-7, 1e-7)
    >>> J, B = rng.normal(size=(2, 6, 8)), rng.normal(size=(3, 6, 8))
    >>> bool(np.isclose(np.vdot(B, apply(transfer, J)), np.vdot(apply_adjoint(transfer, B), J)))
    True
    """
    return _product("mnyx,nyx->myx", transfer, current, 1)


def apply_adjoint(transfer: ArrayLike, field: ArrayLike) -> NDArray[np.float64]:
    """Adjoint of `apply`: what each wave of a field says about the current.

    Parameters
    ----------
    transfer : (m, n, ny, nx // 2 + 1) array_like
        As in `apply`.
    field : (m, ny, nx) array_like
        Bx, By and Bz.

    Returns
    -------
    ndarray, (n, ny, nx)
        Such that ``sum(field * apply(transfer, J)) == sum(apply_adjoint(transfer, field) * J)`` for every J.

    Examples
    --------
    >>> apply_adjoint(field_transfer((6, 8), 1e-7, 1e-7), np.zeros((3, 6, 8))).shape
    (2, 6, 8)
    """
    return _product("mnyx,myx->nyx", np.conj(np.asarray(transfer)), field, 0)


def _shape(shape: Any) -> tuple[int, int]:
    """Rows and columns as whole numbers above zero, or an error."""
    pair = np.asarray(shape)
    if pair.shape != (2,) or pair.dtype.kind not in "iu" or pair.min() < 1:
        raise ValueError(f"shape: received {shape!r}; give (rows, columns), two whole numbers above zero")
    return int(pair[0]), int(pair[1])


def _odd(component: NDArray[np.float64], pixels: int, axis: int) -> NDArray[np.float64]:
    """A component of k for a factor that is odd in it: an even image cannot tell the sign of its highest wave."""
    if pixels % 2:
        return component
    cleared = component.copy()
    np.moveaxis(cleared, axis, 0)[pixels // 2] = 0.0
    return cleared


def _product(rule: str, transfer: Any, images: Any, axis: int) -> NDArray[np.float64]:
    from scipy.fft import irfft2, rfft2

    transfer, images = np.asarray(transfer), np.asarray(images, dtype=float)
    expected = (transfer.shape[axis], transfer.shape[2]) if transfer.ndim == 4 else None
    if expected is None or images.ndim != 3 or images.shape[:2] != expected \
            or images.shape[2] // 2 + 1 != transfer.shape[3]:  # fmt: skip
        raise ValueError(
            f"images of shape {images.shape} do not fit a transfer of shape {transfer.shape}; "
            "build it with field_transfer(shape of an image, ...)"
        )
    return irfft2(np.einsum(rule, transfer, rfft2(images)), s=images.shape[1:])
