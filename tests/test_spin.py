"""The spin: tables of other programs, QuTiP from the bare formula, laws of the Hamiltonian, round trips."""

from pathlib import Path

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import vbsense as vb
from vbsense.defect import BOHR_MAGNETON
from vbsense.hamiltonian import hamiltonian
from vbsense.spin import lines

TABLE = np.loadtxt(Path(__file__).parent / "data" / "08_electron_lines.csv", delimiter=",")
OF_TABLE = vb.Defect("table", D=3480e6, E=50e6, g=28.0249514e9 / BOHR_MAGNETON)
DEFECTS = (vb.VB14N, vb.VB15N)
BARE14 = vb.VB14N.at(E=0)


def random_fields(n, largest, seed=7):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(n, 3))
    return largest * rng.uniform(0.05, 1, (n, 1)) * u / np.linalg.norm(u, axis=1, keepdims=True)


# --- an independent Hamiltonian, in MHz and mT, from the formula and its principal values --------------------------


def qutip_hamiltonian(B_mT, isotope):
    """D, E, Zeeman, three nitrogens at 0/120/240 degrees; the quadrupole as Cq/4 [3 Iz^2 - 2 + eta (Ix^2 - Iy^2)]."""
    spin, scale, gamma_n = (1, 1.0, 3.077e-3) if isotope == 14 else (0.5, -1.4027, -4.316e-3)
    dim = int(2 * spin + 1)

    def at(operator, place):
        parts = [qutip.qeye(3)] + [qutip.qeye(dim)] * 3
        parts[place] = operator
        return qutip.tensor(parts)

    S = [at(s, 0) for s in qutip.jmat(1)]
    gamma_e = 2.000 * BOHR_MAGNETON * 1e-9
    H = 3470 * (S[2] * S[2] - 2 / 3 * at(qutip.qeye(3), 0)) + 59 * (S[0] * S[0] - S[1] * S[1])
    H += sum(gamma_e * b * s for b, s in zip(B_mT, S, strict=True))
    for k in range(3):
        I = [at(i, k + 1) for i in qutip.jmat(spin)]
        turn = Rotation.from_euler("z", 120 * k, degrees=True)
        bond, tangential, c = turn.apply(np.eye(3))
        for axis, principal in ((bond, 87.0), (tangential, 45.5), (c, 45.5)):
            along_S = sum(a * s for a, s in zip(axis, S, strict=True))
            along_I = sum(a * i for a, i in zip(axis, I, strict=True))
            H += scale * principal * along_S * along_I
        if isotope == 14:
            Iz, Ix, Iy = (sum(a * i for a, i in zip(axis, I, strict=True)) for axis in (bond, tangential, c))
            H += 1.96 / 4 * (3 * Iz * Iz - 2 * at(qutip.qeye(3), 0) - 0.070 * (Ix * Ix - Iy * Iy))
        H -= sum(gamma_n * b * i for b, i in zip(B_mT, I, strict=True))
    return H, S


@pytest.mark.parametrize(("defect", "isotope", "n"), [(vb.VB14N, 14, 81), (vb.VB15N, 15, 24)])
def test_levels_agree_with_qutip_at_any_direction(defect, isotope, n):
    for field in random_fields(4, 0.15):
        got = vb.levels(field, defect) / 1e6
        expected = np.sort(qutip_hamiltonian(field * 1e3, isotope)[0].eigenenergies())
        assert got.shape == (n,)
        assert np.abs(got - expected).max() < 1e-6


