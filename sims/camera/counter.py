"""A photon counter, as behind the pinhole of a confocal microscope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vbsense.sims.camera.checks import check_exposure, check_fields, check_place, refuse_rate
from vbsense.sims.camera.stream import kernel_state

__all__ = ["PhotonCounter"]


@dataclass(frozen=True, kw_only=True)
class PhotonCounter:
    """An avalanche photodiode that counts photons, one pixel of a scan after the other.

    Parameters
    ----------
    dark_rate : float
        Counts per second without light.
    dead_time : float
        Time after each count during which nothing is counted (s); light in it does not prolong it.
    after_pulsing : float
        Chance that a count is followed by a false one (1); below 1.
    bits : int
        Of the counter: it stays at ``2**bits - 1``; at most 16.

    Notes
    -----
    Counts of a dwell time that begins with the detector ready are drawn from the exact law of the renewal process:
    n or more if n waiting times and n - 1 dead times fit. For long dwells of T at the rate r their mean is
    r T / (1 + r t) and their variance r T / (1 + r t)^3, t the dead time (J. W. Müller, Nucl. Instrum. Methods 112,
    47 (1973)). False counts come on top: each true one has a geometric number of them, at once; that they are
    followed by a dead time is neglected, which is a share of `after_pulsing` times r t.

    Examples
    --------
    >>> counter = PhotonCounter(dead_time=50e-9)
    >>> counts = counter.expose(np.full((100, 100), 1e6), 10e-3, np.random.default_rng(1))
    >>> round(float(counts.mean()) / (1e4 / 1.05), 2)
    1.0
    """

    dark_rate: float = 250.0
    dead_time: float = 40e-9
    after_pulsing: float = 0.0
    bits: int = 16

    def __post_init__(self) -> None:
        check_fields(self, not_negative="dark_rate dead_time", fraction="after_pulsing")
        if self.after_pulsing > 0.5:
            raise ValueError(f"after_pulsing is {self.after_pulsing!r}; it must be a small fraction, at most 0.5")

    @property
    def gain(self) -> float:
        """Counted photons per count: 1."""
        return 1.0

    @property
    def offset(self) -> float:
        """Dark level (counts): 0; dark counts depend on the exposure and are not subtracted."""
        return 0.0

    @property
    def read_noise(self) -> float:
        """None."""
        return 0.0

    @property
    def read_noise_rms(self) -> float:
        """None."""
        return 0.0

    @property
    def maximum(self) -> int:
        """Count at which the counter stays."""
        return 2**self.bits - 1

    @property
    def excess_noise(self) -> float:
        """Variance of the detected signal over its Poisson variance, at rates where the dead time does not matter."""
        return (1 + self.after_pulsing) / (1 - self.after_pulsing)

    def dark(self, shape: tuple[int, int], *, at: tuple[int, int] = (0, 0)) -> np.ndarray:
        """Dark counts per second of every pixel, ``(y, x)``: one detector sees them all."""
        return np.full(check_place(shape, at)[0], float(self.dark_rate))

    def expose(
        self, rate: np.ndarray, seconds: float, rng: np.random.Generator, *, at: tuple[int, int] = (0, 0)
    ) -> np.ndarray:
        """One scan, or several.

        Parameters
        ----------
        rate : ndarray, (..., y, x)
            Photons per second that would be counted without dead time; leading dimensions are scans.
        seconds : float
            Dwell time on a pixel (s).
        rng : numpy.random.Generator
            Source of the noise.
        at : (int, int)
            Of no effect: there is no fixed pattern.

        Returns
        -------
        ndarray of uint16, (..., y, x)
            Counts.

        Raises
        ------
        ValueError
            If a rate is negative or not finite, or an argument is not as above.
        """
        from vbsense.sims.camera._noise import count_photons

        rate = check_exposure(rate, seconds)
        check_place(rate.shape[-2:], at)
        counts = np.empty(rate.shape, np.uint16)
        place = count_photons(
            rate.reshape(-1), float(self.dark_rate), float(seconds), float(self.dead_time), float(self.after_pulsing),
            float(self.maximum), kernel_state(rng), counts.reshape(-1),
        )  # fmt: skip
        refuse_rate(rate, place)
        return counts
