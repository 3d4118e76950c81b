"""A scene through the camera, without instruments: the shortest way to a synthetic sweep."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from vbsense import __version__
from vbsense.data import Scene, make_sweep
from vbsense.layout import check_frequency

__all__ = ["simulate_sweep"]


def simulate_sweep(
    scene: Scene,
    frequency: Any,
    *,
    exposure: float,
    power: float = 15.0,
    averages: int = 1,
    currents: Any = None,
    reference: bool = False,
    rng: Any = None,
) -> xr.Dataset:
    """Expose a scene at every frequency and average the frames.

    Parameters
    ----------
    scene : Scene
        What the camera looks at.
    frequency : array_like, (n,)
        Ascending (Hz).
    exposure : float
        Of one frame (s).
    power : float
        Microwave power at the source (dBm).
    averages : int
        Frames averaged into each point.
    currents : (float, float), optional
        Current in the conductor for polarity +1 and -1 (A). By default the scene's own current, one polarity.
    reference : bool
        Also expose every point with the drive off.
    rng : None, int, array_like of int, or numpy.random.Generator
        As in SPEC 7: the same seed gives the same bytes.

    Returns
    -------
    xarray.Dataset
        A sweep; ``truth_wire_field`` (site, component), the field of the first current, is attached
        where the scene knows it.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = simulate_sweep(scene, np.linspace(3e9, 4e9, 5), exposure=0.1, rng=1)
    >>> dict(sweep.signal.sizes)
    {'frequency': 5, 'y': 24, 'x': 24}
    """
    frequency = check_frequency(frequency)
    if not (np.isfinite(exposure) and exposure > 0):
        raise ValueError(f"exposure is {exposure!r}; it must be a positive time in seconds")
    if not np.isfinite(power):
        raise ValueError(f"power is {power!r}; it must be a finite number in dBm")
    if not np.isfinite(averages) or int(averages) != averages or averages < 1:
        raise ValueError(f"averages is {averages!r}; it must be a whole number of frames, at least 1")
    pair = _currents(scene, currents)
    rng = np.random.default_rng(rng)

    def measure(points: list[float | None]) -> np.ndarray:
        rates = [[scene.rate(f, power=power, current=i) for f in points] for i in pair]
        return np.array([[_mean_frame(scene, rate, exposure, averages, rng) for rate in row] for row in rates])

    signal = measure(list(frequency))
    off = measure([None] * frequency.size) if reference else None
    coords = {"polarity": [1, -1]} if currents is not None else None
    camera = scene.camera
    sweep = make_sweep(
        signal if coords else signal[0],
        frequency,
        pixel_size=scene.pixel_size,
        reference=off if coords or off is None else off[0],
        coords=coords,
        exposure=float(exposure),
        frames=int(averages),
        power=float(power),
        current=float(abs(pair[0])),
        camera_gain=float(camera.gain),
        camera_offset=float(camera.offset),
        read_noise=float(camera.read_noise),
        scene=json.dumps(scene.recipe) if scene.recipe else None,
        software=f"vbsense {__version__}",
        **scene.attributes,
    )
    return _with_truth(sweep, scene, pair[0])


def _currents(scene: Scene, currents: Any) -> tuple[float, ...]:
    if currents is None:
        return (float(getattr(getattr(scene, "conductor", None), "current", 0.0)),)
    values = np.asarray(currents, dtype=float)
    if values.shape != (2,):
        raise ValueError(f"currents are {currents!r}; give two, +I and -I in amperes, for example (1e-3, -1e-3)")
    plus, minus = map(float, values)
    if not (np.isfinite([plus, minus]).all() and plus == -minus and plus > 0):
        raise ValueError(f"currents are {currents!r}; give +I and -I in amperes, for example (1e-3, -1e-3)")
    return plus, minus


def _mean_frame(scene: Scene, rate: np.ndarray, exposure: float, averages: int, rng: np.random.Generator) -> np.ndarray:
    total = np.zeros(scene.shape, dtype=np.int64)
    for _ in range(averages):
        total += scene.expose(rate, exposure, rng)
    return ((total / averages - scene.camera.offset) * scene.camera.gain).astype(np.float32)


def _with_truth(sweep: xr.Dataset, scene: Scene, current: float) -> xr.Dataset:
    known = getattr(scene, "wire_field", None)
    if known is not None:
        truth = known(current)
        sweep["truth_wire_field"] = (("truth_site", "truth_component"), truth, {"units": "T"})
    return sweep
