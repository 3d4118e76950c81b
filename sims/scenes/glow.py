"""The light of many sites against microwave, current and temperature, before any microscope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vbsense.sims.light import saturation
from vbsense.sims.scenes.memory import Memory
from vbsense.sims.scenes.spectra import Spins
from vbsense.sims.scenes.threads import in_pieces

__all__ = ["Glow", "check_frequencies", "unit_field_of"]

_KEPT = 200e6  # bytes of light that are kept


@dataclass(frozen=True, eq=False)
class Glow:
    """What n sites shine.

    Parameters
    ----------
    brightness : ndarray, (n,)
        Electrons per second at laser = 1 with the drive off.
    contrast : ndarray, (n,)
        Depth of one bare line at unlimited drive.
    spins : Spins
        Their spectra.
    saturation_power : float
        Power at which the contrast is half its limit (dBm), where the amplitude is 1.
    amplitude : ndarray, (n,), optional
        Of the microwave field relative to the source's setting; 1 everywhere by default.
    """

    brightness: np.ndarray
    contrast: np.ndarray
    spins: Spins
    saturation_power: float
    amplitude: np.ndarray | None = None
    memory: Memory = field(default_factory=Memory, repr=False)

    def light(
        self, frequency: Sequence[float | None], *, power: float, current: float, temperature: float | None
    ) -> np.ndarray:
        """Electrons per second of every site, ``(n, nf)``, kept for the next one who asks; not to be written to."""
        key = (tuple(frequency), power, current, temperature)
        size = len(self.brightness) * max(len(key[0]), 1) * 8
        make = lambda: self.light_of(slice(None), *key)  # noqa: E731
        return self.memory.get("light", key, make, limit=int(np.clip(_KEPT // max(size, 1), 4, 4096)))

    def light_of(
        self, part: Any, frequency: Sequence[float | None], power: float, current: float, temperature: float | None
    ) -> np.ndarray:
        """The same of a part of the sites, ``(sites of part, nf)``."""
        on = [k for k, f in enumerate(frequency) if f is not None]
        brightness = self.brightness[part]
        out = np.repeat(brightness[:, None], len(frequency), axis=1)
        if on:
            share, fwhm = self._saturated(power)
            wanted = np.array([float(frequency[k]) for k in on])  # type: ignore[arg-type]
            depth = self.spins.depth(wanted, fwhm, current, temperature, part)
            size = brightness * self.contrast[part] * (share[part] if np.ndim(share) else share)
            out[:, on] -= size[:, None] * depth
        return out

    def _saturated(self, power: float) -> tuple[Any, Any]:
        """Share of the contrast, and width of a line (Hz): one number, or one for each site."""
        if self.amplitude is None:
            share, width = saturation(power, self.saturation_power)
            return share, self.spins.linewidth * width
        amplitude = self.amplitude
        return self.memory.get("saturated", power, lambda: self._saturated_everywhere(power, amplitude), limit=8)

    def _saturated_everywhere(self, power: float, amplitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(divide="ignore"):  # no drive at all: minus infinite dB, no contrast
            local = power + 20 * np.log10(amplitude)
        pairs = np.array([saturation(p, self.saturation_power) for p in local])
        return pairs[:, 0].copy(), self.spins.linewidth * pairs[:, 1]


def check_frequencies(frequency: Any) -> tuple[float | None, ...]:
    """A tuple of finite frequencies (Hz) and None, or an error."""
    try:
        frequency = tuple(None if f is None else float(f) for f in frequency)
    except (TypeError, ValueError):
        raise ValueError(f"frequency is {frequency!r:.60}; give numbers in Hz, or None for drive off") from None
    for f in frequency:
        if f is not None and not (np.isfinite(f) and f >= 1e6):
            raise ValueError(
                f"frequency holds {f!r}; give frequencies in Hz (3.47 GHz is 3.47e9), or None for drive off"
            )
    return frequency


def unit_field_of(average: Any, current: float, n: int, *, size: int = 128) -> np.ndarray:
    """Field of one ampere, ``(n, 3)`` T/A, from ``average(slice) -> (sites, 3)`` T at `current`, on all cores."""
    out = np.empty((n, 3))

    def work(piece: slice) -> None:
        out[piece] = average(piece)

    in_pieces(work, n, size=size)
    return out / current
