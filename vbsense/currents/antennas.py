"""Planar microwave antennas: the near field that drives the spins.

Quasi-static: the current has one phase along the antenna and its field is that of a direct current. This holds while
antenna and distance are much shorter than the wavelength (86 mm in vacuum at 3.5 GHz, some 35 mm on a chip): below
1 mm the phase varies by less than 0.2 rad. Substrate and sample are taken as not magnetic. Return currents that are
not drawn are left out.

How the current spreads over the width is chosen by `distribution`:

- ``"uniform"``: evenly, as a direct current does; right for width * thickness well below the square of the skin depth
  (1.3 um in gold at 3.5 GHz).
- ``"edge"``: crowded at the edges as in thin strips that let no flux through, ``1 / sqrt((w/2)^2 - x^2)`` for one
  strip; right for width * thickness well above it. It is drawn as lanes with their share of the current: fine lanes
  at the edges, where the field within a lane's width is smoothed.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._numbers import number, reals, whole
from vbsense.currents._inputs import WIDEST, size, vector
from vbsense.currents._lanes import center_lanes, crowded, ground_lanes, known, share_out
from vbsense.currents.compose import Conductor, Sum
from vbsense.currents.paths import check_path

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_POWER = 60.0  # dBm

__all__ = ["antenna_current", "coplanar", "drive_field", "omega", "strip"]


def strip(
    start: ArrayLike,
    end: ArrayLike,
    width: float,
    thickness: float,
    current: float,
    *,
    normal: ArrayLike = (0.0, 0.0, 1.0),
    distribution: str = "uniform",
    lanes: int = 32,
) -> Sum:
    """Straight strip.

    Parameters
    ----------
    start, end : (3,) array_like
        Ends of the centre line (m).
    width, thickness : float
        Of the strip (m).
    current : float
        Peak current (A).
    normal : (3,) array_like, default (0, 0, 1)
        Direction of the thickness, at right angles to the strip.
    distribution : str
        ``"uniform"`` or ``"edge"``.
    lanes : int
        Lanes of an ``"edge"`` distribution.

    Returns
    -------
    Sum

    Examples
    --------
    >>> ends = (0, -1e-3, 0), (0, 1e-3, 0)
    >>> even, crowded = (strip(*ends, 50e-6, 1e-6, 0.1, distribution=d) for d in ("uniform", "edge"))
    >>> above = [[0, 0, 2e-6], [24e-6, 0, 2e-6]]                   # in the middle and near an edge
    >>> [(one.field(above)[:, 0] * 1e3).round(2).tolist() for one in (even, crowded)]              # mT
    [[1.19, 0.8], [0.8, 1.66]]
    """
    return crowded([start, end], width, thickness, current, normal, distribution, lanes)


def omega(
    radius: float,
    width: float,
    thickness: float,
    current: float,
    *,
    opening: float,
    lead_length: float,
    center: ArrayLike = (0.0, 0.0, 0.0),
    sides: int = 48,
    distribution: str = "uniform",
    lanes: int = 8,
) -> Sum:
    """Omega loop: a ring, open towards -y, with two leads along y.

    Parameters
    ----------
    radius : float
        Radius of the centre line of the ring (m).
    width, thickness : float
        Of the conductor (m).
    current : float
        Peak current (A), counter-clockwise seen from +z.
    opening : float
        Distance of the centre lines of the leads (m), above the width.
    lead_length : float
        Length of the leads (m).
    center : (3,) array_like
        Centre of the ring (m). For another plane or direction use `Placed`.
    sides : int
        The ring is a polygon with its corners on the circle; this many would make it whole.
    distribution, lanes
        As for `strip`; an ``"edge"`` distribution is that of a straight strip, right for width << radius.

    Returns
    -------
    Sum

    Examples
    --------
    >>> antenna = omega(100e-6, 20e-6, 1e-6, 0.1, opening=40e-6, lead_length=1e-3)
    >>> (antenna.field([0, 0, 0])[2] * 1e6).round()                # uT; a whole ring would give 628
    np.float64(611.0)
    """
    x, y, z = vector("center", center, ", in m")
    radius, opening = size("radius", radius, WIDEST), number("opening", opening, "m", positive=True)
    width = size("width", width, WIDEST)
    lead_length = number("lead_length", lead_length, "m", positive=True)
    sides = whole("sides", sides, 8)
    if not width < opening < 2 * radius:
        raise ValueError(
            f"opening is {opening:g} m; it lies between the width, {width:g}, and the diameter, {2 * radius:g}"
        )
    half = np.arcsin(opening / (2 * radius))
    count = int(np.ceil(sides * (1 - half / np.pi)))
    angle = np.linspace(-np.pi / 2 + half, 1.5 * np.pi - half, count + 1)
    ring = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle), np.full(angle.size, z)], axis=1)
    ends = ring[[0, -1]] - [0.0, lead_length, 0.0]
    corners = np.concatenate([ends[:1], ring, ends[1:]])
    return crowded(corners, width, thickness, current, (0, 0, 1), distribution, lanes)


def coplanar(
    start: ArrayLike,
    end: ArrayLike,
    thickness: float,
    current: float,
    *,
    center_width: float,
    gap: float,
    ground_width: float,
    normal: ArrayLike = (0.0, 0.0, 1.0),
    distribution: str = "uniform",
    lanes: int = 32,
) -> Sum:
    """Coplanar waveguide: a centre conductor, and half of its current back in the ground on either side.

    Parameters
    ----------
    start, end : (3,) array_like
        Ends of the centre line (m).
    thickness : float
        Of all three conductors (m).
    current : float
        Peak current of the centre conductor (A).
    center_width, gap, ground_width : float
        Width of the centre conductor, of either gap and of either ground (m).
    normal : (3,) array_like, default (0, 0, 1)
        Direction of the thickness, at right angles to the line.
    distribution : str
        ``"uniform"`` or ``"edge"``: crowded at the edges next to the gaps.
    lanes : int
        Lanes of each conductor of an ``"edge"`` distribution.

    Returns
    -------
    Sum

    Notes
    -----
    Edges at a < b < c from the middle. Outside of thin strips through which no flux passes, Bz + i Bx is an analytic
    function of x + i z, real in the gaps and imaginary on the strips; with no net current it falls as 1/r^2. The only
    such function is ``1 / sqrt((s^2 - a^2) (s^2 - b^2) (s^2 - c^2))``, and its jump is the current density.

    Examples
    --------
    >>> line = coplanar((0, -1e-3, 0), (0, 1e-3, 0), 0.5e-6, 0.1, center_width=30e-6, gap=20e-6, ground_width=200e-6,
    ...                 distribution="edge")
    >>> B = line.field([[0, 0, 1e-6], [25e-6, 0, 1e-6]]) * 1e3             # mT
    >>> B[0, 0].round(2), B[1, 2].round(2)                     # along x above the centre, along z in the gap
    (np.float64(1.26), np.float64(-1.35))
    """
    a = size("center_width", center_width, WIDEST) / 2
    b = a + size("gap", gap, WIDEST)
    c = b + size("ground_width", ground_width, WIDEST)
    ends: Any = [start, end]
    check_path(ends, normal, 2 * a, False)
    if known(distribution) == "uniform":
        center, ground = (np.array([-a, a]), np.ones(1)), (np.array([b, c]), np.ones(1))
    else:
        count = whole("lanes", lanes, 2)
        center, ground = center_lanes(a, b, c, count), ground_lanes(a, b, c, count)
    sides = (center, (ground[0], -ground[1] / 2), (-ground[0][::-1], -ground[1][::-1] / 2))
    parts = [part for side, share in sides
             for part in share_out(ends, side, share, thickness, current, normal)]  # fmt: skip
    return Sum(tuple(parts), current=number("current", current, "A"))


def drive_field(
    antennas: Conductor | Sequence[Conductor], points: ArrayLike, *, phases: Sequence[float] | None = None
) -> NDArray[np.complex128]:
    """Microwave field of one or several antennas, as a phasor.

    Parameters
    ----------
    antennas : Conductor or sequence of Conductor
        Each with its peak current.
    points : (..., 3) array_like
        Where (m).
    phases : sequence of float, optional
        Phase of each current (rad), by default 0.

    Returns
    -------
    (..., 3) ndarray of complex
        Peak amplitude (T): the field is the real part of it times ``exp(-i omega t)``. Its direction is the `drive`
        of `vbsense.spectrum`, in the frame of the laboratory.

    Examples
    --------
    Two crossed strips a quarter of a period apart turn the field round:

    >>> along_y = strip((0, -1e-3, 0), (0, 1e-3, 0), 50e-6, 1e-6, 0.1)
    >>> along_x = strip((-1e-3, 0, 0), (1e-3, 0, 0), 50e-6, 1e-6, 0.1)
    >>> B = drive_field([along_y, along_x], [0, 0, 10e-6], phases=[0, np.pi / 2]) * 1e3            # mT
    >>> B[:2].round(2) + 0
    array([0.95+0.j  , 0.  -0.95j])
    """
    if not isinstance(antennas, Iterable | Conductor):
        raise TypeError(f"antennas is {reprlib.repr(antennas)}; give a conductor or a list of them")
    several = [antennas] if isinstance(antennas, Conductor) else list(antennas)
    if not several:
        raise ValueError("antennas is empty; give at least one")
    shifts = np.zeros(len(several)) if phases is None else reals("phases", phases, "one for each antenna, in rad")
    if shifts.shape != (len(several),) or not np.isfinite(shifts).all():
        raise ValueError(
            f"phases: received {phases!r} for {len(several)} antennas; give one finite number each, in rad"
        )
    total = 0.0 + 0.0j
    for antenna, shift in zip(several, shifts, strict=True):
        total = total + np.exp(1j * shift) * Sum((antenna,)).field(points)
    return total  # type: ignore[return-value]


def antenna_current(power: float, *, impedance: float = 50.0, reflection: complex = -1.0) -> float:
    """Peak current at the end of a line.

    Parameters
    ----------
    power : float
        Power that travels towards the antenna (dBm), up to 1 kW.
    impedance : float
        Of the line (ohm).
    reflection : complex
        Reflection of the voltage at the antenna: -1 for a line that the antenna shorts, 0 for one that runs on into a
        matched load; up to 1 in magnitude.

    Returns
    -------
    float
        Peak current (A), ``sqrt(2 P / Z) |1 - reflection|``.

    Notes
    -----
    D. M. Pozar, Microwave Engineering, 4th ed. (2012), section 2.3.

    Examples
    --------
    >>> round(antenna_current(20.0), 4), round(antenna_current(20.0, reflection=0.0), 4)           # 100 mW
    (0.1265, 0.0632)
    """
    level = number("power", power, "dBm")
    if level > MOST_POWER:
        raise ValueError(f"power is {level:g} dBm, above {MOST_POWER:g}; 1 mW is 0 dBm, 1 W is 30 dBm")
    watts = 1e-3 * 10 ** (level / 10)
    if not isinstance(reflection, Number) or not abs(reflection) <= 1:
        raise ValueError(f"reflection is {reflection!r}; at most 1 in magnitude, a real or complex number")
    return float(np.sqrt(2 * watts / number("impedance", impedance, "ohm", positive=True)) * np.abs(1 - reflection))
