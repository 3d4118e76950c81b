"""Named numbers from a file of another program: columns of text, arrays of an npz archive, variables of HDF5."""

from __future__ import annotations

import math
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vbsense.data import LayoutError

__all__ = ["Columns", "read_arrays", "read_hdf5", "read_text"]

MAX_TEXT, MAX_BYTES = 1 << 28, 1 << 32
COMMENTS = ("#", "%", ";", "//")
_UNIT = re.compile(r"[(\[]\s*([kMG]?Hz)\s*[)\]]", re.IGNORECASE)
_PREFIXES = {"hz": "Hz", "khz": "kHz", "mhz": "MHz", "ghz": "GHz"}


@dataclass(frozen=True)
class Columns:
    """Arrays by name; `ordered` where their order means something, as in a text."""

    values: dict[str, Any]
    units: dict[str, str] = field(default_factory=dict)
    ordered: bool = False
    header: str = ""


def read_text(path: Path) -> Columns:
    """Columns of numbers, with the names in the last line before them.

    Parameters
    ----------
    path : Path
        Of a text in UTF-8 or Latin-1.

    Returns
    -------
    Columns
        Named "column 0" and so on where the file has no names.

    Raises
    ------
    LayoutError
        If there are no columns of numbers; the message tells the line.
    """
    if path.stat().st_size > MAX_TEXT:
        raise LayoutError(f"it has {path.stat().st_size:.3g} bytes; texts of up to {MAX_TEXT} are read")
    raw = path.read_bytes()
    if b"\0" in raw[:4096]:
        raise LayoutError("it is no text; give .npz or HDF5 files their ending (.npz, .h5, .hdf5, .nc)")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    header, rows = _split(text)
    width = len(rows[0][1])
    for number, row in rows:
        if len(row) != width:
            raise LayoutError(f"line {number} has {len(row)} columns; those before have {width}")
    names = _names(header, width)
    table = np.array([row for _, row in rows])
    units = {name: _PREFIXES[found[1].lower()] for name in names if (found := _UNIT.search(name))}
    comments = [line.lstrip("#%;/ ").rstrip() for line in header]
    return Columns(dict(zip(names, table.T, strict=True)), units, True, "\n".join(filter(None, comments)))


def _split(text: str) -> tuple[list[str], list[tuple[int, list[float]]]]:
    """Lines before the numbers, and the numbers with their lines."""
    header: list[str] = []
    rows: list[tuple[int, list[float]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if line.lstrip().startswith(COMMENTS):
            if not rows:
                header.append(line.strip())
            continue
        try:
            rows.append((number, [float(word) for word in _words(line)]))
        except ValueError:
            if rows:
                raise LayoutError(f"line {number} is {line.strip()[:60]!r}; numbers must follow numbers") from None
            header.append(line.strip())
    if not rows:
        raise LayoutError("it holds no line of numbers")
    return header, rows


def _words(line: str) -> list[str]:
    for separator in ("\t", ";", ","):
        if separator in line:
            return [word.strip() for word in line.strip().rstrip(separator).split(separator)]
    return line.split()


def _names(header: list[str], width: int) -> list[str]:
    """Names in the last line of the header, if there are as many as columns and none is twice."""
    words = _words(header[-1].lstrip("#%;/ ")) if header else []
    fit = len(words) == width and len(set(words)) == width and all(words)
    return words if fit else [f"column {k}" for k in range(width)]


def read_arrays(path: Path) -> Columns:
    """Arrays of an npz archive; one that holds Python objects is refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise LayoutError(f"it unpacks to {size:.3g} bytes; up to {MAX_BYTES} are read")
        with np.load(path, allow_pickle=False) as archive:
            return Columns({name: archive[name] for name in archive.files})
    except LayoutError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, KeyError) as error:
        raise LayoutError(f"it cannot be read as an npz archive of plain arrays ({str(error)[:80]})") from None


def read_hdf5(path: Path) -> Columns:
    """Numeric variables of an HDF5 file, which lie in the file itself."""
    import h5py

    try:
        with h5py.File(path, "r", locking="best-effort") as h5:
            found = dict(_variables(h5, ""))
            values = {name: variable[()] for name, variable in found.items()}
            units = {name: _unit(variable) for name, variable in found.items()}
    except LayoutError:
        raise
    except Exception as error:  # HDF5 answers damage with OSError, KeyError, RuntimeError, ValueError and others
        line = str(error).partition("\n")[0]
        raise LayoutError(f"it cannot be read as HDF5 ({line[:80]})") from None
    return Columns(values, {name: unit for name, unit in units.items() if unit})


def _variables(group: Any, prefix: str, depth: int = 0) -> list[tuple[str, Any]]:
    """Variables of a group and of those in it; links are not followed."""
    import h5py

    if depth > 16 or len(group) > 1000:
        raise LayoutError(f"group {prefix or '/'!r} lies too deep or holds {len(group)} objects; it is not read")
    found: list[tuple[str, Any]] = []
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        one = group[name]
        if isinstance(one, h5py.Group):
            found += _variables(one, f"{prefix}{name}/", depth + 1)
        elif isinstance(one, h5py.Dataset) and one.shape is not None and one.dtype.kind in "fiu":
            _check(prefix + name, one)
            found.append((prefix + name, one))
    if sum(one.nbytes for _, one in found) > MAX_BYTES:
        raise LayoutError(f"its variables have more than {MAX_BYTES} bytes; they are not read")
    return found


def _check(name: str, variable: Any) -> None:
    """Refuse a variable that does not lie in the file itself, or is packed in an unusual way."""
    import h5py

    from vbsense.storage.untrusted import FILTERS, MAX_RATIO, SMALL

    plan = variable.id.get_create_plist()
    if plan.get_external_count() or plan.get_layout() == h5py.h5d.VIRTUAL:
        raise LayoutError(f"{name!r} keeps its data in another file; data must lie in the file itself")
    if {plan.get_filter(k)[0] for k in range(plan.get_nfilters())} - FILTERS:
        raise LayoutError(f"{name!r} is packed by an unusual filter; accepted are gzip, shuffle and fletcher32")
    size = math.prod(variable.shape) * variable.dtype.itemsize
    if size > min(MAX_BYTES, SMALL + MAX_RATIO * variable.id.get_storage_size()):
        raise LayoutError(f"{name!r} claims {size:.3g} bytes; such sizes are not read")


def _unit(variable: Any) -> str | None:
    unit = variable.attrs.get("units")
    text = unit.decode(errors="replace") if isinstance(unit, bytes) else unit
    return _PREFIXES.get(text.strip().lower()) if isinstance(text, str) else None
