"""Checks of the layouts: every reader gets what `vbsense.data` promises, or one clear sentence."""

from __future__ import annotations

from numbers import Real

import numpy as np
import xarray as xr

__all__ = ["ATTRIBUTES", "FIT", "MAP", "SWEEP", "UNITS", "LayoutError", "check_layout", "require"]

SWEEP, FIT, MAP = "vbsense.sweep/1", "vbsense.fit/1", "vbsense.map/1"

# Attributes of a sweep: what they mean and their unit. Others need the prefix `user_` or `truth_`.
ATTRIBUTES = {
    "exposure": "exposure time of one frame, s",
    "frames": "number of frames averaged into one point, 1",
    "power": "microwave power at the source, dBm",
    "bias_field": "bias field Bx, By, Bz in the defect frame, T",
    "temperature": "temperature of the sensor, K",
    "camera_gain": "electrons per count",
    "camera_offset": "dark level, counts",
    "saturation": "largest count of the camera, at which a pixel is saturated, counts",
    "read_noise": "read noise of one frame, electron",
    "excess_noise": "variance of the detected signal over its Poisson variance (2 behind an electron multiplier), 1",
    "dead_time": "dead time of a photon counter, which is not corrected in the signal, s",
    "current": "magnitude of the current in the conductor, A (the coordinate `polarity` holds its sign)",
    "drive": "drive direction in the defect frame, 3 numbers, or 6: the real parts, then the imaginary ones",
    "defect": "name of the defect whose Hamiltonian was fitted",
    "sensor_array": "the sensor array as JSON: pitch, shape, origin, rotation, spot size, thickness",
    "psf_fwhm": "full width at half maximum of the point-spread function, m",
    "snapshot": "settings of all instruments as JSON",
    "plan": "the acquisition plan as JSON",
    "scene": "what was simulated, as JSON",
    "software": "software that wrote the data",
    "seed": "seed of the random numbers",
    "created": "time of creation, ISO 8601",
    "order": "order of the frequencies: palindrome or up",
    "complete": "1 when every planned frame is in, 0 for a recovered part",
    "pixel_size": "pixel size on the sample, m",
    "history": "what was done, one line a step",
}

UNITS = {"frequency": "Hz", "y": "m", "x": "m", "row": "1", "column": "1", "polarity": "1", "sweep": "1", "site": "1"}
UNITS |= {"temperature": "K", "current": "A", "time": "s"}

# What a map may hold: its unit, and whether it has components.
_MAPPED = {"B": ("T", True), "J": ("A/m", True), "sensor_temperature": ("K", False), "D": ("Hz", False)}


class LayoutError(ValueError):
    """A dataset that does not have the layout that its reader needs."""


def require(dataset: xr.Dataset, schema: str, *, leading: bool = False) -> xr.Dataset:
    """Check `dataset` and that it is of the kind `schema` ("sweep", "fit" or "map").

    A map is one of a field or current density, with one image or one set of sites for each component; with `leading`
    it may have more dimensions, or be one of temperatures.
    """
    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"a vbsense {schema} is an xarray.Dataset; received {type(dataset).__name__}")
    found = str(dataset.attrs.get("schema", "none"))
    if not found.startswith(f"vbsense.{schema}/"):
        raise LayoutError(f"a {schema} is needed (schema vbsense.{schema}/1); received schema {found!r}")
    check_layout(dataset)
    if schema == "map" and not leading:
        _check_single(dataset)
    return dataset


def _check_single(dataset: xr.Dataset) -> None:
    if "B" not in dataset and "J" not in dataset:
        raise LayoutError(f"a map of 'B' or 'J' is needed; this one holds {', '.join(map(str, dataset.data_vars))}")
    for name in (name for name in _MAPPED if name in dataset):
        more = [str(dim) for dim in dataset[name].dims if dim not in ("component", "y", "x", "site")]
        if more:
            one = ", ".join(f"{dim}=0" for dim in more)
            raise LayoutError(f"{name} has the dimensions {', '.join(more)} as well; select one map: .isel({one})")


def check_layout(dataset: xr.Dataset) -> xr.Dataset:
    """Return `dataset` unchanged if it has its layout.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``attrs["schema"]`` one of the known three.

    Raises
    ------
    LayoutError
        Naming the variable, what was found and what to do.
    """
    schema = dataset.attrs.get("schema")
    if schema not in (SWEEP, FIT, MAP):
        raise LayoutError(f"schema is {schema!r}, not one of {SWEEP}, {FIT}, {MAP}: not a vbsense dataset")
    _check_units(dataset)
    if schema == SWEEP:
        _check_sweep(dataset)
    elif schema == FIT:
        _check_fit(dataset)
    else:
        _check_map(dataset)
    return dataset


