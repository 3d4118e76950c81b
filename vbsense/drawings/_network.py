"""Pixels as a network of resistors: who is joined to whom, and the currents between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Network:
    """Conductances between neighbouring pixels, for a sheet of 1 ohm per square.

    The side between two pixels conducts as much as its open fraction divided by the distance between what it joins
    (in pixels): two centres, or a centre and the border of a contact.

    Parameters
    ----------
    open_x, open_y : (ny, nx + 1), (ny + 1, nx)
        Open fractions of the sides across x and y.
    near_x, near_y
        Distances, of the same shapes.
    owner : (ny, nx) int
        Number of the contact that holds the pixel, -1 for none.
    contacts : tuple of str
        Their names.
    """

    open_x: NDArray[np.float64]
    open_y: NDArray[np.float64]
    near_x: NDArray[np.float64]
    near_y: NDArray[np.float64]
    owner: NDArray[np.int64]
    contacts: tuple[str, ...]


def flow(
    network: Network, into: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Currents across the sides (A), towards +x and +y, voltages of the contacts and of the pixels (V per ohm)."""
    node, pixels = _number(network)
    sides = [_sides(node, network.open_x, network.near_x, 1), _sides(node, network.open_y, network.near_y, 0)]
    first, second, conductance = (np.concatenate(parts) for parts in zip(*(s[1:] for s in sides), strict=True))
    names = network.contacts
    contacts = np.arange(pixels, pixels + len(names))
    _check_contacts(first, second, pixels, names)
    island = _islands(first, second, pixels + len(names))
    _check_islands(island[contacts], into, names)
    source = np.zeros(pixels + len(names))
    source[contacts] = into
    voltage = _solve(first, second, conductance, source, _grounded(island, contacts))
    current = conductance * (voltage[first] - voltage[second])
    flows = []
    for place, *_ in sides:
        along = np.zeros(place.shape)
        along[place], current = current[: place.sum()], current[place.sum() :]
        flows.append(along)
    potential = np.where(node >= 0, voltage[node], np.nan)
    return flows[0], flows[1], voltage[contacts], potential


def _number(network: Network) -> tuple[NDArray[np.int64], int]:
    """Number of the node of every pixel: pixels of their own, then one for each contact; -1 beyond the conductor."""
    sides = network.open_x[:, 1:] + network.open_x[:, :-1] + network.open_y[1:] + network.open_y[:-1]
    free = (sides > 0) & (network.owner < 0)
    node = np.full(free.shape, -1)
    node[free] = np.arange(free.sum())
    held = network.owner >= 0
    node[held] = free.sum() + network.owner[held]
    return node, int(free.sum())


def _sides(
    node: NDArray[np.int64], open_side: NDArray[np.float64], near: NDArray[np.float64], axis: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Which sides conduct, between which nodes, and how well."""
    widths = [(0, 0), (0, 0)]
    widths[axis] = (1, 1)
    padded = np.pad(node, widths, constant_values=-1)
    before, after = (padded[:, :-1], padded[:, 1:]) if axis else (padded[:-1], padded[1:])
    place = (open_side > 0) & (before >= 0) & (after >= 0) & (before != after)
    return place, before[place], after[place], open_side[place] / near[place]


def _islands(first: NDArray[np.int64], second: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = coo_array((np.ones(first.size), (first, second)), shape=(nodes, nodes))
    return connected_components(joined.tocsr(), directed=False)[1]


def _check_contacts(first: NDArray[np.int64], second: NDArray[np.int64], pixels: int, names: tuple[str, ...]) -> None:
    both = np.flatnonzero((first >= pixels) & (second >= pixels))
    if both.size:
        one, other = names[first[both[0]] - pixels], names[second[both[0]] - pixels]
        raise ValueError(f"contacts {one!r} and {other!r} touch; leave conductor between them, or give smaller pixels")
    joined = np.union1d(first, second)
    for index, name in enumerate(names):
        if pixels + index not in joined:
            raise ValueError(f"contact {name!r} does not touch the conductor beyond its own area; move it there")


def _check_islands(island: NDArray[np.int64], into: Sequence[float], names: tuple[str, ...]) -> None:
    total, largest = np.zeros(island.max() + 1), max(map(abs, into))
    np.add.at(total, island, into)
    for index in np.flatnonzero(np.abs(total) > 1e-9 * largest):
        here = ", ".join(repr(name) for name, place in zip(names, island, strict=True) if place == index)
        raise ValueError(
            f"{total[index]:.6g} A enter at {here} and find no way out: no conductor joins it to the other contacts; "
            "close the gap in the drawing, or move the contacts"
        )


def _grounded(island: NDArray[np.int64], contacts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Nodes at zero: the last contact of every island, and all islands without a contact."""
    grounded = ~np.isin(island, island[contacts])
    grounded[list({island[contact]: contact for contact in contacts}.values())] = True
    return grounded


def _solve(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    conductance: NDArray[np.float64],
    source: NDArray[np.float64],
    grounded: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Voltages of all nodes from Kirchhoff's law at all that are not grounded."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import splu

    both = np.concatenate([first, second])
    matrix = coo_array(
        (np.concatenate([conductance, conductance, -conductance, -conductance]),
         (np.concatenate([both, both]), np.concatenate([both, second, first])))
    , shape=(source.size, source.size)).tocsc()  # fmt: skip
    free = np.flatnonzero(~grounded)
    matrix, wanted = matrix[free][:, free], source[free]
    factors = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    found = factors.solve(wanted)
    found += factors.solve(wanted - matrix @ found)  # one refinement: currents then add up to rounding
    voltage = np.zeros(source.size)
    voltage[free] = found
    return voltage
