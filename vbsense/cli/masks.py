"""Masks on the command line: pictures, arrays and rectangles."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vbsense.cli.options import quantity

__all__ = ["read_mask"]


def read_mask(text: str, field: Any) -> Any:
    """Where the current may flow, a bool for every pixel of a map.

    Parameters
    ----------
    text : str
        Name of a picture or of an array (.npy), or two corners with units.
    field : xarray.Dataset
        On pixels.

    Returns
    -------
    ndarray of bool, (y, x)

    Examples
    --------
    >>> import numpy as np
    >>> from vbsense.data import make_map
    >>> read_mask("100nm,0nm,200nm,100nm", make_map(np.zeros((3, 4)), pixel_size=1e-7)).sum(axis=1).tolist()
    [2, 2, 0]
    """
    import numpy as np

    if "site" in field["B"].dims:
        raise ValueError("--mask: the map lies on sites, which have no pixels to mask")
    shape = field.sizes["y"], field.sizes["x"]
    if text.count(",") == 3:
        mask = _rectangle(text, field)
    elif Path(text).suffix.lower() == ".npy":
        mask = np.asarray(np.load(text, allow_pickle=False)) > 0
    else:
        mask = _bright(Path(text))
    if mask.shape != shape:
        raise ValueError(
            f"--mask: {text} has {' x '.join(map(str, mask.shape))} pixels and the map {shape[0]} x {shape[1]}; "
            "give one pixel for each"
        )
    if not mask.any():
        raise ValueError(f"--mask: {text} leaves no pixel in which a current may flow")
    if mask.all():
        raise ValueError(f"--mask: {text} covers the whole map; leave it out")
    return mask


def _rectangle(text: str, field: Any) -> Any:
    import numpy as np

    try:
        x0, y0, x1, y1 = (quantity("m")(part) for part in text.split(","))
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"--mask: {error}; a region is X0,Y0,X1,Y1") from None
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"--mask: received {text!r}; give the lower left, then the upper right corner")
    x, y = field["x"].values, field["y"].values
    slack = 1e-6 * float(np.ptp(x) + np.ptp(y))  # a pixel on the rim is inside, whatever the rounding
    columns, rows = (x >= x0 - slack) & (x <= x1 + slack), (y >= y0 - slack) & (y <= y1 + slack)
    return rows[:, None] & columns


def _bright(path: Path) -> Any:
    """Pixels of a picture that are brighter than the middle between its darkest and its brightest."""
    import numpy as np
    from matplotlib.image import imread

    if not path.is_file():
        raise FileNotFoundError(f"--mask: {path} does not exist; give a picture, an array (.npy) or X0,Y0,X1,Y1")
    try:
        image = np.asarray(imread(path), dtype=float)
    except (OSError, SyntaxError) as error:  # what Pillow raises for what it cannot read
        raise ValueError(f"--mask: {path} is no picture that can be read: {error}") from None
    if image.ndim == 3:
        colours = image[..., :3].mean(axis=-1) if image.shape[-1] > 2 else image[..., 0]
        image = colours * (image[..., -1] if image.shape[-1] in (2, 4) else 1.0)
    return image[::-1] > (image.min() + image.max()) / 2
