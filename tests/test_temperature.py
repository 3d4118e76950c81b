"""How D follows the temperature: the default slope, models of one's own, refusals."""

import pytest

import vbsense as vb
from vbsense.temperature import LINEAR, MODELS, TemperatureModel

OWN = TemperatureModel("own", (-0.6e6, -200.0), reference=300.0, low=50.0, high=500.0, source="made up for this test")


def test_the_default_is_the_labelled_linear_slope():
    assert vb.VB14N.dD_dT == -0.62e6
    assert vb.VB14N.at(temperature=315).D == vb.VB14N.D - 20 * 0.62e6
    assert vb.VB14N.at(temperature=315).temperature == 315
    assert vb.VB14N.at(temperature=315, model="linear") == vb.VB14N.at(temperature=315)
    assert vb.VB14N.at(dD_dT=0.0, temperature=300).D == pytest.approx(vb.VB14N.D, abs=3.2e6)
    assert not LINEAR.verified
    assert "unverified" in LINEAR.source
    assert "unverified" in vb.VB14N.source
    assert set(MODELS) == {"linear"}


def test_there_and_back_again():
    for model, far in (("linear", 340.0), (OWN, 120.0)):
        back = vb.VB14N.at(temperature=far, model=model).at(temperature=vb.VB14N.temperature, model=model)
        assert back.D == pytest.approx(vb.VB14N.D, abs=1.0)


def test_a_model_of_ones_own_is_a_polynomial_about_its_reference():
    assert OWN.shift(300.0) == 0
    assert OWN.shift(310.0) == pytest.approx(-6.0e6 - 200 * 100)
    moved = vb.VB14N.at(temperature=400, model=OWN).D - vb.VB14N.D
    assert moved == pytest.approx(OWN.shift(400.0) - OWN.shift(295.0))


def test_other_numbers_may_change_with_it():
    hot = vb.VB14N.at(temperature=305, E=50e6)
    assert (hot.E, hot.D) == (50e6, vb.VB14N.D - 6.2e6)
    assert hot.nuclei == vb.VB14N.nuclei


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: vb.VB14N.at(temperature=10), "60 K"),
        (lambda: vb.VB14N.at(temperature=float("nan")), "60 K"),
        (lambda: vb.VB14N.at(temperature="300"), "60 K|temperature"),
        (lambda: vb.VB14N.at(temperature=300, model="gottscholl"), "known are linear"),
        (lambda: vb.VB14N.at(temperature=600, model=OWN), "50 to 500 K"),
        (lambda: TemperatureModel("x", (float("nan"),), 300.0, 0.0, 400.0, source=""), "finite"),
        (lambda: TemperatureModel("x", (1.0,), 300.0, 400.0, 300.0, source=""), "low < high"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()
