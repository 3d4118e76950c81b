"""What can be wrong with a fitted pixel: one registry with a name, a line and a remedy for each bit.

>>> from vbsense.flags import FLAGS, describe
>>> describe(FLAGS["nan_input"].bit | FLAGS["no_dip"].bit)
['no_dip', 'nan_input']
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FLAGS", "Flag", "attributes", "describe"]


@dataclass(frozen=True)
class Flag:
    """One bit of the variable ``flags`` of a fit."""

    name: str
    bit: int
    meaning: str
    remedy: str


_ROWS = (
    ("not_converged", "the fit stopped at its iteration limit", "raise max_iterations or give better bounds"),
    (
        "at_bound",
        "a parameter ended on one of its bounds",
        "widen the bound or fix the parameter; a mixing of 0 or 1 is a pure line and no failure",
    ),
    ("no_dip", "no resonance stands out of the noise", "average longer, or check microwave power and frequency range"),
    ("low_significance", "the lines are shallower than five of their sigma, or one than four", "average longer"),
    ("no_covariance", "the normal matrix is singular: the data do not hold all parameters", "use a simpler model"),
    ("saturated", "the camera was saturated at this pixel", "shorten the exposure or lower the laser power"),
    ("masked", "the pixel was masked by the caller", "none needed"),
    ("nan_input", "the data hold NaN or infinite values", "mask the pixel or mend the data"),
    ("few_points", "no more valid frequencies than free parameters", "measure more frequencies or fix parameters"),
    (
        "below_splitting",
        "the splitting is smaller than 2 E: the field is not resolved",
        "check E or raise the bias field",
    ),
    ("no_signal", "the signal is zero or negative on average", "check the dark level, or mask the pixel"),
    (
        "outside_correction",
        "the field lies outside the table of the hyperfine correction",
        "make a table that spans it",
    ),
    ("poor_fit", "much of the signal is not described by the model", "look at the spectrum; use another model"),
    (
        "ambiguous",
        "another answer describes the spectrum nearly as well",
        "average longer, or give start values or bounds",
    ),
    (
        "no_field",
        "no field gives such lines with this defect",
        "check its D and E, and what else may look like lines; noise alone does it in vector_map, not in field_map",
    ),
)

FLAGS = {name: Flag(name, 1 << k, meaning, remedy) for k, (name, meaning, remedy) in enumerate(_ROWS)}

# A pixel with any of these bits holds NaN in place of numbers: they could only mislead.
FATAL = sum(
    FLAGS[name].bit
    for name in ("not_converged", "no_dip", "no_covariance", "masked", "nan_input", "few_points", "no_signal")
)


def describe(bits: int) -> list[str]:
    """Names of the flags that are set in `bits`.

    Parameters
    ----------
    bits : int
        Value of the variable ``flags`` at one pixel.

    Returns
    -------
    list of str
        Keys of `FLAGS`, lowest bit first.
    """
    return [flag.name for flag in FLAGS.values() if int(bits) & flag.bit]


def attributes() -> dict[str, object]:
    """CF attributes (``flag_masks``, ``flag_meanings``) of a variable that holds these bits."""
    return {
        "units": "1",
        "flag_masks": np.array([flag.bit for flag in FLAGS.values()], dtype=np.uint16),
        "flag_meanings": " ".join(FLAGS),
    }
