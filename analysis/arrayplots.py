"""A picture of a found sensor array: the light, the lattice laid over it, what is missing and what is too much.

SI inside, scaled only here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.analysis.lattice import FoundArray

__all__ = ["found_array"]

# On a grey picture, distinct also for the colour-blind and in print: by shape first, then by colour.
SITE, MISSING, EXTRA, LINES = "#2a9d8f", "#d1495b", "#f4a259", "#8ecae6"


def found_array(found: FoundArray, sweep: Any, ax: Any) -> Any:
    """Light of a sweep with the lattice that was found in it.

    Parameters
    ----------
    found : FoundArray
        From `find_array`.
    sweep : xarray.Dataset or xarray.DataArray
        The images in which it was found.
    ax : matplotlib.axes.Axes
        Drawn into.

    Returns
    -------
    matplotlib.image.AxesImage

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vbsense import analysis, sims
    >>> scene = sims.gold_wire_nanoarray(rows=6, columns=6)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 3), exposure=0.5, rng=1)
    >>> ax = Figure().subplots()
    >>> image = found_array(analysis.find_array(sweep), sweep, ax)
    >>> ax.get_title()
    'Array of 6 x 6 sites, pitch 400.0 nm, rotation 4.01 degrees'
    """
    from vbsense.analysis._lattice_light import light_of

    light = light_of(sweep, task="found_array")
    ny, nx = light.good.shape
    x, y = ((np.array([-0.5, n - 0.5]) * light.pixel + c) * 1e6 for n, c in zip((nx, ny), light.corner, strict=True))
    shown = np.where(light.good, light.values, np.nan) / 1e3
    image = ax.imshow(
        shown, origin="lower", extent=(*x, *y), cmap="gray", vmin=0, vmax=_brightest(found, shown), zorder=0
    )
    _lattice_lines(found, ax)
    _marks(found, ax)
    ax.set(xlim=x, ylim=y, xlabel="x (µm)", ylabel="y (µm)", title=_title(found))
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="kilo-electrons per pixel and exposure")
    ax.legend(
        loc="upper left", bbox_to_anchor=(0.0, -0.14), ncols=4, frameon=False, fontsize="small", handletextpad=0.3
    )
    return image


def _brightest(found: FoundArray, shown: np.ndarray) -> float:
    """Top of the grey scale: stray spots and hot pixels may be brighter."""
    known = shown[np.isfinite(shown)]
    return float(np.quantile(known, 0.995)) if known.size else 1.0


def _title(found: FoundArray) -> str:
    rows, columns = found.array.shape
    pitch, degrees = found.values["pitch"] * 1e9, np.degrees(found.values["rotation"])
    return f"Array of {rows} x {columns} sites, pitch {pitch:.1f} nm, rotation {degrees:.2f} degrees"


def _places(found: FoundArray) -> np.ndarray:
    """x and y of all sites, dark ones too, ``(rows, columns, 2)`` um."""
    from dataclasses import replace

    whole = replace(found.array, missing=())
    return np.stack([whole.x, whole.y], axis=-1).reshape(*whole.shape, 2) * 1e6


def _lattice_lines(found: FoundArray, ax: Any) -> None:
    """Rows and columns as thin lines between the first and the last site."""
    place = _places(found)
    for line in (*place, *place.transpose(1, 0, 2)):
        ax.plot(*line[[0, -1]].T, color=LINES, linewidth=0.4, alpha=0.5, zorder=1)


def _marks(found: FoundArray, ax: Any) -> None:
    place = _places(found).reshape(-1, 2)
    dark = list(found.missing)
    bright = np.setdiff1d(np.arange(len(place)), [*found.missing, *found.outside])
    extra = np.array(found.extra).reshape(-1, 3) * 1e6
    for points, marker, color, label in (
        (place[bright], ".", SITE, "bright"),
        (place[dark], "x", MISSING, "missing"),
        (extra[:, :2], "D", EXTRA, "extra"),
        (place[list(found.outside)], "+", LINES, "out of view"),
    ):
        if len(points):
            filled = {"facecolors": "none"} if marker == "D" else {}
            color_option = {"edgecolors": color} if marker == "D" else {"color": color}
            size = {".": 10, "x": 28, "D": 42, "+": 20}[marker]
            ax.scatter(
                *points.T, s=size, marker=marker, linewidths=1.2, label=f"{label} ({len(points)})", zorder=2,
                **filled, **color_option,
            )  # fmt: skip
