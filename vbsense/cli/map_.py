"""``vbsense map``: from fitted lines to the field."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vbsense.cli.options import refuse_existing


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "map",
        help="turn a fit into a field map",
        description="Bz with its error; of a pair +I/-I the field of the current. What the hyperfine structure does to "
        "the fitted model is corrected by a table made from exact spectra.",
    )
    parser.add_argument("fit", metavar="FIT.h5", help="file with a fit")
    parser.add_argument("--out", metavar="FIELD.h5", help="file to write (default: field.h5 beside the fit)")
    parser.add_argument("--defect", choices=("VB14N", "VB15N"), default="VB14N", help="default VB14N")
    parser.add_argument("--no-correction", action="store_true", help="leave the hyperfine shifts in")
    parser.add_argument("--plot", metavar="MAP.png", help="also draw the map")
    parser.add_argument("--force", action="store_true", help="replace files")
    parser.set_defaults(run=run)


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
    correction = None if args.no_correction else analysis.hyperfine_correction(fit, defect)
    field = analysis.field_map(fit, defect, correction=correction)
    files.save(field, out, overwrite=args.force)
    if plot:
        draw(field, plot)
    Bz, error = field["B"].values, field["B_err"].values
    print(
        f"{out}: Bz from {np.nanmin(Bz) * 1e6:.1f} to {np.nanmax(Bz) * 1e6:.1f} uT, "
        f"median error {np.nanmedian(error) * 1e6:.2f} uT, {int(np.isfinite(Bz).sum())} of {Bz.size} values"
    )
    return 0


def draw(field: Any, path: Path) -> None:
    """Write a picture of the map."""
    from matplotlib.figure import Figure

    from vbsense.analysis import plot

    figure = Figure(figsize=(6, 5), layout="constrained")
    ax = figure.subplots()
    if "site" in field["B"].dims:
        plot.site_map(field, ax)
    else:
        plot.pixel_map(field, ax)
    figure.savefig(path, dpi=150)
