"""Whether the period of a fitted lattice is in the light, and not only in the model.

Spots that the optics do not resolve leave a patch of even light, which spots of any distance can be fitted to: their
light is free. What the patch lacks is the period. Lengths are in pixels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vbsense.analysis._lattice_fit import Fitted, Problem

__all__ = ["periods"]


def periods(problem: Problem, fitted: Fitted, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amplitude of the light over that of the model, and the latter in sigma, at both reciprocal vectors, (2,) each.

    For a lattice that is there the first is 1.
    """
    from scipy.signal.windows import tukey

    ny, nx = problem.good.shape
    window = np.outer(tukey(ny + 2, 0.5)[1:-1], tukey(nx + 2, 0.5)[1:-1]) * problem.good
    model = fitted.model
    others = replace(model, light=np.zeros_like(model.light), bent=np.zeros_like(model.bent))
    known = problem.expect(others)
    light, expected = (window * (picture - known) for picture in (problem.light.values, fitted.expected))
    noise = float(np.sqrt((window**2 * problem.light.variance(fitted.expected)).sum()))
    vectors = np.linalg.inv(steps).T
    seen, meant = (np.array([abs(_amplitude(p, g)) for g in vectors]) for p in (light, expected))
    return seen / np.maximum(meant, 1e-300), meant / noise


def _amplitude(picture: np.ndarray, vector: np.ndarray) -> complex:
    ny, nx = picture.shape
    left, right = (np.exp(-2j * np.pi * g * np.arange(n)) for g, n in ((vector[1], ny), (vector[0], nx)))
    return complex(left @ picture @ right)
