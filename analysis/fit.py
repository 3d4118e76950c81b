"""Fit every spectrum of a sweep: parameters with errors, reduced chi-squared and flags."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._read import broadcast_start, choose_precision, frames_of, planes_of, read_mask, result_shape
from vbsense.data import LayoutError, make_fit
from vbsense.layout import check_positive, require
from vbsense.lineshape import MODELS, Model, get_model, verify

__all__ = ["fit_sweep"]

MAX_ITERATIONS = 40


def fit_sweep(
    sweep: xr.Dataset,
    model: str | Model = "gaussian",
    *,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    fixed: Mapping[str, float] | None = None,
    start: Mapping[str, Any] | None = None,
    mask: Any = None,
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
        "gaussian", "lorentzian" (two lines), "gaussian1", "lorentzian1" (one line), or your own.
    bounds : mapping, optional
        ``{"fwhm_lower": (1e6, 3e8)}``, in electrons, Hz or 1. Otherwise centers stay inside the sweep, widths between
        half a step and twice the span, contrasts between 0 and 1.
    fixed : mapping, optional
        ``{"contrast_upper": 0.05}``: parameters that are not fitted; their error is 0.
    start : mapping, optional
        Start values: numbers, or arrays with the shape of the result; NaN leaves one to the program. Those that are
        not given are found by matched filter.
    mask : array_like of bool, optional
        True where nothing is to be fitted; the last dimensions of the result.
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
    ``sqrt((signal + read_noise^2) / frames)`` with the fitted signal in place of the noisy one, if the sweep says how
    many frames were averaged; else the residuals (``attrs["sigma"]`` says which). In the first two cases errors are
    absolute and `reduced_chi2` tells whether the model describes the data. In the last, errors are scaled by it, and
    it compares the residuals with the scatter of neighbouring points. Points without frames have no weight.

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
    chosen = get_model(model)
    require(sweep, "sweep")
    if chosen is not MODELS.get(chosen.name):
        verify(chosen)
    plan, masked = _prepare(sweep, chosen, bounds, fixed, start, mask, covariance, precision, int(max_iterations))
    total = plan.signal.shape[0] * plan.signal.shape[2]
    out = _Output(len(chosen.parameters), total, covariance)
    from vbsense.analysis._block import BLOCK, solve_block

    def work(first: int) -> None:
        last = min(first + BLOCK, total)
        out.put(first, last, *solve_block(plan, first, last, masked[first:last]))

    _run(work, range(0, total, BLOCK), _thread_count(threads), progress)
    out.order_lines(chosen, plan.options)
    return _dataset(sweep, chosen, plan, out)


def _prepare(
    sweep: xr.Dataset, model: Model, bounds: Any, fixed: Any, start: Any, mask: Any, covariance: bool,
    precision: str, limit: int,
) -> tuple[Any, np.ndarray]:  # fmt: skip
    from vbsense.analysis._options import read_options
    from vbsense.analysis._plan import make_plan

    if limit < 1:
        raise ValueError(f"max_iterations is {limit}; it must be at least 1")
    frequency = sweep["frequency"].values.astype(float)
    shape = result_shape(sweep)
    known = any(name in source for name, source in (("frames", sweep.attrs), ("frames", sweep)))
    options = read_options(model, frequency, bounds, fixed, broadcast_start(start, shape))
    if model.guess is None and not model.lines:
        missing = [name for i, name in enumerate(model.parameters) if i not in options.start]
        if missing:
            raise ValueError(f"model {model.name!r} has no guess; give start values of {', '.join(missing)}")
    signal = planes_of(sweep["signal"])
    error = planes_of(sweep["signal_err"]) if "signal_err" in sweep else None
    check_positive(sweep, "frames", "frames")
    read_noise = float(sweep.attrs.get("read_noise", 0.0))
    if not (np.isfinite(read_noise) and read_noise >= 0):
        raise LayoutError(f"attribute 'read_noise' is {read_noise!r}; it must be a number of electrons, not negative")
    count = frames_of(sweep, len(signal))
    plan = make_plan(
        model, options, choose_precision(precision, signal, count, known or error is not None), frequency, count, known,
        signal=signal, error=error, read_noise=read_noise, limit=limit, covariance=covariance,
    )  # fmt: skip
    return plan, read_mask(mask, shape)


def _thread_count(threads: int | None) -> int:
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)  # not on Windows and macOS
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if int(threads) != threads or threads < 1:
        raise ValueError(f"threads is {threads!r}; give a whole number from 1, or None for all processors")
    return int(threads)


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
        order[lower + upper] = upper + lower
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
