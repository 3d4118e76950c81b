"""Cameras by name. Every number is typical of its kind, not of one product; put in those of your data sheet."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from vbsense._names import nearest
from vbsense.sims.camera.counter import PhotonCounter
from vbsense.sims.camera.emccd import EMCCD
from vbsense.sims.camera.model import Camera

__all__ = ["PRESETS", "camera_preset"]

PRESETS: dict[str, Camera | EMCCD | PhotonCounter] = {
    # Back-illuminated, cooled, 16 bits: median read noise near 1 electron, 1.4 rms; half a per cent of the pixels'
    # response is not corrected.
    "scmos": Camera(
        gain=0.46, offset=100.0, read_noise=1.0, dark_current=0.5, full_well=30e3, hot_pixels=2e-4,
        read_noise_spread=0.6, response_spread=0.005, dead_pixels=1e-5,
    ),
    # Back-illuminated frame transfer, -80 degrees, gain 300, read at some 10 MHz.
    "emccd": EMCCD(
        em_gain=300.0, sensitivity=15.0, output_noise=60.0, register_well=800e3, pixel_well=180e3, offset=200.0,
        dark_current=0.001, clock_induced=0.003, hot_pixels=1e-5, response_spread=0.01,
    ),
    # Slow scan, deeply cooled, large wells.
    "ccd": Camera(
        gain=2.0, offset=300.0, read_noise=5.0, dark_current=0.005, full_well=100e3, hot_pixels=1e-5,
        response_spread=0.01,
    ),
    # Silicon photon counter, actively quenched.
    "apd": PhotonCounter(dark_rate=250.0, dead_time=40e-9, after_pulsing=0.005),
}  # fmt: skip


def camera_preset(name: str, **overrides: Any) -> Camera | EMCCD | PhotonCounter:
    """A typical camera of the kind `name`.

    Parameters
    ----------
    name : {"scmos", "emccd", "ccd", "apd"}
        "apd" is the photon counter of a confocal microscope.
    **overrides
        Fields that are to be different, for example ``seed=3`` for another sensor of the kind.

    Returns
    -------
    Camera, EMCCD or PhotonCounter

    Raises
    ------
    ValueError
        If there is no such kind or no such field; the message shows the nearest.

    Examples
    --------
    >>> camera_preset("scmos").gain
    0.46
    >>> camera_preset("emccd", em_gain=100.0).read_noise
    0.6
    """
    if name not in PRESETS:
        raise ValueError(f"no camera is called {name!r}; {nearest(name, PRESETS)}")
    camera = PRESETS[name]
    known = [field.name for field in fields(camera)]
    for option in overrides:
        if option not in known:
            raise ValueError(f"a camera {name!r} has no {option!r}; {nearest(option, known)}")
    return replace(camera, **overrides)
