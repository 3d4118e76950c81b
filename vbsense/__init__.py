"""Magnetic imaging with boron-vacancy spins in hexagonal boron nitride.

The core says what a sweep looks like, what a current does, what the spin does and what a
microscope sees. Three rooms build on it: ``vbsense.sims`` makes a sweep, ``vbsense.instruments``
measures one, ``vbsense.analysis`` reads one. SI units everywhere.

>>> import vbsense as vb
>>> vb.transitions([0, 0, 10e-3]).round(-3).tolist()       # Hz, lower and upper electron line
[3183925000.0, 3756075000.0]
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The rooms lie beside this folder in the repository, so a Python started in its root would find
# this package without them (and shadow an installed one). In a wheel there is no pyproject.toml.
_above = Path(__file__).resolve().parent.parent
if (_above / "pyproject.toml").is_file():
    __path__.append(str(_above))

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vbsense.currents import Bar as Bar
    from vbsense.currents import Polyline as Polyline
    from vbsense.currents import Ribbon as Ribbon
    from vbsense.data import make_map as make_map
    from vbsense.data import make_sweep as make_sweep
    from vbsense.defect import VB14N as VB14N
    from vbsense.defect import VB15N as VB15N
    from vbsense.defect import Defect as Defect
    from vbsense.defect import Nucleus as Nucleus
    from vbsense.files import load as load
    from vbsense.files import save as save
    from vbsense.optics import SensorArray as SensorArray
    from vbsense.scene import Scene as Scene
    from vbsense.spin import field_from_lines as field_from_lines
    from vbsense.spin import levels as levels
    from vbsense.spin import spectrum as spectrum
    from vbsense.spin import transitions as transitions

# Public name -> module. Loaded on first use: `import vbsense` and `--help` stay below half a second.
_EXPORTS = {
    "Bar": "currents",
    "Defect": "defect",
    "Nucleus": "defect",
    "Polyline": "currents",
    "Ribbon": "currents",
    "Scene": "scene",
    "SensorArray": "optics",
    "VB14N": "defect",
    "VB15N": "defect",
    "field_from_lines": "spin",
    "levels": "spin",
    "load": "files",
    "make_map": "data",
    "make_sweep": "data",
    "save": "files",
    "spectrum": "spin",
    "transitions": "spin",
}
_ROOMS = ("analysis", "instruments", "sims")

__all__ = sorted([*_EXPORTS, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"vbsense.{_EXPORTS[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"vbsense.{name}")
    raise AttributeError(f"module 'vbsense' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
