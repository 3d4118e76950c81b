"""Every key of a scene file changes what is measured: one that did nothing would be a promise without a deed."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from vbsense import sims
from vbsense.cli.scenes import _of_file
from vbsense.sims.scenefile import scene_from_text
from vbsense.sims.scenefile.keys import CONDUCTORS, SENSORS, TABLES

FILM = 'width = "1 um"\nthickness = "100 nm"\ncurrent = "1 mA"\n'
LINE = 'start = ["0.2 um", "-50 um"]\nend = ["0.2 um", "50 um"]\n'
KINDS = {
    "bar": LINE + FILM,
    "ribbon": LINE + 'width = "1 um"\ncurrent = "1 mA"\n',
    "filament": 'vertices = [[0, "-50 um"], [0, "50 um"]]\ncurrent = "1 mA"\n',
    "loop": 'radius = "1 um"\ncurrent = "1 mA"\n',
    "path": f'vertices = [[0, 0], ["2 um", 0], [0, "2 um"]]\n{FILM}',
    "u_shape": f'separation = "3 um"\nlength = "9 um"\n{FILM}',
    "meander": f'pitch = "2 um"\nlength = "6 um"\nlegs = 3\n{FILM}',
    "drawing": 'file = "trace.svg"\nunit = "1 um"\nsource = "in"\ndrain = "out"\ncurrent = "1 mA"\npixel = "200 nm"\n',
}
ARRAY = 'kind = "array"\nstandoff = "35 nm"\npitch = "400 nm"\nrows = 2\ncolumns = 3\n'
LAYER = 'kind = "layer"\nstandoff = "100 nm"\nthickness = "50 nm"\nmargin = "0 nm"\n'
LIGHT = {"array": 'spot_rate = "1.7 Mcps"\nemitters = 300\n', "layer": 'pixel_rate = "50 kcps"\nemitters = 300\n'}
GAUSS = {"microscope.fwhm": "300 nm"}
GRID = {"measurement.frequencies": ["3.1 GHz", "3.19 GHz", "3.75 GHz"]}


def text_of(conductor="bar", sensor="array"):
    return (
        f'[conductor]\nkind = "{conductor}"\n{KINDS[conductor]}[sensor]\n{ARRAY if sensor == "array" else LAYER}'
        f'[microscope]\nshape = [10, 16]\npixel_size = "100 nm"\n[light]\n{LIGHT[sensor]}[measurement]\n'
    )


# --- one change for every key: its value, or what must be there besides, and its value --------------------------------

CONDUCTOR = {
    "start": ["0.3 um", "-50 um"], "end": ["0.3 um", "50 um"], "width": "0.9 um", "thickness": "80 nm",
    "current": "1.1 mA", "top": "-10 nm", "vertices": [[0, "-50 um"], ["1 um", "50 um"]], "center": ["0.1 um", 0],
    "radius": "1.2 um", "closed": True, "separation": "3.2 um", "length": "5 um", "rotation": "10 deg",
    "pitch": "2.2 um", "legs": 4, "file": "other.svg", "unit": "1.1 um",
    "layer": ({"conductor.file": "both.svg", "conductor.layer": "thin"}, "wide"), "drain": "side", "pixel": "100 nm",
}  # fmt: skip
CONDUCTOR_OF = {
    "path": {"vertices": [[0, "-5 um"], [0, 0], ["4 um", 0]]},
    "drawing": {"source": "side"},
}
SENSOR = {
    "array": {
        "standoff": "40 nm", "pitch": "350 nm", "pitch_y": "350 nm", "rows": 3, "columns": 2, "center": ["50 nm", 0],
        "rotation": "5 deg", "shear": "5 deg", "spot_size": "120 nm", "spot_shape": "disc", "thickness": "30 nm",
        "placement_scatter": "5 nm", "missing": [2],
    },
    "layer": {
        "standoff": "120 nm", "thickness": "60 nm", "outline": [["-0.5 um", "-0.4 um"], ["0.5 um", 0], [0, "0.5 um"]],
        "oversampling": 2, "margin": "1 um",
    },
}  # fmt: skip
DIFFRACTION = {"microscope.fwhm": None, "microscope.psf": "high_na", "microscope.numerical_aperture": 0.9}
MEASURED = {"microscope.fwhm": None, "microscope.psf": "measured", "microscope.image": "wide.npy",
            "microscope.image_pixel": "50 nm"}  # fmt: skip
EMCCD = {"camera.preset": "emccd"}
APD = {"camera.preset": "apd", "measurement.exposure": "10 ms"}
DOSE = {"light.emitters": None, "light.dose": 1e19}
BRIGHT = {"light.background": "50 Mcps", "measurement.exposure": "10 ms"}  # half a million electrons in a pixel
OTHER = {
    "scene": {"title": "another", "seed": 3},
    "microscope": {
        "shape": [10, 17], "pixel_size": "110 nm", "fwhm": "320 nm", "vignetting": "2 um", "laser_fwhm": "2 um",
        "psf": (DIFFRACTION, "airy"), "wavelength": (DIFFRACTION, "700 nm"),
        "numerical_aperture": (DIFFRACTION, 0.8), "refractive_index": (DIFFRACTION, 1.3),
        "defocus": (DIFFRACTION, "0.4 um"), "psf_radius": (DIFFRACTION, "0.8 um"), "image": (MEASURED, "narrow.npy"),
        "image_pixel": (MEASURED, "40 nm"), "laser_center": ({"microscope.laser_fwhm": "2 um"}, ["0.2 um", 0]),
    },
    "camera": {
        "preset": "ccd", "gain": 1.5, "read_noise": 7, "read_noise_spread": 0.3, "dark_current": 3.0,
        "offset": ({"light.spot_rate": 1.0}, 0), "full_well": (BRIGHT, 5e4), "hot_pixels": 0.3, "dead_pixels": 0.3,
        "response_spread": 0.1, "bits": (BRIGHT, 10), "seed": ({"camera.response_spread": 0.1}, 4),
        "em_gain": (EMCCD, 200), "sensitivity": (EMCCD, 10), "output_noise": (EMCCD, 100),
        "register_well": (EMCCD | BRIGHT, 1e5), "pixel_well": (EMCCD | BRIGHT, 100), "clock_induced": (EMCCD, 5),
        "dark_rate": (APD, 1e4), "dead_time": (APD, "100 ns"), "after_pulsing": (APD, 0.1),
    },
    "defect": {
        "name": "VB15N", "D": "3.48 GHz", "E": "70 MHz", "E_spread": "5 MHz", "g": 2.01, "temperature": "310 K",
        "tilt": "20 deg", "azimuth": ({"defect.tilt": "20 deg"}, "40 deg"),
    },
    "bias": {"field": [0, 0, "9 mT"]},
    "light": {
        "spot_rate": "2 Mcps", "light_per_emitter": ({"light.spot_rate": None, "light.light_per_emitter": 680}, 700),
        "emitters": 400, "dose": (DOSE, 2e19), "vacancies_per_ion": (DOSE, 10), "creation_yield": (DOSE, 0.003),
        "background": "100 cps", "contrast": "20 %", "linewidth": "50 MHz", "saturation_power": "10 dBm",
        "brightness_scatter": "5 %", "contrast_scatter": "5 %", "film_rate": "500 cps",
        "film_contrast": ({"light.film_rate": "10 kcps"}, 0.1), "pixel_rate": "60 kcps",
    },
    "microwave": {"drive": [0, 1, 0], "gradient": ["10 %/um", 0]},
    "drift": {
        "laser_slope": "1 %/s", "laser_noise": "1 %", "stage": ["10 nm/s", 0], "stage_noise": "5 nm/s^0.5",
        "seed": ({"drift.laser_noise": "1 %"}, 3),
    },
    "measurement": {
        "first": ({"measurement.frequencies": None}, "3 GHz"), "last": ({"measurement.frequencies": None}, "3.9 GHz"),
        "points": ({"measurement.frequencies": None}, 4), "frequencies": [3.1e9, 3.2e9], "exposure": "0.5 s",
        "power": "10 dBm", "averages": 2, "current": "0.5 mA", "polarities": False, "reference": True, "order": "up",
        "seed": 4,
    },
}  # fmt: skip


def cases():
    for kind, keys in CONDUCTORS.items():
        own = CONDUCTOR | CONDUCTOR_OF.get(kind, {})
        # Cells are of GDS and OASIS files, see tests/test_drawings.py.
        yield from (("conductor", kind, key.name, own[key.name]) for key in keys if key.name != "cell")
    for kind, keys in SENSORS.items():
        yield from (("sensor", kind, key.name, SENSOR[kind][key.name]) for key in keys)
    for table, keys in TABLES.items():
        yield from ((table, "", key.name, OTHER[table][key.name]) for key in keys)


CASES = list(cases())


@cache
def folder(path):
    """Drawings and pictures of a point that the scenes name."""
    box = '<rect x="0" y="{}" width="10" height="{}"/>'
    label = '<text x="{}" y="{}">{}</text>'
    ends = label.format(0, 1, "in") + label.format(10, 1, "out") + label.format(7, 0.45, "side")
    page = '<svg xmlns="http://www.w3.org/2000/svg" width="10mm" height="2mm" viewBox="0 0 10 2">{}</svg>'
    thin, wide = box.format(0.5, 1), box.format(0.2, 1.6)
    (path / "trace.svg").write_text(page.format(thin + ends))
    (path / "other.svg").write_text(page.format(wide + ends))
    (path / "both.svg").write_text(page.format(f'<g id="thin">{thin}{ends}</g><g id="wide">{wide}{ends}</g>'))
    x = (np.arange(41) - 20) * 50e-9
    for name, fwhm in (("wide", 440e-9), ("narrow", 340e-9)):
        np.save(path / f"{name}.npy", np.exp(-4 * np.log(2) * (x**2 + x[:, None] ** 2) / fwhm**2))
    return path


def effect(text, changes, where):
    """Everything that the file decides: bytes of the sweep and its truth, and what a rig is told."""
    given = {name: value for name, value in (GAUSS | GRID | changes).items() if value is not None}
    gone = [name for name, value in changes.items() if value is None]
    for name in gone:
        key = name.split(".")[1]
        text = "\n".join(line for line in text.splitlines() if not line.startswith(f"{key} ="))
    plan = scene_from_text(text, folder=where, overrides=given)
    m, scene = plan.measurement, plan.scene
    if "defect.name" not in changes:
        scene = replace(scene, defect=scene.defect.at(nuclei=()))  # three levels instead of 81: only for speed
    sweep = sims.simulate_sweep(
        scene, m.frequency, exposure=m.exposure, power=m.power, averages=m.averages, currents=m.currents,
        reference=m.reference, rng=m.seed, threads=1,
    )  # fmt: skip
    names = [name for name in sweep.variables if name in ("signal", "reference", "frequency") or "truth" in name]
    return [plan.title, m.order, [(name, sweep[name].shape, sweep[name].values.tobytes()) for name in names]]


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("scenes"))


@pytest.mark.parametrize(("table", "kind", "key", "change"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_every_key_does_something(table, kind, key, change, where):
    if kind == "drawing":
        pytest.importorskip("svgelements")
    sensor = kind if table == "sensor" else "layer" if key == "pixel_rate" else "array"
    text = text_of(kind if table == "conductor" else "bar", sensor)
    besides, value = change if isinstance(change, tuple) else ({}, change)
    changed = effect(text, besides | {f"{table}.{key}": value}, where)
    assert changed != effect(text, besides, where)


def test_an_antenna_does_something(where):
    antenna = {"kind": "filament", "vertices": [["5 um", "-1 mm"], ["5 um", "1 mm"]], "current": 1.0}
    assert effect(text_of(), {"microwave.antenna": antenna}, where) != effect(text_of(), {}, where)


def test_the_same_file_has_the_same_effect(where):
    """Or all of the above would pass whatever the keys do."""
    for sensor in LIGHT:
        assert effect(text_of(sensor=sensor), {}, where) == effect(text_of(sensor=sensor), {}, where)


def test_everything_of_a_measurement_reaches_the_commands(tmp_path):
    file = tmp_path / "scene.toml"
    file.write_text(text_of() + 'order = "up"\naverages = 3\nseed = 7\nreference = true\npolarities = false\n')
    _, _, measured = _of_file(str(file), ["microscope.fwhm=300 nm"])
    plan = sims.load_scene(file, overrides=GAUSS).measurement
    assert set(measured) == set(vars(plan))
    assert all(np.array_equal(measured[name], value) for name, value in vars(plan).items())
