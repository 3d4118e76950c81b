"""``vbsense spectrum``: what a field does to the lines, as a picture."""

from __future__ import annotations

import argparse
import math
import re
from typing import Any

from vbsense.cli.options import frequencies, quantity, refuse_existing

PRESETS = ("VB14N", "VB15N")
_UNIT = re.compile(r"[^\W\d]?T\s*$")  # T with or without a prefix


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "spectrum",
        help="draw the spectrum in a field",
        description="The exact ODMR spectrum in a magnetic field, or the levels up to it.",
    )
    parser.add_argument(
        "--field", type=field, required=True, metavar="X,Y,Z",
        help="in mT, z along c: 0,0,10; or with a unit, for one or for all: 0,0,10mT (write --field=-1,0,10 if the "
        "first is negative)",
    )  # fmt: skip
    parser.add_argument("--out", required=True, metavar="X.png", help="picture to write: .png, .pdf or .svg")
    parser.add_argument("--defect", choices=PRESETS, default="VB14N", help="default VB14N")
    parser.add_argument(
        "--linewidth", type=quantity("Hz"), default=60e6, metavar="W", help="of one hyperfine line (default 60MHz)"
    )
    parser.add_argument(
        "--frequencies", nargs=3, metavar=("FIRST", "LAST", "POINTS"),
        help="even grid; by default 400 MHz around the lines, 801 points",
    )  # fmt: skip
    parser.add_argument(
        "--drive", type=direction, default=(1.0, 0.0, 0.0), metavar="X,Y,Z",
        help="direction of the microwave field (default 1,0,0)",
    )  # fmt: skip
    parser.add_argument("--levels", action="store_true", help="draw levels and lines from zero up to the field instead")
    parser.add_argument("--force", action="store_true", help="replace the picture")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check, draw, save."""
    import numpy as np
    from matplotlib.figure import Figure

    import vbsense as vb

    out = refuse_existing(args.out, args.force)
    if out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ValueError(f"--out: {out.name!r} does not end in .png, .pdf or .svg")
    if not args.linewidth > 0:
        raise ValueError(f"--linewidth is {args.linewidth:g} Hz; it must be positive, for example 60MHz")
    defect, vector = getattr(vb, args.defect), np.array(args.field)
    figure = Figure(figsize=(10, 4.5) if args.levels else (7, 4.5), layout="constrained")
    if args.levels:
        _draw_levels(figure, vector, defect)
    else:
        grid = frequencies(args.frequencies) if args.frequencies else _around(vb.transitions(vector, defect))
        _draw_spectrum(figure, grid, vector, defect, args)
    figure.savefig(out, dpi=150)
    lower, upper = vb.transitions(vector, defect) / 1e6
    print(f"{out}: {args.defect} at {_text(args.field)} mT; lines of the bare electron at {lower:.1f}, {upper:.1f} MHz")
    return 0


def _draw_levels(figure: Any, vector: Any, defect: Any) -> None:
    import numpy as np

    from vbsense.sims import plot

    if not vector.any():
        raise ValueError("--levels draws from zero up to the field; --field 0,0,0 is no way to go")
    path = np.linspace(0, 1, 201)[:, None] * vector
    axes = figure.subplot_mosaic([["upper", "lines"], ["lower", "lines"]], height_ratios=(3, 1))
    for band in ("upper", "lower"):
        plot.level_diagram(path, axes[band], defect, band=band)
    axes["upper"].set(xlabel="", xticklabels=[])
    axes["lower"].set(title="", ylabel="")
    plot.line_positions(path, axes["lines"], defect)


def _draw_spectrum(figure: Any, grid: Any, vector: Any, defect: Any, args: argparse.Namespace) -> None:
    from vbsense.sims import plot

    plot.spectra(grid, vector, figure.subplots(), defect, linewidth=args.linewidth, drive=args.drive)


def _around(lines: Any) -> Any:
    import numpy as np

    return np.linspace(max(lines[0] - 400e6, 1e6), lines[1] + 400e6, 801)


def field(text: str) -> tuple[float, float, float]:
    """Three components in mT, or with units, to tesla.

    Examples
    --------
    >>> field("0,0,10"), field("0,0,10mT"), field("0mT,500uT,0.01T")
    ((0.0, 0.0, 0.01), (0.0, 0.0, 0.01), (0.0, 0.0005, 0.01))
    """
    words = text.split(",")
    unit = _UNIT.search(words[-1])
    if unit is None:
        values = [1e-3 * v for v in _numbers(text, "0,0,10 or 0,0,10mT")]
    else:  # a unit on the last one holds for those without
        parse = quantity("T")
        values = [parse(word if _UNIT.search(word) else word + unit.group()) for word in _three(text, "0,0,10mT")]
    if math.hypot(*values) > 20:
        raise argparse.ArgumentTypeError(f"{text!r} is {math.hypot(*values):.3g} T; numbers without a unit are mT")
    return values[0], values[1], values[2]


def direction(text: str) -> tuple[float, float, float]:
    """Three numbers that are not all zero.

    Examples
    --------
    >>> direction("1,1,0")
    (1.0, 1.0, 0.0)
    """
    x, y, z = _numbers(text, "1,0,0")
    if x == y == z == 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no direction; write for example 1,0,0")
    return x, y, z


def _three(text: str, example: str) -> list[str]:
    words = text.split(",")
    if len(words) != 3 or not all(word.strip() for word in words):
        raise argparse.ArgumentTypeError(f"{text!r} is not three numbers with commas; write for example {example}")
    return words


def _numbers(text: str, example: str) -> list[float]:
    try:
        values = [float(word) for word in _three(text, example)]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not three numbers with commas; write for example {example}"
        ) from None
    if not all(math.isfinite(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not finite")
    return values


def _text(vector: Any) -> str:
    return "(" + ", ".join(f"{component * 1e3:g}" for component in vector) + ")"
