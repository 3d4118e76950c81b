"""Pulses: closed formulas, symmetries, QuTiP in the laboratory frame, and refusals."""

from dataclasses import replace
from math import inf, pi

import numpy as np
import pytest
import qutip
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import simpson
from scipy.linalg import expm, polar
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation
from scipy.special import j1

import vbsense as vb
from vbsense.groundstate.comb import hyperfine_comb
from vbsense.hamiltonian import hamiltonian
from vbsense.sims.pulses import ROOM_TEMPERATURE, run
from vbsense.sims.pulses.charges import _MEDIAN_BULK, ChargeModel
from vbsense.sims.pulses.ensemble import Ensemble, magnetic_noise
from vbsense.sims.pulses.evolution import Relaxation, _liouvillian, _open_by_steps, evolve
from vbsense.sims.pulses.protocols import cpmg, hahn_echo, pulsed_odmr, rabi, ramsey, t1, xy8
from vbsense.sims.pulses.sequence import Pulse, Sequence, Wait

FIELD = np.array([0.0, 0.0, 10e-3])
BARE = vb.Defect("electron", D=3.47e9, E=59e6, g=2.0)
ONE14 = replace(vb.VB14N, nuclei=vb.VB14N.nuclei[1:2])
ONE15 = replace(vb.VB15N, nuclei=vb.VB15N.nuclei[1:2])
TWO15 = replace(vb.VB15N, nuclei=vb.VB15N.nuclei[1:])
TIMES = np.linspace(0, 300e-9, 31)
ECHOES = {
    "hahn": hahn_echo(TIMES),
    "cpmg": cpmg(TIMES, 4),
    "cpmg odd": cpmg(TIMES, 3),
    "xy8": xy8(TIMES, 2),
}


def generalised_rabi(detuning, rate, time):
    """Population left in m_s = 0 by a pulse that is off by `detuning`."""
    effective = np.hypot(detuning, rate)
    return 1 - (rate / effective) ** 2 * np.sin(pi * effective * time) ** 2


# --- closed formulas --------------------------------------------------------------------------------------------------


def test_combs():
    shift, weight = hyperfine_comb(vb.VB14N)
    np.testing.assert_allclose(weight * 27, [1, 3, 6, 7, 6, 3, 1], rtol=1e-12)
    np.testing.assert_allclose(np.diff(shift), 45.5e6)
    np.testing.assert_allclose(hyperfine_comb(vb.VB15N)[1] * 8, [1, 3, 3, 1], rtol=1e-12)
    mixed = replace(BARE, nuclei=(vb.VB14N.nuclei[0], vb.VB15N.nuclei[1]))
    shift, weight = hyperfine_comb(mixed)
    assert shift.size == 6
    np.testing.assert_allclose([weight.sum(), weight @ shift], [1, 0], atol=1e-6)
    expected = 45.5e6**2 * (2 / 3 + 1.4027**2 / 4)
    assert weight @ shift**2 == pytest.approx(expected, rel=1e-7)
    assert hyperfine_comb(BARE)[1].tolist() == [1.0]


@pytest.mark.parametrize("defect", [vb.VB14N, vb.VB15N, BARE])
@pytest.mark.parametrize("line", ["lower", "upper"])
def test_rabi_of_a_comb_is_the_weighted_sum_of_generalised_rabi_oscillations(defect, line):
    shift, weight = hyperfine_comb(defect)
    for detuning in (0.0, 17e6):
        sequence = rabi(TIMES, rabi=20e6, line=line, detuning=detuning)
        got = run(sequence, FIELD, defect, model="two-level").signal
        expected = weight @ generalised_rabi(shift[:, None] - detuning, 20e6, TIMES)
        np.testing.assert_allclose(got, expected, atol=1e-9)


@pytest.mark.parametrize("model", ["two-level", "comb"])
def test_ramsey_of_a_comb(model):
    defect = vb.VB14N.at(E=0)
    shift, weight = hyperfine_comb(defect)
    for line, detuning in (("lower", 0.0), ("upper", 12e6)):
        sequence = ramsey(TIMES, line=line, detuning=detuning, phase=pi)
        got = run(sequence, FIELD, defect, model=model).signal
        expected = (1 + weight @ np.cos(2 * pi * np.outer(shift - detuning, TIMES))) / 2
        np.testing.assert_allclose(got, expected, atol=1e-9)


