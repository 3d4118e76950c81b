"""The current that flows in a drawing: Laplace's equation for the potential, between contacts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense._numbers import number
from vbsense.currents.sheet import CurrentSheet
from vbsense.drawings._contacts import Contact, contact_areas, currents_of
from vbsense.drawings._cover import Grid, Intervals, covered, mask_and_borders, narrow_gaps, scan_edges
from vbsense.drawings._network import Network, flow
from vbsense.drawings.drawing import Drawing

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Potential", "solve_current", "solve_potential"]

PIXELS_ACROSS = 20  # of a typical trace, by default
MOST_PIXELS = 4_000_000
LONG_GAP = 4  # pixels on end


@dataclass(frozen=True, eq=False)
class Potential:
    """What `solve_potential` finds.

    Parameters
    ----------
    sheet : CurrentSheet
        The current density.
    voltages : dict of str to float
        Potential of every contact (V) for a sheet resistance of 1 ohm per square; one contact is at 0.
    potential : (ny, nx) ndarray
        The same in every pixel, NaN beyond the conductor and on islands without contact.

    Examples
    --------
    >>> strip = Drawing([[(0, 0), (6e-6, 0), (6e-6, 2e-6), (0, 2e-6)]], labels={"a": (0, 1e-6), "b": (6e-6, 1e-6)})
    >>> found = solve_potential(strip, contacts={"source": "a", "drain": "b"}, current=1.0)
    >>> round(found.voltages["source"] - found.voltages["drain"], 6)       # ohm: three squares of 1 ohm
    3.0
    """

    sheet: CurrentSheet
    voltages: Mapping[str, float]
    potential: NDArray[np.float64]


def solve_current(
    drawing: Drawing,
    *,
    contacts: Mapping[str, str | ArrayLike],
    current: float | Mapping[str, float],
    pixel_size: float | None = None,
    thickness: float = 0.0,
    z: float = 0.0,
) -> CurrentSheet:
    """Current density in a conductor of uniform sheet resistance.

    Parameters
    ----------
    drawing : Drawing
        The conductor.
    contacts : mapping of str to str or (n, 2) array_like
        Where current enters and leaves. A label of the drawing stands for the whole straight edge nearest to it, as far
        as it goes on along outlines that touch; a polygon (m), which overlaps or touches the conductor, for its area.
        The potential is the same all over a contact, and within its area no current flows along the sheet: it is fed
        from above.
    current : float or mapping of str to float
        Current (A) from the contact ``"source"`` to the contact ``"drain"``; with other contacts the current into the
        conductor at each of them, zero for those that are left out, zero in total.
    pixel_size : float, optional
        Side of a pixel (m), by default a twentieth of the typical width of the traces.
    thickness, z : float
        Thickness and height of the middle of the conducting layer (m), for the field.

    Returns
    -------
    CurrentSheet
        One empty pixel around the conductor. A pixel that is partly covered holds the mean over all of it. Islands
        that no contact touches carry nothing.

    Raises
    ------
    ValueError
        If a label stands between two edges, a contact does not touch the conductor, touches another or holds no pixel,
        if no conductor joins contacts between which current is to flow, if currents do not add up to zero, or if a
        length makes no sense.

    Warns
    -----
    UserWarning
        If a gap is narrower than a pixel: its sides may be joined.

    Notes
    -----
    Finite volumes on the pixels: the current between neighbours is the difference of their potentials times the
    fraction of their common side that lies on the conductor (J. W. Purvis, J. E. Burkhalter, AIAA J. 17, 18 (1979),
    doi:10.2514/3.61053; second order: Y. T. Ng, C. Min, F. Gibou, J. Comput. Phys. 228, 8807 (2009),
    doi:10.1016/j.jcp.2009.08.032), and towards a contact divided by the distance to its border (F. Gibou et al.,
    J. Comput. Phys. 176, 205 (2002), doi:10.1006/jcph.2001.6977). What enters a pixel leaves it, to 1e-9, and
    `CurrentSheet.divergence` is zero apart from the contacts.

    Measured at the default of twenty pixels across a trace: straight strips at any angle are exact to 1e-6; ring
    sectors have resistances exact to 3e-5 and, two pixels from their edges, current densities exact to 5e-4; the square
    in the corner of a bend, 0.559 squares (P. M. Hall, Thin Solid Films 1, 277 (1968),
    doi:10.1016/0040-6090(68)90046-1), comes out 0.006 squares too large, a step in width 0.003. The errors fall with
    the square of the pixel where edges are smooth, with its power 4/3 at inner right angles, where the current density
    itself is infinite, and in proportion to it where a contact ends on a straight edge.

    An edge inside a pixel is smeared over it, which displaces the current of a trace of width w sideways by at most
    ``pixel_size^2 / (8 w)``. For the field close to a trace choose pixels that fit its edges.

    Examples
    --------
    >>> bend = Drawing([[(0, 0), (8e-6, 0), (8e-6, 2e-6), (2e-6, 2e-6), (2e-6, 8e-6), (0, 8e-6)]],
    ...                labels={"in": (1e-6, 8e-6), "out": (8e-6, 1e-6)})
    >>> sheet = solve_current(bend, contacts={"source": "in", "drain": "out"}, current=1e-3)
    >>> round(sheet.current * 1e3, 6), bool(np.abs(sheet.Jx).max() > 600)          # crowded at the inner corner
    (1.0, True)
    """
    return solve_potential(
        drawing, contacts=contacts, current=current, pixel_size=pixel_size, thickness=thickness, z=z
    ).sheet


def solve_potential(
    drawing: Drawing,
    *,
    contacts: Mapping[str, str | ArrayLike],
    current: float | Mapping[str, float],
    pixel_size: float | None = None,
    thickness: float = 0.0,
    z: float = 0.0,
) -> Potential:
    """Current density and potential in a conductor of uniform sheet resistance.

    Parameters
    ----------
    drawing, contacts, current, pixel_size, thickness, z
        As in `solve_current`.

    Returns
    -------
    Potential
        The current density, the potential, and the voltages of the contacts.

    Examples
    --------
    >>> ring = Drawing([[(0, 0), (3e-6, 0), (3e-6, 3e-6), (0, 3e-6)]], [[(1e-6, 1e-6), (2e-6, 1e-6), (1e-6, 2e-6)]])
    >>> pads = {"source": [(0, 0), (1e-7, 0), (1e-7, 3e-6), (0, 3e-6)],
    ...         "drain": [(2.9e-6, 0), (3e-6, 0), (3e-6, 3e-6), (2.9e-6, 3e-6)]}
    >>> found = solve_potential(ring, contacts=pads, current=1e-3, pixel_size=5e-8)
    >>> 1e-3 < found.voltages["source"] - found.voltages["drain"] < 2e-3           # more than a square without the hole
    True
    """
    if not isinstance(drawing, Drawing):
        raise TypeError(f"drawing: received {type(drawing).__name__}; give a Drawing, e.g. from read_drawing")
    pixel_size = _pixel_size(drawing, pixel_size)
    areas = contact_areas(drawing, contacts, pixel_size)
    into = currents_of(contacts, current)
    grid = Grid.around([*drawing.rings, *(contact.area for contact in areas.values())], pixel_size)
    network = _network(drawing, areas, grid)
    flows_x, flows_y, voltages, potential = flow(network, list(into.values()))
    sheet = CurrentSheet(
        (flows_x[:, 1:] + flows_x[:, :-1]) / (2 * pixel_size),
        (flows_y[1:] + flows_y[:-1]) / (2 * pixel_size),
        pixel_size,
        z,
        origin=(float(grid.centres(0)[0]), float(grid.centres(1)[0])),
        thickness=thickness,
        nominal=into["source"] if set(into) == {"source", "drain"} else sum(v for v in into.values() if v > 0),
    )
    return Potential(sheet, dict(zip(into, voltages.tolist(), strict=True)), potential)


def _pixel_size(drawing: Drawing, value: Any) -> float:
    left, low, right, high = drawing.bounds
    size = drawing.width / PIXELS_ACROSS if value is None else number("pixel_size", value, "m", positive=True)
    pixels = (right - left) * (high - low) / size**2
    if pixels > MOST_PIXELS:
        raise ValueError(
            f"pixel_size: {size:.3g} m makes {pixels:.3g} pixels of this drawing of {right - left:.3g} by "
            f"{high - low:.3g} m; give at least {size * np.sqrt(pixels / MOST_PIXELS):.3g} m, or draw less"
        )
    if size > min(right - left, high - low) or size > 2 * drawing.width:
        raise ValueError(
            f"pixel_size: received {size:.3g} m, but traces of this drawing of {right - left:.3g} by "
            f"{high - low:.3g} m are some {drawing.width:.3g} m wide; give a fraction of that, in m"
        )
    return size


def _network(drawing: Drawing, contacts: dict[str, Contact], grid: Grid) -> Network:
    """What joins the pixels: open fractions of their sides, contacts, distances to the borders of contacts."""
    rings = [*drawing.rings, *(contact.area for contact in contacts.values())]
    rows, columns = grid.shape
    across_x, across_y = scan_edges(rings, grid, 1), scan_edges(rings, grid, 0)
    _warn_of_gaps(across_x, across_y, grid)
    open_x, open_y = covered(across_x, columns + 1, rows).T, covered(across_y, rows + 1, columns)
    owner = _owners(contacts, grid)
    near_x, near_y = np.ones(open_x.shape), np.ones(open_y.shape)
    for index, contact in enumerate(contacts.values()):
        mask, borders = mask_and_borders([contact.reach], grid, 0)
        _shorten(near_x, mask, borders)
        owner[mask & (owner < 0)] = index
        _shorten(near_y.T, *mask_and_borders([contact.reach], grid, 1))
    return Network(open_x, open_y, near_x, near_y, owner, tuple(contacts))


def _owners(contacts: dict[str, Contact], grid: Grid) -> NDArray[np.int64]:
    """Number of the contact in whose area the centre of each pixel lies, -1 for none."""
    owner = np.full(grid.shape, -1)
    for index, (name, contact) in enumerate(contacts.items()):
        mask, _ = mask_and_borders([contact.area], grid, 0)
        if not mask.any():
            raise ValueError(
                f"contact {name!r} holds no centre of a pixel of {grid.pixel_size:.3g} m; give smaller pixels or a "
                "larger contact"
            )
        if (owner[mask] >= 0).any():
            raise ValueError(f"contact {name!r} overlaps {list(contacts)[owner[mask].max()]!r}; move them apart")
        owner[mask] = index
    return owner


def _shorten(near: NDArray[np.float64], mask: NDArray[np.bool_], borders: NDArray[np.float64]) -> None:
    """Distance from the centre outside a contact to its border, in pixels, where a side lies between the two."""
    padded = np.pad(mask, ((0, 0), (1, 1)))
    into, out = ~padded[:, :-1] & padded[:, 1:], padded[:, :-1] & ~padded[:, 1:]
    near[into], near[out] = borders[into], 1 - borders[out]
    # A border through a centre would join it without resistance.
    np.maximum(near, 1e-6, out=near)


def _warn_of_gaps(across_x: Intervals, across_y: Intervals, grid: Grid) -> None:
    """Warn where a gap hides between the middles of the sides of pixels, several pixels on end.

    The tip of a notch is narrower than a pixel as well, but hardly joins anything.
    """
    for intervals, along in ((across_x, 1), (across_y, 0)):
        gaps = narrow_gaps(intervals)
        lines = np.unique(intervals.line[gaps])
        if (lines[LONG_GAP - 1 :] - lines[: 1 - LONG_GAP] == LONG_GAP - 1).any():
            place = [0.0, 0.0]
            place[along] = grid.corner[along] + float(intervals.end[gaps[0]]) * grid.pixel_size
            place[1 - along] = float(grid.edges(1 - along)[intervals.line[gaps[0]]])
            warnings.warn(
                f"a gap is narrower than a pixel of {grid.pixel_size:.3g} m near ({place[0]:.6g}, {place[1]:.6g}) m: "
                "its sides may be joined; give smaller pixels",
                UserWarning,
                stacklevel=5,
            )
            return
