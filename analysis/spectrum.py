"""One spectrum in depth: the same models through lmfit, with its reports, confidence intervals and plots."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.fit import fit_sweep
from vbsense.analysis.fitted import model_of
from vbsense.data import LayoutError, make_site_sweep
from vbsense.layout import check_frequency
from vbsense.lineshape import HAMILTONIAN, Model, get_model

__all__ = ["Prepared", "fit_spectrum", "known_noise", "prepare"]


def fit_spectrum(
    spectrum: xr.Dataset | xr.DataArray,
    model: str | Model = "gaussian",
    *,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> Any:
    """Fit one spectrum with lmfit.

    Parameters
    ----------
    spectrum : xarray.Dataset or xarray.DataArray
        A sweep with a single pixel or site, for example ``sweep.isel(y=[3], x=[4])`` or ``sweep.isel(y=3, x=4)``, or
        a DataArray over ``frequency`` (Hz) in electrons, whose noise is then estimated from its residuals.
    model, bounds, fixed
        As in `vbsense.analysis.fit_sweep`.

    Returns
    -------
    lmfit.model.ModelResult
        ``params`` carry the names of the model, in electrons, Hz, T and 1; ``fit_report()`` and ``conf_interval()``
        work. Where the noise is known (``signal_err`` or ``frames``) errors are absolute; confidence intervals are
        with ``conf_interval(prob_func=known_noise)``, for lmfit by itself takes the noise from the residuals.

    Raises
    ------
    ValueError
        If there is more than one spectrum, no more points than free parameters, a NaN, or an unknown name.

    Examples
    --------
    >>> import numpy as np
    >>> from vbsense.data import make_sweep
    >>> from vbsense.lineshape import get_model
    >>> frequency = np.linspace(3.2e9, 3.7e9, 101)
    >>> electrons = get_model("lorentzian1").evaluate(frequency, [1e6, 3.47e9, 60e6, 0.05])
    >>> sweep = make_sweep(electrons[:, None, None], frequency, pixel_size=1e-7, frames=1)
    >>> result = fit_spectrum(sweep, model="lorentzian1")
    >>> round(result.params["center"].value / 1e9, 6), bool(result.params["center"].stderr > 0)
    (3.47, True)
    """
    return prepare(spectrum, model, bounds, fixed).result()


def known_noise(best: Any, other: Any) -> float:
    """Probability for ``conf_interval(prob_func=known_noise)`` where the noise is known.

    Parameters
    ----------
    best, other : lmfit.minimizer.MinimizerResult
        The best fit, and the best with one parameter held elsewhere.

    Returns
    -------
    float
        That the true value lies closer than where it was held: that of chi-squared with one degree of freedom.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> round(known_noise(SimpleNamespace(chisqr=90.0), SimpleNamespace(chisqr=91.0)), 4)      # one sigma
    0.6827
    """
    return math.erf(math.sqrt(max(other.chisqr - best.chisqr, 0.0) / 2))


@dataclass(frozen=True)
class Prepared:
    """A model with its start values, and the weights that go with them."""

    model: Model
    sweep: xr.Dataset
    options: Any
    first: np.ndarray
    sigma: np.ndarray | None

    def chisqr(self) -> float:
        """Sum of squares at the start values, which are those of the batch fit."""
        signal = self.sweep["signal"].values[:, 0]
        miss = signal - self.model.evaluate(self.sweep["frequency"].values, self.first)
        return float(((miss if self.sigma is None else miss / self.sigma) ** 2).sum())

    def result(self, sigma: np.ndarray | None = None) -> Any:
        """Fit with lmfit, with the weights of `sigma` or its own."""
        return _run_lmfit(self.model, self.options, self.sweep, self.sigma if sigma is None else sigma, self.first)


def prepare(spectrum: xr.Dataset | xr.DataArray, model: str | Model, bounds: Any = None, fixed: Any = None) -> Prepared:
    """Check a spectrum and what is asked of it, and find the start values (see `fit_spectrum`)."""
    chosen, sweep = _read(spectrum, model)
    first, options = _first_values(chosen, sweep, bounds, fixed)
    return Prepared(chosen, sweep, options, first, _sigma(chosen, sweep, first))


def _read(spectrum: xr.Dataset | xr.DataArray, model: str | Model) -> tuple[Model, xr.Dataset]:
    """The model, made for the frequencies if it is that of the Hamiltonian, and the sweep of one site."""
    sweep = _one_site(spectrum)
    if isinstance(model, str) and model.split("+")[0] in HAMILTONIAN:
        named = xr.Dataset(attrs={"model": model, "frequency": sweep["frequency"].values} | sweep.attrs)
        return model_of(named), sweep
    return get_model(model), sweep


def _one_site(spectrum: xr.Dataset | xr.DataArray) -> xr.Dataset:
    """Return the points that were measured, as a sweep of one site."""
    if isinstance(spectrum, xr.DataArray):
        spectrum = spectrum.to_dataset(name="signal")
    elif not isinstance(spectrum, xr.Dataset):
        raise TypeError(f"a spectrum is an xarray.Dataset or DataArray; received {type(spectrum).__name__}")
    if "signal" not in spectrum or "frequency" not in spectrum["signal"].dims:
        raise LayoutError("a spectrum needs 'signal' with the dimension 'frequency'")
    frequency = check_frequency(spectrum["frequency"].values if "frequency" in spectrum.coords else None)
    columns = {name: _one(spectrum[name], frequency.size) for name in ("signal", "signal_err") if name in spectrum}
    kept = {name: spectrum.attrs.get(name) for name in ("read_noise", "excess_noise", "drive")}
    if "frames" in spectrum:
        count = np.nan_to_num(_one(spectrum["frames"], frequency.size))
        frequency, columns = frequency[count > 0], {name: values[count > 0] for name, values in columns.items()}
        frames = count[count > 0]
    else:
        frames = spectrum.attrs.get("frames")
    if not np.isfinite(columns["signal"]).all():
        raise ValueError("the spectrum holds NaN or infinite values; mend or drop these points")
    error = columns["signal_err"][:, None] if "signal_err" in columns else None
    sweep = make_site_sweep(
        columns["signal"][:, None], frequency, x=[0.0], y=[0.0], row=[0], column=[0], error=error, **kept
    )
    if frames is not None:
        sweep["frames"] = ("frequency", np.broadcast_to(np.asarray(frames, float), frequency.shape), {"units": "1"})
    return sweep


def _one(values: xr.DataArray, points: int) -> np.ndarray:
    if values.size != points:
        raise ValueError(f"dimensions {dict(values.sizes)} are {values.size // points} spectra; select one, with .isel")
    return np.asarray(values.values, dtype=float).ravel()


def _first_values(model: Model, sweep: xr.Dataset, bounds: Any, fixed: Any) -> tuple[np.ndarray, Any]:
    """Parameters from the batch fit (where that fails, the middle of the sweep), and what the caller asked for."""
    from vbsense.analysis._options import read_options

    options = read_options(model, sweep["frequency"].values, bounds, fixed)
    free, points = int((~options.fixed).sum()), sweep.sizes["frequency"]
    if points <= free:
        raise ValueError(f"{points} valid frequencies cannot hold the {free} free parameters of {model.name!r}")
    fit = fit_sweep(sweep, model, bounds=bounds, fixed=fixed, threads=1)
    values = np.array([fit[name].item() for name in model.parameters])
    low, high = sweep["frequency"].values[[0, -1]]
    rough = {"electron": float(sweep["signal"].mean()), "Hz": (high - low) / 5, "1": 0.01, "1/Hz": 0.0, "T": 1e-2}
    rough_values = [rough[unit] for unit in model.units]
    for name in model.positions:
        rough_values[model.index(name)] = (low + high) / 2
    values = np.where(np.isfinite(values), values, rough_values)
    for i, value in options.start.items():
        values[i] = value
    return np.clip(values, options.lower, options.upper), options


def _sigma(model: Model, sweep: xr.Dataset, parameters: np.ndarray) -> np.ndarray | None:
    """One sigma of each point, as in `fit_sweep`; None if it is not known."""
    if "signal_err" in sweep:
        return sweep["signal_err"].values[:, 0].astype(float)
    if "frames" not in sweep:
        return None
    signal = model.evaluate(sweep["frequency"].values, parameters)
    light = np.maximum(signal, 0.05 * float(sweep["signal"].mean()))
    variance = float(sweep.attrs.get("excess_noise", 1.0)) * light + float(sweep.attrs.get("read_noise", 0.0)) ** 2
    return np.sqrt(variance / sweep["frames"].values)


def _run_lmfit(model: Model, options: Any, sweep: xr.Dataset, sigma: np.ndarray | None, first: np.ndarray) -> Any:
    import lmfit

    frequency, signal = sweep["frequency"].values, sweep["signal"].values[:, 0].astype(float)

    def function(frequency: Any, **parameters: Any) -> Any:
        return model.function(frequency, *(parameters[name] for name in model.parameters))

    # lmfit reads parameter names from the signature; a model's function may have others, or none.
    kinds = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in ("frequency", *model.parameters)]
    function.__signature__ = inspect.Signature(kinds)  # type: ignore[attr-defined]
    engine = lmfit.Model(function, independent_vars=["frequency"], name=model.name)
    parameters = lmfit.Parameters()
    for i, name in enumerate(model.parameters):
        parameters.add(
            name, value=float(first[i]), vary=not options.fixed[i], min=options.lower[i], max=options.upper[i]
        )
    weights = None if sigma is None else 1 / sigma
    return engine.fit(signal, parameters, frequency=frequency, weights=weights, scale_covar=sigma is None)
