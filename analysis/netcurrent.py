"""What a map of the current density says: net currents through cuts, where the conductor is, and how it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense._numbers import number, reals
from vbsense.data import LayoutError
from vbsense.layout import require

__all__ = ["NetCurrent", "describe_current", "find_conductor", "net_current"]


@dataclass(frozen=True)
class NetCurrent:
    """Result of `net_current`.

    Attributes
    ----------
    value, error : float
        A; the error is NaN where the map has no `J_samples`.
    length : float
        Of the cut (m).
    """

    value: float
    error: float
    length: float


def net_current(sheet: xr.Dataset, *, start: Any, end: Any) -> NetCurrent:
    """Current through a cut.

    Parameters
    ----------
    sheet : xarray.Dataset
        Map of J, from `current_density`.
    start, end : (float, float)
        Ends x, y of the cut (m), in the coordinates of the map and within its pixels.

    Returns
    -------
    NetCurrent
        Positive for a current that crosses from right to left, seen from `start` towards `end`: along +y for a cut
        along +x. The density is even in a pixel; the sum over the pixels that the cut passes is exact for it.

    Raises
    ------
    LayoutError
        If the map has no J with components x and y.
    ValueError
        If the cut has no length or leaves the map.

    Notes
    -----
    The error is the spread over the repetitions in `J_samples`, so that it knows how errors of neighbours cancel. It
    knows nothing of the uniform current, which adds its density times the length of the cut: settle that with `offset`
    beside the conductor, or with a `mask`. A smoothed conductor needs a cut that is longer than it is wide.

    Examples
    --------
    >>> J = np.zeros((2, 3, 10))
    >>> J[1, :, 4:6] = 1e3                                         # 1 kA/m along +y over 200 nm
    >>> sheet = xr.Dataset({"J": (("component", "y", "x"), J, {"units": "A/m"})},
    ...                    coords={"component": ["x", "y"], "y": ("y", np.arange(3) * 1e-7, {"units": "m"}),
    ...                            "x": ("x", np.arange(10) * 1e-7, {"units": "m"})},
    ...                    attrs={"schema": "vbsense.map/1"})
    >>> round(net_current(sheet, start=(0, 1e-7), end=(9e-7, 1e-7)).value, 9)
    0.0002
    """
    J = _density(sheet)
    a, b = _end("start", start), _end("end", end)
    length = float(np.hypot(*(b - a)))
    if length == 0:
        raise ValueError(f"the cut from {tuple(a)} to {tuple(b)} m has no length")
    rows, columns, pieces = _pieces(sheet, a, b)
    along = (b - a) / length
    normal = np.array([-along[1], along[0]])

    def through(density: np.ndarray) -> Any:
        crossed = np.einsum("...cp,c,p->...", density[..., rows, columns], normal, pieces)
        return crossed

    error = float("nan")
    if "J_samples" in sheet:
        samples = sheet["J_samples"].transpose("sample", "component", "y", "x").sel(component=["x", "y"]).values
        error = float(np.sqrt(np.mean(through(samples.astype(float)) ** 2)))
    return NetCurrent(float(through(J)), error, length)


def find_conductor(sheet: xr.Dataset, *, level: float = 0.5) -> xr.DataArray:
    """Where the conductor is: pixels whose density is above a part of that in its middle.

    Parameters
    ----------
    sheet : xarray.Dataset
        Map of J; one of least variation has the sharpest edges.
    level : float
        Part of the density that 99 % of the pixels do not exceed; a half puts the edges of one even conductor where
        they are, for several of different density take less.

    Returns
    -------
    xarray.DataArray of bool, (y, x)
        For `current_density(..., mask=...)`, a second inversion with currents there alone.

    Examples
    --------
    >>> J = np.zeros((2, 3, 10))
    >>> J[1, :, 4:6] = 1e3
    >>> sheet = xr.Dataset({"J": (("component", "y", "x"), J, {"units": "A/m"})},
    ...                    coords={"component": ["x", "y"], "y": ("y", np.arange(3) * 1e-7, {"units": "m"}),
    ...                            "x": ("x", np.arange(10) * 1e-7, {"units": "m"})},
    ...                    attrs={"schema": "vbsense.map/1"})
    >>> find_conductor(sheet).sum().item()
    6
    """
    if not 0 < number("level", level, "a part between 0 and 1") < 1:
        raise ValueError(f"level is {level!r}; give a part between 0 and 1")
    size = np.hypot(*_density(sheet))
    middle = float(np.nanquantile(size, 0.99))
    if not middle > 0:
        raise ValueError("the map holds no current: there is no conductor to find")
    dims = ("y", "x")
    return xr.DataArray(size > level * middle, dims=dims, coords={name: sheet[name] for name in dims}, name="mask")


def describe_current(sheet: xr.Dataset) -> str:
    """How a map of the current density was found, and what it does not know, in a few lines.

    Parameters
    ----------
    sheet : xarray.Dataset
        From `current_density`.

    Returns
    -------
    str

    Examples
    --------
    >>> import vbsense as vb
    >>> from vbsense import analysis
    >>> B = np.random.default_rng(1).normal(0, 1e-6, (24, 24))
    >>> field = vb.make_map(B, pixel_size=1e-7, error=np.full(B.shape, 1e-6))
    >>> sheet = analysis.current_density(field, standoff=1e-7, regularisation="morozov", samples=2)
    >>> print(describe_current(sheet).splitlines()[1])
    Bz in a window cannot see a uniform current: its median is zero (x ..., y ... A/m were added).
    """
    _density(sheet)
    about = {str(name).removeprefix("user_"): value for name, value in sheet.attrs.items()}
    if "method" not in about:
        raise LayoutError("the map does not say how it was found; it is not from current_density")
    lines = [f"Current density by {about['method']!r}, {about['standoff'] * 1e9:.4g} nm below the emitters."]
    added = np.asarray(about["uniform_current"], dtype=float)
    lines.append(
        f"Bz in a window cannot see a uniform current: {about['uniform']} (x {added[0]:.4g}, y {added[1]:.4g} A/m "
        "were added)."
    )
    if "chi2" in about:
        lines.append(
            f"Chi-squared is {about['chi2']:.4g} of the number of data, regularisation {about['regularisation']}."
        )
    if "resolution" in about:
        lines.append(
            f"Structures below {about['resolution'] * 1e9:.4g} nm are smoothed away; J_err does not hold that."
        )
    lines.append(f"Noise of a value {about['noise'] * 1e6:.4g} uT, from {about['noise_from']}.")
    uniform = np.atleast_1d(np.asarray(about["offset"], dtype=float)) * 1e6
    lines.append(f"A uniform field of {', '.join(f'{value:.4g}' for value in uniform)} uT was taken off.")
    if "J_err" not in sheet:
        lines.append("There is no J_err: ask for samples.")
    return "\n".join(lines)


def _density(sheet: xr.Dataset) -> np.ndarray:
    """J (2, y, x) in the order x, y."""
    require(sheet, "map")
    if "J" not in sheet or not {"x", "y"} <= set(sheet["component"].values.tolist()) or "y" not in sheet["J"].dims:
        raise LayoutError("the map has no J with the components x and y on pixels; current_density makes one")
    return np.asarray(sheet["J"].sel(component=["x", "y"]).transpose("component", "y", "x").values, dtype=float)


def _end(name: str, value: Any) -> np.ndarray:
    point = reals(name, value, "x and y, in m")
    if point.shape != (2,) or not np.isfinite(point).all():
        raise ValueError(f"{name}: received {value!r}; give x and y, in m")
    return point


def _pieces(sheet: xr.Dataset, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and lengths of the pieces of a cut in the pixels that it passes."""
    lengths = [np.zeros(1), np.ones(1)]
    for axis, name in ((0, "x"), (1, "y")):
        centres = sheet[name].values.astype(float)
        step = (centres[-1] - centres[0]) / (centres.size - 1) if centres.size > 1 else np.inf
        low, high = centres[0] - step / 2, centres[-1] + step / 2
        slack = 1e-6 * step
        if min(a[axis], b[axis]) < low - slack or max(a[axis], b[axis]) > high + slack:
            raise ValueError(
                f"the cut runs from {a[axis]:.6g} to {b[axis]:.6g} m along {name}; the map reaches from {low:.6g} to "
                f"{high:.6g} m"
            )
        if a[axis] != b[axis]:
            edges = low + step * np.arange(1, centres.size)
            lengths.append((edges - a[axis]) / (b[axis] - a[axis]))
    parts = np.unique(np.clip(np.concatenate(lengths), 0.0, 1.0))
    middles = a + (parts[:-1, None] + np.diff(parts)[:, None] / 2) * (b - a)
    index = []
    for axis, name in ((1, "y"), (0, "x")):
        centres = sheet[name].values.astype(float)
        step = (centres[-1] - centres[0]) / (centres.size - 1) if centres.size > 1 else 1.0
        index.append(np.clip(np.round((middles[:, axis] - centres[0]) / step).astype(int), 0, centres.size - 1))
    return index[0], index[1], np.diff(parts) * float(np.hypot(*(b - a)))
