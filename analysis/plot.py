"""Pictures of sweeps, fits and maps: every function draws into the axes that it is given.

SI inside, scaled only here: micrometres, gigahertz, microtesla.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.fitplots import DATA, MODEL, allan, spectrum_fit, value_map
from vbsense.analysis.fitted import model_of
from vbsense.analysis.overview import fit_overview
from vbsense.analysis.wire import WireFit
from vbsense.analysis.wireplots import cut, edges

__all__ = [
    "allan",
    "cut",
    "fit_overview",
    "light_image",
    "pixel_map",
    "pulls",
    "sensitivity_histogram",
    "site_map",
    "site_spectrum",
    "spectrum_fit",
    "value_map",
]


def light_image(sweep: xr.Dataset, sites: xr.Dataset, ax: Any) -> Any:
    """Mean light of a sweep of images, with the sites drawn on it.

    Parameters
    ----------
    sweep : xarray.Dataset
        Images.
    sites : xarray.Dataset
        Anything with coordinates `x`, `y` on `site` (m).
    ax : matplotlib.axes.Axes
        Drawn into.

    Returns
    -------
    matplotlib.image.AxesImage
    """
    mean = sweep["signal"].mean([d for d in sweep["signal"].dims if d not in ("y", "x")])
    x, y = sweep["x"].values * 1e6, sweep["y"].values * 1e6
    half = (x[1] - x[0]) / 2
    extent = (x[0] - half, x[-1] + half, y[0] - half, y[-1] + half)
    image = ax.imshow(mean / 1e3, origin="lower", extent=extent, cmap="inferno")
    ax.plot(sites["x"] * 1e6, sites["y"] * 1e6, ".", color="white", markersize=2, alpha=0.8)
    ax.set(xlabel="x (µm)", ylabel="y (µm)", title=f"Light and the {sites.sizes['site']} sites")
    ax.figure.colorbar(image, ax=ax, label="kilo-electrons per pixel and frame")
    return image


def site_spectrum(site_sweep: xr.Dataset, fit: xr.Dataset, site: int, ax: Any) -> None:
    """Spectrum of one site (first polarity), its errors and its fit.

    Parameters
    ----------
    site_sweep, fit : xarray.Dataset
        As `unmix` and `fit_sweep` give them.
    site : int
        Which one.
    ax : matplotlib.axes.Axes
        Drawn into.
    """
    pick = {d: 0 for d in site_sweep["signal"].dims if d not in ("frequency", "site")} | {"site": site}
    one, fitted = site_sweep.isel(pick), fit.isel(pick)
    model = model_of(fit)
    level = float(fitted["offset"])
    frequency = one["frequency"].values
    error = one["signal_err"].values / level if "signal_err" in one else None
    ax.errorbar(frequency / 1e9, one["signal"] / level, error, fmt=".", color=DATA, markersize=4, linewidth=0.8)
    fine = np.linspace(frequency[0], frequency[-1], 500)
    curve = model.evaluate(fine, np.array([float(fitted[name]) for name in model.parameters])) / level
    ax.plot(fine / 1e9, curve, color=MODEL, label=f"{model.name} fit")
    ax.set(xlabel="Frequency (GHz)", ylabel="Light / off resonance", title=f"Spectrum of site {site}")
    ax.legend(frameon=False)


def site_map(field: xr.Dataset, ax: Any, *, wire: WireFit | None = None) -> Any:
    """Bz of every site.

    Parameters
    ----------
    field : xarray.Dataset
        A map on sites.
    ax : matplotlib.axes.Axes
        Drawn into.
    wire : WireFit, optional
        Whose edges are drawn.

    Returns
    -------
    matplotlib.collections.PathCollection
    """
    Bz = field["B"].sel(component="z").values * 1e6
    dots = ax.scatter(field["x"] * 1e6, field["y"] * 1e6, c=Bz, s=36, marker="s", linewidths=0, **_colors(Bz))
    if wire is not None:
        edges(field, wire, ax)
    ax.set(xlabel="x (µm)", ylabel="y (µm)", title=_title(field), aspect="equal")
    ax.figure.colorbar(dots, ax=ax, label="Bz (µT)")
    return dots


def _title(field: xr.Dataset) -> str:
    return "Field of the current" if "B_common" in field else "Field along c"


def _colors(Bz: np.ndarray) -> dict[str, Any]:
    """Two colours about zero; where a bias leaves all values on one side, a range that shows their differences."""
    known = Bz[np.isfinite(Bz)]
    if known.size and (known.min() > 0 or known.max() < 0) and np.ptp(known) < np.abs(known).min():
        return {"cmap": "viridis", "vmin": known.min(), "vmax": known.max()}
    limit = float(np.abs(known).max()) if known.size else 1.0
    return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}


def pulls(values: np.ndarray, ax: Any) -> None:
    """Histogram of (value - truth) / error beside the normal distribution.

    Parameters
    ----------
    values : ndarray
        Pulls; NaN are left out.
    ax : matplotlib.axes.Axes
        Drawn into.
    """
    values = values[np.isfinite(values)]
    ax.hist(values, bins=np.linspace(-4, 4, 25), density=True, color=DATA, alpha=0.7)
    z = np.linspace(-4, 4, 200)
    ax.plot(z, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), color=MODEL, label="normal")
    title = f"Pulls of Bz: mean {values.mean():.2f}, std {values.std(ddof=1):.2f}" if values.size > 1 else "Pulls of Bz"
    ax.set(xlabel="(measured - truth) / error", ylabel="Density", title=title)
    ax.legend(frameon=False)


def pixel_map(field: xr.Dataset, ax: Any) -> Any:
    """Bz of every pixel.

    Parameters
    ----------
    field : xarray.Dataset
        A map on pixels.
    ax : matplotlib.axes.Axes
        Drawn into.

    Returns
    -------
    matplotlib.collections.QuadMesh
    """
    Bz = field["B"].sel(component="z") * 1e6
    mesh = ax.pcolormesh(
        field["x"] * 1e6, field["y"] * 1e6, Bz, shading="nearest", rasterized=True, **_colors(Bz.values)
    )
    ax.set(xlabel="x (µm)", ylabel="y (µm)", title=_title(field), aspect="equal")
    ax.figure.colorbar(mesh, ax=ax, label="Bz (µT)")
    return mesh


def sensitivity_histogram(eta: xr.Dataset, ax: Any) -> None:
    """Both sensitivities of all sites.

    Parameters
    ----------
    eta : xarray.Dataset
        As `sensitivity` gives it.
    ax : matplotlib.axes.Axes
        Drawn into.
    """
    both = {name: eta[name].values[np.isfinite(eta[name].values)] * 1e6 for name in ("slope", "sweep")}
    for (name, values), color in zip(both.items(), (DATA, MODEL), strict=True):
        label = {"slope": "slope of one line", "sweep": "error of the whole sweep"}[name]
        if values.size:
            ax.hist(values, bins=25, color=color, alpha=0.7, label=f"{label}: median {np.median(values):.1f}")
    what = "sites" if "site" in eta["slope"].dims else "pixels"
    ax.set(xlabel="Sensitivity (µT/√Hz)", ylabel=what.capitalize(), title=f"Sensitivity of the {what}")
    ax.margins(y=0.3)
    ax.legend(frameon=False, loc="upper left", fontsize="small")
