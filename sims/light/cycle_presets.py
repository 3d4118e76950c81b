"""Optical cycles of V_B^- by name, and the seven-level scheme behind them.

What is seen and what is not: the three papers were read as abstracts. Numbers that the abstract of
a preset's own paper does not give are taken from another paper or from common use, and the source
of that rate says so.
"""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np

from vbsense.sims.light.cycle import OpticalCycle, Rate

__all__ = ["CYCLES", "optical_cycle", "seven_levels"]

LEVELS = ("g+1", "g0", "g-1", "e+1", "e0", "e-1", "s")

_BABER = "Baber et al., arXiv:2111.11770, abstract"
_ISC = f"1.02 /ns for m_s = 0 and 2.03 /ns for +-1 at room temperature: {_BABER}"
# Read the other way (m_s = 0 over +-1), 0.34 would pump out of m_s = 0 and turn every dip into a peak.
_BRANCHING = (
    f"1/0.34: {_BABER}, gives kappa_0/kappa_1 = 0.34 for the relaxation out of the singlet; taken here as (each of "
    "+-1) over (m_s = 0), the reading that pumps into m_s = 0 and gives dips: our reading, unverified"
)
_RADIATIVE = "about 1e5 /s, from quantum yields of 0.5-1e-4 and the intersystem crossing: unverified"
_T1 = "16 us at room temperature: widely quoted as 16-18 us, unverified"

# Name -> numbers that differ from `seven_levels`, each with its source.
CYCLES: dict[str, dict[str, Any]] = {
    "baber2022": {
        "singlet_lifetime": 24.0e-9,
        "sources": {"singlet_lifetime": "24.0 ns: not in the abstract of Baber; that of Konrad, arXiv:2503.22815"},
        "source": f"intersystem crossing and branching: {_BABER}; everything else from elsewhere, see each rate",
    },
    "konrad2026": {
        "singlet_lifetime": 24.0e-9,
        "sources": {
            "singlet_lifetime": "24.0(3) ns at room temperature, about twice that when cold: Konrad et al., "
            "arXiv:2503.22815 (Sci. Adv. 2026), abstract"
        },
        "source": "singlet lifetime: Konrad et al., arXiv:2503.22815; its five-level rates were not seen: the others "
        "are those of baber2022, so that the two presets hold the same numbers",
    },
    "escalante2025": {
        "singlet_lifetime": 15e-9,
        "sources": {
            "singlet_lifetime": "15(3) ns, mean of 16 flakes at room temperature: Escalante et al., arXiv:2504.05289, "
            "abstract"
        },
        "source": "singlet lifetime: Escalante et al., arXiv:2504.05289; the rates of its nine-level fit were not "
        "seen: the others are those of baber2022",
    },
}


