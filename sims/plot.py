"""Pictures of the spin: every function draws into the axes that it is given.

SI inside, scaled only here: millitesla, gigahertz, per cent. Figures are made by the caller, without pyplot:

>>> from matplotlib.figure import Figure
>>> ax = Figure().subplots()
>>> lines = spectra(np.linspace(3.0e9, 4.0e9, 101), [[0, 0, 5e-3], [0, 0, 10e-3]], ax, linewidth=60e6)
>>> ax.get_xlabel(), ax.get_ylabel()
('Frequency (GHz)', 'Depth (% of one bare line)')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.hamiltonian import check_field

if TYPE_CHECKING:
    from vbsense.sims.light.cycle import OpticalCycle

__all__ = ["contrast_map", "level_diagram", "line_positions", "spectra", "spectra_image"]

# A colour-blind safe pair for the lower and the upper line, and what many levels are drawn with.
LOWER, UPPER, LEVEL = "#33415c", "#d1495b", "#33415c"


def level_diagram(field: Any, ax: Any, defect: Defect = VB14N, *, band: str | None = None) -> None:
    """Energies of electron and nuclei against the size of the field.

    Parameters
    ----------
    field : array_like, (n, 3)
        Fields (T) along one direction, ascending.
    ax : matplotlib.axes.Axes
        Drawn into.
    defect : Defect
        With its nuclei: 81 curves for three 14N.
    band : {"lower", "upper"}, optional
        Only the levels on this side of the widest gap: the hyperfine structure is small against D.

    Raises
    ------
    ValueError
        If there are fewer than two fields, or the band is another.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> level_diagram(np.outer(np.linspace(0, 20e-3, 11), [0, 0, 1]), ax)
    >>> len(ax.lines)
    81
    """
    from vbsense.spin import levels

    if band not in (None, "lower", "upper"):
        raise ValueError(f"band is {band!r}; it must be 'lower', 'upper' or None for all")
    field = _sweep(field)
    energy = levels(field, defect)
    first_above = 1 + int(np.diff(energy).min(axis=0).argmax())
    shown = {"lower": slice(first_above), "upper": slice(first_above, None), None: slice(None)}[band]
    ax.plot(_size(field), energy[:, shown] / 1e9, color=LEVEL, linewidth=0.6, alpha=0.7)
    ax.set(ylabel="Energy / h (GHz)", title=f"Levels of {defect.name}")
    _label_field(field, ax)


def line_positions(field: Any, ax: Any, defect: Defect = VB14N) -> None:
    """The two electron lines, nuclei left out, against the size of the field.

    Parameters
    ----------
    field : array_like, (n, 3)
        Fields (T) along one direction, ascending.
    ax : matplotlib.axes.Axes
        Drawn into.
    defect : Defect
        Its D, E and g.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> line_positions(np.outer(np.linspace(0, 20e-3, 11), [0, 0, 1]), ax)
    >>> [line.get_label() for line in ax.lines]
    ['lower line', 'upper line']
    """
    from vbsense.spin import transitions

    field = _sweep(field)
    lines = transitions(field, defect) / 1e9
    for k, (name, color) in enumerate((("lower line", LOWER), ("upper line", UPPER))):
        ax.plot(_size(field), lines[:, k], color=color, label=name)
    ax.set(ylabel="Frequency (GHz)", title=f"Lines of {defect.name}")
    _label_field(field, ax)
    ax.legend(frameon=False)


def spectra_image(
    frequency: Any, field: Any, ax: Any, defect: Defect = VB14N, *, linewidth: float, drive: Any = (1, 0, 0)
) -> Any:
    """Spectra against the size of the field, as an image.

    Parameters
    ----------
    frequency : array_like, (m,)
        Ascending (Hz).
    field : array_like, (n, 3)
        Fields (T) along one direction, ascending.
    ax : matplotlib.axes.Axes
        Drawn into.
    defect : Defect
        With its nuclei.
    linewidth : float
        Full width at half maximum of one hyperfine line (Hz).
    drive : array_like, (3,)
        Direction of the microwave field.

    Returns
    -------
    matplotlib.collections.QuadMesh

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> fields = np.outer(np.linspace(0, 10e-3, 5), [0, 0, 1])
    >>> mesh = spectra_image(np.linspace(3.0e9, 4.0e9, 51), fields, Figure().subplots(), linewidth=60e6)
    >>> mesh.get_array().shape
    (51, 5)
    """
    from vbsense.spin import spectrum

    frequency, field = np.asarray(frequency, dtype=float), _sweep(field)
    depth = 100 * spectrum(frequency, field, defect, linewidth=linewidth, drive=drive)
    mesh = ax.pcolormesh(_size(field), frequency / 1e9, depth.T, cmap="magma", shading="nearest", rasterized=True)
    ax.set(ylabel="Frequency (GHz)", title=f"ODMR of {defect.name}, lines {linewidth / 1e6:g} MHz wide")
    _label_field(field, ax)
    ax.figure.colorbar(mesh, ax=ax, label="Depth (% of one bare line)")
    return mesh


def spectra(
    frequency: Any,
    field: Any,
    ax: Any,
    defect: Defect = VB14N,
    *,
    linewidth: float,
    drive: Any = (1, 0, 0),
    contrast: float | None = None,
) -> list[Any]:
    """The spectrum at each of some fields.

    Parameters
    ----------
    frequency : array_like, (m,)
        Ascending (Hz).
    field : array_like, (3,) or (n, 3)
        Fields (T).
    ax : matplotlib.axes.Axes
        Drawn into.
    defect : Defect
        With its nuclei.
    linewidth : float
        Full width at half maximum of one hyperfine line (Hz).
    drive : array_like, (3,)
        Direction of the microwave field.
    contrast : float, optional
        Depth of one bare line as a fraction of the light: draws the light, with dips. Without it the depth is
        drawn upwards.

    Returns
    -------
    list of matplotlib.lines.Line2D
        One for each field.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> (line,) = spectra(np.linspace(3.0e9, 4.0e9, 101), [0, 0, 10e-3], ax, linewidth=60e6, contrast=0.05)
    >>> bool(95 < line.get_ydata().min() < 99), ax.get_ylabel()
    (True, 'Light (% of that off resonance)')
    """
    from matplotlib import colormaps

    from vbsense.spin import spectrum

    frequency, field = np.asarray(frequency, dtype=float), np.atleast_2d(check_field(field))
    depth = 100 * spectrum(frequency, field, defect, linewidth=linewidth, drive=drive)
    shown = depth if contrast is None else 100 - contrast * depth
    colors = [LOWER] if len(field) == 1 else colormaps["viridis"](np.linspace(0, 0.85, len(field)))
    lines = [
        ax.plot(frequency / 1e9, row, color=color, label=_name(one))[0]
        for row, one, color in zip(shown, field, colors, strict=True)
    ]
    ylabel = "Depth (% of one bare line)" if contrast is None else "Light (% of that off resonance)"
    title = f"ODMR of {defect.name}, lines {linewidth / 1e6:g} MHz wide"
    ax.set(xlabel="Frequency (GHz)", ylabel=ylabel, title=title, xlim=(frequency[0] / 1e9, frequency[-1] / 1e9))
    ax.legend(frameon=False, title="B (mT)")
    return lines


def contrast_map(cycle: OpticalCycle, pump: Any, drive: Any, ax: Any, *, lines: int = 1) -> Any:
    """Contrast of continuous-wave ODMR against laser and microwave: where to set both.

    Parameters
    ----------
    cycle : OpticalCycle
        From `vbsense.sims.light.optical_cycle`.
    pump : array_like, (n,)
        Pump rates, ascending (1/s).
    drive : array_like, (m,)
        Exchange rates that the microwave causes, ascending (1/s), as from `vbsense.sims.light.microwave_rate`.
    ax : matplotlib.axes.Axes
        Drawn into.
    lines : {1, 2}
        Lines driven at once.

    Returns
    -------
    matplotlib.collections.QuadMesh
        Of the contrast in per cent, (m, n).

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from vbsense.sims.light import optical_cycle
    >>> rates = np.geomspace(1e4, 1e7, 4)
    >>> contrast_map(optical_cycle("baber2022"), rates, rates, Figure().subplots()).get_array().shape
    (4, 4)
    """
    from vbsense.sims.light import contrast

    pump, drive = np.asarray(pump, dtype=float), np.asarray(drive, dtype=float)
    percent = 100 * np.array([contrast(cycle, pump=pump, lines=lines, drive=rate) for rate in drive])
    mesh = ax.pcolormesh(pump / 1e6, drive / 1e6, percent, cmap="viridis", shading="nearest", rasterized=True)
    ax.set(xscale="log", yscale="log", xlabel="Pump rate (1/µs)", ylabel="Microwave exchange rate (1/µs)")
    ax.set_title(f"Contrast of {'one line' if lines == 1 else 'both lines'}, {cycle.name}")
    ax.figure.colorbar(mesh, ax=ax, label="Contrast (%)")
    return mesh


def _sweep(field: Any) -> np.ndarray:
    field = check_field(field)
    if field.ndim != 2 or len(field) < 2:
        raise ValueError(f"field has shape {field.shape}; give at least two fields along one direction, (n, 3) T")
    return field


def _size(field: np.ndarray) -> np.ndarray:
    return np.linalg.norm(field, axis=-1) * 1e3


def _name(field: np.ndarray) -> str:
    return ", ".join(f"{component * 1e3:g}" for component in field)


def _label_field(field: np.ndarray, ax: Any) -> None:
    """Label with the direction of the strongest field; the axis ends where the fields do."""
    size = _size(field)
    direction = field[size.argmax()] / max(np.linalg.norm(field[size.argmax()]), 1e-30)
    along = ", ".join(f"{c:.3g}" for c in np.where(np.abs(direction) < 5e-4, 0.0, direction))
    ax.set(xlabel=f"B (mT), along ({along})", xlim=(size.min(), size.max()))
