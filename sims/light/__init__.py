"""Light of the defect: optical cycle, contrast, continuous-wave ODMR.

>>> from vbsense.sims import light
>>> cycle = light.optical_cycle("baber2022")
>>> round(float(light.contrast(cycle, pump=1e6)), 3)               # one saturated line
0.116
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vbsense._lazy import attach

if TYPE_CHECKING:
    from vbsense.sims.light.brightness import contrast as contrast
    from vbsense.sims.light.brightness import field_light as field_light
    from vbsense.sims.light.brightness import microwave_rate as microwave_rate
    from vbsense.sims.light.brightness import pump_rate as pump_rate
    from vbsense.sims.light.brightness import saturation as saturation
    from vbsense.sims.light.cw import cw_spectrum as cw_spectrum
    from vbsense.sims.light.cw import nuclear_fields as nuclear_fields
    from vbsense.sims.light.cycle import OpticalCycle as OpticalCycle
    from vbsense.sims.light.cycle_presets import optical_cycle as optical_cycle
    from vbsense.sims.light.cycle_presets import seven_levels as seven_levels
    from vbsense.sims.light.driven import DrivenCycle as DrivenCycle
    from vbsense.sims.light.driven import driven_cycle as driven_cycle
    from vbsense.sims.light.mixing import excited_state as excited_state
    from vbsense.sims.light.rate import Rate as Rate

_EXPORTS = {
    "DrivenCycle": "driven",
    "OpticalCycle": "cycle",
    "Rate": "rate",
    "contrast": "brightness",
    "cw_spectrum": "cw",
    "driven_cycle": "driven",
    "excited_state": "mixing",
    "field_light": "brightness",
    "nuclear_fields": "cw",
    "microwave_rate": "brightness",
    "optical_cycle": "cycle_presets",
    "pump_rate": "brightness",
    "saturation": "brightness",
    "seven_levels": "cycle_presets",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS)
