"""From the tables of a scene file to a scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import vbsense.defect
from vbsense._names import nearest
from vbsense.currents import turn
from vbsense.optics import AiryPSF, GaussianPSF, HighNAPSF, MeasuredPSF, SensorArray
from vbsense.sims.camera import Camera, camera_preset
from vbsense.sims.layer import LayerScene
from vbsense.sims.scene import ArrayScene
from vbsense.sims.scenefile.conductors import BuiltConductor, build_conductor, kind_of
from vbsense.sims.scenefile.context import naming
from vbsense.sims.scenefile.key import read_table
from vbsense.sims.scenefile.keys import SENSORS, TABLES
from vbsense.sims.scenes.drift import Drift
from vbsense.sims.scenes.emitters import Strain, mean_emitters
from vbsense.sims.scenes.illumination import GaussianBeam, MicrowaveAntenna, MicrowaveGradient, Vignetting
from vbsense.sims.scenes.samples import Layer

__all__ = ["build_scene", "check_tables"]

NEEDED = ("conductor", "sensor", "microscope", "light")
# Keys of [light] that belong to the other kind of sensor.
OTHERS = {"array": ("pixel_rate",), "layer": ("spot_rate", "contrast_scatter", "film_rate", "film_contrast")}
# Keys that have a default and yet do nothing without one of others.
IDLE = (
    ("light", "vacancies_per_ion", ("dose",)),
    ("light", "creation_yield", ("dose",)),
    ("defect", "azimuth", ("tilt",)),
    ("microscope", "laser_center", ("laser_fwhm",)),
)
Values = dict[str, Any]


def check_tables(given: Mapping[str, Any]) -> None:
    """All tables are known, and those that are needed are there."""
    known = [*TABLES, "conductor", "sensor"]
    for name in given:
        if name not in known:
            raise ValueError(f"there is no table [{name}]; {nearest(name, known)}")
    for name in NEEDED:
        if name not in given:
            raise ValueError(f"the table [{name}] is missing; `vbsense simulate --keys` shows what it may hold")
    for table, name, needed in IDLE:
        keys = given.get(table)
        if isinstance(keys, Mapping) and name in keys and not any(key in keys for key in needed):
            raise ValueError(f"[{table}] {name} is of no use without {' or '.join(needed)}")


def build_scene(given: Mapping[str, Any], folder: Path, recipe: tuple[str, Values]) -> ArrayScene | LayerScene:
    """The scene of checked tables; files are looked for in `folder`."""
    view = read_table("microscope", given["microscope"], TABLES["microscope"])
    (ny, nx), pixel = view["shape"], view["pixel_size"]
    middle = ((nx - 1) / 2 * pixel, (ny - 1) / 2 * pixel)
    conductor = build_conductor("conductor", given["conductor"], middle, folder)
    kind, sensor_table = kind_of("sensor", given["sensor"], SENSORS)
    sensor = read_table("sensor", sensor_table, SENSORS[kind])
    _check_heights(sensor, conductor)
    light = read_table("light", given["light"], TABLES["light"])
    defect = read_table("defect", given.get("defect", {}), TABLES["defect"])
    with naming("defect"):
        spin, strain = _spin(defect), _strain(defect)
    common = {
        "conductor": conductor.conductor,
        "standoff": sensor["standoff"],
        "bias": read_table("bias", given.get("bias", {}), TABLES["bias"])["field"],
        "shape": (ny, nx),
        "pixel_size": pixel,
        "psf_fwhm": None,
        "psf": _psf(view, given["microscope"], folder),
        "laser": view["laser_fwhm"] and GaussianBeam(_at(view["laser_center"], middle), view["laser_fwhm"]),
        "vignetting": view["vignetting"] and Vignetting(middle, view["vignetting"]),
        "background": light["background"],
        "linewidth": light["linewidth"],
        "saturation_power": light["saturation_power"],
        "defect": spin,
        "camera": _camera(given.get("camera", {})),
        "seed": read_table("scene", given.get("scene", {}), TABLES["scene"])["seed"],
        "drift": _drift(given),
        "recipe": recipe,
    }  # fmt: skip
    common |= _microwave(given.get("microwave", {}), sensor, spin, middle, folder)
    with naming("light"):
        _refuse(given["light"], OTHERS[kind], kind)
        if kind == "array":
            return _array_scene(sensor, light, strain, middle, common)
        return _layer_scene(sensor, light, strain, middle, common)


def _at(place: Any, middle: tuple[float, float]) -> tuple[float, float]:
    return place[0] + middle[0], place[1] + middle[1]


def _check_heights(sensor: Values, conductor: BuiltConductor) -> None:
    low, high = (sensor["standoff"] + sign * sensor["thickness"] / 2 for sign in (-1, 1))
    for bottom, top in conductor.heights:
        if low < top * (1 - 1e-9) - 1e-15 and high > bottom:
            raise ValueError(
                f"[sensor] standoff = {sensor['standoff']:.6g} m with thickness = {sensor['thickness']:.6g} m: the "
                f"layer lies from {low:.4g} to {high:.4g} m and cuts the conductor, which lies from {bottom:.4g} to "
                f"{top:.4g} m; give a standoff of at least {top + sensor['thickness'] / 2:.4g} m"
            )


def _psf(view: Values, given: Mapping[str, Any], folder: Path) -> Any:
    kind = view["psf"]
    takes = {
        "gaussian": ("fwhm",), "airy": ("wavelength", "numerical_aperture", "psf_radius"),
        "high_na": ("wavelength", "numerical_aperture", "refractive_index", "defocus", "psf_radius"),
        "measured": ("image", "image_pixel"),
    }  # fmt: skip
    others = {name for names in takes.values() for name in names} - set(takes[kind])
    for name in sorted(others & set(given)):
        raise ValueError(f'[microscope] {name} is of no use with psf = "{kind}", which takes {", ".join(takes[kind])}')
    for name in takes[kind]:
        if view[name] is None and name != "psf_radius":
            raise ValueError(f'[microscope] has no {name}, which psf = "{kind}" needs')
    with naming("microscope"):
        return _make_psf(kind, [view[name] for name in takes[kind]], folder)


def _make_psf(kind: str, values: list[Any], folder: Path) -> Any:
    if kind == "gaussian":
        return GaussianPSF(*values)
    if kind == "airy":
        return AiryPSF(*values)
    if kind == "high_na":
        return HighNAPSF(*values)
    file = folder / values[0]
    if not file.is_file():
        raise ValueError(f'image = "{values[0]}": {file} does not exist; paths count from where the scene file is')
    return MeasuredPSF(np.load(file, allow_pickle=False), values[1])


def _camera(given: Any) -> Any:
    values = read_table("camera", given, TABLES["camera"])
    own = {name: value for name, value in values.items() if name != "preset" and value is not None}
    with naming("camera"):
        if values["preset"] != "plain":
            return camera_preset(values["preset"], **own)
        known = Camera.__dataclass_fields__
        for name in own:
            if name not in known:
                raise ValueError(f'{name} is of no use with preset = "plain"; {nearest(name, known)}')
        return Camera(**own)


def _spin(values: Values) -> Any:
    defect = getattr(vbsense.defect, values["name"])
    changes = {name: values[name] for name in ("D", "E", "g", "temperature") if values[name] is not None}
    if values["tilt"]:
        azimuth = values["azimuth"]
        changes["orientation"] = turn(values["tilt"], axis=(-np.sin(azimuth), np.cos(azimuth), 0.0))
    if values["D"] is not None:  # it is that of this temperature, however low
        return replace(defect, **changes)
    return defect.at(**changes)


def _strain(values: Values) -> Strain | None:
    if values["E_spread"] is None:
        return None
    E = getattr(vbsense.defect, values["name"]).E if values["E"] is None else values["E"]
    return Strain(E, values["E_spread"])


def _drift(given: Mapping[str, Any]) -> Drift | None:
    if "drift" not in given:
        return None
    values = read_table("drift", given["drift"], TABLES["drift"])
    with naming("drift"):
        return Drift(**values)


def _microwave(given: Any, sensor: Values, spin: Any, middle: tuple[float, float], folder: Path) -> Values:
    own = {name: value for name, value in given.items() if name != "antenna"} if isinstance(given, Mapping) else given
    values = read_table("microwave", own, TABLES["microwave"])
    antenna = given.get("antenna")
    if antenna is not None and values["gradient"] is not None:
        raise ValueError("[microwave] has a gradient and an antenna; give one of them")
    with naming("microwave"):
        profile: Any = None
        if values["gradient"] is not None:
            profile = MicrowaveGradient(middle, values["gradient"])
        elif antenna is not None:
            conductor = build_conductor("microwave.antenna", antenna, middle, folder).conductor
            axis = tuple(np.asarray(spin.orientation)[:, 2].tolist())
            profile = MicrowaveAntenna(conductor, middle, sensor["standoff"], axis)
    return {"drive": values["drive"], "microwave": profile}


def _emitters(light: Values, area: float) -> float | None:
    if light["emitters"] is not None and light["dose"] is not None:
        raise ValueError("emitters and dose are both given; give one of them")
    if light["dose"] is None:
        return light["emitters"]
    given = {name: light[name] for name in ("vacancies_per_ion", "creation_yield")}
    return mean_emitters(light["dose"], area, **given)


def _rate(light: Values, name: str, emitters: float | None) -> float:
    """Light of a mean spot or pixel, given as such or through its emitters."""
    each = light["light_per_emitter"]
    if (light[name] is None) == (each is None):
        raise ValueError(f"give either {name} or light_per_emitter, and only one of them")
    if each is None:
        return float(light[name])
    if emitters is None:
        raise ValueError("light_per_emitter needs the mean number of emitters: give emitters, or dose")
    return float(each * emitters)


def _refuse(given: Mapping[str, Any], names: tuple[str, ...], kind: str) -> None:
    for name in names:
        if name in given:
            raise ValueError(f'{name} is of no use with [sensor] kind = "{kind}"')


def _array_scene(sensor: Values, light: Values, strain: Any, middle: tuple[float, float], common: Values) -> ArrayScene:
    keys = (
        "pitch",
        "pitch_y",
        "rotation",
        "shear",
        "spot_size",
        "spot_shape",
        "thickness",
        "placement_scatter",
        "missing",
    )
    with naming("sensor"):
        array = SensorArray(
            shape=(sensor["rows"], sensor["columns"]), center=_at(sensor["center"], middle), seed=common["seed"],
            **{name: sensor[name] for name in keys},
        )  # fmt: skip
    emitters = _emitters(light, array.spot_size**2 * _AREA[array.spot_shape])
    film = None
    if light["film_rate"] is not None:
        contrast = light["contrast"] if light["film_contrast"] is None else light["film_contrast"]
        film = Layer(light["film_rate"], contrast, sensor["thickness"])
    elif light["film_contrast"] is not None:
        raise ValueError("film_contrast needs film_rate: there is no film without light")
    scatter = {name: light[name] for name in ("contrast", "brightness_scatter", "contrast_scatter")}
    rate = _rate(light, "spot_rate", emitters)
    return ArrayScene(array=array, spot_rate=rate, emitters=emitters, strain=strain, film=film, **scatter, **common)


# Area of a spot over the square of its size; of a Gaussian its equivalent area, 4 pi sigma^2.
_AREA = {"square": 1.0, "disc": np.pi / 4, "gaussian": np.pi / (2 * np.log(2))}


def _layer_scene(sensor: Values, light: Values, strain: Any, middle: tuple[float, float], common: Values) -> LayerScene:
    if strain is not None:
        raise ValueError('[defect] E_spread is of no use with [sensor] kind = "layer"; it is for spots')
    emitters = _emitters(light, common["pixel_size"] ** 2)
    outline = sensor["outline"] and [_at(corner, middle) for corner in sensor["outline"]]
    rate = _rate(light, "pixel_rate", emitters)
    with naming("sensor"):
        layer = Layer(
            rate, light["contrast"], sensor["thickness"], outline, emitters, light["brightness_scatter"],
            sensor["oversampling"], sensor["margin"],
        )  # fmt: skip
    return LayerScene(layer=layer, **common)
