"""``vbsense fit``: resonances of every site or pixel."""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path
from typing import Any

from vbsense.cli.options import refuse_existing

LARGE = 1 << 30  # bytes of a signal from which it stays in its file, and so does the fit


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "fit",
        help="fit the resonances of a sweep",
        description="Fit every site of a sweep (told apart by the lattice, where the file has one) or every pixel. "
        "Images of more than 1 GiB are read band by band, and their fit has no covariances.",
    )
    parser.add_argument("sweep", metavar="SWEEP.h5", help="file with a sweep")
    parser.add_argument("--model", default="gaussian", help="gaussian (default), lorentzian, ...")
    parser.add_argument("--out", metavar="FIT.h5", help="file to write (default: fit.h5 beside the sweep)")
    parser.add_argument("--pixels", action="store_true", help="fit camera pixels even if the file has a lattice")
    parser.add_argument("--threads", type=int, help="threads (default: one for each core)")
    parser.add_argument("--force", action="store_true", help="replace FIT.h5")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load, unmix, fit, save."""
    from vbsense import analysis, files
    from vbsense.cli.pipeline import merge_directions
    from vbsense.layout import require

    out = refuse_existing(args.out or Path(args.sweep).with_name("fit.h5"), args.force)
    with require(files.open_lazy(args.sweep), "sweep") as lazy:
        sites = "y" in lazy["signal"].dims and "sensor_array" in lazy.attrs and not args.pixels
        if lazy["signal"].nbytes > LARGE and not sites:
            print(f"{out}: {_fit_large(lazy, out, args)}")
            return 0
    sweep = merge_directions(files.load(args.sweep))
    if sites:
        sweep = analysis.unmix(sweep)
    fit = analysis.fit_sweep(sweep, args.model, covariance=True, threads=args.threads)
    files.save(fit, out, overwrite=args.force)
    print(f"{out}: {summary(fit)}")
    return 0


def _fit_large(sweep: Any, out: Path, args: argparse.Namespace) -> str:
    """Fit a sweep that stays in its file; what was at `out` is replaced when all is done."""
    from vbsense import analysis
    from vbsense.cli.pipeline import merge_directions

    if "direction" in sweep.sizes:
        if importlib.util.find_spec("dask") is None:
            raise ValueError(
                f"{args.sweep} holds two directions of {sweep['signal'].nbytes / 1e9:.1f} GB; averaging them piece by "
                "piece needs dask: pip install 'vbsense[dask]'"
            )
        sweep = merge_directions(sweep.chunk({"y": 32}))
    part = out.with_name(f".{out.name}.part")
    part.unlink(missing_ok=True)
    try:
        with analysis.fit_sweep(sweep, args.model, threads=args.threads, out=part, progress=True) as fit:
            text = summary(fit)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return text


def summary(fit: Any) -> str:
    """How many fits are good, and what is wrong with the others; if none is good, what to do about most of them."""
    from vbsense.flags import FLAGS

    flags = fit["flags"].values
    counts = {flag.name: int(((flags & flag.bit) > 0).sum()) for flag in FLAGS.values()}
    bad = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n)
    good = int((flags == 0).sum())
    most = max(FLAGS.values(), key=lambda flag: counts[flag.name])
    advice = f"; {most.name.replace('_', ' ')}: {most.remedy}" if not good and flags.size else ""
    return f"{good} of {flags.size} fits without a flag" + (f"; {bad}" if bad else "") + advice
