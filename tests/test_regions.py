"""Parts of pictures, larger pixels, neighbours and references: places stay, and errors are the scatter."""

import numpy as np
import pytest

import vbsense as vb
from vbsense import analysis
from vbsense.data import LayoutError, make_map, make_site_sweep, make_sweep

F = np.linspace(3.07e9, 3.87e9, 41)
LINES = 1 - 0.1 * np.exp(-4 * np.log(2) * ((F[:, None] - [3.27e9, 3.67e9]) / 120e6) ** 2).sum(1)


def images(
    shape=(12, 16), level=2000.0, frames=5, seed=1, read_noise=0.0, pixel_size=1e-7, reference=False, **attributes
):
    """Shot and read noise on the same two lines in all pixels."""
    rng = np.random.default_rng(seed)

    def exposed(mean):
        total = rng.poisson(np.broadcast_to(mean * frames, (F.size, *shape)))
        return (total + read_noise * np.sqrt(frames) * rng.normal(size=total.shape)) / frames

    signal = exposed(level * LINES[:, None, None])
    dark = exposed(np.full((F.size, 1, 1), level)) if reference else None
    return make_sweep(
        signal, F, pixel_size=pixel_size, frames=frames, exposure=0.1, bias_field=(0, 0, 7e-3), reference=dark,
        read_noise=read_noise, **attributes,
    )  # fmt: skip


# --- regions ----------------------------------------------------------------------------------------------------------


def test_a_region_keeps_its_place_through_the_fit():
    part = analysis.select_region(images(), x=(0.3e-6, 0.7e-6), y=(0.2e-6, None))
    assert part.signal.shape == (F.size, 10, 5)
    field = analysis.field_map(analysis.fit_sweep(part))
    assert field.x.values == pytest.approx(np.arange(3, 8) * 1e-7)
    assert field.y.values[0] == pytest.approx(0.2e-6)
    assert analysis.select_region(images()).signal.shape == (F.size, 12, 16)


def test_a_region_of_sites_takes_both_sides_of_their_correlation():
    n = np.arange(6)
    sites = make_site_sweep(np.ones((3, 6)), [3e9, 3.1e9, 3.2e9], x=n * 1e-7, y=n * 0.0, row=n * 0, column=n)
    sites["site_correlation"] = (("site", "site2"), np.arange(36.0).reshape(6, 6), {"units": "1"})
    part = analysis.select_region(sites, x=(0.15e-6, 0.4e-6))
    assert part.column.values.tolist() == [2, 3, 4]
    assert (part.site_correlation.values == np.arange(36.0).reshape(6, 6)[2:5, 2:5]).all()


