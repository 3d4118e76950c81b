"""Cameras: sensors with read-out, electron multiplication, photon counters, and typical ones of each by name."""

from vbsense.sims.camera.counter import PhotonCounter
from vbsense.sims.camera.emccd import EMCCD
from vbsense.sims.camera.model import Camera
from vbsense.sims.camera.presets import camera_preset

__all__ = ["EMCCD", "Camera", "PhotonCounter", "camera_preset"]