def _check_units(dataset: xr.Dataset) -> None:
    for name, variable in dataset.variables.items():
        if variable.dtype.kind not in "fiu":
            continue
        units = variable.attrs.get("units")
        wanted = UNITS.get(str(name))
        if units is None:
            hint = f"'{wanted}'" if wanted else "its SI unit"
            raise LayoutError(f"variable {name!r} has no units; set attrs['units'] to {hint}")
        if wanted is not None and units != wanted:
            raise LayoutError(f"variable {name!r} has units {units!r}; it must be in {wanted!r}: convert the values")


def _check_sweep(dataset: xr.Dataset) -> None:
    if "signal" not in dataset:
        raise LayoutError("a sweep needs the variable 'signal'; this one has " + ", ".join(map(str, dataset.data_vars)))
    signal = dataset["signal"]
    tail = tuple(map(str, signal.dims[-3:]))
    if tail != ("frequency", "y", "x") and tail[-2:] != ("frequency", "site"):
        raise LayoutError(
            f"signal has dimensions {signal.dims}; a sweep ends in (frequency, y, x) or (frequency, site)"
        )
    if signal.dtype.kind != "f":
        raise LayoutError(f"signal has dtype {signal.dtype}; a sweep holds float32 or float64 electrons")
    if signal.attrs.get("units") != "electron":
        raise LayoutError(f"signal has units {signal.attrs.get('units')!r}; it must be in 'electron' per exposure")
    for name in ("signal_err", "reference"):
        if name not in dataset:
            continue
        if dataset[name].dims != signal.dims:
            raise LayoutError(f"{name} has dimensions {dataset[name].dims}; signal has {signal.dims}")
        if dataset[name].attrs.get("units") != "electron":
            raise LayoutError(f"{name} has units {dataset[name].attrs.get('units')!r}; it must be in 'electron'")
    check_frequency(dataset["frequency"].values if "frequency" in dataset.coords else None)
    _check_positions(dataset, "signal")
    _check_attributes(dataset)


def _check_positions(dataset: xr.Dataset, name: str) -> None:
    dims = tuple(map(str, dataset[name].dims))
    if "site" in dims:
        wanted: tuple[str, ...] = ("x", "y", "row", "column")
        missing = [c for c in wanted if c not in dataset.coords or dataset[c].dims != ("site",)]
    else:
        wanted = tuple(d for d in ("y", "x") if d in dims)
        missing = [c for c in wanted if c not in dataset.coords]
    if missing:
        raise LayoutError(f"{name} has no coordinate {missing[0]!r}; it needs {', '.join(wanted)}")
    for c in wanted:
        values = dataset[c].values
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise LayoutError(
                f"coordinate {c!r} is not made of finite numbers; give positions in m, indices as numbers"
            )
        if "site" not in dims and not (np.diff(values) > 0).all():
            raise LayoutError(f"coordinate {c!r} is not ascending: row and column 0 are at the smallest y and x")


def _check_attributes(dataset: xr.Dataset) -> None:
    for name, unit in (
        ("exposure", "s"), ("pixel_size", "m"), ("psf_fwhm", "m"), ("camera_gain", "electron/count"),
        ("excess_noise", "1"), ("dead_time", "s"),
    ):  # fmt: skip
        check_positive(dataset, name, unit)
    frames = dataset.attrs.get("frames")
    if frames is not None and not (isinstance(frames, Real) and float(frames) >= 0 and float(frames).is_integer()):
        raise LayoutError(f"attribute 'frames' is {frames!r}; it must be a whole number of frames")
    bias = dataset.attrs.get("bias_field")
    if bias is not None and not _is_vector(bias):
        raise LayoutError(f"attribute 'bias_field' is {bias!r}; it must be three finite numbers in T")


def _is_vector(values: object) -> bool:
    array = np.asarray(values)
    return array.shape == (3,) and array.dtype.kind in "fiu" and bool(np.isfinite(array).all())


