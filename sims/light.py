"""How the dips grow with microwave power."""

from __future__ import annotations

import numpy as np

__all__ = ["saturation"]


def saturation(power: float, saturation_power: float) -> tuple[float, float]:
    """Contrast and width of a line under continuous drive.

    The steady state of a driven two-level line: with ``s`` the power over the saturation power, the
    contrast follows ``s / (1 + s)`` and the width ``sqrt(1 + s)`` (Dreau et al., Phys. Rev. B 84,
    195204 (2011), for an optical pumping rate that stays as it is).

    Parameters
    ----------
    power, saturation_power : float
        Microwave power, and the power at which the contrast is half its limit (dBm).

    Returns
    -------
    contrast, width : float
        Contrast as a fraction of its limit; width as a multiple of the width without drive.

    Examples
    --------
    >>> saturation(25.0, 25.0)[0], round(saturation(25.0, 25.0)[1], 4)
    (0.5, 1.4142)
    """
    s = 10 ** ((power - saturation_power) / 10)
    return s / (1 + s), float(np.sqrt(1 + s))
