"""``vbsense current``: from a field map to the current density below it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vbsense.cli.masks import read_mask
from vbsense.cli.options import picture, plain_warnings, quantity, refuse_existing

METHODS = ("hann", "wiener", "tikhonov", "tv")

DESCRIPTION = """\
The current density (A/m) of a thin conductor that makes the field of a map, with its error. A field in a window does
not tell everything: what was assumed instead is printed, and kept in the file."""

EXAMPLES = """\
examples:
  vbsense current field.h5 --standoff 100nm                           -> current.h5 beside it
  vbsense current field.h5 --standoff 100nm --plot current.png        and a picture
  vbsense current field.h5 --standoff 100nm --method hann             fast: a Hann window, its cut-off found
  vbsense current field.h5 --standoff 100nm --method hann --regularisation 300nm
  vbsense current field.h5 --standoff 100nm --thickness 50nm --depth 40nm
  vbsense current field.h5 --standoff 100nm --mask wire.png           the current flows where the picture is bright
  vbsense current field.h5 --standoff 100nm --mask 2um,0um,4um,9um    ... between these corners
  vbsense current field.h5 --standoff 100nm --offset y=1mA            the net current along y is known

methods:
  hann      Fourier space, a smooth window; --regularisation is its cut-off wavelength
  wiener    Fourier space, signal over signal and noise, from the spectrum of the map
  tikhonov  least squares with the smoothest current, on pixels or sites; sees beyond the edges
  tv        the same with sharp edges: the best for traces of even density"""


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "current",
        help="turn a field map into a current density",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    length = quantity("m")
    parser.add_argument("field", metavar="FIELD.h5", help="file with a field map")
    parser.add_argument(
        "--standoff", type=length, required=True, metavar="D",
        help="from the top face of the conductor to the mean depth of the emitters, for example 100nm",
    )  # fmt: skip
    parser.add_argument("--method", choices=METHODS, default="tikhonov", help="default tikhonov; see below")
    parser.add_argument(
        "--regularisation", metavar="R",
        help="morozov, gcv or a number; for hann a wavelength such as 300nm (default: found from the map)",
    )  # fmt: skip
    parser.add_argument("--thickness", type=length, default=0.0, metavar="T", help="of the conductor (default 0nm)")
    parser.add_argument(
        "--depth", type=length, metavar="T", help="thickness of the layer of emitters (default: from the file, or 0nm)"
    )
    parser.add_argument(
        "--mask", metavar="WHERE",
        help="where current may flow: a picture (bright, as large as the map, its top row at the largest y), an array "
        "(.npy), or two corners X0,Y0,X1,Y1",
    )  # fmt: skip
    parser.add_argument(
        "--offset", metavar="RULE",
        help="the uniform current that Bz cannot see: none, median (its median is zero), mask (no current outside of "
        "--mask), or known net currents such as y=1mA (default: mask where one is given, else median)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="CURRENT.h5", help="file to write (default: current.h5 beside the field)")
    parser.add_argument("--plot", metavar="PICTURE.png", help="also draw current, error and residual")
    parser.add_argument("--force", action="store_true", help="replace files")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load, invert, save, draw, tell."""
    from vbsense import files
    from vbsense.layout import require

    out = refuse_existing(args.out or Path(args.field).with_name("current.h5"), args.force)
    plot = picture(args.plot, "--plot", args.force)
    field = require(files.load(args.field), "map")
    with plain_warnings():
        sheet = _invert(field, args)
    files.save(sheet, out, overwrite=args.force)
    if plot is not None:
        _draw(sheet, plot)
    print(f"{out}: {sheet.sizes['y']} x {sheet.sizes['x']} pixels{f'; {plot}' if plot else ''}")
    for line in summary(sheet):
        print(line)
    return 0


def _invert(field: Any, args: argparse.Namespace) -> Any:
    from vbsense.analysis.current import current_density

    options: dict[str, Any] = {"thickness": args.thickness, "depth": args.depth}
    mask = None if args.mask is None else read_mask(args.mask, field)
    fourier = args.method in ("hann", "wiener")
    if mask is not None and not fourier:
        if args.offset is not None:
            raise ValueError("--offset: leave it out; with --mask there is no current outside, which settles it")
        options["mask"] = mask
    offset = _offset(args.offset, mask, fourier)
    if offset is not None:
        options["offset"] = offset
    options |= _strength(args.regularisation, args.method)
    return current_density(field, standoff=args.standoff, method=args.method, **options)


def _strength(text: str | None, method: str) -> dict[str, Any]:
    """What --regularisation means for a method, as an option of the inversion."""
    if text is None:
        return {}
    if method == "wiener":
        raise ValueError("--regularisation: a Wiener filter finds its own; take --method hann or tikhonov to set one")
    if method != "hann" and text in ("morozov", "gcv"):
        return {"regularisation": text}
    try:
        value = quantity("m" if method == "hann" else "1")(text)
    except argparse.ArgumentTypeError as error:
        rules = "" if method == "hann" else "; or take morozov or gcv"
        raise ValueError(f"--regularisation: {error}{rules}") from None
    if value <= 0:
        raise ValueError(f"--regularisation: received {text!r}; it must be above zero")
    return {"cutoff" if method == "hann" else "regularisation": value}


