"""What a measurement will reach, before it is made: errors, better frequencies, times.

`predict` joins the parts to a `result`, `sites` looks at the scene, `text` and `picture` show the result.

>>> import numpy as np
>>> from vbsense import sims
>>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
>>> plan = sims.forecast(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5)
>>> plan.error.shape, plan.polarities
((4,), 1)
"""

from vbsense.sims.forecasts.predict import forecast
from vbsense.sims.forecasts.result import TARGETS, Forecast

__all__ = ["TARGETS", "Forecast", "forecast"]
