"""The spin: tables of other programs, QuTiP from the bare formula, laws of the Hamiltonian, round trips."""

from pathlib import Path

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import vbsense as vb
from vbsense.defect import BOHR_MAGNETON, VB14N_DFT, VB15N_DFT
from vbsense.hamiltonian import hamiltonian
from vbsense.nucleus import GRACHEVA_2023, ISOTOPES, nitrogens
from vbsense.spin import (
    branch_centroids,
    eigenstates,
    field_range_from_lines,
    level_slopes,
    line_slopes,
    lines,
    nuclear_populations,
    transition_slopes,
)

TABLE = np.loadtxt(Path(__file__).parent / "data" / "08_electron_lines.csv", delimiter=",")
OF_TABLE = vb.Defect("table", D=3480e6, E=50e6, g=28.0249514e9 / BOHR_MAGNETON)
DEFECTS = (vb.VB14N, vb.VB15N)
BARE14 = vb.VB14N.at(E=0)


def random_fields(n, largest, seed=7):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(n, 3))
    return largest * rng.uniform(0.05, 1, (n, 1)) * u / np.linalg.norm(u, axis=1, keepdims=True)


# --- an independent Hamiltonian, in MHz and mT, from the formula and its principal values --------------------------


GRACHEVA, IVADY = (87.0, 45.5, 45.5), (90.0, 46.9, 48.2)  # MHz along the bond, tangential, along c


def qutip_hamiltonian(B_mT, isotopes, A=GRACHEVA):
    """D, E, Zeeman, three nitrogens at 0/120/240 degrees; the quadrupole as Cq/4 [3 Iz^2 - 2 + eta (Ix^2 - Iy^2)]."""
    kinds = [(1, 1.0, 3.077e-3) if isotope == 14 else (0.5, -1.4027, -4.316e-3) for isotope in isotopes]

    def at(operator, place):
        parts = [qutip.qeye(3)] + [qutip.qeye(int(2 * spin + 1)) for spin, _, _ in kinds]
        parts[place] = operator
        return qutip.tensor(parts)

    S = [at(s, 0) for s in qutip.jmat(1)]
    gamma_e = 2.000 * BOHR_MAGNETON * 1e-9
    H = 3470 * (S[2] * S[2] - 2 / 3 * at(qutip.qeye(3), 0)) + 59 * (S[0] * S[0] - S[1] * S[1])
    H += sum(gamma_e * b * s for b, s in zip(B_mT, S, strict=True))
    for k, (spin, scale, gamma_n) in enumerate(kinds):
        I = [at(i, k + 1) for i in qutip.jmat(spin)]
        turn = Rotation.from_euler("z", 120 * k, degrees=True)
        bond, tangential, c = turn.apply(np.eye(3))
        for axis, principal in zip((bond, tangential, c), A, strict=True):
            along_S = sum(a * s for a, s in zip(axis, S, strict=True))
            along_I = sum(a * i for a, i in zip(axis, I, strict=True))
            H += scale * principal * along_S * along_I
        if spin == 1:
            Iz, Ix, Iy = (sum(a * i for a, i in zip(axis, I, strict=True)) for axis in (bond, tangential, c))
            H += 1.96 / 4 * (3 * Iz * Iz - 2 * at(qutip.qeye(3), 0) - 0.070 * (Ix * Ix - Iy * Iy))
        H -= sum(gamma_n * b * i for b, i in zip(B_mT, I, strict=True))
    return H, S


MIXED = vb.VB14N.at(nuclei=nitrogens("14N", "15N", "15N"))
ORACLES = [
    (vb.VB14N, (14, 14, 14), GRACHEVA),
    (vb.VB15N, (15, 15, 15), GRACHEVA),
    (VB14N_DFT, (14, 14, 14), IVADY),
    (VB15N_DFT, (15, 15, 15), IVADY),
    (MIXED, (14, 15, 15), GRACHEVA),
]


@pytest.mark.parametrize(("defect", "isotopes", "A"), ORACLES, ids=["14N", "15N", "14N DFT", "15N DFT", "mixed"])
def test_levels_agree_with_qutip_at_any_direction(defect, isotopes, A):
    for field in random_fields(4, 0.15):
        got = vb.levels(field, defect) / 1e6
        expected = np.sort(qutip_hamiltonian(field * 1e3, isotopes, A)[0].eigenenergies())
        assert got.shape == (defect.dimension,)
        assert np.abs(got - expected).max() < 1e-6


