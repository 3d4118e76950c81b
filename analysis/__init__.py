"""Sweeps in, maps with errors out: fits, fields, sensitivity, sensor arrays, wires, plots.

Names are loaded on first use, so that importing this room loads no compiler and no plotting.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vbsense.analysis.array import unmix as unmix
    from vbsense.analysis.correction import hyperfine_correction as hyperfine_correction
    from vbsense.analysis.field import field_map as field_map
    from vbsense.analysis.fit import fit_sweep as fit_sweep
    from vbsense.analysis.sensitivities import sensitivity as sensitivity
    from vbsense.analysis.spectrum import fit_spectrum as fit_spectrum
    from vbsense.analysis.wire import fit_wire as fit_wire

_EXPORTS = {
    "field_map": "field",
    "fit_spectrum": "spectrum",
    "fit_sweep": "fit",
    "fit_wire": "wire",
    "hyperfine_correction": "correction",
    "sensitivity": "sensitivities",
    "unmix": "array",
}
_MODULES = ("array", "correction", "field", "fit", "plot", "spectrum", "wire")

__all__ = sorted([*_EXPORTS, "plot"])


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"vbsense.analysis.{_EXPORTS[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"vbsense.analysis.{name}")
    raise AttributeError(f"module 'vbsense.analysis' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
