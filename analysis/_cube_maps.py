"""The fit of a cube as datasets: parameters of the sites, and the map of their field with its full covariance."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._cube_data import CubeData
from vbsense.analysis._cube_lines import Lines
from vbsense.analysis._cube_problem import Cube, Layout
from vbsense.analysis._wire_solve import Minimum
from vbsense.analysis.fieldlayout import as_map, split_polarity
from vbsense.data import make_fit
from vbsense.flags import FLAGS

__all__ = ["field_of_sites", "fit_of_sites"]


def fit_of_sites(
    light: xr.Dataset, data: CubeData, lines: Lines, layout: Layout, best: Minimum, covariance: np.ndarray,
    cube: Cube, attributes: dict[str, Any],
) -> xr.Dataset:  # fmt: skip
    """All parameters of all sites in the layout of a fit."""
    shape = tuple(n for d, n in light["signal"].sizes.items() if d != "frequency")
    p, sigma = layout.spread(best.x), np.append(np.sqrt(np.diag(covariance)), 0.0)[layout.index]
    values, errors = {}, {}
    for a, name in enumerate(lines.names):
        values[name] = _everywhere(p[:, :, a], data, shape)
        errors[name] = _everywhere(sigma[:, :, a], data, shape)
    squares = (cube.residual(p) ** 2).sum(axis=2)
    free = max(int((layout.index[0, 0] >= 0).sum()), 1)
    degrees = np.maximum(np.count_nonzero(data.weight, axis=2) - free, 1)
    flags = np.zeros(shape, np.uint16)
    flags[..., np.setdiff1d(np.arange(shape[-1]), data.kept)] = FLAGS["nan_input"].bit
    on_bound = np.append(best.held, False)[layout.index].any(axis=2)
    for plane, own in zip(flags.reshape(-1, shape[-1]), on_bound, strict=True):
        plane[data.kept] |= np.where(own, FLAGS["at_bound"].bit, 0).astype(np.uint16)
    return make_fit(
        values, errors, light, flags=flags, reduced_chi2=_everywhere(squares / degrees, data, shape),
        units=dict(zip(lines.names, lines.units, strict=True)), sigma="signal_err", **attributes,
    )  # fmt: skip


def _everywhere(values: np.ndarray, data: CubeData, shape: tuple[int, ...]) -> np.ndarray:
    """Values (plane, kept site) in the shape of the fit, NaN at sites that were left out."""
    out = np.full((data.polarity.size, shape[-1]), np.nan)
    out[:, data.kept] = values
    return out.reshape(shape)


def field_of_sites(
    fit: xr.Dataset, data: CubeData, lines: Lines, layout: Layout, best: Minimum, covariance: np.ndarray, sign: float
) -> xr.Dataset:
    """The map of Bz with the covariance between all sites."""
    index = layout.index[:, :, lines.field]
    planes, sites = index.shape
    own = covariance[np.ix_(index.ravel(), index.ravel())].reshape(planes, sites, planes, sites)
    B = sign * fit["Bz"].values
    flags = fit["flags"].values
    if planes == 1 and "polarity" not in fit["flags"].dims:
        return _with_covariance(as_map(fit, B, B, flags), own[0, :, 0], data.kept)
    plus, minus = split_polarity(fit, B)
    up, down = (int(np.flatnonzero(data.polarity == s)[0]) for s in (1, -1))
    even, odd = own[up, :, up] + own[down, :, down], own[up, :, down] + own[down, :, up]
    one, other = split_polarity(fit, flags)
    result = _with_covariance(
        as_map(fit, (plus - minus) / 2, (plus - minus) / 2, one | other), (even - odd) / 4, data.kept
    )
    sigma = np.full(plus.shape, np.nan)
    sigma[data.kept] = np.sqrt(np.diag(even + odd) / 4)
    result["B_common"] = (("site",), (plus + minus) / 2, {"units": "T"})
    result["B_common_err"] = (("site",), sigma, {"units": "T"})
    return result


def _with_covariance(map_: xr.Dataset, covariance: np.ndarray, kept: np.ndarray) -> xr.Dataset:
    n = map_.sizes["site"]
    sigma = np.full(n, np.nan)
    sigma[kept] = np.sqrt(np.diag(covariance))
    correlation = np.eye(n)
    correlation[np.ix_(kept, kept)] = np.nan_to_num(covariance / np.outer(sigma[kept], sigma[kept]), nan=0.0)
    np.fill_diagonal(correlation, 1.0)
    map_["B_err"] = (("component", "site"), sigma[None], {"units": "T"})
    map_["site_correlation"] = (("site", "site2"), correlation, {"units": "1"})
    return map_
