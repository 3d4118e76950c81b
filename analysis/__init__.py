"""Sweeps in, maps with errors out: fits, fields, sensitivity, sensor arrays, wires, plots.

Names are loaded on first use, so that importing this room loads no compiler and no plotting. Datasets get the same
functions behind a dot, ``sweep.vb.fit("gaussian")``: see `vbsense.analysis.accessor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vbsense._lazy import attach
from vbsense.analysis import accessor  # noqa: F401  (datasets get .vb)

if TYPE_CHECKING:
    from vbsense.analysis.alignment import align as align
    from vbsense.analysis.array import unmix as unmix
    from vbsense.analysis.comparison import compare_models as compare_models
    from vbsense.analysis.correction import hyperfine_correction as hyperfine_correction
    from vbsense.analysis.cube import fit_cube as fit_cube
    from vbsense.analysis.cube import smooth_field as smooth_field
    from vbsense.analysis.current import current_density as current_density
    from vbsense.analysis.drift import register as register
    from vbsense.analysis.field import common_mode_map as common_mode_map
    from vbsense.analysis.field import field_map as field_map
    from vbsense.analysis.fit import fit_sweep as fit_sweep
    from vbsense.analysis.fouriercurrent import CurrentPrior as CurrentPrior
    from vbsense.analysis.fouriercurrent import fourier_current as fourier_current
    from vbsense.analysis.inversion.footprint import Sensing as Sensing
    from vbsense.analysis.inversion.operator import CurrentOperator as CurrentOperator
    from vbsense.analysis.lattice import FoundArray as FoundArray
    from vbsense.analysis.lattice import find_array as find_array
    from vbsense.analysis.netcurrent import describe_current as describe_current
    from vbsense.analysis.netcurrent import find_conductor as find_conductor
    from vbsense.analysis.netcurrent import net_current as net_current
    from vbsense.analysis.normalising import normalise as normalise
    from vbsense.analysis.propagation import components_from as components_from
    from vbsense.analysis.propagation import continue_field as continue_field
    from vbsense.analysis.readers import read_spectrum as read_spectrum
    from vbsense.analysis.refinement import RefinedArray as RefinedArray
    from vbsense.analysis.refinement import refine_array as refine_array
    from vbsense.analysis.regions import bin_pixels as bin_pixels
    from vbsense.analysis.regions import mask_outside as mask_outside
    from vbsense.analysis.regions import select_region as select_region
    from vbsense.analysis.repeats import allan_deviation as allan_deviation
    from vbsense.analysis.repeats import repeat_sensitivity as repeat_sensitivity
    from vbsense.analysis.repeats import stack_sweeps as stack_sweeps
    from vbsense.analysis.sampling import sample_posterior as sample_posterior
    from vbsense.analysis.sensitivities import describe_sensitivity as describe_sensitivity
    from vbsense.analysis.sensitivities import sensitivity as sensitivity
    from vbsense.analysis.sensitivities import sensitivity_bound as sensitivity_bound
    from vbsense.analysis.smoothing import smooth as smooth
    from vbsense.analysis.smoothprior import SmoothPrior as SmoothPrior
    from vbsense.analysis.spectrum import fit_spectrum as fit_spectrum
    from vbsense.analysis.spectrum import known_noise as known_noise
    from vbsense.analysis.spotlight import read_spots as read_spots
    from vbsense.analysis.temperatures import temperature_map as temperature_map
    from vbsense.analysis.vector import vector_map as vector_map
    from vbsense.analysis.wire import fit_wire as fit_wire

_EXPORTS = {
    "FoundArray": "lattice",
    "align": "alignment",
    "CurrentOperator": "inversion.operator",
    "CurrentPrior": "fouriercurrent",
    "RefinedArray": "refinement",
    "Sensing": "inversion.footprint",
    "SmoothPrior": "smoothprior",
    "allan_deviation": "repeats",
    "bin_pixels": "regions",
    "common_mode_map": "field",
    "compare_models": "comparison",
    "components_from": "propagation",
    "continue_field": "propagation",
    "current_density": "current",
    "describe_current": "netcurrent",
    "describe_sensitivity": "sensitivities",
    "field_map": "field",
    "fit_cube": "cube",
    "find_conductor": "netcurrent",
    "find_array": "lattice",
    "fit_spectrum": "spectrum",
    "fit_sweep": "fit",
    "fit_wire": "wire",
    "fourier_current": "fouriercurrent",
    "hyperfine_correction": "correction",
    "known_noise": "spectrum",
    "mask_outside": "regions",
    "net_current": "netcurrent",
    "normalise": "normalising",
    "read_spectrum": "readers",
    "read_spots": "spotlight",
    "refine_array": "refinement",
    "register": "drift",
    "repeat_sensitivity": "repeats",
    "sample_posterior": "sampling",
    "select_region": "regions",
    "sensitivity": "sensitivities",
    "sensitivity_bound": "sensitivities",
    "smooth": "smoothing",
    "smooth_field": "cube",
    "stack_sweeps": "repeats",
    "temperature_map": "temperatures",
    "unmix": "array",
    "vector_map": "vector",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS, modules=("plot",))
