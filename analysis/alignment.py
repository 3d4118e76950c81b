"""Images put back in place: light is moved, not made."""

from __future__ import annotations

import numpy as np
import xarray as xr

from vbsense.layout import require

__all__ = ["align"]


def align(sweep: xr.Dataset, shifts: xr.Dataset, *, order: int = 3) -> xr.Dataset:
    """A sweep with every image moved back by its shift.

    Parameters
    ----------
    sweep : xarray.Dataset
        Images.
    shifts : xarray.Dataset
        From `register`: `shift_x`, `shift_y` in metres, on some or all of the leading dimensions.
    order : {1, 3, 5}
        Degree of the splines between pixels. Straight lines (1) never ring and never go below zero, but blur by up
        to half a pixel; 3 and 5 keep the image sharper.

    Returns
    -------
    xarray.Dataset
        `signal` and `reference` moved; pixels without data, at the border or next to a NaN, are NaN, and so are
        images without a shift.

    Raises
    ------
    ValueError
        If the shifts do not fit to the sweep.

    Notes
    -----
    Every new pixel is a sum of old ones whose weights add up to 1: light is moved, not made. The noise of a pixel
    becomes smaller, never larger (down to a half of its sigma for straight lines and half a pixel), and that of
    neighbours correlated, which the Poisson errors of a fit do not know: they are then a little too large for one
    pixel, and right for sums over many. `signal_err`, where there is one, is moved as a variance with straight
    lines, which is at least what it should be.

    For a sensor array nothing need be moved at all: shift the array instead, one image at a time,
    ``dataclasses.replace(array, center=(x + shift_x, y + shift_y))``, and hand it to `unmix`.

    Examples
    --------
    >>> from vbsense.data import make_sweep
    >>> image = np.zeros((2, 9, 9))
    >>> image[0, 4, 4] = image[1, 4, 5] = 100.0                                  # one pixel to the right
    >>> moving = make_sweep(image, [3e9, 3.1e9], pixel_size=1e-7)
    >>> shifts = xr.Dataset({"shift_x": ("frequency", [0, 1e-7]), "shift_y": ("frequency", [0.0, 0.0])})
    >>> still = align(moving, shifts).signal
    >>> still[:, 4, 4].values.round(6).tolist(), bool(still[1, :, -1].isnull().all())
    ([100.0, 100.0], True)
    """
    require(sweep, "sweep")
    from vbsense.analysis._lattice_light import evenly, pictures

    images = pictures(sweep, task="align")
    if order not in (1, 3, 5):
        raise ValueError(f"order is {order!r}; it is the degree of the splines, 1, 3 or 5")
    moves = _moves(images, shifts) / evenly(images)
    result = sweep.copy()
    for name in ("signal", "reference", "signal_err"):
        if name in sweep:
            result[name] = sweep[name].copy(data=_put_back(sweep[name].values, moves, order, name))
    told = f"images moved back by up to {np.nanmax(np.abs(moves), initial=0.0):.3g} pixels"
    result.attrs["history"] = "\n".join(filter(None, (str(sweep.attrs.get("history", "")), told)))
    return result


def _moves(images: xr.DataArray, shifts: xr.Dataset) -> np.ndarray:
    """(x, y) of every image (m), ``(..., 2)``."""
    leading = images.dims[:-2]
    columns = []
    for name in ("shift_x", "shift_y"):
        if not isinstance(shifts, xr.Dataset) or name not in shifts:
            raise ValueError("shifts has no 'shift_x' and 'shift_y'; give what register returned")
        one = shifts[name]
        known = all(d in leading and images.sizes[d] == one.sizes[d] for d in one.dims)
        if not known:
            raise ValueError(
                f"{name} has dimensions {dict(one.sizes)}; the sweep has { ({d: images.sizes[d] for d in leading}) }"
            )
        wide = one.variable.set_dims({d: images.sizes[d] for d in (*leading,)}).transpose(*leading)
        columns.append(np.asarray(wide.values, dtype=float))
    moves = np.stack(columns, axis=-1)
    size = max(images.sizes[axis] * float(np.diff(images[axis].values[:2])[0]) for axis in ("y", "x"))
    if np.nanmax(np.abs(moves), initial=0.0) > size:
        raise ValueError(
            f"the largest shift is {np.nanmax(np.abs(moves)):.4g} m, and the images are {size:.4g} m wide: nothing "
            "would be left; shifts are in metres"
        )
    return moves


def _put_back(values: np.ndarray, moves: np.ndarray, order: int, name: str) -> np.ndarray:
    stack = values.reshape(-1, *values.shape[-2:])
    if name == "signal_err":
        stack, order = stack**2, 1
    result = np.array([_one_back(i, -m, order) for i, m in zip(stack, moves.reshape(-1, 2), strict=True)])
    return (np.sqrt(result) if name == "signal_err" else result).reshape(values.shape).astype(values.dtype)


def _one_back(image: np.ndarray, shift: np.ndarray, order: int) -> np.ndarray:
    """One image moved by (x, y) pixels; NaN where it has no data."""
    from vbsense.analysis._drift_images import filled, shifted, spline_of

    good = np.isfinite(image)
    if not np.isfinite(shift).all() or not good.any():
        return np.full(image.shape, np.nan)
    margin = int(np.ceil(np.abs(shift).max())) + order + 1
    spline = np.pad(spline_of(filled(image.astype(float), good), order), margin, mode="reflect")
    moved = shifted(spline, shift, margin, degree=order)
    # Where the nearest four pixels were not all there, nothing is known.
    there = shifted(np.pad(good.astype(float), margin), shift, margin, degree=1)
    return np.where(there > 1 - 1e-6, moved, np.nan)
