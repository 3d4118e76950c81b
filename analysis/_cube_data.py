"""The light of the sites of a cube with its full covariance: a sufficient statistic of the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.array import unmix
from vbsense.data import LayoutError

__all__ = ["CubeData", "read_cube", "site_sweep"]


@dataclass(frozen=True, eq=False)
class CubeData:
    """Light of every site in every plane (polarity).

    Light is fitted to each image by least squares, so that these numbers and their covariance hold all that the images
    tell of any spectrum of the sites: a fit to them is a fit to the cube.
    """

    frequency: np.ndarray  # (frequency,) Hz
    light: np.ndarray  # (plane, site, frequency) electron; 0 where there is none
    weight: np.ndarray  # one over the error; 0 where there is none
    precision: np.ndarray  # (site, site) inverse of the correlation
    polarity: np.ndarray  # (plane,) sign of the current
    kept: np.ndarray  # numbers of the sites that are used

    @property
    def count(self) -> int:
        """Number of values."""
        return int(np.count_nonzero(self.weight))


def site_sweep(sweep: xr.Dataset, sites: Any, psf_fwhm: float | None, psf: Any) -> xr.Dataset:
    """The light of the sites: that of a sweep of sites as it is, of images by unmixing."""
    if "site" in sweep["signal"].dims:
        if sites is not None or psf_fwhm is not None or psf is not None:
            raise ValueError("the sweep holds sites already: sites, psf and psf_fwhm belong to images; leave them out")
        return sweep
    if hasattr(sites, "array"):  # a lattice that was found comes with its point-spread function
        if psf is None and psf_fwhm is None:
            psf_fwhm = getattr(sites, "psf_fwhm", None)
        sites = sites.array
    return unmix(sweep, sites, psf_fwhm=psf_fwhm, psf=psf)


def read_cube(sites: xr.Dataset) -> CubeData:
    """Light, errors and correlation of a sweep of sites; bad sites and missing images left out."""
    signal = sites["signal"]
    leading = [str(d) for d in signal.dims if d not in ("frequency", "site")]
    if leading not in ([], ["polarity"]):
        raise LayoutError(f"the sweep has dimensions {signal.dims}; select or average all but 'polarity' first")
    if "signal_err" not in sites:
        raise LayoutError(
            "the sweep of sites has no 'signal_err'; unmixing gives it, with the correlation of the sites"
        )
    frequencies, n = sites.sizes["frequency"], sites.sizes["site"]
    light = signal.values.reshape(-1, frequencies, n).astype(float)
    error = sites["signal_err"].values.reshape(light.shape).astype(float)
    valid = np.isfinite(light) & np.isfinite(error) & (error > 0)
    kept = np.flatnonzero(valid.any(axis=(0, 1)))
    if not kept.size:
        raise ValueError("no site has valid light: the sweep is NaN where the spots lie")
    # A site that is missing in some images only would take them from all: it goes.
    share = valid[:, :, kept].mean(axis=(0, 1))
    kept = kept[share >= share.max() - 1e-12]
    whole = valid[:, :, kept].all(axis=2)
    good = np.broadcast_to(whole[:, :, None], (*whole.shape, kept.size)).swapaxes(1, 2)
    light, error = (values[:, :, kept].swapaxes(1, 2) for values in (light, error))
    weight = np.zeros(light.shape)
    np.divide(1.0, error, out=weight, where=good)
    polarity = np.sign(sites["polarity"].values.astype(float)) if leading else np.ones(1)
    return CubeData(
        sites["frequency"].values.astype(float), np.where(good, light, 0.0), weight, _precision(sites, kept), polarity,
        kept,
    )  # fmt: skip


def _precision(sites: xr.Dataset, kept: np.ndarray) -> np.ndarray:
    if "site_correlation" not in sites:
        return np.eye(kept.size)
    correlation = sites["site_correlation"].values
    if correlation.shape != (sites.sizes["site"],) * 2:
        raise LayoutError(
            f"site_correlation has shape {correlation.shape} for {sites.sizes['site']} sites: select the same of "
            "'site2'"
        )
    own = correlation[np.ix_(kept, kept)]
    try:
        root = np.linalg.cholesky(own)
    except np.linalg.LinAlgError:
        raise LayoutError("site_correlation is not positive definite: it is no correlation of noise") from None
    inverse = np.linalg.solve(root, np.eye(kept.size))
    return inverse.T @ inverse
