"""What is refused after the fit of a lattice: too few spots, too close together, or a period that is not there."""

from __future__ import annotations

import numpy as np

from vbsense.analysis._lattice_light import Light
from vbsense.analysis._lattice_locate import Located
from vbsense.analysis._lattice_spots import FWHM
from vbsense.analysis._unmix_job import MAX_AMPLIFICATION

__all__ = ["amplification_of", "check"]

# A lattice whose usual spot is less certain than this (sigma) was not seen.
LEAST_SIGMAS = 3.0
# The period of the light is that of the model within this factor; of a patch of even light it is below a tenth.
PERIOD = 5.0
# The width of the fitted spots and that of the finest structure of the light, seen at once, agree within this factor.
MAX_WIDENING = 4.0


def check(light: Light, sigma: float, located: Located) -> None:
    """Refuse what is not determined."""
    fitted, present = located.fitted, located.inside & ~located.dark
    count, tie = int(present.sum()), located.problem.tie
    nm = fitted.model.geometry * light.pixel * 1e9
    steps, width = f"steps of {nm[0]:.4g} and {nm[1]:.4g} nm", _fwhm(light, located) * 1e9
    free = tie.shape[1] - int(tie[6].any())
    if 2 * count < free:
        raise ValueError(
            f"fewer spots than parameters: {count} bright spots have {2 * count} coordinates, the lattice has {free} "
            "parameters; give lattice='square', or look at a larger picture"
        )
    amplification = amplification_of(located)
    if not amplification < MAX_AMPLIFICATION:
        raise ValueError(
            f"the spots are not resolved: with {steps} and a point-spread function of {width:.4g} nm the noise of a "
            f"site is {amplification:.3g} times that of a spot alone (limit {MAX_AMPLIFICATION:g})"
        )
    sigmas = float(np.median(fitted.model.light[present] / fitted.light_error[present]))
    if not sigmas > LEAST_SIGMAS:
        raise ValueError(
            f"lattice not found: the usual spot of the best one, with {steps}, is {sigmas:.1f} sigma bright, "
            f"{LEAST_SIGMAS:g} are needed: average more frames"
        )
    widening = fitted.model.geometry[6] / sigma
    if not 1 / MAX_WIDENING < widening < MAX_WIDENING:
        raise ValueError(
            f"lattice not found: the best one, with {steps}, needs a point-spread function of {width:.4g} nm; the "
            f"light has structure of {width / widening:.4g} nm: average more frames, or give pitch="
        )
    _check_period(located, steps, width)
    if not fitted.last < 1:
        raise ValueError(f"the fit did not settle: its last step was {fitted.last:.3g} errors long, with {steps}")
    extra = len(fitted.model.stray)
    if extra > max(3, count):
        raise ValueError(
            f"no lattice: {extra} bright spots are not on the best one, with {steps}, which has {count}; cut the "
            "picture with select_region, or give pitch= or design="
        )


def _check_period(located: Located, steps: str, width: float) -> None:
    """Refuse a lattice whose period is not in the light."""
    from vbsense.analysis._lattice_glance import steps_of
    from vbsense.analysis._lattice_period import periods

    fraction, meant = periods(located.problem, located.fitted, steps_of(located.fitted.model.geometry))
    known = np.array([located.columns > 1, located.rows > 1])
    if (meant[known] < LEAST_SIGMAS).any() or not (np.abs(np.log(fraction[known])) < np.log(PERIOD)).all():
        along = int(np.argmax(np.where(known, np.abs(np.log(np.maximum(fraction, 1e-9))) + 1 / meant, 0.0)))
        raise ValueError(
            f"the spots are not resolved: a lattice with {steps} and a point-spread function of {width:.4g} nm would "
            f"show its period with {meant[along]:.3g} sigma of the noise, and the light has {fraction[along]:.2g} of "
            "that: what was found are the edges of a patch; optics resolve no pitch below half a wavelength / NA"
        )


def amplification_of(located: Located) -> float:
    present = located.inside & ~located.dark
    if not present.any():
        return float("inf")
    fitted = located.fitted
    return float(np.median(fitted.light_error[present] / fitted.light_alone[present]))


def _fwhm(light: Light, located: Located) -> float:
    return float(located.fitted.model.geometry[6] * FWHM * light.pixel)
