"""Two opposite currents under a flake in wide field: python current_of_a_flake.py [PICTURE.png]"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vbsense import analysis, sims
from vbsense.analysis.currentplots import plot_current

# A scene from a file, with larger pixels, fewer frequencies and more frames.
larger = {"microscope.shape": [80, 80], "microscope.pixel_size": "700 nm", "microscope.fwhm": "900 nm"}
plan = sims.load_scene(Path(__file__).parent / "scenes" / "widefield_flake.toml", overrides=larger)
scene, measured = plan.scene, plan.measurement
frequency = np.linspace(measured.frequency[0], measured.frequency[-1], 37)
sweep = sims.simulate_sweep(
    scene, frequency, exposure=measured.exposure, averages=8, currents=measured.currents, rng=measured.seed
)

# Light, lines, field. Where there is no flake there is too little light for a fit: NaN in the map.
light = sweep.signal.mean(("polarity", "frequency"))
fit = analysis.fit_sweep(sweep, "gaussian", covariance=True, mask=light < 0.3 * light.max())
field = analysis.field_map(fit, scene.defect, correction=analysis.hyperfine_correction(fit, scene.defect))
print(f"{int(np.isfinite(field.B).sum())} of {field.B.size} pixels measured")

# The current 0.3 um below. Between the traces there is none, which tells what Bz cannot see.
x = (field.x - field.x.mean()).values
empty = np.broadcast_to(np.abs(x) < 5e-6, field.B.shape[1:])
sheet = analysis.fourier_current(
    field, standoff=300e-9, thickness=200e-9, depth=80e-9, psf_fwhm=sweep.attrs["psf_fwhm"], method="wiener",
    offset=empty,
)  # fmt: skip
print(f"noise {sheet.attrs['user_noise'] * 1e6:.0f} uT, resolution {sheet.attrs['user_resolution'] * 1e9:.0f} nm")

# 5 mA up at the left and down at the right; rows in which the flake covers both traces.
step, error = float(sheet.x[1] - sheet.x[0]), sheet.attrs["user_net_current_err"]
Jy = sheet.J.sel(component="y")
for name, middle, truth in (("left", -10e-6, 5.0), ("right", 10e-6, -5.0)):
    trace = Jy.isel(x=np.abs(x - middle) < 4e-6)
    rows = trace.sum("x", skipna=False).dropna("y") * step  # where the flake covers the whole trace
    print(
        f"{name}: {float(rows.mean()) * 1e3:+.2f} +- {error * 1e3:.2f} mA a row, {rows.size} rows; truth {truth:+.2f}"
    )

figure = Figure(figsize=(15, 4.6), layout="constrained")
plot_current(sheet, figure)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "current_of_a_flake.png", dpi=120)
