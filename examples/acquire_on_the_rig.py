"""An ODMR sweep through the real drivers on a simulated rig: python acquire_on_the_rig.py [PICTURE.png]"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import vbsense as vb
from vbsense import analysis, instruments, sims
from vbsense.analysis import plot
from vbsense.data import average

scene = sims.gold_wire_nanoarray(rows=6, columns=6)
frequency = np.linspace(2.97e9, 3.97e9, 61)

with tempfile.TemporaryDirectory() as folder:
    run = Path(folder) / "run"
    # Whatever ends this block - the end, an error, Ctrl-C, even kill -9 - leaves the outputs off.
    with instruments.simulated_rig(scene, seed=1) as rig:
        sweep = instruments.odmr_sweep(
            rig, frequency, run=run, exposure=1.0, power=15.0, currents=(1e-3, -1e-3), averages=2, order="palindrome"
        )
    vb.save(sweep, Path(folder) / "sweep.h5")
    sweep = vb.load(Path(folder) / "sweep.h5")

# Up and down of the palindrome together: drift and a trigger that is off by one cancel.
sites = analysis.unmix(average(sweep, "direction"))
fit = analysis.fit_sweep(sites, "gaussian")
print(f"{int((fit.flags == 0).sum())} of {fit.flags.size} fits are good")

figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
plot.light_image(sweep, sites, left)
plot.site_spectrum(sites, fit, 14, right)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "acquire_on_the_rig.png", dpi=120)