def seven_levels(
    name: str = "seven levels",
    *,
    isc_zero: float = 1.02e9,
    isc_one: float = 2.03e9,
    branching: float = 1 / 0.34,
    singlet_lifetime: float,
    radiative: float = 1e5,
    T1: float = 16e-6,
    sources: dict[str, str] | None = None,
    source: str = "",
) -> OpticalCycle:
    """Ground and excited triplet and one singlet: levels g+1, g0, g-1, e+1, e0, e-1, s.

    Parameters
    ----------
    name : str
        Of the cycle.
    isc_zero, isc_one : float
        Intersystem crossing from e0, and from e+1 and e-1, to the singlet (1/s).
    branching : float
        Rate from the singlet to m_s = 0 over the rate to *each* of m_s = +1 and -1. Above 1 it pumps
        into m_s = 0 and lines are dips; below 1, out of it. 1/0.34 is our reading of arXiv:2111.11770.
    singlet_lifetime : float
        Of the singlet (s).
    radiative : float
        Emission of each excited level, spin-conserving (1/s).
    T1 : float
        Time in which ground-state populations relax to one third each (s); infinite for never.
    sources : dict, optional
        Source of any of these numbers by its name.
    source : str
        About the whole.

    Returns
    -------
    OpticalCycle

    Raises
    ------
    ValueError
        If a number is negative, NaN, or evidently not in SI units.

    Examples
    --------
    >>> cycle = seven_levels(singlet_lifetime=24e-9, branching=5.0)
    >>> round(float(cycle.steady(1e6)[1]), 3)
    0.675
    """
    _check("isc_zero", isc_zero, low=1e3, hint="rates are in 1/s: 1.02 per nanosecond is 1.02e9")
    _check("isc_one", isc_one, low=1e3, hint="rates are in 1/s: 2.03 per nanosecond is 2.03e9")
    _check("radiative", radiative, low=1.0, hint="rates are in 1/s: 0.1 per microsecond is 1e5")
    _check("branching", branching)
    _check("singlet_lifetime", singlet_lifetime, high=1e-3, hint="times are in seconds: 24 ns is 24e-9", zero=False)
    if T1 != np.inf:
        _check("T1", T1, high=10.0, hint="times are in seconds (16 us is 16e-6); np.inf for none", zero=False)
    where = {"isc": _ISC, "branching": _BRANCHING, "radiative": _RADIATIVE, "T1": _T1, "singlet_lifetime": "as given"}
    where |= sources or {}
    rates = [
        *(Rate(f"g{m}", f"e{m}", 1.0, "pump", "spin-conserving excitation; factor on the pump rate") for m in _M),
        *(Rate(f"e{m}", f"g{m}", radiative, "light", where["radiative"]) for m in _M),
        *(Rate(f"e{m}", "s", isc_zero if m == "0" else isc_one, "dark", where["isc"]) for m in _M),
    ]
    shares = {"0": branching / (2 + branching), "+1": 1 / (2 + branching), "-1": 1 / (2 + branching)}
    text = f"lifetime {where['singlet_lifetime']}; branching {where['branching']}"
    rates += [Rate("s", f"g{m}", shares[m] / singlet_lifetime, "dark", text) for m in _M]
    # From every level to every level, itself included: a relaxation towards one third that is the same in
    # every basis, also where a field mixes the levels.
    rates += [Rate(f"g{a}", f"g{b}", 1 / (3 * T1), "dark", where["T1"]) for a in _M for b in _M]
    return OpticalCycle(name, LEVELS, tuple(rates), source=source)


_M = ("+1", "0", "-1")


def optical_cycle(name: str, **changes: Any) -> OpticalCycle:
    """The optical cycle called `name`.

    Parameters
    ----------
    name : {"baber2022", "escalante2025", "konrad2026"}
        After the paper that its leading number comes from; `table` of the result says which rate is
        whose, and what is unverified.
    **changes
        Numbers of `seven_levels` to use instead, for example ``branching=5.0``; their rates then
        carry "as given" as source.

    Returns
    -------
    OpticalCycle

    Raises
    ------
    ValueError
        If there is none of that name; the message lists those there are.

    Examples
    --------
    >>> optical_cycle("escalante2025", T1=18e-6).name
    'escalante2025'
    """
    if name not in CYCLES:
        near = difflib.get_close_matches(str(name), CYCLES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no optical cycle is called {name!r}; {hint}known are {', '.join(sorted(CYCLES))}")
    known = {"isc_zero", "isc_one", "branching", "singlet_lifetime", "radiative", "T1"}
    if unknown := sorted(set(changes) - known):
        raise ValueError(f"{name!r} has no number {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    given = dict.fromkeys(("isc" if key.startswith("isc") else key for key in changes), "as given")
    preset = CYCLES[name]
    return seven_levels(name, **(preset | changes | {"sources": preset["sources"] | given}))


def _check(name: str, value: Any, *, low: float = 0.0, high: float = np.inf, hint: str = "", zero: bool = True) -> None:
    if not (
        isinstance(value, (int, float, np.integer, np.floating))
        and np.isfinite(value)
        and (value > 0 or (zero and value == 0))
    ):
        raise ValueError(f"{name} is {value!r}; it must be a finite number, {'0 or more' if zero else 'above 0'}")
    if 0 < value < low or value > high:
        raise ValueError(f"{name} is {value!r}; {hint}")
