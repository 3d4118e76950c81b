"""Exact spectra for maps: a table over the field, made once, read at under a microsecond per pixel.

For each frequency the spectrum is a cubic B-spline in Bz times a polynomial of sixth degree in Bx and
By, fitted to exact spectra. For nuclei around the c axis and a drive in the plane or along c, half a
turn about c changes nothing: even powers suffice.
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.groundstate import tablecache
from vbsense.groundstate._inputs import frequency_axis, unit_drive, width
from vbsense.groundstate.tablenodes import powers_of, spline_of, transverse_nodes
from vbsense.hamiltonian import check_field, to_defect
from vbsense.nucleus import is_number

__all__ = ["FieldTable"]

_SCHEMA = "vbsense.groundstate.fieldtable/1"  # a new number whenever the physics or the fit changes
_STEP = 0.2e-3  # T between knots for lines of 40 MHz; in proportion for wider ones, up to
_LARGEST_STEP = 0.5e-3
_ALLOWED_ERROR = 2e-3
_PAD = 64  # numbers per frequency axis, see `vbsense.groundstate._fieldtable`
_BLOCK = 4096  # pixels of one task of a thread


@dataclass(frozen=True, eq=False)
class FieldTable:
    """Exact ODMR spectra over a range of fields.

    Parameters
    ----------
    frequency : array_like, (nf,)
        Microwave frequencies (Hz).
    defect : Defect
        With its nuclei, unpolarised.
    linewidth : float
        Full width at half maximum of every line (Hz).
    drive : array_like, (3,)
        Direction of the microwave field in laboratory axes.
    Bz : (float, float)
        Range of the field along the c axis (T). Fields along -c are read as well, unless the drive is
        complex: reversing a field changes no spectrum of a linear drive.
    transverse : float
        Largest field across the c axis (T).
    cache : bool
        Keep the table in the user's cache folder (see `vbsense.groundstate.tablecache`).

    Attributes
    ----------
    error : float
        Largest deviation from exact spectra at fields between the nodes, in units of the largest peak; below
        2e-3 for lines of 40 MHz and more, 3-10 mT along c and up to 5 mT across. More than that: a warning.
    nbytes : int
        Size of the table.

    Examples
    --------
    >>> f = np.linspace(3.0e9, 4.0e9, 41)
    >>> table = FieldTable(f, linewidth=60e6, Bz=(7.5e-3, 8.5e-3), transverse=1e-3, cache=False)
    >>> table([[0.1e-3, 0, 8e-3], [0, 0.5e-3, 8.1e-3]]).shape
    (2, 41)
    >>> table([0, 0, 20e-3])
    Traceback (most recent call last):
    ...
    ValueError: fields reach 20 to 20 mT along c; the table holds 7.5 to 8.5 mT: build one with that range
    """

    frequency: Any
    defect: Defect = VB14N
    linewidth: float = field(kw_only=True)
    drive: Any = field(default=(1.0, 0.0, 0.0), kw_only=True)
    Bz: tuple[float, float] = field(default=(3e-3, 10e-3), kw_only=True)
    transverse: float = field(default=5e-3, kw_only=True)
    cache: bool = field(default=True, kw_only=True, repr=False)
    error: float = field(init=False)
    _coefficients: np.ndarray = field(init=False, repr=False, compare=False)
    _powers: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        low, high = self.Bz
        if not (is_number(low) and is_number(high) and 0 <= low < high < 1):
            raise ValueError(f"Bz is {self.Bz!r}; give a range 0 <= low < high in tesla, for example (3e-3, 10e-3)")
        if not (is_number(self.transverse) and 0 < self.transverse < 1):
            raise ValueError(f"transverse is {self.transverse!r}; give the largest field across c in tesla, above 0")
        frequency = frequency_axis(self.frequency).copy()
        frequency.setflags(write=False)
        self._set(frequency=frequency, linewidth=width(self.linewidth), Bz=(float(low), float(high)))
        self._set(_powers=powers_of(_is_even(self.defect, unit_drive(self.drive, self.defect))))
        inputs, shape = self._inputs(), (self._intervals + 3, len(self._powers), -(-frequency.size // _PAD) * _PAD)
        kept = tablecache.load("fieldtable", inputs, (shape[0] * shape[1] * shape[2] + 1,)) if self.cache else None
        if kept is not None:
            self._set(_coefficients=kept[:-1].reshape(shape), error=float(kept[-1]))
        else:
            self._set(_coefficients=_fit(self))
            self._set(error=_measured_error(self))
            if self.cache:
                tablecache.store("fieldtable", inputs, np.append(self._coefficients.ravel(), np.float32(self.error)))
        if self.error > _ALLOWED_ERROR:
            warnings.warn(
                f"the field table errs by up to {self.error:.1e} of the peak (2e-3 is usual): use a narrower "
                "transverse range or wider lines",
                RuntimeWarning,
                stacklevel=3,
            )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def nbytes(self) -> int:
        """Size of the table in bytes."""
        return self._coefficients.nbytes

    @property
    def _intervals(self) -> int:
        step = min(_STEP * max(self.linewidth / 40e6, 0.25), _LARGEST_STEP)
        return max(int(np.ceil((self.Bz[1] - self.Bz[0]) / step - 1e-9)), 1)

    def _inputs(self) -> dict[str, Any]:
        """Everything that the table depends on."""
        d = self.defect
        return {
            "schema": _SCHEMA,
            "frequency": self.frequency.tolist(),
            "defect": [d.D, d.E, d.E_angle, d.g, [[n.spin, n.gamma, n.A, n.Q] for n in d.nuclei]],
            "orientation": d.orientation,
            "linewidth": self.linewidth,
            "drive": [[float(v.real), float(v.imag)] for v in unit_drive(self.drive, d)],
            "Bz": self.Bz,
            "transverse": float(self.transverse),
        }

    def __call__(self, field: Any, *, threads: int | None = None) -> np.ndarray:
        """Spectra at many fields.

        Parameters
        ----------
        field : array_like, (..., 3)
            Magnetic field in laboratory axes (T), inside the range of the table.
        threads : int, optional
            By default one for each core.

        Returns
        -------
        ndarray of float32, (..., nf)
            Depth of the dip, as `vbsense.spectrum` gives it.

        Raises
        ------
        ValueError
            If a field lies outside the table; the message names the range.
        """
        import os

        from vbsense.groundstate._fieldtable import look_up

        vectors = check_field(field)
        shape = vectors.shape[:-1]
        flat = np.ascontiguousarray(self._folded(to_defect(vectors, self.defect).reshape(-1, 3)))
        out = np.empty((len(flat), self.frequency.size), np.float32)
        step = (self.Bz[1] - self.Bz[0]) / self._intervals

        def one(k: int) -> None:
            part = slice(k, k + _BLOCK)
            look_up(flat[part], self.Bz[0], step, self._coefficients, self._powers, out[part])

        starts = range(0, len(flat), _BLOCK)
        if len(starts) < 2 or threads == 1:
            for k in starts:
                one(k)
        else:
            with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
                list(pool.map(one, starts))
        return out.reshape(*shape, self.frequency.size)

    def _folded(self, field: np.ndarray) -> np.ndarray:
        """Fields in the half space of the table, or an error that names its range."""
        if not np.any(np.imag(np.asarray(self.drive))) and (field[:, 2] < 0).any():
            field = np.where(field[:, 2:] < 0, -field, field)
        low, high = (field[:, 2].min(), field[:, 2].max()) if len(field) else self.Bz
        if low < self.Bz[0] - 1e-9 or high > self.Bz[1] + 1e-9:
            raise ValueError(
                f"fields reach {low * 1e3:.4g} to {high * 1e3:.4g} mT along c; the table holds "
                f"{self.Bz[0] * 1e3:.4g} to {self.Bz[1] * 1e3:.4g} mT: build one with that range"
            )
        across = np.sqrt((field[:, :2] ** 2).sum(-1).max(initial=0.0))
        if across > self.transverse + 1e-9:
            raise ValueError(
                f"fields reach {across * 1e3:.4g} mT across c; the table holds up to {self.transverse * 1e3:.4g} mT: "
                "build one with a larger transverse range"
            )
        return field


def _is_even(defect: Defect, drive: np.ndarray) -> bool:
    """Whether half a turn about c changes no spectrum."""
    tensors = [t for n in defect.nuclei for t in (n.A, n.Q)] + ([] if isinstance(defect.g, float) else [defect.g])
    mixing = max((np.abs(np.asarray(t)[2, :2]).max() for t in tensors), default=0.0)
    return bool(mixing == 0 and min(abs(drive[2]), np.linalg.norm(drive[:2])) < 1e-12)


def _fit(table: FieldTable) -> np.ndarray:
    """Coefficients (knot, monomial, nf) through exact spectra at all nodes."""
    along, to_spline = spline_of(table.Bz, table._intervals)
    across = transverse_nodes(table.transverse, even=bool((table._powers.sum(1) % 2 == 0).all()))
    x, y = across.T * 1e3
    design = np.stack([x**i * y**j for i, j in table._powers], -1)
    nodes = np.empty((len(along), len(across), 3))
    nodes[..., :2], nodes[..., 2] = across, along[:, None]
    values = np.einsum("qn,knf->kqf", np.linalg.pinv(design), _exact(table, nodes), optimize=True)
    coefficients = np.tensordot(to_spline, values, axes=1)
    return np.pad(coefficients, ((0, 0), (0, 0), (0, -coefficients.shape[-1] % _PAD))).astype(np.float32)


def _exact(table: FieldTable, nodes: np.ndarray) -> np.ndarray:
    """Exact spectra at fields (..., 3) in the defect frame."""
    from vbsense.groundstate.tiers import spectrum

    R = np.asarray(table.defect.orientation)
    return spectrum(
        table.frequency,
        nodes @ R.T,
        table.defect,
        linewidth=table.linewidth,
        method="exact",
        drive=table.drive,
    )


def _measured_error(table: FieldTable) -> float:
    """Largest deviation from exact spectra at fixed fields between the nodes, over the largest peak."""
    n = np.arange(48)
    angle, radius = n * 2.399963, table.transverse * np.sqrt((n + 0.5) / n.size)
    z = table.Bz[0] + np.modf(n * 0.6180339887)[0] * (table.Bz[1] - table.Bz[0])
    nodes = np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1)
    expected = _exact(table, nodes)
    got = table(nodes @ np.asarray(table.defect.orientation).T, threads=1)
    return float(np.abs(got - expected).max() / max(expected.max(), 1e-300))