def test_ramsey_with_finite_pulses_is_three_rotations_in_turn():
    """The textbook product of 2 x 2 matrices, one for each group."""
    shift, weight = hyperfine_comb(vb.VB14N)
    rate, detuning = 40e6, 8e6
    got = run(ramsey(TIMES, rabi=rate, detuning=detuning), FIELD, vb.VB14N, model="two-level").signal
    x, z = np.array([[0, 1], [1, 0]]), np.diag([1.0, 0.0])
    expected = np.zeros(TIMES.size)
    for s, w in zip(shift - detuning, weight, strict=True):
        pulse = expm(-2j * pi * (s * z + rate / 2 * x) / (4 * rate))
        for k, t in enumerate(TIMES):
            expected[k] += w * abs((pulse @ expm(-2j * pi * s * z * t) @ pulse)[1, 1]) ** 2
    np.testing.assert_allclose(got, expected, atol=1e-9)


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("model", ["two-level", "comb"])
def test_echoes_refocus_static_detuning_exactly(name, model):
    defect = vb.VB14N.at(E=0)
    noise = magnetic_noise(0.7e-3, 7)
    got = run(ECHOES[name], FIELD, defect, model=model, ensemble=noise).populations
    np.testing.assert_allclose(got, np.broadcast_to(got[:1], got.shape), atol=1e-12)
    assert abs(got[0, 1] - round(got[0, 1])) < 1e-12
    dephased = run(ramsey(TIMES), FIELD, defect, model=model, ensemble=noise).signal
    assert np.ptp(dephased) > 0.4


def test_xy8_forgives_errors_of_its_pulses():
    """Pulses across the coherence, all about one axis, add up their errors; those of XY8 cancel."""
    time, wrong = (400e-9,), 1.08 * pi

    def survival(phases):
        half, whole = Wait(400e-9 / 32), Wait(400e-9 / 16)
        middle = [e for p in phases for e in (whole, Pulse(wrong, phase=p))][1:]
        end = Sequence((Pulse(pi / 2, phase=pi / 2), half, *middle, half, Pulse(pi / 2, phase=-pi / 2)), time)
        return run(end, FIELD, BARE.at(E=0), model="two-level").signal[0]

    x, y = 0.0, pi / 2
    assert survival((x, y, x, y, y, x, y, x) * 2) > 0.999
    assert survival((x,) * 16) > 0.999
    assert survival((y,) * 16) < 0.6


def test_relaxation_from_any_level_goes_to_a_third():
    times = np.linspace(0, 60e-6, 13)
    for model, defect in (("two-level", vb.VB14N), ("comb", vb.VB14N), ("comb", BARE.at(E=0))):
        got = run(t1(times), FIELD, defect, model=model, T1=16e-6).signal
        np.testing.assert_allclose(got, 1 / 3 + 2 / 3 * np.exp(-times / 16e-6), atol=1e-9)
    flipped = run(t1(times, flip="lower"), FIELD, BARE.at(E=0), T1=16e-6).populations
    np.testing.assert_allclose(flipped[:, 2], 1 / 3 + 2 / 3 * np.exp(-times / 16e-6), atol=1e-9)
    np.testing.assert_allclose(flipped[:, 1], 1 / 3 - 1 / 3 * np.exp(-times / 16e-6), atol=1e-9)


@pytest.mark.parametrize("T1", [inf, 1e-6])
def test_an_echo_decays_with_T2(T1):
    got = run(hahn_echo(TIMES), FIELD, BARE.at(E=0), T1=T1, T2=80e-9).signal
    # The pulses leave both levels of the line equal; what T1 takes from the pair goes to the third level.
    pair = 2 / 3 + 1 / 3 * np.exp(-TIMES / T1)
    np.testing.assert_allclose(got, pair / 2 + np.exp(-TIMES / 80e-9) / 2, atol=1e-9)


def test_a_detuned_pulse_turns_faster_and_less():
    times = np.linspace(0, 400e-9, 401)
    got = run(rabi(times, rabi=5e6, detuning=12e6), FIELD, BARE, model="two-level").signal
    np.testing.assert_allclose(got, generalised_rabi(12e6, 5e6, times), atol=1e-9)
    assert got.min() == pytest.approx(1 - 25 / 169, abs=1e-4)


