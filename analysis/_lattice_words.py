"""A found array in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from vbsense.analysis.lattice import FoundArray

__all__ = ["notes", "summary"]

LISTED = 6  # sites or spots that are named one by one


def notes(found: FoundArray, margin: float, loose: Sequence[int]) -> tuple[str, ...]:
    """What a reader should know, in sentences."""
    said = []
    if len(loose):
        columns = found.array.shape[1]
        named = ", ".join(f"({k // columns}, {k % columns})" for k in loose[:LISTED])
        said.append(
            f"{len(loose)} sites do not look like single spots in their place and do not steer the lattice, "
            f"(row, column): {named}{' ...' if len(loose) > LISTED else ''}"
        )
    sites = found.brightness.size - len(found.outside)
    if len(found.missing) > 0.4 * sites:
        said.append(f"{len(found.missing)} of {sites} sites are dark: are pitch and shape right?")
    if margin < 0.5:
        said.append("the array of this shape fits at another place as well: a whole edge may be dark; give a design")
    if found.reduced_chi2 > 1.5:
        said.append(
            f"the model leaves {np.sqrt(found.reduced_chi2):.2g} times the noise (reduced chi-squared "
            f"{found.reduced_chi2:.3g}): the errors, which are those of the photons, are too small"
        )
    if found.amplification > 2:
        said.append(f"the spots overlap: the noise of a site is {found.amplification:.2g} times that of a spot alone")
    return tuple(said)


def summary(found: FoundArray) -> str:
    """Values with errors, what is missing and what is too much, line by line."""
    array, values, errors = found.array, found.values, found.errors
    rows, columns = array.shape
    present = rows * columns - len(found.missing) - len(found.outside)
    lines = [f"Array of {rows} x {columns} sites (rows x columns), {present} of them bright"]
    for name, unit, factor in (
        ("pitch", "nm", 1e9), ("pitch_y", "nm", 1e9), ("rotation", "mrad", 1e3), ("shear", "mrad", 1e3),
        ("x", "nm", 1e9), ("y", "nm", 1e9), ("psf_fwhm", "nm", 1e9), ("background", "electrons per pixel", 1.0),
    ):  # fmt: skip
        lines.append(f"  {name:<11}{_value(values[name] * factor, errors[name] * factor):>24} {unit}")
    usual = found.brightness.ravel()[[k for k in range(rows * columns) if k not in {*found.missing, *found.outside}]]
    scatter = 100 * float(usual.std()) / float(usual.mean())
    lines.append(f"  brightness {float(np.median(usual)):>24.5g} electrons per exposure, scatter {scatter:.0f} %")
    lines.append(_named("missing", [f"({k // columns}, {k % columns})" for k in found.missing], "(row, column)"))
    if found.outside:
        lines.append(f"  outside: {len(found.outside)} sites are out of view")
    spots = [f"({x * 1e6:.3f}, {y * 1e6:.3f})" for x, y, _ in found.extra]
    lines.append(_named("extra", spots, "(x, y) in um, the brightest first"))
    lines.append(f"  {found.bad_pixels} pixels left out, reduced chi-squared {found.reduced_chi2:.3f}")
    return "\n".join(lines + [f"  Note: {note}." for note in found.notes])


def _value(value: float, error: float) -> str:
    """Value and error with two digits of the error."""
    if not error > 0:
        return f"{value:.6g} (held)"
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 9))
    return f"{value:.{digits}f} +- {error:.{digits}f}"


def _named(what: str, items: list[Any], unit: str) -> str:
    if not items:
        return f"  {what}: none"
    more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return f"  {what}: {len(items)}, {unit}: {', '.join(items[:LISTED])}{more}"
