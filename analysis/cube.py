"""From the images of a sweep straight to the field of every site, or to the wire below: one fit to the whole cube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as part_of
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._chosen import attributes_of, choose_model
from vbsense.analysis._cube_below import fit_below, read_below
from vbsense.analysis._cube_data import read_cube, site_sweep
from vbsense.analysis._cube_exact import EXACT, exact_lines
from vbsense.analysis._cube_lines import Lines, checked_defect, lines_of
from vbsense.analysis._cube_maps import field_of_sites, fit_of_sites
from vbsense.analysis._cube_options import Options, mentioned, read_options
from vbsense.analysis._cube_prior import smooth_field
from vbsense.analysis._cube_problem import Below, Cube, make_layout
from vbsense.analysis._cube_start import fit_sites
from vbsense.analysis._wire_solve import Minimum, covariance_within
from vbsense.analysis.correction import HyperfineCorrection
from vbsense.analysis.fieldlayout import sign_along_c
from vbsense.analysis.fitted import drive_of, hamiltonian_of
from vbsense.analysis.wire import WireFit
from vbsense.data import LayoutError
from vbsense.defect import VB14N, Defect
from vbsense.groundstate.effective import HamiltonianModel
from vbsense.layout import require
from vbsense.lineshape import HAMILTONIAN, Model

__all__ = ["CubeFit", "fit_cube", "smooth_field"]


@dataclass(frozen=True, eq=False)
class CubeFit:
    """Result of `fit_cube`.

    Attributes
    ----------
    field : xarray.Dataset
        Map of Bz on the sites with `B_err` and `site_correlation`: together the full covariance, over which all
        other parameters are marginalised. Nothing is smoothed. With polarity it is half the difference, and
        `B_common` half the sum.
    fit : xarray.Dataset
        All parameters of all sites, with errors, in the layout of `fit_sweep`. Of exact lines its model is
        "hamiltonian", which has the same parameters, and the attribute ``user_lines`` is "exact".
    shared, shared_errors : mapping of str to float
        Parameters that all sites share.
    wire : WireFit or None
        What lies below, if it was asked for: fitted to the cube itself, not to `field`.
    chi2, degrees : float, int
        Of the fit of the sites (without a wire).
    """

    field: xr.Dataset
    fit: xr.Dataset
    shared: Mapping[str, float]
    shared_errors: Mapping[str, float]
    wire: WireFit | None
    chi2: float
    degrees: int
    converged: bool = True
    sites: xr.Dataset = part_of(default_factory=xr.Dataset, repr=False)

    @property
    def reduced_chi2(self) -> float:
        """Near 1 for a right model and right errors."""
        return self.chi2 / self.degrees

    def summary(self) -> str:
        """The result as text.

        Examples
        --------
        >>> from vbsense import sims
        >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
        >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 31), exposure=1.0, averages=4, rng=1)
        >>> print(fit_cube(sweep).summary().splitlines()[0])
        4 sites, chi2 ...
        """
        B, error = self.field["B"].values, self.field["B_err"].values
        lines = [
            f"{int(np.isfinite(B).sum())} sites, chi2 {self.chi2:.1f} for {self.degrees} degrees of freedom",
            f"  Bz from {np.nanmin(B) * 1e6:.1f} to {np.nanmax(B) * 1e6:.1f} µT, "
            f"median error {np.nanmedian(error) * 1e6:.2f} µT",
        ]
        for name, value in self.shared.items():
            unit, scale = ("MHz", 1e6) if self.fit[name].attrs["units"] == "Hz" else ("", 1.0)
            lines.append(f"  {name}: {value / scale:.6g} ± {self.shared_errors[name] / scale:.2g} {unit}".rstrip())
        return "\n".join(lines + ([] if self.wire is None else ["wire: " + self.wire.summary()]))


def fit_cube(
    sweep: xr.Dataset,
    sites: Any = None,
    *,
    psf_fwhm: float | None = None,
    psf: Any = None,
    model: str | Model = "exact",
    defect: Defect = VB14N,
    correction: HyperfineCorrection | None = None,
    bias: Any = None,
    shared: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    wire: Any = None,
    free: str | Sequence[str] = ("current", "standoff", "position", "offset"),
    standoff: float = 50e-9,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    wire_priors: Mapping[str, tuple[float, float]] | None = None,
) -> CubeFit:
    """Fit the spectra of all sites to the images of a sweep at once, and the wire below them.

    Spots, point-spread function, line shape and, with a wire, its Biot-Savart field make one forward model. All that
    is not asked for is marginalised: the brightness of every site, contrasts, widths, D, and the background of every
    image. No smoothness is assumed; `smooth_field` adds it, and says so.

    Parameters
    ----------
    sweep : xarray.Dataset
        Camera images (frequency, y, x), with the dimension ``polarity`` or without; or what `unmix` made of them.
    sites : SensorArray or FoundArray, optional
        The lattice, by default from the attributes of the sweep.
    psf_fwhm, psf
        As in `unmix`.
    model : str or Model
        "exact": every line of electron and nuclei, a Lorentzian each, at the bias across c and the drive of the
        attributes; "exact_gaussian": a Gaussian each. Their parameters are those of "hamiltonian". That,
        "hamiltonian_gaussian" and any model of two lines such as "gaussian" are taken too, see `fit_sweep`, and suit
        sites that hardly overlap: see Notes.
    defect : Defect
        Whose Hamiltonian it is; its E and g link two lines to the field.
    correction : HyperfineCorrection, optional
        From `hyperfine_correction`, for a model of two lines; without it the shifts of the hyperfine structure stay in
        the field. The Hamiltonian needs none.
    bias : (3,) array_like, optional
        Bias field (T), whose sign along c the field takes, and whose part across c shapes the exact lines; by default
        from the attributes.
    shared : sequence of str, optional
        Parameters that all sites have in common; by default D and the widths. Every other one is free at every site.
        With "E" the in-plane splitting is free too, within 8 MHz of the defect's: without a prior a single bias
        hardly tells it.
    fixed : mapping, optional
        ``{"D": 3.47e9}``: parameters that are not fitted.
    priors : mapping, optional
        ``{"E": (59e6, 2e6)}``: mean and standard deviation of what is known of a parameter of the light beforehand,
        at every site or of what they share.
    wire : Bar, Ribbon, or sequence or mapping of them, optional
        Start of the conductors below, as in `fit_wire`. Then the field of every site is theirs plus an offset, which
        is the bias and has to be free, and their parameters are fitted to the cube.
    free, standoff, bounds
        Of the wire, as in `fit_wire`.
    wire_priors : mapping, optional
        As `priors` in `fit_wire`.

    Returns
    -------
    CubeFit

    Raises
    ------
    LayoutError
        If lattice or point-spread function is unknown, the sweep has other dimensions, or `correction` does not suit
        the model.
    ValueError
        If an option cannot be, a model has no field, or the cube does not tell the parameters.

    Notes
    -----
    The images are linear in the light of the sites. Its least-squares estimates with their covariance
    (`unmix`: `signal_err`, `site_correlation`) are therefore all that the images tell, and the sum of squares is taken
    over sites and frequencies with the inverse of the full covariance. It takes some 40 bytes times the square of all
    free parameters. Sites whose spots overlap have anticorrelated noise: what a single site tells badly all together
    still tell well.

    What all together tell so well must be modelled as well, or what is amiss comes out in the combinations that are
    told badly. With the exact lines the errors are true. Spots at 0.75 of the width of the point-spread function, dips
    of 10 %, errors of 60 uT: chi-squared of the field is 0.98 per site for lines of 120 MHz and 1.04 for 57 MHz, of
    which 0.05 comes from contrasts that are known to some 10 % in the errors. With "hamiltonian" it is 4, and the field
    is wrong by three times its errors, at 57 MHz; at 85 MHz and more it does as well as the exact lines. The field of
    the current across c is not in the model: 0.5 mT of it at a bias of 5 mT moves the fields by 1 uT, and by 8 uT if
    the bias has 2 mT across c as well.

    Examples
    --------
    >>> from vbsense import sims
    >>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
    >>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 31), exposure=1.0, averages=4, rng=1)
    >>> cube = fit_cube(sweep)
    >>> truth = scene.wire_field(1e-3)[:, 2] + scene.bias[2]
    >>> bool((abs(cube.field.B.values[0] - truth) < 4 * cube.field.B_err.values[0]).all())
    True
    """
    require(sweep, "sweep")
    checked_defect(defect)
    light = site_sweep(sweep, sites, psf_fwhm, psf)
    sign = sign_along_c(light, bias)
    free_E = "E" in mentioned(shared, fixed, priors)
    chosen, lines = _lines_of(model, light, defect, correction, bias, sign, free_E)
    options = read_options(lines.names, lines.units, shared, fixed, priors, lines.bounds)
    data = read_cube(light)
    below = None if wire is None else read_below(light, data, sign, wire, free, standoff, bounds, wire_priors)
    cube = Cube(data, lines, make_layout(lines, data.polarity.size, data.kept.size, options))
    best = fit_sites(cube, light)
    return _result(cube, best, light, chosen, options, sign, below)


def _result(
    cube: Cube, best: Minimum, light: xr.Dataset, chosen: Model, options: Options, sign: float, below: Below | None
) -> CubeFit:
    """Datasets of the fit of the sites, and the wire."""
    data, lines, layout = cube.data, cube.lines, cube.layout
    covariance = covariance_within(best, layout.labels, ())
    attributes = attributes_of(chosen) | ({"user_lines": lines.label} if lines.label else {})
    fit = fit_of_sites(light, data, lines, layout, best, covariance, cube, attributes)
    map_ = field_of_sites(fit, data, lines, layout, best, covariance, sign)
    places = {n: int(layout.index[0, 0, lines.names.index(n)]) for n in lines.names if n in options.shared}
    values = {n: float(best.x[k]) for n, k in places.items()}
    errors = {n: float(np.sqrt(covariance[k, k])) for n, k in places.items()}
    found = None if below is None else fit_below(cube, below, best, options, map_)
    return CubeFit(map_, fit, values, errors, found, best.chi2, data.count - layout.degrees, best.converged, light)


def _lines_of(
    model: str | Model, light: xr.Dataset, defect: Defect, correction: HyperfineCorrection | None, bias: Any,
    sign: float, free_E: bool,
) -> tuple[Model, Lines]:  # fmt: skip
    """The model of the first fits, and the light against the field; a Hamiltonian is made for defect and drive."""
    frequency, drive = light["frequency"].values, drive_of(light)
    if isinstance(model, str) and model in EXACT:
        if correction is not None:
            raise LayoutError(f"the model {model!r} holds the field already: leave the correction out")
        first = hamiltonian_of(EXACT[model], defect, drive, frequency)
        known = light.attrs["bias_field"] if bias is None else bias
        assert isinstance(first, HamiltonianModel)
        return first, exact_lines(first, defect, drive, known, sign, free_E=free_E)
    if isinstance(model, str) and model.split("+")[0] in EXACT:
        raise ValueError(f"model {model!r}: nothing can be added to the exact lines; 'hamiltonian+baseline' is there")
    if isinstance(model, str) and model.split("+")[0] in HAMILTONIAN:
        chosen = hamiltonian_of(model, defect, drive, frequency)
    else:
        chosen = choose_model(model, light)
    return chosen, lines_of(chosen, defect, correction, frequency, free_E=free_E)
