"""The current density in a U-shaped trace under a layer: python current_of_a_u_trace.py [PICTURE.png]"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vbsense import analysis, sims
from vbsense.analysis.currentplots import plot_current

# A scene from a file, with larger pixels, fewer frequencies and more frames.
larger = {"microscope.shape": [64, 64], "microscope.pixel_size": "300 nm"}
plan = sims.load_scene(Path(__file__).parent / "scenes" / "u_trace_under_layer.toml", overrides=larger)
scene, measured = plan.scene, plan.measurement
frequency = np.linspace(measured.frequency[0], measured.frequency[-1], 37)
sweep = sims.simulate_sweep(
    scene, frequency, exposure=measured.exposure, averages=60, currents=measured.currents, rng=measured.seed
)

# Light, lines, field: half the difference of both polarities, so that the bias drops out.
fit = analysis.fit_sweep(sweep, "gaussian", covariance=True)
field = analysis.field_map(fit, scene.defect, correction=analysis.hyperfine_correction(fit, scene.defect))

# The current 100 nm below. Far from the trace there is none: the median stands in for what Bz cannot see.
sheet = analysis.fourier_current(
    field, standoff=100e-9, thickness=100e-9, depth=50e-9, psf_fwhm=sweep.attrs["psf_fwhm"], method="wiener",
    offset="median",
)  # fmt: skip
print(f"noise {sheet.attrs['user_noise'] * 1e6:.0f} uT, resolution {sheet.attrs['user_resolution'] * 1e9:.0f} nm")

# 1 mA goes up at the left, across, and down at the right: three cuts, from the middle of the picture outward.
step, error = float(sheet.x[1] - sheet.x[0]), sheet.attrs["user_net_current_err"]
low, right = sheet.y < sheet.y.mean(), sheet.x > sheet.x.mean()
Jx, Jy = (sheet.J.sel(component=c) for c in "xy")
cuts = {
    "up the left leg": (Jy.where(~right, drop=True).sum("x").where(low, drop=True), 1.0),
    "across the bridge": (Jx.sum("y").where(abs(sheet.x - sheet.x.mean()) < 2e-6, drop=True), 1.0),
    "down the right leg": (-Jy.where(right, drop=True).sum("x").where(low, drop=True), 1.0),
}
for name, (sums, truth) in cuts.items():
    found = float(sums.mean()) * step
    print(f"{name}: {found * 1e3:.3f} +- {error * 1e3:.3f} mA a row, mean of {sums.size} rows; truth {truth:.3f} mA")

figure = Figure(figsize=(15, 4.6), layout="constrained")
plot_current(sheet, figure, flow="lines")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "current_of_a_u_trace.png", dpi=120)
