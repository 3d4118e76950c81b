"""From a drawn gold trace to the field above it: python field_of_a_drawing.py [PICTURE.png]"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from vbsense.drawings import read_drawing, solve_current

# A hairpin with a narrow neck, as any vector program writes it. One unit is 1 um; the two texts name the ends.
HAIRPIN = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 16">
<path d="M0 2 H24 V14 H0 V11 H21 V5 H12 V3 H8 V5 H0 Z" fill="goldenrod"/>
<text x="0" y="3.5">in</text><text x="0" y="12.5">out</text></svg>"""
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "hairpin.svg"
    file.write_text(HAIRPIN)
    try:
        drawing = read_drawing(file, unit=1e-6)
    except ImportError as missing:
        print(missing)
        sys.exit()

# 1 mA in a film of 100 nm whose top face is at z = 0. Emitters 40 to 80 nm above it see the field through a spot.
contacts = {"source": "in", "drain": "out"}
sheet = solve_current(drawing, contacts=contacts, current=1e-3, pixel_size=100e-9, thickness=100e-9, z=-50e-9)
field = sheet.field_on_grid(110e-9, spot_size=100e-9, depth=40e-9, margin=20)
density, Bz = np.pad(np.hypot(sheet.Jx, sheet.Jy), 20), field[..., 2] * 1e6
print(f"{sheet.shape[1]} x {sheet.shape[0]} pixels, {sheet.current * 1e3:g} mA")
print(f"up to {density.max():.0f} A/m in the film and {np.abs(Bz).max():.0f} uT above it")

figure = Figure(figsize=(10, 3.6), layout="constrained")
left, right = figure.subplots(1, 2)
reach = np.array([-20.5, 20.5]) * sheet.pixel_size
extent = np.array([*sheet.x[[0, -1]] + reach, *sheet.y[[0, -1]] + reach]) * 1e6
view = {"origin": "lower", "extent": extent}
figure.colorbar(left.imshow(density, cmap="magma", **view), ax=left, label="|J| (A/m)", shrink=0.8)
limit = np.abs(Bz).max()
image = right.imshow(Bz, cmap="RdBu_r", vmin=-limit, vmax=limit, **view)
figure.colorbar(image, ax=right, label="Bz (uT)", shrink=0.8)
for axes in (left, right):
    axes.set(xlabel="x (um)", ylabel="y (um)")
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "field_of_a_drawing.png", dpi=120)