@pytest.mark.parametrize("drive", [(1, 0, 0), (0.3, -1, 0.5), (1, 1j, 0)])
@pytest.mark.parametrize(("defect", "isotope"), [(vb.VB14N, 14), (vb.VB15N, 15)])
def test_spectrum_is_the_sum_over_qutip_eigenvectors(defect, isotope, drive):
    field, fwhm = np.array([2e-3, -1e-3, 7e-3]), 40.0
    H, S = qutip_hamiltonian(field * 1e3, isotope)
    energy, states = H.eigenstates()
    V = np.column_stack([state.full().ravel() for state in states])
    unit = np.array(drive) / np.linalg.norm(drive)
    element = V.conj().T @ sum(u * s for u, s in zip(unit, S, strict=True)).full() @ V
    zero = np.diag(V.conj().T @ (np.eye(len(energy)) - (S[2] * S[2]).full()) @ V).real
    f = np.linspace(2900.0, 4000.0, 221)
    expected = np.zeros_like(f)
    for i in range(len(energy)):
        for k in range(i):
            strength = (abs(element[i, k]) ** 2 + abs(element[k, i]) ** 2) / 2 * abs(zero[i] - zero[k])
            expected += strength / (1 + (2 * (f - energy[i] + energy[k]) / fwhm) ** 2)
    expected *= 6 / len(energy)  # a bare line driven across c has |<1|Sx|0>|^2 = 1/2 and stands for 1
    got = vb.spectrum(f * 1e6, field, defect, linewidth=fwhm * 1e6, drive=drive)
    assert np.abs(got - expected).max() < 1e-3 * expected.max()


# --- tables -----------------------------------------------------------------------------------------------------------


def test_every_row_of_the_table_of_two_other_programs():
    fields, expected = TABLE[:, :3] * 1e-3, TABLE[:, 3:]
    assert len(TABLE) == 200
    got = vb.levels(fields, OF_TABLE) / 1e6
    for i, k in ((0, 1), (0, 2), (1, 2)):
        assert np.abs((got[:, k] - got[:, i]) - (expected[:, k] - expected[:, i])).max() < 1e-6


def test_transitions_of_the_table_start_at_the_lowest_level():
    energy = TABLE[:, 3:]
    got = vb.transitions(TABLE[:, :3] * 1e-3, OF_TABLE) / 1e6
    assert np.abs(got - (energy[:, 1:] - energy[:, :1])).max() < 1e-6


def test_beyond_the_anticrossing_the_lines_still_start_at_ms_zero():
    # Along c the levels of m_s = 0 and of the other two do not mix: D +- sqrt(E^2 + b^2), whatever their order.
    for B in (120e-3, 127e-3, 300e-3):
        root = np.hypot(OF_TABLE.E, OF_TABLE.gamma * B)
        expected = np.sort([abs(OF_TABLE.D - root), OF_TABLE.D + root])
        assert vb.transitions([0, 0, B], OF_TABLE) == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize(
    ("field_mT", "lower", "upper"),
    [
        ((0, 0, 0), 3420.000, 3520.000),
        ((0, 0, 1), 3412.697, 3527.303),
        ((0, 0, 5), 3321.375, 3618.625),
        ((0, 0, 10), 3185.645, 3754.355),
        ((0, 0, 50), 2069.483, 4870.517),
        *(
            ((10 * np.sin(np.deg2rad(a)), 0, 10 * np.cos(np.deg2rad(a))), lo, up)
            for a, lo, up in (
                (30, 3230.465, 3726.286),
                (45, 3281.418, 3691.976),
                (60, 3343.651, 3646.280),
                (90, 3442.122, 3564.244),
            )
        ),
    ],
)
def test_electron_lines_for_E_of_50_MHz(field_mT, lower, upper):
    got = vb.transitions(np.array(field_mT) * 1e-3, vb.VB14N.at(E=50e6)) / 1e6
    assert got == pytest.approx([lower, upper], abs=6e-4)


def centroids(Bz, defect):
    """Weighted mean frequency of the lower and the upper branch; not of the forbidden lines from -1 to +1."""
    f, s = lines([0, 0, Bz], defect)
    for side in (-1, 1):
        branch = (side * (f - defect.D) > 0) & (np.abs(f - defect.D - side * defect.gamma * Bz) < 0.5e9)
        yield np.average(f[branch], weights=s[branch])


