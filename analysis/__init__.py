"""Sweeps in, maps with errors out: fits, fields, sensitivity, sensor arrays, wires, plots.

Names are loaded on first use, so that importing this room loads no compiler and no plotting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vbsense._lazy import attach

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

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS, modules=("plot",))
