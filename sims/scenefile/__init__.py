"""Scenes from TOML files: what a station looks like, in words.

>>> plan = scene_from_text('''
... [conductor]
... kind = "bar"
... start = ["0 um", "-50 um"]
... end = ["0 um", "50 um"]
... width = "1 um"
... thickness = "100 nm"
... current = "1 mA"
... [sensor]
... kind = "array"
... standoff = "35 nm"
... pitch = "400 nm"
... rows = 3
... columns = 5
... [microscope]
... shape = [30, 40]
... pixel_size = "100 nm"
... fwhm = "440 nm"
... [light]
... spot_rate = "1.7 Mcps"
... ''')
>>> plan.scene.array.shape, plan.measurement.frequency.size
((3, 5), 81)

Positions count from the middle of the picture. `reference` prints all keys.
"""

from vbsense.sims.scenefile.plan import Measurement, ScenePlan, load_scene, scene_from_text
from vbsense.sims.scenefile.reference import reference

__all__ = ["Measurement", "ScenePlan", "load_scene", "reference", "scene_from_text"]

__doc__ = f"{__doc__}\n{reference()}"  # so that help() cannot tell of other keys than those that are read
