"""``vbsense info``: what is in a file."""

from __future__ import annotations

import argparse


def add(subparsers: argparse._SubParsersAction) -> None:
    """Declare the command."""
    parser = subparsers.add_parser("info", help="say what is in a file", description="Say what is in a file.")
    parser.add_argument("file", metavar="FILE", help="file of a sweep, fit or map")
    parser.add_argument("--verify", action="store_true", help="also read everything and compare the checksum")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a summary."""
    from vbsense import files

    found = files.summary(args.file, verify=args.verify)
    print(f"{found['path']}: {found['schema']}, {found['bytes'] / 1e6:.2f} MB, checksum {_checksum(found)}")
    print("variables:")
    for name, variable in found["variables"].items():
        sizes = ", ".join(f"{dim} {found['sizes'][dim]}" for dim in variable["dims"])
        print(f"  {name:<18} {variable['units'] or '-':<9} {variable['dtype']:<8} ({sizes})")
    print("attributes:")
    for name, value in found["attributes"].items():
        text = " ".join(str(value).split())
        print(f"  {name:<18} {text if len(text) <= 90 else text[:87] + '...'}")
    return 2 if found["sha256_ok"] is False else 0


def _checksum(found: dict) -> str:
    if found["sha256_ok"] is None:
        return "not compared (--verify does)" if found["sha256"] else "missing"
    return "right" if found["sha256_ok"] else "WRONG: the file is damaged"
