"""Field to lines and back: the electron spin alone, and the exact spectrum with its nuclei.

The Hamiltonian itself is in `vbsense.hamiltonian`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vbsense.defect import VB14N, Defect
from vbsense.hamiltonian import Operators, assemble, check_field, electron_only, operators_of

__all__ = ["field_from_lines", "levels", "lines", "spectrum", "transitions"]

METHODS = ("auto", "exact")
# Eigenvectors of a batch are kept for this many fields at once: 81 x 81 complex numbers each.
_BLOCK = 64


def transitions(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """Frequencies of the two electron lines, nuclei left out.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in the defect frame, z along c (T).
    defect : Defect
        Its D, E and g are used.

    Returns
    -------
    ndarray, (..., 2)
        Lower and upper line (Hz): differences of the exact eigenvalues between the level with more
        than half of m_s = 0 (the lowest, where no level has) and the two others.

    Examples
    --------
    >>> electron = VB14N.at(E=50e6)
    >>> (transitions([[0, 0, 0], [0, 0, 5e-3]], electron) / 1e6).round(3).tolist()
    [[3420.0, 3520.0], [3321.375, 3618.625]]
    """
    field = check_field(field)
    H = assemble(field, operators_of(electron_only(defect)))
    energy, vectors = np.linalg.eigh(H)
    zero = np.abs(vectors[..., 1, :]) ** 2
    start = np.where(zero.max(-1) > 0.5, zero.argmax(-1), 0)[..., None]
    others = np.take_along_axis(_OTHERS, np.broadcast_to(start, (*start.shape[:-1], 2)).reshape(-1, 2), axis=0)
    others = others.reshape(*start.shape[:-1], 2)
    difference = np.take_along_axis(energy, others, -1) - np.take_along_axis(energy, start, -1)
    return np.sort(np.abs(difference), axis=-1)


_OTHERS = np.array([[1, 2], [0, 2], [0, 1]])


def levels(field: Any, defect: Defect = VB14N) -> np.ndarray:
    """Energies of electron and nuclei together.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in the defect frame (T).
    defect : Defect
        With its nuclei.

    Returns
    -------
    ndarray, (..., n)
        Ascending eigenvalues of H/h (Hz); n = 81 for three 14N, 24 for three 15N.

    Examples
    --------
    >>> levels([0, 0, 10e-3]).shape
    (81,)
    """
    field = check_field(field)
    with _one_blas_thread():
        flat = [np.linalg.eigvalsh(assemble(block, operators_of(defect))) for block in _blocks(field)]
    return np.concatenate(flat).reshape(*field.shape[:-1], defect.dimension)


def lines(field: Any, defect: Defect = VB14N, *, drive: Any = (1, 0, 0)) -> tuple[np.ndarray, np.ndarray]:
    """Every transition between two levels: its frequency and its share of the ODMR signal.

    Parameters
    ----------
    field : array_like, (..., 3)
        Magnetic field in the defect frame (T).
    defect : Defect
        With its nuclei, which are unpolarised.
    drive : array_like, (3,)
        Direction of the microwave field in the defect frame; complex for circular drives. Its length
        is normalised away.

    Returns
    -------
    frequency, strength : ndarray, (..., n (n - 1) / 2)
        Hz, and ``|<f| S.drive |i>|^2 |p_i - p_f|`` with p the weights of m_s = 0 (optical pumping fills
        m_s = 0 and reads it), scaled such that each of the two branches of a spin without nuclei adds
        up to 1 for a field along c, E = 0 and a drive perpendicular to c.

    Examples
    --------
    >>> f, s = lines([0, 0, 10e-3], VB14N.at(E=0))
    >>> round(float(s[abs(f - 3.75e9) < 0.25e9].sum()), 1)
    1.0
    """
    field = check_field(field)
    drive = _check_drive(drive)
    operators = operators_of(defect)
    with _one_blas_thread():
        parts = [_lines_of(block, operators, drive) for block in _blocks(field)]
    n = operators.pairs[0].size
    frequency, strength = (np.concatenate(part).reshape(*field.shape[:-1], n) for part in zip(*parts, strict=True))
    return frequency, strength


def spectrum(
    frequency: Any,
    field: Any,
    defect: Defect = VB14N,
    *,
    linewidth: float,
    method: str = "auto",
    drive: Any = (1, 0, 0),
) -> np.ndarray:
    """ODMR spectrum: the sum of all lines, each a Lorentzian of unit height times its strength.

    Parameters
    ----------
    frequency : array_like, (nf,)
        Microwave frequencies (Hz).
    field : array_like, (..., 3)
        Magnetic field in the defect frame (T).
    defect : Defect
        With its nuclei.
    linewidth : float
        Full width at half maximum of every line (Hz).
    method : {"auto", "exact"}
        "exact" diagonalises electron and nuclei together; "auto" is the same at present.
    drive : array_like, (3,)
        Direction of the microwave field (see `lines`).

    Returns
    -------
    ndarray, (..., nf)
        Depth of the dip in units of the depth of one bare line: light = 1 - contrast x spectrum.

    Examples
    --------
    >>> f = np.linspace(3.0e9, 4.0e9, 101)
    >>> s = spectrum(f, [0, 0, 10e-3], linewidth=60e6)
    >>> bool(3.6e9 < f[50:][s[50:].argmax()] < 3.85e9)
    True
    """
    from vbsense._broaden import lorentzians

    frequency = np.ascontiguousarray(np.atleast_1d(_real("frequency", frequency)))
    if frequency.ndim != 1 or not np.isfinite(frequency).all():
        raise ValueError(f"frequency has shape {frequency.shape}; it must be one-dimensional and finite, in Hz")
    if not (np.isfinite(linewidth) and linewidth > 0):
        raise ValueError(f"linewidth is {linewidth!r}; it must be a positive width in Hz, for example 60e6")
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; known are {', '.join(METHODS)}")
    field = check_field(field)
    position, strength = lines(field, defect, drive=drive)
    flat = (-1, position.shape[-1])
    out = np.empty((position.reshape(flat).shape[0], frequency.size))
    lorentzians(frequency, position.reshape(flat), strength.reshape(flat), float(linewidth), out)
    return out.reshape(*field.shape[:-1], frequency.size)


def field_from_lines(
    f_lower: Any, f_upper: Any, defect: Defect = VB14N, *, azimuth: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Magnitude of the field and of its part along c, from the two electron lines.

    The characteristic polynomial of the spin-1 Hamiltonian gives, with b = gamma B,
    ``b^2 = (f1^2 + f2^2 - f1 f2 - D^2 - 3 E^2)/3`` and
    ``D (bz^2 - b^2/3) + E (bx^2 - by^2) = [2 D^3/9 - 2 D E^2 - (f1 + f2)(2 f1 - f2)(2 f2 - f1)/9]/3``.

    Parameters
    ----------
    f_lower, f_upper : array_like
        Electron lines (Hz), as `transitions` gives them below the level anticrossing (D / gamma along
        c, 124 mT), beyond which the lower one runs backwards; hyperfine shifts must be taken off before.
    defect : Defect
        Its D, E and g; D must be right to a fraction of a megahertz.
    azimuth : array_like, optional
        Angle of the field about c from the first E axis (rad).

    Returns
    -------
    B, Bz : ndarray
        |B|, exact, and |Bz| (T): exact with the azimuth, else the middle of the range that all azimuths
        allow. NaN where no field gives such lines.

    Raises
    ------
    ValueError
        If the lines are complex, or too low to be in Hz.

    Examples
    --------
    >>> f = transitions([3e-3, 0, 8e-3])
    >>> B, Bz = field_from_lines(f[0], f[1], azimuth=0.0)
    >>> round(float(B) * 1e3, 6), round(float(Bz) * 1e3, 6)
    (8.544004, 8.0)
    """
    f1, f2 = _real("f_lower", f_lower), _real("f_upper", f_upper)
    D, E, gamma = defect.D, defect.E, defect.gamma
    square = (f1**2 + f2**2 - f1 * f2 - D**2 - 3 * E**2) / 3
    # At zero field rounding leaves a square of either sign: 4e-15 D^2 is a field of 8 nT.
    square = np.where(np.abs(square) < 4e-15 * D**2, 0.0, square)
    X = (2 * D**3 / 9 - 2 * D * E**2 - (f1 + f2) * (2 * f1 - f2) * (2 * f2 - f1) / 9) / 3

    tolerance = 2e-15 * (np.abs(f1) + np.abs(f2)) ** 3 / abs(D)

    def along(cosine: Any) -> np.ndarray:
        return (X / D + square / 3 - E / D * cosine * square) / (1 - E / D * cosine)

    with np.errstate(invalid="ignore"):
        if azimuth is not None:
            low = high = along(np.cos(2 * np.asarray(azimuth, dtype=float)))
        else:
            # bz^2 is monotonic in the cosine; an azimuth that would make it negative is none of the field's.
            low, high = np.sort([along(1.0), along(-1.0)], axis=0)
        possible = (square >= 0) & (high > -tolerance) & (low < square + tolerance)
        Bz = (np.sqrt(np.clip(low, 0, None)) + np.sqrt(np.clip(high, 0, None))) / 2
        B = np.sqrt(np.where(possible, square, np.nan))
    return B / gamma, np.where(possible, Bz / gamma, np.nan)


