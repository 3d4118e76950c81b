"""What a fit of effective lines reads on exact spectra, and so which effective lines stand for a true field and width.

One line in place of each group leaves out how its exact lines are spread: a fit reads the field up to some 40 uT, D up
to 1 MHz and the width up to 7 MHz wrong. These differences are smooth in field and width. Tabulated, they turn true
parameters into effective ones, and a model with true parameters fits the same spectra equally well without the bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from vbsense.groundstate._broaden import lorentzians

__all__ = ["WIDTHS", "differences"]

WIDTHS = 33e6 * 1.265 ** np.arange(8.0)  # Hz, of exact lines: the nodes of the table, 33 to 171 MHz
_ROUNDS = 15  # Gauss-Newton steps
_LONGEST, _FURTHEST = 0.05, 0.3  # mT: of one step; a fit that ends further away has not found the field
_CONVERGED = 1e-5  # mT
_WEAKEST = 5e-3  # least derivative by the field (per mT, over the height of the spectrum) that tells it
_BLOCK = 24  # fields at once: their derivatives stay in the cache
# Where lines are narrower than so many steps of the frequency, what is read goes up and down with their place between
# the points, by exp(-pi width / step); otherwise fields above the first few mT (T) need not lie close.
_RIPPLES, _LOW, _SPARSE = 3.6, 12e-3, 1e-3
_COARSEST = 1.5  # lines of that many steps of the frequency and more are tabulated
_FADE = 0.4, 1.2  # mT: between them differences fade in; below, the lines hardly move with the field
_UNITS = np.array([1.0, 1e6, 1e6])  # mT, Hz, Hz: of field, D and width in a table

Shape = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def _lorentzian(u: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A line at the detunings `u`, and its derivatives by its place and its width."""
    line = 1 / (1 + (2 * u / width) ** 2)
    slope = 8 * u * (line / width) ** 2
    return line, slope, slope * u / width


