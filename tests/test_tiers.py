"""The fast spectra against the exact ones, and the histogram against the sum."""

import numpy as np
import pytest

import vbsense as vb
from vbsense.defect import VB14N_DFT
from vbsense.groundstate.broaden import broaden
from vbsense.groundstate.sectors import _multiplicities, plan_of
from vbsense.nucleus import nitrogens
from vbsense.spin import METHODS, choose_method

F = np.linspace(2.4e9, 4.6e9, 881)
MIXED = vb.VB14N.at(nuclei=nitrogens("14N", "15N", "14N"))
DEFECTS = {
    "14N": vb.VB14N,
    "15N": vb.VB15N,
    "14N DFT": VB14N_DFT,
    "14N E=0": vb.VB14N.at(E=0),
    "14N E=90": vb.VB14N.at(E=90e6, E_angle=0.3),
    "15N E=20": vb.VB15N.at(E=20e6),
    "mixed": MIXED,
    "weak": vb.VB14N.at(nuclei=[vb.Nucleus(1, 3e6, np.diag([0.3e6, 0.2e6, 0.4e6]))] * 3),
}
DRIVES = [(1, 0, 0), (0, 1, 0), (1, -1, 0), (1, 0, 1), (0, 1, 3), (1, 1j, 0), (0, 0, 1)]


def any_fields(n, largest, rng):
    u = rng.normal(size=(n, 3))
    return largest * rng.uniform(0, 1, (n, 1)) * u / np.linalg.norm(u, axis=1, keepdims=True)


def near_c(n, rng):
    """Where the sectors are used: up to 30 mT along c, up to 6 mT across."""
    angle, across = rng.uniform(0, 2 * np.pi, n), 6e-3 * rng.uniform(0, 1, n)
    return np.stack([across * np.cos(angle), across * np.sin(angle), rng.uniform(-30e-3, 30e-3, n)], -1)


