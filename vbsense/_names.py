"""The name that somebody meant, for the errors that refuse another one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["choices", "nearest"]


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


def choices(name: object, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The nearest known name, if one is as near as `cutoff` (0 to 1), and all of them.

    Examples
    --------
    >>> choices("widht", ["width", "current"]), choices("?", ["width", "current"])
    ("did you mean 'width'? There are width, current", 'There are width, current')
    """
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=cutoff)
    return f"{f'did you mean {near[0]!r}? ' if near else ''}There are {', '.join(known)}"
