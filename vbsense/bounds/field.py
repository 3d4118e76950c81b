"""The smallest error of the field that a spectrum of two lines allows.

The two lines are at ``f+- = D +- h`` with ``h = sqrt(E^2 + (gamma Bz)^2)``, so that ``dBz/dh = h / (gamma^2 Bz)``: the
bound diverges towards zero field. The parameters of the bound are the field, D (the mean of the two lines) and what
else the line shape has; a parameter that is not `free` is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vbsense._names import choices
from vbsense.bounds.information import Noise, information, model_jacobian, variance_of
from vbsense.defect import VB14N, Defect
from vbsense.lineshape import Model, get_model

__all__ = ["choose_free", "doublet", "field_bound", "field_jacobian", "nuisances"]

_CENTERS = ("center_lower", "center_upper")


def doublet(
    field: Any,
    *,
    fwhm: Any,
    contrast: Any,
    electrons: Any,
    model: str | Model = "gaussian",
    defect: Defect = VB14N,
    others: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Parameters of two equal lines in a field along c.

    Parameters
    ----------
    field : array_like
        Bz (T).
    fwhm : array_like
        Full width at half maximum of a line (Hz); of one line of the comb, if the model is one.
    contrast : array_like
        Depth of a line at its centre, as a fraction of the light beside it; of the whole comb.
    electrons : array_like
        Per exposure, beside the lines.
    model : str or Model
        With two lines: "gaussian", "lorentzian", "hyperfine14", ...
    defect : Defect
        Gives D, E and gamma.
    others : mapping of str to float, optional
        What else the model has, for example ``{"mixing": 0.3}``; by default the middle of its bounds, or 0.

    Returns
    -------
    ndarray, (..., p)
        In the order of ``model.parameters``; the arguments are broadcast.

    Examples
    --------
    >>> doublet(10e-3, fwhm=150e6, contrast=0.05, electrons=1e6)[1:3].round(-6).tolist()     # the lines, Hz
    [3184000000.0, 3756000000.0]
    """
    model = _two_lines(model)
    field, fwhm, contrast, electrons = np.broadcast_arrays(
        *(np.asarray(v, dtype=float) for v in (field, fwhm, contrast, electrons))
    )
    if not np.isfinite(field).all():
        raise ValueError("field has values that are not finite; give Bz in T")
    for name, value, unit in (("fwhm", fwhm, "Hz"), ("electrons", electrons, "electrons per exposure")):
        if not (np.isfinite(value) & (value > 0)).all():
            raise ValueError(f"{name} is {value.min():g} at its lowest; it must be positive and finite, in {unit}")
    if not ((contrast > 0) & (contrast < 1)).all():
        worst = contrast.ravel()[np.argmax(np.abs(contrast - 0.5))]
        raise ValueError(f"contrast is {worst:g}; it is the depth of a dip, a fraction above 0 and below 1")
    split = np.hypot(defect.E, defect.gamma * field)
    if (split >= defect.D).any():
        raise ValueError(
            f"field reaches {np.abs(field).max():g} T, where the lower line is below 0 Hz; fields are in T: 10 mT is "
            "10e-3"
        )
    known = {
        "offset": electrons,
        "center_lower": defect.D - split,
        "center_upper": defect.D + split,
    }
    known |= {
        n: fwhm if n.startswith("fwhm") else contrast for n in model.parameters if n.startswith(("fwhm", "contr"))
    }
    extra = dict(zip(model.parameters, model.middle, strict=True)) | dict(others or {})
    for name in others or {}:
        if name in known or name not in model.parameters:
            free = [n for n in model.parameters if n not in known]
            raise ValueError(
                f"others: {name!r} is none of what {model.name!r} has besides: {', '.join(free) or 'nothing'}"
            )
    return np.stack(np.broadcast_arrays(*(known.get(n, extra[n]) for n in model.parameters)), axis=-1)


