"""Scene files: every key does what it says, every mistake gets one sentence, the shipped scenes run."""

import dataclasses
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vbsense as vb
from vbsense import sims
from vbsense.cli import main
from vbsense.instruments.twin.serve import build_scene
from vbsense.optics import AiryPSF, GaussianPSF, HighNAPSF
from vbsense.quantities import parse_quantity, to_si
from vbsense.sims import scenefile
from vbsense.sims.camera.presets import PRESETS as CAMERAS
from vbsense.sims.scenefile import reference, scene_from_text
from vbsense.sims.scenefile.key import REQUIRED
from vbsense.sims.scenefile.keys import CONDUCTORS, SENSORS, TABLES

SCENES = sorted((Path(__file__).resolve().parent.parent / "examples" / "scenes").glob("*.toml"))

WIRE = """
[conductor]
kind = "bar"
start = ["0.2 um", "-50 um"]
end = ["0.2 um", "50 um"]
width = "1 um"
thickness = "100 nm"
current = "1 mA"
"""
SPOTS = """
[sensor]
kind = "array"
standoff = "35 nm"
pitch = "400 nm"
rows = 2
columns = 3
"""
FLAKE = """
[sensor]
kind = "layer"
standoff = "100 nm"
thickness = "50 nm"
"""
VIEW = """
[microscope]
shape = [12, 20]
pixel_size = "100 nm"
fwhm = "440 nm"
"""
LIGHT = """
[light]
spot_rate = "1.7 Mcps"
"""
FILM = 'width = "1 um"\nthickness = "100 nm"\n'
PIXELS = LIGHT.replace("spot_rate", "pixel_rate")
TEXT = WIRE + SPOTS + VIEW + LIGHT
LAYER = WIRE + FLAKE + VIEW + PIXELS


def scene(text=TEXT, **overrides):
    """A scene from text, keys changed as ``sensor__pitch=...``."""
    return scene_from_text(text, overrides={name.replace("__", "."): v for name, v in overrides.items()}).scene


# --- quantities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("35 nm", "m", 3.5e-8), ("35nm", "m", 3.5e-8), ("-1.5 um", "m", -1.5e-6), ("2µm", "m", 2e-6),
        ("3.47 GHz", "Hz", 3.47e9), ("1e-3 A", "A", 1e-3), ("10 mT", "T", 0.01), ("90 deg", "rad", np.pi / 2),
        ("24 %", "1", 0.24), ("0.3", "1", 0.3), ("1 h", "s", 3600.0), ("0.5 %/h", "1/s", 0.005 / 3600),
        ("6 nm/min", "m/s", 1e-10), ("1 nm/s^0.5", "m/s^0.5", 1e-9), ("1e15 ions/cm^2", "1/m^2", 1e19),
        ("1.7 Mcps", "electron/s", 1.7e6), ("-620 kHz/K", "Hz/K", -6.2e5),
        ("1 %/um", "1/m", 1e4), ("-3 dBm", "dBm", -3.0), ("295 K", "K", 295.0),
    ],
)  # fmt: skip
def test_quantities_are_read(text, unit, value):
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-15)


@given(st.floats(-1e6, 1e6), st.sampled_from(["n", "u", "m", "", "k"]))
def test_prefixes_are_powers_of_ten(number, prefix):
    scale = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}[prefix]
    assert to_si(f"{number!r} {prefix}m", "m") == pytest.approx(number * scale, rel=1e-15, abs=1e-300)
    assert to_si(number, "m") == number


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        ("35", "m", "no unit"), ("35 s", "m", "must be in m"), ("nm", "m", "not a number"),
        ("1mdBm", "dBm", "must be in dBm"), ("1e999 m", "m", "not finite"), (np.inf, "m", "not finite"),
        (True, "m", "no quantity"), ([1], "m", "no quantity"), ("5 Xm", "m", "must be in m"),
        ("1 km^2", "m", "must be in m"),
    ],
)  # fmt: skip
def test_what_is_no_quantity_is_refused(value, unit, words):
    with pytest.raises(ValueError, match=words):
        to_si(value, unit)


# --- what a file says -------------------------------------------------------------------------------------------------


