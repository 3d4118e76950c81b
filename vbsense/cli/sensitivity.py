"""``vbsense sensitivity``: how small a field each site or pixel sees, by every definition."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vbsense.cli.options import refuse_existing

EXAMPLES = """\
examples:
  vbsense sensitivity fit.h5                    one line for each definition
  vbsense sensitivity fit.h5 --plot eta.png     and their maps and histograms

slope     shot noise at the steepest point of one line: what papers quote
sweep     the error of the fit of the whole sweep, times the root of its exposure time
bound     the least that the shot noise of the sweep allows (Cramer-Rao)
measured  the scatter of repeats, where the fit has a dimension "sweep"

They differ by factors; say which one you quote."""


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "sensitivity",
        help="how small a field a fit can see",
        description="Sensitivities of every site or pixel of a fit, in uT/sqrt(Hz).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("fit", metavar="FIT.h5", help="file with a fit")
    parser.add_argument("--defect", choices=("VB14N", "VB15N"), default="VB14N", help="default VB14N")
    parser.add_argument("--plot", metavar="ETA.png", help="also draw maps and histograms")
    parser.add_argument("--force", action="store_true", help="replace the picture")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load, compute, print, draw."""
    import vbsense as vb
    from vbsense import analysis, files
    from vbsense.layout import require

    path = refuse_existing(args.plot, args.force) if args.plot else None
    fit = require(files.load(args.fit), "fit")
    defect = getattr(vb, args.defect)
    eta = analysis.sensitivity(fit, defect)
    results = [eta, analysis.sensitivity_bound(fit, defect)]
    if fit.sizes.get("sweep", 1) > 1:
        results.append(analysis.repeat_sensitivity(fit, defect))
    print(analysis.describe_sensitivity(*results))
    if path:
        draw(eta, path)
        print(f"picture: {path}")
    return 0


def draw(eta: Any, path: Path) -> None:
    """Write maps of both definitions, and their histogram."""
    from matplotlib.figure import Figure

    from vbsense.analysis import plot

    one = eta.isel({d: 0 for d in eta["slope"].dims if d not in ("y", "x", "site")})
    figure = Figure(figsize=(13, 4), layout="constrained")
    axes = figure.subplots(1, 3)
    for name, ax in zip(("slope", "sweep"), axes, strict=False):
        plot.value_map(one[name], ax, label=name)
        ax.set_title({"slope": "Slope of one line", "sweep": "Error of the whole sweep"}[name])
    plot.sensitivity_histogram(eta, axes[2])
    figure.savefig(path, dpi=150)
