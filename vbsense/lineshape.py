"""Line shapes that can be fitted: names, units, bounds, values and derivatives of each model.

A model is a signal in electrons against frequency in Hz. Dips are fractions of the offset,

    signal = offset * (1 - contrast_lower * L((f - center_lower) / fwhm_lower) - contrast_upper * L(...)),

with L(d) = 1 / (1 + 4 d^2) (Lorentzian) or exp(-4 ln2 d^2) (Gaussian), so that L(0) = 1 and L(1/2) = 1/2.

"hyperfine14" and "hyperfine15" put a comb of Lorentzians in the place of L, one line for each total m of the three
nitrogens: 1:3:6:7:6:3:1 or 1:3:3:1, spaced by |A_cc| of the presets (45.5 and 63.8 MHz). Their ``center`` is the
middle of the comb, their ``fwhm`` the width of **one** hyperfine line, and their ``contrast`` the depth of the whole
comb at its middle. That is first order in A/D and leaves E out; `vbsense.analysis.hyperfine_correction` takes off
what this does to the field.

============================================  =====================================================================
model                                         what it is
============================================  =====================================================================
"lorentzian", "gaussian"                      two lines; "lorentzian1", "gaussian1": one
"hyperfine14", "hyperfine15"                  two combs; "hyperfine14_1", "hyperfine15_1": one
"hyperfine14_14_15", "hyperfine14_15_15"      two combs of unlike nitrogens; with "_1" behind: one
"nv14", "nv15"                                two combs of the nitrogen-vacancy centre: three lines 2.16 MHz apart,
                                              or two 3.03 MHz apart (widely quoted); with "_1" behind: one.
                                              ``contrast`` is the depth at a line that lies in or next to the middle
"pseudo_voigt", "pseudo_voigt1"               Lorentzian and Gaussian of one width, ``mixing`` parts and the rest
"skewed", "skewed1"                           ``skew`` is the logarithm of the half-width above the middle over the
                                              one below; depth and ``fwhm`` as always
"emg", "emg1"                                 a Gaussian with an exponential tail; ``center`` is its centroid,
                                              ``fwhm`` 2.355 times its standard deviation, ``contrast`` the depth
                                              of a Gaussian of its area and ``skew`` the third standardised moment
"hamiltonian", "hamiltonian_gaussian"         VB14N with the field for a parameter, of Lorentzians or Gaussians: see
                                              `vbsense.groundstate.effective`. Under these names a drive along x and
                                              any frequencies; the fits make it for those of their sweep
name + "+shared_fwhm"                         one ``fwhm`` for both lines: see `shared`
name + "+baseline"                            light that drifts along the sweep: see `with_baseline`
============================================  =====================================================================

Any comb is made by `comb_model`, and any shape by a function of numbers: `model_from_function`. A model at full speed
is a function, a compiled kernel with derivatives, names and units. Here the square of a Lorentzian, which falls off
faster:

>>> import numpy as np
>>> import warnings
>>> from vbsense._jit import kernel
>>> from vbsense._shapes import SIGNATURES
>>> def squared(frequency, offset, center, fwhm, contrast):
...     return offset * (1 - contrast / (1 + ((frequency - center) / fwhm) ** 2) ** 2)
>>> def squared_kernel(x, p, out, jacobian):
...     for m in range(x.size):
...         d = (x[m] - p[1]) / p[2]
...         line = 1 / (1 + d * d)
...         out[m] = p[0] * (1 - p[3] * line**2)
...         jacobian[0, m] = 1 - p[3] * line**2
...         jacobian[1, m] = -4 * p[0] * p[3] * line**3 * d / p[2]
...         jacobian[2, m] = -4 * p[0] * p[3] * line**3 * d**2 / p[2]
...         jacobian[3, m] = -p[0] * line**2
>>> with warnings.catch_warnings():  # what is typed at a prompt cannot be cached: that is fine here
...     warnings.simplefilter("ignore")
...     compiled = kernel(SIGNATURES)(squared_kernel)
>>> model = verify(Model("squared", ("offset", "center", "fwhm", "contrast"), ("electron", "Hz", "Hz", "1"),
...                      squared, compiled, positions=("center",), bounds={"fwhm": (1e6, 1e9), "contrast": (0, 1)}))
>>> model.evaluate([3.4e9, 3.5e9], [1000.0, 3.4e9, 1e8, 0.1]).tolist()
[900.0, 975.0]

``analysis.fit_sweep(sweep, model=model)`` and ``analysis.fit_spectrum`` take it as it is. Start values are found by
matched filter, because its parameters are an offset and the center, fwhm and contrast of a line; a model with
others brings its own `guess`.
"""

from __future__ import annotations

import functools

from vbsense.lineshapes.catalogue import MODELS, SPECIAL_MODELS, comb_model
from vbsense.lineshapes.check import verify
from vbsense.lineshapes.compose import shared, tied, with_baseline
from vbsense.lineshapes.model import UNITS, Model, unknown
from vbsense.lineshapes.own import model_from_function

__all__ = [
    "HAMILTONIAN",
    "MODELS",
    "SPECIAL_MODELS",
    "UNITS",
    "Model",
    "comb_model",
    "get_model",
    "model_from_function",
    "shared",
    "tied",
    "verify",
    "with_baseline",
]

# Models with the field for a parameter, and the shape of their lines: see `vbsense.groundstate.effective`.
HAMILTONIAN = {"hamiltonian": "lorentzian", "hamiltonian_gaussian": "gaussian"}


def get_model(model: str | Model) -> Model:
    """Return a model by name; a `Model` is returned as it is.

    Parameters
    ----------
    model : str or Model
        A name from the table of this module, with "+baseline" or "+shared_<word>" behind it if wanted, of the
        Hamiltonian also "+E", or your own.

    Raises
    ------
    ValueError
        If there is no such model; the message shows the nearest name.

    Examples
    --------
    >>> get_model("gaussian1").parameters
    ('offset', 'center', 'fwhm', 'contrast')
    >>> get_model("gaussian1+baseline").parameters
    ('offset', 'center', 'fwhm', 'contrast', 'slope')
    >>> get_model("gausian")
    Traceback (most recent call last):
    ValueError: unknown model 'gausian'; did you mean 'gaussian'? There are lorentzian, gaussian, hyperfine14, ...
    """
    if isinstance(model, Model):
        return model
    if not isinstance(model, str):
        raise TypeError(f"a model is a name or a Model; received {type(model).__name__}")
    return _composed(model)


@functools.cache
def _composed(name: str) -> Model:
    """Return the model of a name such as "gaussian+shared_fwhm+baseline"."""
    known = MODELS | SPECIAL_MODELS
    first, *more = name.split("+")
    if first in HAMILTONIAN:
        from vbsense.groundstate.effective import E_RANGE, hamiltonian_model

        free = "E" in more
        model: Model = hamiltonian_model(shape=HAMILTONIAN[first], E_range=E_RANGE if free else None)
        more = [part for part in more if part != "E"]
    elif first in known:
        model = known[first]
    else:
        raise ValueError(unknown("model", first, (*known, *HAMILTONIAN)))
    for part in more:
        word = part.removeprefix("shared_")
        if part == "baseline":
            model = with_baseline(model)
        elif word != part:
            model = shared(model, word)
        else:
            raise ValueError(unknown("addition", part, ("baseline", "shared_fwhm"), f" to the model {first!r}"))
    return model
