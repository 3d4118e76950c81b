"""Packages whose names are loaded on first use, so that importing them costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["attach"]


def attach(
    package: str, exports: Mapping[str, str], modules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make the ``__getattr__``, ``__dir__`` and ``__all__`` of a package (PEP 562).

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    exports : mapping of str to str
        Public name to the module in the package that holds it.
    modules : iterable of str
        Modules or packages in it that are public themselves.

    Returns
    -------
    getattr, dir, all

    Examples
    --------
    >>> load, _, names = attach("vbsense", {"Bar": "currents"})
    >>> load("Bar").__name__, names
    ('Bar', ['Bar'])
    """
    public = tuple(modules)
    names = sorted([*exports, *public])

    def load(name: str) -> Any:
        if name in exports:
            return getattr(importlib.import_module(f"{package}.{exports[name]}"), name)
        if name in public:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(names)}")

    return load, lambda: names, names
