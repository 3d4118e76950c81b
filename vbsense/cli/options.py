"""Options that several commands share, with quantities that carry their unit."""

from __future__ import annotations

import argparse
import contextlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vbsense.quantities import parse_quantity

__all__ = [
    "add_measurement",
    "frequencies",
    "picture",
    "plain_warnings",
    "quantity",
    "refuse_existing",
    "seed",
    "whole",
]

PICTURES = (".png", ".pdf", ".svg")


def quantity(unit: str) -> Any:
    """A type for argparse: a number with `unit` and perhaps a prefix, to its SI value.

    Parameters
    ----------
    unit : str
        As for `vbsense.quantities.parse_quantity`.

    Returns
    -------
    callable
        From text to float; raises argparse.ArgumentTypeError.

    Examples
    --------
    >>> quantity("Hz")("2.97GHz"), quantity("A")("1 mA")
    (2970000000.0, 0.001)
    """

    def parse(text: str) -> float:
        try:
            return parse_quantity(text, unit)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    parse.__name__ = f"quantity in {unit}"
    return parse


def seed(text: str) -> int:
    """A type for argparse: the seed of random numbers.

    Examples
    --------
    >>> seed("7")
    7
    """
    if not text.strip().isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; it must be a whole number, 0 or more")
    return int(text)


def whole(text: str) -> int:
    """A type for argparse: a number of things.

    Examples
    --------
    >>> whole("12")
    12
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number; write for example 4") from None


def add_measurement(parser: argparse.ArgumentParser) -> None:
    """What is measured: the same options for simulated and acquired sweeps."""
    group = parser.add_argument_group("what is measured")
    group.add_argument(
        "--frequencies", nargs=3, metavar=("FIRST", "LAST", "POINTS"), default=["2.97GHz", "3.97GHz", "81"],
        help="even grid, for example 2.97GHz 3.97GHz 81 (the default)",
    )  # fmt: skip
    group.add_argument("--exposure", type=quantity("s"), default=1.0, metavar="T", help="of one frame (default 1s)")
    group.add_argument("--power", type=quantity("dBm"), default=15.0, metavar="P", help="at the source (default 15dBm)")
    group.add_argument(
        "--current",
        type=quantity("A"),
        default=1e-3,
        metavar="I",
        help="in the conductor, at +I and -I (default 1mA)",
    )
    group.add_argument("--averages", type=whole, default=4, metavar="N", help="sweeps that are averaged (default 4)")
    group.add_argument("--seed", type=seed, default=0, metavar="N", help="of the noise (default 0)")


def frequencies(values: list[str]) -> Any:
    """The grid that ``--frequencies`` names, (n,) Hz."""
    import numpy as np

    try:
        first, last = (quantity("Hz")(v) for v in values[:2])
        points = int(values[2])
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"--frequencies: {error}") from None
    except ValueError:
        raise ValueError(f"--frequencies: POINTS is {values[2]!r}; it must be a whole number, for example 81") from None
    if points < 2 or not first < last:
        raise ValueError(
            f"--frequencies: {values[0]} to {values[1]} in {points} points is not an ascending grid; "
            "FIRST must be below LAST and POINTS at least 2"
        )
    return np.linspace(first, last, points)


def picture(path: str | None, option: str, force: bool) -> Path | None:
    """The name of a picture that can be written, known before any work is done for it; None stays None."""
    if path is None:
        return None
    out = refuse_existing(path, force)
    if out.suffix.lower() not in PICTURES:
        raise ValueError(f"{option}: {out.name!r} does not end in {', '.join(PICTURES[:-1])} or {PICTURES[-1]}")
    return out


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings as one line each, and each once.

    Examples
    --------
    >>> with plain_warnings():
    ...     warnings.warn("the light is weak")                           # to the error output
    """
    shown = set()

    def show(message: Warning | str, *_: Any) -> None:
        text = " ".join(str(message).split())
        if text not in shown:
            print(f"vbsense: warning: {text}", file=sys.stderr)
        shown.add(text)

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]
        yield


def refuse_existing(path: str | Path, force: bool) -> Path:
    """`path`, unless it exists and `force` is not given, or cannot become a file: known before any work is done."""
    from vbsense import files

    path = Path(path)
    if path.is_file() and not force:
        raise FileExistsError(f"{path} exists already; choose another name or add --force to replace it")
    files.refuse_existing(path, overwrite=force)
    return path
