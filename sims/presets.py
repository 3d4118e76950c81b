"""Scenes by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

from vbsense._names import nearest
from vbsense.currents import Bar
from vbsense.optics import SensorArray
from vbsense.sims.camera import Camera
from vbsense.sims.scene import ArrayScene

__all__ = ["PRESETS", "gold_wire_nanoarray", "preset"]


def gold_wire_nanoarray(
    *,
    current: float = 1e-3,
    standoff: float = 35e-9,
    bias: tuple[float, float, float] = (0.0, 0.0, 10e-3),
    rows: int = 15,
    columns: int = 15,
    pitch: float = 400e-9,
    seed: int = 0,
) -> ArrayScene:
    """A V_B^- nanoarray on a gold wire, representative of arXiv:2301.12645.

    From that paper's abstract: (100 nm)^2 spots arranged periodically by a helium-ion microscope in a
    flake a few 10 nm thick, attached to a gold wire, and 73.6 uT/sqrt(Hz) per spot, which the light
    level is set to give. Everything else - wire 1 um x 100 nm, pitch, rotation of the lattice,
    stand-off, current, bias, point-spread function, camera, linewidth, contrast, scatter - is our
    choice, not the paper's.

    Parameters
    ----------
    current : float
        Nominal current along +y (A).
    standoff : float
        Top face of the wire to the mean depth of the emitters (m); the layer is 40 nm thick.
    bias : (float, float, float)
        Bias field (T), z along c.
    rows, columns, pitch
        Of the lattice; the camera has 10 pixels of 100 nm more on each side.
    seed : int
        Draws brightness and contrast of the spots.

    Returns
    -------
    ArrayScene

    Examples
    --------
    >>> scene = gold_wire_nanoarray(current=2e-3)
    >>> scene.shape, scene.conductor.current
    ((80, 80), 0.002)
    """
    pixel, rotation = 100e-9, 0.07
    height = (rows - 1) * np.cos(rotation) + (columns - 1) * np.sin(rotation)
    width = (columns - 1) * np.cos(rotation) + (rows - 1) * np.sin(rotation)
    shape = (round(height * pitch / pixel) + 20, round(width * pitch / pixel) + 20)
    center = ((shape[1] - 1) / 2 * pixel, (shape[0] - 1) / 2 * pixel)
    # The wire lies a little off the middle and the lattice is turned against it, as by hand: every
    # row then samples the edges of the wire at other places.
    x_wire = center[0] + 60e-9
    wire = Bar(
        (x_wire, center[1] - 50e-6, -50e-9), (x_wire, center[1] + 50e-6, -50e-9), width=1e-6, thickness=100e-9,
        current=current,
    )  # fmt: skip
    scene_bias = np.asarray(bias).tolist()
    kwargs = {
        "current": current, "standoff": standoff, "bias": scene_bias, "rows": rows, "columns": columns, "pitch": pitch,
        "seed": seed,
    }  # fmt: skip
    return ArrayScene(
        conductor=wire,
        array=SensorArray(pitch, (rows, columns), center, rotation=rotation, spot_size=100e-9, thickness=40e-9),
        standoff=standoff,
        bias=bias,
        shape=shape,
        pixel_size=pixel,
        psf_fwhm=440e-9,  # 0.51 x 820 nm / 0.95: a dry objective at the emission peak
        spot_rate=1.70e6,
        background=3e3,
        contrast=0.24,
        linewidth=45e6,
        saturation_power=15.0,
        brightness_scatter=0.1,
        contrast_scatter=0.03,
        camera=Camera(gain=4.0, full_well=200e3, hot_pixels=3e-4),
        seed=seed,
        recipe=("vbsense.sims.presets:gold_wire_nanoarray", kwargs),
    )


PRESETS: dict[str, Callable[..., ArrayScene]] = {"gold_wire_nanoarray": gold_wire_nanoarray}


def preset(name: str, **options: object) -> ArrayScene:
    """The scene called `name`.

    Raises
    ------
    ValueError
        If there is none, or it takes no such option; the message shows the nearest.

    Examples
    --------
    >>> preset("gold_wire_nanoarray").standoff
    3.5e-08
    >>> preset("gold_wire_nanoarray", stand_off=50e-9)
    Traceback (most recent call last):
    ...
    ValueError: the scene 'gold_wire_nanoarray' takes no option 'stand_off'; did you mean 'standoff'?
    """
    if name not in PRESETS:
        raise ValueError(f"no scene is called {name!r}; {nearest(name, PRESETS)}")
    known = inspect.signature(PRESETS[name]).parameters
    for option in options:
        if option not in known:
            raise ValueError(f"the scene {name!r} takes no option {option!r}; {nearest(option, known)}")
    return PRESETS[name](**options)
