"""The wire below a nanoarray of sensor spots: python current_of_a_nanoarray.py [PICTURE.png]"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vbsense import analysis, sims
from vbsense.analysis import plot

# A scene from a file: spots of 100 nm, placed by hand on a gold wire. Fewer here, with a steady laser and stage.
changes = {"sensor.rows": 11, "sensor.columns": 11, "microscope.shape": [56, 56]}
changes |= {"drift.laser_noise": "0 %", "drift.stage": ["0 nm/s", "0 nm/s"], "drift.stage_noise": "0 nm/s^0.5"}
plan = sims.load_scene(Path(__file__).parent / "scenes" / "nanoarray_on_gold_wire.toml", overrides=changes)
scene, measured = plan.scene, plan.measurement
frequency = np.linspace(measured.frequency[0], measured.frequency[-1], 61)
sweep = sims.simulate_sweep(
    scene, frequency, exposure=measured.exposure, averages=16, currents=measured.currents, rng=2
)

# Images, sites, lines, field: every spot by itself, though the microscope mixes neighbours.
sites = analysis.unmix(sweep, psf=scene.psf)
fit = analysis.fit_sweep(sites, "gaussian", covariance=True)
field = analysis.field_map(fit, scene.defect, correction=analysis.hyperfine_correction(fit, scene.defect))
print(f"{field.sizes['site']} sites, {float(field.B_err.median()) * 1e6:.0f} uT each")

# The wire that explains them. Its width and thickness are taken as known.
wire = analysis.fit_wire(field, wire=scene.conductor, free=("current", "standoff", "position"))
truth = {"current": 1e-3, "standoff": 35e-9, "position": 0.0}
for name, unit, scale in (("current", "mA", 1e3), ("standoff", "nm", 1e9), ("position", "nm", 1e9)):
    found, error = wire.values[name] * scale, wire.errors[name] * scale
    print(f"{name}: {found:.3f} +- {error:.3f} {unit}, truth {truth[name] * scale:.3f} {unit}")

figure = Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
plot.site_map(field, left, wire=wire)
plot.cut(field, wire, right, truth=scene.wire_field(1e-3)[:, 2])
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "current_of_a_nanoarray.png", dpi=120)
