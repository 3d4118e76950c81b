"""What a measurement can tell, before it is made: Cramer-Rao bounds and the designs that lower them.

Arrays in, arrays out, SI units. From light to field: `slope_sensitivity`, `field_bound`, `spectrum_bound`. Which
frequencies to take: `best_frequencies`, `four_points`. What crowded spots cost: `lattice_amplification`,
`patch_amplification`. From fields to the conductor: `conductor_bound`. How long it takes: `time_for`.

>>> import numpy as np
>>> sweep = np.linspace(2.97e9, 3.97e9, 101)
>>> lines = doublet(5e-3, fwhm=150e6, contrast=0.05, electrons=1e6)
>>> round(float(field_bound(sweep, lines)) * 1e6, 1)                # uT
14.3
"""

from vbsense.bounds.conductor import ConductorBound, conductor_bound
from vbsense.bounds.design import Design, best_frequencies, optimal_design
from vbsense.bounds.duration import time_for
from vbsense.bounds.exact import spectrum_bound
from vbsense.bounds.field import doublet, field_bound, field_jacobian, nuisances
from vbsense.bounds.fourpoint import FourPoints, four_points
from vbsense.bounds.information import Noise, information, model_jacobian, undetermined, variance_of
from vbsense.bounds.pseudo import nearest_parameters
from vbsense.bounds.slopes import SLOPE_FACTOR, line_position_error, slope_sensitivity, steepest_slope
from vbsense.bounds.unmixing import lattice_amplification, patch_amplification, unmixing_covariance, unmixing_precision

__all__ = [
    "SLOPE_FACTOR",
    "ConductorBound",
    "Design",
    "FourPoints",
    "Noise",
    "best_frequencies",
    "conductor_bound",
    "doublet",
    "field_bound",
    "field_jacobian",
    "four_points",
    "information",
    "lattice_amplification",
    "line_position_error",
    "model_jacobian",
    "nearest_parameters",
    "nuisances",
    "optimal_design",
    "patch_amplification",
    "slope_sensitivity",
    "spectrum_bound",
    "steepest_slope",
    "time_for",
    "undetermined",
    "unmixing_covariance",
    "unmixing_precision",
    "variance_of",
]
