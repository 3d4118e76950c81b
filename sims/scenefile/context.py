"""Errors that say in which table of a scene file they arose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["naming"]


@contextmanager
def naming(table: str) -> Iterator[None]:
    """Put the name of a table in front of what its objects complain about.

    Examples
    --------
    >>> with naming("sensor"):
    ...     raise ValueError("pitch is -1")
    Traceback (most recent call last):
    ...
    ValueError: [sensor] pitch is -1
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        text = str(error)
        raise ValueError(text if text.startswith("[") else f"[{table}] {text}") from error