def second_order_bias(Bz, defect, E):
    """(c+ - c-)/(2 gamma) - Bz, with E taken off in quadrature."""
    lower, upper = centroids(Bz, defect)
    return np.sqrt(((upper - lower) / 2) ** 2 - E**2) / defect.gamma - Bz


@pytest.mark.parametrize(
    ("E", "table"),
    [
        (0.0, {10: -7.1, 20: -15.8, 30: -25.0, 40: -35.1, 60: -61.6, 80: -107.0, 100: -216.1}),
        (59e6, {2: 1167, 5: 314, 10: 30.3, 20: -11.8, 30: -23.9, 40: -34.8, 60: -61.7}),
    ],
)
def test_second_order_hyperfine_moves_the_centroids(E, table):
    for B_mT, bias_uT in table.items():
        got = second_order_bias(B_mT * 1e-3, vb.VB14N.at(E=E), E) * 1e6
        assert got == pytest.approx(bias_uT, abs=0.15, rel=3e-3), f"{B_mT} mT"


def test_second_order_hyperfine_lifts_the_centroid_of_both_branches():
    for B_mT, shift_MHz in ((10, 8.4), (30, 8.9), (60, 10.9)):
        mean = sum(centroids(B_mT * 1e-3, BARE14)) / 2
        assert (mean - BARE14.D) / 1e6 == pytest.approx(shift_MHz, abs=0.1)


# --- laws -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_the_hamiltonian_is_hermitian_and_traceless(defect):
    H = hamiltonian(random_fields(3, 0.1), defect)
    assert np.abs(H - H.conj().swapaxes(-1, -2)).max() < 1e-6
    assert np.abs(np.trace(H, axis1=-2, axis2=-1)).max() < 1e-3


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_reversing_the_field_changes_no_level(defect):
    field = random_fields(3, 0.1)
    assert np.abs(vb.levels(field, defect) - vb.levels(-field, defect)).max() < 1.0


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda d: d.name)
def test_without_E_the_defect_has_a_threefold_axis(defect):
    defect = defect.at(E=0)
    turn = Rotation.from_euler("z", 120, degrees=True)
    field, drive = np.array([4e-3, 1e-3, 9e-3]), np.array([1.0, 0.2, 0.1])
    assert np.abs(vb.levels(field, defect) - vb.levels(turn.apply(field), defect)).max() < 1.0
    f = np.linspace(3.0e9, 4.0e9, 101)
    here = vb.spectrum(f, field, defect, linewidth=40e6, drive=drive)
    there = vb.spectrum(f, turn.apply(field), defect, linewidth=40e6, drive=turn.apply(drive))
    assert np.abs(here - there).max() < 1e-6 * here.max()
    # Half a turn is one as well, a quarter is not: it exchanges bonds and gaps.
    half, quarter = (Rotation.from_euler("z", a, degrees=True).apply(field) for a in (180, 90))
    assert np.abs(vb.levels(field, defect) - vb.levels(half, defect)).max() < 1.0
    assert np.abs(vb.levels(field, defect) - vb.levels(quarter, defect)).max() > 1e3


def test_strengths_obey_the_f_sum_rule():
    # sum_{i<f} |V_fi|^2 (p_i - p_f) (E_f - E_i) = Tr(rho [V, [H, V]]) / 2 with rho = sum_i p_i |i><i|
    defect, field = vb.VB15N, np.array([2e-3, 1e-3, 8e-3])
    H = hamiltonian(field, defect)
    vectors = np.linalg.eigh(H)[1]
    V = np.kron(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / np.sqrt(2), np.eye(8))
    P = np.kron(np.diag([0, 1, 0]), np.eye(8))
    p = np.diag(vectors.conj().T @ P @ vectors).real
    rho = (vectors * p) @ vectors.conj().T
    inner = H @ V - V @ H
    expected = np.trace(rho @ (V @ inner - inner @ V)).real / 2
    f, s = lines(field, defect)
    assert np.sum(f * s) / 6 * 24 == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("drive", [(1, 0, 0), (0, 1, 0), (1, 1j, 0), (1, -1j, 0)])
