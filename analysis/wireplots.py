"""Fitted wires in pictures of fields: their edges in a map, and a cut across them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.fitplots import DATA, MODEL, TRUTH
from vbsense.analysis.wire import WireFit

__all__ = ["cut", "edges"]


def _parts(wire: WireFit) -> list[Any]:
    """The fitted conductors, of which there may be several."""
    fitted = wire.wire
    if isinstance(fitted, Mapping):
        return list(fitted.values())
    return list(fitted) if isinstance(fitted, tuple) else [fitted]


def _directions(part: Any) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along and across a conductor."""
    along = np.subtract(part.end, part.start)
    along = along / np.linalg.norm(along)
    across = np.cross(along, part.normal)
    return along, across / np.linalg.norm(across)


def edges(field: xr.Dataset, wire: WireFit, ax: Any) -> None:
    """Both edges of every fitted conductor, seen from above, over the sites of a map.

    Parameters
    ----------
    field : xarray.Dataset
        A map on sites or pixels.
    wire : WireFit
        Its conductors are in their fitted place already.
    ax : matplotlib.axes.Axes
        Drawn into, in micrometres.
    """
    reach = np.ptp(np.concatenate([field["x"].values, field["y"].values]))
    for part in _parts(wire):
        along, across = _directions(part)
        start = np.asarray(part.start)
        middle = np.array([field["x"].values.mean(), field["y"].values.mean(), start[2]])
        centre = start + along * ((middle - start) @ along)
        for side in (-0.5, 0.5):
            ends = [centre + across * side * part.width + along * sign * reach / 2 for sign in (-1, 1)]
            ax.plot([e[0] * 1e6 for e in ends], [e[1] * 1e6 for e in ends], color="0.4", linewidth=1, linestyle="--")


def cut(field: xr.Dataset, wire: WireFit, ax: Any, *, truth: np.ndarray | None = None) -> None:
    """Bz of all sites against their distance from the middle of the fitted wire.

    Of several wires, from the middle between the outermost ones, across the first.

    Parameters
    ----------
    field : xarray.Dataset
        A map on sites.
    wire : WireFit
        The fit to it.
    ax : matplotlib.axes.Axes
        Drawn into.
    truth : ndarray, (site,), optional
        True Bz (T).
    """
    parts = _parts(wire)
    u = _across(field, parts) * 1e6
    order = np.argsort(u)
    Bz, error = (field[name].sel(component="z").values * 1e6 for name in ("B", "B_err"))
    model = _model(field, wire, Bz) * 1e6
    ax.errorbar(u, Bz, error, fmt=".", color=DATA, markersize=3, linewidth=0.6, label="measured", zorder=1)
    if truth is not None:
        ax.plot(u[order], truth[order] * 1e6, color=TRUTH, linewidth=3, alpha=0.6, label="truth", zorder=2)
    label = "fitted bar" if len(parts) == 1 else f"{len(parts)} fitted wires"
    ax.plot(u[order], model[order], "--", color=MODEL, linewidth=1.2, label=label, zorder=3)
    middle = "the wire" if len(parts) == 1 else "the wires"
    ax.set(xlabel=f"Distance from the middle of {middle} (µm)", ylabel="Bz (µT)", title="Cut across the wire")
    ax.legend(frameon=False)


def _across(field: xr.Dataset, parts: list[Any]) -> np.ndarray:
    """Distance of the sites from the middle of the wires (m)."""
    _, across = _directions(parts[0])
    x, y = field["x"].values, field["y"].values
    sites = x * across[0] + y * across[1]
    # Where each wire runs under the middle of the sites: they need not be parallel.
    middle = np.array([x.mean(), y.mean()])
    own = []
    for part in parts:
        along, start = np.subtract(part.end, part.start)[:2], np.asarray(part.start)[:2]
        own.append(float((start + along * ((middle - start) @ along) / (along @ along)) @ across[:2]))
    return np.asarray(sites - (min(own) + max(own)) / 2)


def _model(field: xr.Dataset, wire: WireFit, Bz: np.ndarray) -> np.ndarray:
    """Fitted Bz of every site; a fit of a cube leaves out the sites that have none."""
    fitted = wire.model
    if fitted.ndim == 2:
        fitted = fitted[field["component"].values.tolist().index("z")]
    if fitted.size == Bz.size:
        return fitted
    model = np.full(Bz.size, np.nan)
    model[np.isfinite(Bz)] = fitted
    return model
