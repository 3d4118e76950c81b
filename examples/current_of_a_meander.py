"""The current in a meander under a flake with an edge: python current_of_a_meander.py [PICTURE.png]"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vbsense import analysis, sims
from vbsense.analysis.currentplots import plot_current

# A scene from a file, with larger pixels, fewer frequencies and more frames.
larger = {"microscope.shape": [48, 48], "microscope.pixel_size": "300 nm"}
plan = sims.load_scene(Path(__file__).parent / "scenes" / "meander.toml", overrides=larger)
scene, measured = plan.scene, plan.measurement
frequency = np.linspace(measured.frequency[0], measured.frequency[-1], 33)
sweep = sims.simulate_sweep(
    scene, frequency, exposure=measured.exposure, averages=300, currents=measured.currents, rng=measured.seed
)

# Light, lines, field. Beyond the edge of the flake there is too little light for a fit.
light = sweep.signal.mean(("polarity", "frequency"))
fit = analysis.fit_sweep(sweep, "gaussian", covariance=True, mask=light < 0.4 * light.median())
field = analysis.field_map(fit, scene.defect, correction=analysis.hyperfine_correction(fit, scene.defect))

# The current 0.5 um below; what the microscope blurs is undone as far as the noise allows.
sheet = analysis.fourier_current(
    field, standoff=500e-9, thickness=50e-9, depth=60e-9, psf_fwhm=sweep.attrs["psf_fwhm"], method="wiener"
)
print(f"noise {sheet.attrs['user_noise'] * 1e6:.0f} uT, resolution {sheet.attrs['user_resolution'] * 1e9:.0f} nm")

# The legs lie 2 um apart, turned by 10 degrees, and carry 0.5 mA up and down in turn.
turn, middle = np.radians(10), (sheet.x.mean() + sheet.y.mean()) / 2
across = np.linspace(-6e-6, 6e-6, 241)
along_cut = sheet.J.interp(
    x=("s", float(middle) + across * np.cos(turn)), y=("s", float(middle) + across * np.sin(turn))
)
up = along_cut.sel(component="y") * np.cos(turn) - along_cut.sel(component="x") * np.sin(turn)
step, error = across[1] - across[0], sheet.attrs["user_net_current_err"]
for k in range(6):
    leg = np.abs(across - 2e-6 * (k - 2.5)) < 1e-6
    found = float(up[leg].sum()) * step
    print(f"leg {k + 1}: {found * 1e3:+.3f} +- {error * 1e3:.3f} mA, truth {0.5 * (-1) ** k:+.3f} mA")

figure = Figure(figsize=(15, 4.6), layout="constrained")
plot_current(sheet, figure)
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "current_of_a_meander.png", dpi=120)
