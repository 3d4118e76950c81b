"""The way from a sweep of images to the current: what `demo` runs and the end-to-end tests repeat."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Analysis", "Stopwatch", "analyse", "merge_directions", "report"]


class Stopwatch:
    """Seconds of every stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block as `name`."""
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start

    def total(self) -> float:
        """Seconds since the watch was made."""
        return time.perf_counter() - self._start


@dataclass
class Analysis:
    """Everything that came out of one sweep."""

    sites: Any
    fit: Any
    field: Any
    eta: Any
    wire: Any
    seconds: dict[str, float] = field(default_factory=dict)


def merge_directions(sweep: Any) -> Any:
    """Average up and down of a palindrome: drift and a trigger off by one cancel."""
    from vbsense.data import average

    return average(sweep, "direction") if "direction" in sweep.sizes else sweep


def analyse(sweep: Any, wire: Any, *, model: str = "gaussian", watch: Stopwatch | None = None) -> Analysis:
    """From a sweep of images with +I and -I to the wire.

    Parameters
    ----------
    sweep : xarray.Dataset
        Images with polarity, sensor array and point-spread function in its attributes.
    wire : vbsense.Bar
        The nominal conductor: its place, width and thickness; the sign of its current.
    model : str
        Doublet model.
    watch : Stopwatch, optional
        Gets the seconds of the stages.

    Returns
    -------
    Analysis
    """
    from vbsense import analysis

    watch = watch or Stopwatch()
    with watch.stage("extract sites"):
        sites = analysis.unmix(merge_directions(sweep))
    with watch.stage("fit"):
        fit = analysis.fit_sweep(sites, model, covariance=True)
    with watch.stage("map"):
        correction = analysis.hyperfine_correction(fit)
        field_ = analysis.field_map(fit, correction=correction)
        eta = analysis.sensitivity(fit)
    with watch.stage("wire"):
        result = analysis.fit_wire(field_, wire=wire, free=("current", "standoff", "position"))
    return Analysis(sites, fit, field_, eta, result, watch.seconds)


def report(result: Analysis, scene: Any, current: float, frames: int) -> dict[str, Any]:
    """Values, errors and truth of one run, all SI.

    Parameters
    ----------
    result : Analysis
        Of the sweep.
    scene : ArrayScene
        Which knows the truth.
    current : float
        The current that was set (A).
    frames : int
        Frames in the sweep.

    Returns
    -------
    dict
    """
    truth = {"current": current, "standoff": scene.standoff}
    wire = {
        name: {"value": result.wire.values[name], "error": result.wire.errors[name], "truth": truth[name]}
        for name in ("current", "standoff")
    }
    pull = pulls(result, scene, current)
    good = pull[np.isfinite(pull)]
    return wire | {
        "wire_reduced_chi2": result.wire.reduced_chi2,
        "sensitivity_slope": float(result.eta["slope"].median()),
        "sensitivity_sweep": float(result.eta["sweep"].median()),
        "field_error": float(np.nanmedian(result.field["B_err"].values)),
        "pull_mean": float(good.mean()),
        "pull_std": float(good.std(ddof=1)),
        "sites": int(result.sites.sizes["site"]),
        "sites_flagged": int((result.field["flags"].values != 0).sum()),
        "frames": frames,
    }


def pulls(result: Analysis, scene: Any, current: float) -> np.ndarray:
    """(measured - true) / error of Bz at every site, truth averaged over spot and depth."""
    truth = scene.wire_field(current)[:, 2]
    return (result.field["B"].values[0] - truth) / result.field["B_err"].values[0]