@pytest.mark.parametrize("drive", [(1, 0, 0), (0.3, -1, 0.5), (1, 1j, 0)])
@pytest.mark.parametrize(("defect", "isotopes", "A"), ORACLES, ids=["14N", "15N", "14N DFT", "15N DFT", "mixed"])
def test_spectrum_is_the_sum_over_qutip_eigenvectors(defect, isotopes, A, drive):
    field, fwhm = np.array([2e-3, -1e-3, 7e-3]), 40.0
    H, S = qutip_hamiltonian(field * 1e3, isotopes, A)
    energy, states = H.eigenstates()
    V = np.column_stack([state.full().ravel() for state in states])
    unit = np.array(drive) / np.linalg.norm(drive)
    element = V.conj().T @ sum(u * s for u, s in zip(unit, S, strict=True)).full() @ V
    zero = np.diag(V.conj().T @ (np.eye(len(energy)) - (S[2] * S[2]).full()) @ V).real
    f = np.linspace(2900.0, 4000.0, 221)
    expected = np.zeros_like(f)
    for i in range(len(energy)):
        for k in range(i):
            strength = abs(element[i, k]) ** 2 * abs(zero[i] - zero[k])  # energies ascend: from k up to i
            expected += strength / (1 + (2 * (f - energy[i] + energy[k]) / fwhm) ** 2)
    expected *= 6 / len(energy)  # a bare line driven across c has |<1|Sx|0>|^2 = 1/2 and stands for 1
    got = vb.spectrum(f * 1e6, field, defect, linewidth=fwhm * 1e6, method="exact", drive=drive)
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


def second_order_bias(Bz, defect, E):
    """(c+ - c-)/(2 gamma) - Bz, with E taken off in quadrature."""
    lower, upper = branch_centroids([0, 0, Bz], defect)
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
        assert got == pytest.approx(bias_uT, abs=0.5), f"{B_mT} mT"


def test_second_order_hyperfine_lifts_the_centroid_of_both_branches():
    for B_mT, shift_MHz in ((10, 8.4), (30, 8.9), (60, 10.9)):
        mean = sum(branch_centroids([0, 0, B_mT * 1e-3], BARE14)) / 2
        assert (mean - BARE14.D) / 1e6 == pytest.approx(shift_MHz, abs=0.1)


def test_branches_are_those_of_ms_where_ms_is_a_good_number():
    # An independent assignment: the upper level holds more of m_s = -1, or more of +1.
    for B_mT in (5, 20, 100):
        field = [0, 0, B_mT * 1e-3]
        f, s = lines(field, vb.VB14N)
        p = (np.abs(eigenstates(field, vb.VB14N)[1].reshape(3, 27, 81)) ** 2).sum(1)
        low, up = np.triu_indices(81, 1)
        start = (p[1][low] > 0.5) & (p[1][up] < 0.5)
        expected = [np.average(f[k], weights=s[k]) for k in (start & (p[2] > p[0])[up], start & (p[0] > p[2])[up])]
        assert np.array(branch_centroids(field, vb.VB14N)) == pytest.approx(expected, abs=1.0)


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


@pytest.mark.parametrize(
    ("drive", "lower", "upper"), [((1, 0, 0), 1, 1), ((0, 1, 0), 1, 1), ((1, 1j, 0), 0, 2), ((1, -1j, 0), 2, 0)]
)
@pytest.mark.parametrize("defect", [d.at(E=0) for d in DEFECTS], ids=lambda d: d.name)
def test_each_branch_adds_up_to_one_and_a_circular_drive_excites_one_branch(defect, drive, lower, upper):
    f, s = lines([0, 0, 12e-3], defect, drive=drive)
    assert s[f > defect.D].sum() == pytest.approx(upper, abs=0.03)
    assert s[(f < defect.D) & (f > 2e9)].sum() == pytest.approx(lower, abs=0.03)


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


# --- more of the Hamiltonian: axes of E, g tensor, crystal in the laboratory, strain, electric field ----------------

TILT = Rotation.from_euler("zyx", [20, 35, -10], degrees=True)