def _offset(text: str | None, mask: Any, fourier: bool) -> Any:
    """What --offset means; None for the method's own rule."""
    if text is None:
        return ~mask if mask is not None and fourier else None
    if text == "mask":
        if mask is None:
            raise ValueError("--offset mask: outside of which mask is no current? Give --mask as well")
        return ~mask
    if text in ("none", "median"):
        return text
    currents = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([xy])\s*=\s*(.+)", part)
        if match is None:
            raise ValueError(f"--offset: received {text!r}; give none, median, mask, or a net current such as y=1mA")
        try:
            currents[match[1]] = quantity("A")(match[2])
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"--offset: {error}") from None
    return currents


def summary(sheet: Any) -> list[str]:
    """What was found and what was assumed, in a few lines of text.

    Parameters
    ----------
    sheet : xarray.Dataset
        As `vbsense.analysis.current_density` gives it.

    Returns
    -------
    list of str
    """
    import numpy as np

    found = sheet.attrs
    J = np.hypot(*(sheet["J"].sel(component=c).values for c in "xy"))
    lines = [f"method: {found.get('user_method', 'unknown')}, {_regularised(found)}"]
    if "user_noise" in found:
        source = found.get("user_noise_from", "B_err")
        lines.append(f"noise of the field: {found['user_noise'] * 1e6:.3g} uT a pixel, from {source}")
    error = f", median error {float(sheet['J_err'].median()):.3g} A/m" if "J_err" in sheet else ""
    lines.append(f"current density: up to {np.nanmax(J):.4g} A/m{error}")
    lines += [_cut(sheet, along) for along in "yx"]
    lines.append(f"Bz cannot see a uniform current: {found.get('user_uniform', 'left as the method gives it')}")
    return lines


def _regularised(found: Mapping[str, Any]) -> str:
    """How much detail was given up, in words."""
    finest = f", resolution {found['user_resolution'] * 1e9:.0f} nm" if "user_resolution" in found else ""
    if "user_cutoff" in found:
        return f"nothing passes below a wavelength of {found['user_cutoff'] * 1e9:.0f} nm{finest}"
    if "user_prior_length" in found:
        length, density = found["user_prior_length"] * 1e9, found["user_prior_density"]
        return f"for currents of some {density:.3g} A/m in structures of {length:.0f} nm{finest}"
    rule, weight = found.get("user_regularisation", "unknown"), found.get("user_weight")
    strength = f" ({weight:.3g})" if weight is not None and weight == weight else ""  # NaN where there is none
    return f"regularisation {rule}{strength}{finest}"


def _cut(sheet: Any, along: str) -> str:
    """Net current through the line across the middle of the map."""
    import numpy as np

    across = "x" if along == "y" else "y"
    middle = {along: sheet.sizes[along] // 2}
    line = sheet["J"].sel(component=along).isel(middle)
    step, values = float(sheet[across][1] - sheet[across][0]), line.values
    known = np.isfinite(values)
    error = _cut_error(sheet, along, middle, step)
    said = "" if error is None else f" +- {error * 1e3:.2g}"
    part = "" if known.all() else f", {known.sum()} of {known.size} pixels known"
    where = float(sheet[along][middle[along]]) * 1e6
    parts = step * np.cumsum(np.append(0.0, np.where(known, values, 0.0)))
    return (
        f"net current along {along} through {along} = {where:.3g} um: {parts[-1] * 1e3:.4g}{said} mA{part}; "
        f"in one direction up to {np.ptp(parts) * 1e3:.4g} mA"
    )


def _cut_error(sheet: Any, along: str, middle: Mapping[str, int], step: float) -> float | None:
    """Error of a net current by noise (A): from repetitions or the filter, else as if pixels were independent."""
    import numpy as np

    if "J_samples" in sheet:
        noise = sheet["J_samples"].sel(component=along).isel(middle).values
        return step * float(np.sqrt((np.nansum(noise, axis=-1) ** 2).mean()))
    if "user_net_current_err" in sheet.attrs:
        return float(sheet.attrs["user_net_current_err"])
    if "J_err" in sheet:
        return step * float(np.sqrt(np.nansum(sheet["J_err"].sel(component=along).isel(middle).values ** 2)))
    return None


def _draw(sheet: Any, path: Path) -> None:
    from matplotlib.figure import Figure

    from vbsense.analysis.currentplots import plot_current

    pictures = 1 + sum(name in sheet for name in ("J_err", "residual"))
    figure = Figure(figsize=(5 * pictures, 4.6), layout="constrained")
    plot_current(sheet, figure)
    figure.savefig(path, dpi=120)
