"""What blurs the field of a sheet of current in Fourier space: distance, thickness, depth and extent of a spot.

Each factor is 1 where the thing is infinitely small. `vbsense.transfer` multiplies them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vbsense.currents._inputs import distance, length

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["depth_factor", "footprint_factor", "height_factor", "layer_factor"]


def layer_factor(k: ArrayLike, thickness: float) -> NDArray[np.float64]:
    """What a conductor of some thickness gains over a thin one in its middle: ``sinh(k t / 2) / (k t / 2)``.

    The current, in A/m, fills the layer evenly; the distance to which this belongs is counted from its middle. The
    factor grows without limit (above k t = 1400 it is infinite): for its product with ``exp(-k d)`` take
    `height_factor`, which does not overflow.

    Parameters
    ----------
    k : array_like
        Length of the wave vector (rad/m).
    thickness : float
        m, 0 or more.

    Returns
    -------
    ndarray
        Like `k`.

    Examples
    --------
    >>> layer_factor([0.0, 1e7], 100e-9).round(6)
    array([1.      , 1.042191])
    """
    half = np.abs(np.asarray(k, dtype=float)) * length("thickness", thickness) / 2
    with np.errstate(over="ignore"):
        return np.exp(half) * _mean_decay(2 * half)


def depth_factor(k: ArrayLike, depth: float) -> NDArray[np.float64]:
    """What a layer of emitters loses against its side that is nearer: ``(1 - exp(-k depth)) / (k depth)``.

    Parameters
    ----------
    k : array_like
        Length of the wave vector (rad/m).
    depth : float
        Thickness of the evenly filled layer (m), 0 or more.

    Returns
    -------
    ndarray
        Like `k`, from 1 down to 0.

    Examples
    --------
    >>> depth_factor([0.0, 1e7, 1e12], 40e-9).round(6)
    array([1.000e+00, 8.242e-01, 2.500e-05])
    """
    return _mean_decay(np.abs(np.asarray(k, dtype=float)) * length("depth", depth))


def footprint_factor(kx: ArrayLike, ky: ArrayLike, spot_size: float, spot_shape: str = "square") -> NDArray[np.float64]:
    """Transform of the area over which a sensor averages, 1 at k = 0.

    Parameters
    ----------
    kx, ky : array_like
        Components of the wave vector (rad/m), broadcast against each other.
    spot_size : float
        Side of the square, diameter of the disc, or full width at half maximum of the Gaussian (m), 0 or more.
    spot_shape : {"square", "disc", "gaussian"}
        The sides of the square lie along x and y. A square of the size of a pixel also turns samples of a current
        density into a sheet of uniformly filled pixels.

    Returns
    -------
    ndarray
        ``sinc(kx s / 2) sinc(ky s / 2)``, ``2 J1(k a) / (k a)`` with the radius a, or ``exp(-(k sigma)^2 / 2)``.

    Raises
    ------
    ValueError
        If the size is negative or the shape is unknown.

    Examples
    --------
    >>> footprint_factor([0.0, 2e7], 0.0, 100e-9).round(4)
    array([1.    , 0.8415])
    >>> footprint_factor([0.0, 2e7], 0.0, 100e-9, "disc").round(4)
    array([1.    , 0.8801])
    """
    from vbsense.optics.spots import check_shape, transfer

    size, shape = length("spot_size", spot_size), check_shape(spot_shape)
    return np.asarray(transfer(shape, size, np.asarray(kx, dtype=float), np.asarray(ky, dtype=float)), dtype=float)


def height_factor(k: ArrayLike, height: float, *, thickness: float = 0.0, depth: float = 0.0) -> NDArray[np.float64]:
    """How a wave of current fades on its way up, averaged over conductor and emitters.

    ``exp(-k d)`` times `layer_factor` of the conductor and of the emitters, written so that nothing overflows.

    Parameters
    ----------
    k : array_like
        Length of the wave vector (rad/m).
    height : float
        From the middle of the conductor to the middle of the emitting layer (m), negative below; the two layers must
        not overlap.
    thickness, depth : float
        Thickness of the conductor and of the emitting layer (m).

    Returns
    -------
    ndarray
        Like `k`, from 1 down to 0.

    Raises
    ------
    ValueError
        If the layers overlap.

    Examples
    --------
    >>> height_factor([0.0, 1e7], 100e-9, thickness=100e-9).round(6)
    array([1.    , 0.3834])
    """
    waves = np.abs(np.asarray(k, dtype=float))
    thickness, depth = length("thickness", thickness), length("depth", depth)
    gap = abs(distance("height", height)) - (thickness + depth) / 2
    if gap < -1e-9 * (thickness + depth):
        raise ValueError(
            f"height: received {height!r} m, at which emitters {depth:.3g} m thick reach into a conductor "
            f"{thickness:.3g} m thick; give at least {(thickness + depth) / 2:.3g} m between their middles"
        )
    return np.exp(-waves * max(gap, 0.0)) * _mean_decay(waves * thickness) * _mean_decay(waves * depth)


def _mean_decay(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of exp(-v) for v from 0 to u, with its limit 1 at u = 0."""
    safe = np.where(u > 0, u, 1.0)
    return np.where(u > 0, -np.expm1(-safe) / safe, 1.0)