def test_turning_the_crystal_with_field_and_drive_changes_nothing():
    field, drive = random_fields(3, 20e-3), np.array([1.0, 0.3j, 0.2])
    turned = vb.VB15N.at(orientation=TILT)
    assert vb.levels(TILT.apply(field), turned) == pytest.approx(vb.levels(field, vb.VB15N), abs=1e-2)
    f = np.linspace(2.8e9, 4.1e9, 61)
    there = vb.spectrum(f, TILT.apply(field), turned, linewidth=50e6, drive=TILT.as_matrix() @ drive)
    assert there == pytest.approx(vb.spectrum(f, field, vb.VB15N, linewidth=50e6, drive=drive), abs=1e-9)
    assert vb.transitions(TILT.apply(field), turned) == pytest.approx(vb.transitions(field), abs=1e-2)


def test_E_turned_with_the_field_gives_the_same_electron_lines():
    turn = Rotation.from_euler("z", 0.4)
    field = random_fields(5, 20e-3)
    there = vb.transitions(turn.apply(field), vb.VB14N.at(E_angle=0.4))
    assert there == pytest.approx(vb.transitions(field), abs=1e-2)
    # Half a turn of E is none, a quarter changes its sign.
    assert vb.transitions(field, vb.VB14N.at(E_angle=np.pi)) == pytest.approx(vb.transitions(field), abs=1e-2)
    quarter = vb.transitions(field, vb.VB14N.at(E_angle=np.pi / 2))
    assert quarter == pytest.approx(vb.transitions(field, vb.VB14N.at(E=-59e6)), abs=1e-2)
    azimuth = np.arctan2(field[:, 1], field[:, 0])
    f = vb.transitions(field, vb.VB14N.at(E_angle=0.4))
    assert vb.field_from_lines(f[:, 0], f[:, 1], azimuth=azimuth - 0.4)[1] == pytest.approx(abs(field[:, 2]), abs=1e-8)


def test_g_tensor():
    field = random_fields(3, 20e-3)
    isotropic = vb.VB15N.at(g=2.0 * np.eye(3))
    assert vb.levels(field, isotropic) == pytest.approx(vb.levels(field, vb.VB15N), abs=1e-3)
    # Without nuclei an axial g stretches the field.
    bare = vb.VB14N.at(nuclei=())
    stretched = field * np.array([2.02, 2.02, 1.98]) / 2.0
    got = vb.transitions(field, bare.at(g=np.diag([2.02, 2.02, 1.98])))
    assert got == pytest.approx(vb.transitions(stretched, bare), abs=1e-2)
    with pytest.raises(ValueError, match="scalar g"):
        isotropic.gamma  # noqa: B018


def test_strain_and_electric_field_add_to_E_as_vectors():
    assert vb.VB14N.strained(D=1e6, E=11e6).D == vb.VB14N.D + 1e6
    assert vb.VB14N.strained(E=11e6).E == pytest.approx(70e6)
    assert vb.VB14N.strained(E=59e6, angle=np.pi / 4).E == pytest.approx(59e6 * np.sqrt(2))
    assert vb.VB14N.strained(E=59e6, angle=np.pi / 2).E == 0
    there_and_back = vb.VB14N.strained(E=20e6, angle=0.3).strained(E=-20e6, angle=0.3)
    field = random_fields(3, 10e-3)
    assert vb.transitions(field, there_and_back) == pytest.approx(vb.transitions(field), abs=1e-2)
    # The threefold axis: an electric field turned by 120 degrees turns the axes of E by as much (or by -60).
    round_defect = vb.VB14N.at(E=0)
    turn = Rotation.from_euler("z", 120, degrees=True)
    force = np.array([3e7, 1e7, 0])
    here = vb.transitions(field, round_defect.in_electric_field(force))
    there = vb.transitions(turn.apply(field), round_defect.in_electric_field(turn.apply(force)))
    assert here == pytest.approx(there, abs=1e-2)
    assert round_defect.in_electric_field([0, 0, 1e8]).E == 0
    assert round_defect.in_electric_field([1e8, 0, 0], d_perp=0.7).E == pytest.approx(70e6)
    # In the laboratory, the field along the tilted c axis does nothing.
    tilted = round_defect.at(orientation=TILT)
    assert tilted.in_electric_field(TILT.apply([0, 0, 1e8])).E == 0