def test_pulsed_odmr_of_a_pi_pulse_has_the_line_shape_of_rabi():
    centre = float(vb.transitions(FIELD, BARE)[1])
    f = centre + np.linspace(-30e6, 30e6, 121)
    got = run(pulsed_odmr(f, rabi=4e6, line="upper"), FIELD, BARE, model="two-level").signal
    np.testing.assert_allclose(got, generalised_rabi(f - centre, 4e6, 125e-9), atol=1e-7)


def test_a_long_weak_pi_pulse_resolves_the_comb():
    centre = float(vb.transitions(FIELD, BARE)[0])
    shift, weight = hyperfine_comb(vb.VB14N)
    for model, atol in (("two-level", 1e-4), ("comb", 2e-2)):
        got = run(pulsed_odmr(centre + shift, rabi=0.5e6), FIELD, vb.VB14N.at(E=59e6), model=model).signal
        if model == "two-level":
            np.testing.assert_allclose(1 - got, weight, atol=3 * atol)
        between = run(pulsed_odmr(centre + shift[:-1] + 22e6, rabi=0.5e6), FIELD, vb.VB14N, model=model).signal
        assert (1 - between).max() < 0.02
    # Without E the groups of the three levels are where the rigid comb has them.
    pure = vb.VB14N.at(E=0)
    got = run(pulsed_odmr(float(vb.transitions(FIELD, pure)[0]) + shift, rabi=0.5e6), FIELD, pure, model="comb").signal
    np.testing.assert_allclose(1 - got, weight, atol=1e-3)


def test_both_lines_of_the_three_levels_are_where_the_electron_has_them():
    lines = vb.transitions(FIELD, BARE)
    for k, name in enumerate(("lower", "upper")):
        f = lines[k] + np.linspace(-6e6, 6e6, 121)
        got = run(pulsed_odmr(f, rabi=1e6, line=name), FIELD, BARE).signal
        assert f[got.argmin()] == pytest.approx(lines[k], abs=1e4)
        assert got.min() < 1e-4


def test_circular_drive_reaches_one_line_only():
    defect = BARE.at(E=0)
    both = vb.transitions(FIELD, defect)
    for sense, driven, silent in ((1j, 1, 0), (-1j, 0, 1)):
        name = ("lower", "upper")[driven]
        one, other = (run(pulsed_odmr([both[k]], rabi=5e6, line=name), FIELD, defect, drive=(1, sense, 0)).signal[0]
                      for k in (driven, silent))  # fmt: skip
        assert one < 1e-12
        assert other > 0.999
    with pytest.raises(ValueError, match="does not excite the lower line"):
        run(rabi(TIMES, rabi=5e6), FIELD, defect, drive=(1, 1j, 0))


# --- exact nuclei -----------------------------------------------------------------------------------------------------


def test_exact_agrees_with_the_comb_where_the_nuclei_are_frozen():
    """No transverse hyperfine, no E, no quadrupole: the comb is exact, and "exact" must find it."""
    nuclei = tuple(vb.Nucleus(1, 3.077e6, np.diag([0, 0, 45.5e6])) for _ in range(2))
    defect = replace(vb.VB14N.at(E=0), nuclei=nuclei)
    for sequence in (rabi(TIMES, rabi=20e6), ramsey(TIMES, rabi=30e6, detuning=4e6), hahn_echo(TIMES, rabi=25e6)):
        for options in ({}, {"T1": 2e-6, "T2": 100e-9}):
            if options and sequence.name == "Hahn echo":
                continue
            comb, exact = (run(sequence, FIELD, defect, model=m, **options).populations for m in ("comb", "exact"))
            np.testing.assert_allclose(exact, comb, atol=1e-6 if options else 1e-9)


def test_three_nuclei_modulate_the_echo_and_their_lines_lie_higher():
    lines = vb.transitions(FIELD, vb.VB14N)
    f = lines[1] + np.linspace(-15e6, 30e6, 46)
    got = run(pulsed_odmr(f, rabi=6e6, line="upper"), FIELD, vb.VB14N, model="exact").signal
    # Second order in the transverse hyperfine: it lifts the centroid of all groups by 8.4 MHz at 10 mT.
    assert 3e6 < f[got.argmin()] - lines[1] < 15e6
    echo = run(hahn_echo(TIMES), FIELD, vb.VB14N, model="exact").signal
    assert echo[0] == pytest.approx(1, abs=1e-12)
    assert echo.min() < 0.9