@pytest.mark.parametrize("defect", [d.at(E=0) for d in DEFECTS], ids=lambda d: d.name)
def test_each_branch_adds_up_to_one(defect, drive):
    f, s = lines([0, 0, 12e-3], defect, drive=drive)
    assert s[f > defect.D].sum() == pytest.approx(1, abs=0.03)
    assert s[(f < defect.D) & (f > 2e9)].sum() == pytest.approx(1, abs=0.03)


def test_a_drive_along_an_E_axis_excites_one_line_at_zero_field():
    electron = vb.Defect("electron", D=3.47e9, E=59e6, g=2.0)
    for drive, bright in (((1, 0, 0), 3.529e9), ((0, 1, 0), 3.411e9)):
        f, s = lines([0, 0, 0], electron, drive=drive)
        assert f[s > 1e-9] == pytest.approx([bright], rel=1e-9)
        assert s.max() == pytest.approx(2)
    assert lines([0, 0, 0], electron, drive=(0, 0, 1))[1].max() < 1e-12


def test_nuclei_that_do_not_couple_leave_the_two_bare_lines():
    still = vb.VB14N.at(nuclei=[vb.Nucleus(1, 3.077e6, np.zeros((3, 3))) for _ in range(3)])
    bare = vb.Defect("bare", D=still.D, E=still.E, g=still.g)
    field, f = [1e-3, 2e-3, 9e-3], np.linspace(3.0e9, 4.0e9, 201)
    expected = vb.spectrum(f, field, bare, linewidth=20e6)
    assert vb.spectrum(f, field, still, linewidth=20e6) == pytest.approx(expected, abs=1e-6)
    electron = np.sort(vb.levels(field, bare))
    assert np.abs(vb.levels(field, still).reshape(3, 27).mean(1) - electron).max() < 1e3


def test_small_E_is_a_small_change():
    field = [[1e-3, -2e-3, 8e-3]]
    assert np.abs(vb.levels(field, vb.VB14N.at(E=1e3)) - vb.levels(field, BARE14)).max() < 1e3


def groups(defect, field, gap):
    """Frequencies and strengths of the groups of lines of the upper branch."""
    f, s = lines([0, 0, field], defect)
    keep = (f > defect.D) & (s > 1e-4 * s.max())
    order = np.argsort(f[keep])
    f, s = f[keep][order], s[keep][order]
    parts = np.split(np.arange(f.size), np.flatnonzero(np.diff(f) > gap) + 1)
    return np.array([np.average(f[k], weights=s[k]) for k in parts]), np.array([s[k].sum() for k in parts])


def test_three_14N_give_seven_groups():
    position, strength = groups(BARE14, 20e-3, 15e6)
    assert strength / strength.sum() * 27 == pytest.approx([1, 3, 6, 7, 6, 3, 1], rel=0.06)
    assert np.diff(position).mean() / 1e6 == pytest.approx(45.0, abs=0.5)
    assert (np.diff(position) > 42e6).all()
    assert (np.diff(position) < 48e6).all()


def test_three_15N_give_four_groups():
    position, strength = groups(vb.VB15N.at(E=0), 20e-3, 20e6)
    assert strength / strength.sum() * 8 == pytest.approx([1, 3, 3, 1], rel=0.06)
    assert np.diff(position).mean() / 1e6 == pytest.approx(64, abs=2)


def test_nuclei_are_unpolarised_and_the_comb_has_its_width():
    f, s = lines([0, 0, 20e-3], BARE14)
    upper = f > BARE14.D
    mean = np.average(f[upper], weights=s[upper])
    assert np.sqrt(np.average((f[upper] - mean) ** 2, weights=s[upper])) / 1e6 == pytest.approx(64, abs=2)


