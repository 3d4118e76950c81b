"""Pictures of a scene and its sweep: light, true field, one spectrum.

Every function draws into the axes that it is given; `overview` fills a figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["field", "light", "overview", "spectrum"]


def overview(scene: Any, sweep: Any, figure: Any) -> None:
    """Light, field along z and one spectrum side by side.

    Parameters
    ----------
    scene : Scene
        With `truth`, as those of `vbsense.sims`.
    sweep : xarray.Dataset
        Of the scene; only what is drawn is read from its file.
    figure : matplotlib.figure.Figure
        Filled.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 5), exposure=0.1, rng=1)
    >>> figure = Figure(figsize=(12, 4))
    >>> overview(scene, sweep, figure)
    >>> len(figure.axes)                                             # two with a colour bar
    5
    """
    left, middle, right = figure.subplots(1, 3)
    image = light(sweep, left)
    field(sweep, middle)
    brightest = np.unravel_index(int(np.argmax(image)), image.shape)
    spectrum(sweep, right, pixel=(int(brightest[0]), int(brightest[1])))


def light(sweep: Any, ax: Any) -> np.ndarray:
    """Electrons at the first frequency, ``(y, x)``, which are drawn as well."""
    image = np.asarray(_first(sweep)[0].values)
    mesh = ax.imshow(image, origin="lower", extent=_extent(sweep), cmap="magma")
    ax.figure.colorbar(mesh, ax=ax, label="Electrons per exposure")
    ax.set(xlabel="x (µm)", ylabel="y (µm)", title=f"Light at {sweep.frequency.values[0] / 1e9:.4g} GHz")
    return image


def field(sweep: Any, ax: Any) -> None:
    """True field of the conductor along z, at sites or pixels."""
    truth, (low, high) = sweep["truth_wire_field"], ("#2166ac", "#b2182b")
    plane = "truth_y" in truth.dims
    Bz = np.asarray(truth.isel(truth_component=2).values) * 1e6
    limit = max(float(np.abs(Bz).max()), 1e-12)
    style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    if plane:
        mesh = ax.imshow(Bz, origin="lower", extent=_extent(sweep), **style)
    else:
        place = {name: sweep[f"truth_{name}"].values * 1e6 for name in "xy"}
        mesh = ax.scatter(place["x"], place["y"], c=Bz, s=12, **style)
        ax.set(xlim=_extent(sweep)[:2], ylim=_extent(sweep)[2:], aspect="equal")
    ax.figure.colorbar(mesh, ax=ax, label="B$_z$ of the conductor (µT)")
    ax.set(xlabel="x (µm)", ylabel="y (µm)", title=f"True field, {'pixels' if plane else 'spots'}")
    ax.set_prop_cycle(color=[low, high])


def spectrum(sweep: Any, ax: Any, *, pixel: tuple[int, int]) -> None:
    """Light of one pixel (row, column) against frequency, one curve for each polarity."""
    one = sweep.signal.isel(y=pixel[0], x=pixel[1])
    frequency = sweep.frequency.values / 1e9
    for k, name in enumerate(("+I", "−I") if "polarity" in one.dims else ("",)):
        values = np.asarray((one.isel(polarity=k) if name else one).values)
        ax.plot(frequency, values, ".-", linewidth=0.8, label=name or None, color=("#d1495b", "#33415c")[k])
    if "polarity" in one.dims:
        ax.legend(frameon=False)
    ax.set(xlabel="Frequency (GHz)", ylabel="Electrons per exposure", title=f"Pixel {pixel}")


def _first(sweep: Any) -> Any:
    signal = sweep.signal
    return signal.isel({name: 0 for name in signal.dims if name not in ("frequency", "y", "x")})


def _extent(sweep: Any) -> tuple[float, float, float, float]:
    """Edges of the picture (um)."""
    half = float(sweep.attrs["pixel_size"]) / 2
    x, y = (1e6 * sweep[name].values[[0, -1]] for name in "xy")
    half *= 1e6
    return x[0] - half, x[1] + half, y[0] - half, y[1] + half