def manifolds(defect, field):
    """The rotation of least change from m_s to the manifolds of the eigenstates, by a polar decomposition."""
    H = hamiltonian(field, defect)
    zero = np.repeat([False, True, False], H.shape[0] // 3)
    v = np.linalg.eigh(H)[1]
    low = v[:, (abs(v[zero]) ** 2).sum(0) > 0.5]
    inside, flat = low @ low.conj().T, np.diag(zero) + 0j
    one = np.eye(H.shape[0])
    return polar(inside @ flat + (one - inside) @ (one - flat))[0], inside


def laboratory(defect, field, rate, frequency, line, times, relaxation=None, counter=False):
    """QuTiP, in the laboratory frame, electron and nuclei: populations of m_s while a pulse along x is on."""
    H, electron = hamiltonian(field, defect), hamiltonian(field, replace(defect, nuclei=()))
    d, one = H.shape[0] // 3, np.eye(H.shape[0])
    turn, inside = manifolds(defect, field)
    ket = np.linalg.eigh(electron)[1]
    Sx = qutip.jmat(1, "x").full()
    element = abs(ket[:, {"lower": 1, "upper": 2}[line]].conj() @ Sx @ ket[:, 0])
    whole = rate / 2 / element * np.kron(Sx, np.eye(d))
    lift = whole if counter else (one - inside) @ whole @ inside

    def wave(sign):
        return lambda t: 2 * np.pi * np.exp(sign * 2j * np.pi * frequency * t)

    drive = [[qutip.Qobj(lift), wave(-1)], [qutip.Qobj(lift.conj().T), wave(1)]]
    projector = [turn @ np.kron(np.diag(np.eye(3)[m]), np.eye(d)) @ turn.conj().T for m in range(3)]
    jumps = []
    if relaxation is not None:
        T1, T2 = relaxation
        plain = [np.sqrt(1 / (3 * T1)) * np.outer(np.eye(3)[a], np.eye(3)[b]) for a in range(3) for b in range(3)
                 if a != b] + [np.sqrt(2 * (1 / T2 - 2 / (3 * T1))) * np.diag([1, 0, -1])]  # fmt: skip
        jumps = [qutip.Qobj(turn @ np.kron(c, np.eye(d)) @ turn.conj().T) for c in plain]
    system = qutip.QobjEvo([2 * np.pi * qutip.Qobj(H), *drive])
    options = {"atol": 1e-10, "rtol": 1e-8, "nsteps": 10**7, "progress_bar": ""}
    start = qutip.Qobj(projector[1] / d)
    out = qutip.mesolve(system, start, times, jumps, e_ops=[qutip.Qobj(p) for p in projector], options=options)
    return np.array(out.expect).real.T


# A lower frequency saves the laboratory frame its time, and makes what the model must get right larger.
SLOW = {"D": 500e6, "E": 9e6}
SLOW_FIELD = np.array([0.4e-3, 0.2e-3, 3e-3])
PULSE_TIMES = np.array([0, 60e-9, 130e-9])


@pytest.mark.parametrize("relaxation", [None, (1e-6, 150e-9)])
@pytest.mark.parametrize("defect", [BARE, ONE14, ONE15], ids=["electron", "14N", "15N"])
def test_qutip_in_the_laboratory_frame(defect, relaxation):
    defect = defect.at(**SLOW)
    f = float(vb.transitions(SLOW_FIELD, defect)[1]) + 7e6
    sequence = rabi(PULSE_TIMES, rabi=12e6, line="upper", frequency=np.full(3, f))
    options = {} if relaxation is None else dict(zip(("T1", "T2"), relaxation, strict=True))
    got = run(sequence, SLOW_FIELD, defect, model="exact", **options).populations
    want = laboratory(defect, SLOW_FIELD, 12e6, f, "upper", PULSE_TIMES, relaxation)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_three_levels_with_relaxation_are_those_of_qutip():
    """The comb, group by group: the electron in the field that the frozen nuclei add."""
    defect, field = ONE14.at(**SLOW), np.array([0, 0, 3e-3])
    f = float(vb.transitions(field, defect)[0]) - 3e6
    sequence = rabi(PULSE_TIMES, rabi=12e6, frequency=np.full(3, f))
    got = run(sequence, field, defect, T1=1e-6, T2=150e-9).populations
    bare, want = replace(defect, nuclei=()), 0
    for shift in (-45.5e6, 0, 45.5e6):
        local = field + [0, 0, shift / defect.gamma]
        # The source stays as it is: its Rabi frequency holds for the line without nuclei.
        ratio = element_of(bare, local) / element_of(bare, field)
        want = want + laboratory(bare, local, 12e6 * ratio, f, "lower", PULSE_TIMES, (1e-6, 150e-9)) / 3
    np.testing.assert_allclose(got, want, atol=1e-5)


def element_of(bare, field):
    ket = np.linalg.eigh(hamiltonian(field, bare))[1]
    return abs(ket[:, 1].conj() @ qutip.jmat(1, "x").full() @ ket[:, 0])


def test_what_the_rotating_wave_leaves_out_is_of_order_rabi_over_frequency():
    defect = BARE.at(D=500e6, E=0)
    f = float(vb.transitions(FIELD / 5, defect)[1])
    for rate in (16e6, 4e6):
        times = np.array([0, 0.3, 0.5]) / rate
        got = run(rabi(times, rabi=rate, line="upper"), FIELD / 5, defect).populations
        want = laboratory(defect, FIELD / 5, rate, f, "upper", times, counter=True)
        assert abs(got - want).max() < rate / f


# --- what every answer must be ------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 7), st.sampled_from([3e6, 40e6, inf]), st.floats(-4, 4), st.floats(-60e6, 60e6),
                       st.floats(0, 2e-7)), min_size=1, max_size=4),
    st.floats(0, 1), st.sampled_from([{}, {"T1": 1e-6}, {"T2": 60e-9}, ROOM_TEMPERATURE]),
    st.tuples(*[st.floats(-8e-3, 8e-3)] * 3),
)  # fmt: skip
def test_populations_add_up_and_are_positive(parts, polarisation, times, field):
    elements = [e for a, rate, phase, off, t in parts for e in (Pulse(a, rate, phase, detuning=off), Wait(t))]
    got = run(Sequence(elements), field, ONE15, drive=(1, 0.4, 0.1), initial=polarisation, **times).populations
    np.testing.assert_allclose(got.sum(-1), 1, atol=1e-9)
    assert got.min() > -1e-9


