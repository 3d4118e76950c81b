"""The whole posterior of a wire's parameters by Monte-Carlo sampling: where errors are lopsided, or stop at bounds."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
import xarray as xr

from vbsense._numbers import whole
from vbsense.analysis._wire_parameters import UNITS, base_of
from vbsense.analysis._wire_text import with_prefix
from vbsense.analysis.wire import WireFit

__all__ = ["sample_posterior"]

_LONG = 50  # autocorrelation times that a chain should have: then their estimate can be trusted
_SETTLING = 5  # autocorrelation times that are thrown away at the beginning


def sample_posterior(fit: Any, *, steps: int = 2000, walkers: int | None = None, rng: Any = None) -> xr.Dataset:
    """Draw the parameters of a wire from their posterior with an ensemble of walkers.

    The posterior is that of the fit: Gaussian noise, its priors, and zero outside its bounds; flat where there is no
    prior. It needs no straight model and no symmetric errors, which the covariance of the fit assumes.

    Parameters
    ----------
    fit : WireFit or CubeFit
        From `fit_wire`, or from `fit_cube` with a wire. Of a cube all other parameters are integrated out around
        their best values.
    steps : int
        Of every walker, those included that are thrown away at the beginning.
    walkers : int, optional
        At least twice as many as parameters; by default four times as many, and 16 at least.
    rng : None, int, sequence of int, SeedSequence, or numpy.random.Generator
        The same seed gives the same bytes.

    Returns
    -------
    xarray.Dataset
        Every parameter (walker, step), in SI units, and ``log_posterior``, without the beginning. By ``parameter``:
        ``mean``, ``std``, ``lower``, ``median`` and ``upper`` (16, 50 and 84 %) and ``autocorrelation_time`` (steps);
        ``covariance`` (parameter, parameter2). attrs: ``summary`` (text), ``acceptance``, ``discarded`` (steps),
        ``effective_samples`` (the fewest of any parameter), and ``converged``, 1 or 0.

    Raises
    ------
    ImportError
        Without emcee, which is the extra ``sampling``.
    TypeError, ValueError
        If `fit` is no fit of a wire, or a number cannot be.

    Warns
    -----
    UserWarning
        If the chain is shorter than 50 autocorrelation times.

    Notes
    -----
    Differential evolution (ter Braak 2006; with a snooker update, ter Braak and Vrugt 2008), by emcee (Foreman-Mackey
    et al., arXiv:1202.3665): a walker moves along the difference of two others, whatever the scales and correlations.
    The first five autocorrelation times are thrown away. A mean has the error ``std / sqrt(effective_samples)``.
    Where the map has no errors, they are taken as the scatter about the fitted model.

    Examples
    --------
    >>> import vbsense as vb
    >>> from vbsense import analysis
    >>> bar = vb.Bar((0, -1e-3, -5e-8), (0, 1e-3, -5e-8), width=1e-6, thickness=1e-7, current=1e-3)
    >>> array = vb.SensorArray(pitch=400e-9, shape=(1, 8))
    >>> sites = vb.data.make_site_sweep(np.ones((2, 8)), [3e9, 3.1e9], x=array.x, y=array.y,
    ...                                 row=array.row, column=array.column)
    >>> Bz = array.average(bar.field, standoff=80e-9)[:, 2]
    >>> map_ = vb.data.make_site_map(Bz, sites=sites, error=np.full(8, 1e-5), sensor_array=array.to_json())
    >>> fit = analysis.fit_wire(map_, wire=bar, free=("current", "offset"), standoff=80e-9)
    >>> with warnings.catch_warnings():  # so short a chain is good for an example only
    ...     warnings.simplefilter("ignore")
    ...     chain = sample_posterior(fit, steps=40, walkers=8, rng=1)
    >>> bool(abs(chain["mean"].sel(parameter="current") - 1e-3) < 5 * fit.errors["current"])
    True
    """
    fit = _wire_of(fit)
    n = len(fit.values)
    steps = whole("steps", steps, 10)
    count = max(4 * n, 16) if walkers is None else whole("walkers", walkers, 2 * n)
    emcee = _emcee()
    target = _Target(fit)
    generator = np.random.default_rng(rng)
    # Differences of walkers mix several times faster here than stretching: a posterior of a fit is nearly normal.
    moves = [(emcee.moves.DEMove(), 0.8), (emcee.moves.DESnookerMove(), 0.2)]
    sampler = emcee.EnsembleSampler(count, n, target, moves=moves)
    sampler.random_state = np.random.MT19937(generator.integers(2**63)).state
    sampler.run_mcmc(target.start(generator, count), steps)
    time = np.array([_time(emcee, sampler.get_chain()[:, :, k]) for k in range(n)])
    cut = int(min(np.ceil(_SETTLING * time.max()), steps // 2))
    return _as_dataset(fit, target, sampler, cut, time)


def _wire_of(fit: Any) -> WireFit:
    if not isinstance(fit, WireFit) and hasattr(fit, "wire") and hasattr(fit, "field"):
        fit = fit.wire  # of a cube
        if fit is None:
            raise ValueError("the fit of the cube has no wire; give fit_cube(..., wire=...)")
    if not isinstance(fit, WireFit):
        raise TypeError(f"fit is a {type(fit).__name__}; give what fit_wire or fit_cube returned")
    if fit.misfit is None or fit.parameters is None:
        raise ValueError("the fit does not hold its data any more; give what fit_wire or fit_cube returned")
    return fit


def _emcee() -> Any:
    try:
        return importlib.import_module("emcee")
    except ImportError as error:
        raise ImportError(f'sampling needs emcee: pip install "vbsense[sampling]" ({error})') from error


class _Target:
    """Logarithm of the posterior in coordinates in which the fit expects a unit normal distribution."""

    def __init__(self, fit: WireFit) -> None:
        assert fit.parameters is not None
        assert fit.misfit is not None
        self.low, self.high, self.misfit = fit.parameters.low, fit.parameters.high, fit.misfit
        self.middle = np.array([fit.values[name] for name in fit.parameters.free])
        # Errors that the map does not tell are those that make chi-squared what it should be.
        self.scale = fit.chi2 / fit.degrees if np.isnan(fit.reduced_chi2) else 1.0
        known = np.isfinite(np.diag(fit.covariance))
        self.root = np.diag(np.where(known, 0.0, self._width(fit)))
        own = fit.covariance[np.ix_(known, known)]
        self.root[np.ix_(known, known)] = np.linalg.cholesky(own) if known.any() else own

    def _width(self, fit: WireFit) -> np.ndarray:
        """A length for parameters that ended on a bound, of which no error is known."""
        assert fit.parameters is not None
        span = np.where(np.isfinite(self.high - self.low), (self.high - self.low) / 100, np.inf)
        guess = np.minimum(span, np.fmin(fit.parameters.prior_sigma, np.abs(self.middle) / 10))
        return np.where(np.isfinite(guess) & (guess > 0), guess, 1e-9)

    def values(self, z: np.ndarray) -> np.ndarray:
        """Parameters (..., n) of coordinates (..., n)."""
        return self.middle + z @ self.root.T

    def __call__(self, z: np.ndarray) -> float:
        x = self.values(z)
        if (x < self.low).any() or (x > self.high).any():
            return -np.inf
        return -0.5 * self.misfit(x) / self.scale

    def start(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Walkers around the best fit, all of them inside the bounds."""
        found: list[np.ndarray] = []
        spread = 1.0
        while len(found) < count:
            z = rng.normal(0, spread, (8 * count, self.middle.size))
            x = self.values(z)
            found += list(z[((x >= self.low) & (x <= self.high)).all(axis=1)])
            spread = max(spread * 0.9, 1e-3)
        return np.array(found[:count])


