"""Which of several lattices the light is that of: each is fitted, and chi-squared tells."""

from __future__ import annotations

from vbsense.analysis._lattice_check import check
from vbsense.analysis._lattice_guess import Guess
from vbsense.analysis._lattice_light import Light
from vbsense.analysis._lattice_locate import Located, every_second, locate
from vbsense.analysis._lattice_seek import Candidate, nested
from vbsense.analysis._lattice_wanted import Wanted

__all__ = ["likeliest"]

# How often every second site may be left out, where all of these are dark.
COARSER = 4
# Reduced chi-squared of a lattice that needs no second look: an imperfect point-spread function alone reaches more in
# bright light, which costs time and nothing else.
SOUND = 3.0
# Two lattices whose misfits differ by less cannot be told apart.
DISTINCT = 1.5


def likeliest(light: Light, request: Wanted, guess: Guess) -> Located:
    """The fit of the lattice that leaves least of the light unexplained.

    Raises
    ------
    ValueError
        If none is determined, or two explain the light as well.
    """
    fits: list[tuple[float, Candidate, Located]] = []
    failures = []
    for k, start in enumerate(guess.starts):
        if k > guess.rivals and fits and min(misfit for misfit, _, _ in fits) < SOUND:
            break
        try:
            located = _settled(light, request, start, guess.sigma)
        except ValueError as error:
            failures.append(error)
            continue
        fits.append((located.fitted.chi2 / max(located.fitted.freedom, 1), start, located))
    if not fits:
        raise failures[0]
    fits.sort(key=lambda fit: fit[0])
    (misfit, start, best), *others = fits
    # A lattice with more or fewer sites of the best one is not another lattice: dark sites and stray spots tell.
    as_good = [c for other, c, _ in others if max(other, 1.0) < DISTINCT * max(misfit, 1.0) and not nested(c, start)]
    if as_good:
        raise ValueError(
            f"more than one lattice explains the light: {guess.sight.describe(start)} and "
            f"{guess.sight.describe(as_good[0])}; choose with pitch= or design=, or cut the picture with select_region"
        )
    return best


def _settled(light: Light, request: Wanted, start: Candidate, sigma: float) -> Located:
    """The fit from one guess; of every second site where the others are dark."""
    located = locate(light, request, start, sigma)
    for _ in range(COARSER if request.pitch is None else 0):
        coarser = every_second(located)
        if coarser is None:
            break
        located = locate(light, request, coarser, float(located.fitted.model.geometry[6]))
    check(light, sigma, located)
    return located
