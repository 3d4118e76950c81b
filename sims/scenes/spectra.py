"""Spectra of all sites of a scene: each exact, or read from exact lines at nodes where there are many sites."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vbsense.defect import Defect
from vbsense.groundstate._inputs import unit_drive
from vbsense.groundstate.eigen import pairs_of
from vbsense.hamiltonian import assemble, operators_of, to_defect
from vbsense.sims.scenes.memory import Memory
from vbsense.sims.scenes.nodes import FieldNodes, sticks, sums
from vbsense.sims.scenes.threads import in_pieces

__all__ = ["Spins"]

MANY = 400  # sites from which nodes are the faster way
MOST = 5000  # sites beyond which exact lines of all of them would take minutes and gigabytes
TOLERANCE = 1e-3  # largest deviation from exact spectra that nodes may have, of the peak
_KEPT = 200e6  # bytes of exact lines that a scene keeps
_CHECKED = 16  # sites whose exact spectra are compared


@dataclass(frozen=True, eq=False)
class Spins:
    """The spins of n sites: where their fields lie and what they are.

    Parameters
    ----------
    bias : ndarray, (3,)
        Field without current in laboratory axes (T).
    unit_field : ndarray, (n, 3)
        Field of one ampere at every site (T/A).
    defect : Defect
        Of all sites.
    drive : tuple
        Direction of the microwave field.
    linewidth : float
        Without power broadening (Hz).
    E, E_angle : ndarray, (n,), optional
        In-plane splitting of every site (Hz) and its axis (rad), in place of the defect's.
    """

    bias: np.ndarray
    unit_field: np.ndarray
    defect: Defect
    drive: tuple[Any, ...]
    linewidth: float
    E: np.ndarray | None = None
    E_angle: np.ndarray | None = None
    memory: Memory = field(default_factory=Memory, repr=False)

    def depth(
        self, frequency: np.ndarray, fwhm: float | np.ndarray, current: float, temperature: float | None,
        part: Any = slice(None),
    ) -> np.ndarray:  # fmt: skip
        """Spectra in units of one bare line, ``(sites of part, nf)``; `fwhm` is one width (Hz) or one for each site."""
        fwhm = np.asarray(fwhm, dtype=float)
        nodes = self._nodes(abs(current), temperature)
        if nodes is not None:
            return self._read(nodes, frequency, fwhm, current, temperature, part)
        position, strength = self._lines(current, temperature)
        return sums(frequency, position[part], strength[part], fwhm[part] if fwhm.ndim else fwhm)

    def _at(self, temperature: float | None) -> Defect:
        return self.defect if temperature is None else self.defect.at(temperature=temperature)

    def _field(self, current: float, part: Any = slice(None)) -> np.ndarray:
        return self.bias + self.unit_field[part] * current

    def _lines(self, current: float, temperature: float | None) -> tuple[np.ndarray, np.ndarray]:
        states = self.defect.dimension
        size = len(self.unit_field) * states * (states - 1) * 8
        limit = int(np.clip(_KEPT // max(size, 1), 2, 8))
        return self.memory.get(
            "lines", (current, temperature), lambda: self._exact(self._field(current), self._at(temperature)),
            limit=limit,
        )  # fmt: skip

    def _exact(self, field: np.ndarray, defect: Defect) -> tuple[np.ndarray, np.ndarray]:
        local, drive = to_defect(field, defect), unit_drive(self.drive, defect)
        if self.E is None or self.E_angle is None:
            return sticks(local, defect, drive)
        return _strained_sticks(local, defect, drive, self.E, self.E_angle)

    def _nodes(self, current: float, temperature: float | None) -> FieldNodes | None:
        if self.E is not None or len(self.unit_field) <= MANY:
            return None
        return self.memory.get("nodes", (current, temperature), lambda: self._make_nodes(current, temperature), limit=3)

    def _make_nodes(self, current: float, temperature: float | None) -> FieldNodes | None:
        """Nodes for both signs of the current, if they are exact enough where the sites are."""
        defect = self._at(temperature)
        cloud = np.concatenate([self._field(sign * current) for sign in ((1, -1) if current else (1,))])
        nodes = FieldNodes.around(cloud, defect, self.drive, linewidth=self.linewidth)
        error = np.inf if nodes is None else self._error(nodes, cloud, defect)
        if error <= TOLERANCE:
            return nodes
        if len(self.unit_field) <= MOST:
            return None
        if nodes is None:
            span = np.ptp(cloud, axis=0).max() * 1e3
            raise ValueError(
                f"the fields of {len(self.unit_field)} sites span {span:.3g} mT, too much for one table of spectra; "
                "use a smaller current, a larger stand-off, or a linear drive"
            )
        warnings.warn(
            f"spectra of {len(self.unit_field)} sites err by {error:.1e} of the peak (1e-3 is usual): use a smaller "
            "current, a larger stand-off or wider lines",
            RuntimeWarning,
            stacklevel=2,
        )
        return nodes

    def _error(self, nodes: FieldNodes, cloud: np.ndarray, defect: Defect) -> float:
        """Largest deviation from exact spectra at some of the fields, in units of the largest peak."""
        some = cloud[np.linspace(0, len(cloud) - 1, _CHECKED).astype(int)]
        position, strength = self._exact(some, defect)
        lines = position[strength > 0.01 * strength.max()]
        frequency = np.linspace(lines.min() - self.linewidth, lines.max() + self.linewidth, 192)
        exact = sums(frequency, position, strength, self.linewidth)
        got = nodes.read(some, nodes.coefficients(frequency, self.linewidth), frequency.size)
        return float(np.abs(got - exact).max() / exact.max())

    def _read(
        self, nodes: FieldNodes, frequency: np.ndarray, fwhm: np.ndarray, current: float, temperature: float | None,
        part: Any,
    ) -> np.ndarray:  # fmt: skip
        """Spectra through the nodes; for many widths by interpolation between a few."""
        field = self._field(current, part)
        key = (frequency.tobytes(), abs(current), temperature)

        def at_width(width: float) -> np.ndarray:
            table = self.memory.get(
                "table", (*key, width), lambda: nodes.coefficients(frequency, width), limit=64 if frequency.size > 8
                else 1024,
            )  # fmt: skip
            return nodes.read(field, table, frequency.size)

        if fwhm.ndim == 0:
            return at_width(float(fwhm))
        widths = width_nodes(float(fwhm.min()), float(fwhm.max()))
        weights = lagrange(np.log(widths), np.log(fwhm[part]))
        return sum(w[:, None] * at_width(float(width)) for width, w in zip(widths, weights.T, strict=True))


def width_nodes(low: float, high: float) -> np.ndarray:
    """Widths (Hz) between which spectra of any width from low to high can be interpolated to 1e-5.

    A Lorentzian is analytic in the logarithm of its width up to i pi/2 from the real axis, whatever the detuning;
    Chebyshev's nodes then converge as rho^-n.
    """
    half = np.log(high / low) / 2
    if half < 1e-12:
        return np.array([low])
    rho = np.pi / (2 * half) + np.hypot(np.pi / (2 * half), 1)
    n = int(np.ceil(np.log(1e5) / np.log(rho))) + 1
    place = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    return np.sqrt(low * high) * np.exp(half * place)


def lagrange(nodes: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Weights (x.size, n) of the values at `nodes` for the polynomial through them at `x`."""
    out = np.ones((x.size, nodes.size))
    for j in range(nodes.size):
        for m in range(nodes.size):
            if m != j:
                out[:, j] *= (x - nodes[m]) / (nodes[j] - nodes[m])
    return out


def _strained_sticks(
    local: np.ndarray, defect: Defect, drive: np.ndarray, E: np.ndarray, angle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As `sticks`, with E and its axis for every site."""
    base = operators_of(defect.at(E=0.0, E_angle=0.0))
    quarter = operators_of(defect.at(E=0.0, E_angle=np.pi / 4))
    straight, diagonal = base.with_nuclei(base.by_E), base.with_nuclei(quarter.by_E)
    cosine, sine = E * np.cos(2 * angle), E * np.sin(2 * angle)
    position, strength = np.empty((2, len(local), base.pairs[0].size))

    def work(piece: slice) -> None:
        H = assemble(local[piece], base)
        H += cosine[piece, None, None] * straight + sine[piece, None, None] * diagonal
        position[piece], strength[piece] = pairs_of(H, base, drive)

    in_pieces(work, len(local), size=8)
    return position, strength
