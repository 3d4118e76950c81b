"""``vbsense simulate``: a scene through the camera, without instruments."""

from __future__ import annotations

import argparse

from vbsense.cli.options import add_measurement, frequencies, refuse_existing


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "simulate", help="make a synthetic sweep", description="Expose a scene at every frequency and write the sweep."
    )
    parser.add_argument("scene", metavar="SCENE", help="name of a preset: gold_wire_nanoarray")
    parser.add_argument("out", metavar="OUT.h5", help="file to write")
    parser.add_argument("--force", action="store_true", help="replace OUT.h5")
    add_measurement(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate and save."""
    from vbsense import files, sims

    out = refuse_existing(args.out, args.force)
    scene = sims.preset(args.scene, current=abs(args.current) or 1e-3)
    currents = (args.current, -args.current) if args.current else None
    sweep = sims.simulate_sweep(
        scene, frequencies(args.frequencies), exposure=args.exposure, power=args.power, averages=args.averages,
        currents=currents, rng=args.seed,
    )  # fmt: skip
    sweep.attrs["seed"] = args.seed
    files.save(sweep, out, overwrite=args.force)
    print(f"{out}: {', '.join(f'{n} {d}' for d, n in sweep['signal'].sizes.items())}")
    return 0
