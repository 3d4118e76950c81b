"""Errors behind a linear filter: variances, spread by the square of the response to a point."""

from __future__ import annotations

import numpy as np

from vbsense.analysis._fourierwindow import Array, Transfer, Waves

__all__ = ["correlation_of", "filtered_variance", "point_response"]

_REACH = 256  # pixels: of a filter that responds near a point; its square falls with the fourth power of the distance


def filtered_variance(
    transfer: Transfer, noise: Array, doubt: Array, steps: tuple[float, float], reach: int = _REACH
) -> Array:
    """Variance (y, x) of a filtered picture whose pixels have independent noise, and some a doubtful value.

    Exact where the filter sees no edge: that the mirror image beyond an edge has the same noise is left out.

    Parameters
    ----------
    transfer : callable
        Factor of every wave.
    noise : ndarray, (y, x)
        Variance of the pixels.
    doubt : ndarray, (y, x)
        By how much filled pixels may err: both all together, as neighbours in a hole do, and each by itself.
    steps : (float, float)
        Pixel size along y and x (m).
    reach : int
        Pixels of the square in which the response to a point is computed.
    """
    response = point_response(transfer, steps, reach)
    first = float(noise.flat[0])
    if (noise == first).all():
        result = np.full(noise.shape, first * (response**2).sum())
    else:
        result = np.maximum(_spread(noise, response**2), 0.0)
    if doubt.any():
        result = result + _spread(doubt, response) ** 2 + np.maximum(_spread(doubt**2, response**2), 0.0)
    return result


def _spread(values: Array, response: Array) -> Array:
    """Convolution of a picture and its mirror images with a response whose middle is at [half, half]."""
    from scipy.fft import set_workers
    from scipy.signal import fftconvolve

    half = response.shape[0] // 2
    padded = np.pad(values, ((half - 1, half), (half - 1, half)), mode="symmetric")
    with set_workers(2):
        return fftconvolve(padded, response, mode="valid")


def point_response(transfer: Transfer, steps: tuple[float, float], reach: int) -> Array:
    """What the filter makes of one pixel, (reach, reach) with that pixel at [reach // 2, reach // 2]."""
    from scipy.fft import fftshift, irfft2

    shape = (reach, reach)
    factor = np.asarray(transfer(Waves.of(shape, steps)))
    return fftshift(irfft2(np.broadcast_to(factor, (reach, reach // 2 + 1)), s=shape, workers=2))


def correlation_of(transfer: Transfer, steps: tuple[float, float], reach: int = _REACH) -> Array:
    """Correlation of the noise of two pixels of a filtered picture, white before, at every lag; [0, 0] is lag 0.

    A (reach, reach) array in the order of ``fft2``: [j, i] belongs to a lag of j rows and i columns, negative lags at
    the end.
    """
    from scipy.fft import irfft2

    factor = np.broadcast_to(transfer(Waves.of((reach, reach), steps)), (reach, reach // 2 + 1))
    covariance = irfft2(np.abs(factor) ** 2, s=(reach, reach))
    return covariance / covariance[0, 0]
