"""Fit every spectrum of a sweep: parameters with errors, reduced chi-squared and flags."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis._bands import in_memory
from vbsense.analysis._chosen import choose_model
from vbsense.analysis._noise import Noise, read_noise_options
from vbsense.analysis._read import (
    broadcast_start,
    choose_precision,
    frames_of,
    planes_of,
    read_mask,
    result_shape,
    shape_of,
)
from vbsense.analysis._results import Results
from vbsense.analysis._saturated import read_saturation
from vbsense.layout import check_positive, require
from vbsense.lineshape import Model
from vbsense.storage.ordered import thread_count

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
    noise: str = "auto",
    loss: str = "squares",
    covariance: bool = False,
    precision: str = "auto",
    threads: int | None = None,
    max_iterations: int = MAX_ITERATIONS,
    progress: bool = False,
    client: Any = None,
    out: str | Path | None = None,
) -> xr.Dataset:
    """Fit a line shape to every spectrum of a sweep.

    Parameters
    ----------
    sweep : xarray.Dataset
        Dimensions (..., frequency, y, x) or (..., frequency, site), see `vbsense.data`. One that stays in its file
        (`vbsense.files.open_lazy`) or is made of dask arrays is read band by band, so that it may be larger than
        memory; the result is the same to the last bit.
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
    client : dask.distributed.Client, optional
        A cluster whose workers do the fits, in place of threads. Arrays of dask are computed there; others are read
        here and sent.
    out : str or Path, optional
        A new file for the fit, as `vbsense.files.save` writes it. Then the results need no memory either, and what
        is returned stays in that file.

    Returns
    -------
    xarray.Dataset
        A fit, see `vbsense.data`: each parameter and its 1-sigma error ``<name>_err``, ``reduced_chi2`` and
        ``flags``. A spectrum with a fatal flag (`vbsense.flags.FATAL`) holds NaN; a parameter on a bound has the
        error NaN, and the others are those for that parameter fixed. attrs: ``model``, of a Hamiltonian also
        ``defect`` and ``drive``, ``sigma``, ``precision`` and ``evaluations`` (mean number of evaluations of the
        model for a spectrum that was fitted).

    Raises
    ------
    LayoutError, ValueError
        If the sweep or an option cannot be; one line that names it.
    TypeError
        If `client` is no client.
    FileExistsError
        If `out` exists.

    Notes
    -----
    One sigma of a point is, in this order: the variable ``signal_err``; shot noise,
    ``sqrt((excess_noise signal + read_noise^2) / frames)`` with the fitted signal in place of the noisy one, if the
    sweep says how many frames were averaged; else the residuals (``attrs["sigma"]`` says which). In the first two
    cases errors are absolute and `reduced_chi2` tells whether the model describes the data. In the last, errors are
    scaled by it, and it compares the residuals with the scatter of neighbouring points. Points without frames have
    no weight.

    Spectra whose fit failed are tried again from the results of their neighbours that did not: of up to eight pixels
    around, or of the eight nearest sites, their median first. What is found so counts only if its lines stand out of
    the noise of this spectrum, and chi-squared is no larger than where the first try gave up.

    Errors come from the normal matrix, which knows one minimum and a parabola. Those of the centers of weak lines (of
    `D` and `Bz`) are widened by ``sqrt(1 + 4 / S^2)``, S being the contrast over its sigma. Where the lines of a comb
    lower chi-squared by less than 1500, errors of the centers are taken from how chi-squared rises 3 sigma away, all
    else free, if that makes them larger. Lines that lower it by less than 800 are looked for from other starts as well:
    the better answer is kept, and the flag "ambiguous" says that another comes close.

    Pixels are flagged as saturated where the variable ``saturated`` counts frames that were, or where the signal
    reaches the largest count of the camera (the attribute ``saturation``).

    A band has some 32 rows, and a few are in memory at a time; where they are large, all threads work on one. The
    results take 16 bytes for each parameter of a spectrum, and 10 more; give `out` where that is too much. Arrays of
    dask should be cut along y, not along frequency: a band needs all frequencies.

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

    Several machines, or several processes of one (in a script, below ``if __name__ == "__main__":``):

    >>> from dask.distributed import Client, LocalCluster  # doctest: +SKIP
    >>> with LocalCluster(n_workers=2, dashboard_address=None) as cluster, Client(cluster) as client:  # doctest: +SKIP
    ...     same = fit_sweep(sweep, model="gaussian", client=client)
    >>> same.identical(fit)  # doctest: +SKIP
    True
    """
    require(sweep, "sweep")
    _check_target(client, out)
    chosen = choose_model(model, sweep)
    own = read_noise_options(sweep, noise, loss)
    banded = client is not None or out is not None or not in_memory(sweep["signal"])
    plan, masked = _prepare(
        sweep, chosen, bounds, fixed, start, mask, own, covariance, precision, max_iterations, banded
    )
    saturation, count = read_saturation(sweep), thread_count(threads)
    from vbsense.analysis._bands import Source
    from vbsense.analysis._bandwise import Job, fit_bands
    from vbsense.analysis._dataset import as_dataset, fit_to_file
    from vbsense.analysis._whole import fit_whole

    if not banded:
        return as_dataset(sweep, plan, fit_whole(sweep, plan, masked, saturation, threads=count, progress=progress))
    job = Job(Source(sweep), plan, masked, saturation, threads=count)
    if out is not None:
        return fit_to_file(job, Path(out), client=client, progress=progress)
    found = Results(len(chosen.parameters), masked.size, covariance)
    fit_bands(job, found, client=client, progress=progress)
    return as_dataset(sweep, plan, found)


def _check_target(client: Any, out: str | Path | None) -> None:
    if client is not None:
        from vbsense.analysis._cluster import check_client

        check_client(client)
    if out is not None:
        from vbsense.files import refuse_existing

        refuse_existing(Path(out), overwrite=False)


def _prepare(
    sweep: xr.Dataset, model: Model, bounds: Any, fixed: Any, start: Any, mask: Any, noise: Noise,
    covariance: bool, precision: str, limit: int, banded: bool,
) -> tuple[Any, np.ndarray]:  # fmt: skip
    from vbsense.analysis._options import read_options
    from vbsense.analysis._plan import make_plan
    from vbsense.groundstate.effective import HamiltonianModel

    if not (isinstance(limit, Real) and float(limit).is_integer() and limit >= 1):
        raise ValueError(f"max_iterations is {limit!r}; it must be a whole number, at least 1")
    frequency = sweep["frequency"].values.astype(float)
    shape = result_shape(sweep)
    options = read_options(model, frequency, bounds, fixed, broadcast_start(start, shape))
    if model.guess is None and not model.lines and not isinstance(model, HamiltonianModel):
        missing = [name for i, name in enumerate(model.parameters) if i not in options.start]
        if missing:
            raise ValueError(f"model {model.name!r} has no guess; give start values of {', '.join(missing)}")
    values = shape_of if banded else planes_of
    signal = values(sweep["signal"])
    error = values(sweep["signal_err"]) if noise.given else None
    check_positive(sweep, "frames", "frames")
    count = frames_of(sweep, len(signal))
    dtype = choose_precision(precision, sweep["signal"], count, noise.known or noise.given)
    plan = make_plan(
        model, options, dtype, frequency, count, noise.known,
        signal=signal, error=error, read_noise=noise.read_noise, excess_noise=noise.excess_noise, tail=noise.tail,
        follow=noise.follow, limit=int(limit), covariance=covariance,
    )  # fmt: skip
    return plan, read_mask(mask, shape)
