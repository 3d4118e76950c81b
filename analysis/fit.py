"""Fit every spectrum of a sweep: parameters with errors, reduced chi-squared and flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._noise import Noise, read_noise_options
from vbsense.analysis._read import broadcast_start, choose_precision, frames_of, planes_of, read_mask, result_shape
from vbsense.data import make_fit
from vbsense.groundstate.effective import HamiltonianModel, hamiltonian_model
from vbsense.layout import check_positive, require
from vbsense.lineshape import MODELS, SPECIAL_MODELS, Model, get_model, verify
from vbsense.storage.ordered import thread_count

__all__ = ["fit_sweep"]

MAX_ITERATIONS = 40
HAMILTONIAN = {"hamiltonian": "lorentzian", "hamiltonian_gaussian": "gaussian"}


def fit_sweep(
    sweep: xr.Dataset,
    model: str | Model = "gaussian",
    *,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    fixed: Mapping[str, float] | None = None,
    start: Mapping[str, Any] | None = None,
    mask: Any = None,
    noise: str = "auto",
    loss: str = "squares",
    covariance: bool = False,
    precision: str = "auto",
    threads: int | None = None,
    max_iterations: int = MAX_ITERATIONS,
    progress: bool = False,
) -> xr.Dataset:
    """Fit a line shape to every spectrum of a sweep.

    Parameters
    ----------
    sweep : xarray.Dataset
        Dimensions (..., frequency, y, x) or (..., frequency, site), see `vbsense.data`.
    model : str or Model
        "gaussian", "lorentzian" (two lines), "gaussian1", "lorentzian1" (one line) and others of
        `vbsense.lineshape`; "hamiltonian" or "hamiltonian_gaussian", which have the field for a parameter and are made
        for the frequencies and the drive of the sweep with VB14N (see `vbsense.groundstate.effective`); or your own.
    bounds : mapping, optional
        ``{"fwhm_lower": (1e6, 3e8)}``, in electrons, Hz, T or 1. Otherwise centers stay inside the sweep, widths
        between half a step and twice the span, contrasts between 0 and 1.
    fixed : mapping, optional
        ``{"contrast_upper": 0.05}``: parameters that are not fitted; their error is 0.
    start : mapping, optional
        Start values: numbers, or arrays with the shape of the result; NaN leaves one to the program. Those that are
        not given are found by matched filter.
    mask : array_like of bool, optional
        True where nothing is to be fitted; the last dimensions of the result.
    noise : {"auto", "poisson", "uniform"}
        Where the weights of the points come from, see Notes. "poisson" maximises the likelihood of shot noise: its
        weights follow the model to the very end, which counts below some hundred electrons. "uniform" weighs all
        points alike, whatever their signal.
    loss : {"squares", "huber"}
        "huber" lets residuals beyond 1.345 sigma count linearly: a few bad points, of blinking or a cosmic ray, then
        hardly matter. It costs 5 % in variance where there are none.
    covariance : bool
        Add the variable ``covariance`` (..., parameter, parameter2).
    precision : {"auto", "single", "double"}
        "auto" computes in float64 if there are fewer than 20 000 spectra, or if they are float64 and the noise of a
        point is below 1e-4 of the signal; else in float32, whose rounding is then far below the noise.
    threads : int, optional
        Default: the processors that this process may use. The result does not depend on it.
    max_iterations : int
        Most evaluations of the model for one spectrum.
    progress : bool
        Show a progress bar.

    Returns
    -------
    xarray.Dataset
        A fit, see `vbsense.data`: each parameter and its 1-sigma error ``<name>_err``, ``reduced_chi2`` and
        ``flags``. A spectrum with a fatal flag (`vbsense.flags.FATAL`) holds NaN; a parameter on a bound has the
        error NaN, and the others are those for that parameter fixed. attrs: ``model``, ``sigma``, ``precision``
        and ``evaluations`` (mean number of evaluations of the model for a spectrum that was fitted).

    Raises
    ------
    LayoutError, ValueError
        If the sweep or an option cannot be; one line that names it.

    Notes
    -----
    One sigma of a point is, in this order: the variable ``signal_err``; shot noise,
    ``sqrt((excess_noise signal + read_noise^2) / frames)`` with the fitted signal in place of the noisy one, if the
    sweep says how many frames were averaged; else the residuals (``attrs["sigma"]`` says which). In the first two
    cases errors are absolute and `reduced_chi2` tells whether the model describes the data. In the last, errors are
    scaled by it, and it compares the residuals with the scatter of neighbouring points. Points without frames have
    no weight.

    Examples
    --------
    >>> import numpy as np
    >>> from vbsense.data import make_sweep
    >>> from vbsense.lineshape import get_model
    >>> frequency = np.linspace(3.07e9, 3.87e9, 101)
    >>> truth = [1e6, 3.32e9, 3.62e9, 120e6, 120e6, 0.05, 0.05]
    >>> electrons = np.random.default_rng(0).poisson(get_model("gaussian").evaluate(frequency, truth))
    >>> sweep = make_sweep(electrons[:, None, None], frequency, pixel_size=1e-7, exposure=0.1, frames=1)
    >>> fit = fit_sweep(sweep, model="gaussian")
    >>> float(abs(fit.center_lower - 3.32e9).squeeze()) < 3 * float(fit.center_lower_err.squeeze())
    True
    >>> int(fit.flags.squeeze()), fit.attrs["sigma"]
    (0, 'shot noise')
    """
    require(sweep, "sweep")
    chosen = _chosen(model, sweep)
    own = read_noise_options(sweep, noise, loss)
    plan, masked = _prepare(sweep, chosen, bounds, fixed, start, mask, own, covariance, precision, int(max_iterations))
    total = plan.signal.shape[0] * plan.signal.shape[2]
    out = _Output(len(chosen.parameters), total, covariance)
    from vbsense.analysis._block import BLOCK, solve_block

    def work(first: int) -> None:
        last = min(first + BLOCK, total)
        out.put(first, last, *solve_block(plan, first, last, masked[first:last]))

    _run(work, range(0, total, BLOCK), thread_count(threads), progress)
    out.order_lines(chosen, plan.options)
    return _dataset(sweep, chosen, plan, out)


def _chosen(model: str | Model, sweep: xr.Dataset) -> Model:
    """The model by name or as given; that of the Hamiltonian by name is made for the sweep."""
    if isinstance(model, str) and model in HAMILTONIAN:
        drive = sweep.attrs.get("drive", (1.0, 0.0, 0.0))
        frequency = sweep["frequency"].values
        return hamiltonian_model(
            drive=drive, shape=HAMILTONIAN[model], frequency=frequency if frequency.size > 1 else None
        )
    chosen = get_model(model)
    if chosen is not (MODELS | SPECIAL_MODELS).get(chosen.name) and not isinstance(chosen, HamiltonianModel):
        verify(chosen)
    return chosen


def _prepare(
    sweep: xr.Dataset, model: Model, bounds: Any, fixed: Any, start: Any, mask: Any, noise: Noise,
    covariance: bool, precision: str, limit: int,
) -> tuple[Any, np.ndarray]:  # fmt: skip
    from vbsense.analysis._options import read_options
    from vbsense.analysis._plan import make_plan

    if limit < 1:
        raise ValueError(f"max_iterations is {limit}; it must be at least 1")
    frequency = sweep["frequency"].values.astype(float)
    shape = result_shape(sweep)
    options = read_options(model, frequency, bounds, fixed, broadcast_start(start, shape))
    if model.guess is None and not model.lines and not isinstance(model, HamiltonianModel):
        missing = [name for i, name in enumerate(model.parameters) if i not in options.start]
        if missing:
            raise ValueError(f"model {model.name!r} has no guess; give start values of {', '.join(missing)}")
    signal = planes_of(sweep["signal"])
    error = planes_of(sweep["signal_err"]) if noise.given else None
    check_positive(sweep, "frames", "frames")
    count = frames_of(sweep, len(signal))
    dtype = choose_precision(precision, signal, count, noise.known or noise.given)
    plan = make_plan(
        model, options, dtype, frequency, count, noise.known,
        signal=signal, error=error, read_noise=noise.read_noise, excess_noise=noise.excess_noise, tail=noise.tail,
        follow=noise.follow, limit=limit, covariance=covariance,
    )  # fmt: skip
    return plan, read_mask(mask, shape)


def _run(work: Callable[[int], None], firsts: range, threads: int, progress: bool) -> None:
    if threads == 1 or len(firsts) < 2:
        done: Any = map(work, firsts)
        _consume(done, len(firsts), progress)
        return
    with ThreadPoolExecutor(min(threads, len(firsts))) as pool:
        _consume(pool.map(work, firsts), len(firsts), progress)


def _consume(done: Any, total: int, progress: bool) -> None:
    if progress:
        from tqdm import tqdm

        done = tqdm(done, total=total, desc="fit", unit="block")
    for _ in done:
        pass


class _Output:
    """Results of all spectra, filled block by block."""

    def __init__(self, parameters: int, total: int, covariance: bool) -> None:
        self.values, self.errors = np.empty((parameters, total)), np.empty((parameters, total))
        self.covariance = np.empty((total, parameters, parameters)) if covariance else None
        self.chi2, self.flags = np.empty(total), np.empty(total, np.uint16)
        self.evaluations = np.empty(total, np.int32)

    def put(self, first: int, last: int, result: Any, errors: np.ndarray) -> None:
        """Store the block from `first` to `last`."""
        self.values[:, first:last], self.errors[:, first:last] = result.p.T, errors.T
        self.chi2[first:last], self.flags[first:last] = result.chi2, result.flags
        self.evaluations[first:last] = result.evaluations
        if self.covariance is not None:
            self.covariance[first:last] = result.covariance

    def order_lines(self, model: Model, options: Any) -> None:
        """Swap the lines of spectra that ended with the lower above the upper, unless the caller told them apart."""
        if len(model.lines) != 2:
            return
        lower, upper = (list(line) for line in model.lines)
        if any(options.fixed[i] or options.given[i] for i in lower + upper):
            return
        swapped = np.flatnonzero(self.values[lower[0]] > self.values[upper[0]])
        order = np.arange(len(model.parameters))
        for first, second in model.twins:
            order[[first, second]] = second, first
        self.values[:, swapped], self.errors[:, swapped] = (
            self.values[order][:, swapped],
            self.errors[order][:, swapped],
        )
        if self.covariance is not None:
            self.covariance[swapped] = self.covariance[swapped][:, order][:, :, order]


def _dataset(sweep: xr.Dataset, model: Model, plan: Any, out: _Output) -> xr.Dataset:
    shape, size = result_shape(sweep), len(model.parameters)
    sigma = "signal_err" if plan.error is not None else "shot noise" if plan.frames is not None else "residuals"
    fitted = out.evaluations > 0
    return make_fit(
        {name: out.values[i].reshape(shape) for i, name in enumerate(model.parameters)},
        {name: out.errors[i].reshape(shape) for i, name in enumerate(model.parameters)},
        sweep,
        flags=out.flags.reshape(shape),
        reduced_chi2=out.chi2.reshape(shape),
        units=dict(zip(model.parameters, model.units, strict=True)),
        covariance=None if out.covariance is None else out.covariance.reshape(*shape, size, size),
        model=model.name,
        sigma=sigma,
        precision=np.dtype(plan.dtype).name,
        evaluations=float(out.evaluations[fitted].mean()) if fitted.any() else 0.0,
    )