def test_a_mask_leaves_the_outside_unfitted():
    sweep = images()
    mask = analysis.mask_outside(sweep, x=(0.2e-6, None), circle=(0.5e-6, 0.5e-6, 0.31e-6))
    assert mask.dims == ("y", "x")
    y, x = np.meshgrid(np.arange(12), np.arange(16), indexing="ij")
    assert (mask.values == ~((x >= 2) & ((x - 5) ** 2 + (y - 5) ** 2 <= 9.61))).all()
    fit = analysis.fit_sweep(sweep, mask=mask.values)
    assert (np.isnan(fit.center_lower.values) == mask.values).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: analysis.select_region(s, x=(1, 2)), "holds no pixel"),
        (lambda s: analysis.select_region(s, x=(2e-7, 1e-7)), "ascending"),
        (lambda s: analysis.select_region(s, y=3e-7), "give \\(low, high\\)"),
        (lambda s: analysis.select_region(s.drop_vars("x"), x=(0, 1)), "coordinate 'x'"),
        (lambda s: analysis.mask_outside(s, circle=(0, 0)), "radius"),
        (lambda s: analysis.mask_outside(s, circle=(1, 1, 1e-7)), "nothing lies inside"),
        (lambda s: analysis.bin_pixels(s, 0), "whole number"),
        (lambda s: analysis.bin_pixels(s, 2.5), "whole number"),
        (lambda s: analysis.bin_pixels(s, 13), "no square"),
        (lambda s: analysis.smooth(s, 0.0), "positive length"),
        (lambda s: analysis.smooth(s, 1.0), "metres"),
        (lambda s: analysis.smooth(analysis.smooth(s, 2e-7), 2e-7), "smoothed already"),
        (lambda s: analysis.smooth(analysis.fit_sweep(s), 2e-7), "sweeps and maps"),
        (lambda s: analysis.normalise(s), "no 'reference'"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call(images((4, 5)))


# --- larger pixels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_noise", [0.0, 60.0])
def test_binned_pixels_have_true_weights(read_noise):
    sweep = images((60, 62), level=500.0, read_noise=read_noise)
    binned = analysis.bin_pixels(sweep, 3)
    assert binned.signal.shape == (F.size, 20, 20)
    assert binned.signal.values[0, 0, 0] == pytest.approx(sweep.signal.values[0, :3, :3].sum(), rel=1e-6)
    assert binned.x.values[:2] == pytest.approx([1e-7, 4e-7])
    assert (binned.attrs["pixel_size"], binned.attrs["frames"]) == (pytest.approx(3e-7), 5)
    fit = analysis.fit_sweep(binned)
    n = fit.flags.size
    # Chi-squared is 1 only if the weights are those of the summed light; errors are the scatter.
    assert float(fit.reduced_chi2.mean()) == pytest.approx(1, abs=4.5 * np.sqrt(2 / (F.size - 7) / n))
    field = analysis.field_map(fit)
    assert float(field.B_err.mean()) == pytest.approx(float(field.B.std()), rel=4.5 / np.sqrt(2 * n))


def test_errors_and_truth_are_binned_too():
    sweep = images((4, 4), reference=True)
    sweep["signal_err"] = sweep.signal * 0 + 2.0
    sweep.signal_err.attrs["units"] = "electron"
    sweep["truth_field"] = (("y", "x"), np.arange(16.0).reshape(4, 4), {"units": "T"})
    sweep["signal"][0, 0, 0] = np.nan
    binned = analysis.bin_pixels(sweep, 2)
    assert (binned.signal_err.values == 4.0).all()
    assert binned.truth_field.values.tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert binned.reference.values[0, 1, 1] == pytest.approx(sweep.reference.values[0, 2:, 2:].sum())
    assert np.isnan(binned.signal.values[0]).tolist() == [[True, False], [False, False]]
    n = np.arange(3)
    with pytest.raises(LayoutError, match="needs images"):
        analysis.bin_pixels(make_site_sweep(np.ones((1, 3)), [3e9], x=n, y=n, row=n, column=n), 2)


# --- neighbours -------------------------------------------------------------------------------------------------------


def test_smoothed_sweeps_have_true_errors():
    sweep = images((40, 40), level=500.0, read_noise=15.0)
    calm = analysis.smooth(sweep, 1.5e-7)
    miss = (calm.signal.values - 500 * LINES[:, None, None]) / calm.signal_err.values
    assert miss.std() == pytest.approx(1, abs=0.03)
    assert float(calm.signal_err.median() / np.sqrt(725 / 5)) == pytest.approx(1 / (2 * np.sqrt(np.pi) * 1.5), rel=0.03)
    fit = analysis.fit_sweep(calm, covariance=True)
    field = analysis.field_map(fit)
    assert float(field.B_err.mean()) == pytest.approx(float(field.B.std()), rel=0.1)  # neighbours are not independent


def test_the_correlation_of_neighbours_is_as_stated():
    rng = np.random.default_rng(4)
    noise = make_map(rng.normal(size=(900, 900)), pixel_size=1e-7, error=np.ones((900, 900)))
    calm = analysis.smooth(noise, 2e-7).B.values[0][20:-20, 20:-20]
    for r in (1, 2, 4):
        got = (calm[:, r:] * calm[:, :-r]).mean() / calm.var()
        assert got == pytest.approx(np.exp(-((r * 1e-7) ** 2) / (4 * (2e-7) ** 2)), abs=0.03)


def test_edges_and_gaps_of_smoothed_maps_have_true_errors():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(2000, 6, 7)) * 1e-6
    values[:, 2, 3] = np.nan
    calm = [analysis.smooth(make_map(v, pixel_size=1e-7, error=np.full((6, 7), 1e-6)), 1e-7) for v in values[:400]]
    spread = np.std([c.B.values[0] for c in calm], axis=0)
    error = calm[0].B_err.values[0]
    assert np.isnan(error[2, 3])
    assert np.nanmax(np.abs(spread / error - 1)) < 4.5 / np.sqrt(800)
    flat = analysis.smooth(make_map(np.full((6, 7), 3e-6), pixel_size=1e-7), 2e-7)
    assert flat.B.values == pytest.approx(3e-6, rel=1e-12)
    assert "B_err" not in flat
    assert flat.attrs["user_smoothing"] == 2e-7


