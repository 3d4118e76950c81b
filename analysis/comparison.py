"""Which model describes a spectrum: several fits side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from vbsense.analysis.spectrum import prepare
from vbsense.lineshape import Model

__all__ = ["compare_models"]


def compare_models(spectrum: xr.Dataset | xr.DataArray, models: Sequence[str | Model]) -> xr.Dataset:
    """Fit several models to one spectrum, and say which describes it best for the parameters it has.

    Parameters
    ----------
    spectrum : xarray.Dataset or xarray.DataArray
        As for `fit_spectrum`.
    models : sequence of str or Model
        Two or more; those that name more parameters must earn them.

    Returns
    -------
    xarray.Dataset
        A table along ``model``, best first: `parameters` (free ones), `chi2`, `reduced_chi2`, `aic`, `bic` and their
        distances from the best, `delta_aic` and `delta_bic`; ``.to_dataframe()`` prints it. All are fitted with the
        same weights, those of the model that fits best.

    Raises
    ------
    ValueError
        If there are fewer than two models, two of one name, or as `fit_spectrum`.

    Notes
    -----
    With k free parameters and n points, where the noise is known ``AIC = chi2 + 2 k`` and ``BIC = chi2 + k ln n``;
    where it is not, ``n ln(chi2 / n)`` stands in the place of chi2. A model whose AIC is higher by 10 is as good as
    out; below 2 the spectrum does not tell (K. P. Burnham and D. R. Anderson, Sociol. Methods Res. 33, 261 (2004)).
    None of this says that the best model is right: its reduced_chi2 does.

    Examples
    --------
    >>> import numpy as np
    >>> from vbsense.data import make_sweep
    >>> from vbsense.lineshape import get_model
    >>> frequency = np.linspace(3.2e9, 3.7e9, 101)
    >>> mean = get_model("lorentzian1").evaluate(frequency, [1e6, 3.47e9, 60e6, 0.05])
    >>> electrons = np.random.default_rng(0).poisson(mean)[:, None, None]
    >>> sweep = make_sweep(electrons, frequency, pixel_size=1e-7, frames=1)
    >>> table = compare_models(sweep, ["gaussian1", "lorentzian1"])
    >>> table.model.values.tolist(), bool(table.delta_aic[1] > 10)
    (['lorentzian1', 'gaussian1'], True)
    """
    models = [models] if isinstance(models, str | Model) else list(models)
    if len(models) < 2:
        raise ValueError("compare_models() needs two models or more, for example ['gaussian', 'lorentzian']")
    fits = [prepare(spectrum, model) for model in models]
    names = [fit.model.name for fit in fits]
    if len(set(names)) < len(names):
        raise ValueError(f"models are {', '.join(names)}; each needs a name of its own")
    best = min(fits, key=lambda fit: fit.chisqr())
    if best.sigma is None:
        return _table(names, [fit.result() for fit in fits], known=False)
    return _table(names, [fit.result(best.sigma) for fit in fits], known=True)


def _table(names: list[str], results: list[Any], *, known: bool) -> xr.Dataset:
    chi2 = np.array([result.chisqr for result in results])
    free, points = np.array([result.nvarys for result in results]), results[0].ndata
    deviance = chi2 if known else points * np.log(chi2 / points)
    columns = {"parameters": free, "chi2": chi2, "reduced_chi2": chi2 / (points - free)}
    columns |= {"aic": deviance + 2 * free, "bic": deviance + free * np.log(points)}
    columns |= {f"delta_{name}": columns[name] - columns[name].min() for name in ("aic", "bic")}
    order = np.argsort(columns["aic"], kind="stable")
    data = {name: ("model", values[order], {"units": "1"}) for name, values in columns.items()}
    if not known:
        for name in ("chi2", "reduced_chi2"):
            data[name][2]["units"] = "electron^2"
    return xr.Dataset(data, coords={"model": np.array(names)[order]})