def test_an_unpolarised_spin_shows_nothing():
    for model in ("two-level", "comb", "exact"):
        got = run(rabi(TIMES, rabi=9e6), FIELD, ONE14, model=model, initial=1 / 3).populations
        np.testing.assert_allclose(got, 1 / 3, atol=1e-12)


def test_a_sweep_is_its_points_one_by_one():
    detunings = np.linspace(-20e6, 20e6, 4)
    whole = Sequence((Pulse(1.3, 20e6, detuning=detunings), Wait(40e-9), Pulse(1.1, 30e6, 0.4, line="upper"),
                      Wait(TIMES[:4]), Pulse(pi / 2, 20e6, detuning=detunings)))  # fmt: skip
    for model, times in (("comb", {}), ("comb", ROOM_TEMPERATURE), ("exact", {})):
        together = run(whole, FIELD, ONE14, model=model, **times).populations
        for k in range(4):
            one = Sequence((Pulse(1.3, 20e6, detuning=detunings[k]), Wait(40e-9), Pulse(1.1, 30e6, 0.4, line="upper"),
                            Wait(TIMES[k]), Pulse(pi / 2, 20e6, detuning=detunings[k])))  # fmt: skip
            alone = run(one, FIELD, ONE14, model=model, **times).populations[0]
            np.testing.assert_allclose(together[k], alone, atol=1e-10)


def test_sources_are_continuous_in_phase():
    """A pulse cut in two is the pulse, at any detuning; so it is when the halves are on another line's frame."""
    for rate in (8e6, 30e6):
        whole = Pulse.lasting(90e-9, rate, detuning=11e6)
        half = Pulse.lasting(45e-9, rate, detuning=11e6)
        for before in ((), (Pulse(0.7, 20e6, line="upper"), Wait(13e-9))):
            one, two = (run(Sequence((*before, *tail)), FIELD, ONE14).populations for tail in ((whole,), (half, half)))
            np.testing.assert_allclose(one, two, atol=1e-10)


def test_a_strong_pulse_becomes_an_ideal_one():
    defect = BARE.at(E=0)
    ideal = run(ramsey(TIMES, detuning=7e6), FIELD, defect, model="two-level").signal
    strong = run(ramsey(TIMES, rabi=1e12, detuning=7e6), FIELD, defect, model="two-level").signal
    np.testing.assert_allclose(strong, ideal, atol=1e-4)


