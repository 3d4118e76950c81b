"""The packages that read drawings are an extra: what to do where one is missing."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from vbsense._numbers import number


def need(module: str) -> Any:
    """The module, or an ImportError with the remedy."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'reading drawings needs {module}: pip install "vbsense[layout]" ({error})') from error


def existing(path: Any) -> Path:
    """The path if a file is there."""
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"path: there is no file {str(file)!r}")
    return file


def unit_of(value: Any) -> float | None:
    """Metres for one unit of the drawing, None if it is left to the drawing."""
    if value is None:
        return None
    unit = number("unit", value, "m", positive=True)
    if unit > 1e4:
        raise ValueError(f"unit: received {value!r}; give the metres of one unit of the drawing, for example 1e-6")
    return unit


def tolerance_of(value: Any) -> float:
    """Largest distance of a curve from its chords (m)."""
    return number("tolerance", value, "m", positive=True)
