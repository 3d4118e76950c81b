"""What carries a current.

Metres, amperes and teslas, right-handed: a current along +y gives Bx > 0 above it (z > 0). Each conductor is a value
(frozen, comparable, hashable); a longer circuit is a sum of fields.

>>> import numpy as np
>>> wire = Bar(start=(0, -50e-6, 0), end=(0, 50e-6, 0), width=1e-6, thickness=100e-9, current=1e-3)
>>> (wire.field([0, 0, 100e-9]) * 1e6).round(1)                # uT, 50 nm above the upper face
array([549.6,   0. ,   0. ])
"""

from vbsense.currents.straight import Bar, Polyline, Ribbon

__all__ = ["Bar", "Polyline", "Ribbon"]
