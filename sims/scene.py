"""A sensor array on a conductor under a microscope: the truth that a camera looks at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.optics import SensorArray, spot_images
from vbsense.sims.camera import Camera
from vbsense.sims.light import saturation

__all__ = ["ArrayScene"]


@dataclass(frozen=True)
class ArrayScene:
    """Spots of V_B^- defects above a conductor, seen by a camera; a `vbsense.Scene`.

    The light of every spot follows the exact spectrum of electron and nuclei at the field of that
    spot, averaged over its footprint and depth.

    Parameters
    ----------
    conductor : object
        With ``field(points)`` in T for its own current; that current must not be zero.
    array : SensorArray
        The sensors; positions refer to the centre of pixel (0, 0).
    standoff : float
        Top face of the conductor to the mean depth of the emitters (m).
    bias : (float, float, float)
        Bias field in the defect frame, whose axes are those of the picture (T).
    shape, pixel_size, psf_fwhm
        Camera rows and columns; pixel on the sample (m); width of the point-spread function (m).
    spot_rate : float
        Electrons per second of a spot at laser = 1 with the drive off.
    background : float
        Electrons per second and pixel of light that does not come from spots.
    contrast : float
        Depth of one bare line at unlimited drive; the hyperfine lines share it out.
    linewidth : float
        Full width at half maximum of one hyperfine line without power broadening (Hz).
    saturation_power : float
        Power at which the contrast is half its limit (dBm).
    brightness_scatter, contrast_scatter : float
        Spread from spot to spot (relative, one sigma).
    defect, drive, camera
        Spin, direction of the microwave field, and camera.
    seed : int
        Draws the scatter of the spots.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> bright = replace(scene, spot_rate=2 * scene.spot_rate, recipe=None)      # any part can be exchanged
    >>> off = bright.site_rate(None, power=0.0, current=0.0) / scene.site_rate(None, power=0.0, current=0.0)
    >>> off.round(6).tolist()
    [2.0, 2.0, 2.0, 2.0]
    """

    conductor: Any
    array: SensorArray
    standoff: float
    bias: tuple[float, float, float]
    shape: tuple[int, int]
    pixel_size: float
    psf_fwhm: float
    spot_rate: float
    background: float
    contrast: float
    linewidth: float
    saturation_power: float
    brightness_scatter: float = 0.0
    contrast_scatter: float = 0.0
    defect: Defect = VB14N
    drive: tuple[float, float, float] = (1.0, 0.0, 0.0)
    camera: Camera = field(default_factory=Camera)
    seed: int = 0
    recipe: tuple[str, dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        for name in ("spot_rate", "linewidth", "pixel_size", "psf_fwhm"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be a positive number in SI units")
        if not (np.isfinite(self.background) and self.background >= 0):
            raise ValueError(f"background is {self.background!r}; it must be electrons/s and pixel, 0 or more")
        if not 0 <= self.contrast < 1:
            raise ValueError(f"contrast is {self.contrast!r}; it must be a fraction from 0 to 1")
        if not self.conductor.current:
            raise ValueError("the current of the conductor is 0; give the nominal one: rate(current=0) switches it off")

    @property
    def attributes(self) -> dict[str, Any]:
        """What the owner of such a set-up knows and writes into the file."""
        return {
            "bias_field": np.asarray(self.bias, dtype=float),
            "drive": np.asarray(self.drive, dtype=float),
            "temperature": float(self.defect.temperature),
            "sensor_array": self.array.to_json(),
            "psf_fwhm": float(self.psf_fwhm),
        }

    @cached_property
    def _unit_field(self) -> np.ndarray:
        """Field of one ampere at every spot, ``(site, 3)`` T/A."""
        unit = replace(self.conductor, current=1.0)
        return self.array.average(unit.field, standoff=self.standoff)

    def wire_field(self, current: float) -> np.ndarray:
        """True field of the conductor at every spot, averaged over the spot, ``(site, 3)`` T."""
        return self._unit_field * current

    @cached_property
    def _spots(self) -> tuple[np.ndarray, np.ndarray]:
        """Brightness (electrons/s) and contrast of every spot."""
        rng = np.random.default_rng([self.seed, 20])
        n = self.array.x.size
        brightness = self.spot_rate * np.exp(rng.normal(0, self.brightness_scatter, n))
        return brightness, self.contrast * np.exp(rng.normal(0, self.contrast_scatter, n))

    @cached_property
    def _cache(self) -> dict[Any, Any]:
        return {}

    def _remember(self, key: Any, make: Any, limit: int) -> Any:
        # An acquisition asks for the same few hundred points again and again.
        if key not in self._cache:
            if sum(k[0] == key[0] for k in self._cache) >= limit:
                del self._cache[next(k for k in self._cache if k[0] == key[0])]
            self._cache[key] = make()
        return self._cache[key]

    def _lines(self, current: float, temperature: float | None) -> tuple[np.ndarray, np.ndarray]:
        from vbsense.spin import lines

        defect = self.defect if temperature is None else self.defect.at(temperature=temperature)
        return lines(np.asarray(self.bias) + self.wire_field(current), defect, drive=self.drive)

    def _depth(self, frequency: float, power: float, current: float, temperature: float | None) -> np.ndarray:
        from vbsense.groundstate._broaden import lorentzians

        position, strength = self._remember(
            ("lines", current, temperature), lambda: self._lines(current, temperature), limit=8
        )
        share, broadening = saturation(power, self.saturation_power)
        out = np.empty((position.shape[0], 1))
        lorentzians(np.array([float(frequency)]), position, strength, self.linewidth * broadening, out)
        return out[:, 0] * share

    def site_rate(
        self, frequency: float | None, *, power: float, current: float, temperature: float | None = None
    ) -> np.ndarray:
        """Electrons per second of every spot at laser = 1, ``(site,)``; arguments as in `rate`."""
        brightness, contrast = self._spots
        if frequency is None:
            return brightness.copy()
        depth = self._remember(
            ("depth", frequency, power, current, temperature),
            lambda: self._depth(frequency, power, current, temperature),
            limit=4096,
        )
        return brightness * (1 - contrast * depth)

    def rate(
        self,
        frequency: float | None,
        *,
        power: float,
        current: float,
        laser: float = 1.0,
        temperature: float | None = None,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> np.ndarray:
        """Electrons per second of every pixel.

        Parameters
        ----------
        frequency : float or None
            Microwave frequency (Hz); None means that the drive is off.
        power : float
            Microwave power at the source (dBm).
        current : float
            Current in the conductor (A).
        laser : float
            Laser power relative to its set point.
        temperature : float, optional
            Of the sensor (K).
        shift : (float, float)
            Drift of the sample under the camera in x and y (m).

        Returns
        -------
        ndarray, (y, x)
        """
        spots = self.site_rate(frequency, power=power, current=current, temperature=temperature)
        images = self._remember(("images", tuple(shift)), lambda: self._images(shift), limit=4)
        return laser * ((images @ spots).reshape(self.shape) + self.background)

    def _images(self, shift: tuple[float, float]) -> Any:
        moved = replace(self.array, center=(self.array.center[0] + shift[0], self.array.center[1] + shift[1]))
        return spot_images(moved, shape=self.shape, pixel_size=self.pixel_size, psf_fwhm=self.psf_fwhm)

    def expose(self, rate: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
        """One frame of the camera, ``(y, x)`` uint16 counts."""
        return self.camera.expose(rate, seconds, rng)
