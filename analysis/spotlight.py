"""The naive read-out of a sensor array: the pixels around each site, added up."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense._numbers import number
from vbsense.analysis._bands import Source, bands_of
from vbsense.analysis._read import frames_of
from vbsense.analysis._unmix_geometry import geometry_of
from vbsense.analysis._unmix_noise import Noise
from vbsense.data import LayoutError, make_site_sweep

__all__ = ["read_spots"]


def read_spots(
    sweep: xr.Dataset, sites: Any = None, *, radius: float | None = None, background: str | float = "median"
) -> xr.Dataset:
    """Sum of the pixels around every site, less the background: what `unmix` is to be compared with.

    Light of neighbours within the radius counts as the site's own, and its own light beyond is lost.

    Parameters
    ----------
    sweep : xarray.Dataset
        Camera images, dimensions (..., frequency, y, x).
    sites : SensorArray, or what `find_array` returns, optional
        By default the one in the attributes of the sweep.
    radius : float, optional
        Pixels with their centre at most so far from a site are its own (m); by default half the distance of the
        nearest neighbours.
    background : {"median", "none"} or float
        "median": in every image the median of the pixels that are no site's; if these are fewer than 1 % of the image,
        the lowest percentile of all. A number is a known background (electrons per pixel).

    Returns
    -------
    xarray.Dataset
        As `unmix` gives it, without `site_correlation` and without amplification: `signal` and `signal_err` (shot and
        read noise of the pixels; that of the background is left out) in electrons per exposure. A site of which a
        pixel is not finite is NaN in that image. ``attrs["user_readout"]`` says "sum of pixels".

    Raises
    ------
    LayoutError
        If the sweep has no images, or the lattice is unknown.
    ValueError
        If the radius is not positive, or a site has no pixel within it.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 5), exposure=0.1, rng=1)
    >>> dict(read_spots(sweep, radius=0.3e-6).signal.sizes)
    {'frequency': 5, 'site': 4}
    """
    geometry = geometry_of(sweep, sites, 1e-7 if "psf_fwhm" not in sweep.attrs else None, None)
    known = background if background in ("median", "none") else number("background", background, "electrons per pixel")
    array = geometry.array
    if radius is None:
        if not np.isfinite(array.nearest):
            raise ValueError("a single site has no neighbour: give the radius in metres")
        radius = array.nearest / 2
    radius = number("radius", radius, "m", positive=True)
    chosen = _pixels(sweep, array, radius)
    number_of = np.asarray(chosen.sum(axis=1)).ravel()
    if not number_of.all():
        raise ValueError(
            f"site {int(np.argmin(number_of))} has no pixel within {radius:.3g} m; give a larger radius, or check the "
            "lattice (metres, from the centre of pixel (0, 0))"
        )
    free = np.asarray(chosen.sum(axis=0)).ravel() == 0
    total, under = _sums(sweep, chosen, free if free.mean() >= 0.01 else None, known)
    noise, count = Noise.of(sweep), frames_of(sweep, total.shape[1])
    variance = noise.excess * np.maximum(total, 0.0) + noise.read**2 * number_of[:, None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(variance / count)
    light = total - number_of[:, None, None] * under
    shape = (*sweep["signal"].shape[:-2], -1)
    kept = {name: value for name, value in sweep.attrs.items() if name not in ("schema", "sensor_array")}
    result = make_site_sweep(
        np.moveaxis(light, 0, -1).reshape(shape), sweep["frequency"].values, x=array.x, y=array.y, row=array.row,
        column=array.column, error=np.moveaxis(error, 0, -1).reshape(shape),
        coords={str(d): sweep[d].variable for d in sweep["signal"].dims[:-3]},
        **kept | {"sensor_array": array.to_json(), "user_readout": "sum of pixels"},
    )  # fmt: skip
    if "frames" in sweep:
        result["frames"] = sweep["frames"]
    return result


def _pixels(sweep: xr.Dataset, array: Any, radius: float) -> Any:
    """1 where a pixel belongs to a site, ``(site, pixel)``."""
    from scipy.sparse import csr_array
    from scipy.spatial import cKDTree

    if sweep["y"].size * sweep["x"].size == 0:
        raise LayoutError("the sweep has no pixels")
    y, x = np.meshgrid(sweep["y"].values, sweep["x"].values, indexing="ij")
    # A pixel at the very rim belongs to the site, whatever the rounding of the coordinates.
    near = cKDTree(np.column_stack([x.ravel(), y.ravel()])).query_ball_point(
        np.column_stack([array.x, array.y]), radius * (1 + 1e-9), return_sorted=True
    )
    lengths = np.array([len(one) for one in near])
    index = np.concatenate([np.asarray(one, dtype=np.int64) for one in near])
    return csr_array(
        (np.ones(index.size), index, np.concatenate([[0], np.cumsum(lengths)])), shape=(lengths.size, x.size)
    )


def _sums(sweep: xr.Dataset, chosen: Any, free: np.ndarray | None, known: str | float) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the pixels of the sites (site, plane, frequency), and background of each picture (plane, frequency)."""
    signal, source = sweep["signal"], Source(sweep)
    points, planes = sweep.sizes["frequency"], int(np.prod(signal.shape[:-3], dtype=int))
    total = np.zeros((chosen.shape[0], planes, points))
    under = np.full((planes, points), known if not isinstance(known, str) else 0.0)
    for plane in range(planes):
        rest = []
        for band in bands_of(signal):
            if band.plane == plane:
                block = source.read(band, "signal").reshape(points, -1)
                part = slice(band.first * band.width, band.last * band.width)
                total[:, plane] += chosen[:, part] @ np.asarray(block.T, dtype=float)
                rest.append(block if free is None else block[:, free[part]])
        if known == "median":
            under[plane] = [_level(np.concatenate([part[m] for part in rest]), free is None) for m in range(points)]
    return np.where(np.isfinite(total), total, np.nan), under


def _level(pixels: np.ndarray, crowded: bool) -> float:
    good = pixels[np.isfinite(pixels)]
    return float(np.percentile(good, 1 if crowded else 50)) if good.size else np.nan
