"""``vbsense demo``: the whole way, from a wire through instruments and files back to its current."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
from pathlib import Path
from typing import Any

from vbsense.cli.acquire import measure
from vbsense.cli.options import seed

RESULTS = ("sweep.h5", "fit.h5", "field.h5", "report.png", "report.json")
CURRENT, EXPOSURE, POWER, SWEEPS = 1e-3, 1.0, 15.0, 4
GRID = (2.97e9, 3.97e9, 81)


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "demo",
        help="the whole way in one command",
        description="Measure the current in a gold wire with a V_B^- nanoarray on a simulated rig, through the real "
        "drivers over loopback TCP, and read it back from the file. The scene is representative of arXiv:2301.12645: "
        "numbers that the paper's abstract does not give are our choice.",
    )
    parser.add_argument(
        "--out", default="vbsense-demo", metavar="DIR", help="folder of the results (default vbsense-demo)"
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of scene and noise (default 0)")
    parser.add_argument("--force", action="store_true", help="replace results that are there already")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Acquire, analyse, draw, report."""
    out = prepare(Path(args.out), args.force)
    from vbsense.cli.pipeline import Stopwatch, analyse, report

    watch = Stopwatch()
    with watch.stage("start"):
        from vbsense import files, sims

        scene = sims.gold_wire_nanoarray(current=CURRENT, seed=args.seed)
    print("A gold wire, 1 um x 100 nm, under a V_B^- nanoarray; representative of arXiv:2301.12645.")
    with watch.stage("acquire"):
        sweep = acquire(scene, out, args.seed)
    result = analyse(sweep, scene.conductor, watch=watch)
    frames = int(sweep.attrs["frames"]) * int(sweep["signal"][..., 0, 0].size)
    summary = report(result, scene, CURRENT, frames)
    with watch.stage("write"):
        files.save(result.fit, out / "fit.h5")
        files.save(result.field, out / "field.h5")
    with watch.stage("report"):
        draw(sweep, result, scene, out / "report.png")
    summary |= {"seed": args.seed, "seconds": watch.seconds | {"total": watch.total()}, "versions": versions()}
    (out / "report.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(table(summary, out))
    return 0


def prepare(out: Path, force: bool) -> Path:
    """The folder of the results, empty of results."""
    there = [name for name in (*RESULTS, "run") if (out / name).exists()]
    if there and not force:
        raise FileExistsError(f"{out} already holds results ({', '.join(there)}); choose another --out or add --force")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"{out} is a file; choose another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    for name in there:
        shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink()
    return out


def acquire(scene: Any, out: Path, seed: int) -> Any:
    """The sweep of the demo, with +I and -I; the file ends up as sweep.h5."""
    import numpy as np

    return measure(
        scene, np.linspace(*GRID), out / "run", out / "sweep.h5", seed=seed, exposure=EXPOSURE, power=POWER,
        currents=(CURRENT, -CURRENT), averages=SWEEPS,
    )  # fmt: skip


def draw(sweep: Any, result: Any, scene: Any, path: Path) -> None:
    """The picture of the run."""
    import numpy as np
    from matplotlib.figure import Figure

    from vbsense.analysis import plot
    from vbsense.cli.pipeline import pulls

    truth = scene.wire_field(CURRENT)[:, 2]
    figure = Figure(figsize=(15, 8.5), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    plot.light_image(sweep, result.sites, axes[0])
    plot.site_spectrum(result.sites, result.fit, int(np.nanargmax(result.field["B"].values[0])), axes[1])
    plot.site_map(result.field, axes[2], wire=result.wire)
    plot.cut(result.field, result.wire, axes[3], truth=truth)
    plot.pulls(pulls(result, scene, CURRENT), axes[4])
    plot.sensitivity_histogram(result.eta, axes[5])
    figure.suptitle("The current in a gold wire, read by a V$_B^-$ nanoarray (simulated rig; see arXiv:2301.12645)")
    figure.savefig(path, dpi=110)


def versions() -> dict[str, str]:
    """Versions of Python and of what the numbers depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "platform": platform.system()}
    for name in ("vbsense", "numpy", "scipy", "numba", "xarray", "h5py", "h5netcdf", "matplotlib", "qcodes", "pyvisa"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def table(summary: dict[str, Any], out: Path) -> str:
    """What a person wants to read."""
    rows = [f"{'':22}{'value':>12}{'error':>12}{'truth':>12}"]
    for name, scale, unit in (("current", 1e3, "mA"), ("standoff", 1e9, "nm")):
        entry = summary[name]
        numbers = "".join(f"{entry[key] * scale:12.4f}" for key in ("value", "error", "truth"))
        rows.append(f"{name + ' (' + unit + ')':22}{numbers}")
    rows.append(
        f"sensitivity, median: {summary['sensitivity_slope'] * 1e6:.1f} uT/sqrt(Hz) by the slope of one line, "
        f"{summary['sensitivity_sweep'] * 1e6:.1f} from the error of the whole sweep"
    )
    rows.append(
        f"Bz of {summary['sites']} sites to {summary['field_error'] * 1e6:.2f} uT; pulls: "
        f"mean {summary['pull_mean']:+.2f}, std {summary['pull_std']:.2f}"
    )
    rows.append(f"{summary['frames']} frames in {summary['seconds']['total']:.1f} s")
    rows.append(f"{out}: {', '.join(RESULTS)}")
    return "\n".join(rows)
