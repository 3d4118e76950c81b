"""The light of a sweep as one picture with its noise: what a lattice is looked for in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError, frames
from vbsense.layout import require

__all__ = ["Light", "evenly", "light_of", "pictures"]


@dataclass(frozen=True)
class Light:
    """One picture, in electrons per exposure, and what its noise is made of."""

    values: np.ndarray  # (ny, nx), 0 where not good
    good: np.ndarray  # (ny, nx)
    count: float  # frames averaged
    read_noise: float
    excess: float
    pixel: float  # m
    corner: tuple[float, float]  # x and y of pixel (0, 0), m

    def variance(self, model: np.ndarray) -> np.ndarray:
        """Variance of every pixel where `model` electrons are expected."""
        floor = max(1e-3 * float(np.abs(model).mean()), 1 / self.count)  # no pixel may look perfectly known
        return (self.excess * np.maximum(model, floor) + self.read_noise**2) / self.count


def pictures(data: Any, *, task: str) -> xr.DataArray:
    """The images of a sweep or of a bare array, (..., y, x), with coordinates in metres, or a refusal."""
    if isinstance(data, xr.Dataset):
        one = "signal" in data and "frequency" not in data["signal"].dims  # one image, taken out of a sweep
        data = data["signal"] if one else require(data, "sweep")["signal"]
    if not isinstance(data, xr.DataArray):
        raise TypeError(
            f"{task} needs a sweep, or an xarray.DataArray with dimensions (..., y, x) and coordinates in metres; "
            f"received {type(data).__name__}: vb.make_sweep builds one"
        )
    if data.dims[-2:] != ("y", "x"):
        raise LayoutError(f"the images have dimensions {data.dims}; {task} needs pictures, (..., y, x)")
    for axis in ("y", "x"):
        if axis not in data.coords:
            raise LayoutError(f"the images have no coordinate {axis!r}; give the positions of the pixels in metres")
    if data.dtype.kind not in "fiu":
        raise LayoutError(f"the images have dtype {data.dtype}; they hold electrons, as real numbers")
    return data


def evenly(data: xr.DataArray) -> float:
    """Pixel size (m) of images with square pixels and no gaps."""
    if min(data.sizes["y"], data.sizes["x"]) < 2:
        raise LayoutError(f"the images have {data.sizes['y']} x {data.sizes['x']} pixels; a picture has at least 2 x 2")
    steps = np.concatenate([np.diff(data[axis].values.astype(float)) for axis in ("y", "x")])
    if not (steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-3)):
        raise LayoutError("the coordinates x and y are not evenly spaced and ascending; square pixels are needed")
    pixel = float(steps.mean())
    if not 1e-10 < pixel < 1e-3:
        raise LayoutError(f"the pixels are {pixel:.4g} m wide by their coordinates; these are in metres (100 nm: 1e-7)")
    return pixel


def light_of(data: Any, *, task: str) -> Light:
    """Mean of all images (and of `reference`), weighted with their frames.

    Images that are NaN as a whole are left out; so are pixels that are NaN in any other.
    """
    images = pictures(data, task=task)
    pixel, shape = evenly(images), images.shape[-2:]
    stack = images.values.reshape(-1, *shape).astype(float)
    count = _counts(data, images)
    if isinstance(data, xr.Dataset) and "reference" in data:
        stack = np.concatenate([stack, data["reference"].values.reshape(stack.shape)])
        count = np.concatenate([count, count])
    there = (count > 0) & np.isfinite(stack).any(axis=(1, 2))
    stack, count = stack[there], count[there]
    good = np.isfinite(stack).all(axis=0) if there.any() else np.zeros(shape, dtype=bool)
    if good.sum() < 9:
        raise ValueError(
            f"the image has {int(good.sum())} valid pixels of {good.size}: the others are NaN in one of "
            f"{len(there)} images"
        )
    mean = np.einsum("f,fyx->yx", count / count.sum(), np.where(good, stack, 0.0))
    corner = float(images["x"].values[0]), float(images["y"].values[0])
    attrs = data.attrs
    return Light(
        mean, good, float(count.sum()), float(attrs.get("read_noise", 0.0)), float(attrs.get("excess_noise", 1.0)),
        pixel, corner,
    )  # fmt: skip


def _counts(data: Any, images: xr.DataArray) -> np.ndarray:
    """Frames behind every image, ``(image,)``; of a bare array, the attribute `frames` or 1."""
    leading = images.shape[:-2]
    if isinstance(data, xr.Dataset):
        return np.broadcast_to(frames(data).values, leading).reshape(-1).astype(float)
    return np.full(int(np.prod(leading)), float(data.attrs.get("frames", 1)))
