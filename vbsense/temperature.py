"""How the zero-field splitting follows the temperature: models as data, each with its source.

Only the linear slope near room temperature is shipped. Measured curves over 10-600 K exist
(arXiv:2101.09920, arXiv:2404.15493); their coefficients could not be checked and are not available
here: give them as a `TemperatureModel` of your own.
"""

from __future__ import annotations

from dataclasses import dataclass

from vbsense.nucleus import is_number

__all__ = ["LINEAR", "MODELS", "TemperatureModel", "shift_of_D"]


@dataclass(frozen=True)
class TemperatureModel:
    """A polynomial for D(T) - D(reference).

    Parameters
    ----------
    name : str
        For messages.
    coefficients : tuple of float
        Of (T - reference), (T - reference)^2, ... (Hz/K, Hz/K^2, ...). Empty: the slope `dD_dT` of the defect.
    reference : float
        Temperature from which the polynomial counts (K).
    low, high : float
        Range in which it holds (K).
    source : str
        Where the coefficients come from.
    verified : bool
        Whether they were checked against that source.

    Examples
    --------
    >>> own = TemperatureModel("own", (-0.6e6, -200.0), 295.0, 100.0, 400.0, source="this laboratory")
    >>> own.shift(305.0) / 1e6
    -6.02
    """

    name: str
    coefficients: tuple[float, ...]
    reference: float
    low: float
    high: float
    source: str
    verified: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficients", tuple(self.coefficients))
        numbers = (*self.coefficients, self.reference, self.low, self.high)
        if not all(is_number(v) for v in numbers) or not 0 <= self.low < self.high:
            raise ValueError(
                f"temperature model {self.name!r} needs finite numbers and 0 <= low < high; received {self!r}"
            )

    def shift(self, temperature: float) -> float:
        """D(temperature) - D(reference) in Hz; raises ValueError outside the range."""
        if not (is_number(temperature) and self.low <= temperature <= self.high):
            raise ValueError(
                f"temperature is {temperature!r} K; the model {self.name!r} holds from {self.low:g} to {self.high:g} K"
            )
        step = temperature - self.reference
        return sum(c * step ** (k + 1) for k, c in enumerate(self.coefficients))


LINEAR = TemperatureModel(
    "linear",
    (),
    reference=295.0,
    low=235.0,
    high=355.0,
    source="the slope dD_dT of the defect (-0.62 MHz/K near 300 K: widely quoted, unverified)",
)
MODELS: dict[str, TemperatureModel] = {"linear": LINEAR}
# Both sides of the temperature of the defect (K); where a single slope is trusted.
_LINEAR_SPAN = 60.0


def shift_of_D(model: str | TemperatureModel, slope: float, start: float, end: float) -> float:
    """Change of D (Hz) from temperature `start` to `end` (K); `slope` (Hz/K) is used by the linear model."""
    if isinstance(model, str):
        if model not in MODELS:
            raise ValueError(f"temperature model is {model!r}; known are {', '.join(MODELS)}, or a TemperatureModel")
        model = MODELS[model]
    if model.coefficients:
        return model.shift(end) - model.shift(start)
    if not (is_number(end) and abs(end - start) <= _LINEAR_SPAN):
        raise ValueError(
            f"temperature is {end!r} K; the linear slope of D holds within 60 K of {start} K: "
            "give D itself for others, or a TemperatureModel of your own"
        )
    return slope * (end - start)
