"""Where the sensors lie: the lattice of spots in the light of a sweep, by maximum likelihood.

A guess from the Fourier transform of the picture (from the spots themselves where they are few) needs neither pitch nor
rotation; the likelihood of all pixels then fits lattice, width of the point-spread function, background and the light
of every spot at once. Its errors are those of the photons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vbsense.optics import SensorArray

if TYPE_CHECKING:
    from vbsense.analysis._lattice_light import Light
    from vbsense.analysis._lattice_locate import Located
    from vbsense.analysis._lattice_wanted import Wanted

__all__ = ["FoundArray", "find_array"]


@dataclass(frozen=True, eq=False)
class FoundArray:
    """Result of `find_array`.

    Attributes
    ----------
    array : SensorArray
        The lattice in the coordinates of the sweep, as `unmix` takes it. Sites that are dark or out of view are
        among its `missing`.
    psf_fwhm : float
        Full width at half maximum of the Gaussian point-spread function (m), the footprint of the spots taken out.
    background : float
        In the middle of the picture (electrons per pixel and exposure).
    values, errors : mapping of str to float
        `pitch`, `pitch_y` (m), `rotation`, `shear` (rad), `x`, `y` (centre of the lattice, m), `psf_fwhm` (m),
        `background` (electron) and, where the light asks for them, its slopes `background_x`, `background_y`
        (electron/m) and curvatures `background_xx`, `background_xy`, `background_yy` (electron/m^2: coefficients of
        the squares and of the product of the distances from the middle). Errors are 1 sigma of the photon and read
        noise; 0 for what was held.
    covariance : ndarray, (value, value)
        In the order of `values`.
    brightness, brightness_err : ndarray, (rows, columns)
        Light of every site (electrons per exposure) and its 1-sigma error; NaN out of view.
    missing : tuple of int
        Sites without light, counted row by row.
    outside : tuple of int
        Sites of which less than half of the light falls on valid pixels.
    extra : tuple of (float, float, float)
        Bright spots that are not on the lattice: x, y (m), light (electrons per exposure).
    bad_pixels : int
        Pixels that were left out, being NaN or far off from what the spots can do.
    reduced_chi2 : float
        Near 1 where photons are all that blurs the picture. Far above 1 the model leaves more than noise (another
        shape of the point-spread function, displaced spots, drift), and the errors are too small.
    amplification : float
        Median noise of the light of a site over that of a spot alone.
    notes : tuple of str
        What a reader should know.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=6, columns=6)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 3), exposure=0.5, rng=1)
    >>> found = find_array(sweep)
    >>> bool(abs(found.values["pitch"] - scene.array.pitch) < 4 * found.errors["pitch"]), found.missing
    (True, ())
    """

    array: SensorArray
    psf_fwhm: float
    background: float
    values: Mapping[str, float]
    errors: Mapping[str, float]
    covariance: np.ndarray
    brightness: np.ndarray
    brightness_err: np.ndarray
    missing: tuple[int, ...]
    outside: tuple[int, ...]
    extra: tuple[tuple[float, float, float], ...]
    bad_pixels: int
    reduced_chi2: float
    amplification: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        from vbsense.analysis._lattice_words import summary

        return summary(self)

    def site(self, row: int, column: int) -> int:
        """Number of a site, as `missing` counts them."""
        return row * self.array.shape[1] + column


def find_array(
    sweep: Any,
    *,
    pitch: float | None = None,
    shape: tuple[int, int] | None = None,
    design: SensorArray | None = None,
    spot_size: float | None = None,
    psf_fwhm: float | None = None,
    lattice: str = "oblique",
    background: str = "auto",
) -> FoundArray:
    """Find the lattice of spots in the light of a sweep.

    Parameters
    ----------
    sweep : xarray.Dataset or xarray.DataArray
        A sweep of images, of which the mean over all leading dimensions (and `reference`) is taken; or images
        (..., y, x) in electrons with coordinates in metres, the number of frames behind each in the attribute
        `frames`.
    pitch : float, optional
        Distance of neighbouring spots in a row (m), to within a tenth. Not needed; it decides where several
        lattices could be meant.
    shape : (int, int), optional
        Rows and columns. Without it the array ends where its lines of spots end.
    design : SensorArray, optional
        Instead of both: the array as it was written. Rows, columns and the direction of rotation follow it; where it
        lies does not matter. The size, shape and depth of a spot are taken from it, or else from the attributes of
        the sweep.
    spot_size : float, optional
        Side of a square spot, diameter of a disc, full width of a Gaussian (m); by default that of the design, or
        100 nm.
    psf_fwhm : float, optional
        Full width at half maximum of the point-spread function (m), held at this value. By default it is fitted: a
        width wrong by 2 % is 4 % in the height of a spot.
    lattice : {"oblique", "rectangular", "square"}
        What is fitted: all; no shear; no shear and one pitch.
    background : {"auto", "constant", "plane", "quadratic"}
        Even, sloping or curved; by default the simplest that the light allows.

    Returns
    -------
    FoundArray

    Raises
    ------
    ValueError
        If no lattice is found, or several, or not the asked-for one; if its spots are too few or cannot be told
        apart. The message says what was seen.
    LayoutError
        If the images have no coordinates, or pixels that are not square.

    Notes
    -----
    The model of a pixel is the integral over its area of Gaussian spots with their footprint, plus a polynomial. The
    score of the likelihood is that of Poisson noise plus read noise, solved by Gauss-Newton steps. The footprint of
    a square or disc enters by its variance and fourth cumulants, to 1e-5 of the brightest pixel for a spot of a
    quarter of the width of the point-spread function, 2e-4 for a half, and 1e-2 for one as wide.

    A lattice looks the same after turns by a quarter. Without a design the rows run along the step that has the
    given pitch or the given number of sites, or else, at an angle above -45 and up to 45 degrees to the x axis.

    The optics of a real microscope have rings. In a test with an Airy disc (NA 0.95, 820 nm, 9 x 11 sites 600 nm apart)
    the centre was right to 0.02 nm, the steps were off by 0.2 and 0.5 nm, the corners by up to 2.5 nm, and the width
    by -7 %; `reduced_chi2` tells. Spots that overlap with dirt, or lie elsewhere, get a place and a width of their own
    and do not steer the lattice; `notes` name them.

    A site is called missing if it has less than a fifth of the median light of the sites around it.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=6, columns=6)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(3e9, 4e9, 5), exposure=0.1, rng=1)
    >>> found = find_array(sweep)
    >>> round(found.array.pitch * 1e9), found.array.shape, round(found.psf_fwhm * 1e9)
    (400, (6, 6), 440)
    """
    from vbsense.analysis._lattice_choose import likeliest
    from vbsense.analysis._lattice_guess import guess
    from vbsense.analysis._lattice_light import light_of
    from vbsense.analysis._lattice_wanted import wanted

    light = light_of(sweep, task="find_array")
    request = wanted(
        light, sweep.attrs, pitch=pitch, shape=shape, design=design, spot_size=spot_size, psf_fwhm=psf_fwhm,
        lattice=lattice, background=background,
    )  # fmt: skip
    return _result(light, request, likeliest(light, request, guess(light, request)))


def _result(light: Light, request: Wanted, located: Located) -> FoundArray:
    from vbsense.analysis._lattice_check import amplification_of
    from vbsense.analysis._lattice_words import notes

    fitted, problem = located.fitted, located.problem
    names, scale = _units(light, located)
    value = np.concatenate([fitted.model.geometry, fitted.model.background]) * scale
    value[4:6] += light.corner
    covariance = fitted.covariance * np.outer(scale, scale)
    values = dict(zip(names, value.tolist(), strict=True))
    errors = dict(zip(names, np.sqrt(np.maximum(np.diag(covariance), 0.0)).tolist(), strict=True))
    grid, grid_err = _grid(located, fitted.model.light), _grid(located, fitted.light_error)
    number = located.row * located.columns + located.column
    dark = tuple(sorted(number[located.dark].tolist()))
    outside = tuple(np.flatnonzero(np.isnan(grid.ravel())).tolist())
    extra = fitted.model.stray[np.argsort(-fitted.model.stray[:, 2])] * [light.pixel, light.pixel, 1.0]
    extra[:, :2] += light.corner
    found = FoundArray(
        _array(request, located, values, (*dark, *outside)), values["psf_fwhm"], values["background"], values, errors,
        covariance, grid, grid_err, dark, outside, tuple(map(tuple, extra.tolist())), int((~problem.good).sum()),
        fitted.chi2 / max(fitted.freedom, 1), amplification_of(located), (),
    )  # fmt: skip
    return replace(found, notes=notes(found, located.margin, number[problem.loose].tolist()))


def _units(light: Light, located: Located) -> tuple[list[str], np.ndarray]:
    """Names of the values, and what makes SI of them."""
    from vbsense.analysis._lattice_spots import FWHM

    half = max(*light.good.shape, 2) / 2 * light.pixel
    powers = located.problem.powers()
    names = ["pitch", "pitch_y", "rotation", "shear", "x", "y", "psf_fwhm"]
    names += ["background" + ("_" + "x" * i + "y" * j if i + j else "") for i, j in powers]
    geometry = np.array([light.pixel, light.pixel, 1.0, 1.0, light.pixel, light.pixel, light.pixel * FWHM])
    return names, np.append(geometry, [half ** -(i + j) for i, j in powers])


def _grid(located: Located, values: np.ndarray) -> np.ndarray:
    grid = np.full((located.rows, located.columns), np.nan)
    inside = located.inside
    grid[located.row[inside], located.column[inside]] = values[inside]
    return grid


def _array(request: Wanted, located: Located, values: dict[str, float], missing: tuple[int, ...]) -> SensorArray:
    spot = request.spot
    even = values["pitch_y"] == values["pitch"]
    known = () if request.design is None else request.design.missing
    return SensorArray(
        values["pitch"], (located.rows, located.columns), (values["x"], values["y"]), values["rotation"],
        spot.spot_size, spot.thickness, pitch_y=None if even else values["pitch_y"], shear=values["shear"],
        spot_shape=spot.spot_shape, depth_profile=spot.depth_profile, missing=tuple({*missing, *known}),
    )  # fmt: skip
