"""From a wire to a map and back to the current, without instruments: python wire_to_current.py [PICTURE.png]"""

import sys

import numpy as np
from matplotlib.figure import Figure

from vbsense import analysis, sims
from vbsense.analysis import plot

# The truth: 1 mA through a gold wire, a lattice of V_B^- spots 35 nm above it, 10 mT along c.
scene = sims.gold_wire_nanoarray(current=1e-3)
frequency = np.linspace(2.97e9, 3.97e9, 81)

# A camera looks at it while the microwave steps, once with +I and once with -I.
sweep = sims.simulate_sweep(scene, frequency, exposure=1.0, averages=8, currents=(1e-3, -1e-3), rng=1)

# Sites -> lines -> field. The table takes off what the hyperfine structure does to a Gaussian fit.
sites = analysis.unmix(sweep)
fit = analysis.fit_sweep(sites, "gaussian", covariance=True)
field = analysis.field_map(fit, correction=analysis.hyperfine_correction(fit))

# The wire that explains the map; its width and thickness are taken as known.
wire = analysis.fit_wire(field, wire=scene.conductor, free=("current", "standoff", "position"))
for name, unit, scale in (("current", "mA", 1e3), ("standoff", "nm", 1e9), ("position", "nm", 1e9)):
    print(f"{name}: {wire.values[name] * scale:.4g} +- {wire.errors[name] * scale:.2g} {unit}")

figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
plot.site_map(field, left)
plot.cut(field, wire, right, truth=scene.wire_field(1e-3)[:, 2])
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "wire_to_current.png", dpi=120)
