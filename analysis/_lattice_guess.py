"""The first guess of a lattice, or a refusal that says what was seen instead. Lengths are in pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vbsense.analysis._lattice_direct import bright_spots, lattices_through
from vbsense.analysis._lattice_light import Light
from vbsense.analysis._lattice_peaks import Spectrum, flattened, spectrum_of
from vbsense.analysis._lattice_seek import Candidate, candidates, distinct, nested, reduced
from vbsense.analysis._lattice_spots import FWHM
from vbsense.analysis._lattice_wanted import Wanted

__all__ = ["Guess", "guess"]

FEW = 200  # spots that are looked at one by one
CLEAR = 0.8  # score at which single spots need no transform
LEAST = 0.35  # score of a lattice; spots without order reach 0.3
RIVAL = 0.8  # of the best score: the light itself has to tell, by the fit of both
WEAKER = 0.4  # of the best score: worth a fit if that of the best one fails
MOST = 4  # lattices that are fitted
SAME_LENGTH = 0.12
UNRESOLVED = 0.45  # of the width of the light: below it, telling spots apart multiplies the noise by more than 50


@dataclass(frozen=True)
class Guess:
    """Lattices to start from, the likeliest first.

    Attributes
    ----------
    starts : list of Candidate
    rivals : int
        How many of them, behind the first, look as good as the first.
    sigma : float
        Width (one sigma) of the blur.
    sight : object
        Describes a candidate in words.
    """

    starts: list[Candidate]
    rivals: int
    sigma: float
    sight: _Sight


def guess(light: Light, request: Wanted) -> Guess:
    """What to start from; one lattice where the pitch is known."""
    flat = flattened(light.values, light.good)
    variance = np.where(light.good, light.variance(light.values), 0.0)
    if not float(flat.std()) > 1e-9 * float(np.abs(light.values).max()):
        raise ValueError(f"lattice not found: all {light.good.sum()} valid pixels have the same light")
    spectrum = spectrum_of(flat, variance, sigma=request.sigma)
    spots = bright_spots(flat, variance)
    direct = lattices_through(spots) if 2 <= len(spots) <= FEW else []
    found = candidates(spectrum, known_blur=request.sigma is not None)
    if direct and direct[0].score > CLEAR:
        found = direct
    elif direct and (not found or found[0].score < max(LEAST, direct[0].score)):
        found = distinct(direct + found)
    sight = _Sight(light, spectrum, len(spots), found)
    if request.pitch is not None:
        return Guess([_of_pitch(found, request, sight)], 0, spectrum.sigma, sight)
    if not found or found[0].score < LEAST:
        raise ValueError(f"lattice not found: {sight}; give pitch= or design= if you know them")
    best, others = found[0], [c for c in found[1:] if c.score > WEAKER * found[0].score]
    alike = [c.score > RIVAL * best.score and not nested(c, best) for c in others]
    rivals = [c for c, same in zip(others, alike, strict=True) if same]
    weaker = [c for c, same in zip(others, alike, strict=True) if not same]
    starts = [best, *rivals, *weaker][:MOST]
    return Guess(starts, min(len(rivals), MOST - 1), spectrum.sigma, sight)


def _of_pitch(found: list[Candidate], request: Wanted, sight: _Sight) -> Candidate:
    """The best candidate with the asked-for pitch; sites in between may be dark."""
    good = [c for c in found if c.score > LEAST]
    for tried in (good, [finer for c in good for finer in _finer(c)]):
        fits = [c for c in tried if _fits(c, request)]
        if fits:
            return min(fits, key=lambda c: (-_matching(c, request), -c.score, _turned(c, request)))
    width = sight.spectrum.sigma * FWHM
    if request.pitch is not None and request.pitch < UNRESOLVED * width:
        nm = sight.light.pixel * 1e9
        raise ValueError(
            f"spots {request.pitch * nm:.4g} nm apart are not resolved: the finest structure of the light is "
            f"{width * nm:.4g} nm wide, and {UNRESOLVED:g} of a width is the least that noise leaves; {sight}"
        )
    asked = f"pitch {request.pitch * sight.light.pixel * 1e9:.4g} nm" if request.pitch else ""
    if not good:
        raise ValueError(f"lattice not found, neither one of {asked} nor any other: {sight}")
    ratio = good[0].lengths / request.pitch
    raise ValueError(
        f"no lattice of {asked} was found; the light repeats as {sight.describe(good[0])}, {ratio[0]:.3f} and "
        f"{ratio[1]:.3f} times that pitch: check pitch and pixel size, or leave the pitch out"
    )


def _fits(candidate: Candidate, request: Wanted) -> bool:
    lengths, pitch = candidate.lengths, request.pitch
    assert pitch is not None
    if request.design is None:
        return bool((np.abs(lengths / pitch - 1) < SAME_LENGTH).any())
    # The steps of a design that leans need not be the shortest ones; its cell has the same area.
    pitch_y = pitch if request.pitch_y is None else request.pitch_y
    area = pitch * pitch_y * np.cos(request.design.shear)
    one_row = 1 in (request.shape or ())
    return one_row or bool(abs(np.linalg.det(candidate.steps) / area - 1) < 2 * SAME_LENGTH)


def _matching(candidate: Candidate, request: Wanted) -> int:
    """How many of the steps have the asked-for pitch."""
    assert request.pitch is not None
    return int((np.abs(candidate.lengths / request.pitch - 1) < SAME_LENGTH).sum()) if request.design is None else 0


def _turned(candidate: Candidate, request: Wanted) -> float:
    """Angle between the candidate and the design, within a quarter."""
    if request.design is None:
        return 0.0
    angle = np.arctan2(*candidate.steps[0][::-1]) - request.design.rotation
    return float(abs((angle + np.pi / 4) % (np.pi / 2) - np.pi / 4))


def _finer(candidate: Candidate) -> list[Candidate]:
    """Lattices with this one in them, and one more site (or three) in its cell."""
    a, b = candidate.steps
    denser = (((a + b) / 2, (b - a) / 2), (a / 2, b), (a, b / 2), (a / 2, b / 2))
    return [Candidate(candidate.origin, reduced(np.array(pair)), candidate.score / 2) for pair in denser]


class _Sight:
    """What was seen, in words."""

    def __init__(self, light: Light, spectrum: Spectrum, spots: int, found: list[Candidate]) -> None:
        self.light, self.spectrum, self.spots, self.found = light, spectrum, spots, found

    def describe(self, candidate: Candidate) -> str:
        nm = candidate.lengths * self.light.pixel * 1e9
        degrees = np.degrees(np.arctan2(candidate.steps[:, 1], candidate.steps[:, 0]))
        return (
            f"steps of {nm[0]:.4g} and {nm[1]:.4g} nm at {degrees[0]:.1f} and {degrees[1]:.1f} degrees "
            f"(score {candidate.score:.2f} of 1)"
        )

    def __str__(self) -> str:
        spectrum = self.spectrum
        words = f"{self.spots} bright spots"
        if spectrum.significance.size:
            k = int(spectrum.strength.argmax())
            period = self.light.pixel / np.hypot(*spectrum.peaks[k]) * 1e9
            words += f", the strongest period is {period:.4g} nm at {spectrum.significance[k]:.1f} sigma of the noise"
        else:
            words += ", and no period above the noise"
        if self.found:
            words += f", the best lattice has {self.describe(self.found[0])}, {LEAST} is needed"
        return words