def test_turning_everything_changes_nothing():
    """About c with the axes of E and the nuclei; about any axis with the orientation of the defect."""
    ensemble, turned = (Ensemble([1, 2], E=[40e6, 80e6], azimuth=[a, a + 0.9]) for a in (0.0, 0.5))
    field, drive = np.array([1e-3, 0.5e-3, 8e-3]), np.array([1.0, 0.3, 0])
    sequence = rabi(TIMES, rabi=12e6, frequency=np.full(TIMES.size, 3.22e9))
    plain = {"model": "exact", "drive": drive, "ensemble": ensemble}
    one = run(sequence, field, ONE14.at(E=30e6), **plain).populations
    R = Rotation.from_rotvec([0, 0, 0.5]).as_matrix()
    nuclei = tuple(replace(n, A=R @ n.A @ R.T, Q=R @ n.Q @ R.T) for n in ONE14.nuclei)
    # The microwave is set for the nominal defect, whose E stays where it was: turn it along.
    two = run(sequence, R @ field, replace(ONE14.at(E=30e6, E_angle=0.5), nuclei=nuclei), model="exact",
              drive=R @ drive, ensemble=ensemble).populations  # fmt: skip
    np.testing.assert_allclose(two, one, atol=1e-8)
    R = Rotation.from_rotvec([0.7, -0.4, 1.1]).as_matrix()
    three = run(sequence, R @ field, ONE14.at(E=30e6, orientation=R), **(plain | {"drive": R @ drive})).populations
    np.testing.assert_allclose(three, one, atol=1e-8)
    noisy = plain | {"ensemble": magnetic_noise(0.3e-3, 5)}
    four = run(sequence, field, ONE14, **noisy).populations
    five = run(sequence, R @ field, ONE14.at(orientation=R), **(noisy | {"drive": R @ drive})).populations
    np.testing.assert_allclose(five, four, atol=1e-8)
    assert abs(run(sequence, field, ONE14.at(E=30e6), **(plain | {"ensemble": turned})).populations - one).max() > 1e-3


# --- relaxation -------------------------------------------------------------------------------------------------------


def random_state(rng, n):
    a = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    return a @ a.conj().T / np.trace(a @ a.conj().T)


def test_lindblad_in_steps_is_its_exponential_and_critical_damping_is_no_exception():
    rng = np.random.default_rng(2)
    H = 20e6 * (m := rng.normal(size=(9, 9)) + 1j * rng.normal(size=(9, 9))) + 20e6 * m.conj().T
    rho, relaxation = random_state(rng, 9), Relaxation(0.7e-6, 120e-9)
    time = np.array([30e-9])
    want = (expm(_liouvillian(H, relaxation) * time[0]) @ rho.ravel()).reshape(9, 9)
    for way in (evolve, _open_by_steps):
        np.testing.assert_allclose(way(rho[None, None], H[None, None], time, relaxation)[0, 0], want, atol=1e-7)
    # A two-level system loses its eigenvectors where 4 pi rabi = the dephasing rate.
    rate = 1 / 50e-9 / (4 * pi)
    H = np.zeros((1, 1, 3, 3), dtype=complex)
    H[..., 1, 2] = H[..., 2, 1] = rate / 2
    rho, relaxation = np.diag([0, 1, 0])[None, None] + 0j, Relaxation(T2=50e-9)
    times = np.array([20e-9, 90e-9])
    got = evolve(rho, H, times, relaxation)
    for k, t in enumerate(times):
        want = (expm(_liouvillian(H[0, 0], relaxation) * t) @ rho.ravel()).reshape(3, 3)
        np.testing.assert_allclose(got[0, k], want, atol=1e-9)


def test_density_matrices_stay_positive():
    rng = np.random.default_rng(3)
    H = rng.normal(size=(1, 1, 3, 3)) * 1e8
    H = H + H.swapaxes(-1, -2) + 0j
    out = evolve(random_state(rng, 3)[None, None], H, np.geomspace(1e-9, 1e-5, 30), Relaxation(1e-6, 70e-9))[0]
    np.testing.assert_allclose(np.trace(out, axis1=-2, axis2=-1), 1, atol=1e-9)
    np.testing.assert_allclose(out, out.conj().swapaxes(-1, -2), atol=1e-9)
    assert np.linalg.eigvalsh(out).min() > -1e-9


