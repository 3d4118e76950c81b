"""One arrow of a level scheme."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np

__all__ = ["KINDS", "Rate"]

KINDS = ("dark", "light", "pump")


@dataclass(frozen=True)
class Rate:
    """One arrow of the level scheme.

    Parameters
    ----------
    start, end : str
        Names of levels. An arrow from a level to itself changes nothing by itself; it completes a
        relaxation that is meant to be the same in every basis (see `vbsense.sims.light.mixing`).
    value : float
        Rate (1/s); for kind "pump" a factor on the pump rate that the caller gives (1).
    kind : {"dark", "light", "pump"}
        "light" emits a photon, "pump" absorbs one of the laser.
    source : str
        Where the number comes from.

    Raises
    ------
    ValueError
        If the value is negative or not finite, or the kind unknown.

    Examples
    --------
    >>> Rate("e0", "g0", 1e5, "light").value
    100000.0
    """

    start: str
    end: str
    value: float
    kind: str = "dark"
    source: str = ""

    def __post_init__(self) -> None:
        if not (isinstance(self.value, Real) and np.isfinite(self.value) and self.value >= 0):
            raise ValueError(f"the rate {self.start} -> {self.end} is {self.value!r}; it must be 0 or more, in 1/s")
        if self.kind not in KINDS:
            raise ValueError(f"the rate {self.start} -> {self.end} is of kind {self.kind!r}; known: {', '.join(KINDS)}")
