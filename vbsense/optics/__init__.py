"""What the microscope sees: where the sensors are, and how their light falls on the pixels.

Both the simulator and the unmixing need this, so it lies in the core.
"""

from vbsense.optics.array import SensorArray
from vbsense.optics.averages import SpotAverage
from vbsense.optics.images import spot_images
from vbsense.optics.psf import AiryPSF, GaussianPSF, HighNAPSF, MeasuredPSF, PointSpread

__all__ = [
    "AiryPSF",
    "GaussianPSF",
    "HighNAPSF",
    "MeasuredPSF",
    "PointSpread",
    "SensorArray",
    "SpotAverage",
    "spot_images",
]
