"""The theorists' room: scenes, light and camera noise that make synthetic sweeps.

>>> from vbsense import sims
>>> sims.gold_wire_nanoarray().array.x.size
225
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"vbsense.sims.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module 'vbsense.sims' has no attribute {name!r}; it has {', '.join(__all__)}")
