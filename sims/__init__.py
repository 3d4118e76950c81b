"""The theorists' room: scenes and camera noise that make synthetic sweeps, optical cycle, pulse sequences.

>>> from vbsense import sims
>>> sims.gold_wire_nanoarray().array.x.size
225
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vbsense._lazy import attach

if TYPE_CHECKING:
    from vbsense.sims import light as light
    from vbsense.sims import pulses as pulses
    from vbsense.sims.camera import Camera as Camera
    from vbsense.sims.presets import gold_wire_nanoarray as gold_wire_nanoarray
    from vbsense.sims.presets import preset as preset
    from vbsense.sims.scene import ArrayScene as ArrayScene
    from vbsense.sims.sweep import simulate_sweep as simulate_sweep

_EXPORTS = {
    "ArrayScene": "scene",
    "Camera": "camera",
    "gold_wire_nanoarray": "presets",
    "preset": "presets",
    "simulate_sweep": "sweep",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS, modules=("light", "plot", "pulses"))
