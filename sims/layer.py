"""A continuous layer of defects over a conductor: the wide-field picture of a flake."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.sims.camera import Camera
from vbsense.sims.scenes.drift import Drift
from vbsense.sims.scenes.layerlight import LayerLight
from vbsense.sims.scenes.memory import Memory
from vbsense.sims.scenes.samples import Layer, check_height
from vbsense.sims.scenes.viewed import Viewed

__all__ = ["Layer", "LayerScene"]


@dataclass(frozen=True)
class LayerScene(Viewed):
    """A flake full of V_B^- defects above a conductor, seen by a wide-field camera; a `vbsense.Scene`.

    Every pixel shines with the spectrum of its own field, averaged over the pixel (or a finer piece of it) and
    over the depth of the layer; the microscope then blurs the light. Spectra are read between exact ones at
    nodes around the fields of the picture, right to 1e-3 of the deepest dip, which is checked.

    Parameters
    ----------
    conductor : object
        With ``field(points)`` in T for its own ``current``; that current must not be zero.
    layer : Layer
        What shines.
    standoff : float
        Top face of the conductor (z = 0) to the middle of the layer (m).
    bias : (float, float, float)
        Bias field in axes of the picture (T).
    shape, pixel_size
        Camera rows and columns; pixel on the sample (m). Positions refer to the centre of pixel (0, 0).
    psf_fwhm : float or None
        Width of a Gaussian point-spread function (m); None if `psf` is given.
    linewidth : float
        Full width at half maximum of one hyperfine line without power broadening (Hz).
    saturation_power : float
        Power at which the contrast is half its limit (dBm).
    background : float
        Electrons per second and pixel of light that does not come from the layer.
    defect, drive, camera
        Spin, direction of the microwave field, and camera.
    seed : int
        Draws what differs from pixel to pixel.
    recipe, psf, laser, vignetting, microwave, drift
        As in `ArrayScene`.

    Examples
    --------
    >>> from vbsense import Bar
    >>> wire = Bar((2e-6, -50e-6, -50e-9), (2e-6, 50e-6, -50e-9), width=1e-6, thickness=100e-9, current=1e-3)
    >>> scene = LayerScene(
    ...     wire, Layer(rate=1e5, contrast=0.2, thickness=50e-9), standoff=100e-9, bias=(0, 0, 10e-3), shape=(4, 20),
    ...     pixel_size=200e-9, psf_fwhm=440e-9, linewidth=60e6, saturation_power=15.0)
    >>> Bz = scene.field_map(1e-3)[2, 0]
    >>> bool(Bz[7] > 100e-6 > -100e-6 > Bz[13])                  # left and right of a current along +y
    True
    """

    conductor: Any
    layer: Layer
    standoff: float
    bias: tuple[float, float, float]
    shape: tuple[int, int]
    pixel_size: float
    psf_fwhm: float | None
    linewidth: float
    saturation_power: float
    background: float = 0.0
    defect: Defect = VB14N
    drive: tuple[float, float, float] = (1.0, 0.0, 0.0)
    camera: Camera = field(default_factory=Camera)
    seed: int = 0
    recipe: tuple[str, dict[str, Any]] | None = None
    psf: Any = field(default=None, kw_only=True)
    laser: Any = field(default=None, kw_only=True)
    vignetting: Any = field(default=None, kw_only=True)
    microwave: Any = field(default=None, kw_only=True)
    drift: Drift | None = field(default=None, kw_only=True)
    _memory: Memory = field(default_factory=Memory, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.layer, Layer):
            raise ValueError(f"layer is {self.layer!r}; give a Layer")
        self._check_view()
        check_height(self.standoff, self.layer.thickness)

    @cached_property
    def _light(self) -> LayerLight:
        return LayerLight.of(self, self.layer)

    def field_map(self, current: float) -> np.ndarray:
        """True field of the conductor at every pixel, averaged over pixel and depth, ``(component, y, x)`` T."""
        return self._light.unit_field_map * current

    def truth(self, current: float) -> dict[str, tuple[tuple[str, ...], np.ndarray, str]]:
        """What a measurement should find: name -> (dimensions, values, unit).

        Parameters
        ----------
        current : float
            In the conductor (A).

        Returns
        -------
        dict
            ``truth_wire_field`` (component, y, x) T, ``truth_brightness`` (y, x) electrons/s before the microscope.
        """
        plane = ("truth_y", "truth_x")
        return {
            "truth_wire_field": (("truth_component", *plane), self.field_map(current), "T"),
            "truth_brightness": (plane, self._light.brightness_map, "electron/s"),
        }

    def _prepare(self, frequency: Any, power: float, current: float, temperature: Any) -> None:
        self._light.prepare(frequency, power, current, temperature)

    def _add(self, *arguments: Any) -> None:
        self._light.add(*arguments)