def test_shapes_follow_the_field_and_blocks_do_not_matter():
    field = random_fields(130, 20e-3)
    all_at_once = vb.levels(field.reshape(10, 13, 3), vb.VB15N)
    assert all_at_once.shape == (10, 13, 24)
    one_by_one = np.array([vb.levels(b, vb.VB15N) for b in field])
    assert all_at_once.reshape(-1, 24) == pytest.approx(one_by_one, abs=1e-3)
    f = np.linspace(3e9, 4e9, 42)
    assert vb.spectrum(f[::2], field[:2], vb.VB15N, linewidth=5e7) == pytest.approx(
        vb.spectrum(f, field[:2], vb.VB15N, linewidth=5e7)[:, ::2]
    )


def test_temperature_moves_D_and_nothing_else():
    hot = vb.VB14N.at(temperature=vb.VB14N.temperature + 10)
    assert (hot.D - vb.VB14N.D) / 1e6 == pytest.approx(-6.2)
    moved = vb.transitions([0, 0, 10e-3], hot) - vb.transitions([0, 0, 10e-3])
    assert moved / 1e6 == pytest.approx([-6.2, -6.2])


# --- lines back to the field --------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    B=st.floats(1e-5, 100e-3),
    polar=st.floats(0, np.pi),
    azimuth=st.floats(-np.pi, np.pi),
    E=st.sampled_from([0.0, 59e6, -40e6, 200e6]),
)
def test_field_from_lines_is_the_inverse_of_transitions(B, polar, azimuth, E):
    defect = vb.VB14N.at(E=E)
    field = B * np.array([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)])
    f = vb.transitions(field, defect)
    size, along = vb.field_from_lines(f[0], f[1], defect, azimuth=azimuth)
    # Rounding of D^2 leaves some 100 Hz^2 in the squares: a few nT for a component near zero.
    assert size == pytest.approx(B, rel=1e-9, abs=5e-9)
    assert along == pytest.approx(abs(field[2]), rel=1e-6, abs=1e-8 + 4e-5 * (B + abs(E) / defect.gamma) * (E != 0))
    size, middle = vb.field_from_lines(f[0], f[1], defect)
    ends = [vb.field_from_lines(f[0], f[1], defect, azimuth=a)[1] for a in (0, np.pi / 2)]
    low, high = np.sort(np.nan_to_num(ends, nan=0.0))  # an azimuth that cannot be gives NaN: the range ends at 0
    assert size == pytest.approx(B, rel=1e-9, abs=5e-9)
    assert middle == pytest.approx((low + high) / 2, rel=1e-6, abs=1e-8 + 4e-5 * (B + abs(E) / defect.gamma))
    assert low - 1e-6 <= abs(field[2]) <= high + 1e-6


def test_unknown_azimuth_costs_what_it_should():
    f = vb.transitions([5e-3 / np.sqrt(2), 5e-3 / np.sqrt(2), 5e-3])
    ends = [float(vb.field_from_lines(*f, azimuth=a)[1]) for a in (0, np.pi / 2)]
    assert abs(np.diff(ends)[0]) / 2 * 1e6 == pytest.approx(42, abs=1.5)


def test_a_field_in_the_plane_has_no_part_along_c():
    for azimuth in (0.0, 0.7, np.pi / 4, np.pi / 2):
        f = vb.transitions([5e-3 * np.cos(azimuth), 5e-3 * np.sin(azimuth), 0])
        B, Bz = vb.field_from_lines(*f, azimuth=azimuth)
        assert B == pytest.approx(5e-3)
        assert Bz == pytest.approx(0, abs=2e-6)
        assert np.isfinite(vb.field_from_lines(*f)[1])


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (3.0e9, 3.9e9),  # the sum below 2 D: a field only raises it
        (3.46e9, 3.48e9),  # closer than 2 E
        (3.0e9, 3.2e9),
        (np.nan, 3.6e9),
    ],
)
@pytest.mark.parametrize("azimuth", [None, 0.3])
def test_lines_that_no_field_gives_are_nan(lower, upper, azimuth):
    B, Bz = vb.field_from_lines(lower, upper, azimuth=azimuth)
    assert np.isnan(B)
    assert np.isnan(Bz)