def worst_of_auto(defect, linewidth, drive, n, rng):
    """Largest error of "auto" over the peak of the exact spectrum, and how many fields were not exact."""
    field = np.concatenate([near_c(n, rng), any_fields(n // 2, 30e-3, rng)])
    chosen = choose_method(field, defect, linewidth, drive=drive)
    field = field[chosen != "exact"]  # the others have no error
    if not len(field):
        return 0.0, 0
    auto = vb.spectrum(F, field, defect, linewidth=linewidth, drive=drive)
    exact = vb.spectrum(F, field, defect, linewidth=linewidth, drive=drive, method="exact")
    return (np.abs(auto - exact).max(1) / exact.max(1)).max(), len(field)


@pytest.mark.parametrize("name", DEFECTS)
def test_auto_is_within_one_percent(name):
    rng = np.random.default_rng(sum(map(ord, name)))
    for drive in DRIVES[:3]:
        for linewidth in (40e6, 90e6):
            error, used = worst_of_auto(DEFECTS[name], linewidth, drive, 40, rng)
            assert error < 0.01, (drive, linewidth)
            assert used > 0 or name == "mixed" or (name == "14N DFT" and linewidth < 41e6), (drive, linewidth)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("drive", DRIVES, ids=str)
def test_auto_is_within_one_percent_everywhere(name, drive):
    rng = np.random.default_rng([sum(map(ord, name)), *(int(abs(v)) for v in drive)])
    for linewidth in (40e6, 50e6, 70e6, 120e6, 200e6, 500e6, 1.5e9, 10e9):
        assert worst_of_auto(DEFECTS[name], linewidth, drive, 300, rng)[0] < 0.01, linewidth


def test_auto_says_what_it_takes():
    fields = [
        [0, 0, 10e-3],
        [0, 0, 0],
        [10e-3, 0, 0],
        [4e-3, 0, 10e-3],
        [4e-3, 0, 1e-3],
        [0, 0, 100e-3],
        [0, 0, -10e-3],
    ]
    expected = ["sectors", "sectors", "exact", "sectors", "exact", "exact", "sectors"]
    assert choose_method(fields, vb.VB14N, 60e6).tolist() == expected
    assert choose_method([0, 0, 10e-3], vb.VB14N, 60e6) == "sectors"
    assert choose_method([0, 0, 10e-3], vb.VB14N, 60e6, drive=(0, 0, 1)) == "exact"
    assert choose_method([0, 0, 10e-3], vb.VB14N, 10e6) == "exact"
    assert choose_method([0, 0, 10e-3], MIXED, 60e6) == "exact"
    assert "comb" not in choose_method(np.zeros((1, 3)), vb.VB14N, 5e9)
    assert choose_method([0, 0, 10e-3], vb.VB14N.at(nuclei=()), 1e6) == "electron"


def test_auto_is_made_of_what_it_says():
    field = np.array([[[0, 0, 10e-3], [10e-3, 0, 0]], [[1e-3, 0, 8e-3], [0, 9e-3, 2e-3]]])
    auto = vb.spectrum(F, field, linewidth=60e6)
    assert auto.shape == (2, 2, F.size)
    for name in ("sectors", "exact"):
        here = choose_method(field, vb.VB14N, 60e6) == name
        assert auto[here] == pytest.approx(vb.spectrum(F, field[here], linewidth=60e6, method=name), abs=1e-9)


# --- each tier ------------------------------------------------------------------------------------------------------


def test_the_sectors_are_those_of_angular_momentum():
    assert _multiplicities(1, 3) == [(3, 1), (2, 2), (1, 3), (0, 1)]
    assert _multiplicities(0.5, 3) == [(1.5, 1), (0.5, 2)]
    for spin, count in ((1, 3), (0.5, 3), (1.5, 4), (0.5, 2)):
        assert sum(n * (2 * J + 1) for J, n in _multiplicities(spin, count)) == (2 * spin + 1) ** count
    plan = plan_of(vb.VB14N)
    assert [(operators.n, share) for operators, share in plan.sectors] == [(21, 1), (15, 2), (9, 3), (3, 1)]
    assert plan_of(MIXED) is None
    assert plan_of(vb.VB14N.at(nuclei=())) is None


def test_sectors_are_exact_for_equal_axial_tensors():
    axial = vb.Nucleus(1, 3.077e6, np.diag([66e6, 66e6, 45.5e6]))
    defect = vb.VB14N.at(nuclei=[axial] * 3)
    field = any_fields(5, 50e-3, np.random.default_rng(1))
    for drive in DRIVES:
        sectors, exact = (
            vb.spectrum(F, field, defect, linewidth=20e6, method=m, drive=drive) for m in ("sectors", "exact")
        )
        assert np.abs(sectors - exact).max() < 1e-5


def test_the_shift_of_the_sectors_is_six_times_the_anisotropy_squared():
    shifted = plan_of(vb.VB14N).sectors[-1][0].electron  # J = 0: the electron alone
    assert shifted[0, 0].real - shifted[1, 1].real - vb.VB14N.D == pytest.approx(6 * 20.75e6**2 / 3.47e9, rel=1e-6)


@pytest.mark.parametrize(("method", "limit"), [("sectors", 0.0075), ("comb", 0.085)])
def test_tiers_along_c(method, limit):
    field = np.stack([np.zeros(26), np.zeros(26), np.linspace(5e-3, 30e-3, 26)], -1)
    for defect in (vb.VB14N, vb.VB15N):
        fast, exact = (vb.spectrum(F, field, defect, linewidth=40e6, method=m) for m in (method, "exact"))
        assert (np.abs(fast - exact).max(1) / exact.max(1)).max() < limit


def test_the_electron_tier_has_the_lines_of_the_electron():
    field = [1e-3, 2e-3, 9e-3]
    s = vb.spectrum(F, field, linewidth=5e6, method="electron")
    peaks = F[1:-1][(s[1:-1] > s[2:]) & (s[1:-1] > s[:-2]) & (s[1:-1] > 0.1)]
    assert peaks == pytest.approx(vb.transitions(field), abs=3e6)


def test_all_tiers_agree_without_hyperfine_coupling():
    defect = vb.VB14N.at(nuclei=[vb.Nucleus(1, 0.0, np.zeros((3, 3)))] * 3)
    exact = vb.spectrum(F, [1e-3, 2e-3, 9e-3], defect, linewidth=30e6, method="exact")
    for method in METHODS:
        fast = vb.spectrum(F, [1e-3, 2e-3, 9e-3], defect, linewidth=30e6, method=method)
        assert fast == pytest.approx(exact, abs=2e-5), method


@pytest.mark.parametrize("method", ["sectors", "comb", "exact"])
def test_reversing_the_field_changes_no_spectrum(method):
    field = any_fields(4, 15e-3, np.random.default_rng(5))
    here, there = (vb.spectrum(F, b, vb.VB15N, linewidth=40e6, method=method, drive=(1, 2, 0)) for b in (field, -field))
    assert here == pytest.approx(there, abs=1e-6)


def test_an_unknown_method_lists_the_known():
    with pytest.raises(ValueError, match="auto, exact, sectors, comb, electron"):
        vb.spectrum(F, [0, 0, 1e-2], linewidth=4e7, method="fast")


# --- broadening -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("linewidth", [2e6, 10e6, 45e6, 300e6, 3e9])
def test_the_histogram_equals_the_sum(linewidth):
    rng = np.random.default_rng(2)
    position = np.concatenate([rng.normal(3.4e9, 0.3e9, (6, 800)), rng.uniform(0, 9e9, (6, 200))], 1)
    strength = rng.exponential(1.0, position.shape) / 1000
    fast, exact = (broaden(F, position, strength, linewidth, direct=d) for d in (False, True))
    assert np.abs(fast - exact).max() < 1.5e-5
    assert np.abs(fast - exact).max() < 3e-4 * exact.max()


def test_one_line_anywhere_between_two_bins():
    position = 3.5e9 + np.linspace(0, 2.5e6, 301)[:, None] + np.zeros((1, 400))
    strength = np.full(position.shape, 1 / 400)
    fast, exact = (broaden(F, position, strength, 40e6, direct=d) for d in (False, True))
    assert np.abs(fast - exact).max() < 1e-5


def test_grids_that_are_not_regular_are_summed():
    uneven = F**2 / F[-1]
    position = np.random.default_rng(3).uniform(2e9, 5e9, (2, 900))
    strength = np.full(position.shape, 1e-3)
    for grid in (uneven, F[::-1].copy(), F[:1], np.full(200, 3.4e9)):
        got = broaden(grid, position, strength, 40e6)
        expected = (strength[:, None] / (1 + ((grid[:, None] - position[:, None]) / 20e6) ** 2)).sum(-1)
        assert got == pytest.approx(expected, abs=1e-8)


def test_arrays_that_may_not_be_written_to_are_welcome():
    grid = F.copy()
    grid.setflags(write=False)
    got = vb.spectrum(grid, [0, 0, 1e-2], linewidth=40e6, method="electron")
    assert got == pytest.approx(vb.spectrum(F, [0, 0, 1e-2], linewidth=40e6, method="electron"), abs=0)
    assert not grid.flags.writeable


def test_nothing_to_broaden():
    assert broaden(F, np.empty((0, 500)), np.empty((0, 500)), 40e6).shape == (0, F.size)
    assert vb.spectrum(F, np.empty((0, 3)), linewidth=40e6).shape == (0, F.size)
    assert vb.spectrum(np.empty(0), [0, 0, 1e-2], linewidth=40e6).shape == (0,)