def _time(emcee: Any, chain: np.ndarray) -> float:
    """Autocorrelation time (steps) of chains (step, walker)."""
    time = float(emcee.autocorr.integrated_time(chain[:, :, None], tol=0)[0])
    return time if np.isfinite(time) and time >= 1 else 1.0


def _as_dataset(fit: WireFit, target: _Target, sampler: Any, cut: int, time: np.ndarray) -> xr.Dataset:
    chain = target.values(sampler.get_chain(discard=cut))
    steps, walkers, n = chain.shape
    names = list(fit.values)
    data: dict[str, Any] = {
        name: (("walker", "step"), chain[:, :, k].T, {"units": UNITS[base_of(name)]}) for k, name in enumerate(names)
    }
    data["log_posterior"] = (("walker", "step"), sampler.get_log_prob(discard=cut).T, {"units": "1"})
    flat = chain.reshape(-1, n)
    lower, median, upper = np.quantile(flat, [0.16, 0.5, 0.84], axis=0)
    mixed = {"units": "1", "comment": "in the unit of the parameter"}
    for name, values in (("mean", flat.mean(axis=0)), ("std", flat.std(axis=0, ddof=1)), ("lower", lower),
                         ("median", median), ("upper", upper)):  # fmt: skip
        data[name] = ("parameter", values, mixed)
    data["autocorrelation_time"] = ("parameter", time, {"units": "1"})
    data["covariance"] = (("parameter", "parameter2"), np.atleast_2d(np.cov(flat.T)), mixed)
    result = xr.Dataset(data, coords={"parameter": names, "parameter2": names})
    total = steps + cut
    converged = bool(total >= _LONG * time.max())
    result.attrs = {
        "acceptance": float(np.mean(sampler.acceptance_fraction)), "discarded": cut,
        "effective_samples": float(steps * walkers / time.max()), "converged": int(converged),
    }  # fmt: skip
    result.attrs["summary"] = _summary(result, names)
    if not converged:
        warnings.warn(
            f"the chain has {total} steps, {total / time.max():.0f} autocorrelation times of {time.max():.0f} steps: "
            f"its errors cannot be trusted; take steps={int(np.ceil(_LONG * time.max() * 1.2))} or more",
            UserWarning,
            stacklevel=3,
        )
    return result


def _summary(chain: xr.Dataset, names: list[str]) -> str:
    attrs = chain.attrs
    lines = [
        f"{chain.sizes['walker']} walkers, {chain.sizes['step']} steps after {attrs['discarded']}, "
        f"{attrs['effective_samples']:.0f} independent samples, {100 * attrs['acceptance']:.0f} % accepted"
    ]
    width = max(map(len, names))
    for name in names:
        own = chain.sel(parameter=name, parameter2=name)
        text = with_prefix(float(own["mean"]), float(own["std"]), UNITS[base_of(name)])
        lines.append(f"  {name:<{width}}  {text}, {float(own.autocorrelation_time):.0f} steps of autocorrelation")
    return "\n".join(lines)