def test_positions_count_from_the_middle_of_the_picture():
    made = scene(sensor__center=["0.1 um", "0 um"])
    middle = np.array([9.5e-7, 5.5e-7])
    assert made.array.center == pytest.approx(middle + [1e-7, 0])
    assert made.conductor.start == pytest.approx((middle[0] + 0.2e-6, middle[1] - 50e-6, -50e-9))
    assert made.array.x.mean() == pytest.approx(middle[0] + 1e-7)
    layer = scene(LAYER, sensor__outline=[["-1 um", "0 um"], [1e-6, 0], ["0 um", "1 um"]])
    assert layer.layer.outline == pytest.approx(np.array([[-1e-6, 0], [1e-6, 0], [0, 1e-6]]) + middle)


def test_the_top_face_lies_where_stand_offs_count_from():
    made = scene(conductor__top="-20 nm", sensor__standoff="35 nm")
    usual = scene(sensor__standoff="55 nm")  # above a face at 0: the same distance
    assert made.wire_field(1e-3) == pytest.approx(usual.wire_field(1e-3), rel=1e-9)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            'kind = "ribbon"\nstart = [0, -1e-5]\nend = [0, 1e-5]\nwidth = "1 um"\n',
            lambda x, y: vb.Ribbon((x, y - 1e-5, 0), (x, y + 1e-5, 0), 1e-6, 1e-3),
        ),
        (
            'kind = "filament"\nvertices = [[0, "-1 um"], [0, "1 um"], ["1 um", "1 um"]]\ntop = "10 nm"\n',
            lambda x, y: vb.Polyline([(x, y - 1e-6, 1e-8), (x, y + 1e-6, 1e-8), (x + 1e-6, y + 1e-6, 1e-8)], 1e-3),
        ),
        ('kind = "loop"\nradius = "1 um"\n', lambda x, y: vb.Loop((x, y, 0), 1e-6, 1e-3)),
        (
            f'kind = "path"\nvertices = [[0, "-5 um"], [0, 0], ["5 um", 0]]\n{FILM}',
            lambda x, y: vb.currents.path(
                [(x, y - 5e-6, -5e-8), (x, y, -5e-8), (x + 5e-6, y, -5e-8)], 1e-6, 1e-7, 1e-3
            ),
        ),
        (
            f'kind = "u_shape"\nseparation = "4 um"\nlength = "9 um"\n{FILM}',
            lambda x, y: vb.currents.u_shape(1e-6, 1e-7, 1e-3, separation=4e-6, length=9e-6, center=(x, y, -5e-8)),
        ),
        (
            f'kind = "meander"\npitch = "2 um"\nlength = "6 um"\nlegs = 3\nrotation = "90 deg"\n{FILM}',
            lambda x, y: vb.Placed(
                vb.currents.meander(1e-6, 1e-7, 1e-3, pitch=2e-6, length=6e-6, legs=3), (x, y, -5e-8),
                vb.currents.turn(np.pi / 2),
            ),
        ),
    ],
    ids=["ribbon", "filament", "loop", "path", "u_shape", "meander"],
)  # fmt: skip
def test_conductors_are_what_the_table_says(table, expected):
    made = scene(f'[conductor]\n{table}current = "1 mA"\n' + SPOTS + VIEW + LIGHT)
    points = np.array([[1e-6, 0.7e-6, 40e-9], [0.3e-6, 1.1e-6, 60e-9]])
    same = expected(9.5e-7, 5.5e-7)
    assert made.conductor.field(points) == pytest.approx(same.field(points), rel=1e-9, abs=1e-12)
    assert made.conductor.current == same.current


def test_several_conductors_add():
    two = TEXT.replace("[conductor]", "[[conductor]]") + WIRE.replace("[conductor]", "[[conductor]]").replace(
        "0.2", "-1.5"
    )
    made = scene(two, **{"conductor.1.current": "2 mA"})
    one, other = scene(), scene(conductor__start=["-1.5 um", "-50 um"], conductor__end=["-1.5 um", "50 um"])
    assert made.conductor.current == 1e-3
    assert made.wire_field(1e-3) == pytest.approx(one.wire_field(1e-3) + other.wire_field(2e-3), rel=1e-5)


