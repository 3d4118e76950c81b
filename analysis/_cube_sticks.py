"""All exact lines of electron and nuclei at one field, told apart by branch, on a grid of frequencies.

Levels cross as the field changes, so that the place of a line is no smooth function of the field. The spectrum is. On
a fixed grid, each line shared among six points by the weights of Lagrange's interpolation, heights of the points stand
for the lines: whatever is linear in the spectrum, such as a spline over the field, may be done to the heights instead.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vbsense.defect import Defect
from vbsense.groundstate._blocks import in_blocks
from vbsense.hamiltonian import Operators, assemble, operators_of

__all__ = ["Comb", "combs_of"]

_FIRST = 1e-6  # T: at zero field the states are not defined
_NO_SPLITTING = 3e6  # E (Hz) below which branches are told by m_s, not by energy
_FORBIDDEN = 1e-9  # strength of a line next to that of a bare one that adds nothing
_OFFSETS = np.arange(-2, 4)  # of the points that share a line that lies between the points 0 and 1

Comb = tuple[int, np.ndarray]  # number of the first point; heights of the lower and the upper branch (2, point)


def combs_of(
    numbers: np.ndarray, step: float, grid: float, defect: Defect, drive: tuple[complex, ...],
    across: tuple[float, float], sign: float,
) -> list[Comb]:  # fmt: skip
    """Combs at the fields ``numbers * step`` along c; what was made before is kept.

    Parameters
    ----------
    numbers : ndarray of int, (n,)
        Below zero for fields against `sign`.
    step : float
        T.
    grid : float
        Distance of the points of a comb (Hz); points are counted from D of the defect.
    defect : Defect
        With its nuclei and a scalar g.
    drive : tuple of complex
        Direction of the microwave field in the defect frame, of length 1.
    across : (float, float)
        Field across c in the defect frame (T).
    sign : float
        Of the field along c.
    """
    kept = _kept(step, grid, defect, drive, across, sign)
    new = [n for n in numbers.tolist() if n not in kept]
    if new:
        along = np.array(new) * step
        along = np.where(np.abs(along) < _FIRST, _FIRST, along)
        field = np.stack([np.full(len(new), across[0]), np.full(len(new), across[1]), sign * along], -1)
        kept.update(zip(new, _combs(field, grid, defect, np.array(drive), sign), strict=True))
    return [kept[n] for n in numbers.tolist()]


@lru_cache(maxsize=16)
def _kept(
    step: float, grid: float, defect: Defect, drive: tuple[complex, ...], across: tuple[float, float], sign: float
) -> dict[int, Comb]:
    return {}


def _combs(field: np.ndarray, grid: float, defect: Defect, drive: np.ndarray, sign: float) -> list[Comb]:
    operators, shifts = operators_of(defect), _first_order(defect)

    def one_block(block: np.ndarray) -> tuple[np.ndarray, ...]:
        return _lines(block, defect, operators, drive, shifts, sign)

    place, height = in_blocks(field, operators.n, one_block)
    return [_on_grid((p - defect.D) / grid, h) for p, h in zip(place, height, strict=True)]


def _lines(
    field: np.ndarray, defect: Defect, operators: Operators, drive: np.ndarray, shifts: np.ndarray, sign: float
) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (b, pair) and strengths (b, 2, pair) of all lines from m_s = 0, as in `vbsense.spin.lines`."""
    energy, vectors = np.linalg.eigh(assemble(field, operators))
    m, n = operators.m, operators.n
    parts = vectors.reshape(-1, 3, m, n)
    driven = np.tensordot(drive, operators.S, axes=1) @ parts.reshape(-1, 3, m * n)
    zero = _square(parts[:, 1]).sum(-2)
    # Lines from every level of m_s = 0 to every other one; in strong fields across c the halves still hold.
    rank = np.argsort(-zero, axis=-1, kind="stable")
    start, end = rank[:, :m], rank[:, m:]
    element = _square(vectors.conj().swapaxes(-1, -2) @ driven.reshape(-1, n, n))
    row = np.arange(len(field))[:, None, None]
    pair = row, end[:, :, None], start[:, None, :]
    difference = energy[pair[0], pair[1]] - energy[pair[0], pair[2]]
    strength = element[pair] * np.abs(zero[pair[0], pair[1]] - zero[pair[0], pair[2]]) * (2 / m)
    upper = _upper(parts, field[:, 2], defect, operators, shifts, sign)
    share = np.take_along_axis(upper, end, axis=1)[:, :, None]
    height = np.stack([(1 - share) * strength, share * strength], 1)
    return np.abs(difference).reshape(len(field), -1), height.reshape(len(field), 2, -1)


def _first_order(defect: Defect) -> np.ndarray:
    """First-order hyperfine shift of every nuclear product state in m_s = +1 (Hz)."""
    shift = np.zeros(1)
    for nucleus in defect.nuclei:
        m = nucleus.spin - np.arange(nucleus.dimension)
        shift = (shift[:, None] + np.asarray(nucleus.A)[2, 2] * m).ravel()
    return shift


def _upper(
    parts: np.ndarray, along: np.ndarray, defect: Defect, operators: Operators, shifts: np.ndarray, sign: float
) -> np.ndarray:
    """Which part of each level (b, level) belongs to the upper branch.

    Its overlap with the upper state of m_s = +1 and -1 that an electron with E, the field and the first-order shift of
    the nuclei would have, over that with both: smooth where levels cross.
    """
    mixing = complex(defect.E * operators.by_E[0, 2])
    if abs(mixing) > _NO_SPLITTING:
        half = np.arctan2(abs(mixing), defect.gamma * along[:, None] + shifts)[..., None] / 2
        phase = mixing / abs(mixing)
    else:
        half, phase = np.full((1, 1, 1), 0.0 if sign > 0 else np.pi / 2), 1.0 + 0j
    plus, minus = parts[:, 0], parts[:, 2]
    own = _square(np.cos(half) * plus + np.sin(half) * phase * minus).sum(-2)
    both = (_square(plus) + _square(minus)).sum(-2)
    return np.asarray(own / np.maximum(both, 1e-300))


def _on_grid(place: np.ndarray, height: np.ndarray) -> Comb:
    """Lines (pair,) in units of the grid with heights (2, pair), shared among the six nearest points each."""
    seen = height.sum(0) > _FORBIDDEN
    place, height = place[seen], height[:, seen]
    left = np.floor(place).astype(np.int64)
    t = (place - left)[:, None]
    weights = np.ones((place.size, _OFFSETS.size))
    for k, own in enumerate(_OFFSETS):
        for other in _OFFSETS[_OFFSETS != own]:
            weights[:, k] *= (t[:, 0] - other) / (own - other)
    first = int(left.min() + _OFFSETS[0])
    index = (left[:, None] + _OFFSETS - first).ravel()
    return first, np.stack([np.bincount(index, (h[:, None] * weights).ravel()) for h in height])


def _square(z: np.ndarray) -> np.ndarray:
    return z.real**2 + z.imag**2
