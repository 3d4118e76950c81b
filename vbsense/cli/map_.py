"""``vbsense map``: from fitted lines to the field."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vbsense.cli.options import quantity, refuse_existing

EXAMPLES = """\
examples:
  vbsense map fit.h5                                     -> field.h5 beside it, hyperfine shifts corrected
  vbsense map fit.h5 --plot map.png                      and a picture
  vbsense map fit.h5 --correction none --out raw.h5      the bare inversion of the splitting
  vbsense map fit.h5 --correction 45MHz                  corrected for lines of this width
  vbsense map fit.h5 --bias=0,0,-10                      bias field in mT, where the file does not say it

A fit of the models "hamiltonian" and "hamiltonian_gaussian" holds the field itself and is not corrected."""


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    from vbsense.cli.spectrum import field

    parser = subparsers.add_parser(
        "map",
        help="turn a fit into a field map",
        description="Bz with its error; of a pair +I/-I the field of the current. What the hyperfine structure does to "
        "the fitted model is corrected by a table made from exact spectra.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("fit", metavar="FIT.h5", help="file with a fit")
    parser.add_argument("--out", metavar="FIELD.h5", help="file to write (default: field.h5 beside the fit)")
    parser.add_argument("--defect", choices=("VB14N", "VB15N"), default="VB14N", help="default VB14N")
    parser.add_argument(
        "--correction", type=correction, default="auto", metavar="HOW",
        help="auto (default: the linewidth that explains the fitted widths), none, or the width of one hyperfine line",
    )  # fmt: skip
    parser.add_argument("--no-correction", action="store_const", const="none", dest="correction", help="as none above")
    parser.add_argument(
        "--bias", type=field, metavar="X,Y,Z", help="bias field in mT, or with a unit (default: from file)"
    )
    parser.add_argument("--plot", metavar="MAP.png", help="also draw the map")
    parser.add_argument("--force", action="store_true", help="replace files")
    parser.set_defaults(run=run)


def correction(text: str) -> str | float:
    """A type for argparse: "auto", "none", or a width in Hz.

    Examples
    --------
    >>> correction("none"), correction("45MHz")
    ('none', 45000000.0)
    """
    if text in ("auto", "none"):
        return text
    try:
        width = quantity("Hz")(text)
    except argparse.ArgumentTypeError:
        width = -1.0
    if not 1e6 <= width <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is neither auto, none nor a width such as 45MHz")
    return width


def run(args: argparse.Namespace) -> int:
    """Load, invert, save, draw."""
    import numpy as np

    import vbsense as vb
    from vbsense import analysis, files
    from vbsense.layout import require

    out = refuse_existing(args.out or Path(args.fit).with_name("field.h5"), args.force)
    plot = refuse_existing(args.plot, args.force) if args.plot else None
    defect = getattr(vb, args.defect)
    fit = require(files.load(args.fit), "fit")
    table = _table(fit, defect, args.correction)
    field = analysis.field_map(fit, defect, bias=args.bias, correction=table)
    files.save(field, out, overwrite=args.force)
    if plot:
        draw(field, plot)
    Bz, error = field["B"].values, field["B_err"].values
    good = np.isfinite(Bz)
    if not good.any():
        print(f"{out}: no field in any of {Bz.size} values")
        return 0
    print(
        f"{out}: Bz from {Bz[good].min() * 1e6:.1f} to {Bz[good].max() * 1e6:.1f} uT, "
        f"median error {np.median(error[good]) * 1e6:.2f} uT, {int(good.sum())} of {Bz.size} values; {_how(table, fit)}"
    )
    return 0


def _table(fit: Any, defect: Any, how: str | float) -> Any:
    """The correction that `how` asks for; None for a fit that holds the field."""
    from vbsense import analysis

    if "Bz" in fit and not isinstance(how, str):
        raise ValueError(f"--correction: a fit of {fit.attrs.get('model')!r} holds the field itself; leave it out")
    if how == "none" or "Bz" in fit:
        return None
    return analysis.hyperfine_correction(fit, defect, linewidth=None if isinstance(how, str) else how)


def _how(table: Any, fit: Any) -> str:
    if "Bz" in fit:
        return "field of the Hamiltonian model"
    if table is None:
        return "hyperfine shifts are not corrected"
    return f"corrected for lines of {table.linewidth / 1e6:.1f} MHz (10 % off: {table.width_effect * 1e6:.1f} uT)"


def draw(field: Any, path: Path) -> None:
    """Write a picture of the map, of several the first."""
    from matplotlib.figure import Figure

    from vbsense.analysis import plot

    field = field.isel({dim: 0 for dim in field["B"].dims if dim not in ("component", "y", "x", "site")})
    figure = Figure(figsize=(6, 5), layout="constrained")
    ax = figure.subplots()
    if "site" in field["B"].dims:
        plot.site_map(field, ax)
    else:
        plot.pixel_map(field, ax)
    figure.savefig(path, dpi=150)