# --- ensembles and light ----------------------------------------------------------------------------------------------


def test_magnetic_noise_makes_a_gaussian_decay_that_an_echo_undoes():
    defect, sigma = BARE.at(E=0), 0.4e-3
    got = run(ramsey(TIMES[:15], phase=pi), FIELD, defect, ensemble=magnetic_noise(sigma, 100)).signal
    width = 2 * pi * defect.gamma * sigma
    np.testing.assert_allclose(got, (1 + np.exp(-((width * TIMES[:15]) ** 2) / 2)) / 2, atol=1e-9)


def test_charges_in_a_plane_follow_their_closed_form():
    model = ChargeModel.producing(59e6, geometry="plane", exclusion=0.0)
    E = np.sort(model.sample(4000, rng=5).E)
    s = 59e6 / np.sqrt(3)
    closed = 1 - s / np.hypot(s, E)
    assert abs(closed - (np.arange(4000) + 0.5) / 4000).max() < 1.63 / np.sqrt(4000)
    assert np.median(E) == pytest.approx(59e6, rel=0.06)


def test_charges_in_the_bulk_follow_holtsmark():
    k = np.linspace(0, 12, 40001)
    phi = np.exp(-4 / 15 * (2 * pi * k) ** 1.5)

    def holtsmark(x):
        return x * simpson(j1(k * x) * phi, x=k)

    assert brentq(lambda x: holtsmark(x) - 0.5, 1, 10) == pytest.approx(_MEDIAN_BULK, rel=1e-5)
    model = ChargeModel.producing(59e6, exclusion=0.0)
    ensemble = model.sample(3000, rng=6)
    E = np.sort(ensemble.E)
    closed = np.array([holtsmark(e / 59e6 * _MEDIAN_BULK) for e in E[::30]])
    assert abs(closed - (np.arange(0, 3000, 30) + 0.5) / 3000).max() < 1.63 / np.sqrt(3000)
    # The electric field has no preferred direction, so the axes of E fill half a turn.
    assert abs(np.exp(2j * ensemble.azimuth).mean()) < 3 / np.sqrt(3000)
    # Density by 2 sqrt(2): field by 2.
    double = replace(model, density=model.density * 2**1.5).sample(3000, rng=6)
    np.testing.assert_allclose(np.median(double.E), 2 * np.median(E), rtol=1e-6)


def test_the_same_seed_gives_the_same_defects_and_an_ensemble_is_its_mean():
    model = ChargeModel.producing(59e6)
    one, two, other = (model.sample(6, rng=seed) for seed in (1, np.random.default_rng(1), 2))
    assert one.E.tobytes() == two.E.tobytes()
    assert one.azimuth.tobytes() == two.azimuth.tobytes()
    assert one.E.tobytes() != other.E.tobytes()
    f = np.linspace(3.1e9, 3.3e9, 9)
    together = run(pulsed_odmr(f, rabi=15e6), FIELD, vb.VB14N, ensemble=one).signal
    alone = [run(pulsed_odmr(f, rabi=15e6), FIELD, vb.VB14N, ensemble=Ensemble([1], one.E[k : k + 1],
                                                                               one.azimuth[k : k + 1])).signal
             for k in range(6)]  # fmt: skip
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-10)


class Eye:
    """A readout that counts what it is told to count."""

    def readout(self, populations, *, pump, gate):
        return pump * gate * (populations @ [0.5, 1.0, 0.5])


def test_light_reads_the_populations():
    got = run(rabi(TIMES, rabi=8e6), FIELD, vb.VB14N, initial=(0.2, 0.7, 0.1), readout=Eye(), pump=2e6, gate=1e-6)
    np.testing.assert_allclose(got.signal, 2 * (got.populations @ [0.5, 1.0, 0.5]))
    np.testing.assert_allclose(got.populations[0], [0.2, 0.7, 0.1], atol=1e-12)
    assert got.sweep.tolist() == TIMES.tolist()