def check_frequency(frequency: object) -> np.ndarray:
    """Return the frequencies as a float array if they are finite, ascending and plausibly in Hz."""
    if frequency is None:
        raise LayoutError("the sweep has no coordinate 'frequency'; give the microwave frequencies in Hz")
    values = np.asarray(frequency)
    if values.dtype.kind not in "fiu":
        raise LayoutError(f"frequency has dtype {values.dtype}; it must hold real numbers in Hz")
    values = values.astype(float)
    if values.ndim != 1 or values.size == 0:
        raise LayoutError(f"frequency has shape {values.shape}; it must be one-dimensional and not empty")
    if not np.isfinite(values).all():
        raise LayoutError("frequency holds NaN or infinite values; give finite frequencies in Hz")
    if values.size > 1 and not (np.diff(values) > 0).all():
        k = int(np.argmin(np.diff(values) > 0))
        remedy = "sort it, and the signal with it"
        if values[k] == values[k + 1]:
            remedy = "average points of the same frequency into one"
        raise LayoutError(
            f"frequency is not ascending: {values[k]:.6g} is followed by {values[k + 1]:.6g} Hz "
            f"(points {k} and {k + 1}); {remedy}"
        )
    if values[0] < 1e6:
        raise LayoutError(f"frequency starts at {values[0]:.6g}; frequencies are in Hz (3.47 GHz is 3.47e9)")
    return values


def check_positive(dataset: xr.Dataset, name: str, unit: str) -> None:
    """Check that the attribute `name`, where present, is a positive number."""
    value = dataset.attrs.get(name)
    if value is not None and not (isinstance(value, Real) and np.isfinite(float(value)) and float(value) > 0):
        raise LayoutError(f"attribute {name!r} is {value!r}; it must be a positive number in {unit}")


def _check_fit(dataset: xr.Dataset) -> None:
    for name in ("flags", "reduced_chi2"):
        if name not in dataset:
            raise LayoutError(
                f"a fit needs the variable {name!r}; this one has " + ", ".join(map(str, dataset.data_vars))
            )
    parameters = [str(name) for name in dataset.data_vars if f"{name}_err" in dataset]
    if not parameters:
        raise LayoutError("a fit needs at least one parameter with its '<name>_err'")
    dims = dataset["flags"].dims
    if dataset["flags"].dtype.kind not in "iu":
        raise LayoutError(
            f"flags has dtype {dataset['flags'].dtype}; it holds bits: a whole-number type such as uint16"
        )
    for name in ["reduced_chi2", *parameters, *(f"{p}_err" for p in parameters)]:
        if dataset[name].dims != dims:
            raise LayoutError(f"{name} has dimensions {dataset[name].dims}; flags has {dims}")
    for name in parameters:
        units = dataset[name].attrs.get("units"), dataset[f"{name}_err"].attrs.get("units")
        if units[0] != units[1]:
            raise LayoutError(f"{name}_err has units {units[1]!r}; {name} has {units[0]!r}")
    _check_positions(dataset, "flags")
    _check_attributes(dataset)


def _check_map(dataset: xr.Dataset) -> None:
    names = [name for name in _MAPPED if name in dataset]
    if not names:
        raise LayoutError(
            "a map needs the variable 'B' (T), 'J' (A/m) or 'sensor_temperature' (K); this one has "
            + ", ".join(map(str, dataset.data_vars))
        )
    for name in names:
        unit, components = _MAPPED[name]
        _check_map_dims(name, tuple(map(str, dataset[name].dims)), components)
        for each in (name, f"{name}_err"):
            if each in dataset and dataset[each].attrs.get("units") != unit:
                raise LayoutError(f"{each} has units {dataset[each].attrs.get('units')!r}; it must be in {unit!r}")
        if f"{name}_err" in dataset and dataset[f"{name}_err"].dims != dataset[name].dims:
            found = dataset[f"{name}_err"].dims
            raise LayoutError(f"{name}_err has dimensions {found}; {name} has {dataset[name].dims}")
        known = dataset["component"].values.tolist() if "component" in dataset.coords else []
        if components and (not set(known) <= {"x", "y", "z"} or not known):
            raise LayoutError(f"{name} has the components {known!r}; give the coordinate 'component' of 'x', 'y', 'z'")
        _check_positions(dataset, name)
    _check_attributes(dataset)


def _check_map_dims(name: str, dims: tuple[str, ...], components: bool) -> None:
    head = ("component",) if components else ()
    tail = ("y", "x") if dims[-2:] == ("y", "x") else ("site",)
    between = set(dims[len(head) : len(dims) - len(tail)])
    known = {"component", "frequency", "y", "x", "site"}
    if dims[: len(head)] != head or dims[-len(tail) :] != tail or known & between:
        form = "(component, y, x) or (component, site), with others between" if components else "(y, x) or (site)"
        raise LayoutError(f"{name} has dimensions {dims}; a map has {form}")
