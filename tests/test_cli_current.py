"""The command `current`: what it writes, prints and refuses."""

import numpy as np
import pytest
from phantoms import CURRENT, phantom

import vbsense as vb
from vbsense import analysis, sims
from vbsense.analysis.current import current_density
from vbsense.cli import main
from vbsense.cli.masks import read_mask

STANDOFF = 200e-9


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A map of the field of the legs of a U."""
    path = tmp_path_factory.mktemp("current")
    vb.save(phantom("u").map(STANDOFF, seed=1).isel(x=slice(10, 94), y=slice(0, 40)), path / "field.h5")
    return path


def call(folder, *options, out="current.h5"):
    return main(["current", str(folder / "field.h5"), "--standoff", "200nm", "--out", str(folder / out), *options])


@pytest.mark.parametrize("method", ["hann", "wiener", "tikhonov"])
def test_the_file_holds_what_the_function_finds(folder, method, capsys):
    out, plot = f"{method}.h5", folder / f"{method}.png"
    assert call(folder, "--method", method, "--plot", str(plot), out=out) == 0
    expected = current_density(vb.load(folder / "field.h5"), standoff=STANDOFF, method=method)
    assert vb.load(folder / out).J.values == pytest.approx(expected.J.values)
    assert plot.read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert f"40 x 84 pixels; {plot}" in said
    for words in (f"method: {method}", "noise of the field: 2", "net current along y", "+-", "cannot see a uniform"):
        assert words in said
    assert len(said.splitlines()) < 20


def test_the_net_current_is_that_of_the_u(folder, capsys):
    assert call(folder, "--method", "wiener", "--force") == 0
    line = next(text for text in capsys.readouterr().out.splitlines() if "net current along y" in text)
    words = line.replace(";", "").split()
    net, error, largest = (float(words[k]) for k in (words.index("um:") + 1, words.index("+-") + 1, -2))
    assert abs(net) < 0.05 + 3 * error  # up one leg, down the other
    assert largest == pytest.approx(CURRENT * 1e3, rel=0.05)


def test_lengths_on_the_line_are_used(folder):
    assert call(folder, "--method=hann", "--regularisation=400nm", "--thickness=80nm", "--depth=60nm", out="a.h5") == 0
    found = vb.load(folder / "a.h5").attrs
    for name, value in (("cutoff", 400e-9), ("thickness", 80e-9), ("depth", 60e-9), ("standoff", STANDOFF)):
        assert found[f"user_{name}"] == pytest.approx(value)


def test_offsets_on_the_line_are_used(folder):
    for text, name in (("y=1mA,x=-0.5mA", "told"), ("none", "none"), ("median", "median")):
        assert call(folder, "--method=hann", f"--offset={text}", out=f"{name}.h5") == 0
    told, none, median = (vb.load(folder / f"{name}.h5") for name in ("told", "none", "median"))
    step = 100e-9
    assert float(told.J.sel(component="y").sum("x").mean()) * step == pytest.approx(1e-3)
    assert float(told.J.sel(component="x").sum("y").mean()) * step == pytest.approx(-0.5e-3)
    assert none.attrs["user_uniform_current"].tolist() == [0, 0]
    assert np.median(median.J.values[0]) == pytest.approx(0, abs=1e-6)


def test_masks_are_pictures_arrays_and_rectangles(folder, capsys):
    from matplotlib.image import imsave

    field = vb.load(folder / "field.h5")
    wanted = np.hypot(*phantom("u").J)[:40, 10:94] > 0
    imsave(folder / "mask.png", wanted[::-1], cmap="gray")  # as one sees it: the largest y on top
    np.save(folder / "mask.npy", wanted)
    assert np.array_equal(read_mask(str(folder / "mask.png"), field), wanted)
    assert np.array_equal(read_mask(str(folder / "mask.npy"), field), wanted)
    x, y = field.x.values, field.y.values
    box = read_mask("2um,1.5um,4um,3um", field)
    rows, columns = (y > 1.49e-6) & (y < 3.01e-6), (x > 1.99e-6) & (x < 4.01e-6)
    assert np.array_equal(box, rows[:, None] & columns)
    assert call(folder, "--method=hann", "--mask", str(folder / "mask.png"), out="masked.h5") == 0
    outside = vb.load(folder / "masked.h5").J.values[:, ~wanted]
    assert outside.mean(axis=1) == pytest.approx([0, 0], abs=1e-6)
    assert "pixels is zero" in capsys.readouterr().out


def test_a_mask_confines_the_current_of_tikhonov(folder):
    np.save(folder / "u.npy", np.hypot(*phantom("u").J)[:40, 10:94] > 0)
    assert call(folder, "--mask", str(folder / "u.npy"), out="confined.h5") == 0
    found = vb.load(folder / "confined.h5").J.values
    truth = phantom("u").J[:, :40, 10:94]
    assert np.linalg.norm(found - truth) < 0.09 * np.linalg.norm(truth)


def test_pixels_of_a_camera_and_sites_of_an_array(tmp_path, capsys):
    """From the sweep to the current with commands alone."""
    scene = sims.gold_wire_nanoarray(rows=6, columns=8)
    sweep = sims.simulate_sweep(
        scene, np.linspace(2.97e9, 3.97e9, 41), exposure=1.0, averages=10, rng=1, currents=(1e-3, -1e-3)
    )
    vb.save(analysis.fit_sweep(analysis.unmix(sweep), covariance=True), tmp_path / "fit.h5")
    assert main(["map", str(tmp_path / "fit.h5")]) == 0
    field = str(tmp_path / "field.h5")
    assert main(["current", field, "--standoff", "35nm", "--plot", str(tmp_path / "c.png")]) == 0
    said = capsys.readouterr().out
    assert "net current along y" in said
    sheet = vb.load(tmp_path / "current.h5")
    along = sheet.J.sel(component="y")
    inside = along.sel(x=scene.conductor.start[0], method="nearest").mean()
    assert float(inside) == pytest.approx(1e3, rel=0.35)  # 1 mA in 1 um, at sites 0.4 um apart
    assert main(["current", field, "--standoff", "35nm", "--method", "hann", "--force"]) == 2
    assert "sites" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--method=wiener", "--regularisation=300nm"], "finds its own"),
        (["--method=hann", "--regularisation=300"], "has no unit"),
        (["--method=hann", "--regularisation=gcv"], "not a number with a unit"),
        (["--method=tv", "--regularisation=300nm"], "morozov or gcv"),
        (["--method=hann", "--regularisation=-3nm"], "above zero"),
        (["--method=hann", "--offset=mask"], "Give --mask as well"),
        (["--method=hann", "--offset=average"], "none, median, mask"),
        (["--method=hann", "--offset=z=1mA"], "none, median, mask"),
        (["--method=hann", "--offset=y=1um"], "must be in A"),
        (["--mask=2um,1um,4um,3um", "--offset=median"], "leave it out"),
        (["--method=hann", "--mask=nothing.png"], "does not exist"),
        (["--method=hann", "--mask=2um,1um,1um,3um"], "lower left"),
        (["--method=hann", "--mask=2,1,4,3"], "has no unit"),
        (["--method=hann", "--mask=50um,50um,60um,60um"], "leaves no pixel"),
        (["--method=hann", "--mask=-9um,-9um,90um,90um"], "covers the whole map"),
        (["--method=hann", "--plot=current.txt"], "does not end in"),
        (["--method=hann", "--depth=900nm"], "at least"),
    ],
)
def test_refusals(folder, options, words, capsys):
    assert call(folder, *options, out="never.h5") == 2
    assert words in capsys.readouterr().err
    assert not (folder / "never.h5").exists()


def test_refusals_of_files(folder, capsys):
    (folder / "text.png").write_text("no picture")
    np.save(folder / "small.npy", np.ones((3, 3), bool))
    for name, words in (("text.png", "no picture that can be read"), ("small.npy", "3 x 3 pixels and the map 40 x 84")):
        assert call(folder, "--method=hann", "--mask", str(folder / name), out="never.h5") == 2
        assert words in capsys.readouterr().err
    assert call(folder, "--method=hann", out="once.h5") == 0
    assert call(folder, "--method=hann", out="once.h5") == 2
    assert "--force" in capsys.readouterr().err
    vb.save(vb.make_sweep(np.ones((3, 2, 2)), [3e9, 3.1e9, 3.2e9], pixel_size=1e-7), folder / "sweep.h5")
    assert main(["current", str(folder / "sweep.h5"), "--standoff", "1um", "--out", str(folder / "never.h5")]) == 2
    assert "map is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "--standoff"), (["--standoff=100"], "has no unit"), (["--standoff=1um", "--method=han"], "invalid choice")],
)
def test_the_line_itself(folder, options, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["current", str(folder / "field.h5"), *options])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
