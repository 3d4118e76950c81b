"""The inversion of one map: measured components in, a filtered current density with its errors out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vbsense.analysis._fouriererrors import filtered_variance
from vbsense.analysis._fourierfield import Picture
from vbsense.analysis._fourierlaw import FAINTEST, Sensing, as_normal_field
from vbsense.analysis._fourierprior import (
    Prior,
    Spectrum,
    around,
    expected_error,
    fit_prior,
    hann,
    make_spectrum,
    quietest_cutoff,
)
from vbsense.analysis._fourierwindow import Array, Waves, Window

__all__ = ["Filter", "Inversion"]


@dataclass(frozen=True)
class Filter:
    """A weight of every wave, and what it was chosen for."""

    weight: Callable[[Waves], Array]
    prior: Prior
    cutoff: float | None = None


@dataclass(frozen=True)
class Inversion:
    """Pictures of one window, to be turned into a current density."""

    pictures: Mapping[str, Picture]
    sensing: Sensing
    window: Window

    @cached_property
    def waves(self) -> Waves:
        """Of the window with its continuation."""
        return self.window.waves()

    @cached_property
    def stated_noise(self) -> dict[str, float] | None:
        """Variance of a pixel of every component, if all have errors (T^2)."""
        noise = {c: picture.noise for c, picture in self.pictures.items()}
        known = {c: value for c, value in noise.items() if value is not None and value > 0}
        return known if len(known) == len(noise) else None

    def combine(self, waves: Waves) -> tuple[dict[str, Array], Array]:
        """Factors of the components that make the best Bz, and its variance, of a wave (T^2 or relative)."""
        return as_normal_field(waves, self.stated_noise or dict.fromkeys(self.pictures, 1.0))

    @cached_property
    def normal(self) -> np.ndarray:
        """Transform of the best Bz."""
        if set(self.pictures) == {"z"}:
            return self.window.transform(self.pictures["z"].values)
        factors, _ = self.combine(self.waves)
        total = np.zeros(self.waves.k.shape, dtype=complex)
        for c, picture in self.pictures.items():
            # The mean of Bz says nothing; those of Bx and By are the uniform current.
            values = picture.values if c == "z" else picture.values + picture.mean
            total += factors[c] * self.window.transform(values, {"x": 1, "y": 0}.get(c))
        return total

    @cached_property
    def normal_map(self) -> Array:
        """The best Bz itself (T), without its mean."""
        if set(self.pictures) == {"z"}:
            return self.pictures["z"].values
        return self.window.back(self.normal.copy())

    @cached_property
    def spectrum(self) -> Spectrum:
        """Rings of the power of the best Bz."""
        return make_spectrum(self.normal_map, self.window.steps, self.sensing.response)

    @cached_property
    def _mean_variance(self) -> float:
        _, variance = self.combine(Waves.of((32, 32), self.window.steps))
        return float(variance.mean())

    @property
    def noise(self) -> float | None:
        """Stated variance of a pixel of the best Bz (T^2)."""
        return self._mean_variance if self.stated_noise else None

    def wiener(self, prior: Prior) -> Filter:
        """Signal / (signal + noise)."""
        area = self.window.steps[0] * self.window.steps[1]

        def weight(waves: Waves) -> Array:
            signal = self.sensing.response(waves.kx, waves.ky) ** 2 * prior.power(waves.k, area)
            noise = prior.noise / self._mean_variance * self.combine(waves)[1]
            return np.divide(signal, signal + noise, out=np.zeros(signal.shape), where=signal > 0)

        return Filter(weight, prior)

    def hann(self, prior: Prior, cutoff: float | None) -> Filter:
        """A Hann window, by default the one with the least expected error."""
        ends = quietest_cutoff(self.spectrum, prior) if cutoff is None else cutoff
        return Filter(lambda waves: hann(waves.k, ends), prior, ends)

    def faintest(self, chosen: Filter) -> float:
        """The least that reaches the sensors of a wave that passes, over that of the longest wave."""
        passed = self.spectrum.response[self._ring_weight(chosen) > 0]
        return float(np.sqrt(passed.min() / self.spectrum.response[0])) if passed.size else 1.0

    def prior(self, noise: float | None) -> Prior:
        """The most likely prior for this noise (T^2), or with it."""
        return fit_prior(self.spectrum, noise)

    def current(self, chosen: Filter) -> tuple[Array, Array]:
        """J (2, y, x) in A/m, and what of the best Bz it does not explain (y, x) in T."""
        weight = chosen.weight(self.waves)
        # Beyond the cut-off all is zero: with half of the columns it takes half of the time.
        kept = int(np.flatnonzero(weight.any(axis=0)).max(initial=0)) + 1
        weight, normal = weight[:, :kept], self.normal[:, :kept]
        factors = self.sensing.current(self.waves.first_columns(kept), weight)
        J = np.stack([self.window.back(factor * normal) for factor in factors])
        return J, self.normal_map - self.window.back(weight * normal)

    def variance(self, chosen: Filter) -> Array:
        """Variance of J, (2, y, x) (A/m)^2."""
        total = np.zeros((2, *self.window.shape))
        for c, picture in self.pictures.items():
            square = picture.variance_or(chosen.prior.noise / self._mean_variance)
            for k in (0, 1):

                def transfer(waves: Waves, c: str = c, k: int = k) -> np.ndarray:
                    return self.sensing.current(waves, chosen.weight(waves))[k] * self.combine(waves)[0][c]

                total[k] += filtered_variance(transfer, square, picture.doubt, self.window.steps)
        return total

    def expected_error(self, chosen: Filter) -> float:
        """Root mean square error of J (A/m), for a current like the prior."""
        s = self.spectrum
        wanted = chosen.prior.power(s.k, s.area)
        noise = chosen.prior.noise / np.maximum(s.response, FAINTEST)
        weight = self._ring_weight(chosen)
        return float(np.sqrt(expected_error(s, wanted, noise, weight) / s.count.sum()))

    def net_current_error(self, chosen: Filter) -> float:
        """Error of the net current through a whole row or column (A): that of the stream function at its two ends.

        On an edge the mirror image has the same noise, which doubles the variance; the ends are taken as independent.
        """
        s = self.spectrum
        gain = self._ring_weight(chosen) / (s.k * np.sqrt(np.maximum(s.response, FAINTEST)))
        return float(2 * np.sqrt(chosen.prior.noise * (s.count @ gain**2) / s.count.sum()))

    def resolution(self, chosen: Filter) -> float:
        """Half of the wavelength of which half passes (m)."""
        weight = self._ring_weight(chosen)
        below = np.flatnonzero(weight < 0.5)
        return float(np.pi / self.spectrum.k[below[0]]) if below.size else float(np.pi / self.spectrum.k[-1])

    def _ring_weight(self, chosen: Filter) -> Array:
        """Weight by the length of the wave vector alone, averaged over directions."""
        kx, ky = around(self.spectrum.k)
        waves = Waves(kx, ky, kx, ky, np.hypot(kx, ky))
        return np.broadcast_to(chosen.weight(waves), kx.shape).mean(axis=0)