def test_a_drawing_carries_the_current(tmp_path):
    pytest.importorskip("svgelements")
    (tmp_path / "trace.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="10mm" height="2mm" viewBox="0 0 10 2">'
        '<rect x="0" y="0.5" width="10" height="1"/><text x="0" y="1">in</text><text x="10" y="1">out</text></svg>'
    )
    table = 'kind = "drawing"\nfile = "trace.svg"\nunit = "1 um"\nsource = "in"\ndrain = "out"\ncurrent = "1 mA"\n'
    made = scene_from_text(f"[conductor]\n{table}" + SPOTS + VIEW + LIGHT, folder=tmp_path).scene
    middle = np.array([9.5e-7, 5.5e-7, 50e-9])
    straight = vb.Ribbon((middle[0] - 5e-6, middle[1], 0), (middle[0] + 5e-6, middle[1], 0), 1e-6, 1e-3)
    assert made.conductor.field(middle) == pytest.approx(straight.field(middle), abs=0.02 * 6e-4)


def test_the_microscope_is_what_the_table_says():
    assert scene().psf == GaussianPSF(440e-9)
    view = {"microscope__psf": "airy", "microscope__numerical_aperture": 0.9, "microscope__psf_radius": "2 um"}
    text = TEXT.replace('fwhm = "440 nm"', "")
    assert scene(text, **view).psf == AiryPSF(820e-9, 0.9, 2e-6)
    view |= {"microscope__psf": "high_na", "microscope__defocus": "0.3 um", "microscope__refractive_index": 1.5}
    assert scene(text, **view).psf == HighNAPSF(820e-9, 0.9, 1.5, 3e-7, 2e-6)
    lit = scene(microscope__laser_fwhm="5 um", microscope__laser_center=["1 um", 0], microscope__vignetting="50 um")
    assert lit.laser == sims.GaussianBeam((19.5e-7, 5.5e-7), 5e-6)
    assert lit.vignetting == sims.Vignetting((9.5e-7, 5.5e-7), 50e-6)


def test_a_measured_point_spread_function_lies_beside_the_file(tmp_path):
    x = (np.arange(81) - 40) * 25e-9
    np.save(tmp_path / "psf.npy", np.exp(-4 * np.log(2) * (x**2 + x[:, None] ** 2) / (440e-9) ** 2))
    text = TEXT.replace('fwhm = "440 nm"', 'psf = "measured"\nimage = "psf.npy"\nimage_pixel = "25 nm"')
    made = scene_from_text(text, folder=tmp_path).scene
    assert made.psf.fwhm == pytest.approx(440e-9, rel=0.01)
    light = {"power": 15.0, "current": 1e-3}
    assert made.rate(None, **light) == pytest.approx(scene().rate(None, **light), rel=0.01, abs=200)


def test_the_spin_is_what_the_table_says():
    made = scene(defect__name="VB15N", defect__E="50 MHz", defect__temperature="300 K", defect__tilt="90 deg")
    assert (made.defect.name, made.defect.E, made.defect.temperature) == ("VB15N", 50e6, 300.0)
    assert pytest.approx(vb.VB15N.D - 5 * 0.62e6) == made.defect.D
    assert np.asarray(made.defect.orientation)[:, 2] == pytest.approx([1, 0, 0], abs=1e-12)  # c along x
    turned = scene(defect__tilt="30 deg", defect__azimuth="90 deg").defect
    assert np.asarray(turned.orientation)[:, 2] == pytest.approx([0, 0.5, np.sqrt(0.75)])
    assert scene(defect__E_spread="4 MHz").strain == sims.Strain(59e6, 4e6)
    assert scene(bias__field=["1 mT", 0, "9 mT"]).bias == (1e-3, 0, 9e-3)


def test_light_comes_from_emitters():
    made = scene(TEXT.replace('spot_rate = "1.7 Mcps"', 'light_per_emitter = "680 cps"\nemitters = 2500'))
    assert (made.spot_rate, made.emitters) == (680 * 2500, 2500)
    dosed = scene(light__dose="1e15 ions/cm^2")
    assert (dosed.spot_rate, dosed.emitters) == (pytest.approx(1.7e6), pytest.approx(2500))
    disc = scene(light__dose="1e15 ions/cm^2", sensor__spot_shape="disc")
    assert disc.emitters == pytest.approx(2500 * np.pi / 4)
    flake = scene(LAYER, light__dose="1e15 ions/cm^2", sensor__oversampling=2, light__brightness_scatter="1 %")
    assert (flake.layer.emitters, flake.layer.oversampling) == (pytest.approx(2500), 2)
    film = scene(light__film_rate="100 cps", light__contrast="20 %").film
    assert (film.rate, film.contrast, film.thickness) == (100.0, 0.2, 40e-9)


