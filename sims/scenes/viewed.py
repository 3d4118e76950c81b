"""What all scenes have in common: a microscope and a camera that look at light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vbsense.defect import Defect
from vbsense.sims.scenes.checks import (
    check_callable,
    check_fields,
    check_lengths,
    check_not_negative,
    check_positive,
    check_power,
    check_seed,
    check_shape,
    check_state,
    check_window,
)
from vbsense.sims.scenes.glow import check_frequencies
from vbsense.sims.scenes.images import window_profile
from vbsense.sims.scenes.memory import Memory

__all__ = ["Viewed"]


class Viewed:
    """The part of a scene between its light and the counts of the camera.

    A scene that inherits it is a frozen dataclass with the fields that are named here; it says in `_prepare` and
    `_add` what shines.
    """

    conductor: Any
    standoff: float
    bias: tuple[float, float, float]
    shape: tuple[int, int]
    pixel_size: float
    psf_fwhm: float | None
    background: float
    linewidth: float
    saturation_power: float
    defect: Any
    drive: tuple[float, float, float]
    camera: Any
    seed: int
    psf: Any
    laser: Any
    vignetting: Any
    microwave: Any
    drift: Any
    _memory: Memory

    def _check_view(self) -> None:
        """Bring the fields into form, or say what is wrong with them."""
        self._check_parts()
        self._check_numbers()

    def _check_parts(self) -> None:
        for name, needs in (("conductor", "field"), ("camera", "expose")):
            if not callable(getattr(getattr(self, name), needs, None)):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be an object that has {needs}(...)")
        if not self.conductor.current:
            raise ValueError("the current of the conductor is 0; give the nominal one: rate(current=0) switches it off")
        if not isinstance(self.defect, Defect):
            raise ValueError(f"defect is {self.defect!r}; give a Defect, such as vbsense.VB14N")
        for name in ("laser", "vignetting", "microwave"):
            check_callable(self, name, "a function of x and y in metres that gives a relative number")
        if not (self.drift is None or all(callable(getattr(self.drift, name, None)) for name in ("laser", "shift"))):
            raise ValueError(f"drift is {self.drift!r}; give a Drift, or another object with laser(t) and shift(t)")

    def _check_numbers(self) -> None:
        object.__setattr__(self, "shape", check_shape(self.shape))
        if self.psf is not None:
            check_callable(self, "psf", "a point-spread function of vbsense.optics")
            if self.psf_fwhm not in (None, self.psf.fwhm):
                raise ValueError(
                    f"psf ({type(self.psf).__name__}) and psf_fwhm ({self.psf_fwhm!r} m) are both given; "
                    "give psf_fwhm=None with a psf"
                )
            object.__setattr__(self, "psf_fwhm", float(self.psf.fwhm))
        check_lengths(self, "standoff", "pixel_size", "psf_fwhm")
        check_positive(self, "linewidth")
        if self.linewidth < 1e3:
            raise ValueError(f"linewidth is {self.linewidth!r} Hz; values are in Hz (45 MHz is 45e6)")
        check_not_negative(self, "background", "electrons/s and pixel")
        check_fields(self, "bias", "T")
        if max(map(abs, self.bias)) > 2:
            raise ValueError(f"bias is {self.bias!r} T; fields are in T (10 mT is 10e-3), at most 2 T along an axis")
        check_seed(self)
        check_fields(self, "drive", "any unit")
        if not any(self.drive):
            raise ValueError("drive is zero; give the direction of the microwave field: three numbers, not all zero")
        check_power(self.saturation_power, "saturation_power")

    # --- what a scene adds --------------------------------------------------------------------------------------------

    def _prepare(self, frequency: tuple[float | None, ...], power: float, current: float, temperature: Any) -> None:
        """Work out what is the same for every block."""
        raise NotImplementedError

    def _add(
        self, frequency: tuple[float | None, ...], rows: slice, columns: slice, power: float, current: float,
        temperature: float | None, shift: np.ndarray, out: np.ndarray,
    ) -> None:  # fmt: skip
        """Add electrons per second at laser = 1 to `out` (nf, rows, columns)."""
        raise NotImplementedError

    # --- what cameras and measurements ask ----------------------------------------------------------------------------

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What the owner of such a set-up knows and writes into the file."""
        # A file has no place for a circular drive as three numbers.
        turning = np.iscomplex(self.drive).any()
        drive = {"user_drive": str(self.drive)} if turning else {"drive": np.real(self.drive).astype(float)}
        return drive | {
            "bias_field": np.asarray(self.bias, dtype=float),
            "temperature": float(self.defect.temperature),
            "psf_fwhm": float(self.psf_fwhm),  # type: ignore[arg-type]
        }

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
        return self.block_rates(
            [frequency], slice(None), slice(None), power=power, current=current, laser=laser, temperature=temperature,
            shift=shift,
        )[0]  # fmt: skip

    def prepare(
        self, frequency: Sequence[float | None], *, power: float, current: float, temperature: float | None = None
    ) -> None:
        """Work out once what `block_rates` of these frequencies needs everywhere, before threads ask for blocks.

        Parameters
        ----------
        frequency : sequence of float or None
            As for `block_rates`.
        power, current, temperature
            As for `rate`.
        """
        self._prepare(check_frequencies(frequency), *check_state(power, current, temperature))

    def block_rates(
        self,
        frequency: Sequence[float | None],
        rows: slice,
        columns: slice,
        *,
        power: float,
        current: float,
        laser: Any = 1.0,
        temperature: float | None = None,
        shift: Any = (0.0, 0.0),
    ) -> np.ndarray:
        """Electrons per second of a block of pixels at many frequencies; may be called from several threads.

        Parameters
        ----------
        frequency : sequence of float or None
            Microwave frequencies (Hz); None means that the drive is off.
        rows, columns : slice
            The block.
        power, current, temperature
            As for `rate`.
        laser : float or array_like, (nf,)
            Laser power relative to its set point, at every frequency.
        shift : (2,) or (nf, 2) array_like
            Drift of the sample under the camera in x and y (m), at every frequency.

        Returns
        -------
        ndarray, (nf, rows, columns)
            The same as `rate` gives.
        """
        frequency = check_frequencies(frequency)
        rows, columns = check_window(rows, self.shape[0], "rows"), check_window(columns, self.shape[1], "columns")
        laser, shift = _per_frame(laser, shift, len(frequency))
        state = check_state(power, current, temperature)
        out = np.zeros((len(frequency), rows.stop - rows.start, columns.stop - columns.start))
        out += self._background(rows, columns)
        self._add(frequency, rows, columns, *state, shift, out)
        if (laser != 1.0).any():
            out *= laser.reshape(-1, 1, 1)
        return out

    def expose(self, rate: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
        """One frame of the camera, ``(y, x)`` uint16 counts."""
        return self.camera.expose(rate, seconds, rng)

    @property
    def _psf(self) -> dict[str, Any]:
        return {"psf": self.psf} if self.psf is not None else {"psf_fwhm": self.psf_fwhm}

    def _background(self, rows: slice, columns: slice) -> Any:
        """Light without spectrum: excited by the laser profile, collected through the same optics."""
        profiles = [(name, p) for name, p in (("laser", self.laser), ("vignetting", self.vignetting)) if p is not None]
        if not profiles or not self.background:
            return self.background

        def make() -> np.ndarray:
            return self.background * np.prod(
                [window_profile(*p, self.shape, self.pixel_size) for p in profiles], axis=0
            )

        return self._memory.get("background", None, make, limit=1)[rows, columns]


def _per_frame(laser: Any, shift: Any, nf: int) -> tuple[np.ndarray, np.ndarray]:
    laser, shift = np.asarray(laser, dtype=float), np.asarray(shift, dtype=float)
    if laser.shape not in ((), (nf,)) or not np.isfinite(laser).all() or (laser < 0).any():
        raise ValueError(
            f"laser has shape {laser.shape} and values from {laser.min():.4g} to {laser.max():.4g}; give one relative "
            f"power, finite and 0 or more, or {nf}: one a frequency"
        )
    if shift.shape not in ((2,), (nf, 2)) or not np.isfinite(shift).all():
        raise ValueError(f"shift has shape {shift.shape}; give finite (x, y) in metres, or ({nf}, 2): one a frequency")
    return laser, shift
