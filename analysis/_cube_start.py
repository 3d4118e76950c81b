"""The first fit of a cube: from single sites to all of them together."""

from __future__ import annotations

import numpy as np
import xarray as xr

from vbsense.analysis._cube_problem import Cube, Layout
from vbsense.analysis._wire_solve import Minimum, minimise

__all__ = ["fit_sites"]


def fit_sites(cube: Cube, light: xr.Dataset) -> Minimum:
    """From fits of single sites, each with the noise of its own, to that of all."""
    from vbsense.analysis.fit import fit_sweep

    # Fits of single spectra take no gaps.
    whole = (cube.data.weight > 0).all(axis=(0, 1))
    alone = fit_sweep(light.isel(frequency=whole) if whole.any() else light, cube.lines.model)
    start = cube.lines.start_of(alone)
    x, layout = np.zeros(cube.layout.size), cube.layout
    shape = layout.index.shape[:2]
    for a, name in enumerate(cube.lines.names):
        own = start[name].reshape(shape[0], -1)[:, cube.data.kept]
        known = own[np.isfinite(own)]
        if not known.size:
            raise ValueError(f"no site has a spectrum that {cube.lines.model.name!r} fits: see the flags of fit_sweep")
        own = np.where(np.isfinite(own), own, np.median(known))
        index = layout.index[:, :, a]
        if index.min() >= 0:
            x[index] = np.median(own) if index.min() == index.max() else own
    # A site that was fitted badly alone must not start on the far side of another minimum.
    x = _tamed(x, layout, cube.lines.field)
    return minimise(cube, cube.normal, x, layout.low, layout.high, hessian=cube.hessian)


def _tamed(x: np.ndarray, layout: Layout, field_: int) -> np.ndarray:
    """Fields that lie far from all others, in units of their spread, moved to the median."""
    index = layout.index[:, :, field_]
    for plane in index:
        own = x[plane]
        middle = np.median(own)
        spread = np.median(np.abs(own - middle)) * 1.4826
        x[plane] = np.where(np.abs(own - middle) > 6 * spread + 1e-9, middle, own)
    return x
