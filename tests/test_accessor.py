"""``dataset.vb`` hands on, and is there whenever xarray and the analysis are, whoever came first."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from vbsense import analysis
from vbsense.analysis.accessor import DataArrayAccessor, DatasetAccessor
from vbsense.data import make_sweep

NAMES = {"fit": "fit_sweep"}


def methods(accessor):
    return [name for name in vars(accessor) if not name.startswith("_")]


@pytest.mark.parametrize(
    ("accessor", "name"), [(a, n) for a in (DatasetAccessor, DataArrayAccessor) for n in methods(a)]
)
def test_a_method_is_the_function_with_the_dataset_first(accessor, name, monkeypatch):
    calls = []
    target = NAMES.get(name, name)
    assert target in analysis.__all__
    monkeypatch.setattr(analysis, target, lambda *a, **k: calls.append((a, k)) or "done", raising=False)
    thing = xr.Dataset() if accessor is DatasetAccessor else xr.DataArray(1.0)
    method = getattr(thing.vb, name)
    kinds = {p.kind for p in inspect.signature(method).parameters.values()}
    first = [] if inspect.signature(method).parameters.keys() <= {"options", "limits"} or not kinds else ["first"]
    options = {"one": 1} if inspect.Parameter.VAR_KEYWORD in kinds else {}
    assert method(*first, **options) == "done"
    (arguments, keywords), *more = calls
    assert arguments[0] is thing
    assert list(arguments[1:]) == first
    assert keywords == options
    assert not more
    assert f"vbsense.analysis.{target}" in getattr(accessor, name).__doc__


def test_wrong_data_meet_the_words_of_the_function():
    with pytest.raises(ValueError, match="a fit is needed"):
        make_sweep(np.ones((3, 2, 2)), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7).vb.field_map()
    assert "field_map" in repr(xr.Dataset().vb)


@pytest.mark.parametrize("order", ["xarray, vbsense.analysis", "vbsense.analysis, xarray"])
def test_the_order_of_imports_does_not_matter(order):
    code = f"import {order}; import xarray; assert xarray.Dataset().vb and xarray.DataArray(1.0).vb"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
