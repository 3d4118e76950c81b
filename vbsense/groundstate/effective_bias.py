"""Move effective lines a little, until a fit of them to exact spectra reads the true field.

One line in place of each group leaves out how its exact lines are spread: a fit would read up to some 30 uT wrong.
To first order the bias of a noise-free least-squares fit is a linear function of what the model leaves of the exact
spectrum, and so of small changes of the places and weights. Of all changes that take the bias off at several
linewidths at once the smallest is made: it is smooth in the field, where the best description of each single spectrum
would not be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vbsense.groundstate._broaden import lorentzians

__all__ = ["Node", "Spectra", "without_bias"]

WIDTHS = (40e6, 55e6, 80e6, 140e6)  # Hz: the linewidths at which the bias is taken off
_PLACE, _WEIGHT = 1e6, 0.03  # a change of a place (Hz) and of a weight (relative) that count alike
_RIDGE = 1e-2  # of the mean square of what the changes do: keeps them small where the widths contradict each other
_FIRST_STEPS = 3
_LARGEST = 0.5  # mT: a fit that ends further away has not found the field, and says nothing
_WEAKEST = 5e-3  # least derivative by the field (per mT, over the height of the spectrum) that tells it


class Node(NamedTuple):
    """Effective lines at one field, flat over branch and group; derivatives are by the field (1/mT)."""

    place: np.ndarray  # (2 groups,) Hz
    weight: np.ndarray
    place_slope: np.ndarray
    weight_slope: np.ndarray


def _lorentzian(u: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A line at the detunings `u`, and its derivatives by its place and its width."""
    line = 1 / (1 + (2 * u / width) ** 2)
    slope = 8 * u * (line / width) ** 2
    return line, slope, slope * u / width


def _gaussian(u: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rate = 8 * np.log(2) / width**2
    line = np.exp(-rate / 2 * u**2)
    return line, rate * u * line, rate * u**2 / width * line


def _sum_of_lorentzians(frequency: np.ndarray, place: np.ndarray, height: np.ndarray, width: float) -> np.ndarray:
    out = np.empty((1, frequency.size))
    lorentzians(frequency, np.ascontiguousarray(place)[None], np.ascontiguousarray(height)[None], width, out)
    return out[0]


def _sum_of_gaussians(frequency: np.ndarray, place: np.ndarray, height: np.ndarray, width: float) -> np.ndarray:
    return _gaussian(frequency[:, None] - place, width)[0] @ height


Lines = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray, np.ndarray]]
Sum = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]
SHAPES: dict[str, tuple[Lines, Sum]] = {
    "lorentzian": (_lorentzian, _sum_of_lorentzians),
    "gaussian": (_gaussian, _sum_of_gaussians),
}


class Spectra(NamedTuple):
    """Exact spectra at one field, as a sweep samples them."""

    shape: str
    frequency: np.ndarray  # (m,) Hz
    truth: dict[float, np.ndarray]  # for each linewidth (Hz)
    fitted: dict[float, np.ndarray]  # the last parameters found there

    @classmethod
    def make(cls, frequency: np.ndarray, sticks: tuple[np.ndarray, np.ndarray], shape: str) -> Spectra:
        """From exact lines: their places (Hz) and strengths."""
        finest = 1.5 * float(np.diff(frequency).min())
        add = SHAPES[shape][1]
        return cls(shape, frequency, {w: add(frequency, *sticks, w) for w in WIDTHS if w > finest}, {})


def without_bias(node: Node, spectra: Spectra) -> tuple[np.ndarray, np.ndarray] | None:
    """Places and weights from which the bias was taken off; None if these frequencies do not tell the field."""
    found = [row for width in spectra.truth if (row := _bias(node, spectra, width)) is not None]
    if not found:
        return None
    effect, bias = np.array([row[0] for row in found]), np.array([row[1] for row in found])
    square = effect @ effect.T
    square += _RIDGE * np.trace(square) / len(bias) * np.eye(len(bias))
    change = effect.T @ np.linalg.solve(square, bias)
    n = node.place.size
    return node.place + _PLACE * change[:n], node.weight * (1 + _WEIGHT * change[n:])


def _bias(node: Node, spectra: Spectra, width: float) -> tuple[np.ndarray, float] | None:
    """How much each change of a line lessens the fitted field, and by how much that is too high (mT).

    None where the spectrum does not tell the field, or not from there.
    """
    frequency, truth, lines = spectra.frequency, spectra.truth[width], SHAPES[spectra.shape][0]
    lower = np.arange(node.place.size) < node.place.size // 2
    # Field (mT), D (MHz), width (Hz), two contrasts, background.
    q = spectra.fitted.get(width, np.array([0.0, 0.0, width, 1.0, 1.0, 0.0]))
    height, scale = float(truth.max()), np.array([1.0, 1.0, 1e6, 1.0, 1.0, 1.0])
    for _ in range(1 if width in spectra.fitted else _FIRST_STEPS):
        contrast = np.where(lower, q[3], q[4])
        weight = node.weight + q[0] * node.weight_slope
        u = frequency[:, None] - (node.place + q[0] * node.place_slope + q[1] * 1e6)
        line, by_place, by_width = lines(u, q[2])
        high, heavy = contrast * weight, line * weight
        rows = np.stack(
            [
                by_place @ (high * node.place_slope) + line @ (contrast * node.weight_slope),
                1e6 * (by_place @ high), 1e6 * (by_width @ high),
                heavy @ lower, heavy @ ~lower, np.ones(frequency.size),
            ],
            -1,
        )  # fmt: skip
        inverse = np.linalg.pinv(rows.T @ rows, rcond=1e-11, hermitian=True) @ rows.T
        q = q + scale * (inverse @ (truth - line @ high - q[5]))
        if not (np.isfinite(q).all() and q[2] > width / 3 and abs(q[0]) < _LARGEST):
            return None
    if np.abs(rows[:, 0]).max() < _WEAKEST * height:
        return None
    spectra.fitted[width] = q
    changes = np.concatenate([by_place * high * _PLACE, line * (contrast * node.weight) * _WEIGHT], 1)
    return inverse[0] @ changes, float(q[0])
