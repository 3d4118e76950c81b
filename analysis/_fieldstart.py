"""Start values for the Hamiltonian model: matched filter with both branches at many fields.

The templates are the lower branch at K fields and the upper one at the same K. A pair of one of each is a field, half
their sum, and a shift of D, for which the two say different fields. That is the search for two lines of
`vbsense.analysis._start` with other pairs forbidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.analysis._start import Templates, constants_of, find_lines, line_pairs, take_out_trend
from vbsense.groundstate.effective import MILLI, SCALE, HamiltonianModel

__all__ = ["FieldTemplates", "field_ladder", "find_field", "make_field_templates"]

WIDTHS = (60e6, 25e6, 140e6)  # Hz, of one hyperfine line: the first serves nearly all, for the comb is far wider
_APART = (28e6, 10e6, 32e6)  # Hz: how far the lines move from one template to the next, at most
_FEWEST, _MOST = 16, 64
_SHIFT = 40e6  # Hz: D is looked for that far from where it is expected
_LOWEST = 0.3e-3  # T: below it nothing moves


@dataclass(frozen=True)
class FieldTemplates:
    """Templates of both branches, and where these lie."""

    templates: Templates  # `centers` are fields (mT), those of the lower branch first
    field: np.ndarray  # (k,) mT
    branches: tuple[np.ndarray, np.ndarray]  # (k,) centres of gravity from D, scaled frequency
    D: float  # scaled
    more: tuple[float, ...] = ()  # parameters that are not looked for, scaled


def field_ladder(model: HamiltonianModel, width: float | None) -> list[tuple[float, int]]:
    """Widths (Hz) of templates, and numbers of fields; `width` where it is known."""
    span = model.largest * model.defect.gamma
    apart = {width: min(width / 2.5, _APART[0])} if width else dict(zip(WIDTHS, _APART, strict=True))
    return [(w, int(np.clip(2 * np.ceil(span / d / 2), _FEWEST, _MOST))) for w, d in apart.items()]


def make_field_templates(
    model: HamiltonianModel, x: np.ndarray, points: int, fwhm: float, count: int, D: float
) -> FieldTemplates:
    """Build templates from the compiled model itself.

    Parameters
    ----------
    model : HamiltonianModel
        Whose `scale` is the unit of all frequencies here.
    x : ndarray, (m,)
        Scaled frequencies, padded.
    points : int
        How many of them are data.
    fwhm, D : float
        Of all templates, scaled.
    count : int
        Number of fields, at most 64.
    """
    field = np.linspace(_LOWEST / MILLI, model.largest / MILLI, count)
    more = [model.defect.E / SCALE] if "E" in model.parameters else []
    size, sloping = len(model.parameters), "slope" in model.parameters
    rows, jacobian, out = np.zeros((2 * count, x.size)), np.zeros((size, x.size)), np.zeros(x.size)
    for k in range(2 * count):
        p = np.array([1.0, D, field[k % count], fwhm, k < count, k >= count, *more, *[0.0] * sloping])
        model.compiled(model.scale)(x.astype(float), np.append(p, constants_of(model)), out, jacobian)
        rows[k, :points] = 1 - out[:points]
    mean = rows[:, :points].mean(1)
    rows[:, :points] -= mean[:, None]
    if sloping:
        take_out_trend(rows, x, points)
    spacing = (field[1] - field[0]) * MILLI * model.defect.gamma
    far = int(np.clip(round(2 * _SHIFT / spacing), 1, count))
    one, two = np.arange(2 * count)[:, None], np.arange(2 * count)[None, :]
    allowed = (one < count) & (two >= count) & (np.abs(two - count - one) <= far)
    pairs = line_pairs(rows @ rows.T, allowed)
    single = Templates(
        rows.astype(np.float32), mean.astype(np.float32), np.tile(field, 2).astype(np.float32), fwhm, pairs, count
    )
    lower, upper = ((c - model.defect.D) / SCALE for c in model.branches(field * MILLI))
    return FieldTemplates(single, field, (lower, upper), D, tuple(more))


def find_field(signal: np.ndarray, points: int, own: FieldTemplates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start values of all parameters ``(n, parameter)``, scaled, and the sums of squares as of `find_lines`."""
    found = np.zeros((len(signal), 7))
    total, explained = find_lines(signal, points, own.templates, ((1, 3, 5), (2, 4, 6)), 0, found)
    first, second = found[:, 1], found[:, 2]
    Bz = np.clip((first + second) / 2, own.field[0], own.field[-1])
    lower, upper = own.branches

    def moved(branch: np.ndarray, there: np.ndarray) -> Any:
        return np.interp(there, own.field, branch) - np.interp(Bz, own.field, branch)

    D = own.D + (moved(lower, first) + moved(upper, second)) / 2
    rest = [np.full(len(D), value) for value in own.more]
    return np.stack([found[:, 0], D, Bz, found[:, 3], found[:, 5], found[:, 6], *rest], -1), total, explained