def test_eigenvectors_solve_the_equation():
    field = random_fields(2, 20e-3)
    energy, vectors = eigenstates(field, vb.VB15N)
    H = hamiltonian(field, vb.VB15N)
    assert np.abs(H @ vectors - vectors * energy[:, None, :]).max() < 1e-2
    assert vectors.conj().swapaxes(-1, -2) @ vectors == pytest.approx(
        np.broadcast_to(np.eye(24), (2, 24, 24)), abs=1e-12
    )


@pytest.mark.parametrize("defect", [vb.VB15N.at(orientation=TILT), MIXED.at(E_angle=0.2)], ids=["tilted", "mixed"])
def test_slopes_are_those_of_finite_differences(defect):
    field, dB, df = np.array([2e-3, -1e-3, 7e-3]), 1e-7, 1e3
    steps = [(e * dB, 0, 0) for e in np.eye(3)] + [(0, df, 0), (0, 0, df)]

    def difference(of, step, by):
        up, down = (
            of(field + s * step[0], defect.at(D=defect.D + s * step[1], E=defect.E + s * step[2])) for s in (1, -1)
        )
        return (up - down) / (2 * by)

    for k, step in enumerate(steps):
        by = dB if k < 3 else df
        scale = 28e9 if k < 3 else 1
        assert level_slopes(field, defect)[k] == pytest.approx(difference(vb.levels, step, by), abs=1e-4 * scale)
        assert transition_slopes(field, defect)[:, k] == pytest.approx(
            difference(vb.transitions, step, by), abs=1e-5 * scale
        )
    f, _ = lines(field, defect)
    assert line_slopes(field, defect).shape == (5, f.size)
    low, up = np.triu_indices(defect.dimension, 1)
    assert (
        line_slopes(field, defect) == level_slopes(field, defect)[:, up] - level_slopes(field, defect)[:, low]
    ).all()


def test_polarised_nuclei_leave_one_group_and_thermal_ones_all():
    # Axial tensors about c: anything else, quadrupole or rotated bonds, mixes the m of a level at m_s = 0.
    axial = vb.Nucleus(1, 3.077e6, np.diag([66e6, 66e6, 45.5e6]))
    defect, field = vb.VB14N.at(E=0, nuclei=[axial] * 3), [0, 0, 20e-3]
    full = nuclear_populations(defect, polarisation=1.0)
    f, s = lines(field, defect, populations=full)
    upper = f > defect.D
    mean = np.average(f[upper], weights=s[upper])
    # All three in m = +1: the outermost group, 3 A_zz from the middle, and A^2/(2 D) (3 [J(J+1) - m^2] - m).
    middle = vb.transitions(field, defect)[1]
    assert (mean - middle) / 1e6 == pytest.approx(3 * 45.5 + 66**2 / 6940 * (3 * 3 - 3), abs=1)
    assert s[upper].sum() == pytest.approx(1, abs=0.05)
    assert np.average((f[upper] - mean) ** 2, weights=s[upper]) < (5e6) ** 2
    plain = lines(field, defect)[1]
    for populations in (
        nuclear_populations(defect, polarisation=0.0),
        nuclear_populations(defect, temperature=300.0, Bz=0.02),
    ):
        assert lines(field, defect, populations=populations)[1] == pytest.approx(plain, abs=1e-6)
    cold = nuclear_populations(vb.VB14N, temperature=1e-6, Bz=1.0)  # 14N: positive gamma, m = +1 lowest
    assert cold[0] == pytest.approx([1, 0, 0], abs=1e-12)
    assert nuclear_populations(vb.VB15N, temperature=1e-6, Bz=1.0)[0] == pytest.approx([0, 1], abs=1e-12)
    wanted = [p @ [1, 0, -1] for p in nuclear_populations(vb.VB14N, polarisation=[-0.9, 0.1, 0.7])]
    assert wanted == pytest.approx([-0.9, 0.1, 0.7])


def test_boron_of_the_second_shell_joins_in():
    spin, gamma = ISOTOPES["11B"]
    defect = vb.VB15N.at(nuclei=[*vb.VB15N.nuclei, vb.Nucleus(spin, gamma, np.diag([3e6, 3e6, 5e6]))])
    assert vb.levels([0, 0, 10e-3], defect).shape == (96,)
    f = np.linspace(3.0e9, 4.0e9, 201)
    with_boron, without = (vb.spectrum(f, [0, 0, 10e-3], d, linewidth=60e6, method="exact") for d in (defect, vb.VB15N))
    assert 1e-4 < np.abs(with_boron - without).max() / without.max() < 0.05


