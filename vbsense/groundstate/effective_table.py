"""The constants of the Hamiltonian kernel, read in numpy as the kernel reads them, and the model made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["MILLI", "SCALE", "Table", "formula", "tables_of"]

SCALE = 1e8  # Hz: the frequency that is 1 in the kernel
MILLI = 1e-3  # T: the field that is 1 in the kernel


class Table:
    """The constants of the kernel, read as the kernel reads them."""

    def __init__(self, constants: Any) -> None:
        groups, low, fine, high, coarse, widths, self.first, self.per_log = (float(v) for v in constants[:8])
        self.groups, self.widths = int(groups), int(widths)
        self.knots = np.append(fine * np.arange(low + 1), low * fine + coarse * np.arange(1, high + 1))
        self.nodes = np.asarray(constants[8:]).reshape(self.knots.size, -1)

    def at(self, b: np.ndarray) -> np.ndarray:
        """Places and weights of all lines and all differences ``(..., n)`` at fields (mT)."""
        lines, rest = 4 * self.groups, 6 * self.widths
        k = np.clip(np.searchsorted(self.knots, b, side="right") - 1, 0, self.knots.size - 2)
        step = (self.knots[k + 1] - self.knots[k])[..., None]
        t = (b - self.knots[k])[..., None] / step
        basis = t * t * (3 - 2 * t), t * (t - 1) ** 2 * step, t * t * (t - 1) * step
        parts = []
        for start, count in ((0, lines // 2), (lines, lines // 2), (2 * lines, rest)):
            values, slopes = (self.nodes[:, start + i * count : start + (i + 1) * count] for i in (0, 1))
            change = basis[0] * (values[k + 1] - values[k]) + basis[1] * slopes[k] + basis[2] * slopes[k + 1]
            parts.append(values[k] + change)
        return np.concatenate(parts, -1)

    def lines(self, Bz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places above D (Hz) and weights ``(..., 2, groups)`` at effective fields (T)."""
        both = self.at(Bz / MILLI)[..., : 4 * self.groups].reshape(*np.shape(Bz), 2, 2, self.groups)
        return both[..., 0, :, :] * SCALE, both[..., 1, :, :]

    def effective(self, Bz: np.ndarray, fwhm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Effective minus true field (T), D and width (Hz) at true fields and widths, which are broadcast."""
        Bz, fwhm = np.broadcast_arrays(Bz, fwhm)
        own = self.at(Bz / MILLI)[..., 4 * self.groups :].reshape(*Bz.shape, self.widths, 2, 3)
        place = np.clip(np.log(fwhm / SCALE / self.first) * self.per_log, 0, self.widths - 1)
        j = np.minimum(place.astype(int), self.widths - 2)
        t = (place - j)[..., None]
        a, b = (np.take_along_axis(own, (j + i)[..., None, None, None], axis=-3)[..., 0, :, :] for i in (0, 1))
        rise = t * t * (3 - 2 * t) * (b - a)[..., 0, :]
        found = a[..., 0, :] + rise + t * (t - 1) ** 2 * a[..., 1, :] + t * t * (t - 1) * b[..., 1, :]
        return found[..., 0] * MILLI, found[..., 1] * SCALE, found[..., 2] * SCALE


def tables_of(constants: Any, with_E: bool) -> list[Table]:
    """The table, or the three of them."""
    return [Table(part) for part in (np.split(constants[2:], 3) if with_E else [constants])]


def formula(tables: list[Table], shape: str, middle: float, E_range: float | None) -> Any:
    """The model in numpy."""

    def mixed(E: Any, values: Any) -> Any:
        if E_range is None:
            return values[0]
        t = (np.asarray(E, dtype=float) - middle) / E_range
        factors = t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2
        more = values[0].ndim - t.ndim
        return sum(np.reshape(f, t.shape + (1,) * more) * v for f, v in zip(factors, values, strict=True))

    def function(
        frequency: Any,
        offset: Any,
        D: Any,
        Bz: Any,
        fwhm: Any,
        contrast_lower: Any,
        contrast_upper: Any,
        E: Any = middle,
    ) -> Any:
        Bz, fwhm, E = np.broadcast_arrays(np.asarray(Bz, dtype=float), np.asarray(fwhm, dtype=float), E)
        own = [np.stack(table.effective(Bz, fwhm), -1) for table in tables]
        bias, shift, wider = np.moveaxis(mixed(E, own), -1, 0)
        lines = [table.lines(Bz + bias) for table in tables]
        place, weight = (mixed(E, [both[k] for both in lines]) for k in (0, 1))
        fwhm, D = fwhm + wider, D + shift
        dips = 0.0
        for branch, contrast in enumerate((contrast_lower, contrast_upper)):
            for k in range(place.shape[-1]):
                u = (np.asarray(frequency) - D - place[..., branch, k]) / fwhm
                line = 1 / (1 + 4 * u * u) if shape == "lorentzian" else np.exp(-4 * np.log(2) * u * u)
                dips = dips + contrast * weight[..., branch, k] * line
        return offset * (1 - dips)

    return function if E_range is not None else _six(function)


def _six(function: Any) -> Any:
    """The same without E."""

    def without_E(
        frequency: Any, offset: Any, D: Any, Bz: Any, fwhm: Any, contrast_lower: Any, contrast_upper: Any
    ) -> Any:
        return function(frequency, offset, D, Bz, fwhm, contrast_lower, contrast_upper)

    return without_E
