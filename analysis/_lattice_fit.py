"""The likelihood of a lattice of spots: geometry, width, background and the light of every spot, all at once.

Gauss-Newton with the noise that the model expects (the score of the Poisson law). What belongs to one spot only - its
light, and of a stray spot its place - makes a large, sparse block, which is eliminated first; geometry, width and
background remain. Lengths are in pixels, from the centre of pixel (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from vbsense.analysis._lattice_light import Light
from vbsense.analysis._lattice_spots import FWHM, Footprint, Spots, spots_at
from vbsense.analysis._lattice_system import System

__all__ = ["GEOMETRY", "Fitted", "Model", "Problem", "places"]

GEOMETRY = ("pitch", "pitch_y", "rotation", "shear", "x", "y", "sigma")
STEPS = 40
WIDEST = 0.15  # of the longer side of the picture: a larger width (one sigma) is none of spots
ROUGH = 0.1  # precision above which a fit is a rough one


@dataclass(frozen=True)
class Model:
    """What is fitted."""

    geometry: np.ndarray  # (7,): the values of GEOMETRY
    light: np.ndarray  # (site,)
    background: np.ndarray  # coefficients of the polynomial
    stray: np.ndarray  # (stray, 3): x, y, light of spots that are not on the lattice
    bent: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))  # (loose, 3): along x, y and width


@dataclass(frozen=True)
class Fitted:
    """A maximum of the likelihood."""

    model: Model
    covariance: np.ndarray  # of the geometry and the background, (7 + n, 7 + n)
    light_error: np.ndarray
    light_alone: np.ndarray  # the error of a spot if all else were known
    chi2: float
    freedom: int
    residual: np.ndarray  # (ny, nx), in sigma; 0 where masked
    expected: np.ndarray  # (ny, nx)
    last: float  # largest last change of a shared parameter, in units of its error


def places(geometry: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of sites, counted from the middle of the lattice."""
    pitch, pitch_y, rotation, shear, x, y, _ = geometry
    lean = rotation - shear
    return (
        x + column * pitch * np.cos(rotation) - row * pitch_y * np.sin(lean),
        y + column * pitch * np.sin(rotation) + row * pitch_y * np.cos(lean),
    )


class Problem:
    """One picture, its sites and its background, ready to be fitted again and again.

    `tie` (7, free) says which changes of the geometry are allowed: the identity for a general lattice. The sites
    `loose` do not steer it: each has its own displacement and width, to first order.
    """

    def __init__(
        self, light: Light, row: np.ndarray, column: np.ndarray, footprint: Footprint, tie: np.ndarray, degree: int
    ) -> None:
        self.light, self.row, self.column, self.footprint, self.tie = light, row, column, footprint, tie
        self.degree = degree
        self.good = light.good
        self.about = _smooth(light)
        self.loose = np.zeros(0, dtype=np.intp)

    def powers(self) -> list[tuple[int, int]]:
        """Powers of x and y of the background."""
        return [(i, n - i) for n in range(self.degree + 1) for i in range(n, -1, -1)]

    def layout(self, sigma: float) -> tuple[int, tuple[int, int]]:
        margin = int(np.ceil(5.5 * np.hypot(sigma, np.sqrt(self.footprint.variance)))) + 3
        ny, nx = self.good.shape
        return margin, (ny + 2 * margin, nx + 2 * margin)

    def pad(self, image: np.ndarray, margin: int) -> np.ndarray:
        return np.pad(image, margin).ravel()

    def crop(self, flat: np.ndarray, margin: int, padded: tuple[int, int]) -> np.ndarray:
        return flat.reshape(padded)[margin : padded[0] - margin, margin : padded[1] - margin]

    def polynomials(self) -> np.ndarray:
        """(power, ny, nx), from -1 to 1 over the longer side."""
        ny, nx = self.good.shape
        half = max(ny, nx, 2) / 2
        y, x = (np.arange(ny) - (ny - 1) / 2) / half, (np.arange(nx) - (nx - 1) / 2) / half
        return np.array([np.outer(y**j, x**i) for i, j in self.powers()])

    def spots(self, model: Model) -> tuple[Spots, Spots, int, tuple[int, int]]:
        """Windows of the sites and of the stray spots."""
        margin, padded = self.layout(model.geometry[6])
        x, y = places(model.geometry, self.row, self.column)
        options = (float(model.geometry[6]), self.footprint, padded, margin)
        return spots_at(x, y, *options), spots_at(model.stray[:, 0], model.stray[:, 1], *options), margin, padded

    def expect(self, model: Model) -> np.ndarray:
        """The picture of a model, (ny, nx)."""
        sites, stray, margin, padded = self.spots(model)
        return self.shine(sites, stray, model, margin, padded) + np.tensordot(model.background, self.polynomials(), 1)

    def shine(self, sites: Spots, stray: Spots, model: Model, margin: int, padded: tuple[int, int]) -> np.ndarray:
        """Light of all spots, (ny, nx)."""
        flat = sites.matrix(sites.light) @ model.light + stray.matrix(stray.light) @ model.stray[:, 2]
        for k, one in zip(self.loose, model.bent, strict=True):
            flat[sites.index[k]] += one[0] * sites.dx[k] + one[1] * sites.dy[k] + one[2] * sites.dsigma[k]
        return self.crop(flat, margin, padded)

    def fit(self, model: Model, *, steps: int = STEPS, precision: float = 0.01, errors: bool = True) -> Fitted:
        """Gauss-Newton until a step is below `precision` of the errors.

        A rough fit weighs what does not fit at all less: spots and pixels that nobody knows of yet must not drag the
        lattice along. A precise one starts where a rough one ended, and keeps the weights that the pixels have there.
        """
        if len(model.background) != len(self.powers()):
            model = replace(model, background=np.resize(np.append(model.background, np.zeros(6)), len(self.powers())))
        fixed = None if precision > ROUGH else System(self, model).plain
        for _ in range(steps):
            system = System(self, model, weight=fixed)
            model, largest = system.step()
            self._check(model)
            if largest < precision:
                break
        # The last step was small against the errors: what was worked out before it still holds.
        covariance, light_error = system.covariance(errors)
        return Fitted(
            model, covariance, light_error, system.scale[: len(model.light)], float((system.residual**2).sum()),
            system.freedom, system.residual, system.expected, largest,
        )  # fmt: skip

    def _check(self, model: Model) -> None:
        """Refuse what has left all bounds, before its windows fill the memory."""
        pitch, pitch_y, *_, sigma = model.geometry
        side = max(self.good.shape)
        if not (0.1 < sigma < WIDEST * side and 0.5 < pitch < 2 * side and 0.5 < pitch_y < 2 * side):
            nm = self.light.pixel * 1e9
            raise ValueError(
                f"lattice not found: the fit ran away to steps of {pitch * nm:.4g} and {pitch_y * nm:.4g} nm and a "
                f"width of {sigma * FWHM * nm:.4g} nm; check shape, pitch, design and spot_size"
            )

    def brightness(self, model: Model) -> Model:
        """The model with the best light of all spots and background, the geometry kept."""
        return System(self, model, linear=True).step()[0]


def _smooth(light: Light) -> np.ndarray:
    """The picture without its noise, roughly."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(light.good.astype(float), 0.7)
    return np.maximum(gaussian_filter(np.where(light.good, light.values, 0.0), 0.7) / np.maximum(weight, 1e-3), 0.0)
