"""Which frequencies to take: the best use of a given time.

Notes
-----
A design shares the time out among frequencies. With ``a_m`` the derivatives of the signal at frequency m by the
parameters, over its noise in one second, the information of a design is ``sum w_m a_m a_m^T``, and the variance of
``g . p`` is least for the solution u of

    minimise sum |u_m|   with   sum u_m a_m = g,

a linear programme; the weights are ``|u_m| / sum |u|`` and the least variance is ``(sum |u|)^2``. G. Elfving, Ann.
Math. Stat. 23, 255 (1952), doi:10.1214/aoms/1177729442; the programme: R. Harman, T. Jurik, Comput. Stat. Data Anal.
53, 247 (2008), doi:10.1016/j.csda.2008.06.023. No more frequencies than parameters are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vbsense.bounds.field import choose_free, field_jacobian, field_variance
from vbsense.bounds.information import Noise
from vbsense.defect import VB14N, Defect
from vbsense.lineshape import Model, get_model

__all__ = ["Design", "best_frequencies", "optimal_design", "sweep_gain"]


@dataclass(frozen=True, eq=False)
class Design:
    """Frequencies and the share of the time for each.

    Attributes
    ----------
    frequency : ndarray, (k,)
        Hz, ascending.
    weight : ndarray, (k,)
        Fractions that add up to 1.
    gain : float
        Variance of the field from an even sweep over that of the design, after the same time.
    """

    frequency: np.ndarray
    weight: np.ndarray
    gain: float

    def merged(self, within: float, *, least: float = 1e-3) -> Design:
        """What to type into an instrument: neighbours as one at their mean, tiny shares left out.

        An optimum between two candidates is shared out between them; the mean is nearer to it than either.

        Parameters
        ----------
        within : float
            Distance (Hz) up to which neighbours become one.
        least : float
            Share of the time below which a frequency is left out.

        Returns
        -------
        Design
            With the gain of the design that it came from.
        """
        group = np.concatenate([[0], np.cumsum(np.diff(self.frequency) > within)])
        weight = np.bincount(group, self.weight)
        frequency = np.bincount(group, self.weight * self.frequency) / weight
        kept = weight >= least
        return Design(frequency[kept], weight[kept] / weight[kept].sum(), self.gain)


def optimal_design(vectors: Any, gradient: Any) -> tuple[np.ndarray, float]:
    """Weights that minimise the variance of one function of the parameters.

    Parameters
    ----------
    vectors : array_like, (p, m)
        Derivatives of each candidate's signal by the parameters, over its noise in one unit of time.
    gradient : array_like, (p,)
        Derivatives of the function by the parameters.

    Returns
    -------
    weights : ndarray, (m,)
        Fractions of the time, most of them zero.
    variance : float
        Of the function after one unit of time.

    Raises
    ------
    ValueError
        If no combination of the candidates determines the function.

    Examples
    --------
    >>> weights, variance = optimal_design([[1.0, 2.0, 0.0], [1.0, 0.0, 1.0]], [1.0, 0.0])
    >>> weights.tolist(), variance
    ([0.0, 1.0, 0.0], 0.25)
    """
    from scipy.optimize import linprog

    a, g = np.asarray(vectors, dtype=float), np.asarray(gradient, dtype=float)
    if a.ndim != 2 or g.shape != a.shape[:1] or not (np.isfinite(a).all() and np.isfinite(g).all()):
        raise ValueError(f"vectors {a.shape} and gradient {g.shape} must be finite, of shapes (p, m) and (p,)")
    rows = np.abs(a).max(axis=1)
    if (blind := (rows == 0) & (g != 0)).any():
        raise ValueError(f"no candidate depends on parameter {int(np.argmax(blind))}, which the function needs")
    used = rows > 0
    a, g = a[used] / rows[used, None], g[used] / rows[used]
    size = np.abs(g).max()
    if size == 0:
        raise ValueError("the gradient is zero: the function does not depend on the parameters")
    n = a.shape[1]
    found = linprog(np.ones(2 * n), A_eq=np.hstack([a, -a]), b_eq=g / size, method="highs-ds")
    if found.status != 0:
        raise ValueError(f"the candidates do not determine the function ({found.message.split('.')[0].strip()})")
    u = np.abs(found.x[:n] - found.x[n:])
    return u / u.sum(), float((size * u.sum()) ** 2)


def best_frequencies(
    candidates: Any,
    parameters: Any,
    *,
    model: str | Model = "gaussian",
    defect: Defect = VB14N,
    noise: Noise | None = None,
    free: Sequence[str] | None = None,
    sweep: Any = None,
) -> Design:
    """Frequencies, and the time for each, that minimise the error of Bz.

    What is minimised is the Cramer-Rao bound on Bz with the same unknowns as in `field_bound`, for a given exposure
    time in all; setting and settling times of the source do not count.

    Parameters
    ----------
    candidates : array_like, (m,)
        Frequencies to choose from, ascending (Hz); 1 MHz apart is fine enough for V_B^- lines.
    parameters : array_like, (p,)
        Of the lines, for example from `doublet`.
    model, defect, noise, free
        As in `field_bound`.
    sweep : array_like, (n,), optional
        The even sweep that the gain compares with; by default the candidates.

    Returns
    -------
    Design
        With no more frequencies than unknowns. Where it has fewer, only the field is determined, for small
        excursions; the others must be known, for example from a sweep.

    Examples
    --------
    >>> from vbsense.bounds.field import doublet
    >>> lines = doublet(10e-3, fwhm=150e6, contrast=0.05, electrons=1e6)
    >>> design = best_frequencies(np.linspace(2.97e9, 3.97e9, 501), lines).merged(5e6)
    >>> round(design.gain, 1), (design.frequency / 1e6).round().tolist()
    (3.3, [3120.0, 3248.0, 3692.0, 3820.0])
    """
    noise = Noise() if noise is None else noise
    candidates = np.asarray(candidates, dtype=float)
    values, jacobian = field_jacobian(candidates, parameters, model, defect)
    keep = choose_free(model, free)
    first = np.eye(len(keep))[0]
    try:
        weight, variance = optimal_design(jacobian[keep] / np.sqrt(noise.variance(values)), first)
    except ValueError as error:
        lines = get_model(model).positions
        raise ValueError(
            f"the field cannot be told from these candidates with {', '.join(lines)} there: {error}"
        ) from None
    gain = sweep_gain(candidates if sweep is None else sweep, parameters, model, defect, noise, keep, variance)
    chosen = weight > 1e-9
    return Design(candidates[chosen], weight[chosen], gain)


def sweep_gain(
    sweep: Any, parameters: Any, model: str | Model, defect: Defect, noise: Noise, keep: list[int], variance: float
) -> float:
    """Variance of the field of an even sweep of one unit of time in all, over `variance`."""
    values, jacobian = field_jacobian(sweep, parameters, model, defect)
    even = field_variance(jacobian[keep], noise.variance(values) * values.shape[-1])
    return float(even / variance)
