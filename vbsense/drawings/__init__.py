"""Conductors from drawings: read a layout, solve for the current that flows in it.

`read_drawing` (GDS, OASIS, DXF, SVG) gives a `Drawing`: outlines and holes in metres, and labels. `solve_current` gives
the `vbsense.CurrentSheet` that flows between contacts. Reading needs the packages of ``pip install "vbsense[layout]"``;
solving needs no more than scipy.

>>> outline = [(0, 0), (20e-6, 0), (20e-6, 2e-6), (0, 2e-6)]
>>> strip = Drawing([outline], labels={"in": (0, 1e-6), "out": (20e-6, 1e-6)})
>>> sheet = solve_current(strip, contacts={"source": "in", "drain": "out"}, current=1e-3)
>>> round(float(sheet.Jx[sheet.shape[0] // 2, sheet.shape[1] // 2]), 6)         # A/m: 1 mA over 2 um
500.0
"""

from vbsense.drawings.drawing import Drawing
from vbsense.drawings.dxf import read_dxf
from vbsense.drawings.gds import read_gds
from vbsense.drawings.read import read_drawing
from vbsense.drawings.solve import Potential, solve_current, solve_potential
from vbsense.drawings.svg import read_svg

__all__ = [
    "Drawing",
    "Potential",
    "read_drawing",
    "read_dxf",
    "read_gds",
    "read_svg",
    "solve_current",
    "solve_potential",
]
