"""The shape of a spot: where its light comes from, for averages of a field and for images.

Three shapes, all of unit total: an even square of side ``size``, an even disc of diameter ``size``, and a
Gaussian of full width at half maximum ``size``. Coordinates are those of the spot, before any rotation.
"""

from __future__ import annotations

import difflib

import numpy as np

__all__ = ["SHAPES", "chart", "check_shape", "product_rule", "reach", "transfer"]

SHAPES = ("square", "disc", "gaussian")
FWHM = float(np.sqrt(8 * np.log(2)))  # of a Gaussian of unit sigma


def check_shape(name: object) -> str:
    """The name of a shape, or ValueError with the nearest one."""
    if name in SHAPES:
        return str(name)
    near = difflib.get_close_matches(str(name).lower(), SHAPES, 1, cutoff=0.3)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"spot_shape is {name!r}; {hint}choose from {', '.join(map(repr, SHAPES))}")


def product_rule(shape: str, size: float, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of a Gauss quadrature over the spot.

    Polynomials in x and y up to degree ``2 order - 1`` come out exactly.

    Parameters
    ----------
    shape : {"square", "disc", "gaussian"}
    size : float
        Side, diameter or full width at half maximum (m).
    order : int
        Points along each axis.

    Returns
    -------
    offsets : ndarray, (order**2, 2)
        m.
    weights : ndarray, (order**2,)
        They add up to 1.

    Examples
    --------
    >>> points, weights = product_rule("disc", 2.0, 4)
    >>> round(float(weights @ points[:, 0]**2), 12)            # a^2 / 4 of a disc of radius a
    0.25
    """
    if shape == "gaussian":
        u, w = np.polynomial.hermite_e.hermegauss(order)
        x, y = np.meshgrid(u, u, indexing="ij")
        scale, weights = size / FWHM, np.outer(w, w)
    elif shape == "disc":  # Gauss-Chebyshev of the second kind across, Gauss-Legendre along each chord
        angle = np.arange(1, order + 1) * np.pi / (order + 1)
        v, w = np.polynomial.legendre.leggauss(order)
        x, y = np.cos(angle)[:, None] + 0 * v, np.sin(angle)[:, None] * v
        scale, weights = size / 2, np.outer(np.sin(angle) ** 2, w)
    else:
        u, w = np.polynomial.legendre.leggauss(order)
        x, y = np.meshgrid(u, u, indexing="ij")
        scale, weights = size / 2, np.outer(w, w)
    return scale * np.column_stack([x.ravel(), y.ravel()]), weights.ravel() / weights.sum()


def chart(shape: str, size: float, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The square [-1, 1]^2 laid smoothly over the spot, for quadrature by boxes.

    Parameters
    ----------
    shape, size
        As in `product_rule`.
    u : ndarray, (..., 2)

    Returns
    -------
    offsets : ndarray, (..., 2)
        m.
    density : ndarray, (...)
        Light per area of the chart, of mean 1.

    Examples
    --------
    >>> chart("square", 100e-9, np.array([0.5, -1.0]))[0].tolist()
    [2.5e-08, -5e-08]
    """
    if shape == "gaussian":
        from scipy.special import ndtri

        # The light as a function of u is (1 - u^2) / (4/3) on each axis: a rule of low degree follows it, and no
        # light is cut. The tail of its integral, (1 - |u|)^2 (2 + |u|) / 4, is that of the Gaussian at x.
        u = np.clip(u, -1 + 1e-12, 1 - 1e-12)
        tail = (1 - np.abs(u)) ** 2 * (2 + np.abs(u)) / 4
        return -size / FWHM * np.sign(u) * ndtri(tail), (1.5 * (1 - u**2)).prod(axis=-1)
    if shape == "disc":  # x = a sin(t), y = a cos(t) v: without the square root of a chord's end
        t = np.pi / 2 * u[..., 0]
        offsets = np.stack([np.sin(t), np.cos(t) * u[..., 1]], axis=-1)
        return size / 2 * offsets, 2 * np.cos(t) ** 2
    return size / 2 * u, np.ones(u.shape[:-1])


def transfer(shape: str, size: float, kx: np.ndarray, ky: np.ndarray) -> np.ndarray:
    """Fourier transform of the spot, 1 at k = 0.

    Parameters
    ----------
    shape, size
        As in `product_rule`.
    kx, ky : ndarray
        Angular wave numbers along the axes of the spot (rad/m); they broadcast.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> round(float(transfer("square", 1.0, np.array(np.pi), np.array(0.0))), 12)        # 2 / pi
    0.636619772368
    """
    if shape == "gaussian":
        return np.exp(-0.5 * (size / FWHM) ** 2 * (kx**2 + ky**2))
    if shape == "disc":
        from scipy.special import j1

        q = np.hypot(kx, ky) * size / 2
        small = q < 1e-9  # the quotient is 1 to all digits, and would lose its own among subnormal numbers
        return np.where(small, 1.0, 2 * j1(q) / np.where(small, 1.0, q))
    return np.sinc(kx * size / (2 * np.pi)) * np.sinc(ky * size / (2 * np.pi))


def reach(shape: str, size: float) -> float:
    """Distance from the middle beyond which there is no light (m); of a Gaussian, less than 2e-8 of it."""
    return {"square": size / np.sqrt(2), "disc": size / 2, "gaussian": 6 * size / FWHM}[shape]
