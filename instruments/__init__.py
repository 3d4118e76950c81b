"""Instruments: drivers, a simulated rig whose instruments share one physics, and the acquisition.

Everything is loaded on first use: ``import vbsense.instruments`` imports neither QCoDeS nor PyVISA,
so that the analysis of a file never waits for a driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vbsense._lazy import attach

if TYPE_CHECKING:
    from vbsense.instruments.acquire.engine import SweepRejected as SweepRejected
    from vbsense.instruments.acquire.engine import odmr_sweep as odmr_sweep
    from vbsense.instruments.acquire.plan import Plan as Plan
    from vbsense.instruments.camera.role import Camera as Camera
    from vbsense.instruments.camera.simulated import SimulatedCamera as SimulatedCamera
    from vbsense.instruments.current.gs200 import GS200Current as GS200Current
    from vbsense.instruments.errors import ConnectionLost as ConnectionLost
    from vbsense.instruments.errors import InstrumentError as InstrumentError
    from vbsense.instruments.errors import InstrumentFault as InstrumentFault
    from vbsense.instruments.errors import InstrumentTimeout as InstrumentTimeout
    from vbsense.instruments.errors import ProtocolError as ProtocolError
    from vbsense.instruments.guard import GuardLost as GuardLost
    from vbsense.instruments.limits import Limits as Limits
    from vbsense.instruments.microwave.rs_smx import RohdeSchwarzSMx as RohdeSchwarzSMx
    from vbsense.instruments.rig import Rig as Rig
    from vbsense.instruments.simulated import simulated_rig as simulated_rig

_EXPORTS = {
    "Camera": "camera.role",
    "ConnectionLost": "errors",
    "GS200Current": "current.gs200",
    "GuardLost": "guard",
    "InstrumentError": "errors",
    "InstrumentFault": "errors",
    "InstrumentTimeout": "errors",
    "Limits": "limits",
    "Plan": "acquire.plan",
    "ProtocolError": "errors",
    "Rig": "rig",
    "RohdeSchwarzSMx": "microwave.rs_smx",
    "SimulatedCamera": "camera.simulated",
    "SweepRejected": "acquire.engine",
    "odmr_sweep": "acquire.engine",
    "simulated_rig": "simulated",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS)
