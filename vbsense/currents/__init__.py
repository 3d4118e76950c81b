"""What carries a current.

Metres, amperes and teslas, right-handed: a current along +y gives Bx > 0 above it (z > 0). Each conductor is a value
(frozen, comparable, hashable) with ``.current``, ``.field(points)`` and ``.scaled(factor)``:

- pieces with a closed form: ``Polyline`` and ``Loop`` (filaments), ``Ribbon`` (flat), ``Bar`` and ``Wedge`` (solid);
- a map of the current density: ``CurrentSheet``;
- made of others: ``Sum``, ``Placed`` (turned and shifted);
- functions that return one of these: ``arc``, ``path``, ``u_shape``, ``meander``, and the microwave antennas ``strip``,
  ``omega`` and ``coplanar`` with ``drive_field``.

Whatever else has those three is a ``Conductor`` as well.

>>> import numpy as np
>>> wire = Bar(start=(0, -50e-6, 0), end=(0, 50e-6, 0), width=1e-6, thickness=100e-9, current=1e-3)
>>> (wire.field([0, 0, 100e-9]) * 1e6).round(1)                # uT, 50 nm above the upper face
array([549.6,   0. ,   0. ])
>>> pair = Sum([wire, Placed(wire.scaled(-1), translation=(3e-6, 0, 0))])          # there and back
>>> (pair.field([1.5e-6, 0, 0]) * 1e6).round(1)                # uT, in the middle between them
array([   0.,    0., -277.])
"""

from vbsense.currents._inputs import WIDEST
from vbsense.currents.antennas import antenna_current, coplanar, drive_field, omega, strip
from vbsense.currents.compose import Conductor, Placed, Sum, turn
from vbsense.currents.loop import Loop
from vbsense.currents.paths import arc, meander, path, u_shape
from vbsense.currents.sheet import CurrentSheet
from vbsense.currents.straight import Bar, Polyline, Ribbon
from vbsense.currents.wedge import Wedge

__all__ = [
    "WIDEST",
    "Bar",
    "Conductor",
    "CurrentSheet",
    "Loop",
    "Placed",
    "Polyline",
    "Ribbon",
    "Sum",
    "Wedge",
    "antenna_current",
    "arc",
    "coplanar",
    "drive_field",
    "meander",
    "omega",
    "path",
    "strip",
    "turn",
    "u_shape",
]