def field_bound(
    frequency: Any,
    parameters: Any,
    *,
    model: str | Model = "gaussian",
    defect: Defect = VB14N,
    noise: Noise | None = None,
    free: Sequence[str] | None = None,
) -> np.ndarray:
    """Cramer-Rao bound on Bz from one spectrum of two lines.

    Parameters
    ----------
    frequency : array_like, (m,)
        Points of the sweep (Hz).
    parameters : array_like, (..., p)
        Of the lines, for example from `doublet`.
    model : str or Model
        Line shape, with two lines.
    defect : Defect
        Its E and gamma.
    noise : Noise, optional
        By default the shot noise of one exposure.
    free : sequence of str, optional
        What is unknown besides the field: some of "D" and the parameters of the model but its centres. By default
        all of them.

    Returns
    -------
    ndarray, (...)
        One sigma (T). Infinite where the sweep does not determine the field: at zero field, or with the lines
        outside the sweep.

    Raises
    ------
    ValueError
        For an unknown name, or fewer frequencies than unknowns.

    Notes
    -----
    Least squares with right weights and Poisson likelihood reach it at contrasts up to 10 % and above 1e4 electrons.

    Examples
    --------
    >>> sweep = np.linspace(2.97e9, 3.97e9, 101)
    >>> lines = doublet([0.2e-3, 10e-3], fwhm=150e6, contrast=0.05, electrons=1e6)
    >>> (field_bound(sweep, lines) * 1e6).round(1).tolist()            # uT: a small bias field costs dearly
    [151.7, 13.7]
    >>> (field_bound(sweep, lines, noise=Noise(frames=100)) * 1e6).round(2).tolist()
    [15.17, 1.37]
    """
    model = _two_lines(model)
    keep = choose_free(model, free)
    values, jacobian = field_jacobian(frequency, parameters, model, defect)
    if values.shape[-1] < len(keep):
        raise ValueError(
            f"{values.shape[-1]} frequencies for {len(keep)} unknowns ({', '.join(_names(model, keep))}): add "
            "frequencies, or say with free=('D', 'offset') that the others are known"
        )
    variance = (Noise() if noise is None else noise).variance(values)
    return np.sqrt(field_variance(jacobian[..., keep, :], variance))


def field_variance(jacobian: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Variance of the first parameter: rows of `field_jacobian`, (..., k, m), variances (..., m) -> (...) T^2."""
    first = np.zeros(jacobian.shape[-2])
    first[0] = 1.0
    return variance_of(information(jacobian, variance), first)


def field_jacobian(
    frequency: Any, parameters: Any, model: str | Model = "gaussian", defect: Defect = VB14N
) -> tuple[np.ndarray, np.ndarray]:
    """Values, and derivatives by the field, D and the other parameters.

    Parameters
    ----------
    frequency : array_like, (m,)
        Hz.
    parameters : array_like, (..., p)
        Of the lines.
    model : str or Model
        With two lines.
    defect : Defect
        Its E and gamma.

    Returns
    -------
    values : ndarray, (..., m)
        Electrons.
    jacobian : ndarray, (..., p, m)
        By the field (electron/T), then in the order of `nuisances`.

    Examples
    --------
    >>> values, slopes = field_jacobian([3.1e9, 3.25e9], doublet(10e-3, fwhm=150e6, contrast=0.05, electrons=1e6))
    >>> slopes.shape, bool(slopes[0, 0] * slopes[0, 1] < 0)         # the two flanks of the lower line
    ((7, 2), True)
    """
    model = _two_lines(model)
    parameters = np.asarray(parameters, dtype=float)
    values, by = model_jacobian(model, frequency, parameters)
    lower, upper = (model.index(name) for name in _CENTERS)
    split = (parameters[..., upper] - parameters[..., lower]) / 2
    if (split <= 0).any():
        raise ValueError("center_lower must be below center_upper")
    # Below 2 E no field along c gives such lines; fits there have no field, and no bound.
    field = np.sqrt(np.maximum(split**2 - defect.E**2, 0.0)) / defect.gamma
    slope = (defect.gamma**2 * field / split)[..., None]
    own = [slope * (by[..., upper, :] - by[..., lower, :]), by[..., upper, :] + by[..., lower, :]]
    rest = [by[..., model.index(name), :] for name in nuisances(model)[1:]]
    return values, np.stack([*own, *rest], axis=-2)


def nuisances(model: str | Model) -> tuple[str, ...]:
    """What is unknown besides the field: "D", then the parameters of the model that are no centres.

    Examples
    --------
    >>> nuisances("gaussian")
    ('D', 'offset', 'fwhm_lower', 'fwhm_upper', 'contrast_lower', 'contrast_upper')
    """
    return ("D", *(name for name in _two_lines(model).parameters if name not in _CENTERS))


def choose_free(model: str | Model, free: Sequence[str] | None) -> list[int]:
    """Rows of `field_jacobian` that `free` keeps: the field, and what is named.

    Examples
    --------
    >>> choose_free("gaussian", ("offset", "D"))
    [0, 1, 2]
    """
    names = nuisances(model)
    if free is None:
        return list(range(len(names) + 1))
    chosen = (free,) if isinstance(free, str) else tuple(free)
    for name in chosen:
        if name not in names:
            raise ValueError(f"free: {name!r} is unknown; {choices(name, names)} (the field is always free)")
    return [0, *sorted({1 + names.index(name) for name in chosen})]


def _names(model: Model, keep: list[int]) -> tuple[str, ...]:
    return tuple(("field", *nuisances(model))[k] for k in keep)


def _two_lines(model: str | Model) -> Model:
    model = get_model(model)
    missing = [name for name in (*_CENTERS, "offset") if name not in model.parameters]
    if missing:
        raise ValueError(f"model {model.name!r} has no {missing[0]!r}; a field needs two lines, as 'gaussian' has")
    return model
