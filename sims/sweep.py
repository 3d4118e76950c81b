"""A scene through the camera, without instruments: the shortest way to a synthetic sweep."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from vbsense import __version__
from vbsense.data import Scene, make_sweep
from vbsense.layout import check_frequency
from vbsense.sims.blockwise import Blockwise, gather
from vbsense.sims.framewise import frames_of
from vbsense.sims.scenes.checks import check_power
from vbsense.sims.schedule import Plan, evaluate_drift
from vbsense.storage.ordered import thread_count

__all__ = ["simulate_sweep"]

_NEEDED = ("shape", "pixel_size", "camera", "attributes", "recipe", "rate", "expose")
_NAMES = ("signal", "reference")  # drive on, drive off
Values = Callable[[tuple[slice, ...]], np.ndarray]


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
    path: str | Path | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: bool = False,
    drift: Any = None,
) -> xr.Dataset:
    """Expose a scene at every frequency and average the frames.

    Parameters
    ----------
    scene : Scene
        What the camera looks at. One that has ``block_rates``, as those of `vbsense.sims`, is computed in blocks and
        exposed by its camera; any other frame by frame, in memory, by its own ``expose``.
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
    rng : None, int, sequence of int, SeedSequence, or numpy.random.Generator
        As in SPEC 7: the same seed gives the same bytes, on any number of threads, in memory and in a file.
    path : str or Path, optional
        Write the sweep to this file, block by block; only a few blocks are then in memory.
    overwrite : bool
        Replace an existing file.
    threads : int, optional
        By default as many as there are processors.
    progress : bool
        Show a progress bar.
    drift : object, optional
        With functions of the time t (s) ``laser(t)``, the relative laser power (n,), and ``shift(t)``, the position
        of the sample under the camera (n, 2) in m; by default the ``drift`` of the scene, if it has one. A point
        begins ``exposure x averages`` after the one before it: one polarity after the other, frequencies ascending,
        each followed by its reference.

    Returns
    -------
    xarray.Dataset
        A sweep; what the scene knows of the truth for the first current is attached as ``truth_...``. With `path`,
        its images stay in the file until their values are asked for: see `vbsense.files.open_lazy`, also for when
        the file is closed.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as above, or the scene lacks something; the message names it.
    FileExistsError, OSError
        As `vbsense.files.save`. After an error, or Ctrl-C, there is no file, or the old one.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = simulate_sweep(scene, np.linspace(3e9, 4e9, 5), exposure=0.1, rng=1)
    >>> dict(sweep.signal.sizes)
    {'frequency': 5, 'y': 24, 'x': 24}
    """
    if missing := [name for name in _NEEDED if not hasattr(scene, name)]:
        raise TypeError(f"{type(scene).__name__} is no scene: it lacks {', '.join(missing)}; see vbsense.Scene")
    plan = _plan(scene, frequency, exposure, power, averages, currents, reference, rng)
    thread_count(threads)
    if path is not None:
        from vbsense.files import refuse_existing

        refuse_existing(Path(path), overwrite=overwrite)
    drifted = evaluate_drift(getattr(scene, "drift", None) if drift is None else drift, plan)
    leading = {} if currents is None else {"polarity": [1, -1]}
    with _one_blas_thread():
        if hasattr(scene, "block_rates"):
            engine = Blockwise(scene, plan, drifted)
            engine.prepare()
            sources = {name: engine.values(drive) for name, drive in zip(_NAMES, plan.drives, strict=False)}
            return _from_blocks(scene, plan, leading, sources, path, overwrite, threads, progress)
        frames = frames_of(scene, plan, drifted, progress=progress)
        images = {name: f if leading else f[0] for name, f in zip(_NAMES, frames, strict=False)}
        return _stored(_dataset(scene, plan, leading, images), path, {}, overwrite, threads, False)


def _plan(
    scene: Scene, frequency: Any, exposure: Any, power: Any, averages: Any, currents: Any, reference: bool, rng: Any
) -> Plan:
    frequency = check_frequency(frequency)
    if not (_is_finite(exposure) and exposure > 0):
        raise ValueError(f"exposure is {exposure!r}; it must be a positive time in seconds")
    if not (_is_finite(averages) and int(averages) == averages and averages >= 1):
        raise ValueError(f"averages is {averages!r}; it must be a whole number of frames, at least 1")
    entropy = tuple(np.random.default_rng(rng).integers(2**32, size=4).tolist())
    pair = _currents(scene, currents)
    seed = int(rng) if isinstance(rng, (int, np.integer)) and rng < 2**63 else None
    return Plan(frequency, float(exposure), check_power(power), int(averages), pair, bool(reference), entropy, seed)


def _is_finite(value: Any) -> bool:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return number and bool(np.isfinite(value))


def _currents(scene: Scene, currents: Any) -> tuple[float, ...]:
    if currents is None:
        return (float(getattr(getattr(scene, "conductor", None), "current", 0.0)),)
    values = np.asarray(currents)
    if values.shape != (2,) or values.dtype.kind not in "fiu":
        raise ValueError(f"currents are {currents!r}; give two, +I and -I in amperes, for example (1e-3, -1e-3)")
    plus, minus = map(float, values)
    if not (np.isfinite([plus, minus]).all() and plus == -minus and plus > 0):
        raise ValueError(f"currents are {currents!r}; give +I and -I in amperes, for example (1e-3, -1e-3)")
    return plus, minus


def _one_blas_thread() -> contextlib.AbstractContextManager[Any]:
    from vbsense.groundstate._blocks import one_blas_thread

    return one_blas_thread()


def _from_blocks(
    scene: Scene, plan: Plan, leading: dict[str, Any], sources: dict[str, Values], path: str | Path | None,
    overwrite: bool, threads: int | None, progress: bool,
) -> xr.Dataset:  # fmt: skip
    dims = (*leading, "frequency", "y", "x")
    shape = (*map(len, leading.values()), plan.frequency.size, *scene.shape)
    if path is None:
        options: dict[str, Any] = {"threads": threads, "progress": progress}
        images = {name: gather(name, values, dims, shape, **options) for name, values in sources.items()}
        return _dataset(scene, plan, leading, images)
    # Images that take no memory, in the place of those that are made while they are written.
    empty = dict.fromkeys(sources, np.broadcast_to(np.float32(0), shape))
    return _stored(_dataset(scene, plan, leading, empty), path, sources, overwrite, threads, progress)


def _stored(
    sweep: xr.Dataset, path: str | Path | None, sources: dict[str, Values], overwrite: bool, threads: int | None,
    progress: bool,
) -> xr.Dataset:  # fmt: skip
    if path is None:
        return sweep
    from vbsense.files import open_lazy, save_computed

    save_computed(sweep, path, sources, overwrite=overwrite, threads=threads, progress=progress)
    return open_lazy(path, sealed=False)  # it was verified a moment ago


def _dataset(scene: Scene, plan: Plan, leading: dict[str, Any], images: dict[str, np.ndarray]) -> xr.Dataset:
    camera = scene.camera
    excess, dead_time = getattr(camera, "excess_noise", 1.0), getattr(camera, "dead_time", 0.0)
    sweep = make_sweep(
        images["signal"],
        plan.frequency,
        pixel_size=scene.pixel_size,
        reference=images.get("reference"),
        coords=leading or None,
        exposure=plan.exposure,
        frames=plan.averages,
        power=plan.power,
        current=abs(plan.currents[0]),
        camera_gain=float(camera.gain),
        camera_offset=float(camera.offset),
        read_noise=float(getattr(camera, "read_noise_rms", camera.read_noise)),
        excess_noise=float(excess) if excess != 1 else None,
        dead_time=float(dead_time) if dead_time else None,
        scene=json.dumps(scene.recipe) if scene.recipe else None,
        seed=plan.seed,
        software=f"vbsense {__version__}",
        **scene.attributes,
    )
    return _with_truth(sweep, scene, plan.currents[0])


def _with_truth(sweep: xr.Dataset, scene: Any, current: float) -> xr.Dataset:
    if hasattr(scene, "truth"):
        for name, (dims, values, units) in scene.truth(current).items():
            sweep[name] = (dims, values, {"units": units})
    elif hasattr(scene, "wire_field"):
        truth = scene.wire_field(current)
        sweep["truth_wire_field"] = (("truth_site", "truth_component"), truth, {"units": "T"})
    return sweep
