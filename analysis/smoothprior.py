"""What is believed of the light of sites before the picture is seen, and the estimate that takes it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense._numbers import number
from vbsense.analysis._unmix_solve import Normal

__all__ = ["PriorSolver", "SmoothPrior"]

_LARGEST = 4000  # sites: the prior ties all to all, its matrices are full
_JITTER = 1e-10  # of the variance, independent from site to site: else nearly equal sites make it singular


@dataclass(frozen=True)
class SmoothPrior:
    """Brightness of sites as a Gaussian random field: what `unmix` believes before it sees a picture.

    Each site has ``mean * (1 + amplitude * z)`` electrons; z is Gaussian with mean 0, variance 1 and correlation
    ``exp(-d^2 / (2 length^2))`` between sites at a distance d.

    Parameters
    ----------
    amplitude : float
        Relative spread of the brightness (one sigma), above 0, at most 10.
    length : float
        Correlation length (m); 0 for sites that have nothing to do with each other.
    mean : float, optional
        Mean brightness (electrons per exposure). By default it is unknown and found from every picture with the rest;
        the amplitude then refers to the mean over all pictures.

    Examples
    --------
    >>> prior = SmoothPrior(amplitude=0.2, length=1e-6)
    >>> prior.correlation(np.array([0.0, 1e-6]), np.zeros(2)).round(3).tolist()
    [[1.0, 0.607], [0.607, 1.0]]
    """

    amplitude: float
    length: float = 0.0
    mean: float | None = None

    def __post_init__(self) -> None:
        amplitude = number("amplitude", self.amplitude, "a fraction of the mean brightness", positive=True)
        if amplitude > 10:
            raise ValueError(f"amplitude is {amplitude!r}; it is a fraction of the mean brightness, at most 10")
        length = number("length", self.length, "m")
        if not 0 <= length <= 1e-2:
            raise ValueError(f"length is {length!r} m; it must be 0 to 0.01 m: write 1 um as 1e-6")
        for name, value in (("amplitude", amplitude), ("length", length)):
            object.__setattr__(self, name, value)  # the class is frozen
        if self.mean is not None:
            object.__setattr__(self, "mean", number("mean", self.mean, "electrons per exposure", positive=True))

    def correlation(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Between sites at (x, y) m, ``(site, site)``."""
        if self.length == 0:
            return np.eye(x.size)
        square = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
        return np.exp(-0.5 * square / self.length**2)

    def __str__(self) -> str:
        """One line for the attributes of a sweep."""
        mean = "its mean found from the pictures" if self.mean is None else f"mean {self.mean:g} electron"
        return f"Gaussian, relative amplitude {self.amplitude:g}, correlation length {self.length:g} m, {mean}"


class PriorSolver:
    """As `Solver`, with a prior: posterior mean and covariance.

    The unknowns are independent numbers of variance 1, of which the prior makes the light, the mean brightness where
    that is not given, and the background: their normal matrix is 1 plus something positive, however closely the spots
    lie.

    Parameters
    ----------
    normal : Normal
        Of one picture, all its frames taken in.
    prior : SmoothPrior
    x, y : ndarray, (site,)
        m.
    level : float
        Mean brightness to which the amplitude refers (electrons).
    """

    def __init__(self, normal: Normal, prior: SmoothPrior, x: np.ndarray, y: np.ndarray, level: float) -> None:
        from scipy.linalg import cho_factor, cholesky

        self.sites, columns = normal.cross.shape
        if self.sites > _LARGEST:
            raise ValueError(f"a prior takes at most {_LARGEST} sites, the array has {self.sites}: unmix it in parts")
        matrix = prior.correlation(x, y) + _JITTER * np.eye(self.sites)
        root = prior.amplitude * level * cholesky(matrix, lower=True)
        free = 1 if prior.mean is None else 0
        self.turn = np.zeros((self.sites + columns, self.sites + free + columns))
        self.turn[: self.sites, : self.sites] = root
        self.turn[: self.sites, self.sites : self.sites + free] = 1.0
        self.turn[self.sites :, self.sites + free :] = np.eye(columns)
        self.ridge = (np.arange(self.turn.shape[1]) < self.sites).astype(float)[:, None]
        self.offset = np.zeros((self.sites + columns, 1))
        self.offset[: self.sites] = 0.0 if prior.mean is None else prior.mean
        self.normal = normal
        matrix = self.turn.T @ normal.apply(self.turn) + np.diag(self.ridge[:, 0])
        self.scale = np.sqrt(np.diag(matrix))[:, None]
        self.scale[self.scale == 0] = 1.0
        self.matrix = matrix / (self.scale * self.scale.T)
        try:
            self.factor: Any = cho_factor(self.matrix, lower=True)
        except np.linalg.LinAlgError:
            raise ValueError(
                "the background cannot be told from the light of all sites: leave it out, or give the mean of the prior"
            ) from None

    def to_light(self, z: np.ndarray) -> np.ndarray:
        """Light, less the offset, and background of the unknowns."""
        return self.turn @ z

    def from_light(self, right: np.ndarray) -> np.ndarray:
        """Right side of the unknowns."""
        return self.turn.T @ right

    def unknowns(self, right: np.ndarray) -> np.ndarray:
        """Solve for the unknowns."""
        from scipy.linalg import cho_solve

        return cho_solve(self.factor, right / self.scale) / self.scale

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Posterior mean of light and background, ``(site + k, m)``."""
        return self.offset + self.to_light(self.unknowns(self.from_light(right - self.normal.apply(self.offset))))

    def covariance(self) -> np.ndarray:
        """Posterior covariance of the light, ``(site, site)``."""
        from scipy.linalg import solve_triangular

        half = solve_triangular(self.factor[0], (self.turn[: self.sites] / self.scale[:, 0]).T, lower=True)
        return half.T @ half

    def variance(self) -> np.ndarray:
        """Its diagonal, ``(site,)``."""
        return np.diag(self.covariance()).copy()

    def condition(self) -> float:
        """Largest over smallest singular value of images and prior together."""
        values = np.linalg.eigvalsh(self.matrix)
        return float(np.sqrt(values[-1] / max(values[0], np.finfo(float).tiny)))
