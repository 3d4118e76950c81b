"""The field of a current that repeats itself beyond its domain: one factor for every wave, with all its aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.constants import mu_0

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vbsense.analysis.inversion.footprint import Sensing

__all__ = ["folded_transfer", "waves"]

_FAINT = 14.0  # exp(-14): below a millionth of the longest waves


def waves(shape: tuple[int, int], cell: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ky (n, 1) and kx (1, m // 2 + 1) in the order of ``rfft2`` (rad/m)."""
    ky = 2 * np.pi * np.asarray(np.fft.fftfreq(shape[0], cell[0]), dtype=float)
    kx = 2 * np.pi * np.asarray(np.fft.rfftfreq(shape[1], cell[1]), dtype=float)
    return ky[:, None], kx[None, :]


def folded_transfer(
    shape: tuple[int, int], cell: tuple[float, float], sensing: Sensing, components: str
) -> NDArray[np.complex128]:
    """From the transform of the densities of evenly filled cells to that of the field at their middles.

    Parameters
    ----------
    shape : (int, int)
        Cells of one period.
    cell : (float, float)
        Sides along y and x (m).
    sensing : Sensing
    components : str
        Some of "x", "y", "z".

    Returns
    -------
    ndarray, (component, 2, ny, nx // 2 + 1)
        T per A/m, for Jx and Jy. Cells have sharp edges, whose waves are shorter than two cells: they reach the
        emitters as waves of the grid, so that the sum goes over all that are not faint there.

    Notes
    -----
    ``Bx = mu0/2 e^(-kd) Jy``, ``By = -mu0/2 e^(-kd) Jx``, ``Bz = mu0/2 e^(-kd) (kx Jy - ky Jx) i/k`` (Roth, Sepulveda,
    Wikswo, J. Appl. Phys. 65, 361, 1989), times the transform of a cell and what `Sensing` averages over. A uniform
    current has no Bz.
    """
    ky, kx = waves(shape, cell)
    gap = sensing.height - (sensing.thickness + sensing.depth) / 2
    # Where the layers touch nothing fades: averages over them and over cells let the sum converge as 1/k^2 or faster.
    reach = [int(np.ceil(min(_FAINT * side / (2 * np.pi * max(gap, 1e-12)) + 0.5, 16))) for side in cell]
    out = np.zeros((len(components), 2, shape[0], shape[1] // 2 + 1), dtype=complex)
    for m in range(-reach[0], reach[0] + 1):
        y = ky + 2 * np.pi * m / cell[0]
        for n in range(-reach[1], reach[1] + 1):
            x = kx + 2 * np.pi * n / cell[1]
            filled = np.sinc(x * cell[1] / (2 * np.pi)) * np.sinc(y * cell[0] / (2 * np.pi))
            part = mu_0 / 2 * filled * sensing.factor(x, y)
            k = np.hypot(x, y)
            turned = 1j * part / np.where(k > 0, k, 1.0)
            for index, name in enumerate(components):
                if name == "z":
                    out[index, 0] -= turned * y
                    out[index, 1] += turned * x
                else:
                    out[index, 1 if name == "x" else 0] += part if name == "x" else -part
    return out
