"""The name that somebody meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(name: object, known: Iterable[str]) -> str:
    """A hint at the nearest known name, in capitals or not, or at all of them.

    Parameters
    ----------
    name : str
        That was received.
    known : iterable of str

    Returns
    -------
    str

    Examples
    --------
    >>> nearest("stand_off", ["standoff", "pitch"]), nearest("CCD", ["ccd", "scmos"])
    ("did you mean 'standoff'?", "did you mean 'ccd'?")
    """
    known = list(known)
    folded = {key.lower(): key for key in known}
    near = difflib.get_close_matches(str(name), known, n=1)
    near = near or [folded[key] for key in difflib.get_close_matches(str(name).lower(), folded, n=1)]
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
