"""Pictures of current densities: size with the lines along which it flows, error, and what it leaves of the field.

Every function draws into the axes, or the figure, that it is given. SI inside, scaled only here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError
from vbsense.layout import require

__all__ = ["current_error_map", "current_map", "plot_current", "residual_map"]

_FLOW = "#3fd4ff"  # seen on dark and on bright parts of the map
_ARROWS = 24  # of the longer side
_WEAK = 0.15  # of the strongest current: below this, or below three errors, no direction is drawn


def current_map(sheet: xr.Dataset, ax: Any, *, flow: str = "arrows") -> Any:
    """Size of the current density, and where it flows.

    Parameters
    ----------
    sheet : xarray.Dataset
        A map of `J` on pixels, with components x and y.
    ax : matplotlib.axes.Axes
        Drawn into.
    flow : {"arrows", "lines", "none"}
        Arrows of block averages, stream lines, or nothing. Neither is drawn where the current is weaker than three
        errors or 15 % of its maximum.

    Returns
    -------
    matplotlib.collections.QuadMesh

    Examples
    --------
    >>> import vbsense as vb
    >>> from matplotlib.figure import Figure
    >>> from vbsense.analysis import fourier_current
    >>> field = vb.make_map(np.random.default_rng(0).normal(0, 1e-6, (16, 16)), pixel_size=1e-7)
    >>> current_map(fourier_current(field, standoff=1e-7), Figure().subplots()).get_array().shape
    (16, 16)
    """
    Jx, Jy = _components(sheet)
    if flow not in ("arrows", "lines", "none"):
        raise ValueError(f"flow is {flow!r}; it is 'arrows', 'lines' or 'none'")
    size = np.hypot(Jx, Jy)
    mesh = _mesh(sheet, size, ax, cmap="magma", vmin=0)
    if flow == "arrows":
        _arrows(sheet, Jx, Jy, ax)
    elif flow == "lines":
        _lines(sheet, Jx, Jy, ax)
    _label(mesh, ax, "Current density", "|J| (A/m)")
    return mesh


def current_error_map(sheet: xr.Dataset, ax: Any) -> Any:
    """Error of the current density: the root of the mean square of both components.

    Parameters
    ----------
    sheet : xarray.Dataset
        A map of `J` with `J_err`.
    ax : matplotlib.axes.Axes
        Drawn into.

    Returns
    -------
    matplotlib.collections.QuadMesh
    """
    _components(sheet)
    if "J_err" not in sheet:
        raise LayoutError("the map has no errors 'J_err' to draw")
    square = sum(sheet["J_err"].sel(component=c).values ** 2 for c in "xy")
    error = np.sqrt(square / 2)
    known = error[np.isfinite(error)]
    # Near holes the error may be ten times that elsewhere, which should still be seen.
    top = min(float(known.max()), 4 * float(np.median(known))) if known.size else 1.0
    mesh = _mesh(sheet, error, ax, cmap="viridis", vmin=0, vmax=top or 1.0)
    _label(mesh, ax, "Error of one component", "1 σ (A/m)")
    return mesh


def residual_map(sheet: xr.Dataset, ax: Any) -> Any:
    """What the current density leaves of the measured field.

    Parameters
    ----------
    sheet : xarray.Dataset
        A map of `J` with `residual`.
    ax : matplotlib.axes.Axes
        Drawn into.

    Returns
    -------
    matplotlib.collections.QuadMesh
    """
    _components(sheet)
    if "residual" not in sheet:
        raise LayoutError("the map has no 'residual' to draw")
    residual = sheet["residual"].values.squeeze() * 1e6
    known = np.abs(residual[np.isfinite(residual)])
    top = float(np.percentile(known, 99.5)) if known.size else 1.0
    mesh = _mesh(sheet, residual, ax, cmap="RdBu_r", vmin=-(top or 1.0), vmax=top or 1.0)
    _label(mesh, ax, "Field not explained", "measured - modelled (µT)")
    return mesh


def plot_current(sheet: xr.Dataset, figure: Any, *, flow: str = "arrows") -> None:
    """Current density, and beside it its error and the residual of the field, where the map has them.

    Parameters
    ----------
    sheet : xarray.Dataset
        A map of `J` on pixels.
    figure : matplotlib.figure.Figure
        Drawn into; 15 x 4.6 inches suit three pictures.
    flow
        As in `current_map`.

    Examples
    --------
    >>> import vbsense as vb
    >>> from matplotlib.figure import Figure
    >>> from vbsense.analysis import fourier_current
    >>> field = vb.make_map(np.random.default_rng(0).normal(0, 1e-6, (16, 16)), pixel_size=1e-7)
    >>> figure = Figure()
    >>> plot_current(fourier_current(field, standoff=1e-7), figure)
    >>> len(figure.axes)                                           # three pictures, each with its scale
    6
    """
    _components(sheet)
    others = [draw for name, draw in (("J_err", current_error_map), ("residual", residual_map)) if name in sheet]
    first, *rest = np.ravel(figure.subplots(1, 1 + len(others)))
    current_map(sheet, first, flow=flow)
    for draw, ax in zip(others, rest, strict=True):
        draw(sheet, ax)


def _components(sheet: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    require(sheet, "map")
    if "J" not in sheet or not {"x", "y"} <= set(sheet["component"].values.tolist()):
        raise LayoutError("the map has no current density 'J' with components x and y; current_density makes one")
    if "site" in sheet["J"].dims:
        raise LayoutError("the current density lies on sites; a picture needs pixels (y, x)")
    return sheet["J"].sel(component="x").values, sheet["J"].sel(component="y").values


def _mesh(sheet: xr.Dataset, values: np.ndarray, ax: Any, **look: Any) -> Any:
    ax.set_facecolor("0.8")  # what was not measured
    return ax.pcolormesh(sheet["x"] * 1e6, sheet["y"] * 1e6, values, shading="nearest", rasterized=True, **look)


def _label(mesh: Any, ax: Any, title: str, scale: str) -> None:
    ax.set(xlabel="x (µm)", ylabel="y (µm)", title=title, aspect="equal")
    ax.figure.colorbar(mesh, ax=ax, label=scale)


def _threshold(sheet: xr.Dataset, size: np.ndarray, blocks: int) -> np.ndarray | float:
    """What a current must exceed for its direction to mean something, over averages of `blocks` pixels."""
    known = size[np.isfinite(size)]
    strong = _WEAK * float(np.percentile(known, 99.5)) if known.size else 0.0
    error = float(sheet["J_err"].median()) if "J_err" in sheet else 0.0
    return max(strong, 3 * error / np.sqrt(blocks))


def _arrows(sheet: xr.Dataset, Jx: np.ndarray, Jy: np.ndarray, ax: Any) -> None:
    block = max(1, int(np.ceil(max(Jx.shape) / _ARROWS)))
    x, y = (_means(sheet[c].values * 1e6, block) for c in "xy")
    mx, my = (_block_means(part, block) for part in (Jx, Jy))
    size = np.hypot(mx, my)
    shown = size > _threshold(sheet, np.hypot(Jx, Jy), block**2)
    if not shown.any():
        return
    X, Y = np.meshgrid(x, y)
    step = float(np.diff(x).min()) if x.size > 1 else 1.0
    longest = float(size[shown].max())
    ax.quiver(
        X[shown], Y[shown], mx[shown], my[shown], color=_FLOW, pivot="mid", angles="xy", scale_units="xy",
        scale=longest / (1.2 * step), width=0.006, headwidth=3.5,
    )  # fmt: skip


def _lines(sheet: xr.Dataset, Jx: np.ndarray, Jy: np.ndarray, ax: Any) -> None:
    size = np.hypot(Jx, Jy)
    with np.errstate(invalid="ignore"):
        hidden = ~(size > _threshold(sheet, size, 1))
    if hidden.all():
        return
    # Streamlines want even steps to the last digit, which stored coordinates do not have.
    x, y = (np.linspace(sheet[c].values[0] * 1e6, sheet[c].values[-1] * 1e6, sheet.sizes[c]) for c in "xy")
    u, v = (np.ma.array(part, mask=hidden) for part in (Jx, Jy))
    ax.streamplot(x, y, u, v, color=_FLOW, density=1.4, linewidth=0.7, arrowsize=0.8, broken_streamlines=True)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))


def _means(values: np.ndarray, block: int) -> np.ndarray:
    n = max(1, len(values) // block)
    return values[: n * block].reshape(n, -1).mean(axis=1)


def _block_means(values: np.ndarray, block: int) -> np.ndarray:
    rows, columns = (max(1, n // block) for n in values.shape)
    cut = values[: rows * block, : columns * block]
    return cut.reshape(rows, cut.shape[0] // rows, columns, cut.shape[1] // columns).mean(axis=(1, 3))
