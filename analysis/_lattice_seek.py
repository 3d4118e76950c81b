"""From the bright vectors of a picture to the lattices that it may hold.

Two vectors make a lattice. A good one has light at all vectors that it says (complete), and says where all the light
is (explained). Lengths are in pixels; vectors are (x, y).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vbsense.analysis._lattice_peaks import Spectrum

__all__ = ["Candidate", "candidates", "distinct", "nested", "reduced", "same_lattice"]

STRONG = 0.35  # of the strongest peak
SIGNIFICANT = 6.0
TRIED = 16  # peaks of which pairs are made
BLURS = (1.0, 1.2, 1.4, 1.6)
COARSER = 0.75  # of the best score
LEAST_PITCH = 1.5  # pixels


@dataclass(frozen=True)
class Candidate:
    """A lattice: a site, and the steps to two of its neighbours."""

    origin: np.ndarray  # (2,)
    steps: np.ndarray  # (2, 2), one step per row, the shortest two, right-handed
    score: float

    @property
    def lengths(self) -> np.ndarray:
        """Of both steps."""
        return np.hypot(self.steps[:, 0], self.steps[:, 1])


def candidates(spectrum: Spectrum, *, known_blur: bool = False) -> list[Candidate]:
    """Lattices that the spectrum allows, the best first, each once.

    The width of the blur, unless known, is seen too small rather than too large; with the right one a lattice is
    equally bright at all its vectors, so the best score wins.
    """
    found = distinct([c for factor in ((1.0,) if known_blur else BLURS) for c in _pairs(spectrum.sharper(factor))])
    # Too wide a blur makes far vectors too bright: a lattice with more sites, most of them dark, then scores well.
    for coarser in found[1:]:
        if coarser.score > COARSER * found[0].score and _holds(found[0], coarser, 0.1):
            return [coarser, *(c for c in found if c is not coarser)]
    return found


def distinct(found: list[Candidate]) -> list[Candidate]:
    """The best first, each lattice once."""
    kept: list[Candidate] = []
    for candidate in sorted(found, key=lambda c: -c.score):
        if not any(same_lattice(candidate, other) for other in kept):
            kept.append(candidate)
    return kept


def _pairs(spectrum: Spectrum) -> list[Candidate]:
    """Every pair of strong peaks as a lattice, with its score."""
    strong = spectrum.significance > SIGNIFICANT
    if strong.sum() < 2:
        return []
    strong &= spectrum.strength > STRONG * spectrum.strength[strong].max()
    order = np.argsort(np.where(strong, -spectrum.strength, np.inf))[: int(strong.sum())]
    peaks, strength = spectrum.peaks[order], spectrum.strength[order]
    found: list[Candidate] = []
    for i in range(min(len(peaks), TRIED)):
        for j in range(i + 1, min(len(peaks), TRIED)):
            candidate = _candidate(spectrum, np.array([peaks[i], peaks[j]]), peaks, strength)
            if candidate is not None:
                found.append(candidate)
    return found


def _candidate(spectrum: Spectrum, pair: np.ndarray, peaks: np.ndarray, strength: np.ndarray) -> Candidate | None:
    area = abs(float(np.linalg.det(pair)))
    if area < 0.25 * np.hypot(*pair[0]) * np.hypot(*pair[1]) or area > LEAST_PITCH**-2:
        return None
    pair = reduced(pair)
    score = _complete(spectrum, pair, strength.max()) * _explained(pair, peaks, strength, spectrum.resolution)
    if score < 0.1:
        return None
    steps = np.linalg.inv(pair).T
    phase = -np.angle(spectrum.at(pair)) / (2 * np.pi)
    return Candidate(phase @ steps, reduced(steps), score)


def _complete(spectrum: Spectrum, pair: np.ndarray, strongest: float) -> float:
    """How much light there is at the vectors of this lattice, over that of as many strong ones."""
    order = np.array([(h, k) for h in range(-6, 7) for k in range(-6, 7) if (h, k) > (0, 0)])
    seen = spectrum.strengths(order @ pair)
    seen = seen[np.isfinite(seen)]
    return float(np.minimum(seen / strongest, 1.0).mean()) if seen.size else 0.0


def _explained(pair: np.ndarray, peaks: np.ndarray, strength: np.ndarray, resolution: float) -> float:
    """Fraction of the strong light that lies on vectors of this lattice."""
    shortest = np.hypot(pair[:, 0], pair[:, 1]).min()
    length = np.hypot(peaks[:, 0], peaks[:, 1])
    counted = length > 0.45 * shortest  # what is slower is the outline of the array, or its background
    off = peaks - np.rint(peaks @ np.linalg.inv(pair)) @ pair
    near = np.hypot(off[:, 0], off[:, 1]) < 0.7 * resolution + 0.01 * length
    near &= length > 0.5 * shortest
    return float(strength[near & counted].sum() / strength[counted].sum())


def reduced(steps: np.ndarray) -> np.ndarray:
    """The two shortest steps of the lattice, right-handed (Lagrange's reduction)."""
    a, b = (np.array(s, dtype=float) for s in steps)
    for _ in range(100):
        if a @ a > b @ b:
            a, b = b, a
        n = np.rint((a @ b) / (a @ a))
        if n == 0:
            break
        b = b - n * a
    return np.array([a, b if a[0] * b[1] - a[1] * b[0] > 0 else -b])


def same_lattice(one: Candidate, other: Candidate, tolerance: float = 0.08) -> bool:
    """Whether each has the steps of the other."""
    return all(_holds(p, q, tolerance) for p, q in ((one, other), (other, one)))


def nested(one: Candidate, other: Candidate) -> bool:
    """Whether one of them has all the steps of the other."""
    return _holds(one, other, 0.1) or _holds(other, one, 0.1)


def _holds(one: Candidate, other: Candidate, tolerance: float) -> bool:
    whole = other.steps @ np.linalg.inv(one.steps)
    return bool(np.abs(whole - np.rint(whole)).max() < tolerance)
