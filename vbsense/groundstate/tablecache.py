"""Arrays that are dear to compute, kept in the user's cache folder; never pickled.

The name of a file holds a hash of everything that its contents depend on, and the file repeats these
inputs: what does not match, or cannot be read, is computed anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["cache_folder", "load", "path_of", "store"]

_warned: set[str] = set()


def cache_folder() -> Path:
    """Where tables are kept: ``VBSENSE_CACHE_DIR`` if set, else the operating system's place for caches.

    Examples
    --------
    >>> cache_folder().name
    'vbsense'
    """
    if own := os.environ.get("VBSENSE_CACHE_DIR"):
        return Path(own) / "vbsense"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "vbsense"


def path_of(kind: str, inputs: dict[str, Any]) -> Path:
    """File for contents of this kind made from these inputs (anything that JSON can hold)."""
    digest = hashlib.sha256(_text(inputs).encode()).hexdigest()[:32]
    return cache_folder() / f"{kind}-{digest}.npz"


def load(kind: str, inputs: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray | None:
    """The float32 array stored for these inputs; None if there is none that is whole and fits."""
    path = path_of(kind, inputs)
    try:
        with np.load(path, allow_pickle=False) as file:
            values, text, digest = file["values"], str(file["inputs"]), str(file["digest"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    whole = values.dtype == np.float32 and values.shape == shape and text == _text(inputs)
    return values if whole and digest == _digest(values) else None


def store(kind: str, inputs: dict[str, Any], values: np.ndarray) -> None:
    """Keep a float32 array; a folder that cannot be written costs one warning, nothing else."""
    path = path_of(kind, inputs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Readers see the old file or the whole new one: it gets its name when it is complete.
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
            try:
                np.savez(file, values=values, inputs=np.array(_text(inputs)), digest=np.array(_digest(values)))
                file.close()
                os.replace(file.name, path)
            except BaseException:
                file.close()
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        _warn_once(path.parent, error)


def _warn_once(folder: Path, error: OSError) -> None:
    if str(folder) not in _warned:
        _warned.add(str(folder))
        warnings.warn(
            f"tables cannot be kept in {folder} ({error}) and are made anew each time; "
            "set VBSENSE_CACHE_DIR to a folder that can be written",
            RuntimeWarning,
            stacklevel=4,
        )


def _text(inputs: dict[str, Any]) -> str:
    return json.dumps(inputs, sort_keys=True)


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
