"""What a fit finds, spectrum by spectrum: in memory, or in files that only grow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vbsense.lineshape import Model

__all__ = ["Results", "Scratch", "joined"]

_BY_PARAMETER = ("values", "errors")  # whose first axis is the parameter, not the spectrum


class Results:
    """Results of `total` spectra in a row, in memory."""

    def __init__(self, parameters: int, total: int, covariance: bool) -> None:
        self.values, self.errors = np.empty((parameters, total)), np.empty((parameters, total))
        self.covariance = np.empty((total, parameters, parameters)) if covariance else None
        self.chi2, self.flags = np.empty(total), np.empty(total, np.uint16)
        self.evaluations = np.empty(total, np.int32)

    def put(self, first: int, last: int, result: Any, errors: np.ndarray) -> None:
        """Store a block of `solve_block` from `first` to `last`."""
        self.values[:, first:last], self.errors[:, first:last] = result.p.T, errors.T
        self.chi2[first:last], self.flags[first:last] = result.chi2, result.flags
        self.evaluations[first:last] = result.evaluations
        if self.covariance is not None:
            self.covariance[first:last] = result.covariance

    def join(self, first: int, other: Results) -> None:
        """Store all of `other` from `first` on."""
        here = slice(first, first + other.flags.size)
        for name, values in vars(other).items():
            if values is not None:
                getattr(self, name)[(slice(None), here) if name in _BY_PARAMETER else here] = values

    def part(self, first: int, last: int) -> Results:
        """Copy of the results from `first` to `last`."""
        own = Results(0, 0, False)
        for name, values in vars(self).items():
            cut = None if values is None else values[:, first:last] if name in _BY_PARAMETER else values[first:last]
            setattr(own, name, None if cut is None else cut.copy())
        return own

    def mean_evaluations(self) -> float:
        """Mean number of evaluations of the model for a spectrum that was fitted."""
        fitted = self.evaluations > 0
        return float(self.evaluations[fitted].mean()) if fitted.any() else 0.0

    def order_lines(self, model: Model, options: Any) -> None:
        """Swap the lines of spectra that ended with the lower above the upper, unless the caller told them apart."""
        if len(model.lines) != 2:
            return
        lower, upper = (list(line) for line in model.lines)
        if any(options.fixed[i] or options.given[i] for i in lower + upper):
            return
        swapped = np.flatnonzero(self.values[lower[0]] > self.values[upper[0]])
        order = np.arange(len(model.parameters))
        for first, second in model.twins:
            order[[first, second]] = second, first
        for rows in (self.values, self.errors):
            rows[:, swapped] = rows[:, swapped][order]
        if self.covariance is not None:
            self.covariance[swapped] = self.covariance[swapped][:, order][:, :, order]


def joined(pieces: list[Results]) -> Results:
    """Results one behind the other."""
    total = Results(len(pieces[0].values), sum(p.flags.size for p in pieces), pieces[0].covariance is not None)
    first = 0
    for piece in pieces:
        total.join(first, piece)
        first += piece.flags.size
    return total


class Scratch:
    """The same in files of a folder, for results that are larger than memory; parts come in order.

    Parameters
    ----------
    folder : Path
        Empty.
    parameters : tuple of str
        Names of the model.
    shape : tuple of int
        Of the fit.
    covariance : bool
        Whether there are covariances.
    """

    def __init__(self, folder: Path, parameters: tuple[str, ...], shape: tuple[int, ...], covariance: bool) -> None:
        self.folder, self.parameters, self.shape = folder, parameters, shape
        self.covariance = covariance
        self._fitted = self._evaluations = 0

    def join(self, first: int, other: Results) -> None:
        """Append `other`."""
        for name, values in self._columns(other).items():
            with open(self.folder / name, "ab") as file:
                assert file.tell() == first * values.nbytes // max(other.flags.size, 1)
                file.write(np.ascontiguousarray(values).data)
        fitted = other.evaluations > 0
        self._fitted += int(fitted.sum())
        self._evaluations += int(other.evaluations[fitted].sum(dtype=np.int64))

    def _columns(self, other: Results) -> dict[str, np.ndarray]:
        columns: dict[str, np.ndarray] = {"reduced_chi2": other.chi2, "flags": other.flags}
        for i, name in enumerate(self.parameters):
            columns |= {name: other.values[i], f"{name}_err": other.errors[i]}
        return columns if other.covariance is None else columns | {"covariance": other.covariance}

    def mean_evaluations(self) -> float:
        """As `Results.mean_evaluations`."""
        return self._evaluations / self._fitted if self._fitted else 0.0

    def readers(self) -> dict[str, Callable[[tuple[slice, ...]], np.ndarray]]:
        """For each variable of the fit a function of an index, see `vbsense.files.save_computed`."""
        names = ["reduced_chi2", "flags", *(n for p in self.parameters for n in (p, f"{p}_err"))]
        return {name: self._reader(name) for name in (*names, *(["covariance"] if self.covariance else []))}

    def _reader(self, name: str) -> Callable[[tuple[slice, ...]], np.ndarray]:
        dtype = np.uint16 if name == "flags" else np.float64
        size = len(self.parameters)
        shape = (*self.shape, size, size) if name == "covariance" else self.shape

        def read(index: tuple[slice, ...]) -> np.ndarray:
            # Mapped anew each time: what stays mapped counts as memory of the process.
            return np.array(np.memmap(self.folder / name, dtype, "r", shape=shape)[index])

        return read
