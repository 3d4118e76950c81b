"""Light: optical cycle, contrast, field, time and continuous-wave ODMR, against laws, formulas and QuTiP."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

import vbsense as vb
from vbsense.sims.light import contrast, field_light, microwave_rate, pump_rate, saturation
from vbsense.sims.light.cw import cw_spectrum, nuclear_fields
from vbsense.sims.light.cycle import OpticalCycle, Rate
from vbsense.sims.light.cycle_presets import CYCLES, optical_cycle, seven_levels
from vbsense.sims.light.driven import driven_cycle
from vbsense.sims.light.kinetics import Propagator, generator, stationary
from vbsense.sims.light.mixing import electron_states, excited_state, mixing_weights, nuclear_spread

CYCLE = optical_cycle("baber2022")
F = np.linspace(3.0e9, 4.0e9, 201)
NUMBERS = {"rabi": 3e6, "pump": 1e6, "dephasing": 2e7}
positive = st.floats(1e2, 1e10)


# --- the figures that the table of rates must give --------------------------------------------------------------------


@pytest.mark.parametrize(("branching", "asked"), [(1 / 0.34, 0.116), (5.0, 0.158), (20.0, 0.215)])
def test_saturated_contrast_of_one_line(branching, asked):
    """Pump 1 /us, singlet 24 ns, T1 16 us."""
    assert contrast(optical_cycle("baber2022", branching=branching), pump=1e6) == pytest.approx(asked, abs=5e-4)


def test_polarisation():
    ground = CYCLE.steady(1e6)[:3]
    assert ground[1] / ground.sum() == pytest.approx(0.58, abs=5e-3)
    assert CYCLE.initialise(pump=1e6, duration=1e-3)[1] == pytest.approx(0.58, abs=5e-3)


def test_ceiling_of_the_contrast():
    """All spins in m_s = 0 and no relaxation: (1 - isc_zero / isc_one) / 2 for weak light."""
    ideal = optical_cycle("baber2022", branching=1e9, T1=np.inf)
    best = contrast(ideal, pump=np.geomspace(1e3, 1e12, 40)).max()
    assert best == pytest.approx(0.249, abs=5e-4)
    assert best <= (1 - 1.02 / 2.03) / 2 * (1 + 1e-4)
    two = contrast(ideal, pump=1e3, lines=2)
    assert two == pytest.approx((1 - 1.02 / 2.03) * 2 / 3, rel=1e-3)


def test_the_other_reading_of_the_branching_turns_dips_into_peaks():
    assert contrast(optical_cycle("baber2022", branching=0.34), pump=1e6) < -0.02
    for name in CYCLES:
        assert contrast(optical_cycle(name), pump=1e6) > 0.1
        assert contrast(optical_cycle(name), pump=1e6, lines=2) > contrast(optical_cycle(name), pump=1e6)


def test_presets_say_what_is_theirs():
    assert sorted(CYCLES) == ["baber2022", "escalante2025", "konrad2026"]
    lifetimes = {"baber2022": 24e-9, "konrad2026": 24e-9, "escalante2025": 15e-9}
    for name, lifetime in lifetimes.items():
        cycle = optical_cycle(name)
        rates = [r for r in cycle.rates if r.start == "s"]
        assert sum(r.value for r in rates) == pytest.approx(1 / lifetime)
        to = {r.end: r.value for r in rates}
        assert to["g0"] / to["g+1"] == pytest.approx(1 / 0.34)
        assert to["g+1"] == to["g-1"]
        assert all(r.source for r in cycle.rates)
        assert "2111.11770" in cycle.table()
        assert "unverified" in cycle.table()
    assert "not in the abstract of Baber" in optical_cycle("baber2022").table()
    assert "branching as given" in optical_cycle("baber2022", branching=5.0).table()


# --- laws of the rate equations ---------------------------------------------------------------------------------------


def random_cycle(isc_zero, isc_one, branching, singlet, T1):
    return seven_levels(isc_zero=isc_zero, isc_one=isc_one, branching=branching, singlet_lifetime=singlet, T1=T1)


cycles = st.builds(
    random_cycle, st.floats(1e6, 1e10), st.floats(1e6, 1e10), st.floats(0.1, 50), st.floats(1e-9, 1e-6),
    st.floats(1e-6, 1e-3),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(cycles, positive, st.floats(0, 1e9), st.floats(0, 1e9))
def test_the_steady_state_is_stationary_and_positive(cycle, pump, plus, minus):
    p = cycle.steady(pump, drive=(plus, minus))
    assert p.sum() == pytest.approx(1, abs=1e-13)
    assert (p > 0).all()
    rates = cycle.rate_matrix(pump)
    for level, rate in ((0, plus), (2, minus)):
        rates[1, level] += rate
        rates[level, 1] += rate
    M = generator(rates)
    assert np.abs(M @ p).max() <= 1e-13 * np.abs(M * p).max() * 10


@settings(max_examples=15, deadline=None)
@given(cycles, positive, st.floats(1e-9, 1e-5))
def test_evolution_is_the_matrix_exponential(cycle, pump, time):
    p = cycle.evolve([0.2, 0.5, 0.3], [0, time, 2 * time, 10.0], pump=pump)
    M = generator(cycle.rate_matrix(pump))
    start = np.r_[0.2, 0.5, 0.3, np.zeros(4)]
    np.testing.assert_allclose(p[0], start, atol=1e-9)
    np.testing.assert_allclose(p[1], expm(M * time) @ start, atol=1e-8)
    np.testing.assert_allclose(p.sum(-1), 1, atol=1e-12)
    assert (p > -1e-9).all()
    # Two steps are one of twice the length, and a long time is the steady state.
    np.testing.assert_allclose(cycle.evolve(p[1], [time], pump=pump)[0], p[2], atol=1e-8)
    np.testing.assert_allclose(p[3], cycle.steady(pump), atol=1e-6)


def test_detailed_balance_in_the_dark_and_none_in_the_light():
    rates, p = CYCLE.rate_matrix(0.0), CYCLE.steady(0.0)
    flow = p[:, None] * rates
    np.testing.assert_allclose(flow, flow.T, atol=1e-12)
    np.testing.assert_allclose(p[:3], 1 / 3, rtol=1e-12)
    flow = CYCLE.steady(1e6)[:, None] * CYCLE.rate_matrix(1e6)
    assert flow[4, 6] > 100 * flow[6, 4]  # from e0 to the singlet, and never back
    # What goes up comes down: emission and intersystem crossing carry the excitation away.
    assert flow[:3, 3:6].sum() == pytest.approx(flow[3:6, :3].sum() + flow[3:6, 6].sum(), rel=1e-12)


def test_light_is_linear_at_low_pump_and_saturates():
    low = CYCLE.light([1e-3, 1.0, 10.0])
    np.testing.assert_allclose(low / low[0], [1, 1e3, 1e4], rtol=1e-3)
    quantum_yield = np.mean(1e5 / (1e5 + np.array([1.02e9, 2.03e9, 2.03e9])))
    assert low[0] == pytest.approx(1e-3 * quantum_yield, rel=1e-6)
    high = CYCLE.light(np.geomspace(1e3, 1e13, 60))
    assert (np.diff(high) > 0).all()
    assert high[-1] / high[-2] < 1.001
    # 2500 emitters at 1 /us and saturated.
    assert 2500 * CYCLE.light(1e6) == pytest.approx(1.9e5, rel=0.02)
    assert 2500 * high[-1] == pytest.approx(7.9e6, rel=0.02)


def test_contrast_grows_with_the_microwave_as_a_two_level_line():
    rates = np.geomspace(1e2, 1e12, 30)
    c = np.array([contrast(CYCLE, pump=1e6, drive=w) for w in rates])
    full = contrast(CYCLE, pump=1e6)
    half = rates * (full / c - 1)
    np.testing.assert_allclose(half[:20], half[5], rtol=1e-6)
    assert contrast(CYCLE, pump=1e6, drive=0.0) == 0
    assert c[-1] == pytest.approx(full, rel=1e-5)
    power = 10 * np.log10(rates[5] / half[5])
    assert c[5] / full == pytest.approx(saturation(power, 0.0)[0], rel=1e-6)


def test_contrast_vanishes_with_the_light():
    np.testing.assert_allclose(contrast(CYCLE, pump=[1e-3, 1e-2]), 0, atol=1e-6)


def test_a_level_may_be_added():
    """A shelf from which light returns: the steady state stays one, and the light falls."""
    shelf = replace(
        CYCLE, levels=(*CYCLE.levels, "shelf"), rates=(*CYCLE.rates, Rate("s", "shelf", 1e7), Rate("shelf", "g0", 1e6))
    )
    p = shelf.steady(1e6)
    assert p.shape == (8,)
    assert p.sum() == pytest.approx(1)
    assert shelf.light(1e6) < CYCLE.light(1e6)


def test_elimination_without_subtractions_keeps_small_populations():
    rates = np.zeros((3, 3))
    rates[0, 1], rates[1, 0], rates[1, 2], rates[2, 0] = 1e-6, 1e9, 1e3, 1.0
    p = stationary(rates)
    assert p[1] == pytest.approx(1e-6 / (1e9 + 1e3), rel=1e-12)
    assert p[2] == pytest.approx(p[1] * 1e3, rel=1e-12)


def test_a_matrix_without_enough_eigenvectors():
    """Two equal rates in a row: t exp(-t), which no sum of exponentials is."""
    rates = np.zeros((3, 3))
    rates[0, 1] = rates[1, 2] = 1.0
    decay = Propagator(generator(rates))
    t = np.array([0.5, 1.0, 3.0])
    np.testing.assert_allclose(decay.at(t)[:, 1, 0], t * np.exp(-t), rtol=1e-12)
    assert decay.integral(3.0)[1, 0] == pytest.approx(1 - 4 * np.exp(-3), rel=1e-12)


# --- light in time ----------------------------------------------------------------------------------------------------


def test_readout_is_the_integral_of_the_transient():
    populations = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.5, 0.3]])
    x, w = np.polynomial.legendre.leggauss(12)
    edges = np.r_[0.0, np.geomspace(1e-11, 500e-9, 40)]
    times = (edges[1:, None] + edges[:-1, None]) / 2 + np.diff(edges)[:, None] / 2 * x
    weights = np.diff(edges)[:, None] / 2 * w
    counted = CYCLE.transient(populations, times.ravel(), pump=2e6) @ weights.ravel()
    photons = CYCLE.readout(populations, pump=2e6, gate=500e-9)
    assert photons.shape == (4,)
    np.testing.assert_allclose(photons, counted, rtol=1e-9)
    assert photons[1] > photons[0] == pytest.approx(photons[2], rel=1e-9)
    assert photons[3] == pytest.approx(populations[3] @ photons[:3], rel=1e-12)
    assert CYCLE.readout([0, 1, 0], pump=2e6, gate=0.0) == 0
    assert CYCLE.readout([0, 1, 0], pump=0.0, gate=1e-6) == 0


def test_readout_of_a_long_gate_counts_the_steady_light():
    gate = 1.0
    for populations in ([0, 1, 0], [1, 0, 0]):
        assert CYCLE.readout(populations, pump=1e6, gate=gate) == pytest.approx(CYCLE.light(1e6) * gate, rel=1e-5)


def test_initialise():
    p = CYCLE.initialise(pump=5e6, duration=5e-6)
    assert p.shape == (3,)
    assert p.sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(CYCLE.initialise(pump=5e6, duration=0.0), 1 / 3, rtol=1e-12)
    np.testing.assert_allclose(CYCLE.initialise(pump=0.0, duration=1e-6, start=[0, 1, 0], wait=1e-3), 1 / 3, rtol=1e-6)
    # What is in the singlet when the laser goes off falls as the table says: so does a wait of many lifetimes.
    still = optical_cycle("baber2022", T1=np.inf)
    np.testing.assert_allclose(
        still.initialise(pump=5e6, duration=3e-7), still.initialise(pump=5e6, duration=3e-7, wait=2e-6), atol=1e-9
    )


def test_spins_relax_with_T1_in_the_dark():
    t = np.array([0.0, 8e-6, 16e-6, 48e-6])
    p = CYCLE.evolve([0, 1, 0], t, pump=0.0)[:, 1]
    np.testing.assert_allclose(p - 1 / 3, 2 / 3 * np.exp(-t / 16e-6), atol=1e-9)


def test_after_the_laser_light_decays_with_the_excited_state():
    end = CYCLE.evolve([0, 1, 0], [5e-9], pump=1e6)[0]
    t = np.array([0.0, 1e-9])
    dark = CYCLE.transient(end, t, pump=0.0)
    expected = 1e5 * (end[4] * np.exp(-t * (1.02e9 + 1e5)) + (end[3] + end[5]) * np.exp(-t * (2.03e9 + 1e5)))
    np.testing.assert_allclose(dark, expected, rtol=1e-9)


# --- light against field ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["coherent", "rates"])
def test_dips_at_the_anticrossings(method):
    z = np.arange(20e-3, 160e-3, 1e-3)
    light = field_light(z[:, None] * [0, 0, 1], CYCLE, pump=1e6, method=method)
    first, second = z < 100e-3, z >= 100e-3
    assert z[first][light[first].argmin()] == pytest.approx(74.7e-3, abs=1e-3)
    assert z[second][light[second].argmin()] == pytest.approx(124.0e-3, abs=1e-3)
    assert 0.75 < light.min() / light[0] < 0.95


@pytest.mark.parametrize("method", ["coherent", "rates"])
def test_without_mixing_the_field_changes_nothing(method):
    bare = replace(vb.VB14N, nuclei=(), E=0.0)
    z = np.linspace(0.011, 0.151, 8)[:, None] * [0, 0, 1]
    np.testing.assert_allclose(field_light(z, CYCLE, bare, pump=1e6, method=method), CYCLE.light(1e6), rtol=1e-12)


def test_a_tilted_field_quenches_the_light():
    tilt = np.deg2rad([0, 2, 10, 45])
    light = field_light(30e-3 * np.stack([np.sin(tilt), 0 * tilt, np.cos(tilt)], -1), CYCLE, pump=1e6, points=1)
    assert (np.diff(light) < 0).all()
    c = field_light([0.0, 0, 30e-3], CYCLE, pump=1e6)
    assert c.shape == ()


def test_a_turned_defect_in_a_turned_field_gives_the_same_light():
    from scipy.spatial.transform import Rotation

    R = Rotation.from_euler("zyx", [0.4, 1.1, -0.3]).as_matrix()
    turned = replace(vb.VB14N, orientation=R)
    B, drive = np.array([2e-3, 1e-3, 60e-3]), np.array([1, 0.3j, 0.2])
    for method in ("coherent", "rates"):
        light = field_light(R @ B, CYCLE, turned, pump=1e6, method=method)
        assert light == pytest.approx(field_light(B, CYCLE, pump=1e6, method=method), rel=1e-9)
    f, comb = np.linspace(1e9, 6e9, 51), nuclear_fields()
    np.testing.assert_allclose(
        cw_spectrum(f, R @ B, CYCLE, turned, **NUMBERS, drive=R @ drive, comb=comb),
        cw_spectrum(f, B, CYCLE, **NUMBERS, drive=drive, comb=comb),
        rtol=1e-9,
    )


def test_the_field_may_be_reversed():
    B = np.array([[1e-3, 2e-3, 60e-3], [5e-3, 0, 124e-3], [0, 3e-3, 0]])
    np.testing.assert_allclose(field_light(B, CYCLE, pump=1e6), field_light(-B, CYCLE, pump=1e6), rtol=1e-9)


def test_the_quadrature_over_nuclear_fields():
    """Against many random nuclear fields; more points change little."""
    B = np.array([[0, 0, 40e-3], [0, 0, 74.7e-3], [2e-3, 0, 110e-3]])
    light = field_light(B, CYCLE, pump=1e6)
    np.testing.assert_allclose(light, field_light(B, CYCLE, pump=1e6, points=12), rtol=4e-3)
    z = np.random.default_rng(5).normal(size=(20000, 3))
    excited = excited_state()
    light = field_light(B, CYCLE, pump=1e6, method="rates")
    for k, field in enumerate(B):
        upper = electron_states(field + z * nuclear_spread(excited), excited)[1]
        P = mixing_weights(CYCLE, electron_states(field + z * nuclear_spread())[1], upper)
        p = stationary(P @ CYCLE.rate_matrix(1e6) @ P.swapaxes(-1, -2))
        drawn = ((P @ CYCLE.emission) * p).sum(-1)
        assert light[k] == pytest.approx(drawn.mean(), abs=5 * drawn.std() / np.sqrt(len(z)) + 5e-3 * light[k])


def test_mixed_rates_conserve_what_they_must():
    B = np.random.default_rng(2).normal(0, 0.05, (20, 3))
    P = mixing_weights(CYCLE, electron_states(B)[1], electron_states(B, excited_state())[1])
    np.testing.assert_allclose(P.sum(-1), 1, rtol=1e-12)
    np.testing.assert_allclose(P.sum(-2), 1, rtol=1e-12)
    rates = P @ CYCLE.rate_matrix(1e6) @ P.swapaxes(-1, -2)
    # Relaxation towards one third is the same in every basis.
    np.testing.assert_allclose(rates[:, :3, :3], 1 / (3 * 16e-6), rtol=1e-9)
    np.testing.assert_allclose(rates[:, :3, 3:6].sum(-1), 1e6, rtol=1e-9)
    np.testing.assert_allclose(rates[:, 6, :3].sum(-1), 1 / 24e-9, rtol=1e-9)


def test_nuclear_spread_is_the_width_of_the_comb():
    shifts, weights = nuclear_fields()
    assert np.sqrt(weights @ shifts**2) == pytest.approx(nuclear_spread()[2], rel=1e-9)
    assert np.sqrt(weights @ shifts**2) * vb.VB14N.gamma == pytest.approx(64e6, rel=0.01)
    shifts, weights = nuclear_fields(vb.VB15N)
    np.testing.assert_allclose(weights * 8, [1, 3, 3, 1])
    assert np.diff(shifts) * vb.VB15N.gamma == pytest.approx(64e6, rel=0.02)


@pytest.mark.parametrize(
    ("field", "tolerance"),
    [
        ([0, 0, 20e-3], 1e-9),
        ([3e-3, 1e-3, 40e-3], 0.01),
        ([8e-3, 4e-3, 100e-3], 0.01),
        ([3e-3, 0, 124e-3], 0.01),
        ([1e-3, 0, 74.66e-3], 0.25),
    ],
)
def test_light_in_a_field_against_qutip(field, tolerance):
    """Spin Hamiltonians in both triplets, jumps between pure states; rates between mixed states come near it."""
    qutip = pytest.importorskip("qutip")
    bare = replace(vb.VB14N, nuclei=())
    H = np.zeros((7, 7), dtype=complex)
    for block, state in ((slice(0, 3), bare), (slice(3, 6), excited_state(bare))):
        H[block, block] = spin_hamiltonian(qutip, field, state)
    jumps = jump_operators(qutip, CYCLE.rate_matrix(1e6) / 1e9)
    rho = qutip.steadystate(qutip.Qobj(2 * np.pi * H / 1e9), jumps).full()
    quantum = (rho.diagonal().real * CYCLE.emission).sum()
    assert field_light(field, CYCLE, bare, pump=1e6) == pytest.approx(quantum, rel=1e-10)
    # Too much mixing where the excited levels cross: never too little light lost.
    rates = field_light(field, CYCLE, bare, pump=1e6, method="rates")
    assert quantum * (1 - tolerance) <= rates <= quantum * (1 + 1e-9)


# --- continuous-wave spectra ------------------------------------------------------------------------------------------


def spin_hamiltonian(qutip, field, defect):
    """H/h of the electron spin, written down once more."""
    S = [s.full() for s in qutip.jmat(1)]
    H = defect.D * (S[2] @ S[2] - 2 / 3 * np.eye(3)) + defect.E * (S[0] @ S[0] - S[1] @ S[1])
    return H + defect.gamma * sum(B * s for B, s in zip(field, S, strict=True))


def jump_operators(qutip, rates):
    n = len(rates)
    ket = [qutip.basis(n, k) for k in range(n)]
    return [np.sqrt(rates[i, j]) * ket[j] * ket[i].dag() for i in range(n) for j in range(n) if rates[i, j] > 0]


def oracle(qutip, frequency, field, *, rabi, pump, dephasing, drive=(1, 0, 0)):
    """Steady state of the full 7-level density matrix, one frequency at a time."""
    energy, V = np.linalg.eigh(spin_hamiltonian(qutip, field, vb.VB14N))
    zero = int(np.abs(V[1]).argmax())
    high, low = sorted({0, 1, 2} - {zero}, reverse=True)
    order = [high, zero, low]
    energy, V = energy[order] - energy[zero], V[:, order]
    W = np.linalg.eigh(spin_hamiltonian(qutip, field, excited_state()))[1]
    overlap = np.eye(7)
    overlap[:3, :3], overlap[3:6, 3:6] = np.abs(V.T) ** 2, np.abs(W.T) ** 2
    rates = np.einsum("im,mn,jn->ij", overlap, CYCLE.rate_matrix(pump), overlap) / 1e9
    jumps = jump_operators(qutip, rates)
    jumps.append(qutip.Qobj(np.diag([1.0, 0, -1, 0, 0, 0, 0])) * np.sqrt(2 * dephasing / 1e9))
    n = np.array(drive, dtype=complex) / np.linalg.norm(drive)
    S = sum(c * s.full() for c, s in zip(n, qutip.jmat(1), strict=True))
    sign = np.sign(energy)
    light = []
    for f in frequency:
        H = np.zeros((7, 7), dtype=complex)
        H[:3, :3] = np.diag(energy - sign * f)
        for k in (0, 2):
            H[k, 1] = rabi / np.sqrt(2) * (V[:, k].conj() @ (S if sign[k] > 0 else S.conj().T) @ V[:, 1])
            H[1, k] = H[k, 1].conj()
        rho = qutip.steadystate(qutip.Qobj(2 * np.pi * H / 1e9), jumps).full()
        light.append(rho.diagonal().real @ overlap @ CYCLE.emission)
    return np.array(light)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ([0, 0, 10e-3], {}),
        ([0, 0, 0], {"rabi": 3e7}),
        ([3e-3, 2e-3, 10e-3], {"drive": (1, 1j, 0.3)}),
        ([1e-3, 0, 130e-3], {"pump": 1e7}),
    ],
)
def test_spectra_against_qutip(field, options):
    qutip = pytest.importorskip("qutip")
    numbers = NUMBERS | options
    lines = driven_cycle(field, CYCLE, **numbers).lines
    frequency = np.r_[lines, lines - 7e6, lines.mean(), 9e9]
    ours = cw_spectrum(frequency, field, CYCLE, **numbers)
    np.testing.assert_allclose(ours, oracle(qutip, frequency, field, **numbers), rtol=1e-8)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.floats(-0.05, 0.05)] * 2, st.floats(-0.2, 0.2)), st.floats(0, 1e8), st.floats(1e3, 1e9),
    st.floats(1e4, 1e9), st.tuples(*[st.complex_numbers(min_magnitude=0.1, max_magnitude=1)] * 3),
)  # fmt: skip
@example((0.0, 0.0, 0.125), 55.0, 1e3, 1e4, (1 + 0j, 1 + 0j, 1 + 0j))  # midway between the lines, a third resonance
def test_poles_equal_direct_solves_and_the_state_is_one(field, rabi, pump, dephasing, drive):
    driven = driven_cycle(field, CYCLE, rabi=rabi if rabi > 1 else 0.0, pump=pump, dephasing=dephasing, drive=drive)
    frequency = np.r_[np.linspace(1e8, 9e9, 20), driven.lines, driven.lines + 1e6]
    direct = driven.solve(frequency)
    np.testing.assert_allclose(driven.states(frequency), direct, rtol=0, atol=1e-10)
    np.testing.assert_allclose(driven.light(frequency), (direct @ driven.emission).real, rtol=1e-10)
    rho = driven.density(frequency)
    np.testing.assert_allclose(np.trace(rho, axis1=1, axis2=2), 1, atol=1e-12)
    np.testing.assert_allclose(rho, rho.conj().swapaxes(1, 2), atol=1e-10)
    assert np.linalg.eigvalsh(rho).min() > -1e-10


def test_one_line_is_the_rate_equation_with_the_coherence_eliminated():
    """A circular drive and E = 0 leave one line: exact, at any power; its width grows with sqrt(1 + s)."""
    defect = replace(vb.VB14N, E=0.0)
    field, pump, dephasing = [0, 0, 10e-3], 1e6, 2e7
    center = defect.D + defect.gamma * 10e-3
    decoherence = dephasing + pump + 1 / 16e-6
    limit = contrast(CYCLE, pump=pump)
    weak = microwave_rate(1e3, decoherence=decoherence)
    half = weak * (limit / contrast(CYCLE, pump=pump, drive=weak) - 1)
    for rabi in (1e4, 1e6, 2e7):
        driven = driven_cycle(field, CYCLE, defect, rabi=rabi, pump=pump, dephasing=dephasing, drive=(1, 1j, 0))
        offset = np.linspace(-3e8, 3e8, 41)
        rate = microwave_rate(np.sqrt(2) * rabi, decoherence=decoherence, detuning=offset)
        expected = [CYCLE.light(pump, drive=(w, 0.0)) for w in rate]
        np.testing.assert_allclose(driven.light(center + offset), expected, rtol=1e-9)
        s = microwave_rate(np.sqrt(2) * rabi, decoherence=decoherence) / half
        width = decoherence / np.pi * np.sqrt(1 + s)
        depth = 1 - driven.light([center, center - width / 2, center + width / 2]) / CYCLE.light(pump)
        np.testing.assert_allclose(depth[1:] / depth[0], 0.5, rtol=1e-5)
        assert depth[0] == pytest.approx(limit * s / (1 + s), rel=1e-5)


def test_spectra_without_drive_are_flat():
    light = cw_spectrum(F, [0, 0, 10e-3], CYCLE, rabi=0.0, pump=1e6, dephasing=2e7)
    assert np.ptp(light) == pytest.approx(0, abs=1e-10 * light[0])
    assert light[0] == pytest.approx(CYCLE.light(1e6), rel=2e-3)


def test_contrast_needs_light_and_microwave():
    def depth(**options):
        light = cw_spectrum(F, [0, 0, 10e-3], CYCLE, **(NUMBERS | options))
        return 1 - light.min() / light.max()

    assert depth() > 0.05
    assert depth(rabi=10.0) < 1e-8
    assert depth(pump=1.0) < 1e-3
    assert cw_spectrum(F, [0, 0, 10e-3], CYCLE, **(NUMBERS | {"pump": 0.0})).max() == pytest.approx(0, abs=1e-12)


def test_dips_lie_at_the_lines():
    f = np.linspace(3.0e9, 4.0e9, 4001)
    light = cw_spectrum(f, [0, 0, 10e-3], CYCLE, **NUMBERS)
    lower, upper = vb.transitions([0, 0, 10e-3])
    assert f[:2000][light[:2000].argmin()] == pytest.approx(lower, abs=0.5e6)
    assert f[2000:][light[2000:].argmin()] == pytest.approx(upper, abs=0.5e6)


def test_both_lines_saturate_together_at_zero_field():
    """E = 0, B = 0: a linear drive sees one bright superposition, and the contrast stays that of one line."""
    defect = replace(vb.VB14N, E=0.0)
    strong = driven_cycle([0, 0, 1e-9], CYCLE, defect, rabi=1e7, pump=1e6, dephasing=2e7)
    dip = 1 - strong.light([3.47e9])[0] / CYCLE.light(1e6)
    assert contrast(CYCLE, pump=1e6) < dip < contrast(CYCLE, pump=1e6, lines=2)


def test_comb_and_batches():
    B = np.array([[[0, 0, 10e-3], [0, 1e-3, 12e-3]], [[0, 0, 8e-3], [0, 0, 30e-3]]])
    light = cw_spectrum(F, B, CYCLE, **NUMBERS, comb=nuclear_fields())
    assert light.shape == (2, 2, 201)
    shifts, weights = nuclear_fields()
    by_hand = sum(
        w * cw_spectrum(F, B[0, 1] + [0, 0, s], CYCLE, **NUMBERS) for s, w in zip(shifts, weights, strict=True)
    )
    np.testing.assert_allclose(light[0, 1], by_hand, rtol=1e-12)
    assert cw_spectrum(F, np.zeros((0, 3)), CYCLE, **NUMBERS).shape == (0, 201)


def test_a_meeting_of_poles_is_solved_directly(monkeypatch):
    driven = driven_cycle([0, 0, 10e-3], CYCLE, **NUMBERS)
    light = driven.light(F)
    monkeypatch.setattr("vbsense.sims.light.driven._WORST", 0.0)
    again = driven_cycle([0, 0, 10e-3], CYCLE, **NUMBERS)
    assert again._poles is None
    np.testing.assert_allclose(again.light(F), light, rtol=1e-12)
    np.testing.assert_allclose(again.states(F), driven.states(F), atol=1e-12)


# --- formulas ---------------------------------------------------------------------------------------------------------


def test_pump_rate_is_linear_and_integrates_to_the_power():
    """Photon flux of the Gaussian spot over the plane is power over photon energy."""
    from scipy.constants import c, h

    flux = pump_rate(2e-3, cross_section=1e-22, fwhm=0.8e-6) / 1e-22
    area = np.pi * (0.8e-6) ** 2 / (4 * np.log(2))
    assert flux * area == pytest.approx(2e-3 * 532e-9 / (h * c), rel=1e-12)
    np.testing.assert_allclose(pump_rate([0, 1e-3, 2e-3], cross_section=1e-22, fwhm=1e-6)[[0, 1, 1]] * [1, 2, 0],
                               pump_rate([0, 2e-3, 0], cross_section=1e-22, fwhm=1e-6))  # fmt: skip


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: optical_cycle("baber2021"), "did you mean 'baber2022'.*escalante2025, konrad2026"),
        (lambda: optical_cycle("baber2022", branch=2), "branch"),
        (lambda: optical_cycle("baber2022", branching=-1), "branching is -1"),
        (lambda: optical_cycle("baber2022", branching=np.nan), "branching is nan"),
        (lambda: optical_cycle("baber2022", isc_zero=1.02), "1.02 per nanosecond is 1.02e9"),
        (lambda: optical_cycle("baber2022", singlet_lifetime=24), "24 ns is 24e-9"),
        (lambda: optical_cycle("baber2022", T1=16), "16 us is 16e-6"),
        (lambda: optical_cycle("baber2022", T1=0.0), "above 0"),
        (lambda: Rate("a", "b", -1.0), "0 or more"),
        (lambda: Rate("a", "b", np.nan), "0 or more"),
        (lambda: Rate("a", "b", 1.0, "bright"), "dark, light, pump"),
        (lambda: replace(CYCLE, levels=CYCLE.levels[:-1]), "no level s"),
        (lambda: replace(CYCLE, levels=(*CYCLE.levels, "s")), "once"),
        (lambda: replace(CYCLE, ground=("g0",)), "three levels"),
        (lambda: CYCLE.steady(-1.0), "pump"),
        (lambda: CYCLE.light(np.nan), "pump"),
        (lambda: CYCLE.light(1j), "complex"),
        (lambda: CYCLE.steady(1e6, drive=(1.0,)), "drive"),
        (lambda: CYCLE.steady(1e6, drive=(-1.0, 0)), "drive"),
        (lambda: optical_cycle("baber2022", T1=np.inf).steady(0.0), "no unique stationary state"),
        (lambda: contrast(CYCLE, pump=0.0), "without light"),
        (lambda: contrast(CYCLE, pump=1e6, lines=3), "one line or two"),
        (lambda: CYCLE.readout([1, 0], pump=1e6, gate=1e-7), "last axis"),
        (lambda: CYCLE.readout([1, 1, 0], pump=1e6, gate=1e-7), "sum to 1"),
        (lambda: CYCLE.readout([1.5, -0.5, 0], pump=1e6, gate=1e-7), "not negative"),
        (lambda: CYCLE.readout([np.nan, 1, 0], pump=1e6, gate=1e-7), "finite"),
        (lambda: CYCLE.readout([1, 0, 0], pump=[1e6], gate=1e-7), "one pump rate"),
        (lambda: CYCLE.readout([1, 0, 0], pump=1e6, gate=300), "300 ns is 300e-9"),
        (lambda: CYCLE.initialise(pump=1e6, duration=-1.0), "duration"),
        (lambda: CYCLE.evolve([0, 1, 0], 1e-6, pump=1e6), "one-dimensional"),
        (lambda: field_light([0, 0], CYCLE, pump=1e6), "last dimension"),
        (lambda: field_light([0, 0, 124.0], CYCLE, pump=1e6), "tesla"),
        (lambda: field_light([0, 0, 0.1], CYCLE, pump=1e6, points=0), "points"),
        (lambda: field_light([0, 0, 0.1], CYCLE, pump=1e6, method="exact"), "coherent, rates"),
        (lambda: field_light([0, 0, 0.1], CYCLE, pump=[1e6]), "one pump rate"),
        (lambda: cw_spectrum(F, [0, 0, 0], CYCLE, **(NUMBERS | {"pump": [1e6]})), "one pump rate"),
        (lambda: microwave_rate(1e6, decoherence=0.0), "decoherence"),
        (lambda: microwave_rate(-1e6, decoherence=1e7), "rabi"),
        (lambda: pump_rate(-1.0, cross_section=1e-22, fwhm=1e-6), "power"),
        (lambda: pump_rate(1e-3, cross_section=1e-22, fwhm=0.5), "fwhm"),
        (lambda: cw_spectrum(np.linspace(3, 4, 5), [0, 0, 0], CYCLE, **NUMBERS), "3.47 GHz is 3.47e9"),
        (lambda: cw_spectrum([np.nan, 3e9], [0, 0, 0], CYCLE, **NUMBERS), "finite"),
        (lambda: cw_spectrum([[3e9]], [0, 0, 0], CYCLE, **NUMBERS), "one-dimensional"),
        (lambda: cw_spectrum(F, [0, 0, np.nan], CYCLE, **NUMBERS), "NaN"),
        (lambda: cw_spectrum(F, [0, 0, 0], CYCLE, **(NUMBERS | {"rabi": -1e6})), "rabi"),
        (lambda: cw_spectrum(F, [0, 0, 0], CYCLE, **(NUMBERS | {"dephasing": 50e-9})), "1/T2"),
        (lambda: cw_spectrum(F, [0, 0, 0], CYCLE, **NUMBERS, drive=(0, 0, 0)), "direction"),
        (lambda: cw_spectrum(F, [0, 0, 0], CYCLE, **NUMBERS, comb=([0.0], [0.5])), "sum to 1"),
        (lambda: cw_spectrum(F, [0, 0, 0], CYCLE, **NUMBERS, comb=([0.0, 1.0], [1.0])), "one length"),
        (lambda: driven_cycle([[0, 0, 0]], CYCLE, **NUMBERS), "one field"),
    ],
)
def test_refusals(action, message):
    with pytest.raises(ValueError, match=message):
        action()


def test_a_level_that_is_never_left_is_named():
    trap = OpticalCycle("trap", (*CYCLE.levels, "trap"), (*CYCLE.rates, Rate("s", "trap", 1e6)))
    with pytest.raises(ValueError, match="level trap"):
        trap.steady(1e6)
    with pytest.raises(ValueError, match="never left"):
        trap.initialise(pump=1e6, duration=1e-6)