def test_microwave_and_drift_are_what_the_tables_say():
    made = scene(microwave__gradient=["1 %/um", 0], microwave__drive=[0, 1, 0])
    assert made.microwave == sims.MicrowaveGradient((9.5e-7, 5.5e-7), (1e4, 0))
    assert made.drive == (0, 1, 0)
    antenna = {"kind": "filament", "vertices": [["20 um", "-1 mm"], ["20 um", "1 mm"]], "current": 1.0}
    driven = scene(microwave__antenna=antenna).microwave
    assert driven(9.5e-7, 5.5e-7) == pytest.approx(1)
    # Of a long thin wire in its plane z / (x^2 + z^2) lies across c: half as far away, four times as much.
    assert driven(9.5e-7 + 10e-6, 5.5e-7) == pytest.approx(4, rel=1e-3)
    drift = scene(drift__laser_slope="-1 %/h", drift__stage=["0.1 nm/s", 0], drift__seed=4).drift
    assert drift == sims.Drift(laser_slope=-0.01 / 3600, stage=(1e-10, 0), seed=4)
    assert scene().drift is None


def test_the_camera_is_what_the_table_says():
    assert scene().camera == sims.Camera()
    assert scene(camera__gain=0.5, camera__read_noise="2 electron").camera == sims.Camera(gain=0.5, read_noise=2.0)
    assert scene(camera__preset="emccd", camera__em_gain=50).camera == sims.camera_preset("emccd", em_gain=50)


def test_a_measurement_is_read():
    plan = scene_from_text(TEXT)
    m = plan.measurement
    assert m.frequency == pytest.approx(np.linspace(2.97e9, 3.97e9, 81))
    assert (m.exposure, m.power, m.averages, m.currents, m.reference) == (1.0, 15.0, 1, (1e-3, -1e-3), False)
    changes = {
        "measurement.frequencies": ["3.1 GHz", 3.2e9],
        "measurement.polarities": False,
        "measurement.exposure": "5 ms",
    }
    m = scene_from_text(TEXT, overrides=changes).measurement
    assert m.frequency.tolist() == [3.1e9, 3.2e9]
    assert (m.exposure, m.currents) == (5e-3, None)
    assert scene_from_text(TEXT, overrides={"measurement.current": "3 mA"}).measurement.currents == (3e-3, -3e-3)


def test_a_recipe_builds_the_scene_anew(tmp_path):
    made = scene(sensor__pitch="500 nm", scene__seed=3)
    recipe = json.loads(json.dumps(made.recipe))
    again = build_scene((recipe[0], recipe[1]))
    assert again == made
    light = {"power": 15.0, "current": 1e-3}
    assert (again.rate(3.2e9, **light) == made.rate(3.2e9, **light)).all()


def test_a_scene_file_serves_the_rig_in_its_own_process(tmp_path):
    from vbsense import instruments

    file = tmp_path / "station.toml"
    file.write_text(TEXT)
    plan = sims.load_scene(file)
    file.unlink()  # the recipe has the text
    with instruments.simulated_rig(plan.scene, seed=1, timeout=10.0) as rig:
        sweep = instruments.odmr_sweep(
            rig, [3.19e9, 3.75e9], run=tmp_path / "run", exposure=0.1, power=15.0, progress=False
        )
    assert sweep.signal.shape[-2:] == (12, 20)


# --- the reference ----------------------------------------------------------------------------------------------------


def test_the_reference_has_every_key():
    text = reference()
    for keys in (*CONDUCTORS.values(), *SENSORS.values(), *TABLES.values()):
        for key in keys:
            assert f" {key.name} " in text
            assert key.text
    for name in (*CONDUCTORS, *SENSORS):
        assert f'kind = "{name}"' in text
    assert max(map(len, text.splitlines())) <= 110
    assert text in scenefile.__doc__


