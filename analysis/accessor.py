"""``dataset.vb``: the functions of this room behind a dot, for those who read from left to right.

``sweep.vb.fit("gaussian").vb.field_map()`` is ``field_map(fit_sweep(sweep, "gaussian"))``, and nothing more: each
method hands its dataset and its options on. Importing `vbsense.analysis` registers it with xarray.

>>> import numpy as np
>>> import vbsense.analysis
>>> from vbsense import sims
>>> scene = sims.gold_wire_nanoarray(rows=2, columns=2)
>>> sweep = sims.simulate_sweep(scene, np.linspace(2.97e9, 3.97e9, 61), exposure=0.5, averages=4, rng=1)
>>> field = sweep.vb.unmix().vb.fit("gaussian", covariance=True).vb.field_map()
>>> field.B.sizes["site"]
4
"""

from __future__ import annotations

from typing import Any

import xarray as xr

from vbsense import analysis

__all__ = ["DataArrayAccessor", "DatasetAccessor"]


@xr.register_dataset_accessor("vb")
class DatasetAccessor:
    """The functions of `vbsense.analysis` that take a sweep, a fit or a map.

    Parameters
    ----------
    dataset : xarray.Dataset
        What they are called with.

    Examples
    --------
    >>> import numpy as np
    >>> from vbsense.data import make_map
    >>> make_map(np.zeros((4, 4)), pixel_size=1e-7).vb.select_region(x=(0, 1.5e-7)).B.shape
    (1, 4, 2)
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __repr__(self) -> str:
        names = ", ".join(name for name in dir(type(self)) if not name.startswith("_"))
        return f"functions of vbsense.analysis for this dataset: {names}"

    # --- sweeps

    def unmix(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.unmix`."""
        return analysis.unmix(self._dataset, *arguments, **options)

    def select_region(self, **limits: Any) -> xr.Dataset:
        """See `vbsense.analysis.select_region`."""
        return analysis.select_region(self._dataset, **limits)

    def mask_outside(self, **limits: Any) -> xr.DataArray:
        """See `vbsense.analysis.mask_outside`."""
        return analysis.mask_outside(self._dataset, **limits)

    def bin_pixels(self, n: int) -> xr.Dataset:
        """See `vbsense.analysis.bin_pixels`."""
        return analysis.bin_pixels(self._dataset, n)

    def smooth(self, sigma: float) -> xr.Dataset:
        """See `vbsense.analysis.smooth`."""
        return analysis.smooth(self._dataset, sigma)

    def normalise(self) -> xr.Dataset:
        """See `vbsense.analysis.normalise`."""
        return analysis.normalise(self._dataset)

    def fit(self, model: Any = "gaussian", **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.fit_sweep`."""
        return analysis.fit_sweep(self._dataset, model, **options)

    def fit_spectrum(self, model: Any = "gaussian", **options: Any) -> Any:
        """See `vbsense.analysis.fit_spectrum`."""
        return analysis.fit_spectrum(self._dataset, model, **options)

    def compare_models(self, models: Any) -> xr.Dataset:
        """See `vbsense.analysis.compare_models`."""
        return analysis.compare_models(self._dataset, models)

    # --- fits

    def hyperfine_correction(self, *arguments: Any, **options: Any) -> Any:
        """See `vbsense.analysis.hyperfine_correction`."""
        return analysis.hyperfine_correction(self._dataset, *arguments, **options)

    def field_map(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.field_map`."""
        return analysis.field_map(self._dataset, *arguments, **options)

    def common_mode_map(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.common_mode_map`."""
        return analysis.common_mode_map(self._dataset, *arguments, **options)

    def vector_map(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.vector_map`."""
        return analysis.vector_map(self._dataset, *arguments, **options)

    def temperature_map(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.temperature_map`."""
        return analysis.temperature_map(self._dataset, *arguments, **options)

    def sensitivity(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.sensitivity`."""
        return analysis.sensitivity(self._dataset, *arguments, **options)

    def sensitivity_bound(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.sensitivity_bound`."""
        return analysis.sensitivity_bound(self._dataset, *arguments, **options)

    def repeat_sensitivity(self, *arguments: Any, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.repeat_sensitivity`."""
        return analysis.repeat_sensitivity(self._dataset, *arguments, **options)

    # --- maps

    def fit_wire(self, **options: Any) -> Any:
        """See `vbsense.analysis.fit_wire`."""
        return analysis.fit_wire(self._dataset, **options)


@xr.register_dataarray_accessor("vb")
class DataArrayAccessor:
    """The functions of `vbsense.analysis` that take a DataArray.

    Parameters
    ----------
    array : xarray.DataArray
        What they are called with.

    Examples
    --------
    >>> import numpy as np
    >>> noise = xr.DataArray(np.random.default_rng(0).normal(size=512), dims="sweep")
    >>> bool(noise.vb.allan_deviation(interval=1.0).deviation[0] < 1.2)
    True
    """

    def __init__(self, array: xr.DataArray) -> None:
        self._array = array

    def fit_spectrum(self, model: Any = "gaussian", **options: Any) -> Any:
        """See `vbsense.analysis.fit_spectrum`."""
        return analysis.fit_spectrum(self._array, model, **options)

    def compare_models(self, models: Any) -> xr.Dataset:
        """See `vbsense.analysis.compare_models`."""
        return analysis.compare_models(self._array, models)

    def allan_deviation(self, **options: Any) -> xr.Dataset:
        """See `vbsense.analysis.allan_deviation`."""
        return analysis.allan_deviation(self._array, **options)
