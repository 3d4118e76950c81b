"""Forecasts against the measurements that they foretell: simulated with the exact spectra, unmixed and fitted."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis, sims
from vbsense.bounds import Noise, doublet, field_bound, lattice_amplification, nearest_parameters
from vbsense.cli import main
from vbsense.data import make_site_sweep
from vbsense.lineshape import get_model

SWEEP = np.linspace(2.97e9, 3.97e9, 81)
PAIR = (1e-3, -1e-3)


@pytest.fixture(scope="module")
def scene():
    return sims.gold_wire_nanoarray(rows=9, columns=9)


@pytest.fixture(scope="module")
def plan(scene):
    return sims.forecast(scene, SWEEP, exposure=0.1, averages=4, currents=PAIR)


@pytest.fixture(scope="module")
def measured(scene):
    """Fit and map of one simulated measurement."""
    sweep = sims.simulate_sweep(scene, SWEEP, exposure=0.1, averages=4, currents=PAIR, rng=1)
    fit = analysis.fit_sweep(analysis.unmix(sweep))
    return fit, analysis.field_map(fit)


def test_errors_are_those_that_the_fit_reports(plan, measured):
    fit, field = measured
    ratio = field["B_err"].values[0] / plan.error
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert ratio == pytest.approx(np.ones(81), abs=0.1)  # every site by itself: its light, contrast and neighbours
    eta = analysis.sensitivity(fit)
    assert float(eta.sweep.median()) == pytest.approx(np.median(plan.sweep_sensitivity), rel=0.02)
    assert float(eta.slope.median()) == pytest.approx(np.median(plan.slope_sensitivity), rel=0.02)


def test_line_shapes_are_those_that_the_fit_finds(plan, measured):
    fit, _ = measured
    for k, name in enumerate(get_model("gaussian").parameters):
        pull = (fit[name].sel(polarity=1).values - plan.parameters[:, k]) / fit[name + "_err"].sel(polarity=1).values
        if name == "offset":  # electrons per exposure of a spot: the picture of a site is a few 0.01 % wider
            assert fit[name].sel(polarity=1).values == pytest.approx(plan.parameters[:, k], rel=0.01)
            continue
        assert abs(pull.mean()) < 0.5, name
        assert 0.7 < pull.std() < 1.3, name


def test_errors_of_the_wire_are_those_that_its_fit_reports(scene, plan, measured):
    free = tuple(plan.wire)
    assert free == ("current", "position", "width", "standoff", "offset")
    fitted = analysis.fit_wire(measured[1], wire=scene.conductor, free=free, standoff=scene.standoff)
    for name, (value, error) in plan.wire.items():
        assert fitted.errors[name] == pytest.approx(error, rel=0.1), name
        if name in fitted.values and name != "position":
            assert abs(fitted.values[name] - value) < 5 * error


def test_more_light_helps_as_its_square_root_and_times_follow(scene, plan):
    longer = sims.forecast(
        scene, SWEEP, exposure=0.1, averages=16, currents=PAIR, target={"field": 1e-6, "standoff": 1e-9}
    )
    assert longer.error == pytest.approx(plan.error / 2)
    assert longer.sweep_sensitivity == pytest.approx(plan.sweep_sensitivity)
    assert longer.seconds == pytest.approx(0.1 * 16 * 81 * 2)
    now = longer.error[longer.median_site]
    assert longer.times["field"]["sweep"] == pytest.approx(longer.seconds * (now / 1e-6) ** 2)
    assert longer.times["standoff"]["sweep"] == pytest.approx(longer.seconds * (longer.wire["standoff"][1] / 1e-9) ** 2)
    for times in longer.times.values():
        assert times["sweep"] / times["optimum"] == pytest.approx(longer.optimum.gain)
        assert times["optimum"] <= times["four points"] <= times["sweep"]


def test_one_polarity_is_half_the_light(scene, plan):
    single = sims.forecast(scene, SWEEP, exposure=0.1, averages=4)
    assert single.error == pytest.approx(plan.error * np.sqrt(2), rel=1e-6)
    assert single.seconds == plan.seconds / 2


def test_alone_is_the_bound_of_a_bare_spot(scene, plan):
    expected = field_bound(SWEEP, plan.parameters, noise=Noise(frames=8))
    assert plan.alone == pytest.approx(expected)
    assert (plan.alone < plan.error).all()


def test_crowding_costs_what_the_lattice_says(scene):
    for pitch, tolerance in ((440e-9, 0.1), (330e-9, 0.1)):
        dense = sims.gold_wire_nanoarray(rows=11, columns=11, pitch=pitch)
        plan = sims.forecast(dense, SWEEP[::2], exposure=0.1)
        # The spots and the pixels widen the image; the edge of the array has fewer neighbours.
        sigma = np.sqrt((440e-9) ** 2 / (8 * np.log(2)) + (100e-9) ** 2 / 12 + (100e-9) ** 2 / 12)
        endless = lattice_amplification(pitch, sigma * np.sqrt(8 * np.log(2)))
        middle = plan.amplification.reshape(11, 11)[4:7, 4:7]
        assert middle == pytest.approx(np.full((3, 3), endless), rel=tolerance)
        assert (plan.amplification >= 1).all()


def test_camera_noise_counts(scene, plan):
    loud = replace(scene, camera=sims.Camera(gain=4.0, full_well=200e3, read_noise=200.0), recipe=None)
    assert (sims.forecast(loud, SWEEP, exposure=0.1, averages=4, currents=PAIR).error > 1.5 * plan.error).all()
    # A read noise that is nothing to the shot noise is nothing.
    quiet = replace(scene, camera=sims.Camera(gain=4.0, full_well=200e3, read_noise=0.0), recipe=None)
    assert sims.forecast(quiet, SWEEP, exposure=0.1, averages=4, currents=PAIR).error == pytest.approx(
        plan.error, rel=0.01
    )


@pytest.mark.parametrize(
    ("camera", "more"),
    [
        # Electrons of the clock, doubled by the register; steps of the converter; a dead time of a tenth.
        (lambda **c: sims.camera_preset("emccd", hot_pixels=0.0, response_spread=0.0, **c), {"clock_induced": 200.0}),
        (lambda **c: sims.Camera(read_noise=0.0, full_well=1e9, **c), {"gain": 20.0}),
        (lambda **c: sims.PhotonCounter(**c), {"dead_time": 500e-9}),
    ],
)
def test_what_a_camera_does_besides_its_read_noise_counts(scene, camera, more):
    """The variance that a forecast expects of a pixel is that of the counts, as the light that they stand for."""
    from vbsense.sims.forecasts.unmixed import pixel_noise

    rate, seconds = np.array([[3e5]]), 1e-3
    for made in (camera(), camera(**more)):
        seen = replace(scene, camera=made, recipe=None)
        r = np.full((200_000, 1, 1), rate[0, 0])
        low, high = (made.expose(k * r, seconds, np.random.default_rng(1)) * made.gain for k in (0.9, 1.1))
        slope = (high.mean() - low.mean()) / (0.2 * 300)
        found = made.expose(r, seconds, np.random.default_rng(2)).var() * made.gain**2 / slope**2
        assert pixel_noise(seen, rate.ravel(), seconds)[0] == pytest.approx(found, rel=0.03)


def test_references_take_time_and_tell_nothing(scene, plan):
    both = sims.forecast(scene, SWEEP, exposure=0.1, averages=4, currents=PAIR, reference=True, target=1e-6)
    assert both.seconds == 2 * plan.seconds
    assert both.error == pytest.approx(plan.error)
    assert both.sweep_sensitivity == pytest.approx(plan.sweep_sensitivity * np.sqrt(2))


def test_sites_outside_the_picture_are_left_out(scene, plan):
    half = replace(scene, shape=(scene.shape[0], scene.shape[1] // 2), recipe=None)
    part = sims.forecast(half, SWEEP, exposure=0.1, averages=4, currents=PAIR)
    assert any("of 81 sites lie outside the picture" in note for note in part.notes)
    assert part.x.max() < half.shape[1] * half.pixel_size + half.psf_fwhm
    inner = part.x < half.shape[1] * half.pixel_size - 2 * half.psf_fwhm
    same = np.isin(plan.x, part.x[inner])
    assert part.error[inner] == pytest.approx(plan.error[same], rel=0.05)
    assert "nan" not in str(part)
    with pytest.warns(UserWarning, match="no spot"):
        away = replace(scene, array=replace(scene.array, center=(1e-3, 0.0)), recipe=None)
    with pytest.raises(ValueError, match="no spot lies in the picture"):
        sims.forecast(away, SWEEP, exposure=0.1)


def test_a_full_pixel_is_told(scene):
    notes = sims.forecast(scene, SWEEP, exposure=20.0).notes
    assert any("saturates" in note and "expose for less than" in note for note in notes)


def test_pixels_where_there_is_no_array():
    """Any scene of the protocol: here half of the pixels are dark, and there is no conductor."""

    class Plain:
        shape, pixel_size, recipe, attributes = (2, 3), 1e-7, None, {}
        camera = sims.Camera(read_noise=0.0, dark_current=0.0, full_well=1e9)
        brightness = np.array([[1e4, 1e4, 1e4], [1e4, 4e4, 1e4]])

        def rate(self, frequency, *, power, current, laser=1.0, temperature=None, shift=(0.0, 0.0)):
            lines = doublet(9e-3, fwhm=150e6, contrast=0.1, electrons=1.0)
            depth = 1.0 if frequency is None else get_model("gaussian").evaluate([frequency], lines)[0]
            return self.brightness * depth

        def expose(self, rate, seconds, rng):
            return self.camera.expose(rate, seconds, rng)

    plan = sims.forecast(Plain(), SWEEP, exposure=1.0, averages=3)
    lines = doublet(9e-3, fwhm=150e6, contrast=0.1, electrons=Plain.brightness.ravel())
    # The variance is that of the mean picture, scaled to the light at each frequency: here the same.
    assert plan.error == pytest.approx(field_bound(SWEEP, lines, noise=Noise(frames=3)), rel=1e-3)
    assert plan.amplification is None
    assert not plan.wire
    assert "no errors of a conductor" in str(plan)
    assert "6 pixels" in str(plan)


def test_lines_at_the_end_of_the_sweep_leave_sites_without_a_bound(scene):
    narrow = np.linspace(3.25e9, 3.70e9, 41)
    with pytest.raises(ValueError, match=r"no two dips .* from 3.25 to 3.7 GHz; widen the sweep"):
        sims.forecast(scene, narrow, exposure=0.1)


def test_a_part_of_the_sites_speaks_for_all(scene, plan, monkeypatch):
    """What is done for large arrays, done to a small one."""
    monkeypatch.setattr("vbsense.sims.forecasts.sites._MOST", 40)
    monkeypatch.setattr("vbsense.sims.forecasts.unmixed._ALL_SITES", 50)
    monkeypatch.setattr("vbsense.sims.forecasts.unmixed._PATCH", 7)
    part = sims.forecast(scene, SWEEP, exposure=0.1, averages=4, currents=PAIR)
    assert part.error.size == 40
    assert any("40 of 81 sites" in note for note in part.notes)
    assert np.median(part.error) == pytest.approx(np.median(plan.error), rel=0.05)
    for name, (_, error) in plan.wire.items():
        assert part.wire[name][1] == pytest.approx(error, rel=0.05), name


SCENE_FILE = """
[scene]
title = "three by five"
[conductor]
kind = "bar"
start = ["0 um", "-50 um"]
end = ["0 um", "50 um"]
width = "1 um"
thickness = "100 nm"
current = "1 mA"
[sensor]
kind = "array"
standoff = "35 nm"
pitch = "400 nm"
rows = 3
columns = 5
[microscope]
shape = [30, 40]
pixel_size = "100 nm"
fwhm = "440 nm"
[light]
spot_rate = "1.7 Mcps"
"""


def test_command_on_a_scene_file(tmp_path, capsys):
    file, out = tmp_path / "station.toml", tmp_path / "f.json"
    file.write_text(SCENE_FILE)
    planned = sims.load_scene(file).measurement
    assert main(["forecast", str(file), "--out", str(out)]) == 0
    text, data = capsys.readouterr().out, json.loads(out.read_text())
    assert "three by five, 15 sites" in text
    # Five columns in line with the wire, one of them on its middle: two sizes of field for three parameters.
    assert "left open" in text
    assert data["conductor"]["width"]["error"] is None
    assert data["frequency"] == pytest.approx(planned.frequency.tolist())
    polarities = 1 if planned.currents is None else 2
    assert data["seconds"] == pytest.approx(planned.exposure * planned.averages * planned.frequency.size * polarities)
    assert main(["forecast", str(file), "--out", str(out), "--force", "--exposure", "200ms", "--averages", "3"]) == 0
    assert json.loads(out.read_text())["seconds"] == pytest.approx(0.2 * 3 * planned.frequency.size * polarities)


@pytest.mark.parametrize("model", ["gaussian", "lorentzian", "hyperfine14"])
def test_the_table_speaks_of_everything(scene, model):
    text = str(sims.forecast(scene, SWEEP, exposure=0.1, currents=PAIR, model=model, target=1e-6))
    for word in (
        "error of Bz",
        "sensitivity",
        "slope",
        "optimum",
        "four points",
        "unmixing",
        "standoff",
        "time to 1.00 µT",
    ):
        assert word in text, word
    assert not re.search(r"\bnan\b", text)


def test_table_numbers_are_those_of_the_plan(plan):
    row = next(line for line in str(plan).splitlines() if "after this sweep" in line)
    median, best, worst = (float(v) for v in row.split()[3:6])
    assert (median, best, worst) == pytest.approx(
        (np.median(plan.error) * 1e6, plan.error.min() * 1e6, plan.error.max() * 1e6), rel=0.01
    )


def test_four_point_misreading_is_that_of_the_spectra(plan):
    """As the rigid lines of the median site move, read with the four points."""
    from vbsense.sims.forecasts.text import four_point_errors

    low, high = four_point_errors(plan, 200e-6)
    p, names = plan.parameters[plan.median_site], get_model("gaussian").parameters
    for error, field in ((low, plan.four.set_point - 200e-6), (high, plan.four.set_point + 200e-6)):
        moved = p.copy()
        half = np.hypot(vb.VB14N.E, vb.VB14N.gamma * field)
        middle = (p[1] + p[2]) / 2
        moved[1:3] = middle - half, middle + half
        assert names[1:3] == ("center_lower", "center_upper")
        light = get_model("gaussian").evaluate(plan.four.frequency, moved)
        assert plan.four.read(light) - field == pytest.approx(error, abs=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frequency": SWEEP[::20]}, "5 frequencies for the 7 parameters"),
        ({"exposure": 0.0}, "exposure is 0.0"),
        ({"exposure": "1s"}, "exposure is '1s'"),
        ({"averages": 1.5}, "whole number"),
        ({"averages": "4"}, "averages is '4'; it must be a whole number"),
        ({"power": 1e5}, "from -300 to 100"),
        ({"currents": (1e-3, 1e-3)}, r"\+I and -I"),
        ({"model": "gausian"}, "did you mean 'gaussian'"),
        ({"model": "gaussian1"}, "has not two lines"),
        ({"target": -1e-6}, "target field is -1e-06"),
        ({"target": 1.0}, "SI units are expected"),
        ({"target": {"standof": 1e-9}}, "did you mean 'standoff'"),
        ({"target": {"standoff": 5.0}}, "SI units are expected"),
        ({"target": "1uT"}, "target field is '1uT'"),
    ],
)
def test_refusals(scene, options, message):
    with pytest.raises(ValueError, match=message):
        sims.forecast(scene, **({"frequency": SWEEP, "exposure": 0.1} | options))


def test_command(tmp_path, capsys):
    out, plot = tmp_path / "f.json", tmp_path / "f.png"
    targets, span = ["--target", "1uT", "--target", "width=5nm"], ["--frequencies", "2.97GHz", "3.97GHz", "41"]
    command = ["forecast", "gold_wire_nanoarray", *targets, *span, "--exposure", "100ms", "--out", str(out)]
    command += ["--plot", str(plot)]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "time to 1.00 µT" in text
    assert "time to 5.00 nm" in text
    data = json.loads(out.read_text())
    assert len(data["error"]) == 225
    assert data["seconds"] == pytest.approx(0.1 * 4 * 41 * 2)
    assert set(data["times"]["field"]) == {"sweep", "optimum", "four points"}
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert main(command) == 2  # the files exist
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "1uW"], "no target"),
        (["--target", "1"], "no target"),
        (["--target", "width=5uT"], "must be in m"),
        (["--target", "-1uT"], "not positive"),
        (["--target", "depth=1nm"], "no target"),
        (["--exposure", "1"], "no unit"),
    ],
)
def test_command_refuses_at_once(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(["forecast", "gold_wire_nanoarray", *(["=".join(arguments)] if arguments[1][0] == "-" else arguments)])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gold_wire_nanoaray"], "gold_wire_nanoarray"),
        (["gold_wire_nanoarray", "--model", "lorenzian"], "did you mean 'lorentzian'"),
        (["gold_wire_nanoarray", "--plot", "f.bmp"], "does not end in .png"),
        (["gold_wire_nanoarray", "--frequencies", "2.97GHz", "3.97GHz", "5"], "5 frequencies for the 7 parameters"),
    ],
)
def test_command_says_what_is_wrong(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["forecast", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- many seeds -------------------------------------------------------------------------------------------------------


def scatter_of_fits(light, seeds, sites, model):
    """Standard deviation of Bz over `seeds` measurements of `sites` equal sites."""
    n, found = np.arange(sites), []
    for seed in range(seeds):
        counts = np.random.default_rng(seed).poisson(light[:, None], (light.size, sites)).astype(float)
        sweep = make_site_sweep(
            counts, np.linspace(2.97e9, 3.97e9, light.size), x=n * 1e-6, y=0.0 * n, row=0 * n, column=n,
            error=np.sqrt(counts),
        )  # fmt: skip
        fit = analysis.fit_sweep(sweep, model=model, precision="double")
        found.append(analysis.field_map(fit, bias=(0, 0, 1)).B.values[0])
    return np.std(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "fwhm", "field", "contrast", "electrons"),
    [
        ("gaussian", 150e6, 5e-3, 0.05, 1e6),
        ("gaussian", 150e6, 10e-3, 0.10, 1e5),
        ("lorentzian", 150e6, 10e-3, 0.05, 1e6),
        ("hyperfine14", 45e6, 5e-3, 0.05, 1e6),
    ],
)
def test_300_seeds_scatter_as_the_bound_says(model, fwhm, field, contrast, electrons):
    sweep = np.linspace(2.97e9, 3.97e9, 101)
    lines = doublet(field, fwhm=fwhm, contrast=contrast, electrons=electrons, model=model)
    got = scatter_of_fits(get_model(model).evaluate(sweep, lines), 300, 8, model)  # 2400 fits: 1.4 %
    assert got == pytest.approx(float(field_bound(sweep, lines, model=model)), rel=0.07)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gaussian", "hyperfine14"])
def test_300_seeds_of_the_exact_spectrum_scatter_as_the_bound_of_the_nearest_lines(model):
    """The truth has more physics than the fit: 81 levels, E, and lines of 45 MHz."""
    sweep = np.linspace(2.97e9, 3.97e9, 101)
    depth = vb.spectrum(sweep, [0, 0, 10e-3], linewidth=45e6, method="exact")
    light = 1e6 * (1 - 0.15 * depth)
    lines = nearest_parameters(sweep, light[None], model=model)[0]
    got = scatter_of_fits(light, 300, 8, model)
    assert got == pytest.approx(float(field_bound(sweep, lines, model=model)), rel=0.07)


@pytest.mark.slow
def test_300_measurements_with_the_camera_scatter_as_forecast():
    """Pictures with neighbours, background and read noise, unmixed and fitted."""
    scene, sweep = sims.gold_wire_nanoarray(rows=3, columns=3), np.linspace(2.97e9, 3.97e9, 41)
    plan = sims.forecast(scene, sweep, exposure=0.5)
    found = []
    for seed in range(300):
        fit = analysis.fit_sweep(analysis.unmix(sims.simulate_sweep(scene, sweep, exposure=0.5, rng=seed)))
        found.append(analysis.field_map(fit).B.values[0])
    scatter = np.std(found, axis=0)
    assert np.sqrt(np.mean((scatter / plan.error) ** 2)) == pytest.approx(1, abs=0.07)
    assert scatter == pytest.approx(plan.error, rel=0.2)  # of one site 4 %
