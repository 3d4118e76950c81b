"""Magnetic imaging with boron-vacancy spins in hexagonal boron nitride.

The core says what a sweep looks like, what a current does, what the spin does and what a
microscope sees. Three rooms build on it: ``vbsense.sims`` makes a sweep, ``vbsense.instruments``
measures one, ``vbsense.analysis`` reads one. SI units everywhere.

>>> import vbsense as vb
>>> vb.transitions([0, 0, 10e-3]).round(-3).tolist()       # Hz, lower and upper electron line
[3183925000.0, 3756075000.0]
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vbsense._lazy import attach

# The rooms lie beside this folder in the repository, so a Python started in its root would find
# this package without them (and shadow an installed one). In a wheel there is no pyproject.toml.
_above = Path(__file__).resolve().parent.parent
if (_above / "pyproject.toml").is_file():
    __path__.append(str(_above))

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vbsense.currents import Bar as Bar
    from vbsense.currents import Conductor as Conductor
    from vbsense.currents import CurrentSheet as CurrentSheet
    from vbsense.currents import Loop as Loop
    from vbsense.currents import Placed as Placed
    from vbsense.currents import Polyline as Polyline
    from vbsense.currents import Ribbon as Ribbon
    from vbsense.currents import Sum as Sum
    from vbsense.data import make_map as make_map
    from vbsense.data import make_sweep as make_sweep
    from vbsense.defect import NV14 as NV14
    from vbsense.defect import NV15 as NV15
    from vbsense.defect import VB14N as VB14N
    from vbsense.defect import VB14N_DFT as VB14N_DFT
    from vbsense.defect import VB15N as VB15N
    from vbsense.defect import VB15N_DFT as VB15N_DFT
    from vbsense.defect import Defect as Defect
    from vbsense.files import load as load
    from vbsense.files import save as save
    from vbsense.groundstate.fieldtable import FieldTable as FieldTable
    from vbsense.nucleus import Nucleus as Nucleus
    from vbsense.nucleus import nitrogens as nitrogens
    from vbsense.optics import SensorArray as SensorArray
    from vbsense.scene import Scene as Scene
    from vbsense.spin import choose_method as choose_method
    from vbsense.spin import field_from_lines as field_from_lines
    from vbsense.spin import field_range_from_lines as field_range_from_lines
    from vbsense.spin import levels as levels
    from vbsense.spin import lines as lines
    from vbsense.spin import spectrum as spectrum
    from vbsense.spin import transitions as transitions
    from vbsense.temperature import TemperatureModel as TemperatureModel

# Public name -> module. Loaded on first use: `import vbsense` and `--help` stay below half a second.
_EXPORTS = {
    "Bar": "currents",
    "Conductor": "currents",
    "CurrentSheet": "currents",
    "Defect": "defect",
    "FieldTable": "groundstate.fieldtable",
    "Loop": "currents",
    "NV14": "defect",
    "NV15": "defect",
    "Nucleus": "nucleus",
    "Placed": "currents",
    "Polyline": "currents",
    "Ribbon": "currents",
    "Scene": "scene",
    "SensorArray": "optics",
    "Sum": "currents",
    "TemperatureModel": "temperature",
    "VB14N": "defect",
    "VB14N_DFT": "defect",
    "VB15N": "defect",
    "VB15N_DFT": "defect",
    "choose_method": "spin",
    "field_from_lines": "spin",
    "field_range_from_lines": "spin",
    "levels": "spin",
    "lines": "spin",
    "load": "files",
    "make_map": "data",
    "make_sweep": "data",
    "nitrogens": "nucleus",
    "save": "files",
    "spectrum": "spin",
    "transitions": "spin",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS, modules=("analysis", "instruments", "sims"))
