"""What the caller says about the noise: which weights, which loss, and the numbers of the camera that they need."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from vbsense.data import LayoutError

__all__ = ["HUBER", "LOSSES", "NOISES", "Noise", "expected_loss", "read_noise_options"]

NOISES = ("auto", "poisson", "uniform")
LOSSES = ("squares", "huber")
HUBER = 1.345  # sigma: 95 % of the efficiency of least squares on normal noise (Huber, Robust Statistics, 1981)


@dataclass(frozen=True)
class Noise:
    """How points are weighted."""

    read_noise: float  # electrons
    excess_noise: float  # variance of the signal over its Poisson variance
    known: bool  # the number of frames is, and with it the shot noise
    given: bool  # one sigma of every point is used
    follow: bool  # weights follow the model to the end
    tail: float  # sigma from which the loss is linear; 0: squares


def read_noise_options(sweep: xr.Dataset, noise: str, loss: str) -> Noise:
    """Check `noise` and `loss` (see `vbsense.analysis.fit_sweep`) and what the sweep says of its camera."""
    if noise not in NOISES:
        raise ValueError(f"noise is {noise!r}; it is {', '.join(map(repr, NOISES))}")
    if loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}; it is {' or '.join(map(repr, LOSSES))}")
    frames = "frames" in sweep.attrs or "frames" in sweep
    if noise == "poisson" and not frames:
        raise LayoutError("noise='poisson' needs 'frames', the number of frames averaged into each point")
    given = "signal_err" in sweep and noise == "auto"
    return Noise(
        _number(sweep, "read_noise", 0.0, least=0.0, what="a number of electrons, not negative"),
        _number(sweep, "excess_noise", 1.0, least=1.0, what="at least 1, the value without multiplication"),
        known=frames and noise != "uniform",
        given=given,
        follow=noise == "poisson" or loss == "huber",
        tail=HUBER if loss == "huber" else 0.0,
    )


def _number(sweep: xr.Dataset, name: str, default: float, *, least: float, what: str) -> float:
    try:
        value = float(sweep.attrs.get(name, default))
    except (TypeError, ValueError):
        value = math.nan
    if not (np.isfinite(value) and value >= least):
        raise LayoutError(f"attribute {name!r} is {sweep.attrs[name]!r}; it must be {what}")
    return value


def expected_loss(tail: float) -> float:
    """Mean of Huber's loss of a standard normal residual, over that of its square."""
    if not tail:
        return 1.0
    beyond = math.erfc(tail / math.sqrt(2))
    density = math.sqrt(2 / math.pi) * math.exp(-(tail**2) / 2)
    return (1 - beyond) - tail * density + 2 * tail * density - tail**2 * beyond
