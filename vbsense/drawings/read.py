"""One door to drawings of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vbsense.drawings.drawing import Drawing
from vbsense.drawings.dxf import read_dxf
from vbsense.drawings.gds import read_gds
from vbsense.drawings.svg import read_svg

__all__ = ["read_drawing"]

_READERS: dict[str, Callable[..., Drawing]] = {
    ".gds": read_gds,
    ".gds2": read_gds,
    ".gdsii": read_gds,
    ".oas": read_gds,
    ".dxf": read_dxf,
    ".svg": read_svg,
}


def read_drawing(path: str | Path, **options: Any) -> Drawing:
    """A drawing, by the ending of its name.

    Parameters
    ----------
    path : str or Path
        ``.gds``, ``.oas``, ``.dxf`` or ``.svg``.
    **options
        Of `read_gds`, `read_dxf` or `read_svg`: the layer, the unit.

    Returns
    -------
    Drawing
        In metres.

    Raises
    ------
    ValueError
        If the ending is another one, or the layer is missing (SVG can do without).

    Examples
    --------
    >>> read_drawing("chip.dwg")
    Traceback (most recent call last):
    ...
    ValueError: path: 'chip.dwg' ends in '.dwg'; drawings are read from .dxf, .gds, .gds2, .gdsii, .oas, .svg
    """
    ending = Path(path).suffix.lower()
    if ending not in _READERS:
        raise ValueError(
            f"path: {str(path)!r} ends in {ending!r}; drawings are read from {', '.join(sorted(_READERS))}"
        )
    if ending != ".svg" and "layer" not in options:
        raise ValueError(f"layer: a {ending} drawing may hold several; give that of the conductor, layer=...")
    return _READERS[ending](path, **options)