def test_the_optical_cycle_prepares_and_reads():
    cycle = pytest.importorskip("vbsense.sims.light.cycle_presets").optical_cycle("baber2022")
    initial = cycle.initialise(pump=1e6, duration=20e-6)
    f = float(vb.transitions(FIELD, BARE)[0]) + np.linspace(-300e6, 300e6, 31)
    got = run(pulsed_odmr(f, rabi=40e6), FIELD, vb.VB14N, initial=initial, readout=cycle, gate=200e-9).signal
    expected = cycle.readout(initial, pump=1e6, gate=200e-9)
    assert got[[0, -1]] == pytest.approx(expected, rel=0.02)
    assert got.min() < 0.97 * got[0]
    assert abs(f[got.argmin()] - f[15]) < 60e6


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: Wait(-1e-9), "must not be negative"),
        (lambda: Wait(float("nan")), "NaN"),
        (lambda: Wait(50.0), "times are in seconds"),
        (lambda: Wait([[1e-9]]), "one-dimensional"),
        (lambda: Wait(1e-9 + 1j), "complex"),
        (lambda: Pulse(-pi), "turn the phase"),
        (lambda: Pulse(pi, rabi=10.0), "MHz given"),
        (lambda: Pulse(pi, rabi=-1e6), "positive frequency"),
        (lambda: Pulse(pi, rabi=float("nan")), "positive frequency"),
        (lambda: Pulse(pi, line="left"), "known are lower, upper"),
        (lambda: Pulse(pi, 1e6, frequency=3.47), "3.47e9"),
        (lambda: Pulse(pi, 1e6, frequency=3.4e9, detuning=1e6), "either"),
        (lambda: Pulse.lasting(1e-9, inf), "finite Rabi"),
        (lambda: Sequence((Wait([1e-9, 2e-9]), Wait([1e-9, 2e-9, 3e-9]))), "one length"),
        (lambda: Sequence((Wait(1e-9),), (1.0, 2.0)), "sweep has 2 values"),
        (lambda: cpmg(TIMES, 0), "whole number"),
        (lambda: xy8(TIMES, 1.5), "whole number"),
        (lambda: pulsed_odmr([3.4e9], rabi=inf), "no frequency"),
        (lambda: pulsed_odmr([3.4], rabi=1e6), "3.47e9"),
        (lambda: run(ramsey(TIMES), FIELD, model="rigid"), "known are two-level, comb, exact"),
        (lambda: run(ramsey(TIMES), [FIELD] * 2), "one field"),
        (lambda: run(ramsey(TIMES), [0, 0, float("nan")]), "NaN"),
        (lambda: run(ramsey(TIMES), [0, 0, 130e-3]), "anticrossing"),
        (lambda: run(ramsey(TIMES), [0.6, 0, 0], drive=(0, 1, 1)), "mixes"),
        (lambda: run(ramsey(TIMES), FIELD, drive=(0, 0, 0)), "direction"),
        (lambda: run(ramsey(TIMES), FIELD, initial=1.2), "from 0 to 1"),
        (lambda: run(ramsey(TIMES), FIELD, initial=(0.5, 0.6, 0.1)), "add up to 1"),
        (lambda: run(ramsey(TIMES), FIELD, T1=-1.0), "T1 is"),
        (lambda: run(ramsey(TIMES), FIELD, T1=1e-6, T2=2e-6), "1.5 T1"),
        (lambda: run(ramsey(TIMES), FIELD, T1=16e6), "in seconds"),
        (lambda: run(ramsey([3e-4]), FIELD, TWO15, model="exact", T1=1e-3), "more than"),
        (lambda: Ensemble([1, -1]), "positive"),
        (lambda: Ensemble([1, 1], E=[1e6]), "shape"),
        (lambda: Ensemble([1], E=[5e7]) * Ensemble([1], E=[5e7]), "only one"),
        (lambda: magnetic_noise(-1e-3), "tesla"),
        (lambda: magnetic_noise(1e-3, 0), "nodes"),
        (lambda: ChargeModel(1e26, "line"), "known are bulk, plane"),
        (lambda: ChargeModel(-1.0), "density"),
        (lambda: ChargeModel(1e26, exclusion=0.5), "metres"),
        (lambda: ChargeModel.producing(59), "59e6"),
        (lambda: ChargeModel.producing(59e6).sample(0), "whole number"),
    ],
)
def test_refusals(action, message):
    with pytest.raises(ValueError, match=message):
        action()


def test_wrong_types():
    with pytest.raises(TypeError, match="hahn_echo"):
        run([Pulse(pi)], FIELD)
    with pytest.raises(TypeError, match="Pulse and Wait"):
        Sequence((1e-9,))
