"""Every example in every docstring runs."""

from __future__ import annotations

import doctest
import importlib

import pytest
from test_rooms import modules

MODULES = [name for name, _ in modules() if not name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_the_public_surface_has_examples():
    """Functions and classes that a user calls show how."""
    import vbsense as vb

    without = []
    for package in (vb, vb.sims, vb.analysis, vb.instruments):
        for name in package.__all__:
            thing = getattr(package, name)
            if callable(thing) and not _needs_none(thing) and ">>>" not in (thing.__doc__ or ""):
                without.append(f"{package.__name__}.{name}")
    assert not without


def _needs_none(thing):
    """Exceptions and protocols: nobody calls them."""
    return isinstance(thing, type) and (issubclass(thing, BaseException) or getattr(thing, "_is_protocol", False))
