"""The results of a fit as a dataset, in memory or in a file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._bandwise import Job, fit_bands
from vbsense.analysis._chosen import attributes_of
from vbsense.analysis._plan import Plan
from vbsense.analysis._read import result_shape
from vbsense.analysis._results import Results, Scratch
from vbsense.data import make_fit

__all__ = ["as_dataset", "fit_to_file"]


def as_dataset(sweep: xr.Dataset, plan: Plan, out: Results | Scratch) -> xr.Dataset:
    """The fit; of results in files it has only the shape."""
    shape, names = result_shape(sweep), plan.model.parameters
    square = (*shape, len(names), len(names))
    if isinstance(out, Scratch):
        nothing = np.broadcast_to(np.float64(0), shape)
        values, errors, chi2 = dict.fromkeys(names, nothing), dict.fromkeys(names, nothing), nothing
        flags = np.broadcast_to(np.uint16(0), shape)
        covariance = np.broadcast_to(np.float64(0), square) if out.covariance else None
    else:
        values, errors = (
            {name: rows[i].reshape(shape) for i, name in enumerate(names)} for rows in (out.values, out.errors)
        )
        chi2, flags = out.chi2.reshape(shape), out.flags.reshape(shape)
        covariance = None if out.covariance is None else out.covariance.reshape(square)
    return make_fit(
        values, errors, sweep, flags=flags, reduced_chi2=chi2, covariance=covariance,
        units=dict(zip(names, plan.model.units, strict=True)), sigma=_sigma(plan),
        precision=np.dtype(plan.dtype).name, evaluations=out.mean_evaluations(), **attributes_of(plan.model),
    )  # fmt: skip


def _sigma(plan: Plan) -> str:
    return "signal_err" if plan.error is not None else "shot noise" if plan.frames is not None else "residuals"


def fit_to_file(job: Job, path: Path, *, client: Any, progress: bool) -> xr.Dataset:
    """Fit with the results in a file; they pass through a folder beside it, for a file is written name by name."""
    from vbsense.files import open_lazy, save_computed

    sweep, plan = job.source.sweep, job.task.plan
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp") as folder:
        found = Scratch(Path(folder), plan.model.parameters, result_shape(sweep), plan.covariance)
        fit_bands(job, found, client=client, progress=progress)
        save_computed(as_dataset(sweep, plan, found), path, found.readers())
    return open_lazy(path, sealed=False)  # it has just been verified
