"""The theorists' room: scenes and camera noise that make synthetic sweeps, optical cycle, pulse sequences.

>>> from vbsense import sims
>>> sims.gold_wire_nanoarray().array.x.size
225
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vbsense._lazy import attach

if TYPE_CHECKING:
    from vbsense.sims import light as light
    from vbsense.sims import pulses as pulses
    from vbsense.sims.camera import EMCCD as EMCCD
    from vbsense.sims.camera import Camera as Camera
    from vbsense.sims.camera import PhotonCounter as PhotonCounter
    from vbsense.sims.camera import camera_preset as camera_preset
    from vbsense.sims.forecasts.predict import forecast as forecast
    from vbsense.sims.forecasts.result import Forecast as Forecast
    from vbsense.sims.layer import LayerScene as LayerScene
    from vbsense.sims.presets import gold_wire_nanoarray as gold_wire_nanoarray
    from vbsense.sims.presets import preset as preset
    from vbsense.sims.scene import ArrayScene as ArrayScene
    from vbsense.sims.scenefile.plan import Measurement as Measurement
    from vbsense.sims.scenefile.plan import ScenePlan as ScenePlan
    from vbsense.sims.scenefile.plan import load_scene as load_scene
    from vbsense.sims.scenes.drift import Drift as Drift
    from vbsense.sims.scenes.emitters import Strain as Strain
    from vbsense.sims.scenes.emitters import mean_emitters as mean_emitters
    from vbsense.sims.scenes.illumination import GaussianBeam as GaussianBeam
    from vbsense.sims.scenes.illumination import MicrowaveAntenna as MicrowaveAntenna
    from vbsense.sims.scenes.illumination import MicrowaveGradient as MicrowaveGradient
    from vbsense.sims.scenes.illumination import Vignetting as Vignetting
    from vbsense.sims.scenes.samples import Layer as Layer
    from vbsense.sims.sweep import simulate_sweep as simulate_sweep

_EXPORTS = {
    "ArrayScene": "scene",
    "Camera": "camera",
    "Drift": "scenes.drift",
    "EMCCD": "camera",
    "Forecast": "forecasts.result",
    "GaussianBeam": "scenes.illumination",
    "Layer": "scenes.samples",
    "LayerScene": "layer",
    "Measurement": "scenefile.plan",
    "MicrowaveAntenna": "scenes.illumination",
    "MicrowaveGradient": "scenes.illumination",
    "PhotonCounter": "camera",
    "ScenePlan": "scenefile.plan",
    "Strain": "scenes.emitters",
    "Vignetting": "scenes.illumination",
    "camera_preset": "camera",
    "forecast": "forecasts.predict",
    "gold_wire_nanoarray": "presets",
    "load_scene": "scenefile.plan",
    "mean_emitters": "scenes.emitters",
    "preset": "presets",
    "simulate_sweep": "sweep",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS, modules=("light", "plot", "pulses"))