# --- references -------------------------------------------------------------------------------------------------------


def test_drift_leaves_with_the_reference():
    sweep = images((8, 8), level=20000.0, reference=True)
    drift = 1 + 0.3 * np.linspace(0, 1, F.size)[:, None, None] ** 2
    for name in ("signal", "reference"):
        sweep[name] = (sweep[name] * drift).assign_attrs(units="electron")
    flat = analysis.fit_sweep(analysis.normalise(sweep))
    bent = analysis.fit_sweep(sweep)
    assert float(bent.reduced_chi2.median()) > 10
    assert float(flat.reduced_chi2.median()) == pytest.approx(1, abs=0.2)
    assert float(flat.center_lower.mean()) == pytest.approx(3.27e9, abs=0.3e6)


@pytest.mark.parametrize("excess", [1.0, 2.0])
def test_the_errors_of_quotients_are_true(excess):
    sweep = images((30, 30), level=500.0, read_noise=10.0, reference=True, excess_noise=excess)
    if excess > 1:
        rng = np.random.default_rng(6)
        for name in ("signal", "reference"):  # as much light noise again
            sweep[name] = (sweep[name] + np.sqrt(sweep[name] / 5) * rng.normal(size=sweep[name].shape)).assign_attrs(
                units="electron"
            )
    quotient = analysis.normalise(sweep)
    level = sweep.reference.mean("frequency").values  # one factor of all points
    true = level * LINES[:, None, None]
    pull = (quotient.signal.values - true) / quotient.signal_err.values
    assert pull.std() == pytest.approx(1, abs=0.02)
    assert "reference" not in quotient


def test_points_without_frames_stay_without_weight():
    sweep = images((3, 3), level=20000.0, reference=True)
    counts = np.full(F.size, 5)
    counts[7] = 0
    sweep["frames"] = ("frequency", counts, {"units": "1"})
    sweep["signal"][7] = np.nan
    sweep["reference"][7] = np.nan
    fit = analysis.fit_sweep(analysis.normalise(sweep))
    assert (fit.flags.values == 0).all()
    bare = images((3, 3), reference=True)
    del bare.attrs["frames"]
    with pytest.raises(LayoutError, match="'frames' nor 'signal_err'"):
        analysis.normalise(bare)


def test_the_same_chain_behind_a_dot():
    sweep = images((8, 8), reference=True)
    got = sweep.vb.normalise().vb.bin_pixels(2).vb.fit("gaussian").vb.field_map()
    expected = analysis.field_map(analysis.fit_sweep(analysis.bin_pixels(analysis.normalise(sweep), 2)))
    assert got.identical(expected)
    assert vb.data.check(got).B.shape == (1, 4, 4)


@pytest.mark.parametrize("change", ["bin", "smooth", "normalise"])
def test_saturated_pixels_stay_flagged(change):
    from vbsense.flags import FLAGS

    camera = {"saturation": 3000, "camera_gain": 1.0, "camera_offset": 100.0}
    sweep = images((4, 6), reference=True, **camera)
    sweep["signal"][5, 1, 3] = 2950.0
    steps = {
        "bin": lambda s: s.vb.bin_pixels(2),
        "smooth": lambda s: s.vb.smooth(1e-7),
        "normalise": lambda s: s.vb.normalise(),
    }
    flags = analysis.fit_sweep(steps[change](sweep)).flags.values & FLAGS["saturated"].bit > 0
    where = (0, 1) if change == "bin" else (1, 3)
    assert flags[where]
    assert flags.sum() == 1


def test_a_complex_drive_of_six_numbers_is_read():
    from vbsense.analysis.fitted import drive_of

    fit = analysis.fit_sweep(images((2, 2))).assign_attrs(drive=np.array([1.0, 0, 0, 0, 1.0, 0]))
    assert drive_of(fit).tolist() == [1, 1j, 0]
    assert analysis.temperature_map(fit, bias=(0, 0, 7e-3)).D.dims == ("y", "x")
