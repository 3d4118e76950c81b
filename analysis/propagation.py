"""The same field elsewhere: at another height, and the components that were not measured.

Above all currents a field is the gradient of a potential whose waves fade as ``exp(-k z)``. One component in one plane
therefore holds all components in all planes above the currents; below the measured plane noise grows as fast as detail.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from vbsense._numbers import number, reals
from vbsense.analysis._fouriererrors import correlation_of, filtered_variance
from vbsense.analysis._fourierfield import Picture, pictures_of, pixel_steps, require_pixels
from vbsense.analysis._fourierlaw import partners
from vbsense.analysis._fourierprior import SourceSpectrum, fit_source, hann
from vbsense.analysis._fourierwindow import Array, Transfer, Waves, Window, make_window
from vbsense.currents._inputs import distance as signed_length
from vbsense.currents._inputs import size
from vbsense.data import LayoutError
from vbsense.layout import check_layout

__all__ = ["components_from", "continue_field"]

_LAGS = 32  # pixels to either side for which the correlation of the noise is given
_WIDEST_REACH = 2048
_MOST_GAIN = 23.0  # logarithm of the largest factor of a wave, 1e10
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


def continue_field(
    field: xr.Dataset, *, distance: float, cutoff: float | None = None, padding: float = 1.0
) -> xr.Dataset:
    """The field in a plane above or below the measured one.

    Parameters
    ----------
    field : xarray.Dataset
        Map of B on pixels, above all currents: any components, each continued by itself. Pixels need not be square;
        those that are NaN, or whose error is, count as not measured.
    distance : float
        Upward from the measured plane (m); negative towards the currents, which must stay below.
    cutoff : float, optional
        Hann window that ends at this wavelength (m). By default none upward; downward the one with the least
        expected error, for a spectrum of signal and noise fitted to the map (Notes).
    padding : float
        How much the map is continued beyond its edges by its mirror image, in its own sizes; 0: it repeats itself.

    Returns
    -------
    xarray.Dataset
        A map of `B` and, where the given one has errors, `B_err`; NaN where the field is not measured.
        ``error_correlation`` (component, lag_y, lag_x) is what the noise of two pixels has in common.
        ``attrs["user_cutoff"]`` is the wavelength of the window, where there is one; ``user_source_distance``, where
        it was found, an estimate of how far below the currents are (m).

    Raises
    ------
    LayoutError
        If the map has no field on pixels.
    ValueError
        If a length is senseless, or the map was smoothed.

    Warns
    -----
    UserWarning
        If the cut-off was to be found, and the new plane seems to lie below the currents; if the map is itself a
        result of this module, whose noise is not independent.

    Notes
    -----
    Every wave is multiplied by ``exp(-k distance)``; the mean stays. `B_err` is that of white noise with the errors
    of the map, behind this filter. It leaves out what the window takes away, that neighbours of an edge see their
    noise twice, and what the field beyond the edges does: continued upward by d, a map feels it to a depth of some
    2 d. Of a straight current through the middle of 10 um, 1 um wide and 100 nm below, 0.5 um upward errs by 0.6 % of
    the largest field at 2 um from the edges and by 4 % on them; of one that leaves at a slant of 27 degrees, where its
    mirror image is wrong, by 2 % and 37 %.

    For the automatic window the sources are taken as a current density with the covariance ``exp(-r / length)`` at
    some distance below; strength, length, distance and, where unknown, noise are the most likely ones.

    Examples
    --------
    >>> import vbsense as vb
    >>> y, x = np.mgrid[:80, :80] * 100e-9
    >>> wire = vb.Ribbon((4e-6, -1e-3, 0), (4e-6, 1e-3, 0), width=1e-6, current=1e-3)
    >>> low, high = (wire.field(np.stack([x, y, np.full_like(x, z)], -1))[..., 2] for z in (0.5e-6, 1e-6))
    >>> found = continue_field(vb.make_map(low, pixel_size=100e-9), distance=0.5e-6).B.values[0]
    >>> bool(np.abs(found - high)[20:60, 20:60].max() < 0.02 * np.abs(high).max())
    True
    """
    require_pixels(field, what="continue_field")
    up = signed_length("distance", distance)
    if cutoff is not None:
        size("cutoff", cutoff, 0.05)
    pictures = pictures_of(field)
    source = _source(pictures, up) if up < 0 and cutoff is None else None
    ends = cutoff
    if source is not None:
        ends = max(source.quietest_cutoff(-up), 2.001 * np.pi * -up / _MOST_GAIN)
    if ends is not None:
        _check_gain(-up, ends, pixel_steps(field))

    def transfer(waves: Waves) -> Array:
        weight = np.ones(waves.k.shape) if ends is None else hann(waves.k, ends)
        return np.where(weight > 0, weight, 0.0) * np.exp(np.minimum(-up * waves.k, 2 * _MOST_GAIN))

    one = next(iter(pictures.values()))
    window = make_window(one.values.shape, one.steps, padding)
    reach = _reach(abs(up), one.steps)
    parts = {c: _filtered(picture, picture.mean, window, transfer, reach) for c, picture in pictures.items()}
    found = {"user_distance": up}
    if ends is not None:
        found["user_cutoff"] = float(ends)
    if source is not None:
        found["user_source_distance"] = source.height
    told = f"continue_field: {abs(up):.4g} m {'down' if up < 0 else 'up'}"
    return _as_map(field, parts, dict.fromkeys(parts, transfer), found, told)


def components_from(
    field: xr.Dataset, *, direction: Any = None, damping: float = 0.1, padding: float | None = None
) -> xr.Dataset:
    """Bx, By and Bz in the measured plane from one measured component.

    Parameters
    ----------
    field : xarray.Dataset
        Map of one component of B on pixels, above all currents.
    direction : (3,) array_like, optional
        What `B` is the projection onto, of any length; by default the axis of its ``component``. For a defect with
        its axis along (1, 0, 1) give that, whatever the component is called.
    damping : float
        A direction that lies in the plane cannot see waves along which the field does not change in that direction.
        Waves seen with less than this part of their Bz are damped instead of amplified.
    padding : float, optional
        As in `continue_field`; by default 1 for Bz, and 0.5 for other directions, which in a mirror image tilt the
        other way: such an image should not come near.

    Returns
    -------
    xarray.Dataset
        A map of `B` with component x, y, z and, where the given one has errors, `B_err` and ``error_correlation``;
        NaN where the field is not measured. The mean of the map, which says nothing about other directions, is taken
        as that of a uniform field along `direction`.

    Raises
    ------
    LayoutError
        If the map has no field on pixels, or more than one component.
    ValueError
        If the direction is zero or the damping not between 0 and 1.

    Notes
    -----
    A wave whose Bz is b has ``Bx = -i kx/k b`` and ``By = -i ky/k b`` (Lima and Weiss 2009,
    doi:10.1029/2008JB006006). Errors as in `continue_field`; that the three components come from one picture, and
    share its noise, is left out. The long waves, of which the window holds only a part, are the least certain: of a
    straight current through the middle of 10 um, 1 um wide and 100 nm below, Bx errs by 3 % of its largest value; of
    one that leaves at a slant of 27 degrees by 6 % at 2 um from the edges and by 40 % where it crosses them. Along
    (1, 1, 1) the first errs by 11 %; the flatter the direction, the worse.

    Examples
    --------
    >>> import vbsense as vb
    >>> y, x = np.mgrid[:80, :80] * 100e-9
    >>> loop = vb.Loop((4e-6, 4e-6, 0), 1e-6, current=1e-3)
    >>> B = loop.field(np.stack([x, y, np.full_like(x, 0.5e-6)], -1))
    >>> found = components_from(vb.make_map(B[..., 2], pixel_size=100e-9)).B
    >>> bool(np.abs(np.moveaxis(found.values, 0, -1) - B).max() < 0.02 * np.abs(B).max())
    True
    """
    require_pixels(field, what="components_from")
    if field.sizes["component"] != 1:
        raise LayoutError(
            f"the map has the components {field['component'].values.tolist()}; select one, as .sel(component=['z'])"
        )
    damping = number("damping", damping, "1", positive=True)
    if damping > 1:
        raise ValueError(f"damping is {damping:g}; it is a part of Bz, above 0 and at most 1")
    ((name, picture),) = pictures_of(field).items()
    along = _unit(_AXES[name] if direction is None else direction)
    if padding is None:
        padding = 1.0 if abs(along[2]) > 0.999 else 0.5
    window = make_window(picture.values.shape, picture.steps, padding)
    transfers = {c: _partner(c, along, damping) for c in "xyz"}
    parts = {
        c: _filtered(picture, share * picture.mean, window, transfers[c], _reach(0.0, picture.steps))
        for c, share in zip("xyz", along.tolist(), strict=True)
    }
    told = f"components_from: along {along.round(4).tolist()}"
    return _as_map(field, parts, transfers, {"user_direction": along}, told)


Part: TypeAlias = tuple[Array, Array | None]  # values and variance


def _check_gain(down: float, cutoff: float, steps: tuple[float, float]) -> None:
    """Refuse to amplify what no measurement holds."""
    highest = min(2 * np.pi / cutoff, np.pi * float(np.hypot(1 / steps[0], 1 / steps[1])))
    if down * highest > _MOST_GAIN:
        raise ValueError(
            f"distance is {-down:g} m and cutoff {cutoff:g} m: downward the shortest waves grow by "
            f"{np.exp(min(down * highest, 600.0)):.1g}; give a cutoff above {2 * np.pi * down / _MOST_GAIN:.2g} m"
        )


def _unit(direction: Any) -> Array:
    vector = reals("direction", direction, "x, y and z of what was measured")
    if vector.shape != (3,) or not np.isfinite(vector).all() or not vector.any():
        raise ValueError(f"direction: received {direction!r}; give three finite numbers x, y, z, not all zero")
    return vector / np.linalg.norm(vector)


def _partner(component: str, along: Array, damping: float) -> Transfer:
    """Factor from the projection onto `along` to a component."""
    share = along["xyz".index(component)]

    def transfer(waves: Waves) -> NDArray:
        every = partners(waves)
        seen = sum(part * every[c] for part, c in zip(along, "xyz", strict=True))
        factor = every[component] * np.conj(seen) / np.maximum(np.abs(seen) ** 2, damping**2)
        return np.where(waves.k > 0, factor, share)

    return transfer


def _source(pictures: Mapping[str, Picture], up: float) -> SourceSpectrum:
    """What makes the field, as far as its spectrum tells; a warning if the new plane is below it."""
    picture = pictures.get("z", next(iter(pictures.values())))
    source = fit_source(picture.values, picture.steps, picture.noise)
    if -up > max(1.5 * source.height, min(picture.steps)):
        warnings.warn(
            f"distance is {up:.3g} m, and the currents seem to lie {source.height:.2g} m below the map: "
            "a field cannot be continued through its sources",
            UserWarning,
            stacklevel=3,
        )
    return source


def _reach(distance: float, steps: tuple[float, float]) -> int:
    """Pixels of a square that holds nearly all of the response to a point."""
    return int(min(256 * np.ceil(max(16 * distance / min(steps), 256) / 256), _WIDEST_REACH))


def _filtered(picture: Picture, mean: float, window: Window, transfer: Transfer, reach: int) -> Part:
    """Values and variance behind a filter, NaN where nothing was measured."""
    values = window.back(transfer(window.waves()) * window.transform(picture.values)) + mean
    values = np.where(picture.valid, values, np.nan)
    if picture.variance is None:
        return values, None
    variance = filtered_variance(transfer, picture.variance, picture.doubt, picture.steps, reach)
    return values, np.where(picture.valid, variance, np.nan)


def _as_map(
    field: xr.Dataset,
    parts: Mapping[str, Part],
    transfers: Mapping[str, Transfer],
    found: Mapping[str, Any],
    told: str,
) -> xr.Dataset:
    dims = ("component", "y", "x")
    data = {"B": (dims, np.stack([values for values, _ in parts.values()]), {"units": "T"})}
    variances = [variance for _, variance in parts.values() if variance is not None]
    if variances:
        data["B_err"] = (dims, np.sqrt(np.stack(variances)), {"units": "T"})
    result = xr.Dataset(data, coords={"component": list(parts), "y": field["y"], "x": field["x"]})
    if variances:
        result = result.merge(_correlation(transfers, pixel_steps(field)))
    history = "\n".join(filter(None, (str(field.attrs.get("history", "")), told)))
    result.attrs = dict(field.attrs) | dict(found) | {"history": history}
    return check_layout(result)


def _correlation(transfers: Mapping[str, Transfer], steps: tuple[float, float]) -> xr.Dataset:
    """What the noise of two pixels has in common, by their distance."""
    lags = np.arange(-_LAGS, _LAGS + 1)
    grids = [correlation_of(t, steps)[np.ix_(lags, lags)] for t in transfers.values()]
    axes = {f"lag_{axis}": (f"lag_{axis}", lags * step, {"units": "m"}) for axis, step in zip("yx", steps, strict=True)}
    dims = ("component", "lag_y", "lag_x")
    return xr.Dataset({"error_correlation": (dims, np.stack(grids), {"units": "1"})}, coords=axes)
