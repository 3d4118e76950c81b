"""A sensor array on a conductor under a microscope: the truth that a camera looks at."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.optics import SensorArray
from vbsense.sims.camera import Camera
from vbsense.sims.scenes.checks import check_fraction, check_not_negative, check_positive
from vbsense.sims.scenes.drift import Drift
from vbsense.sims.scenes.emitters import Spots, Strain
from vbsense.sims.scenes.glow import Glow, unit_field_of
from vbsense.sims.scenes.illumination import relative
from vbsense.sims.scenes.images import SpotImages
from vbsense.sims.scenes.layerlight import LayerLight
from vbsense.sims.scenes.memory import Memory
from vbsense.sims.scenes.samples import Layer
from vbsense.sims.scenes.spectra import Spins
from vbsense.sims.scenes.viewed import Viewed

__all__ = ["ArrayScene"]

_MOST = 1_000_000  # sites


@dataclass(frozen=True)
class ArrayScene(Viewed):
    """Spots of V_B^- defects above a conductor, seen by a camera; a `vbsense.Scene`.

    The light of every spot follows the exact spectrum of electron and nuclei at the field of that
    spot, averaged over its footprint and depth. With more than 400 spots it is read between exact spectra
    at nodes around their fields, right to 1e-3 of the deepest dip, which is checked.

    Parameters
    ----------
    conductor : object
        With ``field(points)`` in T for its own ``current``; that current must not be zero.
    array : SensorArray
        The sensors; positions refer to the centre of pixel (0, 0).
    standoff : float
        Top face of the conductor to the mean depth of the emitters (m).
    bias : (float, float, float)
        Bias field in the defect frame, whose axes are those of the picture (T).
    shape, pixel_size
        Camera rows and columns; pixel on the sample (m).
    psf_fwhm : float or None
        Width of a Gaussian point-spread function (m); None if `psf` is given.
    spot_rate : float
        Electrons per second of a mean spot at laser = 1 with the drive off.
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
        Draws what differs from spot to spot.
    recipe : (str, dict), optional
        How to build this scene anew in another process (see `vbsense.Scene`).
    psf : object, optional
        Any point-spread function of `vbsense.optics`.
    emitters : float, optional
        Mean number of emitters of a spot (see `mean_emitters`): every spot then has a Poisson number of them,
        and shines in proportion. Without it the numbers are too large to matter.
    strain : Strain, optional
        In-plane splitting of every spot by itself.
    laser, vignetting, microwave : callable, optional
        Relative laser intensity, collected light and microwave amplitude as functions of x and y (m):
        `GaussianBeam`, `Vignetting`, `MicrowaveGradient`, `MicrowaveAntenna`, or any other.
    film : Layer, optional
        Weak light of defects between the spots, with a spectrum of its own at every place.
    drift : Drift, optional
        For who runs a measurement; `rate` itself takes ``laser`` and ``shift``.

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
    psf_fwhm: float | None
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
    psf: Any = field(default=None, kw_only=True)
    emitters: float | None = field(default=None, kw_only=True)
    strain: Strain | None = field(default=None, kw_only=True)
    laser: Any = field(default=None, kw_only=True)
    vignetting: Any = field(default=None, kw_only=True)
    microwave: Any = field(default=None, kw_only=True)
    film: Layer | None = field(default=None, kw_only=True)
    drift: Drift | None = field(default=None, kw_only=True)
    _memory: Memory = field(default_factory=Memory, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.array, SensorArray):
            raise ValueError(f"array is {self.array!r}; give a SensorArray")
        self._check_view()
        self._check_places()
        check_positive(self, "spot_rate", *(["emitters"] if self.emitters is not None else []))
        check_fraction(self, "contrast")
        for name in ("brightness_scatter", "contrast_scatter"):
            check_not_negative(self, name, "a relative spread")
        for name, kind in (("strain", Strain), ("film", Layer)):
            if not isinstance(getattr(self, name), kind | None):
                raise ValueError(f"{name} is {getattr(self, name)!r}; give a {kind.__name__}, or None")

    def _check_places(self) -> None:
        sites = int(np.prod(self.array.shape)) if self.array.sites is None else len(self.array.sites)
        if self.standoff < self.array.mean_height * (1 - 1e-12):
            raise ValueError(
                f"standoff is {self.standoff!r} m; the layer, {self.array.thickness:.3g} m thick, must not cut the "
                f"conductor: give at least {self.array.mean_height:.3g} m"
            )
        if sites > _MOST:
            raise ValueError(f"the array has {sites} sites; at most {_MOST} are simulated: give fewer rows or columns")
        height, width = (n * self.pixel_size for n in self.shape)
        reach = float(self.psf_fwhm)  # type: ignore[arg-type]
        x, y = self.array.x, self.array.y
        if not ((x > -reach) & (x < width + reach) & (y > -reach) & (y < height + reach)).any():
            warnings.warn(
                f"no spot lies in the picture of {width:.3g} x {height:.3g} m: change the center of the array, counted "
                "from the first pixel, or the shape of the camera",
                UserWarning,
                stacklevel=5,
            )

    @property
    def attributes(self) -> dict[str, Any]:
        """What the owner of such a set-up knows and writes into the file."""
        return {**super().attributes, "sensor_array": self.array.to_json(design_only=True)}

    @cached_property
    def _unit_field(self) -> np.ndarray:
        """Field of one ampere at every spot, ``(site, 3)`` T/A."""
        x, y = self.array.x, self.array.y

        def average(piece: slice) -> np.ndarray:
            return self.array.average(self.conductor.field, standoff=self.standoff, at=(x[piece], y[piece]))

        return unit_field_of(average, self.conductor.current, x.size)

    def wire_field(self, current: float) -> np.ndarray:
        """True field of the conductor at every spot, averaged over the spot, ``(site, 3)`` T."""
        return self._unit_field * current

    @cached_property
    def _spots(self) -> Spots:
        return Spots.draw(self)

    @cached_property
    def _glow(self) -> Glow:
        x, y, spots = self.array.x, self.array.y, self._spots
        amplitude = None if self.microwave is None else relative("microwave", self.microwave, x, y)
        spins = Spins(
            np.asarray(self.bias), self._unit_field, self.defect, self.drive, self.linewidth, spots.E, spots.E_angle
        )
        return Glow(spots.brightness, spots.contrast, spins, self.saturation_power, amplitude)

    @cached_property
    def _images(self) -> SpotImages:
        return SpotImages(self.array, self.shape, self.pixel_size, self._psf, self.laser, self.vignetting)

    @cached_property
    def _film(self) -> LayerLight | None:
        return None if self.film is None else LayerLight.of(self, self.film)

    def site_rate(
        self, frequency: float | None, *, power: float, current: float, temperature: float | None = None
    ) -> np.ndarray:
        """Electrons per second of every spot at laser = 1, ``(site,)``; arguments as in `rate`."""
        light = self._glow.light((frequency,), power=power, current=current, temperature=temperature)
        return light[:, 0].copy()

    def spot_images(self) -> Any:
        """Where the light of every spot falls without laser profile and vignetting.

        Returns
        -------
        scipy.sparse.csr_array, (pixel, site)
            As `vbsense.optics.spot_images` makes it, made once.

        Examples
        --------
        >>> from vbsense import sims
        >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
        >>> scene.spot_images().sum(axis=0).round(3).tolist()
        [1.0, 1.0, 1.0, 1.0]
        """
        return self._images.plain((0.0, 0.0))

    def truth(self, current: float) -> dict[str, tuple[tuple[str, ...], np.ndarray, str]]:
        """What a measurement should find: name -> (dimensions, values, unit).

        Parameters
        ----------
        current : float
            In the conductor (A).

        Returns
        -------
        dict
            ``truth_wire_field`` (site, component) T; of every site its place ``truth_x``, ``truth_y`` (m),
            ``truth_brightness`` (electrons/s at laser = 1, drive off), ``truth_contrast`` of a bare line at unlimited
            drive, ``truth_E`` (Hz), and ``truth_emitters`` where their number was drawn.
        """
        spots, site = self._spots, ("truth_site",)
        E = np.full(self.array.x.size, float(self.defect.E)) if spots.E is None else spots.E
        known = {
            "truth_wire_field": ((*site, "truth_component"), self.wire_field(current), "T"),
            "truth_x": (site, self.array.x, "m"),
            "truth_y": (site, self.array.y, "m"),
            "truth_brightness": (site, spots.brightness, "electron/s"),
            "truth_contrast": (site, spots.contrast, "1"),
            "truth_E": (site, E, "Hz"),
        }
        return known if spots.emitters is None else known | {"truth_emitters": (site, spots.emitters, "1")}

    def _prepare(self, frequency: tuple[float | None, ...], power: float, current: float, temperature: Any) -> None:
        self._glow.light(frequency, power=power, current=current, temperature=temperature)
        self._images.matrix((0.0, 0.0))
        if self._film is not None:
            self._film.prepare(frequency, power, current, temperature)

    def _add(
        self, frequency: tuple[float | None, ...], rows: slice, columns: slice, power: float, current: float,
        temperature: float | None, shift: np.ndarray, out: np.ndarray,
    ) -> None:  # fmt: skip
        light = self._glow.light(frequency, power=power, current=current, temperature=temperature)
        self._images.add(light, rows, columns, shift, out)
        if self._film is not None:
            self._film.add(frequency, rows, columns, power, current, temperature, shift, out)
