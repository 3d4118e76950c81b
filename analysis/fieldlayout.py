"""From arrays in the shape of a fit to maps: signs, pairs of polarity, coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError, make_map, make_site_map
from vbsense.flags import attributes as flag_attributes

__all__ = ["as_map", "kept_attributes", "map_dims", "sign_along_c", "split_polarity"]

_KEPT = {
    "bias_field", "created", "current", "exposure", "frames", "power", "psf_fwhm", "seed", "sensor_array",
    "temperature",
}  # fmt: skip


def sign_along_c(fit: xr.Dataset, bias: Any) -> float:
    """Sign of the part along c of `bias` (3,), or of that in the attributes; ValueError if there is none."""
    bias = np.asarray(fit.attrs.get("bias_field", np.nan) if bias is None else bias, dtype=float)
    if bias.shape != (3,) or not np.isfinite(bias).all() or bias[2] == 0:
        what = f"bias is {bias.tolist()!r}" if bias.ndim or np.isfinite(bias) else "the bias is not known"
        raise ValueError(
            f"{what}; the sign of the field needs a bias with a part along c: pass bias=(0, 0, 10e-3) in T, "
            "or --bias=0,0,10 in mT on the command line"
        )
    return float(np.sign(bias[2]))


def split_polarity(fit: xr.Dataset, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`values` in the shape of the fit at polarity +1 and at -1; LayoutError if that is no pair."""
    signs = np.sign(fit["polarity"].values)
    if sorted(signs) != [-1, 1]:
        raise LayoutError(f"polarity is {fit['polarity'].values.tolist()}; a pair needs +1 and -1")
    axis = fit["flags"].dims.index("polarity")
    return np.take(values, int(np.argmax(signs)), axis), np.take(values, int(np.argmin(signs)), axis)


def map_dims(fit: xr.Dataset) -> tuple[str, ...]:
    """Dimensions of what is made of a fit: its own, but polarity."""
    return tuple(str(d) for d in fit["flags"].dims if d != "polarity")


def kept_attributes(fit: xr.Dataset) -> dict[str, Any]:
    """Attributes of a fit that hold for its maps as well."""
    return {str(k): v for k, v in fit.attrs.items() if k in _KEPT or str(k).startswith(("user_", "truth_"))}


def as_map(fit: xr.Dataset, B: np.ndarray, error: np.ndarray, flags: np.ndarray) -> xr.Dataset:
    """A map of Bz in the place of the fit; arrays in the dimensions of `map_dims`."""
    dims = map_dims(fit)
    tail = tuple(d for d in dims if d in ("y", "x", "site"))
    leading = tuple(d for d in dims if d not in tail)
    if tail not in (("y", "x"), ("site",)):
        raise LayoutError(
            f"the fit has dimensions {dims}; a map needs (y, x) or (site,): keep them, as .isel(y=[3]) does"
        )
    coords = {d: fit[d] if d in fit.coords else np.arange(fit.sizes[d]) for d in leading}
    if "site" in dims:
        result = make_site_map(B, sites=fit, error=error, coords=coords, **kept_attributes(fit))
    else:
        result = make_map(B, pixel_size=_pixel_size(fit), error=error, coords=coords, **kept_attributes(fit))
        result = result.assign_coords(y=fit["y"], x=fit["x"])  # a part of a picture keeps its place
    result["flags"] = (dims, flags.astype(np.uint16), flag_attributes())
    if "site_correlation" in fit:
        result["site_correlation"] = fit["site_correlation"]
    return result


def _pixel_size(fit: xr.Dataset) -> float:
    for axis in ("x", "y"):
        if axis in fit.sizes and fit.sizes[axis] > 1:
            return float(fit[axis][1] - fit[axis][0])
    return float(fit.attrs.get("pixel_size", np.nan))
