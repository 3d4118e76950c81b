"""Before and after a run: the header of its spool, and the file that the spool becomes."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.instruments import process
from vbsense.instruments.acquire.plan import Plan
from vbsense.instruments.rig import Rig
from vbsense.layout import ATTRIBUTES

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["finalise", "header", "known_attributes", "plain", "refuse_used"]

FILE = "sweep.h5"


def refuse_used(run: Path) -> None:
    """Raise FileExistsError if something was measured in this folder already."""
    used = sorted(path.name for path in run.glob("*") if path.suffix in (".spool", ".h5")) if run.exists() else []
    if used:
        raise FileExistsError(f"{run} already holds {', '.join(used)}; give the run a folder of its own")


def known_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return `attributes` if a sweep may carry them; after the measurement it would be too late to ask.

    Raises
    ------
    ValueError
        Naming the attribute.
    """
    for name in attributes:
        if name not in ATTRIBUTES and not name.startswith(("user_", "truth_")):
            raise ValueError(f"unknown attribute {name!r} of a sweep; start your own names with 'user_'")
    return attributes


def header(rig: Rig, plan: Plan, attributes: dict[str, Any]) -> dict[str, Any]:
    """What the spool says before its first frame; it is all that `finalise` will know."""
    camera = rig.camera
    return plain(
        {
            "frequency": plan.frequency,
            "polarities": plan.polarities,
            "directions": plan.directions,
            "sweeps": plan.averages,
            "shape": camera.shape,
            "pixel_size": camera.pixel_size,
            "exposure": plan.exposure,
            "power": plan.power,
            "current": abs(plan.currents[0]) if plan.currents else None,
            "camera_gain": camera.gain,
            "camera_offset": camera.offset,
            "read_noise": camera.read_noise,
            "saturation": camera.saturation,
            "order": plan.order,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seed": plan.seed,
            "reference": plan.reference,
            "attributes": noise_of(camera) | attributes,
            "snapshot": rig.snapshot(),
            "plan": plan.as_dict(),
        }
    )


def noise_of(camera: Any) -> dict[str, float]:
    """What a camera adds to shot noise, for those who weigh its data; most add nothing."""
    excess = float(getattr(camera, "excess_noise", 1.0))
    return {} if excess == 1.0 else {"excess_noise": excess}


def plain(value: Any) -> Any:
    """The same in JSON's own types; what JSON does not know becomes its text.

    Examples
    --------
    >>> plain({"a": np.arange(2), "b": (np.float32(1.5), None)})
    {'a': [0, 1], 'b': [1.5, None]}
    """

    def convert(item: Any) -> Any:
        return item.tolist() if isinstance(item, (np.ndarray, np.generic)) else str(item)

    return json.loads(json.dumps(value, default=convert))


def finalise(run: Path) -> xr.Dataset:
    """Make the file from the spool in another process, and load it.

    A full disk under an open HDF5 file ends the interpreter at exit: that must not be this one.

    Raises
    ------
    RuntimeError
        With the message of the other process; the spool is still there then.
    """
    out = run / FILE
    command = [sys.executable, "-m", "vbsense.spool", "finalise", str(run), str(out)]
    result = subprocess.run(command, env=process.environment(), capture_output=True, text=True, check=False)
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1:] or [f"status {result.returncode}"]
        raise RuntimeError(f"the spool in {run} is complete, but the file could not be written: {reason[0]}")
    from vbsense.files import load

    return load(out)
