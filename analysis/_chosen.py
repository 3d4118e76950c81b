"""Which model a sweep is fitted with, and what its fit must say of it to find it again."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from vbsense.data import LayoutError
from vbsense.lineshape import HAMILTONIAN, MODELS, SPECIAL_MODELS, Model, get_model, verify

__all__ = ["attributes_of", "choose_model"]


def choose_model(model: str | Model, sweep: xr.Dataset) -> Model:
    """The model by name or as given; that of the Hamiltonian by name is made for the sweep."""
    from vbsense.groundstate.effective import HamiltonianModel, hamiltonian_model

    if isinstance(model, str) and model in HAMILTONIAN:
        frequency = sweep["frequency"].values
        return hamiltonian_model(
            drive=_direction(sweep.attrs.get("drive", (1.0, 0.0, 0.0))),
            shape=HAMILTONIAN[model],
            frequency=frequency if frequency.size > 1 else None,
        )
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


def _direction(drive: Any) -> np.ndarray:
    """Three numbers from an attribute, which holds three, or six: the real parts and the imaginary ones."""
    numbers = np.asarray(drive)
    if numbers.dtype.kind not in "fiuc" or numbers.shape not in ((3,), (6,)):
        raise LayoutError(f"attribute 'drive' is {drive!r}; it must be 3 numbers, or 3 real and 3 imaginary")
    return numbers[:3] + 1j * numbers[3:] if numbers.size == 6 else numbers
