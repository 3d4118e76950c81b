"""Pulse sequences on the spin: one `Sequence` value, one `run`.

>>> from vbsense.sims import light, pulses
>>> cycle = light.optical_cycle("baber2022")
>>> start = cycle.initialise(pump=1e6, duration=20e-6)             # optical pumping into m_s = 0
>>> flips = pulses.run(pulses.rabi([0.0, 25e-9, 50e-9], rabi=20e6), [0, 0, 10e-3], initial=start, readout=cycle)
>>> bool(flips.signal[0] > flips.signal[1])                        # a flipped spin gives less light
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vbsense._lazy import attach

if TYPE_CHECKING:
    from vbsense.sims.pulses.charges import ChargeModel as ChargeModel
    from vbsense.sims.pulses.ensemble import Ensemble as Ensemble
    from vbsense.sims.pulses.ensemble import magnetic_noise as magnetic_noise
    from vbsense.sims.pulses.evolution import Relaxation as Relaxation
    from vbsense.sims.pulses.protocols import cpmg as cpmg
    from vbsense.sims.pulses.protocols import hahn_echo as hahn_echo
    from vbsense.sims.pulses.protocols import pulsed_odmr as pulsed_odmr
    from vbsense.sims.pulses.protocols import rabi as rabi
    from vbsense.sims.pulses.protocols import ramsey as ramsey
    from vbsense.sims.pulses.protocols import t1 as t1
    from vbsense.sims.pulses.protocols import xy8 as xy8
    from vbsense.sims.pulses.sequence import Pulse as Pulse
    from vbsense.sims.pulses.sequence import Sequence as Sequence
    from vbsense.sims.pulses.sequence import Wait as Wait
    from vbsense.sims.pulses.simulate import ROOM_TEMPERATURE as ROOM_TEMPERATURE
    from vbsense.sims.pulses.simulate import PulseResult as PulseResult
    from vbsense.sims.pulses.simulate import run as run

_EXPORTS = {
    "ChargeModel": "charges",
    "Ensemble": "ensemble",
    "Pulse": "sequence",
    "PulseResult": "simulate",
    "ROOM_TEMPERATURE": "simulate",
    "Relaxation": "evolution",
    "Sequence": "sequence",
    "Wait": "sequence",
    "cpmg": "protocols",
    "hahn_echo": "protocols",
    "magnetic_noise": "ensemble",
    "pulsed_odmr": "protocols",
    "rabi": "protocols",
    "ramsey": "protocols",
    "run": "simulate",
    "t1": "protocols",
    "xy8": "protocols",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS)