def test_15N_is_14N_scaled():
    for a, b in zip(vb.VB14N.nuclei, vb.VB15N.nuclei, strict=True):
        assert np.array(b.A) == pytest.approx(np.array(a.A) * -1.4027)
        assert b.gamma / a.gamma == pytest.approx(-1.4027, rel=2e-4)
    assert np.trace(np.array(vb.VB14N.nuclei[0].A)) == pytest.approx(2 * 45.5e6 + GRACHEVA_2023.A[0])


def test_transitions_out_of_a_level_add_up():
    # sum_f |V_fi|^2 = <i| V^2 |i>
    _, vectors = eigenstates([1e-3, 2e-3, 9e-3], vb.VB15N)
    V = np.kron(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / np.sqrt(2), np.eye(8))
    element = np.abs(vectors.conj().T @ V @ vectors) ** 2
    assert element.sum(0) == pytest.approx(np.diag(vectors.conj().T @ V @ V @ vectors).real, abs=1e-12)


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


def test_the_range_of_Bz_holds_the_truth_and_its_middle_is_what_is_reported():
    field = random_fields(200, 15e-3)
    f = vb.transitions(field)
    low, high = field_range_from_lines(f[:, 0], f[:, 1])
    B, middle = vb.field_from_lines(f[:, 0], f[:, 1])
    assert (low <= abs(field[:, 2]) + 1e-8).all()
    assert (high >= abs(field[:, 2]) - 1e-8).all()
    assert (high <= B + 1e-12).all()
    assert middle == pytest.approx((low + high) / 2)
    turned = [vb.field_from_lines(f[:, 0], f[:, 1], azimuth=a)[1] for a in np.linspace(0, np.pi / 2, 7)]
    assert np.nanmax(turned, axis=0) == pytest.approx(high, abs=1e-9)
    five = vb.transitions([3e-3, 4e-3, 5e-3])
    assert (np.diff(field_range_from_lines(*five))[0] / 2) * 1e6 == pytest.approx(42, abs=1.5)
    assert np.isnan(field_range_from_lines(3.0e9, 3.2e9)).all()


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
        (lambda: vb.spectrum(F, BZ, linewidth=40, method="exact"), "MHz"),
        (lambda: vb.spectrum(F, BZ, MIXED, linewidth=40e6, method="sectors"), "equal nuclei"),
        (lambda: vb.spectrum(F, BZ, linewidth=40e6, method="comb", populations=[[1, 0, 0]] * 3), "exact"),
        (lambda: lines(BZ, populations=[[1, 0]] * 3), "one array per nucleus"),
        (lambda: lines(BZ, populations=[[1, -1, 0]] * 3), "0 or more"),
        (lambda: nuclear_populations(vb.VB14N), "either"),
        (lambda: nuclear_populations(vb.VB14N, polarisation=2), "-1 to 1"),
        (lambda: nuclear_populations(vb.VB14N, temperature=-1.0), "positive"),
        (lambda: nitrogens("14N", "13C", "14N"), "14N"),
        (lambda: vb.VB14N.at(g=np.diag([2.0, 2.0, 28.0])), "g factor"),
        (lambda: vb.VB14N.at(g=[[2, 1, 0], [0, 2, 0], [0, 0, 2]]), "symmetric"),
        (lambda: vb.VB14N.at(g="2"), "finite number"),
        (lambda: vb.VB14N.at(E_angle=np.inf), "finite"),
        (lambda: vb.VB14N.at(orientation=np.diag([1, 1, -1])), "rotation"),
        (lambda: vb.VB14N.at(orientation=np.eye(3) * 1j), "complex"),
        (lambda: vb.VB14N.strained(E=np.nan), "strain"),
        (lambda: vb.VB14N.in_electric_field([1e7, 0]), "V/m"),
        (lambda: vb.VB14N.in_electric_field([1e7, 0, 0], d_perp=np.nan), "d_perp"),
    ],
)
def test_refusals_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()