def _lines_of(field: np.ndarray, operators: Operators, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    energy, vectors = np.linalg.eigh(assemble(field, operators))
    rows, columns = operators.pairs
    coupling = np.tensordot(drive, operators.spin, axes=1)
    adjoint = vectors.conj().swapaxes(-1, -2)
    element = np.abs(adjoint @ (coupling @ vectors)) ** 2
    # A linear drive excites and de-excites alike; a circular one has one arrow for each direction.
    element = (element + element.swapaxes(-1, -2)) / 2
    weight = (np.abs(vectors[:, operators.ms_zero, :]) ** 2).sum(-2)
    strength = element[:, rows, columns] * np.abs(weight[:, rows] - weight[:, columns])
    scale = 2 * 3 / operators.zero.shape[0]
    # Fancy indexing of the last axes may come back transposed; the kernels want rows in C order.
    return np.ascontiguousarray(energy[:, columns] - energy[:, rows]), np.ascontiguousarray(strength * scale)


def _blocks(field: np.ndarray) -> list[np.ndarray]:
    flat = field.reshape(-1, 3)
    return [flat[k : k + _BLOCK] for k in range(0, max(len(flat), 1), _BLOCK)]


def _one_blas_thread() -> Any:
    # Two BLAS threads on batches of 81 x 81 matrices are many times slower than one on a busy machine.
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")


def _real(name: str, values: Any) -> np.ndarray:
    """Frequencies as a float array, or an error that says what is wrong; NaN passes."""
    if np.iscomplexobj(values):
        raise ValueError(f"{name} is complex; give real frequencies in Hz")
    values = np.asarray(values, dtype=float)
    largest = np.max(np.abs(values), where=np.isfinite(values), initial=0.0)
    if 0 < largest < 1e6:
        raise ValueError(f"{name} reaches {largest:.6g}; frequencies are in Hz (3.47 GHz is 3.47e9)")
    return values


def _check_drive(drive: Any) -> np.ndarray:
    drive = np.asarray(drive, dtype=complex)
    norm = np.linalg.norm(drive)
    if drive.shape != (3,) or not np.isfinite(norm) or norm == 0:
        raise ValueError(f"drive is {drive.tolist()!r}; it must be a direction: three numbers that are not all zero")
    return drive / norm