def _gaussian(u: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rate = 8 * np.log(2) / width**2
    line = np.exp(-rate / 2 * u**2)
    return line, rate * u * line, rate * u**2 / width * line


SHAPES: dict[str, Shape] = {"lorentzian": _lorentzian, "gaussian": _gaussian}


def differences(fields: np.ndarray, exact: Any, shape: str, frequency: np.ndarray) -> np.ndarray:
    """Fit effective lines to noise-free exact spectra at all fields and widths.

    Parameters
    ----------
    fields : ndarray, (n,)
        Along c (T), ascending.
    exact : Groups
        Lines at these fields.
    shape : str
        Of every line.
    frequency : ndarray, (n, m)
        Where each spectrum is sampled (Hz), ascending; NaN at the end where there are fewer.

    Returns
    -------
    ndarray, (n, width, 3)
        Effective minus true field (mT), D and width (Hz), for each of `WIDTHS`. Where a spectrum does not tell the
        field, or is sampled too coarsely, those of the nearest one where it does.
    """
    step = float(np.nanmedian(np.diff(frequency, axis=1), axis=1).max())  # some have gaps
    lowest = min(int(np.searchsorted(WIDTHS, _COARSEST * step)), WIDTHS.size - 1)
    sparse = _sparse(fields)
    values = np.zeros((fields.size, WIDTHS.size, 3))
    for j in range(lowest, WIDTHS.size):
        some = np.arange(fields.size) if WIDTHS[j] < _RIPPLES * step else sparse
        own = [
            _fit(fields, exact, shape, frequency, some[k : k + _BLOCK], WIDTHS[j]) for k in range(0, some.size, _BLOCK)
        ]
        values[:, j] = _between(fields, some, _filled(np.concatenate(own))) * _faded(fields)[:, None] * _UNITS
    values[:, :lowest] = values[:, lowest : lowest + 1]
    return values


def _sparse(fields: np.ndarray) -> np.ndarray:
    """Numbers of fields that tell those between: all at low fields, and one in about a millitesla."""
    kept = [0]
    for k in range(1, fields.size - 1):
        if fields[k + 1] - fields[kept[-1]] > 1.001 * (_SPARSE if fields[k] > _LOW else 0):
            kept.append(k)
    return np.array([*kept, fields.size - 1])


def _between(fields: np.ndarray, some: np.ndarray, values: np.ndarray) -> np.ndarray:
    from scipy.interpolate import CubicSpline

    return values if some.size == fields.size else CubicSpline(fields[some], values)(fields)


def _spectrum(frequency: np.ndarray, place: np.ndarray, height: np.ndarray, width: float, shape: str) -> np.ndarray:
    if shape == "gaussian":
        return _gaussian(frequency[:, None] - place, np.asarray(width))[0] @ height
    out = np.empty((1, frequency.size))
    axis, place, height = (np.ascontiguousarray(a) for a in (frequency, place[None], height[None]))
    lorentzians(axis, place, height, float(width), out)
    return out[0]


def _fit(
    fields: np.ndarray, exact: Any, shape: str, frequency: np.ndarray, some: np.ndarray, width: float
) -> np.ndarray:
    """Effective minus true field (mT), D and width (MHz) at `some` fields ``(n, 3)``; NaN where the fit finds none."""
    axis = frequency[some]
    weight = np.isfinite(axis).astype(float)
    axis = np.where(np.isfinite(axis), axis, axis[:, :1])
    sticks = [exact.sticks(k) for k in some.tolist()]
    truth = np.stack([_spectrum(f, own[0], own[1], width, shape) for f, own in zip(axis, sticks, strict=True)])
    lines = _lines(fields, exact)
    slopes, mT = lines.derivative(), fields[some] * 1e3
    # Field (mT) off the true one, D (MHz), width (MHz), two contrasts, background.
    q = np.tile([0.0, 0.0, width / 1e6, 1.0, 1.0, 0.0], (some.size, 1))
    for _ in range(_ROUNDS):
        at = mT + q[:, 0]
        model, rows = _rows(lines(at), slopes(at), q, axis, shape)
        rows *= weight[..., None]
        normal = rows.swapaxes(1, 2) @ rows
        gradient = (rows * ((truth - model) * weight)[..., None]).sum(1)
        step = (np.linalg.pinv(normal, rcond=1e-11, hermitian=True) @ gradient[..., None])[..., 0]
        step[:, 0] = np.clip(step[:, 0], -_LONGEST, _LONGEST)
        q += step
        q[:, 0], q[:, 2] = np.clip(q[:, 0], -_FURTHEST, _FURTHEST), np.clip(q[:, 2], width / 2e6, width / 5e5)
        if np.abs(step[:, 0]).max() < _CONVERGED:
            break
    told = np.abs(rows[:, :, 0]).max(1) > _WEAKEST * truth.max(1)
    told &= (np.abs(step[:, 0]) < _CONVERGED) & (np.abs(q[:, 0]) < _FURTHEST)
    return np.where(told[:, None], q[:, :3] - [0.0, 0.0, width / 1e6], np.nan)


def _lines(fields: np.ndarray, exact: Any) -> Any:
    """Places and weights ``(2, line)`` as a spline of the field (mT)."""
    from scipy.interpolate import CubicSpline

    return CubicSpline(fields * 1e3, np.stack([a.reshape(fields.size, -1) for a in (exact.place, exact.weight)], 1))


def _rows(
    at: np.ndarray, slopes: np.ndarray, q: np.ndarray, frequency: np.ndarray, shape: str
) -> tuple[np.ndarray, np.ndarray]:
    """Model ``(n, m)`` and derivatives ``(n, m, 6)`` by what `q` holds."""
    place, weight = at[:, 0], at[:, 1]
    lower = np.arange(place.shape[1]) < place.shape[1] // 2
    contrast = np.where(lower, q[:, 3:4], q[:, 4:5])
    high = contrast * weight
    u = frequency[:, :, None] - (place + q[:, 1:2] * 1e6)[:, None, :]
    line, by_place, by_width = SHAPES[shape](u, q[:, 2, None, None] * 1e6)

    def total(of_line: np.ndarray, factor: np.ndarray) -> np.ndarray:
        return (of_line @ factor[:, :, None])[..., 0]

    columns = [
        total(by_place, high * slopes[:, 0]) + total(line, contrast * slopes[:, 1]),
        1e6 * total(by_place, high), 1e6 * total(by_width, high),
        total(line, weight * lower), total(line, weight * ~lower), np.ones(frequency.shape),
    ]  # fmt: skip
    return total(line, high) + q[:, 5:], np.stack(columns, -1)


def _filled(found: np.ndarray) -> np.ndarray:
    """NaN (n, 3) replaced by the nearest that is known; zeros if none is."""
    known = np.flatnonzero(np.isfinite(found).all(1))
    if known.size == 0:
        return np.zeros_like(found)
    n = np.arange(len(found))
    right = known[np.minimum(np.searchsorted(known, n), known.size - 1)]
    left = known[np.maximum(np.searchsorted(known, n, side="right") - 1, 0)]
    return found[np.where(np.abs(left - n) < np.abs(right - n), left, right)]


def _faded(fields: np.ndarray) -> np.ndarray:
    t = np.clip((fields * 1e3 - _FADE[0]) / (_FADE[1] - _FADE[0]), 0, 1)
    return t * t * (3 - 2 * t)
