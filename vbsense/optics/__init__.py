"""What the microscope sees: where the sensors are, and how their light falls on the pixels.

Both the simulator and the unmixing need this, so it lies in the core.
"""

from vbsense.optics.array import SensorArray
from vbsense.optics.images import spot_images

__all__ = ["SensorArray", "spot_images"]