def test_field_from_lines_goes_element_by_element():
    f = vb.transitions(random_fields(6, 30e-3).reshape(2, 3, 3))
    B, Bz = vb.field_from_lines(f[..., 0], f[..., 1])
    assert B.shape == Bz.shape == (2, 3)
    f[0, 0, 0] = np.nan
    again = vb.field_from_lines(f[..., 0], f[..., 1])[0]
    assert np.isnan(again[0, 0])
    assert (again.ravel()[1:] == B.ravel()[1:]).all()


# --- refusals -------------------------------------------------------------------------------------------------------

F = np.linspace(3e9, 4e9, 5)
BZ = [0, 0, 10e-3]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: vb.transitions([0, 0, np.nan]), "NaN"),
        (lambda: vb.transitions([0, 0, 1j]), "complex"),
        (lambda: vb.transitions([0, 10e-3]), "last dimension"),
        (lambda: vb.transitions(10e-3), "last dimension"),
        (lambda: vb.levels([0, 0, 100.0]), "tesla"),
        (lambda: vb.spectrum(F, BZ, linewidth=-1e6), "linewidth"),
        (lambda: vb.spectrum(F, BZ, linewidth=np.nan), "linewidth"),
        (lambda: vb.spectrum(F / 1e9, BZ, linewidth=1e6), "Hz"),
        (lambda: vb.spectrum(F + 1j, BZ, linewidth=1e6), "complex"),
        (lambda: vb.spectrum([np.nan, 3e9], BZ, linewidth=1e6), "finite"),
        (lambda: vb.spectrum(F, BZ, linewidth=1e6, method="quick"), "auto, exact"),
        (lambda: vb.spectrum(F, BZ, linewidth=1e6, drive=(0, 0, 0)), "drive"),
        (lambda: vb.spectrum(F, BZ, linewidth=1e6, drive=(1, 0)), "drive"),
        (lambda: vb.field_from_lines(3.0, 3.9), "Hz"),
        (lambda: vb.field_from_lines(3e9 + 1j, 3.9e9), "complex"),
        (lambda: vb.Defect("x", D=3.47, E=0, g=2.0), "GHz"),
        (lambda: vb.VB14N.at(E=59), "MHz"),
        (lambda: vb.Defect("x", D=50e6, E=3.47e9, g=2.0), "exchange"),
        (lambda: vb.Defect("x", D=3.47e9, E=0, g=28.0), "g factor"),
        (lambda: vb.Defect("x", D=3.47e9 + 1j, E=0, g=2.0), "finite number"),
        (lambda: vb.Defect("x", D="3.47e9", E=0, g=2.0), "finite number"),
        (lambda: vb.Defect("x", D=3.47e9, E=0, g=2.0, nuclei=[1]), "Nucleus"),
        (lambda: vb.VB14N.at(temperature=10), "60 K"),
        (lambda: vb.VB14N.at(temperature=np.nan), "60 K"),
        (lambda: vb.Nucleus(1, 1e6, [[1e6, 1e6, 0], [0, 1e6, 0], [0, 0, 1e6]]), "symmetric"),
        (lambda: vb.Nucleus(1, 1e6, np.eye(3) * 1j), "complex"),
        (lambda: vb.Nucleus(1, 1e6, np.eye(2)), "3 x 3"),
        (lambda: vb.Nucleus(0.7, 1e6, np.eye(3)), "multiple of 1/2"),
        (lambda: vb.Nucleus(1, np.nan, np.eye(3)), "gamma"),
        (lambda: vb.Nucleus(0.5, 1e6, np.eye(3), Q=np.eye(3)), "quadrupole"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()