def test_every_default_and_example_can_be_read():
    for keys in (*CONDUCTORS.values(), *SENSORS.values(), *TABLES.values()):
        for key in keys:
            if key.default not in (None, REQUIRED):
                key.read(key.default, "table")
            assert key.low <= key.high
            if key.kind in ("quantity", "vector"):
                tomllib.loads(f"value = {key.example()}")


def test_the_camera_table_has_every_field_of_every_camera():
    fields = {field.name for camera in CAMERAS.values() for field in dataclasses.fields(camera)}
    assert {key.name for key in TABLES["camera"]} == fields | {"preset"}


# --- mistakes ---------------------------------------------------------------------------------------------------------


def without(line, text=TEXT):
    return "\n".join(row for row in text.splitlines() if not row.startswith(line))


@pytest.mark.parametrize(
    ("text", "overrides", "words"),
    [
        (TEXT, {"sensor.stand_off": "35 nm"}, r"\[sensor\] has no key 'stand_off'; did you mean 'standoff'"),
        (TEXT, {"sensors.pitch": "35 nm"}, r"no table \[sensors\]; did you mean 'sensor'"),
        (TEXT, {"conductor.kind": "wire"}, r"\[conductor\] kind = 'wire'; known are"),
        (TEXT, {"conductor.kind": "ribon"}, "did you mean 'ribbon'"),
        (without("kind", WIRE) + SPOTS + VIEW + LIGHT, {}, r"\[conductor\] has no kind"),
        (without("width"), {}, r'\[conductor\] has no width .*; write width = "35nm"'),
        (WIRE + SPOTS + VIEW, {}, r"table \[light\] is missing"),
        ("sensor = 3\n" + WIRE + VIEW + LIGHT, {}, r"\[sensor\] is 3"),
        (TEXT, {"conductor.width": 1}, r"\[conductor\] width = 1: it must be 10 pm to 1 mm .*without unit is in SI"),
        (TEXT, {"conductor.width": "1 m"}, r"\[conductor\] width = \"1 m\": it must be"),
        (TEXT, {"conductor.width": "1 Hz"}, r"\[conductor\] width = \"1 Hz\": .* must be in m"),
        (TEXT, {"conductor.width": "1"}, r"\[conductor\] width = \"1\": .*no unit"),
        (TEXT, {"conductor.thickness": "-100 nm"}, r"\[conductor\] thickness = \"-100 nm\": it must be"),
        (TEXT, {"conductor.current": 0}, "current is 0"),
        (TEXT, {"conductor.start": "0 um"}, r"\[conductor\] start = \"0 um\": 2 values in brackets"),
        (TEXT, {"conductor.end": ["0.2 um", "-50 um"]}, r"\[conductor\] start and end"),
        (TEXT, {"sensor.rows": 2.5}, r"\[sensor\] rows = 2.5: it must be a whole number"),
        (TEXT, {"sensor.rows": "2"}, r"\[sensor\] rows = \"2\": it must be a whole number"),
        (TEXT, {"sensor.rows": 0}, r"\[sensor\] rows = 0: it must be 1 to 10000"),
        (TEXT, {"sensor.standoff": "10 nm"}, r"\[sensor\] standoff = 1e-08 m .* cuts the conductor.* at least 2e-08 m"),
        (TEXT, {"conductor.top": "30 nm"}, r"cuts the conductor, .* at least 5e-08 m"),
        (TEXT, {"sensor.spot_shape": "circle"}, "known are disc, gaussian, square"),
        (TEXT, {"sensor.missing": [99]}, r"\[sensor\] missing"),
        (TEXT, {"microscope.psf": "airy"}, "fwhm is of no use with psf = \"airy\""),
        (without("fwhm"), {}, "has no fwhm, which psf = \"gaussian\" needs"),
        (without("fwhm"), {"microscope.psf": "high_na"}, "has no numerical_aperture"),
        (without("fwhm"), {"microscope.psf": "measured", "microscope.image": "no.npy", "microscope.image_pixel": 1e-8},
         r"\[microscope\] image = \"no.npy\": .* does not exist"),
        (TEXT, {"microscope.shape": [12]}, r"\[microscope\] shape = \[12\]: 2 values"),
        (TEXT, {"microscope.shape": [12, -1]}, "at most|it must be"),
        (TEXT, {"microscope.pixel_size": 0.1}, r"pixel_size = 0.1: it must be 1 nm to 100 um"),
        (TEXT, {"camera.preset": "emcdd"}, "did you mean 'emccd'"),
        (TEXT, {"camera.em_gain": 100}, r"\[camera\] em_gain is of no use with preset = \"plain\""),
        (TEXT, {"camera.preset": "ccd", "camera.em_gain": 100}, r"\[camera\] a camera 'ccd' has no 'em_gain'"),
        (TEXT, {"defect.name": "VB14"}, "did you mean"),
        (TEXT, {"defect.E": "50"}, "no unit"),
        (TEXT, {"defect.temperature": "4 K"}, r"\[defect\] temperature"),
        (TEXT, {"bias.field": ["10 mT"]}, "3 values in brackets"),
        (TEXT, {"bias.field": [0, 0, 10]}, r"\[bias\] field = .*it must be -2 to 2 T"),
        (TEXT, {"light.pixel_rate": 1e5}, "pixel_rate is of no use"),
        (LAYER, {"light.spot_rate": 1e5}, "spot_rate is of no use"),
        (LAYER, {"light.film_rate": 1e5}, "film_rate is of no use"),
        (LAYER, {"defect.E_spread": "5 MHz"}, "E_spread is of no use"),
        (TEXT, {"light.light_per_emitter": 10}, "only one of them"),
        (without("spot_rate"), {"light.light_per_emitter": 10}, "give emitters, or dose"),
        (TEXT, {"light.emitters": 10, "light.dose": 1e19}, "emitters and dose are both given"),
        (TEXT, {"light.film_contrast": 0.1}, "film_contrast needs film_rate"),
        (TEXT, {"light.contrast": "120 %"}, "contrast = \"120 %\": it must be 0 to 0.999"),
        (TEXT, {"microwave.gradient": [1, 0], "microwave.antenna": {"kind": "loop"}}, "give one of them"),
        (TEXT, {"microwave.antenna": {"kind": "loop"}}, r"\[microwave.antenna\] has no radius"),
        (TEXT, {"microwave.drive": [0, 0, 0]}, "drive"),
        (TEXT, {"measurement.first": "4 GHz"}, "first must be below last"),
        (TEXT, {"measurement.frequencies": [3.2e9, 3.1e9]}, r"\[measurement\] frequency is not ascending"),
        (TEXT, {"measurement.frequencies": [3e9, 3.1e9], "measurement.points": 3}, "both given"),
        (TEXT, {"measurement.polarities": False, "measurement.current": 1e-3}, "polarities = false"),
        (TEXT, {"measurement.reference": 1}, "true or false"),
        (TEXT, {"scene.title": 3}, "a text in quotes"),
        (LAYER, {"sensor.outline": [[0, 0], [1e-6, 0]]}, r"\[sensor\] outline"),
        (TEXT + "\nx = 35 nm", {}, "this is not TOML: .*quotes"),
        (TEXT + '\nspot_rate = "2 Mcps"', {}, "this is not TOML: .*a second time"),
        (TEXT, {"light.contrast": 24}, r'contrast = 24: it must be 0 to 0.999 \(5 % is 0.05 or "5%"\)'),
        (TEXT, {"light.vacancies_per_ion": 10}, r"\[light\] vacancies_per_ion is of no use without dose"),
        (TEXT, {"defect.azimuth": 1.0}, r"\[defect\] azimuth is of no use without tilt"),
        (TEXT, {"microscope.laser_center": [0, 0]}, "laser_center is of no use without laser_fwhm"),
        (LAYER, {"light.contrast_scatter": 0.0}, "contrast_scatter is of no use"),
        (TEXT, {"camera.preset": "sCMOS"}, "did you mean 'scmos'"),
        (TEXT, {"camera.preset": "emccd", "camera.em_gain": 5}, "em_gain = 5: it must be 10 to 100000"),
        (TEXT, {"measurement.averages": 0}, "averages = 0: it must be 1 to 1000000"),
        (TEXT, {"sensor.rows": 10000, "sensor.columns": 10000}, "has 100000000 sites; at most 1000000"),
        (TEXT, {"pitch": 1}, "write for example microscope.shape"),
        (TEXT, {"sensor.pitch.x": 1}, "is no table"),
        (TEXT.replace("[conductor]", "[[conductor]]"), {"conductor.width": 1e-6}, "name one by its number|is no table"),
        (TEXT.replace("[conductor]", "[[conductor]]"), {"conductor.3.width": 1e-6}, "name one by its number"),
        ("conductor = []\n" + SPOTS + VIEW + LIGHT, {}, "at least one conductor"),
        (
            '[conductor]\nkind = "drawing"\nfile = "no.svg"\nsource = "a"\ndrain = "b"\ncurrent = 1e-3\n'
            + SPOTS + VIEW + LIGHT,
            {}, r"\[conductor\] file = \"no.svg\": .*no.svg does not exist",
        ),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_sentence(text, overrides, words):
    with pytest.raises(ValueError, match=words) as caught:
        scene_from_text(text, overrides=overrides)
    assert "\n" not in str(caught.value)


def test_warnings_where_a_scene_is_strange():
    with pytest.warns(UserWarning, match="larger|overlap"):
        scene(sensor__spot_size="500 nm")
    with pytest.warns(UserWarning, match="no spot lies in the picture"):
        scene(sensor__center=["1 mm", 0])
    with pytest.warns(UserWarning, match="narrower than a pixel"):
        scene(microscope__fwhm="80 nm").rate(None, power=15.0, current=1e-3)


def test_a_mark_at_the_beginning_of_a_file_is_no_harm(tmp_path):
    (tmp_path / "a.toml").write_text(TEXT, encoding="utf-8-sig")
    assert sims.load_scene(tmp_path / "a.toml").scene.array == scene().array


def test_a_given_D_is_that_of_the_given_temperature():
    cold = scene(defect__temperature="20 K", defect__D="3.48 GHz").defect
    assert (cold.D, cold.temperature) == (3.48e9, 20.0)
    with pytest.raises(ValueError, match="give D itself"):
        scene(defect__temperature="20 K")


def test_a_closed_path_comes_back_to_its_first_corner():
    corners = [[0, 0], ["2 um", 0], [0, "2 um"]]
    table = f'kind = "path"\nclosed = true\n{FILM}current = "1 mA"\n'
    one, other = (
        scene(f"[conductor]\n{table}vertices = []\n" + SPOTS + VIEW + LIGHT, conductor__vertices=v).conductor
        for v in (corners, [*corners, [0, 0]])
    )
    assert (one.field([[0, 0, 1e-7]]) == other.field([[0, 0, 1e-7]])).all()


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.toml does not exist; give the name of a scene file"):
        sims.load_scene(tmp_path / "no.toml")
    with pytest.raises(ValueError, match="is a folder"):
        sims.load_scene(tmp_path)
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="UTF-8"):
        sims.load_scene(tmp_path / "a.toml")
    (tmp_path / "b.toml").write_text(TEXT + "pich = 3")
    with pytest.raises(ValueError, match=r"b.toml: \[light\] has no key 'pich'"):
        sims.load_scene(tmp_path / "b.toml")


# --- the shipped scenes, and the command ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_the_shipped_scenes_run(path):
    plan = sims.load_scene(path, overrides={"microscope.shape": [16, 20], "measurement.points": 5})
    m = plan.measurement
    sweep = sims.simulate_sweep(
        plan.scene, m.frequency, exposure=m.exposure, power=m.power, averages=m.averages, currents=m.currents,
        reference=m.reference, rng=m.seed, drift=plan.scene.drift,
    )  # fmt: skip
    assert plan.title
    assert sweep.signal.sizes["frequency"] == 5
    assert sweep.signal.values.mean() > 100
    assert (
        sweep.signal.values.max()
        < 0.95 * (plan.scene.camera.maximum - plan.scene.camera.offset) * plan.scene.camera.gain
    )
    assert "truth_wire_field" in sweep


def test_four_scenes_are_shipped():
    names = [path.stem for path in SCENES]
    assert names == ["meander", "nanoarray_on_gold_wire", "u_trace_under_layer", "widefield_flake"]


def test_the_command_simulates_a_file(tmp_path, capsys):
    file, out, picture = tmp_path / "scene.toml", tmp_path / "sweep.h5", tmp_path / "scene.png"
    file.write_text(TEXT + '[measurement]\npoints = 7\nexposure = "20 ms"\nseed = 3\n')
    command = [
        "simulate",
        str(file),
        str(out),
        "--averages",
        "2",
        "--set",
        "sensor.pitch=500 nm",
        "--plot",
        str(picture),
    ]
    assert main([*command, "--set", "scene.seed=5"]) == 0
    assert "2 polarity, 7 frequency, 12 y, 20 x" in capsys.readouterr().out
    sweep = vb.load(out)
    assert (sweep.attrs["exposure"], sweep.attrs["frames"]) == (0.02, 2)
    assert json.loads(sweep.attrs["sensor_array"])["pitch"] == 500e-9
    assert picture.read_bytes().startswith(b"\x89PNG")
    plan = sims.load_scene(file, overrides={"sensor.pitch": "500 nm", "scene.seed": 5})
    m = plan.measurement
    same = sims.simulate_sweep(
        plan.scene, m.frequency, exposure=m.exposure, power=m.power, averages=2, currents=m.currents, rng=3
    )
    assert (same.signal.values == sweep.signal.values).all()
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err


def test_the_command_prints_the_keys(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "--keys"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == reference()


def test_what_is_strange_is_told_once_and_before(tmp_path, capsys):
    file, out = tmp_path / "scene.toml", tmp_path / "x.h5"
    file.write_text(TEXT + '[measurement]\npoints = 7\nexposure = "100 s"\n')
    for command in (["simulate", str(file), str(out)], ["forecast", str(file)]):
        assert main([*command, "--set", "sensor.spot_size=450 nm", "--set", "microscope.fwhm=80 nm"]) == 0
        caught = capsys.readouterr()
        lines = [line for line in caught.err.splitlines() if line.startswith("vbsense: warning: ")]
        for words in ("overlap", "narrower than a pixel", "saturates"):
            notes = sum(words in line for line in caught.out.splitlines() if line.startswith("note: "))
            assert sum(words in line for line in lines) + notes == 1, words
        assert "UserWarning" not in caught.err


def test_a_rig_measures_as_the_file_says(tmp_path, monkeypatch):
    from vbsense.cli import acquire

    told = {}

    def measure(scene, grid, folder, out, **plan):
        told.update(plan, frequency=grid)
        return sims.simulate_sweep(scene, grid, exposure=0.01)

    monkeypatch.setattr(acquire, "measure", measure)
    file = tmp_path / "scene.toml"
    file.write_text(TEXT + '[measurement]\npoints = 7\norder = "up"\nreference = true\n')
    command = ["acquire", "--simulated", str(file), str(tmp_path / "x.h5")]
    assert main(command) == 0
    assert (told["order"], told["reference"], told["currents"], len(told["frequency"])) == (
        "up",
        True,
        (1e-3, -1e-3),
        7,
    )
    assert main([*command, "--set", "measurement.polarities=false", "--set", "conductor.current=-2 mA"]) == 0
    assert told["currents"] == (-2e-3,)
    assert main([*command, "--current", "0A"]) == 0
    assert told["currents"] == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no.toml", "OUT"], "no.toml"),
        (["gold_wire_nanoaray", "OUT"], "did you mean 'gold_wire_nanoarray'"),
        (["gold_wire_nanoarray", "OUT", "--set", "sensor.pitch=1"], "is a preset"),
        (["FILE", "OUT", "--set", "pitch"], "write TABLE.KEY=VALUE"),
        (["FILE", "OUT", "--set", "sensor.pich=1"], "did you mean 'pitch'"),
        (["FILE", "OUT", "--plot", "FILE"], "--force"),
        (["FILE", "OUT", "--plot", "x.bmp"], "--plot: 'x.bmp' does not end in .png, .pdf or .svg"),
        (["FILE", "OUT", "--power=1e5dBm"], "from -300 to 100"),
    ],
)
def test_wrong_commands_get_one_line(arguments, words, tmp_path, capsys):
    (tmp_path / "scene.toml").write_text(TEXT)
    known = {"FILE": str(tmp_path / "scene.toml"), "OUT": str(tmp_path / "x.h5")}
    assert main(["simulate", *[known.get(a, a) for a in arguments]]) == 2
    message = capsys.readouterr().err.strip()
    assert words in message
    assert "\n" not in message
    assert not (tmp_path / "x.h5").exists()
