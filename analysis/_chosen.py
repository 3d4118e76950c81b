"""Which model a sweep is fitted with, and what its fit must say of it to find it again."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.fitted import drive_of, hamiltonian_of
from vbsense.defect import VB14N
from vbsense.lineshape import HAMILTONIAN, MODELS, SPECIAL_MODELS, Model, get_model, verify

__all__ = ["attributes_of", "choose_model"]


def choose_model(model: str | Model, sweep: xr.Dataset) -> Model:
    """The model by name or as given; that of the Hamiltonian by name is made for the sweep."""
    from vbsense.groundstate.effective import HamiltonianModel

    if isinstance(model, str) and model.split("+")[0] in HAMILTONIAN:
        return hamiltonian_of(model, VB14N, drive_of(sweep), sweep["frequency"].values)
    chosen = get_model(model)
    if chosen is not (MODELS | SPECIAL_MODELS).get(chosen.name) and not isinstance(chosen, HamiltonianModel):
        verify(chosen)
    return chosen


def attributes_of(model: Model) -> dict[str, Any]:
    """Attributes of a fit that tell its model: the name and, of a Hamiltonian, the defect and the drive."""
    from vbsense.groundstate.effective import HamiltonianModel

    if not isinstance(model, HamiltonianModel):
        return {"model": model.name}
    drive = np.asarray(model.drive)
    numbers = np.concatenate([drive.real, drive.imag]) if np.iscomplexobj(drive) else drive.astype(float)
    return {"model": model.name, "defect": model.defect.name, "drive": numbers}
